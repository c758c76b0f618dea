//! What two databases do not have alike, of which one was made by the other's script.
//!
//! Both are made into scripts under the same names, and the statements compared, so that whatever is made is compared,
//! and nothing else: findings, options, numbers of the catalog and estimates are not. Promises: names the object, and
//! shows of a statement only its head, which holds names. A server tells expressions in its own words, and an older
//! one's in others: their texts are compared apart, by [`reworded`], without quotes, parentheses and case.

use std::collections::{BTreeMap, BTreeSet};

use super::rename::{Renames, rewrite};
use super::token::{Token, TokenKind, tokens};
use super::{Phase, Script, Statement, script};
use crate::mssql::catalog::column::{Column, Source};
use crate::mssql::catalog::index::{Index, Role};
use crate::mssql::catalog::schema::{Check, Database, Table};

/// Under what name both are made into scripts.
const NAME: &str = "database";

/// Something that two databases do not have alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unlike {
    /// Its name, as `schema.name` where it has a schema.
    pub object: String,
    /// What is not alike, in words.
    pub what: String,
}

/// An expression: its object, and which one of it.
pub type Part = (String, String);

/// How the names of databases in one become those in the other, and how much of the other is there.
#[derive(Clone, Debug)]
pub struct Names {
    wanted: Renames,
    made: Renames,
    /// What needs the final names is there as well.
    is_shown: bool,
    /// Indexes have the names that they were given.
    has_indexes: bool,
}

impl Names {
    /// Of pairs of a name in the one that is wanted and the same in the one that was made.
    pub fn new(pairs: &[(String, String)], is_shown: bool) -> Names {
        let made = pairs.iter().map(|(_, to)| (to.clone(), to.clone()));
        let wanted = Renames::new(pairs.iter().cloned());
        Names { wanted, made: Renames::new(made), is_shown, has_indexes: true }
    }

    /// For a server that gives indexes names of its own: those are not compared.
    pub fn without_indexes(self) -> Names {
        Names { has_indexes: false, ..self }
    }
}

/// What `made` does not have as `wanted` has it, but for the texts of expressions and the numbers of sequences.
pub fn differences(wanted: &Database, made: &Database, names: &Names) -> Vec<Unlike> {
    let ours = statements(&script(&plain(wanted, names), NAME, &names.wanted), names.is_shown);
    let theirs = statements(&script(&plain(made, names), NAME, &names.made), true);
    let mut heads: BTreeMap<(&str, String), (bool, bool)> = BTreeMap::new();
    for one in ours.iter().filter(|one| !theirs.contains(one)) {
        heads.entry((&one.object, one.head.clone())).or_default().0 = true;
    }
    for one in theirs.iter().filter(|one| !ours.contains(one)) {
        heads.entry((&one.object, one.head.clone())).or_default().1 = true;
    }
    let unlike = heads.into_iter().map(|((object, head), sides)| {
        let what = match sides {
            (true, true) => format!("not the same: {head}{}", columns(wanted, made, object)),
            (true, false) => format!("only the source has it so: {head}"),
            (false, _) => format!("only the target has it so: {head}"),
        };
        Unlike { object: object.to_owned(), what }
    });
    unlike.collect()
}

/// Sequences that stand at other numbers.
pub fn numbers(wanted: &Database, made: &Database) -> Vec<Unlike> {
    let stands = |one: &&crate::mssql::catalog::schema::Sequence| {
        let mut there = made.sequences.iter();
        there.any(|other| {
            (&other.schema, &other.name) == (&one.schema, &one.name) && other.current != one.current
        })
    };
    let unlike = wanted.sequences.iter().filter(stands).map(|one| Unlike {
        object: format!("{}.{}", one.schema, one.name),
        what: "the sequence stands at another number".to_owned(),
    });
    unlike.collect()
}

