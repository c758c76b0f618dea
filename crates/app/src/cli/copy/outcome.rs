//! The end of a copy, for people and for programs.
//!
//! Pure: a report in, text out. Says what the target shows, also after a failure.

use std::time::Duration;

use engine::copy::report::{Failure, Mode, Report};
use serde_json::{Value, json};

use super::Doing;
use crate::cli::Exit;
use crate::size;

/// Tables that the summary lists; the rest is in the report.
const TABLES_SHOWN: usize = 20;
/// Findings that the summary lists.
const FINDINGS_SHOWN: usize = 50;
/// Notes that the summary lists.
const NOTES_SHOWN: usize = 10;
/// Differences that the summary lists.
const DIFFERENCES_SHOWN: usize = 5;

/// What the report does not know.
pub(super) struct Facts {
    /// The source without secrets.
    pub(super) source: String,
    /// The target without secrets.
    pub(super) target: String,
    /// The databases, as they were asked for.
    pub(super) databases: String,
    /// How it ended.
    pub(super) exit: Exit,
    /// What was to be done.
    pub(super) doing: Doing,
}

/// A few lines for the terminal.
pub(super) fn for_people(facts: &Facts, outcome: &Result<Report, Failure>) -> String {
    let mut lines = Vec::new();
    match outcome {
        Ok(report) if facts.doing == Doing::Preview => {
            lines.extend(tables(report));
            lines.extend(notes(report));
            lines.extend(left_out(report));
            lines.push(intention(facts, report));
        }
        Ok(report) if facts.doing == Doing::Compare => {
            lines.extend(notes(report));
            let tables = size::count(report.tables.len() as u64);
            let (by, took) = (word(report), duration(report.verify_seconds));
            let Facts { source, target, .. } = facts;
            lines.push(format!(
                "{source} and {target}: {tables} tables are the same by {by} ({took})"
            ));
        }
        Ok(report) => {
            lines.extend(tables(report));
            lines.extend(notes(report));
            lines.extend(left_out(report));
            lines.push(success(facts, report));
        }
        Err(failure) => {
            lines.extend(notes(&failure.report));
            lines.push(format!("dbferry: error: {}", failure.error));
            lines.extend(findings(&failure.report));
            lines.extend(differences(&failure.report));
            lines.extend(standing(facts, failure));
            if let Some(advice) = advice(failure) {
                lines.push(format!("  hint: {advice}"));
            }
        }
    }
    lines.join("\n")
}

/// What to do about a failure; each finding has a proposal of its own.
fn advice(failure: &Failure) -> Option<&'static str> {
    failure.error.advice().filter(|_| failure.report.findings.is_empty())
}

/// What the target shows after a failure.
fn standing(facts: &Facts, failure: &Failure) -> Option<String> {
    let Facts { source, target, databases, .. } = facts;
    match (facts.doing == Doing::Copy, failure.report.left_behind.first()) {
        (false, _) => None,
        (true, _) if failure.report.resumable => Some(format!(
            "  the target shows what it showed before, and keeps what was copied until now\n  to go \
             on: dbferry copy --from {source} --to {target} --databases {databases} --resume, and the \
             same options\n  to give it up: dbferry repair --to {target}",
        )),
        (true, None) => Some("  the target shows what it showed before".to_owned()),
        (true, Some(name)) => Some(format!(
            "  the copy could not be tidied up on the target ({name}…); to make it as it was: \
             dbferry repair --to {target}"
        )),
    }
}

/// What a copy would do, by the source's estimates.
fn intention(facts: &Facts, report: &Report) -> String {
    let (rows, bytes) = totals(report);
    format!(
        "would copy {} to {}: {} tables, about {} rows, {}, and {} other objects",
        facts.source,
        facts.target,
        size::count(report.tables.len() as u64),
        size::count(rows),
        size::bytes(bytes),
        size::count(report.objects),
    )
}

fn success(facts: &Facts, report: &Report) -> String {
    let (rows, bytes) = totals(report);
    let a_second = |count: u64| (count as f64 / report.seconds.max(0.001)) as u64;
    let snapshot = report.snapshot.as_ref().map(|snapshot| match snapshot.mode {
        Mode::OneReader => ", one reader, no lock".to_owned(),
        Mode::BackupStage | Mode::GlobalReadLock | Mode::TableLocks | Mode::SnapshotIsolation => {
            format!(", writers waited {} ms", snapshot.locked_ms)
        }
        Mode::DatabaseSnapshot => {
            format!(", read from database snapshots, writers waited {} ms", snapshot.locked_ms)
        }
        Mode::SharedLocks => {
            format!(", writers waited {} ms, until all was read", snapshot.locked_ms)
        }
    });
    let kept: u64 = report.tables.values().map(|table| table.rows_kept).sum();
    let kept = match report.resumed {
        Some(_) => format!(", {} of the rows were there already", size::count(kept)),
        None => String::new(),
    };
    let paused = report.throttle.as_ref().filter(|throttle| throttle.pauses > 0);
    let paused = paused.map(|throttle| format!(", paused {}", duration(throttle.paused_seconds)));
    format!(
        "copied {} to {}: {} tables, {} rows, {}, {} other objects in {} ({}/s, {} rows/s), \
         compared by {} in {}{}{}{kept}",
        facts.source,
        facts.target,
        size::count(report.tables.len() as u64),
        size::count(rows),
        size::bytes(bytes),
        size::count(report.objects),
        duration(report.seconds),
        size::bytes(a_second(bytes)),
        size::count(a_second(rows)),
        word(report),
        duration(report.verify_seconds),
        snapshot.unwrap_or_default(),
        paused.unwrap_or_default(),
    )
}

