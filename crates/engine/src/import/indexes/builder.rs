//! The connections that take indexes out of a table and give them back.
//!
//! Promises: statements run in the file's session but for what would change their meaning (names in
//! UTF-8, `sql_mode = ''`, keys as the server wrote them); a build looks first at what is there, so
//! it can be begun again after any end; it is told as done only when the table's definition is what
//! it was. Decides nothing about when.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::deferral::{self, Addition, Circumstances, Deferral, Presence, Reason, identifier};
use super::definition;
use super::gauge::Building;
use super::rehearsal::Stage;
use super::sight::Created;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::ledger::Marker;
use crate::import::session::{self, SessionState};
use crate::import::table::literal;
use crate::mysql::conn::Conn;
use crate::mysql::facts::Flavor;

/// How long keys may wait for the table before they rather stay, in seconds.
const DROP_WAIT_SECONDS: u32 = 5;
const UNREHEARSED: Reason = "the server does not let its change be rehearsed";
/// What MySQL may use for sorting one index, in bytes: its default of 1 MiB makes for long merges.
const SORT_BYTES: u64 = 128 << 20;
/// The same for all that are built at once.
const SORT_BYTES_ALL: u64 = 256 << 20;

/// A connection for indexes: opened when it is needed, and again when it was lost.
pub struct Builder {
    endpoint: Endpoint,
    flavor: Flavor,
    /// What its connection signs in the ledger with.
    signature: Option<(Marker, String)>,
    conn: Option<Conn>,
    building: Building,
    sort_bytes: u64,
}

/// The session for a statement about indexes.
#[derive(Clone)]
pub struct Setting {
    /// The file's session; `None` for a session of our own.
    pub session: Option<Arc<SessionState>>,
    /// How long to wait for a table, in seconds; `None` as the session says.
    pub wait_seconds: Option<u32>,
}

impl Builder {
    /// Nothing is opened yet.
    pub fn new(endpoint: Endpoint, flavor: Flavor) -> Builder {
        let building = Building::default();
        Builder { endpoint, flavor, signature: None, conn: None, building, sort_bytes: SORT_BYTES }
    }

    /// Its connection shows whoever resumes that it still works.
    pub fn signing(mut self, marker: Option<Marker>, who: String) -> Builder {
        self.signature = marker.map(|marker| (marker, who));
        self
    }

    /// `count` of its kind may build at once, and share what is good for the server.
    pub fn one_of(mut self, count: usize) -> Builder {
        self.sort_bytes = SORT_BYTES.min(SORT_BYTES_ALL / count.max(1) as u64);
        self
    }

    /// Tells there while it builds.
    pub fn telling(mut self, building: Building) -> Builder {
        self.building = building;
        self
    }

    /// Plans what `schema.table`, made by the file, can do without for now; foreign keys to tables
    /// in `locked` stay.
    pub async fn plan(
        &mut self,
        schema: &str,
        table: &str,
        created: &Created,
        session: &Arc<SessionState>,
        locked: &[&str],
    ) -> std::result::Result<Deferral, Reason> {
        const UNANSWERED: Reason = "the server does not answer for its keys";
        let flavor = self.flavor;
        let setting = dropping(session);
        let conn = self.prepared(schema, &setting, true).await.map_err(|_| UNANSWERED)?;
        let planned = plan(conn, flavor, (schema, table), created, locked).await;
        // What is not understood is left alone; the error shows again where it matters.
        planned.unwrap_or(Err(UNANSWERED))
    }

    /// Takes the indexes out; a reason if they are all still there. Whether they are gone is only
    /// uncertain when the server went away, and then counts as gone.
    pub async fn take_out(
        &mut self,
        deferral: &Deferral,
        session: &Arc<SessionState>,
    ) -> std::result::Result<(), Reason> {
        const REFUSED: Reason = "the server does not let go of its keys";
        let setting = dropping(session);
        let Ok(conn) = self.prepared(&deferral.schema, &setting, true).await else {
            return Err(REFUSED);
        };
        let outcome = conn.query(deferral.drop.as_bytes()).await;
        match outcome {
            Err(_) if !conn.is_broken() => return Err(REFUSED),
            Err(_) | Ok(_) => {}
        }
        let present = match self.prepared(&deferral.schema, &setting, true).await {
            Ok(conn) => read_definition(conn, deferral).await,
            Err(error) => Err(error),
        };
        match present.map(|text| deferral.presence(&text)) {
            Ok(Presence::Present) => Err(REFUSED),
            Ok(Presence::Changed) if self.undo(deferral, session).await => {
                Err("its definition does not stay the same without its keys")
            }
            Ok(Presence::Missing(_) | Presence::Changed) | Err(_) => Ok(()),
        }
    }

