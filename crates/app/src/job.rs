//! What jobs do: one file a kind, the glue between the engine and the store.

pub mod import;
pub mod loading;
