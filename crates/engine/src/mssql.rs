//! SQL Server, and what speaks its protocol (TDS 7.4 and 8.0): one connection.
//!
//! A client of our own, because loading and copying is what this project is for: in TDS the bytes of a
//! row in a result are those of a row in a bulk load, so rows go from server to server as they are,
//! with only their lengths walked. Files cite \[MS-TDS\], the protocol's public document.
//!
//! Promises: nothing that a server sends makes this panic, and nothing that it sends is held without
//! a limit; a dropped future leaves a session that says it is broken. Deliberately not here: pools,
//! retries, several requests on one connection (MARS), logins by Kerberos, NTLM or tokens, parameters.

pub mod bulk;
pub mod bytes;
pub mod carry;
pub mod login;
pub mod metadata;
pub mod packet;
pub mod refusal;
pub mod row;
pub mod session;
pub mod token;
pub mod value;
mod wire;
