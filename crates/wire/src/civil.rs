//! Dates and times of day without time zones, from and to seconds.
//!
//! Proleptic Gregorian calendar, no leap seconds, as Unix time has it. It knows no zone and no
//! clock: a dialect adds its own offset.

/// Seconds of a day.
pub const DAY: i64 = 86_400;
/// The last second of the year 9999: later ones do not fit four digits.
pub const LAST: i64 = 253_402_300_799;

/// A point in civil time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Civil {
    /// 1970 to 9999.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
    /// 0 to 23.
    pub hour: i64,
    /// 0 to 59.
    pub minute: i64,
    /// 0 to 59.
    pub second: i64,
}

impl Civil {
    /// The civil time so many seconds after 1970-01-01 00:00:00, kept between 1970 and 9999.
    pub fn from_seconds(seconds: i64) -> Self {
        let seconds = seconds.clamp(0, LAST);
        let (year, month, day) = date(seconds / DAY);
        let of_day = seconds % DAY;
        let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
        Self { year, month, day, hour, minute, second }
    }

    /// Seconds after 1970-01-01 00:00:00; nothing for a date that is not in the calendar.
    pub fn seconds(&self) -> Option<i64> {
        let is_date = (1970..=9999).contains(&self.year)
            && (1..=12).contains(&self.month)
            && (1..=month_days(self.year, self.month)).contains(&self.day);
        let is_time = (0..24).contains(&self.hour)
            && (0..60).contains(&self.minute)
            && (0..60).contains(&self.second);
        let of_day = self.hour * 3600 + self.minute * 60 + self.second;
        (is_date && is_time).then(|| days(self.year, self.month, self.day) * DAY + of_day)
    }
}

/// `YYYY-MM-DD` of a Unix time in UTC.
pub fn utc_date(unix_seconds: i64) -> String {
    let Civil { year, month, day, .. } = Civil::from_seconds(unix_seconds);
    format!("{year:04}-{month:02}-{day:02}")
}

/// Days from 1970-01-01. Years are counted from March, so that a leap day ends one.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719_468
}

/// The date so many days after 1970-01-01.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
#[track_caller]
fn check(seconds: i64, date: (i64, i64, i64), time: (i64, i64, i64)) {
    let ((year, month, day), (hour, minute, second)) = (date, time);
    let civil = Civil { year, month, day, hour, minute, second };
    assert_eq!(Civil::from_seconds(seconds), civil);
    assert_eq!(civil.seconds(), Some(seconds));
}

#[test]
fn known_points_in_time() {
    check(0, (1970, 1, 1), (0, 0, 0));
    check(951_782_400, (2000, 2, 29), (0, 0, 0));
    check(1_234_567_890, (2009, 2, 13), (23, 31, 30));
    check(1_551_113_065, (2019, 2, 25), (16, 44, 25));
    check(1_709_251_199, (2024, 2, 29), (23, 59, 59));
    check(4_102_444_800, (2100, 1, 1), (0, 0, 0));
    check(4_107_542_400, (2100, 3, 1), (0, 0, 0));
    check(LAST, (9999, 12, 31), (23, 59, 59));
}

#[test]
fn every_day_follows_the_one_before() {
    for day in 0..=LAST / DAY {
        let civil = Civil::from_seconds(day * DAY);
        assert_eq!(civil.seconds(), Some(day * DAY), "{civil:?}");
    }
}

#[test]
fn what_is_not_in_the_calendar_is_refused() {
    let noon = Civil { year: 2023, month: 2, day: 28, hour: 12, minute: 0, second: 0 };
    assert!(noon.seconds().is_some());
    for bad in [
        Civil { day: 29, ..noon },
        Civil { day: 0, ..noon },
        Civil { month: 13, ..noon },
        Civil { year: 1969, ..noon },
        Civil { hour: 24, ..noon },
        Civil { second: 60, ..noon },
        Civil { year: 2100, day: 29, ..noon },
    ] {
        assert_eq!(bad.seconds(), None, "{bad:?}");
    }
    assert_eq!(utc_date(i64::MIN), "1970-01-01");
    assert_eq!(utc_date(i64::MAX), "9999-12-31");
}
