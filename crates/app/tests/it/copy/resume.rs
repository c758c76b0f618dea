//! `dbferry copy --resume`: what a dead copy has left is kept where it is still right, and nowhere else.

use std::process::Stdio;

use sandbox::{Flavor, Server, state};

use super::{Pair, comparable, documented};
use crate::import_errors::Ended;
use crate::interrupt::{end, interrupt, start, wait_until};

/// Where the process dies: early among the parts, late, and in each of the steps after them.
const FAILPOINTS: [&str; 5] =
    ["chunk copied:9", "chunk copied:30", "rows copied:1", "before exchange:1", "after exchange:1"];

/// Parts of about this many bytes.
const CHUNK_BYTES: &str = "8000";

const OLD: &str = "CREATE DATABASE shop; CREATE TABLE shop.orders (id INT); INSERT INTO shop.orders \
                   VALUES (7);";

/// What happens on the source before the next copy: rows go, come, change, and swap what is unique, all
/// at both ends of the table, so that most parts stay as they are.
const CHANGES: &str = "
USE shop;
DELETE FROM orders WHERE id BETWEEN 20 AND 30;
INSERT INTO orders VALUES (25,'between',2500000,1),(9000001,'after',2500001,2);
UPDATE orders SET v = 'changed' WHERE id = 41;
UPDATE orders SET u = -1 WHERE id = 10; UPDATE orders SET u = 10 WHERE id = 5990;
UPDATE orders SET u = 5990 WHERE id = 10;
DELETE FROM orders WHERE id = 6000;
INSERT INTO loose VALUES (4),(4);
DELETE FROM parents WHERE id = 3;
";

#[test]
fn a_copy_that_died_is_gone_on_with_on_mariadb() {
    check_resumed(Flavor::MariaDb);
}

#[test]
fn a_copy_that_died_is_gone_on_with_on_mysql() {
    check_resumed(Flavor::MySql);
}

/// The target is of the moment of the second copy, and most rows are those of the first.
fn check_resumed(flavor: Flavor) {
    let pair = Pair::start(flavor);
    for failpoint in FAILPOINTS {
        fill(&pair);
        let died = command(&pair).env("DBFERRY_FAILPOINT", failpoint).output().unwrap();
        assert_eq!(died.status.code(), None, "{failpoint}: {}", Ended::of(died).stderr);
        pair.source.sql(CHANGES).unwrap();
        let ended = Ended::of(command(&pair).args(["--resume", "--json"]).output().unwrap());
        ended.check(0, &["of the rows were there already"]);
        let orders = &documented(&ended.stdout)["report"]["tables"]["shop.orders"];
        let kept = orders["rows_kept"].as_u64().unwrap();
        let rows = orders["rows"].as_u64().unwrap();
        assert!(kept > 0 && kept < rows, "{failpoint}: kept {kept} of {rows}");
        check_same(&pair, failpoint);
    }
}

#[test]
fn a_copy_that_dies_again_is_gone_on_with() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        fill(&pair);
        // The third finds tables with rows and with the triggers that the second had made for a trial.
        for failpoint in ["chunk copied:30", "programs tried:1", "rows copied:1"] {
            let mut command = command(&pair);
            let died =
                command.arg("--resume").env("DBFERRY_FAILPOINT", failpoint).output().unwrap();
            assert_eq!(died.status.code(), None, "{failpoint}: {}", Ended::of(died).stderr);
        }
        let ended = Ended::of(command(&pair).args(["--resume", "--json"]).output().unwrap());
        ended.check(0, &["of the rows were there already"]);
        let orders = &documented(&ended.stdout)["report"]["tables"]["shop.orders"];
        assert_eq!((&orders["rows_kept"], &orders["bytes"]), (&6000.into(), &0.into()));
        check_same(&pair, "died again");
    }
}

#[test]
fn what_has_changed_its_definition_begins_again() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        fill(&pair);
        let died = command(&pair).env("DBFERRY_FAILPOINT", "rows copied:1").output().unwrap();
        assert_eq!(died.status.code(), None, "{}", Ended::of(died).stderr);
        pair.source.sql("ALTER TABLE shop.orders MODIFY v VARCHAR(150) NOT NULL").unwrap();
        // Rows that somebody has damaged are not kept either.
        let staged = staged(&pair);
        pair.target.sql(&format!("UPDATE {staged}.loose SET n = 77 WHERE n = 3")).unwrap();
        let ended = Ended::of(command(&pair).args(["--resume", "--json"]).output().unwrap());
        ended.check(0, &[]);
        let document = documented(&ended.stdout);
        let kept = |table: &str| document["report"]["tables"][table]["rows_kept"].as_u64();
        assert_eq!(kept("shop.orders"), Some(0));
        assert_eq!(kept("shop.loose"), Some(0));
        assert_eq!(kept("shop.parents"), Some(50));
        check_same(&pair, "altered");
    }
}

