//! All rows of a copy: kept where an earlier one had brought them, brought where not, and compared.
//!
//! Puts [`sift`], [`data`] and [`verify`] together, and writes into the report what they did.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::arrival::Arrived;
use super::carrier::{Carrier, Task};
use super::data::{self, Keys};
use super::report::{Report, TableReport};
use super::scope::Scope;
use super::sift::{self, Part};
use super::verify;
use crate::error::{Error, ErrorKind, Result, Side};

/// Tables that are made, and wait for their rows. All lists are in one order, in which they are read.
#[derive(Debug)]
pub struct Load<C: Carrier> {
    /// How rows go.
    pub carrier: C,
    /// The tables.
    pub jobs: Vec<C::Job>,
    /// What makes their waiting keys.
    pub keys: Keys,
    /// By table: whether it holds rows of an earlier copy.
    pub inherited: Vec<bool>,
    /// Readers of one snapshot; all but one of them copy, if there are several.
    pub readers: Vec<C::Conn>,
}

/// Brings all rows into the staging databases; keys may still be on their way.
pub async fn bring<C: Carrier>(
    scope: &Scope<'_>,
    load: Load<C>,
    report: &mut Report,
) -> Result<(Arc<Vec<C::Job>>, data::Rows<C>)> {
    let Load { carrier, jobs, keys, inherited, readers } = load;
    let (jobs, progress) = (Arc::new(jobs), &scope.surroundings.progress);
    let expected = jobs.iter().map(Task::rows_estimated).sum();
    progress.expected_rows.store(expected, Ordering::Relaxed);
    let began = Instant::now();
    let (sifted, readers) = sift(scope, &carrier, (&jobs, &inherited), readers).await?;
    let rows = data::run(data::Parts {
        carrier,
        jobs: Arc::clone(&jobs),
        keys,
        readers,
        sifted,
        connections: scope.connections.clone(),
        progress: Arc::clone(progress),
        throttle: scope.throttle.clone(),
        chunk_bytes: scope.options.chunk_bytes,
    })
    .await?;
    report.data_seconds = began.elapsed().as_secs_f64();
    count(scope, &jobs, &rows.tables, report);
    Ok((jobs, rows))
}

/// Keeps of inherited rows those that are as the snapshot has them.
async fn sift<C: Carrier>(
    scope: &Scope<'_>,
    carrier: &C,
    (jobs, inherited): (&Arc<Vec<C::Job>>, &[bool]),
    readers: Vec<C::Conn>,
) -> Result<(Vec<Option<Vec<Part>>>, Vec<C::Conn>)> {
    if !inherited.contains(&true) {
        return Ok((Vec::new(), readers));
    }
    let parts = sift::Parts {
        carrier,
        jobs,
        inherited,
        connections: &scope.connections,
        progress: &scope.surroundings.progress,
        chunk_bytes: scope.options.chunk_bytes,
    };
    sift::run(parts, readers).await
}

/// Compares the rows while the last keys are built.
pub async fn compare<C: Carrier>(
    scope: &Scope<'_>,
    jobs: &Arc<Vec<C::Job>>,
    rows: data::Rows<C>,
    report: &mut Report,
) -> Result<()> {
    let data::Rows { tables, pairs, builders } = rows;
    let checks = verify::checks(jobs, &tables, scope.options.verify);
    let began = Instant::now();
    let compare = async {
        let compared = verify::run::<C>(jobs, checks, pairs, &scope.throttle).await;
        (compared, began.elapsed())
    };
    let (built, (compared, took)) = tokio::join!(builders.finish(), compare);
    for (index, took) in built? {
        report.index_seconds += took.as_secs_f64();
        let entry = report.tables.entry(shown(&jobs[index])).or_default();
        entry.index_seconds = took.as_secs_f64();
    }
    let (differences, pairs) = compared?;
    report.verify_seconds = took.as_secs_f64();
    report.differences = differences;
    judge(jobs, &tables, report)?;
    report.verified = scope.options.verify;
    for (reader, writer) in pairs {
        C::close(reader).await;
        C::close(writer).await;
    }
    Ok(())
}

fn count(scope: &Scope<'_>, jobs: &[impl Task], tables: &[Arrived], report: &mut Report) {
    let target_of = |source: &str| {
        let pair = scope.options.databases.iter().find(|(from, _)| from == source);
        pair.map(|(_, to)| to.as_str()).unwrap_or_default()
    };
    for (job, table) in jobs.iter().zip(tables) {
        let entry = TableReport {
            target: format!("{}.{}", target_of(job.source()), job.table()),
            rows: table.rows,
            rows_kept: table.rows_kept,
            bytes: table.bytes,
            chunks: table.chunks.len(),
            warnings: table.warnings,
            index_seconds: 0.0,
        };
        report.tables.insert(shown(job), entry);
    }
}

/// A table's name in a report.
pub fn shown(job: &impl Task) -> String {
    format!("{}.{}", job.source(), job.table())
}

/// Fails if the rows are not the same.
fn judge(jobs: &[impl Task], tables: &[Arrived], report: &Report) -> Result<()> {
    let Some(first) = report.differences.first() else { return Ok(()) };
    let job = jobs.iter().zip(tables).find(|(job, _)| shown(*job) == first.table);
    let copied = job.map(|(_, table)| table.rows).unwrap_or_default();
    let (there, here) = first.rows;
    let text = format!(
        "the copy is not the same: chunk {} of {} has {there} rows on the source and {here} on the \
         target ({copied} of the table were copied)",
        first.chunk, first.table
    );
    let error = Error::new(ErrorKind::Statement, Side::Target, text);
    Err(match job {
        Some((job, _)) => error.in_table(Some(job.source()), job.table()),
        None => error,
    })
}
