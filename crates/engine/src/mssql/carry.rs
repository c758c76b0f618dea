//! From the columns of a result to those of a bulk load: all that differs between the two.
//!
//! The bytes of rows are the same but for [`super::row`]'s compact rows. What is said of the columns is
//! not, and this file is the only one that knows how:
//!
//! - A bulk load is announced by a statement that names the columns with their types (INSERT BULK), and
//!   begins with a COLMETADATA of its own, \[MS-TDS\] 2.2.6.1.
//! - Decimals are described and sent with [`NUMBER_BYTES`] whatever their precision: Microsoft's own driver for
//!   Java does so too.
//! - `xml` goes as `nvarchar(max)` (2.2.6.1: XMLTYPE is an error there). Its text comes as UTF-16 too.
//! - Types of users go as `varbinary(max)`, for a bulk load has no UDT_INFO (2.2.5.5.2).
//! - The names of tables that `text`, `ntext` and `image` have in a result are one text in a bulk load, where
//!   they say nothing; their values keep the pointer and the timestamp of the source, which the target
//!   ignores (2.2.7.4, 2.2.7.19).
//! - Computed columns, `rowversion` and generated columns take no values: whoever selects leaves them out.
//!   `rowversion` comes as `binary(8)`, and cannot be told from it here.
//!
//! Promises: what the target says of its own columns is compared ([`differs`]) before a byte is sent, so
//! a value never goes into a column of another type or another name.

use std::fmt::Write;

#[cfg(test)]
use super::bytes;
use super::metadata::{self, Code, Column, Kind};
use super::name::quoted;
use super::row::NUMBER_BYTES;

/// How a bulk load treats the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hints {
    /// NULL stays NULL where the column has a default.
    pub keep_nulls: bool,
    /// One lock for the whole table: for heaps, where others with it may load at the same time.
    pub lock_table: bool,
    /// Constraints are checked row by row. Without it they are no longer trusted.
    pub check_constraints: bool,
}

/// A column of a bulk load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// As the result tells it.
    pub column: Column,
    /// The name of its collation, for texts; without it the database's own is meant.
    pub collation: Option<String>,
}

/// The statement that announces a bulk load into `table`, which is quoted.
pub fn statement(table: &str, columns: &[Loaded], hints: Hints) -> String {
    let mut text = format!("INSERT BULK {table} (");
    for (index, Loaded { column, collation }) in columns.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        let _ = write!(text, "{comma}{} {}", quoted(&column.name), declared(&column.kind));
        if let Some(collation) = collation
            && column.kind.collation.is_some()
        {
            let _ = write!(text, " COLLATE {collation}");
        }
    }
    text.push(')');
    let words: Vec<&str> = [
        (hints.keep_nulls, "KEEP_NULLS"),
        (hints.lock_table, "TABLOCK"),
        (hints.check_constraints, "CHECK_CONSTRAINTS"),
    ]
    .into_iter()
    .filter_map(|(is_given, word)| is_given.then_some(word))
    .collect();
    if !words.is_empty() {
        let _ = write!(text, " WITH ({})", words.join(", "));
    }
    text
}

/// What a bulk load says of its columns before its rows.
pub fn columns(columns: &[Loaded]) -> Vec<u8> {
    // A column may be written; \[MS-TDS\] 2.2.7.4, usUpdateable.
    const WRITABLE: u16 = 0x0008;
    let mut out = vec![metadata::TOKEN];
    out.extend((columns.len() as u16).to_le_bytes());
    for Loaded { column, .. } in columns {
        out.extend(0_u32.to_le_bytes());
        let flags = column.flags & (Column::NULLABLE | Column::IDENTITY) | WRITABLE;
        out.extend(flags.to_le_bytes());
        describe(&column.kind, &mut out);
        if matches!(column.kind.code, Code::Text | Code::NText | Code::Image) {
            out.extend(0_u16.to_le_bytes());
        }
        // Names have at most 128 characters.
        let units: Vec<u16> = column.name.encode_utf16().take(usize::from(u8::MAX)).collect();
        out.push(units.len() as u8);
        out.extend(units.into_iter().flat_map(u16::to_le_bytes));
    }
    out
}

