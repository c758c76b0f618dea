//! AUTO_INCREMENT counters, kept beside the position: a server does not take numbers back with the
//! transaction that used them, so whoever resumes sets the counter to what it was.
//!
//! A counter is written down before the server numbers rows, with the place of the statement that
//! makes it do so. It says something only as long as the position has not moved beyond that place:
//! afterwards the numbers are those of rows that are in. Tables that know no transactions need none:
//! their rows stay as their counters do.
//!
//! For rows that it cannot count beforehand a server reserves more numbers than it uses, and forgets those
//! when it dies. So the counter after such rows is kept as well, together with the position behind them.

use dump::values::Given;

use super::{Ledger, hex, judged, unreadable};
use crate::error::Result;
use crate::import::session::from_hex;
use crate::import::table::literal;
use crate::mysql::conn::Conn;

/// Tables of one database whose counters are kept for a statement that fires triggers.
pub const COUNTERS_MAX: usize = 1_000;

/// What a table numbers next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The table's database.
    pub schema: String,
    /// The table.
    pub table: String,
    /// The next value.
    pub next: u64,
}

/// The column of a table that the server numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// Its name.
    pub column: String,
    /// Its place among the columns that an INSERT without a column list gives; `None` if it is
    /// invisible.
    pub position: Option<usize>,
}

impl Numbered {
    /// Whether rows of literals with this column list, which give these things, may be numbered.
    /// A zero counts: the session says whether it is a value.
    pub fn is_left_to_server(&self, columns: Option<&[Vec<u8>]>, given: &[Given]) -> bool {
        self.given(columns, given).is_none_or(|given| given.nothing || given.zero)
    }

    /// Whether such rows give nothing at all, so that the server numbers each of them.
    pub fn is_left_out(&self, columns: Option<&[Vec<u8>]>, given: &[Given]) -> bool {
        self.given(columns, given).is_none()
    }

    fn given<'a>(&self, columns: Option<&[Vec<u8>]>, given: &'a [Given]) -> Option<&'a Given> {
        let named = |name: &Vec<u8>| name.eq_ignore_ascii_case(self.column.as_bytes());
        let position = match columns {
            Some(columns) => columns.iter().position(named),
            None => self.position,
        };
        given.get(position?)
    }
}

/// The numbered column of a table, if it has one.
pub async fn numbered(conn: &mut Conn, schema: &str, table: &str) -> Result<Option<Numbered>> {
    let query = format!(
        "SELECT COLUMN_NAME, EXTRA FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {} AND \
         TABLE_NAME = {} ORDER BY ORDINAL_POSITION",
        literal(schema),
        literal(table)
    );
    let mut visible = 0;
    for row in conn.rows(&query).await? {
        let cell = |index: usize| row.get(index).cloned().flatten().unwrap_or_default();
        let extra = cell(1).to_ascii_lowercase();
        let is_visible = !extra.contains("invisible");
        if extra.contains("auto_increment") {
            let position = is_visible.then_some(visible);
            return Ok(Some(Numbered { column: cell(0), position }));
        }
        visible += usize::from(is_visible);
    }
    Ok(None)
}

/// What a table with a numbered column numbers next.
pub async fn next(conn: &mut Conn, schema: &str, table: &str) -> Result<u64> {
    let query = format!(
        "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = {} AND \
         TABLE_NAME = {}",
        literal(schema),
        literal(table)
    );
    Ok(value(conn.scalar(&query).await?))
}

/// The counters of all tables of a database, up to [`COUNTERS_MAX`].
pub async fn of_schema(conn: &mut Conn, schema: &str) -> Result<Vec<Counter>> {
    let query = format!(
        "SELECT T.TABLE_NAME, T.AUTO_INCREMENT FROM information_schema.TABLES T JOIN \
         information_schema.COLUMNS C ON C.TABLE_SCHEMA = T.TABLE_SCHEMA AND C.TABLE_NAME = \
         T.TABLE_NAME WHERE T.TABLE_SCHEMA = {} AND C.TABLE_SCHEMA = {} AND T.ENGINE = 'InnoDB' AND \
         C.EXTRA LIKE '%auto_increment%' LIMIT {COUNTERS_MAX}",
        literal(schema),
        literal(schema)
    );
    let rows = conn.rows(&query).await?;
    let counters = rows.into_iter().filter_map(|row| {
        let mut cells = row.into_iter();
        let (schema, table) = (schema.to_owned(), cells.next()??);
        Some(Counter { schema, table, next: value(cells.next().flatten()) })
    });
    Ok(counters.collect())
}

