//! Copies between SQL Servers, again and again: of a source that is written meanwhile, killed, stopped, cancelled and
//! failing, at random moments and at each step of showing a copy.
//!
//! After each round the target shows what it showed before or the copy, wholly, and nothing of a copy is left there.
//! An ordinary run has few rounds; `DBFERRY_COPIES` and `DBFERRY_KILLS` set other numbers.

use std::process::{Child, Command, Stdio};

use engine::endpoint::Endpoint;
use engine::mssql::name::{literal, quoted};
use engine::mssql::session::Session;
use engine::mssql::value::Value as Cell;

use super::{Bench, NEW_SHOP, NEW_STOCK, SHOP, STOCK, url};
use crate::import_errors::Ended;
use crate::interrupt::wait_until;
use crate::prefix::Random;
use crate::sameness::dbferry;

mod cancels;
mod kills;
mod moments;
mod publishing;
mod services;

/// Bytes of a chunk, so that there are some.
const CHUNK_BYTES: &str = "20000";
/// Sessions that are opened to end others, on Babelfish.
const PLACES: usize = 24;

/// One of the databases that are copied; the other one names it.
const STOCK_MADE: [&str; 2] = [
    "CREATE TABLE dbo.items (id int NOT NULL CONSTRAINT items_key PRIMARY KEY, name nvarchar(50) NOT NULL, \
     amount float)",
    "INSERT INTO dbo.items SELECT n, N'Ding 物 ' + CAST(n AS nvarchar(10)), n / 7.0 FROM (SELECT TOP (1000) \
     ROW_NUMBER() OVER (ORDER BY object_id) AS n FROM sys.all_objects) AS numbers",
];
const SHOP_MADE: [&str; 8] = [
    "CREATE TABLE dbo.orders (id int NOT NULL CONSTRAINT orders_key PRIMARY KEY, note nvarchar(200) NOT NULL)",
    "CREATE INDEX by_note ON dbo.orders (note)",
    "CREATE TABLE dbo.lines (id bigint IDENTITY(5, 3) NOT NULL CONSTRAINT lines_key PRIMARY KEY, orders int NOT \
     NULL CONSTRAINT lines_orders REFERENCES dbo.orders (id), price decimal(20, 4), CONSTRAINT positive CHECK \
     (orders > 0))",
    "CREATE VIEW dbo.late AS SELECT id FROM dbo.orders WHERE id > 100",
    "CREATE VIEW dbo.in_stock AS SELECT i.id FROM dbferry_test_app_stock.dbo.items AS i",
    "CREATE PROCEDURE dbo.listed AS SELECT id FROM dbo.late",
    "INSERT INTO dbo.orders SELECT n, REPLICATE(N'ö', n % 50) FROM (SELECT a.id * 1000 + b.id AS n FROM \
     dbferry_test_app_stock.dbo.items AS a CROSS JOIN dbferry_test_app_stock.dbo.items AS b WHERE a.id <= 4) AS \
     numbers",
    "INSERT INTO dbo.lines (orders, price) SELECT TOP (500) id, id / 7.0 FROM dbo.orders ORDER BY id",
];
/// Behind the rows, which are not to fire it.
const SHOP_TRIGGER: &str =
    "CREATE TRIGGER dbo.watch ON dbo.lines AFTER INSERT AS BEGIN SET NOCOUNT ON END";

/// What the target holds before: what a replacement has to take away, and give back.
const OLD_SHOP: [&str; 6] = [
    "CREATE TABLE dbo.old_parent (id int NOT NULL CONSTRAINT parent_key PRIMARY KEY)",
    "CREATE TABLE dbo.orders (id int NOT NULL CONSTRAINT old_key PRIMARY KEY, parent int CONSTRAINT old_parent_of \
     REFERENCES dbo.old_parent (id))",
    "INSERT INTO dbo.old_parent VALUES (1)",
    "INSERT INTO dbo.orders VALUES (5, 1)",
    "CREATE VIEW dbo.late AS SELECT parent FROM dbo.orders",
    "CREATE PROCEDURE dbo.listed AS SELECT 1",
];
const OLD_STOCK: [&str; 2] =
    ["CREATE TABLE dbo.gone (id int NOT NULL)", "INSERT INTO dbo.gone VALUES (7), (8)"];

