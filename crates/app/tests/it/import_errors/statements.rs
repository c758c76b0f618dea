//! Statements that fail: where, how it is shown, and what is in.

use sandbox::Flavor;

use super::Bench;

#[test]
fn a_syntax_error_is_shown_with_its_place() {
    let text = "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\n\
                INSERT INTO t VALUES (2);\n\n-- here\nCREATE TABLE u (\n  a INT,\n  b INT,,\n  \
                c INT);\nINSERT INTO t VALUES (3);\n";
    let byte = text.find("CREATE TABLE u").unwrap();
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        for mode in [&["--serial"][..], &["--threads", "3", "--batch-bytes", "1"]] {
            bench.wipe();
            let ended = bench.run(text, mode);
            let place = format!("dump.sql line 8 byte {byte}");
            let applied =
                "applied: everything before line 6 (3 statements, 2 rows); nothing after it";
            ended.check(1, &["server error 1064", &place, "CREATE TABLE u (   a INT,", applied]);
            // The servers point before or after the comma that is too much.
            check_caret(&ended.stderr, &[",   c INT)", "   c INT)"]);
            assert_eq!(bench.tables(), "t");
            assert_eq!(bench.sql("SELECT GROUP_CONCAT(id) FROM imp.t"), "1,2");
        }
    }
}

/// The caret stands under the first character of one of these.
#[track_caller]
fn check_caret(stderr: &str, marked: &[&str]) {
    let lines: Vec<&str> = stderr.lines().collect();
    let caret = lines.iter().position(|line| line.ends_with('^')).expect("a caret");
    let column = lines[caret].chars().count() - 1;
    let shown: String = lines[caret - 1].chars().skip(column).collect();
    assert!(marked.iter().any(|text| shown.starts_with(text)), "{stderr}");
}

#[test]
fn a_failing_row_is_named_without_its_values() {
    let text = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(12));\n\
                INSERT INTO t VALUES (1,'a');\n\
                INSERT INTO t VALUES (2,'b'),(3,'canary-row-value'),(4,'d');\n";
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        for mode in [&["--serial"][..], &["--threads", "3", "--batch-bytes", "1"]] {
            bench.wipe();
            let report = bench.folder.path().join("report.json");
            let ended = bench.run(
                text,
                &[mode, &["--json", "--report", &report.display().to_string()]].concat(),
            );
            ended.check(
                1,
                &["server error 1406", "line 3", "table t, row 2", "INSERT INTO t VALUES (…,…)"],
            );
            for said in [&ended.stderr, &ended.stdout, &std::fs::read_to_string(&report).unwrap()] {
                assert!(!said.contains("canary"), "{said}");
            }
            assert_eq!(bench.sql("SELECT GROUP_CONCAT(id) FROM imp.t"), "1");
        }
    }
}

#[test]
fn the_row_of_a_duplicate_is_found() {
    let mut text = String::from("CREATE TABLE t (id INT PRIMARY KEY, v INT);\n");
    for statement in 0..50 {
        text.push_str("INSERT INTO t VALUES\n");
        let rows: Vec<String> =
            (0..200).map(|row| format!("({},7)", statement * 200 + row)).collect();
        text.push_str(&rows.join(",\n"));
        text.push_str(";\n");
    }
    // One of ten thousand has the key of the first.
    let place = text.find("(6123,7)").unwrap();
    text.replace_range(place..place + 8, "(0000,7)");
    let line = text[..place].lines().count() + 1;
    let wanted = format!("row 124 (line {line} byte {place}): server error 1062");
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        for batch in ["1", "4000", "4000000"] {
            bench.wipe();
            let ended = bench.run(&text, &["--threads", "3", "--batch-bytes", batch]);
            ended.check(1, &["table t, ", &wanted]);
            assert_eq!(bench.sql("SELECT COUNT(*) FROM imp.t"), "6000", "{batch}");
        }
    }
}

#[test]
fn only_the_servers_own_text_quotes_a_value() {
    let bench = Bench::start(Flavor::MariaDb);
    let text = "CREATE TABLE t (v VARCHAR(30) PRIMARY KEY);\nINSERT INTO t VALUES ('canary-7');\n\
                INSERT INTO t VALUES ('other'),('canary-7');\n";
    let ended = bench.run(text, &["--json"]);
    ended.check(1, &["server error 1062"]);
    let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let error = &report["error"];
    assert!(error["server_message"].as_str().unwrap().contains("canary-7"));
    assert!(!error["message"].as_str().unwrap().contains("canary"), "{error}");
    assert!(!error["excerpt"].as_str().unwrap().contains("canary"), "{error}");
}

