//! `dbferry import` on bad input: what it says, its exit code, and what is in the target.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sandbox::{Flavor, Options, Server, state};

use crate::sameness::dbferry;

mod broken_server;
mod input;
mod policy;
mod report;
mod statements;

/// A server with one empty database `imp`, and a folder for files.
pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) folder: tempfile::TempDir,
}

/// How a run of dbferry ended.
pub(crate) struct Ended {
    pub(crate) exit: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Bench {
    pub(crate) fn start(flavor: Flavor) -> Bench {
        Bench::start_with(flavor, &[])
    }

    pub(crate) fn start_with(flavor: Flavor, arguments: &[&str]) -> Bench {
        let args = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let server = Server::start_with(flavor, &Options { args, ..Options::test() }).unwrap();
        server.sql("CREATE DATABASE imp").unwrap();
        Bench { server, folder: tempfile::tempdir().unwrap() }
    }

    /// Makes the database `imp` empty again.
    pub(crate) fn wipe(&self) {
        state::wipe(&self.server).unwrap();
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// `dbferry import FILE --to` this server's `imp`, to be given more arguments.
    pub(crate) fn command(&self, file: &Path) -> Command {
        let mut command = dbferry();
        command.arg("import").arg(file).args(["--to", &self.server.url(Some("imp"))]);
        command.arg("--no-progress").current_dir(self.folder.path());
        command
    }

    pub(crate) fn import(&self, file: &Path, arguments: &[&str]) -> Ended {
        Ended::of(self.command(file).args(arguments).output().unwrap())
    }

    /// Writes a file and imports it.
    pub(crate) fn run(&self, content: impl AsRef<[u8]>, arguments: &[&str]) -> Ended {
        let file = self.file("dump.sql", content);
        self.import(&file, arguments)
    }

    pub(crate) fn sql(&self, query: &str) -> String {
        self.server.sql(query).unwrap().trim_end().to_owned()
    }

    /// Tables in `imp`, in order.
    pub(crate) fn tables(&self) -> String {
        self.sql("SHOW TABLES FROM imp").replace('\n', ",")
    }
}

impl Ended {
    pub(crate) fn of(output: Output) -> Ended {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let exit = output.status.code();
        Ended { exit, stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// It ended with this exit code and said all of these.
    #[track_caller]
    pub(crate) fn check(&self, exit: i32, said: &[&str]) -> &Ended {
        assert_eq!(self.exit, Some(exit), "{}", self.stderr);
        for text in said {
            assert!(self.stderr.contains(text), "it does not say {text:?}:\n{}", self.stderr);
        }
        self
    }
}

/// Runs a command with `input` on its stdin, which is closed then.
pub(crate) fn with_stdin(command: &mut Command, input: &[u8]) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A run that fails early closes its stdin; its exit code tells.
    let _ = child.stdin.take().unwrap().write_all(input);
    Ended::of(child.wait_with_output().unwrap())
}
