//! One connection to a MySQL or MariaDB server. The only file that names the driver.
//!
//! Promises: the session starts as the stock client's does; statements are bytes and are sent as
//! they are; a statement the server would hang up on is refused before it is sent; once
//! [`Conn::is_broken`], always broken, which is also what a dropped future leaves behind; no file
//! of this machine is ever read because a server asks for it.
//!
//! Deliberately not here: pools, retries, read time-outs (an `ALTER TABLE` may take hours).
//! The driver announces multi-statements, as the stock client does, and cannot be told not to: a
//! text of several statements is executed up to the first that fails.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_core::Stream;
use mysql_async::consts::StatusFlags;
use mysql_async::prelude::{GlobalHandler, Queryable};
use mysql_async::{
    ClientIdentity, DriverError, InfileData, LocalInfileError, OptsBuilder, QueryResult, Row,
    SslOpts, TextProtocol, Value,
};

use super::tls as mysql_tls;
use crate::endpoint::{Endpoint, Family, Secret, TlsMode};
use crate::error::{Error, ErrorKind, Phase, Result, ServerError, Side, State};
use crate::tls;

/// How long closing may take before the connection is simply dropped.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// When the system starts to probe a silent TCP connection.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// The protocol's own limit; the server's is checked by [`Conn::query`].
const PACKET_BYTES_MAX: usize = 1 << 30;
/// The pieces in which [`Conn::load`] sends data. The driver copies and flushes each.
const LOAD_CHUNK_BYTES: usize = 512 << 10;

/// One connection.
#[derive(Debug)]
pub struct Conn {
    inner: mysql_async::Conn,
    endpoint: Arc<Endpoint>,
    session: Session,
    status: Status,
    answers: usize,
    is_broken: bool,
    infile: Arc<Infile>,
}

/// What a statement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effect {
    /// Rows affected, over all results of the statement that give no rows back.
    pub affected_rows: u64,
    /// Warnings that `SHOW WARNINGS` would list now.
    pub warnings: u16,
    /// The session afterwards.
    pub status: Status,
    /// Rows the statement gave back; they are dropped as they arrive.
    pub rows_returned: u64,
}

/// What the server says of a LOAD DATA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loaded {
    /// Rows read.
    pub records: u64,
    /// Rows replaced.
    pub deleted: u64,
    /// Rows left out.
    pub skipped: u64,
    /// Warnings and notes.
    pub warnings: u64,
}

/// The session's state, as the server reports it after each statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// A transaction is open.
    pub in_transaction: bool,
    /// `@@autocommit`.
    pub autocommit: bool,
    /// `NO_BACKSLASH_ESCAPES` is in `@@sql_mode`.
    pub no_backslash_escapes: bool,
    /// `ANSI_QUOTES` is in `@@sql_mode`. MySQL does not report it: `None`, ask for `@@sql_mode`.
    pub ansi_quotes: Option<bool>,
}

/// The rows of a query as they come. Dropped before its end, it leaves a broken connection.
#[derive(Debug)]
pub struct Selection<'a> {
    result: QueryResult<'a, 'static, TextProtocol>,
    endpoint: &'a Endpoint,
    is_broken: &'a mut bool,
}

/// One row's cells.
#[derive(Debug)]
pub struct Cells(Row);

/// Stops what a connection does, from outside. Stays valid when the connection is gone.
#[derive(Debug, Clone)]
pub struct KillHandle {
    endpoint: Arc<Endpoint>,
    id: u64,
    server_identity: String,
}

/// What is asked once, right after login.
#[derive(Debug, Clone)]
struct Session {
    id: u64,
    max_allowed_packet: u64,
    version_text: String,
    /// Tells servers behind one address apart.
    server_identity: String,
}

