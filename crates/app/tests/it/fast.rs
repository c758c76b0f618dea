//! `--fast` and `dbferry repair`: whatever happens to a run, the server's settings come back.

use std::io::Write;
use std::path::Path;
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;
use sandbox::Flavor;

use crate::import_errors::{Bench, Ended};
use crate::interrupt::{end, interrupt, signal, start, wait_until};
use crate::sameness::{self, dbferry};

/// Servers as they are shipped, which those of other tests are not.
const DURABLE: [&str; 3] =
    ["--innodb-flush-log-at-trx-commit=1", "--sync-binlog=1", "--local-infile=ON"];

const GOOD: &str = "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1),(2);\n";

fn each_server(check: impl Fn(&Bench)) {
    for flavor in Flavor::ALL {
        check(&Bench::start_with(flavor, &DURABLE));
    }
}

/// What the global settings are, and whether there is a ledger of settings.
fn settings(bench: &Bench) -> String {
    let redo = match bench.server.flavor() {
        Flavor::MariaDb => String::new(),
        Flavor::MySql => bench.sql("SHOW GLOBAL STATUS LIKE 'Innodb_redo_log_enabled'"),
    };
    let redo = redo.split('\t').nth(1).unwrap_or("ON").to_owned();
    let ledger = bench.sql(
        "SELECT COUNT(*) FROM information_schema.TABLES WHERE table_schema = 'dbferry' AND \
         table_name = 'settings'",
    );
    let values = "SELECT CONCAT(@@GLOBAL.innodb_flush_log_at_trx_commit, @@GLOBAL.sync_binlog)";
    format!("{} {redo} {ledger}", bench.sql(values))
}

/// As the server was at its start.
const SHIPPED: &str = "11 ON 0";

/// As they are while a fast run goes on.
fn fast(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "01 ON 1",
        Flavor::MySql => "01 OFF 1",
    }
}

/// An import of a pipe that has begun, with everything fast, and waits for more.
fn begun(bench: &Bench) -> Child {
    begun_when(bench, 1)
}

/// The same beside others.
fn begun_when(bench: &Bench, runs: u32) -> Child {
    let mut command = bench.command(Path::new("-"));
    let mut child = start(command.args(["--fast", "--json"]), Stdio::piped());
    // The first bytes are looked at together, to tell archives and encodings apart.
    let begin = format!("/* {} */ SELECT 1;\n", "-".repeat(100_000));
    child.stdin.as_mut().unwrap().write_all(begin.as_bytes()).unwrap();
    let query = "SELECT COUNT(DISTINCT run) FROM dbferry.settings";
    let wanted = runs.to_string();
    wait_until(|| bench.server.sql(query).is_ok_and(|count| count.trim_end() == wanted));
    wait_until(|| settings(bench) == fast(bench.server.flavor()));
    child
}

/// Closes the pipe and waits for the end.
fn finish(mut child: Child) -> Ended {
    drop(child.stdin.take());
    end(child)
}

fn kill(bench: &Bench, mut child: Child) {
    signal(&child, Signal::SIGKILL);
    child.wait().unwrap();
    let alive = "SELECT COUNT(*) FROM dbferry.settings \
                 WHERE IS_USED_LOCK(CONCAT('dbferry run ', run)) IS NOT NULL";
    wait_until(|| bench.sql(alive) == "0");
    assert_eq!(settings(bench), fast(bench.server.flavor()));
}

fn repair(bench: &Bench, url: &str) -> Ended {
    let mut command = dbferry();
    command.args(["repair", "--to", url]).current_dir(bench.folder.path());
    Ended::of(command.output().unwrap())
}

#[test]
fn fast_leaves_what_the_stock_client_leaves() {
    each_server(|bench| {
        let file = bench.file("good.sql", GOOD);
        let oracle = sameness::oracle(&bench.server, &file);
        for mode in sameness::TINY_MODES {
            let arguments = [mode, &["--fast"]].concat();
            let imported = sameness::imported(&bench.server, &file, &arguments);
            assert_eq!(settings(bench), SHIPPED);
            assert_eq!(sameness::difference(&oracle, &imported), None);
        }
    });
}

