//! The phases of a script, one function each.
//!
//! Promises: what stands in [`super::Phase`]. Decides no order by itself: that is [`super::plan`]'s.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::Plan;
use super::program::Text;
use super::rename::{Doubt, Renames, rewrite};
use super::{Phase, Script, Statement, constraint, index, program, table};
use crate::mssql::catalog::finding::{Finding, Weight};
use crate::mssql::catalog::schema::{Database, Module, ObjectId, Session, Table, Trigger};
use crate::mssql::name::{qualified, quoted};

/// A script on its way.
pub(super) struct Making<'a> {
    database: &'a Database,
    target: &'a str,
    renames: &'a Renames,
    plan: Plan<'a>,
    texts: BTreeMap<ObjectId, Text>,
    /// Modules that wait for the final names.
    late: BTreeSet<ObjectId>,
    script: Script,
}

impl<'a> Making<'a> {
    pub(super) fn new(database: &'a Database, target: &'a str, renames: &'a Renames) -> Self {
        let plan = Plan::new(database);
        let modules = database.modules.iter();
        let texts: BTreeMap<ObjectId, Text> =
            modules.map(|one| (one.id, program::module(one, &database.schemas, renames))).collect();
        let naming = texts.iter().filter(|(_, text)| text.names_database).map(|(id, _)| *id);
        let synonyms = database.synonyms.iter();
        let synonyms = synonyms.filter(|one| program::synonym(one, renames).names_database);
        let late = plan.late(&naming.collect(), &synonyms.map(|one| one.id).collect());
        let late = late.into_iter().filter(|id| !plan.is_early(*id)).collect();
        Making { database, target, renames, plan, texts, late, script: Script::default() }
    }

    pub(super) fn script(mut self) -> Script {
        self.database();
        self.schemas();
        self.tables();
        self.indexes();
        self.constraints();
        self.foreign_keys();
        self.counters();
        self.versioning();
        self.modules();
        self.triggers();
        self.properties();
        // Within a phase the order is that of the functions above.
        self.script.statements.sort_by_key(|statement| statement.phase);
        self.script
    }

    fn add(&mut self, phase: Phase, object: &str, sql: String) {
        let object = object.to_owned();
        self.script.statements.push(Statement { phase, object, sql, session: None });
    }

    fn add_under(&mut self, phase: Phase, object: &str, sql: String, session: Session) {
        let is_usual = session.ansi_nulls && session.quoted_identifier;
        let (object, session) = (object.to_owned(), (!is_usual).then_some(session));
        self.script.statements.push(Statement { phase, object, sql, session });
    }

    fn doubt(&mut self, object: &str, doubts: Vec<Doubt>) {
        for doubt in doubts {
            let why = format!(
                "names {} {} (line {}, column {}) and is left as it is there",
                doubt.database,
                doubt.why.words(),
                doubt.line,
                doubt.column
            );
            self.told("name of a database", object, why);
        }
    }

    fn told(&mut self, what: &'static str, object: &str, why: String) {
        let object = object.to_owned();
        self.script.findings.push(Finding { weight: Weight::Told, what, object, why });
    }

    fn database(&mut self) {
        let (database, name) = (self.database, quoted(self.target));
        let create = format!("CREATE DATABASE {name} COLLATE {}", database.collation);
        self.add(Phase::Database, self.target, create);
        let mut set = vec![format!("COMPATIBILITY_LEVEL = {}", database.compatibility_level)];
        for (option, is_on) in &database.options.switches {
            let word = match (*option, is_on) {
                ("CURSOR_DEFAULT", true) => "LOCAL",
                ("CURSOR_DEFAULT", false) => "GLOBAL",
                ("PARAMETERIZATION", true) => "FORCED",
                ("PARAMETERIZATION", false) => "SIMPLE",
                (_, true) => "ON",
                (_, false) => "OFF",
            };
            set.push(format!("{option} {word}"));
        }
        if !database.options.page_verify.is_empty() {
            set.push(format!("PAGE_VERIFY {}", database.options.page_verify));
        }
        if !database.options.recovery.is_empty() {
            set.push(format!("RECOVERY {}", database.options.recovery));
        }
        match database.options.delayed_durability {
            1 => set.push("DELAYED_DURABILITY = ALLOWED".to_owned()),
            2 => set.push("DELAYED_DURABILITY = FORCED".to_owned()),
            _ => {}
        }
        for option in set {
            self.add(Phase::Options, self.target, format!("ALTER DATABASE {name} SET {option}"));
        }
    }

