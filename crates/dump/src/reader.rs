//! Reads a dump piece by piece: statements, parts of oversized `INSERT`s, client commands, and what
//! cannot be read. Knows the absolute byte offset and the line of each.
//!
//! Memory is bounded: a statement is held whole only up to [`Limits::whole_max`]; a longer
//! `INSERT … VALUES` comes in [`Part`]s of whole rows, so that what must fit is its largest row; any
//! other statement may be as long as the largest packet that a server accepts.
//! It does not interpret statements: see [`crate::statement`].

use std::borrow::Cow;
use std::io::{self, Read};

use crate::command::{self, Command, Kind};
use crate::insert::Head;
use crate::lexer::{self, Event, Fault, InsertSeen, Machine, Open, Span};
use crate::rules::Rules;
use crate::values::lines::Lines;
use crate::values::{self, Given};

/// How much is held in memory.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes read ahead in one go, and the buffer's usual size.
    pub window: usize,
    /// The longest `INSERT` that is given whole, in bytes.
    pub whole_max: usize,
    /// The longest row, and the longest statement of any other kind, in bytes.
    pub piece_max: usize,
}

impl Limits {
    /// Suits both inspecting and importing: 2 MiB at a time, statements to 16 MiB whole. A piece may
    /// be 1 GiB, the largest `max_allowed_packet` that servers know.
    pub const DEFAULT: Limits =
        Limits { window: 2 << 20, whole_max: 16 << 20, piece_max: (1 << 30) + 1024 };
}

/// A place in the file, after decompression and decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Bytes before it.
    pub offset: u64,
    /// Its line, from 1.
    pub line: u64,
}

/// What a dump consists of.
#[derive(Debug)]
pub enum Item<'a> {
    /// A whole statement.
    Statement(Statement<'a>),
    /// Some rows of an `INSERT` that is longer than [`Limits::whole_max`].
    Part(Part<'a>),
    /// A client command.
    Command(Command, Place),
}

/// A whole statement, without its delimiter.
#[derive(Debug)]
pub struct Statement<'a> {
    /// The bytes as they stand in the file.
    pub raw: &'a [u8],
    /// Where they begin.
    pub place: Place,
    /// The client would send something else than `raw`: see [`Statement::text`].
    pub altered: bool,
    /// The head, if this is `INSERT … VALUES` or `REPLACE … VALUES`.
    pub head: Option<&'a Head>,
    /// Rows counted in it.
    pub rows: u64,
    /// Something follows the rows (`ON DUPLICATE KEY UPDATE`, `RETURNING`, …).
    pub tail: bool,
    /// What the rows give, by position, if it is known already that they are literals and nothing
    /// else; a statement that may still be such has nothing here.
    pub literals: Option<&'a [Given]>,
    /// These rows as lines of LOAD DATA, if the reader was [`Reader::with_lines`] and has them.
    pub lines: Option<Lines<'a>>,
    /// The file ends without the delimiter.
    pub unterminated: bool,
    /// A string or comment that the file's end leaves open.
    pub open: Option<Open>,
    /// The rules that it was read by.
    pub rules: Rules,
    delimiter: &'a [u8],
}

impl<'a> Statement<'a> {
    /// The text that the stock client sends.
    pub fn text(&self) -> Cow<'a, [u8]> {
        match self.altered {
            true => Cow::Owned(lexer::render(self.raw, self.rules, self.delimiter)),
            false => Cow::Borrowed(self.raw),
        }
    }
}

/// Whole rows of an oversized `INSERT`.
#[derive(Debug)]
pub struct Part<'a> {
    /// The head's text as the client sends it, VALUES included.
    pub head_text: &'a [u8],
    /// The head.
    pub head: &'a Head,
    /// The rows as they stand in the file, from `(` to `)`.
    pub raw: &'a [u8],
    /// Where they begin.
    pub place: Place,
    /// Where the statement begins.
    pub statement: Place,
    /// How many rows; the last part may have none.
    pub rows: u64,
    /// The first part of its statement.
    pub first: bool,
    /// The last part of its statement.
    pub last: bool,
    /// The rules that it was read by.
    pub rules: Rules,
    altered: bool,
    delimiter: &'a [u8],
}

