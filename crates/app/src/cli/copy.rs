//! `dbferry copy`: arguments, the run, and what is said at its end.
//!
//! With `--json` stdout gets one document (`dbferry.copy/1`, see docs/copy.schema.json) whatever
//! happens; people read stderr.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args as ClapArgs, ValueEnum};
use engine::copy::chunk::CHUNK_BYTES;
use engine::copy::past::Past;
use engine::copy::report::{Failure, Report, Verified};
use engine::copy::throttle::{Limits, REPLICAS_MAX};
use engine::copy::{self, LANES_MAX, Options};
use engine::endpoint::{Endpoint, Family};
use engine::import::Surroundings;
use engine::import::guard::Definer;
use engine::run::progress::Progress;
use engine::run::stop::Stop;

use super::connection::{self, Source, Target};
use super::import::stop_on_signal;
use super::{Exit, complain, print, progress_bar, say};
use crate::clock::random_hex;
use crate::size;

mod outcome;

/// Arguments of `dbferry copy`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    source: Source,
    #[command(flatten)]
    target: Target,
    /// The databases, and after a colon other names for them on the target
    #[arg(long, value_name = "A,B:C", required = true, value_delimiter = ',', value_parser = pair)]
    databases: Vec<(String, String)>,
    /// Pairs of connections that copy side by side [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=LANES_MAX as i64))]
    threads: Option<u16>,
    /// Let the copies take the places of what the target's databases hold. Until the copies are
    /// complete and compared, the target stays as it is
    #[arg(long)]
    replace: bool,
    /// How the rows are compared afterwards
    #[arg(long, value_enum, default_value_t = VerifyArg::Checksum)]
    verify: VerifyArg,
    /// Copy nothing: compare the databases that both sides have now
    #[arg(long, conflicts_with = "replace")]
    verify_only: bool,
    /// Ask both servers, and say what would be copied and what stands in the way; change nothing.
    /// Exits with 1 if the copy would fail
    #[arg(long, conflicts_with = "verify_only")]
    dry_run: bool,
    /// Go on with what a copy of the same databases has left that was killed or broke off, and if this
    /// one breaks off, leave what it has brought for the next. Without it such a rest is removed
    #[arg(long, conflicts_with_all = ["verify_only", "dry_run"])]
    resume: bool,
    /// SQL Server: leave out and name what a copy does not carry (users, permissions, full-text
    /// indexes and the like), instead of refusing the copy
    #[arg(long)]
    skip_unsupported: bool,
    /// DEFINER clauses: keep, strip (the copying account becomes the definer), or USER@HOST [default:
    /// keep]
    #[arg(long, value_name = "keep|strip|USER@HOST", value_parser = Definer::parse)]
    definer: Option<Definer>,
    /// Take another collation on the target, of the same character set; may be given several times.
    /// It may order and fold characters otherwise
    #[arg(long, value_name = "FROM=TO", value_parser = mapping)]
    map_collation: Vec<(String, String)>,
    /// Send rows as INSERT text only, never as LOAD DATA LOCAL
    #[arg(long)]
    no_load_data: bool,
    /// Write at most so many bytes of rows a second, all connections together: 800000, 50M, 1.5G, 64MiB
    #[arg(long, value_name = "BYTES", value_parser = size::parse)]
    max_rate: Option<u64>,
    /// Pause while a replica of the target is more than so many seconds behind, or does not
    /// replicate. Replicas are those that the target knows, asked with its login, or those of --replica
    #[arg(long, value_name = "SECONDS")]
    max_replica_lag: Option<u64>,
    /// A replica of the target; may be given several times. Without a user in it, with the target's login
    #[arg(long, value_name = "URL", requires = "max_replica_lag")]
    replica: Vec<String>,
    /// Pause while others execute more than so many statements on the source at once
    #[arg(long, value_name = "N")]
    max_running: Option<u64>,
    /// Bytes of rows in one part of a table
    #[arg(long, value_name = "BYTES", default_value_t = CHUNK_BYTES, hide = true)]
    chunk_bytes: u64,
    /// Write the report (the JSON document of --json) to this file as well
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Print the outcome as one JSON document on stdout
    #[arg(long)]
    json: bool,
    /// Draw no progress
    #[arg(long)]
    no_progress: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VerifyArg {
    /// Not at all
    None,
    /// Count them on both sides
    Rows,
    /// Compare a digest of each part of each table, computed on both sides
    Checksum,
}

