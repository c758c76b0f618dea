//! `dbferry repair`: puts back what runs that are gone have left changed on a server, and says so.
//!
//! Touches settings, what copies that died made for their own use or were about to publish, and with
//! `--forget` the indexes that tables wait for; never a row. Runs that still go on are left alone. On a SQL
//! Server there are copies only.

use clap::Args as ClapArgs;
use engine::copy;
use engine::copy::past::Wait;
use engine::endpoint::{Endpoint, Family};
use engine::error::Error;
use engine::import::fast::{self, Repaired, Unrestored};
use engine::import::ledger::{self, Unfinished};
use engine::import::resume::{self, GivenUp};

use super::connection::{self, Target};
use super::{Exit, complain, say};

/// Arguments of `dbferry repair`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(flatten)]
    target: Target,
    /// Also end imports that died and will not be resumed: build the indexes that their tables wait
    /// for, and forget them. What they brought in stays
    #[arg(long)]
    forget: bool,
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
    if endpoint.family == Family::SqlServer && args.forget {
        complain("--forget: this means nothing for a SQL Server, which takes no imports");
        return Exit::Usage;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            complain(&format!("start the runtime: {error}"));
            return Exit::Usage;
        }
    };
    runtime.block_on(repair(&endpoint, args.forget)).unwrap_or_else(|error| {
        complain(&error.to_string());
        Exit::of(error.exit_code())
    })
}

async fn repair(endpoint: &Endpoint, forgets: bool) -> Result<Exit, Error> {
    let (lines, exit) = match endpoint.family {
        Family::MySql => repair_mysql(endpoint, forgets).await?,
        Family::SqlServer => (repair_copies(endpoint).await?, Exit::Done),
    };
    // A failure was told already.
    if lines.is_empty() && exit == Exit::Done {
        say(&format!("{}: nothing to repair", endpoint.redacted()));
    }
    lines.iter().for_each(|line| say(line));
    Ok(exit)
}

async fn repair_mysql(endpoint: &Endpoint, forgets: bool) -> Result<(Vec<String>, Exit), Error> {
    let repaired = fast::repair(endpoint).await?;
    let mut lines = tell(&repaired);
    let mut exit = complain_of(&repaired.failed);
    lines.extend(repair_copies(endpoint).await?);
    if forgets {
        for given_up in resume::give_up(endpoint).await? {
            lines.extend(tell_forgotten(&given_up));
            if let Some((_, error)) = given_up.failed.first() {
                exit = Exit::of(error.exit_code());
            }
        }
    } else {
        lines.extend(ledger::unfinished(endpoint, 0).await?.iter().map(tell_unfinished));
    }
    Ok((lines, exit))
}

/// What was done about copies that died, a line each.
async fn repair_copies(endpoint: &Endpoint) -> Result<Vec<String>, Error> {
    let copies = copy::repair(endpoint, None, Wait::ForDead).await?;
    Ok(copies.into_iter().map(|copy| copy.what).collect())
}

fn tell_unfinished(import: &Unfinished) -> String {
    let Unfinished { identity, started, position, .. } = import;
    let (file, offset) = (&identity.file, position.offset);
    match import.is_alive {
        true => format!("the import of {file} that began {started} still goes on"),
        false => format!(
            "the import of {file} that began {started} ended at byte {offset}: dbferry import … \
             --resume goes on with it, dbferry repair --forget ends it"
        ),
    }
}

fn tell_forgotten(given_up: &GivenUp) -> Vec<String> {
    let Unfinished { identity, started, .. } = &given_up.import;
    let mut lines: Vec<String> =
        given_up.built.iter().map(|table| format!("built the indexes of {table}")).collect();
    for (deferral, error) in &given_up.failed {
        let shown = deferral.shown();
        complain(&format!("build the indexes of {shown}: {error}"));
        lines.push(format!("  by hand: {}", deferral.add.join("; ")));
    }
    if given_up.failed.is_empty() {
        lines.push(format!("forgot the import of {} that began {started}", identity.file));
    }
    lines
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
