//! Doubts: what a dead import may or may not have done after its last position.
//!
//! Written down before a statement that cannot share a transaction with the position, settled by
//! whoever resumes, by looking at the target. A doubt holds names, counts and digests, no values.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::import::table::literal;
use crate::mysql::conn::Conn;

/// What stands between the position and certainty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Doubt {
    /// Something is created that was not there before: it is in if it is there now.
    Created {
        /// What is created.
        kind: ObjectKind,
        /// Its schema.
        schema: String,
        /// Its name; for a schema, the schema's.
        name: String,
    },
    /// Can be executed again; these errors of the server mean that it was in already.
    Again {
        /// Error codes.
        codes: Vec<u32>,
    },
    /// A table's definition changes: it is in if the definition is no longer what it was.
    Altered {
        /// The table's schema.
        schema: String,
        /// The table.
        table: String,
        /// [`definition`] before.
        before: String,
        /// The same with the keys that it waited for then: they may be built before anybody looks.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        whole: Option<String>,
    },
    /// INSERTs into a table that knows no transactions: as many are in as it has more rows.
    Rows {
        /// The table's schema.
        schema: String,
        /// The table.
        table: String,
        /// Its rows before.
        before: u64,
    },
    /// Nothing tells whether it is in.
    Unknown,
}

/// What can be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectKind {
    /// A database.
    Schema,
    /// A table or sequence.
    Table,
    /// A view.
    View,
    /// A procedure or function.
    Routine,
    /// A trigger.
    Trigger,
    /// An event.
    Event,
}

/// What becomes of the first statement after the position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settled {
    /// It is in: leave it out.
    pub skip: bool,
    /// These errors of the server mean that it is in.
    pub tolerate: Vec<u32>,
    /// Rows of the INSERTs from there on that are in.
    pub rows: u64,
    /// The name of their table.
    pub table: Option<String>,
}

impl Doubt {
    /// As it stands in the ledger.
    pub fn to_text(&self) -> String {
        // A value of this shape always has a text.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads [`Doubt::to_text`].
    pub fn of_text(text: &str) -> Option<Doubt> {
        serde_json::from_str(text).ok()
    }

    /// Looks at the target; `None` if that cannot settle it.
    pub async fn settle(&self, conn: &mut Conn) -> Result<Option<Settled>> {
        Ok(match self {
            Doubt::Created { kind, schema, name } => {
                let skip = exists(conn, *kind, schema, name).await?;
                Some(Settled { skip, ..Settled::default() })
            }
            Doubt::Again { codes } => {
                Some(Settled { tolerate: codes.clone(), ..Settled::default() })
            }
            Doubt::Altered { schema, table, before, whole } => {
                let now = definition(conn, schema, table).await?;
                let skip = now != *before && Some(now) != *whole;
                Some(Settled { skip, ..Settled::default() })
            }
            Doubt::Rows { schema, table, before } => {
                let now = rows(conn, schema, table).await?;
                let table = Some(table.clone());
                now.checked_sub(*before).map(|rows| Settled { rows, table, ..Settled::default() })
            }
            Doubt::Unknown => None,
        })
    }
}

/// Whether an object is there.
pub async fn exists(conn: &mut Conn, kind: ObjectKind, schema: &str, name: &str) -> Result<bool> {
    let (view, of_schema, of_name) = match kind {
        ObjectKind::Schema => ("SCHEMATA", "SCHEMA_NAME", "SCHEMA_NAME"),
        ObjectKind::Table | ObjectKind::View => ("TABLES", "TABLE_SCHEMA", "TABLE_NAME"),
        ObjectKind::Routine => ("ROUTINES", "ROUTINE_SCHEMA", "ROUTINE_NAME"),
        ObjectKind::Trigger => ("TRIGGERS", "TRIGGER_SCHEMA", "TRIGGER_NAME"),
        ObjectKind::Event => ("EVENTS", "EVENT_SCHEMA", "EVENT_NAME"),
    };
    let query = format!(
        "SELECT 1 FROM information_schema.{view} WHERE {of_schema} = {} AND {of_name} = {} LIMIT 1",
        literal(schema),
        literal(name)
    );
    Ok(conn.scalar(&query).await?.is_some())
}

/// A digest of `SHOW CREATE TABLE` without the AUTO_INCREMENT counter; empty if there is no table.
pub async fn definition(conn: &mut Conn, schema: &str, table: &str) -> Result<String> {
    let text = definition_text(conn, schema, table).await?;
    Ok(text.map_or_else(String::new, |text| digest(&text)))
}

/// [`definition`] of a `SHOW CREATE TABLE`.
pub fn digest(text: &str) -> String {
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(without_counter(text).as_bytes()))
}

/// `SHOW CREATE TABLE`; nothing if there is no table.
pub async fn definition_text(conn: &mut Conn, schema: &str, table: &str) -> Result<Option<String>> {
    const NO_SUCH_TABLE: [u32; 2] = [1146, 1049];
    let quote = |name: &str| name.replace('`', "``");
    let query = format!("SHOW CREATE TABLE `{}`.`{}`", quote(schema), quote(table));
    match conn.rows(&query).await {
        Ok(rows) => Ok(rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten()),
        Err(error) if error.code().is_some_and(|code| NO_SUCH_TABLE.contains(&code)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn without_counter(text: &str) -> String {
    match text.rfind(" AUTO_INCREMENT=") {
        Some(start) => {
            let rest = &text[start + " AUTO_INCREMENT=".len()..];
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            format!("{}{}", &text[..start], &rest[digits..])
        }
        None => text.to_owned(),
    }
}

/// `COUNT(*)` of a table.
pub async fn rows(conn: &mut Conn, schema: &str, table: &str) -> Result<u64> {
    let quote = |name: &str| name.replace('`', "``");
    let query = format!("SELECT COUNT(*) FROM `{}`.`{}`", quote(schema), quote(table));
    Ok(conn.scalar(&query).await?.and_then(|count| count.parse().ok()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_doubt_reads_as_it_was_written() {
        let doubts = [
            Doubt::Created { kind: ObjectKind::View, schema: "d".into(), name: "v'\"`".into() },
            Doubt::Again { codes: vec![1051, 1305] },
            Doubt::Altered {
                schema: "d".into(),
                table: "ü".into(),
                before: "00ff".into(),
                whole: None,
            },
            Doubt::Altered {
                schema: "d".into(),
                table: "t".into(),
                before: "00".into(),
                whole: Some("ff".into()),
            },
            Doubt::Rows { schema: "d".into(), table: "t".into(), before: u64::MAX },
            Doubt::Unknown,
        ];
        for doubt in doubts {
            assert_eq!(Doubt::of_text(&doubt.to_text()), Some(doubt));
        }
        assert_eq!(Doubt::of_text("{\"what\":\"something new\"}"), None);
    }

    #[test]
    fn the_counter_is_no_part_of_a_definition() {
        let text = ") ENGINE=InnoDB AUTO_INCREMENT=12 DEFAULT CHARSET=utf8mb4";
        assert_eq!(without_counter(text), ") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4");
        assert_eq!(without_counter(") ENGINE=InnoDB"), ") ENGINE=InnoDB");
    }
}
