//! Words, names and literals of one statement's text, as the target server would see them.
//!
//! Executable comments (`/*!40101 … */`, `/*M!100100 … */`) are entered or skipped by the target's
//! version rules; all other comments are skipped. This is enough to recognise a statement and the
//! names in it; it is no parser.

use std::ops::Range;

use crate::rules::{Client, Rules};

/// The server whose version decides about executable comments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// MariaDB or MySQL.
    pub server: Client,
    /// As in executable comments: 101119 for 10.11.19, 90704 for 9.7.4.
    pub version: u32,
}

impl Target {
    /// Whether the text of `/*!version … */` is executed; 0 stands for no version.
    /// MariaDB passes over 50700 to 99999, which mean features of MySQL that it does not share
    /// (MariaDB documentation, "Comment Syntax").
    pub fn executes(&self, version: u32) -> bool {
        let foreign = self.server == Client::MariaDb && matches!(version, 50_700..=99_999);
        version <= self.version && !foreign
    }
}

/// What a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token<'a> {
    /// A word that is not quoted: a keyword, a name, a number.
    Word(&'a [u8]),
    /// A quoted name, without its quotes.
    Name(Vec<u8>),
    /// A string with its quotes.
    String(&'a [u8]),
    /// `@name`
    UserVariable(Vec<u8>),
    /// `@@name` or `@@scope.name`, in lower case.
    SystemVariable(Vec<u8>),
    /// Any other byte.
    Symbol(u8),
}

impl Token<'_> {
    /// Whether it is this keyword (given in upper case).
    pub fn is(&self, keyword: &str) -> bool {
        matches!(self, Token::Word(word) if word.eq_ignore_ascii_case(keyword.as_bytes()))
    }

    /// As a name: a word or a quoted name.
    pub fn name(&self) -> Option<Vec<u8>> {
        match self {
            Token::Word(word) => Some(word.to_vec()),
            Token::Name(name) => Some(name.clone()),
            _ => None,
        }
    }
}

/// A token and where it stands in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spanned<'a> {
    /// The token.
    pub token: Token<'a>,
    /// Its bytes, quotes included.
    pub span: Range<usize>,
}

/// Iterates over the tokens of a statement's text.
#[derive(Clone)]
pub struct Tokens<'a> {
    text: &'a [u8],
    pos: usize,
    rules: Rules,
    target: Target,
    executable: bool,
}

impl<'a> Tokens<'a> {
    /// `text` is a statement as the client sends it.
    pub fn new(text: &'a [u8], rules: Rules, target: Target) -> Tokens<'a> {
        Tokens { text, pos: 0, rules, target, executable: false }
    }

    fn skip_blanks_and_comments(&mut self) {
        loop {
            let rest = &self.text[self.pos..];
            match rest {
                [b, ..] if b.is_ascii_whitespace() || *b == 0x0B => self.pos += 1,
                [b'#', ..] => self.pos += line_length(rest),
                [b'-', b'-'] => self.pos += 2,
                [b'-', b'-', b, ..] if b.is_ascii_whitespace() => self.pos += line_length(rest),
                [b'*', b'/', ..] if self.executable => {
                    self.executable = false;
                    self.pos += 2;
                }
                [b'/', b'*', ..] => self.comment(),
                _ => return,
            }
        }
    }

    fn comment(&mut self) {
        let rest = &self.text[self.pos..];
        let marked = match rest {
            [b'/', b'*', b'!', ..] => Some(3),
            [b'/', b'*', b'M', b'!', ..] if self.target.server == Client::MariaDb => Some(4),
            _ => None,
        };
        if let Some(mark) = marked {
            let digits = rest[mark..].iter().take(6).take_while(|b| b.is_ascii_digit()).count();
            let digits = if digits < 5 { 0 } else { digits };
            let number = &rest[mark..mark + digits];
            let version = number.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'));
            if self.target.executes(version) {
                self.executable = true;
                self.pos += mark + digits;
                return;
            }
        }
        self.pos += comment_length(rest);
    }

    fn quoted(&mut self, quote: u8, escapes: bool) -> (Range<usize>, Vec<u8>) {
        let start = self.pos;
        let mut value = Vec::new();
        let mut pos = start + 1;
        while let Some(&byte) = self.text.get(pos) {
            if byte == quote {
                pos += 1;
                if self.text.get(pos) != Some(&quote) {
                    break;
                }
            } else if byte == b'\\' && escapes && pos + 1 < self.text.len() {
                value.push(byte);
                pos += 1;
            }
            let length = self.rules.multibyte.char_len(&self.text[pos..]);
            value.extend_from_slice(&self.text[pos..pos + length]);
            pos += length;
        }
        self.pos = pos;
        (start..pos, value)
    }

    fn variable(&mut self) -> Token<'a> {
        let system = self.text[self.pos..].starts_with(b"@@");
        self.pos += if system { 2 } else { 1 };
        let mut name = Vec::new();
        loop {
            match self.text.get(self.pos) {
                Some(&quote @ (b'`' | b'\'' | b'"')) => name.extend(self.quoted(quote, false).1),
                _ => {
                    let rest = &self.text[self.pos..];
                    let length = rest.iter().take_while(|b| is_word(**b) || **b == b'.').count();
                    name.extend_from_slice(&rest[..length]);
                    self.pos += length;
                }
            }
            if !(name.ends_with(b".") && self.text.get(self.pos) == Some(&b'`')) {
                break;
            }
        }
        match system {
            true => Token::SystemVariable(name.to_ascii_lowercase()),
            false => Token::UserVariable(name.to_ascii_lowercase()),
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Spanned<'a>;

    fn next(&mut self) -> Option<Spanned<'a>> {
        self.skip_blanks_and_comments();
        let start = self.pos;
        let byte = *self.text.get(start)?;
        let token = match byte {
            b'\'' => Token::String(&self.text[self.quoted(byte, self.escapes()).0]),
            b'"' if !self.rules.ansi_quotes => {
                Token::String(&self.text[self.quoted(byte, self.escapes()).0])
            }
            b'`' | b'"' => Token::Name(self.quoted(byte, false).1),
            b'@' => self.variable(),
            _ if is_word(byte) => {
                let rest = &self.text[start..];
                let length = rest.iter().take_while(|b| is_word(**b)).count();
                self.pos += length;
                Token::Word(&rest[..length])
            }
            _ => {
                self.pos += 1;
                Token::Symbol(byte)
            }
        };
        Some(Spanned { token, span: start..self.pos })
    }
}

impl Tokens<'_> {
    fn escapes(&self) -> bool {
        !self.rules.no_backslash_escapes
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

fn line_length(text: &[u8]) -> usize {
    memchr::memchr(b'\n', text).unwrap_or(text.len())
}

fn comment_length(text: &[u8]) -> usize {
    let end = memchr::memmem::find(text.get(2..).unwrap_or_default(), b"*/");
    end.map_or(text.len(), |end| end + 4)
}
