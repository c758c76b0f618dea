//! One lane: a reader of the source and a writer of the target, side by side.
//!
//! The reader makes batches while the writer has one committed; at most [`AHEAD`] wait between them.
//! Promises: a batch is in the target wholly or not at all, and counted only once it is committed; a
//! chunk counts only when the source has said that it has no more rows.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::sync::mpsc::{self, Receiver, Sender};

use super::chunk::Chunk;
use super::data::Told;
use super::mysql::rows::{Batch, Form};
use super::mysql::table::Table;
use super::throttle::Throttle;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::indexes::deferral::identifier;
use crate::mysql::conn::{Cells, Conn};
use crate::mysql::facts::Flavor;
use crate::run::progress::Progress;

/// Bytes of rows that are committed at once.
pub const BATCH_BYTES: usize = 4 << 20;
/// Batches that wait between a reader and its writer.
pub const AHEAD: usize = 1;
/// How often a batch is tried that the target rolled back because of others.
pub const TRIES: u32 = 10;

/// A table on its way.
#[derive(Debug)]
pub struct Job {
    /// The database on the source.
    pub source: String,
    /// The database on the target that takes the rows.
    pub target: String,
    /// The table.
    pub table: Table,
    /// In which form its rows are written.
    pub form: Form,
    /// The statement around a batch.
    pub statement: String,
    /// Bytes of a batch.
    pub batch_bytes: usize,
    /// Texts may have another order on the target, and numbers another text.
    pub is_translated: bool,
}

/// What the target takes.
#[derive(Clone, Copy, Debug)]
pub struct Way {
    /// Its dialect.
    pub flavor: Flavor,
    /// LOAD DATA LOCAL.
    pub load: bool,
    /// Statements up to this length.
    pub packet_bytes: u64,
    /// Batches up to this length, where rows are not longer.
    pub batch_bytes: usize,
    /// Texts may have another order there than on the source, and numbers another text.
    pub is_translated: bool,
}

/// Chunks that wait for a lane.
pub type Queue = Arc<Mutex<Receiver<(usize, Chunk)>>>;

/// What a lane tells.
#[derive(Debug)]
pub struct Copied {
    /// The table's number among the jobs.
    pub job: usize,
    /// The chunk that is in.
    pub chunk: Chunk,
    /// Its rows.
    pub rows: u64,
    /// Bytes of their text.
    pub bytes: u64,
    /// Warnings of the target.
    pub warnings: u64,
}

/// What all lanes share.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The tables.
    pub jobs: Arc<Vec<Job>>,
    /// Chunks to be copied.
    pub queue: Queue,
    /// Where what is copied is told.
    pub told: Sender<Told>,
    /// Says when a batch may go.
    pub throttle: Throttle,
    /// Counted as batches are committed.
    pub progress: Arc<Progress>,
}

/// From a reader to its writer.
#[derive(Debug)]
enum Step<B> {
    Batch(usize, B),
    End(usize, Chunk),
}

/// Where the batches of a chunk go.
#[derive(Debug)]
pub struct Outlet<B> {
    job: usize,
    steps: Sender<Step<B>>,
}

impl<B> Outlet<B> {
    /// Waits until the writer has room; false if it has stopped.
    pub async fn send(&mut self, batch: B) -> bool {
        self.steps.send(Step::Batch(self.job, batch)).await.is_ok()
    }
}

impl Job {
    /// Rows go as LOAD DATA where the target takes that, else as INSERT of up to `packet_bytes`.
    pub fn new(source: &str, target: &str, table: Table, way: &Way) -> Job {
        let name = format!("{}.{}", identifier(target), identifier(&table.name));
        // INSERT needs a column; what a table without any holds is its number of rows.
        let load = way.load && table.stored().next().is_some();
        let (form, statement) = match load {
            true => (
                Form::Load,
                format!(
                    "LOAD DATA LOCAL INFILE 'rows' INTO TABLE {name} CHARACTER SET binary FIELDS \
                     TERMINATED BY '\\t' ESCAPED BY '\\\\' LINES TERMINATED BY '\\n' {}",
                    table.loaded(way.flavor)
                ),
            ),
            false => {
                (Form::insert(&table), format!("INSERT INTO {name} ({}) VALUES ", table.inserted()))
            }
        };
        let packet_bytes = usize::try_from(way.packet_bytes).unwrap_or(usize::MAX);
        let batch_bytes = way.batch_bytes.min(BATCH_BYTES);
        let batch_bytes = if load { batch_bytes } else { batch_bytes.min(packet_bytes / 2) };
        let (source, target) = (source.to_owned(), target.to_owned());
        let is_translated = way.is_translated;
        Job { source, target, table, form, statement, batch_bytes, is_translated }
    }

    /// Its chunks may hold other rows on the target: it can only be compared as a whole.
    pub fn is_one(&self) -> bool {
        self.is_translated && self.table.is_cut_by_text()
    }

    fn selection(&self, chunk: &Chunk) -> String {
        let from = self.table.from(&self.source, chunk.key.as_deref());
        format!("SELECT {} FROM {from}{}", self.table.selected(), chunk.filter())
    }
}

/// Copies chunks until there are no more, and gives the connections back.
pub async fn run(mut reader: Conn, mut writer: Conn, shared: Shared) -> Result<(Conn, Conn)> {
    let (sender, steps) = mpsc::channel(AHEAD);
    let (read, written) = tokio::join!(
        read_all(&mut reader, &shared, sender),
        write_all(&mut writer, &shared, steps),
    );
    // A reader whose writer has stopped says nothing of interest.
    written?;
    read?;
    Ok((reader, writer))
}

