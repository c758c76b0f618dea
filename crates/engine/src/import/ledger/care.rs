//! How a statement and the ledger's position stay in step: a pure judgement over the statement.
//!
//! The cheap cases are the common ones: what can be executed twice without harm needs nothing, what
//! can share a transaction with the position gets one. Only the rest is announced as a doubt, which
//! costs a commit of its own. Where nothing is certain the answer is the most careful one.

use dump::rules::Rules;
use dump::statement::{Action, Class, Kind};
use dump::token::{Target, Token, Tokens};

use super::doubt::ObjectKind;

/// Errors that say that something to be dropped is not there: database, table, view as a table,
/// routine, trigger, event (MariaDB and MySQL error lists).
const NOT_THERE: [u32; 7] = [1008, 1051, 4092, 1305, 1360, 1539, 1091];
/// An account statement that was executed already: 1396 `Operation … failed`.
const ACCOUNT_THERE: [u32; 2] = [1396, 1141];
/// Tokens that are looked at; names and guards stand at the start.
const TOKENS_MAX: usize = 200_000;

/// How the session stands when the statement is about to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// A transaction of the file is open, or every statement opens one.
    pub in_transaction: bool,
    /// The file holds locks.
    pub locked: bool,
    /// The statement's table is temporary: it ends with the session.
    pub temporary: bool,
    /// Tables that know no transactions are about.
    pub loose_tables: bool,
}

/// What to do about the position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Care {
    /// Nothing: it can be executed again from the last position, or belongs to an open transaction.
    Nothing,
    /// It gets a transaction together with the position after it.
    Wrap,
    /// It ends the file's transaction: inside that, the position moves behind it.
    EndsWith,
    /// The same, and the position moves in front of it; then as the rest says.
    EndsBefore(Option<Worry>),
    /// The position moves in front of it, with a doubt.
    Announce(Worry),
}

/// The doubt that a statement raises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Worry {
    /// It creates something that must not be there.
    Creates(ObjectKind),
    /// It can be repeated; these errors mean that it was in.
    Repeats(&'static [u32]),
    /// It changes the definition of the table that its class names.
    Alters,
    /// It cannot be told.
    Opaque,
}

/// `ALTER TABLE t DISABLE KEYS`, `… ENABLE KEYS`: to InnoDB it means nothing, and to other engines
/// nothing that can be seen afterwards.
pub fn is_key_switch(class: &Class, text: &[u8], rules: Rules, target: Target) -> bool {
    class.kind == Kind::Table
        && class.action == Action::Alter
        && Words::new(text, rules, target).is_key_switch()
}

/// A CREATE TABLE that fails if there is one, and brings no rows.
pub fn is_new(class: &Class, text: &[u8], rules: Rules, target: Target) -> bool {
    let words = Words::new(text, rules, target);
    table(class, &words) == Care::Announce(Worry::Creates(ObjectKind::Table))
}

/// Judges a statement.
pub fn care(class: &Class, text: &[u8], rules: Rules, target: Target, standing: Standing) -> Care {
    let words = Words::new(text, rules, target);
    if standing.in_transaction {
        return inside(class, &words, standing);
    }
    outside(class, &words, standing)
}

/// In a transaction of the file: only its end matters.
fn inside(class: &Class, words: &Words<'_>, standing: Standing) -> Care {
    match class.kind {
        Kind::Insert | Kind::Query | Kind::Empty | Kind::Use => Care::Nothing,
        Kind::Change if !words.first("TRUNCATE") => Care::Nothing,
        Kind::Set if class.assignments.iter().any(|a| a.name == b"autocommit") => Care::EndsWith,
        Kind::Set => Care::Nothing,
        Kind::EndTransaction if words.first("COMMIT") => Care::EndsWith,
        Kind::EndTransaction => Care::Nothing,
        Kind::UnlockTables if standing.locked => Care::EndsWith,
        Kind::UnlockTables => Care::Nothing,
        _ => match outside(class, words, standing) {
            Care::Announce(worry) => Care::EndsBefore(Some(worry)),
            _ => Care::EndsBefore(None),
        },
    }
}

