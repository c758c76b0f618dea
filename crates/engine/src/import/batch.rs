//! A batch: consecutive literal INSERTs into one table, small enough to be held and sent again.
//!
//! Decides, from the text alone, what may be executed out of step: only rows of plain literals.
//! Whether the table allows it is [`super::table`]'s to say. What the reader wrote of the rows as lines of
//! LOAD DATA is kept beside the text, if it did so for all of them.

use std::borrow::Cow;
use std::ops::Range;

use dump::insert::Head;
use dump::reader::Place;
use dump::rules::Rules;
use dump::statement::ObjectName;
use dump::values::lines::{Lines, Seen};
use dump::values::{Cells, Given, Kind, Rows, plain_rows};

use super::ledger::{Check, Position};

/// Bytes of statements at which a batch is full, unless told otherwise. A single statement may be
/// longer.
pub const BATCH_BYTES: usize = 4 << 20;
/// Statements at which a batch is full.
pub const BATCH_STATEMENTS: usize = 20_000;
/// A statement of as many bytes comes seldom alone: the whole batch gets its memory at once, rather
/// than growing, and being copied, again and again.
const LONG: usize = 256 << 10;

/// Consecutive INSERTs into one table.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The table as the statements name it.
    pub table: ObjectName,
    /// Their column list, if they have one.
    pub columns: Option<Vec<Vec<u8>>>,
    /// The statements' texts one after another.
    text: Vec<u8>,
    statements: Vec<Entry>,
    /// The lines of all statements, if all have them.
    lines: Option<OwnLines>,
    /// Rows in all statements.
    pub rows: u64,
    /// By position in the column list, or in the table's visible columns.
    pub given: Vec<Given>,
    /// The batch ended because it was full: more of the same may follow.
    pub full: bool,
    /// Offset in the file after its last statement.
    pub end_offset: u64,
    /// The rules that its statements were read by.
    pub rules: Rules,
    /// Proof of the file before its first statement.
    pub check: Check,
    bytes_max: usize,
}

#[derive(Clone, Debug, Default)]
struct OwnLines {
    text: Vec<u8>,
    seen: Vec<Seen>,
}

#[derive(Clone, Debug)]
struct Entry {
    text: Range<usize>,
    end_offset: u64,
    values_at: usize,
    place: Place,
    rows: u64,
}

/// One statement of a batch.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// Its text as it is sent.
    pub text: &'a [u8],
    /// Index in the text after the word VALUES.
    pub values_at: usize,
    /// Where it stands in the file.
    pub place: Place,
    /// Offset in the file after it.
    pub end_offset: u64,
    /// Its rows.
    pub rows: u64,
}

impl Batch {
    /// An empty batch for statements with this head, full at `bytes_max`.
    pub fn new(head: &Head, rules: Rules, check: Check, bytes_max: usize) -> Batch {
        Batch {
            table: ObjectName { schema: head.schema.clone(), name: head.table.clone() },
            columns: head.columns.clone(),
            text: Vec::new(),
            statements: Vec::new(),
            lines: Some(OwnLines::default()),
            rows: 0,
            given: Vec::new(),
            full: false,
            end_offset: 0,
            rules,
            check,
            bytes_max,
        }
    }

    /// Where the file stands when the whole batch is in.
    pub fn end(&self) -> Position {
        Position { offset: self.end_offset, check: self.check }
    }

    /// Whether a statement with this head may join.
    pub fn takes(&self, head: &Head, bytes: usize, rules: Rules) -> bool {
        let same = self.table.name == head.table
            && self.table.schema == head.schema
            && self.columns == head.columns
            && self.rules == rules;
        same && !self.is_full(bytes)
    }

    /// Whether `bytes` more would be too many.
    pub fn is_full(&self, bytes: usize) -> bool {
        let holds = self.text.len() + bytes > self.bytes_max;
        self.statements.len() >= BATCH_STATEMENTS || (holds && !self.statements.is_empty())
    }

