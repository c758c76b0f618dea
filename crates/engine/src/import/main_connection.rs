//! The main connection: executes in file order whatever cannot be shared, exactly as the stock
//! client would.
//!
//! It alone sees the file's session. LOCK TABLES of the file is kept as a wish: given up while lanes
//! (or a transaction of ours) need the tables, taken again before the next statement that could
//! tell. It promises that what it reports as applied is committed, and that the ledger's position
//! moves with it: [`stepping`] is how.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use dump::reader::Place;
use dump::rules::Rules;
use dump::statement::{Action, Class, Kind, ObjectName};
use dump::token::{Target, Token, Tokens};
use dump::values::Rows;

use super::batch::{Batch, Member};
use super::excerpt::error_row;
use super::feed::{RowsPart, Single, rules_from};
use super::lanes::interrupted;
use super::ledger::{Counted, Ledger, Position};
use super::session::{ORDER_VARIABLES, SessionState};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mysql::conn::{Conn, Effect, Status};
use crate::run::stop::Stop;

mod ahead;
mod before;
mod culprit;
mod numbering;
mod stepping;

use stepping::Stepping;

/// The savepoint around an oversized INSERT inside a transaction of the file.
const SAVEPOINT: &str = "dbferry_oversized_insert";

/// How long a statement may still run when somebody asked to stop, before it is stopped.
const STOP_GRACE: Duration = Duration::from_secs(1);
/// How long a stopped statement may take to answer.
const STOP_LIMIT: Duration = Duration::from_secs(5);

/// A lone INSERT up to this many bytes goes to the server in one piece with its transaction.
const AT_ONCE_BYTES: usize = 1 << 20;
/// What is left for the rest of that transaction in the longest text that the server accepts.
const AT_ONCE_ROOM: usize = 64 << 10;

/// The statements that an oversized INSERT is cut into are no longer than this, in bytes.
const PIECE_BYTES: usize = 4 << 20;

/// What is in, as far as it is known to be committed.
#[derive(Clone, Debug, Default)]
pub struct Applied {
    /// Offset in the file up to which it holds.
    pub offset: u64,
    /// Statements.
    pub statements: u64,
    /// Rows, by the table's name in the statement and the default database of that time.
    pub rows: Vec<(ObjectName, u64, u64)>,
}

/// A failed statement: the error and where it stands.
#[derive(Debug)]
pub struct Failed {
    /// What went wrong.
    pub error: Error,
    /// Where the statement begins.
    pub place: Place,
    /// The statement's text, for the excerpt.
    pub text: Vec<u8>,
    /// Its kind.
    pub kind: Kind,
    /// The rules that it was read by.
    pub rules: Rules,
    /// The table, if it is known.
    pub table: Option<ObjectName>,
}

/// LOCK TABLES of the file.
#[derive(Default)]
struct Lock {
    /// The statement, while the file wants it to hold.
    text: Option<Vec<u8>>,
    /// The tables that it locks for writing.
    write: HashSet<ObjectName>,
    /// The server holds it now.
    held: bool,
}

/// An oversized INSERT that is being executed.
enum Oversized {
    /// In a transaction of ours.
    OwnTransaction,
    /// In the file's transaction.
    Savepoint,
}

/// The main connection and what is known of its session.
pub struct MainConnection {
    conn: Conn,
    target: Target,
    stop: Stop,
    status: Status,
    lock: Lock,
    session: Option<Arc<SessionState>>,
    temporary: HashSet<Vec<u8>>,
    barred: Option<&'static str>,
    oversized: Option<Oversized>,
    /// Rows of the oversized INSERT that were sent before the part at hand.
    rows_before: u64,
    pending: Applied,
    applied: Applied,
    stepping: Option<Stepping>,
    /// They go to the server with the next one.
    ahead: Vec<Single>,
    /// The one of them that failed.
    failed_ahead: Option<Single>,
    /// Prepared statements that a resumed import may execute again, by name.
    harmless: HashSet<Vec<u8>>,
}

impl MainConnection {
    /// Takes over a fresh connection. Without a ledger nothing is kept on the target.
    pub fn new(
        conn: Conn,
        target: Target,
        stop: Stop,
        ledger: Option<(Ledger, Vec<Counted>)>,
    ) -> MainConnection {
        let status = conn.status();
        let database = conn.endpoint().database.clone();
        MainConnection {
            stepping: ledger.map(|(ledger, counted)| Stepping::new(ledger, database, &counted)),
            ahead: Vec::new(),
            failed_ahead: None,
            harmless: HashSet::new(),
            conn,
            target,
            stop,
            status,
            lock: Lock::default(),
            session: None,
            temporary: HashSet::new(),
            barred: None,
            oversized: None,
            rows_before: 0,
            pending: Applied::default(),
            applied: Applied::default(),
        }
    }

