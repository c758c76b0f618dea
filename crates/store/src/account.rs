//! Accounts: the tenants. Everything else belongs to one.
//!
//! Deliberately not here: people, passwords, roles; an account's removal.

use crate::limit;
use crate::statement::{Row, sql};
use crate::{Error, Result, Store};

/// What is added to an account's id to make the number that Tencent's clients see.
const UIN_BASE: i64 = 100_000_000_000;
/// Characters of a name.
const NAME_MAX: usize = 64;
/// The most accounts that are listed.
const ACCOUNTS_MAX: i64 = 10_000;

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Counts up from 1.
    pub id: i64,
    /// Unique.
    pub name: String,
    /// When it was made.
    pub created_at: i64,
}

impl Account {
    /// The account's number of twelve digits, in the form of Tencent Cloud's `Uin`.
    #[must_use]
    pub fn uin(&self) -> i64 {
        UIN_BASE + self.id
    }
}

impl Store {
    /// Makes an account. The name has 1 to 64 characters.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when the name is taken, [`Error::Invalid`].
    pub async fn create_account(&self, name: &str, now: i64) -> Result<Account> {
        limit::name("the account's name", name, NAME_MAX)?;
        let new = sql("INSERT INTO account (name, created_at) VALUES (?, ?)").text(name).int(now);
        self.database.run(new).await?;
        self.account_by_name(name).await
    }

    /// The account of that name.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn account_by_name(&self, name: &str) -> Result<Account> {
        let query = sql("SELECT id, name, created_at FROM account WHERE name = ?").text(name);
        account(&self.database.one(query).await?.ok_or(Error::NotFound)?)
    }

    /// The account with that id.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`].
    pub async fn account(&self, id: i64) -> Result<Account> {
        let query = sql("SELECT id, name, created_at FROM account WHERE id = ?").int(id);
        account(&self.database.one(query).await?.ok_or(Error::NotFound)?)
    }

    /// All accounts by id, at most 10,000.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn accounts(&self) -> Result<Vec<Account>> {
        let query = sql("SELECT id, name, created_at FROM account ORDER BY id LIMIT ?");
        self.database.all(query.int(ACCOUNTS_MAX)).await?.iter().map(account).collect()
    }
}

fn account(row: &Row) -> Result<Account> {
    Ok(Account { id: row.int("id")?, name: row.text("name")?, created_at: row.int("created_at")? })
}
