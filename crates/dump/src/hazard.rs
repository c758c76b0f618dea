//! What in a dump deserves attention before it is imported: kinds of hazards, and how they are
//! collected while a dump is read.
//!
//! Promises: a kind's code never changes its meaning; memory is bounded, however often a hazard
//! occurs. It does not find hazards (see [`crate::index`]) and knows no server that could be asked
//! whether one of them matters there.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::reader::Place;

/// Lines that are kept of one kind; the count goes on.
pub const LINES_MAX: usize = 20;
/// Different examples that are kept of one kind.
pub const EXAMPLES_MAX: usize = 5;
/// An example is cut after so many characters.
pub const EXAMPLE_LENGTH_MAX: usize = 80;

/// How much a hazard matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The import fails, or the file is not what it should be.
    Error,
    /// Depends on the target and on the account that imports.
    Warning,
    /// Good to know; mostly it costs speed.
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

/// The kinds of hazards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Code {
    /// The dump ends early.
    Truncated,
    /// A string or quoted name is open at the end.
    UnterminatedString,
    /// A comment is open at the end.
    UnterminatedComment,
    /// The last statement has no delimiter.
    UnterminatedStatement,
    /// Reading had to stop.
    Damaged,
    /// NUL bytes in the text.
    NulByte,
    /// A dump of another database product.
    OtherDialect,
    /// Bytes that are not UTF-8, though UTF-8 is announced.
    InvalidUtf8,
    /// Both UTF-8 and other text.
    MixedEncodings,
    /// UTF-8 text that another character set is announced for.
    Utf8UnderOtherCharset,
    /// `DEFINER = account`.
    Definer,
    /// `SET GLOBAL`, `SET PERSIST`.
    GlobalSetting,
    /// `SET @@GLOBAL.GTID_PURGED`, `gtid_slave_pos`, `gtid_next`.
    Gtid,
    /// `SET SQL_LOG_BIN`.
    SqlLogBin,
    /// `CREATE USER`, `GRANT` and the like.
    AccountStatement,
    /// `CHANGE MASTER` and the like.
    ReplicationStatement,
    /// `FLUSH`, `INSTALL PLUGIN` and the like.
    AdministrationStatement,
    /// Statements on `mysql`, `sys` and the like.
    SystemSchema,
    /// Client commands that reach outside the database.
    ClientCommand,
    /// Client commands that only concern printing.
    ClientCommandIgnored,
    /// `quit`, `exit`.
    ClientQuit,
    /// `LOAD DATA`, `INTO OUTFILE`, `LOAD_FILE`.
    FileAccess,
    /// `DROP DATABASE`.
    DropDatabase,
    /// No database is selected.
    NoDatabase,
    /// A collation that MariaDB may not know.
    MysqlOnlyCollation,
    /// A feature that MariaDB does not have.
    MysqlOnlyFeature,
    /// Text in versioned comments that MariaDB passes over.
    SkippedByMariadb,
    /// A collation that MySQL does not know.
    MariadbOnlyCollation,
    /// A feature that MySQL does not have.
    MariadbOnlyFeature,
    /// Text in versioned comments that MySQL passes over.
    SkippedByMysql,
    /// `sql_mode` values that MySQL 8 and later refuse.
    RemovedSqlMode,
    /// A `sql_mode` that only the server can compute.
    ComputedSqlMode,
    /// Places on the server's disks.
    StorageClause,
    /// Engines without transactions.
    NotTransactional,
    /// Statements longer than MariaDB's default `max_allowed_packet`.
    LargeStatement,
    /// `CREATE TEMPORARY TABLE`.
    TemporaryTable,
    /// `INSERT` that depends on order or is computed.
    OrderedInsert,
    /// Rows for a table that has a trigger already.
    TriggerBeforeRows,
    /// Events start running.
    Event,
    /// More than one dump in the file.
    SeveralDumps,
}

/// What is said about a kind.
struct Entry {
    code: Code,
    name: &'static str,
    severity: Severity,
    message: &'static str,
    advice: &'static str,
}

const fn entry(
    code: Code,
    name: &'static str,
    severity: Severity,
    message: &'static str,
    advice: &'static str,
) -> Entry {
    Entry { code, name, severity, message, advice }
}

