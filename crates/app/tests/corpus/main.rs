//! `make corpus`: every real dump of a corpus folder through the stock client and through dbferry,
//! serial and over 1, 2, 4 and 8 lanes, on MariaDB and on MySQL. A line per file, a total, exit code
//! 1 on any difference.
//!
//! Arguments: the corpus folder, then parts of file names to choose by. Without arguments it only
//! says so: `cargo test` without a corpus must not fail, and this is no test of its own then.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test program")]

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use dump::source::Source;
use sandbox::{Flavor, Server};

#[path = "../it/sameness.rs"]
#[expect(dead_code, reason = "shared with the integration tests")]
mod sameness;

/// Small batches bring small files to the lanes.
const MODES: [&[&str]; 5] = [
    &["--serial"],
    &["--threads", "1"],
    &["--threads", "2", "--batch-bytes", "4000"],
    &["--threads", "4", "--batch-bytes", "4000"],
    &["--threads", "8", "--batch-bytes", "4000"],
];

fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let Some((folder, wanted)) = arguments.split_first() else {
        println!("corpus: name its folder: scripts/corpus FOLDER [FILE …]");
        return ExitCode::SUCCESS;
    };
    let files = files(Path::new(folder), wanted);
    let mut differing = 0;
    for flavor in Flavor::ALL {
        let server = Server::start_with(flavor, &sameness::options()).unwrap();
        for file in &files {
            differing += usize::from(!check(&server, file));
        }
    }
    let all = files.len() * Flavor::ALL.len();
    println!("{} passed, {differing} failed", all - differing);
    if differing == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The corpus files that no reference marks as skipped.
fn files(folder: &Path, wanted: &[String]) -> Vec<PathBuf> {
    let skipped = std::fs::read_to_string(folder.join("reference-mariadb.tsv")).unwrap_or_default();
    let is_skipped = |path: &Path| {
        let name = path.file_name().unwrap().to_string_lossy().replace(".zst", "");
        skipped.lines().any(|line| {
            line.starts_with(&name) && !line.rsplit('\t').next().unwrap_or_default().is_empty()
        })
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("files"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !is_skipped(path))
        .filter(|path| {
            wanted.is_empty() || wanted.iter().any(|w| path.to_string_lossy().contains(w))
        })
        .collect();
    files.sort();
    files
}

/// Compares one file; true if nothing differs.
fn check(server: &Server, file: &Path) -> bool {
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join(&name);
    let mut text = Vec::new();
    Source::open(file).map(|mut input| input.reader.read_to_end(&mut text)).unwrap().unwrap();
    std::fs::write(&plain, &text).unwrap();
    let oracle = sameness::oracle(server, &plain);
    let mut same = true;
    let stock = match oracle.outcome.errno {
        Some(errno) => format!("error {errno}"),
        None if oracle.outcome.exit != 0 => "error".to_owned(),
        None => "ok".to_owned(),
    };
    for mode in MODES {
        let imported = sameness::imported(server, &plain, mode);
        if let Some(difference) = sameness::difference(&oracle, &imported) {
            same = false;
            println!("DIFFERS {} {name} {}", server.flavor().name(), mode.join(" "));
            println!("{difference}");
        }
    }
    let verdict = if same { "same" } else { "DIFFERS" };
    println!("{verdict:8} {:8} {name:55} stock: {stock}", server.flavor().name());
    same
}
