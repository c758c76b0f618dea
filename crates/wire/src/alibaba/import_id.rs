//! The id of an import: a number that 32 bits with a sign hold.
//!
//! The API answers it as text where an import is made and as a number in lists, and SDKs read it
//! with their `int`; so it has no other spelling and no larger values.

use std::fmt;

/// `2122321`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ImportId(i32);

impl ImportId {
    /// The id of this number; nothing for numbers below 1 and above [`i32::MAX`].
    pub fn new(number: i64) -> Option<Self> {
        i32::try_from(number).ok().filter(|number| *number > 0).map(Self)
    }

    /// Reads decimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { Self::new(text.parse().ok()?) } else { None }
    }

    /// The number.
    pub fn number(self) -> i64 {
        i64::from(self.0)
    }
}

impl fmt::Display for ImportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
#[track_caller]
fn check(text: &str, expected: Option<i64>) {
    assert_eq!(ImportId::parse(text).map(ImportId::number), expected, "{text}");
}

#[test]
fn ids_fit_an_int_of_the_sdks() {
    check("2122321", Some(2_122_321));
    check("1", Some(1));
    check("2147483647", Some(2_147_483_647));
    check("2147483648", None);
    check("99999999999999999999", None);
    for text in ["", "0", "-1", "+1", "1.0", " 1", "0x1", "１", "None"] {
        check(text, None);
    }
    assert_eq!(ImportId::new(7).map(|id| id.to_string()).as_deref(), Some("7"));
    assert_eq!(ImportId::new(i64::MAX), None);
}
