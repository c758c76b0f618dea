//! The reader's thread: turns the file into steps, ahead of their execution.
//!
//! Promises: steps come in file order; what is read ahead is bounded by a [`Budget`] of bytes; the
//! thread ends when the receiver is dropped. It judges statements by the guard and collects literal
//! INSERTs into batches. It decides nothing about connections.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use dump::command::{Command, Kind as CommandKind};
use dump::insert::{self, Found, Head};
use dump::reader::{Item, Limits, Part, Place, ReadError, Reader, Statement};
use dump::rules::{Multibyte, Rules};
use dump::saved::SavedRules;
use dump::statement::{self, Assignment, Class, Kind, ObjectName, Scope};
use dump::token::Target;
use dump::values::Rows;
use dump::{Fault, Open};
use tokio::runtime::Handle;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::batch::{Batch, Literal, literal_rows};
use super::guard::{Guard, Note, Policy, Verdict, judge};
use super::ledger::{Check, Digest, Position};
use crate::error::{Error, ErrorKind, Side};
use crate::run::budget::{Budget, Held};
use crate::run::progress::Progress;

mod prefix;

pub use prefix::ResumeAt;
use prefix::{Prefix, Side as PrefixSide};

/// Steps that may wait in the channel; their bytes are bounded by the budget.
const STEPS_MAX: usize = 256;

/// Steps that the reader finds room for when it goes on after the channel was full: woken for each, it
/// would change threads once for every small statement.
const STEPS_ROOM: usize = STEPS_MAX / 2;

/// One piece of work, in file order.
pub enum Step {
    /// A statement that is executed by itself.
    Single(Single, Held),
    /// Literal INSERTs into one table.
    Batch(Arc<Batch>, Held),
    /// Rows of an INSERT that is too large to be held whole.
    Rows(RowsPart, Held),
    /// A statement before the place where a resumed import goes on. It is in; only what it did to
    /// the session is done again.
    Before(Single),
    /// Something before that place that the report does not count yet.
    Counted(Counted),
    /// Something for the report.
    Note(Note),
    /// The file cannot be read on, or must not be: everything before this place counts.
    Failed(Error, Place),
    /// The whole file was read.
    End(End),
}

/// A statement that is executed by itself.
pub struct Single {
    /// Its text.
    pub text: Vec<u8>,
    /// Where it stands.
    pub place: Place,
    /// Offset in the file after it.
    pub end_offset: u64,
    /// What it is.
    pub class: Class,
    /// Rows it inserts, if it is an INSERT … VALUES.
    pub rows: u64,
    /// What the file's end leaves open inside it.
    pub open: Option<Open>,
    /// The rules that it was read by.
    pub rules: Rules,
    /// The reader waits here for the rules that hold after it.
    pub reply: Option<oneshot::Sender<Rules>>,
    /// Proof of the file before it.
    pub check: Check,
    /// Errors of the server that mean that it was executed already, by the import that is resumed.
    pub tolerate: Vec<u32>,
    /// Rows of it that are in already and stand no more in its text: a table without transactions
    /// keeps what a killed INSERT has stored.
    pub rows_in: u64,
}

impl Single {
    /// Where the file stands when everything before it is in.
    pub fn start(&self) -> Position {
        Position { offset: self.place.offset, check: self.check }
    }

    /// Where the file stands when it is in as well.
    pub fn end(&self) -> Position {
        Position { offset: self.end_offset, check: self.check }
    }
}

/// Some rows of an oversized INSERT.
pub struct RowsPart {
    /// The statement's text up to VALUES.
    pub head: Vec<u8>,
    /// The rows' text.
    pub rows_text: Vec<u8>,
    /// The table.
    pub table: ObjectName,
    /// Where the rows stand.
    pub place: Place,
    /// Where the statement stands.
    pub statement: Place,
    /// Offset in the file after them.
    pub end_offset: u64,
    /// The first part of its statement.
    pub first: bool,
    /// The last part of its statement.
    pub last: bool,
    /// The rules that it was read by.
    pub rules: Rules,
    /// Proof of the file before it.
    pub check: Check,
}

impl RowsPart {
    /// Where the file stands when everything before its statement is in.
    pub fn start(&self) -> Position {
        Position { offset: self.statement.offset, check: self.check }
    }

    /// Where the file stands when it is in as well.
    pub fn end(&self) -> Position {
        Position { offset: self.end_offset, check: self.check }
    }
}

