//! The command line against a service: upload, import, watch, cancel, and how it ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Output, Stdio};

use nix::sys::signal::Signal;
use sandbox::state;
use serde_json::{Value, json};

use crate::import_errors::Ended;
use crate::interrupt::{signal, wait_until};
use crate::native::{ask_with, check};
use crate::sameness::dbferry;
use crate::service::{INSTANCE, Key, Site};

/// Waits as long as the server's slow query log is on.
const HELD: &[u8] = b"CREATE TABLE t (id INT PRIMARY KEY);\nINSERT INTO t VALUES (1);\n\
    SELECT IF(@@global.slow_query_log, SLEEP(600), 0);\nINSERT INTO t VALUES (2);\n";
/// What is imported without waiting.
const SHOP: &str = "CREATE TABLE a (id INT PRIMARY KEY, v TEXT);\n\
    INSERT INTO a VALUES (1,'x'),(2,'größer'),(3,NULL);\nCREATE TABLE b (id INT);\n";

/// The program with a key.
fn command(site: &Site, key: &Key, arguments: &[&str]) -> Command {
    let mut command = dbferry();
    command
        .args(arguments)
        .env("DBFERRY_SERVER", format!("http://{}", site.service.address))
        .env("DBFERRY_KEY_ID", &key.id)
        .env("DBFERRY_KEY_SECRET", &key.secret)
        .stdin(Stdio::null());
    command
}

/// Runs the program; what it printed if it ended so.
#[track_caller]
pub(crate) fn run(site: &Site, arguments: &[&str], exit: i32) -> (String, String) {
    ended(command(site, &site.key, arguments).output().unwrap(), exit)
}

/// Runs the program, however it ends.
pub(crate) fn output(site: &Site, arguments: &[&str]) -> Ended {
    Ended::of(command(site, &site.key, arguments).output().unwrap())
}

#[track_caller]
fn ended(output: Output, exit: i32) -> (String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(exit), "{stdout}{stderr}");
    (stdout, stderr)
}

#[track_caller]
fn run_json(site: &Site, arguments: &[&str]) -> Value {
    let (stdout, stderr) = run(site, &[arguments, &["--json"]].concat(), 0);
    serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{stderr}"))
}

