//! SQL dump files: from bytes to statements.
//!
//! Synchronous, with bounded memory, and never panics on any input. It follows the stock clients'
//! own reading rules, so that what it calls a statement is what they would send.
//! It knows no server connection and runs nothing.

pub mod archive;
pub mod encoding;
pub mod saved;
pub mod source;

pub mod rules;

pub mod hazard;
pub mod index;

pub mod alteration;
pub mod command;
pub mod insert;
pub mod reader;
pub mod statement;
pub mod token;
pub mod values;
pub mod word;

mod bulk;
mod lexer;

pub use lexer::{Fault, Open};
