//! What an import would do, as a value: computed from the file's index and from what the server
//! says, printed by `--dry-run`.
//!
//! Pure. The way of each table's rows is what [`super::dispatch`] and [`super::table`] will most
//! likely decide, as far as the file and the catalogue tell beforehand; the run itself decides anew.
//! It gives no time: nobody has measured this server.

use dump::index::{DumpIndex, Table};
use serde::Serialize;

use super::Options;
use super::existing::{self, Existing};
use super::indexes::deferral;
use super::precheck::{self, Finding, SPACE_FACTOR, Severity};
use crate::mysql::facts::{Flavor, ServerFacts};

/// The document's kind and version. Fields may be added to a version; none changes its meaning.
pub const SCHEMA: &str = "dbferry.plan/1";

/// An import that was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Where to.
    pub target: Target,
    /// What.
    pub file: File,
    /// Connections that would load side by side; 0 for `--serial`.
    pub lanes: usize,
    /// The tables that the file defines or has rows for, in file order.
    pub tables: Vec<TablePlan>,
    /// What the file holds, counted.
    pub steps: Steps,
    /// What should be known before, the gravest first.
    pub findings: Vec<Finding>,
    /// How much it is.
    pub estimates: Estimates,
}

/// The server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Its URL without secrets.
    pub url: String,
    /// `mariadb` or `mysql`.
    pub server: &'static str,
    /// `VERSION()`.
    pub version: String,
    /// The database that is selected at the start.
    pub database: Option<String>,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Bytes as it is stored, if known.
    pub size: Option<u64>,
    /// How it is compressed.
    pub compression: String,
    /// The tool that wrote it.
    pub generator: &'static str,
    /// The server that it was made on, as the tool says.
    pub made_on: Option<String>,
    /// `complete`, `truncated`, `unknown` or `damaged`.
    pub complete: &'static str,
}

/// What an import's caller knows of file and server.
#[derive(Clone, Debug)]
pub struct About {
    /// The file's name.
    pub file: String,
    /// Bytes as it is stored, if known.
    pub size: Option<u64>,
    /// How it is compressed.
    pub compression: String,
    /// The server's URL without secrets.
    pub url: String,
    /// The database that the endpoint names.
    pub database: Option<String>,
}

/// How rows get to the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Over several connections, committed in file order.
    Lanes,
    /// Over one connection, statement by statement.
    InOrder,
}

/// What would be done with a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TablePlan {
    /// `database.table`, or the table alone if no database is selected.
    pub name: String,
    /// Rows of its INSERTs.
    pub rows: u64,
    /// Whether that is all of them.
    pub rows_exact: bool,
    /// Bytes of its INSERTs.
    pub bytes: u64,
    /// Their way.
    pub way: Way,
    /// Why they stay in order.
    pub reason: Option<&'static str>,
    /// They go as LOAD DATA where their types and literals allow it.
    pub load_data: bool,
    /// Why they all go as INSERT text, if so.
    pub insert_because: Option<&'static str>,
    /// Its ordinary keys are built after them, if it has any.
    pub indexes_after: bool,
    /// The names of the keys and foreign keys that are built after them; `None` if the definition is
    /// not written as a server tells it, so that only the run can say.
    pub deferred_indexes: Option<Vec<String>>,
}

/// What the file holds, counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Steps {
    /// Statements in all.
    pub statements: u64,
    /// Databases that are created.
    pub databases: usize,
    /// Tables that are created.
    pub tables: usize,
    /// Sequences.
    pub sequences: usize,
    /// Views.
    pub views: usize,
    /// Procedures, functions and packages.
    pub routines: usize,
    /// Triggers.
    pub triggers: usize,
    /// Events.
    pub events: usize,
    /// Accounts and roles.
    pub accounts: usize,
}

/// How much it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Estimates {
    /// Bytes of text, after decompression.
    pub text_bytes: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Bytes of INSERTs.
    pub insert_bytes: u64,
    /// Of them, those that go over several connections.
    pub lanes_bytes: u64,
    /// About what the server's disk needs, with indexes and logs.
    pub disk_bytes: u64,
    /// Bytes free on the server, where it tells.
    pub free_bytes: Option<u64>,
}

/// Plans an import.
pub fn plan(
    about: About,
    index: &DumpIndex,
    facts: &ServerFacts,
    existing: &Existing,
    options: &Options,
) -> Plan {
    let database = about.database.as_deref();
    let tables: Vec<TablePlan> = index
        .tables
        .iter()
        .map(|table| of_table(&Look { table, facts, existing, options, database }))
        .collect();
    Plan {
        schema: SCHEMA,
        findings: precheck::findings(index, facts, existing, options, database),
        steps: steps(index),
        estimates: estimates(index, facts, existing, &tables),
        lanes: options.lanes,
        tables,
        target: Target {
            url: about.url,
            server: match facts.flavor {
                Flavor::MariaDb => "mariadb",
                Flavor::MySql => "mysql",
            },
            version: facts.version_text.clone(),
            database: about.database,
        },
        file: File {
            name: about.file,
            size: about.size,
            compression: about.compression,
            generator: index.origin.generator.name(),
            made_on: index.origin.server_version.clone(),
            complete: index.complete.name(),
        },
    }
}

impl Plan {
    /// No finding is an error.
    pub fn is_feasible(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Error)
    }
}

