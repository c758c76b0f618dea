//! Between two SQL Servers.

pub mod carrier;
pub mod comparing;
pub mod job;
pub mod loading;
pub mod reading;
pub mod session;
pub mod walk;
