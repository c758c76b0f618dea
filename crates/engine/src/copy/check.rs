//! A comparison of one chunk: what both sides are asked, and what each says.
//!
//! Promises nothing by itself: that digests are alike for alike rows is kept by each family,
//! [`super::carrier::Carrier::sum`].

use super::chunk::Chunk;

/// Keys of rows that differ which are named of one chunk.
pub const KEYS_MAX: usize = 5;
/// Characters of a key that are shown.
pub const KEY_CHARS_MAX: usize = 200;

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The table's number among the jobs.
    pub job: usize,
    /// The rows.
    pub chunk: Chunk,
    /// Not only counted.
    pub digest: bool,
}

/// What a side says of a chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sum {
    /// How many rows it has.
    pub rows: u64,
    /// Alike for alike rows, in any order.
    pub digest: String,
}
