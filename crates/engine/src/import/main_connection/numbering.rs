//! Before the server numbers rows: keeps the AUTO_INCREMENT counters in the ledger.
//!
//! Promises that whoever resumes finds each counter as it was at the ledger's position, for tables
//! that a statement of the file fills by name, or by a trigger of the file. Routines, events and
//! triggers that were there before are not looked into.

use dump::insert::{self, Found};
use dump::statement::{Action, Class, Kind, ObjectName};
use dump::token::{Token, Tokens};
use dump::values::Given;

use super::stepping::{Stepping, changes_tables};
use super::{Batch, MainConnection, Single};
use crate::error::Result;
use crate::import::batch::literal_rows;
use crate::import::ledger::care::Standing;
use crate::import::ledger::counters::{self, Counter, Numbered};

/// What rows of literals give: their column list, and by position what comes.
type Rows<'a> = (Option<&'a [Vec<u8>]>, &'a [Given]);

impl MainConnection {
    /// Before a batch on this connection.
    pub(super) async fn keep_counters_of_batch(&mut self, batch: &Batch, at: u64) -> Result<()> {
        let rows = (batch.columns.as_deref(), batch.given.as_slice());
        self.keep_counters(&batch.table, at, Some(rows)).await
    }

    /// Before a statement by itself.
    pub(super) async fn keep_counters_of(
        &mut self,
        single: &Single,
        standing: Standing,
    ) -> Result<()> {
        let at = single.place.offset;
        match (single.class.kind, &single.class.object) {
            (Kind::Insert, Some(table)) if !standing.temporary => {
                let rows = literals(single);
                let rows = rows.as_ref().map(|(columns, given)| (columns.as_deref(), &given[..]));
                self.keep_counters(table, at, rows).await
            }
            (Kind::Change | Kind::LoadFile, table) => self.keep_triggered(table.as_ref(), at).await,
            _ => Ok(()),
        }
    }

    /// Before rows come into a table; `rows` are what they give, if that is known.
    pub(super) async fn keep_counters(
        &mut self,
        table: &ObjectName,
        at: u64,
        rows: Option<Rows<'_>>,
    ) -> Result<()> {
        let is_temporary = self.temporary.contains(&table.name.to_ascii_lowercase());
        let Some(stepping) = self.stepping.as_mut().filter(|_| !is_temporary) else {
            return Ok(());
        };
        if let Some(key) = stepping.resolve(table)
            && !stepping.kept.contains(&key)
            && let Some(numbered) = stepping.numbered(&key).await?
            && rows.is_none_or(|(columns, given)| numbered.is_left_to_server(columns, given))
        {
            let next = counters::next(stepping.ledger.conn(), &key.0, &key.1).await?;
            let (schema, table) = key.clone();
            stepping.ledger.keep_counters(at, &[Counter { schema, table, next }]).await?;
            stepping.kept.insert(key);
        }
        self.keep_triggered(Some(table), at).await
    }

    /// Before a statement that may fire triggers of the file: they may fill any table beside theirs.
    async fn keep_triggered(&mut self, table: Option<&ObjectName>, at: u64) -> Result<()> {
        let Some(stepping) = &mut self.stepping else { return Ok(()) };
        let fires = match table {
            Some(table) => stepping.fires(&table.name),
            None => !stepping.triggered.is_empty(),
        };
        let schema = match table {
            Some(table) => stepping.resolve(table).map(|(schema, _)| schema),
            None => stepping.database.clone(),
        };
        let Some(schema) = schema.filter(|_| fires) else { return Ok(()) };
        let mut found = counters::of_schema(stepping.ledger.conn(), &schema).await?;
        let key_of = |counter: &Counter| (counter.schema.clone(), counter.table.clone());
        found.retain(|counter| !stepping.kept.contains(&key_of(counter)));
        stepping.ledger.keep_counters(at, &found).await?;
        stepping.kept.extend(found.iter().map(key_of));
        Ok(())
    }
}

impl Stepping {
    /// The numbered column of a table, if it has one.
    async fn numbered(&mut self, key: &(String, String)) -> Result<Option<Numbered>> {
        if let Some(known) = self.numbered.get(key) {
            return Ok(known.clone());
        }
        let found = match self.is_loose_key(key).await? {
            true => None,
            false => counters::numbered(self.ledger.conn(), &key.0, &key.1).await?,
        };
        self.numbered.insert(key.clone(), found.clone());
        Ok(found)
    }

    /// Whether inserting into a table of this name fires a trigger of the file that may change
    /// others.
    fn fires(&self, name: &[u8]) -> bool {
        !self.triggered.is_empty()
            && self.triggered.contains(&String::from_utf8_lossy(name).to_lowercase())
    }

    /// Keeps in mind what a definition says about numbered columns; for what is not temporary.
    pub(super) fn learn_numbering(&mut self, class: &Class, tokens: Tokens<'_>) {
        match (class.kind, class.action) {
            (Kind::Database, _) | (Kind::Table, Action::Alter) => self.numbered.clear(),
            (Kind::Table, action) => {
                let Some(key) = class.object.as_ref().and_then(|table| self.resolve(table)) else {
                    return;
                };
                match action == Action::Create && numbers_nothing(tokens) {
                    true => self.numbered.insert(key, None),
                    false => self.numbered.remove(&key),
                };
            }
            (Kind::Trigger, Action::Create) if changes_tables(tokens.clone()) => {
                self.triggered.extend(table_of_trigger(tokens));
            }
            _ => {}
        }
    }
}

/// The column list, if there is one, and what comes by position.
type Literals = (Option<Vec<Vec<u8>>>, Vec<Given>);

/// What a statement gives, if it is nothing but rows of literals.
fn literals(single: &Single) -> Option<Literals> {
    let Found::Values(head) = insert::head(&single.text, single.rules.ansi_quotes) else {
        return None;
    };
    if head.replace || head.ignore {
        return None;
    }
    let rows = literal_rows(&single.text, head.length, single.rules)?;
    Some((head.columns, rows.given))
}

/// A CREATE TABLE without a word that could make a numbered column.
fn numbers_nothing(tokens: Tokens<'_>) -> bool {
    let words = ["AUTO_INCREMENT", "SERIAL", "LIKE", "SELECT"];
    let mut tokens = tokens.map(|spanned| spanned.token);
    !tokens.any(|token| words.iter().any(|word| token.is(word)))
}

/// `CREATE TRIGGER x BEFORE INSERT ON [schema.]table FOR EACH ROW …`
fn table_of_trigger(tokens: Tokens<'_>) -> Option<String> {
    let mut tokens =
        tokens.map(|spanned| spanned.token).skip_while(|token| !token.is("ON")).skip(1);
    let first = tokens.next()?;
    let name = match tokens.next()? {
        Token::Symbol(b'.') => tokens.next()?,
        _ => first,
    };
    Some(String::from_utf8_lossy(&name.name()?).to_lowercase())
}
