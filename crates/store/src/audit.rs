//! The audit: who did what to which thing, and what came of it.
//!
//! Promises: entries are only added, and pruned by age.
//!
//! Deliberately not here: what is worth an entry.

use crate::limit;
use crate::statement::{Row, sql};
use crate::{Page, Result, Store};

/// An entry to be added. Longer texts are refused, not cut.
#[derive(Debug, Clone, Copy)]
pub struct NewAudit<'a> {
    /// Whose thing it is; `None` when nobody could be told (a refused signature).
    pub account: Option<i64>,
    /// The id of the key that asked, or another name for who did; at most 64 characters.
    pub actor: &'a str,
    /// What was asked; at most 64 characters.
    pub action: &'a str,
    /// What it was about; at most 255 characters.
    pub object: &'a str,
    /// What came of it; at most 255 characters.
    pub outcome: &'a str,
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Counts up, with gaps.
    pub id: i64,
    /// Whose thing it is.
    pub account: Option<i64>,
    /// Who did it.
    pub actor: String,
    /// What was asked.
    pub action: String,
    /// What it was about.
    pub object: String,
    /// What came of it.
    pub outcome: String,
    /// When.
    pub created_at: i64,
}

impl Store {
    /// Adds an entry.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Invalid`] when a text is too long.
    pub async fn append_audit(&self, new: &NewAudit<'_>, at: i64) -> Result<()> {
        limit::text("the actor", new.actor, 64)?;
        limit::text("the action", new.action, 64)?;
        limit::text("the object", new.object, 255)?;
        limit::text("the outcome", new.outcome, 255)?;
        let insert = sql("INSERT INTO audit (account, actor, action, object, outcome, created_at)
             VALUES (?, ?, ?, ?, ?, ?)")
        .int(new.account)
        .text(new.actor)
        .text(new.action)
        .text(new.object)
        .text(new.outcome)
        .int(at);
        self.database.run(insert).await.map(drop)
    }

    /// An account's entries, newest first.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn audit(&self, account: i64, offset: u32, limit: u32) -> Result<Page<AuditEntry>> {
        let items = sql("SELECT id, account, actor, action, object, outcome, created_at FROM audit
             WHERE account = ? ORDER BY id DESC")
        .int(account);
        let total = sql("SELECT COUNT(*) AS total FROM audit WHERE account = ?").int(account);
        self.database.page(items, offset, limit, total, entry).await
    }

    /// Deletes entries made before `before`, oldest first, at most `limit`; gives their number.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn prune_audit(&self, before: i64, limit: u32) -> Result<u64> {
        let limit = i64::from(limit.min(limit::PRUNE_MAX));
        let query = sql("SELECT id FROM audit WHERE created_at < ? ORDER BY created_at LIMIT ?");
        let rows = self.database.all(query.int(before).int(limit)).await?;
        let ids = rows.iter().map(|row| row.int("id")).collect::<Result<Vec<_>>>()?;
        if ids.is_empty() {
            return Ok(0);
        }
        self.database.run(sql("DELETE FROM audit WHERE 1 = 1").and_in_ints("id", &ids)).await
    }
}

fn entry(row: &Row) -> Result<AuditEntry> {
    Ok(AuditEntry {
        id: row.int("id")?,
        account: row.optional_int("account")?,
        actor: row.text("actor")?,
        action: row.text("action")?,
        object: row.text("object")?,
        outcome: row.text("outcome")?,
        created_at: row.int("created_at")?,
    })
}
