//! The ledger of changed settings: table `dbferry`.`settings` on the target.
//!
//! Promises: a row is committed before its change is made and deleted after it is undone; everything
//! happens under the lock `dbferry`, so runs side by side see each other's rows; of several runs the
//! last one puts back what the first one found; a value that is no longer what the run set is left
//! alone. The table and the schema are dropped when they are empty.

use std::collections::BTreeSet;

use super::{Change, REDO_LOG, Repaired, Scope, Unrestored};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mysql::conn::Conn;
use crate::run::failpoint;

/// The lock under which the ledger is made, changed and dropped.
const LOCK: &str = "dbferry";
/// How long others may hold it, in seconds.
const LOCK_WAIT_SECS: u32 = 60;
/// A run is alive while its connection holds the lock of this name and the run's id.
const RUN_LOCK: &str = "dbferry run ";

/// A run that has rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run(String);

/// The ledger, locked: give it back with [`Ledger::close`].
pub struct Ledger<'a> {
    /// The connection that holds the lock.
    pub conn: &'a mut Conn,
    /// Rows of another server came with a copy of its data.
    server: String,
    exists: bool,
}

struct Row {
    id: u64,
    run: String,
    change: Change,
    /// The connection whose lock says that the run is alive.
    holder: Option<String>,
}

impl<'a> Ledger<'a> {
    /// Locks the ledger, whether there is one or not.
    pub async fn lock(conn: &'a mut Conn) -> Result<Self> {
        let query = format!("SELECT GET_LOCK('{LOCK}', {LOCK_WAIT_SECS})");
        if conn.scalar(&query).await?.as_deref() != Some("1") {
            let text = format!("lock the ledger of settings: held for {LOCK_WAIT_SECS} s");
            return Err(Error::new(ErrorKind::LockWait, Side::Target, text));
        }
        let server = identity(conn).await?;
        let exists = exists(conn).await?;
        Ok(Self { conn, server, exists })
    }

    /// Makes it where there is none.
    pub async fn make(&mut self) -> Result<()> {
        const TABLE: &str = "CREATE TABLE `dbferry`.`settings` (\
             id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, run VARCHAR(36) NOT NULL, \
             variable VARCHAR(64) NOT NULL, before_value VARCHAR(255) NOT NULL, \
             after_value VARCHAR(255) NOT NULL, server VARCHAR(255) NOT NULL, \
             changed_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP\
             ) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4";
        if !self.exists {
            self.conn.query(b"CREATE DATABASE IF NOT EXISTS `dbferry`").await?;
            // Without IF NOT EXISTS: what has its name here is somebody else's.
            let made = self.conn.query(TABLE.as_bytes()).await;
            self.exists = made.is_ok();
            if made.is_err() {
                drop_empty_schema(self.conn).await?;
            }
            made?;
        }
        Ok(())
    }

    /// There is one.
    pub fn exists(&self) -> bool {
        self.exists
    }

    /// The values that variables had before any run changed them.
    pub async fn first_values(&mut self) -> Result<Vec<(String, String)>> {
        let rows = self.rows().await?.into_iter();
        Ok(rows.map(|row| (row.change.variable, row.change.before)).collect())
    }

    /// Drops what is empty and gives the lock back.
    pub async fn close(mut self) {
        // What stays for want of a privilege is empty, and without an answer the lock is gone.
        if self.exists {
            let _ = self.drop_empty().await;
        }
        let _ = self.conn.rows(&format!("SELECT RELEASE_LOCK('{LOCK}')")).await;
    }

    async fn drop_empty(&mut self) -> Result<()> {
        let rows = self.conn.scalar("SELECT COUNT(*) FROM `dbferry`.`settings`").await;
        if matches!(&rows, Ok(Some(count)) if count == "0") {
            self.conn.query(b"DROP TABLE `dbferry`.`settings`").await?;
        }
        drop_empty_schema(self.conn).await
    }

