//! `dbferry inspect` as a program: its page, its JSON document against the documented schema, and
//! what it says of input that is no dump.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::schema;

fn dbferry(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dbferry")).arg("inspect").args(args).output().unwrap()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../dump/test_data/dumps").join(name)
}

/// Exit code, stdout and stderr for a file of these bytes, in a folder that is left out of both.
#[track_caller]
fn check(name: &str, bytes: &[u8], args: &[&str]) -> (i32, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let path = path.to_str().unwrap();
    let output = dbferry(&[args, &[path]].concat());
    let short = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        text.replace(&format!("{}/", folder.path().display()), "")
    };
    (output.status.code().unwrap(), short(&output.stdout), short(&output.stderr))
}

#[test]
fn the_page_for_people() {
    let dump = std::fs::read(fixture("mysqldump57.sql")).unwrap();
    let (code, page, messages) = check("shop.sql", &dump, &[]);
    assert_eq!((code, messages.as_str()), (0, ""));
    insta::assert_snapshot!(page, @r#"
    File          shop.sql (3.15 kB, UTF-8)
    Made by       mysqldump 5.7.44, 2023-11-05 12:30:01
    Made on       server 5.7.44-log, host db.example.com, database shop
    Complete      yes: it ends with mysqldump's '-- Dump completed'
    Contents      40 statements, 93 lines, 3 rows, 2 tables
    Text          UTF-8; announced as utf8
    Settings      time_zone = '+00:00', unique_checks = 0, foreign_key_checks = 0, sql_mode =
                  'NO_AUTO_VALUE_ON_ZERO', sql_notes = 0, character_set_client = utf8, sql_mode =
                  'STRICT_TRANS_TABLES,NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION'
    Read as by    the mysql client

    TABLE     ROWS  BYTES  INSERTS  COLUMNS   ENGINE  LINE
    customer     3  102 B        1  in order  InnoDB    31
    log          0    0 B        0            MyISAM    54
    total        3  102 B        1

    Views         1: names (line 80)
    Triggers      1: customer_ai (line 60)

    Hazards: 3 warnings, 2 notes

      warning  statements that change replication [replication_statement]
               line 22
               found: CHANGE MASTER
               → executed as the stock client does; --policy skip leaves them out, deny stops there

      warning  sql_mode values that MySQL 8.0 and later refuse [removed_sql_mode]
               line 58
               found: NO_AUTO_CREATE_USER
               → import into MariaDB or MySQL 5.7, or remove them from the file

      warning  objects that run with the rights of a named account (DEFINER) [definer]
               2 times: lines 60, 80
               found: `app`@`10.0.0.%`
               → creating them for another account needs SET_USER_ID or SUPER, and they fail where the
                 account is missing; see --definer strip or --definer USER@HOST

      note     objects in no database: none is selected before them [no_database]
               4 times: lines 31, 54, 60, 80
               found: customer · log · names · customer_ai
               → name one in the target: mysql://…/DATABASE

      note     tables whose engine knows no transactions [not_transactional]
               line 54
               found: log (MyISAM)
               → loaded over one connection; their rows stay when an import is rolled back
    "#);
}

#[test]
fn long_names_keep_their_ends_and_lines_stay_lines() {
    let text = format!(
        "USE d;\nINSERT INTO `{}` VALUES (1);\nINSERT INTO `a\nb` VALUES (1),(2);\n\
         INSERT INTO `{}` (`x`) VALUES (1);\nINSERT INTO `日本` SELECT 1;\n",
        "start_".repeat(10) + "end",
        "語".repeat(40),
    );
    let (code, page, _) = check("names.sql", text.as_bytes(), &[]);
    assert_eq!(code, 0);
    let table: Vec<&str> = page.lines().skip_while(|line| !line.starts_with("TABLE")).collect();
    insta::assert_snapshot!(table[..6].join("\n"), @r#"
    TABLE                                            ROWS  BYTES  INSERTS  COLUMNS   ENGINE  LINE
    d.start_start_start_sta…t_start_start_start_end     1   88 B        1  in order             2
    d.a\nb                                              2   32 B        1  in order             3
    d.語語語語語語語語語語…語語語語語語語語語語語       1  151 B        1  named                5
    d.日本                                            ≥ 0   29 B        1                       6
    total                                             ≥ 4  300 B        4
    "#);
}

#[test]
fn the_document_follows_its_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/inspect.schema.json");
    let schema: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for name in [
        "mysqldump57.sql",
        "mysqldump90.sql",
        "mariadb-dump1011.sql",
        "phpmyadmin.sql",
        "mydumper-schema.sql",
        "adminer.sql",
        "by-hand.sql",
    ] {
        let output = dbferry(&["--json", fixture(name).to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{name}");
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        schema::conforms(&document, &schema, name);
    }
    let (code, text, _) = check("nul.sql", b"SELECT 1;\n\0", &["--json"]);
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &document["complete"]), (1, &Value::from("damaged")));
    schema::conforms(&document, &schema, "nul.sql");
}

#[test]
fn missing_files_and_directories_are_usage_errors() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none.sql");
    for (path, expected) in [(missing.as_path(), "no such file"), (folder.path(), "a directory")] {
        let output = dbferry(&[path.to_str().unwrap()]);
        let messages = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{messages}");
        let start = format!("dbferry: error: {}: {expected}", path.display());
        assert!(messages.starts_with(&start), "{messages}");
    }
    assert_eq!(dbferry(&[]).status.code(), Some(2));
}