/// A statement that is in, for the report.
#[derive(Clone, Debug)]
pub struct Counted {
    /// The table, of an INSERT … VALUES.
    pub table: Option<ObjectName>,
    /// Rows that it brought.
    pub rows: u64,
    /// Bytes of its text.
    pub bytes: u64,
    /// Offset in the file after it.
    pub end_offset: u64,
}

/// What is known at the end of the file.
#[derive(Clone, Copy, Debug)]
pub struct End {
    /// The place after the last byte.
    pub place: Place,
    /// A comment that never ends.
    pub open: Option<Open>,
}

/// What the reader needs to know.
pub struct FeedOptions {
    /// The file's name, for messages.
    pub name: String,
    /// The rules in force: at first those at the start of the file.
    pub rules: Rules,
    /// The server, for executable comments.
    pub target: Target,
    /// The policies.
    pub guard: Guard,
    /// The longest INSERT that is sent whole, in bytes.
    pub whole_max: usize,
    /// Bytes at which a batch is full; 0 makes every statement a step of its own.
    pub batch_bytes: usize,
    /// Batches get their rows as lines of LOAD DATA, too.
    pub writes_lines: bool,
    /// Where an import that is resumed goes on.
    pub resume: Option<ResumeAt>,
    /// Up to here the report of earlier attempts counts what is in; nothing is counted again if
    /// there were none.
    pub counted_to: Option<u64>,
}

/// The receiver is gone: nobody wants more.
struct Unwanted;

/// The reader's end of a channel of steps.
pub struct StepSender {
    steps: mpsc::Sender<Step>,
    /// Lets a thread wait for room.
    runtime: Handle,
}

/// A channel from a thread to a task of the runtime that this is called in.
pub fn steps() -> (StepSender, mpsc::Receiver<Step>) {
    let (steps, receiver) = mpsc::channel(STEPS_MAX);
    (StepSender { steps, runtime: Handle::current() }, receiver)
}

impl StepSender {
    /// Waits for room; not in a task.
    fn send(&self, step: Step) -> Result<(), Unwanted> {
        match self.steps.try_send(step) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(Unwanted),
            Err(TrySendError::Full(step)) => {
                let room = self.runtime.block_on(self.steps.reserve_many(STEPS_ROOM));
                room.map_err(|_| Unwanted)?.next().map(|place| place.send(step)).ok_or(Unwanted)
            }
        }
    }
}

/// Reads `source` to its end; meant to be a thread's only work, one outside of the runtime.
pub fn run(
    source: Box<dyn std::io::Read + Send>,
    options: FeedOptions,
    budget: Budget,
    progress: Arc<Progress>,
    steps: StepSender,
) {
    let window = Limits::DEFAULT.window.min(options.whole_max.max(1 << 10));
    let limits = Limits { window, whole_max: options.whole_max, ..Limits::DEFAULT };
    let reader = match options.writes_lines {
        true => Reader::new(source, options.rules, limits).with_lines(),
        false => Reader::new(source, options.rules, limits),
    };
    let prefix = options.resume.clone().map(Prefix::new);
    let (digest, saved) = (Digest::new(), SavedRules::default());
    let mut feed = Feed {
        options,
        budget,
        progress,
        steps,
        batch: None,
        digest,
        saved,
        prefix,
        tolerate: Vec::new(),
        part_check: Check::default(),
    };
    // An error here means that the receiver is gone, which needs no telling.
    let _ = feed.read(reader);
}

struct Feed {
    options: FeedOptions,
    budget: Budget,
    progress: Arc<Progress>,
    steps: StepSender,
    batch: Option<Batch>,
    digest: Digest,
    saved: SavedRules,
    /// Until a resumed import is at its place.
    prefix: Option<Prefix>,
    /// For the next statement that is sent.
    tolerate: Vec<u32>,
    /// Proof of the file before the INSERT whose parts are coming.
    part_check: Check,
}

/// What became of a statement before the place where a resumed import goes on.
enum Passed {
    /// It is past that place.
    On,
    /// It is done with; the rules after it, or nothing if reading must stop.
    Done(Option<Rules>),
}

