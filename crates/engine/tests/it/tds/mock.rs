//! The client for SQL Server against Microsoft's own mock of one, which shares nothing with our peer but
//! the protocol's document, and has its TLS from OpenSSL.
//!
//! Logins, encryption, redirects, canned answers, errors and attention. No bulk loads: it has none.

use std::sync::Arc;
use std::time::Duration;

use mssql_mock_tds::tls_helper::create_test_identity;
use mssql_mock_tds::{
    ColumnDefinition, ColumnValue, ConnectionStore, MockTdsServer, QueryResponse, Row, SqlDataType,
    TerminalError,
};
use sandbox::tls::{self, Certificates};
use tokio::sync::Mutex;

use super::*;

const NAMES: &str = "SELECT name FROM sys.databases";
const BLOCKED: &str = "SELECT * FROM blocked";
const SLOW: &str = "WAITFOR DELAY '10:00'";
/// A part of a long text. The mock sends an answer as one packet, so it has to be short enough for one.
const ABOUT: &str = "grün 物 ";
/// As long as it takes to end a test that waits for it.
const LONG: Duration = Duration::from_secs(600);

/// A mock that runs until the test ends.
struct Mock {
    port: u16,
    seen: Arc<Mutex<ConnectionStore>>,
}

impl Mock {
    /// With answers of its own.
    async fn run(server: MockTdsServer) -> Mock {
        let (port, seen) = (server.local_addr().port(), server.connection_store());
        {
            let answers = server.query_registry();
            let mut answers = answers.lock().await;
            answers.register(NAMES, names());
            let error = TerminalError::new(1222, 16, "Lock request time out period exceeded.");
            answers.register(BLOCKED, QueryResponse::error_only(error));
            answers.register(SLOW, QueryResponse::select_one().with_delay(LONG));
        }
        // It ends with the test's runtime.
        tokio::spawn(server.run());
        Mock { port, seen }
    }

    fn endpoint(&self, parameters: &str) -> Endpoint {
        let url = format!("mssql://sa:Sandbox-1@localhost:{}/shop{parameters}", self.port);
        Endpoint::parse(&url).unwrap()
    }

    async fn connected(&self, parameters: &str) -> Session {
        Session::connect(&self.endpoint(parameters), "test").await.unwrap()
    }

    /// By login: the server and the database that it named.
    async fn logins(&self) -> Vec<(String, String)> {
        let seen = self.seen.lock().await;
        let named = seen.all().values().map(|login| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            (text(&login.received_server_name), text(&login.received_database))
        });
        named.collect()
    }
}

fn names() -> QueryResponse {
    let columns = vec![
        ColumnDefinition::new("name", SqlDataType::NVarChar),
        ColumnDefinition::new("size", SqlDataType::BigInt),
        ColumnDefinition::new("state", SqlDataType::TinyInt),
        ColumnDefinition::new("about", SqlDataType::NVarCharMax),
        ColumnDefinition::new("key", SqlDataType::VarBinaryMax),
    ];
    let about: Vec<u16> = ABOUT.repeat(100).encode_utf16().collect();
    let rows = vec![
        Row::new(vec![
            ColumnValue::NVarChar("Shop ] 物".into()),
            ColumnValue::BigInt(i64::MIN),
            ColumnValue::TinyInt(255),
            // In pieces, as a server sends them.
            ColumnValue::NVarCharMax(about.chunks(99).map(<[u16]>::to_vec).collect()),
            ColumnValue::VarBinaryMax(vec![vec![0, 1], vec![0xFF]]),
        ]),
        Row::new(vec![
            ColumnValue::NVarChar(String::new()),
            ColumnValue::BigInt(i64::MAX),
            ColumnValue::TinyInt(0),
            ColumnValue::NVarCharMaxNull,
            ColumnValue::VarBinaryMax(Vec::new()),
        ]),
    ];
    QueryResponse::new(columns, rows)
}

