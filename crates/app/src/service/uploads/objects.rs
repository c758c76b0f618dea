//! Uploads in object storage: one object each below a prefix, named by its key.
//!
//! A file that comes is sent in parts of one size (an upload of parts, as S3 calls it), so a process
//! holds one part of it and no more. What another process needs to go on is one object beside it,
//! `KEY.part`: the parts that are there, the digest so far, and the bytes after them, which are too
//! few for a part. It is replaced as a whole, so that it is always true; it is there before the first
//! part is, so that no part is forgotten; and it goes when the file is finished or removed.
//!
//! Deliberately not here: several parts at once; what a killed process leaves between the storage's
//! answer to a new upload of parts and `KEY.part`, which only the bucket's own rules can remove.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::aws::AmazonS3;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use serde::{Deserialize, Serialize};

use super::depot::{self, Found, Opened};
use super::digest::Digest;
use crate::bucket::{Error, Location, Storage};
use crate::service::Refusal;

/// Bytes of a part: at least, and at most. Storages want 5 MiB or more.
const PART_BYTES: (u64, u64) = (8 << 20, 64 << 20);
/// What a part's size is a multiple of.
const PART_STEP: u64 = 1 << 20;
/// Parts of a file, as S3 has it.
const PARTS_MAX: u64 = 10_000;
/// Bytes of a file.
pub const OBJECT_BYTES_MAX: u64 = PART_BYTES.1 * PARTS_MAX;
/// Bytes of what is kept beside a file, without its tail.
const HEAD_BYTES_MAX: u64 = 4 << 20;
/// Files that come in at once, in this process and of one account; each holds a part.
const RECEIVING_MAX: usize = 64;
const ACCOUNT_MAX: usize = 8;

/// The place.
pub struct Objects {
    storage: Storage,
    prefix: Location,
    bucket: Arc<AmazonS3>,
    receiving: Receiving,
}

/// How many files come in, by account.
type Receiving = Arc<Mutex<HashMap<i64, usize>>>;

/// One of those; gone when it is dropped.
struct Slot {
    account: i64,
    receiving: Receiving,
}

/// A file that bytes come in for.
pub struct Writing {
    bucket: Arc<AmazonS3>,
    object: Path,
    beside: Path,
    head: Head,
    /// What is in no part yet.
    tail: Vec<u8>,
    /// Of all that has come but the last bytes of the tail.
    digest: Digest,
    /// Bytes of the tail that are in it.
    digested: usize,
    /// Some of it was told to be kept before.
    is_continued: bool,
    _slot: Slot,
}

/// What is kept beside a file: a line of JSON, and the tail after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    /// The storage's name of the upload of parts; without one there is no part.
    upload: Option<String>,
    /// Bytes of each part.
    part_bytes: u64,
    /// What the storage calls them, in order.
    parts: Vec<String>,
    /// Of the parts.
    digest: Digest,
}

impl Objects {
    /// Asks nothing yet.
    pub fn open(storage: &Storage, prefix: Location) -> Result<Objects, Error> {
        let bucket = Arc::new(storage.bucket(prefix.bucket())?);
        Ok(Objects { storage: storage.clone(), prefix, bucket, receiving: Receiving::default() })
    }

    /// A new file of `most` bytes at most.
    pub fn begin(&self, account: i64, key: &str, most: u64) -> Result<Writing, Refusal> {
        let part_bytes = part_bytes(most).ok_or(Refusal::TooLarge)?;
        let head = Head { upload: None, part_bytes, parts: Vec::new(), digest: Digest::NEW };
        self.writing(account, key, head, Vec::new())
    }

    /// A file of which `from` bytes were kept.
    pub async fn go_on(&self, account: i64, key: &str, from: u64) -> Result<Opened, Refusal> {
        let Some((head, tail)) = self.kept(key).await? else { return Ok(Opened::Lost) };
        let there = head.parts.len() as u64 * head.part_bytes + tail.len() as u64;
        if there == from {
            let writing = self.writing(account, key, head, tail)?;
            return Ok(Opened::Here(depot::Writing::Objects(Box::new(writing))));
        }
        // What was kept is told after it was kept, and never less.
        Ok(if there > from { Opened::Further(there) } else { Opened::Lost })
    }

