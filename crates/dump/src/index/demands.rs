//! What a dump asks of its target: what it does in which database, in whose names, under which
//! collations, modes and limits. Collected for the precheck of an import.
//!
//! Promises: bounded lists, each thing once, with the line where it first occurs. It judges nothing
//! and asks no server; what it does not recognise it does not report.

use std::collections::{HashMap, HashSet};

use super::OBJECTS_MAX;
use super::session::{Assigned, Value};
use crate::reader::Place;
use crate::rules::Rules;
use crate::statement::{Action, Class, Kind, ObjectName, Scope};
use crate::token::{Spanned, Target, Token, Tokens};

/// Names that are kept of collations, character sets, modes and accounts each.
pub const NAMES_MAX: usize = 200;
/// Bytes that are kept of a `gtid_purged`.
pub const GTID_BYTES_MAX: usize = 64 * 1024;

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Act {
    /// `CREATE DATABASE`
    CreateDatabase,
    /// `ALTER DATABASE`
    AlterDatabase,
    /// `DROP DATABASE`
    DropDatabase,
    /// `CREATE TABLE`, `CREATE SEQUENCE`
    CreateTable,
    /// `CREATE TEMPORARY TABLE`
    CreateTemporaryTable,
    /// `ALTER TABLE`
    AlterTable,
    /// `RENAME TABLE`, `ALTER TABLE … RENAME`
    RenameTable,
    /// `DROP TABLE`, `DROP VIEW`, `DROP SEQUENCE`, `TRUNCATE`
    DropTable,
    /// `CREATE INDEX`, `DROP INDEX`
    Index,
    /// A foreign key in a definition.
    ForeignKey,
    /// `LOCK TABLES`
    LockTables,
    /// `INSERT`
    Insert,
    /// `REPLACE`
    Replace,
    /// `UPDATE`
    Update,
    /// `DELETE`
    Delete,
    /// `CREATE VIEW`
    CreateView,
    /// `CREATE PROCEDURE`, `CREATE FUNCTION`, `CREATE PACKAGE`
    CreateRoutine,
    /// `ALTER` or `DROP` of one.
    AlterRoutine,
    /// `CREATE FUNCTION`: what servers with a binary log restrict further.
    CreateFunction,
    /// `CREATE FUNCTION` that does not say DETERMINISTIC, NO SQL or READS SQL DATA.
    CreateUnsafeFunction,
    /// `CREATE TRIGGER`
    CreateTrigger,
    /// `CREATE`, `ALTER`, `DROP EVENT`
    Event,
    /// Statements on accounts and privileges.
    Account,
    /// Statements on replication.
    Replication,
    /// Statements on the server.
    Administration,
    /// `SET GLOBAL` of anything but GTIDs.
    SetGlobal,
    /// `SET sql_log_bin`
    SqlLogBin,
    /// Files on the server are read or written by the statement itself.
    Files,
    /// `CALL`, `EXECUTE` and the like: what they do is not seen.
    Opaque,
}

/// Something that the dump does in a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// What.
    pub act: Act,
    /// Where, as it is written or as `USE` says; `None` if no database is selected.
    pub schema: Option<String>,
    /// The line of the first time.
    pub line: u64,
}

/// A name and the line where it first occurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The name.
    pub name: String,
    /// The line.
    pub line: u64,
}

/// An account in whose name something is defined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its user, or a role.
    pub user: String,
    /// Its host; a role has none.
    pub host: Option<String>,
    /// The line of the first definition.
    pub line: u64,
}

/// The longest of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Longest {
    /// Bytes.
    pub bytes: u64,
    /// Its line.
    pub line: u64,
}

/// What is defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defined {
    /// A database.
    Database,
    /// A table.
    Table,
    /// A view.
    View,
    /// A sequence.
    Sequence,
    /// A procedure.
    Procedure,
    /// A function.
    Function,
    /// A package or its body.
    Package,
    /// A trigger.
    Trigger,
    /// An event.
    Event,
}

/// An object that the dump creates or drops. Temporary tables are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its kind.
    pub kind: Defined,
    /// Its schema; `None` for databases, and where no database is selected.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Its first creation.
    pub created: Option<Place>,
    /// That creation says `IF NOT EXISTS`.
    pub if_not_exists: bool,
    /// That creation says `OR REPLACE`.
    pub or_replace: bool,
    /// Where it is first dropped.
    pub dropped: Option<Place>,
    /// That drop says `IF EXISTS`.
    pub if_exists: bool,
}

