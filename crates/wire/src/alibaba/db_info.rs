//! `DBInfo`: which databases are to be moved, as a JSON text inside a parameter.
//!
//! Two forms: `{"DBNames":["mydb"]}`, whose names are the same on both sides, and
//! `{"DBNames":{"srcdb":"destdb"}}`. The documents give the first to MySQL and the second to SQL
//! Server and show either for either, so both are read whatever the engine; whether it can rename,
//! and which names are too long for it, is the caller's matter. The documents print typographic quotes, which users paste: they count as
//! plain ones where the text is no JSON otherwise.
//!
//! Whether the databases exist is not known here.

use std::collections::HashSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};

use super::code::Code;
use super::error::{Error, Result};

/// Bytes of the text.
pub const BYTES_MAX: usize = 256 * 1024;
/// Databases of one call.
pub const DATABASES_MAX: usize = 1000;
/// Characters of a database's name: as many as SQL Server lets it have.
const NAME_MAX: usize = 128;

/// A database and what it is to be called on the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabasePair {
    /// Its name on the source, from 1 to 128 characters.
    pub source: String,
    /// Its name on the target, from 1 to 128 characters.
    pub target: String,
}

impl DatabasePair {
    /// Whether it gets another name.
    pub fn is_renamed(&self) -> bool {
        self.source != self.target
    }
}

/// The databases, in the order given: at least one, no source twice, no target twice. Case counts.
///
/// # Errors
///
/// `InvalidDBInfo.Malformed`: any other form; more than [`BYTES_MAX`] or [`DATABASES_MAX`]; a name
/// that is empty, longer than 128 characters, has control characters, or comes twice.
pub fn parse(text: &str) -> Result<Vec<DatabasePair>> {
    read(text).ok_or_else(|| Error::new(Code::DbInfoMalformed))
}

fn read(text: &str) -> Option<Vec<DatabasePair>> {
    let text = text.trim();
    // Without the brace a list of one would do for the object.
    if text.len() > BYTES_MAX || !text.starts_with('{') {
        return None;
    }
    let whole: Whole = match serde_json::from_str(text) {
        Ok(whole) => whole,
        Err(_) => serde_json::from_str(&text.replace(is_typographic, "\"")).ok()?,
    };
    let Names(pairs) = whole.names;
    let is_named = pairs.iter().all(|pair| is_name(&pair.source) && is_name(&pair.target));
    let sources: HashSet<&str> = pairs.iter().map(|pair| pair.source.as_str()).collect();
    let targets: HashSet<&str> = pairs.iter().map(|pair| pair.target.as_str()).collect();
    let is_distinct = sources.len() == pairs.len() && targets.len() == pairs.len();
    (is_named && is_distinct && !pairs.is_empty()).then_some(pairs)
}

fn is_typographic(c: char) -> bool {
    matches!(c, '“' | '”' | '„' | '‟' | '＂')
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().count() <= NAME_MAX && !text.chars().any(char::is_control)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Whole {
    #[serde(rename = "DBNames")]
    names: Names,
}

struct Names(Vec<DatabasePair>);

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> std::result::Result<Self, D::Error> {
        reader.deserialize_any(NamesVisitor)
    }
}

struct NamesVisitor;

impl<'de> Visitor<'de> for NamesVisitor {
    type Value = Names;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list or an object of names")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Names, A::Error> {
        let mut pairs = Vec::new();
        while let Some(source) = items.next_element::<String>()? {
            let target = source.clone();
            push(&mut pairs, DatabasePair { source, target })?;
        }
        Ok(Names(pairs))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> std::result::Result<Names, A::Error> {
        let mut pairs = Vec::new();
        while let Some((source, target)) = members.next_entry::<String, String>()? {
            push(&mut pairs, DatabasePair { source, target })?;
        }
        Ok(Names(pairs))
    }
}

fn push<E: de::Error>(
    pairs: &mut Vec<DatabasePair>,
    pair: DatabasePair,
) -> std::result::Result<(), E> {
    if pairs.len() == DATABASES_MAX {
        return Err(E::custom("too many databases"));
    }
    pairs.push(pair);
    Ok(())
}

#[cfg(test)]
#[track_caller]
fn check(text: &str, expected: Option<&[(&str, &str)]>) {
    let found = parse(text);
    let own = |pair: &DatabasePair| (pair.source.clone(), pair.target.clone());
    let found = match found {
        Ok(pairs) => Some(pairs.iter().map(own).collect::<Vec<_>>()),
        Err(error) => {
            assert_eq!(error.code(), Code::DbInfoMalformed);
            None
        }
    };
    let own = |(source, target): &(&str, &str)| ((*source).to_owned(), (*target).to_owned());
    assert_eq!(found, expected.map(|pairs| pairs.iter().map(own).collect()), "{text}");
}

