//! `dbferry import`: arguments, the run, and what is said at its end.
//!
//! With `--json` stdout gets one document (`dbferry.import/1`, see docs/import.schema.json) whatever
//! happens; people read stderr.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use dump::source::{Input, STDIN, Source};
use engine::endpoint::Endpoint;
use engine::error::{Error, ErrorKind, Side};
use engine::import::again::SERVER_WAIT;
use engine::import::batch::BATCH_BYTES;
use engine::import::guard::{Definer, Guard, Policy};
use engine::import::report::{Failure, Report};
use engine::import::resume::{Resume, Unsure};
use engine::import::{self, LANES_MAX, Options, Surroundings, WHOLE_MAX, again};
use engine::run::progress::Progress;
use engine::run::stop::Stop;

use super::connection::{self, Target};
use super::progress_bar::{self, Consumed};
use super::{Exit, address, complain, print, say};

mod dry_run;
mod outcome;
mod speed;

/// What there is for a SQL Server.
const INSTEAD: &str = "databases of a SQL Server are copied by dbferry copy --from mssql://… --to \
                       mssql://…";

/// Arguments of `dbferry import`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The dump: a path, an http or https URL, s3://BUCKET/KEY, or - for standard input. gzip, zstd, bzip2, xz and zip are recognised
    pub file: String,
    #[command(flatten)]
    target: Target,
    /// Connections that load side by side [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=LANES_MAX as i64))]
    threads: Option<u16>,
    /// One connection, every statement by itself, exactly as the stock client does it
    #[arg(long, conflicts_with = "threads")]
    serial: bool,
    /// Bytes of INSERT statements that one connection commits at once
    #[arg(long, value_name = "BYTES", default_value_t = BATCH_BYTES as u32, hide = true)]
    batch_bytes: u32,
    /// Bytes above which an INSERT is sent in pieces
    #[arg(long, value_name = "BYTES", default_value_t = WHOLE_MAX as u32, hide = true)]
    whole_bytes: u32,
    /// Send rows as INSERT text only, never as LOAD DATA LOCAL
    #[arg(long)]
    no_load_data: bool,
    /// Leave the indexes of new tables in place while their rows come in, instead of building them
    /// afterwards
    #[arg(long)]
    no_deferred_indexes: bool,
    /// Unsafe speed: turn off the binary log of the import's sessions, MySQL's redo log and flushing
    /// at commits, as far as the account may, until the import ends. Says what it changes.
    /// `dbferry repair` puts it back after a crash
    #[arg(long, conflicts_with = "dry_run")]
    fast: bool,
    /// DEFINER clauses: keep, strip (the importing account becomes the definer), or USER@HOST
    #[arg(long, value_name = "keep|strip|USER@HOST", default_value = "keep", value_parser = Definer::parse)]
    definer: Definer,
    /// Statements that change accounts, replication or global settings, and client commands
    #[arg(long, value_enum, default_value_t = PolicyArg::Allow)]
    policy: PolicyArg,
    /// Also execute LOAD DATA, INTO OUTFILE and LOAD_FILE, which read or write files on the server
    #[arg(long)]
    allow_file_access: bool,
    /// Go on where an import of the same file died. `again` or `after` says what to do with a
    /// statement of which nothing tells whether it is in
    #[arg(long, value_enum, value_name = "again|after", num_args = 0..=1, require_equals = true, default_missing_value = "refuse", hide_possible_values = true)]
    resume: Option<UnsureArg>,
    /// Seconds that a server may be out of reach when connections are lost, before the import ends;
    /// else it goes on by itself. 0 ends it at the first loss
    #[arg(long, value_name = "SECONDS", default_value_t = SERVER_WAIT.as_secs() as u16)]
    server_wait: u16,
    /// Let NUL bytes and CR LF line ends through as they are
    #[arg(long)]
    binary_mode: bool,
    /// Write the report (the JSON document of --json) to this file as well
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Read the file, ask the server, and say what would be done and what would go wrong; change
    /// nothing. Exits with 1 if the import would fail
    #[arg(long)]
    dry_run: bool,
    /// Print the outcome as one JSON document on stdout
    #[arg(long)]
    json: bool,
    /// Draw no progress
    #[arg(long)]
    no_progress: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PolicyArg {
    /// Stop at the first one
    Deny,
    /// Leave them out and report them
    Skip,
    /// Execute them as the stock client does, and report them
    Allow,
}