impl Feed {
    fn read(&mut self, mut reader: Reader<Box<dyn std::io::Read + Send>>) -> Result<(), Unwanted> {
        loop {
            let after = match reader.next_item() {
                Ok(Some(Item::Statement(statement))) => {
                    let end_offset = statement.place.offset + statement.raw.len() as u64;
                    let after = self.statement(&statement, end_offset)?;
                    self.passed(statement.raw, end_offset, after)?
                }
                Ok(Some(Item::Part(part))) => {
                    let end_offset = part.place.offset + part.raw.len() as u64;
                    let after = self.part(&part, end_offset)?;
                    self.passed(part.raw, end_offset, after)?
                }
                Ok(Some(Item::Command(command, place))) => self.command(command, place)?,
                Ok(None)
                    if self.prefix.as_ref().is_some_and(|prefix| prefix.is_short(&self.digest)) =>
                {
                    return self.not_the_file(reader.place());
                }
                Ok(None) => {
                    self.flush(false)?;
                    let end = End { place: reader.place(), open: reader.open() };
                    return self.send(Step::End(end));
                }
                Err(error) => {
                    self.flush(false)?;
                    let place = error.place();
                    return self.send(Step::Failed(read_error(error), place));
                }
            };
            let Some(rules) = after else { return Ok(()) };
            reader.set_rules(rules);
            self.options.rules = rules;
        }
    }

    /// Counts bytes as read; nothing if they are not those of the import that is resumed.
    fn passed(
        &mut self,
        bytes: &[u8],
        end_offset: u64,
        after: Option<Rules>,
    ) -> Result<Option<Rules>, Unwanted> {
        self.digest.add(bytes, end_offset);
        match self.prefix.as_mut().map(|prefix| prefix.confirms(&self.digest)) {
            None | Some(true) => Ok(after),
            Some(false) => {
                self.not_the_file(Place { offset: end_offset, line: 0 })?;
                Ok(None)
            }
        }
    }

    fn not_the_file(&mut self, place: Place) -> Result<(), Unwanted> {
        let text = "this is not the file whose import is to be resumed: what it holds before the \
                    place to go on is not the same";
        let error = Error::new(ErrorKind::Resume, Side::Input, text);
        self.send(Step::Failed(error, place))
    }

    fn send(&self, step: Step) -> Result<(), Unwanted> {
        self.steps.send(step)
    }

    /// Sends the batch that is being collected.
    fn flush(&mut self, full: bool) -> Result<(), Unwanted> {
        let Some(mut batch) = self.batch.take() else { return Ok(()) };
        batch.full = full;
        let held = self.budget.take(batch.held_bytes());
        self.send(Step::Batch(Arc::new(batch), held))
    }

    /// Gives the rules for what follows; nothing if reading must stop.
    fn statement(
        &mut self,
        statement: &Statement<'_>,
        end_offset: u64,
    ) -> Result<Option<Rules>, Unwanted> {
        self.progress.read_bytes.store(end_offset, Ordering::Relaxed);
        let text = statement.text();
        if self.prefix.is_some() {
            match self.in_prefix(statement, &text, end_offset)? {
                Passed::On => {}
                Passed::Done(rules) => return Ok(rules),
            }
        }
        if self.options.batch_bytes > 0
            && let Some(()) = self.collect(statement, &text, end_offset)?
        {
            return Ok(Some(statement.rules));
        }
        self.flush(false)?;
        let class = statement::classify(&text, statement.rules, self.options.target);
        if class.kind == Kind::Empty {
            return Ok(Some(statement.rules));
        }
        let text = match judge(&self.options.guard, &class, &text, statement.place) {
            Verdict::Run(text, note) => {
                if let Some(note) = note {
                    self.send(Step::Note(note))?;
                }
                text.into_owned()
            }
            Verdict::Skip(note) => {
                self.send(Step::Note(note))?;
                return Ok(Some(statement.rules));
            }
            Verdict::Refuse(reason) => {
                let error = Error::new(ErrorKind::Refused, Side::Input, reason);
                self.send(Step::Failed(error, statement.place))?;
                return Ok(None);
            }
        };
        self.single(statement, text, class, end_offset).map(Some)
    }

    /// Sends a statement and finds the rules that hold after it, asking where the text is silent.
    fn single(
        &mut self,
        statement: &Statement<'_>,
        text: Vec<u8>,
        class: Class,
        end_offset: u64,
    ) -> Result<Rules, Unwanted> {
        let known = self.saved.after(&class, &text, statement.rules);
        let (reply, answer) = match known {
            Some(_) => (None, None),
            None => {
                let (reply, answer) = oneshot::channel();
                (Some(reply), Some(answer))
            }
        };
        let held = self.budget.take(text.len() as u64);
        let single = Single {
            text,
            place: statement.place,
            end_offset,
            class,
            rows: statement.rows,
            open: statement.open,
            rules: statement.rules,
            reply,
            check: self.digest.check(),
            tolerate: std::mem::take(&mut self.tolerate),
            rows_in: 0,
        };
        self.send(Step::Single(single, held))?;
        match (known, answer) {
            (Some(rules), _) => Ok(rules),
            (None, Some(answer)) => answer.blocking_recv().map_err(|_| Unwanted),
            (None, None) => Ok(statement.rules),
        }
    }