impl Conn {
    /// Connects and logs in. `purpose` shows in the server's list of connection attributes, but
    /// not on MySQL over TLS: the driver announces attributes too late for it.
    ///
    /// What is sent besides the login: `SET NAMES`, the endpoint's own statements, and one `SELECT`
    /// of variables.
    pub async fn open(endpoint: &Endpoint, purpose: &str) -> Result<Self> {
        endpoint.check()?;
        if endpoint.family != Family::MySql {
            let text = "this needs a MySQL or MariaDB server: a URL that starts with mysql://";
            return Err(Error::new(ErrorKind::Usage, Side::Internal, text));
        }
        tls::install_provider();
        let opened = tokio::time::timeout(endpoint.connect_timeout, open(endpoint, purpose)).await;
        opened.unwrap_or_else(|_elapsed| {
            let seconds = endpoint.connect_timeout.as_secs_f64();
            let text = format!("reach {}: no session within {seconds} s", endpoint.address());
            Err(Error::new(ErrorKind::Unreachable, Side::Target, text))
        })
    }

    /// Runs one statement and drops the rows it gives back.
    ///
    /// After an error the transaction may be gone (deadlock) or not; the server does not say.
    pub async fn query(&mut self, text: &[u8]) -> Result<Effect> {
        self.answers = 0;
        self.check_size(text.len())?;
        let mut effect =
            Effect { affected_rows: 0, warnings: 0, status: self.status, rows_returned: 0 };
        self.begin()?;
        let outcome = drain(&mut self.inner, text, &mut effect, &mut self.answers).await;
        self.end(outcome)?;
        effect.warnings = self.inner.get_warnings();
        effect.status = self.status;
        Ok(effect)
    }

    /// Runs one `LOAD DATA LOCAL INFILE` whose file is `data`. For use inside a transaction: the
    /// server keeps the rows it got when the connection is cut, and what it left out or changed
    /// is only counted.
    pub async fn load(&mut self, statement: &[u8], data: impl Into<Bytes>) -> Result<Loaded> {
        self.infile.offer(Some(data.into()));
        let outcome = self.query(statement).await;
        self.infile.offer(None);
        outcome?;
        loaded(&self.inner.info()).ok_or_else(|| {
            let text = "load data: the server did not say what became of it";
            Error::new(ErrorKind::Internal, Side::Target, text)
        })
    }

    /// Gives all rows of a small catalogue query as text. For sessions in utf8mb4.
    pub async fn rows(&mut self, sql: &str) -> Result<Vec<Vec<Option<String>>>> {
        self.check_size(sql.len())?;
        self.begin()?;
        let outcome = self.inner.query::<Row, _>(sql).await;
        let rows = self.end(outcome)?;
        Ok(rows.into_iter().map(|row| row.unwrap().into_iter().map(text_of).collect()).collect())
    }

    /// Gives the rows of a `SHOW` whose columns differ by version: by their names in lower case.
    pub async fn named_rows(&mut self, sql: &str) -> Result<Vec<BTreeMap<String, Option<String>>>> {
        self.check_size(sql.len())?;
        self.begin()?;
        let outcome = self.inner.query::<Row, _>(sql).await;
        let rows = self.end(outcome)?;
        let named = |row: Row| {
            let columns = row.columns();
            let names = columns.iter().map(|column| column.name_str().to_ascii_lowercase());
            names.zip(row.unwrap().into_iter().map(text_of)).collect()
        };
        Ok(rows.into_iter().map(named).collect())
    }

