//! Jobs: what is to be done, by whom, and how far it is.
//!
//! Promises: ids count up without gaps in the order in which jobs were enqueued; another account's
//! job is not found.
//!
//! Deliberately not here: what a job does. Payload, progress, result and error are texts that
//! nobody reads here.

pub(crate) mod event;
pub(crate) mod lease;
pub(crate) mod prune;
pub(crate) mod pulse;
pub(crate) mod queue;
pub(crate) mod state;

use crate::limit;
use crate::seal::Place;
use crate::statement::{Row, Statement, sql};
use crate::{Error, Page, Result, Secret, State, Store};

/// Characters of a kind.
const KIND_MAX: usize = 32;
/// Characters of exclusive and idempotency keys.
const KEY_MAX: usize = 255;
/// Characters of a request's digest.
const DIGEST_MAX: usize = 128;
/// Characters of an instance's id.
const INSTANCE_MAX: usize = 63;
/// Every column but the secret.
const COLUMNS: &str = "id, public_id, account, kind, instance_id, source_instance_id,
    exclusive_key, idempotency_key, payload, state, attempt, owner, token, lease_until,
    cancel_requested, progress, percent, result, error, created_at, started_at, finished_at";

/// A job to be enqueued.
#[derive(Debug, Clone, Copy)]
pub struct NewJob<'a> {
    /// What it does, for whoever runs it; 1 to 32 characters.
    pub kind: &'a str,
    /// The instance it writes; the limit of jobs at a time counts by it.
    pub instance_id: &'a str,
    /// The instance it reads, if it is another.
    pub source_instance_id: Option<&'a str>,
    /// At most one unfinished job of the account has this key; at most 255 characters.
    pub exclusive_key: Option<&'a str>,
    /// Makes a request that is sent twice one job.
    pub idempotency: Option<Idempotency<'a>>,
    /// JSON text, at most [`crate::JSON_BYTES_MAX`] bytes.
    pub payload: &'a str,
    /// Kept sealed until the job is finished, then deleted.
    pub secret: Option<&'a Secret>,
}

/// What makes two requests the same.
#[derive(Debug, Clone, Copy)]
pub struct Idempotency<'a> {
    /// Unique in the account as long as the job is kept; at most 255 characters.
    pub key: &'a str,
    /// Equal for equal requests; at most 128 characters.
    pub digest: &'a str,
}

/// A job, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// From 1 to [`crate::JOB_ID_MAX`].
    pub id: i64,
    /// 32 small hexadecimal digits that nobody can guess.
    pub public_id: String,
    /// Whose it is.
    pub account: i64,
    /// As given.
    pub kind: String,
    /// As given.
    pub instance_id: String,
    /// As given.
    pub source_instance_id: Option<String>,
    /// As given; stays when the job is finished and holds it no more.
    pub exclusive_key: Option<String>,
    /// As given.
    pub idempotency_key: Option<String>,
    /// As given.
    pub payload: String,
    /// Where it stands.
    pub state: State,
    /// How often it was claimed.
    pub attempt: u32,
    /// Who runs it.
    pub owner: Option<String>,
    /// The number of its last lease, 0 before the first; only ever grows.
    pub token: i64,
    /// When its lease ends, by the database's clock.
    pub lease_until: Option<i64>,
    /// Whether it is to stop.
    pub cancel_requested: bool,
    /// As its worker last said.
    pub progress: Option<String>,
    /// 0 to 100, as its worker last said.
    pub percent: u8,
    /// As its worker said when it succeeded.
    pub result: Option<String>,
    /// As its worker said when it failed or was cancelled.
    pub error: Option<String>,
    /// When it was enqueued.
    pub created_at: i64,
    /// When it was first claimed, by the database's clock.
    pub started_at: Option<i64>,
    /// When it finished, by the database's clock unless it was cancelled while queued.
    pub finished_at: Option<i64>,
}

/// Which jobs to list; an empty list of values lets all through.
#[derive(Debug, Clone, Copy)]
pub struct JobFilter<'a> {
    /// Those that write this instance.
    pub instance: Option<&'a str>,
    /// Those of this kind.
    pub kind: Option<&'a str>,
    /// Those in one of these states.
    pub states: &'a [State],
    /// Those enqueued at this time or later.
    pub created_from: Option<i64>,
    /// Those enqueued at this time or earlier.
    pub created_to: Option<i64>,
    /// Those with one of these ids.
    pub ids: &'a [i64],
}

