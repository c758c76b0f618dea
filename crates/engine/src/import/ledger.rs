//! The ledger: how far an import is, kept on the target beside the data it speaks of.
//!
//! Commits are in file order, so one position is enough. It moves inside the transaction that brings
//! in the data, as the last act before the commit ([`Marker::advance`]): both are in, or neither.
//! What cannot share a transaction with it (definitions, engines without transactions) is announced
//! before as a [`Doubt`]; whoever resumes settles it by looking. The ledger is gone after a success.
//! It keeps a token, too: whoever takes an import over raises it, and with an older one no position
//! moves and no transaction that moves one commits ([`crate::import::fence`]).
//! It decides nothing about statements ([`care`]) and reads no file.

use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::fence::superseded;
use crate::import::indexes::{self, deferral::Deferral};
use crate::import::session::from_hex;
use crate::mysql::conn::Conn;

pub mod care;
pub mod counters;
pub mod doubt;
pub mod home;

pub use doubt::Doubt;
use home::Home;

/// How long a connection of an import that died is waited for at once, in seconds: whoever waits may
/// die too, and the server would go on waiting for it.
const DEAD_WAIT_SECS: u32 = 5;
/// How often it is waited for before it is killed, and after.
const DEAD_WAITS: u32 = 6;
/// How long an import may seem to be alive before it is taken to be, in seconds.
pub const PATIENCE_SECS: u32 = 2 * DEAD_WAIT_SECS;

/// A place in the file, and proof of what stood before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// Everything before this byte of the decoded text is in.
    pub offset: u64,
    /// A digest of the text up to a place at or before it.
    pub check: Check,
}

/// A digest of the statements before a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// The place: the end of a statement.
    pub offset: u64,
    /// XXH3 of the bytes of all statements up to it.
    pub digest: u64,
}

/// Digests the statements of a file one after another.
pub struct Digest {
    hash: xxhash_rust::xxh3::Xxh3,
    offset: u64,
}

impl Digest {
    /// Nothing was read.
    pub fn new() -> Digest {
        Digest { hash: xxhash_rust::xxh3::Xxh3::new(), offset: 0 }
    }

    /// Adds a statement, or a part of one, that ends at `end_offset`.
    pub fn add(&mut self, bytes: &[u8], end_offset: u64) {
        self.hash.update(bytes);
        self.offset = end_offset;
    }

    /// Up to here.
    pub fn check(&self) -> Check {
        match self.offset {
            0 => Check::default(),
            offset => Check { offset, digest: self.hash.digest() },
        }
    }

    /// The end of what was added last.
    pub fn offset(&self) -> u64 {
        self.offset
    }
}

impl Default for Digest {
    fn default() -> Digest {
        Digest::new()
    }
}

/// Rows that a commit adds to a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counted {
    /// The table's database.
    pub schema: String,
    /// The table.
    pub table: String,
    /// How many; `None` if that cannot be told, and so never again.
    pub rows: Option<u64>,
}

/// Begins the line of [`Identity::options`] that names the job that an import is for.
pub const JOB: &str = "job=";

/// What makes two imports the same: compared before one goes on with the other's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The file as the user named it; for messages only.
    pub file: String,
    /// Bytes as it is stored, if known.
    pub size: Option<u64>,
    /// Options that change what is made of the file: one `name=value` a line.
    pub options: String,
}

impl Identity {
    /// The job that the import is for, if it is for one.
    pub fn job(&self) -> Option<&str> {
        self.options.lines().find_map(|line| line.strip_prefix(JOB))
    }
}

/// Moves an import's position: what a connection needs to know of the ledger.
#[derive(Clone, Debug)]
pub struct Marker {
    run: u64,
    token: u64,
    imports: String,
    row_counts: String,
}

