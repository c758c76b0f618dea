//! A row as dump programs write it, as a line of the stream, eight bytes at a time.
//!
//! What it writes, the careful way of [`super::encode`] would write as well, at several times the
//! cost; it has no opinion of its own on what is proven. It gives up at whatever is unusual: blanks
//! around cells but one after a comma, words but `NULL`, hexadecimal digits, `"` strings, control
//! characters, most escapes, long rows. The careful way then begins with the row anew.

use dump::word::{self, Word};

use super::encode::is_valid;
use super::{Check, Literal, LoadPlan, Number, Slot, Way, number_way, way};

/// The longest line that is written here, in bytes.
const LINE_MAX: usize = 32 << 10;
/// Rows that are not tried after one that was given up: a table's rows are alike.
const REST: u32 = 15;

/// Writes lines, one at a time.
pub(super) struct Lines<'a> {
    plan: &'a LoadPlan,
    fields: Vec<Field>,
    /// The line, and what whole words leave behind it.
    line: Box<[u8]>,
    /// Rows until the next try.
    rest: u32,
}

/// What the matrix says of a position in the rows, asked once.
struct Field {
    slot: Slot,
    text: bool,
    null: bool,
}

/// Where reading and writing stand.
#[derive(Clone, Copy)]
struct Cursor {
    /// In the text.
    pos: usize,
    /// In the line.
    at: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(plan: &'a LoadPlan) -> Lines<'a> {
        let field = |slot: &Slot| {
            let asked = |literal| way(slot.takes, slot.nullable, literal);
            Field {
                slot: *slot,
                text: !slot.hex && asked(Literal::Text) == Some(Way::Decode),
                null: asked(Literal::Null) == Some(Way::Null),
            }
        };
        let fields = plan.slots.iter().map(field).collect();
        Lines { plan, fields, line: vec![0; LINE_MAX].into_boxed_slice(), rest: 0 }
    }

    /// The line of the row whose `(` stands at `pos`, and the index after the row; nothing if it is
    /// not as dumps write it. `is_ascii` promises that of the whole text.
    pub(super) fn line(
        &mut self,
        text: &[u8],
        pos: usize,
        is_ascii: bool,
    ) -> Option<(&[u8], usize)> {
        if self.rest > 0 {
            self.rest -= 1;
            return None;
        }
        match self.row(text, pos, is_ascii) {
            Some(end) => Some((&self.line[..end.at], end.pos)),
            None => {
                self.rest = REST;
                None
            }
        }
    }

    fn row(&mut self, text: &[u8], pos: usize, is_ascii: bool) -> Option<Cursor> {
        let line = &mut self.line;
        let mut cursor = Cursor { pos: pos + 1, at: 0 };
        if text.get(pos) != Some(&b'(') {
            return None;
        }
        let last = self.fields.len() - 1;
        for (index, field) in self.fields.iter().enumerate() {
            let from = cursor.at;
            cursor = match *text.get(cursor.pos)? {
                b'\'' if field.text => {
                    let cursor = string(text, cursor, line, self.plan.rules.no_backslash_escapes)?;
                    let written = &line[from..cursor.at];
                    let is_sure = is_ascii || field.slot.check == Check::Any;
                    if !is_sure && !is_valid(field.slot.check, self.plan.client, written) {
                        return None;
                    }
                    cursor
                }
                b'0'..=b'9' | b'-' if !field.slot.hex => number(text, cursor, line, field.slot)?,
                b'N' if field.null => null(text, cursor, line)?,
                _ => return None,
            };
            let (ends, written) = if index == last { (b')', b'\n') } else { (b',', b'\t') };
            if text.get(cursor.pos) != Some(&ends) {
                return None;
            }
            *line.get_mut(cursor.at)? = written;
            cursor = Cursor { pos: cursor.pos + 1, at: cursor.at + 1 };
            let blank = index < last && text.get(cursor.pos) == Some(&b' ');
            cursor.pos += usize::from(blank);
        }
        Some(cursor)
    }
}

/// Copies the string whose quote stands at the cursor.
#[inline]
fn string(
    text: &[u8],
    cursor: Cursor,
    line: &mut [u8],
    no_backslash_escapes: bool,
) -> Option<Cursor> {
    let Cursor { mut pos, mut at } = cursor;
    pos += 1;
    loop {
        let plain = word::plain_at_start(copy_word(text, pos, line, at)?, b'\'');
        (pos, at) = (pos + plain, at + plain);
        if plain == word::BYTES {
            continue;
        }
        match (*text.get(pos)?, text.get(pos + 1).copied()) {
            (b'\'', Some(b'\'')) => (pos, at) = (pos + 2, at + 1),
            (b'\'', _) => return Some(Cursor { pos: pos + 1, at }),
            (b'\\', Some(quote @ (b'\'' | b'"'))) if !no_backslash_escapes => {
                *line.get_mut(at)? = quote;
                (pos, at) = (pos + 2, at + 1);
            }
            (b'\\', Some(b'r')) if !no_backslash_escapes => {
                *line.get_mut(at)? = b'\r';
                (pos, at) = (pos + 2, at + 1);
            }
            // The stream has the same words for these.
            (b'\\', Some(same @ (b'n' | b't' | b'0' | b'\\'))) if !no_backslash_escapes => {
                line.get_mut(at..at + 2)?.copy_from_slice(&[b'\\', same]);
                (pos, at) = (pos + 2, at + 2);
            }
            _ => return None,
        }
    }
}

/// Copies the number at the cursor, if it is written as numbers are and suits the column.
#[inline]
fn number(text: &[u8], mut cursor: Cursor, line: &mut [u8], slot: Slot) -> Option<Cursor> {
    let negative = text.get(cursor.pos) == Some(&b'-');
    if negative {
        *line.get_mut(cursor.at)? = b'-';
        cursor = Cursor { pos: cursor.pos + 1, at: cursor.at + 1 };
    }
    let starts_with_zero = text.get(cursor.pos) == Some(&b'0');
    let (whole, mut cursor) = digits(text, cursor, line)?;
    // Zeros have rules of their own.
    if whole == 0 || (starts_with_zero && (whole > 1 || negative)) {
        return None;
    }
    let mut scale = 0;
    if text.get(cursor.pos) == Some(&b'.') {
        *line.get_mut(cursor.at)? = b'.';
        (scale, cursor) = digits(text, Cursor { pos: cursor.pos + 1, at: cursor.at + 1 }, line)?;
        if scale == 0 {
            return None;
        }
    }
    let number = Number { digits: whole + scale, scale, negative, exponent: false };
    (number_way(slot.takes, number) == Some(Way::Copy)).then_some(cursor)
}

/// Copies digits and counts them.
#[inline]
fn digits(text: &[u8], cursor: Cursor, line: &mut [u8]) -> Option<(u32, Cursor)> {
    let Cursor { mut pos, mut at } = cursor;
    loop {
        let run = word::digits_at_start(copy_word(text, pos, line, at)?);
        (pos, at) = (pos + run, at + run);
        if run < word::BYTES {
            let count = u32::try_from(pos - cursor.pos).ok()?;
            return Some((count, Cursor { pos, at }));
        }
    }
}

fn null(text: &[u8], cursor: Cursor, line: &mut [u8]) -> Option<Cursor> {
    if !text.get(cursor.pos..)?.starts_with(b"NULL") {
        return None;
    }
    line.get_mut(cursor.at..cursor.at + 2)?.copy_from_slice(b"\\N");
    Some(Cursor { pos: cursor.pos + 4, at: cursor.at + 2 })
}

/// Copies a word, whatever it holds: those that are too many are written over. Behind the
/// text's end there are zeros.
#[inline]
fn copy_word(text: &[u8], pos: usize, line: &mut [u8], at: usize) -> Option<Word> {
    let word = word::at(text, pos)?;
    *line.get_mut(at..)?.first_chunk_mut()? = word;
    Some(word)
}
