//! Import: a dump file into a server, with the outcome of the stock client.
//!
//! The way of a file: [`feed`] reads it on its own thread and hands out steps; [`dispatch`] gives
//! shared batches to [`lanes`] and everything else to the [`main_connection`]; [`session`] is the
//! state that lanes take over from it. Promises the prefix rule: at every moment, after any failure,
//! the target shows what the stock client makes of some prefix of the file. No HTTP, no job table,
//! no drawing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use dump::rules::{Client, Rules};
use dump::source::Input;
use dump::token::Target;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Side};
use crate::mysql::conn::Conn;
use crate::mysql::facts::{self, Flavor, ServerFacts};
use crate::run::budget::Budget;
use crate::run::failpoint;
use crate::run::progress::Progress;
use crate::run::stop::Stop;
use feed::{FeedOptions, Step};
use fence::Fence;
use guard::{Definer, Guard, Policy};
use ledger::{Identity, JOB};
use main_connection::MainConnection;
use report::{Failure, Report};
use resume::{Beginning, Resume};

pub mod again;
pub mod batch;
pub mod dispatch;
pub mod excerpt;
pub mod existing;
pub mod fast;
pub mod feed;
pub mod fence;
pub mod guard;
pub mod indexes;
pub mod lane;
pub mod lanes;
pub mod ledger;
pub mod load;
pub mod main_connection;
pub mod plan;
pub mod precheck;
pub mod report;
pub mod resume;
pub mod session;
pub mod table;

/// The longest INSERT that is sent whole unless told, in bytes; longer ones go in pieces of one
/// transaction. The stock clients send no longer ones unless told.
pub const WHOLE_MAX: usize = 16 << 20;
/// The most lanes that may be asked for.
pub const LANES_MAX: usize = 64;

/// How to import.
#[derive(Clone, Debug)]
pub struct Options {
    /// Connections that execute batches side by side; 0 keeps everything in order on one.
    pub lanes: usize,
    /// Bytes of statements in one batch, see [`batch::BATCH_BYTES`].
    pub batch_bytes: usize,
    /// Bytes of an INSERT above which it goes in pieces, see [`WHOLE_MAX`].
    pub whole_bytes: usize,
    /// What the file may do.
    pub guard: Guard,
    /// Rows may go as LOAD DATA LOCAL where that is proven the same.
    pub load_data: bool,
    /// Keys of tables that the file makes may be built after their rows.
    pub defer_indexes: bool,
    /// As the stock clients' `--binary-mode`.
    pub binary_mode: bool,
    /// Whether to go on where an import of the same file died.
    pub resume: Resume,
    /// The job that this import is for. Its ledger is the job's alone, and stays after any end until
    /// [`resume::give_up_job`]: whoever keeps the job can then be killed before it has written down
    /// that the import is over.
    pub job: Option<Fence>,
}

/// What the run shares with its surroundings.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// Counted while it runs.
    pub progress: Arc<Progress>,
    /// Stops it.
    pub stop: Stop,
}

/// The stock client whose reading rules suit a server.
pub fn target_of(facts: &ServerFacts) -> Target {
    let server = match facts.flavor {
        Flavor::MariaDb => Client::MariaDb,
        Flavor::MySql => Client::MySql,
    };
    let (major, minor, patch) = facts.version;
    let version = u32::from(major) * 10_000 + u32::from(minor) * 100 + u32::from(patch);
    Target { server, version }
}

/// What an import by itself does not know: that it is one of several attempts ([`again`]).
#[derive(Clone, Copy, Debug, Default)]
struct Attempt {
    /// Another attempt may follow when connections are lost: indexes that wait go on waiting.
    may_come_again: bool,
    /// Earlier attempts counted what is in up to this byte of the decoded text.
    counted_to: Option<u64>,
}

