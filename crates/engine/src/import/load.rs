//! INSERT rows as LOAD DATA LOCAL: the one place that says when both store the same.
//!
//! A server parses a LOAD DATA stream several times faster than INSERT text. Both ways end in the
//! same function of a column, `store(bytes, character set)`, so they agree where the literal would
//! have reached it with the same bytes in the same character set; [`way`] is the matrix of column
//! types and literal kinds for which that holds. What is not in it goes as INSERT text. LOAD DATA
//! LOCAL is never strict, so what differs in strictness shows as a warning or a skipped row, and
//! the caller must not commit such a load. Pure: no connection here; rows are in [`encode`].

use dump::rules::{Multibyte, Rules};

use super::batch::Batch;
use super::session::SessionState;
use super::table::Column;

mod encode;
mod ready;
#[cfg(test)]
mod tests;

pub use encode::encode;

/// Why something goes as INSERT text.
pub type Reason = &'static str;

/// The server or our account does not have LOAD DATA LOCAL, whatever its variables say.
pub const REFUSED: Reason = "the server refuses LOAD DATA LOCAL";

/// `sql_mode` words under which literals and LOAD DATA are known to agree.
const MODES: [&str; 24] = [
    "ALLOW_INVALID_DATES",
    "ANSI",
    "ANSI_QUOTES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "HIGH_NOT_PRECEDENCE",
    "IGNORE_BAD_TABLE_OPTIONS",
    "IGNORE_SPACE",
    "NO_AUTO_CREATE_USER",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "NO_DIR_IN_CREATE",
    "NO_ENGINE_SUBSTITUTION",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_ZERO_DATE",
    "NO_ZERO_IN_DATE",
    "ONLY_FULL_GROUP_BY",
    "PAD_CHAR_TO_FULL_LENGTH",
    "PIPES_AS_CONCAT",
    "REAL_AS_FLOAT",
    "STRICT_ALL_TABLES",
    "STRICT_TRANS_TABLES",
    "TIME_ROUND_FRACTIONAL",
    "TIME_TRUNCATE_FRACTIONAL",
    "TRADITIONAL",
];

/// Client character sets of one byte a character in which bytes below 0x80 are ASCII: any bytes are
/// text in them.
const SINGLE_BYTE: [&str; 17] = [
    "armscii8", "cp1250", "cp1251", "cp1256", "cp1257", "cp850", "cp852", "cp866", "dec8", "greek",
    "hebrew", "koi8r", "koi8u", "latin1", "latin2", "latin5", "latin7",
];

/// How the batches of one table go as LOAD DATA LOCAL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadPlan {
    /// The statement. It names a file that does not exist: the data is in memory.
    pub statement: Vec<u8>,
    slots: Vec<Slot>,
    rules: Rules,
    client: Client,
}

/// The cells of one position in the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Slot {
    takes: Takes,
    nullable: bool,
    check: Check,
    /// Sent as hexadecimal digits, because its bytes are no text in the stream's character set.
    hex: bool,
}

/// What kind of column it is, as far as literals feel it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Takes {
    Integer,
    Decimal {
        /// Digits after the point.
        scale: u32,
    },
    Float,
    Year,
    Bit,
    Text,
    /// Reads strings in a syntax of its own; what it makes of numbers is not known here.
    Parsed,
    Bytes,
    Geometry,
    /// Computed by the server: left out of the load.
    Generated,
}

/// What strings have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Check {
    Any,
    Ascii,
    Utf8,
}

/// The character set of the file's literals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Client {
    Binary,
    SingleByte(&'static str),
    /// utf8mb3
    Utf8Three,
    /// utf8mb4
    Utf8Four,
}

/// A literal, as the matrix sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Literal {
    Null,
    Default,
    Boolean,
    Number(Number),
    /// A string in the client's character set.
    Text,
    /// `_binary 'x'`
    Binary,
    /// Bytes in hexadecimal.
    Hex {
        bytes: usize,
    },
    Bits,
}

/// A number's text, without leading zeros, not minus zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    digits: u32,
    /// Digits after the point.
    scale: u32,
    negative: bool,
    exponent: bool,
}

/// How a literal is written into the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// `\N`
    Null,
    /// Not at all.
    Nothing,
    /// `1` or `0`
    Digit,
    /// The literal's own text.
    Copy,
    /// The string that it stands for.
    Decode,
    /// The bytes of its digits.
    Unhex,
    /// The number as the fewest bytes, the highest first.
    BigEndian,
}

