//! From the staging database to its place: the only part of a copy that changes what the target
//! shows.
//!
//! Promises: all tables change places in one statement, which the server does wholly or not at all;
//! whatever fails, and whenever, [`back`] makes everything what it was. The old tables live until
//! nothing can fail any more. [`super::journal`] remembers what is needed for that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::catalog::{Database, Program};
use super::objects::{self, Making, Placed};
use super::rename::Renaming;
use super::{plan, precheck};
use crate::error::{ErrorKind, Result};
use crate::import::indexes::deferral::identifier;
use crate::import::table::literal;
use crate::mysql::conn::Conn;

/// How long one try to exchange the tables waits for them, in seconds.
pub const EXCHANGE_WAIT_SECS: u32 = 5;
/// How often it is tried.
pub const EXCHANGE_TRIES: u32 = 12;
/// Between two tries, so that those who waited behind them get on.
const EXCHANGE_PAUSE: Duration = Duration::from_secs(1);

/// One database that is about to appear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its name on the target.
    pub target: String,
    /// The database that holds its tables now.
    pub staging: String,
    /// Where what is there now goes.
    pub trash: String,
    /// What the source holds.
    pub source: Database,
    /// What the target holds; `None` if there is no such database.
    pub old: Option<Database>,
}

/// Makes all places show their copies. After an error, [`back`] is due.
pub async fn forth(conn: &mut Conn, places: &[Place], making: &Making<'_>) -> Result<()> {
    for place in places {
        let (charset, collation) = &place.source.charset;
        let verb = if place.old.is_some() { "ALTER" } else { "CREATE" };
        let target = identifier(&place.target);
        let sql = format!("{verb} DATABASE {target} CHARACTER SET {charset} COLLATE {collation}");
        locking(conn, &sql).await?;
        // A table with triggers cannot change its database.
        objects::remove(conn, &old_programs(place)).await?;
    }
    if let Some(sql) = exchange(places) {
        locking(conn, &sql).await?;
    }
    crate::run::failpoint::pass("after exchange");
    for place in places {
        set_sequence_defaults(conn, place, making.renaming).await?;
    }
    let programs: Vec<Placed<'_>> = places
        .iter()
        .flat_map(|place| placed(&place.target, &place.source.charset.1, &place.source.programs))
        .collect();
    objects::make(conn, making, &programs).await
}

/// Executes a statement that waits for those who use the tables, a little at a time: whoever comes later
/// waits behind it.
async fn locking(conn: &mut Conn, sql: &str) -> Result<()> {
    let before = conn.scalar("SELECT @@SESSION.lock_wait_timeout").await?.unwrap_or_default();
    let timeout = |seconds: &str| format!("SET SESSION lock_wait_timeout = {seconds}");
    conn.query(timeout(&EXCHANGE_WAIT_SECS.to_string()).as_bytes()).await?;
    let mut outcome = Ok(());
    for _ in 0..EXCHANGE_TRIES {
        outcome = conn.query(sql.as_bytes()).await.map(|_effect| ());
        match &outcome {
            Err(error) if error.kind == ErrorKind::LockWait => {}
            _ => break,
        }
        tokio::time::sleep(EXCHANGE_PAUSE).await;
    }
    outcome?;
    conn.query(timeout(&before).as_bytes()).await.map(|_effect| ())
}

/// Defaults that still name sequences where they were.
async fn set_sequence_defaults(conn: &mut Conn, place: &Place, renaming: &Renaming) -> Result<()> {
    for table in &place.source.tables {
        // All of a table in one statement: it is not opened while one of them is not there.
        let changes: Vec<String> = plan::sequence_defaults(table)
            .iter()
            .filter_map(|default| {
                let schema = identifier(renaming.target_of(&default.schema)?);
                let column = identifier(&default.column);
                let sequence = identifier(&default.sequence);
                Some(format!("ALTER COLUMN {column} SET DEFAULT NEXTVAL({schema}.{sequence})"))
            })
            .collect();
        if changes.is_empty() {
            continue;
        }
        let (schema, table) = (identifier(&place.target), identifier(&table.name));
        let sql = format!("ALTER TABLE {schema}.{table} {}", changes.join(", "));
        conn.query(sql.as_bytes()).await?;
    }
    Ok(())
}

