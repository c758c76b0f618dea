//! `dbferry job`: jobs of a service.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use engine::import::guard::Definer;
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::{self, Remote, Trouble};
use super::uploads::Page;
use super::{Exit, connection, copy, print, say};
use crate::clock::random_uuid;
use crate::http::native::jobs::{IDEMPOTENCY_KEY, Job, JobState, Jobs};
use crate::service::copies::LAG_SECONDS_MAX;

pub mod event_stream;
pub mod watch;

/// How often making a job is tried again; the service makes one of it all the same.
const TRIES_MAX: u32 = 4;

/// What a job may be.
const STATES: [&str; 5] = ["queued", "running", "succeeded", "failed", "cancelled"];

/// Arguments of `dbferry job`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Import an uploaded file, or one from a URL, into an instance
    Import(Import),
    /// Copy databases of one instance into another
    Copy(Copy),
    /// List jobs, the newest first
    List(List),
    /// Show a job
    Show(One),
    /// Follow a job to its end
    Watch(One),
    /// Stop a job. What an import brought in stays; after a copy the target shows what it showed before
    Cancel(One),
}

#[derive(Debug, ClapArgs)]
struct Import {
    /// The id of the instance
    #[arg(long, value_name = "ID")]
    instance: String,
    /// The name of the uploaded file
    #[arg(long, value_name = "NAME", required_unless_present = "url")]
    file: Option<String>,
    /// Where the service fetches the file from, instead: http or https, or s3 if its settings allow
    #[arg(long, value_name = "URL", conflicts_with = "file")]
    url: Option<String>,
    /// The database that is selected at the start
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
    /// The server's account that imports; its password is in DBFERRY_PASSWORD [default: the
    /// registered login]
    #[arg(long, value_name = "USER")]
    user: Option<String>,
    /// The account's password is the first line of this file
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Ask for the account's password
    #[arg(long, requires = "user")]
    ask_password: bool,
    /// Makes one job of all requests with this key [default: a new one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Follow the job to its end
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    server: remote::Server,
}

#[derive(Debug, ClapArgs)]
struct Copy {
    /// The id of the instance that is read
    #[arg(long, value_name = "ID")]
    source: String,
    /// The id of the instance that is written
    #[arg(long, value_name = "ID")]
    instance: String,
    /// The databases, and after a colon other names for them on the target
    #[arg(long, value_name = "A,B:C", required = true, value_delimiter = ',', value_parser = copy::pair)]
    databases: Vec<(String, String)>,
    /// Let the copies take the places of what the target's databases hold. Until the copies are
    /// complete and compared, the target stays as it is
    #[arg(long)]
    replace: bool,
    /// How the rows are compared afterwards
    #[arg(long, value_name = "HOW", default_value = "checksum", value_parser = ["none", "rows", "checksum"])]
    verify: String,
    /// SQL Server: leave out and name what a copy does not carry, instead of refusing the copy
    #[arg(long)]
    skip_unsupported: bool,
    /// DEFINER clauses: keep, strip (the copying account becomes the definer), or USER@HOST [default: as the
    /// service's settings say]
    #[arg(long, value_name = "keep|strip|USER@HOST", value_parser = definer)]
    definer: Option<String>,
    /// Pause while a replica of the target is more than so many seconds behind, or does not replicate.
    /// Replicas are those of --replica and of the service's settings, or else those that the target knows
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=LAG_SECONDS_MAX))]
    max_replica_lag: Option<u64>,
    /// The id of an instance that is a replica of the target; may be given several times
    #[arg(long, value_name = "ID")]
    replica: Vec<String>,
    /// Makes one job of all requests with this key [default: a new one]
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Follow the job to its end
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    server: remote::Server,
}

#[derive(Debug, ClapArgs)]
struct List {
    /// Those in this state: queued, running, succeeded, failed or cancelled; may be repeated
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    state: Vec<String>,
    /// Those of this instance
    #[arg(long, value_name = "ID")]
    instance: Option<String>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    server: remote::Server,
}

#[derive(Debug, ClapArgs)]
struct One {
    /// The job's id
    id: String,
    #[command(flatten)]
    server: remote::Server,
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    match args.command {
        Command::Import(args) => {
            remote::run(&args.server, async |remote| import(&remote, &args).await)
        }
        Command::Copy(args) => remote::run(&args.server, async |remote| copy(&remote, &args).await),
        Command::List(args) => remote::run(&args.server, async |remote| list(&remote, &args).await),
        Command::Show(one) => remote::run(&one.server, async |remote| show(&remote, &one).await),
        Command::Watch(one) => remote::run(&one.server, async |remote| {
            watch::follow(&remote, &one.id, one.server.json).await
        }),
        Command::Cancel(one) => {
            remote::run(&one.server, async |remote| cancel(&remote, &one).await)
        }
    }
}