/// The matrix: how a literal reaches a kind of column with the same outcome as in an INSERT.
fn way(takes: Takes, nullable: bool, literal: Literal) -> Option<Way> {
    let found = match (takes, literal) {
        (Takes::Generated, Literal::Default) => Way::Nothing,
        (Takes::Generated, _) | (_, Literal::Default) => return None,
        // NULL where it is not allowed is an error, a warning or a generated value.
        (_, Literal::Null) => return nullable.then_some(Way::Null),
        // The server cannot parse a geometry's text here, and its bytes come otherwise.
        (Takes::Geometry, Literal::Binary) => Way::Decode,
        (Takes::Geometry, Literal::Hex { .. }) => Way::Unhex,
        (Takes::Geometry, _) => return None,
        // A string literal and a field of the stream reach the column by the same function.
        (_, Literal::Text) => Way::Decode,
        (Takes::Bytes | Takes::Bit, Literal::Binary) => Way::Decode,
        (Takes::Bytes, Literal::Hex { .. }) => Way::Unhex,
        // Longer ones are numbers out of range.
        (Takes::Bit, Literal::Hex { bytes: 1..=8 }) => Way::Unhex,
        (Takes::Bit, Literal::Bits) => Way::BigEndian,
        (_, Literal::Binary | Literal::Hex { .. } | Literal::Bits) => return None,
        (Takes::Integer | Takes::Decimal { .. } | Takes::Float, Literal::Boolean) => Way::Digit,
        (_, Literal::Boolean) => return None,
        (_, Literal::Number(number)) => return number_way(takes, number),
    };
    Some(found)
}

/// Numbers: a literal becomes an integer, a decimal or a double before it is stored, a field of the
/// stream is text. They agree where the text says the same number to the column.
#[inline]
fn number_way(takes: Takes, number: Number) -> Option<Way> {
    // 65 digits is the longest decimal; longer literals are cut.
    const DIGITS_MAX: u32 = 60;
    let Number { digits, scale, negative, exponent } = number;
    let is_integer = scale == 0 && !exponent;
    let agrees = match takes {
        // Fractions are rounded in more than one way.
        Takes::Integer => is_integer && digits <= DIGITS_MAX,
        Takes::Decimal { scale: scale_max } => {
            !exponent && scale <= scale_max && digits <= DIGITS_MAX
        }
        Takes::Float => digits <= DIGITS_MAX,
        // 0 and '0' differ, and so do 70 and '70' on some servers.
        Takes::Year => is_integer && digits == 4 && !negative,
        // Its digits are what the server would print.
        Takes::Text | Takes::Bytes => is_integer && digits <= 18,
        Takes::Bit if is_integer && digits <= 19 && !negative => return Some(Way::BigEndian),
        Takes::Bit | Takes::Parsed | Takes::Geometry | Takes::Generated => false,
    };
    agrees.then_some(Way::Copy)
}

/// What a column takes; nothing if its type is not known here.
fn takes(column: &Column) -> Option<Takes> {
    if column.generated {
        return Some(Takes::Generated);
    }
    // MariaDB cuts what is too long for it without a word.
    if column.compressed {
        return None;
    }
    Some(match column.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "bigint" => Takes::Integer,
        "decimal" => Takes::Decimal { scale: column.scale },
        "float" | "double" => Takes::Float,
        "year" => Takes::Year,
        "bit" => Takes::Bit,
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => Takes::Text,
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Takes::Bytes,
        "date" | "time" | "datetime" | "timestamp" | "enum" | "set" | "json" | "uuid" | "inet4"
        | "inet6" => Takes::Parsed,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geomcollection" | "geometrycollection" => Takes::Geometry,
        _ => return None,
    })
}

/// Whether a column tells text from bytes: it cannot be given UTF-8 as a stream of bytes.
fn wants_text(column: &Column) -> bool {
    match (&column.charset, column.data_type.as_str()) {
        (Some(charset), _) => !matches!(charset.as_str(), "utf8" | "utf8mb3" | "utf8mb4"),
        (None, "json" | "uuid" | "inet4" | "inet6") => true,
        (None, _) => false,
    }
}

/// Whether no character of the column is a single byte.
fn is_wide(column: &Column) -> bool {
    let wide = |charset: &str| matches!(charset, "ucs2" | "utf16" | "utf16le" | "utf32");
    column.charset.as_deref().is_some_and(wide)
}

/// Decides what can be decided for all batches of a table that have `batch`'s column list and
/// rules.
pub fn plan(columns: &[Column], batch: &Batch, session: &SessionState) -> Result<LoadPlan, Reason> {
    let client = client(session, batch.rules)?;
    let given = given(columns, batch)?;
    let is_utf8 = matches!(client, Client::Utf8Three | Client::Utf8Four);
    let stored = || given.iter().copied().filter(|column| !column.generated);
    let as_text = is_utf8 && stored().any(wants_text);
    let stream = match client {
        Client::SingleByte(name) => name,
        Client::Binary => "binary",
        Client::Utf8Three | Client::Utf8Four if as_text => "utf8mb4",
        Client::Utf8Three | Client::Utf8Four => "binary",
    };
    let mut slots = Vec::with_capacity(given.len());
    for column in &given {
        let mut takes = takes(column).ok_or("a column's type has no proven load")?;
        if client == Client::Binary && is_wide(column) {
            // A number becomes text of the column's character set, the stream is taken for it.
            takes = Takes::Parsed;
        }
        let is_bytes = matches!(takes, Takes::Bytes | Takes::Bit | Takes::Geometry);
        let is_text = column.charset.is_some() || column.data_type == "json";
        let check = match (is_utf8, is_bytes, is_text) {
            (false, _, _) | (true, true, _) => Check::Any,
            (true, false, true) => Check::Utf8,
            (true, false, false) => Check::Ascii,
        };
        slots.push(Slot { takes, nullable: column.nullable, check, hex: as_text && is_bytes });
    }
    if stored().next().is_none() {
        return Err("no column is given a value");
    }
    if !session.speaks_utf8() && given.iter().any(|column| !column.name.is_ascii()) {
        return Err("a column's name is not ASCII");
    }
    let statement = statement(batch, stream, &given, &slots);
    Ok(LoadPlan { statement, slots, rules: batch.rules, client })
}

