//! Two databases compared where they are: nothing is copied, nothing is written.
//!
//! The source is read as of one moment; the target as it is, so it should rest. Promises to name the
//! chunks whose rows differ; and the tables that only one side has, or that have other columns there.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::arrival::Arrived;
use super::carrier::{Carrier, Task};
use super::course::{Course, ended, or_stopped};
use super::load::shown;
use super::report::{Failure, Report, TableReport, Verified};
use super::scope::Scope;
use super::{Options, verify};
use crate::error::{Error, ErrorKind, Result, Side};

/// Compares the databases of a course on both sides; differences are an error.
pub async fn run<C: Course>(course: &C) -> std::result::Result<Report, Failure> {
    let (scope, began) = (course.scope(), Instant::now());
    let mut report = scope.report();
    let work = async {
        course.compare(&mut report).await?;
        judge(&report)
    };
    let outcome = or_stopped(&scope.surroundings.stop, work).await;
    if outcome.is_err() {
        scope.connections.end().await;
    }
    report.seconds = began.elapsed().as_secs_f64();
    ended(outcome, report)
}

/// Compares the rows of tables that both sides have, with readers of the source's snapshot.
pub async fn rows<C: Carrier>(
    scope: &Scope<'_>,
    carrier: &C,
    jobs: Vec<C::Job>,
    mut readers: Vec<C::Conn>,
    report: &mut Report,
) -> Result<()> {
    let Scope { options, connections, throttle, .. } = scope;
    let walker = if readers.len() > 1 { readers.pop() } else { None };
    let cut = cut::<C>(&jobs, walker, options).await?;
    let mut pairs = Vec::new();
    for reader in readers {
        let conn = carrier.writer("copy comparison").await?;
        connections.watch(C::kill(&conn));
        pairs.push((reader, conn));
    }
    for (job, table) in jobs.iter().zip(&cut) {
        let target = format!("{}.{}", job.target(), job.table());
        let entry = TableReport { target, chunks: table.chunks.len(), ..TableReport::default() };
        report.tables.insert(shown(job), entry);
    }
    let began = Instant::now();
    let checks = verify::checks(&jobs, &cut, options.verify);
    let (differences, _pairs) = verify::run::<C>(&Arc::new(jobs), checks, pairs, throttle).await?;
    report.verify_seconds = began.elapsed().as_secs_f64();
    report.verified = options.verify;
    report.differences = differences;
    report.throttle = (!options.throttle.is_none()).then(|| throttle.report());
    Ok(())
}

/// By table: names and types of the columns that are compared.
pub type Shapes = BTreeMap<String, Vec<(String, String)>>;

/// Fails unless both sides of the database `source` have the same tables with the same columns.
pub fn check_tables(source: &str, there: &Shapes, here: &Shapes) -> Result<()> {
    let refused = |table: &str, text: &str| {
        let error = Error::new(ErrorKind::Statement, Side::Target, text);
        Err(error.in_table(Some(source), table))
    };
    if let Some(table) = here.keys().find(|table| !there.contains_key(*table)) {
        return refused(table, "only the target has the table");
    }
    for (table, columns) in there {
        match here.get(table) {
            None => return refused(table, "only the source has the table"),
            Some(other) if other != columns => {
                return refused(table, "the columns are not the same");
            }
            Some(_) => {}
        }
    }
    Ok(())
}

/// Fails if the rows are not the same.
fn judge(report: &Report) -> Result<()> {
    let Some(first) = report.differences.first() else { return Ok(()) };
    let (there, here) = first.rows;
    let text = format!(
        "not the same: chunk {} of {} has {there} rows on the source and {here} on the target, or \
         other values",
        first.chunk, first.table
    );
    Err(Error::new(ErrorKind::Statement, Side::Target, text))
}

/// All chunks of all tables.
async fn cut<C: Carrier>(
    jobs: &[C::Job],
    mut walker: Option<C::Conn>,
    options: &Options,
) -> Result<Vec<Arrived>> {
    let is_counted = options.verify != Verified::Checksum;
    let mut all = Vec::new();
    for job in jobs {
        let mut arrived = Arrived::default();
        let bytes = if is_counted { u64::MAX } else { options.chunk_bytes };
        let mut walk = C::walk(job, bytes);
        while let Some(chunk) = C::next(&mut walk, job, walker.as_mut())
            .await
            .map_err(|error| error.on(Side::Source))?
        {
            arrived.chunks.push(chunk);
        }
        all.push(arrived);
    }
    Ok(all)
}
