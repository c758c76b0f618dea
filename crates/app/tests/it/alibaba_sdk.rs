//! The service as Alibaba Cloud's own clients see it: their SDKs for Python and Node.js of both
//! generations, as they are installed, against a real service between two real servers.
//!
//! `tests/sdk/alibaba` has programs that call what they are told to; what has to come back is here.
//! What the clients are called with is in the environment only.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use sandbox::{Flavor, Server, state};
use serde_json::{Value, json};

use crate::installed;
use crate::interrupt::wait_until;
use crate::sameness;
use crate::service::{INSTANCE, Key, REGION, Site};
use crate::tencent_sdk::tccli;

mod attempts;
mod refusals;
mod sql_server;

/// The instance that is read.
const SOURCE: &str = INSTANCE;
/// The instance that is written.
const TARGET: &str = "rm-target1";
/// Of Python's modes, see `caller.py`.
const PYTHON_MODES: [&str; 9] = [
    "classic-typed",
    "classic-get",
    "classic-post",
    "classic-xml",
    "tea-typed",
    "tea-typed-v1",
    "newest",
    "newest-v1",
    "newest-xml",
];
/// Of the modes of Node.js, see `caller.js`.
const NODE_MODES: [&str; 4] = ["pop-get", "pop-post", "js-typed", "js-typed-v1"];
/// Seconds of an hour.
const HOUR: i64 = 3600;
/// The databases that are copied.
const DATABASES: &str = r#"{"DBNames":["shop","stock"]}"#;

/// A service with a source and a target.
struct Pair {
    site: Site,
    target: Server,
}

impl Pair {
    fn start(options: &[&str]) -> Pair {
        Pair::start_in(options, &[])
    }

    fn start_in(options: &[&str], environment: &[(&str, &str)]) -> Pair {
        Pair::start_on(Flavor::MariaDb, options, environment)
    }

    fn start_on(flavor: Flavor, options: &[&str], environment: &[(&str, &str)]) -> Pair {
        let site = Site::start_on(flavor, options, environment);
        let target = Server::start_with(flavor, &sameness::options()).unwrap();
        site.register(TARGET, &site.key, &target.url(None), &[]);
        site.look_at(TARGET, &site.key);
        site.look_at(SOURCE, &site.key);
        Pair { site, target }
    }

    /// Both sides have the databases, and nothing else is alike.
    fn fill(&self) {
        for server in [&self.site.server, &self.target] {
            state::wipe(server).unwrap();
            server.sql("DROP DATABASE imp; CREATE DATABASE stock").unwrap();
        }
        self.site.server.sql(THERE).unwrap();
        self.target.sql(HERE).unwrap();
    }

    /// The target holds what the source holds.
    #[track_caller]
    fn check_same(&self, what: &str) {
        let wanted = state::canonical(&self.site.server).unwrap();
        let found = state::canonical(&self.target).unwrap();
        assert!(found == wanted, "{what}:\n{}", state::diff(&wanted, &found));
    }

    /// The target holds what it held before, and nothing else.
    #[track_caller]
    fn check_untouched(&self, before: &str, what: &str) {
        wait_until(|| self.is_tidy());
        let found = state::canonical(&self.target).unwrap();
        assert!(found == before, "{what}:\n{}", state::diff(before, &found));
    }

    /// Nothing of a copy but its outcome is on the target.
    fn is_tidy(&self) -> bool {
        self.target.sql("SHOW DATABASES LIKE 'dbferry%'").unwrap().is_empty()
    }
}

/// What is copied.
const THERE: &str = "
    CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
    USE shop;
    CREATE TABLE shop.customers (id INT PRIMARY KEY, name VARCHAR(50), balance DECIMAL(10,2));
    INSERT INTO shop.customers VALUES (1,'Größe \\'1\\'',1.5),(2,'客户二',NULL),(3,'',-7.25);
    CREATE TABLE shop.orders (id INT AUTO_INCREMENT PRIMARY KEY, customer INT, note TEXT,
        KEY (customer), FOREIGN KEY (customer) REFERENCES shop.customers (id));
    INSERT INTO shop.orders (customer, note) WITH RECURSIVE d AS (SELECT 0 AS n UNION ALL SELECT n + 1
        FROM d WHERE n < 99) SELECT b.n % 3 + 1, CONCAT('note ', 100 * a.n + b.n) FROM d a, d b WHERE
        a.n < 30;
    CREATE VIEW shop.owed AS SELECT id FROM shop.customers WHERE balance < 0;
    CREATE TRIGGER shop.noted BEFORE INSERT ON shop.orders FOR EACH ROW
        SET NEW.note = UPPER(NEW.note);
    CREATE FUNCTION shop.twice(n INT) RETURNS INT DETERMINISTIC RETURN 2 * n;
    CREATE TABLE stock.items (id INT PRIMARY KEY, amount DOUBLE);
    INSERT INTO stock.items VALUES (1, 0.1), (2, -3e200);
