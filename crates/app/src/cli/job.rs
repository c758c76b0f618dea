//! `dbferry job`: jobs of a service.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::remote::{self, Remote, Trouble};
use super::uploads::Page;
use super::{Exit, connection, print, say};
use crate::clock::random_uuid;
use crate::http::native::jobs::{IDEMPOTENCY_KEY, Job, JobState, Jobs};

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
    /// List jobs, the newest first
    List(List),
    /// Show a job
    Show(One),
    /// Follow a job to its end
    Watch(One),
    /// Stop a job; what it brought in stays
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
    let key = args.idempotency_key.clone().unwrap_or_else(random_uuid);
    let document = make(remote, &request, &key).await?;
    let job: Job = remote::read(&document)?;
    if args.watch {
        say(&format!("job {}", job.id));
        return watch::follow(remote, &job.id, args.server.json).await;
    }
    match args.server.json {
        true => remote::print_json(&document),
        false => print(&format!("{}\n", job.id)),
    }
    Ok(Exit::Done)
}

/// Makes a job; an answer that was lost is asked for again.
async fn make(remote: &Remote, request: &Value, key: &str) -> Result<Value, Trouble> {
    let mut tries = 0;
    loop {
        let post = remote.request(Method::POST, &["jobs"], &[]);
        let trouble = match remote.ask(post.header(IDEMPOTENCY_KEY, key).json(request)).await {
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
