//! Servers that cannot be reached, refuse the login, fill up, or go away in the middle.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};

use sandbox::Flavor;

use super::{Bench, Ended};
use crate::sameness::dbferry;

#[test]
fn a_server_that_cannot_be_used_is_exit_code_3() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let file = bench.file("dump.sql", "CREATE TABLE t (id INT);\n");
        let port = bench.server.port();
        let cases = [
            (
                format!("mysql://root:wrong-secret@127.0.0.1:{port}/imp"),
                &["Access denied", "hint: check user"][..],
            ),
            // MySQL asks a stranger for a login method chosen by chance, maybe one that we lack.
            (
                format!("mysql://nobody@127.0.0.1:{port}/imp"),
                &["log in to mysql://nobody@127.0.0.1", "hint: check user, password"],
            ),
            (
                bench.server.url(Some("not_there")),
                &["Unknown database 'not_there'", "create the database first"],
            ),
            (
                format!("mysql://root@127.0.0.1:{}/imp", closed_port()),
                &["reach 127.0.0.1", "hint: check that the server runs"],
            ),
            ("mysql://root@no-such-host.invalid/imp".to_owned(), &["no-such-host.invalid"]),
            (
                format!("mysql://root@localhost/imp?socket={}/none", bench.folder.path().display()),
                &["none"],
            ),
        ];
        for (url, said) in cases {
            let output =
                dbferry().arg("import").arg(&file).args(["--to", &url, "--json"]).output().unwrap();
            let ended = Ended::of(output);
            ended.check(3, said).check(3, &["dump.sql", "nothing of the file was applied"]);
            assert!(
                !ended.stderr.contains("wrong-secret") && !ended.stdout.contains("wrong-secret")
            );
        }
        assert_eq!(bench.tables(), "");
    }
}

/// A port that nobody listens on.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_wrong_url_is_a_usage_error() {
    let bench = Bench::start(Flavor::MariaDb);
    let file = bench.file("dump.sql", "");
    for url in ["nonsense", "postgres://root@localhost", "mysql://root@localhost:port/imp"] {
        let output = dbferry().arg("import").arg(&file).args(["--to", url]).output().unwrap();
        Ended::of(output).check(2, &["error"]);
    }
}

#[test]
fn a_full_disk_is_told_as_such() {
    // The smallest thing that is full in earnest: a system tablespace that may not grow.
    let small = ["--innodb-data-file-path=ibdata1:12M", "--innodb-file-per-table=0"];
    let mut text = String::from("CREATE TABLE t (id INT PRIMARY KEY, v TEXT);\n");
    for id in 1..=2000 {
        text.push_str(&format!("INSERT INTO t VALUES ({id},'{}');\n", "x".repeat(16_000)));
    }
    for mode in [&["--serial"][..], &["--threads", "3", "--batch-bytes", "40000"]] {
        let bench = Bench::start_with(Flavor::MariaDb, &small);
        let ended = bench.run(&text, &[mode, &["--json"]].concat());
        ended.check(
            1,
            &["is full", "hint: free space on the server", "applied: everything before line"],
        );
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["error"]["kind"], "DiskFull");
        let applied = report["report"]["rows"].as_u64().unwrap();
        assert!(applied > 0);
        assert_eq!(
            bench.sql("SELECT CONCAT(COUNT(*), ' ', MAX(id)) FROM imp.t"),
            format!("{applied} {applied}")
        );
    }
}

/// Rows after which a file ends: many more than an import takes to notice a loss.
const ROWS_MAX: u64 = 50_000;

