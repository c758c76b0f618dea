//! The queue seen from those who work: claim, beat, finish, release.
//!
//! Promises: a job has at most one lease that counts; each lease has a higher token than all before
//! it, and with an older one nothing can be written any more; no instance is written by more jobs
//! than allowed, however many claim at once.
//!
//! The last is counted, so it needs a lock: a statement that counts an instance's running jobs sees
//! none of the claims that are under way on other rows, whether it stands alone or as a condition
//! of the claiming UPDATE. So claims take turns on one counter's row, held for a few milliseconds
//! and only when a look beforehand found a job. (While every claimer asks for the oldest job, they
//! would collide on that job's row and so take turns anyway; the lock does not rest on that.) Beats
//! and ends take no turn; against them and against cancels a claim compares and sets.
//!
//! Deliberately not here: a worker's own clock. It must stop writing when its last good beat is
//! older than the lease, also when the store cannot be reached.

use super::event::{append_change, lock};
use super::state::State;
use super::{COLUMNS, Job, job, place};
use crate::database::{Tx, met, retry};
use crate::limit;
use crate::statement::{Row, Statement, sql};
use crate::{Error, Result, Secret, Store};

/// Characters of an owner's name.
const OWNER_MAX: usize = 128;
/// The shortest lease, in milliseconds.
const TTL_MIN: i64 = 1;
/// The longest lease: an hour.
const TTL_MAX: i64 = 3_600_000;

/// How many candidates in a row may be cancelled or revived between a look and the claim.
const RACES_MAX: u32 = 10;

/// The right to work on a job, as long as it is renewed in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    account: i64,
    job: i64,
    token: i64,
    ttl_ms: i64,
}

/// A job that is now the claimer's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The job, already running. It may have run before, and a cancel may be asked for.
    pub job: Job,
    /// The right to work on it.
    pub lease: Lease,
}

/// The answer to a beat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beat {
    /// Whether the job is to stop and finish as [`Outcome::Cancelled`].
    pub cancel_requested: bool,
}

/// How a job ended; the texts are JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// With this result.
    Succeeded(&'a str),
    /// With this error.
    Failed(&'a str),
    /// As somebody asked; this says what was left undone.
    Cancelled(&'a str),
}

impl Lease {
    /// The job's id.
    #[must_use]
    pub fn job(&self) -> i64 {
        self.job
    }

    /// Whose job it is.
    #[must_use]
    pub fn account(&self) -> i64 {
        self.account
    }

    /// The fencing token: higher than that of every earlier lease on the job.
    #[must_use]
    pub fn token(&self) -> i64 {
        self.token
    }

    /// How long each beat makes it last, in milliseconds.
    #[must_use]
    pub fn ttl_ms(&self) -> i64 {
        self.ttl_ms
    }
}

impl Outcome<'_> {
    /// The state it leads to.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Self::Succeeded(_) => State::Succeeded,
            Self::Failed(_) => State::Failed,
            Self::Cancelled(_) => State::Cancelled,
        }
    }

    fn text(&self) -> &str {
        match self {
            Self::Succeeded(text) | Self::Failed(text) | Self::Cancelled(text) => text,
        }
    }
}

