//! Initial data folders, made once per server version and copied for each server.
//!
//! They live in the cache, hold the two root accounts and no server identity, and appear there
//! complete or not at all: made under a temporary name, then renamed, under a lock between
//! processes.

use crate::flavor::{self, Program, text};
use crate::{Error, Flavor, Result, cache};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

/// The password of both root accounts of every throwaway server.
pub(crate) const ROOT_PASSWORD: &str = "sandbox";

/// `MariaDB`'s redo log size while making the folder and in tests; equal, so no start resizes it.
pub(crate) const MARIADB_REDO_LOG: &str = "--innodb-log-file-size=32M";

/// Raised when what is below makes different folders.
const RECIPE: u32 = 1;

/// Copies the initial data folder of `flavor` to `target`, which must not exist.
pub(crate) fn create(flavor: Flavor, target: &Path) -> Result<()> {
    let template = ensure(flavor)?;
    copy(&template, target)
}

fn ensure(flavor: Flavor) -> Result<PathBuf> {
    let parent = cache::dir()?.join("datadir");
    let name = format!("{}-{}-r{RECIPE}", flavor.name(), flavor.version()?);
    let template = parent.join(&name);
    if template.is_dir() {
        return Ok(template);
    }
    fs::create_dir_all(&parent).map_err(Error::path("create", &parent))?;
    let _lock = cache::lock(&format!("datadir/{name}"))?;
    if template.is_dir() {
        return Ok(template);
    }
    let draft = parent.join(format!("{name}.draft-{}", process::id()));
    fs::create_dir_all(&draft).map_err(Error::path("create", &draft))?;
    let made = initialise(flavor, &draft);
    let data = draft.join("data");
    let published =
        made.and_then(|()| fs::rename(&data, &template).map_err(Error::path("rename", &data)));
    let removed = fs::remove_dir_all(&draft).map_err(Error::path("remove", &draft));
    published.and(removed).map(|()| template)
}

fn initialise(flavor: Flavor, draft: &Path) -> Result<()> {
    let data = draft.join("data");
    let accounts = draft.join("accounts.sql");
    fs::write(&accounts, accounts_sql(flavor)).map_err(Error::path("write", &accounts))?;
    let mut command = match flavor {
        Flavor::MariaDb => mariadb_command(&data, &accounts)?,
        Flavor::MySql => mysql_command(&data, &accounts)?,
    };
    let output = command.output().map_err(Error::io("run the server's initialisation"))?;
    if !output.status.success() {
        let mut log = String::from_utf8_lossy(&output.stdout).into_owned();
        log.push_str(&String::from_utf8_lossy(&output.stderr));
        return Err(Error::Start {
            what: format!("initial data folder {}", data.display()),
            reason: output.status.to_string(),
            log,
        });
    }
    // Every server makes its own identity: copies with one UUID confuse GTIDs.
    let identity = data.join("auto.cnf");
    if identity.exists() {
        fs::remove_file(&identity).map_err(Error::path("remove", &identity))?;
    }
    Ok(())
}

fn mariadb_command(data: &Path, accounts: &Path) -> Result<Command> {
    let mut command = Command::new(flavor::system_program("mariadb-install-db")?);
    command
        .args(["--no-defaults", "--auth-root-authentication-method=normal"])
        .args(flavor::user_argument())
        .args(["--skip-test-db", "--skip-name-resolve", MARIADB_REDO_LOG])
        .arg(format!("--datadir={}", text(data)))
        .arg(format!("--extra-file={}", text(accounts)));
    Ok(command)
}

fn mysql_command(data: &Path, accounts: &Path) -> Result<Command> {
    let mut command = Flavor::MySql.command(Program::Server)?;
    command
        .arg("--no-defaults")
        .args(flavor::user_argument())
        .args(Flavor::MySql.server_arguments()?)
        .args(["--initialize-insecure", "--skip-log-bin", "--innodb-flush-method=nosync"])
        .arg(format!("--datadir={}", text(data)))
        .arg(format!("--init-file={}", text(accounts)));
    Ok(command)
}

fn accounts_sql(flavor: Flavor) -> String {
    let password = ROOT_PASSWORD;
    match flavor {
        // The installation makes accounts for the machine's own name too; only two may stay.
        Flavor::MariaDb => format!(
            "FLUSH PRIVILEGES;\n\
             DELETE FROM mysql.global_priv WHERE Host NOT IN ('localhost', '127.0.0.1');\n\
             DELETE FROM mysql.proxies_priv WHERE Host NOT IN ('localhost', '127.0.0.1');\n\
             FLUSH PRIVILEGES;\n\
             ALTER USER root@localhost IDENTIFIED BY '{password}';\n\
             CREATE OR REPLACE USER root@'127.0.0.1' IDENTIFIED BY '{password}';\n\
             GRANT ALL PRIVILEGES ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
        ),
        Flavor::MySql => format!(
            "ALTER USER root@localhost IDENTIFIED WITH caching_sha2_password BY '{password}';\n\
             CREATE USER root@'127.0.0.1' IDENTIFIED WITH caching_sha2_password BY '{password}';\n\
             GRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n\
             GRANT PROXY ON ''@'' TO root@'127.0.0.1' WITH GRANT OPTION;\n"
        ),
    }
}

fn copy(template: &Path, target: &Path) -> Result<()> {
    let status = Command::new("cp")
        .args(["-a", "--reflink=auto", "--sparse=always", "--"])
        .args([template, target])
        .status()
        .map_err(Error::io("run cp"))?;
    if status.success() {
        return Ok(());
    }
    Err(Error::Client { program: "cp".into(), message: format!("{status}") })
}