#[test]
fn fast_says_what_it_does_and_logs_nothing() {
    each_server(|bench| {
        let logged = "SHOW BINARY LOGS";
        bench.wipe();
        let before = bench.sql(logged);
        let ended = bench.run(GOOD, &["--fast", "--json", "--threads", "2", "--batch-bytes", "1"]);
        ended.check(
            0,
            &[
                "fast: SET SESSION sql_log_bin = OFF (it was ON): replicas",
                "fast: SET GLOBAL innodb_flush_log_at_trx_commit = 0 (it was 1), for everybody",
                "fast: everything is put back",
            ],
        );
        if bench.server.flavor() == Flavor::MySql {
            ended.check(0, &["ALTER INSTANCE DISABLE INNODB REDO_LOG", "ALL of its data is lost"]);
        }
        assert_eq!(settings(bench), SHIPPED);
        assert_eq!(bench.sql(logged), before);
        let report: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
        assert_eq!(report["fast"]["changes"][0]["variable"], "sql_log_bin");
        let text = include_str!("../../../../docs/import.schema.json");
        let schema: serde_json::Value = serde_json::from_str(text).unwrap();
        crate::schema::conforms(&report, &schema, "report");
    });
}

#[test]
fn settings_come_back_after_a_failure_and_after_ctrl_c() {
    each_server(|bench| {
        let failing = format!("{GOOD}INSERT INTO t VALUES (1);\n");
        bench.run(failing, &["--fast"]).check(1, &["everything is put back"]);
        assert_eq!(settings(bench), SHIPPED);
        let mut child = begun(bench);
        interrupt(&child);
        let stdin = child.stdin.take();
        end(child).check(130, &["import interrupted", "everything is put back"]);
        drop(stdin);
        assert_eq!(settings(bench), SHIPPED);
    });
}

#[test]
fn a_killed_run_is_repaired() {
    each_server(|bench| {
        kill(bench, begun(bench));
        let ended = repair(bench, &bench.server.url(None));
        ended.check(0, &["put back innodb_flush_log_at_trx_commit = 1"]);
        assert_eq!(settings(bench), SHIPPED);
        repair(bench, &bench.server.url(None)).check(0, &["--resume goes on with it"]);
    });
}

#[test]
fn a_run_that_dies_while_it_puts_settings_back_is_repaired() {
    each_server(|bench| {
        let file = bench.file("good.sql", GOOD);
        for place in ["before restoring:1", "after restoring:1"] {
            bench.wipe();
            let mut command = bench.command(&file);
            let died = command.arg("--fast").env("DBFERRY_FAILPOINT", place).output().unwrap();
            assert_eq!(died.status.code(), None, "{place}");
            repair(bench, &bench.server.url(None)).check(0, &[]);
            assert_eq!(settings(bench), SHIPPED, "{place}");
        }
    });
}

#[test]
fn the_next_import_repairs_a_killed_run() {
    each_server(|bench| {
        kill(bench, begun(bench));
        bench.run(GOOD, &[]).check(0, &["put back innodb_flush_log_at_trx_commit = 1"]);
        assert_eq!(settings(bench), SHIPPED);
    });
}

#[test]
fn the_last_of_several_runs_puts_back_what_the_first_found() {
    each_server(|bench| {
        let (first, second) = (begun(bench), begun_when(bench, 2));
        finish(first).check(0, &[]);
        assert_eq!(settings(bench), fast(bench.server.flavor()));
        repair(bench, &bench.server.url(None)).check(0, &["it still goes on"]);
        assert_eq!(settings(bench), fast(bench.server.flavor()));
        finish(second).check(0, &["everything is put back"]);
        assert_eq!(settings(bench), SHIPPED);

        // And where one of them dies.
        let (first, second) = (begun(bench), begun_when(bench, 2));
        let mut first = first;
        signal(&first, Signal::SIGKILL);
        first.wait().unwrap();
        let dead = "SELECT COUNT(DISTINCT run) FROM dbferry.settings \
                    WHERE IS_USED_LOCK(CONCAT('dbferry run ', run)) IS NOT NULL";
        wait_until(|| bench.sql(dead) == "1");
        finish(second).check(0, &[]);
        assert_eq!(settings(bench), SHIPPED);
    });
}

#[test]
fn what_somebody_else_sets_meanwhile_is_left_alone() {
    each_server(|bench| {
        let child = begun(bench);
        bench.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
        finish(child).check(0, &[]);
        assert_eq!(settings(bench), "21 ON 0");
    });
}

