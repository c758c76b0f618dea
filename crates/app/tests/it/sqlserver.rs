//! Copies between SQL Servers, by the service and by `dbferry copy`, on the server that `make
//! test-sqlserver` names in `DBFERRY_TEST_SQLSERVER`. It is both sides of all copies.
//!
//! Ignored otherwise, and failing where the variable is missing. The databases that these tests make begin
//! with `dbferry_test_app_`, are replaced if they are there, and are dropped at the end.

use engine::endpoint::Endpoint;
use engine::mssql::name::{literal, quoted};
use engine::mssql::session::Session;
use engine::mssql::value::Value as Cell;
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::runtime::Runtime;

use crate::alibaba_sdk::{Client, text};
use crate::copy::documented;
use crate::import_errors::Ended;
use crate::interrupt::wait_until;
use crate::native::check;
use crate::remote;
use crate::sameness::dbferry;
use crate::service::Site;

mod fence;
mod rounds;

const SOURCE: &str = "rm-sqlsource1";
const TARGET: &str = "rm-sqltarget1";
/// The databases: two that are copied, and what the copies are called.
const SHOP: &str = "dbferry_test_app_shop";
const STOCK: &str = "dbferry_test_app_stock";
const NEW_SHOP: &str = "dbferry_test_app_new_shop";
const NEW_STOCK: &str = "dbferry_test_app_new_stock";
const ALL: [&str; 4] = [SHOP, STOCK, NEW_SHOP, NEW_STOCK];
/// Rows of the larger table.
const ROWS: usize = 3000;
/// What a copy has to bring over, in sums that change with every row.
const SUMS: &str = "SELECT CAST(COUNT(*) AS bigint), CAST(SUM(CAST(id AS bigint) * LEN(note)) AS \
                    bigint) FROM dbo.orders";

/// The server under test.
fn url() -> String {
    let url = std::env::var("DBFERRY_TEST_SQLSERVER").unwrap_or_default();
    assert!(
        !url.is_empty(),
        "DBFERRY_TEST_SQLSERVER names no server: mssql://user:password@host:port"
    );
    url
}

/// The server with the two databases; dropped, it has none of them.
struct Bench {
    runtime: Runtime,
    endpoint: Endpoint,
}

impl Bench {
    /// The server with none of the databases.
    fn empty() -> Bench {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let bench = Bench { runtime, endpoint: Endpoint::parse(&url()).unwrap() };
        bench.drop_all();
        let question = "SELECT CASE WHEN @@VERSION LIKE N'Babelfish%' THEN 1 ELSE 0 END";
        if bench.rows("master", question) == [[Cell::Int(1)]] {
            // What it does not know of an index or a constraint it is to pass over.
            bench.run("master", &["EXEC sp_babelfish_configure '%', 'ignore', 'server'"]);
        }
        bench
    }

    fn start() -> Bench {
        let bench = Bench::empty();
        for name in [SHOP, STOCK] {
            bench.run("master", &[&format!("CREATE DATABASE {}", quoted(name))]);
        }
        bench.run(SHOP, &[
            "CREATE TABLE dbo.orders (id int NOT NULL PRIMARY KEY, note nvarchar(100) NOT NULL)",
            "CREATE TABLE dbo.lines (number bigint IDENTITY(5, 3) PRIMARY KEY, orders int NOT NULL \
             REFERENCES dbo.orders (id), price decimal(38, 9), seen datetime2(3))",
        ]);
        for from in (0..ROWS).step_by(500) {
            let row = |id: usize| format!("({id}, {})", literal(&format!("Größe 客户 {id}")));
            let rows: Vec<String> = (from..from + 500).map(row).collect();
            bench.run(SHOP, &[&format!("INSERT INTO dbo.orders VALUES {}", rows.join(", "))]);
        }
        bench.run(
            SHOP,
            &["INSERT INTO dbo.lines (orders, price, seen) VALUES (7, -0.000000001, \
                           '0001-01-01'), (8, NULL, '9999-12-31T23:59:59.999')"],
        );
        bench.run(
            STOCK,
            &[
                "CREATE TABLE dbo.items (id uniqueidentifier NOT NULL PRIMARY KEY, amount float)",
                "INSERT INTO dbo.items VALUES (NEWID(), 0.1), (NEWID(), -3e200)",
            ],
        );
        bench
    }

    fn session<T>(&self, database: &str, work: impl AsyncFnOnce(&mut Session) -> T) -> T {
        let endpoint = Endpoint { database: Some(database.to_owned()), ..self.endpoint.clone() };
        self.runtime.block_on(async {
            let mut session = Session::connect(&endpoint, "test").await.unwrap();
            let outcome = work(&mut session).await;
            session.close().await;
            outcome
        })
    }

    fn run(&self, database: &str, statements: &[&str]) {
        self.session(database, async |session| {
            for statement in statements {
                let said: String = statement.chars().take(100).collect();
                session.run(statement).await.unwrap_or_else(|error| panic!("{said}: {error}"));
            }
        });
    }

