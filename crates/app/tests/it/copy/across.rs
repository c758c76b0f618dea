//! Copies between MySQL and MariaDB: what can be carried arrives as it was, and the rest is named before
//! anything is written.

use std::path::{Path, PathBuf};

use sandbox::{Flavor, Server, state};

use super::{Pair, documented};
use crate::sameness;

#[test]
fn what_can_be_carried_arrives_on_mariadb() {
    check_carried(
        Flavor::MySql,
        Flavor::MariaDb,
        &["utf8mb4_0900_ai_ci=utf8mb4_uca1400_nopad_ai_ci"],
    );
}

#[test]
fn what_can_be_carried_arrives_on_mysql() {
    check_carried(Flavor::MariaDb, Flavor::MySql, &["utf8mb4_uca1400_ai_ci=utf8mb4_0900_ai_ci"]);
}

/// Every table has the same rows on both sides, as the stock clients read them; programs give the same.
fn check_carried(from: Flavor, to: Flavor, mappings: &[&str]) {
    let pair = pair(from, to);
    load(&pair.source, "mariadb_carried", "mysql_carried");
    let mapped: Vec<&str> = mappings.iter().flat_map(|one| ["--map-collation", one]).collect();
    for cut in [&[][..], &["--chunk-bytes", "1", "--replace"], &["--no-load-data", "--replace"]] {
        let ended = pair.copy("shop,stock:store", &[&mapped, cut, &["--json"]].concat());
        ended.check(0, &["compared by checksum"]);
        assert_eq!(documented(&ended.stdout)["report"]["published"], true);
    }
    for table in pair.source.sql(&tables("shop")).unwrap().lines() {
        let (there, here) = (contents(&pair.source, table), contents(&pair.target, table));
        assert_eq!(there, here, "{table}");
        assert!(there.lines().count() > 0, "{table} has no rows to compare");
    }
    assert_eq!(shape(&pair.source), shape(&pair.target));
    for probe in PROBES {
        let told = pair.source.sql(probe).unwrap();
        assert_eq!(told, pair.target.sql(probe).unwrap(), "{probe}");
    }
    pair.copy("shop,stock:store", &[&mapped[..], &["--verify-only"]].concat())
        .check(0, &["the same"]);
    assert_eq!(pair.leftovers(), [""; 0]);
}

/// What programs, keys and checks do.
const PROBES: [&str; 8] = [
    "INSERT INTO shop.numbered (v) VALUES (9); SELECT MAX(id) FROM shop.numbered",
    "SELECT * FROM shop.dear ORDER BY id",
    "SELECT shop.twice(21)",
    "CALL shop.cut('2020-01-01 00:00:00.7')",
    "SELECT id, doubled, label FROM shop.computed ORDER BY id",
    "SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'",
    "SELECT COUNT(*), MIN(STATUS) FROM information_schema.EVENTS WHERE EVENT_SCHEMA = 'shop'",
    "INSERT INTO shop.defaults (id) VALUES (100); SELECT id, n, t, e, x FROM shop.defaults WHERE id = 100",
];

/// The rows of a table as text that depends on no server: bytes in hexadecimal digits, fractions as
/// those of a point, since servers write them otherwise.
fn contents(server: &Server, table: &str) -> String {
    let columns = server.sql(&format!(
        "SELECT CONCAT('HEX(', IF(DATA_TYPE IN ('json') OR COLUMN_TYPE LIKE 'longtext', \
         CONCAT('CONVERT(`', COLUMN_NAME, '` USING utf8mb4)'), IF(DATA_TYPE IN ('float','double'), \
         CONCAT('POINT(`', COLUMN_NAME, '`, 0)'), IF(DATA_TYPE IN ('int','bigint', \
         'smallint','tinyint','mediumint','decimal','year','bit'), CONCAT('CAST(`', COLUMN_NAME, \
         '` + 0 AS CHAR)'), CONCAT('`', COLUMN_NAME, '`')))), ')') FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME = '{table}' ORDER BY ORDINAL_POSITION"
    ));
    let columns = columns.unwrap().lines().collect::<Vec<_>>().join(", ");
    let rows = format!("SET time_zone = '+00:00'; SELECT {columns} FROM shop.`{table}`");
    let rows = server.sql(&rows).unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows.sort_unstable();
    rows.join("\n")
}

fn tables(schema: &str) -> String {
    format!(
        "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '{schema}' AND \
         TABLE_TYPE = 'BASE TABLE' ORDER BY 1"
    )
}

