//! The end of an import, for people and for programs.
//!
//! Pure: a report in, text out. Says what is in and what is not, also after a failure.

use engine::error::ErrorKind;
use engine::import::report::{Failure, Report, TableReport};
use serde_json::{Value, json};

use super::speed;
use crate::cli::Exit;
use crate::size;

/// Tables that the summary lists; the rest is in the report.
const TABLES_SHOWN: usize = 20;
/// Notes that the summary lists.
const NOTES_SHOWN: usize = 10;

/// What the report does not know.
pub(super) struct Facts<'a> {
    /// The file as it was named.
    pub(super) file: &'a str,
    /// The target without secrets.
    pub(super) target: &'a str,
    /// The file's size as it is stored.
    pub(super) size: Option<u64>,
    /// What `--fast` did, if it was asked for.
    pub(super) speed: Option<&'a speed::Outcome>,
    /// How it ended.
    pub(super) exit: Exit,
}

/// A few lines for the terminal.
pub(super) fn for_people(facts: &Facts<'_>, outcome: &Result<Report, Failure>) -> String {
    let mut lines = Vec::new();
    match outcome {
        Ok(report) => {
            lines.extend(table(report));
            lines.extend(notes(report));
            lines.push(success(facts, report));
        }
        Err(failure) => {
            lines.extend(notes(&failure.report));
            lines.extend(failed(facts, failure));
        }
    }
    lines.join("\n")
}

fn success(facts: &Facts<'_>, report: &Report) -> String {
    if report.statements == 0 {
        return format!("{}: nothing to do: the file has no statements", facts.file);
    }
    let a_second = |count: u64| (count as f64 / report.seconds.max(0.001)) as u64;
    let bytes = report.applied_offset - report.resumed_from.unwrap_or(0).min(report.applied_offset);
    let resumed = match report.resumed_from {
        Some(offset) => format!(", resumed at byte {offset}"),
        None => String::new(),
    };
    let replayed = match report.replayed_batches {
        0 => String::new(),
        count => format!(", {} batches executed again in order", size::count(count)),
    };
    let how = match report.lanes {
        0 => "on one connection".to_owned(),
        lanes => format!("on up to {lanes} connections"),
    };
    let indexes = match report.tables.values().map(|table| table.deferred_indexes.len()).sum() {
        0_usize => String::new(),
        count => format!(
            ", {} indexes built after their rows in {}",
            size::count(count as u64),
            size::duration(std::time::Duration::from_secs_f64(report.index_seconds))
        ),
    };
    format!(
        "imported {} into {}: {} statements, {} rows, {} in {} ({}/s, {} rows/s) {how}{indexes}\
         {replayed}{resumed}",
        facts.file,
        facts.target,
        size::count(report.statements),
        size::count(report.rows),
        size::bytes(bytes),
        size::duration(std::time::Duration::from_secs_f64(report.seconds)),
        size::bytes(a_second(bytes)),
        size::count(a_second(report.rows)),
    )
}

/// One line per table, the largest first.
fn table(report: &Report) -> Vec<String> {
    let mut tables: Vec<_> = report.tables.iter().collect();
    tables.sort_by_key(|(name, table)| (std::cmp::Reverse(table.bytes), name.as_str()));
    let width = tables.iter().take(TABLES_SHOWN).map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0).clamp(5, 50);
    let mut lines = Vec::new();
    if !tables.is_empty() {
        lines.push(format!("{:width$}  {:>13}  {:>9}  loaded", "table", "rows", "bytes"));
    }
    for (name, table) in tables.iter().take(TABLES_SHOWN) {
        let how = match (table.parallel_batches, table.in_order_because) {
            (0, Some(reason)) => format!("in order: {reason}"),
            (0, None) => "in order".to_owned(),
            (_, None) => in_parallel(table),
            (_, Some(reason)) => format!("{}; partly in order: {reason}", in_parallel(table)),
        };
        let (rows, bytes) = (size::count(table.rows), size::bytes(table.bytes));
        lines.push(format!("{name:width$}  {rows:>13}  {bytes:>9}  {how}"));
    }
    if tables.len() > TABLES_SHOWN {
        lines.push(format!("… and {} more tables", tables.len() - TABLES_SHOWN));
    }
    lines
}

