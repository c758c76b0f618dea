//! A walk along a table's key, which cuts it into chunks.
//!
//! Promises: what [`crate::mssql::script::chunk`] does, and an end: where a bound is the one before it again, as on a
//! server that does not give a value back as it took it, the rest is one chunk.

use super::job::Job;
use super::session::Conn;
use crate::copy::chunk::Chunk;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::script::chunk::{Bound, ChunkKey};
use crate::mssql::value::Value;

/// The fewest rows of a step, where statistics say that rows are huge.
const STEP_ROWS_MIN: u64 = 100;
/// The most rows of a step, where statistics say that rows are tiny, or nothing.
const STEP_ROWS_MAX: u64 = 2_000_000;

/// Where a walk is.
#[derive(Debug)]
pub struct Walk {
    step: u64,
    can_cut: bool,
    number: usize,
    lower: Option<Bound>,
    is_over: bool,
}

impl Walk {
    /// At the table's start.
    pub fn new(job: &Job, chunk_bytes: u64) -> Walk {
        let table = &job.table;
        let row_bytes = (table.bytes_estimated / table.rows_estimated.max(1)).max(1);
        let step =
            (chunk_bytes / row_bytes).clamp(STEP_ROWS_MIN.min(chunk_bytes).max(1), STEP_ROWS_MAX);
        let can_cut = table.bytes_estimated > chunk_bytes && job.key.is_some();
        Walk { step, can_cut, number: 0, lower: None, is_over: false }
    }

    /// The next chunk. `conn` is a reader of the snapshot; without one the rest is one chunk.
    pub async fn next(&mut self, job: &Job, conn: Option<&mut Conn>) -> Result<Option<Chunk>> {
        if self.is_over {
            return Ok(None);
        }
        let Some(key) = job.key.as_ref().filter(|_| self.can_cut) else {
            self.is_over = true;
            return Ok(Some(Chunk::whole()));
        };
        let upper = match conn {
            Some(conn) => self.bound(job, key, conn).await?,
            None => None,
        };
        let upper = upper.filter(|upper| Some(upper) != self.lower.as_ref());
        let condition = key.condition(self.lower.as_ref(), upper.as_ref());
        let chunk = Chunk { number: self.number, condition, key: Some(key.index.clone()) };
        self.number += 1;
        self.is_over = upper.is_none();
        self.lower = upper;
        Ok(Some(chunk))
    }

    /// The key of the row that lies a step behind the last bound; `None` if there are not so many.
    async fn bound(&self, job: &Job, key: &ChunkKey, conn: &mut Conn) -> Result<Option<Bound>> {
        let asked = key.next_bound(&job.along(key), self.lower.as_ref(), self.step);
        let rows = conn.session.query(&asked).await?;
        let Some(row) = rows.into_iter().next() else { return Ok(None) };
        let texts = row.into_iter().map(|value| match value {
            Value::Text(text) => Ok(text),
            _ => {
                let text = "a key without NULLs gave something else than a text";
                Err(Error::new(ErrorKind::Internal, Side::Source, text))
            }
        });
        texts.collect::<Result<Bound>>().map(Some)
    }
}
