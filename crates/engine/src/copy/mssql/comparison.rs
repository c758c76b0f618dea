//! Databases compared where they are: the source as of one moment, the target as it is.
//!
//! Promises to name tables that only one side has, columns that are not the same, and all other definitions that
//! are not ([`super::definitions`]). Rows are compared by [`crate::copy::comparison`].

use super::carrier::SqlServer;
use super::job::Job;
use super::watcher::Watcher;
use super::{catalog, definitions, facts, precheck, record, session, snapshot};
use crate::copy::comparison::{self, Shapes, check_tables};
use crate::copy::report::Report;
use crate::copy::scope::Scope;
use crate::copy::throttle;
use crate::error::{Error, Result, Side};
use crate::mssql::catalog::schema::{Database, Table};
use crate::mssql::script::likeness::{self, Names};

/// Compares the databases of a copy on both sides.
pub async fn compare(scope: &Scope<'_>, report: &mut Report) -> Result<()> {
    let limits = &scope.options.throttle;
    precheck::limits(limits)?;
    let at_source = |error: Error| error.on(Side::Source);
    let mut there = session::catalogue(scope.source).await?;
    let mut here = session::writer(scope.target, "copy comparison").await?;
    let source = facts::gather(&mut there.session).await.map_err(at_source)?;
    let target = facts::gather(&mut here.session).await?;
    let (mut databases, mut unlike) = (Vec::new(), Vec::new());
    for (from, to) in &scope.options.databases {
        let database = catalog::read_carried(&mut there.session, &source, from).await;
        let mut database = database.map_err(at_source)?;
        catalog::estimate(&mut there.session, &mut database).await.map_err(at_source)?;
        let copy = catalog::read_carried(&mut here.session, &target, to).await?;
        check_tables(from, &shapes(&database), &shapes(&copy))?;
        let names = source.names_with(&target, Names::new(&scope.options.databases, true));
        let own = |unlike| definitions::found(from, unlike);
        unlike.extend(likeness::differences(&database, &copy, &names).into_iter().map(own));
        let others = likeness::reworded(&database, &copy, &names).into_iter();
        if source.version == target.version {
            unlike.extend(others.map(definitions::reworded).map(own));
        } else {
            let told = |(object, part)| format!("{from}.{object}: told in other words: {part}");
            report.notes.extend(others.map(told));
        }
        databases.push(database);
    }
    report.findings.extend(unlike.iter().cloned());
    let watcher = async { Ok(Watcher::begin(scope.source, limits, &scope.connections)) };
    let _watching = throttle::watch(&scope.throttle, limits, watcher).await?;
    scope.throttle.clear().await?;
    let form = there.digest_with(&here);
    here.close().await;
    there.close().await;
    let of = (databases.as_slice(), scope.options.tag.as_str());
    let stop = &scope.surroundings.stop;
    let mut snapshot = snapshot::open(scope.source, &source, of, scope.readers(), stop).await?;
    snapshot.readers.iter().for_each(|reader| scope.connections.watch(reader.kill()));
    report.notes.append(&mut snapshot.notes);
    let mut jobs = Vec::new();
    for (index, database) in databases.iter().enumerate() {
        let (from, to) = &scope.options.databases[index];
        for table in &database.tables {
            let read = &snapshot.names[index];
            jobs.push(Job::new(from, read, to, table.clone(), (0, form)));
        }
    }
    let readers = std::mem::take(&mut snapshot.readers);
    let carrier = SqlServer { target: scope.target.clone() };
    let compared = comparison::rows(scope, &carrier, jobs, readers, report).await;
    report.snapshot = Some(snapshot.report());
    report.notes.extend(snapshot.close().await);
    compared?;
    definitions::judge(&unlike)
}

/// What both sides must have alike.
fn shapes(database: &Database) -> Shapes {
    database.tables.iter().map(|table| (record::full(table), columns(table))).collect()
}

/// Names and types of the columns that are compared.
fn columns(table: &Table) -> Vec<(String, String)> {
    let sent = table.columns.iter().filter(|column| column.is_sent());
    sent.map(|column| (column.name.clone(), column.kind.base_definition())).collect()
}
