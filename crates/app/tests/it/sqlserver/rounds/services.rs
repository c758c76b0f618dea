//! A service that is killed in the midst of a copy, and starts again: the job is gone on with, and ends right.

use nix::sys::signal::Signal;
use serde_json::json;

use super::cancels::request;
use super::*;
use crate::native::{create, is_over, job_when};

/// Kills in an ordinary run; `DBFERRY_KILLS` sets another number.
const KILLS: usize = 4;
/// Where the service dies, if it is not killed at a random moment.
const PLACES: [&str; 7] = [
    "chunk copied:3",
    "rows copied:1",
    "before exchange:1",
    "database moved:2",
    "after exchange:1",
    "programs made:1",
    "copy settled:1",
];

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_service_that_is_killed_goes_on_with_its_copy() {
    let mut yard = Yard::start(17);
    let (mut site, _settings) = yard.bench.site_with("", &["--lease-seconds", "2"]);
    for round in 0..rounds("DBFERRY_KILLS", KILLS) {
        yard.reset();
        let place = (round % 2 == 1).then(|| PLACES[round / 2 % PLACES.len()]);
        if let Some(place) = place {
            site.service.end(Signal::SIGTERM);
            site.set_environment("DBFERRY_FAILPOINT", place);
            site.restart();
        }
        let (status, job) = create(&site, &site.key, &request());
        assert_eq!(status, 201, "{job}");
        match place {
            Some(_) => site.wait_end(),
            None => {
                yard.wait();
                site.service.end(Signal::SIGKILL);
            }
        }
        site.forget_environment();
        site.restart();
        let ended = job_when(&site, job["id"].as_str().unwrap(), is_over);
        let what = format!("round {round}, {place:?}: {ended}");
        assert_eq!(ended["state"], json!("succeeded"), "{what}");
        wait_until(|| yard.leftovers().is_empty());
        yard.wait_gone();
        yard.check(true, &what);
    }
}
