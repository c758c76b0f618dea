//! Findings about databases and objects: what is missing, in the way, or lost.

use dump::index::{Act, Database, Defined, Definition};
use dump::reader::Place;

use super::{Finding, Look, megabytes};
use crate::import::existing::Object;

/// Databases that every server has.
const SYSTEM: [&str; 4] = ["information_schema", "mysql", "performance_schema", "sys"];

pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let mut found = databases(look);
    found.extend(look.index.demands.definitions.iter().filter_map(|one| of_definition(look, one)));
    if !is_unforeseeable(look) {
        found.extend(missing_tables(look));
    }
    found.extend(added_to(look));
    found
}

fn databases(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let needs = &look.index.demands.needs;
    let homeless = needs.iter().find(|need| is_in_database(need.act) && need.schema.is_none());
    match (homeless, look.database) {
        (Some(need), None) => found.push(
            Finding::error("no_database", "no database is selected (error 1046)")
                .line(need.line)
                .fix("name one in the target: mysql://…/DATABASE"),
        ),
        (_, Some(name)) if look.existing.database(name).is_none() => found.push(
            Finding::error("unknown_database", format!("there is no database {name} (error 1049)"))
                .object(name)
                .fix(format!("create it first: CREATE DATABASE `{}`", name.replace('`', "``"))),
        ),
        (_, _) => {}
    }
    found.extend(look.index.databases.iter().filter_map(|database| missing(look, database)));
    found.extend(
        look.index.databases.iter().filter_map(|database| dropped_database(look, database)),
    );
    found
}

fn is_in_database(act: Act) -> bool {
    match act {
        Act::AlterDatabase
        | Act::CreateTable
        | Act::CreateTemporaryTable
        | Act::AlterTable
        | Act::RenameTable
        | Act::DropTable
        | Act::Index
        | Act::Insert
        | Act::Replace
        | Act::CreateView
        | Act::CreateRoutine
        | Act::AlterRoutine
        | Act::CreateTrigger
        | Act::Event => true,
        Act::CreateDatabase
        | Act::DropDatabase
        | Act::ForeignKey
        | Act::LockTables
        | Act::Update
        | Act::Delete
        | Act::CreateFunction
        | Act::CreateUnsafeFunction
        | Act::Account
        | Act::Replication
        | Act::Administration
        | Act::SetGlobal
        | Act::SqlLogBin
        | Act::Files
        | Act::Opaque => false,
    }
}

/// A database that is used before anyone creates it.
fn missing(look: &Look<'_>, database: &Database) -> Option<Finding> {
    let name = &database.name;
    if look.existing.database(name).is_some() || SYSTEM.contains(&name.as_str()) {
        return None;
    }
    let used = database.used_line?;
    if database.created_line.is_some_and(|created| created <= used) {
        return None;
    }
    let text = format!("the file uses the database {name}, which is not there (error 1049)");
    Some(
        Finding::error("unknown_database", text)
            .line(used)
            .object(name)
            .fix(format!("create it first: CREATE DATABASE `{}`", name.replace('`', "``"))),
    )
}

fn dropped_database(look: &Look<'_>, database: &Database) -> Option<Finding> {
    let line = database.dropped_line?;
    let (tables, bytes) = look.existing.dropped.get(&database.name)?;
    let text = format!(
        "the file drops the database {} with its {tables} tables ({})",
        database.name,
        megabytes(*bytes)
    );
    let finding = Finding::warning("database_dropped", text).line(line).object(&database.name);
    Some(finding.fix("make sure that nothing in it is lost: a dump of it first"))
}

