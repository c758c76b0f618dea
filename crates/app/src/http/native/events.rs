//! A job's events as they happen (server-sent events).
//!
//! Promises: what the store has kept comes first, in order and numbered, so that `Last-Event-ID` goes
//! on after any break; what comes twice has the same number. A stream ends after the event of the
//! job's end, and when the service is told to stop.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde::{Deserialize, Serialize};
use store::Pulse;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::given::{InPath, header_text, invalid};
use super::principal::Principal;
use crate::app::App;
use crate::cause::told;
use crate::http::native::jobs::Progress;
use crate::http::problem::{Problem, Refused};
use crate::service::jobs;
use crate::service::watching::{self, Watcher};

/// The header with the number of the last event that was seen.
pub const LAST_EVENT_ID: &str = "last-event-id";
/// How often a stream without news shows that it is alive.
const ALIVE_EVERY: Duration = Duration::from_secs(10);
/// Events that a stream reads at once.
const EVENTS_AT_ONCE: u32 = 100;
/// The name of events that nobody keeps.
pub const PROGRESS: &str = "progress";

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(job_events))
}

/// How far a job is, at one moment: the data of an event `progress`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobProgress {
    /// How much is done
    #[schema(minimum = 0, maximum = 100)]
    pub percent: u8,
    /// How far it is
    pub progress: Option<Progress>,
}

/// An event
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes what is written by hand")]
struct JobEvent {
    /// Its number, if it is kept
    #[schema(nullable = false, pattern = "^[1-9][0-9]*$")]
    id: Option<String>,
    /// What it is of
    event: JobEventKind,
    /// A JSON text
    data: String,
}

/// What an event is of
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
#[expect(dead_code, reason = "it describes what the store and this file write")]
enum JobEventKind {
    State,
    CancelRequested,
    Progress,
}

/// Follow a job's events
///
/// Server-sent events. Those that the service keeps have an `id`, which counts up from 1: `state`
/// (data: `{"from", "to", "attempt"}`, where `from` is `new` at first) and `cancel_requested` (data:
/// `{}`). Between them comes `progress` (data: `JobProgress`) without an `id` whenever there is some.
/// The stream ends after the `state` of the job's end, and when the service is told to stop: ask
/// again with `Last-Event-ID`, then it goes on after that event.
#[utoipa::path(
    get, path = "/jobs/{id}/events", tag = "jobs",
    params(
        ("id" = String, Path, description = "The job's id"),
        ("Last-Event-ID" = Option<u64>, Header, nullable = false,
            description = "The number of the last event that was seen"),
    ),
    responses(
        (status = 200, body = JobEvent, content_type = "text/event-stream",
            description = "The events, each of which follows the schema"),
        (status = 204, description = "The job has ended, and there is no event after that one"),
        (status = 400, response = Refused),
        (status = 404, response = Refused),
    ),
)]
async fn job_events(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(id): InPath<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let seen = last_seen(&headers)?;
    let job = jobs::find(&app, principal.account, &id).await?;
    let watcher = watching::watch(&app, principal.account, job.job().id).await?;
    let pulse = watcher.now();
    if pulse.state.is_finished() && seen.is_some_and(|seen| seen >= pulse.event_seq) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let follower = Follower {
        app,
        account: principal.account,
        watcher,
        after: seen.unwrap_or(0),
        ready: VecDeque::new(),
        shown: None,
    };
    let events = stream::unfold(follower, async |mut follower| {
        let event = follower.next().await?;
        Some((Ok::<_, Infallible>(event), follower))
    });
    // Not to be gathered by a proxy.
    let unbuffered = [("x-accel-buffering", "no"), ("cache-control", "no-store")];
    let alive = KeepAlive::new().interval(ALIVE_EVERY);
    Ok((unbuffered, Sse::new(events).keep_alive(alive)).into_response())
}

fn last_seen(headers: &HeaderMap) -> Result<Option<i64>, Problem> {
    let wrong = || invalid("Last-Event-ID is not valid");
    let Some(text) = header_text(headers, LAST_EVENT_ID)? else { return Ok(None) };
    // A number has more spellings than digits.
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong());
    }
    text.parse().map(Some).map_err(|_| wrong())
}

/// A stream's place in a job's events.
struct Follower {
    app: Arc<App>,
    account: i64,
    watcher: Watcher,
    /// The number of the last event that was read.
    after: i64,
    ready: VecDeque<Event>,
    /// The progress that was last sent.
    shown: Option<JobProgress>,
}

impl Follower {
    /// The next event; `None` when there will be none.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.app.stop.is_asked() {
                return None;
            }
            let pulse = self.watcher.now();
            if pulse.event_seq > self.after {
                self.read(pulse.job).await?;
            } else if pulse.state.is_finished() {
                return None;
            } else if let Some(progress) = self.progress(&pulse) {
                return Some(progress);
            } else {
                tokio::select! {
                    is_there = self.watcher.changed() => if !is_there { return None },
                    () = self.app.stop.asked() => return None,
                }
            }
        }
    }

    /// Reads events that the store has kept. Whoever reads on after a failure asks again.
    async fn read(&mut self, job: i64) -> Option<()> {
        let read = self.app.store.events(self.account, job, self.after, EVENTS_AT_ONCE).await;
        let events = read
            .inspect_err(|error| tracing::warn!(error = told(error), "read a job's events"))
            .ok()?;
        self.after = events.last()?.seq;
        self.ready.extend(events.into_iter().map(|event| {
            // A line's end would end the event; JSON texts have none that matters.
            let data = event.data.replace(['\r', '\n'], " ");
            Event::default().id(event.seq.to_string()).event(event.kind).data(data)
        }));
        Some(())
    }

    /// The progress, if it is news.
    fn progress(&mut self, pulse: &Pulse) -> Option<Event> {
        let kept = pulse.progress.as_deref()?;
        let progress = serde_json::from_str(kept).ok();
        let progress = JobProgress { percent: pulse.percent, progress };
        if self.shown.as_ref() == Some(&progress) {
            return None;
        }
        let text = serde_json::to_string(&progress).ok()?;
        self.shown = Some(progress);
        Some(Event::default().event(PROGRESS).data(text))
    }
}
