//! Ctrl-C: the exit code, what is said, and a target that shows exactly what is said to be in.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox::{Flavor, Server, state};

use crate::import_errors::{Bench, Ended};
use crate::sameness::{self, dbferry};

/// What takes longer than this hangs; nothing here should come near it.
const HANGS: Duration = Duration::from_secs(60);

#[test]
fn ctrl_c_leaves_a_prefix_on_mariadb() {
    check_prefix(Flavor::MariaDb);
}

#[test]
fn ctrl_c_leaves_a_prefix_on_mysql() {
    check_prefix(Flavor::MySql);
}

fn check_prefix(flavor: Flavor) {
    let server = Server::start(flavor).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let text = long_dump();
    let file = folder.path().join("long.sql");
    std::fs::write(&file, &text).unwrap();
    for mode in [&["--serial"][..], &["--threads", "3", "--batch-bytes", "4000"]] {
        state::wipe(&server).unwrap();
        let mut command = dbferry();
        command.arg("import").arg(&file).args(["--to", &server.url(Some("imp")), "--json"]);
        command.args(mode).args(["--default-character-set", sameness::stock_charset(flavor)]);
        let child = start(&mut command, Stdio::null());
        wait_until(|| rows_of(&server) > 200);
        interrupt(&child);
        let ended = end(child);
        ended.check(130, &["import interrupted", "applied: everything", "nothing after it"]);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["outcome"], "interrupted");
        assert_eq!(report["exit_code"], 130);
        let offset = report["report"]["applied_offset"].as_u64().unwrap() as usize;
        assert!(offset < text.len(), "it was over before it was interrupted");
        assert_eq!(connections(&server), 0);
        assert_eq!(report["report"]["resumable"], true);
        server.sql("DROP DATABASE dbferry").unwrap();
        let left = state::canonical(&server).unwrap();
        let prefix = folder.path().join("prefix.sql");
        std::fs::write(&prefix, &text[..offset]).unwrap();
        state::wipe(&server).unwrap();
        let outcome = server.import_stock(Some("imp"), &prefix).unwrap();
        assert_eq!(outcome.exit, 0, "{}", outcome.message);
        let wanted = state::canonical(&server).unwrap();
        assert!(left == wanted, "up to {offset}:\n{}", state::diff(&wanted, &left));
    }
}

/// Far more than can be imported before the test has looked once: transactions, two tables, an
/// engine without transactions.
fn long_dump() -> String {
    let mut text = String::from(
        "CREATE TABLE t (id INT PRIMARY KEY, v TEXT);\n\
         CREATE TABLE m (id INT PRIMARY KEY) ENGINE=MyISAM;\n",
    );
    let pad = "x".repeat(400);
    for id in 0..40_000 {
        text.push_str(&format!("INSERT INTO t VALUES ({id},'{pad}');\n"));
        if id % 50 == 7 {
            text.push_str(&format!("INSERT INTO m VALUES ({id});\n"));
        }
        if id % 90 == 11 {
            let (a, b) = (id + 100_000, id + 200_000);
            text.push_str(&format!(
                "BEGIN;\nINSERT INTO t VALUES ({a},'a');\nINSERT INTO t VALUES ({b},'b');\nCOMMIT;\n"
            ));
        }
    }
    text
}

#[test]
fn ctrl_c_stops_a_long_statement() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        // Billions of rows: no machine counts them while the test runs.
        let collations = "information_schema.COLLATIONS";
        let slow = format!(
            "INSERT INTO t SELECT COUNT(*) FROM {collations} a, {collations} b, {collations} c, \
             {collations} d, {collations} e"
        );
        let text = format!(
            "CREATE TABLE t (id INT);\nINSERT INTO t VALUES (1);\n{slow};\nINSERT INTO t VALUES (2);\n"
        );
        let file = bench.file("slow.sql", text);
        let child = start(bench.command(&file).arg("--json"), Stdio::null());
        let runs = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE info LIKE 'INSERT INTO t SELECT%'";
        wait_until(|| bench.sql(runs) == "1");
        interrupt(&child);
        let ended = end(child);
        ended.check(
            130,
            &[
                "import interrupted",
                "slow.sql line 3",
                "everything before line 3 (2 statements, 1 rows)",
            ],
        );
        assert_eq!(bench.sql("SELECT GROUP_CONCAT(id) FROM imp.t"), "1");
        assert_eq!(bench.sql(runs), "0");
        assert_eq!(connections(&bench.server), 0);
    }
}

#[test]
fn ctrl_c_while_a_pipe_is_silent() {
    let bench = Bench::start(Flavor::MariaDb);
    let mut child = start(bench.command(Path::new("-")).arg("--json"), Stdio::piped());
    wait_until(|| catches_interrupts(&child));
    interrupt(&child);
    let stdin = child.stdin.take();
    end(child).check(130, &["import interrupted", "nothing of the file was applied"]);
    drop(stdin);
    // And once something was read.
    let mut child = start(bench.command(Path::new("-")).arg("--json"), Stdio::piped());
    let mut stdin = child.stdin.take().unwrap();
    // The first bytes are looked at together, to tell archives and encodings apart.
    let begin = format!("/* {} */ CREATE TABLE t (id INT);\nINSERT", "-".repeat(100_000));
    stdin.write_all(begin.as_bytes()).unwrap();
    wait_until(|| bench.tables() == "t");
    interrupt(&child);
    let ended = end(child);
    ended.check(130, &["import interrupted", "applied: everything up to byte"]);
    drop(stdin);
    assert_eq!(connections(&bench.server), 0);
}

#[test]
fn a_terminated_import_ends_as_an_interrupted_one() {
    let bench = Bench::start(Flavor::MariaDb);
    let mut child = start(&mut bench.command(Path::new("-")), Stdio::piped());
    wait_until(|| catches_interrupts(&child));
    let stdin = child.stdin.take();
    signal(&child, Signal::SIGTERM);
    end(child).check(130, &["import interrupted"]);
    drop(stdin);
}

pub(crate) fn start(command: &mut Command, stdin: Stdio) -> Child {
    command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(child.id().try_into().unwrap()), signal).unwrap();
}

pub(crate) fn interrupt(child: &Child) {
    signal(child, Signal::SIGINT);
}

pub(crate) fn end(mut child: Child) -> Ended {
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let mut stdout = String::new();
    child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
    Ended { exit: child.wait().unwrap().code(), stdout, stderr }
}

/// Looks again and again.
#[track_caller]
pub(crate) fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < HANGS, "it did not happen");
        std::thread::yield_now();
    }
}

fn rows_of(server: &Server) -> u64 {
    let rows = server.sql("SELECT COUNT(*) FROM imp.t").unwrap_or_default();
    rows.trim_end().parse().unwrap_or(0)
}

/// Sessions of dbferry that the server still has; it takes a moment to notice that one went.
fn connections(server: &Server) -> u64 {
    let mine = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE db = 'imp'";
    wait_until(|| server.sql(mine).unwrap().trim_end() == "0");
    0
}

/// The process has its handlers for SIGINT and SIGTERM, which are set one after the other.
fn catches_interrupts(child: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    let caught = u64::from_str_radix(caught.trim(), 16).unwrap();
    [Signal::SIGINT, Signal::SIGTERM].iter().all(|signal| caught & (1 << (*signal as u64 - 1)) != 0)
}
