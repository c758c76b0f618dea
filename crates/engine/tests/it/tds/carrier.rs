//! Rows of a copy by its lanes, as the target gets them.

use std::sync::Arc;

use engine::copy::arrival::Arrived;
use engine::copy::connections::Connections;
use engine::copy::data;
use engine::copy::lane::TRIES;
use engine::copy::mssql::carrier::SqlServer;
use engine::copy::mssql::job::Job;
use engine::copy::mssql::session;
use engine::copy::throttle::{Limits, Throttle};
use engine::mssql::script::digest::Form;
use engine::run::progress::Progress;

use super::*;
use crate::mssql_table::{column, table};

/// What a reader asks of the source, and what a writer asks of the target before it loads.
const READ: &str = "SELECT [id], [b] FROM [from].[dbo].[t]";
const LOOK: &str = "SELECT TOP (0) [id], [b] FROM [into].[dbo].[t]";

fn columns() -> Vec<Column> {
    vec![Column::new("id", b"\x38").not_null(), Column::new("b", b"\xa5\xff\xff")]
}

fn row(id: u32, value: Option<Vec<u8>>) -> Vec<Cell> {
    vec![Some(id.to_le_bytes().to_vec()), value]
}

/// A server that is the source of `rows` and a target with a table of `columns`.
fn peer(rows: Vec<Vec<Cell>>, target: Vec<Column>, load_refusal: Option<Refusal>) -> Peer {
    let answers = vec![
        (READ.to_owned(), Answer::Rows(Rows { columns: columns(), rows, compact: false })),
        (LOOK.to_owned(), Answer::Rows(Rows { columns: target, ..Rows::default() })),
    ];
    Peer::start(Script { answers, load_refusal, ..Script::default() }).unwrap()
}

/// Carries the table, which has this key, in batches of a thousand bytes.
async fn carried(peer: &Peer, key: &[&str]) -> Result<Arrived, Error> {
    let here = endpoint(peer, TlsMode::Disable);
    let columns = vec![column("id", "int", false, "x"), column("b", "varbinary(max)", true, "x")];
    let job = Job::new("from", "from", "into", table("t", columns, key), (1000, Form::Bytes));
    let progress = Progress::new();
    let parts = data::Parts {
        carrier: SqlServer { target: here.clone() },
        jobs: Arc::new(vec![job]),
        keys: vec![Vec::new()],
        readers: vec![session::reader(&here).await.unwrap()],
        connections: Connections::default(),
        throttle: Throttle::new(&Limits::none(), Arc::clone(&progress)),
        progress,
        chunk_bytes: 1 << 30,
        sifted: Vec::new(),
    };
    Ok(data::run(parts).await?.tables.remove(0))
}

#[tokio::test]
async fn lanes_load_whole_rows_and_long_ones_in_parts() {
    let short = |id: u32| row(id, (!id.is_multiple_of(5)).then(|| vec![id as u8; 100]));
    let mut rows: Vec<Vec<Cell>> = (0..50).map(short).collect();
    rows.insert(25, row(1000, Some(vec![7; 3_000_000])));
    let peer = peer(rows.clone(), columns(), None);
    let arrived = carried(&peer, &["id"]).await.unwrap();
    assert_eq!((arrived.rows, arrived.done, arrived.is_cut), (51, 1, true));
    let loads = peer.loads();
    let sent: Vec<Vec<Cell>> = loads.iter().flat_map(|load| load.rows.rows.clone()).collect();
    assert_eq!(sent, rows);
    // Batches are short, and the long row is in one load in spite of that.
    assert!(loads.len() > 4, "{} loads", loads.len());
    assert!(loads.iter().all(|load| load.rows.rows.len() < 30));
    for load in &loads {
        let statement =
            "INSERT BULK [into].[dbo].[t] ([id] int, [b] varbinary(max)) WITH (KEEP_NULLS)";
        assert_eq!(load.statement, statement);
    }
    let batches = peer.batches();
    let count = |text: &str| batches.iter().filter(|batch| *batch == text).count();
    assert_eq!((count(LOOK), count("USE [into]")), (1, 1));
    assert_eq!(peer.faults(), Vec::<String>::new());
}

#[tokio::test]
async fn only_a_heap_is_locked_as_a_whole() {
    let peer = peer(vec![row(1, None)], columns(), None);
    assert_eq!(carried(&peer, &[]).await.unwrap().rows, 1);
    let statement = &peer.loads()[0].statement;
    assert!(statement.ends_with(" WITH (KEEP_NULLS, TABLOCK)"), "{statement}");
}

#[tokio::test]
async fn what_others_made_the_target_roll_back_is_tried_again() {
    for (number, class, kind, tries) in [
        (1205, 13, ErrorKind::Deadlock, TRIES as usize),
        (1222, 16, ErrorKind::LockWait, TRIES as usize),
        (2627, 14, ErrorKind::Statement, 1),
    ] {
        let refusal = Refusal { number, class, state: 1, text: "no".to_owned() };
        let peer = peer(vec![row(1, None), row(2, None)], columns(), Some(refusal));
        let error = carried(&peer, &["id"]).await.unwrap_err();
        assert_eq!((error.kind, error.code()), (kind, Some(number)));
        assert_eq!(error.side, engine::error::Side::Target);
        assert_eq!(peer.loads().len(), tries, "error {number}");
    }
}

#[tokio::test]
async fn no_row_is_sent_into_other_columns() {
    let other = [
        vec![Column::new("b", b"\xa5\xff\xff"), Column::new("id", b"\x38").not_null()],
        vec![Column::new("id", b"\x7f").not_null(), Column::new("b", b"\xa5\xff\xff")],
        vec![Column::new("id", b"\x38").not_null()],
    ];
    for target in other {
        let peer = peer(vec![row(1, None)], target, None);
        refused(carried(&peer, &["id"]).await, ErrorKind::Statement, "the two sides differ");
        assert!(peer.loads().is_empty());
    }
}
