//! The `Authorization` header of an ACS3 request, taken apart.
//!
//! Reads the form only; nothing is verified.

use super::code::Code;
use super::error::{Error, Result};
use super::signature::ACS3;

/// Bytes of the header; real ones have about 400.
const HEADER_MAX: usize = 4096;
/// Headers that one signature covers.
const SIGNED_HEADERS_MAX: usize = 64;
/// What a signature must cover, so that nothing that decides what a request means can be altered.
pub(super) const REQUIRED: [&str; 6] = [
    "host",
    "x-acs-action",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-signature-nonce",
    "x-acs-version",
];

/// `ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…`
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    /// The key's id.
    pub(super) key_id: String,
    /// As sent.
    pub(super) signed_headers: String,
    /// As sent.
    pub(super) signature: String,
}

impl Authorization {
    /// # Errors
    ///
    /// `IncompleteSignature`: any other form, or one of [`REQUIRED`] that is not signed.
    /// `InvalidSignatureMethod`: one of the other algorithms, or a method that is none.
    pub(super) fn parse(header: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(header).ok().filter(|text| text.len() <= HEADER_MAX);
        let text = text.ok_or_else(|| Error::new(Code::IncompleteSignature))?.trim();
        let (method, fields) = text.split_once(' ').unwrap_or((text, ""));
        if method != ACS3 {
            return Err(Error::new(Code::InvalidSignatureMethod));
        }
        parts(fields).ok_or_else(|| Error::new(Code::IncompleteSignature))
    }

    /// The names of the signed headers, in the order signed.
    pub(super) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.signed_headers.split(';')
    }
}

fn parts(fields: &str) -> Option<Authorization> {
    let [mut credential, mut signed_headers, mut signature] = [None; 3];
    for field in fields.split(',') {
        let (name, value) = field.trim().split_once('=')?;
        let slot = match name {
            "Credential" => &mut credential,
            "SignedHeaders" => &mut signed_headers,
            "Signature" => &mut signature,
            _ => return None,
        };
        if slot.replace(value).is_some() {
            return None;
        }
    }
    Some(Authorization {
        key_id: credential.filter(|key_id| !key_id.is_empty())?.to_owned(),
        signed_headers: signed_headers.filter(|names| is_header_list(names))?.to_owned(),
        signature: signature?.to_owned(),
    })
}

/// Lower-case names, each once, those of [`REQUIRED`] among them.
fn is_header_list(list: &str) -> bool {
    let mut names: Vec<&str> = list.split(';').collect();
    let count = names.len();
    let is_plain = |name: &str| {
        !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase() || b.is_ascii_whitespace())
    };
    let are_plain = names.iter().all(|name| is_plain(name));
    names.sort_unstable();
    names.dedup();
    let is_whole = REQUIRED.iter().all(|name| names.contains(name));
    count <= SIGNED_HEADERS_MAX && are_plain && names.len() == count && is_whole
}

#[cfg(test)]
#[track_caller]
fn check(fields: &str, expected: std::result::Result<&str, Code>) {
    let found = Authorization::parse(fields.as_bytes());
    let found = found.as_ref().map(|own| own.key_id.as_str()).map_err(Error::code);
    assert_eq!(found, expected, "{fields}");
}

#[test]
fn fields_come_in_any_order_and_once() {
    let names = REQUIRED.join(";");
    let whole = format!("{ACS3} Credential=K,SignedHeaders={names},Signature=00");
    let incomplete = Err(Code::IncompleteSignature);
    check(&whole, Ok("K"));
    check(&format!("{ACS3} Signature=0, SignedHeaders={names}, Credential=a/b"), Ok("a/b"));
    check(&format!("{whole},Signature=0"), incomplete);
    check(&format!("{whole},Extra=0"), incomplete);
    check(&whole.replace("=K", "="), incomplete);
    check(&whole.replace(",Signature=00", ""), incomplete);
    check(&whole.replace("host", "host;host"), incomplete);
    check(&whole.replace("host", "Host"), incomplete);
    check(&whole.replace("00", &"0".repeat(HEADER_MAX)), incomplete);
    for name in REQUIRED {
        check(&whole.replace(name, "accept"), incomplete);
    }
    let many: String = (0..SIGNED_HEADERS_MAX).map(|at| format!(";x-{at}")).collect();
    check(&whole.replace("x-acs-version", &format!("x-acs-version{many}")), incomplete);
}

#[test]
fn other_methods_are_named_so() {
    for text in ["ACS3-RSA-SHA256 Credential=K", "ACS3-HMAC-SM3 x", "Basic eDp5", "", "ACS3"] {
        check(text, Err(Code::InvalidSignatureMethod));
    }
    let not_utf8 = Authorization::parse(b"ACS3-HMAC-SHA256 \xff").err();
    assert_eq!(not_utf8.map(|error| error.code()), Some(Code::IncompleteSignature));
}