/// How a table's rows come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loading {
    /// Some come by REPLACE, IGNORE, ON DUPLICATE KEY, SET, SELECT and the like.
    pub ordered: bool,
    /// Some come in a transaction of the file.
    pub in_transaction: bool,
    /// Some come behind statements whose effect is not seen (CALL, EXECUTE).
    pub after_opaque: bool,
    /// Some come behind statements that administer the server, or behind SETs that fix what is
    /// generated (`timestamp`, `insert_id`).
    pub after_fixing: bool,
    /// The file defined a trigger on it before.
    pub after_trigger: bool,
    /// It has foreign keys, by its definition or an ALTER TABLE.
    pub foreign_keys: bool,
    /// Some rows come while `foreign_key_checks` are on.
    pub foreign_key_checks: bool,
    /// Some rows come while they are on and the file has given it foreign keys.
    pub checked_foreign_keys: bool,
    /// The definition has an AUTO_INCREMENT column that some INSERT does not name.
    pub numbered_by_server: bool,
    /// The definition makes it system-versioned.
    pub versioned: bool,
    /// A default takes a value from a sequence.
    pub computed_default: bool,
    /// The definition has a primary key.
    pub primary_key: bool,
    /// `NO_ENGINE_SUBSTITUTION` where it is defined; `None`: as the server has it.
    pub no_engine_substitution: Option<bool>,
    /// Bytes of its longest INSERT.
    pub longest_insert: u64,
    /// Bytes of its longest run of two or more INSERTs with nothing in between.
    pub longest_run: u64,
}

/// Everything that is asked of a target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demands {
    /// What is done where, by line.
    pub needs: Vec<Need>,
    /// What is created or dropped, by line.
    pub definitions: Vec<Definition>,
    /// Collations that definitions and settings name, in lower case.
    pub collations: Vec<Named>,
    /// Character sets that definitions and settings name, in lower case.
    pub character_sets: Vec<Named>,
    /// Values of literal `sql_mode`s, in upper case.
    pub sql_modes: Vec<Named>,
    /// Accounts in DEFINER clauses, CURRENT_USER left out.
    pub definers: Vec<Account>,
    /// The value given to `gtid_purged`.
    pub gtid_purged: Option<Named>,
    /// The longest statement that is sent whole whatever its length: anything but rows.
    pub longest_statement: Longest,
    /// The longest row is at least this long.
    pub longest_row: Longest,
}

/// Kind, schema and name.
type DefinitionKey = (Defined, Option<Vec<u8>>, Vec<u8>);

/// Collects while the dump is read.
#[derive(Debug, Default)]
pub(super) struct Collector {
    demands: Demands,
    needs: HashSet<(Act, Option<Vec<u8>>)>,
    definitions: HashMap<DefinitionKey, usize>,
    flow: Flow,
}

/// What of the session decides how rows come.
#[derive(Debug, Default)]
struct Flow {
    in_transaction: bool,
    autocommit_off: bool,
    foreign_keys_off: bool,
    opaque: bool,
    fixing: bool,
    no_engine_substitution: Option<bool>,
    /// The INSERTs before this one with nothing in between.
    run: Option<Run>,
}

/// INSERTs into one table with nothing in between.
#[derive(Debug)]
struct Run {
    schema: Option<Vec<u8>>,
    table: Vec<u8>,
    bytes: u64,
    statements: u64,
}

/// A statement and how it was seen.
pub(super) struct Seen<'a> {
    pub(super) text: &'a [u8],
    pub(super) class: &'a Class,
    pub(super) rules: Rules,
    pub(super) target: Target,
    pub(super) place: Place,
    /// The default database before it.
    pub(super) schema: Option<&'a [u8]>,
}

/// What a CREATE TABLE says that decides how its rows come.
#[derive(Debug, Default)]
pub(super) struct Traits {
    pub(super) loading: Loading,
    pub(super) auto_increment: Option<Vec<u8>>,
}

/// Some rows, as far as it matters here.
pub(super) struct Rows<'a> {
    pub(super) schema: Option<&'a [u8]>,
    pub(super) table: &'a [u8],
    pub(super) replace: bool,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) place: Place,
}

