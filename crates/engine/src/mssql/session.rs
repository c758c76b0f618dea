//! One session: connecting, logging in, statements and what they give back.
//!
//! Promises: a session that is not [`Session::is_idle`] has something on its way and takes no statement;
//! that is also what a dropped future leaves behind, and [`Session::attention`] ends it where the
//! request was sent. Rows are handed on in the form of a bulk load, see [`super::row`].
//!
//! Deliberately not here: pools, retries, read time-outs (an index may take hours).

use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;

use super::bytes::{self, Reader};
use super::login::{self, Acknowledgement, Encryption, Login};
use super::metadata::{Code, Column};
use super::packet::{ATTENTION, BATCH, BULK, Channel, LOGIN, PACKET_BYTES, PRELOGIN, protocol};
use super::refusal;
use super::row::{COMPACT_ROW, Malformed, ROW, Shape, Walker};
use super::token::{self, Change, Fault, Token};
use super::value::{Row, Value};
use super::wire::{self, Wire};
use crate::endpoint::{Endpoint, Family, TlsMode};
use crate::error::{Error, ErrorKind, Phase, Result, ServerError, Side};

/// How often a server may send us on to another.
pub const REDIRECTS_MAX: usize = 1;
/// The most bytes of an answer to [`Session::query`].
pub const QUERY_BYTES_MAX: usize = 256 << 20;
/// How long a server may take to end what it does.
pub const ATTENTION_MAX: Duration = Duration::from_secs(10);
/// The most bytes that a server may say before the login.
const PRELOGIN_BYTES_MAX: usize = 4096;
/// When the system starts to probe a silent connection.
const KEEPALIVE_AFTER: Duration = Duration::from_secs(60);
/// Bytes of rows that are skipped at once.
const SKIP_BYTES: usize = 64 << 10;

/// One session.
#[derive(Debug)]
pub struct Session {
    pub(super) channel: Channel,
    pub(super) state: State,
    transaction: Option<u64>,
    server: Acknowledgement,
    answer: Answer,
}

/// What goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing.
    Idle,
    /// A request is on its way.
    Sending,
    /// Its answer is.
    Reading,
    /// Nothing any more.
    Broken,
}

/// What an answer says, as far as it is read.
#[derive(Debug, Default)]
struct Answer {
    refusal: Option<ServerError>,
    rows: u64,
    is_attention: bool,
    routing: Option<(String, u16)>,
    login: Option<Acknowledgement>,
    walker: Option<Walker>,
}

/// What comes next in an answer.
enum Event {
    Token(Token),
    /// A row.
    Row,
    /// Nothing.
    End,
}

enum Opened {
    Ready(Box<Session>),
    Elsewhere(String, u16),
}

/// The rows of a statement as they come.
#[derive(Debug)]
pub struct Selection<'a> {
    session: &'a mut Session,
    columns: Vec<Column>,
    is_over: bool,
}

/// What [`Selection::fill`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filled {
    /// Rows that ended.
    pub rows: u64,
    /// The last bytes are the end of a row.
    pub at_row_end: bool,
    /// There are no more rows, and the server says that all is well.
    pub is_over: bool,
}

impl Session {
    /// Connects and logs in; `purpose` shows in the server's list of sessions.
    ///
    /// Errors are of the side `Target` unless told otherwise.
    pub async fn connect(endpoint: &Endpoint, purpose: &str) -> Result<Self> {
        endpoint.check()?;
        if endpoint.family != Family::SqlServer {
            let text = "this needs a SQL Server: a URL that starts with mssql://";
            return Err(Error::new(ErrorKind::Usage, Side::Internal, text));
        }
        check_texts(endpoint)?;
        let opened =
            tokio::time::timeout(endpoint.connect_timeout, connect(endpoint, purpose)).await;
        opened.unwrap_or_else(|_elapsed| {
            let seconds = endpoint.connect_timeout.as_secs_f64();
            let text = format!("reach {}: no session within {seconds} s", endpoint.address());
            Err(Error::new(ErrorKind::Unreachable, Side::Target, text))
        })
    }

