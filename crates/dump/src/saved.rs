//! What user variables keep of the reading rules: `SET @old = @@sql_mode` and later
//! `SET sql_mode = @old`, as every dump does for each table.
//!
//! Promises: what it knows is what the server has; a variable that may have got its value in any
//! other way is forgotten. It knows nothing of values, only of the rules that they stood for.

use std::collections::HashMap;

use crate::rules::Rules;
use crate::statement::{Class, Kind, Origin, Scope};

/// Variables that are kept; more are forgotten, which costs a question to the server each.
const VARIABLES_MAX: usize = 1_000;

/// Rules by the user variable that holds them, and by what it holds.
#[derive(Clone, Debug, Default)]
pub struct SavedRules {
    variables: HashMap<Vec<u8>, (What, Rules)>,
}

/// What a variable was read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    SqlMode,
    CharacterSet,
}

fn what(name: &[u8]) -> Option<What> {
    match name {
        b"sql_mode" => Some(What::SqlMode),
        b"character_set_client" => Some(What::CharacterSet),
        _ => None,
    }
}

impl SavedRules {
    /// The rules after a statement that was read by `rules`; nothing if only the server can tell.
    pub fn after(&mut self, class: &Class, text: &[u8], rules: Rules) -> Option<Rules> {
        if class.kind != Kind::Set {
            let is_quiet = !matches!(class.kind, Kind::Query | Kind::Execute | Kind::Other);
            if !is_quiet || text.windows(2).any(|two| two == b":=") {
                self.variables.clear();
            }
            return class.rules_after(rules);
        }
        let mut now = Some(rules);
        for assignment in &class.assignments {
            let from = assignment.origin.as_ref();
            match assignment.scope {
                Scope::User => {
                    let of = match from {
                        Some(Origin::Session(name)) => what(name).zip(now),
                        _ => None,
                    };
                    match of.filter(|_| self.variables.len() < VARIABLES_MAX) {
                        Some(of) => self.variables.insert(assignment.name.clone(), of),
                        None => self.variables.remove(&assignment.name),
                    };
                }
                Scope::Session => {
                    let of = match from {
                        Some(Origin::User(name)) => self.variables.get(name),
                        _ => None,
                    };
                    now = match (what(&assignment.name), of, now) {
                        (Some(What::SqlMode), Some((What::SqlMode, saved)), Some(now)) => {
                            Some(Rules {
                                no_backslash_escapes: saved.no_backslash_escapes,
                                ansi_quotes: saved.ansi_quotes,
                                ..now
                            })
                        }
                        (
                            Some(What::CharacterSet),
                            Some((What::CharacterSet, saved)),
                            Some(now),
                        ) => Some(Rules { multibyte: saved.multibyte, ..now }),
                        (_, _, now) => now.and_then(|now| assignment.rules_after(now)),
                    };
                }
                Scope::Global => {}
            }
        }
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{Client, Multibyte};
    use crate::statement::classify;
    use crate::token::Target;

    /// The rules after all statements; `None` from the first that only the server can tell.
    fn check(statements: &[&str], expected: Option<(bool, Multibyte)>) {
        let target = Target { server: Client::MySql, version: 90_704 };
        let mut rules = Rules::new(target.server);
        let mut saved = SavedRules::default();
        for text in statements {
            let class = classify(text.as_bytes(), rules, target);
            match saved.after(&class, text.as_bytes(), rules) {
                Some(after) => rules = after,
                None => return assert_eq!(expected, None, "{statements:?}"),
            }
        }
        assert_eq!(Some((rules.ansi_quotes, rules.multibyte)), expected, "{statements:?}");
    }

    #[test]
    fn what_was_saved_comes_back() {
        let none = Multibyte::None;
        check(
            &["SET @m = @@sql_mode, sql_mode = 'ANSI'", "SET sql_mode = @m"],
            Some((false, none)),
        );
        check(
            &[
                "SET sql_mode='ANSI'",
                "SET @M=@@SESSION.sql_mode",
                "SET sql_mode=''",
                "SET sql_mode=@m",
            ],
            Some((true, none)),
        );
        check(
            &[
                "SET @c = @@character_set_client",
                "SET character_set_client = gbk",
                "SET character_set_client = @c",
            ],
            Some((false, none)),
        );
    }

    #[test]
    fn what_is_not_certain_is_asked_for() {
        check(&["SET sql_mode = @m"], None);
        check(&["SET @m = @@sql_mode", "SET @m = 'ANSI'", "SET sql_mode = @m"], None);
        check(&["SET @m = @@sql_mode", "SELECT 'ANSI' INTO @m", "SET sql_mode = @m"], None);
        check(&["SET @m = @@global.sql_mode", "SET sql_mode = @m"], None);
        check(&["SET @m = CONCAT(@@sql_mode, 'x')", "SET sql_mode = @m"], None);
        check(&["SET @c = @@character_set_client", "SET sql_mode = @c"], None);
    }
}
