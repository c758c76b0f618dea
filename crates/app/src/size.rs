//! Numbers for people: sizes, counts, durations, rates.

use std::time::Duration;

/// `1.25 GB`: decimal units, as disks and dump tools use them.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{count} B"),
        _ if value < 9.995 => format!("{value:.2} {}", UNITS[unit]),
        _ if value < 99.95 => format!("{value:.1} {}", UNITS[unit]),
        _ => format!("{value:.0} {}", UNITS[unit]),
    }
}

/// `50M`, `1.5G`, `64KiB`, `800000`: a count of bytes as people write it, at least 1; also `50MB/s`.
pub fn parse(text: &str) -> Result<u64, String> {
    let wrong = || format!("{text} is no number of bytes: such as 800000, 50M, 1.5G or 64MiB");
    let word = text.trim().trim_end_matches("/s");
    let at = word.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(word.len());
    let number: f64 = word[..at].parse().map_err(|_| wrong())?;
    let unit = word[at..].trim().to_ascii_lowercase();
    let factor: u64 = match unit.trim_end_matches('b') {
        "" => 1,
        "k" => 1000,
        "m" => 1_000_000,
        "g" => 1_000_000_000,
        "t" => 1_000_000_000_000,
        "ki" => 1 << 10,
        "mi" => 1 << 20,
        "gi" => 1 << 30,
        "ti" => 1 << 40,
        _ => return Err(wrong()),
    };
    let bytes = number * factor as f64;
    if bytes >= 1.0 && bytes <= i64::MAX as f64 { Ok(bytes as u64) } else { Err(wrong()) }
}

/// `6,001,215`
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    let whole = seconds.round() as u64;
    match whole {
        0..=9 => format!("{seconds:.1} s"),
        10..=119 => format!("{whole} s"),
        120..=7199 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_read_as_people_write_them() {
        for (text, expected) in [
            ("800000", Some(800_000)),
            ("50M", Some(50_000_000)),
            ("1.5g", Some(1_500_000_000)),
            ("64KiB", Some(65_536)),
            ("50MB/s", Some(50_000_000)),
            ("2 kB", Some(2_000)),
            ("0", None),
            ("-1", None),
            ("M", None),
            ("1X", None),
            ("1.2.3", None),
            ("99999999999T", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text}");
        }
    }
}
