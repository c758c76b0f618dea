//! What a statement is: enough to order it, to guard it and to report it.
//!
//! Classification looks at the first words and the names behind them; the server remains the judge
//! of what a statement means. An unknown statement is [`Kind::Other`], which every caller treats
//! with the most care.

use std::ops::Range;

use crate::rules::{Multibyte, Rules};
use crate::token::{Spanned, Target, Token, Tokens};

/// The kinds that matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Nothing is left for this target: only comments.
    Empty,
    /// `USE db`
    Use,
    /// `SET …` of variables, names or character sets.
    Set,
    /// `INSERT` or `REPLACE`, in any form.
    Insert,
    /// `UPDATE`, `DELETE`, `TRUNCATE`
    Change,
    /// `SELECT`, `SHOW`, `WITH`, `DO` and the like.
    Query,
    /// `CREATE`, `ALTER`, `DROP` of a database.
    Database,
    /// The same of a table, sequence or index.
    Table,
    /// The same of a view.
    View,
    /// The same of a procedure, function or package.
    Routine,
    /// The same of a trigger.
    Trigger,
    /// The same of an event.
    Event,
    /// `LOCK TABLES`
    LockTables,
    /// `UNLOCK TABLES`
    UnlockTables,
    /// `BEGIN`, `START TRANSACTION`
    Begin,
    /// `COMMIT`, `ROLLBACK`, `SAVEPOINT`, `RELEASE`, `XA`
    EndTransaction,
    /// `CALL`, `EXECUTE`, `PREPARE`, `DEALLOCATE`, anonymous blocks.
    Execute,
    /// `LOAD DATA`, `LOAD XML`
    LoadFile,
    /// Accounts and privileges.
    Account,
    /// Replication and binary logs.
    Replication,
    /// Server-wide administration: `FLUSH`, `RESET`, `INSTALL`, `SHUTDOWN`, `KILL` and the like.
    Administration,
    /// Anything else.
    Other,
}

/// `CREATE`, `DROP` or something else, for the kinds that name an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// `CREATE`, `CREATE OR REPLACE`
    Create,
    /// `DROP`
    Drop,
    /// `ALTER`, `RENAME`, anything else.
    Alter,
}

/// A name with an optional schema, without quotes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// The schema, if the name has one.
    pub schema: Option<Vec<u8>>,
    /// The object's own name.
    pub name: Vec<u8>,
}

/// Whom a `SET` concerns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The connection.
    Session,
    /// The server, now or after its restart.
    Global,
    /// A user variable `@name`.
    User,
}

/// One assignment of a `SET`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Whom it concerns.
    pub scope: Scope,
    /// The variable in lower case; `names` for `SET NAMES` and `SET CHARACTER SET`.
    pub name: Vec<u8>,
    /// The value if it is a single word, string or number, without quotes.
    pub value: Option<Vec<u8>>,
    /// Where the value comes from, if it is a single variable.
    pub origin: Option<Origin>,
}

/// The variable that an assignment reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `@name`, in lower case.
    User(Vec<u8>),
    /// `@@name`, in lower case, as the session has it.
    Session(Vec<u8>),
}

impl Assignment {
    /// The reading rules after a session's variable was set, if the text alone tells them.
    pub fn rules_after(&self, rules: Rules) -> Option<Rules> {
        let mut after = rules;
        match self.name.as_slice() {
            b"sql_mode" => {
                let mode = self.value.as_deref()?;
                after.no_backslash_escapes = has_mode(mode, &[b"NO_BACKSLASH_ESCAPES"]);
                after.ansi_quotes = has_mode(mode, &QUOTING_MODES);
            }
            b"names" | b"character_set_client" => {
                after.multibyte = Multibyte::of_charset(self.value.as_deref()?);
            }
            _ => {}
        }
        Some(after)
    }
}

