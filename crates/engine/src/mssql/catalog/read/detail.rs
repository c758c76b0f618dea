//! What belongs to tables and table types: columns, indexes, checks and foreign keys, by object.
//!
//! Promises: order is the catalog's for columns, and the clustered index first. Makes no tables.

use std::collections::BTreeMap;

use super::{Notes, kind, unseen};
use crate::error::Result;
use crate::mssql::catalog::column::{Column, DefaultValue, Identity, Source};
use crate::mssql::catalog::index::{Form, Index, KeyColumn, Role};
use crate::mssql::catalog::question::{Answers, Cells};
use crate::mssql::catalog::schema::{Action, Check, Compression, ForeignKey, ObjectId};
use crate::mssql::catalog::sys;

/// A column, and why its table cannot be carried.
pub(super) struct FoundColumn {
    pub(super) column: Column,
    /// The user's type that it is made of is not carried.
    pub(super) is_assembly: bool,
    pub(super) flaws: Vec<Flaw>,
}

/// What a column has that is not carried.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    Filestream,
    XmlCollection,
    Rule,
    DefaultObject,
    Masked,
    Encrypted,
    Graph,
    Ledger,
    Unpadded,
    Vector,
}

/// The indexes of an object.
#[derive(Default)]
pub(super) struct FoundIndexes {
    pub(super) heap: Compression,
    pub(super) indexes: Vec<Index>,
    /// The clustered index is off: no row can be read.
    pub(super) is_closed: bool,
    /// Names of indexes whose parts are compressed in several ways.
    pub(super) mixed: Vec<String>,
    /// Names of indexes in partitions.
    pub(super) partitioned: Vec<String>,
}

impl FoundIndexes {
    /// Notes what the indexes of an object, or its heap, lose.
    pub(super) fn note(&self, full: &str, notes: &mut Notes) {
        for name in &self.mixed {
            let why = "is that of the least compressed one";
            notes.told("compression of partitions", &format!("{full}.{name}"), why);
        }
        for name in &self.partitioned {
            let object = format!("{full}.{name}");
            notes.stops("partitioned table or index", &object, "is made in one piece");
        }
    }
}

/// A foreign key, and what it refers to.
pub(super) struct FoundKey {
    pub(super) key: ForeignKey,
    pub(super) referenced: ObjectId,
}

/// All of it, by object.
pub(super) struct Details {
    pub(super) columns: BTreeMap<ObjectId, Vec<FoundColumn>>,
    pub(super) indexes: BTreeMap<ObjectId, FoundIndexes>,
    pub(super) checks: BTreeMap<ObjectId, Vec<Check>>,
    pub(super) foreign_keys: BTreeMap<ObjectId, Vec<FoundKey>>,
}

pub(super) fn read(answers: &Answers) -> Result<Details> {
    let mut columns: BTreeMap<ObjectId, Vec<FoundColumn>> = BTreeMap::new();
    for row in sys::COLUMNS.rows(answers)? {
        columns.entry(row.int("object_id")?).or_default().push(column(&row)?);
    }
    let mut checks: BTreeMap<ObjectId, Vec<Check>> = BTreeMap::new();
    for row in sys::CHECKS.rows(answers)? {
        checks.entry(row.int("parent_object_id")?).or_default().push(check(&row)?);
    }
    let indexes = indexes(answers)?;
    let foreign_keys = foreign_keys(answers)?;
    Ok(Details { columns, indexes, checks, foreign_keys })
}

fn column(row: &Cells<'_>) -> Result<FoundColumn> {
    let name = row.text("name")?;
    let kind = kind(row, "base_name")?;
    let is_user = row.flag("type_is_user")?;
    let mut flaws = Vec::new();
    flag(&mut flaws, row.flag("is_filestream")?, Flaw::Filestream);
    flag(&mut flaws, row.int("xml_collection_id")? != 0, Flaw::XmlCollection);
    flag(&mut flaws, row.int("rule_object_id")? != 0, Flaw::Rule);
    flag(&mut flaws, row.flag("is_masked")?, Flaw::Masked);
    flag(&mut flaws, row.maybe_int("encryption_type")?.is_some(), Flaw::Encrypted);
    flag(&mut flaws, row.maybe_int("graph_type")?.is_some(), Flaw::Graph);
    flag(&mut flaws, kind.base == "vector", Flaw::Vector);
    let pads = matches!(kind.base.as_str(), "char" | "varchar" | "binary" | "varbinary");
    flag(&mut flaws, pads && !row.flag("is_ansi_padded")?, Flaw::Unpadded);
    let source = source(row, &name, &mut flaws)?;
    // A computed column has no default; some servers keep its expression where defaults are.
    let default = match source {
        Source::Computed { .. } => None,
        _ => default_value(row, &name, &mut flaws)?,
    };
    let column = Column {
        id: row.int("column_id")?,
        collation: row.maybe_text("collation_name")?,
        is_nullable: row.flag("is_nullable")?,
        is_sparse: row.flag("is_sparse")?,
        is_column_set: row.flag("is_column_set")?,
        is_rowguid: row.flag("is_rowguidcol")?,
        is_hidden: row.flag("is_hidden")?,
        source,
        default,
        kind,
        name,
    };
    Ok(FoundColumn { column, is_assembly: is_user && row.flag("type_is_assembly")?, flaws })
}

