//! The lanes as a group: gives them batches in file order, collects what became of each, and sorts
//! out failures so that nothing after a failed batch is left in the target.
//!
//! Promises: batches are committed in the order they were given; when [`Lanes::collect`] reports a
//! [`Setback`], every batch before it is committed and every batch after it is rolled back. It does
//! not execute anything again by itself, and it knows nothing of the main connection.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dump::statement::ObjectName;
use tokio::sync::mpsc;

use super::batch::Batch;
use super::lane::{Job, Lane, Order, Outcome, Report, Way};
use super::ledger::{self, Marker};
use super::load::LoadPlan;
use super::session::SessionState;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mysql::conn::Conn;
use crate::run::budget::Held;
use crate::run::progress::Progress;
use crate::run::stop::Stop;

/// How long the first batch in order may run before it is checked whether it waits for a lock that
/// a later, finished batch holds.
pub const STALL_CHECK: Duration = Duration::from_secs(1);
/// After this long it is assumed, where the server does not tell.
pub const STALL_ASSUMED: Duration = Duration::from_secs(5);

/// A batch and what goes with it.
#[derive(Debug)]
pub struct Work {
    /// What to execute.
    pub batch: Arc<Batch>,
    /// The session that it needs.
    pub session: Arc<SessionState>,
    /// How it may go as LOAD DATA.
    pub load: Option<Arc<LoadPlan>>,
    /// What moves the ledger's position, to be sent before its commit.
    pub mark: Option<Arc<[u8]>>,
    /// The table's next AUTO_INCREMENT before any lane touched it since the last drain.
    pub next_auto_increment: Option<u64>,
    /// Its bytes in the budget.
    pub held: Held,
}

/// Batches that did not commit, in file order.
#[derive(Debug)]
pub struct Setback {
    /// Why the first of them failed; nothing if all were rolled back to give way.
    pub error: Option<Error>,
    /// The batches.
    pub work: VecDeque<Work>,
}

/// What [`Lanes::collect`] brings.
#[derive(Debug)]
pub enum Collected {
    /// A batch is in.
    Committed(Work, Way),
    /// Everything is settled, and these are not in.
    Setback(Setback),
    /// Nothing new yet.
    Nothing,
}

struct Flight {
    work: Work,
    lane: usize,
    since: Instant,
    /// Rolled back, with the error if there was one; `None` while it runs.
    ended: Option<Option<Error>>,
}

/// The lanes.
pub struct Lanes {
    lanes: Vec<Lane>,
    idle: Vec<usize>,
    order: Arc<Order>,
    next_sequence: u64,
    in_flight: BTreeMap<u64, Flight>,
    reports: mpsc::Receiver<Report>,
    /// For looking at lock waits.
    watcher: Conn,
    progress: Arc<Progress>,
}

impl Lanes {
    /// Opens up to `count` lanes; fewer if the server has no more connections to give.
    pub async fn open(
        endpoint: &Endpoint,
        count: usize,
        marker: Option<&Marker>,
        progress: &Arc<Progress>,
    ) -> Result<Lanes> {
        let mut watcher = Conn::open(endpoint, "import watcher").await?;
        // MySQL would show an AUTO_INCREMENT of up to a day ago; MariaDB has no such setting.
        let _ = watcher.query(b"SET SESSION information_schema_stats_expiry = 0").await;
        let (sender, reports) = mpsc::channel(count.max(1));
        let order = Arc::new(Order::new());
        let mut lanes = Vec::new();
        for lane in 0..count {
            let mut conn = match Conn::open(endpoint, "import lane").await {
                Ok(conn) => conn,
                Err(error) if lanes.is_empty() => return Err(error),
                Err(_) => break,
            };
            // A load is judged by its warnings; the file's own settings never come here.
            let _ = conn.query(b"SET SESSION sql_notes = 1, max_error_count = 64").await;
            if let Some(marker) = marker {
                marker.sign(&mut conn, &ledger::lane_name(lane as u64)).await?;
            }
            let initial = SessionState::read(&mut conn).await?;
            lanes.push(Lane::start(lane, conn, initial, Arc::clone(&order), sender.clone()));
        }
        let idle = (0..lanes.len()).rev().collect();
        let in_flight = BTreeMap::new();
        let progress = Arc::clone(progress);
        progress.lanes.store(lanes.len() as u64, Ordering::Relaxed);
        Ok(Lanes { lanes, idle, order, next_sequence: 0, in_flight, reports, watcher, progress })
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lanes.len()
    }

    /// The connection that only looks.
    pub fn watcher(&mut self) -> &mut Conn {
        &mut self.watcher
    }

    /// Nothing is on its way.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }

    /// The tables of what is on its way.
    pub fn tables(&self) -> impl Iterator<Item = &ObjectName> {
        self.in_flight.values().map(|flight| &flight.work.batch.table)
    }

    /// A lane is free and nothing has to be sorted out first.
    pub fn is_ready(&self) -> bool {
        !self.idle.is_empty() && self.in_flight.values().all(|flight| flight.ended.is_none())
    }

