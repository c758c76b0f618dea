//! A job that copies databases of one instance into another: from the job in the store to a run of
//! the engine.
//!
//! Each attempt has a tag of its own and takes over what those before it have left: what of theirs is
//! still under way finds none of its tables any more. Promises: what the target shows is replaced
//! wholly or not at all, and once: the target remembers until the store knows. A job that is over leaves
//! nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use engine::copy::chunk::CHUNK_BYTES;
use engine::copy::course::PUBLISHING;
use engine::copy::finding::Finding;
use engine::copy::past::{Past, Wait};
use engine::copy::report::{Report, Verified};
use engine::copy::staging::{PREFIX, Staging};
use engine::copy::{self, LANES_MAX, Options};
use engine::endpoint::{Endpoint, Family};
use engine::error::{Error, ErrorKind, Side};
use engine::import::Surroundings;
use engine::import::guard::Definer;
use engine::import::table::literal;
use engine::mysql::conn::Conn;
use store::{Claimed, Instance};

use super::import::refused;
use crate::app::App;
use crate::service::copies::{Payload, Progress, Success, Verify};
use crate::service::instances::{self, sql_server};

/// Digits of the job's public id that its tags begin with; a tag has 32 at most.
const TAG_DIGITS: usize = 24;
/// Percent when all rows are in: comparing and publishing are still to come.
const ROWS_PERCENT: u64 = 90;

/// What a job tells of that was left out.
const LEFT_OUT_MAX: usize = 100;

/// Everything that a run needs.
pub struct Ready {
    source: Endpoint,
    target: Endpoint,
    options: Options,
    /// How the names of what all attempts make on the target begin.
    names: String,
    source_bytes: Option<u64>,
    /// Nobody has worked on the job before.
    is_first: bool,
}

/// Gathers what the run needs; the passwords leave the store here.
pub async fn prepare(app: &App, claimed: &Claimed) -> Result<Ready, Error> {
    let job = &claimed.job;
    let payload: Payload =
        serde_json::from_str(&job.payload).map_err(|_| faulty("read the job's payload"))?;
    let source = job.source_instance_id.as_deref().ok_or_else(|| faulty("a copy has a source"))?;
    let source = one(app, job.account, source, payload.source_created_at).await?;
    let target = one(app, job.account, &job.instance_id, payload.target_created_at).await?;
    // The number begins with a letter that the digits do not have.
    let tags = format!("{}n", job.public_id.get(..TAG_DIGITS).unwrap_or(&job.public_id));
    let tag = format!("{tags}{}", job.attempt);
    let mut options = options(app, &payload, target.engine, (tag, Past::ResumeOf(tags.clone())))?;
    if options.throttle.lag_seconds_max.is_some() {
        options.throttle.replicas = replicas(app, &payload, &target).await?;
    }
    Ok(Ready {
        source: instances::as_administrator(app, &source).await.map_err(refused)?,
        target: instances::as_administrator(app, &target).await.map_err(refused)?,
        options,
        names: format!("{PREFIX}{tags}"),
        source_bytes: payload.source_bytes,
        is_first: job.attempt <= 1,
    })
}

async fn one(app: &App, account: i64, id: &str, created_at: i64) -> Result<Instance, Error> {
    let instance = instances::any(app, account, id).await.map_err(refused)?;
    match instance.created_at == created_at {
        true => Ok(instance),
        false => Err(faulty("an instance was removed, and another registered under its id")),
    }
}

