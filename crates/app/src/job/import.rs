//! A job that imports an uploaded file or one from a URL: from the job in the store to a run of the engine.
//!
//! The target's ledger is the job's own, so that another process can go on with it; it stays until
//! [`clean_up`], after the store knows how the job ended.

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use dump::source::{Input, Source};
use engine::endpoint::{Endpoint, Secret};
use engine::error::{Error, ErrorKind, Side};
use engine::import::batch::BATCH_BYTES;
use engine::import::fence::{Ask, Fence};
use engine::import::guard::{Definer, Guard, Policy};
use engine::import::report::{Failure, Report};
use engine::import::resume::{self, Resume};
use engine::import::{self, LANES_MAX, Options, Surroundings, WHOLE_MAX};
use store::Claimed;

use crate::app::App;
use crate::fetch::{self, Address, Limits, Objects, Version};
use crate::service::imports::{self, Payload, Sealed};
use crate::service::uploads::depot::Found;
use crate::service::{Refusal, instances};

/// How far a job is, for whoever beats for it.
#[derive(Default)]
pub struct Gauge {
    read: OnceLock<(Arc<std::sync::atomic::AtomicU64>, Option<u64>)>,
}

impl Gauge {
    /// Progress as the store keeps it: a JSON text and a percentage. 100 is for what has ended.
    pub fn read(&self, surroundings: &Surroundings) -> (String, u8) {
        let progress = &surroundings.progress;
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let (consumed, size) = match self.read.get() {
            Some((consumed, size)) => (load(consumed), *size),
            None => (0, None),
        };
        let percent = match size {
            Some(size) if size > 0 => (consumed.saturating_mul(99) / size).min(99),
            _ => 0,
        };
        let progress = imports::Progress {
            file_bytes: size,
            read_bytes: consumed,
            applied_bytes: load(&progress.applied_bytes),
            rows: load(&progress.applied_rows),
            statements: load(&progress.applied_statements),
        };
        (kept(&progress), u8::try_from(percent).unwrap_or(99))
    }
}

/// Everything that a run needs.
pub struct Ready {
    endpoint: Endpoint,
    options: Options,
    place: Place,
    name: String,
}

/// Where the file is.
#[derive(Clone)]
enum Place {
    Disk(PathBuf),
    Url { address: Address, limits: Box<Limits>, version: Version },
}

impl Ready {
    /// The database that is selected at the start.
    pub fn database(&self) -> Option<&str> {
        self.endpoint.database.as_deref()
    }
}

/// Gathers what the run needs; the password leaves the store here.
pub async fn prepare(app: &App, claimed: &Claimed) -> Result<Ready, Error> {
    let job = &claimed.job;
    let faulty = |what: &str| Error::new(ErrorKind::Internal, Side::Internal, what);
    let payload: Payload =
        serde_json::from_str(&job.payload).map_err(|_| faulty("read the job's payload"))?;
    let instance = instances::find(app, job.account, &job.instance_id).await.map_err(refused)?;
    if instance.created_at != payload.instance_created_at {
        return Err(faulty("the instance was removed, and another registered under its id"));
    }
    let here = instances::address(&instance);
    if payload.address.as_ref().is_some_and(|address| *address != here) {
        return Err(faulty("the instance is at another address than when the job was made"));
    }
    let (url, given) = secrets(app, claimed, &payload).await?;
    let password = match payload.stored_password {
        true => instances::stored_password(app, &instance, &payload.user).await.map_err(refused)?,
        false => given,
    };
    let mut endpoint = instances::endpoint(&instance, &payload.user, password).map_err(refused)?;
    endpoint.database = payload.database;
    let place = match (url, payload.fetched) {
        (Some(address), Some(version)) => {
            Place::Url { address, limits: Box::new(app.fetch_limits()), version }
        }
        _ => uploaded(app, &payload.storage_key, payload.size_bytes),
    };
    let options = options(app, fence(app, claimed), job.attempt);
    Ok(Ready { endpoint, options, place, name: payload.file })
}

/// Where an upload is.
fn uploaded(app: &App, storage_key: &str, size_bytes: u64) -> Place {
    match app.depot.find(storage_key) {
        Found::File(path) => Place::Disk(path),
        Found::Object(storage, location) => Place::Url {
            address: Address::of_object(location),
            limits: Box::new(Limits {
                objects: Some(Objects { storage, allowed: None }),
                ..Limits::unrestricted()
            }),
            version: Version { size: Some(size_bytes), ..Version::default() },
        },
    }
}

/// What the store keeps sealed of a job: the URL if it fetches one, and the password that was given.
async fn secrets(
    app: &App,
    claimed: &Claimed,
    payload: &Payload,
) -> Result<(Option<Address>, Option<Secret>), Error> {
    let secret = app.store.job_secret(&claimed.lease).await;
    let secret = secret.map_err(|error| refused(error.into()))?;
    let text = secret.as_ref().map(store::Secret::text).transpose();
    let text = text.map_err(|error| refused(error.into()))?;
    if payload.fetched.is_none() {
        return Ok((None, text.map(Secret::new)));
    }
    let sealed: Option<Sealed> = text.and_then(|text| serde_json::from_str(text).ok());
    let faulty = || Error::new(ErrorKind::Internal, Side::Internal, "read the job's URL");
    let Sealed { url, password } = sealed.ok_or_else(faulty)?;
    let address = Address::parse(&url).map_err(|_| faulty())?;
    Ok((Some(address), password.map(Secret::new)))
}

