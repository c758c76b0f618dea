//! What is known of each table while its rows come: what the walker and the lanes tell, added up.
//!
//! Promises: a table is in once the walker is through with it and each of its chunks is in.

use super::chunk::Chunk;
use crate::error::Error;

/// What the walker and the lanes tell.
#[derive(Debug)]
pub enum Told {
    /// Of a table, by its number among the jobs.
    Of(usize, News),
    /// One of them cannot go on.
    Failed(Error),
}

/// Something new of a table.
#[derive(Debug)]
pub enum News {
    /// A chunk is to be copied.
    Cut(Chunk),
    /// A chunk, of so many rows, need not be copied.
    Kept(Chunk, u64),
    /// There are no more chunks.
    Walked,
    /// A chunk is in.
    Copied {
        /// Its rows.
        rows: u64,
        /// Bytes of their text.
        bytes: u64,
        /// Warnings of the target.
        warnings: u64,
    },
}

/// What became of a table.
#[derive(Clone, Debug, Default)]
pub struct Arrived {
    /// Its chunks.
    pub chunks: Vec<Chunk>,
    /// How many of them are in.
    pub done: usize,
    /// There will be no more chunks.
    pub is_cut: bool,
    /// Rows that are in.
    pub rows: u64,
    /// Those of them that an earlier copy had brought.
    pub rows_kept: u64,
    /// Bytes of their text.
    pub bytes: u64,
    /// Warnings of the target.
    pub warnings: u64,
}

impl Arrived {
    /// Takes down what is new; whether all its rows are in now.
    pub fn take(&mut self, news: News) -> bool {
        match news {
            News::Cut(chunk) => self.chunks.push(chunk),
            News::Kept(chunk, rows) => {
                self.chunks.push(chunk);
                self.done += 1;
                self.rows += rows;
                self.rows_kept += rows;
            }
            News::Walked => self.is_cut = true,
            News::Copied { rows, bytes, warnings } => {
                self.done += 1;
                self.rows += rows;
                self.bytes += bytes;
                self.warnings += warnings;
            }
        }
        self.is_cut && self.done == self.chunks.len()
    }
}
