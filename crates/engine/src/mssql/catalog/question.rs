//! A question to `sys.*`: its columns, each cast to what [`Value`] has, and what it asks of the server.
//!
//! Promises: a question names no column that the server does not have; what is missing there is
//! answered by a constant, so that the rows of all versions have one shape. Which views and columns
//! there are is a fact read from the server, not a version number.

use std::collections::{BTreeMap, BTreeSet};

use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::name::literal;
use crate::mssql::value::{Row, Value};

/// The most rows that an answer may have: beyond it the catalog is not one that we copy.
pub const ROWS_MAX: usize = 2_000_000;

/// What a column of an answer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// A number or a bit.
    Int,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
}

/// A column of an answer.
#[derive(Clone, Copy, Debug)]
pub struct Asked {
    /// Its name, for readers.
    pub name: &'static str,
    /// What it is.
    pub answer: Answer,
    expression: &'static str,
    /// The view and column that older servers lack, and what is answered for those.
    since: Option<(&'static str, &'static str, &'static str)>,
}

/// A question.
#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// Its name; no two questions share one.
    pub name: &'static str,
    /// What it answers, in order.
    pub columns: &'static [Asked],
    /// `FROM`, `WHERE` and `ORDER BY`.
    pub from: &'static str,
    /// The views of `sys` without which there is nothing to ask.
    pub views: &'static [&'static str],
}

/// The views and columns of `sys` that a server has.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    columns: BTreeSet<(String, String)>,
}

/// The rows of each question by its name.
pub type Answers = BTreeMap<&'static str, Vec<Row>>;

/// One row with the columns of its question.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    question: &'a Question,
    row: &'a Row,
}

/// A number.
pub const fn int(name: &'static str, expression: &'static str) -> Asked {
    Asked { name, answer: Answer::Int, expression, since: None }
}

/// A text.
pub const fn text(name: &'static str, expression: &'static str) -> Asked {
    Asked { name, answer: Answer::Text, expression, since: None }
}

impl Asked {
    /// Says that older servers do not have this column of this view, and what stands for it there.
    pub const fn since(
        mut self,
        view: &'static str,
        column: &'static str,
        otherwise: &'static str,
    ) -> Asked {
        self.since = Some((view, column, otherwise));
        self
    }

    fn sql(&self, facts: &Facts) -> String {
        let expression = match self.since {
            Some((view, column, otherwise)) if !facts.has(view, column) => otherwise,
            _ => self.expression,
        };
        let answer = match self.answer {
            Answer::Int => "bigint",
            Answer::Text => "nvarchar(max)",
            Answer::Bytes => "varbinary(max)",
        };
        format!("CAST({expression} AS {answer}) AS [{}]", self.name)
    }
}

impl Question {
    /// Its text for a server; `None` if the server has nothing of the kind.
    pub fn sql(&self, facts: &Facts) -> Option<String> {
        if !self.views.iter().all(|view| facts.has_view(view)) {
            return None;
        }
        let columns: Vec<String> = self.columns.iter().map(|column| column.sql(facts)).collect();
        Some(format!("SELECT {}\n{}", columns.join(",\n  "), self.from))
    }

    /// The views that it asks or asks about, with repetitions.
    pub fn views_named(&self) -> impl Iterator<Item = &'static str> {
        let since = self.columns.iter().filter_map(|column| column.since.map(|(view, ..)| view));
        self.views.iter().copied().chain(since)
    }

    /// The rows that were answered; none if it was not asked. A row of another shape is an error.
    pub fn rows<'a>(&'a self, answers: &'a Answers) -> Result<Vec<Cells<'a>>> {
        let rows = answers.get(self.name).map(Vec::as_slice).unwrap_or_default();
        if rows.len() > ROWS_MAX {
            return Err(strange(format!("the catalog has more than {ROWS_MAX} {}", self.name)));
        }
        let cells = rows.iter().map(|row| {
            if row.len() == self.columns.len() {
                return Ok(Cells { question: self, row });
            }
            let (has, wants) = (row.len(), self.columns.len());
            Err(strange(format!("a row of the catalog's {} has {has} of {wants} cells", self.name)))
        });
        cells.collect()
    }
}

impl Facts {
    /// The question that tells which of `views` there are, with their columns; `views` may repeat.
    pub fn question<'a>(views: impl IntoIterator<Item = &'a str>) -> String {
        let views: BTreeSet<String> = views.into_iter().map(literal).collect();
        let views: Vec<String> = views.into_iter().collect();
        format!(
            "SELECT CAST(o.name AS nvarchar(max)), CAST(c.name AS nvarchar(max))\nFROM \
             sys.all_columns AS c JOIN sys.all_objects AS o ON o.object_id = c.object_id\nWHERE \
             o.schema_id = SCHEMA_ID(N'sys') AND o.name IN ({})",
            views.join(", ")
        )
    }

    /// Reads the answer to [`Facts::question`].
    pub fn read(rows: &[Row]) -> Result<Facts> {
        let columns = rows.iter().map(|row| match row.as_slice() {
            [Value::Text(view), Value::Text(column)] => {
                Ok((view.to_lowercase(), column.to_lowercase()))
            }
            _ => Err(strange("the list of the catalog's views has no names".to_owned())),
        });
        Ok(Facts { columns: columns.collect::<Result<_>>()? })
    }

    /// The server has this column.
    pub fn has(&self, view: &str, column: &str) -> bool {
        self.columns.contains(&(view.to_owned(), column.to_owned()))
    }

    /// The server has this view.
    pub fn has_view(&self, view: &str) -> bool {
        let from = (view.to_owned(), String::new());
        self.columns.range(from..).next().is_some_and(|(found, _)| found == view)
    }
}

