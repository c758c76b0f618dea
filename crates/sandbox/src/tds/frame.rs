//! Packets of a peer, and the encryption under them.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::tls::Certificates;
use crate::{Error, Result};

/// The type of a server's packets.
const ANSWER: u8 = 4;
/// The type of the packets that a handshake goes in.
const PRELOGIN: u8 = 0x12;
const LAST: u8 = 1;

/// What it takes to encrypt.
#[derive(Debug)]
pub(super) struct Encryption {
    /// With the handshake in packets.
    wrapped: Arc<ServerConfig>,
    /// As everywhere.
    strict: Arc<ServerConfig>,
}

/// A connection.
pub(super) enum Line {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ServerConnection, TcpStream>>),
}

/// A message that came.
pub(super) struct Message {
    pub(super) kind: u8,
    pub(super) content: Vec<u8>,
}

impl Encryption {
    pub(super) fn load(certificates: &Certificates) -> Result<Self> {
        let failed = |error: &dyn std::fmt::Display| Error::Client {
            program: "rustls".into(),
            message: error.to_string(),
        };
        let make = |versions: &[&'static rustls::SupportedProtocolVersion]| {
            let file = File::open(&certificates.server);
            let mut file = BufReader::new(file.map_err(Error::path("read", &certificates.server))?);
            let chain: std::result::Result<Vec<_>, _> =
                CertificateDer::pem_reader_iter(&mut file).collect();
            let chain = chain.map_err(|error| failed(&error))?;
            let key = PrivateKeyDer::from_pem_file(&certificates.server_key);
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            ServerConfig::builder_with_provider(provider)
                .with_protocol_versions(versions)
                .map_err(|error| failed(&error))?
                .with_no_client_auth()
                .with_single_cert(chain, key.map_err(|error| failed(&error))?)
                .map_err(|error| failed(&error))
        };
        let mut strict = make(rustls::ALL_VERSIONS)?;
        strict.alpn_protocols = vec![b"tds/8.0".to_vec()];
        let wrapped = make(&[&rustls::version::TLS12])?;
        Ok(Self { wrapped: Arc::new(wrapped), strict: Arc::new(strict) })
    }

    /// Shakes hands in packets.
    pub(super) fn wrapped(&self, mut tcp: TcpStream) -> io::Result<Line> {
        let mut tls = ServerConnection::new(Arc::clone(&self.wrapped)).map_err(io::Error::other)?;
        while tls.is_handshaking() || tls.wants_write() {
            let mut out = Vec::new();
            while tls.wants_write() {
                tls.write_tls(&mut out)?;
            }
            if !out.is_empty() {
                put(&mut tcp, PRELOGIN, &out, 4096)?;
            }
            if tls.is_handshaking() {
                let message = read(&mut tcp)?;
                if message.kind != PRELOGIN {
                    return Err(io::Error::other("a handshake that is in no PRELOGIN"));
                }
                tls.read_tls(&mut message.content.as_slice())?;
                tls.process_new_packets().map_err(gone)?;
            }
        }
        Ok(Line::Encrypted(Box::new(StreamOwned::new(tls, tcp))))
    }

    /// Encrypts from the first byte.
    pub(super) fn strict(&self, tcp: TcpStream) -> io::Result<Line> {
        let tls = ServerConnection::new(Arc::clone(&self.strict)).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(tls, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock).map_err(gone)?;
        }
        match stream.conn.alpn_protocol() {
            Some(b"tds/8.0") => Ok(Line::Encrypted(Box::new(stream))),
            _ => Err(io::Error::other("no tds/8.0 asked for by ALPN")),
        }
    }
}

impl Line {
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Self::Encrypted(_))
    }

    /// Without the encryption, from here on.
    pub(super) fn give_up_encryption(&mut self) -> io::Result<()> {
        if let Self::Encrypted(stream) = self {
            *self = Self::Plain(stream.sock.try_clone()?);
        }
        Ok(())
    }

    /// Reads a message.
    pub(super) fn read(&mut self) -> io::Result<Message> {
        match self {
            Self::Plain(tcp) => read(tcp),
            Self::Encrypted(stream) => read(stream.as_mut()),
        }
    }

    /// Sends an answer in packets of `packet_bytes`; without its last packet it goes on.
    pub(super) fn answer(
        &mut self,
        content: &[u8],
        packet_bytes: usize,
        is_whole: bool,
    ) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => put_parts(tcp, content, packet_bytes, is_whole),
            Self::Encrypted(stream) => put_parts(stream.as_mut(), content, packet_bytes, is_whole),
        }
    }
}

/// A client that does not like what it is shown goes, which is no fault.
fn gone(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, error)
}

/// Reads a message of whatever type; its packets have to be numbered one after another.
pub(super) fn read(stream: &mut impl Read) -> io::Result<Message> {
    let mut content = Vec::new();
    let mut expected: u8 = 1;
    loop {
        let mut header = [0; 8];
        stream.read_exact(&mut header)?;
        let [kind, status, high, low, _, _, number, window] = header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        // Some clients leave packets without a number.
        if length < 8
            || (number != 0 && number != expected && number != expected.wrapping_sub(1))
            || window != 0
        {
            return Err(io::Error::other(format!("a packet's header is {header:02x?}")));
        }
        expected = number.wrapping_add(1);
        let before = content.len();
        content.resize(before + length - 8, 0);
        stream.read_exact(&mut content[before..])?;
        if status & LAST != 0 {
            return Ok(Message { kind, content });
        }
    }
}

fn put_parts(
    stream: &mut impl Write,
    content: &[u8],
    packet_bytes: usize,
    is_whole: bool,
) -> io::Result<()> {
    let parts = content.chunks(packet_bytes - 8);
    let count = parts.len();
    for (index, part) in parts.enumerate() {
        let is_last = is_whole && index + 1 == count;
        packet(stream, ANSWER, part, is_last, (index as u8).wrapping_add(1))?;
    }
    stream.flush()
}

fn put(stream: &mut impl Write, kind: u8, content: &[u8], packet_bytes: usize) -> io::Result<()> {
    let parts = content.chunks(packet_bytes - 8);
    let count = parts.len();
    for (index, part) in parts.enumerate() {
        packet(stream, kind, part, index + 1 == count, index as u8)?;
    }
    stream.flush()
}

fn packet(
    stream: &mut impl Write,
    kind: u8,
    content: &[u8],
    is_last: bool,
    number: u8,
) -> io::Result<()> {
    /// What KILL would take.
    const SESSION: [u8; 2] = 51_u16.to_be_bytes();
    let [high, low] = ((content.len() + 8) as u16).to_be_bytes();
    let mut bytes = vec![kind, u8::from(is_last), high, low, SESSION[0], SESSION[1], number, 0];
    bytes.extend(content);
    stream.write_all(&bytes)
}

/// Says the answer to a PRELOGIN, on a line that is not yet encrypted or is so from its first byte.
pub(super) fn answer_prelogin(line: &mut Line, encryption: u8) -> io::Result<()> {
    // Version at 11, six bytes; encryption at 17, one byte; the end.
    let content = [0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 16, 0, 0x10, 0x00, 0, 0, encryption];
    match line {
        Line::Plain(tcp) => put(tcp, ANSWER, &content, 4096),
        Line::Encrypted(stream) => put(stream.as_mut(), ANSWER, &content, 4096),
    }
}
