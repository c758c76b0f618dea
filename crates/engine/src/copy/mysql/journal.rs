//! What a copy writes down on the target, so that its death at any moment leaves nothing half-done.
//!
//! Each copy has a database of its own for this, and a lock that it holds while it lives. Promises:
//! a copy that died before it began to publish is removed without a trace; one that died while it
//! published goes back to what was there before; one that died afterwards is only tidied. Copies that
//! live are never touched. That a copy is shown is written down in one statement, in the place of what
//! going back would need; of a job it stays until who asked for the job knows.

use std::collections::BTreeSet;

use dump::token::Target;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::objects::Making;
use super::publish::{self, Place};
use super::rename::Renaming;
use super::resume::Entry;
use super::session;
use crate::copy::past::{self, COPIES_MAX, Head, Past, Repaired, Settled, Shown, Wait, Written};
use crate::copy::staging::{journal_of, tag_of};
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

    /// Takes the lock of a copy that died, for as long as `conn` lives; false if the copy lives
    /// still after `wait` seconds.
    pub async fn take(&self, conn: &mut Conn, wait: u32) -> Result<bool> {
        lock(conn, &self.name, wait).await
    }

    /// Ends the connection that has the lock, if any has: a process that stands still keeps it, and its
    /// server does not notice. Nothing if the account may not.
    pub async fn evict(&self, conn: &mut Conn) -> Result<()> {
        let holder = conn.scalar(&format!("SELECT IS_USED_LOCK({})", literal(&self.name))).await?;
        let Some(holder) = holder.and_then(|id| id.parse::<u64>().ok()) else { return Ok(()) };
        match conn.query(format!("KILL CONNECTION {holder}").as_bytes()).await {
            Err(error) if conn.is_broken() => Err(error),
            // It may be gone by itself.
            Err(_) | Ok(_) => Ok(()),
        }
    }

    /// Gives that lock back.
    pub async fn give_back(&self, conn: &mut Conn) -> Result<()> {
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

/// Undoes what copies of these tags were publishing when they died, and gives what one of them shows. One
/// that lives after `wait` is an error.
pub async fn settle(
    target: &Endpoint,
    is_one: &(dyn Fn(&str) -> bool + Sync),
    wait: Wait,
) -> Result<Option<Shown>> {
    let mut conn = Conn::open(target, "copy repair").await?;
    let tags = tags(&mut conn).await?;
    let dead: Vec<&String> = tags.iter().filter(|tag| is_one(tag)).take(COPIES_MAX).collect();
    if dead.is_empty() {
        conn.close().await;
        return Ok(None);
    }
    let facts = facts::gather(&mut conn).await?;
    conn.close().await;
    let mut conn = session::writer(target, facts.flavor, "copy repair").await?;
    let mut shown = None;
    for tag in dead {
        let journal = Journal::new(tag);
        if wait == Wait::Ended {
            journal.evict(&mut conn).await?;
        }
        if !journal.take(&mut conn, wait.seconds()).await? {
            return Err(past::still_works());
        }
        if let Settled::Shown(one) = journal.settle(&mut conn, &facts).await? {
            shown = Some(*one);
        }
        journal.give_back(&mut conn).await?;
    }
    conn.close().await;
    Ok(shown)
}

/// Tidies up after the copies that died, before one that goes on with some of them.
pub async fn repair_past(target: &Endpoint, past: &Past) -> Result<Vec<Repaired>> {
    match past {
        Past::Remove => repair(target, None, Wait::None).await,
        // Any of them may be one that somebody goes on with.
        Past::Resume => Ok(Vec::new()),
        Past::ResumeOf(_) => {
            repair_those(target, &|tag| !past.concerns(tag), (Wait::None, false)).await
        }
    }
}

async fn repair_those(
    target: &Endpoint,
    is_one: &(dyn Fn(&str) -> bool + Sync),
    (wait, keeps_shown): (Wait, bool),
) -> Result<Vec<Repaired>> {
    let mut conn = Conn::open(target, "copy repair").await?;
    let dead = tags(&mut conn).await?;
    let dead: Vec<&String> = dead.iter().filter(|tag| is_one(tag)).collect();
    let mut repaired = Vec::new();
    if !dead.is_empty() {
        let facts = facts::gather(&mut conn).await?;
        for tag in dead.into_iter().take(COPIES_MAX) {
            repaired.extend(repair_one(target, &facts, tag, (wait, keeps_shown)).await?);
        }
    }
    conn.close().await;
    Ok(repaired)
}

/// Nothing if the copy lives. With `keeps_shown` the journal stays if it says that the copy is shown.
async fn repair_one(
    target: &Endpoint,
    facts: &ServerFacts,
    tag: &str,
    (wait, keeps_shown): (Wait, bool),
) -> Result<Option<Repaired>> {
    let mut conn = session::writer(target, facts.flavor, "copy repair").await?;
    let journal = Journal::new(tag);
    if wait == Wait::Ended {
        journal.evict(&mut conn).await?;
    }
    if !lock(&mut conn, &journal.name, wait.seconds()).await? {
        return Ok(None);
    }
    let settled = journal.settle(&mut conn, facts).await?;
    let stays = keeps_shown && matches!(settled, Settled::Shown(_));
    for name in databases(&mut conn, tag).await? {
        if stays && name == journal.name {
            continue;
        }
        conn.query(format!("DROP DATABASE IF EXISTS {}", identifier(&name)).as_bytes()).await?;
    }
    conn.close().await;
    Ok(Some(Repaired { tag: tag.to_owned(), what: settled.told().to_owned() }))
}

/// Takes a copy's lock; false if another connection has it. It goes with the connection.
async fn lock(conn: &mut Conn, name: &str, wait: u32) -> Result<bool> {
    let taken = conn.scalar(&format!("SELECT GET_LOCK({}, {wait})", literal(name))).await?;
    Ok(taken.as_deref() == Some("1"))
}

/// The tags of all copies that left something.
pub async fn tags(conn: &mut Conn) -> Result<BTreeSet<String>> {
    let rows = conn.rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA").await?;
    let names = rows.into_iter().filter_map(|row| row.into_iter().next().flatten());
    Ok(names.filter_map(|name| tag_of(&name).map(str::to_owned)).collect())
}

/// The databases of a copy, its journal last.
async fn databases(conn: &mut Conn, tag: &str) -> Result<Vec<String>> {
    let rows = conn.rows("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA").await?;
    let names = rows.into_iter().filter_map(|row| row.into_iter().next().flatten());
    let mut names: Vec<String> = names.filter(|name| tag_of(name) == Some(tag)).collect();
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    Ok(names)
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