impl<'a> Cells<'a> {
    /// A number that is there.
    pub fn int(&self, name: &str) -> Result<i64> {
        self.maybe_int(name)?.ok_or_else(|| self.wrong(name, "is NULL"))
    }

    /// A bit that is there.
    pub fn flag(&self, name: &str) -> Result<bool> {
        self.int(name).map(|value| value != 0)
    }

    /// A text that is there.
    pub fn text(&self, name: &str) -> Result<String> {
        self.maybe_text(name)?.ok_or_else(|| self.wrong(name, "is NULL"))
    }

    /// A number, or NULL.
    pub fn maybe_int(&self, name: &str) -> Result<Option<i64>> {
        match self.cell(name)? {
            Value::Null => Ok(None),
            Value::Int(value) => Ok(Some(*value)),
            Value::Text(_) | Value::Bytes(_) => Err(self.wrong(name, "is not a number")),
        }
    }

    /// A bit; NULL is no.
    pub fn maybe_flag(&self, name: &str) -> Result<bool> {
        self.maybe_int(name).map(|value| value.unwrap_or(0) != 0)
    }

    /// A text, or NULL.
    pub fn maybe_text(&self, name: &str) -> Result<Option<String>> {
        match self.cell(name)? {
            Value::Null => Ok(None),
            Value::Text(value) => Ok(Some(value.clone())),
            Value::Int(_) | Value::Bytes(_) => Err(self.wrong(name, "is not a text")),
        }
    }

    /// An error about this row, which it names as far as the row says its own name.
    pub fn wrong(&self, column: &str, what: &str) -> Error {
        let names = ["schema_name", "name"].map(|name| match self.cell(name) {
            Ok(Value::Text(text)) => Some(text.as_str()),
            _ => None,
        });
        let id = match self.cell("object_id") {
            Ok(Value::Int(id)) => Some(format!("object {id}")),
            _ => None,
        };
        let object = match names {
            [Some(schema), Some(name)] => Some(format!("{schema}.{name}")),
            [None, Some(name)] => Some(id.map_or(name.to_owned(), |id| format!("{id} {name}"))),
            _ => id,
        };
        let of = object.map(|object| format!(" of {object}")).unwrap_or_default();
        strange(format!("read the catalog's {}: {column}{of} {what}", self.question.name))
    }

    fn cell(&self, name: &str) -> Result<&'a Value> {
        let at = self.question.columns.iter().position(|column| column.name == name);
        at.and_then(|at| self.row.get(at))
            .ok_or_else(|| strange(format!("the question {} has no {name}", self.question.name)))
    }
}

/// An answer that no server gives.
pub fn strange(text: String) -> Error {
    Error::new(ErrorKind::Internal, Side::Source, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const THINGS: Question = Question {
        name: "things",
        columns: &[
            int("object_id", "t.object_id"),
            text("name", "t.name"),
            int("is_new", "t.is_new").since("things", "is_new", "0"),
        ],
        from: "FROM sys.things AS t",
        views: &["things"],
    };

    fn facts(columns: &[&str]) -> Facts {
        let row =
            |column: &&str| vec![Value::Text("Things".into()), Value::Text((*column).to_owned())];
        Facts::read(&columns.iter().map(row).collect::<Vec<Row>>()).unwrap()
    }

    #[test]
    fn what_a_server_lacks_is_not_asked() {
        let old = THINGS.sql(&facts(&["object_id", "NAME"])).unwrap();
        assert_eq!(
            old,
            "SELECT CAST(t.object_id AS bigint) AS [object_id],\n  CAST(t.name AS nvarchar(max)) AS \
             [name],\n  CAST(0 AS bigint) AS [is_new]\nFROM sys.things AS t"
        );
        assert!(THINGS.sql(&facts(&["is_new"])).unwrap().contains("CAST(t.is_new AS bigint)"));
        assert_eq!(THINGS.sql(&Facts::default()), None);
        assert!(Facts::read(&[vec![Value::Null]]).is_err());
    }

    #[test]
    fn an_error_names_the_object() {
        let row = vec![Value::Int(7), Value::Text("größe".into()), Value::Text("no".into())];
        let answers = Answers::from([("things", vec![row])]);
        let rows = THINGS.rows(&answers).unwrap();
        let error = rows[0].flag("is_new").unwrap_err();
        assert_eq!(
            error.message,
            "read the catalog's things: is_new of object 7 größe is not a number"
        );
        let answers = Answers::from([("things", vec![vec![Value::Null]])]);
        let error = THINGS.rows(&answers).unwrap_err();
        assert_eq!(error.message, "a row of the catalog's things has 1 of 3 cells");
    }
}
