//! One throwaway server: start, stop, kill, restart, and leave nothing behind.
//!
//! Promises: a started server answers; one that cannot start is an error that shows the end of its
//! log; a dropped one is stopped and its folder removed, unless the thread is panicking, when the
//! folder stays and the command that reopens it is printed. A server never outlives its process.
//! A process killed by a signal leaves its server's folder behind: nobody is left to remove it.

use crate::datadir::{self, MARIADB_REDO_LOG, ROOT_PASSWORD};
use crate::flavor::{self, Program, text};
use crate::port::{self, Port};
use crate::state::Globals;
use crate::tls::{self, Certificates};
use crate::{Error, Flavor, Result, spawner};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server that does not answer by then is reported; the first start after a crash recovers.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);
/// How long an ordered shutdown may take before the server is killed.
const STOP_LIMIT: Duration = Duration::from_secs(30);
/// The pause between two looks at a server that starts or stops.
pub(crate) const POLL: Duration = Duration::from_millis(10);
/// How much of the end of an error log is shown.
pub(crate) const LOG_TAIL: usize = 4_000;
/// Socket addresses end at 108 bytes, and some clients cut earlier.
const SOCKET_PATH_LIMIT: usize = 100;

/// How a server is set up. Start from [`Options::test`] or [`Options::bench`].
#[derive(Debug, Clone)]
pub struct Options {
    /// More server arguments; they come last and so override the others.
    pub args: Vec<String>,
    /// Gives the server a certificate signed by [`Server::ca_path`]. Without it the server is as
    /// its makers ship it: `MariaDB` 10.11 has no TLS, `MySQL` has a certificate nobody trusts.
    pub tls: bool,
    /// Keeps the server's own durability. Otherwise it survives being killed, not a power cut.
    pub durable: bool,
    /// Writes a binary log (`server-id=1`).
    pub binlog: bool,
    /// The `InnoDB` buffer pool in MiB.
    pub buffer_pool_mib: u32,
}

/// A running (or stopped) server in its own temporary folder.
#[derive(Debug)]
pub struct Server {
    flavor: Flavor,
    port: Port,
    socket: PathBuf,
    log: PathBuf,
    argv: Vec<String>,
    certificates: Option<Certificates>,
    process: Mutex<Option<Child>>,
    globals: Option<Globals>,
    folder: Option<TempDir>,
}

impl Options {
    /// Small and fast, with a binary log: for tests.
    #[must_use]
    pub fn test() -> Self {
        Self { args: Vec::new(), tls: false, durable: false, binlog: true, buffer_pool_mib: 64 }
    }

    /// Durable as shipped, with a buffer pool that holds the data: for benchmarks.
    #[must_use]
    pub fn bench() -> Self {
        Self { durable: true, buffer_pool_mib: 2048, ..Self::test() }
    }
}

impl Server {
    /// Starts a server with [`Options::test`].
    pub fn start(flavor: Flavor) -> Result<Self> {
        Self::start_with(flavor, &Options::test())
    }

