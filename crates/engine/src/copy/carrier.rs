//! How rows go between two servers of one family: what [`super::data`], [`super::lane`],
//! [`super::sift`] and [`super::verify`] ask of it.
//!
//! Promises nothing by itself; what each function has to keep is said there. Lanes, order, throttle and
//! progress are not a carrier's business, nor is which table an error was in: whoever calls says that,
//! and that it was the source's.

use std::fmt::Debug;

use super::check::{Check, Sum};
use super::chunk::Chunk;
use super::connections::Kill;
use super::outlet::Outlet;
use crate::error::{Result, Side};

/// A table on its way.
pub trait Task: Debug + Send + Sync + 'static {
    /// The database on the source.
    fn source(&self) -> &str;
    /// The database on the target that takes the rows.
    fn target(&self) -> &str;
    /// The table, as `schema.table` where there are schemas.
    fn table(&self) -> &str;
    /// How many rows it may have.
    fn rows_estimated(&self) -> u64;
    /// Its chunks may hold other rows on the target: it can only be compared as a whole.
    fn is_one(&self) -> bool;
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Rows that are in for good.
    pub rows: u64,
    /// Warnings of the target.
    pub warnings: u64,
}

/// How rows go between two servers of one family. A value of it leads to the target.
pub trait Carrier: Clone + Debug + Send + Sync + 'static {
    /// A connection, to either side.
    type Conn: Debug + Send + 'static;
    /// A table on its way.
    type Job: Task;
    /// A walk along a table's key.
    type Walk: Send;
    /// Rows as they are written at once, or a part of them.
    type Batch: Debug + Send + 'static;

    /// A connection to the target that writes rows, makes keys and compares; it waits patiently.
    fn writer(&self, purpose: &str) -> impl Future<Output = Result<Self::Conn>> + Send;

    /// What ends a connection from outside.
    fn kill(conn: &Self::Conn) -> Kill;

    /// Ends a connection.
    fn close(conn: Self::Conn) -> impl Future<Output = ()> + Send;

    /// A walk from the table's start. A table that no key can cut, or that need not be cut, is one chunk.
    fn walk(job: &Self::Job, chunk_bytes: u64) -> Self::Walk;

    /// The next chunk; `None` behind the last. There is at least one, and each row of either side is in
    /// exactly one. `reader` sees the snapshot; without it the rest is one chunk.
    fn next(
        walk: &mut Self::Walk,
        job: &Self::Job,
        reader: Option<&mut Self::Conn>,
    ) -> impl Future<Output = Result<Option<Chunk>>> + Send;

    /// Reads a chunk into batches; false if nobody takes them any more. A chunk is read only when the source has
    /// said that it has no more rows.
    fn read(
        reader: &mut Self::Conn,
        job: &Self::Job,
        chunk: &Chunk,
        outlet: &mut Outlet<Self::Batch>,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// Brings a batch in: wholly or not at all, tried again where others made the target roll it back. A batch
    /// that is only a part of a unit counts its rows when the last part is in.
    fn write(
        writer: &mut Self::Conn,
        job: &Self::Job,
        batch: Self::Batch,
    ) -> impl Future<Output = Result<Written>> + Send;

    /// Bytes of a batch, for the throttle and the report.
    fn bytes(batch: &Self::Batch) -> u64;

    /// Whether the target makes the keys of a table with one thread, which the lanes then make room for.
    fn makes_keys_alone(&self) -> bool;

    /// What a connection needs before it makes keys.
    fn prepare_keys(&self, conn: &mut Self::Conn) -> impl Future<Output = Result<()>> + Send;

    /// Executes a statement that makes keys.
    fn execute(conn: &mut Self::Conn, statement: &str) -> impl Future<Output = Result<()>> + Send;

    /// Rows and, if wanted, the digest of a chunk on one side.
    fn sum(
        conn: &mut Self::Conn,
        job: &Self::Job,
        side: Side,
        check: &Check,
    ) -> impl Future<Output = Result<Sum>> + Send;

    /// The keys of the first rows of a chunk that differ, up to [`super::check::KEYS_MAX`], as
    /// `column=value`.
    fn differing(
        source: &mut Self::Conn,
        target: &mut Self::Conn,
        job: &Self::Job,
        chunk: &Chunk,
    ) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// For a resumed copy: whether the target's table holds any row of the chunk.
    fn holds(
        writer: &mut Self::Conn,
        job: &Self::Job,
        chunk: &Chunk,
    ) -> impl Future<Output = Result<bool>> + Send;

    /// For a resumed copy: takes the chunk's rows away from the target's table. Others take away theirs beside
    /// these.
    fn remove(
        writer: &mut Self::Conn,
        job: &Self::Job,
        chunk: &Chunk,
    ) -> impl Future<Output = Result<()>> + Send;
}
