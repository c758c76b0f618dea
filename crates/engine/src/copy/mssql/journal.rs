//! What a copy writes down on the target, so that its death at any moment leaves nothing half-done.
//!
//! Each copy has a database of its own for this, and a lock of its session that it holds while it lives.
//! The promises are those of MySQL's journal: a copy that died before it began to publish is removed without
//! a trace, one that died while it published goes back to what was there before, one that died afterwards
//! is only tidied. Copies that live are never touched. Of a job it stays that it is shown, until who asked
//! for the job knows.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::places::Places;
use super::publish::{self, Place};
use super::record::Entry;
use super::session::{Conn, Mark};
use super::{answer, database, session};
use crate::copy::journal::{self, Journals};
use crate::copy::past::{Head, Past, Repaired, Settled, Shown, Wait, Written};
use crate::copy::staging::journal_of;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::name::{binary, literal, quoted};
use crate::mssql::session::Session;
use crate::mssql::value::Value;

/// Bytes of the ledger that are written at once.
const LEDGER_BYTES: usize = 256 << 10;
/// Entries that are written at once: a server takes no more rows in one statement.
const LEDGER_ROWS: usize = 1000;
/// The table that tells which session has the lock.
const HOLDER: &str = "holder";

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
        for table in ["journal", "ledger", HOLDER] {
            let sql = format!(
                "CREATE TABLE dbo.{table} (id bigint IDENTITY(1, 1) NOT NULL PRIMARY KEY, entry \
                 varbinary(max) NOT NULL)"
            );
            session.run(&sql).await?;
        }
        let mark = session::mark(session).await?;
        self.note(session, &mark).await
    }

    /// Writes down which session has the lock, so that one that stands still can be ended. The session is in the
    /// journal.
    async fn note(&self, session: &mut Session, mark: &Mark) -> Result<()> {
        let entry = binary(&bytes(mark)?);
        session.run(&format!("DELETE FROM dbo.{HOLDER}")).await?;
        session.run(&format!("INSERT INTO dbo.{HOLDER} (entry) VALUES ({entry})")).await?;
        Ok(())
    }

    /// Ends the session that has the lock, see [`Journals::evict`]. The session is at home afterwards.
    ///
    /// Where the server shows locks, it tells whose it is; the journal tells as well, and what it wrote down is
    /// only believed of a session that logged in at that moment.
    async fn evict(&self, (session, target): (&mut Session, &Endpoint)) -> Result<()> {
        if !is_locked(session, &self.name).await? {
            return Ok(());
        }
        let noted = self.all(session, HOLDER).await?.pop().and_then(|entry| read(&entry));
        answer::enter(session, session::HOME).await?;
        let seen = session::holders(session, &self.name).await?;
        let Some(mark) = holder(noted, seen) else { return Ok(()) };
        let mut places = Places::of(target);
        let ended = loop {
            match session::end(session, &mark).await {
                Err(error) if !session.is_idle() => break Err(error),
                Ok(_) => break Ok(()),
                Err(_refused) => match places.take(session).await {
                    Ok(true) => {}
                    // It may be gone by itself, and not every login may end others.
                    Ok(false) => break Ok(()),
                    Err(error) => break Err(error),
                },
            }
        };
        places.leave().await;
        ended
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
    pub async fn settle(&self, (session, target): (&mut Session, &Endpoint)) -> Result<Settled> {
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
        publish::back((session, target), &places).await?;
        answer::enter(session, &self.name).await?;
        session.run("DELETE FROM dbo.journal").await?;
        answer::enter(session, session::HOME).await?;
        Ok(Settled::Undone)
    }

    /// Whether it has a table of this name; if so, the session is in the journal.
    async fn has(&self, session: &mut Session, table: &str) -> Result<bool> {
        if database::id(session, &self.name).await?.is_none() {
            return Ok(false);
        }
        answer::enter(session, &self.name).await?;
        let there = format!("OBJECT_ID({})", literal(&format!("dbo.{table}")));
        Ok(answer::number(session, &there).await?.is_some())
    }

    async fn all(&self, session: &mut Session, table: &str) -> Result<Vec<Vec<u8>>> {
        if !self.has(session, table).await? {
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

/// Of the sessions that the server shows with a lock of that name, and the one that was written down, the one that has
/// it. Nothing where that is not certain: names of locks are cut off where they are shown.
fn holder(noted: Option<Mark>, mut seen: Vec<Mark>) -> Option<Mark> {
    match noted {
        Some(noted) if seen.is_empty() || seen.contains(&noted) => Some(noted),
        Some(_) | None => seen.pop().filter(|_| seen.is_empty()),
    }
}

/// Takes the lock of a copy that died; nothing if the copy lives still after `wait` seconds.
///
/// On a session of its own: Babelfish for PostgreSQL ends after a few locks that one session did not get.
pub async fn hold(target: &Endpoint, tag: &str, wait: u32) -> Result<Option<Held>> {
    let mut conn = session::writer(target, "copy repair").await?;
    let (session, journal) = (&mut conn.session, Journal::new(tag));
    if !lock(session, &journal.name, wait).await? {
        conn.close().await;
        return Ok(None);
    }
    if journal.has(session, HOLDER).await? {
        let mark = session::mark(session).await?;
        journal.note(session, &mark).await?;
    }
    answer::enter(session, session::HOME).await?;
    Ok(Some(Held { conn }))
}

/// The copies on a target.
#[derive(Debug)]
pub struct SqlServerJournals<'a> {
    /// The target: each lock has a session of its own.
    pub target: &'a Endpoint,
    /// Who asks; at home between two questions.
    pub session: &'a mut Session,
}

impl Journals for SqlServerJournals<'_> {
    type Lock = Held;
    const ENDING: &'static str = "ALTER ANY CONNECTION and VIEW SERVER STATE";

    async fn names(&mut self) -> Result<Vec<String>> {
        database::names(self.session).await
    }

    async fn head(&mut self, tag: &str) -> Result<Option<Head>> {
        let head = Journal::new(tag).head(self.session).await?;
        answer::enter(self.session, session::HOME).await?;
        Ok(head)
    }

    async fn evict(&mut self, tag: &str) -> Result<()> {
        Journal::new(tag).evict((self.session, self.target)).await
    }

    async fn take(&mut self, tag: &str, wait: u32) -> Result<Option<Held>> {
        hold(self.target, tag, wait).await
    }

    async fn settle(&mut self, held: &mut Held, tag: &str) -> Result<Settled> {
        Journal::new(tag).settle((&mut held.conn.session, self.target)).await
    }

    async fn remove(&mut self, held: &mut Held, database: &str) -> Result<()> {
        database::remove(&mut held.conn.session, database).await
    }

    async fn give_back(&mut self, held: Held, _tag: &str) -> Result<()> {
        held.release().await;
        Ok(())
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
    let mut conn = session::writer(target, "copy repair").await?;
    let mut journals = SqlServerJournals { target, session: &mut conn.session };
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
    let mut conn = session::writer(target, "copy repair").await?;
    let mut journals = SqlServerJournals { target, session: &mut conn.session };
    let repaired = journal::repair(&mut journals, is_one, how).await?;
    conn.close().await;
    Ok(repaired)
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

fn bytes(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|error| {
        let text = "write down what the copy does";
        Error::new(ErrorKind::Internal, Side::Internal, text).with_source(error)
    })
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: u64, began: &str) -> Mark {
        Mark { server: "s".to_owned(), number, began: Some(began.to_owned()) }
    }

    #[track_caller]
    fn check(noted: Option<&Mark>, seen: &[&Mark], expected: Option<&Mark>) {
        let seen = seen.iter().map(|mark| (*mark).clone()).collect();
        assert_eq!(holder(noted.cloned(), seen).as_ref(), expected);
    }

    #[test]
    fn nobody_is_taken_for_the_holder_of_a_lock_who_may_be_another() {
        let (one, later, other) = (mark(51, "1"), mark(51, "2"), mark(52, "1"));
        check(None, &[], None);
        check(Some(&one), &[], Some(&one));
        check(Some(&one), &[&other, &one], Some(&one));
        // The number was given again: what was written down is of no use.
        check(Some(&one), &[&later], Some(&later));
        check(None, &[&other], Some(&other));
        check(Some(&one), &[&later, &other], None);
        check(None, &[&one, &other], None);
    }
}
