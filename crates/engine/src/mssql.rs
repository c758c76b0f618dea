//! SQL Server: what its catalog holds, and the scripts that make it again elsewhere.
//!
//! Promises: every name in a text of ours is quoted by [`name`]; whatever is not carried is found by
//! name before anything is written. Moves no rows itself.

pub mod catalog;
pub mod name;
pub mod script;

pub mod value;
