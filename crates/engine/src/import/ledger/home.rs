//! Where the ledger lives: a schema of its own on the target, or the endpoint's database where the
//! account may not make one.
//!
//! Promises: tables come and go only under one user-level lock, so that imports running side by side
//! do not take each other's ledger away; when the last import is forgotten, nothing is left. It does
//! not know what the rows mean.

use super::Marker;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::fast::IDLE_SECS;
use crate::import::table::literal;
use crate::mysql::conn::Conn;

/// The ledger's schema.
pub const SCHEMA: &str = "dbferry";
/// What its tables' names begin with in a database that holds others.
const PREFIX: &str = "dbferry_";
/// The lock under which tables are made and dropped.
const LOCK: &str = "dbferry";
/// How long others may hold it, or a table's metadata, in seconds.
const LOCK_WAIT_SECS: u32 = 60;
/// Its tables, by their names in a schema of their own, with a column that tells them from others of
/// that name. `settings` beside them is [`crate::import::fast`]'s.
const TABLES: [(&str, &str); 4] = [
    ("imports", "token"),
    ("row_counts", "row_count"),
    ("indexes", "deferral"),
    ("counters", "next_value"),
];

/// A place that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    schema: String,
    prefix: &'static str,
}

impl Home {
    /// Makes the ledger's tables where they are not there, and keeps the lock: call [`leave`].
    pub async fn make(conn: &mut Conn, endpoint: &Endpoint) -> Result<Home> {
        enter(conn).await?;
        let own = Home { schema: SCHEMA.to_owned(), prefix: "" };
        let create = format!("CREATE DATABASE IF NOT EXISTS `{SCHEMA}`");
        let outcome = match conn.query(create.as_bytes()).await {
            Ok(_) => own.make_tables(conn).await.map(|()| own),
            Err(error) => match (&endpoint.database, error.kind) {
                (Some(database), ErrorKind::Privilege | ErrorKind::AccessDenied) => {
                    let guest = Home { schema: database.clone(), prefix: PREFIX };
                    guest.make_tables(conn).await.map(|()| guest)
                }
                _ => Err(error),
            },
        };
        if outcome.is_err() {
            leave(conn).await;
        }
        outcome
    }

    /// The places that there are: an account that may not make the schema may see that of others.
    pub async fn all(conn: &mut Conn, endpoint: &Endpoint) -> Result<Vec<Home>> {
        let own = Home { schema: SCHEMA.to_owned(), prefix: "" };
        let guest = endpoint.database.clone().map(|schema| Home { schema, prefix: PREFIX });
        let mut found = Vec::new();
        for home in [Some(own), guest].into_iter().flatten() {
            if home.has(conn, TABLES[0]).await? {
                found.push(home);
            }
        }
        Ok(found)
    }

    /// The place that tells of import `run`, if one does.
    pub async fn of(conn: &mut Conn, endpoint: &Endpoint, run: u64) -> Result<Option<Home>> {
        for home in Home::all(conn, endpoint).await? {
            let query = format!("SELECT 1 FROM {} WHERE run = {run}", home.imports());
            if conn.scalar(&query).await?.is_some() {
                return Ok(Some(home));
            }
        }
        Ok(None)
    }

    /// What moves the position of import `run`, as long as `token` is the highest that came for it.
    pub fn marker(&self, run: u64, token: u64) -> Marker {
        Marker { run, token, imports: self.imports(), row_counts: self.row_counts() }
    }

    /// The list of imports, as statements name it.
    pub fn imports(&self) -> String {
        self.name("imports")
    }

    /// Rows by import and table, as statements name it.
    pub fn row_counts(&self) -> String {
        self.name("row_counts")
    }

    /// Indexes that wait, by import and table, as statements name the list.
    pub fn indexes(&self) -> String {
        self.name("indexes")
    }

    /// AUTO_INCREMENT counters by import and table, as statements name the list.
    pub fn counters(&self) -> String {
        self.name("counters")
    }

    /// The schema it lives in.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Removes everything about an import, and the place itself if that was the last. For whoever
    /// holds the lock.
    pub async fn forget(&self, conn: &mut Conn, run: u64) -> Result<()> {
        for table in TABLES {
            if self.has(conn, table).await? {
                let text = format!("DELETE FROM {} WHERE run = {run}", self.name(table.0));
                conn.query(text.as_bytes()).await?;
            }
        }
        self.remove_if_empty(conn).await
    }

    /// Drops the tables, and the schema if it is the ledger's own, unless one holds a row.
    pub async fn remove_if_empty(&self, conn: &mut Conn) -> Result<()> {
        let mut present = Vec::new();
        for table in TABLES {
            if self.has(conn, table).await? {
                present.push(self.name(table.0));
            }
        }
        for table in &present {
            let first = conn.scalar(&format!("SELECT 1 FROM {table} LIMIT 1")).await?;
            if first.is_some() {
                return Ok(());
            }
        }
        if let Some(text) = drop_of(&present) {
            conn.query(text.as_bytes()).await?;
        }
        match self.prefix.is_empty() {
            true => remove_empty_schema(conn).await,
            false => Ok(()),
        }
    }

