//! zip: finds the member that is the SQL file, and checks it when it has been read.
//!
//! Promises: from a file the directory decides which member it is, before anything is read; from
//! a pipe it is the first file, and a further one that could have been meant is an error at the
//! end. Length and checksum are verified. Does not decrypt, nor join volumes.

use std::io::{self, Read, Seek, SeekFrom};

use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

use super::codec::Codec;
use super::feed::{Feed, Next};
use super::{Damaged, Error, Flaw, Kind};

/// How many names an error lists.
const NAMES_MAX: usize = 10;
/// How much of a name an error shows.
const NAME_CHARS_MAX: usize = 100;
/// The end record is within this many bytes of the end: itself, and a comment of 64 KiB.
const END_RECORD_BYTES_MAX: i64 = 22 + 65_535;

const LOCAL_HEADER: &[u8] = b"PK\x03\x04";
const DIRECTORY_HEADER: &[u8] = b"PK\x01\x02";
const END_RECORD: &[u8] = b"PK\x05\x06";
const END_RECORD_64: &[u8] = b"PK\x06\x06";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

const ENCRYPTED: u16 = 1;
const HAS_DESCRIPTOR: u16 = 8;

/// The member that is being read, and what is known about its end.
pub(super) struct Entry {
    name: String,
    data_start: u64,
    crc: flate2::Crc,
    expected: Option<Sums>,
    piped: bool,
}

/// A member to be decoded: the feed stands at its first byte.
pub(super) type Member<R> = (Feed<R>, Codec, Entry);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Sums {
    crc: u32,
    compressed: u64,
    size: u64,
}

impl Entry {
    /// Takes note of delivered bytes.
    pub(super) fn note(&mut self, bytes: &[u8]) {
        self.crc.update(bytes);
    }

    /// Checks the member that has just ended and, from a pipe, what comes after it.
    pub(super) fn finish<R: Read>(&self, feed: &mut Feed<R>, size: u64) -> io::Result<Next> {
        let compressed = feed.offset() - self.data_start;
        let found = Sums { crc: self.crc.sum(), compressed, size };
        let right = match self.expected {
            Some(expected) => expected == found,
            None => match take_descriptor(feed, found)? {
                Some(right) => right,
                None => return Ok(Next::Bad(Flaw::Truncated)),
            },
        };
        if !right {
            return Ok(Next::Bad(Flaw::Corrupt("checksum or length mismatch".to_owned())));
        }
        if self.piped { self.finish_pipe(feed) } else { Ok(Next::End) }
    }

    fn finish_pipe<R: Read>(&self, feed: &mut Feed<R>) -> io::Result<Next> {
        if !feed.fill_to(LOCAL_HEADER.len())?.starts_with(LOCAL_HEADER) {
            return skip_directory(feed);
        }
        let Some(other) = take_local_header(feed)? else { return Ok(Next::Bad(Flaw::Truncated)) };
        if is_file(&other.raw_name) && (is_sql(&other.raw_name) || !is_sql(self.name.as_bytes())) {
            return Ok(Next::Bad(Flaw::SecondMember(printable(&other.raw_name))));
        }
        feed.drain()?;
        Ok(Next::End)
    }
}

/// Opens the one SQL file of a zip file.
pub(super) fn open_seekable<R: Read + Seek>(mut source: R) -> Result<Member<R>, Error> {
    require_end_record(&mut source)?;
    let mut archive = ZipArchive::new(source).map_err(zip_error)?;
    let index = choose(&archive)?;
    let member = archive.by_index_raw(index).map_err(zip_error)?;
    let name = printable(member.name_raw());
    if member.encrypted() {
        return Err(Error::ZipEncrypted { name });
    }
    let sums =
        Sums { crc: member.crc32(), compressed: member.compressed_size(), size: member.size() };
    let codec = codec_of(member.compression(), &name, sums.compressed)?;
    let Some(data_start) = member.data_start() else {
        return Err(damaged(0, Flaw::Corrupt("a member without data".to_owned())));
    };
    drop(member);
    let mut source = archive.into_inner();
    source.seek(SeekFrom::Start(data_start))?;
    let entry =
        Entry { name, data_start, crc: flate2::Crc::new(), expected: Some(sums), piped: false };
    Ok((Feed::new(source, data_start), codec, entry))
}

