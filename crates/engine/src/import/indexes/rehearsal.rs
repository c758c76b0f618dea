//! Rehearses an ALTER TABLE of the file on an empty temporary table: what becomes of a definition
//! with the keys that could wait, and without them, is the server's to say.
//!
//! Promises: changes no table that anybody else sees, leaves none behind; a rehearsal that the server
//! refuses, warns of, or that comes to anything but the expected text is a reason to execute the
//! statement as it stands. Executes nothing for real.

use super::deferral::{self, Addition, Deferral, Presence, Reason, identifier};
use super::definition;
use crate::error::Result;
use crate::mysql::conn::Conn;

/// The temporary table; only its own session sees it.
const STAND_IN: &str = "dbferry_rehearsal";

const UNLIKE: Reason = "no temporary table is like it";
const WARNED: Reason = "the server warns of its keys";
const OTHERWISE: Reason = "its definition comes out otherwise";

/// The answer of a server that may not be asked, about what may not be possible.
type Answer<T> = Result<std::result::Result<T, Reason>>;

/// A table, by a connection that is made ready for statements about its indexes.
pub(super) struct Stage<'a> {
    /// The connection, with an empty `sql_mode`.
    pub(super) conn: &'a mut Conn,
    /// The table's schema.
    pub(super) schema: &'a str,
    /// The table.
    pub(super) table: &'a str,
    /// The file's `sql_mode`.
    pub(super) sql_mode: &'a str,
}

impl Stage<'_> {
    /// What of an ALTER with these clauses, which adds keys, can wait.
    pub(super) async fn addition(&mut self, clauses: &str, since: u64) -> Answer<Addition> {
        let outcome = self.adding(clauses, since).await;
        self.clear().await?;
        outcome
    }

    /// `deferral` as it has to be after an ALTER with these clauses, which the table goes through
    /// without the keys that wait.
    pub(super) async fn carried(
        &mut self,
        deferral: &Deferral,
        clauses: &str,
        since: u64,
    ) -> Answer<Deferral> {
        let outcome = self.carrying(deferral, clauses, since).await;
        self.clear().await?;
        outcome
    }

    async fn adding(&mut self, clauses: &str, since: u64) -> Answer<Addition> {
        let Some(before) = self.set().await? else { return Ok(Err(UNLIKE)) };
        if self.alter_as_the_file(clauses).await? {
            return Ok(Err(WARNED));
        }
        let after = self.told().await?;
        let addition = match deferral::addition(self.schema, self.table, &before, &after, since) {
            Ok(addition) => addition,
            Err(reason) => return Ok(Err(reason)),
        };
        // Once more, in the order in which it will come.
        self.set().await?;
        if let Some(at_once) = &addition.at_once {
            self.alter(at_once).await?;
        }
        let deferral = &addition.deferral;
        let is_expected = deferral.presence(&self.told().await?) == Presence::Missing(0);
        Ok(match is_expected && self.is_whole_with(deferral).await? {
            true => Ok(addition),
            false => Err(OTHERWISE),
        })
    }

    async fn carrying(
        &mut self,
        deferral: &Deferral,
        clauses: &str,
        since: u64,
    ) -> Answer<Deferral> {
        let Some(before) = self.set().await? else { return Ok(Err(UNLIKE)) };
        if deferral.presence(&before) != Presence::Missing(0) {
            return Ok(Err(OTHERWISE));
        }
        self.alter_as_the_file(clauses).await?;
        let without = self.told().await?;
        self.set().await?;
        if !self.is_whole_with(deferral).await? {
            return Ok(Err(OTHERWISE));
        }
        self.alter_as_the_file(clauses).await?;
        let with = self.told().await?;
        Ok(deferral::carried(deferral, &without, &with, since))
    }

    /// Gives the stand-in what waits; whether that makes the whole definition.
    async fn is_whole_with(&mut self, deferral: &Deferral) -> Result<bool> {
        for add in &deferral.add {
            self.alter(add).await?;
        }
        Ok(deferral.presence(&self.told().await?) == Presence::Present)
    }

    /// Puts an empty stand-in there; the table's definition, unless the two are told otherwise.
    async fn set(&mut self) -> Result<Option<String>> {
        self.clear().await?;
        let (stand_in, table) = (self.stand_in(), self.real());
        self.run(&format!("CREATE TEMPORARY TABLE {stand_in} LIKE {table}")).await?;
        let real = self.shown(&table).await?;
        let told = self.told().await?;
        Ok((definition::masked(&told) == definition::masked(&real)).then_some(real))
    }

    async fn clear(&mut self) -> Result<()> {
        let stand_in = self.stand_in();
        self.run(&format!("DROP TEMPORARY TABLE IF EXISTS {stand_in}")).await.map(|_warns| ())
    }

    /// The stand-in's definition, as if it were the table.
    async fn told(&mut self) -> Result<String> {
        let stand_in = self.stand_in();
        let text = self.shown(&stand_in).await?;
        let head = format!("CREATE TEMPORARY TABLE {} ", identifier(STAND_IN));
        Ok(match text.strip_prefix(&head) {
            Some(rest) => format!("CREATE TABLE {} {rest}", identifier(self.table)),
            None => text,
        })
    }

    async fn shown(&mut self, table: &str) -> Result<String> {
        let rows = self.conn.rows(&format!("SHOW CREATE TABLE {table}")).await?;
        let text = rows.into_iter().next().and_then(|row| row.into_iter().nth(1)).flatten();
        Ok(text.unwrap_or_default())
    }

    /// A statement of ours about the table, done to the stand-in.
    async fn alter(&mut self, statement: &str) -> Result<bool> {
        let head = format!("ALTER TABLE {}", self.real());
        let clauses = statement.strip_prefix(&head).unwrap_or(statement);
        let text = format!("ALTER TABLE {}{clauses}", self.stand_in());
        self.run(&text).await
    }

    /// The same for the file's own clauses, under the file's rules.
    async fn alter_as_the_file(&mut self, clauses: &str) -> Result<bool> {
        let mode = self.sql_mode.replace('\'', "''");
        self.run(&format!("SET SESSION sql_mode = '{mode}'")).await?;
        let text = format!("ALTER TABLE {}{clauses}", self.stand_in());
        let outcome = self.run(&text).await;
        self.run("SET SESSION sql_mode = ''").await?;
        outcome
    }

    /// Whether the server warns.
    async fn run(&mut self, text: &str) -> Result<bool> {
        Ok(self.conn.query(text.as_bytes()).await?.warnings > 0)
    }

    fn stand_in(&self) -> String {
        format!("{}.{}", identifier(self.schema), identifier(STAND_IN))
    }

    fn real(&self) -> String {
        format!("{}.{}", identifier(self.schema), identifier(self.table))
    }
}
