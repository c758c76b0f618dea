//! A table cut along a key: the key, the question for the next bound, and the conditions between bounds.
//!
//! Promises: the chunks between bounds that the source gave in the key's own order hold every row exactly
//! once, whatever the key's types, directions, gaps and collations: both neighbours of a bound use the same
//! typed literal, and no column of a key may be NULL. Finds no bounds itself.

use crate::mssql::catalog::column::Column;
use crate::mssql::catalog::index::{Form, Index, Role};
use crate::mssql::catalog::schema::{Kind, Table};
use crate::mssql::name::{listed, literal, quoted};

/// The most columns of a key by which a table is cut: conditions grow with their square.
pub const KEY_COLUMNS_MAX: usize = 16;

/// A key by which a table can be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkKey {
    /// The index's name.
    pub index: String,
    /// No two rows have the same key.
    pub is_unique: bool,
    /// The rows lie in its order: a load in this order needs no sort.
    pub is_clustered: bool,
    parts: Vec<Part>,
}

/// A value of a key: one text for each column, as [`ChunkKey::next_bound`] asks for them.
pub type Bound = Vec<String>;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    name: String,
    kind: Kind,
    collation: Option<String>,
    is_descending: bool,
}

/// The key by which a table is best cut: the clustered one, else the primary, else any that is unique;
/// `None` if it has none without NULLs and of types whose values have an exact text.
pub fn key(table: &Table) -> Option<ChunkKey> {
    let mut usable: Vec<(&Index, ChunkKey)> =
        table.indexes.iter().filter_map(|index| Some((index, of_index(table, index)?))).collect();
    usable.sort_by_key(|(index, key)| {
        (!index.is_clustered(), index.role != Role::Primary, key.parts.len())
    });
    usable.into_iter().next().map(|(_, key)| key)
}

fn of_index(table: &Table, index: &Index) -> Option<ChunkKey> {
    let is_ordered = matches!(index.form, Form::Clustered | Form::Nonclustered);
    let is_whole = index.filter.is_none() && !index.is_disabled;
    let is_useful = index.is_unique || index.form == Form::Clustered;
    if !is_ordered || !is_whole || !is_useful || index.key.len() > KEY_COLUMNS_MAX {
        return None;
    }
    let parts = index.key.iter().map(|key| {
        let column = table.columns.iter().find(|column| column.name == key.name)?;
        is_exact(column).then(|| Part {
            name: column.name.clone(),
            kind: column.kind.clone(),
            collation: column.collation.clone(),
            is_descending: key.is_descending,
        })
    });
    let parts = parts.collect::<Option<Vec<Part>>>().filter(|parts| !parts.is_empty())?;
    let is_clustered = index.form == Form::Clustered;
    Some(ChunkKey { index: index.name.clone(), is_unique: index.is_unique, is_clustered, parts })
}

/// Its values are never NULL and have a text that gives the same value again. Floats have none on all
/// servers, and a variant's order is that of its types.
fn is_exact(column: &Column) -> bool {
    let base = column.kind.base.as_str();
    let is_exact = matches!(
        base,
        "bit"
            | "tinyint"
            | "smallint"
            | "int"
            | "bigint"
            | "decimal"
            | "numeric"
            | "money"
            | "smallmoney"
            | "date"
            | "time"
            | "datetime"
            | "smalldatetime"
            | "datetime2"
            | "datetimeoffset"
            | "char"
            | "varchar"
            | "nchar"
            | "nvarchar"
            | "binary"
            | "varbinary"
            | "uniqueidentifier"
    );
    is_exact && !column.is_nullable && column.kind.max_length != -1
}

impl ChunkKey {
    /// How many columns it has, and so texts in a bound.
    pub fn width(&self) -> usize {
        self.parts.len()
    }

