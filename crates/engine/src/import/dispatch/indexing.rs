//! When indexes are taken out of a table and when they are built: the dispatcher's side of
//! [`crate::import::indexes`].
//!
//! Promises: before a statement that could tell the difference, at the end of the file, and after a
//! failure or a stop, what was taken out is back; a table that is being built gets no rows; nobody
//! waits for a build who holds what it needs.

use std::sync::Arc;

use dump::reader::Place;
use dump::statement::{Action, Kind, ObjectName};
use dump::token::Tokens;

use super::{Dispatcher, Ended};
use crate::error::{Error, ErrorKind};
use crate::import::batch::{BATCH_BYTES, Batch};
use crate::import::feed::Single;
use crate::import::guard::Note;
use crate::import::indexes::deferral::{Deferral, Reason};
use crate::import::indexes::sight::{self, Created, Sees, may_be};
use crate::import::indexes::{Candidate, Unbuilt};
use crate::import::session::SessionState;
use crate::run::failpoint;

/// What a statement leaves behind once it has succeeded.
pub(super) struct Trace {
    created: Option<(ObjectName, Created)>,
    mentioned: Vec<Vec<u8>>,
}

impl Dispatcher {
    /// Builds what a statement could miss, but for what waits under the id `carried`. The lanes are
    /// drained.
    pub(super) async fn before_single(
        &mut self,
        single: &Single,
        carried: Option<u64>,
    ) -> Result<Trace, Ended> {
        let (class, text, rules) = (&single.class, single.text.as_slice(), single.rules);
        let target = self.parts.target;
        if !self.indexes.is_empty() {
            if let Some(name) = &class.object
                && class.kind == Kind::Table
                && class.action == Action::Create
            {
                self.indexes.promise(name, self.database.as_deref(), text);
            }
            let (ids, waiting) = self.indexes.waiting();
            let mut seen = match sight::sees(class, text, rules, target, &waiting) {
                Sees::Nothing => Vec::new(),
                Sees::Tables(tables) => tables.into_iter().map(|index| ids[index]).collect(),
                Sees::All => ids,
            };
            seen.retain(|id| Some(*id) != carried);
            self.settle_indexes(&seen).await?;
            if !matches!(class.kind, Kind::LockTables | Kind::UnlockTables) {
                self.before_main().await;
            }
        }
        let created = sight::created(class, text, rules, target);
        self.indexes.changed(|| sight::changed(class, text, rules, target));
        Ok(Trace {
            created: class.object.clone().zip(created),
            mentioned: sight::mentioned(class, text, rules, target),
        })
    }

    /// Keeps what a statement did.
    pub(super) async fn after_single(&mut self, trace: Trace) -> Result<(), Ended> {
        if let Some((name, created)) = trace.created {
            self.indexes.created(&name, self.database.as_deref(), created);
        }
        self.indexes.mentioned(trace.mentioned);
        if !self.indexes.is_empty() && self.parts.main.in_transaction() {
            // It holds no table yet, and would not let go of those that it takes.
            let (all, _waiting) = self.indexes.waiting();
            self.settle_indexes(&all).await?;
        }
        Ok(())
    }

    /// Waits for a table that is being built before more rows of it come.
    pub(super) async fn before_rows(&mut self, table: &ObjectName) -> Result<(), Ended> {
        let building = self.indexes.building(&table.name);
        if building.is_empty() {
            return Ok(());
        }
        self.drain().await?;
        self.parts.main.release_locks().await.map_err(|error| self.here(error))?;
        self.indexes.wait(&building, &self.parts.progress).await;
        self.count_indexes().await;
        Ok(())
    }

    /// The main connection may take the file's locks again: not those of a table that is built.
    pub(super) async fn before_main(&mut self) {
        let building: Vec<u64> = names_in(self.parts.main.lock_to_take(), &self.parts)
            .iter()
            .flat_map(|name| self.indexes.building(name))
            .collect();
        self.indexes.wait(&building, &self.parts.progress).await;
    }

    /// Lets tables be built that the file has left for that of a batch.
    pub(super) async fn begin_builds(&mut self, batch: &Batch) {
        if self.indexes.is_empty() {
            return;
        }
        self.count_indexes().await;
        let mut busy = names_in(self.parts.main.lock_held(), &self.parts);
        busy.push(batch.table.name.clone());
        busy.extend(self.queue.iter().map(|work| work.batch.table.name.clone()));
        if let Some(lanes) = &self.lanes {
            busy.extend(lanes.tables().map(|table| table.name.clone()));
        }
        self.indexes.queue(|table| busy.iter().any(|name| may_be(name, table)));
    }

