//! One table of the source: what is read of each row, and in which form the target takes it.
//!
//! Pure. The one place that knows, type by type, which text of a value loses nothing on its way, and
//! which expression tells two values apart on both servers.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::import::indexes::deferral::identifier;
use crate::mysql::facts::Flavor;

/// The name of every primary key.
pub const PRIMARY: &str = "PRIMARY";

/// Stands between the values of a row in its digest: a byte that neither numbers nor texts in UTF-8 have.
const SEPARATOR: &str = "X'FF'";
/// Begins a row in its digest. As a cast it makes bytes of the whole; else MySQL would convert each number that
/// goes into a text, which takes a quarter more time.
const BEGINNING: &str = "CAST(X'FF' AS BINARY)";

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// `SHOW CREATE TABLE` without the next AUTO_INCREMENT value.
    pub create: String,
    /// That value.
    pub auto_increment: Option<u64>,
    /// Its storage engine.
    pub engine: String,
    /// Its rows are copied with their history (MariaDB's system versioning).
    pub history: bool,
    /// How many rows it may have.
    pub rows_estimated: u64,
    /// How many bytes its rows may take.
    pub bytes_estimated: u64,
    /// Its columns in order; those the server hides completely are not told.
    pub columns: Vec<Column>,
    /// Its keys.
    pub keys: Vec<Key>,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type's name in lower case, without arguments.
    pub data_type: String,
    /// Character set of its text.
    pub charset: Option<String>,
    /// Collation of its text.
    pub collation: Option<String>,
    /// NULL is allowed.
    pub nullable: bool,
    /// The server computes it.
    pub generated: bool,
    /// The whole type in lower case.
    pub column_type: String,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Its name.
    pub name: String,
    /// No two rows are alike in it.
    pub unique: bool,
    /// Its columns in order.
    pub columns: Vec<String>,
    /// It has whole columns only: no prefixes, no expressions.
    pub whole: bool,
}

/// How the bounds of a chunk are read and written, for one column of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// A number as it is.
    Number,
    /// By its number: ENUM, SET, BIT.
    Ordinal,
    /// A quoted word of digits and punctuation: dates, times, UUIDs, addresses.
    Word,
    /// Bytes.
    Binary,
    /// Text of a character set, in the order of a collation.
    Text(String, String),
}

impl Table {
    /// Whether readers see it as it was at the snapshot.
    pub fn is_transactional(&self) -> bool {
        ["innodb", "rocksdb", "tokudb", "ndbcluster", "sequence"]
            .contains(&self.engine.to_ascii_lowercase().as_str())
    }

