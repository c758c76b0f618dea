//! What a copy did: counted while it runs, shown at its end.
//!
//! Holds no row values but the keys of rows that differ, which only [`Difference`] has. No secrets.

use std::collections::BTreeMap;

use serde::Serialize;

use super::conversion::Finding;
use super::snapshot::{Mode, Position, Snapshot};
use super::throttle::ThrottleReport;

/// What became of a copy, whether it succeeded or not.
#[derive(Clone, Debug, Default, Serialize)]
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
#[derive(Clone, Debug, Serialize)]
pub struct SnapshotReport {
    /// How the readers came to see the same.
    pub mode: Mode,
    /// How long the source's writers had to wait, in milliseconds.
    pub locked_ms: u64,
    /// Where the binary log was.
    pub position: Position,
}

impl SnapshotReport {
    /// What is told of a snapshot.
    pub fn of(snapshot: &Snapshot) -> SnapshotReport {
        let Snapshot { mode, locked_ms, position, .. } = snapshot;
        SnapshotReport { mode: *mode, locked_ms: *locked_ms, position: position.clone() }
    }
}

/// What became of a table.
#[derive(Clone, Debug, Default, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
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
