//! What a reader makes of a file, in a form that does not depend on how the file was cut: shared by
//! the property tests and the fuzz target `reader`.

use std::io::{self, Read};

use dump::Open;
use dump::command::Command;
use dump::insert::Head;
use dump::reader::{Item, Limits, Part, Place, ReadError, Reader, Statement};
use dump::rules::Rules;
use dump::values::{Cells, Given, Kind, Rows, whole_rows};

/// One thing that a file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A statement that is no `INSERT … VALUES`, or one with a clause after its rows.
    Whole {
        place: Place,
        text: Vec<u8>,
        head: Option<Head>,
        rows: u64,
        tail: bool,
        open: Option<Open>,
    },
    /// An `INSERT … VALUES`, row by row.
    Insert { place: Place, head_text: Vec<u8>, head: Head, rows: Vec<Row>, rest: Vec<u8> },
    /// A client command.
    Command(Command, Place),
    /// The end, if it is none.
    Stopped(String, Place),
}

/// A row of an `INSERT`, wherever it was cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) offset: u64,
    pub(crate) raw: Vec<u8>,
}

/// Gives a text in pieces of the given sizes, again and again.
pub(crate) struct Pieces<'a> {
    text: &'a [u8],
    sizes: &'a [u8],
    next: usize,
}

impl<'a> Pieces<'a> {
    pub(crate) fn new(text: &'a [u8], sizes: &'a [u8]) -> Pieces<'a> {
        Pieces { text, sizes, next: 0 }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes.get(self.next % self.sizes.len().max(1)).copied().unwrap_or(u8::MAX);
        self.next += 1;
        let size = usize::from(size).max(1).min(buffer.len()).min(self.text.len());
        buffer[..size].copy_from_slice(&self.text[..size]);
        self.text = &self.text[size..];
        Ok(size)
    }
}

/// A whole file in one window.
pub(crate) fn reference(file: &[u8], rules: &[Rules]) -> Vec<Entry> {
    let limits = Limits {
        window: file.len() + 64,
        whole_max: file.len() + 64,
        piece_max: 2 * file.len() + 256,
    };
    entries(file, file, rules, limits)
}

/// What a reader gives for `source`, whose text is `file`. After each `SET` the next of `rules` is
/// in force. Asserts what holds for every item.
pub(crate) fn entries(
    source: impl Read,
    file: &[u8],
    rules: &[Rules],
    limits: Limits,
) -> Vec<Entry> {
    let mut rules = rules.iter().copied().cycle();
    let mut reader = Reader::new(source, rules.next().expect("some rules"), limits);
    let mut list = Vec::new();
    loop {
        let mut changes = false;
        match reader.next_item() {
            Ok(None) => break,
            Ok(Some(Item::Statement(statement))) => {
                check_place(file, statement.place, statement.raw);
                check_literals(&statement);
                changes = statement.raw.starts_with(b"SET");
                list.push(entry(&statement));
            }
            Ok(Some(Item::Part(part))) => {
                check_place(file, part.place, part.raw);
                add_part(&mut list, &part);
            }
            Ok(Some(Item::Command(command, place))) => {
                check_place(file, place, b"");
                list.push(Entry::Command(command, place));
            }
            Err(error) => {
                check_place(file, error.place(), b"");
                list.push(Entry::Stopped(name(&error), error.place()));
            }
        }
        assert!(list.len() <= file.len() + 1, "more items than bytes");
        if changes {
            reader.set_rules(rules.next().expect("a cycle"));
        }
    }
    let stopped = matches!(list.last(), Some(Entry::Stopped(..)));
    check_place(file, reader.place(), b"");
    let quit = matches!(list.last(), Some(Entry::Command(command, _)) if command.kind == dump::command::Kind::Quit);
    assert!(stopped || quit || reader.place().offset == file.len() as u64, "bytes were left");
    list
}

/// What the reader takes for rows of literals, the careful reader takes for the same.
fn check_literals(statement: &Statement<'_>) {
    let (Some(told), Some(head)) = (statement.literals, statement.head) else { return };
    let text = &statement.raw[head.length..];
    let (mut given, mut count) = (Vec::new(), 0);
    let mut rows = Rows::new(text, statement.rules);
    for row in rows.by_ref() {
        let row = &text[row.start..row.end];
        for (index, cell) in Cells::new(row, statement.rules).enumerate() {
            assert_ne!(cell.kind, Kind::Expression, "{}", text.escape_ascii());
            Given::note(&mut given, index, cell.kind, &row[cell.start..cell.end]);
        }
        count += 1;
    }
    assert!(rows.at_end() && !statement.tail, "{}", text.escape_ascii());
    assert_eq!((told, statement.rows), (&given[..], count), "{}", text.escape_ascii());
    assert_eq!(statement.text(), statement.raw);
}

/// Asserts that `cut` is what `whole` is, up to the place where a limit stopped it.
pub(crate) fn assert_same(whole: &[Entry], cut: &[Entry]) {
    // A command inside an INSERT comes before it, or after its first part.
    let is_command = |entry: &&Entry| matches!(entry, Entry::Command(..));
    let (whole_commands, whole): (Vec<_>, Vec<_>) = whole.iter().partition(is_command);
    let (cut_commands, cut): (Vec<_>, Vec<_>) = cut.iter().partition(is_command);
    assert!(whole_commands.starts_with(&cut_commands));
    assert_same_statements(&whole, &cut);
}

