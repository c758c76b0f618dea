//! The one error type of this crate.
//!
//! It is read by people in a failed test's output, so each variant says what to do or carries the
//! server's own words. It deliberately has no codes: nobody branches on it.

use std::io;
use std::path::Path;

/// What went wrong with a throwaway server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program or folder the machine lacks, and what brings it.
    #[error("{what} not found: run `{remedy}`")]
    Missing {
        /// The program or folder.
        what: String,
        /// The command that installs it.
        remedy: &'static str,
    },
    /// The server did not come up (or its initial data folder could not be made).
    #[error("start {what}: {reason}\n{log}")]
    Start {
        /// The server's version and folder.
        what: String,
        /// Died, or did not answer in time.
        reason: String,
        /// The end of its error log.
        log: String,
    },
    /// A stock client or dump program failed.
    #[error("run {program}: {message}")]
    Client {
        /// The program's name.
        program: String,
        /// What it printed to its standard error.
        message: String,
    },
    /// A file or process operation failed.
    #[error("{what}: {source}")]
    Io {
        /// The operation, verb first.
        what: String,
        /// The cause.
        source: io::Error,
    },
}

/// A result with this crate's error.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// For `map_err`: wraps an I/O error with the operation that failed.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }

    /// Like [`Error::io`] for an operation on a path.
    pub(crate) fn path(verb: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        Self::io(format!("{verb} {}", path.display()))
    }
}
