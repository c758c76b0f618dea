//! The resumable lexer: finds where statements end, by the stock client's own rules.
//!
//! It follows `add_line()` of the clients' `client/mysql.cc` byte for byte: what that function would
//! append to the statement is given to a [`Sink`]. One machine serves two purposes: scanning a file
//! (the sink keeps only positions) and rendering a statement as the client would send it.
//! It works on a window of the input and may stop at any byte to ask for more; any split of the
//! input gives the same statements. It never fails and never panics: what the client would refuse
//! is an [`Event`]. It does not know what a statement means; rows of `INSERT` are only counted.

use crate::bulk::{Bulk, State};
use crate::command::{self, Command, DELIMITER_MAX, Kind, LINE_MAX};
use crate::insert::{self, Found, Head};
use crate::rules::{Client, Multibyte, Rules};
use crate::values::lines::{LineWriter, Lines};
use crate::values::{self, Given};

/// Bytes beyond the current one that a decision may need: a delimiter, or `/*M!`.
const LOOKAHEAD: usize = DELIMITER_MAX + 1;

/// The longest `INSERT … VALUES` head that is looked for; a longer one is an ordinary statement.
/// 4,096 columns of 64 four-byte characters fit.
const HEAD_MAX: usize = 2 << 20;

/// The longest row whose end is waited for, to read it as literals. Each time that more of it comes
/// it is begun anew.
const ROW_MAX: usize = 32 << 10;

/// Receives the bytes that the client would send.
pub(crate) trait Sink {
    /// Bytes `from..to` of the window, as they are.
    fn copy(&mut self, window: &[u8], from: usize, to: usize);
    /// A byte that does not stand there in the file.
    fn push(&mut self, byte: u8);
    /// Whether nothing was given yet.
    fn is_empty(&self) -> bool;
}

/// Keeps the extent of a statement and whether the client would send exactly those bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Span {
    /// First byte, once there is one.
    pub(crate) start: Option<usize>,
    /// After the last byte.
    pub(crate) end: usize,
    /// Something between start and end is left out or added.
    pub(crate) altered: bool,
}

impl Sink for Span {
    #[inline]
    fn copy(&mut self, _window: &[u8], from: usize, to: usize) {
        if self.start.is_none() {
            self.start = Some(from);
        } else if self.end != from {
            self.altered = true;
        }
        self.end = to;
    }

    fn push(&mut self, _byte: u8) {
        self.altered = true;
    }

    #[inline]
    fn is_empty(&self) -> bool {
        self.start.is_none()
    }
}

/// The text itself.
impl Sink for Vec<u8> {
    fn copy(&mut self, window: &[u8], from: usize, to: usize) {
        self.extend_from_slice(&window[from..to]);
    }

    fn push(&mut self, byte: u8) {
        Vec::push(self, byte);
    }

    fn is_empty(&self) -> bool {
        Vec::is_empty(self)
    }
}

/// What the machine stopped for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The window ends before a decision can be made.
    NeedMore,
    /// A statement ended, by its delimiter or by the end of the file.
    Statement,
    /// A client command; `at` is its first byte in the window.
    Command { command: Command, at: usize },
    /// The client would stop here.
    Fault { fault: Fault, at: usize },
    /// Nothing is left.
    End,
}

/// What the stock client refuses to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A NUL byte without `--binary-mode`.
    Nul,
    /// `\x` outside a string, and there is no such command.
    UnknownCommand(u8),
}

/// What is still open where the file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// A string or quoted name, by its quote.
    Quote(u8),
    /// A `/* … */` comment.
    Comment,
}

/// Executable and hint comments on the current line (`ss_comment` in the client).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ServerComment {
    None,
    Conditional,
    Hint,
}

