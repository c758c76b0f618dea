//! Uploads: the record of each file that an account has sent.
//!
//! Promises: a name is an account's own and stands for one upload; the key of the file in the
//! storage is unique, and whoever replaces or removes an upload learns which file is now nobody's.
//!
//! Deliberately not here: the files; whether a job reads one.

use crate::database::{met, retry};
use crate::limit;
use crate::statement::{Row, sql};
use crate::{Conflict, Error, Page, Result, Store};

/// Characters of a name and of a storage key.
const NAME_MAX: usize = 255;
/// Hexadecimal digits of a SHA-256 digest.
const SHA256_DIGITS: usize = 64;
const COLUMNS: &str = "id, account, name, state, size_bytes, received_bytes, sha256, storage_key,
    created_at, finished_at, expires_at";

/// How far an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UploadState {
    /// Bytes are still to come.
    Receiving,
    /// It is complete.
    Finished,
}

/// An upload to be begun.
#[derive(Debug, Clone, Copy)]
pub struct NewUpload<'a> {
    /// 1 to 255 characters, unique in the account.
    pub name: &'a str,
    /// Where the bytes will be, at most 255 characters, unique in the store; not read here.
    pub storage_key: &'a str,
    /// Its size, when the sender has said so.
    pub size_bytes: Option<u64>,
    /// Whether it takes the place of a finished upload of the same name.
    pub replace: bool,
    /// When it may be deleted.
    pub expires_at: i64,
}

/// An upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// Counts up; a replaced upload's id is not used again.
    pub id: i64,
    /// Whose it is.
    pub account: i64,
    /// Unique in the account.
    pub name: String,
    /// How far it is.
    pub state: UploadState,
    /// Announced at first, then counted.
    pub size_bytes: Option<u64>,
    /// Bytes that are there.
    pub received_bytes: u64,
    /// SHA-256 in small hexadecimal digits, once finished.
    pub sha256: Option<String>,
    /// Where the bytes are.
    pub storage_key: String,
    /// When it was begun.
    pub created_at: i64,
    /// When it was finished.
    pub finished_at: Option<i64>,
    /// When it may be deleted.
    pub expires_at: i64,
}

/// An upload that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begun {
    /// The new upload.
    pub upload: Upload,
    /// Where the bytes of the one it replaces are.
    pub replaced_key: Option<String>,
}

impl UploadState {
    fn of_name(name: &str) -> Result<Self> {
        match name {
            "receiving" => Ok(Self::Receiving),
            "finished" => Ok(Self::Finished),
            _ => Err(Error::Corrupt("upload's state")),
        }
    }
}

impl NewUpload<'_> {
    fn check(&self) -> Result<()> {
        limit::name("the upload's name", self.name, NAME_MAX)?;
        limit::name("the storage key", self.storage_key, NAME_MAX)
    }
}

impl Store {
    /// Begins an upload.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when the name stands for a finished upload that is not to be replaced
    /// or for one still being received, or when the storage key is taken; [`Error::NotFound`] when
    /// there is no such account; [`Error::Invalid`].
    pub async fn begin_upload(&self, account: i64, new: &NewUpload<'_>, now: i64) -> Result<Begun> {
        new.check()?;
        let size = new.size_bytes.map(|size| limit::bytes("the size", size)).transpose()?;
        retry(|| async move {
            let mut tx = self.database.begin().await?;
            let query = sql("SELECT storage_key, state FROM upload WHERE account = ? AND name = ?");
            let old = tx.one(query.int(account).text(new.name)).await?;
            let mut replaced_key = None;
            if let Some(old) = old {
                let key = old.text("storage_key")?;
                let state = UploadState::of_name(&old.text("state")?)?;
                if !new.replace || state != UploadState::Finished {
                    return Err(Error::Conflict(Conflict::Exists));
                }
                let remove = sql("DELETE FROM upload WHERE storage_key = ?");
                met(tx.run(remove.text(&key)).await?)?;
                replaced_key = Some(key);
            }
            let insert = sql("INSERT INTO upload (account, name, state, size_bytes,
                 received_bytes, storage_key, created_at, expires_at)
                 VALUES (?, ?, 'receiving', ?, 0, ?, ?, ?)")
            .int(account)
            .text(new.name)
            .int(size)
            .text(new.storage_key)
            .int(now)
            .int(new.expires_at);
            tx.run(insert).await?;
            let query = sql("SELECT ").then(COLUMNS).then(" FROM upload WHERE storage_key = ?");
            let row = tx.one(query.text(new.storage_key)).await?;
            let upload = upload(&row.ok_or(Error::Corrupt("upload"))?)?;
            tx.commit().await?;
            Ok(Begun { upload, replaced_key })
        })
        .await
    }

