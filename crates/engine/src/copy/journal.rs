//! What a copy writes down on the target, so that its death at any moment leaves nothing half-done.
//!
//! Each copy has a database of its own for this, and a lock that it holds while it lives. Promises:
//! a copy that died before it began to publish is removed without a trace; one that died while it
//! published goes back to what was there before; one that died afterwards is only tidied. Copies that
//! live are never touched.

use std::collections::BTreeSet;

use dump::token::Target;

use super::objects::Making;
use super::publish::{self, Place};
use super::rename::Renaming;
use super::session;
use super::staging::PREFIX;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::guard::Definer;
use crate::import::indexes::deferral::identifier;
use crate::import::table::literal;
use crate::import::target_of;
use crate::mysql::conn::Conn;
use crate::mysql::facts::{self, ServerFacts};

/// The most copies that one repair looks at.
pub const COPIES_MAX: usize = 100;

/// How long the connections of an ended copy may take to go, in seconds.
const LOCK_WAIT_SECS: u32 = 20;

/// What became of a copy that had died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// Its tag.
    pub tag: String,
    /// What was done, in words.
    pub what: String,
}

/// The journal of one copy.
#[derive(Clone, Debug)]
pub struct Journal {
    /// The database that holds it, and the lock's name.
    name: String,
}

impl Journal {
    /// The journal of the copy of this tag.
    pub fn new(tag: &str) -> Journal {
        Journal { name: format!("{PREFIX}{tag}") }
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
        conn.query(sql.as_bytes()).await.map(|_effect| ())
    }

    /// Writes down all that is needed to go back, before the target changes.
    pub async fn publishing(&self, conn: &mut Conn, places: &[Place]) -> Result<()> {
        let text = serde_json::to_vec(places).map_err(|error| {
            let text = "write down what is to be published";
            Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error)
        })?;
        let hex: String = text.iter().map(|byte| format!("{byte:02X}")).collect();
        let sql = format!("INSERT INTO {}.`journal` VALUES (X'{hex}')", identifier(&self.name));
        conn.query(sql.as_bytes()).await.map(|_effect| ())
    }

    /// The target shows the copy, or again what it showed before: nothing is to be undone.
    pub async fn settled(&self, conn: &mut Conn) -> Result<()> {
        let sql = format!("DELETE FROM {}.`journal`", identifier(&self.name));
        conn.query(sql.as_bytes()).await.map(|_effect| ())
    }

    /// What was being published, if anything was.
    async fn places(&self, conn: &mut Conn) -> Result<Option<Vec<Place>>> {
        let is_there = format!(
            "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = \
             'journal'",
            literal(&self.name)
        );
        if conn.rows(&is_there).await?.is_empty() {
            return Ok(None);
        }
        let sql = format!("SELECT HEX(`place`) FROM {}.`journal`", identifier(&self.name));
        let Some(hex) = conn.scalar(&sql).await? else { return Ok(None) };
        let read = bytes(&hex).and_then(|text| serde_json::from_slice(&text).ok());
        read.map(Some).ok_or_else(|| {
            let text = format!("the journal of {} is not readable", self.name);
            Error::new(ErrorKind::Internal, Side::Target, text)
        })
    }
}

/// Tidies up after copies that died or ended, all of them or the one of a tag. What cannot be put
/// right stays, and is an error.
pub async fn repair(target: &Endpoint, tag: Option<&str>) -> Result<Vec<Repaired>> {
    // The connections of one that has just ended may still be about to go.
    let wait = if tag.is_some() { LOCK_WAIT_SECS } else { 0 };
    let mut conn = Conn::open(target, "copy repair").await?;
    let dead = tags(&mut conn).await?;
    let dead: Vec<&String> = dead.iter().filter(|one| tag.is_none_or(|tag| tag == *one)).collect();
    let mut repaired = Vec::new();
    if !dead.is_empty() {
        let facts = facts::gather(&mut conn).await?;
        for tag in dead.into_iter().take(COPIES_MAX) {
            repaired.extend(repair_one(target, &facts, tag, wait).await?);
        }
    }
    conn.close().await;
    Ok(repaired)
}

/// Nothing if the copy lives.
async fn repair_one(
    target: &Endpoint,
    facts: &ServerFacts,
    tag: &str,
    wait: u32,
) -> Result<Option<Repaired>> {
    let mut conn = session::writer(target, facts.flavor, "copy repair").await?;
    let journal = Journal::new(tag);
    if !lock(&mut conn, &journal.name, wait).await? {
        return Ok(None);
    }
    let places = journal.places(&mut conn).await?;
    let what = match &places {
        None => "a copy that had not been published is removed",
        Some(places) => {
            let dialect: Target = target_of(facts);
            let renaming = Renaming::default();
            let making = Making {
                dialect,
                renaming: &renaming,
                definer: &Definer::Keep,
                enable_events: true,
            };
            publish::back(&mut conn, places, &making).await?;
            journal.settled(&mut conn).await?;
            "a copy that was being published is undone: its databases are as they were"
        }
    };
    for name in databases(&mut conn, tag).await? {
        conn.query(format!("DROP DATABASE IF EXISTS {}", identifier(&name)).as_bytes()).await?;
    }
    conn.close().await;
    Ok(Some(Repaired { tag: tag.to_owned(), what: what.to_owned() }))
}

/// Takes a copy's lock; false if another connection has it. It goes with the connection.
async fn lock(conn: &mut Conn, name: &str, wait: u32) -> Result<bool> {
    let taken = conn.scalar(&format!("SELECT GET_LOCK({}, {wait})", literal(name))).await?;
    Ok(taken.as_deref() == Some("1"))
}

/// The tags of all copies that left something.
async fn tags(conn: &mut Conn) -> Result<BTreeSet<String>> {
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

/// The tag in the name of a copy's database. Tags hold no `_`.
fn tag_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(PREFIX)?;
    let tag = rest.split('_').next().filter(|tag| !tag.is_empty())?;
    tag.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(tag)
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes();
    let pairs = digits.chunks(2).map(|pair| {
        let text = std::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    });
    pairs.collect()
}

#[test]
fn tags_are_found_in_names() {
    assert_eq!(tag_of("dbferry_copy_0a1b_0_old"), Some("0a1b"));
    assert_eq!(tag_of("dbferry_copy_0a1b"), Some("0a1b"));
    assert_eq!(tag_of("dbferry_copy_"), None);
    assert_eq!(tag_of("shop"), None);
}
