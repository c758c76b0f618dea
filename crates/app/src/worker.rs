//! The worker: claims jobs, runs them, and keeps the store informed.
//!
//! Promises: a job is worked on only while its lease holds; progress is written at most once a
//! second; a job that is to be cancelled has ended within [`CANCEL_MAX`] of the next beat; told to
//! stop, it claims nothing more, gives what runs some time, and puts the rest back in the queue.
//! Only a run that says that it must not be dropped ([`Ready::may_be_dropped`]) is waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::error::{Error, ErrorKind};
use engine::import::Surroundings;
use engine::run::failpoint;
use engine::run::progress::Progress;
use engine::run::stop::Stop;
use store::{Beat, Claimed, Error as StoreError, Outcome};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tracing::Instrument;

use crate::app::{App, Place};
use crate::cause::told;
use crate::clock::random_hex;
use crate::job::import::{self, Gauge};
use crate::job::{self, Ready};

/// How often the store is asked for work where nobody says that there is some.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often a lease is renewed.
const BEAT_EVERY: Duration = Duration::from_secs(1);
/// What a job gets to end by itself when it is cancelled; then it is ended. The engine lets a
/// statement go on for one second of it and stops it then: with less time the job would be told to
/// have ended while the server still executes.
const CANCEL_MAX: Duration = Duration::from_millis(1500);
/// What a job gets to end by itself when the service stops and its time is over.
const STOP_MAX: Duration = Duration::from_millis(1500);
/// How often a job may be begun before it counts as failed: it may be what kills us.
const ATTEMPTS_MAX: u32 = 50;
/// How often a job may be begun again because its server did not answer; half a lease lies between.
const PASSING_MAX: u32 = 40;
/// How often the end of a job is told to a store that does not answer.
const FINISHES_MAX: u32 = 5;
/// What is left of a lease when we stop for want of an answer from the store.
const MARGIN: Duration = Duration::from_millis(500);

/// Runs until `stop` is asked, and what was begun has ended or is put back.
pub async fn run(app: Arc<App>, stop: Stop) {
    let owner = format!("{}-{}", std::process::id(), &random_hex()[..8]);
    let mut jobs = JoinSet::new();
    while !stop.is_asked() {
        let began = Instant::now();
        if jobs.len() < app.settings.workers
            && let Some(claimed) = claim(&app, &owner).await
        {
            // Also where only errors are logged they have to say whose they are.
            let job = &claimed.job;
            let span = tracing::error_span!("job", job = job.public_id, attempt = job.attempt);
            jobs.spawn(work(Arc::clone(&app), claimed, began, stop.clone()).instrument(span));
            continue;
        }
        tokio::select! {
            () = app.work.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.asked() => {}
            Some(ended) = jobs.join_next() => note(ended),
        }
    }
    while let Some(ended) = jobs.join_next().await {
        note(ended);
    }
}

/// A job whose task fell over is taken up again when its lease has run out.
fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(error = told(&error), "a job's task fell over");
    }
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
    /// The run came to its end; with what the store keeps of a success.
    Run(Result<String, Error>),
    /// It was cancelled, and has stopped or was dropped.
    Cancelled,
    /// The service is told to stop: the job goes back.
    Drained,
    /// The job is another's now.
    Lost,
}

async fn work(app: Arc<App>, claimed: Claimed, began: Instant, stop: Stop) {
    tracing::info!("job begins");
    if claimed.job.attempt > ATTEMPTS_MAX {
        let text = import::failed_because("it was begun too often and never came to an end");
        finish(&app, &claimed, Outcome::Failed(&text)).await;
        return;
    }
    let ready = match job::prepare(&app, &claimed).await {
        Ok(ready) => ready,
        Err(error) => {
            settle(&app, &claimed, Ended::Run(Err(error))).await;
            return;
        }
    };
    // Held until nothing of the job is left on the server: the next one could be for the same tables.
    let databases = ready.databases();
    let place = |database| app.places.of(&claimed.job.instance_id, database);
    let places = databases.into_iter().map(place).collect();
    let mut held = Vec::new();
    let ended = follow(&app, &claimed, &ready, &stop, Following { began, places, held: &mut held });
    let mut ended = ended.await;
    if matches!(ended, Ended::Cancelled) {
        match tokio::time::timeout(ready.end_max(), ready.end()).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(text))) => ended = Ended::Run(Ok(text)),
            Ok(Err(error)) => {
                tracing::warn!(error = error.without_server_text(), "end its connections");
            }
            Err(_) => tracing::warn!("the server does not let a job's connections end"),
        }
    }
    let is_over = settle(&app, &claimed, ended).await;
    failpoint::pass("job told");
    if let Err(error) = ready.clean_up(is_over).await {
        tracing::warn!(error = error.without_server_text(), "clean up after a job");
    }
}