    /// Runs a query and gives its rows one at a time, as the bytes that the server sends.
    pub async fn select(&mut self, sql: &[u8]) -> Result<Selection<'_>> {
        self.check_size(sql.len())?;
        self.begin()?;
        let Conn { inner, endpoint, is_broken, .. } = self;
        match inner.query_iter(sql.to_vec()).await {
            Ok(result) => Ok(Selection { result, endpoint, is_broken }),
            Err(error) => {
                let error = statement_error(endpoint, error);
                *is_broken = error.kind == ErrorKind::LostConnection;
                Err(error)
            }
        }
    }

    /// Gives the first column of the first row, if there is one and it is not NULL.
    pub async fn scalar(&mut self, sql: &str) -> Result<Option<String>> {
        let first = self.rows(sql).await?.into_iter().next();
        Ok(first.and_then(|row| row.into_iter().next()).flatten())
    }

    /// `CONNECTION_ID()`.
    pub fn id(&self) -> u64 {
        self.session.id
    }

    /// Nothing more can be done with this connection.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// The session's `@@max_allowed_packet` in bytes.
    pub fn max_allowed_packet(&self) -> u64 {
        self.session.max_allowed_packet
    }

    /// The longest statement [`Conn::query`] takes, in bytes.
    pub fn statement_bytes_max(&self) -> u64 {
        // The command's own byte counts, and the server wants less than the limit, not the limit.
        self.session.max_allowed_packet.saturating_sub(2)
    }

    /// `VERSION()`.
    pub fn version_text(&self) -> &str {
        &self.session.version_text
    }

    /// How many of the statements that the last [`Conn::query`] sent at once the server has answered
    /// without an error. Of one that gives rows, the beginning of its answer counts.
    pub fn answers(&self) -> usize {
        self.answers
    }

    /// The session as of the last statement that succeeded.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Tells servers apart that one address may lead to, and one server under several addresses.
    pub fn server_identity(&self) -> &str {
        &self.session.server_identity
    }

    /// The endpoint this connection was opened to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Something that can stop this connection's work while it is busy.
    pub fn kill_handle(&self) -> KillHandle {
        KillHandle {
            endpoint: Arc::clone(&self.endpoint),
            id: self.session.id,
            server_identity: self.session.server_identity.clone(),
        }
    }

    /// Says goodbye, so that the server does not count an aborted connection.
    pub async fn close(self) {
        if !self.is_broken {
            // Whoever closes has no more use for the connection, nor for why it could not be told.
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.inner.disconnect()).await;
        }
    }

    /// Refuses what the server would answer by hanging up.
    fn check_size(&self, bytes: usize) -> Result<()> {
        let bytes_max = self.statement_bytes_max();
        if bytes as u64 <= bytes_max {
            return Ok(());
        }
        let limit = self.session.max_allowed_packet;
        let text = format!(
            "statement of {bytes} bytes is too large for max_allowed_packet={limit} at {}",
            self.endpoint.address()
        );
        Err(Error::new(ErrorKind::TooLarge, Side::Target, text))
    }

    /// Until [`Conn::end`] the connection counts as broken: a dropped future leaves it so.
    fn begin(&mut self) -> Result<()> {
        if self.is_broken {
            let text = format!("connection to {} is gone", self.endpoint.address());
            return Err(Error::new(ErrorKind::LostConnection, Side::Target, text));
        }
        self.infile.refused.store(false, Ordering::Relaxed);
        self.is_broken = true;
        Ok(())
    }

    fn end<T>(&mut self, outcome: mysql_async::Result<T>) -> Result<T> {
        let outcome = outcome.map_err(|error| statement_error(&self.endpoint, error));
        let is_lost = matches!(&outcome, Err(error) if error.kind == ErrorKind::LostConnection);
        self.is_broken = is_lost || self.inner.is_disconnected();
        let value = outcome?;
        if let Some(ok) = self.inner.last_ok_packet() {
            self.status = status_of(ok.status_flags(), &self.session);
        }
        if self.infile.refused.load(Ordering::Relaxed) {
            let text = "statement reads a file of this machine (LOCAL INFILE); no data was sent";
            return Err(Error::new(ErrorKind::Refused, Side::Input, text));
        }
        Ok(value)
    }
}