impl Marker {
    /// The statements that move the position, to be sent in one go before a COMMIT. They hold in
    /// any session: names in backticks, values as numbers or hexadecimal digits. If the import is
    /// another's now the first of them fails ([`is_fenced`]), and so nothing after it is executed.
    pub fn advance(&self, position: Position, counted: &[Counted]) -> Vec<u8> {
        self.statements(position, None, counted)
    }

    /// The same, but what follows is in doubt until the position moves again.
    pub fn announce(&self, position: Position, doubt: &Doubt) -> Vec<u8> {
        self.statements(position, Some(doubt), &[])
    }

    fn statements(&self, at: Position, doubt: Option<&Doubt>, counted: &[Counted]) -> Vec<u8> {
        let doubt =
            doubt.map_or_else(|| "NULL".to_owned(), |doubt| hex(doubt.to_text().as_bytes()));
        let Marker { run, token, imports, .. } = self;
        let mut text = format!(
            "{} FOR UPDATE; UPDATE {imports} SET at_byte = {}, check_byte = {}, digest = {}, doubt = \
             {doubt} WHERE run = {run} AND token = {token}",
            self.proof(),
            at.offset,
            at.check.offset,
            at.check.digest,
        );
        let rows: Vec<String> = counted
            .iter()
            .map(|Counted { schema, table, rows }| {
                let (schema, table) = (hex(schema.as_bytes()), hex(table.as_bytes()));
                let rows = rows.map_or_else(|| "NULL".to_owned(), |rows| rows.to_string());
                format!("({}, {schema}, {table}, {rows})", self.run)
            })
            .collect();
        if !rows.is_empty() {
            text.push_str(&format!(
                "; INSERT INTO {} (run, schema_name, table_name, row_count) VALUES {} ON DUPLICATE \
                 KEY UPDATE row_count = row_count + VALUES(row_count)",
                self.row_counts,
                rows.join(", ")
            ));
        }
        text.into_bytes()
    }

    /// A query that fails if the import is another's now ([`is_fenced`]).
    fn proof(&self) -> String {
        let Marker { run, token, imports, .. } = self;
        // A sum that is too large for its type is an error in every session, and not worked out as
        // long as it is not needed. Nothing else is one where no row is met.
        format!(
            "SELECT IF(COUNT(*) = 1, 1, {} + (1 + COUNT(*))) FROM {imports} WHERE run = {run} AND \
             token = {token}",
            u64::MAX
        )
    }

    /// The name of the user-level lock that connection `who` holds as long as it lives.
    fn lock(&self, who: &str) -> String {
        format!("dbferry {} {who}", self.run)
    }

    /// Lets a later run see that this connection still works for this import, and end it. Servers that
    /// have no such locks (clusters) do without. An error if the import is another's now: whoever took
    /// it over looked for connections after that was written down, and so missed none that got here.
    pub async fn sign(&self, conn: &mut Conn, who: &str) -> Result<()> {
        self.hold(conn, who).await;
        self.check(conn).await
    }

    /// Signs without looking.
    pub(super) async fn hold(&self, conn: &mut Conn, who: &str) {
        // Whoever looks for unfinished imports may hold it for a moment.
        let query = format!("SELECT GET_LOCK('{}', {DEAD_WAIT_SECS})", self.lock(who));
        let _ = conn.query(query.as_bytes()).await;
    }

    /// An error if the import is another's now.
    async fn check(&self, conn: &mut Conn) -> Result<()> {
        let Marker { run, token, imports, .. } = self;
        let query = format!("SELECT 1 FROM {imports} WHERE run = {run} AND token = {token}");
        match conn.scalar(&query).await {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(superseded()),
            Err(error) if error.code().is_some_and(is_no_table) => Err(superseded()),
            Err(error) => Err(error),
        }
    }

    /// Whoever else signed for the import does not work for it any more.
    async fn end_others(&self, conn: &mut Conn, lanes: u64) -> Result<()> {
        for name in others(lanes) {
            end_holder(conn, &self.lock(&name)).await?;
        }
        Ok(())
    }

