//! What a file may not do: reach outside the database, touch files, change the server.

use sandbox::Flavor;

use super::Bench;

const BEFORE: &str = "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\n";

#[test]
fn client_commands_are_never_run() {
    let bench = Bench::start(Flavor::MariaDb);
    let marker = bench.folder.path().join("marker");
    let sourced = bench.file("sourced.sql", "CREATE TABLE sourced (id INT);\n");
    let commands = [
        format!("\\! touch {}\n", marker.display()),
        format!("system touch {}\n", marker.display()),
        format!("source {}\n", sourced.display()),
        format!("\\. {}\n", sourced.display()),
        format!("tee {}\n", marker.display()),
        format!("pager touch {}\n", marker.display()),
    ];
    for command in commands {
        let text = format!("{BEFORE}{command}INSERT INTO t VALUES (2);\n");
        for (arguments, exit, rows) in
            [(&[][..], 1, "1"), (&["--policy", "deny"], 1, "1"), (&["--policy", "skip"], 0, "1,2")]
        {
            bench.wipe();
            bench.run(&text, arguments).check(exit, &["client command", "line 3"]);
            assert_eq!(
                bench.sql("SELECT GROUP_CONCAT(id ORDER BY id) FROM imp.t"),
                rows,
                "{command}"
            );
            assert_eq!(bench.tables(), "t", "{command}");
            assert!(!marker.exists(), "{command}");
        }
    }
}

#[test]
fn privileged_statements_follow_the_policy() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let statements = match flavor {
            Flavor::MariaDb => {
                vec!["GRANT SELECT ON *.* TO g@localhost", "SET GLOBAL max_connections = 55"]
            }
            Flavor::MySql => vec![
                "CREATE USER g@localhost",
                "SET GLOBAL max_connections = 55",
                "SET PERSIST max_connections = 55",
                "SET @@GLOBAL.GTID_PURGED = ''",
            ],
        };
        for statement in statements {
            let text = format!("{BEFORE}{statement};\nINSERT INTO t VALUES (2);\n");
            bench.wipe();
            let denied = bench.run(&text, &["--policy", "deny"]);
            denied.check(1, &["refused by --policy deny", "line 3"]);
            assert_eq!(bench.sql("SELECT COUNT(*) FROM imp.t"), "1", "{statement}");
            bench.wipe();
            let skipped = bench.run(&text, &["--policy", "skip", "--json"]);
            skipped.check(0, &["note: line 3"]);
            assert!(skipped.stdout.contains("\"skipped\": 1"), "{}", skipped.stdout);
            assert_ne!(bench.sql("SELECT @@global.max_connections"), "55", "{statement}");
            bench.wipe();
            let allowed = bench.run(&text, &["--json"]);
            let report: serde_json::Value = serde_json::from_str(&allowed.stdout).unwrap();
            assert_eq!(report["report"]["note_counts"]["privileged"], 1, "{}", allowed.stderr);
        }
    }
}

#[test]
fn an_allowed_setting_is_made() {
    let bench = Bench::start(Flavor::MariaDb);
    bench.run("SET GLOBAL max_connections = 55;\n", &[]).check(0, &["note: line 1"]);
    assert_eq!(bench.sql("SELECT @@global.max_connections"), "55");
}

#[test]
fn files_on_the_server_are_out_of_reach() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let data = bench.file("data.txt", "7\n");
        let outfile = bench.folder.path().join("outfile");
        let statements = [
            format!("LOAD DATA INFILE '{}' INTO TABLE t", data.display()),
            format!("LOAD DATA LOCAL INFILE '{}' INTO TABLE t", data.display()),
            format!("SELECT * FROM t INTO OUTFILE '{}'", outfile.display()),
            format!("SELECT id INTO DUMPFILE '{}' FROM t", outfile.display()),
            format!("INSERT INTO t VALUES (LENGTH(LOAD_FILE('{}')))", data.display()),
        ];
        for statement in statements {
            let text = format!("{BEFORE}{statement};\nINSERT INTO t VALUES (2);\n");
            for (arguments, exit, rows) in [(&[][..], 1, "1"), (&["--policy", "skip"], 0, "1,2")] {
                bench.wipe();
                bench.run(&text, arguments).check(
                    exit,
                    &["files on the server (allowed by --allow-file-access)", "line 3"],
                );
                let got = bench.sql("SELECT GROUP_CONCAT(id ORDER BY id) FROM imp.t");
                assert_eq!(got, rows, "{statement}");
                assert!(!outfile.exists());
            }
        }
    }
}

#[test]
fn definers_are_kept_removed_or_replaced() {
    let text = "CREATE TABLE t (id INT);\nDELIMITER ;;\n\
                CREATE DEFINER=`gone`@`%` PROCEDURE p() SELECT 1;;\n\
                /*!50003 CREATE*/ /*!50017 DEFINER=`gone`@`%`*/ /*!50003 TRIGGER tr BEFORE INSERT ON t \
                FOR EACH ROW SET NEW.id = 1 */;;\nDELIMITER ;\n\
                /*!50001 CREATE ALGORITHM=UNDEFINED */\n\
                /*!50013 DEFINER=`gone`@`%` SQL SECURITY DEFINER */\n\
                /*!50001 VIEW v AS select 1 AS `1` */;\n";
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        bench.sql("CREATE USER other@localhost");
        for (definer, expected, notes) in [
            ("keep", "gone@%", 0),
            ("strip", "root@localhost", 3),
            ("other@localhost", "other@localhost", 3),
        ] {
            bench.sql("DROP DATABASE imp; CREATE DATABASE imp");
            let ended = bench.run(text, &["--definer", definer, "--json"]);
            ended.check(0, &[]);
            let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
            assert_eq!(report["report"]["note_counts"]["definer"].as_u64().unwrap_or(0), notes);
            let found = bench.sql(
                "SELECT DISTINCT REPLACE(definer, '127.0.0.1', 'localhost') FROM \
                 (SELECT definer FROM information_schema.ROUTINES WHERE routine_schema = 'imp' \
                 UNION ALL SELECT definer FROM information_schema.TRIGGERS WHERE trigger_schema = \
                 'imp' UNION ALL SELECT definer FROM information_schema.VIEWS WHERE table_schema = \
                 'imp') AS definers",
            );
            assert_eq!(found, expected, "{definer}");
        }
        bench.run(text, &["--definer", "nonsense"]).check(2, &["keep, strip or USER@HOST"]);
    }
}
