//! Killed anywhere and resumed, an import ends as one that was never interrupted; and what must not
//! be resumed is not.

use std::fmt::Write;
use std::process::{Command, Output, Stdio};

use sandbox::{Flavor, Server, state};

use crate::prefix::Random;
use crate::sameness::{self, dbferry};

mod altered;
mod losses;
mod numbers;

/// Kills in an ordinary test run, for each server; `DBFERRY_KILLS` sets another number, and
/// `DBFERRY_CRASH_FILE` names a larger file.
const KILLS: u64 = 10;

/// Where the process dies, and after how many passes.
const FAILPOINTS: [(&str, &[u64]); 11] = [
    ("before taking out", &[1, 2]),
    ("after taking out", &[1, 2]),
    ("before building", &[1, 2]),
    ("after building", &[1, 2]),
    ("lane before commit", &[1, 2, 9]),
    ("lane after commit", &[1, 2, 9]),
    ("before commit", &[1, 3, 9]),
    ("after commit", &[1, 3, 9]),
    ("after announcing", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("after announced", &[1, 2, 3, 4, 5, 6, 7, 8]),
    ("after writing", &[1, 2, 3]),
];

#[test]
fn an_import_that_dies_at_a_failpoint_is_resumed_on_mariadb() {
    check_failpoints(Flavor::MariaDb);
}

#[test]
fn an_import_that_dies_at_a_failpoint_is_resumed_on_mysql() {
    check_failpoints(Flavor::MySql);
}

fn check_failpoints(flavor: Flavor) {
    check_failpoints_of(flavor, dump(3), &FAILPOINTS);
}

fn check_failpoints_of(flavor: Flavor, file: String, failpoints: &[(&str, &[u64])]) {
    let bench = Bench::start(flavor, file);
    let mut failures = String::new();
    for (name, counts) in failpoints {
        for count in *counts {
            let armed = format!("{name}:{count}");
            bench.prepare();
            let died = bench.import(&[]).env("DBFERRY_FAILPOINT", &armed).output().unwrap();
            assert_eq!(died.status.code(), None, "{armed} was not reached: {}", text(&died.stderr));
            if let Some(difference) = bench.resumed() {
                writeln!(failures, "{armed}: {difference}").unwrap();
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn an_import_that_is_killed_again_and_again_is_resumed_on_mariadb() {
    check_kills(Flavor::MariaDb);
}

#[test]
fn an_import_that_is_killed_again_and_again_is_resumed_on_mysql() {
    check_kills(Flavor::MySql);
}

/// One file, its import killed at places spread over it and resumed each time; every fifth time it
/// is the server that is killed.
fn check_kills(flavor: Flavor) {
    let given = std::env::var_os("DBFERRY_CRASH_FILE").map(|path| std::fs::read(path).unwrap());
    check_kills_of(flavor, given.unwrap_or_else(|| dump(8).into_bytes()));
}

fn check_kills_of(flavor: Flavor, dump: Vec<u8>) {
    let kills = std::env::var("DBFERRY_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    let bench = Bench::start(flavor, &dump);
    bench.prepare();
    let mut random = Random::new(flavor as u64 + 1);
    let mut resume: &[&str] = &[];
    for kill in 0..kills {
        let room = dump.len() as u64 / kills;
        let at = room * kill + random.below(room);
        let mut child =
            bench.import(resume).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        while bench.position() < at && child.try_wait().unwrap().is_none() {}
        // A moment in the life of a batch, not always its end.
        for _ in 0..random.below(40) {
            bench.position();
        }
        let kills_server = kill % 5 == 4;
        if kills_server {
            bench.server.kill().unwrap();
        }
        child.kill().unwrap();
        let ended = child.wait_with_output().unwrap();
        if kills_server {
            bench.server.restart().unwrap();
        }
        match ended.status.code() {
            // It was over before, but maybe the server not done with removing the ledger.
            Some(0) => {
                let url = sameness::socket_url(&bench.server, "imp");
                let repaired =
                    dbferry().args(["repair", "--forget", "--to", &url]).output().unwrap();
                assert!(repaired.status.success(), "{}", text(&repaired.stderr));
                assert_eq!(bench.difference(), None);
                bench.prepare();
                resume = &[];
            }
            Some(_) if !kills_server => panic!("{}", text(&ended.stderr)),
            _ if bench.position() > 0 => resume = &["--resume"],
            _ => {
                bench.prepare();
                resume = &[];
            }
        }
    }
    let output = bench.import(resume).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(bench.difference(), None);
}

#[test]
fn a_lane_that_loses_its_connection_is_replaced() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor, dump(6));
        bench.prepare();
        let mut command = bench.import(&["--json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lane = "SELECT IS_USED_LOCK(CONCAT('dbferry ', run, ' lane 1')) FROM dbferry.imports";
        let mut killed = 0;
        while child.try_wait().unwrap().is_none() {
            let id = bench.server.sql(lane).unwrap_or_default();
            if killed < 5 && id.trim_end().parse::<u64>().is_ok() {
                // It may have gone meanwhile.
                let _ = bench.server.sql(&format!("KILL {id}"));
                killed += 1;
                let at = bench.position();
                while bench.position() == at && child.try_wait().unwrap().is_none() {}
            }
        }
        let output = child.wait_with_output().unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["outcome"], "succeeded", "{report:#}");
        assert!(report["report"]["lost_connections"].as_u64().unwrap() > 0, "{report:#}");
        assert_eq!(bench.difference(), None);
    }
}

#[test]
fn what_is_not_the_same_work_is_not_resumed() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor, dump(2));
        bench.prepare();
        let nothing = bench.import(&["--resume"]).output().unwrap();
        check_refused(&nothing, "nothing to resume");
        let died =
            bench.import(&[]).env("DBFERRY_FAILPOINT", "lane after commit:3").output().unwrap();
        assert_eq!(died.status.code(), None);
        let left = bench.state();

        let other = bench.import(&["--resume", "--definer", "strip"]).output().unwrap();
        check_refused(&other, "began with definer=keep, and now it is definer=strip");
        let original = std::fs::read(&bench.file).unwrap();
        let mut longer = original.clone();
        longer.extend_from_slice(b"SELECT 1;\n");
        std::fs::write(&bench.file, &longer).unwrap();
        check_refused(&bench.import(&["--resume"]).output().unwrap(), "bytes");
        let mut changed = original.clone();
        let place = changed.windows(7).position(|part| part == b"row 1 o").unwrap();
        changed[place] = b'R';
        std::fs::write(&bench.file, &changed).unwrap();
        check_refused(&bench.import(&["--resume"]).output().unwrap(), "not the file");
        std::fs::write(&bench.file, &original).unwrap();
        // One that is refused after a look into the file has taken the import over, and that is all.
        bench.server.sql("UPDATE dbferry.imports SET token = 0").unwrap();
        assert!(left == bench.state(), "a refusal changed something");

        bench.server.sql("DELETE FROM imp.r0 LIMIT 1").unwrap();
        check_refused(&bench.import(&["--resume"]).output().unwrap(), "the target was changed");
        // A new import from the start does not mind.
        bench.server.sql("DROP DATABASE imp").unwrap();
        bench.server.sql("CREATE DATABASE imp").unwrap();
        let again = bench.import(&[]).output().unwrap();
        assert!(again.status.success(), "{}", text(&again.stderr));
        assert!(text(&again.stderr).contains("is forgotten"), "{}", text(&again.stderr));
        assert_eq!(bench.difference(), None);
    }
}

#[test]
fn a_dead_import_is_ended_for_good() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor, dump(1));
        bench.prepare();
        let died =
            bench.import(&[]).env("DBFERRY_FAILPOINT", "after taking out:1").output().unwrap();
        assert_eq!(died.status.code(), None);
        let keys = "SELECT COUNT(DISTINCT INDEX_NAME) FROM information_schema.STATISTICS WHERE \
                    TABLE_SCHEMA = 'imp' AND TABLE_NAME = 'r0'";
        assert_eq!(bench.server.sql(keys).unwrap().trim_end(), "1");
        let repair = |arguments: &[&str], said: &str| {
            let url = sameness::socket_url(&bench.server, "imp");
            let output = dbferry().args(["repair", "--to", &url]).args(arguments).output().unwrap();
            let stderr = text(&output.stderr);
            assert!(output.status.success() && stderr.contains(said), "{stderr}");
        };
        repair(&[], "--resume goes on with it");
        repair(&["--forget"], "built the indexes of imp.r0");
        repair(&[], "nothing to repair");
        assert_eq!(bench.server.sql(keys).unwrap().trim_end(), "3");
        let ledger = || bench.server.sql("SHOW DATABASES LIKE 'dbferry'").unwrap();
        assert_eq!(ledger(), "");
        // As a server leaves it that dies while it removes the ledger.
        bench.server.sql("CREATE DATABASE dbferry").unwrap();
        repair(&["--forget"], "nothing to repair");
        assert_eq!(ledger(), "");
    }
}

