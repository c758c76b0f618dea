//! Connecting, logging in, and what a session says of itself, on both servers.
//!
//! Not here, because the plugins are not on the test machine: ed25519, parsec, and
//! `mysql_native_password` on MySQL.

use std::collections::BTreeMap;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::time::Duration;

use engine::endpoint::{Endpoint, Secret, TlsMode};
use engine::error::{Error, ErrorKind};
use engine::mysql::conn::{Conn, Effect, KillHandle};
use engine::mysql::facts::{self, Privilege, ServerFacts};
use sandbox::{Flavor, Options, Server};
use tokio::task::JoinHandle;

/// Nothing in these tests takes as long as this.
const DEADLINE: Duration = Duration::from_secs(60);

fn start(flavor: Flavor, tls: bool, arguments: &[&str]) -> Server {
    let args = arguments.iter().map(|&argument| argument.into()).collect();
    Server::start_with(flavor, &Options { args, tls, ..Options::test() }).unwrap()
}

fn tcp(server: &Server) -> Endpoint {
    Endpoint::parse(&server.url(None)).unwrap()
}

fn socket(server: &Server) -> Endpoint {
    let mut endpoint = tcp(server);
    endpoint.socket = Some(server.socket().to_owned());
    endpoint
}

fn account(server: &Server, user: &str, password: Option<&str>) -> Endpoint {
    let mut endpoint = tcp(server);
    endpoint.user = user.into();
    endpoint.password = password.map(Secret::new);
    endpoint
}

fn encrypted(server: &Server, host: &str, mode: TlsMode, ca: Option<&Path>) -> Endpoint {
    let mut endpoint = tcp(server);
    endpoint.host = host.into();
    endpoint.tls.mode = mode;
    endpoint.tls.ca = ca.map(Path::to_owned);
    endpoint
}

async fn open(endpoint: &Endpoint) -> Conn {
    Conn::open(endpoint, "test").await.unwrap_or_else(|error| panic!("{error}"))
}

#[track_caller]
fn refused(opened: Result<Conn, Error>, kind: ErrorKind, text: &str) {
    let error = opened.map(|conn| conn.id()).unwrap_err();
    assert!(error.kind == kind && error.to_string().contains(text), "{:?}: {error}", error.kind);
    assert!(!format!("{error} {error:?}").contains("sandbox"), "a password shows: {error:?}");
}

async fn run(conn: &mut Conn, sql: &str) -> Effect {
    conn.query(sql.as_bytes()).await.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

async fn cipher(conn: &mut Conn) -> String {
    conn.rows("SHOW STATUS LIKE 'Ssl_cipher'").await.unwrap()[0][1].clone().unwrap()
}

async fn is_tcp(conn: &mut Conn) -> bool {
    let sql = "SELECT host FROM information_schema.processlist WHERE id = CONNECTION_ID()";
    conn.scalar(sql).await.unwrap().unwrap().contains(':')
}

/// Waits until another connection's statement shows in the server's list.
async fn wait_until_busy(watcher: &mut Conn, id: u64) {
    let sql = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE id = {id} AND info LIKE '%SLEEP%'"
    );
    let wait = async {
        while watcher.scalar(&sql).await.unwrap().as_deref() != Some("1") {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap();
}

/// Starts a statement that would take very long, and returns when the server works on it.
async fn busy(server: &Server, sql: &'static str) -> (JoinHandle<(Conn, Error)>, KillHandle) {
    let mut conn = open(&tcp(server)).await;
    let (id, kill) = (conn.id(), conn.kill_handle());
    let work = tokio::spawn(async move {
        let error = conn.query(sql.as_bytes()).await.unwrap_err();
        (conn, error)
    });
    wait_until_busy(&mut open(&tcp(server)).await, id).await;
    (work, kill)
}

#[tokio::test]
async fn a_session_is_that_of_the_stock_client() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &[]);
        let expected =
            variables(server.sql("SHOW SESSION VARIABLES").unwrap().lines().map(|line| {
                match line.split_once('\t') {
                    Some((name, value)) => (name.into(), value.into()),
                    None => (line.into(), String::new()),
                }
            }));
        for (endpoint, over_tcp) in [(tcp(&server), true), (socket(&server), false)] {
            let mut conn = open(&endpoint).await;
            assert_eq!(is_tcp(&mut conn).await, over_tcp, "{flavor:?}: {}", endpoint.address());
            let rows = conn.rows("SHOW SESSION VARIABLES").await.unwrap();
            let found = variables(rows.into_iter().map(|row| {
                let mut cells = row.into_iter().map(Option::unwrap_or_default);
                (cells.next().unwrap(), cells.next().unwrap())
            }));
            let different: Vec<_> =
                expected.iter().filter(|(name, value)| found.get(*name) != Some(*value)).collect();
            assert!(different.is_empty(), "{flavor:?}: {different:?}");
            assert!(found.len() > 400, "{}", found.len());
            conn.close().await;
        }
    }
}