    /// What was committed since this was last asked.
    pub fn take_applied(&mut self) -> Applied {
        let offset = self.applied.offset;
        std::mem::replace(&mut self.applied, Applied { offset, ..Applied::default() })
    }

    /// Statements of the file's open transaction: not in until it is committed.
    pub fn open_statements(&self) -> u64 {
        self.pending.statements
    }

    /// Why nothing may be shared now, if so.
    pub fn barred(&self, table: &ObjectName) -> Option<&'static str> {
        if self.in_transaction() {
            return Some("the file's transaction is open");
        }
        if self.lock.text.is_some() && !self.lock.write.contains(table) {
            return Some("LOCK TABLES does not cover it");
        }
        if self.temporary.contains(&table.name.to_ascii_lowercase()) {
            return Some("it is a temporary table");
        }
        self.barred
    }

    /// The session as lanes have to have it.
    pub async fn session(&mut self) -> Result<Arc<SessionState>> {
        if let Some(session) = &self.session {
            return Ok(Arc::clone(session));
        }
        self.send_ahead().await?;
        let session = Arc::new(SessionState::read(&mut self.conn).await?);
        self.session = Some(Arc::clone(&session));
        Ok(session)
    }

    /// The file's transaction is open, or the next statement opens one.
    pub fn in_transaction(&self) -> bool {
        self.status.in_transaction || !self.status.autocommit
    }

    /// The file's LOCK TABLES, if it will be taken again before the next statement.
    pub fn lock_to_take(&self) -> Option<&[u8]> {
        self.lock.text.as_deref().filter(|_| !self.lock.held)
    }

    /// The file's LOCK TABLES, if it is in force on the server.
    pub fn lock_held(&self) -> Option<&[u8]> {
        self.lock.text.as_deref().filter(|_| self.lock.held)
    }

    /// Lets others at the tables that the file has locked, and sends what waits.
    pub async fn release_locks(&mut self) -> Result<()> {
        if !self.lock.held {
            return self.send_ahead().await;
        }
        self.finish(b"UNLOCK TABLES").await?;
        self.lock.held = false;
        Ok(())
    }

    /// Begins a transaction of ours, which gives up the file's locks.
    async fn begin(&mut self) -> Result<()> {
        self.run(b"START TRANSACTION").await?;
        self.lock.held = false;
        Ok(())
    }

    /// Sets a table's AUTO_INCREMENT back to what it was before work that was rolled back: the
    /// counter is not part of a transaction. The server itself raises it over what is stored.
    pub async fn reset_auto_increment(&mut self, table: &ObjectName, next: u64) -> Result<()> {
        self.release_locks().await?;
        let mut text = b"ALTER TABLE ".to_vec();
        for part in table.schema.iter().chain([&table.name]) {
            if text.last() == Some(&b'`') {
                text.push(b'.');
            }
            text.push(b'`');
            text.extend(
                part.iter().flat_map(|b| std::iter::repeat_n(*b, 1 + usize::from(*b == b'`'))),
            );
            text.push(b'`');
        }
        text.extend_from_slice(format!(" AUTO_INCREMENT = {next}").as_bytes());
        // A table may hold defaults (zero dates) that the file's sql_mode would now refuse.
        let mode = self.session().await?.sql_mode().to_owned();
        self.conn.query(b"SET SESSION sql_mode = ''").await?;
        let outcome = self.conn.query(&text).await;
        self.conn.query(format!("SET SESSION sql_mode = '{mode}'").as_bytes()).await?;
        outcome.map(|_effect| ())
    }

    /// Executes a statement by itself, or lets it wait for the next one.
    pub async fn single(&mut self, single: Single) -> std::result::Result<(), Box<Failed>> {
        let Some(mut single) = self.wait_ahead(single) else { return Ok(()) };
        let reply = single.reply.take();
        let failed = |error| single_failed(error, &single);
        let effect = match self.carefully(&single).await {
            Ok(effect) => effect,
            Err(error) => return Err(failed(error)),
        };
        self.note_effects(&single.class, &single.text, single.rules);
        let table = single.class.object.clone().filter(|_| single.class.kind == Kind::Insert);
        let rows = if single.rows > 0 { single.rows } else { effect.affected_rows };
        let bytes = single.text.len() as u64;
        let undone = is_rollback(&single.class, &single.text);
        self.account(single.end_offset, undone, table.map(|table| (table, rows, bytes)));
        if let Some(reply) = reply {
            let rules = match self.ask_rules(single.rules).await {
                Ok(rules) => rules,
                Err(error) => return Err(failed(error)),
            };
            // The reader may have ended; then nobody needs the rules.
            let _ = reply.send(rules);
        }
        Ok(())
    }

    /// Counts a statement as in that leaves nothing to do at its place.
    pub async fn pass(&mut self, single: &Single) -> std::result::Result<(), Box<Failed>> {
        let outcome = match self.send_ahead().await {
            Ok(()) => self.advance(single.end()).await,
            Err(error) => Err(error),
        };
        outcome.map_err(|error| single_failed(error, single))?;
        self.account(single.end_offset, false, None);
        Ok(())
    }

    /// Executes a batch's statements one after another; with `grouped`, in one transaction where the
    /// file's own session allows it.
    pub async fn batch(
        &mut self,
        batch: &Batch,
        grouped: bool,
    ) -> std::result::Result<(), Box<Failed>> {
        let first = |error| match batch.member(0) {
            Some(member) => member_failed(error, batch, &member),
            None => member_failed(error, batch, &NO_MEMBER),
        };
        let start = Position { offset: first_offset(batch), check: batch.check };
        let is_loose = self.announce_rows(&batch.table, start, 0).await.map_err(first)?;
        if !is_loose {
            self.keep_counters_of_batch(batch, start.offset).await.map_err(first)?;
        }
        let pays = batch.len() > 1 || self.stepping.is_some();
        if grouped && pays && !is_loose && self.barred(&batch.table).is_none() {
            return self.grouped(batch).await;
        }
        let mut before = start.offset;
        for member in batch.members() {
            let end = Position { offset: member.end_offset, check: batch.check };
            if !is_loose {
                // Each may commit, and then the next one's numbers begin elsewhere.
                self.keep_counters_of_batch(batch, before).await.map_err(first)?;
            }
            before = member.end_offset;
            let ran = match is_loose {
                true => self.under_lock(member.text, true).await.map(|_effect| ()),
                false => self.member(member.text, &batch.table, end, member.rows).await,
            };
            match ran {
                Ok(()) => self.account_member(batch, &member),
                Err(error) => {
                    let error = self.with_row(error, batch, &member).await;
                    return Err(member_failed(error, batch, &member));
                }
            }
        }
        if is_loose {
            self.advance(batch.end()).await.map_err(first)?;
        }
        Ok(())
    }

    /// One commit for the whole batch. A failing statement leaves those before it, as without.
    async fn grouped(&mut self, batch: &Batch) -> std::result::Result<(), Box<Failed>> {
        let first = |error| match batch.member(0) {
            Some(member) => member_failed(error, batch, &member),
            None => member_failed(error, batch, &NO_MEMBER),
        };
        if let Some(member) = batch.member(0).filter(|_| batch.len() == 1)
            && member.text.len() <= AT_ONCE_BYTES
            && member.text.len() + AT_ONCE_ROOM <= self.conn.statement_bytes_max() as usize
            && self.stepping.is_some()
            && !self.forgets_numbers()
        {
            let counted = self.counted(&batch.table, Some(batch.rows));
            if let Err(error) = self.at_once(member.text, batch.end(), counted).await {
                let error = self.with_row(error, batch, &member).await;
                return Err(member_failed(error, batch, &member));
            }
            self.account_member(batch, &member);
            return Ok(());
        }
        self.begin().await.map_err(first)?;
        let mut end = Position { offset: first_offset(batch), check: batch.check };
        let mut rows = 0;
        for member in batch.members() {
            let Err(error) = self.finish(member.text).await else {
                self.account_member(batch, &member);
                end.offset = member.end_offset;
                rows += member.rows;
                continue;
            };
            if error.kind == ErrorKind::Deadlock || is_transaction_limit(&error) {
                // The server took everything back, or allows only smaller transactions; once more,
                // one commit for each.
                self.pending = Applied { offset: self.applied.offset, ..Applied::default() };
                self.run(b"ROLLBACK").await.map_err(first)?;
                return Box::pin(self.batch(batch, false)).await;
            }
            if !self.conn.is_broken() {
                let counted = self.counted(&batch.table, Some(rows));
                self.commit(end, counted).await.map_err(first)?;
                self.settle_pending();
            }
            let error = self.with_row(error, batch, &member).await;
            return Err(member_failed(error, batch, &member));
        }
        let counted = self.counted(&batch.table, Some(rows));
        self.commit(end, counted).await.map_err(first)?;
        self.settle_pending();
        Ok(())
    }

    /// Executes some rows of an oversized INSERT; all its parts count as one statement.
    pub async fn rows_part(&mut self, part: &RowsPart) -> std::result::Result<(), Box<Failed>> {
        let failed = |error: Error| {
            Box::new(Failed {
                error,
                place: part.statement,
                text: part.head.clone(),
                kind: Kind::Insert,
                rules: part.rules,
                table: Some(part.table.clone()),
            })
        };
        if part.first {
            self.rows_before = 0;
            if !self.announce_rows(&part.table, part.start(), 0).await.map_err(failed)? {
                let at = part.statement.offset;
                self.keep_counters(&part.table, at, None).await.map_err(failed)?;
            }
            self.begin_oversized(&part.table).await.map_err(failed)?;
        }
        let rows = match self.send_rows(part).await {
            Ok(rows) => rows,
            Err(error) => {
                self.abandon_oversized().await;
                return Err(failed(error));
            }
        };
        self.rows_before += rows;
        let bytes = part.rows_text.len() as u64;
        self.pending.rows.push((part.table.clone(), rows, bytes));
        if part.last {
            self.end_oversized(part).await.map_err(failed)?;
            self.account(part.end_offset, false, None);
        }
        Ok(())
    }

    async fn begin_oversized(&mut self, table: &ObjectName) -> Result<()> {
        let is_locked_out = self.lock.text.is_some() && !self.lock.write.contains(table);
        if self.status.in_transaction || !self.status.autocommit {
            self.under_lock(format!("SAVEPOINT {SAVEPOINT}").as_bytes(), true).await?;
            self.oversized = Some(Oversized::Savepoint);
        } else if is_locked_out {
            // A temporary table, or one that the server now refuses.
            self.take_locks().await?;
        } else {
            self.begin().await?;
            self.oversized = Some(Oversized::OwnTransaction);
        }
        Ok(())
    }

    async fn end_oversized(&mut self, part: &RowsPart) -> Result<()> {
        match self.oversized.take() {
            Some(Oversized::OwnTransaction) => {
                let counted = self.counted(&part.table, Some(self.rows_before));
                self.commit(part.end(), counted).await
            }
            Some(Oversized::Savepoint) => {
                let statement = format!("RELEASE SAVEPOINT {SAVEPOINT}");
                self.finish(statement.as_bytes()).await.map(|_effect| ())
            }
            None => Ok(()),
        }
    }

    async fn abandon_oversized(&mut self) {
        let statement = match self.oversized.take() {
            Some(Oversized::OwnTransaction) => "ROLLBACK".to_owned(),
            Some(Oversized::Savepoint) => format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}"),
            None => return,
        };
        // Without an answer the connection is gone, and the server rolls back by itself.
        let _ = self.run(statement.as_bytes()).await;
        self.pending = Applied { offset: self.applied.offset, ..Applied::default() };
    }

    /// Sends rows in statements that the server accepts; returns how many rows.
    async fn send_rows(&mut self, part: &RowsPart) -> Result<u64> {
        let limit = self.conn.statement_bytes_max() as usize;
        let (mut sent, mut begun) = (0, 0);
        let mut statement = Vec::new();
        let (mut rows, mut done) = (Rows::new(&part.rows_text, part.rules), 0);
        for row in rows.by_ref() {
            let text = &part.rows_text[row.start..row.end];
            let size = part.head.len() + text.len() + 1;
            if size > limit {
                return Err(row_too_large(size, limit).in_row(self.rows_before + sent + 1));
            }
            if !statement.is_empty() && statement.len() + text.len() + 1 > limit.min(PIECE_BYTES) {
                self.piece(&statement, begun).await?;
                statement.clear();
                begun = sent;
            }
            if statement.is_empty() {
                statement.extend_from_slice(&part.head);
            } else {
                statement.push(b',');
            }
            statement.extend_from_slice(text);
            (sent, done) = (sent + 1, row.end);
        }
        // Something that is no row: the server says what is wrong with it.
        let rest = part.rows_text[done..].trim_ascii();
        if !rest.is_empty() {
            if statement.is_empty() {
                statement.extend_from_slice(&part.head);
            }
            statement.extend_from_slice(rest);
        }
        if !statement.is_empty() {
            self.piece(&statement, begun).await?;
        }
        Ok(sent)
    }

    /// Runs a piece; the server counts its rows from 1, where `begun` rows of the part came before.
    async fn piece(&mut self, statement: &[u8], begun: u64) -> Result<()> {
        self.run(statement).await.map(|_effect| ()).map_err(|error| {
            let row = error.server.as_ref().and_then(|server| error_row(&server.message));
            match row {
                Some(row) => error.in_row(self.rows_before + begun + row),
                None => error,
            }
        })
    }

    /// Runs a statement with the file's locks held, unless it is about locks itself.
    async fn under_lock(&mut self, text: &[u8], keeps_lock: bool) -> Result<Effect> {
        if keeps_lock {
            self.take_locks().await?;
        }
        self.run(text).await
    }

    /// Takes the file's locks again if they were given up. Not where every statement is in a
    /// transaction of the file: taking them would end it, and holding them would lock the ledger out.
    async fn take_locks(&mut self) -> Result<()> {
        if self.stepping.is_some() && !self.status.autocommit {
            return self.release_locks().await;
        }
        if !self.lock.held
            && let Some(lock) = self.lock.text.clone()
        {
            self.run(&lock).await?;
            self.lock.held = true;
        }
        Ok(())
    }

    /// Runs a statement, unless somebody asks to stop. A statement that is on its way is waited
    /// for, then stopped; either way its answer says whether it is in.
    async fn run(&mut self, text: &[u8]) -> Result<Effect> {
        if self.stop.is_asked() {
            return Err(interrupted());
        }
        self.finish(text).await
    }

    /// The same for what belongs to work that has begun: a stop waits for it.
    async fn finish(&mut self, text: &[u8]) -> Result<Effect> {
        let outcome = match self.ahead.is_empty() {
            true => self.answer(text).await,
            false => self.behind_ahead(text).await,
        };
        match outcome {
            Ok(effect) => {
                self.status = effect.status;
                Ok(effect)
            }
            Err(error) => Err(self.or_lost(error).await),
        }
    }

    async fn answer(&mut self, text: &[u8]) -> Result<Effect> {
        let kill = self.conn.kill_handle();
        let overtime = async {
            self.stop.asked().await;
            tokio::time::sleep(STOP_GRACE).await;
        };
        let mut answer = std::pin::pin!(self.conn.query(text));
        tokio::select! {
            outcome = &mut answer => outcome,
            () = overtime => {
                // If it cannot be stopped, the server notices that we are gone.
                let _ = kill.kill_query().await;
                match tokio::time::timeout(STOP_LIMIT, answer).await {
                    Ok(Err(error)) if error.kind == ErrorKind::Interrupted => Err(interrupted()),
                    Ok(outcome) => outcome,
                    Err(_elapsed) => Err(interrupted()),
                }
            }
        }
    }

    /// MySQL tells a connection that is killed while it works only that its statement was
    /// interrupted: the next one finds out.
    async fn or_lost(&mut self, error: Error) -> Error {
        const INTERRUPTED: u32 = 1317;
        if error.code() != Some(INTERRUPTED) || self.stop.is_asked() || self.conn.is_broken() {
            return error;
        }
        match self.conn.query(b"DO 0").await {
            Err(lost) if lost.kind == ErrorKind::LostConnection => lost,
            _ => error,
        }
    }

    /// Asks the server what its variables make of the reading rules.
    async fn ask_rules(&mut self, rules: Rules) -> Result<Rules> {
        let query = "SELECT @@sql_mode, @@character_set_client";
        let rows = self.conn.rows(query).await?;
        let text = |index: usize| {
            rows.first().and_then(|row| row.get(index).cloned().flatten()).unwrap_or_default()
        };
        Ok(rules_from(rules, &text(0), &text(1)))
    }

    /// What a successful statement changes in what we know.
    fn note_effects(&mut self, class: &Class, text: &[u8], rules: Rules) {
        if class.may_change_session() {
            self.session = None;
        }
        match class.kind {
            Kind::LockTables => {
                let write = write_locked(text, rules, self.target);
                self.lock = Lock { text: Some(text.to_vec()), write, held: true };
            }
            Kind::UnlockTables | Kind::Begin => self.lock = Lock::default(),
            Kind::Table if class.temporary && class.action == Action::Create => {
                let name = class.object.as_ref().map(|object| object.name.to_ascii_lowercase());
                self.temporary.extend(name);
            }
            Kind::Set if sets_order(class) => {
                self.barred = Some("the file fixes generated values with SET");
            }
            Kind::Execute => {
                // What a routine or a prepared statement does (temporary tables, locks) is unseen.
                self.barred = Some("the file calls routines or prepared statements");
            }
            Kind::Administration => self.barred = Some("the file administers the server"),
            _ => {}
        }
    }

    /// Counts a statement; in an open transaction it counts only once that ends.
    fn account(&mut self, offset: u64, undone: bool, rows: Option<(ObjectName, u64, u64)>) {
        if undone {
            self.pending.rows.clear();
        }
        self.pending.offset = offset;
        self.pending.statements += 1;
        self.pending.rows.extend(rows);
        if !self.status.in_transaction {
            self.settle_pending();
        }
    }

    fn account_member(&mut self, batch: &Batch, member: &Member<'_>) {
        let offset = member.end_offset;
        let rows = (batch.table.clone(), member.rows, member.text.len() as u64);
        self.account(offset, false, Some(rows));
    }

    fn settle_pending(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        self.applied.offset = self.applied.offset.max(pending.offset);
        self.applied.statements += pending.statements;
        self.applied.rows.extend(pending.rows);
    }

    /// Ends the session; an open transaction is rolled back by the server, as with the client. The
    /// ledger stays if it is to be `kept`; returns whether it did.
    pub async fn close(self, kept: bool) -> Result<bool> {
        self.conn.close().await;
        match self.stepping {
            Some(stepping) => stepping.close(kept).await.map(|()| kept),
            None => Ok(false),
        }
    }
}

