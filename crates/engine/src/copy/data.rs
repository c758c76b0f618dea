//! All rows from the source to the target, and the keys that wait for them.
//!
//! A walker cuts tables into chunks, a little ahead of the lanes that copy them; a table whose chunks
//! are all in gets its keys while others are still copied. Promises: every chunk is counted once, and
//! the first error ends all.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;

use super::arrival::{Arrived, News, Told};
use super::carrier::{Carrier, Task};
use super::chunk::Chunk;
use super::connections::Connections;
use super::lane::{self, Shared};
use super::share::Share;
use super::sift::Part;
use super::throttle::Throttle;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::run::failpoint;
use crate::run::progress::Progress;

/// Chunks that wait for a lane.
const CHUNKS_AHEAD: usize = 8;
/// What lanes have told and nobody has read yet.
const TOLD_MAX: usize = 64;

/// By table: the statements that make its waiting keys, one after another.
pub type Keys = Vec<Vec<String>>;

/// What is needed to copy.
#[derive(Debug)]
pub struct Parts<C: Carrier> {
    /// How rows go.
    pub carrier: C,
    /// The tables, in the order in which they are read.
    pub jobs: Arc<Vec<C::Job>>,
    /// What makes the waiting keys.
    pub keys: Keys,
    /// Readers of one snapshot.
    pub readers: Vec<C::Conn>,
    /// Where connections are noted.
    pub connections: Connections,
    /// Counted meanwhile.
    pub progress: Arc<Progress>,
    /// Says when work may begin.
    pub throttle: Throttle,
    /// Bytes of a chunk.
    pub chunk_bytes: u64,
    /// By table: its parts, if some of them are in already.
    pub sifted: Vec<Option<Vec<Part>>>,
}

/// Everything but the last keys.
#[derive(Debug)]
pub struct Rows<C: Carrier> {
    /// By table.
    pub tables: Vec<Arrived>,
    /// Pairs of a reader of the snapshot and a connection to the target.
    pub pairs: Vec<(C::Conn, C::Conn)>,
    /// Keys that are still being built.
    pub builders: Builders,
}

/// Connections that build keys.
#[derive(Debug)]
pub struct Builders {
    tasks: JoinSet<Result<Vec<(usize, Duration)>>>,
}

impl Builders {
    /// Waits for all keys; how long each table's took.
    pub async fn finish(mut self) -> Result<Vec<(usize, Duration)>> {
        let mut took = Vec::new();
        while let Some(ended) = self.tasks.join_next().await {
            took.extend(joined(ended)?);
        }
        Ok(took)
    }
}

/// Copies all rows.
pub async fn run<C: Carrier>(parts: Parts<C>) -> Result<Rows<C>> {
    let Parts { carrier, jobs, keys, mut readers, connections, progress, throttle, sifted, .. } =
        parts;
    // The only reader has to walk as well, so it does not cut.
    let walker = if readers.len() > 1 { readers.pop() } else { None };
    let chunk_bytes = if walker.is_some() { parts.chunk_bytes } else { u64::MAX };
    let (chunks, queue) = mpsc::channel(CHUNKS_AHEAD);
    let (teller, told) = mpsc::channel(TOLD_MAX);
    let (to_build, builds) = mpsc::channel(jobs.len().max(1));
    let queue = Arc::new(Mutex::new(queue));
    let share = match carrier.makes_keys_alone() {
        true => Share::of(readers.len()),
        false => Share::unlimited(),
    };
    let shared: Shared<C> = Shared {
        jobs: Arc::clone(&jobs),
        queue,
        told: teller.clone(),
        throttle: throttle.clone(),
        share: share.clone(),
        progress,
    };

    let (mut lanes, mut builders) = (JoinSet::new(), Builders { tasks: JoinSet::new() });
    let builds = Arc::new(Mutex::new(builds));
    let keys = Arc::new(keys);
    for reader in readers {
        let writer = carrier.writer("copy writer").await?;
        connections.watch(C::kill(&writer));
        let (teller, shared) = (teller.clone(), shared.clone());
        lanes.spawn(async move { or_tell(lane::run(reader, writer, shared).await, &teller).await });
        let builder = carrier.writer("copy keys").await?;
        connections.watch(C::kill(&builder));
        builders.tasks.spawn(build(
            (carrier.clone(), builder),
            (throttle.clone(), share.clone()),
            Arc::clone(&builds),
            (Arc::clone(&jobs), Arc::clone(&keys)),
        ));
    }
    drop(shared);
    let mut walk_task = JoinSet::new();
    walk_task.spawn(async move {
        let walked = walk::<C>(walker, (&jobs, sifted), &chunks, &teller, chunk_bytes).await;
        or_tell(walked, &teller).await
    });
    let tables = follow(told, &mut builders, &keys, to_build).await?;
    share.rows_are_in();
    let pairs = lanes.join_all().await.into_iter().flatten().collect();
    Ok(Rows { tables, pairs, builders })
}

