//! Copying between servers of MySQL's family.

pub mod carrier;
pub mod catalog;
pub mod comparison;
pub mod conversion;
pub mod digest;
pub mod job;
pub mod journal;
pub mod objects;
pub mod plan;
pub mod precheck;
pub mod publish;
pub mod rename;
pub mod replica;
pub mod resume;
pub mod rows;
pub mod session;
pub mod snapshot;
pub mod staging;
pub mod table;
pub mod transfer;
pub mod walk;
pub mod watcher;
