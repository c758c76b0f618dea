//! One throwaway `PostgreSQL` server, for tests of what keeps its own tables in one.
//!
//! Promises: a started server takes connections; one that cannot start is an error that shows the
//! end of its log; a dropped one is stopped and its folder removed. It ends with its process. A
//! process killed by a signal leaves the folder behind: nobody is left to remove it.
//!
//! `PostgreSQL` refuses to run as root, so root runs it as `nobody`. It is never durable. Restarts,
//! TLS and dumps are deliberately not here: `PostgreSQL` is no target of imports.

use crate::datadir::ROOT_PASSWORD;
use crate::flavor::{system_program, text};
use crate::port::{self, Port};
use crate::server::{LOG_TAIL, POLL, START_LIMIT, end_process};
use crate::{Error, Result, spawner};
use nix::sys::signal::Signal;
use nix::unistd::{Gid, Uid, chown, getuid};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Where Debian puts each version's programs.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The superuser of every throwaway server.
const USER: &str = "sandbox";
/// Debian's `nobody` and `nogroup`.
const NOBODY: u32 = 65_534;
/// A server with tests in it needs no more.
const SETTINGS: [&str; 6] = [
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "shared_buffers=32MB",
];

/// A running server in its own temporary folder.
#[derive(Debug)]
pub struct Postgres {
    port: Port,
    process: Child,
    folder: TempDir,
}

impl Postgres {
    /// Starts a server of the newest version installed and waits until it takes connections.
    pub fn start() -> Result<Self> {
        let programs = programs()?;
        let folder = tempfile::Builder::new()
            .prefix("dbferry-")
            .tempdir()
            .map_err(Error::io("create a temporary folder"))?;
        let port = port::reserve()?;
        initialise(&programs, folder.path())?;
        let process = launch(&programs, folder.path(), port.number)?;
        let mut server = Self { port, process, folder };
        server.wait_ready()?;
        Ok(server)
    }

    /// The URL of the superuser over TCP, with its password.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{ROOT_PASSWORD}@127.0.0.1:{}/{database}", self.port.number)
    }

    /// The TCP port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// The process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The temporary folder: `data/` and `error.log`.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    fn wait_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        while !takes_connections(self.port.number) {
            let ended = self.process.try_wait().map_err(Error::io("wait for the server"))?;
            let reason = match ended {
                Some(status) => format!("the server ended: {status}"),
                None if Instant::now() > deadline => format!("no answer in {START_LIMIT:?}"),
                None => {
                    thread::sleep(POLL);
                    continue;
                }
            };
            return Err(Error::Start {
                what: format!("postgres in {}", self.dir().display()),
                reason,
                log: log_tail(self.dir()),
            });
        }
        Ok(())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The data is thrown away: an immediate shutdown frees the shared memory and that is all.
        let _ = end_process(&mut self.process, Signal::SIGQUIT);
    }
}

/// The folder with the programs of the newest version.
fn programs() -> Result<PathBuf> {
    let version = |entry: fs::DirEntry| -> Option<(u32, PathBuf)> {
        let number = entry.file_name().to_str()?.parse().ok()?;
        let programs = entry.path().join("bin");
        programs.join("postgres").is_file().then_some((number, programs))
    };
    let versions = fs::read_dir(VERSIONS).ok();
    let newest = versions.into_iter().flatten().flatten().filter_map(version).max();
    newest.map(|(_, programs)| programs).ok_or_else(|| Error::Missing {
        what: format!("{VERSIONS}/*/bin/postgres"),
        remedy: "make setup",
    })
}

/// A command that runs `program`, as `nobody` if we are root, and ends with us.
fn command(program: &Path) -> Result<Command> {
    let mut command = Command::new(system_program("setpriv")?);
    if getuid().is_root() {
        command.arg(format!("--reuid={NOBODY}")).arg(format!("--regid={NOBODY}"));
        command.arg("--clear-groups");
    }
    // As in `drop`: killing it would leave its shared memory behind.
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
    Ok(command)
}

fn initialise(programs: &Path, dir: &Path) -> Result<()> {
    let password = dir.join("password");
    fs::write(&password, ROOT_PASSWORD).map_err(Error::path("write", &password))?;
    if getuid().is_root() {
        let owner = (Some(Uid::from_raw(NOBODY)), Some(Gid::from_raw(NOBODY)));
        for path in [dir, &password] {
            chown(path, owner.0, owner.1)
                .map_err(|error| Error::path("hand over", path)(error.into()))?;
        }
    }
    let output = command(&programs.join("initdb"))?
        .args(["--no-sync", "--locale=C", "--encoding=UTF8", "--auth=scram-sha-256"])
        .arg(format!("--username={USER}"))
        .arg(format!("--pwfile={}", text(&password)))
        .arg(format!("--pgdata={}", text(&dir.join("data"))))
        .current_dir(dir)
        .output()
        .map_err(Error::io("run initdb"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(Error::Start {
        what: format!("initdb in {}", dir.display()),
        reason: output.status.to_string(),
        log: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

fn launch(programs: &Path, dir: &Path, port: u16) -> Result<Child> {
    let path = dir.join("error.log");
    let log = File::create(&path).map_err(Error::path("create", &path))?;
    let output = log.try_clone().map_err(Error::path("open", &path))?;
    let mut command = command(&programs.join("postgres"))?;
    command.arg("-D").arg(dir.join("data")).arg("-p").arg(port.to_string());
    for setting in SETTINGS {
        command.args(["-c", setting]);
    }
    command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(log)
        .current_dir(dir)
        // Ctrl-C on a terminal is for the one who started us.
        .process_group(0);
    spawner::spawn(command).map_err(Error::io("start the server"))
}

/// Whether the server asks who we are: while it starts it answers with an error instead.
fn takes_connections(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { return false };
    let mut hello = Vec::new();
    // Protocol 3.0 ("Message Formats", StartupMessage): length, version, pairs, a zero.
    let pairs = format!("user\0{USER}\0database\0postgres\0\0");
    let length = u32::try_from(8 + pairs.len()).expect("a short message");
    hello.extend(length.to_be_bytes());
    hello.extend(0x0003_0000_u32.to_be_bytes());
    hello.extend(pairs.as_bytes());
    let mut kind = [0_u8];
    stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && stream.write_all(&hello).is_ok()
        && stream.read_exact(&mut kind).is_ok()
        && kind == *b"R"
}

fn log_tail(dir: &Path) -> String {
    let bytes = fs::read(dir.join("error.log")).unwrap_or_default();
    let start = bytes.len().saturating_sub(LOG_TAIL);
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}
