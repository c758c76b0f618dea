//! Where the bytes of uploads are: a folder of this machine, or object storage.
//!
//! Promises, the same of both: what was told to be kept is there after a kill, at the key under which
//! it was sent; bytes beyond that are nobody's; a file that is finished has the digest that was told.

use std::path::PathBuf;

use axum::body::Bytes;

use super::folder::{self, Folder};
use super::objects::{self, Objects};
use crate::bucket::{Location, Storage};
use crate::config::Settings;
use crate::service::Refusal;

/// The place of all uploads.
pub enum Depot {
    /// In the data folder.
    Folder(Folder),
    /// In a bucket.
    Objects(Objects),
}

/// A file that bytes come in for.
pub enum Writing {
    /// Into the folder.
    Folder(folder::Writing),
    /// Into the bucket.
    Objects(Box<objects::Writing>),
}

/// What there is of a file that is to be continued.
pub enum Opened {
    /// All of it, and bytes can come.
    Here(Writing),
    /// More was kept than was told: so many bytes.
    Further(u64),
    /// The storage has lost it.
    Lost,
}

/// Where a job finds a file.
pub enum Found {
    /// At a path.
    File(PathBuf),
    /// As an object.
    Object(Storage, Location),
}

impl Depot {
    /// The place that the settings name, which is made if it is a folder.
    pub fn open(settings: &Settings, storage: Option<&Storage>) -> Result<Depot, String> {
        match (settings.s3.uploads()?, storage) {
            (Some(location), Some(storage)) => {
                Objects::open(storage, location).map(Depot::Objects).map_err(|e| e.to_string())
            }
            _ => Folder::open(settings.uploads()).map(Depot::Folder),
        }
    }

    /// A new file of `size` bytes, or of `most` at most.
    pub async fn begin(&self, account: i64, key: &str, most: u64) -> Result<Writing, Refusal> {
        match self {
            Depot::Folder(folder) => folder.writing(key, 0).await.map(Writing::Folder),
            Depot::Objects(objects) => {
                objects.begin(account, key, most).map(|new| Writing::Objects(Box::new(new)))
            }
        }
    }

    /// A file of which `from` bytes were kept.
    pub async fn go_on(&self, account: i64, key: &str, from: u64) -> Result<Opened, Refusal> {
        match self {
            Depot::Folder(folder) => {
                let writing = folder.writing(key, from).await?;
                Ok(Opened::Here(Writing::Folder(writing)))
            }
            Depot::Objects(objects) => objects.go_on(account, key, from).await,
        }
    }

    /// Where a finished file is read.
    pub fn find(&self, key: &str) -> Found {
        match self {
            Depot::Folder(folder) => Found::File(folder.path(key)),
            Depot::Objects(objects) => objects.find(key),
        }
    }

    /// Removes all of a file, finished or not. That nothing is there is fine.
    pub async fn remove(&self, key: &str) -> Result<(), Refusal> {
        match self {
            Depot::Folder(folder) => folder.remove(key).await,
            Depot::Objects(objects) => objects.remove(key).await,
        }
    }
}

impl Writing {
    /// Takes in bytes. After an error only what was noted or kept is certain to be there.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Refusal> {
        match self {
            Writing::Folder(writing) => writing.write(bytes).await,
            Writing::Objects(writing) => writing.write(&bytes).await,
        }
    }

    /// Makes most of what has come last, at little cost: up to which byte.
    pub async fn note(&mut self) -> Result<u64, Refusal> {
        match self {
            Writing::Folder(writing) => writing.note().await,
            Writing::Objects(writing) => writing.note().await,
        }
    }

    /// Makes all that has come last; others are to come later.
    pub async fn keep(self) -> Result<(), Refusal> {
        match self {
            Writing::Folder(writing) => writing.keep().await,
            Writing::Objects(writing) => writing.keep().await,
        }
    }

    /// Makes a file of what has come, for good; its SHA-256 in hexadecimal digits.
    pub async fn finish(self) -> Result<String, Refusal> {
        match self {
            Writing::Folder(writing) => writing.finish().await,
            Writing::Objects(writing) => writing.finish().await,
        }
    }
}
