//! The columns of a result: the token COLMETADATA and its TYPE_INFO, \[MS-TDS\] 2.2.7.4 and 2.2.5.6.
//!
//! Promises: what cannot be walked with certainty is refused by the number of its type, never guessed.
//! Deliberately not here: what values mean. Only how their lengths are told is known ([`Shape`]).

use super::bytes::{Reader, Short};
use super::row::Shape;

/// One column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name; empty if it has none.
    pub name: String,
    /// What else is said of it, see [`Column::NULLABLE`] and [`Column::IDENTITY`].
    pub flags: u16,
    /// Its type.
    pub kind: Kind,
}

/// A type as a result tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The type's number.
    pub code: Code,
    /// The most bytes of a value; [`Kind::UNLIMITED`] for `(max)` and its like.
    pub bytes_max: u32,
    /// Of decimals.
    pub precision: u8,
    /// Of decimals, and of times the digits of a second.
    pub scale: u8,
    /// Of texts.
    pub collation: Option<[u8; 5]>,
}

/// The numbers of types, \[MS-TDS\] 2.2.5.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "the names are those of the protocol")]
pub enum Code {
    Image = 0x22,
    Guid = 0x24,
    Text = 0x23,
    IntN = 0x26,
    Date = 0x28,
    Time = 0x29,
    DateTime2 = 0x2a,
    DateTimeOffset = 0x2b,
    Int1 = 0x30,
    Bit = 0x32,
    Int2 = 0x34,
    Int4 = 0x38,
    SmallDateTime = 0x3a,
    Real = 0x3b,
    Money = 0x3c,
    DateTime = 0x3d,
    Float = 0x3e,
    Variant = 0x62,
    NText = 0x63,
    BitN = 0x68,
    Decimal = 0x6a,
    Numeric = 0x6c,
    FloatN = 0x6d,
    MoneyN = 0x6e,
    DateTimeN = 0x6f,
    SmallMoney = 0x7a,
    Int8 = 0x7f,
    VarBinary = 0xa5,
    VarChar = 0xa7,
    Binary = 0xad,
    Char = 0xaf,
    NVarChar = 0xe7,
    NChar = 0xef,
    Udt = 0xf0,
    Xml = 0xf1,
}

/// Why columns were not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unread {
    /// There are not enough bytes.
    Short,
    /// A type that this file does not know.
    UnknownType(u8),
    /// A type that says something impossible of itself.
    Malformed(u8),
}

/// The token's number.
pub const TOKEN: u8 = 0x81;
/// "There are no columns", which is not the same as none.
const NO_METADATA: u16 = 0xffff;

const ALL: [Code; 35] = {
    use Code::*;
    [
        Image,
        Guid,
        Text,
        IntN,
        Date,
        Time,
        DateTime2,
        DateTimeOffset,
        Int1,
        Bit,
        Int2,
        Int4,
        SmallDateTime,
        Real,
        Money,
        DateTime,
        Float,
        Variant,
        NText,
        BitN,
        Decimal,
        Numeric,
        FloatN,
        MoneyN,
        DateTimeN,
        SmallMoney,
        Int8,
        VarBinary,
        VarChar,
        Binary,
        Char,
        NVarChar,
        NChar,
        Udt,
        Xml,
    ]
};

impl From<Short> for Unread {
    fn from(Short: Short) -> Self {
        Self::Short
    }
}

impl Code {
    fn of(number: u8) -> Option<Self> {
        ALL.into_iter().find(|code| *code as u8 == number)
    }
}

impl Column {
    /// In [`Column::flags`]: the column takes NULL.
    pub const NULLABLE: u16 = 0x0001;
    /// In [`Column::flags`]: the column numbers its rows.
    pub const IDENTITY: u16 = 0x0010;

    /// Reads what stands behind the token's number.
    pub fn read_all(reader: &mut Reader<'_>) -> Result<Vec<Self>, Unread> {
        let count = reader.u16()?;
        if count == NO_METADATA {
            return Ok(Vec::new());
        }
        (0..count).map(|_| Self::read(reader)).collect()
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, Unread> {
        let _user_type = reader.u32()?;
        let flags = reader.u16()?;
        let kind = Kind::read(reader)?;
        if matches!(kind.code, Code::Text | Code::NText | Code::Image) {
            // The table's name, in parts.
            for _ in 0..reader.u8()? {
                reader.long_text()?;
            }
        }
        Ok(Self { name: reader.short_text()?, flags, kind })
    }

    /// Whether it takes NULL.
    pub fn is_nullable(&self) -> bool {
        self.flags & Self::NULLABLE != 0
    }
}

impl Kind {
    /// Of values without a limit of their own.
    pub const UNLIMITED: u32 = u32::MAX;
    /// What types with a length of two bytes say for "(max)".
    const MAX: u16 = 0xffff;

