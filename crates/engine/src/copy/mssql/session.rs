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

/// What tells a session from all others.
#[derive(Clone, Debug)]
struct Place {
    endpoint: Arc<Endpoint>,
    /// The server by its own name: behind one address there may be several.
    server: String,
    number: u64,
    /// When it logged in, if the server says.
    began: Option<String>,
}

impl Conn {
    /// Its number at the server, which KILL takes. The protocol has 16 bits for it, and not every server does
    /// with them.
    pub fn number(&self) -> u64 {
        self.place.number
    }

    /// What its server calls itself.
    pub fn server(&self) -> &str {
        &self.place.server
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
        Kill::new(place.server.clone(), place.number, async move {
            // Whoever cannot be reached or may not be ended ends by itself.
            let _ = end(&place).await;
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

async fn open(endpoint: &Endpoint, purpose: &str, wait_seconds: u32) -> Result<Conn> {
    let endpoint = Endpoint { database: Some(HOME.to_owned()), ..endpoint.clone() };
    let mut session = Session::connect(&endpoint, purpose).await?;
    session.run(script::SESSION).await?;
    session.run(SETTINGS).await?;
    let asked = format!(
        "SELECT CAST(@@SPID AS bigint), {SERVER}, (SELECT {BEGAN} FROM sys.dm_exec_sessions WHERE \
         session_id = @@SPID), {JOINS_BYTES}"
    );
    let rows = session.query(&asked).await?;
    let text = |index: usize| match rows.first().and_then(|row| row.get(index)) {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    };
    let server = text(1).unwrap_or_else(|| endpoint.address());
    let endpoint = Arc::new(endpoint);
    let place = Place { endpoint, server, number: number(&rows, 0), began: text(2) };
    let form = if number(&rows, 3) == 1 { Form::Bytes } else { Form::Texts };
    let mut conn = Conn { session, place, form, prepared: None };
    conn.wait_for_locks(wait_seconds).await?;
    Ok(conn)
}

/// What a server calls itself.
const SERVER: &str = "CAST(SERVERPROPERTY('ServerName') AS nvarchar(128))";
/// When a session logged in, as text.
const BEGAN: &str = "CONVERT(nvarchar(64), login_time, 121)";

/// Has the server end a session, if it is the one that is meant.
async fn end(place: &Place) -> Result<()> {
    let Some(began) = &place.began else { return Ok(()) };
    let mut session = Session::connect(&place.endpoint, "copy end").await?;
    let (server, began) = (literal(&place.server), literal(began));
    let number = place.number;
    let sql = format!(
        "IF {SERVER} = {server} AND EXISTS (SELECT 1 FROM sys.dm_exec_sessions WHERE session_id = {number} \
         AND {BEGAN} = {began}) KILL {number}"
    );
    let ended = session.run(&sql).await;
    session.close().await;
    ended.map(|_| ())
}

/// A number of the first row of an answer; 0 where there is none.
pub(super) fn number(rows: &[Vec<Value>], index: usize) -> u64 {
    match rows.first().and_then(|row| row.get(index)) {
        Some(Value::Int(number)) => u64::try_from(*number).unwrap_or_default(),
        _ => 0,
    }
}
