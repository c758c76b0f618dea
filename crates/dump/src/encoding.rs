//! Makes UTF-8 of what a file is written in, as far as the file itself says so.
//!
//! Promises: a UTF-8 byte order mark is dropped; UTF-16, with a mark or plainly without one, is
//! decoded in bounded memory; everything else passes untouched, read straight into the caller's
//! buffer. All text before a malformed unit is delivered before the error, which stays.
//! **Every offset that is counted on the output refers to the decoded text**, not to the file.
//!
//! Deliberately not here: checking UTF-8 (a dump holds binary data), and the legacy character sets
//! (the client's rules for them depend on `SET NAMES`, which only the lexer sees).

use std::fmt;
use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE};

/// How many first bytes decide.
const HEAD_BYTES: usize = 64;
/// Without a mark, UTF-16 is believed from this many bytes of plain ASCII on.
const UNMARKED_BYTES_MIN: usize = 4;
/// How much UTF-16 is decoded at once.
const UTF16_BYTES: usize = 64 * 1024;
/// Room for the same text as UTF-8: a unit of two bytes becomes at most three, and a little more.
const TEXT_BYTES: usize = UTF16_BYTES / 2 * 3 + 64;

/// What a text is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8 or any other that extends ASCII: passed through.
    Utf8,
    /// The same after a byte order mark, which is dropped.
    Utf8Bom,
    /// UTF-16, little endian.
    Utf16Le,
    /// UTF-16, big endian.
    Utf16Be,
}

impl fmt::Display for Encoding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf8Bom => "UTF-8 with a byte order mark",
            Self::Utf16Le => "UTF-16LE",
            Self::Utf16Be => "UTF-16BE",
        })
    }
}

/// A unit that is no text: half a surrogate pair, or an odd last byte. The inner error of the
/// [`io::Error`] that the reader gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed {encoding} at byte {encoded_offset} of the text as it is written")]
pub struct Malformed {
    /// What the text is written in.
    pub encoding: Encoding,
    /// Where the unit begins, in bytes before decoding (after decompression).
    pub encoded_offset: u64,
    /// How many bytes of decoded text come before it.
    pub decoded_offset: u64,
}

impl Malformed {
    /// The malformed unit inside an error that a reader returned, if that is what it is.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

/// Tells the encoding by the first bytes (64 of them, or all there are), and how many of them are
/// a byte order mark.
pub fn detect(head: &[u8]) -> (Encoding, usize) {
    match head {
        [0xef, 0xbb, 0xbf, ..] => (Encoding::Utf8Bom, 3),
        [0xff, 0xfe, ..] => (Encoding::Utf16Le, 2),
        [0xfe, 0xff, ..] => (Encoding::Utf16Be, 2),
        _ => (unmarked(&head[..head.len().min(HEAD_BYTES)]), 0),
    }
}

fn unmarked(head: &[u8]) -> Encoding {
    let (units, _) = head.as_chunks::<2>();
    let ascii = |byte: u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    if head.len() < UNMARKED_BYTES_MIN {
        Encoding::Utf8
    } else if units.iter().all(|[low, high]| ascii(*low) && *high == 0) {
        Encoding::Utf16Le
    } else if units.iter().all(|[high, low]| ascii(*low) && *high == 0) {
        Encoding::Utf16Be
    } else {
        Encoding::Utf8
    }
}

/// A reader of UTF-8 over a reader of bytes.
pub struct Decoded<R> {
    raw: Raw<R>,
    encoding: Option<Encoding>,
    utf16: Option<Box<Utf16>>,
}

/// The bytes before decoding: first those that were looked at, then an error that came with them.
struct Raw<R> {
    head: Vec<u8>,
    taken: usize,
    error: Option<io::Error>,
    inner: R,
}

impl<R: Read> Decoded<R> {
    /// Reads nothing yet.
    pub fn new(inner: R) -> Self {
        let raw = Raw { head: Vec::new(), taken: 0, error: None, inner };
        Self { raw, encoding: None, utf16: None }
    }

    /// The encoding, once something was read.
    pub fn encoding(&self) -> Option<Encoding> {
        self.encoding
    }

