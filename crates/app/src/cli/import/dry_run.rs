//! `dbferry import --dry-run`: what an import would do and what would go wrong, without doing it.
//!
//! Reads the whole file once, asks the server, and changes nothing there. Standard input is allowed:
//! nothing is read a second time, so it is used up afterwards. A plan whose findings hold an error
//! exits as failed data does; the findings are not all that can go wrong (see `engine`'s precheck).
//! The JSON document is described in `docs/plan.schema.json`. No progress is drawn.

use std::fmt::Write;

use dump::index::{self, DumpIndex};
use dump::reader::Limits;
use dump::source::Input;
use engine::endpoint::Endpoint;
use engine::error::{Error, ErrorKind};
use engine::import::existing::{self, Existing};
use engine::import::plan::{self, About, Plan, TablePlan, Way};
use engine::import::precheck::{Finding, Severity};
use engine::import::target_of;
use engine::mysql::conn::Conn;
use engine::mysql::facts::{self, ServerFacts};

use super::{Settings, usage};
use crate::cli::{Exit, complain, print};
use crate::size;

/// Tables that the page shows; the JSON document has all.
const TABLES_SHOWN: usize = 200;
/// Keys of a table that the page names.
const KEYS_SHOWN: usize = 5;
/// Characters of a name that are shown.
const NAME_WIDTH_MAX: usize = 50;

/// Runs the command.
pub(super) fn run(input: Input, settings: &Settings) -> Exit {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return usage(&format!("start the runtime: {error}")),
    };
    match make(&runtime, input, settings) {
        Ok(plan) => tell(&plan, settings),
        Err(error) => {
            complain(&error.to_string());
            Exit::of(error.exit_code())
        }
    }
}

/// The server is asked first, since it decides how the file is read, and again after the file,
/// which may take long.
fn make(
    runtime: &tokio::runtime::Runtime,
    input: Input,
    settings: &Settings,
) -> Result<Plan, Error> {
    let endpoint = &settings.endpoint;
    let (facts, reached) = runtime.block_on(server(endpoint))?;
    let about = About {
        file: input.name.clone(),
        size: input.size,
        compression: input.kind.to_string(),
        url: endpoint.redacted(),
        database: endpoint.database.clone(),
    };
    let options = index::Options {
        server: Some(target_of(&facts).server),
        binary_mode: settings.options.binary_mode,
        limits: Limits::DEFAULT,
    };
    let index = index::read(input.reader, options);
    let existing = runtime.block_on(existing(&reached, &facts, &index, endpoint))?;
    Ok(plan::plan(about, &index, &facts, &existing, &settings.options))
}

/// The server's facts, and how it was reached: without a database if that is not there, which is a
/// finding.
async fn server(endpoint: &Endpoint) -> Result<(ServerFacts, Endpoint), Error> {
    let mut reached = endpoint.clone();
    let opened = match Conn::open(&reached, "dry-run").await {
        Err(error) if error.kind == ErrorKind::UnknownDatabase => {
            reached.database = None;
            Conn::open(&reached, "dry-run").await
        }
        opened => opened,
    };
    let mut conn = opened?;
    let facts = facts::gather(&mut conn).await?;
    conn.close().await;
    Ok((facts, reached))
}

async fn existing(
    reached: &Endpoint,
    facts: &ServerFacts,
    index: &DumpIndex,
    endpoint: &Endpoint,
) -> Result<Existing, Error> {
    let mut conn = Conn::open(reached, "dry-run").await?;
    let database = endpoint.database.as_deref();
    let existing = existing::gather(&mut conn, facts.flavor, index, database).await?;
    conn.close().await;
    Ok(existing)
}

fn tell(plan: &Plan, settings: &Settings) -> Exit {
    let document = document(plan);
    match settings.json {
        true => print(&document),
        false => print(&page(plan)),
    }
    if let Some(path) = &settings.report
        && let Err(error) = std::fs::write(path, &document)
    {
        return usage(&format!("write the report {}: {error}", path.display()));
    }
    match plan.is_feasible() {
        true => Exit::Done,
        false => Exit::DataFailed,
    }
}

fn document(plan: &Plan) -> String {
    let text = serde_json::to_string_pretty(plan);
    let mut text = text.expect("plain values with string keys always serialize");
    text.push('\n');
    text
}