/// What following a job needs besides.
struct Following<'a> {
    /// Before the lease was asked for.
    began: Instant,
    places: Vec<Place>,
    /// Keeps the places once the job has them.
    held: &'a mut Vec<tokio::sync::OwnedMutexGuard<()>>,
}

/// Runs the job and beats for it.
async fn follow(
    app: &App,
    claimed: &Claimed,
    ready: &Ready,
    stop: &Stop,
    following: Following<'_>,
) -> Ended {
    let Following { began, places, held } = following;
    let surroundings = Surroundings { progress: Progress::new(), stop: Stop::new() };
    let _running = app.loading.begin(&surroundings.progress);
    let gauge = Gauge::default();
    let mut run = Box::pin(async {
        for place in places {
            held.push(place.lock_owned().await);
        }
        ready.run(&surroundings, &gauge).await
    });
    let mut watch = Watch::new(app, began);
    let mut beats = tokio::time::interval(BEAT_EVERY);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beat: Option<UnderWay<'_>> = None;
    loop {
        tokio::select! {
            outcome = &mut run => return watch.judged(outcome),
            end = watch.ends() => match ready.may_be_dropped(&surroundings) {
                true => return end,
                false => watch.wait(),
            },
            // A beat may take long: nothing else waits for it.
            answer = answered(&mut beat), if beat.is_some() => {
                beat = None;
                match answer {
                    (sent, Ok(answer)) => {
                        watch.renewed(sent);
                        if answer.cancel_requested && watch.cancel() {
                            surroundings.stop.ask();
                        }
                    }
                    (_, Err(StoreError::LeaseLost)) => match ready.may_be_dropped(&surroundings) {
                        true => return Ended::Lost,
                        false => watch.wait(),
                    },
                    (_, Err(error)) => tracing::warn!(error = told(&error), "renew a lease"),
                }
            }
            _ = beats.tick(), if beat.is_none() => {
                let told = ready.told(&surroundings, &gauge);
                beat = Some(Box::pin(one_beat(app, claimed, told)));
            }
            () = app.cancelled.notified() => beats.reset_immediately(),
            () = stop.asked(), if watch.end.is_none() => watch.drain(app.settings.drain_seconds),
            () = watch.asks(), if watch.end_is_drain() && !surroundings.stop.is_asked() => {
                surroundings.stop.ask();
            }
        }
    }
}

async fn one_beat(
    app: &App,
    claimed: &Claimed,
    (progress, percent): (String, u8),
) -> (Instant, Result<Beat, StoreError>) {
    let sent = Instant::now();
    (sent, app.store.beat(&claimed.lease, Some(&progress), percent).await)
}

/// A beat: when it was sent, and the answer.
type UnderWay<'a> = Pin<Box<dyn Future<Output = (Instant, Result<Beat, StoreError>)> + Send + 'a>>;

/// The answer of a beat that is under way.
async fn answered(beat: &mut Option<UnderWay<'_>>) -> (Instant, Result<Beat, StoreError>) {
    match beat {
        Some(beat) => beat.await,
        None => std::future::pending().await,
    }
}

/// When work on a job has to end, whatever the run does.
struct Watch {
    ttl: Duration,
    lease: Instant,
    end: Option<(Instant, End)>,
    /// What the run does now is not to be broken off, whatever comes.
    waits: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Cancel,
    Drain,
}

impl Watch {
    /// The lease was asked for at `began`.
    fn new(app: &App, began: Instant) -> Watch {
        let ttl = Duration::from_secs(u64::from(app.settings.lease_seconds));
        Watch { ttl, lease: began + ttl - MARGIN, end: None, waits: false }
    }