fn first_offset(batch: &Batch) -> u64 {
    batch.member(0).map_or(batch.end_offset, |member| member.place.offset)
}

const NO_MEMBER: Member<'static> =
    Member { text: b"", values_at: 0, place: Place { offset: 0, line: 0 }, end_offset: 0, rows: 0 };

fn single_failed(error: Error, single: &Single) -> Box<Failed> {
    Box::new(Failed {
        error,
        place: single.place,
        text: single.text.clone(),
        kind: single.class.kind,
        rules: single.rules,
        table: single.class.object.clone(),
    })
}

fn member_failed(error: Error, batch: &Batch, member: &Member<'_>) -> Box<Failed> {
    Box::new(Failed {
        error,
        place: member.place,
        text: member.text.to_vec(),
        kind: Kind::Insert,
        rules: batch.rules,
        table: Some(batch.table.clone()),
    })
}

/// `max_binlog_cache_size` in the words of both servers: each statement by itself may be small
/// enough, as it is for the stock client.
fn is_transaction_limit(error: &Error) -> bool {
    const TRANS_CACHE_FULL: u32 = 1197;
    error.code() == Some(TRANS_CACHE_FULL)
}

fn row_too_large(size: usize, limit: usize) -> Error {
    let text = format!("a row of {size} bytes is larger than the server accepts ({limit} bytes)");
    Error::new(ErrorKind::TooLarge, Side::Target, text)
}