/// What every kind of connection can do.
async fn check(mut session: Session) {
    let found = session.query(NAMES).await.unwrap();
    let text = |text: &str| Value::Text(text.into());
    let about = text(&ABOUT.repeat(100));
    let bytes = Value::Bytes(vec![0, 1, 0xFF]);
    assert_eq!(found[0], [text("Shop ] 物"), Value::Int(i64::MIN), Value::Int(255), about, bytes]);
    let empty = Value::Bytes(Vec::new());
    assert_eq!(found[1], [text(""), Value::Int(i64::MAX), Value::Int(0), Value::Null, empty]);
    let error = session.run(BLOCKED).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::LockWait, Some(1222)));
    assert_eq!(session.query("SELECT 1").await.unwrap(), [[Value::Int(1)]]);
    assert!(session.is_idle());
    session.close().await;
}

fn certificates() -> (tempfile::TempDir, Certificates) {
    let folder = tempfile::tempdir().unwrap();
    let certificates = tls::create(folder.path()).unwrap();
    (folder, certificates)
}

/// A mock with a certificate for localhost.
async fn encrypted(certificates: &Certificates, is_strict: bool) -> Mock {
    let read = |path| std::fs::read(path).unwrap();
    let (certificate, key) = (read(&certificates.server), read(&certificates.server_key));
    let identity = create_test_identity(&certificate, &key).unwrap();
    let any = "127.0.0.1:0";
    let server = match is_strict {
        true => MockTdsServer::new_with_strict_tls(any, identity).await,
        false => MockTdsServer::new_with_tls(any, Some(identity)).await,
    };
    Mock::run(server.unwrap()).await
}

#[tokio::test]
async fn microsoft_s_mock_answers_in_clear() {
    let mock = Mock::run(MockTdsServer::new("127.0.0.1:0").await.unwrap()).await;
    let session = mock.connected("?tls=disable").await;
    assert!(!session.is_encrypted());
    check(session).await;
    assert_eq!(mock.logins().await, [("localhost".to_owned(), "shop".to_owned())]);
    // It has no encryption, and the password is not for everybody.
    let outcome = Session::connect(&mock.endpoint("?tls=require"), "test").await;
    refused(outcome, ErrorKind::Tls, "encrypt the connection");
}

#[tokio::test]
async fn microsoft_s_mock_is_spoken_to_under_tls() {
    let (_folder, certificates) = certificates();
    for is_strict in [false, true] {
        let mock = encrypted(&certificates, is_strict).await;
        let mode = if is_strict { "strict" } else { "verify-full" };
        let with_ca = |ca: &std::path::Path| format!("?tls={mode}&ca={}", ca.display());
        let session = mock.connected(&with_ca(&certificates.ca)).await;
        assert!(session.is_encrypted());
        check(session).await;
        for refusing in [with_ca(&certificates.unrelated_ca), format!("?tls={mode}")] {
            let outcome = Session::connect(&mock.endpoint(&refusing), "test").await;
            refused(outcome, ErrorKind::Tls, "encrypt the connection");
        }
    }
}

#[tokio::test]
async fn microsoft_s_mock_sends_on_once() {
    let last = Mock::run(MockTdsServer::new("127.0.0.1:0").await.unwrap()).await;
    let any = "127.0.0.1:0";
    let to = |mock: &Mock| MockTdsServer::new_with_redirection(any, "127.0.0.1", mock.port);
    let first = Mock::run(to(&last).await.unwrap()).await;
    check(first.connected("?tls=disable").await).await;
    assert_eq!(last.logins().await, [("127.0.0.1".to_owned(), "shop".to_owned())]);
    let before_it = Mock::run(to(&first).await.unwrap()).await;
    let outcome = Session::connect(&before_it.endpoint("?tls=disable"), "test").await;
    refused(outcome, ErrorKind::Unreachable, "sends us on and on");
}

#[tokio::test]
async fn microsoft_s_mock_is_told_to_stop() {
    let mock = Mock::run(MockTdsServer::new("127.0.0.1:0").await.unwrap()).await;
    let mut session = mock.connected("?tls=disable").await;
    let headers = async || {
        let seen = mock.seen.lock().await;
        seen.all().values().map(|login| login.transaction_descriptor_headers.len()).sum::<usize>()
    };
    let before = headers().await;
    let asked = async {
        while headers().await == before {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        outcome = session.run(SLOW) => panic!("it ends: {outcome:?}"),
        outcome = tokio::time::timeout(DEADLINE, asked) => outcome.unwrap(),
    }
    assert!(!session.is_idle());
    session.attention().await.unwrap();
    check(session).await;
}
