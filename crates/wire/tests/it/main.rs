//! The integration tests of the crate, one binary.

#![expect(clippy::unwrap_used, reason = "a helper of a test may fail as the test does")]

mod alibaba;
mod capture;
mod captures;
mod credentials;
mod parameters;
mod replies;
mod requests;
mod vectors;