fn word(report: &Report) -> &'static str {
    use engine::copy::report::Verified;
    match report.verified {
        Verified::None => "nothing",
        Verified::Rows => "rows",
        Verified::Checksum => "checksum",
    }
}

fn duration(seconds: f64) -> String {
    size::duration(Duration::from_secs_f64(seconds))
}

fn totals(report: &Report) -> (u64, u64) {
    let rows = report.tables.values().map(|table| table.rows).sum();
    let bytes = report.tables.values().map(|table| table.bytes).sum();
    (rows, bytes)
}

/// One line per table, the largest first.
fn tables(report: &Report) -> Vec<String> {
    let mut tables: Vec<_> = report.tables.iter().collect();
    tables.sort_by_key(|(name, table)| (std::cmp::Reverse(table.bytes), name.as_str()));
    let width = tables.iter().take(TABLES_SHOWN).map(|(name, _)| name.chars().count()).max();
    let width = width.unwrap_or(0).clamp(5, 50);
    let mut lines = Vec::new();
    if !tables.is_empty() {
        lines.push(format!("{:width$}  {:>13}  {:>9}  parts", "table", "rows", "bytes"));
    }
    for (name, table) in tables.iter().take(TABLES_SHOWN) {
        let renamed =
            if table.target == **name { String::new() } else { format!("  as {}", table.target) };
        let (rows, bytes) = (size::count(table.rows), size::bytes(table.bytes));
        lines.push(format!("{name:width$}  {rows:>13}  {bytes:>9}  {:>5}{renamed}", table.chunks));
    }
    if tables.len() > TABLES_SHOWN {
        lines.push(format!("… and {} more tables", tables.len() - TABLES_SHOWN));
    }
    lines
}

fn notes(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> =
        report.notes.iter().take(NOTES_SHOWN).map(|note| format!("note: {note}")).collect();
    if report.notes.len() > NOTES_SHOWN {
        lines.push(format!("note: … and {} more", report.notes.len() - NOTES_SHOWN));
    }
    lines
}

/// What a copy went on without, as it was told to.
fn left_out(report: &Report) -> Vec<String> {
    match findings(report) {
        lines if lines.is_empty() => lines,
        lines => [vec!["left out:".to_owned()], lines].concat(),
    }
}

fn findings(report: &Report) -> Vec<String> {
    let shown = report.findings.iter().take(FINDINGS_SHOWN);
    let mut lines: Vec<String> = shown.map(|finding| format!("  - {finding}")).collect();
    if report.findings.len() > FINDINGS_SHOWN {
        let more = report.findings.len() - FINDINGS_SHOWN;
        lines.push(format!("  - … and {more} more (--json or --report has all)"));
    }
    lines
}

fn differences(report: &Report) -> Vec<String> {
    let shown = report.differences.iter().take(DIFFERENCES_SHOWN).map(|difference| {
        let (there, here) = difference.rows;
        let keys = difference.keys.join("; ");
        format!(
            "  {} part {}: {there} rows on the source, {here} on the target; first: {keys}",
            difference.table, difference.chunk
        )
    });
    shown.collect()
}

/// The JSON document, with a line end.
pub(super) fn document(facts: &Facts, outcome: &Result<Report, Failure>) -> String {
    let (report, failure) = match outcome {
        Ok(report) => (report, None),
        Err(failure) => (failure.report.as_ref(), Some(failure)),
    };
    let document = json!({
        "schema": "dbferry.copy/1",
        "outcome": facts.exit.outcome(failure.is_some()),
        "exit_code": facts.exit.code(),
        "source": facts.source,
        "target": facts.target,
        "error": failure.map(error),
        "report": report,
    });
    format!("{document:#}\n")
}

fn error(failure: &Failure) -> Value {
    let error = &failure.error;
    json!({
        "kind": format!("{:?}", error.kind),
        "side": format!("{:?}", error.side).to_lowercase(),
        "message": error.without_server_text(),
        "server_code": error.code(),
        "server_state": error.server.as_ref().map(|server| server.state.to_string()),
        "server_message": error.server.as_ref().map(|server| server.message.clone()),
        "schema": error.object.schema,
        "table": error.object.table,
        "advice": advice(failure),
    })
}
