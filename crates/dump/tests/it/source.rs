//! Inputs from paths, pipes and streams: counted, overlapped, and gone when dropped.

use std::io::{self, Cursor, Read, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use dump::archive::{Damaged, Flaw, Kind};
use dump::encoding::Encoding;
use dump::source::{Error, Input, Source};

use crate::archive::pack;

const KINDS: [Kind; 6] = [Kind::Plain, Kind::Gzip, Kind::Zstd, Kind::Bzip2, Kind::Xz, Kind::Zip];
/// Long enough for a loaded machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn script(rows: u32) -> Vec<u8> {
    let mut text = Vec::new();
    for row in 0..rows {
        writeln!(text, "INSERT INTO t VALUES ({row}, {});", row.wrapping_mul(2_654_435_761))
            .unwrap();
    }
    text
}

fn read_all(input: &mut Input) -> Vec<u8> {
    let mut text = Vec::new();
    input.reader.read_to_end(&mut text).unwrap();
    text
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> std::path::PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn every_kind_is_read_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let text = script(200_000);
    for kind in KINDS {
        let packed = pack(kind, &text);
        let path = write(folder.path(), "dump", &packed);
        let mut input = Source::open(&path).unwrap();
        assert_eq!((input.kind, input.encoding), (kind, Encoding::Utf8));
        assert_eq!(input.name, path.display().to_string());
        assert_eq!(input.size, Some(packed.len() as u64));
        assert!(read_all(&mut input) == text);
        assert_eq!(input.reader.read(&mut [0; 9]).unwrap(), 0);
        let missing = packed.len() as u64 - input.consumed.load(Ordering::Relaxed);
        assert!(missing == 0 || (kind == Kind::Zip && missing < 100), "{kind}: {missing} missing");
    }
}

#[test]
fn utf16_in_an_archive_is_decoded() {
    let text = String::from_utf8(script(60_000)).unwrap();
    let utf16: Vec<u8> =
        format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for kind in KINDS {
        let mut input = Source::stream("x", None, Cursor::new(pack(kind, &utf16))).unwrap();
        assert_eq!((input.kind, input.encoding), (kind, Encoding::Utf16Le));
        assert!(read_all(&mut input) == text.as_bytes());
    }
}

#[test]
fn damage_comes_after_the_text_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let text = script(300_000);
    let packed = pack(Kind::Gzip, &text);
    let cut = packed.len() - 10;
    let path = write(folder.path(), "cut.gz", &packed[..cut]);
    let mut input = Source::open(path).unwrap();
    let mut read = Vec::new();
    for _ in 0..2 {
        let error = input.reader.read_to_end(&mut read).unwrap_err();
        let damaged = Damaged::of(&error).unwrap();
        assert_eq!((&damaged.what, damaged.compressed_offset), (&Flaw::Truncated, cut as u64));
        assert_eq!(damaged.decompressed_offset, read.len() as u64);
    }
    assert!(text.starts_with(&read) && read.len() + 100 > text.len());
}

#[test]
fn dropping_the_reader_ends_the_thread() {
    let folder = tempfile::tempdir().unwrap();
    let text = script(500_000);
    for kind in KINDS {
        let path = write(folder.path(), "dump", &pack(kind, &text));
        let Input { mut reader, consumed, .. } = Source::open(path).unwrap();
        reader.read_exact(&mut [0; 1000]).unwrap();
        drop(reader);
        assert_eq!(Arc::strong_count(&consumed), 1, "{kind}: the thread still has its file");
    }
}

/// Gives what it gets through a channel; tells through another that it was dropped.
struct Slow {
    bytes: Receiver<Vec<u8>>,
    held: Cursor<Vec<u8>>,
    waits: Sender<()>,
    _dropped: Sender<()>,
}

impl Read for Slow {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.held.position() == self.held.get_ref().len() as u64 {
            self.waits.send(()).ok();
            self.held = Cursor::new(self.bytes.recv().unwrap_or_default());
        }
        self.held.read(buffer)
    }
}

#[test]
fn dropping_does_not_wait_for_a_hanging_stream() {
    let packed = pack(Kind::Gzip, &script(100_000));
    let ((sender, bytes), (waits, waiting), (dropped, gone)) = (channel(), channel(), channel());
    sender.send(packed[..packed.len() / 2].to_vec()).unwrap();
    let slow = Slow { bytes, held: Cursor::default(), waits, _dropped: dropped };
    let input = Source::stream("slow", None, slow).unwrap();
    waiting.recv_timeout(PATIENCE).unwrap();
    waiting.recv_timeout(PATIENCE).expect("the thread waits for the second half");
    drop(input);
    sender.send(packed[packed.len() / 2..].to_vec()).unwrap();
    let ended = gone.recv_timeout(PATIENCE).unwrap_err();
    assert_eq!(ended, std::sync::mpsc::RecvTimeoutError::Disconnected, "the thread is gone");
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| Source::open(path).unwrap_err();
    assert!(matches!(error(&folder.path().join("none")), Error::Missing { .. }));
    let file = write(folder.path(), "file", b"SELECT 1;");
    assert!(matches!(error(&file.join("below")), Error::Missing { .. }));
    assert!(matches!(error(folder.path()), Error::Directory { .. }));
    let null = error(Path::new("/dev/null"));
    assert_eq!(null.to_string(), "/dev/null: a character device, not a file");
    let socket = folder.path().join("socket");
    let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    assert!(matches!(error(&socket), Error::Special { what: "a socket", .. }));
    let pdf = write(folder.path(), "a.sql", b"%PDF-1.4");
    let expected = format!("{}: this is a PDF document, not SQL text", pdf.display());
    assert_eq!(error(&pdf).to_string(), expected);
}

#[test]
fn an_empty_file_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let mut input = Source::open(write(folder.path(), "empty", b"")).unwrap();
    assert_eq!((input.kind, input.size), (Kind::Plain, Some(0)));
    assert!(read_all(&mut input).is_empty());
}

#[test]
fn a_named_pipe_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let text = script(100_000);
    for kind in KINDS {
        let path = folder.path().join(kind.to_string());
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        let (target, packed) = (path.clone(), pack(kind, &text));
        let writer = std::thread::spawn(move || std::fs::write(target, packed));
        let mut input = Source::open(&path).unwrap();
        assert_eq!((input.kind, input.size), (kind, None));
        assert!(read_all(&mut input) == text);
        writer.join().unwrap().unwrap();
    }
}
