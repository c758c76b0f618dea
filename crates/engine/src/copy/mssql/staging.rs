//! The databases on the target that hold a copy until it is shown: made by a script, phase by phase.
//!
//! Promises: what is needed for the rows is made before them, everything else behind them; a statement
//! that the target does not take is named with its object. Where the order of things that need each other is
//! not known, what fails is tried again behind the others. Decides nothing about texts: those are
//! [`crate::mssql::script`]'s.

use std::collections::BTreeSet;

use super::facts::ServerFacts;
use super::{answer, session};
use crate::error::{Error, Result};
use crate::mssql::catalog::schema::{Database, Table};
use crate::mssql::catalog::{self, sys};
use crate::mssql::name::quoted;
use crate::mssql::script::rename::Renames;
use crate::mssql::script::{self, Phase, SESSION, Script, Statement, index, table};
use crate::mssql::session::Session;

/// Phases behind the rows, their keys and their comparison.
pub const LATE: [Phase; 7] = [
    Phase::Constraints,
    Phase::ForeignKeys,
    Phase::Counters,
    Phase::Versioning,
    Phase::Modules,
    Phase::Triggers,
    Phase::Properties,
];

/// How an option begins that matters for the loading: full logs are kept only behind it.
const RECOVERY: &str = "RECOVERY ";

/// Makes the database of this name, empty, with the options that `database` has; there must be none of that
/// name. Gives what the target does not take of the options, in words. The session is in it afterwards.
pub async fn create(
    session: &mut Session,
    facts: &ServerFacts,
    name: &str,
    (database, script): (&Database, &Script),
) -> Result<Vec<String>> {
    answer::enter(session, session::HOME).await?;
    let is_usual = database.collation.eq_ignore_ascii_case(&facts.collation);
    for statement in of(&script.statements, Phase::Database) {
        let plain = format!("CREATE DATABASE {}", quoted(name));
        // A collation that is the server's anyway need not be one that may be asked for.
        let sql = if is_usual { &plain } else { &statement.sql };
        session.run(sql).await.map_err(|error| about(error, statement, &database.name))?;
    }
    answer::enter(session, name).await?;
    let mut notes = Vec::new();
    for sql in options(session, facts, name, script).await? {
        let is_log = sql.contains(RECOVERY);
        let simple = format!("ALTER DATABASE {} SET RECOVERY SIMPLE", quoted(name));
        let ran = session.run(if is_log { &simple } else { &sql }).await;
        refused(session, ran, &sql, &mut notes)?;
    }
    Ok(notes)
}

/// Sets what was not to be set before the rows came. Gives what the target does not take, in words.
pub async fn last_options(
    session: &mut Session,
    facts: &ServerFacts,
    name: &str,
    script: &Script,
) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    for sql in options(session, facts, name, script).await? {
        if sql.contains(RECOVERY) {
            let ran = session.run(&sql).await;
            refused(session, ran, &sql, &mut notes)?;
        }
    }
    Ok(notes)
}

/// The statements for options that are not as they are to be.
async fn options(
    session: &mut Session,
    facts: &ServerFacts,
    name: &str,
    script: &Script,
) -> Result<Vec<String>> {
    let answers = answer::ask(session, &[&sys::DATABASE], &facts.views).await?;
    let present = script::script(&catalog::read(&answers)?, name, &Renames::default());
    let present: BTreeSet<&str> =
        of(&present.statements, Phase::Options).map(|one| one.sql.as_str()).collect();
    let wanted = of(&script.statements, Phase::Options).map(|one| one.sql.clone());
    Ok(wanted.filter(|sql| !present.contains(sql.as_str())).collect())
}

/// Notes that an option is not set; an error only if the session is lost.
fn refused(session: &Session, ran: Result<u64>, sql: &str, notes: &mut Vec<String>) -> Result<()> {
    match ran {
        Ok(_rows) => Ok(()),
        Err(error) if !session.is_idle() => Err(error),
        Err(error) => {
            let option = sql.split(" SET ").nth(1).unwrap_or(sql);
            let code = error.code().map(|code| format!(" (error {code})")).unwrap_or_default();
            notes.push(format!("the target does not take the option {option}{code}"));
            Ok(())
        }
    }
}