/// An import that reads what the test writes, one INSERT of one row at a time.
struct Running {
    child: Child,
    stdin: ChildStdin,
    next: u64,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(b"CREATE TABLE t (id INT PRIMARY KEY, v TEXT);\n").unwrap();
        Running { child, stdin, next: 1 }
    }

    /// Writes rows; false once the import has ended.
    fn write(&mut self, rows: u64) -> bool {
        let mut text = String::new();
        for id in self.next..self.next + rows {
            text.push_str(&format!("INSERT INTO t VALUES ({id},'{}');\n", "x".repeat(500)));
        }
        self.next += rows;
        self.stdin.write_all(text.as_bytes()).is_ok()
    }

    /// Writes rows until the import ends, or the end of the file where it goes on, and waits for it.
    fn drown(mut self) -> Ended {
        while self.next < ROWS_MAX && self.write(500) {}
        drop(self.stdin);
        let mut stderr = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let mut stdout = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        let exit = self.child.wait().unwrap().code();
        Ended { exit, stdout, stderr }
    }
}

/// Rows 1, 2, … without a gap, at least as many as the report counts.
#[track_caller]
fn check_prefix(bench: &Bench, ended: &Ended) {
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(report["error"]["kind"], "LostConnection", "{}", ended.stderr);
    let counted = report["report"]["rows"].as_u64().unwrap();
    let found = bench.sql("SELECT CONCAT(COUNT(*), ' ', COALESCE(MAX(id), 0)) FROM imp.t");
    let (count, last) = found.split_once(' ').unwrap();
    assert_eq!(count, last, "there are gaps");
    assert!(count.parse::<u64>().unwrap() >= counted, "{count} rows, {counted} reported");
}

#[test]
fn a_killed_server_leaves_a_prefix() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        for mode in
            [&["--serial", "--json"][..], &["--threads", "3", "--batch-bytes", "4000", "--json"]]
        {
            bench.sql("DROP DATABASE imp; CREATE DATABASE imp");
            let mut command = bench.command("-".as_ref());
            command.args(mode);
            let mut running = Running::start(command);
            wait_for_rows(&bench, &mut running);
            bench.server.kill().unwrap();
            let ended = running.drown();
            ended.check(3, &["may be in as well", "hint: look into the server's error log"]);
            bench.server.restart().unwrap();
            check_prefix(&bench, &ended);
        }
    }
}

#[test]
fn a_killed_connection_leaves_a_prefix() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        for mode in
            [&["--serial", "--json"][..], &["--threads", "3", "--batch-bytes", "4000", "--json"]]
        {
            bench.sql("DROP DATABASE imp; CREATE DATABASE imp");
            let mut command = bench.command("-".as_ref());
            command.args(mode);
            let mut running = Running::start(command);
            wait_for_rows(&bench, &mut running);
            kill_connections(&bench);
            let ended = running.drown();
            if ended.exit == Some(0) && mode[0] != "--serial" {
                check_whole(&bench, &ended);
            } else {
                ended.check(3, &["may be in as well"]);
                check_prefix(&bench, &ended);
            }
        }
    }
}

/// Kills each connection that is in the test's database; one may have gone by itself by then.
fn kill_connections(bench: &Bench) {
    let ids = bench.sql("SELECT id FROM information_schema.PROCESSLIST WHERE db = 'imp'");
    for id in ids.lines() {
        let _ = bench.server.sql(&format!("KILL {id}"));
    }
}

/// All rows that the report counts and no others: an import replaces lost lanes and goes on when
/// nothing that it cannot replace was killed.
#[track_caller]
fn check_whole(bench: &Bench, ended: &Ended) {
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let counted = report["report"]["rows"].as_u64().unwrap();
    let found = bench.sql("SELECT CONCAT(COUNT(*), ' ', MAX(id)) FROM imp.t");
    assert_eq!(found, format!("{counted} {counted}"));
}

/// Feeds the import until rows of it are in.
fn wait_for_rows(bench: &Bench, running: &mut Running) {
    loop {
        assert!(running.write(100), "the import ended early");
        let count = bench.server.sql("SELECT COUNT(*) FROM imp.t").unwrap_or_default();
        if count.trim_end().parse::<u64>().unwrap_or(0) > 300 {
            return;
        }
    }
}
