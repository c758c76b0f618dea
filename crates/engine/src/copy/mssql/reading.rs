//! A chunk read on the source, as batches of bytes in the form of a bulk load.
//!
//! Promises: a batch has whole rows, and about as many bytes as wanted; a row that is longer goes in parts,
//! so that no row needs to be held. Nothing is decoded.

use std::sync::Arc;

use super::job::Job;
use super::session::Conn;
use crate::copy::chunk::Chunk;
use crate::copy::outlet::Outlet;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::metadata::Column;
use crate::mssql::script::load;

/// What is kept free behind a full batch for the end of its last row.
const ROOM_BYTES: usize = 64 << 10;

/// Rows on their way, or a part of them.
#[derive(Debug)]
pub struct Batch {
    /// What the source says of the columns.
    pub(super) columns: Arc<[Column]>,
    /// The rows.
    pub(super) bytes: Vec<u8>,
    /// How many of them end here.
    pub(super) rows: u64,
    /// The first of them begins here.
    pub(super) is_first: bool,
    /// The last of them ends here.
    pub(super) is_last: bool,
}

/// Reads a chunk; false if nobody takes its batches any more.
pub async fn read(
    reader: &mut Conn,
    job: &Job,
    chunk: &Chunk,
    outlet: &mut Outlet<Batch>,
) -> Result<bool> {
    if load::sent(&job.table).is_empty() {
        let text = "carry rows: none of the table's columns can be written";
        return Err(Error::new(ErrorKind::Refused, Side::Source, text));
    }
    let mut selection = reader.session.stream(&job.selection(chunk)).await?;
    let columns: Arc<[Column]> = selection.columns().into();
    let mut is_first = true;
    loop {
        let mut bytes = Vec::with_capacity(job.batch_bytes + ROOM_BYTES);
        let filled = selection.fill(&mut bytes, job.batch_bytes).await?;
        if !bytes.is_empty() {
            let (rows, is_last) = (filled.rows, filled.at_row_end);
            let columns = Arc::clone(&columns);
            if !outlet.send(Batch { columns, bytes, rows, is_first, is_last }).await {
                return Ok(false);
            }
            is_first = is_last;
        }
        if filled.is_over {
            return Ok(true);
        }
    }
}
