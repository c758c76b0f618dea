//! The two server families: where their programs are and how their arguments differ.
//!
//! `MariaDB` comes from Debian's packages. `MySQL` comes from a folder of another Debian release in
//! the cache and runs through that folder's own loader, without chroot. No program is ever
//! downloaded here: a missing one is an error that names the script to run.

use crate::{Error, Result, cache};
use nix::unistd::getuid;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const SETUP: &str = "make setup";
const SETUP_MYSQL: &str = "make mysql";

/// A server family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// `mariadbd` of Debian's `mariadb-server-core`.
    MariaDb,
    /// `mysqld` of the cached folder that `scripts/mysql` makes.
    MySql,
}

/// What a program is for; the families name theirs differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Program {
    Server,
    Client,
    Dump,
}

impl Flavor {
    /// Both families, for tests that run on each.
    pub const ALL: [Self; 2] = [Self::MariaDb, Self::MySql];

    /// The lower-case name used on command lines and in folder names.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MariaDb => "mariadb",
            Self::MySql => "mysql",
        }
    }

    /// What the server program says of itself (`10.11.19-MariaDB-0+deb12u1`, `9.7.4-2`).
    pub fn version(self) -> Result<&'static str> {
        static VERSIONS: [OnceLock<String>; 2] = [OnceLock::new(), OnceLock::new()];
        let slot = match self {
            Self::MariaDb => &VERSIONS[0],
            Self::MySql => &VERSIONS[1],
        };
        if let Some(version) = slot.get() {
            return Ok(version);
        }
        let found = self.ask_version()?;
        Ok(slot.get_or_init(|| found))
    }

    fn ask_version(self) -> Result<String> {
        let output = self
            .command(Program::Server)?
            .args(["--no-defaults", "--version"])
            .output()
            .map_err(Error::io(format!("run {} --version", self.name())))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut words = text.split_whitespace().skip_while(|word| *word != "Ver");
        words.nth(1).map(str::to_owned).ok_or_else(|| Error::Client {
            program: format!("{} server --version", self.name()),
            message: format!("{text}{}", String::from_utf8_lossy(&output.stderr)),
        })
    }

    /// A command that runs one of the family's programs, before any of the program's own arguments.
    pub(crate) fn command(self, program: Program) -> Result<Command> {
        let argv = self.argv(program)?;
        let mut command = Command::new(&argv[0]);
        command.args(&argv[1..]);
        Ok(command)
    }

    /// The words of [`Flavor::command`].
    pub(crate) fn argv(self, program: Program) -> Result<Vec<String>> {
        match self {
            Self::MariaDb => {
                let name = match program {
                    Program::Server => "mariadbd",
                    Program::Client => "mariadb",
                    Program::Dump => "mariadb-dump",
                };
                Ok(vec![text(&system_program(name)?)])
            }
            Self::MySql => {
                let root = mysql_root()?;
                let name = match program {
                    Program::Server => "usr/sbin/mysqld",
                    Program::Client => "usr/bin/mysql",
                    Program::Dump => "usr/bin/mysqldump",
                };
                let libraries = ["usr/lib/x86_64-linux-gnu", "usr/lib/mysql/private"]
                    .map(|folder| text(&root.join(folder)))
                    .join(":");
                Ok(vec![
                    text(&root.join("lib64/ld-linux-x86-64.so.2")),
                    "--library-path".into(),
                    libraries,
                    text(&root.join(name)),
                ])
            }
        }
    }

    /// Arguments that every run of the server needs, after `--no-defaults`.
    pub(crate) fn server_arguments(self) -> Result<Vec<String>> {
        match self {
            Self::MariaDb => Ok(Vec::new()),
            Self::MySql => {
                let root = mysql_root()?;
                let folder =
                    |option: &str, path: &str| format!("{option}={}", text(&root.join(path)));
                Ok(vec![
                    folder("--basedir", "usr"),
                    folder("--lc-messages-dir", "usr/share/mysql"),
                    folder("--character-sets-dir", "usr/share/mysql/charsets"),
                    folder("--plugin-dir", "usr/lib/mysql/plugin"),
                    "--secure-file-priv=NULL".into(),
                    "--mysqlx=OFF".into(),
                ])
            }
        }
    }

    /// Arguments that every run of a client needs; they must come first.
    pub(crate) fn client_arguments(self) -> Result<Vec<String>> {
        match self {
            Self::MariaDb => Ok(vec!["--no-defaults".into()]),
            Self::MySql => {
                let root = mysql_root()?;
                let charsets = text(&root.join("usr/share/mysql/charsets"));
                Ok(vec![
                    "--no-defaults".into(),
                    "--no-login-paths".into(),
                    format!("--character-sets-dir={charsets}"),
                ])
            }
        }
    }
}

/// The account a server runs as: root must be named, others are kept as they are.
pub(crate) fn user_argument() -> Option<&'static str> {
    getuid().is_root().then_some("--user=root")
}

/// A program of the system's packages.
pub(crate) fn system_program(name: &str) -> Result<PathBuf> {
    cache::find_program(name).ok_or_else(|| Error::Missing { what: name.to_owned(), remedy: SETUP })
}

fn mysql_root() -> Result<PathBuf> {
    let root = cache::dir()?.join("mysql-sid");
    if root.join("usr/sbin/mysqld").is_file() {
        Ok(root)
    } else {
        Err(Error::Missing { what: text(&root), remedy: SETUP_MYSQL })
    }
}

/// Paths become arguments and URLs as text; the cache folder's name is ours to keep sane.
pub(crate) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
