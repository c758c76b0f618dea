//! Tables cut along keys of every kind: every row is in exactly one part.

use std::fmt::Write;

use sandbox::{Flavor, state};

use super::{Pair, comparable};
use crate::prefix::Random;

/// Rows of each table.
const ROWS: u64 = 300;

/// A key's columns, and the literals of its values.
type Values = fn(&mut Random) -> String;

/// Definitions of keys, and values for them: order, gaps, signs, collations that fold, values that
/// look alike.
const KEYS: [(&str, &str, Values); 14] = [
    ("a BIGINT", "a", |r| (wide(r) as i64).to_string()),
    ("a BIGINT UNSIGNED", "a", |r| wide(r).to_string()),
    ("a TINYINT, b INT UNSIGNED", "a,b", |r| format!("{},{}", r.below(9) as i64 - 4, r.below(70))),
    ("a DECIMAL(30,10)", "a", |r| format!("{}.{}", wide(r) >> 20, r.below(1 << 30))),
    ("a VARCHAR(20) COLLATE utf8mb4_unicode_ci, b INT", "a,b", |r| {
        format!("'{}',{}", word(r), r.below(1000))
    }),
    ("a VARCHAR(20) COLLATE utf8mb4_bin", "a", |r| format!("'{}{}'", word(r), r.below(1000))),
    ("a CHAR(20) CHARACTER SET latin1 COLLATE latin1_german2_ci, b INT", "a,b", |r| {
        format!("'{}',{}", word(r), r.below(1000))
    }),
    ("a VARCHAR(20) CHARACTER SET ucs2, b INT", "a,b", |r| {
        format!("'{}',{}", word(r), r.below(1000))
    }),
    ("a ENUM('z','a','','m','0') , b INT", "a,b", |r| {
        format!("{},{}", 1 + r.below(5), r.below(1000))
    }),
    ("a SET('z','a','m','0'), b INT", "a,b", |r| format!("{},{}", r.below(16), r.below(1000))),
    ("a VARBINARY(20)", "a", |r| format!("X'{:016X}'", wide(r))),
    ("a BINARY(16)", "a", |r| format!("X'{:016X}00{:04X}'", wide(r), r.below(1 << 15))),
    ("a DATETIME(3), b BIT(12)", "a,b", |r| {
        format!(
            "'{}-0{}-00 01:02:03.{}',{}",
            1000 + r.below(50),
            r.below(9),
            r.below(999),
            r.below(4000)
        )
    }),
    ("a DATE, b TIME(2), c YEAR", "a,b,c", |r| {
        format!(
            "'20{}-01-01','-{}:0:0.{}',{}",
            10 + r.below(9),
            r.below(800),
            r.below(99),
            1990 + r.below(9)
        )
    }),
];

/// Any number of 64 bits.
fn wide(random: &mut Random) -> u64 {
    (0..4).fold(0, |number, _| number << 16 | random.below(1 << 16))
}

/// Letters that fold in some collations, and trailing blanks.
fn word(random: &mut Random) -> String {
    const PARTS: [&str; 10] = ["a", "A", "ä", "ae", "ß", "ss", "z", "_", "%", "''"];
    (0..=random.below(3)).map(|_| PARTS[random.below(10) as usize]).collect()
}

#[test]
fn parts_hold_every_row_once_on_mariadb() {
    check_parts(Flavor::MariaDb);
}

#[test]
fn parts_hold_every_row_once_on_mysql() {
    check_parts(Flavor::MySql);
}

fn check_parts(flavor: Flavor) {
    let pair = Pair::start(flavor);
    let mut script = String::from(
        "SET NAMES utf8mb4; SET sql_mode = ''; CREATE DATABASE k CHARACTER SET utf8mb4; USE k;\n",
    );
    let mut random = Random::new(7);
    for (index, (columns, key, values)) in KEYS.iter().enumerate() {
        // Every second one has no primary key but another that will do.
        let kind = if index % 2 == 0 { "PRIMARY KEY" } else { "UNIQUE KEY u" };
        let columns: Vec<String> = columns
            .replace("0,10)", "0;10)")
            .split(", ")
            .map(|column| format!("{} NOT NULL", column.replace("0;10)", "0,10)")))
            .collect();
        writeln!(script, "CREATE TABLE t{index} ({}, v INT, {kind} ({key}));", columns.join(", "))
            .unwrap();
        for row in 0..ROWS {
            writeln!(script, "INSERT IGNORE INTO t{index} VALUES ({},{row});", values(&mut random))
                .unwrap();
        }
        writeln!(script, "ANALYZE TABLE t{index};").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.sql");
    std::fs::write(&file, script).unwrap();
    let outcome = pair.source.import_stock(None, &file).unwrap();
    assert_eq!(outcome.exit, 0, "{}", outcome.message);
    for (chunk_bytes, verify) in [("1", "checksum"), ("700", "rows"), ("5000", "checksum")] {
        let cut = ["--replace", "--chunk-bytes", chunk_bytes, "--verify", verify, "--json"];
        let ended = pair.copy("k", &cut);
        ended.check(0, &[]);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        for index in 0..KEYS.len() {
            let table = &report["report"]["tables"][format!("k.t{index}")];
            let parts = table["chunks"].as_u64().unwrap();
            assert!(parts > 1, "t{index} was not cut at {chunk_bytes}: {table}");
        }
        let (wanted, found) = (comparable(&pair.source), comparable(&pair.target));
        assert!(wanted == found, "{chunk_bytes}:\n{}", state::diff(&wanted, &found));
    }
}
