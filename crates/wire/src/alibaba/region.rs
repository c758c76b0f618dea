//! Regions, and the languages that they are named in.
//!
//! Which regions there are is the caller's matter.

use super::element::{Element, text};

/// Bytes of a region's name.
const NAME_MAX: usize = 64;

/// A region and one of its zones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// `cn-hangzhou`
    pub id: String,
    /// `cn-hangzhou-b`
    pub zone: String,
    /// For people, in the language asked for.
    pub name: String,
    /// For people, in the language asked for.
    pub zone_name: String,
    /// The host name that its requests go to.
    pub endpoint: String,
}

impl Region {
    /// The fields in the SDKs' order.
    pub(super) fn element(&self) -> Element {
        Element::Fields(vec![
            ("LocalName", text(&self.name)),
            ("RegionEndpoint", text(&self.endpoint)),
            ("RegionId", text(&self.id)),
            ("ZoneId", text(&self.zone)),
            ("ZoneName", text(&self.zone_name)),
        ])
    }
}

/// The language that regions and zones are named in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `zh-CN`
    Chinese,
    /// `en-US`, the default.
    English,
}

impl Language {
    /// The language of this name, in any case.
    pub fn named(word: &str) -> Option<Self> {
        match word {
            word if word.eq_ignore_ascii_case("zh-CN") => Some(Self::Chinese),
            word if word.eq_ignore_ascii_case("en-US") => Some(Self::English),
            _ => None,
        }
    }
}

/// Whether a text can be the name of a region.
pub(super) fn is_name(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= NAME_MAX && text.bytes().all(is_plain)
}
