//! The sessions that a copy works in: what is set on the source's and the target's connections.
//!
//! Promises: both sides see times in UTC and names in UTF-8, no statement is cut off by a time limit
//! of the server, and nothing that the target would check again changes a row. Settings that a
//! server or an account lacks are left out; those that a right copy needs are errors.

use crate::copy::connections::Kill;
use crate::endpoint::Endpoint;
use crate::error::{Result, Side};
use crate::mysql::conn::Conn;
use crate::mysql::facts::Flavor;

/// How long the server waits for us while the other side is busy, in seconds.
const IDLE_SECONDS: u32 = 86_400;
/// How long a statement waits for a table that others change, in seconds.
const LOCK_WAIT_SECONDS: u32 = 300;
/// How long a batch waits for a row, in seconds.
const ROW_WAIT_SECONDS: u32 = 50;

/// What ends a connection from outside.
pub fn kill(conn: &Conn) -> Kill {
    let handle = conn.kill_handle();
    Kill::new(conn.server_identity(), conn.id(), async move {
        // One that cannot be ended ends by itself.
        let _ = handle.kill_connection().await;
    })
}

/// A session on the source that reads what is told of objects.
pub async fn catalogue(source: &Endpoint) -> Result<Conn> {
    let mut conn =
        Conn::open(source, "copy catalogue").await.map_err(|error| error.on(Side::Source))?;
    reading(&mut conn).await.map_err(|error| error.on(Side::Source))?;
    Ok(conn)
}

/// A session on the source that reads rows: text comes in the bytes in which it is stored.
pub async fn reader(source: &Endpoint) -> Result<Conn> {
    let mut conn =
        Conn::open(source, "copy reader").await.map_err(|error| error.on(Side::Source))?;
    let outcome = match reading(&mut conn).await {
        Ok(()) => conn.query(b"SET SESSION character_set_results = NULL").await.map(|_effect| ()),
        Err(error) => Err(error),
    };
    outcome.map_err(|error| error.on(Side::Source))?;
    Ok(conn)
}

/// A session on the target that writes rows and makes objects.
pub async fn writer(target: &Endpoint, flavor: Flavor, purpose: &str) -> Result<Conn> {
    let mut conn = Conn::open(target, purpose).await?;
    conn.query(
        b"SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', \
          foreign_key_checks = 0, unique_checks = 1, autocommit = 1, sql_quote_show_create = 1",
    )
    .await?;
    let optional: &[&str] = match flavor {
        Flavor::MariaDb => &[
            "max_statement_time = 0",
            "check_constraint_checks = 0",
            "innodb_strict_mode = 0",
            "idle_transaction_timeout = 0",
            "system_versioning_insert_history = 1",
        ],
        Flavor::MySql => &[
            "sql_require_primary_key = OFF",
            "sql_generate_invisible_primary_key = OFF",
            "innodb_strict_mode = OFF",
            "restrict_fk_on_non_standard_key = OFF",
        ],
    };
    try_settings(&mut conn, optional).await?;
    patient(&mut conn).await?;
    Ok(conn)
}

async fn reading(conn: &mut Conn) -> Result<()> {
    conn.query(
        b"SET SESSION sql_mode = '', time_zone = '+00:00', autocommit = 1, sql_quote_show_create = 1",
    )
    .await?;
    conn.query(b"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ").await?;
    let optional = [
        "max_statement_time = 0",
        "max_execution_time = 0",
        "idle_transaction_timeout = 0",
        "idle_readonly_transaction_timeout = 0",
        "information_schema_stats_expiry = 0",
    ];
    try_settings(conn, &optional).await?;
    patient(conn).await
}

/// A reader waits for the target, and a writer for the source; neither waits for locks without end.
async fn patient(conn: &mut Conn) -> Result<()> {
    let text = format!(
        "SET SESSION net_write_timeout = {IDLE_SECONDS}, net_read_timeout = {IDLE_SECONDS}, \
         wait_timeout = {IDLE_SECONDS}, lock_wait_timeout = {LOCK_WAIT_SECONDS}, \
         innodb_lock_wait_timeout = {ROW_WAIT_SECONDS}"
    );
    conn.query(text.as_bytes()).await.map(|_effect| ())
}

/// Sets what can be set: variables differ by server and version, and some need a privilege.
async fn try_settings(conn: &mut Conn, settings: &[&str]) -> Result<()> {
    for setting in settings {
        let outcome = conn.query(format!("SET SESSION {setting}").as_bytes()).await;
        match outcome {
            Err(error) if conn.is_broken() => return Err(error),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(())
}
