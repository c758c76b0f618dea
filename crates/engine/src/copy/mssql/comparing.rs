//! What both sides say of a chunk: rows, digests, keys of rows that differ; and, for a copy that is resumed, whether
//! the target has any of it, and taking that away.

use super::job::Job;
use super::loading::passes;
use super::session::{Conn, number};
use crate::copy::check::{Check, KEY_CHARS_MAX, KEYS_MAX, Sum};
use crate::copy::chunk::Chunk;
use crate::copy::lane::TRIES;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::script::digest;
use crate::mssql::session::Selection;
use crate::mssql::value::{Row, Value};

/// Rows and, if wanted, the digest of a chunk on one side.
pub async fn sum(conn: &mut Conn, job: &Job, side: Side, check: &Check) -> Result<Sum> {
    let (from, condition) = (job.place(side, &check.chunk), check.chunk.condition.as_deref());
    let asked = match check.digest {
        true => digest::question(&job.table, job.digest, &from, condition),
        false => digest::count(&from, condition),
    };
    let rows = conn.session.query(&asked).await?;
    let sums =
        rows.first().into_iter().flat_map(|row| row.iter().skip(1)).map(|value| match value {
            Value::Int(number) => number.to_string(),
            _ => String::new(),
        });
    Ok(Sum { rows: number(&rows, 0), digest: sums.collect::<Vec<String>>().join(" ") })
}

/// The keys of the first rows of a chunk that are not the same, in the order of the key.
pub async fn differing(
    source: &mut Conn,
    target: &mut Conn,
    job: &Job,
    chunk: &Chunk,
) -> Result<Vec<String>> {
    let Some(key) = &job.key else { return Ok(Vec::new()) };
    let list = |side: Side| {
        let (row, texts, order) = (digest::row(&job.table, job.digest), key.texts(), key.order());
        let (from, filter) = (job.place(side, chunk), chunk.filter());
        format!("SELECT {row}, {texts} FROM {from}{filter} ORDER BY {order}")
    };
    let there = source.session.stream(&list(Side::Source)).await;
    let mut there = Rows::new(there.map_err(|error| error.on(Side::Source))?);
    let mut here = Rows::new(target.session.stream(&list(Side::Target)).await?);
    let names: Vec<&str> = key.names().collect();
    let mut found = Vec::new();
    // Rows that only one side has put the two out of step, so what comes after one says nothing:
    // the first few are named, and both lists are read to their ends.
    loop {
        let one = there.next().await.map_err(|error| error.on(Side::Source))?;
        let other = here.next().await?;
        let Some(row) = one.as_ref().or(other.as_ref()) else { return Ok(found) };
        if one != other && found.len() < KEYS_MAX {
            let cells = names.iter().zip(row.iter().skip(1));
            let shown = cells.map(|(name, cell)| format!("{name}={}", shown(cell)));
            found.push(shown.collect::<Vec<String>>().join(", "));
        }
    }
}

/// Rows of a selection, one by one.
struct Rows<'a> {
    selection: Selection<'a>,
    read: std::vec::IntoIter<Row>,
}

impl<'a> Rows<'a> {
    fn new(selection: Selection<'a>) -> Rows<'a> {
        Rows { selection, read: Vec::new().into_iter() }
    }

    async fn next(&mut self) -> Result<Option<Row>> {
        if self.read.len() == 0 {
            self.read = self.selection.values().await?.into_iter();
        }
        Ok(self.read.next())
    }
}

fn shown(cell: &Value) -> String {
    match cell {
        Value::Text(text) => text.trim_end().chars().take(KEY_CHARS_MAX).collect(),
        Value::Int(number) => number.to_string(),
        Value::Null | Value::Bytes(_) => String::new(),
    }
}

/// Whether the target has any row of a chunk.
pub async fn holds(writer: &mut Conn, job: &Job, chunk: &Chunk) -> Result<bool> {
    let asked = format!("SELECT TOP (1) 1 FROM {}{}", job.into, chunk.filter());
    Ok(!writer.session.query(&asked).await?.is_empty())
}

/// Takes the rows of a chunk away from the target.
pub async fn remove(writer: &mut Conn, job: &Job, chunk: &Chunk) -> Result<()> {
    if chunk.condition.is_none() && truncate(writer, job).await? {
        return Ok(());
    }
    let sql = format!("DELETE FROM {}{}", job.into, chunk.filter());
    for left in (0..TRIES).rev() {
        match writer.session.run(&sql).await {
            Ok(_rows) => return Ok(()),
            // Others take away the rows beside these.
            Err(error) if left > 0 && writer.session.is_idle() && passes(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::LockWait, Side::Target, "take away old rows"))
}

/// Empties a table at once; false where the server does not allow it, as for one that foreign keys refer to.
/// Not every server does so from another database.
async fn truncate(writer: &mut Conn, job: &Job) -> Result<bool> {
    writer.enter(&job.target).await?;
    match writer.session.run(&format!("TRUNCATE TABLE {}", job.into)).await {
        Ok(_rows) => Ok(true),
        Err(error) if matches!(error.kind, ErrorKind::Statement | ErrorKind::Privilege) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