    /// The session's number at the server, which KILL takes.
    pub fn spid(&self) -> u16 {
        self.channel.session()
    }

    /// What the server calls itself, and its version.
    pub fn server(&self) -> &Acknowledgement {
        &self.server
    }

    /// Whether statements are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.channel.is_encrypted()
    }

    /// Whether a transaction is open.
    pub fn in_transaction(&self) -> bool {
        self.transaction.is_some()
    }

    /// Whether it takes a statement.
    pub fn is_idle(&self) -> bool {
        self.state == State::Idle
    }

    /// Executes statements, and gives the number of rows that the last one of them counted. Rows that they
    /// give back are dropped.
    pub async fn run(&mut self, sql: &str) -> Result<u64> {
        self.ask(sql).await?;
        self.finish().await
    }

    /// Asks a question whose columns are of the types that [`Value`] has.
    pub async fn query(&mut self, sql: &str) -> Result<Vec<Row>> {
        self.ask(sql).await?;
        let (mut columns, mut rows) = (Vec::new(), Vec::new());
        let (mut bytes, mut held) = (Vec::new(), 0);
        loop {
            match self.event().await? {
                Event::Token(Token::Columns(found)) if !found.is_empty() => columns = found,
                Event::Token(_) => {}
                Event::Row => {
                    let before = bytes.len();
                    self.walk(&mut bytes, before + SKIP_BYTES).await?;
                    held += bytes.len() - before;
                    if held > QUERY_BYTES_MAX {
                        self.state = State::Broken;
                        return Err(protocol("the catalog has more than it may have"));
                    }
                    if self.answer.walker.as_ref().is_none_or(Walker::is_between) {
                        read_rows(&columns, &bytes, &mut rows)?;
                        bytes.clear();
                    }
                }
                Event::End => {
                    self.ended()?;
                    return Ok(rows);
                }
            }
        }
    }

    /// Executes a statement that gives rows back, and gives these as they come.
    pub async fn stream(&mut self, sql: &str) -> Result<Selection<'_>> {
        self.ask(sql).await?;
        loop {
            match self.event().await? {
                Event::Token(Token::Columns(columns)) if !columns.is_empty() => {
                    return Ok(Selection { session: self, columns, is_over: false });
                }
                Event::Token(_) => {}
                Event::Row => return Err(protocol("there are rows and no columns")),
                Event::End => {
                    self.ended()?;
                    return Err(protocol("there are no columns"));
                }
            }
        }
    }

    /// Ends what the server does for this session, and drops the rest of the answer. Does nothing if
    /// there is nothing to be ended. A transaction may be rolled back by it: ask [`Session::in_transaction`].
    pub async fn attention(&mut self) -> Result<()> {
        match self.state {
            State::Idle => return Ok(()),
            State::Reading => {}
            State::Sending | State::Broken => return Err(broken()),
        }
        let ended = tokio::time::timeout(ATTENTION_MAX, self.interrupt()).await;
        match ended {
            Ok(ended) => ended,
            Err(_) => {
                self.state = State::Broken;
                Err(protocol("it does not end what it was asked to end"))
            }
        }
    }

    /// Ends the session.
    pub async fn close(mut self) {
        self.channel.close().await;
    }

    /// \[MS-TDS\] 2.2.1.7: the acknowledgement may come within the present answer or behind it.
    async fn interrupt(&mut self) -> Result<()> {
        self.channel.send(ATTENTION, &[]).await?;
        while !(self.answer.is_attention && self.channel.is_over()) {
            match self.event().await? {
                Event::Token(_) => {}
                Event::Row => {
                    self.walk(&mut Vec::new(), SKIP_BYTES).await?;
                }
                Event::End => self.channel.expect(),
            }
        }
        self.state = State::Idle;
        Ok(())
    }

    /// Sends statements. What \[MS-TDS\] calls ALL_HEADERS (2.2.5.3) names the transaction.
    pub(super) async fn ask(&mut self, sql: &str) -> Result<()> {
        const HEADERS_BYTES: u32 = 22;
        const TRANSACTION_BYTES: u32 = 18;
        const TRANSACTION: u16 = 2;
        const REQUESTS: u32 = 1;
        let mut content = Vec::with_capacity(2 * sql.len() + HEADERS_BYTES as usize);
        content.extend(HEADERS_BYTES.to_le_bytes());
        content.extend(TRANSACTION_BYTES.to_le_bytes());
        content.extend(TRANSACTION.to_le_bytes());
        content.extend(self.transaction.unwrap_or_default().to_le_bytes());
        content.extend(REQUESTS.to_le_bytes());
        bytes::encode(sql, &mut content);
        self.begin()?;
        self.channel.send(BATCH, &content).await?;
        self.sent();
        Ok(())
    }

    /// Whether a bulk load is on its way to the server.
    pub(super) fn is_loading(&self) -> bool {
        self.state == State::Sending && self.channel.kind() == BULK
    }

    /// A request begins.
    pub(super) fn begin(&mut self) -> Result<()> {
        if self.state != State::Idle {
            return Err(broken());
        }
        self.state = State::Sending;
        Ok(())
    }

    /// The request is sent; its answer is read next.
    pub(super) fn sent(&mut self) {
        self.state = State::Reading;
        self.answer = Answer::default();
        self.channel.expect();
    }

    /// Reads the answer to its end, and gives the number of rows that it counts last.
    pub(super) async fn finish(&mut self) -> Result<u64> {
        loop {
            match self.event().await? {
                Event::Token(_) => {}
                Event::Row => {
                    self.walk(&mut Vec::new(), SKIP_BYTES).await?;
                }
                Event::End => {
                    self.ended()?;
                    return Ok(self.answer.rows);
                }
            }
        }
    }

    /// The answer is read.
    fn ended(&mut self) -> Result<()> {
        self.state = State::Idle;
        let Some(server) = self.answer.refusal.take() else { return Ok(()) };
        if refusal::is_fatal(&server) {
            self.state = State::Broken;
        }
        Err(refusal::error(Phase::Statement, server, "run statement"))
    }

    async fn event(&mut self) -> Result<Event> {
        // An error leaves the state as it is, and nothing is read behind it.
        let event = self.read_event().await;
        if event.is_err() {
            self.state = State::Broken;
        }
        event
    }

    async fn read_event(&mut self) -> Result<Event> {
        let in_row = |walker: &Walker| !walker.is_between();
        if self.answer.walker.as_ref().is_some_and(in_row) {
            return Ok(Event::Row);
        }
        loop {
            if self.channel.is_over() {
                return Ok(Event::End);
            }
            let unread = self.channel.unread();
            if matches!(unread.first(), Some(&(ROW | COMPACT_ROW))) {
                return Ok(Event::Row);
            }
            if let Some((token, length)) = token::read(unread).map_err(fault)? {
                self.channel.consume(length);
                self.note(&token)?;
                return Ok(Event::Token(token));
            }
            self.channel.more().await?;
        }
    }

    fn note(&mut self, token: &Token) -> Result<()> {
        match token {
            Token::Columns(columns) if !columns.is_empty() => {
                let shapes = columns.iter().map(|column| column.kind.shape()).collect();
                self.answer.walker = Some(Walker::new(shapes));
            }
            Token::Refusal(server) if self.answer.refusal.is_none() => {
                self.answer.refusal = Some(server.clone());
            }
            Token::Change(Change::PacketBytes(bytes)) => self.channel.set_packet_bytes(*bytes),
            Token::Change(Change::Began(transaction)) => self.transaction = Some(*transaction),
            Token::Change(Change::Ended) => self.transaction = None,
            Token::Change(Change::Routing { host, port }) => {
                self.answer.routing = Some((host.clone(), *port));
            }
            Token::LoginAccepted(body) => {
                let read = Acknowledgement::read(body);
                self.answer.login = Some(read.map_err(|_| protocol("it is cut"))?);
            }
            Token::Done(done) => {
                self.answer.rows = done.rows.unwrap_or(self.answer.rows);
                self.answer.is_attention |= done.attention;
            }
            Token::Columns(_) | Token::Refusal(_) | Token::Information | Token::Skipped => {}
            Token::Change(Change::Other) => {}
        }
        Ok(())
    }

    /// Walks over rows until a row ends with `out` at `room` bytes or more, until `out` has twice that, or
    /// until something that is no row comes. Gives the number of rows that ended.
    async fn walk(&mut self, out: &mut Vec<u8>, room: usize) -> Result<u64> {
        let walked = self.walk_rows(out, room).await;
        if walked.is_err() {
            self.state = State::Broken;
        }
        walked
    }

    async fn walk_rows(&mut self, out: &mut Vec<u8>, room: usize) -> Result<u64> {
        let Some(walker) = &mut self.answer.walker else {
            return Err(protocol("there are rows and no columns"));
        };
        let mut rows = 0;
        loop {
            let walked = walker.walk(self.channel.unread(), out, room).map_err(malformed)?;
            self.channel.consume(walked.consumed);
            rows += walked.rows;
            let next = self.channel.unread().first();
            let is_row = matches!(next, Some(&(ROW | COMPACT_ROW)));
            let at_end = match walker.is_between() {
                true => out.len() >= room || (next.is_some() && !is_row) || self.channel.is_over(),
                false => out.len() >= 2 * room,
            };
            if at_end {
                return Ok(rows);
            }
            self.channel.more().await?;
        }
    }
}

