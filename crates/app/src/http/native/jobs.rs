//! Jobs in the native API.
//!
//! A request with an `Idempotency-Key` that is sent again makes no second job: it is answered as the
//! first was. Only what was done is kept so; what was refused may be tried again with the same key.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Deserializer, Serialize};
use store::{JobFilter, State as StoreState};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::given::{Answer, InPath, InQuery, InText, header_text, invalid};
use super::json_text;
use super::principal::Principal;
use crate::app::App;
use crate::http::problem::{Problem, Refused};
use crate::service::Refusal;
use crate::service::copies::{self, Copy, NewCopy, Verify};
use crate::service::imports::{self, Failure, Import, NewImport};
use crate::service::jobs::{self, Any};
use crate::service::requests::{self, Once};
use asked::{CopiedDatabase, JobRequest, Request};

pub mod asked;

/// The header that makes a request one that may be repeated.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Characters of its value.
const KEY_MAX: usize = 255;

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_jobs, create_job))
        .routes(routes!(show_job))
        .routes(routes!(cancel_job))
}

/// A job
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Job {
    /// Its id
    #[schema(pattern = "^[0-9a-f]{32}$")]
    pub id: String,
    /// What it does
    pub kind: Kind,
    /// Where it stands
    pub state: JobState,
    /// It is to stop
    pub cancel_requested: bool,
    /// The instance that it writes
    pub instance: String,
    /// The instance that a copy reads; null for others
    #[serde(default)]
    pub source: Option<String>,
    /// The databases of a copy; null for others
    #[serde(default)]
    pub databases: Option<Vec<CopiedDatabase>>,
    /// Whether a copy may take the place of what the databases hold; null for others
    #[serde(default)]
    pub replace: Option<bool>,
    /// How the rows of a copy are compared afterwards; null for others
    #[serde(default)]
    pub verify: Option<Verify>,
    /// Whether a copy of SQL Server leaves out what it does not carry; null for others
    #[serde(default)]
    pub skip_unsupported: Option<bool>,
    /// What becomes of DEFINER clauses in a copy; null where the settings say it, and for others
    #[serde(default)]
    pub definer: Option<String>,
    /// The ids of the replicas that a copy named; null for others
    #[serde(default)]
    pub replicas: Option<Vec<String>>,
    /// Seconds that a replica may be behind in a copy; null where the settings say it, and for others
    #[serde(default)]
    pub replica_lag_seconds_max: Option<u64>,
    /// The name of the uploaded file; null if the file is fetched
    pub file: Option<String>,
    /// Where the file is fetched from, without login and query; null if it was uploaded
    pub url: Option<String>,
    /// The database that is selected at the start
    pub database: Option<String>,
    /// The server's account that imports; null where the registered one does
    pub user: Option<String>,
    /// How often it was begun
    pub attempt: u32,
    /// How much is done: of the file that is read, or of the rows that are copied
    #[schema(minimum = 0, maximum = 100)]
    pub percent: u8,
    /// How far it is, from its first second on
    pub progress: Option<Progress>,
    /// What it did, once it has succeeded
    pub result: Option<Success>,
    /// Why it failed
    pub error: Option<Failure>,
    /// When it was made
    pub created_at_ms: i64,
    /// When it was first begun
    pub started_at_ms: Option<i64>,
    /// When it ended
    pub finished_at_ms: Option<i64>,
}

/// How far a job is
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = JobProgressOfKind)]
pub enum Progress {
    /// An import
    #[schema(title = "ImportProgress")]
    Import(imports::Progress),
    /// A copy
    #[schema(title = "CopyProgress")]
    Copy(copies::Progress),
}

/// What a job did
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
#[schema(as = JobResult)]
pub enum Success {
    /// An import
    #[schema(title = "ImportResult")]
    Import(imports::Success),
    /// A copy
    #[schema(title = "CopyResult")]
    Copy(copies::Success),
}

/// What a job does
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobKind)]
pub enum Kind {
    /// Loads a file into an instance.
    Import,
    /// Copies databases of one instance into another.
    Copy,
}

/// Where a job stands
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    /// It waits.
    Queued,
    /// It runs.
    Running,
    /// It is done.
    Succeeded,
    /// It ended with an error; what the target shows is a prefix of the file, or what it showed before
    /// the copy.
    Failed,
    /// It was stopped; what the target shows is a prefix of the file, or what it showed before the copy.
    Cancelled,
}

/// A part of an account's jobs
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Jobs {
    /// All that pass the filter
    pub total: u64,
    /// Those of this page, the newest first
    pub jobs: Vec<Job>,
}