/// Undoes as much of [`forth`] as was done; can be done again.
pub async fn back(conn: &mut Conn, places: &[Place], making: &Making<'_>) -> Result<()> {
    for place in places {
        if precheck::exists(conn, &place.target).await? {
            let programs = placed(&place.target, &place.source.charset.1, &place.source.programs);
            objects::remove(conn, &programs).await?;
        }
    }
    let is_exchanged =
        match places.iter().find_map(|place| Some((place, moved(&place.source).next()?))) {
            Some((place, table)) => !is_there(conn, &place.staging, table).await?,
            None => match places
                .iter()
                .find_map(|place| Some((place, moved(place.old.as_ref()?).next()?)))
            {
                Some((place, table)) => is_there(conn, &place.trash, table).await?,
                None => false,
            },
        };
    if is_exchanged && let Some(sql) = exchange_back(places) {
        conn.query(sql.as_bytes()).await?;
    }
    for place in places {
        let target = identifier(&place.target);
        match &place.old {
            // Somebody else may have put something there meanwhile.
            None if holds_tables(conn, &place.target).await? => {}
            None => {
                conn.query(format!("DROP DATABASE IF EXISTS {target}").as_bytes()).await?;
            }
            Some(old) => {
                let (charset, collation) = &old.charset;
                let sql =
                    format!("ALTER DATABASE {target} CHARACTER SET {charset} COLLATE {collation}");
                conn.query(sql.as_bytes()).await?;
                objects::remove(conn, &old_programs(place)).await?;
            }
        }
    }
    let programs: Vec<Placed<'_>> = places.iter().flat_map(old_programs).collect();
    objects::make(conn, making, &programs).await
}

async fn is_there(conn: &mut Conn, schema: &str, table: &str) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
        literal(schema),
        literal(table)
    );
    Ok(!conn.rows(&sql).await?.is_empty())
}

async fn holds_tables(conn: &mut Conn, schema: &str) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} LIMIT 1",
        literal(schema)
    );
    Ok(!conn.rows(&sql).await?.is_empty())
}

fn placed<'a>(schema: &'a str, collation: &'a str, programs: &'a [Program]) -> Vec<Placed<'a>> {
    programs.iter().map(|program| Placed { database: schema, schema, collation, program }).collect()
}

fn old_programs(place: &Place) -> Vec<Placed<'_>> {
    let old = place.old.as_ref();
    old.map(|old| placed(&place.target, &old.charset.1, &old.programs)).unwrap_or_default()
}

/// Everything of a database that `RENAME TABLE` moves.
fn moved(database: &Database) -> impl Iterator<Item = &str> {
    let tables = database.tables.iter().map(|table| table.name.as_str());
    tables.chain(database.sequences.iter().map(|sequence| sequence.name.as_str()))
}

/// Old tables go, new ones come.
fn exchange(places: &[Place]) -> Option<String> {
    let mut moves = Vec::new();
    for place in places {
        let old = place.old.iter().flat_map(moved);
        moves.extend(old.map(|table| one_move(table, &place.target, &place.trash)));
    }
    for place in places {
        moves.extend(
            moved(&place.source).map(|table| one_move(table, &place.staging, &place.target)),
        );
    }
    (!moves.is_empty()).then(|| format!("RENAME TABLE {}", moves.join(", ")))
}

/// New tables go, old ones come back.
fn exchange_back(places: &[Place]) -> Option<String> {
    let mut moves = Vec::new();
    for place in places {
        moves.extend(
            moved(&place.source).map(|table| one_move(table, &place.target, &place.staging)),
        );
    }
    for place in places {
        let old = place.old.iter().flat_map(moved);
        moves.extend(old.map(|table| one_move(table, &place.trash, &place.target)));
    }
    (!moves.is_empty()).then(|| format!("RENAME TABLE {}", moves.join(", ")))
}

fn one_move(table: &str, from: &str, to: &str) -> String {
    let table = identifier(table);
    format!("{}.{table} TO {}.{table}", identifier(from), identifier(to))
}

/// Whether a database holds nothing that a copy would replace.
pub fn is_empty(database: &Database) -> bool {
    database.tables.is_empty() && database.sequences.is_empty() && database.programs.is_empty()
}
