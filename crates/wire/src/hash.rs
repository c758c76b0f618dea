//! Hashes and keyed hashes, and the two ways that signatures write them.
//!
//! What is hashed is each dialect's matter.

use aws_lc_rs::{constant_time, digest, hmac};

/// 64 lower-case hex digits.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

/// The keyed hash of a text.
pub(crate) fn sign(algorithm: hmac::Algorithm, key: &[u8], text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(algorithm, key), text.as_bytes())
}

/// Whether two signatures are the same, in a time that tells nothing of where they differ.
pub(crate) fn is_same(expected: &str, given: &str) -> bool {
    constant_time::verify_slices_are_equal(expected.as_bytes(), given.as_bytes()).is_ok()
}

/// Lower-case hex digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Base64 of RFC 4648, with its padding.
pub(crate) fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or(0));
        let group = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let index = (group >> (18 - 6 * digit) & 63) as usize;
            text.push(if digit <= chunk.len() { char::from(DIGITS[index]) } else { '=' });
        }
    }
    text
}

#[test]
fn base64_is_that_of_rfc_4648() {
    let all = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
    assert_eq!(all, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    assert_eq!(base64(&[0xfb, 0xff, 0xbf]), "+/+/");
}

/// From the tests of Alibaba Cloud's SDK for PHP.
#[test]
fn a_published_keyed_hash() {
    let tag = sign(hmac::HMAC_SHA256, b"accessSecret", "this is a ShaHmac256 test.");
    assert_eq!(base64(tag.as_ref()), "TpF1lE/avV9EHGWGg9Vo/QTd2bLRwFCk9jjo56uRbCo=");
}

#[test]
fn only_the_same_is_the_same() {
    assert!(is_same("", "") && is_same("abc", "abc"));
    assert!(!is_same("abc", "abd") && !is_same("abc", "ab") && !is_same("", "a"));
}