/// The end of the rows.
pub fn done() -> [u8; 13] {
    let mut token = [0; 13];
    token[0] = 0xfd;
    token
}

/// The first column that is not the same on the target, in words. Collations are compared as well: texts
/// would be taken for another code page.
pub fn differs(source: &[Column], target: &[Column]) -> Option<String> {
    if source.len() != target.len() {
        return Some(format!("{} columns and {}", source.len(), target.len()));
    }
    let pair = source.iter().zip(target).find(|(source, target)| {
        source.name != target.name || carried(&source.kind) != carried(&target.kind)
    });
    pair.map(|(source, target)| {
        format!(
            "{} {} and {} {}",
            quoted(&source.name),
            declared(&source.kind),
            quoted(&target.name),
            declared(&target.kind)
        )
    })
}

/// The type that goes in place of one.
fn carried(kind: &Kind) -> Kind {
    const NO_COLLATION: [u8; 5] = [0; 5];
    let bytes_max = Kind::UNLIMITED;
    match kind.code {
        Code::Xml => {
            Kind { code: Code::NVarChar, bytes_max, collation: Some(NO_COLLATION), ..kind.clone() }
        }
        Code::Udt => Kind { code: Code::VarBinary, bytes_max, ..kind.clone() },
        Code::Decimal | Code::Numeric => Kind { bytes_max: NUMBER_BYTES.into(), ..kind.clone() },
        _ => kind.clone(),
    }
}

/// TYPE_INFO, \[MS-TDS\] 2.2.5.6.
fn describe(kind: &Kind, out: &mut Vec<u8>) {
    use Code::*;
    let kind = carried(kind);
    out.push(kind.code as u8);
    let short = u16::try_from(kind.bytes_max).unwrap_or(u16::MAX);
    match kind.code {
        Int1 | Bit | Int2 | Int4 | SmallDateTime | Real | SmallMoney | Money | DateTime | Float
        | Int8 | Date => {}
        Guid | IntN | BitN | FloatN | MoneyN | DateTimeN => out.push(kind.bytes_max as u8),
        Time | DateTime2 | DateTimeOffset => out.push(kind.scale),
        Decimal | Numeric => out.extend([kind.bytes_max as u8, kind.precision, kind.scale]),
        VarBinary | Binary | VarChar | Char | NVarChar | NChar => out.extend(short.to_le_bytes()),
        Text | NText | Image | Variant => out.extend(kind.bytes_max.to_le_bytes()),
        // `carried` has put other types in their places.
        Udt | Xml => {}
    }
    out.extend(kind.collation.into_iter().flatten());
}

/// A type in T-SQL.
fn declared(kind: &Kind) -> String {
    use Code::*;
    let sized = |name: &str, unit: u32| match kind.bytes_max {
        Kind::UNLIMITED => format!("{name}(max)"),
        bytes => format!("{name}({})", bytes / unit),
    };
    let by_bytes = |small: &str, large: &str| match kind.bytes_max {
        4 => small.to_owned(),
        _ => large.to_owned(),
    };
    let plain = match kind.code {
        Int1 => "tinyint",
        Int2 => "smallint",
        Int4 => "int",
        Int8 => "bigint",
        IntN => match kind.bytes_max {
            1 => "tinyint",
            2 => "smallint",
            4 => "int",
            _ => "bigint",
        },
        Bit | BitN => "bit",
        Real => "real",
        Float => "float",
        FloatN => return by_bytes("real", "float"),
        SmallMoney => "smallmoney",
        Money => "money",
        MoneyN => return by_bytes("smallmoney", "money"),
        SmallDateTime => "smalldatetime",
        DateTime => "datetime",
        DateTimeN => return by_bytes("smalldatetime", "datetime"),
        Guid => "uniqueidentifier",
        Date => "date",
        Time => return format!("time({})", kind.scale),
        DateTime2 => return format!("datetime2({})", kind.scale),
        DateTimeOffset => return format!("datetimeoffset({})", kind.scale),
        Decimal => return format!("decimal({},{})", kind.precision, kind.scale),
        Numeric => return format!("numeric({},{})", kind.precision, kind.scale),
        VarBinary => return sized("varbinary", 1),
        Binary => return sized("binary", 1),
        VarChar => return sized("varchar", 1),
        Char => return sized("char", 1),
        NVarChar => return sized("nvarchar", 2),
        NChar => return sized("nchar", 2),
        Text => "text",
        NText => "ntext",
        Image => "image",
        Xml => "xml",
        Udt => "varbinary(max)",
        Variant => "sql_variant",
    };
    plain.to_owned()
}

