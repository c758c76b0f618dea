//! Tables, put together from what belongs to them.
//!
//! Promises: a table whose rows could not be the same elsewhere is left out and found; one that only
//! loses a feature is kept and found.

use std::collections::{BTreeMap, BTreeSet};

use super::Notes;
use super::detail::{Details, Flaw, FoundColumn};
use crate::error::Result;
use crate::mssql::catalog::question::{Answers, Cells};
use crate::mssql::catalog::schema::{ForeignKey, History, ObjectId, Period, Table};
use crate::mssql::catalog::sys;

/// Bytes of a page.
const PAGE_BYTES: u64 = 8192;

type Names = BTreeMap<ObjectId, (String, String)>;

pub(super) fn read(
    answers: &Answers,
    details: &mut Details,
    notes: &mut Notes,
) -> Result<Vec<Table>> {
    let rows = sys::TABLES.rows(answers)?;
    let mut names = Names::new();
    let mut histories = BTreeSet::new();
    for row in &rows {
        names.insert(row.int("object_id")?, (row.text("schema_name")?, row.text("name")?));
        histories.extend(row.maybe_int("history_table_id")?);
    }
    let periods = periods(answers)?;
    let mut tables = Vec::new();
    for row in &rows {
        let id = row.int("object_id")?;
        let full = format!("{}.{}", row.text("schema_name")?, row.text("name")?);
        let columns = details.columns.remove(&id).unwrap_or_default();
        if let Some(what) = obstacle(row, &columns)? {
            notes.stops(what, &full, "is left out with its rows");
            notes.omitted.objects.insert(id, full);
            continue;
        }
        flaws(row, &full, &columns, notes)?;
        let indexes = details.indexes.remove(&id).unwrap_or_default();
        if indexes.is_closed {
            notes.stops("disabled clustered index", &full, "its table is left out with its rows");
            notes.omitted.objects.insert(id, full);
            continue;
        }
        indexes.note(&full, notes);
        let period = match periods.get(&id) {
            Some((start, end)) => Some(Period {
                start: start.clone(),
                end: end.clone(),
                history: history(row, &names)?,
            }),
            None => None,
        };
        let pages = u64::try_from(row.maybe_int("page_count")?.unwrap_or(0)).unwrap_or(0);
        tables.push(Table {
            id,
            schema: row.text("schema_name")?,
            name: row.text("name")?,
            columns: columns.into_iter().map(|found| found.column).collect(),
            heap: indexes.heap,
            indexes: indexes.indexes,
            checks: details.checks.remove(&id).unwrap_or_default(),
            foreign_keys: foreign_keys(id, &full, details, &names, notes),
            period,
            is_history: histories.contains(&id),
            lock_escalation: lock_escalation(row)?,
            large_values_out_of_row: row.flag("large_value_types_out_of_row")?,
            rows_estimated: u64::try_from(row.maybe_int("row_count")?.unwrap_or(0)).unwrap_or(0),
            bytes_estimated: pages.saturating_mul(PAGE_BYTES),
        });
    }
    Ok(tables)
}

fn periods(answers: &Answers) -> Result<BTreeMap<ObjectId, (String, String)>> {
    let mut periods = BTreeMap::new();
    for row in sys::PERIODS.rows(answers)? {
        periods.insert(row.int("object_id")?, (row.text("start_name")?, row.text("end_name")?));
    }
    Ok(periods)
}

