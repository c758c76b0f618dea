//! What a copy that died has left on the target, taken over by the next one.
//!
//! A snapshot dies with its connection, so the next copy has another one. Promises: rows are kept only
//! where [`crate::copy::sift`] finds them equal to that new snapshot, so the copy is of one moment all the
//! same; a table is kept only if its definition is what it was. Tables move into the new copy's own
//! staging databases: what the dead one still had under way finds none of its tables any more.
//! Remembers no chunks: what is there is compared instead, which also finds what was damaged.

use std::collections::BTreeMap;

use super::catalog::{self, Database};
use super::journal::{self, Journal, MySqlJournals};
use super::objects::{self, Placed};
use super::record::{Entry, shape};
use super::table::Table;
use super::{plan, precheck};
use crate::copy::journal::{Dead, claim as claim_dead};
use crate::copy::past::{Head, Past, Wait};
use crate::copy::staging::Staging;
use crate::endpoint::Endpoint;
use crate::error::{Result, Side};
use crate::import::indexes::deferral::identifier;
use crate::import::indexes::definition;
use crate::mysql::conn::Conn;
use crate::mysql::facts::ServerFacts;

/// How long a dead copy's statements may keep its tables, in seconds: building keys takes long, and
/// a server finishes that for a client that is gone.
pub const TABLES_WAIT_SECS: u32 = 3600;
/// Tables that change places in one statement.
const MOVES_MAX: usize = 500;

/// What is taken over.
#[derive(Debug, Default)]
pub struct Inheritance {
    /// The dead copies; their locks are held.
    tags: Vec<String>,
    /// Tables by number of their database, and name.
    tables: BTreeMap<(usize, String), Inherited>,
}

/// A table that is taken over.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Inherited {
    /// The database that holds it.
    schema: String,
    /// Its keys were built; known once it is adopted.
    has_keys: bool,
}

/// Finds what there is to take over, undoes what of it was being published, and holds its locks.
/// `databases` is what the source has now.
pub async fn claim(
    conn: &mut Conn,
    (own_tag, past): (&str, &Past),
    (head, databases): (&Head, &[Database]),
    target: &ServerFacts,
) -> Result<Inheritance> {
    let mut inheritance = Inheritance::default();
    let waits = format!("SET SESSION lock_wait_timeout = {TABLES_WAIT_SECS}");
    conn.query(waits.as_bytes()).await?;
    let mut journals = MySqlJournals { conn, facts: target };
    for dead in claim_dead(&mut journals, (own_tag, past), head).await? {
        let Dead { tag, is_same, .. } = dead;
        if is_same {
            let journal = Journal::new(&tag);
            journal.settle(conn, target).await?;
            let recorded = journal.entries(conn).await?;
            let staging = Staging::new(&tag, &head.databases);
            inheritance.gather(conn, target, &staging, (databases, &recorded)).await?;
        }
        inheritance.tags.push(tag);
    }
    Ok(inheritance)
}

impl Inheritance {
    /// Whether nothing was left by anybody.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// How many tables are taken over.
    pub fn tables(&self) -> usize {
        self.tables.len()
    }

    /// Whether a table is taken over.
    pub fn has(&self, index: usize, table: &str) -> bool {
        self.tables.contains_key(&(index, table.to_owned()))
    }

    /// Whether a table that is taken over has all its keys.
    pub fn has_keys(&self, index: usize, table: &str) -> bool {
        self.tables.get(&(index, table.to_owned())).is_some_and(|table| table.has_keys)
    }

    /// Looks for tables of one dead copy that can be kept.
    async fn gather(
        &mut self,
        conn: &mut Conn,
        target: &ServerFacts,
        staging: &Staging,
        (databases, recorded): (&[Database], &[Entry]),
    ) -> Result<()> {
        for (index, database) in databases.iter().enumerate() {
            let schema = staging.of(index);
            if !precheck::exists(conn, schema).await? {
                continue;
            }
            let present = catalog::read(conn, target, schema).await;
            let present = present.map_err(|error| error.on(Side::Target))?;
            // Programs that were made for a trial: a table with triggers cannot change its database.
            remove_programs(conn, schema, &present).await?;
            let wanted: BTreeMap<&str, &Table> =
                database.tables.iter().map(|table| (table.name.as_str(), table)).collect();
            let before: BTreeMap<&str, &Table> = recorded
                .iter()
                .filter_map(|entry| match entry {
                    Entry::Table(of, table) if *of == index => {
                        Some((table.name.as_str(), &**table))
                    }
                    Entry::Table(..) | Entry::Head(_) => None,
                })
                .collect();
            for copy in &present.tables {
                drop_foreign_keys(conn, schema, copy).await?;
                let name = copy.name.as_str();
                let (Some(table), Some(was)) = (wanted.get(name), before.get(name)) else {
                    continue;
                };
                let is_kept = shape(table) == **was && can_be_kept(table, copy);
                if is_kept && holds_rows(conn, schema, name).await? {
                    let inherited = Inherited { schema: schema.to_owned(), has_keys: false };
                    self.tables.entry((index, name.to_owned())).or_insert(inherited);
                }
            }
        }
        Ok(())
    }