    /// Waits until nobody who signed as main connection, lane or builder is left.
    async fn outlive_others(&self, conn: &mut Conn, lanes: u64) -> Result<()> {
        for name in others(lanes) {
            outlive(conn, &self.lock(&name)).await?;
        }
        Ok(())
    }
}

/// The place that tells of import `run`, with the tables that an older version did not make.
async fn home_of(conn: &mut Conn, endpoint: &Endpoint, run: u64) -> Result<Home> {
    home::enter(conn).await?;
    let home = match Home::of(conn, endpoint, run).await {
        Ok(Some(home)) => home.make_tables(conn).await.map(|()| home),
        Ok(None) => Err(vanished()),
        Err(error) => Err(error),
    };
    home::leave(conn).await;
    home
}

/// What the server says when the position is not ours to move: a number out of range, or that the
/// ledger is gone.
pub fn is_fenced(error: &Error) -> bool {
    const OUT_OF_RANGE: u32 = 1690;
    error.code().is_some_and(|code| code == OUT_OF_RANGE || is_no_table(code))
}

/// No such table, or no such schema.
fn is_no_table(code: u32) -> bool {
    matches!(code, 1146 | 1049)
}

/// The error of something that was sent after [`Marker::advance`] and with nothing of the file's.
pub fn judged(error: Error) -> Error {
    if is_fenced(&error) { superseded().with_source(error) } else { error }
}

/// The ledger of one import, with a connection of its own.
pub struct Ledger {
    conn: Conn,
    home: Home,
    marker: Marker,
}

/// An import that did not come to its end.
#[derive(Clone, Debug)]
pub struct Unfinished {
    /// Its number.
    pub run: u64,
    /// What it imported.
    pub identity: Identity,
    /// How far it is.
    pub position: Position,
    /// Of whoever worked on it last: only that or a higher one goes on.
    pub token: u64,
    /// What was announced and never settled.
    pub doubt: Option<Doubt>,
    /// When it began, by the server's clock.
    pub started: String,
    /// A process still works on it.
    pub is_alive: bool,
    /// Rows by table, as far as they can be told.
    pub counted: Vec<Counted>,
    /// Its row counts hold.
    pub counts_hold: bool,
    /// The most connections that signed as lanes.
    lanes: u64,
}

impl Unfinished {
    /// One that nothing else is known of.
    #[cfg(test)]
    pub(super) fn sample(identity: Identity, position: Position) -> Unfinished {
        Unfinished {
            run: 1,
            identity,
            position,
            token: 0,
            doubt: None,
            started: String::new(),
            is_alive: false,
            counted: Vec::new(),
            counts_hold: true,
            lanes: 1,
        }
    }
}

impl Ledger {
    /// Opens a ledger for a new import.
    pub async fn create(
        endpoint: &Endpoint,
        identity: &Identity,
        lanes: usize,
        token: u64,
    ) -> Result<Ledger> {
        let mut conn = home::connect(endpoint).await?;
        let home = Home::make(&mut conn, endpoint).await?;
        let outcome = add(&mut conn, &home, identity, (lanes, token)).await;
        home::leave(&mut conn).await;
        let marker = outcome?;
        marker.sign(&mut conn, "ledger").await?;
        Ok(Ledger { conn, home, marker })
    }

