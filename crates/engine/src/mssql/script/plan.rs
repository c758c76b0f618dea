//! What of a database must be made early, in which order, and what late.
//!
//! Promises: a function that a computed column, a default or a check needs is made with the tables; a view
//! that names a database of the job waits until that has its final name, and so does what needs that view.

use std::collections::{BTreeMap, BTreeSet};

use super::order::{Need, ordered};
use super::token::{Token, tokens};
use crate::mssql::catalog::column::Column;
use crate::mssql::catalog::schema::{Database, Module, ModuleKind, ObjectId};

/// The order of a database's tables and modules.
pub(super) struct Plan<'a> {
    database: &'a Database,
    /// What each object names in this database.
    named: BTreeMap<ObjectId, BTreeSet<ObjectId>>,
    modules: BTreeMap<ObjectId, &'a Module>,
    /// Modules that are made with the tables.
    early: BTreeSet<ObjectId>,
}

impl<'a> Plan<'a> {
    pub(super) fn new(database: &'a Database) -> Plan<'a> {
        let modules: BTreeMap<ObjectId, &Module> =
            database.modules.iter().map(|module| (module.id, module)).collect();
        let by_name = names(database);
        let synonyms = synonyms(database, &by_name);
        let mut named: BTreeMap<ObjectId, BTreeSet<ObjectId>> = BTreeMap::new();
        for one in database.dependencies.iter().filter(|one| !one.is_kind) {
            // The server does not tell what was made after its user; a name without schema is dbo's.
            let found = one.referenced.or_else(|| {
                let is_here = one.server.is_none() && one.database.is_none();
                let schema = one.schema.as_deref().unwrap_or("dbo");
                let found = by_name.get(&(schema.to_lowercase(), one.name.to_lowercase()));
                found.copied().filter(|_| is_here)
            });
            if let Some(found) = found {
                let of_object = named.entry(one.object).or_default();
                of_object.insert(found);
                of_object.extend(synonyms.get(&found));
            }
        }
        let mut plan = Plan { database, named, modules, early: BTreeSet::new() };
        plan.early = plan.early();
        plan
    }

    /// The default calls a module, so that it must wait for it.
    pub(super) fn default_waits(&self, column: &Column) -> bool {
        column.default.as_ref().is_some_and(|default| self.names_module(default.id))
    }

    pub(super) fn is_early(&self, module: ObjectId) -> bool {
        self.early.contains(&module)
    }

    /// Tables and early modules, by number, in the order in which they are made.
    pub(super) fn first(&self) -> Vec<ObjectId> {
        let mut nodes = Vec::new();
        for (rank, table) in self.database.tables.iter().enumerate() {
            nodes.push((table.id, rank));
        }
        let count = nodes.len();
        for (rank, module) in self.sorted().into_iter().enumerate() {
            if self.is_early(module.id) {
                nodes.push((module.id, count + rank));
            }
        }
        ordered(&nodes, &self.needs())
    }

    /// All other modules in the order in which they are made.
    pub(super) fn modules(&self) -> Vec<&'a Module> {
        let sorted = self.sorted().into_iter().enumerate();
        let nodes: Vec<(i64, usize)> = sorted
            .filter(|(_, module)| !self.is_early(module.id))
            .map(|(rank, module)| (module.id, rank))
            .collect();
        let order = ordered(&nodes, &self.needs());
        order.iter().filter_map(|id| self.modules.get(id).copied()).collect()
    }

    /// Of `seeds`, those that are not made without what they name; and all that is not made without those
    /// or without one of `synonyms`.
    pub(super) fn late(
        &self,
        seeds: &BTreeSet<ObjectId>,
        synonyms: &BTreeSet<ObjectId>,
    ) -> BTreeSet<ObjectId> {
        let is_strict = |id: &ObjectId| self.modules.get(id).is_some_and(|one| is_strict(one));
        let mut late: BTreeSet<ObjectId> = seeds.iter().copied().filter(is_strict).collect();
        late.extend(synonyms);
        loop {
            let names_late =
                |id: &ObjectId| self.named.get(id).is_some_and(|named| !named.is_disjoint(&late));
            let more: Vec<ObjectId> = self
                .modules
                .keys()
                .copied()
                .filter(|id| !late.contains(id) && is_strict(id) && names_late(id))
                .collect();
            if more.is_empty() {
                return late;
            }
            late.extend(more);
        }
    }

    fn names_module(&self, object: ObjectId) -> bool {
        let named = self.named.get(&object);
        named.is_some_and(|named| named.iter().any(|id| self.modules.contains_key(id)))
    }

    fn early(&self) -> BTreeSet<ObjectId> {
        let mut waiting: Vec<ObjectId> = Vec::new();
        for table in &self.database.tables {
            waiting.push(table.id);
            waiting.extend(table.checks.iter().map(|check| check.id));
            let defaults = table.columns.iter().filter_map(|column| column.default.as_ref());
            waiting.extend(defaults.map(|default| default.id));
        }
        let mut early = BTreeSet::new();
        while let Some(object) = waiting.pop() {
            for id in self.named.get(&object).into_iter().flatten() {
                if self.modules.contains_key(id) && early.insert(*id) {
                    waiting.push(*id);
                }
            }
        }
        early
    }

    /// By what they are, then by name.
    fn sorted(&self) -> Vec<&'a Module> {
        let mut sorted: Vec<&Module> = self.database.modules.iter().collect();
        sorted.sort_by_key(|module| (module.kind, &module.schema, &module.name));
        sorted
    }

    fn needs(&self) -> Vec<Need> {
        let pairs = self.named.iter().flat_map(|(of, on)| on.iter().map(|on| (*of, *on)));
        let needs = pairs.map(|(of, on)| {
            let is_hard = self.modules.get(&of).is_none_or(|module| is_strict(module));
            Need { of, on, is_hard }
        });
        needs.collect()
    }
}

/// It is not made while something that it names is missing; the others find their names when they run.
fn is_strict(module: &Module) -> bool {
    let by_kind = matches!(module.kind, ModuleKind::View | ModuleKind::InlineFunction);
    by_kind || module.is_schema_bound
}

/// The objects of this database that synonyms stand for.
fn synonyms(
    database: &Database,
    by_name: &BTreeMap<(String, String), ObjectId>,
) -> BTreeMap<ObjectId, ObjectId> {
    let pairs = database.synonyms.iter().filter_map(|one| {
        let tokens = tokens(&one.stands_for, true);
        let names: Vec<String> =
            tokens.iter().filter(|token| token.is_name()).map(Token::name).collect();
        let (schema, name) = match names.as_slice() {
            [name] => ("dbo", name.as_str()),
            [schema, name] => (schema.as_str(), name.as_str()),
            _ => return None,
        };
        let found = by_name.get(&(schema.to_lowercase(), name.to_lowercase()))?;
        Some((one.id, *found))
    });
    pairs.collect()
}

fn names(database: &Database) -> BTreeMap<(String, String), ObjectId> {
    let tables = database.tables.iter().map(|one| (&one.schema, &one.name, one.id));
    let modules = database.modules.iter().map(|one| (&one.schema, &one.name, one.id));
    let synonyms = database.synonyms.iter().map(|one| (&one.schema, &one.name, one.id));
    let all = tables.chain(modules).chain(synonyms);
    all.map(|(schema, name, id)| ((schema.to_lowercase(), name.to_lowercase()), id)).collect()
}
