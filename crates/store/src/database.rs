//! Connections and transactions of three engines behind one face.
//!
//! Promises: statements written with `?` run on all three; a write transaction on `SQLite` takes
//! the write lock when it begins, so it never fails half-way for want of it; isolation is READ
//! COMMITTED on the other two, so a statement after a lock sees what was committed before it;
//! transient refusals are retried [`TRIES`] times, and only those after which the database has
//! surely undone the transaction.
//!
//! Deliberately not here: what the statements mean; retries of lost connections, since a lost
//! COMMIT may have happened.

use crate::error::{Cause, Error, Result, is_transient};
use crate::limit::PAGE_MAX;
use crate::phrasing::Phrasing;
use crate::reader::Readers;
use crate::statement::{Row, Statement};
use crate::{Page, schema};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Transaction};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::str::FromStr;
use std::time::Duration;

/// How often a call is tried when others keep the database busy.
const TRIES: u32 = 8;
/// The pause before the second try; it doubles from there.
const RETRY_PAUSE: Duration = Duration::from_millis(5);
/// Connections to a database server.
const CONNECTIONS_MAX: u32 = 8;
/// Reading connections to a `SQLite` file; there is one more that writes.
const SQLITE_READERS_MAX: usize = 4;
/// How long a call waits for a connection to become free.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(15);
/// How long the store waits for a database to answer when it is opened.
const OPEN_LIMIT: Duration = Duration::from_secs(15);
/// What each `SQLite` connection is told. Other processes may hold the write lock for a moment.
const SQLITE_SESSION: &str = "PRAGMA busy_timeout = 10000; PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON";
/// What the reading ones are told besides.
const SQLITE_READER: &str = "PRAGMA query_only = ON";
/// What each connection to a server of the `MySQL` family is told.
const MYSQL_SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
/// What each connection to `PostgreSQL` is told.
const POSTGRES_SESSION: &str =
    "SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// The family of the store's own database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
    /// `MySQL` and `MariaDB`.
    MySql,
}

/// Connections to the store's database; clones share them.
#[derive(Clone)]
pub(crate) struct Database {
    phrasing: Phrasing,
    writers: AnyPool,
    /// Of `SQLite`; the others read where they write.
    readers: Option<Readers>,
}

/// A transaction; rolled back unless committed.
pub(crate) struct Tx {
    phrasing: Phrasing,
    inner: Transaction<'static, Any>,
}

impl fmt::Debug for Database {
    /// Says nothing of the URL, which may hold a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({:?})", self.phrasing.dialect)
    }
}

impl Dialect {
    /// The dialect of a URL.
    pub(crate) fn of(url: &str) -> Result<Self> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("sqlite") => Ok(Self::Sqlite),
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("mysql" | "mariadb") => Ok(Self::MySql),
            _ => Err(Error::Invalid {
                what: "the store's URL",
                why: "begins with none of sqlite:, postgres:// and mysql://",
            }),
        }
    }

    /// The database's clock in milliseconds since 1970.
    fn now(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
            // The driver sets every session's time zone to UTC, which has no hour twice.
            Self::MySql => "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)",
        }
    }

    fn session(self) -> &'static str {
        match self {
            Self::Sqlite => SQLITE_SESSION,
            Self::Postgres => POSTGRES_SESSION,
            Self::MySql => MYSQL_SESSION,
        }
    }

    fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres | Self::MySql => "BEGIN",
        }
    }

    /// Puts the clock in, and numbers the question marks where the engine wants that.
    pub(crate) fn translate(self, text: &str) -> String {
        let text = text.replace("{now}", self.now());
        if self != Self::Postgres {
            return text;
        }
        let mut numbered = String::with_capacity(text.len() + 16);
        let mut parts = text.split('?');
        numbered.push_str(parts.next().unwrap_or_default());
        for (at, part) in parts.enumerate() {
            numbered.push('$');
            numbered.push_str(&(at + 1).to_string());
            numbered.push_str(part);
        }
        numbered
    }
}