    /// Adds a statement that [`literal_rows`] approved.
    pub fn push(&mut self, text: Cow<'_, [u8]>, place: Place, end_offset: u64, rows: Literal<'_>) {
        let start = self.text.len();
        if text.len() >= LONG && start + text.len() <= self.bytes_max {
            self.text.reserve_exact(self.bytes_max - start);
        }
        self.text.extend_from_slice(&text);
        self.push_lines(rows.lines);
        let (values_at, end) = (rows.values_at, self.text.len());
        let rows_count = rows.rows;
        let text = start..end;
        self.statements.push(Entry { text, end_offset, values_at, place, rows: rows_count });
        self.rows += rows.rows;
        self.end_offset = end_offset;
        if self.given.len() < rows.given.len() {
            self.given.resize(rows.given.len(), Given::default());
        }
        for (all, one) in self.given.iter_mut().zip(rows.given) {
            all.nothing |= one.nothing;
            all.zero |= one.zero;
        }
    }

    fn push_lines(&mut self, lines: Option<Lines<'_>>) {
        let has_some = !self.statements.is_empty();
        let (Some(own), Some(lines)) = (&mut self.lines, lines) else {
            self.lines = None;
            return;
        };
        match has_some {
            false => own.seen = lines.seen.to_vec(),
            true if own.seen.len() != lines.seen.len() => {
                self.lines = None;
                return;
            }
            true => own.seen.iter_mut().zip(lines.seen).for_each(|(all, one)| *all = all.and(*one)),
        }
        let room = self.bytes_max.saturating_sub(own.text.len());
        if (LONG..=room).contains(&lines.text.len()) {
            own.text.reserve_exact(room);
        }
        own.text.extend_from_slice(lines.text);
    }

    /// All rows as lines of LOAD DATA, if the reader wrote them.
    pub fn lines(&self) -> Option<Lines<'_>> {
        self.lines.as_ref().map(|own| Lines { text: &own.text, seen: &own.seen })
    }

    /// Nothing was added yet.
    pub fn is_empty(&self) -> bool {
        self.statements.is_empty()
    }

    /// How many statements.
    pub fn len(&self) -> usize {
        self.statements.len()
    }

    /// Bytes of all statements.
    pub fn bytes(&self) -> u64 {
        self.text.len() as u64
    }

    /// Bytes that it holds in memory: the statements, and their lines.
    pub fn held_bytes(&self) -> u64 {
        self.bytes() + self.lines.as_ref().map_or(0, |own| own.text.len() as u64)
    }

    /// Its statements in file order.
    pub fn members(&self) -> impl Iterator<Item = Member<'_>> {
        self.statements.iter().map(|entry| Member {
            text: &self.text[entry.text.clone()],
            values_at: entry.values_at,
            place: entry.place,
            end_offset: entry.end_offset,
            rows: entry.rows,
        })
    }

    /// The statement at an index.
    pub fn member(&self, index: usize) -> Option<Member<'_>> {
        self.members().nth(index)
    }
}

/// What is known of a statement's rows of literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Literal<'a> {
    /// Index in the text after the word VALUES.
    pub values_at: usize,
    /// How many rows.
    pub rows: u64,
    /// What they give, by position.
    pub given: Vec<Given>,
    /// The rows as lines of LOAD DATA, if the reader wrote them.
    pub lines: Option<Lines<'a>>,
}

/// The rows of an INSERT's text after `values_at`, if all their values are literals and nothing
/// follows them. Otherwise the statement has to be executed in step.
pub fn literal_rows(text: &[u8], values_at: usize, rules: Rules) -> Option<Literal<'static>> {
    let rows_text = text.get(values_at..)?;
    let mut given = Vec::new();
    let note = |index, kind, cell: &[u8]| Given::note(&mut given, index, kind, cell);
    let plain = plain_rows(rows_text, rules, note);
    if let Some(rows) = plain {
        return Some(Literal { values_at, rows, given, lines: None });
    }
    given.clear();
    let mut rows = Rows::new(rows_text, rules);
    let mut found = 0;
    for row in rows.by_ref() {
        let row = &rows_text[row.start..row.end];
        found += 1;
        for (index, cell) in Cells::new(row, rules).enumerate() {
            if cell.kind == Kind::Expression {
                return None;
            }
            Given::note(&mut given, index, cell.kind, &row[cell.start..cell.end]);
        }
    }
    (found > 0 && rows.at_end()).then_some(Literal { values_at, rows: found, given, lines: None })
}