fn outside(class: &Class, words: &Words<'_>, standing: Standing) -> Care {
    match class.kind {
        Kind::Empty | Kind::Use | Kind::Set | Kind::Query => Care::Nothing,
        Kind::LockTables | Kind::UnlockTables | Kind::Begin => Care::Nothing,
        Kind::EndTransaction if words.first("XA") => Care::Announce(Worry::Opaque),
        Kind::EndTransaction => Care::Nothing,
        Kind::Insert if standing.temporary => Care::Nothing,
        // Under the file's locks no transaction can be begun; without a query only tables that the
        // file has locked take part, and those need no lock of ours.
        Kind::Insert if standing.locked && words.has("SELECT") => Care::Announce(Worry::Opaque),
        Kind::Insert => Care::Wrap,
        Kind::Change if words.first("TRUNCATE") => Care::Nothing,
        Kind::Change if standing.locked || standing.loose_tables => Care::Announce(Worry::Opaque),
        Kind::Change => Care::Wrap,
        Kind::LoadFile if standing.locked || standing.loose_tables => Care::Announce(Worry::Opaque),
        Kind::LoadFile => Care::Wrap,
        Kind::Table if class.temporary => Care::Nothing,
        Kind::Table => table(class, words),
        Kind::View => of_object(class, words, ObjectKind::View),
        Kind::Routine => of_object(class, words, ObjectKind::Routine),
        Kind::Trigger => of_object(class, words, ObjectKind::Trigger),
        Kind::Event => of_object(class, words, ObjectKind::Event),
        Kind::Database => of_object(class, words, ObjectKind::Schema),
        Kind::Account => Care::Announce(Worry::Repeats(&ACCOUNT_THERE)),
        Kind::Replication | Kind::Administration => Care::Nothing,
        Kind::Execute if words.first("PREPARE") || words.first("DEALLOCATE") => Care::Nothing,
        Kind::Other if words.first("SET") => Care::Nothing,
        Kind::Execute | Kind::Other => Care::Announce(Worry::Opaque),
    }
}

fn table(class: &Class, words: &Words<'_>) -> Care {
    if words.is_key_switch() {
        return Care::Nothing;
    }
    let of_index = words.among_first("INDEX");
    match class.action {
        Action::Alter => Care::Announce(Worry::Alters),
        Action::Create | Action::Drop if of_index => Care::Announce(Worry::Alters),
        // Rows that come with the definition make it more than a definition.
        Action::Create if words.has("SELECT") => Care::Announce(Worry::Opaque),
        Action::Create | Action::Drop => of_object(class, words, ObjectKind::Table),
    }
}

fn of_object(class: &Class, words: &Words<'_>, kind: ObjectKind) -> Care {
    match class.action {
        Action::Create if words.has_guard() => Care::Nothing,
        Action::Create => Care::Announce(Worry::Creates(kind)),
        Action::Drop if words.has_guard() => Care::Nothing,
        Action::Drop => Care::Announce(Worry::Repeats(&NOT_THERE)),
        Action::Alter => Care::Nothing,
    }
}

/// The words of a statement.
struct Words<'a> {
    text: &'a [u8],
    rules: Rules,
    target: Target,
}

impl<'a> Words<'a> {
    fn new(text: &'a [u8], rules: Rules, target: Target) -> Words<'a> {
        Words { text, rules, target }
    }

    fn tokens(&self) -> impl Iterator<Item = Token<'a>> {
        Tokens::new(self.text, self.rules, self.target).map(|spanned| spanned.token)
    }

    fn first(&self, word: &str) -> bool {
        self.tokens().next().is_some_and(|token| token.is(word))
    }

    fn has(&self, word: &str) -> bool {
        self.tokens().take(TOKENS_MAX).any(|token| token.is(word))
    }

    /// `CREATE UNIQUE INDEX`, `DROP INDEX`, not a table of that name.
    fn among_first(&self, word: &str) -> bool {
        const LEADING: usize = 6;
        let mut leading = self.tokens().take(LEADING).take_while(|token| !token.is("TABLE"));
        leading.any(|token| token.is(word))
    }

