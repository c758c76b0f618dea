//! What is signed and how: each step of both signature methods as a function.
//!
//! It computes; which bytes of a request go in, and whether a signature is accepted, is decided in
//! [`super::credentials`]. Public step by step, so that each can be held against the document's own
//! examples.

use aws_lc_rs::hmac;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::hash::{self, base64, hex, sign};

/// The name of the newer signature method.
pub const ACS3: &str = "ACS3-HMAC-SHA256";

/// All but what RFC 3986 calls unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Percent-encoded as both methods want it: unreserved characters stay, hex digits are upper-case.
pub fn encode(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Decoded `pairs`, sorted by the bytes of their names and encoded: `a=1&b=x%20y`.
pub fn canonical_query(pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = pairs.iter().collect();
    sorted.sort();
    let joined: Vec<String> = sorted
        .into_iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    joined.join("&")
}

/// The hash function of the older signature method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum V1Hash {
    /// `HMAC-SHA1`, the one that SDKs send.
    Sha1,
    /// `HMAC-SHA256`.
    Sha256,
}

/// Signature version 1.0, step 1: the text that is signed, over the decoded `pairs` of query and
/// body without `Signature`. The path is always signed as `/`.
pub fn v1_string(method: &str, pairs: &[(String, String)]) -> String {
    format!("{method}&%2F&{}", encode(&canonical_query(pairs)))
}

/// Signature version 1.0, step 2: Base64.
pub fn v1(secret: &str, hash: V1Hash, string: &str) -> String {
    let algorithm = match hash {
        V1Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        V1Hash::Sha256 => hmac::HMAC_SHA256,
    };
    base64(sign(algorithm, format!("{secret}&").as_bytes(), string).as_ref())
}

/// ACS3, step 1: the request in one text.
///
/// `query` is that of [`canonical_query`]. `headers` are lower-case names and trimmed values, in
/// the order of `signed_headers`. `payload_hash` is the [`sha256_hex`] of the body.
pub fn canonical_request(
    method: &str,
    path: &str,
    query: &str,
    headers: &[(String, Vec<u8>)],
    signed_headers: &str,
    payload_hash: &str,
) -> Vec<u8> {
    let mut text = format!("{method}\n{path}\n{query}\n").into_bytes();
    for (name, value) in headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    text.extend_from_slice(format!("\n{signed_headers}\n{payload_hash}").as_bytes());
    text
}

/// ACS3, step 2: the text that is signed.
pub fn string_to_sign(canonical: &[u8]) -> String {
    format!("{ACS3}\n{}", sha256_hex(canonical))
}

/// ACS3, step 3: 64 lower-case hex digits.
pub fn acs3(secret: &str, string_to_sign: &str) -> String {
    hex(sign(hmac::HMAC_SHA256, secret.as_bytes(), string_to_sign).as_ref())
}

/// 64 lower-case hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hash::sha256_hex(bytes)
}

#[test]
fn only_unreserved_characters_stay() {
    assert_eq!(encode("aZ09-_.~"), "aZ09-_.~");
    assert_eq!(encode(" *+/%&=中"), "%20%2A%2B%2F%25%26%3D%E4%B8%AD");
}
