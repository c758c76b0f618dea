//! `dbferry serve`: settings, the port, and the end.
//!
//! Runs in the foreground. SIGTERM and Ctrl-C end it: no new requests, jobs get some time and are
//! put back. SIGHUP reads the port's certificate again, and nothing else. Logs go to stderr.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use engine::run::stop::Stop;
use tokio::task::{JoinError, JoinSet};
use tracing_subscriber::EnvFilter;

use super::{Exit, complain, connection, say, wait_for};
use crate::app::App;
use crate::config::Settings;
use crate::http::certificate::Certificate;
use crate::http::port::Port;
use crate::service::{instances, requests, uploads};
use crate::{http, supervisor, worker};

/// How often instances are looked at.
const PROBE_EVERY: Duration = Duration::from_secs(30);
/// How often what has expired is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(600);
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Seconds that a nonce is remembered; Alibaba's requests are good for longer than others.
const NONCE_SECONDS: i64 = 2 * wire::alibaba::credentials::SKEW_MAX;

/// Arguments of `dbferry serve`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The settings' file; what is given here goes over it
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Address and port to listen on; port 0 takes a free one [default: 127.0.0.1:8686]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    place: Place,
    /// Listen on other addresses than loopback, with something in front that encrypts
    #[arg(long)]
    allow_plain: bool,
    /// Jobs that this process works on at once [default: 2]
    #[arg(long, value_name = "N")]
    workers: Option<usize>,
    /// Imports that run on one instance at once [default: 1]
    #[arg(long, value_name = "N")]
    per_instance: Option<u32>,
    /// Seconds after which the job of a process that died is taken over [default: 15]
    #[arg(long, value_name = "SECONDS")]
    lease_seconds: Option<u32>,
    /// Seconds that running jobs get to end by themselves on SIGTERM [default: 10]
    #[arg(long, value_name = "SECONDS")]
    drain_seconds: Option<u64>,
    /// What the log looks like
    #[arg(long, value_enum, default_value_t = LogForm::Text)]
    log: LogForm,
}

