//! What a case is given: two stores on one database, and a way around them to that database.

use sandbox::{Flavor, Postgres, Server};
use sqlx::any::{AnyPoolOptions, AnyRow};
use sqlx::{AnyPool, AssertSqlSafe, Row};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use store::{Claimed, Engine, Idempotency, Job, NewInstance, NewJob, SealingKey, Secret, Store};
use tempfile::TempDir;

/// A time that cases call now.
pub(crate) const NOW: i64 = 1_700_000_000_000;
/// A lease that no case outlives.
pub(crate) const TTL: i64 = 600_000;
/// Tables with rows of cases, each after those that point to it.
const TABLES: [&str; 9] = [
    "request",
    "job_event",
    "job",
    "upload",
    "instance",
    "access_key",
    "nonce",
    "audit",
    "account",
];

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sqlite,
    Postgres,
    MariaDb,
    MySql,
    /// Where the names of the store's tables begin with [`PREFIX`].
    Prefixed,
}

/// What names begin with there.
const PREFIX: &str = "imp_0_";

/// The running database and what is open on it.
pub(crate) struct Subject {
    pub(crate) store: Store,
    /// The same database through other connections.
    pub(crate) other: Store,
    pub(crate) kind: Kind,
    url: String,
    raw: AnyPool,
    server: Running,
    folder: TempDir,
    databases: AtomicU32,
}

enum Running {
    File,
    Postgres(Postgres),
    MySql(Box<Server>),
}

impl Subject {
    pub(crate) async fn start(kind: Kind) -> Self {
        sqlx::any::install_default_drivers();
        let folder = tempfile::tempdir().unwrap();
        let server = match kind {
            Kind::Sqlite => Running::File,
            Kind::Prefixed => Running::MySql(Box::new(Server::start(Flavor::MariaDb).unwrap())),
            Kind::Postgres => Running::Postgres(Postgres::start().unwrap()),
            Kind::MariaDb => Running::MySql(Box::new(Server::start(Flavor::MariaDb).unwrap())),
            Kind::MySql => Running::MySql(Box::new(Server::start(Flavor::MySql).unwrap())),
        };
        let plain = create(&server, folder.path(), 0).await;
        let url = match kind {
            Kind::Prefixed => format!("{plain}?table_prefix={PREFIX}"),
            _ => plain.clone(),
        };
        let key = || SealingKey::load_or_create(&folder.path().join("key")).unwrap();
        let store = Store::open(&url, key()).await.unwrap();
        let other = Store::open(&url, key()).await.unwrap();
        let raw = AnyPoolOptions::new().max_connections(2).connect(&plain).await.unwrap();
        let databases = AtomicU32::new(1);
        Self { store, other, kind, url, raw, server, folder, databases }
    }

    pub(crate) async fn stop(&self) {
        self.raw.close().await;
        self.other.close().await;
        self.store.close().await;
    }

    /// Deletes every row that cases make.
    pub(crate) async fn empty(&self) {
        for table in TABLES {
            self.run(&format!("DELETE FROM {table}")).await.unwrap();
        }
    }

    /// The URL of a new, empty database.
    pub(crate) async fn fresh(&self) -> String {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        create(&self.server, self.folder.path(), number).await
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The key of the stores, or another with another name.
    pub(crate) fn key(&self, name: &str) -> SealingKey {
        SealingKey::load_or_create(&self.folder.path().join(name)).unwrap()
    }

    /// The files of an `SQLite` store.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let names = ["store0.db", "store0.db-wal"];
        names.map(|name| self.folder.path().join(name)).to_vec()
    }

    /// Runs SQL without the store; gives the rows it met.
    pub(crate) async fn run(&self, text: &str) -> Result<u64, sqlx::Error> {
        let text = AssertSqlSafe(self.named(text));
        Ok(sqlx::raw_sql(text).execute(&self.raw).await?.rows_affected())
    }

