//! Messages and the packets that they are cut into, \[MS-TDS\] 2.2.3.
//!
//! Promises: a packet is as long as its header says and no longer than [`PACKET_BYTES_MAX`]; what was
//! read and not yet understood is at most [`TOKEN_BYTES_MAX`]. A dropped future
//! that reads loses nothing. Deliberately not here: what is in them.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use super::wire::Wire;
use crate::error::{Error, ErrorKind, Result, Side};

/// Bytes before the content of each packet.
pub const HEADER_BYTES: usize = 8;
/// The longest packet that the protocol allows.
pub const PACKET_BYTES_MAX: usize = 32_767;
/// The packets we ask for. What TLS encrypts at once is a little more than one of these.
pub const PACKET_BYTES: usize = 16_000;
/// Packets until the server has agreed to others.
pub const PACKET_BYTES_FIRST: usize = 4096;
/// The longest token, other than a row: the columns of the widest table fit well into it.
pub const TOKEN_BYTES_MAX: usize = 4 << 20;
/// What is read from the system at once.
pub const READ_BYTES: usize = 128 << 10;

/// The type of a message: statements.
pub const BATCH: u8 = 0x01;
/// A server's answer.
pub const ANSWER: u8 = 0x04;
/// The wish that the server end what it does.
pub const ATTENTION: u8 = 0x06;
/// Rows.
pub const BULK: u8 = 0x07;
/// The login.
pub const LOGIN: u8 = 0x10;
/// What is said before the login; TLS handshakes too.
pub const PRELOGIN: u8 = 0x12;

const LAST: u8 = 0x01;

/// A connection that carries messages.
#[derive(Debug)]
pub(super) struct Channel {
    wire: BufReader<Wire>,
    packet_bytes: usize,
    incoming: Incoming,
    /// The packet that is being filled, its header included.
    writing: Vec<u8>,
    /// Packets of the message that were sent; only the last eight bits of their number are told.
    written: u8,
    /// Type of the message that is being written.
    kind: u8,
}

/// The message that is read. Whoever drops a future that reads loses nothing.
#[derive(Debug, Default)]
struct Incoming {
    /// Content of packets that is not yet understood, from `at` on.
    content: Vec<u8>,
    at: usize,
    /// The header of the present packet, as far as it is there.
    header: [u8; HEADER_BYTES],
    header_read: usize,
    /// What is to come of its content.
    body_left: usize,
    /// The present packet is the last one.
    is_last: bool,
    /// The number of the session, as packets tell it.
    session: u16,
}

/// The header of a packet of `length` bytes, itself included.
pub(super) fn header(kind: u8, is_last: bool, length: u16, number: u8) -> [u8; HEADER_BYTES] {
    let [high, low] = length.to_be_bytes();
    [kind, if is_last { LAST } else { 0 }, high, low, 0, 0, number, 0]
}

impl Channel {
    pub(super) fn new(wire: Wire) -> Self {
        Self {
            wire: BufReader::with_capacity(READ_BYTES, wire),
            packet_bytes: PACKET_BYTES_FIRST,
            incoming: Incoming::default(),
            writing: Vec::new(),
            written: 0,
            kind: 0,
        }
    }

    /// The number of the session at the server.
    pub(super) fn session(&self) -> u16 {
        self.incoming.session
    }

    /// The type of the message that was begun last.
    pub(super) fn kind(&self) -> u8 {
        self.kind
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.wire.get_ref().is_encrypted()
    }

    /// The stream under it, between two messages.
    pub(super) fn into_wire(self) -> Wire {
        self.wire.into_inner()
    }

    /// Packets have so many bytes from now on. What no server may want is left as it is.
    pub(super) fn set_packet_bytes(&mut self, bytes: usize) {
        if (512..=PACKET_BYTES_MAX).contains(&bytes) {
            self.packet_bytes = bytes;
        }
    }

    /// Sends a whole message.
    pub(super) async fn send(&mut self, kind: u8, content: &[u8]) -> Result<()> {
        self.begin(kind);
        self.write(content).await?;
        self.end().await
    }

    /// Begins a message.
    pub(super) fn begin(&mut self, kind: u8) {
        self.kind = kind;
        self.written = 0;
        self.writing.clear();
        self.writing.extend([0; HEADER_BYTES]);
    }

    /// Continues it. A packet goes when there is something to go into the next one, since the last
    /// one has to say that it is the last.
    pub(super) async fn write(&mut self, mut content: &[u8]) -> Result<()> {
        while !content.is_empty() {
            if self.writing.len() >= self.packet_bytes {
                self.put(false).await?;
            }
            let taken = content.len().min(self.packet_bytes - self.writing.len());
            self.writing.extend(&content[..taken]);
            content = &content[taken..];
        }
        Ok(())
    }

