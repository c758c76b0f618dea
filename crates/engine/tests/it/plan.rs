//! Plans of small dumps, as golden text. No server: its facts are given.

use std::collections::BTreeMap;
use std::fmt::Write;

use dump::index::{self, DumpIndex};
use dump::reader::Limits;
use dump::rules::Client;
use engine::import::batch::BATCH_BYTES;
use engine::import::existing::{Database, Existing};
use engine::import::guard::{Definer, Guard, Policy};
use engine::import::plan::{About, Plan, Way, plan};
use engine::import::{Options, WHOLE_MAX};
use engine::mysql::facts::{Flavor, Grants, ServerFacts};

fn facts(flavor: Flavor) -> ServerFacts {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
    let (version, version_text, collations, engines) = match flavor {
        Flavor::MariaDb => (
            (10, 11, 6),
            "10.11.6-MariaDB",
            names(&["utf8mb4_general_ci", "utf8mb3_general_ci", "uca1400_ai_ci", "binary"]),
            names(&["innodb", "myisam", "aria"]),
        ),
        Flavor::MySql => (
            (9, 7, 0),
            "9.7.0",
            names(&["utf8mb4_general_ci", "utf8mb3_general_ci", "utf8mb4_0900_ai_ci", "binary"]),
            names(&["innodb", "myisam"]),
        ),
    };
    ServerFacts {
        flavor,
        version,
        version_text: version_text.to_owned(),
        max_allowed_packet: 64 << 20,
        sql_mode: "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION".to_owned(),
        lower_case_table_names: 0,
        default_charset: "utf8mb4".to_owned(),
        default_collation: "utf8mb4_general_ci".to_owned(),
        default_engine: "InnoDB".to_owned(),
        has_binlog: false,
        local_infile: false,
        read_only: false,
        innodb_page_size: None,
        lock_wait_timeout_secs: None,
        time_zone: "SYSTEM".to_owned(),
        datadir: None,
        datadir_free_bytes: None,
        grants: Grants::parse(&["GRANT ALL PRIVILEGES ON *.* TO `root`@`%`".to_owned()]),
        collations,
        engines,
    }
}

fn existing() -> Existing {
    Existing {
        databases: BTreeMap::from([("shop".to_owned(), Database::default())]),
        account: Some(("root".to_owned(), "%".to_owned())),
        ..Existing::default()
    }
}

fn options() -> Options {
    let guard = Guard { policy: Policy::Allow, allow_files: false, definer: Definer::Keep };
    Options {
        lanes: 4,
        batch_bytes: BATCH_BYTES,
        whole_bytes: WHOLE_MAX,
        guard,
        load_data: true,
        defer_indexes: true,
        binary_mode: false,
        resume: engine::import::resume::Resume::Never,
        job: None,
    }
}

fn indexed(text: &[u8], flavor: Flavor) -> DumpIndex {
    let server = match flavor {
        Flavor::MariaDb => Client::MariaDb,
        Flavor::MySql => Client::MySql,
    };
    let options =
        index::Options { server: Some(server), binary_mode: false, limits: Limits::DEFAULT };
    index::read(text, options)
}

fn planned(text: &[u8], flavor: Flavor, options: &Options) -> Plan {
    let about = About {
        file: "dump.sql".to_owned(),
        size: Some(text.len() as u64),
        compression: "plain".to_owned(),
        url: "mysql://root@127.0.0.1/shop".to_owned(),
        database: Some("shop".to_owned()),
    };
    plan(about, &indexed(text, flavor), &facts(flavor), &existing(), options)
}

/// What matters of a plan, in a few lines.
fn summary(plan: &Plan) -> String {
    let mut text = format!("{} {}\n{:?}\n", plan.target.server, plan.file.complete, plan.steps);
    for table in &plan.tables {
        let reason = table.reason.unwrap_or("-");
        writeln!(text, "{} {} rows {:?}: {reason}", table.name, table.rows, table.way).unwrap();
    }
    for finding in &plan.findings {
        let line = finding.line.unwrap_or(0);
        let object = finding.object.as_deref().unwrap_or("-");
        writeln!(text, "{:?} {} line {line} {object}", finding.severity, finding.code).unwrap();
    }
    text
}