    /// Where a finished file is read.
    pub fn find(&self, key: &str) -> Found {
        Found::Object(self.storage.clone(), self.prefix.below(key))
    }

    /// Removes a file, its parts, and what is kept beside it: that last, for it names the parts.
    pub async fn remove(&self, key: &str) -> Result<(), Refusal> {
        let object = self.prefix.below(key).path();
        if let Some((Head { upload: Some(upload), .. }, _)) = self.kept(key).await? {
            gone(self.bucket.abort_multipart(&object, &upload).await)?;
        }
        gone(self.bucket.delete(&object).await)?;
        gone(self.bucket.delete(&self.beside(key)).await)
    }

    fn beside(&self, key: &str) -> Path {
        self.prefix.below(&format!("{key}.part")).path()
    }

    /// What is kept beside a file.
    async fn kept(&self, key: &str) -> Result<Option<(Head, Vec<u8>)>, Refusal> {
        let answer = match self.bucket.get(&self.beside(key)).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(refused(error)),
        };
        let strange = || Refusal::Fault("what is kept beside an upload is not ours".to_owned());
        if answer.meta.size > HEAD_BYTES_MAX + PART_BYTES.1 {
            return Err(strange());
        }
        let bytes = answer.bytes().await.map_err(refused)?;
        let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(strange)?;
        let head = serde_json::from_slice(&bytes[..end]).map_err(|_| strange())?;
        Ok(Some((head, bytes[end + 1..].to_vec())))
    }

    fn writing(
        &self,
        account: i64,
        key: &str,
        head: Head,
        tail: Vec<u8>,
    ) -> Result<Writing, Refusal> {
        let slot = Slot::take(&self.receiving, account)?;
        let (bucket, object) = (Arc::clone(&self.bucket), self.prefix.below(key).path());
        let (beside, digest) = (self.beside(key), head.digest);
        let is_continued = !tail.is_empty();
        let mut writing = Writing {
            bucket,
            object,
            beside,
            head,
            tail,
            digest,
            digested: 0,
            is_continued,
            _slot: slot,
        };
        writing.digest_more();
        Ok(writing)
    }
}

impl Writing {
    /// Takes in bytes, and sends each part that is full.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), Refusal> {
        let part_bytes = usize::try_from(self.head.part_bytes).unwrap_or(usize::MAX);
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(part_bytes - self.tail.len()));
            self.tail.extend_from_slice(now);
            self.digest_more();
            bytes = later;
            if self.tail.len() == part_bytes {
                self.send_part().await?;
            }
        }
        Ok(())
    }

    /// Writes down which parts are there; up to which byte they go.
    pub async fn note(&mut self) -> Result<u64, Refusal> {
        self.write_beside(&[]).await?;
        Ok(self.head.parts.len() as u64 * self.head.part_bytes)
    }

    /// Writes down all that has come.
    pub async fn keep(self) -> Result<(), Refusal> {
        self.write_beside(&self.tail).await
    }

    /// Makes an object of it; its SHA-256.
    pub async fn finish(mut self) -> Result<String, Refusal> {
        let sha256 = self.digest.finish(&self.tail[self.digested..]);
        if self.head.upload.is_none() {
            let tail = std::mem::take(&mut self.tail);
            self.bucket.put(&self.object, PutPayload::from(tail)).await.map_err(refused)?;
        } else {
            if !self.tail.is_empty() {
                self.send_part().await?;
            }
            let parts = std::mem::take(&mut self.head.parts);
            let parts = parts.into_iter().map(|content_id| PartId { content_id }).collect();
            let upload = self.head.upload.clone().unwrap_or_default();
            let completed = self.bucket.complete_multipart(&self.object, &upload, parts).await;
            completed.map_err(lost_or_refused)?;
        }
        if let Err(refusal) = gone(self.bucket.delete(&self.beside).await) {
            // The file is there all the same; this goes with it at the latest.
            tracing::warn!(?refusal, "remove what was kept beside an upload");
        }
        Ok(sha256)
    }

    fn digest_more(&mut self) {
        self.digested += self.digest.absorb(&self.tail[self.digested..]);
    }

    async fn send_part(&mut self) -> Result<(), Refusal> {
        if self.head.parts.len() as u64 == PARTS_MAX {
            return Err(Refusal::TooLarge);
        }
        let upload = match &self.head.upload {
            Some(upload) => upload.clone(),
            None => {
                let upload = self.bucket.create_multipart(&self.object).await.map_err(refused)?;
                self.head.upload = Some(upload.clone());
                // What was told to be kept is kept until it is in a part.
                let kept = if self.is_continued { self.tail.as_slice() } else { &[] };
                self.write_beside(kept).await?;
                upload
            }
        };
        let (number, tail) = (self.head.parts.len(), std::mem::take(&mut self.tail));
        let sent = self.bucket.put_part(&self.object, &upload, number, PutPayload::from(tail));
        let part = sent.await.map_err(lost_or_refused)?;
        self.head.parts.push(part.content_id);
        (self.head.digest, self.digested) = (self.digest, 0);
        Ok(())
    }

    async fn write_beside(&self, tail: &[u8]) -> Result<(), Refusal> {
        let head = serde_json::to_vec(&self.head);
        let mut bytes = head.map_err(|error| Refusal::Fault(error.to_string()))?;
        bytes.push(b'\n');
        bytes.extend_from_slice(tail);
        self.bucket.put(&self.beside, PutPayload::from(bytes)).await.map_err(refused)?;
        Ok(())
    }
}

