//! Looks at statements other than rows for what deserves attention.
//!
//! Examples never hold what may be a password: of statements on accounts and replication only the
//! first words are shown.

use super::super::features;
use super::super::session::{self, Assigned};
use crate::hazard::{Code, Hazards, Severity};
use crate::reader::Place;
use crate::rules::{Client, Rules};
use crate::statement::{Action, Class, Kind, Scope};
use crate::token::{Target, Token, Tokens};

/// A statement and how it was seen.
pub(super) struct Seen<'a> {
    pub(super) text: &'a [u8],
    pub(super) class: &'a Class,
    pub(super) rules: Rules,
    pub(super) target: Target,
    pub(super) place: Place,
    /// The default database.
    pub(super) schema: Option<&'a [u8]>,
}

/// Notes what is found in a statement.
pub(super) fn of_statement(hazards: &mut Hazards, seen: &Seen<'_>) {
    let Seen { text, class, place, .. } = seen;
    if let Some(account) = class.definer.clone() {
        let account = &text[account];
        let is_current = account.len() >= 8 && account[..8].eq_ignore_ascii_case(b"CURRENT_");
        if !is_current {
            hazards.note(Code::Definer, *place, account);
        }
    }
    if class.kind == Kind::Other && is_client_command(text) {
        hazards.note(Code::ClientCommand, *place, text);
    }
    if class.touches_files || names_files(seen) {
        hazards.note(Code::FileAccess, *place, text);
    }
    let schema = class.object.as_ref().and_then(|object| object.schema.as_deref());
    if is_in_system_schema(class, schema.or(seen.schema)) || changes_system_schema(seen) {
        hazards.note(Code::SystemSchema, *place, text);
    }
    by_kind(hazards, seen);
    if is_definition(class.kind) {
        of_definition(hazards, seen);
    }
}

fn by_kind(hazards: &mut Hazards, seen: &Seen<'_>) {
    let Seen { class, place, .. } = seen;
    match class.kind {
        Kind::Account => hazards.note(Code::AccountStatement, *place, first_words(seen)),
        Kind::Replication => hazards.note(Code::ReplicationStatement, *place, first_words(seen)),
        Kind::Administration => {
            hazards.note(Code::AdministrationStatement, *place, first_words(seen));
        }
        Kind::Database if class.action == Action::Drop => {
            let name = class.object.as_ref().map(|object| object.name.as_slice());
            hazards.note(Code::DropDatabase, *place, name.unwrap_or_default());
        }
        Kind::Table if class.temporary && class.action == Action::Create => {
            let name = class.object.as_ref().map(|object| object.name.as_slice());
            hazards.note(Code::TemporaryTable, *place, name.unwrap_or_default());
        }
        Kind::Event if class.action == Action::Create => {
            let name = class.object.as_ref().map(|object| object.name.as_slice());
            hazards.note(Code::Event, *place, name.unwrap_or_default());
        }
        _ => {}
    }
}

/// A client command that the followed client sends to the server, which refuses it. (MySQL's knows
/// none in files, see [`Client::knows_commands`].)
fn is_client_command(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] =
        [b"source", b"system", b"tee", b"pager", b"edit", b"connect", b"\\!", b"\\."];
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    let word = &text[..end];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
        || word.starts_with(b"\\!")
        || word.starts_with(b"\\.")
}

/// The first two words.
fn first_words<'a>(seen: &Seen<'a>) -> &'a [u8] {
    let mut tokens = Tokens::new(seen.text, seen.rules, seen.target).take(2);
    let start = tokens.next().map_or(0, |t| t.span.start);
    let end = tokens.next().map_or(start, |t| t.span.end);
    &seen.text[start..end]
}

/// `INTO OUTFILE`, `INTO DUMPFILE` or `LOAD_FILE(…)` in any statement.
fn names_files(seen: &Seen<'_>) -> bool {
    Tokens::new(seen.text, seen.rules, seen.target).any(|spanned| {
        ["OUTFILE", "DUMPFILE", "LOAD_FILE"].iter().any(|word| spanned.token.is(word))
    })
}

fn is_in_system_schema(class: &Class, schema: Option<&[u8]>) -> bool {
    let writes = is_definition(class.kind) || matches!(class.kind, Kind::Insert | Kind::Change);
    writes && schema.is_some_and(is_system_schema)
}