    fn rows(&self, database: &str, question: &str) -> Vec<Vec<Cell>> {
        self.session(database, async |session| session.query(question).await.unwrap())
    }

    /// The databases whose names begin so.
    fn beginning(&self, names: &str) -> usize {
        let question = format!(
            "SELECT CAST(name AS nvarchar(128)) FROM sys.databases WHERE LEFT(name, {}) = N'{names}'",
            names.len()
        );
        self.rows("master", &question).len()
    }

    fn drop_all(&self) {
        for name in ALL {
            wait_until(|| {
                let drop = format!("DROP DATABASE {}", quoted(name));
                self.beginning(name) == 0
                    || self.session("master", async |session| session.run(&drop).await.is_ok())
            });
        }
    }

    #[track_caller]
    fn check_same(&self) {
        for question in [
            SUMS,
            "SELECT number, orders, CAST(price AS nvarchar(60)), CONVERT(nvarchar(40), seen, 121) FROM \
             dbo.lines ORDER BY number",
        ] {
            assert_eq!(self.rows(NEW_SHOP, question), self.rows(SHOP, question), "{question}");
        }
        let items = "SELECT CAST(id AS nvarchar(40)), CONVERT(nvarchar(40), amount, 2) FROM dbo.items \
                     ORDER BY id";
        assert_eq!(self.rows(NEW_STOCK, items), self.rows(STOCK, items));
        // What tells that a job's copy is shown goes a moment after the job's end is told.
        wait_until(|| self.beginning("dbferry_copy_") == 0);
    }

    /// A service with the server as two instances, and the time that a server under tests may need.
    fn site(&self, copies: &str) -> Site {
        self.site_with(copies, &[]).0
    }

    /// The same with further options, and the file with its settings, so that it can be started again.
    fn site_with(&self, copies: &str, options: &[&str]) -> (Site, NamedTempFile) {
        let settings = NamedTempFile::new().unwrap();
        let text = format!("[copies]\ncheck_milliseconds = 60000\n{copies}");
        std::fs::write(settings.path(), text).unwrap();
        let own = ["--config", settings.path().to_str().unwrap()];
        let site = Site::start(&[&own[..], options].concat());
        for id in [SOURCE, TARGET] {
            site.register(id, &site.key, &url(), &[]);
            site.look_at(id, &site.key);
        }
        (site, settings)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // What is wrong with it was told already.
        if !std::thread::panicking() {
            self.drop_all();
        }
    }
}

/// Both databases, under other names.
fn request() -> Value {
    let names = json!({"DBNames": {SHOP: NEW_SHOP, STOCK: NEW_STOCK}});
    json!({"DBInstanceId": TARGET, "SourceDBInstanceId": SOURCE, "DBInfo": names.to_string()})
}

