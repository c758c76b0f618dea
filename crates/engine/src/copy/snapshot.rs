//! One point in time of the source, seen by several connections at once.
//!
//! Promises: all readers of a [`Snapshot`] see the same rows of transactional tables; a lock that
//! this needs is waited for only [`LOCK_WAIT_SECS`] at a time and held only while the readers begin;
//! and where the account may not lock, there is one reader, which is consistent by itself. Tables of
//! engines without transactions show what they hold when they are read: the caller names them.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::session;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::indexes::deferral::identifier;
use crate::mysql::conn::Conn;
use crate::mysql::facts::{Flavor, ServerFacts};
use crate::run::stop::Stop;

/// How long one try waits for a lock, in seconds: writers of the source wait behind it.
pub const LOCK_WAIT_SECS: u32 = 3;
/// How often a lock is tried.
pub const LOCK_TRIES: u32 = 10;
/// Between two tries, so that those who waited behind the lock get on.
const LOCK_PAUSE: Duration = Duration::from_secs(2);

/// How the readers came to see the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// `FLUSH TABLES WITH READ LOCK` while they began.
    GlobalReadLock,
    /// `LOCK TABLES … READ` while they began.
    TableLocks,
    /// There is only one.
    OneReader,
}

/// Where the source's binary log was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Position {
    /// The file.
    pub file: Option<String>,
    /// The byte in it.
    pub offset: Option<u64>,
    /// The set of global transaction identifiers.
    pub gtid: Option<String>,
}

/// A point in time.
#[derive(Debug)]
pub struct Snapshot {
    /// How it came about.
    pub mode: Mode,
    /// How long writers of the source had to wait, in milliseconds; without a lock they did not.
    pub locked_ms: u64,
    /// Where the binary log was, as far as the account may know.
    pub position: Position,
    /// What is not as good as it could be, in words.
    pub notes: Vec<String>,
    /// Those who see it, each in a transaction that must stay open.
    pub readers: Vec<Conn>,
    /// Keeps definitions from changing while it lives, where the server has such a lock.
    guard: Option<Conn>,
}

impl Snapshot {
    /// Whether the source lets nobody change definitions meanwhile.
    pub fn holds_definitions(&self) -> bool {
        self.guard.is_some()
    }

    /// Ends it.
    pub async fn close(self) {
        for conn in self.readers.into_iter().chain(self.guard) {
            conn.close().await;
        }
    }
}

/// Opens up to `count` readers that see the same. `tables` are those to be read, for the case that
/// only they can be locked.
pub async fn open(
    source: &Endpoint,
    facts: &ServerFacts,
    count: usize,
    tables: &[(String, String)],
    stop: &Stop,
) -> Result<Snapshot> {
    let at_source = |error: Error| error.on(Side::Source);
    let mut notes = Vec::new();
    let guard = hold_definitions(source, facts, &mut notes).await?;
    let mut readers = Vec::new();
    for _ in 0..count.max(1) {
        readers.push(session::reader(source).await?);
    }
    let mut locker = session::catalogue(source).await?;
    let timeout = format!("SET SESSION lock_wait_timeout = {LOCK_WAIT_SECS}");
    locker.query(timeout.as_bytes()).await.map_err(at_source)?;
    let mut mode = Mode::OneReader;
    let began = Instant::now();
    if count > 1 {
        for (wanted, statement) in ways(tables) {
            match lock(&mut locker, &statement, stop).await {
                Ok(()) => {
                    mode = wanted;
                    break;
                }
                Err(error) if is_refusal(&error) => {
                    notes.push(format!("no {}: the account may not", name_of(wanted)));
                }
                Err(error) => return Err(error.on(Side::Source)),
            }
        }
    }
    let locked = Instant::now();
    if mode == Mode::OneReader && count > 1 {
        notes.push(
            "without a lock only one connection reads: give the account RELOAD, or LOCK TABLES on \
             the databases, to read with several"
                .to_owned(),
        );
        readers.truncate(1);
    }
    for reader in &mut readers {
        let text = b"START TRANSACTION WITH CONSISTENT SNAPSHOT";
        reader.query(text).await.map_err(at_source)?;
    }
    let position = match mode {
        // Nothing ties it to the moment of the one reader.
        Mode::OneReader => Position::default(),
        Mode::GlobalReadLock | Mode::TableLocks => {
            position(&mut locker, facts).await.map_err(at_source)?
        }
    };
    locker.query(b"UNLOCK TABLES").await.map_err(at_source)?;
    let locked_ms = match mode {
        Mode::OneReader => 0,
        Mode::GlobalReadLock | Mode::TableLocks => locked.elapsed().as_millis() as u64,
    };
    let waited = locked.duration_since(began).as_secs();
    if waited > u64::from(LOCK_WAIT_SECS) {
        notes.push(format!("the lock came after {waited} s: long statements run on the source"));
    }
    locker.close().await;
    Ok(Snapshot { mode, locked_ms, position, notes, readers, guard })
}

