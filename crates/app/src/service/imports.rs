//! Imports: jobs that load an uploaded file, or one from a URL, into an instance.
//!
//! Promises: what is wrong with a request is said before there is a job; the same file goes into the
//! same database only once at a time, so that a repeated request finds the job of the first.

use serde::{Deserialize, Serialize};
use store::{
    Cancelled, Conflict, Error as StoreError, Idempotency, Job, JobFilter, NewJob, Page, State,
    Turn,
};
use utoipa::ToSchema;

use super::{Range, Refusal, instances, uploads};
use crate::app::App;
use crate::fetch::{self, Address, Version};

/// The kind of these jobs in the store.
pub const KIND: &str = "import";

/// What is asked for.
pub struct NewImport {
    /// The target.
    pub instance: String,
    /// The server's account that imports; without one the administrator's.
    pub user: Option<String>,
    /// Its password; without one the stored one if it is the administrator's, else none.
    pub password: Option<String>,
    /// Where the file comes from.
    pub origin: Origin,
    /// The database that is selected at the start.
    pub database: Option<String>,
    /// The request, if it may come again.
    pub request: Option<Turn>,
}

/// Where a file comes from.
pub enum Origin {
    /// An upload, by its name.
    Upload(String),
    /// A URL, which the job fetches.
    Url(Address),
}

/// What the store keeps sealed of a job that fetches a URL. Of others it is the password.
#[derive(Serialize, Deserialize)]
pub struct Sealed {
    /// The URL with its login and query.
    pub url: String,
    /// The password that was given.
    pub password: Option<String>,
}

/// What a job has to know, as the store keeps it. The password is kept apart and sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The file's name; its URL without login and query, if it is fetched.
    pub file: String,
    /// Its bytes, as it is stored; 0 where a URL's server does not tell.
    pub size_bytes: u64,
    /// Where it is; empty if it is fetched.
    pub storage_key: String,
    /// What the URL's server told of the file when the job was made; only if it is fetched.
    #[serde(default)]
    pub fetched: Option<Version>,
    /// When the instance was registered: under its id there may be another one later.
    pub instance_created_at: i64,
    /// Where the instance was then: on another server nothing tells how far the job is.
    #[serde(default)]
    pub address: Option<String>,
    /// The server's account.
    pub user: String,
    /// The database that is selected at the start.
    pub database: Option<String>,
    /// The password is the administrator's, which the store has with the instance.
    pub stored_password: bool,
    /// Nobody named the account: it is the administrator's, whose name is shown to nobody.
    #[serde(default)]
    pub registered_user: bool,
}

/// An import as it is shown.
#[derive(Debug, Clone)]
pub struct Import {
    /// The job.
    pub job: Job,
    /// What it is to do.
    pub payload: Payload,
}

/// How far an import is
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Bytes of the file as it is stored, if known
    pub file_bytes: Option<u64>,
    /// Those that are read
    pub read_bytes: u64,
    /// Bytes of the text whose effect is committed
    pub applied_bytes: u64,
    /// Rows that are committed
    pub rows: u64,
    /// Statements that are done
    pub statements: u64,
}

/// What an import did
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Success {
    /// Statements that were done
    pub statements: u64,
    /// Rows that were committed
    pub rows: u64,
    /// How long it took
    pub seconds: f64,
    /// Of that, building indexes
    pub index_seconds: f64,
    /// Batches that were rolled back and done again, statement by statement
    pub replayed_batches: u64,
    /// Connections that were lost and made anew
    pub lost_connections: u64,
    /// The byte of the text at which the last attempt began
    pub resumed_from: Option<u64>,
}

/// How an import failed, as the store keeps it: no row values and no secrets
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// In words: line, statement, the server's error number
    pub message: String,
}

impl Import {
    pub(super) fn of(job: Job) -> Result<Import, Refusal> {
        let payload = serde_json::from_str(&job.payload)
            .map_err(|_| Refusal::Fault("read a job's payload".to_owned()))?;
        Ok(Import { job, payload })
    }

