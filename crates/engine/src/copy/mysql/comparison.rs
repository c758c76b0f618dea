//! Two databases compared where they are: nothing is copied, nothing is written.
//!
//! The source is read as of one moment; the target as it is, so it should rest. Promises to name
//! every table that only one side has, and the chunks whose rows differ.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

use super::carrier::MySqlCarrier;
use super::catalog::{self, Database};
use super::job::{Job, Way};
use super::watcher::Watcher;
use super::{session, snapshot};
use crate::copy::carrier::Carrier;
use crate::copy::connections::Connections;
use crate::copy::course::or_stopped;
use crate::copy::data::Arrived;
use crate::copy::report::{Failure, Report, TableReport, Verified};
use crate::copy::throttle::{self, Throttle};
use crate::copy::{LANES_MAX, Options, verify};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::Surroundings;
use crate::mysql::conn::Conn;
use crate::mysql::facts;

/// Compares the databases of `options` on both sides; differences are an error.
pub async fn run(
    source: &Endpoint,
    target: &Endpoint,
    options: &Options,
    surroundings: &Surroundings,
) -> std::result::Result<Report, Failure> {
    let began = Instant::now();
    let mut report = Report { lanes: options.lanes, ..Report::default() };
    let connections = Connections::default();
    let work = compare(source, target, options, &connections, surroundings, &mut report);
    let outcome = or_stopped(&surroundings.stop, work).await;
    if outcome.is_err() {
        connections.end().await;
    }
    report.seconds = began.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => Ok(report),
        Err(error) => Err(Failure { error, report: Box::new(report) }),
    }
}

async fn compare(
    source: &Endpoint,
    target: &Endpoint,
    options: &Options,
    connections: &Connections,
    surroundings: &Surroundings,
    report: &mut Report,
) -> Result<()> {
    let mut there = session::catalogue(source).await?;
    let mut here = Conn::open(target, "copy comparison").await?;
    let source_facts = facts::gather(&mut there).await.map_err(|error| error.on(Side::Source))?;
    let target_facts = facts::gather(&mut here).await?;
    let throttle = Throttle::new(&options.throttle, Arc::clone(&surroundings.progress));
    let sides = (source, target);
    let watcher = Watcher::begin(&options.throttle, sides, connections);
    let _watching = throttle::watch(&throttle, &options.throttle, watcher).await?;
    throttle.clear().await?;
    let names: Vec<&str> = options.databases.iter().map(|(from, _)| from.as_str()).collect();
    let tables = catalog::tables_of(&mut there, &names).await?;
    let readers = options.lanes.clamp(1, LANES_MAX) + 1;
    let stop = &surroundings.stop;
    let mut snapshot = snapshot::open(source, &source_facts, readers, &tables, stop).await?;
    snapshot.readers.iter().for_each(|reader| connections.watch(session::kill(reader)));
    report.notes.append(&mut snapshot.notes);
    report.snapshot = Some(snapshot.told());
    let mut jobs = Vec::new();
    // Whatever its collations are, only the same kind of server is sure to order as the source does.
    let is_translated =
        source_facts.flavor != target_facts.flavor || !options.collations.is_empty();
    let way = Way {
        flavor: target_facts.flavor,
        load: false,
        packet_bytes: 0,
        batch_bytes: 0,
        is_translated,
    };
    for (from, to) in &options.databases {
        let database = catalog::read(&mut there, &source_facts, from).await?;
        let copy = catalog::read(&mut here, &target_facts, to).await;
        check_tables(&database, &copy.map_err(|error| error.on(Side::Target))?)?;
        let of_table = |table| Job::new(from, to, table, &way);
        jobs.extend(database.tables.into_iter().map(of_table));
    }
    let mut readers = std::mem::take(&mut snapshot.readers);
    let walker = if readers.len() > 1 { readers.pop() } else { None };
    let cut = cut(&jobs, walker, options).await?;
    let mut pairs = Vec::new();
    for reader in readers {
        let conn = session::writer(target, target_facts.flavor, "copy comparison").await?;
        connections.watch(session::kill(&conn));
        pairs.push((reader, conn));
    }
    for (job, table) in jobs.iter().zip(&cut) {
        let name = format!("{}.{}", job.source, job.table.name);
        let target = format!("{}.{}", job.target, job.table.name);
        let entry = TableReport { target, chunks: table.chunks.len(), ..TableReport::default() };
        report.tables.insert(name, entry);
    }
    let began = Instant::now();
    let checks = verify::checks(&jobs, &cut, options.verify);
    let (differences, _pairs) =
        verify::run::<MySqlCarrier>(&Arc::new(jobs), checks, pairs, &throttle).await?;
    report.verify_seconds = began.elapsed().as_secs_f64();
    report.verified = options.verify;
    report.differences = differences;
    report.throttle = (!options.throttle.is_none()).then(|| throttle.report());
    snapshot.close().await;
    judge(report)
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
async fn cut(jobs: &[Job], mut walker: Option<Conn>, options: &Options) -> Result<Vec<Arrived>> {
    let is_counted = options.verify != Verified::Checksum;
    let mut all = Vec::new();
    for job in jobs {
        let mut arrived = Arrived::default();
        let bytes = if is_counted { u64::MAX } else { options.chunk_bytes };
        let mut walk = MySqlCarrier::walk(job, bytes);
        while let Some(chunk) = MySqlCarrier::next(&mut walk, job, walker.as_mut())
            .await
            .map_err(|error| error.on(Side::Source))?
        {
            arrived.chunks.push(chunk);
        }
        all.push(arrived);
    }
    Ok(all)
}

/// Both sides must have the same tables with the same columns.
fn check_tables(source: &Database, target: &Database) -> Result<()> {
    let names = |database: &Database| -> BTreeSet<String> {
        database.tables.iter().map(|table| table.name.clone()).collect()
    };
    let (there, here) = (names(source), names(target));
    let refused = |table: &str, text: &str| {
        let error = Error::new(ErrorKind::Statement, Side::Target, text);
        Err(error.in_table(Some(&source.name), table))
    };
    if let Some(table) = there.difference(&here).next() {
        return refused(table, "only the source has the table");
    }
    if let Some(table) = here.difference(&there).next() {
        return refused(table, "only the target has the table");
    }
    for (one, other) in source.tables.iter().zip(&target.tables) {
        let columns = |table: &super::table::Table| -> Vec<(String, String)> {
            let named = |c: &super::table::Column| (c.name.clone(), c.kind().to_owned());
            table.columns.iter().map(named).collect()
        };
        if columns(one) != columns(other) {
            return refused(&one.name, "the columns are not the same");
        }
    }
    Ok(())
}