/// MySQL's `LOCK INSTANCE FOR BACKUP`, where the account may; it stops no writer.
async fn hold_definitions(
    source: &Endpoint,
    facts: &ServerFacts,
    notes: &mut Vec<String>,
) -> Result<Option<Conn>> {
    if facts.flavor != Flavor::MySql || facts.version < (8, 0, 0) {
        return Ok(None);
    }
    let mut conn = session::catalogue(source).await?;
    let timeout = format!("SET SESSION lock_wait_timeout = {LOCK_WAIT_SECS}");
    conn.query(timeout.as_bytes()).await.map_err(|error| error.on(Side::Source))?;
    match conn.query(b"LOCK INSTANCE FOR BACKUP").await {
        Ok(_effect) => Ok(Some(conn)),
        Err(error) if conn.is_broken() => Err(error.on(Side::Source)),
        Err(_refused) => {
            notes.push(
                "definitions are not locked (BACKUP_ADMIN is missing, or another holds the lock): \
                 they are compared at the end instead"
                    .to_owned(),
            );
            conn.close().await;
            Ok(None)
        }
    }
}

/// The locks to try, the best one first.
fn ways(tables: &[(String, String)]) -> Vec<(Mode, String)> {
    let mut ways =
        vec![(Mode::GlobalReadLock, "FLUSH NO_WRITE_TO_BINLOG TABLES WITH READ LOCK".to_owned())];
    if !tables.is_empty() {
        let named = |(schema, table): &(String, String)| {
            format!("{}.{} READ", identifier(schema), identifier(table))
        };
        let list: Vec<String> = tables.iter().map(named).collect();
        ways.push((Mode::TableLocks, format!("LOCK TABLES {}", list.join(", "))));
    }
    ways
}

fn name_of(mode: Mode) -> &'static str {
    match mode {
        Mode::GlobalReadLock => "FLUSH TABLES WITH READ LOCK",
        Mode::TableLocks => "LOCK TABLES",
        Mode::OneReader => "lock",
    }
}

fn is_refusal(error: &Error) -> bool {
    error.kind == ErrorKind::Privilege
}

/// Takes a lock, with pauses between the tries: whoever waits for it makes others wait.
async fn lock(conn: &mut Conn, statement: &str, stop: &Stop) -> Result<()> {
    for left in (0..LOCK_TRIES).rev() {
        match conn.query(statement.as_bytes()).await {
            Ok(_effect) => return Ok(()),
            Err(error) if error.kind == ErrorKind::LockWait && left > 0 => {}
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(LOCK_PAUSE) => {}
            () = stop.asked() => return Err(super::interrupted()),
        }
    }
    Err(Error::new(ErrorKind::LockWait, Side::Source, "lock the source's tables"))
}

/// Where the binary log is. Nothing where there is none, or the account may not know.
async fn position(conn: &mut Conn, facts: &ServerFacts) -> Result<Position> {
    let mut position = Position::default();
    if !facts.has_binlog {
        return Ok(position);
    }
    let (statement, gtid) = match facts.flavor {
        Flavor::MariaDb => ("SHOW MASTER STATUS", "SELECT @@GLOBAL.gtid_binlog_pos"),
        Flavor::MySql if facts.version >= (8, 2, 0) => {
            ("SHOW BINARY LOG STATUS", "SELECT @@GLOBAL.gtid_executed")
        }
        Flavor::MySql => ("SHOW MASTER STATUS", "SELECT @@GLOBAL.gtid_executed"),
    };
    match conn.rows(statement).await {
        Ok(rows) => {
            let row = rows.into_iter().next().unwrap_or_default();
            let mut cells = row.into_iter();
            position.file = cells.next().flatten();
            position.offset = cells.next().flatten().and_then(|number| number.parse().ok());
        }
        Err(error) if conn.is_broken() => return Err(error),
        Err(_refused) => {}
    }
    position.gtid = conn.scalar(gtid).await?.filter(|set| !set.is_empty());
    Ok(position)
}