    /// The encoding; reads the first bytes when that has not happened. An error of the reader
    /// is not lost: it comes after the bytes before it.
    pub fn detect(&mut self) -> Encoding {
        if let Some(encoding) = self.encoding {
            return encoding;
        }
        self.raw.look_ahead();
        let (encoding, mark_bytes) = detect(&self.raw.head);
        self.raw.taken = mark_bytes;
        self.encoding = Some(encoding);
        self.utf16 = match encoding {
            Encoding::Utf8 | Encoding::Utf8Bom => None,
            Encoding::Utf16Le | Encoding::Utf16Be => {
                Some(Box::new(Utf16::new(encoding, mark_bytes)))
            }
        };
        encoding
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.encoding.is_none() {
            self.detect();
        }
        match &mut self.utf16 {
            None => self.raw.read(buffer),
            Some(utf16) => utf16.read(&mut self.raw, buffer),
        }
    }
}

impl<R: Read> Raw<R> {
    fn look_ahead(&mut self) {
        let result = (&mut self.inner).take(HEAD_BYTES as u64).read_to_end(&mut self.head);
        self.error = result.err();
    }
}

impl<R: Read> Read for Raw<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken < self.head.len() {
            let count = (&self.head[self.taken..]).read(buffer)?;
            self.taken += count;
            return Ok(count);
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => self.inner.read(buffer),
        }
    }
}

struct Utf16 {
    encoding: Encoding,
    decoder: Decoder,
    raw: Box<[u8]>,
    raw_start: usize,
    raw_end: usize,
    text: Box<[u8]>,
    text_start: usize,
    text_end: usize,
    encoded_offset: u64,
    decoded_offset: u64,
    end: End,
}

/// How far the input has come.
enum End {
    NotYet,
    Read,
    Decoded,
    Failed(Malformed),
}

impl Utf16 {
    fn new(encoding: Encoding, mark_bytes: usize) -> Self {
        let charset = if encoding == Encoding::Utf16Be { UTF_16BE } else { UTF_16LE };
        Self {
            encoding,
            decoder: charset.new_decoder_without_bom_handling(),
            raw: vec![0; UTF16_BYTES].into_boxed_slice(),
            raw_start: 0,
            raw_end: 0,
            text: vec![0; TEXT_BYTES].into_boxed_slice(),
            text_start: 0,
            text_end: 0,
            encoded_offset: mark_bytes as u64,
            decoded_offset: 0,
            end: End::NotYet,
        }
    }

    fn read(&mut self, source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.text_start < self.text_end {
                let count = (&self.text[self.text_start..self.text_end]).read(buffer)?;
                self.text_start += count;
                return Ok(count);
            }
            match &self.end {
                End::Decoded => return Ok(0),
                End::Failed(malformed) => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, malformed.clone()));
                }
                End::NotYet if self.raw_start == self.raw_end => self.fill(source)?,
                End::NotYet | End::Read => self.decode(),
            }
        }
    }

    fn fill(&mut self, source: &mut impl Read) -> io::Result<()> {
        self.raw_start = 0;
        self.raw_end = 0;
        self.raw_end = source.read(&mut self.raw)?;
        if self.raw_end == 0 {
            self.end = End::Read;
        }
        Ok(())
    }

    fn decode(&mut self) {
        let input = &self.raw[self.raw_start..self.raw_end];
        let last = matches!(self.end, End::Read);
        let (result, consumed, written) =
            self.decoder.decode_to_utf8_without_replacement(input, &mut self.text, last);
        self.raw_start += consumed;
        self.encoded_offset += consumed as u64;
        self.decoded_offset += written as u64;
        (self.text_start, self.text_end) = (0, written);
        match result {
            DecoderResult::OutputFull => {}
            DecoderResult::InputEmpty if last => self.end = End::Decoded,
            DecoderResult::InputEmpty => {}
            DecoderResult::Malformed(bad, after) => {
                let back = u64::from(bad) + u64::from(after);
                self.end = End::Failed(Malformed {
                    encoding: self.encoding,
                    encoded_offset: self.encoded_offset.saturating_sub(back),
                    decoded_offset: self.decoded_offset,
                });
            }
        }
    }
}