    /// Starts a server and waits until it answers.
    pub fn start_with(flavor: Flavor, options: &Options) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("dbferry-")
            .tempdir()
            .map_err(Error::io("create a temporary folder"))?;
        let dir = folder.path();
        let socket = dir.join("sock");
        if socket.as_os_str().len() >= SOCKET_PATH_LIMIT {
            return Err(Error::Missing {
                what: format!("a temporary folder with a short name ({})", dir.display()),
                remedy: "unset TMPDIR",
            });
        }
        let port = port::reserve()?;
        datadir::create(flavor, &dir.join("data"))?;
        let temporary = dir.join("tmp");
        fs::create_dir(&temporary).map_err(Error::path("create", &temporary))?;
        let certificates = options.tls.then(|| tls::create(dir)).transpose()?;
        let argv = argv(flavor, options, dir, port.number, certificates.as_ref())?;
        let mut server = Self {
            flavor,
            port,
            socket,
            log: dir.join("error.log"),
            argv,
            certificates,
            process: Mutex::new(None),
            globals: None,
            folder: Some(folder),
        };
        server.launch(&mut server.process())?;
        server.globals = Some(Globals::read(&server)?);
        Ok(server)
    }

    /// The family.
    #[must_use]
    pub fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The TCP port on 127.0.0.1; the same after a restart.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number
    }

    /// The Unix socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The temporary folder: `data/`, `sock`, `error.log` and certificates.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.folder.as_ref().expect("the folder goes only in drop").path()
    }

    /// The password of `root@localhost` and `root@127.0.0.1`.
    #[must_use]
    pub fn root_password(&self) -> &str {
        ROOT_PASSWORD
    }

    /// The URL of the root account over TCP, with its password.
    #[must_use]
    pub fn url(&self, database: Option<&str>) -> String {
        let database = database.map(|name| format!("/{name}")).unwrap_or_default();
        format!("mysql://root:{ROOT_PASSWORD}@127.0.0.1:{}{database}", self.port())
    }

    /// The process id, while the server runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Child::id)
    }

    /// The authority that signed the server's certificate, with [`Options::tls`].
    #[must_use]
    pub fn ca_path(&self) -> Option<&Path> {
        self.certificates.as_ref().map(|files| files.ca.as_path())
    }

    /// An authority that signed nothing, with [`Options::tls`].
    #[must_use]
    pub fn unrelated_ca_path(&self) -> Option<&Path> {
        self.certificates.as_ref().map(|files| files.unrelated_ca.as_path())
    }

    /// The end of the server's error log.
    #[must_use]
    pub fn error_log_tail(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        let start = bytes.len().saturating_sub(LOG_TAIL);
        String::from_utf8_lossy(&bytes[start..]).into_owned()
    }

    /// Kills the server with SIGKILL, as a crash would, and waits for its end.
    pub fn kill(&self) -> Result<()> {
        self.end(Signal::SIGKILL)
    }

    /// Shuts the server down in order; kills it when that takes too long.
    pub fn stop(&self) -> Result<()> {
        self.end(Signal::SIGTERM)
    }

    /// Starts the server again with its data, port and arguments; stops it first if it runs.
    pub fn restart(&self) -> Result<()> {
        self.stop()?;
        self.launch(&mut self.process())
    }

    /// The variables as they were at the first start.
    pub(crate) fn globals(&self) -> &Globals {
        self.globals.as_ref().expect("read before the server is handed out")
    }

    fn process(&self) -> MutexGuard<'_, Option<Child>> {
        // The process handle stays right even if a thread panicked beside it.
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn launch(&self, process: &mut Option<Child>) -> Result<()> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .map_err(Error::path("open", &self.log))?;
        let error_log = log.try_clone().map_err(Error::path("open", &self.log))?;
        let mut command = Command::new(flavor::system_program("setpriv")?);
        command
            .args(["--pdeathsig", "KILL", "--"])
            .args(&self.argv)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(error_log)
            .current_dir(self.dir())
            // Ctrl-C on a terminal is for the one who started us; the server is stopped in order.
            .process_group(0);
        let mut child = spawner::spawn(command).map_err(Error::io("start the server"))?;
        let outcome = self.wait_ready(&mut child);
        if outcome.is_ok() {
            *process = Some(child);
        } else {
            let _ = child.kill();
            let _ = child.wait();
        }
        outcome
    }

    fn wait_ready(&self, child: &mut Child) -> Result<()> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            if greets(&self.socket) {
                return Ok(());
            }
            let ended = child.try_wait().map_err(Error::io("wait for the server"))?;
            let reason = match ended {
                Some(status) => format!("the server ended: {status}"),
                None if Instant::now() > deadline => format!("no answer in {START_LIMIT:?}"),
                None => {
                    thread::sleep(POLL);
                    continue;
                }
            };
            return Err(Error::Start {
                what: format!("{} in {}", self.flavor.name(), self.dir().display()),
                reason,
                log: self.error_log_tail(),
            });
        }
    }

    fn end(&self, signal: Signal) -> Result<()> {
        let mut process = self.process();
        let Some(mut child) = process.take() else { return Ok(()) };
        let ended = end_process(&mut child, signal).map_err(Error::io("stop the server"));
        // A killed server leaves its socket, which must not look like the next one's.
        let _ = fs::remove_file(&self.socket);
        ended.map(drop)
    }

    fn keep_folder(&mut self) {
        let Some(folder) = self.folder.take() else { return };
        let kept = folder.keep();
        let command: Vec<String> = self.argv.iter().map(|word| quote(word)).collect();
        let _ = writeln!(
            io::stderr(),
            "kept the {} server in {}\n  reopen: {}\n  log:    {}",
            self.flavor.name(),
            kept.display(),
            command.join(" "),
            self.log.display(),
        );
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody can handle an error here; a folder that stays is all that can be left behind.
        let _ = self.stop();
        if thread::panicking() {
            self.keep_folder();
        }
    }
}

