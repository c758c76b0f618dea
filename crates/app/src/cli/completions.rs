//! `dbferry completions`: what a shell needs to complete our commands and options.

use clap::{Args as ClapArgs, CommandFactory};
use clap_complete::Shell;

use super::{Cli, Exit, print};

/// Arguments of `dbferry completions`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the command.
pub fn run(args: &Args) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "dbferry", &mut script);
    print(&String::from_utf8_lossy(&script));
    Exit::Done
}