/// Whether a schema belongs to the server.
pub(super) fn is_system_schema(name: &[u8]) -> bool {
    const SYSTEM: [&[u8]; 4] = [b"mysql", b"sys", b"performance_schema", b"information_schema"];
    SYSTEM.iter().any(|schema| name.eq_ignore_ascii_case(schema))
}

/// `UPDATE mysql.user …`, `DELETE FROM mysql.db …`
fn changes_system_schema(seen: &Seen<'_>) -> bool {
    /// The name stands among the first words.
    const TOKENS_MAX: usize = 8;
    if seen.class.kind != Kind::Change {
        return false;
    }
    let tokens: Vec<Token<'_>> = Tokens::new(seen.text, seen.rules, seen.target)
        .take(TOKENS_MAX)
        .map(|spanned| spanned.token)
        .collect();
    tokens.windows(2).any(|pair| {
        pair[1] == Token::Symbol(b'.') && pair[0].name().is_some_and(|name| is_system_schema(&name))
    })
}

fn is_definition(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Database | Kind::Table | Kind::View | Kind::Routine | Kind::Trigger | Kind::Event
    )
}

/// What only one of the servers understands, in a definition.
fn of_definition(hazards: &mut Hazards, seen: &Seen<'_>) {
    let Seen { text, place, rules, .. } = seen;
    for (reader, collation, feature) in [
        (Client::MariaDb, Code::MysqlOnlyCollation, Code::MysqlOnlyFeature),
        (Client::MySql, Code::MariadbOnlyCollation, Code::MariadbOnlyFeature),
    ] {
        let found = features::foreign_to(reader, text, *rules);
        for name in &found.collations {
            hazards.note(collation, *place, name);
        }
        for name in &found.others {
            hazards.note(feature, *place, name.as_bytes());
        }
    }
    for skipped in features::skipped(text) {
        let code = match skipped.by {
            Client::MariaDb => Code::SkippedByMariadb,
            Client::MySql => Code::SkippedByMysql,
        };
        hazards.note(code, *place, skipped.text);
    }
}

/// Notes what is found in one assignment of a SET.
pub(super) fn of_setting(hazards: &mut Hazards, assigned: &Assigned, place: Place) {
    let name = assigned.name.as_slice();
    match (assigned.scope, name) {
        (_, b"gtid_purged" | b"gtid_next" | b"gtid_slave_pos" | b"gtid_domain_id") => {
            hazards.note(Code::Gtid, place, name);
        }
        (_, b"sql_log_bin") if !assigned.text.starts_with(b"@") => {
            hazards.note(Code::SqlLogBin, place, name);
        }
        (Scope::Global, _) => hazards.note(Code::GlobalSetting, place, name),
        (Scope::Session, b"sql_mode") => {
            if let Some(mode) = session::removed_mode(&assigned.value) {
                hazards.note(Code::RemovedSqlMode, place, mode);
            }
        }
        (Scope::Session, _) if memchr::memmem::find(&assigned.text, b"_0900_").is_some() => {
            hazards.note(Code::MysqlOnlyCollation, place, &assigned.text);
        }
        (Scope::Session, _) if memchr::memmem::find(&assigned.text, b"uca1400").is_some() => {
            hazards.note(Code::MariadbOnlyCollation, place, &assigned.text);
        }
        (Scope::Session | Scope::User, _) => {}
    }
}

/// For one server: what it does not understand is an error, the other one's findings are dropped.
pub(super) fn for_server(hazards: &mut Hazards, server: Option<Client>) {
    const MYSQL: [Code; 4] = [
        Code::MariadbOnlyCollation,
        Code::MariadbOnlyFeature,
        Code::SkippedByMysql,
        Code::RemovedSqlMode,
    ];
    const MARIADB: [Code; 3] =
        [Code::MysqlOnlyCollation, Code::MysqlOnlyFeature, Code::SkippedByMariadb];
    let (own, other) = match server {
        Some(Client::MariaDb) => (&MARIADB[..], &MYSQL[..]),
        Some(Client::MySql) => (&MYSQL[..], &MARIADB[..]),
        None => return,
    };
    for &code in own {
        if !matches!(code, Code::SkippedByMysql | Code::SkippedByMariadb) {
            hazards.set_severity(code, Severity::Error);
        }
    }
    for &code in other {
        hazards.forget(code);
    }
}