/// Which jobs.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobsQuery {
    /// Those in one of these states, with commas between them
    #[serde(default, deserialize_with = "states")]
    #[param(required = false, style = Form, explode = false, min_items = 1)]
    state: Vec<JobState>,
    /// Those of this instance
    #[param(nullable = false)]
    instance: Option<String>,
    /// Entries to pass over, from the newest
    #[serde(default, deserialize_with = "super::page_offset")]
    #[param(default = 0, maximum = 2147483647)]
    offset: u32,
    /// Entries at most
    #[serde(default = "super::page", deserialize_with = "super::page_limit")]
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: u32,
}

fn states<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<JobState>, D::Error> {
    let text = String::deserialize(from)?;
    let state = |word: &str| {
        let state = StoreState::of_name(word).map(JobState::from);
        state.ok_or_else(|| serde::de::Error::custom("there is no such state"))
    };
    text.split(',').map(state).collect()
}

impl From<StoreState> for JobState {
    fn from(state: StoreState) -> JobState {
        match state {
            StoreState::Queued => JobState::Queued,
            StoreState::Running => JobState::Running,
            StoreState::Succeeded => JobState::Succeeded,
            StoreState::Failed => JobState::Failed,
            StoreState::Cancelled => JobState::Cancelled,
        }
    }
}

impl JobState {
    /// As the store has it.
    pub fn stored(self) -> StoreState {
        match self {
            JobState::Queued => StoreState::Queued,
            JobState::Running => StoreState::Running,
            JobState::Succeeded => StoreState::Succeeded,
            JobState::Failed => StoreState::Failed,
            JobState::Cancelled => StoreState::Cancelled,
        }
    }
}

impl Job {
    /// What it brings, as people know it: the file, or the databases.
    pub fn name(&self) -> String {
        let Some(databases) = &self.databases else {
            return self.file.clone().or_else(|| self.url.clone()).unwrap_or_default();
        };
        let names: Vec<String> = databases.iter().map(CopiedDatabase::shown).collect();
        format!("{} of {}", names.join(","), self.source.as_deref().unwrap_or_default())
    }

    fn of(kind: Kind, job: &store::Job) -> Job {
        Job {
            id: job.public_id.clone(),
            kind,
            state: job.state.into(),
            cancel_requested: job.cancel_requested,
            instance: job.instance_id.clone(),
            source: job.source_instance_id.clone(),
            databases: None,
            replace: None,
            verify: None,
            skip_unsupported: None,
            definer: None,
            replicas: None,
            replica_lag_seconds_max: None,
            file: None,
            url: None,
            database: None,
            user: None,
            attempt: job.attempt,
            percent: job.percent,
            progress: None,
            result: None,
            error: None,
            created_at_ms: job.created_at,
            started_at_ms: job.started_at,
            finished_at_ms: job.finished_at,
        }
    }
}

impl From<&Any> for Job {
    fn from(job: &Any) -> Job {
        match job {
            Any::Import(import) => Job::from(import),
            Any::Copy(copy) => Job::from(copy),
        }
    }
}

impl From<&Import> for Job {
    fn from(import: &Import) -> Job {
        let Import { job, payload } = import;
        let is_fetched = payload.fetched.is_some();
        Job {
            file: (!is_fetched).then(|| payload.file.clone()),
            url: is_fetched.then(|| payload.file.clone()),
            database: payload.database.clone(),
            user: (!payload.registered_user).then(|| payload.user.clone()),
            progress: import.progress().map(Progress::Import),
            result: import.success().map(Success::Import),
            error: import.failure(),
            ..Job::of(Kind::Import, job)
        }
    }
}

impl From<&Copy> for Job {
    fn from(copy: &Copy) -> Job {
        let Copy { job, payload } = copy;
        Job {
            databases: Some(payload.pairs().into_iter().map(CopiedDatabase::of).collect()),
            replace: Some(payload.replace),
            verify: Some(payload.verify),
            skip_unsupported: Some(payload.skip_unsupported),
            definer: payload.definer.clone(),
            replicas: Some(payload.replicas.iter().map(|replica| replica.id.clone()).collect()),
            replica_lag_seconds_max: payload.replica_lag_seconds_max,
            progress: copy.progress().map(Progress::Copy),
            result: copy.success().map(Success::Copy),
            error: copy.failure(),
            ..Job::of(Kind::Copy, job)
        }
    }
}

/// List jobs
#[utoipa::path(
    get, path = "/jobs", tag = "jobs", params(JobsQuery),
    responses(
        (status = 200, body = Jobs, description = "A part of the list"),
        (status = 400, response = Refused),
    ),
)]
async fn list_jobs(
    State(app): State<Arc<App>>,
    principal: Principal,
    InQuery(query): InQuery<JobsQuery>,
) -> Answer<Jobs> {
    let states: Vec<StoreState> = query.state.iter().map(|state| state.stored()).collect();
    let instance = query.instance.as_deref();
    let filter = JobFilter { instance, states: &states, ..JobFilter::ALL };
    let range = super::PageQuery { offset: query.offset, limit: query.limit }.range();
    let page = jobs::list(&app, principal.account, filter, range).await?;
    let jobs = page.items.iter().map(Job::from).collect();
    Ok(Json(Jobs { total: page.total, jobs }))
}

