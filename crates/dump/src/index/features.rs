//! What in a definition only one of the two servers understands, and what either passes over
//! because it stands in a comment with a version.
//!
//! A list of words in their places, not a parser: it finds what dump tools write. What it does not
//! know it does not report; the server remains the judge.

use crate::rules::{Client, Rules};
use crate::token::{Spanned, Target, Token, Tokens};

/// The newest servers that are known: the most that versioned comments may ask for.
pub(super) fn newest(server: Client) -> Target {
    let version = match server {
        Client::MariaDb => 120_100,
        Client::MySql => 90_704,
    };
    Target { server, version }
}

/// What was found in one definition.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Features {
    /// Collations that the other server does not know.
    pub(super) collations: Vec<Vec<u8>>,
    /// Other features that the other server does not have.
    pub(super) others: Vec<&'static str>,
}

impl Features {
    fn add(&mut self, feature: &'static str) {
        if !self.others.contains(&feature) {
            self.others.push(feature);
        }
    }

    fn add_collation(&mut self, name: &[u8]) {
        if !self.collations.iter().any(|known| known == name) {
            self.collations.push(name.to_vec());
        }
    }
}

/// What `reader` (one of the servers) would stumble over in `text`.
pub(super) fn foreign_to(reader: Client, text: &[u8], rules: Rules) -> Features {
    let mut features = Features::default();
    let tokens: Vec<Spanned<'_>> = Tokens::new(text, rules, newest(reader)).collect();
    let is_table = is_create_table(&tokens);
    let mut item = Item::default();
    for (at, spanned) in tokens.iter().enumerate() {
        item.step(&spanned.token);
        let here = Here { tokens: &tokens, at, item: &item, is_table };
        match reader {
            Client::MariaDb => unknown_to_mariadb(&here, &mut features),
            Client::MySql => unknown_to_mysql(&here, &mut features),
        }
    }
    features
}

fn is_create_table(tokens: &[Spanned<'_>]) -> bool {
    let mut first = tokens.iter().take(4);
    tokens.first().is_some_and(|t| t.token.is("CREATE")) && first.any(|t| t.token.is("TABLE"))
}

/// The column or key of a CREATE TABLE that the tokens have reached.
#[derive(Debug, Default)]
struct Item {
    depth: u32,
    /// Tokens of the item so far, at depth 1, from 1.
    index: u32,
    is_key: bool,
}

impl Item {
    fn step(&mut self, token: &Token<'_>) {
        match token {
            Token::Symbol(b'(') => {
                self.depth += 1;
                if self.depth == 1 {
                    *self = Item { depth: 1, index: 0, is_key: false };
                }
            }
            Token::Symbol(b')') => self.depth = self.depth.saturating_sub(1),
            Token::Symbol(b',') if self.depth == 1 => {
                *self = Item { depth: 1, index: 0, is_key: false };
            }
            _ if self.depth == 1 => {
                self.index += 1;
                const KEYS: [&str; 6] =
                    ["KEY", "INDEX", "UNIQUE", "FULLTEXT", "SPATIAL", "PRIMARY"];
                if self.index == 1 {
                    self.is_key = KEYS.iter().any(|word| token.is(word));
                }
            }
            _ => {}
        }
    }
}

/// One token with what stands around it.
struct Here<'a> {
    tokens: &'a [Spanned<'a>],
    at: usize,
    item: &'a Item,
    is_table: bool,
}

impl Here<'_> {
    fn is(&self, word: &str) -> bool {
        self.tokens[self.at].token.is(word)
    }

    fn next_is(&self, word: &str) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|t| t.token.is(word))
    }

    fn next_is_symbol(&self, symbol: u8) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|t| t.token == Token::Symbol(symbol))
    }

    fn previous_is(&self, word: &str) -> bool {
        self.at > 0 && self.tokens[self.at - 1].token.is(word)
    }

    fn previous_is_symbol(&self, symbol: u8) -> bool {
        self.at > 0 && self.tokens[self.at - 1].token == Token::Symbol(symbol)
    }

    /// The next token begins where this one ends.
    fn touches_next(&self) -> bool {
        self.tokens.get(self.at + 1).is_some_and(|t| t.span.start == self.tokens[self.at].span.end)
    }

    /// This word is a column's type.
    fn is_type(&self, word: &str) -> bool {
        self.is_table
            && self.item.depth == 1
            && self.item.index == 2
            && self.is(word)
            && !self.item.is_key
    }

    /// The next token's word or number, past a `=`.
    fn argument(&self) -> Option<&[u8]> {
        let at = if self.next_is_symbol(b'=') { self.at + 2 } else { self.at + 1 };
        match &self.tokens.get(at)?.token {
            Token::Word(word) => Some(word),
            Token::Name(name) => Some(name),
            _ => None,
        }
    }
}

