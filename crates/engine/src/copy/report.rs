//! What a copy did: counted while it runs, shown at its end.
//!
//! Holds no row values but the keys of rows that differ, which only [`Difference`] has. No secrets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::finding::Finding;
use super::throttle::ThrottleReport;

/// What became of a copy, whether it succeeded or not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Report {
    /// How the source's readers came to see the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotReport>,
    /// By `source database.table`.
    pub tables: BTreeMap<String, TableReport>,
    /// Views, routines, triggers, events and sequences that were made.
    pub objects: u64,
    /// What the target cannot be given, or did not take.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What is worth knowing.
    pub notes: Vec<String>,
    /// How the rows were compared.
    pub verified: Verified,
    /// Rows that differ, if a comparison failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
    /// Connections that loaded side by side.
    pub lanes: usize,
    /// Seconds until the last row was in.
    pub data_seconds: f64,
    /// Seconds that building keys took after the rows, added up over the connections.
    pub index_seconds: f64,
    /// Seconds that comparing took.
    pub verify_seconds: f64,
    /// Seconds from the first statement to the last.
    pub seconds: f64,
    /// How it was slowed down, if it was to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<ThrottleReport>,
    /// The target shows the copy. If not, it is as it was before.
    pub published: bool,
    /// Tables that were taken over from a copy that had died, whole or in parts; nothing if there
    /// was no such copy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed: Option<usize>,
    /// The copy broke off, and what it has brought waits for another one to go on.
    pub resumable: bool,
    /// Databases on the target that could not be removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub left_behind: Vec<String>,
}

/// The point in time that was copied.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SnapshotReport {
    /// How the readers came to see the same.
    pub mode: Mode,
    /// How long the source's writers had to wait, in milliseconds.
    pub locked_ms: u64,
    /// Where the source's log was; nothing where a family has no such thing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
}

/// How the readers came to see the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// MariaDB's `BACKUP STAGE BLOCK_COMMIT` while they began: commits waited, and nothing waited for
    /// long queries.
    BackupStage,
    /// `FLUSH TABLES WITH READ LOCK` while they began.
    GlobalReadLock,
    /// `LOCK TABLES … READ` while they began.
    TableLocks,
    /// There is only one.
    OneReader,
    /// SQL Server's SNAPSHOT transactions, which all began while one session kept writers out.
    SnapshotIsolation,
    /// A database snapshot of SQL Server for each database.
    DatabaseSnapshot,
    /// Shared locks of SQL Server on all tables until everything was read.
    SharedLocks,
}

/// Where the source's binary log was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The file.
    pub file: Option<String>,
    /// The byte in it.
    pub offset: Option<u64>,
    /// The set of global transaction identifiers.
    pub gtid: Option<String>,
}

/// What became of a table.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TableReport {
    /// The table's name on the target.
    pub target: String,
    /// Rows that were copied.
    pub rows: u64,
    /// Those of them that an earlier copy had brought, and that were the same still.
    pub rows_kept: u64,
    /// Bytes of their text.
    pub bytes: u64,
    /// Into how many parts it was cut.
    pub chunks: usize,
    /// Warnings of the target while it took the rows; such a table is always compared by checksum.
    pub warnings: u64,
    /// Seconds for the keys that were built after the rows.
    pub index_seconds: f64,
}

/// How thoroughly rows are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verified {
    /// Not at all, or not yet.
    #[default]
    None,
    /// How many there are.
    Rows,
    /// A digest of each chunk.
    Checksum,
}

/// A chunk that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// `source database.table`.
    pub table: String,
    /// The chunk's number.
    pub chunk: usize,
    /// Rows of it on the source, and on the target.
    pub rows: (u64, u64),
    /// The first keys whose rows differ, as `column=value`; none for a table without a key.
    pub keys: Vec<String>,
}

/// Why a copy did not come to its end.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub error: crate::error::Error,
    /// What was done until then.
    pub report: Box<Report>,
}