/// What tells a database from another, but for its rows: one text a row.
const DEFINITIONS: [&str; 4] = [
    "SELECT CAST(o.name + N'.' + c.name + N' ' + t.name AS nvarchar(400)) FROM sys.columns AS c JOIN sys.tables AS \
     o ON o.object_id = c.object_id JOIN sys.types AS t ON t.user_type_id = c.user_type_id ORDER BY o.name, \
     c.column_id",
    // Babelfish makes names of its own of them, which begin so.
    "SELECT CAST(o.name + N': ' + LEFT(COALESCE(i.name, N''), 10) AS nvarchar(400)) FROM sys.indexes AS i JOIN \
     sys.tables AS o ON o.object_id = i.object_id ORDER BY o.name, i.name",
    "SELECT CAST(name AS nvarchar(200)) FROM sys.foreign_keys ORDER BY name",
    "SELECT CAST(name AS nvarchar(200)) FROM sys.check_constraints ORDER BY name",
];
/// Its programs. Babelfish finds those that are no views by the database's name, so behind a rename it tells those of
/// the database that had this name before.
const PROGRAMS: &str = "SELECT CAST(CASE WHEN o.type = 'V' OR @@VERSION NOT LIKE N'Babelfish%' THEN m.definition \
                        ELSE N'' END AS nvarchar(max)), CAST(o.name AS nvarchar(200)) FROM sys.sql_modules AS m JOIN \
                        sys.objects AS o ON o.object_id = m.object_id WHERE o.is_ms_shipped = 0 ORDER BY o.name";
/// Its columns, by table.
const COLUMNS: &str = "SELECT CAST(o.name AS nvarchar(200)), CAST(c.name AS nvarchar(200)) FROM sys.columns AS c \
                       JOIN sys.tables AS o ON o.object_id = c.object_id ORDER BY o.name, c.column_id";

/// Two databases that are copied, and two that the copies replace.
struct Yard {
    /// Stays in `master`, where it keeps no database from being renamed.
    session: Session,
    bench: Bench,
    random: Random,
    is_babelfish: bool,
    /// What the target shows before.
    old: String,
    /// What it shows with the copy.
    new: String,
    /// How many questions the server answers while a copy goes on.
    length: u64,
}

/// How many rounds there are.
fn rounds(variable: &str, usual: usize) -> usize {
    std::env::var(variable).map_or(usual, |count| count.parse().unwrap())
}

impl Yard {
    /// With rows on the source, and what a copy replaces on the target.
    fn start(seed: u64) -> Yard {
        let mut yard = Yard::empty(seed);
        yard.make(STOCK, &STOCK_MADE);
        yard.make(SHOP, &[&SHOP_MADE[..], &[SHOP_TRIGGER]].concat());
        yard.new = yard.state([SHOP, STOCK]).replace(STOCK, NEW_STOCK).replace(SHOP, NEW_SHOP);
        yard.make_old();
        yard.old = yard.state([NEW_SHOP, NEW_STOCK]);
        assert_ne!(yard.old, yard.new);
        yard.measure();
        yard
    }

    /// Without any database.
    fn empty(seed: u64) -> Yard {
        let bench = Bench::empty();
        let session = bench.runtime.block_on(Session::connect(&endpoint(), "test")).unwrap();
        let (old, new) = (String::new(), String::new());
        let random = Random::new(seed);
        let mut yard = Yard { session, bench, random, is_babelfish: false, old, new, length: 0 };
        let question = "SELECT CASE WHEN @@VERSION LIKE N'Babelfish%' THEN 1 ELSE 0 END";
        yard.is_babelfish = yard.ask(question) == [[Cell::Int(1)]];
        yard
    }

    fn ask(&mut self, question: &str) -> Vec<Vec<Cell>> {
        let asked = self.bench.runtime.block_on(self.session.query(question));
        asked.unwrap_or_else(|error| panic!("{question}: {error}"))
    }

