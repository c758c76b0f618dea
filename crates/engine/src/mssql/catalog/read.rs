//! Rows of the catalog made into a [`Database`].
//!
//! Promises: everything that tables, columns and modules say of themselves and that is not carried
//! becomes a finding, and what cannot be without it is left out with a finding of its own.

mod detail;
mod property;
mod table;

use std::collections::BTreeMap;

use super::finding::{Finding, Weight};
use super::omit::{self, Omitted};
use super::question::{Answers, Cells, strange};
use super::schema::{
    Alias, Database, Dependency, Kind, Module, ModuleKind, ObjectId, Options, Sequence, Session,
    Synonym, TableKind, Trigger,
};
use super::sys;
use crate::error::{Error, ErrorKind, Result, Side};

/// What is collected on the way.
#[derive(Default)]
struct Notes {
    findings: Vec<Finding>,
    omitted: Omitted,
}

impl Notes {
    fn stops(&mut self, what: &'static str, object: &str, why: &str) {
        self.add(Weight::Stops, what, object, why);
    }

    fn told(&mut self, what: &'static str, object: &str, why: &str) {
        self.add(Weight::Told, what, object, why);
    }

    fn add(&mut self, weight: Weight, what: &'static str, object: &str, why: &str) {
        let (object, why) = (object.to_owned(), why.to_owned());
        self.findings.push(Finding { weight, what, object, why });
    }
}

/// The database without what is left out; findings of what was read here.
pub(super) fn database(answers: &Answers) -> Result<Database> {
    let rows = sys::DATABASE.rows(answers)?;
    let [row] = rows.as_slice() else {
        return Err(strange(format!("the catalog has {} rows for this database", rows.len())));
    };
    let mut notes = Notes::default();
    let name = row.text("name")?;
    let options = options(row, &name, &mut notes)?;
    let mut details = detail::read(answers)?;
    let mut database = Database {
        collation: row.text("collation_name")?,
        compatibility_level: row.int("compatibility_level")?,
        options,
        schemas: schemas(answers, &mut notes)?,
        aliases: Vec::new(),
        table_kinds: Vec::new(),
        sequences: each(sys::SEQUENCES.rows(answers)?, sequence)?,
        tables: Vec::new(),
        modules: Vec::new(),
        triggers: Vec::new(),
        synonyms: each(sys::SYNONYMS.rows(answers)?, synonym)?,
        properties: Vec::new(),
        dependencies: each(sys::DEPENDENCIES.rows(answers)?, dependency)?,
        findings: Vec::new(),
        name,
    };
    kinds(answers, &mut details, &mut database, &mut notes)?;
    database.tables = table::read(answers, &mut details, &mut notes)?;
    database.modules = modules(answers, &mut details, &mut notes)?;
    database.triggers = triggers(answers, &mut notes)?;
    database.properties = property::read(answers, &mut notes)?;
    database.findings = notes.findings;
    omit::apply(&mut database, notes.omitted);
    Ok(database)
}

fn each<'a, T>(rows: Vec<Cells<'a>>, read: impl Fn(&Cells<'a>) -> Result<T>) -> Result<Vec<T>> {
    rows.iter().map(read).collect()
}

