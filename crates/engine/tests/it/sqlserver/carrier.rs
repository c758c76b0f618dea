//! Rows by the copy's own lanes, from one database of the server to another.

use std::sync::Arc;

use engine::copy::check::Check;
use engine::copy::chunk::Chunk;
use engine::copy::connections::Connections;
use engine::copy::data::{self, Rows};
use engine::copy::lane::BATCH_BYTES;
use engine::copy::mssql::carrier::SqlServer;
use engine::copy::mssql::comparing;
use engine::copy::mssql::job::Job;
use engine::copy::mssql::session::{self, Conn};
use engine::copy::mssql::walk::Walk;
use engine::copy::report::{Difference, Verified};
use engine::copy::sift::{self, Part};
use engine::copy::throttle::{Limits, Throttle};
use engine::copy::verify;
use engine::mssql::catalog::column::{Column, Identity, Source};
use engine::mssql::catalog::schema::Table;
use engine::mssql::script::digest::Form as DigestForm;
use engine::mssql::script::snapshot::READER_BEGIN;
use engine::run::progress::Progress;

use super::rows::{Case, Pair, SOURCE, TARGET};
use super::*;
use crate::mssql_table::{column, table};

/// Readers of one copy: one of them walks.
const READERS: usize = 3;

/// How the server is asked for digests.
async fn form() -> DigestForm {
    let conn = session::writer(&server(), "test").await.unwrap();
    let form = conn.digest_with(&conn);
    conn.close().await;
    form
}

async fn job(table: Table, batch_bytes: usize) -> Job {
    Job::new(SOURCE, SOURCE, TARGET, table, (batch_bytes, form().await))
}

/// The collation of texts that say none.
async fn collation(session: &mut Session) -> String {
    const QUESTION: &str = "SELECT CAST(SERVERPROPERTY('Collation') AS nvarchar(128))";
    match session.query(QUESTION).await.unwrap().remove(0).remove(0) {
        Value::Text(name) => name,
        other => panic!("{other:?}"),
    }
}

/// Readers that see one moment: nobody writes meanwhile.
async fn readers(jobs: &[Job]) -> Vec<Conn> {
    let mut readers = Vec::new();
    for _ in 0..READERS {
        let mut reader = session::reader(&server()).await.unwrap();
        run(&mut reader.session, &[READER_BEGIN]).await;
        for job in jobs {
            let name = &job.table.name;
            reader
                .session
                .run(&format!("SELECT TOP (1) 1 FROM {SOURCE}.dbo.{name}"))
                .await
                .unwrap();
        }
        assert_eq!(reader.transactions().await.unwrap(), 1);
        readers.push(reader);
    }
    readers
}

/// Carries tables in chunks of so many rows.
async fn carried(
    jobs: &Arc<Vec<Job>>,
    chunk_rows: u64,
    sifted: Vec<Option<Vec<Part>>>,
) -> Result<Rows<SqlServer>, Error> {
    let (readers, progress) = (readers(jobs).await, Progress::new());
    let parts = data::Parts {
        carrier: SqlServer { target: server() },
        jobs: Arc::clone(jobs),
        keys: vec![Vec::new(); jobs.len()],
        readers,
        connections: Connections::default(),
        throttle: Throttle::new(&Limits::none(), Arc::clone(&progress)),
        progress,
        chunk_bytes: chunk_rows,
        sifted,
    };
    data::run(parts).await
}

/// What the copy's own comparison finds, by digests.
async fn compared(jobs: &Arc<Vec<Job>>, rows: Rows<SqlServer>) -> Result<Vec<Difference>, Error> {
    let checks = verify::checks(jobs, &rows.tables, Verified::Checksum);
    let throttle = Throttle::new(&Limits::none(), Progress::new());
    let (found, pairs) = verify::run::<SqlServer>(jobs, checks, rows.pairs, &throttle).await?;
    for (reader, writer) in pairs {
        reader.close().await;
        writer.close().await;
    }
    Ok(found)
}