/// Variables but those that differ between any two sessions. Some values have several lines.
fn variables(rows: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    const OWN: [&str; 9] = [
        "timestamp",
        "pseudo_thread_id",
        "rand_seed1",
        "rand_seed2",
        "external_user",
        "proxy_user",
        "gtid_executed",
        "statement_id",
        "tls_version",
    ];
    rows.filter(|(name, _)| !OWN.contains(&name.as_str())).collect()
}

#[tokio::test]
async fn statements_sent_at_once_end_with_the_first_that_fails() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &[]);
        let mut conn = open(&tcp(&server)).await;
        for (text, code, answers) in [
            ("SET @a = 1; SET @a = 2", None, 2),
            ("SET @a = 3; SELECT 1; SET @a = 4", None, 3),
            ("nonsense; SET @a = 5", Some(1064), 0),
            ("SET @a = 6; SET @b = 7; SET @@nowhere = 1; SET @a = 8", Some(1193), 2),
            ("SET @a = 9", None, 1),
        ] {
            let outcome = conn.query(text.as_bytes()).await;
            assert_eq!(outcome.err().and_then(|error| error.code()), code, "{flavor:?}: {text}");
            assert_eq!(conn.answers(), answers, "{flavor:?}: {text}");
            let last =
                text.split("; ").take(answers).filter(|set| set.starts_with("SET @a")).last();
            if let Some(last) = last {
                let is = conn.scalar("SELECT @a").await.unwrap();
                assert_eq!(is.as_deref(), last.rsplit(' ').next(), "{flavor:?}: {text}");
            }
        }
        conn.close().await;
    }
}

#[tokio::test]
async fn the_character_set_can_be_chosen_and_attributes_tell_who_we_are() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &["--performance-schema=ON"]);
        let plain = encrypted(&server, "127.0.0.1", TlsMode::Disable, None);
        let endpoint = Endpoint { default_charset: "gbk".into(), ..plain };
        let mut conn = open(&endpoint).await;
        let names = "SELECT CONCAT_WS(' ', @@character_set_client, @@character_set_results, \
                     @@character_set_connection, @@collation_connection)";
        assert_eq!(conn.scalar(names).await.unwrap().unwrap(), "gbk gbk gbk gbk_chinese_ci");
        let purpose = "SELECT GROUP_CONCAT(attr_value ORDER BY attr_name) \
                       FROM performance_schema.session_connect_attrs \
                       WHERE attr_name IN ('program_name', 'purpose') \
                       AND processlist_id = CONNECTION_ID()";
        assert_eq!(conn.scalar(purpose).await.unwrap().unwrap(), "dbferry,test");
        let unknown = Endpoint { default_charset: "nope".into(), ..tcp(&server) };
        refused(Conn::open(&unknown, "test").await, ErrorKind::Usage, "1115");
    }
}

