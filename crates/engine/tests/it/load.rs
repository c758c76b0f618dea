//! LOAD DATA in place of INSERT: each column type with each literal under several sessions, both
//! ways on both servers, and random files through the whole import.
//!
//! Promises that what is loaded without a word from the server is what an INSERT stores, and that
//! enough is loaded for that to mean something. `DBFERRY_RANDOM_FILES` sets how many files,
//! `DBFERRY_ALL_LOADS` tries all combinations instead of a fifth of them.

use std::collections::BTreeMap;
use std::fmt::Write;

use std::sync::Arc;

use dump::insert::{self, Found};
use dump::reader::Place;
use dump::rules::{Client, Rules};
use engine::endpoint::Endpoint;
use engine::import::batch::{Batch, literal_rows};
use engine::import::feed::rules_from;
use engine::import::load::{self, LoadPlan};
use engine::import::session::SessionState;
use engine::import::table::{self, Column};
use engine::mysql::conn::{Conn, Loaded};
use sandbox::{Flavor, Options, Server};

mod files;
mod literals;

#[tokio::test]
async fn each_literal_in_each_column_is_stored_by_mariadb_as_an_insert_does() {
    check_matrix(Flavor::MariaDb).await;
}

#[tokio::test]
async fn each_literal_in_each_column_is_stored_by_mysql_as_an_insert_does() {
    check_matrix(Flavor::MySql).await;
}

/// A session, and a second column that makes the stream one of text or of bytes.
struct Session {
    charset: &'static str,
    sql_mode: Option<&'static str>,
    time_zone: &'static str,
    other: &'static str,
}

const UTF8: &str = "VARCHAR(9) CHARACTER SET utf8mb4";
const LATIN1: &str = "VARCHAR(9) CHARACTER SET latin1";

static SESSIONS: [Session; 8] = [
    Session { charset: "utf8mb4", sql_mode: None, time_zone: "+00:00", other: UTF8 },
    Session { charset: "utf8mb4", sql_mode: Some(""), time_zone: "+02:00", other: LATIN1 },
    Session {
        charset: "utf8mb4",
        sql_mode: Some("STRICT_ALL_TABLES,NO_BACKSLASH_ESCAPES,NO_ZERO_DATE,NO_ZERO_IN_DATE"),
        time_zone: "+02:00",
        other: UTF8,
    },
    Session {
        charset: "latin1",
        sql_mode: Some("ANSI_QUOTES,NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES"),
        time_zone: "-05:00",
        other: LATIN1,
    },
    Session {
        charset: "latin1",
        sql_mode: Some("STRICT_TRANS_TABLES,NO_BACKSLASH_ESCAPES"),
        time_zone: "+00:00",
        other: UTF8,
    },
    Session {
        charset: "binary",
        sql_mode: Some("STRICT_TRANS_TABLES,PAD_CHAR_TO_FULL_LENGTH"),
        time_zone: "+00:00",
        other: UTF8,
    },
    Session {
        charset: "utf8mb3",
        sql_mode: Some("NO_ZERO_DATE,NO_ZERO_IN_DATE,ERROR_FOR_DIVISION_BY_ZERO"),
        time_zone: "+00:00",
        other: LATIN1,
    },
    Session {
        charset: "utf8mb3",
        sql_mode: Some("STRICT_TRANS_TABLES,ALLOW_INVALID_DATES"),
        time_zone: "+02:00",
        other: UTF8,
    },
];

fn start(flavor: Flavor) -> Server {
    let args = vec!["--local-infile=ON".to_owned()];
    Server::start_with(flavor, &Options { args, ..Options::test() }).unwrap()
}

/// What became of the literals of one column type under one session.
#[derive(Default)]
struct Tally {
    inserted: usize,
    loaded: usize,
    warned: usize,
    failed: usize,
    reasons: BTreeMap<&'static str, usize>,
}