    /// Ends it; an answer is to be read.
    pub(super) async fn end(&mut self) -> Result<()> {
        self.put(true).await?;
        self.wire.get_mut().flush().await.map_err(lost)
    }

    async fn put(&mut self, is_last: bool) -> Result<()> {
        self.written = self.written.wrapping_add(1);
        let head = header(self.kind, is_last, self.writing.len() as u16, self.written);
        self.writing[..HEADER_BYTES].copy_from_slice(&head);
        self.wire.get_mut().write_all(&self.writing).await.map_err(lost)?;
        self.writing.truncate(HEADER_BYTES);
        Ok(())
    }

    /// What was read and is not yet understood.
    pub(super) fn unread(&self) -> &[u8] {
        &self.incoming.content[self.incoming.at..]
    }

    /// So many bytes are understood.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.incoming.at += bytes;
    }

    /// Whether all of the message is read and understood.
    pub(super) fn is_over(&self) -> bool {
        self.incoming.is_complete() && self.unread().is_empty()
    }

    /// Another message is to be read.
    pub(super) fn expect(&mut self) {
        let session = self.incoming.session;
        self.incoming = Incoming { session, ..Incoming::default() };
    }

    /// Waits for more of the message.
    pub(super) async fn more(&mut self) -> Result<()> {
        if self.incoming.is_complete() {
            return Err(protocol("it ends within something"));
        }
        self.incoming.make_room();
        loop {
            let there = self.wire.fill_buf().await.map_err(lost)?;
            if there.is_empty() {
                return Err(lost(io::ErrorKind::UnexpectedEof.into()));
            }
            let before = self.incoming.content.len();
            let taken = self.incoming.take(there)?;
            self.wire.consume(taken);
            if self.incoming.content.len() > before || self.incoming.is_complete() {
                return Ok(());
            }
        }
    }

    /// The whole message, of at most `max` bytes.
    pub(super) async fn message(&mut self, max: usize) -> Result<Vec<u8>> {
        self.expect();
        while !self.incoming.is_complete() {
            self.more().await?;
            if self.unread().len() > max {
                return Err(protocol("it is longer than it may be"));
            }
        }
        Ok(std::mem::take(&mut self.incoming.content))
    }

    /// Tells the server that nothing more comes.
    pub(super) async fn close(&mut self) {
        // Whoever closes does not care what becomes of it.
        let _ = self.wire.get_mut().shutdown().await;
    }
}

impl Incoming {
    fn is_complete(&self) -> bool {
        self.is_last && self.body_left == 0 && self.header_read == 0
    }

    fn make_room(&mut self) {
        self.content.drain(..self.at);
        self.at = 0;
    }

    /// Takes what it can of `input`, up to the end of the message.
    fn take(&mut self, input: &[u8]) -> Result<usize> {
        let mut at = 0;
        while at < input.len() && !self.is_complete() {
            if self.body_left > 0 {
                let taken = self.body_left.min(input.len() - at);
                if self.content.len() + taken > TOKEN_BYTES_MAX {
                    return Err(protocol("a token is longer than it may be"));
                }
                self.content.extend(&input[at..at + taken]);
                self.body_left -= taken;
                at += taken;
                continue;
            }
            self.header[self.header_read] = input[at];
            self.header_read += 1;
            at += 1;
            if self.header_read == HEADER_BYTES {
                self.begin_packet()?;
            }
        }
        Ok(at)
    }

    fn begin_packet(&mut self) -> Result<()> {
        let [kind, status, high, low, session_high, session_low, ..] = self.header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if kind != ANSWER || !(HEADER_BYTES..=PACKET_BYTES_MAX).contains(&length) {
            return Err(protocol("it is no answer of this protocol"));
        }
        self.header_read = 0;
        self.body_left = length - HEADER_BYTES;
        self.is_last = status & LAST != 0;
        self.session = u16::from_be_bytes([session_high, session_low]);
        Ok(())
    }
}

/// The connection broke.
fn lost(error: io::Error) -> Error {
    let text = match error.kind() {
        io::ErrorKind::UnexpectedEof => "lost the connection: the server closed it".to_owned(),
        _ => format!("lost the connection: {error}"),
    };
    Error::new(ErrorKind::LostConnection, Side::Target, text).with_source(error)
}

/// The server, or what answers in its place, does not keep to the protocol.
pub(super) fn protocol(what: &str) -> Error {
    let text = format!("read the server's answer: {what}");
    Error::new(ErrorKind::LostConnection, Side::Target, text)
}