#[tokio::test]
async fn effects_and_status_follow_the_session() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &[]);
        let mut conn = open(&tcp(&server)).await;
        assert!(conn.status().autocommit && !conn.status().in_transaction);
        run(&mut conn, "CREATE DATABASE d").await;
        run(&mut conn, "CREATE TABLE d.t (a INT PRIMARY KEY) ENGINE=InnoDB").await;
        assert_eq!(run(&mut conn, "INSERT INTO d.t VALUES (1), (2), (3)").await.affected_rows, 3);
        let select = run(&mut conn, "SELECT a FROM d.t").await;
        assert_eq!((select.affected_rows, select.rows_returned), (0, 3));
        assert_eq!(run(&mut conn, "INSERT IGNORE INTO d.t VALUES (1), (4)").await.warnings, 1);
        assert_eq!(run(&mut conn, "SELECT 1/0").await.warnings, 1);

        run(&mut conn, "START TRANSACTION").await;
        assert!(run(&mut conn, "SELECT 1").await.status.in_transaction);
        assert!(!run(&mut conn, "COMMIT").await.status.in_transaction);
        assert!(!run(&mut conn, "SET autocommit = 0").await.status.autocommit);
        run(&mut conn, "SET autocommit = 1").await;

        let ansi_quotes = |on| (flavor == Flavor::MariaDb).then_some(on);
        let set = "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'";
        for sql in [set, "SELECT 1"] {
            let status = run(&mut conn, sql).await.status;
            assert!(status.no_backslash_escapes, "{sql}");
            assert_eq!(status.ansi_quotes, ansi_quotes(true), "{sql}");
        }
        let status = run(&mut conn, "SET sql_mode = DEFAULT").await.status;
        assert!(!status.no_backslash_escapes && status.ansi_quotes == ansi_quotes(false));
        results(&mut conn).await;
    }
}

/// Several results of one statement: all are drained, and no error is left for the next one.
async fn results(conn: &mut Conn) {
    let body = "BEGIN SELECT 1 UNION SELECT 2; SELECT 3; INSERT INTO d.t VALUES (9); END";
    run(conn, &format!("CREATE PROCEDURE d.p() {body}")).await;
    let call = run(conn, "CALL d.p()").await;
    assert_eq!((call.rows_returned, call.affected_rows), (3, 1));
    let error = conn.query(b"CALL d.p()").await.unwrap_err();
    assert_eq!((error.kind, error.code()), (ErrorKind::Statement, Some(1062)));
    assert_eq!(run(conn, "DO 1").await.rows_returned, 0);
    // Statements are bytes: what is no UTF-8 arrives as it is.
    let bytes = b"INSERT INTO d.t SELECT 100 WHERE HEX(_binary'\xff\xfe\x00') = 'FFFE00'";
    assert_eq!(conn.query(bytes).await.unwrap().affected_rows, 1);
    assert!(!conn.is_broken());
}

#[tokio::test]
async fn login_methods_of_mariadb() {
    let server = start(Flavor::MariaDb, true, &[]);
    server
        .sql(
            "CREATE USER nat@'%' IDENTIFIED VIA mysql_native_password USING PASSWORD('x');
             CREATE USER none@'%';
             CREATE USER root2@localhost IDENTIFIED VIA unix_socket;
             CREATE USER old@'%' IDENTIFIED VIA mysql_old_password USING '';
             SET GLOBAL secure_auth = 0;
             UPDATE mysql.global_priv SET priv = JSON_SET(priv, '$.authentication_string',
                 OLD_PASSWORD('x')) WHERE user = 'old';
             FLUSH PRIVILEGES;",
        )
        .unwrap();
    for mode in [TlsMode::Disable, TlsMode::Require] {
        let with_mode = |mut endpoint: Endpoint| {
            endpoint.tls.mode = mode;
            endpoint
        };
        open(&with_mode(account(&server, "nat", Some("x")))).await;
        open(&with_mode(account(&server, "none", None))).await;
        let wrong = with_mode(account(&server, "nat", Some("sandbox2")));
        refused(Conn::open(&wrong, "test").await, ErrorKind::AccessDenied, "1045");
        let old = with_mode(account(&server, "old", Some("x")));
        refused(Conn::open(&old, "test").await, ErrorKind::AccessDenied, "before MySQL 4.1");
    }
    // The system's user is root, not root2; the plugin answers all the same.
    let mut endpoint = socket(&server);
    endpoint.user = "root2".into();
    refused(Conn::open(&endpoint, "test").await, ErrorKind::AccessDenied, "1698");
}

