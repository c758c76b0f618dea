//! A tap on a server's socket: passes everything on and notes the commands that clients send.

use std::fmt;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use tempfile::TempDir;

/// A command of the protocol.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    Query(Vec<u8>),
    InitDb(Vec<u8>),
    Quit,
    Other(u8),
    /// Not from a client: why the reader stopped.
    Stopped(String),
}

impl fmt::Debug for Sent {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sent::Query(text) => write!(formatter, "Query({})", text.escape_ascii()),
            Sent::InitDb(name) => write!(formatter, "InitDb({})", name.escape_ascii()),
            Sent::Quit => write!(formatter, "Quit"),
            Sent::Other(code) => write!(formatter, "Other({code})"),
            Sent::Stopped(why) => write!(formatter, "Stopped({why})"),
        }
    }
}

/// Lives as long as the test: its thread ends with the process.
pub(crate) struct Tap {
    socket: PathBuf,
    noted: Receiver<Vec<u8>>,
    _folder: TempDir,
}

impl Tap {
    pub(crate) fn start(server: &Path) -> Tap {
        let folder = tempfile::Builder::new().prefix("tap-").tempdir().unwrap();
        let socket = folder.path().join("sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let (note, noted) = channel();
        let server = server.to_owned();
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.unwrap();
                let server = UnixStream::connect(&server).unwrap();
                note.send(pass(client, server)).unwrap();
            }
        });
        Tap { socket, noted, _folder: folder }
    }

    pub(crate) fn socket(&self) -> &Path {
        &self.socket
    }

    /// The commands of the one connection that was made since.
    pub(crate) fn take(&self) -> Vec<Sent> {
        commands(&self.noted.recv().unwrap())
    }
}

/// Passes on both ways until the client leaves; returns what it sent.
fn pass(mut client: UnixStream, mut server: UnixStream) -> Vec<u8> {
    let mut back = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let answers = thread::spawn(move || std::io::copy(&mut back.0, &mut back.1));
    let mut noted = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = client.read(&mut buffer) {
        noted.extend_from_slice(&buffer[..length]);
        if server.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
    let _ = answers.join();
    noted
}

/// Packets with sequence number 0 begin a command; the first packet is the client's greeting.
fn commands(mut bytes: &[u8]) -> Vec<Sent> {
    const QUERY_ATTRIBUTES: u32 = 1 << 27;
    let mut attributes = None;
    let mut list = Vec::new();
    let mut whole = Vec::new();
    while let [a, b, c, sequence, rest @ ..] = bytes {
        let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        let (packet, after) = rest.split_at(length);
        bytes = after;
        if attributes.is_none() {
            let flags = u32::from_le_bytes(packet[..4].try_into().unwrap());
            attributes = Some(flags & QUERY_ATTRIBUTES != 0 && flags & 1 != 0);
        } else if *sequence == 0 || !whole.is_empty() {
            whole.extend_from_slice(packet);
            if length < 0xFF_FFFF {
                list.push(command(&whole, attributes == Some(true)));
                whole.clear();
            }
        }
    }
    list
}

fn command(packet: &[u8], attributes: bool) -> Sent {
    match packet {
        [1, ..] => Sent::Quit,
        [2, name @ ..] => Sent::InitDb(name.to_vec()),
        // No attributes, in one set.
        [3, 0, 1, text @ ..] if attributes => Sent::Query(text.to_vec()),
        [3, text @ ..] => Sent::Query(text.to_vec()),
        [code, ..] => Sent::Other(*code),
        [] => Sent::Other(u8::MAX),
    }
}
