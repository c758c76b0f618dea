//! One point in time of the source, seen by several connections at once.
//!
//! Promises: all readers of a [`Snapshot`] see the same rows of transactional tables; a lock that
//! this needs is waited for only [`LOCK_WAIT_SECS`] at a time and held only while the readers begin;
//! and where the account may not lock, there is one reader, which is consistent by itself. Tables of
//! engines without transactions show what they hold when they are read: the caller names them.

use std::time::{Duration, Instant};

use super::session;
use crate::copy::course::interrupted;
use crate::copy::report::{self, Position, SnapshotReport};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::indexes::deferral::identifier;
use crate::import::table::literal;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// MariaDB's `BACKUP STAGE BLOCK_COMMIT` while they began: commits waited, and nothing waited for
    /// long queries.
    BackupStage,
    /// `FLUSH TABLES WITH READ LOCK` while they began.
    GlobalReadLock,
    /// `LOCK TABLES … READ` while they began.
    TableLocks,
    /// There is only one.
    OneReader,
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

    /// What a report says of it.
    pub fn told(&self) -> SnapshotReport {
        let mode = match self.mode {
            Mode::BackupStage => report::Mode::BackupStage,
            Mode::GlobalReadLock => report::Mode::GlobalReadLock,
            Mode::TableLocks => report::Mode::TableLocks,
            Mode::OneReader => report::Mode::OneReader,
        };
        let position = Some(self.position.clone());
        SnapshotReport { mode, locked_ms: self.locked_ms, position }
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
    let began = Instant::now();
    let mode = match count > 1 {
        true => take_lock(&mut locker, &ways(facts, tables), stop, &mut notes).await?,
        false => Mode::OneReader,
    };
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
    let mut position = match mode {
        // Nothing ties it to the moment of the one reader.
        Mode::OneReader => Position::default(),
        Mode::BackupStage | Mode::GlobalReadLock | Mode::TableLocks => {
            position_now(&mut locker, facts).await.map_err(at_source)?
        }
    };
    locker.query(unlock(mode)).await.map_err(at_source)?;
    let locked_ms = match mode {
        Mode::OneReader => 0,
        Mode::BackupStage | Mode::GlobalReadLock | Mode::TableLocks => {
            locked.elapsed().as_millis() as u64
        }
    };
    if let Some(reader) = readers.first_mut()
        && position.file.is_none()
        && facts.has_binlog
        && facts.flavor == Flavor::MariaDb
    {
        // Not while others wait: for the GTID the server reads in its log.
        position = position_of(reader).await.map_err(at_source)?;
    }
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

/// Takes the best lock that the account may take.
async fn take_lock(
    locker: &mut Conn,
    ways: &[(Mode, Vec<String>)],
    stop: &Stop,
    notes: &mut Vec<String>,
) -> Result<Mode> {
    for (mode, statements) in ways {
        match lock(locker, *mode, statements, stop).await {
            Ok(()) => return Ok(*mode),
            Err(error) if error.kind == ErrorKind::Privilege => {
                notes.push(format!("no {}: the account may not", name_of(*mode)));
            }
            Err(error) => return Err(error.on(Side::Source)),
        }
    }
    Ok(Mode::OneReader)
}

/// The locks to try, the best one first: what takes each.
fn ways(facts: &ServerFacts, tables: &[(String, String)]) -> Vec<(Mode, Vec<String>)> {
    let mut ways = Vec::new();
    if facts.flavor == Flavor::MariaDb && facts.version >= (10, 4, 1) {
        let stages = ["START", "FLUSH", "BLOCK_DDL", "BLOCK_COMMIT"];
        let stages = stages.iter().map(|stage| format!("BACKUP STAGE {stage}"));
        ways.push((Mode::BackupStage, stages.collect()));
    }
    let global = "FLUSH NO_WRITE_TO_BINLOG TABLES WITH READ LOCK".to_owned();
    ways.push((Mode::GlobalReadLock, vec![global]));
    if !tables.is_empty() {
        let named = |(schema, table): &(String, String)| {
            format!("{}.{} READ", identifier(schema), identifier(table))
        };
        let list: Vec<String> = tables.iter().map(named).collect();
        ways.push((Mode::TableLocks, vec![format!("LOCK TABLES {}", list.join(", "))]));
    }
    ways
}

/// What gives the lock back.
fn unlock(mode: Mode) -> &'static [u8] {
    match mode {
        Mode::BackupStage => b"BACKUP STAGE END",
        Mode::GlobalReadLock | Mode::TableLocks | Mode::OneReader => b"UNLOCK TABLES",
    }
}

fn name_of(mode: Mode) -> &'static str {
    match mode {
        Mode::BackupStage => "BACKUP STAGE",
        Mode::GlobalReadLock => "FLUSH TABLES WITH READ LOCK",
        Mode::TableLocks => "LOCK TABLES",
        Mode::OneReader => "lock",
    }
}

/// Takes a lock, with pauses between the tries: whoever waits for it makes others wait.
async fn lock(conn: &mut Conn, mode: Mode, statements: &[String], stop: &Stop) -> Result<()> {
    for left in (0..LOCK_TRIES).rev() {
        match lock_once(conn, mode, statements).await {
            Ok(()) => return Ok(()),
            Err(error) if error.kind == ErrorKind::LockWait && left > 0 => {}
            Err(error) => return Err(error),
        }
        tokio::select! {
            () = tokio::time::sleep(LOCK_PAUSE) => {}
            () = stop.asked() => return Err(interrupted()),
        }
    }
    Err(Error::new(ErrorKind::LockWait, Side::Source, "lock the source's tables"))
}

/// Takes it wholly or not at all.
async fn lock_once(conn: &mut Conn, mode: Mode, statements: &[String]) -> Result<()> {
    for (index, statement) in statements.iter().enumerate() {
        let Err(error) = conn.query(statement.as_bytes()).await else { continue };
        if index > 0 && !conn.is_broken() {
            conn.query(unlock(mode)).await?;
        }
        return Err(error);
    }
    Ok(())
}

/// The position of the snapshot that a session of MariaDB has open: it needs no lock and no privilege.
async fn position_of(reader: &mut Conn) -> Result<Position> {
    let mut position = Position::default();
    for row in reader.rows("SHOW STATUS LIKE 'binlog\\_snapshot\\_%'").await? {
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let (name, value) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        match name.to_ascii_lowercase().as_str() {
            "binlog_snapshot_file" => position.file = Some(value).filter(|file| !file.is_empty()),
            "binlog_snapshot_position" => position.offset = value.parse().ok(),
            _ => {}
        }
    }
    if let (Some(file), Some(offset)) = (&position.file, position.offset) {
        let sql = format!("SELECT BINLOG_GTID_POS({}, {offset})", literal(file));
        position.gtid = reader.scalar(&sql).await?.filter(|set| !set.is_empty());
    }
    Ok(position)
}

/// Where the binary log is now. Nothing where there is none, or the account may not know.
async fn position_now(conn: &mut Conn, facts: &ServerFacts) -> Result<Position> {
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
