//! Where a reader puts what it has read: the way from a reader to its writer.
//!
//! Promises: at most [`AHEAD`] batches wait in it; whoever reads waits then.

use tokio::sync::mpsc::{self, Receiver, Sender};

/// Batches that wait between a reader and its writer.
pub const AHEAD: usize = 1;

/// Where the batches of a chunk go.
#[derive(Debug)]
pub struct Outlet<B> {
    job: usize,
    steps: Sender<Step<B>>,
}

/// From a reader to its writer, each with the table's number among the jobs.
#[derive(Debug)]
pub enum Step<B> {
    /// Rows.
    Batch(usize, B),
    /// The chunk has no more of them.
    End(usize),
}

/// The two ends of a way.
pub fn open<B>() -> (Outlet<B>, Receiver<Step<B>>) {
    let (steps, taken) = mpsc::channel(AHEAD);
    (Outlet { job: 0, steps }, taken)
}

impl<B> Outlet<B> {
    /// Waits until the writer has room; false if it has stopped.
    pub async fn send(&mut self, batch: B) -> bool {
        self.steps.send(Step::Batch(self.job, batch)).await.is_ok()
    }

    /// What comes now is of this table.
    pub fn begin(&mut self, job: usize) {
        self.job = job;
    }

    /// The chunk is read; false if the writer has stopped.
    pub async fn end(&mut self) -> bool {
        self.steps.send(Step::End(self.job)).await.is_ok()
    }
}
