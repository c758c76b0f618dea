//! Findings about what the account would have to be allowed.
//!
//! Privileges on single tables and of roles that are not active are not known: where a grant on a
//! table exists, something missing is a warning.

use std::collections::BTreeMap;

use dump::index::{Account, Act, Need};

use super::server::says;
use super::{Finding, Look, Severity};
use crate::import::guard::{Definer, Policy};
use crate::mysql::facts::{Flavor, Privilege};

pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let mut found = in_databases(look);
    found.extend(beyond_databases(look));
    found.extend(functions(look));
    found.extend(definers(look));
    found
}

/// What an act in a database asks for, with the words of GRANT.
fn wanted(act: Act, flavor: Flavor) -> &'static [(Privilege, &'static str)] {
    use Privilege as P;
    match act {
        Act::CreateDatabase | Act::CreateTable => &[(P::Create, "CREATE")],
        Act::CreateTemporaryTable => &[(P::CreateTemporary, "CREATE TEMPORARY TABLES")],
        Act::AlterDatabase | Act::AlterTable | Act::RenameTable => &[(P::Alter, "ALTER")],
        Act::DropDatabase | Act::DropTable => &[(P::Drop, "DROP")],
        Act::Index => &[(P::Index, "INDEX")],
        Act::ForeignKey if flavor == Flavor::MySql => &[(P::References, "REFERENCES")],
        Act::LockTables => &[(P::LockTables, "LOCK TABLES"), (P::Select, "SELECT")],
        Act::Insert => &[(P::Insert, "INSERT")],
        Act::Replace => &[(P::Insert, "INSERT"), (P::Delete, "DELETE")],
        Act::Update => &[(P::Update, "UPDATE")],
        Act::Delete => &[(P::Delete, "DELETE")],
        Act::CreateView => &[(P::CreateView, "CREATE VIEW")],
        Act::CreateRoutine => &[(P::CreateRoutine, "CREATE ROUTINE")],
        Act::AlterRoutine => &[(P::AlterRoutine, "ALTER ROUTINE")],
        Act::CreateTrigger => &[(P::Trigger, "TRIGGER")],
        Act::Event => &[(P::Event, "EVENT")],
        Act::ForeignKey
        | Act::CreateFunction
        | Act::CreateUnsafeFunction
        | Act::Account
        | Act::Replication
        | Act::Administration
        | Act::SetGlobal
        | Act::SqlLogBin
        | Act::Files
        | Act::Opaque => &[],
    }
}

