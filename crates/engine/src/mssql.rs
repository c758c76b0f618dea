//! SQL Server, and what speaks its protocol (TDS 7.4 and 8.0): one connection, what its catalog holds,
//! and the scripts that make that again elsewhere.
//!
//! A client of our own, because loading and copying is what this project is for: in TDS the bytes of a
//! row in a result are those of a row in a bulk load, so rows go from server to server as they are,
//! with only their lengths walked. Files cite \[MS-TDS\], the protocol's public document.
//!
//! Promises: nothing that a server sends makes this panic, and nothing that it sends is held without
//! a limit; a dropped future leaves a session that says it is broken. Every name in a text of ours is
//! quoted by [`name`]; whatever is not carried is found by name before anything is written.
//! Deliberately not here: pools, retries, several requests on one connection (MARS), logins by Kerberos,
//! NTLM or tokens, parameters.

pub mod bulk;
pub mod bytes;
pub mod carry;
pub mod catalog;
pub mod login;
pub mod metadata;
pub mod name;
pub mod packet;
pub mod refusal;
pub mod row;
pub mod script;
pub mod session;
pub mod token;
pub mod value;
mod wire;
