//! The pass over a dump: takes the reader's items one by one and fills the index.
//!
//! Follows what decides how later items are read and where they belong: `USE`, `sql_mode`,
//! character sets. Definitions and settings are counted in [`catalog`]; what deserves attention is
//! noted in [`findings`].

mod catalog;
mod findings;

use super::demands::{self, Collector};
use super::ending::{self, End, Last};
use super::features;
use super::origin::{Origin, Tool};
use super::session::{self, Assigned, Effect, Session, Value};
use super::text::{Sample, Text, Writing};
use super::{CELLS_MAX, Complete, Damage, DumpIndex, Loading};
use crate::command::{self, Command};
use crate::hazard::{Code, Hazards, Severity};
use crate::insert::Head;
use crate::lexer::{Fault, Open};
use crate::reader::{Item, Part, Place, ReadError, Statement};
use crate::rules::{Client, Rules};
use crate::statement::{self, Action, Class, Kind, Scope};
use crate::token::{Target, Token, Tokens};
use catalog::Catalog;

/// A statement longer than MariaDB's default `max_allowed_packet` is noted.
const LARGE: u64 = 16 << 20;

/// The character set that the dump says its text is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Announced {
    /// utf8mb4, utf8, or nothing said: the clients' default.
    Utf8,
    /// binary: says nothing.
    Binary,
    /// Any other.
    Other,
}

/// Everything that is known so far.
pub(super) struct Scan {
    origin: Origin,
    rules: Rules,
    target: Target,
    session: Session,
    catalog: Catalog,
    demands: Collector,
    hazards: Hazards,
    text: Text,
    cells_left: u64,
    last: Last,
    statements: u64,
    /// Heads of dumps seen.
    dumps: u64,
    announced: Announced,
    damage: Option<Damage>,
}

impl Scan {
    pub(super) fn new(origin: Origin, rules: Rules) -> Scan {
        Scan {
            origin,
            rules,
            target: features::newest(rules.client),
            session: Session::default(),
            catalog: Catalog::default(),
            demands: Collector::default(),
            hazards: Hazards::default(),
            text: Text::default(),
            cells_left: CELLS_MAX,
            last: Last::default(),
            statements: 0,
            dumps: 0,
            announced: Announced::Utf8,
            damage: None,
        }
    }

    /// Takes one item. Gives new rules if the reader has to go on by others.
    pub(super) fn item(&mut self, item: &Item<'_>) -> Option<Rules> {
        let before = self.rules;
        match item {
            Item::Statement(statement) => self.statement(statement),
            Item::Part(part) => self.part(part),
            Item::Command(command, place) => self.command(command, *place),
        }
        self.rules = self.session.rules(before);
        (self.rules != before).then_some(self.rules)
    }

    fn statement(&mut self, statement: &Statement<'_>) {
        self.statements += 1;
        self.last = Last {
            place: statement.place,
            unterminated: statement.unterminated,
            open: statement.open,
            inside: false,
            restores: false,
            ..self.last
        };
        match statement.head {
            Some(head) => self.rows(head, statement),
            None => self.other(statement),
        }
        if statement.raw.len() as u64 > LARGE {
            self.hazards.note(Code::LargeStatement, statement.place, b"");
        }
    }

    fn rows(&mut self, head: &Head, statement: &Statement<'_>) {
        let bytes = statement.raw.len() as u64;
        let loading = self.demanded(head, statement.rows, bytes, statement.place);
        let table = self.table_of(head, statement.place, statement.tail);
        table.add(head, statement.rows, bytes);
        table.loading.add(&loading);
        table.statements += 1;
        let has_binary = table.has_binary;
        if statement.unterminated && !statement.tail {
            self.last.inside = !statement.raw.ends_with(b")");
        }
        self.look(
            statement.place,
            &Sample {
                text: statement.raw,
                rules: statement.rules,
                rows_at: Some(head.length),
                has_binary,
            },
        );
    }