    /// Writes the rows of a new run, then makes its changes; tells for each whether it was made.
    pub async fn begin(
        &mut self,
        changes: Vec<Change>,
    ) -> Result<(Run, Vec<(Change, Option<Error>)>)> {
        let run = self.announce().await?;
        self.insert(&run, &changes).await?;
        let mut made = Vec::new();
        for change in changes {
            let outcome = self.conn.query(change.statement().as_bytes()).await;
            if outcome.is_err() {
                let text = format!(
                    "DELETE FROM `dbferry`.`settings` WHERE run = '{}' AND variable = '{}'",
                    run.0, change.variable
                );
                self.conn.query(text.as_bytes()).await?;
            }
            made.push((change, outcome.err()));
        }
        Ok((run, made))
    }

    /// Puts back what run `run` changed, unless another run still needs it.
    pub async fn end(&mut self, run: &Run) -> Vec<Unrestored> {
        if !self.exists {
            // Another run took this one for dead, and put everything back.
            return Vec::new();
        }
        // The rows of runs that died beside this one have to go first, or theirs would be last.
        let rows = match self.repair().await {
            Ok(repaired) => self.rows().await.map(|rows| (repaired.failed, rows)),
            Err(error) => Err(error),
        };
        let (mut failed, rows) = match rows {
            Ok(found) => found,
            Err(error) => {
                let variable = "what table dbferry.settings lists".to_owned();
                let statement = "SELECT * FROM dbferry.settings".to_owned();
                return vec![Unrestored { variable, value: String::new(), statement, error }];
            }
        };
        for row in rows.iter().filter(|row| row.run == run.0) {
            let is_wanted = rows.iter().any(|other| other.holder.is_some() && row.is_rival(other));
            if let Err(error) = self.undo(row, is_wanted).await {
                failed.push(unrestored(row, error));
            }
        }
        // Without an answer the lock goes with the connection.
        let _ = self.conn.rows(&format!("SELECT RELEASE_LOCK('{RUN_LOCK}{}')", run.0)).await;
        failed
    }

    /// Puts back what dead runs changed.
    pub async fn repair(&mut self) -> Result<Repaired> {
        let mut repaired = Repaired::default();
        if !self.exists {
            return Ok(repaired);
        }
        let rows = self.rows().await?;
        let alive: BTreeSet<&String> = rows.iter().filter_map(|row| row.holder.as_ref()).collect();
        repaired.runs_alive = alive.into_iter().cloned().collect();
        for (at, row) in rows.iter().enumerate().filter(|(_, row)| row.holder.is_none()) {
            // Of several dead runs the last one undoes; all have the first value.
            let is_wanted = rows.iter().enumerate().any(|(index, other)| {
                (other.holder.is_some() || index > at) && row.is_rival(other)
            });
            match self.undo(row, is_wanted).await {
                Ok(true) => repaired.restored.push(row.change.clone()),
                Ok(false) if is_wanted => {}
                Ok(false) => repaired.left_alone.push(row.change.clone()),
                Err(error) => repaired.failed.push(unrestored(row, error)),
            }
        }
        let others = "SELECT COUNT(*) FROM `dbferry`.`settings` WHERE server <> ";
        let others = self.conn.scalar(&format!("{others}{}", quoted(&self.server))).await?;
        repaired.rows_of_others = others.and_then(|count| count.parse().ok()).unwrap_or_default();
        Ok(repaired)
    }

    /// Undoes one row's change and deletes the row. Whether there was something to undo: not if
    /// another run wants the value, or if it is not what was set.
    async fn undo(&mut self, row: &Row, is_wanted: bool) -> Result<bool> {
        let change = &row.change;
        let current = value(self.conn, &change.variable).await?;
        let undoes = !is_wanted && current.as_deref() == Some(change.after.as_str());
        if undoes {
            failpoint::pass("before restoring");
            self.conn.query(change.undoing().as_bytes()).await?;
            failpoint::pass("after restoring");
        }
        let text = format!("DELETE FROM `dbferry`.`settings` WHERE id = {}", row.id);
        self.conn.query(text.as_bytes()).await?;
        Ok(undoes)
    }

    /// Takes the lock that says the run is alive.
    async fn announce(&mut self) -> Result<Run> {
        let id = self.conn.scalar("SELECT UUID()").await?.unwrap_or_default();
        let query = format!("SELECT GET_LOCK('{RUN_LOCK}{id}', 0)");
        match self.conn.scalar(&query).await?.as_deref() {
            Some("1") => Ok(Run(id)),
            _ => {
                let text = "lock the run's own name in the ledger of settings";
                Err(Error::new(ErrorKind::Internal, Side::Target, text))
            }
        }
    }