/// Make a job: import a file into an instance, or copy databases of one instance into another
///
/// What is wrong with the request is said before there is a job. An import that is asked for again
/// while the job for the same file and database has not ended is answered with that job. An instance
/// has a part in one copy at a time.
#[utoipa::path(
    post, path = "/jobs", tag = "jobs",
    params((
        "Idempotency-Key" = Option<String>, Header, nullable = false,
        description = "Makes a request that is sent again one: it is answered as the first was, with \
                       the same job, for 24 hours. A request that was refused may be tried again.",
        min_length = 1, max_length = 255, pattern = "^[!-~]+$",
    )),
    request_body = JobRequest,
    responses(
        (status = 201, body = Job, description = "The job",
            links(
                ("show" = (operation_id = "show_job", parameters(("id" = "$response.body#/id")))),
                ("follow" = (operation_id = "job_events", parameters(("id" = "$response.body#/id")))),
                ("cancel" = (operation_id = "cancel_job", parameters(("id" = "$response.body#/id")))),
            )),
        (status = 400, response = Refused),
        (status = 404, response = Refused),
        (status = 409, response = Refused),
        (status = 413, response = Refused),
        (status = 415, response = Refused),
        (status = 422, response = Refused),
    ),
)]
async fn create_job(
    State(app): State<Arc<App>>,
    principal: Principal,
    headers: HeaderMap,
    InText(body): InText,
) -> Result<Response, Problem> {
    let account = principal.account;
    let key = idempotency_key(&headers)?;
    let request = Request::read(&body)?;
    principal.about.set(request.instance());
    let digest = request.digest();
    let new = request.job()?;
    let Some(key) = key else {
        let job = create(&app, account, new).await?;
        return Ok((StatusCode::CREATED, Json(job)).into_response());
    };
    let turn = match requests::begin(&app, account, &key, &digest).await? {
        Once::Answered(text) => return Ok(json_text(StatusCode::CREATED, text)),
        Once::Yours(turn) => turn,
    };
    // On a task of its own: whoever asks may go away, and the answer is kept all the same.
    let made = tokio::spawn(async move {
        let made = create(&app, account, new.once(&turn)).await;
        let answer = made.and_then(|job| {
            let text = serde_json::to_string(&job);
            text.map_err(|_| Refusal::Fault("write a job's answer".to_owned()).into())
        });
        requests::end(&app, &turn, answer).await
    });
    let text = made.await.map_err(|error| Refusal::Fault(error.to_string()))??;
    Ok(json_text(StatusCode::CREATED, text))
}

/// A job that is to be made.
enum New {
    Import(NewImport),
    Copy(NewCopy),
}

impl New {
    /// As a request that may come again.
    fn once(self, turn: &store::Turn) -> New {
        let request = Some(turn.clone());
        match self {
            New::Import(new) => New::Import(NewImport { request, ..new }),
            New::Copy(new) => New::Copy(NewCopy { request, ..new }),
        }
    }
}

async fn create(app: &App, account: i64, new: New) -> Result<Job, Problem> {
    Ok(match new {
        New::Import(new) => Job::from(&imports::create(app, account, new).await?),
        New::Copy(new) => Job::from(&copies::create(app, account, new).await?),
    })
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let key = header_text(headers, IDEMPOTENCY_KEY)?;
    let is_fine = |key: &String| {
        !key.is_empty() && key.len() <= KEY_MAX && key.bytes().all(|byte| byte.is_ascii_graphic())
    };
    match key {
        Some(key) if !is_fine(&key) => Err(invalid("Idempotency-Key is not valid")),
        key => Ok(key),
    }
}

/// Show a job
#[utoipa::path(
    get, path = "/jobs/{id}", tag = "jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 200, body = Job, description = "The job"),
        (status = 400, response = Refused),
        (status = 404, response = Refused),
    ),
)]
async fn show_job(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(id): InPath<String>,
) -> Answer<Job> {
    Ok(Json(Job::from(&jobs::find(&app, principal.account, &id).await?)))
}

/// Stop a job
///
/// One that waits has ended with the answer; one that runs ends within seconds. What an import brought
/// in stays; after a copy the target shows what it showed before.
#[utoipa::path(
    post, path = "/jobs/{id}/cancel", tag = "jobs",
    params(("id" = String, Path, description = "The job's id")),
    responses(
        (status = 202, body = Job, description = "The job, which has stopped or is to stop"),
        (status = 400, response = Refused),
        (status = 404, response = Refused),
        (status = 409, response = Refused),
    ),
)]
async fn cancel_job(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(id): InPath<String>,
) -> Result<(StatusCode, Json<Job>), Problem> {
    jobs::stop(&app, principal.account, &id).await?;
    let job = jobs::find(&app, principal.account, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(Job::from(&job))))
}
