//! Columns and rows on the wire: results as a server sends them, bulk loads as it takes them.

use std::io;

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its TYPE_INFO, byte for byte; of `text` and its like without the table's name.
    pub type_info: Vec<u8>,
    /// It takes NULL.
    pub nullable: bool,
}

/// The bytes of a value, without what tells their length. `None` is NULL.
pub type Cell = Option<Vec<u8>>;

/// Columns and rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// The columns.
    pub columns: Vec<Column>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
    /// In a result: NULLs are left out.
    pub compact: bool,
}

/// How the length of a value is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    None(usize),
    One,
    Two,
    Four,
    BehindPointer,
    Chunks,
}

/// Reads from the front.
pub(super) struct Input<'a> {
    pub(super) bytes: &'a [u8],
}

const COLUMNS: u8 = 0x81;
const ROW: u8 = 0xd1;
const COMPACT_ROW: u8 = 0xd2;
const DONE: u8 = 0xfd;

impl Column {
    /// A column that takes NULL.
    pub fn new(name: &str, type_info: &[u8]) -> Self {
        Self { name: name.into(), type_info: type_info.into(), nullable: true }
    }

    /// One that does not.
    #[must_use]
    pub fn not_null(self) -> Self {
        Self { nullable: false, ..self }
    }

    fn is_long(&self) -> bool {
        matches!(self.type_info[0], 0x22 | 0x23 | 0x63)
    }

    fn length(&self) -> Length {
        let is_max = || self.type_info[1..3] == [0xff, 0xff];
        match self.type_info[0] {
            0x30 | 0x32 => Length::None(1),
            0x34 => Length::None(2),
            0x38 | 0x3a | 0x3b | 0x7a => Length::None(4),
            0x3c..=0x3e | 0x7f => Length::None(8),
            0xa5 | 0xa7 | 0xad | 0xaf | 0xe7 | 0xef if is_max() => Length::Chunks,
            0xa5 | 0xa7 | 0xad | 0xaf | 0xe7 | 0xef => Length::Two,
            0xf0 | 0xf1 => Length::Chunks,
            0x62 => Length::Four,
            0x22 | 0x23 | 0x63 => Length::BehindPointer,
            _ => Length::One,
        }
    }
}

impl Rows {
    /// A result's columns and rows, without its end.
    pub(super) fn to_result(&self) -> Vec<u8> {
        let mut out = vec![COLUMNS];
        out.extend((self.columns.len() as u16).to_le_bytes());
        for column in &self.columns {
            out.extend(0_u32.to_le_bytes());
            out.extend(u16::from(column.nullable).to_le_bytes());
            out.extend(&column.type_info);
            if column.is_long() {
                // One part of the table's name.
                out.extend([1, 1, 0, b't', 0]);
            }
            out.push(column.name.encode_utf16().count() as u8);
            out.extend(column.name.encode_utf16().flat_map(u16::to_le_bytes));
        }
        for row in &self.rows {
            self.put_row(row, &mut out);
        }
        out
    }

    fn put_row(&self, row: &[Cell], out: &mut Vec<u8>) {
        match self.compact {
            false => out.push(ROW),
            true => {
                out.push(COMPACT_ROW);
                for eight in row.chunks(8) {
                    let bits = eight.iter().enumerate();
                    out.push(bits.fold(0, |b, (at, cell)| b | (u8::from(cell.is_none()) << at)));
                }
            }
        }
        for (column, cell) in self.columns.iter().zip(row) {
            match cell {
                None if self.compact => {}
                None => put_null(column.length(), out),
                Some(value) => put_value(column.length(), value, out),
            }
        }
    }

    /// Reads a bulk load.
    pub(super) fn read_load(content: &[u8]) -> io::Result<Self> {
        let mut input = Input { bytes: content };
        if input.u8()? != COLUMNS {
            return Err(fault("a bulk load does not begin with columns"));
        }
        let count = input.u16()?;
        let columns: io::Result<Vec<Column>> = (0..count).map(|_| input.column()).collect();
        let columns = columns?;
        let mut rows = Vec::new();
        loop {
            match input.bytes.first() {
                None => break,
                Some(&ROW) => {
                    input.u8()?;
                    rows.push(columns.iter().map(|c| input.cell(c)).collect::<io::Result<_>>()?);
                }
                Some(&DONE) => {
                    input.take(13)?;
                    if !input.bytes.is_empty() {
                        return Err(fault("a bulk load goes on behind its end"));
                    }
                }
                Some(other) => return Err(fault(&format!("a bulk load has a token {other:#x}"))),
            }
        }
        Ok(Self { columns, rows, compact: false })
    }
}

