//! Statements that wait for the next one and go to the server together with it: between two tables of
//! a dump stand half a dozen that only set up the session, and each answer that is waited for costs as
//! much as a small table's rows.
//!
//! Promises: the server executes them in the order of the file and up to the first that fails; each is
//! counted once it is in; an error is told of the statement that failed. Only what changes nothing but
//! the session and its locks waits, and never where a transaction is open. It goes at the latest when
//! the file has nothing more to give for now.

use dump::statement::{Kind, Scope};

use super::{Failed, MainConnection, Single, single_failed};
use crate::error::Result;
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
    pub(super) fn wait_ahead(&mut self, single: Single) -> Option<Single> {
        let waiting: usize =
            self.ahead.iter().map(|single| single.text.len() + BETWEEN.len()).sum();
        let may_wait = is_quiet(&single)
            && !self.in_transaction()
            && self.ahead.len() < AHEAD_MAX
            && single.text.len() <= AHEAD_BYTES_MAX
            && waiting + single.text.len() <= self.conn.statement_bytes_max() as usize;
        if !may_wait {
            return Some(single);
        }
        self.note_effects(&single.class, &single.text, single.rules);
        self.ahead.push(single);
        None
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
        let mut texts: Vec<&[u8]> = ahead.iter().map(|single| single.text.as_slice()).collect();
        let size: usize = texts.iter().map(|text| text.len() + BETWEEN.len()).sum();
        let is_apart = text.len() + size > self.conn.statement_bytes_max() as usize;
        if !text.is_empty() && !is_apart {
            texts.push(text);
        }
        let outcome = self.answer(&texts.join(BETWEEN)).await;
        let done = match &outcome {
            Ok(_) => ahead.len(),
            Err(_) => self.conn.answers().min(ahead.len()),
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

/// Whether it changes nothing but the session and its locks, and how the rules go on after it is known.
fn is_quiet(single: &Single) -> bool {
    let is_plain = single.reply.is_none() && single.open.is_none() && single.tolerate.is_empty();
    is_plain
        && match single.class.kind {
            Kind::LockTables => true,
            // Without a parenthesis there is no query and no function.
            Kind::Set => {
                let assignments = &single.class.assignments;
                let is_quiet = |scope: Scope, name: &[u8]| match scope {
                    Scope::User => true,
                    Scope::Session => QUIET.contains(&name),
                    Scope::Global => false,
                };
                !assignments.is_empty()
                    && !single.text.contains(&b'(')
                    && assignments.iter().all(|set| is_quiet(set.scope, &set.name))
            }
            _ => false,
        }
}
