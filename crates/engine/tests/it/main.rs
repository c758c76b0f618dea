//! The engine against real servers: one binary, one module per subject.
//!
//! Every test starts the servers it needs and fails when one is missing.

#![allow(clippy::unwrap_used, reason = "these are tests, and so are their helper functions")]

mod connect;
mod digest;
mod fence;
mod indexes;
mod load;
mod mssql;
mod mssql_likeness;
mod mssql_table;
mod plan;
mod precheck;
mod sqlserver;
mod tds;
