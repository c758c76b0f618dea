//! A text that is never shown.
//!
//! It does not wipe its memory: the request it came from is not wiped either.

use std::fmt;

/// A password or a key; its `Debug` shows neither content nor length.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` from being shown.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one place that uses it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[test]
fn debug_shows_nothing() {
    assert_eq!(format!("{:?}", Secret::new("open sesame")), "Secret(…)");
    assert_eq!(Secret::new("open sesame").reveal(), "open sesame");
}
