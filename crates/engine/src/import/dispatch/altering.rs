//! ALTER TABLE statements of the file that do not meet a large table's keys: those that add them, and
//! those that a table goes through without them.
//!
//! Promises: whatever can fail because of the rows happens at the statement's place in the file, and
//! if it fails the statement itself is executed and its outcome stands; the ledger knows before
//! anything happens what the table will lack. Decides nothing about when keys are built.

use std::sync::Arc;

use dump::alteration::{Alteration, Change, alteration};

use super::{Dispatcher, Ended};
use crate::error::ErrorKind;
use crate::import::feed::Single;
use crate::import::indexes::deferral::{Addition, Deferral};
use crate::import::session::SessionState;
use crate::run::failpoint;

/// A statement that a waiting table goes through.
pub(super) struct Carried {
    /// Which one waits.
    pub(super) id: u64,
    before: Arc<Deferral>,
    after: Deferral,
}

impl Dispatcher {
    /// Whether a table that waits for keys can go through a statement without them. The lanes are
    /// drained.
    pub(super) async fn carrying(&mut self, single: &Single) -> Result<Option<Carried>, Ended> {
        let Some(Alteration { clauses, .. }) = self.alteration(single, Change::Modifies) else {
            return Ok(None);
        };
        let database = self.database.clone();
        let waiting = single.class.object.as_ref();
        let waiting = waiting.and_then(|name| self.indexes.to_carry(name, database.as_deref()));
        let Some((id, before)) = waiting else { return Ok(None) };
        let Some(session) = self.utf8_session(&clauses).await? else { return Ok(None) };
        let since = single.place.offset;
        let planned = self.indexes.plan_carrying(&before, &clauses, &session, since).await;
        let Ok(after) = planned else { return Ok(None) };
        Ok(Some(Carried { id, before, after }))
    }

    /// Executes a statement that a waiting table goes through.
    pub(super) async fn carry(&mut self, single: Single, carried: Carried) -> Result<(), Ended> {
        let Carried { id, before, after } = carried;
        let kept = self.parts.main.keep_deferral(&after).await;
        kept.map_err(|error| self.here(error))?;
        self.parts.main.changes_waiting(&before);
        failpoint::pass("before carrying");
        let outcome = self.single(single).await;
        failpoint::pass("after carrying");
        match outcome {
            Ok(()) => {
                self.indexes.carried(id, after);
                self.parts.main.drop_deferral(&before).await;
                Ok(())
            }
            Err(ended) => {
                if !is_uncertain(ended.error.kind) {
                    self.parts.main.drop_deferral(&after).await;
                }
                Err(ended)
            }
        }
    }

    /// Executes what cannot wait of a statement that adds keys to a large table; gives the statement
    /// back if it has to be executed as it stands. Nothing waits that it could miss.
    pub(super) async fn put_off(&mut self, single: Single) -> Result<Option<Single>, Ended> {
        let Some((addition, session)) = self.addition(&single).await? else {
            return Ok(Some(single));
        };
        let Addition { deferral, at_once } = addition;
        if self.parts.main.keep_deferral(&deferral).await.is_err() {
            return Ok(Some(single));
        }
        failpoint::pass("before adding");
        let outcome = match at_once {
            Some(text) => self.single(in_place_of(&single, text)).await,
            None => self.parts.main.pass(&single).await,
        };
        failpoint::pass("after adding");
        match outcome {
            Ok(()) => {
                self.report.tables.entry(deferral.shown()).or_default().indexes_kept_because = None;
                self.indexes.wait_for(deferral, Some(session), single.place);
                Ok(None)
            }
            Err(ended) if is_uncertain(ended.error.kind) => Err(ended),
            Err(_) => {
                self.parts.main.drop_deferral(&deferral).await;
                Ok(Some(single))
            }
        }
    }

    /// What of a statement can wait, and the file's session.
    async fn addition(
        &mut self,
        single: &Single,
    ) -> Result<Option<(Addition, Arc<SessionState>)>, Ended> {
        let Some(Alteration { clauses, .. }) = self.alteration(single, Change::AddsKeys) else {
            return Ok(None);
        };
        let name = single.class.object.as_ref();
        let database = self.database.as_deref();
        let Some((schema, table)) = name.and_then(|name| self.indexes.to_add(name, database))
        else {
            return Ok(None);
        };
        let Some(session) = self.utf8_session(&clauses).await? else { return Ok(None) };
        let (table, since) = ((schema.as_str(), table.as_str()), single.place.offset);
        let planned = self.indexes.plan_addition(table, &clauses, &session, since).await;
        Ok(planned.ok().map(|addition| (addition, session)))
    }

    /// The statement as an ALTER of this kind, where nothing of the session stands against it.
    fn alteration(&self, single: &Single, change: Change) -> Option<Alteration> {
        let Single { class, text, rules, .. } = single;
        let is_plain =
            single.reply.is_none() && single.open.is_none() && single.tolerate.is_empty();
        let main = &self.parts.main;
        let is_locked = main.lock_held().or(main.lock_to_take()).is_some();
        let is_barred = class.object.as_ref().is_none_or(|table| main.barred(table).is_some());
        if !is_plain || is_locked || is_barred {
            return None;
        }
        let found = alteration(class, text, *rules, self.parts.target);
        found.filter(|found| found.change == change)
    }

    /// The file's session, if a text means the same in UTF-8.
    async fn utf8_session(&mut self, text: &str) -> Result<Option<Arc<SessionState>>, Ended> {
        let session = self.parts.main.session().await.map_err(|error| self.here(error))?;
        Ok((text.is_ascii() || session.speaks_utf8()).then_some(session))
    }
}

/// Another text at a statement's place.
fn in_place_of(single: &Single, text: String) -> Single {
    Single {
        text: text.into_bytes(),
        class: single.class.clone(),
        reply: None,
        open: None,
        tolerate: Vec::new(),
        ..*single
    }
}

/// Whether a statement that ended so may be in all the same.
fn is_uncertain(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::LostConnection
            | ErrorKind::Unreachable
            | ErrorKind::Interrupted
            | ErrorKind::Superseded
    )
}
