//! The two formats of answers.

use super::parameters;
use crate::request::Request;

/// The format that an answer goes out in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `JSON`
    Json,
    /// `XML`
    Xml,
}

impl Format {
    /// The format a request asks for by the parameter `Format`, in any case.
    ///
    /// Works on any request, so that also a malformed one is refused in its format. Without one,
    /// requests of the newer signature method are answered in JSON, which is all that their SDKs
    /// read, and others in XML, the API's default. A format that is none counts as none: an older
    /// call of the Python SDK sends `Format=None`.
    pub fn of(request: &Request<'_>) -> Self {
        let default = match request.header("authorization") {
            Some(_) => Self::Json,
            None => Self::Xml,
        };
        parameters::first(request, "Format").and_then(|word| Self::named(&word)).unwrap_or(default)
    }

    /// The format of this name.
    pub fn named(word: &str) -> Option<Self> {
        match word.trim() {
            word if word.eq_ignore_ascii_case("JSON") => Some(Self::Json),
            word if word.eq_ignore_ascii_case("XML") => Some(Self::Xml),
            _ => None,
        }
    }

    /// The whole header: newer SDKs read an error in XML only if it is exactly this, without a
    /// space.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json;charset=utf-8",
            Self::Xml => "text/xml;charset=utf-8",
        }
    }
}

#[cfg(test)]
#[track_caller]
fn check(query: &str, is_acs3: bool, body: &str, expected: Format) {
    let mut headers = vec![("content-type", b"application/x-www-form-urlencoded".as_slice())];
    if is_acs3 {
        headers.push(("Authorization", b"ACS3-HMAC-SHA256 x"));
    }
    let request = Request { method: "POST", path: "/", query, headers, body: body.as_bytes() };
    assert_eq!(Format::of(&request), expected, "{query} {body}");
}

#[test]
fn the_default_goes_by_the_signature() {
    for query in ["", "Format=None", "Format=", "Format=yaml", "Format", "%ff"] {
        check(query, false, "", Format::Xml);
        check(query, true, "", Format::Json);
    }
    for is_acs3 in [false, true] {
        check("a=1&Format=json", is_acs3, "", Format::Json);
        check("Format=XML", is_acs3, "", Format::Xml);
        check("", is_acs3, "Format=JSON&b=1", Format::Json);
        check("", is_acs3, "Format=xMl", Format::Xml);
    }
}
