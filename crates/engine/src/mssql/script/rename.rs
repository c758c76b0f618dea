//! Names of databases that get other names, inside texts: three-part names rewritten, or listed.
//!
//! Promises: what is rewritten names a database for certain; every other place where the name of a
//! renamed database might stand is a [`Doubt`] with its line and column. Everything else in the text stays
//! byte for byte. Does not look into strings: what they hold may be a statement, or not.

use super::token::{Token, TokenKind, tokens};
use crate::mssql::name::quoted;

/// Old and new names of databases.
#[derive(Clone, Debug, Default)]
pub struct Renames {
    pairs: Vec<(String, String)>,
}

/// A text with its new names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// The text.
    pub text: String,
    /// How many names of renamed databases it holds for certain, also of those that keep their name.
    pub names: usize,
    /// Places that were left as they are.
    pub doubts: Vec<Doubt>,
}

/// A place where a renamed database might be named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The database's old name.
    pub database: String,
    /// Why it is left.
    pub why: Why,
}

/// Why a place was left as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It is in a string.
    InText,
    /// A schema or an alias has the same name.
    Ambiguous,
    /// It is a database of another server.
    OtherServer,
    /// It is no part of a longer name.
    Alone,
}

impl Renames {
    /// Of pairs of an old and a new name; a pair may keep its name.
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Renames {
        Renames { pairs: pairs.into_iter().collect() }
    }

    /// The new name of a database. Case counts only where two old names differ in nothing else.
    pub fn get(&self, old: &str) -> Option<&str> {
        let exact = self.pairs.iter().find(|(name, _)| name == old);
        let folded = old.to_lowercase();
        let mut alike = self.pairs.iter().filter(|(name, _)| name.to_lowercase() == folded);
        let found = exact.or_else(|| alike.next().filter(|_| alike.next().is_none()));
        found.map(|(_, new)| new.as_str())
    }
}

impl Why {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Why::InText => "in a string",
            Why::Ambiguous => "where a schema or an alias has the same name",
            Why::OtherServer => "as a database of another server",
            Why::Alone => "by itself",
        }
    }
}

