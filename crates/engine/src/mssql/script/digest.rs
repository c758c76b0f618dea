//! The rows of a table, or of a chunk, as a few numbers that both sides can compare.
//!
//! Promises: the numbers do not depend on the order of rows, on collations, languages or formats; a NULL
//! differs from an empty value, a value in one column from the same value in the next, and every bit of
//! every value that is sent counts. Equal numbers are no proof against an adversary: 128 bits of SHA-256 are
//! summed, and of long values [`Form::Texts`] has 64 bits only. Both sides are to be asked in one form.
//! Needs SQL Server 2016, where HASHBYTES takes long values. Columns that are not sent do not count.

use super::load::sent;
use crate::mssql::catalog::column::Column;
use crate::mssql::catalog::schema::Table;
use crate::mssql::name::quoted;

/// How many columns are put into one expression: the server refuses expressions that are nested too deeply.
pub const GROUP_MAX: usize = 64;

/// What a row's values become before they are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Bytes one after another.
    Bytes,
    /// Numbers and times as texts, everything else by a hash of its own, a variant by that of its text: for
    /// servers that do not put bytes together but add them (Babelfish for PostgreSQL).
    Texts,
}

/// The expression that is 1 where a server puts bytes together.
pub const JOINS_BYTES: &str = "CASE WHEN DATALENGTH(0x01 + 0x02) = 2 THEN 1 ELSE 0 END";

/// The question for the count of rows and four sums, all bigint. `from` is the table, quoted, with hints;
/// `condition` is a chunk's.
pub fn question(table: &Table, form: Form, from: &str, condition: Option<&str>) -> String {
    let filter = condition.map(|text| format!(" WHERE {text}")).unwrap_or_default();
    let sums: Vec<String> = [1, 5, 9, 13]
        .iter()
        .map(|at| {
            // Four bytes each, so that sums of fewer than two thousand million rows fit.
            format!("COALESCE(SUM(CAST(CAST(SUBSTRING(d.h, {at}, 4) AS int) AS bigint)), 0)")
        })
        .collect();
    format!(
        "SELECT COUNT_BIG(*), {} FROM (SELECT {} AS h FROM {from}{filter}) AS d",
        sums.join(", "),
        row(table, form)
    )
}

/// The question for the count of rows alone.
pub fn count(from: &str, condition: Option<&str>) -> String {
    let filter = condition.map(|text| format!(" WHERE {text}")).unwrap_or_default();
    format!("SELECT COUNT_BIG(*) FROM {from}{filter}")
}

/// The expression that gives a row's 32 bytes.
pub fn row(table: &Table, form: Form) -> String {
    match form {
        Form::Bytes => row_of_bytes(table),
        Form::Texts => row_of_texts(table),
    }
}

fn row_of_bytes(table: &Table) -> String {
    let pieces: Vec<String> = sent(table).into_iter().map(piece).collect();
    let groups: Vec<String> = pieces.chunks(GROUP_MAX).map(hashed).collect();
    match groups.as_slice() {
        [one] => one.clone(),
        groups => hashed(groups),
    }
}

/// Values one after another, hashed. What begins with a `max` type is not cut at 8,000 bytes.
fn hashed(pieces: &[String]) -> String {
    let mut text = "CAST(0x AS varbinary(max))".to_owned();
    for piece in pieces {
        text.push_str(" + ");
        text.push_str(piece);
    }
    format!("HASHBYTES('SHA2_256', {text})")
}

/// Texts one after another, hashed. What begins with a `max` type is not cut at 8,000 bytes.
fn row_of_texts(table: &Table) -> String {
    let pieces: Vec<String> = sent(table).into_iter().map(text).collect();
    let groups =
        pieces.chunks(GROUP_MAX).map(|pieces| format!(", CONCAT('', {})", pieces.join(", ")));
    let groups: String = groups.collect();
    format!("HASHBYTES('SHA2_256', CONCAT(CAST('' AS varchar(max)), ''{groups}))")
}

