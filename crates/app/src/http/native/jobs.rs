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

use super::given::{Answer, InBody, InPath, InQuery, header_text, invalid};
use super::json_text;
use super::principal::Principal;
use crate::app::App;
use crate::fetch::Address;
use crate::http::problem::{Problem, Refused};
use crate::service::Refusal;
use crate::service::imports::{self, Failure, Import, NewImport, Origin, Progress, Success};
use crate::service::requests::{self, Once};

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
    /// How much of the file is read
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

/// What a job does
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = JobKind)]
pub enum Kind {
    /// Loads a file into an instance.
    Import,
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
    /// It ended with an error; what the target shows is a prefix of the file.
    Failed,
    /// It was stopped; what the target shows is a prefix of the file.
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

/// An import as it is asked for: of an uploaded file or of one at a URL, so one of `file` and `url`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct JobRequest {
    /// The id of the instance
    #[schema(pattern = "^[a-z][a-z0-9-]{1,62}$", example = "cdb-c1nl9rpv")]
    instance: String,
    /// The name of a finished upload
    #[schema(min_length = 1, max_length = 255, example = "shop.sql")]
    file: Option<String>,
    /// Where the file is fetched from: http or https, or an object that the settings allow (s3)
    #[schema(
        max_length = 4096,
        pattern = "^(https?|s3)://[^/?#]+",
        example = "https://files.example/shop.sql"
    )]
    url: Option<String>,
    /// The server's account that imports; without one the registered login is used
    user: Option<String>,
    /// Its password; without one the registered password if it is that account's, else none
    #[schema(format = Password)]
    password: Option<String>,
    /// The database that is selected at the start
    database: Option<String>,
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
    /// The file as people know it.
    pub fn name(&self) -> &str {
        self.file.as_deref().or(self.url.as_deref()).unwrap_or_default()
    }
}

impl From<&Import> for Job {
    fn from(import: &Import) -> Job {
        let Import { job, payload } = import;
        let is_fetched = payload.fetched.is_some();
        Job {
            id: job.public_id.clone(),
            kind: Kind::Import,
            state: job.state.into(),
            cancel_requested: job.cancel_requested,
            instance: job.instance_id.clone(),
            file: (!is_fetched).then(|| payload.file.clone()),
            url: is_fetched.then(|| payload.file.clone()),
            database: payload.database.clone(),
            user: (!payload.registered_user).then(|| payload.user.clone()),
            attempt: job.attempt,
            percent: job.percent,
            progress: import.progress(),
            result: import.success(),
            error: import.failure(),
            created_at_ms: job.created_at,
            started_at_ms: job.started_at,
            finished_at_ms: job.finished_at,
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
    let page = imports::list(&app, principal.account, filter, range).await?;
    let jobs = page.items.iter().map(Job::from).collect();
    Ok(Json(Jobs { total: page.total, jobs }))
}

/// Make a job that imports a file into an instance
///
/// What is wrong with the request is said before there is a job. Asked again while the job for the
/// same file and database has not ended, the answer is that job.
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
    InBody(request): InBody<JobRequest>,
) -> Result<Response, Problem> {
    let account = principal.account;
    let key = idempotency_key(&headers)?;
    let digest = request.digest();
    let new = request.import()?;
    let Some(key) = key else {
        let import = imports::create(&app, account, new).await?;
        return Ok((StatusCode::CREATED, Json(Job::from(&import))).into_response());
    };
    let turn = match requests::begin(&app, account, &key, &digest).await? {
        Once::Answered(text) => return Ok(json_text(StatusCode::CREATED, text)),
        Once::Yours(turn) => turn,
    };
    // On a task of its own: whoever asks may go away, and the answer is kept all the same.
    let made = tokio::spawn(async move {
        let new = NewImport { request: Some(turn.clone()), ..new };
        let made = imports::create(&app, account, new).await;
        let answer = made.and_then(|import| {
            let text = serde_json::to_string(&Job::from(&import));
            text.map_err(|_| Refusal::Fault("write a job's answer".to_owned()))
        });
        requests::end(&app, &turn, answer).await
    });
    let text = made.await.map_err(|error| Refusal::Fault(error.to_string()))??;
    Ok(json_text(StatusCode::CREATED, text))
}

impl JobRequest {
    /// Equal for equal requests.
    fn digest(&self) -> String {
        let JobRequest { instance, file, url, user, password, database } = self;
        let fields = serde_json::json!(["import", instance, file, user, password, database]);
        let mut text = fields.to_string();
        // Requests that were kept before there were URLs stay what they were.
        text.extend(url.iter().flat_map(|url| ["\0", url.as_str()]));
        wire::tencent::signature::sha256_hex(text.as_bytes())
    }

    fn import(self) -> Result<NewImport, Problem> {
        let JobRequest { instance, file, url, user, password, database } = self;
        let origin = match (file, url) {
            (Some(file), None) => Origin::Upload(file),
            (None, Some(url)) => Origin::Url(Address::parse(&url).map_err(Refusal::NoSource)?),
            _ => return Err(invalid("one of file and url has to be given")),
        };
        Ok(NewImport { instance, user, password, origin, database, request: None })
    }
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
    Ok(Json(Job::from(&imports::find(&app, principal.account, &id).await?)))
}

/// Stop a job
///
/// One that waits has ended with the answer; one that runs ends within seconds, and what it brought
/// in stays.
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
    imports::stop(&app, principal.account, &id).await?;
    let import = imports::find(&app, principal.account, &id).await?;
    Ok((StatusCode::ACCEPTED, Json(Job::from(&import))))
}