    /// Its columns.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(|part| part.name.as_str())
    }

    /// The expressions that tell a key as texts, one for each column.
    pub fn texts(&self) -> String {
        self.parts.iter().map(Part::asked).collect::<Vec<String>>().join(", ")
    }

    /// The question for the key of the `step`th row after `lower`, or of the table: one row with a text for
    /// each column, or none if there are fewer rows. `from` is the table, quoted, with hints; `step` is at
    /// least 1. Texts are made of that row only: to make one of each row that is passed takes servers longer than
    /// to pass it.
    pub fn next_bound(&self, from: &str, lower: Option<&Bound>, step: u64) -> String {
        let filter = match lower {
            Some(lower) => format!(" WHERE {}", self.above(lower)),
            None => String::new(),
        };
        format!(
            "SELECT {} FROM (SELECT {} FROM {from}{filter} ORDER BY {} OFFSET {} ROWS FETCH NEXT 1 ROWS \
             ONLY) AS d",
            self.texts(),
            listed(self.names()),
            self.order(),
            step.saturating_sub(1)
        )
    }

    /// The columns of ORDER BY, and of the ORDER of a load into a clustered index.
    pub fn order(&self) -> String {
        let columns = self.parts.iter().map(|part| {
            format!("{}{}", quoted(&part.name), if part.is_descending { " DESC" } else { "" })
        });
        columns.collect::<Vec<String>>().join(", ")
    }

    /// What the rows between two bounds fulfil: after `lower`, up to `upper` and with it. `None` for all
    /// rows. A bound of another width than the key's is cut to the shorter of both.
    pub fn condition(&self, lower: Option<&Bound>, upper: Option<&Bound>) -> Option<String> {
        let above = lower.map(|bound| self.above(bound));
        let up_to = upper.map(|bound| self.up_to(bound));
        match (above, up_to) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(one),
            (Some(above), Some(up_to)) => Some(format!("{above} AND {up_to}")),
        }
    }

    fn above(&self, bound: &Bound) -> String {
        self.beyond(bound, [">", "<"], "")
    }

    fn up_to(&self, bound: &Bound) -> String {
        self.beyond(bound, ["<", ">"], "=")
    }

    /// `(a > 1 OR (a = 1 AND (b > 2)))`, with the first column told apart so that an index can be sought.
    fn beyond(&self, bound: &Bound, operators: [&str; 2], last: &str) -> String {
        let mut parts = self.parts.iter().zip(bound).rev();
        let Some((part, value)) = parts.next() else { return "1 = 1".to_owned() };
        let operator = operators[usize::from(part.is_descending)];
        let mut text = format!("{} {operator}{last} {}", quoted(&part.name), part.literal(value));
        for (part, value) in parts {
            let (name, value) = (quoted(&part.name), part.literal(value));
            let operator = operators[usize::from(part.is_descending)];
            text = format!("{name} {operator} {value} OR ({name} = {value} AND ({text}))");
        }
        match (self.parts.as_slice(), bound.as_slice()) {
            ([part, _, ..], [value, _, ..]) => {
                let operator = operators[usize::from(part.is_descending)];
                let (name, value) = (quoted(&part.name), part.literal(value));
                format!("{name} {operator}= {value} AND ({text})")
            }
            _ => text,
        }
    }
}

impl Part {
    /// The expression that tells a value as a text.
    fn asked(&self) -> String {
        let name = quoted(&self.name);
        match self.kind.base.as_str() {
            "money" | "smallmoney" => {
                format!("CONVERT(nvarchar(64), CAST({name} AS decimal(19, 4)))")
            }
            "date" | "datetime2" => format!("CONVERT(nvarchar(64), {name}, 126)"),
            "datetime" | "smalldatetime" | "time" | "datetimeoffset" => {
                format!("CONVERT(nvarchar(64), {name}, 121)")
            }
            "binary" | "varbinary" => format!("CONVERT(nvarchar(max), {name}, 1)"),
            "char" | "varchar" | "nchar" | "nvarchar" => format!("CAST({name} AS nvarchar(max))"),
            _ => format!("CONVERT(nvarchar(64), {name})"),
        }
    }

    /// The text as a value of the column's type.
    fn literal(&self, value: &str) -> String {
        let kind = self.kind.base_definition();
        let kind = if kind == "sysname" { "nvarchar(128)".to_owned() } else { kind };
        let text = literal(value);
        match self.kind.base.as_str() {
            // Not every server takes a text that is cast for a constant; a number it does.
            "bit" | "tinyint" | "smallint" | "int" | "bigint" | "decimal" | "numeric" | "money"
            | "smallmoney"
                if is_number(value) =>
            {
                format!("CAST({value} AS {kind})")
            }
            "date" | "datetime2" => format!("CONVERT({kind}, {text}, 126)"),
            "datetime" | "smalldatetime" | "time" | "datetimeoffset" => {
                format!("CONVERT({kind}, {text}, 121)")
            }
            "binary" | "varbinary" => format!("CONVERT({kind}, {text}, 1)"),
            // The collation says which code page the text comes to.
            "char" | "varchar" | "nchar" | "nvarchar" => match &self.collation {
                Some(collation) => format!("CAST({text} COLLATE {collation} AS {kind})"),
                None => format!("CAST({text} AS {kind})"),
            },
            _ => format!("CAST({text} AS {kind})"),
        }
    }
}

