//! Tables of SQL Server as its catalog has them, for tests that need no catalog.

use engine::mssql::catalog::column::{Column, Source};
use engine::mssql::catalog::index::{Form, Index, KeyColumn, Role};
use engine::mssql::catalog::schema::{Compression, Kind, Table};

/// A type as the catalog has it.
fn kind(text: &str) -> Kind {
    let (base, arguments) = text.trim_end_matches(')').split_once('(').unwrap_or((text, ""));
    let numbers: Vec<i64> =
        arguments.split(',').map(|number| number.parse().unwrap_or(-1)).collect();
    let (first, second) = (numbers[0], numbers.get(1).copied().unwrap_or(0));
    let (max_length, precision, scale) = match base {
        "char" | "varchar" | "binary" | "varbinary" => (first, 0, 0),
        "nchar" | "nvarchar" if first > 0 => (2 * first, 0, 0),
        "nchar" | "nvarchar" | "xml" => (-1, 0, 0),
        "decimal" | "numeric" => (17, first, second),
        "time" | "datetime2" | "datetimeoffset" => (10, 0, first),
        "float" => (8, 53, 0),
        _ => (16, 0, 0),
    };
    let base = base.to_owned();
    Kind { schema: None, name: base.clone(), base, max_length, precision, scale }
}

/// A column as the catalog has it; of a text with this collation.
pub(crate) fn column(name: &str, text: &str, is_nullable: bool, collation: &str) -> Column {
    let kind = kind(text);
    let collation = kind.is_text().then(|| collation.to_owned());
    Column {
        id: 1,
        name: name.to_owned(),
        kind,
        collation,
        is_nullable,
        is_sparse: false,
        is_column_set: false,
        is_rowguid: false,
        is_hidden: false,
        source: Source::Written,
        default: None,
    }
}

/// A table of `dbo` as the catalog has it. It is said to have as many bytes as rows, so that a chunk of so many
/// bytes has so many rows.
pub(crate) fn table(name: &str, columns: Vec<Column>, key: &[&str]) -> Table {
    let key = key.iter().map(|name| KeyColumn { name: (*name).to_owned(), is_descending: false });
    let index = Index {
        name: format!("{name}_key"),
        form: Form::Clustered,
        role: Role::Primary,
        is_unique: true,
        key: key.collect(),
        included: Vec::new(),
        order: Vec::new(),
        filter: None,
        is_disabled: false,
        fill_factor: 0,
        is_padded: false,
        ignores_duplicates: false,
        no_recompute: false,
        allows_row_locks: true,
        allows_page_locks: true,
        for_sequential_key: false,
        compression: Compression::None,
        xml_compression: false,
        compression_delay: None,
    };
    Table {
        id: 1,
        schema: "dbo".into(),
        name: name.to_owned(),
        columns,
        indexes: if index.key.is_empty() { Vec::new() } else { vec![index] },
        heap: Compression::None,
        checks: Vec::new(),
        foreign_keys: Vec::new(),
        period: None,
        is_history: false,
        lock_escalation: "TABLE",
        large_values_out_of_row: false,
        rows_estimated: 1 << 30,
        bytes_estimated: 1 << 30,
    }
}
