//! Recognises what a file is by its first bytes, and streams the text out of a compressed one.
//!
//! Promises: the kind is decided by content, never by name; every decoded byte before a flaw is
//! delivered before the flaw is reported; a flaw is an [`io::Error`] whose inner error is
//! [`Damaged`], and once reported it is reported again by every later read, so a damaged archive
//! never looks like a short one. Memory is bounded (zstd and xz: by what their header asks for,
//! up to [`ZSTD_WINDOW_LOG_MAX`] and [`XZ_MEMORY_BYTES_MAX`]). Bad input never panics.
//!
//! Deliberately not here: archives in archives, tar, encrypted zip members, .lzma and .Z files,
//! threads (see [`crate::source`]), and guessing what a bare text is (see [`crate::encoding`]).

mod codec;
mod decoder;
mod feed;
mod magic;
mod zipped;

use std::fmt;
use std::io::{self, Cursor, Read, Seek, SeekFrom};

use codec::Codec;
use decoder::{Decoder, Layout};
use feed::Feed;

pub use codec::{XZ_MEMORY_BYTES_MAX, ZSTD_WINDOW_LOG_MAX};
pub use magic::detect;

/// How many first bytes [`detect`] wants to see; fewer only when the input is shorter.
pub const HEAD_BYTES: usize = 512;

/// What the first bytes of an input say it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not compressed, and nothing known that is not SQL: taken for text.
    Plain,
    /// gzip, one or many members.
    Gzip,
    /// Zstandard, one or many frames.
    Zstd,
    /// bzip2, one or many streams.
    Bzip2,
    /// xz, one or many streams.
    Xz,
    /// zip with one member that can be the SQL file.
    Zip,
    /// Something that cannot be imported, named with its article: "a PDF document".
    Foreign(&'static str),
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zip => "zip",
            Self::Foreign(what) => what,
        })
    }
}

/// A compressed input that cannot be decoded to its end; the inner error of the [`io::Error`] that
/// a reader gives after it has delivered all bytes before the flaw. See [`Damaged::of`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The kind of the archive.
    pub kind: Kind,
    /// Truncated: where the compressed data ends. Trailing garbage: where it begins. Else: how much
    /// of the compressed file was taken in when the flaw showed, which is at or a little after it.
    pub compressed_offset: u64,
    /// How many decompressed bytes were delivered before the flaw.
    pub decompressed_offset: u64,
    /// What is wrong.
    pub what: Flaw,
}

/// What is wrong with a damaged archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The data ends before the archive does.
    Truncated,
    /// The data contradicts itself; the text is the decoder's.
    Corrupt(String),
    /// A complete archive is followed by this byte, which begins no further member.
    TrailingGarbage(u8),
    /// The header asks for more memory than the limit, in bytes.
    TooMuchMemory(u64),
    /// A zip read from a pipe turned out, after its first member, to hold this one too.
    SecondMember(String),
}

impl Damaged {
    /// The damage inside an error that a reader returned, if that is what it is.
    pub fn of(error: &io::Error) -> Option<&Self> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, compressed_offset: at, decompressed_offset: after, what } = self;
        match what {
            Flaw::Truncated => {
                write!(formatter, "truncated {kind}: the data ends at compressed byte {at}")?
            }
            Flaw::Corrupt(why) => {
                write!(formatter, "corrupt {kind} near compressed byte {at}: {why}")?
            }
            Flaw::TrailingGarbage(byte) => {
                write!(
                    formatter,
                    "{kind} ends at compressed byte {at}, but garbage follows (0x{byte:02x})"
                )?;
            }
            Flaw::TooMuchMemory(limit) => {
                write!(formatter, "{kind} needs more than {limit} bytes of memory to decode")?;
            }
            Flaw::SecondMember(name) => write!(
                formatter,
                "{kind} has a second member '{name}' at compressed byte {at}: from a pipe only one can be read, so give the file's path"
            )?,
        }
        write!(formatter, " ({after} bytes decompressed)")
    }
}

impl std::error::Error for Damaged {}

impl From<Damaged> for io::Error {
    fn from(damaged: Damaged) -> Self {
        let kind = match damaged.what {
            Flaw::Truncated => io::ErrorKind::UnexpectedEof,
            Flaw::TooMuchMemory(_) => io::ErrorKind::OutOfMemory,
            Flaw::Corrupt(_) | Flaw::TrailingGarbage(_) | Flaw::SecondMember(_) => {
                io::ErrorKind::InvalidData
            }
        };
        Self::new(kind, damaged)
    }
}