async fn import(remote: &Remote, args: &Import) -> Result<Exit, Trouble> {
    let password = match &args.user {
        Some(user) => {
            let file = args.password_file.as_deref();
            connection::account_password(file, args.ask_password, user).map_err(Trouble::usage)?
        }
        None => None,
    };
    let url = args.url.as_deref().map(connection::whole_address);
    let request = json!({
        "instance": args.instance,
        "file": args.file,
        "url": url,
        "database": args.database,
        "user": args.user,
        "password": password.as_ref().map(|password| password.reveal()),
    });
    let document = make(remote, &request, args.idempotency_key.as_deref()).await?;
    made(remote, &document, args.watch, args.server.json).await
}

async fn copy(remote: &Remote, args: &Copy) -> Result<Exit, Trouble> {
    let databases: Vec<Value> =
        args.databases.iter().map(|(from, to)| json!({"name": from, "as": to})).collect();
    let mut request = json!({
        "kind": "copy",
        "source": args.source,
        "instance": args.instance,
        "databases": databases,
        "replace": args.replace,
        "verify": args.verify,
    });
    // A service of before knows nothing of these.
    if args.skip_unsupported {
        request["skip_unsupported"] = Value::Bool(true);
    }
    if let Some(definer) = &args.definer {
        request["definer"] = json!(definer);
    }
    if let Some(seconds) = args.max_replica_lag {
        request["replica_lag_seconds_max"] = json!(seconds);
    }
    if !args.replica.is_empty() {
        request["replicas"] = json!(args.replica);
    }
    let document = make(remote, &request, args.idempotency_key.as_deref()).await?;
    made(remote, &document, args.watch, args.server.json).await
}

/// What becomes of DEFINER clauses, as it was given.
fn definer(text: &str) -> Result<String, String> {
    Definer::parse(text).map(|_definer| text.to_owned())
}

/// Tells of a job that was made, or follows it.
async fn made(
    remote: &Remote,
    document: &Value,
    watches: bool,
    as_json: bool,
) -> Result<Exit, Trouble> {
    let job: Job = remote::read(document)?;
    if watches {
        say(&format!("job {}", job.id));
        return watch::follow(remote, &job.id, as_json).await;
    }
    match as_json {
        true => remote::print_json(document),
        false => print(&format!("{}\n", job.id)),
    }
    Ok(Exit::Done)
}

/// Makes a job; an answer that was lost is asked for again.
async fn make(remote: &Remote, request: &Value, key: Option<&str>) -> Result<Value, Trouble> {
    let key = key.map_or_else(random_uuid, str::to_owned);
    let mut tries = 0;
    loop {
        let post = remote.request(Method::POST, &["jobs"], &[]);
        let trouble = match remote.ask(post.header(IDEMPOTENCY_KEY, &key).json(request)).await {
            Ok(document) => return Ok(document),
            Err(trouble) => trouble,
        };
        tries += 1;
        if !trouble.is_passing || tries > TRIES_MAX {
            return Err(trouble);
        }
        tokio::time::sleep(remote::pause(tries)).await;
    }
}

async fn list(remote: &Remote, args: &List) -> Result<Exit, Trouble> {
    let mut query = args.page.query();
    if !args.state.is_empty() {
        query.push(("state", args.state.join(",")));
    }
    query.extend(args.instance.clone().map(|instance| ("instance", instance)));
    let document = remote.ask(remote.request(Method::GET, &["jobs"], &query)).await?;
    if args.server.json {
        remote::print_json(&document);
        return Ok(Exit::Done);
    }
    let jobs: Jobs = remote::read(&document)?;
    jobs.jobs.iter().for_each(|job| print(&line(job)));
    args.page.tell_rest(jobs.jobs.len(), jobs.total);
    Ok(Exit::Done)
}

async fn show(remote: &Remote, one: &One) -> Result<Exit, Trouble> {
    let document = remote.ask(remote.request(Method::GET, &["jobs", &one.id], &[])).await?;
    tell(&document, one.server.json)
}

async fn cancel(remote: &Remote, one: &One) -> Result<Exit, Trouble> {
    let path = ["jobs", &one.id, "cancel"];
    let document = remote.ask(remote.request(Method::POST, &path, &[])).await?;
    tell(&document, one.server.json)
}

fn tell(document: &Value, as_json: bool) -> Result<Exit, Trouble> {
    let job: Job = remote::read(document)?;
    if as_json {
        remote::print_json(document);
        return Ok(Exit::Done);
    }
    print(&line(&job));
    if let Some(error) = &job.error {
        print(&format!("  {}\n", error.message));
    }
    Ok(Exit::Done)
}

/// A job on a line.
fn line(job: &Job) -> String {
    let state = match (job.state, job.cancel_requested) {
        (JobState::Running, true) => "stopping",
        (state, _) => state.stored().name(),
    };
    let into = match &job.database {
        Some(database) => format!("{}/{database}", job.instance),
        None => job.instance.clone(),
    };
    format!("{}  {state:9}  {:3}%  {into}  {}\n", job.id, job.percent, job.name())
}
