//! Rows of literals written as dump programs write them, in one pass.
//!
//! What it accepts, [`super::Rows`] and [`super::Cells`] would read in the same way, at several
//! times the cost. It gives up at whatever is unusual: comments, expressions, a sign or a point at
//! the start of a number, quoted names, multi-byte character sets whose bytes look like quotes.

use crate::rules::{Multibyte, Rules};

use super::Kind;

/// Calls `cell` with the position, kind and text of each cell, and returns how many rows there are,
/// if `text` is rows of plain literals from its start to its end. Otherwise nothing, and what was
/// told to `cell` does not count.
pub fn plain_rows(
    text: &[u8],
    rules: Rules,
    mut cell: impl FnMut(usize, Kind, &[u8]),
) -> Option<u64> {
    if rules.multibyte != Multibyte::None {
        return None;
    }
    let mut rows = 0;
    let mut pos = blanks(text, 0);
    loop {
        if text.get(pos) != Some(&b'(') {
            return None;
        }
        let mut position = 0;
        loop {
            pos = blanks(text, pos + 1);
            let (kind, end) = literal(text, pos, rules)?;
            cell(position, kind, &text[pos..end]);
            position += 1;
            pos = blanks(text, end);
            match text.get(pos)? {
                b',' => {}
                b')' => break,
                _ => return None,
            }
        }
        rows += 1;
        pos = blanks(text, pos + 1);
        match text.get(pos) {
            Some(b',') => pos = blanks(text, pos + 1),
            Some(_) => return None,
            None => return Some(rows),
        }
    }
}

/// Index of the first byte at or after `pos` that is no blank.
#[inline]
fn blanks(text: &[u8], mut pos: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = text.get(pos) {
        pos += 1;
    }
    pos
}

/// The kind of the literal at `pos` and the index after it.
#[inline]
fn literal(text: &[u8], pos: usize, rules: Rules) -> Option<(Kind, usize)> {
    let quote_follows = || text.get(pos + 1) == Some(&b'\'');
    match *text.get(pos)? {
        quote @ b'\'' => string(text, pos, quote, rules).map(|end| (Kind::String, end)),
        quote @ b'"' if !rules.ansi_quotes => {
            string(text, pos, quote, rules).map(|end| (Kind::String, end))
        }
        b'0' if matches!(text.get(pos + 1), Some(b'x' | b'b')) => prefixed(text, pos),
        b'0'..=b'9' | b'-' => number(text, pos).map(|end| (Kind::Number, end)),
        b'N' if text.get(pos..pos + 4) == Some(b"NULL") => Some((Kind::Null, pos + 4)),
        b'x' | b'X' if quote_follows() => {
            string(text, pos + 1, b'\'', rules).map(|end| (Kind::Hex, end))
        }
        b'b' | b'B' if quote_follows() => {
            string(text, pos + 1, b'\'', rules).map(|end| (Kind::Bit, end))
        }
        b'_' => introduced(text, pos, rules),
        _ => None,
    }
}

/// Index after a string whose quote stands at `pos`; a doubled quote is part of it.
#[inline]
fn string(text: &[u8], mut pos: usize, quote: u8, rules: Rules) -> Option<usize> {
    loop {
        pos += 1;
        let rest = text.get(pos..)?;
        pos += match rules.no_backslash_escapes {
            true => memchr::memchr(quote, rest)?,
            false => memchr::memchr2(quote, b'\\', rest)?,
        };
        let escapes = text[pos] == b'\\' && !rules.no_backslash_escapes;
        if !escapes && text.get(pos + 1) != Some(&quote) {
            return Some(pos + 1);
        }
        pos += 1;
    }
}

/// Index after the digits from `pos` on.
#[inline]
fn digits(text: &[u8], mut pos: usize) -> usize {
    while let Some(b'0'..=b'9') = text.get(pos) {
        pos += 1;
    }
    pos
}

/// `-12`, `1.50`, `1e-7`
#[inline]
fn number(text: &[u8], pos: usize) -> Option<usize> {
    let start = pos + usize::from(text[pos] == b'-');
    let mut end = digits(text, start);
    if end == start {
        return None;
    }
    if text.get(end) == Some(&b'.') {
        end = digits(text, end + 1);
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let from = end + 1 + usize::from(matches!(text.get(end + 1), Some(b'-' | b'+')));
        end = digits(text, from);
        if end == from {
            return None;
        }
    }
    Some(end)
}

/// `0xFF`, `0b01`
fn prefixed(text: &[u8], pos: usize) -> Option<(Kind, usize)> {
    let from = pos + 2;
    let run = |is_digit: fn(&u8) -> bool| text[from..].iter().take_while(|b| is_digit(b)).count();
    let (kind, length) = match text[pos + 1] {
        b'x' => (Kind::Hex, run(u8::is_ascii_hexdigit)),
        _ => (Kind::Bit, run(|byte| matches!(byte, b'0' | b'1'))),
    };
    (length > 0).then_some((kind, from + length))
}

/// `_binary 'x'`
fn introduced(text: &[u8], pos: usize, rules: Rules) -> Option<(Kind, usize)> {
    let is_part = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
    let mut at = pos + text[pos..].iter().take_while(is_part).count();
    at += text[at..].iter().take_while(|byte| **byte == b' ').count();
    match literal(text, at, rules)? {
        (Kind::String | Kind::Hex | Kind::Bit, end) => Some((Kind::Introduced, end)),
        _ => None,
    }
}
