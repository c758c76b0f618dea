//! The client for SQL Server against a peer that follows a script, and the peer against FreeTDS.
//!
//! Not here, because there is no SQL Server on the test machine: what only the real one does. What is
//! sent and understood is checked by the peer, which was written from the protocol's document.

use std::net::Ipv4Addr;
use std::time::Duration;

use engine::endpoint::{Endpoint, Secret, TlsMode};
use engine::error::{Error, ErrorKind, State};
use engine::mssql::session::Session;
use engine::mssql::value::Value;
use sandbox::tds::{Answer, Cell, Column, Encryption, Peer, Refusal, Rows, Script};

mod carrier;
mod freetds;
mod loads;
mod mock;

/// Nothing in these tests takes as long as this.
const DEADLINE: Duration = Duration::from_secs(60);

/// An endpoint of a peer, with `disable` as the least that it takes.
fn endpoint(peer: &Peer, mode: TlsMode) -> Endpoint {
    let url = format!("mssql://sa@localhost:{}/shop", peer.port());
    let mut endpoint = Endpoint::parse(&url).unwrap();
    endpoint.password = Some(Secret::new(Script::default().password));
    endpoint.tls.mode = mode;
    endpoint
}

async fn connected(peer: &Peer) -> Session {
    let connected = Session::connect(&endpoint(peer, TlsMode::Disable), "test").await;
    connected.unwrap_or_else(|error| panic!("{error}; {:?}", peer.faults()))
}

/// A peer that answers `asked`.
async fn asked(asked: &str, answer: Answer) -> (Peer, Session) {
    let script = Script { answers: vec![(asked.into(), answer)], ..Script::default() };
    let peer = Peer::start(script).unwrap();
    let session = connected(&peer).await;
    (peer, session)
}

#[track_caller]
fn refused<T>(outcome: Result<T, Error>, kind: ErrorKind, text: &str) {
    let Err(error) = outcome else { panic!("not refused: {text}") };
    assert!(error.kind == kind && error.to_string().contains(text), "{:?}: {error}", error.kind);
    assert!(!format!("{error} {error:?}").contains("Sandbox-1"), "a password shows: {error:?}");
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

#[tokio::test]
async fn a_login_says_who_asks() {
    let (peer, session) = asked("", Answer::Count(0)).await;
    assert_eq!((session.spid(), session.server().program.as_str()), (51, "Peer"));
    assert!(session.is_idle() && !session.is_encrypted() && !session.in_transaction());
    let login = &peer.logins()[0];
    assert_eq!(login.application, "dbferry test");
    assert_eq!((login.database.as_str(), login.server.as_str()), ("shop", "localhost"));
    assert_eq!(login.version, 0x7400_0004);
    session.close().await;
}

/// What a client that demands `mode` gets of a peer: is the login encrypted, and what follows it?
async fn check_encryption(wanted: Encryption, mode: TlsMode, expected: Option<(bool, bool)>) {
    let peer = Peer::start(Script { encryption: wanted, ..Script::default() }).unwrap();
    let mut endpoint = endpoint(&peer, mode);
    if matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull) {
        endpoint.tls.ca = Some(peer.ca().to_owned());
    }
    match (Session::connect(&endpoint, "test").await, expected) {
        (Ok(mut session), Some((login, stays))) => {
            session.run("SELECT 1").await.unwrap();
            let said = &peer.logins()[0];
            assert_eq!(
                (said.encrypted, said.stays_encrypted),
                (login, stays),
                "{wanted:?} {mode:?}"
            );
            assert_eq!(session.is_encrypted(), stays);
        }
        (outcome, None) => refused(outcome, ErrorKind::Tls, "encrypt the connection"),
        (Err(error), Some(_)) => panic!("{wanted:?} {mode:?}: {error}; {:?}", peer.faults()),
    }
    assert_eq!(peer.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn encryption_is_what_both_sides_agree_on() {
    use TlsMode::{Disable, Prefer, Require, VerifyCa, VerifyFull};
    let all = Some((true, true));
    for mode in [Prefer, Require, VerifyCa, VerifyFull] {
        check_encryption(Encryption::Off, mode, all).await;
        check_encryption(Encryption::Required, mode, all).await;
        // In clear the password goes only to those who ask for that.
        check_encryption(Encryption::NotSupported, mode, None).await;
    }
    check_encryption(Encryption::Off, Disable, Some((true, false))).await;
    check_encryption(Encryption::NotSupported, Disable, Some((false, false))).await;
    check_encryption(Encryption::Required, Disable, None).await;
}

#[tokio::test]
async fn certificates_are_checked_as_asked() {
    let script = Script { encryption: Encryption::Required, ..Script::default() };
    let peer = Peer::start(script).unwrap();
    // The public authorities have not signed it.
    for mode in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
        let outcome = Session::connect(&endpoint(&peer, mode), "test").await;
        refused(outcome, ErrorKind::Tls, "ca= must name the authority");
    }
    let unrelated = peer.ca().with_file_name("unrelated-ca.pem");
    let mut endpoint = endpoint(&peer, TlsMode::VerifyCa);
    endpoint.tls.ca = Some(unrelated);
    refused(Session::connect(&endpoint, "test").await, ErrorKind::Tls, "encrypt the connection");
    // What the certificate is not for, is found out only where that is asked for.
    let script = Script {
        address: Ipv4Addr::new(127, 0, 0, 2),
        encryption: Encryption::Required,
        ..Script::default()
    };
    let peer = Peer::start(script).unwrap();
    endpoint.tls.ca = Some(peer.ca().to_owned());
    (endpoint.host, endpoint.port) = ("127.0.0.2".into(), peer.port());
    assert!(Session::connect(&endpoint, "test").await.unwrap().is_encrypted());
    endpoint.tls.mode = TlsMode::VerifyFull;
    let outcome = Session::connect(&endpoint, "test").await;
    refused(outcome, ErrorKind::Tls, "subject alternative names");
}

#[tokio::test]
async fn strict_encryption_comes_first() {
    let script = Script { encryption: Encryption::Strict, ..Script::default() };
    let peer = Peer::start(script).unwrap();
    let url = format!(
        "mssql://sa:Sandbox-1@localhost:{}?tls=strict&ca={}",
        peer.port(),
        peer.ca().display()
    );
    let session = Session::connect(&Endpoint::parse(&url).unwrap(), "test").await;
    let session = session.unwrap_or_else(|error| panic!("{error}; {:?}", peer.faults()));
    assert!(session.is_encrypted());
    assert_eq!(peer.logins()[0].version, 0x0800_0000);
    let without_ca = url.split("&ca=").next().unwrap();
    let outcome = Session::connect(&Endpoint::parse(without_ca).unwrap(), "test").await;
    refused(outcome, ErrorKind::Tls, "encrypt the connection");
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let peer = Peer::start(Script::default()).unwrap();
    let mut endpoint = endpoint(&peer, TlsMode::Disable);
    endpoint.password = Some(Secret::new("wrong"));
    let error = Session::connect(&endpoint, "test").await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::AccessDenied, Some(18456)));
    assert_eq!(error.exit_code(), 3);
    assert!(!format!("{error} {error:?}").contains("wrong"), "{error:?}");
}

