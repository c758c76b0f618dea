//! The sandbox against the real servers of both families.

use sandbox::inputs::{self, Input};
use sandbox::{Flavor, Options, Postgres, Server, StockOutcome, measure, state};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, SystemTime};

fn on_both(check: fn(Flavor)) {
    for flavor in Flavor::ALL {
        check(flavor);
    }
}

#[test]
fn a_server_answers_and_leaves_nothing() {
    on_both(|flavor| {
        let server = Server::start(flavor).unwrap();
        assert_eq!(server.sql("SELECT 1, 'a b'").unwrap(), "1\ta b\n");
        assert_eq!(
            server.sql("SELECT @@global.time_zone, @@global.log_bin").unwrap(),
            "+00:00\t1\n"
        );
        TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        assert!(server.url(Some("imp")).ends_with(&format!("@127.0.0.1:{}/imp", server.port())));

        let dir = server.dir().to_owned();
        let pid = server.pid().unwrap();
        drop(server);
        assert!(!dir.exists());
        assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
    });
}

#[test]
fn postgres_answers_and_leaves_nothing() {
    let server = Postgres::start().unwrap();
    TcpStream::connect(("127.0.0.1", server.port())).unwrap();
    assert!(server.url("imp").ends_with(&format!("@127.0.0.1:{}/imp", server.port())));
    let dir = server.dir().to_owned();
    let pid = server.pid();
    assert!(dir.join("data/PG_VERSION").is_file());
    drop(server);
    assert!(!dir.exists());
    assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
}

#[test]
fn data_outlives_a_kill_and_a_restart() {
    on_both(|flavor| {
        let server = Server::start(flavor).unwrap();
        let port = server.port();
        server
            .sql("CREATE DATABASE d; CREATE TABLE d.t (a INT); INSERT INTO d.t VALUES (7)")
            .unwrap();
        server.kill().unwrap();
        assert_eq!(server.pid(), None);
        server.sql("SELECT 1").unwrap_err();
        server.restart().unwrap();
        assert_eq!(server.port(), port);
        assert_eq!(server.sql("SELECT a FROM d.t").unwrap(), "7\n");
        server.restart().unwrap();
        assert_eq!(server.sql("SELECT a FROM d.t").unwrap(), "7\n");
        server.stop().unwrap();
        server.stop().unwrap();
    });
}

#[test]
fn the_thread_that_starts_a_server_may_end() {
    let starter = thread::spawn(|| Server::start(Flavor::MariaDb).unwrap());
    let server = starter.join().unwrap();
    assert_eq!(server.sql("SELECT 1").unwrap(), "1\n");
}

#[test]
fn a_panic_keeps_the_folder() {
    let (sender, receiver) = channel();
    let outcome = thread::spawn(move || {
        let server = Server::start(Flavor::MariaDb).unwrap();
        sender.send((server.dir().to_owned(), server.pid().unwrap())).unwrap();
        panic!("on purpose");
    })
    .join();
    assert!(outcome.is_err());
    let (dir, pid) = receiver.recv().unwrap();
    assert!(dir.join("data/ibdata1").is_file());
    assert!(dir.join("error.log").is_file());
    assert!(!PathBuf::from(format!("/proc/{pid}")).exists());
    fs::remove_dir_all(dir).unwrap();
}

#[test]
fn a_server_that_cannot_start_shows_its_log() {
    on_both(|flavor| {
        let options = Options { args: vec!["--no-such-option".into()], ..Options::test() };
        let error = Server::start_with(flavor, &options).unwrap_err().to_string();
        assert!(error.contains("no-such-option"), "{error}");
        assert!(error.contains("exit status"), "{error}");
    });
}