use Severity::{Error, Info, Warning};

const ENTRIES: [Entry; 40] = [
    entry(
        Code::Truncated,
        "truncated",
        Error,
        "the dump ends early",
        "make the dump again; an import would do what is there and report this",
    ),
    entry(
        Code::UnterminatedString,
        "unterminated_string",
        Error,
        "a string or quoted name is still open at the end of the file",
        "the stock clients drop the open statement without a word; make the dump again",
    ),
    entry(
        Code::UnterminatedComment,
        "unterminated_comment",
        Error,
        "a comment is still open at the end of the file",
        "everything from there on is a comment; close it, or make the dump again",
    ),
    entry(
        Code::UnterminatedStatement,
        "unterminated_statement",
        Info,
        "the last statement has no delimiter",
        "it is executed all the same, as the stock clients do",
    ),
    entry(
        Code::Damaged,
        "damaged",
        Error,
        "the file cannot be read to its end",
        "an import would stop there; what was found up to there is listed",
    ),
    entry(
        Code::NulByte,
        "nul_byte",
        Warning,
        "NUL bytes in the text",
        "import with --binary-mode, or dump with --hex-blob",
    ),
    entry(
        Code::OtherDialect,
        "other_dialect",
        Error,
        "this is a dump of another database product",
        "it cannot be imported into MariaDB or MySQL as it is",
    ),
    entry(
        Code::InvalidUtf8,
        "invalid_utf8",
        Warning,
        "text that is not UTF-8, though the file announces UTF-8",
        "the server may refuse or cut these values; dump with --hex-blob, or with the character \
         set that the text really has",
    ),
    entry(
        Code::MixedEncodings,
        "mixed_encodings",
        Warning,
        "some of the text is UTF-8 and some is not",
        "check the lines named before importing; bytes are passed on as they are",
    ),
    entry(
        Code::Utf8UnderOtherCharset,
        "utf8_under_other_charset",
        Warning,
        "UTF-8 text, though the file announces another character set",
        "it may be stored double encoded, as on the server that it came from",
    ),
    entry(
        Code::Definer,
        "definer",
        Warning,
        "objects that run with the rights of a named account (DEFINER)",
        "creating them for another account needs SET_USER_ID or SUPER, and they fail where the \
         account is missing; see --definer strip or --definer USER@HOST",
    ),
    entry(
        Code::GlobalSetting,
        "global_setting",
        Warning,
        "statements that change global settings of the server",
        "executed as the stock client does; --policy skip leaves them out, deny stops there",
    ),
    entry(
        Code::Gtid,
        "gtid",
        Warning,
        "statements that set the server's GTID state",
        "executed as the stock client does; --policy skip leaves them out, which is right unless \
         you set up a replica",
    ),
    entry(
        Code::SqlLogBin,
        "sql_log_bin",
        Warning,
        "statements that turn off binary logging",
        "executed as the stock client does: replicas will miss the rows; --policy skip leaves them \
         out",
    ),
    entry(
        Code::AccountStatement,
        "account_statement",
        Warning,
        "statements on accounts and privileges",
        "executed as the stock client does; --policy skip leaves them out, deny stops there",
    ),
    entry(
        Code::ReplicationStatement,
        "replication_statement",
        Warning,
        "statements that change replication",
        "executed as the stock client does; --policy skip leaves them out, deny stops there",
    ),
    entry(
        Code::AdministrationStatement,
        "administration_statement",
        Warning,
        "statements that administrate the server",
        "executed as the stock client does; --policy skip leaves them out, deny stops there",
    ),
    entry(
        Code::SystemSchema,
        "system_schema",
        Warning,
        "statements on system schemas",
        "they overwrite accounts and settings of the target; dump only the databases you need",
    ),
    entry(
        Code::ClientCommand,
        "client_command",
        Error,
        "client commands that reach outside the database",
        "never run, and an import stops there; remove them, or put a sourced file's content in \
         its place",
    ),
    entry(
        Code::ClientCommandIgnored,
        "client_command_ignored",
        Info,
        "client commands that only concern printing",
        "passed over",
    ),
    entry(
        Code::ClientQuit,
        "client_quit",
        Warning,
        "a command that ends the client",
        "what follows in the file is not read, as with the stock client",
    ),
    entry(
        Code::FileAccess,
        "file_access",
        Error,
        "statements that read or write files (LOAD DATA, INTO OUTFILE, LOAD_FILE)",
        "refused unless allowed",
    ),
    entry(
        Code::DropDatabase,
        "drop_database",
        Warning,
        "statements that drop whole databases",
        "make sure that nothing on the target is lost by it",
    ),
    entry(
        Code::NoDatabase,
        "no_database",
        Info,
        "objects in no database: none is selected before them",
        "name one in the target: mysql://…/DATABASE",
    ),
    entry(
        Code::MysqlOnlyCollation,
        "mysql_only_collation",
        Warning,
        "collations that MariaDB before 11.4.5 does not know",
        "import into MySQL or a newer MariaDB, or replace them, for example by \
         utf8mb4_unicode_520_ci",
    ),
    entry(
        Code::MysqlOnlyFeature,
        "mysql_only_feature",
        Warning,
        "features that MariaDB does not have",
        "import into MySQL, or change these statements",
    ),
    entry(
        Code::SkippedByMariadb,
        "skipped_by_mariadb",
        Info,
        "definitions in versioned comments that MariaDB passes over",
        "MariaDB does without what stands in them",
    ),
    entry(
        Code::MariadbOnlyCollation,
        "mariadb_only_collation",
        Warning,
        "collations that MySQL does not know",
        "import into MariaDB, or replace them, for example by utf8mb4_unicode_520_ci",
    ),
    entry(
        Code::MariadbOnlyFeature,
        "mariadb_only_feature",
        Warning,
        "features that MySQL does not have",
        "import into MariaDB, or change these statements",
    ),
    entry(
        Code::SkippedByMysql,
        "skipped_by_mysql",
        Info,
        "definitions in versioned comments that MySQL passes over",
        "MySQL does without what stands in them",
    ),
    entry(
        Code::RemovedSqlMode,
        "removed_sql_mode",
        Warning,
        "sql_mode values that MySQL 8.0 and later refuse",
        "import into MariaDB or MySQL 5.7, or remove them from the file",
    ),
    entry(
        Code::ComputedSqlMode,
        "computed_sql_mode",
        Info,
        "a sql_mode that only the server can compute",
        "this listing assumes that quoting stays as it is; an import asks the server",
    ),
    entry(
        Code::StorageClause,
        "storage_clause",
        Warning,
        "clauses that name places on the server's disks",
        "they fail where the target does not have these folders or tablespaces",
    ),
    entry(
        Code::NotTransactional,
        "not_transactional",
        Info,
        "tables whose engine knows no transactions",
        "loaded over one connection; their rows stay when an import is rolled back",
    ),
    entry(
        Code::LargeStatement,
        "large_statement",
        Info,
        "statements longer than 16 MiB",
        "an INSERT of literal rows is split; anything else needs max_allowed_packet on the server",
    ),
    entry(
        Code::TemporaryTable,
        "temporary_table",
        Info,
        "temporary tables",
        "they stay on one connection",
    ),
    entry(
        Code::OrderedInsert,
        "ordered_insert",
        Info,
        "INSERTs that are computed or depend on their order (REPLACE, IGNORE, ON DUPLICATE KEY, \
         SET, SELECT)",
        "executed over one connection, in file order",
    ),
    entry(
        Code::TriggerBeforeRows,
        "trigger_before_rows",
        Warning,
        "rows for tables that have a trigger by then",
        "the trigger runs for every row, as with the stock client; over one connection",
    ),
    entry(
        Code::Event,
        "event",
        Info,
        "scheduled events",
        "they start running on a target whose event_scheduler is on",
    ),
    entry(
        Code::SeveralDumps,
        "several_dumps",
        Info,
        "more than one dump in this file",
        "done one after the other; of the earlier ones it is not known whether they are complete",
    ),
];