    /// Takes over the ledger of an import that died; waits until its connections are gone. A job's is
    /// taken with the holder's `token`, if nobody has come with a higher one; any other's by one only.
    pub async fn take_over(
        endpoint: &Endpoint,
        dead: &Unfinished,
        lanes: usize,
        token: Option<u64>,
    ) -> Result<Ledger> {
        let mut conn = home::connect(endpoint).await?;
        let home = home_of(&mut conn, endpoint, dead.run).await?;
        let marker = home.marker(dead.run, token.unwrap_or(dead.token + 1));
        marker.hold(&mut conn, "ledger").await;
        // What is still rolled back there holds the ledger's row.
        marker.outlive_others(&mut conn, dead.lanes).await?;
        let most = (lanes as u64).max(dead.lanes);
        let Marker { run, token: new, imports, .. } = &marker;
        let raise = format!(
            "UPDATE {imports} SET lanes = {most}, token = {new} WHERE run = {run} AND token <= {}",
            token.unwrap_or(dead.token)
        );
        let raised = conn.query(raise.as_bytes()).await?;
        if token.is_none() && raised.affected_rows == 0 {
            return Err(superseded());
        }
        marker.check(&mut conn).await?;
        // Whoever signed meanwhile, and does not know yet.
        marker.end_others(&mut conn, most).await?;
        marker.outlive_others(&mut conn, most).await?;
        Ok(Ledger { conn, home, marker })
    }

    /// Takes back a ledger that was opened for nothing; nothing happens if it is another's now.
    pub async fn withdraw(mut self) -> Result<()> {
        home::enter(&mut self.conn).await?;
        let Marker { run, token, imports, .. } = &self.marker;
        let text = format!("DELETE FROM {imports} WHERE run = {run} AND token = {token}");
        let outcome = match self.conn.query(text.as_bytes()).await {
            Ok(effect) if effect.affected_rows > 0 => self.home.forget(&mut self.conn, *run).await,
            Ok(_) => Ok(()),
            Err(error) => Err(error),
        };
        home::leave(&mut self.conn).await;
        self.conn.close().await;
        outcome
    }

    /// An error if the import is another's now.
    pub async fn check(&mut self) -> Result<()> {
        self.marker.check(&mut self.conn).await
    }

    /// What connections need for moving the position.
    pub fn marker(&self) -> Marker {
        self.marker.clone()
    }

    /// The ledger's own connection, for looking things up beside it.
    pub fn conn(&mut self) -> &mut Conn {
        &mut self.conn
    }

    /// Moves the position in a transaction of its own.
    pub async fn advance(&mut self, position: Position, counted: &[Counted]) -> Result<()> {
        let text = self.marker.advance(position, counted);
        self.conn.query(&text).await.map(|_effect| ()).map_err(judged)
    }

    /// Announces something that cannot share a transaction with the position.
    pub async fn announce(&mut self, position: Position, doubt: &Doubt) -> Result<()> {
        let text = self.marker.announce(position, doubt);
        self.conn.query(&text).await.map(|_effect| ()).map_err(judged)
    }

    /// Waits until no lane of this import is left on the server.
    pub async fn outlive_lanes(&mut self, lanes: usize) -> Result<()> {
        for lane in 0..lanes {
            outlive(&mut self.conn, &self.marker.lock(&lane_name(lane as u64))).await?;
        }
        Ok(())
    }

    /// The position's byte.
    pub async fn offset(&mut self) -> Result<u64> {
        let Marker { run, imports, .. } = &self.marker;
        let query = format!("SELECT at_byte FROM {imports} WHERE run = {run}");
        let offset = self.conn.scalar(&query).await?;
        offset.and_then(|offset| offset.parse().ok()).ok_or_else(vanished)
    }

    /// Casts a doubt on what comes after the position, which stays where it is.
    pub async fn cast_doubt(&mut self, doubt: &Doubt) -> Result<()> {
        let Marker { run, imports, .. } = &self.marker;
        let doubt = hex(doubt.to_text().as_bytes());
        let text = format!("UPDATE {imports} SET doubt = {doubt} WHERE run = {run}");
        self.conn.query(text.as_bytes()).await.map(|_effect| ())
    }

    /// From now on the counts of rows say nothing.
    pub async fn give_up_counts(&mut self) -> Result<()> {
        let Marker { run, imports, .. } = &self.marker;
        let text = format!("UPDATE {imports} SET counts_hold = 0 WHERE run = {run}");
        self.conn.query(text.as_bytes()).await.map(|_effect| ())
    }