/// How the lanes got a table's batches.
fn in_parallel(table: &TableReport) -> String {
    let (loaded, inserted) = (table.loaded_batches, table.insert_batches);
    let because = table.insert_because.map(|reason| format!(" ({reason})")).unwrap_or_default();
    match (loaded, inserted) {
        (loaded, 0) => format!("in parallel, {loaded} batches by LOAD DATA"),
        (0, inserted) => format!("in parallel, {inserted} batches by INSERT{because}"),
        (loaded, inserted) => {
            format!("in parallel, {loaded} batches by LOAD DATA, {inserted} by INSERT{because}")
        }
    }
}

fn notes(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = report
        .notes
        .iter()
        .take(NOTES_SHOWN)
        .map(|note| format!("note: line {}: {}", note.line, note.text))
        .collect();
    let all: u64 = report.note_counts.values().sum();
    if all > lines.len() as u64 {
        lines.push(format!("note: … and {} more", all - lines.len() as u64));
    }
    lines
}

fn failed(facts: &Facts<'_>, failure: &Failure) -> Vec<String> {
    let mut lines = vec![format!("dbferry: error: {}", failure.error)];
    if let Some(excerpt) = &failure.excerpt {
        lines.extend(excerpt.lines().map(|line| format!("  | {line}")));
    }
    lines.push(format!("  {}", what_is_in(failure)));
    if let Some(advice) = failure.error.advice() {
        lines.push(format!("  hint: {advice}"));
    }
    if failure.report.resumable {
        lines.push(format!(
            "  to go on from there: dbferry import {} --to {} --resume, and the same options",
            facts.file, facts.target
        ));
    }
    lines
}

fn what_is_in(failure: &Failure) -> String {
    let report = &failure.report;
    if report.statements == 0 {
        return "nothing of the file was applied".to_owned();
    }
    let until = match failure.place {
        Some(place) if report.undone_statements == 0 => {
            format!("everything before line {}", place.line)
        }
        _ => format!("everything up to byte {}", report.applied_offset),
    };
    let rest = match (failure.error.kind, report.undone_statements) {
        (ErrorKind::LostConnection, _) => "what ran when the connection was lost may be in as well",
        (_, 0) => "nothing after it",
        _ => "the transaction that was open there is rolled back",
    };
    let (statements, rows) = (size::count(report.statements), size::count(report.rows));
    format!("applied: {until} ({statements} statements, {rows} rows); {rest}")
}

/// The JSON document, with a line end.
pub(super) fn document(facts: &Facts<'_>, outcome: &Result<Report, Failure>) -> String {
    let (report, failure) = match outcome {
        Ok(report) => (report, None),
        Err(failure) => (failure.report.as_ref(), Some(failure)),
    };
    let document = json!({
        "schema": "dbferry.import/1",
        "outcome": facts.exit.outcome(failure.is_some()),
        "exit_code": facts.exit.code(),
        "file": facts.file,
        "file_bytes": facts.size,
        "target": facts.target,
        "error": failure.map(error),
        "fast": facts.speed.map(speed::document),
        "report": report,
    });
    format!("{document:#}\n")
}

fn error(failure: &Failure) -> Value {
    let error = &failure.error;
    let object = &error.object;
    json!({
        "kind": format!("{:?}", error.kind),
        "message": error.without_server_text(),
        "server_code": error.code(),
        "server_state": error.server.as_ref().map(|server| server.state.to_string()),
        "server_message": error.server.as_ref().map(|server| server.message.clone()),
        "line": object.line,
        "offset": object.offset,
        "schema": object.schema,
        "table": object.table,
        "row": object.row,
        "row_line": object.row_at.map(|(line, _)| line),
        "row_offset": object.row_at.map(|(_, offset)| offset),
        "excerpt": failure.excerpt,
        "advice": error.advice(),
    })
}
