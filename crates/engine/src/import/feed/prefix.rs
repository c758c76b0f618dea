//! The part of the file that a resumed import passes over: it is in already.
//!
//! Says of each statement on which side of the place it stands, and which of those before it have to
//! be executed again because the session needs them. It promises to refuse a file that is not the
//! same up to there, and what it cannot bring back exactly. It executes nothing.

use std::collections::HashSet;

use dump::rules::Rules;
use dump::statement::{Action, Class, Kind, Scope};
use dump::token::{Target, Tokens};

use crate::error::{self, Error, ErrorKind};
use crate::import::ledger::doubt::Settled;
use crate::import::ledger::{Digest, Position};

/// Where an import goes on.
#[derive(Clone, Debug, Default)]
pub struct ResumeAt {
    /// Everything before it is in.
    pub position: Position,
    /// What of the next statement is.
    pub settled: Settled,
}

/// Passing over the prefix.
pub(super) struct Prefix {
    at: ResumeAt,
    is_confirmed: bool,
    temporary: HashSet<Vec<u8>>,
}

/// On which side of the place a statement stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// It is in.
    Before,
    /// It stands behind the place and is in nevertheless.
    Done,
    /// It is to be executed.
    After,
    /// So many of its rows are in, and no more: its table knows no transactions.
    Begun(u64),
    /// A part of it is in.
    Split,
}

/// What a statement before the place means for the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing.
    None,
    /// It has to be executed again, or remembered.
    Session,
    /// Executed again it might mean something else.
    Unclear(&'static str),
}

impl Prefix {
    pub(super) fn new(at: ResumeAt) -> Prefix {
        let is_confirmed = at.position.check.offset == 0;
        Prefix { at, is_confirmed, temporary: HashSet::new() }
    }

    /// Whether something that ends at `end_offset` stands before the place.
    pub(super) fn is_before(&self, end_offset: u64) -> bool {
        end_offset <= self.at.position.offset
    }

    /// Judges a statement; of an INSERT … VALUES with its table and its rows.
    pub(super) fn side(
        &mut self,
        start: u64,
        end_offset: u64,
        insert: Option<(&[u8], u64)>,
    ) -> Side {
        if self.is_before(end_offset) {
            return Side::Before;
        }
        let settled = &mut self.at.settled;
        if start < self.at.position.offset || !self.is_confirmed {
            return Side::Split;
        }
        if std::mem::take(&mut settled.skip) {
            return Side::Done;
        }
        let is_its_table = |table: &[u8]| {
            settled.table.as_ref().is_some_and(|name| name.as_bytes().eq_ignore_ascii_case(table))
        };
        let rows = insert.filter(|(table, _)| is_its_table(table)).map(|(_, rows)| rows);
        match (settled.rows, rows) {
            (0, _) => Side::After,
            (done, Some(rows)) if rows > 0 && rows <= done => {
                settled.rows -= rows;
                Side::Done
            }
            (done, Some(_)) => {
                settled.rows = 0;
                Side::Begun(done)
            }
            _ => Side::Split,
        }
    }

    /// Judges a part of an INSERT that begins at `start` and ends after the place.
    pub(super) fn part(&self, start: u64) -> Side {
        let is_whole = start >= self.at.position.offset && self.is_confirmed;
        match is_whole && self.at.settled.rows == 0 && !self.at.settled.skip {
            true => Side::After,
            false => Side::Split,
        }
    }

    /// Errors that the next statement may bring.
    pub(super) fn into_tolerated(self) -> Vec<u32> {
        self.at.settled.tolerate
    }

    /// Compares what was read so far; false if it is another file.
    pub(super) fn confirms(&mut self, read: &Digest) -> bool {
        let wanted = self.at.position.check;
        if self.is_confirmed || read.offset() < wanted.offset {
            return true;
        }
        self.is_confirmed = read.check() == wanted;
        self.is_confirmed
    }

    /// The file ended before the place.
    pub(super) fn is_short(&self, read: &Digest) -> bool {
        !self.is_confirmed || read.offset() < self.at.position.check.offset
    }

    pub(super) fn is_temporary(&self, table: &[u8]) -> bool {
        self.temporary.contains(&table.to_ascii_lowercase())
    }

    /// What a statement means for the session.
    pub(super) fn meaning(
        &mut self,
        class: &Class,
        text: &[u8],
        rules: Rules,
        target: Target,
    ) -> Meaning {
        let has = |word: &str| Tokens::new(text, rules, target).any(|t| t.token.is(word));
        let reads_tables = || has("FROM") && !has("INFORMATION_SCHEMA");
        let object = class.object.as_ref();
        let is_temporary = object.is_some_and(|object| self.is_temporary(&object.name));
        match class.kind {
            Kind::Set if class.assignments.iter().any(|a| a.scope == Scope::Global) => {
                Meaning::None
            }
            Kind::Set if has("SELECT") && reads_tables() => Meaning::Unclear(
                "it sets variables from tables, so what it set before is not known",
            ),
            Kind::Set | Kind::Use | Kind::LockTables | Kind::UnlockTables | Kind::Begin => {
                Meaning::Session
            }
            Kind::Execute => Meaning::Session,
            Kind::Other if has("SET") => Meaning::Session,
            Kind::Query if text.contains(&b'@') && (has("INTO") || assigns(text)) => {
                match reads_tables() {
                    true => Meaning::Unclear(
                        "it sets variables from tables, so what it set before is not known",
                    ),
                    false => Meaning::Session,
                }
            }
            Kind::Table if class.temporary => {
                let name = object.map(|object| object.name.to_ascii_lowercase());
                match class.action {
                    Action::Create => self.temporary.extend(name),
                    Action::Drop => self.temporary.retain(|known| Some(known) != name.as_ref()),
                    Action::Alter => {}
                }
                match has("SELECT") {
                    true => Meaning::Unclear("it fills a temporary table from others"),
                    false => Meaning::Session,
                }
            }
            Kind::Table | Kind::Insert | Kind::Change if is_temporary => match has("SELECT") {
                true => Meaning::Unclear("it fills a temporary table from others"),
                false => Meaning::Session,
            },
            _ => Meaning::None,
        }
    }
}

/// `@x := …`
fn assigns(text: &[u8]) -> bool {
    text.windows(2).any(|two| two == b":=")
}

/// The place is inside a statement.
pub(super) fn split() -> Error {
    let text = "resume: a part of this statement is in and a part is not, and its table knows no \
                transactions; or the target was changed";
    Error::new(ErrorKind::Resume, error::Side::Target, text)
}
