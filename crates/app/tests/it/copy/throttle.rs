//! A copy is as gentle as it is told to be.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use sandbox::{Flavor, Options, Server};

use super::{Pair, documented};
use crate::import_errors::Ended;
use crate::interrupt::{end, start, wait_until};

#[test]
fn a_copy_waits_for_a_replica_that_is_named_on_mariadb() {
    check_replica(Flavor::MariaDb, true);
}

#[test]
fn a_copy_waits_for_a_replica_that_the_target_knows_on_mysql() {
    check_replica(Flavor::MySql, false);
}

/// A replica that does not apply anything makes the copy pause until it does.
fn check_replica(flavor: Flavor, is_named: bool) {
    let pair = Pair::start(flavor);
    pair.source.sql("CREATE DATABASE a; CREATE TABLE a.t (i INT PRIMARY KEY)").unwrap();
    pair.source.sql("INSERT INTO a.t VALUES (1),(2),(3)").unwrap();
    let replica = Replica::of(&pair.target);
    let url = replica.server.url(None);
    let named: &[&str] = if is_named { &["--replica", &url] } else { &[] };
    let limit = &[named, &["--max-replica-lag", "60", "--json"]].concat();
    replica.applies(false);
    let mut copying = Copying::start(&pair, limit);
    copying.reads("paused: replica 127.0.0.1:");
    assert_eq!(pair.target.sql("SHOW DATABASES LIKE 'a'").unwrap(), "");
    replica.applies(true);
    copying.reads("the pause is over");
    let ended = copying.end();
    ended.check(0, &["copied"]);
    let throttle = &documented(&ended.stdout)["report"]["throttle"];
    assert_eq!(throttle["replicas"].as_array().unwrap().len(), 1, "{throttle}");
    assert!(throttle["pauses"].as_u64() >= Some(1), "{throttle}");
    assert!(throttle["paused_seconds"].as_f64() > Some(0.0), "{throttle}");
    replica.shows("SELECT COUNT(*) FROM a.t", "3");
    // A server that is no replica is not waited for by mistake.
    let url = pair.source.url(None);
    let wrong = ["--replace", "--max-replica-lag", "60", "--replica", &url];
    pair.copy("a", &wrong).check(2, &["is not a replica"]);
}

/// A server that replicates another.
pub(crate) struct Replica {
    pub(crate) server: Server,
}

impl Replica {
    pub(crate) fn of(target: &Server) -> Replica {
        let flavor = target.flavor();
        let args = vec!["--server-id=2".to_owned(), "--report-host=127.0.0.1".to_owned()];
        let server = Server::start_with(flavor, &Options { args, ..Options::test() }).unwrap();
        server.sql(&follows(target)).unwrap();
        wait_until(|| server.sql(status(flavor)).unwrap().contains("Waiting for"));
        Replica { server }
    }

    /// Whether it does what it gets.
    pub(crate) fn applies(&self, does: bool) {
        let verb = if does { "START" } else { "STOP" };
        let noun = match self.server.flavor() {
            Flavor::MariaDb => "SLAVE",
            Flavor::MySql => "REPLICA",
        };
        self.server.sql(&format!("{verb} {noun} SQL_THREAD")).unwrap();
    }

    /// Waits until it has what is expected.
    pub(crate) fn shows(&self, query: &str, expected: &str) {
        wait_until(|| self.server.sql(query).is_ok_and(|rows| rows.trim() == expected));
    }
}

/// What makes a server the replica of another.
fn follows(target: &Server) -> String {
    let (port, password) = (target.port(), target.root_password());
    match target.flavor() {
        Flavor::MariaDb => format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='root', \
             MASTER_PASSWORD='{password}', MASTER_USE_GTID=slave_pos; START SLAVE;"
        ),
        Flavor::MySql => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, \
             SOURCE_USER='root', SOURCE_PASSWORD='{password}', GET_SOURCE_PUBLIC_KEY=1; START REPLICA;"
        ),
    }
}

fn status(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "SHOW SLAVE STATUS",
        Flavor::MySql => "SHOW REPLICA STATUS",
    }
}

#[test]
fn a_copy_waits_for_a_busy_source() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        pair.source.sql("CREATE DATABASE a; CREATE TABLE a.t (i INT PRIMARY KEY)").unwrap();
        let mut holder = Session::start(&pair.source, "SELECT GET_LOCK('busy', 0), SLEEP(1000)");
        let held = "SELECT IS_USED_LOCK('busy') IS NOT NULL";
        wait_until(|| pair.source.sql(held).unwrap().trim() == "1");
        let mut waiter = Session::start(&pair.source, "SELECT GET_LOCK('busy', 1000)");
        let running = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE info = \
                       'SELECT GET_LOCK(''busy'', 1000)'";
        wait_until(|| pair.source.sql(running).unwrap().trim() == "1");
        // Its own readers do not count, however many there are.
        pair.copy("a", &["--threads", "4", "--max-running", "9"]).check(0, &["copied"]);
        let mut copying = Copying::start(&pair, &["--replace", "--max-running", "1"]);
        copying.reads("paused: ");
        holder.end(&pair.source);
        waiter.end(&pair.source);
        copying.reads("the pause is over");
        copying.end().check(0, &["copied"]);
    }
}

