//! Findings about names that the server would have to know: collations, character sets, sql_modes,
//! storage engines and variables.

use dump::index::Named;

use super::{Finding, Look};
use crate::import::guard::Policy;
use crate::mysql::facts::Flavor;

/// The sql_modes of all servers.
const MODES: [&str; 19] = [
    "ALLOW_INVALID_DATES",
    "ANSI",
    "ANSI_QUOTES",
    "ERROR_FOR_DIVISION_BY_ZERO",
    "HIGH_NOT_PRECEDENCE",
    "IGNORE_SPACE",
    "NO_AUTO_VALUE_ON_ZERO",
    "NO_BACKSLASH_ESCAPES",
    "NO_DIR_IN_CREATE",
    "NO_ENGINE_SUBSTITUTION",
    "NO_UNSIGNED_SUBTRACTION",
    "NO_ZERO_DATE",
    "NO_ZERO_IN_DATE",
    "ONLY_FULL_GROUP_BY",
    "PAD_CHAR_TO_FULL_LENGTH",
    "PIPES_AS_CONCAT",
    "REAL_AS_FLOAT",
    "STRICT_ALL_TABLES",
    "STRICT_TRANS_TABLES",
];
/// Those that MySQL 8.0 removed.
const MODES_REMOVED: [&str; 11] = [
    "DB2",
    "MAXDB",
    "MSSQL",
    "MYSQL323",
    "MYSQL40",
    "NO_AUTO_CREATE_USER",
    "NO_FIELD_OPTIONS",
    "NO_KEY_OPTIONS",
    "NO_TABLE_OPTIONS",
    "ORACLE",
    "POSTGRESQL",
];
/// Those of MariaDB alone.
const MODES_MARIADB: [&str; 4] = [
    "EMPTY_STRING_IS_NULL",
    "IGNORE_BAD_TABLE_OPTIONS",
    "SIMULTANEOUS_ASSIGNMENT",
    "TIME_ROUND_FRACTIONAL",
];

pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let demands = &look.index.demands;
    let mut found = Vec::new();
    found.extend(
        demands
            .collations
            .iter()
            .filter(|name| !knows_collation(look, &name.name))
            .map(|name| unknown_collation(look, name)),
    );
    found.extend(
        demands
            .character_sets
            .iter()
            .filter(|name| !knows_charset(look, &name.name))
            .map(|name| unknown_charset(look, name)),
    );
    found.extend(
        demands
            .sql_modes
            .iter()
            .filter(|mode| !knows_mode(look, &mode.name))
            .map(|mode| unknown_mode(look, mode)),
    );
    found.extend(engines(look));
    found.extend(variables(look));
    found
}

/// `utf8` and `utf8_…` stand for utf8mb3 where the server has that name.
fn knows_collation(look: &Look<'_>, name: &str) -> bool {
    let known = &look.facts.collations;
    if known.is_empty() || known.contains(name) {
        return true;
    }
    if let Some(rest) = name.strip_prefix("utf8_") {
        return known.contains(&format!("utf8mb3_{rest}"));
    }
    // MariaDB lists these without the character set that they may be named with.
    if let Some(at) = name.find("_uca1400_") {
        return known.contains(&name[at + 1..]);
    }
    // MariaDB knows MySQL's names without listing them.
    look.is_mariadb() && name.starts_with("utf8mb4_0900_") && look.facts.version >= (11, 4, 5)
}

fn knows_charset(look: &Look<'_>, name: &str) -> bool {
    let known = &look.facts.collations;
    let is_of = |collation: &String| {
        collation == name || collation.strip_prefix(name).is_some_and(|rest| rest.starts_with('_'))
    };
    known.is_empty()
        || known.iter().any(is_of)
        || (name == "utf8" && knows_charset(look, "utf8mb3"))
}

