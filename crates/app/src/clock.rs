//! The one place that reads the wall clock and the random generator of the service.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Tells the time, and how long the service runs.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// The service starts now.
    pub fn start() -> Clock {
        Clock { started: Instant::now() }
    }

    /// Milliseconds since 1970 (UTC); 0 on a clock that stands before.
    pub fn now_ms(self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
    }

    /// Seconds since 1970 (UTC).
    pub fn now_secs(self) -> i64 {
        self.now_ms() / 1000
    }

    /// How long the service runs; never goes back.
    pub fn uptime(self) -> Duration {
        self.started.elapsed()
    }
}

/// 32 lower-case hexadecimal digits from the system's generator.
///
/// # Panics
///
/// If the system has no random numbers: nothing is safe then.
pub fn random_hex() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has random numbers");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A random UUID (version 4).
pub fn random_uuid() -> String {
    let hex = random_hex();
    let variant = ['8', '9', 'a', 'b'][usize::from(hex.as_bytes()[16] % 4)];
    format!(
        "{}-{}-4{}-{variant}{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..]
    )
}

#[test]
fn uuids_have_their_form() {
    let uuid = random_uuid();
    let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
    assert_eq!(uuid.as_bytes()[14], b'4');
    assert!(matches!(uuid.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
}