/// Expressions of `wanted` that `made` has in other words.
pub fn reworded(wanted: &Database, made: &Database, names: &Names) -> BTreeSet<Part> {
    // An index without the other's name has no expression to compare.
    let theirs = expressions(made, &names.made);
    let ours = expressions(wanted, &names.wanted);
    let others = ours.into_iter().filter(|(part, text)| {
        let there = theirs.get(part);
        there.is_some_and(|there| there != text)
    });
    others.map(|(part, _text)| part).collect()
}

/// A statement as it is compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Made {
    object: String,
    head: String,
    words: Vec<String>,
    is_usual: bool,
}

fn statements(script: &Script, is_shown: bool) -> BTreeSet<Made> {
    let is_compared = |one: &&Statement| match one.phase {
        Phase::Options | Phase::Counters => false,
        phase => is_shown || !phase.is_late(),
    };
    let compared = script.statements.iter().filter(is_compared);
    compared.map(made).collect()
}

fn made(one: &Statement) -> Made {
    let is_quoted = one.session.is_none_or(|session| session.quoted_identifier);
    let mut tokens = tokens(&one.sql, is_quoted);
    // Servers keep `CREATE` of it.
    let begins = |at: usize, word: &str| tokens.get(at).is_some_and(|token| token.is_word(word));
    if begins(0, "CREATE") && begins(1, "OR") && begins(2, "ALTER") {
        tokens.drain(1..3);
    }
    let words = tokens.iter().map(|token| match token.kind {
        TokenKind::Word | TokenKind::Name => token.name(),
        TokenKind::Text | TokenKind::Variable | TokenKind::Number | TokenKind::Symbol => {
            token.text.to_owned()
        }
    });
    let words = words.collect();
    Made { object: one.object.clone(), head: head(&tokens), words, is_usual: one.session.is_none() }
}

/// The beginning of a statement, up to where anything but names may come.
fn head(tokens: &[Token<'_>]) -> String {
    let mut head = String::new();
    for token in tokens {
        let is_name = token.is_name() || token.is_symbol(".");
        if !is_name || token.is_word("AS") || token.is_word("RETURNS") || token.is_word("DEFAULT") {
            break;
        }
        let glued = token.is_symbol(".") || head.ends_with('.') || head.is_empty();
        head.push_str(if glued { "" } else { " " });
        head.push_str(&token.name());
    }
    match head.as_str() {
        "DECLARE" => "its extended properties".to_owned(),
        _ => head,
    }
}

/// Which columns of a table are not the same, as an end of a sentence.
fn columns(wanted: &Database, made: &Database, object: &str) -> String {
    let table = |database: &Database| -> Vec<String> {
        let mut tables = database.tables.iter();
        let found = tables.find(|table| format!("{}.{}", table.schema, table.name) == object);
        let columns = found.map(|table| table.columns.as_slice()).unwrap_or_default();
        columns.iter().map(super::table::definition).collect()
    };
    let (ours, theirs) = (table(wanted), table(made));
    let names: Vec<String> = ours
        .iter()
        .filter(|text| !theirs.contains(text))
        .filter_map(|text| tokens(text, true).first().map(Token::name))
        .collect();
    if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) }
}

/// A database without what is compared otherwise, or not at all.
fn plain(database: &Database, names: &Names) -> Database {
    let mut database = database.clone();
    for table in &mut database.tables {
        table.columns.iter_mut().for_each(plain_column);
        table.indexes.iter_mut().for_each(plain_index);
        table.checks.iter_mut().for_each(plain_check);
    }
    for kind in &mut database.table_kinds {
        kind.columns.iter_mut().for_each(plain_column);
        kind.indexes.iter_mut().for_each(plain_index);
        kind.checks.iter_mut().for_each(plain_check);
    }
    for index in database.modules.iter_mut().flat_map(|module| module.indexes.iter_mut()) {
        plain_index(index);
    }
    if !names.has_indexes {
        let all = database.tables.iter_mut().flat_map(|table| table.indexes.iter_mut());
        all.filter(|index| index.role == Role::Plain).for_each(|index| index.name.clear());
        // Nor are names of defaults kept there.
        let columns = database.tables.iter_mut().flat_map(|table| table.columns.iter_mut());
        columns.filter_map(|column| column.default.as_mut()).for_each(|one| one.name.clear());
    }
    for one in &mut database.sequences {
        // What a sequence begins with is another number once it has been told where to go on.
        one.start.clear();
    }
    database
}

