//! The `Authorization` header of a TC3 request, taken apart.
//!
//! Reads the form only; nothing is verified.

use super::code::Code;
use super::error::{Error, Result};
use super::signature::TC3;

/// Bytes of the header; real ones have about 220.
const HEADER_MAX: usize = 4096;
/// Headers that one signature covers.
const SIGNED_HEADERS_MAX: usize = 64;
/// What ends the credential scope.
const TERMINATOR: &str = "/tc3_request";

/// `TC3-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Authorization {
    /// The secret's id.
    pub(super) key_id: String,
    /// `YYYY-MM-DD`.
    pub(super) date: String,
    /// `cdb`, or what some SDKs make of the endpoint's name: `127`, `localhost:8080`.
    pub(super) service: String,
    /// As sent.
    pub(super) signed_headers: String,
    /// As sent.
    pub(super) signature: String,
}

impl Authorization {
    pub(super) fn parse(header: &[u8]) -> Result<Self> {
        parts(header).ok_or_else(|| Error::new(Code::InvalidAuthorization))
    }

    /// The names of the signed headers, in the order signed.
    pub(super) fn header_names(&self) -> impl Iterator<Item = &str> {
        self.signed_headers.split(';')
    }
}

fn parts(header: &[u8]) -> Option<Authorization> {
    let text = std::str::from_utf8(header).ok().filter(|text| text.len() <= HEADER_MAX)?;
    let fields = text.trim().strip_prefix(TC3)?.strip_prefix(' ')?;
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
    // A service may hold any character, a slash too; the other parts cannot.
    let (key_id, scope) = credential?.split_once('/')?;
    let (date, rest) = scope.split_once('/')?;
    let service = rest.strip_suffix(TERMINATOR)?;
    let is_whole = ![key_id, date, service].iter().any(|part| part.is_empty());
    let own = str::to_owned;
    let signed_headers = signed_headers.filter(|names| is_header_list(names))?;
    is_whole.then(|| Authorization {
        key_id: own(key_id),
        date: own(date),
        service: own(service),
        signed_headers: own(signed_headers),
        signature: own(signature.unwrap_or_default()),
    })
}

/// Lower-case names, each once, `host` among them.
fn is_header_list(list: &str) -> bool {
    let mut names: Vec<&str> = list.split(';').collect();
    let count = names.len();
    let is_plain = |name: &str| {
        !name.is_empty() && !name.bytes().any(|b| b.is_ascii_uppercase() || b.is_ascii_whitespace())
    };
    let are_plain = names.iter().all(|name| is_plain(name));
    names.sort_unstable();
    names.dedup();
    count <= SIGNED_HEADERS_MAX && are_plain && names.len() == count && names.contains(&"host")
}

#[cfg(test)]
#[track_caller]
fn check(text: &str, expected: Option<(&str, &str, &str)>) {
    let found = Authorization::parse(text.as_bytes()).ok();
    let found = found.as_ref().map(|a| (a.key_id.as_str(), a.date.as_str(), a.service.as_str()));
    assert_eq!(found, expected, "{text}");
}

#[test]
fn the_service_is_what_stands_between() {
    let with = |scope: &str| {
        format!("{TC3} Credential={scope}, SignedHeaders=content-type;host, Signature=00")
    };
    check(&with("K/2026-11-21/cdb/tc3_request"), Some(("K", "2026-11-21", "cdb")));
    let odd = "localhost:18099";
    check(&with(&format!("K/2026-11-21/{odd}/tc3_request")), Some(("K", "2026-11-21", odd)));
    check(&with("K/2026-11-21/http://x/tc3_request"), Some(("K", "2026-11-21", "http://x")));
    check(&with("K/2026-11-21/tc3_request"), None);
    check(&with("K/2026-11-21/cdb/tc4_request"), None);
    check(&with("/2026-11-21/cdb/tc3_request"), None);
}

#[test]
fn fields_come_in_any_order_and_once() {
    let credential = "Credential=K/D/cdb/tc3_request";
    let expected = Some(("K", "D", "cdb"));
    check(&format!("{TC3} Signature=0,SignedHeaders=host,{credential}"), expected);
    check(&format!("{TC3} {credential}, SignedHeaders=host, Signature=0, Signature=0"), None);
    check(&format!("{TC3} {credential}, SignedHeaders=host, Signature=0, Extra=0"), None);
    check(&format!("{TC3} {credential}, SignedHeaders=content-type, Signature=0"), None);
    check(&format!("{TC3} {credential}, SignedHeaders=host;host, Signature=0"), None);
    check(&format!("{TC3} {credential}, SignedHeaders=Host;host, Signature=0"), None);
    check("SKIP", None);
    check("", None);
    let long = "x".repeat(HEADER_MAX);
    check(&format!("{TC3} {credential}, SignedHeaders=host, Signature={long}"), None);
}
