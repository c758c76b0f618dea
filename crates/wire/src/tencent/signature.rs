//! What is signed and how: each step of both signature methods as a function.
//!
//! It computes; which bytes of a request go in, and whether a signature is accepted, is decided in
//! [`super::credentials`]. Public step by step, so that each can be held against the document's own
//! examples.

use aws_lc_rs::hmac;

use crate::hash::{self, base64, hex, sign};

/// The name of signature method v3.
pub const TC3: &str = "TC3-HMAC-SHA256";
/// Stands for the payload when the body is not signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// TC3, step 1: the request in one text.
///
/// The path is always signed as `/`. `query` is empty for POST, as received for GET. `headers` are
/// lower-case names and values, in the order of `signed_headers`. `payload_hash` is the
/// [`sha256_hex`] of the body, of nothing for GET, or of [`UNSIGNED_PAYLOAD`].
pub fn canonical_request(
    method: &str,
    query: &str,
    headers: &[(String, Vec<u8>)],
    signed_headers: &str,
    payload_hash: &str,
) -> Vec<u8> {
    let mut text = format!("{method}\n/\n{query}\n").into_bytes();
    for (name, value) in headers {
        text.extend_from_slice(name.as_bytes());
        text.push(b':');
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    text.extend_from_slice(format!("\n{signed_headers}\n{payload_hash}").as_bytes());
    text
}

/// TC3, step 2: the text that is signed.
pub fn string_to_sign(timestamp: &str, date: &str, service: &str, canonical: &[u8]) -> String {
    format!("{TC3}\n{timestamp}\n{date}/{service}/tc3_request\n{}", sha256_hex(canonical))
}

/// TC3, step 3: 64 lower-case hex digits.
pub fn tc3(secret: &str, date: &str, service: &str, string_to_sign: &str) -> String {
    let hmac = |key: &[u8], text: &str| sign(hmac::HMAC_SHA256, key, text);
    let date_key = hmac(format!("TC3{secret}").as_bytes(), date);
    let service_key = hmac(date_key.as_ref(), service);
    let signing_key = hmac(service_key.as_ref(), "tc3_request");
    hex(hmac(signing_key.as_ref(), string_to_sign).as_ref())
}

/// The hash function of signature method v1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum V1Hash {
    /// `HmacSHA1`, which is meant whenever nothing else is said.
    Sha1,
    /// `HmacSHA256`.
    Sha256,
}

/// v1, step 1: the text that is signed, over decoded `pairs` without `Signature`, sorted by the
/// bytes of their names.
pub fn v1_string(method: &str, host: &str, path: &str, pairs: &[(String, String)]) -> String {
    let mut sorted: Vec<&(String, String)> = pairs.iter().collect();
    sorted.sort();
    let joined: Vec<String> =
        sorted.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{method}{host}{path}?{}", joined.join("&"))
}

/// v1, step 2: Base64.
pub fn v1(secret: &str, hash: V1Hash, string: &str) -> String {
    let algorithm = match hash {
        V1Hash::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        V1Hash::Sha256 => hmac::HMAC_SHA256,
    };
    base64(sign(algorithm, secret.as_bytes(), string).as_ref())
}

/// 64 lower-case hex digits.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hash::sha256_hex(bytes)
}
