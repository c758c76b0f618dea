//! Places where a test lets the process die, as a kill would, or stand still, as a machine that sleeps.
//!
//! Only builds with debug assertions have them. `DBFERRY_FAILPOINT=name:count` aborts the process
//! when it passes the place of that name for the `count`th time; with `name:count:stop` it is suspended
//! there until somebody sends SIGCONT. Nothing else reads the variable.

#[cfg(debug_assertions)]
use std::sync::OnceLock;
#[cfg(debug_assertions)]
use std::sync::atomic::{AtomicU64, Ordering};

#[cfg(debug_assertions)]
struct Armed {
    name: String,
    left: AtomicU64,
    stops: bool,
}

#[cfg(debug_assertions)]
static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// A place.
#[cfg(debug_assertions)]
pub fn pass(name: &str) {
    let Some(armed) = ARMED.get_or_init(arm) else { return };
    if armed.name == name && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
        match armed.stops {
            true => stand_still(),
            false => std::process::abort(),
        }
    }
}

/// Suspends the process: all of its threads, until it is continued.
///
/// The signal goes to this thread: sent to the process, Linux may give it to another one, and this
/// one would be past the place before that one is awake.
#[cfg(debug_assertions)]
fn stand_still() {
    let own = std::fs::read_link("/proc/thread-self").unwrap_or_default();
    let Some(thread) = own.file_name() else { return };
    // Whether it worked is for the test to see.
    let _ = std::process::Command::new("kill").arg("-STOP").arg(thread).status();
}

/// A place, in a build without debug assertions: nothing.
#[cfg(not(debug_assertions))]
pub fn pass(_name: &str) {}

#[cfg(debug_assertions)]
fn arm() -> Option<Armed> {
    let value = std::env::var("DBFERRY_FAILPOINT").ok()?;
    let (place, stops) = match value.strip_suffix(":stop") {
        Some(place) => (place, true),
        None => (value.as_str(), false),
    };
    let (name, count) = place.split_once(':')?;
    Some(Armed { name: name.to_owned(), left: AtomicU64::new(count.parse().ok()?), stops })
}
