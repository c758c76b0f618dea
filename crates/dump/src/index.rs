//! What is in a dump: one pass over it gives a [`DumpIndex`], a plain value.
//!
//! Promises: reads to the end or says where it had to stop, and gives what was found up to there;
//! memory is bounded by the reader's limits and by the limits named here; rows of `INSERT … VALUES`
//! are counted, not looked at (only their bytes are checked for UTF-8), so it is as fast as the
//! reader. It asks no server: what only a server can tell (what a computed `sql_mode` is, whether a
//! definer exists) is left to the precheck of an import.

mod demands;
mod ending;
mod features;
mod origin;
mod scan;
mod session;
mod tap;
mod text;

use std::io::{Cursor, Read};

use serde::Serialize;

use crate::hazard::Hazard;
use crate::reader::{Limits, Reader};
use crate::rules::{Client, Rules};

pub use demands::{
    Account, Act, Defined, Definition, Demands, GTID_BYTES_MAX, Loading, Longest, NAMES_MAX, Named,
    Need,
};
pub use origin::{Origin, Tool};
pub use text::{CELLS_MAX, Text};

use scan::Scan;
use tap::Tap;

/// Bytes at the head and at the end of a file in which a tool's comments are looked for.
pub const COMMENTS_MAX: usize = 16 * 1024;
/// Tables, and objects of each other kind, that are listed; the counts go on.
pub const OBJECTS_MAX: usize = 100_000;
/// Settings and character sets that are listed.
pub const SETTINGS_MAX: usize = 200;
/// Bytes of definitions of tables that are kept, all together; those beyond it are not.
pub const DEFINITIONS_BYTES_MAX: usize = 32 << 20;
/// Statements that add keys to one table that are kept: more than a server allows keys.
pub const ADDITIONS_MAX: usize = 100;

/// How a dump is read.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The server that it is meant for: its stock client's reading rules are followed, and what it
    /// does not understand is an error. `None`: the rules of the client that belongs to the tool
    /// that wrote the dump, and findings for both servers.
    pub server: Option<Client>,
    /// As the clients' `--binary-mode`.
    pub binary_mode: bool,
    /// What is held in memory.
    pub limits: Limits,
}

/// Whether a dump is whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Complete {
    /// It ends as its tool ends a dump.
    Complete,
    /// It ends early.
    Truncated,
    /// Its tool says nothing at the end, and nothing is open there.
    Unknown,
    /// It could not be read to its end.
    Damaged,
}

impl Complete {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Complete::Complete => "complete",
            Complete::Truncated => "truncated",
            Complete::Unknown => "unknown",
            Complete::Damaged => "damaged",
        }
    }
}

/// Where reading had to stop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Why.
    pub message: String,
    /// Bytes before it, after decompression.
    pub offset: u64,
    /// Its line.
    pub line: u64,
}

/// A character set that the dump announces (`SET NAMES`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CharacterSet {
    /// Its name, in lower case.
    pub name: String,
    /// The line of its first announcement.
    pub line: u64,
}

/// A database that is created or selected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// The line of its first `CREATE DATABASE`.
    pub created_line: Option<u64>,
    /// The line of its first `USE`.
    pub used_line: Option<u64>,
    /// The line of its first `DROP DATABASE`.
    pub dropped_line: Option<u64>,
}

/// Whether a table's INSERTs name their columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnLists {
    /// All of them.
    Always,
    /// Some do, others do not.
    Sometimes,
    /// None of them.
    Never,
}

