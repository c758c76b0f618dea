//! Which statements could tell that indexes of a table are still missing.
//!
//! A pure function of the statement: whatever reads, locks or changes more than rows of literals is
//! taken to see them. Names are compared without their schema and without regard to case, so a
//! table of the same name elsewhere only costs time.

use std::collections::BTreeSet;

use dump::alteration::alteration;
use dump::rules::Rules;
use dump::statement::{Action, Class, Kind};
use dump::token::{Target, Token, Tokens};

use super::deferral::Deferral;

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

/// A table that waits for its indexes, by the names with which it is in sight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting<'a> {
    /// Its own.
    pub table: &'a str,
    /// The tables that its foreign keys refer to.
    pub parents: Vec<&'a str>,
    /// Those of them that were made since, and are certain to suit.
    pub promised: Vec<&'a str>,
    /// What waits: the names of its keys and constraints.
    pub parts: Vec<&'a str>,
    /// The session does not check foreign keys.
    pub unchecked: bool,
    /// Its keys are there again; only foreign keys wait.
    pub has_keys: bool,
}

impl<'a> Waiting<'a> {
    /// Nothing promised, everything checked.
    pub fn of(deferral: &'a Deferral) -> Waiting<'a> {
        Waiting {
            table: &deferral.table,
            parents: deferral.parents.iter().map(String::as_str).collect(),
            promised: Vec::new(),
            parts: deferral.names.iter().map(String::as_str).collect(),
            unchecked: false,
            has_keys: false,
        }
    }

    /// Its own name, and those of tables that it refers to.
    fn all(&self) -> Vec<&'a str> {
        std::iter::once(self.table).chain(self.parents.iter().copied()).collect()
    }

    /// Without the tables that are certain to suit.
    fn open(&self) -> Vec<&'a str> {
        self.all().into_iter().filter(|name| !self.promised.contains(name)).collect()
    }

    /// What must be whole before another table's foreign keys refer to it: its keys.
    fn to_refer(&self) -> Vec<&'a str> {
        if self.has_keys { Vec::new() } else { vec![self.table] }
    }

    /// What must be whole before a table of a name goes away: without checks, keys that refer to it
    /// may as well come later, unless they rely on its shape.
    fn to_drop(&self) -> Vec<&'a str> {
        match self.unchecked {
            true => std::iter::once(self.table).chain(self.promised.iter().copied()).collect(),
            false => self.all(),
        }
    }
}

/// Assignments after which the difference shows: foreign keys are checked from then on, or what
/// follows is a transaction, which would hold on to the tables.
const TELLING: [&[u8]; 3] = [b"foreign_key_checks", b"autocommit", b"completion_type"];

/// The most names that are kept of what the file's programs mention.
pub const MENTIONED_MAX: usize = 100_000;

/// Tells what a statement sees of the tables in `pending`.
pub fn sees(
    class: &Class,
    text: &[u8],
    rules: Rules,
    target: Target,
    pending: &[Waiting<'_>],
) -> Sees {
    let has = |words: &[&str]| {
        Tokens::new(text, rules, target).any(|t| words.iter().any(|word| t.token.is(word)))
    };
    match class.kind {
        Kind::Empty | Kind::Use | Kind::UnlockTables => Sees::Nothing,
        Kind::LockTables => naming(&words(text, rules, target), pending, Waiting::open),
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
            let names = referred(class, text, rules, target);
            naming(&names.created, pending, Waiting::open)
                .and(naming(&names.parents, pending, Waiting::to_refer))
                // The names of constraints are unique in a schema.
                .and(naming(&names.constraints, pending, |waiting| waiting.parts.clone()))
        }
        Kind::Table if class.action == Action::Drop => {
            naming(&words(text, rules, target), pending, Waiting::to_drop)
        }
        Kind::Table => naming(&words(text, rules, target), pending, Waiting::all),
        // What they do when they run is what their text names; see `mentioned` for tables to come.
        Kind::View | Kind::Routine | Kind::Trigger => {
            naming(&words(text, rules, target), pending, Waiting::all)
        }
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

/// The tables of whose names one of these words may be one.
fn naming<'a>(
    words: &[Vec<u8>],
    pending: &[Waiting<'a>],
    names: impl Fn(&Waiting<'a>) -> Vec<&'a str>,
) -> Sees {
    let is_there = |name: &&str| words.iter().any(|word| may_be(word, name));
    let tables: Vec<usize> =
        (0..pending.len()).filter(|&index| names(&pending[index]).iter().any(is_there)).collect();
    if tables.is_empty() { Sees::Nothing } else { Sees::Tables(tables) }
}

impl Sees {
    /// What one of both sees.
    fn and(self, other: Sees) -> Sees {
        match (self, other) {
            (Sees::Nothing, seen) | (seen, Sees::Nothing) => seen,
            (Sees::Tables(mut tables), Sees::Tables(more)) => {
                tables.extend(more);
                tables.sort_unstable();
                tables.dedup();
                Sees::Tables(tables)
            }
            (Sees::All, _) | (_, Sees::All) => Sees::All,
        }
    }
}

/// Every word that may be a name.
fn words(text: &[u8], rules: Rules, target: Target) -> Vec<Vec<u8>> {
    Tokens::new(text, rules, target).filter_map(|spanned| spanned.token.name()).collect()
}

/// Names in a CREATE TABLE.
#[derive(Default)]
struct Referred {
    /// The table that it is about.
    created: Vec<Vec<u8>>,
    /// Those that its foreign keys refer to.
    parents: Vec<Vec<u8>>,
    constraints: Vec<Vec<u8>>,
}

fn referred(class: &Class, text: &[u8], rules: Rules, target: Target) -> Referred {
    let Some(object) = &class.object else {
        return Referred { created: words(text, rules, target), ..Referred::default() };
    };
    let mut found = Referred { created: vec![object.name.clone()], ..Referred::default() };
    let mut tokens = Tokens::new(text, rules, target).map(|spanned| spanned.token);
    while let Some(token) = tokens.next() {
        if token.is("REFERENCES") {
            // With a schema before it or without.
            found.parents.extend(tokens.by_ref().take(3).filter_map(|token| token.name()));
        } else if token.is("CONSTRAINT") {
            found.constraints.extend(tokens.next().and_then(|token| token.name()));
        }
    }
    found
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

/// The names in a statement after which a table may be another one than before, or have another name:
/// not those of an ALTER that only adds keys or modifies columns.
pub fn changed(class: &Class, text: &[u8], rules: Rules, target: Target) -> Vec<Vec<u8>> {
    let is_other = class.kind == Kind::Table
        && !switches_keys(text, rules, target)
        && alteration(class, text, rules, target).is_none();
    if is_other { words(text, rules, target) } else { Vec::new() }
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