/// The plan for people.
fn page(plan: &Plan) -> String {
    let mut page = String::new();
    facts_of(&mut page, plan);
    tables(&mut page, plan);
    findings(&mut page, &plan.findings);
    let verdict = match (plan.is_feasible(), plan.findings.is_empty()) {
        (true, true) => "Nothing was found that would stop the import. Nothing was changed.",
        (true, false) => "Nothing of this would stop the import. Nothing was changed.",
        (false, _) => "The import would fail. Nothing was changed.",
    };
    let _ = writeln!(page, "\n{verdict}");
    page
}

fn facts_of(page: &mut String, plan: &Plan) {
    let mut fact = |label: &str, text: &str| {
        let _ = writeln!(page, "{label:<10}{text}");
    };
    let (file, target, steps) = (&plan.file, &plan.target, &plan.steps);
    let stored = file.size.map_or_else(String::new, |size| format!(", {}", size::bytes(size)));
    let mut made = format!("made by {}", file.generator);
    if let Some(server) = &file.made_on {
        let _ = write!(made, " on {}", plain(server));
    }
    fact("File", &format!("{} ({}{stored})", plain(&file.name), file.compression));
    fact("", &format!("{made}; complete: {}", file.complete));
    let database = target.database.as_deref().map_or_else(
        || "no database selected".to_owned(),
        |name| format!("database {}", plain(name)),
    );
    fact("Target", &format!("{} ({} {}, {database})", target.url, target.server, target.version));
    let counts = [
        (steps.databases, "database"),
        (steps.tables, "table"),
        (steps.sequences, "sequence"),
        (steps.views, "view"),
        (steps.routines, "routine"),
        (steps.triggers, "trigger"),
        (steps.events, "event"),
        (steps.accounts, "account"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = [counted(steps.statements, "statement")]
        .into_iter()
        .chain(counts.map(|(count, word)| counted(count as u64, word)))
        .collect();
    fact("Contents", &counts.join(", "));
    fact("How", &how(plan));
    let estimates = &plan.estimates;
    let free = estimates
        .free_bytes
        .map_or_else(String::new, |free| format!(", {} are free", size::bytes(free)));
    let disk = size::bytes(estimates.disk_bytes);
    fact("Disk", &format!("about {disk} with indexes and logs{free}"));
}

fn how(plan: &Plan) -> String {
    let estimates = &plan.estimates;
    let rows = format!(
        "{}, {} of INSERTs",
        counted(estimates.rows, "row"),
        size::bytes(estimates.insert_bytes)
    );
    match (plan.lanes, estimates.lanes_bytes) {
        (0, _) => format!("{rows}; on one connection (--serial)"),
        (_, 0) => format!("{rows}; on one connection"),
        (lanes, bytes) => {
            format!("{rows}; {} of them on up to {lanes} connections", size::bytes(bytes))
        }
    }
}

fn tables(page: &mut String, plan: &Plan) {
    if plan.tables.is_empty() {
        return;
    }
    let mut rows = vec![["TABLE", "ROWS", "BYTES", "HOW"].map(str::to_owned)];
    rows.extend(plan.tables.iter().take(TABLES_SHOWN).map(|table| {
        let exact = if table.rows_exact { "" } else { "≥ " };
        let how = match (table.way, table.reason) {
            (Way::Lanes, _) => in_parallel(table),
            (Way::InOrder, Some(reason)) => format!("in order: {reason}"),
            (Way::InOrder, None) => "in order".to_owned(),
        };
        let count = format!("{exact}{}", size::count(table.rows));
        [shortened(&table.name), count, size::bytes(table.bytes), how]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let [name, count, bytes] = [0, 1, 2].map(|column| width(column).unwrap_or(0));
    page.push('\n');
    for [table, rows, size, how] in &rows {
        let _ = writeln!(page, "{table:<name$}  {rows:>count$}  {size:>bytes$}  {how}");
    }
    if plan.tables.len() > TABLES_SHOWN {
        let more = size::count((plan.tables.len() - TABLES_SHOWN) as u64);
        let _ = writeln!(page, "… and {more} more (--json has all)");
    }
}

fn in_parallel(table: &TablePlan) -> String {
    let rows = match table.insert_because {
        None => "as LOAD DATA".to_owned(),
        Some(reason) => format!("as INSERT ({reason})"),
    };
    let indexes = match (&table.deferred_indexes, table.indexes_after) {
        (_, false) => String::new(),
        (None, true) => ", its keys after them".to_owned(),
        (Some(names), true) => format!(", then {}", listed(names)),
    };
    format!("in parallel, {rows}{indexes}")
}

/// Names of keys, the first of them.
fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(KEYS_SHOWN).map(|name| shortened(name)).collect();
    let more = match names.len().saturating_sub(KEYS_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let word = if names.len() == 1 { "key" } else { "keys" };
    format!("{word} {}{more}", shown.join(", "))
}

fn findings(page: &mut String, findings: &[Finding]) {
    for finding in findings {
        let place = match finding.line {
            None => String::new(),
            Some(line) => format!("line {line}: "),
        };
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Info => "note",
        };
        let (text, code) = (plain(&finding.text), finding.code);
        let _ = writeln!(page, "\n{word:<9}{place}{text} [{code}]");
        if let Some(fix) = &finding.fix {
            let _ = writeln!(page, "         → {}", plain(fix));
        }
    }
}

fn counted(count: u64, word: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {word}{plural}", size::count(count))
}

/// One line: control characters as escapes.
fn plain(text: &str) -> String {
    let mut line = String::new();
    for character in text.chars() {
        match character.is_control() {
            true => line.extend(character.escape_default()),
            false => line.push(character),
        }
    }
    line
}

fn shortened(name: &str) -> String {
    let name = plain(name);
    match name.char_indices().nth(NAME_WIDTH_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name,
    }
}

#[cfg(test)]
mod tests {
    use engine::import::plan::{Estimates, File, SCHEMA, Steps, TablePlan, Target};

    use super::*;

    fn table(name: &str, rows: u64, reason: Option<&'static str>) -> TablePlan {
        let way = if reason.is_some() { Way::InOrder } else { Way::Lanes };
        let is_parallel = reason.is_none();
        TablePlan {
            name: name.into(),
            rows,
            rows_exact: true,
            bytes: rows * 100,
            way,
            reason,
            load_data: is_parallel,
            insert_because: reason.map(|_| "they stay on one connection"),
            indexes_after: is_parallel,
            deferred_indexes: is_parallel
                .then(|| vec!["by_name".to_owned(), "by_price".to_owned()]),
        }
    }

    fn plan() -> Plan {
        Plan {
            schema: SCHEMA,
            target: Target {
                url: "mysql://root@db:3306/shop".into(),
                server: "mysql",
                version: "9.7.0".into(),
                database: Some("shop".into()),
            },
            file: File {
                name: "shop.sql.gz".into(),
                size: Some(20_000_000),
                compression: "gzip".into(),
                generator: "mysqldump",
                made_on: Some("5.7.44-log".into()),
                complete: "complete",
            },
            lanes: 4,
            tables: vec![
                table("shop.item", 1_000_000, None),
                table("shop.log\n", 12, Some("it is small")),
            ],
            steps: Steps {
                statements: 40,
                databases: 0,
                tables: 2,
                sequences: 0,
                views: 1,
                routines: 0,
                triggers: 0,
                events: 0,
                accounts: 0,
            },
            findings: vec![Finding {
                code: "unknown_sql_mode",
                severity: Severity::Error,
                line: Some(58),
                object: Some("NO_AUTO_CREATE_USER".into()),
                text: "MySQL 9.7.0 refuses the sql_mode NO_AUTO_CREATE_USER (error 1231)".into(),
                fix: Some("remove NO_AUTO_CREATE_USER from the file".into()),
            }],
            estimates: Estimates {
                text_bytes: 101_000_000,
                rows: 1_000_012,
                insert_bytes: 100_001_200,
                lanes_bytes: 100_000_000,
                disk_bytes: 200_002_400,
                free_bytes: Some(5_000_000_000),
            },
        }
    }

    #[test]
    fn the_page_is_aligned_and_says_what_stops_the_import() {
        insta::assert_snapshot!(page(&plan()), @r"
        File      shop.sql.gz (gzip, 20.0 MB)
                  made by mysqldump on 5.7.44-log; complete: complete
        Target    mysql://root@db:3306/shop (mysql 9.7.0, database shop)
        Contents  40 statements, 2 tables, 1 view
        How       1,000,012 rows, 100 MB of INSERTs; 100 MB of them on up to 4 connections
        Disk      about 200 MB with indexes and logs, 5.00 GB are free

        TABLE            ROWS    BYTES  HOW
        shop.item   1,000,000   100 MB  in parallel, as LOAD DATA, then keys by_name, by_price
        shop.log\n         12  1.20 kB  in order: it is small

        error    line 58: MySQL 9.7.0 refuses the sql_mode NO_AUTO_CREATE_USER (error 1231) [unknown_sql_mode]
                 → remove NO_AUTO_CREATE_USER from the file

        The import would fail. Nothing was changed.
        ");
    }
}