/// The machine. Positions are indices into the window; see [`Machine::shift`].
pub(crate) struct Machine {
    rules: Rules,
    delimiter: Vec<u8>,
    /// Bytes that need a decision; all others are copied.
    special: [bool; 256],
    bulk: Bulk,
    /// The delimiter cannot be part of a literal.
    delimits_literals: bool,
    /// Next byte to look at.
    pub(crate) pos: usize,
    quote: u8,
    dollar_tag: Vec<u8>,
    in_comment: bool,
    in_line_comment: bool,
    server_comment: ServerComment,
    need_space: bool,
    at_line_start: bool,
    /// What the client holds of this line starts with DELIMITER: it drops the line's end.
    drops_line_end: bool,
    /// A command argument is being skipped up to the delimiter or the end of the line.
    skipping_argument: bool,
    /// Delimiters end statements and commands are obeyed; not when rendering.
    commands: bool,
    insert: Insert,
    /// What the literals up to [`Insert::literal_to`] give, by position.
    given: Vec<Given>,
    /// Writes those rows as lines, if that was asked for.
    lines: Option<LineWriter>,
    head: Option<LastHead>,
    /// The last head was read by the rules and the delimiter in force.
    head_is_current: bool,
}

/// What is known of the current statement as an `INSERT … VALUES`.
#[derive(Clone, Copy, Debug, Default)]
struct Insert {
    looked: bool,
    /// It is one, and its head is [`Machine::head`].
    values: bool,
    values_at: usize,
    /// From VALUES to here there are rows of plain literals and nothing else.
    literal_to: usize,
    depth: u32,
    rows: u64,
    /// Outside rows: after a row, where only a comma may follow.
    after_row: bool,
    tail: bool,
}

/// What became of an attempt to read literals.
enum Literals {
    /// Rows were consumed.
    Consumed,
    /// The window ends in a row.
    Cut,
    /// Something else comes.
    Other,
}

/// The last head that was found; dumps repeat the same one over and over.
struct LastHead {
    text: Vec<u8>,
    head: Head,
    /// The client sends its bytes as they are, whatever stands before or after.
    plain: bool,
}

/// What [`Machine::insert`] tells about the current statement.
#[derive(Clone, Debug)]
pub(crate) struct InsertSeen<'a> {
    pub(crate) head: &'a Head,
    pub(crate) values_at: usize,
    pub(crate) rows: u64,
    pub(crate) tail: bool,
    /// What rows of plain literals give, by position, and where they end.
    pub(crate) literals: (&'a [Given], usize),
    /// The same rows as lines, if they are written and these can be.
    pub(crate) lines: Option<Lines<'a>>,
}

impl Machine {
    pub(crate) fn new(rules: Rules) -> Machine {
        let mut machine = Machine {
            rules,
            delimiter: b";".to_vec(),
            special: [false; 256],
            bulk: Bulk::new(b';', rules),
            delimits_literals: true,
            pos: 0,
            quote: 0,
            dollar_tag: Vec::new(),
            in_comment: false,
            in_line_comment: false,
            server_comment: ServerComment::None,
            need_space: false,
            at_line_start: true,
            drops_line_end: false,
            skipping_argument: false,
            commands: true,
            insert: Insert::default(),
            given: Vec::new(),
            lines: None,
            head: None,
            head_is_current: false,
        };
        machine.classify();
        machine
    }

    pub(crate) fn rules(&self) -> Rules {
        self.rules
    }

    pub(crate) fn delimiter(&self) -> &[u8] {
        &self.delimiter
    }

    /// Sets the rules; meant for the time between two statements.
    pub(crate) fn set_rules(&mut self, rules: Rules) {
        self.rules = rules;
        self.classify();
    }

    /// Tells that the first `by` bytes of the window are gone.
    pub(crate) fn shift(&mut self, by: usize) {
        self.pos -= by;
        self.insert.values_at = self.insert.values_at.saturating_sub(by);
        self.insert.literal_to = self.insert.literal_to.saturating_sub(by);
    }

    /// Forgets the finished statement.
    pub(crate) fn begin(&mut self) {
        self.insert = Insert::default();
        if let Some(lines) = &mut self.lines {
            lines.begin();
        }
    }

    /// From the next statement on rows are written as lines, too.
    pub(crate) fn write_lines(&mut self) {
        self.lines = Some(LineWriter::new());
    }

