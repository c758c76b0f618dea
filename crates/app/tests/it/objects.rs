//! Dumps in object storage: as sources of the command line and of jobs, and as uploads that jobs read,
//! with a real S3 server, a line to it that breaks and waits, and a real MariaDB.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Condvar, Mutex};

use nix::sys::signal::Signal;
use sandbox::{Flavor, ObjectStorage, Server, state};
use serde_json::{Value, json};

use crate::interrupt::wait_until;
use crate::native::{self, is_over, job_when};
use crate::refusals::{self, signer};
use crate::sameness::{self, dbferry};
use crate::service::{INSTANCE, Site};

/// Bytes after which a line that waits does so: in the second window of an object.
const HOLD: usize = 6_000_000;
/// Bytes after which a line that breaks does so.
const BREAK: usize = 1_000_000;
/// Bytes that a line carries at once.
const CARRIED: usize = 32 << 10;

/// A line to a server, with a temper of its own.
struct Line {
    port: u16,
    state: Arc<(Mutex<Passing>, Condvar)>,
}

#[derive(Default)]
struct Passing {
    /// Bytes that came from the server, over all connections.
    bytes: usize,
    connections: usize,
    is_waiting: bool,
    is_open: bool,
}

/// What a line does with what comes from the server.
#[derive(Clone, Copy)]
enum Temper {
    /// Each connection ends after [`BREAK`] bytes.
    Breaks,
    /// After [`HOLD`] bytes all wait until it is opened.
    Waits,
}

impl Line {
    fn to(storage: &ObjectStorage, temper: Temper) -> Line {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (state, server) = (Arc::<(Mutex<Passing>, Condvar)>::default(), storage.address());
        let passing = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { return };
                passing.0.lock().unwrap().connections += 1;
                let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || carry(from, to, |_| true));
                let passing = Arc::clone(&passing);
                std::thread::spawn(move || {
                    let mut own = 0;
                    carry(server, client, |bytes| {
                        own += bytes;
                        pass(&passing, temper, bytes, own)
                    });
                });
            }
        });
        Line { port, state }
    }

    fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    fn is_waited_at(&self) -> bool {
        self.state.0.lock().unwrap().is_waiting
    }

    fn open(&self) {
        self.state.0.lock().unwrap().is_open = true;
        self.state.1.notify_all();
    }

    fn connections(&self) -> usize {
        self.state.0.lock().unwrap().connections
    }
}

/// Whether the line goes on after these bytes.
fn pass(state: &(Mutex<Passing>, Condvar), temper: Temper, bytes: usize, own: usize) -> bool {
    let mut passing = state.0.lock().unwrap();
    passing.bytes += bytes;
    match temper {
        Temper::Breaks => own < BREAK,
        Temper::Waits => {
            passing.is_waiting |= passing.bytes >= HOLD;
            let waits = |passing: &mut Passing| passing.bytes >= HOLD && !passing.is_open;
            drop(state.1.wait_while(passing, waits).unwrap());
            true
        }
    }
}

/// Carries bytes one way until one side ends or the line does.
fn carry(mut from: TcpStream, mut to: TcpStream, mut passes: impl FnMut(usize) -> bool) {
    let mut buffer = [0; CARRIED];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..read]).is_err() || !passes(read) {
            break;
        }
    }
    // Those that are gone already do not mind.
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// A service with uploads or sources in the object storage at an endpoint, if one is given.
pub(crate) fn site(endpoint: Option<&str>, more: &str, s3: &str) -> Site {
    let folder = tempfile::tempdir().unwrap().keep();
    let credentials = folder.join("credentials");
    let (key_id, secret) = (ObjectStorage::KEY_ID, ObjectStorage::SECRET);
    let text =
        format!("[default]\naws_access_key_id = {key_id}\naws_secret_access_key = {secret}\n");
    std::fs::write(&credentials, text).unwrap();
    let s3 = endpoint.map_or_else(String::new, |endpoint| {
        format!(
            "[s3]\nendpoint = \"{endpoint}\"\npath_style = true\ncredentials = \"{}\"\n{s3}",
            credentials.display()
        )
    });
    let config = folder.join("dbferry.toml");
    std::fs::write(&config, format!("{more}{s3}")).unwrap();
    let options = ["--config", config.to_str().unwrap(), "--lease-seconds", "2"];
    Site::start_in(&options, &[("NO_PROXY", "*")])
}

#[track_caller]
pub(crate) fn no_secrets(text: &str) {
    assert!(!text.contains(ObjectStorage::SECRET), "{text}");
}

/// A dump of three windows, about 12 MB.
fn dump(letter: &str) -> Vec<u8> {
    let mut text = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(1000));\n".to_owned();
    for first in (0..20_000).step_by(100) {
        let rows: Vec<String> =
            (first..first + 100).map(|id| format!("({id},'{}')", letter.repeat(600))).collect();
        text.push_str(&format!("INSERT INTO t VALUES {};\n", rows.join(",")));
    }
    text.push_str("CREATE TABLE done (id INT);\n");
    text.into_bytes()
}