    fn part(&mut self, part: &Part<'_>) {
        if part.first {
            self.statements += 1;
            self.last = Last { place: part.statement, restores: false, ..self.last };
            self.last = Last { unterminated: false, open: None, inside: false, ..self.last };
            self.hazards.note(Code::LargeStatement, part.statement, &part.head.table);
        }
        let loading = self.demanded(part.head, part.rows, part.raw.len() as u64, part.statement);
        let table = self.table_of(part.head, part.statement, false);
        table.loading.add(&loading);
        let head_bytes = if part.first { part.head_text.len() as u64 } else { 0 };
        table.add(part.head, part.rows, head_bytes + part.raw.len() as u64);
        table.statements += u64::from(part.first);
        let has_binary = table.has_binary;
        self.look(
            part.place,
            &Sample { text: part.raw, rules: part.rules, rows_at: Some(0), has_binary },
        );
    }

    /// Any statement but `INSERT … VALUES`.
    fn other(&mut self, statement: &Statement<'_>) {
        let text = statement.text();
        let class = self.classified(&text);
        let place = statement.place;
        if statement.unterminated {
            self.last.inside = is_inside(&text, self.rules, self.target);
        }
        self.demands.statement(&demands::Seen {
            text: &text,
            class: &class,
            rules: self.rules,
            target: self.target,
            place,
            schema: self.catalog.current(),
        });
        match class.kind {
            Kind::Use => {
                if let Some(object) = &class.object {
                    self.catalog.select(&object.name, place);
                }
            }
            Kind::Set => self.set(&text, place),
            Kind::Insert => self.insert_otherwise(&text, &class, place),
            _ => self.define(&text, &class, place),
        }
        findings::of_statement(
            &mut self.hazards,
            &findings::Seen {
                text: &text,
                class: &class,
                rules: self.rules,
                target: self.target,
                place,
                schema: self.catalog.current(),
            },
        );
        self.look(
            place,
            &Sample { text: &text, rules: self.rules, rows_at: None, has_binary: false },
        );
    }

    /// As the followed client's server sees it; what it passes over, as the other one does.
    fn classified(&mut self, text: &[u8]) -> Class {
        self.target = features::newest(self.rules.client);
        let class = statement::classify(text, self.rules, self.target);
        if class.kind != Kind::Empty {
            return class;
        }
        let other = match self.rules.client {
            Client::MariaDb => Client::MySql,
            Client::MySql => Client::MariaDb,
        };
        let seen_by_other = statement::classify(text, self.rules, features::newest(other));
        // A setting that is passed over changes nothing.
        if matches!(seen_by_other.kind, Kind::Empty | Kind::Set) {
            return class;
        }
        self.target = features::newest(other);
        seen_by_other
    }

    /// A definition, or any statement of another kind.
    fn define(&mut self, text: &[u8], class: &Class, place: Place) {
        self.catalog.define(text, class, self.rules, self.target, place);
        if class.kind == Kind::Table && class.action == Action::Create {
            let substitution = self.demands.no_engine_substitution();
            self.catalog.set_traits(text, class, self.rules, self.target, substitution);
        }
        if class.kind == Kind::Table && class.action == Action::Alter {
            self.catalog.add_keys(text, class, self.rules, self.target);
        }
    }

    /// Tells the collector of rows.
    fn demanded(&mut self, head: &Head, rows: u64, bytes: u64, place: Place) -> Loading {
        self.demands.rows(&demands::Rows {
            schema: head.schema.as_deref().or(self.catalog.current()),
            table: &head.table,
            replace: head.replace,
            rows,
            bytes,
            place,
        })
    }

    fn table_of(&mut self, head: &Head, place: Place, tail: bool) -> &mut catalog::Entry {
        let table = self.catalog.table(head.schema.as_deref(), &head.table, place);
        if table.in_system_schema() && table.statements == 0 {
            self.hazards.note(Code::SystemSchema, place, &head.table);
        }
        if head.replace || head.ignore || head.modified || tail {
            table.loading.ordered = true;
            let is_new = !std::mem::replace(&mut table.order_noted, true);
            let example = if is_new { described(head, tail) } else { Vec::new() };
            self.hazards.note(Code::OrderedInsert, place, &example);
        }
        if table.has_trigger && !table.trigger_noted {
            table.trigger_noted = true;
            self.hazards.note(Code::TriggerBeforeRows, place, &head.table);
        }
        table
    }