/// Where the service keeps its things.
#[derive(Debug, ClapArgs)]
pub struct Place {
    /// The folder of the store, its key and uploads [default: dbferry-data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The store, if not in the folder: postgres://… or mysql://…/database
    #[arg(long, value_name = "URL")]
    pub store: Option<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogForm {
    /// Lines for people
    Text,
    /// One JSON document a line
    Json,
}

impl Place {
    /// These settings with what was given.
    pub fn over(&self, mut settings: Settings) -> Settings {
        if let Some(data) = &self.data {
            settings.data.clone_from(data);
        }
        if let Some(store) = &self.store {
            settings.store = Some(connection::whole_store(store));
        }
        settings
    }
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    let settings = match resolve(&args) {
        Ok(settings) => settings,
        Err(text) => {
            complain(&text);
            return Exit::Usage;
        }
    };
    log_to_stderr(args.log);
    wait_for(serve(settings, args.log))
}

fn resolve(args: &Args) -> Result<Settings, String> {
    let mut settings = match &args.config {
        Some(path) => Settings::read(path)?,
        None => Settings::default(),
    };
    settings = args.place.over(settings);
    settings.listen = args.listen.unwrap_or(settings.listen);
    settings.allow_plain |= args.allow_plain;
    settings.workers = args.workers.unwrap_or(settings.workers);
    settings.per_instance = args.per_instance.unwrap_or(settings.per_instance);
    settings.lease_seconds = args.lease_seconds.unwrap_or(settings.lease_seconds);
    settings.drain_seconds = args.drain_seconds.unwrap_or(settings.drain_seconds);
    settings.check().map_err(|wrong| wrong.to_string())?;
    Ok(settings)
}

fn log_to_stderr(form: LogForm) {
    let filter = EnvFilter::try_from_env("DBFERRY_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match form {
        LogForm::Text => log.with_ansi(false).init(),
        LogForm::Json => log.json().flatten_event(true).with_span_list(false).init(),
    }
}

/// Tells people, whatever the log's level; in a log of documents there is nothing but documents.
fn announce(log: LogForm, text: &str) {
    match log {
        LogForm::Text => say(&format!("dbferry: {text}")),
        LogForm::Json => tracing::info!("{text}"),
    }
}

async fn serve(settings: Settings, log: LogForm) -> Result<(), String> {
    let certificate = settings.tls.as_ref().map(Certificate::load).transpose()?;
    let app = Arc::new(App::open(settings).await?);
    let tls = certificate.as_ref().map(Certificate::acceptor).transpose()?;
    let (address, limits) = (app.settings.listen, app.settings.connections.clone());
    let port = Port::open(address, limits, tls).await?;
    let stop = app.stop.clone();
    let mut beside = JoinSet::new();
    beside.spawn(stop_on_signal(stop.clone(), log)?);
    beside.spawn(reload_on_signal(certificate.clone())?);
    beside.spawn(chores(Arc::clone(&app)));
    beside.spawn(supervisor::keep_alive());
    if let Some(certificate) = certificate {
        beside.spawn(certificate.watch());
    }
    let url = port.url()?;
    // Imports have threads of their own: what they compute must not keep requests waiting.
    let imports = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let imports = imports.map_err(|error| format!("start the worker: {error}"))?;
    let worker = imports.spawn(work(Arc::clone(&app), stop.clone()));
    announce(log, &format!("listening on {url}"));
    supervisor::ready();
    port.serve(http::router(Arc::clone(&app)), &stop).await;
    // Also where the port was lost and nobody asked.
    stop.ask();
    let worked = worker.await.and_then(|worked| worked);
    beside.shutdown().await;
    // Connections of the store may belong to the other runtime, which therefore ends after them, and
    // without a wait for threads that a file keeps.
    app.store.close().await;
    imports.shutdown_background();
    worked.map_err(|error| format!("the worker ended badly: {error}"))
}

/// The worker; without one the service is of no use.
async fn work(app: Arc<App>, stop: Stop) -> Result<(), JoinError> {
    let ended = tokio::spawn(worker::run(app, stop.clone())).await;
    stop.ask();
    ended
}

/// What has to be done every now and then.
async fn chores(app: Arc<App>) {
    let mut probes = tokio::time::interval(PROBE_EVERY);
    let mut sweeps = tokio::time::interval(SWEEP_EVERY);
    loop {
        let outcome = tokio::select! {
            _ = probes.tick() => instances::probe_all(&app).await,
            _ = sweeps.tick() => sweep(&app).await,
        };
        if let Err(refusal) = outcome {
            tracing::warn!(?refusal, "a chore failed");
        }
    }
}

async fn sweep(app: &App) -> Result<(), crate::service::Refusal> {
    app.store.forget_nonces(app.clock.now_secs() - NONCE_SECONDS).await?;
    let old = app.clock.now_ms() - i64::from(app.settings.job_days) * DAY_MS;
    requests::sweep(app).await?;
    app.store.prune_jobs(old, store::PRUNE_MAX).await?;
    app.store.prune_audit(old, store::PRUNE_MAX).await?;
    uploads::remove_expired(app).await
}

fn stop_on_signal(stop: Stop, log: LogForm) -> Result<impl Future<Output = ()>, String> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|error| format!("listen for signals: {error}"));
    let mut interrupt = listen(SignalKind::interrupt())?;
    let mut terminate = listen(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        announce(log, "stopping");
        supervisor::stopping();
        stop.ask();
    })
}

/// Reads the certificate again at each SIGHUP; without one the signal does nothing.
fn reload_on_signal(
    certificate: Option<Arc<Certificate>>,
) -> Result<impl Future<Output = ()>, String> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangup =
        signal(SignalKind::hangup()).map_err(|error| format!("listen for signals: {error}"))?;
    Ok(async move {
        while hangup.recv().await.is_some() {
            supervisor::reloading();
            if let Some(certificate) = &certificate {
                Arc::clone(certificate).look_and_tell().await;
            }
            tracing::info!("reloaded");
            supervisor::ready();
        }
    })
}
