//! Rows of a result, walked as they arrive and handed on as a bulk load takes them.
//!
//! A row is a byte 0xD1 (ROW) and its cells, or 0xD2 (NBCROW), a bit for each column that is NULL, and
//! the cells that are not; \[MS-TDS\] 2.2.7.19 and 2.2.7.13. A bulk load takes ROW only (2.2.6.1), so the
//! second is written as the first. Decimals, which servers send as short as they can be, are filled up to
//! [`NUMBER_BYTES`]; every other byte stays as it is and nothing is decoded.
//!
//! Promises: any cut of the input gives the same output; a cell may be of any length, for only the
//! heads of cells (up to [`HEAD_MAX`] bytes) and the bits are ever waited for; a length that its type
//! forbids is an error and no more is read.

use super::bytes::{Reader, Short};

/// The token of a whole row.
pub const ROW: u8 = 0xd1;
/// The token of a row whose NULLs are left out.
pub const COMPACT_ROW: u8 = 0xd2;
/// The longest head of a cell: the pointer, the timestamp and the length of a `text`.
pub const HEAD_MAX: usize = 1 + 255 + 8 + 4;

/// The bytes of every decimal in a bulk load: its sign and a number of 16 bytes. A load may say so of any
/// precision, and there are servers that read no other length (Babelfish for PostgreSQL).
pub const NUMBER_BYTES: u8 = 17;

/// How the lengths of a column's values are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// They are not: always so many bytes, never NULL.
    Fixed(u8),
    /// By one byte, zero for NULL; at most so many.
    Byte(u8),
    /// Likewise; written with [`NUMBER_BYTES`].
    Number(u8),
    /// By two bytes, 0xFFFF for NULL; at most so many.
    Short(u16),
    /// By four bytes, zero for NULL; at most so many (`sql_variant`).
    Long(u32),
    /// By four bytes behind a pointer, whose length is zero for NULL (`text`, `ntext`, `image`).
    Pointer,
    /// In chunks, each behind its length, the last one empty (`(max)`, `xml`, types of users).
    Chunks,
}

/// A server sent what no row can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The column's number, from 0.
    pub column: usize,
}

/// Follows the rows of one result.
#[derive(Debug)]
pub struct Walker {
    shapes: Vec<Shape>,
    place: Place,
    column: usize,
    /// The bits of a row whose NULLs are left out; empty for a whole row.
    nulls: Vec<u8>,
}

/// Where between two inputs the walker stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Between,
    Cell,
    Body(u64),
    ChunkHead,
    ChunkBody(u64),
}

/// What became of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// Bytes that were dealt with. Those behind them are to come again, with more behind them.
    pub consumed: usize,
    /// Rows that ended.
    pub rows: u64,
}

/// What a cell begins with.
enum Head {
    Value { bytes: usize, body: u64 },
    Chunks { bytes: usize },
}

impl Walker {
    /// Before the first row of a result with such columns.
    pub fn new(shapes: Vec<Shape>) -> Self {
        Self { shapes, place: Place::Between, column: 0, nulls: Vec::new() }
    }

    /// Whether the last row has ended.
    pub fn is_between(&self) -> bool {
        self.place == Place::Between
    }

    /// Walks over `input` until it ends, until it is no row, or until a row ends with `out` at `room`
    /// bytes or more.
    pub fn walk(
        &mut self,
        input: &[u8],
        out: &mut Vec<u8>,
        room: usize,
    ) -> Result<Walked, Malformed> {
        let (mut at, mut rows) = (0, 0);
        // Where that begins which is to be copied.
        let mut from = 0;
        loop {
            match self.place {
                Place::Between => {
                    if out.len() + (at - from) >= room {
                        break;
                    }
                    let Some(head) = self.begin_row(&input[at..]) else { break };
                    // Of a compact row the head is not copied.
                    if !self.nulls.is_empty() {
                        out.extend(&input[from..at]);
                        out.push(ROW);
                        from = at + head;
                    }
                    at += head;
                }
                Place::Cell => {
                    let Some(shape) = self.shapes.get(self.column).copied() else {
                        rows += 1;
                        self.place = Place::Between;
                        continue;
                    };
                    if self.is_left_out() {
                        let null = shape.null().ok_or(Malformed { column: self.column })?;
                        out.extend(&input[from..at]);
                        out.extend(null);
                        from = at;
                        self.column += 1;
                        continue;
                    }
                    if let Some(number) = shape.short_number(&input[at..]) {
                        let Some(number) = number else { break };
                        out.extend(&input[from..at]);
                        at += fill_up(number, out);
                        from = at;
                        self.column += 1;
                        continue;
                    }
                    match shape.head(&input[at..]) {
                        Ok(Some(head)) => at += self.enter(&head),
                        Ok(None) => return Err(Malformed { column: self.column }),
                        Err(Short) => break,
                    }
                }
                Place::Body(left) | Place::ChunkBody(left) => {
                    let there = input.len() - at;
                    let taken = usize::try_from(left).map_or(there, |left| left.min(there));
                    at += taken;
                    if !self.pass(left - taken as u64) {
                        break;
                    }
                }
                Place::ChunkHead => {
                    let Ok(length) = Reader::new(&input[at..]).u32() else { break };
                    at += 4;
                    self.begin_chunk(length);
                }
            }
        }
        out.extend(&input[from..at]);
        Ok(Walked { consumed: at, rows })
    }

