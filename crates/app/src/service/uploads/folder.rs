//! Uploads in a folder: one file each, named by its key.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Bytes;
use sha2::{Digest, Sha256};

use crate::private::make_folder;
use crate::service::Refusal;

/// Bytes that are read at once when a file is digested.
const READ_BYTES: usize = 1 << 20;

/// The folder.
pub struct Folder {
    path: PathBuf,
}

/// A file that bytes come in for.
pub struct Writing {
    file: Arc<File>,
    path: PathBuf,
    at: u64,
}

impl Folder {
    /// Makes it if need be.
    pub fn open(path: PathBuf) -> Result<Folder, String> {
        make_folder(&path)?;
        Ok(Folder { path })
    }

    /// Where a file is.
    pub fn path(&self, key: &str) -> PathBuf {
        self.path.join(key)
    }

    /// Opens a file to write from `from` on; what is beyond was never told to be in.
    pub async fn writing(&self, key: &str, from: u64) -> Result<Writing, Refusal> {
        let path = self.path(key);
        aside(move || {
            let mut file = File::options().create(true).write(true).truncate(false).open(&path)?;
            file.set_len(from)?;
            file.seek(SeekFrom::Start(from))?;
            Ok(Writing { file: Arc::new(file), path, at: from })
        })
        .await
    }

    /// Removes a file.
    pub async fn remove(&self, key: &str) -> Result<(), Refusal> {
        let path = self.path(key);
        aside(move || match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        })
        .await
    }
}

impl Writing {
    /// Writes bytes. After an error it is not known what of them is on disk.
    pub async fn write(&mut self, bytes: Bytes) -> Result<(), Refusal> {
        self.at += bytes.len() as u64;
        let file = Arc::clone(&self.file);
        aside(move || (&*file).write_all(&bytes)).await
    }

    /// Waits until what has come is on disk; up to which byte that is.
    pub async fn note(&self) -> Result<u64, Refusal> {
        let file = Arc::clone(&self.file);
        aside(move || file.sync_data()).await?;
        Ok(self.at)
    }

    /// Waits until all that has come is on disk.
    pub async fn keep(self) -> Result<(), Refusal> {
        aside(move || self.file.sync_all()).await
    }

    /// The same; the file's SHA-256.
    pub async fn finish(self) -> Result<String, Refusal> {
        aside(move || {
            self.file.sync_all()?;
            digest(&self.path)
        })
        .await
    }
}

fn digest(path: &Path) -> std::io::Result<String> {
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

/// Lets the disk be waited for where nobody else waits.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => Ok(outcome?),
        Err(error) => Err(Refusal::Fault(error.to_string())),
    }
}
