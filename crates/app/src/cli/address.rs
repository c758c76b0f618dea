//! A dump that the command line names by its URL, or by its place in object storage.
//!
//! The user chose the address, so every host may be asked, by the environment's proxies too. What is
//! secret in it has left the arguments before (`connection::hide_secrets`) and is in no message.

use dump::source::{Input, Source};
use engine::error::{Error, ErrorKind, Side};

use super::connection;
use crate::bucket::{self, Storage};
use crate::fetch::{self, Address, Limits, Objects};

/// Whether an argument names one.
pub fn is_meant(argument: &str) -> bool {
    Address::is_meant(argument)
}

/// The argument as it may be shown.
pub fn shown(argument: &str) -> String {
    match Address::parse(argument) {
        Ok(address) if is_meant(argument) => address.to_string(),
        _ => argument.to_owned(),
    }
}

/// Begins to read what is there.
pub fn open(argument: &str) -> Result<Input, Error> {
    let name = shown(argument);
    let address = Address::parse(&connection::whole_address(argument));
    let address = address.map_err(|error| failed(&name, &error))?;
    let objects = match address.object() {
        None => None,
        Some(location) => {
            let storage = Storage::of_environment(location.bucket());
            let storage = storage.map_err(|why| {
                Error::new(ErrorKind::Usage, Side::Input, format!("fetch {name}: {why}"))
            })?;
            Some(Objects { storage, allowed: None })
        }
    };
    let limits = Limits { objects, ..Limits::unrestricted() };
    let (version, body) =
        fetch::open(&address, &limits, None).map_err(|error| failed(&name, &error))?;
    Source::stream(name, version.size, body)
        .map_err(|error| Error::new(ErrorKind::Input, Side::Input, error.to_string()))
}

/// What is not there is a mistake in the arguments, as with paths.
fn failed(name: &str, error: &fetch::Error) -> Error {
    let kind = match error {
        fetch::Error::Malformed(_)
        | fetch::Error::Status(404 | 410)
        | fetch::Error::Storage(bucket::Error::Missing) => ErrorKind::Usage,
        _ => ErrorKind::Input,
    };
    Error::new(kind, Side::Input, format!("fetch {name}: {error}"))
}
