//! A table on its way from one SQL Server to another, and the names by which both know it.
//!
//! Pure. Every name has its database, so that a session need not be in it.

use crate::copy::carrier::Task;
use crate::copy::chunk::Chunk;
use crate::copy::lane::BATCH_BYTES;
use crate::error::Side;
use crate::mssql::carry::Hints;
use crate::mssql::catalog::schema::Table;
use crate::mssql::name::quoted;
use crate::mssql::script::chunk::{self, ChunkKey};
use crate::mssql::script::digest::Form;
use crate::mssql::script::load;

/// A table on its way.
#[derive(Debug)]
pub struct Job {
    /// The database on the source, as it was asked for.
    pub source: String,
    /// The database on the target that takes the rows.
    pub target: String,
    /// The table.
    pub table: Table,
    /// How the target loads it.
    pub hints: Hints,
    /// Bytes of a batch.
    pub batch_bytes: usize,
    /// How both sides are asked for digests.
    pub digest: Form,
    /// Where it is read, quoted.
    pub(super) from: String,
    /// Where it is written, quoted.
    pub(super) into: String,
    /// The key by which it is cut.
    pub(super) key: Option<ChunkKey>,
    name: String,
}

impl Job {
    /// Rows are read in the database `read`, which is the source itself or a snapshot of it, and go into `target` in
    /// batches of up to `batch_bytes`, where rows are not longer; `digest` is [`super::session::Conn::digest_with`]'s.
    ///
    /// A heap is locked as a whole, which its lanes do together; that is wrong for a table that has indexes
    /// already: whoever knows of some clears [`Hints::lock_table`].
    pub fn new(
        source: &str,
        read: &str,
        target: &str,
        table: Table,
        (batch_bytes, digest): (usize, Form),
    ) -> Job {
        let name = |database: &str| {
            format!("{}.{}.{}", quoted(database), quoted(&table.schema), quoted(&table.name))
        };
        let is_heap = !table.indexes.iter().any(|index| index.is_clustered());
        let hints = Hints { keep_nulls: true, lock_table: is_heap, check_constraints: false };
        let (from, into) = (name(read), name(target));
        let key = chunk::key(&table);
        let name = format!("{}.{}", table.schema, table.name);
        let (source, target) = (source.to_owned(), target.to_owned());
        let batch_bytes = batch_bytes.min(BATCH_BYTES);
        Job { source, target, table, hints, batch_bytes, digest, from, into, key, name }
    }

    /// The table on one side, quoted, with what a reader of the chunk is told of the key.
    ///
    /// Where the key is beside the rows the source is made to go along it, else it may read the whole table for each
    /// chunk. The target may not have it yet.
    pub(super) fn place(&self, side: Side, chunk: &Chunk) -> String {
        let beside = self.key.as_ref().filter(|key| !key.is_clustered);
        match (side, beside, &chunk.condition) {
            (Side::Source, Some(key), Some(_)) => self.along(key),
            (Side::Source, ..) => self.from.clone(),
            _ => self.into.clone(),
        }
    }

    /// The table on the source as it is walked along a key.
    pub(super) fn along(&self, key: &ChunkKey) -> String {
        match key.is_clustered {
            true => self.from.clone(),
            false => format!("{} WITH (INDEX({}))", self.from, quoted(&key.index)),
        }
    }

    /// What a reader asks for.
    pub(super) fn selection(&self, chunk: &Chunk) -> String {
        let (list, from) = (load::select_list(&self.table), self.place(Side::Source, chunk));
        format!("SELECT {list} FROM {from}{}", chunk.filter())
    }
}

impl Task for Job {
    fn source(&self) -> &str {
        &self.source
    }

    fn target(&self) -> &str {
        &self.target
    }

    fn table(&self) -> &str {
        &self.name
    }

    fn rows_estimated(&self) -> u64 {
        self.table.rows_estimated
    }

    /// Both sides have the same collations, so a chunk has the same rows.
    fn is_one(&self) -> bool {
        false
    }
}