    /// Forgets the rows of a table: a statement is about to change it.
    pub async fn forget_counts(&mut self, schema: &str, table: &str) -> Result<()> {
        let Marker { run, row_counts, .. } = &self.marker;
        let (schema, table) = (hex(schema.as_bytes()), hex(table.as_bytes()));
        let text = format!(
            "DELETE FROM {row_counts} WHERE run = {run} AND schema_name = {schema} AND table_name = \
             {table}"
        );
        self.conn.query(text.as_bytes()).await.map(|_effect| ())
    }

    /// Keeps what is about to be taken out of a table.
    pub async fn keep_deferral(&mut self, deferral: &Deferral) -> Result<()> {
        let text = serde_json::to_string(deferral).unwrap_or_default();
        let (schema, table) = (hex(deferral.schema.as_bytes()), hex(deferral.table.as_bytes()));
        let text = format!(
            "INSERT INTO {} (run, schema_name, table_name, deferral) VALUES ({}, {schema}, {table}, {})",
            self.home.indexes(),
            self.marker.run,
            hex(text.as_bytes())
        );
        self.conn.query(text.as_bytes()).await.map(|_effect| ())
    }

    /// It is back, or another one of the table has taken its place.
    pub async fn drop_deferral(&mut self, deferral: &Deferral) -> Result<()> {
        let text = serde_json::to_string(deferral).unwrap_or_default();
        let (schema, table) = (hex(deferral.schema.as_bytes()), hex(deferral.table.as_bytes()));
        let text = format!(
            "DELETE FROM {} WHERE run = {} AND schema_name = {schema} AND table_name = {table} AND \
             deferral = {}",
            self.home.indexes(),
            self.marker.run,
            hex(text.as_bytes())
        );
        self.conn.query(text.as_bytes()).await.map(|_effect| ())
    }

    /// What was taken out and not given back, in the order of its taking.
    pub async fn deferrals(&mut self) -> Result<Vec<Deferral>> {
        let query = format!(
            "SELECT HEX(deferral) FROM {} WHERE run = {} ORDER BY number",
            self.home.indexes(),
            self.marker.run
        );
        let rows = self.conn.rows(&query).await?;
        rows.into_iter()
            .map(|row| {
                let text = from_hex(&row.into_iter().next()??)?;
                serde_json::from_str(&text).ok()
            })
            .collect::<Option<Vec<Deferral>>>()
            .ok_or_else(unreadable)
    }

    /// The import is over and nothing is left to resume: removes what was kept of it.
    pub async fn remove(mut self) -> Result<()> {
        home::enter(&mut self.conn).await?;
        let outcome = self.home.forget(&mut self.conn, self.marker.run).await;
        home::leave(&mut self.conn).await;
        self.conn.close().await;
        outcome
    }

    /// Leaves the ledger to whoever resumes.
    pub async fn leave(self) {
        self.conn.close().await;
    }
}

/// Adds the import to the ledger's list.
async fn add(
    conn: &mut Conn,
    home: &Home,
    identity: &Identity,
    (lanes, token): (usize, u64),
) -> Result<Marker> {
    let run = conn.scalar("SELECT UUID_SHORT()").await?.and_then(|run| run.parse().ok());
    let run: u64 = run.ok_or_else(|| {
        Error::new(ErrorKind::Internal, Side::Target, "the server gave no number to the import")
    })?;
    let marker = home.marker(run, token);
    let size = identity.size.map_or_else(|| "NULL".to_owned(), |size| size.to_string());
    let (file, options) = (hex(identity.file.as_bytes()), hex(identity.options.as_bytes()));
    let text = format!(
        "INSERT INTO {} (run, file_name, file_size, options, lanes, token) VALUES ({run}, {file}, \
         {size}, {options}, {lanes}, {token})",
        marker.imports
    );
    conn.query(text.as_bytes()).await?;
    Ok(marker)
}

