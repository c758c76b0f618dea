//! Which statements could tell that indexes of a table are still missing.
//!
//! A pure function of the statement: whatever reads, locks or changes more than rows of literals is
//! taken to see them. Names are compared without their schema and without regard to case, so a
//! table of the same name elsewhere only costs time.

use std::collections::BTreeSet;

use dump::rules::Rules;
use dump::statement::{Action, Class, Kind};
use dump::token::{Target, Token, Tokens};

/// Whose indexes a statement could miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sees {
    /// Nobody's.
    Nothing,
    /// Those of the tables at these indexes of the given list.
    Tables(Vec<usize>),
    /// Those of all tables.
    All,
}

/// Assignments after which the difference shows: foreign keys are checked from then on, or what
/// follows is a transaction, which would hold on to the tables.
const TELLING: [&[u8]; 3] = [b"foreign_key_checks", b"autocommit", b"completion_type"];

/// The most names that are kept of what the file's programs mention.
pub const MENTIONED_MAX: usize = 100_000;

/// Tells what a statement sees. `pending` are the names that belong to each table: its own, and
/// those of the tables that its foreign keys refer to.
pub fn sees(
    class: &Class,
    text: &[u8],
    rules: Rules,
    target: Target,
    pending: &[Vec<&str>],
) -> Sees {
    let has = |words: &[&str]| {
        Tokens::new(text, rules, target).any(|t| words.iter().any(|word| t.token.is(word)))
    };
    match class.kind {
        Kind::Empty | Kind::Use | Kind::UnlockTables => Sees::Nothing,
        Kind::LockTables => naming(&words(text, rules, target), pending),
        Kind::EndTransaction => {
            if has(&["XA"]) {
                Sees::All
            } else {
                Sees::Nothing
            }
        }
        Kind::Set => {
            let tells = class.assignments.iter().any(|a| TELLING.contains(&a.name.as_slice()));
            if tells || has(&["SELECT"]) { Sees::All } else { Sees::Nothing }
        }
        Kind::Insert => {
            if has(&["SELECT", "TABLE"]) {
                Sees::All
            } else {
                Sees::Nothing
            }
        }
        Kind::Table if switches_keys(text, rules, target) => Sees::Nothing,
        // Rows may come through a view that has another name.
        Kind::Table if has(&["SELECT"]) => Sees::All,
        // Columns and keys may be called as tables are.
        Kind::Table if class.action == Action::Create && !has(&["LIKE", "UNION"]) => {
            naming(&referred(class, text, rules, target), pending)
        }
        Kind::Table => naming(&words(text, rules, target), pending),
        // What they do when they run is what their text names; see `mentioned` for tables to come.
        Kind::View | Kind::Routine | Kind::Trigger => naming(&words(text, rules, target), pending),
        Kind::Begin
        | Kind::Change
        | Kind::Query
        | Kind::Database
        | Kind::Event
        | Kind::Execute
        | Kind::LoadFile
        | Kind::Account
        | Kind::Replication
        | Kind::Administration
        | Kind::Other => Sees::All,
    }
}

/// The tables that one of these words may name.
fn naming(words: &[Vec<u8>], pending: &[Vec<&str>]) -> Sees {
    let is_there = |name: &str| words.iter().any(|word| may_be(word, name));
    let tables: Vec<usize> =
        (0..pending.len()).filter(|&index| pending[index].iter().any(|n| is_there(n))).collect();
    if tables.is_empty() { Sees::Nothing } else { Sees::Tables(tables) }
}

/// Every word that may be a name.
fn words(text: &[u8], rules: Rules, target: Target) -> Vec<Vec<u8>> {
    Tokens::new(text, rules, target).filter_map(|spanned| spanned.token.name()).collect()
}

/// The table that a CREATE is about, and those that its foreign keys refer to.
fn referred(class: &Class, text: &[u8], rules: Rules, target: Target) -> Vec<Vec<u8>> {
    let Some(object) = &class.object else { return words(text, rules, target) };
    let mut names = vec![object.name.clone()];
    let mut tokens = Tokens::new(text, rules, target).map(|spanned| spanned.token);
    while let Some(token) = tokens.next() {
        if token.is("REFERENCES") {
            // With a schema before it or without.
            names.extend(tokens.by_ref().take(3).filter_map(|token| token.name()));
        }
    }
    names
}

/// Whether a name in a statement may mean this table. Letters beyond ASCII have capitals too, and
/// come in any character set.
pub fn may_be(word: &[u8], name: &str) -> bool {
    word.eq_ignore_ascii_case(name.as_bytes()) || (!word.is_ascii() && !name.is_ascii())
}

/// `ALTER TABLE x DISABLE KEYS`, which means nothing to InnoDB.
fn switches_keys(text: &[u8], rules: Rules, target: Target) -> bool {
    let tokens: Vec<Token<'_>> =
        Tokens::new(text, rules, target).take(9).map(|spanned| spanned.token).collect();
    let [alter, table, name @ .., verb, keys] = tokens.as_slice() else { return false };
    let is_name = match name {
        [one] => one.name().is_some(),
        [_, Token::Symbol(b'.'), one] => one.name().is_some(),
        _ => false,
    };
    let is_verb = verb.is("DISABLE") || verb.is("ENABLE");
    alter.is("ALTER") && table.is("TABLE") && is_name && is_verb && keys.is("KEYS")
}

/// A table that the file creates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Created {
    /// The keys that its text names, in lower case.
    pub named: BTreeSet<String>,
    /// It may have been there before.
    pub if_not_exists: bool,
}

/// What a statement creates, if it is a table with rows to come.
pub fn created(class: &Class, text: &[u8], rules: Rules, target: Target) -> Option<Created> {
    /// More keys than any server allows in a table.
    const KEYS_MAX: usize = 200;
    if class.kind != Kind::Table || class.action != Action::Create || class.temporary {
        return None;
    }
    let tokens: Vec<Token<'_>> =
        Tokens::new(text, rules, target).map(|spanned| spanned.token).collect();
    let table_at = tokens.iter().position(|token| token.is("TABLE"))?;
    let if_not_exists = tokens.get(table_at + 1).is_some_and(|token| token.is("IF"));
    let mut named = BTreeSet::new();
    for three in tokens.windows(3) {
        let of_constraint = three[0].is("FOREIGN") || three[0].is("PRIMARY");
        let is_key = three[1].is("KEY") || three[1].is("INDEX");
        if is_key && !of_constraint && named.len() < KEYS_MAX {
            let name = three[2].name().map(|name| String::from_utf8_lossy(&name).to_lowercase());
            named.extend(name);
        }
    }
    Some(Created { named, if_not_exists })
}

/// The names in the text of a trigger, routine, view or event, in lower case: what runs later on
/// its behalf may look at these tables.
pub fn mentioned(class: &Class, text: &[u8], rules: Rules, target: Target) -> Vec<Vec<u8>> {
    match class.kind {
        Kind::Trigger | Kind::Routine | Kind::View | Kind::Event => {
            Tokens::new(text, rules, target)
                .filter_map(|spanned| spanned.token.name())
                .map(|name| name.to_ascii_lowercase())
                .collect()
        }
        _ => Vec::new(),
    }
}
