//! Definitions tried before the rows and compared behind them, and the session of a copy that stands still.

use engine::copy::Options;
use engine::copy::mssql::journal::{self, Journal};
use engine::copy::past::{Past, Wait};
use engine::copy::throttle::Limits;

use super::copies::{copied_with, left_behind, once_rows_are_in, options, rows_made, shown};
use super::copies::{count, difference, surroundings};
use super::*;

const FROM: &str = "dbferry_test_from";
const TO: &str = "dbferry_test_to";

/// What the report names, as `object: what`.
fn named(failure: &engine::copy::report::Failure) -> Vec<String> {
    failure.report.findings.iter().map(|one| format!("{}: {}", one.object, one.what)).collect()
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn a_program_that_cannot_be_made_fails_the_copy_before_any_row() {
    rows_made(FROM, 3000).await;
    dropped(&[TO]).await;
    let mut session = connected(FROM).await;
    run(
        &mut session,
        &[
            "CREATE TABLE dbo.old_name (n int NOT NULL)",
            "CREATE VIEW dbo.stale AS SELECT n FROM dbo.old_name",
            "CREATE VIEW dbo.sound AS SELECT id FROM dbo.account",
            "CREATE TRIGGER dbo.stamp ON dbo.account AFTER INSERT AS BEGIN SET NOCOUNT ON END",
            // The view's text keeps the old name.
            "EXEC sp_rename 'dbo.old_name', 'new_name', 'OBJECT'",
        ],
    )
    .await;
    let surroundings = surroundings();
    let options = options("d1", &[(FROM, TO)]);
    let failure = copied_with(&options, &surroundings).await.unwrap_err();
    let found = named(&failure);
    assert!(found.len() == 1 && found[0].contains("dbo.stale: the target does not"), "{found:?}");
    let brought = surroundings.progress.applied_rows.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!(brought, 0, "{}", failure.error);
    assert_eq!(left_behind(&mut session).await, 0);
    let view = "DROP VIEW dbo.stale";
    run(&mut session, &[view, "CREATE VIEW dbo.stale AS SELECT n FROM dbo.new_name"]).await;
    shown(&options).await;
    run(&mut session, &["USE dbferry_test_to"]).await;
    assert_eq!(count(&mut session, "dbo.stale").await, 0);
    assert_eq!(count(&mut session, "dbo.sound").await, 3000);
    assert_eq!(left_behind(&mut session).await, 0);
    session.close().await;
    dropped(&[FROM, TO]).await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn what_the_target_has_otherwise_is_named() {
    rows_made(FROM, 3000).await;
    dropped(&[TO]).await;
    let mut session = connected(FROM).await;
    run(
        &mut session,
        &[
            "CREATE TABLE dbo.sale (id int IDENTITY(1, 1) NOT NULL CONSTRAINT sale_key PRIMARY KEY, price \
             decimal(9, 2) NOT NULL CONSTRAINT price_default DEFAULT 1, account int NOT NULL, CONSTRAINT \
             price_check CHECK (price > 0), CONSTRAINT sale_account FOREIGN KEY (account) REFERENCES \
             dbo.account (id))",
            "CREATE VIEW dbo.dear AS SELECT id FROM dbo.sale WHERE price > 100",
        ],
    )
    .await;
    let options = options("d2", &[(FROM, TO)]);
    shown(&options).await;
    let (server, around) = (server(), surroundings());
    let compared = || engine::copy::compare(&server, &server, &options, &around);
    // The name that the source tells: Babelfish makes names of its own of those it is given.
    const NAME: &str = "SELECT CAST(name AS nvarchar(max)) FROM sys.indexes WHERE object_id = \
                        OBJECT_ID(N'dbo.account') AND name LIKE N'account[_]amount%'";
    let Value::Text(index) = session.query(NAME).await.unwrap().remove(0).remove(0) else {
        panic!("an index without a name")
    };
    let same = compared().await;
    same.unwrap_or_else(|failure| panic!("{}: {:?}", failure.error, named(&failure)));
    run(
        &mut session,
        &[
            "USE dbferry_test_to",
            &format!("DROP INDEX {} ON dbo.account", quoted(&index)),
            "ALTER TABLE dbo.sale DROP CONSTRAINT price_check",
            "ALTER TABLE dbo.sale ADD CONSTRAINT price_check CHECK (price > 1)",
            "DROP VIEW dbo.dear",
            "CREATE VIEW dbo.dear AS SELECT id FROM dbo.sale WHERE price > 1000",
            "CREATE VIEW dbo.other AS SELECT id FROM dbo.sale",
        ],
    )
    .await;
    let failure = compared().await.unwrap_err();
    let found = named(&failure);
    for (object, what) in [
        ("account", "only the source has it so: CREATE NONCLUSTERED INDEX"),
        ("sale", "not the same expression: check price_check"),
        ("dear", "not the same: CREATE VIEW dbo.dear"),
        ("other", "only the target has it so: CREATE VIEW dbo.other"),
    ] {
        let begin = format!("{FROM}.dbo.{object}: {what}");
        assert!(found.iter().any(|one| one.starts_with(&begin)), "{begin} is not among {found:#?}");
    }
    assert_eq!(found.len(), 4, "{found:#?}");
    assert_eq!(failure.error.kind, ErrorKind::Statement, "{}", failure.error);
    session.close().await;
    dropped(&[FROM, TO]).await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn a_target_that_has_become_something_else_is_not_shown() {
    rows_made(FROM, 20_000).await;
    dropped(&[TO]).await;
    let surroundings = surroundings();
    let mut options = options("d3", &[(FROM, TO)]);
    // So that there is time to meddle.
    options.throttle.bytes_per_second = Some(300_000);
    let meddle = async {
        let mut other = connected("dbferry_copy_d3_0").await;
        run(&mut other, &["CREATE TABLE dbo.stranger (n int)", "USE master"]).await;
        other.close().await;
    };
    let (outcome, ()) = tokio::join!(
        copied_with(&options, &surroundings),
        once_rows_are_in(&surroundings.progress, meddle)
    );
    let failure = outcome.unwrap_err();
    let found = named(&failure);
    let begin = format!("{FROM}.dbo.stranger: only the target has it so: CREATE TABLE");
    assert!(found.len() == 1 && found[0].starts_with(&begin), "{}: {found:?}", failure.error);
    let mut session = connected("master").await;
    assert_eq!(left_behind(&mut session).await, 0);
    let there = "SELECT COUNT(*) FROM sys.databases WHERE name = N'dbferry_test_to'";
    assert_eq!(number(&mut session, there).await, 0);
    session.close().await;
    dropped(&[FROM]).await;
}

/// Opens and ends sessions for as long as somebody else works: Babelfish renames no database while it counts killed
/// sessions in it, whose places new ones take.
async fn churned<T>(work: impl Future<Output = T>) -> T {
    let churn = async {
        loop {
            let mut others = Vec::new();
            for _ in 0..20 {
                others.push(connected("master").await);
            }
            for other in others {
                other.close().await;
            }
        }
    };
    tokio::select! {
        outcome = work => outcome,
        () = churn => unreachable!("it has no end"),
    }
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn the_next_attempt_of_a_job_ends_the_session_of_one_that_stands_still() {
    rows_made(FROM, 20_000).await;
    dropped(&[TO, "dbferry_copy_e9"]).await;
    // A copy of another job, which lives.
    let mut other = connected("master").await;
    let others = Journal::new("e9");
    others.sign(&mut other).await.unwrap();
    others.open(&mut other).await.unwrap();
    run(&mut other, &["USE master"]).await;

    let around = surroundings();
    let mut first = options("d4a", &[(FROM, TO)]);
    first.past = Past::ResumeOf("d4".to_owned());
    first.throttle.bytes_per_second = Some(100_000);
    let mut standing = Box::pin(copied_with(&first, &around));
    tokio::select! {
        outcome = &mut standing => panic!("it is over: {:?}", outcome.map_err(|failure| failure.error)),
        () = once_rows_are_in(&around.progress, async {}) => {}
    }
    // From here on nobody works at the first one, but its lock is held.
    let mut session = connected("master").await;
    assert!(journal::is_locked(&mut session, "dbferry_copy_d4a").await.unwrap());
    let second = Options { tag: "d4b".to_owned(), throttle: Limits::none(), ..first.clone() };
    let is_babelfish = is_babelfish(&mut session).await;
    let report = match is_babelfish {
        true => {
            not_shown("Babelfish shows no locks: the journal tells whose session it is");
            churned(shown(&second)).await
        }
        false => shown(&second).await,
    };
    assert!(report.resumed.is_some(), "{report:?}");
    let failure = standing.await.unwrap_err();
    assert_eq!(failure.error.kind, ErrorKind::LostConnection, "{}", failure.error);
    let (one, copy) = ("dbferry_test_from.dbo.account", "dbferry_test_to.dbo.account");
    assert_eq!(difference(&mut session, one, copy).await, 0);
    assert_eq!(count(&mut session, copy).await, 20_000);
    // The other one lives still.
    assert_eq!(number(&mut other, "SELECT 1").await, 1);
    assert!(journal::is_locked(&mut session, "dbferry_copy_e9").await.unwrap());
    // Beside it only the journal that tells the job's next attempt what is shown; whoever ends the job takes it away.
    assert_eq!(left_behind(&mut session).await, 2);
    journal::repair(&server(), Some("d4b"), Wait::ForDead).await.unwrap();
    assert_eq!(left_behind(&mut session).await, 1);
    other.close().await;
    session.close().await;
    dropped(&[FROM, TO, "dbferry_copy_e9"]).await;
}