/// A classified statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    /// Its kind.
    pub kind: Kind,
    /// What it does to the object.
    pub action: Action,
    /// The object, where the kind has one.
    pub object: Option<ObjectName>,
    /// A temporary table.
    pub temporary: bool,
    /// The assignments of a `SET`.
    pub assignments: Vec<Assignment>,
    /// The account in `DEFINER = account`, as bytes of the text.
    pub definer: Option<Range<usize>>,
    /// The whole `DEFINER = account` clause, as bytes of the text.
    pub definer_clause: Option<Range<usize>>,
    /// It reads or writes files on the server or the client.
    pub touches_files: bool,
}

impl Class {
    /// It may change how the following bytes are split into statements, by `sql_mode` or the
    /// connection's character set. Only what is executed can tell.
    pub fn may_change_rules(&self) -> bool {
        match self.kind {
            Kind::Set => self.assignments.iter().any(|a| {
                matches!(a.name.as_slice(), b"sql_mode" | b"names" | b"character_set_client")
            }),
            Kind::Execute | Kind::Other => true,
            _ => false,
        }
    }

    /// The rules after this statement, where its text alone tells them. `None`: only the server
    /// knows, as after `SET sql_mode = @saved`.
    pub fn rules_after(&self, rules: Rules) -> Option<Rules> {
        if !self.may_change_rules() {
            return Some(rules);
        }
        if self.kind != Kind::Set {
            return None;
        }
        let mut after = rules;
        for assignment in self.assignments.iter().filter(|a| a.scope == Scope::Session) {
            after = assignment.rules_after(after)?;
        }
        Some(after)
    }

    /// It may change what connections have to share: variables, the default database.
    pub fn may_change_session(&self) -> bool {
        matches!(
            self.kind,
            Kind::Use | Kind::Set | Kind::Execute | Kind::Database | Kind::Other | Kind::Query
        )
    }

    /// It changes something beyond the databases: accounts, replication, global settings.
    pub fn is_privileged(&self) -> bool {
        match self.kind {
            Kind::Account | Kind::Replication | Kind::Administration => true,
            Kind::Set => self.assignments.iter().any(|a| {
                a.scope == Scope::Global
                    || matches!(a.name.as_slice(), b"sql_log_bin" | b"gtid_next" | b"password")
            }),
            _ => false,
        }
    }
}

/// The sql_modes that make `"` quote names; all but the first are combinations that contain it.
const QUOTING_MODES: [&[u8]; 7] =
    [b"ANSI_QUOTES", b"ANSI", b"DB2", b"MAXDB", b"MSSQL", b"ORACLE", b"POSTGRESQL"];

fn has_mode(list: &[u8], modes: &[&[u8]]) -> bool {
    list.split(|&b| b == b',')
        .any(|given| modes.iter().any(|mode| given.trim_ascii().eq_ignore_ascii_case(mode)))
}

/// How many tokens are looked at for names and DEFINER; what matters stands at the start.
const TOKENS_MAX: usize = 64;

/// Tells what the text of a statement is.
pub fn classify(text: &[u8], rules: Rules, target: Target) -> Class {
    let mut tokens = Tokens::new(text, rules, target);
    let first: Vec<Spanned<'_>> = tokens.by_ref().take(TOKENS_MAX).collect();
    let mut class = Class {
        kind: Kind::Empty,
        action: Action::Alter,
        object: None,
        temporary: false,
        assignments: Vec::new(),
        definer: None,
        definer_clause: None,
        touches_files: false,
    };
    let Some(verb) = first.first() else { return class };
    class.kind = kind_of_verb(&first);
    match class.kind {
        Kind::Table | Kind::Other if is_definition(&verb.token) => definition(&first, &mut class),
        Kind::Set => class.assignments = assignments(text, rules, target),
        Kind::Use => class.object = name_at(&first, 1).map(|(name, _)| name),
        Kind::Insert => class.object = insert_target(&first),
        Kind::LoadFile => class.touches_files = true,
        _ => {}
    }
    class.touches_files |= mentions_file(text) && writes_file(text, rules, target);
    if class.kind == Kind::Set && class.assignments.iter().any(|a| a.name == b"password") {
        class.kind = Kind::Account;
    }
    class
}

fn is_definition(token: &Token<'_>) -> bool {
    ["CREATE", "ALTER", "DROP", "RENAME"].iter().any(|word| token.is(word))
}