/// What keeps a process that has lost the job's lease from writing.
fn fence(app: &App, claimed: &Claimed) -> Fence {
    let (store, lease) = (app.store.clone(), claimed.lease.clone());
    let ask: Ask = Arc::new(move || {
        let (store, lease) = (store.clone(), lease.clone());
        Box::pin(async move { store.holds(&lease).await.unwrap_or(false) })
    });
    let token = u64::try_from(claimed.lease.token()).unwrap_or_default();
    Fence { job: claimed.job.public_id.clone(), token, ask }
}

fn options(app: &App, fence: Fence, attempt: u32) -> Options {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let lanes = if app.settings.lanes == 0 { cores } else { app.settings.lanes };
    Options {
        lanes: lanes.min(LANES_MAX),
        batch_bytes: BATCH_BYTES,
        whole_bytes: WHOLE_MAX,
        // Whoever may upload a file is not the server's operator.
        guard: Guard { policy: Policy::Allow, allow_files: false, definer: Definer::Keep },
        load_data: true,
        defer_indexes: true,
        binary_mode: false,
        resume: if attempt > 1 { Resume::IfThere } else { Resume::Never },
        job: Some(fence),
    }
}

/// Runs the import.
pub async fn run(
    ready: &Ready,
    surroundings: &Surroundings,
    gauge: &Gauge,
) -> Result<Report, Failure> {
    let (place, name) = (ready.place.clone(), ready.name.clone());
    let opened = tokio::task::spawn_blocking(move || open(&place, &name)).await;
    let input = opened.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Internal, Side::Internal, "open the file").with_source(error))
    });
    let input = input.map_err(Failure::before)?;
    let _ = gauge.read.set((Arc::clone(&input.consumed), input.size));
    import::run(input, &ready.endpoint, &ready.options, surroundings).await
}

fn open(place: &Place, name: &str) -> Result<Input, Error> {
    let opened = match place {
        Place::Disk(path) => Source::named(name, open_file(path)?),
        Place::Url { address, limits, version } => {
            let (version, body) = fetch::open(address, limits, Some(version))
                .map_err(|error| not_fetched(name, &error))?;
            Source::stream(name, version.size, body)
        }
    };
    opened.map_err(|error| Error::new(ErrorKind::Input, Side::Input, error.to_string()))
}

fn open_file(path: &Path) -> Result<std::fs::File, Error> {
    std::fs::File::open(path).map_err(|error| {
        Error::new(ErrorKind::Input, Side::Input, "open the uploaded file").with_source(error)
    })
}

/// A server that does not answer now may answer later, as instances may.
fn not_fetched(name: &str, error: &fetch::Error) -> Error {
    let kind = if error.is_passing() { ErrorKind::Unreachable } else { ErrorKind::Input };
    Error::new(kind, Side::Input, format!("fetch {name}: {error}"))
}

/// Ends what the server still executes for a job whose run was dropped.
pub async fn end(ready: &Ready) -> Result<(), Error> {
    match &ready.options.job {
        Some(fence) => resume::end_job(&ready.endpoint, fence).await,
        None => Ok(()),
    }
}

/// Forgets what the target keeps of a job that has ended, after building the indexes that it may
/// have left out.
pub async fn clean_up(ready: &Ready) -> Result<(), Error> {
    let Some(fence) = &ready.options.job else { return Ok(()) };
    for given_up in resume::give_up_job(&ready.endpoint, fence).await? {
        if let Some((_, error)) = given_up.failed.into_iter().next() {
            return Err(error);
        }
    }
    Ok(())
}

/// What the store keeps of a success.
pub fn succeeded(report: &Report) -> String {
    kept(&imports::Success {
        statements: report.statements,
        rows: report.rows,
        seconds: report.seconds,
        index_seconds: report.index_seconds,
        replayed_batches: report.replayed_batches,
        lost_connections: report.lost_connections,
        resumed_from: report.resumed_from,
    })
}

/// What the store keeps of a failure: no row values, so nothing of the server's text.
pub fn failed(error: &Error) -> String {
    failed_because(&error.without_server_text())
}

/// The same in our own words.
pub fn failed_because(why: &str) -> String {
    let failure = imports::Failure { message: why.to_owned() };
    kept(&failure)
}

/// As the store keeps it.
fn kept(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".to_owned())
}

/// What the store does not tell now it may tell later; what is gone is gone.
pub fn refused(refusal: Refusal) -> Error {
    let (kind, what) = match refusal {
        Refusal::NoInstance => (ErrorKind::Internal, "the instance is not registered any more"),
        Refusal::Fault(what) => {
            tracing::error!(what, "prepare a job");
            (ErrorKind::Unreachable, "the service's store did not answer")
        }
        _ => (ErrorKind::Internal, "the instance cannot be used for this"),
    };
    Error::new(kind, Side::Internal, what)
}
