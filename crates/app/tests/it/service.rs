//! `dbferry serve` as a child of a test, beside a real server and with a key, an instance and files.
//!
//! Promises: a started service listens; a dropped one is killed; what it said is shown when a test
//! fails. Everything goes through the program's own commands and its port.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sandbox::{Flavor, Server};
use tempfile::TempDir;

use crate::sameness::{self, dbferry};

/// The instance of every [`Site`].
pub(crate) const INSTANCE: &str = "cdb-c1nl9rpv";
/// Its region.
pub(crate) const REGION: &str = "ap-guangzhou";
/// Lines of a service's log that a failure shows.
const LOG_LINES: usize = 60;

/// An account's key.
pub(crate) struct Key {
    pub(crate) account: String,
    /// The account's number.
    pub(crate) uin: String,
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A running service.
pub(crate) struct Service {
    /// `127.0.0.1:PORT`
    pub(crate) address: String,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
}

/// A service with its data folder, a server, and what both need to work together.
pub(crate) struct Site {
    pub(crate) service: Service,
    pub(crate) server: Server,
    /// Of the account that owns the instance.
    pub(crate) key: Key,
    options: Vec<String>,
    environment: Vec<(String, String)>,
    home: Home,
}

/// Where a service keeps its things.
struct Home {
    folder: TempDir,
    /// The store, if it is not in the folder.
    store: Option<String>,
}

impl Home {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The arguments that lead a command there.
    fn arguments(&self) -> Vec<OsString> {
        let store = self.store.iter().flat_map(|url| [OsString::from("--store"), url.into()]);
        ["--data".into(), self.data().into_os_string()].into_iter().chain(store).collect()
    }
}

impl Key {
    /// As the native API's requests show it.
    pub(crate) fn login(&self) -> String {
        format!("Basic {}", base64(format!("{}:{}", self.id, self.secret).as_bytes()))
    }
}

impl Service {
    /// Starts the program and waits until it says where it listens.
    fn start(command: &mut Command) -> Service {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut said = Vec::new();
        let address = loop {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).unwrap();
            assert!(read > 0, "it ended with {:?}: {said:#?}", child.wait().unwrap());
            if let Some((_, url)) = line.trim_end().split_once("listening on http") {
                let (_, address) = url.split_once("://").unwrap();
                // A log of documents goes on after it.
                break address.split('"').next().unwrap().to_owned();
            }
            said.push(line.trim_end().to_owned());
        };
        let log = Arc::new(Mutex::new(said));
        let lines = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
            }
        });
        Service { address, child, log, reader: Some(reader) }
    }

    /// Everything it has said so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().join("\n")
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal, and does not wait.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.id().try_into().unwrap()), signal).unwrap();
    }

    /// Ends it by a signal, and waits for its end.
    pub(crate) fn end(&mut self, by: Signal) -> ExitStatus {
        if self.child.try_wait().unwrap().is_none() {
            self.signal(by);
        }
        let status = self.child.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        status
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(LOG_LINES)..];
            let _ =
                writeln!(std::io::stderr(), "the service's log ends with:\n{}", tail.join("\n"));
        }
    }
}