/// The imports that the ledger on this server tells of, the oldest first; none if it has no ledger.
/// One counts as alive if it still seems so after `patience_secs`.
pub async fn unfinished(endpoint: &Endpoint, patience_secs: u32) -> Result<Vec<Unfinished>> {
    unfinished_of_interest(endpoint, patience_secs, |_identity| true).await
}

/// Those of one job.
pub async fn unfinished_of_job(
    endpoint: &Endpoint,
    patience_secs: u32,
    job: &str,
) -> Result<Vec<Unfinished>> {
    unfinished_of_interest(endpoint, patience_secs, |identity| identity.job() == Some(job)).await
}

/// Only those of interest are waited for.
async fn unfinished_of_interest(
    endpoint: &Endpoint,
    patience_secs: u32,
    is_of_interest: impl Fn(&Identity) -> bool,
) -> Result<Vec<Unfinished>> {
    let mut conn = home::connect(endpoint).await?;
    let mut found = Vec::new();
    for home in Home::all(&mut conn, endpoint).await? {
        let query = format!(
            "SELECT run, HEX(file_name), file_size, HEX(options), at_byte, check_byte, digest, \
             HEX(doubt), started, counts_hold, lanes, token FROM {} ORDER BY started, run",
            home.imports()
        );
        for row in conn.rows(&query).await? {
            let mut import = unfinished_of(&row).ok_or_else(unreadable)?;
            if !is_of_interest(&import.identity) {
                continue;
            }
            let lock = home.marker(import.run, import.token).lock("ledger");
            let got = conn.scalar(&format!("SELECT GET_LOCK('{lock}', {patience_secs})")).await?;
            import.is_alive = got.as_deref() == Some("0");
            if got.as_deref() == Some("1") {
                conn.query(format!("SELECT RELEASE_LOCK('{lock}')").as_bytes()).await?;
            }
            import.counted = counted(&mut conn, &home, import.run).await?;
            found.push(import);
        }
    }
    conn.close().await;
    Ok(found)
}

/// Removes a ledger that tells of nothing: an import that was dropped while it made its ledger leaves
/// one.
pub async fn remove_empty(endpoint: &Endpoint) -> Result<()> {
    let mut conn = home::connect(endpoint).await?;
    home::enter(&mut conn).await?;
    let outcome = remove_if_empty(&mut conn, endpoint).await;
    home::leave(&mut conn).await;
    conn.close().await;
    outcome
}

async fn remove_if_empty(conn: &mut Conn, endpoint: &Endpoint) -> Result<()> {
    for home in Home::all(conn, endpoint).await? {
        home.remove_if_empty(conn).await?;
    }
    home::remove_empty_schema(conn).await
}

/// Ends the connections of an import on the server, whoever holds them: whoever knows that nobody
/// may work on it any more need not wait until the server finds out.
pub async fn end_connections(endpoint: &Endpoint, import: &Unfinished) -> Result<()> {
    let mut conn = home::connect(endpoint).await?;
    let (run, token) = (import.run, import.token);
    let marker = Marker { run, token, imports: String::new(), row_counts: String::new() };
    end_holder(&mut conn, &marker.lock("ledger")).await?;
    marker.end_others(&mut conn, import.lanes).await?;
    conn.close().await;
    Ok(())
}

/// Ends the connection that holds a lock, if there is one.
async fn end_holder(conn: &mut Conn, lock: &str) -> Result<()> {
    let holder = conn.scalar(&format!("SELECT IS_USED_LOCK('{lock}')")).await?;
    if let Some(id) = holder.and_then(|id| id.parse::<u64>().ok()) {
        // It may have ended by itself meanwhile.
        let _ = conn.query(format!("KILL {id}").as_bytes()).await;
    }
    Ok(())
}

