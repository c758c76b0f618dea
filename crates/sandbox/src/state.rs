//! The canonical logical state of a server, and the way back to an empty one.
//!
//! Two servers (or one before and after) hold the same exactly when their [`canonical`] texts are
//! equal: databases as the stock dump program sees them, in a fixed order, and accounts with their
//! grants. Not part of it: statistics, physical layout, binary log, changed global variables.

use crate::client::printable;
use crate::{Error, Flavor, Result, Server};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The most lines [`diff`] returns.
const DIFF_LINES: usize = 40;
/// How far [`diff`] looks ahead for the next equal line.
const DIFF_WINDOW: usize = 200;
/// How much of a long line [`diff`] shows.
const DIFF_COLUMNS: usize = 240;
/// What stands for a masked time.
const MASKED_TIME: &str = "'<now>'";

const SYSTEM_DATABASES: &str = "'information_schema', 'mysql', 'performance_schema', 'sys'";
const BUILT_IN_ACCOUNTS: [(&str, &str); 7] = [
    ("root", "localhost"),
    ("root", "127.0.0.1"),
    ("mariadb.sys", "localhost"),
    ("mysql.infoschema", "localhost"),
    ("mysql.session", "localhost"),
    ("mysql.sys", "localhost"),
    ("PUBLIC", ""),
];

/// Global variables that are state or history, not settings.
const NOT_SETTINGS: [&str; 9] = [
    "gtid_binlog_pos",
    "gtid_binlog_state",
    "gtid_current_pos",
    "gtid_executed",
    "gtid_purged",
    "gtid_slave_pos",
    "hostname",
    "timestamp",
    "uptime",
];
/// "Variable is read only" and "unknown variable" (of a plugin that went): nothing to restore.
const NOT_SETTABLE: [&str; 3] = ["ERROR 1238 ", "ERROR 1193 ", "ERROR 1621 "];

/// The values of the global variables at some time.
#[derive(Debug)]
pub(crate) struct Globals(BTreeMap<String, String>);

#[derive(Debug)]
struct Account {
    user: String,
    host: String,
    is_role: bool,
}

impl Globals {
    pub(crate) fn read(server: &Server) -> Result<Self> {
        let rows = rows(&server.sql("SHOW GLOBAL VARIABLES")?);
        Ok(Self(
            rows.into_iter()
                .map(|row| {
                    let mut cells = row.into_iter();
                    (cells.next().unwrap_or_default(), cells.next().unwrap_or_default())
                })
                .filter(|(name, _)| !NOT_SETTINGS.contains(&name.as_str()))
                .collect(),
        ))
    }

    /// The statements that bring `now` back to `self`.
    fn restoring(&self, now: &Self) -> Vec<String> {
        let changed = |(name, _): &(&String, &String)| now.0.get(*name) != self.0.get(*name);
        self.0
            .iter()
            .filter(changed)
            .map(|(name, value)| format!("SET GLOBAL `{name}` = {};", setting(value)))
            .collect()
    }
}

/// The databases that are not the system's, sorted by name.
pub fn databases(server: &Server) -> Result<Vec<String>> {
    let rows = rows(&server.sql(&format!(
        "SELECT schema_name FROM information_schema.schemata \
         WHERE schema_name NOT IN ({SYSTEM_DATABASES}) ORDER BY BINARY schema_name"
    ))?);
    Ok(rows.into_iter().flatten().collect())
}

/// The canonical logical state: equal texts mean equal contents.
pub fn canonical(server: &Server) -> Result<String> {
    let mut text = String::new();
    let databases = databases(server)?;
    if !databases.is_empty() {
        canonical_dump(&dump(server, &databases)?, &mut text);
    }
    text.push_str(&grants(server)?);
    Ok(text)
}

/// Makes the server as it was at its start, with one empty database `imp`.
pub fn wipe(server: &Server) -> Result<()> {
    restore_globals(server)?;
    let mut script =
        String::from("SET SESSION sql_mode = ''; SET SESSION foreign_key_checks = 0;\n");
    for database in databases(server)? {
        let _ = writeln!(script, "DROP DATABASE {};", identifier(&database));
    }
    for account in accounts(server)? {
        let kind = if account.is_role { "ROLE" } else { "USER" };
        let _ = writeln!(script, "DROP {kind} {};", account.quoted());
    }
    script.push_str(match server.flavor() {
        Flavor::MariaDb => "RESET SLAVE ALL; SET GLOBAL gtid_slave_pos = '';\n",
        // Only with an empty history can a file set gtid_purged. MariaDB has no such rule, and its
        // RESET MASTER takes a second.
        Flavor::MySql => "RESET REPLICA ALL; RESET PERSIST; RESET BINARY LOGS AND GTIDS;\n",
    });
    script.push_str("SET SESSION sql_log_bin = 0; CREATE DATABASE imp;\n");
    server.sql(&script).map(drop)
}