/// Why an input is refused before any of it is delivered.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The input is recognised, and is not SQL.
    #[error("this is {what}, not SQL text")]
    Foreign {
        /// Its name with the article.
        what: &'static str,
    },
    /// The archive's content is again an archive, or not SQL.
    #[error("the {outer} holds {inner}, not SQL text: unpack it first")]
    Nested {
        /// The archive that was opened.
        outer: Kind,
        /// What was found in it, with the article.
        inner: String,
    },
    /// The zip holds no file.
    #[error("the zip holds no file")]
    ZipEmpty,
    /// The zip holds several files, and not exactly one of them ends in `.sql`.
    #[error("the zip holds {count} files and not exactly one .sql: {}", names.join(", "))]
    ZipAmbiguous {
        /// How many files there are.
        count: usize,
        /// Their names, the first few, with control characters escaped.
        names: Vec<String>,
    },
    /// The zip's member is encrypted.
    #[error("'{name}' in the zip is encrypted: unpack it first")]
    ZipEncrypted {
        /// The member's name.
        name: String,
    },
    /// The zip's member is compressed by a method that is not supported.
    #[error(
        "'{name}' in the zip is compressed by {method}, which is not supported: unpack it first"
    )]
    ZipMethod {
        /// The member's name.
        name: String,
        /// The method's name.
        method: String,
    },
    /// The zip comes from a pipe, and its member does not say where it ends.
    #[error("'{name}' in the zip cannot be read from a pipe: give the file's path")]
    ZipNotStreamable {
        /// The member's name.
        name: String,
    },
    /// The archive cannot be used at all; nothing of it was decoded.
    #[error(transparent)]
    Damaged(#[from] Damaged),
    /// The input could not be read.
    #[error("reading the input: {0}")]
    Io(#[from] io::Error),
}

/// A recognised input and its decompressed bytes.
pub struct Opened {
    /// What was recognised; never [`Kind::Foreign`].
    pub kind: Kind,
    /// The text. Plain input is read straight from the source into the caller's buffer.
    pub reader: Box<dyn Read + Send>,
}

impl fmt::Debug for Opened {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Opened").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Opens an input that can seek, from its beginning.
pub fn open<R: Read + Seek + Send + 'static>(mut source: R) -> Result<Opened, Error> {
    source.seek(SeekFrom::Start(0))?;
    let head = read_head(&mut source)?;
    if detect(&head) == Kind::Zip {
        return settle_zip(zipped::open_seekable(source)?);
    }
    open_headed(head, source)
}

/// Opens an input that can only be read forward: a pipe, a download.
pub fn open_stream<R: Read + Send + 'static>(mut source: R) -> Result<Opened, Error> {
    let head = read_head(&mut source)?;
    open_headed(head, source)
}

fn open_headed<R: Read + Send + 'static>(head: Vec<u8>, source: R) -> Result<Opened, Error> {
    let kind = detect(&head);
    let whole = Cursor::new(head).chain(source);
    let codec = match kind {
        Kind::Plain => return Ok(Opened { kind, reader: Box::new(whole) }),
        Kind::Foreign(what) => return Err(Error::Foreign { what }),
        Kind::Zip => return settle_zip(zipped::open_stream(Feed::new(whole, 0))?),
        Kind::Gzip => Codec::gzip(),
        Kind::Zstd => Codec::zstd()?,
        Kind::Bzip2 => Codec::bzip2(),
        Kind::Xz => Codec::xz()?,
    };
    let decoder = Decoder::new(kind, Feed::new(whole, 0), codec, Layout::Members);
    settle(kind, Box::new(decoder))
}

fn settle_zip<R: Read + Send + 'static>(member: zipped::Member<R>) -> Result<Opened, Error> {
    let (feed, codec, entry) = member;
    settle(Kind::Zip, Box::new(Decoder::new(Kind::Zip, feed, codec, Layout::Entry(entry))))
}

/// Looks at the first decompressed bytes, so that an archive in an archive is refused at once.
fn settle(kind: Kind, mut reader: Box<dyn Read + Send>) -> Result<Opened, Error> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    match fill_head(&mut reader, &mut head) {
        Ok(()) => {}
        // The decoder tells the same again once the head is delivered.
        Err(error) if Damaged::of(&error).is_some() => {}
        Err(error) => return Err(Error::Io(error)),
    }
    let inner = match detect(&head) {
        Kind::Plain => {
            return Ok(Opened { kind, reader: Box::new(Cursor::new(head).chain(reader)) });
        }
        Kind::Foreign(what) => what.to_owned(),
        again @ (Kind::Gzip | Kind::Zstd | Kind::Bzip2 | Kind::Xz | Kind::Zip) => {
            format!("another archive ({again})")
        }
    };
    Err(Error::Nested { outer: kind, inner })
}

fn read_head(source: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    fill_head(source, &mut head)?;
    Ok(head)
}

fn fill_head(source: &mut impl Read, head: &mut Vec<u8>) -> io::Result<()> {
    source.take(HEAD_BYTES as u64).read_to_end(head).map(drop)
}
