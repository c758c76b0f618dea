//! How fast a copy may be, and when it has to pause.
//!
//! Bytes a second come out of one [`Bucket`] for all lanes. A [`Watcher`] asks the source how busy others
//! are, and the target's replicas how far behind they are; while a limit is exceeded, or somebody
//! who has a limit cannot be asked, nobody begins anything new. Promises: nothing is cut off for it,
//! a pause has a reason in words, and one that lasts longer than [`PAUSE_MAX`] ends the copy:
//! its snapshot is a burden to the source.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::run::progress::Progress;
use bucket::Bucket;

pub mod bucket;

/// How often servers are asked.
pub const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Batches are not made smaller than this because of a rate.
pub const BATCH_BYTES_MIN: usize = 64 << 10;
/// How long a server may take to answer.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The most replicas that are asked.
pub const REPLICAS_MAX: usize = 100;
/// How long one pause may last.
pub const PAUSE_MAX: Duration = Duration::from_secs(12 * 3600);

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of the rows' text that may be written in a second.
    pub bytes_per_second: Option<u64>,
    /// Seconds that a replica of the target may be behind.
    pub lag_seconds_max: Option<u64>,
    /// These replicas are asked; without any, those that the target knows.
    pub replicas: Vec<Endpoint>,
    /// Statements that others may be executing on the source at once.
    pub running_max: Option<u64>,
}

/// What it came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThrottleReport {
    /// How often the copy paused.
    pub pauses: u64,
    /// Seconds that it paused.
    pub paused_seconds: f64,
    /// Seconds that lanes waited for the rate, of all lanes together.
    pub rate_seconds: f64,
    /// Bytes that went at that rate.
    pub rate_bytes: u64,
    /// The replicas that were asked.
    pub replicas: Vec<String>,
}

/// Shared by all that work for a copy.
#[derive(Clone, Debug)]
pub struct Throttle {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    began: Instant,
    rate: Mutex<Rate>,
    reason: watch::Sender<Option<String>>,
    pauses: Mutex<Pauses>,
    progress: Arc<Progress>,
}

#[derive(Debug)]
struct Rate {
    bucket: Option<Bucket>,
    waited: Duration,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Pauses {
    count: u64,
    ended: Duration,
    since: Option<Instant>,
    replicas: Vec<String>,
}

/// Asks the servers as long as it lives.
#[derive(Debug)]
pub struct Watching {
    _task: JoinSet<()>,
}

impl Limits {
    /// As fast as it goes.
    pub fn none() -> Limits {
        Limits {
            bytes_per_second: None,
            lag_seconds_max: None,
            replicas: Vec::new(),
            running_max: None,
        }
    }

    /// Whether there is any.
    pub fn is_none(&self) -> bool {
        self.bytes_per_second.is_none()
            && self.lag_seconds_max.is_none()
            && self.running_max.is_none()
    }

    /// Bytes of a batch that goes at once: up to `most`, and not much more than a second's worth.
    pub fn batch_bytes(&self, most: usize) -> usize {
        let second = self.bytes_per_second.and_then(|rate| usize::try_from(rate).ok());
        second.map_or(most, |bytes| bytes.clamp(BATCH_BYTES_MIN.min(most), most))
    }
}

impl Throttle {
    /// Lets everything pass at the rate of `limits`, until [`watch`] finds a reason to pause.
    pub fn new(limits: &Limits, progress: Arc<Progress>) -> Throttle {
        let bucket = limits.bytes_per_second.map(Bucket::new);
        let shared = Shared {
            began: Instant::now(),
            rate: Mutex::new(Rate { bucket, waited: Duration::ZERO, bytes: 0 }),
            reason: watch::Sender::new(None),
            pauses: Mutex::default(),
            progress,
        };
        Throttle { shared: Arc::new(shared) }
    }

    /// Returns when so many bytes may be written.
    pub async fn pass(&self, bytes: u64) -> Result<()> {
        self.clear().await?;
        let wait = {
            let mut rate = held(&self.shared.rate);
            let Some(bucket) = &mut rate.bucket else { return Ok(()) };
            let wait = bucket.take(bytes, self.shared.began.elapsed());
            rate.waited += wait;
            rate.bytes += bytes;
            wait
        };
        tokio::time::sleep(wait).await;
        Ok(())
    }

    /// Returns when there is no reason to pause.
    pub async fn clear(&self) -> Result<()> {
        let mut reason = self.shared.reason.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let cleared = reason.wait_for(Option::is_none);
        if tokio::time::timeout(PAUSE_MAX, cleared).await.is_ok() {
            return Ok(());
        }
        let reason = self.shared.reason.borrow().clone().unwrap_or_default();
        let text = format!("paused for {} h: {reason}", PAUSE_MAX.as_secs() / 3600);
        Err(Error::new(ErrorKind::Refused, Side::Internal, text))
    }

    /// What it came to until now.
    pub fn report(&self) -> ThrottleReport {
        let (rate, pauses) = (held(&self.shared.rate), held(&self.shared.pauses));
        let under_way = pauses.since.map(|since| since.elapsed()).unwrap_or_default();
        ThrottleReport {
            pauses: pauses.count,
            paused_seconds: (pauses.ended + under_way).as_secs_f64(),
            rate_seconds: rate.waited.as_secs_f64(),
            rate_bytes: rate.bytes,
            replicas: pauses.replicas.clone(),
        }
    }

    fn set(&self, reason: Option<String>) {
        let mut pauses = held(&self.shared.pauses);
        match (&reason, pauses.since) {
            (Some(_), None) => {
                pauses.since = Some(Instant::now());
                pauses.count += 1;
            }
            (None, Some(since)) => {
                pauses.ended += since.elapsed();
                pauses.since = None;
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        drop(pauses);
        self.shared.progress.set_pause(reason.clone());
        self.shared.reason.send_replace(reason);
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks servers how they are, in the words of one family.
pub trait Watcher: Send + 'static {
    /// The addresses of the replicas that are asked.
    fn replicas(&self) -> Vec<String>;

    /// Why the copy has to pause now, if it has to. Each server has [`ANSWER_MAX`] to answer.
    fn reason(&mut self) -> impl Future<Output = Result<Option<String>>> + Send;
}

/// Why a copy pauses while so many statements of others run on the source, if `most` may.
pub fn too_busy(others: u64, most: u64) -> Option<String> {
    let text = || format!("{others} statements of others run on the source ({most} may)");
    (others > most).then(text)
}

/// Begins to ask servers, if `limits` want it; only then `watcher` is made. A server that cannot be asked
/// now is an error; later it is a reason to pause.
pub async fn watch<W: Watcher>(
    throttle: &Throttle,
    limits: &Limits,
    watcher: impl Future<Output = Result<W>>,
) -> Result<Watching> {
    let mut task = JoinSet::new();
    if limits.lag_seconds_max.is_none() && limits.running_max.is_none() {
        return Ok(Watching { _task: task });
    }
    let mut watcher = watcher.await?;
    held(&throttle.shared.pauses).replicas = watcher.replicas();
    throttle.set(watcher.reason().await?);
    let throttle = throttle.clone();
    task.spawn(async move {
        let mut ticks = tokio::time::interval(CHECK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let reason = watcher.reason().await;
            throttle.set(reason.unwrap_or_else(|error| Some(error.without_server_text())));
        }
    });
    Ok(Watching { _task: task })
}
