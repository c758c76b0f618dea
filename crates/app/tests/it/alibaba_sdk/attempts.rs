//! Copies of a service that dies, copies that fail, and copies that come at once.

use std::sync::Barrier;

use nix::sys::signal::Signal;
use sandbox::{Flavor, state};
use serde_json::json;

use super::{Client, DATABASES, Held, Pair, SOURCE, TARGET};
use crate::copy::comparable;
use crate::interrupt::wait_until;

/// How often two ask at once.
const ROUNDS: usize = 3;

/// The source's tables are there when the service comes again, whenever it died: those of now, or where
/// all was done (`is_done`) those of then.
fn check_death(flavor: Flavor, place: &str, is_done: bool) {
    let failpoint = format!("{place}:1");
    let environment = [("DBFERRY_FAILPOINT", failpoint.as_str())];
    let mut pair = Pair::start_on(flavor, &["--lease-seconds", "2"], &environment);
    pair.fill();
    let then = comparable(&pair.site.server);
    let mut client = Client::start(&pair.site, &pair.site.key, "newest");
    let id = client.submit();
    pair.site.wait_end();
    pair.site.server.sql("UPDATE shop.customers SET balance = 70 WHERE id = 2").unwrap();
    let now = comparable(&pair.site.server);
    pair.site.forget_environment();
    pair.site.restart();
    client.follow();
    assert_eq!(client.import_status(&id), "Success");
    wait_until(|| pair.is_tidy());
    let wanted = if is_done { &then } else { &now };
    let found = comparable(&pair.target);
    assert!(found == *wanted, "{place}:\n{}", state::diff(wanted, &found));
}

#[test]
fn a_copy_survives_that_the_service_dies_with_all_rows_copied() {
    check_death(Flavor::MariaDb, "rows copied", false);
}

#[test]
fn a_copy_survives_that_the_service_dies_before_the_exchange() {
    check_death(Flavor::MariaDb, "before exchange", false);
}

#[test]
fn a_copy_survives_that_the_service_dies_after_the_exchange() {
    check_death(Flavor::MariaDb, "after exchange", false);
}

#[test]
fn a_copy_is_done_once_if_the_service_dies_when_all_is_shown_on_mariadb() {
    check_death(Flavor::MariaDb, "copy settled", true);
}

#[test]
fn a_copy_is_done_once_if_the_service_dies_before_it_is_told_on_mysql() {
    check_death(Flavor::MySql, "copy ended", true);
}

#[test]
fn the_settings_say_what_becomes_of_definers() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("dbferry.toml");
    std::fs::write(&config, "[copies]\ndefiner = \"app@%\"\n").unwrap();
    let pair = Pair::start(&["--config", config.to_str().unwrap()]);
    pair.fill();
    let mut client = Client::start(&pair.site, &pair.site.key, "newest");
    let id = client.submit();
    client.follow();
    assert_eq!(client.import_status(&id), "Success");
    let definers = "SELECT DEFINER FROM information_schema.VIEWS WHERE TABLE_SCHEMA = 'shop' UNION SELECT \
                    DEFINER FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = 'shop' UNION SELECT \
                    DEFINER FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = 'shop'";
    assert_eq!(pair.target.sql(definers).unwrap().trim(), "app@%");
}

#[test]
fn a_copy_that_waits_survives_a_kill() {
    let mut pair = Pair::start(&["--lease-seconds", "2"]);
    pair.fill();
    let mut client = Client::start(&pair.site, &pair.site.key, "newest");
    let held = Held::on(&pair.site.server, "shop.orders WRITE");
    let id = client.submit();
    wait_until(|| client.import_status(&id) == "FullImporting");
    pair.site.service.end(Signal::SIGKILL);
    pair.site.restart();
    assert_eq!(client.status(TARGET), "ImportingFromOthers");
    drop(held);
    client.follow();
    assert_eq!(client.import_status(&id), "Success");
    pair.check_same("killed");
}

#[test]
fn a_copy_that_fails_says_why_and_leaves_the_target() {
    let pair = Pair::start(&[]);
    pair.fill();
    let before = state::canonical(&pair.target).unwrap();
    // Nobody can make it again.
    let broken = "CREATE VIEW shop.broken AS SELECT * FROM shop.orders; RENAME TABLE shop.orders TO \
                  shop.gone";
    pair.site.server.sql(broken).unwrap();
    for mode in ["classic-typed", "newest-xml", "pop-post"] {
        let mut client = Client::start(&pair.site, &pair.site.key, mode);
        let id = client.submit();
        client.follow();
        let listed = client.listed(&id);
        assert_eq!(listed["ImportDataStatus"], "Failed");
        let why = super::text(&listed["ImportDataStatusDescription"]);
        assert!(why.contains("view shop.broken") && why.contains("1146"), "{why}");
        let asked = json!({"DBInstanceId": TARGET, "ImportId": id.parse::<i64>().unwrap()});
        client.check_refused("OperationDenied.IncorrectTaskStatus", "CancelImport", &asked);
        pair.check_untouched(&before, mode);
    }
}

#[test]
fn of_copies_asked_for_at_once_one_has_an_instance() {
    const OTHER: &str = "rm-other1";
    let pair = Pair::start(&[]);
    pair.fill();
    pair.site.register(OTHER, &pair.site.key, &pair.target.url(None), &[]);
    let _held = Held::on(&pair.site.server, "shop.orders WRITE");
    for _ in 0..ROUNDS {
        let start = Barrier::new(2);
        let ask = |target: &str| {
            let mut client = Client::start(&pair.site, &pair.site.key, "classic-get");
            let parameters = json!({
                "DBInstanceId": target,
                "SourceDBInstanceId": SOURCE,
                "DBInfo": DATABASES,
            });
            // The key is known then, and the SDK is loaded.
            client.call("DescribeRegions", &json!({}));
            start.wait();
            let action = "ImportDatabaseBetweenInstances";
            client.told(&json!({"action": action, "parameters": parameters}))
        };
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(|| ask(TARGET));
            let other = scope.spawn(|| ask(OTHER));
            (one.join().unwrap(), other.join().unwrap())
        });
        let (target, id, code) = match (one, other) {
            (Ok(answer), Err((code, _))) => (TARGET, answer["ImportId"].clone(), code),
            (Err((code, _)), Ok(answer)) => (OTHER, answer["ImportId"].clone(), code),
            both => panic!("{both:?}"),
        };
        assert_eq!(code, "OperationDenied.DBInstanceStatus");
        let mut client = Client::start(&pair.site, &pair.site.key, "classic-get");
        client.call("CancelImport", &json!({"DBInstanceId": target, "ImportId": id}));
        wait_until(|| client.status(SOURCE) == "Running");
    }
}
