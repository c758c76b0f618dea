//! What a copy will do, before anything is written: which tables, how each is made, and what stands
//! in the way.
//!
//! Pure. A [`Plan`] is made from what both servers told; executing it is the work of others.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::Database;
use super::rename::Renaming;
use super::table::Table;
use crate::import::indexes::deferral::{self, Circumstances, identifier};
use crate::import::indexes::definition;

/// How a table is made on the target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableMake {
    /// The statement that makes it, for a session in its database.
    pub create: String,
    /// Makes the keys that wait for its rows.
    pub keys: Option<String>,
    /// Makes its foreign keys, once all tables have all their keys.
    pub foreign_keys: Option<String>,
    /// What `SHOW CREATE TABLE` says in the end, without the next AUTO_INCREMENT value.
    pub finished: String,
}

/// Plans how a table is made in `schema`; its foreign keys follow `renaming`.
pub fn table(schema: &str, table: &Table, renaming: &Renaming) -> TableMake {
    let finished =
        sequences_renamed(foreign_keys_renamed(&table.create, renaming), table, renaming);
    let bare = split_foreign_keys(schema, &table.name, &finished);
    let (text, foreign_keys) = bare.unwrap_or_else(|| (finished.clone(), None));
    let catalogue: BTreeSet<String> = table.keys.iter().map(|key| key.name.clone()).collect();
    let named = catalogue.iter().map(|name| name.to_lowercase()).collect();
    let circumstances = Circumstances { catalogue, named, parents_at_hand: true };
    let planned = deferral::plan(schema, &table.name, &text, &circumstances).ok();
    let (text, keys) = planned
        .and_then(|deferral| Some((deferral.expected(0)?, deferral.add.into_iter().next())))
        .unwrap_or((text, None));
    let create = match table.auto_increment {
        Some(next) => with_counter(&text, next),
        None => text,
    };
    TableMake { create, keys, foreign_keys, finished }
}

/// The definition without foreign keys, and the statement that makes them.
fn split_foreign_keys(schema: &str, table: &str, text: &str) -> Option<(String, Option<String>)> {
    let lines: Vec<String> =
        definition::parse(text)?.foreign_keys.into_iter().map(|key| key.line).collect();
    if lines.is_empty() {
        return Some((text.to_owned(), None));
    }
    let added: Vec<String> = lines.iter().map(|line| format!("ADD {line}")).collect();
    let (schema, table) = (identifier(schema), identifier(table));
    let add = format!("ALTER TABLE {schema}.{table} {}", added.join(", "));
    Some((definition::without(text, &lines)?, Some(add)))
}

/// The definition with its next AUTO_INCREMENT value.
fn with_counter(text: &str, next: u64) -> String {
    // MySQL tells some options before the engine, in comments.
    let Some(tail) = text.rfind("\n)") else { return text.to_owned() };
    let Some(at) = text[tail..].find(" ENGINE=").map(|at| tail + at + " ENGINE=".len()) else {
        return text.to_owned();
    };
    let engine = text[at..].find([' ', '\n']).unwrap_or(text.len() - at);
    let at = at + engine;
    format!("{} AUTO_INCREMENT={next}{}", &text[..at], &text[at..])
}

/// The definition with foreign keys that follow tables of other copied databases.
fn foreign_keys_renamed(text: &str, renaming: &Renaming) -> String {
    let Some(definition) = definition::parse(text) else { return text.to_owned() };
    let mut text = text.to_owned();
    for key in &definition.foreign_keys {
        let Some(schema) = &key.parent_schema else { continue };
        let Some(to) = renaming.target_of(schema) else { continue };
        let before = format!(" REFERENCES {}.", identifier(schema));
        let after = format!(" REFERENCES {}.", identifier(to));
        text = text.replace(&key.line, &key.line.replace(&before, &after));
    }
    text
}

/// A default that takes the next value of a sequence (MariaDB): moving a table does not move it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SequenceDefault {
    /// The column.
    pub column: String,
    /// The sequence's database.
    pub schema: String,
    /// The sequence.
    pub sequence: String,
}

/// The defaults of a table that take values of sequences.
pub fn sequence_defaults(table: &Table) -> Vec<SequenceDefault> {
    const BEFORE: &str = " DEFAULT nextval(";
    let columns = definition::parse(&table.create).unwrap_or_default().columns;
    let found = columns.into_iter().filter_map(|(column, rest)| {
        let (schema, rest) = definition::quoted(&rest[rest.find(BEFORE)? + BEFORE.len()..])?;
        let (sequence, _end) = definition::quoted(rest.strip_prefix('.')?)?;
        Some(SequenceDefault { column, schema, sequence })
    });
    found.collect()
}

/// The definition with the sequences of other names of the copied databases.
fn sequences_renamed(mut text: String, table: &Table, renaming: &Renaming) -> String {
    let columns = definition::parse(&table.create).unwrap_or_default().columns;
    for default in sequence_defaults(table) {
        let Some(to) = renaming.target_of(&default.schema) else { continue };
        let Some((name, rest)) = columns.iter().find(|(name, _)| *name == default.column) else {
            continue;
        };
        let value = |schema: &str| format!(" DEFAULT nextval({}.", identifier(schema));
        // Only in the column's own line: comments may say anything.
        let line = |rest: &str| format!("\n  {}{rest}", identifier(name));
        let renamed = rest.replacen(&value(&default.schema), &value(to), 1);
        text = text.replacen(&line(rest), &line(&renamed), 1);
    }
    text
}

/// The order in which tables are read: large ones first, so that none is left over at the end.
pub fn order(databases: &[Database]) -> Vec<(usize, usize)> {
    let mut order: Vec<(usize, usize)> = databases
        .iter()
        .enumerate()
        .flat_map(|(d, database)| (0..database.tables.len()).map(move |t| (d, t)))
        .collect();
    order.sort_by_key(|(d, t)| std::cmp::Reverse(databases[*d].tables[*t].bytes_estimated));
    order
}

/// What a database looked like, without what changes by itself: for comparing two readings.
pub fn shape(database: &Database) -> Database {
    let mut shape = database.clone();
    for table in &mut shape.tables {
        (table.auto_increment, table.rows_estimated, table.bytes_estimated) = (None, 0, 0);
    }
    for sequence in &mut shape.sequences {
        sequence.next = None;
    }
    shape
}

/// The first object whose definition differs between two readings, in words.
pub fn first_change(before: &Database, after: &Database) -> Option<String> {
    let (before, after) = (shape(before), shape(after));
    if before == after {
        return None;
    }
    let objects = |database: &Database| -> BTreeMap<String, String> {
        let tables =
            database.tables.iter().map(|t| (format!("table {}", t.name), t.create.clone()));
        let sequences =
            database.sequences.iter().map(|s| (format!("sequence {}", s.name), s.create.clone()));
        let programs = database
            .programs
            .iter()
            .map(|p| (format!("{} {}", p.kind.keyword().to_lowercase(), p.name), format!("{p:?}")));
        tables.chain(sequences).chain(programs).collect()
    };
    let (old, new) = (objects(&before), objects(&after));
    let gone = old.keys().find(|name| !new.contains_key(*name)).map(|n| format!("{n} was dropped"));
    let came = || new.keys().find(|name| !old.contains_key(*name)).map(|n| format!("{n} was made"));
    let changed = || {
        let other = old.iter().find(|(name, text)| new.get(*name) != Some(text));
        other.map(|(name, _)| format!("{name} was changed"))
    };
    gone.or_else(came).or_else(changed).or(Some("its default character set was changed".to_owned()))
}
