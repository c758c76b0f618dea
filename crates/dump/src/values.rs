//! The rows inside `INSERT … VALUES`: where each begins and ends, and what kind of value each cell
//! is.
//!
//! Follows the server's quoting rules, so a row is found also where it holds nested parentheses or
//! comments. Values are located, not converted. A value that is more than one literal is
//! [`Kind::Expression`], which callers leave to the server.

use crate::rules::{Client, Multibyte, Rules};

pub mod lines;
mod plain;

pub(crate) use plain::reach;
pub use plain::{Given, plain_rows, unescaped};

/// Complete rows at the start of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeRows {
    /// Index of the first row's `(`; where no row begins, of the first byte that is no blank.
    pub start: usize,
    /// Index after the last complete row's `)`; equals `start` if there is none.
    pub end: usize,
    /// How many are complete.
    pub rows: u64,
}

/// Counts the rows that are complete in `text`, which begins outside a row.
pub fn whole_rows(text: &[u8], rules: Rules) -> WholeRows {
    let rows = Rows::new(text, rules);
    let start = rows.row_start().unwrap_or(text.len() - text.trim_ascii_start().len());
    let mut found = WholeRows { start, end: start, rows: 0 };
    for row in rows {
        found.rows += 1;
        found.end = row.end;
    }
    found
}

/// One row, as indices of the text from `(` to after `)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Index of `(`.
    pub start: usize,
    /// Index after `)`.
    pub end: usize,
}

/// Iterates over complete rows; ends at the first thing that is none, or is not separated from the
/// row before as rows are: by a comma, blanks and comments.
pub struct Rows<'a> {
    text: &'a [u8],
    pos: usize,
    first: bool,
    rules: Rules,
}

impl<'a> Rows<'a> {
    /// `text` begins outside a row: before the first, or at the comma after one.
    pub fn new(text: &'a [u8], rules: Rules) -> Rows<'a> {
        Rows { text, pos: 0, first: true, rules }
    }

    /// Whether nothing but blanks and comments follows what was iterated.
    pub fn at_end(&mut self) -> bool {
        self.skip_blanks(self.pos) == self.text.len()
    }

    /// Index of the `(` of the next row.
    fn row_start(&self) -> Option<usize> {
        let mut pos = self.skip_blanks(self.pos);
        match self.text.get(pos) {
            Some(b',') => pos = self.skip_blanks(pos + 1),
            _ if self.first => {}
            _ => return None,
        }
        (self.text.get(pos) == Some(&b'(')).then_some(pos)
    }

    /// Index of the next byte at or after `pos` that is neither blank nor part of a comment.
    fn skip_blanks(&self, mut pos: usize) -> usize {
        while let Some(byte) = self.text.get(pos) {
            match byte {
                b'#' | b'-' | b'/' => match comment(&self.text[pos..], self.rules.client) {
                    Some(Some(length)) => pos += length,
                    Some(None) | None => return pos,
                },
                _ if byte.is_ascii_whitespace() => pos += 1,
                _ => return pos,
            }
        }
        pos
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let start = self.row_start()?;
        let mut depth = 0u32;
        let mut pos = start;
        loop {
            match self.text.get(pos)? {
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            pos += element(&self.text[pos..], self.rules)?;
        }
        (self.pos, self.first) = (pos + 1, false);
        Some(Row { start, end: self.pos })
    }
}

/// What kind of value a cell is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `NULL` or `\N`
    Null,
    /// `DEFAULT`
    Default,
    /// `TRUE` or `FALSE`
    Boolean,
    /// `12`, `-1.5`, `1e10`
    Number,
    /// `'text'` or, without ANSI_QUOTES, `"text"`
    String,
    /// `_utf8mb4'text'`, `_binary 'text'`, `N'text'`, or an introducer before hex or bits
    Introduced,
    /// `0xFF` or `x'FF'`
    Hex,
    /// `0b01` or `b'01'`
    Bit,
    /// Anything else: the server has to compute it.
    Expression,
}

/// One value of a row, as indices of the row's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its kind.
    pub kind: Kind,
    /// Index of its first byte.
    pub start: usize,
    /// Index after its last byte.
    pub end: usize,
}

/// Iterates over the cells of a row, given from `(` to `)`.
pub struct Cells<'a> {
    row: &'a [u8],
    pos: usize,
    rules: Rules,
}

impl<'a> Cells<'a> {
    /// `row` is a complete row as [`Rows`] found it.
    pub fn new(row: &'a [u8], rules: Rules) -> Cells<'a> {
        Cells { row, pos: 1, rules }
    }
}

impl Iterator for Cells<'_> {
    type Item = Cell;

    fn next(&mut self) -> Option<Cell> {
        let last = self.row.len() - 1;
        // After a comma there is one more cell, even if nothing stands in it.
        if self.pos > last || (self.pos == last && last == 1) {
            return None;
        }
        let (from, mut depth) = (self.pos, 0u32);
        let mut pos = from;
        while pos < last {
            match self.row[pos] {
                b',' if depth == 0 => break,
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                _ => {}
            }
            pos += element(&self.row[pos..], self.rules).unwrap_or(1);
        }
        let pos = pos.min(last);
        self.pos = pos + 1;
        let text = &self.row[from..pos];
        let start = from + text.len() - text.trim_ascii_start().len();
        let end = start + text.trim_ascii().len();
        Some(Cell { kind: kind(&self.row[start..end], self.rules), start, end })
    }
}