fn options(
    app: &App,
    payload: &Payload,
    engine: store::Engine,
    (tag, past): (String, Past),
) -> Result<Options, Error> {
    let settings = &app.settings.copies;
    let definer = payload.definer.as_deref().map_or_else(|| settings.definer(), Definer::parse);
    let mut throttle = settings.limits(instances::family(engine));
    if let Some(own) = payload.replica_lag_seconds_max {
        let seconds = throttle.lag_seconds_max.map_or(own, |seconds| seconds.min(own));
        throttle.lag_seconds_max = Some(seconds);
    }
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = if app.settings.lanes == 0 { cores } else { app.settings.lanes };
    Ok(Options {
        databases: payload.pairs(),
        lanes: lanes.min(LANES_MAX),
        verify: match payload.verify {
            Verify::None => Verified::None,
            Verify::Rows => Verified::Rows,
            Verify::Checksum => Verified::Checksum,
        },
        replace: payload.replace,
        definer: definer.map_err(|_| faulty("read what becomes of definers"))?,
        load_data: true,
        chunk_bytes: CHUNK_BYTES,
        collations: BTreeMap::new(),
        skip_unsupported: payload.skip_unsupported,
        throttle,
        tag,
        past,
    })
}

/// The replicas that the request and the settings name; without any, the target is asked for them.
async fn replicas(app: &App, payload: &Payload, target: &Instance) -> Result<Vec<Endpoint>, Error> {
    let mut endpoints = Vec::new();
    for replica in &payload.replicas {
        let replica = one(app, target.account, &replica.id, replica.created_at).await?;
        endpoints.push(instances::as_administrator(app, &replica).await.map_err(refused)?);
    }
    let settings = app.settings.copies.replicas.get(&target.id).into_iter().flatten();
    let is_named = |id: &&String| payload.replicas.iter().any(|replica| replica.id == **id);
    for id in settings.filter(|id| !is_named(id)) {
        let replica = instances::any(app, target.account, id).await.map_err(|refusal| {
            let mut error = refused(refusal);
            error.message = format!("the replica {id} of the settings: {}", error.message);
            error
        })?;
        endpoints.push(instances::as_administrator(app, &replica).await.map_err(refused)?);
    }
    Ok(endpoints)
}

impl Ready {
    /// The target's databases, sorted.
    pub fn databases(&self) -> Vec<Option<&str>> {
        let names = self.options.databases.iter().map(|(_, name)| Some(name.as_str()));
        let mut names: Vec<Option<&str>> = names.collect();
        names.sort_unstable();
        names
    }

    /// Runs the copy; gives what the store keeps of a success.
    pub async fn run(&self, surroundings: &Surroundings) -> Result<String, Error> {
        let outcome = copy::run(&self.source, &self.target, &self.options, surroundings).await;
        outcome.map(|report| succeeded(&report)).map_err(|failure| {
            let mut error = self.in_their_words(failure.error);
            if error.side == Side::Source {
                error.message = format!("on the source: {}", error.message);
            }
            if !failure.report.left_behind.is_empty() {
                error.message = format!("{} (left on the target: {})", error.message, self.names);
            }
            error
        })
    }

    /// What the store keeps of a job that was cancelled before its worker saw that an earlier attempt had done
    /// all of it; nothing if none had.
    pub async fn done(&self) -> Result<Option<String>, Error> {
        if self.is_first {
            return Ok(None);
        }
        let shown = copy::shown(&self.source, &self.target, &self.options).await?;
        Ok(shown.map(|report| succeeded(&report)))
    }

    /// An error that names the databases as who asked for the copy knows them.
    fn in_their_words(&self, mut error: Error) -> Error {
        let staging = Staging::new(&self.options.tag, &self.options.databases);
        // The last ones first: the name of the tenth begins like that of the first.
        for (index, (name, _)) in self.options.databases.iter().enumerate().rev() {
            let own = staging.of(index);
            error.message = error.message.replace(own, name);
            for part in [&mut error.object.schema, &mut error.object.table].into_iter().flatten() {
                *part = part.replace(own, name);
            }
        }
        error
    }

