//! Moves data into database servers.
//!
//! Promises: what it reports as done is committed, what it reports as failed names the place, and it
//! holds a bounded amount of data in memory. It knows no HTTP, no job table and no cloud.

pub mod copy;
pub mod endpoint;
pub mod error;
pub mod import;
pub mod mssql;
pub mod mysql;
pub mod run;
mod tls;