fn kind_of_verb(tokens: &[Spanned<'_>]) -> Kind {
    let Token::Word(verb) = &tokens[0].token else {
        return if tokens[0].token == Token::Symbol(b'(') { Kind::Query } else { Kind::Other };
    };
    let second = |word: &str| tokens.get(1).is_some_and(|t| t.token.is(word));
    match verb.to_ascii_uppercase().as_slice() {
        b"USE" => Kind::Use,
        b"SET" if second("PASSWORD") || second("ROLE") || second("DEFAULT") => Kind::Account,
        b"SET" if second("TRANSACTION") || second("STATEMENT") => Kind::Other,
        b"SET" => Kind::Set,
        b"INSERT" | b"REPLACE" => Kind::Insert,
        b"UPDATE" | b"DELETE" | b"TRUNCATE" => Kind::Change,
        b"SELECT" | b"SHOW" | b"WITH" | b"DO" | b"EXPLAIN" | b"DESCRIBE" | b"DESC" | b"VALUES"
        | b"TABLE" | b"ANALYZE" | b"CHECK" | b"CHECKSUM" | b"OPTIMIZE" | b"REPAIR" | b"HELP" => {
            Kind::Query
        }
        b"CREATE" | b"ALTER" | b"DROP" | b"RENAME" => Kind::Table,
        b"LOCK" if second("TABLES") || second("TABLE") => Kind::LockTables,
        b"UNLOCK" if second("TABLES") || second("TABLE") => Kind::UnlockTables,
        b"BEGIN" if second("NOT") => Kind::Execute,
        b"START" if second("TRANSACTION") => Kind::Begin,
        b"BEGIN" => Kind::Begin,
        b"COMMIT" | b"ROLLBACK" | b"SAVEPOINT" | b"RELEASE" | b"XA" => Kind::EndTransaction,
        b"CALL" | b"EXECUTE" | b"PREPARE" | b"DEALLOCATE" => Kind::Execute,
        b"LOAD" => Kind::LoadFile,
        b"GRANT" | b"REVOKE" => Kind::Account,
        b"CHANGE" | b"START" | b"STOP" | b"PURGE" | b"BINLOG" => Kind::Replication,
        b"RESET"
            if second("MASTER") || second("SLAVE") || second("REPLICA") || second("BINARY") =>
        {
            Kind::Replication
        }
        b"FLUSH" | b"RESET" | b"INSTALL" | b"UNINSTALL" | b"SHUTDOWN" | b"RESTART" | b"KILL"
        | b"CLONE" | b"IMPORT" | b"CACHE" | b"BACKUP" | b"LOCK" | b"UNLOCK" => Kind::Administration,
        _ => Kind::Other,
    }
}

/// `CREATE`, `ALTER`, `DROP`, `RENAME`: finds the object's kind, its name and the definer.
fn definition(tokens: &[Spanned<'_>], class: &mut Class) {
    class.action = match &tokens[0].token {
        verb if verb.is("CREATE") => Action::Create,
        verb if verb.is("DROP") => Action::Drop,
        _ => Action::Alter,
    };
    class.kind = Kind::Other;
    let mut at = 1;
    while let Some(spanned) = tokens.get(at) {
        at += 1;
        let token = &spanned.token;
        if token.is("DEFINER") {
            at = definer(tokens, at, spanned.span.start, class);
            continue;
        }
        if token.is("TEMPORARY") {
            class.temporary = true;
        }
        let Some(kind) = object_kind(token) else { continue };
        class.kind = kind;
        break;
    }
    class.object = name_at(tokens, skip_guards(tokens, at)).map(|(name, _)| name);
    if class.kind == Kind::Routine && loads_library(&tokens[at..]) {
        class.kind = Kind::Administration;
    }
    if class.kind == Kind::Table && tokens.get(at - 1).is_some_and(|t| t.token.is("INDEX")) {
        class.object = indexed_table(tokens, at);
    }
}

/// `CREATE FUNCTION name RETURNS type SONAME 'file'`
fn loads_library(tokens: &[Spanned<'_>]) -> bool {
    tokens.windows(3).any(|three| three[0].token.is("RETURNS") && three[2].token.is("SONAME"))
}

fn object_kind(token: &Token<'_>) -> Option<Kind> {
    let Token::Word(word) = token else { return None };
    Some(match word.to_ascii_uppercase().as_slice() {
        b"DATABASE" | b"SCHEMA" => Kind::Database,
        b"TABLE" | b"TABLES" | b"INDEX" | b"SEQUENCE" => Kind::Table,
        b"VIEW" => Kind::View,
        b"PROCEDURE" | b"PACKAGE" => Kind::Routine,
        b"FUNCTION" => Kind::Routine,
        b"TRIGGER" => Kind::Trigger,
        b"EVENT" => Kind::Event,
        b"USER" | b"ROLE" => Kind::Account,
        b"SERVER" | b"INSTANCE" | b"TABLESPACE" | b"LOGFILE" | b"UNDO" | b"RESOURCE" => {
            Kind::Administration
        }
        _ => return None,
    })
}

/// `DEFINER = user@host`, `CURRENT_USER`, a role; returns the index after it.
fn definer(tokens: &[Spanned<'_>], at: usize, start: usize, class: &mut Class) -> usize {
    if tokens.get(at).map(|t| &t.token) != Some(&Token::Symbol(b'=')) {
        return at;
    }
    let Some(user) = tokens.get(at + 1) else { return at };
    let mut end = (at + 2, user.span.end);
    // `root`@`localhost`: the host is a "user variable" to the tokenizer.
    if let Some(host) = tokens.get(at + 2)
        && matches!(host.token, Token::UserVariable(_))
    {
        end = (at + 3, host.span.end);
    } else if tokens.get(at + 2).map(|t| &t.token) == Some(&Token::Symbol(b'(')) {
        // CURRENT_USER()
        end = (at + 4, tokens.get(at + 3).map_or(user.span.end, |t| t.span.end));
    }
    class.definer = Some(user.span.start..end.1);
    class.definer_clause = Some(start..end.1);
    end.0
}

/// Passes over `IF NOT EXISTS` and `IF EXISTS`.
fn skip_guards(tokens: &[Spanned<'_>], mut at: usize) -> usize {
    while tokens.get(at).is_some_and(|t| ["IF", "NOT", "EXISTS"].iter().any(|w| t.token.is(w))) {
        at += 1;
    }
    at
}

/// `name` or `schema.name` at a token; also the index after it.
fn name_at(tokens: &[Spanned<'_>], at: usize) -> Option<(ObjectName, usize)> {
    let first = tokens.get(at)?.token.name()?;
    if tokens.get(at + 1).map(|t| &t.token) == Some(&Token::Symbol(b'.')) {
        let name = tokens.get(at + 2)?.token.name()?;
        return Some((ObjectName { schema: Some(first), name }, at + 3));
    }
    Some((ObjectName { schema: None, name: first }, at + 1))
}

/// The table in `CREATE INDEX i ON t`.
fn indexed_table(tokens: &[Spanned<'_>], at: usize) -> Option<ObjectName> {
    let on = (at..tokens.len()).find(|&i| tokens[i].token.is("ON"))?;
    name_at(tokens, on + 1).map(|(name, _)| name)
}

fn insert_target(tokens: &[Spanned<'_>]) -> Option<ObjectName> {
    const MODIFIERS: [&str; 5] = ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "IGNORE", "INTO"];
    let is_modifier =
        |i: usize| tokens.get(i).is_some_and(|t| MODIFIERS.iter().any(|word| t.token.is(word)));
    let at = (1..).find(|&i| !is_modifier(i))?;
    name_at(tokens, at).map(|(name, _)| name)
}

/// Whether a look at the tokens is worth it.
fn mentions_file(text: &[u8]) -> bool {
    memchr::memchr2_iter(b'f', b'F', text)
        .any(|at| text.get(at..at + 4).is_some_and(|word| word.eq_ignore_ascii_case(b"file")))
}

/// `INTO OUTFILE`, `INTO DUMPFILE` or `LOAD_FILE(…)` anywhere: also in a routine, which may be
/// called later.
fn writes_file(text: &[u8], rules: Rules, target: Target) -> bool {
    Tokens::new(text, rules, target).any(|spanned| {
        ["OUTFILE", "DUMPFILE", "LOAD_FILE"].iter().any(|word| spanned.token.is(word))
    })
}

/// Splits a `SET` at its commas.
fn assignments(text: &[u8], rules: Rules, target: Target) -> Vec<Assignment> {
    let mut list = Vec::new();
    let mut depth = 0;
    let mut current: Vec<Spanned<'_>> = Vec::new();
    for spanned in Tokens::new(text, rules, target).skip(1) {
        match spanned.token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth -= 1,
            Token::Symbol(b',') if depth == 0 => {
                list.extend(assignment(&current));
                current.clear();
                continue;
            }
            _ => {}
        }
        current.push(spanned);
    }
    list.extend(assignment(&current));
    list
}

fn assignment(tokens: &[Spanned<'_>]) -> Option<Assignment> {
    let mut at = 0;
    let mut scope = Scope::Session;
    let first = &tokens.first()?.token;
    for (word, meant) in [
        ("GLOBAL", Scope::Global),
        ("PERSIST", Scope::Global),
        ("PERSIST_ONLY", Scope::Global),
        ("SESSION", Scope::Session),
        ("LOCAL", Scope::Session),
    ] {
        if first.is(word) {
            scope = meant;
            at = 1;
        }
    }
    let name = match &tokens.get(at)?.token {
        Token::UserVariable(name) => {
            scope = Scope::User;
            name.to_ascii_lowercase()
        }
        Token::SystemVariable(name) => {
            let (prefix, plain) = split_scope(name);
            scope = prefix.unwrap_or(scope);
            plain.to_vec()
        }
        Token::Word(word) if word.eq_ignore_ascii_case(b"NAMES") => {
            return Some(names(tokens.get(at + 1)));
        }
        Token::Word(word) if word.eq_ignore_ascii_case(b"CHARSET") => {
            return Some(names(tokens.get(at + 1)));
        }
        Token::Word(word)
            if word.eq_ignore_ascii_case(b"CHARACTER")
                && tokens.get(at + 1).is_some_and(|t| t.token.is("SET")) =>
        {
            return Some(names(tokens.get(at + 2)));
        }
        token => token.name()?.to_ascii_lowercase(),
    };
    let value_at = tokens.iter().position(|t| t.token == Token::Symbol(b'='))? + 1;
    let value = match &tokens[value_at..] {
        [only] => plain_value(&only.token),
        _ => None,
    };
    let origin = match &tokens[value_at..] {
        [only] => origin(&only.token),
        _ => None,
    };
    Some(Assignment { scope, name, value, origin })
}

fn origin(token: &Token<'_>) -> Option<Origin> {
    match token {
        Token::UserVariable(name) => Some(Origin::User(name.to_ascii_lowercase())),
        Token::SystemVariable(name) => match split_scope(name) {
            (None | Some(Scope::Session), plain) => Some(Origin::Session(plain.to_vec())),
            _ => None,
        },
        _ => None,
    }
}

/// `global.sql_mode` → (Global, `sql_mode`)
fn split_scope(name: &[u8]) -> (Option<Scope>, &[u8]) {
    for (prefix, scope) in [
        (b"global.".as_slice(), Scope::Global),
        (b"persist.", Scope::Global),
        (b"persist_only.", Scope::Global),
        (b"session.", Scope::Session),
        (b"local.", Scope::Session),
    ] {
        if let Some(plain) = name.strip_prefix(prefix) {
            return (Some(scope), plain);
        }
    }
    (None, name)
}

fn names(token: Option<&Spanned<'_>>) -> Assignment {
    let value = token.and_then(|t| plain_value(&t.token));
    Assignment { scope: Scope::Session, name: b"names".to_vec(), value, origin: None }
}

fn plain_value(token: &Token<'_>) -> Option<Vec<u8>> {
    match token {
        Token::Word(word) => Some(word.to_vec()),
        Token::Name(name) => Some(name.clone()),
        Token::String(quoted) => Some(quoted[1..quoted.len().max(2) - 1].to_vec()),
        _ => None,
    }
}
