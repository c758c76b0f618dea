//! Reads the text of `SHOW CREATE TABLE`: which keys and foreign keys a table has, line by line.
//!
//! Pure, and no SQL parser: it knows the one form that servers write under `sql_mode = ''`, and
//! gives up at anything else. Lines are kept as they are, so that they can be given back.

/// What the text says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Definition {
    /// The table's name.
    pub name: String,
    /// Its columns: the name, and what follows it on its line.
    pub columns: Vec<(String, String)>,
    /// Columns that AUTO_INCREMENT numbers.
    pub auto_increment: Vec<String>,
    /// Columns that are computed when they are read.
    pub computed: Vec<String>,
    /// Its keys, in order.
    pub keys: Vec<Key>,
    /// Its foreign keys, in order.
    pub foreign_keys: Vec<ForeignKey>,
    /// It is an InnoDB table without system versioning.
    pub plain_innodb: bool,
    /// What follows the lines, from `)` on.
    pub tail: String,
}

/// What a key is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// `PRIMARY KEY`, `UNIQUE KEY`
    Unique,
    /// `KEY` over columns.
    Normal,
    /// `SPATIAL KEY`, or a `KEY` over expressions: among the normal ones in the server's order.
    Special,
    /// `FULLTEXT KEY`: after all others.
    FullText,
}

/// A key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name; `PRIMARY` for the primary key.
    pub name: String,
    /// What it is.
    pub kind: KeyKind,
    /// Its columns; none for a key over expressions.
    pub columns: Vec<String>,
    /// Its line, without the comma.
    pub line: String,
}

/// A foreign key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<String>,
    /// Schema of the table that it refers to, if it is another one.
    pub parent_schema: Option<String>,
    /// The table that it refers to.
    pub parent: String,
    /// That table's columns.
    pub parent_columns: Vec<String>,
    /// Its line, without the comma.
    pub line: String,
}

/// Reads a definition; nothing if a line is not as expected.
pub fn parse(text: &str) -> Option<Definition> {
    let (name, lines, tail) = split(text)?;
    let mut found = Definition { name, tail: tail.to_owned(), ..Definition::default() };
    for line in lines {
        if line.starts_with('`') {
            let (name, rest) = quoted(line)?;
            found.columns.push((name.clone(), rest.to_owned()));
            let bare = unquoted(rest);
            if bare.contains(" AUTO_INCREMENT") {
                found.auto_increment.push(name.clone());
            }
            if bare.contains(" GENERATED ALWAYS AS ") && !bare.contains(" STORED") {
                found.computed.push(name);
            }
        } else if let Some(rest) = line.strip_prefix("CONSTRAINT ") {
            let (name, rest) = quoted(rest)?;
            match rest.strip_prefix(" FOREIGN KEY ") {
                Some(rest) => found.foreign_keys.push(foreign_key(name, rest, line)?),
                None => rest.starts_with(" CHECK (").then_some(())?,
            }
        } else {
            found.keys.push(key(line)?);
        }
    }
    let bare = unquoted(tail);
    found.plain_innodb = tail.starts_with(") ENGINE=InnoDB") && !bare.contains("SYSTEM VERSIONING");
    Some(found)
}

/// The text without the next AUTO_INCREMENT value, which moves with the rows.
pub fn masked(text: &str) -> String {
    match counter_at(text) {
        Some(at) => format!("{}{}", &text[..at.start], &text[at.end..]),
        None => text.to_owned(),
    }
}

/// The next AUTO_INCREMENT value, where the text tells it.
pub fn counter(text: &str) -> Option<u64> {
    text[counter_at(text)?].rsplit_once('=')?.1.parse().ok()
}

/// Where ` AUTO_INCREMENT=n` stands among the table's options.
fn counter_at(text: &str) -> Option<std::ops::Range<usize>> {
    const OPTION: &str = " AUTO_INCREMENT=";
    // MySQL tells some options before the engine, in comments.
    let tail_at = text.find("\n) ENGINE=").or_else(|| text.find("\n) /*!"))?;
    // Options before it are plain words; a comment stands after it.
    let at = tail_at + text[tail_at..].find(OPTION)?;
    if text[tail_at..at].contains('\'') {
        return None;
    }
    let digits = text[at + OPTION.len()..].bytes().take_while(u8::is_ascii_digit).count();
    Some(at..at + OPTION.len() + digits)
}

