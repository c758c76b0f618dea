//! The objects and settings that a dump defines, counted while it is read.
//!
//! Knows the default database (`USE`), so that a table is found again by schema and name. Every
//! list has a limit; what is beyond is counted.

use std::collections::{BTreeSet, HashMap};

use super::super::demands::{Loading, table_traits};
use super::super::features;
use super::super::session::{Assigned, Value};
use super::super::{
    ADDITIONS_MAX, CharacterSet, ColumnLists, DEFINITIONS_BYTES_MAX, Database, DumpIndex,
    OBJECTS_MAX, Object, SETTINGS_MAX, Setting, Table,
};
use crate::alteration::{Change, alteration};
use crate::hazard::{self, Code, Hazards};
use crate::insert::Head;
use crate::reader::Place;
use crate::rules::Rules;
use crate::statement::{Action, Class, Kind, ObjectName, Scope};
use crate::token::{Target, Token, Tokens};

type Key = (Option<Vec<u8>>, Vec<u8>);

/// A table as it is counted.
#[derive(Debug)]
pub(super) struct Entry {
    key: Key,
    defined_line: Option<u64>,
    first: Place,
    engine: Option<Vec<u8>>,
    temporary: bool,
    pub(super) rows: u64,
    pub(super) rows_exact: bool,
    pub(super) bytes: u64,
    pub(super) statements: u64,
    lists: (bool, bool),
    storage: Option<&'static str>,
    pub(super) has_binary: bool,
    pub(super) has_trigger: bool,
    pub(super) trigger_noted: bool,
    pub(super) order_noted: bool,
    pub(super) loading: Loading,
    /// The AUTO_INCREMENT column in its definition.
    auto_increment: Option<Vec<u8>>,
    definition: Option<Box<str>>,
    added_keys: Vec<Vec<String>>,
}

impl Entry {
    fn new(key: Key, first: Place) -> Entry {
        Entry {
            key,
            defined_line: None,
            first,
            engine: None,
            temporary: false,
            rows: 0,
            rows_exact: true,
            bytes: 0,
            statements: 0,
            lists: (false, false),
            storage: None,
            has_binary: false,
            has_trigger: false,
            trigger_noted: false,
            order_noted: false,
            loading: Loading::default(),
            auto_increment: None,
            definition: None,
            added_keys: Vec::new(),
        }
    }

    /// Its schema belongs to the server.
    pub(super) fn in_system_schema(&self) -> bool {
        self.key.0.as_deref().is_some_and(super::findings::is_system_schema)
    }

    /// Counts rows of an INSERT.
    pub(super) fn add(&mut self, head: &Head, rows: u64, bytes: u64) {
        self.rows += rows;
        self.bytes += bytes;
        self.loading.after_trigger |= self.has_trigger;
        if let (Some(column), Some(named)) = (&self.auto_increment, &head.columns) {
            self.loading.numbered_by_server |=
                !named.iter().any(|name| name.eq_ignore_ascii_case(column));
        }
        match head.columns {
            Some(_) => self.lists.0 = true,
            None => self.lists.1 = true,
        }
    }

    fn into_table(self) -> Table {
        let column_lists = match self.lists {
            (true, true) => Some(ColumnLists::Sometimes),
            (true, false) => Some(ColumnLists::Always),
            (false, true) => Some(ColumnLists::Never),
            (false, false) => None,
        };
        Table {
            schema: self.key.0.as_deref().map(text),
            name: text(&self.key.1),
            defined_line: self.defined_line,
            first_line: self.first.line,
            engine: self.engine.as_deref().map(text),
            temporary: self.temporary,
            rows: self.rows,
            rows_exact: self.rows_exact,
            bytes: self.bytes,
            statements: self.statements,
            column_lists,
            loading: self.loading,
            definition: self.definition,
            added_keys: self.added_keys,
        }
    }

    /// Gives up the text of its definition, and what was added to it; how many bytes that was.
    fn take_definition(&mut self) -> usize {
        let definition = self.definition.take().map_or(0, |text| text.len());
        definition + self.added_keys.drain(..).map(|keys| bytes_of(&keys)).sum::<usize>()
    }
}

/// What a statement's keys take.
fn bytes_of(keys: &[String]) -> usize {
    keys.iter().map(|key| size_of::<Vec<String>>() + size_of::<String>() + key.len()).sum()
}

/// Objects of one kind, by name; the last definition counts.
#[derive(Debug, Default)]
struct Objects {
    places: HashMap<Key, usize>,
    list: Vec<(Key, Place)>,
    unlisted: u64,
}

