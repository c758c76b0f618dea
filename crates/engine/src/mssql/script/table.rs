//! Tables, table types and their columns as T-SQL.
//!
//! Promises: a table is made as the load wants it: its columns in their order, without a period, without
//! checks, foreign keys and nonclustered indexes. Those are statements of their own.

use super::index;
use crate::mssql::catalog::column::{Column, Source};
use crate::mssql::catalog::index::{Form, Role};
use crate::mssql::catalog::schema::{Compression, Table, TableKind};
use crate::mssql::name::{literal, qualified, quoted};

/// `CREATE TABLE`. `has_default` says of which columns the default may be given at once.
pub fn create(table: &Table, has_default: impl Fn(&Column) -> bool) -> String {
    let columns: Vec<String> = table
        .columns
        .iter()
        .map(|column| format!("    {}{}", definition(column), named_default(column, &has_default)))
        .collect();
    let is_heap = !table.indexes.iter().any(|index| index.is_clustered());
    let with = match compression(table.heap).filter(|_| is_heap) {
        Some(word) => format!("\nWITH (DATA_COMPRESSION = {word})"),
        None => String::new(),
    };
    format!("CREATE TABLE {} (\n{}\n){with}", full_name(table), columns.join(",\n"))
}

/// `[schema].[name]` of a table.
pub fn full_name(table: &Table) -> String {
    qualified(&table.schema, &table.name)
}

/// `CREATE TYPE … AS TABLE`. Its constraints have no names: T-SQL takes none here.
pub fn create_kind(kind: &TableKind) -> String {
    let mut parts: Vec<String> = Vec::new();
    for column in &kind.columns {
        let default = column.default.as_ref();
        let default = default.map(|default| format!(" DEFAULT {}", default.definition));
        parts.push(format!("    {}{}", definition(column), default.unwrap_or_default()));
    }
    for one in &kind.indexes {
        let form = if one.form == Form::Clustered { "CLUSTERED" } else { "NONCLUSTERED" };
        let key = index::key(&one.key);
        let with = if one.ignores_duplicates { " WITH (IGNORE_DUP_KEY = ON)" } else { "" };
        parts.push(match one.role {
            Role::Primary => format!("    PRIMARY KEY {form} ({key}){with}"),
            Role::Unique => format!("    UNIQUE {form} ({key}){with}"),
            Role::Plain => {
                let unique = if one.is_unique { "UNIQUE " } else { "" };
                let rest = index::included_and_filter(one);
                format!("    INDEX {} {unique}{form} ({key}){rest}{with}", quoted(&one.name))
            }
        });
    }
    for check in &kind.checks {
        parts.push(format!("    CHECK {}", check.definition));
    }
    let name = qualified(&kind.schema, &kind.name);
    format!("CREATE TYPE {name} AS TABLE (\n{}\n)", parts.join(",\n"))
}

/// Settings of a table that `CREATE TABLE` does not take.
pub fn settings(table: &Table) -> Vec<String> {
    let name = full_name(table);
    let mut settings = Vec::new();
    if table.lock_escalation != "TABLE" {
        settings
            .push(format!("ALTER TABLE {name} SET (LOCK_ESCALATION = {})", table.lock_escalation));
    }
    if table.large_values_out_of_row {
        settings.push(format!(
            "EXEC sys.sp_tableoption @TableNamePattern = {}, @OptionName = 'large value types out of \
             row', @OptionValue = 'ON'",
            literal(&name)
        ));
    }
    settings
}

/// A default as a statement of its own, for one that needs what is made later.
pub fn add_default(table: &Table, column: &Column) -> Option<String> {
    let default = column.default.as_ref()?;
    Some(format!(
        "ALTER TABLE {} ADD CONSTRAINT {} DEFAULT {} FOR {}",
        full_name(table),
        quoted(&default.name),
        default.definition,
        quoted(&column.name)
    ))
}

/// As `DATA_COMPRESSION` takes it; `None` for what is so anyway.
pub(super) fn compression(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::None | Compression::Columnstore => None,
        Compression::Row => Some("ROW"),
        Compression::Page => Some("PAGE"),
        Compression::ColumnstoreArchive => Some("COLUMNSTORE_ARCHIVE"),
    }
}

/// A column without its default. Columns of a period are plain ones.
pub(super) fn definition(column: &Column) -> String {
    let name = quoted(&column.name);
    if let Source::Computed { definition, is_persisted } = &column.source {
        let persisted = match (is_persisted, column.is_nullable) {
            (false, _) => "",
            (true, true) => " PERSISTED",
            (true, false) => " PERSISTED NOT NULL",
        };
        return format!("{name} AS {definition}{persisted}");
    }
    if column.is_column_set {
        return format!("{name} xml COLUMN_SET FOR ALL_SPARSE_COLUMNS");
    }
    let mut text = format!("{name} {}", column.kind.definition());
    // An alias type brings its own collation.
    if let (Some(collation), None) = (&column.collation, &column.kind.schema)
        && column.kind.is_text()
    {
        text.push_str(&format!(" COLLATE {collation}"));
    }
    if column.is_sparse {
        text.push_str(" SPARSE");
    }
    if let Source::Identity(identity) = &column.source {
        text.push_str(&format!(" IDENTITY({}, {})", identity.seed, identity.increment));
        if identity.not_for_replication {
            text.push_str(" NOT FOR REPLICATION");
        }
    }
    text.push_str(if column.is_nullable { " NULL" } else { " NOT NULL" });
    if column.is_rowguid {
        text.push_str(" ROWGUIDCOL");
    }
    text
}

fn named_default(column: &Column, has_default: impl Fn(&Column) -> bool) -> String {
    match &column.default {
        // The server makes the values of a rowversion; some tell how as if it were a default.
        Some(default) if has_default(column) && !column.is_rowversion() => {
            format!(" CONSTRAINT {} DEFAULT {}", quoted(&default.name), default.definition)
        }
        _ => String::new(),
    }
}
