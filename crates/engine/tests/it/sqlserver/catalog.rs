//! The questions to the catalog, asked of the server. That what they answer is what SQL Server documents
//! is not shown here where the server is another that speaks its protocol.

use engine::mssql::catalog;
use engine::mssql::catalog::question::{Answers, Facts};
use engine::mssql::catalog::schema::Database;

use super::rows::TYPES;
use super::*;

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn every_question_is_answered_and_read() {
    const DATABASE: &str = "dbferry_test_catalog";
    made(DATABASE).await;
    let mut session = connected(DATABASE).await;
    let columns: Vec<String> =
        TYPES.iter().enumerate().map(|(at, typed)| format!("c{at} {}", typed.name)).collect();
    let every = format!("CREATE TABLE dbo.every_type ({})", columns.join(", "));
    run(&mut session, &[&every]).await;
    run(
        &mut session,
        &[
            "CREATE SCHEMA sales",
            "CREATE TABLE sales.customer (id int IDENTITY(5, 3) NOT NULL CONSTRAINT customer_key \
             PRIMARY KEY, name nvarchar(40) NOT NULL CONSTRAINT customer_name UNIQUE, credit money \
             CONSTRAINT credit_default DEFAULT 3, CONSTRAINT credit_check CHECK (credit >= 0))",
            "CREATE TABLE sales.purchase (id bigint NOT NULL PRIMARY KEY, customer int NOT NULL \
             CONSTRAINT purchase_customer REFERENCES sales.customer (id) ON DELETE CASCADE, amount \
             int, twice AS amount * 2 PERSISTED)",
            "CREATE INDEX purchase_amount ON sales.purchase (amount) INCLUDE (customer)",
            "CREATE SEQUENCE sales.numbers AS bigint START WITH 5 INCREMENT BY 2",
            "CREATE TYPE sales.label FROM nvarchar(10) NOT NULL",
            "CREATE TYPE sales.pairs AS TABLE (a int NOT NULL, b int)",
            "CREATE VIEW sales.rich AS SELECT id, name FROM sales.customer WHERE credit > 100",
            "CREATE FUNCTION sales.doubled(@n int) RETURNS int AS BEGIN RETURN @n * 2 END",
            "CREATE PROCEDURE sales.listed @n int AS SELECT id FROM sales.rich WHERE id > @n",
            "CREATE TRIGGER sales.watch ON sales.customer AFTER INSERT AS BEGIN SET NOCOUNT ON END",
        ],
    )
    .await;
    let facts = session.query(&catalog::facts_question()).await.unwrap();
    let facts = Facts::read(&facts).unwrap();
    let (mut answers, mut wrong) = (Answers::new(), Vec::new());
    for (name, question) in catalog::questions(&facts) {
        match session.query(&question).await {
            Ok(rows) => drop(answers.insert(name, rows)),
            Err(error) => wrong.push(format!("{name}: {error}\n{question}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let database = catalog::read(&answers).unwrap();
    assert_eq!(database.name, DATABASE);
    for name in ["every_type", "customer", "purchase"] {
        assert!(database.tables.iter().any(|table| table.name == name), "{name} is not read");
    }
    check_contents(&database);
    if is_babelfish(&mut session).await {
        not_shown("Babelfish's catalog has no sequences, and other words for indexes and defaults");
    }
    session.close().await;
    dropped(&[DATABASE]).await;
}

/// Tables with all their columns, and modules.
fn check_contents(database: &Database) {
    let tables = database.tables.iter();
    let columns = |name: &str| {
        let found = tables.clone().find(|table| table.name == name).unwrap();
        (found.schema.as_str(), found.columns.len())
    };
    assert_eq!(columns("every_type"), ("dbo", TYPES.len()));
    assert_eq!(columns("customer"), ("sales", 3));
    assert_eq!(columns("purchase"), ("sales", 4));
    let modules: Vec<&str> = database.modules.iter().map(|module| module.name.as_str()).collect();
    for name in ["rich", "doubled", "listed"] {
        assert!(modules.contains(&name), "{name} is not among {modules:?}");
    }
}
