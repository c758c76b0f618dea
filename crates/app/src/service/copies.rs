//! Copies: jobs that put databases of one instance into another, in the place of what is there.
//!
//! Promises: what is wrong with a request is said before there is a job, within the setting
//! `copies.check_milliseconds` and what the store takes; an instance has a part in one copy at a time,
//! from the moment that it is asked for. The logins are those that the instances were registered with.
//!
//! Some rules are a cloud's own ([`Terms`]): who asks natively may also copy between instances of any
//! class and region, between MySQL and MariaDB, and into databases of another name or that are not there
//! yet; databases of a SQL Server may have both in either case.
//!
//! Deliberately not here: copying itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use engine::copy::request;
use engine::copy::throttle::REPLICAS_MAX;
use engine::endpoint::Family;
use engine::import::guard::Definer;
use serde::{Deserialize, Serialize};
use store::{
    Cancelled, Conflict, Error as StoreError, Idempotency, Instance, Job, JobFilter, NewJob, Page,
    State, Turn,
};
use utoipa::ToSchema;

use super::{Range, Refusal, imports, instances};
use crate::app::App;
use survey::Seen;

mod survey;

pub use survey::is_read_only;

/// The kind of these jobs in the store.
pub const KIND: &str = "copy";
/// Characters of a database's name.
const NAME_MAX: usize = 64;
/// The same of SQL Server.
const SQL_SERVER_NAME_MAX: usize = 128;
/// Characters of what says what becomes of DEFINER clauses.
const DEFINER_MAX: usize = 320;
/// Seconds that a replica may be behind: a day.
pub const LAG_SECONDS_MAX: u64 = 86_400;
/// Bytes of a gigabyte, as storage is registered.
const GIB: u64 = 1 << 30;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct NewCopy {
    /// The instance that is read.
    pub source: String,
    /// The instance that is written.
    pub target: String,
    /// The databases: name on the source, name on the target.
    pub databases: Vec<(String, String)>,
    /// What the target's databases hold may be replaced.
    pub replace: bool,
    /// How rows are compared afterwards.
    pub verify: Verify,
    /// Of SQL Server what is not carried is left out and named.
    pub skip_unsupported: bool,
    /// What becomes of DEFINER clauses: `keep`, `strip` or `USER@HOST`. Without it the settings say it.
    pub definer: Option<String>,
    /// Replicas of the target that are asked besides those of the settings, by their ids.
    pub replicas: Vec<String>,
    /// Seconds that a replica may be behind; the settings may say fewer.
    pub replica_lag_seconds_max: Option<u64>,
    /// Which rules hold.
    pub terms: Terms,
    /// The request, if it may come again.
    pub request: Option<Turn>,
}

/// Which rules hold for a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terms {
    /// Alibaba Cloud's: instances of one engine and region and of certain classes; of MySQL and MariaDB
    /// both have all the databases, under the same names.
    Cloud,
    /// Ours: what can be done may be done.
    Own,
}

/// How rows are compared after a copy
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verify {
    /// Not at all
    None,
    /// They are counted on both sides
    Rows,
    /// A digest of each part of each table is computed on both sides
    #[default]
    Checksum,
}

/// What a job has to know, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// When the source was registered: under its id there may be another one later.
    pub source_created_at: i64,
    /// When the target was registered.
    pub target_created_at: i64,
    /// The databases, as the source calls them.
    pub databases: Vec<String>,
    /// Bytes that they had on the source; nothing if it did not tell in time.
    pub source_bytes: Option<u64>,
    /// What the target calls those that get another name.
    #[serde(default)]
    pub renamed: BTreeMap<String, String>,
    /// What the target's databases hold may be replaced.
    #[serde(default = "always")]
    pub replace: bool,
    /// How rows are compared afterwards.
    #[serde(default)]
    pub verify: Verify,
    /// Of SQL Server what is not carried is left out and named.
    #[serde(default)]
    pub skip_unsupported: bool,
    /// What becomes of DEFINER clauses, if the request says it.
    #[serde(default)]
    pub definer: Option<String>,
    /// Replicas of the target that the request names.
    #[serde(default)]
    pub replicas: Vec<Replica>,
    /// Seconds that a replica may be behind, if the request says it.
    #[serde(default)]
    pub replica_lag_seconds_max: Option<u64>,
}