fn flag(flaws: &mut Vec<Flaw>, is_so: bool, flaw: Flaw) {
    if is_so {
        flaws.push(flaw);
    }
}

fn default_value(
    row: &Cells<'_>,
    column: &str,
    flaws: &mut Vec<Flaw>,
) -> Result<Option<DefaultValue>> {
    let id = row.int("default_object_id")?;
    match (row.maybe_text("default_name")?, row.maybe_text("default_definition")?) {
        (Some(name), Some(definition)) => Ok(Some(DefaultValue { id, name, definition })),
        (Some(_), None) => Err(unseen(&format!("the default of column {column}"))),
        (None, _) => {
            flag(flaws, id != 0, Flaw::DefaultObject);
            Ok(None)
        }
    }
}

fn source(row: &Cells<'_>, column: &str, flaws: &mut Vec<Flaw>) -> Result<Source> {
    if let Some(is_persisted) = row.maybe_int("is_persisted")? {
        let definition = row.maybe_text("computed_definition")?;
        let definition = definition.ok_or_else(|| unseen(&format!("computed column {column}")))?;
        return Ok(Source::Computed { definition, is_persisted: is_persisted != 0 });
    }
    if row.flag("is_identity")? {
        return Ok(Source::Identity(Identity {
            seed: row.text("seed")?,
            increment: row.text("increment")?,
            last: row.maybe_text("last_value")?,
            not_for_replication: row.maybe_flag("identity_not_for_replication")?,
        }));
    }
    match row.int("generated_always_type")? {
        0 => Ok(Source::Written),
        1 => Ok(Source::PeriodStart),
        2 => Ok(Source::PeriodEnd),
        _ => {
            flag(flaws, true, Flaw::Ledger);
            Ok(Source::Written)
        }
    }
}

fn check(row: &Cells<'_>) -> Result<Check> {
    let name = row.text("name")?;
    let definition = row.maybe_text("definition")?;
    Ok(Check {
        id: row.int("object_id")?,
        definition: definition.ok_or_else(|| unseen(&format!("check {name}")))?,
        is_disabled: row.flag("is_disabled")?,
        is_not_trusted: row.flag("is_not_trusted")?,
        not_for_replication: row.flag("is_not_for_replication")?,
        name,
    })
}

/// The columns of an index, as the catalog lists them.
#[derive(Default)]
struct Listed {
    key: Vec<KeyColumn>,
    included: Vec<String>,
    order: Vec<(i64, String)>,
}

fn listed(answers: &Answers) -> Result<BTreeMap<(ObjectId, i64), Listed>> {
    let mut found: BTreeMap<(ObjectId, i64), Listed> = BTreeMap::new();
    for row in sys::INDEX_COLUMNS.rows(answers)? {
        let listed = found.entry((row.int("object_id")?, row.int("index_id")?)).or_default();
        let name = row.text("name")?;
        let order = row.int("order_ordinal")?;
        if order > 0 {
            listed.order.push((order, name.clone()));
        }
        if row.int("key_ordinal")? > 0 {
            listed.key.push(KeyColumn { name, is_descending: row.flag("is_descending_key")? });
        } else if row.flag("is_included_column")? {
            listed.included.push(name);
        }
        // What is neither is only there because the table is partitioned by it.
    }
    Ok(found)
}

