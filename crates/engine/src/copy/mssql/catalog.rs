//! A database of a live server as values, and what changed between two readings.
//!
//! Promises: reads only. Estimates that the server does not have are made by counting.

use super::answer;
use super::facts::ServerFacts;
use crate::error::Result;
use crate::mssql::catalog::question::Answers;
use crate::mssql::catalog::schema::{Database, Table};
use crate::mssql::catalog::{self, column};
use crate::mssql::script::{digest, table};
use crate::mssql::session::Session;

/// Bytes that a value without a fixed length is taken for, where nothing tells.
const VALUE_BYTES: u64 = 64;

/// Reads a database; the session is in it afterwards.
pub async fn read(session: &mut Session, facts: &ServerFacts, name: &str) -> Result<Database> {
    ask(session, catalog::questions(&facts.views), name).await
}

/// Reads a database without asking for what is never carried, which is most of the questions: only to compare it
/// with another reading. The session is in it afterwards.
pub async fn read_carried(
    session: &mut Session,
    facts: &ServerFacts,
    name: &str,
) -> Result<Database> {
    ask(session, catalog::questions_of_carried(&facts.views), name).await
}

async fn ask(
    session: &mut Session,
    questions: Vec<(&'static str, String)>,
    name: &str,
) -> Result<Database> {
    answer::enter(session, name).await?;
    let mut answers = Answers::new();
    for (name, question) in questions {
        answers.insert(name, session.query(&question).await?);
    }
    catalog::read(&answers)
}

/// Makes up for estimates that the server does not have: where it knows of no table how many bytes it takes,
/// rows are counted, and bytes are guessed from the columns. The session is in the database.
pub async fn estimate(session: &mut Session, database: &mut Database) -> Result<()> {
    if database.tables.iter().any(|table| table.bytes_estimated > 0) {
        return Ok(());
    }
    for one in &mut database.tables {
        if one.rows_estimated == 0 {
            let count = format!("({})", digest::count(&table::full_name(one), None));
            let rows = answer::number(session, &count).await?.unwrap_or(0);
            one.rows_estimated = u64::try_from(rows).unwrap_or(0);
        }
        one.bytes_estimated = one.rows_estimated.saturating_mul(row_bytes(one));
    }
    Ok(())
}

fn row_bytes(table: &Table) -> u64 {
    let bytes = |column: &column::Column| match u64::try_from(column.kind.max_length) {
        Ok(length) if length <= VALUE_BYTES => length,
        Ok(_) | Err(_) => VALUE_BYTES,
    };
    table.columns.iter().map(bytes).sum()
}

/// What is not the same in two readings of one database, but for counters and estimates.
pub fn first_change(before: &Database, now: &Database) -> Option<String> {
    let (before, now) = (still(before), still(now));
    for table in &before.tables {
        match now.table(&table.schema, &table.name) {
            None => return Some(format!("{}.{} is gone", table.schema, table.name)),
            Some(other) if other != table => {
                return Some(format!("{}.{} has changed", table.schema, table.name));
            }
            Some(_) => {}
        }
    }
    let is_new = |table: &&Table| before.table(&table.schema, &table.name).is_none();
    if let Some(table) = now.tables.iter().find(is_new) {
        return Some(format!("{}.{} is new", table.schema, table.name));
    }
    for module in &before.modules {
        if !now.modules.contains(module) {
            return Some(format!("{}.{} has changed or is gone", module.schema, module.name));
        }
    }
    (before != now).then(|| "an object that is no table has come, gone or changed".to_owned())
}

/// A database with the counters of a later reading.
///
/// Rows that came between the first reading and the moment of the copy have numbers that the first one does not know.
pub fn counted_later(before: &Database, now: &Database) -> Database {
    let mut database = before.clone();
    for table in &mut database.tables {
        let later = now.table(&table.schema, &table.name);
        let later = later.and_then(|table| table.columns.iter().find_map(identity));
        let own = table.columns.iter_mut().find_map(|column| match &mut column.source {
            column::Source::Identity(identity) => Some(identity),
            _ => None,
        });
        if let (Some(own), Some(later)) = (own, later) {
            own.last.clone_from(&later.last);
        }
    }
    for sequence in &mut database.sequences {
        let mut there = now.sequences.iter();
        let name = (sequence.schema.clone(), sequence.name.clone());
        if let Some(later) = there.find(|one| (&one.schema, &one.name) == (&name.0, &name.1)) {
            (sequence.current, sequence.is_used) = (later.current.clone(), later.is_used);
        }
    }
    database
}

fn identity(column: &column::Column) -> Option<&column::Identity> {
    match &column.source {
        column::Source::Identity(identity) => Some(identity),
        _ => None,
    }
}

/// Without what changes by itself.
fn still(database: &Database) -> Database {
    let mut database = database.clone();
    // Who may do what, and statistics, are not copied; what names what is in the texts.
    database.findings.clear();
    database.dependencies.clear();
    for table in &mut database.tables {
        *table = shape(table);
    }
    for sequence in &mut database.sequences {
        (sequence.current, sequence.is_used) = (String::new(), false);
    }
    database
}

/// A table without what changes by itself.
fn shape(table: &Table) -> Table {
    let mut table = table.clone();
    (table.rows_estimated, table.bytes_estimated) = (0, 0);
    for column in &mut table.columns {
        if let column::Source::Identity(identity) = &mut column.source {
            identity.last = None;
        }
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mssql::catalog::schema::{
        Compression, Kind, Module, ModuleKind, Options, Sequence, Session,
    };

    fn table(name: &str) -> Table {
        Table {
            id: 7,
            schema: "dbo".into(),
            name: name.into(),
            columns: Vec::new(),
            indexes: Vec::new(),
            heap: Compression::None,
            checks: Vec::new(),
            foreign_keys: Vec::new(),
            period: None,
            is_history: false,
            lock_escalation: "TABLE",
            large_values_out_of_row: false,
            rows_estimated: 5,
            bytes_estimated: 500,
        }
    }

    fn database() -> Database {
        Database {
            name: "shop".into(),
            collation: "Latin1_General_CI_AS".into(),
            compatibility_level: 150,
            options: Options::default(),
            schemas: Vec::new(),
            aliases: Vec::new(),
            table_kinds: Vec::new(),
            sequences: Vec::new(),
            tables: vec![table("a"), table("b")],
            modules: Vec::new(),
            triggers: Vec::new(),
            synonyms: Vec::new(),
            properties: Vec::new(),
            dependencies: Vec::new(),
            findings: Vec::new(),
        }
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Database), expected: Option<&str>) {
        let mut now = database();
        change(&mut now);
        assert_eq!(first_change(&database(), &now).as_deref(), expected);
    }

    #[test]
    fn what_changes_is_named_and_estimates_are_no_change() {
        check(|now| now.tables[0].rows_estimated = 9, None);
        check(|now| now.tables[1].lock_escalation = "AUTO", Some("dbo.b has changed"));
        check(|now| now.tables.truncate(1), Some("dbo.b is gone"));
        check(|now| now.tables.push(table("c")), Some("dbo.c is new"));
        let module = Module {
            id: 9,
            kind: ModuleKind::View,
            schema: "dbo".into(),
            name: "v".into(),
            definition: "CREATE VIEW v AS SELECT 1".into(),
            session: Session { ansi_nulls: true, quoted_identifier: true },
            is_schema_bound: false,
            indexes: Vec::new(),
        };
        let other = Some("an object that is no table has come, gone or changed");
        check(|now| now.modules.push(module.clone()), other);
        check(|now| now.schemas.push("sales".into()), other);
    }

    fn int() -> Kind {
        let name = "int".to_owned();
        Kind { schema: None, base: name.clone(), name, max_length: 4, precision: 10, scale: 0 }
    }

    /// With a counter and a sequence that stand at a number.
    fn counted(last: Option<&str>, current: &str) -> Database {
        let mut database = database();
        database.tables[0].columns.push(column::Column {
            id: 1,
            name: "id".into(),
            kind: int(),
            collation: None,
            is_nullable: false,
            is_sparse: false,
            is_column_set: false,
            is_rowguid: false,
            is_hidden: false,
            source: column::Source::Identity(column::Identity {
                seed: "1".into(),
                increment: "1".into(),
                last: last.map(str::to_owned),
                not_for_replication: false,
            }),
            default: None,
        });
        database.sequences.push(Sequence {
            schema: "dbo".into(),
            name: "numbers".into(),
            kind: int(),
            start: "1".into(),
            increment: "1".into(),
            minimum: "1".into(),
            maximum: "99".into(),
            cycles: false,
            cache: None,
            current: current.into(),
            is_used: current != "1",
        });
        database
    }

    #[test]
    fn counters_are_those_of_the_later_reading() {
        let (before, mut now) = (counted(None, "1"), counted(Some("7"), "5"));
        now.tables[1].rows_estimated = 9;
        assert_eq!(first_change(&before, &now), None);
        assert_eq!(counted_later(&before, &now), counted(Some("7"), "5"));
        // What is gone keeps what it had; that it is gone is told elsewhere.
        now.tables.clear();
        now.sequences.clear();
        assert_eq!(counted_later(&before, &now), before);
    }
}