/// Digits, with a sign before them and a point in them or not.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use proptest::prelude::*;

    use super::*;
    use crate::mssql::script::token::{Token, tokens};

    /// A condition as the server would judge it, for rows of numbers in columns `0`, `1` and so on.
    struct Judge<'a> {
        tokens: Vec<Token<'a>>,
        at: usize,
        row: &'a [i64],
    }

    impl Judge<'_> {
        fn holds(text: &str, row: &[i64]) -> bool {
            let mut judge = Judge { tokens: tokens(text, true), at: 0, row };
            let holds = judge.or();
            assert_eq!(judge.at, judge.tokens.len(), "{text}");
            holds
        }

        fn takes(&mut self, text: &str) -> bool {
            let is_next = self.tokens.get(self.at).is_some_and(|token| token.text == text);
            self.at += usize::from(is_next);
            is_next
        }

        fn or(&mut self) -> bool {
            let mut holds = self.and();
            while self.takes("OR") {
                holds |= self.and();
            }
            holds
        }

        fn and(&mut self) -> bool {
            let mut holds = self.one();
            while self.takes("AND") {
                holds &= self.one();
            }
            holds
        }

        fn one(&mut self) -> bool {
            if self.takes("(") {
                let holds = self.or();
                assert!(self.takes(")"));
                return holds;
            }
            let column: usize = self.tokens[self.at].name().parse().unwrap();
            self.at += 1;
            let wanted = match (self.takes("<"), self.takes(">"), self.takes("=")) {
                (true, false, or_equal) => (Ordering::Less, or_equal),
                (false, true, or_equal) => (Ordering::Greater, or_equal),
                (false, false, true) => (Ordering::Equal, true),
                other => panic!("{other:?}"),
            };
            assert!(self.takes("CAST") && self.takes("("));
            let value: i64 = self.tokens[self.at].text.parse().unwrap();
            self.at += 1;
            assert!(self.takes("AS") && self.takes("int") && self.takes(")"));
            let found = self.row[column].cmp(&value);
            found == wanted.0 || (wanted.1 && found == Ordering::Equal)
        }
    }

    fn key(directions: &[bool]) -> ChunkKey {
        let kind = Kind {
            schema: None,
            name: "int".into(),
            base: "int".into(),
            max_length: 4,
            precision: 10,
            scale: 0,
        };
        let parts = directions.iter().enumerate().map(|(at, is_descending)| Part {
            name: at.to_string(),
            kind: kind.clone(),
            collation: None,
            is_descending: *is_descending,
        });
        let parts = parts.collect();
        ChunkKey { index: "k".into(), is_unique: false, is_clustered: true, parts }
    }

    fn compare(one: &[i64], other: &[i64], directions: &[bool]) -> Ordering {
        let columns = one.iter().zip(other).zip(directions);
        let mut orders = columns.map(
            |((one, other), is_descending)| {
                if *is_descending { other.cmp(one) } else { one.cmp(other) }
            },
        );
        orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
    }

    #[test]
    fn only_numbers_stand_without_quotes() {
        for text in ["0", "-12", "3.25", "-0.0001"] {
            assert!(is_number(text), "{text}");
        }
        for text in ["", "-", ".5", "1.", "1e5", "--1", "1 OR 1=1", "1)", "0x1", "1.2.3", "²"] {
            assert!(!is_number(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn chunks_hold_every_row_once(
            width in 1usize..4,
            directions in proptest::collection::vec(any::<bool>(), 3),
            rows in proptest::collection::vec(proptest::collection::vec(0i64..4, 3), 0..40),
            step in 1usize..6,
        ) {
            let directions = &directions[..width];
            let key = key(directions);
            let mut rows: Vec<&[i64]> = rows.iter().map(|row| &row[..width]).collect();
            rows.sort_by(|one, other| compare(one, other, directions));
            let mut times = vec![0; rows.len()];
            let mut lower: Option<Bound> = None;
            loop {
                // What `next_bound` asks the server for.
                let mut left = rows.iter().filter(|row| match &lower {
                    Some(lower) => Judge::holds(&key.above(lower), row),
                    None => true,
                });
                let upper: Option<Bound> = left.nth(step - 1)
                    .map(|row| row.iter().map(i64::to_string).collect());
                let condition = key.condition(lower.as_ref(), upper.as_ref());
                for (row, times) in rows.iter().zip(&mut times) {
                    *times += usize::from(
                        condition.as_ref().is_none_or(|text| Judge::holds(text, row)),
                    );
                }
                if upper.is_none() {
                    break;
                }
                lower = upper;
            }
            prop_assert!(times.iter().all(|times| *times == 1), "{times:?}");
        }
    }
}