#[test]
fn what_cannot_be_told_is_asked_for() {
    let text = "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v INT);\n\
                CREATE PROCEDURE p() INSERT INTO t (v) VALUES (7);\nCALL p();\n\
                INSERT INTO t (v) VALUES (8);\n";
    for (place, answer) in [("after announcing", "again"), ("after announced", "after")] {
        let bench = Bench::start(Flavor::MariaDb, text);
        bench.prepare();
        let armed = format!("{place}:3");
        let died = bench.import(&[]).env("DBFERRY_FAILPOINT", &armed).output().unwrap();
        assert_eq!(died.status.code(), None);
        check_refused(&bench.import(&["--resume"]).output().unwrap(), "--resume=again");
        let answer = format!("--resume={answer}");
        let resumed = bench.import(&[&answer]).output().unwrap();
        assert!(resumed.status.success(), "{}", self::text(&resumed.stderr));
        assert_eq!(bench.difference(), None, "{answer}");
    }
}

#[test]
fn rows_that_a_killed_insert_has_stored_are_not_sent_again() {
    let text = "CREATE TABLE loose (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(50)) ENGINE=MyISAM;\n\
                INSERT INTO loose (v) VALUES ('a'),('b'),('c (, '),('d'),('e');\n\
                INSERT INTO loose (v) VALUES ('f'),('g');\n";
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor, text);
        bench.prepare();
        let mut resume: &[&str] = &[];
        // What the server had stored when it, or the import, was gone.
        for stored in ["('a'),('b')", "('c (, ')"] {
            let mut import = bench.import(resume);
            let died = import.env("DBFERRY_FAILPOINT", "after announcing rows:1").output().unwrap();
            assert_eq!(died.status.code(), None, "{}", self::text(&died.stderr));
            bench.server.sql(&format!("INSERT INTO imp.loose (v) VALUES {stored}")).unwrap();
            resume = &["--resume"];
        }
        assert_eq!(bench.resumed(), None, "{flavor:?}");
        assert!(bench.server.sql("SELECT COUNT(*) FROM imp.loose").unwrap().starts_with('7'));
    }
}