/// Begins a copy; its id.
fn submit(client: &mut Client) -> String {
    let answer = client.call("ImportDatabaseBetweenInstances", &request());
    answer["ImportId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Waits for the end of the newest job, without asking again and again.
fn follow(site: &Site) {
    let listed = check(site, &site.key, ("GET", "/api/v1/jobs?limit=1", b""), 200);
    let id = listed["jobs"][0]["id"].as_str().unwrap();
    remote::output(site, &["job", "watch", id]).check(0, &["copied"]);
}

fn import_status(client: &mut Client, id: &str) -> String {
    text(&client.listed_of(id, TARGET, "SQLServer")["ImportDataStatus"])
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn databases_are_copied_by_alibabas_sdks() {
    let bench = Bench::start();
    let site = bench.site("");
    for mode in ["classic-typed", "tea-typed", "newest"] {
        let mut client = Client::start(&site, &site.key, mode);
        // The second and third time what was there is replaced.
        bench.run(SHOP, &["UPDATE dbo.orders SET note = note + N' again' WHERE id % 7 = 0"]);
        let id = submit(&mut client);
        assert_eq!(client.status(TARGET), "ImportingFromOthers", "{mode}");
        assert_eq!(client.status(SOURCE), "TransingToOthers", "{mode}");
        let status = import_status(&mut client, &id);
        assert!(["NotStart", "FullImporting"].contains(&status.as_str()), "{mode}: {status}");
        follow(&site);
        let listed = client.listed_of(&id, TARGET, "SQLServer");
        assert_eq!(listed["ImportDataStatus"], "Success", "{mode}: {listed}");
        assert_eq!(client.status(TARGET), "Running", "{mode}");
        bench.check_same();
    }
    let mut client = Client::start(&site, &site.key, "newest");
    for (code, names) in [
        ("InvalidDBInfo.Malformed", json!({"dbferry_test_app_absent": NEW_SHOP})),
        ("InvalidDBInfo.Malformed", json!({SHOP: NEW_SHOP, STOCK: NEW_SHOP})),
        // Both are one server, which would read what it writes.
        ("OperationDenied.DBInstanceId", json!({SHOP: SHOP})),
        ("OperationDenied.DBInstanceId", json!({SHOP: STOCK, STOCK: NEW_STOCK})),
    ] {
        let mut asked = request();
        asked["DBInfo"] = json!({"DBNames": names}).to_string().into();
        client.check_refused(code, "ImportDatabaseBetweenInstances", &asked);
    }
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn a_copy_is_done_once_if_the_service_dies_before_it_is_told() {
    let bench = Bench::start();
    let settings = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(settings.path(), "[copies]\ncheck_milliseconds = 60000\n").unwrap();
    let options = ["--config", settings.path().to_str().unwrap(), "--lease-seconds", "2"];
    let mut site = Site::start_in(&options, &[("DBFERRY_FAILPOINT", "copy settled:1")]);
    for id in [SOURCE, TARGET] {
        site.register(id, &site.key, &url(), &[]);
        site.look_at(id, &site.key);
    }
    let mut client = Client::start(&site, &site.key, "newest");
    let id = submit(&mut client);
    site.wait_end();
    let then = bench.rows(SHOP, SUMS);
    bench.run(SHOP, &["UPDATE dbo.orders SET note = note + N' again' WHERE id % 7 = 0"]);
    site.forget_environment();
    site.restart();
    follow(&site);
    assert_eq!(import_status(&mut client, &id), "Success");
    assert_eq!(bench.rows(NEW_SHOP, SUMS), then);
    wait_until(|| bench.beginning("dbferry_copy_") == 0);
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn an_import_that_is_cancelled_leaves_the_target() {
    let bench = Bench::start();
    bench.run("master", &[&format!("CREATE DATABASE {}", quoted(NEW_SHOP))]);
    bench.run(NEW_SHOP, &["CREATE TABLE dbo.old (id int)", "INSERT INTO dbo.old VALUES (1)"]);
    let site = bench.site("rate_bytes_max = 1000\n");
    let mut client = Client::start(&site, &site.key, "classic-typed");
    let id = submit(&mut client);
    wait_until(|| import_status(&mut client, &id) == "FullImporting");
    let asked = json!({"DBInstanceId": TARGET, "ImportId": id.parse::<i64>().unwrap()});
    client.call("CancelImport", &asked);
    wait_until(|| client.status(TARGET) == "Running");
    assert_eq!(import_status(&mut client, &id), "Canceled");
    client.check_refused("OperationDenied.IncorrectTaskStatus", "CancelImport", &asked);
    wait_until(|| bench.beginning("dbferry_copy_") == 0);
    assert_eq!(bench.rows(NEW_SHOP, "SELECT id FROM dbo.old"), [[Cell::Int(1)]]);
    assert_eq!(bench.beginning(NEW_STOCK), 0);
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn databases_are_copied_by_the_command_line() {
    let bench = Bench::start();
    let pairs = format!("{SHOP}:{NEW_SHOP},{STOCK}:{NEW_STOCK}");
    let copy = |arguments: &[&str]| {
        let mut command = dbferry();
        command.args(["copy", "--from", &url(), "--to", &url(), "--databases", &pairs]);
        Ended::of(command.args(["--no-progress"]).args(arguments).output().unwrap())
    };
    copy(&["--dry-run"]).check(0, &["would copy", "3 tables"]);
    let ended = copy(&["--json"]);
    ended.check(0, &["copied", "3 tables"]);
    assert_eq!(documented(&ended.stdout)["report"]["published"], true);
    bench.check_same();
    copy(&["--verify-only"]).check(0, &["3 tables are the same"]);
    copy(&[]).check(1, &["--replace"]);
    bench.run(SHOP, &["DELETE FROM dbo.orders WHERE id > 2000"]);
    copy(&["--verify-only"]).check(1, &["orders"]);
    copy(&["--replace"]).check(0, &["copied"]);
    bench.check_same();
    let output = dbferry().args(["repair", "--to", &url()]).output().unwrap();
    Ended::of(output).check(0, &["nothing to repair"]);
}

#[test]
#[ignore = "needs a SQL Server: make test-sqlserver"]
fn what_is_not_carried_stops_a_job_that_does_not_say_otherwise() {
    let bench = Bench::start();
    bench.run(
        SHOP,
        &[
            "CREATE PARTITION FUNCTION by_year (int) AS RANGE RIGHT FOR VALUES (2025, 2026)",
            "CREATE PARTITION SCHEME years AS PARTITION by_year ALL TO ([PRIMARY])",
        ],
    );
    let site = bench.site("");
    let databases = format!("{SHOP}:{NEW_SHOP}");
    let copy = ["job", "copy", "--source", SOURCE, "--instance", TARGET, "--watch"];
    let copy = [&copy[..], &["--databases", &databases]].concat();
    let run = |arguments: &[&str], exit: i32| {
        remote::output(&site, arguments).check(exit, &["years"]);
    };
    run(&copy, 1);
    assert_eq!(bench.beginning(NEW_SHOP), 0);
    run(&[&copy[..], &["--skip-unsupported"]].concat(), 0);
    assert_eq!(bench.rows(NEW_SHOP, SUMS), bench.rows(SHOP, SUMS));
}
