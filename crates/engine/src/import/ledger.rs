//! The ledger: how far an import is, kept on the target beside the data it speaks of.
//!
//! Commits are in file order, so one position is enough. It moves inside the transaction that brings
//! in the data, as the last act before the commit ([`Marker::advance`]): both are in, or neither.
//! What cannot share a transaction with it (definitions, engines without transactions) is announced
//! before as a [`Doubt`]; whoever resumes settles it by looking. The ledger is gone after a success.
//! It decides nothing about statements ([`care`]) and reads no file.

use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
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
    imports: String,
    row_counts: String,
}

impl Marker {
    /// The statements that move the position, to be sent in one go before a COMMIT. They hold in
    /// any session: names in backticks, values as numbers or hexadecimal digits.
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
        let mut text = format!(
            "UPDATE {} SET at_byte = {}, check_byte = {}, digest = {}, doubt = {doubt} WHERE run = {}",
            self.imports, at.offset, at.check.offset, at.check.digest, self.run
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

    /// The name of the user-level lock that connection `who` holds as long as it lives.
    fn lock(&self, who: &str) -> String {
        format!("dbferry {} {who}", self.run)
    }

    /// Lets a later run see that this connection still works for this import. Servers that have no
    /// such locks (clusters) do without.
    pub async fn sign(&self, conn: &mut Conn, who: &str) {
        // Whoever looks for unfinished imports may hold it for a moment.
        let query = format!("SELECT GET_LOCK('{}', {DEAD_WAIT_SECS})", self.lock(who));
        let _ = conn.query(query.as_bytes()).await;
    }
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
    pub async fn create(endpoint: &Endpoint, identity: &Identity, lanes: usize) -> Result<Ledger> {
        let mut conn = home::connect(endpoint).await?;
        let home = Home::make(&mut conn, endpoint).await?;
        let outcome = add(&mut conn, &home, identity, lanes).await;
        home::leave(&mut conn).await;
        let marker = outcome?;
        marker.sign(&mut conn, "ledger").await;
        Ok(Ledger { conn, home, marker })
    }

    /// Takes over the ledger of an import that died; waits until its connections are gone.
    pub async fn take_over(endpoint: &Endpoint, dead: &Unfinished, lanes: usize) -> Result<Ledger> {
        let mut conn = home::connect(endpoint).await?;
        let home = Home::of(&mut conn, endpoint, dead.run).await?.ok_or_else(vanished)?;
        home::enter(&mut conn).await?;
        let made = home.make_tables(&mut conn).await;
        home::leave(&mut conn).await;
        made?;
        let marker = home.marker(dead.run);
        marker.sign(&mut conn, "ledger").await;
        let names = (0..dead.lanes).map(lane_name).chain(["main".to_owned()]);
        for name in names.chain(indexes::SIGNATURES.map(str::to_owned)) {
            outlive(&mut conn, &marker.lock(&name)).await?;
        }
        let most = (lanes as u64).max(dead.lanes);
        let update =
            format!("UPDATE {} SET lanes = {most} WHERE run = {}", marker.imports, marker.run);
        conn.query(update.as_bytes()).await?;
        Ok(Ledger { conn, home, marker })
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
        self.conn.query(&text).await.map(|_effect| ())
    }

    /// Announces something that cannot share a transaction with the position.
    pub async fn announce(&mut self, position: Position, doubt: &Doubt) -> Result<()> {
        let text = self.marker.announce(position, doubt);
        self.conn.query(&text).await.map(|_effect| ())
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

    /// It is back.
    pub async fn drop_deferral(&mut self, deferral: &Deferral) -> Result<()> {
        let (schema, table) = (hex(deferral.schema.as_bytes()), hex(deferral.table.as_bytes()));
        let text = format!(
            "DELETE FROM {} WHERE run = {} AND schema_name = {schema} AND table_name = {table}",
            self.home.indexes(),
            self.marker.run
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
async fn add(conn: &mut Conn, home: &Home, identity: &Identity, lanes: usize) -> Result<Marker> {
    let run = conn.scalar("SELECT UUID_SHORT()").await?.and_then(|run| run.parse().ok());
    let run: u64 = run.ok_or_else(|| {
        Error::new(ErrorKind::Internal, Side::Target, "the server gave no number to the import")
    })?;
    let marker = home.marker(run);
    let size = identity.size.map_or_else(|| "NULL".to_owned(), |size| size.to_string());
    let (file, options) = (hex(identity.file.as_bytes()), hex(identity.options.as_bytes()));
    let text = format!(
        "INSERT INTO {} (run, file_name, file_size, options, lanes) VALUES ({run}, {file}, {size}, \
         {options}, {lanes})",
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
             HEX(doubt), started, counts_hold, lanes FROM {} ORDER BY started, run",
            home.imports()
        );
        for row in conn.rows(&query).await? {
            let mut import = unfinished_of(&row).ok_or_else(unreadable)?;
            if !is_of_interest(&import.identity) {
                continue;
            }
            let lock = home.marker(import.run).lock("ledger");
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
    Ok(())
}

/// Ends the connections of an import on the server, whoever holds them: whoever knows that nobody
/// may work on it any more need not wait until the server finds out.
pub async fn end_connections(endpoint: &Endpoint, import: &Unfinished) -> Result<()> {
    let mut conn = home::connect(endpoint).await?;
    let marker = Marker { run: import.run, imports: String::new(), row_counts: String::new() };
    let lanes = (0..import.lanes).map(lane_name);
    let names = ["ledger", "main"].map(str::to_owned).into_iter().chain(lanes);
    for name in names.chain(indexes::SIGNATURES.map(str::to_owned)) {
        let holder = conn.scalar(&format!("SELECT IS_USED_LOCK('{}')", marker.lock(&name))).await?;
        if let Some(id) = holder.and_then(|id| id.parse::<u64>().ok()) {
            // It may have ended by itself meanwhile.
            let _ = conn.query(format!("KILL {id}").as_bytes()).await;
        }
    }
    conn.close().await;
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
        is_alive: false,
        counted: Vec::new(),
    })
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