    /// Moves the tables into the staging databases of this copy, which hold nothing else yet.
    pub async fn adopt(
        &mut self,
        conn: &mut Conn,
        target: &ServerFacts,
        (staging, databases): (&Staging, &[Database]),
    ) -> Result<()> {
        let moves: Vec<String> = self
            .tables
            .iter()
            .map(|((index, name), inherited)| {
                let (from, to) = (identifier(&inherited.schema), identifier(staging.of(*index)));
                let name = identifier(name);
                format!("{from}.{name} TO {to}.{name}")
            })
            .collect();
        for group in moves.chunks(MOVES_MAX) {
            let sql = format!("RENAME TABLE {}", group.join(", "));
            conn.query(sql.as_bytes()).await?;
        }
        // Only now: the dead copy's server may have gone on building keys until the table went.
        for (index, database) in databases.iter().enumerate() {
            if !self.tables.keys().any(|(of, _)| *of == index) {
                continue;
            }
            let present = catalog::read(conn, target, staging.of(index)).await;
            let present = present.map_err(|error| error.on(Side::Target))?;
            let wanted: BTreeMap<&str, &Table> =
                database.tables.iter().map(|table| (table.name.as_str(), table)).collect();
            for copy in present.tables {
                let table = wanted.get(copy.name.as_str());
                let is_whole = table.is_some_and(|table| table.keys == copy.keys);
                if let Some(inherited) = self.tables.get_mut(&(index, copy.name)) {
                    inherited.has_keys = is_whole;
                }
            }
        }
        Ok(())
    }

    /// Removes what is left of the dead copies.
    pub async fn release(&self, conn: &mut Conn, target: &Endpoint) -> Result<()> {
        conn.query(b"SET SESSION lock_wait_timeout = DEFAULT").await?;
        for tag in &self.tags {
            Journal::new(tag).give_back(conn).await?;
            journal::repair(target, Some(tag), Wait::ForDead).await?;
        }
        Ok(())
    }
}

/// Whether the rows of a table that was made before can be those of one that is to be made.
fn can_be_kept(table: &Table, copy: &Table) -> bool {
    let names = |table: &Table| -> Vec<String> {
        table.columns.iter().map(|column| column.name.clone()).collect()
    };
    let chunk_key_is_there =
        table.chunk_key().is_none_or(|(key, _)| copy.keys.iter().any(|there| there == key));
    // Rows with a history cannot be taken away again, and a default that names a sequence names the
    // one of the dead copy.
    !table.history
        && plan::sequence_defaults(table).is_empty()
        && names(table) == names(copy)
        && copy.keys.iter().all(|key| table.keys.contains(key))
        && chunk_key_is_there
}

async fn remove_programs(conn: &mut Conn, schema: &str, present: &Database) -> Result<()> {
    let collation = &present.charset.1;
    let placed = |program| Placed { database: schema, schema, collation, program };
    let programs: Vec<Placed<'_>> = present.programs.iter().map(placed).collect();
    objects::remove(conn, &programs).await
}

/// They are made again at the end; until then they would tie tables that stay to those that go.
async fn drop_foreign_keys(conn: &mut Conn, schema: &str, table: &Table) -> Result<()> {
    let definition = definition::parse(&table.create).unwrap_or_default();
    let drops: Vec<String> = definition
        .foreign_keys
        .iter()
        .map(|key| format!("DROP FOREIGN KEY {}", identifier(&key.name)))
        .collect();
    if drops.is_empty() {
        return Ok(());
    }
    let (schema, name) = (identifier(schema), identifier(&table.name));
    let sql = format!("ALTER TABLE {schema}.{name} {}", drops.join(", "));
    conn.query(sql.as_bytes()).await.map(|_effect| ())
}

async fn holds_rows(conn: &mut Conn, schema: &str, table: &str) -> Result<bool> {
    let sql = format!("SELECT 1 FROM {}.{} LIMIT 1", identifier(schema), identifier(table));
    Ok(!conn.rows(&sql).await?.is_empty())
}
