//! Keys and indexes as T-SQL.
//!
//! Promises: every option that differs from what the server does anyway is written; a disabled index is
//! made and then switched off by a statement of its own, [`disable`].

use super::table::compression;
use crate::mssql::catalog::index::{Form, Index, KeyColumn, Role};
use crate::mssql::name::{listed, quoted};

/// The statement that makes an index of `owner`, a quoted name of a table or view.
pub fn create(owner: &str, index: &Index) -> String {
    let name = quoted(&index.name);
    let with = options(index);
    let clustered = if index.is_clustered() { "CLUSTERED" } else { "NONCLUSTERED" };
    match (index.form, index.role) {
        (Form::ClusteredColumnstore, _) => {
            let order = order(index);
            format!("CREATE CLUSTERED COLUMNSTORE INDEX {name} ON {owner}{order}{with}")
        }
        (Form::Columnstore, _) => {
            let columns = listed(index.included.iter().map(String::as_str));
            let (order, filter) = (order(index), filter(index));
            format!(
                "CREATE NONCLUSTERED COLUMNSTORE INDEX {name} ON {owner} \
                 ({columns}){order}{filter}{with}"
            )
        }
        (_, Role::Plain) => {
            let unique = if index.is_unique { "UNIQUE " } else { "" };
            let (key, rest) = (key(&index.key), included_and_filter(index));
            format!("CREATE {unique}{clustered} INDEX {name} ON {owner} ({key}){rest}{with}")
        }
        (_, Role::Primary | Role::Unique) => {
            let word = if index.role == Role::Primary { "PRIMARY KEY" } else { "UNIQUE" };
            let key = key(&index.key);
            format!("ALTER TABLE {owner} ADD CONSTRAINT {name} {word} {clustered} ({key}){with}")
        }
    }
}

/// Switches an index off.
pub fn disable(owner: &str, index: &Index) -> String {
    format!("ALTER INDEX {} ON {owner} DISABLE", quoted(&index.name))
}

/// The columns of a key.
pub(super) fn key(columns: &[KeyColumn]) -> String {
    let columns = columns.iter().map(|column| {
        let direction = if column.is_descending { " DESC" } else { "" };
        format!("{}{direction}", quoted(&column.name))
    });
    columns.collect::<Vec<String>>().join(", ")
}

/// ` INCLUDE (…) WHERE …`, as far as there is any.
pub(super) fn included_and_filter(index: &Index) -> String {
    let included = match index.included.as_slice() {
        [] => String::new(),
        names => format!(" INCLUDE ({})", listed(names.iter().map(String::as_str))),
    };
    format!("{included}{}", filter(index))
}

fn filter(index: &Index) -> String {
    index.filter.as_ref().map(|filter| format!(" WHERE {filter}")).unwrap_or_default()
}

fn order(index: &Index) -> String {
    match index.order.as_slice() {
        [] => String::new(),
        names => format!(" ORDER ({})", listed(names.iter().map(String::as_str))),
    }
}

fn options(index: &Index) -> String {
    let mut options: Vec<String> = Vec::new();
    let is_rows = matches!(index.form, Form::Clustered | Form::Nonclustered);
    if is_rows {
        row_options(index, &mut options);
    } else if let Some(minutes) = index.compression_delay.filter(|minutes| *minutes != 0) {
        options.push(format!("COMPRESSION_DELAY = {minutes}"));
    }
    if let Some(word) = compression(index.compression) {
        options.push(format!("DATA_COMPRESSION = {word}"));
    }
    match options.as_slice() {
        [] => String::new(),
        options => format!(" WITH ({})", options.join(", ")),
    }
}

fn row_options(index: &Index, options: &mut Vec<String>) {
    if index.is_padded {
        options.push("PAD_INDEX = ON".to_owned());
    }
    if index.fill_factor != 0 {
        options.push(format!("FILLFACTOR = {}", index.fill_factor));
    }
    let switches = [
        (index.ignores_duplicates, "IGNORE_DUP_KEY = ON"),
        (index.no_recompute, "STATISTICS_NORECOMPUTE = ON"),
        (!index.allows_row_locks, "ALLOW_ROW_LOCKS = OFF"),
        (!index.allows_page_locks, "ALLOW_PAGE_LOCKS = OFF"),
        (index.for_sequential_key, "OPTIMIZE_FOR_SEQUENTIAL_KEY = ON"),
        (index.xml_compression, "XML_COMPRESSION = ON"),
    ];
    options.extend(switches.iter().filter(|(is_on, _)| *is_on).map(|(_, text)| (*text).to_owned()));
}