#[test]
fn wipe_brings_the_first_state_back() {
    on_both(|flavor| {
        let server = Server::start(flavor).unwrap();
        state::wipe(&server).unwrap();
        let empty = state::canonical(&server).unwrap();
        assert!(empty.contains("imp"), "{empty}");
        let before = server.sql("SHOW GLOBAL VARIABLES").unwrap();

        let mut changed = vec![empty.clone()];
        for change in [
            "CREATE TABLE imp.t (a INT PRIMARY KEY, b VARBINARY(9))",
            "INSERT INTO imp.t VALUES (1, 'x')",
            "CREATE DATABASE `a-``b`;
             CREATE TABLE `a-``b`.c (p INT, FOREIGN KEY (p) REFERENCES imp.t (a))",
            "CREATE PROCEDURE imp.p() SELECT 1",
            "CREATE VIEW imp.v AS SELECT * FROM imp.t",
            "CREATE USER 'u''1'@'10.%' IDENTIFIED BY 'x'",
            "GRANT SELECT ON imp.* TO 'u''1'@'10.%'",
            "CREATE ROLE r",
        ] {
            server.sql(change).unwrap();
            let now = state::canonical(&server).unwrap();
            assert!(!changed.contains(&now), "{flavor:?}: not seen: {change}");
            changed.push(now);
        }
        server
            .sql(
                "SET GLOBAL sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES';
                 SET GLOBAL max_connections = 33;
                 SET GLOBAL character_set_server = latin1;
                 SET GLOBAL init_connect = 'SELECT ''a\\\\b''';
                 SET GLOBAL long_query_time = 2.5;
                 SET GLOBAL foreign_key_checks = 0;
                 SET GLOBAL read_only = 1",
            )
            .unwrap();
        state::wipe(&server).unwrap();
        let now = state::canonical(&server).unwrap();
        assert_eq!(now, empty, "{}", state::diff(&empty, &now));
        let after = server.sql("SHOW GLOBAL VARIABLES").unwrap();
        let not_gtid = |text: &str| -> Vec<String> {
            text.lines().filter(|line| !line.starts_with("gtid_")).map(str::to_owned).collect()
        };
        assert_eq!(not_gtid(&before), not_gtid(&after));
    });
}

#[test]
fn a_definer_over_tcp_is_the_one_over_the_socket() {
    let server = Server::start(Flavor::MySql).unwrap();
    let create = "CREATE DATABASE d; CREATE DEFINER=root@'HOST' PROCEDURE d.p() SELECT 1";
    let state_with = |host: &str| {
        state::wipe(&server).unwrap();
        server.sql(&create.replace("HOST", host)).unwrap();
        state::canonical(&server).unwrap()
    };
    assert_eq!(state_with("localhost"), state_with("127.0.0.1"));
    assert_ne!(state_with("localhost"), state_with("elsewhere"));
}

#[test]
fn purged_gtids_can_be_set_after_each_wipe() {
    let args = ["--gtid-mode=ON", "--enforce-gtid-consistency=ON"].map(String::from).to_vec();
    let server = Server::start_with(Flavor::MySql, &Options { args, ..Options::test() }).unwrap();
    for _ in 0..2 {
        state::wipe(&server).unwrap();
        server
            .sql(
                "SET GLOBAL gtid_purged = '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-9';
                 CREATE TABLE imp.t (a INT)",
            )
            .unwrap();
    }
}

#[test]
fn the_stock_client_tells_where_it_failed() {
    on_both(|flavor| {
        let server = Server::start(flavor).unwrap();
        state::wipe(&server).unwrap();
        let file = server.dir().join("file.sql");
        fs::write(&file, "CREATE TABLE t (a INT);\n\nINSERT INTO t VALUES (1);\nSELEC\n1;\n")
            .unwrap();
        let outcome = server.import_stock(Some("imp"), &file).unwrap();
        assert_eq!((outcome.exit, outcome.errno, outcome.line), (1, Some(1064), Some(4)));
        assert_eq!(outcome.sqlstate.as_deref(), Some("42000"));
        assert!(outcome.message.starts_with("ERROR 1064 (42000) at line 4: You"), "{outcome:?}");
        assert_eq!(server.sql("SELECT * FROM imp.t").unwrap(), "1\n");

        fs::write(&file, "SELECT 1;\n").unwrap();
        let fine = StockOutcome::parse(0, "");
        assert_eq!(server.import_stock(None, &file).unwrap(), fine);
    });
}

