//! The queue seen from those who ask for work: enqueue, cancel, what runs where, figures.
//!
//! Promises: a request with an idempotency key makes one job; an exclusive key has one unfinished
//! job; a cancelled job never runs, or its worker is told.
//!
//! Enqueuing takes one counter's row for the length of its transaction. That numbers the jobs in
//! the order of their commits, and means that nobody else enqueues between a look for another job
//! and the insert.

use super::event::{CANCEL_KIND, append, append_change, lock};
use super::state::State;
use super::{COLUMNS, Job, NewJob, job, place};
use super::{DIGEST_MAX, INSTANCE_MAX, KEY_MAX, KIND_MAX};
use crate::database::{Tx, retry};
use crate::limit::{self, JOB_ID_MAX};
use crate::seal::random;
use crate::statement::sql;
use crate::{Conflict, Error, Result, Store};

/// What became of a request to enqueue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    /// The job.
    pub job: Job,
    /// `false` when an earlier request with the same idempotency key made it.
    pub is_new: bool,
}

/// What became of a request to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It was queued and is cancelled.
    AtOnce,
    /// It runs; its worker learns of it with the next beat.
    Requested,
}

/// A running job's use of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Use {
    /// The job's id.
    pub job: i64,
    /// What it does with the instance.
    pub role: Role,
}

/// What a job does with an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Writes it.
    Target,
    /// Reads it.
    Source,
}

/// Figures of all accounts' jobs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueFigures {
    /// Jobs that wait.
    pub queued: u64,
    /// Jobs that run, or whose worker died and nobody has noticed.
    pub running: u64,
    /// Jobs that succeeded and are still kept.
    pub succeeded: u64,
    /// Jobs that failed and are still kept.
    pub failed: u64,
    /// Jobs that were cancelled and are still kept.
    pub cancelled: u64,
    /// When the oldest of those that wait was enqueued.
    pub oldest_queued_at: Option<i64>,
}

impl NewJob<'_> {
    fn check(&self) -> Result<()> {
        limit::name("the job's kind", self.kind, KIND_MAX)?;
        limit::name("the instance's id", self.instance_id, INSTANCE_MAX)?;
        if let Some(source) = self.source_instance_id {
            limit::name("the source's id", source, INSTANCE_MAX)?;
        }
        if let Some(key) = self.exclusive_key {
            limit::name("the exclusive key", key, KEY_MAX)?;
        }
        if let Some(idempotency) = &self.idempotency {
            limit::name("the idempotency key", idempotency.key, KEY_MAX)?;
            limit::text("the digest", idempotency.digest, DIGEST_MAX)?;
        }
        limit::json("the payload", self.payload)
    }
}

impl Store {
    /// Enqueues a job.
    ///
    /// # Errors
    ///
    /// [`Conflict::Exclusive`] and [`Conflict::Idempotency`] with the id of the other job;
    /// [`Conflict::Full`];
    /// [`Error::NotFound`] when there is no such account; [`Error::IdsExhausted`];
    /// [`Error::Invalid`].
    pub async fn enqueue(&self, account: i64, new: &NewJob<'_>, now: i64) -> Result<Enqueued> {
        new.check()?;
        retry(|| self.enqueue_once(account, new, now)).await
    }

    /// Cancels a queued job at once, asks a running one to stop.
    ///
    /// # Errors
    ///
    /// [`Error::Finished`] with the state of a job that has ended, [`Error::NotFound`].
    pub async fn cancel(&self, account: i64, id: i64, now: i64) -> Result<Cancelled> {
        retry(|| async move {
            let mut tx = self.database.begin().await?;
            lock(&mut tx, account, id).await?;
            let query = sql("SELECT state, attempt, cancel_requested FROM job WHERE id = ?");
            let row = tx.one(query.int(id)).await?.ok_or(Error::NotFound)?;
            let state = State::of_name(&row.text("state")?).ok_or(Error::Corrupt("job's state"))?;
            let cancelled = match state {
                State::Queued => {
                    cancel_queued(&mut tx, id, now).await?;
                    let attempt = row.int("attempt")?;
                    let from = Some(State::Queued);
                    append_change(&mut tx, id, from, State::Cancelled, attempt, Some(now)).await?;
                    Cancelled::AtOnce
                }
                State::Running => {
                    if !row.flag("cancel_requested")? {
                        let flag = sql("UPDATE job SET cancel_requested = 1 WHERE id = ?");
                        tx.run(flag.int(id)).await?;
                        append(&mut tx, id, CANCEL_KIND, "{}", Some(now)).await?;
                    }
                    Cancelled::Requested
                }
                State::Succeeded | State::Failed | State::Cancelled => {
                    return Err(Error::Finished(state));
                }
            };
            tx.commit().await?;
            Ok(cancelled)
        })
        .await
    }

