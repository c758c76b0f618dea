//! Jobs of any kind, as those see them who ask for jobs and not for imports or copies.
//!
//! Promises: an account sees its own jobs only. Deliberately not here: making them.

use store::{Cancelled, Error as StoreError, Job, JobFilter, Page};

use super::copies::{self, Copy, Obstacle};
use super::imports::{self, Import};
use super::{Range, Refusal};
use crate::app::App;

/// A job as it is shown.
#[derive(Debug, Clone)]
pub enum Any {
    /// A file goes into an instance.
    Import(Import),
    /// Databases of one instance go into another.
    Copy(Copy),
}

impl Any {
    fn of(job: Job) -> Result<Any, Refusal> {
        match job.kind.as_str() {
            imports::KIND => Import::of(job).map(Any::Import),
            copies::KIND => Copy::of(job).map(Any::Copy).map_err(|obstacle| match obstacle {
                Obstacle::Other(refusal) => refusal,
                other => Refusal::Fault(format!("read a copy: {other:?}")),
            }),
            _ => Err(Refusal::Fault("a job is of no known kind".to_owned())),
        }
    }

    /// The job itself.
    pub fn job(&self) -> &Job {
        match self {
            Any::Import(import) => &import.job,
            Any::Copy(copy) => &copy.job,
        }
    }
}

/// An account's job by its public id, 32 hexadecimal digits.
pub async fn find(app: &App, account: i64, public_id: &str) -> Result<Any, Refusal> {
    match app.store.job_by_public_id(account, public_id).await {
        Ok(job) => Any::of(job),
        Err(StoreError::NotFound) => Err(Refusal::NoJob),
        Err(error) => Err(error.into()),
    }
}

/// An account's jobs that pass a filter, the newest first.
pub async fn list(
    app: &App,
    account: i64,
    filter: JobFilter<'_>,
    range: Range,
) -> Result<Page<Any>, Refusal> {
    let (offset, limit) = range.numbers();
    let page = app.store.jobs(account, &filter, offset, limit).await?;
    let items = page.items.into_iter().map(Any::of).collect::<Result<_, _>>()?;
    Ok(Page { items, total: page.total })
}

/// Stops a job that has not ended. What an import has brought in stays; after a copy the target is as
/// it was.
pub async fn stop(app: &App, account: i64, public_id: &str) -> Result<(), Refusal> {
    let job = find(app, account, public_id).await?;
    match app.store.cancel(account, job.job().id, app.clock.now_ms()).await? {
        Cancelled::AtOnce => {}
        // Another process that works on it asks at its next beat.
        Cancelled::Requested => app.cancelled.notify_waiters(),
    }
    Ok(())
}
