//! MySQL and MariaDB: one connection, and what is known about the server at its other end.
//!
//! Promises: what differs between the two is asked of [`facts::ServerFacts`], not guessed from
//! version numbers all over the engine. Deliberately not here: what import and copy do with it.

pub mod conn;
pub mod facts;
mod tls;