impl Part<'_> {
    /// The rows' text as the stock client sends it.
    pub fn text(&self) -> Cow<'_, [u8]> {
        match self.altered {
            true => Cow::Owned(lexer::render(self.raw, self.rules, self.delimiter)),
            false => Cow::Borrowed(self.raw),
        }
    }
}

/// Why reading stopped before the end.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file could not be read or unpacked.
    #[error("{error}")]
    Io {
        /// What failed.
        error: io::Error,
        /// How far the file was read.
        place: Place,
    },
    /// The stock client would stop here.
    #[error("{}", fault_text(*fault))]
    Fault {
        /// What it refuses.
        fault: Fault,
        /// Where.
        place: Place,
    },
    /// Longer than [`Limits::piece_max`].
    #[error("a single row or statement is longer than {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
        /// Where it begins.
        place: Place,
    },
    /// Something after the rows of an `INSERT` that was already given in parts: a clause, or a client
    /// command that gives the statement up.
    #[error("an INSERT longer than {limit} bytes has a clause after its rows")]
    TailTooLate {
        /// The limit up to which such a statement is read whole, in bytes.
        limit: usize,
        /// Where the statement begins.
        place: Place,
    },
}

impl ReadError {
    /// Where it happened.
    pub fn place(&self) -> Place {
        match self {
            ReadError::Io { place, .. }
            | ReadError::Fault { place, .. }
            | ReadError::TooLong { place, .. }
            | ReadError::TailTooLate { place, .. } => *place,
        }
    }
}

fn fault_text(fault: Fault) -> String {
    match fault {
        Fault::Nul => "a NUL byte in the text: this is a binary file, or a dump with raw binary \
                       values, which --binary-mode lets through"
            .into(),
        Fault::UnknownCommand(letter) => {
            format!("unknown client command '\\{}'", char::from(letter).escape_default())
        }
    }
}

/// Reads items from a stream of decoded bytes.
pub struct Reader<R> {
    source: R,
    limits: Limits,
    machine: Machine,
    span: Span,
    buffer: Vec<u8>,
    /// Valid bytes in `buffer`.
    filled: usize,
    /// Offset in the file of `buffer[0]`.
    base: u64,
    eof: bool,
    ended: bool,
    /// Lines are counted up to this index of the buffer.
    counted: usize,
    line: u64,
    parts: Option<Parts>,
    fresh: bool,
}

/// The oversized `INSERT` that is being given in parts.
struct Parts {
    head: Head,
    head_text: Vec<u8>,
    statement: Place,
    /// Index of the next byte that no part has covered.
    from: usize,
    /// Rows that parts have covered.
    rows: u64,
}

/// What [`Reader::advance`] settled, in indices of the buffer.
enum Settled {
    Statement { open: Option<Open>, unterminated: bool },
    Part { from: usize, to: usize, rows: u64, first: bool, last: bool },
    Command { command: Command, at: usize },
    End,
}

impl<R: Read> Reader<R> {
    /// Reads `source`, which gives decompressed and decoded text.
    pub fn new(source: R, rules: Rules, limits: Limits) -> Reader<R> {
        Reader {
            source,
            limits,
            machine: Machine::new(rules),
            span: Span::default(),
            buffer: vec![0; limits.window],
            filled: 0,
            base: 0,
            eof: false,
            ended: false,
            counted: 0,
            line: 1,
            parts: None,
            fresh: true,
        }
    }

    /// Also writes rows of plain literals as lines of LOAD DATA, in the pass that finds them.
    pub fn with_lines(mut self) -> Reader<R> {
        self.machine.write_lines();
        self
    }

    /// The rules in force.
    pub fn rules(&self) -> Rules {
        self.machine.rules()
    }