#[test]
fn tls_servers_prove_who_they_are() {
    on_both(|flavor| {
        let options = Options { tls: true, ..Options::test() };
        let server = Server::start_with(flavor, &options).unwrap();
        let verify = match flavor {
            Flavor::MariaDb => "--ssl-verify-server-cert",
            Flavor::MySql => "--ssl-mode=VERIFY_IDENTITY",
        };
        let status = |ca: &std::path::Path| {
            let mut client = server.client().unwrap();
            client.args([
                "--protocol=tcp",
                "--host=127.0.0.1",
                verify,
                "-NBe",
                "SHOW STATUS LIKE 'Ssl_version'",
            ]);
            client
                .arg(format!("--port={}", server.port()))
                .arg(format!("--ssl-ca={}", ca.display()));
            client.output().unwrap()
        };
        let good = status(server.ca_path().unwrap());
        let text = String::from_utf8_lossy(&good.stdout).into_owned();
        assert!(text.contains("TLSv1."), "{text} {}", String::from_utf8_lossy(&good.stderr));
        assert!(!status(server.unrelated_ca_path().unwrap()).status.success());
    });
}

#[test]
fn a_killed_process_takes_its_servers_along() {
    let check = |words: &[&str], count| {
        let text = start_and_kill(words).unwrap();
        let field = |name: &str| -> Vec<String> {
            let lines = text.lines().filter_map(|line| line.trim().strip_prefix(name));
            lines.map(|value| value.trim().to_owned()).collect()
        };
        let (urls, folders) = (field("url"), field("folder"));
        assert_eq!((urls.len(), folders.len()), (count, count), "{text}");
        // The kernel ends them asynchronously: wait until nobody listens, within a limit.
        let deadline = SystemTime::now() + Duration::from_secs(20);
        let address = |url: &String| {
            let (_, place) = url.split_once('@').unwrap();
            place.split('/').next().unwrap().to_owned()
        };
        while urls.iter().any(|url| TcpStream::connect(address(url)).is_ok()) {
            assert!(SystemTime::now() < deadline, "servers outlived their process");
            thread::yield_now();
        }
        for folder in folders {
            fs::remove_dir_all(folder).unwrap();
        }
    };
    check(&["mariadb", "--count", "2"], 2);
    check(&["postgres"], 1);
}

/// Runs `sandbox` until its servers are ready, and kills it; gives what it printed.
fn start_and_kill(words: &[&str]) -> std::io::Result<String> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sandbox"))
        .args(words)
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    let mut text = String::new();
    let mut stdout = child.stdout.take().expect("it is piped");
    let mut byte = [0];
    while !text.contains("Ctrl-C") {
        assert_eq!(stdout.read(&mut byte)?, 1, "ended early: {text}");
        text.push(char::from(byte[0]));
    }
    child.kill()?;
    child.wait()?;
    Ok(text)
}

#[test]
fn error_lines_of_the_clients_are_read() {
    let check = |stderr: &str, errno, sqlstate: Option<&str>, line, message: &str| {
        let outcome = StockOutcome::parse(1, stderr);
        assert_eq!(
            (outcome.errno, outcome.sqlstate.as_deref(), outcome.line),
            (errno, sqlstate, line)
        );
        assert_eq!(outcome.message, message);
    };
    let two = "ERROR 1064 (42000) at line 29: near 'NOT NULL,\nx: y'";
    check(&format!("mysql: [Warning] w\n{two}\n"), Some(1064), Some("42000"), Some(29), two);
    let unknown = "ERROR at line 49: Unknown command '\\d'.";
    check(unknown, None, None, Some(49), unknown);
    let login = "ERROR 1045 (28000): Access denied at line 5";
    check(login, Some(1045), Some("28000"), None, login);
    check("mysql: odd\n", None, None, None, "mysql: odd");
}