/// `SELECT` of columns by their names from a table, which is quoted.
pub fn selection(table: &str, columns: &[&str]) -> String {
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    format!("SELECT {} FROM {table}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::bytes::Reader;
    use super::*;

    fn column(name: &str, kind: Kind) -> Loaded {
        let column = Column { name: name.into(), flags: Column::NULLABLE, kind };
        Loaded { column, collation: Some("Latin1_General_CI_AS".into()) }
    }

    fn kind(type_info: &[u8]) -> Kind {
        let mut reader = Reader::new(type_info);
        let kind = Kind::read(&mut reader).unwrap();
        assert!(reader.rest().is_empty());
        kind
    }

    #[track_caller]
    fn check(type_info: &[u8], text: &str, sent: &[u8]) {
        let kind = kind(type_info);
        let mut out = Vec::new();
        describe(&kind, &mut out);
        assert_eq!((declared(&kind).as_str(), out.as_slice()), (text, sent));
    }

    #[test]
    fn types_are_declared_and_described() {
        for (type_info, text) in [
            (&b"\x26\x01"[..], "tinyint"),
            (b"\x38", "int"),
            (b"\x6d\x04", "real"),
            (b"\x6e\x08", "money"),
            (b"\x6f\x04", "smalldatetime"),
            (b"\x29\x07", "time(7)"),
            (b"\x2b\x03", "datetimeoffset(3)"),
            (b"\x6a\x11\x26\x0a", "decimal(38,10)"),
            (b"\xa5\xff\xff", "varbinary(max)"),
            (b"\xe7\x64\x00\x09\x04\xd0\x00\x34", "nvarchar(50)"),
            (b"\xaf\x0a\x00\x09\x04\xd0\x00\x34", "char(10)"),
            (b"\x62\x49\x1f\x00\x00", "sql_variant"),
            (b"\x22\xff\xff\xff\x7f", "image"),
        ] {
            check(type_info, text, type_info);
        }
        check(b"\x6c\x05\x09\x02", "numeric(9,2)", b"\x6c\x11\x09\x02");
        let max = b"\xe7\xff\xff\0\0\0\0\0";
        check(b"\xf1\x00", "xml", max);
        check(b"\xf1\x01\x01d\0\x01s\0\x01\0c\0", "xml", max);
        check(b"\xf0\xff\xff\x01d\0\x01s\0\x01t\0\x01\0a\0", "varbinary(max)", b"\xa5\xff\xff");
    }

    #[test]
    fn the_statement_quotes_names() {
        let columns = [
            column("a]b", kind(b"\xe7\x64\x00\x09\x04\xd0\x00\x34")),
            column("n", kind(b"\x26\x04")),
        ];
        let hints = Hints { keep_nulls: true, lock_table: true, check_constraints: false };
        assert_eq!(
            statement("[s].[t]", &columns, hints),
            "INSERT BULK [s].[t] ([a]]b] nvarchar(50) COLLATE Latin1_General_CI_AS, [n] int) \
             WITH (KEEP_NULLS, TABLOCK)"
        );
    }

    #[test]
    fn other_columns_are_seen() {
        let all = |names: [&str; 2], second: &[u8]| {
            [column(names[0], kind(b"\x38")).column, column(names[1], kind(second)).column]
        };
        let source = all(["a", "b"], b"\x26\x08");
        assert_eq!(differs(&source, &source), None);
        let told = |target: &[Column]| differs(&source, target).unwrap();
        assert_eq!(told(&all(["a", "c"], b"\x26\x08")), "[b] bigint and [c] bigint");
        assert_eq!(told(&all(["a", "b"], b"\x26\x04")), "[b] bigint and [b] int");
        assert_eq!(told(&source[..1]), "2 columns and 1");
    }
}
