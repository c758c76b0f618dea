//! `dbferry repair`: puts back what runs that are gone have left changed on a server, and says so.
//!
//! Touches settings only, never data. Runs that still go on are left alone.

use clap::Args as ClapArgs;
use engine::import::fast::{self, Repaired, Unrestored};

use super::connection::{self, Target};
use super::{Exit, complain, say};

/// Arguments of `dbferry repair`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    target: Target,
}

/// Runs the command.
pub fn run(args: &Args) -> Exit {
    let endpoint = match connection::resolve(&args.target) {
        Ok(endpoint) => endpoint,
        Err(text) => {
            complain(&text);
            return Exit::Usage;
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("start the runtime: {error}"));
            return Exit::Usage;
        }
    };
    match runtime.block_on(fast::repair(&endpoint)) {
        Ok(repaired) => {
            let lines = tell(&repaired);
            if lines.is_empty() && repaired.failed.is_empty() {
                say(&format!("{}: nothing to repair", endpoint.redacted()));
            }
            lines.iter().for_each(|line| say(line));
            complain_of(&repaired.failed)
        }
        Err(error) => {
            complain(&error.to_string());
            Exit::of(error.exit_code())
        }
    }
}

/// What was found, a line each; nothing if there was nothing.
pub(super) fn tell(repaired: &Repaired) -> Vec<String> {
    let mut lines = Vec::new();
    for change in &repaired.restored {
        lines.push(format!("put back {} = {}", change.variable, change.before));
    }
    for change in &repaired.left_alone {
        lines.push(format!(
            "left alone {}: it is no longer what was set; somebody else or a restart was first",
            change.variable
        ));
    }
    for connection in &repaired.runs_alive {
        lines.push(format!(
            "left alone what the fast import of connection {connection} has set: it still goes on. \
             If that is gone for sure: KILL {connection}, and repair again"
        ));
    }
    if repaired.rows_of_others > 0 {
        lines.push(format!(
            "{} rows of dbferry.settings belong to another server, of which this is a copy",
            repaired.rows_of_others
        ));
    }
    lines
}

/// Says what could not be put back and how to do it by hand.
pub(super) fn complain_of(failed: &[Unrestored]) -> Exit {
    for setting in failed {
        let Unrestored { variable, value, statement, error } = setting;
        complain(&format!("put back {variable} = {value}: {error}"));
        say(&format!("  by hand: {statement}"));
    }
    failed.first().map_or(Exit::Done, |setting| Exit::of(setting.error.exit_code()))
}
