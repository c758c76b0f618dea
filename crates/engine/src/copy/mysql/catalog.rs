//! What a database of the source holds: its tables, sequences, views, routines, triggers and events,
//! with the texts that make them again.
//!
//! Promises: texts are the server's own bytes, with the session that each was made in; two readings
//! are equal exactly when no definition changed in between. Reads no rows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::table::{Column, Key, Table};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::indexes::deferral::identifier;
use crate::import::indexes::definition;
use crate::import::table::literal;
use crate::mysql::conn::Conn;
use crate::mysql::facts::{Flavor, ServerFacts};

/// The most objects of one database that are copied.
pub const OBJECTS_MAX: usize = 200_000;

/// One database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Its name.
    pub name: String,
    /// Its default character set and collation.
    pub charset: (String, String),
    /// Its tables, by name.
    pub tables: Vec<Table>,
    /// Its sequences (MariaDB).
    pub sequences: Vec<Sequence>,
    /// Its views, routines, triggers and events, in the order in which they are to be made; views
    /// and routines may still need one another.
    pub programs: Vec<Program>,
}

/// A sequence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// Its name.
    pub name: String,
    /// `SHOW CREATE SEQUENCE`.
    pub create: String,
    /// The value that comes next, and how often it went round.
    pub next: Option<(String, String)>,
}

/// What a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ProgramKind {
    /// A package's head (MariaDB).
    Package,
    /// A package's body.
    PackageBody,
    /// A stored function.
    Function,
    /// A stored procedure.
    Procedure,
    /// A view.
    View,
    /// A trigger.
    Trigger,
    /// An event.
    Event,
}

/// A view, routine, trigger or event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// What it is.
    pub kind: ProgramKind,
    /// Its name.
    pub name: String,
    /// The statement that makes it, in the bytes of its own character set.
    pub create: Vec<u8>,
    /// `sql_mode` when it was made; views have none.
    pub sql_mode: Option<String>,
    /// `time_zone` of an event.
    pub time_zone: Option<String>,
    /// `character_set_client` when it was made.
    pub charset: String,
    /// `collation_connection` when it was made.
    pub collation: String,
    /// The database's collation when it was made.
    pub database_collation: Option<String>,
    /// An event that is to run.
    pub enabled: bool,
}

impl ProgramKind {
    /// As statements name it.
    pub fn keyword(self) -> &'static str {
        match self {
            ProgramKind::Package => "PACKAGE",
            ProgramKind::PackageBody => "PACKAGE BODY",
            ProgramKind::Function => "FUNCTION",
            ProgramKind::Procedure => "PROCEDURE",
            ProgramKind::View => "VIEW",
            ProgramKind::Trigger => "TRIGGER",
            ProgramKind::Event => "EVENT",
        }
    }
}

/// Names the base tables of these databases, for those who want to lock them.
pub async fn tables_of(conn: &mut Conn, databases: &[&str]) -> Result<Vec<(String, String)>> {
    let names: Vec<String> = databases.iter().map(|name| literal(name)).collect();
    let sql = format!(
        "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA IN ({}) \
         AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY 1, 2",
        names.join(", ")
    );
    let rows = conn.rows(&sql).await.map_err(|error| error.on(Side::Source))?;
    Ok(rows.iter().map(|row| (text(row, 0), text(row, 1))).collect())
}

/// Reads a database. `conn` is a session for the catalogue; an unknown database is an error.
pub async fn read(conn: &mut Conn, facts: &ServerFacts, name: &str) -> Result<Database> {
    let read = read_all(conn, facts, name).await;
    read.map_err(|error| error.on(Side::Source))
}

async fn read_all(conn: &mut Conn, facts: &ServerFacts, name: &str) -> Result<Database> {
    let charset = charset(conn, name).await?;
    // Views name their own database only where it is not the current one.
    conn.query(format!("USE {}", identifier(name)).as_bytes()).await?;
    let sql = format!(
        "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH, CREATE_OPTIONS FROM \
         information_schema.TABLES WHERE TABLE_SCHEMA = {} ORDER BY TABLE_NAME",
        literal(name)
    );
    let listed = conn.rows(&sql).await?;
    if listed.len() > OBJECTS_MAX {
        let text = format!("{name} has more than {OBJECTS_MAX} tables");
        return Err(Error::new(ErrorKind::Refused, Side::Source, text));
    }
    let mut columns = columns(conn, name).await?;
    let mut keys = keys(conn, name).await?;
    let (mut tables, mut sequences, mut views) = (Vec::new(), Vec::new(), Vec::new());
    for row in &listed {
        let table = text(row, 0);
        match text(row, 1).as_str() {
            "VIEW" => views.push(table),
            "SEQUENCE" => sequences.push(sequence(conn, &table).await?),
            "BASE TABLE" | "SYSTEM VERSIONED" => {
                let create = shown(conn, "TABLE", &table, 1).await?;
                tables.push(Table {
                    create: definition::masked(&create),
                    auto_increment: definition::counter(&create),
                    engine: text(row, 2),
                    history: text(row, 1) == "SYSTEM VERSIONED",
                    rows_estimated: text(row, 3).parse().unwrap_or(0),
                    bytes_estimated: text(row, 4).parse().unwrap_or(0),
                    columns: columns.remove(&table).unwrap_or_default(),
                    keys: keys.remove(&table).unwrap_or_default(),
                    name: table,
                });
            }
            // TEMPORARY and SYSTEM VIEW: nobody else's.
            _ => {}
        }
    }
    tables.iter_mut().for_each(complete_history);
    let mut programs = Vec::new();
    for (kind, name) in routines(conn, facts, name).await? {
        programs.push(program(conn, kind, &name).await?);
    }
    for view in views {
        programs.push(program(conn, ProgramKind::View, &view).await?);
    }
    for trigger in triggers(conn, name).await? {
        programs.push(program(conn, ProgramKind::Trigger, &trigger).await?);
    }
    for (event, is_enabled) in events(conn, name).await? {
        let mut event = program(conn, ProgramKind::Event, &event).await?;
        event.enabled = is_enabled;
        programs.push(event);
    }
    Ok(Database { name: name.to_owned(), charset, tables, sequences, programs })
}

