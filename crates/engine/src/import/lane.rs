//! Lanes: connections that execute batches side by side and commit them in file order.
//!
//! The prefix rule lives here: a lane commits its batch only when every batch before it has
//! committed ([`Order`]), so at every moment the target shows what some prefix of the file makes of
//! it. A lane never decides what a failure means; it rolls back and reports.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::batch::Batch;
use super::session::{self, SessionState};
use crate::error::{Error, Result};
use crate::mysql::conn::{Conn, KillHandle};

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
}

/// What became of a job.
#[derive(Debug)]
pub enum Outcome {
    /// Executed and committed.
    Committed,
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
    task: JoinHandle<()>,
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
        let task = tokio::spawn(work(lane, conn, initial, order, queue, reports));
        Lane { jobs, connection, kill, task }
    }

    /// Lets the lane end after its job and waits for it.
    pub async fn stop(self) {
        drop(self.jobs);
        // A lane that panicked has nothing left to close.
        let _ = self.task.await;
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
            Ok(true) => Outcome::Committed,
            Ok(false) => Outcome::RolledBack,
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

/// Executes a job up to its commit; false if it was rolled back by the order.
async fn execute(
    conn: &mut Conn,
    state: &mut SessionState,
    job: &Job,
    order: &Order,
) -> Result<bool> {
    if order.is_aborted(job.sequence) {
        return Ok(false);
    }
    if *state != *job.session {
        session::apply(conn, state, &job.session).await?;
        *state = SessionState::clone(&job.session);
    }
    conn.query(b"START TRANSACTION").await?;
    for member in job.batch.members() {
        if order.is_aborted(job.sequence) {
            break;
        }
        conn.query(member.text).await?;
    }
    if !order.turn(job.sequence).await {
        conn.query(b"ROLLBACK").await?;
        return Ok(false);
    }
    conn.query(b"COMMIT").await?;
    order.committed(job.sequence);
    Ok(true)
}