impl Selection<'_> {
    /// The columns.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Appends rows in the form of a bulk load, until a row ends with `out` at `bytes` or more. Of a row
    /// that is longer than that it appends parts: then it is not [`Filled::at_row_end`]. `out` has at most
    /// twice `bytes` and what is read at once ([`super::packet::READ_BYTES`]).
    pub async fn fill(&mut self, out: &mut Vec<u8>, bytes: usize) -> Result<Filled> {
        let mut rows = 0;
        while !self.is_over && out.len() < bytes {
            match self.session.event().await? {
                Event::Row => rows += self.session.walk(out, bytes).await?,
                Event::Token(Token::Columns(columns)) if !columns.is_empty() => {
                    self.session.state = State::Broken;
                    return Err(protocol("it has more than one result"));
                }
                Event::Token(_) => {}
                Event::End => {
                    self.session.ended()?;
                    self.is_over = true;
                }
            }
        }
        let walker = self.session.answer.walker.as_ref();
        let at_row_end = walker.is_none_or(Walker::is_between);
        Ok(Filled { rows, at_row_end, is_over: self.is_over })
    }

    /// The next rows as values, as [`Session::query`] gives them: some, or none behind the last.
    pub async fn values(&mut self) -> Result<Vec<Row>> {
        let (mut bytes, mut rows) = (Vec::new(), Vec::new());
        while !self.is_over {
            let wanted = bytes.len() + SKIP_BYTES;
            let filled = self.fill(&mut bytes, wanted).await?;
            if filled.at_row_end && filled.rows > 0 {
                read_rows(&self.columns, &bytes, &mut rows)?;
                break;
            }
            if bytes.len() > QUERY_BYTES_MAX {
                self.session.state = State::Broken;
                return Err(protocol("a row is longer than it may be"));
            }
        }
        Ok(rows)
    }

    /// Ends the statement before its last row.
    pub async fn cancel(self) -> Result<()> {
        self.session.attention().await
    }
}