/// The name after COLLATE, or a collation's own name as a value.
fn collation<'a>(here: &'a Here<'_>) -> Option<&'a [u8]> {
    let is_value = here.previous_is("COLLATE") || here.previous_is_symbol(b'=');
    match &here.tokens[here.at].token {
        Token::Word(word) => Some(word),
        Token::String(quoted) if is_value => Some(&quoted[1..quoted.len().max(2) - 1]),
        Token::Name(name) if is_value => Some(name),
        _ => None,
    }
}

fn unknown_to_mariadb(here: &Here<'_>, found: &mut Features) {
    if let Some(name) = collation(here)
        && name.starts_with(b"utf8mb4_")
        && memchr::memmem::find(name, b"_0900_").is_some()
    {
        found.add_collation(name);
    }
    let in_key = here.is_table && here.item.is_key;
    match &here.tokens[here.at].token {
        Token::Symbol(b'(') if in_key && here.item.depth == 2 && here.next_is_symbol(b'(') => {
            found.add("functional index");
        }
        Token::Symbol(b'-') if here.next_is_symbol(b'>') && here.touches_next() => {
            found.add("JSON operator ->");
        }
        Token::Word(_) if here.is_table => mysql_table_words(here, found),
        Token::Word(_) => mysql_other_words(here, found),
        _ => {}
    }
}

fn mysql_table_words(here: &Here<'_>, found: &mut Features) {
    if here.is("INVISIBLE") && here.item.is_key {
        found.add("invisible index");
    }
    if here.is("SRID") && here.argument().is_some_and(|word| word[0].is_ascii_digit()) {
        found.add("SRID attribute");
    }
    if here.is("NOT") && here.next_is("ENFORCED") {
        found.add("CHECK … NOT ENFORCED");
    }
    if here.is("WITH") && here.next_is("PARSER") {
        found.add("full-text parser");
    }
    if here.is_type("GEOMCOLLECTION") {
        found.add("type GEOMCOLLECTION");
    }
    const OPTIONS: [(&str, &str); 4] = [
        ("ENGINE_ATTRIBUTE", "ENGINE_ATTRIBUTE"),
        ("SECONDARY_ENGINE_ATTRIBUTE", "SECONDARY_ENGINE_ATTRIBUTE"),
        ("SECONDARY_ENGINE", "SECONDARY_ENGINE"),
        ("AUTOEXTEND_SIZE", "AUTOEXTEND_SIZE"),
    ];
    for (word, feature) in OPTIONS {
        if here.is(word) && here.next_is_symbol(b'=') {
            found.add(feature);
        }
    }
    if here.item.depth == 0 && here.is("ENGINE") {
        let ndb = here.argument().is_some_and(|name| {
            name.eq_ignore_ascii_case(b"NDB") || name.eq_ignore_ascii_case(b"NDBCLUSTER")
        });
        if ndb {
            found.add("engine NDB");
        }
    }
}

fn mysql_other_words(here: &Here<'_>, found: &mut Features) {
    if here.is("LATERAL") && here.next_is_symbol(b'(') {
        found.add("LATERAL");
    }
    if here.is("MEMBER") && here.next_is("OF") {
        found.add("MEMBER OF");
    }
    if here.is("LANGUAGE") && here.next_is("JAVASCRIPT") {
        found.add("routine in JavaScript");
    }
    if here.is("SPATIAL") && here.next_is("REFERENCE") {
        found.add("spatial reference system");
    }
    if here.is("RESOURCE") && here.next_is("GROUP") {
        found.add("resource group");
    }
    const FUNCTIONS: [(&str, &str); 4] = [
        ("REGEXP_LIKE", "REGEXP_LIKE()"),
        ("BIN_TO_UUID", "BIN_TO_UUID()"),
        ("UUID_TO_BIN", "UUID_TO_BIN()"),
        ("ANY_VALUE", "ANY_VALUE()"),
    ];
    for (word, feature) in FUNCTIONS {
        if here.is(word) && here.next_is_symbol(b'(') {
            found.add(feature);
        }
    }
    if here.is("ENCRYPTION") && here.next_is_symbol(b'=') && here.previous_is("DEFAULT") {
        found.add("DEFAULT ENCRYPTION");
    }
}