    /// Notes that `received_bytes` of an upload are there.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it is another account's, finished, removed or replaced, or when
    /// more bytes were there already.
    pub async fn advance_upload(&self, account: i64, id: i64, received_bytes: u64) -> Result<()> {
        let received = limit::bytes("the received bytes", received_bytes)?;
        let change = sql("UPDATE upload SET received_bytes = ?
             WHERE account = ? AND id = ? AND state = 'receiving' AND received_bytes <= ?");
        met(self.database.run(change.int(received).int(account).int(id).int(received)).await?)
    }

    /// Finishes an upload of `size_bytes` with this digest (64 small hexadecimal digits).
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it is another account's, finished, removed or replaced;
    /// [`Error::Invalid`].
    pub async fn finish_upload(
        &self,
        account: i64,
        id: i64,
        size_bytes: u64,
        sha256: &str,
        now: i64,
    ) -> Result<()> {
        let is_digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if sha256.len() != SHA256_DIGITS || !sha256.chars().all(is_digit) {
            return Err(Error::Invalid {
                what: "the digest",
                why: "is not 64 small hexadecimal digits",
            });
        }
        let size = limit::bytes("the size", size_bytes)?;
        let change = sql("UPDATE upload SET state = 'finished', size_bytes = ?,
             received_bytes = ?, sha256 = ?, finished_at = ?
             WHERE account = ? AND id = ? AND state = 'receiving'")
        .int(size)
        .int(size)
        .text(sha256)
        .int(now)
        .int(account)
        .int(id);
        met(self.database.run(change).await?)
    }

    /// An account's upload of that name.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn upload(&self, account: i64, name: &str) -> Result<Upload> {
        let query = sql("SELECT ").then(COLUMNS);
        let query = query.then(" FROM upload WHERE account = ? AND name = ?");
        let row = self.database.one(query.int(account).text(name)).await?;
        upload(&row.ok_or(Error::NotFound)?)
    }

    /// An account's uploads, newest first.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn uploads(&self, account: i64, offset: u32, limit: u32) -> Result<Page<Upload>> {
        let items = sql("SELECT ").then(COLUMNS);
        let items = items.then(" FROM upload WHERE account = ? ORDER BY id DESC").int(account);
        let total = sql("SELECT COUNT(*) AS total FROM upload WHERE account = ?").int(account);
        self.database.page(items, offset, limit, total, upload).await
    }

    /// Removes an upload, whoever uses it; gives the key of its file, which is now nobody's.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn remove_upload(&self, account: i64, name: &str) -> Result<String> {
        let upload = self.upload(account, name).await?;
        let remove = sql("DELETE FROM upload WHERE account = ? AND id = ?");
        met(self.database.run(remove.int(account).int(upload.id)).await?)?;
        Ok(upload.storage_key)
    }

    /// Uploads of all accounts whose time was over at `now`, longest over first.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn expired_uploads(&self, now: i64, limit: u32) -> Result<Vec<Upload>> {
        let query = sql("SELECT ").then(COLUMNS);
        let query =
            query.then(" FROM upload WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?");
        let query = query.int(now).int(i64::from(limit.min(limit::PAGE_MAX)));
        self.database.all(query).await?.iter().map(upload).collect()
    }
}

fn upload(row: &Row) -> Result<Upload> {
    Ok(Upload {
        id: row.int("id")?,
        account: row.int("account")?,
        name: row.text("name")?,
        state: UploadState::of_name(&row.text("state")?)?,
        size_bytes: row.optional_count("size_bytes")?,
        received_bytes: row.count("received_bytes")?,
        sha256: row.optional_text("sha256")?,
        storage_key: row.text("storage_key")?,
        created_at: row.int("created_at")?,
        finished_at: row.optional_int("finished_at")?,
        expires_at: row.int("expires_at")?,
    })
}
