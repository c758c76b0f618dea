//! The worker: claims jobs, runs them, and keeps the store informed.
//!
//! Promises: a job is worked on only while its lease holds; progress is written at most once a
//! second; a job that is to be cancelled has ended within [`CANCEL_MAX`] of the next beat; told to
//! stop, it claims nothing more, gives what runs some time, and puts the rest back in the queue.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::error::ErrorKind;
use engine::import::Surroundings;
use engine::import::report::{Failure, Report};
use engine::run::progress::Progress;
use engine::run::stop::Stop;
use store::{Claimed, Error as StoreError, Outcome};
use tokio::task::JoinSet;

use crate::app::{App, told};
use crate::clock::random_hex;
use crate::job::import::{self, Gauge, Ready};

/// How often the store is asked for work where nobody says that there is some.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a lease is renewed.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// What an import gets to end by itself when it is cancelled; then it is ended. The engine lets a
/// statement go on for one second of it and stops it then: with less time the job would be told to
/// have ended while the server still executes.
const CANCEL_MAX: Duration = Duration::from_millis(1500);
/// What is left of a lease when we stop for want of an answer from the store.
const MARGIN: Duration = Duration::from_millis(500);

/// Runs until `stop` is asked, and what was begun has ended or is put back.
pub async fn run(app: Arc<App>, stop: Stop) {
    let owner = format!("{}-{}", std::process::id(), &random_hex()[..8]);
    let mut jobs = JoinSet::new();
    while !stop.is_asked() {
        if jobs.len() < app.settings.workers
            && let Some(claimed) = claim(&app, &owner).await
        {
            jobs.spawn(work(Arc::clone(&app), claimed, stop.clone()));
            continue;
        }
        tokio::select! {
            () = app.work.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.asked() => {}
            Some(_) = jobs.join_next() => {}
        }
    }
    while jobs.join_next().await.is_some() {}
}

async fn claim(app: &App, owner: &str) -> Option<Claimed> {
    let ttl = i64::from(app.settings.lease_seconds) * 1000;
    match app.store.claim(owner, ttl, app.settings.per_instance).await {
        Ok(claimed) => claimed,
        Err(error) => {
            tracing::warn!(error = told(&error), "claim a job");
            None
        }
    }
}

/// How work on a job ended.
enum Ended {
    /// The import came to its end.
    Import(Result<Report, Failure>),
    /// It was cancelled, and did not end by itself in time.
    Cancelled,
    /// The service is told to stop: the job goes back.
    Drained,
    /// The job is another's now.
    Lost,
}

async fn work(app: Arc<App>, claimed: Claimed, stop: Stop) {
    let job = claimed.job.public_id.clone();
    tracing::info!(job, attempt = claimed.job.attempt, "job begins");
    let ready = match import::prepare(&app, &claimed).await {
        Ok(ready) => ready,
        Err(error) => {
            let text = import::failed(&error);
            finish(&app, &claimed, Outcome::Failed(&text)).await;
            return;
        }
    };
    let ended = follow(&app, &claimed, &ready, &stop).await;
    let is_over = settle(&app, &claimed, ended).await;
    if is_over && let Err(error) = import::clean_up(&ready).await {
        tracing::warn!(job, error = error.without_server_text(), "clean up after a job");
    }
}

/// Runs the import and beats for it.
async fn follow(app: &App, claimed: &Claimed, ready: &Ready, stop: &Stop) -> Ended {
    let surroundings = Surroundings { progress: Progress::new(), stop: Stop::new() };
    let gauge = Gauge::default();
    let mut import = Box::pin(import::run(ready, &surroundings, &gauge));
    let mut watch = Watch::new(app);
    let mut beats = tokio::time::interval(BEAT_EVERY);
    loop {
        tokio::select! {
            outcome = &mut import => return Ended::Import(outcome),
            _ = beats.tick() => {
                let (progress, percent) = gauge.read(&surroundings);
                match app.store.beat(&claimed.lease, Some(&progress), percent).await {
                    Ok(beat) => {
                        watch.renewed();
                        if beat.cancel_requested && watch.end.is_none() {
                            surroundings.stop.ask();
                            watch.end = Some((Instant::now() + CANCEL_MAX, End::Cancel));
                        }
                    }
                    Err(StoreError::LeaseLost) => return Ended::Lost,
                    Err(error) => tracing::warn!(error = told(&error), "renew a lease"),
                }
            }
            () = app.cancelled.notified() => beats.reset_immediately(),
            end = watch.ends() => return end,
            () = stop.asked(), if watch.end.is_none() => {
                let limit = Duration::from_secs(app.settings.drain_seconds);
                watch.end = Some((Instant::now() + limit, End::Drain));
            }
        }
    }
}

/// When work on a job has to end, whatever the import does.
struct Watch {
    ttl: Duration,
    lease: Instant,
    end: Option<(Instant, End)>,
}

#[derive(Clone, Copy)]
enum End {
    Cancel,
    Drain,
}

impl Watch {
    fn new(app: &App) -> Watch {
        let ttl = Duration::from_secs(u64::from(app.settings.lease_seconds));
        Watch { ttl, lease: Instant::now() + ttl - MARGIN, end: None }
    }

    fn renewed(&mut self) {
        self.lease = Instant::now() + self.ttl - MARGIN;
    }

    /// Returns at the earliest of these moments.
    async fn ends(&self) -> Ended {
        match self.end {
            Some((at, end)) if at < self.lease => {
                tokio::time::sleep_until(at.into()).await;
                match end {
                    End::Cancel => Ended::Cancelled,
                    End::Drain => Ended::Drained,
                }
            }
            _ => {
                tokio::time::sleep_until(self.lease.into()).await;
                Ended::Lost
            }
        }
    }
}

/// Writes down how a job ended; true if it is over.
async fn settle(app: &App, claimed: &Claimed, ended: Ended) -> bool {
    match ended {
        Ended::Import(Ok(report)) => {
            let text = import::succeeded(&report);
            finish(app, claimed, Outcome::Succeeded(&text)).await
        }
        Ended::Import(Err(failure)) if failure.error.kind == ErrorKind::Interrupted => {
            finish(app, claimed, Outcome::Cancelled("{}")).await
        }
        Ended::Import(Err(failure)) => {
            let text = import::failed(&failure.error);
            tracing::info!(job = claimed.job.public_id, text, "job failed");
            finish(app, claimed, Outcome::Failed(&text)).await
        }
        Ended::Cancelled => finish(app, claimed, Outcome::Cancelled("{}")).await,
        Ended::Drained => {
            if let Err(error) = app.store.release(&claimed.lease).await {
                tracing::warn!(error = told(&error), "put a job back");
            }
            false
        }
        Ended::Lost => {
            tracing::warn!(job = claimed.job.public_id, "the lease on a job is lost");
            false
        }
    }
}

async fn finish(app: &App, claimed: &Claimed, outcome: Outcome<'_>) -> bool {
    match app.store.finish(&claimed.lease, outcome).await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(job = claimed.job.public_id, error = told(&error), "finish a job");
            false
        }
    }
}
