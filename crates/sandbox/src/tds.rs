//! A server's side of TDS that follows a script, for tests of clients.
//!
//! Written from the protocol's public document, apart from the client that it tests: it shares no code
//! with it. It logs in, encrypts in every way there is, answers batches that its [`Script`] knows, really
//! takes bulk loads, decodes them and hands back what they held. It executes no SQL.
//!
//! Promises: a [`Peer`] is gone when it is dropped; a client that breaks the protocol gets its connection
//! closed and its fault told by [`Peer::faults`]. Deliberately not here: types of `INSERT BULK` compared
//! with those of its columns, conversions, RPC, MARS.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use crate::{Error, Result, tls};

mod conversation;
mod frame;
mod rows;

pub use rows::{Cell, Column, Rows};

/// What a peer does.
#[derive(Clone, Debug)]
pub struct Script {
    /// Where it listens; its certificate is for localhost and 127.0.0.1.
    pub address: Ipv4Addr,
    /// Which encryption it wants.
    pub encryption: Encryption,
    /// The only login.
    pub user: String,
    /// Its password.
    pub password: String,
    /// Whoever logs in is sent on to this host and port.
    pub route: Option<(String, u16)>,
    /// Bytes of its packets.
    pub packet_bytes: usize,
    /// Answers to batches, by their exact text; the first one counts. All other batches do nothing.
    pub answers: Vec<(String, Answer)>,
    /// Refuses bulk loads, when all of them is read.
    pub load_refusal: Option<Refusal>,
}

/// The encryption that a peer wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// It has none.
    NotSupported,
    /// Of the login, and of more if the client wants more.
    Off,
    /// Of everything.
    Required,
    /// From the first byte: TDS 8.0.
    Strict,
}

/// What a batch is answered with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A result.
    Rows(Rows),
    /// A number of rows.
    Count(u64),
    /// No.
    Refusal(Refusal),
    /// Rows that have no end until the client asks for one; the answer to that follows them.
    Stall(Rows),
    /// A whole answer, whatever it says.
    Bytes(Vec<u8>),
    /// A part of an answer, and the end of the connection.
    Cut(Vec<u8>),
}

/// An error of a server.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Its number.
    pub number: u32,
    /// How severe it is.
    pub class: u8,
    /// Its state.
    pub state: u8,
    /// Its text.
    pub text: String,
}

/// A login that was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// What the client calls itself.
    pub application: String,
    /// The database that it wants.
    pub database: String,
    /// The server's name as the client has it.
    pub server: String,
    /// The protocol's version as the client tells it.
    pub version: u32,
    /// The login was encrypted.
    pub encrypted: bool,
    /// What follows it is encrypted.
    pub stays_encrypted: bool,
}

/// What a bulk load brought.
#[derive(Clone, Debug)]
pub struct Load {
    /// The statement that announced it.
    pub statement: String,
    /// Its columns as the client described them, and its rows.
    pub rows: Rows,
}

/// A server that follows a script.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    heard: Arc<Heard>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    certificates: PathBuf,
    _folder: tempfile::TempDir,
}

/// What all clients said.
#[derive(Debug, Default)]
struct Heard {
    logins: Mutex<Vec<Login>>,
    batches: Mutex<Vec<String>>,
    loads: Mutex<Vec<Load>>,
    faults: Mutex<Vec<String>>,
    streams: Mutex<Vec<TcpStream>>,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST,
            encryption: Encryption::NotSupported,
            user: "sa".into(),
            password: "Sandbox-1".into(),
            route: None,
            packet_bytes: 4096,
            answers: Vec::new(),
            load_refusal: None,
        }
    }
}

impl Peer {
    /// Starts to listen on a free port.
    ///
    /// # Errors
    ///
    /// When there is no port, or the certificates cannot be written.
    pub fn start(script: Script) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(Error::io("create a temporary folder"))?;
        let certificates = tls::create(folder.path())?;
        let listener = TcpListener::bind((script.address, 0));
        let listener = listener.map_err(Error::io("listen on a free port"))?;
        let address = listener.local_addr().map_err(Error::io("listen on a free port"))?;
        let (heard, stopping) = (Arc::<Heard>::default(), Arc::<AtomicBool>::default());
        let encryption = frame::Encryption::load(&certificates)?;
        let accept = {
            let (heard, stopping) = (Arc::clone(&heard), Arc::clone(&stopping));
            move || accept(&listener, &Arc::new(script), &Arc::new(encryption), &heard, &stopping)
        };
        let thread = Some(thread::spawn(accept));
        let certificates = certificates.ca;
        Ok(Self { address, heard, stopping, thread, certificates, _folder: folder })
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The certificate of the authority that signed the peer's own.
    pub fn ca(&self) -> &Path {
        &self.certificates
    }

    /// Logins that were accepted.
    pub fn logins(&self) -> Vec<Login> {
        locked(&self.heard.logins).clone()
    }

    /// Batches that came, in order.
    pub fn batches(&self) -> Vec<String> {
        locked(&self.heard.batches).clone()
    }

    /// Bulk loads that came wholly.
    pub fn loads(&self) -> Vec<Load> {
        locked(&self.heard.loads).clone()
    }

    /// What clients did that the protocol does not know.
    pub fn faults(&self) -> Vec<String> {
        locked(&self.heard.faults).clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes whoever waits for a client, and those who wait for what a client says.
        let _ = TcpStream::connect(self.address);
        for stream in locked(&self.heard.streams).drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Closes a connection, whose clones would keep it open, also behind a panic.
struct Closing(TcpStream);

impl Drop for Closing {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}

fn accept(
    listener: &TcpListener,
    script: &Arc<Script>,
    encryption: &Arc<frame::Encryption>,
    heard: &Arc<Heard>,
    stopping: &AtomicBool,
) {
    for stream in listener.incoming() {
        if stopping.load(Ordering::SeqCst) {
            return;
        }
        let Ok(stream) = stream else { continue };
        let Ok(closing) = stream.try_clone().map(Closing) else { continue };
        if let Ok(clone) = stream.try_clone() {
            locked(&heard.streams).push(clone);
        }
        let (script, encryption) = (Arc::clone(script), Arc::clone(encryption));
        let heard = Arc::clone(heard);
        thread::spawn(move || {
            if let Err(fault) = conversation::hold(stream, &script, &encryption, &heard) {
                locked(&heard.faults).push(fault.to_string());
            }
            drop(closing);
        });
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
