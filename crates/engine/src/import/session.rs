//! The session-state log: what the file's statements made of the main connection, kept so that
//! every other connection can be brought to the same state before it is given work.
//!
//! The log holds states, not statements: `SET @old = @@x` or `SET @n = (SELECT …)` cannot be
//! replayed faithfully elsewhere, but what a literal INSERT can feel of them is in the variables
//! below. It promises that a lane whose state is applied stores a literal row exactly as the main
//! connection would. User variables stay on the main connection: literals do not refer to them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::table::SessionFacts;
use crate::error::Result;
use crate::mysql::conn::Conn;

/// The variables that change what a literal INSERT stores, logs or waits for, or which keys a table
/// may have. Servers that do not know one do not list it.
const VARIABLES: [&str; 32] = [
    "auto_increment_increment",
    "auto_increment_offset",
    "binlog_format",
    "binlog_row_image",
    "binlog_rows_query_log_events",
    "character_set_client",
    "check_constraint_checks",
    "collation_connection",
    "column_compression_threshold",
    "explicit_defaults_for_timestamp",
    "foreign_key_checks",
    "gtid_domain_id",
    "innodb_compression_default",
    "innodb_lock_wait_timeout",
    "innodb_strict_mode",
    "lc_time_names",
    "lock_wait_timeout",
    "max_statement_time",
    "net_read_timeout",
    "net_write_timeout",
    "old_mode",
    "server_id",
    "skip_replication",
    "sql_log_bin",
    "sql_mode",
    "system_versioning_insert_history",
    "time_zone",
    "transaction_isolation",
    "tx_isolation",
    "unique_checks",
    "wait_timeout",
    "wsrep_on",
];

/// Variables that a file sets to fix what the next statements generate. While one is in force
/// everything stays on the main connection.
pub const ORDER_VARIABLES: [&[u8]; 10] = [
    b"timestamp",
    b"insert_id",
    b"identity",
    b"last_insert_id",
    b"rand_seed1",
    b"rand_seed2",
    b"gtid_next",
    b"gtid_seq_no",
    b"pseudo_thread_id",
    b"original_commit_timestamp",
];

/// The state of a session as far as literal INSERTs feel it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionState {
    /// Default database, as UTF-8.
    pub database: Option<String>,
    variables: BTreeMap<String, String>,
}

impl SessionState {
    /// Reads the state of a connection.
    pub async fn read(conn: &mut Conn) -> Result<SessionState> {
        // The name arrives in hexadecimal because the session's result character set may be any.
        let database = conn.scalar("SELECT HEX(CONVERT(DATABASE() USING utf8mb4))").await?;
        let names: Vec<String> = VARIABLES.iter().map(|name| format!("'{name}'")).collect();
        let query = format!("SHOW SESSION VARIABLES WHERE Variable_name IN ({})", names.join(","));
        let mut variables = BTreeMap::new();
        for row in conn.rows(&query).await? {
            if let [Some(name), Some(value)] = row.as_slice() {
                variables.insert(name.to_ascii_lowercase(), value.clone());
            }
        }
        Ok(SessionState { database: database.as_deref().and_then(from_hex), variables })
    }

    /// What the state means for tables.
    pub fn facts(&self) -> SessionFacts {
        let is_on = |name: &str| self.variables.get(name).is_none_or(|value| value == "ON");
        SessionFacts {
            foreign_key_checks: is_on("foreign_key_checks"),
            zero_is_a_value: self.sql_mode().split(',').any(|mode| mode == "NO_AUTO_VALUE_ON_ZERO"),
        }
    }

    /// `@@sql_mode`.
    pub fn sql_mode(&self) -> &str {
        self.variable("sql_mode").unwrap_or_default()
    }

    /// A session variable, if it is one of those kept and the server has it.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A state with these variables only.
    #[cfg(test)]
    pub(super) fn with_variables(variables: &[(&str, &str)]) -> SessionState {
        let pairs = variables.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        SessionState { database: None, variables: pairs.collect() }
    }

    /// The client sends UTF-8, so names in statements are as the catalogue has them.
    pub fn speaks_utf8(&self) -> bool {
        self.variables.get("character_set_client").is_some_and(|name| name.starts_with("utf8"))
    }

    /// For lanes on MariaDB: with `unique_checks=0` the first insert into an empty table would
    /// lock it whole until its commit (MDEV-515), and lanes would wait for each other.
    pub fn with_unique_checks(mut self) -> SessionState {
        if let Some(value) = self.variables.get_mut("unique_checks") {
            "ON".clone_into(value);
        }
        self
    }
}

/// The statements that turn `from` into `to`.
pub fn changes(from: &SessionState, to: &SessionState) -> Vec<String> {
    let mut statements = Vec::new();
    if from.database != to.database
        && let Some(database) = &to.database
    {
        // The name below is UTF-8, whatever the session spoke before.
        statements.push("SET character_set_client = utf8mb4".to_owned());
        statements.push(format!("USE `{}`", database.replace('`', "``")));
    }
    let changed: Vec<String> = to
        .variables
        .iter()
        .filter(|(name, value)| {
            let renamed = !statements.is_empty() && name.as_str() == "character_set_client";
            renamed || from.variables.get(*name) != Some(value)
        })
        .map(|(name, value)| format!("SESSION {name} = {}", quoted(value)))
        .collect();
    if !changed.is_empty() {
        statements.push(format!("SET {}", changed.join(", ")));
    }
    statements
}

/// Brings a connection from one state to another.
pub async fn apply(conn: &mut Conn, from: &SessionState, to: &Arc<SessionState>) -> Result<()> {
    for statement in changes(from, to) {
        conn.query(statement.as_bytes()).await?;
    }
    Ok(())
}

fn quoted(value: &str) -> String {
    let is_number = !value.is_empty()
        && value.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && value.parse::<f64>().is_ok();
    match is_number {
        true => value.to_owned(),
        false => format!("'{}'", value.replace('\'', "''")),
    }
}

/// The text that `HEX()` gave.
pub(super) fn from_hex(text: &str) -> Option<String> {
    let digits: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    String::from_utf8(digits?).ok()
}
