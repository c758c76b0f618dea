//! Who says they sent a request, and whether their key agrees.
//!
//! Two steps, because the secret is looked up between them. Promises: a request is accepted only if
//! a signature over its raw bytes matches, compared in constant time, within five minutes of its
//! timestamp. What the clients sign differently from the document is listed at
//! [`Credentials::verify`].
//!
//! Not here: whose key it is, and which nonces and signatures were seen before.

use std::fmt;

use super::authorization::Authorization;
use super::code::Code;
use super::error::{Error, Result};
use super::parameters::PARAMETERS_MAX;
use super::region::{strip_port, strip_scheme};
use super::signature::{self, UNSIGNED_PAYLOAD, V1Hash};
use crate::civil;
use crate::form;
use crate::hash::is_same;
use crate::request::Request;

/// Bytes of a GET request's path, query and body, for either method.
pub const GET_MAX: usize = 32 * 1024;
/// Bytes of a body signed with v1.
pub const V1_BODY_MAX: usize = 1024 * 1024;
/// Bytes of a body signed with TC3.
pub const TC3_BODY_MAX: usize = 10 * 1024 * 1024;
/// Seconds that a timestamp may lie before or after our time.
pub const SKEW_MAX: i64 = 300;
/// Digits of a timestamp.
const TIMESTAMP_DIGITS_MAX: usize = 12;

/// Common headers that decide what a request means: each may come once.
const DECISIVE: [&str; 10] = [
    "authorization",
    "content-type",
    "host",
    "x-tc-action",
    "x-tc-content-sha256",
    "x-tc-region",
    "x-tc-timestamp",
    "x-tc-token",
    "x-tc-version",
    "x-tc-language",
];

/// How a request is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `TC3-HMAC-SHA256`, in the `Authorization` header.
    Tc3,
    /// Signature method v1, among the parameters.
    V1(V1Hash),
}

/// What a request says about its sender; nothing of it is true before [`Credentials::verify`].
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The signature method.
    pub scheme: Scheme,
    /// The `SecretId`.
    pub key_id: String,
    /// Unix seconds.
    pub timestamp: i64,
    /// v1 only: a number the sender uses once, for the caller to remember within [`SKEW_MAX`].
    pub nonce: Option<u64>,
    proof: Proof,
}

#[derive(Clone, PartialEq, Eq)]
enum Proof {
    Tc3 { authorization: Authorization, timestamp: String },
    V1 { signature: String },
}

impl Credentials {
    /// Reads who signed and how.
    ///
    /// # Errors
    ///
    /// - `UnsupportedProtocol`: neither GET nor POST.
    /// - `RequestSizeLimitExceeded`: [`GET_MAX`], [`TC3_BODY_MAX`]; `AuthFailure.SignatureFailure`
    ///   with the cloud's own text for [`V1_BODY_MAX`].
    /// - `AuthFailure.InvalidAuthorization`: a header that is malformed, or `SKIP`, or absent where
    ///   only TC3 will do (JSON and multipart bodies).
    /// - `MissingParameter`: `Timestamp`, `Nonce`, `SecretId`, `Signature`, `Host`.
    /// - `InvalidParameter`: a decisive header or parameter twice, a malformed number or form.
    pub fn read(request: &Request<'_>) -> Result<Self> {
        if request.method != "GET" && request.method != "POST" {
            return Err(Error::new(Code::UnsupportedProtocol));
        }
        let scheme = tc3_or_v1(request);
        check_size(request, scheme.is_some())?;
        for name in DECISIVE {
            if request.headers_named(name).count() > 1 {
                return Err(Error::repeated(name));
            }
        }
        if request.header_text("host").is_none_or(str::is_empty) {
            return Err(Error::missing("Host"));
        }
        match scheme {
            Some(header) => read_tc3(request, header),
            None => read_v1(request),
        }
    }