#[test]
fn plans_of_the_dumps_of_many_tools() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../dump/test_data/dumps");
    for name in [
        "adminer",
        "by-hand",
        "mariadb-dump1011",
        "mydumper-schema",
        "mysqldump57",
        "mysqldump90",
        "phpmyadmin",
    ] {
        let text = std::fs::read(format!("{folder}/{name}.sql")).unwrap();
        let both = [Flavor::MariaDb, Flavor::MySql]
            .map(|flavor| summary(&planned(&text, flavor, &options())));
        insta::assert_snapshot!(name, both.join("\n"));
    }
}

/// The way of the rows of table `t`, with batches of 100 bytes.
#[track_caller]
fn check(before: &str, insert: &str, expected: Option<&str>) {
    let rows = format!("{insert}\n").repeat(20);
    let definition = "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, a INT) ENGINE=InnoDB;";
    let definition = if before.contains("CREATE TABLE t ") { "" } else { definition };
    let text = format!("{definition}\n{before}\n{rows}");
    let options = Options { batch_bytes: 100, whole_bytes: 1000, ..options() };
    let plan = planned(text.as_bytes(), Flavor::MariaDb, &options);
    let table = plan.tables.iter().find(|table| table.name == "shop.t").unwrap();
    assert_eq!(table.reason, expected, "{before} {insert}");
    assert_eq!(table.way == Way::Lanes, expected.is_none(), "{before}");
}

#[test]
fn the_way_of_rows_is_foreseen() {
    let insert = "INSERT INTO t VALUES (1, 2);";
    check("", insert, None);
    check("", "INSERT INTO t (a) VALUES (2);", Some("the server numbers its rows"));
    check("", "INSERT INTO t (a, ID) VALUES (2, 1);", None);
    let order = Some("its INSERTs depend on their order or are computed");
    check("", "REPLACE INTO t VALUES (1, 2);", order);
    check("", "INSERT IGNORE INTO t VALUES (1, 2);", order);
    check("", "INSERT INTO t SELECT 1, 2;", order);
    check("START TRANSACTION;", insert, Some("the file's transaction is open"));
    check("START TRANSACTION; COMMIT;", insert, None);
    check("SET autocommit = 0;", insert, Some("the file's transaction is open"));
    let engine = Some("its engine has no transactions");
    check("CREATE TABLE t (id INT) ENGINE=MyISAM;", insert, engine);
    check("CREATE TABLE t (id INT) ENGINE=FOO;", insert, None);
    check("CREATE TABLE t (id INT);", insert, None);
    let trigger = "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1;";
    check(trigger, insert, Some("it has triggers"));
    let keys = "CREATE TABLE t (id INT, FOREIGN KEY (id) REFERENCES p (id));";
    check(keys, insert, Some("it has foreign keys that are checked"));
    check(&format!("{keys} SET foreign_key_checks = 0;"), insert, None);
    let versioned = "CREATE TABLE t (id INT) WITH SYSTEM VERSIONING;";
    check(versioned, insert, Some("it is system-versioned"));
    let temporary = Some("it is a temporary table");
    check("CREATE TEMPORARY TABLE t (id INT); -- CREATE TABLE t ", insert, temporary);
    check("CALL p();", insert, Some("the file calls routines or prepared statements"));
    let fixing = Some("the file administers the server or fixes generated values");
    check("SET timestamp = 1;", insert, fixing);
    let long = format!("INSERT INTO t VALUES {}(9, 9);", "(1, 2), ".repeat(200));
    check("", &long, Some("its INSERTs are sent in pieces"));
    let few = Some("its INSERTs do not follow one another, or are too few");
    check("", &format!("{insert} SELECT 1;"), few);
    let alter = "ALTER TABLE t ADD FOREIGN KEY (a) REFERENCES p (id);";
    let checked = Some("it has foreign keys that are checked");
    check(alter, insert, checked);
    check(&format!("{alter} CREATE INDEX i ON t (a);"), insert, checked);
    check(&format!("SET foreign_key_checks = 0; {alter}"), insert, None);
    check("DROP TABLE t; -- CREATE TABLE t ", insert, Some("it was not found in the catalogue"));
}

#[test]
fn serial_keeps_everything_in_order() {
    let text = b"CREATE TABLE t (id INT); INSERT INTO t VALUES (1);";
    let options = Options { lanes: 0, ..options() };
    let plan = planned(text, Flavor::MySql, &options);
    assert_eq!(plan.tables[0].reason, Some("--serial"));
    assert!(plan.is_feasible(), "{:?}", plan.findings);
}