/// Everything resolved.
struct Settings {
    source: Endpoint,
    target: Endpoint,
    options: Options,
    doing: Doing,
    progress: bool,
}

/// What is done with two servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Copy,
    Compare,
    /// Only say what would be done.
    Preview,
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    let (json, report_file) = (args.json, args.report.clone());
    let settings = match resolve(args) {
        Ok(settings) => settings,
        Err(text) => {
            complain(&text);
            return Exit::Usage;
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("start the runtime: {error}"));
            return Exit::Usage;
        }
    };
    let outcome = runtime.block_on(copy(&settings));
    let exit = match &outcome {
        Ok(_) => Exit::Done,
        Err(failure) => Exit::of(failure.error.exit_code()),
    };
    let facts = outcome::Facts {
        source: settings.source.redacted(),
        target: settings.target.redacted(),
        databases: shown(&settings.options.databases),
        exit,
        doing: settings.doing,
    };
    say(&outcome::for_people(&facts, &outcome));
    let document = outcome::document(&facts, &outcome);
    if json {
        print(&document);
    }
    match report_file.map(|path| (std::fs::write(&path, &document), path)) {
        Some((Err(error), path)) => {
            complain(&format!("write the report {}: {error}", path.display()));
            if exit == Exit::Done { Exit::Usage } else { exit }
        }
        Some((Ok(()), _)) | None => exit,
    }
}

fn resolve(args: Args) -> Result<Settings, String> {
    check_family(&args)?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut tag = random_hex();
    tag.truncate(12);
    let target = without_database(connection::resolve(&args.target)?, "--to")?;
    let throttle = Limits {
        bytes_per_second: args.max_rate,
        lag_seconds_max: args.max_replica_lag,
        replicas: replicas(&args.replica, &target)?,
        running_max: args.max_running,
    };
    Ok(Settings {
        source: without_database(connection::resolve_source(&args.source)?, "--from")?,
        target,
        options: Options {
            databases: args.databases,
            lanes: args.threads.map_or(cores.min(LANES_MAX), usize::from),
            verify: match args.verify {
                VerifyArg::None => Verified::None,
                VerifyArg::Rows => Verified::Rows,
                VerifyArg::Checksum => Verified::Checksum,
            },
            replace: args.replace,
            skip_unsupported: args.skip_unsupported,
            definer: args.definer.unwrap_or(Definer::Keep),
            load_data: !args.no_load_data,
            chunk_bytes: args.chunk_bytes.max(1),
            throttle,
            collations: args.map_collation.into_iter().collect(),
            tag,
            past: if args.resume { Past::Resume } else { Past::Remove },
        },
        doing: match (args.verify_only, args.dry_run) {
            (true, _) => Doing::Compare,
            (false, true) => Doing::Preview,
            (false, false) => Doing::Copy,
        },
        progress: !args.no_progress,
    })
}

