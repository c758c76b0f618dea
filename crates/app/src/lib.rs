//! dbferry: the command line around the dump reader and the engine, and the service.
//!
//! The only crate that knows all others. stdout is data, stderr is for people. A request comes in by
//! [`http`], is understood by a dialect of the `wire`, and served by [`service`], which knows no
//! cloud; the [`worker`] runs the jobs that it leaves in the store.

pub mod cli;
pub mod size;

pub mod app;
pub mod bucket;
pub mod cause;
pub mod clock;
pub mod config;
pub mod fetch;
pub mod http;
pub mod job;
pub mod private;
pub mod service;
pub mod supervisor;
pub mod worker;