/// An instance that is a replica of a copy's target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Its id.
    pub id: String,
    /// When it was registered.
    pub created_at: i64,
}

/// Copies that were asked for when there was no choice.
fn always() -> bool {
    true
}

impl Payload {
    /// The databases: name on the source, name on the target.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let target = |name: &String| self.renamed.get(name).unwrap_or(name).clone();
        self.databases.iter().map(|name| (name.clone(), target(name))).collect()
    }
}

/// How far a copy is
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = CopyProgress)]
pub struct Progress {
    /// Bytes of rows that were brought
    pub bytes: u64,
    /// Bytes that the databases had on the source, by its own estimate
    pub source_bytes: Option<u64>,
    /// Rows that are in
    pub rows: u64,
    /// Rows that there may be in all, by the source's estimate; 0 while that is not known
    #[serde(default)]
    pub expected_rows: u64,
    /// What it does now: mostly a table
    pub activity: String,
    /// Why it pauses, if it does: a limit of the settings `[copies]`
    #[serde(default)]
    pub paused: Option<String>,
}

/// What a copy did
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = CopySuccess)]
pub struct Success {
    /// Tables that were copied
    pub tables: u64,
    /// Their rows
    pub rows: u64,
    /// Bytes of rows that the last attempt brought
    pub bytes: u64,
    /// Views, routines, triggers, events and sequences
    pub objects: u64,
    /// How long the last attempt took
    pub seconds: f64,
    /// How long it paused meanwhile
    #[serde(default)]
    pub paused_seconds: f64,
    /// Databases of the copy on the target that could not be removed
    #[serde(default)]
    pub left_behind: Vec<String>,
    /// What was left out of a copy of SQL Server, as it was asked for; the first hundred of it
    #[serde(default)]
    pub left_out: Vec<String>,
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
    /// Both are the same instance, or lead to the same server, which would read what it writes.
    SameServer,
    /// They are of engines between which nothing is copied.
    DifferentEngine,
    /// They are in different regions.
    DifferentRegion,
    /// One of them is not of a class that may copy.
    Class,
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
    /// One of the databases cannot be used now.
    DatabaseDown,
    /// One of the target's databases holds something, and is not to be replaced.
    NotEmpty,
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
    /// How far it is, once it was begun.
    pub fn progress(&self) -> Option<Progress> {
        serde_json::from_str(self.job.progress.as_deref()?).ok()
    }

    /// What it did, once it has succeeded.
    pub fn success(&self) -> Option<Success> {
        serde_json::from_str(self.job.result.as_deref()?).ok()
    }

    pub(super) fn of(job: Job) -> Result<Copy, Obstacle> {
        let payload = serde_json::from_str(&job.payload)
            .map_err(|_| Refusal::Fault("read a job's payload".to_owned()))?;
        Ok(Copy { job, payload })
    }

    /// What went wrong, if something did.
    pub fn failure(&self) -> Option<imports::Failure> {
        serde_json::from_str(self.job.error.as_deref()?).ok()
    }
}