impl Code {
    fn entry(self) -> &'static Entry {
        // In the order of the enum: a test goes over them.
        let entry = &ENTRIES[self as usize];
        debug_assert_eq!(entry.code, self, "entries stand in the order of the codes");
        entry
    }

    /// The name that programs know it by.
    pub fn name(self) -> &'static str {
        self.entry().name
    }
}

/// Everything found of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hazard {
    /// The kind's name, which stays the same for ever.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What was found.
    pub message: String,
    /// What dbferry does about it, or what the user can do.
    pub advice: &'static str,
    /// How often.
    pub count: u64,
    /// Byte offset of the first one.
    pub offset: u64,
    /// Lines of the first [`LINES_MAX`]; each line once.
    pub lines: Vec<u64>,
    /// The first [`EXAMPLES_MAX`] different ones, in words of the file.
    pub examples: Vec<String>,
}

/// Collects hazards.
#[derive(Debug, Default)]
pub struct Hazards {
    found: BTreeMap<Code, Hazard>,
}

impl Hazards {
    /// Notes one; `example` is text of the file.
    pub fn note(&mut self, code: Code, place: Place, example: &[u8]) {
        let hazard = self.found.entry(code).or_insert_with(|| {
            let entry = code.entry();
            Hazard {
                code: entry.name,
                severity: entry.severity,
                message: entry.message.to_owned(),
                advice: entry.advice,
                count: 0,
                offset: place.offset,
                lines: Vec::new(),
                examples: Vec::new(),
            }
        });
        hazard.count += 1;
        if hazard.lines.len() < LINES_MAX && hazard.lines.last() != Some(&place.line) {
            hazard.lines.push(place.line);
        }
        if hazard.examples.len() < EXAMPLES_MAX && !example.is_empty() {
            let example = shorten(example);
            if !hazard.examples.contains(&example) {
                hazard.examples.push(example);
            }
        }
    }