fn steps(index: &DumpIndex) -> Steps {
    Steps {
        statements: index.statements,
        databases: index.databases.iter().filter(|d| d.created_line.is_some()).count(),
        tables: index.tables.iter().filter(|table| table.defined_line.is_some()).count(),
        sequences: index.sequences.len(),
        views: index.views.len(),
        routines: index.routines.len(),
        triggers: index.triggers.len(),
        events: index.events.len(),
        accounts: index.accounts.len(),
    }
}

fn estimates(
    index: &DumpIndex,
    facts: &ServerFacts,
    existing: &Existing,
    tables: &[TablePlan],
) -> Estimates {
    let insert_bytes = tables.iter().map(|table| table.bytes).sum::<u64>();
    let on_lanes = tables.iter().filter(|table| table.way == Way::Lanes);
    Estimates {
        text_bytes: index.bytes,
        rows: index.rows,
        insert_bytes,
        lanes_bytes: on_lanes.map(|table| table.bytes).sum(),
        disk_bytes: insert_bytes.saturating_mul(SPACE_FACTOR),
        free_bytes: existing.free_bytes.or(facts.datadir_free_bytes),
    }
}

/// A table and everything that decides its way.
struct Look<'a> {
    table: &'a Table,
    facts: &'a ServerFacts,
    existing: &'a Existing,
    options: &'a Options,
    database: Option<&'a str>,
}

impl Look<'_> {
    fn schema(&self) -> Option<&str> {
        self.table.schema.as_deref().or(self.database)
    }

    /// The table that is there and stays, if the file does not make one of its own.
    fn kept(&self) -> Option<Option<&existing::Table>> {
        if self.table.defined_line.is_some() {
            return None;
        }
        let object = self.schema().and_then(|schema| self.existing.table(schema, &self.table.name));
        object.map(|object| object.table.as_ref())
    }
}

fn of_table(look: &Look<'_>) -> TablePlan {
    let table = look.table;
    let reason = in_order_because(look);
    let insert_because = match reason {
        Some(_) => Some("they stay on one connection"),
        None => super::load_data_off(look.options, look.facts),
    };
    let may_defer = look.options.defer_indexes && reason.is_none() && table.defined_line.is_some();
    let deferred_indexes = match &table.definition {
        _ if !may_defer => Some(Vec::new()),
        // With checks on, what they refer to has to be there; that is not looked for here.
        Some(text) => {
            deferral::foreseen(text, &table.added_keys, !table.loading.foreign_key_checks)
        }
        None => None,
    };
    TablePlan {
        name: match look.schema() {
            Some(schema) => format!("{schema}.{}", table.name),
            None => table.name.clone(),
        },
        rows: table.rows,
        rows_exact: table.rows_exact,
        bytes: table.bytes,
        way: if reason.is_some() { Way::InOrder } else { Way::Lanes },
        reason,
        load_data: insert_because.is_none(),
        insert_because,
        indexes_after: may_defer && deferred_indexes.as_ref().is_none_or(|names| !names.is_empty()),
        deferred_indexes,
    }
}

/// Why a table's rows stay on one connection: the run's own reasons, where they can be foreseen.
fn in_order_because(look: &Look<'_>) -> Option<&'static str> {
    let (table, loading) = (look.table, &look.table.loading);
    let whole_max = look.options.whole_bytes as u64;
    let packet = look.facts.max_allowed_packet;
    let by_file = [
        (look.options.lanes == 0, "--serial"),
        (table.statements == 0, "it has no rows"),
        (table.temporary, "it is a temporary table"),
        (loading.ordered, "its INSERTs depend on their order or are computed"),
        (loading.in_transaction, "the file's transaction is open"),
        (loading.after_opaque, "the file calls routines or prepared statements"),
        (loading.after_fixing, "the file administers the server or fixes generated values"),
        (loading.after_trigger, "it has triggers"),
        (loading.numbered_by_server, "the server numbers its rows"),
        (loading.longest_insert > whole_max.min(packet), "its INSERTs are sent in pieces"),
    ];
    let batch = look.options.batch_bytes as u64;
    let no_full_batch = [
        (table.bytes <= batch, "it is small"),
        (loading.longest_run <= batch, "its INSERTs do not follow one another, or are too few"),
    ];
    by_file
        .into_iter()
        .find_map(|(holds, reason)| holds.then_some(reason))
        .or_else(|| by_definition(look))
        .or_else(|| no_full_batch.into_iter().find_map(|(holds, reason)| holds.then_some(reason)))
}

/// What the definition demands: the file's, or that of the table that is there.
fn by_definition(look: &Look<'_>) -> Option<&'static str> {
    let loading = &look.table.loading;
    let (engine, checked_keys, versioned, triggers) = match look.kept() {
        Some(None) => return Some("it is not a plain table"),
        Some(Some(there)) => {
            let checked = there.foreign_keys && loading.foreign_key_checks;
            (there.engine.clone(), checked, there.versioned, there.triggers)
        }
        None if look.table.defined_line.is_none() => {
            return Some("it was not found in the catalogue");
        }
        None => {
            let named = look.table.engine.as_deref().map(str::to_ascii_lowercase);
            let known = named.filter(|name| look.facts.engines.contains(name));
            let engine = known.unwrap_or(look.facts.default_engine.to_ascii_lowercase());
            (Some(engine), loading.checked_foreign_keys, loading.versioned, false)
        }
    };
    let reasons = [
        (engine.as_deref() != Some("innodb"), "its engine has no transactions"),
        (triggers, "it has triggers"),
        (checked_keys, "it has foreign keys that are checked"),
        (versioned, "it is system-versioned"),
        (loading.computed_default, "a column's default is an expression"),
    ];
    reasons.into_iter().find_map(|(holds, reason)| holds.then_some(reason))
}