/// Rewrites a text. `schemas` are those of its database; with `quoted_identifier` `"` is for names.
pub fn rewrite(
    text: &str,
    quoted_identifier: bool,
    schemas: &[String],
    renames: &Renames,
) -> Rewritten {
    let tokens = tokens(text, quoted_identifier);
    let chains = chains(&tokens);
    let mut edits: Vec<(&Token<'_>, String)> = Vec::new();
    let mut doubts: Vec<(usize, String, Why)> = Vec::new();
    for token in tokens.iter().filter(|token| token.kind == TokenKind::Text) {
        for (old, _) in &renames.pairs {
            if let Some(at) = mentioned(token.text, old) {
                doubts.push((token.start + at, old.clone(), Why::InText));
            }
        }
    }
    for chain in &chains {
        match judge(chain, &tokens, &chains, schemas, renames) {
            Judgement::Nothing => {}
            Judgement::Rename(new) => edits.push((&tokens[chain.first], quoted(new))),
            Judgement::Doubt(token, why) => {
                doubts.push((tokens[token].start, tokens[token].name(), why));
            }
        }
    }
    doubts.sort_by_key(|(at, ..)| *at);
    let doubts = doubts.into_iter().map(|(at, database, why)| {
        let (line, column) = place(text, at);
        Doubt { line, column, database, why }
    });
    Rewritten { doubts: doubts.collect(), names: edits.len(), text: edited(text, &edits) }
}

/// A name of one or more parts.
struct Chain {
    /// Its first token.
    first: usize,
    /// One past its last token.
    end: usize,
    /// The token of each part; `None` between two points.
    parts: Vec<Option<usize>>,
}

fn chains(tokens: &[Token<'_>]) -> Vec<Chain> {
    let mut chains = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if !tokens[at].is_name() {
            at += 1;
            continue;
        }
        let first = at;
        let mut parts = vec![Some(at)];
        at += 1;
        while tokens.get(at).is_some_and(|token| token.is_symbol(".")) {
            let next = tokens.get(at + 1);
            if next.is_some_and(Token::is_name) {
                parts.push(Some(at + 1));
                at += 2;
            } else if next.is_some_and(|token| token.is_symbol(".")) {
                parts.push(None);
                at += 1;
            } else {
                break;
            }
        }
        chains.push(Chain { first, end: at, parts });
    }
    chains
}

enum Judgement<'a> {
    Nothing,
    Rename(&'a str),
    Doubt(usize, Why),
}

/// Keywords after which the name of an object stands.
const BEFORE_OBJECTS: [&str; 15] = [
    "FROM",
    "JOIN",
    "APPLY",
    "INTO",
    "UPDATE",
    "TABLE",
    "EXEC",
    "EXECUTE",
    "USING",
    "MERGE",
    "REFERENCES",
    "INSERT",
    "DELETE",
    "FOR",
    "VIEW",
];
/// Those of them after which a method of a column may stand as well.
const BEFORE_METHODS: [&str; 4] = ["FROM", "JOIN", "APPLY", "USING"];

fn judge<'a>(
    chain: &Chain,
    tokens: &[Token<'_>],
    chains: &[Chain],
    schemas: &[String],
    renames: &'a Renames,
) -> Judgement<'a> {
    let before = chain.first.checked_sub(1).map(|at| &tokens[at]);
    let is_after =
        |words: &[&str]| before.is_some_and(|token| words.iter().any(|word| token.is_word(word)));
    let name = tokens[chain.first].name();
    let new = renames.get(&name);
    if chain.parts.len() < 3 {
        let alone = chain.parts.len() == 1 && new.is_some() && is_after(&["DATABASE", "USE"]);
        return if alone { Judgement::Doubt(chain.first, Why::Alone) } else { Judgement::Nothing };
    }
    if chain.parts.len() >= 4
        && let Some(second) = chain.parts[1]
        && renames.get(&tokens[second].name()).is_some()
        && (new.is_none() || is_after(&BEFORE_OBJECTS))
    {
        return Judgement::Doubt(second, Why::OtherServer);
    }
    let Some(new) = new else { return Judgement::Nothing };
    let is_call = tokens.get(chain.end).is_some_and(|token| token.is_symbol("("));
    let is_object = chain.parts.len() == 3 && is_after(&BEFORE_OBJECTS);
    let is_certain = chain.parts[1].is_none()
        || (is_object && !(is_call && is_after(&BEFORE_METHODS)))
        || !is_shadowed(&name, tokens, chains, schemas);
    if is_certain { Judgement::Rename(new) } else { Judgement::Doubt(chain.first, Why::Ambiguous) }
}

/// Something else in the text, or a schema, has the name: an alias stands by itself at least once.
fn is_shadowed(name: &str, tokens: &[Token<'_>], chains: &[Chain], schemas: &[String]) -> bool {
    let folded = name.to_lowercase();
    let is_alike = |other: &str| other.to_lowercase() == folded;
    schemas.iter().any(|schema| is_alike(schema))
        || chains.iter().any(|chain| chain.parts.len() < 3 && is_alike(&tokens[chain.first].name()))
}

/// Where a string holds a name as a whole word.
fn mentioned(text: &str, name: &str) -> Option<usize> {
    // Most strings hold no such thing, and some are long.
    if name.is_empty() || !text.to_lowercase().contains(&name.to_lowercase()) {
        return None;
    }
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '$' | '#');
    let length = name.chars().count();
    let starts = text.char_indices().map(|(at, _)| at);
    let mut before = None;
    for at in starts {
        let mut rest = text[at..].chars();
        let head: String = rest.by_ref().take(length).collect();
        let is_whole =
            before.is_none_or(|c| !is_part(c)) && rest.next().is_none_or(|c| !is_part(c));
        if is_whole && head.to_lowercase() == name.to_lowercase() {
            return Some(at);
        }
        before = text[at..].chars().next();
    }
    None
}

/// Line and column of a byte, both from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    (line, before[start..].chars().count() + 1)
}

