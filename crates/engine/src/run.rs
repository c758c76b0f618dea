//! What every long run shares: how it is stopped and how it shows where it is.
//!
//! No timing policy and no rendering here.

pub mod budget;
pub mod failpoint;
pub mod progress;
pub mod stop;
