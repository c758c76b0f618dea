//! The client for SQL Server and the questions to its catalog, against a server that `make
//! test-sqlserver` names in `DBFERRY_TEST_SQLSERVER`.
//!
//! Ignored otherwise, and failing where the variable is missing: no SQL Server comes with the build. The
//! databases that these tests make begin with `dbferry_test_`, are replaced if they are there, and are
//! dropped at the end. What is compared is compared by the server, not by our own reading of rows.

use std::time::Duration;

use engine::endpoint::{Endpoint, Secret, TlsMode};
use engine::error::{Error, ErrorKind};
use engine::mssql::name::{literal, quoted};
use engine::mssql::session::Session;
use engine::mssql::value::Value;

mod carrier;
mod catalog;
mod copies;
mod definitions;
mod rows;
mod sessions;

/// Nothing in these tests takes as long as this.
const DEADLINE: Duration = Duration::from_secs(120);

/// The server under test, without a database.
fn server() -> Endpoint {
    let url = std::env::var("DBFERRY_TEST_SQLSERVER").unwrap_or_default();
    assert!(
        !url.is_empty(),
        "DBFERRY_TEST_SQLSERVER names no server: mssql://user:password@host:port"
    );
    Endpoint::parse(&url).unwrap_or_else(|error| panic!("DBFERRY_TEST_SQLSERVER: {error}"))
}

async fn connected(database: &str) -> Session {
    let endpoint = Endpoint { database: Some(database.to_owned()), ..server() };
    let connected = Session::connect(&endpoint, "test").await;
    connected.unwrap_or_else(|error| panic!("{database}: {error}"))
}

/// Executes statements, each by itself.
async fn run(session: &mut Session, statements: &[&str]) {
    for statement in statements {
        let said: String = statement.chars().take(200).collect();
        session.run(statement).await.unwrap_or_else(|error| panic!("{said}: {error}"));
    }
}

/// The one number that a question has for an answer.
async fn number(session: &mut Session, question: &str) -> i64 {
    let rows = session.query(question).await.unwrap_or_else(|error| panic!("{question}: {error}"));
    match rows.as_slice() {
        [row] if row.len() == 1 => match row[0] {
            Value::Int(number) => number,
            _ => panic!("{question}: no number"),
        },
        rows => panic!("{question}: {} rows", rows.len()),
    }
}

/// Whether the server is Babelfish for PostgreSQL, of which some things are known.
async fn is_babelfish(session: &mut Session) -> bool {
    const QUESTION: &str = "SELECT CASE WHEN @@VERSION LIKE N'Babelfish%' THEN 1 ELSE 0 END";
    number(session, QUESTION).await == 1
}

/// Says what a green test did not show.
#[expect(clippy::print_stderr, reason = "whoever runs these tests has to see it")]
fn not_shown(text: &str) {
    eprintln!("NOT SHOWN: {text}");
}

/// An empty database.
async fn made(database: &str) {
    dropped(&[database]).await;
    let mut session = connected("master").await;
    if is_babelfish(&mut session).await {
        // It refuses words of T-SQL that it does not act on, unless its escape hatches say otherwise.
        run(&mut session, &["EXEC sp_babelfish_configure '%', 'ignore', 'server'"]).await;
    }
    run(&mut session, &[&format!("CREATE DATABASE {}", quoted(database))]).await;
    let allows = format!(
        "SELECT CAST(snapshot_isolation_state AS bigint) FROM sys.databases WHERE name = {}",
        literal(database)
    );
    if number(&mut session, &allows).await == 0 {
        let allow = format!("ALTER DATABASE {} SET ALLOW_SNAPSHOT_ISOLATION ON", quoted(database));
        run(&mut session, &[&allow]).await;
    }
    session.close().await;
}

/// Drops databases as soon as the server no longer sees anybody in them.
async fn dropped(databases: &[&str]) {
    let mut session = connected("master").await;
    for database in databases {
        let there =
            format!("SELECT COUNT(*) FROM sys.databases WHERE name = {}", literal(database));
        let drop = format!("DROP DATABASE {}", quoted(database));
        let gone = async {
            let mut last = None;
            while number(&mut session, &there).await != 0 {
                let outcome = session.run(&drop).await;
                assert!(session.is_idle(), "{outcome:?}, and before: {last:?}");
                last = Some(outcome);
            }
        };
        tokio::time::timeout(DEADLINE, gone).await.unwrap();
    }
    session.close().await;
}

#[track_caller]
fn refused<T>(outcome: Result<T, Error>, kinds: &[ErrorKind]) -> Error {
    let Err(error) = outcome else { panic!("not refused") };
    assert!(kinds.contains(&error.kind), "{:?}: {error}", error.kind);
    error
}
