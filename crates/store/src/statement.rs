//! One statement with its values, and one row of an answer.
//!
//! Statements are written once, with `?` for values and `{now}` for the database's clock; rows are
//! read by column name, and what cannot be read is [`Error::Corrupt`]. All numbers are `i64` here:
//! the engines disagree about smaller ones.

use crate::{Error, Result};
use sqlx::Row as _;
use sqlx::any::{AnyArguments, AnyRow};
use std::borrow::Cow;

/// Starts a statement.
pub(crate) fn sql(text: &'static str) -> Statement {
    Statement { text: Cow::Borrowed(text), values: Vec::new() }
}

/// SQL text and the values of its question marks, in order.
#[derive(Clone)]
pub(crate) struct Statement {
    pub(crate) text: Cow<'static, str>,
    values: Vec<Value>,
}

/// A value as the engines share it; the type of a null matters to `PostgreSQL`.
#[derive(Clone)]
enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// A row of an answer.
pub(crate) struct Row(pub(crate) AnyRow);

impl Statement {
    /// Adds SQL.
    pub(crate) fn then(mut self, text: &str) -> Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// Binds a number.
    pub(crate) fn int(self, value: impl Into<Option<i64>>) -> Self {
        self.bind(Value::Int(value.into()))
    }

    /// Binds a text.
    pub(crate) fn text(self, value: &str) -> Self {
        self.bind(Value::Text(Some(value.to_owned())))
    }

    /// Binds a text or null.
    pub(crate) fn optional_text(self, value: Option<&str>) -> Self {
        self.bind(Value::Text(value.map(str::to_owned)))
    }

    /// Binds bytes or null.
    pub(crate) fn bytes(self, value: impl Into<Option<Vec<u8>>>) -> Self {
        self.bind(Value::Bytes(value.into()))
    }

    /// Adds ` AND column IN (…)`, or nothing for an empty list.
    pub(crate) fn and_in(mut self, column: &str, texts: &[impl AsRef<str>]) -> Self {
        if texts.is_empty() {
            return self;
        }
        self = self.then(" AND ").then(column).then(" IN ").then(&marks(texts.len()));
        texts.iter().fold(self, |statement, text| statement.text(text.as_ref()))
    }

    /// Adds ` AND column IN (…)` of numbers, or nothing for an empty list.
    pub(crate) fn and_in_ints(mut self, column: &str, numbers: &[i64]) -> Self {
        if numbers.is_empty() {
            return self;
        }
        self = self.then(" AND ").then(column).then(" IN ").then(&marks(numbers.len()));
        numbers.iter().fold(self, |statement, number| statement.int(*number))
    }

    /// What the driver is given.
    pub(crate) fn into_parts(self) -> Result<(String, AnyArguments)> {
        use sqlx::Arguments as _;
        let mut arguments = AnyArguments::default();
        for value in self.values {
            // PostgreSQL takes none; elsewhere it would be stored.
            if matches!(&value, Value::Text(Some(text)) if text.contains('\0')) {
                return Err(Error::Invalid { what: "a text", why: "contains a NUL" });
            }
            let added = match value {
                Value::Int(number) => arguments.add(number),
                Value::Text(text) => arguments.add(text),
                Value::Bytes(bytes) => arguments.add(bytes),
            };
            added.map_err(|error| Error::Other(crate::Cause::new(error)))?;
        }
        Ok((self.text.into_owned(), arguments))
    }

    fn bind(mut self, value: Value) -> Self {
        self.values.push(value);
        self
    }
}

impl Row {
    /// A number.
    pub(crate) fn int(&self, column: &str) -> Result<i64> {
        Ok(self.0.try_get(column)?)
    }

    /// A number or null.
    pub(crate) fn optional_int(&self, column: &str) -> Result<Option<i64>> {
        Ok(self.0.try_get(column)?)
    }

    /// A count of bytes, or anything else that is never negative.
    pub(crate) fn count(&self, column: &str) -> Result<u64> {
        u64::try_from(self.int(column)?).map_err(|_| Error::Corrupt("count"))
    }

    /// Like [`Row::count`], or null.
    pub(crate) fn optional_count(&self, column: &str) -> Result<Option<u64>> {
        let number = self.optional_int(column)?;
        number.map(u64::try_from).transpose().map_err(|_| Error::Corrupt("count"))
    }

    /// A number of a smaller type.
    pub(crate) fn small<T: TryFrom<i64>>(&self, column: &str) -> Result<T> {
        T::try_from(self.int(column)?).map_err(|_| Error::Corrupt("number"))
    }

    /// A flag, kept as 0 or 1.
    pub(crate) fn flag(&self, column: &str) -> Result<bool> {
        Ok(self.int(column)? != 0)
    }

    /// A text.
    pub(crate) fn text(&self, column: &str) -> Result<String> {
        Ok(self.0.try_get(column)?)
    }

    /// A text or null.
    pub(crate) fn optional_text(&self, column: &str) -> Result<Option<String>> {
        Ok(self.0.try_get(column)?)
    }

    /// Bytes.
    pub(crate) fn bytes(&self, column: &str) -> Result<Vec<u8>> {
        Ok(self.0.try_get(column)?)
    }

    /// Bytes or null.
    pub(crate) fn optional_bytes(&self, column: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.0.try_get(column)?)
    }
}

/// `(?, ?, …)`.
fn marks(count: usize) -> String {
    let mut text = String::from("(");
    for at in 0..count {
        text.push_str(if at == 0 { "?" } else { ", ?" });
    }
    text.push(')');
    text
}