";

/// What it takes the place of.
const HERE: &str = "
    CREATE DATABASE shop CHARACTER SET latin1;
    CREATE TABLE shop.customers (name TEXT);
    INSERT INTO shop.customers VALUES ('of the target');
    CREATE TABLE shop.old (id INT);
    CREATE VIEW shop.older AS SELECT id FROM shop.old;
";

/// A lock that another client of a server holds; dropped, it goes.
pub(crate) struct Held {
    child: Child,
}

impl Held {
    pub(crate) fn on(server: &Server, tables: &str) -> Held {
        let mut command = server.client().unwrap();
        command.args(["--unbuffered", "--batch", "--skip-column-names"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let text = format!("LOCK TABLES {tables};\nSELECT 'held';\n");
        child.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line.trim_end(), "held");
        Held { child }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

/// One of the SDKs.
pub(crate) struct Client {
    mode: &'static str,
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Client {
    pub(crate) fn start(site: &Site, key: &Key, mode: &'static str) -> Client {
        let mut command = match PYTHON_MODES.contains(&mode) {
            true => python(mode),
            false => node(),
        };
        command
            .arg(mode)
            .env("HOME", site.scratch("home"))
            .env("NO_PROXY", "*")
            .env("no_proxy", "*")
            .env("DBFERRY_ENDPOINT", &site.service.address)
            .env("DBFERRY_REGION", REGION)
            .env("DBFERRY_KEY_ID", &key.id)
            .env("DBFERRY_KEY_SECRET", &key.secret);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let asks = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        Client { mode, child, asks, answers }
    }

    /// What the SDK gives back, or the code and message of its exception.
    pub(crate) fn told(&mut self, asked: &Value) -> Result<Value, (String, String)> {
        loop {
            writeln!(self.asks, "{asked}").unwrap();
            let mut line = String::new();
            self.answers.read_line(&mut line).unwrap();
            assert!(!line.is_empty(), "{} fell over at {asked}", self.mode);
            let told: Value = serde_json::from_str(&line).unwrap();
            let text = |name: &str| told[name].as_str().map(str::to_owned).unwrap_or_default();
            match (told.get("answer"), text("code")) {
                (Some(answer), _) => return Ok(answer.clone()),
                (None, code) if code == "Throttling.User" && asked.get("once").is_none() => {}
                (None, code) => return Err((code, text("message"))),
            }
        }
    }

    #[track_caller]
    pub(crate) fn call(&mut self, action: &str, parameters: &Value) -> Value {
        match self.told(&json!({"action": action, "parameters": parameters})) {
            Ok(answer) => {
                assert_eq!(answer["RequestId"].as_str().unwrap().len(), 36, "{answer}");
                answer
            }
            Err((code, message)) => panic!("{}: {action}: {code}: {message}", self.mode),
        }
    }

    /// The call ends with an exception of this code.
    #[track_caller]
    pub(crate) fn check_refused(&mut self, code: &str, action: &str, parameters: &Value) {
        match self.told(&json!({"action": action, "parameters": parameters})) {
            Ok(answer) => panic!("{}: {action} {parameters}: {answer}", self.mode),
            Err((found, message)) => {
                assert_eq!(found, code, "{}: {action} {parameters}: {message}", self.mode);
                assert!(!message.is_empty());
            }
        }
    }

    /// Begins a copy of [`DATABASES`]; its id.
    #[track_caller]
    fn submit(&mut self) -> String {
        let answer = self.call("ImportDatabaseBetweenInstances", &request());
        let id = answer["ImportId"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        assert!(id.parse::<i32>().unwrap() > 0);
        id
    }

    /// An instance's state.
    #[track_caller]
    pub(crate) fn status(&mut self, instance: &str) -> String {
        let answer = self.call("DescribeDBInstanceAttribute", &json!({"DBInstanceId": instance}));
        let items = answer["Items"]["DBInstanceAttribute"].as_array().unwrap();
        let [item] = items.as_slice() else { panic!("{answer}") };
        assert_eq!(item["DBInstanceId"], instance);
        text(&item["DBInstanceStatus"])
    }

    /// What the list of imports has of one.
    #[track_caller]
    fn listed(&mut self, id: &str) -> Value {
        self.listed_of(id, TARGET, "MySQL")
    }

    /// What the list of imports into an instance of an engine has of one.
    #[track_caller]
    pub(crate) fn listed_of(&mut self, id: &str, instance: &str, engine: &str) -> Value {
        // The other spelling is for those who write it themselves.
        let action = match self.mode {
            "newest" | "classic-get" | "pop-get" => "DescribeImportsFromDatabase",
            _ => "DescibeImportsFromDatabase",
        };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let at = |hours| wire::alibaba::time::render_minutes(now.cast_signed() + hours * HOUR);
        let asked = json!({
            "DBInstanceId": instance,
            "Engine": engine,
            "StartTime": at(-1),
            "EndTime": at(1),
            "ImportId": id.parse::<i64>().unwrap(),
        });
        let answer = self.call(action, &asked);
        assert_eq!(text(&answer["TotalRecordCount"]), "1", "{answer}");
        let items = answer["Items"]["ImportResultFromDB"].as_array().unwrap();
        let [item] = items.as_slice() else { panic!("{answer}") };
        assert_eq!(text(&item["ImportId"]), id);
        assert_eq!(item["ImportDataType"], "Full");
        item.clone()
    }

    #[track_caller]
    fn import_status(&mut self, id: &str) -> String {
        text(&self.listed(id)["ImportDataStatus"])
    }

    /// Follows a copy as the API's users do: until the target is not `ImportingFromOthers`.
    #[track_caller]
    fn follow(&mut self) {
        wait_until(|| self.status(TARGET) != "ImportingFromOthers");
        assert_eq!(self.status(TARGET), "Running", "{}", self.mode);
        assert_eq!(self.status(SOURCE), "Running", "{}", self.mode);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What begins a copy.
fn request() -> Value {
    json!({"DBInstanceId": TARGET, "SourceDBInstanceId": SOURCE, "DBInfo": DATABASES})
}

/// A text or a number: XML knows texts only.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn python(mode: &str) -> Command {
    let folder = cached("alibaba-python", "requirements.txt");
    assert_eq!(folder, cached("alibaba-python", "newest.txt"));
    let mut command = Command::new(folder.join("bin/python"));
    command.arg(sdk_folder().join("caller.py"));
    if mode.starts_with("newest") {
        command.env("PYTHONPATH", folder.join("newest"));
    }
    // Nothing is left beside the scripts.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

fn node() -> Command {
    let folder = cached("alibaba-node", "package-lock.json");
    let mut command = Command::new("node");
    command.arg(sdk_folder().join("caller.js"));
    command.env("NODE_PATH", folder.join("node_modules"));
    command
}

fn sdk_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk/alibaba")
}

/// A folder of clients that `scripts/setup` has made.
fn cached(name: &str, pins: &str) -> PathBuf {
    installed::folder(name, &sdk_folder().join(pins))
}

#[test]
fn databases_are_copied_by_the_python_sdks() {
    check_copies(&PYTHON_MODES);
}

#[test]
fn databases_are_copied_by_the_node_sdks() {
    check_copies(&NODE_MODES);
}

/// Submit, look, be refused a second one, wait, and find the databases there.
fn check_copies(modes: &[&'static str]) {
    let pair = Pair::start(&[]);
    for &mode in modes {
        pair.fill();
        let mut client = Client::start(&pair.site, &pair.site.key, mode);
        // Without it the copy could have ended before anybody looks.
        let held = Held::on(&pair.site.server, "shop.orders WRITE");
        let id = client.submit();
        assert_eq!(client.status(TARGET), "ImportingFromOthers", "{mode}");
        assert_eq!(client.status(SOURCE), "TransingToOthers", "{mode}");
        let action = "ImportDatabaseBetweenInstances";
        client.check_refused("OperationDenied.DBInstanceStatus", action, &request());
        let status = client.import_status(&id);
        assert!(["NotStart", "FullImporting"].contains(&status.as_str()), "{mode}: {status}");
        drop(held);
        client.follow();
        assert_eq!(client.import_status(&id), "Success", "{mode}");
        pair.check_same(mode);
        check_task(&mut client, &id);
    }
}

/// The list of tasks has it too.
#[track_caller]
fn check_task(client: &mut Client, id: &str) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let at = |hours| wire::alibaba::time::render_minutes(now.cast_signed() + hours * HOUR);
    let asked = json!({"DBInstanceId": TARGET, "StartTime": at(-1), "EndTime": at(1)});
    let answer = client.call("DescribeTasks", &asked);
    let tasks = answer["Items"]["TaskProgressInfo"].as_array().unwrap();
    let task = tasks.iter().find(|task| task["TaskId"] == id).unwrap();
    assert_eq!(task["Status"], "Succeed");
    assert_eq!(task["Progress"], "100");
    assert_eq!(task["DBName"], "shop,stock");
}

#[test]
fn a_copy_is_cancelled_by_the_python_sdks() {
    check_cancels(&PYTHON_MODES);
}

#[test]
fn a_copy_is_cancelled_by_the_node_sdks() {
    check_cancels(&NODE_MODES);
}

/// Cancelled while it reads: the target is as it was.
fn check_cancels(modes: &[&'static str]) {
    let pair = Pair::start(&[]);
    pair.fill();
    let before = state::canonical(&pair.target).unwrap();
    for &mode in modes {
        let mut client = Client::start(&pair.site, &pair.site.key, mode);
        let held = Held::on(&pair.site.server, "shop.orders WRITE");
        let id = client.submit();
        wait_until(|| client.import_status(&id) == "FullImporting");
        let asked = json!({"DBInstanceId": TARGET, "ImportId": id.parse::<i64>().unwrap()});
        client.call("CancelImport", &asked);
        client.follow();
        assert_eq!(client.import_status(&id), "Canceled", "{mode}");
        client.check_refused("OperationDenied.IncorrectTaskStatus", "CancelImport", &asked);
        pair.check_untouched(&before, mode);
        drop(held);
    }
}

#[test]
fn both_clouds_see_the_same_instances_at_work() {
    let pair = Pair::start(&[]);
    pair.fill();
    let mut client = Client::start(&pair.site, &pair.site.key, "newest");
    let tasks = |site: &Site| -> Vec<(String, i64)> {
        let answer = tccli(site, &["DescribeDBInstances"]).unwrap();
        let items = answer["Items"].as_array().unwrap().iter();
        let mut items: Vec<_> = items
            .map(|item| (text(&item["InstanceId"]), item["TaskStatus"].as_i64().unwrap()))
            .collect();
        items.sort();
        items
    };
    let held = Held::on(&pair.site.server, "shop.orders WRITE");
    let id = client.submit();
    wait_until(|| client.import_status(&id) == "FullImporting");
    let both = |task| vec![(SOURCE.to_owned(), task), (TARGET.to_owned(), task)];
    assert_eq!(tasks(&pair.site), both(2));
    drop(held);
    client.follow();
    assert_eq!(tasks(&pair.site), both(0));
}

#[test]
fn what_there_is_is_described_to_every_sdk() {
    let pair = Pair::start(&[]);
    pair.fill();
    for mode in PYTHON_MODES.into_iter().chain(NODE_MODES) {
        let mut client = Client::start(&pair.site, &pair.site.key, mode);
        let answer = client.call("DescribeDBInstances", &json!({"RegionId": REGION}));
        let items = answer["Items"]["DBInstance"].as_array().unwrap();
        let ids: Vec<String> = items.iter().map(|item| text(&item["DBInstanceId"])).collect();
        assert_eq!(ids, [SOURCE, TARGET], "{mode}");
        assert!(items.iter().all(|item| item["DBInstanceStatus"] == "Running"), "{answer}");
        let answer = client.call("DescribeDatabases", &json!({"DBInstanceId": TARGET}));
        let items = answer["Databases"]["Database"].as_array().unwrap();
        let names: Vec<String> = items.iter().map(|item| text(&item["DBName"])).collect();
        assert_eq!(names, ["shop", "stock"], "{mode}");
        assert_eq!(items[0]["CharacterSetName"], "latin1", "{mode}");
        assert_eq!(items[0]["DBStatus"], "Running", "{mode}");
        let answer = client.call("DescribeRegions", &json!({}));
        let items = answer["Regions"]["RDSRegion"].as_array().unwrap();
        assert_eq!(items.len(), 1, "{answer}");
        assert_eq!(items[0]["RegionId"], REGION, "{mode}");
    }
}