/// Why a table's rows cannot be carried.
fn obstacle(row: &Cells<'_>, columns: &[FoundColumn]) -> Result<Option<&'static str>> {
    let flags = [
        ("is_memory_optimized", "memory-optimised table"),
        ("is_external", "external table"),
        ("is_filetable", "FileTable"),
        ("is_node", "graph table"),
        ("is_edge", "graph table"),
    ];
    for (column, what) in flags {
        if row.flag(column)? {
            return Ok(Some(what));
        }
    }
    let has = |flaw| columns.iter().any(|found| found.flaws.contains(&flaw));
    if row.maybe_int("ledger_type")?.unwrap_or(0) != 0 || has(Flaw::Ledger) {
        return Ok(Some("ledger table"));
    }
    if has(Flaw::Encrypted) {
        return Ok(Some("table with encrypted columns (Always Encrypted)"));
    }
    if has(Flaw::Graph) {
        return Ok(Some("graph table"));
    }
    if has(Flaw::Vector) {
        return Ok(Some("table with vectors"));
    }
    if columns.iter().any(|found| found.is_assembly) {
        return Ok(Some("table with columns of CLR types"));
    }
    Ok(None)
}

/// Notes what a table that is kept loses.
fn flaws(row: &Cells<'_>, full: &str, columns: &[FoundColumn], notes: &mut Notes) -> Result<()> {
    for found in columns {
        let object = format!("{full}.{}", found.column.name);
        for flaw in &found.flaws {
            match flaw {
                Flaw::Filestream => {
                    notes.stops("FILESTREAM column", &object, "becomes varbinary(max) in the rows");
                }
                Flaw::XmlCollection => {
                    notes.stops("typed xml column", &object, "becomes plain xml");
                }
                Flaw::Rule => notes.stops("rule of a column", &object, "is not bound"),
                Flaw::DefaultObject => {
                    notes.stops("default object of a column", &object, "is not bound");
                }
                Flaw::Masked => notes.stops(
                    "masked column",
                    &object,
                    "has no mask; a login without UNMASK reads masks in place of values",
                ),
                Flaw::Unpadded => notes.told(
                    "column made with ANSI_PADDING OFF",
                    &object,
                    "is padded in the target",
                ),
                // A table with one of these is left out.
                Flaw::Encrypted | Flaw::Graph | Flaw::Ledger | Flaw::Vector => {}
            }
        }
        if found.column.is_rowversion() {
            let why = "gets new values: those of the source cannot be kept";
            notes.told("rowversion column", &object, why);
        }
    }
    if row.flag("is_replicated")? || row.flag("is_tracked_by_cdc")? {
        notes.told("replicated or captured table", full, "is neither in the target");
    }
    if row.int("text_in_row_limit")? != 0 {
        notes.told("text in row", full, "is off in the target");
    }
    if !row.flag("uses_ansi_nulls")? {
        notes.told("table made with ANSI_NULLS OFF", full, "is made with ANSI_NULLS ON");
    }
    Ok(())
}

fn history(row: &Cells<'_>, names: &Names) -> Result<Option<History>> {
    let Some(id) = row.maybe_int("history_table_id")? else { return Ok(None) };
    let Some((schema, table)) = names.get(&id) else {
        return Err(row.wrong("history_table_id", "names no table"));
    };
    let unit = row.maybe_text("history_retention_unit")?;
    let retention = match (row.maybe_int("history_retention_period")?, unit) {
        // -1 is for ever.
        (Some(count), Some(unit)) if count > 0 => Some(format!("{count} {unit}")),
        _ => None,
    };
    Ok(Some(History { schema: schema.clone(), table: table.clone(), retention }))
}

fn lock_escalation(row: &Cells<'_>) -> Result<&'static str> {
    match row.int("lock_escalation")? {
        0 => Ok("TABLE"),
        1 => Ok("DISABLE"),
        2 => Ok("AUTO"),
        _ => Err(row.wrong("lock_escalation", "is unknown")),
    }
}

/// The foreign keys of a table; those to a table that is left out go with it.
fn foreign_keys(
    id: ObjectId,
    full: &str,
    details: &mut Details,
    names: &Names,
    notes: &mut Notes,
) -> Vec<ForeignKey> {
    let mut keys = Vec::new();
    for found in details.foreign_keys.remove(&id).unwrap_or_default() {
        let mut key = found.key;
        match names.get(&found.referenced) {
            Some((schema, table)) => {
                (key.referenced_schema, key.referenced_table) = (schema.clone(), table.clone());
                keys.push(key);
            }
            None => {
                let object = format!("{full}.{}", key.name);
                notes.stops("foreign key", &object, "refers to a table that the login cannot see");
            }
        }
    }
    keys
}
