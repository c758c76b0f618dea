//! The databases on the target that hold a copy until it is shown, and what it replaces until it is
//! sure.
//!
//! [`crate::copy::staging`] names them; [`super::journal`] removes them.

use super::catalog::Database;
use super::plan::TableMake;
use super::rename::Renaming;
use super::resume::Inheritance;
use crate::copy::staging::Staging;
use crate::error::{Error, Result};
use crate::import::indexes::deferral::identifier;
use crate::mysql::conn::Conn;

/// The source's names as those that hold the copies.
pub fn renaming(staging: &Staging, databases: &[(String, String)]) -> Renaming {
    Renaming { names: staging.pairs(databases) }
}

/// Makes the two databases; there must be none of these names.
pub async fn make(
    conn: &mut Conn,
    staging: &Staging,
    index: usize,
    database: &Database,
) -> Result<()> {
    let (charset, collation) = &database.charset;
    for name in [staging.of(index), staging.trash_of(index)] {
        let name = identifier(name);
        let sql = format!("CREATE DATABASE {name} CHARACTER SET {charset} COLLATE {collation}");
        conn.query(sql.as_bytes()).await?;
    }
    Ok(())
}

/// Makes the sequences and tables, without what waits for the rows; those of `kept` are there. Gives
/// the tables that the target does not take.
pub async fn make_tables(
    conn: &mut Conn,
    staging: &Staging,
    index: usize,
    database: &Database,
    makes: &[TableMake],
    kept: &Inheritance,
) -> Result<Vec<(String, Error)>> {
    conn.query(format!("USE {}", identifier(staging.of(index))).as_bytes()).await?;
    // Definitions are written as under an empty sql_mode.
    conn.query(b"SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'").await?;
    for sequence in &database.sequences {
        let name = &sequence.name;
        let made = conn.query(sequence.create.as_bytes()).await;
        made.map_err(|error| error.in_table(Some(&database.name), name.clone()))?;
        if let Some((next, round)) = &sequence.next {
            let sql = format!("SELECT SETVAL({}, {next}, 0, {round})", identifier(name));
            conn.query(sql.as_bytes()).await?;
        }
    }
    let mut refused = Vec::new();
    for (table, make) in database.tables.iter().zip(makes) {
        if kept.has(index, &table.name) {
            continue;
        }
        let Err(mut error) = conn.query(make.create.as_bytes()).await else { continue };
        error.message = format!("make table {}.{}", database.name, table.name);
        let error = error.in_table(Some(&database.name), table.name.clone());
        if conn.is_broken() || error.server.is_none() {
            return Err(error);
        }
        refused.push((format!("{}.{}", database.name, table.name), error));
    }
    Ok(refused)
}
