//! Rows of literals written as dump programs write them, in one pass.
//!
//! What it accepts, [`super::Rows`] and [`super::Cells`] would read in the same way, at several
//! times the cost, and the clients would send as it stands. It gives up at whatever is unusual:
//! comments, expressions, a sign or a point at the start of a number, quoted names, multi-byte
//! character sets whose bytes look like quotes, NUL bytes, carriage returns, line ends behind a
//! backslash.

use crate::rules::{Multibyte, Rules};
use crate::word::{self, Word};

use super::Kind;

/// Writes rows down while they are read, also some of the row in which reading stops.
///
/// A string or number comes in pieces, in their order, before it is told as a cell.
pub(crate) trait Scribe {
    /// A row comes; of the one before, all counts or, without an end, nothing.
    #[inline]
    fn row_begins(&mut self) {}

    /// The cell at a position comes.
    #[inline]
    fn cell_begins(&mut self, _position: usize) {}

    /// The first `length` bytes of a word are part of the cell's value as they are.
    #[inline]
    fn bytes(&mut self, _word: Word, _length: usize) {}

    /// The first `length` bytes of a word, all of them digits, are part of the cell's value.
    #[inline]
    fn digits(&mut self, _word: Word, _length: usize) {}

    /// A byte of the cell's value.
    #[inline]
    fn byte(&mut self, _byte: u8) {}

    /// The cell was a string.
    #[inline]
    fn text(&mut self, _position: usize) {}

    /// The cell was a number.
    #[inline]
    fn number(&mut self, _position: usize, _number: Number) {}

    /// The cell was `NULL`.
    #[inline]
    fn null(&mut self, _position: usize) {}

    /// The cell was something else.
    #[inline]
    fn other(&mut self) {}

    /// The row had so many cells.
    #[inline]
    fn row_ends(&mut self, _cells: usize) {}
}

/// Nothing is written down.
impl Scribe for () {}

/// The text of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    /// Before and after the point.
    pub(crate) digits: usize,
    /// Digits after the point.
    pub(crate) scale: usize,
    pub(crate) negative: bool,
    pub(crate) exponent: bool,
    /// It has leading zeros, a point without digits behind it, or is minus zero: its text is not
    /// what a server would print.
    pub(crate) is_odd: bool,
}

/// What all rows give to one position, as far as AUTO_INCREMENT cares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// Some row gives NULL or DEFAULT: a value is generated.
    pub nothing: bool,
    /// Some row gives zero, or something whose number is not plain to see.
    pub zero: bool,
}

impl Given {
    /// Adds a literal to what the position `index` is given.
    #[inline]
    pub fn note(all: &mut Vec<Given>, index: usize, kind: Kind, cell: &[u8]) {
        if index >= all.len() {
            all.push(Given::default());
        }
        let given = &mut all[index];
        match kind {
            Kind::Null | Kind::Default => given.nothing = true,
            Kind::Number => given.zero |= !is_plainly_not_zero(cell),
            Kind::String => given.zero |= !is_plainly_not_zero(&cell[1..]),
            Kind::Boolean | Kind::Introduced | Kind::Hex | Kind::Bit | Kind::Expression => {
                given.zero = true;
            }
        }
    }
}

/// An integer that starts with a digit other than 0. A leading zero, sign or blank is left to the
/// server to judge.
#[inline]
fn is_plainly_not_zero(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'1'..=b'9'))
}

/// How far rows of plain literals go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Index after the last whole row; 0 if there is none.
    pub(crate) end: usize,
    /// Whole rows.
    pub(crate) rows: u64,
    /// The text ended before something unusual came.
    pub(crate) cut: bool,
}

/// Why a row or a literal was not read to its end.
enum Stop {
    /// The text ends in it, or right after it.
    Cut,
    Unusual,
}

/// Calls `cell` with the position, kind and text of each cell, and returns how many rows there are,
/// if `text` is rows of plain literals from its start to its end. Otherwise nothing, and what was
/// told to `cell` does not count.
pub fn plain_rows(text: &[u8], rules: Rules, cell: impl FnMut(usize, Kind, &[u8])) -> Option<u64> {
    all_rows(text, rules, cell, &mut ())
}

/// The same with somebody who writes down.
#[inline]
pub(super) fn all_rows(
    text: &[u8],
    rules: Rules,
    cell: impl FnMut(usize, Kind, &[u8]),
    scribe: &mut impl Scribe,
) -> Option<u64> {
    if rules.multibyte != Multibyte::None {
        return None;
    }
    let reached = reach(text, false, rules, cell, scribe);
    let is_all = blanks(text, reached.end) == text.len();
    (is_all && reached.rows > 0).then_some(reached.rows)
}

