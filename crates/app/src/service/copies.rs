//! Copies: jobs that put databases of one instance into another, in the place of what is there.
//!
//! Promises: what is wrong with a request is said before there is a job, within [`CHECK_MAX`] and
//! what the store takes; an instance has a part in one copy at a time, from the moment that it is
//! asked for. The logins are those that the instances were registered with.
//!
//! Deliberately not here: copying itself, and databases that get another name or are not there yet.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use store::{Cancelled, Error as StoreError, Instance, Job, JobFilter, NewJob, Page, State};

use super::{Range, Refusal, imports, instances};
use crate::app::App;
use survey::Seen;

mod survey;

pub use survey::{CHECK_MAX, is_read_only};

/// The kind of these jobs in the store.
pub const KIND: &str = "copy";
/// Bytes of a gigabyte, as storage is registered.
const GIB: u64 = 1 << 30;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct NewCopy {
    /// The instance that is read.
    pub source: String,
    /// The instance that is written.
    pub target: String,
    /// The databases, which both have.
    pub databases: Vec<String>,
}

/// What a job has to know, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// When the source was registered: under its id there may be another one later.
    pub source_created_at: i64,
    /// When the target was registered.
    pub target_created_at: i64,
    /// The databases.
    pub databases: Vec<String>,
    /// Bytes that they had on the source; nothing if it did not tell in time.
    pub source_bytes: Option<u64>,
}

/// A copy as it is shown.
#[derive(Debug, Clone)]
pub struct Copy {
    /// The job; its id tells copies apart.
    pub job: Job,
    /// What it is to do.
    pub payload: Payload,
}

/// Why there is no copy.
#[derive(Debug)]
pub enum Obstacle {
    /// One of the instances is not the account's.
    NoInstance,
    /// Both are the same instance, or lead to the same server.
    SameServer,
    /// They are of different engines.
    DifferentEngine,
    /// They are in different regions.
    DifferentRegion,
    /// One of them is not of a class that may copy.
    Class,
    /// They are of an engine that cannot be copied here.
    Engine,
    /// A job works on one of them, or is about to.
    Busy,
    /// One of them does not answer, or not in time.
    NotRunning,
    /// The target takes no writes.
    Locked,
    /// One of the databases is missing on one of the sides, or is the server's own.
    NoDatabase,
    /// One of the databases takes no writes.
    DatabaseLocked,
    /// The target has no room for the databases.
    Storage,
    /// There is no such copy.
    NoCopy,
    /// It has ended.
    Ended,
    /// Anything else.
    Other(Refusal),
}

/// What unfinished jobs do with an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// A file goes into it.
    Importing,
    /// Databases of another go into it.
    Receiving,
    /// Its databases go into another.
    Giving,
}

/// The families of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Shares its machine with others.
    Shared,
    /// Has parts of its machine to itself.
    General,
    /// Has its resources to itself.
    Dedicated,
    /// Has a machine to itself.
    DedicatedHost,
}

impl Class {
    /// The family that an instance was registered with; words that are none of these are general.
    pub fn of(instance: &Instance) -> Class {
        match instance.class.to_ascii_lowercase().as_str() {
            "dedicated" | "d" => Class::Dedicated,
            "dedicated-host" | "dedicatedhost" | "h" => Class::DedicatedHost,
            "shared" | "s" => Class::Shared,
            _ => Class::General,
        }
    }

    /// Whether its databases may be copied.
    fn may_copy(self) -> bool {
        matches!(self, Class::Dedicated | Class::DedicatedHost)
    }
}

impl From<Refusal> for Obstacle {
    fn from(refusal: Refusal) -> Obstacle {
        match refusal {
            Refusal::NoInstance => Obstacle::NoInstance,
            Refusal::InstanceDown | Refusal::WrongLogin => Obstacle::NotRunning,
            Refusal::Ended => Obstacle::Ended,
            other => Obstacle::Other(other),
        }
    }
}

impl From<StoreError> for Obstacle {
    fn from(error: StoreError) -> Obstacle {
        Refusal::from(error).into()
    }
}

