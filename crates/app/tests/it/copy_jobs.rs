//! Copies as jobs of the native API and of `dbferry job copy`.

use nix::sys::signal::Signal;
use sandbox::{Flavor, Server};
use serde_json::{Value, json};

use crate::alibaba_sdk::Held;
use crate::interrupt::wait_until;
use crate::native::{check, create, is_over, job_when};
use crate::remote::run;
use crate::sameness;
use crate::service::{INSTANCE, Site};

/// The instance that is written.
const TARGET: &str = "rm-target1";

/// A service with a source and a target.
struct Pair {
    site: Site,
    target: Server,
}

impl Pair {
    fn start(options: &[&str], environment: &[(&str, &str)]) -> Pair {
        let site = Site::start_in(options, environment);
        let target = Server::start_with(Flavor::MariaDb, &sameness::options()).unwrap();
        site.register(TARGET, &site.key, &target.url(None), &[]);
        site.server
            .sql(
                "CREATE DATABASE shop; USE shop; CREATE TABLE shop.orders (id INT PRIMARY KEY, note TEXT); \
                 INSERT INTO shop.orders SELECT seq, CONCAT('note ', seq) FROM seq_1_to_3000; CREATE \
                 DATABASE stock; CREATE VIEW stock.late AS SELECT id FROM shop.orders WHERE id > 2990",
            )
            .unwrap();
        Pair { site, target }
    }

    /// What the target's copy of the shop holds.
    fn sum(&self, shop: &str) -> String {
        let query = format!("SELECT COUNT(*), SUM(CRC32(CONCAT(id, note))) FROM {shop}.orders");
        self.target.sql(&query).unwrap()
    }

    fn source_sum(&self) -> String {
        let query = "SELECT COUNT(*), SUM(CRC32(CONCAT(id, note))) FROM shop.orders";
        self.site.server.sql(query).unwrap()
    }

    fn is_tidy(&self) -> bool {
        self.target.sql("SHOW DATABASES LIKE 'dbferry%'").unwrap().is_empty()
    }

