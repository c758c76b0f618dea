//! The clouds' dialects as pure values: signatures, calls, replies, error codes.
//!
//! Promises: cloud field names and code strings live here and nowhere else; any bytes may be fed to
//! it and it never panics; secrets stay out of `Debug` and of messages. It holds no HTTP server, no
//! database and no clock: a request comes in as a value, and so does the time.

pub mod request;
pub mod secret;

pub mod civil;
pub mod form;
pub mod rate;

mod hash;

pub mod alibaba;
pub mod tencent;