    /// A beat that was sent then was answered.
    fn renewed(&mut self, sent: Instant) {
        self.lease = sent + self.ttl - MARGIN;
    }

    /// The job is to be cancelled; true the first time.
    fn cancel(&mut self) -> bool {
        let is_new = !self.end.is_some_and(|(_, end)| end == End::Cancel);
        if is_new {
            self.end = Some((Instant::now() + CANCEL_MAX, End::Cancel));
        }
        is_new
    }

    /// The service is to stop.
    fn drain(&mut self, seconds: u64) {
        let end = Instant::now() + Duration::from_secs(seconds) + STOP_MAX;
        self.end = Some((end, End::Drain));
    }

    /// The run comes to its end by itself: it has done what cannot be left half-done.
    fn wait(&mut self) {
        self.waits = true;
    }

    fn end_is_drain(&self) -> bool {
        self.end.is_some_and(|(_, end)| end == End::Drain)
    }

    /// Returns when a run that had its time is asked to stop.
    async fn asks(&self) {
        match self.end {
            Some((at, End::Drain)) => tokio::time::sleep_until((at - STOP_MAX).into()).await,
            _ => std::future::pending().await,
        }
    }

    /// What a run's end means: it may have been stopped by us, or by somebody on the server.
    fn judged(&self, outcome: Result<String, Error>) -> Ended {
        let is_stopped = |error: &Error| error.kind == ErrorKind::Interrupted;
        match (&outcome, self.end) {
            (Err(error), Some((_, End::Drain))) if is_stopped(error) => Ended::Drained,
            (Err(error), Some((_, End::Cancel))) if is_stopped(error) => Ended::Cancelled,
            (Err(error), _) if error.kind == ErrorKind::Superseded => Ended::Lost,
            _ => Ended::Run(outcome),
        }
    }

    /// Returns at the earliest of these moments.
    async fn ends(&self) -> Ended {
        match self.end {
            _ if self.waits => std::future::pending().await,
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
        Ended::Run(Ok(text)) => finish(app, claimed, Outcome::Succeeded(&text)).await,
        Ended::Run(Err(error)) if is_passing(&error, claimed.job.attempt) => {
            let error = error.without_server_text();
            tracing::warn!(error, "job is put back");
            // Not at once again: a server that starts needs its time. The lease still holds.
            let pause = Duration::from_secs(u64::from(app.settings.lease_seconds)) / 2;
            tokio::time::sleep(pause).await;
            release(app, claimed).await
        }
        Ended::Run(Err(error)) => {
            let text = import::failed(&error);
            tracing::info!(text, "job failed");
            finish(app, claimed, Outcome::Failed(&text)).await
        }
        Ended::Cancelled => {
            tracing::info!("job is cancelled");
            finish(app, claimed, Outcome::Cancelled("{}")).await
        }
        Ended::Drained => {
            tracing::info!("job is put back, for the service stops");
            release(app, claimed).await
        }
        Ended::Lost => {
            tracing::warn!("the lease on a job is lost");
            false
        }
    }
}

/// Whether what went wrong may be over soon: then the job is begun again.
fn is_passing(error: &Error, attempt: u32) -> bool {
    let kinds = [ErrorKind::Unreachable, ErrorKind::LostConnection];
    attempt < PASSING_MAX && kinds.contains(&error.kind)
}

/// Puts a job back; true if it was to be cancelled, and so is over.
async fn release(app: &App, claimed: &Claimed) -> bool {
    match app.store.release(&claimed.lease).await {
        Ok(state) => state.is_finished(),
        Err(error) => {
            tracing::warn!(error = told(&error), "put a job back");
            false
        }
    }
}

async fn finish(app: &App, claimed: &Claimed, outcome: Outcome<'_>) -> bool {
    // The answer may be lost; to say the same twice is allowed.
    for attempt in 1..=FINISHES_MAX {
        match app.store.finish(&claimed.lease, outcome).await {
            Ok(()) => return true,
            Err(error) => {
                tracing::warn!(try_number = attempt, error = told(&error), "finish a job");
                if matches!(error, StoreError::LeaseLost) {
                    return false;
                }
            }
        }
        tokio::time::sleep(BEAT_EVERY).await;
    }
    false
}
