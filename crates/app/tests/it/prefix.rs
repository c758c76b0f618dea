//! The prefix rule over random files: whatever a file holds and wherever it fails, the target is as
//! the stock client leaves it, however many lanes took part.
//!
//! Files are random but repeatable: a failing test names the seed. `DBFERRY_RANDOM_FILES` sets how
//! many are tried.

use std::fmt::Write;
use std::path::Path;

use sandbox::{Flavor, Server};

use crate::sameness;

/// Files in an ordinary test run, for each server.
const FILES: u64 = 8;

#[test]
fn random_files_leave_mariadb_as_the_stock_client_does() {
    check_random_files(Flavor::MariaDb);
}

#[test]
fn random_files_leave_mysql_as_the_stock_client_does() {
    check_random_files(Flavor::MySql);
}

fn check_random_files(flavor: Flavor) {
    let asked = std::env::var("DBFERRY_RANDOM_FILES").ok();
    let files = asked.map_or(FILES, |count| count.parse().unwrap());
    let server = Server::start_with(flavor, &sameness::options()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (mut failures, mut waited) = (String::new(), 0);
    for seed in 1..=files {
        let file = folder.path().join(format!("seed-{seed}.sql"));
        std::fs::write(&file, random_file(seed)).unwrap();
        if let Some(difference) = check(&server, &file, seed, &mut waited) {
            writeln!(failures, "seed {seed}: {difference}").unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
    assert!(waited > 0, "no indexes were built after their rows");
}

/// How dbferry differs from the stock client, if it does; counts indexes built after their rows.
fn check(server: &Server, file: &Path, seed: u64, waited: &mut usize) -> Option<String> {
    let oracle = sameness::oracle(server, file);
    let threads = ["1", "2", "4", "8"][seed as usize % 4];
    let mut mode = vec!["--threads", threads, "--batch-bytes", "600"];
    if seed.is_multiple_of(3) {
        mode.push("--no-load-data");
    }
    let imported = sameness::imported(server, file, &mode);
    let tables = imported.report["tables"].as_object();
    let lists = tables.into_iter().flat_map(|tables| tables.values());
    *waited += lists.filter_map(|table| table["deferred_indexes"].as_array()).flatten().count();
    let difference = sameness::difference(&oracle, &imported)?;
    Some(format!("{threads} threads: {difference}\n{}", imported.stderr))
}

/// A small generator of our own, so that a seed means the same file for ever (xorshift64*).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) % bound
    }

    fn one_in(&mut self, bound: u64) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }
}

struct Table {
    auto_increment: bool,
    next_id: u64,
    extra_columns: u64,
    extra_keys: u64,
}

fn random_file(seed: u64) -> String {
    let mut random = Random::new(seed);
    let mut text = String::from("SET NAMES utf8mb4;\n");
    if random.one_in(2) {
        text.push_str("SET foreign_key_checks = 0, unique_checks = 0;\n");
    }
    if random.one_in(2) {
        text.push_str("SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,STRICT_TRANS_TABLES';\n");
    }
    let count = 2 + random.below(3);
    let mut tables: Vec<Table> =
        (0..count).map(|number| create(&mut random, &mut text, number)).collect();
    let steps = 20 + random.below(40);
    let fails_at = random.below(steps * 2);
    for step in 0..steps {
        if step == fails_at {
            failing(&mut random, &mut text, &tables);
        }
        let number = random.below(count);
        self::step(&mut random, &mut text, number, &mut tables[number as usize]);
    }
    text
}

fn create(random: &mut Random, text: &mut String, number: u64) -> Table {
    let auto_increment = random.one_in(2);
    let id = if auto_increment { "INT NOT NULL AUTO_INCREMENT" } else { "INT NOT NULL" };
    let engine = random.pick(&["InnoDB", "InnoDB", "InnoDB", "MyISAM"]);
    let unique = if random.one_in(3) { ", UNIQUE KEY (tag)" } else { ", KEY (tag)" };
    let keys = random.pick(&["", ", KEY by_n (n)", ", KEY by_both (tag(5), n), KEY by_n (n, id)"]);
    let start = if auto_increment && random.one_in(3) { " AUTO_INCREMENT=500" } else { "" };
    writeln!(
        text,
        "CREATE TABLE t{number} (id {id}, tag VARCHAR(20), n INT DEFAULT 7, PRIMARY KEY (id)\
         {unique}{keys}) ENGINE={engine}{start};"
    )
    .unwrap();
    if random.one_in(5) {
        writeln!(text, "CREATE TABLE log{number} (id INT, at_step INT);").unwrap();
        writeln!(
            text,
            "DELIMITER //\nCREATE TRIGGER tr{number} AFTER INSERT ON t{number} FOR EACH ROW\nBEGIN \
             INSERT INTO log{number} VALUES (NEW.id, NEW.n); END//\nDELIMITER ;"
        )
        .unwrap();
    }
    Table { auto_increment, next_id: 1, extra_columns: 0, extra_keys: 0 }
}

