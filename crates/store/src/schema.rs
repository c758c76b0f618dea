//! The tables, and how they come into being and up to date.
//!
//! Promises: tables are made once, also when several processes open the store at the same moment;
//! a process killed in between leaves what the next one completes; a store made by a newer program
//! is refused, not damaged.
//!
//! `SQLite` and `PostgreSQL` change tables inside a transaction. `MySQL` does not, so there each
//! statement done is counted, and one that was done but not counted is known by its refusal.

use crate::database::Dialect;
use crate::error::{Error, Result};
use crate::phrasing::Phrasing;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Row};

/// The versions of the tables, oldest first; the number is the position from 1. Only ever added to.
const VERSIONS: [&str; 2] =
    [include_str!("schema/0001_tables.sql"), include_str!("schema/0002_requests.sql")];
/// Where the version is kept. `steps` is 0 until the next version is begun, then one more than its
/// statements that are done.
const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (
    id SMALLINT NOT NULL PRIMARY KEY, version BIGINT NOT NULL, steps BIGINT NOT NULL)";
/// The row in it.
const VERSION_ROW: &str = "INSERT INTO schema_version (id, version, steps) VALUES (1, 0, 0)";
/// How long one process waits for another to make the tables, in seconds.
const LOCK_WAIT: u32 = 60;
/// Any number, the same for ever: the lock among those who open a store in this database.
const POSTGRES_LOCK: i64 = 0x6462_6665_7272_7901;

/// Brings the tables to the newest version.
pub(crate) async fn update(phrasing: &Phrasing, on: &mut AnyConnection) -> Result<()> {
    match phrasing.dialect {
        Dialect::Sqlite => {
            // A file keeps this mode; it cannot be set inside a transaction.
            run(on, "PRAGMA journal_mode = WAL").await?;
            let mut tx = on.begin_with("BEGIN IMMEDIATE").await?;
            apply(phrasing, "", &mut tx).await?;
            Ok(tx.commit().await?)
        }
        Dialect::Postgres => {
            let mut tx = on.begin().await?;
            run(&mut tx, &format!("SELECT pg_advisory_xact_lock({POSTGRES_LOCK})")).await?;
            apply(phrasing, "", &mut tx).await?;
            Ok(tx.commit().await?)
        }
        Dialect::MySql => {
            let name = mysql_lock(on).await?;
            let collation = mysql_collation(on).await?;
            let outcome = apply(phrasing, collation, on).await;
            // The lock ends with the connection in any case.
            run(on, &format!("DO RELEASE_LOCK('{name}')")).await?;
            outcome
        }
    }
}

async fn apply(phrasing: &Phrasing, collation: &str, on: &mut AnyConnection) -> Result<()> {
    run(on, &phrasing.names(VERSION_TABLE)).await?;
    let (version, steps) = match version(phrasing, on).await? {
        Some(kept) => kept,
        None => {
            run(on, &phrasing.names(VERSION_ROW)).await?;
            (0, 0)
        }
    };
    let known = i64::try_from(VERSIONS.len()).expect("a handful of versions");
    let Ok(done) = usize::try_from(version) else { return Err(Error::Corrupt("version")) };
    if version > known {
        return Err(Error::Newer { found: version, known });
    }
    for (at, text) in VERSIONS.iter().enumerate().skip(done) {
        let begun = if at == done { steps } else { 0 };
        apply_version(phrasing, collation, on, text, begun).await?;
        let done = format!("UPDATE schema_version SET version = {}, steps = 0", at + 1);
        run(on, &phrasing.names(&done)).await?;
    }
    Ok(())
}

async fn apply_version(
    phrasing: &Phrasing,
    collation: &str,
    on: &mut AnyConnection,
    text: &str,
    begun: i64,
) -> Result<()> {
    let dialect = phrasing.dialect;
    let text = fill_in(dialect, collation, text);
    for (step, statement) in (1_i64..).zip(statements(&text)) {
        if step < begun {
            continue;
        }
        if dialect == Dialect::MySql {
            let count = format!("UPDATE schema_version SET steps = {step}");
            run(on, &phrasing.names(&count)).await?;
        }
        match run(on, &phrasing.names(statement)).await {
            // Only the statement that the one before us was killed at can have been done.
            Err(error) if step == begun && is_done_already(&error) => {}
            outcome => outcome?,
        }
    }
    Ok(())
}