impl JobFilter<'_> {
    /// Lets all through.
    pub const ALL: Self = Self {
        instance: None,
        kind: None,
        states: &[],
        created_from: None,
        created_to: None,
        ids: &[],
    };

    fn narrow(&self, account: i64, query: Statement) -> Statement {
        let mut query = query.then(" FROM job WHERE account = ?").int(account);
        if let Some(instance) = self.instance {
            query = query.then(" AND instance_id = ?").text(instance);
        }
        if let Some(kind) = self.kind {
            query = query.then(" AND kind = ?").text(kind);
        }
        if let Some(from) = self.created_from {
            query = query.then(" AND created_at >= ?").int(from);
        }
        if let Some(to) = self.created_to {
            query = query.then(" AND created_at <= ?").int(to);
        }
        let states: Vec<&str> = self.states.iter().map(|state| state.name()).collect();
        query.and_in("state", &states).and_in_ints("id", self.ids)
    }
}

impl Store {
    /// An account's job.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also when it is another account's.
    pub async fn job(&self, account: i64, id: i64) -> Result<Job> {
        let query = sql("SELECT ").then(COLUMNS).then(" FROM job WHERE account = ? AND id = ?");
        let row = self.database.one(query.int(account).int(id)).await?;
        job(&row.ok_or(Error::NotFound)?)
    }

    /// An account's job by its public id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also when it is another account's.
    pub async fn job_by_public_id(&self, account: i64, public_id: &str) -> Result<Job> {
        let query = sql("SELECT ").then(COLUMNS);
        let query = query.then(" FROM job WHERE account = ? AND public_id = ?");
        let row = self.database.one(query.int(account).text(public_id)).await?;
        job(&row.ok_or(Error::NotFound)?)
    }

    /// An account's job by the idempotency key that it was enqueued with.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn job_by_idempotency_key(&self, account: i64, key: &str) -> Result<Job> {
        let query = sql("SELECT ").then(COLUMNS);
        let query = query.then(" FROM job WHERE account = ? AND idempotency_key = ?");
        let row = self.database.one(query.int(account).text(key)).await?;
        job(&row.ok_or(Error::NotFound)?)
    }

    /// An account's jobs, newest first.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a filter with too many values.
    pub async fn jobs(
        &self,
        account: i64,
        filter: &JobFilter<'_>,
        offset: u32,
        limit: u32,
    ) -> Result<Page<Job>> {
        limit::filter("the list of ids", filter.ids)?;
        limit::filter("the list of states", filter.states)?;
        let items = filter.narrow(account, sql("SELECT ").then(COLUMNS)).then(" ORDER BY id DESC");
        let total = filter.narrow(account, sql("SELECT COUNT(*) AS total"));
        self.database.page(items, offset, limit, total, job).await
    }
}

/// Where a job's secret is sealed for.
fn place(public_id: &str) -> Place<'_> {
    Place { table: "job", column: "secret", row: public_id }
}

fn job(row: &Row) -> Result<Job> {
    Ok(Job {
        id: row.int("id")?,
        public_id: row.text("public_id")?,
        account: row.int("account")?,
        kind: row.text("kind")?,
        instance_id: row.text("instance_id")?,
        source_instance_id: row.optional_text("source_instance_id")?,
        exclusive_key: row.optional_text("exclusive_key")?,
        idempotency_key: row.optional_text("idempotency_key")?,
        payload: row.text("payload")?,
        state: State::of_name(&row.text("state")?).ok_or(Error::Corrupt("job's state"))?,
        attempt: row.small("attempt")?,
        owner: row.optional_text("owner")?,
        token: row.int("token")?,
        lease_until: row.optional_int("lease_until")?,
        cancel_requested: row.flag("cancel_requested")?,
        progress: row.optional_text("progress")?,
        percent: row.small("percent")?,
        result: row.optional_text("result")?,
        error: row.optional_text("error")?,
        created_at: row.int("created_at")?,
        started_at: row.optional_int("started_at")?,
        finished_at: row.optional_int("finished_at")?,
    })
}
