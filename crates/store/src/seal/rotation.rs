//! A new sealing key: every sealed value is opened with the old one and sealed with the new.
//!
//! Promises: all values in one transaction; whatever ends it, one key opens them all, and the next to
//! open the store finds which. While a rotation goes on nobody else has the store open by this key
//! file, and while somebody has there is no rotation. The old key stays beside the new as `….old`: old
//! copies of the database need it.
//!
//! The order is what makes it safe: the new key is on disk, as `….next`, before a value is sealed
//! with it; the values change in one commit; only then the files change their names. Between the
//! last two the key file is the old one and the values are the new one's, which [`Store::open_at`]
//! completes.
//!
//! Deliberately not here: processes on other machines that have other key files.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{CHECK_PLACE, Place, SealingKey, create, read, refuse, sync_folder};
use crate::database::{Database, Tx};
use crate::statement::{Row, Statement, sql};
use crate::{Error, Result, Store};

/// Values that are read at once.
const PAGE: i64 = 500;

/// What became of a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Values that were sealed anew.
    pub values: u64,
    /// They were, by a rotation that broke off: only the files had to be put right.
    pub was_done: bool,
}

impl Store {
    /// Opens the store at `url` with the key in the file at `path`, which is made if it is not there.
    /// A rotation that broke off after its commit is completed.
    ///
    /// # Errors
    ///
    /// Those of [`Store::open`] and of [`SealingKey::load_or_create`].
    pub async fn open_at(url: &str, path: &Path) -> Result<Self> {
        let opened = Self::open(url, SealingKey::load_or_create(path)?).await;
        let Err(Error::Sealed) = opened else { return opened };
        let Some(next) = read(&beside(path, "next"))? else { return opened };
        let store = Self::open(url, next).await?;
        // One at a time; where others are at it, they or the next to come do it.
        if let Ok(_alone) = SealingKey::alone(path) {
            promote(path)?;
        }
        Ok(store)
    }

    /// Seals every value of the store at `url` with a new key, which takes the place of the one in
    /// the file at `path`.
    ///
    /// # Errors
    ///
    /// [`Error::KeyFile`] when the file cannot be used, or while somebody has the store open by it;
    /// [`Error::Sealed`] when it is not the store's; those of the database.
    pub async fn rotate_key(url: &str, path: &Path) -> Result<Rotated> {
        let old = SealingKey::alone(path)?;
        let next_path = beside(path, "next");
        let next = match read(&next_path)? {
            // Of a rotation that broke off.
            Some(next) => next,
            None => {
                create(&next_path)?;
                read(&next_path)?.ok_or_else(|| refuse(&next_path, "it vanished", None))?
            }
        };
        let database = Database::open(url).await?;
        let outcome = reseal(&database, &old, &next).await;
        database.close().await;
        let rotated = outcome?;
        promote(path)?;
        Ok(rotated)
    }
}

