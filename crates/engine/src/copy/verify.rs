//! Are the rows the same on both sides? Counted, or compared by a digest of each chunk.
//!
//! Both servers compute over their own rows, the source in the snapshot; what a digest is, and how sure,
//! each family says.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::arrival::Arrived;
use super::carrier::{Carrier, Task};
use super::check::Check;
use super::chunk::Chunk;
use super::report::{Difference, Verified};
use super::throttle::Throttle;
use crate::error::{Error, ErrorKind, Result, Side};

/// Chunks with differences that are looked into.
pub const DIFFERENCES_MAX: usize = 20;
/// What has to be compared. Tables whose rows made the target warn are compared by digest whatever
/// was asked for.
pub fn checks(jobs: &[impl Task], tables: &[Arrived], wanted: Verified) -> Vec<Check> {
    let mut checks = Vec::new();
    for (job, table) in tables.iter().enumerate() {
        let digest = wanted == Verified::Checksum || table.warnings > 0;
        if digest && !jobs[job].is_one() {
            checks.extend(table.chunks.iter().map(|chunk| Check {
                job,
                chunk: chunk.clone(),
                digest,
            }));
        } else if digest || wanted == Verified::Rows {
            checks.push(Check { job, chunk: Chunk::whole(), digest });
        }
    }
    checks
}

/// Compares over pairs of connections: the source's, the target's. Gives the differences, and the
/// connections back.
pub async fn run<C: Carrier>(
    jobs: &Arc<Vec<C::Job>>,
    checks: Vec<Check>,
    pairs: Vec<(C::Conn, C::Conn)>,
    throttle: &Throttle,
) -> Result<(Vec<Difference>, Vec<(C::Conn, C::Conn)>)> {
    let queue = Arc::new(Mutex::new(checks.into_iter()));
    let mut tasks = JoinSet::new();
    for pair in pairs {
        let shared = (Arc::clone(jobs), throttle.clone());
        tasks.spawn(compare_all::<C>(pair, shared, Arc::clone(&queue)));
    }
    let (mut differences, mut pairs) = (Vec::new(), Vec::new());
    while let Some(ended) = tasks.join_next().await {
        let (found, pair) = ended.unwrap_or_else(|error| {
            let text = "a comparison ended without a word";
            Err(Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error))
        })?;
        differences.extend(found);
        pairs.push(pair);
    }
    differences.sort_by(|a, b| (&a.table, a.chunk).cmp(&(&b.table, b.chunk)));
    Ok((differences, pairs))
}

type Queue = Arc<Mutex<std::vec::IntoIter<Check>>>;

async fn compare_all<C: Carrier>(
    (mut source, mut target): (C::Conn, C::Conn),
    (jobs, throttle): (Arc<Vec<C::Job>>, Throttle),
    queue: Queue,
) -> Result<(Vec<Difference>, (C::Conn, C::Conn))> {
    let mut differences = Vec::new();
    loop {
        let next = queue.lock().await.next();
        let Some(check) = next else { return Ok((differences, (source, target))) };
        throttle.clear().await?;
        let job = &jobs[check.job];
        let (there, here) = tokio::join!(
            C::sum(&mut source, job, Side::Source, &check),
            C::sum(&mut target, job, Side::Target, &check),
        );
        let there = there
            .map_err(|error| error.on(Side::Source).in_table(Some(job.source()), job.table()))?;
        let here = here.map_err(|error| error.in_table(Some(job.source()), job.table()))?;
        if there != here && differences.len() < DIFFERENCES_MAX {
            let keys = C::differing(&mut source, &mut target, job, &check.chunk).await?;
            differences.push(Difference {
                table: format!("{}.{}", job.source(), job.table()),
                chunk: check.chunk.number,
                rows: (there.rows, here.rows),
                keys,
            });
        }
    }
}

/// How many rows a chunk has, if both sides have the same ones.
pub async fn rows_if_same<C: Carrier>(
    source: &mut C::Conn,
    target: &mut C::Conn,
    job: &C::Job,
    check: &Check,
) -> Result<Option<u64>> {
    let (there, here) = tokio::join!(
        C::sum(source, job, Side::Source, check),
        C::sum(target, job, Side::Target, check)
    );
    let (there, here) = (there.map_err(|error| error.on(Side::Source))?, here?);
    Ok((there == here).then_some(here.rows))
}