/// MySQL gives NULL for a table that never had a row.
fn value(text: Option<String>) -> u64 {
    text.and_then(|number| number.parse().ok()).unwrap_or(1)
}

impl Ledger {
    /// Keeps counters as they are before the statement at byte `at`; fails if the import is
    /// another's now. Locks nothing of the position, which the file's transaction may hold.
    pub async fn keep_counters(&mut self, at: u64, counters: &[Counter]) -> Result<()> {
        if counters.is_empty() {
            return Ok(());
        }
        let text = format!("{}; {}", self.marker.proof(), self.keeping(at, counters));
        self.conn.query(text.as_bytes()).await.map(|_effect| ()).map_err(judged)
    }

    /// The statement that keeps counters, of which there is one at least, as they are before the statement at
    /// byte `at`.
    pub fn keeping(&self, at: u64, counters: &[Counter]) -> String {
        let run = self.marker.run;
        let rows: Vec<String> = counters
            .iter()
            .map(|Counter { schema, table, next }| {
                let (schema, table) = (hex(schema.as_bytes()), hex(table.as_bytes()));
                format!("({run}, {schema}, {table}, {next}, {at})")
            })
            .collect();
        format!(
            "REPLACE INTO {} (run, schema_name, table_name, next_value, before_byte) VALUES {}",
            self.home.counters(),
            rows.join(", ")
        )
    }

    /// The counters that are to be set back where the position is at byte `position`.
    pub async fn counters(&mut self, position: u64) -> Result<Vec<Counter>> {
        let query = format!(
            "SELECT HEX(schema_name), HEX(table_name), next_value FROM {} WHERE run = {} AND \
             before_byte >= {position}",
            self.home.counters(),
            self.marker.run
        );
        let rows = self.conn.rows(&query).await?;
        rows.iter()
            .map(|row| {
                let cell = |index: usize| row.get(index).cloned().flatten();
                Some(Counter {
                    schema: from_hex(&cell(0)?)?,
                    table: from_hex(&cell(1)?)?,
                    next: cell(2)?.parse().ok()?,
                })
            })
            .collect::<Option<Vec<Counter>>>()
            .ok_or_else(unreadable)
    }
}

/// Sets counters back where they are not what they should be. The server itself raises them over
/// what is stored.
pub async fn restore(conn: &mut Conn, counters: &[Counter]) -> Result<()> {
    for Counter { schema, table, next: wanted } in counters {
        // A table that is gone will be made again, or is missed by what comes then.
        let is_numbered = numbered(conn, schema, table).await?.is_some();
        if !is_numbered || next(conn, schema, table).await? == *wanted {
            continue;
        }
        let quote = |name: &str| name.replace('`', "``");
        let text =
            format!("ALTER TABLE `{}`.`{}` AUTO_INCREMENT = {wanted}", quote(schema), quote(table));
        conn.query(text.as_bytes()).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_numbered_where_nothing_or_zero_is_given() {
        let id = Numbered { column: "Id".into(), position: Some(1) };
        let value = Given::default();
        let nothing = Given { nothing: true, zero: false };
        let zero = Given { nothing: false, zero: true };
        assert!(!id.is_left_to_server(None, &[nothing, value]));
        assert!(id.is_left_to_server(None, &[value, nothing]));
        assert!(id.is_left_to_server(None, &[value, zero]));
        assert!(id.is_left_to_server(None, &[value]));
        let list = [b"v".to_vec(), b"iD".to_vec()];
        assert!(!id.is_left_to_server(Some(&list), &[nothing, value]));
        assert!(id.is_left_to_server(Some(&list[..1]), &[value]));
        let hidden = Numbered { position: None, ..id };
        assert!(hidden.is_left_to_server(None, &[value, value]));
    }
}