    fn schemas(&mut self) {
        let database = self.database;
        for schema in &database.schemas {
            self.add(Phase::Schemas, schema, format!("CREATE SCHEMA {}", quoted(schema)));
        }
        for alias in &database.aliases {
            let name = qualified(&alias.schema, &alias.name);
            let null = if alias.is_nullable { "NULL" } else { "NOT NULL" };
            let sql = format!("CREATE TYPE {name} FROM {} {null}", alias.kind.definition());
            self.add(Phase::Schemas, &full(&alias.schema, &alias.name), sql);
        }
        for one in &database.sequences {
            let sql = constraint::sequence(one);
            self.add(Phase::Schemas, &full(&one.schema, &one.name), sql);
        }
        for kind in &database.table_kinds {
            let object = full(&kind.schema, &kind.name);
            self.add(Phase::Schemas, &object, table::create_kind(kind));
        }
        for synonym in &database.synonyms {
            let object = full(&synonym.schema, &synonym.name);
            let text = program::synonym(synonym, self.renames);
            self.add(Phase::Schemas, &object, text.sql);
            self.doubt(&object, text.doubts);
        }
    }

    fn tables(&mut self) {
        let database = self.database;
        let tables: BTreeMap<ObjectId, &Table> =
            database.tables.iter().map(|table| (table.id, table)).collect();
        let modules: BTreeMap<ObjectId, &Module> =
            database.modules.iter().map(|module| (module.id, module)).collect();
        for id in self.plan.first() {
            if let Some(table) = tables.get(&id) {
                self.table(table);
            } else if let Some(module) = modules.get(&id) {
                self.module(Phase::Tables, module);
            }
        }
    }

    fn table(&mut self, one: &Table) {
        let (object, name) = (full(&one.schema, &one.name), table::full_name(one));
        let sql = table::create(one, |column| !self.plan.default_waits(column));
        let sql = self.renamed(&object, sql);
        self.add(Phase::Tables, &object, sql);
        for index in one.indexes.iter().filter(|index| index.is_clustered()) {
            self.add(Phase::Tables, &object, index::create(&name, index));
        }
        for sql in table::settings(one) {
            self.add(Phase::Tables, &object, sql);
        }
    }

    /// A text of ours with the new names of databases. Its own names are quoted and have two parts, so
    /// that only expressions of the source are touched.
    fn renamed(&mut self, object: &str, sql: String) -> String {
        let found = rewrite(&sql, true, &self.database.schemas, self.renames);
        self.doubt(object, found.doubts);
        found.text
    }

    fn indexes(&mut self) {
        for one in &self.database.tables {
            let (object, name) = (full(&one.schema, &one.name), table::full_name(one));
            for index in one.indexes.iter().filter(|index| !index.is_clustered()) {
                self.add(Phase::Indexes, &object, index::create(&name, index));
            }
        }
    }

    fn constraints(&mut self) {
        for one in &self.database.tables {
            let object = full(&one.schema, &one.name);
            let waiting = one.columns.iter().filter(|column| self.plan.default_waits(column));
            let defaults = waiting.filter_map(|column| table::add_default(one, column));
            for sql in defaults.collect::<Vec<String>>() {
                let sql = self.renamed(&object, sql);
                self.add(Phase::Constraints, &object, sql);
            }
            for check in &one.checks {
                let definition = self.renamed(&object, check.definition.clone());
                for sql in constraint::check(one, check, &definition) {
                    self.add(Phase::Constraints, &object, sql);
                }
            }
        }
    }