impl Slot {
    fn take(receiving: &Receiving, account: i64) -> Result<Slot, Refusal> {
        let mut held = receiving.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = held.values().sum();
        let own = held.entry(account).or_default();
        if all >= RECEIVING_MAX || *own >= ACCOUNT_MAX {
            return Err(Refusal::TooMany);
        }
        *own += 1;
        Ok(Slot { account, receiving: Arc::clone(receiving) })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut held = self.receiving.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = held.get_mut(&self.account) {
            *own -= 1;
        }
        held.retain(|_, own| *own > 0);
    }
}

/// The size of parts of which a file of `most` bytes has no more than a storage takes.
fn part_bytes(most: u64) -> Option<u64> {
    let (least, largest) = PART_BYTES;
    let size = most.div_ceil(PARTS_MAX).next_multiple_of(PART_STEP).max(least);
    (size <= largest).then_some(size)
}

/// What is not there any more is removed.
fn gone(removed: Result<(), object_store::Error>) -> Result<(), Refusal> {
    match removed.map_err(Error::from) {
        Ok(()) | Err(Error::Missing) => Ok(()),
        Err(error) => Err(fault(&error)),
    }
}

/// The storage may have dropped the parts that it had.
fn lost_or_refused(error: object_store::Error) -> Refusal {
    match Error::from(error) {
        Error::Missing => Refusal::NoFile,
        error => fault(&error),
    }
}

fn refused(error: object_store::Error) -> Refusal {
    fault(&Error::from(error))
}

fn fault(error: &Error) -> Refusal {
    Refusal::Fault(format!("keep an upload: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_as_small_as_their_number_allows() {
        let mebibyte = 1 << 20;
        for (most, size) in [(0, 8), (80_000 << 20, 8), ((80_000 << 20) + 1, 9), (100 << 30, 11)] {
            assert_eq!(part_bytes(most), Some(size * mebibyte), "{most}");
        }
        assert_eq!(part_bytes(OBJECT_BYTES_MAX), Some(64 * mebibyte));
        assert_eq!(part_bytes(OBJECT_BYTES_MAX + 1), None);
    }

    #[test]
    fn an_account_does_not_take_all_places() {
        let receiving = Receiving::default();
        let take = |account| Slot::take(&receiving, account);
        let mut held: Vec<Slot> = (0..ACCOUNT_MAX).map(|_| take(1).ok().unwrap()).collect();
        assert!(take(1).is_err());
        held.pop();
        held.push(take(1).ok().unwrap());
        for account in 2..=RECEIVING_MAX / ACCOUNT_MAX {
            held.extend((0..ACCOUNT_MAX).map(|_| take(account as i64).ok().unwrap()));
        }
        assert!(take(99).is_err());
        held.clear();
        assert!(take(99).is_ok());
        assert!(receiving.lock().unwrap().is_empty());
    }
}