    /// A statement with the names that tables have here.
    fn named(&self, text: &str) -> String {
        if self.kind != Kind::Prefixed {
            return text.to_owned();
        }
        let mut text = text.to_owned();
        for table in TABLES.into_iter().chain(["counter", "seal_check", "schema_version"]) {
            for before in ["FROM", "INTO", "UPDATE"] {
                let (plain, own) =
                    (format!("{before} {table}"), format!("{before} {PREFIX}{table}"));
                let is_whole =
                    |rest: &str| !rest.starts_with(|c: char| c == '_' || c.is_alphanumeric());
                if text.split_once(&plain).is_some_and(|(_, rest)| is_whole(rest)) {
                    text = text.replacen(&plain, &own, 1);
                }
            }
        }
        text
    }

    /// Reads without the store.
    pub(crate) async fn rows(&self, text: &str) -> Vec<AnyRow> {
        sqlx::query(AssertSqlSafe(self.named(text))).fetch_all(&self.raw).await.unwrap()
    }

    /// Reads one number without the store.
    pub(crate) async fn number(&self, text: &str) -> i64 {
        self.rows(text).await[0].try_get(0).unwrap()
    }

    /// Copies a value of bytes from one row to another.
    pub(crate) async fn copy_bytes(&self, table: &str, column: &str, key: &str, rows: [&str; 2]) {
        let [from, to] = rows;
        let query = format!("SELECT {column} FROM {table} WHERE {key} = '{from}'");
        let bytes: Vec<u8> = self.rows(&query).await[0].try_get(0).unwrap();
        let mark = if self.kind == Kind::Postgres { "$1" } else { "?" };
        let change = format!("UPDATE {table} SET {column} = {mark} WHERE {key} = '{to}'");
        let change = sqlx::query(AssertSqlSafe(self.named(&change))).bind(bytes);
        assert_eq!(change.execute(&self.raw).await.unwrap().rows_affected(), 1);
    }

    /// Makes the lease on a job one that ran out long ago.
    pub(crate) async fn expire(&self, job: i64) {
        let change = format!("UPDATE job SET lease_until = 1 WHERE id = {job}");
        assert_eq!(self.run(&change).await.unwrap(), 1);
    }

    pub(crate) async fn account(&self, name: &str) -> i64 {
        self.store.create_account(name, NOW).await.unwrap().id
    }

    pub(crate) async fn enqueue(&self, account: i64, new: &NewJob<'_>) -> Job {
        self.store.enqueue(account, new, NOW).await.unwrap().job
    }

    /// Claims a job, which must be there.
    pub(crate) async fn claim(&self, owner: &str) -> Claimed {
        self.store.claim(owner, TTL, 100).await.unwrap().unwrap()
    }
}

/// A job that writes `instance`, and nothing else about it.
pub(crate) fn job_on(instance: &str) -> NewJob<'_> {
    NewJob {
        kind: "import",
        instance_id: instance,
        source_instance_id: None,
        exclusive_key: None,
        idempotency: None,
        payload: r#"{"file":"a.sql"}"#,
        secret: None,
    }
}

pub(crate) fn idempotent<'a>(key: &'a str, digest: &'a str) -> NewJob<'a> {
    NewJob { idempotency: Some(Idempotency { key, digest }), ..job_on("db-1") }
}

pub(crate) fn instance(id: &str, password: &str) -> NewInstance {
    NewInstance {
        id: id.to_owned(),
        name: format!("the {id}"),
        engine: Engine::MariaDb,
        host: "127.0.0.1".to_owned(),
        port: 3306,
        options: "ssl-mode=required".to_owned(),
        admin_user: "root".to_owned(),
        admin_password: Secret::from(password),
        region: "ap-shanghai".to_owned(),
        zone: "ap-shanghai-2".to_owned(),
        class: "dedicated".to_owned(),
        storage_gb: 100,
    }
}

async fn create(server: &Running, folder: &Path, number: u32) -> String {
    let name = format!("store{number}");
    let (admin, url) = match server {
        Running::File => return format!("sqlite:{}/{name}.db", folder.display()),
        Running::Postgres(server) => (server.url("postgres"), server.url(&name)),
        Running::MySql(server) => (server.url(None), server.url(Some(&name))),
    };
    let pool = AnyPoolOptions::new().max_connections(1).connect(&admin).await.unwrap();
    let text = AssertSqlSafe(format!("CREATE DATABASE {name}"));
    sqlx::raw_sql(text).execute(&pool).await.unwrap();
    pool.close().await;
    url
}
