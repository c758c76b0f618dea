//! The stock clients, run against a server.
//!
//! They are the oracle that imports are compared with, so [`Server::client`] adds nothing to their
//! own behaviour: no option file, no character set, no client commands. The password goes through
//! the environment, never the command line.

use crate::datadir::ROOT_PASSWORD;
use crate::flavor::{Program, text};
use crate::{Error, Result, Server};
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;

/// What the stock client made of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockOutcome {
    /// The exit code; -1 if a signal ended the client.
    pub exit: i32,
    /// The server's (or client's) error number.
    pub errno: Option<u32>,
    /// The five characters of the SQL state.
    pub sqlstate: Option<String>,
    /// The line at which the failing statement begins, as the client counts.
    pub line: Option<u64>,
    /// The error text as printed, from `ERROR` on; empty on success.
    pub message: String,
}

impl StockOutcome {
    /// Reads what a client printed to its standard error.
    #[must_use]
    pub fn parse(exit: i32, stderr: &str) -> Self {
        let start = stderr.find("ERROR").filter(|at| *at == 0 || stderr[..*at].ends_with('\n'));
        let mut outcome =
            Self { exit, errno: None, sqlstate: None, line: None, message: String::new() };
        let Some(start) = start else {
            if exit != 0 {
                stderr.trim_end().clone_into(&mut outcome.message);
            }
            return outcome;
        };
        let message = stderr[start..].trim_end();
        message.clone_into(&mut outcome.message);
        let (head, _) = message.split_once(": ").unwrap_or((message, ""));
        let mut words = head.split(' ').skip(1).peekable();
        if let Some(number) = words.peek().and_then(|word| word.parse().ok()) {
            outcome.errno = Some(number);
            words.next();
        }
        if let Some(state) = words.peek().and_then(|word| word.strip_prefix('(')) {
            outcome.sqlstate = Some(state.trim_end_matches(')').to_owned());
        }
        outcome.line = head.rsplit_once(" line ").and_then(|(_, number)| number.parse().ok());
        outcome
    }
}

impl Server {
    /// The stock client (`mariadb` or `mysql`), connected as root over the socket.
    pub fn client(&self) -> Result<Command> {
        self.stock_command(Program::Client)
    }

    /// The stock dump program (`mariadb-dump` or `mysqldump`), connected as root over the socket.
    pub fn dump_command(&self) -> Result<Command> {
        self.stock_command(Program::Dump)
    }

    /// The shell command that opens the stock client, for people.
    pub fn client_line(&self) -> Result<String> {
        let mut words = vec![format!("MYSQL_PWD={ROOT_PASSWORD}")];
        words.extend(self.flavor().argv(Program::Client)?);
        words.extend(self.flavor().client_arguments()?);
        words.extend(self.connection_arguments());
        Ok(words.join(" "))
    }

    /// Runs statements for a test's set-up; returns the rows, tab separated, without headers.
    pub fn sql(&self, statements: &str) -> Result<String> {
        let mut command = self.client()?;
        command.args(["--default-character-set=utf8mb4", "--batch", "--skip-column-names"]);
        let output = run_with_input(command, statements.as_bytes())?;
        if output.status.success() {
            return Ok(printable(&output.stdout));
        }
        Err(Error::Client {
            program: format!("the {} client", self.flavor().name()),
            message: printable(&output.stderr).trim_end().to_owned(),
        })
    }

    /// Does what `CLIENT [database] < file` does.
    pub fn import_stock(&self, database: Option<&str>, file: &Path) -> Result<StockOutcome> {
        let input = File::open(file).map_err(Error::path("open", file))?;
        let output = self
            .client()?
            .args(database)
            .stdin(input)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .output()
            .map_err(Error::io("run the stock client"))?;
        let exit = output.status.code().unwrap_or(-1);
        Ok(StockOutcome::parse(exit, &printable(&output.stderr)))
    }

    fn stock_command(&self, program: Program) -> Result<Command> {
        let mut command = self.flavor().command(program)?;
        command
            .args(self.flavor().client_arguments()?)
            .args(self.connection_arguments())
            .env("MYSQL_PWD", ROOT_PASSWORD)
            .env("LC_ALL", "C.UTF-8")
            // Both would change the server or the login behind a test's back.
            .env_remove("MYSQL_HOST")
            .env_remove("MYSQL_TCP_PORT");
        Ok(command)
    }

    fn connection_arguments(&self) -> Vec<String> {
        let socket = format!("--socket={}", text(self.socket()));
        vec!["--user=root".into(), "--host=localhost".into(), "--protocol=socket".into(), socket]
    }
}

/// Runs a command with its whole input and collects its output, whichever comes first.
pub(crate) fn run_with_input(mut command: Command, input: &[u8]) -> Result<Output> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io("run a stock client"))?;
    let mut stdin = child.stdin.take().expect("the input was asked to be a pipe");
    thread::scope(|scope| {
        // A client that stops at an error closes its input early; its exit code tells of that.
        scope.spawn(move || stdin.write_all(input));
        child.wait_with_output().map_err(Error::io("wait for a stock client"))
    })
}

/// Text of any bytes: what is not UTF-8 is shown as `\x` and two digits, so nothing is lost.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}