/// A file whose end fails.
struct Failing<'a> {
    begin: &'a str,
    text: &'a str,
    line: u32,
    /// Statements and rows before it.
    applied: (u32, u32),
    /// What is there then.
    tables: &'a str,
}

impl Failing<'_> {
    /// The stock client meets the same error; each of our ways tells it of the same statement, and nothing
    /// behind that is executed.
    fn check(&self, bench: &Bench) {
        let Failing { begin, text, line, applied: (statements, rows), tables } = self;
        bench.wipe();
        let stock = bench.server.sql(&format!("USE imp; {begin}{text}")).unwrap_err().to_string();
        let code = stock.split_once("ERROR ").unwrap().1.split(' ').next().unwrap();
        for mode in [&["--serial"][..], &[]] {
            bench.wipe();
            let ended = bench.run(format!("{begin}{text}"), mode);
            let code = format!("server error {code}");
            let place = format!("dump.sql line {line} ");
            let applied = format!("({statements} statements, {rows} row");
            ended.check(1, &[&code, &place, &applied]);
            assert_eq!(bench.tables(), *tables, "{text}");
            let table = tables.rsplit(',').next().unwrap();
            let there = bench.sql(&format!("SELECT COUNT(*) FROM imp.{table}"));
            assert_eq!(there, rows.to_string(), "{text}");
        }
    }
}

/// Small statements go to the server together with the next one; an error is told of the one that
/// failed.
#[test]
fn statements_that_go_together_are_told_apart() {
    let begin = "CREATE TABLE t (id INT PRIMARY KEY);\nSET @a = 1;\n\
                 SET character_set_client = utf8mb4; -- now\n";
    let cases = [
        ("SET time_zone = 'Nowhere/Land';\nCREATE TABLE u (id INT);\n", 4, 3),
        ("LOCK TABLES missing WRITE;\nINSERT INTO t VALUES (1);\n", 4, 3),
        ("LOCK TABLES t WRITE;\nSET sql_notes = 0;\nSET sql_notes = 7;\n", 6, 5),
        ("SET @b = 2;\nCREATE TABLE t (id INT);\n", 5, 4),
        ("LOCK TABLES t WRITE;\n\nINSERT INTO t VALUES (1),(1);\nUNLOCK TABLES;\n", 6, 4),
        ("LOCK TABLES t WRITE;\nCREATE TABLE u (id INT);\n", 5, 4),
        ("SET unique_checks = 0;\nCREATE TABLE u (\n a INT,,\n b INT);\n", 6, 4),
        ("SET NAMES latin1;\nSET @c = @@nowhere;\n", 5, 4),
    ];
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        for (text, line, statements) in cases {
            let applied = (statements, 0);
            Failing { begin, text, line, applied, tables: "t" }.check(&bench);
        }
    }
}

/// Locks that wait for the next statement, or were given up for rows, hold for whatever could tell.
#[test]
fn locks_that_wait_hold_for_what_could_tell() {
    let begin = "CREATE TABLE p (id INT PRIMARY KEY) ENGINE=InnoDB;\n\
                 CREATE TABLE c (id INT, FOREIGN KEY (id) REFERENCES p (id)) ENGINE=InnoDB;\n\
                 LOCK TABLES p WRITE;\nINSERT INTO p VALUES (1);\nUNLOCK TABLES;\n";
    let cases = [
        ("DROP TABLE IF EXISTS p;\nCREATE TABLE p (id INT);\n", 6, (5, 1)),
        ("DROP TABLE IF EXISTS q;\nCREATE TABLE p (id INT);\n", 7, (6, 1)),
        ("LOCK TABLES c WRITE;\nINSERT INTO p VALUES (2);\n", 7, (6, 1)),
        ("LOCK TABLES p WRITE;\nCREATE TABLE u (id INT);\n", 7, (6, 1)),
        ("LOCK TABLES p WRITE;\nINSERT INTO p VALUES (2);\nINSERT INTO d VALUES (1);\n", 8, (7, 2)),
        (
            "LOCK TABLES p WRITE;\nINSERT INTO p VALUES (2);\nUNLOCK TABLES;\n\
             LOCK TABLES p READ;\nINSERT INTO p VALUES (3);\n",
            10,
            (9, 2),
        ),
    ];
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        for (text, line, applied) in cases {
            Failing { begin, text, line, applied, tables: "c,p" }.check(&bench);
        }
    }
}