    /// `IF NOT EXISTS`, `IF EXISTS` or `OR REPLACE` before the object's name.
    fn has_guard(&self) -> bool {
        const LEADING: usize = 24;
        let leading: Vec<Token<'_>> = self.tokens().take(LEADING).collect();
        leading.windows(2).any(|two| {
            (two[0].is("IF") && (two[1].is("NOT") || two[1].is("EXISTS")))
                || (two[0].is("OR") && two[1].is("REPLACE"))
        })
    }

    /// `ALTER TABLE t DISABLE KEYS`, `… ENABLE KEYS`
    fn is_key_switch(&self) -> bool {
        let leading: Vec<Token<'_>> = self.tokens().take(8).collect();
        leading.last().is_some_and(|last| last.is("KEYS"))
            && leading.len() < 8
            && leading.iter().any(|token| token.is("ENABLE") || token.is("DISABLE"))
    }
}

#[cfg(test)]
mod tests {
    use dump::rules::Client;
    use dump::statement::classify;

    use super::*;

    fn check(text: &str, standing: Standing, expected: &Care) {
        let target = Target { server: Client::MariaDb, version: 101_106 };
        let rules = Rules::new(target.server);
        let class = classify(text.as_bytes(), rules, target);
        let found = care(&class, text.as_bytes(), rules, target, standing);
        assert_eq!(&found, expected, "{text} {standing:?}");
    }

    #[test]
    fn what_dumps_are_made_of_needs_nothing() {
        for text in [
            "/*!40101 SET NAMES utf8 */",
            "DROP TABLE IF EXISTS `t`",
            "CREATE TABLE IF NOT EXISTS t (a INT)",
            "/*!40000 ALTER TABLE `t` DISABLE KEYS */",
            "LOCK TABLES `t` WRITE",
            "CREATE /*!32312 IF NOT EXISTS*/ DATABASE `d`",
            "/*!50001 CREATE OR REPLACE VIEW v AS SELECT 1 */",
            "USE d",
            "CREATE TEMPORARY TABLE t (a INT)",
        ] {
            check(text, Standing::default(), &Care::Nothing);
        }
    }

    #[test]
    fn rows_share_a_transaction() {
        check("INSERT INTO t VALUES (1)", Standing::default(), &Care::Wrap);
        check("UPDATE t SET a = 1", Standing::default(), &Care::Wrap);
        let loose = Standing { loose_tables: true, ..Standing::default() };
        check("UPDATE t SET a = 1", loose, &Care::Announce(Worry::Opaque));
        let locked = Standing { locked: true, ..Standing::default() };
        check("INSERT INTO t VALUES (1)", locked, &Care::Wrap);
        check("INSERT INTO t SELECT 1", locked, &Care::Announce(Worry::Opaque));
    }

    #[test]
    fn definitions_raise_a_doubt() {
        let creates = |kind| Care::Announce(Worry::Creates(kind));
        check("CREATE TABLE `index` (a INT)", Standing::default(), &creates(ObjectKind::Table));
        check(
            "CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = 1",
            Standing::default(),
            &creates(ObjectKind::Trigger),
        );
        let alters = Care::Announce(Worry::Alters);
        check("ALTER TABLE t ADD KEY (a)", Standing::default(), &alters);
        check("CREATE UNIQUE INDEX i ON t (a)", Standing::default(), &alters);
        check("CREATE TABLE t SELECT 1", Standing::default(), &Care::Announce(Worry::Opaque));
        check("CALL p()", Standing::default(), &Care::Announce(Worry::Opaque));
    }

    #[test]
    fn a_transaction_of_the_file_moves_at_its_end() {
        let open = Standing { in_transaction: true, ..Standing::default() };
        check("INSERT INTO t VALUES (1)", open, &Care::Nothing);
        check("SAVEPOINT a", open, &Care::Nothing);
        check("ROLLBACK TO a", open, &Care::Nothing);
        check("COMMIT", open, &Care::EndsWith);
        check("SET autocommit = 1", open, &Care::EndsWith);
        check("BEGIN", open, &Care::EndsBefore(None));
        check("DROP TABLE IF EXISTS t", open, &Care::EndsBefore(None));
        let creates = Worry::Creates(ObjectKind::Table);
        check("CREATE TABLE t (a INT)", open, &Care::EndsBefore(Some(creates)));
    }
}
