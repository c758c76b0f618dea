//! Dumps from URLs: a real HTTP server in this process, which breaks off, redirects and changes its
//! mind, and the command line, the service and a real MariaDB on the other side.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use nix::sys::signal::Signal;
use sandbox::{Flavor, Server, state};
use serde_json::{Value, json};

use crate::interrupt::wait_until;
use crate::native::{self, is_over, job_when};
use crate::sameness::{self, dbferry};
use crate::service::{INSTANCE, Site};

/// What nobody may see of an address.
const SECRETS: [&str; 3] = ["user-name", "pass-word", "se-cret"];
/// The bytes after which a server breaks off.
const BREAK: usize = 800_000;

/// A request as it came.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    query: String,
    headers: HashMap<String, String>,
    /// Which request for this path it is, from 1.
    number: usize,
}

/// A server of files, each path with a temper of its own.
pub(crate) struct Files {
    port: u16,
    log: Arc<Mutex<Vec<Asked>>>,
    gate: Arc<Gate>,
}

/// Holds a body back until it is opened.
#[derive(Default)]
struct Gate {
    state: Mutex<Passing>,
    changed: Condvar,
}

#[derive(Default)]
struct Passing {
    is_open: bool,
    waiting: usize,
}

impl Gate {
    fn pass(&self) {
        let mut state = self.state.lock().unwrap();
        state.waiting += 1;
        drop(self.changed.wait_while(state, |state| !state.is_open).unwrap());
    }

    fn open(&self) {
        self.state.lock().unwrap().is_open = true;
        self.changed.notify_all();
    }

    fn is_waited_at(&self) -> bool {
        self.state.lock().unwrap().waiting > 0
    }
}

impl Files {
    pub(crate) fn start(body: Vec<u8>) -> Files {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Vec::<Asked>::new()));
        let gate = Arc::new(Gate::default());
        let (asked, held, body) = (Arc::clone(&log), Arc::clone(&gate), Arc::new(body));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (asked, held, body) =
                    (Arc::clone(&asked), Arc::clone(&held), Arc::clone(&body));
                std::thread::spawn(move || {
                    // Clients that go away are part of the tests.
                    let _ = serve(stream, &asked, &held, &body, port);
                });
            }
        });
        Files { port, log, gate }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://user-name:pass-word@127.0.0.1:{}{path}?sign=se-cret", self.port)
    }

    /// The same as it may be shown.
    fn shown(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn requests(&self, path: &str) -> Vec<Asked> {
        let log = self.log.lock().unwrap();
        log.iter().filter(|asked| asked.path == path).cloned().collect()
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Asked>>,
    gate: &Gate,
    body: &[u8],
    port: u16,
) -> std::io::Result<()> {
    let Some(asked) = read_request(&stream, log)? else { return Ok(()) };
    let whole = |head: &str| {
        format!(
            "HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        )
    };
    match asked.path.as_str() {
        "/dump.sql" => answer(&mut stream, &asked, body, usize::MAX)?,
        // Each answer ends after so many bytes, whatever its head says.
        "/breaking.sql" => answer(&mut stream, &asked, body, BREAK)?,
        "/gated.sql" | "/replaced.sql" => {
            let is_held = asked.number == 2;
            let tag = if is_held || asked.number == 1 { "v1" } else { "v2" };
            let tag = if asked.path == "/gated.sql" { "v1" } else { tag };
            stream.write_all(whole(&format!("ETag: \"{tag}\"\r\n")).as_bytes())?;
            stream.write_all(&body[..BREAK])?;
            stream.flush()?;
            if is_held {
                gate.pass();
            }
            stream.write_all(&body[BREAK..])?;
        }
        "/short.sql" => {
            stream.write_all(whole("").as_bytes())?;
            stream.write_all(&body[..BREAK])?;
        }
        "/changing.sql" => {
            stream.write_all(whole(&format!("ETag: \"v{}\"\r\n", asked.number)).as_bytes())?;
            stream.write_all(&body[..BREAK])?;
        }
        "/endless.sql" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")?;
            stream.write_all(body)?;
        }
        "/chunked.sql" | "/cut-chunks.sql" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            for chunk in body.chunks(BREAK) {
                stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
                stream.write_all(chunk)?;
                stream.write_all(b"\r\n")?;
            }
            if asked.path == "/chunked.sql" {
                stream.write_all(b"0\r\n\r\n")?;
            }
        }
        "/down.sql" => {
            stream.write_all(b"HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n")?;
        }
        path => stream.write_all(moved(path, port).as_bytes())?,
    }
    stream.flush()?;
    stream.shutdown(Shutdown::Both)
}