    /// How far it is, once it was begun.
    pub fn progress(&self) -> Option<Progress> {
        serde_json::from_str(self.job.progress.as_deref()?).ok()
    }

    /// What it did, once it has succeeded.
    pub fn success(&self) -> Option<Success> {
        serde_json::from_str(self.job.result.as_deref()?).ok()
    }

    /// What went wrong, if something did.
    pub fn failure(&self) -> Option<Failure> {
        serde_json::from_str(self.job.error.as_deref()?).ok()
    }
}

/// Checks a request and makes a job of it; the job of an earlier request for the same if that one
/// has not ended.
pub async fn create(app: &App, account: i64, new: NewImport) -> Result<Import, Refusal> {
    if let Some(import) = made_before(app, account, &new).await? {
        return Ok(import);
    }
    let instance = instances::find(app, account, &new.instance).await?;
    let found = find_origin(app, account, &new).await?;
    let exclusive = exclusive_key(&new, &found.identity);
    if let Some(import) = running_twin(app, account, &new, &exclusive).await? {
        return Ok(import);
    }
    let running = app.store.running_on(&new.instance).await?;
    if running.len() >= app.settings.per_instance as usize {
        return Err(Refusal::Busy);
    }
    let user = new.user.clone().unwrap_or_else(|| instance.admin_user.clone());
    let given = new.password.as_deref().filter(|password| !password.is_empty());
    let stored = match given {
        Some(_) => None,
        None => instances::stored_password(app, &instance, &user).await?,
    };
    let password = given.map(engine::endpoint::Secret::new).or_else(|| stored.clone());
    let mut endpoint = instances::endpoint(&instance, &user, password)?;
    endpoint.database.clone_from(&new.database);
    instances::try_login(&endpoint).await?;
    let (fetched, size_bytes) = match &new.origin {
        Origin::Upload(_) => (None, found.size_bytes),
        Origin::Url(address) => {
            let version = look(app, address).await?;
            let size = version.size.unwrap_or(0);
            (Some(version), size)
        }
    };
    let secret = secret(&new.origin, given)?;
    let payload = Payload {
        file: found.name,
        size_bytes,
        storage_key: found.storage_key,
        fetched,
        instance_created_at: instance.created_at,
        address: Some(instances::address(&instance)),
        user,
        database: new.database,
        stored_password: stored.is_some(),
        registered_user: new.user.is_none(),
    };
    let payload = serde_json::to_string(&payload)
        .map_err(|_| Refusal::Fault("write a job's payload".to_owned()))?;
    let job = NewJob {
        kind: KIND,
        instance_id: &new.instance,
        source_instance_id: None,
        exclusive_key: Some(&exclusive),
        // The same request has the same key, so nothing is left to compare.
        idempotency: new
            .request
            .as_ref()
            .map(|turn| Idempotency { key: &turn.job_key, digest: &turn.job_key }),
        payload: &payload,
        secret: secret.as_ref(),
    };
    let job = match app.store.enqueue(account, &job, app.clock.now_ms()).await {
        Ok(enqueued) => enqueued.job,
        Err(StoreError::Conflict(Conflict::Exclusive(id))) => app.store.job(account, id).await?,
        Err(error) => return Err(error.into()),
    };
    app.work.notify_one();
    Import::of(job)
}

