//! Uploads: files that accounts send, to be imported later.
//!
//! Promises: bytes go to disk as they come; a name is a name and never a path; an upload that broke
//! off can be continued where it broke off; a file is finished only when all of it is on disk, with
//! its SHA-256. A replaced or removed file stays on disk as long as an unfinished job needs it.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use axum::body::Bytes;
use futures_util::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use store::{Error as StoreError, JobFilter, NewUpload, Page, State, Upload, UploadState};

use super::imports::{self, Payload};
use super::{Range, Refusal};
use crate::app::App;
use crate::clock::random_hex;

/// Bytes that are read at once when a file is digested.
const READ_BYTES: usize = 1 << 20;
/// Bytes after which the store is told how far a file has come: where it goes on if this process dies.
const NOTED_BYTES: u64 = 64 << 20;
/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;
/// Expired uploads that are deleted in one go.
const EXPIRED_MAX: u32 = 100;

/// Which part of a file comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Where it begins in the file.
    pub from: u64,
    /// Bytes of the whole file, if known.
    pub size: Option<u64>,
    /// It is all that comes now: the file is whole after it.
    pub is_last: bool,
}

/// An account's upload, whole or not.
pub async fn find(app: &App, account: i64, name: &str) -> Result<Upload, Refusal> {
    app.store.upload(account, name).await.map_err(|error| match error {
        StoreError::NotFound => Refusal::NoFile,
        other => other.into(),
    })
}

/// An account's upload that has come whole.
pub async fn finished(app: &App, account: i64, name: &str) -> Result<Upload, Refusal> {
    let upload = find(app, account, name).await?;
    match upload.state {
        UploadState::Finished => Ok(upload),
        UploadState::Receiving => Err(Refusal::NoFile),
    }
}

/// An account's uploads.
pub async fn list(app: &App, account: i64, range: Range) -> Result<Page<Upload>, Refusal> {
    let (offset, limit) = range.numbers();
    Ok(app.store.uploads(account, offset, limit).await?)
}

/// Where an upload's bytes are.
pub fn path(app: &App, storage_key: &str) -> PathBuf {
    app.settings.uploads().join(storage_key)
}

