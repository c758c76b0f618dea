//! engine

pub mod endpoint;
pub mod error;
pub mod mysql;