impl Collector {
    /// Takes the rows of an INSERT; gives what the session makes of their way.
    pub(super) fn rows(&mut self, rows: &Rows<'_>) -> Loading {
        let row = rows.bytes.checked_div(rows.rows).unwrap_or(0);
        longer(&mut self.demands.longest_row, row, rows.place);
        let goes_on = self
            .flow
            .run
            .as_ref()
            .is_some_and(|run| run.schema.as_deref() == rows.schema && run.table == rows.table);
        // Not looked up for every INSERT.
        if !goes_on || rows.replace {
            let act = if rows.replace { Act::Replace } else { Act::Insert };
            self.need(act, rows.schema, rows.place);
        }
        let flow = &mut self.flow;
        let run = flow.run.take().filter(|_| goes_on).unwrap_or_else(|| Run {
            schema: rows.schema.map(<[u8]>::to_vec),
            table: rows.table.to_vec(),
            bytes: 0,
            statements: 0,
        });
        let run = Run { bytes: run.bytes + rows.bytes, statements: run.statements + 1, ..run };
        let longest_run = if run.statements > 1 { run.bytes } else { 0 };
        flow.run = Some(run);
        Loading {
            in_transaction: flow.in_transaction || flow.autocommit_off,
            after_opaque: flow.opaque,
            after_fixing: flow.fixing,
            foreign_key_checks: !flow.foreign_keys_off,
            longest_insert: rows.bytes,
            longest_run,
            ..Loading::default()
        }
    }

    /// Takes any other statement.
    pub(super) fn statement(&mut self, seen: &Seen<'_>) {
        self.flow.run = None;
        let Seen { class, place, .. } = seen;
        longer(&mut self.demands.longest_statement, seen.text.len() as u64, *place);
        self.follow(class, seen.text);
        if class.touches_files {
            self.need(Act::Files, None, *place);
        }
        let schema = class.object.as_ref().and_then(|object| object.schema.as_deref());
        let schema = schema.or(seen.schema);
        for act in acts(seen) {
            let schema = match class.kind {
                Kind::Database => class.object.as_ref().map(|object| object.name.as_slice()),
                _ => schema,
            };
            self.need(act, schema, *place);
        }
        if is_definition(class.kind) {
            self.define(seen);
            self.charsets(seen);
            self.definer(seen);
        }
    }

    /// What a statement does to the flow.
    fn follow(&mut self, class: &Class, text: &[u8]) {
        match class.kind {
            Kind::Begin => self.flow.in_transaction = true,
            Kind::EndTransaction if ends_transaction(text) => self.flow.in_transaction = false,
            Kind::Execute => self.flow.opaque = true,
            Kind::Administration => self.flow.fixing = true,
            kind if is_definition(kind) && !class.temporary => self.flow.in_transaction = false,
            Kind::LockTables | Kind::UnlockTables => self.flow.in_transaction = false,
            _ => {}
        }
    }

    /// Takes one assignment of a SET.
    pub(super) fn assigned(&mut self, assigned: &Assigned, place: Place) {
        self.flow.run = None;
        let literal = match &assigned.value {
            Value::Literal(text) => Some(text.as_slice()),
            Value::User(_) | Value::System(_) | Value::Computed(_) => None,
        };
        match (assigned.scope, assigned.name.as_slice()) {
            (Scope::User, _) => {}
            (_, b"gtid_purged") => {
                let text = &assigned.text[..assigned.text.len().min(GTID_BYTES_MAX)];
                let name = Named { name: lossy(text), line: place.line };
                self.demands.gtid_purged.get_or_insert(name);
            }
            (_, b"sql_log_bin") if !assigned.text.starts_with(b"@") => {
                self.need(Act::SqlLogBin, None, place);
            }
            (Scope::Global, b"gtid_slave_pos") => {}
            (Scope::Global, _) => self.need(Act::SetGlobal, None, place),
            (Scope::Session, name) => self.session(name, literal, place),
        }
    }

