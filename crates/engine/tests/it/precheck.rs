//! What a precheck finds on real servers, and that looking changes nothing there.

use dump::index::{self, DumpIndex};
use dump::reader::Limits;
use engine::endpoint::Endpoint;
use engine::import::batch::BATCH_BYTES;
use engine::import::existing::{self, Existing};
use engine::import::guard::{Definer, Guard, Policy};
use engine::import::precheck::{Finding, Severity, findings};
use engine::import::{Options, WHOLE_MAX, target_of};
use engine::mysql::conn::Conn;
use engine::mysql::facts::{self, ServerFacts};
use sandbox::{Flavor, Server, state};

fn options() -> Options {
    let guard = Guard { policy: Policy::Allow, allow_files: false, definer: Definer::Keep };
    Options {
        lanes: 2,
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

fn with_policy(policy: Policy) -> Options {
    let options = options();
    Options { guard: Guard { policy, ..options.guard.clone() }, ..options }
}

fn start(flavor: Flavor) -> Server {
    let server = Server::start(flavor).unwrap();
    server.sql("CREATE DATABASE imp").unwrap();
    server
}

struct Asked {
    index: DumpIndex,
    facts: ServerFacts,
    existing: Existing,
}

async fn ask(endpoint: &Endpoint, text: &str) -> Asked {
    let mut conn = Conn::open(endpoint, "test").await.unwrap();
    let facts = facts::gather(&mut conn).await.unwrap();
    let options = index::Options {
        server: Some(target_of(&facts).server),
        binary_mode: false,
        limits: Limits::DEFAULT,
    };
    let index = index::read(text.as_bytes(), options);
    let database = endpoint.database.as_deref();
    let existing = existing::gather(&mut conn, facts.flavor, &index, database).await.unwrap();
    conn.close().await;
    Asked { index, facts, existing }
}

async fn found(endpoint: &Endpoint, text: &str, options: &Options) -> Vec<Finding> {
    let asked = ask(endpoint, text).await;
    let database = endpoint.database.as_deref();
    findings(&asked.index, &asked.facts, &asked.existing, options, database)
}

fn root(server: &Server) -> Endpoint {
    Endpoint::parse(&server.url(Some("imp"))).unwrap()
}

/// The only finding of this code.
#[track_caller]
fn one<'a>(found: &'a [Finding], code: &str) -> &'a Finding {
    let mut of_code = found.iter().filter(|finding| finding.code == code);
    let first = of_code.next().unwrap_or_else(|| panic!("no {code} in {found:#?}"));
    assert!(of_code.next().is_none(), "more than one {code} in {found:#?}");
    first
}

#[track_caller]
fn check(found: &[Finding], code: &str, severity: Severity, line: u64, text: &str) {
    let finding = one(found, code);
    assert_eq!((finding.severity, finding.line), (severity, Some(line)), "{finding:#?}");
    assert!(finding.text.contains(text), "{finding:#?}");
}

