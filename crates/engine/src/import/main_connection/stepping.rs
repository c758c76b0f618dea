//! The main connection and the ledger, step by step: each statement goes the way that
//! [`ledger::care`] finds for it, so that position and data are never apart.
//!
//! Inside a transaction of the file, or of ours, the position is written by the main connection
//! itself; elsewhere by the ledger's own. Neither ever waits for the other: the main connection has
//! no transaction open when the ledger writes, and holds no lock on the ledger's tables.

use std::collections::{HashMap, HashSet};

use dump::statement::{Action, Class, Kind, ObjectName};
use dump::token::{Token, Tokens};

use super::{MainConnection, Single};
use crate::error::{Error, ErrorKind, Result};
use crate::import::fence::superseded;
use crate::import::indexes::deferral::Deferral;
use crate::import::ledger::care::{Care, Standing, Worry, care, is_key_switch, is_new};
use crate::import::ledger::counters::Numbered;
use crate::import::ledger::doubt::{self, ObjectKind};
use crate::import::ledger::{Counted, Doubt, Ledger, Marker, Position, is_fenced};
use crate::import::table::literal;
use crate::mysql::conn::Effect;
use crate::run::failpoint;

/// The ledger, and what is known of tables for its sake.
pub(super) struct Stepping {
    pub(super) ledger: Ledger,
    marker: Marker,
    /// The default database, as far as USE statements tell.
    pub(super) database: Option<String>,
    /// Whether a table knows no transactions.
    loose: HashMap<(String, String), bool>,
    /// The names of tables that know none.
    loose_names: HashSet<String>,
    /// Triggers of the file may change tables that a statement does not name.
    has_triggers: bool,
    /// What `DROP … IF EXISTS` took away since the position moved: made again, it needs no doubt,
    /// because whoever resumes begins with the DROP.
    dropped: HashSet<(String, String)>,
    /// Schemas in which the account may alter tables: it has.
    switched: HashSet<String>,
    /// Tables that this run made: only where nothing was before is a count worth something.
    fresh: HashSet<(String, String)>,
    /// Tables whose rows the ledger counts.
    counted: HashSet<(String, String)>,
    counts_hold: bool,
    /// Counts of small tables that are not yet in the ledger: written many at a time. If they are
    /// lost, their tables are not compared.
    unwritten: Vec<Counted>,
    /// Tables whose AUTO_INCREMENT counter was kept since the position moved.
    pub(super) kept: HashSet<(String, String)>,
    /// Tables whose server may have reserved more numbers than it has used since the position moved.
    pub(super) reserved: HashSet<(String, String)>,
    /// What the next statement's table would be with the keys that it waits for: a digest.
    whole: Option<String>,
    /// By table, the column that the server numbers.
    pub(super) numbered: HashMap<(String, String), Option<Numbered>>,
    /// The names of tables with a trigger of the file that may change others.
    pub(super) triggered: HashSet<String>,
}

/// Counts that wait to be written together.
const UNWRITTEN_MAX: usize = 50;

impl Stepping {
    pub(super) fn new(ledger: Ledger, database: Option<String>, counted: &[Counted]) -> Stepping {
        Stepping {
            marker: ledger.marker(),
            ledger,
            database,
            loose: HashMap::new(),
            loose_names: HashSet::new(),
            has_triggers: false,
            dropped: HashSet::new(),
            fresh: HashSet::new(),
            switched: HashSet::new(),
            counted: counted.iter().map(key_of).collect(),
            counts_hold: true,
            unwritten: Vec::new(),
            kept: HashSet::new(),
            reserved: HashSet::new(),
            whole: None,
            numbered: HashMap::new(),
            triggered: HashSet::new(),
        }
    }

    /// The position is about to move.
    fn moves(&mut self) {
        self.dropped.clear();
        self.kept.clear();
        self.reserved.clear();
    }

    pub(super) async fn close(self, kept: bool) -> Result<()> {
        match kept {
            true => {
                self.ledger.leave().await;
                Ok(())
            }
            false => self.ledger.remove().await,
        }
    }