#[tokio::test]
async fn one_redirect_is_followed() {
    let last = Peer::start(Script::default()).unwrap();
    let to = |peer: &Peer| Some(("127.0.0.1".to_owned(), peer.port()));
    let middle = Peer::start(Script { route: to(&last), ..Script::default() }).unwrap();
    let first = Peer::start(Script { route: to(&middle), ..Script::default() }).unwrap();
    let session = connected(&middle).await;
    assert!(session.is_idle());
    assert_eq!((middle.logins().len(), last.logins().len()), (1, 1));
    assert_eq!(last.logins()[0].server, "127.0.0.1");
    let outcome = Session::connect(&endpoint(&first, TlsMode::Disable), "test").await;
    refused(outcome, ErrorKind::Unreachable, "sends us on and on");
}

#[tokio::test]
async fn catalog_rows_become_values() {
    let rows = Rows {
        columns: vec![
            Column::new("n", b"\x26\x08"),
            Column::new("i", b"\x38").not_null(),
            Column::new("t", b"\xe7\x00\x01\x09\x04\xd0\x00\x34"),
            Column::new("long", b"\xe7\xff\xff\x09\x04\xd0\x00\x34"),
            Column::new("b", b"\xa5\x10\x00"),
        ],
        rows: vec![
            vec![
                Some((-5_i64).to_le_bytes().to_vec()),
                Some(7_i32.to_le_bytes().to_vec()),
                Some(utf16("grün ]")),
                // Longer than a packet, and than what is decoded at once.
                Some(utf16(&"x".repeat(200_000))),
                Some(vec![1, 2]),
            ],
            vec![None, Some(vec![0; 4]), None, None, None],
        ],
        compact: false,
    };
    for compact in [false, true] {
        let rows = Rows { compact, ..rows.clone() };
        let (peer, mut session) = asked("SELECT x", Answer::Rows(rows)).await;
        let found = session.query("SELECT x").await.unwrap();
        let text = |text: &str| Value::Text(text.into());
        let long = text(&"x".repeat(200_000));
        let first = [Value::Int(-5), Value::Int(7), text("grün ]"), long, Value::Bytes(vec![1, 2])];
        assert_eq!(found[0], first);
        let null = Value::Null;
        assert_eq!(found[1], [null.clone(), Value::Int(0), null.clone(), null.clone(), null]);
        assert_eq!(peer.faults(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_error_of_the_server_is_kept_apart() {
    let text = "Transaction (Process ID 51) was deadlocked".to_owned();
    let refusal = Refusal { number: 1205, class: 13, state: 51, text };
    let (_peer, mut session) = asked("UPDATE x", Answer::Refusal(refusal)).await;
    let error = session.run("UPDATE x").await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Deadlock, Some(1205)));
    let server = error.server.as_ref().unwrap();
    assert_eq!(server.state, State::Severity { class: 13, state: 51 });
    assert_eq!(error.without_server_text(), "run statement: server error 1205");
    // The session goes on.
    assert_eq!(session.run("SELECT 1").await.unwrap(), 0);
}

#[tokio::test]
async fn statements_name_their_transaction() {
    let (peer, mut session) = asked("DELETE x", Answer::Count(3)).await;
    session.run("BEGIN TRANSACTION").await.unwrap();
    assert!(session.in_transaction());
    // The peer refuses a statement that names none, or another.
    assert_eq!(session.run("DELETE x").await.unwrap(), 3);
    session.run("COMMIT TRANSACTION").await.unwrap();
    assert!(!session.in_transaction());
    session.run("SELECT 1").await.unwrap();
    assert_eq!(peer.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn attention_ends_what_runs() {
    let columns = vec![Column::new("n", b"\x26\x04")];
    let row: Vec<Cell> = vec![Some(vec![1, 0, 0, 0])];
    let rows = Rows { columns, rows: vec![row; 5000], compact: false };
    let (peer, mut session) = asked("SELECT n", Answer::Stall(rows)).await;
    {
        let mut selection = session.stream("SELECT n").await.unwrap();
        let mut out = Vec::new();
        let filled = selection.fill(&mut out, 100).await.unwrap();
        assert!(filled.rows > 0 && !filled.is_over);
        let endless = selection.fill(&mut out, usize::MAX / 2);
        // The peer has no more to say: whoever waits for it waits for ever.
        tokio::select! {
            filled = endless => panic!("it ends: {filled:?}"),
            () = seen(&peer, 1) => {}
        }
    }
    assert!(!session.is_idle());
    refused(session.run("SELECT 1").await, ErrorKind::LostConnection, "on its way");
    session.attention().await.unwrap();
    assert_eq!(session.run("SELECT 1").await.unwrap(), 0);
    assert_eq!(peer.faults(), Vec::<String>::new());
}

/// Waits until a peer has read so many batches.
async fn seen(peer: &Peer, batches: usize) {
    let wait = async {
        while peer.batches().len() < batches {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap();
}

#[tokio::test]
async fn nonsense_is_an_error_and_not_a_panic() {
    let half_row = [&b"\x81\x01\0\0\0\0\0\x01\0\x26\x04\x01a\0\xd1\x04\x01"[..]].concat();
    for (bytes, text) in [
        (&b"\x01\x02\x03"[..], "there is no token 0x01"),
        (b"\x81\x01\0\0\0\0\0\0\0\x99", "the unknown type 0x99"),
        (b"\xaa\x02\0\x01\x02", "token 0xaa is malformed"),
        (b"\xd1\0", "rows and no columns"),
        (b"\xfd\0\0", "ends within something"),
        (&half_row, "ends within something"),
    ] {
        let (_peer, mut session) = asked("SELECT x", Answer::Bytes(bytes.to_vec())).await;
        refused(session.query("SELECT x").await, ErrorKind::LostConnection, text);
        assert!(!session.is_idle());
    }
    let (_peer, mut session) = asked("SELECT x", Answer::Cut(half_row.clone())).await;
    refused(session.query("SELECT x").await, ErrorKind::LostConnection, "the server closed it");
}

#[tokio::test]
async fn a_server_of_another_kind_is_said() {
    let server = sandbox::Server::start(sandbox::Flavor::MariaDb).unwrap();
    let url = server.url(None).replace("mysql://", "mssql://");
    let outcome = Session::connect(&Endpoint::parse(&url).unwrap(), "test").await;
    refused(outcome, ErrorKind::LostConnection, "it is no answer of this protocol");
    let as_mysql = Endpoint::parse("mssql://sa@localhost").unwrap();
    let outcome = engine::mysql::conn::Conn::open(&as_mysql, "test").await;
    refused(outcome, ErrorKind::Usage, "this needs a MySQL or MariaDB server");
    let as_mssql = Endpoint::parse("mysql://root@localhost").unwrap();
    refused(Session::connect(&as_mssql, "test").await, ErrorKind::Usage, "this needs a SQL Server");
}