#[tokio::test]
async fn login_methods_of_mysql() {
    let server = start(Flavor::MySql, false, &[]);
    server
        .sql(
            "CREATE USER none@'%' IDENTIFIED WITH caching_sha2_password BY '';
             CREATE USER s256@'%' IDENTIFIED WITH sha256_password BY 'x';
             CREATE USER locked@'%' IDENTIFIED BY 'x' ACCOUNT LOCK;",
        )
        .unwrap();
    for (number, mode) in [TlsMode::Disable, TlsMode::Prefer, TlsMode::Require].iter().enumerate() {
        // A new account each time: after the first login the server knows a digest, and the
        // password itself is not sent any more.
        let user = format!("sha{number}");
        server
            .sql(&format!("CREATE USER {user}@'%' IDENTIFIED WITH caching_sha2_password BY 'x'"))
            .unwrap();
        for _first_and_known in 0..2 {
            let mut endpoint = account(&server, &user, Some("x"));
            endpoint.tls.mode = *mode;
            let mut conn = open(&endpoint).await;
            assert_eq!(cipher(&mut conn).await.is_empty(), *mode == TlsMode::Disable);
        }
    }
    open(&socket(&server)).await;
    open(&account(&server, "none", None)).await;
    let check = async |user: &str, password: &str, text: &str| {
        let endpoint = account(&server, user, Some(password));
        refused(Conn::open(&endpoint, "test").await, ErrorKind::AccessDenied, text);
    };
    check("s256", "x", "sha256_password, which dbferry lacks").await;
    check("locked", "x", "3118").await;
    check("root", "wrong", "1045").await;
}

#[tokio::test]
async fn encryption_is_as_strong_as_demanded() {
    for flavor in Flavor::ALL {
        // The certificate is for localhost and 127.0.0.1.
        let server = start(flavor, true, &["--bind-address=0.0.0.0"]);
        let (good, other) = (server.ca_path(), server.unrelated_ca_path());
        let ok = async |host, mode, ca| {
            let conn = Conn::open(&encrypted(&server, host, mode, ca), "test").await;
            let mut conn = conn.unwrap_or_else(|error| panic!("{flavor:?} {mode:?}: {error}"));
            assert!(is_tcp(&mut conn).await);
            cipher(&mut conn).await
        };
        assert_eq!(ok("127.0.0.1", TlsMode::Disable, None).await, "");
        for mode in [TlsMode::Prefer, TlsMode::Require] {
            assert!(ok("127.0.0.2", mode, None).await.contains("AES"));
        }
        for host in ["127.0.0.1", "localhost"] {
            for mode in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
                assert!(ok(host, mode, good).await.contains("AES"));
            }
        }
        assert!(ok("127.0.0.2", TlsMode::VerifyCa, good).await.contains("AES"));
        let bad = async |host, mode, ca, text| {
            let opened = Conn::open(&encrypted(&server, host, mode, ca), "test").await;
            refused(opened, ErrorKind::Tls, text);
        };
        bad("127.0.0.2", TlsMode::VerifyFull, good, "subject alternative names").await;
        for host in ["127.0.0.1", "127.0.0.2"] {
            for mode in [TlsMode::VerifyCa, TlsMode::VerifyFull] {
                bad(host, mode, other, "UnknownIssuer").await;
                bad(host, mode, None, "UnknownIssuer").await;
            }
        }
        let missing = encrypted(&server, "127.0.0.1", TlsMode::VerifyCa, Some(Path::new("/nope")));
        refused(Conn::open(&missing, "test").await, ErrorKind::Usage, "ca=/nope");
    }
}

#[tokio::test]
async fn the_certificate_mysql_makes_itself_has_no_names() {
    let server = start(Flavor::MySql, false, &[]);
    let ca = server.dir().join("data/ca.pem");
    let endpoint = |mode| encrypted(&server, "127.0.0.1", mode, Some(&ca));
    let mut conn = open(&endpoint(TlsMode::VerifyCa)).await;
    assert!(cipher(&mut conn).await.contains("AES"));
    refused(
        Conn::open(&endpoint(TlsMode::VerifyFull), "test").await,
        ErrorKind::Tls,
        "subject alternative names",
    );
    // Another authority is no good, though its certificates have names.
    let stranger = start(Flavor::MariaDb, true, &[]);
    let other = encrypted(&server, "127.0.0.1", TlsMode::VerifyCa, stranger.ca_path());
    refused(Conn::open(&other, "test").await, ErrorKind::Tls, "UnknownIssuer");
}

