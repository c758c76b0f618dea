//! An import that loses the connection that it cannot do without goes on by itself, and what it
//! brings in is there once; where it cannot, it says why.

use std::process::Stdio;

use sandbox::Flavor;

use super::{Bench, dump, text};

/// The connection that holds the file's session, or the ledger's.
pub(super) fn holder(bench: &Bench, of: &str) -> Option<u64> {
    let query =
        format!("SELECT IS_USED_LOCK(CONCAT('dbferry ', run, ' {of}')) FROM dbferry.imports");
    bench.server.sql(&query).ok()?.trim_end().parse().ok()
}

/// Kills a connection at places spread over the file, and looks at what becomes of the import.
fn check_connection(flavor: Flavor, of: &str, kills: u64) {
    let dump = dump(6);
    let bench = Bench::start(flavor, &dump);
    bench.prepare();
    let mut command = bench.import(&["--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut killed = Vec::new();
    while child.try_wait().unwrap().is_none() {
        let room = dump.len() as u64 / (kills + 1);
        let wanted = killed.len() as u64 * room;
        if (killed.len() as u64) < kills
            && bench.position() >= wanted
            && let Some(id) = holder(&bench, of)
            && !killed.contains(&id)
        {
            // It may have gone meanwhile.
            let _ = bench.server.sql(&format!("KILL {id}"));
            killed.push(id);
        }
    }
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["outcome"], "succeeded", "{report:#}");
    assert!(report["report"]["lost_connections"].as_u64().unwrap() > 0, "{report:#}");
    assert_eq!(bench.difference(), None);
    // What was committed without an answer is counted as well.
    let rows = |table: &str| report["report"]["tables"][table]["rows"].as_u64().unwrap();
    assert_eq!((rows("imp.r5"), rows("imp.p5")), (601, 201), "{report:#}");
}

#[test]
fn a_lost_main_connection_is_replaced_on_mariadb() {
    check_connection(Flavor::MariaDb, "main", 4);
}

#[test]
fn a_lost_main_connection_is_replaced_on_mysql() {
    check_connection(Flavor::MySql, "main", 4);
}

#[test]
fn a_lost_ledger_connection_is_replaced() {
    check_connection(Flavor::MariaDb, "ledger", 2);
    check_connection(Flavor::MySql, "ledger", 2);
}

#[test]
fn an_import_outlives_its_server_on_mariadb() {
    check_server(Flavor::MariaDb);
}

#[test]
fn an_import_outlives_its_server_on_mysql() {
    check_server(Flavor::MySql);
}

fn check_server(flavor: Flavor) {
    let dump = dump(6);
    let bench = Bench::start(flavor, &dump);
    bench.prepare();
    let mut command = bench.import(&["--json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    for share in [1, 3] {
        let wanted = dump.len() as u64 * share / 5;
        while bench.position() < wanted && child.try_wait().unwrap().is_none() {}
        bench.server.kill().unwrap();
        bench.server.restart().unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["outcome"], "succeeded", "{report:#}");
    assert!(report["report"]["lost_connections"].as_u64().unwrap() >= 2, "{report:#}");
    assert_eq!(bench.difference(), None);
}

/// A file whose session cannot be made again, and keys that wait when it is lost.
fn unrepeatable() -> String {
    let mut text = dump(1);
    text.push_str("SET @rows = (SELECT COUNT(*) FROM r0);\n");
    text.push_str(
        "CREATE TABLE late (id INT NOT NULL PRIMARY KEY, n INT, v VARCHAR(99), KEY n (n));\n",
    );
    for statement in 0..400 {
        super::rows_of(&mut text, "late (id, v, n)", statement * 20, 20);
    }
    text.push_str("INSERT INTO sums VALUES (-2, @rows);\n");
    text
}

#[test]
fn what_cannot_be_made_again_is_named() {
    for flavor in Flavor::ALL {
        let dump = unrepeatable();
        let bench = Bench::start(flavor, &dump);
        bench.prepare();
        let mut command = bench.import(&[]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let late = dump.find("CREATE TABLE late").unwrap() as u64;
        while bench.position() <= late && child.try_wait().unwrap().is_none() {}
        // Lanes work, the main connection waits: it finds out at its next statement.
        bench.server.sql(&format!("KILL {}", holder(&bench, "main").unwrap())).unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{stderr}");
        assert!(stderr.contains("cannot go on by itself"), "{stderr}");
        assert!(stderr.contains("sets variables from tables"), "{stderr}");
        assert!(stderr.contains("--resume"), "{stderr}");
        let keys = "SELECT COUNT(*) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = 'imp' \
                    AND TABLE_NAME = 'late'";
        assert_eq!(bench.server.sql(keys).unwrap().trim_end(), "2", "{stderr}");
    }
}

#[test]
fn standard_input_is_not_read_twice() {
    let dump = dump(4);
    let bench = Bench::start(Flavor::MariaDb, &dump);
    bench.prepare();
    let mut command = bench.import(&[]);
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let mut piped = crate::sameness::dbferry();
    piped.args(arguments.iter().map(|argument| match argument == bench.file.as_os_str() {
        true => std::ffi::OsStr::new("-"),
        false => argument.as_os_str(),
    }));
    command = piped;
    command.stdin(std::fs::File::open(&bench.file).unwrap());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    while bench.position() < dump.len() as u64 / 5 && child.try_wait().unwrap().is_none() {}
    bench.server.sql(&format!("KILL {}", holder(&bench, "main").unwrap())).unwrap();
    let output = child.wait_with_output().unwrap();
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("standard input cannot be read a second time"), "{stderr}");
    assert_eq!(bench.resumed(), None);
}