    /// Whether `secret` made the signature, less than [`SKEW_MAX`] from `now` (Unix seconds).
    ///
    /// Follows the clients where they sign other bytes than they send: the host may be signed as
    /// sent, without its port (Node.js), without a scheme that was sent as part of it; header values
    /// may be signed as sent (all SDKs) or in lower case (the document's rule); the scope's service
    /// may be any word; v1 names may be signed with `.` for `_` (Python). For TC3 the path is signed
    /// as `/`, a POST's query is not signed, and `X-TC-*` headers only when `SignedHeaders` lists
    /// them: whoever can alter a request on its way can change its action and its region. The
    /// cloud has the same gap, and demands HTTPS. v1 signs decoded values without separating them:
    /// `a=1&b=2` and `a=1%26b%3D2` have one signature, for the cloud as for us.
    ///
    /// # Errors
    ///
    /// `AuthFailure.SignatureExpire`; `AuthFailure.SignatureFailure`, also when the scope's date is
    /// not the timestamp's in UTC (what the cloud answers then is not documented).
    pub fn verify(&self, secret: &str, now: i64, request: &Request<'_>) -> Result<()> {
        if now.abs_diff(self.timestamp) > SKEW_MAX.unsigned_abs() {
            return Err(Error::new(Code::SignatureExpire));
        }
        let matches = match (&self.proof, self.scheme) {
            (Proof::Tc3 { authorization, timestamp }, _) => {
                civil::utc_date(self.timestamp) == authorization.date
                    && tc3_matches(authorization, timestamp, secret, request)
            }
            (Proof::V1 { signature }, Scheme::V1(hash)) => {
                v1_matches(signature, hash, secret, request)?
            }
            (Proof::V1 { .. }, Scheme::Tc3) => false,
        };
        if matches { Ok(()) } else { Err(Error::new(Code::SignatureFailure)) }
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

/// The `Authorization` header when there is one: without it a request can only be v1.
pub(super) fn tc3_or_v1<'a>(request: &Request<'a>) -> Option<&'a [u8]> {
    request.header("authorization")
}

/// What holds the v1 parameters.
pub(super) fn v1_text<'a>(request: &Request<'a>) -> &'a [u8] {
    if request.method == "GET" { request.query.as_bytes() } else { request.body }
}

fn check_size(request: &Request<'_>, is_tc3: bool) -> Result<()> {
    let too_large = Err(Error::new(Code::RequestSizeLimitExceeded));
    match (request.method, is_tc3) {
        ("GET", _) => {
            let bytes = request.path.len() + request.query.len() + request.body.len();
            if bytes > GET_MAX { too_large } else { Ok(()) }
        }
        (_, true) if request.body.len() > TC3_BODY_MAX => too_large,
        (_, false) if request.body.len() > V1_BODY_MAX => Err(Error::said(
            Code::SignatureFailure,
            "The provided credentials could not be validated because of exceeding request size \
             limit, please use new signature method `TC3-HMAC-SHA256`.",
            "请求包超过限制大小，签名验证失败，请使用新的签名方法`TC3-HMAC-SHA256`。",
        )),
        _ => Ok(()),
    }
}

fn read_tc3(request: &Request<'_>, header: &[u8]) -> Result<Credentials> {
    let authorization = Authorization::parse(header)?;
    let is_listed = |wanted: &str| authorization.header_names().any(|name| name == wanted);
    if request.header("content-type").is_some() && !is_listed("content-type") {
        return Err(Error::new(Code::InvalidAuthorization));
    }
    let timestamp = match request.header("x-tc-timestamp") {
        None => return Err(Error::missing("Timestamp")),
        Some(bytes) => std::str::from_utf8(bytes).map_err(|_| Error::mistyped("Timestamp"))?,
    };
    Ok(Credentials {
        scheme: Scheme::Tc3,
        key_id: authorization.key_id.clone(),
        timestamp: read_timestamp(timestamp)?,
        nonce: None,
        proof: Proof::Tc3 { authorization, timestamp: timestamp.to_owned() },
    })
}

fn read_v1(request: &Request<'_>) -> Result<Credentials> {
    let is_form = matches!(
        (request.method, request.media_type().as_str()),
        ("GET", _) | (_, "" | "application/x-www-form-urlencoded")
    );
    if !is_form || request.header("x-tc-action").is_some() {
        return Err(Error::new(Code::InvalidAuthorization));
    }
    let pairs = v1_pairs(request)?;
    let required = |name: &str| match pairs.iter().find(|(own, _)| own == name) {
        Some((_, value)) if !value.is_empty() => Ok(value.as_str()),
        _ => Err(Error::missing(name)),
    };
    let key_id = required("SecretId")?.to_owned();
    let timestamp = read_timestamp(required("Timestamp")?)?;
    let nonce = required("Nonce")?.parse().map_err(|_| Error::mistyped("Nonce"))?;
    // A plus that was sent unencoded has become a space, which Base64 has not.
    let signature = required("Signature")?.replace(' ', "+");
    let hash = match pairs.iter().any(|pair| pair.0 == "SignatureMethod" && pair.1 == "HmacSHA256")
    {
        true => V1Hash::Sha256,
        false => V1Hash::Sha1,
    };
    let scheme = Scheme::V1(hash);
    Ok(Credentials {
        scheme,
        key_id,
        timestamp,
        nonce: Some(nonce),
        proof: Proof::V1 { signature },
    })
}