/// The character set of literals, if one conversion leads from them to the columns, and the
/// session's quoting is as the reader has it.
fn client(session: &SessionState, rules: Rules) -> Result<Client, Reason> {
    let modes = || session.sql_mode().split(',').filter(|mode| !mode.is_empty());
    if modes().any(|mode| !MODES.contains(&mode)) {
        return Err("sql_mode has something unusual");
    }
    let has = |wanted: &str| modes().any(|mode| mode == wanted);
    let agrees = has("NO_BACKSLASH_ESCAPES") == rules.no_backslash_escapes
        && has("ANSI_QUOTES") == rules.ansi_quotes;
    if !agrees || rules.multibyte != Multibyte::None {
        return Err("quotes are read in an unusual way");
    }
    let plain = |name| if name == "utf8" { "utf8mb3" } else { name };
    let name = plain(session.variable("character_set_client").unwrap_or_default());
    let collation = session.variable("collation_connection").unwrap_or_default();
    if plain(collation.split('_').next().unwrap_or_default()) != name {
        return Err("literals are converted twice");
    }
    match name {
        "binary" => Ok(Client::Binary),
        "utf8mb3" => Ok(Client::Utf8Three),
        "utf8mb4" => Ok(Client::Utf8Four),
        _ => SINGLE_BYTE
            .iter()
            .find(|known| **known == name)
            .map(|known| Client::SingleByte(known))
            .ok_or("the client's character set has no proven load"),
    }
}

/// The columns that the rows give values to, in their order.
fn given<'a>(columns: &'a [Column], batch: &Batch) -> Result<Vec<&'a Column>, Reason> {
    let named = |name: &Vec<u8>| {
        columns.iter().find(|column| name.eq_ignore_ascii_case(column.name.as_bytes()))
    };
    let given: Option<Vec<&Column>> = match &batch.columns {
        Some(names) => names.iter().map(named).collect(),
        None => Some(columns.iter().filter(|column| !column.invisible).collect()),
    };
    let given = given.ok_or("a column was not found")?;
    let is_given = |column: &Column| given.iter().filter(|other| other.name == column.name).count();
    for column in columns {
        match is_given(column) {
            0 if !column.generated && !column.plain_default => {
                return Err("a column that is not given has no plain default");
            }
            0 | 1 => {}
            _ => return Err("a column is given twice"),
        }
    }
    Ok(given)
}

/// Numbers in hexadecimal are strings under any sql_mode.
fn statement(batch: &Batch, stream: &str, given: &[&Column], slots: &[Slot]) -> Vec<u8> {
    let mut text = b"LOAD DATA LOCAL INFILE 'dbferry' INTO TABLE ".to_vec();
    if let Some(schema) = &batch.table.schema {
        push_name(&mut text, schema);
        text.push(b'.');
    }
    push_name(&mut text, &batch.table.name);
    text.extend_from_slice(b" CHARACTER SET ");
    text.extend_from_slice(stream.as_bytes());
    text.extend_from_slice(
        b" FIELDS TERMINATED BY 0x09 ESCAPED BY 0x5C LINES TERMINATED BY 0x0A (",
    );
    let mut set = Vec::new();
    let mut separator: &[u8] = b"";
    for (index, (column, slot)) in given.iter().zip(slots).enumerate() {
        if slot.takes == Takes::Generated {
            continue;
        }
        text.extend_from_slice(separator);
        separator = b",";
        if slot.hex {
            let variable = format!("@dbferry_{index}");
            text.extend_from_slice(variable.as_bytes());
            set.extend_from_slice(if set.is_empty() { b" SET " } else { b", " });
            push_name(&mut set, column.name.as_bytes());
            set.extend_from_slice(format!(" = UNHEX({variable})").as_bytes());
        } else {
            push_name(&mut text, column.name.as_bytes());
        }
    }
    text.push(b')');
    text.extend_from_slice(&set);
    text
}

fn push_name(text: &mut Vec<u8>, name: &[u8]) {
    text.push(b'`');
    text.extend(name.iter().flat_map(|b| std::iter::repeat_n(*b, 1 + usize::from(*b == b'`'))));
    text.push(b'`');
}