async fn check_matrix(flavor: Flavor) {
    let server = start(flavor);
    server.sql("CREATE DATABASE m CHARACTER SET utf8mb4").unwrap();
    let literals = literals::literals();
    let mut differences = String::new();
    let mut all: BTreeMap<&str, Tally> = BTreeMap::new();
    for session in &SESSIONS {
        let endpoint = Endpoint::parse(&server.url(Some("m"))).unwrap();
        let mut conn = Conn::open(&endpoint, "test").await.unwrap();
        for (number, ddl) in literals::types(flavor).into_iter().enumerate() {
            let matrix = Matrix { flavor, session, ddl, number };
            let tally = matrix.run(&mut conn, &literals, &mut differences).await;
            let sum = all.entry(ddl).or_default();
            sum.inserted += tally.inserted;
            sum.loaded += tally.loaded;
            sum.warned += tally.warned;
            sum.failed += tally.failed;
            for (reason, count) in tally.reasons {
                *sum.reasons.entry(reason).or_default() += count;
            }
        }
        conn.close().await;
    }
    let mut table = String::new();
    for (ddl, tally) in &all {
        let Tally { inserted, loaded, warned, failed, reasons } = tally;
        writeln!(
            table,
            "{ddl}: {inserted} inserted, {loaded} loaded, {warned} warned, {failed} failed, {reasons:?}"
        )
        .unwrap();
    }
    assert!(differences.is_empty(), "{differences}");
    for (ddl, tally) in &all {
        // These take next to nothing of what is tried, or are not known to the matrix.
        let is_rare = ["VECTOR", "COMPRESSED", "INET", "UUID"].iter().any(|w| ddl.contains(w));
        let wanted = if is_rare { 0 } else { tally.inserted / 20 };
        assert!(
            tally.loaded >= wanted.max(usize::from(wanted > 0)),
            "{ddl} loads little:\n{table}"
        );
    }
}

/// One column type under one session.
struct Matrix<'a> {
    flavor: Flavor,
    session: &'a Session,
    ddl: &'a str,
    number: usize,
}

impl Matrix<'_> {
    async fn run(&self, conn: &mut Conn, literals: &[Vec<u8>], differences: &mut String) -> Tally {
        let Matrix { ddl, number, session: Session { other, .. }, .. } = self;
        let table = |way: &str| format!("{way}_{number}_{}", usize::from(*other == UTF8));
        let (by_insert, by_load) = (table("insert"), table("load"));
        run(conn, "SET NAMES utf8mb4, sql_mode = ''").await;
        for table in [&by_insert, &by_load] {
            let columns = format!("id INT PRIMARY KEY, c {ddl}, o {other}");
            run(conn, &format!("CREATE TABLE IF NOT EXISTS {table} ({columns})")).await;
        }
        let facts = table::facts(conn, "m", &by_load).await.unwrap().unwrap();
        let state = self.set_session(conn).await;
        let rules = rules(self.flavor, &state);
        run(conn, "START TRANSACTION").await;
        let mut tally = Tally::default();
        let mut loaded = Vec::new();
        for (id, literal) in literals.iter().enumerate() {
            if !self.is_picked(id) {
                continue;
            }
            let text = insert(&by_insert, id, literal);
            let is_in = conn.query(&text).await.is_ok();
            tally.inserted += usize::from(is_in);
            let text = insert(&by_load, id, literal);
            if load_one(conn, &facts.columns, &state, rules, &text, &mut tally).await {
                loaded.push(id);
            }
        }
        run(conn, "SET NAMES utf8mb4").await;
        let (expected, found) =
            (self.read(conn, &by_insert).await, self.read(conn, &by_load).await);
        for id in loaded {
            if expected.get(&id) != found.get(&id) {
                let Session { charset, sql_mode, .. } = self.session;
                writeln!(
                    differences,
                    "{} {} under {charset} {sql_mode:?}: INSERT {:?}, LOAD {:?}",
                    self.ddl,
                    String::from_utf8_lossy(&literals[id]).escape_debug(),
                    expected.get(&id),
                    found.get(&id)
                )
                .unwrap();
            }
        }
        run(conn, "ROLLBACK").await;
        tally
    }

    /// Each combination of two of column type, literal and session is there, and of three a part,
    /// unless all are asked for.
    fn is_picked(&self, id: usize) -> bool {
        const PART: usize = 5;
        let session = SESSIONS.iter().position(|one| std::ptr::eq(one, self.session)).unwrap();
        std::env::var_os("DBFERRY_ALL_LOADS").is_some()
            || (id + self.number * 3 + session * 7).is_multiple_of(PART)
    }

    async fn set_session(&self, conn: &mut Conn) -> SessionState {
        let Session { charset, sql_mode, time_zone, .. } = self.session;
        let mode = sql_mode.map_or("DEFAULT".to_owned(), |mode| format!("'{mode}'"));
        run(conn, &format!("SET NAMES {charset}")).await;
        run(conn, &format!("SET sql_mode = {mode}, time_zone = '{time_zone}'")).await;
        SessionState::read(conn).await.unwrap()
    }

    async fn read(&self, conn: &mut Conn, table: &str) -> BTreeMap<usize, Option<String>> {
        let is_number =
            ["INT", "DEC", "FLOAT", "DOUBLE"].iter().any(|word| self.ddl.contains(word))
                && !self.ddl.contains("POINT");
        let value = match is_number {
            true => "CONCAT(c, '/', c + 0e0)",
            false => "HEX(c)",
        };
        let rows = conn.rows(&format!("SELECT id, {value} FROM {table}")).await.unwrap();
        rows.into_iter()
            .map(|mut row| (row[0].take().unwrap().parse().unwrap(), row[1].take()))
            .collect()
    }
}