    /// Goes behind the head of a row, and gives its length. `None` if no row's head is there wholly.
    fn begin_row(&mut self, input: &[u8]) -> Option<usize> {
        let bits = match input.first() {
            Some(&ROW) => 0,
            Some(&COMPACT_ROW) => self.shapes.len().div_ceil(8),
            Some(_) | None => return None,
        };
        let nulls = input.get(1..1 + bits)?;
        self.nulls.clear();
        self.nulls.extend(nulls);
        (self.column, self.place) = (0, Place::Cell);
        Some(1 + bits)
    }

    /// Whether the present column is NULL and therefore not there.
    fn is_left_out(&self) -> bool {
        self.nulls.get(self.column / 8).is_some_and(|bits| bits & (1 << (self.column % 8)) != 0)
    }

    /// Goes behind the head of a cell, and gives its length.
    fn enter(&mut self, head: &Head) -> usize {
        match *head {
            Head::Value { bytes, body } => {
                self.place = Place::Body(body);
                bytes
            }
            Head::Chunks { bytes } => {
                self.place = Place::ChunkHead;
                bytes
            }
        }
    }

    /// Notes what is left of a body; false if that is to come.
    fn pass(&mut self, left: u64) -> bool {
        match (self.place, left) {
            (Place::ChunkBody(_), 0) => self.place = Place::ChunkHead,
            (_, 0) => self.end_cell(),
            (Place::ChunkBody(_), left) => self.place = Place::ChunkBody(left),
            (_, left) => self.place = Place::Body(left),
        }
        left == 0
    }

    /// A chunk of so many bytes follows; an empty one ends the cell.
    fn begin_chunk(&mut self, length: u32) {
        match length {
            0 => self.end_cell(),
            length => self.place = Place::ChunkBody(u64::from(length)),
        }
    }

    fn end_cell(&mut self) {
        self.column += 1;
        self.place = Place::Cell;
    }
}

/// Writes a decimal with all the bytes that one may have: the low ones come first. Gives the bytes that it had,
/// its length included.
fn fill_up(number: &[u8], out: &mut Vec<u8>) -> usize {
    const ZEROS: [u8; NUMBER_BYTES as usize] = [0; NUMBER_BYTES as usize];
    out.push(NUMBER_BYTES);
    out.extend(number);
    out.extend(&ZEROS[number.len()..]);
    1 + number.len()
}

impl Shape {
    /// What a bulk load takes for NULL; `None` where there is no NULL.
    pub fn null(self) -> Option<&'static [u8]> {
        match self {
            Self::Fixed(_) => None,
            Self::Byte(_) | Self::Number(_) | Self::Pointer => Some(&[0]),
            Self::Short(_) => Some(&[0xff; 2]),
            Self::Long(_) => Some(&[0; 4]),
            Self::Chunks => Some(&[0xff; 8]),
        }
    }

    /// The decimal that `input` begins with, if it is to be filled up; `Some(None)` if it is not there wholly.
    fn short_number(self, input: &[u8]) -> Option<Option<&[u8]>> {
        let Self::Number(max) = self else { return None };
        let length = *input.first()?;
        let is_short = (1..NUMBER_BYTES).contains(&length) && length <= max;
        is_short.then(|| input.get(1..1 + usize::from(length)))
    }

    /// Reads the head of a cell. `Ok(None)` if no such cell can be.
    fn head(self, input: &[u8]) -> Result<Option<Head>, Short> {
        const NULL: u16 = 0xffff;
        let mut reader = Reader::new(input);
        let limited = |length: u64, max: u64| (length <= max).then_some(length);
        let body = match self {
            Self::Fixed(bytes) => Some(u64::from(bytes)),
            Self::Byte(max) => limited(u64::from(reader.u8()?), u64::from(max)),
            Self::Number(max) => limited(u64::from(reader.u8()?), u64::from(max)),
            Self::Short(max) => match reader.u16()? {
                NULL => Some(0),
                length => limited(u64::from(length), u64::from(max)),
            },
            Self::Long(max) => limited(u64::from(reader.u32()?), u64::from(max)),
            Self::Pointer => match reader.u8()? {
                0 => Some(0),
                pointer => {
                    reader.take(usize::from(pointer) + 8)?;
                    limited(u64::from(reader.u32()?), i32::MAX as u64)
                }
            },
            // The whole length may be told, or be 0xFFFFFFFFFFFFFFFE; the chunks tell it anyway.
            Self::Chunks => match reader.u64()? {
                u64::MAX => Some(0),
                _ => return Ok(Some(Head::Chunks { bytes: reader.position() })),
            },
        };
        Ok(body.map(|body| Head::Value { bytes: reader.position(), body }))
    }

    /// Cuts the first cell off rows in the form that [`Walker::walk`] writes. `None` is NULL.
    pub fn cell<'a>(
        self,
        reader: &mut Reader<'a>,
    ) -> Result<Option<std::borrow::Cow<'a, [u8]>>, Short> {
        if let Self::Number(_) = self {
            return Self::Byte(NUMBER_BYTES).cell(reader);
        }
        let rest = reader.rest();
        let is_null = self.null().is_some_and(|null| rest.starts_with(null));
        match self.head(rest)?.ok_or(Short)? {
            Head::Value { bytes, body } => {
                reader.take(bytes)?;
                let body = reader.take(usize::try_from(body).map_err(|_| Short)?)?;
                Ok((!is_null).then_some(body.into()))
            }
            Head::Chunks { bytes } => {
                reader.take(bytes)?;
                let mut whole = Vec::new();
                loop {
                    match reader.u32()? {
                        0 => return Ok(Some(whole.into())),
                        length => whole.extend(reader.take(length as usize)?),
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