/// Goes over whole rows from the start of `text`, which begins before a row, or with `after_row`
/// at the comma after one. `cell` is told about each cell, and about some of the row in which it
/// stopped. Not for multi-byte character sets.
#[inline]
pub(crate) fn reach(
    text: &[u8],
    after_row: bool,
    rules: Rules,
    mut cell: impl FnMut(usize, Kind, &[u8]),
    scribe: &mut impl Scribe,
) -> Reached {
    let mut reached = Reached { end: 0, rows: 0, cut: false };
    let mut is_first = !after_row;
    loop {
        let mut pos = blanks(text, reached.end);
        if !is_first {
            match text.get(pos) {
                Some(b',') => pos = blanks(text, pos + 1),
                other => return Reached { cut: other.is_none(), ..reached },
            }
        }
        match row(text, pos, rules, &mut cell, scribe) {
            Ok(end) => reached = Reached { end, rows: reached.rows + 1, cut: false },
            Err(stop) => return Reached { cut: matches!(stop, Stop::Cut), ..reached },
        }
        is_first = false;
    }
}

/// The index after the row at `pos`.
#[inline]
fn row(
    text: &[u8],
    mut pos: usize,
    rules: Rules,
    cell: &mut impl FnMut(usize, Kind, &[u8]),
    scribe: &mut impl Scribe,
) -> Result<usize, Stop> {
    expect(text, pos, b'(')?;
    scribe.row_begins();
    let mut position = 0;
    loop {
        pos = blanks(text, pos + 1);
        scribe.cell_begins(position);
        // Most cells are of these two kinds; told apart without a table of jumps.
        let first = byte(text, pos)?;
        let end = if first == b'\'' {
            let end = string(text, pos, first, rules, scribe)?;
            cell(position, Kind::String, &text[pos..end]);
            scribe.text(position);
            end
        } else if (first.is_ascii_digit() && !is_prefix(text, pos)) || first == b'-' {
            let (number, end) = number(text, pos, scribe)?;
            cell(position, Kind::Number, &text[pos..end]);
            scribe.number(position, number);
            end
        } else {
            let (kind, end) = other_literal(text, pos, rules, scribe)?;
            cell(position, kind, &text[pos..end]);
            match kind {
                Kind::String => scribe.text(position),
                Kind::Null => scribe.null(position),
                _ => scribe.other(),
            }
            end
        };
        position += 1;
        pos = blanks(text, end);
        match byte(text, pos)? {
            b',' => {}
            b')' => {
                scribe.row_ends(position);
                return Ok(pos + 1);
            }
            _ => return Err(Stop::Unusual),
        }
    }
}

#[inline]
fn byte(text: &[u8], pos: usize) -> Result<u8, Stop> {
    text.get(pos).copied().ok_or(Stop::Cut)
}

#[inline]
fn expect(text: &[u8], pos: usize, wanted: u8) -> Result<(), Stop> {
    if byte(text, pos)? == wanted { Ok(()) } else { Err(Stop::Unusual) }
}

/// Index of the first byte at or after `pos` that is no blank.
#[inline]
fn blanks(text: &[u8], mut pos: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t') = text.get(pos) {
        pos += 1;
    }
    pos
}

/// Whether `0x` or `0b` stands at `pos`.
#[inline]
fn is_prefix(text: &[u8], pos: usize) -> bool {
    text[pos] == b'0' && matches!(text.get(pos + 1), Some(b'x' | b'b'))
}

/// The kind of the literal at `pos` and the index after it, of those that are rarer.
fn other_literal(
    text: &[u8],
    pos: usize,
    rules: Rules,
    scribe: &mut impl Scribe,
) -> Result<(Kind, usize), Stop> {
    let next = byte(text, pos + 1)?;
    match (byte(text, pos)?, next) {
        (b'0', b'x' | b'b') => prefixed(text, pos),
        (b'N', _) => {
            b"NULL"
                .iter()
                .enumerate()
                .try_for_each(|(at, wanted)| expect(text, pos + at, *wanted))?;
            Ok((Kind::Null, pos + 4))
        }
        (quote @ b'"', _) if !rules.ansi_quotes => {
            Ok((Kind::String, string(text, pos, quote, rules, scribe)?))
        }
        (b'x' | b'X', b'\'') => Ok((Kind::Hex, string(text, pos + 1, b'\'', rules, &mut ())?)),
        (b'b' | b'B', b'\'') => Ok((Kind::Bit, string(text, pos + 1, b'\'', rules, &mut ())?)),
        (b'_', _) => introduced(text, pos, rules),
        _ => Err(Stop::Unusual),
    }
}

/// Index after a string whose quote stands at `pos`; a doubled quote is part of it.
#[inline]
fn string(
    text: &[u8],
    mut pos: usize,
    quote: u8,
    rules: Rules,
    scribe: &mut impl Scribe,
) -> Result<usize, Stop> {
    pos += 1;
    loop {
        let word = word::at(text, pos).ok_or(Stop::Cut)?;
        let marks = word::unusual(word, quote);
        // A branch, so that the next word need not wait for the count of this one.
        if marks == 0 {
            scribe.bytes(word, word::BYTES);
            pos += word::BYTES;
            continue;
        }
        let plain = word::before(marks);
        scribe.bytes(word, plain);
        pos += plain;
        match byte(text, pos)? {
            found if found == quote => {
                if byte(text, pos + 1)? != quote {
                    return Ok(pos + 1);
                }
                scribe.byte(quote);
                pos += 2;
            }
            b'\\' if !rules.no_backslash_escapes => {
                escaped(byte(text, pos + 1)?, scribe)?;
                pos += 2;
            }
            0 | b'\r' => return Err(Stop::Unusual),
            other => {
                scribe.byte(other);
                pos += 1;
            }
        }
    }
}