/// A session has something else on its way.
pub(super) fn broken() -> Error {
    let text = "use a connection that has something else on its way";
    Error::new(ErrorKind::LostConnection, Side::Target, text)
}

fn malformed(Malformed { column }: Malformed) -> Error {
    protocol(&format!("column {} of a row is no value of its type", column + 1))
}

fn fault(fault: Fault) -> Error {
    protocol(&match fault {
        Fault::Unknown(number) => format!("there is no token {number:#04x}"),
        Fault::Malformed(number) => format!("token {number:#04x} is malformed"),
        Fault::UnknownType(number) => format!("a column is of the unknown type {number:#04x}"),
    })
}

/// What the protocol has no room for.
fn check_texts(endpoint: &Endpoint) -> Result<()> {
    let password = endpoint.password.as_ref().map(crate::endpoint::Secret::reveal);
    let texts = [
        ("user", Some(endpoint.user.as_str())),
        ("password", password),
        ("host", Some(endpoint.host.as_str())),
        ("database", endpoint.database.as_deref()),
    ];
    for (name, text) in texts {
        if text.is_some_and(|text| text.encode_utf16().count() > login::TEXT_MAX) {
            let text = format!("the {name} has more than {} characters", login::TEXT_MAX);
            return Err(Error::new(ErrorKind::Usage, Side::Internal, text));
        }
    }
    Ok(())
}