    /// Plans what of an ALTER of the file can wait, which adds keys to `schema.table` with these
    /// clauses and begins at byte `since`.
    pub async fn plan_addition(
        &mut self,
        (schema, table): (&str, &str),
        clauses: &str,
        session: &Arc<SessionState>,
        since: u64,
    ) -> std::result::Result<Addition, Reason> {
        let prepared = self.prepared(schema, &dropping(session), true).await;
        let conn = prepared.map_err(|_| UNREHEARSED)?;
        let mut stage = Stage { conn, schema, table, sql_mode: session.sql_mode() };
        stage.addition(clauses, since).await.unwrap_or(Err(UNREHEARSED))
    }

    /// What `deferral` has to become by an ALTER of the file with these clauses, which its table goes
    /// through while its keys wait.
    pub async fn plan_carrying(
        &mut self,
        deferral: &Deferral,
        clauses: &str,
        session: &Arc<SessionState>,
        since: u64,
    ) -> std::result::Result<Deferral, Reason> {
        let Deferral { schema, table, .. } = deferral;
        let prepared = self.prepared(schema, &dropping(session), true).await;
        let conn = prepared.map_err(|_| UNREHEARSED)?;
        let mut stage = Stage { conn, schema, table, sql_mode: session.sql_mode() };
        stage.carried(deferral, clauses, since).await.unwrap_or(Err(UNREHEARSED))
    }

    /// Gives back what was taken out by a statement that did more than it should.
    async fn undo(&mut self, deferral: &Deferral, session: &Arc<SessionState>) -> bool {
        let Ok(conn) = self.prepared(&deferral.schema, &dropping(session), false).await else {
            return false;
        };
        if add(conn, &deferral.add).await.is_err() {
            return false;
        }
        let text = read_definition(conn, deferral).await;
        text.is_ok_and(|text| deferral.presence(&text) == Presence::Present)
    }

    /// Gives back what is missing, up to `steps` of [`Deferral::add`]. A lost connection is opened
    /// again once.
    pub async fn give_back(
        &mut self,
        deferral: &Deferral,
        setting: &Setting,
        steps: usize,
    ) -> Result<()> {
        match self.give_back_once(deferral, setting, steps).await {
            Err(error) if error.kind == ErrorKind::LostConnection => {
                self.give_back_once(deferral, setting, steps).await
            }
            outcome => outcome,
        }
    }

    async fn give_back_once(
        &mut self,
        deferral: &Deferral,
        setting: &Setting,
        steps: usize,
    ) -> Result<()> {
        let (flavor, sort_bytes, building) = (self.flavor, self.sort_bytes, self.building.clone());
        let conn = self.prepared(&deferral.schema, setting, false).await?;
        if flavor == Flavor::MySql {
            // Old versions do not know it.
            let text = format!("SET SESSION innodb_ddl_buffer_size = {sort_bytes}");
            let _ = conn.query(text.as_bytes()).await;
            allow_any_parent_key(conn).await;
        }
        let text = read_definition(conn, deferral).await?;
        let begin = match deferral.presence(&text) {
            Presence::Present => return Ok(()),
            Presence::Missing(step) => step,
            Presence::Changed => return Err(changed("it is another table now")),
        };
        building.begin(conn.id());
        let added = add(conn, deferral.add.get(begin..steps).unwrap_or_default()).await;
        building.end(conn.id());
        added?;
        let text = read_definition(conn, deferral).await?;
        match deferral.presence(&text) {
            Presence::Missing(step) if step >= steps => Ok(()),
            Presence::Present => Ok(()),
            Presence::Missing(_) | Presence::Changed => {
                Err(changed("its definition is not what it was"))
            }
        }
    }

    /// The connection, its session made ready for a statement about a table of `schema`.
    async fn prepared(
        &mut self,
        schema: &str,
        setting: &Setting,
        foreign_key_checks: bool,
    ) -> Result<&mut Conn> {
        if self.conn.as_ref().is_none_or(Conn::is_broken) {
            let mut conn = Conn::open(&self.endpoint, "import index").await?;
            if let Some((marker, who)) = &self.signature {
                marker.sign(&mut conn, who).await?;
            }
            self.conn = Some(conn);
        }
        let conn = self.conn.as_mut().ok_or_else(|| changed("the connection vanished"))?;
        if let Some(session) = &setting.session {
            let mut wanted = SessionState::clone(session);
            wanted.database = Some(schema.to_owned());
            let present = SessionState::read(conn).await?;
            session::apply(conn, &present, &Arc::new(wanted)).await?;
        }
        conn.query(b"SET NAMES utf8mb4").await?;
        conn.query(format!("USE {}", identifier(schema)).as_bytes()).await?;
        let mut set = format!(
            "SET SESSION sql_mode = '', sql_quote_show_create = 1, autocommit = 1, \
             foreign_key_checks = {}",
            u8::from(foreign_key_checks)
        );
        if self.flavor == Flavor::MariaDb {
            set.push_str(", max_statement_time = 0");
        }
        if let Some(seconds) = setting.wait_seconds {
            set.push_str(&format!(", lock_wait_timeout = {seconds}"));
        }
        conn.query(set.as_bytes()).await?;
        Ok(conn)
    }

