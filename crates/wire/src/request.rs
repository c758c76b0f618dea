//! An HTTP request as the dialects see it: the bytes as received, nothing decoded.
//!
//! Signatures cover raw bytes, so nothing here is normalised. No limits are checked here: each
//! dialect has its own.

use std::fmt;

/// A received HTTP request.
///
/// Its `Debug` shows sizes only: queries and bodies hold passwords, headers hold signatures.
#[derive(Clone, PartialEq, Eq)]
pub struct Request<'a> {
    /// `GET`, `POST`, …, in the case received.
    pub method: &'a str,
    /// From `/` to before the `?`, not decoded.
    pub path: &'a str,
    /// What followed the `?`, not decoded; empty without one.
    pub query: &'a str,
    /// Names in any case, values as received. Over HTTP/2 the caller adds `host` from `:authority`.
    pub headers: Vec<(&'a str, &'a [u8])>,
    /// The body, whole.
    pub body: &'a [u8],
}

impl<'a> Request<'a> {
    /// The values of a header; `name` in any case.
    pub fn headers_named(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        let named = self.headers.iter().filter(move |(own, _)| own.eq_ignore_ascii_case(name));
        named.map(|(_, value)| *value)
    }

    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&'a [u8]> {
        self.headers_named(name).next()
    }

    /// The first value of a header, if that is UTF-8.
    pub fn header_text(&self, name: &str) -> Option<&'a str> {
        std::str::from_utf8(self.header(name)?).ok()
    }

    /// `Content-Type` without its parameters, in lower case; empty when there is none.
    pub fn media_type(&self) -> String {
        let whole = self.header_text("content-type").unwrap_or_default();
        whole.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("query_bytes", &self.query.len())
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

#[test]
fn header_names_are_found_in_any_case() {
    let headers = vec![("X-Tc-Action", b"A".as_slice()), ("x-tc-action", b"B")];
    let request = Request { method: "GET", path: "/", query: "", headers, body: b"" };
    assert_eq!(request.header_text("X-TC-ACTION"), Some("A"));
    assert_eq!(request.headers_named("x-tc-action").count(), 2);
    assert_eq!(request.header("host"), None);
}

#[test]
fn debug_shows_no_content() {
    let headers = vec![("Authorization", b"seal".as_slice())];
    let request =
        Request { method: "POST", path: "/", query: "Password=seal", headers, body: b"seal" };
    assert!(!format!("{request:?}").contains("seal"));
}
