//! A key or an index of a table, a view or a table type.
//!
//! Promises: it holds every option that `CREATE INDEX` gives again; hypothetical indexes are none.

use super::schema::Compression;

/// What an index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The rows themselves, in order.
    Clustered,
    /// Beside the rows.
    Nonclustered,
    /// The rows themselves, by columns.
    ClusteredColumnstore,
    /// Some columns beside the rows, by columns.
    Columnstore,
}

/// Why an index is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `PRIMARY KEY`.
    Primary,
    /// `UNIQUE` constraint.
    Unique,
    /// `CREATE INDEX`.
    Plain,
}

/// A column of an index's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its name.
    pub name: String,
    /// From large to small.
    pub is_descending: bool,
}

/// An index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Index {
    /// Its name, which for a key is the constraint's.
    pub name: String,
    /// What it is.
    pub form: Form,
    /// Why it is there.
    pub role: Role,
    /// No two rows have one key.
    pub is_unique: bool,
    /// Its key; none for a columnstore.
    pub key: Vec<KeyColumn>,
    /// What it holds beside the key; of a columnstore all that it holds.
    pub included: Vec<String>,
    /// By what an ordered columnstore is ordered.
    pub order: Vec<String>,
    /// Which rows it has, in parentheses.
    pub filter: Option<String>,
    /// It is off.
    pub is_disabled: bool,
    /// In percent; 0 for the server's own.
    pub fill_factor: i64,
    /// Upper pages are filled like that as well.
    pub is_padded: bool,
    /// Rows with a key that is there are left out with a warning.
    pub ignores_duplicates: bool,
    /// Its statistics are not kept up.
    pub no_recompute: bool,
    /// It may lock rows.
    pub allows_row_locks: bool,
    /// It may lock pages.
    pub allows_page_locks: bool,
    /// `OPTIMIZE_FOR_SEQUENTIAL_KEY`.
    pub for_sequential_key: bool,
    /// How it is compressed.
    pub compression: Compression,
    /// XML in it is compressed.
    pub xml_compression: bool,
    /// Minutes for which new rows of a columnstore stay as they are.
    pub compression_delay: Option<i64>,
}

impl Index {
    /// It is the rows themselves.
    pub fn is_clustered(&self) -> bool {
        matches!(self.form, Form::Clustered | Form::ClusteredColumnstore)
    }
}
