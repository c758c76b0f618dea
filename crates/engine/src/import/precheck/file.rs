//! Findings about the file itself: its hazards, and what the policies make of it.

use dump::hazard::{self, Hazard};
use dump::index::Act;

use super::{Finding, Look, Severity};
use crate::import::guard::{Definer, Policy};

/// Hazards that are judged by what the server is, elsewhere in the precheck.
const JUDGED: [&str; 16] = [
    "account_statement",
    "administration_statement",
    "client_command",
    "definer",
    "drop_database",
    "event",
    "file_access",
    "global_setting",
    "gtid",
    "large_statement",
    "mariadb_only_collation",
    "mysql_only_collation",
    "no_database",
    "removed_sql_mode",
    "replication_statement",
    "sql_log_bin",
];

pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let hazards = &look.index.hazards;
    let mut found: Vec<Finding> = hazards
        .iter()
        .filter(|hazard| !JUDGED.contains(&hazard.code))
        .map(|hazard| of_hazard(hazard, hazard.code, severity(look, hazard)))
        .collect();
    if look.index.statements == 0 && look.index.damage.is_none() {
        found.push(Finding::info(
            "empty_file",
            "the file holds no statement: nothing would be done",
        ));
    }
    found.extend(hazards.iter().filter_map(|hazard| by_policy(look, hazard)));
    found.extend(definers(look));
    if let Some(call) = look.first(Act::Opaque) {
        let text = "the file calls routines or prepared statements; what they do is not foreseen";
        found.push(Finding::info("unseen_statements", text).line(call.line));
    }
    if look.index.unlisted > 0 || look.existing.unseen_databases > 0 {
        let text = "the file has too many objects or databases; not all of them were checked";
        found.push(Finding::warning("not_all_checked", text));
    }
    found
}

fn severity(look: &Look<'_>, hazard: &Hazard) -> Severity {
    // A cut between two statements goes unnoticed by the server; one within a statement does not,
    // and an open string is a hazard of its own.
    let is_cut_within = look.index.complete_reason.contains("inside parentheses");
    if hazard.code == "unterminated_comment" || (hazard.code == "truncated" && !is_cut_within) {
        return Severity::Warning;
    }
    match hazard.severity {
        hazard::Severity::Error => Severity::Error,
        hazard::Severity::Warning => Severity::Warning,
        hazard::Severity::Info => Severity::Info,
    }
}

/// A hazard as it stands.
fn of_hazard(hazard: &Hazard, code: &'static str, severity: Severity) -> Finding {
    let mut text = hazard.message.clone();
    if hazard.count > 1 {
        text = format!("{text} ({} times)", hazard.count);
    }
    if !hazard.examples.is_empty() {
        text = format!("{text}: {}", hazard.examples.join(", "));
    }
    let finding = Finding::new(severity, code, text).fix(hazard.advice);
    match hazard.lines.first() {
        Some(line) => finding.line(*line),
        None => finding,
    }
}

/// What the policies do with statements of a kind.
fn by_policy(look: &Look<'_>, hazard: &Hazard) -> Option<Finding> {
    const PRIVILEGED: [&str; 6] = [
        "account_statement",
        "administration_statement",
        "global_setting",
        "gtid",
        "replication_statement",
        "sql_log_bin",
    ];
    let guard = &look.options.guard;
    match hazard.code {
        "client_command" => Some(client_command(hazard, guard.policy)),
        "file_access" => Some(file_access(look, hazard)),
        // What they need of the account is looked at with the privileges.
        code if PRIVILEGED.contains(&code) => match guard.policy {
            Policy::Allow => None,
            Policy::Skip => Some(left_out(hazard)),
            Policy::Deny => {
                let finding = of_hazard(hazard, "refused_by_policy", Severity::Error);
                let text = format!("{}: the import stops there (--policy deny)", finding.text);
                let fix = "--policy skip leaves them out, --policy allow executes them";
                Some(Finding { text, ..finding }.fix(fix))
            }
        },
        _ => None,
    }
}

fn left_out(hazard: &Hazard) -> Finding {
    let finding = of_hazard(hazard, "left_out_by_policy", Severity::Warning);
    let text = format!("{}: left out (--policy skip)", finding.text);
    Finding { text, fix: None, ..finding }
}

fn client_command(hazard: &Hazard, policy: Policy) -> Finding {
    match policy {
        Policy::Skip => left_out(hazard),
        Policy::Allow | Policy::Deny => {
            let finding = of_hazard(hazard, "client_command", Severity::Error);
            let text = format!("{}: never run, the import stops there", finding.text);
            Finding { text, ..finding }.fix("remove them, or leave them out with --policy skip")
        }
    }
}

fn file_access(look: &Look<'_>, hazard: &Hazard) -> Finding {
    let guard = &look.options.guard;
    let Some(need) = look.first(Act::Files) else {
        let text = "definitions that name files (OUTFILE, DUMPFILE, LOAD_FILE) in their bodies";
        let line = hazard.lines.first().copied().unwrap_or(0);
        return Finding::warning("file_access", text).line(line);
    };
    let finding = of_hazard(hazard, "file_access", Severity::Error).line(need.line);
    match (guard.allow_files, guard.policy) {
        (true, _) => Finding { severity: Severity::Warning, fix: None, ..finding },
        (false, Policy::Skip) => left_out(hazard).line(need.line),
        (false, Policy::Allow | Policy::Deny) => {
            let text = format!("{}: refused, the import stops there", finding.text);
            let fix = "--allow-file-access executes them, --policy skip leaves them out";
            Finding { text, ..finding }.fix(fix)
        }
    }
}

fn definers(look: &Look<'_>) -> Option<Finding> {
    let first = look.index.demands.definers.first()?;
    let text = match &look.options.guard.definer {
        Definer::Keep => return None,
        Definer::Strip => "DEFINER clauses are removed: the importing account becomes the \
                           definer, and what runs with its rights"
            .to_owned(),
        Definer::Replace(by) => format!("DEFINER clauses are replaced by {by}"),
    };
    Some(Finding::info("definers_rewritten", text).line(first.line))
}
