//! The sessions that a copy of SQL Server works in: what is set in them, and how they are ended from outside.
//!
//! Promises: a session is in `master`, where it keeps no database from being renamed, until it is told to go
//! into another ([`Conn::enter`]): to load rows, because not every server loads into other databases than the
//! session's. All that is asked in it names its database. Nothing that a login or a server has set by itself
//! (language, formats, limits of rows and of text) changes what comes of it; whoever waits for a lock does so for
//! a time that has a name.
//! Another session is ended only where the server says that it is still the one that we opened: numbers of
//! sessions are given again at once.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::loading::Prepared;
use crate::copy::connections::Kill;
use crate::endpoint::Endpoint;
use crate::error::{Result, Side};
use crate::mssql::name::{literal, quoted};
use crate::mssql::script;
use crate::mssql::script::digest::{Form, JOINS_BYTES};
use crate::mssql::session::Session;
use crate::mssql::value::Value;

/// How long a statement waits for a lock on an object, in seconds.
pub const LOCK_WAIT_SECONDS: u32 = 300;
/// How long a batch of rows waits for a lock, in seconds.
pub const ROW_WAIT_SECONDS: u32 = 50;
/// The database that sessions are in.
pub const HOME: &str = "master";
/// What a session needs besides [`script::SESSION`]. Texts and numbers of our own have explicit formats;
/// what expressions of the source mean without one depends on the language, which here is the usual one.
const SETTINGS: &str = "SET LANGUAGE us_english; SET TEXTSIZE 2147483647; SET NOCOUNT OFF; SET ROWCOUNT 0; \
                        SET IMPLICIT_TRANSACTIONS OFF";

/// A connection of a copy.
#[derive(Debug)]
pub struct Conn {
    /// Its session.
    pub session: Session,
    place: Place,
    /// How it is asked for digests.
    form: Form,
    /// What is known of the table that was loaded last.
    pub(super) prepared: Option<Prepared>,
}

/// What tells a session from all others, also from those that get its number later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The server by its own name: behind one address there may be several.
    pub server: String,
    /// Its number there.
    pub number: u64,
    /// When it logged in, if the server says.
    pub began: Option<String>,
}

/// A session, and where it is reached.
#[derive(Clone, Debug)]
struct Place {
    endpoint: Arc<Endpoint>,
    mark: Mark,
}

impl Conn {
    /// Its number at the server, which KILL takes. The protocol has 16 bits for it, and not every server does
    /// with them.
    pub fn number(&self) -> u64 {
        self.place.mark.number
    }

    /// What its server calls itself.
    pub fn server(&self) -> &str {
        &self.place.mark.server
    }

    /// How it and another server are both asked for digests.
    pub fn digest_with(&self, other: &Conn) -> Form {
        match (self.form, other.form) {
            (Form::Bytes, Form::Bytes) => Form::Bytes,
            (Form::Texts, _) | (_, Form::Texts) => Form::Texts,
        }
    }

    /// What ends it from outside. Does nothing where the login may not end sessions: then the end of its
    /// stream has to do.
    pub fn kill(&self) -> Kill {
        let place = self.place.clone();
        Kill::new(place.mark.server.clone(), place.mark.number, async move {
            // Whoever cannot be reached or may not be ended ends by itself.
            let _ = end_at(&place).await;
        })
    }

    /// Goes into a database, or back to [`HOME`]. While it is there the database cannot be renamed.
    pub async fn enter(&mut self, database: &str) -> Result<()> {
        self.prepared = None;
        self.session.run(&format!("USE {}", quoted(database))).await?;
        Ok(())
    }

    /// Sets how long it waits for locks from now on.
    pub async fn wait_for_locks(&mut self, seconds: u32) -> Result<()> {
        self.session.run(&format!("SET LOCK_TIMEOUT {}", u64::from(seconds) * 1000)).await?;
        Ok(())
    }

    /// How many transactions are open. Not every server tells of those that statements begin, so it is asked.
    pub async fn transactions(&mut self) -> Result<u64> {
        let rows = self.session.query("SELECT CAST(@@TRANCOUNT AS bigint)").await?;
        Ok(number(&rows, 0))
    }

    /// Ends it, at [`HOME`]: there are servers that for a while take one that has ended for one that still is
    /// where it was (Babelfish for PostgreSQL), and rename no database meanwhile.
    pub async fn close(mut self) {
        if self.session.is_idle() {
            // It ends all the same.
            let _ = self.enter(HOME).await;
        }
        self.session.close().await;
    }
}

/// A session on the source that reads what is told of objects.
pub async fn catalogue(source: &Endpoint) -> Result<Conn> {
    let opened = open(source, "copy catalogue", LOCK_WAIT_SECONDS).await;
    opened.map_err(|error| error.on(Side::Source))
}

/// A session on the source that reads rows; it does not yet see any moment, see [`script::snapshot`].
pub async fn reader(source: &Endpoint) -> Result<Conn> {
    let opened = open(source, "copy reader", LOCK_WAIT_SECONDS).await;
    opened.map_err(|error| error.on(Side::Source))
}

