//! What stands in the way of a copy, found before anything is made.
//!
//! What one server alone can tell is looked at here; whether the target takes every definition shows
//! when all of them are made in the staging databases, still before any row is read.

use super::catalog::Database;
use super::publish;
use super::{DATABASES_MAX, staging};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::table::literal;
use crate::mysql::conn::Conn;
use crate::mysql::facts::{Flavor, ServerFacts};

/// Databases that belong to the server.
const SYSTEM: [&str; 5] = ["information_schema", "performance_schema", "mysql", "sys", "dbferry"];

/// Whether the request makes sense by itself. `folds_case`: the target takes names that differ in case
/// for one.
pub fn request(databases: &[(String, String)], same_server: bool, folds_case: bool) -> Result<()> {
    let is_same = |one: &String, other: &String| {
        one == other || (folds_case && one.to_lowercase() == other.to_lowercase())
    };
    let refused = |text: String| Err(Error::new(ErrorKind::Usage, Side::Internal, text));
    if databases.is_empty() || databases.len() > DATABASES_MAX {
        return refused(format!("a copy is of 1 to {DATABASES_MAX} databases"));
    }
    for (index, (from, to)) in databases.iter().enumerate() {
        let earlier = &databases[..index];
        if earlier.iter().any(|(other, _)| other == from) {
            return refused(format!("{from} is named twice"));
        }
        if earlier.iter().any(|(_, other)| is_same(other, to)) {
            return refused(format!("{to} would be written twice"));
        }
        for name in [from, to] {
            if SYSTEM.iter().any(|system| name.eq_ignore_ascii_case(system))
                || name.starts_with(staging::PREFIX)
            {
                return refused(format!("{name} is not for copying"));
            }
        }
    }
    let written = |name: &String| databases.iter().any(|(_, to)| is_same(to, name));
    match databases.iter().find(|(from, _)| same_server && written(from)) {
        Some((from, _)) => {
            refused(format!("both sides are the same server, and {from} is read and written"))
        }
        None => Ok(()),
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pairs: &[(&str, &str)], same_server: bool, folds_case: bool, allowed: bool) {
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        assert_eq!(request(&pairs, same_server, folds_case).is_ok(), allowed, "{pairs:?}");
    }

    #[test]
    fn names_that_the_target_takes_for_one_are_one() {
        check(&[("Shop", "shop")], true, false, true);
        check(&[("Shop", "shop")], true, true, false);
        check(&[("Shop", "shop")], false, true, true);
        check(&[("a", "x"), ("b", "X")], false, false, true);
        check(&[("a", "x"), ("b", "X")], false, true, false);
        check(&[("a", "b"), ("b", "c")], true, false, false);
    }
}