/// The file with another ending.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// The next key becomes the key, and the one before it the old one. Can be done twice.
fn promote(path: &Path) -> Result<()> {
    let (old, next) = (beside(path, "old"), beside(path, "next"));
    let failed = |error| refuse(path, "its place cannot be taken", Some(error));
    if !next.exists() {
        return Ok(());
    }
    match fs::remove_file(&old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    fs::hard_link(path, &old).map_err(failed)?;
    match fs::rename(&next, path) {
        // Somebody else has just done it.
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    sync_folder(path).map_err(failed)
}

/// A column of sealed values.
struct Column {
    place: (&'static str, &'static str),
    /// Reads a page of values: after this key, that many.
    page: &'static str,
    /// The key that pages are ordered by.
    key: &'static str,
    /// The row's name that a value is sealed for.
    row: fn(&Row) -> Result<String>,
    /// Writes a value: it, and then the row's key.
    change: fn(Vec<u8>, &Row) -> Result<Statement>,
}

/// All of them; `seal_check` is apart.
const COLUMNS: [Column; 4] = [
    Column {
        place: ("access_key", "secret"),
        page: "SELECT key_id, secret AS sealed FROM access_key WHERE key_id > ? ORDER BY key_id LIMIT ?",
        key: "key_id",
        row: |row| row.text("key_id"),
        change: |sealed, row| {
            let change = sql("UPDATE access_key SET secret = ? WHERE key_id = ?");
            Ok(change.bytes(sealed).text(&row.text("key_id")?))
        },
    },
    Column {
        place: ("instance", "admin_password"),
        page: "SELECT id, account, admin_password AS sealed FROM instance WHERE id > ? ORDER BY id
             LIMIT ?",
        key: "id",
        row: |row| Ok(crate::instance::row_name(row.int("account")?, &row.text("id")?)),
        change: |sealed, row| {
            let change = sql("UPDATE instance SET admin_password = ? WHERE id = ?");
            Ok(change.bytes(sealed).text(&row.text("id")?))
        },
    },
    Column {
        place: ("job", "secret"),
        page:
            "SELECT public_id, secret AS sealed FROM job WHERE public_id > ? AND secret IS NOT NULL
             ORDER BY public_id LIMIT ?",
        key: "public_id",
        row: |row| row.text("public_id"),
        change: |sealed, row| {
            let change = sql("UPDATE job SET secret = ? WHERE public_id = ?");
            Ok(change.bytes(sealed).text(&row.text("public_id")?))
        },
    },
    Column {
        place: ("request", "digest"),
        page: "SELECT job_key, account, request_key, digest AS sealed FROM request
             WHERE job_key > ? ORDER BY job_key LIMIT ?",
        key: "job_key",
        row: |row| row.text("job_key"),
        change: |sealed, row| {
            let change = sql("UPDATE request SET digest = ? WHERE account = ? AND request_key = ?");
            let change = change.bytes(sealed).int(row.int("account")?);
            Ok(change.text(&row.text("request_key")?))
        },
    },
];

/// Seals all values anew, or finds that they are.
async fn reseal(database: &Database, old: &SealingKey, next: &SealingKey) -> Result<Rotated> {
    let mut tx = database.begin().await?;
    let query = sql("SELECT sealed FROM seal_check WHERE id = 1");
    let Some(check) = tx.one(query).await? else {
        // Nothing was ever sealed: whoever opens the store first sets the key.
        return Ok(Rotated { values: 0, was_done: false });
    };
    let check = check.bytes("sealed")?;
    let kept = match old.unseal(&CHECK_PLACE, &check) {
        Ok(kept) => kept,
        Err(Error::Sealed) => {
            next.unseal(&CHECK_PLACE, &check)?;
            return Ok(Rotated { values: 0, was_done: true });
        }
        Err(error) => return Err(error),
    };
    let mut values = 0;
    for column in &COLUMNS {
        values += reseal_column(&mut tx, column, old, next).await?;
    }
    let sealed = next.seal(&CHECK_PLACE, &kept)?;
    tx.run(sql("UPDATE seal_check SET sealed = ? WHERE id = 1").bytes(sealed)).await?;
    tx.commit().await?;
    Ok(Rotated { values, was_done: false })
}

async fn reseal_column(
    tx: &mut Tx,
    column: &Column,
    old: &SealingKey,
    next: &SealingKey,
) -> Result<u64> {
    let (mut values, mut after) = (0, String::new());
    loop {
        let rows = tx.all(sql(column.page).text(&after).int(PAGE)).await?;
        for row in &rows {
            let name = (column.row)(row)?;
            let place = Place { table: column.place.0, column: column.place.1, row: &name };
            let secret = old.unseal(&place, &row.bytes("sealed")?)?;
            tx.run((column.change)(next.seal(&place, &secret)?, row)?).await?;
            values += 1;
        }
        match rows.last() {
            Some(last) => after = last.text(column.key)?,
            None => return Ok(values),
        }
    }
}
