//! What a copy writes down on the target, so that its death at any moment leaves nothing half-done.
//!
//! Each copy has a database of its own for this, and a lock that it holds while it lives. Promises:
//! a copy that died before it began to publish is removed without a trace; one that died while it
//! published goes back to what was there before; one that died afterwards is only tidied. Copies that
//! live are never touched. That a copy is shown is written down in one statement, in the place of what
//! going back would need; of a job it stays until who asked for the job knows.

use dump::token::Target;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::objects::Making;
use super::publish::{self, Place};
use super::record::Entry;
use super::rename::Renaming;
use super::session;
use crate::copy::journal::{self, Journals};
use crate::copy::past::{Head, Past, Repaired, Settled, Shown, Wait, Written};
use crate::copy::staging::journal_of;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::guard::Definer;
use crate::import::indexes::deferral::identifier;
use crate::import::table::literal;
use crate::import::target_of;
use crate::mysql::conn::Conn;
use crate::mysql::facts::{self, ServerFacts};

/// Bytes of the ledger that are written at once.
const LEDGER_BYTES: usize = 256 << 10;

/// The journal of one copy.
#[derive(Clone, Debug)]
pub struct Journal {
    /// The database that holds it, and the lock's name.
    name: String,
}

impl Journal {
    /// The journal of the copy of this tag.
    pub fn new(tag: &str) -> Journal {
        Journal { name: journal_of(tag) }
    }

    /// Shows that the copy lives: as long as this connection does.
    pub async fn sign(&self, conn: &mut Conn) -> Result<()> {
        match lock(conn, &self.name, 0).await? {
            true => Ok(()),
            false => {
                let text = format!("another copy calls itself {}", self.name);
                Err(Error::new(ErrorKind::Refused, Side::Target, text))
            }
        }
    }

    /// Opens it; the database must not be there.
    pub async fn open(&self, conn: &mut Conn) -> Result<()> {
        let name = identifier(&self.name);
        conn.query(format!("CREATE DATABASE {name} CHARACTER SET utf8mb4").as_bytes()).await?;
        let sql = format!(
            "CREATE TABLE {name}.`journal` (`place` LONGBLOB NOT NULL) ENGINE=InnoDB \
             COMMENT='a copy by dbferry; dbferry repair tidies it'"
        );
        conn.query(sql.as_bytes()).await?;
        let sql = format!(
            "CREATE TABLE {name}.`ledger` (`id` BIGINT AUTO_INCREMENT PRIMARY KEY, `entry` LONGBLOB \
             NOT NULL) ENGINE=InnoDB COMMENT='what dbferry copy --resume has to know'"
        );
        conn.query(sql.as_bytes()).await.map(|_effect| ())
    }

    /// Writes down what another copy has to know to go on with this one. Its last entry makes it
    /// valid.
    pub async fn describe(&self, conn: &mut Conn, entries: &[Entry]) -> Result<()> {
        let into = format!("INSERT INTO {}.`ledger` (`entry`) VALUES ", identifier(&self.name));
        let mut sql = into.clone();
        for entry in entries {
            if sql.len() > into.len() {
                sql.push(',');
            }
            sql.push_str(&format!("(X'{}')", hex(entry)?));
            if sql.len() > LEDGER_BYTES {
                conn.query(sql.as_bytes()).await?;
                sql.clone_from(&into);
            }
        }
        match sql.len() > into.len() {
            true => conn.query(sql.as_bytes()).await.map(|_effect| ()),
            false => Ok(()),
        }
    }

    /// What a copy was of; nothing if it had not come so far.
    pub async fn head(&self, conn: &mut Conn) -> Result<Option<Head>> {
        let last = self.ledger(conn, "ORDER BY `id` DESC LIMIT 1").await?.pop();
        Ok(last.and_then(|entry| match entry {
            Entry::Head(head) => Some(head),
            Entry::Table(..) => None,
        }))
    }

    /// All that it wrote down.
    pub async fn entries(&self, conn: &mut Conn) -> Result<Vec<Entry>> {
        self.ledger(conn, "ORDER BY `id`").await
    }