fn insert(table: &str, id: usize, literal: &[u8]) -> Vec<u8> {
    let mut text = format!("INSERT INTO {table} (c, id, o) VALUES (").into_bytes();
    text.extend_from_slice(literal);
    text.extend_from_slice(format!(",{id},'other')").as_bytes());
    text
}

/// Whether a row was loaded without a word from the server.
async fn load_one(
    conn: &mut Conn,
    columns: &[Column],
    state: &SessionState,
    rules: Rules,
    text: &[u8],
    tally: &mut Tally,
) -> bool {
    let encoded = match planned(columns, state, rules, text) {
        Ok((plan, batch)) => load::encode(&plan, &Arc::new(batch)).map(|data| (plan, data)),
        Err(reason) => Err(reason),
    };
    let (plan, data) = match encoded {
        Ok(encoded) => encoded,
        Err(reason) => {
            *tally.reasons.entry(reason).or_default() += 1;
            return false;
        }
    };
    match conn.load(&plan.statement, data).await {
        Ok(Loaded { records: 1, deleted: 0, skipped: 0, warnings: 0 }) => tally.loaded += 1,
        Ok(_) => {
            tally.warned += 1;
            return false;
        }
        Err(error) => {
            assert!(!conn.is_broken(), "{error}");
            assert!(error.code() != Some(1064), "{error} {:?}", plan.statement.escape_ascii());
            tally.failed += 1;
            return false;
        }
    }
    true
}

fn planned(
    columns: &[Column],
    state: &SessionState,
    rules: Rules,
    text: &[u8],
) -> Result<(LoadPlan, Batch), &'static str> {
    let Found::Values(head) = insert::head(text, rules.ansi_quotes) else { unreachable!() };
    let rows = literal_rows(text, head.length, rules).ok_or("no literal")?;
    let mut batch = Batch::new(&head, rules, engine::import::ledger::Check::default(), 1 << 20);
    batch.push(text.into(), Place { offset: 0, line: 1 }, text.len() as u64, rows);
    load::plan(columns, &batch, state).map(|plan| (plan, batch))
}

fn rules(flavor: Flavor, state: &SessionState) -> Rules {
    let client = match flavor {
        Flavor::MariaDb => Client::MariaDb,
        Flavor::MySql => Client::MySql,
    };
    let charset = state.variable("character_set_client").unwrap();
    rules_from(Rules::new(client), state.sql_mode(), charset)
}

async fn run(conn: &mut Conn, sql: &str) {
    conn.query(sql.as_bytes()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}