    /// What of these counts is written now: at once if the ledger has some of the table already.
    fn take_due(&mut self, counted: Vec<Counted>) -> Vec<Counted> {
        let is_new = |counted: &Counted| !self.counted.contains(&key_of(counted));
        if counted.iter().all(is_new) && self.unwritten.len() < UNWRITTEN_MAX {
            self.unwritten.extend(counted);
            return Vec::new();
        }
        counted.into_iter().chain(std::mem::take(&mut self.unwritten)).collect()
    }

    /// A USE of the file.
    pub(super) fn use_database(&mut self, name: Option<Vec<u8>>) {
        self.database = name.and_then(|name| String::from_utf8(name).ok());
    }

    /// Schema and name of a table, where they are UTF-8 and known.
    pub(super) fn resolve(&self, table: &ObjectName) -> Option<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let schema = match &table.schema {
            Some(schema) => text(schema)?,
            None => self.database.clone()?,
        };
        Some((schema, text(&table.name)?))
    }

    /// Whether what is inserted into a table stays whatever becomes of the transaction.
    pub(super) async fn is_loose(&mut self, table: &ObjectName) -> Result<bool> {
        match self.resolve(table) {
            Some(key) => self.is_loose_key(&key).await,
            None => Ok(false),
        }
    }

    /// The same for schema and table.
    pub(super) async fn is_loose_key(&mut self, key: &(String, String)) -> Result<bool> {
        if let Some(known) = self.loose.get(key) {
            return Ok(*known);
        }
        let query = format!(
            "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND TABLE_NAME = {}",
            literal(&key.0),
            literal(&key.1)
        );
        let engine = self.ledger.conn().scalar(&query).await?;
        let is_loose = engine.is_some_and(|engine| !engine.eq_ignore_ascii_case("InnoDB"));
        if is_loose {
            self.loose_names.insert(key.1.to_lowercase());
        }
        self.loose.insert(key.clone(), is_loose);
        Ok(is_loose)
    }

    /// Whether a statement may change tables that know no transactions.
    fn may_touch_loose(&self, tokens: Tokens<'_>) -> bool {
        let is_loose = |token: &Token<'_>| {
            let name = token.name().and_then(|name| String::from_utf8(name).ok());
            name.is_some_and(|name| self.loose_names.contains(&name.to_lowercase()))
        };
        let names = || tokens.map(|spanned| spanned.token);
        !self.loose_names.is_empty() && (self.has_triggers || names().any(|token| is_loose(&token)))
    }
}

impl MainConnection {
    /// What lanes need for moving the position.
    pub fn marker(&self) -> Option<Marker> {
        self.stepping.as_ref().map(|stepping| stepping.marker.clone())
    }

    /// Takes the place in line that lets a later run wait for this connection.
    pub async fn sign(&mut self) -> Result<()> {
        let Some(stepping) = &mut self.stepping else { return Ok(()) };
        stepping.marker.hold(&mut self.conn, "main").await;
        // By the ledger's own connection: the file is to find this one as if nobody had asked it.
        stepping.ledger.check().await
    }

    /// Ends before anything was done; takes back the ledger if it `is_new`.
    pub async fn withdraw(self, is_new: bool) -> Result<()> {
        self.conn.close().await;
        match self.stepping {
            Some(stepping) if is_new => stepping.ledger.withdraw().await,
            Some(stepping) => stepping.close(true).await,
            None => Ok(()),
        }
    }

    /// What an error means that came with the position's move: the file's own statements may fail with
    /// the same number, so the ledger is asked.
    async fn fenced(&mut self, error: Error) -> Error {
        if let Some(stepping) = self.stepping.as_mut().filter(|_| is_fenced(&error))
            && stepping.ledger.check().await.is_err()
        {
            return superseded().with_source(error);
        }
        error
    }

    /// Rows of a table for the ledger; nothing without one, or if they are not worth counting.
    pub fn counted(&mut self, table: &ObjectName, rows: Option<u64>) -> Vec<Counted> {
        let Some(stepping) = self.stepping.as_mut().filter(|stepping| stepping.counts_hold) else {
            return Vec::new();
        };
        let Some(key) = stepping.resolve(table) else { return Vec::new() };
        if !stepping.counted.contains(&key) && !stepping.fresh.contains(&key) {
            return Vec::new();
        }
        let (schema, table) = key;
        let mut counted = Counted { schema, table, rows };
        let is_it = |c: &Counted| c.table == counted.table && c.schema == counted.schema;
        if let Some(index) = stepping.unwritten.iter().position(is_it) {
            let before = stepping.unwritten.swap_remove(index);
            counted.rows = counted.rows.zip(before.rows).map(|(now, before)| now + before);
        }
        vec![counted]
    }

