//! One lane: a reader of the source and a writer of the target, side by side.
//!
//! The reader makes batches while the writer has one committed; few wait between them ([`super::outlet`]).
//! Promises: a batch is counted only once it is committed; a chunk counts only when the source has said
//! that it has no more rows. How rows are read and written is the business of [`Carrier`].

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Mutex;
use tokio::sync::mpsc::{Receiver, Sender};

use super::arrival::{News, Told};
use super::carrier::{Carrier, Task, Written};
use super::chunk::Chunk;
use super::outlet::{self, Outlet, Step};
use super::share::Share;
use super::throttle::Throttle;
use crate::error::{Result, Side};
use crate::run::progress::Progress;

/// Bytes of rows that are committed at once.
pub const BATCH_BYTES: usize = 4 << 20;
/// How often a batch is tried that the target rolled back because of others.
pub const TRIES: u32 = 10;

/// Chunks that wait for a lane.
pub type Queue = Arc<Mutex<Receiver<(usize, Chunk)>>>;

/// What all lanes share.
#[derive(Debug)]
pub struct Shared<C: Carrier> {
    /// The tables.
    pub jobs: Arc<Vec<C::Job>>,
    /// Chunks to be copied.
    pub queue: Queue,
    /// Where what is copied is told.
    pub told: Sender<Told>,
    /// Says when a batch may go.
    pub throttle: Throttle,
    /// Says how many batches may go at once.
    pub share: Share,
    /// Counted as batches are committed.
    pub progress: Arc<Progress>,
}

impl<C: Carrier> Clone for Shared<C> {
    fn clone(&self) -> Shared<C> {
        Shared {
            jobs: Arc::clone(&self.jobs),
            queue: Arc::clone(&self.queue),
            told: self.told.clone(),
            throttle: self.throttle.clone(),
            share: self.share.clone(),
            progress: Arc::clone(&self.progress),
        }
    }
}

/// Copies chunks until there are no more, and gives the connections back.
pub async fn run<C: Carrier>(
    mut reader: C::Conn,
    mut writer: C::Conn,
    shared: Shared<C>,
) -> Result<(C::Conn, C::Conn)> {
    let (outlet, steps) = outlet::open();
    let (read, written) = tokio::join!(
        read_all(&mut reader, &shared, outlet),
        write_all(&mut writer, &shared, steps),
    );
    // A reader whose writer has stopped says nothing of interest.
    written?;
    read?;
    Ok((reader, writer))
}

async fn read_all<C: Carrier>(
    reader: &mut C::Conn,
    shared: &Shared<C>,
    mut outlet: Outlet<C::Batch>,
) -> Result<()> {
    loop {
        let next = shared.queue.lock().await.recv().await;
        let Some((index, chunk)) = next else { return Ok(()) };
        let job = &shared.jobs[index];
        outlet.begin(index);
        let goes_on = C::read(reader, job, &chunk, &mut outlet)
            .await
            .map_err(|error| error.on(Side::Source).in_table(Some(job.source()), job.table()))?;
        if !goes_on || !outlet.end().await {
            return Ok(());
        }
    }
}

async fn write_all<C: Carrier>(
    writer: &mut C::Conn,
    shared: &Shared<C>,
    mut steps: Receiver<Step<C::Batch>>,
) -> Result<()> {
    let (mut rows, mut bytes, mut warnings) = (0, 0, 0);
    while let Some(step) = steps.recv().await {
        match step {
            Step::Batch(index, batch) => {
                let job = &shared.jobs[index];
                let batch_bytes = C::bytes(&batch);
                shared.throttle.pass(batch_bytes).await?;
                shared.progress.set_activity(format!("{}.{}", job.source(), job.table()));
                let _place = shared.share.to_write().await;
                let written: Written = C::write(writer, job, batch)
                    .await
                    .map_err(|error| error.in_table(Some(job.source()), job.table()))?;
                rows += written.rows;
                bytes += batch_bytes;
                warnings += written.warnings;
                shared.progress.applied_rows.fetch_add(written.rows, Ordering::Relaxed);
                shared.progress.applied_bytes.fetch_add(batch_bytes, Ordering::Relaxed);
            }
            Step::End(index) => {
                let copied = News::Copied { rows, bytes, warnings };
                (rows, bytes, warnings) = (0, 0, 0);
                if shared.told.send(Told::Of(index, copied)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}