/// Counts what is told until all have come to their end, and hands tables on to those who build.
async fn follow(
    mut told: mpsc::Receiver<Told>,
    builders: &mut Builders,
    keys: &Keys,
    to_build: mpsc::Sender<usize>,
) -> Result<Vec<Arrived>> {
    let mut tables = vec![Arrived::default(); keys.len()];
    loop {
        let next = tokio::select! {
            next = told.recv() => next,
            // While there may be more to build they only end by an error.
            Some(ended) = builders.tasks.join_next() => {
                joined(ended)?;
                Some(Told::Failed(Error::new(
                    ErrorKind::Internal,
                    Side::Internal,
                    "those who make keys ended before the rows were in",
                )))
            }
        };
        let (index, news) = match next {
            None => return Ok(tables),
            Some(Told::Failed(error)) => return Err(error),
            Some(Told::Of(index, news)) => (index, news),
        };
        if matches!(news, News::Copied { .. }) {
            failpoint::pass("chunk copied");
        }
        let is_in = tables[index].take(news);
        if is_in && !keys[index].is_empty() && to_build.send(index).await.is_err() {
            return Err(Error::new(ErrorKind::Internal, Side::Internal, "nobody builds keys"));
        }
    }
}

/// Cuts the tables into chunks, in their order; those that are cut already are passed on.
async fn walk<C: Carrier>(
    mut walker: Option<C::Conn>,
    (jobs, sifted): (&[C::Job], Vec<Option<Vec<Part>>>),
    chunks: &mpsc::Sender<(usize, Chunk)>,
    teller: &mpsc::Sender<Told>,
    chunk_bytes: u64,
) -> Result<()> {
    let mut sifted = sifted.into_iter();
    for (index, job) in jobs.iter().enumerate() {
        let mut ready = sifted.next().flatten().map(Vec::into_iter);
        let mut walk = C::walk(job, chunk_bytes);
        loop {
            let part = match &mut ready {
                Some(parts) => parts.next(),
                None => {
                    let next = C::next(&mut walk, job, walker.as_mut()).await;
                    let next = next.map_err(|error| {
                        error.on(Side::Source).in_table(Some(job.source()), job.table())
                    })?;
                    next.map(|chunk| Part { chunk, kept: None })
                }
            };
            let Some(Part { chunk, kept }) = part else { break };
            let is_heard = match kept {
                Some(rows) => teller.send(Told::Of(index, News::Kept(chunk, rows))).await.is_ok(),
                None => {
                    teller.send(Told::Of(index, News::Cut(chunk.clone()))).await.is_ok()
                        && chunks.send((index, chunk)).await.is_ok()
                }
            };
            if !is_heard {
                return Ok(());
            }
        }
        // Whoever does not hear it has ended by an error that is told elsewhere.
        let _ = teller.send(Told::Of(index, News::Walked)).await;
    }
    Ok(())
}

/// Builds the keys of tables as their numbers come; how long each took.
async fn build<C: Carrier>(
    (carrier, mut conn): (C, C::Conn),
    (throttle, share): (Throttle, Share),
    builds: Arc<Mutex<mpsc::Receiver<usize>>>,
    (jobs, keys): (Arc<Vec<C::Job>>, Arc<Keys>),
) -> Result<Vec<(usize, Duration)>> {
    carrier.prepare_keys(&mut conn).await?;
    let mut took = Vec::new();
    loop {
        let next = builds.lock().await.recv().await;
        let Some(index) = next else {
            C::close(conn).await;
            return Ok(took);
        };
        throttle.clear().await?;
        let _place = share.to_build().await;
        let began = Instant::now();
        for statement in &keys[index] {
            let job = &jobs[index];
            C::execute(&mut conn, statement).await.map_err(|mut error| {
                error.message = "make the table's keys".to_owned();
                error.in_table(Some(job.source()), job.table())
            })?;
        }
        took.push((index, began.elapsed()));
    }
}

/// The value, or its error told.
async fn or_tell<T>(outcome: Result<T>, teller: &mpsc::Sender<Told>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            // Nobody listens any more after another error.
            let _ = teller.send(Told::Failed(error)).await;
            None
        }
    }
}

fn joined<T>(ended: std::result::Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    ended.unwrap_or_else(|error| {
        let text = "a task of the copy ended without a word";
        Err(Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error))
    })
}
