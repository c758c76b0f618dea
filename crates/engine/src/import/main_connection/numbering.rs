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
            && let Some(numbered) = stepping.numbered(&key).await?
            && rows.is_none_or(|(columns, given)| numbered.is_left_to_server(columns, given))
        {
            if !rows.is_some_and(|(columns, given)| numbered.is_left_out(columns, given)) {
                stepping.reserved.insert(key.clone());
            }
            if !stepping.kept.contains(&key) {
                let counter = stepping.counter(&key).await?;
                stepping.ledger.keep_counters(at, &[counter]).await?;
                stepping.kept.insert(key);
            }
        }
        self.keep_triggered(Some(table), at).await
    }

    /// Whether what was inserted since the position moved may have reserved numbers that the server forgets when it
    /// dies: then its counter goes with the position.
    pub(super) fn forgets_numbers(&self) -> bool {
        self.stepping.as_ref().is_some_and(|stepping| !stepping.reserved.is_empty())
    }

    /// Goes with the position that moves to byte `at`: what keeps the counters that the server may forget. Empty if
    /// there are none.
    pub(super) async fn keep_reserved(&mut self, at: u64) -> Result<Vec<u8>> {
        let forgets = self.forgets_numbers();
        let Some(stepping) = self.stepping.as_mut().filter(|_| forgets) else {
            return Ok(Vec::new());
        };
        let reserved = std::mem::take(&mut stepping.reserved);
        let mut counters = Vec::new();
        for key in &reserved {
            counters.push(stepping.counter(key).await?);
        }
        Ok(format!("; {}", stepping.ledger.keeping(at, &counters)).into_bytes())
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

    /// The counter of a table as it is now.
    async fn counter(&mut self, key: &(String, String)) -> Result<Counter> {
        let next = counters::next(self.ledger.conn(), &key.0, &key.1).await?;
        let (schema, table) = key.clone();
        Ok(Counter { schema, table, next })
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
                match defined(tokens).filter(|_| action == Action::Create) {
                    Some(numbered) => self.numbered.insert(key, numbered),
                    None => self.numbered.remove(&key),
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

/// Words of a definition after which only the server knows which of its columns is numbered, or whether the
/// definition is that of the table.
const UNCERTAIN: [&str; 5] = ["EXISTS", "INVISIBLE", "LIKE", "SELECT", "SERIAL"];
/// What begins a line of a definition that is no column.
const NO_COLUMN: [&str; 11] = [
    "CHECK",
    "CONSTRAINT",
    "FOREIGN",
    "FULLTEXT",
    "INDEX",
    "KEY",
    "PERIOD",
    "PRIMARY",
    "SPATIAL",
    "UNIQUE",
    "VECTOR",
];

/// The numbered column of a CREATE TABLE, if it has one; nothing where the server has to be asked. Without a
/// primary key MySQL may add a column that it numbers.
fn defined(tokens: Tokens<'_>) -> Option<Option<Numbered>> {
    let tokens: Vec<Token<'_>> = tokens.map(|spanned| spanned.token).collect();
    let has = |word: &str| tokens.iter().any(|token| token.is(word));
    if !has("PRIMARY") || UNCERTAIN.into_iter().any(has) {
        return None;
    }
    let (mut depth, mut columns, mut column, mut begins) = (0, 0, None, true);
    for token in tokens.into_iter().skip_while(|token| *token != Token::Symbol(b'(')) {
        match token {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') if depth == 1 => return Some(None),
            Token::Symbol(b')') => depth -= 1,
            Token::Symbol(b',') if depth == 1 => begins = true,
            token if depth == 1 && begins => {
                let is_column = !NO_COLUMN.into_iter().any(|word| token.is(word));
                column =
                    if is_column { Some(String::from_utf8(token.name()?).ok()?) } else { None };
                columns += usize::from(is_column);
                begins = false;
            }
            token if depth == 1 && token.is("AUTO_INCREMENT") => {
                return Some(Some(Numbered { column: column?, position: Some(columns - 1) }));
            }
            _ => {}
        }
    }
    None
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

#[cfg(test)]
mod tests {
    use dump::rules::{Client, Rules};
    use dump::token::Target;

    use super::*;

    #[track_caller]
    fn check(definition: &str, expected: Option<Option<(&str, usize)>>) {
        let target = Target { server: Client::MariaDb, version: 101_119 };
        let text = format!("CREATE TABLE `t` {definition}");
        let found = defined(Tokens::new(text.as_bytes(), Rules::new(Client::MariaDb), target));
        let expected = expected.map(|known| {
            known.map(|(name, at)| Numbered { column: name.to_owned(), position: Some(at) })
        });
        assert_eq!(found, expected, "{definition}");
    }

    #[test]
    fn a_definition_tells_which_column_is_numbered() {
        let tail = "ENGINE=InnoDB AUTO_INCREMENT=11 COMMENT='a (SERIAL) b'";
        check(
            &format!("(`id` int NOT NULL AUTO_INCREMENT, PRIMARY KEY (`id`)) {tail}"),
            Some(Some(("id", 0))),
        );
        check(
            "(`v` decimal(5,2) DEFAULT (1+2), `key` enum('a','b)'), PRIMARY KEY (`n`), n int auto_increment)",
            Some(Some(("n", 2))),
        );
        check(&format!("(`a` int COMMENT 'AUTO_INCREMENT', PRIMARY KEY (`a`)) {tail}"), Some(None));
        check("(`a` int /*!50000 AUTO_INCREMENT */ PRIMARY KEY)", Some(Some(("a", 0))));
    }

    #[test]
    fn where_a_definition_does_not_tell_the_server_is_asked() {
        check("(`a` int)", None);
        check("(`a` int INVISIBLE AUTO_INCREMENT PRIMARY KEY, `b` int)", None);
        check("(`a` SERIAL, PRIMARY KEY (`a`))", None);
        check("(PRIMARY KEY (`a`)) AS SELECT 1 AS `a`", None);
        check("LIKE `u`", None);
        check("(`a` int PRIMARY KEY", None);
    }
}