/// Makes what comes before the rows, but for what is there. Gives what the target does not take.
pub async fn make(
    session: &mut Session,
    database: &Database,
    script: &Script,
    is_there: &(dyn Fn(&str) -> bool + Sync),
) -> Result<Vec<(String, Error)>> {
    let mut all = Vec::new();
    for phase in [Phase::Schemas, Phase::Tables] {
        let statements = of(&script.statements, phase).filter(|one| !is_there(&one.object));
        for (statement, error) in attempt(session, statements.collect()).await? {
            all.push((statement.object.clone(), about(error, statement, &database.name)));
        }
    }
    Ok(all)
}

/// The statements that make what a table has beside its rows, in the database of this name.
pub fn keys(table: &Table, name: &str) -> Vec<String> {
    let owner = table::full_name(table);
    let indexes = table.indexes.iter().filter(|index| !index.is_clustered());
    let made: Vec<String> = indexes.map(|index| index::create(&owner, index)).collect();
    match made.is_empty() {
        true => made,
        // Whoever makes it may have been elsewhere before.
        false => [format!("USE {}", quoted(name))].into_iter().chain(made).collect(),
    }
}

/// Makes all that comes behind the rows, while the session is in the database. How many objects that were.
pub async fn finish(session: &mut Session, database: &Database, script: &Script) -> Result<()> {
    for phase in LATE {
        execute(session, &script.statements, phase).await.map_err(|mut error| {
            error.object.schema = Some(database.name.clone());
            error
        })?;
    }
    Ok(())
}

/// Executes a phase in several databases, each by its name; what fails is tried again behind the others, wherever
/// they are, as long as that helps. Gives what does not go, with the number of its database. The session is at
/// home afterwards.
pub async fn everywhere(
    session: &mut Session,
    databases: &[(&str, &Script)],
    phase: Phase,
) -> Result<Vec<(usize, String, Error)>> {
    let mut waiting: Vec<(usize, Vec<&Statement>)> = databases
        .iter()
        .enumerate()
        .map(|(index, (_, script))| (index, of(&script.statements, phase).collect()))
        .collect();
    loop {
        let count: usize = waiting.iter().map(|(_, statements)| statements.len()).sum();
        let mut refused = Vec::new();
        for (index, statements) in &mut waiting {
            if statements.is_empty() {
                continue;
            }
            answer::enter(session, databases[*index].0).await?;
            let failed = attempt(session, std::mem::take(statements)).await?;
            statements.extend(failed.iter().map(|(statement, _)| *statement));
            refused.extend(failed.into_iter().map(|(statement, error)| {
                (*index, statement.object.clone(), about(error, statement, ""))
            }));
        }
        if refused.is_empty() || refused.len() == count {
            answer::enter(session, session::HOME).await?;
            return Ok(refused);
        }
    }
}

/// Executes the statements of a phase.
pub async fn execute(session: &mut Session, statements: &[Statement], phase: Phase) -> Result<()> {
    let refused = attempt(session, of(statements, phase).collect()).await?;
    match refused.into_iter().next() {
        None => Ok(()),
        Some((statement, error)) => Err(about(error, statement, "")),
    }
}

/// Executes statements, what fails again behind the others, as long as that helps. Gives what does not go;
/// an error only if the session is lost.
async fn attempt<'a>(
    session: &mut Session,
    mut waiting: Vec<&'a Statement>,
) -> Result<Vec<(&'a Statement, Error)>> {
    loop {
        let mut refused = Vec::new();
        let count = waiting.len();
        for statement in waiting {
            match run(session, statement).await {
                Ok(()) => {}
                Err(error) if session.is_idle() => refused.push((statement, error)),
                Err(error) => return Err(about(error, statement, "")),
            }
        }
        if refused.is_empty() || refused.len() == count {
            return Ok(refused);
        }
        waiting = refused.into_iter().map(|(statement, _)| statement).collect();
    }
}

async fn run(session: &mut Session, statement: &Statement) -> Result<()> {
    let Some(settings) = statement.session else {
        return session.run(&statement.sql).await.map(|_rows| ());
    };
    session.run(&settings.sql()).await?;
    let ran = session.run(&statement.sql).await;
    if session.is_idle() {
        session.run(SESSION).await?;
    }
    ran.map(|_rows| ())
}

fn of(statements: &[Statement], phase: Phase) -> impl Iterator<Item = &Statement> {
    statements.iter().filter(move |statement| statement.phase == phase)
}

fn about(mut error: Error, statement: &Statement, database: &str) -> Error {
    error.message = format!("make {}", statement.object);
    let database = (!database.is_empty()).then_some(database);
    error.in_table(database, statement.object.clone())
}