impl Selection<'_> {
    /// The next row; `None` once the server has said that there are no more.
    pub async fn next(&mut self) -> Result<Option<Cells>> {
        match self.result.next().await {
            Ok(Some(row)) => Ok(Some(Cells(row))),
            Ok(None) => {
                *self.is_broken = false;
                Ok(None)
            }
            Err(error) => {
                let error = statement_error(self.endpoint, error);
                *self.is_broken = error.kind == ErrorKind::LostConnection;
                Err(error)
            }
        }
    }
}

impl Cells {
    /// The cells in order; `None` is NULL.
    pub fn iter(&self) -> impl Iterator<Item = Option<&[u8]>> {
        (0..self.0.len()).map(|index| match self.0.as_ref(index) {
            Some(Value::Bytes(bytes)) => Some(bytes.as_slice()),
            // The text protocol gives nothing else.
            _ => None,
        })
    }

    /// One cell; `None` is NULL, or no such cell.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.iter().nth(index).flatten()
    }
}

impl KillHandle {
    /// Stops the statement that runs now; the connection stays. A connection that is gone or idle
    /// is no error.
    pub async fn kill_query(&self) -> Result<()> {
        self.kill("KILL QUERY").await
    }

    /// Ends the connection. One that is gone is no error.
    pub async fn kill_connection(&self) -> Result<()> {
        self.kill("KILL CONNECTION").await
    }

    /// The server that the connection was opened to.
    pub fn server_identity(&self) -> &str {
        &self.server_identity
    }

    /// The connection it stops.
    pub fn id(&self) -> u64 {
        self.id
    }

    async fn kill(&self, command: &str) -> Result<()> {
        const NO_SUCH_THREAD: u32 = 1094;
        let mut endpoint = Endpoint::clone(&self.endpoint);
        // It may be gone by now, and is not needed.
        endpoint.database = None;
        let mut conn = Conn::open(&endpoint, "kill").await?;
        if conn.session.server_identity != self.server_identity {
            let text = format!(
                "{command}: {} now leads to another server, where id {} is a stranger's",
                endpoint.address(),
                self.id
            );
            return Err(Error::new(ErrorKind::Unreachable, Side::Target, text));
        }
        let outcome = conn.query(format!("{command} {}", self.id).as_bytes()).await;
        conn.close().await;
        match outcome {
            Err(error) if error.code() == Some(NO_SUCH_THREAD) => Ok(()),
            outcome => outcome.map(|_effect| ()),
        }
    }
}

async fn open(endpoint: &Endpoint, purpose: &str) -> Result<Conn> {
    let infile = Arc::new(Infile::default());
    let options = options(endpoint, purpose, Arc::clone(&infile));
    let mut inner = log_in(endpoint, options).await?;
    let session = start_session(endpoint, &mut inner).await?;
    let flags = inner.last_ok_packet().map_or(StatusFlags::empty(), |ok| ok.status_flags());
    let status = status_of(flags, &session);
    let endpoint = Arc::new(endpoint.clone());
    Ok(Conn { inner, endpoint, session, status, answers: 0, is_broken: false, infile })
}

/// Everything but TLS.
fn options(endpoint: &Endpoint, purpose: &str, infile: Arc<Infile>) -> OptsBuilder {
    let attributes = [
        ("program_name", "dbferry".to_owned()),
        ("program_version", env!("CARGO_PKG_VERSION").to_owned()),
        ("purpose", purpose.to_owned()),
        ("_pid", std::process::id().to_string()),
    ];
    let attributes = attributes.into_iter().map(|(name, value)| (name.to_owned(), value));
    let socket = endpoint.socket.as_ref().map(|path| path.to_string_lossy().into_owned());
    let is_verified = matches!(endpoint.tls.mode, TlsMode::VerifyCa | TlsMode::VerifyFull);
    OptsBuilder::default()
        .ip_or_hostname(&endpoint.host)
        .tcp_port(endpoint.port)
        .socket(socket)
        // Else the driver moves to whatever listens at the server's socket path on this machine.
        .prefer_socket(false)
        .user(Some(&endpoint.user))
        .pass(endpoint.password.as_ref().map(Secret::reveal))
        .db_name(endpoint.database.as_ref())
        .tcp_nodelay(true)
        .tcp_keepalive(Some(KEEPALIVE_AFTER))
        // Given, so that the driver does not ask; the server's limit is kept by `check_size`.
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .wait_timeout(Some(0))
        .stmt_cache_size(0)
        .enable_cleartext_plugin(is_verified)
        .local_infile_handler(Some(InfileHandler { infile }))
        .connect_attributes(attributes.collect::<HashMap<_, _>>())
}