#[test]
fn an_account_without_privileges_gets_the_plain_import() {
    each_server(|bench| {
        bench.sql("CREATE USER plain@'127.0.0.1' IDENTIFIED BY 'x'; GRANT ALL ON imp.* TO plain@'127.0.0.1'");
        let file = bench.file("good.sql", GOOD);
        let url = format!("mysql://plain:x@127.0.0.1:{}/imp", bench.server.port());
        let mut command = dbferry();
        command.arg("import").arg(&file).args(["--to", &url, "--fast", "--no-progress"]);
        let ended = Ended::of(command.output().unwrap());
        ended.check(
            0,
            &[
                "fast: innodb_flush_log_at_trx_commit stays as it is: ",
                "fast: sql_log_bin stays as it is: ",
                "fast: nothing is changed",
            ],
        );
        assert_eq!(settings(bench), SHIPPED);
        assert_eq!(bench.sql("SELECT COUNT(*) FROM imp.t"), "2");
    });
}

#[test]
fn without_a_ledger_nothing_global_is_changed() {
    each_server(|bench| {
        let privileges = match bench.server.flavor() {
            Flavor::MariaDb => "SUPER, BINLOG ADMIN",
            Flavor::MySql => {
                "SYSTEM_VARIABLES_ADMIN, SESSION_VARIABLES_ADMIN, INNODB_REDO_LOG_ENABLE"
            }
        };
        bench.sql(&format!(
            "CREATE USER some@'127.0.0.1' IDENTIFIED BY 'x'; GRANT ALL ON imp.* TO some@'127.0.0.1'; \
             GRANT {privileges} ON *.* TO some@'127.0.0.1'"
        ));
        let file = bench.file("good.sql", GOOD);
        let url = format!("mysql://some:x@127.0.0.1:{}/imp", bench.server.port());
        let mut command = dbferry();
        command.arg("import").arg(&file).args(["--to", &url, "--fast", "--no-progress"]);
        let said = [
            "fast: SET SESSION sql_log_bin = OFF",
            "innodb_flush_log_at_trx_commit stays as it is: the settings cannot be written down",
        ];
        Ended::of(command.output().unwrap()).check(0, &said);
        assert_eq!(settings(bench), SHIPPED);
    });
}

#[test]
fn a_table_of_the_ledgers_name_is_left_alone() {
    each_server(|bench| {
        bench.sql("CREATE DATABASE dbferry; CREATE TABLE dbferry.settings (id INT)");
        bench.run(GOOD, &[]).check(0, &[]);
        repair(bench, &bench.server.url(None)).check(0, &["nothing to repair"]);
        bench.wipe();
        bench.sql("CREATE DATABASE dbferry; CREATE TABLE dbferry.settings (id INT)");
        bench.run(GOOD, &["--fast"]).check(0, &["cannot be written down: "]);
        assert_eq!(settings(bench), "11 ON 1");
        assert_eq!(bench.sql("SHOW TABLES FROM dbferry"), "settings");
    });
}

#[test]
fn a_forged_row_runs_nothing() {
    each_server(|bench| {
        kill(bench, begun(bench));
        bench.sql(
            "INSERT INTO dbferry.settings (run, variable, before_value, after_value, server) \
             SELECT 'x', 'sync_binlog', '1; CREATE DATABASE forged', '0', server \
             FROM dbferry.settings LIMIT 1",
        );
        repair(bench, &bench.server.url(None)).check(0, &["put back innodb_flush"]);
        assert_eq!(bench.sql("SHOW DATABASES LIKE 'forged'"), "");
        assert_eq!(bench.sql("SELECT run FROM dbferry.settings"), "x");
    });
}

#[test]
fn what_cannot_be_put_back_is_named() {
    each_server(|bench| {
        kill(bench, begun(bench));
        bench.sql("CREATE USER plain@'127.0.0.1' IDENTIFIED BY 'x'; GRANT ALL ON dbferry.* TO plain@'127.0.0.1'");
        let url = format!("mysql://plain:x@127.0.0.1:{}", bench.server.port());
        let ended = repair(bench, &url);
        ended.check(
            1,
            &[
                "put back innodb_flush_log_at_trx_commit = 1: ",
                "by hand: SET GLOBAL innodb_flush_log_at_trx_commit = 1",
            ],
        );
        repair(bench, &bench.server.url(None)).check(0, &["put back"]);
        assert_eq!(settings(bench), SHIPPED);
    });
}

#[test]
fn repair_has_the_exit_codes_of_import() {
    let folder = tempfile::tempdir().unwrap();
    let run = |url: &str| {
        let socket = folder.path().join("nobody");
        let url = url.replace("SOCKET", &socket.display().to_string());
        Ended::of(dbferry().args(["repair", "--to", &url]).output().unwrap())
    };
    run("https://x").check(2, &["a server URL starts with"]);
    run("mysql://root@localhost?socket=SOCKET").check(3, &["dbferry: error:"]);
}
