//! Uploads: files that accounts send, to be imported later.
//!
//! Promises: bytes go to the [`Depot`] as they come; a name is a name and never a path; an upload that
//! broke off can be continued where it broke off; a file is finished only when all of it is there to
//! last, with its SHA-256. A replaced or removed file stays as long as an unfinished job needs it.

pub mod depot;
mod digest;
mod folder;
pub mod objects;

use axum::body::Bytes;
use futures_util::{Stream, StreamExt};
use store::{Error as StoreError, JobFilter, NewUpload, Page, State, Upload, UploadState};

use super::imports::{self, Payload};
use super::{Range, Refusal};
use crate::app::App;
use crate::clock::random_hex;
pub use depot::Depot;
use depot::{Opened, Writing};

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
    let (upload, writing) = match part.from {
        0 => begin(app, account, name, part).await?,
        from => continued(app, account, name, from).await?,
    };
    let (received, written) = write(app, &upload, writing, part, bytes).await;
    app.store.advance_upload(account, upload.id, received).await?;
    match written {
        Ok(Some(sha256)) => {
            let now = app.clock.now_ms();
            app.store.finish_upload(account, upload.id, received, &sha256, now).await?;
        }
        Ok(None) => {}
        // What the depot has lost can only be sent anew.
        Err(Refusal::NoFile) => {
            remove(app, account, name).await?;
            return Err(Refusal::NoFile);
        }
        Err(refusal) => return Err(refusal),
    }
    find(app, account, name).await
}

/// Removes an upload.
pub async fn remove(app: &App, account: i64, name: &str) -> Result<(), Refusal> {
    let upload = find(app, account, name).await?;
    if upload.state == UploadState::Receiving {
        // No job has it, and killed in between nothing of it is left that nobody knows of.
        app.depot.remove(&upload.storage_key).await?;
    }
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

async fn begin(
    app: &App,
    account: i64,
    name: &str,
    part: Part,
) -> Result<(Upload, Writing), Refusal> {
    let storage_key = random_hex();
    let most = part.size.unwrap_or(app.settings.upload_bytes_max);
    // First, because it may be refused: then what is there stays.
    let writing = app.depot.begin(account, &storage_key, most).await?;
    if let Ok(unfinished) = find(app, account, name).await
        && unfinished.state == UploadState::Receiving
    {
        remove(app, account, name).await?;
    }
    let now = app.clock.now_ms();
    let new = NewUpload {
        name,
        storage_key: &storage_key,
        size_bytes: part.size,
        replace: true,
        expires_at: now + i64::from(app.settings.upload_days) * DAY_MS,
    };
    let begun = match app.store.begin_upload(account, &new, now).await {
        Ok(begun) => begun,
        Err(error) => {
            app.depot.remove(&storage_key).await?;
            return Err(error.into());
        }
    };
    if let Some(key) = begun.replaced_key {
        discard(app, account, &key).await?;
    }
    Ok((begun.upload, writing))
}

async fn continued(
    app: &App,
    account: i64,
    name: &str,
    from: u64,
) -> Result<(Upload, Writing), Refusal> {
    let upload = find(app, account, name).await?;
    match upload.state {
        UploadState::Receiving if upload.received_bytes == from => {}
        UploadState::Receiving => return Err(Refusal::WrongOffset(upload.received_bytes)),
        UploadState::Finished => return Err(Refusal::Exists),
    }
    match app.depot.go_on(account, &upload.storage_key, from).await? {
        Opened::Here(writing) => Ok((upload, writing)),
        // The process that kept it died before it could tell.
        Opened::Further(there) => {
            app.store.advance_upload(account, upload.id, there).await?;
            Err(Refusal::WrongOffset(there))
        }
        Opened::Lost => {
            remove(app, account, name).await?;
            Err(Refusal::NoFile)
        }
    }
}

/// Writes bytes as they come: up to where the file is there to last, and its digest if that is all of
/// it, or what went wrong.
async fn write<E: std::fmt::Display>(
    app: &App,
    upload: &Upload,
    mut writing: Writing,
    part: Part,
    mut bytes: impl Stream<Item = Result<Bytes, E>> + Unpin,
) -> (u64, Result<Option<String>, Refusal>) {
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
        at += chunk.len() as u64;
        if let Err(refusal) = writing.write(chunk).await {
            // What of the chunk is there is not known: the next part writes over it.
            return (noted, Err(refusal));
        }
        if at - noted >= NOTED_BYTES {
            match note(app, upload, &mut writing).await {
                Ok(there) => noted = noted.max(there),
                Err(refusal) => return (noted, Err(refusal)),
            }
        }
    }
    let is_whole = part.size.map_or(part.is_last, |size| at == size);
    let kept = match (&outcome, is_whole) {
        (Ok(()), true) => writing.finish().await.map(Some),
        _ => writing.keep().await.map(|()| None),
    };
    match kept {
        Ok(sha256) => (at, outcome.map(|()| sha256)),
        Err(refusal) => (noted, Err(refusal)),
    }
}

/// Tells the store how far a file has come, once that is there to last.
async fn note(app: &App, upload: &Upload, writing: &mut Writing) -> Result<u64, Refusal> {
    let there = writing.note().await?;
    // A part that began before may have told more.
    if there > upload.received_bytes {
        app.store.advance_upload(upload.account, upload.id, there).await?;
    }
    Ok(there)
}

/// Deletes a file that no upload has any more, unless a job still needs it.
async fn discard(app: &App, account: i64, storage_key: &str) -> Result<(), Refusal> {
    if is_needed(app, account, storage_key).await? {
        return Ok(());
    }
    app.depot.remove(storage_key).await
}

async fn is_needed(app: &App, account: i64, storage_key: &str) -> Result<bool, Refusal> {
    let filter = JobFilter {
        kind: Some(imports::KIND),
        states: &[State::Queued, State::Running],
        ..JobFilter::ALL
    };
    let jobs = app.store.jobs(account, &filter, 0, store::OPEN_JOBS_MAX).await?;
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