fn is_rollback(class: &Class, text: &[u8]) -> bool {
    class.kind == Kind::EndTransaction
        && text.len() >= 8
        && text[..8].eq_ignore_ascii_case(b"ROLLBACK")
}

fn sets_order(class: &Class) -> bool {
    class.assignments.iter().any(|a| ORDER_VARIABLES.contains(&a.name.as_slice()))
}

/// The names in `LOCK TABLES a WRITE, b AS x READ` that are locked for writing under their own name.
fn write_locked(text: &[u8], rules: Rules, target: Target) -> HashSet<ObjectName> {
    let mut tables = HashSet::new();
    let mut name: Vec<Vec<u8>> = Vec::new();
    let mut aliased = false;
    for spanned in Tokens::new(text, rules, target).skip(2) {
        let token = spanned.token;
        match &token {
            Token::Symbol(b',') => (name, aliased) = (Vec::new(), false),
            Token::Symbol(_) => {}
            _ if token.is("WRITE") => {
                if !aliased && let Some(table) = name.pop() {
                    tables.insert(ObjectName { schema: name.pop(), name: table });
                }
            }
            _ if token.is("READ") || token.is("LOCAL") || token.is("LOW_PRIORITY") => {}
            _ if token.is("AS") => aliased = true,
            _ if name.len() == 2 => aliased = true,
            _ => name.extend(token.name()),
        }
    }
    tables
}