/// A table that was not told to name the columns of its history has them all the same.
fn complete_history(table: &mut Table) {
    let names_them = definition::unquoted(&table.create).contains("GENERATED ALWAYS AS ROW START");
    if !table.history || names_them {
        return;
    }
    for name in ["row_start", "row_end"] {
        table.columns.push(Column {
            name: name.to_owned(),
            data_type: "timestamp".to_owned(),
            charset: None,
            collation: None,
            nullable: false,
            generated: false,
            column_type: "timestamp(6)".to_owned(),
        });
    }
}

async fn charset(conn: &mut Conn, name: &str) -> Result<(String, String)> {
    let sql = format!(
        "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM \
         information_schema.SCHEMATA WHERE SCHEMA_NAME = {}",
        literal(name)
    );
    let rows = conn.rows(&sql).await?;
    let row = rows.first().ok_or_else(|| {
        let text = format!("there is no database {name} that the account may see");
        Error::new(ErrorKind::UnknownDatabase, Side::Source, text)
    })?;
    Ok((text(row, 0), text(row, 1)))
}

/// One column of what `SHOW CREATE` says.
async fn shown(conn: &mut Conn, what: &str, name: &str, column: usize) -> Result<String> {
    let rows = conn.rows(&format!("SHOW CREATE {what} {}", identifier(name))).await?;
    let told = rows.first().and_then(|row| row.get(column).cloned().flatten());
    told.ok_or_else(|| untold(what, name))
}

fn untold(what: &str, name: &str) -> Error {
    let text =
        format!("the definition of {} {name} is not shown to the account", what.to_lowercase());
    Error::new(ErrorKind::Privilege, Side::Source, text)
}

async fn columns(conn: &mut Conn, schema: &str) -> Result<BTreeMap<String, Vec<Column>>> {
    let sql = format!(
        "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME, COLLATION_NAME, \
         IS_NULLABLE, EXTRA, COLUMN_TYPE, GENERATION_EXPRESSION FROM \
         information_schema.COLUMNS WHERE TABLE_SCHEMA = {} ORDER BY TABLE_NAME, ORDINAL_POSITION",
        literal(schema)
    );
    let mut found: BTreeMap<String, Vec<Column>> = BTreeMap::new();
    for row in conn.rows(&sql).await? {
        let extra = text(&row, 6).to_ascii_uppercase();
        let is_generated = extra.contains("VIRTUAL GENERATED")
            || extra.contains("STORED GENERATED")
            || extra.contains("PERSISTENT GENERATED");
        found.entry(text(&row, 0)).or_default().push(Column {
            name: text(&row, 1),
            data_type: text(&row, 2).to_ascii_lowercase(),
            charset: row.get(3).cloned().flatten(),
            collation: row.get(4).cloned().flatten(),
            nullable: text(&row, 5) == "YES",
            // Those of the history can be written, where history can be written at all.
            generated: is_generated && !matches!(text(&row, 8).as_str(), "ROW START" | "ROW END"),
            column_type: text(&row, 7).to_ascii_lowercase(),
        });
    }
    Ok(found)
}

