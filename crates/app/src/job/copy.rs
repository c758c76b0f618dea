//! A job that copies databases of one instance into another: from the job in the store to a run of
//! the engine.
//!
//! A copy cannot be taken up where it was: each attempt begins at the start, under a tag of its own.
//! Promises: what the target shows is replaced wholly or not at all; an attempt that was dropped
//! before it published leaves nothing behind. What an attempt of a process that died has left on
//! the target is not touched, for it may hold what was there before: the job fails and names it.

use std::sync::atomic::{AtomicBool, Ordering};

use engine::copy::chunk::CHUNK_BYTES;
use engine::copy::report::{Report, Verified};
use engine::copy::staging::{PREFIX, Staging};
use engine::copy::{self, LANES_MAX, Options};
use engine::endpoint::Endpoint;
use engine::error::{Error, ErrorKind, Side};
use engine::import::Surroundings;
use engine::import::guard::Definer;
use engine::import::table::literal;
use engine::mysql::conn::Conn;
use engine::mysql::facts::Flavor;
use serde_json::json;
use store::{Claimed, Instance};

use super::import::refused;
use crate::app::App;
use crate::service::copies::Payload;
use crate::service::instances;

/// Digits of the job's public id that its tags begin with.
const TAG_DIGITS: usize = 12;
/// Databases that a message names; of more it says how many there are.
const NAMED_MAX: usize = 6;
/// What the engine says it does while the target's databases change places.
const PUBLISHING: &str = "publishing";
/// Percent when all rows are in: comparing and publishing are still to come.
const ROWS_PERCENT: u64 = 90;

/// Everything that a run needs.
pub struct Ready {
    source: Endpoint,
    target: Endpoint,
    flavor: Flavor,
    options: Options,
    /// How the tags of all attempts begin.
    tags: String,
    attempt: u32,
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
    let flavor = match target.engine {
        store::Engine::MariaDb => Flavor::MariaDb,
        store::Engine::MySql | store::Engine::SqlServer => Flavor::MySql,
    };
    let tags = format!("{}_", job.public_id.get(..TAG_DIGITS).unwrap_or(&job.public_id));
    let tag = format!("{tags}{}", job.attempt);
    Ok(Ready {
        source: instances::as_administrator(app, &source).await.map_err(refused)?,
        target: instances::as_administrator(app, &target).await.map_err(refused)?,
        flavor,
        options: options(app, payload.databases, tag),
        tags,
        attempt: job.attempt,
        source_bytes: payload.source_bytes,
        is_tidy: AtomicBool::new(false),
    })
}

async fn one(app: &App, account: i64, id: &str, created_at: i64) -> Result<Instance, Error> {
    let instance = instances::find(app, account, id).await.map_err(refused)?;
    match instance.created_at == created_at {
        true => Ok(instance),
        false => Err(faulty("an instance was removed, and another registered under its id")),
    }
}

fn options(app: &App, databases: Vec<String>, tag: String) -> Options {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = if app.settings.lanes == 0 { cores } else { app.settings.lanes };
    Options {
        databases: databases.into_iter().map(|name| (name.clone(), name)).collect(),
        lanes: lanes.min(LANES_MAX),
        verify: Verified::Checksum,
        replace: true,
        definer: Definer::Keep,
        load_data: true,
        chunk_bytes: CHUNK_BYTES,
        tag,
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
        if self.attempt > 1 {
            self.check_remains().await?;
        }
        let outcome = copy::run(&self.source, &self.target, &self.options, surroundings).await;
        let left = match &outcome {
            Ok(report) => &report.left_behind,
            Err(failure) => &failure.report.left_behind,
        };
        // A server that went away may be back when the job's end is told.
        let is_tidy = left.is_empty() || !may_be_dropped(surroundings);
        self.is_tidy.store(is_tidy, Ordering::Relaxed);
        outcome.map(|report| succeeded(&report)).map_err(|failure| {
            let mut error = failure.error;
            if error.side == Side::Source {
                error.message = format!("on the source: {}", error.message);
            }
            if !failure.report.left_behind.is_empty() {
                let named = named(&failure.report.left_behind);
                error.message = format!("{} (left on the target: {named})", error.message);
            }
            error
        })
    }

    /// Fails if an earlier attempt has left databases on the target.
    async fn check_remains(&self) -> Result<(), Error> {
        let mut conn = Conn::open(&self.target, "copy").await?;
        let begin = format!("{PREFIX}{}", self.tags);
        let rows = conn
            .rows(&format!(
                "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE LEFT(SCHEMA_NAME, {}) = \
                 {} ORDER BY SCHEMA_NAME",
                begin.len(),
                literal(&begin)
            ))
            .await?;
        conn.close().await;
        let left: Vec<String> =
            rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect();
        if left.is_empty() {
            return Ok(());
        }
        let text = format!(
            "an earlier attempt was broken off, and it is not known how far it was: look at the target's \
             databases, then drop {}",
            named(&left)
        );
        Err(Error::new(ErrorKind::Refused, Side::Target, text))
    }

    /// How far it is, as the store keeps it. The percentage is a guess: the source estimates its
    /// size.
    pub fn told(&self, surroundings: &Surroundings) -> (String, u8) {
        let progress = &surroundings.progress;
        let bytes = progress.applied_bytes.load(Ordering::Relaxed);
        let percent = match self.source_bytes {
            Some(size) if size > 0 => (bytes.saturating_mul(ROWS_PERCENT) / size).min(ROWS_PERCENT),
            _ => 0,
        };
        let text = json!({
            "bytes": bytes,
            "source_bytes": self.source_bytes,
            "rows": progress.applied_rows.load(Ordering::Relaxed),
            "activity": progress.activity(),
        });
        (text.to_string(), u8::try_from(percent).unwrap_or(0))
    }

    /// Removes what a run that was dropped has left. It had not begun to publish, so that all of it
    /// is its own.
    pub async fn clean_up(&self) -> Result<(), Error> {
        if self.is_tidy.load(Ordering::Relaxed) {
            return Ok(());
        }
        let mut staging = Staging::new(&self.options.tag, &self.options.databases);
        let left = staging.remove(&self.target, self.flavor).await;
        if left.is_empty() {
            return Ok(());
        }
        Err(faulty(&format!("left on the target: {}", named(&left))))
    }
}

/// Not while the databases change places.
pub fn may_be_dropped(surroundings: &Surroundings) -> bool {
    surroundings.progress.activity() != PUBLISHING
}

fn succeeded(report: &Report) -> String {
    let rows: u64 = report.tables.values().map(|table| table.rows).sum();
    let bytes: u64 = report.tables.values().map(|table| table.bytes).sum();
    json!({
        "tables": report.tables.len(),
        "rows": rows,
        "bytes": bytes,
        "objects": report.objects,
        "seconds": report.seconds,
        "left_behind": report.left_behind,
    })
    .to_string()
}

fn named(databases: &[String]) -> String {
    let shown = databases.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match databases.len().checked_sub(NAMED_MAX) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        _ => shown,
    }
}

fn faulty(what: &str) -> Error {
    Error::new(ErrorKind::Internal, Side::Internal, what)
}
