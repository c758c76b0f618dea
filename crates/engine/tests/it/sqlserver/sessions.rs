//! Logins, encryption, attention, and two sessions that see one moment.

use engine::mssql::script::snapshot::READER_BEGIN;

use super::*;

/// How many transactions are open; not every server tells of those that statements begin.
const OPEN: &str = "SELECT CAST(@@TRANCOUNT AS bigint)";

/// Ends what a session does: by attention, or, where the server sees that too late, by KILL.
async fn ended(mut session: Session, number_at_server: i64) {
    match session.attention().await {
        Ok(()) => assert_eq!(number(&mut session, "SELECT 1").await, 1),
        Err(error) => {
            assert_eq!(error.kind, ErrorKind::LostConnection, "{error}");
            assert!(!session.is_idle());
            let mut killer = connected("master").await;
            run(&mut killer, &[&format!("KILL {number_at_server}")]).await;
            let there =
                format!("SELECT COUNT(*) FROM sys.sysprocesses WHERE spid = {number_at_server}");
            let gone = async { while number(&mut killer, &there).await != 0 {} };
            tokio::time::timeout(DEADLINE, gone).await.unwrap();
            killer.close().await;
        }
    }
    session.close().await;
}

/// Whether the server itself says that this session is encrypted.
async fn is_encrypted(session: &mut Session) -> bool {
    const QUESTION: &str = "SELECT CAST(encrypt_option AS nvarchar(40)) FROM \
                            sys.dm_exec_connections WHERE session_id = @@SPID";
    let rows = session.query(QUESTION).await.unwrap();
    rows == [[Value::Text("TRUE".into())]]
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn every_encryption_that_the_server_has_is_had() {
    let has_authority = server().tls.ca.is_some();
    let mut connected = 0;
    for mode in [
        TlsMode::Disable,
        TlsMode::Prefer,
        TlsMode::Require,
        TlsMode::VerifyCa,
        TlsMode::VerifyFull,
    ] {
        let mut endpoint = server();
        endpoint.tls.mode = mode;
        let is_checked = matches!(mode, TlsMode::VerifyCa | TlsMode::VerifyFull);
        match Session::connect(&endpoint, "test").await {
            Ok(mut session) => {
                assert_eq!(session.is_encrypted(), mode != TlsMode::Disable, "{mode:?}");
                assert_eq!(is_encrypted(&mut session).await, session.is_encrypted(), "{mode:?}");
                session.close().await;
                connected += 1;
            }
            Err(error) => {
                assert_eq!(error.kind, ErrorKind::Tls, "{mode:?}: {error}");
                assert!(!(is_checked && has_authority), "{mode:?}: {error}");
            }
        }
    }
    assert!(connected > 0, "there is no way to connect");
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn strict_encryption_is_had_or_refused() {
    let mut endpoint = server();
    (endpoint.tls.mode, endpoint.tls.strict) = (TlsMode::VerifyFull, true);
    match Session::connect(&endpoint, "test").await {
        Ok(mut session) => assert!(session.is_encrypted() && is_encrypted(&mut session).await),
        Err(error) => {
            let kinds = [ErrorKind::Tls, ErrorKind::LostConnection, ErrorKind::Unreachable];
            assert!(kinds.contains(&error.kind), "{:?}: {error}", error.kind);
        }
    }
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn wrong_logins_are_refused() {
    let mut endpoint = server();
    endpoint.password = Some(Secret::new("no-Such-password-1"));
    let error = refused(Session::connect(&endpoint, "test").await, &[ErrorKind::AccessDenied]);
    assert!(!format!("{error} {error:?}").contains("no-Such"), "the password shows");
    let endpoint = Endpoint { database: Some("dbferry_test_missing".into()), ..server() };
    let kinds = [ErrorKind::UnknownDatabase, ErrorKind::AccessDenied];
    refused(Session::connect(&endpoint, "test").await, &kinds);
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn attention_ends_rows_without_end() {
    let mut session = connected("master").await;
    let number_at_server = number(&mut session, "SELECT CAST(@@SPID AS bigint)").await;
    let endless = "SELECT a.name FROM sys.all_columns AS a CROSS JOIN sys.all_columns AS b CROSS \
                   JOIN sys.all_columns AS c";
    let mut selection = session.stream(endless).await.unwrap();
    let filled = selection.fill(&mut Vec::new(), 1 << 16).await.unwrap();
    assert!(filled.rows > 0 && !filled.is_over);
    ended(session, number_at_server).await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn attention_ends_a_statement_that_waits() {
    const DATABASE: &str = "dbferry_test_wait";
    made(DATABASE).await;
    let (mut holder, mut waiter) = (connected(DATABASE).await, connected(DATABASE).await);
    run(&mut holder, &["CREATE TABLE dbo.t (n int NOT NULL)", "INSERT INTO dbo.t VALUES (1)"])
        .await;
    run(&mut holder, &["BEGIN TRANSACTION", "UPDATE dbo.t SET n = 2"]).await;
    assert_eq!(number(&mut holder, OPEN).await, 1);
    let number_at_server = number(&mut waiter, "SELECT CAST(@@SPID AS bigint)").await;
    {
        let update = waiter.run("UPDATE dbo.t SET n = 3");
        // Whoever waits for that lock waits for ever.
        tokio::select! {
            biased;
            outcome = update => panic!("it ends: {outcome:?}"),
            held = number(&mut holder, "SELECT n FROM dbo.t") => assert_eq!(held, 2),
        }
    }
    assert!(!waiter.is_idle());
    ended(waiter, number_at_server).await;
    run(&mut holder, &["ROLLBACK TRANSACTION"]).await;
    assert_eq!(number(&mut holder, OPEN).await, 0);
    // What waited was not done when the lock was free.
    assert_eq!(number(&mut holder, "SELECT n FROM dbo.t").await, 1);
    holder.close().await;
    dropped(&[DATABASE]).await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn two_sessions_see_one_moment() {
    const DATABASE: &str = "dbferry_test_moment";
    const SUM: &str = "SELECT SUM(n) FROM dbo.t";
    made(DATABASE).await;
    let mut writer = connected(DATABASE).await;
    run(&mut writer, &["CREATE TABLE dbo.t (n int NOT NULL)", "INSERT INTO dbo.t VALUES (1), (2)"])
        .await;
    let mut readers = [connected(DATABASE).await, connected(DATABASE).await];
    for reader in &mut readers {
        run(reader, &[READER_BEGIN, "SELECT TOP (1) 1 FROM dbo.t"]).await;
        assert_eq!(number(reader, OPEN).await, 1);
    }
    run(&mut writer, &["INSERT INTO dbo.t VALUES (4)", "DELETE FROM dbo.t WHERE n = 1"]).await;
    for reader in &mut readers {
        assert_eq!(number(reader, SUM).await, 3);
    }
    assert_eq!(number(&mut writer, SUM).await, 6);
    for mut reader in readers {
        run(&mut reader, &["COMMIT TRANSACTION"]).await;
        assert_eq!(number(&mut reader, SUM).await, 6);
        reader.close().await;
    }
    writer.close().await;
    dropped(&[DATABASE]).await;
}