fn unknown_to_mysql(here: &Here<'_>, found: &mut Features) {
    if let Some(name) = collation(here) {
        let is_nopad = name.ends_with(b"_nopad_ci") || name.ends_with(b"_nopad_bin");
        if memchr::memmem::find(name, b"uca1400").is_some() || is_nopad {
            found.add_collation(name);
        }
    }
    if matches!(here.tokens[here.at].token, Token::Word(_)) {
        mariadb_words(here, found);
        if here.is_table {
            mariadb_table_words(here, found);
        }
    }
}

fn mariadb_words(here: &Here<'_>, found: &mut Features) {
    if here.is("SEQUENCE") && (here.previous_is("CREATE") || here.previous_is("REPLACE")) {
        found.add("SEQUENCE");
    }
    if here.is("SETVAL") && here.next_is_symbol(b'(') {
        found.add("SEQUENCE");
    }
    if (here.is("NEXTVAL") || here.is("LASTVAL")) && here.next_is_symbol(b'(') {
        found.add("SEQUENCE");
    }
    if here.is("NEXT") && here.next_is("VALUE") {
        found.add("SEQUENCE");
    }
    if here.is("PACKAGE") && (here.previous_is("CREATE") || here.previous_is("REPLACE")) {
        found.add("PACKAGE");
    }
    if here.is("SYSTEM") && here.next_is("VERSIONING") {
        found.add("system versioning");
    }
    // MySQL has it for views only, whose clauses stand before the word VIEW.
    const OF_VIEWS: [&str; 4] = ["VIEW", "ALGORITHM", "DEFINER", "SQL"];
    let is_replace = here.at == 2 && here.is("REPLACE") && here.previous_is("OR");
    if is_replace && !OF_VIEWS.iter().any(|word| here.next_is(word)) {
        found.add("CREATE OR REPLACE");
    }
}

fn mariadb_table_words(here: &Here<'_>, found: &mut Features) {
    for (word, feature) in [("UUID", "type UUID"), ("INET6", "type INET6"), ("INET4", "type INET4")]
    {
        if here.is_type(word) {
            found.add(feature);
        }
    }
    if here.is("PERIOD") && here.next_is("FOR") {
        found.add("PERIOD FOR");
    }
    if here.is("WITHOUT") && (here.next_is("OVERLAPS") || here.next_is("SYSTEM")) {
        found.add("WITHOUT OVERLAPS");
    }
    if here.is("PERSISTENT") && here.previous_is_symbol(b')') {
        found.add("PERSISTENT column");
    }
    if here.is("DEFAULT") && here.item.depth == 1 {
        default_function(here, found);
    }
    if here.item.depth != 0 {
        return;
    }
    if let Some(engine) = here.is("ENGINE").then(|| here.argument()).flatten() {
        mariadb_engine(engine, found);
    }
    for (word, feature) in [
        ("PAGE_COMPRESSED", "PAGE_COMPRESSED"),
        ("PAGE_CHECKSUM", "PAGE_CHECKSUM"),
        ("TRANSACTIONAL", "TRANSACTIONAL"),
        ("ENCRYPTED", "ENCRYPTED"),
        ("ENCRYPTION_KEY_ID", "ENCRYPTION_KEY_ID"),
    ] {
        if here.is(word) && here.next_is_symbol(b'=') {
            found.add(feature);
        }
    }
}

/// `DEFAULT uuid()`: MySQL wants parentheses around anything but the current time.
fn default_function(here: &Here<'_>, found: &mut Features) {
    const PLAIN: [&[u8]; 4] = [b"CURRENT_TIMESTAMP", b"NOW", b"LOCALTIME", b"LOCALTIMESTAMP"];
    let Some(Token::Word(word)) = here.tokens.get(here.at + 1).map(|t| &t.token) else { return };
    let is_call = here.tokens.get(here.at + 2).is_some_and(|t| t.token == Token::Symbol(b'('));
    if is_call && !PLAIN.iter().any(|plain| word.eq_ignore_ascii_case(plain)) {
        found.add("DEFAULT function() without parentheses");
    }
}

