//! `name=value&name=value`, as queries and urlencoded bodies have it.
//!
//! It splits and decodes; it knows no names, refuses no duplicates and keeps the order.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Why a form cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// A piece without a `=`.
    NoEquals,
    /// A name or a value whose decoded bytes are not UTF-8.
    NotUtf8,
    /// More pairs than allowed.
    TooMany,
}

/// The decoded pairs, in the order sent; empty pieces between `&` are passed over.
///
/// # Errors
///
/// A [`Fault`]; `pairs_max` bounds the work.
pub fn pairs(text: &[u8], pairs_max: usize) -> Result<Vec<(String, String)>, Fault> {
    let mut found = Vec::new();
    for piece in text.split(|byte| *byte == b'&').filter(|piece| !piece.is_empty()) {
        if found.len() == pairs_max {
            return Err(Fault::TooMany);
        }
        let at = piece.iter().position(|byte| *byte == b'=').ok_or(Fault::NoEquals)?;
        found.push((decode(&piece[..at])?, decode(&piece[at + 1..])?));
    }
    Ok(found)
}

/// Whether a pair of this name is there; `name` needs no encoding.
pub fn names(text: &[u8], name: &str) -> bool {
    text.split(|byte| *byte == b'&')
        .any(|piece| piece.split(|byte| *byte == b'=').next() == Some(name.as_bytes()))
}

/// `+` is a space, `%XX` a byte; a `%` that no two hex digits follow stays one.
fn decode(text: &[u8]) -> Result<String, Fault> {
    let spaced: Cow<'_, [u8]> = match text.contains(&b'+') {
        true => text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect(),
        false => text.into(),
    };
    let decoded = percent_decode(&spaced).decode_utf8().map_err(|_| Fault::NotUtf8)?;
    Ok(decoded.into_owned())
}

#[cfg(test)]
#[track_caller]
fn check(text: &str, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> =
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(pairs(text.as_bytes(), 8), Ok(expected), "{text}");
}

#[test]
fn both_ways_to_write_a_space_are_read() {
    check("a=x+y&b=x%20y&c=x%2By", &[("a", "x y"), ("b", "x y"), ("c", "x+y")]);
    check("", &[]);
    check("&a=&&b==&", &[("a", ""), ("b", "=")]);
    check("a=%E4%B8%AD&b=100%&c=%zz", &[("a", "中"), ("b", "100%"), ("c", "%zz")]);
}

#[test]
fn faults_are_named() {
    assert_eq!(pairs(b"a", 8), Err(Fault::NoEquals));
    assert_eq!(pairs(b"a=%ff", 8), Err(Fault::NotUtf8));
    assert_eq!(pairs(b"a=&b=&c=", 2), Err(Fault::TooMany));
}

#[test]
fn names_are_found_without_decoding() {
    assert!(names(b"a=1&SecretId=x", "SecretId"));
    assert!(!names(b"a=SecretId&SecretIds=", "SecretId"));
}
