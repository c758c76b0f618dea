//! The service as Tencent's own clients see it: their SDKs for Python and Node.js and tccli, as they
//! are installed, against a real service and a real MariaDB.
//!
//! What a client does and what it must be answered is in `tests/sdk`; here are the service, the files
//! and the state of the server, which the stock client's must equal. What the clients are called with
//! is in the environment only.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use sandbox::inputs::{self, Input, Plan};
use sandbox::{Flavor, Server, state};

use crate::fetch::{self, Files};
use crate::installed;
use crate::interrupt::wait_until;
use crate::native::ask;
use crate::prefix::Random;
use crate::service::{INSTANCE, Key, REGION, Site};

/// Kills of the service in an ordinary test run; `DBFERRY_SERVICE_KILLS` sets another number.
const KILLS: u64 = 3;
/// What is imported then, about 11 MB.
const LARGE: [(Input, f64); 2] = [(Input::SmallTables, 0.1), (Input::SecondaryIndexes, 0.1)];
/// Looks at the server between the beginning of work and a kill, at most: about half a second.
const LOOKS_MAX: u64 = 30;
/// Of Python's modes, see `client.py`.
const PYTHON_MODES: [&str; 7] =
    ["tc3-post", "tc3-get", "tc3-unsigned", "sha1-post", "sha1-get", "sha256-post", "sha256-get"];
/// Of the modes of Node.js, which has no unsigned payload, see `flow.js`.
const NODE_MODES: [&str; 6] =
    ["tc3-post", "tc3-get", "sha1-post", "sha1-get", "sha256-post", "sha256-get"];
/// Does not end by itself while a test waits.
const SLOW: &[u8] = b"CREATE TABLE slow (id INT);\nSELECT SLEEP(300);\nDROP TABLE slow;\n";

#[test]
fn an_import_by_the_python_sdk_leaves_what_the_stock_client_leaves() {
    let site = Site::start(&[]);
    site.upload(&site.key, "shop.sql", shop().as_bytes());
    let wanted = stock_state(&site, shop().as_bytes());
    for (previous, mode) in PYTHON_MODES.into_iter().enumerate() {
        wipe(&site.server);
        python(
            &site,
            &site.key,
            "import_job.py",
            &[mode, "shop.sql", "imp", &previous.to_string()],
        );
        check_state(&site.server, &wanted, mode);
    }
}

#[test]
fn a_cos_url_is_fetched_for_the_python_sdk() {
    let files = Files::start(shop().into_bytes());
    let site = fetch::site("");
    let wanted = stock_state(&site, shop().as_bytes());
    let url = files.url("/dump.sql");
    let forbidden = url.replace("127.0.0.1", "localhost");
    let size = shop().len().to_string();
    python(&site, &site.key, "cos_url.py", &[&url, &forbidden, "imp", &size]);
    check_state(&site.server, &wanted, "CosUrl");
}

#[test]
fn an_import_is_stopped_by_the_python_sdk() {
    let site = Site::start(&[]);
    site.upload(&site.key, "slow.sql", SLOW);
    site.upload(&site.key, "shop.sql", shop().as_bytes());
    for mode in PYTHON_MODES {
        wipe(&site.server);
        python(&site, &site.key, "stop.py", &[mode, "slow.sql", "shop.sql", "imp"]);
        // What was done stays, and the server executes nothing of it any more.
        let running =
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE info LIKE 'SELECT SLEEP%'";
        assert_eq!(site.server.sql(running).unwrap().trim_end(), "0", "{mode}");
        assert_eq!(site.server.sql("SHOW TABLES FROM imp").unwrap().trim_end(), "slow");
    }
}

#[test]
fn an_import_that_is_stopped_at_once_leaves_no_ledger() {
    let site = Site::start(&[]);
    site.upload(&site.key, "sleep.sql", b"SELECT SLEEP(300);\n");
    python(&site, &site.key, "haste.py", &["sleep.sql", "imp", "8"]);
    wait_tidy(&site.server);
}

