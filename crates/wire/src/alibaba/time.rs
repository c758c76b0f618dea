//! Times as the API writes them: `2011-05-30T12:11:04Z`, in some fields without the seconds.
//!
//! Always UTC. Unix seconds on our side.

use crate::civil::Civil;

/// Bytes of a time with seconds.
const WITH_SECONDS: usize = "2011-05-30T12:11:04Z".len();
/// Bytes of a time without.
const WITH_MINUTES: usize = "2011-05-30T12:11Z".len();

/// A Unix time in the API's form, to the second.
pub fn render(unix_seconds: i64) -> String {
    let Civil { year, month, day, hour, minute, second } = Civil::from_seconds(unix_seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// A Unix time to the minute, as lists of tasks have it.
pub fn render_minutes(unix_seconds: i64) -> String {
    let Civil { year, month, day, hour, minute, .. } = Civil::from_seconds(unix_seconds);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}Z")
}

/// The Unix time of a text with seconds, which signatures have; nothing for any other text.
pub fn parse(text: &str) -> Option<i64> {
    if text.len() == WITH_SECONDS { read(text.as_bytes()) } else { None }
}

/// The Unix time of a text with or without seconds, as ranges of time may be given; nothing for
/// any other text.
pub fn parse_range_end(text: &str) -> Option<i64> {
    if text.len() == WITH_MINUTES { read(text.as_bytes()) } else { parse(text) }
}

fn read(bytes: &[u8]) -> Option<i64> {
    let has_seconds = bytes.len() == WITH_SECONDS;
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (bytes.len() - 1, b'Z')];
    let is_marked = marks.iter().all(|(at, mark)| bytes[*at] == *mark);
    if !is_marked || (has_seconds && bytes[16] != b':') {
        return None;
    }
    let number = |from: usize, to: usize| {
        let digits = &bytes[from..to];
        let value = |digits: &[u8]| digits.iter().fold(0, |n, d| n * 10 + i64::from(d - b'0'));
        digits.iter().all(u8::is_ascii_digit).then(|| value(digits))
    };
    let civil = Civil {
        year: number(0, 4)?,
        month: number(5, 7)?,
        day: number(8, 10)?,
        hour: number(11, 13)?,
        minute: number(14, 16)?,
        second: if has_seconds { number(17, 19)? } else { 0 },
    };
    civil.seconds()
}

#[test]
fn both_forms_are_written_and_read() {
    assert_eq!(render(1_306_757_464), "2011-05-30T12:11:04Z");
    assert_eq!(render_minutes(1_306_757_464), "2011-05-30T12:11Z");
    assert_eq!(parse("2011-05-30T12:11:04Z"), Some(1_306_757_464));
    assert_eq!(parse("2011-05-30T12:11Z"), None);
    assert_eq!(parse_range_end("2011-05-30T12:11:04Z"), Some(1_306_757_464));
    assert_eq!(parse_range_end("2011-05-30T12:11Z"), Some(1_306_757_460));
}

#[test]
fn other_texts_are_no_times() {
    for text in [
        "",
        "Z",
        "2011-05-30",
        "2011-05-30 12:11:04Z",
        "2011-05-30T12:11:04",
        "2011-05-30T12:11:04z",
        "2011-05-30T12:11:04+",
        "2011-05-30T12.11Z",
        "2011-05-30T12:11:60Z",
        "2011-02-29T12:11Z",
        "2011-05-30T24:00Z",
        "+011-05-30T12:11Z",
        "２011-05-30T12:1Z",
        "2011-05-30T12:11-4Z ",
    ] {
        assert_eq!(parse_range_end(text), None, "{text}");
    }
}
