//! Keys that the file adds after the rows, in the style of phpMyAdmin: killed and resumed, an import
//! ends with the keys and columns of one without interruption, and not a statement too early.

use std::fmt::Write;
use std::process::Stdio;

use nix::sys::signal::Signal;
use sandbox::Flavor;

use super::losses::holder;
use super::{Bench, check_failpoints_of, check_kills_of, rows, text};
use crate::fence::stands_still;
use crate::interrupt::{signal, wait_until};
use crate::sameness::{self, dbferry};

/// Where the process dies, and after how many passes.
const FAILPOINTS: [(&str, &[u64]); 8] = [
    ("before adding", &[1, 2, 3]),
    ("after adding", &[1, 2, 3]),
    ("before carrying", &[1, 2]),
    ("after carrying", &[1, 2]),
    ("before building", &[1, 2, 3]),
    ("after building", &[1, 2, 3]),
    ("after announcing", &[1, 2, 3, 4, 5, 6]),
    ("after announced", &[1, 2, 3, 4, 5, 6]),
];

#[test]
fn keys_that_the_file_adds_are_there_after_a_failpoint_on_mariadb() {
    check_failpoints_of(Flavor::MariaDb, altered(1), &FAILPOINTS);
}

#[test]
fn keys_that_the_file_adds_are_there_after_a_failpoint_on_mysql() {
    check_failpoints_of(Flavor::MySql, altered(1), &FAILPOINTS);
}

#[test]
fn keys_that_the_file_adds_are_there_after_kills_on_mariadb() {
    check_kills_of(Flavor::MariaDb, altered(20).into_bytes());
}

#[test]
fn keys_that_the_file_adds_are_there_after_kills_on_mysql() {
    check_kills_of(Flavor::MySql, altered(20).into_bytes());
}

/// Given up, an import leaves the keys of the statements that are in, and no others.
#[test]
fn what_is_given_up_has_the_keys_of_what_is_in() {
    const KEYS: &str = "SELECT GROUP_CONCAT(DISTINCT CONCAT(table_name, '.', index_name) ORDER BY 1) \
                        FROM information_schema.STATISTICS WHERE table_schema = 'imp'";
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor, altered(1));
        for (armed, keys) in [
            ("before adding:1", "NULL"),
            ("after adding:1", "a0.n,a0.PRIMARY,a0.v"),
            ("after adding:2", "a0.n,a0.PRIMARY,a0.v,b0.n"),
            ("before carrying:1", "a0.n,a0.PRIMARY,a0.v,b0.n,c0.PRIMARY,c0.v"),
            ("after carrying:2", "a0.n,a0.PRIMARY,a0.v,b0.n,c0.PRIMARY,c0.v"),
        ] {
            bench.prepare();
            let died = bench.import(&[]).env("DBFERRY_FAILPOINT", armed).output().unwrap();
            assert_eq!(died.status.code(), None, "{armed}: {}", text(&died.stderr));
            let url = sameness::socket_url(&bench.server, "imp");
            let repaired = dbferry().args(["repair", "--forget", "--to", &url]).output().unwrap();
            assert!(repaired.status.success(), "{armed}: {}", text(&repaired.stderr));
            assert_eq!(bench.server.sql(KEYS).unwrap().trim_end(), keys, "{flavor:?} {armed}");
        }
    }
}

/// The keys are built at the end, while nobody knows whether the last statement is in.
#[test]
fn a_lost_statement_is_executed_although_the_keys_were_built_since() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor, altered(1));
        bench.prepare();
        let mut command = bench.import(&["--server-wait", "0"]);
        command.env("DBFERRY_FAILPOINT", "before carrying:1:stop").stderr(Stdio::piped());
        let child = command.stdout(Stdio::null()).spawn().unwrap();
        wait_until(|| stands_still(child.id()));
        let main = holder(&bench, "main").unwrap();
        bench.server.sql(&format!("KILL {main}")).unwrap();
        signal(&child, Signal::SIGCONT);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(3), "{}", text(&ended.stderr));
        let keys = bench.server.sql("SHOW KEYS FROM imp.a0 WHERE Key_name = 'v'").unwrap();
        assert!(!keys.is_empty(), "{}", text(&ended.stderr));
        assert_eq!(bench.resumed(), None, "{flavor:?}");
    }
}

/// Tables without keys, filled; then their keys, then their numbers.
fn altered(rounds: u64) -> String {
    let mut file = String::from("SET NAMES utf8mb4;\nSTART TRANSACTION;\n");
    for round in 0..rounds {
        let tables = [format!("a{round}"), format!("b{round}"), format!("c{round}")];
        for table in &tables {
            writeln!(
                file,
                "CREATE TABLE `{table}` (id INT NOT NULL, v VARCHAR(100), n INT) ENGINE=InnoDB;"
            )
            .unwrap();
            for statement in 0..10 {
                rows(&mut file, table, statement * 20, 20);
            }
        }
        let [a, b, c] = tables;
        writeln!(
            file,
            "ALTER TABLE `{a}`\n  ADD PRIMARY KEY (`id`),\n  ADD KEY `n` (`n`),\n  ADD KEY `v` (`v`(12));\n\
             ALTER TABLE `{b}`\n  ADD KEY `n` (`n`,`v`);\n\
             ALTER TABLE `{c}`\n  ADD PRIMARY KEY (`id`),\n  ADD KEY `v` (`v`);\n\
             ALTER TABLE `{a}`\n  MODIFY `id` int NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=777;\n\
             ALTER TABLE `{c}`\n  MODIFY `v` varchar(120) NOT NULL;"
        )
        .unwrap();
    }
    file.push_str("COMMIT;\n");
    file
}
