//! `dbferry man`: a manual page for each command, as roff files in a folder.

use std::path::PathBuf;

use clap::{Args as ClapArgs, CommandFactory};

use super::{Cli, Exit, complain};

/// Arguments of `dbferry man`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The folder, which is made if it is not there
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
pub fn run(args: &Args) -> Exit {
    let written = std::fs::create_dir_all(&args.folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), &args.folder));
    match written {
        Ok(()) => Exit::Done,
        Err(error) => {
            complain(&format!("write manual pages into {}: {error}", args.folder.display()));
            Exit::Usage
        }
    }
}
