//! A service that stands still while another takes its job over, and then goes on: it writes nothing, be
//! the job an import or a copy.

use std::fmt::Write as _;

use nix::sys::signal::Signal;
use sandbox::{Flavor, Server, state};
use serde_json::json;

use crate::native::{create, is_over, job_when};
use crate::sameness;
use crate::service::{REGION, Site};

/// Where the first service stands still: before it has written anything, between its last question
/// and its first statement, and with rows on their way.
const PLACES: [&str; 5] = [
    "before the ledger:1:stop",
    "before asking:1:stop",
    "before the file:1:stop",
    "before commit:2:stop",
    "lane before commit:2:stop",
];
/// Rows of the large table: some batches of 4 MiB.
const ROWS: usize = 60_000;
const INSTANCE: &str = "db-1";

/// Tables without unique keys, so that a row that comes twice stays twice.
fn dump() -> String {
    let mut text =
        String::from("CREATE TABLE small (id INT);\nINSERT INTO small VALUES (1),(2);\n");
    text.push_str("CREATE TABLE big (id INT, filler VARCHAR(300), KEY (id));\n");
    let filler = "x".repeat(250);
    for rows in (0..ROWS).collect::<Vec<_>>().chunks(200) {
        let rows: Vec<String> = rows.iter().map(|id| format!("({id},'{filler}')")).collect();
        writeln!(text, "INSERT INTO big VALUES {};", rows.join(",")).unwrap();
    }
    text.push_str("INSERT INTO small VALUES (3);\nUPDATE small SET id = id + 10;\n");
    text
}

/// Where the first service stands still in a copy: with tables made, with rows brought, and around the
/// moment from which the target shows them.
const COPY_PLACES: [&str; 6] = [
    "programs tried:1:stop",
    "rows copied:1:stop",
    "before exchange:1:stop",
    "after exchange:1:stop",
    "programs made:1:stop",
    "copy settled:1:stop",
];
/// Of the copy's source.
const SHOP: &str = "CREATE DATABASE shop; USE shop; CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(40), KEY \
                    by_note (note)); INSERT INTO orders VALUES (1, 'one'), (2, 'two'); CREATE VIEW late AS SELECT id \
                    FROM orders; CREATE TRIGGER stamp BEFORE INSERT ON orders FOR EACH ROW SET NEW.note = 'new'";

fn wait_until(is_so: impl Fn() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

/// A job's ledger goes a moment after the job's end is told.
fn wait_tidy(server: &Server) {
    wait_until(|| server.sql("SHOW DATABASES LIKE 'dbferry'").unwrap().is_empty());
}

/// Whether a process is suspended.
pub(crate) fn stands_still(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.starts_with('T')
}

fn tells_loss(log: &str) -> bool {
    ["on a job is lost", "on the job is lost"].iter().any(|text| log.contains(text))
}

fn check(flavor: Flavor) {
    let server = Server::start_with(flavor, &sameness::options()).unwrap();
    let dump = dump();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("dump.sql");
    std::fs::write(&file, &dump).unwrap();
    let make = "CREATE DATABASE imp";
    server.sql(make).unwrap();
    assert_eq!(server.import_stock(Some("imp"), &file).unwrap().exit, 0);
    let wanted = state::canonical(&server).unwrap();
    for place in PLACES {
        server.sql("DROP DATABASE imp; CREATE DATABASE imp").unwrap();
        let lease = ["--lease-seconds", "2"];
        let mut site = Site::start_with_store(&lease, &[("DBFERRY_FAILPOINT", place)]);
        site.register(INSTANCE, &site.key, &server.url(None), &["--region", REGION]);
        site.upload(&site.key, "a.sql", dump.as_bytes());
        let request = json!({"instance": INSTANCE, "file": "a.sql", "database": "imp"});
        let (status, job) = create(&site, &site.key, &request);
        assert_eq!(status, 201, "{job}");
        wait_until(|| stands_still(site.service.id()));
        let mut first = site.start_second();
        let ended = job_when(&site, job["id"].as_str().unwrap(), is_over);
        assert_eq!(
            (&ended["state"], &ended["attempt"]),
            (&json!("succeeded"), &json!(2)),
            "{ended}"
        );
        wait_tidy(&server);
        first.signal(Signal::SIGCONT);
        wait_until(|| tells_loss(&first.log()));
        assert_eq!(first.end(Signal::SIGTERM).code(), Some(0), "{}", first.log());
        wait_tidy(&server);
        let state = state::canonical(&server).unwrap();
        assert!(state == wanted, "{flavor:?}, {place}:\n{}", state::diff(&wanted, &state));
    }
}

#[test]
fn a_service_that_stood_still_writes_nothing_on_mariadb() {
    check(Flavor::MariaDb);
}

#[test]
fn a_service_that_stood_still_writes_nothing_on_mysql() {
    check(Flavor::MySql);
}

/// The database that a copy replaces is either wholly the old one or wholly the new one.
fn check_copy(flavor: Flavor) {
    let source = Server::start_with(flavor, &sameness::options()).unwrap();
    let target = Server::start_with(flavor, &sameness::options()).unwrap();
    source.sql(SHOP).unwrap();
    let wanted = state::canonical(&source).unwrap();
    for place in COPY_PLACES {
        let old =
            "DROP DATABASE IF EXISTS shop; CREATE DATABASE shop; CREATE TABLE shop.old (id INT)";
        target.sql(old).unwrap();
        let lease = ["--lease-seconds", "2"];
        let mut site = Site::start_with_store(&lease, &[("DBFERRY_FAILPOINT", place)]);
        site.register("db-source", &site.key, &source.url(None), &["--region", REGION]);
        site.register(INSTANCE, &site.key, &target.url(None), &["--region", REGION]);
        let request = json!({
            "kind": "copy",
            "source": "db-source",
            "instance": INSTANCE,
            "databases": [{"name": "shop"}],
            "replace": true,
        });
        let (status, job) = create(&site, &site.key, &request);
        assert_eq!(status, 201, "{job}");
        wait_until(|| stands_still(site.service.id()));
        let mut first = site.start_second();
        let ended = job_when(&site, job["id"].as_str().unwrap(), is_over);
        let how = (&ended["state"], &ended["attempt"]);
        assert_eq!(how, (&json!("succeeded"), &json!(2)), "{place}: {ended}");
        first.signal(Signal::SIGCONT);
        wait_until(|| tells_loss(&first.log()));
        assert_eq!(first.end(Signal::SIGTERM).code(), Some(0), "{}", first.log());
        wait_until(|| target.sql("SHOW DATABASES LIKE 'dbferry%'").unwrap().is_empty());
        let state = state::canonical(&target).unwrap();
        assert!(state == wanted, "{flavor:?}, {place}:\n{}", state::diff(&wanted, &state));
    }
}

#[test]
fn a_copys_service_that_stood_still_writes_nothing_on_mariadb() {
    check_copy(Flavor::MariaDb);
}

#[test]
fn a_copys_service_that_stood_still_writes_nothing_on_mysql() {
    check_copy(Flavor::MySql);
}