#[test]
fn refusals_reach_the_python_sdk_with_their_codes() {
    let site = Site::start(&[]);
    site.upload(&site.key, "shop.sql", shop().as_bytes());
    site.upload(&site.key, "bad.sql", bad().as_bytes());
    for mode in PYTHON_MODES {
        wipe(&site.server);
        python(&site, &site.key, "refusals.py", &[mode, "shop.sql", "imp", "bad.sql"]);
        // The failed import aside, none has touched the server.
        assert_eq!(site.server.sql("SHOW TABLES FROM imp").unwrap().trim_end(), "good");
    }
}

#[test]
fn a_disabled_key_is_refused() {
    let site = Site::start(&[]);
    let key = site.new_key("shop");
    site.disable(&key);
    python(&site, &key, "disabled.py", &[]);
}

#[test]
fn another_account_sees_and_touches_nothing() {
    let site = Site::start(&[]);
    site.upload(&site.key, "shop.sql", shop().as_bytes());
    site.upload(&site.key, "slow.sql", SLOW);
    let stranger = site.new_key("stranger");
    site.add_instance("cdb-strange1", &stranger);
    let job = create(&site, "slow.sql", "imp");
    wait_until(|| status(&site, &job) == "RUNNING");
    python(
        &site,
        &stranger,
        "stranger.py",
        &[&job, "shop.sql", "imp", &site.key.uin, "cdb-strange1"],
    );
    let files = site.request("GET", "/api/v1/uploads", &stranger, b"");
    assert!(files.starts_with("HTTP/1.1 200 ") && !files.contains("shop.sql"), "{files}");
    for method in ["GET", "DELETE"] {
        let answer = site.request(method, "/api/v1/uploads/shop.sql", &stranger, b"");
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    // The same name is another file there, and the owner's job and file are as they were.
    site.upload(&stranger, "shop.sql", b"SELECT 1;\n");
    let own = site.request("GET", "/api/v1/uploads/shop.sql", &site.key, b"");
    assert!(own.contains(&format!("\"size_bytes\":{}", shop().len())), "{own}");
    assert_eq!(status(&site, &job), "RUNNING");
    assert_eq!(site.server.sql("SHOW DATABASES LIKE 'theirs'").unwrap(), "");
}

#[test]
fn the_calls_of_terraform_are_answered_in_its_types() {
    let site = Site::start(&[]);
    site.upload(&site.key, "shop.sql", shop().as_bytes());
    site.upload(&site.key, "nothing.sql", b"SELECT NOW(),SYSDATE();\n");
    python(&site, &site.key, "terraform.py", &["shop.sql", "imp", "21"]);
}

#[test]
fn tccli_imports_and_waits() {
    let site = Site::start(&[]);
    site.upload(&site.key, "shop.sql", shop().as_bytes());
    let wanted = stock_state(&site, shop().as_bytes());
    let job = create(&site, "shop.sql", "imp");
    let waiter = "{'expr':'Status','to':'SUCCESS','timeout':60,'interval':1}";
    let asked = ["DescribeAsyncRequestInfo", "--AsyncRequestId", &job, "--waiter", waiter];
    let ended = tccli(&site, &asked).unwrap();
    assert_eq!(ended["Status"], "SUCCESS");
    check_state(&site.server, &wanted, "tccli");
    let page =
        ["DescribeDBImportRecords", "--InstanceId", INSTANCE, "--Offset", "0", "--Limit", "1"];
    let records = tccli(&site, &page).unwrap();
    assert_eq!(records["TotalCount"], 1);
    assert_eq!(records["Items"][0]["AsyncRequestId"], job);
    assert_eq!(records["Items"][0]["FileSize"], shop().len().to_string());
    let beyond =
        ["DescribeDBImportRecords", "--InstanceId", INSTANCE, "--Offset", "1", "--Limit", "1"];
    assert_eq!(tccli(&site, &beyond).unwrap()["Items"].as_array().unwrap().len(), 0);
    let ids = format!("[\"{INSTANCE}\"]");
    let instances = tccli(&site, &["DescribeDBInstances", "--InstanceIds", &ids]).unwrap();
    assert_eq!(instances["Items"][0]["InstanceId"], INSTANCE);
}

#[test]
fn tccli_stops_an_import() {
    let site = Site::start(&[]);
    site.upload(&site.key, "slow.sql", SLOW);
    let job = create(&site, "slow.sql", "imp");
    wait_until(|| site.server.sql("SHOW TABLES FROM imp").unwrap().trim_end() == "slow");
    tccli(&site, &["StopDBImportJob", "--AsyncRequestId", &job]).unwrap();
    let waiter = "{'expr':'Status','to':'KILLED','timeout':60,'interval':1}";
    let asked = ["DescribeAsyncRequestInfo", "--AsyncRequestId", &job, "--waiter", waiter];
    assert_eq!(tccli(&site, &asked).unwrap()["Status"], "KILLED");
}

#[test]
fn refusals_reach_tccli_with_their_codes() {
    let site = Site::start(&[]);
    site.upload(&site.key, "shop.sql", shop().as_bytes());
    let password = site.server.root_password();
    let import = |instance: &str, password: &str, file: &str, database: &str| {
        let of = ["--InstanceId", instance, "--User", "root", "--Password", password];
        let into = ["--FileName", file, "--DbName", database];
        tccli(&site, &[&["CreateDBImportJob"][..], &of, &into].concat()).unwrap_err()
    };
    let unknown = "00000000-00000000-00000000-00000001";
    let ask = |arguments: &[&str]| tccli(&site, arguments).unwrap_err();
    let cases = [
        ("InvalidParameter.InstanceNotFound", import("cdb-nowhere1", password, "shop.sql", "imp")),
        ("OperationDenied.WrongPassword", import(INSTANCE, "wrong", "shop.sql", "imp")),
        ("InvalidParameter", import(INSTANCE, password, "absent.sql", "imp")),
        ("InvalidParameter", import(INSTANCE, password, "shop.sql", "absent")),
        (
            "InvalidParameter.InvalidAsyncRequestId",
            ask(&["StopDBImportJob", "--AsyncRequestId", unknown]),
        ),
        (
            "InvalidParameterValue",
            ask(&["DescribeDBImportRecords", "--InstanceId", INSTANCE, "--Limit", "101"]),
        ),
    ];
    for (code, said) in cases {
        assert!(said.contains(&format!("code:{code} ")), "expected {code}: {said}");
    }
}

#[test]
fn the_flow_of_the_node_sdk_works() {
    let site = Site::start(&[]);
    site.upload(&site.key, "shop.sql", shop().as_bytes());
    site.upload(&site.key, "slow.sql", SLOW);
    for mode in NODE_MODES {
        wipe(&site.server);
        let mut command = Command::new("node");
        command.arg(sdk_folder().join("flow.js")).args([mode, "shop.sql", "imp", "slow.sql"]);
        command.env("NODE_PATH", cached("tencent-node", "package-lock.json").join("node_modules"));
        run(&site, &site.key, &mut command).unwrap_or_else(|said| panic!("{mode}: {said}"));
        let rows = site.server.sql("SELECT COUNT(*) FROM imp.orders").unwrap();
        assert_eq!(rows.trim_end(), ORDERS.to_string(), "{mode}");
    }
}

#[test]
fn an_import_survives_that_the_service_is_killed() {
    let kills = std::env::var("DBFERRY_SERVICE_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    let mut site = Site::start(&["--lease-seconds", "2"]);
    let dump = large(&site);
    let wanted = stock_state(&site, &dump);
    site.upload(&site.key, "large.sql", &dump);
    let job = create(&site, "large.sql", "imp");
    let mut watcher = python_command(&site, &site.key, "watcher.py", &[&job])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut random = Random::new(kills);
    let (mut attempt, mut kills_within) = (0, 0);
    for _ in 0..kills {
        // A process that has not found the job yet would die in vain.
        wait_until(|| {
            let now = native_job(&site, &job);
            let begun = std::mem::replace(&mut attempt, now["attempt"].as_u64().unwrap());
            attempt > begun || now["state"] == "succeeded"
        });
        for _ in 0..random.below(LOOKS_MAX) {
            site.server.sql("SELECT COUNT(*) FROM information_schema.TABLES").unwrap();
        }
        kills_within += u64::from(native_job(&site, &job)["state"] == "running");
        site.service.end(Signal::SIGKILL);
        site.restart();
    }
    assert!(kills_within >= kills.min(2), "it was over before it was killed: {kills_within}");
    let mut statuses = BufReader::new(watcher.stdout.take().unwrap()).lines().map(Result::unwrap);
    let ended = statuses.by_ref().find(|word| word != "INITIAL" && word != "RUNNING");
    assert_eq!(ended.as_deref(), Some("SUCCESS"));
    check_state(&site.server, &wanted, "killed");
    // The end stays the end, also for the next process.
    site.service.end(Signal::SIGKILL);
    site.restart();
    drop(watcher.stdin.take());
    assert_eq!(statuses.collect::<Vec<_>>(), Vec::<String>::new(), "after SUCCESS");
    let mut said = String::new();
    watcher.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(watcher.wait().unwrap().success(), "{said}");
    let records = tccli(&site, &["DescribeDBImportRecords", "--InstanceId", INSTANCE]).unwrap();
    assert_eq!(records["TotalCount"], 1, "{records:#}");
    assert_eq!(records["Items"][0]["Status"], 2, "{records:#}");
    check_state(&site.server, &wanted, "killed after its end");
}

/// A job as the native API shows it, which spells its id without hyphens.
fn native_job(site: &Site, job: &str) -> serde_json::Value {
    let path = format!("/api/v1/jobs/{}", job.replace('-', ""));
    ask(site, &site.key, "GET", &path, b"").1
}

/// A dump of many small tables and a large one with indexes that are built after its rows.
fn large(site: &Site) -> Vec<u8> {
    let mut dump = Vec::new();
    for (input, scale) in LARGE {
        let file = site.scratch("input").join(input.name());
        inputs::write(&Plan { input, flavor: Flavor::MariaDb, scale }, &file).unwrap();
        dump.extend(std::fs::read(&file).unwrap());
    }
    dump
}

/// What the stock client makes of a file.
fn stock_state(site: &Site, dump: &[u8]) -> String {
    let file = site.scratch("stock").join("stock.sql");
    std::fs::write(&file, dump).unwrap();
    state::wipe(&site.server).unwrap();
    let outcome = site.server.import_stock(Some("imp"), &file).unwrap();
    assert_eq!(outcome.exit, 0, "{}", outcome.message);
    let wanted = state::canonical(&site.server).unwrap();
    state::wipe(&site.server).unwrap();
    wanted
}

/// An empty server for the next import.
fn wipe(server: &Server) {
    wait_tidy(server);
    state::wipe(server).unwrap();
}

/// A job's ledger goes a moment after the job's end is told.
fn wait_tidy(server: &Server) {
    wait_until(|| server.sql("SHOW DATABASES LIKE 'dbferry'").unwrap().is_empty());
}

/// The server holds what it should, once the service has tidied up behind an ended job.
#[track_caller]
fn check_state(server: &Server, wanted: &str, what: &str) {
    wait_tidy(server);
    let state = state::canonical(server).unwrap();
    assert!(state == wanted, "{what}:\n{}", state::diff(wanted, &state));
}

/// Rows of the table `orders` in [`shop`].
const ORDERS: usize = 3000;

/// A small dump of two tables.
fn shop() -> String {
    let mut text = String::from(
        "SET NAMES utf8mb4;\n\
         CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(50), balance DECIMAL(10,2));\n\
         INSERT INTO customers VALUES (1,'Größe \\'1\\'',1.5),(2,'客户二',NULL),(3,'',-7.25);\n\
         CREATE TABLE orders (id INT AUTO_INCREMENT PRIMARY KEY, customer INT, note TEXT, KEY (customer));\n",
    );
    let rows: Vec<String> = (1..=ORDERS)
        .map(|id| format!("({id},{},'note {id}, with some text to fill it')", id % 3 + 1))
        .collect();
    for rows in rows.chunks(100) {
        text.push_str(&format!("INSERT INTO orders VALUES {};\n", rows.join(",")));
    }
    text
}

/// Fails on line 17, with error 1146.
fn bad() -> String {
    let good = "CREATE TABLE good (id INT);\n".to_owned();
    good + &"INSERT INTO good VALUES (1);\n".repeat(15) + "INSERT INTO missing VALUES (1);\n"
}

#[test]
fn the_python_sdk_speaks_to_the_encrypted_port() {
    let folder = tempfile::tempdir().unwrap();
    let (certificates, site) = crate::encryption::encrypted(folder.path());
    let ask = |authority: &Path| {
        let path = authority.to_str().unwrap();
        let mut command = python_command(&site, &site.key, "encrypted.py", &[path]);
        run(&site, &site.key, &mut command)
    };
    ask(&certificates.ca).unwrap();
    let refused = ask(&certificates.unrelated_ca).unwrap_err();
    assert!(refused.contains("CERTIFICATE_VERIFY_FAILED"), "{refused}");
}

/// Starts an import by tccli.
fn create(site: &Site, file: &str, database: &str) -> String {
    let password = site.server.root_password();
    let of = ["--InstanceId", INSTANCE, "--User", "root", "--Password", password];
    let into = ["--FileName", file, "--DbName", database];
    let made = tccli(site, &[&["CreateDBImportJob"][..], &of, &into].concat()).unwrap();
    made["AsyncRequestId"].as_str().unwrap().to_owned()
}

/// A job's status, as tccli tells.
fn status(site: &Site, job: &str) -> String {
    let answer = tccli(site, &["DescribeAsyncRequestInfo", "--AsyncRequestId", job]).unwrap();
    answer["Status"].as_str().unwrap().to_owned()
}

/// Runs an action of the owner; what it printed, or how it complained.
pub(crate) fn tccli(site: &Site, arguments: &[&str]) -> Result<serde_json::Value, String> {
    let program = cached("tencent-python", "requirements.txt").join("bin/tccli");
    let mut command = Command::new(program);
    // There is no other way to leave TLS out.
    let endpoint = format!("http://{}", site.service.address);
    command.arg("cdb").args(arguments).args(["--endpoint", &endpoint]);
    let text = run(site, &site.key, &mut command)?;
    Ok(serde_json::from_str(&text).unwrap())
}

/// Runs a script, which checks what it is answered.
#[track_caller]
fn python(site: &Site, key: &Key, script: &str, arguments: &[&str]) {
    let mut command = python_command(site, key, script, arguments);
    if let Err(said) = run(site, key, &mut command) {
        panic!("{script} {arguments:?}: {said}");
    }
}

fn python_command(site: &Site, key: &Key, script: &str, arguments: &[&str]) -> Command {
    let folder = cached("tencent-python", "requirements.txt");
    let mut command = Command::new(folder.join("bin/python"));
    command.arg(sdk_folder().join(script)).args(arguments);
    // Nothing is left beside the scripts.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    with_settings(site, key, &mut command);
    command
}

/// Runs a client to its end; its output if it succeeds, else all that it said.
fn run(site: &Site, key: &Key, command: &mut Command) -> Result<String, String> {
    with_settings(site, key, command);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    Err(format!("{}\n{stdout}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

/// What the clients are told, and nothing of this user's settings.
fn with_settings(site: &Site, key: &Key, command: &mut Command) {
    command
        .env("HOME", site.scratch("home"))
        .env("NO_PROXY", "*")
        .env("no_proxy", "*")
        .env("DBFERRY_ENDPOINT", &site.service.address)
        .env("DBFERRY_INSTANCE", INSTANCE)
        .env("DBFERRY_ROOT_PASSWORD", site.server.root_password())
        .env("DBFERRY_UIN", &key.uin)
        .env("TENCENTCLOUD_REGION", REGION)
        .env("TENCENTCLOUD_SECRET_ID", &key.id)
        .env("TENCENTCLOUD_SECRET_KEY", &key.secret);
}

fn sdk_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk")
}

/// A folder of clients that `scripts/setup` has made.
fn cached(name: &str, pins: &str) -> PathBuf {
    installed::folder(name, &sdk_folder().join(pins))
}
