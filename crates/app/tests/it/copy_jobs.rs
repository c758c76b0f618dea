//! Copies as jobs of the native API and of `dbferry job copy`.

use nix::sys::signal::Signal;
use sandbox::{Flavor, Server};
use serde_json::{Value, json};

use crate::alibaba_sdk::Held;
use crate::interrupt::wait_until;
use crate::native::{check as api, create, is_over, job_when};
use crate::remote::run;
use crate::sameness;
use crate::service::{INSTANCE, Site};

mod once;
mod replicas;

/// The instance that is written.
const TARGET: &str = "rm-target1";

/// A service with a source and a target.
struct Pair {
    site: Site,
    target: Server,
}

impl Pair {
    fn start(flavor: Flavor, options: &[&str], environment: &[(&str, &str)]) -> Pair {
        let site = Site::start_on(flavor, options, environment);
        let target = Server::start_with(flavor, &sameness::options()).unwrap();
        site.register(TARGET, &site.key, &target.url(None), &[]);
        site.server.sql(THERE).unwrap();
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

/// What the source holds.
const THERE: &str = "
    CREATE DATABASE shop; USE shop;
    CREATE TABLE shop.orders (id INT PRIMARY KEY, note TEXT);
    INSERT INTO shop.orders WITH RECURSIVE d AS (SELECT 0 AS n UNION ALL SELECT n + 1 FROM d WHERE n < 99)
        SELECT 100 * a.n + b.n + 1, CONCAT('note ', 100 * a.n + b.n) FROM d a, d b WHERE a.n < 30;
    CREATE DATABASE stock;
    CREATE VIEW stock.late AS SELECT id FROM shop.orders WHERE id > 2990;
";

/// A file of settings.
struct Settings {
    file: tempfile::NamedTempFile,
}

impl Settings {
    fn new(text: &str) -> Settings {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Settings { file }
    }

    /// The service's options that name it.
    fn options(&self) -> [&str; 2] {
        ["--config", self.file.path().to_str().unwrap()]
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
fn databases_are_copied_by_a_job_also_under_other_names_on_mariadb() {
    check_life(Flavor::MariaDb);
}

#[test]
fn databases_are_copied_by_a_job_also_under_other_names_on_mysql() {
    check_life(Flavor::MySql);
}

fn check_life(flavor: Flavor) {
    let pair = Pair::start(flavor, &[], &[]);
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
    let listed = api(&pair.site, &pair.site.key, ("GET", "/api/v1/jobs", b""), 200);
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
fn a_job_says_what_becomes_of_definers_else_the_settings_do() {
    let settings = Settings::new("[copies]\ndefiner = \"app@%\"\n");
    let pair = Pair::start(Flavor::MariaDb, &settings.options(), &[]);
    let view = "CREATE DEFINER = 'nobody'@'%' VIEW shop.v AS SELECT 1 AS one";
    pair.site.server.sql(view).unwrap();
    let check = |options: &[&str], told: Value, expected: &str| {
        let copy =
            ["job", "copy", "--source", INSTANCE, "--instance", TARGET, "--databases", "shop"];
        run(&pair.site, &[&copy[..], &["--replace", "--watch"], options].concat(), 0);
        let query = "SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'shop'";
        assert_eq!(pair.target.sql(query).unwrap().trim(), expected);
        let listed = api(&pair.site, &pair.site.key, ("GET", "/api/v1/jobs", b""), 200);
        assert_eq!(listed["jobs"][0]["definer"], told);
    };
    check(&[], Value::Null, "app@%");
    check(&["--definer", "keep"], json!("keep"), "nobody@%");
    check(&["--definer", "strip"], json!("strip"), "root@127.0.0.1");
    check(&["--definer", "'reader'@'10.%'"], json!("'reader'@'10.%'"), "reader@10.%");
}

#[test]
fn what_cannot_be_copied_is_refused_before_there_is_a_job() {
    let pair = Pair::start(Flavor::MariaDb, &[], &[]);
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
    pair.check_refused(json!({"definer": "admin"}), (400, "invalid"));
    pair.check_refused(json!({"replica_lag_seconds_max": 0}), (400, "invalid"));
    pair.check_refused(json!({"replica_lag_seconds_max": 86_401}), (400, "invalid"));
    let replicas = |ids: &[&str]| json!({"replica_lag_seconds_max": 9, "replicas": ids});
    pair.check_refused(json!({"replicas": ["cdb-again"]}), (400, "invalid"));
    pair.check_refused(replicas(&[INSTANCE]), (400, "invalid"));
    pair.check_refused(replicas(&[TARGET]), (400, "invalid"));
    pair.check_refused(replicas(&["cdb-again", "cdb-again"]), (400, "invalid"));
    pair.check_refused(replicas(&["cdb-none"]), (404, "no-instance"));
    pair.check_refused(replicas(&["cdb-strangers"]), (404, "no-instance"));
    pair.target.sql("CREATE DATABASE shop; CREATE TABLE shop.old (id INT)").unwrap();
    pair.check_refused(json!({}), (409, "not-empty"));
    let (status, _) = create(&pair.site, &stranger, &request());
    assert_eq!(status, 404);
    let listed = api(&pair.site, &pair.site.key, ("GET", "/api/v1/jobs", b""), 200);
    assert_eq!(listed["total"], 0);
}

#[test]
fn a_copy_that_is_cancelled_leaves_the_target_on_mariadb() {
    check_cancelled(Flavor::MariaDb);
}

#[test]
fn a_copy_that_is_cancelled_leaves_the_target_on_mysql() {
    check_cancelled(Flavor::MySql);
}

fn check_cancelled(flavor: Flavor) {
    let pair = Pair::start(flavor, &[], &[]);
    let held = Held::on(&pair.site.server, "shop.orders WRITE");
    let id = pair.job(&request());
    job_when(&pair.site, &id, |job| job["state"] == "running");
    pair.check_refused(json!({}), (409, "busy"));
    let path = format!("/api/v1/jobs/{id}/cancel");
    api(&pair.site, &pair.site.key, ("POST", &path, b""), 202);
    let job = job_when(&pair.site, &id, is_over);
    assert_eq!(job["state"], "cancelled");
    drop(held);
    wait_until(|| pair.is_tidy());
    assert!(pair.target.sql("SHOW DATABASES LIKE 'shop'").unwrap().is_empty());
}

#[test]
fn a_job_whose_service_died_goes_on_with_what_was_copied_on_mariadb() {
    check_death(Flavor::MariaDb);
}

#[test]
fn a_job_whose_service_died_goes_on_with_what_was_copied_on_mysql() {
    check_death(Flavor::MySql);
}

fn check_death(flavor: Flavor) {
    let failpoint = [("DBFERRY_FAILPOINT", "rows copied:1")];
    let mut pair = Pair::start(flavor, &["--lease-seconds", "2"], &failpoint);
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
    let mut pair = Pair::start(Flavor::MariaDb, &["--lease-seconds", "2"], &failpoint);
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
    let failpoint = [("DBFERRY_FAILPOINT", "rows copied:1")];
    let mut pair = Pair::start(Flavor::MariaDb, &["--lease-seconds", "2"], &failpoint);
    let id = pair.job(&request());
    pair.site.wait_end();
    assert!(!pair.is_tidy());
    // The next attempt waits for the source, and is cancelled while it does.
    let held = Held::on(&pair.site.server, "shop.orders WRITE");
    pair.site.forget_environment();
    pair.site.restart();
    job_when(&pair.site, &id, |job| job["attempt"] == 2);
    let path = format!("/api/v1/jobs/{id}/cancel");
    api(&pair.site, &pair.site.key, ("POST", &path, b""), 202);
    assert_eq!(job_when(&pair.site, &id, is_over)["state"], "cancelled");
    drop(held);
    wait_until(|| pair.is_tidy());
    pair.site.service.end(Signal::SIGTERM);
}
