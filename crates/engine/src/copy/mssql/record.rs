//! What a copy writes down beside its journal: what it is a copy of.
//!
//! Promises: two records of a table are equal only if the same statements make it. Says nothing of how
//! far the copy is, because rows are compared when they are taken over.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::copy::past::Head;
use crate::mssql::catalog::schema::{Database, Table};
use crate::mssql::script::{Phase, Script};

/// What a copy writes down about itself: its databases, their tables, and at last [`Head`].
#[derive(Debug, Serialize, Deserialize)]
pub enum Entry {
    /// A database.
    Database {
        /// Its number.
        index: usize,
        /// What was made in it before its tables, or among them.
        made: String,
    },
    /// A table.
    Table {
        /// The number of its database.
        index: usize,
        /// As `schema.table`.
        name: String,
        /// The statements that made it.
        made: String,
    },
    /// Ends the list.
    Head(Head),
}

/// The statements for one database, as far as they come before the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Makes {
    /// What is no table.
    pub others: String,
    /// By table.
    pub tables: BTreeMap<String, String>,
}

/// A copy that is to be made: of each database what the source has, and the statements for it.
pub type Planned<'a> = [(&'a Database, &'a Script)];

/// What a copy writes down about itself.
pub fn entries(planned: &Planned<'_>, head: &Head) -> Vec<Entry> {
    let mut entries = Vec::new();
    for (index, (database, script)) in planned.iter().enumerate() {
        let Makes { others, tables } = makes(database, script);
        entries.push(Entry::Database { index, made: others });
        let tables = tables.into_iter().map(|(name, made)| Entry::Table { index, name, made });
        entries.extend(tables);
    }
    entries.push(Entry::Head(head.clone()));
    entries
}

/// The statements for a database.
pub fn makes(database: &Database, script: &Script) -> Makes {
    let names: BTreeSet<String> = database.tables.iter().map(full).collect();
    let mut makes = Makes::default();
    for statement in &script.statements {
        let place = match statement.phase {
            Phase::Tables if names.contains(&statement.object) => {
                makes.tables.entry(statement.object.clone()).or_default()
            }
            Phase::Schemas | Phase::Tables => &mut makes.others,
            _ => continue,
        };
        place.push_str(&statement.sql);
        place.push_str(";\n");
    }
    makes
}

/// A table's name, as statements about it have it for people.
pub fn full(table: &Table) -> String {
    format!("{}.{}", table.schema, table.name)
}

/// The same as a copy has written it down for the database of this number.
pub fn recorded_of(recorded: &[Entry], index: usize) -> Makes {
    let mut makes = Makes::default();
    for entry in recorded {
        match entry {
            Entry::Database { index: of, made } if *of == index => makes.others.clone_from(made),
            Entry::Table { index: of, name, made } if *of == index => {
                makes.tables.insert(name.clone(), made.clone());
            }
            Entry::Database { .. } | Entry::Table { .. } | Entry::Head(_) => {}
        }
    }
    makes
}
