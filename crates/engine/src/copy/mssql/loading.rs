//! Batches of rows loaded into the target, each as one bulk load, which is one transaction.
//!
//! Promises: a load is in wholly or not at all, and the target has counted its rows; no row is sent into a
//! table whose columns are not the source's. What the target says against a load is heard when the load is sent, so at
//! most one of some MiB, or one row, goes in vain. A load that came in parts is not tried again: its
//! parts are gone.

use std::sync::Arc;

use super::job::Job;
use super::reading::Batch;
use super::session::Conn;
use crate::copy::carrier::Written;
use crate::copy::lane::TRIES;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::carry::{self, Loaded};
use crate::mssql::metadata::Column;
use crate::mssql::script::load;
use crate::mssql::session::Session;

/// What a connection knows of the table that it loads.
#[derive(Debug)]
pub struct Prepared {
    /// The table, quoted.
    table: String,
    /// What the source says of its columns.
    source: Arc<[Column]>,
    /// How they are loaded.
    columns: Vec<Loaded>,
    /// Rows of a load that is on its way.
    rows: u64,
}

/// Brings a batch in.
pub async fn write(writer: &mut Conn, job: &Job, batch: Batch) -> Result<Written> {
    prepare(writer, job, &batch).await?;
    let Conn { session, prepared: Some(prepared), .. } = writer else {
        return Err(Error::new(ErrorKind::Internal, Side::Internal, "nothing is prepared"));
    };
    match batch.is_first && batch.is_last {
        true => write_whole(session, &prepared.columns, job, &batch).await,
        false => write_part(session, prepared, job, &batch).await,
    }
}

async fn write_whole(
    session: &mut Session,
    columns: &[Loaded],
    job: &Job,
    batch: &Batch,
) -> Result<Written> {
    for left in (0..TRIES).rev() {
        let outcome = load_once(session, columns, job, batch).await;
        match outcome {
            Ok(taken) => return counted(batch.rows, taken),
            Err(error) if left > 0 && session.is_idle() && passes(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::new(ErrorKind::LockWait, Side::Target, "write rows"))
}

async fn load_once(
    session: &mut Session,
    columns: &[Loaded],
    job: &Job,
    batch: &Batch,
) -> Result<u64> {
    let mut bulk = session.bulk(&job.into, columns, job.hints).await?;
    bulk.rows(&batch.bytes).await?;
    bulk.finish().await
}

/// A part of a load whose last row is longer than a batch: the load stays open between its parts.
async fn write_part(
    session: &mut Session,
    prepared: &mut Prepared,
    job: &Job,
    batch: &Batch,
) -> Result<Written> {
    let mut bulk = match batch.is_first {
        true => {
            prepared.rows = 0;
            session.bulk(&job.into, &prepared.columns, job.hints).await?
        }
        false => session.bulk_again()?,
    };
    bulk.rows(&batch.bytes).await?;
    prepared.rows += batch.rows;
    match batch.is_last {
        true => counted(prepared.rows, bulk.finish().await?),
        false => Ok(Written::default()),
    }
}

/// Others made the target roll it back.
pub(super) fn passes(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Deadlock | ErrorKind::LockWait)
}

/// The target's columns are asked for once for a table, and the source's are compared with them.
async fn prepare(writer: &mut Conn, job: &Job, batch: &Batch) -> Result<()> {
    if let Some(prepared) = &writer.prepared
        && prepared.table == job.into
    {
        return match prepared.source == batch.columns {
            true => Ok(()),
            false => Err(other("what the source says of its columns has changed")),
        };
    }
    writer.enter(&job.target).await?;
    let list = load::select_list(&job.table);
    let asked = format!("SELECT TOP (0) {list} FROM {}", job.into);
    let mut selection = writer.session.stream(&asked).await?;
    let target = selection.columns().to_vec();
    while !selection.values().await?.is_empty() {}
    if let Some(differs) = carry::differs(&batch.columns, &target) {
        return Err(other(&format!("the columns of the two sides differ: {differs}")));
    }
    let sent = load::sent(&job.table);
    if sent.len() != target.len() {
        return Err(other("the table has other columns than the catalog said"));
    }
    let columns = target.into_iter().zip(sent);
    let columns =
        columns.map(|(column, sent)| Loaded { column, collation: sent.collation.clone() });
    writer.prepared = Some(Prepared {
        table: job.into.clone(),
        source: Arc::clone(&batch.columns),
        columns: columns.collect(),
        rows: 0,
    });
    Ok(())
}

fn other(what: &str) -> Error {
    Error::new(ErrorKind::Statement, Side::Target, format!("write rows: {what}"))
}

fn counted(sent: u64, taken: u64) -> Result<Written> {
    match sent == taken {
        true => Ok(Written { rows: taken, warnings: 0 }),
        false => Err(other(&format!("the target took {taken} of {sent}"))),
    }
}
