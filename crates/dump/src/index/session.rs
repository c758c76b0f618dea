//! What a dump's own `SET` statements do to the session, as far as it can be told without a server:
//! the rules by which the following bytes are read, and the settings to list.
//!
//! Literal values and values saved in user variables (`@OLD_SQL_MODE`) are followed. A value that
//! the server would have to compute leaves the rules as they are and is reported.

use std::collections::HashMap;

use crate::rules::{Multibyte, Rules};
use crate::statement::Scope;
use crate::token::{Spanned, Target, Token, Tokens};

/// User variables whose `sql_mode` is remembered.
const SAVED_MAX: usize = 1000;

/// The right-hand side of an assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// A word, number or string, without quotes.
    Literal(Vec<u8>),
    /// `@name`
    User(Vec<u8>),
    /// `@@name`, without its scope.
    System(Vec<u8>),
    /// Anything else, with the strings in it.
    Computed(Vec<Vec<u8>>),
}

/// One assignment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assigned {
    pub(super) scope: Scope,
    /// In lower case; `names` for `SET NAMES` and `SET CHARACTER SET`.
    pub(super) name: Vec<u8>,
    pub(super) value: Value,
    /// The right-hand side as it stands in the text.
    pub(super) text: Vec<u8>,
}

/// Splits the text of a `SET` into its assignments.
pub(super) fn assignments(text: &[u8], rules: Rules, target: Target) -> Vec<Assigned> {
    let tokens: Vec<Spanned<'_>> = Tokens::new(text, rules, target).skip(1).collect();
    let mut depth = 0i32;
    let is_comma = |spanned: &Spanned<'_>| {
        match spanned.token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth -= 1,
            _ => {}
        }
        depth == 0 && spanned.token == Token::Symbol(b',')
    };
    tokens.split(is_comma).filter_map(|tokens| assigned(tokens, text)).collect()
}

fn assigned(tokens: &[Spanned<'_>], text: &[u8]) -> Option<Assigned> {
    let (scope, tokens) = scoped(tokens);
    let first = &tokens.first()?.token;
    let names_at = match first {
        token if token.is("NAMES") || token.is("CHARSET") => Some(1),
        token if token.is("CHARACTER") && tokens.get(1).is_some_and(|t| t.token.is("SET")) => {
            Some(2)
        }
        _ => None,
    };
    if let Some(at) = names_at {
        let right = tokens.get(at..=at)?;
        return Some(built(scope, b"names".to_vec(), right, text));
    }
    let (scope, name) = match first {
        Token::UserVariable(name) => (Scope::User, name.to_ascii_lowercase()),
        Token::SystemVariable(name) => match name.iter().position(|b| *b == b'.') {
            Some(dot) if is_global(&name[..dot]) => (Scope::Global, name[dot + 1..].to_vec()),
            Some(dot) => (scope, name[dot + 1..].to_vec()),
            None => (scope, name.clone()),
        },
        token => (scope, token.name()?.to_ascii_lowercase()),
    };
    let equals = tokens.iter().position(|t| t.token == Token::Symbol(b'='))?;
    let right = tokens.get(equals + 1..)?;
    Some(built(scope, name, right, text))
}

fn scoped<'a, 'b>(tokens: &'b [Spanned<'a>]) -> (Scope, &'b [Spanned<'a>]) {
    match tokens.first() {
        Some(Spanned { token: Token::Word(word), .. }) if is_global(word) => {
            (Scope::Global, &tokens[1..])
        }
        Some(first) if first.token.is("SESSION") || first.token.is("LOCAL") => {
            (Scope::Session, &tokens[1..])
        }
        _ => (Scope::Session, tokens),
    }
}

fn is_global(word: &[u8]) -> bool {
    [b"global".as_slice(), b"persist", b"persist_only"].iter().any(|w| word.eq_ignore_ascii_case(w))
}

fn built(scope: Scope, name: Vec<u8>, right: &[Spanned<'_>], text: &[u8]) -> Assigned {
    let value = match right {
        [only] => single(&only.token),
        _ => Value::Computed(right.iter().filter_map(|t| string(&t.token)).collect()),
    };
    Assigned { scope, name, value, text: without_comments(right, text) }
}

/// The text of some tokens; what stands between two of them becomes one blank.
fn without_comments(tokens: &[Spanned<'_>], text: &[u8]) -> Vec<u8> {
    let mut joined = Vec::new();
    let mut end = None;
    for spanned in tokens {
        if end.is_some_and(|end| end < spanned.span.start) {
            joined.push(b' ');
        }
        joined.extend_from_slice(&text[spanned.span.clone()]);
        end = Some(spanned.span.end);
    }
    joined
}

fn single(token: &Token<'_>) -> Value {
    match token {
        Token::Word(word) => Value::Literal(word.to_vec()),
        Token::Name(name) => Value::Literal(name.clone()),
        Token::String(_) => Value::Literal(string(token).unwrap_or_default()),
        Token::UserVariable(name) => Value::User(name.to_ascii_lowercase()),
        Token::SystemVariable(name) => {
            Value::System(name.rsplit(|b| *b == b'.').next().unwrap_or_default().to_vec())
        }
        Token::Symbol(_) => Value::Computed(Vec::new()),
    }
}

fn string(token: &Token<'_>) -> Option<Vec<u8>> {
    match token {
        Token::String(quoted) => Some(quoted[1..quoted.len().max(2) - 1].to_vec()),
        _ => None,
    }
}

/// A `sql_mode` as far as it matters for reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mode {
    no_backslash_escapes: bool,
    ansi_quotes: bool,
}

impl Mode {
    fn of(text: &[u8]) -> Mode {
        // As a number: the bits of both servers' sql_mode.
        let digits = std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok());
        if let Some(bits) = digits {
            return Mode {
                no_backslash_escapes: bits >> 20 & 1 == 1,
                ansi_quotes: bits >> 2 & 1 == 1,
            };
        }
        // The combinations that contain ANSI_QUOTES.
        const ANSI: [&[u8]; 7] =
            [b"ANSI_QUOTES", b"ANSI", b"DB2", b"MAXDB", b"MSSQL", b"ORACLE", b"POSTGRESQL"];
        let mut mode = Mode::default();
        for word in text.split(|b| *b == b',').map(<[u8]>::trim_ascii) {
            mode.no_backslash_escapes |= word.eq_ignore_ascii_case(b"NO_BACKSLASH_ESCAPES");
            mode.ansi_quotes |= ANSI.iter().any(|name| word.eq_ignore_ascii_case(name));
        }
        mode
    }
}

