//! A copy that dies, is killed or is stopped: the target shows what it showed before, or the copy.

use std::process::Stdio;

use sandbox::{Flavor, Server, state};

use super::{Pair, comparable};
use crate::import_errors::Ended;
use crate::interrupt::{end, interrupt, start, wait_until};
use crate::prefix::Random;
use crate::sameness::{self, dbferry};

/// Kills in an ordinary test run, for each server; `DBFERRY_KILLS` sets another number.
const KILLS: u64 = 7;

/// What is killed.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Process,
    Source,
    Target,
    SourceConnection,
    TargetConnection,
}

const VICTIMS: [Victim; 7] = [
    Victim::Process,
    Victim::SourceConnection,
    Victim::Process,
    Victim::Source,
    Victim::Target,
    Victim::TargetConnection,
    Victim::Process,
];

/// Where the process dies, and whether the target shows the copy afterwards.
const FAILPOINTS: [(&str, bool); 5] = [
    ("rows copied", false),
    ("before exchange", false),
    ("after exchange", false),
    ("programs made", false),
    ("copy settled", true),
];

/// What the target holds before: everything that a replacement has to take away, and give back.
const OLD: &str = "
CREATE DATABASE shop CHARACTER SET latin1; USE shop;
CREATE TABLE old_parent (id INT PRIMARY KEY);
CREATE TABLE orders (id INT PRIMARY KEY, p INT, CONSTRAINT f FOREIGN KEY (p) REFERENCES old_parent (id));
INSERT INTO old_parent VALUES (1); INSERT INTO orders VALUES (5,1);
CREATE VIEW v AS SELECT * FROM orders;
CREATE TRIGGER tr BEFORE INSERT ON orders FOR EACH ROW SET NEW.p = 1;
CREATE PROCEDURE p() SELECT 'old';
CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DO SELECT 'old';
";

const NEW: &str = "
CREATE DATABASE shop CHARACTER SET utf8mb4; USE shop;
CREATE TABLE orders (id INT PRIMARY KEY AUTO_INCREMENT, v VARCHAR(200), KEY (v));
CREATE TABLE items (id INT PRIMARY KEY, o INT, CONSTRAINT g FOREIGN KEY (o) REFERENCES orders (id));
CREATE VIEW v AS SELECT i.id FROM items i JOIN orders o ON o.id = i.o;
CREATE VIEW w AS SELECT * FROM v;
CREATE TRIGGER tr2 BEFORE INSERT ON items FOR EACH ROW SET @x = 1;
CREATE PROCEDURE p() SELECT 'new';
CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2036-01-01 00:00:00' DO SELECT 'new';
";

#[test]
fn a_copy_that_dies_is_undone_on_mariadb() {
    check_failpoints(Flavor::MariaDb);
}

#[test]
fn a_copy_that_dies_is_undone_on_mysql() {
    check_failpoints(Flavor::MySql);
}

fn check_failpoints(flavor: Flavor) {
    let shop = Shop::start(flavor, 50);
    for (name, shows_copy) in FAILPOINTS {
        shop.reset();
        let mut command = shop.pair.command("shop");
        command.arg("--replace").env("DBFERRY_FAILPOINT", format!("{name}:1"));
        let died = command.output().unwrap();
        assert_eq!(died.status.code(), None, "{name}: {}", Ended::of(died).stderr);
        let mut repair = dbferry();
        let url = sameness::socket_url(&shop.pair.target, "");
        let repaired = Ended::of(repair.args(["repair", "--to", &url]).output().unwrap());
        repaired.check(0, &["a copy that"]);
        shop.check(shows_copy, name);
    }
}

#[test]
fn a_killed_copy_never_leaves_half_a_target_on_mariadb() {
    check_kills(Flavor::MariaDb);
}

#[test]
fn a_killed_copy_never_leaves_half_a_target_on_mysql() {
    check_kills(Flavor::MySql);
}