    /// A statement while a resumed import is not yet at its place.
    fn in_prefix(
        &mut self,
        statement: &Statement<'_>,
        text: &[u8],
        end_offset: u64,
    ) -> Result<Passed, Unwanted> {
        let Some(prefix) = &mut self.prefix else { return Ok(Passed::On) };
        let start = statement.place.offset;
        let insert = statement.head.map(|head| (&head.table[..], statement.rows));
        match prefix.side(start, end_offset, insert) {
            PrefixSide::After => {
                self.tolerate = self.prefix.take().map(Prefix::into_tolerated).unwrap_or_default();
                Ok(Passed::On)
            }
            PrefixSide::Done => Ok(Passed::Done(Some(statement.rules))),
            PrefixSide::Begun(rows_in) => {
                self.prefix = None;
                self.rest(statement, text, rows_in, end_offset).map(Passed::Done)
            }
            PrefixSide::Split => {
                self.send(Step::Failed(prefix::split(), statement.place))?;
                Ok(Passed::Done(None))
            }
            PrefixSide::Before => {
                let is_rows = statement.head.is_some_and(|head| !prefix.is_temporary(&head.table));
                let (rows, head) = (statement.rows, statement.head);
                self.count_late(head, rows, text.len(), end_offset)?;
                if is_rows {
                    return Ok(Passed::Done(Some(statement.rules)));
                }
                self.before(statement, text, end_offset).map(Passed::Done)
            }
        }
    }

    /// The rows of an INSERT that are not in, where the first of them are: a server stores the rows
    /// of one statement in their order.
    fn rest(
        &mut self,
        statement: &Statement<'_>,
        text: &[u8],
        rows_in: u64,
        end_offset: u64,
    ) -> Result<Option<Rules>, Unwanted> {
        let rules = statement.rules;
        let plain = statement.head.filter(|head| {
            !(head.replace || head.ignore || statement.tail || statement.open.is_some())
        });
        let head = plain.and_then(|_| match insert::head(text, rules.ansi_quotes) {
            Found::Values(head) => Some(head.length),
            Found::Incomplete | Found::Other => None,
        });
        let literal = head.filter(|at| literal_rows(text, *at, rules).is_some());
        let rest = literal.and_then(|at| {
            let rows = &text[at..];
            let next = Rows::new(rows, rules).nth(usize::try_from(rows_in).ok()?)?;
            Some([&text[..at], b" ", &rows[next.start..]].concat())
        });
        let Some(rest) = rest else {
            self.send(Step::Failed(prefix::split(), statement.place))?;
            return Ok(None);
        };
        let held = self.budget.take(rest.len() as u64);
        let single = Single {
            class: statement::classify(&rest, rules, self.options.target),
            text: rest,
            place: statement.place,
            end_offset,
            rows: statement.rows - rows_in,
            open: None,
            rules,
            reply: None,
            check: self.digest.check(),
            tolerate: Vec::new(),
            rows_in,
        };
        self.send(Step::Single(single, held))?;
        Ok(Some(rules))
    }

    /// A statement that is in and was not counted: the answer to its commit was lost.
    fn count_late(
        &mut self,
        head: Option<&Head>,
        rows: u64,
        bytes: usize,
        end_offset: u64,
    ) -> Result<(), Unwanted> {
        if self.options.counted_to.is_none_or(|counted_to| end_offset <= counted_to) {
            return Ok(());
        }
        let table =
            head.map(|head| ObjectName { schema: head.schema.clone(), name: head.table.clone() });
        self.send(Step::Counted(Counted { table, rows, bytes: bytes as u64, end_offset }))
    }