    /// Undoes what all attempts have left on the target. One of a process that still lives, or whose
    /// connections are still to go, has to end first.
    async fn tidy(&self) -> Result<(), Error> {
        let found = remains(&self.target, &self.names).await?;
        for tag in found.iter().filter_map(|name| tag_of(name)).collect::<BTreeSet<_>>() {
            for repaired in copy::repair(&self.target, Some(tag), Wait::Ended).await? {
                tracing::info!(tag, what = repaired.what, "tidied up after an attempt");
            }
        }
        let found = remains(&self.target, &self.names).await?;
        match found.is_empty() {
            true => Ok(()),
            false => {
                let text = "an earlier attempt still works on the target";
                Err(Error::new(ErrorKind::Unreachable, Side::Target, text))
            }
        }
    }

    /// How far it is, as the store keeps it. The percentage is a guess: the source estimates its
    /// size.
    pub fn told(&self, surroundings: &Surroundings) -> (String, u8) {
        let progress = &surroundings.progress;
        let told = Progress {
            bytes: progress.applied_bytes.load(Ordering::Relaxed),
            source_bytes: self.source_bytes,
            rows: progress.applied_rows.load(Ordering::Relaxed),
            expected_rows: progress.expected_rows.load(Ordering::Relaxed),
            activity: progress.activity(),
            paused: progress.pause(),
        };
        // By rows where they are estimated: those of earlier attempts count, whose bytes nobody knows.
        let part = |done: u64, all: u64| match all {
            0 => 0,
            _ => (done.saturating_mul(ROWS_PERCENT) / all).min(ROWS_PERCENT),
        };
        let percent = match told.expected_rows {
            0 => part(told.bytes, told.source_bytes.unwrap_or_default()),
            rows => part(told.rows, rows),
        };
        let text = serde_json::to_string(&told).unwrap_or_default();
        (text, u8::try_from(percent).unwrap_or(0))
    }

    /// Removes what a job that is over has left. Until then the next attempt goes on with it, or sees that
    /// there is nothing to do.
    pub async fn clean_up(&self, is_over: bool) -> Result<(), Error> {
        if is_over { self.tidy().await } else { Ok(()) }
    }
}

/// Not while the databases change places: whether it was cancelled has one answer.
pub fn may_be_dropped(surroundings: &Surroundings) -> bool {
    surroundings.progress.activity() != PUBLISHING
}

fn succeeded(report: &Report) -> String {
    let rows: u64 = report.tables.values().map(|table| table.rows).sum();
    let bytes: u64 = report.tables.values().map(|table| table.bytes).sum();
    let success = Success {
        tables: report.tables.len() as u64,
        rows,
        bytes,
        objects: report.objects,
        seconds: report.seconds,
        paused_seconds: report.throttle.as_ref().map_or(0.0, |throttle| throttle.paused_seconds),
        left_behind: report.left_behind.clone(),
        left_out: report.findings.iter().take(LEFT_OUT_MAX).map(left_out).collect(),
    };
    serde_json::to_string(&success).unwrap_or_default()
}

/// The target's databases that attempts have made.
async fn remains(target: &Endpoint, names: &str) -> Result<Vec<String>, Error> {
    if target.family == Family::SqlServer {
        let mut session = sql_server::connect(target).await?;
        let found = sql_server::beginning(&mut session, names).await;
        session.close().await;
        return found;
    }
    let sql = format!(
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE LEFT(SCHEMA_NAME, {}) = {}",
        names.len(),
        literal(names)
    );
    let mut conn = Conn::open(target, "copy").await?;
    let rows = conn.rows(&sql).await;
    conn.close().await;
    Ok(rows?.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
}

/// Without what a server said, which may quote values.
fn left_out(finding: &Finding) -> String {
    format!("{}: {}", finding.object, finding.what)
}

/// The tag in the name of a database that an attempt has made.
fn tag_of(name: &str) -> Option<&str> {
    name.strip_prefix(PREFIX)?.split('_').next()
}

fn faulty(what: &str) -> Error {
    Error::new(ErrorKind::Internal, Side::Internal, what)
}
