//! The token in the target's ledger: whoever was overtaken commits nothing, on both servers and in any
//! session.

use engine::endpoint::Endpoint;
use engine::error::{Error, ErrorKind};
use engine::import::ledger::{self, Check, Identity, Ledger, Marker, Position};
use engine::mysql::conn::Conn;
use sandbox::{Flavor, Server};

const JOB: &str = "0123";

fn identity(job: &str) -> Identity {
    Identity { file: "a.sql".to_owned(), size: Some(7), options: format!("x=1\njob={job}") }
}

fn at(offset: u64) -> Position {
    Position { offset, check: Check::default() }
}

/// A row and the position after it, in one transaction.
async fn add(conn: &mut Conn, marker: &Marker, offset: u64) -> Result<(), Error> {
    conn.query(b"START TRANSACTION").await?;
    conn.query(b"INSERT INTO d.t VALUES (1)").await?;
    let text = [&marker.advance(at(offset), &[])[..], b"; COMMIT"].concat();
    let outcome = conn.query(&text).await.map_err(ledger::judged);
    if outcome.is_err() {
        conn.query(b"ROLLBACK").await?;
    }
    outcome.map(|_effect| ())
}

async fn rows(conn: &mut Conn) -> String {
    conn.scalar("SELECT COUNT(*) FROM d.t").await.unwrap().unwrap()
}

#[track_caller]
fn overtaken<T>(outcome: Result<T, Error>) {
    let error = outcome.map(drop).unwrap_err();
    assert_eq!(error.kind, ErrorKind::Superseded, "{error}");
}

async fn dead(endpoint: &Endpoint) -> ledger::Unfinished {
    ledger::unfinished_of_job(endpoint, 0, JOB).await.unwrap().remove(0)
}

#[tokio::test]
async fn an_older_token_commits_nothing() {
    for flavor in Flavor::ALL {
        let server = Server::start(flavor).unwrap();
        server.sql("CREATE DATABASE d; CREATE TABLE d.t (id INT) ENGINE=InnoDB").unwrap();
        let endpoint = Endpoint::parse(&server.url(None)).unwrap();
        let mut conn = Conn::open(&endpoint, "test").await.unwrap();
        let first = Ledger::create(&endpoint, &identity(JOB), 2, 5).await.unwrap();
        let old = first.marker();
        add(&mut conn, &old, 10).await.unwrap();
        old.sign(&mut conn, "test").await.unwrap();
        first.leave().await;

        overtaken(Ledger::take_over(&endpoint, &dead(&endpoint).await, 2, Some(4)).await);
        let mut second =
            Ledger::take_over(&endpoint, &dead(&endpoint).await, 2, Some(7)).await.unwrap();
        for mode in ["", "TRADITIONAL", "NO_UNSIGNED_SUBTRACTION,ANSI"] {
            let set = format!("SET SESSION sql_mode = '{mode}'");
            conn.query(set.as_bytes()).await.unwrap();
            overtaken(add(&mut conn, &old, 20).await);
        }
        overtaken(old.sign(&mut conn, "test").await);
        assert_eq!((rows(&mut conn).await.as_str(), second.offset().await.unwrap()), ("1", 10));
        add(&mut conn, &second.marker(), 30).await.unwrap();
        assert_eq!((rows(&mut conn).await.as_str(), second.offset().await.unwrap()), ("2", 30));

        // Over and forgotten: first beside the ledger of somebody else, then without any.
        let other = Ledger::create(&endpoint, &identity("4567"), 2, 1).await.unwrap();
        second.remove().await.unwrap();
        overtaken(add(&mut conn, &old, 40).await);
        other.remove().await.unwrap();
        overtaken(add(&mut conn, &old, 50).await);
        assert_eq!(rows(&mut conn).await, "2");
        assert!(server.sql("SHOW DATABASES LIKE 'dbferry'").unwrap().is_empty());
        conn.close().await;
    }
}

#[tokio::test]
async fn a_ledger_that_was_made_too_late_goes_without_a_trace() {
    let server = Server::start(Flavor::MariaDb).unwrap();
    let endpoint = Endpoint::parse(&server.url(None)).unwrap();
    let made = Ledger::create(&endpoint, &identity(JOB), 2, 5).await.unwrap();
    made.withdraw().await.unwrap();
    assert!(server.sql("SHOW DATABASES LIKE 'dbferry'").unwrap().is_empty());
    let made = Ledger::create(&endpoint, &identity(JOB), 2, 5).await.unwrap();
    let raise = "UPDATE dbferry.imports SET token = 6";
    server.sql(raise).unwrap();
    made.withdraw().await.unwrap();
    assert_eq!(dead(&endpoint).await.token, 6);
}
