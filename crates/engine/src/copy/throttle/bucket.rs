//! How many bytes a second: a bucket as a value.
//!
//! Pure: the time is passed in. Bytes may go once those before them have had their time, so a batch
//! that is larger than a second's worth passes too, and who comes after it waits the longer.

use std::time::Duration;

/// For so long a copy that was slower may be faster afterwards.
pub const CATCH_UP: Duration = Duration::from_secs(1);

/// A bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    per_second: u64,
    free_at: Duration,
}

impl Bucket {
    /// For so many bytes a second, at least one; the clock begins at 0.
    pub fn new(per_second: u64) -> Bucket {
        Bucket { per_second: per_second.max(1), free_at: Duration::ZERO }
    }

    /// Takes bytes; how long to wait until they may go. A `now` before an earlier one is no harm.
    pub fn take(&mut self, bytes: u64, now: Duration) -> Duration {
        let from = self.free_at.max(now.saturating_sub(CATCH_UP));
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.per_second);
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.free_at = from.saturating_add(takes);
        from.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(per_second: u64, taken: &[(u64, u64)], waits_ms: &[u64]) {
        let mut bucket = Bucket::new(per_second);
        let waits = taken.iter().map(|(bytes, at_ms)| {
            bucket.take(*bytes, Duration::from_millis(*at_ms)).as_millis() as u64
        });
        assert_eq!(waits.collect::<Vec<_>>(), waits_ms, "{per_second} a second: {taken:?}");
    }

    #[test]
    fn each_waits_for_the_time_of_those_before_it() {
        check(1000, &[(500, 0), (500, 0), (500, 0)], &[0, 500, 1000]);
        check(1000, &[(5000, 0), (1, 0), (1, 5001)], &[0, 5000, 0]);
        check(1000, &[(0, 0), (0, 0)], &[0, 0]);
        check(0, &[(2, 0), (1, 0)], &[0, 2000]);
    }

    #[test]
    fn one_second_is_caught_up_and_no_more() {
        // After ten idle seconds: what one second's worth leaves free, then the rate.
        check(1000, &[(1000, 10_000), (1000, 10_000), (1, 10_000)], &[0, 0, 1000]);
    }

    proptest! {
        /// What goes within any time is what the rate gives for it and for one second more, and
        /// one batch.
        #[test]
        fn the_rate_holds(
            per_second in 1u64..1_000_000,
            batches in prop::collection::vec((1u64..2_000_000, 0u64..3_000), 1..60),
        ) {
            let mut bucket = Bucket::new(per_second);
            let (mut now, mut gone, mut largest) = (Duration::ZERO, 0u128, 0u128);
            for (bytes, pause_ms) in batches {
                now += Duration::from_millis(pause_ms);
                // Whoever waits comes back only afterwards.
                now += bucket.take(bytes, now);
                gone += u128::from(bytes);
                largest = largest.max(u128::from(bytes));
                let time = (now + CATCH_UP).as_nanos();
                prop_assert!(gone <= time * u128::from(per_second) / 1_000_000_000 + largest + 100);
            }
        }
    }
}
