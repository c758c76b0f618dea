//! The tasks that build indexes, and how far they are.
//!
//! Promises: jobs are begun in the order they were given, as many at once as there are builders; a
//! job for foreign keys runs while no other does, since it takes locks of two tables; one that the
//! server refused for the sake of another is tried again alone. Which jobs there are, and what
//! becomes of their outcome, is not decided here.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Mutex, RwLock, mpsc};
use tokio::task::JoinSet;

use super::builder::{Builder, Setting};
use super::deferral::Deferral;
use super::gauge::{self, Building, Gauge};
use super::{PENDING_MAX, build_name};
use crate::endpoint::Endpoint;
use crate::error::{ErrorKind, Result};
use crate::import::ledger::Marker;
use crate::mysql::facts::Flavor;
use crate::run::failpoint;
use crate::run::progress::Progress;

/// A table whose indexes are to be built.
pub struct Job {
    /// Comes back with the outcome.
    pub id: u64,
    /// What was taken out.
    pub deferral: Arc<Deferral>,
    /// The session for it.
    pub setting: Setting,
    /// How many of [`Deferral::add`] are to be there then.
    pub steps: usize,
}

/// The steps after which a table has its keys, which lock no other table.
const KEYS: usize = 1;

/// What became of a job.
pub struct Built {
    /// The job's.
    pub id: u64,
    /// How long it took.
    pub seconds: f64,
    /// An error if the indexes are not all there.
    pub outcome: Result<()>,
}

/// The tasks.
pub struct Builders {
    jobs: mpsc::Sender<Job>,
    done: mpsc::Receiver<Built>,
    tasks: JoinSet<()>,
    gauge: Gauge,
}

/// What the tasks share.
#[derive(Clone)]
struct Shared {
    queue: Arc<Mutex<mpsc::Receiver<Job>>>,
    done: mpsc::Sender<Built>,
    /// Held by all who build, for writing by who must be alone.
    turn: Arc<RwLock<()>>,
}

impl Builders {
    /// Starts `count` tasks; each opens its connection when it has something to do, and signs with
    /// `marker` by a name of its own.
    pub fn start(
        count: usize,
        endpoint: &Endpoint,
        flavor: Flavor,
        marker: Option<&Marker>,
    ) -> Builders {
        let (jobs, queue) = mpsc::channel(PENDING_MAX);
        let (sender, done) = mpsc::channel(PENDING_MAX);
        let shared = Shared {
            queue: Arc::new(Mutex::new(queue)),
            done: sender,
            turn: Arc::new(RwLock::new(())),
        };
        let building = Building::default();
        let mut tasks = JoinSet::new();
        for number in 0..count.max(1) {
            let builder = Builder::new(endpoint.clone(), flavor)
                .signing(marker.cloned(), build_name(number as u64))
                .one_of(count.max(1))
                .telling(building.clone());
            tasks.spawn(work(builder, shared.clone()));
        }
        Builders { jobs, done, tasks, gauge: Gauge::new(endpoint.clone(), flavor, building) }
    }

    /// Hands a job over. Tasks that are gone are noticed by whoever waits; there is room for
    /// [`PENDING_MAX`] jobs.
    pub fn give(&self, job: Job) {
        let _ = self.jobs.try_send(job);
    }

    /// What has been built by now.
    pub fn try_built(&mut self) -> Option<Built> {
        self.done.try_recv().ok()
    }

    /// What is built next; until then shows how far it is. Nothing if a task has ended: what it had
    /// is lost.
    pub async fn built(&mut self, shown: &str, progress: &Progress) -> Option<Built> {
        loop {
            tokio::select! {
                biased;
                built = self.done.recv() => return built,
                // As long as there may be jobs that is a panic.
                _ended = self.tasks.join_next() => return None,
                () = tokio::time::sleep(gauge::ASK_EVERY) => {}
            }
            if let Some(percent) = self.gauge.percent().await {
                progress.set_activity(format!("{shown}: {percent} %"));
            }
        }
    }

    /// Ends all sessions.
    pub async fn close(mut self) {
        drop(self.jobs);
        // A task that panicked has nothing left to close.
        while self.tasks.join_next().await.is_some() {}
        self.gauge.close().await;
    }
}

async fn work(mut builder: Builder, shared: Shared) {
    loop {
        let next = shared.queue.lock().await.recv().await;
        let Some(job) = next else { break };
        let (id, started) = (job.id, Instant::now());
        failpoint::pass("before building");
        let outcome = build(&mut builder, &job, &shared.turn).await;
        failpoint::pass("after building");
        let seconds = started.elapsed().as_secs_f64();
        if shared.done.send(Built { id, seconds, outcome }).await.is_err() {
            break;
        }
    }
    builder.close().await;
}

async fn build(builder: &mut Builder, job: &Job, turn: &RwLock<()>) -> Result<()> {
    let Job { deferral, setting, steps, .. } = job;
    if *steps == KEYS {
        let outcome = {
            let _beside_others = turn.read().await;
            builder.give_back(deferral, setting, *steps).await
        };
        let was_in_the_way = match &outcome {
            Err(error) if error.kind == ErrorKind::Deadlock => true,
            // Nobody else builds: whoever holds the table is not ours, and was waited for.
            Err(error) if error.kind == ErrorKind::LockWait => turn.try_write().is_err(),
            _ => false,
        };
        if !was_in_the_way {
            return outcome;
        }
    }
    let _alone = turn.write().await;
    builder.give_back(deferral, setting, *steps).await
}
