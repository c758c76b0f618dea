//! Times as the API writes them: `2017-11-09 14:26:31`.
//!
//! The document names no zone; the console shows UTC+8, the one civil time of China, and so do we,
//! in both directions. Unix seconds on our side.

use crate::civil::Civil;

/// Seconds that the zone is ahead of UTC.
const AHEAD: i64 = 8 * 3600;

/// Stands where a time has not come yet: the API writes it for instances that never end.
pub const NEVER: &str = "0000-00-00 00:00:00";

/// A Unix time in the API's form.
pub fn render(unix_seconds: i64) -> String {
    let Civil { year, month, day, hour, minute, second } =
        Civil::from_seconds(unix_seconds.saturating_add(AHEAD));
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

/// The Unix time of a text in the API's form; nothing for any other text.
pub fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b' '), (13, b':'), (16, b':')];
    if bytes.len() != 19 || marks.iter().any(|(at, mark)| bytes[*at] != *mark) {
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
        second: number(17, 19)?,
    };
    Some(civil.seconds()? - AHEAD)
}

#[test]
fn times_are_those_of_china() {
    assert_eq!(render(0), "1970-01-01 08:00:00");
    assert_eq!(render(1_551_113_065), "2019-02-26 00:44:25");
    assert_eq!(parse("2019-02-26 00:44:25"), Some(1_551_113_065));
    assert_eq!(parse("2017-11-09 14:26:31").map(render).as_deref(), Some("2017-11-09 14:26:31"));
}

#[test]
fn other_texts_are_no_times() {
    for text in [
        "",
        "2017-11-09",
        "2017-11-09T14:26:31",
        "2017-11-09 14:26:31Z",
        "2017-11-31 14:26:31",
        "2017-13-09 14:26:31",
        "2017-11-09 24:00:00",
        "+017-11-09 14:26:31",
        "2017-11-09 14:26:-1",
        "２017-11-09 14:26",
        NEVER,
    ] {
        assert_eq!(parse(text), None, "{text}");
    }
}
