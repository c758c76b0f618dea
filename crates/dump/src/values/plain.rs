//! Rows of literals written as dump programs write them, in one pass.
//!
//! What it accepts, [`super::Rows`] and [`super::Cells`] would read in the same way, at several
//! times the cost, and the clients would send as it stands. It gives up at whatever is unusual:
//! comments, expressions, a sign or a point at the start of a number, quoted names, multi-byte
//! character sets whose bytes look like quotes, NUL bytes, carriage returns, line ends behind a
//! backslash.

use crate::rules::{Multibyte, Rules};
use crate::word;

use super::Kind;

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
    if rules.multibyte != Multibyte::None {
        return None;
    }
    let reached = reach(text, false, rules, cell);
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
        match row(text, pos, rules, &mut cell) {
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
) -> Result<usize, Stop> {
    expect(text, pos, b'(')?;
    let mut position = 0;
    loop {
        pos = blanks(text, pos + 1);
        let (kind, end) = literal(text, pos, rules)?;
        cell(position, kind, &text[pos..end]);
        position += 1;
        pos = blanks(text, end);
        match byte(text, pos)? {
            b',' => {}
            b')' => return Ok(pos + 1),
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

/// The kind of the literal at `pos` and the index after it.
#[inline]
fn literal(text: &[u8], pos: usize, rules: Rules) -> Result<(Kind, usize), Stop> {
    match byte(text, pos)? {
        b'\'' => Ok((Kind::String, string(text, pos, b'\'', rules)?)),
        b'1'..=b'9' | b'-' => Ok((Kind::Number, number(text, pos)?)),
        _ => other_literal(text, pos, rules),
    }
}

/// The same for those that are rarer.
fn other_literal(text: &[u8], pos: usize, rules: Rules) -> Result<(Kind, usize), Stop> {
    let next = byte(text, pos + 1)?;
    match (byte(text, pos)?, next) {
        (b'0', b'x' | b'b') => prefixed(text, pos),
        (b'0', _) => Ok((Kind::Number, number(text, pos)?)),
        (b'N', _) => {
            b"NULL"
                .iter()
                .enumerate()
                .try_for_each(|(at, wanted)| expect(text, pos + at, *wanted))?;
            Ok((Kind::Null, pos + 4))
        }
        (quote @ b'"', _) if !rules.ansi_quotes => {
            Ok((Kind::String, string(text, pos, quote, rules)?))
        }
        (b'x' | b'X', b'\'') => Ok((Kind::Hex, string(text, pos + 1, b'\'', rules)?)),
        (b'b' | b'B', b'\'') => Ok((Kind::Bit, string(text, pos + 1, b'\'', rules)?)),
        (b'_', _) => introduced(text, pos, rules),
        _ => Err(Stop::Unusual),
    }
}

/// Index after a string whose quote stands at `pos`; a doubled quote is part of it.
#[inline]
fn string(text: &[u8], mut pos: usize, quote: u8, rules: Rules) -> Result<usize, Stop> {
    pos += 1;
    loop {
        let plain = word::plain_at_start(word::at(text, pos).ok_or(Stop::Cut)?, quote);
        pos += plain;
        if plain == word::BYTES {
            continue;
        }
        match byte(text, pos)? {
            found if found == quote => {
                if byte(text, pos + 1)? != quote {
                    return Ok(pos + 1);
                }
                pos += 2;
            }
            b'\\' if rules.no_backslash_escapes => pos += 1,
            b'\\' => match byte(text, pos + 1)? {
                0 | b'\n' | b'\r' => return Err(Stop::Unusual),
                _ => pos += 2,
            },
            0 | b'\r' => return Err(Stop::Unusual),
            _ => pos += 1,
        }
    }
}

/// Index after the digits from `pos` on.
#[inline]
fn digits(text: &[u8], mut pos: usize) -> Result<usize, Stop> {
    loop {
        let run = word::digits_at_start(word::at(text, pos).ok_or(Stop::Cut)?);
        pos += run;
        if run < word::BYTES {
            return Ok(pos);
        }
    }
}

/// Index after the digits from `pos` on, of which there has to be one.
#[inline]
fn some_digits(text: &[u8], pos: usize) -> Result<usize, Stop> {
    match byte(text, pos)? {
        b'0'..=b'9' => digits(text, pos),
        _ => Err(Stop::Unusual),
    }
}

/// `-12`, `1.50`, `1e-7`
#[inline]
fn number(text: &[u8], pos: usize) -> Result<usize, Stop> {
    let start = pos + usize::from(text.get(pos) == Some(&b'-'));
    let mut end = some_digits(text, start)?;
    if byte(text, end)? == b'.' {
        end = digits(text, end + 1)?;
    }
    if let b'e' | b'E' = byte(text, end)? {
        let from = end + 1 + usize::from(matches!(byte(text, end + 1)?, b'-' | b'+'));
        end = some_digits(text, from)?;
    }
    Ok(end)
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
    match byte(text, at)? {
        // One introducer is enough.
        b'_' => Err(Stop::Unusual),
        _ => match literal(text, at, rules)? {
            (Kind::String | Kind::Hex | Kind::Bit, end) => Ok((Kind::Introduced, end)),
            _ => Err(Stop::Unusual),
        },
    }
}
