//! The order of a copy.

use crate::error::{Error, ErrorKind, Result, Side};
use crate::run::stop::Stop;

/// What the work gives, or an error as soon as somebody asks to stop.
pub async fn or_stopped<T>(stop: &Stop, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        outcome = work => outcome,
        () = stop.asked() => Err(interrupted()),
    }
}

/// The error of a copy that was stopped.
pub(crate) fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, Side::Internal, "copy interrupted")
}