    /// Lanes are about to move the position, with these counts.
    pub fn lanes_move(&mut self, counted: &[Counted]) {
        if let Some(stepping) = &mut self.stepping {
            stepping.moves();
            stepping.counted.extend(counted.iter().map(key_of));
        }
    }

    /// How far the import is when all lanes are gone, also those that the server still works for;
    /// nothing without a ledger.
    pub async fn position_without_lanes(&mut self, lanes: usize) -> Result<Option<u64>> {
        match &mut self.stepping {
            Some(stepping) => {
                stepping.ledger.outlive_lanes(lanes).await?;
                stepping.ledger.offset().await.map(Some)
            }
            None => Ok(None),
        }
    }

    /// The next statement changes a table that waits for keys; whoever has to find out whether it is in may find
    /// them built.
    pub fn changes_waiting(&mut self, deferral: &Deferral) {
        if let Some(stepping) = &mut self.stepping {
            stepping.whole = Some(doubt::digest(&deferral.definition));
        }
    }

    /// Lets the ledger know what is about to be taken out of a table.
    pub async fn keep_deferral(&mut self, deferral: &Deferral) -> Result<()> {
        match &mut self.stepping {
            Some(stepping) => stepping.ledger.keep_deferral(deferral).await,
            None => Ok(()),
        }
    }

    /// Lets the ledger know that it is back. If that fails, whoever resumes finds out by looking.
    pub async fn drop_deferral(&mut self, deferral: &Deferral) {
        if let Some(stepping) = &mut self.stepping {
            let _ = stepping.ledger.drop_deferral(deferral).await;
        }
    }

    /// Executes a statement so that it and the ledger cannot disagree.
    pub(super) async fn carefully(&mut self, single: &Single) -> Result<Effect> {
        let makes = self.makes_table(single);
        let outcome = match self.stepping.is_some() {
            true => self.with_ledger(single).await,
            false => self.plainly(single).await,
        };
        if let (Ok(_), Some(table), Some(stepping)) = (&outcome, makes, &mut self.stepping) {
            stepping.fresh.insert(table);
        }
        match outcome {
            Err(error)
                if self.failed_ahead.is_none()
                    && error.code().is_some_and(|code| single.tolerate.contains(&code)) =>
            {
                let status = self.status;
                Ok(Effect { affected_rows: 0, warnings: 0, status, rows_returned: 0 })
            }
            outcome => outcome,
        }
    }

    async fn plainly(&mut self, single: &Single) -> Result<Effect> {
        let kind = single.class.kind;
        // Where every statement opens a transaction the file's locks were not kept: giving them
        // back has to end it, as it would have.
        if kind == Kind::UnlockTables
            && self.stepping.is_some()
            && !self.status.autocommit
            && self.lock.text.is_some()
        {
            self.finish(b"COMMIT").await?;
        }
        if self.is_idle(single) || self.is_unlocked(single) {
            let status = self.status;
            return Ok(Effect { affected_rows: 0, warnings: 0, status, rows_returned: 0 });
        }
        let is_about_locks = matches!(kind, Kind::UnlockTables | Kind::LockTables);
        let Single { class, text, rules, .. } = single;
        // Dumps end each table's rows with one: not worth taking the lock again, if it is the
        // table's own.
        let is_free = is_key_switch(class, text, *rules, self.target)
            && class.object.as_ref().is_some_and(|table| !self.is_locked_out(table));
        let effect = self.under_lock(text, !is_about_locks && !is_free).await?;
        if is_free
            && let Some(stepping) = &mut self.stepping
            && let Some((schema, _)) =
                class.object.as_ref().and_then(|table| stepping.resolve(table))
        {
            stepping.switched.insert(schema);
        }
        Ok(effect)
    }

