//! A job that copies databases of one instance into another: from the job in the store to a run of
//! the engine.
//!
//! Each attempt has a tag of its own and takes over what those before it have left: what of theirs is
//! still under way finds none of its tables any more. Promises: what the target shows is replaced
//! wholly or not at all, and a job that is over leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

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
    /// The engine has come to its end, and has tidied up behind itself.
    is_tidy: AtomicBool,
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
    Ok(Ready {
        source: instances::as_administrator(app, &source).await.map_err(refused)?,
        target: instances::as_administrator(app, &target).await.map_err(refused)?,
        options: options(app, &payload, target.engine, (tag, Past::ResumeOf(tags.clone()))),
        names: format!("{PREFIX}{tags}"),
        source_bytes: payload.source_bytes,
        is_tidy: AtomicBool::new(false),
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
) -> Options {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = if app.settings.lanes == 0 { cores } else { app.settings.lanes };
    Options {
        databases: payload.pairs(),
        lanes: lanes.min(LANES_MAX),
        verify: match payload.verify {
            Verify::None => Verified::None,
            Verify::Rows => Verified::Rows,
            Verify::Checksum => Verified::Checksum,
        },
        replace: payload.replace,
        definer: Definer::Keep,
        load_data: true,
        chunk_bytes: CHUNK_BYTES,
        collations: BTreeMap::new(),
        skip_unsupported: payload.skip_unsupported,
        throttle: app.settings.copies.limits(instances::family(engine)),
        tag,
        past,
    }
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
        let report = match &outcome {
            Ok(report) => report,
            Err(failure) => failure.report.as_ref(),
        };
        // A server that went away may be back when the job's end is told.
        let is_tidy = report.left_behind.is_empty() && !report.resumable && report.published;
        self.is_tidy.store(is_tidy, Ordering::Relaxed);
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

    /// Removes what a job that is over has left. Until then the next attempt goes on with it.
    pub async fn clean_up(&self, is_over: bool) -> Result<(), Error> {
        match is_over && !self.is_tidy.load(Ordering::Relaxed) {
            true => self.tidy().await,
            false => Ok(()),
        }
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
