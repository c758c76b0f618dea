//! The stock clients' own commands: `DELIMITER`, `USE`, `source`, `\!` and the like.
//!
//! This file knows their names and how their argument is read. It never runs one: what is harmless
//! is skipped, what reaches outside the database is reported to the caller, who refuses it.

use crate::rules::Rules;

/// A client command that stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Which one.
    pub kind: Kind,
    /// Its argument, unquoted; empty if there is none.
    pub argument: Vec<u8>,
}

impl Command {
    /// A `DELIMITER` whose argument can be one.
    pub(crate) fn is_obeyed(&self) -> bool {
        !self.argument.is_empty() && !self.argument.contains(&b'\\')
    }
}

/// What a client command does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `DELIMITER x` sets the end mark of statements. Given out only with an argument that cannot be
    /// one (none, or with a backslash): the clients print an error and go on.
    Delimiter,
    /// `USE db` selects a database.
    Use,
    /// `charset x` or `\C x`: `SET NAMES x`.
    Charset,
    /// `go`, `ego`, `\g`, `\G`: ends a statement, as the delimiter does.
    Go,
    /// `clear` or `\c`: forgets the statement so far.
    Clear,
    /// `quit`, `exit`, `\q`: the client reads no further.
    Quit,
    /// `\-`, which MariaDB's dumps begin with: forbids the commands that dbferry never runs.
    Sandbox,
    /// Prints something or changes how the client prints; nothing reaches the server.
    Cosmetic,
    /// `source`, `system`, `tee`, `pager`, `edit`, `connect`: reaches outside the database.
    Outside,
}

/// One row of the clients' command tables (`commands[]` in their `client/mysql.cc`).
struct Entry {
    word: &'static str,
    letter: u8,
    takes_argument: bool,
    kind: Kind,
}

const fn entry(word: &'static str, letter: u8, takes_argument: bool, kind: Kind) -> Entry {
    Entry { word, letter, takes_argument, kind }
}

const COMMANDS: [Entry; 25] = [
    entry("?", b'?', true, Kind::Cosmetic),
    entry("clear", b'c', false, Kind::Clear),
    entry("connect", b'r', true, Kind::Outside),
    entry("delimiter", b'd', true, Kind::Delimiter),
    entry("edit", b'e', false, Kind::Outside),
    entry("ego", b'G', false, Kind::Go),
    entry("exit", b'q', false, Kind::Quit),
    entry("go", b'g', false, Kind::Go),
    entry("help", b'h', true, Kind::Cosmetic),
    entry("nopager", b'n', false, Kind::Cosmetic),
    entry("notee", b't', false, Kind::Cosmetic),
    entry("pager", b'P', true, Kind::Outside),
    entry("print", b'p', false, Kind::Cosmetic),
    entry("prompt", b'R', true, Kind::Cosmetic),
    entry("quit", b'q', false, Kind::Quit),
    entry("rehash", b'#', false, Kind::Cosmetic),
    entry("sandbox", b'-', false, Kind::Sandbox),
    entry("source", b'.', true, Kind::Outside),
    entry("status", b's', false, Kind::Cosmetic),
    entry("system", b'!', true, Kind::Outside),
    entry("tee", b'T', true, Kind::Outside),
    entry("use", b'u', true, Kind::Use),
    entry("charset", b'C', true, Kind::Charset),
    entry("warnings", b'W', false, Kind::Cosmetic),
    entry("nowarning", b'w', false, Kind::Cosmetic),
];

/// The longest line that may be a client command; longer ones are statements. The clients read the
/// argument of `DELIMITER` from the first 255 bytes.
pub(crate) const LINE_MAX: usize = 64 * 1024;

/// The longest delimiter, in bytes (`delimiter[16]` in the clients).
pub(crate) const DELIMITER_MAX: usize = 15;

/// The command behind `\letter` outside strings: its kind and whether an argument follows.
pub(crate) fn by_letter(rules: Rules, letter: u8) -> Option<(Kind, bool)> {
    // The sandbox mark opens MariaDB's dumps; being able to load them anywhere is worth more than
    // the MySQL client's "Unknown command '\-'".
    if letter == b'-' {
        return Some((Kind::Sandbox, false));
    }
    if !rules.knows_commands() && letter != b'C' {
        return None;
    }
    COMMANDS.iter().find(|c| c.letter == letter).map(|c| (c.kind, c.takes_argument))
}

/// Whether `text` may start with a command's word: a cheap test before the whole line is looked at.
pub(crate) fn may_start(rules: Rules, text: &[u8]) -> bool {
    // Most lines of a dump start with another letter.
    let first = text.trim_ascii_start().first().map_or(0, u8::to_ascii_lowercase);
    b"?cdeghnpqrstuw".contains(&first) && lookup(rules, first_word(text)).is_some()
}

/// The command that `text` (a line, or a statement without its delimiter) is, if it is one.
pub(crate) fn parse(rules: Rules, text: &[u8]) -> Option<Command> {
    let text = text.trim_ascii_start();
    let word = first_word(text);
    let entry = lookup(rules, word)?;
    let rest = text[word.len()..].trim_ascii_start();
    if !rest.is_empty() && !entry.takes_argument {
        return None;
    }
    Some(Command { kind: entry.kind, argument: argument(rest) })
}

/// An argument as the clients read it: quoted by `'`, `"` or a backtick, or up to the next blank;
/// a backslash takes the next byte as it is.
pub(crate) fn argument(text: &[u8]) -> Vec<u8> {
    let (quote, text) = match text.first() {
        Some(&q @ (b'\'' | b'"' | b'`')) => (Some(q), &text[1..]),
        _ => (None, text),
    };
    let mut value = Vec::new();
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' => value.push(bytes.next().unwrap_or(b'\\')),
            b' ' | b'\t' | b'\r' | b'\n' if quote.is_none() => break,
            _ if Some(byte) == quote => break,
            _ => value.push(byte),
        }
    }
    value
}

fn first_word(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii_start();
    let end = text.iter().position(|b| matches!(b, b' ' | b'\t' | b'\r' | b'\n'));
    &text[..end.unwrap_or(text.len())]
}

fn lookup(rules: Rules, word: &[u8]) -> Option<&'static Entry> {
    if rules.knows_commands() {
        return COMMANDS.iter().find(|c| word.eq_ignore_ascii_case(c.word.as_bytes()));
    }
    // Where it is the only one, the clients look no further than its letters.
    COMMANDS.iter().find(|c| c.kind == Kind::Delimiter).filter(|_| starts_with_delimiter(word))
}

/// Whether `text` starts with the letters of DELIMITER (`is_delimiter_command()` in the clients).
pub(crate) fn starts_with_delimiter(text: &[u8]) -> bool {
    const WORD: &[u8] = b"delimiter";
    text.get(..WORD.len()).is_some_and(|start| start.eq_ignore_ascii_case(WORD))
}