/// A column's text with a mark for NULL and one behind every value, neither of which is in a text.
fn text(column: &Column) -> String {
    let name = quoted(&column.name);
    let hash =
        |bytes: String| format!("CAST(SUBSTRING(HASHBYTES('SHA2_256', {bytes}), 1, 8) AS bigint)");
    let varying = |value: &str| hash(format!("CAST({value} AS varbinary(max))"));
    let value = match column.kind.base.as_str() {
        "money" | "smallmoney" => format!("CAST({name} AS decimal(19, 4))"),
        "float" => format!("CAST(CAST({name} AS binary(8)) AS bigint)"),
        "real" => format!("CAST(CAST({name} AS binary(4)) AS int)"),
        "date" | "datetime" | "smalldatetime" | "datetime2" => format!("{name}, 126"),
        "time" | "datetimeoffset" => format!("{name}, 121"),
        "bit" | "tinyint" | "smallint" | "int" | "bigint" | "decimal" | "numeric"
        | "uniqueidentifier" => name,
        "sql_variant" => {
            // Where bytes are added, neither are lengths known nor collations kept.
            let properties = properties(&name, &["BaseType", "Precision", "Scale"]);
            let value = format!("CAST({name} AS nvarchar(4000))");
            // Of a NULL all is empty, which is a value too.
            let value = varying(&format!("CONCAT({properties}, {value})"));
            format!("CASE WHEN {name} IS NOT NULL THEN {value} END")
        }
        "text" => varying(&format!("CAST({name} AS varchar(max))")),
        "ntext" | "xml" | "json" => varying(&format!("CAST({name} AS nvarchar(max))")),
        _ => varying(&name),
    };
    format!("ISNULL(CONVERT(varchar(64), {value}) + ',', 'N')")
}

/// A column's bytes with a mark for NULL, and with their count where that varies.
fn piece(column: &Column) -> String {
    match bytes(column) {
        Bytes::Fixed(bytes) => format!("ISNULL(0x01 + {bytes}, 0x00)"),
        Bytes::Varying(bytes) => {
            format!("ISNULL(0x01 + CAST(DATALENGTH({bytes}) AS binary(4)) + {bytes}, 0x00)")
        }
    }
}

/// An expression of binary type that is NULL where the value is.
enum Bytes {
    /// Always as many.
    Fixed(String),
    /// Not always as many.
    Varying(String),
}

fn bytes(column: &Column) -> Bytes {
    let name = quoted(&column.name);
    let kind = &column.kind;
    let text = |value: String| Bytes::Varying(format!("CAST({value} AS varbinary(64))"));
    let long = |value: String| {
        Bytes::Fixed(format!("HASHBYTES('SHA2_256', CAST({value} AS varbinary(max)))"))
    };
    match kind.base.as_str() {
        "bit" | "tinyint" | "smallint" | "int" | "bigint" => {
            Bytes::Fixed(format!("CAST(CAST({name} AS bigint) AS binary(8))"))
        }
        "decimal" | "numeric" => text(format!("CONVERT(varchar(64), {name})")),
        "money" | "smallmoney" => {
            text(format!("CONVERT(varchar(64), CAST({name} AS decimal(19, 4)))"))
        }
        "float" => Bytes::Fixed(format!("CAST({name} AS binary(8))")),
        "real" => Bytes::Fixed(format!("CAST({name} AS binary(4))")),
        "date" | "datetime" | "smalldatetime" | "datetime2" => {
            text(format!("CONVERT(varchar(64), {name}, 126)"))
        }
        "time" | "datetimeoffset" => text(format!("CONVERT(varchar(64), {name}, 121)")),
        "uniqueidentifier" => Bytes::Fixed(format!("CAST({name} AS binary(16))")),
        "sql_variant" => Bytes::Fixed(variant(&name)),
        "text" => long(format!("CAST({name} AS varchar(max))")),
        "ntext" | "xml" | "json" => long(format!("CAST({name} AS nvarchar(max))")),
        "char" | "varchar" | "nchar" | "nvarchar" | "binary" | "varbinary" if !kind.is_large() => {
            // Beside a mark and a count 8,000 bytes would be cut.
            Bytes::Varying(format!("CAST({name} AS varbinary(max))"))
        }
        // Long ones, and those whose bytes are a format of their own: geometry, hierarchyid.
        _ => long(name),
    }
}

/// A variant's type with all that belongs to it, and its bytes.
fn variant(name: &str) -> String {
    let properties =
        properties(name, &["BaseType", "Precision", "Scale", "MaxLength", "Collation"]);
    format!(
        "HASHBYTES('SHA2_256', CAST(CONCAT({properties}) AS varbinary(max)) + CAST({name} AS varbinary(8000)))"
    )
}

/// What belongs to a variant's type, as arguments of CONCAT.
fn properties(name: &str, properties: &[&str]) -> String {
    let properties = properties.iter().map(|property| {
        format!("CAST(SQL_VARIANT_PROPERTY({name}, '{property}') AS nvarchar(128)), N','")
    });
    properties.collect::<Vec<String>>().join(", ")
}