    /// `INSERT … SET`, `INSERT … SELECT` and whatever the reader left whole.
    fn insert_otherwise(&mut self, text: &[u8], class: &Class, place: Place) {
        self.hazards.note(Code::OrderedInsert, place, text);
        let Some(object) = &class.object else { return };
        let table = self.catalog.table(object.schema.as_deref(), &object.name, place);
        table.statements += 1;
        table.bytes += text.len() as u64;
        table.loading.ordered = true;
        let mut words = Tokens::new(text, self.rules, self.target);
        let form = words.find_map(|spanned| {
            ["SET", "SELECT", "VALUES", "VALUE", "TABLE", "WITH"]
                .into_iter()
                .find(|word| spanned.token.is(word))
        });
        match form {
            Some("SET") => table.rows += 1,
            _ => table.rows_exact = false,
        }
    }

    fn set(&mut self, text: &[u8], place: Place) {
        for assigned in session::assignments(text, self.rules, self.target) {
            self.follow_marks(&assigned, place);
            if self.session.apply(&assigned) == Effect::Computed {
                self.hazards.note(Code::ComputedSqlMode, place, text);
            }
            if let (b"names", Value::Literal(name)) = (assigned.name.as_slice(), &assigned.value) {
                self.announce(name, place);
            }
            self.catalog.setting(&assigned, place);
            self.demands.assigned(&assigned, place);
            findings::of_setting(&mut self.hazards, &assigned, place);
        }
    }

    /// What tools do at the head and at the end of a dump.
    fn follow_marks(&mut self, assigned: &Assigned, place: Place) {
        if assigned.scope == Scope::User && assigned.name.starts_with(b"old_") {
            // phpMyAdmin saves character sets only; others who do so mostly do it for one statement.
            let is_head = self.origin.generator != Tool::Unknown
                || matches!(assigned.name.as_slice(), b"old_unique_checks" | b"old_sql_notes");
            self.last.saved |= is_head && matches!(assigned.value, Value::System(_));
            if assigned.name == b"old_unique_checks" {
                self.dumps += 1;
                self.last.head = Some(place.offset);
                if self.dumps > 1 {
                    self.hazards.note(Code::SeveralDumps, place, b"");
                }
            }
        }
        let right = assigned.text.to_ascii_lowercase();
        self.last.restores |= memchr::memmem::find(&right, b"@old_").is_some();
    }

    fn announce(&mut self, name: &[u8], place: Place) {
        let name = name.to_ascii_lowercase();
        self.announced = match name.as_slice() {
            b"binary" => Announced::Binary,
            b"default" => Announced::Utf8,
            _ if name.starts_with(b"utf8") => Announced::Utf8,
            _ => Announced::Other,
        };
        self.catalog.character_set(&name, place);
    }

    fn command(&mut self, command: &Command, place: Place) {
        let argument = command.argument.as_slice();
        match command.kind {
            command::Kind::Use => self.catalog.select(argument, place),
            command::Kind::Charset => {
                self.session.set_charset(argument);
                self.announce(argument, place);
            }
            command::Kind::Quit => self.hazards.note(Code::ClientQuit, place, b""),
            command::Kind::Outside => self.hazards.note(Code::ClientCommand, place, argument),
            command::Kind::Cosmetic => {
                self.hazards.note(Code::ClientCommandIgnored, place, argument);
            }
            command::Kind::Delimiter
            | command::Kind::Go
            | command::Kind::Clear
            | command::Kind::Sandbox => {}
        }
    }

    /// Checks what the text is written in.
    fn look(&mut self, place: Place, sample: &Sample<'_>) {
        let writing = self.text.look(sample, &mut self.cells_left);
        if sample.rules.binary_mode && memchr::memchr(0, sample.text).is_some() {
            self.hazards.note(Code::NulByte, place, b"");
        }
        match (writing, self.announced) {
            (Writing::Ascii | Writing::Binary | Writing::Unchecked, _) => {}
            (Writing::Utf8, Announced::Other) => {
                self.hazards.note(Code::Utf8UnderOtherCharset, place, b"");
            }
            (Writing::Utf8, Announced::Utf8 | Announced::Binary) => {}
            (Writing::Other { .. }, announced) => {
                if announced == Announced::Utf8 {
                    self.hazards.note(Code::InvalidUtf8, place, b"");
                }
                // Forgotten at the end if there is no UTF-8 text beside it.
                self.hazards.note(Code::MixedEncodings, place, b"");
            }
        }
    }

