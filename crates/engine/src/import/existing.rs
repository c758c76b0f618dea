//! What is at the target already that a file concerns: read from the server, changes nothing.
//!
//! Promises: a handful of catalogue queries, their lists bounded; works with the least of accounts:
//! what cannot be read is unknown, not an error. Only what the file names is looked at. It judges
//! nothing, see [`super::precheck`].

use std::collections::{BTreeMap, BTreeSet};

use dump::index::{Account, Defined, Definition, DumpIndex};

use super::table::literal;
use crate::error::Result;
use crate::mysql::conn::Conn;
use crate::mysql::facts::Flavor;

/// Names in one query.
pub const NAMES_PER_QUERY: usize = 500;
/// Databases that are looked at.
pub const DATABASES_MAX: usize = 200;
/// Names of each kind that are looked for in one database.
pub const NAMES_MAX: usize = 20_000;

/// A database that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Database {
    /// Its default character set.
    pub charset: String,
    /// Its default collation.
    pub collation: String,
}

/// An object that exists under a name that the file uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// Its kind.
    pub kind: Defined,
    /// Its database.
    pub schema: String,
    /// Its name.
    pub name: String,
    /// Of a table.
    pub table: Option<Table>,
}

/// A table that exists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// Its engine in lower case.
    pub engine: Option<String>,
    /// Rows, as the server estimates them.
    pub rows: Option<u64>,
    /// Bytes of data and indexes, as the server estimates them.
    pub bytes: Option<u64>,
    /// System-versioned (MariaDB).
    pub versioned: bool,
    /// It has foreign keys.
    pub foreign_keys: bool,
    /// Its INSERT triggers.
    pub triggers: bool,
}

/// Everything that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    /// The databases of the file that exist (and are seen by the account).
    pub databases: BTreeMap<String, Database>,
    /// Databases of the file that were not looked at, there being too many.
    pub unseen_databases: u64,
    /// Objects under names that the file uses.
    pub objects: Vec<Object>,
    /// Tables in databases that the file drops: how many, and their bytes.
    pub dropped: BTreeMap<String, (u64, u64)>,
    /// The account that is logged in, as the server knows it.
    pub account: Option<(String, String)>,
    /// The accounts and roles among the file's definers that exist; `None` if it cannot be read.
    pub accounts: Option<BTreeSet<(String, String)>>,
    /// The server's variables by name in lower case, as a session sees them.
    pub variables: BTreeMap<String, String>,
    /// Free bytes where the data lies (MariaDB with the plugin DISKS).
    pub free_bytes: Option<u64>,
    /// Statements running now.
    pub threads_running: Option<u64>,
    /// It replicates from another server.
    pub is_replica: Option<bool>,
}

impl Existing {
    /// The table or view of that name.
    pub fn table(&self, schema: &str, name: &str) -> Option<&Object> {
        let kinds = [Defined::Table, Defined::View, Defined::Sequence];
        kinds.into_iter().find_map(|kind| self.object(kind, schema, name))
    }

    /// The object of that kind and name.
    pub fn object(&self, kind: Defined, schema: &str, name: &str) -> Option<&Object> {
        let is_same = |known: &str, name: &str| match self.folds_case() {
            true => known.eq_ignore_ascii_case(name),
            false => known == name,
        };
        // Names of routines and events have no case anywhere.
        let has_case = matches!(
            kind,
            Defined::Table
                | Defined::View
                | Defined::Sequence
                | Defined::Trigger
                | Defined::Database
        );
        self.objects.iter().find(|object| {
            object.kind == kind
                && is_same(&object.schema, schema)
                && match has_case {
                    true => is_same(&object.name, name),
                    false => object.name.eq_ignore_ascii_case(name),
                }
        })
    }

    /// The database of that name.
    pub fn database(&self, name: &str) -> Option<&Database> {
        let folds = self.folds_case();
        let is_same = |known: &str| known == name || (folds && known.eq_ignore_ascii_case(name));
        self.databases.iter().find(|(known, _)| is_same(known)).map(|(_, database)| database)
    }

    /// A variable's value.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// A variable is on; `None` if the server does not have it.
    pub fn is_on(&self, name: &str) -> Option<bool> {
        self.variable(name).map(|value| matches!(value, "ON" | "1" | "YES"))
    }

    fn folds_case(&self) -> bool {
        self.variable("lower_case_table_names").is_some_and(|value| value != "0")
    }
}