fn plain_column(column: &mut Column) {
    if let Some(default) = &mut column.default {
        default.definition.clear();
    }
    match &mut column.source {
        Source::Computed { definition, .. } => definition.clear(),
        Source::Identity(identity) => identity.last = None,
        Source::Written | Source::PeriodStart | Source::PeriodEnd => {}
    }
}

fn plain_index(index: &mut Index) {
    if let Some(filter) = &mut index.filter {
        filter.clear();
    }
    // Both fill pages.
    if index.fill_factor == 100 {
        index.fill_factor = 0;
    }
}

fn plain_check(check: &mut Check) {
    check.definition.clear();
}

/// The words of all expressions.
fn expressions(database: &Database, renames: &Renames) -> BTreeMap<Part, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut add = |object: &str, part: String, text: &str| {
        let text = rewrite(text, true, &database.schemas, renames).text;
        found.insert((object.to_owned(), part), words(&text));
    };
    for table in &database.tables {
        let object = format!("{}.{}", table.schema, table.name);
        for (part, text) in of_table(table) {
            add(&object, part, text);
        }
    }
    for kind in &database.table_kinds {
        let object = format!("{}.{}", kind.schema, kind.name);
        for (part, text) in kind.columns.iter().flat_map(of_column) {
            add(&object, part, text);
        }
        // Their checks have names of the server's, which are others elsewhere.
        let mut checks: Vec<&str> = kind.checks.iter().map(|one| one.definition.as_str()).collect();
        checks.sort_unstable();
        for (at, text) in checks.into_iter().enumerate() {
            add(&object, format!("check {}", at + 1), text);
        }
    }
    for module in &database.modules {
        let object = format!("{}.{}", module.schema, module.name);
        for (part, text) in module.indexes.iter().filter_map(of_index) {
            add(&object, part, text);
        }
    }
    found
}

fn of_table(table: &Table) -> impl Iterator<Item = (String, &str)> {
    let checks = table.checks.iter();
    let checks = checks.map(|check| (format!("check {}", check.name), check.definition.as_str()));
    let indexes = table.indexes.iter().filter_map(of_index);
    table.columns.iter().flat_map(of_column).chain(checks).chain(indexes)
}

fn of_column(column: &Column) -> impl Iterator<Item = (String, &str)> {
    let computed = match &column.source {
        Source::Computed { definition, .. } => {
            Some((format!("column {}", column.name), definition))
        }
        _ => None,
    };
    let default = column.default.as_ref().filter(|_| !column.is_rowversion());
    let default = default.map(|one| (format!("default of {}", column.name), &one.definition));
    computed.into_iter().chain(default).map(|(part, text)| (part, text.as_str()))
}

fn of_index(index: &Index) -> Option<(String, &str)> {
    index.filter.as_ref().map(|text| (format!("index {}", index.name), text.as_str()))
}

/// An expression without what a server may write one way or another.
fn words(text: &str) -> Vec<String> {
    let tokens = tokens(text, true);
    let words = tokens.iter().filter(|token| !token.is_symbol("(") && !token.is_symbol(")"));
    let words = words.map(|token| match token.kind {
        TokenKind::Word | TokenKind::Name => token.name().to_lowercase(),
        TokenKind::Text | TokenKind::Variable | TokenKind::Number | TokenKind::Symbol => {
            token.text.to_owned()
        }
    });
    words.collect()
}
