//! The one error of the store, and how a database's own errors become it.
//!
//! Promises: a caller branches on the variant alone. Our own words hold no values; a database's
//! text is only in the [`Cause`], and what it may quote is never a secret: those are sealed before.
//!
//! Deliberately not here: the clouds' codes, HTTP statuses.

use crate::State;
use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use std::fmt;
use std::io;
use std::path::PathBuf;

/// What the store's functions give back.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No database answers at the URL or none has that name, it refused the login, or every
    /// connection is in use.
    #[error("reach the store")]
    Unreachable(#[source] Cause),
    /// Others kept the database busy through all retries; the same call may work later.
    #[error("the store is busy")]
    Busy(#[source] Cause),
    /// Something of that name exists.
    #[error("{0}")]
    Conflict(Conflict),
    /// It is not there, or not this account's.
    #[error("not found")]
    NotFound,
    /// A sealed value does not open: the key is not the one it was sealed with, or the value was
    /// changed or moved.
    #[error("open a sealed value: the sealing key does not fit")]
    Sealed,
    /// The lease is no longer the job's: stop working on it.
    #[error("the lease on the job is lost")]
    LeaseLost,
    /// The job has finished and cannot be cancelled.
    #[error("the job has already {0}")]
    Finished(State),
    /// An argument that the store does not take.
    #[error("{what} {why}")]
    Invalid {
        /// Which one.
        what: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// All job ids have been given out.
    #[error("no job ids are left")]
    IdsExhausted,
    /// The tables were made by a newer version of this program.
    #[error("the store has tables of version {found}, this program knows {known}")]
    Newer {
        /// The version in the store.
        found: i64,
        /// The newest one this program makes.
        known: i64,
    },
    /// The file with the sealing key cannot be used.
    #[error("use the key file {path}: {why}")]
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: &'static str,
        /// The operating system's word, if it had one.
        source: Option<io::Error>,
    },
    /// The store holds what it never writes.
    #[error("the store's {0} is corrupt")]
    Corrupt(&'static str),
    /// The database refused for another reason.
    #[error("ask the store's database")]
    Other(#[source] Cause),
}

/// What a new thing collides with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// Something of that name, id or storage key.
    Exists,
    /// An unfinished job with the same exclusive key; its id.
    Exclusive(i64),
    /// A job with the same idempotency key and another request; its id.
    Idempotency(i64),
    /// A job that has not ended and uses it.
    InUse,
    /// The account has [`crate::OPEN_JOBS_MAX`] jobs that have not ended.
    Full,
}

/// A database's or the operating system's own words; for logs.
pub struct Cause(Box<dyn std::error::Error + Send + Sync>);

/// What a retry needs to know.
pub(crate) fn is_transient(error: &Error) -> bool {
    matches!(error, Error::Busy(_))
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("it exists already"),
            Self::InUse => f.write_str("a job that has not ended uses it"),
            Self::Full => write!(f, "{} jobs have not ended", crate::OPEN_JOBS_MAX),
            Self::Exclusive(job) => write!(f, "job {job} is not finished"),
            Self::Idempotency(job) => {
                write!(f, "job {job} has the same idempotency key and another request")
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}

impl Cause {
    /// Wraps an error.
    pub(crate) fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(source.into())
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        use sqlx::Error as E;
        match &error {
            E::Database(refusal) => {
                if refusal.is_unique_violation() {
                    return Self::Conflict(Conflict::Exists);
                }
                if refusal.is_foreign_key_violation() {
                    return Self::NotFound;
                }
                match kind(refusal.as_ref()) {
                    Kind::Busy => Self::Busy(Cause::new(error)),
                    Kind::Unreachable => Self::Unreachable(Cause::new(error)),
                    Kind::Other => Self::Other(Cause::new(error)),
                }
            }
            E::Io(_) | E::Tls(_) | E::PoolTimedOut | E::PoolClosed | E::WorkerCrashed => {
                Self::Unreachable(Cause::new(error))
            }
            E::Configuration(_) => Self::Invalid { what: "the store's URL", why: "is malformed" },
            E::ColumnDecode { .. } | E::ColumnNotFound(_) | E::Decode(_) => Self::Corrupt("row"),
            _ => Self::Other(Cause::new(error)),
        }
    }
}

/// What a database's code means here.
enum Kind {
    Busy,
    Unreachable,
    Other,
}

fn kind(refusal: &dyn DatabaseError) -> Kind {
    // MySQL gives a lock wait that took too long, and MariaDB a row that changed under a
    // snapshot, the SQLSTATE of everything unnamed.
    const LOCK_WAIT_TIMEOUT: u16 = 1205;
    const RECORD_CHANGED: u16 = 1020;
    // Nor has a database that is not there one of its own.
    const UNKNOWN_DATABASE: u16 = 1049;
    if let Some(error) = refusal.try_downcast_ref::<MySqlDatabaseError>() {
        match error.number() {
            LOCK_WAIT_TIMEOUT | RECORD_CHANGED => return Kind::Busy,
            UNKNOWN_DATABASE => return Kind::Unreachable,
            _ => {}
        }
    }
    refusal.code().as_deref().map_or(Kind::Other, kind_of_code)
}

/// Codes of all three engines in one table: `SQLite` gives its result code as decimal text,
/// `PostgreSQL` and `MySQL` the SQLSTATE. `SQLite`'s extended codes hold the primary one in their
/// low byte (its document "Result and Error Codes").
fn kind_of_code(code: &str) -> Kind {
    const BUSY: u32 = 5;
    const LOCKED: u32 = 6;
    const CANNOT_OPEN: u32 = 14;
    if code.len() < 5
        && let Ok(number) = code.parse::<u32>()
    {
        return match number & 0xff {
            BUSY | LOCKED => Kind::Busy,
            CANNOT_OPEN => Kind::Unreachable,
            _ => Kind::Other,
        };
    }
    match code {
        // Serialization failure and deadlock of PostgreSQL; 40001 is MySQL's deadlock too.
        "40001" | "40P01" | "55P03" => Kind::Busy,
        // Shutting down, starting up, too many connections, connection failures, logins.
        "57P01" | "57P02" | "57P03" | "53300" => Kind::Unreachable,
        "08000" | "08001" | "08003" | "08004" | "08006" | "08S01" | "3D000" => Kind::Unreachable,
        "28000" | "28P01" => Kind::Unreachable,
        _ => Kind::Other,
    }
}
