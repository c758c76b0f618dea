//! Checks, foreign keys, periods and counters as T-SQL: what a table gets once its rows are in.
//!
//! Promises: what the source trusts is checked against every row, so that the target trusts it as well;
//! what it does not trust, or has switched off, is so again.

use super::table::full_name;
use crate::mssql::catalog::column::{Identity, Source};
use crate::mssql::catalog::schema::{Action, Check, ForeignKey, Period, Sequence, Table};
use crate::mssql::name::{listed, literal, qualified, quoted};

/// The statements that add a check.
pub fn check(table: &Table, check: &Check, definition: &str) -> Vec<String> {
    let replication = if check.not_for_replication { " NOT FOR REPLICATION" } else { "" };
    let text = format!("CHECK{replication} {definition}");
    added(table, &check.name, (check.is_disabled, check.is_not_trusted), &text)
}

/// The statements that add a foreign key.
pub fn foreign_key(table: &Table, key: &ForeignKey) -> Vec<String> {
    let own = listed(key.columns.iter().map(|(own, _)| own.as_str()));
    let theirs = listed(key.columns.iter().map(|(_, theirs)| theirs.as_str()));
    let referenced = qualified(&key.referenced_schema, &key.referenced_table);
    let replication = if key.not_for_replication { " NOT FOR REPLICATION" } else { "" };
    let text = format!(
        "FOREIGN KEY ({own}) REFERENCES {referenced} ({theirs}){}{}{replication}",
        action("DELETE", key.on_delete),
        action("UPDATE", key.on_update)
    );
    added(table, &key.name, (key.is_disabled, key.is_not_trusted), &text)
}

fn added(
    table: &Table,
    name: &str,
    (is_disabled, is_not_trusted): (bool, bool),
    text: &str,
) -> Vec<String> {
    let (table, name) = (full_name(table), quoted(name));
    // A new constraint is checked unless something else is said; Babelfish does not take the words for it.
    let with = if is_disabled || is_not_trusted { " WITH NOCHECK" } else { "" };
    let mut statements = vec![format!("ALTER TABLE {table}{with} ADD CONSTRAINT {name} {text}")];
    if is_disabled {
        statements.push(format!("ALTER TABLE {table} NOCHECK CONSTRAINT {name}"));
    }
    statements
}

fn action(event: &str, action: Action) -> String {
    let word = match action {
        Action::NoAction => return String::new(),
        Action::Cascade => "CASCADE",
        Action::SetNull => "SET NULL",
        Action::SetDefault => "SET DEFAULT",
    };
    format!(" ON {event} {word}")
}

/// The statements that make a table's period one, and keep its versions again.
///
/// The server refuses rows whose period begins in what is the future for its clock.
pub fn versioning(table: &Table, period: &Period) -> Vec<String> {
    let name = full_name(table);
    let (start, end) = (quoted(&period.start), quoted(&period.end));
    let mut statements =
        vec![format!("ALTER TABLE {name} ADD PERIOD FOR SYSTEM_TIME ({start}, {end})")];
    for column in table.columns.iter().filter(|column| column.is_hidden) {
        let column = quoted(&column.name);
        statements.push(format!("ALTER TABLE {name} ALTER COLUMN {column} ADD HIDDEN"));
    }
    if let Some(history) = &period.history {
        let kept = qualified(&history.schema, &history.table);
        let retention = match &history.retention {
            Some(period) => format!(", HISTORY_RETENTION_PERIOD = {period}"),
            None => String::new(),
        };
        statements.push(format!(
            "ALTER TABLE {name} SET (SYSTEM_VERSIONING = ON (HISTORY_TABLE = {kept}, \
             DATA_CONSISTENCY_CHECK = ON{retention}))"
        ));
    }
    statements
}

/// The statement after which a table's counter goes on where that of the source would.
///
/// `None` where the counter was never used. What `RESEED` means depends on whether the table ever had
/// rows, so the statement looks.
pub fn reseed(table: &Table) -> Option<String> {
    let identity = table.columns.iter().find_map(|column| match &column.source {
        Source::Identity(identity) => Some(identity),
        _ => None,
    })?;
    let last = identity.last.as_deref()?;
    let name = full_name(table);
    let set = |value: &str| {
        format!("DBCC CHECKIDENT ({}, RESEED, {value}) WITH NO_INFOMSGS", plain(&name))
    };
    let with_rows = set(last);
    Some(match next(identity, last) {
        Some(next) => {
            let without = set(&next);
            format!("IF EXISTS (SELECT 1 FROM {name})\n    {with_rows}\nELSE\n    {without}")
        }
        None => with_rows,
    })
}

/// A name as DBCC takes it from every server: without the mark of Unicode where it needs none.
fn plain(name: &str) -> String {
    match name.is_ascii() {
        true => format!("'{}'", name.replace('\'', "''")),
        false => literal(name),
    }
}

/// The value after `last`; `None` if that is beyond any number.
fn next(identity: &Identity, last: &str) -> Option<String> {
    let last: i128 = last.trim().parse().ok()?;
    let increment: i128 = identity.increment.trim().parse().ok()?;
    last.checked_add(increment).map(|next| next.to_string())
}

/// The statements after which a sequence goes on where that of the source would.
///
/// A sequence that gave its last number already is brought there by taking it: so it is also at its end,
/// or past it, as the source's. Numbers that the source had taken ahead count as given.
pub fn restart(sequence: &Sequence) -> Vec<String> {
    let name = qualified(&sequence.schema, &sequence.name);
    let current = &sequence.current;
    let mut statements = Vec::new();
    if sequence.is_used {
        statements.push(format!("ALTER SEQUENCE {name} RESTART WITH {current}"));
        statements.push(format!("DECLARE @taken sql_variant = NEXT VALUE FOR {name}"));
    } else if *current != sequence.start {
        statements.push(format!("ALTER SEQUENCE {name} RESTART WITH {current}"));
    }
    statements
}

/// `CREATE SEQUENCE`.
pub fn sequence(sequence: &Sequence) -> String {
    let cycle = if sequence.cycles { "CYCLE" } else { "NO CYCLE" };
    let cache = match sequence.cache {
        None => "NO CACHE".to_owned(),
        Some(0) => "CACHE".to_owned(),
        Some(count) => format!("CACHE {count}"),
    };
    // A sequence of decimals has no scale.
    let kind = match (&sequence.kind.schema, sequence.kind.base.as_str()) {
        (None, "decimal" | "numeric") => {
            format!("{}({}, 0)", sequence.kind.base, sequence.kind.precision)
        }
        (None, base) => base.to_owned(),
        (Some(schema), _) => qualified(schema, &sequence.kind.name),
    };
    format!(
        "CREATE SEQUENCE {} AS {kind} START WITH {} INCREMENT BY {} MINVALUE {} MAXVALUE {} {cycle} \
         {cache}",
        qualified(&sequence.schema, &sequence.name),
        sequence.start,
        sequence.increment,
        sequence.minimum,
        sequence.maximum
    )
}