/// Both servers are of one kind, and nothing is asked for that means nothing for it.
fn check_family(args: &Args) -> Result<(), String> {
    let source = connection::parse(&args.source.from)?.family;
    let target = connection::parse(&args.target.url)?.family;
    if source != target {
        let (from, to) = (kind(source), kind(target));
        return Err(format!(
            "--from names a {from}, --to a {to}: a copy goes between servers of one kind"
        ));
    }
    let given = match source {
        Family::MySql => vec![("--skip-unsupported", args.skip_unsupported)],
        Family::SqlServer => vec![
            ("--definer", args.definer.is_some()),
            ("--map-collation", !args.map_collation.is_empty()),
            ("--no-load-data", args.no_load_data),
            ("--max-replica-lag", args.max_replica_lag.is_some()),
            ("--replica", !args.replica.is_empty()),
            ("--defaults-file", args.target.defaults_file.is_some()),
            ("--default-character-set", args.target.default_character_set.is_some()),
        ],
    };
    match given.iter().find(|(_, is_given)| *is_given) {
        Some((option, _)) => Err(format!("{option}: this means nothing for a {}", kind(source))),
        None => Ok(()),
    }
}

fn kind(family: Family) -> &'static str {
    match family {
        Family::MySql => "MySQL or MariaDB server",
        Family::SqlServer => "SQL Server",
    }
}

/// Replicas of the target. Its password is tried on them only for its own account.
fn replicas(urls: &[String], target: &Endpoint) -> Result<Vec<Endpoint>, String> {
    let one = |url: &String| {
        let mut replica = connection::parse(url)?;
        if replica.user.is_empty() {
            replica.user.clone_from(&target.user);
        }
        if replica.password.is_none() && replica.user == target.user {
            replica.password.clone_from(&target.password);
        }
        replica.check().map_err(|error| error.to_string())?;
        if replica.family != target.family {
            return Err(format!(
                "--replica names a {}, which the target is not",
                kind(replica.family)
            ));
        }
        Ok(replica)
    };
    if urls.len() > REPLICAS_MAX {
        return Err(format!("--replica: at most {REPLICAS_MAX} are asked"));
    }
    urls.iter().map(one).collect()
}

fn without_database(endpoint: Endpoint, option: &str) -> Result<Endpoint, String> {
    match &endpoint.database {
        None => Ok(endpoint),
        Some(_) => Err(format!("{option} names a server; its databases go into --databases")),
    }
}

/// The databases as they are asked for.
fn shown(databases: &[(String, String)]) -> String {
    let pair = |(from, to): &(String, String)| match from == to {
        true => from.clone(),
        false => format!("{from}:{to}"),
    };
    databases.iter().map(pair).collect::<Vec<_>>().join(",")
}

/// `utf8mb4_0900_ai_ci=utf8mb4_unicode_520_ci`.
fn mapping(text: &str) -> Result<(String, String), String> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match text.split_once('=').filter(|(from, to)| is_name(from) && is_name(to)) {
        Some((from, to)) => Ok((from.to_ascii_lowercase(), to.to_ascii_lowercase())),
        None => Err("expected COLLATION=COLLATION".to_owned()),
    }
}

/// `a`, or `a:b`.
pub(super) fn pair(text: &str) -> Result<(String, String), String> {
    let (from, to) = text.split_once(':').unwrap_or((text, text));
    if from.is_empty() || to.is_empty() || to.contains(':') {
        return Err("expected NAME or NAME:NEW_NAME".to_owned());
    }
    Ok((from.to_owned(), to.to_owned()))
}

async fn copy(settings: &Settings) -> Result<Report, Failure> {
    let surroundings = Surroundings { progress: Progress::new(), stop: Stop::new() };
    let signals = tokio::spawn(stop_on_signal(surroundings.stop.clone()));
    let drawing = settings.progress.then(|| {
        progress_bar::draw(progress_bar::Source {
            progress: Arc::clone(&surroundings.progress),
            consumed: None,
            size: None,
        })
    });
    let Settings { source, target, options, .. } = settings;
    let outcome = match settings.doing {
        Doing::Copy => copy::run(source, target, options, &surroundings).await,
        Doing::Compare => copy::compare(source, target, options, &surroundings).await,
        Doing::Preview => copy::preview(source, target, options, &surroundings).await,
    };
    if let Some(drawing) = drawing {
        drawing.end();
    }
    signals.abort();
    outcome
}