/// Options that `ALTER DATABASE … SET` switches, and the catalog's columns that tell them.
const SWITCHES: [(&str, &str); 20] = [
    ("READ_COMMITTED_SNAPSHOT", "is_read_committed_snapshot_on"),
    ("RECURSIVE_TRIGGERS", "is_recursive_triggers_on"),
    ("ANSI_NULL_DEFAULT", "is_ansi_null_default_on"),
    ("ANSI_NULLS", "is_ansi_nulls_on"),
    ("ANSI_PADDING", "is_ansi_padding_on"),
    ("ANSI_WARNINGS", "is_ansi_warnings_on"),
    ("ARITHABORT", "is_arithabort_on"),
    ("CONCAT_NULL_YIELDS_NULL", "is_concat_null_yields_null_on"),
    ("NUMERIC_ROUNDABORT", "is_numeric_roundabort_on"),
    ("QUOTED_IDENTIFIER", "is_quoted_identifier_on"),
    ("CURSOR_CLOSE_ON_COMMIT", "is_cursor_close_on_commit_on"),
    ("AUTO_CLOSE", "is_auto_close_on"),
    ("AUTO_SHRINK", "is_auto_shrink_on"),
    ("AUTO_CREATE_STATISTICS", "is_auto_create_stats_on"),
    ("AUTO_UPDATE_STATISTICS", "is_auto_update_stats_on"),
    ("AUTO_UPDATE_STATISTICS_ASYNC", "is_auto_update_stats_async_on"),
    ("DATE_CORRELATION_OPTIMIZATION", "is_date_correlation_on"),
    ("CURSOR_DEFAULT", "is_local_cursor_default"),
    ("PARAMETERIZATION", "is_parameterization_forced"),
    ("ALLOW_SNAPSHOT_ISOLATION", "snapshot_isolation_state"),
];

/// What is not switched, by the column that tells it.
const TOLD: [(&str, &str, &str); 6] = [
    ("is_trustworthy_on", "TRUSTWORTHY", "is off in the target; only a sysadmin may switch it on"),
    ("is_db_chaining_on", "DB_CHAINING", "is off in the target; only a sysadmin may switch it on"),
    ("is_published", "replication", "is not set up in the target"),
    ("is_cdc_enabled", "change data capture", "is off in the target"),
    ("is_encrypted", "transparent encryption", "is off in the target"),
    ("containment", "containment", "is none in the target"),
];

fn options(row: &Cells<'_>, name: &str, notes: &mut Notes) -> Result<Options> {
    let mut switches = Vec::new();
    for (option, column) in SWITCHES {
        // 1 is on; 2 and 3 are states on the way to it or from it.
        switches.push((option, row.int(column)? == 1));
    }
    for (column, what, why) in TOLD {
        if row.int(column)? != 0 {
            notes.told(what, name, why);
        }
    }
    if row.flag("is_ledger_on")? {
        notes.stops("ledger database", name, "becomes an ordinary database");
    }
    let is_read_only = row.flag("is_read_only")?;
    if is_read_only {
        notes.told("read-only database", name, "takes writes in the target");
    }
    Ok(Options {
        switches,
        page_verify: row.maybe_text("page_verify_option_desc")?.unwrap_or_default(),
        recovery: row.maybe_text("recovery_model_desc")?.unwrap_or_default(),
        delayed_durability: row.int("delayed_durability")?,
        allows_snapshot: row.int("snapshot_isolation_state")? == 1,
        is_read_only,
    })
}

fn schemas(answers: &Answers, notes: &mut Notes) -> Result<Vec<String>> {
    let mut schemas = Vec::new();
    for row in sys::SCHEMAS.rows(answers)? {
        let name = row.text("name")?;
        let owner = row.maybe_text("owner")?.unwrap_or_else(|| "dbo".to_owned());
        if name == "dbo" {
            continue;
        }
        if owner != "dbo" {
            notes.stops("owner of a schema", &name, &format!("{owner} is not; dbo owns it"));
        }
        schemas.push(name);
    }
    Ok(schemas)
}

