//! What the service does, whoever asks: use cases that take and give neutral values.
//!
//! The only callers of the store. Each dialect turns a [`Refusal`] into its own words.

pub mod copies;
pub mod imports;
pub mod instances;
pub mod jobs;
pub mod registry;
pub mod requests;
pub mod uploads;
pub mod watchers;
pub mod watching;

use store::{Conflict, Error as StoreError};

use crate::fetch;

/// Why something is not done.
#[derive(Debug)]
pub enum Refusal {
    /// There is no such instance in the account.
    NoInstance,
    /// There is no such job in the account.
    NoJob,
    /// There is no such file in the account, or it has not come whole.
    NoFile,
    /// Nothing can be fetched from the URL: why.
    NoSource(fetch::Error),
    /// A name, an id or an option is malformed: what is wrong with it.
    Invalid(&'static str),
    /// The instance is of an engine that cannot do this.
    WrongEngine,
    /// The instance does not answer.
    InstanceDown,
    /// An import runs on the instance.
    Busy,
    /// The server refuses the login.
    WrongLogin,
    /// There is no such database, or the login may not enter it.
    NoDatabase,
    /// A job that has not ended uses it.
    InUse,
    /// What leads an instance elsewhere comes without the password.
    PasswordMissing,
    /// The settings do not allow it.
    NotAllowed,
    /// The job has ended.
    Ended,
    /// It is there already.
    Exists,
    /// It is larger than the settings allow.
    TooLarge,
    /// The bytes do not continue what has come: that many have.
    WrongOffset(u64),
    /// Somebody else sends the same file just now.
    Receiving,
    /// The first request with this key is still worked on.
    Pending,
    /// The key was used for another request.
    OtherRequest,
    /// The account has as much open, or waits for as much, as it may.
    TooMany,
    /// The sender went away: how.
    BrokenOff(String),
    /// The server refuses; its error number. What it says may hold values.
    Server(u32),
    /// The store, the disk or we are at fault; for the log.
    Fault(String),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Refusal {
        match error {
            StoreError::Invalid { what, why } => {
                tracing::debug!(what, why, "the store does not take it");
                Refusal::Invalid(what)
            }
            StoreError::Conflict(Conflict::InUse) => Refusal::InUse,
            StoreError::Conflict(Conflict::Full) => Refusal::TooMany,
            StoreError::Conflict(_) => Refusal::Exists,
            StoreError::Finished(_) => Refusal::Ended,
            other => Refusal::Fault(crate::cause::told(&other)),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Refusal {
        Refusal::Fault(format!("write an upload: {error}"))
    }
}

/// A part of a list.
#[derive(Debug, Clone, Copy)]
pub struct Range {
    /// Entries to pass over.
    pub offset: u64,
    /// Entries at most.
    pub limit: u64,
}

impl Range {
    /// As the store takes it.
    fn numbers(self) -> (u32, u32) {
        let number = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        (number(self.offset), number(self.limit))
    }

    /// The part of a list that is all there.
    pub fn of<T>(self, list: Vec<T>) -> Vec<T> {
        let number = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
        list.into_iter().skip(number(self.offset)).take(number(self.limit)).collect()
    }
}
