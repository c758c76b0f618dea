//! What an import did: counted while it runs, shown at its end, written by `--report`.
//!
//! Holds no row values and no secrets. Times are measured by the caller's clock.

use std::collections::BTreeMap;
use std::time::Duration;

use dump::reader::Place;
use dump::statement::ObjectName;
use serde::Serialize;

use super::guard::Note;
use super::indexes::deferral::Deferral;
use super::load::Reason;

/// Notes of one code that are kept; more are only counted.
pub const NOTES_MAX: usize = 100;

/// What became of an import, whether it succeeded or not.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Report {
    /// Statements that are in.
    pub statements: u64,
    /// Rows that INSERT statements brought in.
    pub rows: u64,
    /// Bytes of decoded text whose effect is in: the prefix of the file that the target shows.
    pub applied_offset: u64,
    /// Statements of a transaction that was open at the end: the server rolled them back.
    pub undone_statements: u64,
    /// By table, in name order.
    pub tables: BTreeMap<String, TableReport>,
    /// What was skipped, rewritten or is worth knowing.
    pub notes: Vec<Note>,
    /// How many notes there were by code, also those that are not kept.
    pub note_counts: BTreeMap<&'static str, u64>,
    /// Connections that executed batches; 0 for `--serial`.
    pub lanes: usize,
    /// Why nothing was sent as LOAD DATA, if so from the start or from some moment on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_data_off: Option<Reason>,
    /// Seconds that building indexes took after the rows, while other tables loaded or not.
    pub index_seconds: f64,
    /// Batches that failed on a lane and were executed again, one statement at a time.
    pub replayed_batches: u64,
    /// Connections that were lost and opened again.
    pub lost_connections: u64,
    /// Where the import went on, in bytes of decoded text, if it was resumed: what is counted here
    /// came after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resumed_from: Option<u64>,
    /// It did not come to its end, and the target keeps what `--resume` needs.
    pub resumable: bool,
    /// Seconds from the first statement to the last.
    pub seconds: f64,
    /// What was left out of tables for another attempt to give back ([`super::again`]).
    #[serde(skip)]
    pub waiting: Vec<Deferral>,
}

/// What became of one table.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TableReport {
    /// Rows that INSERT statements brought in.
    pub rows: u64,
    /// Bytes of their text.
    pub bytes: u64,
    /// Batches that lanes committed.
    pub parallel_batches: u64,
    /// Those of them that went as LOAD DATA.
    pub loaded_batches: u64,
    /// Those of them that went as INSERT text.
    pub insert_batches: u64,
    /// Why the first of these did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub insert_because: Option<Reason>,
    /// Why some of its rows had to stay on one connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_order_because: Option<&'static str>,
    /// Keys and foreign keys that were built after the rows.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deferred_indexes: Vec<String>,
    /// Seconds that took.
    pub index_seconds: f64,
    /// Why its keys were there while its rows came in, if it was thought of otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub indexes_kept_because: Option<&'static str>,
}

impl Report {
    /// Keeps a note.
    pub fn note(&mut self, note: Note) {
        let count = self.note_counts.entry(note.code).or_default();
        *count += 1;
        if *count <= NOTES_MAX as u64 {
            self.notes.push(note);
        }
    }

    /// The entry of a table; `schema` is the default database of the statement.
    pub fn table(&mut self, name: &ObjectName, schema: Option<&str>) -> &mut TableReport {
        self.tables.entry(display_name(name, schema)).or_default()
    }

    /// Counts what is in up to `place`.
    pub fn applied(&mut self, offset: u64, statements: u64, rows: u64) {
        self.applied_offset = self.applied_offset.max(offset);
        self.statements += statements;
        self.rows += rows;
    }

    /// The report of a run that another one went on with.
    #[must_use]
    pub fn followed_by(self, later: Report) -> Report {
        let mut whole = self;
        whole.applied(later.applied_offset, later.statements, later.rows);
        whole.undone_statements = later.undone_statements;
        whole.lanes = whole.lanes.max(later.lanes);
        whole.load_data_off = later.load_data_off.or(whole.load_data_off);
        whole.index_seconds += later.index_seconds;
        whole.replayed_batches += later.replayed_batches;
        whole.lost_connections += later.lost_connections;
        whole.resumable = later.resumable;
        if later.resumed_from.is_some() {
            whole.waiting = later.waiting;
        }
        for (name, table) in later.tables {
            whole.tables.entry(name).or_default().add(table);
        }
        let kept = later.notes.len() as u64;
        let counted: u64 = later.note_counts.values().sum();
        later.notes.into_iter().for_each(|note| whole.note(note));
        if counted > kept {
            for (code, count) in later.note_counts {
                let entry = whole.note_counts.entry(code).or_default();
                *entry += count.saturating_sub(NOTES_MAX as u64);
            }
        }
        whole
    }

    /// Stops the clock.
    pub fn took(&mut self, duration: Duration) {
        self.seconds = duration.as_secs_f64();
    }
}

impl TableReport {
    fn add(&mut self, later: TableReport) {
        self.rows += later.rows;
        self.bytes += later.bytes;
        self.parallel_batches += later.parallel_batches;
        self.loaded_batches += later.loaded_batches;
        self.insert_batches += later.insert_batches;
        self.insert_because = self.insert_because.or(later.insert_because);
        self.in_order_because = self.in_order_because.or(later.in_order_because);
        self.deferred_indexes.extend(later.deferred_indexes);
        self.index_seconds += later.index_seconds;
        self.indexes_kept_because = self.indexes_kept_because.or(later.indexes_kept_because);
    }
}

/// `schema.table`, for people.
pub fn display_name(name: &ObjectName, schema: Option<&str>) -> String {
    let table = String::from_utf8_lossy(&name.name);
    match (&name.schema, schema) {
        (Some(own), _) => format!("{}.{table}", String::from_utf8_lossy(own)),
        (None, Some(schema)) => format!("{schema}.{table}"),
        (None, None) => table.into_owned(),
    }
}

/// Why an import ended before the end of the file.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong, with file, line and byte.
    pub error: crate::error::Error,
    /// The failing statement, shortened, without values; with the place of a syntax error marked.
    pub excerpt: Option<String>,
    /// Where it begins.
    pub place: Option<Place>,
    /// What is in.
    pub report: Box<Report>,
}

impl Failure {
    /// Nothing was read or executed yet.
    pub fn before(error: crate::error::Error) -> Failure {
        Failure { error, excerpt: None, place: None, report: Box::default() }
    }
}
