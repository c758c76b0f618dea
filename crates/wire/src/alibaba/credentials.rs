//! Who says they sent a request, and whether their key agrees.
//!
//! Two steps, because the secret is looked up between them. Promises: a request is accepted only if
//! a signature over all its parameters matches, compared in constant time, within [`SKEW_MAX`] of
//! its timestamp; every accepted request has a nonce that its signature covers.
//!
//! Not here: whose key it is, and which nonces were seen before. Tokens of temporary keys are
//! signed like any parameter, and nothing else is made of them.

use std::fmt;

use super::authorization::{Authorization, REQUIRED};
use super::code::Code;
use super::error::{Error, Result};
use super::parameters;
use super::signature::{self, V1Hash};
use super::time;
use crate::hash::is_same;
use crate::request::Request;

/// Bytes of a request's path and query.
pub const QUERY_MAX: usize = 64 * 1024;
/// Bytes of a request's body.
pub const BODY_MAX: usize = 1024 * 1024;
/// Seconds that a timestamp may lie before or after our time, and that a nonce must not come again.
pub const SKEW_MAX: i64 = 31 * 60;
/// Characters of a nonce; SDKs send 32 to 64.
pub const NONCE_MAX: usize = 128;
/// Bytes of a key's id.
const KEY_ID_MAX: usize = 128;
/// Bytes of a message that repeats what was signed.
const ECHO_MAX: usize = 16 * 1024;
/// What is not repeated in a message, as a part of a name in lower case: such messages get logged.
const CONFIDENTIAL: [&str; 3] = ["password", "secret", "token"];

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `ACS3-HMAC-SHA256`, in the `Authorization` header.
    Acs3,
    /// Signature version 1.0, among the parameters.
    V1(V1Hash),
}

/// What a request says about its sender; nothing of it is true before [`Credentials::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The signature method.
    pub scheme: Scheme,
    /// The `AccessKeyId`.
    pub key_id: String,
    /// Unix seconds.
    pub timestamp: i64,
    /// A text the sender uses once, for the caller to remember within [`SKEW_MAX`]; one that comes
    /// again is answered with `SignatureNonceUsed`.
    pub nonce: String,
    proof: Proof,
}

#[derive(Clone, PartialEq, Eq)]
enum Proof {
    Acs3(Authorization),
    V1 { signature: String },
}

impl Credentials {
    /// Reads who signed and how.
    ///
    /// # Errors
    ///
    /// - `UnsupportedHTTPMethod`: neither GET nor POST.
    /// - `InvalidParameter`: [`QUERY_MAX`], [`BODY_MAX`], [`NONCE_MAX`], a malformed form, a
    ///   decisive header or a parameter twice, a signature version that is not 1.0.
    /// - `InvalidSignatureMethod`; `IncompleteSignature`: a malformed `Authorization` header, a
    ///   decisive header that is not there or not signed, a body whose type is not signed.
    /// - `MissingAccessKeyId` and its like for the parameters of version 1.0.
    /// - `InvalidTimeStamp.Format`; `InvalidAccessKeyId.NotFound` for an id that no key can have.
    pub fn read(request: &Request<'_>) -> Result<Self> {
        if request.method != "GET" && request.method != "POST" {
            return Err(Error::new(Code::UnsupportedHttpMethod));
        }
        let target_bytes = request.path.len() + request.query.len();
        if target_bytes > QUERY_MAX || request.body.len() > BODY_MAX {
            return Err(Error::said(Code::InvalidParameter, "The request is too large."));
        }
        for name in REQUIRED.into_iter().chain(["authorization", "content-type"]) {
            if request.headers_named(name).count() > 1 {
                return Err(Error::invalid(name));
            }
        }
        let credentials = match request.header("authorization") {
            Some(header) => read_acs3(request, header)?,
            None => read_v1(request)?,
        };
        if credentials.key_id.len() > KEY_ID_MAX {
            return Err(Error::new(Code::AccessKeyNotFound));
        }
        if credentials.nonce.chars().count() > NONCE_MAX {
            return Err(Error::invalid("SignatureNonce"));
        }
        Ok(credentials)
    }

