//! A service that dies between a copy's end and telling it: the copy is not done once more.

use sandbox::Flavor;
use serde_json::json;

use super::{Pair, TARGET, request};
use crate::interrupt::wait_until;
use crate::native::{check as api, is_over, job_when};

/// Where the service dies, whether something is replaced, and whether all was done by then.
const DEATHS: [(&str, bool, bool); 6] = [
    ("after exchange", false, false),
    ("programs made", true, false),
    ("copy settled", false, true),
    ("copy settled", true, true),
    ("copy ended", false, true),
    ("copy ended", true, true),
];

#[test]
fn a_copy_is_done_once_whenever_the_service_dies_on_mariadb() {
    check_deaths(Flavor::MariaDb);
}

#[test]
fn a_copy_is_done_once_whenever_the_service_dies_on_mysql() {
    check_deaths(Flavor::MySql);
}

/// The source goes on: what it has after the death is copied only if the first attempt was not complete.
fn check_deaths(flavor: Flavor) {
    let mut pair = Pair::start(flavor, &["--lease-seconds", "2"], &[]);
    for (number, (place, replace, is_done)) in DEATHS.into_iter().enumerate() {
        let what = format!("{flavor:?}, {place}, {replace}");
        pair.target.sql("DROP DATABASE IF EXISTS shop").unwrap();
        if replace {
            pair.target.sql("CREATE DATABASE shop; CREATE TABLE shop.old (id INT)").unwrap();
        }
        pair.dies_at(place);
        let mut asked = request();
        asked["replace"] = json!(replace);
        let id = pair.job(&asked);
        pair.site.wait_end();
        let then = pair.source_sum();
        let change = format!("UPDATE shop.orders SET note = 'later {number}' WHERE id = 3");
        pair.site.server.sql(&change).unwrap();
        pair.site.forget_environment();
        pair.site.restart();
        let job = job_when(&pair.site, &id, is_over);
        let how = (&job["state"], &job["attempt"]);
        assert_eq!(how, (&json!("succeeded"), &json!(2)), "{what}: {job}");
        let did = (&job["result"]["tables"], &job["result"]["rows"], &job["result"]["left_behind"]);
        assert_eq!(did, (&json!(1), &json!(3000), &json!([])), "{what}: {job}");
        let wanted = if is_done { then } else { pair.source_sum() };
        assert_eq!(pair.sum("shop"), wanted, "{what}");
        wait_until(|| pair.is_tidy());
        assert_eq!(pair.target.sql("SHOW TABLES FROM shop").unwrap().trim(), "orders", "{what}");
    }
}

#[test]
fn a_copy_that_is_shown_is_no_more_cancelled() {
    // Long enough to cancel the job before somebody takes it up again.
    let mut pair = Pair::start(Flavor::MariaDb, &["--lease-seconds", "10"], &[]);
    pair.dies_at("copy settled");
    let id = pair.job(&request());
    pair.site.wait_end();
    pair.site.forget_environment();
    pair.site.restart();
    let path = format!("/api/v1/jobs/{id}/cancel");
    api(&pair.site, &pair.site.key, ("POST", &path, b""), 202);
    let job = job_when(&pair.site, &id, is_over);
    let how = (&job["state"], &job["attempt"], &job["cancel_requested"]);
    assert_eq!(how, (&json!("succeeded"), &json!(2), &json!(true)), "{job}");
    assert_eq!(pair.sum("shop"), pair.source_sum());
    wait_until(|| pair.is_tidy());
}

#[test]
fn what_tells_that_a_copy_is_shown_goes_with_the_next_copy_at_the_latest() {
    let mut pair = Pair::start(Flavor::MariaDb, &["--lease-seconds", "2"], &[]);
    pair.dies_at("job told");
    let id = pair.job(&request());
    pair.site.wait_end();
    assert!(!pair.is_tidy());
    pair.site.forget_environment();
    pair.site.restart();
    assert_eq!(job_when(&pair.site, &id, |_| true)["state"], "succeeded");
    let mut asked = request();
    asked["databases"] = json!([{"name": "stock"}]);
    asked["instance"] = json!(TARGET);
    let id = pair.job(&asked);
    assert_eq!(job_when(&pair.site, &id, is_over)["state"], "succeeded");
    wait_until(|| pair.is_tidy());
    assert_eq!(pair.sum("shop"), pair.source_sum());
}

impl Pair {
    /// Starts the service anew, to die there.
    fn dies_at(&mut self, place: &str) {
        self.site.service.end(nix::sys::signal::Signal::SIGTERM);
        self.site.set_environment("DBFERRY_FAILPOINT", &format!("{place}:1"));
        self.site.restart();
    }
}
