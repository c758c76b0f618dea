//! Uploads: files that accounts send, to be imported later.
//!
//! Promises: bytes go to disk as they come; a name is a name and never a path; an upload that broke
//! off can be continued where it broke off; a file is finished only when all of it is on disk, with
//! its SHA-256. A replaced or removed file stays on disk as long as an unfinished job needs it.

use std::io::{Read, Write};
use std::path::PathBuf;

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
    let upload = match part.from {
        0 => begin(app, account, name, part).await?,
        from => continued(app, account, name, from).await?,
    };
    let written = write(app, &upload, part, bytes).await;
    let received = std::fs::metadata(path(app, &upload.storage_key))?.len();
    app.store.advance_upload(account, upload.id, received).await?;
    written?;
    let is_whole = part.size.map_or(part.is_last, |size| received == size);
    if is_whole {
        let file = path(app, &upload.storage_key);
        let digest = tokio::task::spawn_blocking(move || digest(file)).await;
        let sha256 = digest.map_err(|error| Refusal::Fault(error.to_string()))??;
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

async fn write<E: std::fmt::Display>(
    app: &App,
    upload: &Upload,
    part: Part,
    mut bytes: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> Result<(), Refusal> {
    let file = std::fs::OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path(app, &upload.storage_key))?;
    // What is beyond it was never told to be in.
    file.set_len(part.from)?;
    let mut at = part.from;
    let most = part.size.unwrap_or(app.settings.upload_bytes_max);
    let mut file = Some(file);
    while let Some(bytes) = bytes.next().await {
        let bytes = bytes.map_err(|error| Refusal::Fault(format!("receive a file: {error}")))?;
        if at + bytes.len() as u64 > most {
            return Err(Refusal::TooLarge);
        }
        let Some(open) = file.take() else { break };
        let length = bytes.len() as u64;
        let written = tokio::task::spawn_blocking(move || append(open, at, &bytes)).await;
        file = Some(written.map_err(|error| Refusal::Fault(error.to_string()))??);
        at += length;
    }
    if let Some(file) = file {
        file.sync_all()?;
    }
    Ok(())
}

fn append(file: std::fs::File, at: u64, bytes: &[u8]) -> std::io::Result<std::fs::File> {
    let mut writer = &file;
    std::io::Seek::seek(&mut writer, std::io::SeekFrom::Start(at))?;
    writer.write_all(bytes)?;
    Ok(file)
}

fn digest(path: PathBuf) -> std::io::Result<String> {
    let mut file = std::fs::File::open(path)?;
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
    match std::fs::remove_file(path(app, storage_key)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
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