/// What to do with a statement of which nothing tells whether it is in.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum UnsureArg {
    /// Stop and say so
    Refuse,
    /// Execute it
    Again,
    /// Go on after it
    After,
}

/// Everything resolved.
struct Settings {
    endpoint: Endpoint,
    options: Options,
    fast: bool,
    /// How long a server that was lost is waited for.
    server_wait: Duration,
    report: Option<PathBuf>,
    json: bool,
    progress: bool,
}

/// How an import went, with what is around it.
struct Ended {
    /// The file's size as it is stored.
    size: Option<u64>,
    /// What `--fast` did, if it was asked for.
    speed: Option<speed::Outcome>,
    outcome: Result<Report, Failure>,
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    let (file, dry_run) = (args.file.clone(), args.dry_run);
    let settings = match resolve(args) {
        Ok(settings) => settings,
        Err(text) => return usage(&text),
    };
    if dry_run {
        return match open(&file) {
            Ok(input) => dry_run::run(input, &settings),
            Err(error) => {
                complain(&error.to_string());
                Exit::of(error.exit_code())
            }
        };
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return usage(&format!("start the runtime: {error}")),
    };
    let target = settings.endpoint.redacted();
    let Ended { size, speed, outcome } = runtime.block_on(import(&file, &settings));
    // A thread may still wait for a silent pipe; the process does not.
    runtime.shutdown_background();
    let exit = match (&outcome, &speed) {
        (Ok(_), Some(speed)) => super::repair::complain_of(&speed.not_restored),
        (Ok(_), None) => Exit::Done,
        (Err(failure), speed) => {
            if let Some(speed) = speed {
                super::repair::complain_of(&speed.not_restored);
            }
            Exit::of(failure.error.exit_code())
        }
    };
    let file = address::shown(&file);
    let facts = outcome::Facts { file: &file, target: &target, size, speed: speed.as_ref(), exit };
    finish(&settings, &facts, &outcome)
}

/// Tells the outcome to whoever asked for it.
fn finish(
    settings: &Settings,
    facts: &outcome::Facts<'_>,
    outcome: &Result<Report, Failure>,
) -> Exit {
    say(&outcome::for_people(facts, outcome));
    let document = outcome::document(facts, outcome);
    if settings.json {
        print(&document);
    }
    if let Some(path) = &settings.report
        && let Err(error) = std::fs::write(path, &document)
    {
        complain(&format!("write the report {}: {error}", path.display()));
        return if facts.exit == Exit::Done { Exit::Usage } else { facts.exit };
    }
    facts.exit
}

fn usage(text: &str) -> Exit {
    complain(text);
    Exit::Usage
}

fn resolve(args: Args) -> Result<Settings, String> {
    connection::only_mysql(&args.target, "dbferry import", INSTEAD)?;
    let endpoint = connection::resolve(&args.target)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = match (args.serial, args.threads) {
        (true, _) => 0,
        (false, Some(threads)) => usize::from(threads),
        (false, None) => cores.min(LANES_MAX),
    };
    let policy = match args.policy {
        PolicyArg::Deny => Policy::Deny,
        PolicyArg::Skip => Policy::Skip,
        PolicyArg::Allow => Policy::Allow,
    };
    let guard = Guard { policy, allow_files: args.allow_file_access, definer: args.definer };
    Ok(Settings {
        endpoint,
        options: Options {
            lanes,
            batch_bytes: args.batch_bytes as usize,
            whole_bytes: args.whole_bytes as usize,
            guard,
            load_data: !args.no_load_data,
            defer_indexes: !args.no_deferred_indexes,
            binary_mode: args.binary_mode,
            resume: match args.resume {
                None => Resume::Never,
                Some(UnsureArg::Refuse) => Resume::Must(Unsure::Refuse),
                Some(UnsureArg::Again) => Resume::Must(Unsure::Again),
                Some(UnsureArg::After) => Resume::Must(Unsure::After),
            },
            job: None,
        },
        fast: args.fast,
        server_wait: Duration::from_secs(args.server_wait.into()),
        report: args.report,
        json: args.json,
        progress: !args.no_progress,
    })
}