fn indexes(answers: &Answers) -> Result<BTreeMap<ObjectId, FoundIndexes>> {
    let mut columns = listed(answers)?;
    let mut found: BTreeMap<ObjectId, FoundIndexes> = BTreeMap::new();
    for row in sys::INDEXES.rows(answers)? {
        let (object, id) = (row.int("object_id")?, row.int("index_id")?);
        let of_object = found.entry(object).or_default();
        let compression = compression(row.maybe_int("compression")?, &row)?;
        let name = row.maybe_text("name")?.unwrap_or_else(|| "heap".to_owned());
        if row.maybe_int("compression")? != row.maybe_int("compression_max")? {
            of_object.mixed.push(name.clone());
        }
        if row.maybe_text("data_space_type")?.is_some_and(|space| space.trim_end() == "PS") {
            of_object.partitioned.push(name);
        }
        let form = match row.int("type")? {
            0 => {
                of_object.heap = compression;
                continue;
            }
            1 => Form::Clustered,
            2 => Form::Nonclustered,
            5 => Form::ClusteredColumnstore,
            6 => Form::Columnstore,
            // Hash indexes go with memory-optimised tables; all others are asked for by name.
            _ => continue,
        };
        let index =
            index(&row, form, compression, columns.remove(&(object, id)).unwrap_or_default())?;
        of_object.is_closed |= index.is_clustered() && index.is_disabled;
        of_object.indexes.push(index);
    }
    for of_object in found.values_mut() {
        of_object.indexes.sort_by_key(|index| !index.is_clustered());
    }
    Ok(found)
}

fn index(row: &Cells<'_>, form: Form, compression: Compression, listed: Listed) -> Result<Index> {
    let mut order = listed.order;
    order.sort();
    let role = match (row.flag("is_primary_key")?, row.flag("is_unique_constraint")?) {
        (true, _) => Role::Primary,
        (false, true) => Role::Unique,
        (false, false) => Role::Plain,
    };
    Ok(Index {
        name: row.text("name")?,
        form,
        role,
        is_unique: row.flag("is_unique")?,
        key: listed.key,
        included: listed.included,
        order: order.into_iter().map(|(_, name)| name).collect(),
        filter: row.maybe_text("filter_definition")?,
        is_disabled: row.flag("is_disabled")?,
        fill_factor: row.int("fill_factor")?,
        is_padded: row.flag("is_padded")?,
        ignores_duplicates: row.flag("ignore_dup_key")?,
        no_recompute: row.maybe_flag("no_recompute")?,
        allows_row_locks: row.flag("allow_row_locks")?,
        allows_page_locks: row.flag("allow_page_locks")?,
        for_sequential_key: row.maybe_flag("optimize_for_sequential_key")?,
        compression,
        xml_compression: row.maybe_flag("xml_compression")?,
        compression_delay: row.maybe_int("compression_delay")?,
    })
}

fn compression(value: Option<i64>, row: &Cells<'_>) -> Result<Compression> {
    match value {
        None | Some(0) => Ok(Compression::None),
        Some(1) => Ok(Compression::Row),
        Some(2) => Ok(Compression::Page),
        Some(3) => Ok(Compression::Columnstore),
        Some(4) => Ok(Compression::ColumnstoreArchive),
        Some(_) => Err(row.wrong("compression", "is unknown")),
    }
}

fn foreign_keys(answers: &Answers) -> Result<BTreeMap<ObjectId, Vec<FoundKey>>> {
    let mut columns: BTreeMap<ObjectId, Vec<(String, String)>> = BTreeMap::new();
    for row in sys::FOREIGN_KEY_COLUMNS.rows(answers)? {
        let pair = (row.text("name")?, row.text("referenced_name")?);
        columns.entry(row.int("object_id")?).or_default().push(pair);
    }
    let mut found: BTreeMap<ObjectId, Vec<FoundKey>> = BTreeMap::new();
    for row in sys::FOREIGN_KEYS.rows(answers)? {
        let columns = columns.remove(&row.int("object_id")?).unwrap_or_default();
        if columns.is_empty() {
            return Err(row.wrong("columns", "are missing"));
        }
        let key = ForeignKey {
            name: row.text("name")?,
            columns,
            referenced_schema: String::new(),
            referenced_table: String::new(),
            on_delete: action(&row, "delete_action")?,
            on_update: action(&row, "update_action")?,
            is_disabled: row.flag("is_disabled")?,
            is_not_trusted: row.flag("is_not_trusted")?,
            not_for_replication: row.flag("is_not_for_replication")?,
        };
        let referenced = row.int("referenced_object_id")?;
        let table = found.entry(row.int("parent_object_id")?).or_default();
        table.push(FoundKey { key, referenced });
    }
    Ok(found)
}

fn action(row: &Cells<'_>, column: &str) -> Result<Action> {
    match row.int(column)? {
        0 => Ok(Action::NoAction),
        1 => Ok(Action::Cascade),
        2 => Ok(Action::SetNull),
        3 => Ok(Action::SetDefault),
        _ => Err(row.wrong(column, "is unknown")),
    }
}