    fn session(&mut self, name: &[u8], literal: Option<&[u8]>, place: Place) {
        let is_off = literal.is_some_and(|v| v == b"0" || v.eq_ignore_ascii_case(b"off"));
        match name {
            b"autocommit" => self.flow.autocommit_off = is_off,
            b"foreign_key_checks" => self.flow.foreign_keys_off = is_off,
            b"sql_mode" => {
                self.flow.no_engine_substitution = literal.map(|modes| {
                    let modes = modes.to_ascii_uppercase();
                    memchr::memmem::find(&modes, b"NO_ENGINE_SUBSTITUTION").is_some()
                        || memchr::memmem::find(&modes, b"TRADITIONAL").is_some()
                });
                for mode in literal.unwrap_or_default().split(|b| *b == b',') {
                    let mode = mode.trim_ascii().to_ascii_uppercase();
                    if !mode.is_empty() && !mode.iter().all(u8::is_ascii_digit) {
                        name_once(&mut self.demands.sql_modes, &mode, place);
                    }
                }
            }
            b"names"
            | b"character_set_client"
            | b"character_set_results"
            | b"character_set_connection" => {
                self.charset(literal.unwrap_or_default(), place);
            }
            b"collation_connection" => self.collation(literal.unwrap_or_default(), place),
            b"timestamp"
            | b"insert_id"
            | b"last_insert_id"
            | b"identity"
            | b"rand_seed1"
            | b"rand_seed2"
            | b"gtid_next"
            | b"gtid_seq_no"
            | b"pseudo_thread_id"
            | b"original_commit_timestamp" => self.flow.fixing = true,
            _ => {}
        }
    }

    /// Whether `NO_ENGINE_SUBSTITUTION` holds now, as far as the file says.
    pub(super) fn no_engine_substitution(&self) -> Option<bool> {
        self.flow.no_engine_substitution
    }

    /// What was collected.
    pub(super) fn finish(self) -> Demands {
        self.demands
    }

    fn need(&mut self, act: Act, schema: Option<&[u8]>, place: Place) {
        let key = (act, schema.map(<[u8]>::to_vec));
        if self.needs.len() >= OBJECTS_MAX || !self.needs.insert(key) {
            return;
        }
        self.demands.needs.push(Need { act, schema: schema.map(lossy), line: place.line });
    }

    fn define(&mut self, seen: &Seen<'_>) {
        let Seen { class, place, schema: current, .. } = seen;
        if class.temporary || class.action == Action::Alter {
            return;
        }
        let tokens: Vec<Spanned<'_>> =
            Tokens::new(seen.text, seen.rules, seen.target).take(HEAD_TOKENS).collect();
        let Some(kind) = defined(class.kind, &tokens) else { return };
        let has = |word: &str| tokens.iter().take(10).any(|t| t.token.is(word));
        let objects = match class.action {
            Action::Drop => dropped(seen),
            _ => class.object.clone().into_iter().collect(),
        };
        for object in objects {
            let own = (kind != Defined::Database)
                .then(|| object.schema.as_deref().or(*current).map(<[u8]>::to_vec))
                .flatten();
            let Some(definition) = self.definition(kind, own, object.name) else { return };
            match class.action {
                Action::Create if definition.created.is_none() => {
                    definition.created = Some(*place);
                    definition.if_not_exists = has("EXISTS");
                    definition.or_replace = tokens.get(2).is_some_and(|t| t.token.is("REPLACE"));
                }
                Action::Drop if definition.dropped.is_none() => {
                    definition.dropped = Some(*place);
                    definition.if_exists = has("EXISTS");
                }
                Action::Create | Action::Drop | Action::Alter => {}
            }
        }
    }

    fn definition(
        &mut self,
        kind: Defined,
        schema: Option<Vec<u8>>,
        name: Vec<u8>,
    ) -> Option<&mut Definition> {
        let list = &mut self.demands.definitions;
        let key = (kind, schema, name);
        let at = match self.definitions.get(&key) {
            Some(&at) => at,
            None if list.len() >= OBJECTS_MAX => return None,
            None => {
                list.push(Definition {
                    kind,
                    schema: key.1.as_deref().map(lossy),
                    name: lossy(&key.2),
                    created: None,
                    if_not_exists: false,
                    or_replace: false,
                    dropped: None,
                    if_exists: false,
                });
                self.definitions.insert(key, list.len() - 1);
                list.len() - 1
            }
        };
        list.get_mut(at)
    }

