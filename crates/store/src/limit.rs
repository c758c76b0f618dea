//! The limits of the store, and the checks that make them the same on every engine.
//!
//! `SQLite` stores what it is given; the others cut or refuse. So nothing reaches a database that
//! is longer than its column. (A NUL in a text, which only some take, is refused where values are
//! bound: those of questions matter too.)

use crate::{Error, Result};

/// The longest JSON text, in bytes: payloads, progress, results, events, options.
pub const JSON_BYTES_MAX: usize = 1 << 20;
/// The longest secret, in bytes.
pub const SECRET_BYTES_MAX: usize = 64 << 10;
/// The most rows a list returns at once; a larger `limit` means this one.
pub const PAGE_MAX: u32 = 1_000;
/// The most jobs of an account that have not ended. As many as one page, so that whoever asks for them
/// sees all.
pub const OPEN_JOBS_MAX: u32 = PAGE_MAX;
/// The most events read at once.
pub const EVENTS_PAGE_MAX: u32 = 1_000;
/// The most values in one list of a filter; more are refused.
pub const FILTER_MAX: usize = 1_000;
/// The most rows one call deletes; a larger `limit` means this one.
pub const PRUNE_MAX: u32 = 1_000;
/// The last id a job can have: the clouds' clients read it as a signed 32-bit number.
pub const JOB_ID_MAX: i64 = i32::MAX as i64;

/// Checks a text against its column: `what` names it in the error.
pub(crate) fn text(what: &'static str, value: &str, chars_max: usize) -> Result<()> {
    if value.chars().count() > chars_max {
        return Err(Error::Invalid { what, why: "is too long" });
    }
    Ok(())
}

/// Like [`text`], for what must not be empty.
pub(crate) fn name(what: &'static str, value: &str, chars_max: usize) -> Result<()> {
    if value.is_empty() {
        return Err(Error::Invalid { what, why: "is empty" });
    }
    text(what, value, chars_max)
}

/// Checks a JSON text's length; that it is JSON is the caller's affair.
pub(crate) fn json(what: &'static str, value: &str) -> Result<()> {
    text(what, value, JSON_BYTES_MAX)?;
    if value.len() > JSON_BYTES_MAX {
        return Err(Error::Invalid { what, why: "is too long" });
    }
    Ok(())
}

/// Checks the number of values in a list of a filter.
pub(crate) fn filter<T>(what: &'static str, values: &[T]) -> Result<()> {
    if values.len() > FILTER_MAX {
        return Err(Error::Invalid { what, why: "has too many values" });
    }
    Ok(())
}

/// A count of bytes as the database keeps it.
pub(crate) fn bytes(what: &'static str, value: u64) -> Result<i64> {
    i64::try_from(value).map_err(|_| Error::Invalid { what, why: "is too large" })
}