    /// `ALTER TABLE t DISABLE KEYS` and `ENABLE KEYS` of an InnoDB table that this run has made: the
    /// server would do nothing but log it, twice for each table of a dump. The first of a schema is
    /// sent all the same, because the account may not be allowed to.
    fn is_idle(&self, single: &Single) -> bool {
        let Single { class, text, rules, .. } = single;
        let Some(stepping) = &self.stepping else { return false };
        let Some(table) = class.object.as_ref() else { return false };
        let Some(key) = stepping.resolve(table) else { return false };
        stepping.fresh.contains(&key)
            && stepping.loose.get(&key) == Some(&false)
            && stepping.switched.contains(&key.0)
            && !self.in_transaction()
            && !self.is_locked_out(table)
            && is_key_switch(class, text, *rules, self.target)
    }

    /// `UNLOCK TABLES` of locks that were given up before: the server has none.
    fn is_unlocked(&self, single: &Single) -> bool {
        single.class.kind == Kind::UnlockTables
            && self.lock.text.is_some()
            && !self.lock.held
            && self.barred.is_none()
            && !self.in_transaction()
    }

    async fn with_ledger(&mut self, single: &Single) -> Result<Effect> {
        let Single { class, text, rules, .. } = single;
        self.learn(class, single).await?;
        let standing = self.standing(single);
        let inserts = class.object.as_ref().filter(|_| class.kind == Kind::Insert);
        if let Some(table) = inserts
            && !standing.temporary
            && self.announce_rows(table, single.start(), single.rows_in).await?
        {
            let effect = self.plainly(single).await?;
            self.advance(single.end()).await?;
            return Ok(effect);
        }
        self.keep_counters_of(single, standing).await?;
        match care(class, text, *rules, self.target, standing) {
            Care::Nothing => {
                let effect = self.plainly(single).await?;
                self.note_drop(class);
                Ok(effect)
            }
            Care::Wrap if inserts.is_some_and(|table| self.is_locked_out(table)) => {
                self.plainly(single).await
            }
            Care::Wrap => self.wrapped(single).await,
            Care::EndsWith => {
                self.write(single.end(), None).await?;
                self.plainly(single).await
            }
            Care::EndsBefore(worry) => {
                let doubt = self.doubt(worry, class).await?;
                self.write(single.start(), doubt.as_ref()).await?;
                self.plainly(single).await
            }
            Care::Announce(Worry::Creates(_)) if self.was_dropped(class) => {
                self.plainly(single).await
            }
            Care::Announce(worry) => self.announced(single, worry).await,
        }
    }

    /// The table that a statement makes, if it is empty then.
    fn makes_table(&self, single: &Single) -> Option<(String, String)> {
        let Single { class, text, rules, .. } = single;
        let stepping = self.stepping.as_ref()?;
        let makes = class.kind == Kind::Table
            && class.action == Action::Create
            && !class.temporary
            && (self.was_dropped(class) || is_new(class, text, *rules, self.target));
        stepping.resolve(class.object.as_ref().filter(|_| makes)?)
    }

    /// Keeps in mind what an object's `DROP … IF EXISTS` took away.
    fn note_drop(&mut self, class: &Class) {
        let Some(stepping) = &mut self.stepping else { return };
        let kinds = [Kind::Table, Kind::View, Kind::Routine, Kind::Trigger, Kind::Event];
        let drops = class.action == Action::Drop && !class.temporary && kinds.contains(&class.kind);
        let name = class.object.as_ref().filter(|_| drops);
        if let Some(name) = name.and_then(|name| stepping.resolve(name)) {
            stepping.dropped.insert(name);
        }
    }

    fn was_dropped(&self, class: &Class) -> bool {
        self.stepping.as_ref().is_some_and(|stepping| {
            let name = class.object.as_ref().and_then(|object| stepping.resolve(object));
            name.is_some_and(|name| stepping.dropped.contains(&name))
        })
    }

    fn standing(&self, single: &Single) -> Standing {
        let name = single.class.object.as_ref().map(|object| object.name.to_ascii_lowercase());
        Standing {
            in_transaction: self.status.in_transaction || !self.status.autocommit,
            locked: self.lock.text.is_some(),
            temporary: name.is_some_and(|name| self.temporary.contains(&name)),
            loose_tables: self.stepping.as_ref().is_some_and(|stepping| {
                stepping.may_touch_loose(Tokens::new(&single.text, single.rules, self.target))
            }),
        }
    }

