//! Imports: jobs that load an uploaded file into an instance.
//!
//! Promises: what is wrong with a request is said before there is a job; the same file goes into the
//! same database only once at a time, so that a repeated request finds the job of the first.

use serde::{Deserialize, Serialize};
use store::{Cancelled, Conflict, Error as StoreError, Job, JobFilter, NewJob, Page, State};

use super::{Range, Refusal, instances, uploads};
use crate::app::App;

/// The kind of these jobs in the store.
pub const KIND: &str = "import";

/// What is asked for.
pub struct NewImport {
    /// The target.
    pub instance: String,
    /// The server's account that imports.
    pub user: String,
    /// Its password; without one the stored one if it is the administrator's, else none.
    pub password: Option<String>,
    /// The name of an uploaded file.
    pub file: String,
    /// The database that is selected at the start.
    pub database: Option<String>,
}

/// What a job has to know, as the store keeps it. The password is kept apart and sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// The file's name.
    pub file: String,
    /// Its bytes, as it is stored.
    pub size_bytes: u64,
    /// Where it is.
    pub storage_key: String,
    /// The server's account.
    pub user: String,
    /// The database that is selected at the start.
    pub database: Option<String>,
    /// The password is the administrator's, which the store has with the instance.
    pub stored_password: bool,
}

/// An import as it is shown.
#[derive(Debug, Clone)]
pub struct Import {
    /// The job.
    pub job: Job,
    /// What it is to do.
    pub payload: Payload,
}

/// How an import failed, as the store keeps it: no row values and no secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// In words: line, statement, the server's error number.
    pub message: String,
}

impl Import {
    fn of(job: Job) -> Result<Import, Refusal> {
        let payload = serde_json::from_str(&job.payload)
            .map_err(|_| Refusal::Fault("read a job's payload".to_owned()))?;
        Ok(Import { job, payload })
    }

    /// What went wrong, if something did.
    pub fn failure(&self) -> Option<Failure> {
        serde_json::from_str(self.job.error.as_deref()?).ok()
    }
}

/// Checks a request and makes a job of it; the job of an earlier request for the same if that one
/// has not ended.
pub async fn create(app: &App, account: i64, new: NewImport) -> Result<Import, Refusal> {
    let instance = instances::find(app, account, &new.instance).await?;
    let file = uploads::finished(app, account, &new.file).await?;
    let exclusive = exclusive_key(&new, file.id);
    if let Some(import) = running_twin(app, account, &new, &exclusive).await? {
        return Ok(import);
    }
    let running = app.store.running_on(&new.instance).await?;
    if running.len() >= app.settings.per_instance as usize {
        return Err(Refusal::Busy);
    }
    let given = new.password.as_deref().filter(|password| !password.is_empty());
    let stored = match given {
        Some(_) => None,
        None => instances::stored_password(app, &instance, &new.user).await?,
    };
    let password = given.map(engine::endpoint::Secret::new).or_else(|| stored.clone());
    let mut endpoint = instances::endpoint(&instance, &new.user, password)?;
    endpoint.database.clone_from(&new.database);
    instances::try_login(&endpoint).await?;
    let payload = Payload {
        file: file.name,
        size_bytes: file.size_bytes.unwrap_or(file.received_bytes),
        storage_key: file.storage_key,
        user: new.user,
        database: new.database,
        stored_password: stored.is_some(),
    };
    let payload = serde_json::to_string(&payload)
        .map_err(|_| Refusal::Fault("write a job's payload".to_owned()))?;
    let secret = given.map(store::Secret::from);
    let job = NewJob {
        kind: KIND,
        instance_id: &new.instance,
        source_instance_id: None,
        exclusive_key: Some(&exclusive),
        idempotency: None,
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
    let jobs = app.store.jobs(account, &filter, 0, store::PAGE_MAX).await?;
    let twin = jobs.items.into_iter().find(|job| job.exclusive_key.as_deref() == Some(exclusive));
    twin.map(Import::of).transpose()
}

/// Short enough for the store whatever the names are.
fn exclusive_key(new: &NewImport, file: i64) -> String {
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
