//! Databases that both sides have, read for comparing them: [`crate::copy::comparison`] does the rest.
//!
//! Promises to name a table that only one side has, or that has other columns.

use super::carrier::MySqlCarrier;
use super::catalog::{self, Database};
use super::job::{Job, Way};
use super::table::Table;
use super::watcher::Watcher;
use super::{session, snapshot};
use crate::copy::comparison::{self, Shapes, check_tables};
use crate::copy::report::Report;
use crate::copy::scope::Scope;
use crate::copy::throttle;
use crate::error::{Result, Side};
use crate::mysql::conn::Conn;
use crate::mysql::facts::{self, ServerFacts};

/// Compares the databases of the scope.
pub async fn compare(scope: &Scope<'_>, report: &mut Report) -> Result<()> {
    let Scope { source, target, options, connections, throttle, .. } = scope;
    let mut there = session::catalogue(source).await?;
    let mut here = Conn::open(target, "copy comparison").await?;
    let source_facts = facts::gather(&mut there).await.map_err(|error| error.on(Side::Source))?;
    let target_facts = facts::gather(&mut here).await?;
    let watcher = Watcher::begin(&options.throttle, (source, target), connections);
    let _watching = throttle::watch(throttle, &options.throttle, watcher).await?;
    throttle.clear().await?;
    let names: Vec<&str> = scope.source_names().collect();
    let tables = catalog::tables_of(&mut there, &names).await?;
    let (readers, stop) = (scope.readers(), &scope.surroundings.stop);
    let mut snapshot = snapshot::open(source, &source_facts, readers, &tables, stop).await?;
    snapshot.readers.iter().for_each(|reader| connections.watch(session::kill(reader)));
    report.notes.append(&mut snapshot.notes);
    report.snapshot = Some(snapshot.told());
    let facts = (&source_facts, &target_facts);
    let jobs = jobs(scope, (&mut there, &mut here), facts).await?;
    let readers = std::mem::take(&mut snapshot.readers);
    let carrier = MySqlCarrier { target: (*target).clone(), flavor: target_facts.flavor };
    comparison::rows(scope, &carrier, jobs, readers, report).await?;
    snapshot.close().await;
    Ok(())
}

/// The tables, which both sides must have.
async fn jobs(
    scope: &Scope<'_>,
    (there, here): (&mut Conn, &mut Conn),
    (source, target): (&ServerFacts, &ServerFacts),
) -> Result<Vec<Job>> {
    // Whatever its collations are, only the same kind of server is sure to order as the source does.
    let is_translated = source.flavor != target.flavor || !scope.options.collations.is_empty();
    let way =
        Way { flavor: target.flavor, load: false, packet_bytes: 0, batch_bytes: 0, is_translated };
    let mut jobs = Vec::new();
    for (from, to) in &scope.options.databases {
        let database = catalog::read(there, source, from).await?;
        let copy = catalog::read(here, target, to).await;
        let copy = copy.map_err(|error| error.on(Side::Target))?;
        check_tables(from, &shapes(&database), &shapes(&copy))?;
        let of_table = |table| Job::new(from, to, table, &way);
        jobs.extend(database.tables.into_iter().map(of_table));
    }
    Ok(jobs)
}

/// What both sides must have alike.
fn shapes(database: &Database) -> Shapes {
    let columns = |table: &Table| {
        table.columns.iter().map(|column| (column.name.clone(), column.kind().to_owned())).collect()
    };
    database.tables.iter().map(|table| (table.name.clone(), columns(table))).collect()
}