/// Replaces time literals between `from` and `to` (with a second's grace) by a fixed token.
///
/// Servers of this crate run in UTC, so do the literals.
#[must_use]
pub fn mask_times(text: &str, from: SystemTime, to: SystemTime) -> String {
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
    let grace = Duration::from_secs(1);
    let range = seconds(from - grace)..=seconds(to + grace);
    let mut masked = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(quote) = rest.find('\'') {
        masked.push_str(&rest[..quote]);
        rest = &rest[quote..];
        match time_literal(rest.as_bytes()) {
            Some((length, time)) if range.contains(&time) => {
                masked.push_str(MASKED_TIME);
                rest = &rest[length..];
            }
            Some(_) | None => {
                masked.push('\'');
                rest = &rest[1..];
            }
        }
    }
    masked.push_str(rest);
    masked
}

/// The first differences of two states, for a test's message; empty when there are none.
#[must_use]
pub fn diff(left: &str, right: &str) -> String {
    let (a, b): (Vec<&str>, Vec<&str>) = (left.lines().collect(), right.lines().collect());
    let (mut i, mut j) = (0, 0);
    let mut lines: Vec<String> = Vec::new();
    while (i < a.len() || j < b.len()) && lines.len() < DIFF_LINES {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
            continue;
        }
        lines.push(format!("@@ -{} +{} @@", i + 1, j + 1));
        if i > 0 {
            lines.push(format!(" {}", excerpt(a[i - 1], None)));
        }
        let (gone, come) = resync(&a[i..], &b[j..]);
        for (n, line) in a[i..i + gone].iter().enumerate() {
            lines.push(format!("-{}", excerpt(line, b.get(j + n).copied())));
        }
        for (n, line) in b[j..j + come].iter().enumerate() {
            lines.push(format!("+{}", excerpt(line, a.get(i + n).copied())));
        }
        (i, j) = (i + gone, j + come);
    }
    lines.truncate(DIFF_LINES);
    lines.join("\n")
}

fn restore_globals(server: &Server) -> Result<()> {
    // Some settings limit others, so a second round may find more to do.
    for _ in 0..2 {
        let statements = server.globals().restoring(&Globals::read(server)?);
        for statement in &statements {
            match server.sql(statement) {
                Err(Error::Client { message, .. })
                    if NOT_SETTABLE.iter().any(|error| message.contains(error)) => {}
                Err(error) => return Err(error),
                Ok(_) => {}
            }
        }
        if statements.is_empty() {
            break;
        }
    }
    Ok(())
}

fn dump(server: &Server, databases: &[String]) -> Result<String> {
    let mut command = server.dump_command()?;
    command.args(["--skip-comments", "--skip-dump-date", "--order-by-primary", "--hex-blob"]);
    command.args(["--routines", "--events", "--triggers", "--skip-extended-insert"]);
    command.args(["--force", "--skip-lock-tables"]);
    if server.flavor() == Flavor::MySql {
        command.arg("--set-gtid-purged=OFF");
    }
    command.arg("--databases").arg("--").args(databases);
    let output = command.output().map_err(Error::io("run the dump program"))?;
    // A view without its table is an error that --force passes over; a lost connection is not.
    let lost = printable(&output.stderr).lines().any(is_connection_error);
    if lost || output.status.code().is_none() {
        return Err(Error::Client {
            program: format!("the {} dump program", server.flavor().name()),
            message: printable(&output.stderr),
        });
    }
    Ok(printable(&output.stdout))
}

fn is_connection_error(line: &str) -> bool {
    ["2002", "2003", "2006", "2013", "1045"].iter().any(|code| {
        line.contains(&format!("error: {code}:")) || line.contains(&format!("({code})"))
    })
}

fn canonical_dump(dump: &str, text: &mut String) {
    let mut inserts: Vec<&str> = Vec::new();
    for line in dump.split_inclusive('\n') {
        if line.starts_with("INSERT ") {
            inserts.push(line);
            continue;
        }
        inserts.sort_unstable();
        text.extend(inserts.drain(..));
        if !line.starts_with("-- ") {
            // Root came over TCP or over the socket; that is the test's doing, not the file's.
            text.push_str(
                &line.replace("DEFINER=`root`@`127.0.0.1`", "DEFINER=`root`@`localhost`"),
            );
        }
    }
    inserts.sort_unstable();
    text.extend(inserts);
}

