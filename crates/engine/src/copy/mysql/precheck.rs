//! What stands in the way of a copy, found before anything is made; [`crate::copy::request`] has looked at
//! the request itself.
//!
//! What one server alone can tell is looked at here; whether the target takes every definition shows
//! when all of them are made in the staging databases, still before any row is read.

use super::catalog::Database;
use super::publish;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::table::literal;
use crate::mysql::conn::Conn;
use crate::mysql::facts::{Flavor, ServerFacts};

/// Whether there is such a database.
pub async fn exists(conn: &mut Conn, name: &str) -> Result<bool> {
    let sql =
        format!("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = {}", literal(name));
    Ok(!conn.rows(&sql).await?.is_empty())
}

/// Whether the source has it.
pub async fn source(conn: &mut Conn, name: &str) -> Result<()> {
    match exists(conn, name).await.map_err(|error| error.on(Side::Source))? {
        true => Ok(()),
        false => {
            let text = format!("there is no database {name} that the account may see");
            Err(Error::new(ErrorKind::UnknownDatabase, Side::Source, text))
        }
    }
}

/// Whether the target's database may be written.
pub fn target(name: &str, database: Option<&Database>, replace: bool) -> Result<()> {
    match database {
        Some(database) if !replace && !publish::is_empty(database) => {
            let text = format!(
                "{name} on the target is not empty (--replace lets the copy take its place, once it \
                 is complete)"
            );
            Err(Error::new(ErrorKind::Refused, Side::Target, text))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether other databases of the target refer into those that are to be written: their foreign keys
/// would follow what is taken away.
pub async fn references(conn: &mut Conn, targets: &[&str]) -> Result<()> {
    let names: Vec<String> = targets.iter().map(|name| literal(name)).collect();
    let names = names.join(", ");
    let sql = format!(
        "SELECT CONSTRAINT_SCHEMA, TABLE_NAME, CONSTRAINT_NAME FROM \
         information_schema.REFERENTIAL_CONSTRAINTS WHERE UNIQUE_CONSTRAINT_SCHEMA IN ({names}) AND \
         CONSTRAINT_SCHEMA NOT IN ({names}) LIMIT 1"
    );
    let Some(row) = conn.rows(&sql).await?.into_iter().next() else { return Ok(()) };
    let mut cells = row.into_iter().map(Option::unwrap_or_default);
    let mut next = || cells.next().unwrap_or_default();
    let (schema, table, name) = (next(), next(), next());
    let text = format!("{schema}.{table} refers to what would be replaced, by foreign key {name}");
    Err(Error::new(ErrorKind::Refused, Side::Target, text))
}

/// What is worth knowing of the target.
pub fn notes(target: &ServerFacts) -> Vec<String> {
    match target.local_infile {
        true => Vec::new(),
        false => vec!["the target has local_infile off: rows go as INSERT, which is slower".into()],
    }
}

/// Where the target cannot be given history, only the rows of now are copied; names those tables.
pub fn without_history(databases: &mut [Database], target: &ServerFacts) -> Vec<String> {
    // `system_versioning_insert_history` came with 10.11 (MariaDB documentation).
    if target.flavor == Flavor::MariaDb && target.version >= (10, 11, 0) {
        return Vec::new();
    }
    let mut notes = Vec::new();
    for database in databases {
        for table in database.tables.iter_mut().filter(|table| table.history) {
            table.history = false;
            table
                .columns
                .retain(|column| !["row_start", "row_end"].contains(&column.name.as_str()));
            let (database, table) = (&database.name, &table.name);
            notes.push(format!(
                "{database}.{table}: its history is not copied, the target takes none"
            ));
        }
    }
    notes
}

/// What is worth knowing of the tables.
pub fn remarks(databases: &[Database]) -> Vec<String> {
    let tables = databases.iter().flat_map(|d| d.tables.iter().map(move |t| (d, t)));
    tables
        .filter(|(_, table)| !table.is_transactional())
        .map(|(database, table)| {
            format!(
                "{}.{} is {}: it is copied as it is when it is read, not as of the snapshot",
                database.name, table.name, table.engine
            )
        })
        .collect()
}
