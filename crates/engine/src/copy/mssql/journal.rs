//! What a copy writes down on the target, so that its death at any moment leaves nothing half-done.
//!
//! Each copy has a database of its own for this, and a lock of its session that it holds while it lives.
//! The promises are those of MySQL's journal: a copy that died before it began to publish is removed without
//! a trace, one that died while it published goes back to what was there before, one that died afterwards
//! is only tidied. Copies that live are never touched. Of a job it stays that it is shown, until who asked
//! for the job knows.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::publish::{self, Place};
use super::resume::Entry;
use super::session::Conn;
use super::{answer, database, session};
use crate::copy::past::{self, COPIES_MAX, Head, Past, Repaired, Settled, Shown, Wait, Written};
use crate::copy::staging::{journal_of, tag_of};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::name::{binary, literal, quoted};
use crate::mssql::session::Session;
use crate::mssql::value::Value;

/// Bytes of the ledger that are written at once.
const LEDGER_BYTES: usize = 256 << 10;
/// Entries that are written at once: a server takes no more rows in one statement.
const LEDGER_ROWS: usize = 1000;

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

    /// Shows that the copy lives: as long as this session does.
    pub async fn sign(&self, session: &mut Session) -> Result<()> {
        match lock(session, &self.name, 0).await? {
            true => Ok(()),
            false => {
                let text = format!("another copy calls itself {}", self.name);
                Err(Error::new(ErrorKind::Refused, Side::Target, text))
            }
        }
    }

    /// Opens it; the database must not be there. The session is in it afterwards.
    pub async fn open(&self, session: &mut Session) -> Result<()> {
        session.run(&format!("CREATE DATABASE {}", quoted(&self.name))).await?;
        answer::enter(session, &self.name).await?;
        for table in ["journal", "ledger"] {
            let sql = format!(
                "CREATE TABLE dbo.{table} (id bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY, entry \
                 varbinary(max) NOT NULL)"
            );
            session.run(&sql).await?;
        }
        Ok(())
    }

    /// Writes down what another copy has to know to go on with this one. Its last entry makes it
    /// valid. The session is in the journal afterwards.
    pub async fn describe(&self, session: &mut Session, entries: &[Entry]) -> Result<()> {
        const INTO: &str = "INSERT INTO dbo.ledger (entry) VALUES ";
        answer::enter(session, &self.name).await?;
        let (mut sql, mut count) = (INTO.to_owned(), 0);
        for (at, entry) in entries.iter().enumerate() {
            sql.push_str(&format!("({})", binary(&bytes(entry)?)));
            count += 1;
            let is_last = at + 1 == entries.len();
            if is_last || sql.len() > LEDGER_BYTES || count == LEDGER_ROWS {
                session.run(&sql).await?;
                (sql, count) = (INTO.to_owned(), 0);
            } else {
                sql.push(',');
            }
        }
        Ok(())
    }

    /// What a copy was of; nothing if it had not come so far.
    pub async fn head(&self, session: &mut Session) -> Result<Option<Head>> {
        let last = self.all(session, "ledger").await?.pop();
        Ok(last.and_then(|bytes| match serde_json::from_slice(&bytes) {
            Ok(Entry::Head(head)) => Some(head),
            Ok(Entry::Database { .. } | Entry::Table { .. }) | Err(_) => None,
        }))
    }

    /// All that it wrote down. What another version wrote is not understood, and so is nothing.
    pub async fn entries(&self, session: &mut Session) -> Result<Vec<Entry>> {
        let all = self.all(session, "ledger").await?;
        let entries = all.iter().map(|bytes| serde_json::from_slice(bytes).ok());
        Ok(entries.collect::<Option<Vec<Entry>>>().unwrap_or_default())
    }

    /// Writes down all that is needed to go back, before the target changes. The session is in the journal
    /// afterwards.
    pub async fn publishing(&self, session: &mut Session, places: &[Place]) -> Result<()> {
        answer::enter(session, &self.name).await?;
        let entry = binary(&bytes(&places)?);
        session.run(&format!("INSERT INTO dbo.journal (entry) VALUES ({entry})")).await?;
        Ok(())
    }

    /// The target shows the copy: from this statement on nothing is to be undone. The session is in the
    /// journal afterwards.
    pub async fn shown(&self, session: &mut Session, shown: Shown) -> Result<()> {
        answer::enter(session, &self.name).await?;
        let entry = binary(&bytes(&Written::<Place>::Shown(Box::new(shown)))?);
        session.run(&format!("UPDATE dbo.journal SET entry = {entry}")).await.map(|_rows| ())
    }

    /// Undoes what was being published, if anything was, and nothing that is shown. Its lock must be held. The
    /// session is in no database of the copy afterwards.
    pub async fn settle(&self, session: &mut Session) -> Result<Settled> {
        let all = self.all(session, "journal").await?;
        answer::enter(session, session::HOME).await?;
        let Some(entry) = all.last() else { return Ok(Settled::Nothing) };
        let written = read(entry).ok_or_else(|| {
            let text = format!("the journal of {} is not readable", self.name);
            Error::new(ErrorKind::Internal, Side::Target, text)
        })?;
        let places: Vec<Place> = match written {
            Written::Shown(shown) => return Ok(Settled::Shown(shown)),
            Written::Publishing(places) => places,
        };
        publish::back(session, &places).await?;
        answer::enter(session, &self.name).await?;
        session.run("DELETE FROM dbo.journal").await?;
        answer::enter(session, session::HOME).await?;
        Ok(Settled::Undone)
    }

    async fn all(&self, session: &mut Session, table: &str) -> Result<Vec<Vec<u8>>> {
        if database::id(session, &self.name).await?.is_none() {
            return Ok(Vec::new());
        }
        answer::enter(session, &self.name).await?;
        let there = format!("OBJECT_ID({})", literal(&format!("dbo.{table}")));
        if answer::number(session, &there).await?.is_none() {
            return Ok(Vec::new());
        }
        let rows = session.query(&format!("SELECT entry FROM dbo.{table} ORDER BY id")).await?;
        let entries = rows.into_iter().filter_map(|row| match row.into_iter().next() {
            Some(Value::Bytes(bytes)) => Some(bytes),
            Some(Value::Null | Value::Int(_) | Value::Text(_)) | None => None,
        });
        Ok(entries.collect())
    }
}

