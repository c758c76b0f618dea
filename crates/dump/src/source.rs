//! Where the bytes come from: a path, standard input, or any stream; and how they become text.
//!
//! Promises: the input is recognised, decompressed and decoded; decompression runs on a thread of
//! its own, at most [`pump::BUFFERS`] buffers ahead, and ends with the reader; plain text is read
//! without a thread. What cannot be read says why, typed, before anything is delivered.
//!
//! Deliberately not here: opening URLs (a caller passes a stream), watching a file grow.

mod pump;

use std::fmt;
use std::fs::{File, FileType};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::archive::{self, Kind};
use crate::encoding::{Decoded, Encoding};
use pump::Pump;

/// The name that means standard input.
pub const STDIN: &str = "-";

/// An input that is ready to be read.
pub struct Input {
    /// The path as it was given, or `-`.
    pub name: String,
    /// What it is compressed by.
    pub kind: Kind,
    /// What the text is written in.
    pub encoding: Encoding,
    /// Its size in bytes as it is stored, where that is known beforehand.
    pub size: Option<u64>,
    /// The text, decompressed and as UTF-8.
    pub reader: Box<dyn Read + Send>,
    /// How many bytes were read of `size`: the position in the file. It runs ahead of the reader
    /// by what is buffered. A zip is read from where its member begins to where that ends.
    pub consumed: Arc<AtomicU64>,
}

impl fmt::Debug for Input {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Input")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("encoding", &self.encoding)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

/// Why an input cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is nothing at the path.
    #[error("{}: no such file", path.display())]
    Missing {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path is a directory.
    #[error("{}: a directory, not a file", path.display())]
    Directory {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The file may not be read.
    #[error("{}: permission denied", path.display())]
    Permission {
        /// The path as it was given.
        path: PathBuf,
    },
    /// The path is a device or a socket.
    #[error("{}: {what}, not a file", path.display())]
    Special {
        /// The path as it was given.
        path: PathBuf,
        /// What it is, with the article.
        what: &'static str,
    },
    /// The input was read, and refused.
    #[error("{name}: {error}")]
    Archive {
        /// The path as it was given, or `-`.
        name: String,
        /// Why.
        #[source]
        error: archive::Error,
    },
    /// The input could not be opened or read.
    #[error("{name}: {error}")]
    Io {
        /// The path as it was given, or `-`.
        name: String,
        /// Why.
        #[source]
        error: io::Error,
    },
}

/// Opens inputs.
pub struct Source {
    name: String,
    size: Option<u64>,
    consumed: Arc<AtomicU64>,
}

impl Source {
    /// Opens a file or a named pipe; `-` is standard input. Opening a pipe waits for its writer.
    pub fn open(path: impl AsRef<Path>) -> Result<Input, Error> {
        let path = path.as_ref();
        if path.as_os_str() == STDIN {
            return Self::stdin();
        }
        // Before it is opened: opening a device may have effects, and a socket cannot be.
        let kind = std::fs::metadata(path).map_err(|error| path_error(path, error))?.file_type();
        refuse_special(path, kind)?;
        let file = File::open(path).map_err(|error| path_error(path, error))?;
        Self::file(path.display().to_string(), file)
    }

    /// Reads an open file, known to people by another name than its path.
    pub fn named(name: impl Into<String>, file: File) -> Result<Input, Error> {
        Self::file(name.into(), file)
    }

    /// Opens standard input, whatever it is. A redirected file is as good as its path.
    pub fn stdin() -> Result<Input, Error> {
        let name = STDIN.to_owned();
        match io::stdin().as_fd().try_clone_to_owned() {
            Ok(descriptor) => Self::file(name, File::from(descriptor)),
            Err(error) => Err(Error::Io { name, error }),
        }
    }

    /// Opens any stream of bytes: a download, or bytes in memory. Dropping the reader of a
    /// compressed one does not wait for a read that hangs; its thread ends when that returns.
    pub fn stream<R: Read + Send + 'static>(
        name: impl Into<String>,
        size: Option<u64>,
        reader: R,
    ) -> Result<Input, Error> {
        let source = Self { name: name.into(), size, consumed: Arc::default() };
        let opened = archive::open_stream(source.counted(reader));
        source.input(opened, Wait::Detach)
    }

    fn file(name: String, mut file: File) -> Result<Input, Error> {
        let metadata = match file.metadata() {
            Ok(metadata) => metadata,
            Err(error) => return Err(Error::Io { name, error }),
        };
        let from_start = metadata.is_file() && file.stream_position().is_ok_and(|at| at == 0);
        if !from_start {
            return Self::stream(name, None, file);
        }
        let source = Self { name, size: Some(metadata.len()), consumed: Arc::default() };
        let opened = archive::open(source.counted(file));
        source.input(opened, Wait::Join)
    }

    fn counted<R>(&self, inner: R) -> Counted<R> {
        Counted { inner, consumed: Arc::clone(&self.consumed) }
    }

    fn input(
        self,
        opened: Result<archive::Opened, archive::Error>,
        wait: Wait,
    ) -> Result<Input, Error> {
        let Self { name, size, consumed } = self;
        let (kind, bytes) = match opened {
            Ok(archive::Opened { kind, reader }) => (kind, reader),
            Err(error) => return Err(Error::Archive { name, error }),
        };
        let mut text = Decoded::new(bytes);
        let encoding = text.detect();
        let reader: Box<dyn Read + Send> = if kind == Kind::Plain {
            Box::new(text)
        } else {
            match Pump::start(text, wait) {
                Ok(pump) => Box::new(pump),
                Err(error) => return Err(Error::Io { name, error }),
            }
        };
        Ok(Input { name, kind, encoding, size, reader, consumed })
    }
}

/// What dropping the reader does about the thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Waits for it: it reads a file, so it looks at the stop flag soon.
    Join,
    /// Leaves it: it may hang in a read of a pipe, and ends when that returns.
    Detach,
}

fn path_error(path: &Path, error: io::Error) -> Error {
    let path = path.to_owned();
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Error::Missing { path },
        io::ErrorKind::PermissionDenied => Error::Permission { path },
        _ => Error::Io { name: path.display().to_string(), error },
    }
}

fn refuse_special(path: &Path, kind: FileType) -> Result<(), Error> {
    let what = if kind.is_block_device() {
        "a block device"
    } else if kind.is_char_device() {
        "a character device"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_dir() {
        return Err(Error::Directory { path: path.to_owned() });
    } else {
        return Ok(());
    };
    Err(Error::Special { path: path.to_owned(), what })
}

/// Keeps the position in the file where others can see it.
struct Counted<R> {
    inner: R,
    consumed: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.consumed.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = self.inner.seek(to)?;
        self.consumed.store(position, Ordering::Relaxed);
        Ok(position)
    }
}