async fn connect(endpoint: &Endpoint, purpose: &str) -> Result<Session> {
    let mut place = endpoint.clone();
    for _ in 0..=REDIRECTS_MAX {
        match open(&place, purpose).await? {
            Opened::Ready(mut session) => {
                for statement in &endpoint.session {
                    session.run(statement).await?;
                }
                return Ok(*session);
            }
            Opened::Elsewhere(host, port) => (place.host, place.port) = (host, port),
        }
    }
    let text = format!("reach {}: it sends us on and on", endpoint.address());
    Err(Error::new(ErrorKind::Unreachable, Side::Target, text))
}

async fn open(endpoint: &Endpoint, purpose: &str) -> Result<Opened> {
    let tcp = dial(endpoint).await?;
    let (mut channel, is_for_login) = match endpoint.tls.strict {
        true => {
            let mut channel = Channel::new(wire::encrypt_strictly(tcp, endpoint).await?);
            negotiate(&mut channel, Encryption::NotSupported).await?;
            (channel, false)
        }
        false => encrypted(tcp, endpoint).await?,
    };
    let application = format!("dbferry {purpose}");
    let content = login::login(&Login {
        strict: endpoint.tls.strict,
        packet_bytes: PACKET_BYTES as u32,
        process: std::process::id(),
        user: &endpoint.user,
        password: endpoint.password.as_ref(),
        application: &application,
        server: &endpoint.host,
        database: endpoint.database.as_deref().unwrap_or_default(),
    });
    channel.send(LOGIN, &content).await?;
    if is_for_login {
        channel = Channel::new(channel.into_wire().into_plain());
    }
    channel.expect();
    let server = Acknowledgement { program: String::new(), version: (0, 0, 0) };
    let answer = Answer::default();
    let session = Session { channel, state: State::Reading, transaction: None, server, answer };
    session.log_in(endpoint).await
}

impl Session {
    async fn log_in(mut self, endpoint: &Endpoint) -> Result<Opened> {
        while !matches!(self.event().await?, Event::End) {}
        let Answer { refusal, routing, login, .. } = std::mem::take(&mut self.answer);
        if let Some(server) = refusal {
            let text = format!("log in to {}", endpoint.address());
            return Err(refusal::error(Phase::Connect, server, text));
        }
        if let Some((host, port)) = routing {
            return Ok(Opened::Elsewhere(host, port));
        }
        let Some(server) = login else { return Err(protocol("it says nothing of the login")) };
        self.server = server;
        self.state = State::Idle;
        Ok(Opened::Ready(Box::new(self)))
    }
}

async fn dial(endpoint: &Endpoint) -> Result<TcpStream> {
    let connected = TcpStream::connect((endpoint.host.as_str(), endpoint.port)).await;
    let prepared = connected.and_then(|tcp| {
        tcp.set_nodelay(true)?;
        let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_AFTER);
        SockRef::from(&tcp).set_tcp_keepalive(&keepalive)?;
        Ok(tcp)
    });
    prepared.map_err(|error| {
        let text = format!("reach {}: {error}", endpoint.address());
        Error::new(ErrorKind::Unreachable, Side::Target, text).with_source(error)
    })
}