/// Forgets an import that will not be resumed.
pub async fn forget(endpoint: &Endpoint, run: u64) -> Result<()> {
    let mut conn = home::connect(endpoint).await?;
    home::enter(&mut conn).await?;
    let outcome = match Home::of(&mut conn, endpoint, run).await {
        Ok(Some(home)) => home.forget(&mut conn, run).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    home::leave(&mut conn).await;
    conn.close().await;
    outcome
}

async fn counted(conn: &mut Conn, home: &Home, run: u64) -> Result<Vec<Counted>> {
    let query = format!(
        "SELECT HEX(schema_name), HEX(table_name), row_count FROM {} WHERE run = {run}",
        home.row_counts()
    );
    let rows = conn.rows(&query).await?;
    rows.iter()
        .map(|row| {
            let cell = |index: usize| row.get(index).cloned().flatten();
            Some(Counted {
                schema: from_hex(&cell(0)?)?,
                table: from_hex(&cell(1)?)?,
                rows: cell(2).and_then(|rows| rows.parse().ok()),
            })
        })
        .collect::<Option<Vec<Counted>>>()
        .ok_or_else(unreadable)
}

fn unfinished_of(row: &[Option<String>]) -> Option<Unfinished> {
    let cell = |index: usize| row.get(index).cloned().flatten();
    let number = |index: usize| cell(index)?.parse::<u64>().ok();
    let doubt = match cell(7) {
        None => None,
        Some(text) => Some(Doubt::of_text(&from_hex(&text)?)?),
    };
    Some(Unfinished {
        run: number(0)?,
        identity: Identity {
            file: from_hex(&cell(1)?)?,
            size: number(2),
            options: from_hex(&cell(3)?)?,
        },
        position: Position {
            offset: number(4)?,
            check: Check { offset: number(5)?, digest: number(6)? },
        },
        doubt,
        started: cell(8)?,
        counts_hold: number(9)? != 0,
        lanes: number(10)?,
        token: number(11)?,
        is_alive: false,
        counted: Vec::new(),
    })
}

/// What all sign with but the ledger's own connection.
fn others(lanes: u64) -> impl Iterator<Item = String> {
    let builders = (0..indexes::BUILDERS_MAX).map(indexes::build_name);
    let alone = ["main", indexes::SURVEY_NAME].map(str::to_owned);
    (0..lanes).map(lane_name).chain(builders).chain(alone)
}

/// What a lane signs with.
pub fn lane_name(lane: u64) -> String {
    format!("lane {lane}")
}

/// Waits until nobody holds a lock; kills its holder in the end. The process behind it is gone, but
/// the server may still execute what it sent.
async fn outlive(conn: &mut Conn, lock: &str) -> Result<()> {
    for kills in [true, false] {
        for _ in 0..DEAD_WAITS {
            let query = format!("SELECT GET_LOCK('{lock}', {DEAD_WAIT_SECS})");
            if conn.scalar(&query).await?.as_deref() == Some("1") {
                conn.query(format!("SELECT RELEASE_LOCK('{lock}')").as_bytes()).await?;
                return Ok(());
            }
        }
        let holder = conn.scalar(&format!("SELECT IS_USED_LOCK('{lock}')")).await?;
        if let Some(id) = holder.and_then(|id| id.parse::<u64>().ok()).filter(|_| kills) {
            // It may have ended by itself meanwhile.
            let _ = conn.query(format!("KILL {id}").as_bytes()).await;
        }
    }
    let text = "a connection of the import that is to be resumed still works on the server";
    Err(Error::new(ErrorKind::LockWait, Side::Target, text))
}

fn vanished() -> Error {
    Error::new(ErrorKind::Refused, Side::Target, "the ledger on the target has gone")
}

fn unreadable() -> Error {
    let text = "the ledger on the target was written by another version, or changed";
    Error::new(ErrorKind::Refused, Side::Target, text)
}

/// A string of bytes in a statement, right under any session.
fn hex(bytes: &[u8]) -> String {
    let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    format!("X'{digits}'")
}