/// A session on the target that writes rows and makes objects.
pub async fn writer(target: &Endpoint, purpose: &str) -> Result<Conn> {
    open(target, purpose, ROW_WAIT_SECONDS).await
}

/// Opens a session that others can be told from.
async fn open(endpoint: &Endpoint, purpose: &str, wait_seconds: u32) -> Result<Conn> {
    let endpoint = Arc::new(Endpoint { database: Some(HOME.to_owned()), ..endpoint.clone() });
    let mut session = Session::connect(&endpoint, purpose).await?;
    session.run(script::SESSION).await?;
    session.run(SETTINGS).await?;
    let rows = session.query(&format!("{MARK}, {JOINS_BYTES}")).await?;
    let mark = marked(&rows, &endpoint.address());
    let place = Place { endpoint, mark };
    let form = if number(&rows, 3) == 1 { Form::Bytes } else { Form::Texts };
    let mut conn = Conn { session, place, form, prepared: None };
    conn.wait_for_locks(wait_seconds).await?;
    Ok(conn)
}

/// What tells the session itself from others: number, server, when it logged in.
///
/// The newer `sys.dm_exec_sessions` of Babelfish for PostgreSQL leaves sessions out, see [`super::places`].
/// `sys.sysprocesses` may have several rows for one, here as there.
const MARK: &str = "SELECT CAST(@@SPID AS bigint), CAST(SERVERPROPERTY('ServerName') AS \
                    nvarchar(128)), (SELECT MAX(CONVERT(nvarchar(64), s.login_time, 121)) FROM \
                    sys.sysprocesses AS s WHERE s.spid = @@SPID)";

/// What tells a session from all others.
pub async fn mark(session: &mut Session) -> Result<Mark> {
    Ok(marked(&session.query(MARK).await?, ""))
}

/// The first three columns of the first row; `address` stands for a server that has no name.
fn marked(rows: &[Vec<Value>], address: &str) -> Mark {
    Mark {
        server: text(rows, 1).unwrap_or_else(|| address.to_owned()),
        number: number(rows, 0),
        began: text(rows, 2),
    }
}

/// The sessions that hold an application lock of this name exclusively, as far as the login may see that; of names
/// the server shows as many characters as [`LOCK_NAME_SHOWN`]. The session is in the lock's database.
pub async fn holders(session: &mut Session, name: &str) -> Result<Vec<Mark>> {
    let shown: String = name.chars().take(LOCK_NAME_SHOWN).collect();
    let asked = format!(
        "SELECT DISTINCT CAST(s.spid AS bigint), CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)), \
         CONVERT(nvarchar(64), s.login_time, 121) FROM sys.dm_tran_locks AS l JOIN sys.sysprocesses \
         AS s ON s.spid = l.request_session_id WHERE l.resource_type = N'APPLICATION' AND \
         l.resource_database_id = DB_ID() AND l.request_status = N'GRANT' AND l.request_mode = N'X' \
         AND s.spid <> @@SPID AND CHARINDEX({}, l.resource_description) > 0",
        literal(&format!("[{shown}]"))
    );
    let rows = match session.query(&asked).await {
        Ok(rows) => rows,
        Err(error) if !session.is_idle() => return Err(error),
        // Not every login may ask, and not every server tells.
        Err(_refused) => Vec::new(),
    };
    Ok(rows.iter().map(|row| marked(std::slice::from_ref(row), "")).collect())
}

/// Characters of an application lock's name that the view of locks shows.
const LOCK_NAME_SHOWN: usize = 32;

/// Has the server end a session, if it is still the one that is meant; false if there is none. Not every login
/// may end others, or see them: those that it does not see are none.
pub async fn end(session: &mut Session, mark: &Mark) -> Result<bool> {
    let Some(began) = &mark.began else { return Ok(false) };
    let (server, began, number) = (literal(&mark.server), literal(began), mark.number);
    let sql = format!(
        "IF CAST(SERVERPROPERTY('ServerName') AS nvarchar(128)) = {server} AND EXISTS (SELECT 1 FROM \
         sys.sysprocesses AS s WHERE s.spid = {number} AND CONVERT(nvarchar(64), s.login_time, \
         121) = {began}) BEGIN KILL {number}; SELECT CAST(1 AS bigint) END ELSE SELECT CAST(0 AS bigint)"
    );
    Ok(self::number(&session.query(&sql).await?, 0) == 1)
}

async fn end_at(place: &Place) -> Result<()> {
    let mut session = Session::connect(&place.endpoint, "copy end").await?;
    let ended = end(&mut session, &place.mark).await;
    session.close().await;
    ended.map(|_was_there| ())
}

fn text(rows: &[Vec<Value>], index: usize) -> Option<String> {
    match rows.first().and_then(|row| row.get(index)) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

/// A number of the first row of an answer; 0 where there is none.
pub(super) fn number(rows: &[Vec<Value>], index: usize) -> u64 {
    match rows.first().and_then(|row| row.get(index)) {
        Some(Value::Int(number)) => u64::try_from(*number).unwrap_or_default(),
        _ => 0,
    }
}