/// The program with what Amazon's tools have in their environment.
fn command(endpoint: &str) -> Command {
    let mut command = dbferry();
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_ACCESS_KEY_ID", ObjectStorage::KEY_ID);
    command.env("AWS_SECRET_ACCESS_KEY", ObjectStorage::SECRET).env("NO_PROXY", "*");
    command
}

fn said(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    no_secrets(&format!("{said}{}", String::from_utf8_lossy(&output.stdout)));
    said
}

#[test]
fn an_object_is_the_file() {
    let storage = ObjectStorage::start(&["dumps"]).unwrap();
    storage.put("dumps", "a b/größe.sql", &dump("x")).unwrap();
    let line = Line::to(&storage, Temper::Breaks);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.sql");
    std::fs::write(&path, dump("x")).unwrap();
    let read = |output: Output| -> Value {
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let mut wanted = read(dbferry().args(["inspect", "--json"]).arg(&path).output().unwrap());
    let name = "s3://dumps/a b/größe.sql";
    wanted["file"]["name"] = json!(name);
    let found = command(&line.endpoint()).args(["inspect", "--json", name]).output().unwrap();
    assert_eq!(read(found), wanted);
    // No connection carried more than a part of it.
    let least = dump("x").len() / (BREAK + CARRIED);
    assert!(least > 10 && line.connections() >= least, "{}", line.connections());
}

#[test]
fn an_import_from_object_storage_leaves_what_the_stock_client_leaves() {
    let storage = ObjectStorage::start(&["dumps"]).unwrap();
    storage.put("dumps", "dump.sql", &dump("x")).unwrap();
    let server = Server::start_with(Flavor::MariaDb, &sameness::options()).unwrap();
    server.sql("CREATE DATABASE imp").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.sql");
    std::fs::write(&path, dump("x")).unwrap();
    server.import_stock(Some("imp"), &path).unwrap();
    let wanted = state::canonical(&server).unwrap();
    server.sql("DROP DATABASE imp; CREATE DATABASE imp").unwrap();
    let mut command = command(&storage.endpoint());
    command.args(["import", "s3://dumps/dump.sql", "--to", &server.url(Some("imp"))]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let found = state::canonical(&server).unwrap();
    assert!(found == wanted, "{}", state::diff(&wanted, &found));
}

/// What the command line says of an object that it cannot read to its end.
#[track_caller]
fn check_refused(command: &mut Command, object: &str, exit: i32, part: &str) {
    let output = command.args(["inspect", object]).output().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(exit), "{object}: {said}");
    assert!(said.contains(part) && said.contains(object), "{object}: {said}");
}

#[test]
fn what_cannot_be_read_is_said_without_secrets() {
    let storage = ObjectStorage::start(&["dumps"]).unwrap();
    storage.put("dumps", "dump.sql", &dump("x")).unwrap();
    let endpoint = storage.endpoint();
    let own = || command(&endpoint);
    check_refused(&mut own(), "s3://dumps/nothing.sql", 2, "no such object");
    check_refused(&mut own(), "s3://nothing/dump.sql", 2, "no such object or bucket");
    check_refused(&mut own(), "s3://dumps", 2, "it names no object");
    let mut other = own();
    other.env("AWS_SECRET_ACCESS_KEY", "another/se-cret");
    check_refused(&mut other, "s3://dumps/dump.sql", 1, "status 403");
    let mut nobody = own();
    nobody.env_remove("AWS_ACCESS_KEY_ID");
    check_refused(&mut nobody, "s3://dumps/dump.sql", 2, "AWS_ACCESS_KEY_ID");
    let mut nowhere = own();
    nowhere.env("AWS_ENDPOINT_URL", "storage.example");
    check_refused(&mut nowhere, "s3://dumps/dump.sql", 2, "AWS_ENDPOINT_URL: it is not a URL");
}

#[test]
fn an_object_that_is_replaced_is_never_half_of_each() {
    let storage = ObjectStorage::start(&["dumps"]).unwrap();
    storage.put("dumps", "dump.sql", &dump("x")).unwrap();
    let line = Line::to(&storage, Temper::Waits);
    let mut command = command(&line.endpoint());
    let reading = std::thread::spawn(move || {
        check_refused(&mut command, "s3://dumps/dump.sql", 1, "another file now");
    });
    wait_until(|| line.is_waited_at());
    storage.put("dumps", "dump.sql", &dump("y")).unwrap();
    line.open();
    reading.join().unwrap();
}

fn create(site: &Site, url: &str) -> (u16, Value) {
    let body = json!({"instance": INSTANCE, "url": url, "user": "root", "database": "imp"});
    native::create(site, &site.key, &body)
}

#[test]
fn jobs_read_the_buckets_that_the_settings_allow_and_no_others() {
    let storage = ObjectStorage::start(&["dumps", "private"]).unwrap();
    for (bucket, key) in
        [("dumps", "open/a.sql"), ("dumps", "opened.sql"), ("private", "a.sql"), ("dumps", "up/b")]
    {
        storage.put(bucket, key, &dump("x")).unwrap();
    }
    let s3 = "uploads = \"s3://dumps/up\"\nsources = [\"s3://dumps/open\"]\n";
    let site = site(Some(&storage.endpoint()), "", s3);
    for (url, part) in [
        ("s3://private/a.sql", "do not let jobs read"),
        ("s3://dumps/opened.sql", "do not let jobs read"),
        ("s3://dumps/up/b", "do not let jobs read"),
        ("s3://dumps/open/../up/b", "not an address"),
        ("s3://dumps/open/nothing.sql", "no such object"),
    ] {
        let (status, document) = create(&site, url);
        assert_eq!(status, 422, "{url}: {document}");
        assert_eq!(document["type"], json!("urn:dbferry:problem:no-source"));
        assert!(document["detail"].as_str().unwrap().contains(part), "{url}: {document}");
        no_secrets(&document.to_string());
    }
    // Tencent's dialect takes of its callers only what a browser could open.
    let asked = json!({"InstanceId": INSTANCE, "CosUrl": "s3://dumps/open/a.sql", "DbName": "imp",
        "User": "root", "Password": ""});
    let asked = signer(&site).post("CreateDBImportJob", asked.to_string().as_bytes(), false);
    let message = refusals::check(&site, &asked, "InvalidParameter");
    assert!(message.contains("do not let jobs read"), "{message}");
    let (status, document) = create(&site, "s3://dumps/open/a.sql");
    assert_eq!(status, 201, "{document}");
    let ended = job_when(&site, document["id"].as_str().unwrap(), is_over);
    assert_eq!(ended["state"], json!("succeeded"), "{ended}");
    assert_eq!(ended["url"], json!("s3://dumps/open/a.sql"));
    assert_eq!(site.server.sql("SELECT COUNT(*) FROM imp.t").unwrap().trim_end(), "20000");
    no_secrets(&site.service.log());
    let shown = dbferry().args(["config", "check"]).arg(config_of(&site)).output().unwrap();
    assert_eq!(shown.status.code(), Some(0), "{}", said(&shown));
}

/// The settings' file that a site was started with.
fn config_of(site: &Site) -> String {
    let line = std::fs::read(format!("/proc/{}/cmdline", site.service.id())).unwrap();
    let line = String::from_utf8(line).unwrap();
    let mut arguments = line.split('\0').skip_while(|argument| *argument != "--config");
    arguments.nth(1).unwrap().to_owned()
}

#[test]
fn without_settings_no_object_is_read() {
    let site = site(None, "", "");
    let (status, document) = create(&site, "s3://dumps/dump.sql");
    assert_eq!((status, &document["type"]), (422, &json!("urn:dbferry:problem:no-source")));
}

/// Kills the service while a job reads an object, does something, and starts it again.
fn check_taken_over(s3: &str, between: impl Fn(&ObjectStorage), check: impl Fn(&Site, &Value)) {
    let storage = ObjectStorage::start(&["dumps"]).unwrap();
    let line = Line::to(&storage, Temper::Waits);
    let mut site = site(Some(&line.endpoint()), "", s3);
    let id = if s3.contains("uploads") {
        site.upload(&site.key, "dump.sql", &dump("x"));
        native::job(&site, &site.key, "dump.sql", Some("imp"))
    } else {
        storage.put("dumps", "dump.sql", &dump("x")).unwrap();
        let (status, document) = create(&site, "s3://dumps/dump.sql");
        assert_eq!(status, 201, "{document}");
        document["id"].as_str().unwrap().to_owned()
    };
    wait_until(|| line.is_waited_at());
    let some = "SELECT COUNT(*) FROM information_schema.TABLES WHERE table_schema = 'imp'";
    wait_until(|| site.server.sql(some).unwrap().trim_end() != "0");
    site.service.end(Signal::SIGKILL);
    between(&storage);
    line.open();
    site.restart();
    let ended = job_when(&site, &id, is_over);
    assert!(ended["attempt"].as_u64() >= Some(2), "{ended}");
    check(&site, &ended);
    no_secrets(&site.service.log());
}

fn is_resumed(site: &Site, ended: &Value) {
    assert_eq!(ended["state"], json!("succeeded"), "{ended}");
    assert!(ended["result"]["resumed_from"].as_u64().is_some(), "{ended}");
    assert_eq!(site.server.sql("SELECT COUNT(*) FROM imp.t").unwrap().trim_end(), "20000");
}

#[test]
fn a_job_goes_on_with_an_upload_in_object_storage() {
    check_taken_over("uploads = \"s3://dumps\"\n", |_| {}, is_resumed);
}

#[test]
fn a_job_goes_on_with_an_object() {
    check_taken_over("sources = [\"s3://dumps\"]\n", |_| {}, is_resumed);
}

#[test]
fn a_job_whose_object_is_replaced_ends_and_says_so() {
    let replace = |storage: &ObjectStorage| storage.put("dumps", "dump.sql", &dump("y")).unwrap();
    check_taken_over("sources = [\"s3://dumps\"]\n", replace, |_, ended| {
        assert_eq!(ended["state"], json!("failed"), "{ended}");
        let message = ended["error"]["message"].as_str().unwrap();
        assert!(message.contains("another file now"), "{message}");
    });
}
