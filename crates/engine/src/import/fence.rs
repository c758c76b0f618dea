//! The fence around a job's import: of several processes that believe that the job is theirs, only the
//! one with the highest token writes.
//!
//! Whoever gives jobs out gives each holder a higher [token](Fence::token) than all before it. The
//! target's ledger keeps the highest that it has seen: only that or a higher one takes an import over,
//! and every transaction that moves the position asks for it, so that the commit of an older holder
//! fails with all that came with it. Because a process may stand still before it has written a word,
//! and wake after the job is over and forgotten, the holder [is asked about](Fence::holds) once the
//! ledger shows its token and its connections have signed: whoever takes over later ends those.
//!
//! Deliberately not here: leases and clocks. What an import without a job does is told by the locks that
//! its connections hold.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Side};

/// Asks whoever gives jobs out whether this process still holds the job.
pub type Ask = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync>;

/// What lets one process at a time write for a job.
#[derive(Clone)]
pub struct Fence {
    /// The job's name.
    pub job: String,
    /// Higher than that of every earlier holder of the job.
    pub token: u64,
    /// Whether this holder is still the one. False, too, where that cannot be found out.
    pub ask: Ask,
}

impl Fence {
    /// Whether the job is still this process's.
    pub async fn holds(&self) -> bool {
        (self.ask)().await
    }
}

impl fmt::Debug for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fence").field("job", &self.job).field("token", &self.token).finish()
    }
}

/// The error of whoever is not the one any more.
pub fn superseded() -> Error {
    let text = "another process has taken this import over; this one has stopped";
    Error::new(ErrorKind::Superseded, Side::Target, text)
}
