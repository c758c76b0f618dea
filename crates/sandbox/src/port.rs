//! Ports that stay ours while a server is stopped.
//!
//! Ports come from below the kernel's ephemeral range, so no outgoing connection takes one, and
//! each is held by a lock file, so a server can restart on its port while other test processes
//! start theirs. Only processes that use this module respect the locks.

use crate::{Error, Result};
use nix::unistd::getuid;
use std::env;
use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 20_000;
const COUNT: u32 = 12_000;
/// How many ports are tried before giving up.
const TRIES: u32 = 2_000;

/// A port reserved until this value is dropped.
#[derive(Debug)]
pub(crate) struct Port {
    pub(crate) number: u16,
    _lock: File,
}

/// Reserves a port nobody listens on.
pub(crate) fn reserve() -> Result<Port> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let dir = env::temp_dir().join(format!("dbferry-ports-{}", getuid()));
    fs::create_dir_all(&dir).map_err(Error::path("create", &dir))?;
    for _ in 0..TRIES {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        // A prime stride spreads processes with neighbouring ids over the range.
        let offset = (process::id().wrapping_mul(61).wrapping_add(step)) % COUNT;
        let number = u16::try_from(FIRST + offset).expect("the range ends below 65536");
        let path = dir.join(number.to_string());
        let lock = File::create(&path).map_err(Error::path("create", &path))?;
        if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
            return Ok(Port { number, _lock: lock });
        }
    }
    Err(Error::Start {
        what: "a server".into(),
        reason: format!("no free port in {FIRST}..{}", FIRST + COUNT),
        log: String::new(),
    })
}
