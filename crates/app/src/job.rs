//! What jobs do: one file a kind, the glue between the engine and the store.
//!
//! [`Ready`] is a job of any kind, as the worker needs it: what it can do, and when it may be left
//! alone.

use std::time::Duration;

use engine::error::{Error, ErrorKind, Side};
use engine::import::Surroundings;
use engine::run::failpoint;
use store::Claimed;

use crate::app::App;
use crate::service::{copies, imports};
use import::Gauge;

pub mod copy;
pub mod import;
pub mod loading;

/// What the server gets to end the connections of an import that is cancelled; its clean-up tries again.
const END_MAX: Duration = Duration::from_secs(1);
/// What the target gets to tell whether an earlier attempt of a copy that is cancelled was complete.
const DONE_MAX: Duration = Duration::from_secs(5);

/// A job that can begin.
pub enum Ready {
    /// A file goes into an instance.
    Import(Box<import::Ready>),
    /// Databases of one instance go into another.
    Copy(Box<copy::Ready>),
}

/// Gathers what a run needs; passwords leave the store here.
pub async fn prepare(app: &App, claimed: &Claimed) -> Result<Ready, Error> {
    match claimed.job.kind.as_str() {
        imports::KIND => Ok(Ready::Import(Box::new(import::prepare(app, claimed).await?))),
        copies::KIND => Ok(Ready::Copy(Box::new(copy::prepare(app, claimed).await?))),
        _ => Err(Error::new(ErrorKind::Internal, Side::Internal, "the job is of no known kind")),
    }
}

impl Ready {
    /// The target's databases that nobody else may work on, in one order for all jobs.
    pub fn databases(&self) -> Vec<Option<&str>> {
        match self {
            Ready::Import(import) => vec![import.database()],
            Ready::Copy(copy) => copy.databases(),
        }
    }

    /// Runs it; gives what the store keeps of a success.
    pub async fn run(&self, surroundings: &Surroundings, gauge: &Gauge) -> Result<String, Error> {
        match self {
            Ready::Import(import) => match import::run(import, surroundings, gauge).await {
                Ok(report) => {
                    tracing::info!(rows = report.rows, seconds = report.seconds, "job succeeded");
                    Ok(import::succeeded(&report))
                }
                Err(failure) => Err(failure.error),
            },
            Ready::Copy(copy) => {
                let outcome = copy.run(surroundings).await;
                failpoint::pass("copy ended");
                outcome
            }
        }
    }

    /// How far it is, as the store keeps it: a JSON text and a percentage.
    pub fn told(&self, surroundings: &Surroundings, gauge: &Gauge) -> (String, u8) {
        match self {
            Ready::Import(_) => gauge.read(surroundings),
            Ready::Copy(copy) => copy.told(surroundings),
        }
    }

    /// Whether the run may be dropped now, and nothing half-done would be shown.
    pub fn may_be_dropped(&self, surroundings: &Surroundings) -> bool {
        match self {
            Ready::Import(_) => true,
            Ready::Copy(_) => copy::may_be_dropped(surroundings),
        }
    }

    /// How long [`Ready::end`] may take.
    pub fn end_max(&self) -> Duration {
        match self {
            Ready::Import(_) => END_MAX,
            Ready::Copy(_) => DONE_MAX,
        }
    }

    /// Ends what the server still executes for a job that was cancelled. Gives what the store keeps of a
    /// success if it was done all the same.
    pub async fn end(&self) -> Result<Option<String>, Error> {
        match self {
            Ready::Import(import) => import::end(import).await.map(|()| None),
            // The run ends what is executed itself, and first of all.
            Ready::Copy(copy) => copy.done().await,
        }
    }

    /// Removes what the target keeps of a job; `is_over` if nobody goes on with it.
    pub async fn clean_up(&self, is_over: bool) -> Result<(), Error> {
        match self {
            Ready::Import(import) if is_over => import::clean_up(import).await,
            Ready::Import(_) => Ok(()),
            Ready::Copy(copy) => copy.clean_up(is_over).await,
        }
    }
}
