//! Rows out of the source in batches, and batches into the target; old rows out of the target.

use bytes::Bytes;

use super::job::Job;
use super::rows::{Batch, Form};
use crate::copy::carrier::Written;
use crate::copy::chunk::Chunk;
use crate::copy::lane::TRIES;
use crate::copy::outlet::Outlet;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mysql::conn::{Cells, Conn};

/// Reads a chunk into batches; false if nobody takes them any more.
pub async fn read(
    reader: &mut Conn,
    job: &Job,
    chunk: &Chunk,
    outlet: &mut Outlet<Batch>,
) -> Result<bool> {
    let mut selection = reader.select(job.selection(chunk).as_bytes()).await?;
    let mut batch = Batch::default();
    while let Some(cells) = selection.next().await? {
        let is_full = match &job.form {
            Form::Load(_) => batch.text.len() >= job.batch_bytes,
            // A statement is not to become too long for the target because of its last row.
            Form::Insert(_) => batch.text.len() + written_max(&cells) > job.batch_bytes,
        };
        if is_full && batch.rows > 0 && !outlet.send(std::mem::take(&mut batch)).await {
            return Ok(false);
        }
        if batch.text.capacity() == 0 {
            batch.text.reserve(job.batch_bytes + (job.batch_bytes >> 3));
        }
        batch.push(&job.form, cells.iter());
    }
    Ok(batch.rows == 0 || outlet.send(batch).await)
}

/// The most bytes that a row may take in an INSERT: every byte escaped, every cell quoted.
fn written_max(cells: &Cells) -> usize {
    const AROUND: usize = 12;
    cells.iter().map(|cell| 2 * cell.map_or(0, <[u8]>::len) + AROUND).sum()
}

/// Brings a batch in.
pub async fn write(writer: &mut Conn, job: &Job, batch: Batch) -> Result<Written> {
    let (text, rows) = (Bytes::from(batch.text), batch.rows);
    for left in (0..TRIES).rev() {
        // A LOAD DATA that is cut keeps what it has got, so it needs a transaction.
        writer.query(b"START TRANSACTION").await?;
        let outcome = match &job.form {
            Form::Load(_) => load(writer, job, text.clone(), rows).await,
            Form::Insert(_) => insert(writer, job, &text, rows).await,
        };
        match outcome {
            Ok(warnings) => {
                writer.query(b"COMMIT").await?;
                return Ok(Written { rows, warnings });
            }
            Err(error) if !writer.is_broken() => {
                writer.query(b"ROLLBACK").await?;
                let passes = matches!(error.kind, ErrorKind::Deadlock | ErrorKind::LockWait);
                if !passes || left == 0 {
                    return Err(error);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::LockWait, Side::Target, "write rows"))
}

async fn load(writer: &mut Conn, job: &Job, text: Bytes, rows: u64) -> Result<u64> {
    let loaded = writer.load(job.statement.as_bytes(), text).await?;
    if loaded.records == rows && loaded.skipped == 0 && loaded.deleted == 0 {
        return Ok(loaded.warnings);
    }
    Err(not_all(rows, loaded.records - loaded.skipped.min(loaded.records)))
}

async fn insert(writer: &mut Conn, job: &Job, text: &[u8], rows: u64) -> Result<u64> {
    let statement = [job.statement.as_bytes(), text].concat();
    let effect = writer.query(&statement).await?;
    if effect.affected_rows == rows {
        return Ok(u64::from(effect.warnings));
    }
    Err(not_all(rows, effect.affected_rows))
}

fn not_all(sent: u64, taken: u64) -> Error {
    let text = format!("write rows: the target took {taken} of {sent}");
    Error::new(ErrorKind::Statement, Side::Target, text)
}

/// Whether the target's table holds any row of the chunk.
pub async fn holds(writer: &mut Conn, job: &Job, chunk: &Chunk) -> Result<bool> {
    let sql = format!("SELECT 1 FROM {}{} LIMIT 1", job.target_table(), chunk.filter());
    Ok(!writer.rows(&sql).await?.is_empty())
}

/// Takes the chunk's rows away from the target's table.
pub async fn remove(writer: &mut Conn, job: &Job, chunk: &Chunk) -> Result<()> {
    let table = job.target_table();
    let sql = match chunk.condition {
        Some(_) => format!("DELETE FROM {table}{}", chunk.filter()),
        None => format!("TRUNCATE TABLE {table}"),
    };
    for left in (0..TRIES).rev() {
        match writer.query(sql.as_bytes()).await {
            Ok(_effect) => return Ok(()),
            // Others take away the rows beside these.
            Err(error)
                if left > 0 && matches!(error.kind, ErrorKind::Deadlock | ErrorKind::LockWait) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::LockWait, Side::Target, "take away old rows"))
}
