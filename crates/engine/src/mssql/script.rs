//! A database's values made into the statements that make it again.
//!
//! Promises: [`script`] is pure and gives the same statements for the same values, in an order in which
//! each finds what it needs, phase by phase; names of objects and constraints are those of the source.
//! Runs nothing, and makes nothing that [`Database::findings`] says is left out.

pub mod chunk;
pub mod constraint;
pub mod digest;
pub mod header;
pub mod index;
pub mod likeness;
pub mod load;
pub mod order;
pub mod program;
pub mod rename;
pub mod snapshot;
pub mod table;
pub mod token;

mod making;
mod plan;

use rename::Renames;

use super::catalog::finding::Finding;
use super::catalog::schema::{Database, Session};

/// When a statement runs. Between [`Phase::Tables`] and [`Phase::Indexes`] the rows come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Makes the database. The only phase that runs outside it.
    Database,
    /// Its options; a server may refuse some.
    Options,
    /// Schemas, types, sequences and synonyms.
    Schemas,
    /// Tables with their clustered index, and the functions that their columns need.
    Tables,
    /// All other keys and indexes.
    Indexes,
    /// Checks, and defaults that need functions.
    Constraints,
    /// Foreign keys. Afterwards indexes that are off.
    ForeignKeys,
    /// Counters of tables and sequences.
    Counters,
    /// Periods, and versions kept again: before modules, which may ask for versions.
    Versioning,
    /// Views with their indexes, functions and procedures.
    Modules,
    /// Triggers of tables and views.
    Triggers,
    /// Extended properties.
    Properties,
    /// Modules that name databases of the job, and what needs those: these must have their final names.
    AfterRename,
    /// Triggers of the database, which would fire for all of the above.
    DatabaseTriggers,
}

impl Phase {
    /// It comes when databases have their final names.
    pub fn is_late(self) -> bool {
        self >= Phase::AfterRename
    }
}

/// One statement, which is one batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// When it runs.
    pub phase: Phase,
    /// What it is about, as `schema.name` where it has a schema; for people.
    pub object: String,
    /// Its text.
    pub sql: String,
    /// Settings that it needs and that differ from [`SESSION`]'s.
    pub session: Option<Session>,
}

/// What is to be run, and what it could not do for certain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// In order; phases ascend.
    pub statements: Vec<Statement>,
    /// Names of renamed databases that were left as they are, and the like.
    pub findings: Vec<Finding>,
}

/// What a session of the target is set to before any statement: indexes of views, of computed columns and
/// with filters want it so.
pub const SESSION: &str = "SET ANSI_NULLS, QUOTED_IDENTIFIER, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, \
                           CONCAT_NULL_YIELDS_NULL ON; SET NUMERIC_ROUNDABORT OFF";

impl Session {
    /// The two settings as a statement.
    pub fn sql(self) -> String {
        let word = |is_on| if is_on { "ON" } else { "OFF" };
        let (nulls, quotes) = (word(self.ansi_nulls), word(self.quoted_identifier));
        format!("SET ANSI_NULLS {nulls}; SET QUOTED_IDENTIFIER {quotes}")
    }
}

/// The statements that make `database` again under the name `target`, with names of databases as `renames`
/// says. `target` is the name while the rows come in; `renames` has the names at the end.
pub fn script(database: &Database, target: &str, renames: &Renames) -> Script {
    making::Making::new(database, target, renames).script()
}