    /// Makes a job; its id.
    #[track_caller]
    fn job(&self, request: &Value) -> String {
        let (status, document) = create(&self.site, &self.site.key, request);
        assert_eq!(status, 201, "{document}");
        document["id"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    fn check_refused(&self, change: Value, expected: (u16, &str)) {
        let mut request = request();
        request.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (status, document) = create(&self.site, &self.site.key, &request);
        let kind = document["type"].as_str().unwrap();
        assert_eq!((status, kind.rsplit(':').next().unwrap()), expected, "{document}");
    }
}

fn request() -> Value {
    json!({
        "kind": "copy",
        "source": INSTANCE,
        "instance": TARGET,
        "databases": [{"name": "shop"}],
    })
}

#[test]
fn databases_are_copied_by_a_job_also_under_other_names() {
    let pair = Pair::start(&[], &[]);
    let copy = ["job", "copy", "--source", INSTANCE, "--instance", TARGET, "--databases"];
    let arguments = [&copy[..], &["shop:shop_2026,stock", "--watch"]].concat();
    let (stdout, stderr) = run(&pair.site, &arguments, 0);
    assert_eq!(stdout, "");
    let told =
        format!("copied shop:shop_2026,stock of {INSTANCE} into {TARGET}: 1 tables, 3,000 rows");
    assert!(stderr.contains(&told), "{stderr}");
    assert_eq!(pair.sum("shop_2026"), pair.source_sum());
    assert_eq!(pair.target.sql("SELECT COUNT(*) FROM stock.late").unwrap().trim(), "10");
    wait_until(|| pair.is_tidy());
    let listed = check(&pair.site, &pair.site.key, ("GET", "/api/v1/jobs", b""), 200);
    let job = &listed["jobs"][0];
    assert_eq!(job["kind"], "copy");
    assert_eq!((&job["source"], &job["instance"]), (&json!(INSTANCE), &json!(TARGET)));
    let databases = json!([{"name": "shop", "as": "shop_2026"}, {"name": "stock", "as": null}]);
    assert_eq!(job["databases"], databases);
    assert_eq!((&job["replace"], &job["verify"]), (&json!(false), &json!("checksum")));
    assert_eq!((&job["percent"], &job["result"]["rows"]), (&json!(100), &json!(3000)));
    assert_eq!((&job["file"], &job["url"]), (&Value::Null, &Value::Null));
    // What is there now is not replaced unless that is said.
    let (_, stderr) = run(&pair.site, &[&copy[..], &["shop:shop_2026"]].concat(), 2);
    assert!(stderr.contains("holds something"), "{stderr}");
    pair.site.server.sql("DELETE FROM shop.orders WHERE id > 7").unwrap();
    let again = ["shop:shop_2026", "--replace", "--verify", "rows", "--watch"];
    run(&pair.site, &[&copy[..], &again[..]].concat(), 0);
    assert_eq!(pair.sum("shop_2026"), pair.source_sum());
}

#[test]
fn what_cannot_be_copied_is_refused_before_there_is_a_job() {
    let pair = Pair::start(&[], &[]);
    let stranger = pair.site.new_key("stranger");
    pair.site.add_instance("cdb-strangers", &stranger);
    pair.site.add_instance("cdb-again", &pair.site.key);
    pair.check_refused(json!({"source": "cdb-none"}), (404, "no-instance"));
    pair.check_refused(json!({"instance": "cdb-none"}), (404, "no-instance"));
    pair.check_refused(json!({"source": "cdb-strangers"}), (404, "no-instance"));
    pair.check_refused(json!({"instance": INSTANCE}), (409, "same-server"));
    pair.check_refused(json!({"instance": "cdb-again"}), (409, "same-server"));
    pair.check_refused(json!({"databases": [{"name": "absent"}]}), (404, "no-database"));
    pair.check_refused(json!({"databases": [{"name": "mysql"}]}), (400, "invalid"));
    pair.check_refused(json!({"databases": []}), (400, "invalid"));
    pair.check_refused(
        json!({"databases": [{"name": "shop"}, {"name": "shop"}]}),
        (400, "invalid"),
    );
    pair.check_refused(json!({"kind": "move"}), (400, "invalid"));
    pair.check_refused(json!({"file": "shop.sql"}), (400, "invalid"));
    pair.check_refused(json!({"kind": "import"}), (400, "invalid"));
    pair.target.sql("CREATE DATABASE shop; CREATE TABLE shop.old (id INT)").unwrap();
    pair.check_refused(json!({}), (409, "not-empty"));
    let (status, _) = create(&pair.site, &stranger, &request());
    assert_eq!(status, 404);
    let listed = check(&pair.site, &pair.site.key, ("GET", "/api/v1/jobs", b""), 200);
    assert_eq!(listed["total"], 0);
}

#[test]
fn a_copy_that_is_cancelled_leaves_the_target() {
    let pair = Pair::start(&[], &[]);
    let held = Held::on(&pair.site.server, "shop.orders WRITE");
    let id = pair.job(&request());
    job_when(&pair.site, &id, |job| job["state"] == "running");
    pair.check_refused(json!({}), (409, "busy"));
    let path = format!("/api/v1/jobs/{id}/cancel");
    check(&pair.site, &pair.site.key, ("POST", &path, b""), 202);
    let job = job_when(&pair.site, &id, is_over);
    assert_eq!(job["state"], "cancelled");
    drop(held);
    wait_until(|| pair.is_tidy());
    assert!(pair.target.sql("SHOW DATABASES LIKE 'shop'").unwrap().is_empty());
}

#[test]
fn a_job_whose_service_died_goes_on_with_what_was_copied() {
    let failpoint = [("DBFERRY_FAILPOINT", "rows copied:1")];
    let mut pair = Pair::start(&["--lease-seconds", "2"], &failpoint);
    let id = pair.job(&request());
    pair.site.wait_end();
    pair.site.server.sql("UPDATE shop.orders SET note = 'later' WHERE id = 3").unwrap();
    pair.site.forget_environment();
    pair.site.restart();
    let job = job_when(&pair.site, &id, is_over);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("succeeded"), &json!(2)), "{job}");
    assert_eq!(pair.sum("shop"), pair.source_sum());
    wait_until(|| pair.is_tidy());
}

#[test]
fn nothing_of_the_first_copy_is_brought_twice() {
    let failpoint = [("DBFERRY_FAILPOINT", "rows copied:1")];
    let mut pair = Pair::start(&["--lease-seconds", "2"], &failpoint);
    let id = pair.job(&request());
    pair.site.wait_end();
    pair.site.forget_environment();
    pair.site.restart();
    let job = job_when(&pair.site, &id, is_over);
    let (rows, bytes) = (&job["result"]["rows"], &job["result"]["bytes"]);
    assert_eq!((rows, bytes), (&json!(3000), &json!(0)), "{job}");
    assert_eq!(pair.sum("shop"), pair.source_sum());
}

#[test]
fn a_copy_that_waits_for_another_attempt_is_tidied_when_it_is_cancelled() {
    let mut pair =
        Pair::start(&["--lease-seconds", "2"], &[("DBFERRY_FAILPOINT", "rows copied:1")]);
    let id = pair.job(&request());
    pair.site.wait_end();
    assert!(!pair.is_tidy());
    // The next attempt waits for the source, and is cancelled while it does.
    let held = Held::on(&pair.site.server, "shop.orders WRITE");
    pair.site.forget_environment();
    pair.site.restart();
    job_when(&pair.site, &id, |job| job["attempt"] == 2);
    let path = format!("/api/v1/jobs/{id}/cancel");
    check(&pair.site, &pair.site.key, ("POST", &path, b""), 202);
    assert_eq!(job_when(&pair.site, &id, is_over)["state"], "cancelled");
    drop(held);
    wait_until(|| pair.is_tidy());
    pair.site.service.end(Signal::SIGTERM);
}