    /// The columns that are read and written.
    pub fn stored(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| !column.generated)
    }

    /// The key along which the table is cut into chunks: the primary one, else another that tells
    /// all rows apart.
    pub fn chunk_key(&self) -> Option<(&Key, Vec<(&Column, Bound)>)> {
        let mut keys: Vec<&Key> = self.keys.iter().filter(|key| key.unique && key.whole).collect();
        keys.sort_by_key(|key| key.name != PRIMARY);
        keys.into_iter().find_map(|key| {
            let bounds: Option<Vec<_>> = key.columns.iter().map(|name| self.bound(name)).collect();
            Some((key, bounds?))
        })
    }

    /// Whether it has a primary key.
    pub fn has_primary_key(&self) -> bool {
        self.keys.iter().any(|key| key.name == PRIMARY)
    }

    /// Whether the order of a collation decides which chunk has a row.
    pub fn is_cut_by_text(&self) -> bool {
        let key = self.chunk_key();
        key.is_some_and(|(_, bounds)| bounds.iter().any(|(_, b)| matches!(b, Bound::Text(..))))
    }

    fn bound(&self, name: &str) -> Option<(&Column, Bound)> {
        let column = self.columns.iter().find(|column| column.name == *name)?;
        if column.nullable {
            return None;
        }
        let bound = match column.data_type.as_str() {
            "tinyint" | "smallint" | "mediumint" | "int" | "bigint" | "decimal" | "year" => {
                Bound::Number
            }
            "enum" | "set" | "bit" => Bound::Ordinal,
            "date" | "datetime" | "timestamp" | "time" | "uuid" | "inet4" | "inet6" => Bound::Word,
            "binary" | "varbinary" => Bound::Binary,
            "char" | "varchar" => Bound::Text(column.charset.clone()?, column.collation.clone()?),
            // Fractions have no exact literals, and long values no whole keys.
            _ => return None,
        };
        Some((column, bound))
    }

    /// The rows' source: with their history, if there is one.
    pub fn from(&self, schema: &str, key: Option<&str>) -> String {
        let history = if self.history { " FOR SYSTEM_TIME ALL" } else { "" };
        let forced = key.map(|key| format!(" FORCE INDEX ({})", identifier(key)));
        let (schema, table) = (identifier(schema), identifier(&self.name));
        format!("{schema}.{table}{history}{}", forced.unwrap_or_default())
    }

    /// What is selected of each row, in the order of [`Table::stored`].
    pub fn selected(&self) -> String {
        let list: Vec<String> = self.stored().map(Column::selected).collect();
        // A table may have computed columns only.
        if list.is_empty() { "NULL".to_owned() } else { list.join(", ") }
    }

    /// The columns of a LOAD DATA, and what is set besides.
    pub fn loaded(&self, target: Flavor) -> String {
        let mut columns = Vec::new();
        let mut set = Vec::new();
        for (index, column) in self.stored().enumerate() {
            match column.conversion(target, &format!("@c{index}")) {
                None => columns.push(identifier(&column.name)),
                Some(converted) => {
                    columns.push(format!("@c{index}"));
                    set.push(format!("{} = {converted}", identifier(&column.name)));
                }
            }
        }
        if columns.is_empty() {
            columns.push("@nothing".to_owned());
        }
        let set = if set.is_empty() { String::new() } else { format!(" SET {}", set.join(", ")) };
        format!("({}){set}", columns.join(", "))
    }

    /// The columns of an INSERT.
    pub fn inserted(&self) -> String {
        let names: Vec<String> = self.stored().map(|column| identifier(&column.name)).collect();
        names.join(", ")
    }

    /// A number for a row: equal for equal rows on both servers, different for almost all others.
    /// `is_across`: the servers may be of two kinds.
    pub fn row_digest(&self, is_across: bool) -> String {
        // Servers do not put texts of several character sets together; bytes they do.
        let charsets: BTreeSet<&str> = self.columns.iter().filter_map(Column::short_text).collect();
        let is_mixed = charsets.len() > 1;
        let compared = |column: &Column| match column.short_text() {
            Some(_) if is_mixed => format!("CAST({} AS BINARY)", identifier(&column.name)),
            _ if is_across && matches!(column.data_type.as_str(), "float" | "double") => {
                // Kinds of server write fractions otherwise; in a point they are bits.
                format!("CRC32(POINT({}, 0))", identifier(&column.name))
            }
            _ => column.compared(),
        };
        let (nullable, present): (Vec<&Column>, Vec<&Column>) =
            self.columns.iter().partition(|column| column.nullable);
        // Where two may have the separator in them, it does not tell where one ends.
        let opaque = self.columns.iter().filter(|column| column.is_opaque()).skip(1);
        let mut lengths: Vec<String> =
            opaque.map(|column| format!("LENGTH({})", identifier(&column.name))).collect();
        let (ended, open): (Vec<&Column>, Vec<&Column>) =
            present.into_iter().partition(|column| column.ends_itself());
        let mut parts = vec![BEGINNING.to_owned()];
        parts.extend(ended.into_iter().map(compared));
        for column in open {
            parts.extend([compared(column), SEPARATOR.to_owned()]);
        }
        // CONCAT is the faster one, but makes NULL of everything; CONCAT_WS passes over NULLs: which columns
        // are NULL is said apart.
        if !nullable.is_empty() {
            let names = nullable.iter().map(|column| identifier(&column.name));
            let nulls: Vec<String> = names.map(|name| format!("ISNULL({name})")).collect();
            let values: Vec<String> = nullable.into_iter().map(compared).collect();
            lengths.push(format!("CONCAT({})", nulls.join(", ")));
            let tail = [values, lengths].concat().join(", ");
            parts.push(format!("CONCAT_WS({BEGINNING}, {tail})"));
        } else if !lengths.is_empty() {
            parts.push(format!("CONCAT_WS({BEGINNING}, {})", lengths.join(", ")));
        }
        if parts.len() == 1 {
            return "0".to_owned();
        }
        format!("CRC32(CONCAT({}))", parts.join(", "))
    }
}