    fn is_locked_out(&self, table: &ObjectName) -> bool {
        self.lock.text.is_some() && !self.lock.write.contains(table)
    }

    /// A statement and the position after it in one transaction.
    async fn wrapped(&mut self, single: &Single) -> Result<Effect> {
        self.begin().await?;
        let effect = self.finish(&single.text).await;
        let effect = match effect {
            Ok(effect) => effect,
            Err(error) => {
                self.take_back().await;
                return Err(error);
            }
        };
        let counted = match &single.class.object {
            Some(table) if single.class.kind == Kind::Insert => {
                self.counted(table, inserted(single, effect.affected_rows))
            }
            _ => Vec::new(),
        };
        self.commit(single.end(), counted).await?;
        Ok(Effect { status: self.status, ..effect })
    }

    /// One INSERT of a batch by itself.
    pub(super) async fn member(
        &mut self,
        text: &[u8],
        table: &ObjectName,
        end: Position,
        rows: u64,
    ) -> Result<()> {
        let in_transaction = self.status.in_transaction || !self.status.autocommit;
        let is_temporary = self.temporary.contains(&table.name.to_ascii_lowercase());
        let alone = in_transaction || is_temporary || self.is_locked_out(table);
        if self.stepping.is_none() || alone {
            return self.under_lock(text, true).await.map(|_effect| ());
        }
        self.begin().await?;
        if let Err(error) = self.finish(text).await {
            self.take_back().await;
            return Err(error);
        }
        let counted = self.counted(table, Some(rows));
        self.commit(end, counted).await
    }

    /// A literal INSERT in a transaction of ours, all in one go: most tables of a dump are small, and
    /// then each answer that is waited for counts.
    pub(super) async fn at_once(
        &mut self,
        insert: &[u8],
        end: Position,
        counted: Vec<Counted>,
    ) -> Result<()> {
        let commit = self.committing(end, counted, &[]);
        let text = [&b"START TRANSACTION; "[..], insert, b"; ", &commit].concat();
        failpoint::pass("before commit");
        let outcome = self.run(&text).await;
        self.lock.held = false;
        if let Err(error) = outcome {
            self.take_back().await;
            return Err(self.fenced(error).await);
        }
        failpoint::pass("after commit");
        Ok(())
    }

    /// Undoes a transaction of ours after an error that matters more.
    async fn take_back(&mut self) {
        if !self.conn.is_broken() {
            // If this fails too the connection is gone, and the transaction with it.
            let _ = self.finish(b"ROLLBACK").await;
        }
    }

    /// Commits a transaction of ours, the position with it.
    pub(super) async fn commit(&mut self, end: Position, counted: Vec<Counted>) -> Result<()> {
        let reserved = self.keep_reserved(end.offset).await?;
        let text = self.committing(end, counted, &reserved);
        failpoint::pass("before commit");
        if let Err(error) = self.finish(&text).await {
            return Err(self.fenced(error).await);
        }
        failpoint::pass("after commit");
        Ok(())
    }

    /// `more` begins with a semicolon, if it is anything.
    fn committing(&mut self, end: Position, counted: Vec<Counted>, more: &[u8]) -> Vec<u8> {
        let mut text = match &mut self.stepping {
            Some(stepping) => {
                stepping.moves();
                let counted = stepping.take_due(counted);
                stepping.counted.extend(counted.iter().map(key_of));
                let mut text = stepping.marker.advance(end, &counted);
                text.extend_from_slice(more);
                text.extend_from_slice(b"; ");
                text
            }
            None => Vec::new(),
        };
        text.extend_from_slice(b"COMMIT");
        text
    }

    /// Writes the position inside the file's transaction.
    async fn write(&mut self, at: Position, doubt: Option<&Doubt>) -> Result<()> {
        let reserved = self.keep_reserved(at.offset).await?;
        let Some(stepping) = &mut self.stepping else { return Ok(()) };
        stepping.moves();
        let mut text = match doubt {
            Some(doubt) => stepping.marker.announce(at, doubt),
            None => stepping.marker.advance(at, &[]),
        };
        text.extend_from_slice(&reserved);
        self.release_locks().await?;
        if let Err(error) = self.finish(&text).await {
            return Err(self.fenced(error).await);
        }
        failpoint::pass("after writing");
        Ok(())
    }