/// Logs in, encrypted as the endpoint demands.
async fn log_in(endpoint: &Endpoint, options: OptsBuilder) -> Result<mysql_async::Conn> {
    let connect = |ssl| mysql_async::Conn::new(options.clone().ssl_opts(ssl));
    let failed = |error| Err(connect_error(endpoint, error));
    let mode = endpoint.tls.mode;
    if mode == TlsMode::Disable || endpoint.socket.is_some() {
        return connect(None::<SslOpts>).await.or_else(failed);
    }
    let ssl = ssl_options(endpoint)?;
    let error = match connect(Some(ssl.clone())).await {
        Ok(conn) => return Ok(conn),
        Err(error) => error,
    };
    if mode == TlsMode::Prefer && has_no_tls(&error) {
        check_plain(endpoint).await?;
        return connect(None).await.or_else(failed);
    }
    if mode == TlsMode::VerifyCa && tls::find_error(&error).is_some_and(tls::is_name_error) {
        // Asked for only now: a server that looks at the name in the handshake got the right one.
        let ssl = ssl
            .with_danger_skip_domain_validation(true)
            .with_danger_tls_hostname_override(Some(mysql_tls::NAME_UNCHECKED));
        return connect(Some(ssl)).await.or_else(failed);
    }
    failed(error)
}

fn ssl_options(endpoint: &Endpoint) -> Result<SslOpts> {
    let tls = &endpoint.tls;
    let is_unchecked = matches!(tls.mode, TlsMode::Prefer | TlsMode::Require);
    let mut options = SslOpts::default().with_danger_accept_invalid_certs(is_unchecked);
    if let Some(ca) = &tls.ca {
        let certificates = vec![read_pem(ca, "ca")?.into()];
        options = options.with_root_certs(certificates).with_disable_built_in_roots(true);
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        let (cert, key) = (read_pem(cert, "cert")?, read_pem(key, "key")?);
        let identity = ClientIdentity::new(cert.into(), key.into());
        options = options.with_client_identity(Some(identity));
    }
    Ok(options)
}

/// Read here, so that a missing file is not taken for a missing server.
fn read_pem(path: &Path, option: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|error| {
        let text = format!("read {option}={}: {error}", path.display());
        Error::new(ErrorKind::Usage, Side::Internal, text).with_source(error)
    })
}

fn has_no_tls(error: &mysql_async::Error) -> bool {
    matches!(error, mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer))
}

/// Before `tls=prefer` goes on in clear: the driver has no switch that forbids sending a password
/// under an RSA key that came in clear, so such servers are not tried. This machine is trusted.
async fn check_plain(endpoint: &Endpoint) -> Result<()> {
    let has_password = endpoint.password.as_ref().is_some_and(|secret| !secret.reveal().is_empty());
    let is_local = endpoint.host == "localhost"
        || endpoint.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if !has_password || is_local {
        return Ok(());
    }
    let greeting = mysql_tls::read_greeting(&endpoint.host, endpoint.port)
        .await
        .map_err(|error| unreachable_error(endpoint, error))?;
    if mysql_tls::is_safe_in_clear(&greeting) {
        return Ok(());
    }
    let text = format!(
        "{} offers no TLS, and its {} would send the password under a key that anyone on the way \
         could have chosen; say tls=disable to accept that",
        endpoint.address(),
        greeting.auth_plugin
    );
    Err(Error::new(ErrorKind::Tls, Side::Target, text))
}

