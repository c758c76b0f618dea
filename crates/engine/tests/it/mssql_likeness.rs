//! What two databases of SQL Server do not have alike, and what counts as alike all the same. No server is needed.

use engine::mssql::catalog::column::Source;
use engine::mssql::catalog::schema::{Compression, Database};
use engine::mssql::script::likeness::{Names, differences, numbers, reworded};

use crate::mssql::{database, databases};

fn same_names(database: &Database) -> Names {
    Names::new(&[(database.name.clone(), database.name.clone())], true)
}

/// What is not alike of a case's database and of a changed one, as `object: what`.
fn unlike(case: &str, change: impl Fn(&mut Database)) -> Vec<String> {
    let wanted = database(case);
    let mut made = wanted.clone();
    change(&mut made);
    let found = differences(&wanted, &made, &same_names(&wanted));
    found.into_iter().map(|one| format!("{}: {}", one.object, one.what)).collect()
}

#[track_caller]
fn check(case: &str, change: impl Fn(&mut Database), expected: &[&str]) {
    assert_eq!(unlike(case, change), expected);
}

/// Expressions in other words, as `object: part`.
#[track_caller]
fn check_words(case: &str, change: impl Fn(&mut Database), expected: &[&str]) {
    check(case, &change, &[]);
    let wanted = database(case);
    let mut made = wanted.clone();
    change(&mut made);
    let found = reworded(&wanted, &made, &same_names(&wanted));
    let found: Vec<String> =
        found.into_iter().map(|(object, part)| format!("{object}: {part}")).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_database_is_like_itself_whatever_the_server_counts() {
    for wanted in databases() {
        let mut made = wanted.clone();
        made.findings.clear();
        for table in &mut made.tables {
            (table.rows_estimated, table.bytes_estimated) = (7, 7);
            for column in &mut table.columns {
                column.id += 5;
                if let Source::Identity(identity) = &mut column.source {
                    identity.last = Some("99".to_owned());
                }
            }
        }
        let names = same_names(&wanted);
        assert_eq!(differences(&wanted, &made, &names), [], "{}", wanted.name);
        assert!(reworded(&wanted, &made, &names).is_empty(), "{}", wanted.name);
    }
}

#[test]
fn what_a_table_has_otherwise_is_named() {
    check(
        "keys",
        |made| made.tables.truncate(1),
        &[
            "dbo.child: only the source has it so: ALTER TABLE dbo.child ADD CONSTRAINT CK_on CHECK",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child ADD CONSTRAINT FK_self FOREIGN KEY",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child ADD CONSTRAINT FK_two FOREIGN KEY",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child ADD CONSTRAINT PK_child PRIMARY KEY CLUSTERED",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child NOCHECK CONSTRAINT CK_off",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child NOCHECK CONSTRAINT FK_off",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child WITH NOCHECK ADD CONSTRAINT CK_off CHECK",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child WITH NOCHECK ADD CONSTRAINT CK_repl CHECK NOT FOR REPLICATION",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child WITH NOCHECK ADD CONSTRAINT CK_untrusted CHECK",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child WITH NOCHECK ADD CONSTRAINT FK_default FOREIGN KEY",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child WITH NOCHECK ADD CONSTRAINT FK_off FOREIGN KEY",
            "dbo.child: only the source has it so: ALTER TABLE dbo.child WITH NOCHECK ADD CONSTRAINT FK_repl FOREIGN KEY",
            "dbo.child: only the source has it so: CREATE TABLE dbo.child",
        ],
    );
    check(
        "keys",
        |made| made.tables[1].columns[4].is_nullable = true,
        &["dbo.child: not the same: CREATE TABLE dbo.child (n)"],
    );
    // A constraint that was made, but that the server does not rely on.
    check(
        "keys",
        |made| made.tables[1].foreign_keys[0].is_not_trusted = true,
        &[
            "dbo.child: only the source has it so: ALTER TABLE dbo.child ADD CONSTRAINT FK_two FOREIGN KEY",
            "dbo.child: only the target has it so: ALTER TABLE dbo.child WITH NOCHECK ADD CONSTRAINT FK_two FOREIGN KEY",
        ],
    );
    check(
        "indexes",
        |made| made.tables[0].lock_escalation = "TABLE",
        &["dbo.t: only the source has it so: ALTER TABLE dbo.t SET"],
    );
    check(
        "indexes",
        |made| made.tables[2].heap = Compression::None,
        &["dbo.pile: not the same: CREATE TABLE dbo.pile"],
    );
    check(
        "temporal",
        |made| made.tables[0].period = None,
        &[
            "dbo.price: only the source has it so: ALTER TABLE dbo.price ADD PERIOD FOR SYSTEM_TIME",
            "dbo.price: only the source has it so: ALTER TABLE dbo.price ALTER COLUMN since ADD HIDDEN",
            "dbo.price: only the source has it so: ALTER TABLE dbo.price ALTER COLUMN until ADD HIDDEN",
            "dbo.price: only the source has it so: ALTER TABLE dbo.price SET",
        ],
    );
}

#[test]
fn what_an_index_has_otherwise_is_named() {
    let index = |made: &mut Database, name: &str| {
        made.tables[0].indexes.iter().position(|one| one.name == name).unwrap()
    };
    let changed = |change: fn(&mut engine::mssql::catalog::index::Index), name: &'static str| {
        move |made: &mut Database| {
            let at = index(made, name);
            change(&mut made.tables[0].indexes[at]);
        }
    };
    check(
        "indexes",
        changed(|one| one.fill_factor = 70, "PK_t"),
        &["dbo.t: not the same: ALTER TABLE dbo.t ADD CONSTRAINT PK_t PRIMARY KEY NONCLUSTERED"],
    );
    check(
        "indexes",
        changed(|one| one.is_disabled = false, "IX_off"),
        &["dbo.t: only the source has it so: ALTER INDEX IX_off ON dbo.t DISABLE"],
    );
    check(
        "indexes",
        changed(|one| one.compression = Compression::None, "IX_filter"),
        &["dbo.t: not the same: CREATE NONCLUSTERED INDEX IX_filter ON dbo.t"],
    );
    // 0 and 100 both fill pages.
    check("indexes", changed(|one| one.fill_factor = 100, "UX_c"), &[]);
    check(
        "indexes",
        changed(|one| one.name = "IX_other".to_owned(), "IX_filter"),
        &[
            "dbo.t: only the source has it so: CREATE NONCLUSTERED INDEX IX_filter ON dbo.t",
            "dbo.t: only the target has it so: CREATE NONCLUSTERED INDEX IX_other ON dbo.t",
        ],
    );
    let wanted = database("indexes");
    let mut made = wanted.clone();
    changed(|one| one.name = "IX_other".to_owned(), "IX_filter")(&mut made);
    let chosen = same_names(&wanted).without_indexes();
    assert_eq!(differences(&wanted, &made, &chosen), []);
    assert!(reworded(&wanted, &made, &chosen).is_empty());
    check_words(
        "indexes",
        changed(|one| one.filter = Some("([n]>(1))".to_owned()), "NCCI"),
        &["dbo.t: index NCCI"],
    );
}

