//! Dumps as their tools write them, and broken ones: what the index says of each.

use std::fmt::Write as _;

use dump::index::{self, Complete, DumpIndex, Options};
use dump::reader::Limits;
use dump::rules::Client;

const OPTIONS: Options = Options { server: None, binary_mode: false, limits: Limits::DEFAULT };

fn read(text: impl AsRef<[u8]>) -> DumpIndex {
    index::read(text.as_ref(), OPTIONS)
}

fn fixture(name: &str) -> String {
    let path = format!("{}/test_data/dumps/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// What matters of an index, in a few lines.
fn summary(index: &DumpIndex) -> String {
    let mut text = String::new();
    let origin = &index.origin;
    let facts = [
        Some(origin.generator.name().to_owned()),
        origin.generator_version.clone(),
        origin.server_version.clone(),
        origin.host.clone(),
        origin.database.clone(),
        origin.dumped_at.clone(),
    ];
    let facts: Vec<String> = facts.into_iter().flatten().collect();
    writeln!(text, "{}", facts.join(" | ")).unwrap();
    writeln!(text, "{}: {}", index.complete.name(), index.complete_reason).unwrap();
    writeln!(
        text,
        "{} statements, {} lines, {}, as {}",
        index.statements, index.lines, index.encoding, index.client
    )
    .unwrap();
    for table in &index.tables {
        writeln!(
            text,
            "{}.{} {:?} line {}: {} rows{} in {}, columns {:?}",
            table.schema.as_deref().unwrap_or("-"),
            table.name,
            table.engine.as_deref().unwrap_or("-"),
            table.defined_line.unwrap_or(0),
            table.rows,
            if table.rows_exact { "" } else { " or more" },
            table.statements,
            table.column_lists,
        )
        .unwrap();
    }
    for (kind, list) in [
        ("view", &index.views),
        ("routine", &index.routines),
        ("trigger", &index.triggers),
        ("event", &index.events),
        ("sequence", &index.sequences),
        ("account", &index.accounts),
    ] {
        for object in list {
            writeln!(text, "{kind} {} line {}", object.name, object.line).unwrap();
        }
    }
    hazards(&mut text, index);
    text
}

fn hazards(text: &mut String, index: &DumpIndex) {
    for hazard in &index.hazards {
        let lines: Vec<String> = hazard.lines.iter().map(u64::to_string).collect();
        let severity = hazard.severity.name();
        let (code, count) = (hazard.code, hazard.count);
        let examples = hazard.examples.join(" · ");
        writeln!(text, "{severity} {code} {count}x line {}: {examples}", lines.join(",")).unwrap();
    }
}

fn codes(index: &DumpIndex) -> Vec<&'static str> {
    index.hazards.iter().map(|hazard| hazard.code).collect()
}

#[test]
fn mysqldump_57() {
    insta::assert_snapshot!(summary(&read(fixture("mysqldump57.sql"))), @r#"
    mysqldump | 5.7.44 | 5.7.44-log | db.example.com | shop | 2023-11-05 12:30:01
    complete: it ends with mysqldump's '-- Dump completed'
    40 statements, 93 lines, utf8, as mysql
    -.customer "InnoDB" line 31: 3 rows in 1, columns Some(Never)
    -.log "MyISAM" line 54: 0 rows in 0, columns None
    view names line 80
    trigger customer_ai line 60
    warning replication_statement 1x line 22: CHANGE MASTER
    warning removed_sql_mode 1x line 58: NO_AUTO_CREATE_USER
    warning definer 2x line 60,80: `app`@`10.0.0.%`
    info no_database 4x line 31,54,60,80: customer · log · names · customer_ai
    info not_transactional 1x line 54: log (MyISAM)
    "#);
}

#[test]
fn mysqldump_90() {
    let index = read(fixture("mysqldump90.sql"));
    insta::assert_snapshot!(summary(&index), @r#"
    mysqldump | 9.0.1 | 9.0.1 | 127.0.0.1 | geo | 2024-12-10 17:33:52
    complete: it ends with mysqldump's '-- Dump completed'
    21 statements, 51 lines, ascii, as mysql
    geo.place "InnoDB" line 30: 2 rows in 1, columns Some(Always)
    event tidy line 43
    account `reader`@`%` line 45
    warning sql_log_bin 1x line 14: sql_log_bin
    warning gtid 1x line 20: gtid_purged
    warning mysql_only_collation 2x line 26,30: utf8mb4_0900_ai_ci
    warning mysql_only_feature 2x line 30: functional index · JSON operator ->
    warning definer 1x line 43: `root`@`localhost`
    warning account_statement 1x line 45: CREATE USER
    info skipped_by_mariadb 4x line 26,30: /*!80016 DEFAULT ENCRYPTION='N' */ · /*!80023 INVISIBLE */ · /*!80003 SRID 4326 */ · /*!80000 INVISIBLE */
    info event 1x line 43: tidy
    "#);
    assert!(!format!("{index:?}").contains("open sesame"), "a password got out");
}

#[test]
fn mariadb_dump_1011() {
    insta::assert_snapshot!(summary(&read(fixture("mariadb-dump1011.sql"))), @r#"
    mariadb-dump | 10.11.14-MariaDB | 10.11.14-MariaDB-0+deb12u2 | localhost | stock | 2025-03-01 8:05:09
    complete: it ends with mariadb-dump's '-- Dump completed'
    14 statements, 34 lines, ascii, as mariadb
    stock.item "Aria" line 19: 3 rows in 2, columns Some(Never)
    sequence numbers line 17
    warning mariadb_only_collation 2x line 14,19: utf8mb4_uca1400_ai_ci
    warning mariadb_only_feature 7x line 17,19: SEQUENCE · type UUID · DEFAULT function() without parentheses · type INET6 · engine Aria
    info skipped_by_mysql 1x line 19: /*M!100301 COMPRESSED*/
    info not_transactional 1x line 19: item (Aria)
    info ordered_insert 1x line 28: REPLACE INTO item
    "#);
}

#[test]
fn phpmyadmin() {
    insta::assert_snapshot!(summary(&read(fixture("phpmyadmin.sql"))), @r#"
    phpMyAdmin | 5.2.1 | 10.4.32-MariaDB | 127.0.0.1 | blog | Mar 03, 2024 at 09:15 PM
    complete: it ends by restoring the settings saved at its head
    14 statements, 52 lines, utf8, as mariadb
    -.posts "InnoDB" line 30: 2 rows in 1, columns Some(Always)
    info no_database 1x line 30: posts
    "#);
}

#[test]
fn mydumper() {
    insta::assert_snapshot!(summary(&read(fixture("mydumper-schema.sql"))), @r#"
    mydumper
    unknown: its tool writes nothing at the end of a dump
    5 statements, 8 lines, ascii, as mariadb
    -.t "InnoDB" line 5: 0 rows in 0, columns None
    info no_database 1x line 5: t
    "#);
}

#[test]
fn adminer() {
    insta::assert_snapshot!(summary(&read(fixture("adminer.sql"))), @r#"
    Adminer | 4.8.1 | MySQL 8.0.36 | 2024-02-29 10:11:12
    complete: it ends with Adminer's date
    6 statements, 19 lines, ascii, as mariadb
    crm.lead "InnoDB" line 10: 2 rows in 1, columns Some(Always)
    info ordered_insert 1x line 14: INSERT INTO lead VALUES … and a clause after the rows
    "#);
}

#[test]
fn by_hand() {
    insta::assert_snapshot!(summary(&read(fixture("by-hand.sql"))), @r#"
    unknown
    unknown: its tool writes nothing at the end of a dump
    10 statements, 17 lines, ascii, as mariadb
    legacy.t;1 "-" line 0: 1 rows in 1, columns None
    legacy.t "-" line 0: 2 rows in 1, columns Some(Never)
    legacy.scratch "-" line 12: 0 rows in 0, columns None
    error client_command 2x line 2,3: ./schema.sql · rm
    error file_access 2x line 9,10: LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t · SELECT * FROM t INTO OUTFILE '/tmp/x'
    warning global_setting 1x line 11: max_connections
    warning system_schema 1x line 13: UPDATE mysql.user SET plugin = ''
    warning drop_database 1x line 14: old
    warning client_quit 1x line 16: 
    info ordered_insert 1x line 6: INSERT INTO "t;1" SET a = 'x'
    info temporary_table 1x line 12: scratch
    info client_command_ignored 1x line 15:
    "#);
}

#[test]
fn for_one_server_what_it_does_not_understand_is_an_error() {
    let text = fixture("mysqldump90.sql");
    let severity = |server, code| {
        let index = index::read(text.as_bytes(), Options { server: Some(server), ..OPTIONS });
        index.hazards.iter().find(|h| h.code == code).map(|h| h.severity.name())
    };
    assert_eq!(severity(Client::MariaDb, "mysql_only_feature"), Some("error"));
    assert_eq!(severity(Client::MySql, "mysql_only_feature"), None);
}

#[test]
fn tools_are_told_apart_by_their_head() {
    for (head, tool, version, server) in [
        (
            "-- Dump created by MySQL pump utility, version: 8.0.28, Linux (x86_64)\n-- Server \
          version: 8.0.28\n",
            "mysqlpump",
            "8.0.28",
            "8.0.28",
        ),
        (
            "-- --------------------------------------------------------\n-- Host:                \
          127.0.0.1\n-- Server version:               5.7.24 - MySQL Community Server (GPL)\n-- \
          HeidiSQL Version:             10.2.0.5599\n",
            "HeidiSQL",
            "10.2.0.5599",
            "5.7.24 - MySQL Community Server (GPL)",
        ),
        ("-- ----\n-- TablePlus 5.3.8(500)\n--\n", "TablePlus", "5.3.8", "-"),
        (
            "# ****\n# Sequel Ace SQL dump\n# Version 20046\n#\n# Host: localhost (MySQL 8.0.30)\n",
            "Sequel Ace",
            "20046",
            "8.0.30",
        ),
        (
            "/*\n Navicat Premium Data Transfer\n\n Source Server Version : 50726\n Source Host    \
          : localhost:3306\n*/\n",
            "Navicat",
            "-",
            "50726",
        ),
        (
            "/*\nSQLyog Ultimate v12.09 (64 bit)\nMySQL - 5.7.20 : Database - test\n*/\n",
            "SQLyog",
            "12.09",
            "5.7.20",
        ),
        ("-- MySQL Workbench Forward Engineering\n", "MySQL Workbench", "-", "-"),
        ("-- shop.orders definition\n\nCREATE TABLE t (a int);", "DBeaver", "-", "-"),
        ("-- PostgreSQL database dump\n", "pg_dump", "-", "-"),
        ("-- Fixes the phpMyAdmin problem\n", "unknown", "-", "-"),
    ] {
        let origin = read(head).origin;
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
        assert_eq!(origin.generator.name(), tool, "{head}");
        assert_eq!(or_dash(&origin.generator_version), version, "{head}");
        assert_eq!(or_dash(&origin.server_version), server, "{head}");
    }
}

#[test]
fn every_cut_of_a_dump_is_noticed() {
    let text = fixture("mysqldump57.sql");
    let head = text.find("CHANGE MASTER").unwrap();
    let restore = text.find("/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE").unwrap();
    for end in (head..restore).filter(|end| text.is_char_boundary(*end)) {
        let index = read(&text[..end]);
        assert_eq!(index.complete, Complete::Truncated, "cut at {end}: {}", index.complete_reason);
        assert_eq!(index.hazards[0].severity.name(), "error", "cut at {end}");
    }
}

#[test]
fn open_strings_and_comments_are_named() {
    for (text, code) in [
        ("INSERT INTO t VALUES ('abc", "unterminated_string"),
        ("SELECT 1; CREATE TABLE `t", "unterminated_string"),
        ("SELECT 1; /* never closed", "unterminated_comment"),
        ("INSERT INTO t VALUES (1),(2", "truncated"),
        ("CREATE TABLE t (a int,", "truncated"),
    ] {
        let index = read(text);
        assert_eq!(index.complete, Complete::Truncated, "{text}");
        assert!(codes(&index).contains(&code), "{text}: {:?}", codes(&index));
    }
    assert_eq!(codes(&read("SELECT 1")), ["unterminated_statement"]);
}

#[test]
fn nothing_at_all() {
    let index = read("");
    assert_eq!((index.statements, index.lines, index.bytes), (0, 0, 0));
    assert_eq!(index.complete_reason, "the file is empty");
    assert_eq!(read("-- only a comment\n").complete_reason, "the file holds no statement");
}

#[test]
fn a_nul_byte_stops_it_and_binary_mode_does_not() {
    let text = b"CREATE TABLE t (a int);\nINSERT INTO t VALUES (1),('\0');\n";
    let index = read(text);
    assert_eq!(index.complete, Complete::Damaged);
    assert_eq!(index.damage.as_ref().map(|damage| damage.line), Some(2));
    assert_eq!(index.tables.len(), 1);
    let index = index::read(&text[..], Options { binary_mode: true, ..OPTIONS });
    assert_eq!((index.rows, index.damage), (2, None));
}

#[test]
fn encodings_are_told_apart() {
    let cases: [(&[u8], &str, &[&str]); 6] = [
        (b"INSERT INTO t VALUES ('caf\xC3\xA9');", "utf8", &[]),
        (b"INSERT INTO t VALUES ('caf\xE9');", "other", &["invalid_utf8"]),
        (b"SET NAMES latin1; INSERT INTO t VALUES ('caf\xE9');", "other", &[]),
        (
            b"SET NAMES latin1; INSERT INTO t VALUES ('caf\xC3\xA9');",
            "utf8",
            &["utf8_under_other_charset"],
        ),
        (
            b"INSERT INTO t VALUES ('caf\xC3\xA9'); INSERT INTO t VALUES ('caf\xE9');",
            "mixed",
            &["mixed_encodings"],
        ),
        (b"INSERT INTO t VALUES (1,_binary '\xE9\xFF'),(2,'x');", "ascii", &[]),
    ];
    for (text, encoding, expected) in cases {
        let index = read([b"USE d;".as_slice(), text].concat());
        assert_eq!(index.encoding, encoding, "{}", text.escape_ascii());
        assert_eq!(codes(&index), expected, "{}", text.escape_ascii());
    }
}

#[test]
fn the_rules_follow_the_file() {
    // Without NO_BACKSLASH_ESCAPES the first string would not end where it does.
    let index = read(
        "USE d; SET @m = @@sql_mode; SET sql_mode = 'NO_BACKSLASH_ESCAPES';\n\
         INSERT INTO t VALUES ('\\'),(2);\nSET sql_mode = @m;\nINSERT INTO t VALUES ('\\''),(4);",
    );
    assert_eq!((index.statements, index.rows), (5, 4));
    // 0x815C is one character of GBK; its second byte is no backslash.
    let gbk = b"USE d; SET NAMES gbk; INSERT INTO t VALUES ('\x81\x5C'),(2); SELECT 1;";
    assert_eq!((read(gbk).statements, read(gbk).rows), (3, 2));
    let computed = read("USE d; SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES'); SELECT 1;");
    assert_eq!(codes(&computed), ["computed_sql_mode"]);
}

#[test]
fn an_insert_in_parts_counts_as_one_statement() {
    let mut text = String::from("USE d; INSERT INTO t VALUES ");
    for row in 0..5000 {
        write!(text, "{}({row},'some text')", if row > 0 { "," } else { "" }).unwrap();
    }
    text.push_str(";\nINSERT INTO u VALUES (1);\n");
    let limits = Limits { window: 512, whole_max: 1024, ..Limits::DEFAULT };
    let index = index::read(text.as_bytes(), Options { limits, ..OPTIONS });
    let rows: Vec<(u64, u64)> = index.tables.iter().map(|t| (t.rows, t.statements)).collect();
    assert_eq!(rows, [(5000, 1), (1, 1)]);
    assert_eq!(index.statements, 2);
    assert_eq!(codes(&index), ["large_statement"]);
}

#[test]
fn keys_that_are_added_later_are_kept_up_to_a_limit() {
    let added = "ALTER TABLE t ADD KEY a (a), ADD UNIQUE KEY b (b);\n";
    let others = "ALTER TABLE t ADD COLUMN c int;\nALTER TABLE t MODIFY a bigint;\nALTER TABLE u ADD KEY (a);\n";
    let table = "CREATE TABLE t (a int, b int);\n";
    let keys_of = |text: String| read(text).tables[0].added_keys.clone();
    let keys = vec!["KEY a (a)".to_owned(), "UNIQUE KEY b (b)".to_owned()];
    assert_eq!(keys_of(format!("{table}{added}{others}")), vec![keys.clone()]);
    let many = added.repeat(index::ADDITIONS_MAX + 1);
    assert_eq!(keys_of(format!("{table}{many}")), vec![keys; index::ADDITIONS_MAX]);
    assert!(keys_of(format!("{table}{many}{table}")).is_empty(), "it is another table then");
}

#[test]
fn two_dumps_in_one_file() {
    let text = fixture("mysqldump57.sql");
    let both = read(text.repeat(2));
    assert_eq!(both.complete, Complete::Complete);
    assert!(codes(&both).contains(&"several_dumps"));
    // The first one's trailer does not stand for the second one.
    let cut = text.len() + text.find("LOCK TABLES").unwrap();
    assert_eq!(read(&text.repeat(2)[..cut]).complete, Complete::Truncated);
}