async fn read_all(reader: &mut Conn, shared: &Shared, steps: Sender<Step<Batch>>) -> Result<()> {
    loop {
        let next = shared.queue.lock().await.recv().await;
        let Some((index, chunk)) = next else { return Ok(()) };
        let job = &shared.jobs[index];
        let outcome = read_chunk(reader, job, index, &chunk, &steps).await;
        let goes_on = outcome.map_err(|error| {
            let error = error.on(Side::Source);
            error.in_table(Some(&job.source), job.table.name.clone())
        })?;
        if !goes_on || steps.send(Step::End(index, chunk)).await.is_err() {
            return Ok(());
        }
    }
}

/// False if the writer has stopped.
async fn read_chunk(
    reader: &mut Conn,
    job: &Job,
    index: usize,
    chunk: &Chunk,
    steps: &Sender<Step<Batch>>,
) -> Result<bool> {
    let mut selection = reader.select(job.selection(chunk).as_bytes()).await?;
    let mut batch = Batch::default();
    while let Some(cells) = selection.next().await? {
        let is_full = match &job.form {
            Form::Load => batch.text.len() >= job.batch_bytes,
            // A statement is not to become too long for the target because of its last row.
            Form::Insert(_) => batch.text.len() + written_max(&cells) > job.batch_bytes,
        };
        if is_full
            && batch.rows > 0
            && steps.send(Step::Batch(index, std::mem::take(&mut batch))).await.is_err()
        {
            return Ok(false);
        }
        if batch.text.capacity() == 0 {
            batch.text.reserve(job.batch_bytes + (job.batch_bytes >> 3));
        }
        batch.push(&job.form, cells.iter());
    }
    Ok(batch.rows == 0 || steps.send(Step::Batch(index, batch)).await.is_ok())
}

/// The most bytes that a row may take in an INSERT: every byte escaped, every cell quoted.
fn written_max(cells: &Cells) -> usize {
    const AROUND: usize = 12;
    cells.iter().map(|cell| 2 * cell.map_or(0, <[u8]>::len) + AROUND).sum()
}

async fn write_all(
    writer: &mut Conn,
    shared: &Shared,
    mut steps: Receiver<Step<Batch>>,
) -> Result<()> {
    let (mut rows, mut bytes, mut warnings) = (0, 0, 0);
    while let Some(step) = steps.recv().await {
        match step {
            Step::Batch(index, batch) => {
                let job = &shared.jobs[index];
                let (batch_rows, batch_bytes) = (batch.rows, batch.text.len() as u64);
                shared.throttle.pass(batch_bytes).await?;
                shared.progress.set_activity(format!("{}.{}", job.source, job.table.name));
                warnings += write(writer, job, batch)
                    .await
                    .map_err(|error| error.in_table(Some(&job.source), job.table.name.clone()))?;
                rows += batch_rows;
                bytes += batch_bytes;
                shared.progress.applied_rows.fetch_add(batch_rows, Ordering::Relaxed);
                shared.progress.applied_bytes.fetch_add(batch_bytes, Ordering::Relaxed);
            }
            Step::End(job, chunk) => {
                let copied = Copied { job, chunk, rows, bytes, warnings };
                (rows, bytes, warnings) = (0, 0, 0);
                if shared.told.send(Told::Copied(copied)).await.is_err() {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

/// Brings a batch in, and gives the number of warnings.
async fn write(writer: &mut Conn, job: &Job, batch: Batch) -> Result<u64> {
    let (text, rows) = (Bytes::from(batch.text), batch.rows);
    for left in (0..TRIES).rev() {
        // A LOAD DATA that is cut keeps what it has got, so it needs a transaction.
        writer.query(b"START TRANSACTION").await?;
        let outcome = match &job.form {
            Form::Load => load(writer, job, text.clone(), rows).await,
            Form::Insert(_) => insert(writer, job, &text, rows).await,
        };
        match outcome {
            Ok(warnings) => {
                writer.query(b"COMMIT").await?;
                return Ok(warnings);
            }
            Err(error) if !writer.is_broken() => {
                writer.query(b"ROLLBACK").await?;
                let passes = matches!(error.kind, ErrorKind::Deadlock | ErrorKind::LockWait);
                if !passes || left == 0 {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::LockWait, Side::Target, "write rows"))
}

async fn load(writer: &mut Conn, job: &Job, text: Bytes, rows: u64) -> Result<u64> {
    let loaded = writer.load(job.statement.as_bytes(), text).await?;
    if loaded.records == rows && loaded.skipped == 0 && loaded.deleted == 0 {
        return Ok(loaded.warnings);
    }
    Err(not_all(rows, loaded.records - loaded.skipped.min(loaded.records)))
}

async fn insert(writer: &mut Conn, job: &Job, text: &[u8], rows: u64) -> Result<u64> {
    let statement = [job.statement.as_bytes(), text].concat();
    let effect = writer.query(&statement).await?;
    if effect.affected_rows == rows {
        return Ok(u64::from(effect.warnings));
    }
    Err(not_all(rows, effect.affected_rows))
}

fn not_all(sent: u64, taken: u64) -> Error {
    let text = format!("write rows: the target took {taken} of {sent}");
    Error::new(ErrorKind::Statement, Side::Target, text)
}