/// A table, by its definition or by its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Table {
    /// Its schema, as it is written or as `USE` says; `None` if none is selected.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// The line of its last `CREATE TABLE`.
    pub defined_line: Option<u64>,
    /// The line of the first statement that names it.
    pub first_line: u64,
    /// The engine in its definition.
    pub engine: Option<String>,
    /// It is temporary.
    pub temporary: bool,
    /// Rows in its INSERTs.
    pub rows: u64,
    /// Whether `rows` is all of them: false where an INSERT takes its rows from elsewhere.
    pub rows_exact: bool,
    /// Bytes of its INSERTs.
    pub bytes: u64,
    /// Its INSERTs.
    pub statements: u64,
    /// Whether they name their columns; `None` without INSERTs.
    pub column_lists: Option<ColumnLists>,
    /// How its rows come; for the plan of an import.
    #[serde(skip)]
    pub loading: Loading,
    /// Its last `CREATE TABLE` as it is written; for the plan of an import. `None` beyond
    /// [`DEFINITIONS_BYTES_MAX`], and if it is not UTF-8.
    #[serde(skip)]
    pub definition: Option<Box<str>>,
    /// By later ALTER TABLE that adds keys and does nothing else: the keys, as they are written. At most
    /// [`ADDITIONS_MAX`], which count for [`DEFINITIONS_BYTES_MAX`] as well; those beyond it are not kept.
    #[serde(skip)]
    pub added_keys: Vec<Vec<String>>,
}

/// A view, routine, trigger, event, sequence or account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Object {
    /// Its schema, as it is written or as `USE` says.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// The line of its last definition.
    pub line: u64,
}

/// A setting that the dump makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Setting {
    /// The variable, in lower case.
    pub name: String,
    /// It is set for the server, not for the session.
    pub global: bool,
    /// The value as it is written.
    pub value: String,
    /// The line of its first occurrence.
    pub line: u64,
}

/// What is in a dump.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DumpIndex {
    /// Whether it is whole.
    pub complete: Complete,
    /// Why that is said.
    pub complete_reason: String,
    /// What it says of itself.
    pub origin: Origin,
    /// Whose stock client's reading rules were followed: `mariadb` or `mysql`.
    pub client: &'static str,
    /// Bytes of text, after decompression.
    pub bytes: u64,
    /// Lines of text.
    pub lines: u64,
    /// Statements, client commands not counted.
    pub statements: u64,
    /// Rows of all tables together.
    pub rows: u64,
    /// Character sets announced.
    pub character_sets: Vec<CharacterSet>,
    /// `ascii`, `utf8`, `mixed` or `other`.
    pub encoding: &'static str,
    /// What that was found from.
    pub text: Text,
    /// Databases created, selected or dropped.
    pub databases: Vec<Database>,
    /// Tables, in the order of their first statement.
    pub tables: Vec<Table>,
    /// Views.
    pub views: Vec<Object>,
    /// Procedures, functions and packages.
    pub routines: Vec<Object>,
    /// Triggers.
    pub triggers: Vec<Object>,
    /// Events.
    pub events: Vec<Object>,
    /// Sequences.
    pub sequences: Vec<Object>,
    /// Accounts and roles that are created.
    pub accounts: Vec<Object>,
    /// Objects beyond [`OBJECTS_MAX`] of their kind, which are not listed.
    pub unlisted: u64,
    /// Session and global settings, each value once; saving and restoring is left out.
    pub settings: Vec<Setting>,
    /// What deserves attention, the gravest first.
    pub hazards: Vec<Hazard>,
    /// Where reading had to stop.
    pub damage: Option<Damage>,
    /// What it asks of its target; for the precheck of an import.
    #[serde(skip)]
    pub demands: Demands,
}

/// Reads a dump: `source` gives decompressed and decoded text.
pub fn read<R: Read>(source: R, options: Options) -> DumpIndex {
    let mut tap = Tap::new(source, COMMENTS_MAX);
    let (head, failed) = tap.head(COMMENTS_MAX);
    let origin = origin::of_head(&head);
    let client = options.server.unwrap_or(origin.client());
    let rules = Rules { binary_mode: options.binary_mode, ..Rules::new(client) };
    let mut scan = Scan::new(origin, rules);
    let rest = tap::Failing { failed, inner: &mut tap };
    let mut reader = Reader::new(Cursor::new(head).chain(rest), rules, options.limits);
    loop {
        let changed = match reader.next_item() {
            Ok(Some(item)) => scan.item(&item),
            Ok(None) => break,
            Err(error) => {
                scan.damaged(&error);
                break;
            }
        };
        if let Some(rules) = changed {
            reader.set_rules(rules);
        }
    }
    let end = reader.place();
    let open = reader.open();
    drop(reader);
    scan.finish(&ending::End { place: end, open, tail: tap.tail() }, options.server)
}
