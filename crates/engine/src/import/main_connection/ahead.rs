//! Statements that wait for the next one and go to the server together with it: between two tables of
//! a dump stand half a dozen that only set up the session, and each answer that is waited for costs as
//! much as a small table's rows.
//!
//! Promises: the server executes them in the order of the file and up to the first that fails; each is
//! counted once it is in; an error is told of the statement that failed. What waits is done again
//! without harm by whoever resumes, and nothing waits where a transaction is open. It goes at the
//! latest when rows are shared, or the file has nothing more to give for now.

use dump::statement::{Action, Class, Kind, Scope};

use super::{Failed, MainConnection, Single, single_failed, write_locked};
use crate::error::Result;
use crate::import::ledger::care::{Care, Standing, care};
use crate::mysql::conn::Effect;

/// Statements that may wait.
const AHEAD_MAX: usize = 16;
/// Bytes of each.
const AHEAD_BYTES_MAX: usize = 4 << 10;
/// What may be set ahead: variables of the session that change nothing by being set.
const QUIET: [&[u8]; 12] = [
    b"character_set_client",
    b"character_set_connection",
    b"character_set_results",
    b"collation_connection",
    b"foreign_key_checks",
    b"names",
    b"note_verbosity",
    b"sql_mode",
    b"sql_notes",
    b"sql_quote_show_create",
    b"time_zone",
    b"unique_checks",
];

/// What stands between two statements in one text: the server counts lines of an error from the
/// statement's own first one, and a comment to the line's end must not reach the semicolon.
const BETWEEN: &[u8] = b"\n; ";

impl MainConnection {
    /// Some statements wait.
    pub fn has_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// Lets a statement wait, if it may; else gives it back.
    pub(super) async fn wait_ahead(
        &mut self,
        mut single: Single,
    ) -> std::result::Result<Option<Single>, Box<Failed>> {
        let may_wait = single.reply.is_none()
            && single.open.is_none()
            && single.tolerate.is_empty()
            && !self.in_transaction()
            && self.ahead.len() < AHEAD_MAX
            && single.text.len() <= AHEAD_BYTES_MAX
            && match single.class.kind {
                Kind::LockTables => true,
                Kind::Set => is_quiet(&single.class, &single.text),
                Kind::Table => self.is_guarded_drop(&single),
                _ => false,
            };
        if !may_wait {
            return Ok(Some(single));
        }
        if let Err(error) = self.learn(&single).await {
            return Err(single_failed(error, &single));
        }
        self.note_drop(&single.class);
        let is_granted = single.class.kind == Kind::LockTables && self.is_granted(&single);
        self.note_effects(&single.class, &single.text, single.rules);
        if is_granted {
            self.lock.held = false;
            single.text.clear();
        }
        self.ahead.push(single);
        Ok(None)
    }

    /// `DROP TABLE IF EXISTS`, where no locks of the file are in its way.
    fn is_guarded_drop(&self, single: &Single) -> bool {
        let Single { class, text, rules, .. } = single;
        class.action == Action::Drop
            && !class.temporary
            && self.lock.text.is_none()
            && care(class, text, *rules, self.target, Standing::default()) == Care::Nothing
    }

    /// `LOCK TABLES … WRITE` of nothing but InnoDB tables that this run has made, in schemas where the
    /// account was allowed to before: the rows' own transaction would give the locks up again. They
    /// are taken if something comes that could tell.
    fn is_granted(&self, single: &Single) -> bool {
        let Some(stepping) = &self.stepping else { return false };
        let write = write_locked(&single.text, single.rules, self.target);
        let commas = single.text.iter().filter(|byte| **byte == b',').count();
        write.len() == commas + 1
            && write.iter().all(|table| {
                stepping.resolve(table).is_some_and(|key| stepping.is_own_and_lockable(&key))
            })
    }

    /// Sends what waits.
    pub async fn send_ahead(&mut self) -> Result<()> {
        match self.ahead.is_empty() {
            true => Ok(()),
            false => self.finish(b"").await.map(|_effect| ()),
        }
    }

    /// Sends a statement, or none, behind what waits.
    pub(super) async fn behind_ahead(&mut self, text: &[u8]) -> Result<Effect> {
        let ahead = std::mem::take(&mut self.ahead);
        let waiting = ahead.iter().map(|single| single.text.as_slice());
        let mut texts: Vec<&[u8]> = waiting.filter(|text| !text.is_empty()).collect();
        let size: usize = texts.iter().map(|text| text.len() + BETWEEN.len()).sum();
        let is_apart = text.len() + size > self.conn.statement_bytes_max() as usize;
        if !text.is_empty() && !is_apart {
            texts.push(text);
        }
        let outcome = match texts.is_empty() {
            true => Ok(self.nothing_done()),
            false => self.answer(&texts.join(BETWEEN)).await,
        };
        let done = match &outcome {
            Ok(_) => ahead.len(),
            Err(_) => done(&ahead, self.conn.answers()),
        };
        for single in &ahead[..done] {
            self.account(single.end_offset, false, None);
        }
        self.failed_ahead = ahead.into_iter().nth(done);
        match outcome {
            Ok(_) if is_apart => self.answer(text).await,
            outcome => outcome,
        }
    }

    /// Who is to blame for an error that ends the import: it may have been one of those ahead.
    pub fn blame(&mut self, failed: Box<Failed>) -> Box<Failed> {
        match self.failed_ahead.take() {
            Some(single) => single_failed(failed.error, &single),
            None => failed,
        }
    }
}

/// How many of them are done, when the server has answered so many of those that were sent.
fn done(ahead: &[Single], answers: usize) -> usize {
    let mut sent = 0;
    let is_next = |single: &Single| {
        sent += usize::from(!single.text.is_empty());
        sent > answers
    };
    ahead.iter().position(is_next).unwrap_or(ahead.len())
}

/// A SET that nobody but the session can see. Without a parenthesis there is no query and no function.
fn is_quiet(class: &Class, text: &[u8]) -> bool {
    let is_quiet = |scope: Scope, name: &[u8]| match scope {
        Scope::User => true,
        Scope::Session => QUIET.contains(&name),
        Scope::Global => false,
    };
    !class.assignments.is_empty()
        && !text.contains(&b'(')
        && class.assignments.iter().all(|set| is_quiet(set.scope, &set.name))
}