/// What a backslash and `next` stand for in a string.
#[inline]
fn escaped(next: u8, scribe: &mut impl Scribe) -> Result<(), Stop> {
    match next {
        0 | b'\n' | b'\r' => return Err(Stop::Unusual),
        b'%' | b'_' => scribe.byte(b'\\'),
        _ => {}
    }
    scribe.byte(unescaped(next));
    Ok(())
}

/// The byte that a backslash before `letter` stands for in a string. Before `%` and `_` the backslash
/// itself stays as well, for LIKE.
#[inline]
pub fn unescaped(letter: u8) -> u8 {
    match letter {
        b'0' => 0,
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x08,
        b'Z' => 0x1A,
        other => other,
    }
}

/// Index after the digits from `pos` on.
#[inline]
fn digits(text: &[u8], mut pos: usize, scribe: &mut impl Scribe) -> Result<usize, Stop> {
    loop {
        let word = word::at(text, pos).ok_or(Stop::Cut)?;
        let run = word::digits_at_start(word);
        scribe.digits(word, run);
        pos += run;
        if run < word::BYTES {
            return Ok(pos);
        }
    }
}

/// Index after the digits from `pos` on, of which there has to be one.
#[inline]
fn some_digits(text: &[u8], pos: usize, scribe: &mut impl Scribe) -> Result<usize, Stop> {
    match byte(text, pos)? {
        b'0'..=b'9' => digits(text, pos, scribe),
        _ => Err(Stop::Unusual),
    }
}

/// `-12`, `1.50`, `1e-7`, and the index after it.
#[inline]
fn number(text: &[u8], pos: usize, scribe: &mut impl Scribe) -> Result<(Number, usize), Stop> {
    let negative = text.get(pos) == Some(&b'-');
    if negative {
        scribe.byte(b'-');
    }
    let start = pos + usize::from(negative);
    let mut end = some_digits(text, start, scribe)?;
    let whole = end - start;
    let mut is_odd = text[start] == b'0' && whole > 1;
    let mut scale = 0;
    if byte(text, end)? == b'.' {
        scribe.byte(b'.');
        let point = end;
        end = digits(text, point + 1, scribe)?;
        scale = end - point - 1;
        is_odd |= scale == 0;
    }
    // Zero has no sign as a number, but has one as the text of a double.
    is_odd |= negative && text[start..end].iter().all(|byte| matches!(byte, b'0' | b'.'));
    let exponent = matches!(byte(text, end)?, b'e' | b'E');
    if exponent {
        scribe.byte(text[end]);
        let sign = byte(text, end + 1)?;
        let is_signed = matches!(sign, b'-' | b'+');
        if is_signed {
            scribe.byte(sign);
        }
        end = some_digits(text, end + 1 + usize::from(is_signed), scribe)?;
    }
    Ok((Number { digits: whole + scale, scale, negative, exponent, is_odd }, end))
}

/// `0xFF`, `0b01`
fn prefixed(text: &[u8], pos: usize) -> Result<(Kind, usize), Stop> {
    let from = pos + 2;
    byte(text, from)?;
    let run = |is_digit: fn(&u8) -> bool| text[from..].iter().take_while(|b| is_digit(b)).count();
    let (kind, length) = match text[pos + 1] {
        b'x' => (Kind::Hex, run(u8::is_ascii_hexdigit)),
        _ => (Kind::Bit, run(|byte| matches!(byte, b'0' | b'1'))),
    };
    if length == 0 {
        return Err(Stop::Unusual);
    }
    Ok((kind, from + length))
}

/// `_binary 'x'`
fn introduced(text: &[u8], pos: usize, rules: Rules) -> Result<(Kind, usize), Stop> {
    let is_part = |b: &&u8| b.is_ascii_alphanumeric() || **b == b'_';
    let mut at = pos + text[pos..].iter().take_while(is_part).count();
    at += text[at..].iter().take_while(|byte| **byte == b' ').count();
    let end = match byte(text, at)? {
        b'\'' => string(text, at, b'\'', rules, &mut ())?,
        // One introducer is enough.
        b'_' => return Err(Stop::Unusual),
        _ => match other_literal(text, at, rules, &mut ())? {
            (Kind::String | Kind::Hex | Kind::Bit, end) => end,
            _ => return Err(Stop::Unusual),
        },
    };
    Ok((Kind::Introduced, end))
}