/// The text with other tokens; `edits` are in order.
fn edited(text: &str, edits: &[(&Token<'_>, String)]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut end = 0;
    for (token, new) in edits {
        result.push_str(&text[end..token.start]);
        result.push_str(new);
        end = token.end();
    }
    result.push_str(&text[end..]);
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn renames() -> Renames {
        let pairs = [("shop", "new]shop"), ("Lager", "depot"), ("same", "same")];
        Renames::new(pairs.map(|(old, new)| (old.to_owned(), new.to_owned())))
    }

    fn rewritten(text: &str) -> Rewritten {
        rewrite(text, true, &["dbo".to_owned(), "same".to_owned()], &renames())
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let found = rewritten(text);
        assert_eq!((found.text.as_str(), found.doubts.len()), (expected, 0), "{:?}", found.doubts);
    }

    #[track_caller]
    fn check_doubt(text: &str, line: usize, column: usize, why: Why) {
        let found = rewritten(text);
        let [doubt] = found.doubts.as_slice() else { panic!("{:?}", found.doubts) };
        assert_eq!((doubt.line, doubt.column, doubt.why), (line, column, why));
        assert_eq!(found.text, text);
    }

    #[test]
    fn certain_names_are_rewritten() {
        check("select * from shop.dbo.t", "select * from [new]]shop].dbo.t");
        check("SELECT * FROM [SHOP] . [dbo] . t", "SELECT * FROM [new]]shop] . [dbo] . t");
        check("select \"lager\".dbo.f(1)", "select [depot].dbo.f(1)");
        check("select x from a join shop..t on 1=1", "select x from a join [new]]shop]..t on 1=1");
        check(
            "select shop.dbo.t.c from shop.dbo.t",
            "select [new]]shop].dbo.t.c from [new]]shop].dbo.t",
        );
        check("exec shop.dbo.p 'x' -- shop.dbo.q", "exec [new]]shop].dbo.p 'x' -- shop.dbo.q");
        check("from shop/**/./**/dbo.t", "from [new]]shop]/**/./**/dbo.t");
        check("insert into lager.dbo.t (a) values (1)", "insert into [depot].dbo.t (a) values (1)");
    }

    #[test]
    fn what_is_no_database_stays() {
        check("select shop.a from dbo.t as shop", "select shop.a from dbo.t as shop");
        check("select * from shop.t", "select * from shop.t");
        check("select * from other.dbo.t", "select * from other.dbo.t");
        check("select 'workshop.dbo.t'", "select 'workshop.dbo.t'");
        check("select * from dbo.shop", "select * from dbo.shop");
    }

    #[test]
    fn uncertain_places_are_listed() {
        check_doubt("a\n  exec('select * from shop.dbo.t')", 2, 23, Why::InText);
        check_doubt("select db_id(N'SHOP')", 1, 16, Why::InText);
        check_doubt("select * from srv.shop.dbo.t", 1, 19, Why::OtherServer);
        check_doubt("select shop.c.value('.', 'int') from t shop", 1, 8, Why::Ambiguous);
        check_doubt("select same.dbo.f()", 1, 8, Why::Ambiguous);
        check_doubt("alter database shop set read_only", 1, 16, Why::Alone);
        check_doubt(
            "select n.c from t shop cross apply shop.x.nodes('/a') n(c)",
            1,
            36,
            Why::Ambiguous,
        );
    }

    #[test]
    fn quotes_are_strings_where_the_session_says_so() {
        let found = rewrite("print \"shop.dbo.t\"", false, &[], &renames());
        assert_eq!((found.names, found.doubts[0].why), (0, Why::InText));
    }

    #[test]
    fn case_counts_only_where_it_must() {
        let renames = Renames::new([("a".into(), "x".into()), ("A".into(), "y".into())]);
        assert_eq!((renames.get("a"), renames.get("A")), (Some("x"), Some("y")));
        let renames = Renames::new([("Ab".into(), "x".into())]);
        assert_eq!((renames.get("aB"), renames.get("b")), (Some("x"), None));
    }

    proptest! {
        #[test]
        fn any_text_is_rewritten_without_a_panic(text in "\\PC*|(shop|dbo|[.\\[\\]'\"/* n\n-])*") {
            let found = rewritten(&text);
            prop_assert_eq!(found.names == 0, found.text == text);
            for doubt in found.doubts {
                prop_assert!(doubt.line > 0 && doubt.column > 0);
            }
        }

        #[test]
        fn a_name_in_quotes_is_found_whatever_it_holds(name in "\\PC{1,20}", new in "\\PC{1,20}") {
            let renames = Renames::new([(name.clone(), new.clone())]);
            let text = format!("SELECT 1 FROM {}.dbo.t", quoted(&name));
            let expected = format!("SELECT 1 FROM {}.dbo.t", quoted(&new));
            prop_assert_eq!(rewrite(&text, true, &[], &renames).text, expected);
        }
    }
}
