//! A budget of bytes: how much work may be held in memory between its reading and its end.
//!
//! Promises: whoever takes waits until there is room, but a single piece larger than the whole
//! budget passes when nothing else is held. Dropping a [`Held`] gives its bytes back. Blocking: for
//! threads, not for tasks.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

/// A shared budget.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    bytes_max: u64,
    used: Mutex<Used>,
    given_back: Condvar,
}

#[derive(Debug, Default)]
struct Used {
    bytes: u64,
    /// Threads that wait for room: where there are none, nobody is woken, which would cost a call of the
    /// system for each piece of work.
    waiting: usize,
}

/// Bytes that are held.
#[derive(Debug)]
pub struct Held {
    shared: Arc<Shared>,
    bytes: u64,
}

impl Budget {
    /// A budget of `bytes_max` bytes.
    pub fn new(bytes_max: u64) -> Budget {
        let shared = Shared { bytes_max, used: Mutex::default(), given_back: Condvar::new() };
        Budget { shared: Arc::new(shared) }
    }

    /// Waits for room and takes it.
    pub fn take(&self, bytes: u64) -> Held {
        let shared = &self.shared;
        let mut used = shared.used.lock().unwrap_or_else(PoisonError::into_inner);
        while used.bytes > 0 && used.bytes + bytes > shared.bytes_max {
            used.waiting += 1;
            used = shared.given_back.wait(used).unwrap_or_else(PoisonError::into_inner);
            used.waiting -= 1;
        }
        used.bytes += bytes;
        Held { shared: Arc::clone(shared), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut used = self.shared.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.bytes -= self.bytes;
        if used.waiting > 0 {
            self.shared.given_back.notify_all();
        }
    }
}
