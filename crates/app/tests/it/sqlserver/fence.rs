//! A service that stands still in a copy between SQL Servers while another takes the job over, and then goes on: it
//! writes nothing, and its session does not keep the other from anything.

use nix::sys::signal::Signal;
use serde_json::json;

use super::*;
use crate::native::{create, is_over, job_when};

/// Copies take what they take: nextest ends a test that hangs.
fn wait_for(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        std::thread::yield_now();
    }
}

fn stands_still(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    rest.starts_with('T')
}

/// The databases that a copy replaces are wholly the new ones once the second service has ended the job.
#[track_caller]
fn check_place(place: &str) {
    let bench = Bench::start();
    for name in [NEW_SHOP, NEW_STOCK] {
        bench.run("master", &[&format!("CREATE DATABASE {}", quoted(name))]);
        bench.run(name, &["CREATE TABLE dbo.old (id int)", "INSERT INTO dbo.old VALUES (1)"]);
    }
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(settings.path(), "[copies]\ncheck_milliseconds = 60000\n").unwrap();
    let options = ["--lease-seconds", "2", "--config", settings.path().to_str().unwrap()];
    let mut site = Site::start_with_store(&options, &[("DBFERRY_FAILPOINT", place)]);
    for id in [SOURCE, TARGET] {
        site.register(id, &site.key, &url(), &[]);
        site.look_at(id, &site.key);
    }
    let request = json!({
        "kind": "copy",
        "source": SOURCE,
        "instance": TARGET,
        "databases": [{"name": SHOP, "as": NEW_SHOP}, {"name": STOCK, "as": NEW_STOCK}],
        "replace": true,
    });
    let (status, job) = create(&site, &site.key, &request);
    assert_eq!(status, 201, "{job}");
    wait_for(|| stands_still(site.service.id()));
    let mut first = site.start_second();
    let ended = job_when(&site, job["id"].as_str().unwrap(), is_over);
    assert_eq!(ended["state"], "succeeded", "{place}: {ended}");
    first.signal(Signal::SIGCONT);
    wait_for(|| first.log().contains("job is lost"));
    assert_eq!(first.end(Signal::SIGTERM).code(), Some(0), "{}", first.log());
    wait_for(|| bench.beginning("dbferry_copy_") == 0);
    bench.check_same();
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_service_that_stood_still_with_its_definitions_tried_writes_nothing() {
    check_place("programs tried:1:stop");
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_service_that_stood_still_with_rows_copied_writes_nothing() {
    check_place("rows copied:1:stop");
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_service_that_stood_still_before_the_exchange_writes_nothing() {
    check_place("before exchange:1:stop");
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_service_that_stood_still_after_the_exchange_writes_nothing() {
    check_place("programs made:1:stop");
}