#[test]
fn only_times_of_the_run_are_masked() {
    let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    // 1709164800 is 2024-02-29 00:00:00 UTC.
    let mask = |text: &str| state::mask_times(text, at(1_709_164_800), at(1_709_164_810));
    assert_eq!(mask("('2024-02-29 00:00:05',1)"), "('<now>',1)");
    assert_eq!(mask("'2024-02-28 23:59:59'"), "'<now>'");
    assert_eq!(mask("'2024-02-29 00:00:11.123456'"), "'<now>'");
    for kept in [
        "'2024-02-28 23:59:58'",
        "'2024-02-29 00:00:12'",
        "'2024-02-29'",
        "'2024-02-29 00:00:05 '",
        "'0000-00-00 00:00:00'",
        "'é''2023-02-29 00:00:05'",
        "'",
    ] {
        assert_eq!(mask(kept), kept);
    }
}

#[test]
fn a_diff_is_short_and_shows_the_place() {
    assert_eq!(state::diff("a\nb\n", "a\nb\n"), "");
    assert_eq!(
        state::diff("a\nb\nc\nd\n", "a\nc\nx\nd\n"),
        "@@ -2 +2 @@\n a\n-b\n@@ -4 +3 @@\n c\n+x"
    );
    let long = |end: &str| format!("{}{end}", "v".repeat(5_000));
    let shown = state::diff(&long("1"), &long("2"));
    assert!(shown.len() < 400 && shown.contains("v1") && shown.contains("v2"), "{shown}");
    let many: String = (0..1_000).map(|n| format!("{n}\n")).collect();
    assert!(state::diff(&many, "x\n").lines().count() <= 40);
}

#[test]
fn a_scale_of_tpch_becomes_a_dump_that_imports() {
    on_both(|flavor| {
        let server = Server::start(flavor).unwrap();
        let file = server.dir().join("tpch.sql");
        let plan = sandbox::tpch::Plan { flavor, scale: 0.001, extras: true };
        sandbox::tpch::dump(&plan, &file, &mut std::io::sink().by_ref()).unwrap();
        assert_eq!(server.import_stock(None, &file).unwrap(), StockOutcome::parse(0, ""));
        let counts = "SELECT (SELECT COUNT(*) FROM tpch.lineitem),
                      (SELECT COUNT(*) FROM tpch.orders),
                      (SELECT COUNT(*) FROM information_schema.table_constraints
                       WHERE table_schema = 'tpch' AND constraint_type = 'FOREIGN KEY'),
                      (SELECT COUNT(*) FROM information_schema.routines
                       WHERE routine_schema = 'tpch')";
        assert_eq!(server.sql(counts).unwrap(), "6005\t1500\t8\t2\n");
    });
}

#[test]
fn a_generated_dump_is_the_same_every_time() {
    let folder = tempfile::tempdir().unwrap();
    for input in Input::ALL {
        let write = |flavor| {
            let path = folder.path().join(input.name());
            inputs::write(&inputs::Plan { input, flavor, scale: 0.001 }, &path).unwrap();
            fs::read(path).unwrap()
        };
        assert_eq!(write(Flavor::MariaDb), write(Flavor::MariaDb));
        assert_ne!(write(Flavor::MariaDb), write(Flavor::MySql));
    }
}

#[test]
fn a_program_is_measured_and_a_failing_one_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let stdin = folder.path().join("dump.sql");
    fs::write(&stdin, "CREATE DATABASE d;\nSELECT 1;\n").unwrap();
    let plan = |words: &[&str]| measure::Plan {
        flavor: Flavor::MariaDb,
        server_args: Vec::new(),
        before: Some(stdin.clone()),
        stdin: None,
        words: words.iter().map(|word| (*word).to_owned()).collect(),
    };
    let greets = ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/{port} && sleep 0.1"];
    let measured = measure::run(&plan(&greets)).unwrap();
    assert!((0.1..60.0).contains(&measured.elapsed_seconds));
    assert!(measured.program_peak_kib > 0 && measured.server_peak_kib > 0);
    let error = measure::run(&plan(&["bash", "-c", "echo because >&2; exit 3"])).unwrap_err();
    assert!(error.to_string().contains("because"), "{error}");
    let twice = measure::Plan { stdin: Some(stdin.clone()), ..plan(&[]) };
    let error = measure::run(&twice).unwrap_err();
    assert!(error.to_string().contains("database exists"), "{error}");
}
