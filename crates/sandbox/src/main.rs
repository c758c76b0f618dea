//! `sandbox`: throwaway servers and dumps from the command line.
//!
//! Servers run until Ctrl-C (or SIGTERM) and leave nothing behind. Passwords are printed: they
//! protect nothing.

use clap::{Parser, Subcommand, ValueEnum};
use nix::sys::signal::{SigSet, Signal};
use sandbox::{Flavor, Options, Server, tpch};
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
    /// Write a TPC-H dump made by a real dump program
    Tpch(Tpch),
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
        Task::Tpch(arguments) => write_tpch(&arguments),
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
    // Blocked before any thread exists, so that every thread leaves these signals to the wait.
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGINT);
    signals.add(Signal::SIGTERM);
    signals.thread_block()?;

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