/// The text as it is without these keys and constraints.
pub fn without(text: &str, left_out: &[String]) -> Option<String> {
    let (_name, lines, tail) = split(text)?;
    let head = text.lines().next()?;
    let kept: Vec<String> = lines
        .iter()
        .filter(|line| !left_out.iter().any(|out| out == *line))
        .map(|line| format!("  {line}"))
        .collect();
    Some(format!("{head}\n{}\n{tail}", kept.join(",\n")))
}

/// The text as it is with more keys, each as it would stand on its line, in a server's order.
pub fn with_keys(text: &str, more: &[String]) -> Option<String> {
    let (_name, lines, tail) = split(text)?;
    let head = text.lines().next()?;
    let rank = |line: &str| match line {
        _ if line.starts_with('`') => 0,
        _ if line.starts_with("PRIMARY ") => 1,
        _ if line.starts_with("UNIQUE ") => 2,
        _ if line.starts_with("FULLTEXT ") => 4,
        _ if line.starts_with("CONSTRAINT ") => 5,
        _ => 3,
    };
    let mut all: Vec<&str> = lines.into_iter().chain(more.iter().map(String::as_str)).collect();
    all.sort_by_key(|line| rank(line));
    let all: Vec<String> = all.into_iter().map(|line| format!("  {line}")).collect();
    let text = format!("{head}\n{}\n{tail}", all.join(",\n"));
    parse(&text).map(|_definition| text)
}

/// The name, the lines between the parentheses, without indent and comma, and what follows from `)`
/// on.
fn split(text: &str) -> Option<(String, Vec<&str>, &str)> {
    let rest = text.strip_prefix("CREATE TABLE ")?;
    let (name, rest) = quoted(rest)?;
    let mut rest = rest.strip_prefix(" (\n")?;
    let mut lines = Vec::new();
    while !rest.starts_with(')') {
        let (line, after) = rest.split_once('\n')?;
        let line = line.strip_prefix("  ")?;
        let line = if after.starts_with(')') { line } else { line.strip_suffix(',')? };
        lines.push(line);
        rest = after;
    }
    Some((name, lines, rest))
}

fn key(line: &str) -> Option<Key> {
    let kind = |prefix: &str| line.strip_prefix(prefix);
    let (mut kind, name, rest) = if let Some(rest) = kind("PRIMARY KEY ") {
        (KeyKind::Unique, "PRIMARY".to_owned(), rest)
    } else {
        let (kind, rest) = [
            ("UNIQUE KEY ", KeyKind::Unique),
            ("KEY ", KeyKind::Normal),
            ("SPATIAL KEY ", KeyKind::Special),
            ("FULLTEXT KEY ", KeyKind::FullText),
        ]
        .into_iter()
        .find_map(|(prefix, kind)| Some((kind, line.strip_prefix(prefix)?)))?;
        let (name, rest) = quoted(rest)?;
        (kind, name, rest.strip_prefix(' ')?)
    };
    let (columns, rest) = columns(rest)?;
    // What stands in a plain comment is not understood when it is given back.
    let bare = unquoted(rest);
    if columns.is_empty() && kind == KeyKind::Normal || bare.replace("/*!", "").contains("/*") {
        kind = if kind == KeyKind::Normal { KeyKind::Special } else { kind };
    }
    Some(Key { name, kind, columns, line: line.to_owned() })
}

fn foreign_key(name: String, rest: &str, line: &str) -> Option<ForeignKey> {
    let (columns, rest) = columns(rest)?;
    let rest = rest.strip_prefix(" REFERENCES ")?;
    let (first, rest) = quoted(rest)?;
    let (parent_schema, parent, rest) = match rest.strip_prefix('.') {
        Some(rest) => {
            let (parent, rest) = quoted(rest)?;
            (Some(first), parent, rest)
        }
        None => (None, first, rest),
    };
    let (parent_columns, _actions) = self::columns(rest.strip_prefix(' ')?)?;
    let line = line.to_owned();
    Some(ForeignKey { name, columns, parent_schema, parent, parent_columns, line })
}