fn kinds(
    answers: &Answers,
    details: &mut detail::Details,
    database: &mut Database,
    notes: &mut Notes,
) -> Result<()> {
    for row in sys::KINDS.rows(answers)? {
        let (id, schema, name) =
            (row.int("user_type_id")?, row.text("schema_name")?, row.text("name")?);
        let full = format!("{schema}.{name}");
        if row.flag("is_assembly_type")? {
            notes.stops("CLR type", &full, "is not made");
            notes.omitted.kinds.insert(id, full);
        } else if row.flag("is_table_type")? {
            if row.maybe_flag("is_memory_optimized")? {
                notes.stops("memory-optimised table type", &full, "is not made");
                notes.omitted.kinds.insert(id, full);
                continue;
            }
            let table = row.int("table_object_id")?;
            let columns = details.columns.remove(&table).unwrap_or_default();
            let columns = columns.into_iter().map(|found| found.column).collect();
            let indexes = details.indexes.remove(&table).unwrap_or_default().indexes;
            let checks = details.checks.remove(&table).unwrap_or_default();
            database.table_kinds.push(TableKind { id, schema, name, columns, indexes, checks });
        } else {
            if row.int("rule_object_id")? != 0 || row.int("default_object_id")? != 0 {
                notes.stops("rule or default of a type", &full, "is not bound");
            }
            let kind =
                Kind { schema: None, name: row.text("base_name")?, ..kind(&row, "base_name")? };
            let is_nullable = row.flag("is_nullable")?;
            database.aliases.push(Alias { id, schema, name, kind, is_nullable });
        }
    }
    Ok(())
}

/// A type by the columns that most questions have; `base` is the column with the type beneath.
fn kind(row: &Cells<'_>, base: &str) -> Result<Kind> {
    let name = row.maybe_text("type_name").ok().flatten();
    let is_user = row.maybe_flag("type_is_user").unwrap_or(false);
    let base = row.maybe_text(base)?;
    let name = name.or_else(|| base.clone()).unwrap_or_default();
    Ok(Kind {
        schema: if is_user { Some(row.text("type_schema")?) } else { None },
        base: base.unwrap_or_else(|| name.clone()),
        name,
        max_length: row.int("max_length")?,
        precision: row.int("precision")?,
        scale: row.int("scale")?,
    })
}

fn sequence(row: &Cells<'_>) -> Result<Sequence> {
    let name = row.text("type_name")?;
    let is_user = row.flag("type_is_user")?;
    let cache = row.maybe_int("cache_size")?.unwrap_or(0);
    Ok(Sequence {
        schema: row.text("schema_name")?,
        name: row.text("name")?,
        kind: Kind {
            schema: if is_user { Some(row.text("type_schema")?) } else { None },
            base: name.clone(),
            name,
            max_length: 0,
            precision: row.int("precision")?,
            scale: 0,
        },
        start: row.text("start_value")?,
        increment: row.text("increment")?,
        minimum: row.text("minimum_value")?,
        maximum: row.text("maximum_value")?,
        cycles: row.flag("is_cycling")?,
        cache: row.flag("is_cached")?.then_some(cache),
        current: row.text("current_value")?,
        is_used: row.flag("is_used")?,
    })
}

fn synonym(row: &Cells<'_>) -> Result<Synonym> {
    Ok(Synonym {
        id: row.int("object_id")?,
        schema: row.text("schema_name")?,
        name: row.text("name")?,
        stands_for: row.text("base_object_name")?,
    })
}

/// The class of types in `sys.sql_expression_dependencies`.
const TYPE_CLASS: i64 = 6;

fn dependency(row: &Cells<'_>) -> Result<Dependency> {
    Ok(Dependency {
        object: row.int("object_id")?,
        column: row.int("minor_id")?,
        is_schema_bound: row.flag("is_schema_bound")?,
        server: row.maybe_text("server_name")?,
        database: row.maybe_text("database_name")?,
        schema: row.maybe_text("schema_name")?,
        name: row.maybe_text("name")?.unwrap_or_default(),
        referenced: row.maybe_int("referenced_id")?,
        is_kind: row.maybe_int("referenced_class")? == Some(TYPE_CLASS),
    })
}

