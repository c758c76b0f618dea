//! How often each key may ask for each action.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use wire::rate::RateLimit;

/// Buckets that are kept; beyond that full ones are forgotten.
const BUCKETS_MAX: usize = 10_000;

/// The buckets of all keys and actions.
#[derive(Default)]
pub struct Rates {
    buckets: Mutex<HashMap<(String, &'static str), RateLimit>>,
}

impl Rates {
    /// Takes one request of a key for an action, and gives how many are left; nothing if it comes
    /// too soon.
    pub fn take(
        &self,
        key_id: &str,
        action: &'static str,
        per_second: u32,
        now: Duration,
    ) -> Option<u32> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX {
            buckets.retain(|_, bucket| !bucket.is_full(now));
        }
        let bucket = buckets.entry((key_id.to_owned(), action));
        let bucket = bucket.or_insert_with(|| RateLimit::new(per_second, now));
        bucket.take(now).then(|| bucket.left())
    }
}
