//! Modules, triggers, synonyms and extended properties as T-SQL.
//!
//! Promises: a module's text is its author's, but for the name in its head and the names of renamed
//! databases; it is made under the settings that its author had.

use super::header::{Title, titled};
use super::rename::{Doubt, Renames, rewrite};
use crate::mssql::catalog::schema::{Module, Property, Session, Synonym, Trigger};
use crate::mssql::name::{literal, qualified, quoted};

/// A module's text for the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// The statement.
    pub sql: String,
    /// It names a database of the job.
    pub names_database: bool,
    /// What was left as it is.
    pub doubts: Vec<Doubt>,
    /// Its head is not one that we know; it is left as it is.
    pub is_strange: bool,
}

/// The statement that makes a view, function or procedure.
pub fn module(module: &Module, schemas: &[String], renames: &Renames) -> Text {
    let title = Title { schema: Some(&module.schema), name: &module.name, parent: None };
    text(&module.definition, module.session, title, schemas, renames)
}

/// The statement that makes a trigger.
pub fn trigger(trigger: &Trigger, schemas: &[String], renames: &Renames) -> Text {
    let parent = trigger.parent.as_ref().map(|(schema, name)| (schema.as_str(), name.as_str()));
    let title = Title { schema: parent.map(|(schema, _)| schema), name: &trigger.name, parent };
    text(&trigger.definition, trigger.session, title, schemas, renames)
}

fn text(
    definition: &str,
    session: Session,
    title: Title<'_>,
    schemas: &[String],
    renames: &Renames,
) -> Text {
    // Places are those of the text that its author knows, so doubts come before the head is changed.
    let doubts = rewrite(definition, session.quoted_identifier, schemas, renames).doubts;
    let with_title = titled(definition, session.quoted_identifier, title);
    let is_strange = with_title.is_none();
    let with_title = with_title.unwrap_or_else(|| definition.to_owned());
    let found = rewrite(&with_title, session.quoted_identifier, schemas, renames);
    Text { sql: found.text, names_database: found.names > 0, doubts, is_strange }
}

/// Statements that give a trigger its place and switch it off, as far as it is so.
pub fn trigger_state(trigger: &Trigger) -> Vec<String> {
    let name = match &trigger.parent {
        Some((schema, _)) => qualified(schema, &trigger.name),
        None => quoted(&trigger.name),
    };
    let of_database = if trigger.parent.is_none() { ", @namespace = 'DATABASE'" } else { "" };
    let mut statements = Vec::new();
    for (event, is_first) in &trigger.orders {
        let order = if *is_first { "First" } else { "Last" };
        statements.push(format!(
            "EXEC sys.sp_settriggerorder @triggername = {}, @order = '{order}', @stmttype = \
             {}{of_database}",
            literal(&name),
            literal(event)
        ));
    }
    if trigger.is_disabled {
        let on = match &trigger.parent {
            Some((schema, parent)) => qualified(schema, parent),
            None => "DATABASE".to_owned(),
        };
        statements.push(format!("DISABLE TRIGGER {name} ON {on}"));
    }
    statements
}

/// The statement that makes a synonym, which may be made before what it stands for.
pub fn synonym(synonym: &Synonym, renames: &Renames) -> Text {
    let name = qualified(&synonym.schema, &synonym.name);
    // A synonym stands for an object: with three parts the first is a database for certain.
    let head = format!("CREATE SYNONYM {name} FOR ");
    let found = rewrite(&format!("FOR {}", synonym.stands_for), true, &[], renames);
    let stands_for = found.text.strip_prefix("FOR ").unwrap_or(&synonym.stands_for);
    Text {
        sql: format!("{head}{stands_for}"),
        names_database: found.names > 0,
        doubts: found.doubts,
        is_strange: false,
    }
}

/// The statement that adds an extended property.
pub fn property(property: &Property) -> String {
    let mut sql = format!(
        "DECLARE @value sql_variant = {};\nEXEC sys.sp_addextendedproperty @name = {}, @value = @value",
        property.value,
        literal(&property.name)
    );
    for (at, (kind, name)) in property.levels.iter().enumerate() {
        let (kind, name) = (literal(kind), literal(name));
        sql.push_str(&format!(", @level{at}type = {kind}, @level{at}name = {name}"));
    }
    sql
}