fn knows_mode(look: &Look<'_>, name: &str) -> bool {
    let (major, ..) = look.facts.version;
    let has = |list: &[&str]| list.contains(&name);
    match look.facts.flavor {
        _ if has(&MODES) || name == "TRADITIONAL" || name == "DEFAULT" => true,
        Flavor::MariaDb => has(&MODES_REMOVED) || has(&MODES_MARIADB),
        Flavor::MySql => name == "TIME_TRUNCATE_FRACTIONAL" || (major < 8 && has(&MODES_REMOVED)),
    }
}

fn unknown_collation(look: &Look<'_>, name: &Named) -> Finding {
    let text = format!("{} does not know the collation {} (error 1273)", look.server(), name.name);
    let finding = Finding::error("unknown_collation", text).line(name.line).object(&name.name);
    let charset = name.name.split('_').next().unwrap_or_default();
    match charset {
        "utf8mb4" => finding.fix(
            "replace it in the file, for example by utf8mb4_unicode_520_ci, or import into a \
             server that knows it",
        ),
        _ => finding.fix("replace it in the file by one that the server knows (SHOW COLLATION)"),
    }
}

fn unknown_charset(look: &Look<'_>, name: &Named) -> Finding {
    let text =
        format!("{} does not know the character set {} (error 1115)", look.server(), name.name);
    Finding::error("unknown_charset", text)
        .line(name.line)
        .object(&name.name)
        .fix("replace it in the file by one that the server knows (SHOW CHARACTER SET)")
}

fn unknown_mode(look: &Look<'_>, mode: &Named) -> Finding {
    let text = format!("{} refuses the sql_mode {} (error 1231)", look.server(), mode.name);
    Finding::error("unknown_sql_mode", text)
        .line(mode.line)
        .object(&mode.name)
        .fix(format!("remove {} from the file", mode.name))
}

fn engines(look: &Look<'_>) -> Vec<Finding> {
    let server_says = look.facts.sql_mode.contains("NO_ENGINE_SUBSTITUTION");
    let unknown = look.index.tables.iter().filter_map(|table| {
        let engine = table.engine.as_ref()?;
        let name = match engine.to_ascii_lowercase().as_str() {
            "heap" => "memory".to_owned(),
            "merge" => "mrg_myisam".to_owned(),
            "ndb" => "ndbcluster".to_owned(),
            "maria" => "aria".to_owned(),
            "xtradb" => "innodb".to_owned(),
            name => name.to_owned(),
        };
        let is_known = look.facts.engines.is_empty() || look.facts.engines.contains(&name);
        (!is_known).then_some((table, engine))
    });
    unknown
        .map(|(table, engine)| {
            let refuses = table.loading.no_engine_substitution.unwrap_or(server_says);
            let server = look.server();
            let finding = match refuses {
                true => Finding::error(
                    "unknown_engine",
                    format!("{server} has no engine {engine} (error 1286)"),
                )
                .fix(format!("change ENGINE={engine} in the file, or install the engine")),
                false => Finding::warning(
                    "engine_substituted",
                    format!(
                        "{server} has no engine {engine}: the table becomes {}",
                        look.facts.default_engine
                    ),
                ),
            };
            let line = table.defined_line.unwrap_or(table.first_line);
            finding.line(line).object(&table.name)
        })
        .collect()
}

/// Settings that the server does not have.
fn variables(look: &Look<'_>) -> Vec<Finding> {
    let known = &look.existing.variables;
    let skips_global = look.options.guard.policy != Policy::Allow;
    let unknown = look.index.settings.iter().filter(|setting| {
        let is_unknown = !known.is_empty() && !known.contains_key(&setting.name);
        let is_left_out = skips_global && (setting.global || setting.name == "gtid_next");
        // A name with a dot belongs to a plugin or component.
        is_unknown && !is_left_out && !setting.name.contains('.') && setting.name != "password"
    });
    unknown
        .map(|setting| {
            let text = format!("{} has no variable {} (error 1193)", look.server(), setting.name);
            Finding::error("unknown_variable", text)
                .line(setting.line)
                .object(&setting.name)
                .fix("remove the SET from the file; --policy skip leaves out global ones")
        })
        .collect()
}
