//! `scripts/bench sqlserver`: how fast rows go from a SQL Server to itself by `dbferry copy`, beside a bare
//! loop of the same client that has them in memory and only loads them. Prints the rows of a table.
//!
//! The server is the one that `DBFERRY_TEST_SQLSERVER` names. Arguments: `--run`, then `--rows` and
//! `--rounds`. Without `--run` it only says so: `cargo test` must not measure for minutes. Its databases
//! begin with `dbferry_bench_`, are replaced if they are there, and are dropped at the end. Both load
//! the same rows, in batches of the same size, over as many connections, into an empty table of the
//! same shape; what the copy does besides (snapshot, catalog, journal, renaming) is in its whole
//! time, and not in that of its rows.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measuring program")]

use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use engine::copy::lane::BATCH_BYTES;
use engine::endpoint::Endpoint;
use engine::mssql::carry::{Hints, Loaded};
use engine::mssql::session::Session;
use tokio::task::JoinSet;

const SOURCE: &str = "dbferry_bench_source";
const BARE: &str = "dbferry_bench_bare";
const COPY: &str = "dbferry_bench_copy";
const HINTS: Hints = Hints { keep_nulls: true, lock_table: false, check_constraints: false };
/// How long a server may see those who have left a database, and how often it is asked.
const DROP_MAX: Duration = Duration::from_secs(60);
const DROP_AGAIN: Duration = Duration::from_millis(200);
/// Rows that one statement makes.
const MADE_AT_ONCE: u64 = 50_000;
/// Bytes of a chunk: so that the lanes have the like to do, as in a table that is larger than this one.
const CHUNK_BYTES: &str = "4000000";

/// Like TPC-H's lineitem.
const TABLE: &str = "CREATE TABLE dbo.line (id bigint NOT NULL CONSTRAINT line_key PRIMARY KEY, part int NOT NULL, \
                     supplier int NOT NULL, quantity decimal(15, 2) NOT NULL, price decimal(15, 2) NOT NULL, \
                     discount decimal(15, 2) NULL, flag char(1) NOT NULL, shipped date NOT NULL, instruct \
                     char(25) NOT NULL, comment varchar(44) NULL)";

/// Batches of one connection, each of whole rows.
type Batches = Vec<Vec<u8>>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--run") {
        println!("rate: measures with --run only: scripts/bench sqlserver");
        return ExitCode::SUCCESS;
    }
    let number = |name: &str, default: u64| {
        let given = arguments.iter().skip_while(|argument| *argument != name).nth(1);
        given.map_or(default, |text| text.parse().unwrap())
    };
    let (rows, rounds) = (number("--rows", 500_000), number("--rounds", 3));
    let url = std::env::var("DBFERRY_TEST_SQLSERVER").unwrap();
    fill(&url, rows).await;
    println!("| lanes | bare loop | copy's rows | ratio | copy in all | its peak memory |");
    println!("|---|---|---|---|---|---|");
    for lanes in [1, 2] {
        let (columns, batches) = read(&url, rows, lanes).await;
        let (mut bare, mut copied) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            bare.push(load(&url, &columns, &batches).await);
            copied.push(copy(&url, rows, lanes).await);
        }
        let bare = median(bare);
        let [seconds, all, peak] =
            [0, 1, 2].map(|at| median(copied.iter().map(|c| c[at]).collect()));
        let a_second = |seconds: f64| rows as f64 / seconds;
        println!(
            "| {lanes} | {:.0} rows/s | {:.0} rows/s | {:.2} | {all:.1} s | {peak:.0} MiB |",
            a_second(bare),
            a_second(seconds),
            bare / seconds
        );
    }
    let mut session = connected(&url, "master").await;
    for database in [SOURCE, BARE, COPY] {
        drop_database(&mut session, database).await;
    }
    ExitCode::SUCCESS
}

async fn connected(url: &str, database: &str) -> Session {
    let endpoint = Endpoint::parse(url).unwrap();
    let endpoint = Endpoint { database: Some(database.to_owned()), ..endpoint };
    Session::connect(&endpoint, "bench").await.unwrap()
}

/// Drops a database as soon as the server no longer sees anybody in it.
async fn drop_database(session: &mut Session, database: &str) {
    let statement = format!("DROP DATABASE IF EXISTS {database}");
    let began = Instant::now();
    while let Err(error) = session.run(&statement).await {
        assert!(began.elapsed() < DROP_MAX, "{database}: {error}");
        tokio::time::sleep(DROP_AGAIN).await;
    }
}

/// An empty table in a database of its own.
async fn made(url: &str, database: &str) -> Session {
    let mut session = connected(url, "master").await;
    drop_database(&mut session, database).await;
    session.run(&format!("CREATE DATABASE {database}")).await.unwrap();
    session.close().await;
    let mut session = connected(url, database).await;
    session.run(TABLE).await.unwrap();
    session
}