    /// Before the first full batch of a table that the file made: takes out the indexes that can
    /// wait.
    pub(super) async fn defer_indexes(
        &mut self,
        batch: &Batch,
        session: &Arc<SessionState>,
    ) -> Result<(), Ended> {
        let database = self.database.clone();
        let candidate = match batch.full {
            true => self.indexes.candidate(&batch.table, database.as_deref()),
            false => None,
        };
        let Some(candidate) = candidate else { return Ok(()) };
        let table = self.report.table(&batch.table, database.as_deref());
        let kept = if table.bytes >= BATCH_BYTES as u64 {
            Err("many of its rows came before")
        } else {
            // Lanes may hold tables that are tied to it by foreign keys.
            self.drain().await?;
            let released = self.parts.main.release_locks().await;
            released.map_err(|error| self.at_batch(error, batch))?;
            let place = batch.member(0).map_or(Place { offset: 0, line: 0 }, |m| m.place);
            self.take_out(&candidate, session, place).await
        };
        let table = self.report.table(&batch.table, database.as_deref());
        table.indexes_kept_because = kept.err();
        Ok(())
    }

    async fn take_out(
        &mut self,
        candidate: &Candidate,
        session: &Arc<SessionState>,
        place: Place,
    ) -> Result<(), Reason> {
        let deferral = self.indexes.plan(candidate, session).await?;
        let kept = self.parts.main.keep_deferral(&deferral).await;
        kept.map_err(|_error| "the ledger does not take them")?;
        failpoint::pass("before taking out");
        let copy = deferral.clone();
        let taken = self.indexes.take_out(deferral, session, place).await;
        failpoint::pass("after taking out");
        if taken.is_err() {
            self.parts.main.drop_deferral(&copy).await;
        }
        taken
    }

    /// Builds all that these tables wait for; an error if something of it cannot be.
    async fn settle_indexes(&mut self, ids: &[u64]) -> Result<(), Ended> {
        if ids.is_empty() {
            return Ok(());
        }
        self.drain().await?;
        self.parts.main.release_locks().await.map_err(|error| self.here(error))?;
        self.indexes.settle(ids, &self.parts.progress).await;
        self.count_indexes().await;
        match self.indexes.take_unbuilt(Some(ids)).pop_front() {
            Some(unbuilt) => {
                self.note_unbuilt(&unbuilt);
                Err(self.here(unbuilt.error))
            }
            None => Ok(()),
        }
    }

    /// At the end, however it came: builds all that waits. The first failure is the outcome if there
    /// is none yet; all are noted.
    pub(super) async fn end_indexes(
        &mut self,
        mut outcome: Result<(), Ended>,
    ) -> Result<(), Ended> {
        if let Err(ended) = &outcome {
            let kind = ended.error.kind;
            let is_lost = matches!(kind, ErrorKind::LostConnection | ErrorKind::Unreachable);
            let comes_again = self.parts.may_come_again && self.parts.main.marker().is_some();
            if is_lost && comes_again {
                self.report.waiting = self.indexes.left_out();
                return outcome;
            }
            if matches!(kind, ErrorKind::Resume | ErrorKind::Superseded) {
                // What is not gone on with is left as it is.
                return outcome;
            }
            self.indexes.import_failed();
        }
        let (all, _waiting) = self.indexes.waiting();
        if !all.is_empty() {
            // A connection that is gone has no locks.
            let _ = self.parts.main.release_locks().await;
            self.indexes.settle(&all, &self.parts.progress).await;
        }
        self.count_indexes().await;
        for unbuilt in self.indexes.take_unbuilt(None) {
            self.note_unbuilt(&unbuilt);
            if outcome.is_ok() {
                outcome = Err(self.here(unbuilt.error));
            }
        }
        outcome
    }

    /// Moves what is built into the report.
    async fn count_indexes(&mut self) {
        for finished in self.indexes.take_finished() {
            let table = self.report.tables.entry(finished.deferral.shown()).or_default();
            table.deferred_indexes.extend(finished.deferral.names.iter().cloned());
            table.index_seconds += finished.seconds;
            self.report.index_seconds += finished.seconds;
            self.parts.main.drop_deferral(&finished.deferral).await;
        }
    }

    fn note_unbuilt(&mut self, unbuilt: &Unbuilt) {
        self.has_unbuilt = true;
        let Unbuilt { deferral, place, error, .. } = unbuilt;
        self.report.note(missing_note(deferral, *place, error));
    }
}

/// Says what a table lacks, and how to give it back.
pub(in crate::import) fn missing_note(deferral: &Deferral, place: Place, error: &Error) -> Note {
    let text = format!(
        "the rows of {} are in, but its indexes {} are missing ({}); add them with: {}",
        deferral.shown(),
        deferral.names.join(", "),
        error.without_server_text(),
        deferral.add.join("; ")
    );
    Note::new("index", place, text)
}

/// The words in a LOCK TABLES that may be names.
fn names_in(lock: Option<&[u8]>, parts: &super::Parts) -> Vec<Vec<u8>> {
    let rules = dump::rules::Rules::new(parts.target.server);
    let tokens = Tokens::new(lock.unwrap_or_default(), rules, parts.target);
    tokens.filter_map(|spanned| spanned.token.name()).collect()
}
