//! `dbferry job watch`: follows a job's events to its end.
//!
//! Promises: a stream that breaks off goes on after the last event that was seen, so that no event of
//! those that are kept is told twice or left out. Ctrl-C leaves the job alone.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::event_stream::{Event, Parser};
use crate::cli::meter::Meter;
use crate::cli::remote::{self, Remote, Trouble};
use crate::cli::{Exit, complain, say};
use crate::http::native::events::{JobProgress, LAST_EVENT_ID, PROGRESS};
use crate::http::native::jobs::{Job, JobState, Kind, Progress, Success};
use crate::size;

/// How often it is tried again without any event having come: half a minute, in which a service that
/// is started anew comes back.
const RECONNECTS_MAX: u32 = 10;
/// After which silence a stream is dead; the service shows that it lives every ten seconds.
const SILENCE_MAX: Duration = Duration::from_secs(40);

/// Follows a job and tells how it ended.
pub async fn follow(remote: &Remote, id: &str, as_json: bool) -> Result<Exit, Trouble> {
    let mut following = Following { last: None, tries: 0, as_json, meter: Meter::new() };
    loop {
        match following.stream(remote, id).await {
            Ok(true) => break,
            // The service is stopping; another one goes on.
            Ok(false) => following.tries += 1,
            Err(trouble) if trouble.is_passing && following.tries < RECONNECTS_MAX => {
                following.tries += 1;
            }
            Err(trouble) => return Err(trouble),
        }
        if following.tries > RECONNECTS_MAX {
            return Err(Trouble::unreachable("the service ends the job's events again and again"));
        }
        tokio::time::sleep(remote::pause(following.tries)).await;
    }
    drop(following);
    let document = remote.ask(remote.request(Method::GET, &["jobs", id], &[])).await?;
    if as_json {
        remote::print_json(&json!({"event": "job", "data": document}));
    }
    Ok(end(&remote::read(&document)?))
}

/// Tells people how a job ended.
fn end(job: &Job) -> Exit {
    let is_copy = job.kind == Kind::Copy;
    match job.state {
        JobState::Succeeded => {
            let told = job.result.as_ref().map_or(String::new(), done);
            let verb = if is_copy { "copied" } else { "imported" };
            say(&format!("{verb} {} into {}{told}", job.name(), job.instance));
            Exit::Done
        }
        JobState::Failed => {
            let why = job.error.as_ref().map_or("it failed", |error| &error.message);
            complain(why);
            Exit::DataFailed
        }
        JobState::Cancelled => {
            complain(match is_copy {
                true => "the job was cancelled; the target shows what it showed before",
                false => "the job was cancelled; what it brought in stays",
            });
            Exit::DataFailed
        }
        // Only a service that breaks its word ends here.
        JobState::Queued | JobState::Running => {
            complain("the job has not ended");
            Exit::NoServer
        }
    }
}

/// What a job did.
fn done(success: &Success) -> String {
    let time = |seconds: f64| size::duration(Duration::from_secs_f64(seconds.max(0.0)));
    match success {
        Success::Import(done) => {
            let (statements, rows) = (size::count(done.statements), size::count(done.rows));
            format!(": {statements} statements, {rows} rows in {}", time(done.seconds))
        }
        Success::Copy(done) => {
            let (tables, rows) = (size::count(done.tables), size::count(done.rows));
            let left_out = match done.left_out.as_slice() {
                [] => String::new(),
                [only] => format!("; left out: {only}"),
                [first, others @ ..] => format!("; left out: {first}, and {} more", others.len()),
            };
            format!(": {tables} tables, {rows} rows in {}{left_out}", time(done.seconds))
        }
    }
}

/// Where we are in a job's events.
struct Following {
    /// The number of the last event that was seen.
    last: Option<String>,
    /// How often it was tried since an event came.
    tries: u32,
    as_json: bool,
    meter: Meter,
}

impl Following {
    /// Reads one stream; true when the job has ended.
    async fn stream(&mut self, remote: &Remote, id: &str) -> Result<bool, Trouble> {
        let mut request = remote.request(Method::GET, &["jobs", id, "events"], &[]);
        if let Some(last) = &self.last {
            request = request.header(LAST_EVENT_ID, last);
        }
        let sent = tokio::time::timeout(SILENCE_MAX, remote.send(request)).await;
        let answer = sent.map_err(|_| silent())??;
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(true);
        }
        let mut bytes = answer.bytes_stream();
        let mut parser = Parser::default();
        while let Some(chunk) =
            tokio::time::timeout(SILENCE_MAX, bytes.next()).await.map_err(|_| silent())?
        {
            let events = parser.feed(&chunk?);
            let events = events.map_err(|_| Trouble::unreachable("an event has no end"))?;
            for event in events {
                self.tries = 0;
                if self.take(event)? {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Takes an event in; true when it is of the job's end.
    fn take(&mut self, event: Event) -> Result<bool, Trouble> {
        let strange = |_| Trouble::unreachable("an event is not one of dbferry's");
        let data: Value = serde_json::from_str(&event.data).map_err(strange)?;
        if event.id.is_some() {
            self.last.clone_from(&event.id);
        }
        if self.as_json {
            let id = event.id.and_then(|id| id.parse::<u64>().ok());
            remote::print_json(&json!({"id": id, "event": event.name, "data": data}));
        }
        if event.name == PROGRESS {
            let progress: JobProgress = remote::read(&data)?;
            self.meter.show(f64::from(progress.percent) / 100.0, &line(&progress));
        }
        let ends = ["succeeded", "failed", "cancelled"];
        let state = data.get("to").and_then(Value::as_str).unwrap_or_default();
        Ok(event.name == "state" && ends.contains(&state))
    }
}

fn silent() -> Trouble {
    Trouble::unreachable("the service has fallen silent")
}

fn line(progress: &JobProgress) -> String {
    match &progress.progress {
        None => String::new(),
        Some(Progress::Import(progress)) => {
            let total = progress.file_bytes.map(|size| format!("/{}", size::bytes(size)));
            let (read, rows) = (size::bytes(progress.read_bytes), size::count(progress.rows));
            format!("{read}{}  {rows} rows", total.unwrap_or_default())
        }
        Some(Progress::Copy(progress)) => {
            let (bytes, rows) = (size::bytes(progress.bytes), size::count(progress.rows));
            format!("{bytes}  {rows} rows")
        }
    }
}