/// Makes the rows to be copied.
async fn fill(url: &str, rows: u64) {
    let mut session = made(url, SOURCE).await;
    session.run("CREATE TABLE dbo.digits (d int NOT NULL)").await.unwrap();
    session
        .run("INSERT INTO dbo.digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
        .await
        .unwrap();
    for from in (0..rows).step_by(usize::try_from(MADE_AT_ONCE).unwrap()) {
        let until = (from + MADE_AT_ONCE).min(rows);
        let statement = format!(
            "INSERT INTO dbo.line SELECT n, n % 200000, n % 10000, n % 50, n % 100000 / 7.0, n % 11 / 100.0, 'N', \
             '1995-06-17', 'DELIVER IN PERSON', CAST(n AS varchar(20)) + ' carefully final deposits' FROM (SELECT \
             CAST({from} AS bigint) + a.d * 10000 + b.d * 1000 + c.d * 100 + e.d * 10 + f.d AS n FROM dbo.digits \
             AS a CROSS JOIN dbo.digits AS b CROSS JOIN dbo.digits AS c CROSS JOIN dbo.digits AS e CROSS JOIN \
             dbo.digits AS f) AS numbers WHERE n < {until}"
        );
        session.run(&statement).await.unwrap();
    }
    session.run("DROP TABLE dbo.digits").await.unwrap();
    session.close().await;
}

/// The rows as they are loaded, an equal part for each connection.
async fn read(url: &str, rows: u64, lanes: u64) -> (Vec<Loaded>, Vec<Batches>) {
    let mut session = connected(url, SOURCE).await;
    let (mut columns, mut parts) = (Vec::new(), Vec::new());
    for lane in 0..lanes {
        let (from, until) = (rows * lane / lanes, rows * (lane + 1) / lanes);
        let question = format!("SELECT * FROM dbo.line WHERE id >= {from} AND id < {until}");
        let mut selection = session.stream(&question).await.unwrap();
        let told = selection.columns().iter().cloned();
        columns = told.map(|column| Loaded { column, collation: None }).collect();
        let mut batches = Batches::new();
        loop {
            let mut batch = Vec::new();
            let filled = selection.fill(&mut batch, BATCH_BYTES).await.unwrap();
            assert!(filled.at_row_end, "rows of this table are short");
            batches.push(batch);
            if filled.is_over {
                break;
            }
        }
        parts.push(batches);
    }
    session.close().await;
    (columns, parts)
}

/// Loads them into an empty table; how many seconds it takes.
async fn load(url: &str, columns: &[Loaded], parts: &[Batches]) -> f64 {
    made(url, BARE).await.close().await;
    let mut sessions = Vec::new();
    for _ in parts {
        sessions.push(connected(url, BARE).await);
    }
    let parts = parts.to_vec();
    let began = Instant::now();
    let mut loads = JoinSet::new();
    for (mut session, batches) in sessions.into_iter().zip(parts) {
        let columns = columns.to_vec();
        loads.spawn(async move {
            for batch in batches {
                let mut bulk = session.bulk("dbo.line", &columns, HINTS).await.unwrap();
                bulk.rows(&batch).await.unwrap();
                bulk.finish().await.unwrap();
            }
            session.close().await;
        });
    }
    loads.join_all().await;
    began.elapsed().as_secs_f64()
}

/// Copies them: seconds of the rows, seconds in all, and the most MiB that the program has had.
async fn copy(url: &str, rows: u64, lanes: u64) -> [f64; 3] {
    let mut session = connected(url, "master").await;
    drop_database(&mut session, COPY).await;
    session.close().await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_dbferry"));
    command.args([
        "copy",
        "--from",
        url,
        "--to",
        url,
        "--verify",
        "none",
        "--json",
        "--no-progress",
    ]);
    command.args(["--databases", &format!("{SOURCE}:{COPY}"), "--threads", &lanes.to_string()]);
    command.args(["--chunk-bytes", CHUNK_BYTES]);
    let child = command.stdout(Stdio::piped()).spawn().unwrap();
    let process = child.id();
    let watching = std::thread::spawn(move || {
        let mut peak = 0.0_f64;
        while let Some(now) = peak_of(process) {
            peak = peak.max(now);
            std::thread::sleep(Duration::from_millis(100));
        }
        peak
    });
    let output = child.wait_with_output().unwrap();
    let peak = watching.join().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let report = &document["report"];
    let copied = &report["tables"][format!("{SOURCE}.dbo.line")]["rows"];
    assert_eq!(copied.as_u64(), Some(rows), "{document:#}");
    [report["data_seconds"].as_f64().unwrap(), report["seconds"].as_f64().unwrap(), peak]
}

/// `VmHWM` of a process that lives.
fn peak_of(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(peak.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}