fn in_databases(look: &Look<'_>) -> Vec<Finding> {
    let mut lacking: BTreeMap<&str, (Vec<&'static str>, u64)> = BTreeMap::new();
    for need in &look.index.demands.needs {
        let Some(schema) = look.schema(&need.schema) else { continue };
        for (privilege, name) in wanted(need.act, look.facts.flavor) {
            if look.facts.grants.allows(*privilege, Some(schema)) {
                continue;
            }
            let (names, line) = lacking.entry(schema).or_insert((Vec::new(), need.line));
            *line = need.line.min(*line);
            if !names.contains(name) {
                names.push(name);
            }
        }
    }
    let account = account(look);
    lacking
        .into_iter()
        .map(|(schema, (names, line))| {
            let text = format!("{account} lacks {} on {schema}", names.join(", "));
            let severity = match has_table_grants(look, schema) {
                true => Severity::Warning,
                false => Severity::Error,
            };
            let fix = format!("GRANT {} ON `{schema}`.* TO {account}", names.join(", "));
            let finding = Finding::new(severity, "missing_privilege", text);
            finding.line(line).object(schema).fix(fix)
        })
        .collect()
}

/// Something is granted on single tables or routines of the schema.
fn has_table_grants(look: &Look<'_>, schema: &str) -> bool {
    let prefix = format!("`{}`.`", schema.replace('`', "``"));
    look.facts.grants.lines.iter().any(|line| line.contains(&prefix))
}

fn account(look: &Look<'_>) -> String {
    match &look.existing.account {
        Some((user, host)) => format!("'{user}'@'{host}'"),
        None => "the account".to_owned(),
    }
}

/// Has one of the privileges that SUPER was split into; MariaDB counts SUPER only before 10.11.
fn administers(look: &Look<'_>, privileges: &[Privilege]) -> bool {
    let super_counts = !look.is_mariadb() || look.facts.version < (10, 11, 0);
    let grants = &look.facts.grants;
    privileges.iter().any(|privilege| grants.allows(*privilege, None))
        || (super_counts && grants.allows(Privilege::Super, None))
}

/// What reaches beyond databases, if the policy lets it.
fn beyond_databases(look: &Look<'_>) -> Vec<Finding> {
    if look.options.guard.policy != Policy::Allow {
        return Vec::new();
    }
    let lacks = |need: &Need, what: &str, privilege: &str| {
        let text = format!("{} may not {what} (error 1227): it lacks {privilege}", account(look));
        Finding::error("missing_privilege", text)
            .line(need.line)
            .fix("leave these statements out with --policy skip, or import with another account")
    };
    let mut found = Vec::new();
    let sets_globals = match look.facts.flavor {
        // MariaDB asks for another privilege for each variable: any of them is believed.
        Flavor::MariaDb => administers(
            look,
            &[Privilege::BinlogAdmin, Privilege::ConnectionAdmin, Privilege::Super],
        ),
        Flavor::MySql => administers(look, &[Privilege::GlobalVariables]),
    };
    let global = look.first(Act::SetGlobal).filter(|_| !sets_globals);
    found.extend(
        global.map(|need| lacks(need, "change global settings", "SYSTEM_VARIABLES_ADMIN or SUPER")),
    );
    if let Some(purged) = &look.index.demands.gtid_purged
        && !look.is_mariadb()
        && !sets_globals
    {
        let need = Need { act: Act::SetGlobal, schema: None, line: purged.line };
        found.push(lacks(&need, "set gtid_purged", "SYSTEM_VARIABLES_ADMIN or SUPER"));
    }
    let switch = look.first(Act::SqlLogBin).filter(|_| !look.facts.switches_binlog());
    found.extend(switch.map(|need| {
        let privilege = match look.facts.flavor {
            Flavor::MariaDb => "BINLOG ADMIN",
            Flavor::MySql => "SESSION_VARIABLES_ADMIN or SUPER",
        };
        lacks(need, "set sql_log_bin", privilege)
    }));
    let creates = look.first(Act::Account).filter(|_| !may_handle_accounts(look));
    found.extend(creates.map(|need| lacks(need, "change accounts", "CREATE USER")));
    found
}

/// `CREATE USER`, or privileges that may be passed on.
fn may_handle_accounts(look: &Look<'_>) -> bool {
    let passes_on = look.facts.grants.lines.iter().any(|line| line.contains("GRANT OPTION"));
    says(look, "CREATE USER") || passes_on
}

/// What servers with a binary log ask of functions and triggers.
fn functions(look: &Look<'_>) -> Vec<Finding> {
    let is_trusted = look.existing.is_on("log_bin_trust_function_creators").unwrap_or(true);
    let sets_itself =
        look.index.settings.iter().any(|s| s.name == "log_bin_trust_function_creators");
    if !look.facts.has_binlog || is_trusted || sets_itself {
        return Vec::new();
    }
    let fix = "SET GLOBAL log_bin_trust_function_creators = 1 for the time of the import";
    let mut found = Vec::new();
    found.extend(look.first(Act::CreateUnsafeFunction).map(|need| {
        let text = "a function that says neither DETERMINISTIC, NO SQL nor READS SQL DATA is \
                    refused where a binary log is written (error 1418)";
        Finding::error("function_not_deterministic", text).line(need.line).fix(fix)
    }));
    let is_super = look.facts.grants.allows(Privilege::Super, None);
    let first = [Act::CreateFunction, Act::CreateTrigger].into_iter().find_map(|a| look.first(a));
    found.extend(first.filter(|_| !is_super).map(|need| {
        let text = format!(
            "{} lacks SUPER, which functions and triggers need where a binary log is written \
             (error 1419)",
            account(look)
        );
        Finding::error("function_needs_super", text).line(need.line).fix(fix)
    }));
    found
}

fn definers(look: &Look<'_>) -> Vec<Finding> {
    if look.options.guard.definer != Definer::Keep {
        return Vec::new();
    }
    let mut found = Vec::new();
    for definer in &look.index.demands.definers {
        if is_own(look, definer) {
            continue;
        }
        let name = match &definer.host {
            Some(host) => format!("'{}'@'{host}'", definer.user),
            None => format!("'{}'", definer.user),
        };
        let finding = if !look.facts.sets_definers() {
            let text = format!(
                "{} may not define objects in the name of {name} (error 1227)",
                account(look)
            );
            Some(Finding::error("definer_not_allowed", text))
        } else {
            missing_definer(look, definer, &name)
        };
        let fix = "--definer strip makes the importing account the definer, --definer USER@HOST \
                   another one";
        found.extend(finding.map(|finding| finding.line(definer.line).object(name).fix(fix)));
    }
    found
}

fn is_own(look: &Look<'_>, definer: &Account) -> bool {
    look.existing.account.as_ref().is_some_and(|(user, host)| {
        *user == definer.user && definer.host.as_deref().unwrap_or("%").eq_ignore_ascii_case(host)
    })
}

fn missing_definer(look: &Look<'_>, definer: &Account, name: &str) -> Option<Finding> {
    let Some(accounts) = &look.existing.accounts else {
        let text = format!("it cannot be told whether the account {name} is there");
        return Some(Finding::info("definer_unknown", text));
    };
    // A role has no host.
    let hosts: &[&str] = match &definer.host {
        Some(host) => &[host.as_str()],
        None => &["", "%"],
    };
    let is_there = accounts.iter().any(|(user, host)| {
        *user == definer.user && hosts.iter().any(|wanted| host.eq_ignore_ascii_case(wanted))
    });
    if is_there {
        return None;
    }
    // MySQL 8.2 made it a privilege of its own.
    let is_refused = !look.is_mariadb()
        && look.facts.version >= (8, 2, 0)
        && !administers(look, &[Privilege::MissingDefiner]);
    Some(match is_refused {
        true => {
            let text = format!(
                "there is no account {name}, and {} lacks \
                 ALLOW_NONEXISTENT_DEFINER (error 1227)",
                account(look)
            );
            Finding::error("definer_not_allowed", text)
        }
        false => {
            let text = format!(
                "there is no account {name}: what it defines is created, and fails \
                 when it is used (error 1449)"
            );
            Finding::warning("definer_missing", text)
        }
    })
}
