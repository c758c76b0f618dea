//! Memory: bounded by rows and batches, not by statements or files.

use std::io::Write;
use std::path::Path;
use std::process::{ChildStdin, Stdio};

use sandbox::Flavor;

use crate::import_errors::Bench;

/// What the import may hold at its worst.
const PEAK_MIB_MAX: u64 = 256;
/// The length of the one INSERT.
const STATEMENT_BYTES: usize = 128 << 20;

#[test]
fn one_huge_insert_fits_into_little_memory() {
    let bench = Bench::start(Flavor::MariaDb);
    let mut command = bench.command(Path::new("-"));
    let child =
        command.args(["--threads", "2"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap();
    let rows = write_statement(child.stdin.take().unwrap());
    // The mark only rises, and it is gone with the process: what was read last counts.
    let mut peak = None;
    while child.try_wait().unwrap().is_none() {
        peak = peak_mib(child.id()).or(peak);
    }
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(bench.sql("SELECT COUNT(*) FROM imp.t"), rows.to_string());
    let peak = peak.unwrap();
    assert!(peak <= PEAK_MIB_MAX, "{peak} MiB");
}

/// One INSERT of small rows; says how many. When it returns all but the last of it is read.
fn write_statement(mut stdin: ChildStdin) -> u64 {
    stdin
        .write_all(b"CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(300));\nINSERT INTO t VALUES ")
        .unwrap();
    let pad = "v".repeat(250);
    let (mut rows, mut bytes) = (0, 0);
    let mut piece = String::new();
    while bytes < STATEMENT_BYTES {
        piece.clear();
        for _ in 0..1000 {
            piece.push_str(if rows == 0 { "" } else { "," });
            piece.push_str(&format!("({rows},'{pad}')"));
            rows += 1;
        }
        stdin.write_all(piece.as_bytes()).unwrap();
        bytes += piece.len();
    }
    stdin.write_all(b";\n").unwrap();
    rows
}

/// The most memory that the process ever held at once.
pub(crate) fn peak_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib / 1024)
}
