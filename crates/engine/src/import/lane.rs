//! Lanes: connections that execute batches side by side and commit them in file order.
//!
//! The prefix rule lives here: a lane commits its batch only when every batch before it has
//! committed ([`Order`]), so at every moment the target shows what some prefix of the file makes of
//! it. A lane never decides what a failure means; it rolls back and reports. A batch with a
//! [`LoadPlan`] goes as LOAD DATA first; unless every row of it is in without a word from the server,
//! that is rolled back and the INSERT text is executed in its place.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::batch::Batch;
use super::ledger;
use super::load::{self, LoadPlan, Reason};
use super::session::{self, SessionState};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mysql::conn::{Conn, KillHandle, Loaded};
use crate::run::failpoint;

/// Whose turn it is to commit, and from where on nobody may.
#[derive(Debug)]
pub struct Order {
    state: watch::Sender<Turn>,
}

#[derive(Clone, Copy, Debug)]
struct Turn {
    /// The batch that may commit next.
    next: u64,
    /// Batches from this one on have to roll back.
    abort_from: u64,
}

impl Order {
    /// The first batch has number 0.
    pub fn new() -> Order {
        Order { state: watch::Sender::new(Turn { next: 0, abort_from: u64::MAX }) }
    }

    /// The batch whose turn it is.
    pub fn next(&self) -> u64 {
        self.state.borrow().next
    }

    /// Batches from `sequence` on roll back as soon as they look.
    pub fn abort_from(&self, sequence: u64) {
        self.state.send_modify(|turn| turn.abort_from = turn.abort_from.min(sequence));
    }

    /// Everything before `sequence` is settled; nothing is aborted any more.
    pub fn restart_at(&self, sequence: u64) {
        self.state.send_replace(Turn { next: sequence, abort_from: u64::MAX });
    }

    fn committed(&self, sequence: u64) {
        self.state.send_modify(|turn| turn.next = sequence + 1);
    }

    fn is_aborted(&self, sequence: u64) -> bool {
        self.state.borrow().abort_from <= sequence
    }

    /// Waits for the turn; false if the batch has to roll back.
    async fn turn(&self, sequence: u64) -> bool {
        let mut state = self.state.subscribe();
        let mine = state.wait_for(|turn| turn.abort_from <= sequence || turn.next == sequence);
        // The sender lives in `self`, so waiting cannot fail.
        mine.await.is_ok_and(|turn| turn.abort_from > sequence)
    }
}

impl Default for Order {
    fn default() -> Order {
        Order::new()
    }
}

/// A batch on its way.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its number in commit order.
    pub sequence: u64,
    /// What to execute.
    pub batch: Arc<Batch>,
    /// The session that it needs.
    pub session: Arc<SessionState>,
    /// How it may go as LOAD DATA.
    pub load: Option<Arc<LoadPlan>>,
    /// What moves the ledger's position.
    pub mark: Option<Arc<[u8]>>,
}

/// How a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As LOAD DATA.
    Loaded,
    /// As INSERT text; with a reason, although a load was planned.
    Inserted(Option<Reason>),
}

/// What became of a job.
#[derive(Debug)]
pub enum Outcome {
    /// Executed and committed.
    Committed(Way),
    /// Rolled back because the order said so.
    RolledBack,
    /// Rolled back because of an error.
    Failed(Error),
}

/// A report from a lane.
#[derive(Debug)]
pub struct Report {
    /// Which lane.
    pub lane: usize,
    /// Which job.
    pub sequence: u64,
    /// What became of it.
    pub outcome: Outcome,
}

/// A running lane.
pub struct Lane {
    /// Gives it work; it takes one job at a time.
    pub jobs: mpsc::Sender<Job>,
    /// Its connection's id.
    pub connection: u64,
    /// Stops its statement.
    pub kill: KillHandle,
    /// The lane itself; dropped, it ends where it stands, and the server rolls back.
    task: JoinSet<()>,
}

impl Lane {
    /// Starts a lane on a connection in its first state.
    pub fn start(
        lane: usize,
        conn: Conn,
        initial: SessionState,
        order: Arc<Order>,
        reports: mpsc::Sender<Report>,
    ) -> Lane {
        let (jobs, queue) = mpsc::channel(1);
        let (connection, kill) = (conn.id(), conn.kill_handle());
        let mut task = JoinSet::new();
        task.spawn(work(lane, conn, initial, order, queue, reports));
        Lane { jobs, connection, kill, task }
    }