    /// Moves the position by itself; in a transaction of the file its end will.
    pub(super) async fn advance(&mut self, at: Position) -> Result<()> {
        let is_open = self.status.in_transaction || !self.status.autocommit;
        match &mut self.stepping {
            Some(stepping) if !is_open => {
                stepping.moves();
                stepping.ledger.advance(at, &[]).await
            }
            _ => Ok(()),
        }
    }

    async fn announced(&mut self, single: &Single, worry: Worry) -> Result<Effect> {
        self.send_ahead().await?;
        let is_opaque = worry == Worry::Opaque;
        let doubt = self.doubt(Some(worry), &single.class).await?;
        if let Some(stepping) = &mut self.stepping {
            stepping.moves();
            match &doubt {
                Some(doubt) => stepping.ledger.announce(single.start(), doubt).await?,
                None => stepping.ledger.advance(single.start(), &[]).await?,
            }
        }
        failpoint::pass("after announcing");
        let outcome = self.plainly(single).await;
        failpoint::pass("after announced");
        let is_certain = match &outcome {
            Ok(_) => is_opaque,
            Err(error) => !is_opaque && !matches!(error.kind, ErrorKind::LostConnection),
        };
        if is_certain {
            let at = if outcome.is_ok() { single.end() } else { single.start() };
            self.advance(at).await?;
        }
        outcome
    }

    /// Announces rows for a table that knows no transactions; false if it knows them. Of what
    /// begins at the position, `rows_in` rows are in already.
    pub(super) async fn announce_rows(
        &mut self,
        table: &ObjectName,
        at: Position,
        rows_in: u64,
    ) -> Result<bool> {
        let is_temporary = self.temporary.contains(&table.name.to_ascii_lowercase());
        let Some(stepping) = self.stepping.as_mut().filter(|_| !is_temporary) else {
            return Ok(false);
        };
        if !stepping.is_loose(table).await? {
            return Ok(false);
        }
        // The ledger's connection is about to look into a table that the file may have locked.
        self.release_locks().await?;
        let Some(stepping) = self.stepping.as_mut() else { return Ok(false) };
        if self.status.in_transaction || !self.status.autocommit {
            // Which of its rows stay cannot be told later; the end of the transaction settles it.
            stepping.ledger.cast_doubt(&Doubt::Unknown).await?;
            return Ok(true);
        }
        let doubt = match stepping.resolve(table) {
            Some((schema, table)) => {
                let now = doubt::rows(stepping.ledger.conn(), &schema, &table).await?;
                let before = now.saturating_sub(rows_in);
                Doubt::Rows { schema, table, before }
            }
            None => Doubt::Unknown,
        };
        stepping.moves();
        stepping.ledger.announce(at, &doubt).await?;
        failpoint::pass("after announcing rows");
        Ok(true)
    }

    /// What a worry is about, as things stand.
    async fn doubt(&mut self, worry: Option<Worry>, class: &Class) -> Result<Option<Doubt>> {
        if worry == Some(Worry::Alters) {
            // The ledger's connection is about to look at a table that the file may have locked.
            self.release_locks().await?;
        }
        let (Some(worry), Some(stepping)) = (worry, &mut self.stepping) else { return Ok(None) };
        let object = class.object.as_ref().and_then(|object| stepping.resolve(object));
        Ok(match (worry, object) {
            (Worry::Repeats(codes), _) => Some(Doubt::Again { codes: codes.to_vec() }),
            (Worry::Creates(ObjectKind::Schema), _) => {
                let name =
                    class.object.as_ref().and_then(|o| String::from_utf8(o.name.clone()).ok());
                match name {
                    Some(name) => {
                        let kind = ObjectKind::Schema;
                        absent(stepping, Doubt::Created { kind, schema: name.clone(), name })
                            .await?
                    }
                    None => Some(Doubt::Unknown),
                }
            }
            (Worry::Creates(kind), Some((schema, name))) => {
                absent(stepping, Doubt::Created { kind, schema, name }).await?
            }
            (Worry::Alters, Some((schema, table))) => {
                let before = doubt::definition(stepping.ledger.conn(), &schema, &table).await?;
                let whole = stepping.whole.take();
                Some(Doubt::Altered { schema, table, before, whole })
            }
            (Worry::Opaque | Worry::Creates(_) | Worry::Alters, _) => Some(Doubt::Unknown),
        })
    }

