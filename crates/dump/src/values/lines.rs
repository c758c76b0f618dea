//! Rows of plain literals as lines of a LOAD DATA stream: fields end with a tab, lines with a line
//! feed, a backslash escapes.
//!
//! Written in the pass that finds the rows, so that their text is gone over once. What a field means
//! to its column is not known here: [`Seen`] tells what came at each position, and whoever knows the
//! column decides. The lines of a statement are all there or none: it gives up at hexadecimal and
//! introduced literals, at numbers written with zeros that say nothing, at rows of different length
//! and at those longer than `LINE_MAX`.

use crate::rules::Rules;
use crate::word::{self, Word};

use super::plain::{self, Number, Scribe};

/// The longest line, in bytes.
const LINE_MAX: usize = 32 << 10;
/// The highest bit of a count.
const COUNT_MAX: usize = u64::BITS as usize - 1;
/// All lines of a statement, in bytes: longer ones are not held twice.
const LINES_MAX: usize = 16 << 20;
/// Statements that are not tried after one that was given up: those into a table are alike.
const REST: u32 = 15;

/// What all rows have at one position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// `NULL`
    pub null: bool,
    /// Strings.
    pub text: bool,
    /// Some of the strings have bytes that are not ASCII.
    pub wide: bool,
    /// What its numbers are like.
    pub numbers: Numbers,
}

/// What the texts of some numbers are like. None has leading zeros or is minus zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Numbers {
    /// How many digits they have, before and after the point: bit *n* for *n*, the highest one for
    /// all that are more. 0 if there are no numbers.
    pub digits: u64,
    /// The same for the digits after the point.
    pub scales: u64,
    /// Some have a minus.
    pub negative: bool,
    /// Some have an exponent.
    pub exponent: bool,
}

impl Seen {
    /// What two parts of the rows have together.
    pub fn and(self, other: Seen) -> Seen {
        Seen {
            null: self.null | other.null,
            text: self.text | other.text,
            wide: self.wide | other.wide,
            numbers: self.numbers.and(other.numbers),
        }
    }
}

impl Numbers {
    #[inline]
    fn and(self, other: Numbers) -> Numbers {
        Numbers {
            digits: self.digits | other.digits,
            scales: self.scales | other.scales,
            negative: self.negative | other.negative,
            exponent: self.exponent | other.exponent,
        }
    }
}

/// The lines of some rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lines<'a> {
    /// Their text.
    pub text: &'a [u8],
    /// What is in them; every line has a field for each.
    pub seen: &'a [Seen],
}

/// Writes the lines of one statement after another.
#[derive(Debug)]
pub struct LineWriter {
    text: Vec<u8>,
    seen: Vec<Seen>,
    /// The line that is being written, and what whole words leave behind it.
    line: Box<[u8]>,
    /// Where in it the next byte goes; beyond its end if it is too long.
    at: usize,
    /// The high bits of what was written since the last field.
    high: u64,
    /// This statement's lines are not to be had.
    gave_up: bool,
    /// Statements until the next try.
    rest: u32,
}

impl LineWriter {
    /// One that has no lines yet.
    pub fn new() -> LineWriter {
        LineWriter {
            text: Vec::new(),
            seen: Vec::new(),
            line: vec![0; LINE_MAX].into_boxed_slice(),
            at: 0,
            high: 0,
            gave_up: false,
            rest: 0,
        }
    }

    /// The lines of `text`, if it is rows of plain literals from its start to its end, all of them
    /// such as are written here.
    pub fn lines(&mut self, text: &[u8], rules: Rules) -> Option<Lines<'_>> {
        if !self.begin() {
            return None;
        }
        plain::all_rows(text, rules, |_, _, _| (), self)?;
        self.written()
    }

    /// Forgets the last statement; whether to write the lines of the next one.
    pub(crate) fn begin(&mut self) -> bool {
        match self.gave_up {
            true => self.rest = REST,
            false => self.rest = self.rest.saturating_sub(1),
        }
        self.text.clear();
        self.seen.clear();
        self.gave_up = false;
        self.rest == 0
    }

    /// Whether the lines of this statement are still to be had.
    pub(crate) fn is_on(&self) -> bool {
        self.rest == 0 && !self.gave_up
    }

    /// The lines of the statement's rows, all of which were told.
    pub(crate) fn written(&self) -> Option<Lines<'_>> {
        self.is_on().then_some(Lines { text: &self.text, seen: &self.seen })
    }

    #[inline]
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.line.get_mut(self.at) {
            *place = byte;
        }
        self.at += 1;
    }
}

impl Default for LineWriter {
    fn default() -> LineWriter {
        LineWriter::new()
    }
}

impl Scribe for LineWriter {
    #[inline]
    fn row_begins(&mut self) {
        (self.at, self.high) = (0, 0);
    }

    /// Writes the whole word, whatever it holds: what is too much is written over.
    #[inline]
    fn bytes(&mut self, word: Word, length: usize) {
        self.digits(word, length);
        self.high |= word::high_bits(word, length);
    }

    #[inline]
    fn digits(&mut self, word: Word, length: usize) {
        let place = self.line.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut);
        match place {
            Some(place) => *place = word,
            // The line may end here, but is not worth a second way of writing.
            None => self.at = LINE_MAX,
        }
        self.at += length;
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.high |= u64::from(byte & 0x80);
        let letter = match byte {
            0 => b'0',
            b'\t' => b't',
            b'\n' => b'n',
            b'\\' => b'\\',
            _ => return self.push(byte),
        };
        self.push(b'\\');
        self.push(letter);
    }

    #[inline]
    fn cell_begins(&mut self, position: usize) {
        if position > 0 {
            self.push(b'\t');
        }
        if position >= self.seen.len() {
            // Later rows have to be as long as the first one.
            match self.text.is_empty() {
                true => self.seen.push(Seen::default()),
                false => self.gave_up = true,
            }
        }
    }

    #[inline]
    fn text(&mut self, position: usize) {
        if let Some(seen) = self.seen.get_mut(position) {
            seen.text = true;
            seen.wide |= self.high != 0;
        }
        self.high = 0;
    }

    #[inline]
    fn number(&mut self, position: usize, number: Number) {
        let Number { digits, scale, negative, exponent, is_odd } = number;
        let bit = |count: usize| 1 << count.min(COUNT_MAX);
        let numbers = Numbers { digits: bit(digits), scales: bit(scale), negative, exponent };
        if let Some(seen) = self.seen.get_mut(position) {
            seen.numbers = seen.numbers.and(numbers);
        }
        self.gave_up |= is_odd;
    }

    #[inline]
    fn null(&mut self, position: usize) {
        if let Some(seen) = self.seen.get_mut(position) {
            seen.null = true;
        }
        self.push(b'\\');
        self.push(b'N');
    }

    fn other(&mut self) {
        self.gave_up = true;
    }

    #[inline]
    fn row_ends(&mut self, cells: usize) {
        self.push(b'\n');
        let is_whole = cells == self.seen.len() && self.text.len() + self.at <= LINES_MAX;
        match self.line.get(..self.at) {
            Some(line) if is_whole => self.text.extend_from_slice(line),
            _ => self.gave_up = true,
        }
    }
}