#[test]
fn what_programs_have_otherwise_is_named() {
    check(
        "modules",
        |made| made.modules.retain(|module| module.name != "a_top"),
        &["dbo.a_top: only the source has it so: CREATE VIEW dbo.a_top"],
    );
    let procedure = |made: &mut Database, text: &str| {
        let found = made.modules.iter_mut().find(|module| module.name == "second").unwrap();
        found.definition = text.to_owned();
    };
    // Servers keep the text without `OR ALTER`; white space and comments do nothing.
    let usual = "CREATE   PROCEDURE dbo.second\nAS -- calls\n EXEC dbo.first";
    check("modules", |made| procedure(made, usual), &[]);
    let other = "CREATE PROCEDURE dbo.second AS EXEC dbo.third;";
    check(
        "modules",
        |made| procedure(made, other),
        &["dbo.second: not the same: CREATE PROCEDURE dbo.second"],
    );
    let quotes = |made: &mut Database| {
        let found = made.modules.iter_mut().find(|module| module.name == "second").unwrap();
        found.session.quoted_identifier = false;
    };
    check("modules", quotes, &["dbo.second: not the same: CREATE PROCEDURE dbo.second"]);
    assert!(!unlike("triggers", |made| made.triggers[0].is_disabled ^= true).is_empty());
    assert!(!unlike("triggers", |made| made.triggers.truncate(1)).is_empty());
    assert!(!unlike("properties", |made| made.properties.truncate(1)).is_empty());
    assert!(!unlike("kinds", |made| made.aliases[0].is_nullable = true).is_empty());
    assert!(!unlike("kinds", |made| made.synonyms.truncate(1)).is_empty());
    assert!(!unlike("kinds", |made| made.collation = "Latin1_General_CS_AS".into()).is_empty());
}

#[test]
fn expressions_are_the_same_in_other_parentheses_quotes_and_case() {
    let check_of = |text: &'static str| {
        move |made: &mut Database| {
            let checks = &mut made.tables[1].checks;
            checks.iter_mut().find(|one| one.name == "CK_on").unwrap().definition = text.to_owned();
        }
    };
    check_words("keys", check_of("(n >= 0)"), &[]);
    check_words("keys", check_of("([N]>=(0))"), &[]);
    check_words("keys", check_of("([n]>(0))"), &["dbo.child: check CK_on"]);
    check_words("keys", check_of("([n]>='0')"), &["dbo.child: check CK_on"]);
}

#[test]
fn sequences_are_compared_by_where_they_stand() {
    let wanted = database("kinds");
    let mut made = wanted.clone();
    for one in &mut made.sequences {
        // What it is told to begin with at its making is another number after a restart.
        one.start = "5".to_owned();
    }
    assert_eq!(differences(&wanted, &made, &same_names(&wanted)), []);
    assert_eq!(numbers(&wanted, &made), []);
    made.sequences[1].current = "41".to_owned();
    let found = numbers(&wanted, &made);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].object, "dbo.used");
}

#[test]
fn names_of_databases_follow_and_what_waits_for_them_is_left_out() {
    let wanted = database("modules");
    let names = |is_shown: bool| {
        let pairs = [("shop", "store"), ("crm", "kunden")];
        Names::new(&pairs.map(|(a, b)| (a.to_owned(), b.to_owned())), is_shown)
    };
    let mut made = wanted.clone();
    made.name = "store".to_owned();
    for module in &mut made.modules {
        module.definition =
            module.definition.replace("[Shop]", "[store]").replace("crm.", "[kunden].");
    }
    for synonym in &mut made.synonyms {
        synonym.stands_for = synonym.stands_for.replace("crm", "kunden");
    }
    assert_eq!(differences(&wanted, &made, &names(true)), []);
    made.modules
        .retain(|module| !["crossing", "on_crossing", "on_people"].contains(&module.name.as_str()));
    assert_eq!(differences(&wanted, &made, &names(false)), []);
    let found = differences(&wanted, &made, &names(true));
    let found: Vec<&str> = found.iter().map(|one| one.object.as_str()).collect();
    assert_eq!(found, ["dbo.crossing", "dbo.on_crossing", "dbo.on_people"]);
}