    fn definer(&mut self, seen: &Seen<'_>) {
        let Some(span) = seen.class.definer.clone() else { return };
        let mut tokens = Tokens::new(&seen.text[span], seen.rules, seen.target);
        let Some(user) = tokens.next() else { return };
        let is_current = user.token.is("CURRENT_USER") || user.token.is("CURRENT_ROLE");
        let user = match &user.token {
            Token::String(quoted) => lossy(&quoted[1..quoted.len().max(2) - 1]),
            token => lossy(&token.name().unwrap_or_default()),
        };
        let host = match tokens.next().map(|t| t.token) {
            Some(Token::UserVariable(host)) => Some(lossy(&host)),
            _ => None,
        };
        let list = &mut self.demands.definers;
        let is_known = list.iter().any(|known| known.user == user && known.host == host);
        if !is_current && !is_known && list.len() < NAMES_MAX {
            list.push(Account { user, host, line: seen.place.line });
        }
    }

    /// Collations and character sets that a definition names.
    fn charsets(&mut self, seen: &Seen<'_>) {
        let tokens: Vec<Spanned<'_>> = Tokens::new(seen.text, seen.rules, seen.target).collect();
        for (at, spanned) in tokens.iter().enumerate() {
            let line = line_within(seen, spanned.span.start);
            if spanned.token.is("COLLATE") {
                let name = value_at(&tokens, at + 1).unwrap_or_default();
                self.collation(&name, line);
            } else if let Some(name_at) = charset_at(&tokens, at) {
                let name = value_at(&tokens, name_at).unwrap_or_default();
                self.charset(&name, line);
            }
        }
    }

    fn collation(&mut self, name: &[u8], place: Place) {
        if !name.is_empty() && !name.eq_ignore_ascii_case(b"default") {
            name_once(&mut self.demands.collations, &name.to_ascii_lowercase(), place);
        }
    }

    fn charset(&mut self, name: &[u8], place: Place) {
        if !name.is_empty() && !name.eq_ignore_ascii_case(b"default") {
            name_once(&mut self.demands.character_sets, &name.to_ascii_lowercase(), place);
        }
    }
}

/// Tokens at the start of a definition in which its kind, guards and names stand.
const HEAD_TOKENS: usize = 64;

/// Reads the traits of a CREATE TABLE.
pub(super) fn table_traits(text: &[u8], rules: Rules, target: Target) -> Traits {
    let mut traits = Traits::default();
    let (mut depth, mut first) = (0_u32, true);
    let mut column = None;
    let tokens: Vec<Spanned<'_>> = Tokens::new(text, rules, target).collect();
    for (at, spanned) in tokens.iter().enumerate() {
        let next = |word: &str| tokens.get(at + 1).is_some_and(|t| t.token.is(word));
        match &spanned.token {
            Token::Symbol(b'(') => (depth, first) = (depth + 1, depth == 0),
            Token::Symbol(b')') => depth = depth.saturating_sub(1),
            Token::Symbol(b',') if depth == 1 => first = true,
            token if depth == 1 && first => (column, first) = (token.name(), false),
            _ => {}
        }
        let token = &spanned.token;
        let loading = &mut traits.loading;
        loading.foreign_keys |= depth == 1 && token.is("REFERENCES");
        loading.primary_key |= depth == 1 && token.is("PRIMARY") && next("KEY");
        loading.versioned |= token.is("SYSTEM") && next("VERSIONING");
        loading.computed_default |= token.is("NEXTVAL") || (token.is("NEXT") && next("VALUE"));
        if depth == 1 && token.is("AUTO_INCREMENT") {
            traits.auto_increment = column.clone();
        }
    }
    traits
}

impl Loading {
    /// Adds what is known of more rows.
    pub(super) fn add(&mut self, more: &Loading) {
        self.in_transaction |= more.in_transaction;
        self.after_opaque |= more.after_opaque;
        self.after_fixing |= more.after_fixing;
        self.foreign_key_checks |= more.foreign_key_checks;
        self.checked_foreign_keys |= more.foreign_key_checks && self.foreign_keys;
        self.longest_insert = self.longest_insert.max(more.longest_insert);
        self.longest_run = self.longest_run.max(more.longest_run);
    }
}

