//! What the text of a dump is written in: only ASCII, UTF-8, something else, or a mixture.
//!
//! Every byte is looked at. Statements that are not valid UTF-8 are looked at cell by cell, so that
//! `_binary '…'` and tables with binary columns do not count; this is slower, and done only for the
//! first [`CELLS_MAX`] bytes of such statements (what is beyond is said to be unchecked).
//! It does not guess which character set text that is not UTF-8 is written in.

use serde::Serialize;

use crate::rules::Rules;
use crate::values::{Cells, Kind, Rows};

/// Bytes of statements that are not UTF-8 that are looked at cell by cell.
pub const CELLS_MAX: u64 = 64 << 20;

/// What was found about the text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Text {
    /// Statements (or parts of oversized ones) that hold text beyond ASCII, all of it valid UTF-8.
    pub utf8_statements: u64,
    /// Statements with text that is not valid UTF-8, binary values not counted.
    pub other_statements: u64,
    /// Values in them that are not valid UTF-8.
    pub other_values: u64,
    /// Statements with binary values only beyond UTF-8: `_binary`, or tables with binary columns.
    pub binary_statements: u64,
    /// Bytes of statements that are not UTF-8 and were not looked at in detail.
    pub unchecked_bytes: u64,
}

impl Text {
    /// In one word: `ascii`, `utf8`, `mixed` or `other`.
    pub fn summary(&self) -> &'static str {
        match (self.utf8_statements, self.other_statements) {
            (0, 0) => "ascii",
            (_, 0) => "utf8",
            (0, _) => "other",
            (_, _) => "mixed",
        }
    }
}

/// What one statement is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    Ascii,
    Utf8,
    /// Beyond UTF-8 there are only binary values.
    Binary,
    Other {
        values: u64,
    },
    Unchecked,
}

/// A statement's text, and what is known of it.
pub(super) struct Sample<'a> {
    pub(super) text: &'a [u8],
    pub(super) rules: Rules,
    /// Where the rows begin, if it is an INSERT with rows.
    pub(super) rows_at: Option<usize>,
    /// Its table has binary columns.
    pub(super) has_binary: bool,
}

impl Text {
    /// Looks at a statement and counts it.
    pub(super) fn look(&mut self, sample: &Sample<'_>, cells_left: &mut u64) -> Writing {
        let writing = writing(sample, cells_left);
        match writing {
            Writing::Ascii => {}
            Writing::Utf8 => self.utf8_statements += 1,
            Writing::Binary => self.binary_statements += 1,
            Writing::Other { values } => {
                self.other_statements += 1;
                self.other_values += values;
            }
            Writing::Unchecked => self.unchecked_bytes += sample.text.len() as u64,
        }
        writing
    }
}

fn writing(sample: &Sample<'_>, cells_left: &mut u64) -> Writing {
    if sample.text.is_ascii() {
        return Writing::Ascii;
    }
    if std::str::from_utf8(sample.text).is_ok() {
        return Writing::Utf8;
    }
    let Some(rows_at) = sample.rows_at else { return Writing::Other { values: 1 } };
    if sample.has_binary {
        return Writing::Binary;
    }
    let length = sample.text.len() as u64;
    if length > *cells_left {
        return Writing::Unchecked;
    }
    *cells_left -= length;
    let rows = &sample.text[rows_at..];
    let mut values = 0;
    for row in Rows::new(rows, sample.rules) {
        let row = &rows[row.start..row.end];
        for cell in Cells::new(row, sample.rules) {
            values += u64::from(is_other(&row[cell.start..cell.end], cell.kind));
        }
    }
    if values == 0 { Writing::Binary } else { Writing::Other { values } }
}

/// A value that is neither UTF-8 nor marked as binary.
fn is_other(value: &[u8], kind: Kind) -> bool {
    let is_binary = kind == Kind::Introduced
        && value.get(..7).is_some_and(|word| word.eq_ignore_ascii_case(b"_binary"));
    !is_binary && std::str::from_utf8(value).is_err()
}
