//! The index of a dump as text for people: facts, tables, objects, hazards.
//!
//! Aligned for a terminal of a fixed-width font, without colour; long names are shortened in their
//! middle, and whatever a name contains, a line stays one line.

use std::fmt::Write;

use dump::hazard::{Hazard, Severity};
use dump::index::{ColumnLists, Complete, Database, DumpIndex, Object, Origin, Table, Tool};

use super::File;
use crate::size;

/// Tables that are shown; the JSON document has all.
const TABLES_MAX: usize = 500;
/// Names that are shown of other objects, databases and settings.
const NAMES_MAX: usize = 12;
/// The widest name, in columns of the terminal.
const NAME_WIDTH_MAX: usize = 48;
/// Lines of a hazard that are shown.
const LINES_MAX: usize = 8;
/// The column in which the facts begin.
const FACTS: usize = 14;
/// A line of prose is broken here.
const WIDTH: usize = 100;

/// The whole page.
pub(super) fn render(file: &File, index: &DumpIndex) -> String {
    if index.bytes == 0 && index.damage.is_none() {
        return format!("{} is empty: there is nothing to import.\n", plain(&file.name));
    }
    let mut page = String::new();
    facts(&mut page, file, index);
    if !index.tables.is_empty() {
        page.push('\n');
        tables(&mut page, &index.tables);
    }
    objects(&mut page, index);
    hazards(&mut page, &index.hazards);
    page
}

fn facts(page: &mut String, file: &File, index: &DumpIndex) {
    fact(page, "File", &described(file, index));
    made_by(page, &index.origin);
    let verdict = match index.complete {
        Complete::Complete => "yes",
        Complete::Truncated => "NO",
        Complete::Unknown => "cannot be told",
        Complete::Damaged => "DAMAGED",
    };
    fact(page, "Complete", &format!("{verdict}: {}", index.complete_reason));
    let contents = [
        counted(index.statements, "statement"),
        counted(index.lines, "line"),
        counted(index.rows, "row"),
        counted(index.tables.len() as u64, "table"),
    ];
    fact(page, "Contents", &contents.join(", "));
    if !index.databases.is_empty() {
        fact(page, "Databases", &listed(index.databases.iter().map(database)));
    }
    fact(page, "Text", &text(index));
    if !index.settings.is_empty() {
        let settings = index.settings.iter().map(|setting| {
            let scope = if setting.global { "global " } else { "" };
            format!("{scope}{} = {}", plain(&setting.name), setting.value)
        });
        fact(page, "Settings", &listed(settings));
    }
    let client = if index.client == "mysql" { "mysql" } else { "mariadb" };
    fact(page, "Read as by", &format!("the {client} client"));
}

fn described(file: &File, index: &DumpIndex) -> String {
    let size = file.size.map(size::bytes);
    let name = plain(&file.name);
    match (file.compression.as_str(), size) {
        ("plain", Some(size)) => format!("{name} ({size}, {})", file.encoding),
        (kind, size) => {
            let stored = size.map_or_else(String::new, |size| format!("{size} "));
            let kind = if kind == "plain" { String::new() } else { format!("{kind}, ") };
            format!("{name} ({stored}{kind}{} of {})", size::bytes(index.bytes), file.encoding)
        }
    }
}

fn made_by(page: &mut String, origin: &Origin) {
    let mut by = match origin.generator {
        Tool::Unknown => "unknown tool, or by hand".to_owned(),
        tool => tool.name().to_owned(),
    };
    if let Some(version) = &origin.generator_version {
        let _ = write!(by, " {version}");
    }
    if let Some(date) = &origin.dumped_at {
        let _ = write!(by, ", {date}");
    }
    fact(page, "Made by", &by);
    let mut on = Vec::new();
    on.extend(origin.server_version.as_ref().map(|version| format!("server {version}")));
    on.extend(origin.host.as_ref().map(|host| format!("host {host}")));
    on.extend(origin.database.as_ref().map(|name| format!("database {name}")));
    if !on.is_empty() {
        fact(page, "Made on", &on.join(", "));
    }
}

fn database(database: &Database) -> String {
    let marks: Vec<&str> = [
        database.dropped_line.map(|_| "dropped"),
        database.created_line.map(|_| "created"),
        database.used_line.map(|_| "selected"),
    ]
    .into_iter()
    .flatten()
    .collect();
    format!("{} ({})", name(&database.name), marks.join(", "))
}

