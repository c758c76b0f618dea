//! A database as values: what its catalog says, without the server's numbers where a name will do.
//!
//! Promises: two readings are equal exactly when no definition, counter or estimate changed in between.
//! Names are as the server has them, unquoted. Holds no rows.

use super::column::Column;
use super::finding::Finding;
use super::index::Index;

/// The number by which the catalog knows an object; it means nothing on another server.
pub type ObjectId = i64;

/// One database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its collation.
    pub collation: String,
    /// The version whose behaviour it shows, such as 150.
    pub compatibility_level: i64,
    /// Its options.
    pub options: Options,
    /// Schemas that users made; `dbo` is in every database.
    pub schemas: Vec<String>,
    /// Alias types.
    pub aliases: Vec<Alias>,
    /// Table types.
    pub table_kinds: Vec<TableKind>,
    /// Sequences.
    pub sequences: Vec<Sequence>,
    /// Tables, those of history among them.
    pub tables: Vec<Table>,
    /// Views, functions and procedures; [`crate::mssql::script::order`] knows their order.
    pub modules: Vec<Module>,
    /// Triggers of tables, of views and of the database.
    pub triggers: Vec<Trigger>,
    /// Synonyms.
    pub synonyms: Vec<Synonym>,
    /// Extended properties.
    pub properties: Vec<Property>,
    /// What names what.
    pub dependencies: Vec<Dependency>,
    /// What is not carried, or not as it was.
    pub findings: Vec<Finding>,
}

/// Options of a database: those that change what statements mean or how it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// As `ALTER DATABASE … SET` writes them, on or off, in the order of the catalog's columns.
    pub switches: Vec<(&'static str, bool)>,
    /// `PAGE_VERIFY`: `CHECKSUM`, `TORN_PAGE_DETECTION` or `NONE`.
    pub page_verify: String,
    /// `SIMPLE`, `BULK_LOGGED` or `FULL`.
    pub recovery: String,
    /// 0 off, 1 allowed, 2 forced.
    pub delayed_durability: i64,
    /// SNAPSHOT isolation may be used. The source must have this for one kind of reading.
    pub allows_snapshot: bool,
    /// The database takes no writes.
    pub is_read_only: bool,
}

/// What a column, a sequence or a parameter is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kind {
    /// The schema of a type that users made; `None` for the server's own.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// The server's own type beneath, such as `nvarchar`; equal to `name` unless users made the type.
    pub base: String,
    /// In bytes; -1 for `max`.
    pub max_length: i64,
    /// Digits in all.
    pub precision: i64,
    /// Digits after the point, or of a second.
    pub scale: i64,
}

/// An alias type: `CREATE TYPE … FROM …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    /// The catalog's number, of types.
    pub id: ObjectId,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it stands for.
    pub kind: Kind,
    /// Columns of it may be NULL unless they say otherwise.
    pub is_nullable: bool,
}

/// A table type: `CREATE TYPE … AS TABLE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableKind {
    /// The catalog's number, of types.
    pub id: ObjectId,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<Column>,
    /// Its keys and indexes.
    pub indexes: Vec<Index>,
    /// Its checks, which have no names that could be given again.
    pub checks: Vec<Check>,
}

/// A sequence. Numbers are texts: they may be `decimal(38)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// Where it began.
    pub start: String,
    /// How far it goes at once.
    pub increment: String,
    /// The least that it gives.
    pub minimum: String,
    /// The most that it gives.
    pub maximum: String,
    /// It begins again at its end.
    pub cycles: bool,
    /// How many are taken ahead; `None` for none, 0 for as many as the server likes.
    pub cache: Option<i64>,
    /// What it gave last, or would give first.
    pub current: String,
    /// It gave `current` already.
    pub is_used: bool,
}

/// How a table's rows get versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// The column that says since when a row holds.
    pub start: String,
    /// The column that says until when.
    pub end: String,
    /// Where old rows go; `None` if there is a period without versions.
    pub history: Option<History>,
}

/// Where old rows go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// The schema of the table that has them.
    pub schema: String,
    /// Its name.
    pub table: String,
    /// How long they are kept, such as `6 MONTHS`; `None` for ever.
    pub retention: Option<String>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The catalog's number.
    pub id: ObjectId,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its keys and indexes; the clustered one first.
    pub indexes: Vec<Index>,
    /// How a table without a clustered index is compressed.
    pub heap: Compression,
    /// Its checks.
    pub checks: Vec<Check>,
    /// Its foreign keys.
    pub foreign_keys: Vec<ForeignKey>,
    /// Its period and history.
    pub period: Option<Period>,
    /// It holds the history of another table.
    pub is_history: bool,
    /// How locks grow: `TABLE`, `DISABLE` or `AUTO`.
    pub lock_escalation: &'static str,
    /// Large values always have pages of their own.
    pub large_values_out_of_row: bool,
    /// How many rows the catalog says there are. An estimate.
    pub rows_estimated: u64,
    /// How many bytes its rows take, by whole pages. An estimate.
    pub bytes_estimated: u64,
}