fn modules(
    answers: &Answers,
    details: &mut detail::Details,
    notes: &mut Notes,
) -> Result<Vec<Module>> {
    let mut modules = Vec::new();
    for row in sys::MODULES.rows(answers)? {
        let (id, schema, name) =
            (row.int("object_id")?, row.text("schema_name")?, row.text("name")?);
        let full = format!("{schema}.{name}");
        let kind = match row.text("type")?.trim_end() {
            "V" => ModuleKind::View,
            "P" => ModuleKind::Procedure,
            "FN" => ModuleKind::ScalarFunction,
            "IF" => ModuleKind::InlineFunction,
            "TF" => ModuleKind::TableFunction,
            _ => return Err(row.wrong("type", "is unknown")),
        };
        let Some(definition) = definition(&row, id, &full, notes)? else { continue };
        if row.flag("is_native")? {
            notes.stops("natively compiled module", &full, "is not made");
            notes.omitted.objects.insert(id, full);
            continue;
        }
        let indexes = details.indexes.remove(&id).unwrap_or_default();
        indexes.note(&full, notes);
        let indexes = indexes.indexes;
        let session = session(&row)?;
        let is_schema_bound = row.flag("is_schema_bound")?;
        modules.push(Module {
            id,
            kind,
            schema,
            name,
            definition,
            session,
            is_schema_bound,
            indexes,
        });
    }
    Ok(modules)
}

/// A module's text; `None` if it is encrypted, which is noted.
fn definition(
    row: &Cells<'_>,
    id: ObjectId,
    full: &str,
    notes: &mut Notes,
) -> Result<Option<String>> {
    if row.maybe_flag("executes_as_user")? {
        notes.stops("module that executes as a user", full, "cannot be made without that user");
        notes.omitted.objects.insert(id, full.to_owned());
        return Ok(None);
    }
    // A text of nothing makes nothing.
    let definition = row.maybe_text("definition")?.filter(|text| !text.trim().is_empty());
    if definition.is_some() {
        return Ok(definition);
    }
    if !row.maybe_flag("is_encrypted")? {
        return Err(unseen(full));
    }
    notes.stops("encrypted module", full, "cannot be read, and is not made");
    notes.omitted.objects.insert(id, full.to_owned());
    Ok(None)
}

/// The catalog hides a definition from who may not see it.
fn unseen(object: &str) -> Error {
    let text =
        format!("the login may not see the definition of {object}: it lacks VIEW DEFINITION");
    Error::new(ErrorKind::Privilege, Side::Source, text)
}

fn session(row: &Cells<'_>) -> Result<Session> {
    Ok(Session {
        ansi_nulls: row.flag("uses_ansi_nulls")?,
        quoted_identifier: row.flag("uses_quoted_identifier")?,
    })
}

fn triggers(answers: &Answers, notes: &mut Notes) -> Result<Vec<Trigger>> {
    let mut orders: BTreeMap<ObjectId, Vec<(String, bool)>> = BTreeMap::new();
    for row in sys::TRIGGER_ORDERS.rows(answers)? {
        let order = (row.text("event")?, row.flag("is_first")?);
        orders.entry(row.int("object_id")?).or_default().push(order);
    }
    let mut triggers = Vec::new();
    for row in sys::TRIGGERS.rows(answers)? {
        let (id, name) = (row.int("object_id")?, row.text("name")?);
        let of_database = row.int("parent_class")? == 0;
        let schema = row.maybe_text("schema_name")?;
        let full = schema.as_ref().map_or(name.clone(), |schema| format!("{schema}.{name}"));
        let Some(definition) = definition(&row, id, &full, notes)? else { continue };
        let parent = match (of_database, schema) {
            (true, _) => None,
            (false, Some(schema)) => Some((schema, row.text("parent_name")?)),
            (false, None) => return Err(row.wrong("schema_name", "is NULL")),
        };
        let (session, is_disabled) = (session(&row)?, row.flag("is_disabled")?);
        let orders = orders.remove(&id).unwrap_or_default();
        triggers.push(Trigger { id, name, parent, definition, session, is_disabled, orders });
    }
    Ok(triggers)
}