impl Copy {
    fn of(job: Job) -> Result<Copy, Obstacle> {
        let payload = serde_json::from_str(&job.payload)
            .map_err(|_| Refusal::Fault("read a job's payload".to_owned()))?;
        Ok(Copy { job, payload })
    }

    /// What went wrong, if something did.
    pub fn failure(&self) -> Option<imports::Failure> {
        serde_json::from_str(self.job.error.as_deref()?).ok()
    }
}

/// Checks a request and makes a job of it.
pub async fn create(app: &App, account: i64, new: NewCopy) -> Result<Copy, Obstacle> {
    let target = one(app, account, &new.target).await?;
    let source = one(app, account, &new.source).await?;
    check_instances(&source, &target)?;
    let doing = doing(app, account).await?;
    if doing.contains_key(&source.id) || doing.contains_key(&target.id) {
        return Err(Obstacle::Busy);
    }
    let databases = &new.databases;
    let (there, here) = tokio::try_join!(
        survey::look(app, &source, databases),
        survey::look(app, &target, databases)
    )?;
    check_servers(&new, &target, &there, &here)?;
    let payload = Payload {
        source_created_at: source.created_at,
        target_created_at: target.created_at,
        databases: new.databases.clone(),
        source_bytes: there.bytes,
    };
    let payload = serde_json::to_string(&payload)
        .map_err(|_| Refusal::Fault("write a job's payload".to_owned()))?;
    let exclusive = format!("copy {}", target.id);
    let job = NewJob {
        kind: KIND,
        instance_id: &target.id,
        source_instance_id: Some(&source.id),
        exclusive_key: Some(&exclusive),
        idempotency: None,
        payload: &payload,
        secret: None,
    };
    let job = match app.store.enqueue(account, &job, app.clock.now_ms()).await {
        Ok(enqueued) => enqueued.job,
        Err(StoreError::Conflict(_)) => return Err(Obstacle::Busy),
        Err(error) => return Err(error.into()),
    };
    give_way(app, &job).await?;
    app.work.notify_one();
    Copy::of(job)
}

async fn one(app: &App, account: i64, id: &str) -> Result<Instance, Obstacle> {
    Ok(instances::any(app, account, id).await?)
}

/// What can be told without asking the servers.
fn check_instances(source: &Instance, target: &Instance) -> Result<(), Obstacle> {
    if source.id == target.id {
        return Err(Obstacle::SameServer);
    }
    if source.engine != target.engine {
        return Err(Obstacle::DifferentEngine);
    }
    if source.region != target.region {
        return Err(Obstacle::DifferentRegion);
    }
    if !Class::of(source).may_copy() || !Class::of(target).may_copy() {
        return Err(Obstacle::Class);
    }
    match source.engine {
        store::Engine::MySql | store::Engine::MariaDb => Ok(()),
        store::Engine::SqlServer => Err(Obstacle::Engine),
    }
}

/// What the servers told.
fn check_servers(
    new: &NewCopy,
    target: &Instance,
    there: &Seen,
    here: &Seen,
) -> Result<(), Obstacle> {
    if there.server == here.server {
        return Err(Obstacle::SameServer);
    }
    if here.is_read_only {
        return Err(Obstacle::Locked);
    }
    let is_there = |name: &String| there.databases.contains(name) && here.databases.contains(name);
    if !new.databases.iter().all(is_there) {
        return Err(Obstacle::NoDatabase);
    }
    if new.databases.iter().any(|name| here.locked.contains(name)) {
        return Err(Obstacle::DatabaseLocked);
    }
    // The old databases stay until the new ones are complete.
    let room = u64::from(target.storage_gb).saturating_mul(GIB);
    let used = here.used_bytes.or(target.used_bytes).unwrap_or_default();
    let needed = there.bytes.unwrap_or_default();
    if room > 0 && used.saturating_add(needed) >= room {
        return Err(Obstacle::Storage);
    }
    Ok(())
}

