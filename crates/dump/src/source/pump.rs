//! Runs a reader on a thread of its own, so that decompression and lexing overlap.
//!
//! Promises: bytes and errors come in order; memory is [`BUFFERS`] buffers of [`BUFFER_BYTES`],
//! reused; the thread ends when the pump is dropped; should it die, that is an error, not an end.
//! Does not start on a `read` that hangs: a thread that waits for a pipe ends when that returns.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use super::Wait;
use crate::archive::Damaged;
use crate::encoding::Malformed;

/// How many buffers there are, filled or empty.
pub(super) const BUFFERS: usize = 4;
/// The size of one.
pub(super) const BUFFER_BYTES: usize = 1024 * 1024;

enum Parcel {
    Bytes { buffer: Vec<u8>, length: usize },
    End,
    Failed(io::Error),
}

pub(super) struct Pump {
    parcels: Option<Receiver<Parcel>>,
    empties: Option<SyncSender<Vec<u8>>>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    state: State,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    wait: Wait,
}

enum State {
    Running,
    Ended,
    Failed(io::Error),
}

impl Pump {
    pub(super) fn start<R: Read + Send + 'static>(reader: R, wait: Wait) -> io::Result<Self> {
        // Room for every buffer and for the last word, so that the thread never waits to send.
        let (parcel_sender, parcels) = sync_channel(BUFFERS + 1);
        let (empties, empty_receiver) = sync_channel(BUFFERS);
        for _ in 0..BUFFERS {
            empties.send(Vec::new()).map_err(io::Error::other)?;
        }
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("decompress".to_owned())
            .spawn(move || run(reader, &empty_receiver, &parcel_sender, &stopped))?;
        Ok(Self {
            parcels: Some(parcels),
            empties: Some(empties),
            buffer: Vec::new(),
            start: 0,
            end: 0,
            state: State::Running,
            stop,
            thread: Some(thread),
            wait,
        })
    }

    /// Takes the next parcel; leaves no bytes at the end.
    fn next(&mut self) -> io::Result<()> {
        let parcel = self.parcels.as_ref().and_then(|parcels| parcels.recv().ok());
        match parcel {
            Some(Parcel::Bytes { buffer, length }) => {
                let empty = std::mem::replace(&mut self.buffer, buffer);
                (self.start, self.end) = (0, length);
                // The first one given back is not one of the thread's; the channel has no room
                // for more than there are, and the thread may be gone: neither matters.
                if let Some(empties) = self.empties.as_ref().filter(|_| !empty.is_empty()) {
                    drop(empties.try_send(empty));
                }
                Ok(())
            }
            Some(Parcel::End) => {
                self.state = State::Ended;
                Ok(())
            }
            Some(Parcel::Failed(error)) => self.fail(error),
            None => self.fail(io::Error::other("the decompression thread died")),
        }
    }

    fn fail(&mut self, error: io::Error) -> io::Result<()> {
        self.state = State::Failed(again(&error));
        Err(error)
    }
}

impl Read for Pump {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        while self.start == self.end {
            match &self.state {
                State::Running => self.next()?,
                State::Ended => return Ok(0),
                State::Failed(error) => return Err(again(error)),
            }
        }
        let count = (&self.buffer[self.start..self.end]).read(output)?;
        self.start += count;
        Ok(count)
    }
}

impl Drop for Pump {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.parcels = None;
        self.empties = None;
        if let Some(thread) = self.thread.take().filter(|_| self.wait == Wait::Join) {
            // A panic of the thread was reported by its own hook, and as an error of the reader.
            drop(thread.join());
        }
    }
}

/// The same error once more: who reads on after an error must not take the rest for the end.
fn again(error: &io::Error) -> io::Error {
    if let Some(damaged) = Damaged::of(error) {
        damaged.clone().into()
    } else if let Some(malformed) = Malformed::of(error) {
        io::Error::new(error.kind(), malformed.clone())
    } else {
        io::Error::new(error.kind(), error.to_string())
    }
}

fn run(
    mut reader: impl Read,
    empties: &Receiver<Vec<u8>>,
    parcels: &SyncSender<Parcel>,
    stop: &AtomicBool,
) {
    while let Ok(mut buffer) = empties.recv() {
        buffer.resize(BUFFER_BYTES, 0);
        let (length, last) = fill(&mut reader, &mut buffer, stop);
        if length > 0 && parcels.send(Parcel::Bytes { buffer, length }).is_err() {
            return;
        }
        if let Some(last) = last {
            // When nobody listens any more, nobody is left to be told.
            drop(parcels.send(last));
            return;
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

fn fill(reader: &mut impl Read, buffer: &mut [u8], stop: &AtomicBool) -> (usize, Option<Parcel>) {
    let mut length = 0;
    while length < buffer.len() && !stop.load(Ordering::Relaxed) {
        match reader.read(&mut buffer[length..]) {
            Ok(0) => return (length, Some(Parcel::End)),
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return (length, Some(Parcel::Failed(error))),
        }
    }
    (length, None)
}
