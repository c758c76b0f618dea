//! How statements are put to one database: in its engine's words, and with the names that its tables
//! have there.
//!
//! Promises: the statements of this crate, which name tables plainly, name those with the prefix; nothing
//! else of them changes. A prefix is plain enough to need no quotes.

use std::borrow::Cow;
use std::sync::Arc;

use crate::database::Dialect;
use crate::{Error, Result};

/// The option of a store's URL that has the prefix.
const OPTION: &str = "table_prefix=";
/// Characters of a prefix: names of tables and indexes have to fit into 63 with it.
const PREFIX_CHARS_MAX: usize = 32;
/// Every table that the crate names.
const TABLES: [&str; 12] = [
    "access_key",
    "account",
    "audit",
    "counter",
    "instance",
    "job",
    "job_event",
    "nonce",
    "request",
    "schema_version",
    "seal_check",
    "upload",
];

/// An engine and a prefix. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Phrasing {
    /// The engine.
    pub(crate) dialect: Dialect,
    prefix: Arc<str>,
}

impl Phrasing {
    /// For a URL; gives it without what is not for its driver.
    pub(crate) fn of(url: &str) -> Result<(Self, String)> {
        let dialect = Dialect::of(url)?;
        let (place, query) = url.split_once('?').unwrap_or((url, ""));
        let mut prefix = "";
        let mut others = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.strip_prefix(OPTION) {
                Some(given) => prefix = given,
                None => others.push(option),
            }
        }
        if !is_plain(prefix) {
            return Err(Error::Invalid {
                what: "the table prefix in the store's URL",
                why: "is not a small letter and up to 31 small letters, digits and underscores",
            });
        }
        let url = match others.is_empty() {
            true => place.to_owned(),
            false => format!("{place}?{}", others.join("&")),
        };
        Ok((Self { dialect, prefix: prefix.into() }, url))
    }

    /// A statement as the database takes it.
    pub(crate) fn translate(&self, text: &str) -> String {
        self.dialect.translate(&self.names(text))
    }

    /// A statement with the names that tables and indexes have.
    pub(crate) fn names<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match self.prefix.is_empty() {
            true => Cow::Borrowed(text),
            false => Cow::Owned(prefixed(text, &self.prefix)),
        }
    }
}

fn is_plain(prefix: &str) -> bool {
    let is_inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    prefix.is_empty()
        || prefix.len() <= PREFIX_CHARS_MAX
            && prefix.starts_with(|c: char| c.is_ascii_lowercase())
            && prefix.chars().all(is_inner)
}

/// A table is named after one of these words, or before the point of a column; columns may have the
/// same names elsewhere.
fn prefixed(text: &str, prefix: &str) -> String {
    const BEFORE: [&str; 8] =
        ["FROM", "INTO", "UPDATE", "JOIN", "TABLE", "EXISTS", "REFERENCES", "ON"];
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut done = String::with_capacity(text.len() + 4 * prefix.len());
    let (mut rest, mut last) = (text, "");
    while !rest.is_empty() {
        let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        if !word.is_empty() {
            let is_table =
                TABLES.contains(&word) && (BEFORE.contains(&last) || after.starts_with('.'));
            if is_table || last == "INDEX" {
                done.push_str(prefix);
            }
            done.push_str(word);
            last = word;
        }
        let gap = after.find(is_word).unwrap_or(after.len());
        done.push_str(&after[..gap]);
        rest = &after[gap..];
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let (phrasing, url) = Phrasing::of("sqlite:/a.db?table_prefix=p_&mode=ro").unwrap();
        assert_eq!(url, "sqlite:/a.db?mode=ro");
        assert_eq!(phrasing.names(text), expected);
    }

    #[test]
    fn tables_and_indexes_get_the_prefix_and_columns_do_not() {
        check(
            "SELECT job, account FROM job WHERE job.id = ?",
            "SELECT job, account FROM p_job WHERE p_job.id = ?",
        );
        check("INSERT INTO counter VALUES ('job', 0)", "INSERT INTO p_counter VALUES ('job', 0)");
        check("CREATE INDEX job_state ON job (state)", "CREATE INDEX p_job_state ON p_job (state)");
        check("REFERENCES account (id)", "REFERENCES p_account (id)");
        check(
            "CREATE TABLE IF NOT EXISTS schema_version (id",
            "CREATE TABLE IF NOT EXISTS p_schema_version (id",
        );
        check("SELECT 1 FROM job busy FOR UPDATE", "SELECT 1 FROM p_job busy FOR UPDATE");
    }

    #[test]
    fn prefixes_are_plain() {
        let long = format!("sqlite:a?table_prefix={}", "p".repeat(33));
        for url in [
            "sqlite:a?table_prefix=P",
            "sqlite:a?table_prefix=_p",
            "sqlite:a?table_prefix=p`",
            &long,
        ] {
            assert!(matches!(Phrasing::of(url), Err(Error::Invalid { .. })), "{url}");
        }
        assert_eq!(Phrasing::of("mysql://h/d").unwrap().1, "mysql://h/d");
    }
}