    /// Makes a kind graver than it usually is, if it was found.
    pub fn set_severity(&mut self, code: Code, severity: Severity) {
        if let Some(hazard) = self.found.get_mut(&code) {
            hazard.severity = severity;
        }
    }

    /// Forgets a kind.
    pub fn forget(&mut self, code: Code) {
        self.found.remove(&code);
    }

    /// Replaces what a kind says in general by what is known of this one.
    pub fn say(&mut self, code: Code, message: &str) {
        if let Some(hazard) = self.found.get_mut(&code) {
            message.clone_into(&mut hazard.message);
        }
    }

    /// All of them, the gravest first, then in file order.
    pub fn into_list(self) -> Vec<Hazard> {
        let mut list: Vec<Hazard> = self.found.into_values().collect();
        for hazard in &mut list {
            hazard.lines.sort_unstable();
        }
        list.sort_by_key(|hazard| (hazard.severity, hazard.offset));
        list
    }
}

/// One line of at most [`EXAMPLE_LENGTH_MAX`] characters, blanks run together.
pub(crate) fn shorten(text: &[u8]) -> String {
    // A character has at most four bytes; what lies beyond cannot be shown.
    let text = &text[..text.len().min(EXAMPLE_LENGTH_MAX * 8)];
    let text = String::from_utf8_lossy(text);
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    match line.char_indices().nth(EXAMPLE_LENGTH_MAX) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_entry_with_its_own_name() {
        for (index, entry) in ENTRIES.iter().enumerate() {
            assert_eq!(entry.code as usize, index, "{}: out of order", entry.name);
            assert_eq!(ENTRIES.iter().filter(|other| other.name == entry.name).count(), 1);
        }
        assert_eq!(Code::SeveralDumps as usize + 1, ENTRIES.len());
    }

    #[test]
    fn memory_stays_bounded() {
        let mut hazards = Hazards::default();
        for line in 0..1000u64 {
            let place = Place { offset: line * 10, line };
            hazards.note(Code::Definer, place, format!("`u{line}`@`%`").as_bytes());
        }
        let list = hazards.into_list();
        assert_eq!((list[0].count, list[0].lines.len()), (1000, LINES_MAX));
        assert_eq!(list[0].examples.len(), EXAMPLES_MAX);
        assert_eq!(shorten(b"  a\n\t b\0c "), "a b c");
    }
}
