//! Databases compared where they are: the source as of one moment, the target as it is.
//!
//! Promises to name tables that only one side has, and columns that are not the same. Rows are compared by
//! [`crate::copy::comparison`].

use std::collections::BTreeSet;

use super::carrier::SqlServer;
use super::job::Job;
use super::{catalog, facts, resume, session, snapshot};
use crate::copy::comparison;
use crate::copy::course::Scope;
use crate::copy::report::Report;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::catalog::schema::{Database, Table};

/// Compares the databases of a copy on both sides.
pub async fn compare(scope: &Scope<'_>, report: &mut Report) -> Result<()> {
    let at_source = |error: Error| error.on(Side::Source);
    let mut there = session::catalogue(scope.source).await?;
    let mut here = session::writer(scope.target, "copy comparison").await?;
    let source = facts::gather(&mut there.session).await.map_err(at_source)?;
    let target = facts::gather(&mut here.session).await?;
    let mut databases = Vec::new();
    for (from, to) in &scope.options.databases {
        let database = catalog::read(&mut there.session, &source, from).await;
        let mut database = database.map_err(at_source)?;
        catalog::estimate(&mut there.session, &mut database).await.map_err(at_source)?;
        check_tables(&database, &catalog::read(&mut here.session, &target, to).await?)?;
        databases.push(database);
    }
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
    compared
}

/// Both sides must have the same tables with the same columns.
fn check_tables(source: &Database, target: &Database) -> Result<()> {
    let names = |database: &Database| -> BTreeSet<String> {
        database.tables.iter().map(resume::full).collect()
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
    for one in &source.tables {
        let other = target.table(&one.schema, &one.name);
        if other.is_none_or(|other| columns(one) != columns(other)) {
            return refused(&resume::full(one), "the columns are not the same");
        }
    }
    Ok(())
}

/// Names and types of the columns that are compared.
fn columns(table: &Table) -> Vec<(String, String)> {
    let sent = table.columns.iter().filter(|column| column.is_sent());
    sent.map(|column| (column.name.clone(), column.kind.base_definition())).collect()
}
