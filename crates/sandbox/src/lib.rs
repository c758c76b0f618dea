//! Real database servers for tests, the demo and benchmarks.
//!
//! A [`Server`] is a real `mariadbd` or `mysqld` in a temporary folder, on a free port of
//! 127.0.0.1. It is ready when [`Server::start`] returns, and gone when the value is dropped or
//! the process dies, however it dies. A [`Postgres`] is the same of `PostgreSQL`, which is no target
//! of imports and only keeps tables of ours. An [`ObjectStorage`] is an S3 server in a thread of this
//! process. A [`tds::Peer`] is no server: it speaks a server's side of SQL Server's protocol by a script.
//! Everything is synchronous.
//!
//! Deliberately not here: containers, system services, system configuration files, and skipping.
//! What is missing on the machine is an [`Error::Missing`] that names the command to run.

mod cache;
mod client;
mod datadir;
mod error;
mod flavor;
pub mod inputs;
pub mod measure;
mod object_storage;
mod port;
mod postgres;
mod server;
mod spawner;
pub mod state;
pub mod tds;
pub mod tls;
pub mod tpch;

pub use client::StockOutcome;
pub use error::{Error, Result};
pub use flavor::Flavor;
pub use object_storage::ObjectStorage;
pub use postgres::Postgres;
pub use server::{Options, Server};
