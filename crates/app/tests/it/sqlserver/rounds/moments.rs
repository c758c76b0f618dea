//! A copy shows one moment of databases that are being written, both of them together.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

/// Copies in an ordinary run; `DBFERRY_COPIES` sets another number.
const COPIES: usize = 3;
/// Accounts of each table, and tables of both databases together.
const ACCOUNTS: u64 = 2000;
const TABLES: u64 = 6;
/// Transactions that are sent at once.
const MOVES: u64 = 20;

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_copy_under_load_is_of_one_moment() {
    let mut yard = Yard::empty(1);
    for (name, tables) in [(SHOP, 0..TABLES / 2), (STOCK, TABLES / 2..TABLES)] {
        let made: Vec<String> = tables.flat_map(table).collect();
        yard.make(name, &made.iter().map(String::as_str).collect::<Vec<&str>>());
        if !yard.is_babelfish {
            let allow = format!("ALTER DATABASE {} SET ALLOW_SNAPSHOT_ISOLATION ON", quoted(name));
            yard.tell(&allow);
        }
    }
    let copies = rounds("DBFERRY_COPIES", COPIES);
    let ended = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let ended = &ended;
        let writers: Vec<_> = (0..2).map(|seed| scope.spawn(move || write(seed, ended))).collect();
        let mut totals = Vec::new();
        for _ in 0..copies {
            let ran = yard.copy(&["--threads", "3"]);
            let total = (ran.exit == Some(0)).then(|| yard.total());
            totals.push((ran, total));
        }
        ended.store(true, Ordering::Relaxed);
        let moves: usize = writers.into_iter().map(|writer| writer.join().unwrap()).sum();
        for (ran, total) in totals {
            ran.check(0, &["copied"]);
            let right = (TABLES * ACCOUNTS * 100).cast_signed();
            assert_eq!(total, Some(right), "{}", ran.stderr);
        }
        assert!(moves > copies * 10, "only {moves} rounds of moves: nothing was moved meanwhile");
    });
    assert_eq!(yard.leftovers(), [""; 0]);
}

impl Yard {
    /// What all accounts of the copy hold.
    fn total(&mut self) -> i64 {
        let sums = (0..TABLES).map(|table| {
            let database = if table < TABLES / 2 { NEW_SHOP } else { NEW_STOCK };
            format!("(SELECT SUM(money) FROM {database}.dbo.t{table})")
        });
        let sums: Vec<String> = sums.collect();
        self.count(&format!("SELECT CAST({} AS bigint)", sums.join(" + ")))
    }
}

/// A table whose accounts hold 100 each.
fn table(number: u64) -> Vec<String> {
    let rows = |from: u64| {
        let rows: Vec<String> = (from..from + 500).map(|id| format!("({id}, 100)")).collect();
        format!("INSERT INTO dbo.t{number} VALUES {}", rows.join(", "))
    };
    let made = format!(
        "CREATE TABLE dbo.t{number} (id int NOT NULL CONSTRAINT key{number} PRIMARY KEY, money bigint NOT NULL)"
    );
    let index = format!("CREATE INDEX rich ON dbo.t{number} (money)");
    [made, index].into_iter().chain((0..ACCOUNTS).step_by(500).map(rows)).collect()
}

/// Rounds of moves until the end. Two writers may meet in a deadlock: then the round is over.
fn write(seed: u64, ended: &AtomicBool) -> usize {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut random = Random::new(seed + 7);
    runtime.block_on(async {
        let mut session = Session::connect(&endpoint(), "test writer").await.unwrap();
        let mut rounds = 0;
        while !ended.load(Ordering::Relaxed) {
            let moves: Vec<String> = (0..MOVES).map(|_| one_move(&mut random)).collect();
            match session.run(&moves.join("; ")).await {
                Ok(_rows) => rounds += 1,
                Err(error) => assert!(session.is_idle(), "{error}"),
            }
            session.run("IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION").await.unwrap();
        }
        session.close().await;
        rounds
    })
}

/// From an account of one table to one of another, which may be in the other database.
fn one_move(random: &mut Random) -> String {
    let from = random.below(TABLES);
    let to = (from + 1 + random.below(TABLES - 1)) % TABLES;
    let mut change = |table: u64, by: &str| {
        let (database, id) =
            (if table < TABLES / 2 { SHOP } else { STOCK }, random.below(ACCOUNTS));
        format!("UPDATE {database}.dbo.t{table} SET money = money {by} WHERE id = {id}")
    };
    format!("BEGIN TRANSACTION; {}; {}; COMMIT TRANSACTION", change(from, "- 7"), change(to, "+ 7"))
}