    /// All rows at once, so that none is there without the others.
    async fn insert(&mut self, run: &Run, changes: &[Change]) -> Result<()> {
        if changes.is_empty() {
            return Ok(());
        }
        let row = |change: &Change| {
            let cells = [&run.0, &change.variable, &change.before, &change.after, &self.server];
            format!("({})", cells.map(|cell| quoted(cell)).join(", "))
        };
        let rows: Vec<String> = changes.iter().map(row).collect();
        let text = format!(
            "INSERT INTO `dbferry`.`settings` (run, variable, before_value, after_value, server) \
             VALUES {}",
            rows.join(", ")
        );
        self.conn.query(text.as_bytes()).await.map(|_effect| ())
    }

    /// This server's rows, the oldest first. Whoever can write into the table must not thereby run
    /// statements as the account that repairs: only what [`Change::is_known`] counts.
    async fn rows(&mut self) -> Result<Vec<Row>> {
        let query = format!(
            "SELECT id, run, variable, before_value, after_value, \
             IS_USED_LOCK(CONCAT('{RUN_LOCK}', run)) \
             FROM `dbferry`.`settings` WHERE server = {} ORDER BY id",
            quoted(&self.server)
        );
        let rows = self.conn.rows(&query).await?.into_iter().filter_map(|mut cells| {
            let holder = cells.pop().flatten();
            let mut cells = cells.into_iter().map(Option::unwrap_or_default);
            let mut next = || cells.next().unwrap_or_default();
            let (id, run) = (next().parse().ok()?, next());
            let (variable, before, after) = (next(), next(), next());
            let change = Change { scope: Scope::Global, variable, before, after };
            change.is_known().then_some(Row { id, run, change, holder })
        });
        Ok(rows.collect())
    }
}

impl Row {
    /// Another run's row about the same variable.
    fn is_rival(&self, other: &Row) -> bool {
        other.run != self.run && other.change.variable == self.change.variable
    }
}

fn unrestored(row: &Row, error: Error) -> Unrestored {
    Unrestored {
        variable: row.change.variable.clone(),
        value: row.change.before.clone(),
        statement: row.change.undoing(),
        error,
    }
}

async fn drop_empty_schema(conn: &mut Conn) -> Result<()> {
    let tables = "SELECT COUNT(*) FROM information_schema.TABLES WHERE table_schema = 'dbferry'";
    if conn.scalar(tables).await?.as_deref() == Some("0") {
        conn.query(b"DROP DATABASE IF EXISTS `dbferry`").await?;
    }
    Ok(())
}

/// Whether there is a ledger that this account can see. A table of somebody's own that happens to
/// have its name is none.
pub async fn exists(conn: &mut Conn) -> Result<bool> {
    let query = "SELECT COUNT(*) FROM information_schema.COLUMNS \
                 WHERE table_schema = 'dbferry' AND table_name = 'settings' \
                 AND column_name IN ('run', 'variable', 'before_value', 'after_value', 'server')";
    Ok(conn.scalar(query).await?.as_deref() == Some("5"))
}

/// A global variable's value now, or the redo log's state.
async fn value(conn: &mut Conn, variable: &str) -> Result<Option<String>> {
    let what = if variable == REDO_LOG { "STATUS" } else { "VARIABLES" };
    let query = format!("SHOW GLOBAL {what} WHERE Variable_name = {}", quoted(variable));
    let first = conn.rows(&query).await?.into_iter().next();
    Ok(first.and_then(|row| row.into_iter().nth(1)).flatten())
}

/// What tells this server from a copy or a replica of it; the same after a restart.
async fn identity(conn: &mut Conn) -> Result<String> {
    let query = "SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_uuid', 'server_uid')";
    let row = conn.rows(query).await?.into_iter().next();
    if let Some(identity) = row.and_then(|row| row.into_iter().nth(1)).flatten() {
        return Ok(identity);
    }
    let query = "SELECT CONCAT_WS('|', @@hostname, @@port, @@server_id, @@datadir)";
    Ok(conn.scalar(query).await?.unwrap_or_default())
}

/// A string literal: nothing here holds more than letters, digits and a path.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', "''"))
}