fn text(index: &DumpIndex) -> String {
    let found = match index.encoding {
        "ascii" => "only ASCII",
        "utf8" => "UTF-8",
        "mixed" => "UTF-8 and something else",
        _ => "not UTF-8",
    };
    let sets: Vec<&str> = index.character_sets.iter().map(|set| set.name.as_str()).collect();
    match sets.is_empty() {
        true => format!("{found}; no character set is announced"),
        false => format!("{found}; announced as {}", sets.join(", ")),
    }
}

fn fact(page: &mut String, label: &str, text: &str) {
    wrap(page, &format!("{label:<FACTS$}"), text);
}

/// Breaks a text at its blanks; the first line begins with `first`, the others are indented.
fn wrap(page: &mut String, first: &str, text: &str) {
    let indent = width(first);
    page.push_str(first);
    let mut column = indent;
    for (index, word) in text.split(' ').enumerate() {
        if index > 0 && column + 1 + width(word) > WIDTH {
            let _ = write!(page, "\n{:indent$}", "");
            column = indent;
        } else if index > 0 {
            page.push(' ');
            column += 1;
        }
        page.push_str(word);
        column += width(word);
    }
    page.push('\n');
}

const TITLES: [&str; 7] = ["TABLE", "ROWS", "BYTES", "INSERTS", "COLUMNS", "ENGINE", "LINE"];
/// Which columns are numbers, set to the right.
const RIGHT: [bool; 7] = [false, true, true, true, false, false, true];

fn tables(page: &mut String, tables: &[Table]) {
    let mut grid: Vec<[String; 7]> = vec![TITLES.map(String::from)];
    grid.extend(tables.iter().take(TABLES_MAX).map(cells));
    if tables.len() > TABLES_MAX {
        let more = size::count((tables.len() - TABLES_MAX) as u64);
        grid.push([
            format!("… and {more} more (--json has all)"),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    if tables.len() > 1 {
        grid.push(total(tables));
    }
    let mut widths = [0; 7];
    for row in &grid {
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(width(cell));
        }
    }
    for row in &grid {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let blanks = " ".repeat(widths[column] - width(cell));
            let gap = if column > 0 { "  " } else { "" };
            let _ = match RIGHT[column] {
                true => write!(line, "{gap}{blanks}{cell}"),
                false => write!(line, "{gap}{cell}{blanks}"),
            };
        }
        page.push_str(line.trim_end());
        page.push('\n');
    }
}

fn cells(table: &Table) -> [String; 7] {
    let exact = if table.rows_exact { "" } else { "≥ " };
    let columns = match table.column_lists {
        Some(ColumnLists::Always) => "named",
        Some(ColumnLists::Sometimes) => "some",
        Some(ColumnLists::Never) => "in order",
        None => "",
    };
    let mut engine = table.engine.clone().unwrap_or_default();
    if table.temporary {
        engine.push_str(if engine.is_empty() { "temporary" } else { ", temporary" });
    }
    [
        qualified(table.schema.as_deref(), &table.name),
        format!("{exact}{}", size::count(table.rows)),
        size::bytes(table.bytes),
        size::count(table.statements),
        columns.to_owned(),
        plain(&engine),
        table.defined_line.unwrap_or(table.first_line).to_string(),
    ]
}

fn total(tables: &[Table]) -> [String; 7] {
    let sum = |number: fn(&Table) -> u64| tables.iter().map(number).sum();
    let exact = if tables.iter().all(|table| table.rows_exact) { "" } else { "≥ " };
    [
        "total".into(),
        format!("{exact}{}", size::count(sum(|table| table.rows))),
        size::bytes(sum(|table| table.bytes)),
        size::count(sum(|table| table.statements)),
        String::new(),
        String::new(),
        String::new(),
    ]
}

fn objects(page: &mut String, index: &DumpIndex) {
    let kinds: [(&str, &[Object]); 6] = [
        ("Views", &index.views),
        ("Routines", &index.routines),
        ("Triggers", &index.triggers),
        ("Events", &index.events),
        ("Sequences", &index.sequences),
        ("Accounts", &index.accounts),
    ];
    let mut first = true;
    for (label, list) in kinds.iter().filter(|(_, list)| !list.is_empty()) {
        if first {
            page.push('\n');
            first = false;
        }
        let named = list.iter().map(|object| {
            let name = qualified(object.schema.as_deref(), &object.name);
            format!("{name} (line {})", object.line)
        });
        let text = format!("{}: {}", size::count(list.len() as u64), listed(named));
        fact(page, label, &text);
    }
    if index.unlisted > 0 {
        fact(page, "Not listed", &counted(index.unlisted, "more object"));
    }
}

fn hazards(page: &mut String, hazards: &[Hazard]) {
    page.push('\n');
    if hazards.is_empty() {
        page.push_str("No hazards found.\n");
        return;
    }
    let of = |severity| hazards.iter().filter(|hazard| hazard.severity == severity).count() as u64;
    let counts: Vec<String> = [
        (of(Severity::Error), "error"),
        (of(Severity::Warning), "warning"),
        (of(Severity::Info), "note"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, word)| counted(count, word))
    .collect();
    let _ = writeln!(page, "Hazards: {}", counts.join(", "));
    for hazard in hazards {
        self::hazard(page, hazard);
    }
}

fn hazard(page: &mut String, hazard: &Hazard) {
    let word = match hazard.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info => "note",
    };
    page.push('\n');
    wrap(page, &format!("  {word:<9}"), &format!("{} [{}]", hazard.message, hazard.code));
    wrap(page, "           ", &places(hazard));
    if !hazard.examples.is_empty() {
        wrap(page, "           ", &format!("found: {}", hazard.examples.join(" · ")));
    }
    wrap(page, "           → ", hazard.advice);
}