/// Asks the server. `database` is the one that the endpoint names.
pub async fn gather(
    conn: &mut Conn,
    flavor: Flavor,
    index: &DumpIndex,
    database: Option<&str>,
) -> Result<Existing> {
    let names = Names::of(index, database);
    let mut existing = Existing {
        unseen_databases: names.unseen,
        variables: variables(conn).await?,
        account: account(conn).await?,
        ..Existing::default()
    };
    existing.databases = databases(conn, &names).await?;
    for (schema, kinds) in &names.objects {
        if existing.database(schema).is_none() {
            continue;
        }
        for (kind, names) in kinds {
            objects(conn, &mut existing.objects, *kind, schema, names).await?;
        }
    }
    table_facts(conn, &mut existing.objects).await?;
    for schema in dropped_databases(index) {
        if existing.database(schema).is_some() {
            let size = database_size(conn, schema).await?;
            existing.dropped.insert(schema.to_owned(), size);
        }
    }
    existing.accounts = accounts(conn, &index.demands.definers).await?;
    existing.free_bytes = free_bytes(conn, flavor, existing.variable("datadir")).await?;
    existing.threads_running = threads_running(conn).await?;
    existing.is_replica = is_replica(conn, flavor).await?;
    Ok(existing)
}

/// The kinds of objects that share a catalogue table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Catalogue {
    Tables,
    Routines,
    Triggers,
    Events,
}

/// What is looked for.
#[derive(Debug, Default)]
struct Names {
    databases: BTreeSet<String>,
    objects: BTreeMap<String, BTreeMap<Catalogue, BTreeSet<String>>>,
    unseen: u64,
}

impl Names {
    fn of(index: &DumpIndex, database: Option<&str>) -> Names {
        let mut names = Names::default();
        names.databases.extend(database.map(str::to_owned));
        for database in &index.databases {
            names.database(&database.name);
        }
        for definition in &index.demands.definitions {
            let schema = definition.schema.as_deref().or(database);
            if let (Some(schema), Some(catalogue)) = (schema, catalogue_of(definition)) {
                names.object(schema, catalogue, &definition.name);
            }
        }
        for table in &index.tables {
            if let Some(schema) = table.schema.as_deref().or(database) {
                names.object(schema, Catalogue::Tables, &table.name);
            }
        }
        names
    }

    fn database(&mut self, name: &str) -> bool {
        if self.databases.contains(name) {
            return true;
        }
        if self.databases.len() >= DATABASES_MAX {
            self.unseen += 1;
            return false;
        }
        self.databases.insert(name.to_owned())
    }

    fn object(&mut self, schema: &str, catalogue: Catalogue, name: &str) {
        if !self.database(schema) {
            return;
        }
        let names = self.objects.entry(schema.to_owned()).or_default();
        let names = names.entry(catalogue).or_default();
        if names.len() < NAMES_MAX {
            names.insert(name.to_owned());
        }
    }
}

fn catalogue_of(definition: &Definition) -> Option<Catalogue> {
    match definition.kind {
        Defined::Database => None,
        Defined::Table | Defined::View | Defined::Sequence => Some(Catalogue::Tables),
        Defined::Procedure | Defined::Function | Defined::Package => Some(Catalogue::Routines),
        Defined::Trigger => Some(Catalogue::Triggers),
        Defined::Event => Some(Catalogue::Events),
    }
}

fn dropped_databases(index: &DumpIndex) -> impl Iterator<Item = &str> {
    let dropped = index.databases.iter().filter(|database| database.dropped_line.is_some());
    dropped.map(|database| database.name.as_str()).take(DATABASES_MAX)
}

/// The rows of a query; nothing if the account may not read it or the server does not know it.
async fn rows_if_allowed(conn: &mut Conn, sql: &str) -> Result<Option<Vec<Vec<Option<String>>>>> {
    match conn.rows(sql).await {
        Ok(rows) => Ok(Some(rows)),
        Err(error) if error.server.is_some() && !conn.is_broken() => Ok(None),
        Err(error) => Err(error),
    }
}

async fn variables(conn: &mut Conn) -> Result<BTreeMap<String, String>> {
    let rows = rows_if_allowed(conn, "SHOW VARIABLES").await?.unwrap_or_default();
    let pairs = rows.into_iter().filter_map(|row| {
        let mut cells = row.into_iter();
        Some((cells.next()??.to_ascii_lowercase(), cells.next()?.unwrap_or_default()))
    });
    Ok(pairs.collect())
}

