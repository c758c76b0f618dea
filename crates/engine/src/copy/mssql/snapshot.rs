//! One moment of the source, seen by several sessions at once.
//!
//! Promises: all readers of a [`Snapshot`] see the same rows. The way is the least intrusive that server and
//! login allow, see [`crate::mssql::script::snapshot`]: readers with SNAPSHOT isolation that all took their
//! first look while one session held shared locks on all tables; else a database snapshot of each database,
//! made under such locks; else the locks themselves, as long as anybody reads. A lock is waited for
//! [`LOCK_WAIT_SECS`] at a time only. On a server that takes lock hints and does not lock (Babelfish for
//! PostgreSQL), readers are compared by the server's own word for what they see; where that differs there is
//! one reader.

use std::time::{Duration, Instant};

use super::facts::ServerFacts;
use super::journal;
use super::session::{self, Conn};
use super::{answer, database};
use crate::copy::course::interrupted;
use crate::copy::report::{Mode, SnapshotReport};
use crate::copy::staging::PREFIX;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::catalog::question;
use crate::mssql::catalog::schema::{Database, Table};
use crate::mssql::name::{qualified, quoted};
use crate::mssql::script::snapshot::{self as texts, FILES, Means};
use crate::mssql::session::Session;
use crate::run::stop::Stop;

/// How long one try waits for a lock, in seconds: writers of the source wait behind it.
pub const LOCK_WAIT_SECS: u32 = 3;
/// How often a lock is tried.
pub const LOCK_TRIES: u32 = 10;
/// Between two tries, so that those who waited behind the lock get on.
const LOCK_PAUSE: Duration = Duration::from_secs(2);
/// How the names of database snapshots on the source end.
const SNAPSHOT: &str = "_source";
/// What a server that is PostgreSQL beneath says a session sees.
const MOMENT: &str = "txid_current_snapshot()";

/// A moment.
#[derive(Debug)]
pub struct Snapshot {
    /// How it came about.
    pub mode: Mode,
    /// What is not as good as it could be, in words.
    pub notes: Vec<String>,
    /// Those who see it.
    pub readers: Vec<Conn>,
    /// The database in which each of the source's is read: itself, or a database snapshot.
    pub names: Vec<String>,
    /// How long writers of the source waited, as far as they need not any more.
    locked: Duration,
    /// Holds locks, on tables or on the names of database snapshots, while it lives.
    keeper: Option<Conn>,
    began: Instant,
}

impl Snapshot {
    /// What is told of it.
    pub fn report(&self) -> SnapshotReport {
        let locked = match self.mode {
            Mode::SharedLocks => self.began.elapsed(),
            _ => self.locked,
        };
        SnapshotReport { mode: self.mode, locked_ms: locked.as_millis() as u64, position: None }
    }

    /// Ends it. What cannot be removed from the source is told, in words.
    pub async fn close(self) -> Vec<String> {
        for reader in self.readers {
            reader.close().await;
        }
        let mut notes = Vec::new();
        let Some(mut keeper) = self.keeper else { return notes };
        if self.mode == Mode::DatabaseSnapshot {
            for name in &self.names {
                if let Err(error) = database::remove(&mut keeper.session, name).await {
                    let why = error.without_server_text();
                    notes.push(format!("database snapshot {name} is left on the source: {why}"));
                }
            }
        }
        keeper.close().await;
        notes
    }
}

/// Opens up to `count` readers that see the same of `databases`. `tag` is the copy's.
pub async fn open(
    source: &Endpoint,
    facts: &ServerFacts,
    (databases, tag): (&[Database], &str),
    count: usize,
    stop: &Stop,
) -> Result<Snapshot> {
    let at_source = |error: Error| error.on(Side::Source);
    sweep(source).await.map_err(at_source)?;
    let mut readers = Vec::new();
    for _ in 0..count.max(1) {
        readers.push(session::reader(source).await?);
    }
    let means = Means {
        allows_snapshot: databases.iter().all(|database| database.options.allows_snapshot),
        may_snapshot_databases: facts.may_snapshot_databases(),
        // Shared locks need no more than reading does.
        may_lock: facts.obeys_locks,
    };
    let opened = match texts::choose(means) {
        Some(texts::Mode::Snapshot) if facts.obeys_locks => {
            under_fence(source, databases, readers, stop).await
        }
        Some(texts::Mode::Snapshot) => alike(databases, readers, stop).await,
        Some(texts::Mode::DatabaseSnapshot) => {
            database_snapshots(source, (databases, tag), readers, stop).await
        }
        Some(texts::Mode::Locks) => under_locks(source, databases, readers, stop).await,
        None => {
            let text = "there is no way to read the databases as they are at one moment: set \
                        ALLOW_SNAPSHOT_ISOLATION ON for them";
            Err(Error::new(ErrorKind::Refused, Side::Source, text))
        }
    };
    opened.map_err(at_source)
}