/// The job of a request that was begun before and broken off.
async fn made_before(app: &App, account: i64, new: &NewImport) -> Result<Option<Import>, Refusal> {
    let Some(turn) = new.request.as_ref().filter(|turn| turn.is_again) else { return Ok(None) };
    match app.store.job_by_idempotency_key(account, &turn.job_key).await {
        Ok(job) => Import::of(job).map(Some),
        Err(StoreError::NotFound) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The unfinished job for the same file and database.
async fn running_twin(
    app: &App,
    account: i64,
    new: &NewImport,
    exclusive: &str,
) -> Result<Option<Import>, Refusal> {
    let filter = JobFilter {
        instance: Some(&new.instance),
        kind: Some(KIND),
        states: &[State::Queued, State::Running],
        ..JobFilter::ALL
    };
    let jobs = app.store.jobs(account, &filter, 0, store::OPEN_JOBS_MAX).await?;
    let twin = jobs.items.into_iter().find(|job| job.exclusive_key.as_deref() == Some(exclusive));
    twin.map(Import::of).transpose()
}

/// A file that may be imported.
struct Found {
    /// As it is shown.
    name: String,
    size_bytes: u64,
    storage_key: String,
    /// Equal for the same file.
    identity: String,
}

async fn find_origin(app: &App, account: i64, new: &NewImport) -> Result<Found, Refusal> {
    match &new.origin {
        Origin::Upload(name) => {
            let file = uploads::finished(app, account, name).await?;
            Ok(Found {
                name: file.name,
                size_bytes: file.size_bytes.unwrap_or(file.received_bytes),
                storage_key: file.storage_key,
                identity: file.id.to_string(),
            })
        }
        Origin::Url(address) => Ok(Found {
            name: address.to_string(),
            size_bytes: 0,
            storage_key: String::new(),
            identity: address.identity(),
        }),
    }
}

/// Asks a URL's server for the file, so that the job knows it again.
async fn look(app: &App, address: &Address) -> Result<Version, Refusal> {
    fetch::look(address, &app.fetch_limits()).await.map_err(|error| {
        tracing::info!(from = %address, %error, "a URL is refused");
        Refusal::NoSource(error)
    })
}

/// What the store is to seal.
fn secret(origin: &Origin, given: Option<&str>) -> Result<Option<store::Secret>, Refusal> {
    let Origin::Url(address) = origin else { return Ok(given.map(store::Secret::from)) };
    let sealed = Sealed { url: address.text(), password: given.map(str::to_owned) };
    let text = serde_json::to_string(&sealed)
        .map_err(|_| Refusal::Fault("write a job's secret".to_owned()))?;
    Ok(Some(store::Secret::from(text.as_str())))
}

/// Short enough for the store whatever the names are, and a digest, because a URL may hold secrets.
fn exclusive_key(new: &NewImport, file: &str) -> String {
    let text = format!("{}\0{file}\0{}", new.instance, new.database.as_deref().unwrap_or_default());
    wire::tencent::signature::sha256_hex(text.as_bytes())
}

/// An account's import by its public id, 32 hexadecimal digits.
pub async fn find(app: &App, account: i64, public_id: &str) -> Result<Import, Refusal> {
    match app.store.job_by_public_id(account, public_id).await {
        Ok(job) if job.kind == KIND => Import::of(job),
        Ok(_) | Err(StoreError::NotFound) => Err(Refusal::NoJob),
        Err(error) => Err(error.into()),
    }
}

/// An account's imports that pass a filter, the newest first.
pub async fn list(
    app: &App,
    account: i64,
    filter: JobFilter<'_>,
    range: Range,
) -> Result<Page<Import>, Refusal> {
    let (offset, limit) = range.numbers();
    let filter = JobFilter { kind: Some(KIND), ..filter };
    let page = app.store.jobs(account, &filter, offset, limit).await?;
    let items = page.items.into_iter().map(Import::of).collect::<Result<_, _>>()?;
    Ok(Page { items, total: page.total })
}

/// Stops an import that has not ended. What it has brought in stays.
pub async fn stop(app: &App, account: i64, public_id: &str) -> Result<(), Refusal> {
    let import = find(app, account, public_id).await?;
    match app.store.cancel(account, import.job.id, app.clock.now_ms()).await? {
        Cancelled::AtOnce => {}
        // Another process that works on it asks at its next beat.
        Cancelled::Requested => app.cancelled.notify_waiters(),
    }
    Ok(())
}