/// `line 12`, or `7 times: lines 12, 14, 20 …`
fn places(hazard: &Hazard) -> String {
    let shown: Vec<String> =
        hazard.lines.iter().take(LINES_MAX).map(|line| size::count(*line)).collect();
    let more = if hazard.lines.len() > LINES_MAX || hazard.count > hazard.lines.len() as u64 {
        " …"
    } else {
        ""
    };
    let word = if shown.len() == 1 { "line" } else { "lines" };
    let lines = format!("{word} {}", shown.join(", "));
    match hazard.count {
        1 => lines,
        count => format!("{} times: {lines}{more}", size::count(count)),
    }
}

/// The first few, and how many more there are.
fn listed(items: impl ExactSizeIterator<Item = String>) -> String {
    let count = items.len();
    let mut text = items.take(NAMES_MAX).collect::<Vec<String>>().join(", ");
    if count > NAMES_MAX {
        let _ = write!(text, ", … {} more", size::count((count - NAMES_MAX) as u64));
    }
    text
}

fn counted(count: u64, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {word}{plural}", size::count(count))
}

fn qualified(schema: Option<&str>, object: &str) -> String {
    match schema {
        Some(schema) => name(&format!("{schema}.{object}")),
        None => name(object),
    }
}

/// A name that fits: a long one loses its middle.
fn name(text: &str) -> String {
    let text = plain(text);
    if width(&text) <= NAME_WIDTH_MAX {
        return text;
    }
    let half = NAME_WIDTH_MAX / 2 - 1;
    let start: String = fitting(text.chars(), half).collect();
    let end: Vec<char> = fitting(text.chars().rev(), half).collect();
    format!("{start}…{}", end.into_iter().rev().collect::<String>())
}

/// The first characters that together are no wider than `most`.
fn fitting(characters: impl Iterator<Item = char>, most: usize) -> impl Iterator<Item = char> {
    characters
        .scan(0, move |used, character| {
            *used += columns(character);
            Some((*used, character))
        })
        .take_while(move |(used, _)| *used <= most)
        .map(|(_, character)| character)
}

/// Control characters as escapes.
fn plain(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

/// How wide a terminal shows a character: East Asian ones and pictures take two columns.
fn columns(character: char) -> usize {
    match u32::from(character) {
        0x0300..=0x036F | 0x200B..=0x200F | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F | 0x2E80..=0xA4CF | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF => 2,
        0xFE30..=0xFE6F | 0xFF00..=0xFF60 | 0xFFE0..=0xFFE6 | 0x1F300..=0x1FAFF => 2,
        0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}