/// SNAPSHOT transactions that begin while nobody writes.
async fn under_fence(
    source: &Endpoint,
    databases: &[Database],
    mut readers: Vec<Conn>,
    stop: &Stop,
) -> Result<Snapshot> {
    let began = Instant::now();
    let (mut fence, locked) = raise(source, databases, stop).await?;
    for reader in &mut readers {
        begin(reader, texts::READER_BEGIN, databases).await?;
    }
    fence.session.run(texts::FENCE_END).await?;
    let notes = waited(locked.duration_since(began));
    let locked = locked.elapsed();
    fence.close().await;
    let names = own_names(databases);
    let mode = Mode::SnapshotIsolation;
    Ok(Snapshot { mode, notes, readers, names, locked, keeper: None, began })
}

/// SNAPSHOT transactions that say that they see the same, without a fence.
async fn alike(databases: &[Database], mut readers: Vec<Conn>, stop: &Stop) -> Result<Snapshot> {
    let mut notes = Vec::new();
    for left in (0..LOCK_TRIES).rev() {
        for reader in &mut readers {
            begin(reader, texts::READER_BEGIN, databases).await?;
        }
        if readers.len() == 1 || see_the_same(&mut readers).await? {
            break;
        }
        if stop.is_asked() {
            return Err(interrupted());
        }
        if left == 0 {
            // The one that stays is consistent by itself.
            readers.truncate(1);
            notes.push(
                "the source does not obey lock hints and is written to: only one connection reads"
                    .to_owned(),
            );
            break;
        }
        for reader in &mut readers {
            reader.session.run("ROLLBACK TRANSACTION").await?;
        }
    }
    let (names, mode) = (own_names(databases), Mode::SnapshotIsolation);
    let (locked, began) = (Duration::ZERO, Instant::now());
    Ok(Snapshot { mode, notes, readers, names, locked, keeper: None, began })
}