    /// The `INSERT … VALUES` that the current statement is, if it is one.
    pub(crate) fn insert(&self) -> Option<InsertSeen<'_>> {
        let head = &self.head.as_ref().filter(|_| self.insert.values)?.head;
        let Insert { values_at, literal_to, rows, tail, .. } = self.insert;
        let lines = self.lines.as_ref().and_then(LineWriter::written);
        let literals = (&self.given[..], literal_to);
        Some(InsertSeen { head, values_at, rows, tail, literals, lines })
    }

    /// What would be left open if the input ended here.
    pub(crate) fn open(&self) -> Option<Open> {
        match (self.quote, self.in_comment) {
            (0, false) => None,
            (0, true) => Some(Open::Comment),
            (quote, _) => Some(Open::Quote(quote)),
        }
    }

    fn classify(&mut self) {
        self.special = [false; 256];
        for byte in *b"'\"`\\#-/*$()\n\r\0;," {
            self.special[usize::from(byte)] = true;
        }
        if self.rules.multibyte != Multibyte::None {
            self.special[0x80..].fill(true);
        }
        let first = self.delimiter.first().copied().unwrap_or(b';');
        self.special[usize::from(first)] = true;
        self.bulk = Bulk::new(first, self.rules);
        self.delimits_literals =
            !first.is_ascii_alphanumeric() && !b"'\"(),.+-_ \t\n".contains(&first);
        self.head_is_current = false;
    }

    /// Goes on until something happens. With `eof` the window holds all that is left.
    pub(crate) fn run<S: Sink>(&mut self, window: &[u8], eof: bool, sink: &mut S) -> Event {
        loop {
            if self.pos >= window.len() {
                return if eof { self.finish(sink) } else { Event::NeedMore };
            }
            let scarce = window.len() - self.pos < LOOKAHEAD;
            if scarce && !eof && !window[self.pos..].contains(&b'\n') {
                return Event::NeedMore;
            }
            if self.at_line_start
                && let Some(event) = self.start_line(window, eof, sink)
            {
                return event;
            }
            if self.in_line_comment || self.skipping_argument {
                self.skip_rest_of_line(window, eof, sink);
                continue;
            }
            if self.quote == 0 && !self.in_comment {
                if sink.is_empty() {
                    if self.skip_blanks(window) {
                        continue;
                    }
                    self.drops_line_end = command::starts_with_delimiter(&window[self.pos..]);
                }
                match self.look_for_values(window, eof, sink) {
                    Some(true) => {}
                    Some(false) => return Event::NeedMore,
                    None => continue,
                }
            }
            if let Some(event) = self.step(window, eof, sink) {
                return event;
            }
        }
    }

    /// The end of the input: what is left is a statement, as in the client.
    fn finish<S: Sink>(&mut self, sink: &S) -> Event {
        if sink.is_empty() { Event::End } else { Event::Statement }
    }

    /// At the first byte of a line: the per-line states end, and the line may be a command.
    fn start_line<S: Sink>(&mut self, window: &[u8], eof: bool, sink: &S) -> Option<Event> {
        let fresh = self.commands && sink.is_empty() && self.quote == 0 && !self.in_comment;
        let line = &window[self.pos..];
        let blanks = line.iter().take(LINE_MAX).take_while(|b| is_blank(**b)).count();
        let word = &line[blanks..];
        let cut = word.len() < LOOKAHEAD && !word.contains(&b'\n');
        if fresh && cut && !eof && blanks < LINE_MAX {
            return Some(Event::NeedMore);
        }
        if fresh && command::may_start(self.rules, head_of(word)) {
            let end = memchr::memchr(b'\n', &line[..line.len().min(LINE_MAX)]);
            if end.is_none() && !eof && line.len() < LINE_MAX {
                return Some(Event::NeedMore);
            }
            let length = end.unwrap_or(line.len());
            if length < LINE_MAX
                && let Some(command) = self.command_line(line[..length].trim_ascii_end())
            {
                let at = self.pos;
                // The line end stays, so that the next line starts as one.
                self.pos += length;
                self.at_line_start = false;
                return Some(self.obey(command, at));
            }
        }
        self.at_line_start = false;
        self.drops_line_end = command::starts_with_delimiter(line);
        self.server_comment = ServerComment::None;
        self.need_space = false;
        None
    }

    /// A whole line as a command: not if it holds the delimiter (then the statement's end decides),
    /// unless it is `DELIMITER` itself.
    fn command_line(&self, line: &[u8]) -> Option<Command> {
        let command = command::parse(self.rules, line)?;
        let holds = |needle: &[u8]| memchr::memmem::find(line, needle).is_some();
        let ends_inside = holds(&self.delimiter) || holds(b"\\g");
        (command.kind == Kind::Delimiter || !ends_inside).then_some(command)
    }

    /// Applies what concerns the lexer, and tells the caller.
    fn obey(&mut self, command: Command, at: usize) -> Event {
        if command.kind == Kind::Delimiter {
            let argument = &command.argument;
            if command.is_obeyed() {
                self.delimiter = argument[..argument.len().min(DELIMITER_MAX)].to_vec();
                self.classify();
            }
        }
        Event::Command { command, at }
    }

    /// Before the first byte of a statement, blanks and line ends are left out; true if there were
    /// any on this line.
    fn skip_blanks(&mut self, window: &[u8]) -> bool {
        let rest = &window[self.pos..];
        let blanks = rest.iter().take_while(|b| is_blank(**b)).count();
        self.at_line_start = rest.get(blanks) == Some(&b'\n');
        let skipped = blanks + usize::from(self.at_line_start);
        self.pos += skipped;
        skipped > 0
    }

    /// Comments to the end of the line, and arguments of commands.
    fn skip_rest_of_line<S: Sink>(&mut self, window: &[u8], eof: bool, sink: &mut S) {
        let rest = &window[self.pos..];
        let mut end = memchr::memchr(b'\n', rest).unwrap_or(rest.len());
        if self.skipping_argument
            && let Some(at) = memchr::memmem::find(&rest[..end], &self.delimiter)
        {
            self.pos += at + self.delimiter.len();
            self.skipping_argument = false;
            return;
        }
        let line_ends = end < rest.len();
        if !line_ends && !eof {
            // A delimiter, or the CR of the line end, may be cut by the window's end.
            end = end.saturating_sub(LOOKAHEAD).max(1);
        }
        if self.in_line_comment && self.rules.client.keeps_comments() && !sink.is_empty() {
            let shown = trim_cr(&rest[..end], line_ends).len();
            sink.copy(window, self.pos, self.pos + shown);
        }
        self.pos += end;
        if line_ends {
            self.in_line_comment = false;
            self.skipping_argument = false;
        }
    }

    /// At plain text: enters the fast path through rows where the statement allows it.
    /// `None`: bytes were consumed, look again. `Some(false)`: the head is not complete yet.
    fn look_for_values<S: Sink>(&mut self, window: &[u8], eof: bool, sink: &mut S) -> Option<bool> {
        let rest = &window[self.pos..];
        // A comment before the statement is left out; the verb comes after it.
        if !self.insert.looked && sink.is_empty() && !matches!(rest[0], b'/' | b'#' | b'-') {
            match self.find_head(rest) {
                Found::Incomplete if !eof && rest.len() < HEAD_MAX => return Some(false),
                Found::Incomplete | Found::Other => self.insert.looked = true,
                Found::Values(length) => {
                    let from = self.pos;
                    let values_at = from + length;
                    let literal_to = values_at;
                    self.insert =
                        Insert { looked: true, values: true, values_at, literal_to, ..self.insert };
                    self.given.clear();
                    if self.head.as_ref().is_some_and(|last| last.plain) {
                        (self.pos, self.need_space) = (values_at, false);
                        sink.copy(window, from, self.pos);
                        return None;
                    }
                }
            }
        }
        if !self.insert.values {
            return Some(true);
        }
        let inside = self.pos >= self.insert.values_at && self.insert.depth <= 1;
        let simple = self.server_comment == ServerComment::None
            && self.rules.multibyte == Multibyte::None
            && !self.rules.no_backslash_escapes
            && !self.need_space
            && !self.insert.tail;
        if !(inside && simple) {
            return Some(true);
        }
        match self.run_literals(window, eof, sink) {
            Literals::Consumed => None,
            Literals::Cut => Some(false),
            Literals::Other if self.run_bulk(window, sink) => None,
            Literals::Other => Some(true),
        }
    }

    /// Goes over whole rows of plain literals, while the statement has had nothing else.
    fn run_literals<S: Sink>(&mut self, window: &[u8], eof: bool, sink: &mut S) -> Literals {
        let from = self.pos;
        if self.insert.literal_to != from || self.insert.depth > 0 || !self.delimits_literals {
            return Literals::Other;
        }
        // The lookahead stays unconsumed, as everywhere.
        let end = window.len().saturating_sub(LOOKAHEAD).max(from);
        let (given, rules) = (&mut self.given, self.rules);
        let note = |index, kind, cell: &[u8]| Given::note(given, index, kind, cell);
        let (text, after_row) = (&window[from..end], self.insert.after_row);
        let reached = match self.lines.as_mut().filter(|lines| lines.is_on()) {
            Some(lines) => values::reach(text, after_row, rules, note, lines),
            None => values::reach(text, after_row, rules, note, &mut ()),
        };
        if reached.rows == 0 {
            let waits = reached.cut && !eof && end - from < ROW_MAX;
            return if waits { Literals::Cut } else { Literals::Other };
        }
        self.pos += reached.end;
        self.insert.rows += reached.rows;
        self.insert.after_row = true;
        self.insert.literal_to = self.pos;
        sink.copy(window, from, self.pos);
        Literals::Consumed
    }

    /// The head that `text` begins with; its length up to and with VALUES.
    fn find_head(&mut self, text: &[u8]) -> Found<usize> {
        if self.head_is_current
            && let Some(last) = &self.head
            && insert::begins_with(text, &last.text)
        {
            return Found::Values(last.text.len());
        }
        match insert::head(text, self.rules.ansi_quotes) {
            Found::Incomplete => Found::Incomplete,
            Found::Other => Found::Other,
            // A character may end in the byte that looks like a closing quote.
            Found::Values(head)
                if self.rules.multibyte != Multibyte::None && !text[..head.length].is_ascii() =>
            {
                Found::Other
            }
            Found::Values(head) => {
                let text = text[..head.length].to_vec();
                let delimiter = self.delimiter[0];
                let special = |b: &u8| matches!(*b, b'\\' | b'\r' | b'\n' | 0) || *b == delimiter;
                let plain = self.rules.multibyte == Multibyte::None && !text.iter().any(special);
                self.head = Some(LastHead { text, head, plain });
                self.head_is_current = true;
                Found::Values(self.head.as_ref().map_or(0, |last| last.head.length))
            }
        }
    }

    /// Runs over rows until something is unusual; true if it consumed anything.
    fn run_bulk<S: Sink>(&mut self, window: &[u8], sink: &mut S) -> bool {
        let from = self.pos;
        let state = match (self.insert.depth, self.insert.after_row) {
            (0, false) => State::BeforeRow,
            (0, true) => State::AfterRow,
            _ => State::InRow,
        };
        // The lookahead stays unconsumed, as everywhere.
        let end = window.len().saturating_sub(LOOKAHEAD).max(from);
        let reached = self.bulk.run(&window[from..end], state);
        if reached.consumed == 0 {
            return false;
        }
        self.pos += reached.consumed;
        self.insert.rows += reached.rows;
        match reached.state {
            State::BeforeRow => (self.insert.depth, self.insert.after_row) = (0, false),
            State::AfterRow => (self.insert.depth, self.insert.after_row) = (0, true),
            State::InRow => self.insert.depth = 1,
            State::SingleQuoted => (self.insert.depth, self.quote) = (1, b'\''),
            State::DoubleQuoted => (self.insert.depth, self.quote) = (1, b'"'),
        }
        sink.copy(window, from, self.pos);
        true
    }

    /// One decision of `add_line()`.
    fn step<S: Sink>(&mut self, window: &[u8], eof: bool, sink: &mut S) -> Option<Event> {
        let from = self.pos;
        let mut pos = from;
        while pos < window.len() && !self.special[usize::from(window[pos])] {
            pos += 1;
        }
        if pos > from {
            self.note_tail(&window[from..pos]);
            self.emit(window, from, pos, sink);
            self.pos = pos;
            return None;
        }
        let rest = &window[from..];
        let byte = rest[0];
        match byte {
            b'\n' => {
                self.end_line(window, sink);
                return None;
            }
            b'\r' if rest.get(1) == Some(&b'\n') && !self.rules.binary_mode => {
                self.pos += 1;
                return None;
            }
            0 if !self.rules.binary_mode => {
                return Some(Event::Fault { fault: Fault::Nul, at: from });
            }
            _ => {}
        }
        let length = self.rules.multibyte.char_len(rest);
        if length > 1 {
            self.note_tail(&rest[..length]);
            self.emit(window, from, from + length, sink);
            self.pos += length;
            return None;
        }
        if byte == b'\\' && self.backslash_is_special() {
            return self.backslash(window, eof, sink);
        }
        let open_text = !self.in_comment && self.quote == 0;
        let hint = self.rules.client == Client::MySql && self.server_comment == ServerComment::Hint;
        if open_text && !hint && self.commands && rest.starts_with(&self.delimiter) {
            self.pos += self.delimiter.len();
            self.need_space = false;
            return (!sink.is_empty()).then_some(Event::Statement);
        }
        if open_text && !hint && self.starts_line_comment(rest, sink) {
            self.in_line_comment = true;
            return None;
        }
        self.comment_or_character(window, sink);
        None
    }

    /// After the rows of an INSERT, anything but a blank is a clause that belongs to all of them.
    fn note_tail(&mut self, text: &[u8]) {
        let outside = self.insert.depth == 0 && self.quote == 0 && !self.in_comment;
        if outside && self.insert.values && self.pos >= self.insert.values_at {
            self.insert.tail |= !text.trim_ascii().is_empty();
        }
    }

    fn end_line<S: Sink>(&mut self, window: &[u8], sink: &mut S) {
        let inside = self.in_comment || self.quote != 0;
        let shown = !self.in_comment || self.rules.client.keeps_comments();
        let dropped = self.drops_line_end && !inside;
        if shown && !dropped && !sink.is_empty() {
            sink.copy(window, self.pos, self.pos + 1);
        }
        self.pos += 1;
        self.at_line_start = true;
    }

    fn backslash_is_special(&self) -> bool {
        if self.in_comment || (self.quote != 0 && self.rules.no_backslash_escapes) {
            return false;
        }
        match self.rules.client {
            Client::MariaDb => {
                self.quote != b'`' && !(self.quote == b'"' && self.rules.ansi_quotes)
            }
            Client::MySql => true,
        }
    }

    fn backslash<S: Sink>(&mut self, window: &[u8], eof: bool, sink: &mut S) -> Option<Event> {
        let at = self.pos;
        let rest = &window[at..];
        self.note_tail(&rest[..1]);
        let Some(&next) = rest.get(1) else {
            debug_assert!(eof, "the lookahead holds the byte after a backslash");
            self.pos += 1;
            return None;
        };
        let crlf = next == b'\r' && rest.get(2) == Some(&b'\n');
        if next == b'\n' || (crlf && !self.rules.binary_mode) {
            // The client drops it: to the server `\` before a line end is a line end.
            self.insert.tail |= self.quote == 0;
            self.pos += 1;
            return None;
        }
        if next == 0 && !self.rules.binary_mode {
            return Some(Event::Fault { fault: Fault::Nul, at: at + 1 });
        }
        if self.quote == b'"' && self.rules.ansi_quotes {
            // Only `mysql` comes here; to the server this is an ordinary character of a name.
            self.insert.tail = true;
        }
        if self.quote != 0 || next == b'N' {
            let ends_name = next == b'`' && self.quote == next;
            let length = if ends_name { 1 } else { 2 };
            self.emit(window, at, at + length, sink);
            self.pos += length;
            return None;
        }
        self.short_command(window, eof, next, sink)
    }

    /// `\x` outside strings.
    fn short_command<S: Sink>(
        &mut self,
        window: &[u8],
        eof: bool,
        letter: u8,
        sink: &mut S,
    ) -> Option<Event> {
        let at = self.pos;
        let Some((kind, takes_argument)) = command::by_letter(self.rules, letter) else {
            return Some(Event::Fault { fault: Fault::UnknownCommand(letter), at });
        };
        let rest = &window[at + 2..window.len().min(at + LINE_MAX)];
        let line_end = memchr::memchr(b'\n', rest);
        if takes_argument && line_end.is_none() && !eof && rest.len() + 2 < LINE_MAX {
            return Some(Event::NeedMore);
        }
        let line = &rest[..line_end.unwrap_or(rest.len())];
        let argument = match takes_argument {
            true => command::argument(line.trim_ascii_start()),
            false => Vec::new(),
        };
        self.pos += 2;
        match kind {
            Kind::Go => return (!sink.is_empty()).then_some(Event::Statement),
            Kind::Sandbox if !self.commands => return None,
            _ => {}
        }
        // Whoever looks for rows does not know of commands among them.
        self.insert.tail = true;
        let event = self.obey(Command { kind, argument }, at);
        self.skipping_argument = takes_argument;
        Some(event)
    }

    fn starts_line_comment<S: Sink>(&self, rest: &[u8], sink: &S) -> bool {
        match rest {
            [b'#', ..] => true,
            [b'-', b'-', after, ..] => {
                after.is_ascii_whitespace()
                    || *after == 0x0B
                    || (self.rules.client == Client::MariaDb && sink.is_empty())
            }
            [b'-', b'-'] => true,
            _ => false,
        }
    }

    /// Comments, quotes and all other bytes.
    fn comment_or_character<S: Sink>(&mut self, window: &[u8], sink: &mut S) {
        let rest = &window[self.pos..];
        let third = rest.get(2).copied().unwrap_or(0);
        if self.quote == 0 && rest.starts_with(b"/*") && self.is_ordinary_comment(rest, third) {
            // To the server `/* /*/` is a whole comment, to the clients it is not.
            self.insert.tail |= self.in_comment;
            self.in_comment = true;
            self.emit_comment(window, 2, sink);
            return;
        }
        let closes = self.in_comment
            && self.server_comment == ServerComment::None
            && rest.starts_with(b"*/");
        if closes {
            self.emit_comment(window, 2, sink);
            self.in_comment = false;
            self.need_space = true;
            self.drops_line_end = false;
            // `mysql` looks for DELIMITER also after a comment.
            self.at_line_start = self.rules.client == Client::MySql && sink.is_empty();
            return;
        }
        if self.quote == 0 && rest.starts_with(b"/*") {
            match (third, self.rules.client) {
                (b'!', _) => self.server_comment = ServerComment::Conditional,
                (b'+', Client::MySql) => self.server_comment = ServerComment::Hint,
                _ => {}
            }
            // What the server makes of it, whoever looks for rows does not know.
            self.insert.tail |= self.server_comment != ServerComment::None;
        } else if self.quote == 0 && rest.starts_with(b"*/") {
            self.server_comment = ServerComment::None;
        }
        let length = self.quotes(window);
        self.track_rows(rest[0]);
        self.emit(window, self.pos, self.pos + length, sink);
        self.pos += length;
    }

    fn is_ordinary_comment(&self, rest: &[u8], third: u8) -> bool {
        match self.rules.client {
            Client::MariaDb => third != b'!' && !(third == b'M' && rest.get(3) == Some(&b'!')),
            Client::MySql => {
                third != b'!' && third != b'+' && self.server_comment != ServerComment::Hint
            }
        }
    }

    /// Opens and closes strings; returns how many bytes belong to this step.
    fn quotes(&mut self, window: &[u8]) -> usize {
        let rest = &window[self.pos..];
        let byte = rest[0];
        if self.quote != 0 && byte == self.quote {
            if byte == b'$' && !rest.starts_with(&self.dollar_tag) {
                return 1;
            }
            self.quote = 0;
            return if byte == b'$' { self.dollar_tag.len() } else { 1 };
        }
        let opens = self.quote == 0 && !self.in_comment;
        if !opens || self.server_comment == ServerComment::Hint {
            return 1;
        }
        match byte {
            b'\'' | b'"' | b'`' => self.quote = byte,
            b'$' if self.rules.client.knows_dollar_quotes() => {
                if let Some(tag) = dollar_tag(window, self.pos) {
                    self.quote = b'$';
                    self.dollar_tag = tag.to_vec();
                    // Whoever looks for rows does not know such quotes.
                    self.insert.tail = true;
                    return tag.len();
                }
            }
            _ => {}
        }
        1
    }

    fn track_rows(&mut self, byte: u8) {
        let counting = self.insert.values
            && self.pos >= self.insert.values_at
            && !self.in_comment
            && !self.insert.tail;
        if !counting || (self.quote != 0 && byte != self.quote) {
            return;
        }
        let insert = &mut self.insert;
        match (byte, insert.depth) {
            (b'(', 0) if !insert.after_row => insert.depth = 1,
            (b',', 0) if insert.after_row => insert.after_row = false,
            (_, 0) => insert.tail = true,
            (b'(', _) => insert.depth += 1,
            (b')', _) => {
                insert.depth -= 1;
                insert.after_row = insert.depth == 0;
                insert.rows += u64::from(insert.after_row);
            }
            _ => {}
        }
    }

    /// Part of a comment: kept only where the client keeps comments, and never before a statement.
    fn emit_comment<S: Sink>(&mut self, window: &[u8], length: usize, sink: &mut S) {
        if self.rules.client.keeps_comments() && !sink.is_empty() {
            sink.copy(window, self.pos, self.pos + length);
        }
        self.pos += length;
    }

    /// Bytes of the statement, with the blank that stands for a comment that was left out.
    fn emit<S: Sink>(&mut self, window: &[u8], from: usize, to: usize, sink: &mut S) {
        if self.in_comment && (!self.rules.client.keeps_comments() || sink.is_empty()) {
            return;
        }
        if self.need_space {
            self.need_space = false;
            if !sink.is_empty() && !window[from].is_ascii_whitespace() {
                sink.push(b' ');
            }
        }
        sink.copy(window, from, to);
    }
}