fn step(random: &mut Random, text: &mut String, number: u64, table: &mut Table) {
    match random.below(30) {
        0 => writeln!(text, "UPDATE t{number} SET n = n + 1 WHERE id % 3 = 0;"),
        1 => writeln!(text, "DELETE FROM t{number} WHERE id % 7 = 0;"),
        2 => {
            table.extra_columns += 1;
            let column = table.extra_columns;
            writeln!(text, "ALTER TABLE t{number} ADD COLUMN c{column} INT DEFAULT {column};")
        }
        3 => {
            let end = random.pick(&["COMMIT", "ROLLBACK"]);
            text.push_str("START TRANSACTION;\n");
            insert(random, text, number, table);
            insert(random, text, number, table);
            writeln!(text, "{end};")
        }
        4 => {
            writeln!(text, "LOCK TABLES t{number} WRITE;").unwrap();
            insert(random, text, number, table);
            insert(random, text, number, table);
            writeln!(text, "UNLOCK TABLES;")
        }
        5 => {
            let id = 1 + random.below(table.next_id + 3);
            let verb = random.pick(&["REPLACE INTO", "INSERT IGNORE INTO"]);
            writeln!(text, "{verb} t{number} (id, tag) VALUES ({id},'again{id}');")
        }
        6 => writeln!(
            text,
            "INSERT INTO t{number} (id, tag) VALUES ({},'odku') ON DUPLICATE KEY UPDATE n = n + 10;",
            1 + random.below(table.next_id + 3)
        ),
        7 => writeln!(text, "SET @count = (SELECT COUNT(*) FROM t{number});"),
        8 if table.auto_increment => {
            writeln!(text, "INSERT INTO t{number} (tag) VALUES ('generated'),(NULL);")
        }
        10 => {
            table.extra_keys += 1;
            let key = table.extra_keys;
            writeln!(text, "ALTER TABLE t{number} ADD KEY k{key} (n, tag);")
        }
        9 => {
            text.push_str("SET autocommit = 0;\n");
            insert(random, text, number, table);
            let end = random.pick(&["COMMIT", "ROLLBACK"]);
            writeln!(text, "{end};\nSET autocommit = 1;")
        }
        _ => {
            for _ in 0..=random.below(4) {
                insert(random, text, number, table);
            }
            Ok(())
        }
    }
    .unwrap();
}

/// A literal INSERT of a few dozen rows; now and then its ids run backwards or leave a gap.
fn insert(random: &mut Random, text: &mut String, number: u64, table: &mut Table) {
    let rows = 5 + random.below(25);
    if random.one_in(6) {
        table.next_id += random.below(100);
    }
    let mut ids: Vec<u64> = (table.next_id..table.next_id + rows).collect();
    table.next_id += rows;
    if random.one_in(6) {
        ids.reverse();
    }
    let values: Vec<String> = ids
        .iter()
        .map(|id| match random.below(12) {
            0 => format!("({id},NULL,0)"),
            1 => format!("({id},'it''s {id}',-{id})"),
            2 => format!("({id},'tab\\t{id}',DEFAULT)"),
            _ => format!("({id},'tag {id}',{})", random.below(1000)),
        })
        .collect();
    writeln!(text, "INSERT INTO t{number} (id, tag, n) VALUES {};", values.join(",")).unwrap();
}

/// A statement that fails, or may.
fn failing(random: &mut Random, text: &mut String, tables: &[Table]) {
    let number = random.below(tables.len() as u64);
    let table = &tables[number as usize];
    let taken = 1 + random.below(table.next_id);
    match random.below(6) {
        0 => writeln!(
            text,
            "INSERT INTO t{number} (id, tag, n) VALUES (1000001,'a',1),({taken},'b',2);"
        ),
        1 => writeln!(text, "INSERT INTO no_such_table VALUES (1);"),
        2 => writeln!(
            text,
            "INSERT INTO t{number} (id, tag, n) VALUES (1000002,'{}',1);",
            "x".repeat(30)
        ),
        3 => writeln!(text, "THIS IS NO SQL;"),
        4 => writeln!(text, "INSERT INTO t{number} (id, tag, n) VALUES (1000003,'n',3000000000);"),
        _ => writeln!(text, "INSERT INTO t{number} (id, nothing) VALUES (1,2),(3,4);"),
    }
    .unwrap();
}