async fn version(phrasing: &Phrasing, on: &mut AnyConnection) -> Result<Option<(i64, i64)>> {
    let text = phrasing.names("SELECT version, steps FROM schema_version").into_owned();
    let query = sqlx::query(AssertSqlSafe(text));
    let Some(row) = query.fetch_optional(on).await? else { return Ok(None) };
    Ok(Some((row.try_get("version")?, row.try_get("steps")?)))
}

async fn run(on: &mut AnyConnection, text: &str) -> std::result::Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(on).await.map(drop)
}

/// Locks the database against others who open it; gives the lock's name.
async fn mysql_lock(on: &mut AnyConnection) -> Result<String> {
    let query = sqlx::query("SELECT LEFT(SHA2(DATABASE(), 256), 40) AS digest");
    let digest: Option<String> = query.fetch_one(&mut *on).await?.try_get("digest")?;
    let Some(digest) = digest else {
        return Err(Error::Invalid { what: "the store's URL", why: "names no database" });
    };
    // Such names are the server's own and at most 64 characters.
    let name = format!("dbferry {digest}");
    let text = format!("SELECT CAST(GET_LOCK('{name}', {LOCK_WAIT}) AS SIGNED) AS got");
    let row = sqlx::query(AssertSqlSafe(text)).fetch_one(on).await?;
    match row.try_get::<Option<i64>, _>("got")? {
        Some(1) => Ok(name),
        _ => Err(Error::Busy(crate::Cause::new("another process is making the tables"))),
    }
}

/// The collation that compares byte by byte and minds spaces at the end; the families name it
/// differently.
async fn mysql_collation(on: &mut AnyConnection) -> Result<&'static str> {
    let row = sqlx::query("SELECT VERSION() AS version").fetch_one(on).await?;
    let version: String = row.try_get("version")?;
    Ok(if version.contains("MariaDB") { "utf8mb4_nopad_bin" } else { "utf8mb4_0900_bin" })
}

fn is_done_already(error: &sqlx::Error) -> bool {
    const TABLE_EXISTS: u16 = 1050;
    const KEY_EXISTS: u16 = 1061;
    const DUPLICATE_ROW: u16 = 1062;
    let Some(refusal) = error.as_database_error() else { return false };
    refusal.try_downcast_ref::<MySqlDatabaseError>().is_some_and(|refusal| {
        [TABLE_EXISTS, KEY_EXISTS, DUPLICATE_ROW].contains(&refusal.number())
    })
}

/// Replaces what differs between the engines.
fn fill_in(dialect: Dialect, collation: &str, text: &str) -> String {
    let (serial, exact, json, bytes) = match dialect {
        Dialect::Sqlite => ("INTEGER PRIMARY KEY AUTOINCREMENT", "", "TEXT", "BLOB"),
        Dialect::Postgres => ("BIGSERIAL PRIMARY KEY", "COLLATE \"C\"", "TEXT", "BYTEA"),
        Dialect::MySql => ("BIGINT AUTO_INCREMENT PRIMARY KEY", "", "MEDIUMTEXT", "MEDIUMBLOB"),
    };
    let tail = match dialect {
        Dialect::Sqlite | Dialect::Postgres => String::new(),
        Dialect::MySql => {
            format!("ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE {collation}")
        }
    };
    let lines = text.lines().filter(|line| !line.starts_with("--"));
    let text: Vec<&str> = lines.collect();
    text.join("\n")
        .replace("{serial}", serial)
        .replace("{exact}", exact)
        .replace("{json}", json)
        .replace("{bytes}", bytes)
        .replace("{tail}", &tail)
}

fn statements(text: &str) -> impl Iterator<Item = &str> {
    text.split(";\n").map(str::trim).filter(|statement| !statement.is_empty())
}