impl Objects {
    fn add(&mut self, key: Key, place: Place) {
        if let Some(&at) = self.places.get(&key) {
            self.list[at].1 = place;
        } else if self.list.len() < OBJECTS_MAX {
            self.places.insert(key.clone(), self.list.len());
            self.list.push((key, place));
        } else {
            self.unlisted += 1;
        }
    }

    fn into_list(self, index: &mut DumpIndex, hazards: &mut Hazards) -> Vec<Object> {
        index.unlisted += self.unlisted;
        let object = |((schema, name), place): (Key, Place)| {
            if schema.is_none() {
                hazards.note(Code::NoDatabase, place, &name);
            }
            Object { schema: schema.as_deref().map(text), name: text(&name), line: place.line }
        };
        self.list.into_iter().map(object).collect()
    }
}

/// Everything that is defined.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    current: Option<Vec<u8>>,
    databases: Vec<Database>,
    tables: Vec<Option<Entry>>,
    /// Takes what is beyond the limit.
    surplus: Option<Entry>,
    places: HashMap<Key, usize>,
    recent: usize,
    /// Bytes of the definitions that are kept.
    definition_bytes: usize,
    unlisted: u64,
    views: Objects,
    routines: Objects,
    triggers: Objects,
    events: Objects,
    sequences: Objects,
    accounts: Vec<Object>,
    settings: Vec<Setting>,
    known_settings: BTreeSet<(Vec<u8>, Vec<u8>)>,
    character_sets: Vec<CharacterSet>,
}

impl Catalog {
    /// The default database.
    pub(super) fn current(&self) -> Option<&[u8]> {
        self.current.as_deref()
    }

    /// `USE name`
    pub(super) fn select(&mut self, name: &[u8], place: Place) {
        self.current = Some(name.to_vec());
        if let Some(database) = self.database(name) {
            database.used_line.get_or_insert(place.line);
        }
    }

    fn database(&mut self, name: &[u8]) -> Option<&mut Database> {
        let name = text(name);
        let at = match self.databases.iter().position(|database| database.name == name) {
            Some(at) => at,
            None if self.databases.len() < OBJECTS_MAX => {
                self.databases.push(Database {
                    name,
                    created_line: None,
                    used_line: None,
                    dropped_line: None,
                });
                self.databases.len() - 1
            }
            None => return None,
        };
        self.databases.get_mut(at)
    }

    /// The table of that name; a new one if it was not seen before.
    pub(super) fn table(&mut self, schema: Option<&[u8]>, name: &[u8], at: Place) -> &mut Entry {
        let schema = schema.or(self.current.as_deref());
        let is_recent = self.tables.get(self.recent).is_some_and(|entry| {
            entry.as_ref().is_some_and(|e| e.key.1 == name && e.key.0.as_deref() == schema)
        });
        if !is_recent {
            let key = (schema.map(<[u8]>::to_vec), name.to_vec());
            self.recent = self.place_of(key, at);
        }
        let entry = self.tables.get_mut(self.recent).and_then(Option::as_mut);
        entry.unwrap_or_else(|| {
            self.surplus.get_or_insert_with(|| Entry::new((None, Vec::new()), at))
        })
    }

    /// The index of a table; beyond the limit, an index where none is.
    fn place_of(&mut self, key: Key, at: Place) -> usize {
        if let Some(&place) = self.places.get(&key) {
            return place;
        }
        if self.tables.len() >= OBJECTS_MAX {
            self.unlisted += 1;
            return usize::MAX;
        }
        self.places.insert(key.clone(), self.tables.len());
        self.tables.push(Some(Entry::new(key, at)));
        self.tables.len() - 1
    }

    fn key(&self, object: &ObjectName) -> Key {
        let schema = object.schema.as_deref().or(self.current.as_deref());
        (schema.map(<[u8]>::to_vec), object.name.clone())
    }

