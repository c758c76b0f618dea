//! A copy shows one moment of a source that is being written.

use std::sync::atomic::{AtomicBool, Ordering};

use sandbox::{Flavor, Server};

use super::Pair;

/// Copies in an ordinary test run, for each server; `DBFERRY_COPIES` sets another number.
const COPIES: u64 = 3;
/// Accounts of each table, and tables.
const ACCOUNTS: u64 = 2000;
const TABLES: u64 = 6;

#[test]
fn a_copy_under_load_is_of_one_moment_on_mariadb() {
    check_total(Flavor::MariaDb);
}

#[test]
fn a_copy_under_load_is_of_one_moment_on_mysql() {
    check_total(Flavor::MySql);
}

/// Money moves between tables all the time; the copies' total is always right.
fn check_total(flavor: Flavor) {
    let pair = Pair::start(flavor);
    let mut script = String::from("CREATE DATABASE bank; USE bank;\n");
    for table in 0..TABLES {
        script.push_str(&format!(
            "CREATE TABLE t{table} (id INT PRIMARY KEY, money INT, KEY (money));\n"
        ));
        let rows: Vec<String> = (0..ACCOUNTS).map(|id| format!("({id},100)")).collect();
        script.push_str(&format!("INSERT INTO t{table} VALUES {};\n", rows.join(",")));
    }
    script.push_str(&mover());
    pair.source.sql(&script).unwrap();
    let copies = std::env::var("DBFERRY_COPIES").map_or(COPIES, |count| count.parse().unwrap());
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..2).map(|_| scope.spawn(|| write(&pair.source, &ended))).collect();
        let mut totals = Vec::new();
        for _ in 0..copies {
            let ran = pair.copy("bank", &["--replace", "--threads", "3", "--chunk-bytes", "20000"]);
            totals.push((ran.exit, ran.stderr, pair.target.sql(&total()).unwrap()));
        }
        ended.store(true, Ordering::Relaxed);
        let moves: u64 = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        for (exit, stderr, total) in totals {
            assert_eq!(exit, Some(0), "{stderr}");
            assert_eq!(total.trim(), (TABLES * ACCOUNTS * 100).to_string());
        }
        assert!(moves > copies * 10, "only {moves} rounds of moves: nothing was moved meanwhile");
    });
}

/// A procedure that moves money fifty times, each time in a transaction over two tables.
fn mover() -> String {
    let mut body = String::new();
    for n in 0..50 {
        let (from, to) = (n % TABLES, (n + 1 + n / TABLES) % TABLES);
        let account = |salt: u64| format!("FLOOR(RAND() * {ACCOUNTS} + 0 * {salt})");
        body.push_str(&format!(
            "SET @a = {}; SET @b = {}; START TRANSACTION; UPDATE t{from} SET money = money - 7 WHERE \
             id = @a; UPDATE t{to} SET money = money + 7 WHERE id = @b; COMMIT; ",
            account(n),
            account(n + 1)
        ));
    }
    format!("DELIMITER //\nCREATE PROCEDURE move_money() BEGIN {body} END//\nDELIMITER ;\n")
}

/// Rounds of moves until the end. Two writers may meet in a deadlock: then the round is over.
fn write(server: &Server, ended: &AtomicBool) -> u64 {
    let mut rounds = 0;
    while !ended.load(Ordering::Relaxed) {
        rounds += u64::from(server.sql("CALL bank.move_money()").is_ok());
    }
    rounds
}

fn total() -> String {
    let sums: Vec<String> =
        (0..TABLES).map(|n| format!("(SELECT SUM(money) FROM bank.t{n})")).collect();
    format!("SELECT {}", sums.join(" + "))
}
