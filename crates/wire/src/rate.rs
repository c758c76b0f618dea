//! How many requests a second: a token bucket as a value.
//!
//! The time is passed in, from any clock that only goes forward. Who has which bucket is the
//! caller's matter, and so is forgetting the idle ones.

use std::time::Duration;

/// One token in the bucket's own unit: a nanosecond's share of a rate is then a whole number.
const TOKEN: u128 = 1_000_000_000;

/// A bucket that holds one second's worth of requests and fills at that rate.
///
/// A client may thus send a full second's worth at once; over any longer time the rate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    per_second: u32,
    filled: u128,
    at: Duration,
}

impl RateLimit {
    /// A full bucket for so many requests a second, first used at `now`.
    pub fn new(per_second: u32, now: Duration) -> Self {
        Self { per_second, filled: u128::from(per_second) * TOKEN, at: now }
    }

    /// Takes one request out; `false` when there is none left and the request must be refused.
    ///
    /// A `now` before an earlier one counts as that earlier one.
    pub fn take(&mut self, now: Duration) -> bool {
        let capacity = u128::from(self.per_second) * TOKEN;
        let passed = now.saturating_sub(self.at).as_nanos();
        let gained = passed.saturating_mul(u128::from(self.per_second));
        self.filled = self.filled.saturating_add(gained).min(capacity);
        self.at = self.at.max(now);
        let has_one = self.filled >= TOKEN;
        if has_one {
            self.filled -= TOKEN;
        }
        has_one
    }

    /// Whole requests that were in it when one was last taken out.
    pub fn left(&self) -> u32 {
        u32::try_from(self.filled / TOKEN).unwrap_or(self.per_second)
    }

    /// Whether the bucket is full at `now`: then it may be forgotten and made anew.
    pub fn is_full(&self, now: Duration) -> bool {
        let mut later = *self;
        let needs = u128::from(self.per_second) * TOKEN;
        let passed = now.saturating_sub(later.at).as_nanos();
        later.filled = later.filled.saturating_add(passed * u128::from(later.per_second));
        later.filled >= needs
    }
}

#[cfg(test)]
fn taken(limit: &mut RateLimit, milliseconds: u64, tries: usize) -> usize {
    let now = Duration::from_millis(milliseconds);
    (0..tries).filter(|_| limit.take(now)).count()
}

#[test]
fn a_second_holds_as_many_as_the_rate_says() {
    let mut limit = RateLimit::new(100, Duration::ZERO);
    assert_eq!((taken(&mut limit, 0, 40), limit.left()), (40, 60));
    assert_eq!((taken(&mut limit, 0, 110), limit.left()), (60, 0));
    assert_eq!(taken(&mut limit, 9, 1), 0);
    assert_eq!(taken(&mut limit, 10, 2), 1);
    assert_eq!(taken(&mut limit, 510, 100), 50);
    assert_eq!(taken(&mut limit, 9_000, 200), 100);
}

#[test]
fn a_clock_that_goes_back_gives_nothing() {
    let mut limit = RateLimit::new(1, Duration::from_secs(10));
    assert_eq!(taken(&mut limit, 10_000, 2), 1);
    assert_eq!(taken(&mut limit, 5_000, 2), 0);
    assert_eq!(taken(&mut limit, 10_500, 2), 0);
    assert_eq!(taken(&mut limit, 11_000, 2), 1);
}

#[test]
fn a_bucket_is_full_again_after_a_second_of_rest() {
    let mut limit = RateLimit::new(20, Duration::ZERO);
    assert!(limit.is_full(Duration::ZERO));
    assert_eq!(taken(&mut limit, 0, 20), 20);
    assert!(!limit.is_full(Duration::from_millis(999)));
    assert!(limit.is_full(Duration::from_secs(1)));
    assert!(limit.is_full(Duration::MAX));
}

#[test]
fn a_rate_of_nothing_gives_nothing() {
    let mut limit = RateLimit::new(0, Duration::ZERO);
    assert_eq!(taken(&mut limit, 1_000_000, 3), 0);
}
