//! The two languages of messages.
//!
//! Codes are the same in both; clients must not rely on messages, says the API's document.

use crate::form;
use crate::request::Request;
use crate::tencent::parameters::PARAMETERS_MAX;

/// The language that messages are told in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `zh-CN`, the default of the cloud.
    Chinese,
    /// `en-US`.
    English,
}

impl Language {
    /// The language a request asks for, by `X-TC-Language` or the parameter `Language`.
    ///
    /// Works on any request, so that also a malformed one is refused in its language. What is not
    /// `en-US` is Chinese.
    pub fn of(request: &Request<'_>) -> Self {
        if let Some(word) = request.header_text("x-tc-language") {
            return Self::named(word);
        }
        let text = match request.method {
            "GET" => request.query.as_bytes(),
            _ => request.body,
        };
        if !form::names(text, "Language") {
            return Self::Chinese;
        }
        let pairs = form::pairs(text, PARAMETERS_MAX).unwrap_or_default();
        let word = pairs.iter().find(|(name, _)| name == "Language");
        word.map_or(Self::Chinese, |(_, word)| Self::named(word))
    }

    /// The language of this name.
    pub fn named(word: &str) -> Self {
        match word.trim().eq_ignore_ascii_case("en-US") {
            true => Self::English,
            false => Self::Chinese,
        }
    }
}