/// Opens the first file of a zip that comes through a pipe.
pub(super) fn open_stream<R: Read>(mut feed: Feed<R>) -> Result<Member<R>, Error> {
    if feed.fill_to(DESCRIPTOR.len())?.starts_with(DESCRIPTOR) {
        // The mark of an archive that was meant to be split and was not.
        feed.consume(DESCRIPTOR.len());
    }
    let header = loop {
        let head = feed.fill_to(LOCAL_HEADER.len())?;
        if head.starts_with(END_RECORD) || head.starts_with(DIRECTORY_HEADER) {
            return Err(Error::ZipEmpty);
        }
        let begins = head.starts_with(LOCAL_HEADER);
        let Some(header) = take_local_header(&mut feed)? else {
            return Err(damaged(feed.end_offset(), Flaw::Truncated));
        };
        if !begins {
            let why = "no member where one should begin".to_owned();
            return Err(damaged(feed.offset(), Flaw::Corrupt(why)));
        }
        if is_file(&header.raw_name) || header.sums.compressed != 0 {
            break header;
        }
    };
    let name = printable(&header.raw_name);
    if header.flags & ENCRYPTED != 0 {
        return Err(Error::ZipEncrypted { name });
    }
    let described = header.flags & HAS_DESCRIPTOR != 0;
    let method = match method_of(header.method) {
        Ok(method) => method,
        Err(method) => return Err(Error::ZipMethod { name, method }),
    };
    if described && method == CompressionMethod::STORE {
        return Err(Error::ZipNotStreamable { name });
    }
    let codec = codec_of(method, &name, header.sums.compressed)?;
    let expected = (!described).then_some(header.sums);
    let data_start = feed.offset();
    let entry = Entry { name, data_start, crc: flate2::Crc::new(), expected, piped: true };
    Ok((feed, codec, entry))
}

fn codec_of(method: CompressionMethod, name: &str, compressed: u64) -> Result<Codec, Error> {
    Ok(match method {
        CompressionMethod::STORE => Codec::stored(compressed),
        CompressionMethod::DEFLATE => Codec::deflate(),
        CompressionMethod::BZIP2 => Codec::bzip2(),
        CompressionMethod::ZSTD => Codec::zstd()?,
        CompressionMethod::XZ => Codec::xz()?,
        other => {
            return Err(Error::ZipMethod { name: name.to_owned(), method: format!("{other:?}") });
        }
    })
}

/// The method of a local header; what is not in the list is named by its number.
fn method_of(number: u16) -> Result<CompressionMethod, String> {
    Ok(match number {
        0 => CompressionMethod::STORE,
        8 => CompressionMethod::DEFLATE,
        12 => CompressionMethod::BZIP2,
        93 => CompressionMethod::ZSTD,
        95 => CompressionMethod::XZ,
        _ => return Err(format!("{}({number})", CompressionMethod::name_from_u16(number))),
    })
}

/// The only file, or else the only one that ends in `.sql`.
fn choose<R: Read + Seek>(archive: &ZipArchive<R>) -> Result<usize, Error> {
    let files: Vec<(usize, &[u8])> =
        archive.file_names_raw().enumerate().filter(|(_, name)| is_file(name)).collect();
    let mut scripts = files.iter().filter(|(_, name)| is_sql(name));
    match (files.as_slice(), scripts.next(), scripts.next()) {
        ([], _, _) => Err(Error::ZipEmpty),
        ([(index, _)], _, _) | (_, Some((index, _)), None) => Ok(*index),
        (_, _, _) => Err(Error::ZipAmbiguous {
            count: files.len(),
            names: files.iter().take(NAMES_MAX).map(|(_, name)| printable(name)).collect(),
        }),
    }
}

/// Neither a directory nor what macOS adds to every archive.
fn is_file(name: &[u8]) -> bool {
    !name.ends_with(b"/") && !name.ends_with(b"\\") && !name.starts_with(b"__MACOSX/")
}

fn is_sql(name: &[u8]) -> bool {
    name.len() >= 4 && name[name.len() - 4..].eq_ignore_ascii_case(b".sql")
}

/// A name from the archive as it may go to a terminal.
fn printable(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name);
    text.chars()
        .take(NAME_CHARS_MAX)
        .map(|letter| if letter.is_control() { '\u{fffd}' } else { letter })
        .collect()
}

fn damaged(compressed_offset: u64, what: Flaw) -> Error {
    Error::Damaged(Damaged { kind: Kind::Zip, compressed_offset, decompressed_offset: 0, what })
}

fn zip_error(error: ZipError) -> Error {
    match error {
        ZipError::Io(error) if error.kind() != io::ErrorKind::UnexpectedEof => Error::Io(error),
        other => damaged(0, Flaw::Corrupt(other.to_string())),
    }
}

/// A zip without its end is a truncated one; said here, as the library only says "invalid".
fn require_end_record<R: Read + Seek>(source: &mut R) -> Result<(), Error> {
    let length = source.seek(SeekFrom::End(0))?;
    let back = END_RECORD_BYTES_MAX.min(i64::try_from(length).unwrap_or(i64::MAX));
    source.seek(SeekFrom::End(-back))?;
    let mut tail = Vec::new();
    source.take(back.unsigned_abs()).read_to_end(&mut tail)?;
    if memchr::memmem::rfind(&tail, END_RECORD).is_some_and(|at| at + 22 <= tail.len()) {
        return Ok(());
    }
    Err(damaged(length, Flaw::Truncated))
}

