//! What will go wrong with an import, found before it: [`findings`] compares a file's index with
//! the facts of the server and with what is there already.
//!
//! Pure. An error means that the import would certainly or almost certainly fail or be refused; a
//! warning, that something may be lost or differ; what is unknown is never an error. It does not
//! foresee the outcome of single rows, nor of what routines do that the file calls.

use dump::index::{Act, DumpIndex, Need};
use serde::Serialize;

use super::Options;
use super::existing::Existing;
use crate::mysql::facts::{Flavor, ServerFacts};

mod file;
mod names;
mod objects;
mod privileges;
mod server;

pub(in crate::import) use server::SPACE_FACTOR;

/// Findings of one code that are listed; the rest is counted in one more.
pub const PER_CODE_MAX: usize = 20;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The import fails, or is refused.
    Error,
    /// Something may be lost, differ or fail.
    Warning,
    /// Good to know.
    Info,
}

impl Severity {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "info",
        }
    }
}

/// Something to know before an import.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What kind; a code never changes its meaning.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The line in the file where it first matters.
    pub line: Option<u64>,
    /// The database, table, account or the like that it is about.
    pub object: Option<String>,
    /// What, in one line.
    pub text: String,
    /// What can be done about it.
    pub fix: Option<String>,
}

impl Finding {
    fn new(severity: Severity, code: &'static str, text: impl Into<String>) -> Finding {
        Finding { code, severity, line: None, object: None, text: text.into(), fix: None }
    }

    fn error(code: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Error, code, text)
    }

    fn warning(code: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Warning, code, text)
    }

    fn info(code: &'static str, text: impl Into<String>) -> Finding {
        Finding::new(Severity::Info, code, text)
    }

    fn line(self, line: u64) -> Finding {
        Finding { line: Some(line), ..self }
    }

    fn object(self, object: impl Into<String>) -> Finding {
        Finding { object: Some(object.into()), ..self }
    }

    fn fix(self, fix: impl Into<String>) -> Finding {
        Finding { fix: Some(fix.into()), ..self }
    }
}

/// Everything that is looked at.
#[derive(Clone, Copy)]
struct Look<'a> {
    index: &'a DumpIndex,
    facts: &'a ServerFacts,
    existing: &'a Existing,
    options: &'a Options,
    /// The database that the endpoint names.
    database: Option<&'a str>,
}

impl<'a> Look<'a> {
    /// The first time that something is done, anywhere.
    fn first(&self, act: Act) -> Option<&'a Need> {
        self.index.demands.needs.iter().find(|need| need.act == act)
    }

    /// The database that a name without one belongs to.
    fn schema(&self, schema: &'a Option<String>) -> Option<&'a str> {
        schema.as_deref().or(self.database)
    }

    fn is_mariadb(&self) -> bool {
        self.facts.flavor == Flavor::MariaDb
    }

    /// The server by name and version.
    fn server(&self) -> String {
        let (major, minor, patch) = self.facts.version;
        format!("{} {major}.{minor}.{patch}", server_name(self.facts.flavor))
    }
}

/// All findings, the gravest first, then in file order. `database` is the one that the endpoint
/// names.
pub fn findings(
    index: &DumpIndex,
    facts: &ServerFacts,
    existing: &Existing,
    options: &Options,
    database: Option<&str>,
) -> Vec<Finding> {
    let look = Look { index, facts, existing, options, database };
    let mut found = file::findings(&look);
    found.extend(server::findings(&look));
    found.extend(objects::findings(&look));
    found.extend(names::findings(&look));
    found.extend(privileges::findings(&look));
    let (mut found, rest) = capped(found);
    found.sort_by_key(|finding| (finding.severity, finding.line.unwrap_or(0)));
    found.extend(rest);
    found.sort_by_key(|finding| finding.severity);
    found
}

/// Keeps the first of each code; what is left out is counted.
fn capped(found: Vec<Finding>) -> (Vec<Finding>, Vec<Finding>) {
    let mut kept: Vec<Finding> = Vec::new();
    let mut more: Vec<(&'static str, Severity, u64)> = Vec::new();
    for finding in found {
        let same =
            |known: &&Finding| known.code == finding.code && known.severity == finding.severity;
        if kept.iter().filter(same).count() < PER_CODE_MAX {
            kept.push(finding);
            continue;
        }
        let (code, severity) = (finding.code, finding.severity);
        match more.iter_mut().find(|(c, s, _)| *c == code && *s == severity) {
            Some((_, _, count)) => *count += 1,
            None => more.push((code, severity, 1)),
        }
    }
    let rest = more.into_iter().map(|(code, severity, count)| {
        let text = format!("and {count} more of these");
        Finding::new(severity, code, text)
    });
    (kept, rest.collect())
}

fn server_name(flavor: Flavor) -> &'static str {
    match flavor {
        Flavor::MariaDb => "MariaDB",
        Flavor::MySql => "MySQL",
    }
}

/// Decimal units, as disks use them.
fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