fn mariadb_engine(engine: &[u8], found: &mut Features) {
    const ENGINES: [(&[u8], &str); 9] = [
        (b"ARIA", "engine Aria"),
        (b"COLUMNSTORE", "engine ColumnStore"),
        (b"CONNECT", "engine CONNECT"),
        (b"MROONGA", "engine Mroonga"),
        (b"ROCKSDB", "engine RocksDB"),
        (b"S3", "engine S3"),
        (b"SPHINX", "engine Sphinx"),
        (b"SPIDER", "engine Spider"),
        (b"TOKUDB", "engine TokuDB"),
    ];
    let found_engine = ENGINES.iter().find(|(name, _)| engine.eq_ignore_ascii_case(name));
    if let Some((_, feature)) = found_engine {
        found.add(feature);
    }
}

/// A comment with a version that one of the servers passes over, with what stands in it.
pub(super) struct Skipped<'a> {
    /// Who passes over it.
    pub(super) by: Client,
    /// Its bytes.
    pub(super) text: &'a [u8],
}

/// The versioned comments in a definition that one of the servers passes over.
pub(super) fn skipped(text: &[u8]) -> Vec<Skipped<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| memchr::memmem::find(rest, b"/*")) {
        let comment = &text[from + at..];
        from += at + 2;
        let (is_mariadb, mark) = match comment {
            [b'/', b'*', b'!', ..] => (false, 3),
            [b'/', b'*', b'M', b'!', ..] => (true, 4),
            _ => continue,
        };
        let digits = comment[mark..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
        let number = comment[mark..mark + digits].iter();
        let version = number.fold(0, |n: u32, b| n * 10 + u32::from(b - b'0'));
        let by = match (is_mariadb, version) {
            (true, _) => Client::MySql,
            (false, _) if digits < 5 => continue,
            (false, 50_700..=99_999) => Client::MariaDb,
            (false, _) if version > newest(Client::MySql).version => Client::MySql,
            (false, _) => continue,
        };
        let end = memchr::memmem::find(comment, b"*/").map_or(comment.len(), |end| end + 2);
        found.push(Skipped { by, text: &comment[..end] });
    }
    found
}

/// The table that a `CREATE TRIGGER` is on: the name behind the first ON.
pub(super) fn trigger_table(
    text: &[u8],
    rules: Rules,
    target: Target,
) -> Option<(Option<Vec<u8>>, Vec<u8>)> {
    let mut tokens = Tokens::new(text, rules, target);
    tokens.by_ref().find(|spanned| spanned.token.is("ON"))?;
    let first = tokens.next()?.token.name()?;
    match tokens.next()?.token {
        Token::Symbol(b'.') => Some((Some(first), tokens.next()?.token.name()?)),
        _ => Some((None, first)),
    }
}

/// What a `CREATE TABLE` says that the index keeps.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TableFacts {
    /// The engine that it names.
    pub(super) engine: Option<Vec<u8>>,
    /// A column may hold bytes that are no text.
    pub(super) has_binary: bool,
    /// It names a folder or a tablespace.
    pub(super) storage: Option<&'static str>,
}

/// Reads the facts of a `CREATE TABLE`.
pub(super) fn table_facts(text: &[u8], rules: Rules, target: Target) -> TableFacts {
    let mut facts = TableFacts::default();
    let tokens: Vec<Spanned<'_>> = Tokens::new(text, rules, target).collect();
    let mut item = Item::default();
    for (at, spanned) in tokens.iter().enumerate() {
        item.step(&spanned.token);
        let here = Here { tokens: &tokens, at, item: &item, is_table: true };
        if item.depth == 0 && here.is("ENGINE") && facts.engine.is_none() {
            facts.engine = here.argument().map(<[u8]>::to_vec);
        }
        if item.depth == 1 && item.index == 2 && !item.is_key {
            facts.has_binary |= is_binary_type(&spanned.token);
        }
        if (here.is("DATA") || here.is("INDEX")) && here.next_is("DIRECTORY") {
            facts.storage = Some("DATA DIRECTORY");
        }
        if here.is("TABLESPACE") && item.depth == 0 {
            facts.storage = Some("TABLESPACE");
        }
    }
    facts
}

fn is_binary_type(token: &Token<'_>) -> bool {
    const TYPES: [&str; 18] = [
        "BLOB",
        "TINYBLOB",
        "MEDIUMBLOB",
        "LONGBLOB",
        "LONG",
        "BINARY",
        "VARBINARY",
        "BIT",
        "VECTOR",
        "GEOMETRY",
        "POINT",
        "LINESTRING",
        "POLYGON",
        "MULTIPOINT",
        "MULTILINESTRING",
        "MULTIPOLYGON",
        "GEOMETRYCOLLECTION",
        "GEOMCOLLECTION",
    ];
    TYPES.iter().any(|word| token.is(word))
}