    async fn ledger(&self, conn: &mut Conn, which: &str) -> Result<Vec<Entry>> {
        if !self.has(conn, "ledger").await? {
            return Ok(Vec::new());
        }
        let sql = format!("SELECT HEX(`entry`) FROM {}.`ledger` {which}", identifier(&self.name));
        let rows = conn.rows(&sql).await?;
        let entries = rows.into_iter().map(|row| read(row.into_iter().next().flatten().as_deref()));
        // What another version wrote is not understood, and so is nothing.
        Ok(entries.collect::<Option<Vec<Entry>>>().unwrap_or_default())
    }

    /// Ends the connection that has the lock, see [`Journals::evict`].
    async fn evict(&self, conn: &mut Conn) -> Result<()> {
        let holder = conn.scalar(&format!("SELECT IS_USED_LOCK({})", literal(&self.name))).await?;
        let Some(holder) = holder.and_then(|id| id.parse::<u64>().ok()) else { return Ok(()) };
        match conn.query(format!("KILL CONNECTION {holder}").as_bytes()).await {
            Err(error) if conn.is_broken() => Err(error),
            // It may be gone by itself.
            Err(_) | Ok(_) => Ok(()),
        }
    }

    /// Gives the lock back.
    pub(super) async fn give_back(&self, conn: &mut Conn) -> Result<()> {
        let sql = format!("SELECT RELEASE_LOCK({})", literal(&self.name));
        conn.scalar(&sql).await.map(|_released| ())
    }

    /// Undoes what was being published, if anything was, and nothing that is shown. Its lock must be
    /// held.
    pub async fn settle(&self, conn: &mut Conn, facts: &ServerFacts) -> Result<Settled> {
        let places = match self.written(conn).await? {
            None => return Ok(Settled::Nothing),
            Some(Written::Shown(shown)) => return Ok(Settled::Shown(shown)),
            Some(Written::Publishing(places)) => places,
        };
        let dialect: Target = target_of(facts);
        let renaming = Renaming::default();
        let definer = &Definer::Keep;
        let making = Making { dialect, renaming: &renaming, definer, enable_events: true };
        publish::back(conn, &places, &making).await?;
        let sql = format!("DELETE FROM {}.`journal`", identifier(&self.name));
        conn.query(sql.as_bytes()).await?;
        Ok(Settled::Undone)
    }

    async fn has(&self, conn: &mut Conn, table: &str) -> Result<bool> {
        let sql = format!(
            "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            literal(&self.name),
            literal(table)
        );
        Ok(!conn.rows(&sql).await?.is_empty())
    }

    /// Writes down all that is needed to go back, before the target changes.
    pub async fn publishing(&self, conn: &mut Conn, places: &[Place]) -> Result<()> {
        let hex = hex(&places)?;
        let sql = format!("INSERT INTO {}.`journal` VALUES (X'{hex}')", identifier(&self.name));
        conn.query(sql.as_bytes()).await.map(|_effect| ())
    }

    /// The target shows the copy: from this statement on nothing is to be undone.
    pub async fn shown(&self, conn: &mut Conn, shown: Shown) -> Result<()> {
        let hex = hex(&Written::<Place>::Shown(Box::new(shown)))?;
        let sql = format!("UPDATE {}.`journal` SET `place` = X'{hex}'", identifier(&self.name));
        conn.query(sql.as_bytes()).await.map(|_effect| ())
    }

    /// What it says of the copy's end, if it was near.
    async fn written(&self, conn: &mut Conn) -> Result<Option<Written<Place>>> {
        if !self.has(conn, "journal").await? {
            return Ok(None);
        }
        let sql = format!("SELECT HEX(`place`) FROM {}.`journal`", identifier(&self.name));
        let Some(hex) = conn.scalar(&sql).await? else { return Ok(None) };
        read(Some(&hex)).map(Some).ok_or_else(|| {
            let text = format!("the journal of {} is not readable", self.name);
            Error::new(ErrorKind::Internal, Side::Target, text)
        })
    }
}

/// The copies on a target, with a connection that has all locks that are taken.
#[derive(Debug)]
pub struct MySqlJournals<'a> {
    /// The connection.
    pub conn: &'a mut Conn,
    /// What the target is.
    pub facts: &'a ServerFacts,
}