fn check_refused(output: &Output, part: &str) {
    let stderr = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains(part), "{stderr}");
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A server, a file, and what the stock client makes of it.
struct Bench {
    server: Server,
    file: std::path::PathBuf,
    wanted: String,
    /// Only small batches bring a small file to the lanes.
    is_small: bool,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn start(flavor: Flavor, dump: impl AsRef<[u8]>) -> Bench {
        let server = Server::start_with(flavor, &sameness::options()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dump.sql");
        let is_small = dump.as_ref().len() < 10 << 20;
        std::fs::write(&file, dump).unwrap();
        let mut bench = Bench { server, file, wanted: String::new(), is_small, _folder: folder };
        bench.prepare();
        let outcome = bench.server.import_stock(Some("imp"), &bench.file).unwrap();
        assert_eq!(outcome.exit, 0, "{}", outcome.message);
        bench.wanted = bench.state();
        bench
    }

    fn prepare(&self) {
        state::wipe(&self.server).unwrap();
    }

    fn state(&self) -> String {
        let epoch = std::time::SystemTime::UNIX_EPOCH;
        let state = state::canonical(&self.server).unwrap();
        state::mask_times(&state, epoch, std::time::SystemTime::now())
    }

    fn import(&self, arguments: &[&str]) -> Command {
        let mut command = dbferry();
        let charset = sameness::stock_charset(self.server.flavor());
        command.arg("import").arg(&self.file);
        command.args(["--to", &sameness::socket_url(&self.server, "imp"), "--no-progress"]);
        command.args(["--default-character-set", charset, "--threads", "3"]);
        if self.is_small {
            command.args(["--batch-bytes", "2000"]);
        }
        command.args(arguments);
        command
    }

    /// How far the import is, as its ledger tells.
    fn position(&self) -> u64 {
        let position = self.server.sql("SELECT MAX(at_byte) FROM dbferry.imports");
        position.ok().and_then(|text| text.trim_end().parse().ok()).unwrap_or(0)
    }

    /// Resumes, unless the import was over; what is not as it should be then.
    fn resumed(&self) -> Option<String> {
        let output = self.import(&["--resume"]).output().unwrap();
        let stderr = text(&output.stderr);
        let was_over = stderr.contains("nothing to resume");
        if !output.status.success() && !was_over {
            return Some(stderr);
        }
        self.difference()
    }

    fn difference(&self) -> Option<String> {
        let state = self.state();
        (state != self.wanted).then(|| state::diff(&self.wanted, &state))
    }
}

/// Everything that a ledger has to keep in step with, again and again.
fn dump(rounds: u64) -> String {
    let mut text = String::from(
        "/*!40101 SET @old_mode = @@sql_mode, sql_mode = 'NO_AUTO_VALUE_ON_ZERO' */;\n\
         SET NAMES utf8mb4;\nSET @round = 0;\n\
         CREATE TABLE loose (id INT PRIMARY KEY, v VARCHAR(50)) ENGINE=MyISAM;\n\
         CREATE TABLE sums (id INT PRIMARY KEY, n INT NOT NULL);\n\
         CREATE TEMPORARY TABLE passing (id INT);\n",
    );
    for round in 0..rounds {
        writeln!(
            text,
            "SET @round = @round + 1;\nDROP TABLE IF EXISTS r{round};\n\
             CREATE TABLE r{round} (id INT NOT NULL AUTO_INCREMENT, v VARCHAR(100), n INT, PRIMARY KEY (id), \
             KEY n (n), KEY v (v(10))) ENGINE=InnoDB;\n\
             LOCK TABLES r{round} WRITE;\n/*!40000 ALTER TABLE r{round} DISABLE KEYS */;"
        )
        .unwrap();
        for statement in 0..30 {
            rows(&mut text, &format!("r{round}"), statement * 20, 20);
        }
        writeln!(
            text,
            "/*!40000 ALTER TABLE r{round} ENABLE KEYS */;\nUNLOCK TABLES;\n\
             INSERT INTO loose VALUES ({a},'one of round {round}'),({b},'two');\n\
             INSERT INTO loose VALUES ({c},'three');\n\
             INSERT INTO sums VALUES ({round},@round);\n\
             UPDATE sums SET n = n + 1;\n\
             BEGIN;\nINSERT INTO sums VALUES ({d},1);\nUPDATE sums SET n = n * 2 WHERE id = {d};\nCOMMIT;\n\
             INSERT INTO passing VALUES ({round});\n\
             REPLACE INTO r{round} VALUES (5,'replaced',5);\n\
             CREATE TABLE p{round} (id INT NOT NULL, v VARCHAR(100), n INT);",
            a = round * 3,
            b = round * 3 + 1,
            c = round * 3 + 2,
            d = round + 1_000_000,
        )
        .unwrap();
        for statement in 0..10 {
            rows(&mut text, &format!("p{round}"), statement * 20, 20);
        }
        writeln!(
            text,
            "ALTER TABLE p{round} ADD PRIMARY KEY (id), ADD KEY n (n);\n\
             CREATE VIEW v{round} AS SELECT id, n FROM p{round};\n\
             CREATE TRIGGER tr{round} BEFORE INSERT ON p{round} FOR EACH ROW SET NEW.n = NEW.n + 1;\n\
             INSERT INTO p{round} VALUES (100001,'fired',1);\n\
             SET autocommit = 0;\nINSERT INTO sums VALUES ({d},3);\nCREATE INDEX i ON p{round} (v);\n\
             INSERT INTO sums VALUES ({e},4);\nSET autocommit = 1;\n\
             RENAME TABLE p{round} TO q{round};",
            d = round + 2_000_000,
            e = round + 3_000_000,
        )
        .unwrap();
    }
    text.push_str("SET sql_mode = @old_mode;\nINSERT INTO sums VALUES (-1, @round);\n");
    text
}

fn rows(text: &mut String, table: &str, from: u64, count: u64) {
    rows_of(text, table, from, count);
}

fn rows_of(text: &mut String, table: &str, from: u64, count: u64) {
    let rows: Vec<String> = (from + 1..=from + count)
        .map(|id| format!("({id},'row {id} of {table}, and some text to fill it',{})", id % 7))
        .collect();
    writeln!(text, "INSERT INTO {table} VALUES {};", rows.join(",")).unwrap();
}
