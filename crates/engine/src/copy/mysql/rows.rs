//! Rows of a result as the text in which the target takes them: the stream of a LOAD DATA, or the
//! tuples of an INSERT.
//!
//! Pure. Promises: every byte of every value arrives as it is, NULL stays NULL. Fields end with a
//! tab, lines with a line feed, a backslash escapes.

use super::table::Table;

/// In which form a table's rows are written.
#[derive(Clone, Debug)]
pub enum Form {
    /// `LOAD DATA LOCAL`; of each column whether its text may hold what has to be escaped.
    Load(Vec<bool>),
    /// `INSERT … VALUES`, with the way in which each column's values are written.
    Insert(Vec<Written>),
}

/// How an INSERT writes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// As it is.
    Number,
    /// As a string of the session's character set.
    Text,
    /// As a string of bytes.
    Bytes,
}

/// Rows on their way, in their form.
#[derive(Debug, Default)]
pub struct Batch {
    /// The text.
    pub text: Vec<u8>,
    /// How many rows it holds.
    pub rows: u64,
}

impl Form {
    /// The LOAD DATA form of a table.
    pub fn load(table: &Table) -> Form {
        Form::Load(table.stored().map(|column| !column.is_plain()).collect())
    }

    /// The INSERT form of a table.
    pub fn insert(table: &Table) -> Form {
        let written = table.stored().map(|column| {
            if column.is_number() {
                Written::Number
            } else if column.is_text() {
                Written::Text
            } else {
                Written::Bytes
            }
        });
        Form::Insert(written.collect())
    }
}

impl Batch {
    /// Adds a row.
    pub fn push<'a>(&mut self, form: &Form, cells: impl Iterator<Item = Option<&'a [u8]>>) {
        match form {
            Form::Load(escaped) => load_row(&mut self.text, escaped, cells),
            Form::Insert(written) => insert_row(&mut self.text, written, cells),
        }
        self.rows += 1;
    }
}

fn load_row<'a>(
    out: &mut Vec<u8>,
    escaped: &[bool],
    cells: impl Iterator<Item = Option<&'a [u8]>>,
) {
    let start = out.len();
    for (cell, is_escaped) in cells.zip(escaped) {
        match cell {
            Some(value) if *is_escaped => escape(out, value),
            Some(value) => out.extend_from_slice(value),
            None => out.extend_from_slice(b"\\N"),
        }
        out.push(b'\t');
    }
    // The last tab, or nothing at all.
    if out.len() > start {
        out.pop();
    }
    out.push(b'\n');
}

/// What a LOAD DATA would take for something else.
const SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    special[b'\t' as usize] = true;
    special[b'\n' as usize] = true;
    special[b'\\' as usize] = true;
    special
};

fn escape(out: &mut Vec<u8>, value: &[u8]) {
    /// From this length on it pays to look for special bytes many at a time.
    const LONG: usize = 64;
    if value.len() >= LONG {
        return escape_long(out, value);
    }
    if !value.iter().any(|byte| SPECIAL[usize::from(*byte)]) {
        out.extend_from_slice(value);
        return;
    }
    for &byte in value {
        if SPECIAL[usize::from(byte)] {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

fn escape_long(out: &mut Vec<u8>, value: &[u8]) {
    let mut rest = value;
    while let Some(at) = memchr::memchr3(b'\t', b'\n', b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b'\\');
        out.push(rest[at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

fn insert_row<'a>(
    out: &mut Vec<u8>,
    written: &[Written],
    cells: impl Iterator<Item = Option<&'a [u8]>>,
) {
    out.extend_from_slice(if out.is_empty() { b"(" } else { b",(" });
    let mut is_first = true;
    for (cell, written) in cells.zip(written) {
        if !std::mem::take(&mut is_first) {
            out.push(b',');
        }
        match (cell, written) {
            (None, _) => out.extend_from_slice(b"NULL"),
            (Some(number), Written::Number) => out.extend_from_slice(number),
            (Some(text), Written::Text) => quote(out, b"'", text),
            (Some(bytes), Written::Bytes) => quote(out, b"_binary'", bytes),
        }
    }
    out.push(b')');
}

fn quote(out: &mut Vec<u8>, open: &[u8], value: &[u8]) {
    out.extend_from_slice(open);
    let mut rest = value;
    while let Some(at) = memchr::memchr3(b'\'', b'\\', 0, rest) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(match rest[at] {
            0 => b"\\0",
            b'\'' => b"\\'",
            _ => b"\\\\",
        });
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(form: &Form, rows: &[&[Option<&[u8]>]]) -> String {
        let mut batch = Batch::default();
        for row in rows {
            batch.push(form, row.iter().copied());
        }
        String::from_utf8_lossy(&batch.text).into_owned()
    }

    #[test]
    fn special_bytes_are_escaped_and_nothing_else() {
        let long = [b"x".repeat(70), b"\t\\\n\0\r".to_vec()].concat();
        let rows: [&[Option<&[u8]>]; 2] = [&[Some(b"a\tb\\"), None, Some(b"")], &[Some(&long)]];
        let form = Form::Load(vec![true, false, true]);
        let expected = format!("a\\\tb\\\\\t\\N\t\n{}\\\t\\\\\\\n\0\r\n", "x".repeat(70));
        assert_eq!(text(&form, &rows), expected);
    }

    #[test]
    fn inserts_quote_by_kind() {
        let form = Form::Insert(vec![Written::Number, Written::Text, Written::Bytes]);
        let row: &[Option<&[u8]>] = &[Some(b"-1.5"), Some(b"{\"a\": \"\\\\\"}"), Some(b"'\0")];
        let other: &[Option<&[u8]>] = &[None, None, None];
        let expected = "(-1.5,'{\"a\": \"\\\\\\\\\"}',_binary'\\'\\0'),(NULL,NULL,NULL)";
        assert_eq!(text(&form, &[row, other]), expected);
    }
}
