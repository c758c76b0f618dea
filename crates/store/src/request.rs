//! Requests that a sender may repeat without their being done twice.
//!
//! Promises: of those who begin a request with one key, one works on it; whoever comes later gets its
//! answer, learns that it is still worked on, or that the key stands for another request. Of the
//! request only a digest is kept, and that sealed: it may be of a password.
//!
//! Deliberately not here: what a request is; when keys are forgotten; that a request which was broken
//! off makes no second job. For that each has a key for its job, see [`crate::Idempotency`].

use crate::limit;
use crate::seal::{Place, random};
use crate::statement::{Row, sql};
use crate::{Error, Result, Secret, Store};

/// Characters of a key.
const KEY_MAX: usize = 255;
/// Characters of a digest.
const DIGEST_MAX: usize = 128;
/// How often a key may be forgotten between a look and the next.
const RACES_MAX: u32 = 5;

/// What became of the wish to work on a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begin {
    /// It is the caller's.
    Yours(Turn),
    /// Somebody works on it.
    Pending,
    /// It was answered: with this.
    Answered(String),
    /// The key stands for a request with another digest.
    Other,
}

/// The right to answer a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// The same for all who come to work on the request: the idempotency key of its job.
    pub job_key: String,
    /// Somebody began it before and did not come back.
    pub is_again: bool,
    account: i64,
    key: String,
    begun_at: i64,
}

impl Store {
    /// Begins a request, or one that was begun before `abandoned_before` and not answered.
    ///
    /// `key` has 1 to 255 characters and is unique in the account, `digest` up to 128.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`]; [`Error::NotFound`] when there is no such account.
    pub async fn begin_request(
        &self,
        account: i64,
        key: &str,
        digest: &str,
        abandoned_before: i64,
        now: i64,
    ) -> Result<Begin> {
        limit::name("the request's key", key, KEY_MAX)?;
        limit::name("the digest", digest, DIGEST_MAX)?;
        for _ in 0..RACES_MAX {
            if let Some(turn) = self.insert_request(account, key, digest, now).await? {
                return Ok(Begin::Yours(turn));
            }
            let query = sql("SELECT digest, job_key, answer, begun_at FROM request
                 WHERE account = ? AND request_key = ?");
            let Some(row) = self.database.one(query.int(account).text(key)).await? else {
                continue;
            };
            return self.found(account, key, digest, &row, abandoned_before, now).await;
        }
        Ok(Begin::Pending)
    }

    /// Keeps a request's answer, a JSON text. Nothing happens when somebody else took it over.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] when it is too long.
    pub async fn answer_request(&self, turn: &Turn, answer: &str) -> Result<()> {
        limit::json("the answer", answer)?;
        let change = sql("UPDATE request SET answer = ? WHERE account = ? AND request_key = ?
             AND begun_at = ? AND answer IS NULL")
        .text(answer)
        .int(turn.account)
        .text(&turn.key)
        .int(turn.begun_at);
        self.database.run(change).await.map(drop)
    }

    /// Forgets a request that was not done, so that it may be tried again.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn drop_request(&self, turn: &Turn) -> Result<()> {
        let remove = sql("DELETE FROM request WHERE account = ? AND request_key = ?
             AND begun_at = ? AND answer IS NULL")
        .int(turn.account)
        .text(&turn.key)
        .int(turn.begun_at);
        self.database.run(remove).await.map(drop)
    }

    /// Forgets all requests that first came before `before`; gives their number.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn forget_requests(&self, before: i64) -> Result<u64> {
        self.database.run(sql("DELETE FROM request WHERE created_at < ?").int(before)).await
    }

    /// `None` when the key is taken.
    async fn insert_request(
        &self,
        account: i64,
        key: &str,
        digest: &str,
        now: i64,
    ) -> Result<Option<Turn>> {
        let job_key: String = random::<16>().iter().map(|byte| format!("{byte:02x}")).collect();
        let insert = sql("INSERT INTO request (account, request_key, digest, job_key, begun_at,
             created_at) VALUES (?, ?, ?, ?, ?, ?)")
        .int(account)
        .text(key)
        .bytes(self.key.seal(&place(&job_key), &Secret::from(digest))?)
        .text(&job_key)
        .int(now)
        .int(now);
        match self.database.run(insert).await {
            Ok(_) => {
                let key = key.to_owned();
                Ok(Some(Turn { job_key, is_again: false, account, key, begun_at: now }))
            }
            Err(Error::Conflict(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn found(
        &self,
        account: i64,
        key: &str,
        digest: &str,
        row: &Row,
        abandoned_before: i64,
        now: i64,
    ) -> Result<Begin> {
        let job_key = row.text("job_key")?;
        let kept = self.key.unseal(&place(&job_key), &row.bytes("digest")?)?;
        if kept.bytes() != digest.as_bytes() {
            return Ok(Begin::Other);
        }
        if let Some(answer) = row.optional_text("answer")? {
            return Ok(Begin::Answered(answer));
        }
        let begun_at = row.int("begun_at")?;
        if begun_at >= abandoned_before || begun_at >= now {
            return Ok(Begin::Pending);
        }
        let take = sql("UPDATE request SET begun_at = ? WHERE account = ? AND request_key = ?
             AND job_key = ? AND begun_at = ? AND answer IS NULL")
        .int(now)
        .int(account)
        .text(key)
        .text(&job_key)
        .int(begun_at);
        if self.database.run(take).await? == 0 {
            return Ok(Begin::Pending);
        }
        let key = key.to_owned();
        Ok(Begin::Yours(Turn { job_key, is_again: true, account, key, begun_at: now }))
    }
}

/// Where a request's digest is sealed for.
fn place(job_key: &str) -> Place<'_> {
    Place { table: "request", column: "digest", row: job_key }
}
