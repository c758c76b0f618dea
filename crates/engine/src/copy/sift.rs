//! Rows that an earlier copy has left, part by part: those that are as the snapshot has them stay,
//! all others go.
//!
//! Promises: when it is done, each part holds exactly the snapshot's rows, or none; a part is a range
//! of keys over all there may be, so rows that the source no longer has go too. Everything that has to
//! go is gone before any row comes, so that no row meets an old one in a unique key.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::carrier::{Carrier, Task};
use super::check::Check;
use super::chunk::Chunk;
use super::connections::Connections;
use super::verify;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::run::progress::Progress;

/// A part of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Which rows.
    pub chunk: Chunk,
    /// How many of them are in, if they are: all or none.
    pub kept: Option<u64>,
}

/// What is needed to sift.
#[derive(Debug)]
pub struct Parts<'a, C: Carrier> {
    /// How rows go.
    pub carrier: &'a C,
    /// All tables.
    pub jobs: &'a Arc<Vec<C::Job>>,
    /// Which of them hold rows of an earlier copy.
    pub inherited: &'a [bool],
    /// Where connections are noted.
    pub connections: &'a Connections,
    /// Kept rows are counted.
    pub progress: &'a Arc<Progress>,
    /// Bytes of a chunk.
    pub chunk_bytes: u64,
}

/// Sifts with readers of the snapshot, and gives these back. The parts of each table that was
/// inherited, in their order; nothing for others.
pub async fn run<C: Carrier>(
    parts: Parts<'_, C>,
    mut readers: Vec<C::Conn>,
) -> Result<(Vec<Option<Vec<Part>>>, Vec<C::Conn>)> {
    let mut sifted: Vec<Option<Vec<Part>>> = Vec::new();
    parts.progress.set_activity("comparing what is there");
    for (job, is_inherited) in parts.jobs.iter().zip(parts.inherited) {
        sifted.push(match is_inherited {
            true => Some(cut::<C>(job, &mut readers, parts.chunk_bytes).await?),
            false => None,
        });
    }
    let all = sifted.iter().enumerate().flat_map(|(job, parts)| {
        let chunks = parts.iter().flatten().enumerate();
        chunks.map(move |(number, part)| (job, number, part.chunk.clone()))
    });
    let queue: Queue = Arc::new(Mutex::new(all.collect::<Vec<_>>().into_iter()));
    let mut tasks = JoinSet::new();
    for reader in readers {
        let writer = parts.carrier.writer("copy comparison").await?;
        parts.connections.watch(C::kill(&writer));
        tasks.spawn(sift_all::<C>(reader, writer, Arc::clone(parts.jobs), Arc::clone(&queue)));
    }
    let mut readers = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let (found, reader) = ended.unwrap_or_else(|error| {
            let text = "a comparison ended without a word";
            Err(Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error))
        })?;
        readers.push(reader);
        for (job, number, kept) in found {
            let part = sifted.get_mut(job).and_then(|parts| parts.as_mut()?.get_mut(number));
            if let Some(part) = part {
                part.kept = kept;
            }
            parts.progress.applied_rows.fetch_add(kept.unwrap_or(0), Ordering::Relaxed);
        }
    }
    Ok((sifted, readers))
}

type Queue = Arc<Mutex<std::vec::IntoIter<(usize, usize, Chunk)>>>;

/// The parts of one table. A lone reader does not cut, as when rows are copied; nor is a table cut
/// whose parts may hold other rows on the target.
async fn cut<C: Carrier>(
    job: &C::Job,
    readers: &mut [C::Conn],
    chunk_bytes: u64,
) -> Result<Vec<Part>> {
    let chunk_bytes = if readers.len() > 1 && !job.is_one() { chunk_bytes } else { u64::MAX };
    let mut walk = C::walk(job, chunk_bytes);
    let mut parts = Vec::new();
    while let Some(chunk) = C::next(&mut walk, job, readers.first_mut())
        .await
        .map_err(|error| error.on(Side::Source).in_table(Some(job.source()), job.table()))?
    {
        parts.push(Part { chunk, kept: None });
    }
    Ok(parts)
}

async fn sift_all<C: Carrier>(
    mut reader: C::Conn,
    mut writer: C::Conn,
    jobs: Arc<Vec<C::Job>>,
    queue: Queue,
) -> Result<(Vec<(usize, usize, Option<u64>)>, C::Conn)> {
    let mut found = Vec::new();
    loop {
        let next = queue.lock().await.next();
        let Some((index, number, chunk)) = next else {
            C::close(writer).await;
            return Ok((found, reader));
        };
        let job = &jobs[index];
        let check = Check { job: index, chunk, digest: true };
        let kept = sift::<C>(&mut reader, &mut writer, job, check)
            .await
            .map_err(|error| error.in_table(Some(job.source()), job.table()))?;
        found.push((index, number, kept));
    }
}

/// The rows that stay; nothing if they went.
async fn sift<C: Carrier>(
    reader: &mut C::Conn,
    writer: &mut C::Conn,
    job: &C::Job,
    check: Check,
) -> Result<Option<u64>> {
    // Most parts that were not copied are empty: then the source need not read its own.
    if !C::holds(writer, job, &check.chunk).await? {
        return Ok(None);
    }
    if let Some(rows) = verify::rows_if_same::<C>(reader, writer, job, &check).await? {
        return Ok(Some(rows));
    }
    C::remove(writer, job, &check.chunk).await?;
    Ok(None)
}