/// Imports `input` into the server at `endpoint`. Ends when a connection is lost that it cannot do
/// without; see [`again::run`].
pub async fn run(
    input: Input,
    endpoint: &Endpoint,
    options: &Options,
    surroundings: &Surroundings,
) -> Result<Report, Failure> {
    run_once(input, endpoint, options, surroundings, Attempt::default()).await
}

async fn run_once(
    input: Input,
    endpoint: &Endpoint,
    options: &Options,
    surroundings: &Surroundings,
    attempt: Attempt,
) -> Result<Report, Failure> {
    let name = input.name.clone();
    let opened = tokio::select! {
        opened = open((&name, input.size), endpoint, options) => opened,
        () = surroundings.stop.asked() => Err(lanes::interrupted()),
    };
    let Opened { facts, beginning, conn } =
        opened.map_err(|error| before_the_file(error, &name))?;
    let Beginning { ledger, dead, at, deferrals, notes } = beginning;
    let target = target_of(&facts);
    let budget = budget(options);
    let resumed_from = at.as_ref().map(|at| at.position.offset);
    let feed_options = FeedOptions {
        name: name.clone(),
        rules: Rules { binary_mode: options.binary_mode, ..Rules::new(target.server) },
        target,
        guard: options.guard.clone(),
        whole_max: options.whole_bytes.min(conn.statement_bytes_max() as usize),
        batch_bytes: if options.lanes > 0 { options.batch_bytes.max(1) } else { 0 },
        writes_lines: options.lanes > 0 && load_data_off(options, &facts).is_none(),
        resume: at,
        counted_to: attempt.counted_to,
    };
    let ledger = ledger.map(|ledger| (ledger, dead.map(|dead| dead.counted).unwrap_or_default()));
    let mut main = MainConnection::new(conn, target, surroundings.stop.clone(), ledger);
    if let Err(error) = enter(&mut main, options.job.as_ref()).await {
        // One that was taken over is left to whoever has it now.
        let _ = main.withdraw(resumed_from.is_none()).await;
        return Err(before_the_file(error, &name));
    }
    let parts = dispatch::Parts {
        file: name.clone(),
        endpoint: endpoint.clone(),
        lanes: options.lanes.min(LANES_MAX),
        flavor: facts.flavor,
        load_data_off: load_data_off(options, &facts),
        defer_indexes: options.defer_indexes && options.lanes > 0,
        target,
        main,
        progress: Arc::clone(&surroundings.progress),
        stop: surroundings.stop.clone(),
        resumed_from,
        notes,
        deferrals,
        keeps_ledger: options.job.is_some(),
        may_come_again: attempt.may_come_again,
    };
    let started = Instant::now();
    let (sender, steps) = feed::steps();
    let progress = Arc::clone(&surroundings.progress);
    let reader = input.reader;
    let read = move || feed::run(reader, feed_options, budget, progress, sender);
    let thread = thread(read).map_err(|error| before_the_file(error, &name))?;
    let mut outcome = dispatched(parts, steps, &name).await;
    // A reader that waits for a silent pipe is left behind; the process ends without it.
    if thread.is_finished() {
        let _ = thread.join();
    }
    let report = report_of(&mut outcome);
    report.took(started.elapsed());
    surroundings.progress.applied_bytes.fetch_max(report.applied_offset, Ordering::Relaxed);
    outcome
}

/// What was done, however it ended.
fn report_of(outcome: &mut Result<Report, Failure>) -> &mut Report {
    match outcome {
        Ok(report) => report,
        Err(failure) => &mut failure.report,
    }
}

/// From here on something may be written. Whoever is given the job later ends the main connection,
/// which has signed; so it is enough to ask once, now, whether somebody was given it before.
async fn enter(main: &mut MainConnection, fence: Option<&Fence>) -> crate::error::Result<()> {
    main.sign().await?;
    failpoint::pass("before asking");
    if let Some(fence) = fence
        && !fence.holds().await
    {
        return Err(fence::superseded());
    }
    failpoint::pass("before the file");
    Ok(())
}

