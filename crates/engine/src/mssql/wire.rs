//! The stream of bytes under the packets: plain, encrypted, or encrypted for the login only.
//!
//! Up to TDS 7.4 the TLS handshake goes in packets of the type PRELOGIN, and only what follows it goes
//! as TLS makes it, \[MS-TDS\] 2.2.6.5 and 3.2.5.1; [`Handshaking`] is the stream that can be both. In
//! TDS 8.0 there is TLS first, as everywhere else. TLS 1.3 is for 8.0 only, as the document has it.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::packet::{HEADER_BYTES, PACKET_BYTES_MAX, PRELOGIN, header};
use crate::endpoint::{Endpoint, TlsMode};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::tls;

/// A stream to a server.
#[derive(Debug)]
pub(super) enum Wire {
    /// As it is.
    Plain(TcpStream),
    /// Encrypted.
    Encrypted(Box<TlsStream<Handshaking>>),
}

/// A TCP stream that can put what it carries into packets.
#[derive(Debug)]
pub(super) struct Handshaking {
    tcp: TcpStream,
    /// While it does so.
    packets: Option<Packets>,
}

#[derive(Debug, Default)]
struct Packets {
    /// Written, and not yet a packet.
    pending: Vec<u8>,
    /// A packet, and how much of it is sent.
    sending: Vec<u8>,
    sent: usize,
    /// The header of the packet that is read, as far as it is there.
    header: [u8; HEADER_BYTES],
    header_read: usize,
    /// What is left of it.
    body_left: usize,
}

/// How many bytes wait at most to become a packet.
const PENDING_BYTES_MAX: usize = 4096 - HEADER_BYTES;

/// Encrypts a stream whose handshake goes in packets.
pub(super) async fn encrypt(tcp: TcpStream, endpoint: &Endpoint) -> Result<Wire> {
    let config = tls::client_config(&endpoint.tls, &[&rustls::version::TLS12])?;
    let stream = Handshaking { tcp, packets: Some(Packets::default()) };
    let mut stream = handshake(stream, endpoint, config).await?;
    stream.get_mut().0.packets = None;
    Ok(Wire::Encrypted(Box::new(stream)))
}

/// Encrypts a stream from its first byte, TDS 8.0.
pub(super) async fn encrypt_strictly(tcp: TcpStream, endpoint: &Endpoint) -> Result<Wire> {
    let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
    let mut config = tls::client_config(&endpoint.tls, &versions)?;
    config.alpn_protocols = vec![b"tds/8.0".to_vec()];
    let stream = Handshaking { tcp, packets: None };
    let stream = handshake(stream, endpoint, config).await?;
    Ok(Wire::Encrypted(Box::new(stream)))
}

async fn handshake(
    stream: Handshaking,
    endpoint: &Endpoint,
    config: ClientConfig,
) -> Result<TlsStream<Handshaking>> {
    let place = endpoint.address();
    let failed = |text: String| Error::new(ErrorKind::Tls, Side::Target, text);
    let name = match endpoint.host.parse::<IpAddr>() {
        Ok(address) => ServerName::from(address),
        Err(_) => ServerName::try_from(endpoint.host.clone())
            .map_err(|_| failed(format!("encrypt the connection to {place}: no host name")))?,
    };
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.map_err(|error| {
        let why = match tls::find_error(&error) {
            Some(cause) => tls::explain(cause),
            None => format!("{error}; the server may speak no TLS that is new enough"),
        };
        failed(format!("encrypt the connection to {place}: {why}")).with_source(error)
    })
}

impl Wire {
    /// Gives up the encryption behind the login, where only that was to be encrypted.
    pub(super) fn into_plain(self) -> Wire {
        match self {
            Wire::Plain(tcp) => Wire::Plain(tcp),
            Wire::Encrypted(stream) => Wire::Plain(stream.into_inner().0.tcp),
        }
    }

    /// Whether it is encrypted now.
    pub(super) fn is_encrypted(&self) -> bool {
        matches!(self, Wire::Encrypted(_))
    }
}

/// Whether anything less than all will do for an endpoint.
pub(super) fn may_be_plain(mode: TlsMode) -> bool {
    matches!(mode, TlsMode::Disable | TlsMode::Prefer)
}

impl AsyncRead for Wire {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Wire::Encrypted(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Wire::Encrypted(stream) => Pin::new(stream.as_mut()).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(context),
            Wire::Encrypted(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(context),
            Wire::Encrypted(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}

impl Packets {
    /// Sends what is written, as one packet.
    fn poll_send(
        &mut self,
        tcp: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.sent < self.sending.len() {
                let left = &self.sending[self.sent..];
                let sent = ready!(Pin::new(&mut *tcp).poll_write(context, left))?;
                if sent == 0 {
                    return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
                }
                self.sent += sent;
                continue;
            }
            self.sending.clear();
            self.sent = 0;
            if self.pending.is_empty() {
                return Pin::new(&mut *tcp).poll_flush(context);
            }
            let length = (HEADER_BYTES + self.pending.len()) as u16;
            self.sending.extend(header(PRELOGIN, true, length, 0));
            self.sending.append(&mut self.pending);
        }
    }

    /// Reads a header, if the packet before it is over.
    fn poll_header(
        &mut self,
        tcp: &mut TcpStream,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.body_left == 0 {
            let mut buffer = ReadBuf::new(&mut self.header[self.header_read..]);
            ready!(Pin::new(&mut *tcp).poll_read(context, &mut buffer))?;
            let read = buffer.filled().len();
            if read == 0 {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.header_read += read;
            if self.header_read == HEADER_BYTES {
                let length = usize::from(u16::from_be_bytes([self.header[2], self.header[3]]));
                if !(HEADER_BYTES..=PACKET_BYTES_MAX).contains(&length) {
                    return Poll::Ready(Err(io::Error::other("a packet of an impossible length")));
                }
                self.body_left = length - HEADER_BYTES;
                self.header_read = 0;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Handshaking {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Handshaking { tcp, packets } = self.get_mut();
        let Some(packets) = packets else { return Pin::new(tcp).poll_read(context, buffer) };
        // Who waits for an answer has asked.
        ready!(packets.poll_send(tcp, context))?;
        ready!(packets.poll_header(tcp, context))?;
        let mut body = buffer.take(packets.body_left);
        ready!(Pin::new(tcp).poll_read(context, &mut body))?;
        // `take` looks at the same memory, of which that much is initialized now.
        let read = body.filled().len();
        let bytes = body.filled().to_vec();
        packets.body_left -= read;
        buffer.put_slice(&bytes);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Handshaking {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Handshaking { tcp, packets } = self.get_mut();
        let Some(packets) = packets else { return Pin::new(tcp).poll_write(context, bytes) };
        if packets.pending.len() >= PENDING_BYTES_MAX {
            ready!(packets.poll_send(tcp, context))?;
        }
        let taken = bytes.len().min(PENDING_BYTES_MAX - packets.pending.len());
        packets.pending.extend(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Handshaking { tcp, packets } = self.get_mut();
        match packets {
            Some(packets) => packets.poll_send(tcp, context),
            None => Pin::new(tcp).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().tcp).poll_shutdown(context)
    }
}