/// Writes a file beside the site; its path.
fn file(site: &Site, name: &str, bytes: &[u8]) -> String {
    let path = site.scratch("files").join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_file_is_uploaded_and_imported_as_the_stock_client_does() {
    let site = Site::start(&[]);
    let path = file(&site, "shop.sql", SHOP.as_bytes());
    let outcome = site.server.import_stock(Some("imp"), path.as_ref()).unwrap();
    assert_eq!(outcome.exit, 0, "{}", outcome.message);
    let wanted = state::canonical(&site.server).unwrap();
    state::wipe(&site.server).unwrap();
    let upload = run_json(&site, &["upload", &path]);
    assert_eq!((&upload["name"], &upload["finished"]), (&json!("shop.sql"), &json!(true)));
    assert_eq!(run_json(&site, &["uploads"])["uploads"][0], upload);
    let import = ["job", "import", "--instance", INSTANCE, "--file", "shop.sql"];
    let watched = [&import[..], &["--database", "imp", "--watch"]].concat();
    let (stdout, stderr) = run(&site, &watched, 0);
    assert_eq!(stdout, "");
    for part in ["job ", "imported shop.sql into cdb-c1nl9rpv: 3 statements, 3 rows in "] {
        assert!(stderr.contains(part), "{stderr}");
    }
    wait_until(|| site.server.sql("SHOW DATABASES LIKE 'dbferry'").unwrap().is_empty());
    let left = state::canonical(&site.server).unwrap();
    assert!(left == wanted, "{}", state::diff(&wanted, &left));
    let jobs = run_json(&site, &["job", "list", "--state", "succeeded", "--state", "failed"]);
    assert_eq!((&jobs["total"], &jobs["jobs"][0]["file"]), (&json!(1), &json!("shop.sql")));
    let id = jobs["jobs"][0]["id"].as_str().unwrap();
    assert_eq!(run_json(&site, &["job", "show", id]), jobs["jobs"][0]);
    let (stdout, _) = run(&site, &["job", "list"], 0);
    assert_eq!(stdout, format!("{id}  succeeded  100%  {INSTANCE}/imp  shop.sql\n"));
    // A file without a byte is a file.
    run(&site, &["upload", &file(&site, "empty.sql", b"")], 0);
    let listed = format!("empty.sql  0 B\nshop.sql  {} B\n", SHOP.len());
    assert_eq!(run(&site, &["uploads"], 0).0, listed);
}

#[test]
fn the_exit_code_says_what_went_wrong() {
    let site = Site::start(&[]);
    let path = file(&site, "bad.sql", b"CREATE TABLE t (id INT);\nINSERT INTO u VALUES (4711);\n");
    run(&site, &["upload", &path], 0);
    let import = ["job", "import", "--instance", INSTANCE, "--file", "bad.sql", "--database"];
    let watched = [&import[..], &["imp", "--watch"]].concat();
    let (_, stderr) = run(&site, &watched, 1);
    assert!(stderr.contains("bad.sql line 2") && !stderr.contains("4711"), "{stderr}");
    let (_, stderr) = run(&site, &[&import[..], &["absent"]].concat(), 2);
    assert!(stderr.contains("there is no such database"), "{stderr}");
    run(&site, &["job", "show", &"0".repeat(32)], 2);
    run(&site, &["job", "watch", &"0".repeat(32)], 2);
    run(&site, &["upload", "no-such-file.sql"], 2);
    run(&site, &["upload", &path, "--name", "../up.sql"], 2);
    run(&site, &["uploads", "--server", "ftp://127.0.0.1"], 2);
    let user = [&import[..], &["imp", "--user", "root"]].concat();
    let wrong = command(&site, &site.key, &user).env("DBFERRY_PASSWORD", "wrong-secret").output();
    let (_, stderr) = ended(wrong.unwrap(), 3);
    assert!(stderr.contains("refuses the login") && !stderr.contains("wrong-secret"), "{stderr}");
    let no_key = command(&site, &site.key, &["uploads"]).env_remove("DBFERRY_KEY_SECRET").output();
    ended(no_key.unwrap(), 2);
    let mistyped = Key { secret: "mistyped-secret".to_owned(), ..site.new_key("shop") };
    let (_, stderr) = ended(command(&site, &mistyped, &["uploads"]).output().unwrap(), 3);
    assert!(!stderr.contains("mistyped-secret"), "{stderr}");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = format!("http://{gone}");
    let (_, stderr) = run(&site, &["uploads", "--server", &server], 3);
    assert!(stderr.contains("reach the service at http://127.0.0.1:"), "{stderr}");
}

#[test]
fn an_upload_goes_on_where_it_broke_off() {
    let site = Site::start(&[]);
    let bytes: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let path = file(&site, "large.sql", &bytes);
    for (beginning, message) in [(&bytes[..5_000_000], None), (&[b'x'; 70_000][..], Some("anew"))] {
        break_off(&site, "large.sql", beginning, bytes.len());
        let received = |upload: &Value| upload["received_bytes"].as_u64().unwrap();
        let path_of = "/api/v1/uploads/large.sql";
        wait_until(|| {
            let (status, upload) = ask_with(&site, &site.key, "GET", path_of, "", b"");
            status == 200 && received(&upload) == beginning.len() as u64
        });
        let (stdout, stderr) = run(&site, &["upload", &path, "--json"], 0);
        assert_eq!(stderr.contains("anew"), message.is_some(), "{stderr}");
        let upload: Value = serde_json::from_str(&stdout).unwrap();
        assert_eq!((received(&upload), &upload["finished"]), (bytes.len() as u64, &json!(true)));
        check(&site, &site.key, ("DELETE", path_of, b""), 204);
    }
}

#[test]
fn an_upload_outlives_that_the_service_is_killed() {
    let mut site = Site::start(&[]);
    let path = file(&site, "sparse.sql", b"");
    let size = 300_u64 << 20;
    std::fs::File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
    let child = command(&site, &site.key, &["upload", &path, "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let there = |site: &Site| {
        let path = "/api/v1/uploads/sparse.sql";
        let (_, upload) = ask_with(site, &site.key, "GET", path, "", b"");
        assert_ne!(upload["finished"], true, "it was over before the service was killed");
        upload
    };
    wait_until(|| there(&site)["received_bytes"].as_u64() > Some(0));
    let begun = there(&site)["created_at_ms"].clone();
    site.service.end(Signal::SIGKILL);
    site.restart();
    let (stdout, _) = ended(child.wait_with_output().unwrap(), 0);
    let upload: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&upload["received_bytes"], &upload["finished"]), (&json!(size), &json!(true)));
    // It was not begun anew.
    assert_eq!(upload["created_at_ms"], begun);
}

