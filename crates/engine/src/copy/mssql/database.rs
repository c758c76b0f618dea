//! A database as a whole: looked for, renamed, removed.
//!
//! Promises: whoever is in a database that is to be renamed or removed is put out of it, if that is
//! allowed and not otherwise possible, and waited for a limited time. The session that asks is in none of
//! them. What is inside is nobody's business here.
//!
//! Babelfish for PostgreSQL renames no database in which it counts somebody who has ended, see [`super::places`].

use std::time::Duration;

use super::answer;
use super::places::Places;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::name::{literal, quoted};
use crate::mssql::session::Session;

/// How often a database is tried to be renamed or removed.
pub const TRIES: u32 = 40;
/// How often what fails is tried again although nobody is seen there.
const VAIN_TRIES: u32 = 4;
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(500);

/// The server's number of a database, which stays when it is renamed.
pub async fn id(session: &mut Session, name: &str) -> Result<Option<i64>> {
    answer::number(session, &format!("DB_ID({})", literal(name))).await
}

/// Whether many may be in it; false if there is none of this name.
pub async fn takes_many(session: &mut Session, name: &str) -> Result<bool> {
    let access =
        format!("(SELECT d.user_access FROM sys.databases AS d WHERE d.name = {})", literal(name));
    Ok(answer::number(session, &access).await? == Some(0))
}

/// The names of all databases that the login may see.
pub async fn names(session: &mut Session) -> Result<Vec<String>> {
    const NAMES: &str = "SELECT CAST(d.name AS nvarchar(256)) FROM sys.databases AS d";
    answer::texts(session, NAMES).await
}

/// Gives a database of `target`, where the session is, another name. Those who are in it are put out; if many were
/// let in, they are again.
pub async fn rename(
    (session, target): (&mut Session, &Endpoint),
    from: &str,
    to: &str,
) -> Result<()> {
    let sql = format!("ALTER DATABASE {} MODIFY NAME = {}", quoted(from), quoted(to));
    let took_many = takes_many(session, from).await?;
    let mut places = Places::of(target);
    let was_shut = alone(session, (from, &sql), Some(&mut places)).await;
    places.leave().await;
    if was_shut? && took_many {
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
    let sql = format!("DROP DATABASE {}", quoted(name));
    alone(session, (name, &sql), None).await.map(|_was_shut| ())
}

/// Executes what nobody else may be in the database for, if `places` says so not even one who has ended. True if the
/// database was shut for that.
async fn alone(
    session: &mut Session,
    (name, sql): (&str, &str),
    mut places: Option<&mut Places<'_>>,
) -> Result<bool> {
    let (mut was_shut, mut vain) = (false, 0);
    for left in (0..TRIES).rev() {
        let Err(error) = session.run(sql).await else { return Ok(was_shut) };
        if left == 0 || !session.is_idle() {
            return Err(error);
        }
        // Numbers of errors are not the same everywhere; that somebody is in it is.
        let others = others(session, name).await?;
        if others.is_empty() && !is_in_use(&error) {
            vain += 1;
            if vain == VAIN_TRIES {
                return Err(error);
            }
            if let Some(places) = &mut places {
                places.take(session).await?;
            }
        }
        was_shut |= shut(session, name, &others).await?;
        tokio::time::sleep(PAUSE).await;
    }
    let text = format!("somebody is in database {name}");
    Err(Error::new(ErrorKind::LockWait, Side::Target, text))
}

fn is_in_use(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::LockWait | ErrorKind::Deadlock)
}

/// The sessions that are in a database, as far as the login may see them.
async fn others(session: &mut Session, name: &str) -> Result<Vec<i64>> {
    let inside = format!(
        "SELECT CAST(s.session_id AS bigint) FROM sys.dm_exec_sessions AS s WHERE s.database_id = \
         DB_ID({}) AND s.session_id <> @@SPID",
        literal(name)
    );
    match answer::numbers(session, &inside).await {
        Ok(others) => Ok(others),
        Err(error) if !session.is_idle() => Err(error),
        Err(_refused) => Ok(Vec::new()),
    }
}

/// Puts out those who are in a database. True if it takes one session only from now on.
async fn shut(session: &mut Session, name: &str, others: &[i64]) -> Result<bool> {
    let sql = format!("ALTER DATABASE {} SET SINGLE_USER WITH ROLLBACK IMMEDIATE", quoted(name));
    match session.run(&sql).await {
        Ok(_rows) => return Ok(true),
        Err(error) if !session.is_idle() => return Err(error),
        // Not everybody may, and not every server can.
        Err(_refused) => {}
    }
    for id in others {
        match session.run(&format!("KILL {id}")).await {
            Err(error) if !session.is_idle() => return Err(error),
            // One that is gone already cannot be ended.
            Ok(_) | Err(_) => {}
        }
    }
    Ok(false)
}