fn thread(
    read: impl FnOnce() + Send + 'static,
) -> crate::error::Result<std::thread::JoinHandle<()>> {
    std::thread::Builder::new().name("dump reader".to_owned()).spawn(read).map_err(|error| {
        let text = "start the reading thread";
        Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error)
    })
}

/// Runs the dispatcher as a task: on a runtime's own thread each answer of the server takes one
/// hand-over between threads less than where the caller blocks. Dropped, it ends the task.
async fn dispatched(
    parts: dispatch::Parts,
    mut steps: mpsc::Receiver<Step>,
    name: &str,
) -> Result<Report, Failure> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move { Box::pin(dispatch::run(parts, &mut steps)).await });
    match tasks.join_next().await {
        Some(Ok(outcome)) => outcome,
        Some(Err(error)) => {
            let text = "the dispatching task ended without a word";
            let error = Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error);
            Err(before_the_file(error, name))
        }
        None => {
            let error = Error::new(ErrorKind::Internal, Side::Internal, "no dispatching task");
            Err(before_the_file(error, name))
        }
    }
}

/// What there has to be before the file is read.
struct Opened {
    facts: ServerFacts,
    beginning: Beginning,
    conn: Conn,
}

async fn open(
    (name, size): (&str, Option<u64>),
    endpoint: &Endpoint,
    options: &Options,
) -> crate::error::Result<Opened> {
    let mut main = Conn::open(endpoint, "import").await?;
    // Gathered on a connection of its own: the main one shows the file a fresh session.
    let facts = facts::gather(&mut main).await?;
    main.close().await;
    let identity = identity(name, size, endpoint, &facts, options);
    failpoint::pass("before the ledger");
    let (resume, lanes) = (options.resume, options.lanes);
    let beginning = resume::begin(endpoint, &identity, resume, lanes, options.job.as_ref()).await?;
    Ok(Opened { facts, beginning, conn: Conn::open(endpoint, "import").await? })
}

/// What an import must have in common with the one that it resumes.
fn identity(
    file: &str,
    size: Option<u64>,
    endpoint: &Endpoint,
    facts: &ServerFacts,
    options: &Options,
) -> Identity {
    let Guard { policy, allow_files, definer } = &options.guard;
    let policy = match policy {
        Policy::Deny => "deny",
        Policy::Skip => "skip",
        Policy::Allow => "allow",
    };
    let definer = match definer {
        Definer::Keep => "keep",
        Definer::Strip => "strip",
        Definer::Replace(account) => account,
    };
    let job = options.job.as_ref().map(|fence| format!("\n{JOB}{}", fence.job)).unwrap_or_default();
    let options = format!(
        "server={}\ndatabase={}\ncharset={}\ndefiner={definer}\npolicy={policy}\n\
         file access={allow_files}\nbinary mode={}{job}",
        facts.version_text,
        endpoint.database.as_deref().unwrap_or_default(),
        endpoint.default_charset,
        options.binary_mode
    );
    Identity { file: file.to_owned(), size, options }
}

/// Why no rows go as LOAD DATA, if so.
fn load_data_off(options: &Options, facts: &ServerFacts) -> Option<load::Reason> {
    match (options.load_data, facts.local_infile) {
        (false, _) => Some("LOAD DATA is switched off"),
        (true, false) => Some("the server has local_infile off: INSERT text is sent"),
        (true, true) => None,
    }
}

/// Room for what is read ahead, what is queued and what the lanes hold: rows once as statements and once
/// as lines.
fn budget(options: &Options) -> Budget {
    const AHEAD: usize = 4;
    const TWICE: u64 = 2;
    let batches = (options.lanes + AHEAD) as u64;
    Budget::new(TWICE * batches * options.batch_bytes.max(1 << 20) as u64)
}

fn before_the_file(mut error: Error, file: &str) -> Failure {
    error.object.file = Some(file.to_owned());
    Failure::before(error)
}