/// Sends the beginning of a file in a request that says to bring all of it, and goes away.
fn break_off(site: &Site, name: &str, beginning: &[u8], size: usize) {
    let mut stream = TcpStream::connect(&site.service.address).unwrap();
    let head = format!(
        "PUT /api/v1/uploads/{name} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\nContent-Length: \
         {size}\r\nContent-Range: bytes 0-{}/{size}\r\n\r\n",
        site.service.address,
        site.key.login(),
        size - 1
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(beginning).unwrap();
}

#[test]
fn a_watched_job_is_cancelled() {
    let site = Site::start(&[]);
    site.server.sql("SET GLOBAL slow_query_log = 1").unwrap();
    site.upload(&site.key, "held.sql", HELD);
    let import = ["job", "import", "--instance", INSTANCE, "--file", "held.sql"];
    let id = run(&site, &[&import[..], &["--database", "imp"]].concat(), 0).0.trim_end().to_owned();
    // Whoever interrupts the watching leaves the job alone.
    let mut watch = command(&site, &site.key, &["job", "watch", &id, "--json"]);
    let mut child = watch.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut events = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    events.find(|line| line.contains("\"to\":\"running\"")).unwrap();
    signal(&child, Signal::SIGINT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert!(stderr.contains("interrupted; a job goes on"), "{stderr}");
    let job = run_json(&site, &["job", "show", &id]);
    assert_eq!(job["state"], json!("running"));
    let watch = command(&site, &site.key, &["job", "watch", &id])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let cancelled = run_json(&site, &["job", "cancel", &id]);
    assert_eq!(cancelled["cancel_requested"], json!(true));
    let (_, stderr) = ended(watch.wait_with_output().unwrap(), 1);
    assert!(stderr.contains("the job was cancelled"), "{stderr}");
    run(&site, &["job", "cancel", &id], 2);
}

#[test]
fn watching_goes_on_with_the_next_service() {
    let mut site = Site::start(&["--lease-seconds", "2", "--drain-seconds", "0"]);
    site.server.sql("SET GLOBAL slow_query_log = 1").unwrap();
    site.upload(&site.key, "held.sql", HELD);
    let arguments =
        ["--instance", INSTANCE, "--file", "held.sql", "--database", "imp", "--watch", "--json"];
    let mut child = command(&site, &site.key, &[&["job", "import"][..], &arguments].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut events: Vec<Value> = Vec::new();
    for (times, by) in [(1, Signal::SIGTERM), (2, Signal::SIGKILL)] {
        while events.iter().filter(|event| event["data"]["to"] == "running").count() < times {
            events.push(serde_json::from_str(&lines.next().unwrap()).unwrap());
        }
        let held =
            "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE info LIKE 'SELECT IF(%'";
        wait_until(|| site.server.sql(held).unwrap().trim_end() == "1");
        site.service.end(by);
        if times == 2 {
            site.server.sql("SET GLOBAL slow_query_log = 0").unwrap();
        }
        site.restart();
    }
    events.extend(lines.map(|line| serde_json::from_str(&line).unwrap()));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{stderr}");
    let ids: Vec<u64> = events.iter().filter_map(|event| event["id"].as_u64()).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "{events:#?}");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["data"]["state"]), (&json!("job"), &json!("succeeded")));
    assert_eq!(site.server.sql("SELECT SUM(id) FROM imp.t").unwrap().trim_end(), "3");
}

#[test]
fn an_instance_is_shown_without_its_login() {
    let site = Site::start(&[]);
    let stdout = site.dbferry(&["instance", "show", INSTANCE, "--account", "shop", "--json"]);
    let shown: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((&shown["id"], &shown["engine"]), (&json!(INSTANCE), &json!("mysql")));
    assert!(!stdout.contains("root"), "{stdout}");
    let stdout = site.dbferry(&["instance", "check", INSTANCE, "--account", "shop"]);
    assert!(stdout.contains("running  10.") && stdout.contains("storage"), "{stdout}");
}