/// Modes that MySQL 8.0 removed: setting one is error 1231 there.
const REMOVED_MODES: [&[u8]; 11] = [
    b"NO_AUTO_CREATE_USER",
    b"NO_FIELD_OPTIONS",
    b"NO_KEY_OPTIONS",
    b"NO_TABLE_OPTIONS",
    b"DB2",
    b"MAXDB",
    b"MSSQL",
    b"MYSQL323",
    b"MYSQL40",
    b"ORACLE",
    b"POSTGRESQL",
];

/// The first mode in a literal `sql_mode` that MySQL 8.0 and later refuse.
pub(super) fn removed_mode(value: &Value) -> Option<&'static [u8]> {
    let Value::Literal(text) = value else { return None };
    let mut words = text.split(|b| *b == b',').map(<[u8]>::trim_ascii);
    words
        .find_map(|word| REMOVED_MODES.iter().find(|mode| word.eq_ignore_ascii_case(mode)).copied())
}

/// What an assignment did to the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing, or what could be followed.
    Known,
    /// A `sql_mode` that cannot be followed.
    Computed,
}

/// The session while a dump is read.
#[derive(Debug, Default)]
pub(super) struct Session {
    mode: Mode,
    /// Rules that user variables hold, by the variable and what was saved in it.
    saved_modes: HashMap<Vec<u8>, Mode>,
    saved_charsets: HashMap<Vec<u8>, Multibyte>,
    multibyte: Multibyte,
}

impl Session {
    /// The rules after everything that was applied.
    pub(super) fn rules(&self, before: Rules) -> Rules {
        Rules {
            no_backslash_escapes: self.mode.no_backslash_escapes,
            ansi_quotes: self.mode.ansi_quotes,
            multibyte: self.multibyte,
            ..before
        }
    }

    /// `SET NAMES name` in any form.
    pub(super) fn set_charset(&mut self, name: &[u8]) {
        self.multibyte = Multibyte::of_charset(name);
    }

    /// Follows one assignment.
    pub(super) fn apply(&mut self, assigned: &Assigned) -> Effect {
        match (assigned.scope, assigned.name.as_slice()) {
            (Scope::User, name) => self.save(name, &assigned.value),
            (Scope::Session, b"sql_mode") => return self.set_mode(&assigned.value),
            (Scope::Session, b"names" | b"character_set_client") => match &assigned.value {
                Value::Literal(name) => self.set_charset(name),
                Value::User(name) => {
                    self.multibyte = self.saved_charsets.get(name).copied().unwrap_or_default();
                }
                Value::System(_) | Value::Computed(_) => {}
            },
            (Scope::Session | Scope::Global, _) => {}
        }
        Effect::Known
    }

    fn save(&mut self, name: &[u8], value: &Value) {
        if self.saved_modes.len() + self.saved_charsets.len() >= SAVED_MAX {
            return;
        }
        match value {
            Value::System(variable) if variable == b"sql_mode" => {
                self.saved_modes.insert(name.to_vec(), self.mode);
            }
            Value::System(variable) if variable == b"character_set_client" => {
                self.saved_charsets.insert(name.to_vec(), self.multibyte);
            }
            Value::Literal(text) => {
                self.saved_modes.insert(name.to_vec(), Mode::of(text));
            }
            Value::System(_) | Value::User(_) | Value::Computed(_) => {}
        }
    }

    fn set_mode(&mut self, value: &Value) -> Effect {
        match value {
            Value::Literal(text) => self.mode = Mode::of(text),
            // A variable that the file never set is NULL, which the server refuses.
            Value::User(name) => match self.saved_modes.get(name) {
                Some(mode) => self.mode = *mode,
                None => return Effect::Computed,
            },
            Value::System(name) if name == b"sql_mode" => {}
            Value::System(_) => return Effect::Computed,
            // CONCAT(@@sql_mode, ',ANSI_QUOTES') and the like: what it names is most likely added.
            Value::Computed(strings) => {
                for mode in strings.iter().map(|text| Mode::of(text)) {
                    self.mode.no_backslash_escapes |= mode.no_backslash_escapes;
                    self.mode.ansi_quotes |= mode.ansi_quotes;
                }
                return Effect::Computed;
            }
        }
        Effect::Known
    }
}
