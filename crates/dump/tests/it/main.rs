//! The integration tests of the crate, one binary.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test does")]

mod archive;
mod encoding;
mod golden;
mod index;
mod issues;
mod outline;
mod source;
mod split;
mod values;