#[track_caller]
fn no_errors(found: &[Finding]) {
    let errors: Vec<_> = found.iter().filter(|f| f.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The server must refuse what was called an error.
#[track_caller]
fn refuses(server: &Server, statement: &str, code: &str) {
    let error = server.sql(&format!("USE imp; {statement}")).unwrap_err().to_string();
    assert!(error.contains(code), "{statement}: {error}");
}

#[tokio::test]
async fn what_is_there_already() {
    const DUMP: &str = "\
CREATE TABLE kept (a INT);
DROP TABLE IF EXISTS lost;
CREATE TABLE lost (a INT);
CREATE TABLE IF NOT EXISTS shared (a INT);
INSERT INTO shared VALUES (1);
INSERT INTO filled VALUES (1);
INSERT INTO nowhere VALUES (1);
DROP TABLE absent;
DROP DATABASE IF EXISTS old;
CREATE DATABASE imp;
USE elsewhere;
";
    for flavor in Flavor::ALL {
        let server = start(flavor);
        server
            .sql(
                "USE imp; CREATE TABLE kept (a INT); CREATE TABLE lost (a INT);
                 INSERT INTO lost VALUES (1), (2), (3); CREATE TABLE shared (a INT);
                 CREATE TABLE filled (a INT); INSERT INTO filled VALUES (1); ANALYZE TABLE lost, filled;
                 CREATE DATABASE old; CREATE TABLE old.t (a INT);",
            )
            .unwrap();
        let before = state::canonical(&server).unwrap();
        let found = found(&root(&server), DUMP, &options()).await;
        assert_eq!(state::canonical(&server).unwrap(), before);
        check(&found, "object_exists", Severity::Error, 1, "imp.kept");
        check(&found, "table_dropped", Severity::Warning, 2, "about 3 rows");
        check(&found, "table_kept", Severity::Warning, 4, "imp.shared");
        check(&found, "rows_added", Severity::Info, 6, "imp.filled");
        check(&found, "unknown_table", Severity::Error, 7, "imp.nowhere");
        check(&found, "object_missing", Severity::Error, 8, "imp.absent");
        check(&found, "database_dropped", Severity::Warning, 9, "old with its 1 tables");
        check(&found, "database_exists", Severity::Error, 10, "imp");
        check(&found, "unknown_database", Severity::Error, 11, "elsewhere");
        refuses(&server, "CREATE TABLE kept (a INT)", "1050");
        refuses(&server, "CREATE DATABASE imp", "1007");
        refuses(&server, "DROP TABLE absent", "1051");
    }
}

#[tokio::test]
async fn views_routines_triggers_and_events_that_are_there() {
    const OBJECTS: &str = "\
CREATE VIEW v AS SELECT 1 AS a;
CREATE PROCEDURE p() SELECT 1;
CREATE EVENT e ON SCHEDULE EVERY 1 DAY DO SELECT 1;
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1;
";
    for flavor in Flavor::ALL {
        let server = start(flavor);
        let setup = format!("USE imp; CREATE TABLE t (a INT); {OBJECTS}");
        server.sql(&setup).unwrap();
        let there = found(&root(&server), OBJECTS, &options()).await;
        let lines: Vec<_> = there
            .iter()
            .filter(|finding| finding.code == "object_exists")
            .map(|finding| finding.line)
            .collect();
        assert_eq!(lines, [Some(1), Some(2), Some(3), Some(4)], "{there:#?}");
        let dropping = format!(
            "DROP VIEW IF EXISTS v; DROP PROCEDURE IF EXISTS p; DROP EVENT IF EXISTS e;
             DROP TABLE IF EXISTS t; CREATE TABLE t (a INT); {OBJECTS}"
        );
        no_errors(&found(&root(&server), &dropping, &options()).await);
        // mysqldump's placeholder of a view, over a view that is there.
        let placeholder = "DROP TABLE IF EXISTS `v`; /*!50001 DROP VIEW IF EXISTS `v`*/;
             /*!50001 CREATE VIEW `v` AS SELECT 1 AS `a`*/; /*!50001 DROP VIEW IF EXISTS `v`*/;
             /*!50001 CREATE VIEW `v` AS select 1 AS `a` */;";
        no_errors(&found(&root(&server), placeholder, &options()).await);
    }
}

#[tokio::test]
async fn without_a_database() {
    for flavor in Flavor::ALL {
        let server = start(flavor);
        let endpoint = Endpoint { database: None, ..root(&server) };
        let homeless = found(&endpoint, "\nCREATE TABLE t (a INT);", &options()).await;
        check(&homeless, "no_database", Severity::Error, 2, "1046");
        let text = "CREATE DATABASE d; USE d; CREATE TABLE t (a INT); INSERT INTO t VALUES (1);";
        no_errors(&found(&endpoint, text, &options()).await);
        let absent = Endpoint { database: Some("absent".into()), ..root(&server) };
        let asked = ask(&endpoint, "SELECT 1;").await;
        let found = findings(
            &asked.index,
            &asked.facts,
            &asked.existing,
            &options(),
            absent.database.as_deref(),
        );
        assert_eq!(one(&found, "unknown_database").object.as_deref(), Some("absent"));
    }
}

#[tokio::test]
async fn an_account_that_may_do_little() {
    const DUMP: &str = "\
SET @@SESSION.SQL_LOG_BIN = 0;
CREATE TABLE t (a INT PRIMARY KEY);
LOCK TABLES t WRITE;
INSERT INTO t VALUES (1);
UNLOCK TABLES;
CREATE TABLE c (a INT, FOREIGN KEY (a) REFERENCES t (a));
CREATE DEFINER=`root`@`localhost` VIEW v AS SELECT 1 AS a;
CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW SET @a = 1;
CREATE FUNCTION f() RETURNS INT RETURN 1;
SET GLOBAL max_connections = 100;
CREATE USER z@z;
CREATE TABLE other.t (a INT);
";
    for flavor in Flavor::ALL {
        let server = start(flavor);
        server
            .sql(
                "CREATE DATABASE other; CREATE USER low@'%' IDENTIFIED BY 'x';
                 GRANT SELECT, INSERT, CREATE, CREATE VIEW, TRIGGER, CREATE ROUTINE
                 ON imp.* TO low@'%'; GRANT SELECT ON other.* TO low@'%';",
            )
            .unwrap();
        let mut endpoint = root(&server);
        endpoint.user = "low".into();
        endpoint.password = Some(engine::endpoint::Secret::new("x"));
        let found = found(&endpoint, DUMP, &options()).await;
        let lacking: Vec<_> = found
            .iter()
            .filter(|finding| finding.code == "missing_privilege")
            .map(|finding| (finding.line.unwrap(), finding.text.as_str()))
            .collect();
        let [binlog, databases @ .., globals, accounts, others] = lacking.as_slice() else {
            panic!("{found:#?}")
        };
        let expected = match flavor {
            Flavor::MariaDb => "'low'@'%' lacks LOCK TABLES on imp",
            Flavor::MySql => "'low'@'%' lacks LOCK TABLES, REFERENCES on imp",
        };
        assert_eq!(databases, [(3, expected)]);
        assert!(binlog.0 == 1 && binlog.1.contains("sql_log_bin"), "{binlog:?}");
        assert!(globals.0 == 10 && globals.1.contains("global settings"), "{globals:?}");
        assert!(accounts.0 == 11 && accounts.1.contains("CREATE USER"), "{accounts:?}");
        assert_eq!(*others, (12, "'low'@'%' lacks CREATE on other"));
        check(&found, "definer_not_allowed", Severity::Error, 7, "'root'@'localhost'");
        check(&found, "function_not_deterministic", Severity::Error, 9, "1418");
        check(&found, "function_needs_super", Severity::Error, 9, "1419");
        let stripped = Guard { definer: Definer::Strip, ..options().guard };
        let options = Options { guard: Guard { policy: Policy::Skip, ..stripped }, ..options() };
        let found = self::found(&endpoint, DUMP, &options).await;
        assert!(found.iter().all(|finding| finding.code != "definer_not_allowed"));
        one(&found, "definers_rewritten");
        assert!(found.iter().any(|finding| finding.code == "left_out_by_policy"));
        let lacking = found.iter().filter(|finding| finding.code == "missing_privilege").count();
        assert_eq!(lacking, 2, "{found:#?}");
    }
}

#[tokio::test]
async fn what_the_server_does_not_know() {
    const DUMP: &str = "\
SET sql_mode = 'NO_AUTO_CREATE_USER,NO_ENGINE_SUBSTITUTION';
CREATE TABLE a (x INT,
  y CHAR(3) COLLATE utf8mb4_0900_ai_ci) ENGINE=InnoDB;
CREATE TABLE b (y CHAR(3)) DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_uca1400_ai_ci;
CREATE TABLE c (y CHAR(3)) ENGINE=FOO DEFAULT CHARSET=nope;
SET nonsense = 1;
CREATE TABLE d (y CHAR(3) COLLATE utf8_general_ci) CHARSET utf8;
";
    for flavor in Flavor::ALL {
        let server = start(flavor);
        let found = found(&root(&server), DUMP, &options()).await;
        check(&found, "unknown_engine", Severity::Error, 5, "FOO");
        check(&found, "unknown_charset", Severity::Error, 5, "nope");
        check(&found, "unknown_variable", Severity::Error, 6, "nonsense");
        refuses(&server, "SET nonsense = 1", "1193");
        match flavor {
            Flavor::MariaDb => {
                check(&found, "unknown_collation", Severity::Error, 3, "utf8mb4_0900_ai_ci");
                refuses(&server, "CREATE TABLE t (a TEXT COLLATE utf8mb4_0900_ai_ci)", "1273");
            }
            Flavor::MySql => {
                check(&found, "unknown_collation", Severity::Error, 4, "utf8mb4_uca1400_ai_ci");
                check(&found, "unknown_sql_mode", Severity::Error, 1, "NO_AUTO_CREATE_USER");
                refuses(&server, "SET sql_mode = 'NO_AUTO_CREATE_USER'", "1231");
            }
        }
        server.sql("USE imp; CREATE TABLE d (y CHAR(3) COLLATE utf8_general_ci)").unwrap();
    }
}

#[tokio::test]
async fn sql_modes_are_known_as_the_server_knows_them() {
    const MODES: [&str; 8] = [
        "TIME_TRUNCATE_FRACTIONAL",
        "EMPTY_STRING_IS_NULL",
        "NO_AUTO_CREATE_USER",
        "TRADITIONAL",
        "ORACLE",
        "PAD_CHAR_TO_FULL_LENGTH",
        "SIMULTANEOUS_ASSIGNMENT",
        "NO_SUCH_MODE",
    ];
    for flavor in Flavor::ALL {
        let server = start(flavor);
        for mode in MODES {
            let set = format!("SET sql_mode = '{mode}';");
            let is_refused = server.sql(&set).is_err();
            let found = found(&root(&server), &set, &options()).await;
            let is_found = found.iter().any(|finding| finding.code == "unknown_sql_mode");
            assert_eq!(is_found, is_refused, "{flavor:?} {mode}");
        }
    }
}

#[tokio::test]
async fn gtids() {
    let server = start(Flavor::MySql);
    let executed = server.sql("SELECT @@GLOBAL.gtid_executed").unwrap();
    let executed = executed.trim();
    assert!(!executed.is_empty(), "the sandbox writes GTIDs");
    let own = format!("SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '{executed}';");
    let found_own = found(&root(&server), &own, &options()).await;
    check(&found_own, "gtid_purged", Severity::Error, 1, "3546");
    refuses(&server, &own, "3546");
    let foreign =
        "SET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5';";
    let found_foreign = found(&root(&server), foreign, &options()).await;
    check(&found_foreign, "gtid_purged", Severity::Warning, 1, "adds");
    let skipped = found(&root(&server), &own, &with_policy(Policy::Skip)).await;
    check(&skipped, "left_out_by_policy", Severity::Warning, 1, "GTID");
    let denied = found(&root(&server), &own, &with_policy(Policy::Deny)).await;
    check(&denied, "refused_by_policy", Severity::Error, 1, "GTID");
    let server = start(Flavor::MariaDb);
    let found = found(&root(&server), foreign, &options()).await;
    check(&found, "unknown_variable", Severity::Error, 1, "gtid_purged");
    refuses(&server, foreign, "1193");
}

#[tokio::test]
async fn a_server_that_is_read_only() {
    for flavor in Flavor::ALL {
        let server = start(flavor);
        server
            .sql(
                "CREATE USER low@'%' IDENTIFIED BY 'x'; GRANT ALL ON imp.* TO low@'%';
                 SET GLOBAL read_only = 1;",
            )
            .unwrap();
        let text = "CREATE TABLE t (a INT);";
        let by_root = found(&root(&server), text, &options()).await;
        assert_eq!(one(&by_root, "read_only").severity, Severity::Warning, "{flavor:?}");
        let mut endpoint = root(&server);
        endpoint.user = "low".into();
        endpoint.password = Some(engine::endpoint::Secret::new("x"));
        let by_low = found(&endpoint, text, &options()).await;
        assert_eq!(one(&by_low, "read_only").severity, Severity::Error, "{flavor:?}");
    }
}

#[tokio::test]
async fn accounts_of_definers() {
    const DUMP: &str = "\
CREATE DEFINER=`ghost`@`localhost` PROCEDURE p() SELECT 1;
CREATE DEFINER=`ROOT`@`LOCALHOST` PROCEDURE q() SELECT 1;
CREATE DEFINER=`root`@`localhost` PROCEDURE r() SELECT 1;
CREATE DEFINER=CURRENT_USER PROCEDURE s() SELECT 1;
";
    for flavor in Flavor::ALL {
        let server = start(flavor);
        let found = found(&root(&server), DUMP, &options()).await;
        no_errors(&found);
        let missing: Vec<_> = found
            .iter()
            .filter(|finding| finding.code == "definer_missing")
            .map(|finding| finding.line)
            .collect();
        assert_eq!(missing, [Some(1), Some(2)], "{found:#?}");
    }
}

#[tokio::test]
async fn sizes_and_damage() {
    let server = start(Flavor::MariaDb);
    server.sql("SET GLOBAL max_allowed_packet = 1048576").unwrap();
    let long = "x".repeat(2 << 20);
    let text =
        format!("CREATE TABLE t (a LONGTEXT);\nINSERT INTO t VALUES ('{long}');\nDO '{long}';");
    let found_long = found(&root(&server), &text, &options()).await;
    check(&found_long, "row_too_large", Severity::Error, 2, "2.1 MB");
    check(&found_long, "statement_too_large", Severity::Error, 3, "2.1 MB");
    let many = format!("INSERT INTO t VALUES {}(1);", "('x'),".repeat(300_000));
    let many = format!("CREATE TABLE t (a TEXT);{many}");
    no_errors(&found(&root(&server), &many, &options()).await);

    let cut =
        found(&root(&server), "CREATE TABLE t (a TEXT);\nINSERT INTO t VALUES (1),(2", &options())
            .await;
    check(&cut, "truncated", Severity::Error, 2, "parentheses");
    let whole = "-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB\n\
                 -- Server version\t10.11.6-MariaDB\nCREATE TABLE t (a TEXT);\n";
    let found = found(&root(&server), whole, &options()).await;
    no_errors(&found);
    assert_eq!(one(&found, "truncated").severity, Severity::Warning);
}