/// Columns, keys, foreign keys and checks, as far as both kinds tell them alike.
fn shape(server: &Server) -> String {
    let queries = [
        "SELECT TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION, IS_NULLABLE, REPLACE(REPLACE(DATA_TYPE, \
         'json', 'longtext'), 'geomcollection', 'geometrycollection'), COLUMN_COMMENT, EXTRA LIKE \
         '%INVISIBLE%', EXTRA LIKE '%auto_increment%', EXTRA LIKE '%GENERATED%' AND EXTRA NOT LIKE \
         'DEFAULT%', COLUMN_DEFAULT IS NULL OR COLUMN_DEFAULT = 'NULL' FROM information_schema.COLUMNS \
         WHERE TABLE_SCHEMA = 'shop' AND TABLE_NAME <> 'dear' ORDER BY 1, 3",
        "SELECT TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX, COLUMN_NAME, NON_UNIQUE, SUB_PART, COLLATION, \
         INDEX_TYPE FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'shop' ORDER BY 1, 2, 3",
        "SELECT TABLE_NAME, CONSTRAINT_NAME, REFERENCED_TABLE_NAME, DELETE_RULE, IF(\
         UNIQUE_CONSTRAINT_SCHEMA = 'store', 'stock', UNIQUE_CONSTRAINT_SCHEMA) FROM \
         information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = 'shop' ORDER BY 1, 2",
        "SELECT COUNT(*) FROM information_schema.PARTITIONS WHERE TABLE_SCHEMA = 'shop' AND \
         PARTITION_NAME IS NOT NULL",
    ];
    queries.map(|query| server.sql(query).unwrap()).join("\n")
}

#[test]
fn what_mariadb_cannot_be_given_is_named_at_once() {
    check_findings(Flavor::MySql, Flavor::MariaDb);
}

#[test]
fn what_mysql_cannot_be_given_is_named_at_once() {
    check_findings(Flavor::MariaDb, Flavor::MySql);
}

/// The list is complete, and nothing was written.
fn check_findings(from: Flavor, to: Flavor) {
    let pair = pair(from, to);
    load(&pair.source, "mariadb_refused", "mysql_refused");
    let before = state::canonical(&pair.target).unwrap();
    let golden = case(from, "mariadb_refused", "mysql_refused").with_extension("findings");
    for run in [&["--json"][..], &["--json", "--dry-run"]] {
        let ended = pair.copy("lost", run);
        ended.check(1, &["the target cannot be given everything"]);
        let document = documented(&ended.stdout);
        let findings = document["report"]["findings"].as_array().unwrap().iter();
        let lines = findings.map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            format!("{}\n  {}\n  -> {}\n", text("object"), text("what"), text("proposal"))
        });
        let found: String = lines.collect();
        if std::env::var_os("DBFERRY_ACCEPT").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        assert_eq!(found, std::fs::read_to_string(&golden).unwrap());
    }
    assert_eq!(state::canonical(&pair.target).unwrap(), before);
    // What only the target itself can tell is told when it was asked, and all of it.
    let ended = pair.copy("odd", &["--json", "--map-collation", "utf8mb4_0900_ai_ci=utf8mb4_bin"]);
    assert_eq!(ended.exit, Some(1), "{}", ended.stderr);
    let document = documented(&ended.stdout);
    let findings = document["report"]["findings"].as_array().unwrap().iter();
    let objects: Vec<&str> = findings.map(|one| one["object"].as_str().unwrap()).collect();
    assert_eq!(objects, ["odd.one", "odd.two", "view odd.three"]);
    assert_eq!(state::canonical(&pair.target).unwrap(), before);
}

#[test]
fn a_mapping_that_makes_no_sense_is_refused() {
    let pair = pair(Flavor::MySql, Flavor::MariaDb);
    let make = "CREATE DATABASE a; CREATE TABLE a.t (v VARCHAR(9) COLLATE utf8mb4_0900_ai_ci)";
    pair.source.sql(make).unwrap();
    let copy = |mapping: &str| pair.copy("a", &["--map-collation", mapping]);
    copy("utf8mb4_0900_ai_ci=latin1_bin").check(1, &["of another character set"]);
    copy("utf8mb4_0900_ai_ci=utf8mb4_nosuch").check(1, &["no collation utf8mb4_nosuch"]);
    copy("utf8mb4_0900_ai_ci").check(2, &["COLLATION=COLLATION"]);
    copy("utf8mb4_0900_ai_ci=utf8mb4_bin").check(0, &["collation utf8mb4_bin instead of"]);
}

fn pair(from: Flavor, to: Flavor) -> Pair {
    let start = |flavor| Server::start_with(flavor, &sameness::options()).unwrap();
    Pair { source: start(from), target: start(to) }
}

fn load(server: &Server, mariadb: &str, mysql: &str) {
    let file = case(server.flavor(), mariadb, mysql).with_extension("sql");
    let outcome = server.import_stock(None, &file).unwrap();
    assert_eq!(outcome.exit, 0, "{}: {}", file.display(), outcome.message);
}

/// A file's path without its ending.
fn case(flavor: Flavor, mariadb: &str, mysql: &str) -> PathBuf {
    let name = match flavor {
        Flavor::MariaDb => mariadb,
        Flavor::MySql => mysql,
    };
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/copy/across").join(name)
}