fn acts(seen: &Seen<'_>) -> Vec<Act> {
    let Seen { text, class, .. } = seen;
    let has_word = |word: &str| {
        Tokens::new(text, seen.rules, seen.target).any(|spanned| spanned.token.is(word))
    };
    match (class.kind, class.action) {
        (Kind::Database, Action::Create) => vec![Act::CreateDatabase],
        (Kind::Database, Action::Alter) => vec![Act::AlterDatabase],
        (Kind::Database, Action::Drop) => vec![Act::DropDatabase],
        (Kind::Table, _) if is_index(seen) => vec![Act::Index],
        (Kind::Table, Action::Create) if class.temporary => vec![Act::CreateTemporaryTable],
        (Kind::Table, Action::Create) if has_word("REFERENCES") => {
            vec![Act::CreateTable, Act::ForeignKey]
        }
        (Kind::Table, Action::Create) => vec![Act::CreateTable],
        (Kind::Table, Action::Alter) => {
            let mut acts = vec![Act::AlterTable];
            acts.extend(has_word("REFERENCES").then_some(Act::ForeignKey));
            acts.extend(has_word("RENAME").then_some(Act::RenameTable));
            acts
        }
        (Kind::Table, Action::Drop) if class.temporary => Vec::new(),
        (Kind::Table | Kind::View, Action::Drop) => vec![Act::DropTable],
        (Kind::View, _) => vec![Act::CreateView],
        (Kind::Routine, Action::Create) => of_routine(seen),
        (Kind::Routine, _) => vec![Act::AlterRoutine],
        (Kind::Trigger, Action::Create) => vec![Act::CreateTrigger],
        (Kind::Event, _) => vec![Act::Event],
        (Kind::LockTables, _) => vec![Act::LockTables],
        (Kind::Insert, _) => vec![Act::Insert],
        (Kind::Change, _) => match first_word(text).as_slice() {
            b"UPDATE" => vec![Act::Update],
            b"DELETE" => vec![Act::Delete],
            _ => vec![Act::DropTable],
        },
        (Kind::Account, _) => vec![Act::Account],
        (Kind::Replication, _) => vec![Act::Replication],
        (Kind::Administration, _) => vec![Act::Administration],
        (Kind::Execute, _) => vec![Act::Opaque],
        _ => Vec::new(),
    }
}

/// `CREATE INDEX`, `DROP INDEX`.
fn is_index(seen: &Seen<'_>) -> bool {
    const OBJECTS: [&str; 4] = ["INDEX", "TABLE", "TABLES", "SEQUENCE"];
    let mut tokens = Tokens::new(seen.text, seen.rules, seen.target);
    let first = tokens.find(|t| OBJECTS.iter().any(|word| t.token.is(word)));
    first.is_some_and(|spanned| spanned.token.is("INDEX"))
}

/// A routine, and what it says of itself between its head and its body.
fn of_routine(seen: &Seen<'_>) -> Vec<Act> {
    let tokens = || Tokens::new(seen.text, seen.rules, seen.target);
    const KINDS: [&str; 3] = ["PROCEDURE", "PACKAGE", "FUNCTION"];
    let kind = tokens().find(|t| KINDS.iter().any(|word| t.token.is(word)));
    if !kind.is_some_and(|spanned| spanned.token.is("FUNCTION")) {
        return vec![Act::CreateRoutine];
    }
    let mut previous_not = false;
    let mut previous: Option<Token<'_>> = None;
    for spanned in tokens().skip_while(|t| !t.token.is("RETURNS")) {
        let token = spanned.token;
        let after = |word: &str| previous.as_ref().is_some_and(|t| t.is(word));
        if token.is("BEGIN") || token.is("RETURN") {
            break;
        }
        let is_safe = (token.is("DETERMINISTIC") && !previous_not)
            || (token.is("SQL") && (after("NO") || after("READS")));
        if is_safe {
            return vec![Act::CreateRoutine, Act::CreateFunction];
        }
        previous_not = token.is("NOT");
        previous = Some(token);
    }
    vec![Act::CreateRoutine, Act::CreateFunction, Act::CreateUnsafeFunction]
}