/// Opens the dump; what is wrong with a path is a usage error, what is wrong inside is data.
fn open(file: &str) -> Result<Input, Error> {
    if address::is_meant(file) {
        return address::open(file);
    }
    let opened = if file == STDIN { Source::stdin() } else { Source::open(file) };
    opened.map_err(|error| {
        let kind = match error {
            dump::source::Error::Archive { .. } => ErrorKind::Input,
            _ => ErrorKind::Usage,
        };
        Error::new(kind, Side::Input, error.to_string())
    })
}

/// Opens the dump on a thread: even the first bytes of a pipe may be long in coming.
async fn open_aside(file: &str, stop: &Stop) -> Result<Input, Error> {
    let file = file.to_owned();
    let opened = tokio::task::spawn_blocking(move || open(&file));
    tokio::select! {
        opened = opened => opened.unwrap_or_else(|error| {
            let text = "open the file";
            Err(Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error))
        }),
        () = stop.asked() => Err(import::lanes::interrupted()),
    }
}

/// Everything from the first connection to the last.
async fn import(file: &str, settings: &Settings) -> Ended {
    let surroundings = Surroundings { progress: Progress::new(), stop: Stop::new() };
    let signals = tokio::spawn(stop_on_signal(surroundings.stop.clone()));
    let failed = |size, error| Ended { size, speed: None, outcome: Err(Failure::before(error)) };
    let input = match open_aside(file, &surroundings.stop).await {
        Ok(input) => input,
        Err(error) => return failed(None, error),
    };
    let size = input.size;
    speed::repair_first(&settings.endpoint, &surroundings.stop).await;
    let fast = match settings.fast {
        true => match speed::begin(&settings.endpoint).await {
            Ok(fast) => Some(fast),
            Err(error) => return failed(size, error),
        },
        false => None,
    };
    let endpoint = fast.as_ref().map_or(&settings.endpoint, |fast| fast.endpoint());
    let outcome = draw_and_run(input, file, endpoint, settings, &surroundings).await;
    let speed = match fast {
        Some(fast) => Some(speed::end(fast).await),
        None => None,
    };
    signals.abort();
    Ended { size, speed, outcome }
}

async fn draw_and_run(
    input: Input,
    file: &str,
    endpoint: &Endpoint,
    settings: &Settings,
    surroundings: &Surroundings,
) -> Result<Report, Failure> {
    let consumed = Consumed::of(&input);
    let drawing = settings.progress.then(|| {
        progress_bar::draw(progress_bar::Source {
            progress: Arc::clone(&surroundings.progress),
            consumed: Some(consumed.clone()),
            size: input.size,
        })
    });
    let reopen = async || {
        if file == STDIN {
            let text = "standard input cannot be read a second time";
            return Err(Error::new(ErrorKind::Resume, Side::Input, text));
        }
        let input = open_aside(file, &surroundings.stop).await?;
        consumed.is_of(&input);
        Ok(input)
    };
    let patience = settings.server_wait;
    let outcome =
        again::run((input, reopen), endpoint, &settings.options, patience, surroundings).await;
    if let Some(drawing) = drawing {
        drawing.end();
    }
    outcome
}

/// Ctrl-C and SIGTERM ask the run to stop; the second time nobody is asked.
pub(super) async fn stop_on_signal(stop: Stop) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    for asked in [false, true] {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        if asked {
            std::process::exit(i32::from(Exit::Interrupted.code()));
        }
        say("dbferry: stopping; once more to leave at once");
        stop.ask();
    }
}