/// Checks a request and makes a job of it; the job of an earlier one if that request comes again.
pub async fn create(app: &App, account: i64, new: NewCopy) -> Result<Copy, Obstacle> {
    if let Some(turn) = new.request.as_ref().filter(|turn| turn.is_again) {
        match app.store.job_by_idempotency_key(account, &turn.job_key).await {
            Ok(job) => return Copy::of(job),
            Err(StoreError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let target = one(app, account, &new.target).await?;
    let source = one(app, account, &new.source).await?;
    check_instances(new.terms, &source, &target)?;
    check_names(&new, target.engine)?;
    check_definer(&new, target.engine)?;
    let replicas = replicas(app, &new, (&source, &target)).await?;
    let doing = doing(app, account).await?;
    if doing.contains_key(&source.id) || doing.contains_key(&target.id) {
        return Err(Obstacle::Busy);
    }
    let (names, targets): (Vec<String>, Vec<String>) = new.databases.iter().cloned().unzip();
    let (there, here) = tokio::try_join!(
        survey::look(app, &source, &names, false),
        survey::look(app, &target, &targets, !new.replace)
    )?;
    check_servers(&new, &target, (&there, &here))?;
    let payload = Payload {
        source_created_at: source.created_at,
        target_created_at: target.created_at,
        databases: names,
        source_bytes: there.bytes,
        renamed: new.databases.iter().filter(|(from, to)| from != to).cloned().collect(),
        replace: new.replace,
        verify: new.verify,
        skip_unsupported: new.skip_unsupported && target.engine == store::Engine::SqlServer,
        definer: new.definer.clone(),
        replicas,
        replica_lag_seconds_max: new.replica_lag_seconds_max,
    };
    let job = enqueue(app, account, (&source, &target), &payload, new.request.as_ref()).await?;
    give_way(app, &job).await?;
    app.work.notify_one();
    Copy::of(job)
}

async fn enqueue(
    app: &App,
    account: i64,
    (source, target): (&Instance, &Instance),
    payload: &Payload,
    request: Option<&Turn>,
) -> Result<Job, Obstacle> {
    let payload = serde_json::to_string(payload)
        .map_err(|_| Refusal::Fault("write a job's payload".to_owned()))?;
    let exclusive = format!("copy {}", target.id);
    let job = NewJob {
        kind: KIND,
        instance_id: &target.id,
        source_instance_id: Some(&source.id),
        exclusive_key: Some(&exclusive),
        // The same request has the same key, so nothing is left to compare.
        idempotency: request.map(|turn| Idempotency { key: &turn.job_key, digest: &turn.job_key }),
        payload: &payload,
        secret: None,
    };
    match app.store.enqueue(account, &job, app.clock.now_ms()).await {
        Ok(enqueued) => Ok(enqueued.job),
        Err(StoreError::Conflict(Conflict::Full)) => Err(Refusal::TooMany.into()),
        Err(StoreError::Conflict(_)) => Err(Obstacle::Busy),
        Err(error) => Err(error.into()),
    }
}

async fn one(app: &App, account: i64, id: &str) -> Result<Instance, Obstacle> {
    Ok(instances::any(app, account, id).await?)
}

/// What can be told without asking the servers.
fn check_instances(terms: Terms, source: &Instance, target: &Instance) -> Result<(), Obstacle> {
    if source.id == target.id {
        return Err(Obstacle::SameServer);
    }
    if terms == Terms::Cloud {
        check_cloud(source, target)?;
    }
    match instances::family(source.engine) == instances::family(target.engine) {
        true => Ok(()),
        false => Err(Obstacle::DifferentEngine),
    }
}

/// Whether the names make sense by themselves, on servers of this engine.
fn check_names(new: &NewCopy, engine: store::Engine) -> Result<(), Obstacle> {
    let family = instances::family(engine);
    let name_max = match family {
        Family::MySql => NAME_MAX,
        Family::SqlServer => SQL_SERVER_NAME_MAX,
    };
    // SQL Server counts units of UTF-16; MySQL has no name with others.
    let is_name = |name: &String| (1..=name_max).contains(&name.encode_utf16().count());
    let are_names = new.databases.iter().all(|(from, to)| is_name(from) && is_name(to));
    if !are_names || request::check(family, &new.databases, false, false).is_err() {
        return Err(ill_named(new.terms));
    }
    let is_renamed = new.databases.iter().any(|(from, to)| from != to);
    match (new.terms, family) {
        // The cloud lets databases of MySQL and MariaDB keep their names only.
        (Terms::Cloud, Family::MySql) if is_renamed => Err(Obstacle::NoDatabase),
        (Terms::Own, Family::MySql) if new.skip_unsupported => {
            Err(Refusal::Invalid("skip_unsupported").into())
        }
        _ => Ok(()),
    }
}

/// Whether DEFINER clauses can become what is asked for.
fn check_definer(new: &NewCopy, engine: store::Engine) -> Result<(), Obstacle> {
    let Some(text) = &new.definer else { return Ok(()) };
    let has_definers = instances::family(engine) == Family::MySql;
    let is_one = text.chars().count() <= DEFINER_MAX && Definer::parse(text).is_ok();
    match has_definers && is_one {
        true => Ok(()),
        false => Err(Refusal::Invalid("definer").into()),
    }
}

/// The replicas that a request names. Whether they replicate the target shows when the copy begins.
async fn replicas(
    app: &App,
    new: &NewCopy,
    (source, target): (&Instance, &Instance),
) -> Result<Vec<Replica>, Obstacle> {
    let is_asked = !new.replicas.is_empty() || new.replica_lag_seconds_max.is_some();
    if is_asked && instances::family(target.engine) != Family::MySql {
        return Err(Refusal::Invalid("replica_lag_seconds_max").into());
    }
    let own = new.replica_lag_seconds_max;
    let is_limited = own.is_some() || app.settings.copies.replica_lag_seconds_max > 0;
    let is_limit = own.is_none_or(|seconds| (1..=LAG_SECONDS_MAX).contains(&seconds));
    if !is_limit || !(new.replicas.is_empty() || is_limited) {
        return Err(Refusal::Invalid("replica_lag_seconds_max").into());
    }
    let unlike: HashSet<&String> = new.replicas.iter().collect();
    if unlike.len() < new.replicas.len() || new.replicas.len() > REPLICAS_MAX {
        return Err(Refusal::Invalid("replicas").into());
    }
    let mut found = Vec::new();
    for id in &new.replicas {
        let replica = one(app, target.account, id).await?;
        let is_other = replica.id != source.id && replica.id != target.id;
        if !is_other || instances::family(replica.engine) != Family::MySql {
            return Err(Refusal::Invalid("replicas").into());
        }
        found.push(Replica { id: replica.id, created_at: replica.created_at });
    }
    Ok(found)
}

fn ill_named(terms: Terms) -> Obstacle {
    match terms {
        Terms::Cloud => Obstacle::NoDatabase,
        Terms::Own => Refusal::Invalid("databases").into(),
    }
}

/// What only the cloud's product asks of instances.
fn check_cloud(source: &Instance, target: &Instance) -> Result<(), Obstacle> {
    if source.engine != target.engine {
        return Err(Obstacle::DifferentEngine);
    }
    if source.region != target.region {
        return Err(Obstacle::DifferentRegion);
    }
    match Class::of(source).may_copy() && Class::of(target).may_copy() {
        true => Ok(()),
        false => Err(Obstacle::Class),
    }
}

/// What the servers told.
fn check_servers(
    new: &NewCopy,
    target: &Instance,
    (there, here): (&Seen, &Seen),
) -> Result<(), Obstacle> {
    let family = instances::family(target.engine);
    check_place(new, family, there, here)?;
    if here.is_read_only {
        return Err(Obstacle::Locked);
    }
    if there.is_ambiguous || here.is_ambiguous {
        return Err(ill_named(new.terms));
    }
    let may_be_made = new.terms == Terms::Own || family == Family::SqlServer;
    let is_there = |(from, to): &(String, String)| {
        there.databases.contains(from) && (may_be_made || here.databases.contains(to))
    };
    if !new.databases.iter().all(is_there) {
        return Err(Obstacle::NoDatabase);
    }
    let is_down =
        |(from, to): &(String, String)| there.down.contains(from) || here.down.contains(to);
    if new.databases.iter().any(is_down) {
        return Err(Obstacle::DatabaseDown);
    }
    if new.databases.iter().any(|(_, to)| here.locked.contains(to)) {
        return Err(Obstacle::DatabaseLocked);
    }
    if !new.replace && new.databases.iter().any(|(_, to)| here.filled.contains(to)) {
        return Err(Obstacle::NotEmpty);
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

/// Whether both servers may have a part in it.
fn check_place(new: &NewCopy, family: Family, there: &Seen, here: &Seen) -> Result<(), Obstacle> {
    if there.server == here.server {
        // Under other names a SQL Server may hold its own copies; MySQL's stay what they are called.
        let is_apart = request::check(family, &new.databases, true, true).is_ok();
        if family == Family::MySql || !is_apart {
            return Err(Obstacle::SameServer);
        }
    }
    match new.terms == Terms::Cloud && (there.is_excluded || here.is_excluded) {
        true => Err(Obstacle::Class),
        false => Ok(()),
    }
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
    Ok(app.store.jobs(account, &filter, 0, store::OPEN_JOBS_MAX).await?.items)
}

/// What unfinished jobs, of which there are at most [`store::OPEN_JOBS_MAX`], do with an account's instances.
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

/// All databases of an account's instance, which has as long for telling them as before a copy.
pub async fn databases(
    app: &App,
    account: i64,
    id: &str,
) -> Result<(Instance, Vec<instances::Database>), Obstacle> {
    let instance = one(app, account, id).await?;
    let databases = instances::databases(app, &instance, app.settings.copies.check_max()).await?;
    Ok((instance, databases))
}
