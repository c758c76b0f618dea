//! A copy that dies or fails at each step of showing its databases: the target shows the old ones or the new ones.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::*;
use crate::fence::stands_still;

/// Where the process dies, and whether the target shows the copy afterwards.
const DEATHS: [(&str, bool); 10] = [
    ("chunk copied:3", false),
    ("rows copied:1", false),
    ("before exchange:1", false),
    ("database moved:1", false),
    ("database moved:2", false),
    ("database moved:3", false),
    ("database moved:4", false),
    ("after exchange:1", false),
    ("programs made:1", false),
    ("copy settled:1", true),
];

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_copy_that_dies_at_any_step_is_undone() {
    check_deaths(5, false);
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_copy_that_dies_at_any_step_is_gone_on_with() {
    check_deaths(8, true);
}

/// Half of the rounds, and of the places: all of them, if there are rounds enough.
fn check_deaths(seed: u64, resumes: bool) {
    let mut yard = Yard::start(seed);
    for round in 0..rounds("DBFERRY_KILLS", DEATHS.len()).div_ceil(2) {
        let at = 2 * round + usize::from(resumes) + 2 * round / DEATHS.len();
        let (place, shows_copy) = DEATHS[at % DEATHS.len()];
        let what = format!("{place}, --resume: {resumes}");
        yard.reset();
        let mut command = yard.command();
        command.args(resumes.then_some("--resume")).env("DBFERRY_FAILPOINT", place);
        let died = command.output().unwrap();
        assert_eq!(died.status.code(), None, "{what}: {}", Ended::of(died).stderr);
        yard.wait_gone();
        if resumes {
            yard.copy(&["--resume"]).check(0, &["copied"]);
            yard.check(true, &what);
        } else {
            assert!(!yard.leftovers().is_empty(), "{what}");
            yard.repair();
            yard.check(shows_copy, &what);
        }
    }
}

/// The process lives and sees that it fails, so it tidies up itself.
#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_copy_that_fails_at_any_step_of_publishing_leaves_the_target() {
    let mut yard = Yard::start(6);
    // Before it publishes it has another way to tidy up.
    let losses = DEATHS.split_at(2).1;
    for round in 0..rounds("DBFERRY_KILLS", losses.len()) {
        let (place, shows_copy) = losses[round % losses.len()];
        yard.reset();
        let mut command = yard.command();
        let child = command.env("DBFERRY_FAILPOINT", format!("{place}:stop")).spawn().unwrap();
        wait_until(|| stands_still(child.id()));
        assert!(yard.kill_one(&["dbferry copy"]), "{place}: no session to lose");
        kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGCONT).unwrap();
        let ended = Ended::of(child.wait_with_output().unwrap());
        assert_eq!(ended.exit == Some(0), shows_copy, "{place}: {}", ended.stderr);
        yard.wait_gone();
        yard.check(shows_copy, &format!("{place}: {}", ended.stderr));
    }
}

/// What somebody else makes under the target's name while the databases are moved is not lost.
#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_name_that_is_taken_meanwhile_is_told() {
    let mut yard = Yard::start(7);
    yard.reset();
    let mut command = yard.command();
    let child = command.env("DBFERRY_FAILPOINT", "database moved:2:stop").spawn().unwrap();
    wait_until(|| stands_still(child.id()));
    yard.make(NEW_SHOP, &["CREATE TABLE dbo.foreign_one (id int NOT NULL)"]);
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGCONT).unwrap();
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert_eq!(ended.exit, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("dbferry repair"), "{}", ended.stderr);
    yard.wait_gone();
    let kept = format!("SELECT COUNT(*) FROM {NEW_SHOP}.dbo.foreign_one");
    assert_eq!(yard.count(&kept), 0);
    // Once the name is free, what was there can come back.
    yard.remove(NEW_SHOP);
    yard.repair();
    yard.check(false, "repaired");
}
