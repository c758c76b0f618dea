//! dbferry: the command line around the dump reader and the engine.
//!
//! The only crate that knows all others. stdout is data, stderr is for people.

pub mod cli;
pub mod size;