/// What becomes of what is there under a name that the file creates or drops.
fn of_definition(look: &Look<'_>, definition: &Definition) -> Option<Finding> {
    if definition.kind == Defined::Database {
        return of_database(look, definition);
    }
    let schema = look.schema(&definition.schema)?;
    let name = format!("{schema}.{}", definition.name);
    let there = there(look, definition, schema);
    let Some(object) = there else { return missing_object(look, definition, schema, &name) };
    let drop = dropped(look, definition, object, schema);
    let dropped_first = match (drop, definition.created) {
        (Some(drop), Some(create)) => drop < create,
        (Some(_), None) => true,
        (None, _) => false,
    };
    if dropped_first || definition.or_replace {
        let is_own = definition.kind == object.kind;
        let line = drop.filter(|_| dropped_first).or(definition.created);
        return is_own.then(|| lost(object, &name, line.map(|place| place.line)));
    }
    let line = definition.created?.line;
    Some(match definition.if_not_exists {
        true => kept(object, &name).line(line).object(name),
        false => collides(object, &name).line(line).object(name),
    })
}

fn of_database(look: &Look<'_>, definition: &Definition) -> Option<Finding> {
    let name = &definition.name;
    let exists = look.existing.database(name).is_some();
    match (exists, definition.created, definition.dropped) {
        (true, Some(create), drop)
            if !definition.if_not_exists
                && !definition.or_replace
                && drop.is_none_or(|drop| drop > create) =>
        {
            let text = format!("the database {name} is there already (error 1007)");
            let fix = "drop it first, or take its CREATE DATABASE out of the file";
            Some(Finding::error("database_exists", text).line(create.line).object(name).fix(fix))
        }
        (false, create, Some(drop))
            if !definition.if_exists && create.is_none_or(|create| create > drop) =>
        {
            let text =
                format!("the file drops the database {name}, which is not there (error 1008)");
            Some(Finding::error("unknown_database", text).line(drop.line).object(name))
        }
        _ => None,
    }
}

/// What is there under the name; tables, views and sequences share theirs.
fn there<'a>(look: &Look<'a>, definition: &Definition, schema: &str) -> Option<&'a Object> {
    match definition.kind {
        Defined::Table | Defined::View | Defined::Sequence => {
            look.existing.table(schema, &definition.name)
        }
        kind => look.existing.object(kind, schema, &definition.name),
    }
}

/// Where the file drops what is there: by a statement of its kind, or with its database, or, for a
/// trigger, with its table.
fn dropped(
    look: &Look<'_>,
    definition: &Definition,
    object: &Object,
    schema: &str,
) -> Option<Place> {
    let all = &look.index.demands.definitions;
    let of_schema = |kind: Defined| {
        all.iter()
            .filter(move |other| other.kind == kind && look.schema(&other.schema) == Some(schema))
    };
    let with_database = all
        .iter()
        .find(|other| other.kind == Defined::Database && other.name == schema)
        .and_then(|database| database.dropped);
    let own = match definition.kind == object.kind {
        true => definition.dropped,
        false => of_schema(object.kind)
            .find(|other| other.name == definition.name)
            .and_then(|other| other.dropped),
    };
    // Which table a trigger goes with is not in the index: any that is dropped is believed.
    let with_table = (object.kind == Defined::Trigger)
        .then(|| of_schema(Defined::Table).filter_map(|other| other.dropped).min())
        .flatten();
    [own, with_database, with_table].into_iter().flatten().min()
}

fn lost(object: &Object, name: &str, line: Option<u64>) -> Finding {
    let finding = match &object.table {
        Some(table) => {
            let rows = match table.rows {
                Some(0) => "as good as empty".to_owned(),
                Some(rows) => format!("about {rows} rows"),
                None => "rows unknown".to_owned(),
            };
            let size = table.bytes.map(|bytes| format!(", {}", megabytes(bytes)));
            let size = size.unwrap_or_default();
            let text = format!("the file drops the table {name} ({rows}{size})");
            Finding::warning("table_dropped", text).fix("make sure that nothing in it is lost")
        }
        None => {
            let text = format!("the file replaces the {} {name}", word(object.kind));
            Finding::info("object_replaced", text)
        }
    };
    Finding { line, ..finding }.object(name)
}

fn kept(object: &Object, name: &str) -> Finding {
    let kind = word(object.kind);
    let text = format!(
        "the {kind} {name} is there already and stays as it is: the file says IF NOT EXISTS"
    );
    match object.kind {
        Defined::Table => Finding::warning("table_kept", text)
            .fix("rows of the file are added to those that are there; drop it first otherwise"),
        _ => Finding::info("object_kept", text),
    }
}