    fn foreign_keys(&mut self) {
        for one in &self.database.tables {
            for key in &one.foreign_keys {
                for sql in constraint::foreign_key(one, key) {
                    self.add(Phase::ForeignKeys, &full(&one.schema, &one.name), sql);
                }
            }
        }
        // A foreign key cannot be made on a unique index that is off.
        for one in &self.database.tables {
            let (object, name) = (full(&one.schema, &one.name), table::full_name(one));
            for index in one.indexes.iter().filter(|index| index.is_disabled) {
                self.add(Phase::ForeignKeys, &object, index::disable(&name, index));
            }
        }
    }

    fn counters(&mut self) {
        for one in &self.database.tables {
            if let Some(sql) = constraint::reseed(one) {
                self.add(Phase::Counters, &full(&one.schema, &one.name), sql);
            }
        }
        for one in &self.database.sequences {
            for sql in constraint::restart(one) {
                self.add(Phase::Counters, &full(&one.schema, &one.name), sql);
            }
        }
    }

    fn versioning(&mut self) {
        for one in &self.database.tables {
            let Some(period) = &one.period else { continue };
            for sql in constraint::versioning(one, period) {
                self.add(Phase::Versioning, &full(&one.schema, &one.name), sql);
            }
        }
    }

    fn modules(&mut self) {
        for module in self.plan.modules() {
            let is_late = self.late.contains(&module.id);
            let phase = if is_late { Phase::AfterRename } else { Phase::Modules };
            self.module(phase, module);
        }
    }

    fn module(&mut self, phase: Phase, module: &Module) {
        let Some(text) = self.texts.remove(&module.id) else { return };
        let (object, name) =
            (full(&module.schema, &module.name), qualified(&module.schema, &module.name));
        self.text(phase, &object, text, module.session);
        for index in &module.indexes {
            self.add(phase, &object, index::create(&name, index));
        }
        for index in module.indexes.iter().filter(|index| index.is_disabled) {
            self.add(phase, &object, index::disable(&name, index));
        }
    }

    fn text(&mut self, phase: Phase, object: &str, text: Text, session: Session) {
        if text.is_strange {
            let why = "its text does not begin with CREATE; it is run as it is".to_owned();
            self.told("strange module", object, why);
        }
        self.doubt(object, text.doubts);
        self.add_under(phase, object, text.sql, session);
    }

    fn triggers(&mut self) {
        for trigger in &self.database.triggers {
            let phase = self.trigger_phase(trigger);
            let object = match &trigger.parent {
                Some((schema, _)) => full(schema, &trigger.name),
                None => trigger.name.clone(),
            };
            let text = program::trigger(trigger, &self.database.schemas, self.renames);
            self.text(phase, &object, text, trigger.session);
            for sql in program::trigger_state(trigger) {
                self.add(phase, &object, sql);
            }
        }
    }

    fn trigger_phase(&self, trigger: &Trigger) -> Phase {
        match &trigger.parent {
            None => Phase::DatabaseTriggers,
            Some((schema, name)) if self.is_late(schema, name) => Phase::AfterRename,
            Some(_) => Phase::Triggers,
        }
    }

    fn is_late(&self, schema: &str, name: &str) -> bool {
        let mut modules = self.database.modules.iter();
        modules.any(|one| self.late.contains(&one.id) && one.schema == schema && one.name == name)
    }

    fn properties(&mut self) {
        for property in &self.database.properties {
            let phase = match property.levels.as_slice() {
                [("TRIGGER", _)] => Phase::DatabaseTriggers,
                [(_, schema), (_, name), ..] if self.is_late(schema, name) => Phase::AfterRename,
                _ => Phase::Properties,
            };
            let names: Vec<&str> = property.levels.iter().map(|(_, name)| name.as_str()).collect();
            self.add(phase, &names.join("."), program::property(property));
        }
    }
}

/// For people.
fn full(schema: &str, name: &str) -> String {
    format!("{schema}.{name}")
}