impl Database {
    /// Connects, makes or updates the tables.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let (phrasing, url) = Phrasing::of(url)?;
        let (dialect, url) = (phrasing.dialect, url.as_str());
        if dialect == Dialect::Sqlite {
            create_sqlite_file(url)?;
        }
        let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
        retry(|| prepare(&phrasing, &options)).await?;
        let (writers, readers) = match dialect {
            Dialect::Sqlite => {
                let session = format!("{SQLITE_SESSION};{SQLITE_READER}");
                let most = SQLITE_READERS_MAX;
                let readers = Readers::new(options.clone(), session, most, ACQUIRE_LIMIT);
                (pool(dialect, &options, 1), Some(readers))
            }
            Dialect::Postgres | Dialect::MySql => (pool(dialect, &options, CONNECTIONS_MAX), None),
        };
        Ok(Self { phrasing, writers, readers })
    }

    /// Begins a transaction that writes.
    pub(crate) async fn begin(&self) -> Result<Tx> {
        let inner = self.writers.begin_with(self.phrasing.dialect.begin()).await?;
        Ok(Tx { phrasing: self.phrasing.clone(), inner })
    }

    /// Runs one statement that writes, as a transaction of its own; gives the rows it met.
    pub(crate) async fn run(&self, statement: Statement) -> Result<u64> {
        retry(|| async {
            let mut connection = self.writers.acquire().await?;
            run(&self.phrasing, &mut connection, statement.clone()).await
        })
        .await
    }

    /// Reads at most one row.
    pub(crate) async fn one(&self, statement: Statement) -> Result<Option<Row>> {
        retry(|| async {
            let statement = statement.clone();
            let Some(readers) = &self.readers else {
                let mut connection = self.writers.acquire().await?;
                return one(&self.phrasing, &mut connection, statement).await;
            };
            let mut reader = readers.take().await?;
            let row = one(&self.phrasing, &mut reader.connection, statement).await?;
            reader.give_back();
            Ok(row)
        })
        .await
    }

    /// Reads all rows; the statement limits them.
    pub(crate) async fn all(&self, statement: Statement) -> Result<Vec<Row>> {
        retry(|| async {
            let statement = statement.clone();
            let Some(readers) = &self.readers else {
                let mut connection = self.writers.acquire().await?;
                return all(&self.phrasing, &mut connection, statement).await;
            };
            let mut reader = readers.take().await?;
            let rows = all(&self.phrasing, &mut reader.connection, statement).await?;
            reader.give_back();
            Ok(rows)
        })
        .await
    }

    /// Reads a part of a list and counts the whole.
    pub(crate) async fn page<T>(
        &self,
        items: Statement,
        offset: u32,
        limit: u32,
        total: Statement,
        read: impl Fn(&Row) -> Result<T>,
    ) -> Result<Page<T>> {
        let items = items.then(" LIMIT ? OFFSET ?");
        let items = items.int(i64::from(limit.min(PAGE_MAX))).int(i64::from(offset));
        let rows = self.all(items).await?;
        let is_end = rows.len() < limit.min(PAGE_MAX) as usize && (offset == 0 || !rows.is_empty());
        let total = match is_end {
            // The list ends on this page, so there is nothing to count.
            true => u64::from(offset) + rows.len() as u64,
            false => self.one(total).await?.ok_or(Error::Corrupt("count"))?.count("total")?,
        };
        let items = rows.iter().map(read).collect::<Result<_>>()?;
        Ok(Page { items, total })
    }

    /// Closes all connections.
    pub(crate) async fn close(&self) {
        if let Some(readers) = &self.readers {
            readers.close().await;
        }
        self.writers.close().await;
    }
}

impl Tx {
    /// Runs a statement; gives the rows it met, whether or not it changed them.
    pub(crate) async fn run(&mut self, statement: Statement) -> Result<u64> {
        run(&self.phrasing, &mut self.inner, statement).await
    }

    /// Reads at most one row.
    pub(crate) async fn one(&mut self, statement: Statement) -> Result<Option<Row>> {
        one(&self.phrasing, &mut self.inner, statement).await
    }

    /// Reads all rows; the statement limits them.
    pub(crate) async fn all(&mut self, statement: Statement) -> Result<Vec<Row>> {
        all(&self.phrasing, &mut self.inner, statement).await
    }

    /// Makes it last.
    pub(crate) async fn commit(self) -> Result<()> {
        Ok(self.inner.commit().await?)
    }
}