impl Journals for MySqlJournals<'_> {
    type Lock = ();
    const ENDING: &'static str =
        "CONNECTION_ADMIN (CONNECTION ADMIN on MariaDB), or to be the same account";

    async fn names(&mut self) -> Result<Vec<String>> {
        let rows = self.conn.rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA").await?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    async fn head(&mut self, tag: &str) -> Result<Option<Head>> {
        Journal::new(tag).head(self.conn).await
    }

    async fn evict(&mut self, tag: &str) -> Result<()> {
        Journal::new(tag).evict(self.conn).await
    }

    async fn take(&mut self, tag: &str, wait: u32) -> Result<Option<()>> {
        Ok(lock(self.conn, &journal_of(tag), wait).await?.then_some(()))
    }

    async fn settle(&mut self, (): &mut (), tag: &str) -> Result<Settled> {
        Journal::new(tag).settle(self.conn, self.facts).await
    }

    async fn remove(&mut self, (): &mut (), database: &str) -> Result<()> {
        let sql = format!("DROP DATABASE IF EXISTS {}", identifier(database));
        self.conn.query(sql.as_bytes()).await.map(|_effect| ())
    }

    async fn give_back(&mut self, (): (), tag: &str) -> Result<()> {
        Journal::new(tag).give_back(self.conn).await
    }
}

/// Tidies up after copies that died or ended, all of them or the one of a tag. What cannot be put
/// right stays, and is an error.
pub async fn repair(target: &Endpoint, tag: Option<&str>, wait: Wait) -> Result<Vec<Repaired>> {
    repair_those(target, &|one| tag.is_none_or(|tag| tag == one), (wait, false)).await
}

/// Tidies up after the copy of a tag that has come to its end. If it is a job's, what says that it is
/// shown stays.
pub async fn tidy(target: &Endpoint, tag: &str, past: &Past) -> Result<()> {
    let keeps = matches!(past, Past::ResumeOf(_));
    repair_those(target, &|one| tag == one, (Wait::ForDead, keeps)).await.map(|_repaired| ())
}

/// Undoes what copies of these tags were publishing when they died, see [`journal::settle`].
pub async fn settle(
    target: &Endpoint,
    is_one: &(dyn Fn(&str) -> bool + Sync),
    wait: Wait,
) -> Result<Option<Shown>> {
    let (mut conn, facts) = open(target).await?;
    let mut journals = MySqlJournals { conn: &mut conn, facts: &facts };
    let shown = journal::settle(&mut journals, is_one, wait).await?;
    conn.close().await;
    Ok(shown)
}

/// Tidies up after the copies that died, before one that goes on with some of them.
pub async fn repair_past(target: &Endpoint, past: &Past) -> Result<Vec<Repaired>> {
    match journal::before(past) {
        Some(is_one) => repair_those(target, &is_one, (Wait::None, false)).await,
        None => Ok(Vec::new()),
    }
}

async fn repair_those(
    target: &Endpoint,
    is_one: &(dyn Fn(&str) -> bool + Sync),
    how: (Wait, bool),
) -> Result<Vec<Repaired>> {
    let (mut conn, facts) = open(target).await?;
    let mut journals = MySqlJournals { conn: &mut conn, facts: &facts };
    let repaired = journal::repair(&mut journals, is_one, how).await?;
    conn.close().await;
    Ok(repaired)
}

/// A connection that may undo what a copy did, and what the target is.
async fn open(target: &Endpoint) -> Result<(Conn, ServerFacts)> {
    let mut conn = Conn::open(target, "copy repair").await?;
    let facts = facts::gather(&mut conn).await?;
    conn.close().await;
    let conn = session::writer(target, facts.flavor, "copy repair").await?;
    Ok((conn, facts))
}

/// Takes a copy's lock; false if another connection has it. It goes with the connection.
async fn lock(conn: &mut Conn, name: &str, wait: u32) -> Result<bool> {
    let taken = conn.scalar(&format!("SELECT GET_LOCK({}, {wait})", literal(name))).await?;
    Ok(taken.as_deref() == Some("1"))
}

/// A value as text in hexadecimal digits.
fn hex(value: &impl Serialize) -> Result<String> {
    let text = serde_json::to_vec(value).map_err(|error| {
        let text = "write down what the copy does";
        Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error)
    })?;
    Ok(text.iter().map(|byte| format!("{byte:02X}")).collect())
}

/// What [`hex`] made; nothing if it is not that.
fn read<T: DeserializeOwned>(hex: Option<&str>) -> Option<T> {
    serde_json::from_slice(&bytes(hex?)?).ok()
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    });
    pairs.collect()
}