async fn keys(conn: &mut Conn, schema: &str) -> Result<BTreeMap<String, Vec<Key>>> {
    let sql = format!(
        "SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, COLUMN_NAME, SUB_PART FROM \
         information_schema.STATISTICS WHERE TABLE_SCHEMA = {} ORDER BY TABLE_NAME, INDEX_NAME, \
         SEQ_IN_INDEX",
        literal(schema)
    );
    let mut found: BTreeMap<String, Vec<Key>> = BTreeMap::new();
    for row in conn.rows(&sql).await? {
        let of_table = found.entry(text(&row, 0)).or_default();
        let name = text(&row, 1);
        if of_table.last().is_none_or(|key| key.name != name) {
            let unique = text(&row, 2) == "0";
            of_table.push(Key { name, unique, columns: Vec::new(), whole: true });
        }
        if let Some(key) = of_table.last_mut() {
            let column = row.get(3).cloned().flatten();
            let is_part = row.get(4).cloned().flatten().is_some();
            key.whole &= column.is_some() && !is_part;
            key.columns.push(column.unwrap_or_default());
        }
    }
    Ok(found)
}

async fn sequence(conn: &mut Conn, name: &str) -> Result<Sequence> {
    let create = shown(conn, "SEQUENCE", name, 1).await?;
    let sql = format!("SELECT next_not_cached_value, cycle_count FROM {}", identifier(name));
    let rows = conn.rows(&sql).await?;
    let next = rows.first().map(|row| (text(row, 0), text(row, 1)));
    Ok(Sequence { name: name.to_owned(), create, next })
}

async fn routines(
    conn: &mut Conn,
    facts: &ServerFacts,
    schema: &str,
) -> Result<Vec<(ProgramKind, String)>> {
    let sql = format!(
        "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = \
         {} ORDER BY ROUTINE_NAME",
        literal(schema)
    );
    let mut found = Vec::new();
    for row in conn.rows(&sql).await? {
        let kind = match text(&row, 0).as_str() {
            "PACKAGE" if facts.flavor == Flavor::MariaDb => ProgramKind::Package,
            "PACKAGE BODY" => ProgramKind::PackageBody,
            "FUNCTION" => ProgramKind::Function,
            "PROCEDURE" => ProgramKind::Procedure,
            other => {
                let what = format!("a routine of kind {other}, which dbferry does not know");
                return Err(Error::new(ErrorKind::Refused, Side::Source, what));
            }
        };
        found.push((kind, text(&row, 1)));
    }
    found.sort();
    Ok(found)
}

/// In the order in which those of one table and moment fire.
async fn triggers(conn: &mut Conn, schema: &str) -> Result<Vec<String>> {
    let sql = format!(
        "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = {} ORDER BY \
         EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER",
        literal(schema)
    );
    Ok(conn.rows(&sql).await?.iter().map(|row| text(row, 0)).collect())
}

async fn events(conn: &mut Conn, schema: &str) -> Result<Vec<(String, bool)>> {
    let sql = format!(
        "SELECT EVENT_NAME, STATUS FROM information_schema.EVENTS WHERE EVENT_SCHEMA = {} ORDER BY \
         EVENT_NAME",
        literal(schema)
    );
    let rows = conn.rows(&sql).await?;
    Ok(rows.iter().map(|row| (text(row, 0), text(row, 1) == "ENABLED")).collect())
}

/// Reads a program in the bytes in which it was written: its text may not be valid elsewhere.
async fn program(conn: &mut Conn, kind: ProgramKind, name: &str) -> Result<Program> {
    let what = kind.keyword();
    conn.query(b"SET SESSION character_set_results = NULL").await?;
    let sql = format!("SHOW CREATE {what} {}", identifier(name));
    let row = first_row(conn, &sql).await.map_err(|error| error.in_table(None, name));
    conn.query(b"SET SESSION character_set_results = utf8mb4").await?;
    let row = row?.ok_or_else(|| untold(what, name))?;
    // Where each kind has its text, its sql_mode, its time zone and its character set.
    let (create, sql_mode, time_zone, charset) = match kind {
        ProgramKind::View => (1, None, None, 2),
        ProgramKind::Event => (3, Some(1), Some(2), 4),
        _ => (2, Some(1), None, 3),
    };
    let cell = |index: usize| row.get(index).cloned().flatten();
    let word = |index: usize| cell(index).map(|b| String::from_utf8_lossy(&b).into_owned());
    Ok(Program {
        kind,
        name: name.to_owned(),
        create: cell(create).ok_or_else(|| untold(what, name))?,
        sql_mode: sql_mode.and_then(word),
        time_zone: time_zone.and_then(word),
        charset: word(charset).unwrap_or_default(),
        collation: word(charset + 1).unwrap_or_default(),
        database_collation: (kind != ProgramKind::View).then(|| word(charset + 2)).flatten(),
        enabled: false,
    })
}

type Bytes = Option<Vec<u8>>;

async fn first_row(conn: &mut Conn, sql: &str) -> Result<Option<Vec<Bytes>>> {
    let mut selection = conn.select(sql.as_bytes()).await?;
    let mut first = None;
    while let Some(cells) = selection.next().await? {
        let row = || cells.iter().map(|cell| cell.map(<[u8]>::to_vec)).collect();
        first.get_or_insert_with(row);
    }
    Ok(first)
}

fn text(row: &[Option<String>], index: usize) -> String {
    row.get(index).cloned().flatten().unwrap_or_default()
}