/// Takes in a part of a file.
pub async fn receive<E: std::fmt::Display>(
    app: &App,
    account: i64,
    name: &str,
    part: Part,
    bytes: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<Upload, Refusal> {
    check_name(name)?;
    if part.size.is_some_and(|size| size > app.settings.upload_bytes_max) {
        return Err(Refusal::TooLarge);
    }
    // Two senders of one file would write through each other's bytes.
    let receiving = app.receiving.of(name, Some(&account.to_string()));
    let Ok(_held) = receiving.try_lock_owned() else { return Err(Refusal::Receiving) };
    let upload = match part.from {
        0 => begin(app, account, name, part).await?,
        from => continued(app, account, name, from).await?,
    };
    let (received, written) = write(app, &upload, part, bytes).await;
    app.store.advance_upload(account, upload.id, received).await?;
    written?;
    let is_whole = part.size.map_or(part.is_last, |size| received == size);
    if is_whole {
        let file = path(app, &upload.storage_key);
        let sha256 = aside(move || digest(file)).await?;
        let now = app.clock.now_ms();
        app.store.finish_upload(account, upload.id, received, &sha256, now).await?;
    }
    find(app, account, name).await
}

/// Removes an upload.
pub async fn remove(app: &App, account: i64, name: &str) -> Result<(), Refusal> {
    let key = app.store.remove_upload(account, name).await.map_err(|error| match error {
        StoreError::NotFound => Refusal::NoFile,
        other => other.into(),
    })?;
    discard(app, account, &key).await
}

/// Removes uploads that are older than the settings allow.
pub async fn remove_expired(app: &App) -> Result<(), Refusal> {
    for upload in app.store.expired_uploads(app.clock.now_ms(), EXPIRED_MAX).await? {
        if !is_needed(app, upload.account, &upload.storage_key).await? {
            remove(app, upload.account, &upload.name).await?;
        }
    }
    Ok(())
}

/// A file's name: no path, nothing that a shell or a header would stumble over.
fn check_name(name: &str) -> Result<(), Refusal> {
    const NAME_MAX: usize = 255;
    let is_fine = |c: char| c.is_alphanumeric() || "._-+@ ()".contains(c);
    let is_name = !name.is_empty()
        && name.len() <= NAME_MAX
        && name.chars().all(is_fine)
        && !name.starts_with(['.', ' '])
        && !name.ends_with(' ');
    if is_name { Ok(()) } else { Err(Refusal::Invalid("the file's name")) }
}

async fn begin(app: &App, account: i64, name: &str, part: Part) -> Result<Upload, Refusal> {
    if let Ok(unfinished) = find(app, account, name).await
        && unfinished.state == UploadState::Receiving
    {
        remove(app, account, name).await?;
    }
    let now = app.clock.now_ms();
    let new = NewUpload {
        name,
        storage_key: &random_hex(),
        size_bytes: part.size,
        replace: true,
        expires_at: now + i64::from(app.settings.upload_days) * DAY_MS,
    };
    let begun = app.store.begin_upload(account, &new, now).await?;
    if let Some(key) = begun.replaced_key {
        discard(app, account, &key).await?;
    }
    Ok(begun.upload)
}

async fn continued(app: &App, account: i64, name: &str, from: u64) -> Result<Upload, Refusal> {
    let upload = find(app, account, name).await?;
    match upload.state {
        UploadState::Receiving if upload.received_bytes == from => Ok(upload),
        UploadState::Receiving => Err(Refusal::WrongOffset(upload.received_bytes)),
        UploadState::Finished => Err(Refusal::Exists),
    }
}

/// Writes bytes as they come: how far the file is on disk, and what went wrong.
async fn write<E: std::fmt::Display>(
    app: &App,
    upload: &Upload,
    part: Part,
    mut bytes: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> (u64, Result<(), Refusal>) {
    let path = path(app, &upload.storage_key);
    let opened = aside(move || open_at(&path, part.from)).await;
    let mut file = match opened {
        Ok(file) => file,
        Err(refusal) => return (part.from, Err(refusal)),
    };
    let (mut at, mut noted, mut outcome) = (part.from, part.from, Ok(()));
    let most = part.size.unwrap_or(app.settings.upload_bytes_max);
    while let Some(chunk) = bytes.next().await {
        let chunk = match chunk {
            Ok(chunk) if at + chunk.len() as u64 <= most => chunk,
            Ok(_) => {
                outcome = Err(Refusal::TooLarge);
                break;
            }
            Err(error) => {
                outcome = Err(Refusal::BrokenOff(error.to_string()));
                break;
            }
        };
        let length = chunk.len() as u64;
        file = match aside(move || file.write_all(&chunk).map(|()| file)).await {
            Ok(file) => file,
            // What of the chunk is on disk is not known: the next part writes over it.
            Err(refusal) => return (noted, Err(refusal)),
        };
        at += length;
        if at - noted >= NOTED_BYTES {
            file = match note(app, upload, file, at).await {
                Ok(file) => file,
                Err(refusal) => return (noted, Err(refusal)),
            };
            noted = at;
        }
    }
    match aside(move || file.sync_all()).await {
        Ok(()) => (at, outcome),
        Err(refusal) => (noted, Err(refusal)),
    }
}

/// Tells the store how far a file has come, once that is on disk.
async fn note(app: &App, upload: &Upload, file: File, at: u64) -> Result<File, Refusal> {
    let file = aside(move || file.sync_data().map(|()| file)).await?;
    app.store.advance_upload(upload.account, upload.id, at).await?;
    Ok(file)
}

/// Opens a file to write from `from` on; what is beyond was never told to be in.
fn open_at(path: &Path, from: u64) -> std::io::Result<File> {
    let mut file = File::options().create(true).write(true).truncate(false).open(path)?;
    file.set_len(from)?;
    file.seek(SeekFrom::Start(from))?;
    Ok(file)
}

/// Lets the disk be waited for where nobody else waits.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => Ok(outcome?),
        Err(error) => Err(Refusal::Fault(error.to_string())),
    }
}

fn digest(path: PathBuf) -> std::io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer)? {
            0 => break,
            read => digest.update(&buffer[..read]),
        }
    }
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Deletes a file that no upload has any more, unless a job still needs it.
async fn discard(app: &App, account: i64, storage_key: &str) -> Result<(), Refusal> {
    if is_needed(app, account, storage_key).await? {
        return Ok(());
    }
    let path = path(app, storage_key);
    aside(move || match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    })
    .await
}

async fn is_needed(app: &App, account: i64, storage_key: &str) -> Result<bool, Refusal> {
    let filter = JobFilter {
        kind: Some(imports::KIND),
        states: &[State::Queued, State::Running],
        ..JobFilter::ALL
    };
    let jobs = app.store.jobs(account, &filter, 0, store::PAGE_MAX).await?;
    Ok(jobs.items.iter().any(|job| {
        let payload: Option<Payload> = serde_json::from_str(&job.payload).ok();
        payload.is_some_and(|payload| payload.storage_key == storage_key)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        for name in ["dump.sql", "dump-2026_11.sql.gz", "größe (1).sql", "a b.sql"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = "x".repeat(256);
        for name in
            ["", ".", "..", "../a", "a/b", "a\\b", ".hidden", "a\nb", "a\0", " a", "a ", &long]
        {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