    /// A definition of any kind.
    pub(super) fn define(
        &mut self,
        text: &[u8],
        class: &Class,
        rules: Rules,
        target: Target,
        place: Place,
    ) {
        if class.kind == Kind::Account && class.action == Action::Create {
            self.account(text, rules, target, place);
        }
        let Some(object) = &class.object else { return };
        if class.kind == Kind::Database {
            self.define_database(&object.name, class.action, place);
            return;
        }
        if class.action != Action::Create {
            return;
        }
        let key = self.key(object);
        match class.kind {
            Kind::Table => match object_word(text, rules, target) {
                Some("TABLE") => self.define_table(text, class, rules, target, place),
                Some("SEQUENCE") => self.sequences.add(key, place),
                _ => {}
            },
            Kind::View => {
                self.forget_placeholder(&key);
                self.views.add(key, place);
            }
            Kind::Routine => self.routines.add(key, place),
            Kind::Event => self.events.add(key, place),
            Kind::Trigger => {
                if let Some((schema, table)) = features::trigger_table(text, rules, target) {
                    self.table(schema.as_deref(), &table, place).has_trigger = true;
                }
                self.triggers.add(key, place);
            }
            _ => {}
        }
    }

    fn define_database(&mut self, name: &[u8], action: Action, place: Place) {
        if action == Action::Drop && self.current.as_deref() == Some(name) {
            self.current = None;
        }
        let Some(database) = self.database(name) else { return };
        match action {
            Action::Create => database.created_line.get_or_insert(place.line),
            Action::Drop => database.dropped_line.get_or_insert(place.line),
            Action::Alter => return,
        };
    }

    fn define_table(
        &mut self,
        text: &[u8],
        class: &Class,
        rules: Rules,
        target: Target,
        place: Place,
    ) {
        let Some(object) = &class.object else { return };
        let facts = features::table_facts(text, rules, target);
        let kept = std::str::from_utf8(text).ok().map(Box::<str>::from);
        let kept = kept.filter(|kept| self.definition_bytes + kept.len() <= DEFINITIONS_BYTES_MAX);
        let before = self.definition_bytes + kept.as_ref().map_or(0, |kept| kept.len());
        let entry = self.table(object.schema.as_deref(), &object.name, place);
        let replaced = entry.take_definition();
        entry.definition = kept;
        entry.defined_line = Some(place.line);
        entry.temporary = class.temporary;
        entry.engine = facts.engine;
        entry.has_binary |= facts.has_binary;
        entry.storage = facts.storage;
        self.definition_bytes = before - replaced;
    }

    /// Keeps what a definition says about how rows come.
    pub(super) fn set_traits(
        &mut self,
        text: &[u8],
        class: &Class,
        rules: Rules,
        target: Target,
        no_engine_substitution: Option<bool>,
    ) {
        if object_word(text, rules, target) != Some("TABLE") {
            return;
        }
        let Some(key) = class.object.as_ref().map(|object| self.key(object)) else { return };
        let entry = self.places.get(&key).and_then(|&at| self.tables.get_mut(at)?.as_mut());
        let Some(entry) = entry else { return };
        let traits = table_traits(text, rules, target);
        entry.auto_increment = traits.auto_increment;
        entry.loading.foreign_keys = traits.loading.foreign_keys;
        entry.loading.primary_key = traits.loading.primary_key;
        entry.loading.versioned = traits.loading.versioned;
        entry.loading.computed_default = traits.loading.computed_default;
        entry.loading.no_engine_substitution = no_engine_substitution;
    }

    /// Takes the keys and foreign keys of an ALTER TABLE.
    pub(super) fn add_keys(&mut self, text: &[u8], class: &Class, rules: Rules, target: Target) {
        let Some(key) = class.object.as_ref().map(|object| self.key(object)) else { return };
        let entry = self.places.get(&key).and_then(|&at| self.tables.get_mut(at)?.as_mut());
        let Some(entry) = entry else { return };
        entry.loading.foreign_keys |=
            Tokens::new(text, rules, target).any(|spanned| spanned.token.is("REFERENCES"));
        if entry.definition.is_none() || entry.added_keys.len() >= ADDITIONS_MAX {
            return;
        }
        let adding = alteration(class, text, rules, target);
        if let Some(adding) = adding.filter(|found| found.change == Change::AddsKeys) {
            let bytes = bytes_of(&adding.keys);
            if self.definition_bytes + bytes <= DEFINITIONS_BYTES_MAX {
                self.definition_bytes += bytes;
                entry.added_keys.push(adding.keys);
            }
        }
    }

    /// mysqldump defines a table in a view's place first, and drops it later.
    fn forget_placeholder(&mut self, key: &Key) {
        let Some(&at) = self.places.get(key) else { return };
        if self.tables[at].as_ref().is_some_and(|entry| entry.statements == 0) {
            let gone = self.tables[at].take().map_or(0, |mut entry| entry.take_definition());
            self.definition_bytes -= gone;
            self.places.remove(key);
        }
    }