impl Column {
    /// Its text that loses nothing.
    fn selected(&self) -> String {
        let name = identifier(&self.name);
        match self.data_type.as_str() {
            // Shown with six digits; as a double it has all of them, and its sign.
            "float" => format!("{name} * 1e0"),
            _ if self.is_ordinal() => format!("CAST({name} AS UNSIGNED)"),
            _ => name,
        }
    }

    /// The expression that makes the value of `variable`, where the target does not take plain
    /// bytes.
    fn conversion(&self, target: Flavor, variable: &str) -> Option<String> {
        match self.data_type.as_str() {
            "json" if target == Flavor::MySql => Some(format!("CONVERT({variable} USING utf8mb4)")),
            "uuid" | "inet4" | "inet6" => Some(format!("CONVERT({variable} USING ascii)")),
            _ if self.is_ordinal() => Some(format!("CAST({variable} AS UNSIGNED)")),
            _ => None,
        }
    }

    /// An empty text is a member of its own beside the value that is none of the members, which
    /// shows as the same: only numbers tell them apart.
    fn is_ordinal(&self) -> bool {
        let members = &self.column_type;
        matches!(self.data_type.as_str(), "enum" | "set")
            && ["('',", ",'',", ",'')", "('')"].iter().any(|empty| members.contains(empty))
    }

    /// Its type by a name that both kinds of server share; MariaDB's JSON is text.
    pub fn kind(&self) -> &str {
        match self.data_type.as_str() {
            "json" => "longtext",
            "geomcollection" => "geometrycollection",
            other => other,
        }
    }

    /// Whether an INSERT writes it as a number.
    pub fn is_number(&self) -> bool {
        const NUMBERS: [&str; 9] = [
            "tinyint",
            "smallint",
            "mediumint",
            "int",
            "bigint",
            "decimal",
            "float",
            "double",
            "year",
        ];
        NUMBERS.contains(&self.data_type.as_str()) || self.is_ordinal()
    }

    /// Whether its text has digits, letters and punctuation only, of which a backslash is none.
    pub fn is_plain(&self) -> bool {
        const WORDS: [&str; 7] =
            ["date", "datetime", "timestamp", "time", "uuid", "inet4", "inet6"];
        self.is_number() || WORDS.contains(&self.data_type.as_str())
    }

    /// Whether an INSERT writes it as text rather than bytes.
    pub fn is_text(&self) -> bool {
        matches!(self.data_type.as_str(), "json" | "uuid" | "inet4" | "inet6")
    }

    /// The character set of text that is compared as it is.
    fn short_text(&self) -> Option<&str> {
        let is_short = matches!(self.data_type.as_str(), "char" | "varchar" | "tinytext");
        self.charset.as_deref().filter(|_| is_short)
    }

    /// Whether its values go into a digest as they are, and may be any bytes.
    fn is_opaque(&self) -> bool {
        match self.data_type.as_str() {
            "binary" | "varbinary" | "tinyblob" => true,
            _ => self.short_text().is_some_and(|charset| !charset.starts_with("utf8")),
        }
    }

    /// Whether its text tells by itself where it ends, as long as it is not NULL: dates by their length,
    /// decimals by the digits behind their point.
    fn ends_itself(&self) -> bool {
        match self.data_type.as_str() {
            "date" | "datetime" | "timestamp" => true,
            "decimal" => {
                let scale = self.column_type.split(['(', ',', ')']).nth(2);
                scale.is_some_and(|scale| scale.trim().parse::<u8>().is_ok_and(|scale| scale > 0))
            }
            _ => false,
        }
    }

    /// A text that tells its values apart.
    fn compared(&self) -> String {
        let name = identifier(&self.name);
        match self.data_type.as_str() {
            "float" => format!("{name} * 1e0"),
            "enum" | "set" => format!("{name} + 0"),
            "bit" | "vector" => format!("HEX({name})"),
            "json" => format!("CRC32(CAST({name} AS CHAR))"),
            // A whole of them in one text could be longer than the server allows.
            "mediumtext" | "longtext" | "mediumblob" | "longblob" | "text" | "blob" => {
                format!("CRC32({name})")
            }
            "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
            | "multipolygon" | "geometrycollection" | "geomcollection" => {
                // As it is stored, with its SRID: functions differ in the order of its coordinates.
                format!("CRC32({name})")
            }
            _ => name,
        }
    }
}
