//! Whether a table may be made while foreign keys that refer to it still wait.
//!
//! A server looks at such keys when it makes the table, and refuses one that does not suit them. The
//! answer is yes only where that is certain not to happen, now or when the keys are given back:
//! they refer to the whole primary key, and their columns have the very same types. A pure function
//! of texts; anything unusual is a no.

use super::definition::{self, Definition, ForeignKey};

/// Integer types: both servers compare their size and sign, not their width.
const INTEGERS: [&str; 5] = ["tinyint", "smallint", "mediumint", "int", "bigint"];
/// Types that need the same text, and strings of them the same collation.
const SIZED: [&str; 4] = ["char", "varchar", "binary", "varbinary"];

/// Whether the foreign keys of `child`, a `SHOW CREATE TABLE`, that refer to the table made by
/// `text` are certain to suit it.
pub fn keeps(child: &str, text: &str) -> bool {
    // Whether a backslash escapes depends on the session.
    let unusual = |bare: &str| ["/*", "--", "#", "\""].iter().any(|mark| bare.contains(mark));
    if text.contains('\\') || unusual(&definition::unquoted(text)) {
        return false;
    }
    let (Some(child), Some(parent)) = (definition::parse(child), definition::parse(text)) else {
        return false;
    };
    let options = definition::unquoted(&parent.tail).to_ascii_uppercase();
    let is_plain = parent.plain_innodb && !options.contains("PARTITION");
    let mut keys = child.foreign_keys.iter().filter(|key| key.parent == parent.name);
    is_plain && keys.all(|key| suits(&child, key, &parent))
}

fn suits(child: &Definition, key: &ForeignKey, parent: &Definition) -> bool {
    let primary = parent.keys.iter().find(|key| key.name == "PRIMARY");
    // Part of a column, or a column in descending order, would show in the line.
    let names = key.parent_columns.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let whole = format!("PRIMARY KEY ({})", names.join(","));
    key.parent_schema.is_none()
        && primary.is_some_and(|primary| primary.line == whole)
        && key.columns.len() == key.parent_columns.len()
        && key.columns.iter().zip(&key.parent_columns).all(|(from, to)| {
            let (Some(from), Some(to)) = (column(child, from), column(parent, to)) else {
                return false;
            };
            same_type(from, to) && (!is_text(from) || same_collation(child, parent, from, to))
        })
}

fn column<'a>(table: &'a Definition, name: &str) -> Option<&'a str> {
    let mut named = table.columns.iter().filter(|(column, _)| column == name);
    named.next().map(|(_, rest)| rest.as_str()).filter(|rest| !rest.contains("GENERATED"))
}

/// A column's type with its attributes of size and sign, if it is one whose rules are known here.
fn same_type(from: &str, to: &str) -> bool {
    let known = |rest: &str| -> Option<String> {
        let rest = rest.strip_prefix(' ')?.to_ascii_lowercase();
        let end = rest.find(' ').unwrap_or(rest.len());
        let (whole, after) = rest.split_at(end);
        let name = whole.split('(').next()?;
        if after.contains(" zerofill") {
            return None;
        }
        if INTEGERS.contains(&name) {
            return Some(format!("{name} {}", after.starts_with(" unsigned")));
        }
        (whole == "date" || (SIZED.contains(&name) && whole.ends_with(')')))
            .then(|| whole.to_owned())
    };
    known(from).is_some_and(|from| known(to) == Some(from))
}

fn is_text(column: &str) -> bool {
    column.to_ascii_lowercase().starts_with(" char")
        || column.to_ascii_lowercase().starts_with(" varchar")
}

/// Both columns have their table's collation, and both tables name the same.
fn same_collation(child: &Definition, parent: &Definition, from: &str, to: &str) -> bool {
    let own = |rest: &str| {
        let rest = definition::unquoted(rest).to_ascii_uppercase();
        ["CHARACTER SET", "CHARSET", "COLLATE", "ASCII", "UNICODE", " BINARY"]
            .iter()
            .any(|word| rest.contains(word))
    };
    let named = |table: &Definition| -> Option<(String, String)> {
        let options = definition::unquoted(&table.tail);
        let value = |option: &str| {
            let mut values =
                options.split_whitespace().filter_map(|word| word.strip_prefix(option));
            values.next().map(str::to_owned)
        };
        Some((value("CHARSET=")?, value("COLLATE=")?))
    };
    !own(from) && !own(to) && named(child).is_some_and(|child| named(parent) == Some(child))
}
