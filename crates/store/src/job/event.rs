//! Events: what happened to a job, in order.
//!
//! Promises: an event's number counts up from 1 for its job without gaps, whoever appends; a change
//! of state and its event happen together or not at all.
//!
//! Deliberately not here: telling those who wait; they ask for what came after the last they saw.

use super::state::State;
use crate::database::{Tx, met, retry};
use crate::limit;
use crate::statement::{Row, sql};
use crate::{Error, Lease, Result, Store};

/// Characters of a kind.
const KIND_MAX: usize = 32;
/// The kind of the events that the store writes itself.
pub(super) const STATE_KIND: &str = "state";
/// The kind of the event that a running job is to stop.
pub(super) const CANCEL_KIND: &str = "cancel_requested";

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// From 1 for each job.
    pub seq: i64,
    /// `state` (data: `{"from":…,"to":…,"attempt":…}`), `cancel_requested`, or the worker's own.
    pub kind: String,
    /// JSON text.
    pub data: String,
    /// When; by the database's clock if a worker wrote it.
    pub created_at: i64,
}

impl Store {
    /// Appends an event for the worker that has the lease; gives its number.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`], [`Error::Invalid`].
    pub async fn append_event(&self, lease: &Lease, kind: &str, data: &str) -> Result<i64> {
        check(kind, data)?;
        retry(|| async move {
            let mut tx = self.database.begin().await?;
            let lock = sql("UPDATE job SET token = token
                 WHERE id = ? AND token = ? AND state = 'running'");
            let rows = tx.run(lock.int(lease.job()).int(lease.token())).await?;
            met(rows).map_err(|_| Error::LeaseLost)?;
            let seq = append(&mut tx, lease.job(), kind, data, None).await?;
            tx.commit().await?;
            Ok(seq)
        })
        .await
    }

    /// Appends an event for somebody other than a job's worker; gives its number.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Invalid`].
    pub async fn append_event_to(
        &self,
        account: i64,
        job: i64,
        kind: &str,
        data: &str,
        now: i64,
    ) -> Result<i64> {
        check(kind, data)?;
        retry(|| async move {
            let mut tx = self.database.begin().await?;
            lock(&mut tx, account, job).await?;
            let seq = append(&mut tx, job, kind, data, Some(now)).await?;
            tx.commit().await?;
            Ok(seq)
        })
        .await
    }

    /// A job's events with numbers above `after`, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the job is another account's or gone.
    pub async fn events(
        &self,
        account: i64,
        job: i64,
        after: i64,
        limit: u32,
    ) -> Result<Vec<Event>> {
        let known = sql("SELECT id FROM job WHERE account = ? AND id = ?").int(account).int(job);
        self.database.one(known).await?.ok_or(Error::NotFound)?;
        let query = sql("SELECT seq, kind, data, created_at FROM job_event
             WHERE job = ? AND seq > ? ORDER BY seq LIMIT ?");
        let limit = i64::from(limit.min(limit::EVENTS_PAGE_MAX));
        let rows = self.database.all(query.int(job).int(after).int(limit)).await?;
        rows.iter().map(event).collect()
    }
}

/// Locks a job's row until the transaction ends.
pub(super) async fn lock(tx: &mut Tx, account: i64, job: i64) -> Result<()> {
    let lock = sql("UPDATE job SET token = token WHERE account = ? AND id = ?");
    met(tx.run(lock.int(account).int(job)).await?)
}

/// Appends a change of state, at `at` or by the database's clock.
pub(super) async fn append_change(
    tx: &mut Tx,
    job: i64,
    from: Option<State>,
    to: State,
    attempt: i64,
    at: Option<i64>,
) -> Result<()> {
    let from = from.map_or("new", State::name);
    let data = format!(r#"{{"from":"{from}","to":"{to}","attempt":{attempt}}}"#);
    append(tx, job, STATE_KIND, &data, at).await.map(drop)
}

/// Appends an event. The job's own count is the lock that keeps the numbers apart.
pub(super) async fn append(
    tx: &mut Tx,
    job: i64,
    kind: &str,
    data: &str,
    at: Option<i64>,
) -> Result<i64> {
    tx.run(sql("UPDATE job SET event_seq = event_seq + 1 WHERE id = ?").int(job)).await?;
    let row = tx.one(sql("SELECT event_seq FROM job WHERE id = ?").int(job)).await?;
    let seq = row.ok_or(Error::NotFound)?.int("event_seq")?;
    let insert = sql("INSERT INTO job_event (job, seq, kind, data, created_at)
         VALUES (?, ?, ?, ?, COALESCE(?, {now}))");
    tx.run(insert.int(job).int(seq).text(kind).text(data).int(at)).await?;
    Ok(seq)
}

fn check(kind: &str, data: &str) -> Result<()> {
    limit::name("the event's kind", kind, KIND_MAX)?;
    limit::json("the event", data)
}

fn event(row: &Row) -> Result<Event> {
    Ok(Event {
        seq: row.int("seq")?,
        kind: row.text("kind")?,
        data: row.text("data")?,
        created_at: row.int("created_at")?,
    })
}
