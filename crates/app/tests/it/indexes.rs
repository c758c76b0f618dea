//! Indexes after the rows: which ones wait, and that nobody can tell afterwards. The stock client is
//! the oracle, also where the file fails.

use std::fmt::Write;

use sandbox::{Flavor, Server};
use serde_json::Value;

use crate::import_errors::Bench;
use crate::sameness;

mod endings;

/// A file, and which indexes of which tables have to wait in it.
struct Case {
    name: &'static str,
    text: String,
    deferred: Vec<(&'static str, &'static [&'static str])>,
}

#[test]
fn indexes_after_the_rows_leave_mariadb_as_the_stock_client_does() {
    let mut cases = cases();
    cases.extend(mariadb_cases());
    check(Flavor::MariaDb, &cases);
}

#[test]
fn indexes_after_the_rows_leave_mysql_as_the_stock_client_does() {
    let mut cases = cases();
    cases.extend(mysql_cases());
    check(Flavor::MySql, &cases);
}

fn check(flavor: Flavor, cases: &[Case]) {
    let server = Server::start_with(flavor, &sameness::options()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut differences = String::new();
    // How rows go is the same to us with either server.
    let modes = if flavor == Flavor::MySql { &MODES[..1] } else { &MODES[..] };
    for case in cases {
        let file = folder.path().join(case.name);
        std::fs::write(&file, &case.text).unwrap();
        let oracle = sameness::oracle(&server, &file);
        for mode in modes {
            let imported = sameness::imported(&server, &file, mode);
            let mut say = |what: String| writeln!(differences, "{}: {what}", case.name).unwrap();
            if let Some(difference) = sameness::difference(&oracle, &imported) {
                say(format!("{difference}\n{}", imported.stderr));
            }
            let waited = deferred(&imported.report);
            if waited != wanted(case) {
                say(format!("waited: {waited:?} {}", imported.report["tables"]));
            }
        }
    }
    assert!(differences.is_empty(), "{differences}");
}

/// Small batches, to which small tables are large.
const MODES: [&[&str]; 2] = [
    &["--threads", "3", "--batch-bytes", "600"],
    &["--threads", "1", "--batch-bytes", "300", "--no-load-data"],
];

fn wanted(case: &Case) -> Vec<(String, Vec<String>)> {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    case.deferred.iter().map(|(table, names)| (format!("imp.{table}"), owned(names))).collect()
}

fn deferred(report: &Value) -> Vec<(String, Vec<String>)> {
    let tables = report["tables"].as_object().unwrap();
    let names = |table: &Value| -> Option<Vec<String>> {
        serde_json::from_value(table.get("deferred_indexes")?.clone()).unwrap()
    };
    tables.iter().filter_map(|(name, table)| Some((name.clone(), names(table)?))).collect()
}

/// Several full batches into `table`, which has columns id, a, b and c.
fn rows(table: &str, from: u64) -> String {
    let mut text = String::new();
    for id in from..from + 60 {
        let a = (id * 7919) % 13;
        writeln!(
            text,
            "INSERT INTO {table} (id, a, b, c) VALUES ({id},{a},{},'word{id} and {a}');",
            id * 3
        )
        .unwrap();
    }
    text
}

const COLUMNS: &str = "id INT NOT NULL PRIMARY KEY, a INT, b INT, c VARCHAR(40)";

/// A table with these further lines, and its rows.
fn table(name: &str, lines: &str) -> String {
    format!("CREATE TABLE {name} ({COLUMNS}, {lines}) ENGINE=InnoDB;\n{}", rows(name, 1))
}

/// `t` with two keys, then `u` with one, so that `t` is built while `u` loads.
fn two() -> String {
    table("t", "KEY ka (a), KEY kc (c)") + &table("u", "KEY ub (b)")
}

const TWO: [(&str, &[&str]); 2] = [("t", &["ka", "kc"]), ("u", &["ub"])];

fn cases() -> Vec<Case> {
    let mut cases = kinds_of_keys();
    cases.extend(foreign_keys());
    cases.extend(parents_to_come());
    cases.extend(later_statements());
    cases.extend(programs());
    cases.extend(keys_by_alter());
    cases
}

fn case(
    name: &'static str,
    text: impl Into<String>,
    deferred: &[(&'static str, &'static [&'static str])],
) -> Case {
    Case { name, text: text.into(), deferred: deferred.to_vec() }
}

fn kinds_of_keys() -> Vec<Case> {
    let several = "KEY ka (a), UNIQUE KEY ub (b), KEY kc (c(5)), FULLTEXT KEY ft (c), \
                   KEY kac (a, c) COMMENT 'it''s, (`x`\n y\\\\ ', KEY `odd ``name,` (b, a) USING BTREE";
    let numbered = "CREATE TABLE t (a INT, id INT NOT NULL AUTO_INCREMENT, b INT, c VARCHAR(40), \
                    KEY k0 (a), KEY kid (id, a), KEY kid2 (id), KEY kb (b)) AUTO_INCREMENT=500;\n";
    let computed =
        "v INT GENERATED ALWAYS AS (b * 2) VIRTUAL, s INT GENERATED ALWAYS AS (b + 1) STORED, ";
    vec![
        case(
            "several",
            table("t", several) + &two().replace(" t ", " v "),
            &[("t", &["ka", "kc", "kac", "odd `name,"]), ("u", &["ub"]), ("v", &["ka", "kc"])],
        ),
        case(
            "only_what_follows_a_spatial_key",
            table(
                "t",
                "KEY ka (a), g GEOMETRY NOT NULL DEFAULT (POINT(1,1)), SPATIAL KEY sp (g), KEY kb (b)",
            ),
            &[("t", &["kb"])],
        ),
        case(
            "the_key_that_numbers_stays",
            format!("{numbered}{}INSERT INTO t (a) VALUES (1);\n", rows("t", 1)),
            &[("t", &["kid2", "kb"])],
        ),
        case(
            "stored_columns",
            table("t", &format!("{computed}KEY ks (s), KEY kb (b)")),
            &[("t", &["ks", "kb"])],
        ),
        case("computed_columns", table("t", &format!("{computed}KEY kb (b), KEY kv (v)")), &[]),
        case(
            "partitions",
            format!(
                "CREATE TABLE t ({COLUMNS}, KEY ka (a)) PARTITION BY HASH (id) PARTITIONS 3;\n{}",
                rows("t", 1)
            ),
            &[("t", &["ka"])],
        ),
        case("nothing_but_a_primary_key", table("t", "UNIQUE KEY (b)"), &[]),
        case("another_engine", table("t", "KEY ka (a)").replace("InnoDB", "MyISAM"), &[]),
        case(
            "small",
            two()
                .lines()
                .filter(|line| !line.contains("(2"))
                .take(4)
                .collect::<Vec<_>>()
                .join("\n"),
            &[],
        ),
    ]
}

/// A table whose foreign key refers to one to come.
fn first() -> String {
    table("a", "KEY ka (a), CONSTRAINT fk FOREIGN KEY (a) REFERENCES p (id)")
}

/// The table that it refers to, as a dump has it.
fn dumped() -> String {
    format!(
        "DROP TABLE IF EXISTS `p`;\nCREATE TABLE `p` (\n  `id` int NOT NULL,\n  `a` int DEFAULT NULL,\n  \
         `b` int DEFAULT NULL,\n  `c` varchar(40) DEFAULT NULL,\n  PRIMARY KEY (`id`),\n  KEY `pa` (`a`)\n) \
         ENGINE=InnoDB;\nLOCK TABLES `p` WRITE;\n{}UNLOCK TABLES;\n",
        rows("p", 0)
    )
}

/// The same with another type: MySQL does not make it, MariaDB does.
fn dumped_otherwise() -> String {
    let dumped = dumped().replace("`id` int ", "`id` bigint ");
    format!("SET foreign_key_checks = 0;\n{}{dumped}", first())
}

fn foreign_keys() -> Vec<Case> {
    let parent = "CREATE TABLE p (id INT PRIMARY KEY);\nINSERT INTO p VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9),(10),(11),(12);\n";
    let lines = "KEY ka (a), KEY kb (b), CONSTRAINT z_fk FOREIGN KEY (a) REFERENCES p (id) ON DELETE CASCADE, \
                 CONSTRAINT a_self FOREIGN KEY (b) REFERENCES t (id)";
    let child = table("t", lines);
    let off = "SET foreign_key_checks = 0;\n";
    let on = "SET foreign_key_checks = 1;\n";
    vec![
        case(
            "foreign_keys",
            format!("{off}{parent}{child}{}", table("u", "KEY ua (a)")),
            &[("t", &["ka", "kb", "a_self", "z_fk"]), ("u", &["ua"])],
        ),
        case(
            "foreign_keys_checked_later",
            format!("{off}{parent}{child}{on}INSERT INTO t VALUES (1000,77,1,'x');\n"),
            &[("t", &["ka", "kb", "a_self", "z_fk"])],
        ),
        case("foreign_keys_checked", format!("{parent}{child}"), &[]),
        case(
            "foreign_keys_before_their_table",
            format!("{off}{child}{parent}"),
            &[("t", &["ka", "kb", "a_self", "z_fk"])],
        ),
        case(
            "foreign_keys_before_a_table_that_does_not_fit",
            format!(
                "{off}{child}CREATE TABLE p (id VARCHAR(9) PRIMARY KEY);\nINSERT INTO p VALUES ('x');\n"
            ),
            &[("t", &["ka", "kb", "a_self", "z_fk"])],
        ),
        case(
            "a_key_that_the_server_made",
            format!("{off}{parent}{}", child.replace("KEY ka (a), ", "")),
            &[],
        ),
        case(
            "the_schema_first",
            format!(
                "{off}CREATE TABLE p ({COLUMNS}, KEY pa (a), KEY pc (c));\nCREATE TABLE ch ({COLUMNS}, \
                 KEY cb (b), KEY ca (a), FOREIGN KEY (b) REFERENCES p (id));\n{}{}{}",
                rows("p", 1),
                rows("ch", 1),
                rows("ch", 100)
            ),
            &[("ch", &["cb", "ca", "ch_ibfk_1"]), ("p", &["pa", "pc"])],
        ),
        case(
            "keys_that_others_refer_to",
            format!(
                "{off}SET @x = 1;\nCREATE TABLE p ({COLUMNS}, UNIQUE KEY pb (b), KEY pa (a));\nCREATE TABLE \
                 ch (id INT PRIMARY KEY, b INT, KEY cb (b), FOREIGN KEY (b) REFERENCES p (b));\n{}",
                rows("p", 1)
            ),
            &[("p", &["pa"])],
        ),
    ]
}

fn parents_to_come() -> Vec<Case> {
    let (first, dumped) = (first(), dumped());
    let off = "SET foreign_key_checks = 0;\n";
    vec![
        case(
            "foreign_keys_before_their_table_as_dumps_have_it",
            format!("{off}{first}{dumped}{}", table("u", "KEY ua (a)")),
            &[("a", &["ka", "fk"]), ("p", &["pa"]), ("u", &["ua"])],
        ),
        case(
            "foreign_keys_before_a_table_that_is_made_twice",
            format!(
                "{off}{first}{dumped}DROP TABLE IF EXISTS `p`;\nCREATE TABLE p (id VARCHAR(9) PRIMARY KEY);\n\
                 INSERT INTO p VALUES ('x');\n"
            ),
            &[("a", &["ka", "fk"]), ("p", &["pa"])],
        ),
        case(
            "foreign_keys_before_a_table_that_is_changed",
            format!(
                "{off}{first}{dumped}ALTER TABLE p DROP PRIMARY KEY;\nINSERT INTO p VALUES (1,1,1,'');\n"
            ),
            &[("a", &["ka", "fk"]), ("p", &["pa"])],
        ),
        case(
            "a_constraint_of_the_same_name",
            format!(
                "{off}{first}{}",
                dumped.replace(
                    "KEY `pa` (`a`)",
                    "KEY `pa` (`a`),\n  \
                     CONSTRAINT `fk` FOREIGN KEY (`a`) REFERENCES `q` (`id`)"
                )
            ),
            &[("a", &["ka", "fk"])],
        ),
    ]
}

fn later_statements() -> Vec<Case> {
    let after = |name, statement: &str| case(name, format!("{}{statement}\n", two()), &TWO);
    let used_again = format!("{}{}{}", two(), rows("t", 200), rows("u", 200));
    let locked = "SET @f = @@foreign_key_checks, foreign_key_checks = 0;\nCREATE TABLE t (id INT NOT NULL PRIMARY KEY, a INT, b INT, c VARCHAR(40), KEY ka (a), KEY kc (c));\nLOCK TABLES t WRITE;\n/*!40000 ALTER TABLE t DISABLE KEYS */;\nROWS/*!40000 ALTER TABLE t ENABLE KEYS */;\nUNLOCK TABLES;\n"
        .replace("ROWS", &rows("t", 1));
    let dumped = format!("{locked}{}SET foreign_key_checks = @f;\n", locked.replace(" t ", " u "));
    vec![
        case("used_again", used_again, &TWO),
        case("as_dumped", dumped, &[("t", &["ka", "kc"]), ("u", &["ka", "kc"])]),
        case(
            "both_locked",
            format!(
                "CREATE TABLE t ({COLUMNS}, KEY ka (a));\nCREATE TABLE u ({COLUMNS}, KEY ua (a));\nLOCK TABLES \
                 t WRITE, u WRITE;\n{}{}ALTER TABLE t ENABLE KEYS;\n{}UPDATE u SET a = 3;\nUNLOCK TABLES;\n",
                rows("t", 1),
                rows("u", 1),
                rows("t", 100)
            ),
            &[("t", &["ka"]), ("u", &["ua"])],
        ),
        after("a_key_is_added", "ALTER TABLE t ADD KEY later (b), ADD UNIQUE KEY b_once (b);"),
        after("a_key_is_dropped", "DROP INDEX ka ON t;"),
        after(
            "an_update",
            "UPDATE t FORCE INDEX (ka) SET b = -id WHERE a = 3 ORDER BY id LIMIT 2;",
        ),
        after("a_query", "CREATE TABLE w SELECT * FROM t FORCE INDEX (kc) WHERE c > 'word3';"),
        after("a_transaction", "BEGIN;\nINSERT INTO t VALUES (999,1,1,'x');\nCOMMIT;"),
        after("no_autocommit", "SET autocommit = 0;\nINSERT INTO t VALUES (999,1,1,'x');\nCOMMIT;"),
        after(
            "a_chain",
            "COMMIT AND CHAIN;\nINSERT INTO t VALUES (999,1,1,'x');\nALTER TABLE u ADD KEY (a);",
        ),
        after("it_is_renamed", "RENAME TABLE t TO s;\nALTER TABLE u RENAME TO `t`;"),
        after("a_syntax_error", "NONSENSE;"),
        after("a_duplicate", &format!("{}INSERT INTO t VALUES (1,1,1,'again');", rows("t", 300))),
        after(
            "it_is_made_again",
            &format!("DROP TABLE t;\n{}", table("t", "KEY ka (a), KEY kc (c)")),
        )
        .twice("t", &["ka", "kc", "ka", "kc"]),
        case("it_is_dropped", format!("{}DROP TABLE t, u;\n", two()), &TWO),
        case(
            "it_was_there",
            format!(
                "CREATE TABLE IF NOT EXISTS t ({COLUMNS}, KEY ka (a));\n{}CREATE TABLE IF NOT EXISTS t (id INT);\n{}",
                rows("t", 1).lines().next().unwrap(),
                rows("t", 2)
            ),
            &[],
        ),
        case(
            "it_was_not_there",
            table("t", "KEY ka (a)").replace("TABLE", "TABLE IF NOT EXISTS"),
            &[("t", &["ka"])],
        ),
    ]
}

fn programs() -> Vec<Case> {
    let after = |name, statement: &str| case(name, format!("{}{statement}\n", two()), &TWO);
    let trigger =
        "CREATE TRIGGER tr AFTER INSERT ON u FOR EACH ROW UPDATE t SET b = 1 WHERE a = NEW.a;\n";
    vec![
        after("a_trigger", &format!("{trigger}INSERT INTO u VALUES (999,1,1,'x');")),
        after(
            "a_trigger_by_way_of_others",
            "CREATE VIEW v AS SELECT * FROM t FORCE INDEX (kc);\nCREATE FUNCTION f() RETURNS INT \
             READS SQL DATA RETURN (SELECT MAX(b) FROM v WHERE c > 'word5');\nCREATE TRIGGER tr BEFORE \
             INSERT ON u FOR EACH ROW SET NEW.b = f();\nINSERT INTO u VALUES (999,1,1,'x');",
        ),
        case(
            "programs_before",
            format!(
                "CREATE TABLE t ({COLUMNS}, KEY ka (a));\nCREATE TABLE u ({COLUMNS}, KEY ua (a));\nCREATE \
                 VIEW v AS SELECT * FROM t FORCE INDEX (ka);\n{}{}CREATE VIEW w AS SELECT * FROM u;\nINSERT \
                 INTO u SELECT id + 5000, a, b, c FROM v WHERE a > 3;\n",
                rows("t", 1),
                rows("u", 1)
            ),
            &[("u", &["ua"])],
        ),
        case(
            "a_trigger_before",
            format!(
                "CREATE TABLE t ({COLUMNS}, KEY ka (a));\nCREATE TABLE u ({COLUMNS}, KEY ua (a));\n{trigger}{}{}",
                rows("t", 1),
                rows("u", 1)
            ),
            &[],
        ),
    ]
}

/// Two tables without keys and their rows, `t` first.
pub(crate) fn bare() -> String {
    let one = |name: &str| {
        format!(
            "CREATE TABLE {name} (id INT NOT NULL, a INT, b INT, c VARCHAR(40)) ENGINE=InnoDB;\n{}",
            rows(name, 1)
        )
    };
    one("t") + &one("u")
}

const KEYS_OF_T: &str = "ALTER TABLE t\n  ADD PRIMARY KEY (id),\n  ADD UNIQUE KEY b (b),\n  ADD KEY ka (a),\n  ADD KEY kc (c(9), a);\n";
const KEYS_OF_U: &str = "ALTER TABLE `u` ADD KEY `ub` (`b`);\n";

/// In the style of phpMyAdmin: keys and AUTO_INCREMENT come after the rows.
fn keys_by_alter() -> Vec<Case> {
    let keys = format!("{}{KEYS_OF_T}{KEYS_OF_U}", bare());
    let after = |name, more: &str| case(name, format!("{keys}{more}\n"), &TWO);
    let failing = |name, more: &str| case(name, format!("{}{more}\n", bare()), &[]);
    let numbered = "ALTER TABLE `t` MODIFY `id` INT NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=900;\n";
    let quoted = "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES');\nALTER TABLE \"t\" ADD KEY \"ka\" (\"a\") COMMENT 'it''s, so';\n";
    vec![
        after("keys_added", ""),
        after("numbered", &format!("{numbered}INSERT INTO t (a) VALUES (7);")),
        after("numbered_and_filled", &format!("{numbered}{}", rows("t", 100))),
        after(
            "a_type_is_changed",
            "ALTER TABLE t MODIFY a BIGINT, MODIFY COLUMN c VARCHAR(50) NOT NULL;",
        ),
        after("a_column_moves", "ALTER TABLE t MODIFY a BIGINT FIRST;"),
        after("rows_do_not_fit", "ALTER TABLE t MODIFY a TINYINT, MODIFY b TINYINT;"),
        after("a_key_would_be_too_long", "ALTER TABLE u MODIFY b VARCHAR(9000);"),
        after(
            "numbers_need_a_key_that_waits",
            "ALTER TABLE u MODIFY b INT NOT NULL AUTO_INCREMENT;",
        ),
        after(
            "numbered_after_a_query",
            &format!("SELECT * FROM t FORCE INDEX (ka) WHERE a = 3;\n{numbered}"),
        ),
        after(
            "a_foreign_key_then",
            "ALTER TABLE t ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES u (b);",
        ),
        after("more_keys_then", "ALTER TABLE t ADD KEY later (b);"),
        after(
            "used_afterwards",
            "UPDATE t FORCE INDEX (ka) SET b = -id WHERE a = 3 ORDER BY id LIMIT 2;",
        ),
        after("an_error_then", "NONSENSE;"),
        after("a_transaction_then", "BEGIN;\nINSERT INTO t VALUES (999,1,999,'x');\nCOMMIT;"),
        after("dropped_then", "DROP TABLE t;"),
        case("under_other_rules", format!("{}{quoted}", bare()), &[("t", &["ka"])]),
        case(
            "both_kinds_of_waiting",
            format!(
                "{}{}",
                table("t", "KEY ka (a)") + &table("u", "KEY ub (b)"),
                "ALTER TABLE t ADD KEY kc (c);\nALTER TABLE u MODIFY b BIGINT;\n"
            ),
            &[("t", &["ka"]), ("u", &["ub"])],
        ),
        failing("a_duplicate_row", &format!("{}{KEYS_OF_T}", rows("t", 7).lines().next().unwrap())),
        failing(
            "a_null",
            "INSERT INTO t VALUES (998,1,NULL,'x');\nALTER TABLE t ADD PRIMARY KEY (b), ADD KEY (a);",
        ),
        failing("no_such_column", "ALTER TABLE t ADD KEY ka (nothing);"),
        failing("the_same_name_twice", "ALTER TABLE t ADD KEY ka (a), ADD KEY ka (b);"),
        failing("too_long", "ALTER TABLE t MODIFY c VARCHAR(4000);\nALTER TABLE t ADD KEY kc (c);"),
        failing(
            "in_a_transaction",
            "BEGIN;\nINSERT INTO t VALUES (999,1,999,'x');\nALTER TABLE t ADD KEY (a);\nROLLBACK;",
        ),
        failing("with_locks", "LOCK TABLES t WRITE;\nALTER TABLE t ADD KEY (a);\nUNLOCK TABLES;"),
        failing("seen_by_a_view", "CREATE VIEW v AS SELECT * FROM t;\nALTER TABLE t ADD KEY (a);"),
        failing(
            "another_one_by_now",
            "DROP TABLE t;\nCREATE TABLE s (a INT);\nRENAME TABLE s TO t;\nALTER TABLE t ADD KEY (a);",
        ),
    ]
}

impl Case {
    /// A table whose indexes wait more than once.
    fn twice(mut self, table: &'static str, names: &'static [&'static str]) -> Case {
        self.deferred
            .iter_mut()
            .filter(|(name, _)| *name == table)
            .for_each(|entry| entry.1 = names);
        self
    }
}

fn mariadb_cases() -> Vec<Case> {
    let refused = "v TINYINT GENERATED ALWAYS AS (b) VIRTUAL, KEY kv (v), KEY kb (b)";
    vec![
        case(
            "ignored_keys",
            table("t", "KEY ka (a) IGNORED, KEY kb (b) IGNORED COMMENT 'x'"),
            &[("t", &["ka", "kb"])],
        ),
        // Without the key the server would not compute it, and take the row.
        case("a_computed_value_is_refused", table("t", refused), &[("t", &["kb"])]),
        case(
            "versioned",
            table("t", "KEY ka (a)").replace("ENGINE=InnoDB", "WITH SYSTEM VERSIONING"),
            &[],
        ),
        case(
            "foreign_keys_before_a_table_that_nearly_fits",
            dumped_otherwise(),
            &[("a", &["ka", "fk"]), ("p", &["pa"])],
        ),
    ]
}

fn mysql_cases() -> Vec<Case> {
    let free = "SET restrict_fk_on_non_standard_key = OFF;\nSET foreign_key_checks = 0;\n";
    let odd = "KEY ka (a), KEY kb (b), CONSTRAINT a_self FOREIGN KEY (b) REFERENCES t (a)";
    vec![
        case(
            "descending_and_invisible",
            table("t", "KEY ka (a DESC), KEY kc (c(3) DESC, a) INVISIBLE"),
            &[("t", &["ka", "kc"])],
        ),
        case("expressions", table("t", "KEY ka (a), KEY ke ((a + b)), KEY kb (b)"), &[]),
        case("a_parent_key_that_is_not_unique", format!("{free}{}", table("t", odd)), &[]),
        case(
            "foreign_keys_before_a_table_that_does_not_quite_fit",
            dumped_otherwise(),
            &[("a", &["ka", "fk"])],
        ),
    ]
}

#[test]
fn indexes_stay_where_they_are_when_told_so() {
    let bench = Bench::start(Flavor::MariaDb);
    for arguments in [
        &["--threads", "2", "--batch-bytes", "600", "--no-deferred-indexes", "--json"][..],
        &["--serial", "--json"],
    ] {
        bench.wipe();
        let ended = bench.run(two(), arguments);
        let document: Value = serde_json::from_str(&ended.check(0, &[]).stdout).unwrap();
        assert_eq!(deferred(&document["report"]), []);
    }
}