#[test]
fn an_interrupted_copy_says_how_to_go_on() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        fill(&pair);
        // In so small parts that it takes a while.
        let mut command = pair.command("shop");
        command.args(["--replace", "--resume", "--threads", "1", "--chunk-bytes", "5"]);
        let child = start(&mut command, Stdio::null());
        wait_until(|| has_rows(&pair.target));
        interrupt(&child);
        end(child).check(130, &["shows what it showed before", "--resume, and the same options"]);
        assert_eq!(pair.target.sql("SELECT id FROM shop.orders").unwrap().trim(), "7");
        assert!(!pair.leftovers().is_empty());
        // One of other databases cannot go on with it.
        pair.source.sql("CREATE DATABASE other").unwrap();
        let other = pair.copy("other,shop", &["--replace", "--resume"]);
        other.check(2, &["cannot be gone on with", "dbferry repair"]);
        let ended = Ended::of(self::command(&pair).arg("--resume").output().unwrap());
        ended.check(0, &["of the rows were there already"]);
        check_same(&pair, "interrupted");
    }
}

#[test]
fn without_resume_nothing_is_kept() {
    for flavor in Flavor::ALL {
        let pair = Pair::start(flavor);
        fill(&pair);
        let died = command(&pair).env("DBFERRY_FAILPOINT", "rows copied:1").output().unwrap();
        assert_eq!(died.status.code(), None, "{}", Ended::of(died).stderr);
        pair.copy("shop", &["--replace"]).check(0, &["an earlier copy had died"]);
        check_same(&pair, "begun again");
        // Nothing is left to go on with, so it begins at the start.
        pair.copy("shop", &["--replace", "--resume"]).check(0, &["copied"]);
        check_same(&pair, "begun");
    }
}

fn fill(pair: &Pair) {
    for server in [&pair.source, &pair.target] {
        state::wipe(server).unwrap();
    }
    let orders: Vec<String> = (1..=6000)
        .map(|id| format!("({id},'{}',{id},{})", "x".repeat((id % 90) as usize), id % 50 + 1))
        .collect();
    let parents: Vec<String> = (1..=50).map(|id| format!("({id})")).collect();
    pair.source
        .sql(&format!(
            "CREATE DATABASE shop; USE shop; CREATE TABLE parents (id INT PRIMARY KEY); CREATE TABLE \
             orders (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(100), u INT, p INT, UNIQUE KEY u \
             (u), KEY v (v), KEY p (p)); CREATE TABLE children (id INT PRIMARY KEY, o INT, CONSTRAINT \
             f FOREIGN KEY (o) REFERENCES parents (id)); CREATE TABLE loose (n INT); CREATE VIEW w AS \
             SELECT * FROM orders; CREATE TRIGGER tr BEFORE INSERT ON orders FOR EACH ROW SET @x = 1; INSERT INTO orders VALUES {}; INSERT INTO parents VALUES {}; INSERT \
             INTO children VALUES (1,1),(2,2); INSERT INTO loose VALUES (1),(2),(3),(3); ANALYZE TABLE \
             orders;",
            orders.join(","),
            parents.join(",")
        ))
        .unwrap();
    pair.target.sql(OLD).unwrap();
}

fn command(pair: &Pair) -> std::process::Command {
    let mut command = pair.command("shop");
    command.args(["--replace", "--chunk-bytes", CHUNK_BYTES]);
    command
}

/// The database that holds what a dead copy has brought.
fn staged(pair: &Pair) -> String {
    pair.leftovers().into_iter().find(|name| name.ends_with("_0")).unwrap()
}

fn has_rows(target: &Server) -> bool {
    let names = state::databases(target).unwrap();
    let staged = names.iter().find(|name| name.starts_with("dbferry") && name.ends_with("_0"));
    staged.is_some_and(|name| {
        let rows = target.sql(&format!("SELECT COUNT(*) FROM {name}.orders"));
        rows.is_ok_and(|count| count.trim() != "0")
    })
}

#[track_caller]
fn check_same(pair: &Pair, what: &str) {
    assert_eq!(pair.leftovers(), [""; 0], "{what}");
    for server in [&pair.source, &pair.target] {
        let _ = server.sql("DROP DATABASE IF EXISTS imp; DROP DATABASE IF EXISTS other");
    }
    let (wanted, found) = (comparable(&pair.source), comparable(&pair.target));
    assert!(found == wanted, "{what}:\n{}", state::diff(&wanted, &found));
}
