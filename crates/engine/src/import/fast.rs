//! Unsafe speed, only when asked (`--fast`): what an import turns off on the server, and how that is
//! put back.
//!
//! Promises: each global change is a committed row of [`settings`] before it is made, is undone by
//! [`Fast::end`], and else by [`repair`]; what somebody else set meanwhile is left alone; an import
//! that may change nothing is the plain import. It changes no data and knows nothing of the file.
//! What a crash of the *server* costs meanwhile cannot be undone: see [`Change::danger`].

use std::collections::BTreeMap;

use serde::Serialize;

use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::mysql::conn::Conn;
use crate::mysql::facts::Flavor;

pub mod settings;

use settings::{Ledger, Run};

/// The pseudo-variable that stands for MySQL's redo log, see [`Change::statement`].
pub const REDO_LOG: &str = "Innodb_redo_log_enabled";
/// How long the server may leave a connection idle that keeps something for the whole import, in
/// seconds: a year.
pub const IDLE_SECS: u32 = 31_536_000;

/// Where a change is felt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// In the connections of this import only; it ends with them.
    Session,
    /// By everybody on the server, until it is undone.
    Global,
}

/// One setting that makes an import faster and less safe.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change {
    /// Where it is felt.
    pub scope: Scope,
    /// The variable, or [`REDO_LOG`].
    pub variable: String,
    /// Its value when nobody has changed it.
    pub before: String,
    /// Its value during the import.
    pub after: String,
}

/// A change that was not made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The variable.
    pub variable: String,
    /// Why, mostly in the server's words.
    pub reason: String,
}

/// A setting that could not be put back.
#[derive(Debug)]
pub struct Unrestored {
    /// The variable.
    pub variable: String,
    /// The value that it should have.
    pub value: String,
    /// What to run by hand.
    pub statement: String,
    /// What went wrong.
    pub error: Error,
}

/// What [`repair`] found.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Put back now.
    pub restored: Vec<Change>,
    /// Had another value than the dead run left: somebody, or a restart, was there before.
    pub left_alone: Vec<Change>,
    /// The connections of runs that still go on, by id; theirs is theirs.
    pub runs_alive: Vec<String>,
    /// Rows that belong to another server, of which this one is a copy or a replica.
    pub rows_of_others: u64,
    /// Could not be put back.
    pub failed: Vec<Unrestored>,
}

/// A server that was made fast.
#[derive(Debug)]
pub struct Fast {
    conn: Conn,
    run: Option<Run>,
    endpoint: Endpoint,
    /// What is changed.
    pub changes: Vec<Change>,
    /// What could not be.
    pub left_out: Vec<LeftOut>,
}

impl Change {
    /// The statement that makes it.
    pub fn statement(&self) -> String {
        self.setting(&self.after)
    }

    /// The statement that undoes it.
    pub fn undoing(&self) -> String {
        self.setting(&self.before)
    }

    /// What a crash of the server costs while it is in force.
    pub fn danger(&self) -> &'static str {
        match self.variable.as_str() {
            REDO_LOG => "if the server crashes meanwhile, ALL of its data is lost",
            "innodb_flush_log_at_trx_commit" => {
                "a crash may lose the last seconds of everybody's commits"
            }
            "sync_binlog" => "a crash may leave the binary log behind the data",
            _ => "replicas and point-in-time recovery do not get what is imported",
        }
    }

    /// One of those that [`plan`] makes, with values that are plain words or numbers.
    fn is_known(&self) -> bool {
        let is_plain = |value: &str| {
            matches!(value, "ON" | "OFF") || (value.len() < 20 && value.parse::<u64>().is_ok())
        };
        let is_switch = matches!(self.before.as_str(), "ON" | "OFF");
        let is_listed = match self.variable.as_str() {
            REDO_LOG => is_switch,
            "sync_binlog" | "innodb_flush_log_at_trx_commit" => !is_switch,
            _ => false,
        };
        is_listed && is_plain(&self.before) && is_plain(&self.after)
    }

    fn setting(&self, value: &str) -> String {
        if self.variable == REDO_LOG {
            let verb = if value == "ON" { "ENABLE" } else { "DISABLE" };
            return format!("ALTER INSTANCE {verb} INNODB REDO_LOG");
        }
        let scope = match self.scope {
            Scope::Session => "SESSION",
            Scope::Global => "GLOBAL",
        };
        format!("SET {scope} {} = {value}", self.variable)
    }
}