fn argv(
    flavor: Flavor,
    options: &Options,
    dir: &Path,
    port: u16,
    certificates: Option<&Certificates>,
) -> Result<Vec<String>> {
    let mut argv = flavor.argv(Program::Server)?;
    argv.push("--no-defaults".into());
    argv.extend(flavor::user_argument().map(String::from));
    argv.extend(flavor.server_arguments()?);
    argv.push(format!("--datadir={}", text(&dir.join("data"))));
    argv.push(format!("--socket={}", text(&dir.join("sock"))));
    argv.push(format!("--pid-file={}", text(&dir.join("pid"))));
    // A server removes whatever temporary tables it finds in its own folder.
    argv.push(format!("--tmpdir={}", text(&dir.join("tmp"))));
    argv.push(format!("--port={port}"));
    argv.push(format!("--innodb-buffer-pool-size={}M", options.buffer_pool_mib));
    let fixed = ["--bind-address=127.0.0.1", "--skip-name-resolve", "--event-scheduler=OFF"];
    argv.extend(fixed.map(String::from));
    argv.push("--default-time-zone=+00:00".into());
    if flavor == Flavor::MariaDb {
        // As Debian configures it; the program's own default is latin1.
        argv.push("--character-set-server=utf8mb4".into());
        argv.push("--collation-server=utf8mb4_general_ci".into());
    }
    if options.binlog {
        argv.extend(["--log-bin=binlog", "--server-id=1"].map(String::from));
    } else {
        argv.push("--skip-log-bin".into());
    }
    if !options.durable {
        let relaxed = ["--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0"];
        argv.extend(relaxed.map(String::from));
        argv.push("--innodb-flush-method=nosync".into());
        if flavor == Flavor::MariaDb {
            argv.push(MARIADB_REDO_LOG.into());
        }
    }
    if let Some(files) = certificates {
        argv.push(format!("--ssl-ca={}", text(&files.ca)));
        argv.push(format!("--ssl-cert={}", text(&files.server)));
        argv.push(format!("--ssl-key={}", text(&files.server_key)));
    }
    argv.extend(options.args.iter().cloned());
    Ok(argv)
}

/// Whether a server greets on the socket: only one that is ready does, merely listening is not it.
fn greets(socket: &Path) -> bool {
    let Ok(mut stream) = UnixStream::connect(socket) else { return false };
    let mut head = [0_u8; 5];
    // The fifth byte is the protocol's version; an error packet (too many connections) has 0xff.
    stream.set_read_timeout(Some(Duration::from_secs(1))).is_ok()
        && stream.read_exact(&mut head).is_ok()
        && head[4] == 10
}

pub(crate) fn end_process(child: &mut Child, signal: Signal) -> io::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    let pid = i32::try_from(child.id()).expect("process ids are positive i32");
    kill(Pid::from_raw(pid), signal)?;
    let deadline = Instant::now() + STOP_LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        thread::sleep(POLL);
    }
    child.kill()?;
    child.wait()
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}