    /// Gives a batch to a free lane; [`Lanes::is_ready`] holds.
    pub async fn give(&mut self, work: Work) -> Result<()> {
        let Some(lane) = self.idle.pop() else {
            return Err(Error::new(ErrorKind::Internal, Side::Internal, "no lane is free"));
        };
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        let (batch, session) = (Arc::clone(&work.batch), Arc::clone(&work.session));
        let (load, mark) = (work.load.clone(), work.mark.clone());
        let job = Job { sequence, batch, session, load, mark };
        if self.lanes[lane].jobs.send(job).await.is_err() {
            return Err(Error::new(ErrorKind::Internal, Side::Internal, "a lane has ended"));
        }
        let flight = Flight { work, lane, since: Instant::now(), ended: None };
        self.in_flight.insert(sequence, flight);
        Ok(())
    }

    /// Waits for the next thing to happen. Something must be on its way.
    pub async fn collect(&mut self, stop: &Stop) -> Result<Collected> {
        tokio::select! {
            collected = self.report() => collected,
            () = stop.asked() => Err(interrupted()),
            () = tokio::time::sleep(STALL_CHECK) => {
                self.check_stall().await;
                Ok(Collected::Nothing)
            }
        }
    }

    /// Waits for a report of a lane. Nothing is lost if the waiting is given up.
    pub async fn report(&mut self) -> Result<Collected> {
        match self.reports.recv().await {
            Some(report) => Ok(self.settle(report)),
            None => Err(Error::new(ErrorKind::Internal, Side::Internal, "all lanes ended")),
        }
    }

    fn settle(&mut self, report: Report) -> Collected {
        self.idle.push(report.lane);
        let sequence = report.sequence;
        if let Some(flight) = self.in_flight.get(&sequence) {
            self.progress.lane_worked(flight.since.elapsed());
        }
        match report.outcome {
            Outcome::Committed(way) => match self.in_flight.remove(&sequence) {
                // If others already gave way, `setback` tells of them after this one.
                Some(flight) => Collected::Committed(flight.work, way),
                None => Collected::Nothing,
            },
            Outcome::RolledBack => self.ended(sequence, None),
            Outcome::Failed(error) => {
                self.order.abort_from(sequence);
                self.ended(sequence, Some(error))
            }
        }
    }

    fn ended(&mut self, sequence: u64, error: Option<Error>) -> Collected {
        if let Some(flight) = self.in_flight.get_mut(&sequence) {
            flight.ended = Some(error);
        }
        self.setback()
    }

    /// The batches that are not in, once nothing runs any more; to be asked after each commit.
    pub fn setback(&mut self) -> Collected {
        let settled = self.in_flight.values().all(|flight| flight.ended.is_some());
        if !settled || self.in_flight.is_empty() {
            return Collected::Nothing;
        }
        self.order.restart_at(self.next_sequence);
        let mut error = None;
        let mut work = VecDeque::new();
        for (index, flight) in std::mem::take(&mut self.in_flight).into_values().enumerate() {
            if index == 0 {
                error = flight.ended.flatten();
            }
            work.push_back(flight.work);
        }
        Collected::Setback(Setback { error, work })
    }

    /// If the first batch in order waits for a lock, the later ones give way: one of them may hold
    /// it until a commit whose turn would never come.
    pub async fn check_stall(&mut self) {
        let head = self.order.next();
        let Some(flight) = self.in_flight.get(&head) else { return };
        let running = flight.since.elapsed();
        if flight.ended.is_some() || self.in_flight.len() < 2 || running < STALL_CHECK {
            return;
        }
        let id = self.lanes[flight.lane].connection;
        let query = format!(
            "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_mysql_thread_id = {id} \
             AND trx_state = 'LOCK WAIT'"
        );
        let waits = match self.watcher.scalar(&query).await {
            // A build of indexes waits for a later batch too, and keeps this one from its table.
            Ok(count) => count.as_deref() != Some("0") || self.waits_for_table(id).await,
            // Without PROCESS the server does not tell.
            Err(_) => running >= STALL_ASSUMED,
        };
        if waits {
            self.order.abort_from(head + 1);
        }
    }

    /// Whether a connection waits for a metadata lock; every account sees that of its own.
    async fn waits_for_table(&mut self, id: u64) -> bool {
        let query = format!(
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE id = {id} AND state LIKE \
             'Waiting for table metadata lock%'"
        );
        let count = self.watcher.scalar(&query).await;
        count.is_ok_and(|count| count.as_deref() != Some("0"))
    }

    /// Stops what runs and rolls it back; gives the batches that committed nevertheless.
    pub async fn abandon(&mut self) -> Vec<(Work, Way)> {
        self.order.abort_from(0);
        for flight in self.in_flight.values().filter(|flight| flight.ended.is_none()) {
            // A lane that cannot be reached is rolled back by the server when we are gone.
            let _ = self.lanes[flight.lane].kill.kill_query().await;
        }
        let mut committed = Vec::new();
        while self.in_flight.values().any(|flight| flight.ended.is_none()) {
            match self.reports.recv().await.map(|report| self.settle(report)) {
                Some(Collected::Committed(work, way)) => committed.push((work, way)),
                Some(Collected::Setback(_) | Collected::Nothing) => {}
                None => break,
            }
        }
        committed
    }

    /// Ends all lanes.
    pub async fn close(self) {
        self.progress.lanes.store(0, Ordering::Relaxed);
        for lane in self.lanes {
            lane.stop().await;
        }
        self.watcher.close().await;
    }
}

/// Somebody asked to stop.
pub fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, Side::Internal, "import interrupted")
}