/// The changes worth making, in the order in which they are made: a pure function of the server's
/// kind and the values that [`read`] gives.
///
/// The doublewrite buffer is not among them: MySQL writes none without a redo log, and MariaDB 10
/// does not let it be switched off. Without the session's binary log nothing waits for `sync_binlog`.
pub fn plan(flavor: Flavor, values: &BTreeMap<String, String>) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut change = |scope, variable: &str, after: &str| {
        if let Some(before) = values.get(variable).filter(|before| *before != after) {
            let (variable, before) = (variable.to_owned(), before.clone());
            changes.push(Change { scope, variable, before, after: after.to_owned() });
        }
    };
    let is_logged = values.get("log_bin").is_some_and(|value| value == "ON")
        && values.get("sql_log_bin").is_some_and(|value| value == "ON");
    if is_logged {
        change(Scope::Session, "sql_log_bin", "OFF");
        change(Scope::Global, "sync_binlog", "0");
    }
    change(Scope::Global, "innodb_flush_log_at_trx_commit", "0");
    if flavor == Flavor::MySql {
        change(Scope::Global, REDO_LOG, "OFF");
    }
    changes
}

/// The values that [`plan`] judges, as this session sees them.
async fn read(conn: &mut Conn) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    let queries = [
        "SHOW GLOBAL VARIABLES WHERE Variable_name IN \
         ('log_bin', 'sync_binlog', 'innodb_flush_log_at_trx_commit')"
            .to_owned(),
        "SHOW SESSION VARIABLES LIKE 'sql_log_bin'".to_owned(),
        format!("SHOW GLOBAL STATUS LIKE '{REDO_LOG}'"),
    ];
    for query in queries {
        for row in conn.rows(&query).await? {
            if let [Some(name), Some(value)] = row.as_slice() {
                values.insert(name.clone(), value.clone());
            }
        }
    }
    Ok(values)
}

/// Makes the server at `endpoint` fast, as far as the account may.
pub async fn begin(endpoint: &Endpoint) -> Result<Fast> {
    let mut conn = open(endpoint).await?;
    let mut endpoint = endpoint.clone();
    let flavor = match conn.version_text().contains("MariaDB") {
        true => Flavor::MariaDb,
        false => Flavor::MySql,
    };
    let (mut changes, mut left_out) = (Vec::new(), Vec::new());
    let planned = plan(flavor, &read(&mut conn).await?);
    for change in planned.into_iter().filter(|change| change.scope == Scope::Session) {
        match conn.query(change.statement().as_bytes()).await {
            Ok(_) => {
                endpoint.session.push(change.statement());
                changes.push(change);
            }
            Err(error) => left_out.push(refusal(&change, error)?),
        }
    }
    let mut fast = Fast { conn, run: None, endpoint, changes, left_out };
    fast.make_global(flavor).await?;
    Ok(fast)
}

impl Fast {
    /// How the import has to connect.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Puts everything back, and tells what that failed for. Sessions' settings end with them.
    pub async fn end(self) -> Vec<Unrestored> {
        let Fast { mut conn, run, endpoint, changes, .. } = self;
        let Some(run) = run else {
            conn.close().await;
            return Vec::new();
        };
        if conn.is_broken() || conn.rows("SELECT 1").await.is_err() {
            conn = match open(&endpoint).await {
                Ok(conn) => conn,
                Err(error) => return all_unrestored(&changes, &error),
            };
        }
        let failed = match Ledger::lock(&mut conn).await {
            Ok(mut ledger) => {
                let failed = ledger.end(&run).await;
                ledger.close().await;
                failed
            }
            Err(error) => all_unrestored(&changes, &error),
        };
        conn.close().await;
        failed
    }

