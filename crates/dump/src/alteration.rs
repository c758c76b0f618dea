//! ALTER TABLE statements that add keys, or change columns and leave the keys: a pure judgement over the
//! text.
//!
//! phpMyAdmin and its like make tables without keys, fill them, and alter each twice afterwards: keys
//! are added, then a column becomes AUTO_INCREMENT, for which a server copies the table with all of
//! them. Recognises these two and nothing else; what they come to is a server's to say.

use crate::rules::Rules;
use crate::statement::{Action, Class, Kind};
use crate::token::{Spanned, Target, Token, Tokens};

/// Longer statements are not looked at.
const TOKENS_MAX: usize = 10_000;

/// What a statement does to its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// `ADD PRIMARY KEY`, `ADD UNIQUE KEY`, `ADD KEY` and nothing else.
    AddsKeys,
    /// `MODIFY column` and `AUTO_INCREMENT = n`, nothing else.
    Modifies,
}

/// A statement that is one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alteration {
    /// What it does.
    pub change: Change,
    /// What follows the table's name, in UTF-8.
    pub clauses: String,
    /// The keys that it adds, each as it stands behind its ADD.
    pub keys: Vec<String>,
}

/// The statement as one of these, if it is one.
pub fn alteration(class: &Class, text: &[u8], rules: Rules, target: Target) -> Option<Alteration> {
    if class.kind != Kind::Table || class.action != Action::Alter || class.temporary {
        return None;
    }
    let tokens: Vec<Spanned<'_>> = Tokens::new(text, rules, target).take(TOKENS_MAX + 1).collect();
    let (name_end, rest) = after_name(text, &tokens)?;
    let found = clauses(rest).filter(|_| tokens.len() <= TOKENS_MAX)?;
    let change = change(&found)?;
    let clauses = String::from_utf8(text[name_end..].to_vec()).ok()?;
    let keys = match change {
        Change::AddsKeys => found.iter().filter_map(|clause| behind_first(text, clause)).collect(),
        Change::Modifies => Vec::new(),
    };
    Some(Alteration { change, clauses, keys })
}

/// What stands behind a clause's first word.
fn behind_first(text: &[u8], clause: &[Spanned<'_>]) -> Option<String> {
    let (second, last) = (clause.get(1)?, clause.last()?);
    String::from_utf8(text[second.span.start..last.span.end].to_vec()).ok()
}

/// Where the name in `ALTER TABLE name` ends, and the tokens behind it. Nothing if there are comments
/// before that end, which may be open there.
fn after_name<'t, 'a>(
    text: &[u8],
    tokens: &'t [Spanned<'a>],
) -> Option<(usize, &'t [Spanned<'a>])> {
    let (head, rest) = match tokens {
        [_, _, _, dot, _, rest @ ..] if dot.token == Token::Symbol(b'.') => (&tokens[..5], rest),
        [_, _, _, rest @ ..] => (&tokens[..3], rest),
        _ => return None,
    };
    let (first, last) = (head.first()?, head.last()?);
    let is_altering = first.token.is("ALTER") && head[1].token.is("TABLE");
    let gaps = head.windows(2).map(|two| &text[two[0].span.end..two[1].span.start]);
    let is_plain = gaps.into_iter().all(|gap| gap.iter().all(u8::is_ascii_whitespace));
    let is_named = last.token.name().is_some();
    let is_bare = !text[..first.span.start].windows(2).any(|two| two == b"/*");
    (is_altering && is_plain && is_named && is_bare).then_some((last.span.end, rest))
}