#[tokio::test]
async fn a_password_goes_in_clear_only_when_told() {
    let server = start(Flavor::MySql, false, &["--tls-version=", "--bind-address=0.0.0.0"]);
    server.sql("CREATE USER u@'%' IDENTIFIED BY 'x'").unwrap();
    let endpoint = |host: &str, mode| Endpoint {
        user: "u".into(),
        password: Some(Secret::new("x")),
        ..encrypted(&server, host, mode, None)
    };
    // 0.0.0.0 leads to this machine too, but not by a loopback address.
    let opened = Conn::open(&endpoint("0.0.0.0", TlsMode::Prefer), "test").await;
    refused(opened, ErrorKind::Tls, "say tls=disable");
    let opened = Conn::open(&endpoint("0.0.0.0", TlsMode::Require), "test").await;
    refused(opened, ErrorKind::Tls, "offers no TLS");
    open(&endpoint("127.0.0.1", TlsMode::Prefer)).await;
    open(&endpoint("0.0.0.0", TlsMode::Disable)).await;
}

#[tokio::test]
async fn servers_that_insist_on_encryption() {
    for flavor in Flavor::ALL {
        let server = start(flavor, true, &["--require-secure-transport=ON"]);
        open(&tcp(&server)).await;
        let plain = encrypted(&server, "127.0.0.1", TlsMode::Disable, None);
        let error = Conn::open(&plain, "test").await.map(|conn| conn.id()).unwrap_err();
        assert_eq!(error.exit_code(), 3, "{error}");
    }
}

#[tokio::test]
async fn places_without_a_server() {
    let check = async |endpoint: &Endpoint, text: &str| {
        let opened = Conn::open(endpoint, "test").await;
        assert!(opened.as_ref().is_err_and(|error| error.exit_code() == 3));
        refused(opened, ErrorKind::Unreachable, text);
    };
    check(&Endpoint::tcp("no-such-host.invalid", 3306, "u"), "no-such-host.invalid:3306").await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut silent = Endpoint::tcp("127.0.0.1", port, "u");
    silent.connect_timeout = Duration::from_millis(50);
    check(&silent, &format!("127.0.0.1:{port}: no session within 0.05 s")).await;
    drop(listener);
    check(&silent, &format!("127.0.0.1:{port}: Connection refused")).await;
    silent.socket = Some("/nope/sock".into());
    check(&silent, "/nope/sock").await;
}

#[tokio::test]
async fn something_else_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let web = std::thread::spawn(move || {
        use std::io::Write;
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").unwrap();
    });
    let opened = Conn::open(&Endpoint::tcp("127.0.0.1", port, "u"), "test").await;
    refused(opened, ErrorKind::Unreachable, &format!("127.0.0.1:{port}"));
    web.join().unwrap();
}

#[tokio::test]
async fn an_unknown_database_is_another_thing_to_a_statement() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &[]);
        let endpoint = Endpoint { database: Some("nope".into()), ..tcp(&server) };
        let error = Conn::open(&endpoint, "test").await.map(|conn| conn.id()).unwrap_err();
        assert_eq!((error.kind, error.exit_code()), (ErrorKind::UnknownDatabase, 3), "{error}");
        let mut conn = open(&tcp(&server)).await;
        let error = conn.query(b"USE nope").await.unwrap_err();
        assert_eq!((error.kind, error.exit_code()), (ErrorKind::Statement, 1), "{error}");
        assert!(!conn.is_broken());
    }
}

#[tokio::test]
async fn statements_up_to_the_limit_are_sent() {
    const LIMIT: usize = 65536;
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &["--max-allowed-packet=65536"]);
        let mut conn = open(&tcp(&server)).await;
        assert_eq!(conn.max_allowed_packet(), LIMIT as u64);
        let statement = |bytes: usize| format!("DO '{}'", "x".repeat(bytes - "DO ''".len()));
        let bytes_max = usize::try_from(conn.statement_bytes_max()).unwrap();
        run(&mut conn, &statement(bytes_max)).await;
        let error = conn.query(statement(bytes_max + 1).as_bytes()).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.kind, ErrorKind::TooLarge);
        assert!(text.contains("65535 bytes") && text.contains("=65536"), "{text}");
        run(&mut conn, "DO 1").await;
    }
}

