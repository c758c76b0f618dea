//! Every table the service owns: accounts, keys, instances, uploads, jobs with leases, events,
//! requests that may be repeated, audit and nonces, in `SQLite`, `PostgreSQL` or `MySQL`/`MariaDB`.
//!
//! Promises: one set of SQL and one behaviour on all three; a call either happened or did not; what
//! belongs to another account is [`Error::NotFound`]; passwords and secrets are sealed before they
//! reach the database and are in no error and no `Debug`. Times are milliseconds since 1970 (UTC)
//! that the caller passes in as `now`; only leases go by the database's clock.
//!
//! Deliberately not here: what a job does, HTTP, the clouds' names, files of uploads, passwords of
//! people, a clock of our own.

mod account;
mod audit;
mod database;
mod error;
mod instance;
mod job;
mod key;
mod limit;
mod nonce;
mod phrasing;
mod reader;
mod request;
mod schema;
mod seal;
mod statement;
mod upload;

pub use account::Account;
pub use audit::{AuditEntry, NewAudit};
pub use error::{Cause, Conflict, Error, Result};
pub use instance::change::InstanceChange;
pub use instance::{
    Engine, Instance, InstanceFilter, InstanceStatus, InstanceToProbe, NewInstance, Probe,
};
pub use job::event::Event;
pub use job::lease::{Beat, Claimed, Lease, Outcome};
pub use job::pulse::Pulse;
pub use job::queue::{Cancelled, Enqueued, QueueFigures, Role, Use};
pub use job::state::State;
pub use job::{Idempotency, Job, JobFilter, NewJob};
pub use key::{AccessKey, Credentials, NewKey};
pub use limit::{
    EVENTS_PAGE_MAX, FILTER_MAX, JOB_ID_MAX, JSON_BYTES_MAX, OPEN_JOBS_MAX, PAGE_MAX, PRUNE_MAX,
    SECRET_BYTES_MAX,
};
pub use request::{Begin, Turn};
pub use seal::rotation::Rotated;
pub use seal::{SealingKey, Secret};
pub use upload::{Begun, NewUpload, Upload, UploadState};

use database::Database;
use std::sync::Arc;

/// The open store. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    key: Arc<SealingKey>,
}

/// A part of a list, and how many there are without `offset` and `limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The part asked for.
    pub items: Vec<T>,
    /// All that match the filter; counted a moment before or after the items were read.
    pub total: u64,
}

impl Store {
    /// Opens the store at `url` and brings its tables up to date.
    ///
    /// `sqlite:/path/file.db` (made, with mode 0600, if it is not there), `postgres://…` or
    /// `mysql://…/database`. With the option `table_prefix=p_` the names of all tables begin so.
    /// Several processes may open one store at once.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`] when no database answers; [`Error::Sealed`] when the store was made
    /// with another key; [`Error::Newer`] when a newer version of this program has been here.
    pub async fn open(url: &str, key: SealingKey) -> Result<Self> {
        let database = Database::open(url).await?;
        let store = Self { database, key: Arc::new(key) };
        store.check_key().await?;
        Ok(store)
    }

    /// Whether the database answers a trivial question; for a readiness probe.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`].
    pub async fn ping(&self) -> Result<()> {
        self.database.one(statement::sql("SELECT 1 AS one")).await.map(drop)
    }

    /// Closes the connections; calls that are under way end first.
    pub async fn close(&self) {
        self.database.close().await;
    }
}
