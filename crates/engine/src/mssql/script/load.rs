//! Which columns of a table travel, and as what.
//!
//! Promises: reading and loading go by the same list, so that no value ever comes under another column;
//! what is not in the list is made by the target itself. Moves nothing.

use crate::mssql::catalog::column::Column;
use crate::mssql::catalog::schema::Table;
use crate::mssql::name::{listed, quoted};

/// The columns that are read and sent, in the table's order.
pub fn sent(table: &Table) -> Vec<&Column> {
    table.columns.iter().filter(|column| column.is_sent()).collect()
}

/// What a reader selects: the columns that are sent, as they are.
pub fn select_list(table: &Table) -> String {
    listed(sent(table).into_iter().map(|column| column.name.as_str()))
}

/// The columns in the parentheses of INSERT BULK: names with the types that are sent.
pub fn bulk_columns(table: &Table) -> String {
    let columns = sent(table).into_iter().map(|column| {
        let (name, kind) = (quoted(&column.name), bulk_kind(column));
        match &column.collation {
            Some(collation) if column.kind.is_text() => {
                format!("{name} {kind} COLLATE {collation}")
            }
            _ => format!("{name} {kind}"),
        }
    });
    columns.collect::<Vec<String>>().join(", ")
}

/// The type as which a column is sent. An alias goes as what it stands for, and what has a type of its
/// own in the server, such as `geometry`, as its bytes.
pub fn bulk_kind(column: &Column) -> String {
    match column.kind.base.as_str() {
        "hierarchyid" | "geometry" | "geography" => "varbinary(max)".to_owned(),
        _ if column.kind.name == "sysname" => "nvarchar(128)".to_owned(),
        _ => column.kind.base_definition(),
    }
}
