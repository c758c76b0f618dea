//! A database as a whole: looked for, renamed, removed.
//!
//! Promises: whoever is in a database that is to be renamed or removed is put out of it, if that is
//! allowed and not otherwise possible, and waited for a limited time. The session that asks is in none of
//! them. What is inside is nobody's business here.

use std::time::Duration;

use super::answer;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::name::{literal, quoted};
use crate::mssql::session::Session;

/// How often a database is tried to be renamed or removed.
pub const TRIES: u32 = 40;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// The server's number of a database, which stays when it is renamed.
pub async fn id(session: &mut Session, name: &str) -> Result<Option<i64>> {
    answer::number(session, &format!("DB_ID({})", literal(name))).await
}

/// Whether many may be in it; false if there is none of this name.
pub async fn takes_many(session: &mut Session, name: &str) -> Result<bool> {
    let access = format!(
        "(SELECT d.user_access FROM sys.databases AS d WHERE d.name = {})",
        literal(name)
    );
    Ok(answer::number(session, &access).await? == Some(0))
}

/// The names of all databases that the login may see.
pub async fn names(session: &mut Session) -> Result<Vec<String>> {
    const NAMES: &str = "SELECT CAST(d.name AS nvarchar(256)) FROM sys.databases AS d";
    answer::texts(session, NAMES).await
}

/// Gives a database another name. Those who are in it are put out; if many were let in, they are again.
pub async fn rename(session: &mut Session, from: &str, to: &str) -> Result<()> {
    let sql = format!("ALTER DATABASE {} MODIFY NAME = {}", quoted(from), quoted(to));
    let took_many = takes_many(session, from).await?;
    if alone(session, from, &sql).await? && took_many {
        open_to_all(session, to).await?;
    }
    Ok(())
}

/// Lets many into a database again.
pub async fn open_to_all(session: &mut Session, name: &str) -> Result<()> {
    session.run(&format!("ALTER DATABASE {} SET MULTI_USER", quoted(name))).await.map(|_rows| ())
}

/// Removes a database, if it is there.
pub async fn remove(session: &mut Session, name: &str) -> Result<()> {
    if id(session, name).await?.is_none() {
        return Ok(());
    }
    alone(session, name, &format!("DROP DATABASE {}", quoted(name))).await.map(|_was_shut| ())
}

/// Executes what nobody else may be in the database for. True if the database was shut for that.
async fn alone(session: &mut Session, name: &str, sql: &str) -> Result<bool> {
    let mut was_shut = false;
    for left in (0..TRIES).rev() {
        match session.run(sql).await {
            Ok(_rows) => return Ok(was_shut),
            Err(error) if left > 0 && is_in_use(&error) && session.is_idle() => {}
            Err(error) => return Err(error),
        }
        was_shut |= shut(session, name).await?;
        tokio::time::sleep(PAUSE).await;
    }
    let text = format!("somebody is in database {name}");
    Err(Error::new(ErrorKind::LockWait, Side::Target, text))
}

fn is_in_use(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::LockWait | ErrorKind::Deadlock)
}

/// Puts out those who are in a database. True if it takes one session only from now on.
async fn shut(session: &mut Session, name: &str) -> Result<bool> {
    let sql = format!("ALTER DATABASE {} SET SINGLE_USER WITH ROLLBACK IMMEDIATE", quoted(name));
    match session.run(&sql).await {
        Ok(_rows) => return Ok(true),
        Err(error) if !session.is_idle() => return Err(error),
        // Not everybody may, and not every server can.
        Err(_refused) => {}
    }
    let inside = format!(
        "SELECT CAST(s.session_id AS bigint) FROM sys.dm_exec_sessions AS s WHERE s.database_id = \
         DB_ID({}) AND s.session_id <> @@SPID",
        literal(name)
    );
    let Ok(inside) = answer::numbers(session, &inside).await else {
        return lost(session);
    };
    for id in inside {
        // One that is gone already cannot be ended.
        let _ = session.run(&format!("KILL {id}")).await;
    }
    lost(session)
}

/// An error if the session is, else false.
fn lost(session: &Session) -> Result<bool> {
    match session.is_idle() {
        true => Ok(false),
        false => {
            let text = "put others out of a database";
            Err(Error::new(ErrorKind::LostConnection, Side::Target, text))
        }
    }
}
