//! The id of an asynchronous task: four groups of eight hex digits.
//!
//! One number behind two spellings; it says nothing about what the task is.

use std::fmt;

/// `be9f64a6-fa652dc6-f5c878b6-a6a50746`, called `AsyncRequestId` by the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(u128);

impl JobId {
    /// The id of this number.
    pub fn new(number: u128) -> Self {
        Self(number)
    }

    /// Reads the API's spelling: lower case, groups of eight.
    pub fn parse(text: &str) -> Option<Self> {
        let is_grouped = text.len() == 35
            && text.bytes().enumerate().all(|(at, byte)| (byte == b'-') == (at % 9 == 8));
        if is_grouped { Self::from_hex(&text.replace('-', "")) } else { None }
    }

    /// Reads 32 lower-case hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let is_hex =
            text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_hex { u128::from_str_radix(text, 16).ok().map(Self) } else { None }
    }

    /// 32 lower-case hex digits.
    pub fn hex(self) -> String {
        format!("{:032x}", self.0)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = self.hex();
        write!(f, "{}-{}-{}-{}", &hex[..8], &hex[8..16], &hex[16..24], &hex[24..])
    }
}

#[test]
fn both_spellings_mean_the_same() {
    let grouped = "be9f64a6-fa652dc6-f5c878b6-a6a50746";
    let id = JobId::parse(grouped).unwrap();
    assert_eq!(id.to_string(), grouped);
    assert_eq!(id.hex(), "be9f64a6fa652dc6f5c878b6a6a50746");
    assert_eq!(JobId::from_hex(&id.hex()), Some(id));
    assert_eq!(JobId::new(1).to_string(), "00000000-00000000-00000000-00000001");
}

#[test]
fn other_spellings_are_refused() {
    for text in [
        "",
        "be9f64a6fa652dc6f5c878b6a6a50746",
        "BE9F64A6-FA652DC6-F5C878B6-A6A50746",
        "be9f64a6-fa652dc6-f5c878b6-a6a5074",
        "be9f64a6-fa652dc6-f5c878b6-a6a50746-",
        "be9f64a-6fa652dc6-f5c878b6-a6a507461",
        "be9f64a6-fa652dc6-f5c878b6-a6a5074g",
        "中中中中中中中中中中中中",
    ] {
        assert_eq!(JobId::parse(text), None, "{text}");
    }
}