/// The decoded parameters, no name twice: which of two was meant must not depend on the reader.
fn v1_pairs(request: &Request<'_>) -> Result<Vec<(String, String)>> {
    let pairs = form::pairs(v1_text(request), PARAMETERS_MAX).map_err(Error::from)?;
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|two| two[0] == two[1]) {
        Some(two) => Err(Error::repeated(two[0])),
        None => Ok(pairs),
    }
}

fn read_timestamp(text: &str) -> Result<i64> {
    let is_number = text.len() <= TIMESTAMP_DIGITS_MAX && text.bytes().all(|b| b.is_ascii_digit());
    let number = if is_number { text.parse().ok() } else { None };
    number.ok_or_else(|| Error::mistyped("Timestamp"))
}

/// The host in every way that clients are known to sign it.
fn hosts<'a>(request: &Request<'a>) -> Vec<&'a str> {
    let host = request.header_text("host").unwrap_or_default();
    let bare = strip_scheme(host);
    let mut hosts = vec![host];
    for way in [strip_port(host), bare, strip_port(bare)] {
        if !hosts.contains(&way) {
            hosts.push(way);
        }
    }
    hosts
}

fn tc3_matches(
    authorization: &Authorization,
    timestamp: &str,
    secret: &str,
    request: &Request<'_>,
) -> bool {
    let Authorization { date, service, signed_headers, signature, .. } = authorization;
    let is_get = request.method == "GET";
    let is_unsigned = request.header("x-tc-content-sha256") == Some(UNSIGNED_PAYLOAD.as_bytes());
    let payload = match (is_unsigned, is_get) {
        (true, _) => UNSIGNED_PAYLOAD.as_bytes(),
        (false, true) => b"",
        (false, false) => request.body,
    };
    let payload_hash = signature::sha256_hex(payload);
    let query = if is_get { request.query } else { "" };
    let mut matches = false;
    for host in hosts(request) {
        let Some(sent) = signed_values(authorization, host, request) else { return false };
        let lower = sent.iter().map(|(name, value)| (name.clone(), value.to_ascii_lowercase()));
        let mut ways = vec![lower.collect(), sent];
        ways.dedup();
        for headers in ways {
            let canonical = signature::canonical_request(
                request.method,
                query,
                &headers,
                signed_headers,
                &payload_hash,
            );
            let text = signature::string_to_sign(timestamp, date, service, &canonical);
            matches |= is_same(&signature::tc3(secret, date, service, &text), signature);
        }
    }
    matches
}

/// Each signed header and its trimmed value, `host` standing for the one sent; nothing when one of
/// them was not sent.
fn signed_values(
    authorization: &Authorization,
    host: &str,
    request: &Request<'_>,
) -> Option<Vec<(String, Vec<u8>)>> {
    let value = |name: &str| match name {
        "host" => Some(host.as_bytes()),
        _ => request.header(name),
    };
    let names = authorization.header_names();
    names.map(|name| Some((name.to_owned(), value(name)?.trim_ascii().to_vec()))).collect()
}

fn v1_matches(signature: &str, hash: V1Hash, secret: &str, request: &Request<'_>) -> Result<bool> {
    let mut pairs = v1_pairs(request)?;
    pairs.retain(|(name, _)| name != "Signature");
    let dotted: Vec<(String, String)> =
        pairs.iter().map(|(name, value)| (name.replace('_', "."), value.clone())).collect();
    let mut ways = vec![pairs, dotted];
    ways.dedup();
    let mut matches = false;
    for host in hosts(request) {
        for pairs in &ways {
            let text = signature::v1_string(request.method, host, request.path, pairs);
            matches |= is_same(&signature::v1(secret, hash, &text), signature);
        }
    }
    Ok(matches)
}