    /// Makes the tables that are not there: the place may be that of an older version. For whoever
    /// holds the lock.
    pub async fn make_tables(&self, conn: &mut Conn) -> Result<()> {
        let imports = format!(
            "CREATE TABLE {} (run BIGINT UNSIGNED NOT NULL PRIMARY KEY, file_name \
             VARBINARY(4096) NOT NULL, file_size BIGINT UNSIGNED, options BLOB NOT NULL, at_byte \
             BIGINT UNSIGNED NOT NULL DEFAULT 0, check_byte BIGINT UNSIGNED NOT NULL DEFAULT 0, \
             digest BIGINT UNSIGNED NOT NULL DEFAULT 0, doubt BLOB, counts_hold TINYINT NOT NULL \
             DEFAULT 1, lanes INT NOT NULL, token BIGINT UNSIGNED NOT NULL DEFAULT 0, started TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP) \
             ENGINE=InnoDB",
            self.imports()
        );
        let row_counts = format!(
            "CREATE TABLE {} (run BIGINT UNSIGNED NOT NULL, schema_name \
             VARBINARY(256) NOT NULL, table_name VARBINARY(256) NOT NULL, row_count BIGINT \
             UNSIGNED, PRIMARY KEY (run, schema_name, table_name)) ENGINE=InnoDB",
            self.row_counts()
        );
        let indexes = format!(
            "CREATE TABLE {} (number BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY \
             KEY, run BIGINT UNSIGNED NOT NULL, schema_name VARBINARY(256) NOT NULL, table_name \
             VARBINARY(256) NOT NULL, deferral LONGBLOB NOT NULL, KEY run (run)) ENGINE=InnoDB",
            self.indexes()
        );
        let counters = format!(
            "CREATE TABLE {} (run BIGINT UNSIGNED NOT NULL, schema_name \
             VARBINARY(256) NOT NULL, table_name VARBINARY(256) NOT NULL, next_value BIGINT \
             UNSIGNED NOT NULL, before_byte BIGINT UNSIGNED NOT NULL, PRIMARY KEY (run, \
             schema_name, table_name)) ENGINE=InnoDB",
            self.counters()
        );
        for (table, text) in TABLES.into_iter().zip([imports, row_counts, indexes, counters]) {
            if !self.has(conn, table).await? {
                conn.query(text.as_bytes()).await?;
            }
        }
        Ok(())
    }

    async fn has(&self, conn: &mut Conn, (table, column): (&str, &str)) -> Result<bool> {
        let query = format!(
            "SELECT 1 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {} \
             AND COLUMN_NAME = '{column}'",
            literal(&self.schema),
            literal(&format!("{}{table}", self.prefix))
        );
        Ok(conn.scalar(&query).await?.is_some())
    }

    fn name(&self, table: &str) -> String {
        format!("`{}`.`{}{table}`", self.schema.replace('`', "``"), self.prefix)
    }
}

/// What drops these tables, which stand in the order of [`TABLES`]. The first tells that there is a place,
/// so it goes last: a MariaDB that dies meanwhile has dropped some of them, in the order of the statement.
fn drop_of(present: &[String]) -> Option<String> {
    let backwards: Vec<&str> = present.iter().rev().map(String::as_str).collect();
    (!backwards.is_empty()).then(|| format!("DROP TABLE {}", backwards.join(", ")))
}

/// Drops the ledger's own schema if it is there and holds no table. A server that died may have dropped
/// the tables, and not yet their schema.
pub async fn remove_empty_schema(conn: &mut Conn) -> Result<()> {
    let query = format!(
        "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{SCHEMA}' AND NOT EXISTS (SELECT \
         1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{SCHEMA}')"
    );
    if conn.scalar(&query).await?.is_some() {
        conn.query(format!("DROP DATABASE IF EXISTS `{SCHEMA}`").as_bytes()).await?;
    }
    Ok(())
}

/// A connection for work on the ledger: what the file says to its sessions never reaches it.
pub async fn connect(endpoint: &Endpoint) -> Result<Conn> {
    let mut conn = Conn::open(endpoint, "import ledger").await?;
    // Nothing of an import should ever lock it out for long; if it happens it is to be seen. It says
    // that the import is alive, and may have nothing else to do while a large table is loaded.
    // MySQL would show an AUTO_INCREMENT of up to a day ago; MariaDB passes over this comment.
    let text = format!(
        "SET SESSION sql_mode = '', lock_wait_timeout = {LOCK_WAIT_SECS}, wait_timeout = {IDLE_SECS} \
         /*!80000 , information_schema_stats_expiry = 0 */"
    );
    conn.query(text.as_bytes()).await?;
    Ok(conn)
}

/// Takes the lock.
pub async fn enter(conn: &mut Conn) -> Result<()> {
    let query = format!("SELECT GET_LOCK('{LOCK}', {LOCK_WAIT_SECS})");
    match conn.scalar(&query).await {
        Ok(Some(got)) if got == "1" => Ok(()),
        Ok(_) => {
            let text = "take the ledger's lock: another dbferry holds it too long";
            Err(Error::new(ErrorKind::LockWait, Side::Target, text))
        }
        Err(error) => Err(error),
    }
}

/// Gives the lock back.
pub async fn leave(conn: &mut Conn) {
    // A connection that is gone has given it back.
    let _ = conn.query(format!("SELECT RELEASE_LOCK('{LOCK}')").as_bytes()).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_of_a_place_goes_last() {
        let present: Vec<String> = TABLES.iter().map(|(table, _)| (*table).to_owned()).collect();
        let text = drop_of(&present).unwrap();
        assert_eq!(text, "DROP TABLE counters, indexes, row_counts, imports");
        assert_eq!(drop_of(&[]), None);
    }
}