/// The text that the client sends for a statement whose raw bytes are `raw`, without the delimiter
/// that ended it.
pub(crate) fn render(raw: &[u8], rules: Rules, delimiter: &[u8]) -> Vec<u8> {
    let mut machine = Machine::new(rules);
    // Delimiters and commands were dealt with when the statement was found.
    machine.commands = false;
    machine.delimiter = delimiter.to_vec();
    let mut text = Vec::with_capacity(raw.len());
    loop {
        match machine.run(raw, true, &mut text) {
            Event::Command { .. } => {}
            Event::Fault { at, .. } => {
                text.push(raw[at]);
                machine.pos = at + 1;
            }
            Event::Statement | Event::End | Event::NeedMore if machine.pos >= raw.len() => break,
            Event::Statement | Event::End | Event::NeedMore => {}
        }
    }
    text.truncate(trim_end(&text).len());
    text
}

/// Without what the clients cut off at a statement's end: blanks and control characters.
pub(crate) fn trim_end(text: &[u8]) -> &[u8] {
    let end = text.iter().rposition(|b| *b > b' ' && *b != 0x7F);
    &text[..end.map_or(0, |last| last + 1)]
}

/// A blank inside a line.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | 0x0B | 0x0C)
}

/// The first few bytes of a line: enough for the longest command word and its blank.
fn head_of(line: &[u8]) -> &[u8] {
    &line[..line.len().min(LOOKAHEAD * 4)]
}

fn trim_cr(line: &[u8], line_ends: bool) -> &[u8] {
    match line {
        [rest @ .., b'\r'] if line_ends => rest,
        _ => line,
    }
}

/// The opening `$tag$` at `at`, unless the dollar sign is part of a name.
fn dollar_tag(window: &[u8], at: usize) -> Option<&[u8]> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
    if at > 0 && (is_name(window[at - 1]) || window[at - 1] == b'$') {
        return None;
    }
    // Longer tags would need more lookahead than a decision may have.
    let rest = &window[at + 1..window.len().min(at + LOOKAHEAD)];
    let end = rest.iter().position(|&b| !is_name(b))?;
    (rest[end] == b'$').then(|| &window[at..at + end + 2])
}