    fn tell(&mut self, statement: &str) {
        let told = self.bench.runtime.block_on(self.session.run(statement));
        told.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Whether the server did it.
    fn try_to(&mut self, statement: &str) -> bool {
        self.bench.runtime.block_on(self.session.run(statement)).is_ok()
    }

    fn count(&mut self, question: &str) -> i64 {
        let answer = self.ask(question);
        let count = answer.first().and_then(|row| number(row));
        count.unwrap_or_else(|| panic!("{question}: {answer:?}"))
    }

    /// Makes a database with what the statements make in it.
    fn make(&mut self, name: &str, statements: &[&str]) {
        self.tell(&format!("CREATE DATABASE {}", quoted(name)));
        self.tell(&format!("USE {}", quoted(name)));
        for statement in statements {
            self.tell(statement);
        }
        self.tell("USE master");
    }

    fn make_old(&mut self) {
        self.make(NEW_SHOP, &OLD_SHOP);
        self.make(NEW_STOCK, &OLD_STOCK);
    }

    /// The target as it was.
    fn reset(&mut self) {
        for name in [NEW_SHOP, NEW_STOCK] {
            self.remove(name);
        }
        self.make_old();
        let state = self.state([NEW_SHOP, NEW_STOCK]);
        assert!(state == self.old, "{state}");
    }

    fn remove(&mut self, name: &str) {
        let there = format!("SELECT COUNT(*) FROM sys.databases WHERE name = {}", literal(name));
        let drop = format!("DROP DATABASE {}", quoted(name));
        wait_until(|| self.count(&there) == 0 || self.try_to(&drop));
    }

    /// What databases show, as text.
    fn state(&mut self, databases: [&str; 2]) -> String {
        let mut text = String::new();
        for name in databases {
            text.push_str(&format!("database {name}\n"));
            let there =
                format!("SELECT COUNT(*) FROM sys.databases WHERE name = {}", literal(name));
            if self.count(&there) == 1 {
                self.tell(&format!("USE {}", quoted(name)));
                self.describe(&mut text);
                self.tell("USE master");
            }
        }
        text
    }

    /// What the session's database shows.
    fn describe(&mut self, text: &mut String) {
        for question in DEFINITIONS {
            for row in self.ask(question) {
                text.push_str(&format!("{}\n", shown(&row)));
            }
        }
        for row in self.ask(PROGRAMS) {
            // Names that follow are quoted anew.
            text.push_str(&format!("{}\n", shown(&row).replace(['[', ']'], "")));
            if shown(&row[1..]) == "listed" {
                let listed = self.ask("EXEC dbo.listed");
                text.push_str(&format!("it lists {}\n", listed.len()));
            }
        }
        let columns = self.ask(COLUMNS);
        for table in columns.chunk_by(|one, other| one[0] == other[0]) {
            let sums = table.iter().map(|row| {
                let value = format!("CAST({} AS nvarchar(200))", quoted(&shown(&row[1..])));
                format!("MIN({value}), MAX({value}), SUM(CAST(LEN({value}) + 1 AS bigint))")
            });
            let name = shown(&table[0][..1]);
            let sums: Vec<String> = sums.collect();
            let question = format!(
                "SELECT CAST(COUNT(*) AS bigint), {} FROM dbo.{}",
                sums.join(", "),
                quoted(&name)
            );
            let row = self.ask(&question).remove(0);
            text.push_str(&format!("{name}: {}\n", shown(&row)));
        }
    }

    /// `dbferry copy` of both databases, to be given more arguments.
    fn command(&self) -> Command {
        let mut command = dbferry();
        let pairs = format!("{SHOP}:{NEW_SHOP},{STOCK}:{NEW_STOCK}");
        command.args(["copy", "--from", &url(), "--to", &url(), "--databases", &pairs]);
        command.args(["--replace", "--no-progress", "--chunk-bytes", CHUNK_BYTES]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn copy(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command().args(arguments).output().unwrap())
    }

    fn repair(&self) {
        let mut repair = dbferry();
        Ended::of(repair.args(["repair", "--to", &url()]).output().unwrap()).check(0, &[]);
    }

    /// Finds out how long a copy takes.
    fn measure(&mut self) {
        let mut child = self.command().spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            assert_eq!(self.count("SELECT 1"), 1);
            self.length += 1;
        }
        Ended::of(child.wait_with_output().unwrap()).check(0, &["copied"]);
        self.check(true, "undisturbed");
    }

    /// Up to as long as a copy takes. False if the process has come to its end before.
    fn wait_with(&mut self, child: &mut Child) -> bool {
        for _ in 0..self.random.below(self.length) {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            assert_eq!(self.count("SELECT 1"), 1);
        }
        child.try_wait().unwrap().is_none()
    }

    /// The same without a process to look at.
    fn wait(&mut self) {
        for _ in 0..self.random.below(self.length) {
            assert_eq!(self.count("SELECT 1"), 1);
        }
    }

    /// Waits until the server has ended all sessions of copies. Babelfish's `sys.dm_exec_sessions` leaves some out.
    fn wait_gone(&mut self) {
        const LIVE: &str =
            "SELECT COUNT(*) FROM sys.sysprocesses WHERE program_name LIKE N'dbferry copy%'";
        wait_until(|| self.count(LIVE) == 0);
    }

    /// Ends one of the sessions of these programs, whichever it is. False if there is none.
    ///
    /// Babelfish ends only those behind whose places there are no free ones, so others may have to be opened.
    fn kill_one(&mut self, programs: &[&str]) -> bool {
        let (endpoint, mut others, mut is_killed) = (endpoint(), Vec::new(), false);
        for _ in 0..=PLACES {
            let found = self.sessions_of(programs);
            if found.is_empty() {
                break;
            }
            let at = self.random.below(found.len() as u64) as usize;
            // It may be gone already.
            is_killed = self.try_to(&format!("KILL {}", found[at]));
            if is_killed || !self.is_babelfish {
                break;
            }
            let other = Session::connect(&endpoint, "test place");
            others.push(self.bench.runtime.block_on(other).unwrap());
        }
        for other in others {
            self.bench.runtime.block_on(other.close());
        }
        is_killed
    }

    fn sessions_of(&mut self, programs: &[&str]) -> Vec<i64> {
        let names: Vec<String> = programs.iter().map(|name| literal(name)).collect();
        let question = format!(
            "SELECT DISTINCT CAST(spid AS bigint) FROM sys.sysprocesses WHERE RTRIM(program_name) IN ({})",
            names.join(", ")
        );
        self.ask(&question).iter().filter_map(|row| number(row)).collect()
    }

    /// The databases that copies have made for their own use.
    fn leftovers(&mut self) -> Vec<String> {
        const OURS: &str = "SELECT CAST(name AS nvarchar(200)) FROM sys.databases WHERE name LIKE N'dbferry[_]copy[_]%'";
        self.ask(OURS).iter().map(|row| shown(row)).collect()
    }

    /// Whether the target shows the copy. It shows that, or what it showed before.
    #[track_caller]
    fn shows_copy(&mut self, what: &str) -> bool {
        let state = self.state([NEW_SHOP, NEW_STOCK]);
        assert!(
            [&self.old, &self.new].contains(&&state),
            "{what}: the target is neither\n{}\nnor\n{}\nbut\n{state}",
            self.old,
            self.new
        );
        state == self.new
    }

    /// The target shows the copy or what it showed before, and nothing of a copy is left.
    #[track_caller]
    fn check(&mut self, shows_copy: bool, what: &str) {
        assert_eq!(self.leftovers(), [""; 0], "{what}");
        assert_eq!(self.shows_copy(what), shows_copy, "{what}");
        if !shows_copy {
            return;
        }
        for (one, other, table) in
            [(SHOP, NEW_SHOP, "orders"), (SHOP, NEW_SHOP, "lines"), (STOCK, NEW_STOCK, "items")]
        {
            for (one, other) in [(one, other), (other, one)] {
                let question = format!(
                    "SELECT COUNT(*) FROM (SELECT * FROM {one}.dbo.{table} EXCEPT SELECT * FROM \
                     {other}.dbo.{table}) AS d"
                );
                assert_eq!(self.count(&question), 0, "{what}: {table}");
            }
        }
    }
}

fn endpoint() -> Endpoint {
    Endpoint { database: Some("master".to_owned()), ..Endpoint::parse(&url()).unwrap() }
}

fn number(row: &[Cell]) -> Option<i64> {
    match row.first() {
        Some(Cell::Int(number)) => Some(*number),
        _ => None,
    }
}

fn shown(row: &[Cell]) -> String {
    let cells = row.iter().map(|cell| match cell {
        Cell::Null => "NULL".to_owned(),
        Cell::Int(number) => number.to_string(),
        Cell::Text(text) => text.clone(),
        Cell::Bytes(bytes) => format!("{bytes:?}"),
    });
    cells.collect::<Vec<String>>().join(" ")
}
