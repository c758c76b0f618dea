//! A part of a table: which rows, in words that both servers understand.
//!
//! Promises nothing by itself: that the chunks of a table hold every row exactly once is kept by the walk
//! of each family, [`super::carrier::Carrier::next`].

/// How many bytes of rows a chunk should have.
pub const CHUNK_BYTES: u64 = 64 << 20;

/// A part of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its number in the table, from 0.
    pub number: usize,
    /// What its rows fulfil; `None` for all rows.
    pub condition: Option<String>,
    /// The key along which it was cut.
    pub key: Option<String>,
}

impl Chunk {
    /// All rows of a table.
    pub fn whole() -> Chunk {
        Chunk { number: 0, condition: None, key: None }
    }

    /// ` WHERE …`, or nothing.
    pub fn filter(&self) -> String {
        self.condition.as_ref().map(|condition| format!(" WHERE {condition}")).unwrap_or_default()
    }
}
