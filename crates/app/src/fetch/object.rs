//! One object of a storage, read window by window.
//!
//! Every window is a request of its own for a range of the version that was there at first, so that a
//! connection never waits for a slow reader, and a break costs no more than its window. An object that
//! is replaced meanwhile is an error: never the beginning of one and the end of another.

use std::time::{Duration, Instant};

use axum::body::Bytes;
use object_store::aws::AmazonS3;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt};

use super::transfer::{BREAKS_MAX, pause, too_long};
use super::{Error, Limits, Outlet, Parcel, Version};
use crate::bucket::{self, Location};

/// Bytes that are asked for at once.
const WINDOW_BYTES: u64 = 4 << 20;

/// An object that is read.
struct Running {
    bucket: AmazonS3,
    path: Path,
    version: Version,
    size: u64,
    at: u64,
    /// In a row.
    breaks: u32,
    deadline: Option<Instant>,
}

/// What is there.
pub(super) async fn look(location: &Location, limits: &Limits) -> Result<Version, Error> {
    let (_, meta) = head(location, limits).await?;
    Ok(version_of(&meta))
}

/// Carries an object to its end.
pub(super) async fn carry(
    location: &Location,
    limits: Limits,
    expected: &Version,
    outlet: &Outlet,
) {
    let mut running = match begin(location, &limits, expected).await {
        Ok(running) => running,
        Err(error) => return drop(outlet.head.send(Err(error))),
    };
    drop(outlet.head.send(Ok(running.version.clone())));
    let last = loop {
        match running.next(location, &limits).await {
            // Waits where the reader is slow.
            Ok(Some(bytes)) => {
                if outlet.parcels.send(Parcel::Bytes(bytes)).is_err() {
                    return;
                }
            }
            Ok(None) => break Parcel::End,
            Err(error) => break Parcel::Failed(error),
        }
    };
    drop(outlet.parcels.send(last));
}

async fn begin(location: &Location, limits: &Limits, expected: &Version) -> Result<Running, Error> {
    let deadline = Instant::now().checked_add(limits.time_max);
    let (bucket, meta) = head(location, limits).await?;
    let version = version_of(&meta);
    if expected.differs(&version) {
        return Err(Error::Changed);
    }
    let (path, size) = (location.path(), meta.size);
    Ok(Running { bucket, path, version, size, at: 0, breaks: 0, deadline })
}

/// The bucket and what it says of the object, if that may be read.
async fn head(location: &Location, limits: &Limits) -> Result<(AmazonS3, ObjectMeta), Error> {
    let objects = limits.objects.as_ref().ok_or(Error::ForbiddenObject)?;
    let is_allowed = |allowed: &Vec<Location>| allowed.iter().any(|one| one.holds(location));
    if !objects.allowed.as_ref().is_none_or(is_allowed) {
        return Err(Error::ForbiddenObject);
    }
    let bucket = objects.storage.bucket(location.bucket()).map_err(Error::Storage)?;
    let meta = bucket.head(&location.path()).await.map_err(storage_error)?;
    match meta.size > limits.bytes_max {
        true => Err(Error::TooLarge(limits.bytes_max)),
        false => Ok((bucket, meta)),
    }
}

impl Running {
    /// The next window; nothing when all have come.
    async fn next(&mut self, location: &Location, limits: &Limits) -> Result<Option<Bytes>, Error> {
        if self.at == self.size {
            return Ok(None);
        }
        loop {
            let left = self.left(limits)?;
            let window = tokio::time::timeout(left, self.window()).await;
            let error = match window.unwrap_or_else(|_| Err(too_long(limits))) {
                Ok(bytes) => {
                    self.at += bytes.len() as u64;
                    self.breaks = 0;
                    return Ok(Some(bytes));
                }
                Err(error) if error.is_passing() => error,
                Err(error) => return Err(error),
            };
            self.breaks += 1;
            if self.breaks > BREAKS_MAX {
                return Err(Error::BrokenOff(self.at, error.to_string()));
            }
            tracing::info!(from = %location, at = self.at, %error, "a transfer broke off");
            tokio::time::sleep(pause(self.breaks)).await;
        }
    }

    async fn window(&self) -> Result<Bytes, Error> {
        let end = (self.at + WINDOW_BYTES).min(self.size);
        let options = GetOptions {
            range: Some(GetRange::Bounded(self.at..end)),
            if_match: self.version.etag.clone(),
            ..GetOptions::default()
        };
        let answer = self.bucket.get_opts(&self.path, options).await.map_err(storage_error)?;
        // Not every storage heeds the condition.
        if self.version.differs(&version_of(&answer.meta)) || answer.range != (self.at..end) {
            return Err(Error::Changed);
        }
        let bytes = answer.bytes().await.map_err(storage_error)?;
        match bytes.len() as u64 == end - self.at {
            true => Ok(bytes),
            false => Err(Error::Unreachable("its answer was cut short".to_owned())),
        }
    }

    /// The time that is left.
    fn left(&self, limits: &Limits) -> Result<Duration, Error> {
        let Some(deadline) = self.deadline else { return Ok(Duration::MAX) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(too_long(limits)) } else { Ok(left) }
    }
}

/// Where there is a tag it says all: an object that is stored once more with the same bytes has it too.
fn version_of(meta: &ObjectMeta) -> Version {
    let modified = meta.e_tag.is_none().then(|| meta.last_modified.timestamp().to_string());
    Version { size: Some(meta.size), etag: meta.e_tag.clone(), modified }
}

fn storage_error(error: object_store::Error) -> Error {
    match bucket::Error::from(error) {
        // It has become shorter than where it is read.
        bucket::Error::Changed | bucket::Error::Status(416, _) => Error::Changed,
        other => Error::Storage(other),
    }
}
