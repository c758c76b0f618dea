//! A walk along a table's key, which cuts it into chunks.
//!
//! Promises: the chunks of a table hold every row exactly once, whatever the key's type, order and
//! gaps, because each bound is a value that the source itself gave in the order of the key, and both
//! neighbours use the same one. Bounds are found by walking along the key, which reads no rows twice
//! and needs no statistics to be right; statistics only decide how far a step goes.

use super::table::{Bound, Column, Table};
use crate::copy::chunk::Chunk;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::indexes::deferral::identifier;
use crate::mysql::conn::Conn;

/// The fewest rows of a step, where statistics say that rows are huge.
const STEP_ROWS_MIN: u64 = 100;
/// The most rows of a step, where statistics say that rows are tiny, or nothing.
const STEP_ROWS_MAX: u64 = 2_000_000;

/// Walks along a table's key.
#[derive(Debug)]
pub struct Walk {
    key: Option<(String, Vec<(Column, Bound)>)>,
    step: u64,
    number: usize,
    lower: Option<Vec<String>>,
    is_over: bool,
}

impl Walk {
    /// At the table's start. Tables that a key cannot cut, or need not, are one chunk.
    pub fn new(table: &Table, chunk_bytes: u64) -> Walk {
        let rows = table.rows_estimated.max(1);
        let row_bytes = (table.bytes_estimated / rows).max(1);
        let step = (chunk_bytes / row_bytes).clamp(STEP_ROWS_MIN.min(chunk_bytes), STEP_ROWS_MAX);
        // History has several rows of one key.
        let can_cut = table.bytes_estimated > chunk_bytes && !table.history;
        let key = table.chunk_key().filter(|_| can_cut).map(|(key, bounds)| {
            let bounds = bounds.into_iter().map(|(column, bound)| (column.clone(), bound));
            (key.name.clone(), bounds.collect())
        });
        Walk { key, step, number: 0, lower: None, is_over: false }
    }

    /// The next chunk of that table, of that database of the source. `conn` is a reader of the snapshot;
    /// without one the rest is one chunk.
    pub async fn next(
        &mut self,
        (schema, table): (&str, &Table),
        conn: Option<&mut Conn>,
    ) -> Result<Option<Chunk>> {
        if self.is_over {
            return Ok(None);
        }
        let (Some((key, columns)), Some(conn)) = (&self.key, conn) else {
            self.is_over = true;
            return Ok(Some(Chunk::whole()));
        };
        let upper = bound_after(conn, (schema, table), (key, columns), &self.lower, self.step);
        let upper = upper.await?;
        let above = self.lower.as_ref().map(|bound| above(columns, bound));
        let upto = upper.as_ref().map(|bound| up_to(columns, bound));
        let condition = match (above, upto) {
            (None, None) => None,
            (Some(one), None) | (None, Some(one)) => Some(one),
            (Some(above), Some(upto)) => Some(format!("{above} AND {upto}")),
        };
        let chunk = Chunk { number: self.number, condition, key: Some(key.clone()) };
        self.number += 1;
        self.is_over = upper.is_none();
        self.lower = upper;
        Ok(Some(chunk))
    }
}

/// The key of the row that lies `step` rows after `lower`; `None` if there are not so many.
async fn bound_after(
    conn: &mut Conn,
    (schema, table): (&str, &Table),
    (key, columns): (&str, &[(Column, Bound)]),
    lower: &Option<Vec<String>>,
    step: u64,
) -> Result<Option<Vec<String>>> {
    let read: Vec<String> = columns.iter().map(|(column, bound)| asked(column, bound)).collect();
    let order: Vec<String> = columns.iter().map(|(column, _)| identifier(&column.name)).collect();
    let filter = lower.as_ref().map(|bound| format!(" WHERE {}", above(columns, bound)));
    let sql = format!(
        "SELECT {} FROM {}{} ORDER BY {} LIMIT {step}, 1",
        read.join(", "),
        table.from(schema, Some(key)),
        filter.unwrap_or_default(),
        order.join(", ")
    );
    let rows = conn.rows(&sql).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let literals = row.into_iter().zip(columns).map(|(cell, (_, bound))| {
        let cell = cell.ok_or_else(|| {
            Error::new(ErrorKind::Internal, Side::Source, "a key without NULLs gave a NULL")
        })?;
        Ok(literal(&cell, bound))
    });
    literals.collect::<Result<Vec<String>>>().map(Some)
}

/// The expression that tells a key's value.
fn asked(column: &Column, bound: &Bound) -> String {
    let name = identifier(&column.name);
    match bound {
        Bound::Number | Bound::Word => name,
        Bound::Ordinal => format!("{name} + 0"),
        Bound::Binary | Bound::Text(..) => format!("HEX({name})"),
    }
}

/// The literal of what [`asked`] told.
fn literal(told: &str, bound: &Bound) -> String {
    match bound {
        Bound::Number | Bound::Ordinal => told.to_owned(),
        Bound::Word => format!("'{told}'"),
        Bound::Binary => format!("X'{told}'"),
        Bound::Text(charset, collation) => format!("_{charset} X'{told}' COLLATE {collation}"),
    }
}

/// Rows after this key.
fn above(columns: &[(Column, Bound)], bound: &[String]) -> String {
    compared(columns, bound, ">", ">")
}

/// Rows up to this key, with it.
fn up_to(columns: &[(Column, Bound)], bound: &[String]) -> String {
    compared(columns, bound, "<", "<=")
}

/// `(a, b) > (x, y)` in the form that servers look up in an index.
fn compared(columns: &[(Column, Bound)], bound: &[String], strict: &str, last: &str) -> String {
    let name = |index: usize| identifier(&columns[index].0.name);
    let end = bound.len() - 1;
    let mut text = format!("{} {last} {}", name(end), bound[end]);
    for index in (0..end).rev() {
        let (name, value) = (name(index), &bound[index]);
        text = format!("{name} {strict}= {value} AND ({name} {strict} {value} OR {text})");
    }
    format!("({text})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str) -> Column {
        Column {
            name: name.to_owned(),
            data_type: "int".to_owned(),
            charset: None,
            collation: None,
            nullable: false,
            generated: false,
            column_type: "int".to_owned(),
        }
    }

    #[test]
    fn keys_are_compared_column_by_column() {
        let (a, b) = (column("a"), column("b`"));
        let columns = [(a, Bound::Number), (b, Bound::Number)];
        let bound = ["5".to_owned(), "7".to_owned()];
        assert_eq!(above(&columns, &bound), "(`a` >= 5 AND (`a` > 5 OR `b``` > 7))");
        assert_eq!(up_to(&columns, &bound), "(`a` <= 5 AND (`a` < 5 OR `b``` <= 7))");
    }

    #[test]
    fn text_is_bound_in_its_own_order() {
        let bound = Bound::Text("latin1".to_owned(), "latin1_bin".to_owned());
        assert_eq!(literal("41FF", &bound), "_latin1 X'41FF' COLLATE latin1_bin");
        assert_eq!(literal("03", &Bound::Binary), "X'03'");
    }
}