#[test]
fn a_copy_keeps_to_a_rate() {
    let pair = Pair::start(Flavor::MariaDb);
    let rows = "CREATE DATABASE a; USE a; CREATE TABLE t (i INT PRIMARY KEY, v CHAR(200)); INSERT INTO t \
                SELECT seq, REPEAT('x', 200) FROM seq_1_to_2000";
    pair.source.sql(rows).unwrap();
    let ended = pair.copy("a", &["--max-rate", "1M", "--json"]);
    ended.check(0, &["copied"]);
    let report = &documented(&ended.stdout)["report"];
    assert_eq!(report["throttle"]["rate_bytes"], report["tables"]["a.t"]["bytes"], "{report:#}");
    pair.copy("a", &["--max-rate", "fast"]).check(2, &["is no number of bytes"]);
}

#[test]
fn a_table_that_is_in_use_is_exchanged_later() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        pair.source.sql("CREATE DATABASE a; CREATE TABLE a.t (i INT PRIMARY KEY)").unwrap();
        pair.target.sql("CREATE DATABASE a; CREATE TABLE a.t (old INT)").unwrap();
        let mut user = Session::start(&pair.target, "LOCK TABLES a.t READ; SELECT SLEEP(1000)");
        let shows = |part: &str| pair.target.sql("SHOW FULL PROCESSLIST").unwrap().contains(part);
        wait_until(|| shows("SELECT SLEEP(1000)"));
        // What waits first: MySQL's database is in use as well.
        let waits =
            || shows(if flavor == Flavor::MySql { "ALTER DATABASE" } else { "RENAME TABLE" });
        let child = start(pair.command("a").arg("--replace"), Stdio::null());
        // A try, a pause in which others get on, another try.
        wait_until(waits);
        wait_until(|| !waits());
        wait_until(waits);
        user.end(&pair.target);
        end(child).check(0, &["copied"]);
        assert_eq!(pair.target.sql("SELECT i FROM a.t").unwrap(), "");
    }
}

/// A copy under way that tells what it does.
struct Copying {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    told: String,
}

impl Copying {
    fn start(pair: &Pair, arguments: &[&str]) -> Copying {
        let mut command = pair.command("a");
        let quiet = command.get_args().position(|argument| argument == "--no-progress").unwrap();
        let kept: Vec<_> = command.get_args().enumerate().filter(|(at, _)| *at != quiet).collect();
        let kept: Vec<_> = kept.into_iter().map(|(_, argument)| argument.to_owned()).collect();
        command = crate::sameness::dbferry();
        command.args(kept).args(arguments).stdin(Stdio::null());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Copying { child, stderr, told: String::new() }
    }

    /// Waits for a line with this in it.
    #[track_caller]
    fn reads(&mut self, text: &str) {
        loop {
            let before = self.told.len();
            let bytes = self.stderr.read_line(&mut self.told).unwrap();
            assert!(bytes > 0, "it ended without saying {text}: {}", self.told);
            if self.told[before..].contains(text) {
                return;
            }
        }
    }

    fn end(mut self) -> Ended {
        let mut stdout = String::new();
        self.stderr.read_to_string(&mut self.told).unwrap();
        self.child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        Ended { exit: self.child.wait().unwrap().code(), stdout, stderr: self.told }
    }
}

/// A client that is busy until it is ended.
pub(super) struct Session {
    child: Child,
    statement: &'static str,
}

impl Session {
    pub(super) fn start(server: &Server, statement: &'static str) -> Session {
        let mut command = server.client().unwrap();
        command.args(["-e", statement]).stdout(Stdio::null()).stderr(Stdio::null());
        Session { child: command.spawn().unwrap(), statement }
    }

    pub(super) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    pub(super) fn end(&mut self, server: &Server) {
        let find = format!(
            "SELECT id FROM information_schema.PROCESSLIST WHERE info = '{}'",
            self.statement.rsplit("; ").next().unwrap_or_default().replace('\'', "''")
        );
        for id in server.sql(&find).unwrap().split_whitespace() {
            server.sql(&format!("KILL {id}")).unwrap();
        }
        self.child.wait().unwrap();
    }
}
