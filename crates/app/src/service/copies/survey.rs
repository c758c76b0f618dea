//! What a server tells before databases are copied from it or into it.
//!
//! Promises to answer within the setting `copies.check_milliseconds`: clients give up early, and what a
//! server does not tell by then counts as a server that does not run. Only sizes may be missing.

use std::collections::HashSet;

use engine::endpoint::{Endpoint, Family};
use engine::error::Error;
use engine::import::table::literal;
use engine::mysql::conn::Conn;
use store::Instance;
use tokio::time::Instant;

use crate::app::App;
use crate::service::{Refusal, instances};

mod sql_server;

/// Databases that belong to the servers, or to us.
const OWN: [&str; 5] = ["information_schema", "mysql", "performance_schema", "sys", "dbferry"];

/// What was told.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Tells the server from others.
    pub server: String,
    /// It takes no writes.
    pub is_read_only: bool,
    /// Those of the databases that are there.
    pub databases: HashSet<String>,
    /// Those of them that take no writes.
    pub locked: HashSet<String>,
    /// Those of them that are offline, being restored or the like.
    pub down: HashSet<String>,
    /// Those of them that hold anything; of SQL Server, if that was asked.
    pub filled: HashSet<String>,
    /// Two of the names are one to the server.
    pub is_ambiguous: bool,
    /// It is of an edition that the cloud's product does not copy: SQL Server 2017's cluster.
    pub is_excluded: bool,
    /// Bytes of the databases together.
    pub bytes: Option<u64>,
    /// Bytes of all databases.
    pub used_bytes: Option<u64>,
}

/// Looks at an instance, for these databases. `asks_filled`: whether it matters what is in them.
pub(super) async fn look(
    app: &App,
    instance: &Instance,
    databases: &[String],
    asks_filled: bool,
) -> Result<Seen, Refusal> {
    let end = Instant::now() + app.settings.copies.check_max();
    let endpoint = instances::as_administrator(app, instance).await?;
    match endpoint.family {
        Family::MySql => Box::pin(look_at_mysql(&endpoint, databases, end)).await,
        Family::SqlServer => {
            Box::pin(sql_server::look(&endpoint, databases, asks_filled, end)).await
        }
    }
}

async fn look_at_mysql(
    endpoint: &Endpoint,
    databases: &[String],
    end: Instant,
) -> Result<Seen, Refusal> {
    let mut conn = instances::by(end, Conn::open(endpoint, "look")).await?;
    let names: Vec<String> = databases.iter().map(|name| literal(name)).collect();
    let names = names.join(", ");
    let mut seen = Seen { server: conn.server_identity().to_owned(), ..Seen::default() };
    seen.is_read_only = instances::by(end, read_only(&mut conn)).await?;
    let is_own = |name: &String| OWN.iter().any(|own| name.eq_ignore_ascii_case(own));
    let there = format!(
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ({names})"
    );
    seen.databases = first_cells(instances::by(end, conn.rows(&there)).await?);
    seen.databases.retain(|name| !is_own(name));
    if !conn.version_text().contains("MariaDB") {
        seen.locked = locked(&mut conn, end, &names).await?;
    }
    let filled = format!(
        "SELECT DISTINCT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({names})"
    );
    seen.filled = first_cells(instances::by(end, conn.rows(&filled)).await?);
    (seen.bytes, seen.used_bytes) = sizes(&mut conn, end, &names).await;
    conn.close().await;
    Ok(seen)
}

/// Databases that were made read-only, which MySQL knows from 8.0.22 on.
async fn locked(conn: &mut Conn, end: Instant, names: &str) -> Result<HashSet<String>, Refusal> {
    let query = format!(
        "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA_EXTENSIONS WHERE OPTIONS LIKE \
         '%READ ONLY=1%' AND SCHEMA_NAME IN ({names})"
    );
    match instances::by(end, conn.rows(&query)).await {
        Ok(rows) => Ok(first_cells(rows)),
        // Older ones have no such table.
        Err(Refusal::Server(_)) => Ok(HashSet::new()),
        Err(refusal) => Err(refusal),
    }
}

/// Bytes of the databases, and of all; what is not told in time is missing.
async fn sizes(conn: &mut Conn, end: Instant, names: &str) -> (Option<u64>, Option<u64>) {
    // MySQL tells sizes of a day ago otherwise. Others have no such variable.
    let fresh = conn.query(b"SET SESSION information_schema_stats_expiry = 0");
    let _ = instances::by(end, fresh).await;
    let query = format!(
        "SELECT COALESCE(SUM(IF(TABLE_SCHEMA IN ({names}), DATA_LENGTH + INDEX_LENGTH, 0)), 0), \
         COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) FROM information_schema.TABLES"
    );
    let rows = instances::by(end, conn.rows(&query)).await.unwrap_or_default();
    let bytes = |index: usize| rows.first()?.get(index)?.as_ref()?.parse().ok();
    (bytes(0), bytes(1))
}

fn first_cells(rows: Vec<Vec<Option<String>>>) -> HashSet<String> {
    rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
}

/// Whether an instance's server takes no writes; nothing if it does not tell in time, or is one that
/// locks databases and not itself: SQL Server.
pub async fn is_read_only(app: &App, instance: &Instance) -> Option<bool> {
    let end = Instant::now() + app.settings.copies.check_max();
    let endpoint = instances::as_administrator(app, instance).await.ok()?;
    if endpoint.family == Family::SqlServer {
        return None;
    }
    let mut conn = instances::by(end, Conn::open(&endpoint, "look")).await.ok()?;
    let is_read_only = instances::by(end, read_only(&mut conn)).await.ok()?;
    conn.close().await;
    Some(is_read_only)
}

async fn read_only(conn: &mut Conn) -> Result<bool, Error> {
    let flag = conn.scalar("SELECT @@GLOBAL.read_only").await?;
    // A number, and a word from MariaDB 12 on.
    Ok(flag.is_some_and(|flag| flag != "0" && flag != "OFF"))
}