/// ``(`a`,`b`(10) DESC)``: the columns, none if one is an expression, and what follows.
fn columns(text: &str) -> Option<(Vec<String>, &str)> {
    let mut rest = text.strip_prefix('(')?;
    let mut columns = Vec::new();
    if !rest.starts_with('`') {
        return Some((columns, after_parenthesis(rest)?));
    }
    loop {
        if !rest.starts_with('`') {
            return Some((Vec::new(), after_parenthesis(rest)?));
        }
        let (name, after) = quoted(rest)?;
        columns.push(name);
        rest = after;
        if let Some(length) = rest.strip_prefix('(') {
            rest = length.split_once(')')?.1;
        }
        rest = rest.strip_prefix(" DESC").or(rest.strip_prefix(" ASC")).unwrap_or(rest);
        if let Some(after) = rest.strip_prefix(')') {
            return Some((columns, after));
        }
        rest = rest.strip_prefix(',')?;
        // Those of foreign keys stand apart.
        rest = rest.strip_prefix(' ').unwrap_or(rest);
    }
}

/// What follows the parenthesis that closes an open one.
fn after_parenthesis(text: &str) -> Option<&str> {
    let mut depth = 1;
    let mut at = 0;
    while depth > 0 {
        let rest = &text[at..];
        match rest.bytes().next()? {
            b'\'' | b'`' => {
                at += quoted_length(rest)?;
                continue;
            }
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        at += 1;
        while !text.is_char_boundary(at) {
            at += 1;
        }
    }
    Some(&text[at..])
}

/// A name in backquotes at the start, and what follows it.
pub fn quoted(text: &str) -> Option<(String, &str)> {
    if !text.starts_with('`') {
        return None;
    }
    let length = quoted_length(text)?;
    Some((text[1..length - 1].replace("``", "`"), &text[length..]))
}

/// Bytes of the quoted text that begins here; a doubled quote is part of it.
pub(crate) fn quoted_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let quote = *bytes.first()?;
    let mut at = 1;
    loop {
        match *bytes.get(at)? {
            b'\\' if quote == b'\'' => at += 2,
            byte if byte == quote && bytes.get(at + 1) == Some(&quote) => at += 2,
            byte if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
}

/// The text without ` CHARACTER SET x` and ` COLLATE x`: servers tell the same column's now with the
/// one, now with both. For comparing, beside what the catalogue says of them.
pub fn without_charsets(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let plain = rest.find(['\'', '`']).unwrap_or(rest.len());
        out.push_str(&strip_charsets(&rest[..plain]));
        rest = &rest[plain..];
        let quoted = quoted_length(rest).unwrap_or(rest.len());
        out.push_str(&rest[..quoted]);
        rest = &rest[quoted..];
    }
    out
}

/// The text without MySQL's system tablespace, which it tells of a table only after a key was added: a
/// server with `innodb_file_per_table` off makes its tables there.
pub fn without_system_tablespace(text: &str) -> String {
    text.replacen("\n) /*!50100 TABLESPACE `innodb_system` */", "\n)", 1)
}

fn strip_charsets(plain: &str) -> String {
    let mut text = plain.to_owned();
    for option in [" CHARACTER SET ", " COLLATE "] {
        while let Some(at) = text.find(option) {
            let value = &text[at + option.len()..];
            let end = value.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let end = at + option.len() + end.unwrap_or(value.len());
            text.replace_range(at..end, "");
        }
    }
    text
}

/// The text without what is quoted in it.
pub fn unquoted(text: &str) -> String {
    let mut bare = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\'', '`']) {
        bare.push_str(&rest[..at]);
        let Some(length) = quoted_length(&rest[at..]) else { return bare };
        rest = &rest[at + length..];
    }
    bare.push_str(rest);
    bare
}
