//! A value of a catalog row: what `sys.*` questions are cast to. Users' rows never become values: they
//! are carried as the bytes that the server sent.

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// NULL.
    Null,
    /// bit, tinyint, smallint, int and bigint.
    Int(i64),
    /// nvarchar and its like.
    Text(String),
    /// binary and varbinary.
    Bytes(Vec<u8>),
}

/// One row, in the order of the question's columns.
pub type Row = Vec<Value>;
