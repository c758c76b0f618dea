//! Files that are missing, empty, cut, packed, or no dumps at all.

use std::io::Write;
use std::path::Path;
use std::process::Command;

use sandbox::Flavor;

use super::{Bench, with_stdin};

const GOOD: &str = "CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1),(2);\n\
                    INSERT INTO t VALUES (3);\n";

#[test]
fn what_is_no_file_is_a_usage_error() {
    let bench = Bench::start(Flavor::MariaDb);
    let folder = bench.folder.path().to_owned();
    bench.import(&folder.join("missing.sql"), &[]).check(2, &["missing.sql", "no such file"]);
    bench.import(&folder, &[]).check(2, &[&folder.display().to_string(), "directory"]);
    bench.import(Path::new("s3://bucket/dump.sql"), &[]).check(2, &["s3://"]);
    assert_eq!(bench.tables(), "");
}

#[test]
fn an_empty_file_succeeds_and_says_so() {
    let bench = Bench::start(Flavor::MariaDb);
    for content in ["", "\n\n", "-- only a comment\n", "/* and another */\n"] {
        bench.run(content, &[]).check(0, &["dump.sql: nothing to do: the file has no statements"]);
    }
    let from_stdin = with_stdin(&mut bench.command(Path::new("-")), b"");
    from_stdin.check(0, &["-: nothing to do"]);
}

#[test]
fn a_binary_file_is_refused_and_nothing_is_applied() {
    let bench = Bench::start(Flavor::MariaDb);
    let program = std::fs::read(env!("CARGO_BIN_EXE_dbferry")).unwrap();
    bench.run(&program[..4096], &[]).check(
        1,
        &["dump.sql: this is an ELF program, not SQL text", "nothing of the file was applied"],
    );
    let unknown: Vec<u8> = (0..=255).cycle().take(4096).collect();
    let said = ["a NUL byte in the text: this is a binary file", "nothing of the file was applied"];
    bench.run(unknown, &[]).check(1, &said);
    let later = [GOOD.as_bytes(), b"INSERT INTO t VALUES (4\0);\n"].concat();
    let ended = bench.run(later, &[]);
    ended.check(1, &["a NUL byte", "line 4"]);
    assert_eq!(bench.sql("SELECT COUNT(*) FROM imp.t"), "3");
}

#[test]
fn a_cut_archive_is_applied_up_to_the_damage() {
    let bench = Bench::start(Flavor::MariaDb);
    // Ids without a pattern, so that the archive is long.
    let mut text = String::from("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(80));\n");
    let mut random = 7_u64;
    for id in 0..2000 {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        text.push_str(&format!("INSERT INTO t VALUES ({id},'{random:x}');\n"));
    }
    let plain = bench.file("dump.sql", &text);
    for (program, suffix) in [("gzip", "gz"), ("zstd", "zst"), ("xz", "xz"), ("bzip2", "bz2")] {
        let packed = pack(program, &plain);
        let name = format!("cut.sql.{suffix}");
        let file = bench.file(&name, &packed[..packed.len() * 2 / 3]);
        for mode in
            [&["--serial", "--json"][..], &["--threads", "3", "--batch-bytes", "4000", "--json"]]
        {
            bench.wipe();
            let ended = bench.import(&file, mode);
            ended.check(1, &[&name, "compressed byte"]);
            check_prefix(&bench, &ended.stdout, &text);
        }
    }
}

/// The target holds exactly the rows of the prefix that the report names.
#[track_caller]
fn check_prefix(bench: &Bench, report: &str, text: &str) {
    let report: serde_json::Value = serde_json::from_str(report).unwrap();
    let offset = report["report"]["applied_offset"].as_u64().unwrap() as usize;
    let whole = text[..offset].matches("INSERT").count();
    let count = if offset == 0 { "0".to_owned() } else { bench.sql("SELECT COUNT(*) FROM imp.t") };
    assert_eq!(count, whole.to_string(), "up to {offset}");
    assert_eq!(report["outcome"], "failed");
}

#[test]
fn every_packing_is_read_from_a_file_and_from_stdin() {
    let bench = Bench::start(Flavor::MariaDb);
    let plain = bench.file("dump.sql", GOOD);
    let mut packed: Vec<Vec<u8>> =
        ["gzip", "zstd", "xz", "bzip2"].map(|program| pack(program, &plain)).into();
    packed.push(zip(GOOD));
    packed.push(GOOD.into());
    for content in packed {
        bench.wipe();
        let file = bench.file("by-its-content", &content);
        bench.import(&file, &[]).check(0, &["3 statements, 3 rows"]);
        bench.wipe();
        let ended = with_stdin(&mut bench.command(Path::new("-")), &content);
        ended.check(0, &["imported -", "3 statements, 3 rows"]);
        assert_eq!(bench.sql("SELECT SUM(id) FROM imp.t"), "6");
    }
}

#[test]
fn an_open_end_is_told_apart() {
    for flavor in Flavor::ALL {
        let bench = Bench::start(flavor);
        let string = format!("{GOOD}INSERT INTO t VALUES (4),('open\nmore\n");
        let ended = bench.run(string, &[]);
        ended.check(
            1,
            &["line 4", "server error", "applied: everything before line 4 (3 statements, 3 rows)"],
        );
        assert_eq!(bench.sql("SELECT COUNT(*) FROM imp.t"), "3");
        bench.wipe();
        // The stock clients take it for a comment to the end and are content.
        let comment = format!("{GOOD}/* never closed; INSERT INTO t VALUES (4);\n");
        bench.run(comment, &[]).check(0, &["inside a comment that is never closed", "3 rows"]);
        bench.wipe();
        let transaction = format!("{GOOD}BEGIN;\nINSERT INTO t VALUES (4);\n");
        bench.run(transaction, &[]).check(0, &["inside a transaction that is never committed"]);
        assert_eq!(bench.sql("SELECT COUNT(*) FROM imp.t"), "3");
    }
}

/// A file packed by one of the usual programs.
fn pack(program: &str, file: &Path) -> Vec<u8> {
    let output = Command::new(program).args(["-c", "-q"]).arg(file).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}: run `make setup`"));
    assert!(output.status.success(), "{program}");
    output.stdout
}

/// A zip with one stored member.
fn zip(text: &str) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("dump.sql", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(text.as_bytes()).unwrap();
    zip.finish().unwrap().into_inner()
}