    /// Ends the session.
    pub async fn close(self) {
        if let Some(conn) = self.conn {
            conn.close().await;
        }
    }
}

fn dropping(session: &Arc<SessionState>) -> Setting {
    Setting { session: Some(Arc::clone(session)), wait_seconds: Some(DROP_WAIT_SECONDS) }
}

async fn plan(
    conn: &mut Conn,
    flavor: Flavor,
    (schema, table): (&str, &str),
    created: &Created,
    locked: &[&str],
) -> Result<std::result::Result<Deferral, Reason>> {
    let full_name = format!("{}.{}", identifier(schema), identifier(table));
    let there = conn.rows(&format!("SHOW CREATE TABLE {full_name}")).await?;
    let Some(text) = there.first().and_then(|row| row.get(1).cloned().flatten()) else {
        return Ok(Err("its definition is not told"));
    };
    let catalogue = conn
        .rows(&format!(
            "SELECT DISTINCT INDEX_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = {} \
             AND TABLE_NAME = {}",
            literal(schema),
            literal(table)
        ))
        .await?;
    if created.if_not_exists
        && !conn.rows(&format!("SELECT 1 FROM {full_name} LIMIT 1")).await?.is_empty()
    {
        return Ok(Err("it may have been there before"));
    }
    let circumstances = Circumstances {
        catalogue: catalogue.into_iter().filter_map(|row| row.into_iter().next()?).collect(),
        named: created.named.clone(),
        parents_at_hand: parents_at_hand(conn, flavor, schema, &text, locked).await?,
    };
    Ok(deferral::plan(schema, table, &text, &circumstances))
}

/// Whether foreign keys could be let go and given back: what they refer to is not locked, and the
/// server takes every kind of key for it. It need not be there yet: dumps make tables in the order of
/// their names, and with `foreign_key_checks=0` both servers take a key to a table to come.
async fn parents_at_hand(
    conn: &mut Conn,
    flavor: Flavor,
    schema: &str,
    text: &str,
    locked: &[&str],
) -> Result<bool> {
    let foreign_keys = definition::parse(text).unwrap_or_default().foreign_keys;
    let parents: BTreeSet<(String, String)> = foreign_keys
        .into_iter()
        .map(|key| (key.parent_schema.unwrap_or_else(|| schema.to_owned()), key.parent))
        .collect();
    if parents.is_empty() {
        return Ok(true);
    }
    if flavor == Flavor::MySql && !allow_any_parent_key(conn).await {
        return Ok(false);
    }
    if parents.iter().any(|(_, table)| locked.iter().any(|l| l.eq_ignore_ascii_case(table))) {
        return Ok(false);
    }
    Ok(true)
}

/// MySQL's demand for a unique key in the other table, which the file may have switched off. False
/// if it cannot be switched off; versions that do not know it have none.
async fn allow_any_parent_key(conn: &mut Conn) -> bool {
    const UNKNOWN_VARIABLE: u32 = 1193;
    let outcome = conn.query(b"SET SESSION restrict_fk_on_non_standard_key = OFF").await;
    outcome.map_or_else(|error| error.code() == Some(UNKNOWN_VARIABLE), |_effect| true)
}

async fn add(conn: &mut Conn, statements: &[String]) -> Result<()> {
    for statement in statements {
        conn.query(statement.as_bytes()).await?;
    }
    Ok(())
}

async fn read_definition(conn: &mut Conn, deferral: &Deferral) -> Result<String> {
    let (schema, table) = (identifier(&deferral.schema), identifier(&deferral.table));
    let rows = conn.rows(&format!("SHOW CREATE TABLE {schema}.{table}")).await?;
    let text = rows.first().and_then(|row| row.get(1).cloned().flatten());
    text.ok_or_else(|| changed("its definition is not told"))
}

fn changed(what: &str) -> Error {
    Error::new(ErrorKind::Statement, Side::Target, what)
}
