//! One program against one fresh server, measured from outside: time, processor time of both, and
//! memory of both.
//!
//! Promises: the server is new, its page cache and buffer pool hold nothing of earlier runs, and what
//! is prepared before the program starts is not counted. It knows no particular program.

use crate::client::printable;
use crate::{Error, Flavor, Options, Result, Server};
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The unit of times in `/proc/PID/stat`: `USER_HZ`, the same on all Linux systems (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;
/// How often the program's peak memory is read; it is gone from `/proc` when the program ends.
const MEMORY_POLL: Duration = Duration::from_millis(20);

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The server's family.
    pub flavor: Flavor,
    /// More arguments for the server; otherwise it is as [`Options::bench`].
    pub server_args: Vec<String>,
    /// A dump that the stock client loads first, unmeasured.
    pub before: Option<PathBuf>,
    /// The program's standard input.
    pub stdin: Option<PathBuf>,
    /// The program and its arguments, where `{socket}`, `{port}` and `{password}` stand for the
    /// server's; nothing for the stock client.
    pub words: Vec<String>,
}

/// How it went.
#[derive(Debug, Clone, Copy)]
pub struct Measured {
    /// From the program's start to its end.
    pub elapsed_seconds: f64,
    /// Processor time of the program.
    pub program_cpu_seconds: f64,
    /// Processor time of the server meanwhile.
    pub server_cpu_seconds: f64,
    /// The program's largest resident memory, in KiB.
    pub program_peak_kib: u64,
    /// The server's, since its start.
    pub server_peak_kib: u64,
}

/// Starts a server, runs the program and measures it. A program that fails is an error.
pub fn run(plan: &Plan) -> Result<Measured> {
    let options = Options { args: plan.server_args.clone(), ..Options::bench() };
    let server = Server::start_with(plan.flavor, &options)?;
    if let Some(file) = &plan.before {
        let outcome = server.import_stock(None, file)?;
        if outcome.exit != 0 {
            return Err(Error::Client {
                program: "the stock client".into(),
                message: outcome.message,
            });
        }
    }
    let mut command = command(plan, &server)?;
    let log = server.dir().join("program.log");
    let stderr = File::create(&log).map_err(Error::path("create", &log))?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
    if let Some(file) = &plan.stdin {
        command.stdin(File::open(file).map_err(Error::path("open", file))?);
    }
    let pid = server.pid().unwrap_or_default();
    let (server_before, children_before) = (Ticks::of(pid)?, Ticks::of(std::process::id())?);
    let started = Instant::now();
    let mut child = command.spawn().map_err(Error::io("run the program"))?;
    let program = child.id();
    let (ended, end) = mpsc::channel::<()>();
    let memory = thread::spawn(move || watch_memory(program, &end));
    let status = child.wait().map_err(Error::io("wait for the program"))?;
    let elapsed = started.elapsed();
    drop(ended);
    let (server_after, children_after) = (Ticks::of(pid)?, Ticks::of(std::process::id())?);
    if !status.success() {
        let message = printable(&fs::read(&log).unwrap_or_default());
        return Err(Error::Client { program: format!("the program ({status})"), message });
    }
    let seconds = |ticks: u64| ticks as f64 / TICKS_PER_SECOND;
    Ok(Measured {
        elapsed_seconds: elapsed.as_secs_f64(),
        program_cpu_seconds: seconds(children_after.children - children_before.children),
        server_cpu_seconds: seconds(server_after.own - server_before.own),
        program_peak_kib: memory.join().unwrap_or_default(),
        server_peak_kib: peak_kib(pid).unwrap_or_default(),
    })
}

fn command(plan: &Plan, server: &Server) -> Result<Command> {
    let fill = |word: &String| {
        word.replace("{socket}", &server.socket().to_string_lossy())
            .replace("{port}", &server.port().to_string())
            .replace("{password}", server.root_password())
    };
    let Some((program, arguments)) = plan.words.split_first() else { return server.client() };
    let mut command = Command::new(fill(program));
    command.args(arguments.iter().map(fill));
    Ok(command)
}

/// Processor time, user and system, in ticks.
struct Ticks {
    own: u64,
    /// Of children that were waited for; a server that runs is not among them.
    children: u64,
}

impl Ticks {
    fn of(pid: u32) -> Result<Self> {
        let path = PathBuf::from(format!("/proc/{pid}/stat"));
        let text = fs::read_to_string(&path).map_err(Error::path("read", &path))?;
        // The name before it may hold anything; what follows begins with field 3.
        let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        let fields: Vec<u64> =
            fields.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
        let field = |number: usize| fields.get(number - 3).copied().unwrap_or_default();
        Ok(Self { own: field(14) + field(15), children: field(16) + field(17) })
    }
}

/// Reads a process's peak memory, again and again until `end` is closed.
fn watch_memory(pid: u32, end: &mpsc::Receiver<()>) -> u64 {
    let mut peak = 0;
    loop {
        peak = peak_kib(pid).unwrap_or_default().max(peak);
        match end.recv_timeout(MEMORY_POLL) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return peak,
        }
    }
}

/// `VmHWM` in KiB, while the process lives.
fn peak_kib(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse().ok()
}
