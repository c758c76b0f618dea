//! The commands, and how a command's end becomes an exit code.
//!
//! One file per command: arguments as typed, resolved, then run. Nothing here reads files or talks
//! to servers.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod address;
pub mod completions;
pub mod config;
pub mod connection;
pub mod copy;
pub mod import;
pub mod inspect;
pub mod instance;
pub mod job;
pub mod key;
pub mod man;
pub mod meter;
pub mod progress_bar;
pub mod remote;
pub mod repair;
pub mod sealing_key;
pub mod serve;
pub mod upload;
pub mod uploads;

/// Loads SQL dump files into MySQL and MariaDB servers, and copies databases between them.
#[derive(Debug, Parser)]
#[command(name = "dbferry", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Load a SQL dump into a server, with the outcome of the stock client
    Import(import::Args),
    /// Copy databases from one live server to another, as of one moment
    Copy(copy::Args),
    /// Tell what is in a SQL dump: tables, rows, generator, hazards
    Inspect(inspect::Args),
    /// Put right what runs that died left on a server: settings of `import --fast`, half-made copies
    Repair(repair::Args),
    /// Run the service: imports as jobs behind an HTTP API
    Serve(serve::Args),
    /// Keys of the service's accounts
    Key(key::Args),
    /// Servers that the service imports into
    Instance(instance::Args),
    /// The key that the service's secrets are sealed with
    SealingKey(sealing_key::Args),
    /// Send a file to a service
    Upload(upload::Args),
    /// List the files that a service has
    Uploads(uploads::Args),
    /// Jobs of a service
    Job(job::Args),
    /// The service's settings
    Config(config::Args),
    /// Print what a shell needs to complete commands and options
    Completions(completions::Args),
    /// Write manual pages into a folder
    Man(man::Args),
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// The data failed: a statement, a row, a file.
    DataFailed,
    /// The arguments or the configuration are wrong.
    Usage,
    /// A server could not be reached, was lost, or refused the login.
    NoServer,
    /// Somebody pressed Ctrl-C.
    Interrupted,
}

impl Exit {
    /// The process's exit code.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::DataFailed => 1,
            Exit::Usage => 2,
            Exit::NoServer => 3,
            Exit::Interrupted => 130,
        }
    }

    /// The word that a report has for a run that ended so; what it did counts, not what came after.
    pub fn outcome(self, failed: bool) -> &'static str {
        match (failed, self) {
            (false, _) => "succeeded",
            (true, Exit::Interrupted) => "interrupted",
            (true, _) => "failed",
        }
    }

    /// The exit that an engine's error code stands for.
    pub fn of(code: u8) -> Exit {
        match code {
            0 => Exit::Done,
            2 => Exit::Usage,
            3 => Exit::NoServer,
            130 => Exit::Interrupted,
            _ => Exit::DataFailed,
        }
    }
}

/// The whole program.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    if let Err(error) = connection::hide_secrets(&arguments) {
        complain(&error);
        return ExitCode::from(Exit::Usage.code());
    }
    let exit = match Cli::parse_from(arguments).command {
        Command::Import(args) => import::run(args),
        Command::Copy(args) => copy::run(args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Repair(args) => repair::run(&args),
        Command::Serve(args) => serve::run(args),
        Command::Key(args) => key::run(args),
        Command::Instance(args) => instance::run(args),
        Command::SealingKey(args) => sealing_key::run(args),
        Command::Upload(args) => upload::run(args),
        Command::Uploads(args) => uploads::run(args),
        Command::Job(args) => job::run(args),
        Command::Config(args) => config::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    };
    ExitCode::from(exit.code())
}

/// Runs a command that has to wait for others.
pub fn wait_for<F: Future<Output = Result<(), String>>>(work: F) -> Exit {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => Err(format!("start the runtime: {error}")),
    };
    match outcome {
        Ok(()) => Exit::Done,
        Err(text) => {
            complain(&text);
            Exit::Usage
        }
    }
}

/// Says what went wrong, on stderr.
pub fn complain(text: &str) {
    say(&format!("dbferry: error: {text}"));
}

/// Says something to people, on stderr.
pub fn say(text: &str) {
    // Without a stderr there is nobody to tell.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Writes data to stdout; a closed pipe ends it quietly.
pub fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}
