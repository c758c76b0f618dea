//! `multipart/form-data` as the SDKs send it: one text part for each parameter.
//!
//! Files are refused: no action here takes one. Parts of other encodings are not decoded.

use super::code::Code;
use super::error::{Error, Result};
use super::parameters::not_utf8;
use crate::request::Request;

/// Characters of a boundary, by RFC 2046.
const BOUNDARY_MAX: usize = 70;

/// Names and values, in the order sent.
///
/// # Errors
///
/// `InvalidRequest`: any other form, a part with a file, more than `pairs_max` parts.
/// `InvalidParameter`: a name or a value that is not UTF-8.
pub(super) fn pairs(request: &Request<'_>, pairs_max: usize) -> Result<Vec<(String, String)>> {
    let malformed = || Error::new(Code::InvalidRequest);
    let content_type = request.header_text("content-type").unwrap_or_default();
    let boundary = boundary(content_type).ok_or_else(malformed)?;
    let delimiter = format!("--{boundary}");
    let separator = format!("\r\n--{boundary}");
    let mut rest = request.body.strip_prefix(delimiter.as_bytes()).ok_or_else(malformed)?;
    let mut found = Vec::new();
    while !rest.starts_with(b"--") {
        if found.len() == pairs_max {
            return Err(malformed());
        }
        let after_line = rest.strip_prefix(b"\r\n").ok_or_else(malformed)?;
        let end = position(after_line, separator.as_bytes()).ok_or_else(malformed)?;
        found.push(part(&after_line[..end])?);
        rest = &after_line[end + separator.len()..];
    }
    Ok(found)
}

fn boundary(content_type: &str) -> Option<&str> {
    let parameters = content_type.split(';').skip(1);
    let mut named = parameters.filter_map(|parameter| parameter.trim().split_once('='));
    let (_, value) = named.find(|(name, _)| name.eq_ignore_ascii_case("boundary"))?;
    let value = value.trim_matches('"');
    (!value.is_empty() && value.len() <= BOUNDARY_MAX).then_some(value)
}

fn part(bytes: &[u8]) -> Result<(String, String)> {
    let malformed = || Error::new(Code::InvalidRequest);
    let blank = position(bytes, b"\r\n\r\n").ok_or_else(malformed)?;
    let head = std::str::from_utf8(&bytes[..blank]).map_err(|_| not_utf8())?;
    let value = std::str::from_utf8(&bytes[blank + 4..]).map_err(|_| not_utf8())?;
    let mut disposition = None;
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(':').ok_or_else(malformed)?;
        if name.eq_ignore_ascii_case("content-disposition") {
            disposition = Some(value);
        }
    }
    let name = disposition.and_then(field_name).ok_or_else(malformed)?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The name in `form-data; name="InstanceId"`; nothing for a file.
fn field_name(disposition: &str) -> Option<&str> {
    let rest = disposition.trim().strip_prefix("form-data")?.trim_start().strip_prefix(';')?;
    let name = rest.trim().strip_prefix("name=\"")?.strip_suffix('"')?;
    (!name.is_empty() && !name.contains('"')).then_some(name)
}

fn position(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
#[track_caller]
fn check(body: &str, expected: std::result::Result<&[(&str, &str)], Code>) {
    let headers = vec![("content-type", b"multipart/form-data; boundary=b".as_slice())];
    let request = Request { method: "POST", path: "/", query: "", headers, body: body.as_bytes() };
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let expected = expected.map(|pairs| pairs.iter().map(own).collect::<Vec<_>>());
    assert_eq!(pairs(&request, 2).map_err(|error| error.code()), expected, "{body}");
}

#[test]
fn text_parts_are_read() {
    let one = "--b\r\nContent-Disposition: form-data; name=\"A\"\r\n\r\nx\r\ny\r\n";
    check(&format!("{one}--b--\r\n"), Ok(&[("A", "x\r\ny")]));
    check(&format!("{one}{one}--b--"), Ok(&[("A", "x\r\ny"), ("A", "x\r\ny")]));
    let typed = "--b\r\ncontent-type: text/plain\r\ncontent-disposition: form-data; name=\"A\"";
    check(&format!("{typed}\r\n\r\n\r\n--b--\r\n"), Ok(&[("A", "")]));
    check("--b--", Ok(&[]));
    check(&format!("{one}{one}{one}--b--"), Err(Code::InvalidRequest));
}

#[test]
fn other_bodies_are_refused() {
    let file = "--b\r\nContent-Disposition: form-data; name=\"A\"; filename=\"x\"\r\n\r\n\r\n--b--";
    for body in [
        "",
        "--",
        "--b",
        "--b\r\n",
        "--b\r\n\r\n",
        "--b\r\n\r\n\r\n--b--",
        "--b\r\nContent-Disposition: form-data; name=\"A\"\r\n\r\nx",
        "--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--",
        file,
    ] {
        check(body, Err(Code::InvalidRequest));
    }
}