async fn see_the_same(readers: &mut [Conn]) -> Result<bool> {
    let mut first = None;
    for reader in readers {
        let Ok(Some(moment)) = answer::text(&mut reader.session, MOMENT).await else {
            return Ok(false);
        };
        if *first.get_or_insert_with(|| moment.clone()) != moment {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A database snapshot of each database, all made while nobody writes.
async fn database_snapshots(
    source: &Endpoint,
    (databases, tag): (&[Database], &str),
    mut readers: Vec<Conn>,
    stop: &Stop,
) -> Result<Snapshot> {
    let began = Instant::now();
    let mut keeper = session::catalogue(source).await?;
    let names: Vec<String> =
        (0..databases.len()).map(|index| format!("{PREFIX}{tag}_{index}{SNAPSHOT}")).collect();
    let mut statements = Vec::new();
    for (database, name) in databases.iter().zip(&names) {
        if !journal::lock(&mut keeper.session, name, 0).await? {
            let text = format!("another copy has {name}");
            return Err(Error::new(ErrorKind::Refused, Side::Source, text));
        }
        answer::enter(&mut keeper.session, &database.name).await?;
        let files = files(&mut keeper.session).await?;
        let mark = format!("{tag}{SNAPSHOT}");
        statements.push(texts::create_database_snapshot(&database.name, name, &files, &mark));
    }
    answer::enter(&mut keeper.session, session::HOME).await?;
    let (mut fence, locked) = raise(source, databases, stop).await?;
    for statement in &statements {
        keeper.session.run(statement).await?;
    }
    fence.session.run(texts::FENCE_END).await?;
    let notes = waited(locked.duration_since(began));
    let locked = locked.elapsed();
    fence.close().await;
    for reader in &mut readers {
        reader.session.run(texts::READER_BEGIN_STILL).await?;
    }
    let mode = Mode::DatabaseSnapshot;
    Ok(Snapshot { mode, notes, readers, names, locked, keeper: Some(keeper), began })
}

async fn files(session: &mut Session) -> Result<Vec<(String, String)>> {
    let answers = answer::ask(session, &[&FILES], &question::Facts::default()).await?;
    let rows = FILES.rows(&answers)?;
    rows.iter().map(|row| Ok((row.text("name")?, row.text("physical_name")?))).collect()
}

/// Nobody writes as long as anybody reads.
async fn under_locks(
    source: &Endpoint,
    databases: &[Database],
    mut readers: Vec<Conn>,
    stop: &Stop,
) -> Result<Snapshot> {
    let (keeper, began) = raise(source, databases, stop).await?;
    for reader in &mut readers {
        begin(reader, texts::READER_BEGIN_STILL, databases).await?;
    }
    let notes = vec![
        "writers of the source wait until the copy has read everything: ALLOW_SNAPSHOT_ISOLATION ON \
         for its databases avoids that"
            .to_owned(),
    ];
    let (names, mode, locked) = (own_names(databases), Mode::SharedLocks, Duration::ZERO);
    Ok(Snapshot { mode, notes, readers, names, locked, keeper: Some(keeper), began })
}

fn own_names(databases: &[Database]) -> Vec<String> {
    databases.iter().map(|database| database.name.clone()).collect()
}

fn waited(wait: Duration) -> Vec<String> {
    match wait.as_secs() {
        seconds if seconds > u64::from(LOCK_WAIT_SECS) => {
            vec![format!("the locks came after {seconds} s: long transactions write to the source")]
        }
        _ => Vec::new(),
    }
}

/// Begins a reader, and has it look into each database.
async fn begin(reader: &mut Conn, text: &str, databases: &[Database]) -> Result<()> {
    reader.session.run(text).await?;
    for database in databases {
        if let Some(table) = database.tables.first() {
            reader.session.run(&texts::look(&place(database, table))).await?;
        }
    }
    Ok(())
}

/// Keeps writers out of all tables, and says since when. In several tries with pauses between: whoever waits
/// for a lock makes others wait.
async fn raise(source: &Endpoint, databases: &[Database], stop: &Stop) -> Result<(Conn, Instant)> {
    let mut fence = session::catalogue(source).await?;
    for left in (0..LOCK_TRIES).rev() {
        match raise_once(&mut fence.session, databases).await {
            Ok(since) => return Ok((fence, since)),
            Err(error) => {
                let is_busy = matches!(error.kind, ErrorKind::LockWait | ErrorKind::Deadlock);
                if !is_busy || left == 0 || !fence.session.is_idle() {
                    return Err(error);
                }
            }
        }
        fence.session.run(texts::FENCE_END).await?;
        tokio::select! {
            () = tokio::time::sleep(LOCK_PAUSE) => {}
            () = stop.asked() => return Err(interrupted()),
        }
    }
    Err(Error::new(ErrorKind::LockWait, Side::Source, "lock the source's tables"))
}

async fn raise_once(session: &mut Session, databases: &[Database]) -> Result<Instant> {
    session.run(&texts::fence_session(LOCK_WAIT_SECS * 1000)).await?;
    let since = Instant::now();
    for database in databases {
        for table in &database.tables {
            session.run(&texts::fence(&place(database, table))).await?;
        }
    }
    Ok(since)
}

/// The name of a table for a session that is in another database.
fn place(database: &Database, table: &Table) -> String {
    format!("{}.{}", quoted(&database.name), qualified(&table.schema, &table.name))
}

/// Removes database snapshots that copies have left on the source when they died.
pub async fn sweep(source: &Endpoint) -> Result<()> {
    let mut asker = session::catalogue(source).await?;
    let names = database::names(&mut asker.session).await?;
    asker.close().await;
    let is_ours = |name: &&String| name.starts_with(PREFIX) && name.ends_with(SNAPSHOT);
    for name in names.iter().filter(is_ours) {
        let mut keeper = session::catalogue(source).await?;
        if journal::lock(&mut keeper.session, name, 0).await? {
            database::remove(&mut keeper.session, name).await?;
        }
        keeper.close().await;
    }
    Ok(())
}