/// The answer for a path where nothing is: perhaps it is elsewhere.
fn moved(path: &str, port: u16) -> String {
    let to = match path {
        "/moved.sql" => "/dump.sql".to_owned(),
        "/moved-to-name.sql" => format!("http://localhost:{port}/dump.sql"),
        "/moved-to-metadata.sql" => "http://169.254.169.254/latest/meta-data".to_owned(),
        "/moved-to-file.sql" => "file:///etc/passwd".to_owned(),
        "/circle.sql" => path.to_owned(),
        _ => return "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n".to_owned(),
    };
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
}

fn read_request(stream: &TcpStream, log: &Mutex<Vec<Asked>>) -> std::io::Result<Option<Asked>> {
    let mut lines = BufReader::new(stream).lines();
    let Some(first) = lines.next() else { return Ok(None) };
    let first = first?;
    let target = first.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut headers = HashMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut log = log.lock().unwrap();
    let number = 1 + log.iter().filter(|asked| asked.path == path).count();
    let asked = Asked { path: path.to_owned(), query: query.to_owned(), headers, number };
    log.push(asked.clone());
    Ok(Some(asked))
}

/// A file as a good server sends it, from where it is asked for, but so many bytes at most.
fn answer(stream: &mut TcpStream, asked: &Asked, body: &[u8], most: usize) -> std::io::Result<()> {
    let (tag, size) = ("\"v1\"", body.len());
    let is_same = asked.headers.get("if-range").is_none_or(|said| said == tag);
    let range = asked.headers.get("range").filter(|_| is_same);
    let from =
        range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let head = match from {
        Some(from) => {
            let last = size - 1;
            format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes {from}-{last}/{size}\r\n")
        }
        None => "HTTP/1.1 200 OK\r\n".to_owned(),
    };
    let rest = &body[from.unwrap_or(0)..];
    let length = rest.len();
    let head =
        format!("{head}ETag: {tag}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(&rest[..most.min(length)])
}

/// A dump of more than a few buffers, about 2 MB.
fn dump() -> Vec<u8> {
    let mut text = "CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(200));\n".to_owned();
    for first in (0..20_000).step_by(100) {
        let rows: Vec<String> =
            (first..first + 100).map(|id| format!("({id},'{}')", "x".repeat(80))).collect();
        text.push_str(&format!("INSERT INTO t VALUES {};\n", rows.join(",")));
    }
    text.push_str("CREATE TABLE done (id INT);\n");
    text.into_bytes()
}

fn inspect(url: &str) -> Output {
    dbferry().args(["inspect", "--json", url]).env("NO_PROXY", "*").output().unwrap()
}

/// What is said of a URL that cannot be read to its end, and that it holds no secrets.
#[track_caller]
fn check(files: &Files, path: &str, exit: i32, part: &str) {
    let output = inspect(&files.url(path));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{path}: {said}");
    assert!(said.contains(&files.shown(path)) && said.contains(part), "{path}: {said}");
    no_secrets(&format!("{said}{}", String::from_utf8_lossy(&output.stdout)));
}

#[track_caller]
fn no_secrets(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}

/// A service that may fetch from this machine by its address, and not by its name.
pub(crate) fn site(more: &str) -> Site {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("dbferry.toml");
    std::fs::write(&config, format!("[fetch]\nallow_hosts = [\"127.0.0.1\"]\n{more}")).unwrap();
    // Read when the service starts, and again by none of these tests unless it is kept.
    let path = folder.keep().join("dbferry.toml");
    Site::start(&["--config", path.to_str().unwrap(), "--lease-seconds", "2"])
}

fn create(site: &Site, url: &str) -> (u16, Value) {
    let body = json!({"instance": INSTANCE, "url": url, "user": "root", "database": "imp"});
    native::create(site, &site.key, &body)
}

#[track_caller]
fn made(site: &Site, url: &str) -> String {
    let (status, document) = create(site, url);
    assert_eq!(status, 201, "{document}");
    document["id"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_never_whole_is_never_taken_for_it() {
    let files = Files::start(dump());
    check(&files, "/short.sql", 1, "broke off at byte 800000");
    check(&files, "/changing.sql", 1, "another file");
    check(&files, "/endless.sql", 1, "neither a length nor an end");
    check(&files, "/cut-chunks.sql", 1, "broke off at byte");
    check(&files, "/circle.sql", 1, "more than 10 redirects");
    check(&files, "/moved-to-file.sql", 1, "a redirect that is not followed");
    check(&files, "/down.sql", 1, "status 503");
    check(&files, "/nothing.sql", 2, "status 404");
}

#[test]
fn a_file_at_a_url_is_the_file() {
    let files = Files::start(dump());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.sql");
    std::fs::write(&path, dump()).unwrap();
    let read = |output: &Output| -> Value {
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let mut wanted = read(&inspect(path.to_str().unwrap()));
    for at in ["/dump.sql", "/moved.sql", "/moved-to-name.sql", "/breaking.sql", "/chunked.sql"] {
        let found = read(&inspect(&files.url(at)));
        wanted["file"]["name"] = json!(files.shown(at));
        wanted["file"]["size"] =
            if at == "/chunked.sql" { Value::Null } else { json!(dump().len()) };
        assert_eq!(found, wanted, "{at}");
    }
    // The login goes with its host, and not to another one.
    let asked = files.requests("/dump.sql");
    let logins: Vec<bool> =
        asked.iter().map(|asked| asked.headers.contains_key("authorization")).collect();
    assert_eq!(logins, [true, true, false]);
    assert_eq!(asked[0].query, "sign=se-cret");
    // Each time it went on where it was.
    let ranges: Vec<String> = files
        .requests("/breaking.sql")
        .iter()
        .filter_map(|asked| asked.headers.get("range").cloned())
        .collect();
    let wanted: Vec<String> =
        (1..=dump().len() / BREAK).map(|n| format!("bytes={}-", n * BREAK)).collect();
    assert_eq!(ranges, wanted);
}

#[test]
fn an_import_from_a_url_leaves_what_the_stock_client_leaves() {
    let files = Files::start(dump());
    let server = Server::start_with(Flavor::MariaDb, &sameness::options()).unwrap();
    server.sql("CREATE DATABASE imp").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dump.sql");
    std::fs::write(&path, dump()).unwrap();
    assert_eq!(server.import_stock(Some("imp"), &path).unwrap().exit, 0);
    let wanted = state::canonical(&server).unwrap();
    state::wipe(&server).unwrap();
    let mut command = dbferry();
    command.args(["import", &files.url("/gated.sql"), "--json"]).env("NO_PROXY", "*");
    command.args(["--to", &server.url(Some("imp"))]);
    // The second request is held: the first one is this.
    drop(inspect(&files.url("/gated.sql")));
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = child.spawn().unwrap();
    wait_until(|| files.gate.is_waited_at());
    let title = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
    no_secrets(&String::from_utf8_lossy(&title));
    files.gate.open();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    no_secrets(&format!("{said}{}", String::from_utf8_lossy(&output.stdout)));
    assert!(said.contains(&files.shown("/gated.sql")), "{said}");
    let found = state::canonical(&server).unwrap();
    assert!(found == wanted, "{}", state::diff(&wanted, &found));
}

#[test]
fn a_job_fetches_its_file_and_shows_no_secrets() {
    let files = Files::start(dump());
    let site = site("");
    let id = made(&site, &files.url("/breaking.sql"));
    let ended = job_when(&site, &id, is_over);
    assert_eq!(ended["state"], json!("succeeded"), "{ended}");
    assert_eq!(ended["url"], json!(files.shown("/breaking.sql")));
    assert_eq!(ended["file"], Value::Null);
    assert_eq!(site.server.sql("SELECT COUNT(*) FROM imp.t").unwrap().trim_end(), "20000");
    no_secrets(&ended.to_string());
    no_secrets(&site.service.log());
    for name in ["store.db", "store.db-wal"] {
        let store = std::fs::read(site.data().join(name)).unwrap_or_default();
        no_secrets(&String::from_utf8_lossy(&store));
    }
}

#[test]
fn what_may_not_be_fetched_is_refused_before_there_is_a_job() {
    let files = Files::start(dump());
    let site = site("bytes_max = 1000000\nredirects_max = 2\n");
    let by_name = files.url("/dump.sql").replace("127.0.0.1", "localhost");
    let forbidden = "private, local or reserved";
    for (url, part) in [
        (by_name, forbidden),
        (files.url("/dump.sql").replace("127.0.0.1", "127.0.0.2"), forbidden),
        ("http://[::ffff:127.0.0.1]/a.sql?sign=se-cret".to_owned(), forbidden),
        ("http://169.254.169.254/latest/meta-data".to_owned(), forbidden),
        (files.url("/moved-to-name.sql"), forbidden),
        (files.url("/moved-to-metadata.sql"), forbidden),
        (files.url("/moved-to-file.sql"), "a redirect that is not followed"),
        (files.url("/circle.sql"), "more than 2 redirects"),
        (files.url("/dump.sql"), "larger than"),
        (files.url("/nothing.sql"), "status 404"),
        ("file:///etc/passwd".to_owned(), "only http and https"),
    ] {
        let (status, document) = create(&site, &url);
        assert_eq!(status, 422, "{url}: {document}");
        assert_eq!(document["type"], json!("urn:dbferry:problem:no-source"));
        assert!(document["detail"].as_str().unwrap().contains(part), "{url}: {document}");
        no_secrets(&document.to_string());
    }
    let both = json!({"instance": INSTANCE, "url": files.url("/dump.sql"), "file": "a.sql"});
    assert_eq!(native::create(&site, &site.key, &both).0, 400);
    assert_eq!(native::create(&site, &site.key, &json!({"instance": INSTANCE})).0, 400);
    let jobs = native::check(&site, &site.key, ("GET", "/api/v1/jobs", b""), 200);
    assert_eq!(jobs["total"], json!(0));
    no_secrets(&site.service.log());
    // Nobody was asked but by the allowed name.
    let hosts = files.log.lock().unwrap();
    let by_name = |asked: &Asked| asked.headers["host"].starts_with("127.0.0.1:");
    assert!(!hosts.is_empty() && hosts.iter().all(by_name), "{hosts:?}");
}

#[test]
fn a_job_that_fetches_is_taken_over() {
    check_taken_over("/gated.sql", |site, ended| {
        assert_eq!(ended["state"], json!("succeeded"), "{ended}");
        assert!(ended["result"]["resumed_from"].as_u64().is_some(), "{ended}");
        assert_eq!(site.server.sql("SELECT COUNT(*) FROM imp.t").unwrap().trim_end(), "20000");
    });
}

#[test]
fn a_job_whose_file_is_replaced_ends_and_says_so() {
    check_taken_over("/replaced.sql", |_, ended| {
        assert_eq!(ended["state"], json!("failed"), "{ended}");
        let message = ended["error"]["message"].as_str().unwrap();
        assert!(message.contains("another file now"), "{message}");
    });
}

/// Kills the service while a file comes, and starts it again.
fn check_taken_over(path: &str, check: impl Fn(&Site, &Value)) {
    let files = Files::start(dump());
    let mut site = site("");
    let id = made(&site, &files.url(path));
    wait_until(|| files.gate.is_waited_at());
    let some = "SELECT COUNT(*) FROM information_schema.TABLES WHERE table_schema = 'imp'";
    wait_until(|| site.server.sql(some).unwrap().trim_end() != "0");
    site.service.end(Signal::SIGKILL);
    files.gate.open();
    site.restart();
    let ended = job_when(&site, &id, is_over);
    assert!(ended["attempt"].as_u64() >= Some(2), "{ended}");
    check(&site, &ended);
    no_secrets(&ended.to_string());
    no_secrets(&site.service.log());
}

#[test]
fn the_command_line_makes_a_job_of_a_url() {
    let files = Files::start(dump());
    let site = site("");
    let mut command = dbferry();
    command.args(["job", "import", "--instance", INSTANCE, "--database", "imp", "--watch"]);
    command.args(["--url", &files.url("/dump.sql")]).env("NO_PROXY", "*");
    command.env("DBFERRY_SERVER", format!("http://{}", site.service.address));
    command.env("DBFERRY_KEY_ID", &site.key.id).env("DBFERRY_KEY_SECRET", &site.key.secret);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains(&files.shown("/dump.sql")), "{said}");
    no_secrets(&said);
    assert_eq!(site.server.sql("SELECT COUNT(*) FROM imp.t").unwrap().trim_end(), "20000");
    // The service was given all of it.
    let asked = files.requests("/dump.sql");
    let is_whole = |asked: &Asked| {
        asked.query == "sign=se-cret" && asked.headers.contains_key("authorization")
    };
    assert!(asked.len() == 2 && asked.iter().all(is_whole), "{asked:?}");
}