    /// A statement that is in: sent only if it made something of the session.
    fn before(
        &mut self,
        statement: &Statement<'_>,
        text: &[u8],
        end_offset: u64,
    ) -> Result<Option<Rules>, Unwanted> {
        let class = statement::classify(text, statement.rules, self.options.target);
        let Some(prefix) = &mut self.prefix else { return Ok(Some(statement.rules)) };
        match prefix.meaning(&class, text, statement.rules, self.options.target) {
            prefix::Meaning::None => {
                Ok(Some(class.rules_after(statement.rules).unwrap_or(statement.rules)))
            }
            prefix::Meaning::Unclear(reason) => {
                let text = format!("resume after this statement: {reason}");
                let error = Error::new(ErrorKind::Resume, Side::Input, text);
                self.send(Step::Failed(error, statement.place))?;
                Ok(None)
            }
            prefix::Meaning::Session => {
                let known = self.saved.after(&class, text, statement.rules);
                let (reply, answer) = oneshot::channel();
                let single = Single {
                    text: text.to_vec(),
                    place: statement.place,
                    end_offset,
                    class,
                    rows: 0,
                    open: None,
                    rules: statement.rules,
                    reply: known.is_none().then_some(reply),
                    check: self.digest.check(),
                    tolerate: Vec::new(),
                    rows_in: 0,
                };
                self.send(Step::Before(single))?;
                match known {
                    Some(rules) => Ok(Some(rules)),
                    None => answer.blocking_recv().map(Some).map_err(|_| Unwanted),
                }
            }
        }
    }

    /// Adds a literal INSERT to a batch; nothing if it is none.
    fn collect(
        &mut self,
        statement: &Statement<'_>,
        text: &[u8],
        end_offset: u64,
    ) -> Result<Option<()>, Unwanted> {
        let Some(head) = statement.head else { return Ok(None) };
        if head.replace || head.ignore || head.modified || statement.tail {
            return Ok(None);
        }
        if statement.open.is_some() {
            return Ok(None);
        }
        let values_at = match statement.altered {
            false => head.length,
            true => match insert::head(text, statement.rules.ansi_quotes) {
                Found::Values(head) => head.length,
                Found::Incomplete | Found::Other => return Ok(None),
            },
        };
        let Some(rows) = literals(statement, text, values_at) else { return Ok(None) };
        let fits = |batch: &Batch| batch.takes(head, text.len(), statement.rules);
        if !self.batch.as_ref().is_some_and(fits) {
            let full = self.batch.as_ref().is_some_and(|batch| batch.is_full(text.len()));
            self.flush(full)?;
        }
        let rules = statement.rules;
        let bytes_max = self.options.batch_bytes;
        let digest = &self.digest;
        let batch =
            self.batch.get_or_insert_with(|| Batch::new(head, rules, digest.check(), bytes_max));
        batch.push(Cow::Borrowed(text), statement.place, end_offset, rows);
        Ok(Some(()))
    }

    fn part(&mut self, part: &Part<'_>, end_offset: u64) -> Result<Option<Rules>, Unwanted> {
        self.flush(false)?;
        self.progress.read_bytes.store(end_offset, Ordering::Relaxed);
        if part.first {
            self.part_check = self.digest.check();
        }
        if let Some(done) = self.part_in_prefix(part, end_offset)? {
            return Ok(done);
        }
        let rows_text = part.text().into_owned();
        let held = self.budget.take(rows_text.len() as u64);
        let step = RowsPart {
            head: part.head_text.to_vec(),
            rows_text,
            table: ObjectName { schema: part.head.schema.clone(), name: part.head.table.clone() },
            place: part.place,
            statement: part.statement,
            end_offset,
            first: part.first,
            last: part.last,
            rules: part.rules,
            check: self.part_check,
        };
        self.send(Step::Rows(step, held))?;
        Ok(Some(part.rules))
    }

    /// The same as [`Feed::in_prefix`] for a part of an INSERT; nothing if it is to be executed.
    fn part_in_prefix(
        &mut self,
        part: &Part<'_>,
        end_offset: u64,
    ) -> Result<Option<Option<Rules>>, Unwanted> {
        let Some(prefix) = &mut self.prefix else { return Ok(None) };
        if prefix.is_before(end_offset) {
            self.count_late(Some(part.head), part.rows, part.raw.len(), end_offset)?;
            return Ok(Some(Some(part.rules)));
        }
        match prefix.part(part.statement.offset) {
            PrefixSide::After => {
                self.prefix = None;
                Ok(None)
            }
            PrefixSide::Before | PrefixSide::Done => Ok(Some(Some(part.rules))),
            PrefixSide::Begun(_) | PrefixSide::Split => {
                self.send(Step::Failed(prefix::split(), part.statement))?;
                Ok(Some(None))
            }
        }
    }

