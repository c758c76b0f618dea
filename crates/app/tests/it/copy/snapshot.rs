//! How the readers come to see the same, by what the account may; and definitions that change.

use std::process::Stdio;

use sandbox::{Flavor, Server};

use super::Pair;
use super::throttle::Session;
use crate::import_errors::Ended;
use crate::interrupt::{end, start, wait_until};
use crate::sameness::dbferry;

/// What an account needs to read everything of a database, besides locks.
const READS: &str = "SELECT, SHOW VIEW, TRIGGER, EVENT";

#[test]
fn the_lock_is_chosen_by_what_the_account_may() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        pair.source
            .sql(&format!(
                "CREATE DATABASE a; CREATE TABLE a.t (i INT PRIMARY KEY); INSERT INTO a.t VALUES (1);
                 CREATE USER all_of_it, some_of_it, no_lock;
                 GRANT {READS} ON a.* TO all_of_it; GRANT RELOAD ON *.* TO all_of_it;
                 GRANT {READS}, LOCK TABLES ON a.* TO some_of_it;
                 GRANT {READS} ON a.* TO no_lock;"
            ))
            .unwrap();
        let best = match flavor {
            Flavor::MariaDb => "backup-stage",
            Flavor::MySql => "global-read-lock",
        };
        for (user, mode, notes) in [
            ("all_of_it", best, &[][..]),
            ("some_of_it", "table-locks", &["no FLUSH TABLES WITH READ LOCK"]),
            ("no_lock", "one-reader", &["no LOCK TABLES", "only one connection reads"]),
        ] {
            let ended = copy_as(&pair, user);
            ended.check(0, notes);
            let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            let snapshot = &report["report"]["snapshot"];
            assert_eq!(snapshot["mode"], mode, "{flavor:?} {user}: {report:#}");
            assert_eq!(report["report"]["tables"]["a.t"]["rows"], 1);
            // MariaDB tells every reader where its snapshot is; MySQL tells whoever may ask.
            let position = &snapshot["position"];
            if flavor == Flavor::MariaDb {
                let now = pair.source.sql("SHOW MASTER STATUS").unwrap();
                let mut cells = now.split('\t');
                assert_eq!(position["file"].as_str(), cells.next(), "{user}");
                assert_eq!(position["offset"].to_string(), cells.next().unwrap(), "{user}");
                let gtid = pair.source.sql("SELECT @@gtid_binlog_pos").unwrap();
                assert_eq!(position["gtid"].as_str(), Some(gtid.trim()), "{user}");
            } else if user == "no_lock" {
                assert!(position["file"].is_null(), "{position}");
            }
        }
    }
}

fn copy_as(pair: &Pair, user: &str) -> Ended {
    let from = format!("mysql://{user}@127.0.0.1:{}", pair.source.port());
    let mut command = dbferry();
    command.args(["copy", "--from", &from, "--to", &pair.target.url(None)]);
    command.args(["--databases", "a", "--replace", "--json", "--no-progress"]);
    Ended::of(command.output().unwrap())
}

#[test]
fn a_definition_that_changes_meanwhile_fails_the_copy() {
    let pair = Pair::start(Flavor::MariaDb);
    fill(&pair.source);
    let mut command = pair.command("a");
    command.args(["--no-load-data", "--threads", "1"]);
    let child = start(&mut command, Stdio::null());
    wait_until(|| !pair.leftovers().is_empty());
    // Those that were made last are read last, so the copy is not over yet.
    pair.source.sql("CREATE VIEW a.late AS SELECT 1 AS one").unwrap();
    end(child).check(1, &["during the copy, in a: view late was made"]);
    assert_eq!(pair.leftovers(), [""; 0]);
    assert_eq!(pair.target.sql("SHOW DATABASES LIKE 'a'").unwrap(), "");
}

#[test]
fn a_writer_that_holds_the_lock_up_is_waited_for() {
    let pair = Pair::start(Flavor::MariaDb);
    fill(&pair.source);
    let mut busy = Session::start(&pair.source, "LOCK TABLES a.t WRITE; SELECT SLEEP(1000)");
    let shows = |part: &str| pair.source.sql("SHOW FULL PROCESSLIST").unwrap().contains(part);
    wait_until(|| shows("SELECT SLEEP(1000)"));
    let child = start(&mut pair.command("a"), Stdio::null());
    // A try, a pause in which others get on, another try.
    wait_until(|| shows("BACKUP STAGE START"));
    wait_until(|| !shows("BACKUP STAGE START"));
    wait_until(|| shows("BACKUP STAGE START"));
    busy.end(&pair.source);
    end(child).check(0, &["the lock came after"]);
}

#[test]
fn a_long_query_holds_no_copy_up_on_mariadb() {
    let pair = Pair::start(Flavor::MariaDb);
    fill(&pair.source);
    let mut holder = Session::start(&pair.source, "SELECT GET_LOCK('long', 0), SLEEP(1000)");
    wait_until(|| pair.source.sql("SELECT IS_USED_LOCK('long') IS NULL").unwrap().trim() == "0");
    let mut long = Session::start(&pair.source, "SELECT GET_LOCK('long', 1000) FROM a.t");
    let waits = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE state = 'User lock'";
    wait_until(|| pair.source.sql(waits).unwrap().trim() == "1");
    let ended = pair.copy("a", &["--json"]);
    ended.check(0, &["copied"]);
    assert!(!ended.stderr.contains("the lock came after"), "{}", ended.stderr);
    let document = super::documented(&ended.stdout);
    assert_eq!(document["report"]["snapshot"]["mode"], "backup-stage");
    assert!(long.is_running(), "the query has to outlive the copy");
    long.end(&pair.source);
    holder.end(&pair.source);
}

/// A database whose copying takes a while.
fn fill(server: &Server) {
    server
        .sql(
            "CREATE DATABASE a; USE a; CREATE TABLE t (i INT PRIMARY KEY AUTO_INCREMENT, v CHAR(200));
             INSERT INTO t (v) SELECT 'x' FROM seq_1_to_200000;",
        )
        .unwrap();
}