impl Site {
    /// A service with these options, an empty MariaDB with one database `imp`, and a key.
    pub(crate) fn start(options: &[&str]) -> Site {
        Site::start_in(options, &[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn start_in(options: &[&str], environment: &[(&str, &str)]) -> Site {
        Site::start_on(Flavor::MariaDb, options, environment)
    }

    /// The same with another kind of server.
    pub(crate) fn start_on(flavor: Flavor, options: &[&str], environment: &[(&str, &str)]) -> Site {
        let server = Server::start_with(flavor, &sameness::options()).unwrap();
        server.sql("CREATE DATABASE imp").unwrap();
        Site::start_at(server, None, options, environment)
    }

    /// The same with the store in a database of its own on its server: a service that stands still may
    /// hold the lock of a file.
    pub(crate) fn start_with_store(options: &[&str], environment: &[(&str, &str)]) -> Site {
        let server = Server::start_with(Flavor::MariaDb, &sameness::options()).unwrap();
        server.sql("CREATE DATABASE imp; CREATE DATABASE store").unwrap();
        let store = server.url(Some("store"));
        Site::start_at(server, Some(store), options, environment)
    }

    fn start_at(
        server: Server,
        store: Option<String>,
        options: &[&str],
        environment: &[(&str, &str)],
    ) -> Site {
        let home = Home { folder: tempfile::tempdir().unwrap(), store };
        let key = new_key(&home, "shop");
        add_instance(&home, INSTANCE, &key, &server);
        let options: Vec<String> = options.iter().map(|&option| option.to_owned()).collect();
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        let environment: Vec<(String, String)> = environment.iter().map(owned).collect();
        let mut command = serve(&home, "127.0.0.1:0", &options);
        let service = Service::start(command.envs(environment.clone()));
        Site { service, server, key, options, environment, home }
    }

    /// Starts the service again at the same address. It must have been ended before.
    pub(crate) fn restart(&mut self) {
        let address = self.service.address.clone();
        let mut command = serve(&self.home, &address, &self.options);
        self.service = Service::start(command.envs(self.environment.clone()));
    }

    /// Starts a second service on the same store, which is the site's from now on; gives the first.
    pub(crate) fn start_second(&mut self) -> Service {
        let second = Service::start(&mut serve(&self.home, "127.0.0.1:0", &self.options));
        std::mem::replace(&mut self.service, second)
    }

    /// The service's data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.home.data()
    }

    /// A folder that goes with the site.
    pub(crate) fn scratch(&self, name: &str) -> PathBuf {
        let path = self.home.folder.path().join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    /// A key of another account, which is made if it is new.
    pub(crate) fn new_key(&self, account: &str) -> Key {
        new_key(&self.home, account)
    }

    /// Switches a key off.
    pub(crate) fn disable(&self, key: &Key) {
        run(dbferry().args(["key", "disable", &key.id, "--account", &key.account]), &self.home);
    }

    /// Registers the server once more, for another account.
    pub(crate) fn add_instance(&self, id: &str, key: &Key) {
        add_instance(&self.home, id, key, &self.server);
    }

    /// Registers any server, with further arguments.
    pub(crate) fn register(&self, id: &str, key: &Key, url: &str, arguments: &[&str]) {
        let own = ["--url", url, "--account", &key.account, "--region", REGION];
        let mut command = dbferry();
        // What is given last would be refused as given twice.
        let own = if arguments.contains(&"--region") { &own[..4] } else { &own[..] };
        run(command.args(["instance", "add", id]).args(own).args(arguments), &self.home);
    }

    /// Has the service look at an instance.
    pub(crate) fn look_at(&self, id: &str, key: &Key) {
        let arguments = ["instance", "check", id, "--account", &key.account];
        run(dbferry().args(arguments), &self.home);
    }

    /// What the next [`Site::restart`] leaves out of the environment: all that it began with.
    pub(crate) fn forget_environment(&mut self) {
        self.environment.clear();
    }

    /// What the next [`Site::restart`] puts into the environment besides.
    pub(crate) fn set_environment(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Waits until the service has ended by itself.
    pub(crate) fn wait_end(&mut self) {
        self.service.child.wait().unwrap();
    }

    /// Registers whatever listens at an address.
    pub(crate) fn add_instance_at(&self, id: &str, key: &Key, address: &str) {
        let url = format!("mysql://root@{address}");
        let arguments = ["instance", "add", id, "--url", &url, "--account", &key.account];
        self.dbferry(&arguments);
    }

    /// Runs a command of the program on the site's own folder, which has to succeed; what it printed.
    pub(crate) fn dbferry(&self, arguments: &[&str]) -> String {
        run(dbferry().args(arguments), &self.home)
    }

    /// Sends a file to the upload area of a key's account.
    pub(crate) fn upload(&self, key: &Key, name: &str, body: &[u8]) {
        let answer = self.request("PUT", &format!("/api/v1/uploads/{name}"), key, body);
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    }

    /// Sends a request to the native API; the whole answer as it comes.
    pub(crate) fn request(&self, method: &str, path: &str, key: &Key, body: &[u8]) -> String {
        self.request_with(method, path, key, "", body)
    }

    /// The same with further header lines.
    pub(crate) fn request_with(
        &self,
        method: &str,
        path: &str,
        key: &Key,
        headers: &str,
        body: &[u8],
    ) -> String {
        let head = self.request_head(method, path, key, body.len());
        let head =
            head.replace("Connection: close\r\n", &format!("{headers}Connection: close\r\n"));
        let answer = self.raw(&[head.as_bytes(), body].concat());
        String::from_utf8(answer).unwrap()
    }

    /// The head of such a request, which promises so many bytes.
    pub(crate) fn request_head(
        &self,
        method: &str,
        path: &str,
        key: &Key,
        length: usize,
    ) -> String {
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n",
            self.service.address,
            key.login(),
        )
    }

    /// Sends bytes; what comes until the service closes the connection.
    pub(crate) fn raw(&self, request: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(&self.service.address).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }
}

fn serve(home: &Home, listen: &str, options: &[String]) -> Command {
    let mut command = dbferry();
    command.args(["serve", "--listen", listen]).args(home.arguments()).args(options);
    command
}

fn new_key(home: &Home, account: &str) -> Key {
    let text = run(dbferry().args(["key", "create", "--account", account, "--json"]), home);
    let made: serde_json::Value = serde_json::from_str(&text).unwrap();
    let field = |name: &str| made[name].as_str().unwrap_or_else(|| panic!("{made}")).to_owned();
    assert_eq!(field("account"), account);
    Key {
        account: account.to_owned(),
        uin: field("uin"),
        id: field("key_id"),
        secret: field("key_secret"),
    }
}

fn add_instance(home: &Home, id: &str, key: &Key, server: &Server) {
    let url = server.url(None);
    let arguments = ["--url", &url, "--account", &key.account, "--region", REGION];
    run(dbferry().args(["instance", "add", id]).args(arguments), home);
}

/// Runs a command that has to succeed; what it printed.
fn run(command: &mut Command, home: &Home) -> String {
    let output = command.args(home.arguments()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// As HTTP's Basic logins are written (RFC 4648).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for at in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * at) & 63) as usize];
            text.push(if at > three.len() { '=' } else { char::from(letter) });
        }
    }
    text
}

#[test]
fn logins_are_written_as_the_standard_has_them() {
    for (plain, coded) in
        [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
    {
        assert_eq!(base64(plain.as_bytes()), coded);
    }
}

#[test]
fn a_service_that_is_told_to_stop_ends_well() {
    let mut site = Site::start(&[]);
    assert_eq!(site.service.end(Signal::SIGTERM).code(), Some(0), "{}", site.service.log());
}
