//! Access keys: what requests are signed with.
//!
//! Promises: ids and secrets come from the system's random source and have the clouds' form; a
//! secret is shown when its key is made, and afterwards only to whoever checks a signature.
//!
//! Deliberately not here: signatures, permissions.

use crate::database::met;
use crate::seal::{Place, random};
use crate::statement::{Row, sql};
use crate::{Error, Result, Secret, Store};

/// What a key id begins with, as Tencent's do.
const PREFIX: &str = "AKID";
/// Random characters in an id and in a secret.
const RANDOM_CHARS: usize = 32;
/// What they are.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// The most keys that are listed.
const KEYS_MAX: i64 = 10_000;

/// A key that was just made: the only time its secret is given out in this form.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// `AKID` and 32 letters and digits.
    pub key_id: String,
    /// 32 letters and digits.
    pub key_secret: Secret,
}

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessKey {
    /// `AKID` and 32 letters and digits; unique.
    pub key_id: String,
    /// Whose it is.
    pub account: i64,
    /// Whether requests signed with it are to be accepted.
    pub enabled: bool,
    /// When it was made.
    pub created_at: i64,
}

/// What a signature is checked with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// Whose the key is.
    pub account: i64,
    /// The key's secret.
    pub secret: Secret,
    /// Whether requests signed with it are to be accepted.
    pub enabled: bool,
}

impl Store {
    /// Makes a key for an account.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such account.
    pub async fn create_key(&self, account: i64, now: i64) -> Result<NewKey> {
        let key_id = format!("{PREFIX}{}", random_text());
        let key_secret = Secret::from(random_text().as_str());
        let sealed = self.key.seal(&place(&key_id), &key_secret)?;
        let new = sql("INSERT INTO access_key (key_id, account, secret, enabled, created_at)
             VALUES (?, ?, ?, 1, ?)");
        self.database.run(new.text(&key_id).int(account).bytes(sealed).int(now)).await?;
        Ok(NewKey { key_id, key_secret })
    }

    /// What a signature made with `key_id` is checked with, also when the key is disabled.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Sealed`].
    pub async fn credentials(&self, key_id: &str) -> Result<Credentials> {
        let query = sql("SELECT account, secret, enabled FROM access_key WHERE key_id = ?");
        let row = self.database.one(query.text(key_id)).await?.ok_or(Error::NotFound)?;
        let secret = self.key.unseal(&place(key_id), &row.bytes("secret")?)?;
        Ok(Credentials { account: row.int("account")?, secret, enabled: row.flag("enabled")? })
    }

    /// Enables or disables a key.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn enable_key(&self, account: i64, key_id: &str, enabled: bool) -> Result<()> {
        let change = sql("UPDATE access_key SET enabled = ? WHERE account = ? AND key_id = ?");
        let change = change.int(i64::from(enabled)).int(account).text(key_id);
        met(self.database.run(change).await?)
    }

    /// An account's keys, oldest first, at most 10,000.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn keys(&self, account: i64) -> Result<Vec<AccessKey>> {
        let query = sql("SELECT key_id, account, enabled, created_at FROM access_key
             WHERE account = ? ORDER BY created_at, key_id LIMIT ?");
        self.database.all(query.int(account).int(KEYS_MAX)).await?.iter().map(access_key).collect()
    }

    /// Removes a key for good.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn remove_key(&self, account: i64, key_id: &str) -> Result<()> {
        let remove = sql("DELETE FROM access_key WHERE account = ? AND key_id = ?");
        met(self.database.run(remove.int(account).text(key_id)).await?)
    }
}

fn place(key_id: &str) -> Place<'_> {
    Place { table: "access_key", column: "secret", row: key_id }
}

fn access_key(row: &Row) -> Result<AccessKey> {
    Ok(AccessKey {
        key_id: row.text("key_id")?,
        account: row.int("account")?,
        enabled: row.flag("enabled")?,
        created_at: row.int("created_at")?,
    })
}

fn random_text() -> String {
    let mut text = String::with_capacity(RANDOM_CHARS);
    while text.len() < RANDOM_CHARS {
        // Six bits choose among 64; the two numbers beyond the alphabet are thrown away.
        let byte = random::<1>()[0] & 0x3f;
        if let Some(letter) = ALPHABET.get(usize::from(byte)) {
            text.push(char::from(*letter));
        }
    }
    text
}
