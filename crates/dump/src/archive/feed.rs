//! The compressed side: a buffered reader that knows its offset in the file.
//!
//! Promises: bytes stay until consumed; an error of the source loses nothing. Does not decode.

use std::io::{self, Read};

use super::Flaw;

/// How much compressed data is held. Larger than any zip header field (64 KiB).
const INPUT_BYTES: usize = 128 * 1024;

pub(super) struct Feed<R> {
    source: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    offset: u64,
    eof: bool,
}

/// What is next in a file when a member has ended.
pub(super) enum Next {
    Member,
    End,
    Bad(Flaw),
}

impl<R: Read> Feed<R> {
    /// Reads from `source`, whose next byte is byte `offset` of the file.
    pub(super) fn new(source: R, offset: u64) -> Self {
        let buffer = vec![0; INPUT_BYTES].into_boxed_slice();
        Self { source, buffer, start: 0, end: 0, offset, eof: false }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// The file offset of the next byte that is not consumed.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The file offset after the last byte that is held: at the end of the input, its length.
    pub(super) fn end_offset(&self) -> u64 {
        self.offset + (self.end - self.start) as u64
    }

    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(count <= self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Makes sure that there are bytes; false at the end of the input.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        self.fill_to(1).map(|bytes| !bytes.is_empty())
    }

    /// Makes sure that there are `count` bytes; fewer only at the end of the input.
    pub(super) fn fill_to(&mut self, count: usize) -> io::Result<&[u8]> {
        assert!(count <= self.buffer.len(), "more than the buffer can hold");
        while self.end - self.start < count && !self.eof {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            match self.source.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.eof = true,
                Ok(read) => self.end += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.bytes())
    }

    /// Reads to the end, so that whoever writes the pipe is not cut off.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        while self.fill()? {
            self.consume(self.bytes().len());
        }
        Ok(())
    }
}