fn defined(kind: Kind, tokens: &[Spanned<'_>]) -> Option<Defined> {
    let has = |word: &str| tokens.iter().take(16).any(|t| t.token.is(word));
    Some(match kind {
        Kind::Database => Defined::Database,
        Kind::Table => {
            const OBJECTS: [&str; 4] = ["TABLE", "TABLES", "SEQUENCE", "INDEX"];
            let word = tokens.iter().find(|t| OBJECTS.iter().any(|word| t.token.is(word)))?;
            match &word.token {
                token if token.is("SEQUENCE") => Defined::Sequence,
                token if token.is("INDEX") => return None,
                _ => Defined::Table,
            }
        }
        Kind::View => Defined::View,
        Kind::Routine if has("PACKAGE") => Defined::Package,
        Kind::Routine if has("FUNCTION") => Defined::Function,
        Kind::Routine => Defined::Procedure,
        Kind::Trigger => Defined::Trigger,
        Kind::Event => Defined::Event,
        _ => return None,
    })
}

/// All names in `DROP TABLE a, b.c`.
fn dropped(seen: &Seen<'_>) -> Vec<ObjectName> {
    if !matches!(seen.class.kind, Kind::Table | Kind::View) {
        return seen.class.object.clone().into_iter().collect();
    }
    const OBJECTS: [&str; 4] = ["TABLE", "TABLES", "VIEW", "SEQUENCE"];
    let mut names = Vec::new();
    let mut parts: Vec<Vec<u8>> = Vec::new();
    let tokens = Tokens::new(seen.text, seen.rules, seen.target)
        .skip_while(|t| !OBJECTS.iter().any(|word| t.token.is(word)))
        .skip(1)
        .filter(|t| !t.token.is("IF") && !t.token.is("EXISTS"));
    let mut take = |parts: &mut Vec<Vec<u8>>| {
        if let Some(name) = parts.pop() {
            names.push(ObjectName { schema: parts.pop(), name });
        }
        parts.clear();
    };
    for spanned in tokens {
        match &spanned.token {
            Token::Symbol(b',') => take(&mut parts),
            Token::Symbol(_) => {}
            token if token.is("RESTRICT") || token.is("CASCADE") => {}
            token => parts.extend(token.name()),
        }
    }
    take(&mut parts);
    names
}

/// `CHARACTER SET`, or `CHARSET` where it is no name: the index of what follows.
fn charset_at(tokens: &[Spanned<'_>], at: usize) -> Option<usize> {
    const TYPES: [&str; 8] =
        ["DEFAULT", "CHAR", "VARCHAR", "TEXT", "TINYTEXT", "MEDIUMTEXT", "LONGTEXT", "CHARACTER"];
    let here = &tokens[at].token;
    let next = tokens.get(at + 1).map(|t| &t.token);
    if here.is("CHARACTER") && next.is_some_and(|t| t.is("SET")) {
        return Some(at + 2);
    }
    let previous = &tokens.get(at.checked_sub(1)?)?.token;
    let is_clause = next == Some(&Token::Symbol(b'='))
        || *previous == Token::Symbol(b')')
        || TYPES.iter().any(|word| previous.is(word));
    (here.is("CHARSET") && is_clause).then_some(at + 1)
}

/// A name as a value, past a `=`.
fn value_at(tokens: &[Spanned<'_>], at: usize) -> Option<Vec<u8>> {
    let is_equals = tokens.get(at).is_some_and(|t| t.token == Token::Symbol(b'='));
    match &tokens.get(at + usize::from(is_equals))?.token {
        Token::Word(word) => Some(word.to_vec()),
        Token::Name(name) => Some(name.clone()),
        Token::String(quoted) => Some(quoted[1..quoted.len().max(2) - 1].to_vec()),
        Token::UserVariable(_) | Token::SystemVariable(_) | Token::Symbol(_) => None,
    }
}

/// The place of a byte of a statement: its line counts.
fn line_within(seen: &Seen<'_>, at: usize) -> Place {
    let lines = memchr::memchr_iter(b'\n', &seen.text[..at]).count() as u64;
    Place { line: seen.place.line + lines, ..seen.place }
}

fn is_definition(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Database | Kind::Table | Kind::View | Kind::Routine | Kind::Trigger | Kind::Event
    )
}

fn ends_transaction(text: &[u8]) -> bool {
    matches!(first_word(text).as_slice(), b"COMMIT" | b"ROLLBACK")
}

fn first_word(text: &[u8]) -> Vec<u8> {
    text.iter().take_while(|b| b.is_ascii_alphabetic()).map(u8::to_ascii_uppercase).collect()
}

fn longer(longest: &mut Longest, bytes: u64, place: Place) {
    if bytes > longest.bytes {
        *longest = Longest { bytes, line: place.line };
    }
}

fn name_once(list: &mut Vec<Named>, name: &[u8], place: Place) {
    let name = lossy(name);
    if list.len() < NAMES_MAX && !list.iter().any(|known| known.name == name) {
        list.push(Named { name, line: place.line });
    }
}

fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}