    /// Makes the global changes that are allowed, with the ledger's rows before them.
    async fn make_global(&mut self, flavor: Flavor) -> Result<()> {
        let mut ledger = Ledger::lock(&mut self.conn).await?;
        let outcome = make(&mut ledger, flavor).await;
        ledger.close().await;
        let (run, made, left_out) = outcome?;
        self.run = run;
        self.changes.extend(made);
        self.left_out.extend(left_out);
        Ok(())
    }
}

/// Under the ledger's lock: plans, writes the rows, makes the changes.
async fn make(
    ledger: &mut Ledger<'_>,
    flavor: Flavor,
) -> Result<(Option<Run>, Vec<Change>, Vec<LeftOut>)> {
    ledger.repair().await?;
    let current = read(ledger.conn).await?;
    let mut first = current.clone();
    if ledger.exists() {
        // The value to come back to is what was there before any run that goes on.
        first.extend(ledger.first_values().await?);
    }
    let planned = plan(flavor, &first);
    let (mut allowed, mut left_out, mut made) = (Vec::new(), Vec::new(), Vec::new());
    for change in planned.into_iter().filter(|change| change.scope == Scope::Global) {
        // Setting what is set already needs the same privilege and changes nothing.
        let value = current.get(&change.variable).unwrap_or(&change.before);
        match ledger.conn.query(change.setting(value).as_bytes()).await {
            Ok(_) => allowed.push(change),
            Err(error) => left_out.push(refusal(&change, error)?),
        }
    }
    if allowed.is_empty() {
        return Ok((None, made, left_out));
    }
    if let Err(error) = ledger.make().await {
        let error = refusal(&allowed[0], error)?;
        left_out.extend(allowed.into_iter().map(|change| LeftOut {
            variable: change.variable,
            reason: format!("the settings cannot be written down: {}", error.reason),
        }));
        return Ok((None, made, left_out));
    }
    let (run, outcomes) = ledger.begin(allowed).await?;
    for (change, error) in outcomes {
        match error {
            None => made.push(change),
            Some(error) => left_out.push(refusal(&change, error)?),
        }
    }
    Ok((Some(run), made, left_out))
}

/// Puts back what runs that are dead have changed on the server at `endpoint`.
pub async fn repair(endpoint: &Endpoint) -> Result<Repaired> {
    let mut conn = open(endpoint).await?;
    let outcome = repair_on(&mut conn).await;
    conn.close().await;
    outcome
}

async fn repair_on(conn: &mut Conn) -> Result<Repaired> {
    // Mostly there is nothing, and whoever holds the lock need not be waited for.
    if !settings::exists(conn).await? {
        return Ok(Repaired::default());
    }
    let mut ledger = Ledger::lock(conn).await?;
    let outcome = ledger.repair().await;
    ledger.close().await;
    outcome
}

/// A connection that neither needs the endpoint's database nor ends while an import is long.
async fn open(endpoint: &Endpoint) -> Result<Conn> {
    let endpoint = Endpoint { database: None, ..endpoint.clone() };
    let mut conn = Conn::open(&endpoint, "settings").await?;
    // The server's own modes and character sets must not reach the ledger.
    let text = format!("SET SESSION wait_timeout = {IDLE_SECS}, autocommit = 1, sql_mode = ''");
    conn.query(text.as_bytes()).await?;
    conn.query(b"SET NAMES utf8mb4").await?;
    Ok(conn)
}

/// A refused change is left out; a lost connection is an error.
fn refusal(change: &Change, error: Error) -> Result<LeftOut> {
    match &error.server {
        Some(server) => {
            Ok(LeftOut { variable: change.variable.clone(), reason: server.message.clone() })
        }
        None => Err(error),
    }
}

fn all_unrestored(changes: &[Change], error: &Error) -> Vec<Unrestored> {
    let globals = changes.iter().filter(|change| change.scope == Scope::Global);
    let unrestored = |change: &Change| Unrestored {
        variable: change.variable.clone(),
        value: change.before.clone(),
        statement: change.undoing(),
        error: Error::new(error.kind, error.side, error.to_string()),
    };
    globals.map(unrestored).collect()
}

#[cfg(test)]
mod tests;