    /// Lets the lane end after its job and waits for it.
    pub async fn stop(mut self) {
        drop(self.jobs);
        // A lane that panicked has nothing left to close.
        let _ = self.task.join_next().await;
    }
}

async fn work(
    lane: usize,
    mut conn: Conn,
    mut state: SessionState,
    order: Arc<Order>,
    mut queue: mpsc::Receiver<Job>,
    reports: mpsc::Sender<Report>,
) {
    while let Some(job) = queue.recv().await {
        let sequence = job.sequence;
        let outcome = match execute(&mut conn, &mut state, &job, &order).await {
            Ok(Some(way)) => Outcome::Committed(way),
            Ok(None) => Outcome::RolledBack,
            Err(error) => {
                // What cannot be rolled back is gone with the connection.
                let _ = conn.query(b"ROLLBACK").await;
                Outcome::Failed(error)
            }
        };
        if reports.send(Report { lane, sequence, outcome }).await.is_err() {
            break;
        }
    }
    conn.close().await;
}

/// Executes a job up to its commit; nothing if it was rolled back by the order.
async fn execute(
    conn: &mut Conn,
    state: &mut SessionState,
    job: &Job,
    order: &Order,
) -> Result<Option<Way>> {
    if order.is_aborted(job.sequence) {
        return Ok(None);
    }
    if *state != *job.session {
        session::apply(conn, state, &job.session).await?;
        *state = SessionState::clone(&job.session);
    }
    let way = match &job.load {
        Some(plan) => load(conn, plan, &job.batch).await?,
        None => Way::Inserted(None),
    };
    if way != Way::Loaded {
        conn.query(b"START TRANSACTION").await?;
        for member in job.batch.members() {
            if order.is_aborted(job.sequence) {
                break;
            }
            conn.query(member.text).await?;
        }
    }
    if !order.turn(job.sequence).await {
        conn.query(b"ROLLBACK").await?;
        return Ok(None);
    }
    failpoint::pass("lane before commit");
    match &job.mark {
        // In one go: the next batch in order waits for this.
        Some(mark) => {
            let text = [mark, &b"; COMMIT"[..]].concat();
            conn.query(&text).await.map_err(ledger::judged)?
        }
        None => conn.query(b"COMMIT").await?,
    };
    failpoint::pass("lane after commit");
    order.committed(job.sequence);
    Ok(Some(way))
}

/// Loads a batch in a transaction that is left open; if it is not all in, no transaction is open.
async fn load(conn: &mut Conn, plan: &Arc<LoadPlan>, batch: &Arc<Batch>) -> Result<Way> {
    let (of, rows) = (Arc::clone(plan), Arc::clone(batch));
    let encoded = tokio::task::spawn_blocking(move || load::encode(&of, &rows)).await;
    let encoded = encoded.map_err(|error| {
        Error::new(ErrorKind::Internal, Side::Internal, "encode rows").with_source(error)
    })?;
    let data = match encoded {
        Ok(data) => data,
        Err(reason) => return Ok(Way::Inserted(Some(reason))),
    };
    conn.query(b"START TRANSACTION").await?;
    let reason = match conn.load(&plan.statement, data).await {
        Ok(loaded) if is_whole(loaded, batch.rows) => return Ok(Way::Loaded),
        Ok(_) => "the server warns of a load",
        Err(error) if conn.is_broken() => return Err(error),
        Err(error) if error.code().is_some_and(is_refusal) => load::REFUSED,
        Err(_) => "the server fails a load",
    };
    conn.query(b"ROLLBACK").await?;
    Ok(Way::Inserted(Some(reason)))
}

/// LOAD DATA LOCAL leaves out or changes what an INSERT would refuse, and only counts it.
fn is_whole(loaded: Loaded, rows: u64) -> bool {
    loaded == Loaded { records: rows, deleted: 0, skipped: 0, warnings: 0 }
}

/// `local_infile` is off, in the words of MariaDB (old and new) and of MySQL.
fn is_refusal(code: u32) -> bool {
    matches!(code, 1148 | 4166 | 3948)
}
