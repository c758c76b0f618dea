//! Remembers the first and the last bytes of a stream while it is read: that is where tools write
//! about themselves, in comments that the reader drops.

use std::collections::VecDeque;
use std::io::{self, Read};

/// Passes a stream on and keeps its end.
pub(super) struct Tap<R> {
    source: R,
    kept: usize,
    tail: VecDeque<u8>,
}

impl<R: Read> Tap<R> {
    /// Keeps the last `kept` bytes.
    pub(super) fn new(source: R, kept: usize) -> Tap<R> {
        Tap { source, kept, tail: VecDeque::with_capacity(kept) }
    }

    /// Reads up to `length` bytes ahead. An error is given with what came before it.
    pub(super) fn head(&mut self, length: usize) -> (Vec<u8>, Option<io::Error>) {
        let mut head = vec![0; length];
        let mut filled = 0;
        let mut failed = None;
        while filled < length {
            match self.read(&mut head[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        head.truncate(filled);
        (head, failed)
    }

    /// The last bytes that were read.
    pub(super) fn tail(&mut self) -> &[u8] {
        self.tail.make_contiguous()
    }
}

impl<R: Read> Read for Tap<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.source.read(buffer)?;
        let new = &buffer[read.saturating_sub(self.kept)..read];
        let surplus = (self.tail.len() + new.len()).saturating_sub(self.kept);
        self.tail.drain(..surplus.min(self.tail.len()));
        self.tail.extend(new);
        Ok(read)
    }
}

/// Gives an error that came while reading ahead, at its place; then passes the stream on.
pub(super) struct Failing<R> {
    pub(super) failed: Option<io::Error>,
    pub(super) inner: R,
}

impl<R: Read> Read for Failing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => self.inner.read(buffer),
        }
    }
}
