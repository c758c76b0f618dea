//! Database names inside the texts of views, routines, triggers and events, when a database is copied
//! under another name.
//!
//! Pure. Rewrites a name only where it stands before a dot and can mean nothing but the database;
//! anything else is told, never guessed.

use dump::rules::Rules;
use dump::token::{Target, Token, Tokens};

/// Which databases get which names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renaming {
    /// From, to.
    pub names: Vec<(String, String)>,
}

impl Renaming {
    /// What this database is called on the target, if it is copied.
    pub fn target_of(&self, source: &str) -> Option<&str> {
        let pair = self.names.iter().find(|(from, _)| from == source);
        pair.map(|(_, to)| to.as_str())
    }
}

/// A text with its databases renamed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renamed {
    /// The text.
    pub text: Vec<u8>,
    /// How many names were changed.
    pub changed: usize,
    /// Names in it that could mean a renamed database or something else: a table or an alias.
    pub doubtful: Vec<String>,
    /// It makes statements from strings, in which names are not seen.
    pub has_dynamic_sql: bool,
}

/// Renames in a statement's text.
pub fn rename(text: &[u8], renaming: &Renaming, rules: Rules, target: Target) -> Renamed {
    let tokens: Vec<_> = Tokens::new(text, rules, target).collect();
    let mut renamed = Renamed {
        text: Vec::with_capacity(text.len()),
        changed: 0,
        doubtful: Vec::new(),
        has_dynamic_sql: false,
    };
    let is_dot = |index: Option<usize>| {
        index.and_then(|i| tokens.get(i)).is_some_and(|t| t.token == Token::Symbol(b'.'))
    };
    let mut copied = 0;
    for (index, spanned) in tokens.iter().enumerate() {
        renamed.has_dynamic_sql |= spanned.token.is("PREPARE");
        let Some(name) = spanned.token.name() else { continue };
        let Ok(name) = String::from_utf8(name) else { continue };
        let Some(to) = renaming.target_of(&name).filter(|to| *to != name) else { continue };
        let (after, before) = (is_dot(Some(index + 1)), is_dot(index.checked_sub(1)));
        if !after || before {
            // A table, a column or an alias of the same name makes what stands before a dot doubtful.
            if !before && !is_database_named(&tokens, index) {
                renamed.doubtful.push(name);
            }
            continue;
        }
        renamed.text.extend_from_slice(&text[copied..spanned.span.start]);
        renamed.text.extend_from_slice(format!("`{}`", to.replace('`', "``")).as_bytes());
        copied = spanned.span.end;
        renamed.changed += 1;
    }
    renamed.text.extend_from_slice(&text[copied..]);
    renamed
}

/// `USE name`: not allowed in programs, but no doubt about what it means.
fn is_database_named(tokens: &[dump::token::Spanned<'_>], index: usize) -> bool {
    index.checked_sub(1).is_some_and(|before| tokens[before].token.is("USE"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dump::rules::Client;

    fn renamed(text: &str) -> Renamed {
        let renaming = Renaming { names: vec![("shop".into(), "new`shop".into())] };
        let target = Target { server: Client::MariaDb, version: 101_119 };
        rename(text.as_bytes(), &renaming, Rules::new(Client::MariaDb), target)
    }

    #[test]
    fn names_before_dots_are_databases() {
        let out = renamed("select `shop`.`t`.`a`, 'shop.t', x.shop from shop.t /* shop.t */");
        let text = String::from_utf8(out.text).unwrap();
        let expected =
            "select `new``shop`.`t`.`a`, 'shop.t', x.shop from `new``shop`.t /* shop.t */";
        assert_eq!(text, expected);
        assert_eq!((out.changed, out.doubtful.len()), (2, 0));
    }

    #[test]
    fn an_alias_of_the_same_name_is_told() {
        let out = renamed("select shop.a from t as shop");
        assert_eq!(out.doubtful, ["shop"]);
    }

    #[test]
    fn statements_in_strings_are_told() {
        assert!(renamed("begin prepare s from @x; end").has_dynamic_sql);
    }
}
