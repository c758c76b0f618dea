//! Are the rows the same on both sides? Counted, or compared by a digest of each chunk.
//!
//! Both servers compute over their own rows, the source in the snapshot. A digest is the sum of the
//! rows' CRC32, which stays the same in any order and, unlike their XOR, tells apart rows that have
//! swapped values: one wrong row goes unseen once in four thousand million times.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::chunk::Chunk;
use super::data::Arrived;
use super::lane::Job;
use super::report::{Difference, Verified};
use super::throttle::Throttle;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::indexes::deferral::identifier;
use crate::mysql::conn::Conn;

/// Keys of rows that differ which are named of one chunk.
pub const KEYS_MAX: usize = 5;
/// Chunks with differences that are looked into.
pub const DIFFERENCES_MAX: usize = 20;
/// Stands for a digest that is not known: more than the sum of all that are.
const UNKNOWN: &str = "1000000000000000000000000000000";
/// Characters of a key that are shown.
const KEY_CHARS_MAX: usize = 200;

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The table's number among the jobs.
    pub job: usize,
    /// The rows.
    pub chunk: Chunk,
    /// Not only counted.
    pub digest: bool,
}

/// What a side says of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// How many rows it has.
    pub rows: u64,
    /// Alike for alike rows, in any order.
    pub digest: String,
}

/// What has to be compared. Tables whose rows made the target warn are compared by digest whatever
/// was asked for.
pub fn checks(jobs: &[Job], tables: &[Arrived], wanted: Verified) -> Vec<Check> {
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
            let chunk = Chunk { number: 0, condition: None, key: None };
            checks.push(Check { job, chunk, digest });
        }
    }
    checks
}

/// Compares over pairs of connections: the source's, the target's. Gives the differences, and the
/// connections back.
pub async fn run(
    jobs: &Arc<Vec<Job>>,
    checks: Vec<Check>,
    pairs: Vec<(Conn, Conn)>,
    throttle: &Throttle,
) -> Result<(Vec<Difference>, Vec<(Conn, Conn)>)> {
    let queue = Arc::new(Mutex::new(checks.into_iter()));
    let mut tasks = JoinSet::new();
    for (source, target) in pairs {
        tasks.spawn(compare_all(
            source,
            target,
            (Arc::clone(jobs), throttle.clone()),
            Arc::clone(&queue),
        ));
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

async fn compare_all(
    mut source: Conn,
    mut target: Conn,
    (jobs, throttle): (Arc<Vec<Job>>, Throttle),
    queue: Queue,
) -> Result<(Vec<Difference>, (Conn, Conn))> {
    let mut differences = Vec::new();
    loop {
        let next = queue.lock().await.next();
        let Some(check) = next else { return Ok((differences, (source, target))) };
        throttle.clear().await?;
        let job = &jobs[check.job];
        let (there, here) = tokio::join!(
            sum(&mut source, job, &job.source, &check),
            sum(&mut target, job, &job.target, &check),
        );
        let there = there.map_err(|error| {
            error.on(Side::Source).in_table(Some(&job.source), job.table.name.clone())
        })?;
        let here = here.map_err(|e| e.in_table(Some(&job.source), job.table.name.clone()))?;
        if there != here && differences.len() < DIFFERENCES_MAX {
            let keys = keys(&mut source, &mut target, job, &check.chunk).await?;
            differences.push(Difference {
                table: format!("{}.{}", job.source, job.table.name),
                chunk: check.chunk.number,
                rows: (there.rows, here.rows),
                keys,
            });
        }
    }
}

/// How many rows a chunk has, if both sides have the same ones.
pub async fn rows_if_same(
    source: &mut Conn,
    target: &mut Conn,
    job: &Job,
    check: &Check,
) -> Result<Option<u64>> {
    let (there, here) =
        tokio::join!(sum(source, job, &job.source, check), sum(target, job, &job.target, check));
    let (there, here) = (there.map_err(|error| error.on(Side::Source))?, here?);
    Ok((there == here).then_some(here.rows))
}

async fn sum(conn: &mut Conn, job: &Job, schema: &str, check: &Check) -> Result<Sum> {
    let from = job.table.from(schema, check.chunk.key.as_deref());
    let filter = check.chunk.filter();
    // A NULL is a digest that the server could not compute; it must not look like none.
    let digest = match check.digest {
        true => format!("SUM(IFNULL({}, {UNKNOWN}))", job.table.row_digest(job.is_translated)),
        false => "0".to_owned(),
    };
    let sql = format!("SELECT COUNT(*), {digest} FROM {from}{filter}");
    let rows = conn.rows(&sql).await?;
    let cell = |index: usize| rows.first().and_then(|row| row.get(index).cloned().flatten());
    let digest = cell(1).unwrap_or_default();
    if digest.len() >= UNKNOWN.len() {
        let text = "compare rows: the server could not compute a row's digest (is \
                    max_allowed_packet large enough?)";
        return Err(Error::new(ErrorKind::Statement, Side::Target, text));
    }
    let rows = cell(0).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    Ok(Sum { rows, digest })
}

/// The keys of the first rows of a chunk that are not the same, in the order of the key.
async fn keys(
    source: &mut Conn,
    target: &mut Conn,
    job: &Job,
    chunk: &Chunk,
) -> Result<Vec<String>> {
    let Some((key, columns)) = job.table.chunk_key() else { return Ok(Vec::new()) };
    let names: Vec<String> = columns.iter().map(|(c, _)| identifier(&c.name)).collect();
    let list = |schema: &str| {
        let from = job.table.from(schema, Some(&key.name));
        let (digest, names, filter) =
            (job.table.row_digest(job.is_translated), names.join(", "), chunk.filter());
        format!("SELECT {digest}, {names} FROM {from}{filter} ORDER BY {names}").into_bytes()
    };
    let (there, here) = (list(&job.source), list(&job.target));
    let mut there = source.select(&there).await.map_err(|error| error.on(Side::Source))?;
    let mut here = target.select(&here).await?;
    let mut found = Vec::new();
    // Rows that only one side has put the two out of step, so what comes after one says nothing:
    // the first few are named, and both lists are read to their ends.
    loop {
        let (one, other) = (there.next().await?, here.next().await?);
        if one.is_none() && other.is_none() {
            return Ok(found);
        }
        let same = match (&one, &other) {
            (Some(one), Some(other)) => one.iter().eq(other.iter()),
            _ => false,
        };
        if let Some(cells) = one.as_ref().or(other.as_ref()).filter(|_| !same)
            && found.len() < KEYS_MAX
        {
            let shown = columns.iter().zip(cells.iter().skip(1)).map(|((column, _), cell)| {
                let text = String::from_utf8_lossy(cell.unwrap_or_default());
                let text: String = text.chars().take(KEY_CHARS_MAX).collect();
                format!("{}={text}", column.name)
            });
            found.push(shown.collect::<Vec<_>>().join(", "));
        }
    }
}