/// Agrees on encryption as the endpoint demands it; true if it is for the login only.
async fn encrypted(tcp: TcpStream, endpoint: &Endpoint) -> Result<(Channel, bool)> {
    let mode = endpoint.tls.mode;
    let wanted = if mode == TlsMode::Disable { Encryption::Off } else { Encryption::On };
    let mut channel = Channel::new(Wire::Plain(tcp));
    let offered = negotiate(&mut channel, wanted).await?;
    let refused = |text: &str| {
        let text = format!("encrypt the connection to {}: {text}", endpoint.address());
        Err(Error::new(ErrorKind::Tls, Side::Target, text))
    };
    let is_for_login = match (wanted, offered) {
        (Encryption::Off, Encryption::On | Encryption::Required) => {
            return refused("the server takes encrypted connections only: leave out tls=disable");
        }
        (_, Encryption::NotSupported) if mode == TlsMode::Disable => return Ok((channel, false)),
        (_, Encryption::NotSupported)
            if wire::may_be_plain(mode) && endpoint.password.is_some() =>
        {
            return refused(
                "the server offers none, and the password would go in clear; say tls=disable to \
                 accept that",
            );
        }
        (_, Encryption::NotSupported) if wire::may_be_plain(mode) => return Ok((channel, false)),
        (_, Encryption::NotSupported) => return refused("the server offers none"),
        (_, Encryption::Off) if !wire::may_be_plain(mode) => {
            return refused("the server offers it for the login only");
        }
        (_, Encryption::Off) => true,
        (_, Encryption::On | Encryption::Required) => false,
    };
    let Wire::Plain(tcp) = channel.into_wire() else {
        return Err(protocol("it is encrypted already"));
    };
    Ok((Channel::new(wire::encrypt(tcp, endpoint).await?), is_for_login))
}

async fn negotiate(channel: &mut Channel, wanted: Encryption) -> Result<Encryption> {
    channel.send(PRELOGIN, &login::prelogin(wanted)).await?;
    let answer = channel.message(PRELOGIN_BYTES_MAX).await?;
    login::read_prelogin(&answer).ok_or_else(|| protocol("it is no SQL Server's"))
}

/// Reads rows in the form of a bulk load.
fn read_rows(columns: &[Column], bytes: &[u8], rows: &mut Vec<Row>) -> Result<()> {
    let mut reader = Reader::new(bytes);
    while !reader.rest().is_empty() {
        let cut = |_| protocol("a row is cut");
        reader.u8().map_err(cut)?;
        let mut row = Row::with_capacity(columns.len());
        for column in columns {
            let shape: Shape = column.kind.shape();
            row.push(value(column.kind.code, shape.cell(&mut reader).map_err(cut)?.as_deref())?);
        }
        rows.push(row);
    }
    Ok(())
}

fn value(code: Code, cell: Option<&[u8]>) -> Result<Value> {
    use Code::{
        Binary, Bit, BitN, Guid, Int1, Int2, Int4, Int8, IntN, NChar, NText, NVarChar, VarBinary,
    };
    let Some(cell) = cell else { return Ok(Value::Null) };
    let number = |bytes: &[u8]| match *bytes {
        [a] => Some(i64::from(a)),
        [a, b] => Some(i64::from(i16::from_le_bytes([a, b]))),
        [a, b, c, d] => Some(i64::from(i32::from_le_bytes([a, b, c, d]))),
        [a, b, c, d, e, f, g, h] => Some(i64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => None,
    };
    match code {
        Int1 | Int2 | Int4 | Int8 | IntN | Bit | BitN => {
            number(cell).map(Value::Int).ok_or_else(|| protocol("a number has no size"))
        }
        NVarChar | NChar | NText => {
            let units: Vec<u16> =
                cell.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            let text = String::from_utf16(&units);
            text.map(Value::Text).map_err(|_| protocol("a text of the catalog is no Unicode"))
        }
        VarBinary | Binary | Guid => Ok(Value::Bytes(cell.to_vec())),
        other => {
            let text = format!("a question to the catalog asks for the type {other:?}");
            Err(Error::new(ErrorKind::Internal, Side::Internal, text))
        }
    }
}
