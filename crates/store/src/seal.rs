//! Sealing: how secrets rest in the database, and the file with the key.
//!
//! Promises: a sealed value opens only with the same key and only in the table, column and row it
//! was sealed for; nothing here shows a secret in `Debug`; a key file that others may read is
//! refused.
//!
//! Whoever holds a key holds a lock on its file too, so that it is not changed meanwhile
//! ([`rotation`]).
//!
//! Deliberately not here: rolling a row back to an older value of its own, which sealing cannot see.

use crate::limit::SECRET_BYTES_MAX;
use crate::statement::sql;
use crate::{Error, Result, Store};
use aws_lc_rs::aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey};
use std::fmt;
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub(crate) mod rotation;

/// Bytes of a key and of its file.
const KEY_BYTES: usize = 32;
/// Bytes of AES-GCM's nonce.
const NONCE_BYTES: usize = 12;
/// The first byte of a sealed value: how the rest is made.
const FORMAT: u8 = 1;
/// What a new store seals, to know its key again.
const CHECK: &[u8] = b"dbferry";

/// Where that is kept.
const CHECK_PLACE: Place<'static> = Place { table: "seal_check", column: "sealed", row: "1" };

/// The key that secrets in the store are sealed with (AES-256-GCM).
pub struct SealingKey {
    key: RandomizedNonceKey,
    /// Keeps its lock as long as the key is held.
    _file: File,
}

/// A secret in the clear; hidden from `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

/// The place a value is sealed for.
pub(crate) struct Place<'a> {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) row: &'a str,
}

impl SealingKey {
    /// Reads the key from its file, or makes the file with a new one, mode 0600.
    ///
    /// When several processes make it at once, one key wins and all get it.
    ///
    /// # Errors
    ///
    /// [`Error::KeyFile`] when the file cannot be read or made, is not 32 bytes long, or can be
    /// read or written by others than its owner.
    pub fn load_or_create(path: &Path) -> Result<Self> {
        if let Some(key) = read(path)? {
            return Ok(key);
        }
        create(path)?;
        read(path)?.ok_or_else(|| refuse(path, "it vanished", None))
    }

    /// Reads the key from its file, if nobody else holds it; nobody gets it as long as it is held.
    fn alone(path: &Path) -> Result<Self> {
        match open(path)? {
            Some(file) => {
                let taken = "a service or a command has it: end those that use this store";
                file.try_lock().map_err(|error| unlocked(path, taken, error))?;
                Self::of_file(file, path)
            }
            None => Err(refuse(path, "there is none", None)),
        }
    }

    fn of_file(mut file: File, path: &Path) -> Result<Self> {
        let mut bytes = [0; KEY_BYTES];
        file.read_exact(&mut bytes).map_err(|e| refuse(path, "it cannot be read", Some(e)))?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, &bytes);
        Ok(Self { key: key.expect("the key has the right length"), _file: file })
    }

    pub(crate) fn seal(&self, place: &Place<'_>, secret: &Secret) -> Result<Vec<u8>> {
        if secret.0.len() > SECRET_BYTES_MAX {
            return Err(Error::Invalid { what: "a secret", why: "is too long" });
        }
        let mut text = secret.0.clone();
        let nonce = self
            .key
            .seal_in_place_append_tag(Aad::from(place.words()), &mut text)
            .map_err(|_| Error::Invalid { what: "a secret", why: "cannot be sealed" })?;
        let mut sealed = Vec::with_capacity(1 + NONCE_BYTES + text.len());
        sealed.push(FORMAT);
        sealed.extend_from_slice(nonce.as_ref());
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    pub(crate) fn unseal(&self, place: &Place<'_>, sealed: &[u8]) -> Result<Secret> {
        let (format, rest) = sealed.split_first().ok_or(Error::Corrupt("sealed value"))?;
        if *format != FORMAT {
            return Err(Error::Corrupt("sealed value"));
        }
        let (nonce, text) =
            rest.split_first_chunk::<NONCE_BYTES>().ok_or(Error::Corrupt("sealed value"))?;
        let mut text = text.to_vec();
        let aad = Aad::from(place.words());
        let opened = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), aad, &mut text);
        let length = opened.map_err(|_| Error::Sealed)?.len();
        text.truncate(length);
        Ok(Secret(text))
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey")
    }
}