    /// Reads TYPE_INFO.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Unread> {
        let number = reader.u8()?;
        let code = Code::of(number).ok_or(Unread::UnknownType(number))?;
        let mut kind = Self { code, bytes_max: 0, precision: 0, scale: 0, collation: None };
        kind.read_rest(reader)?;
        match kind.is_possible() {
            true => Ok(kind),
            false => Err(Unread::Malformed(number)),
        }
    }

    fn read_rest(&mut self, reader: &mut Reader<'_>) -> Result<(), Unread> {
        use Code::*;
        match self.code {
            Int1 | Bit => self.bytes_max = 1,
            Int2 => self.bytes_max = 2,
            Int4 | SmallDateTime | Real | SmallMoney => self.bytes_max = 4,
            Money | DateTime | Float | Int8 => self.bytes_max = 8,
            Date => self.bytes_max = 3,
            Guid | IntN | BitN | FloatN | MoneyN | DateTimeN => {
                self.bytes_max = u32::from(reader.u8()?);
            }
            Time | DateTime2 | DateTimeOffset => {
                self.scale = reader.u8()?;
                self.bytes_max = self.time_bytes();
            }
            Decimal | Numeric => {
                self.bytes_max = u32::from(reader.u8()?);
                (self.precision, self.scale) = (reader.u8()?, reader.u8()?);
            }
            VarBinary | Binary => self.bytes_max = Self::length(reader.u16()?),
            VarChar | Char | NVarChar | NChar => {
                self.bytes_max = Self::length(reader.u16()?);
                self.collation = Some(collation(reader)?);
            }
            Text | NText => {
                self.bytes_max = reader.u32()?;
                self.collation = Some(collation(reader)?);
            }
            Image | Variant => self.bytes_max = reader.u32()?,
            Xml => {
                self.bytes_max = Self::UNLIMITED;
                if reader.u8()? != 0 {
                    // Database, schema and name of its schema collection.
                    reader.short_text()?;
                    reader.short_text()?;
                    reader.long_text()?;
                }
            }
            Udt => {
                reader.u16()?;
                // Values come in chunks whatever their limit is. \[MS-TDS\] 2.2.5.5.2.
                self.bytes_max = Self::UNLIMITED;
                // Database, schema, name, and the name of the assembly.
                for _ in 0..3 {
                    reader.short_text()?;
                }
                reader.long_text()?;
            }
        }
        Ok(())
    }

    fn length(told: u16) -> u32 {
        if told == Self::MAX { Self::UNLIMITED } else { u32::from(told) }
    }

    /// Bytes of a time with so many digits, and of the date and offset beside it. \[MS-TDS\] 2.2.5.5.1.8.
    fn time_bytes(&self) -> u32 {
        let time = match self.scale {
            0..=2 => 3,
            3 | 4 => 4,
            _ => 5,
        };
        time + match self.code {
            Code::DateTime2 => 3,
            Code::DateTimeOffset => 3 + 2,
            _ => 0,
        }
    }

    fn is_possible(&self) -> bool {
        use Code::*;
        let bytes = self.bytes_max;
        match self.code {
            Guid => bytes == 16,
            IntN => matches!(bytes, 1 | 2 | 4 | 8),
            BitN => bytes == 1,
            FloatN | MoneyN | DateTimeN => matches!(bytes, 4 | 8),
            Time | DateTime2 | DateTimeOffset => self.scale <= 7,
            Decimal | Numeric => {
                bytes <= 17 && (1..=38).contains(&self.precision) && self.scale <= self.precision
            }
            _ => true,
        }
    }

    /// How the lengths of its values are told.
    pub fn shape(&self) -> Shape {
        use Code::*;
        match self.code {
            Int1 | Bit | Int2 | Int4 | SmallDateTime | Real | SmallMoney | Money | DateTime
            | Float | Int8 => Shape::Fixed(self.bytes_max as u8),
            Guid | IntN | BitN | FloatN | MoneyN | DateTimeN | Date | Time | DateTime2
            | DateTimeOffset => Shape::Byte(self.bytes_max as u8),
            Decimal | Numeric => Shape::Number(self.bytes_max as u8),
            VarBinary | Binary | VarChar | Char | NVarChar | NChar | Udt | Xml => {
                match u16::try_from(self.bytes_max) {
                    Ok(bytes) => Shape::Short(bytes),
                    Err(_) => Shape::Chunks,
                }
            }
            Text | NText | Image => Shape::Pointer,
            Variant => Shape::Long(self.bytes_max),
        }
    }
}

fn collation(reader: &mut Reader<'_>) -> Result<[u8; 5], Short> {
    let mut collation = [0; 5];
    collation.copy_from_slice(reader.take(5)?);
    Ok(collation)
}