    /// The names behind `CREATE USER` or `CREATE ROLE`: the first one.
    fn account(&mut self, sql: &[u8], rules: Rules, target: Target, place: Place) {
        let mut tokens = Tokens::new(sql, rules, target)
            .skip_while(|t| !t.token.is("USER") && !t.token.is("ROLE"))
            .skip(1)
            .skip_while(|t| ["IF", "NOT", "EXISTS"].iter().any(|word| t.token.is(word)));
        let Some(first) = tokens.next() else { return };
        let end = match tokens.next() {
            Some(host) if matches!(host.token, Token::UserVariable(_)) => host.span.end,
            _ => first.span.end,
        };
        if self.accounts.len() >= OBJECTS_MAX {
            self.unlisted += 1;
            return;
        }
        let name = text(&sql[first.span.start..end]);
        self.accounts.push(Object { schema: None, name, line: place.line });
    }

    /// Lists a setting, each value once; saving and restoring is no setting.
    pub(super) fn setting(&mut self, assigned: &Assigned, place: Place) {
        let is_restore = matches!(assigned.value, Value::User(_));
        if assigned.scope == Scope::User || assigned.name == b"names" || is_restore {
            return;
        }
        let is_secret = memchr::memmem::find(&assigned.name, b"password").is_some();
        let key = (assigned.name.clone(), assigned.text.clone());
        if self.settings.len() >= SETTINGS_MAX || !self.known_settings.insert(key) {
            return;
        }
        self.settings.push(Setting {
            name: text(&assigned.name),
            global: assigned.scope == Scope::Global,
            value: if is_secret { "…".into() } else { hazard::shorten(&assigned.text) },
            line: place.line,
        });
    }

    /// Lists an announced character set.
    pub(super) fn character_set(&mut self, name: &[u8], place: Place) {
        let name = text(name);
        let is_known = self.character_sets.iter().any(|known| known.name == name);
        if !is_known && self.character_sets.len() < SETTINGS_MAX {
            self.character_sets.push(CharacterSet { name, line: place.line });
        }
    }

    /// Puts everything into the index, the hazards too.
    pub(super) fn fill(self, mut index: DumpIndex, mut hazards: Hazards) -> DumpIndex {
        index.unlisted = self.unlisted;
        for entry in self.tables.into_iter().flatten() {
            note_table(&entry, &mut hazards);
            index.tables.push(entry.into_table());
        }
        index.rows = index.tables.iter().map(|table| table.rows).sum();
        index.rows += self.surplus.map_or(0, |entry| entry.rows);
        index.views = self.views.into_list(&mut index, &mut hazards);
        index.routines = self.routines.into_list(&mut index, &mut hazards);
        index.triggers = self.triggers.into_list(&mut index, &mut hazards);
        index.events = self.events.into_list(&mut index, &mut hazards);
        index.sequences = self.sequences.into_list(&mut index, &mut hazards);
        index.databases = self.databases;
        index.accounts = self.accounts;
        index.settings = self.settings;
        index.character_sets = self.character_sets;
        index.hazards = hazards.into_list();
        index
    }
}

fn note_table(entry: &Entry, hazards: &mut Hazards) {
    if entry.key.0.is_none() {
        hazards.note(Code::NoDatabase, entry.first, &entry.key.1);
    }
    // What has transactions is a short list; unknown engines are taken to have none.
    const TRANSACTIONAL: [&[u8]; 5] = [b"INNODB", b"XTRADB", b"ROCKSDB", b"TOKUDB", b"NDBCLUSTER"];
    if let Some(engine) = &entry.engine
        && !TRANSACTIONAL.iter().any(|name| engine.eq_ignore_ascii_case(name))
    {
        let place = Place { line: entry.defined_line.unwrap_or(entry.first.line), ..entry.first };
        let example = [&entry.key.1, b" (".as_slice(), engine, b")"].concat();
        hazards.note(Code::NotTransactional, place, &example);
    }
    if let Some(clause) = entry.storage {
        hazards.note(Code::StorageClause, entry.first, clause.as_bytes());
    }
}

/// The word that says what is created: TABLE, INDEX or SEQUENCE.
fn object_word(text: &[u8], rules: Rules, target: Target) -> Option<&'static str> {
    Tokens::new(text, rules, target).find_map(|spanned| {
        ["TABLE", "INDEX", "SEQUENCE"].into_iter().find(|word| spanned.token.is(word))
    })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