fn change(clauses: &[&[Spanned<'_>]]) -> Option<Change> {
    let is = |clause: &[Spanned<'_>], at: usize, words: &[&str]| {
        clause.get(at).is_some_and(|token| words.iter().any(|word| token.token.is(word)))
    };
    let adds_key = |clause: &&[Spanned<'_>]| {
        is(clause, 0, &["ADD"]) && is(clause, 1, &["PRIMARY", "UNIQUE", "KEY", "INDEX"])
    };
    let modifies = |clause: &&[Spanned<'_>]| is(clause, 0, &["MODIFY"]);
    let counts = |clause: &&[Spanned<'_>]| is(clause, 0, &["AUTO_INCREMENT"]);
    if clauses.iter().all(adds_key) {
        return Some(Change::AddsKeys);
    }
    let is_change = clauses.iter().all(|clause| modifies(clause) || counts(clause));
    (is_change && clauses.iter().any(modifies)).then_some(Change::Modifies)
}

/// What stands between the commas outside parentheses.
fn clauses<'t, 'a>(tokens: &'t [Spanned<'a>]) -> Option<Vec<&'t [Spanned<'a>]>> {
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    for (index, spanned) in tokens.iter().enumerate() {
        match spanned.token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth = depth.checked_sub(1)?,
            Token::Symbol(b',') if depth == 0 => {
                found.push(&tokens[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    found.push(&tokens[start..]);
    (depth == 0).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Client;
    use crate::statement::classify;

    fn check(text: &str, expected: Option<(Change, &str, &[&str])>) {
        let target = Target { server: Client::MariaDb, version: 101_119 };
        let rules = Rules::new(target.server);
        let class = classify(text.as_bytes(), rules, target);
        let found = alteration(&class, text.as_bytes(), rules, target);
        let expected = expected.map(|(change, rest, keys)| Alteration {
            change,
            clauses: rest.to_owned(),
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        });
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn keys_that_are_added_are_seen() {
        let cases: [(&str, &[&str]); 2] = [
            (
                "\n  ADD PRIMARY KEY (`id`),\n  ADD UNIQUE KEY `e` (`e`),\n  ADD KEY `c` (`c`,`d`(7))",
                &["PRIMARY KEY (`id`)", "UNIQUE KEY `e` (`e`)", "KEY `c` (`c`,`d`(7))"],
            ),
            (
                " add index (a), ADD KEY b USING BTREE (b) COMMENT 'x, DROP y'",
                &["index (a)", "KEY b USING BTREE (b) COMMENT 'x, DROP y'"],
            ),
        ];
        for (rest, keys) in cases {
            let expected = Some((Change::AddsKeys, rest, keys));
            check(&format!("ALTER TABLE `t`{rest}"), expected);
            check(&format!("alter\ntable d . `t,``(`{rest}"), expected);
        }
    }

    #[test]
    fn columns_that_are_modified_are_seen() {
        for rest in [
            "\n  MODIFY `id` int(11) NOT NULL AUTO_INCREMENT, AUTO_INCREMENT=60001",
            " MODIFY COLUMN a ENUM('x','y') DEFAULT 'x', MODIFY b DECIMAL(7,2)",
        ] {
            check(&format!("ALTER TABLE `t`{rest}"), Some((Change::Modifies, rest, &[])));
        }
    }

    #[test]
    fn everything_else_is_left_alone() {
        for text in [
            "ALTER TABLE t",
            "ALTER TABLE t ADD COLUMN a INT",
            "ALTER TABLE t ADD KEY (a), DROP b",
            "ALTER TABLE t ADD KEY (a), ALGORITHM=COPY",
            "ALTER TABLE t ADD KEY (a",
            "ALTER TABLE t ADD KEY (a), MODIFY b INT",
            "ALTER TABLE t ADD FULLTEXT KEY (a)",
            "ALTER TABLE t ADD CONSTRAINT c FOREIGN KEY (a) REFERENCES u (a)",
            "ALTER TABLE t AUTO_INCREMENT=7",
            "ALTER TABLE t MODIFY a INT, ",
            "ALTER IGNORE TABLE t ADD KEY (a)",
            "ALTER TABLE IF EXISTS t ADD KEY (a)",
            "/*!40000 ALTER TABLE t ADD KEY (a) */",
            "ALTER TABLE /* of */ t ADD KEY (a)",
            "ALTER VIEW t AS SELECT 1",
            "CREATE INDEX a ON t (a)",
        ] {
            check(text, None);
        }
    }
}
