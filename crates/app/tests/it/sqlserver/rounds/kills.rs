//! A copy that is killed, or loses one of its sessions, at any moment: the target shows what it showed before, or the
//! copy, and whoever comes next tidies up or goes on.

use super::*;

/// Kills in an ordinary run; `DBFERRY_KILLS` sets another number.
const KILLS: usize = 4;

/// What is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Process,
    SourceSession,
    TargetSession,
}

const VICTIMS: [Victim; 4] =
    [Victim::Process, Victim::SourceSession, Victim::TargetSession, Victim::Process];
/// What the sessions of either side call themselves.
const SOURCE_PROGRAMS: [&str; 2] = ["dbferry copy reader", "dbferry copy catalogue"];
const TARGET_PROGRAMS: [&str; 4] =
    ["dbferry copy", "dbferry copy writer", "dbferry copy keys", "dbferry copy comparison"];

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_killed_copy_never_leaves_half_a_target() {
    let mut yard = Yard::start(3);
    for kill in 0..rounds("DBFERRY_KILLS", KILLS) {
        yard.reset();
        let resumes = yard.random.below(2) == 0;
        let mut command = yard.command();
        let mut child = command.args(resumes.then_some("--resume")).spawn().unwrap();
        let victim = VICTIMS[kill % VICTIMS.len()];
        yard.wait_with(&mut child);
        match victim {
            Victim::Process => child.kill().unwrap(),
            Victim::SourceSession => _ = yard.kill_one(&SOURCE_PROGRAMS),
            Victim::TargetSession => _ = yard.kill_one(&TARGET_PROGRAMS),
        }
        let ended = Ended::of(child.wait_with_output().unwrap());
        let what = format!("kill {kill} of {victim:?}, --resume: {resumes}: {}", ended.stderr);
        assert!(ended.exit != Some(2), "{what}");
        yard.wait_gone();
        if victim != Victim::Process {
            yard.check_clean(resumes, &ended, &what);
        }
        if resumes {
            yard.copy(&["--resume"]).check(0, &["copied"]);
            yard.check(true, &what);
            continue;
        }
        yard.repair();
        let shows_copy = yard.shows_copy(&what);
        yard.check(shows_copy, &what);
        if ended.exit == Some(0) {
            assert!(shows_copy, "{what}");
        }
        yard.copy(&[]).check(0, &["copied"]);
        yard.check(true, &what);
    }
}

impl Yard {
    /// A copy that could tidy up itself has done so, or says what it has left.
    #[track_caller]
    fn check_clean(&mut self, resumes: bool, ended: &Ended, what: &str) {
        let shows_copy = ended.exit == Some(0);
        if shows_copy || !(resumes || ended.stderr.contains("dbferry repair")) {
            self.check(shows_copy, what);
        }
    }
}