    /// Whether `secret` made the signature, less than [`SKEW_MAX`] from `now` (Unix seconds).
    ///
    /// Parameters count as decoded, because clients sign other spellings than they send: a space
    /// goes out as `+` and is signed as `%20`. Headers count as received, with the spaces around
    /// them cut off: the host too, which some clients send with `http://` in front. ACS3 covers the
    /// path; version 1.0 covers neither the path nor any header, and a body only if it is a form.
    ///
    /// # Errors
    ///
    /// `InvalidTimeStamp.Expired`; `SignatureDoesNotMatch`, whose message repeats what was signed:
    /// the Python SDK compares that with its own to tell a wrong secret from a wrong signature. It
    /// is left out where it is too long or names something confidential.
    pub fn verify(&self, secret: &str, now: i64, request: &Request<'_>) -> Result<()> {
        if now.abs_diff(self.timestamp) > SKEW_MAX.unsigned_abs() {
            return Err(Error::new(Code::TimestampExpired));
        }
        match (&self.proof, self.scheme) {
            (Proof::Acs3(authorization), _) => verify_acs3(authorization, secret, request),
            (Proof::V1 { signature }, Scheme::V1(hash)) => {
                verify_v1(signature, hash, secret, request)
            }
            (Proof::V1 { .. }, Scheme::Acs3) => Err(Error::new(Code::IncompleteSignature)),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("scheme", &self.scheme)
            .field("key_id", &self.key_id)
            .field("timestamp", &self.timestamp)
            .field("nonce", &self.nonce)
            .finish_non_exhaustive()
    }
}

fn read_acs3(request: &Request<'_>, header: &[u8]) -> Result<Credentials> {
    let authorization = Authorization::parse(header)?;
    let signed = |name: &str| {
        let text = request.header_text(name).map(str::trim).filter(|text| !text.is_empty());
        text.ok_or_else(|| Error::new(Code::IncompleteSignature))
    };
    for name in REQUIRED {
        signed(name)?;
    }
    // It decides whether the body is read.
    let is_typed = authorization.header_names().any(|name| name == "content-type");
    if !request.body.is_empty() && request.header("content-type").is_some() && !is_typed {
        return Err(Error::new(Code::IncompleteSignature));
    }
    Ok(Credentials {
        scheme: Scheme::Acs3,
        key_id: authorization.key_id.clone(),
        timestamp: read_timestamp(signed("x-acs-date")?)?,
        nonce: signed("x-acs-signature-nonce")?.to_owned(),
        proof: Proof::Acs3(authorization),
    })
}

fn read_v1(request: &Request<'_>) -> Result<Credentials> {
    let pairs = parameters::pairs(request)?;
    let value = |name: &str| {
        let found = pairs.iter().find(|(own, _)| own == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    };
    let required = |name: &'static str| value(name).ok_or_else(|| Error::missing(name));
    // Other types are signed with a key pair, or not at all.
    if value("SignatureType").is_some() {
        return Err(Error::new(Code::InvalidSignatureMethod));
    }
    let key_id = required("AccessKeyId")?.to_owned();
    let hash = match required("SignatureMethod")? {
        "HMAC-SHA1" => V1Hash::Sha1,
        "HMAC-SHA256" => V1Hash::Sha256,
        _ => return Err(Error::new(Code::InvalidSignatureMethod)),
    };
    if required("SignatureVersion")? != "1.0" {
        return Err(Error::invalid("SignatureVersion"));
    }
    Ok(Credentials {
        scheme: Scheme::V1(hash),
        key_id,
        timestamp: read_timestamp(required("Timestamp")?)?,
        nonce: required("SignatureNonce")?.to_owned(),
        // A plus that was sent unencoded has become a space, which Base64 has not.
        proof: Proof::V1 { signature: required("Signature")?.replace(' ', "+") },
    })
}

fn read_timestamp(text: &str) -> Result<i64> {
    time::parse(text).ok_or_else(|| Error::new(Code::TimestampFormat))
}

fn verify_acs3(authorization: &Authorization, secret: &str, request: &Request<'_>) -> Result<()> {
    let pairs = parameters::pairs(&Request { body: b"", ..request.clone() })?;
    let Some(headers) = signed_values(authorization, request) else {
        return Err(Error::new(Code::IncompleteSignature));
    };
    let payload_hash = signature::sha256_hex(request.body);
    let canonical = signature::canonical_request(
        request.method,
        request.path,
        &signature::canonical_query(&pairs),
        &headers,
        &authorization.signed_headers,
        &payload_hash,
    );
    let text = signature::string_to_sign(&canonical);
    let said_hash = request.header("x-acs-content-sha256").map(<[u8]>::trim_ascii);
    let is_body = said_hash == Some(payload_hash.as_bytes());
    if is_body && is_same(&signature::acs3(secret, &text), &authorization.signature) {
        return Ok(());
    }
    let own = String::from_utf8_lossy(&canonical);
    let own = if is_confidential(&own, &pairs, &headers) { "" } else { &own };
    Err(Error::mismatch(format!(
        "Specified signature does not match our calculation. server StringToSign is [{text}] \
         server CanonicalRequest is [{own}]"
    )))
}

/// Each signed header and its trimmed value; nothing when one of them did not come exactly once.
fn signed_values(
    authorization: &Authorization,
    request: &Request<'_>,
) -> Option<Vec<(String, Vec<u8>)>> {
    let value = |name: &str| {
        let mut values = request.headers_named(name);
        let value = values.next()?.trim_ascii().to_vec();
        values.next().is_none().then(|| (name.to_owned(), value))
    };
    authorization.header_names().map(value).collect()
}

fn verify_v1(given: &str, hash: V1Hash, secret: &str, request: &Request<'_>) -> Result<()> {
    let mut pairs = parameters::pairs(request)?;
    pairs.retain(|(name, _)| name != "Signature");
    let text = signature::v1_string(request.method, &pairs);
    if is_same(&signature::v1(secret, hash, &text), given) {
        return Ok(());
    }
    // An older Python SDK fails on a message without a colon.
    let own = if is_confidential(&text, &pairs, &[]) { "" } else { &text };
    let message = Code::SignatureDoesNotMatch.message();
    Err(Error::mismatch(format!("{message}{own}")))
}

/// Whether a message may not repeat `text`.
fn is_confidential(text: &str, pairs: &[(String, String)], headers: &[(String, Vec<u8>)]) -> bool {
    let is_named = |name: &str| {
        let name = name.to_ascii_lowercase();
        CONFIDENTIAL.iter().any(|word| name.contains(word))
    };
    text.len() > ECHO_MAX
        || pairs.iter().any(|(name, _)| is_named(name))
        || headers.iter().any(|(name, _)| is_named(name))
}