    /// Reading had to stop.
    pub(super) fn damaged(&mut self, error: &ReadError) {
        let place = error.place();
        let message = error.to_string();
        let is_nul = matches!(error, ReadError::Fault { fault: Fault::Nul, .. });
        if is_nul {
            self.hazards.note(Code::NulByte, place, b"");
            self.hazards.set_severity(Code::NulByte, Severity::Error);
        }
        if let ReadError::Fault { fault: Fault::UnknownCommand(letter), .. } = error {
            self.hazards.note(Code::ClientCommand, place, &[b'\\', *letter]);
        }
        self.hazards.note(Code::Damaged, place, message.as_bytes());
        self.damage = Some(Damage { message, offset: place.offset, line: place.line });
    }

    /// Everything that was read, judged.
    pub(super) fn finish(mut self, end: &End<'_>, server: Option<Client>) -> DumpIndex {
        let (complete, reason) = self.completeness(end);
        self.judge_text();
        if matches!(self.origin.generator, Tool::PgDump | Tool::Sqlite) {
            let name = self.origin.generator.name();
            self.hazards.note(Code::OtherDialect, Place { offset: 0, line: 1 }, name.as_bytes());
        }
        findings::for_server(&mut self.hazards, server);
        let damage = self.damage;
        let place = match &damage {
            Some(damage) => Place { offset: damage.offset, line: damage.line },
            None => end.place,
        };
        let whole_lines = end.tail.is_empty() || end.tail.ends_with(b"\n");
        let index = DumpIndex {
            complete,
            complete_reason: reason,
            client: match self.rules.client {
                Client::MariaDb => "mariadb",
                Client::MySql => "mysql",
            },
            origin: self.origin,
            bytes: place.offset,
            lines: if whole_lines && damage.is_none() { place.line - 1 } else { place.line },
            statements: self.statements,
            rows: 0,
            character_sets: Vec::new(),
            encoding: self.text.summary(),
            text: self.text,
            databases: Vec::new(),
            tables: Vec::new(),
            views: Vec::new(),
            routines: Vec::new(),
            triggers: Vec::new(),
            events: Vec::new(),
            sequences: Vec::new(),
            accounts: Vec::new(),
            unlisted: 0,
            settings: Vec::new(),
            hazards: Vec::new(),
            damage,
            demands: self.demands.finish(),
        };
        self.catalog.fill(index, self.hazards)
    }

    fn completeness(&mut self, end: &End<'_>) -> (Complete, String) {
        if let Some(damage) = &self.damage {
            return (Complete::Damaged, damage.message.clone());
        }
        let verdict = ending::judge(&self.origin, &self.last, end, self.statements == 0);
        if let Some(date) = verdict.date {
            self.origin.dumped_at.get_or_insert(date);
        }
        let at = if self.last.unterminated { self.last.place } else { end.place };
        match self.last.open.or(end.open) {
            Some(Open::Comment) => self.hazards.note(Code::UnterminatedComment, at, b""),
            Some(Open::Quote(_)) => self.hazards.note(Code::UnterminatedString, at, b""),
            None if self.last.unterminated => {
                self.hazards.note(Code::UnterminatedStatement, at, b"");
            }
            None => {}
        }
        if verdict.complete == Complete::Truncated {
            self.hazards.note(Code::Truncated, at, b"");
            self.hazards.say(Code::Truncated, &format!("the dump ends early: {}", verdict.reason));
        }
        (verdict.complete, verdict.reason)
    }

    fn judge_text(&mut self) {
        let is_mixed = self.text.summary() == "mixed";
        self.hazards.forget(if is_mixed { Code::InvalidUtf8 } else { Code::MixedEncodings });
    }
}

/// An INSERT that depends on order, in a few words.
fn described(head: &Head, tail: bool) -> Vec<u8> {
    let verb = if head.replace { "REPLACE" } else { "INSERT" };
    let ignore = if head.ignore { " IGNORE" } else { "" };
    let modified = if head.modified { " …" } else { "" };
    let tail = if tail { " VALUES … and a clause after the rows" } else { "" };
    let table = String::from_utf8_lossy(&head.table);
    format!("{verb}{ignore} INTO {table}{modified}{tail}").into_bytes()
}

/// Whether more parentheses are opened than closed.
fn is_inside(text: &[u8], rules: Rules, target: Target) -> bool {
    let depth = Tokens::new(text, rules, target).fold(0i64, |depth, spanned| match spanned.token {
        Token::Symbol(b'(') => depth + 1,
        Token::Symbol(b')') => depth - 1,
        _ => depth,
    });
    depth > 0
}