impl Store {
    /// Claims the oldest job that may run: a queued one whose instance has fewer than
    /// `per_instance_max` running, or one whose lease ran out (it keeps its place).
    ///
    /// The lease lasts `ttl_ms` milliseconds (at most an hour) by the database's clock. `None`
    /// means that there is nothing to do now.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a bad owner (1 to 128 characters) or duration.
    pub async fn claim(
        &self,
        owner: &str,
        ttl_ms: i64,
        per_instance_max: u32,
    ) -> Result<Option<Claimed>> {
        limit::name("the owner", owner, OWNER_MAX)?;
        if !(TTL_MIN..=TTL_MAX).contains(&ttl_ms) {
            return Err(Error::Invalid { what: "the lease", why: "is not up to an hour long" });
        }
        let idle = self.database.one(expired()).await?.is_none()
            && self.database.one(waiting(per_instance_max)).await?.is_none();
        if idle {
            return Ok(None);
        }
        retry(|| async move {
            let mut tx = self.database.begin().await?;
            tx.run(sql("UPDATE counter SET value = value + 1 WHERE name = 'claim'")).await?;
            for _ in 0..RACES_MAX {
                let Some(candidate) = oldest(&mut tx, per_instance_max).await? else { break };
                if let Some(claimed) = take(&mut tx, &candidate, owner, ttl_ms).await? {
                    tx.commit().await?;
                    return Ok(Some(claimed));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Renews a lease and tells how far the job is: `percent` up to 100, and `progress` as JSON
    /// text, or `None` to leave it as it is.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`], [`Error::Invalid`].
    pub async fn beat(&self, lease: &Lease, progress: Option<&str>, percent: u8) -> Result<Beat> {
        limit::json("the progress", progress.unwrap_or_default())?;
        let renew = sql("UPDATE job SET lease_until = {now} + ?, progress = COALESCE(?, progress),
             percent = ? WHERE id = ? AND token = ? AND state = 'running'")
        .int(lease.ttl_ms)
        .optional_text(progress)
        .int(i64::from(percent.min(100)))
        .int(lease.job)
        .int(lease.token);
        met(self.database.run(renew).await?).map_err(|_| Error::LeaseLost)?;
        let query = sql("SELECT cancel_requested FROM job WHERE id = ? AND token = ?");
        let row = self.database.one(query.int(lease.job).int(lease.token)).await?;
        Ok(Beat { cancel_requested: row.ok_or(Error::LeaseLost)?.flag("cancel_requested")? })
    }

    /// Whether a lease is still the last that was given on its job, which has not ended. It may have
    /// run out: then nobody has taken the job yet.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn holds(&self, lease: &Lease) -> Result<bool> {
        let query =
            sql("SELECT 1 AS one FROM job WHERE id = ? AND token = ? AND state = 'running'");
        Ok(self.database.one(query.int(lease.job).int(lease.token)).await?.is_some())
    }

    /// The secret of a job, for the one who works on it.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`], [`Error::Sealed`].
    pub async fn job_secret(&self, lease: &Lease) -> Result<Option<Secret>> {
        let query = sql("SELECT public_id, secret FROM job
             WHERE id = ? AND token = ? AND state = 'running'");
        let row = self.database.one(query.int(lease.job).int(lease.token)).await?;
        let row = row.ok_or(Error::LeaseLost)?;
        let Some(sealed) = row.optional_bytes("secret")? else { return Ok(None) };
        self.key.unseal(&place(&row.text("public_id")?), &sealed).map(Some)
    }

    /// Ends a job and deletes its secret. Saying the same end twice is no error, so that it can be
    /// repeated when the answer was lost.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`], [`Error::Invalid`].
    pub async fn finish(&self, lease: &Lease, outcome: Outcome<'_>) -> Result<()> {
        limit::json("the outcome", outcome.text())?;
        retry(|| async move {
            let mut tx = self.database.begin().await?;
            let row = held(&mut tx, lease).await?;
            let state = State::of_name(&row.text("state")?).ok_or(Error::Corrupt("job's state"))?;
            if state == outcome.state() {
                return Ok(());
            }
            if state != State::Running {
                return Err(Error::LeaseLost);
            }
            tx.run(ending(lease.job, outcome)).await?;
            let from = Some(State::Running);
            let attempt = row.int("attempt")?;
            append_change(&mut tx, lease.job, from, outcome.state(), attempt, None).await?;
            tx.commit().await
        })
        .await
    }

    /// Gives a job back unfinished, for another worker to take at once; a job that is to be
    /// cancelled is cancelled instead. Gives the state it is left in.
    ///
    /// # Errors
    ///
    /// [`Error::LeaseLost`].
    pub async fn release(&self, lease: &Lease) -> Result<State> {
        retry(|| async move {
            let mut tx = self.database.begin().await?;
            let row = held(&mut tx, lease).await?;
            if row.text("state")? != State::Running.name() {
                return Err(Error::LeaseLost);
            }
            let to = if row.flag("cancel_requested")? {
                tx.run(ending(lease.job, Outcome::Cancelled("{}"))).await?;
                State::Cancelled
            } else {
                let back = sql("UPDATE job SET came_from = state, state = 'queued', owner = NULL,
                     lease_until = NULL WHERE id = ?");
                tx.run(back.int(lease.job)).await?;
                State::Queued
            };
            let attempt = row.int("attempt")?;
            append_change(&mut tx, lease.job, Some(State::Running), to, attempt, None).await?;
            tx.commit().await?;
            Ok(to)
        })
        .await
    }
}

/// The oldest job whose lease ran out.
fn expired() -> Statement {
    sql("SELECT id, token, state FROM job WHERE state = 'running' AND lease_until < {now}
         ORDER BY id LIMIT 1")
}

/// The oldest queued job whose instance has room. A job whose lease ran out still takes its room.
fn waiting(per_instance_max: u32) -> Statement {
    sql("SELECT id, token, state FROM job WHERE state = 'queued' AND ? > (SELECT COUNT(*)
         FROM job busy WHERE busy.instance_id = job.instance_id AND busy.state = 'running')
         ORDER BY id LIMIT 1")
    .int(i64::from(per_instance_max))
}

async fn oldest(tx: &mut Tx, per_instance_max: u32) -> Result<Option<Row>> {
    let expired = tx.one(expired()).await?;
    let waiting = tx.one(waiting(per_instance_max)).await?;
    Ok(match (expired, waiting) {
        (Some(expired), Some(waiting)) => {
            let is_older = expired.int("id")? < waiting.int("id")?;
            Some(if is_older { expired } else { waiting })
        }
        (expired, waiting) => expired.or(waiting),
    })
}

/// Compare and set: a cancel, a beat or an end may have come between the look and this.
async fn take(tx: &mut Tx, candidate: &Row, owner: &str, ttl_ms: i64) -> Result<Option<Claimed>> {
    let id = candidate.int("id")?;
    let from = State::of_name(&candidate.text("state")?).ok_or(Error::Corrupt("job's state"))?;
    let take = sql("UPDATE job SET came_from = state, state = 'running', owner = ?,
         token = token + 1, attempt = attempt + 1, lease_until = {now} + ?,
         started_at = COALESCE(started_at, {now}) WHERE id = ? AND token = ? AND state = ?
         AND (state = 'queued' OR lease_until < {now})")
    .text(owner)
    .int(ttl_ms)
    .int(id)
    .int(candidate.int("token")?)
    .text(from.name());
    if tx.run(take).await? == 0 {
        return Ok(None);
    }
    let query = sql("SELECT ").then(COLUMNS).then(" FROM job WHERE id = ?").int(id);
    let job = job(&tx.one(query).await?.ok_or(Error::Corrupt("job"))?)?;
    append_change(tx, id, Some(from), State::Running, i64::from(job.attempt), None).await?;
    let lease = Lease { account: job.account, job: id, token: job.token, ttl_ms };
    Ok(Some(Claimed { job, lease }))
}

/// Locks the job's row and reads it, if this is its last lease.
async fn held(tx: &mut Tx, lease: &Lease) -> Result<Row> {
    let locked = lock(tx, lease.account, lease.job).await;
    locked
        .map_err(|error| if matches!(error, Error::NotFound) { Error::LeaseLost } else { error })?;
    let query = sql("SELECT state, attempt, cancel_requested FROM job WHERE id = ? AND token = ?");
    tx.one(query.int(lease.job).int(lease.token)).await?.ok_or(Error::LeaseLost)
}

fn ending(id: i64, outcome: Outcome<'_>) -> Statement {
    let (result, error) = match outcome {
        Outcome::Succeeded(text) => (Some(text), None),
        Outcome::Failed(text) | Outcome::Cancelled(text) => (None, Some(text)),
    };
    let percent = if outcome.state() == State::Succeeded { Some(100) } else { None };
    sql("UPDATE job SET came_from = state, state = ?, owner = NULL, lease_until = NULL,
         holds = NULL, secret = NULL, result = ?, error = ?, percent = COALESCE(?, percent),
         finished_at = {now} WHERE id = ?")
    .text(outcome.state().name())
    .optional_text(result)
    .optional_text(error)
    .int(percent)
    .int(id)
}