async fn account(conn: &mut Conn) -> Result<Option<(String, String)>> {
    let rows = rows_if_allowed(conn, "SELECT CURRENT_USER()").await?.unwrap_or_default();
    let account = rows.into_iter().flatten().next().flatten();
    Ok(account.and_then(|account| {
        account.rsplit_once('@').map(|(user, host)| (user.to_owned(), host.to_owned()))
    }))
}

async fn databases(conn: &mut Conn, names: &Names) -> Result<BTreeMap<String, Database>> {
    let mut found = BTreeMap::new();
    if names.databases.is_empty() {
        return Ok(found);
    }
    let query = format!(
        "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME \
         FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ({})",
        literals(names.databases.iter())
    );
    for row in rows_if_allowed(conn, &query).await?.unwrap_or_default() {
        if let [Some(name), charset, collation] = row.as_slice() {
            let charset = charset.clone().unwrap_or_default();
            let collation = collation.clone().unwrap_or_default();
            found.insert(name.clone(), Database { charset, collation });
        }
    }
    Ok(found)
}

fn literals<'a>(names: impl Iterator<Item = &'a String>) -> String {
    names.map(|name| literal(name)).collect::<Vec<_>>().join(", ")
}

/// Looks for the names of one catalogue in one database.
async fn objects(
    conn: &mut Conn,
    found: &mut Vec<Object>,
    catalogue: Catalogue,
    schema: &str,
    names: &BTreeSet<String>,
) -> Result<()> {
    let (columns, table, schema_column, name_column) = match catalogue {
        Catalogue::Tables => (
            "TABLE_TYPE, ENGINE, TABLE_ROWS, DATA_LENGTH + INDEX_LENGTH",
            "TABLES",
            "TABLE_SCHEMA",
            "TABLE_NAME",
        ),
        Catalogue::Routines => ("ROUTINE_TYPE", "ROUTINES", "ROUTINE_SCHEMA", "ROUTINE_NAME"),
        Catalogue::Triggers => ("'TRIGGER'", "TRIGGERS", "TRIGGER_SCHEMA", "TRIGGER_NAME"),
        Catalogue::Events => ("'EVENT'", "EVENTS", "EVENT_SCHEMA", "EVENT_NAME"),
    };
    let names: Vec<&String> = names.iter().collect();
    for names in names.chunks(NAMES_PER_QUERY) {
        let query = format!(
            "SELECT {name_column}, {columns} FROM information_schema.{table} \
             WHERE {schema_column} = {} AND {name_column} IN ({})",
            literal(schema),
            literals(names.iter().copied())
        );
        for row in rows_if_allowed(conn, &query).await?.unwrap_or_default() {
            found.extend(object(&row, schema));
        }
    }
    Ok(())
}

fn object(row: &[Option<String>], schema: &str) -> Option<Object> {
    let text = |index: usize| row.get(index).cloned().flatten();
    let number = |index: usize| text(index).and_then(|number| number.parse().ok());
    let (name, word) = (text(0)?, text(1)?);
    let kind = match word.as_str() {
        "BASE TABLE" | "SYSTEM VERSIONED" => Defined::Table,
        "VIEW" | "SYSTEM VIEW" => Defined::View,
        "SEQUENCE" => Defined::Sequence,
        "PROCEDURE" => Defined::Procedure,
        "FUNCTION" => Defined::Function,
        "PACKAGE" | "PACKAGE BODY" => Defined::Package,
        "TRIGGER" => Defined::Trigger,
        "EVENT" => Defined::Event,
        _ => return None,
    };
    let table = (kind == Defined::Table).then(|| Table {
        engine: text(2).map(|engine| engine.to_ascii_lowercase()),
        rows: number(3),
        bytes: number(4),
        versioned: word == "SYSTEM VERSIONED",
        ..Table::default()
    });
    Some(Object { kind, schema: schema.to_owned(), name, table })
}

