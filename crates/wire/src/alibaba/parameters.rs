//! The parameters of a request, whichever way they were sent, as one list of texts.
//!
//! Promises: only bytes that the signature covers are read; nothing is named twice, in the query
//! and in the body neither; number and size are bounded. Names that nobody asks for are passed
//! over, as the cloud does: SDKs add `RegionId` or `ResourceOwnerId` everywhere.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use super::error::{Error, Result};
use super::time;
use crate::form;
use crate::request::Request;

/// Parameters of one request.
pub const PARAMETERS_MAX: usize = 1000;
/// Bytes of a number or a time.
const NUMBER_MAX: usize = 20;

/// What a request says.
///
/// No `Debug`: a value may be a secret.
pub struct Parameters(BTreeMap<String, String>);

impl Parameters {
    /// Reads query and form body; ACS3 requests have action and version in headers.
    ///
    /// A body of another type is not covered by a signature of version 1.0, and is passed over
    /// there; ACS3 covers it, so that one is refused.
    ///
    /// # Errors
    ///
    /// `InvalidParameter`: a malformed form, a name twice, more than [`PARAMETERS_MAX`], a body of
    /// another type.
    pub fn read(request: &Request<'_>) -> Result<Self> {
        let is_acs3 = request.header("authorization").is_some();
        if is_acs3 && !is_form(request) && !request.body.is_empty() {
            return Err(Error::invalid("Content-Type"));
        }
        let mut values: BTreeMap<String, String> = pairs(request)?.into_iter().collect();
        if is_acs3 {
            for (name, header) in [("Action", "x-acs-action"), ("Version", "x-acs-version")] {
                let value = request.header_text(header).ok_or_else(|| Error::invalid(header))?;
                values.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(Self(values))
    }

    /// A text of at most `bytes_max`; an empty one counts as absent.
    pub(super) fn text(&self, name: &'static str, bytes_max: usize) -> Result<Option<&str>> {
        match self.0.get(name).map(String::as_str) {
            None | Some("") => Ok(None),
            Some(text) if text.len() <= bytes_max => Ok(Some(text)),
            Some(_) => Err(Error::invalid(name)),
        }
    }

    /// The same where it has to be there.
    pub(super) fn required(&self, name: &'static str, bytes_max: usize) -> Result<&str> {
        self.text(name, bytes_max)?.ok_or_else(|| Error::missing(name))
    }

    /// A whole number in decimal digits.
    pub(super) fn integer(
        &self,
        name: &'static str,
        range: RangeInclusive<u64>,
    ) -> Result<Option<u64>> {
        let Some(text) = self.text(name, NUMBER_MAX)? else { return Ok(None) };
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if is_number { text.parse().ok() } else { None };
        let number = number.filter(|number| range.contains(number));
        number.map(Some).ok_or_else(|| Error::invalid(name))
    }

    /// A time with or without seconds, in Unix seconds.
    pub(super) fn time(&self, name: &'static str) -> Result<Option<i64>> {
        let Some(text) = self.text(name, NUMBER_MAX)? else { return Ok(None) };
        time::parse_range_end(text).map(Some).ok_or_else(|| Error::invalid(name))
    }
}

/// The decoded pairs of query and form body, no name twice: which of two was meant must not depend
/// on the reader.
///
/// # Errors
///
/// `InvalidParameter`.
pub(super) fn pairs(request: &Request<'_>) -> Result<Vec<(String, String)>> {
    let mut pairs = form::pairs(request.query.as_bytes(), PARAMETERS_MAX).map_err(refused)?;
    if is_form(request) {
        let left = PARAMETERS_MAX - pairs.len();
        pairs.extend(form::pairs(request.body, left).map_err(refused)?);
    }
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    match names.windows(2).find(|two| two[0] == two[1]) {
        Some(two) => Err(Error::invalid(two[0])),
        None => Ok(pairs),
    }
}

/// The first value of this name in query or form body, of any request.
pub(super) fn first(request: &Request<'_>, name: &str) -> Option<String> {
    let body = if is_form(request) { request.body } else { b"" };
    let found =
        [request.query.as_bytes(), body].into_iter().find(|text| form::names(text, name))?;
    let pairs = form::pairs(found, PARAMETERS_MAX).ok()?;
    pairs.into_iter().find(|(own, _)| own == name).map(|(_, value)| value)
}

fn is_form(request: &Request<'_>) -> bool {
    request.media_type() == "application/x-www-form-urlencoded"
}

fn refused(fault: form::Fault) -> Error {
    let message = match fault {
        form::Fault::NoEquals => "A parameter has no \"=\".".to_owned(),
        form::Fault::NotUtf8 => "The parameters are not encoded in UTF-8.".to_owned(),
        form::Fault::TooMany => format!("The request has more than {PARAMETERS_MAX} parameters."),
    };
    Error::said(super::code::Code::InvalidParameter, message)
}