/// Makes a table of each type on both sides, and fills the source's. A column that may be NULL and one that may
/// not travel as different types.
async fn typed_tables(pair: &mut Pair, cases: &[Case], collation: &str) -> Vec<Job> {
    let form = form().await;
    let mut jobs = Vec::new();
    for (at, case) in cases.iter().enumerate() {
        let (name, table_name) = (case.typed.name, format!("typed{at}"));
        pair.both(&format!(
            "CREATE TABLE dbo.{table_name} (id int NOT NULL PRIMARY KEY, c {name} NULL, d {name} NOT NULL)"
        ))
        .await;
        let rows = (0..case.values.len()).map(|row| {
            let value = case.value(row);
            format!("INSERT INTO dbo.{table_name} (id, c, d) SELECT {row}, {value}, {value}")
        });
        let null = format!("INSERT INTO dbo.{table_name} SELECT -1, NULL, {}", case.value(0));
        let rows: Vec<String> = rows.chain([null]).collect();
        run(&mut pair.reader, &[&rows.join("; ")]).await;
        let columns = vec![
            column("id", "int", false, collation),
            column("c", name, true, collation),
            column("d", name, false, collation),
        ];
        let table = table(&table_name, columns, &["id"]);
        jobs.push(Job::new(SOURCE, SOURCE, TARGET, table, (100_000, form)));
    }
    jobs
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn every_type_goes_by_lanes_and_is_compared() {
    let mut pair = Pair::made().await;
    let collation = collation(&mut pair.judge).await;
    let cases = pair.cases().await;
    let jobs = Arc::new(typed_tables(&mut pair, &cases, &collation).await);
    let rows = carried(&jobs, 2, Vec::new()).await.unwrap();
    let mut wrong = Vec::new();
    for ((job, case), arrived) in jobs.iter().zip(&cases).zip(&rows.tables) {
        let (count, chunks) = (arrived.rows, arrived.chunks.len());
        if count != case.values.len() as u64 + 1 || chunks < 2 {
            wrong.push(format!("{}: {count} rows in {chunks} chunks", case.typed.name));
        }
        let name = format!("dbo.{}", job.table.name);
        for column in ["c", "d"] {
            match pair.differences(&name, &case.typed.shown(column)).await {
                0 => {}
                count => wrong.push(format!("{}: {count} rows differ", case.typed.name)),
            }
        }
    }
    for found in compared(&jobs, rows).await.unwrap() {
        wrong.push(format!("{}: the copy's own comparison says {:?}", found.table, found.keys));
    }
    // It sees one value that is another.
    let mut source = session::reader(&server()).await.unwrap();
    let mut target = session::writer(&server(), "test").await.unwrap();
    for (index, job) in jobs.iter().enumerate() {
        let update = format!("UPDATE dbo.{} SET c = NULL WHERE id = 0", job.table.name);
        run(&mut pair.writer, &[&update]).await;
        let check = Check { job: index, chunk: Chunk::whole(), digest: true };
        let same = verify::rows_if_same::<SqlServer>(&mut source, &mut target, job, &check).await;
        let keys = comparing::differing(&mut source, &mut target, job, &check.chunk).await.unwrap();
        if same.unwrap().is_some() || keys != ["id=0"] {
            wrong.push(format!("{}: one row differs, and said is {keys:?}", job.table.name));
        }
    }
    source.close().await;
    target.close().await;
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    pair.ended().await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn chunks_hold_every_row_once_whatever_the_key() {
    const ROWS: i64 = 25;
    let mut pair = Pair::made().await;
    let collation = collation(&mut pair.judge).await;
    let keys: [(&str, &[(&str, &str)]); 11] = [
        ("int", &[("int", "n * 7 - 80")]),
        ("bigint", &[("bigint", "CAST(n AS bigint) * 400000000000 - 4")]),
        ("decimal", &[("decimal(20,5)", "CAST(n AS decimal(20,5)) / 7 - 2")]),
        ("money", &[("money", "CAST(n AS money) / 3 - 2")]),
        ("date", &[("date", "DATEADD(day, n * 11, '1999-12-31')")]),
        ("datetime", &[("datetime", "DATEADD(ms, n * 1010, '2024-02-29T23:59:50')")]),
        ("datetime2", &[("datetime2(6)", "DATEADD(ms, n * 1003, '2024-02-29T23:59:50')")]),
        ("varchar", &[("varchar(20)", "CAST(CHAR(60 + n) AS varchar(20)) + 'x''y'")]),
        ("nvarchar", &[("nvarchar(20)", "NCHAR(200 + n * 3) + N'ß]'")]),
        ("guid", &[("uniqueidentifier", "NEWID()")]),
        (
            "several",
            &[("int", "n % 3"), ("nvarchar(9)", "CAST(n % 5 AS nvarchar(9))"), ("bigint", "n")],
        ),
    ];
    let mut reader = session::reader(&server()).await.unwrap();
    for (name, parts) in keys {
        let columns: Vec<Column> = (parts.iter().enumerate())
            .map(|(at, (kind, _))| column(&format!("k{at}"), kind, false, &collation))
            .collect();
        let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
        let defined =
            parts.iter().zip(&names).map(|((kind, _), name)| format!("{name} {kind} NOT NULL"));
        let defined = defined.collect::<Vec<String>>().join(", ");
        let listed = names.join(", ");
        let create = format!("CREATE TABLE dbo.k_{name} ({defined}, PRIMARY KEY ({listed}))");
        run(&mut pair.reader, &[&create]).await;
        for n in 0..ROWS {
            let values: Vec<&str> = parts.iter().map(|(_, value)| *value).collect();
            let insert = format!(
                "INSERT INTO dbo.k_{name} SELECT {} FROM (SELECT {n} AS n) AS d",
                values.join(", ")
            );
            run(&mut pair.reader, &[&insert]).await;
        }
        let job = job(table(&format!("k_{name}"), columns.clone(), &names), BATCH_BYTES).await;
        for step in [1, 4, 1000] {
            let (mut walk, mut seen, mut chunks) = (Walk::new(&job, step), 0, 0);
            while let Some(chunk) = walk.next(&job, Some(&mut reader)).await.unwrap() {
                let question =
                    format!("SELECT COUNT(*) FROM {SOURCE}.dbo.k_{name}{}", chunk.filter());
                seen += number(&mut pair.judge, &question).await;
                chunks += 1;
            }
            assert_eq!(seen, ROWS, "{name} in steps of {step}");
            assert_eq!(chunks, ROWS as u64 / step + 1, "{name} in steps of {step}");
        }
    }
    reader.close().await;
    pair.ended().await;
}

/// A table with columns that cannot be written between those that can.
const SHIFTING: &str = "CREATE TABLE dbo.shifting (twice AS n * 2, id int IDENTITY(10, 5) NOT NULL PRIMARY KEY, v \
                        rowversion, n int NULL DEFAULT 7, sum AS n + id PERSISTED, t nvarchar(10) NULL DEFAULT \
                        N'x')";

fn shifting(collation: &str) -> Table {
    let mut columns = vec![
        column("twice", "int", true, collation),
        column("id", "int", false, collation),
        // Whether it is there or not, nobody asks for it.
        column("v", "timestamp", false, collation),
        column("n", "int", true, collation),
        column("sum", "int", true, collation),
        column("t", "nvarchar(10)", true, collation),
    ];
    for (at, definition, is_persisted) in [(0, "([n]*(2))", false), (4, "([n]+[id])", true)] {
        columns[at].source = Source::Computed { definition: definition.to_owned(), is_persisted };
    }
    let (seed, increment) = ("10".to_owned(), "5".to_owned());
    let identity = Identity { seed, increment, last: None, not_for_replication: false };
    columns[1].source = Source::Identity(identity);
    table("shifting", columns, &["id"])
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn columns_that_cannot_be_written_shift_no_value() {
    let mut pair = Pair::made().await;
    let collation = collation(&mut pair.judge).await;
    match is_babelfish(&mut pair.judge).await {
        true => {
            not_shown("Babelfish has no rowversion unless it is told to");
            pair.both(&SHIFTING.replace("v rowversion, ", "")).await;
        }
        false => pair.both(SHIFTING).await,
    }
    run(
        &mut pair.reader,
        &[
            "INSERT INTO dbo.shifting (n, t) VALUES (1, N'a'), (NULL, NULL), (-3, N'')",
            "DELETE FROM dbo.shifting WHERE id = 10",
            "SET IDENTITY_INSERT dbo.shifting ON",
            "INSERT INTO dbo.shifting (id, n, t) VALUES (-7, 5, N'y')",
        ],
    )
    .await;
    let jobs = Arc::new(vec![job(shifting(&collation), BATCH_BYTES).await]);
    let rows = carried(&jobs, 1 << 40, Vec::new()).await.unwrap();
    assert_eq!(rows.tables[0].rows, 3);
    for shown in ["n, twice", "t COLLATE Latin1_General_BIN2, sum", "DATALENGTH(t), 0"] {
        assert_eq!(pair.differences("dbo.shifting", shown).await, 0, "{shown}");
    }
    let asked = format!("SELECT COUNT(*) FROM {TARGET}.dbo.shifting WHERE n IS NULL AND t IS NULL");
    assert_eq!(number(&mut pair.judge, &asked).await, 1, "a default has come in place of NULL");
    assert_eq!(compared(&jobs, rows).await.unwrap(), []);
    pair.ended().await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn a_row_of_a_hundred_megabytes_goes_in_parts() {
    let mut pair = Pair::made().await;
    let collation = collation(&mut pair.judge).await;
    pair.both(
        "CREATE TABLE dbo.long (id int NOT NULL PRIMARY KEY, b varbinary(max) NULL, t int NULL)",
    )
    .await;
    run(
        &mut pair.reader,
        &[
            "INSERT INTO dbo.long VALUES (1, 0x01, 1), (3, NULL, 3), (5, 0x, 5)",
            "INSERT INTO dbo.long SELECT 2, CAST(REPLICATE(CAST('0123456789' AS varchar(max)), 10000000) AS \
             varbinary(max)), 2",
            "INSERT INTO dbo.long SELECT 4, CAST(REPLICATE(CAST('abc' AS varchar(max)), 3000000) AS \
             varbinary(max)), 4",
        ],
    )
    .await;
    let columns = vec![
        column("id", "int", false, &collation),
        column("b", "varbinary(max)", true, &collation),
        column("t", "int", true, &collation),
    ];
    let jobs = Arc::new(vec![job(table("long", columns, &["id"]), BATCH_BYTES).await]);
    let rows = carried(&jobs, 1 << 40, Vec::new()).await.unwrap();
    assert_eq!(rows.tables[0].rows, 5);
    assert_eq!(pair.differences("dbo.long", "t, HASHBYTES('SHA2_256', b)").await, 0);
    let asked = format!("SELECT DATALENGTH(b) FROM {TARGET}.dbo.long WHERE id = 2");
    assert_eq!(number(&mut pair.judge, &asked).await, 100_000_000);
    assert_eq!(compared(&jobs, rows).await.unwrap(), []);
    pair.ended().await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn what_an_earlier_copy_left_stays_where_it_is_right() {
    let mut pair = Pair::made().await;
    let collation = collation(&mut pair.judge).await;
    pair.both("CREATE TABLE dbo.left_there (id int NOT NULL PRIMARY KEY, n int NULL)").await;
    for id in 1..=40 {
        run(&mut pair.reader, &[&format!("INSERT INTO dbo.left_there VALUES ({id}, {id} * 3)")])
            .await;
    }
    // The first ten are right, of the second one is another, of the third one is gone and one is too many.
    run(
        &mut pair.writer,
        &[
            &format!("INSERT INTO dbo.left_there SELECT id, n FROM {SOURCE}.dbo.left_there WHERE id <= 30"),
            "UPDATE dbo.left_there SET n = 0 WHERE id = 15",
            "DELETE FROM dbo.left_there WHERE id = 25",
            "INSERT INTO dbo.left_there VALUES (100, 100)",
        ],
    )
    .await;
    let columns =
        vec![column("id", "int", false, &collation), column("n", "int", true, &collation)];
    let jobs = Arc::new(vec![job(table("left_there", columns, &["id"]), BATCH_BYTES).await]);
    let parts = sift::Parts {
        carrier: &SqlServer { target: server() },
        jobs: &jobs,
        inherited: &[true],
        connections: &Connections::default(),
        progress: &Progress::new(),
        chunk_bytes: 10,
    };
    let (sifted, readers) = sift::run(parts, readers(&jobs).await).await.unwrap();
    let kept: Vec<Option<u64>> = sifted[0].iter().flatten().map(|part| part.kept).collect();
    assert_eq!(kept, [Some(10), None, None, None, None]);
    let there = format!("SELECT COUNT(*) FROM {TARGET}.dbo.left_there");
    assert_eq!(number(&mut pair.judge, &there).await, 10);
    for reader in readers {
        reader.close().await;
    }
    let rows = carried(&jobs, 10, sifted).await.unwrap();
    assert_eq!((rows.tables[0].rows, rows.tables[0].rows_kept), (40, 10));
    assert_eq!(pair.differences("dbo.left_there", "n, 0").await, 0);
    assert_eq!(compared(&jobs, rows).await.unwrap(), []);
    // All of a table goes at once.
    let mut writer = session::writer(&server(), "test").await.unwrap();
    comparing::remove(&mut writer, &jobs[0], &Chunk::whole()).await.unwrap();
    assert!(!comparing::holds(&mut writer, &jobs[0], &Chunk::whole()).await.unwrap());
    writer.close().await;
    pair.ended().await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn a_load_is_in_wholly_or_not_at_all() {
    const ROWS: i64 = 5000;
    let mut pair = Pair::made().await;
    let collation = collation(&mut pair.judge).await;
    pair.both("CREATE TABLE dbo.whole (id int NOT NULL PRIMARY KEY, n int NULL)").await;
    let mut insert = String::from("INSERT INTO dbo.whole VALUES (0, 0)");
    for id in 1..ROWS {
        insert.push_str(&format!("; INSERT INTO dbo.whole VALUES ({id}, {id})"));
    }
    run(&mut pair.reader, &[&insert]).await;
    // The last row of the load has a key that is there.
    run(&mut pair.writer, &[&format!("INSERT INTO dbo.whole VALUES ({}, 1)", ROWS - 1)]).await;
    let columns =
        vec![column("id", "int", false, &collation), column("n", "int", true, &collation)];
    let jobs = Arc::new(vec![job(table("whole", columns, &["id"]), BATCH_BYTES).await]);
    let error = refused(carried(&jobs, 1 << 40, Vec::new()).await, &[ErrorKind::Statement]);
    assert_eq!(error.object.table.as_deref(), Some("dbo.whole"));
    let there = format!("SELECT COUNT(*) FROM {TARGET}.dbo.whole");
    assert_eq!(number(&mut pair.judge, &there).await, 1);
    // Nor is a row sent into a column that is another.
    run(
        &mut pair.writer,
        &[
            "DROP TABLE dbo.whole",
            "CREATE TABLE dbo.whole (id int NOT NULL PRIMARY KEY, n bigint NULL)",
        ],
    )
    .await;
    let error = refused(carried(&jobs, 1 << 40, Vec::new()).await, &[ErrorKind::Statement]);
    assert!(error.to_string().contains("[n] int and [n] bigint"), "{error}");
    assert_eq!(number(&mut pair.judge, &there).await, 0);
    pair.ended().await;
}

#[tokio::test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
async fn a_session_is_ended_from_outside() {
    let mut conn = session::writer(&server(), "test").await.unwrap();
    let mut other = session::writer(&server(), "test").await.unwrap();
    assert_ne!(conn.number(), other.number());
    let asked = number(&mut other.session, "SELECT CAST(@@SPID AS bigint)").await;
    assert_eq!(u64::try_from(asked).unwrap(), other.number());
    let connections = Connections::default();
    connections.watch(conn.kill());
    assert!(connections.ids(conn.server()).contains(&conn.number()));
    connections.end().await;
    let ended = async {
        while conn.session.is_idle() {
            let _ = conn.session.run("SELECT 1").await;
        }
    };
    tokio::time::timeout(DEADLINE, ended).await.unwrap();
    refused(conn.session.run("SELECT 1").await, &[ErrorKind::LostConnection]);
    assert_eq!(number(&mut other.session, "SELECT 1").await, 1);
    other.close().await;
}
