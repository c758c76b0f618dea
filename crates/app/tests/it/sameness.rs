//! The promise itself: after dbferry a server is as after its stock client, also where a file fails.
//!
//! The stock client is the oracle. Shared by the tests over our own cases and by `make corpus`.

use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

use sandbox::{Flavor, Options, Server, StockOutcome, state};

/// The connection's character set of the stock client in the C.UTF-8 locale, which is what the
/// oracle runs in.
pub(crate) fn stock_charset(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "utf8mb3",
        Flavor::MySql => "utf8mb4",
    }
}

/// What the stock client made of a file.
pub(crate) struct Oracle {
    pub(crate) outcome: StockOutcome,
    state: String,
}

/// What dbferry made of it.
pub(crate) struct Imported {
    pub(crate) exit: i32,
    pub(crate) errno: Option<u64>,
    pub(crate) stderr: String,
    pub(crate) report: serde_json::Value,
    state: String,
}

/// Imports with the stock client into a clean server.
pub(crate) fn oracle(server: &Server, file: &Path) -> Oracle {
    state::wipe(server).unwrap();
    let from = SystemTime::now();
    let outcome = server.import_stock(Some("imp"), file).unwrap();
    let state = state::canonical(server).unwrap();
    Oracle { outcome, state: state::mask_times(&state, from, SystemTime::now()) }
}

/// Imports with dbferry into a clean server.
pub(crate) fn imported(server: &Server, file: &Path, arguments: &[&str]) -> Imported {
    state::wipe(server).unwrap();
    let from = SystemTime::now();
    let output = dbferry()
        .arg("import")
        .arg(file)
        .args(["--to", &socket_url(server, "imp"), "--json", "--no-progress"])
        .args(["--default-character-set", stock_charset(server.flavor())])
        .args(arguments)
        .output()
        .unwrap();
    let state = state::canonical(server).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&output.stderr)));
    Imported {
        exit: output.status.code().unwrap_or(-1),
        errno: document["error"]["server_code"].as_u64(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        report: document["report"].clone(),
        state: state::mask_times(&state, from, SystemTime::now()),
    }
}

/// Why the two differ; nothing if they do not.
pub(crate) fn difference(oracle: &Oracle, imported: &Imported) -> Option<String> {
    let failed = oracle.outcome.exit != 0;
    if failed != (imported.exit != 0) {
        return Some(format!(
            "the stock client exits with {} ({}), dbferry with {}: {}",
            oracle.outcome.exit, oracle.outcome.message, imported.exit, imported.stderr
        ));
    }
    let errno = oracle.outcome.errno.map(u64::from);
    if errno != imported.errno {
        return Some(format!(
            "the stock client fails with {errno:?} ({}), dbferry with {:?}: {}",
            oracle.outcome.message, imported.errno, imported.stderr
        ));
    }
    (oracle.state != imported.state).then(|| state::diff(&oracle.state, &imported.state))
}

/// By socket, as the stock client connects: who is logged in shows in DEFINER clauses.
pub(crate) fn socket_url(server: &Server, database: &str) -> String {
    let (password, socket) = (server.root_password(), server.socket().display());
    format!("mysql://root:{password}@localhost/{database}?socket={socket}")
}

/// The program under test, with nothing of this user's settings.
pub(crate) fn dbferry() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbferry"));
    command.env_remove("DBFERRY_PASSWORD").env("HOME", "/nonexistent");
    command
}

/// Servers that take LOAD DATA LOCAL, which MySQL as it is shipped does not.
pub(crate) fn options() -> Options {
    Options { args: vec!["--local-infile=ON".to_owned()], ..Options::test() }
}

/// The modes that have to agree with the oracle. Small batches bring small files to the lanes.
pub(crate) const MODES: [&[&str]; 3] =
    [&["--serial"], &["--threads", "1"], &["--threads", "3", "--batch-bytes", "4000"]];

/// More of them, for small files: a lane for every statement.
pub(crate) const TINY_MODES: [&[&str]; 3] = [
    &["--serial"],
    &["--threads", "3", "--batch-bytes", "1"],
    &["--threads", "3", "--batch-bytes", "1", "--no-load-data"],
];

/// With every INSERT of more than a kilobyte in pieces.
pub(crate) const PIECES: &[&str] = &["--threads", "3", "--whole-bytes", "1000"];
