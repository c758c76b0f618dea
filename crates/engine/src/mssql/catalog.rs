//! What a SQL Server database holds, read from `sys.*` into values.
//!
//! Promises: [`questions`] are read-only texts for one session in the database; [`read`] makes of their
//! answers a [`Database`] that has what can be carried, and a finding for everything else, so that
//! nothing is left out in silence. Asks nothing itself.

pub mod column;
pub mod finding;
pub mod index;
pub mod question;
pub mod schema;
pub mod sys;
pub mod unsupported;

mod omit;
mod read;

use question::{Answers, Facts, Question};
use schema::Database;

use crate::error::Result;

/// All questions, those for what is never carried among them.
fn all() -> impl Iterator<Item = &'static Question> {
    sys::ALL.into_iter().chain(unsupported::ALL.iter().map(|kind| &kind.question))
}

/// What is asked first: which views and columns the server has. [`Facts::read`] reads the answer.
pub fn facts_question() -> String {
    Facts::question(all().flat_map(Question::views_named))
}

/// The questions for a server, each with the name under which [`read`] wants its rows.
pub fn questions(facts: &Facts) -> Vec<(&'static str, String)> {
    all().filter_map(|question| question.sql(facts).map(|sql| (question.name, sql))).collect()
}

/// Those of [`questions`] that ask for what is carried: enough to compare a database with one that is known.
/// [`read`] makes the same database of the answers, with fewer findings.
pub fn questions_of_carried(facts: &Facts) -> Vec<(&'static str, String)> {
    let carried = sys::ALL.into_iter();
    carried.filter_map(|question| question.sql(facts).map(|sql| (question.name, sql))).collect()
}

/// Makes a database of the answers. Rows of another shape, a definition that the login may not see, and
/// an index of a table that is not there are errors; they name the object.
pub fn read(answers: &Answers) -> Result<Database> {
    let mut database = read::database(answers)?;
    database.findings.extend(unsupported::read(answers)?);
    database.findings.sort();
    database.findings.dedup();
    Ok(database)
}
