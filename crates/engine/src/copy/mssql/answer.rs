//! Short questions to a SQL Server: one expression, one number or text.
//!
//! Promises: an answer of another type is an error; no answer is `None`.

use crate::error::Result;
use crate::mssql::catalog::question::{Answers, Facts, Question, strange};
use crate::mssql::name::quoted;
use crate::mssql::session::Session;
use crate::mssql::value::{Row, Value};

/// Whether it is Babelfish for PostgreSQL.
pub async fn is_babelfish(session: &mut Session) -> Result<bool> {
    Ok(number(session, "SERVERPROPERTY('Babelfish')").await? == Some(1))
}

/// A number.
pub async fn number(session: &mut Session, expression: &str) -> Result<Option<i64>> {
    let rows = session.query(&format!("SELECT CAST({expression} AS bigint)")).await?;
    match first(rows) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Int(number)) => Ok(Some(number)),
        Some(Value::Text(_) | Value::Bytes(_)) => Err(strange("a number is none".to_owned())),
    }
}

/// A text.
pub async fn text(session: &mut Session, expression: &str) -> Result<Option<String>> {
    let rows = session.query(&format!("SELECT CAST({expression} AS nvarchar(max))")).await?;
    match first(rows) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(Value::Int(_) | Value::Bytes(_)) => Err(strange("a text is none".to_owned())),
    }
}

/// All texts of a question with one column, which the question casts to nvarchar.
pub async fn texts(session: &mut Session, question: &str) -> Result<Vec<String>> {
    let rows = session.query(question).await?;
    let texts = rows.into_iter().map(|row| match row.into_iter().next() {
        Some(Value::Text(text)) => Ok(text),
        Some(Value::Null | Value::Int(_) | Value::Bytes(_)) | None => {
            Err(strange("a text is none".to_owned()))
        }
    });
    texts.collect()
}

/// All numbers of a question with one column, which the question casts to bigint; NULLs are left out.
pub async fn numbers(session: &mut Session, question: &str) -> Result<Vec<i64>> {
    let rows = session.query(question).await?;
    let numbers = rows.into_iter().filter_map(|row| match row.into_iter().next() {
        Some(Value::Int(number)) => Some(number),
        Some(Value::Null | Value::Text(_) | Value::Bytes(_)) | None => None,
    });
    Ok(numbers.collect())
}

/// What a server answers to questions of the catalog.
pub async fn ask(session: &mut Session, questions: &[&Question], facts: &Facts) -> Result<Answers> {
    let mut answers = Answers::new();
    for question in questions {
        if let Some(sql) = question.sql(facts) {
            answers.insert(question.name, session.query(&sql).await?);
        }
    }
    Ok(answers)
}

/// Goes to a database.
pub async fn enter(session: &mut Session, database: &str) -> Result<()> {
    session.run(&format!("USE {}", quoted(database))).await.map(|_rows| ())
}

fn first(rows: Vec<Row>) -> Option<Value> {
    rows.into_iter().next()?.into_iter().next()
}