/// Foreign keys and triggers of the tables that were found.
async fn table_facts(conn: &mut Conn, objects: &mut [Object]) -> Result<()> {
    let schemas: BTreeSet<String> = objects
        .iter()
        .filter(|object| object.table.is_some())
        .map(|object| object.schema.clone())
        .collect();
    for schema in schemas {
        let keys = format!(
            "SELECT DISTINCT TABLE_NAME FROM information_schema.TABLE_CONSTRAINTS \
             WHERE TABLE_SCHEMA = {} AND CONSTRAINT_TYPE = 'FOREIGN KEY'",
            literal(&schema)
        );
        let triggers = format!(
            "SELECT DISTINCT EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS \
             WHERE EVENT_OBJECT_SCHEMA = {} AND EVENT_MANIPULATION = 'INSERT'",
            literal(&schema)
        );
        let keys = first_column(rows_if_allowed(conn, &keys).await?);
        let triggers = first_column(rows_if_allowed(conn, &triggers).await?);
        for object in objects.iter_mut().filter(|object| object.schema == schema) {
            if let Some(table) = &mut object.table {
                table.foreign_keys = keys.contains(&object.name);
                table.triggers = triggers.contains(&object.name);
            }
        }
    }
    Ok(())
}

fn first_column(rows: Option<Vec<Vec<Option<String>>>>) -> BTreeSet<String> {
    let rows = rows.unwrap_or_default();
    rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect()
}

async fn database_size(conn: &mut Conn, schema: &str) -> Result<(u64, u64)> {
    let query = format!(
        "SELECT COUNT(*), CAST(COALESCE(SUM(DATA_LENGTH + INDEX_LENGTH), 0) AS UNSIGNED) \
         FROM information_schema.TABLES WHERE TABLE_SCHEMA = {}",
        literal(schema)
    );
    let rows = rows_if_allowed(conn, &query).await?.unwrap_or_default();
    let number = |index: usize| {
        rows.first()
            .and_then(|row| row.get(index).cloned().flatten())
            .and_then(|number| number.parse().ok())
            .unwrap_or(0)
    };
    Ok((number(0), number(1)))
}

async fn accounts(
    conn: &mut Conn,
    definers: &[Account],
) -> Result<Option<BTreeSet<(String, String)>>> {
    let users: BTreeSet<&String> = definers.iter().map(|definer| &definer.user).collect();
    if users.is_empty() {
        return Ok(Some(BTreeSet::new()));
    }
    let users = literals(users.into_iter());
    let query = format!("SELECT User, Host FROM mysql.user WHERE User IN ({users})");
    let Some(rows) = rows_if_allowed(conn, &query).await? else { return Ok(None) };
    let pairs = rows.into_iter().filter_map(|row| {
        let mut cells = row.into_iter();
        Some((cells.next()??, cells.next()?.unwrap_or_default()))
    });
    Ok(Some(pairs.collect()))
}

/// What MariaDB's plugin DISKS says of the folder that the data is in, or of the nearest above it.
async fn free_bytes(conn: &mut Conn, flavor: Flavor, datadir: Option<&str>) -> Result<Option<u64>> {
    const KIB: u64 = 1024;
    let Some(datadir) = datadir.filter(|_| flavor == Flavor::MariaDb) else { return Ok(None) };
    let query = "SELECT Path, Available FROM information_schema.DISKS";
    let rows = rows_if_allowed(conn, query).await?.unwrap_or_default();
    let disks = rows.into_iter().filter_map(|row| {
        let mut cells = row.into_iter();
        let (path, available) = (cells.next()??, cells.next()??);
        let is_above = std::path::Path::new(datadir).starts_with(&path);
        is_above.then_some((path.len(), available.parse::<u64>().ok()?))
    });
    Ok(disks.max().map(|(_, available)| available.saturating_mul(KIB)))
}

async fn threads_running(conn: &mut Conn) -> Result<Option<u64>> {
    let query = "SHOW GLOBAL STATUS LIKE 'Threads_running'";
    let rows = rows_if_allowed(conn, query).await?.unwrap_or_default();
    let value = rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten();
    // One of them is ours.
    Ok(value.and_then(|number| number.parse::<u64>().ok()).map(|number| number.saturating_sub(1)))
}

async fn is_replica(conn: &mut Conn, flavor: Flavor) -> Result<Option<bool>> {
    let query = match flavor {
        Flavor::MariaDb => "SHOW ALL SLAVES STATUS",
        Flavor::MySql => "SHOW REPLICA STATUS",
    };
    Ok(rows_if_allowed(conn, query).await?.map(|rows| !rows.is_empty()))
}