#[test]
fn both_forms_are_read() {
    let same = [("mydb", "mydb"), ("mydb2", "mydb2")];
    check(r#"{"DBNames":["mydb","mydb2"]}"#, Some(&same));
    check("\n { \"DBNames\" : [ \"mydb\" , \"mydb2\" ] }\t", Some(&same));
    let other = [("srcdb", "destdb"), ("b", "a"), ("c", "c")];
    check(r#"{"DBNames":{"srcdb":"destdb","b":"a","c":"c"}}"#, Some(&other));
    // Names may be swapped.
    check(r#"{"DBNames":{"a":"b","b":"a"}}"#, Some(&[("a", "b"), ("b", "a")]));
    check(r#"{"DBNames":["my db*~2","数据库/+","\u0061"]}"#, {
        Some(&[("my db*~2", "my db*~2"), ("数据库/+", "数据库/+"), ("a", "a")])
    });
}

#[test]
fn typographic_quotes_are_quotes_where_they_must_be() {
    let same = [("mydb", "mydb"), ("mydb2", "mydb2")];
    check("{“DBNames”:[“mydb”,“mydb2”]}", Some(&same));
    check("{”DBNames”:[\"mydb”,“mydb2\"]}", Some(&same));
    check("{“DBNames”:{“srcdb”:“destdb”}}", Some(&[("srcdb", "destdb")]));
    check("{＂DBNames＂:[„a‟]}", Some(&[("a", "a")]));
    // A name may have them.
    check(r#"{"DBNames":["“a”"]}"#, Some(&[("“a”", "“a”")]));
    check("{“DBNames”:[“a\\”]}", None);
}

#[test]
fn other_texts_are_malformed() {
    for text in [
        "",
        "mydb",
        "null",
        "[]",
        "{}",
        r#"["mydb"]"#,
        r#"[["mydb"]]"#,
        r#"{"DBNames":[]}"#,
        r#"{"DBNames":{}}"#,
        r#"{"DBNames":"mydb"}"#,
        r#"{"DBNames":null}"#,
        r#"{"DBNames":[1]}"#,
        r#"{"DBNames":[["a"]]}"#,
        r#"{"DBNames":{"a":null}}"#,
        r#"{"DBNames":{"a":{"b":"c"}}}"#,
        r#"{"dbnames":["a"]}"#,
        r#"{"DBNames":["a"],"Extra":1}"#,
        r#"{"DBNames":["a"],"DBNames":["b"]}"#,
        r#"{"DBNames":["a"]} x"#,
        r#"{"DBNames":["a"]"#,
        r#"{"DBNames":[""]}"#,
        r#"{"DBNames":{"a":""}}"#,
        r#"{"DBNames":["a\u0000"]}"#,
        r#"{"DBNames":["a\n"]}"#,
    ] {
        check(text, None);
    }
}

#[test]
fn names_come_once() {
    check(r#"{"DBNames":["a","b","a"]}"#, None);
    check(r#"{"DBNames":{"a":"x","a":"y"}}"#, None);
    check(r#"{"DBNames":{"a":"x","b":"x"}}"#, None);
    check(r#"{"DBNames":{"a":"x","\u0061":"y"}}"#, None);
    check(r#"{"DBNames":["a","A"]}"#, Some(&[("a", "a"), ("A", "A")]));
}

#[test]
fn number_and_size_are_bounded() {
    let list = |count: usize| {
        let names: Vec<String> = (0..count).map(|at| format!("\"n{at}\"")).collect();
        format!("{{\"DBNames\":[{}]}}", names.join(","))
    };
    assert_eq!(parse(&list(DATABASES_MAX)).map(|pairs| pairs.len()), Ok(DATABASES_MAX));
    check(&list(DATABASES_MAX + 1), None);
    let longest = "名".repeat(NAME_MAX);
    check(&format!("{{\"DBNames\":[\"{longest}\"]}}"), Some(&[(&longest, &longest)]));
    check(&format!("{{\"DBNames\":[\"{longest}名\"]}}"), None);
    let padded = |bytes: usize| format!("{{{}\"DBNames\":[\"a\"]}}", " ".repeat(bytes));
    let empty = padded(0).len();
    check(&padded(BYTES_MAX - empty), Some(&[("a", "a")]));
    check(&padded(BYTES_MAX - empty + 1), None);
    check(&format!("{{\"DBNames\":{}", "[".repeat(100_000)), None);
}
