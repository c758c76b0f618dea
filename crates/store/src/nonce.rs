//! Nonces: so that a signed request is accepted once.
//!
//! Deliberately not here: how old a request may be; the caller forgets nonces only after that.

use crate::limit;
use crate::statement::sql;
use crate::{Error, Result, Store};

impl Store {
    /// Remembers a request's nonce; `false` when this key has used it before.
    ///
    /// `timestamp` is the request's own time. It is remembered from the later of `timestamp` and
    /// `now`: a request from a clock that is ahead stays acceptable longer.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when the key id has more than 36 characters or the nonce more than 128.
    pub async fn remember_nonce(
        &self,
        key_id: &str,
        nonce: &str,
        timestamp: i64,
        now: i64,
    ) -> Result<bool> {
        limit::text("the key id", key_id, 36)?;
        limit::text("the nonce", nonce, 128)?;
        let insert = sql("INSERT INTO nonce (key_id, nonce, keep_from) VALUES (?, ?, ?)");
        let insert = insert.text(key_id).text(nonce).int(timestamp.max(now));
        match self.database.run(insert).await {
            Ok(_) => Ok(true),
            Err(Error::Conflict(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Forgets all nonces that are remembered from before `before`; gives their number.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn forget_nonces(&self, before: i64) -> Result<u64> {
        self.database.run(sql("DELETE FROM nonce WHERE keep_from < ?").int(before)).await
    }
}
