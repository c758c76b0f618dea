//! `sandbox`: throwaway servers and dumps from the command line.
//!
//! Servers run until Ctrl-C (or SIGTERM) and leave nothing behind. Passwords are printed: they
//! protect nothing.

use clap::{Parser, Subcommand, ValueEnum};
use nix::sys::signal::{SigSet, Signal};
use sandbox::inputs::{self, Input};
use sandbox::{Flavor, Options, Postgres, Server, measure, tpch};
use std::error::Error;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Throwaway database servers and test dumps.
#[derive(Debug, Parser)]
#[command(name = "sandbox")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Run MariaDB servers until Ctrl-C
    Mariadb(Servers),
    /// Run MySQL servers until Ctrl-C
    Mysql(Servers),
    /// Run a PostgreSQL server until Ctrl-C
    Postgres,
    /// Write a TPC-H dump made by a real dump program
    Tpch(Tpch),
    /// Write a generated dump in the hand of a dump program
    Input(InputArguments),
    /// Run a program against a fresh, durable server, and print elapsed seconds, its CPU seconds,
    /// the server's CPU seconds, its peak memory and the server's in KiB
    Measure(Measure),
    /// Print a server's name and version
    Version {
        /// The server
        #[arg(long, value_enum, default_value_t = ServerName::Mariadb)]
        server: ServerName,
    },
}

#[derive(Debug, clap::Args)]
struct Servers {
    /// How many
    #[arg(long, default_value_t = 1, value_name = "N")]
    count: usize,
    /// With certificates of a throwaway authority
    #[arg(long)]
    tls: bool,
    /// With the durability the server is shipped with
    #[arg(long)]
    durable: bool,
    /// The InnoDB buffer pool
    #[arg(long, default_value_t = 64, value_name = "MIB")]
    buffer_pool: u32,
    /// More arguments for the server
    #[arg(last = true, value_name = "ARGUMENT")]
    args: Vec<String>,
}

#[derive(Debug, clap::Args)]
struct Tpch {
    /// The scale factor; 1 is about 1.25 GB
    #[arg(long, default_value_t = 0.1)]
    scale: f64,
    /// Where the dump goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The server that makes it
    #[arg(long, value_enum, default_value_t = ServerName::Mariadb)]
    server: ServerName,
    /// Add a procedure, a function, a trigger and a view
    #[arg(long)]
    extras: bool,
}