impl Place<'_> {
    /// No two places have the same words: tables and columns hold no NUL.
    fn words(&self) -> Vec<u8> {
        [self.table, self.column, self.row].join("\0").into_bytes()
    }
}

impl Secret {
    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The text.
    ///
    /// # Errors
    ///
    /// [`Error::Corrupt`] when it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.0).map_err(|_| Error::Corrupt("secret"))
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.as_bytes().to_vec())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

impl Store {
    /// Compares the key with the one the store was made with; the first to come sets it.
    pub(crate) async fn check_key(&self) -> Result<()> {
        let place = CHECK_PLACE;
        let kept = sql("SELECT sealed FROM seal_check WHERE id = 1");
        if self.database.one(kept.clone()).await?.is_none() {
            let sealed = self.key.seal(&place, &Secret(CHECK.to_vec()))?;
            let set = sql("INSERT INTO seal_check (id, sealed) VALUES (1, ?)").bytes(sealed);
            match self.database.run(set).await {
                Err(Error::Conflict(_)) => {}
                outcome => outcome.map(drop)?,
            }
        }
        let kept = self.database.one(kept).await?.ok_or(Error::Corrupt("key check"))?;
        let kept = kept.bytes("sealed")?;
        self.key.unseal(&place, &kept).map(drop)
    }
}

/// Bytes that nobody can guess.
pub(crate) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    aws_lc_rs::rand::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

fn read(path: &Path) -> Result<Option<SealingKey>> {
    let Some(file) = open(path)? else { return Ok(None) };
    let changed = "it is just being changed";
    file.try_lock_shared().map_err(|error| unlocked(path, changed, error))?;
    SealingKey::of_file(file, path).map(Some)
}

/// Why a file is not locked; `taken` says what it means that somebody else has it.
fn unlocked(path: &Path, taken: &'static str, error: TryLockError) -> Error {
    match error {
        TryLockError::WouldBlock => refuse(path, taken, None),
        TryLockError::Error(error) => refuse(path, "it cannot be locked", Some(error)),
    }
}

/// The file of a key, if there is one and others keep out of it.
fn open(path: &Path) -> Result<Option<File>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(refuse(path, "it cannot be opened", Some(error))),
    };
    let about = file.metadata().map_err(|e| refuse(path, "it cannot be examined", Some(e)))?;
    if about.permissions().mode() & 0o077 != 0 {
        return Err(refuse(path, "others may read or write it (chmod 600)", None));
    }
    if about.len() != KEY_BYTES as u64 {
        return Err(refuse(path, "it is not 32 bytes long", None));
    }
    Ok(Some(file))
}

/// Appears complete or not at all, and never replaces a key: a link is refused where a file is.
fn create(path: &Path) -> Result<()> {
    let suffix: String = random::<8>().iter().map(|byte| format!("{byte:02x}")).collect();
    let mut draft = path.as_os_str().to_owned();
    draft.push(format!(".{suffix}"));
    let draft = PathBuf::from(draft);
    let written = write(&draft).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        outcome => outcome,
    });
    let removed = fs::remove_file(&draft);
    written.and(removed).map_err(|error| refuse(path, "it cannot be made", Some(error)))?;
    sync_folder(path).map_err(|error| refuse(path, "its folder cannot be synced", Some(error)))
}

fn write(draft: &Path) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(draft)?;
    // The umask may have taken the owner's own rights.
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(&random::<KEY_BYTES>())?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

fn refuse(path: &Path, why: &'static str, source: Option<io::Error>) -> Error {
    Error::KeyFile { path: path.to_owned(), why, source }
}