/// Killed at random moments: dbferry, one of the servers, or one of its connections. The next copy
/// tidies up, or goes on, and succeeds.
fn check_kills(flavor: Flavor) {
    let shop = Shop::start(flavor, 20_000);
    let kills = std::env::var("DBFERRY_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    let mut random = Random::new(flavor as u64 + 3);
    for kill in 0..kills {
        shop.reset();
        let mut command = shop.pair.command("shop");
        command.args(["--replace", "--chunk-bytes", "200000"]);
        let resumes = random.below(2) == 0;
        if resumes {
            command.arg("--resume");
        }
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let victim = VICTIMS[kill as usize % VICTIMS.len()];
        for _ in 0..random.below(60) {
            if child.try_wait().unwrap().is_some() {
                break;
            }
            shop.pair.target.sql("SELECT 1").unwrap();
        }
        match victim {
            Victim::Process => child.kill().unwrap(),
            Victim::Source => shop.pair.source.kill().unwrap(),
            Victim::Target => shop.pair.target.kill().unwrap(),
            Victim::SourceConnection => kill_one(&shop.pair.source, &mut random),
            Victim::TargetConnection => kill_one(&shop.pair.target, &mut random),
        }
        let ended = Ended::of(child.wait_with_output().unwrap());
        match victim {
            Victim::Source => shop.pair.source.restart().unwrap(),
            Victim::Target => shop.pair.target.restart().unwrap(),
            Victim::Process | Victim::SourceConnection | Victim::TargetConnection => {}
        }
        assert!(ended.exit != Some(2), "{}", ended.stderr);
        let what = format!("kill {kill} of {victim:?}: {}", ended.stderr);
        if resumes {
            shop.pair.copy("shop", &["--replace", "--resume"]).check(0, &["copied"]);
            shop.check(true, &what);
            continue;
        }
        let url = sameness::socket_url(&shop.pair.target, "");
        let repair = dbferry().args(["repair", "--to", &url]).output().unwrap();
        Ended::of(repair).check(0, &[]);
        let shows_copy = comparable(&shop.pair.target) != shop.old;
        shop.check(shows_copy, &what);
        if ended.exit == Some(0) {
            assert!(shows_copy, "{what}");
        }
        shop.pair.copy("shop", &["--replace"]).check(0, &["copied"]);
        shop.check(true, &what);
    }
}

/// Ends one of the server's connections, whichever it is.
fn kill_one(server: &Server, random: &mut Random) {
    let query = "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND \
                 COMMAND NOT IN ('Daemon', 'Binlog Dump') AND USER NOT IN ('system user', \
                 'event_scheduler')";
    let ids = server.sql(query).unwrap();
    let ids: Vec<&str> = ids.lines().collect();
    if !ids.is_empty() {
        let id = ids[random.below(ids.len() as u64) as usize];
        // It may be gone already.
        let _ = server.sql(&format!("KILL {id}"));
    }
}

#[test]
fn ctrl_c_leaves_the_target_as_it_was() {
    for flavor in Flavor::ALL {
        let shop = Shop::start(flavor, 50_000);
        let mut command = shop.pair.command("shop");
        command.args(["--replace", "--threads", "1", "--no-load-data"]);
        let child = start(&mut command, Stdio::null());
        wait_until(|| !shop.pair.leftovers().is_empty());
        interrupt(&child);
        end(child).check(130, &["copy interrupted", "shows what it showed before"]);
        shop.check(false, "interrupted");
    }
}

/// A source with a shop, and a target with another one.
struct Shop {
    pair: Pair,
    old: String,
    new: String,
}

impl Shop {
    fn start(flavor: Flavor, orders: u64) -> Shop {
        let pair = Pair::start(flavor);
        let rows: Vec<String> = (1..=orders)
            .map(|id| format!("({id},'{}')", "x".repeat((id % 150) as usize)))
            .collect();
        let insert = format!("INSERT INTO orders VALUES {};\n", rows.join(","));
        let items = "INSERT INTO items VALUES (1,1),(2,3),(3,NULL);";
        pair.source.sql(&format!("{NEW}{insert}{items}")).unwrap();
        pair.target.sql(OLD).unwrap();
        let (old, new) = (comparable(&pair.target), comparable(&pair.source));
        Shop { pair, old, new }
    }

    /// The target as it was.
    fn reset(&self) {
        let target = &self.pair.target;
        state::wipe(target).unwrap();
        target.sql(&format!("DROP DATABASE imp; {OLD}")).unwrap();
        assert_eq!(comparable(target), self.old);
    }

    #[track_caller]
    fn check(&self, shows_copy: bool, what: &str) {
        assert_eq!(self.pair.leftovers(), [""; 0], "{what}");
        let wanted = if shows_copy { &self.new } else { &self.old };
        let found = comparable(&self.pair.target);
        assert!(found == *wanted, "{what}:\n{}", state::diff(wanted, &found));
    }
}