/// Length of what `text` starts with: a string, a quoted name, a comment, or one character. `None` if
/// it does not end within `text`.
fn element(text: &[u8], rules: Rules) -> Option<usize> {
    match text[0] {
        quote @ (b'\'' | b'"' | b'`') => quoted(text, quote, rules),
        b'#' | b'-' | b'/' => comment(text, rules.client).unwrap_or(Some(1)),
        _ => Some(rules.multibyte.char_len(text)),
    }
}

/// Length of the comment that `text` starts with, if one does: `Some(None)` if it does not end
/// within `text`. Executable comments are none.
fn comment(text: &[u8], client: Client) -> Option<Option<usize>> {
    match text {
        [b'#', ..] | [b'-', b'-'] => Some(to_line_end(text)),
        [b'-', b'-', blank, ..] if blank.is_ascii_whitespace() || *blank == 0x0B => {
            Some(to_line_end(text))
        }
        [b'/', b'*', b'!', ..] => None,
        [b'/', b'*', b'M', b'!', ..] if client == Client::MariaDb => None,
        [b'/', b'*', rest @ ..] => Some(memchr::memmem::find(rest, b"*/").map(|end| end + 4)),
        _ => None,
    }
}

fn to_line_end(text: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', text).map(|end| end + 1)
}

/// Length of a string or quoted name with both its quotes. A doubled quote is two strings in a row
/// here, which ends at the same byte.
fn quoted(text: &[u8], quote: u8, rules: Rules) -> Option<usize> {
    let name = quote == b'`' || (quote == b'"' && rules.ansi_quotes);
    let escapes = !name && !rules.no_backslash_escapes;
    let mut pos = 1;
    if rules.multibyte == Multibyte::None {
        loop {
            let rest = text.get(pos..)?;
            let at = match escapes {
                true => memchr::memchr2(quote, b'\\', rest)?,
                false => memchr::memchr(quote, rest)?,
            };
            if rest[at] == quote {
                return Some(pos + at + 1);
            }
            pos += at + 2;
        }
    }
    loop {
        let rest = text.get(pos..)?;
        match *rest.first()? {
            byte if byte == quote => return Some(pos + 1),
            b'\\' if escapes => pos += 2,
            _ => pos += rules.multibyte.char_len(rest),
        }
    }
}

fn kind(text: &[u8], rules: Rules) -> Kind {
    let Some(&first) = text.first() else { return Kind::Expression };
    match first {
        b'\'' => whole_string(text, rules, Kind::String),
        b'"' if !rules.ansi_quotes => whole_string(text, rules, Kind::String),
        b'0' if is_prefixed(text, b'x', u8::is_ascii_hexdigit) => Kind::Hex,
        b'0' if is_prefixed(text, b'b', |b| matches!(b, b'0' | b'1')) => Kind::Bit,
        b'0'..=b'9' | b'.' | b'-' | b'+' if is_number(text) => Kind::Number,
        b'x' | b'X' if text.get(1) == Some(&b'\'') => whole_string(&text[1..], rules, Kind::Hex),
        b'b' | b'B' if text.get(1) == Some(&b'\'') => whole_string(&text[1..], rules, Kind::Bit),
        b'n' | b'N' if text.get(1) == Some(&b'\'') => {
            whole_string(&text[1..], rules, Kind::Introduced)
        }
        b'_' => introduced(text, rules),
        _ if text == b"\\N" || text.eq_ignore_ascii_case(b"null") => Kind::Null,
        _ if text.eq_ignore_ascii_case(b"default") => Kind::Default,
        _ if text.eq_ignore_ascii_case(b"true") || text.eq_ignore_ascii_case(b"false") => {
            Kind::Boolean
        }
        _ => Kind::Expression,
    }
}

/// `kind` if the text is one string, doubled quotes included, and nothing after it.
fn whole_string(text: &[u8], rules: Rules, kind: Kind) -> Kind {
    let quote = text[0];
    let mut pos = 0;
    while text.get(pos) == Some(&quote) {
        match quoted(&text[pos..], quote, rules) {
            Some(length) => pos += length,
            None => return Kind::Expression,
        }
    }
    if pos == text.len() { kind } else { Kind::Expression }
}

fn introduced(text: &[u8], rules: Rules) -> Kind {
    let word = text.iter().position(|b| !(b.is_ascii_alphanumeric() || *b == b'_'));
    let Some(word) = word else { return Kind::Expression };
    let literal = text[word..].trim_ascii_start();
    match literal.first().map(|_| kind(literal, rules)) {
        Some(Kind::String | Kind::Hex | Kind::Bit) => Kind::Introduced,
        _ => Kind::Expression,
    }
}

fn is_prefixed(text: &[u8], letter: u8, digit: impl Fn(&u8) -> bool) -> bool {
    text.get(1) == Some(&letter) && text.len() > 2 && text[2..].iter().all(digit)
}

/// `[+-] digits [. digits] [e [+-] digits]`
fn is_number(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    let digits = |t: &[u8]| t.iter().take_while(|b| b.is_ascii_digit()).count();
    let whole = digits(text);
    let mut rest = &text[whole..];
    let mut mantissa = whole;
    if let [b'.', after @ ..] = rest {
        let fraction = digits(after);
        mantissa += fraction;
        rest = &after[fraction..];
    }
    if mantissa == 0 {
        return false;
    }
    if let [b'e' | b'E', after @ ..] = rest {
        let after = after.strip_prefix(b"-").or(after.strip_prefix(b"+")).unwrap_or(after);
        return !after.is_empty() && digits(after) == after.len();
    }
    rest.is_empty()
}
