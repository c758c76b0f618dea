//! The head of a module's text: what it says it creates.
//!
//! Promises: the text that comes back makes the object under the name that the catalog has. The server
//! keeps the old name in the text when an object is renamed or moved, and none for the schema where its
//! author gave none. Changes nothing else.

use super::token::{Token, tokens};
use crate::mssql::name::qualified;

/// What a module is to be called.
#[derive(Clone, Copy, Debug)]
pub struct Title<'a> {
    /// Its schema; `None` for triggers of the database.
    pub schema: Option<&'a str>,
    /// Its name.
    pub name: &'a str,
    /// The schema and name of a trigger's table or view.
    pub parent: Option<(&'a str, &'a str)>,
}

/// The text with that title; `None` if it does not begin like a module.
pub fn titled(text: &str, quoted_identifier: bool, title: Title<'_>) -> Option<String> {
    let tokens = tokens(text, quoted_identifier);
    let mut at = usize::from(tokens.first()?.is_word("CREATE") || tokens[0].is_word("ALTER"));
    if at == 0 {
        return None;
    }
    let mut edits: Vec<(usize, usize, String)> = Vec::new();
    if tokens[0].is_word("ALTER") {
        edits.push((tokens[0].start, tokens[0].end(), "CREATE".to_owned()));
    }
    if tokens.get(at)?.is_word("OR") && tokens.get(at + 1)?.is_word("ALTER") {
        at += 2;
    }
    let words = ["PROC", "PROCEDURE", "FUNCTION", "VIEW", "TRIGGER"];
    let what = tokens.get(at)?;
    if !words.iter().any(|word| what.is_word(word)) {
        return None;
    }
    let end = chain_end(&tokens, at + 1)?;
    let own = match title.schema {
        Some(schema) => qualified(schema, title.name),
        None => crate::mssql::name::quoted(title.name),
    };
    replace(&tokens[at + 1..end], &own, title.schema, title.name, &mut edits);
    if let Some((schema, name)) = title.parent {
        tokens.get(end).filter(|token| token.is_word("ON"))?;
        let parent_end = chain_end(&tokens, end + 1)?;
        let own = qualified(schema, name);
        replace(&tokens[end + 1..parent_end], &own, Some(schema), name, &mut edits);
    }
    Some(edited(text, &edits))
}

/// One past the last token of the name that begins at `at`.
fn chain_end(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    tokens.get(at).filter(|token| token.is_name())?;
    let mut end = at + 1;
    while tokens.get(end).is_some_and(|token| token.is_symbol(".")) {
        end += 1;
        if tokens.get(end).is_some_and(Token::is_name) {
            end += 1;
        }
    }
    Some(end)
}

/// Notes an edit unless the name is right as it stands.
fn replace(
    chain: &[Token<'_>],
    own: &str,
    schema: Option<&str>,
    name: &str,
    edits: &mut Vec<(usize, usize, String)>,
) {
    let is_right = match (chain, schema) {
        ([one], None) => one.name() == name,
        ([first, _, second], Some(schema)) => first.name() == schema && second.name() == name,
        _ => false,
    };
    if let ([first, ..], [.., last], false) = (chain, chain, is_right) {
        edits.push((first.start, last.end(), own.to_owned()));
    }
}

fn edited(text: &str, edits: &[(usize, usize, String)]) -> String {
    let mut result = String::with_capacity(text.len());
    let mut end = 0;
    for (start, stop, new) in edits {
        result.push_str(&text[end..*start]);
        result.push_str(new);
        end = *stop;
    }
    result.push_str(&text[end..]);
    result
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const VIEW: Title<'_> = Title { schema: Some("sales"), name: "new]v", parent: None };

    #[track_caller]
    fn check(title: Title<'_>, text: &str, expected: &str) {
        assert_eq!(titled(text, true, title).as_deref(), Some(expected));
    }

    #[test]
    fn a_stale_name_is_replaced() {
        check(
            VIEW,
            "/* v */ CREATE VIEW old AS SELECT 1",
            "/* v */ CREATE VIEW [sales].[new]]v] AS SELECT 1",
        );
        check(
            VIEW,
            "create or alter view dbo.\"old\"(a) as",
            "create or alter view [sales].[new]]v](a) as",
        );
        check(VIEW, "ALTER VIEW sales.[new]]v] AS", "CREATE VIEW sales.[new]]v] AS");
        check(VIEW, "CREATE VIEW sales.[new]]v]AS", "CREATE VIEW sales.[new]]v]AS");
    }

    #[test]
    fn a_trigger_keeps_its_table() {
        let title = Title { schema: Some("s"), name: "tr", parent: Some(("s", "t")) };
        check(
            title,
            "create trigger tr on old after insert as",
            "create trigger [s].[tr] on [s].[t] after insert as",
        );
        let title = Title { schema: None, name: "tr", parent: None };
        check(
            title,
            "create trigger old on database for drop_table as",
            "create trigger [tr] on database for drop_table as",
        );
    }

    #[test]
    fn what_is_no_module_is_refused() {
        for text in
            ["", "select 1", "create", "create table t(a int)", "create view", "create or alter"]
        {
            assert_eq!(titled(text, true, VIEW), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(create|view|on|\\PC|[.\\[\\]'\"/* ])*") {
            titled(&text, true, VIEW);
            titled(&text, false, Title { parent: Some(("a", "b")), ..VIEW });
        }
    }
}