/// How rows of an index or a heap are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// `ROW`.
    Row,
    /// `PAGE`.
    Page,
    /// `COLUMNSTORE`: what columnstores have unless told otherwise.
    Columnstore,
    /// `COLUMNSTORE_ARCHIVE`.
    ColumnstoreArchive,
}

/// A check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The catalog's number.
    pub id: ObjectId,
    /// Its name.
    pub name: String,
    /// What rows must fulfil, in parentheses.
    pub definition: String,
    /// It is off.
    pub is_disabled: bool,
    /// Rows were let in without it.
    pub is_not_trusted: bool,
    /// Replication's agents are exempt.
    pub not_for_replication: bool,
}

/// What a foreign key does when the row that it refers to goes or changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The statement fails.
    NoAction,
    /// So do the rows that refer to it.
    Cascade,
    /// They refer to nothing.
    SetNull,
    /// They refer to their default.
    SetDefault,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// Its name.
    pub name: String,
    /// Pairs of a column and the one that it refers to.
    pub columns: Vec<(String, String)>,
    /// The schema of the table that it refers to.
    pub referenced_schema: String,
    /// That table.
    pub referenced_table: String,
    /// On deletion.
    pub on_delete: Action,
    /// On update.
    pub on_update: Action,
    /// It is off.
    pub is_disabled: bool,
    /// Rows were let in without it.
    pub is_not_trusted: bool,
    /// Replication's agents are exempt.
    pub not_for_replication: bool,
}

/// What a module is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ModuleKind {
    /// A function that gives one value.
    ScalarFunction,
    /// A function that is one SELECT.
    InlineFunction,
    /// A function that fills a table.
    TableFunction,
    /// A view.
    View,
    /// A procedure.
    Procedure,
}

/// A view, function or procedure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    /// The catalog's number.
    pub id: ObjectId,
    /// What it is.
    pub kind: ModuleKind,
    /// Its schema.
    pub schema: String,
    /// Its name; the text may still have an older one.
    pub name: String,
    /// The text as it was written.
    pub definition: String,
    /// What it was made under.
    pub session: Session,
    /// What it names cannot be changed.
    pub is_schema_bound: bool,
    /// Indexes of a view; the clustered one first.
    pub indexes: Vec<Index>,
}

/// The two settings that a module keeps from the session that made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// `SET ANSI_NULLS`.
    pub ansi_nulls: bool,
    /// `SET QUOTED_IDENTIFIER`.
    pub quoted_identifier: bool,
}

/// A trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trigger {
    /// The catalog's number.
    pub id: ObjectId,
    /// Its name.
    pub name: String,
    /// The schema and name of its table or view; `None` for a trigger of the database.
    pub parent: Option<(String, String)>,
    /// The text as it was written.
    pub definition: String,
    /// What it was made under.
    pub session: Session,
    /// It is off.
    pub is_disabled: bool,
    /// Statements for which it fires first (`true`) or last.
    pub orders: Vec<(String, bool)>,
}

/// A synonym.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Synonym {
    /// The catalog's number.
    pub id: ObjectId,
    /// Its schema.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// What it stands for, as it was written: one to four parts.
    pub stands_for: String,
}

/// An extended property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// Its name.
    pub name: String,
    /// Its value as an expression of its own type.
    pub value: String,
    /// Up to three pairs such as `("SCHEMA", "dbo")`, from the outside; none for the database's own.
    pub levels: Vec<(&'static str, String)>,
}

/// That one object names another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dependency {
    /// What names.
    pub object: ObjectId,
    /// The column of it that names, or 0.
    pub column: i64,
    /// It holds the other one fast.
    pub is_schema_bound: bool,
    /// The server that is named.
    pub server: Option<String>,
    /// The database that is named.
    pub database: Option<String>,
    /// The schema that is named.
    pub schema: Option<String>,
    /// What is named.
    pub name: String,
    /// What that is, if the server knows and if it is in this database.
    pub referenced: Option<ObjectId>,
    /// It is a type, whose numbers are apart from those of objects.
    pub is_kind: bool,
}

impl Database {
    /// The table of this name.
    pub fn table(&self, schema: &str, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.schema == schema && table.name == name)
    }
}

impl ModuleKind {
    /// As statements name it.
    pub fn keyword(self) -> &'static str {
        match self {
            ModuleKind::ScalarFunction | ModuleKind::InlineFunction | ModuleKind::TableFunction => {
                "FUNCTION"
            }
            ModuleKind::View => "VIEW",
            ModuleKind::Procedure => "PROCEDURE",
        }
    }
}