/// Of copies that came at the same moment and share an instance, the first stays: ids are in the
/// order in which jobs become visible.
async fn give_way(app: &App, job: &Job) -> Result<(), Obstacle> {
    let uses = |other: &Job, id: &str| {
        other.instance_id == id || other.source_instance_id.as_deref() == Some(id)
    };
    let source = job.source_instance_id.as_deref().unwrap_or_default();
    let others = unfinished(app, job.account).await?;
    let is_late = others.iter().any(|other| {
        let is_shared = uses(other, &job.instance_id) || uses(other, source);
        other.kind == KIND && other.id < job.id && is_shared
    });
    if !is_late {
        return Ok(());
    }
    match app.store.cancel(job.account, job.id, app.clock.now_ms()).await {
        Ok(Cancelled::Requested) => app.cancelled.notify_waiters(),
        Ok(Cancelled::AtOnce) => {}
        Err(error) => return Err(error.into()),
    }
    Err(Obstacle::Busy)
}

async fn unfinished(app: &App, account: i64) -> Result<Vec<Job>, Refusal> {
    let filter = JobFilter { states: &[State::Queued, State::Running], ..JobFilter::ALL };
    Ok(app.store.jobs(account, &filter, 0, store::PAGE_MAX).await?.items)
}

/// What unfinished jobs do with an account's instances; of those jobs at most [`store::PAGE_MAX`].
/// A job that waits counts: whoever asked for it looks at once whether it has ended.
pub async fn doing(app: &App, account: i64) -> Result<HashMap<String, Doing>, Refusal> {
    let mut doing = HashMap::new();
    for job in unfinished(app, account).await? {
        match job.source_instance_id {
            Some(source) => {
                doing.insert(job.instance_id, Doing::Receiving);
                doing.insert(source, Doing::Giving);
            }
            None => {
                doing.entry(job.instance_id).or_insert(Doing::Importing);
            }
        }
    }
    Ok(doing)
}

/// An account's copy into an instance by its id.
pub async fn find(app: &App, account: i64, target: &str, id: i64) -> Result<Copy, Obstacle> {
    one(app, account, target).await?;
    match app.store.job(account, id).await {
        Ok(job) if job.kind == KIND && job.instance_id == target => Copy::of(job),
        Ok(_) | Err(StoreError::NotFound) => Err(Obstacle::NoCopy),
        Err(error) => Err(error.into()),
    }
}

/// An account's copies into an instance that pass a filter, the newest first.
pub async fn list(
    app: &App,
    account: i64,
    target: &str,
    filter: JobFilter<'_>,
    range: Range,
) -> Result<Page<Copy>, Obstacle> {
    one(app, account, target).await?;
    let (offset, limit) = range.numbers();
    let filter = JobFilter { kind: Some(KIND), instance: Some(target), ..filter };
    let page = app.store.jobs(account, &filter, offset, limit).await?;
    let items = page.items.into_iter().map(Copy::of).collect::<Result<_, _>>()?;
    Ok(Page { items, total: page.total })
}

/// Cancels a copy that has not ended: the target keeps what it has.
pub async fn cancel(app: &App, account: i64, target: &str, id: i64) -> Result<(), Obstacle> {
    let copy = find(app, account, target, id).await?;
    match app.store.cancel(account, copy.job.id, app.clock.now_ms()).await? {
        Cancelled::AtOnce => {}
        // Another process that works on it asks at its next beat.
        Cancelled::Requested => app.cancelled.notify_waiters(),
    }
    Ok(())
}

/// All databases of an account's instance.
pub async fn databases(
    app: &App,
    account: i64,
    id: &str,
) -> Result<(Instance, Vec<instances::Database>), Obstacle> {
    let instance = one(app, account, id).await?;
    match instance.engine {
        store::Engine::MySql | store::Engine::MariaDb => {}
        store::Engine::SqlServer => return Err(Obstacle::Engine),
    }
    let databases = instances::databases(app, &instance).await?;
    Ok((instance, databases))
}
