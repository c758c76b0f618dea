//! Our own files through the stock clients and through dbferry, where both must leave the same:
//! those in `tests/cases` (its folders hold what only one server understands), and generated ones
//! that are too large to keep.
//!
//! One server for each test: all differences are shown at its end.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sandbox::{Flavor, Server};

use crate::sameness::{self, MODES, PIECES, TINY_MODES};

#[test]
fn case_files_leave_mariadb_as_the_stock_client_does() {
    check_cases(Flavor::MariaDb);
}

#[test]
fn case_files_leave_mysql_as_the_stock_client_does() {
    check_cases(Flavor::MySql);
}

#[test]
fn large_files_leave_mariadb_as_the_stock_client_does() {
    check_large(Flavor::MariaDb);
}

#[test]
fn large_files_leave_mysql_as_the_stock_client_does() {
    check_large(Flavor::MySql);
}

#[test]
fn inserts_in_pieces_leave_mariadb_as_the_stock_client_does() {
    check_pieces(Flavor::MariaDb);
}

#[test]
fn inserts_in_pieces_leave_mysql_as_the_stock_client_does() {
    check_pieces(Flavor::MySql);
}

/// Compares files on one server and collects how they differ.
struct Comparison {
    server: Server,
    differences: String,
}

impl Comparison {
    fn start(flavor: Flavor) -> Comparison {
        let server = Server::start_with(flavor, &sameness::options()).unwrap();
        Comparison { server, differences: String::new() }
    }

    fn check(&mut self, file: &Path, modes: &[&[&str]]) {
        let oracle = sameness::oracle(&self.server, file);
        for mode in modes {
            let imported = sameness::imported(&self.server, file, mode);
            if let Some(difference) = sameness::difference(&oracle, &imported) {
                let name = file.file_name().unwrap().to_string_lossy();
                writeln!(self.differences, "{name} {}:\n{difference}", mode.join(" ")).unwrap();
            }
        }
    }

    #[track_caller]
    fn finish(self) {
        assert!(self.differences.is_empty(), "{}", self.differences);
    }
}

fn check_cases(flavor: Flavor) {
    let mut comparison = Comparison::start(flavor);
    for file in case_files(flavor) {
        // Without lanes the two servers are the same to us.
        let modes = if flavor == Flavor::MySql { &TINY_MODES[1..] } else { &TINY_MODES[..2] };
        comparison.check(&file, modes);
    }
    comparison.finish();
}

/// The files for both servers, and those for one.
fn case_files(flavor: Flavor) -> Vec<PathBuf> {
    let common = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let own = common.join(flavor.name());
    let mut files: Vec<PathBuf> = [common, own]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sql"))
        .collect();
    files.sort();
    assert!(files.len() > 30, "only {} case files", files.len());
    files
}

/// Batches of their real size, in flight together.
fn check_large(flavor: Flavor) {
    let folder = tempfile::tempdir().unwrap();
    let mut comparison = Comparison::start(flavor);
    for (name, text) in [("all_in", large(None)), ("duplicate_in_the_third_batch", large(Some(5)))]
    {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        comparison.check(&file, &MODES);
        // All that the budget holds is in flight, and the reader waits for room.
        comparison.check(&file, &[&["--threads", "4", "--batch-bytes", "1"]]);
    }
    comparison.finish();
}

/// About 18 MB: ten INSERTs of 1.8 MB, two in a batch. Ids leave a gap before each, so that the
/// AUTO_INCREMENT counter tells who was there. `repeats` is the INSERT that repeats an old id.
fn large(repeats: Option<u64>) -> String {
    let mut text = String::from(
        "CREATE TABLE big (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, pad TEXT, KEY (pad(10))) \
         ENGINE=InnoDB;\n",
    );
    for insert in 0..10 {
        text.push_str("INSERT INTO `big` VALUES ");
        for row in 0..450 {
            let id = match repeats == Some(insert) && row == 400 {
                true => 7,
                false => insert * 1000 + row + 1,
            };
            let pad = "0123456789abcdef".repeat(250);
            write!(text, "{}({id},'{id}-{pad}')", if row == 0 { "" } else { "," }).unwrap();
        }
        text.push_str(";\n");
    }
    text.push_str("CREATE TABLE after_it (id INT);\nINSERT INTO after_it VALUES (1);\n");
    text
}

fn check_pieces(flavor: Flavor) {
    let folder = tempfile::tempdir().unwrap();
    let mut comparison = Comparison::start(flavor);
    for (name, text) in pieces() {
        let file = folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        comparison.check(&file, &[PIECES]);
    }
    comparison.finish();
}

/// Files with INSERTs of about 6 kB, which go in several pieces.
fn pieces() -> Vec<(&'static str, String)> {
    let rows = |from: u64, repeated: Option<u64>| {
        let ids = (from..from + 100).map(|id| if repeated == Some(id) { 1 } else { id });
        let rows: Vec<String> = ids.map(|id| format!("({id},'{id:->50}')")).collect();
        rows.join(",")
    };
    let table = |engine: &str| {
        format!(
            "CREATE TABLE t (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, v VARCHAR(60)) \
             ENGINE={engine};\nINSERT INTO t VALUES (1,'first');\nINSERT INTO t VALUES (2,'x');\n"
        )
    };
    let (good, bad) = (rows(10, None), rows(200, Some(280)));
    let (innodb, myisam) = (table("InnoDB"), table("MyISAM"));
    // Of a statement that it cannot read the server takes nothing, not even numbers; its pieces did.
    let plain = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(60));\n";
    let after = "INSERT INTO t (v) VALUES ('after');\n";
    vec![
        ("good", format!("{innodb}INSERT INTO t VALUES {good};\n{after}")),
        ("fails_in_its_middle", format!("{innodb}INSERT INTO t VALUES {good},{bad};\n{after}")),
        ("myisam", format!("{myisam}INSERT INTO t VALUES {good};\n{after}")),
        ("myisam_fails_in_its_middle", format!("{myisam}INSERT INTO t VALUES {bad};\n{after}")),
        (
            "in_a_transaction",
            format!(
                "{innodb}BEGIN;\nINSERT INTO t VALUES {good};\nINSERT INTO t VALUES (5,'x');\n\
                 COMMIT;\nBEGIN;\nINSERT INTO t VALUES {};\nROLLBACK;\n{after}",
                rows(300, None)
            ),
        ),
        (
            "fails_in_a_transaction",
            format!("{innodb}BEGIN;\nINSERT INTO t VALUES (5,'x');\nINSERT INTO t VALUES {bad};\n"),
        ),
        (
            "under_locks",
            format!(
                "{innodb}CREATE TABLE u LIKE t;\nLOCK TABLES t WRITE;\nINSERT INTO t VALUES \
                 {good};\n{after}INSERT INTO u VALUES {bad};\n"
            ),
        ),
        ("ignore", format!("{innodb}INSERT IGNORE INTO t VALUES {bad},{bad};\n{after}")),
        ("replace", format!("{innodb}REPLACE INTO t VALUES {bad},{good};\n{after}")),
        ("syntax", format!("{plain}INSERT INTO t VALUES {good},(900,;\n{after}")),
        ("cut", format!("{plain}INSERT INTO t VALUES {good},(900,'")),
        ("no_semicolon", format!("{innodb}INSERT INTO t VALUES {good}\n")),
    ]
}