fn assert_same_statements(whole: &[&Entry], cut: &[&Entry]) {
    let (cut, limited) = match cut {
        [before @ .., Entry::Stopped(name, _)] if name == "limit" => (before, true),
        _ => (cut, false),
    };
    if let (Some(Entry::Stopped(..)), [start @ .., Entry::Insert { .. }, Entry::Stopped(..)]) =
        (whole.last(), cut)
        && cut.len() == whole.len() + 1
    {
        // Some rows were given before the place where the client would stop.
        return assert_eq!((start, cut.last()), (&whole[..whole.len() - 1], whole.last()));
    }
    if !limited {
        assert_eq!(whole.len(), cut.len(), "whole {whole:#?}\ncut {cut:#?}");
    }
    for (index, (whole, part)) in whole.iter().zip(cut).enumerate() {
        if limited && index + 1 == cut.len() {
            assert_is_start(whole, part);
        } else {
            assert_eq!(whole, part);
        }
    }
}

/// The limit may have cut an `INSERT` of which some rows were given.
fn assert_is_start(whole: &Entry, cut: &Entry) {
    match (whole, cut) {
        (Entry::Insert { rows, .. }, Entry::Insert { rows: some, .. }) => {
            assert!(rows.starts_with(some), "{rows:?} / {some:?}");
        }
        // Rows of an INSERT that was given up by `\c`, or has a clause after them.
        (Entry::Whole { place, .. }, Entry::Insert { place: start, .. }) => {
            assert!(start <= place, "{start:?} / {place:?}");
        }
        (Entry::Stopped(..), Entry::Insert { .. }) => {}
        _ => assert_eq!(whole, cut),
    }
}

fn check_place(file: &[u8], place: Place, raw: &[u8]) {
    let at = usize::try_from(place.offset).expect("an index");
    assert!(file[at..].starts_with(raw), "not at {place:?}: {raw:?}");
    let line = 1 + file[..at].iter().filter(|b| **b == b'\n').count() as u64;
    assert_eq!(line, place.line, "the line of {place:?}");
}

fn entry(statement: &Statement<'_>) -> Entry {
    let Statement { place, tail, open, rules, .. } = *statement;
    let text = statement.text();
    assert!(!text.is_empty(), "an empty statement at {place:?}");
    match statement.head {
        Some(head) if !tail => {
            let (start, values) = statement.raw.split_at(head.length);
            let (rows, rest) = rows_of(values, place.offset + head.length as u64, rules);
            assert_eq!(
                rows.len() as u64,
                statement.rows,
                "rows of {}",
                statement.raw.escape_ascii()
            );
            let head_text = without_line_ends(start);
            Entry::Insert { place, head_text, head: head.clone(), rows, rest }
        }
        head => Entry::Whole {
            place,
            text: text.into_owned(),
            head: head.cloned(),
            rows: statement.rows,
            tail,
            open,
        },
    }
}

/// A head holds no comments and no strings; what the client drops in it are CRs and backslashes.
fn without_line_ends(head: &[u8]) -> Vec<u8> {
    head.iter().copied().filter(|b| !matches!(b, b'\r' | b'\\' | b'\n')).collect()
}

/// The rows of `text`, which stands at `offset`, and what follows them.
fn rows_of(text: &[u8], offset: u64, rules: Rules) -> (Vec<Row>, Vec<u8>) {
    let mut rows = Vec::new();
    let mut end = 0;
    for row in Rows::new(text, rules) {
        let raw = text[row.start..row.end].to_vec();
        rows.push(Row { offset: offset + row.start as u64, raw });
        end = row.end;
    }
    // What separates a cut row from the one before does not come with a part.
    let start = end + whole_rows(&text[end..], rules).start;
    (rows, text[start..].trim_ascii().to_vec())
}

fn add_part(list: &mut Vec<Entry>, part: &Part<'_>) {
    let (found, rest) = rows_of(part.raw, part.place.offset, part.rules);
    assert_eq!(found.len() as u64, part.rows, "rows of {:?}", part.raw);
    assert!(part.last || rest.is_empty(), "{rest:?} between two parts");
    if part.first {
        let head_text = without_line_ends(part.head_text);
        let (place, head) = (part.statement, part.head.clone());
        list.push(Entry::Insert { place, head_text, head, rows: Vec::new(), rest: Vec::new() });
    }
    // A command may stand between two parts.
    let last = list.iter_mut().rfind(|entry| !matches!(entry, Entry::Command(..)));
    let Some(Entry::Insert { rows, rest: end, .. }) = last else {
        panic!("a part that follows no part");
    };
    rows.extend(found);
    *end = rest;
}

fn name(error: &ReadError) -> String {
    match error {
        ReadError::TooLong { .. } | ReadError::TailTooLate { .. } => "limit".into(),
        other => other.to_string(),
    }
}
