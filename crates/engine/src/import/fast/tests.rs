//! The plan is a pure function.

use super::*;

fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[track_caller]
fn check(flavor: Flavor, pairs: &[(&str, &str)], statements: &[&str]) {
    let planned = plan(flavor, &values(pairs));
    let made: Vec<String> = planned.iter().map(Change::statement).collect();
    assert_eq!(made, statements);
}

const SHIPPED: [(&str, &str); 4] = [
    ("log_bin", "ON"),
    ("sql_log_bin", "ON"),
    ("sync_binlog", "1"),
    ("innodb_flush_log_at_trx_commit", "1"),
];

#[test]
fn a_shipped_server_is_made_fast() {
    let statements = [
        "SET SESSION sql_log_bin = OFF",
        "SET GLOBAL sync_binlog = 0",
        "SET GLOBAL innodb_flush_log_at_trx_commit = 0",
    ];
    check(Flavor::MariaDb, &SHIPPED, &statements);
    let mut with_redo_log = SHIPPED.to_vec();
    with_redo_log.push((REDO_LOG, "ON"));
    let disable = ["ALTER INSTANCE DISABLE INNODB REDO_LOG"];
    check(Flavor::MySql, &with_redo_log, &[&statements[..], &disable].concat());
}

#[test]
fn what_is_fast_already_is_left_alone() {
    let pairs = [("log_bin", "OFF"), ("sql_log_bin", "ON"), ("sync_binlog", "1")];
    check(Flavor::MariaDb, &pairs, &[]);
    let pairs = [("log_bin", "ON"), ("sql_log_bin", "OFF"), ("sync_binlog", "1")];
    check(Flavor::MariaDb, &pairs, &[]);
    check(Flavor::MySql, &[("innodb_flush_log_at_trx_commit", "0"), (REDO_LOG, "OFF")], &[]);
}

#[test]
fn every_change_names_its_undoing() {
    let mut pairs = SHIPPED.to_vec();
    pairs.push((REDO_LOG, "ON"));
    let planned = plan(Flavor::MySql, &values(&pairs));
    let undoing: Vec<String> = planned.iter().map(Change::undoing).collect();
    let expected = [
        "SET SESSION sql_log_bin = ON",
        "SET GLOBAL sync_binlog = 1",
        "SET GLOBAL innodb_flush_log_at_trx_commit = 1",
        "ALTER INSTANCE ENABLE INNODB REDO_LOG",
    ];
    assert_eq!(undoing, expected);
}

#[test]
fn only_what_is_planned_is_ever_undone() {
    let is_known = |variable: &str, before: &str, after: &str| {
        let (variable, before, after) = (variable.into(), before.into(), after.into());
        Change { scope: Scope::Global, variable, before, after }.is_known()
    };
    assert!(is_known("sync_binlog", "1000", "0"));
    assert!(is_known(REDO_LOG, "ON", "OFF"));
    assert!(!is_known("sync_binlog", "1; DROP DATABASE shop", "0"));
    assert!(!is_known("sync_binlog = 1; DROP DATABASE shop; SET GLOBAL sync_binlog", "1", "0"));
    assert!(!is_known("sync_binlog", "ON", "0"));
    assert!(!is_known("init_connect", "1", "0"));
    assert!(!is_known(REDO_LOG, "1", "OFF"));
}
