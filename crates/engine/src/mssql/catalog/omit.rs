//! What goes with what is left out.
//!
//! Promises: nothing that is kept needs at its making what is left out; each thing that goes for that
//! reason is a finding that names what it needed. Procedures stay: they are made without what they name.

use std::collections::BTreeMap;

use super::finding::{Finding, Weight};
use super::schema::{Database, ModuleKind, ObjectId};

/// What is left out, by number, with its name.
#[derive(Clone, Debug, Default)]
pub(super) struct Omitted {
    /// Objects.
    pub(super) objects: BTreeMap<ObjectId, String>,
    /// Types, whose numbers are apart.
    pub(super) kinds: BTreeMap<ObjectId, String>,
}

/// What each object names: a number, and whether it is a type's.
type Named = BTreeMap<ObjectId, Vec<(ObjectId, bool)>>;

/// Takes out of `database` what needs what is omitted.
pub(super) fn apply(database: &mut Database, mut omitted: Omitted) {
    if omitted.objects.is_empty() && omitted.kinds.is_empty() {
        return;
    }
    let mut named = Named::new();
    for one in &database.dependencies {
        if let Some(id) = one.referenced {
            named.entry(one.object).or_default().push((id, one.is_kind));
        }
    }
    // Each round finds what needs the round before; a round without finds is the last.
    while round(database, &named, &mut omitted) {}
    foreign_keys(database, &omitted);
    histories(database, &omitted);
    properties(database, &omitted);
}

/// What `object` needs of what is omitted.
fn needed<'a>(
    named: &Named,
    object: ObjectId,
    omitted: &'a Omitted,
    kinds_only: bool,
) -> Option<&'a String> {
    named.get(&object)?.iter().find_map(|(id, is_kind)| match is_kind {
        true => omitted.kinds.get(id),
        false if kinds_only => None,
        false => omitted.objects.get(id),
    })
}

fn round(database: &mut Database, named: &Named, omitted: &mut Omitted) -> bool {
    let mut found: Vec<(ObjectId, &'static str, String, String)> = Vec::new();
    for module in &database.modules {
        // Names of tables may be resolved later, types never.
        let is_lazy = module.kind == ModuleKind::Procedure;
        if let Some(needs) = needed(named, module.id, omitted, is_lazy) {
            let full = format!("{}.{}", module.schema, module.name);
            found.push((module.id, "module", full, needs.clone()));
        }
    }
    for trigger in &database.triggers {
        let Some((schema, parent)) = &trigger.parent else { continue };
        let parent = format!("{schema}.{parent}");
        if omitted.objects.values().any(|name| *name == parent) {
            let full = format!("{schema}.{}", trigger.name);
            found.push((trigger.id, "trigger", full, parent));
        }
    }
    for table in &database.tables {
        let own = [table.id].into_iter();
        let defaults = table.columns.iter().filter_map(|column| column.default.as_ref());
        let checks = table.checks.iter().map(|check| check.id);
        let mut parts = own.chain(defaults.map(|default| default.id)).chain(checks);
        let needs = parts.find_map(|id| needed(named, id, omitted, false));
        if let Some(needs) = needs {
            let full = format!("{}.{}", table.schema, table.name);
            found.push((table.id, "table", full, needs.clone()));
        }
    }
    let is_any = !found.is_empty();
    for (id, what, full, needs) in found {
        database.modules.retain(|module| module.id != id);
        database.triggers.retain(|trigger| trigger.id != id);
        database.tables.retain(|table| table.id != id);
        let why = format!("is left out: it needs {needs}");
        database.findings.push(Finding { weight: Weight::Stops, what, object: full.clone(), why });
        omitted.objects.insert(id, full);
    }
    is_any
}

fn foreign_keys(database: &mut Database, omitted: &Omitted) {
    let findings = &mut database.findings;
    for table in &mut database.tables {
        let (schema, name) = (&table.schema, &table.name);
        table.foreign_keys.retain(|key| {
            let referenced = format!("{}.{}", key.referenced_schema, key.referenced_table);
            let goes = omitted.objects.values().any(|name| *name == referenced);
            if goes {
                findings.push(Finding {
                    weight: Weight::Stops,
                    what: "foreign key",
                    object: format!("{schema}.{name}.{}", key.name),
                    why: format!("is left out: it needs {referenced}"),
                });
            }
            !goes
        });
    }
}

/// A table whose history is left out keeps its period only.
fn histories(database: &mut Database, omitted: &Omitted) {
    let findings = &mut database.findings;
    for table in &mut database.tables {
        let Some(period) = &mut table.period else { continue };
        let Some(history) = &period.history else { continue };
        let full = format!("{}.{}", history.schema, history.table);
        if omitted.objects.values().any(|name| *name == full) {
            findings.push(Finding {
                weight: Weight::Stops,
                what: "system versioning",
                object: format!("{}.{}", table.schema, table.name),
                why: format!("is left out: it needs {full}"),
            });
            period.history = None;
        }
    }
}

fn properties(database: &mut Database, omitted: &Omitted) {
    let is_left_out = |levels: &[(&'static str, String)]| match levels {
        [("SCHEMA", schema), (_, name), ..] => {
            let full = format!("{schema}.{name}");
            omitted.objects.values().chain(omitted.kinds.values()).any(|name| *name == full)
        }
        _ => false,
    };
    database.properties.retain(|property| !is_left_out(&property.levels));
}