    /// Client commands: `USE` and `charset` are statements, the rest is never run.
    fn command(&mut self, command: Command, place: Place) -> Result<Option<Rules>, Unwanted> {
        self.flush(false)?;
        let rules = self.options.rules;
        let note = |what: &str| Note::new("client_command", place, what);
        match command.kind {
            CommandKind::Use => {
                let mut text = b"USE `".to_vec();
                for byte in command.argument {
                    text.push(byte);
                    if byte == b'`' {
                        text.push(byte);
                    }
                }
                text.push(b'`');
                self.own_statement(text, Kind::Use, Vec::new(), place)
            }
            CommandKind::Charset => {
                let name = String::from_utf8_lossy(&command.argument).into_owned();
                let text = format!("SET NAMES {name}").into_bytes();
                let value = Some(command.argument);
                let (scope, name) = (Scope::Session, b"names".to_vec());
                let names = Assignment { scope, name, value, origin: None };
                self.own_statement(text, Kind::Set, vec![names], place)
            }
            CommandKind::Outside if self.options.guard.policy == Policy::Skip => {
                self.send(Step::Note(note("a client command was left out")))?;
                Ok(Some(rules))
            }
            CommandKind::Outside => {
                let text = "a client command that reaches outside the database (source, system, \
                            \\!, tee, pager, edit, connect) is never run; --policy skip leaves it \
                            out";
                let error = Error::new(ErrorKind::Refused, Side::Input, text);
                self.send(Step::Failed(error, place))?;
                Ok(None)
            }
            CommandKind::Quit => {
                let text = "the file ends here by a quit command; what follows is not read";
                self.send(Step::Note(note(text)))?;
                Ok(Some(rules))
            }
            CommandKind::Cosmetic => {
                self.send(Step::Note(note("a client command that only prints was left out")))?;
                Ok(Some(rules))
            }
            CommandKind::Delimiter
            | CommandKind::Go
            | CommandKind::Clear
            | CommandKind::Sandbox => Ok(Some(rules)),
        }
    }

    /// A statement that stands for a client command.
    fn own_statement(
        &mut self,
        text: Vec<u8>,
        kind: Kind,
        assignments: Vec<Assignment>,
        place: Place,
    ) -> Result<Option<Rules>, Unwanted> {
        let rules = self.options.rules;
        let mut class = statement::classify(&text, rules, self.options.target);
        class.kind = kind;
        if !assignments.is_empty() {
            class.assignments = assignments;
        }
        let after = class.rules_after(rules).unwrap_or(rules);
        let end_offset = place.offset + text.len() as u64;
        let held = self.budget.take(text.len() as u64);
        let single = Single {
            text,
            place,
            end_offset,
            class,
            rows: 0,
            open: None,
            rules,
            reply: None,
            check: self.digest.check(),
            tolerate: Vec::new(),
            rows_in: 0,
        };
        // What stands for a command may be longer than the command: its start decides.
        let is_before =
            self.prefix.as_ref().is_some_and(|prefix| prefix.is_before(place.offset + 1));
        self.send(if is_before { Step::Before(single) } else { Step::Single(single, held) })?;
        Ok(Some(after))
    }
}

/// The rows of a statement, if they are literals: often the reader knows by now.
pub(super) fn literals<'a>(
    statement: &Statement<'a>,
    text: &[u8],
    values_at: usize,
) -> Option<Literal<'a>> {
    let looked = || literal_rows(text, values_at, statement.rules);
    let Some(given) = statement.literals else { return looked() };
    let literal = Literal { values_at, rows: statement.rows, given: given.to_vec(), lines: None };
    debug_assert_eq!(looked().as_ref(), Some(&literal), "both ways of reading tell the same");
    Some(Literal { lines: statement.lines, ..literal })
}

/// The rules that a server's variables mean.
pub fn rules_from(rules: Rules, sql_mode: &str, character_set_client: &str) -> Rules {
    let has = |wanted: &str| sql_mode.split(',').any(|mode| mode == wanted);
    Rules {
        no_backslash_escapes: has("NO_BACKSLASH_ESCAPES"),
        ansi_quotes: has("ANSI_QUOTES"),
        multibyte: Multibyte::of_charset(character_set_client.as_bytes()),
        ..rules
    }
}

fn read_error(error: ReadError) -> Error {
    let kind = match &error {
        ReadError::Io { .. } | ReadError::Fault { fault: Fault::Nul, .. } => ErrorKind::Input,
        ReadError::Fault { .. } | ReadError::TooLong { .. } | ReadError::TailTooLate { .. } => {
            ErrorKind::Statement
        }
    };
    Error::new(kind, Side::Input, error.to_string())
}
