//! Places where a test lets the process die, as a kill would.
//!
//! Only builds with debug assertions have them. `DBFERRY_FAILPOINT=name:count` aborts the process
//! when it passes the place of that name for the `count`th time. Nothing else reads the variable.

#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(debug_assertions)]
struct Armed {
    name: String,
    left: AtomicU64,
}

#[cfg(debug_assertions)]
static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// A place.
#[cfg(debug_assertions)]
pub fn pass(name: &str) {
    let Some(armed) = ARMED.get_or_init(arm) else { return };
    if armed.name == name && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        std::process::abort();
    }
}

/// A place, in a build without debug assertions: nothing.
#[cfg(not(debug_assertions))]
pub fn pass(_name: &str) {}

#[cfg(debug_assertions)]
fn arm() -> Option<Armed> {
    let value = std::env::var("DBFERRY_FAILPOINT").ok()?;
    let (name, count) = value.split_once(':')?;
    Some(Armed { name: name.to_owned(), left: AtomicU64::new(count.parse().ok()?) })
}
