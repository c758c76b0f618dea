//! T-SQL cut into tokens, as far as names are concerned.
//!
//! Promises: any text gives tokens that lie one after another within it; what never ends reaches to the
//! end of the text. Strings, names in both kinds of quotes and nested comments are told apart as the
//! server does. Knows no grammar, and `GO` is a word like any other.

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A keyword or a plain name.
    Word,
    /// A name between brackets, or between `"` where these are for names.
    Name,
    /// A string, Unicode or not.
    Text,
    /// `@name`, `@@name`.
    Variable,
    /// A number, binary ones too.
    Number,
    /// Any other character.
    Symbol,
}

/// A token of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its characters, with quotes.
    pub text: &'a str,
    /// Its first byte in the text.
    pub start: usize,
}

/// The tokens of a text, without white space and comments. With `quoted_identifier` what stands between
/// `"` is a name, else a string.
pub fn tokens(text: &str, quoted_identifier: bool) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (length, kind) = match first {
            _ if first.is_whitespace() => (first.len_utf8(), None),
            '-' if rest.starts_with("--") => (rest.find('\n').unwrap_or(rest.len()), None),
            '/' if rest.starts_with("/*") => (comment(rest), None),
            '\'' => (quoted(rest, '\''), Some(TokenKind::Text)),
            'N' | 'n' if rest[1..].starts_with('\'') => {
                (1 + quoted(&rest[1..], '\''), Some(TokenKind::Text))
            }
            '"' if quoted_identifier => (quoted(rest, '"'), Some(TokenKind::Name)),
            '"' => (quoted(rest, '"'), Some(TokenKind::Text)),
            '[' => (quoted(rest, ']'), Some(TokenKind::Name)),
            '@' => (word(rest), Some(TokenKind::Variable)),
            '0'..='9' => (number(rest), Some(TokenKind::Number)),
            _ if begins_word(first) => (word(rest), Some(TokenKind::Word)),
            _ => (first.len_utf8(), Some(TokenKind::Symbol)),
        };
        if let Some(kind) = kind {
            tokens.push(Token { kind, text: &rest[..length], start: at });
        }
        at += length;
    }
    tokens
}

impl Token<'_> {
    /// One past its last byte.
    pub fn end(&self) -> usize {
        self.start + self.text.len()
    }

    /// It may be a part of a name.
    pub fn is_name(&self) -> bool {
        matches!(self.kind, TokenKind::Word | TokenKind::Name)
    }

    /// It is this keyword.
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// It is this character.
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }

    /// The name, without its quotes.
    pub fn name(&self) -> String {
        match (self.kind, self.text.chars().next()) {
            (TokenKind::Name, Some('[')) => unquoted(self.text, ']'),
            (TokenKind::Name, Some(_)) => unquoted(self.text, '"'),
            _ => self.text.to_owned(),
        }
    }
}

fn unquoted(text: &str, end: char) -> String {
    let inside = text.get(1..).unwrap_or_default();
    let inside = inside.strip_suffix(end).unwrap_or(inside);
    let doubled: String = [end, end].iter().collect();
    inside.replace(&doubled, end.encode_utf8(&mut [0; 4]))
}

fn begins_word(first: char) -> bool {
    first.is_alphabetic() || first == '_' || first == '#'
}

fn word(rest: &str) -> usize {
    let is_in = |c: char| c.is_alphanumeric() || matches!(c, '_' | '@' | '$' | '#');
    rest.find(|c| !is_in(c)).unwrap_or(rest.len())
}

/// A number never takes a point: that of `1.5` parts two tokens, which no name is made of.
fn number(rest: &str) -> usize {
    rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len())
}

/// The length of what stands between quotes, of which the first is there; a doubled end goes on.
fn quoted(rest: &str, end: char) -> usize {
    let mut chars = rest.char_indices().skip(1).peekable();
    while let Some((at, found)) = chars.next() {
        if found == end && chars.next_if(|(_, next)| *next == end).is_none() {
            return at + end.len_utf8();
        }
    }
    rest.len()
}

/// The length of a comment, with those inside it.
fn comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found: Vec<&str> = tokens(text, true).iter().map(|token| token.text).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn strings_names_and_comments_are_told_apart() {
        check("select 'it''s' -- 'no\n, N'x'", &["select", "'it''s'", ",", "N'x'"]);
        check("[a]]b].\"c\"\"d\"", &["[a]]b]", ".", "\"c\"\"d\""]);
        check("a/* /* b */ 'c */ d", &["a", "d"]);
        check("a/* /* b */ never", &["a"]);
        check(
            "0xFF+1.5e3 @a @@b #t ##u a$b",
            &["0xFF", "+", "1", ".", "5e3", "@a", "@@b", "#t", "##u", "a$b"],
        );
        check("größe.表", &["größe", ".", "表"]);
        check("'open", &["'open"]);
        check("[open", &["[open"]);
        check("--", &[]);
    }

    #[test]
    fn quotes_are_taken_off() {
        let names: Vec<String> =
            tokens("[a]]b] \"c\"\"d\" e [", true).iter().map(Token::name).collect();
        assert_eq!(names, ["a]b", "c\"d", "e", ""]);
        assert_eq!(tokens("\"a\"", false)[0].kind, TokenKind::Text);
    }

    proptest! {
        #[test]
        fn tokens_of_any_text_lie_in_order(text in "\\PC*|[\\[\\]'\"/*.\\-nN a@#0é\n]*") {
            for quoted_identifier in [false, true] {
                let mut end = 0;
                for token in tokens(&text, quoted_identifier) {
                    prop_assert!(token.start >= end && !token.text.is_empty());
                    prop_assert_eq!(&text[token.start..token.end()], token.text);
                    token.name();
                    end = token.end();
                }
            }
        }
    }
}