    /// The running jobs that use an instance, by id; at most [`crate::PAGE_MAX`].
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn running_on(&self, instance_id: &str) -> Result<Vec<Use>> {
        let query = sql("SELECT id, instance_id FROM job WHERE state = 'running'
             AND (instance_id = ? OR source_instance_id = ?) ORDER BY id LIMIT ?");
        let query = query.text(instance_id).text(instance_id).int(i64::from(limit::PAGE_MAX));
        let rows = self.database.all(query).await?;
        let uses = rows.iter().map(|row| {
            let is_target = row.text("instance_id")? == instance_id;
            let role = if is_target { Role::Target } else { Role::Source };
            Ok(Use { job: row.int("id")?, role })
        });
        uses.collect()
    }

    /// The instances of all accounts that running jobs use, as targets or as sources, each once; of
    /// at most [`crate::PAGE_MAX`] jobs.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn instances_in_use(&self) -> Result<Vec<String>> {
        let query = sql("SELECT instance_id, source_instance_id FROM job WHERE state = 'running'
             ORDER BY id LIMIT ?");
        let mut used = Vec::new();
        for row in self.database.all(query.int(i64::from(limit::PAGE_MAX))).await? {
            used.push(row.text("instance_id")?);
            used.extend(row.optional_text("source_instance_id")?);
        }
        used.sort_unstable();
        used.dedup();
        Ok(used)
    }

    /// How many jobs of all accounts are in each state, for metrics.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn queue_figures(&self) -> Result<QueueFigures> {
        let query = sql("SELECT state, COUNT(*) AS jobs, MIN(created_at) AS oldest FROM job
             GROUP BY state");
        let mut figures = QueueFigures::default();
        for row in self.database.all(query).await? {
            let jobs = row.count("jobs")?;
            match State::of_name(&row.text("state")?).ok_or(Error::Corrupt("job's state"))? {
                State::Queued => {
                    figures.queued = jobs;
                    figures.oldest_queued_at = Some(row.int("oldest")?);
                }
                State::Running => figures.running = jobs,
                State::Succeeded => figures.succeeded = jobs,
                State::Failed => figures.failed = jobs,
                State::Cancelled => figures.cancelled = jobs,
            }
        }
        Ok(figures)
    }

    async fn enqueue_once(&self, account: i64, new: &NewJob<'_>, now: i64) -> Result<Enqueued> {
        let mut tx = self.database.begin().await?;
        let id = next_id(&mut tx).await?;
        if let Some(job) = same_request(&mut tx, account, new).await? {
            return Ok(Enqueued { job, is_new: false });
        }
        if let Some(key) = new.exclusive_key {
            let query = sql("SELECT id FROM job WHERE account = ? AND holds = ?");
            if let Some(row) = tx.one(query.int(account).text(key)).await? {
                return Err(Error::Conflict(Conflict::Exclusive(row.int("id")?)));
            }
        }
        if open_jobs(&mut tx, account).await? >= u64::from(limit::OPEN_JOBS_MAX) {
            return Err(Error::Conflict(Conflict::Full));
        }
        if id > JOB_ID_MAX {
            return Err(Error::IdsExhausted);
        }
        self.insert(&mut tx, id, account, new, now).await?;
        append_change(&mut tx, id, None, State::Queued, 0, Some(now)).await?;
        let query = sql("SELECT ").then(COLUMNS).then(" FROM job WHERE id = ?").int(id);
        let job = job(&tx.one(query).await?.ok_or(Error::Corrupt("job"))?)?;
        tx.commit().await?;
        Ok(Enqueued { job, is_new: true })
    }

    async fn insert(
        &self,
        tx: &mut Tx,
        id: i64,
        account: i64,
        new: &NewJob<'_>,
        now: i64,
    ) -> Result<()> {
        let public_id: String = random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let sealed = match new.secret {
            Some(secret) => Some(self.key.seal(&place(&public_id), secret)?),
            None => None,
        };
        let insert = sql("INSERT INTO job (id, public_id, account, kind, instance_id,
             source_instance_id, exclusive_key, holds, idempotency_key, request_digest, payload,
             secret, state, came_from, attempt, token, cancel_requested, percent, event_seq,
             created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'queued', 'new', 0, 0, 0, 0, 0, ?)")
        .int(id)
        .text(&public_id)
        .int(account)
        .text(new.kind)
        .text(new.instance_id)
        .optional_text(new.source_instance_id)
        .optional_text(new.exclusive_key)
        .optional_text(new.exclusive_key)
        .optional_text(new.idempotency.map(|idempotency| idempotency.key))
        .optional_text(new.idempotency.map(|idempotency| idempotency.digest))
        .text(new.payload)
        .bytes(sealed)
        .int(now);
        tx.run(insert).await.map(drop)
    }
}

/// The next id, and the lock that keeps others from enqueuing until the transaction ends.
async fn next_id(tx: &mut Tx) -> Result<i64> {
    tx.run(sql("UPDATE counter SET value = value + 1 WHERE name = 'job'")).await?;
    let row = tx.one(sql("SELECT value FROM counter WHERE name = 'job'")).await?;
    row.ok_or(Error::Corrupt("counter"))?.int("value")
}

/// The job that an earlier request with the same idempotency key made.
async fn same_request(tx: &mut Tx, account: i64, new: &NewJob<'_>) -> Result<Option<Job>> {
    let Some(idempotency) = &new.idempotency else { return Ok(None) };
    let query = sql("SELECT request_digest, ").then(COLUMNS);
    let query = query.then(" FROM job WHERE account = ? AND idempotency_key = ?");
    let query = query.int(account).text(idempotency.key);
    let Some(row) = tx.one(query).await? else { return Ok(None) };
    let job = job(&row)?;
    if row.text("request_digest")? == idempotency.digest {
        return Ok(Some(job));
    }
    Err(Error::Conflict(Conflict::Idempotency(job.id)))
}

/// How many jobs of the account have not ended.
async fn open_jobs(tx: &mut Tx, account: i64) -> Result<u64> {
    let query = sql("SELECT COUNT(*) AS total FROM job
         WHERE state IN ('queued', 'running') AND account = ?");
    tx.one(query.int(account)).await?.ok_or(Error::Corrupt("count"))?.count("total")
}

async fn cancel_queued(tx: &mut Tx, id: i64, now: i64) -> Result<()> {
    let change = sql("UPDATE job SET came_from = state, state = 'cancelled', holds = NULL,
         secret = NULL, cancel_requested = 1, finished_at = ? WHERE id = ?");
    tx.run(change.int(now).int(id)).await.map(drop)
}