    /// Keeps in mind what a statement changes in what is known of tables.
    async fn learn(&mut self, class: &Class, single: &Single) -> Result<()> {
        let Some(stepping) = &mut self.stepping else { return Ok(()) };
        let tokens = || Tokens::new(&single.text, single.rules, self.target);
        if class.kind == Kind::Trigger {
            stepping.has_triggers |= changes_tables(tokens());
        }
        let is_switch = || is_key_switch(class, &single.text, single.rules, self.target);
        if !class.temporary && !is_switch() {
            stepping.learn_numbering(class, tokens());
        }
        match class.kind {
            Kind::Use => {
                stepping.use_database(class.object.as_ref().map(|object| object.name.clone()));
            }
            Kind::Database => stepping.loose.clear(),
            Kind::Table if !class.temporary => {
                let Some((schema, table)) = class.object.as_ref().and_then(|o| stepping.resolve(o))
                else {
                    return Ok(());
                };
                let Single { text, rules, .. } = single;
                if is_key_switch(class, text, *rules, self.target) {
                    return Ok(());
                }
                let key = (schema, table);
                stepping.unwritten.retain(|counted| key_of(counted) != key);
                if stepping.counted.remove(&key) {
                    stepping.ledger.forget_counts(&key.0, &key.1).await?;
                }
                let mut tokens = Tokens::new(&single.text, single.rules, self.target);
                let is_innodb = class.action == Action::Create && names_innodb(&mut tokens);
                match is_innodb {
                    true => stepping.loose.insert(key, false),
                    false => stepping.loose.remove(&key),
                };
            }
            Kind::Change
            | Kind::Trigger
            | Kind::Event
            | Kind::Execute
            | Kind::Other
            | Kind::LoadFile
                if stepping.counts_hold =>
            {
                stepping.counts_hold = false;
                stepping.ledger.give_up_counts().await?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// A doubt about a creation, unless the object is there already: then the server is to say so.
async fn absent(stepping: &mut Stepping, created: Doubt) -> Result<Option<Doubt>> {
    let Doubt::Created { kind, schema, name } = &created else { return Ok(Some(created)) };
    let is_there = doubt::exists(stepping.ledger.conn(), *kind, schema, name).await?;
    Ok((!is_there).then_some(created))
}

fn key_of(counted: &Counted) -> (String, String) {
    (counted.schema.clone(), counted.table.clone())
}

/// Rows that an INSERT added, if its count of affected rows tells.
fn inserted(single: &Single, affected: u64) -> Option<u64> {
    let text = &single.text;
    let word = |word: &[u8]| text.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    let replaces = word(b"REPLACE") || word(b"DUPLICATE");
    (!replaces).then_some(affected)
}

/// Whether a trigger's body may change other tables than its own row.
pub(super) fn changes_tables(tokens: Tokens<'_>) -> bool {
    let words = ["INTO", "UPDATE", "DELETE", "REPLACE", "CALL", "SELECT"];
    // `BEFORE INSERT ON t` and the like come first.
    let body = tokens.map(|spanned| spanned.token).skip_while(|token| !token.is("ROW"));
    body.into_iter().any(|token| words.iter().any(|word| token.is(word)))
}

/// `ENGINE = InnoDB`
fn names_innodb<'a>(tokens: &mut Tokens<'a>) -> bool {
    let mut last: Option<Token<'a>> = None;
    for spanned in tokens.by_ref() {
        let is_sign = spanned.token == Token::Symbol(b'=');
        if spanned.token.is("INNODB") && last.as_ref().is_some_and(|last| last.is("ENGINE")) {
            return true;
        }
        if !is_sign {
            last = Some(spanned.token);
        }
    }
    false
}