async fn start_session(endpoint: &Endpoint, conn: &mut mysql_async::Conn) -> Result<Session> {
    const FACTS: &str = "SELECT CONNECTION_ID(), @@max_allowed_packet, VERSION(), \
         CONCAT_WS('|', @@hostname, @@port, @@server_id, @@datadir)";
    let failed = |error| connect_error(endpoint, error);
    // Also makes the collation the server's default one, as with a client that names it at login.
    conn.query_drop(format!("SET NAMES {}", endpoint.default_charset)).await.map_err(failed)?;
    for statement in &endpoint.session {
        conn.query_drop(statement).await.map_err(failed)?;
    }
    let row = conn.query_first::<Row, _>(FACTS).await.map_err(failed)?;
    let row = row.map(Row::unwrap).unwrap_or_default();
    let mut cells = row.into_iter().map(|value| text_of(value).unwrap_or_default());
    let mut next = || cells.next().unwrap_or_default();
    let (id, max_allowed_packet) = (next().parse(), next().parse());
    let (Ok(id), Ok(max_allowed_packet)) = (id, max_allowed_packet) else {
        let text = format!("{} did not say its connection id and limits", endpoint.address());
        return Err(Error::new(ErrorKind::Unreachable, Side::Target, text));
    };
    Ok(Session { id, max_allowed_packet, version_text: next(), server_identity: next() })
}

async fn drain(
    conn: &mut mysql_async::Conn,
    text: &[u8],
    effect: &mut Effect,
    answers: &mut usize,
) -> mysql_async::Result<()> {
    let mut result = conn.query_iter(text).await?;
    while let Some(columns) = result.columns() {
        *answers += 1;
        if columns.is_empty() {
            effect.affected_rows += result.affected_rows();
        }
        if result.is_empty() {
            break;
        }
        result.for_each(|_row| effect.rows_returned += 1).await?;
    }
    // Only this brings up the error of a result that is not the first.
    result.drop_result().await
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::NULL => None,
        Value::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        // The text protocol gives bytes only.
        other => Some(other.as_sql(true)),
    }
}

fn status_of(flags: StatusFlags, session: &Session) -> Status {
    let is_mariadb = session.version_text.contains("MariaDB");
    Status {
        in_transaction: flags.contains(StatusFlags::SERVER_STATUS_IN_TRANS),
        autocommit: flags.contains(StatusFlags::SERVER_STATUS_AUTOCOMMIT),
        no_backslash_escapes: flags.contains(StatusFlags::SERVER_STATUS_NO_BACKSLASH_ESCAPES),
        ansi_quotes: is_mariadb.then(|| flags.contains(StatusFlags::SERVER_STATUS_ANSI_QUOTES)),
    }
}

/// What went wrong before there was a session.
fn connect_error(endpoint: &Endpoint, error: mysql_async::Error) -> Error {
    let place = endpoint.redacted();
    let denied = |text: String| Error::new(ErrorKind::AccessDenied, Side::Target, text);
    if let Some(cause) = tls::find_error(&error) {
        let text = format!("encrypt the connection to {place}: {}", tls::explain(cause));
        return Error::new(ErrorKind::Tls, Side::Target, text);
    }
    match error {
        mysql_async::Error::Server(server) => {
            let text = format!("log in to {place}");
            Error::from_server(Phase::Connect, Side::Target, server_error(server), text)
        }
        mysql_async::Error::Driver(DriverError::NoClientSslFlagFromServer) => {
            let text = format!("encrypt the connection to {place}: the server offers no TLS");
            Error::new(ErrorKind::Tls, Side::Target, text)
        }
        mysql_async::Error::Driver(DriverError::UnknownAuthPlugin { name }) => denied(format!(
            "log in to {place}: the server asks for {name}, which dbferry lacks (it has \
             mysql_native_password, caching_sha2_password, client_ed25519, parsec)"
        )),
        mysql_async::Error::Driver(DriverError::MysqlOldPasswordDisabled) => denied(format!(
            "log in to {place}: the account has a password of before MySQL 4.1; set it anew"
        )),
        mysql_async::Error::Driver(DriverError::CleartextPluginDisabled) => denied(format!(
            "log in to {place}: the server wants the password in clear, which dbferry sends only \
             with tls=verify-ca or tls=verify-full"
        )),
        other => unreachable_error(endpoint, other),
    }
}