#[tokio::test]
async fn statements_and_rows_beyond_one_packet() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &["--max-allowed-packet=64M"]);
        let mut conn = open(&tcp(&server)).await;
        let sql = format!("SELECT '{}'", "x".repeat(20 << 20));
        assert_eq!(run(&mut conn, &sql).await.rows_returned, 1);
        let row = conn.scalar("SELECT REPEAT('x', 40 << 20)").await.unwrap();
        assert_eq!(row.map(|text| text.len()), Some(40 << 20));
        assert_eq!(run(&mut conn, "SELECT REPEAT('x', 40 << 20)").await.rows_returned, 1);
    }
}

#[tokio::test]
async fn killed_from_outside() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &[]);
        let (work, kill) = busy(&server, "SELECT SLEEP(600)").await;
        kill.kill_connection().await.unwrap();
        let (mut conn, error) = tokio::time::timeout(DEADLINE, work).await.unwrap().unwrap();
        assert_eq!(error.kind, ErrorKind::LostConnection, "{flavor:?}: {error}");
        let address = format!("127.0.0.1:{}", server.port());
        assert!(conn.is_broken());
        let error = conn.query(b"DO 1").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::LostConnection);
        assert!(error.to_string().contains(&address), "{error}");
        kill.kill_connection().await.expect("a connection that is gone is no error");

        // Killing a SLEEP makes it return; the rest of the statement must not go on.
        let sql = "SELECT SLEEP(600) FROM (SELECT 1 UNION SELECT 2) t ORDER BY SLEEP(600)";
        let (work, kill) = busy(&server, sql).await;
        kill.kill_query().await.unwrap();
        let (mut conn, error) = tokio::time::timeout(DEADLINE, work).await.unwrap().unwrap();
        assert_eq!((error.kind, error.exit_code()), (ErrorKind::Interrupted, 130), "{error}");
        run(&mut conn, "DO 1").await;
    }
}

#[tokio::test]
async fn the_server_dies() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &[]);
        let (work, kill) = busy(&server, "SELECT SLEEP(600)").await;
        let mut idle = open(&socket(&server)).await;
        server.kill().unwrap();
        let (conn, error) = tokio::time::timeout(DEADLINE, work).await.unwrap().unwrap();
        assert_eq!(error.kind, ErrorKind::LostConnection, "{error}");
        assert!(error.to_string().contains(&server.port().to_string()), "{error}");
        assert!(conn.is_broken());
        let error = idle.query(b"DO 1").await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::LostConnection, "{error}");
        assert_eq!(kill.kill_query().await.unwrap_err().kind, ErrorKind::Unreachable);
        idle.close().await;
    }
}

#[tokio::test]
async fn connections_of_another_server_are_not_killed() {
    // One address, two servers behind it in turn, as behind a load balancer.
    let servers = [(); 2].map(|()| start(Flavor::MariaDb, false, &[]));
    let port = balance(servers.each_ref().map(Server::port));
    // Without TLS each session is one connection: prefer would try twice.
    let plain = encrypted(&servers[0], "127.0.0.1", TlsMode::Disable, None);
    let endpoint = Endpoint { port, ..plain };
    let mut conn = open(&endpoint).await;
    let error = conn.kill_handle().kill_connection().await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert!(error.to_string().contains("another server"), "{error}");
    conn.kill_handle().kill_connection().await.unwrap();
    assert_eq!(conn.query(b"DO 1").await.unwrap_err().kind, ErrorKind::LostConnection);
}