    /// Changes the rules from the next item on.
    pub fn set_rules(&mut self, rules: Rules) {
        self.machine.set_rules(rules);
    }

    /// How far the file was given out.
    pub fn place(&mut self) -> Place {
        let at = if self.ended { self.filled } else { self.machine.pos };
        self.place_of(at)
    }

    /// What is open at the end of a file that ended without a statement.
    pub fn open(&self) -> Option<Open> {
        self.machine.open()
    }

    /// The next item; `None` at the end. After an error the reader gives nothing more.
    pub fn next_item(&mut self) -> Result<Option<Item<'_>>, ReadError> {
        if self.ended {
            return Ok(None);
        }
        match self.advance() {
            Ok(settled) => Ok(self.item(settled)),
            Err(error) => {
                self.ended = true;
                Err(error)
            }
        }
    }

    /// Runs the machine until something can be given out.
    fn advance(&mut self) -> Result<Settled, ReadError> {
        if self.fresh {
            self.begin();
        }
        loop {
            let event = self.machine.run(&self.buffer[..self.filled], self.eof, &mut self.span);
            match event {
                Event::NeedMore => {
                    if let Some(part) = self.make_room()? {
                        return Ok(part);
                    }
                    self.fill()?;
                }
                Event::Statement => {
                    if let Some(settled) = self.statement()? {
                        return Ok(settled);
                    }
                }
                Event::Command { command, at } => {
                    let gives_up = matches!(command.kind, Kind::Clear | Kind::Quit);
                    if gives_up && self.parts.is_some() {
                        return Err(self.tail_too_late());
                    }
                    if let Some(settled) = self.command(command, at) {
                        return Ok(settled);
                    }
                }
                Event::Fault { fault, at } => {
                    return Err(ReadError::Fault { fault, place: self.place_of(at) });
                }
                Event::End => {
                    self.ended = true;
                    return Ok(Settled::End);
                }
            }
        }
    }

    /// Forgets the item that was given out.
    fn begin(&mut self) {
        self.machine.begin();
        self.span = Span::default();
        self.parts = None;
        self.fresh = false;
    }

    /// A statement ended: nothing if it was a command.
    fn statement(&mut self) -> Result<Option<Settled>, ReadError> {
        let open = self.machine.open();
        let unterminated = self.eof && self.machine.pos >= self.filled && !self.ended_by_mark();
        if self.parts.is_some() {
            self.fresh = true;
            return self.last_part().map(Some);
        }
        let start = self.span.start.unwrap_or(self.span.end);
        let raw = &self.buffer[start..self.span.end];
        self.span.end = start + lexer::trim_end(raw).len();
        self.fresh = true;
        if self.span.end == start || self.is_blank(start) {
            self.begin();
            return Ok(None);
        }
        if self.machine.insert().is_none()
            && let Some(command) = self.as_command(start)
        {
            let settled = self.command(command, start);
            self.begin();
            self.fresh = true;
            return Ok(settled);
        }
        Ok(Some(Settled::Statement { open, unterminated }))
    }

    /// Whether nothing is left of a statement but control characters, once a command in it is gone.
    fn is_blank(&self, start: usize) -> bool {
        let raw = &self.buffer[start..self.span.end];
        let (rules, delimiter) = (self.machine.rules(), self.machine.delimiter());
        // Letters come first in all others.
        self.span.altered
            && lexer::trim_end(&raw[..1]).is_empty()
            && lexer::render(raw, rules, delimiter).is_empty()
    }

    /// Whether the delimiter stands right before the machine's position.
    fn ended_by_mark(&self) -> bool {
        let before = &self.buffer[..self.machine.pos];
        self.machine.open().is_none()
            && (before.ends_with(self.machine.delimiter())
                || before.ends_with(b"\\g")
                || before.ends_with(b"\\G"))
    }

    /// `USE db;` and the like: a command that ends with the delimiter.
    fn as_command(&mut self, start: usize) -> Option<Command> {
        let rules = self.machine.rules();
        let raw = &self.buffer[start..self.span.end];
        if raw.len() > command::LINE_MAX || !command::may_start(rules, raw) {
            return None;
        }
        let command = match self.span.altered {
            true => command::parse(rules, &lexer::render(raw, rules, self.machine.delimiter())),
            false => command::parse(rules, raw),
        }?;
        // As in the clients, DELIMITER does not end with the delimiter.
        (command.kind != Kind::Delimiter || command.argument.is_empty()).then_some(command)
    }

    /// Commands that only concern reading are done here; the others are given out.
    fn command(&mut self, command: Command, at: usize) -> Option<Settled> {
        match command.kind {
            Kind::Delimiter if !command.is_obeyed() => Some(Settled::Command { command, at }),
            Kind::Delimiter | Kind::Sandbox | Kind::Go => None,
            Kind::Clear => {
                self.begin();
                None
            }
            Kind::Quit => {
                self.ended = true;
                Some(Settled::Command { command, at })
            }
            Kind::Use | Kind::Charset | Kind::Cosmetic | Kind::Outside => {
                Some(Settled::Command { command, at })
            }
        }
    }

    /// The window is full: an oversized INSERT gives a part, anything else gets more room.
    fn make_room(&mut self) -> Result<Option<Settled>, ReadError> {
        let start = match &self.parts {
            Some(parts) => parts.from,
            None => self.span.start.unwrap_or(self.machine.pos).min(self.machine.pos),
        };
        let held = self.filled - start;
        if held >= self.limits.whole_max
            && let Some(part) = self.part()?
        {
            return Ok(Some(part));
        }
        if held > self.limits.piece_max {
            let place = self.place_of(start);
            return Err(ReadError::TooLong { limit: self.limits.piece_max, place });
        }
        Ok(None)
    }

    /// The rows that are complete, if the statement can be split.
    fn part(&mut self) -> Result<Option<Settled>, ReadError> {
        let Some(seen) = self.machine.insert() else { return Ok(None) };
        if seen.tail {
            return match self.parts {
                Some(_) => Err(self.tail_too_late()),
                None => Ok(None),
            };
        }
        let values_at = seen.values_at;
        // Without a further row, a long one would be gone over at every read.
        if seen.rows == self.parts.as_ref().map_or(0, |parts| parts.rows) {
            return Ok(None);
        }
        let (from, first) = match &self.parts {
            Some(parts) => (parts.from, false),
            None => (values_at, true),
        };
        let text = &self.buffer[from..self.machine.pos];
        let found = values::whole_rows(text, self.machine.rules());
        if found.rows == 0 {
            return Ok(None);
        }
        let (start, end) = (from + found.start, from + found.end);
        if first {
            self.start_parts(values_at);
        }
        if let Some(parts) = &mut self.parts {
            parts.from = end;
            parts.rows += found.rows;
        }
        Ok(Some(Settled::Part { from: start, to: end, rows: found.rows, first, last: false }))
    }

    fn start_parts(&mut self, values_at: usize) {
        let start = self.span.start.unwrap_or(values_at);
        let statement = self.place_of(start);
        let Some(seen) = self.machine.insert() else { return };
        let head = seen.head.clone();
        let (rules, delimiter) = (self.machine.rules(), self.machine.delimiter());
        let head_text = lexer::render(&self.buffer[start..values_at], rules, delimiter);
        self.parts = Some(Parts { head, head_text, statement, from: values_at, rows: 0 });
    }

    /// The delimiter of an INSERT whose first rows were given already.
    fn last_part(&mut self) -> Result<Settled, ReadError> {
        if self.machine.insert().is_some_and(|seen| seen.tail) {
            return Err(self.tail_too_late());
        }
        let from = self.parts.as_ref().map_or(0, |parts| parts.from);
        let to = self.span.end.max(from);
        let to = from + lexer::trim_end(&self.buffer[from..to]).len();
        let found = values::whole_rows(&self.buffer[from..to], self.machine.rules());
        // What follows the last whole row (a cut row, stray text) is the server's to refuse.
        let start = from + found.start.min(to - from);
        Ok(Settled::Part { from: start, to, rows: found.rows, first: false, last: true })
    }

    fn tail_too_late(&self) -> ReadError {
        let place = self.parts.as_ref().map_or(Place::default(), |parts| parts.statement);
        ReadError::TailTooLate { limit: self.limits.whole_max, place }
    }

    /// Turns what was settled into an item that borrows the buffer.
    fn item(&mut self, settled: Settled) -> Option<Item<'_>> {
        let rules = self.machine.rules();
        match settled {
            Settled::End => None,
            Settled::Command { command, at } => Some(Item::Command(command, self.place_of(at))),
            Settled::Statement { open, unterminated } => {
                let start = self.span.start.unwrap_or(self.span.end);
                let place = self.place_of(start);
                let seen = self.machine.insert();
                let altered = self.span.altered;
                let is_literal = |seen: &InsertSeen<'_>| {
                    !altered && !seen.tail && seen.rows > 0 && seen.literals.1 == self.span.end
                };
                let literal = seen.as_ref().filter(|seen| is_literal(seen));
                Some(Item::Statement(Statement {
                    raw: &self.buffer[start..self.span.end],
                    place,
                    altered,
                    literals: literal.map(|seen| seen.literals.0),
                    lines: literal.and_then(|seen| seen.lines),
                    rows: seen.as_ref().map_or(0, |seen| seen.rows),
                    tail: seen.as_ref().is_some_and(|seen| seen.tail),
                    head: seen.map(|seen| seen.head),
                    unterminated,
                    open,
                    rules,
                    delimiter: self.machine.delimiter(),
                }))
            }
            Settled::Part { from, to, rows, first, last } => {
                let place = self.place_of(from);
                let altered = self.span.altered;
                let parts = self.parts.as_ref()?;
                Some(Item::Part(Part {
                    head_text: &parts.head_text,
                    head: &parts.head,
                    raw: &self.buffer[from..to],
                    place,
                    statement: parts.statement,
                    rows,
                    first,
                    last,
                    rules,
                    altered,
                    delimiter: self.machine.delimiter(),
                }))
            }
        }
    }

    /// The place of an index of the buffer, which must not lie before the last one asked for by
    /// much: lines are counted forward, and backward only within the buffer.
    fn place_of(&mut self, at: usize) -> Place {
        if at >= self.counted {
            self.line += count_lines(&self.buffer[self.counted..at]);
        } else {
            self.line -= count_lines(&self.buffer[at..self.counted]);
        }
        self.counted = at;
        Place { offset: self.base + at as u64, line: self.line }
    }

    /// Reads more, after making place by moving what is still needed to the front.
    fn fill(&mut self) -> Result<(), ReadError> {
        self.compact();
        if self.buffer.len() - self.filled < (self.limits.window / 2).max(1) {
            let size = (self.buffer.len() * 2).min(self.limits.piece_max + self.limits.window);
            self.buffer.resize(size.max(self.filled + self.limits.window), 0);
        }
        loop {
            match self.source.read(&mut self.buffer[self.filled..]) {
                Ok(0) => self.eof = true,
                Ok(read) => self.filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let place = self.place_of(self.filled);
                    return Err(ReadError::Io { error, place });
                }
            }
            return Ok(());
        }
    }

    fn compact(&mut self) {
        let keep = match (&self.parts, self.span.start) {
            (Some(parts), _) => parts.from,
            (None, Some(start)) => start,
            (None, None) => self.machine.pos,
        };
        if keep == 0 {
            return;
        }
        self.place_of(keep);
        self.buffer.copy_within(keep..self.filled, 0);
        self.filled -= keep;
        self.base += keep as u64;
        self.counted = 0;
        self.machine.shift(keep);
        if let Some(start) = &mut self.span.start {
            *start = start.saturating_sub(keep);
            self.span.end -= keep;
        }
        if let Some(parts) = &mut self.parts {
            parts.from -= keep;
        }
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}
