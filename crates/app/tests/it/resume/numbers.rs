//! Rows that the server numbers: killed and resumed, an import gives the numbers that one without
//! interruption gives, although a server does not take back those of a transaction that died.

use std::fmt::Write;

use sandbox::Flavor;

use super::{Bench, check_failpoints_of, check_kills_of, text};

/// Where the process dies, and after how many passes.
const FAILPOINTS: [(&str, &[u64]); 4] = [
    ("before commit", &[1, 2, 3, 4, 6, 8, 11, 14]),
    ("after commit", &[1, 3, 7]),
    ("after writing", &[1, 2, 3, 4]),
    ("after announcing", &[2, 5]),
];

#[test]
fn numbers_are_given_again_after_a_failpoint_on_mariadb() {
    check_failpoints_of(Flavor::MariaDb, numbered(2), &FAILPOINTS);
}

#[test]
fn numbers_are_given_again_after_a_failpoint_on_mysql() {
    check_failpoints_of(Flavor::MySql, numbered(2), &FAILPOINTS);
}

#[test]
fn numbers_are_given_again_after_a_mariadb_that_dies_at_a_commit() {
    check_server(Flavor::MariaDb);
}

#[test]
fn numbers_are_given_again_after_a_mysql_that_dies_at_a_commit() {
    check_server(Flavor::MySql);
}

/// Servers that die forget numbers that they reserved and did not use.
fn check_server(flavor: Flavor) {
    let bench = Bench::start(flavor, numbered(1));
    for count in 1..=9 {
        bench.prepare();
        let armed = format!("after commit:{count}");
        let died = bench.import(&[]).env("DBFERRY_FAILPOINT", &armed).output().unwrap();
        assert_eq!(died.status.code(), None, "{armed} was not reached: {}", text(&died.stderr));
        bench.server.kill().unwrap();
        bench.server.restart().unwrap();
        assert_eq!(bench.resumed(), None, "{armed}");
    }
}

#[test]
fn numbers_are_given_again_after_kills_on_mariadb() {
    check_kills_of(Flavor::MariaDb, numbered(60).into_bytes());
}

#[test]
fn numbers_are_given_again_after_kills_on_mysql() {
    check_kills_of(Flavor::MySql, numbered(60).into_bytes());
}

/// Rows without numbers in every way that a file has: by batches, one by one, in transactions that
/// are committed and that are not, from queries, by triggers.
fn numbered(rounds: u64) -> String {
    let mut text = String::from("SET NAMES utf8mb4;\nSET @some = 3;\n");
    for round in 0..rounds {
        let n = format!("n{round}");
        writeln!(
            text,
            "CREATE TABLE {n} (v VARCHAR(100), id INT NOT NULL AUTO_INCREMENT PRIMARY KEY) \
             ENGINE=InnoDB AUTO_INCREMENT=7;\n\
             CREATE TABLE log{round} (id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE, n INT);"
        )
        .unwrap();
        for statement in 0..25 {
            let row = |row: u64| format!("('row {row} of statement {statement}')");
            let rows: Vec<String> = (0..8).map(row).collect();
            writeln!(text, "INSERT INTO {n} (v) VALUES {};", rows.join(",")).unwrap();
        }
        writeln!(
            text,
            "INSERT INTO {n} VALUES ('given',900),('null',NULL),('zero',0);\n\
             INSERT INTO {n} (v) VALUES (CONCAT('computed ',@some));\n\
             INSERT INTO {n} (v) SELECT v FROM {n} ORDER BY id LIMIT 5;\n\
             BEGIN;\n\
             INSERT INTO {n} (v) VALUES ('in a transaction'),('of the file');\n\
             INSERT INTO {n} (v) VALUES ('and another');\n\
             INSERT INTO log{round} (n) VALUES (1),(2),(3);\n\
             COMMIT;\n\
             BEGIN;\n\
             INSERT INTO {n} (v) VALUES ('undone'),('by the file');\n\
             ROLLBACK;\n\
             INSERT INTO {n} (v) VALUES ('after numbers that nobody has');\n\
             DELETE FROM {n} WHERE id > 905;\n\
             REPLACE INTO {n} (v) VALUES ('replaces nothing');\n\
             CREATE TRIGGER t{round} AFTER INSERT ON {n} FOR EACH ROW \
             INSERT INTO log{round} (n) VALUES (NEW.id);\n\
             INSERT INTO {n} (v) VALUES ('fires'),('twice');\n\
             INSERT INTO {n} (v) VALUES ('fires again');\n\
             SET autocommit = 0;\n\
             INSERT INTO {n} (v) VALUES ('without autocommit');\n\
             SET autocommit = 1;"
        )
        .unwrap();
    }
    text
}