/// Leads connections to `ports` in turn; gives the port where it listens.
fn balance(ports: [u16; 2]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for (client, port) in listener.incoming().zip(ports.iter().cycle()) {
            let client = client.unwrap();
            let server = TcpStream::connect(("127.0.0.1", *port)).unwrap();
            let ways = [(client.try_clone(), server.try_clone()), (Ok(server), Ok(client))];
            for (from, to) in ways {
                std::thread::spawn(move || {
                    let (mut from, mut to) = (from.unwrap(), to.unwrap());
                    let _ = std::io::copy(&mut from, &mut to);
                    let _ = to.shutdown(Shutdown::Write);
                });
            }
        }
    });
    port
}

#[tokio::test]
async fn a_dropped_future_leaves_a_broken_connection() {
    let server = start(Flavor::MariaDb, false, &[]);
    let mut watcher = open(&tcp(&server)).await;
    let mut conn = open(&tcp(&server)).await;
    let id = conn.id();
    tokio::select! {
        outcome = conn.query(b"SELECT SLEEP(600)") => panic!("{outcome:?}"),
        () = wait_until_busy(&mut watcher, id) => {}
    }
    assert!(conn.is_broken());
    assert_eq!(conn.query(b"DO 1").await.unwrap_err().kind, ErrorKind::LostConnection);
    conn.close().await;
    assert_eq!(run(&mut watcher, "DO 1").await.rows_returned, 0);
}

#[tokio::test]
async fn no_local_file_is_read() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &["--local-infile=ON"]);
        server.sql("CREATE DATABASE d; CREATE TABLE d.t (a TEXT)").unwrap();
        let mut conn = open(&tcp(&server)).await;
        let load = b"LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE d.t";
        for _again in 0..2 {
            let error = conn.query(load).await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::Refused, "{error}");
            assert!(error.to_string().contains("LOCAL INFILE"), "{error}");
        }
        assert_eq!(conn.scalar("SELECT COUNT(*) FROM d.t").await.unwrap().unwrap(), "0");
        server.sql("SET GLOBAL local_infile = OFF").unwrap();
        let error = open(&tcp(&server)).await.query(load).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Refused, "{error}");
    }
}

#[tokio::test]
async fn facts_of_each_server() {
    for flavor in Flavor::ALL {
        let server = start(flavor, false, &["--lower-case-table-names=0"]);
        server
            .sql(
                "CREATE DATABASE app_1; CREATE USER app@'%' IDENTIFIED BY 'x';
                  GRANT CREATE, INSERT ON `app\\_%`.* TO app@'%'",
            )
            .unwrap();
        let root = facts::gather(&mut open(&tcp(&server)).await).await.unwrap();
        check_facts(flavor, &root);
        assert!(root.sets_definers() && root.switches_binlog());
        assert!(root.grants.allows(Privilege::Trigger, Some("anything")));
        let endpoint = account(&server, "app", Some("x"));
        let app = facts::gather(&mut open(&endpoint).await).await.unwrap();
        check_facts(flavor, &app);
        assert!(!app.sets_definers() && !app.switches_binlog());
        assert!(app.grants.allows(Privilege::Create, Some("app_1")));
        assert!(!app.grants.allows(Privilege::Create, Some("appx1")));
        assert!(!app.grants.allows(Privilege::Drop, Some("app_1")));
    }
}

fn check_facts(flavor: Flavor, facts: &ServerFacts) {
    let (expected, collation, version) = match flavor {
        Flavor::MariaDb => (facts::Flavor::MariaDb, "utf8mb4_uca1400_ai_ci", (10, 11)),
        Flavor::MySql => (facts::Flavor::MySql, "utf8mb4_0900_ai_ci", (9, 7)),
    };
    assert_eq!((facts.flavor, (facts.version.0, facts.version.1)), (expected, version));
    assert!(facts.collations.contains("utf8mb4_general_ci"));
    let has_own = facts.collations.contains(collation)
        || facts.collations.contains(collation.trim_start_matches("utf8mb4_"));
    assert!(has_own, "{:?}", facts.collations);
    assert!(facts.engines.contains("innodb") && facts.engines.contains("myisam"));
    assert!(facts.has_binlog && !facts.read_only);
    assert_eq!((facts.lower_case_table_names, facts.innodb_page_size), (0, Some(16384)));
    assert!(facts.sql_mode.contains("STRICT_TRANS_TABLES"), "{}", facts.sql_mode);
    assert_eq!(facts.default_engine, "InnoDB");
}