fn put_null(length: Length, out: &mut Vec<u8>) {
    match length {
        Length::None(_) => {}
        Length::One | Length::BehindPointer => out.push(0),
        Length::Two => out.extend([0xff; 2]),
        Length::Four => out.extend([0; 4]),
        Length::Chunks => out.extend([0xff; 8]),
    }
}

fn put_value(length: Length, value: &[u8], out: &mut Vec<u8>) {
    /// Of the values in chunks.
    const CHUNK_BYTES: usize = 5000;
    match length {
        Length::None(_) => {}
        Length::One => out.push(value.len() as u8),
        Length::Two => out.extend((value.len() as u16).to_le_bytes()),
        Length::Four => out.extend((value.len() as u32).to_le_bytes()),
        Length::BehindPointer => {
            out.push(16);
            out.extend([0x64; 16 + 8]);
            out.extend((value.len() as u32).to_le_bytes());
        }
        Length::Chunks => {
            out.extend((value.len() as u64).to_le_bytes());
            for chunk in value.chunks(CHUNK_BYTES) {
                out.extend((chunk.len() as u32).to_le_bytes());
                out.extend(chunk);
            }
            out.extend([0; 4]);
            return;
        }
    }
    out.extend(value);
}

pub(super) fn fault(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, count: usize) -> io::Result<&'a [u8]> {
        let (taken, rest) =
            self.bytes.split_at_checked(count).ok_or_else(|| fault("a message is cut"))?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn u8(&mut self) -> io::Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn u16(&mut self) -> io::Result<u16> {
        Ok(u16::from_le_bytes([self.u8()?, self.u8()?]))
    }

    pub(super) fn u32(&mut self) -> io::Result<u32> {
        Ok(u32::from(self.u16()?) | u32::from(self.u16()?) << 16)
    }

    pub(super) fn text(&mut self, characters: usize) -> io::Result<String> {
        let bytes = self.take(2 * characters)?;
        let units: Vec<u16> =
            bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
        String::from_utf16(&units).map_err(|_| fault("a text is no UTF-16"))
    }

    fn column(&mut self) -> io::Result<Column> {
        let _user_type = self.u32()?;
        let flags = self.u16()?;
        let before = self.bytes;
        let rest = match self.u8()? {
            0x30 | 0x32 | 0x34 | 0x38 | 0x3a | 0x3b | 0x3c | 0x3d | 0x3e | 0x7a | 0x7f | 0x28 => 0,
            0x24 | 0x26 | 0x29 | 0x2a | 0x2b | 0x68 | 0x6d | 0x6e | 0x6f => 1,
            0x6a | 0x6c => 3,
            0xa5 | 0xad => 2,
            0xa7 | 0xaf | 0xe7 | 0xef => 2 + 5,
            0x22 | 0x62 => 4,
            0x23 | 0x63 => 4 + 5,
            other => return Err(fault(&format!("a bulk load has a column of type {other:#x}"))),
        };
        self.take(rest)?;
        let type_info = before[..1 + rest].to_vec();
        let mut column = Column { name: String::new(), type_info, nullable: flags & 1 != 0 };
        if column.is_long() {
            let table = self.u16()?;
            self.text(usize::from(table))?;
        }
        let characters = self.u8()?;
        column.name = self.text(usize::from(characters))?;
        Ok(column)
    }

    fn cell(&mut self, column: &Column) -> io::Result<Cell> {
        let length = match column.length() {
            Length::None(bytes) => bytes,
            Length::One => match self.u8()? {
                0 => return Ok(None),
                length => usize::from(length),
            },
            Length::Two => match self.u16()? {
                0xffff => return Ok(None),
                length => usize::from(length),
            },
            Length::Four => match self.u32()? {
                0 => return Ok(None),
                length => length as usize,
            },
            Length::BehindPointer => match self.u8()? {
                0 => return Ok(None),
                pointer => {
                    self.take(usize::from(pointer) + 8)?;
                    self.u32()? as usize
                }
            },
            Length::Chunks => return self.chunks(),
        };
        Ok(Some(self.take(length)?.to_vec()))
    }

    fn chunks(&mut self) -> io::Result<Cell> {
        let told = u64::from(self.u32()?) | u64::from(self.u32()?) << 32;
        if told == u64::MAX {
            return Ok(None);
        }
        let mut value = Vec::new();
        loop {
            match self.u32()? as usize {
                0 => break,
                length => value.extend(self.take(length)?),
            }
        }
        if told != u64::MAX - 1 && told != value.len() as u64 {
            return Err(fault("a value is not as long as it says"));
        }
        Ok(Some(value))
    }
}