/// The lock of a copy that died, held by a session of its own.
#[derive(Debug)]
pub struct Held {
    conn: Conn,
}

impl Held {
    /// Gives it back.
    pub async fn release(self) {
        self.conn.close().await;
    }
}

/// Takes the lock of a copy that died; nothing if the copy lives still after `wait` seconds.
///
/// On a session of its own: Babelfish for PostgreSQL ends after a few locks that one session did not get.
pub async fn hold(target: &Endpoint, tag: &str, wait: u32) -> Result<Option<Held>> {
    let mut conn = session::writer(target, "copy repair").await?;
    match lock(&mut conn.session, &journal_of(tag), wait).await? {
        true => Ok(Some(Held { conn })),
        false => {
            conn.close().await;
            Ok(None)
        }
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
    let mut conn = session::writer(target, "copy repair").await?;
    let tags = tags(&mut conn.session).await?;
    conn.close().await;
    let mut shown = None;
    for tag in tags.iter().filter(|tag| is_one(tag)).take(COPIES_MAX) {
        let held = hold(target, tag, wait.seconds()).await?;
        let Held { mut conn } = held.ok_or_else(past::still_works)?;
        if let Settled::Shown(one) = Journal::new(tag).settle(&mut conn.session).await? {
            shown = Some(*one);
        }
        conn.close().await;
    }
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
    let mut conn = session::writer(target, "copy repair").await?;
    let dead = tags(&mut conn.session).await?;
    conn.close().await;
    let mut repaired = Vec::new();
    for tag in dead.iter().filter(|tag| is_one(tag)).take(COPIES_MAX) {
        repaired.extend(repair_one(target, tag, (wait.seconds(), keeps_shown)).await?);
    }
    Ok(repaired)
}

/// Nothing if the copy lives. With `keeps_shown` the journal stays if it says that the copy is shown.
async fn repair_one(
    target: &Endpoint,
    tag: &str,
    (wait, keeps_shown): (u32, bool),
) -> Result<Option<Repaired>> {
    let Some(Held { mut conn }) = hold(target, tag, wait).await? else { return Ok(None) };
    let session = &mut conn.session;
    let settled = Journal::new(tag).settle(session).await?;
    let stays = keeps_shown && matches!(settled, Settled::Shown(_));
    for name in databases(session, tag).await? {
        if !(stays && name == journal_of(tag)) {
            database::remove(session, &name).await?;
        }
    }
    conn.close().await;
    Ok(Some(Repaired { tag: tag.to_owned(), what: settled.told().to_owned() }))
}

/// Takes a lock that goes with the session; false if another one has it after `wait` seconds. It is one of
/// the server's own database, so the session has to be there, and is back there afterwards.
pub async fn lock(session: &mut Session, name: &str, wait: u32) -> Result<bool> {
    answer::enter(session, session::HOME).await?;
    let sql = format!(
        "DECLARE @taken int; EXEC @taken = sp_getapplock @Resource = {}, @LockMode = 'Exclusive', \
         @LockOwner = 'Session', @LockTimeout = {}; SELECT CAST(@taken AS bigint)",
        literal(name),
        u64::from(wait) * 1000
    );
    let rows = session.query(&sql).await?;
    // 0: at once, 1: after a while; below 0 not.
    Ok(matches!(rows.first().and_then(|row| row.first()), Some(Value::Int(taken)) if *taken >= 0))
}

/// Whether a lock of this name is held by another session.
pub async fn is_locked(session: &mut Session, name: &str) -> Result<bool> {
    answer::enter(session, session::HOME).await?;
    let test = format!("APPLOCK_TEST('public', {}, 'Exclusive', 'Session')", literal(name));
    Ok(answer::number(session, &test).await? == Some(0))
}

/// The tags of all copies that left something.
pub async fn tags(session: &mut Session) -> Result<BTreeSet<String>> {
    let names = database::names(session).await?;
    Ok(names.iter().filter_map(|name| tag_of(name).map(str::to_owned)).collect())
}

/// The databases of a copy, its journal last.
async fn databases(session: &mut Session, tag: &str) -> Result<Vec<String>> {
    let mut names = database::names(session).await?;
    names.retain(|name| tag_of(name) == Some(tag));
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    Ok(names)
}

fn bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| {
        let text = "write down what the copy does";
        Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error)
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}
