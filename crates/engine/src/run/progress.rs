//! Where a run is, for whoever draws it: counters that only grow, read at any moment.
//!
//! Promises: never blocks the run, and never says more is done than is committed. Rates and the
//! remaining time are computed by the reader of these numbers.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Shared counters of one run.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of the decoded text that were read and cut into statements.
    pub read_bytes: AtomicU64,
    /// Bytes of the decoded text whose statements are committed.
    pub applied_bytes: AtomicU64,
    /// Rows of INSERT statements that are committed.
    pub applied_rows: AtomicU64,
    /// How many rows there may be in all, by statistics; 0 if nothing tells.
    pub expected_rows: AtomicU64,
    /// Statements that are committed.
    pub applied_statements: AtomicU64,
    /// Lanes that are open now. The one number here that also falls.
    pub lanes: AtomicU64,
    /// Microseconds that lanes had a batch, of all lanes together.
    pub lane_micros: AtomicU64,
    /// What runs now: a table's name, or the first words of a statement.
    activity: Mutex<String>,
    /// Why the run pauses, while it does.
    pause: Mutex<Option<String>>,
}

impl Progress {
    /// Nothing is done.
    pub fn new() -> Arc<Progress> {
        Arc::new(Progress::default())
    }

    /// Says what runs now.
    pub fn set_activity(&self, activity: impl Into<String>) {
        *self.activity.lock().unwrap_or_else(PoisonError::into_inner) = activity.into();
    }

    /// What runs now.
    pub fn activity(&self) -> String {
        self.activity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says why the run pauses, or that it goes on.
    pub fn set_pause(&self, reason: Option<String>) {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = reason;
    }

    /// Why the run pauses, if it does.
    pub fn pause(&self) -> Option<String> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts what was committed, up to `offset` of the decoded text.
    pub fn applied(&self, offset: u64, statements: u64, rows: u64) {
        self.applied_bytes.fetch_max(offset, Ordering::Relaxed);
        self.applied_statements.fetch_add(statements, Ordering::Relaxed);
        self.applied_rows.fetch_add(rows, Ordering::Relaxed);
    }

    /// Counts the time that a lane had a batch, whatever became of it.
    pub fn lane_worked(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.lane_micros.fetch_add(micros, Ordering::Relaxed);
    }
}