struct LocalHeader {
    flags: u16,
    method: u16,
    sums: Sums,
    raw_name: Vec<u8>,
}

/// None: the data ends within the header.
fn take_local_header<R: Read>(feed: &mut Feed<R>) -> io::Result<Option<LocalHeader>> {
    const FIXED_BYTES: usize = 30;
    let Some(fixed) = feed.fill_to(FIXED_BYTES)?.first_chunk::<FIXED_BYTES>().copied() else {
        return Ok(None);
    };
    feed.consume(FIXED_BYTES);
    let (name_bytes, extra_bytes) = (u16_at(&fixed, 26), u16_at(&fixed, 28));
    let Some(raw_name) = take(feed, usize::from(name_bytes))? else { return Ok(None) };
    let Some(extra) = take(feed, usize::from(extra_bytes))? else { return Ok(None) };
    let (compressed, size) = (u32_at(&fixed, 18), u32_at(&fixed, 22));
    let sums = Sums { crc: u32_at(&fixed, 14), compressed: compressed.into(), size: size.into() };
    let sums = if compressed == u32::MAX || size == u32::MAX { widen(sums, &extra) } else { sums };
    Ok(Some(LocalHeader { flags: u16_at(&fixed, 6), method: u16_at(&fixed, 8), sums, raw_name }))
}

/// The lengths of a large member are in the zip64 extra field, the uncompressed one first.
fn widen(mut sums: Sums, mut extra: &[u8]) -> Sums {
    while let Some((head, rest)) = extra.split_first_chunk::<4>() {
        let length = usize::from(u16_at(head, 2)).min(rest.len());
        let (mut field, after) = rest.split_at(length);
        if u16_at(head, 0) == 1 {
            for sum in [&mut sums.size, &mut sums.compressed] {
                if *sum == u64::from(u32::MAX)
                    && let Some((value, left)) = field.split_first_chunk::<8>()
                {
                    *sum = u64::from_le_bytes(*value);
                    field = left;
                }
            }
        }
        extra = after;
    }
    sums
}

/// Takes the descriptor after a member: with or without its mark, of 32 or 64 bit. Which one it
/// is shows only by comparison. None: the data ends within it; false: none fits.
fn take_descriptor<R: Read>(feed: &mut Feed<R>, found: Sums) -> io::Result<Option<bool>> {
    const LONGEST: usize = 24;
    let held = feed.fill_to(LONGEST + 2)?;
    let low = |value: u64| (value as u32).to_le_bytes();
    let narrow = [found.crc.to_le_bytes(), low(found.compressed), low(found.size)].concat();
    let (crc, wide) = (found.crc.to_le_bytes(), [found.compressed, found.size]);
    let wide = [&crc[..], &wide.map(u64::to_le_bytes).concat()].concat();
    let candidates = [&narrow, &wide].map(|sums| [sums.clone(), [DESCRIPTOR, sums].concat()]);
    let fits = |form: &&Vec<u8>| {
        held.starts_with(form) && held.get(form.len()..form.len() + 2) == Some(b"PK")
    };
    match candidates.as_flattened().iter().find(fits).map(Vec::len) {
        Some(length) => {
            feed.consume(length);
            Ok(Some(true))
        }
        None if held.len() < LONGEST + 2 => Ok(None),
        None => Ok(Some(false)),
    }
}

/// Reads the directory to the end of the archive, to know that nothing is cut off.
fn skip_directory<R: Read>(feed: &mut Feed<R>) -> io::Result<Next> {
    const FIXED_BYTES: usize = 46;
    loop {
        let head = feed.fill_to(FIXED_BYTES)?;
        if head.starts_with(END_RECORD_64) || (head.starts_with(END_RECORD) && head.len() >= 22) {
            feed.drain()?;
            return Ok(Next::End);
        }
        let Some(fixed) = head.first_chunk::<FIXED_BYTES>().copied() else {
            return Ok(Next::Bad(Flaw::Truncated));
        };
        if !fixed.starts_with(DIRECTORY_HEADER) {
            return Ok(Next::Bad(Flaw::TrailingGarbage(fixed[0])));
        }
        feed.consume(FIXED_BYTES);
        for at in [28, 30, 32] {
            if take(feed, usize::from(u16_at(&fixed, at)))?.is_none() {
                return Ok(Next::Bad(Flaw::Truncated));
            }
        }
    }
}

fn take<R: Read>(feed: &mut Feed<R>, count: usize) -> io::Result<Option<Vec<u8>>> {
    let bytes = feed.fill_to(count)?.get(..count).map(<[u8]>::to_vec);
    if bytes.is_some() {
        feed.consume(count);
    }
    Ok(bytes)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