/// Calls `work` until it ends otherwise than by a transient refusal, at most [`TRIES`] times.
pub(crate) async fn retry<T, F>(mut work: impl FnMut() -> F) -> Result<T>
where
    F: Future<Output = Result<T>>,
{
    let mut pause = RETRY_PAUSE;
    for _ in 1..TRIES {
        match work().await {
            Err(error) if is_transient(&error) => tokio::time::sleep(pause).await,
            outcome => return outcome,
        }
        pause *= 2;
    }
    work().await
}

/// A change that met no row is of something that is not there.
pub(crate) fn met(rows: u64) -> Result<()> {
    if rows == 0 { Err(Error::NotFound) } else { Ok(()) }
}

async fn run(phrasing: &Phrasing, on: &mut AnyConnection, statement: Statement) -> Result<u64> {
    let (text, values) = statement.into_parts()?;
    let text = AssertSqlSafe(phrasing.translate(&text));
    Ok(sqlx::query_with(text, values).execute(on).await?.rows_affected())
}

async fn one(
    phrasing: &Phrasing,
    on: &mut AnyConnection,
    statement: Statement,
) -> Result<Option<Row>> {
    let (text, values) = statement.into_parts()?;
    let text = AssertSqlSafe(phrasing.translate(&text));
    Ok(sqlx::query_with(text, values).fetch_optional(on).await?.map(Row))
}

async fn all(
    phrasing: &Phrasing,
    on: &mut AnyConnection,
    statement: Statement,
) -> Result<Vec<Row>> {
    let (text, values) = statement.into_parts()?;
    let text = AssertSqlSafe(phrasing.translate(&text));
    let rows = sqlx::query_with(text, values).fetch_all(on).await?;
    Ok(rows.into_iter().map(Row).collect())
}

/// The first connection: shows at once whether the database is there, and makes the tables.
async fn prepare(phrasing: &Phrasing, options: &AnyConnectOptions) -> Result<()> {
    let connecting = tokio::time::timeout(OPEN_LIMIT, options.connect());
    let mut connection =
        connecting.await.map_err(|late| Error::Unreachable(Cause::new(late)))??;
    sqlx::raw_sql(phrasing.dialect.session()).execute(&mut connection).await?;
    schema::update(phrasing, &mut connection).await?;
    Ok(sqlx::Connection::close(connection).await?)
}

fn pool(dialect: Dialect, options: &AnyConnectOptions, connections_max: u32) -> AnyPool {
    AnyPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(ACQUIRE_LIMIT)
        // A server may have gone and come back; a file has not.
        .test_before_acquire(dialect != Dialect::Sqlite)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                sqlx::raw_sql(dialect.session()).execute(&mut *connection).await?;
                Ok(())
            })
        })
        .connect_lazy_with(options.clone())
}

/// Makes the database file for its owner alone; the log files beside it take over its mode.
fn create_sqlite_file(url: &str) -> Result<()> {
    let options = SqliteConnectOptions::from_str(url)?;
    let path = options.get_filename();
    if path.as_os_str().is_empty() || url.contains(":memory:") || url.contains("mode=memory") {
        return Err(Error::Invalid { what: "the store's URL", why: "names no file" });
    }
    match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(Error::Unreachable(Cause::new(error))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    async fn check(fails: u32, error: fn() -> Error, expected_calls: u32, succeeds: bool) {
        let calls = Cell::new(0);
        let outcome = retry(|| async {
            calls.set(calls.get() + 1);
            if calls.get() <= fails { Err(error()) } else { Ok(()) }
        });
        assert_eq!((outcome.await.is_ok(), calls.get()), (succeeds, expected_calls));
    }

    #[tokio::test]
    async fn only_transient_refusals_are_tried_again_and_not_for_ever() {
        let busy = || Error::Busy(Cause::new("busy"));
        let lost = || Error::Unreachable(Cause::new("lost"));
        check(0, busy, 1, true).await;
        check(2, busy, 3, true).await;
        check(TRIES, busy, TRIES, false).await;
        check(1, lost, 1, false).await;
    }

    #[test]
    fn question_marks_are_numbered_where_the_engine_wants_it() {
        let text = "a = ? AND b IN (?, ?) AND c < {now}";
        let numbered = Dialect::Postgres.translate(text);
        assert!(numbered.starts_with("a = $1 AND b IN ($2, $3) AND c < CAST("), "{numbered}");
        assert!(Dialect::MySql.translate(text).starts_with("a = ? AND b IN (?, ?) AND c < CAST("));
    }
}
