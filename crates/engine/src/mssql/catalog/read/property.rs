//! Extended properties, with the path of names that leads to what they hang on.
//!
//! Promises: a property whose place has no name for `sp_addextendedproperty` is found, not dropped.

use super::Notes;
use crate::error::Result;
use crate::mssql::catalog::question::{Answers, Cells};
use crate::mssql::catalog::schema::Property;
use crate::mssql::catalog::sys;
use crate::mssql::name::literal;

type Levels = Vec<(&'static str, String)>;

pub(super) fn read(answers: &Answers, notes: &mut Notes) -> Result<Vec<Property>> {
    let mut properties = Vec::new();
    for row in sys::PROPERTIES.rows(answers)? {
        let name = row.text("name")?;
        match levels(&row)? {
            Some(levels) => properties.push(Property { name, value: value(&row)?, levels }),
            None => {
                let object = format!("{name} of {}", row.text("class_desc")?.to_lowercase());
                notes.stops("extended property", &object, "hangs on something that is not carried");
            }
        }
    }
    Ok(properties)
}

fn levels(row: &Cells<'_>) -> Result<Option<Levels>> {
    let schema = row.maybe_text("schema_name")?.map(|name| ("SCHEMA", name));
    let levels = match (row.int("class")?, schema) {
        (0, _) => Some(Vec::new()),
        (1, None) => row.maybe_text("trigger_name")?.map(|name| vec![("TRIGGER", name)]),
        (1, Some(schema)) => of_object(row, schema)?,
        (2, Some(schema)) => inside(row, schema, "PARAMETER", "parameter_name")?,
        (3, Some(schema)) => Some(vec![schema]),
        (6, Some(schema)) => row.maybe_text("type_name")?.map(|name| vec![schema, ("TYPE", name)]),
        (7, Some(schema)) => inside(row, schema, "INDEX", "index_name")?,
        (8, Some(schema)) => {
            let (kind, column) = (row.maybe_text("type_name")?, row.maybe_text("column_name")?);
            kind.zip(column)
                .map(|(kind, column)| vec![schema, ("TABLE_TYPE", kind), ("COLUMN", column)])
        }
        _ => None,
    };
    Ok(levels)
}

/// An object of a schema, a column of it, or something that belongs to a table.
fn of_object(row: &Cells<'_>, schema: (&'static str, String)) -> Result<Option<Levels>> {
    if row.int("minor_id")? > 0 {
        return inside(row, schema, "COLUMN", "column_name");
    }
    let Some(name) = row.maybe_text("object_name")? else { return Ok(None) };
    let kind = row.maybe_text("type")?.unwrap_or_default();
    if let Some(word) = word(kind.trim_end()) {
        return Ok(Some(vec![schema, (word, name)]));
    }
    let inner = match kind.trim_end() {
        "TR" => "TRIGGER",
        "C" | "D" | "F" | "PK" | "UQ" => "CONSTRAINT",
        _ => return Ok(None),
    };
    let parent_kind = row.maybe_text("parent_type")?.unwrap_or_default();
    let parent = row.maybe_text("parent_name")?.zip(word(parent_kind.trim_end()));
    Ok(parent.map(|(parent, word)| vec![schema, (word, parent), (inner, name)]))
}

fn inside(
    row: &Cells<'_>,
    schema: (&'static str, String),
    what: &'static str,
    column: &str,
) -> Result<Option<Levels>> {
    let kind = row.maybe_text("type")?.unwrap_or_default();
    let object = word(kind.trim_end()).zip(row.maybe_text("object_name")?);
    let inner = row.maybe_text(column)?;
    Ok(object.zip(inner).map(|(object, inner)| vec![schema, object, (what, inner)]))
}

fn word(kind: &str) -> Option<&'static str> {
    match kind {
        "U" => Some("TABLE"),
        "V" => Some("VIEW"),
        "P" => Some("PROCEDURE"),
        "FN" | "IF" | "TF" => Some("FUNCTION"),
        "SO" => Some("SEQUENCE"),
        "SN" => Some("SYNONYM"),
        _ => None,
    }
}

/// The value as an expression of its own type.
fn value(row: &Cells<'_>) -> Result<String> {
    let Some(value) = row.maybe_text("value")? else { return Ok("NULL".to_owned()) };
    let base = row.maybe_text("base_type")?.unwrap_or_default();
    let length = row.maybe_int("max_length")?.unwrap_or(0).max(1);
    let (precision, scale) =
        (row.maybe_int("precision")?.unwrap_or(0), row.maybe_int("scale")?.unwrap_or(0));
    let kind = match base.as_str() {
        "nvarchar" | "nchar" => format!("{base}({})", length.div_euclid(2).max(1)),
        "varchar" | "char" | "varbinary" | "binary" => format!("{base}({length})"),
        "decimal" | "numeric" => format!("{base}({precision}, {scale})"),
        "time" | "datetime2" | "datetimeoffset" => format!("{base}({scale})"),
        _ => base.clone(),
    };
    Ok(match base.as_str() {
        "nvarchar" => literal(&value),
        // Style 1 reads what style 1 wrote.
        "varbinary" | "binary" => format!("CONVERT({kind}, {}, 1)", literal(&value)),
        "datetime" | "smalldatetime" => {
            // These read seven digits of a second by way of a type that has them.
            format!("CONVERT({kind}, CONVERT(datetime2(7), {}, 126))", literal(&value))
        }
        "datetime2" | "date" => format!("CONVERT({kind}, {}, 126)", literal(&value)),
        _ => format!("CAST({} AS {kind})", literal(&value)),
    })
}