fn unreachable_error<E>(endpoint: &Endpoint, error: E) -> Error
where
    E: std::error::Error + Send + Sync + 'static,
{
    let text = format!("reach {}: {}", endpoint.address(), innermost(&error));
    Error::new(ErrorKind::Unreachable, Side::Target, text).with_source(error)
}

/// What went wrong with a statement.
fn statement_error(endpoint: &Endpoint, error: mysql_async::Error) -> Error {
    match error {
        mysql_async::Error::Server(server) => {
            let server = server_error(server);
            Error::from_server(Phase::Statement, Side::Target, server, "run statement")
        }
        // Whatever else the driver says, it has given up the connection.
        other => {
            let address = endpoint.address();
            let text = format!("lost the connection to {address}: {}", innermost(&other));
            Error::new(ErrorKind::LostConnection, Side::Target, text).with_source(other)
        }
    }
}

fn server_error(error: mysql_async::ServerError) -> ServerError {
    let state = State::Sql(error.state);
    ServerError { code: u32::from(error.code), state, message: error.message }
}

/// The driver wraps each error in words about itself; the one inside says what happened.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}

type InfileFuture =
    Pin<Box<dyn Future<Output = std::result::Result<InfileData, LocalInfileError>> + Send>>;

/// What a request for a local file is answered with.
#[derive(Debug, Default)]
struct Infile {
    /// The data of the [`Conn::load`] that runs, until it is asked for.
    offered: Mutex<Option<Bytes>>,
    /// The server asked for more than that since the last statement began.
    refused: AtomicBool,
}

impl Infile {
    fn offer(&self, data: Option<Bytes>) {
        *self.offered.lock().unwrap_or_else(PoisonError::into_inner) = data;
    }
}

/// Answers a request for a local file with the data that [`Conn::load`] offers, whatever its name;
/// any other with nothing, and remembers that there was one.
///
/// The protocol has no way to say no: closing the connection would be the only other answer.
struct InfileHandler {
    infile: Arc<Infile>,
}

impl GlobalHandler for InfileHandler {
    fn handle(&self, _file_name: &[u8]) -> InfileFuture {
        let offered = self.infile.offered.lock().unwrap_or_else(PoisonError::into_inner).take();
        if offered.is_none() {
            self.infile.refused.store(true, Ordering::Relaxed);
        }
        let rest = offered.unwrap_or_default();
        Box::pin(async move { Ok(Box::pin(Chunks { rest }) as InfileData) })
    }
}

/// Data in memory, in pieces. It cannot fail.
struct Chunks {
    rest: Bytes,
}

impl Stream for Chunks {
    type Item = std::io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let length = self.rest.len().min(LOAD_CHUNK_BYTES);
        let chunk = self.rest.split_to(length);
        Poll::Ready((!chunk.is_empty()).then_some(Ok(chunk)))
    }
}

/// `Records: 3  Deleted: 0  Skipped: 1  Warnings: 2`, in the words of any language.
fn loaded(info: &str) -> Option<Loaded> {
    let numbers = info.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let numbers: Vec<u64> = numbers.map(str::parse).collect::<std::result::Result<_, _>>().ok()?;
    let [records, deleted, skipped, warnings] = numbers[..] else { return None };
    Some(Loaded { records, deleted, skipped, warnings })
}