#[derive(Debug, clap::Args)]
struct InputArguments {
    /// The kind
    #[arg(value_enum)]
    name: InputName,
    /// Whose dump program it looks like
    #[arg(long, value_enum, default_value_t = ServerName::Mariadb)]
    server: ServerName,
    /// 1 is 100 to 150 MB, or 2,000 small tables
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Where the dump goes
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
struct Measure {
    /// The server
    #[arg(long, value_enum, default_value_t = ServerName::Mariadb)]
    server: ServerName,
    /// One more argument for the server
    #[arg(long, value_name = "ARGUMENT", allow_hyphen_values = true)]
    server_arg: Vec<String>,
    /// A dump that the stock client loads first, unmeasured
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// The program's standard input
    #[arg(long, value_name = "FILE")]
    stdin: Option<PathBuf>,
    /// The program, with {socket}, {port} and {password}; the stock client if there is none
    #[arg(last = true, value_name = "WORD")]
    words: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InputName {
    WideText,
    Blobs,
    SmallTables,
    SecondaryIndexes,
    Phpmyadmin,
}

impl From<InputName> for Input {
    fn from(name: InputName) -> Self {
        match name {
            InputName::WideText => Self::WideText,
            InputName::Blobs => Self::Blobs,
            InputName::SmallTables => Self::SmallTables,
            InputName::SecondaryIndexes => Self::SecondaryIndexes,
            InputName::Phpmyadmin => Self::PhpMyAdmin,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ServerName {
    Mariadb,
    Mysql,
}

impl From<ServerName> for Flavor {
    fn from(name: ServerName) -> Self {
        match name {
            ServerName::Mariadb => Self::MariaDb,
            ServerName::Mysql => Self::MySql,
        }
    }
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().task {
        Task::Mariadb(servers) => run(Flavor::MariaDb, servers),
        Task::Mysql(servers) => run(Flavor::MySql, servers),
        Task::Postgres => run_postgres(),
        Task::Tpch(arguments) => write_tpch(&arguments),
        Task::Input(arguments) => write_input(&arguments),
        Task::Measure(arguments) => run_measure(arguments),
        Task::Version { server } => print_version(server.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "sandbox: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(flavor: Flavor, servers: Servers) -> Result<(), Box<dyn Error>> {
    let signals = block_signals()?;
    let options = Options {
        args: servers.args,
        tls: servers.tls,
        durable: servers.durable,
        buffer_pool_mib: servers.buffer_pool,
        ..Options::test()
    };
    let mut running = Vec::new();
    for _ in 0..servers.count {
        let server = Server::start_with(flavor, &options)?;
        describe(&server, &mut io::stdout().lock())?;
        running.push(server);
    }
    writeln!(io::stdout(), "Ctrl-C stops and removes them.")?;
    signals.wait()?;
    drop(running);
    Ok(())
}

fn run_postgres() -> Result<(), Box<dyn Error>> {
    let signals = block_signals()?;
    let server = Postgres::start()?;
    let mut out = io::stdout().lock();
    writeln!(out, "postgres")?;
    writeln!(out, "  url     {}", server.url("postgres"))?;
    writeln!(out, "  folder  {}", server.dir().display())?;
    writeln!(out, "Ctrl-C stops and removes it.")?;
    signals.wait()?;
    Ok(())
}

/// Blocks them before any thread exists, so that every thread leaves them to the wait.
fn block_signals() -> Result<SigSet, Box<dyn Error>> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;
    Ok(signals)
}

fn describe(server: &Server, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    writeln!(out, "{} {}", server.flavor().name(), server.flavor().version()?)?;
    writeln!(out, "  url     {}", server.url(None))?;
    writeln!(out, "  socket  {}", server.socket().display())?;
    writeln!(out, "  folder  {}", server.dir().display())?;
    if let Some(ca) = server.ca_path() {
        writeln!(out, "  ca      {}", ca.display())?;
    }
    writeln!(out, "  client  {}", server.client_line()?)?;
    Ok(())
}

fn write_tpch(arguments: &Tpch) -> Result<(), Box<dyn Error>> {
    let plan = tpch::Plan {
        flavor: arguments.server.into(),
        scale: arguments.scale,
        extras: arguments.extras,
    };
    tpch::dump(&plan, &arguments.out, &mut io::stderr())?;
    Ok(())
}

fn write_input(arguments: &InputArguments) -> Result<(), Box<dyn Error>> {
    let plan = inputs::Plan {
        input: arguments.name.into(),
        flavor: arguments.server.into(),
        scale: arguments.scale,
    };
    inputs::write(&plan, &arguments.out)?;
    Ok(())
}

fn run_measure(arguments: Measure) -> Result<(), Box<dyn Error>> {
    let measured = measure::run(&measure::Plan {
        flavor: arguments.server.into(),
        server_args: arguments.server_arg,
        before: arguments.before,
        stdin: arguments.stdin,
        words: arguments.words,
    })?;
    writeln!(
        io::stdout(),
        "{:.3} {:.2} {:.2} {} {}",
        measured.elapsed_seconds,
        measured.program_cpu_seconds,
        measured.server_cpu_seconds,
        measured.program_peak_kib,
        measured.server_peak_kib
    )?;
    Ok(())
}

fn print_version(flavor: Flavor) -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "{} {}", flavor.name(), flavor.version()?)?;
    Ok(())
}
