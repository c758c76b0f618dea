//! The JSON document: on stdout, in the report file, and as its schema says, however it ends.

use std::path::Path;

use sandbox::Flavor;
use serde_json::Value;

use super::{Bench, Ended};
use crate::schema;

/// Runs an import and checks its document, which is the same in both places.
#[track_caller]
fn check(bench: &Bench, text: &str, arguments: &[&str], exit: i32, outcome: &str) -> Value {
    let file = bench.file("dump.sql", text);
    let ended = bench.import(&file, &[&["--json", "--report", "report.json"], arguments].concat());
    document(bench, &ended, exit, outcome)
}

#[track_caller]
fn document(bench: &Bench, ended: &Ended, exit: i32, outcome: &str) -> Value {
    ended.check(exit, &[]);
    let written = std::fs::read_to_string(bench.folder.path().join("report.json")).unwrap();
    assert_eq!(written, ended.stdout);
    let document: Value = serde_json::from_str(&written).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/import.schema.json");
    let schema = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    schema::conforms(&document, &schema, "the document");
    assert_eq!(document["outcome"], outcome);
    assert_eq!(document["exit_code"], exit);
    document
}

#[test]
fn the_document_follows_its_schema() {
    let bench = Bench::start(Flavor::MariaDb);
    let good = "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1),(2);\n\
                INSERT INTO t VALUES (3);\nSET GLOBAL max_connections = 55;\n\
                INSERT INTO t SELECT 4;\n";
    let done = check(&bench, good, &["--threads", "2", "--batch-bytes", "1"], 0, "succeeded");
    assert_eq!(done["error"], Value::Null);
    assert_eq!(done["file_bytes"], good.len());
    assert_eq!(done["report"]["rows"], 4);
    assert_eq!(done["report"]["statements"], 5);
    assert_eq!(done["report"]["applied_offset"], good.len());
    assert_eq!(done["report"]["tables"]["imp.t"]["rows"], 4);
    assert_eq!(done["report"]["notes"][0]["code"], "privileged");
    assert!(!done["target"].as_str().unwrap().contains(bench.server.root_password()));
    let failed = check(
        &bench,
        "INSERT INTO imp.t (id) VALUES (9);\nINSERT INTO imp.t VALUES (1);\n",
        &[],
        1,
        "failed",
    );
    assert_eq!(failed["error"]["kind"], "Statement");
    assert_eq!(failed["error"]["server_code"], 1062);
    assert_eq!(failed["error"]["server_state"], "23000");
    assert_eq!(failed["error"]["line"], 2);
    assert_eq!(failed["error"]["offset"], 35);
    assert_eq!(failed["error"]["table"], "t");
    assert_eq!(failed["report"]["statements"], 1);
    check(&bench, "BEGIN;\nINSERT INTO t VALUES (77);\nNONSENSE;\n", &[], 1, "failed");
    check(&bench, "/* open", &[], 0, "succeeded");
    let keys = "CREATE TABLE k (id INT PRIMARY KEY, a INT, KEY ka (a));\nINSERT INTO k VALUES (1,1);\n\
                INSERT INTO k VALUES (2,2);\n";
    let indexed = check(&bench, keys, &["--threads", "2", "--batch-bytes", "1"], 0, "succeeded");
    assert_eq!(indexed["report"]["tables"]["imp.k"]["deferred_indexes"][0], "ka");
}

#[test]
fn there_is_a_document_when_nothing_was_begun() {
    let bench = Bench::start(Flavor::MariaDb);
    let missing = Path::new("missing.sql");
    let ended = bench.import(missing, &["--json", "--report", "report.json"]);
    assert_eq!(document(&bench, &ended, 2, "failed")["error"]["kind"], "Usage");
    let file = bench.file("dump.sql", b"\x1f\x8b\x08\x00cut");
    let ended = bench.import(&file, &["--json", "--report", "report.json"]);
    assert_eq!(document(&bench, &ended, 1, "failed")["error"]["kind"], "Input");
    bench.sql("DROP DATABASE imp");
    let file = bench.file("dump.sql", "SELECT 1;\n");
    let ended = bench.import(&file, &["--json", "--report", "report.json"]);
    assert_eq!(document(&bench, &ended, 3, "failed")["error"]["kind"], "UnknownDatabase");
}

#[test]
fn a_report_that_cannot_be_written_is_told() {
    let bench = Bench::start(Flavor::MariaDb);
    bench
        .run("CREATE TABLE t (id INT);\n", &["--report", "no/such/folder"])
        .check(2, &["imported", "write the report no/such/folder"]);
    assert_eq!(bench.tables(), "t");
}
