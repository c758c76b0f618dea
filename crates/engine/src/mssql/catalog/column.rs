//! A column of a table or a table type, and how its rows travel.
//!
//! Promises: which columns a bulk load sends is decided here and nowhere else, so that source and target
//! agree on every position.

use super::schema::{Kind, ObjectId};
use crate::mssql::name::qualified;

/// A column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its number in the catalog; gaps are where columns were dropped.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Of texts.
    pub collation: Option<String>,
    /// It may be NULL.
    pub is_nullable: bool,
    /// NULLs take no room.
    pub is_sparse: bool,
    /// It shows all sparse columns as one.
    pub is_column_set: bool,
    /// `ROWGUIDCOL`.
    pub is_rowguid: bool,
    /// `SELECT *` leaves it out.
    pub is_hidden: bool,
    /// Where its value comes from.
    pub source: Source,
    /// Its default.
    pub default: Option<DefaultValue>,
}

/// Where a column's values come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// From whoever writes the row.
    Written,
    /// From a counter, unless it is written with IDENTITY_INSERT.
    Identity(Identity),
    /// From an expression.
    Computed {
        /// In parentheses.
        definition: String,
        /// It is kept.
        is_persisted: bool,
    },
    /// From the server, which says when a row began to hold.
    PeriodStart,
    /// From the server, which says when a row ceased to.
    PeriodEnd,
}

/// A counter. Numbers are texts: they may be `decimal(38)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The first value.
    pub seed: String,
    /// What is added.
    pub increment: String,
    /// The last value that was given; `None` if there was none.
    pub last: Option<String>,
    /// Replication's agents write their own.
    pub not_for_replication: bool,
}

/// A default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultValue {
    /// The catalog's number of the constraint.
    pub id: ObjectId,
    /// The name of the constraint.
    pub name: String,
    /// In parentheses.
    pub definition: String,
}

impl Column {
    /// Its values change with every write and cannot be written: `rowversion`.
    pub fn is_rowversion(&self) -> bool {
        self.kind.base == "timestamp"
    }

    /// A bulk load sends it. Not sent are computed columns and `rowversion`, which cannot be written, and
    /// column sets, whose columns are sent themselves. Columns of a period are sent: the target has no
    /// period yet while rows come in.
    pub fn is_sent(&self) -> bool {
        let is_computed = matches!(self.source, Source::Computed { .. });
        !is_computed && !self.is_rowversion() && !self.is_column_set
    }
}

impl Kind {
    /// As a definition writes it, without collation.
    pub fn definition(&self) -> String {
        match &self.schema {
            Some(schema) => qualified(schema, &self.name),
            None => self.base_definition(),
        }
    }

    /// The server's own type beneath, as a definition writes it.
    pub fn base_definition(&self) -> String {
        let base = self.base.as_str();
        match base {
            "timestamp" => "rowversion".to_owned(),
            "nvarchar" | "nchar" if self.schema.is_none() && self.name == "sysname" => {
                "sysname".to_owned()
            }
            "char" | "varchar" | "binary" | "varbinary" => self.with_length(base, 1),
            "nchar" | "nvarchar" => self.with_length(base, 2),
            "decimal" | "numeric" => format!("{base}({}, {})", self.precision, self.scale),
            "time" | "datetime2" | "datetimeoffset" => format!("{base}({})", self.scale),
            // `float(n)` is kept as `real` or as `float(53)`.
            "float" if self.precision > 0 && self.precision <= 24 => "real".to_owned(),
            // Four bytes a number after eight of a head.
            "vector" => format!("vector({})", (self.max_length - 8).max(0) / 4),
            _ => base.to_owned(),
        }
    }

    /// A text type, which has a collation.
    pub fn is_text(&self) -> bool {
        matches!(self.base.as_str(), "char" | "varchar" | "nchar" | "nvarchar" | "text" | "ntext")
    }

    /// A value may be longer than a page.
    pub fn is_large(&self) -> bool {
        let base = self.base.as_str();
        self.max_length == -1 || matches!(base, "text" | "ntext" | "image" | "xml" | "json")
    }

    fn with_length(&self, base: &str, bytes: i64) -> String {
        match self.max_length {
            -1 => format!("{base}(max)"),
            length => format!("{base}({})", length / bytes),
        }
    }
}