/// What goes to the server with a statement does not make it longer than the server accepts.
#[test]
fn a_statement_as_long_as_the_server_accepts_goes_apart() {
    const LONGEST: usize = 65_536 - 2;
    for flavor in Flavor::ALL {
        let bench = Bench::start_with(flavor, &["--max-allowed-packet=65536"]);
        for shorter in [0, 1, 20, 700] {
            bench.wipe();
            let long = format!("SET @a = '{}';\n", "a".repeat(4000)).repeat(40);
            let insert = "INSERT INTO t VALUES (1,'')";
            let value = "x".repeat(LONGEST - insert.len() - shorter);
            let begin = "CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT);\nLOCK TABLES t WRITE;\n";
            let insert = insert.replace("''", &format!("'{value}'"));
            bench
                .run(format!("{long}{begin}{insert};\nUNLOCK TABLES;\n"), &[])
                .check(0, &["1 row"]);
        }
    }
}

#[test]
fn passwords_in_statements_are_not_shown() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let text = "CREATE USER u@localhost IDENTIFIED BY 'canary-1', u@localhost IDENTIFIED BY 'canary-2' nonsense;\n";
        let ended = bench.run(text, &["--json"]);
        ended.check(
            1,
            &["server error 1064", "IDENTIFIED BY …, u@localhost IDENTIFIED BY … nonsense"],
        );
        let ours: Vec<&str> =
            ended.stderr.lines().filter(|line| !line.contains("server error")).collect();
        assert!(!ours.join("\n").contains("canary"), "{}", ended.stderr);
    }
}

#[test]
fn a_row_larger_than_the_server_accepts_is_named() {
    for flavor in Flavor::ALL {
        let bench = Bench::start_with(flavor, &["--max-allowed-packet=65536"]);
        let big = "x".repeat(70_000);
        let head =
            "CREATE TABLE t (id INT PRIMARY KEY, v LONGTEXT);\nINSERT INTO t VALUES (1,'a');\n";
        let rows: Vec<String> =
            (10..4000).map(|id| format!("({id},'small row of {id}')")).collect();
        // Longer than the limit, but of small rows: sent in pieces.
        let text = format!("{head}INSERT INTO t VALUES {};\n", rows.join(","));
        assert!(text.len() > 80_000);
        bench.run(&text, &[]).check(0, &["3,991 rows"]);
        bench.wipe();
        let text = format!(
            "{head}INSERT INTO t VALUES (2,'b');\nINSERT INTO t VALUES (3,'c'),(4,'{big}');\n"
        );
        for mode in [&["--serial"][..], &["--threads", "2"]] {
            bench.wipe();
            let ended = bench.run(&text, mode);
            ended.check(
                1,
                &[
                    "larger than the server accepts",
                    "line 4",
                    "table t",
                    "row 2",
                    "max_allowed_packet",
                ],
            );
            assert!(ended.stderr.len() < 2000, "{}", ended.stderr);
            assert_eq!(bench.sql("SELECT GROUP_CONCAT(id) FROM imp.t"), "1,2");
        }
        let other = format!("{head}UPDATE t SET v = '{big}';\n");
        bench.wipe();
        bench.run(other, &[]).check(1, &["too large for max_allowed_packet=65536", "line 3"]);
    }
}

#[test]
fn an_unknown_collation_is_an_error_with_its_place() {
    let bench = Bench::start(Flavor::MariaDb);
    let text = "CREATE TABLE a (id INT);\nINSERT INTO a VALUES (1);\n\
                CREATE TABLE b (id INT) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_0900_ai_ci;\n";
    let ended = bench.run(text, &[]);
    ended.check(
        1,
        &["server error 1273", "utf8mb4_0900_ai_ci", "line 3", "everything before line 3"],
    );
    assert_eq!(bench.tables(), "a");
}

#[test]
fn a_failure_inside_a_transaction_says_that_it_is_undone() {
    let text = "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\nBEGIN;\n\
                INSERT INTO t VALUES (2);\nINSERT INTO t VALUES (1);\nCOMMIT;\n";
    let bench = Bench::start(Flavor::MariaDb);
    let ended = bench.run(text, &[]);
    let applied = "applied: everything up to byte 61 (2 statements, 1 rows); the transaction that was open there is rolled back";
    ended.check(1, &["server error 1062", "line 5", applied]);
    assert_eq!(bench.sql("SELECT GROUP_CONCAT(id) FROM imp.t"), "1");
}
