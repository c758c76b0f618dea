//! What a copy writes down beside its journal: what it is a copy of.
//!
//! Promises: two records of tables are equal only if the source described them alike. Says nothing of
//! how far the copy is, because rows are compared when they are taken over.

use serde::{Deserialize, Serialize};

use super::catalog::Database;
use super::table::Table;
use crate::copy::past::Head;

/// What a copy writes down about itself: all its tables, and at last [`Head`].
#[derive(Debug, Serialize, Deserialize)]
pub enum Entry {
    /// The number of its database, and what the source told of it.
    Table(usize, Box<Table>),
    /// Ends the list.
    Head(Head),
}

/// What a copy writes down about itself.
pub fn entries(databases: &[Database], head: &Head) -> Vec<Entry> {
    let tables = databases.iter().enumerate().flat_map(|(index, database)| {
        let shapes = database.tables.iter().map(shape);
        shapes.map(move |table| Entry::Table(index, Box::new(table)))
    });
    tables.chain([Entry::Head(head.clone())]).collect()
}

/// A table without what changes by itself; that it has a counter does not.
pub fn shape(table: &Table) -> Table {
    let auto_increment = table.auto_increment.map(|_next| 0);
    Table { auto_increment, rows_estimated: 0, bytes_estimated: 0, ..table.clone() }
}