fn accounts(server: &Server) -> Result<Vec<Account>> {
    let role = match server.flavor() {
        Flavor::MariaDb => "is_role = 'Y'",
        Flavor::MySql => "0",
    };
    let query = format!("SELECT user, host, {role} FROM mysql.user ORDER BY user, host");
    let accounts = rows(&server.sql(&query)?).into_iter().map(|row| {
        let mut cells = row.into_iter();
        let mut next = || cells.next().unwrap_or_default();
        Account { user: next(), host: next(), is_role: next() == "1" }
    });
    Ok(accounts.filter(|account| !account.is_built_in()).collect())
}

fn grants(server: &Server) -> Result<String> {
    let mut text = String::new();
    for account in accounts(server)? {
        let _ = writeln!(text, "account {}", account.quoted());
        text.push_str(&server.sql(&format!("SHOW GRANTS FOR {}", account.quoted()))?);
    }
    Ok(text)
}

impl Account {
    fn is_built_in(&self) -> bool {
        BUILT_IN_ACCOUNTS.contains(&(self.user.as_str(), self.host.as_str()))
    }

    fn quoted(&self) -> String {
        let user = identifier(&self.user);
        if self.is_role { user } else { format!("{user}@{}", identifier(&self.host)) }
    }
}

/// The cells of batch output, with the client's escapes undone.
fn rows(output: &str) -> Vec<Vec<String>> {
    output.lines().map(|line| line.split('\t').map(unescape).collect()).collect()
}

fn unescape(cell: &str) -> String {
    let mut plain = String::with_capacity(cell.len());
    let mut chars = cell.chars();
    while let Some(c) = chars.next() {
        let next = if c == '\\' { chars.next() } else { None };
        plain.push(match next {
            None => c,
            Some('n') => '\n',
            Some('t') => '\t',
            Some('0') => '\0',
            Some(other) => other,
        });
    }
    plain
}

fn identifier(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn setting(value: &str) -> String {
    if !value.is_empty() && value.parse::<f64>().is_ok_and(f64::is_finite) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\\', r"\\").replace('\'', "''"))
}

/// The length and Unix time of a literal `'YYYY-MM-DD HH:MM:SS[.ffffff]'` at the start of `bytes`.
fn time_literal(bytes: &[u8]) -> Option<(usize, u64)> {
    const SHAPE: &[u8] = b"'0000-00-00 00:00:00";
    let head = bytes.get(..SHAPE.len())?;
    let fits = |(byte, shape): (&u8, &u8)| {
        if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape }
    };
    if !head.iter().zip(SHAPE).all(fits) {
        return None;
    }
    let number = |from: usize, to: usize| {
        head[from..to].iter().fold(0_u64, |sum, digit| sum * 10 + u64::from(digit - b'0'))
    };
    let mut length = SHAPE.len();
    if bytes.get(length) == Some(&b'.') {
        let fraction = bytes[length + 1..].iter().take_while(|byte| byte.is_ascii_digit());
        length += 1 + fraction.count();
    }
    if bytes.get(length) != Some(&b'\'') {
        return None;
    }
    let days = days_since_epoch(number(1, 5), number(6, 8), number(9, 11))?;
    let time = days * 86_400 + number(12, 14) * 3_600 + number(15, 17) * 60 + number(18, 20);
    Some((length + 1, time))
}

/// Days from 1970-01-01 in the Gregorian calendar; none for earlier dates and impossible months.
fn days_since_epoch(year: u64, month: u64, day: u64) -> Option<u64> {
    if year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    // Years begin in March here, so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day.saturating_sub(1);
    let days = 365 * year + year / 4 - year / 100 + year / 400 + day_of_year;
    // Days from 0000-03-01 to 1970-01-01.
    days.checked_sub(719_468)
}

/// How many lines of each side to pass over until the sides agree again.
fn resync(a: &[&str], b: &[&str]) -> (usize, usize) {
    for distance in 1..=DIFF_WINDOW {
        for gone in 0..=distance.min(a.len()) {
            let come = distance - gone;
            if come > b.len() {
                continue;
            }
            let both_end = gone == a.len() && come == b.len();
            let agree = gone < a.len() && come < b.len() && a[gone] == b[come];
            if both_end || agree {
                return (gone, come);
            }
        }
    }
    (a.len().min(1), b.len().min(1))
}

/// A line cut to what is readable, around its first difference from `other`.
fn excerpt(line: &str, other: Option<&str>) -> String {
    let same = other.map_or(0, |other| {
        line.chars().zip(other.chars()).take_while(|(left, right)| left == right).count()
    });
    let start = if same > DIFF_COLUMNS / 2 { same - DIFF_COLUMNS / 4 } else { 0 };
    let mut chars = line.chars().skip(start);
    let cut: String = chars.by_ref().take(DIFF_COLUMNS).collect();
    let lead = if start > 0 { "…" } else { "" };
    let tail = if chars.next().is_some() { "…" } else { "" };
    format!("{lead}{cut}{tail}")
}