#[test]
fn an_empty_file_succeeds_and_says_so() {
    let (code, page, messages) = check("empty.sql", b"", &[]);
    assert_eq!(code, 0);
    assert_eq!(
        (page.as_str(), messages.as_str()),
        ("empty.sql is empty: there is nothing to import.\n", "",)
    );
}

#[test]
fn binary_files_are_refused() {
    let program = std::fs::read(env!("CARGO_BIN_EXE_dbferry")).unwrap();
    let (code, page, messages) = check("program", &program[..4096], &[]);
    assert_eq!((code, page.as_str()), (1, ""));
    insta::assert_snapshot!(messages, @r#"
    dbferry: error: program: this is an ELF program, not SQL text
    "#);
}

#[test]
fn a_nul_byte_is_named_and_what_was_found_is_printed() {
    let (code, page, messages) = check("nul.sql", b"CREATE TABLE t (a int);\nSELECT '\0';\n", &[]);
    assert_eq!(code, 1);
    assert!(page.contains("Complete      DAMAGED: a NUL byte"), "{page}");
    assert!(page.contains("\nt "), "{page}");
    insta::assert_snapshot!(messages, @r#"
    dbferry: error: nul.sql: line 2, byte 32: a NUL byte in the text: this is a binary file, or a dump with raw binary values, which --binary-mode lets through
    "#);
}

#[test]
fn a_truncated_gzip_is_damaged() {
    let dump = std::fs::read(fixture("mysqldump57.sql")).unwrap();
    let mut gzip = Command::new("gzip")
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    gzip.stdin.take().unwrap().write_all(&dump).unwrap();
    let packed = gzip.wait_with_output().unwrap().stdout;
    let (code, page, messages) = check("cut.sql.gz", &packed[..packed.len() / 2], &[]);
    assert_eq!(code, 1);
    assert!(page.contains("Made by       mysqldump 5.7.44"), "{page}");
    assert!(messages.starts_with("dbferry: error: cut.sql.gz: line "), "{messages}");
    assert!(messages.contains("gzip"), "{messages}");
    let (code, page, _) = check("whole.sql.gz", &packed, &[]);
    assert_eq!(code, 0);
    assert!(page.contains("gzip"), "{page}");
}

#[test]
fn what_is_open_at_the_end_is_reported() {
    for (text, expected) in [
        ("INSERT INTO t VALUES ('open", "[unterminated_string]"),
        ("SELECT 1;\n/* open", "[unterminated_comment]"),
        ("SELECT 1;\n\\! rm -rf /\nSELECT 2;\n", "[client_command]"),
        ("SELECT 1;\nsource other.sql\n", "[client_command]"),
    ] {
        let (code, page, messages) = check("dump.sql", text.as_bytes(), &[]);
        assert_eq!((code, messages.as_str()), (0, ""), "{text}");
        assert!(page.contains(expected), "{text}: {page}");
    }
    // MySQL's client sends such lines to the server, which refuses them.
    let (_, page, _) = check("dump.sql", b"SELECT 1;\nsource x.sql\n;", &["--server", "mysql"]);
    assert!(page.contains("[client_command]"), "{page}");
}

#[test]
fn standard_input_is_read() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_dbferry"))
        .args(["inspect", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"USE d; INSERT INTO t VALUES (1),(2);").unwrap();
    let document: Value =
        serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!((&document["file"]["name"], &document["rows"]), (&"-".into(), &2.into()));
}