fn collides(object: &Object, name: &str) -> Finding {
    let code = match object.kind {
        Defined::Procedure | Defined::Function | Defined::Package => 1304,
        Defined::Trigger => 1359,
        Defined::Event => 1537,
        Defined::Database | Defined::Table | Defined::View | Defined::Sequence => 1050,
    };
    let text = format!(
        "the {} {name} is there already, and the file creates it without dropping it first (error \
         {code})",
        word(object.kind)
    );
    Finding::error("object_exists", text).fix("drop it first, or import into another database")
}

fn word(kind: Defined) -> &'static str {
    match kind {
        Defined::Database => "database",
        Defined::Table => "table",
        Defined::View => "view",
        Defined::Sequence => "sequence",
        Defined::Procedure => "procedure",
        Defined::Function => "function",
        Defined::Package => "package",
        Defined::Trigger => "trigger",
        Defined::Event => "event",
    }
}

/// A drop without IF EXISTS of what is not there.
fn missing_object(
    look: &Look<'_>,
    definition: &Definition,
    schema: &str,
    name: &str,
) -> Option<Finding> {
    let drop = definition.dropped.filter(|_| !definition.if_exists)?;
    let is_made_before = definition.created.is_some_and(|created| created < drop);
    if is_made_before || is_unforeseeable(look) || SYSTEM.contains(&schema) {
        return None;
    }
    let text = format!(
        "the file drops the {} {name}, which is not there (error 1051 or the like)",
        word(definition.kind)
    );
    Some(Finding::error("object_missing", text).line(drop.line).object(name))
}

/// Statements that may create tables out of sight.
fn is_unforeseeable(look: &Look<'_>) -> bool {
    look.first(Act::RenameTable).is_some()
        || look.first(Act::Opaque).is_some()
        || look.index.unlisted > 0
        || look.existing.unseen_databases > 0
}

/// Tables that get rows and are neither there nor created by the file.
fn missing_tables(look: &Look<'_>) -> Vec<Finding> {
    let is_made = |schema: &str, name: &str| {
        look.index.demands.definitions.iter().any(|definition| {
            definition.created.is_some()
                && definition.name.eq_ignore_ascii_case(name)
                && look.schema(&definition.schema).is_some_and(|s| s.eq_ignore_ascii_case(schema))
        })
    };
    let tables =
        look.index.tables.iter().filter(|table| {
            table.statements > 0 && table.defined_line.is_none() && !table.temporary
        });
    let missing = tables.filter_map(|table| {
        let schema = look.schema(&table.schema)?;
        let has_database = look.existing.database(schema).is_some()
            || look.index.databases.iter().any(|d| d.name == schema && d.created_line.is_some());
        let is_known = SYSTEM.contains(&schema)
            || look.existing.table(schema, &table.name).is_some()
            || is_made(schema, &table.name);
        // Without its database the whole of it is reported, once.
        (has_database && !is_known).then(|| {
            let name = format!("{schema}.{}", table.name);
            let text = format!("rows for the table {name}, which is not there (error 1146)");
            let fix = "import a dump of the definitions first";
            Finding::error("unknown_table", text).line(table.first_line).object(name).fix(fix)
        })
    });
    missing.collect()
}

/// Tables that are there, stay, and get the file's rows.
fn added_to(look: &Look<'_>) -> Vec<Finding> {
    let tables = look
        .index
        .tables
        .iter()
        .filter(|table| table.rows > 0 && table.defined_line.is_none() && !table.temporary);
    let added = tables.filter_map(|table| {
        let schema = look.schema(&table.schema)?;
        let there = look.existing.table(schema, &table.name)?.table.as_ref()?;
        let rows = there.rows.filter(|rows| *rows > 0)?;
        let name = format!("{schema}.{}", table.name);
        let text = format!("rows are added to the table {name}, which has about {rows} already");
        Some(Finding::info("rows_added", text).line(table.first_line).object(name))
    });
    added.collect()
}
