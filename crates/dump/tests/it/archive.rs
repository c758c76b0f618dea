//! Archives: recognised, decoded, and when damaged, said so after all that could be decoded.
//!
//! The files in `test_data/archive` were made by the real tools (gzip 1.12, bzip2 1.0.8, xz 5.4.1,
//! zstd 1.5.4, Info-ZIP 3.0). Throughput is not tested here.

use std::io::{self, Cursor, Read, Write};
use std::path::PathBuf;

use dump::archive::{Damaged, Error, Flaw, HEAD_BYTES, Kind, detect, open, open_stream};
use proptest::prelude::*;

const COMPRESSED: [Kind; 5] = [Kind::Gzip, Kind::Zstd, Kind::Bzip2, Kind::Xz, Kind::Zip];

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("test_data/archive").join(name);
    std::fs::read(path).unwrap()
}

pub(crate) fn pack(kind: Kind, text: &[u8]) -> Vec<u8> {
    match kind {
        Kind::Plain => text.to_vec(),
        Kind::Gzip => {
            let mut writer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        Kind::Zstd => {
            let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 1).unwrap();
            writer.include_checksum(true).unwrap();
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        Kind::Bzip2 => {
            let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        Kind::Xz => {
            let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 1);
            writer.write_all(text).unwrap();
            writer.finish().unwrap()
        }
        Kind::Zip => zip(&[("dump.sql", text)], zip::CompressionMethod::Deflated),
        Kind::Foreign(_) => unreachable!(),
    }
}

fn zip(members: &[(&str, &[u8])], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(method);
    for (name, text) in members {
        writer.start_file(*name, options).unwrap();
        writer.write_all(text).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Hands out its bytes in pieces of the given sizes, over and over.
struct Pieces {
    bytes: Cursor<Vec<u8>>,
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].min(buffer.len());
        self.turn += 1;
        self.bytes.read(&mut buffer[..size])
    }
}

/// All bytes before the end or the error, and the error.
fn drain(mut reader: impl Read, sizes: &[usize]) -> (Vec<u8>, Option<io::Error>) {
    let mut text = Vec::new();
    let mut buffer = vec![0; 1 << 16];
    for size in sizes.iter().cycle() {
        match reader.read(&mut buffer[..*size]) {
            Ok(0) => return (text, None),
            Ok(count) => text.extend_from_slice(&buffer[..count]),
            Err(error) => {
                let again = reader.read(&mut buffer).expect_err("a failed reader stays failed");
                assert_eq!(again.to_string(), error.to_string());
                return (text, Some(error));
            }
        }
    }
    unreachable!()
}

fn check(packed: Vec<u8>, kind: Kind, text: &[u8]) {
    for opened in [open(Cursor::new(packed.clone())), open_stream(Cursor::new(packed))] {
        let opened = opened.unwrap();
        assert_eq!(opened.kind, kind);
        let (read, error) = drain(opened.reader, &[1 << 16]);
        assert!(error.is_none(), "{error:?}");
        assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(text));
    }
}

/// The text before the damage, and the damage.
fn check_damaged(packed: Vec<u8>) -> (Vec<u8>, Damaged) {
    let opened = open_stream(Cursor::new(packed)).unwrap();
    let (text, error) = drain(opened.reader, &[1 << 16]);
    let error = error.expect("the archive is damaged");
    (text, Damaged::of(&error).expect("the error is typed").clone())
}

fn script(bytes: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for row in 0_u64.. {
        if text.len() >= bytes {
            break;
        }
        let noise = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(text, "INSERT INTO `t` VALUES ({row},'{noise:x}');").unwrap();
    }
    text.truncate(bytes);
    text
}

#[test]
fn reads_what_the_real_tools_wrote() {
    let text = fixture("small.sql");
    for (name, kind) in [
        ("small.sql", Kind::Plain),
        ("small.sql.gz", Kind::Gzip),
        ("members.sql.gz", Kind::Gzip),
        ("small.sql.bz2", Kind::Bzip2),
        ("streams.sql.bz2", Kind::Bzip2),
        ("small.sql.xz", Kind::Xz),
        ("streams.sql.xz", Kind::Xz),
        ("small.sql.zst", Kind::Zstd),
        ("frames.sql.zst", Kind::Zstd),
        ("long31.sql.zst", Kind::Zstd),
        ("small.zip", Kind::Zip),
        ("piped.zip", Kind::Zip),
        ("stored.zip", Kind::Zip),
        ("bzip2.zip", Kind::Zip),
    ] {
        println!("{name}");
        check(fixture(name), kind, &text);
    }
}

#[test]
fn the_long_window_fixture_declares_two_gib() {
    let frame = fixture("long31.sql.zst");
    assert_eq!((frame[4] & 0x20, frame[5] >> 3), (0, 21), "no single segment; 2^(10+21) bytes");
}

/// Where the tools are installed, what they make now is read too.
#[test]
fn reads_what_installed_tools_write() {
    let text = script(300_000);
    for (tool, arguments, kind) in [
        ("gzip", &["-c"][..], Kind::Gzip),
        ("bzip2", &["-c"], Kind::Bzip2),
        ("xz", &["-c", "-T2", "--block-size=50000"], Kind::Xz),
        ("zstd", &["-qc", "-19", "--long=27"], Kind::Zstd),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), &text).unwrap();
        let input = std::fs::File::open(file.path()).unwrap();
        match std::process::Command::new(tool).args(arguments).stdin(input).output() {
            Ok(output) => check(output.stdout, kind, &text),
            Err(_) => println!("{tool} is not installed: only its fixture was tested"),
        }
    }
}

#[test]
fn reads_what_the_crates_write() {
    for length in [0, 1, HEAD_BYTES - 1, HEAD_BYTES, HEAD_BYTES + 1, 1_000_000] {
        for kind in COMPRESSED {
            check(pack(kind, &script(length)), kind, &script(length));
        }
    }
}

#[test]
fn reads_members_to_the_end() {
    let text = script(400_000);
    let (first, second) = text.split_at(150_001);
    for kind in [Kind::Gzip, Kind::Zstd, Kind::Bzip2, Kind::Xz] {
        let parts = [first, b"", second].map(|part| pack(kind, part));
        check(parts.concat(), kind, &text);
    }
}

#[test]
fn skips_zstd_skippable_frames_anywhere() {
    let skippable = [&b"\x5f\x2a\x4d\x18\x00\x00\x04\x00"[..], &[7; 0x40000]].concat();
    let packed = pack(Kind::Zstd, b"SELECT 1;");
    let all = [&skippable[..], &packed, &skippable, &packed, &skippable].concat();
    check(all, Kind::Zstd, b"SELECT 1;SELECT 1;");
}

#[test]
fn zeros_after_gzip_and_xz_are_padding() {
    for kind in [Kind::Gzip, Kind::Xz] {
        check([pack(kind, b"SELECT 1;"), vec![0; 300_000]].concat(), kind, b"SELECT 1;");
    }
}

#[test]
fn garbage_after_the_last_member_is_named() {
    for kind in [Kind::Gzip, Kind::Zstd, Kind::Bzip2, Kind::Xz] {
        let packed = pack(kind, b"SELECT 1;");
        let (text, damaged) = check_damaged([&packed[..], b"\ngarbage"].concat());
        assert_eq!(text, b"SELECT 1;");
        assert_eq!(damaged.what, Flaw::TrailingGarbage(b'\n'));
        assert_eq!(damaged.compressed_offset, packed.len() as u64);
        assert_eq!(damaged.decompressed_offset, 9);
    }
}

#[test]
fn a_cut_archive_gives_what_it_has_and_says_where_it_ends() {
    let text = script(3000);
    let (first, second) = text.split_at(1500);
    for kind in COMPRESSED {
        let whole = match kind {
            Kind::Zip => pack(kind, &text),
            _ => [pack(kind, first), pack(kind, second)].concat(),
        };
        let border = pack(kind, first).len();
        for cut in 0..whole.len() {
            check_cut(kind, &whole[..cut], &text, kind != Kind::Zip && cut == border);
        }
    }
}

fn check_cut(kind: Kind, packed: &[u8], text: &[u8], whole_members: bool) {
    let cut = packed.len();
    match open_stream(Cursor::new(packed.to_vec())) {
        Ok(opened) if opened.kind == Kind::Plain => assert!(cut < 4, "{kind} cut at {cut}"),
        Ok(opened) => {
            let (read, error) = drain(opened.reader, &[100]);
            assert!(text.starts_with(&read), "{kind} cut at {cut}: a wrong prefix");
            if whole_members {
                assert!(error.is_none() && read.len() == 1500);
                return;
            }
            let error = error.unwrap_or_else(|| panic!("{kind} cut at {cut} looks whole"));
            let damaged = Damaged::of(&error).expect("typed");
            assert_eq!(damaged.what, Flaw::Truncated, "{kind} cut at {cut}");
            assert_eq!(damaged.compressed_offset, cut as u64);
            assert_eq!(damaged.decompressed_offset, read.len() as u64);
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        }
        Err(Error::Damaged(damaged)) => {
            assert_eq!((damaged.what, damaged.compressed_offset), (Flaw::Truncated, cut as u64));
        }
        Err(error) => panic!("{kind} cut at {cut}: {error}"),
    }
    if kind == Kind::Zip && cut >= 4 {
        let error = open(Cursor::new(packed.to_vec())).expect_err("the directory is cut off");
        assert!(matches!(error, Error::Damaged(Damaged { what: Flaw::Truncated, .. })), "{error}");
    }
}

#[test]
fn a_long_cut_archive_gives_nearly_everything() {
    let text = script(3_000_000);
    for kind in COMPRESSED {
        let packed = pack(kind, &text);
        let (read, damaged) = check_damaged(packed[..packed.len() * 9 / 10].to_vec());
        assert!(text.starts_with(&read));
        assert!(read.len() > text.len() * 6 / 10, "{kind} gave only {}", read.len());
        assert_eq!(damaged.to_string().split(':').next().unwrap(), format!("truncated {kind}"));
    }
}

/// zstd does not say what it wrote in a call that fails.
#[test]
fn blocks_before_a_corrupt_zstd_block_are_delivered() {
    let text = script(1_000_000);
    let mut packed = pack(Kind::Zstd, &text);
    let last_checksum_byte = packed.len() - 1;
    packed[last_checksum_byte] ^= 1;
    let (read, damaged) = check_damaged(packed);
    assert_eq!(read.len(), text.len());
    assert!(matches!(damaged.what, Flaw::Corrupt(_)), "{damaged}");
}

#[test]
fn a_flipped_byte_never_panics_and_never_passes_unseen() {
    let text = script(2000);
    for kind in COMPRESSED {
        let packed = pack(kind, &text);
        for at in 0..packed.len() {
            let mut flipped = packed.clone();
            flipped[at] ^= 0x20;
            for opened in [open(Cursor::new(flipped.clone())), open_stream(Cursor::new(flipped))] {
                let Ok(opened) = opened else { continue };
                let (read, error) = drain(opened.reader, &[1 << 16]);
                let passed = error.is_none() && opened.kind == kind;
                assert!(!passed || read == text, "{kind}: byte {at} passed unseen");
            }
        }
    }
}

#[test]
fn an_archive_in_an_archive_is_refused() {
    let once = pack(Kind::Gzip, &script(1000));
    for kind in COMPRESSED {
        let error = open_stream(Cursor::new(pack(kind, &once))).unwrap_err();
        let expected =
            format!("the {kind} holds another archive (gzip), not SQL text: unpack it first");
        assert_eq!(error.to_string(), expected);
    }
    let error = open_stream(Cursor::new(fixture("tar.tar.gz"))).unwrap_err();
    assert_eq!(error.to_string(), "the gzip holds a tar archive, not SQL text: unpack it first");
}

#[test]
fn what_is_not_sql_is_named() {
    let innodb = {
        let mut page = [0_u8; 512];
        page[..4].copy_from_slice(b"\x12\x34\x56\x78");
        (page[25], page[37], page[41]) = (8, 9, 9);
        page.to_vec()
    };
    for (head, what) in [
        (b"%PDF-1.7\n".to_vec(), "a PDF document"),
        (b"\x7fELF\x02\x01".to_vec(), "an ELF program"),
        (b"\x89PNG\r\n\x1a\n".to_vec(), "a PNG image"),
        (b"SQLite format 3\0".to_vec(), "an SQLite database"),
        (b"PGDMP\x01".to_vec(), "a PostgreSQL custom-format dump (use pg_restore)"),
        (b"XBSTCK01".to_vec(), "an xbstream backup (use xbstream or mbstream)"),
        (b"TAPE\0\0\x03\0".to_vec(), "an SQL Server backup (use RESTORE DATABASE)"),
        (b"\xfebin\x82".to_vec(), "a MySQL binary log (use mysqlbinlog)"),
        (b"\xfe\x01\x09\x09".to_vec(), "a MySQL .frm table definition"),
        (innodb, "an InnoDB tablespace (.ibd)"),
        (b"7z\xbc\xaf\x27\x1c".to_vec(), "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0".to_vec(), "a RAR archive"),
        (b"\n<!DOCTYPE HTML>".to_vec(), "an HTML page"),
    ] {
        assert_eq!(detect(&head), Kind::Foreign(what));
        let error = open_stream(Cursor::new(head)).unwrap_err();
        assert_eq!(error.to_string(), format!("this is {what}, not SQL text"));
    }
}

#[test]
fn text_is_never_taken_for_something_else() {
    for text in ["", "P", "PK", "BZ", "BZh", "TAPE", "7z", "SELECT", "Rar!", "-- \u{feff}", "\n\n"]
    {
        assert_eq!(detect(text.as_bytes()), Kind::Plain, "{text:?}");
    }
}

#[test]
fn a_zip_gives_its_only_script() {
    check_zip(&["d/", "readme.txt", "Dump.SQL"], Ok("Dump.SQL"));
    check_zip(&["only.txt"], Ok("only.txt"));
    check_zip(&["__MACOSX/._dump.sql", "dump.sql"], Ok("dump.sql"));
    check_zip(&["d/"], Err("the zip holds no file"));
    check_zip(
        &["a.sql", "b\n.sql"],
        Err("the zip holds 2 files and not exactly one .sql: a.sql, b\u{fffd}.sql"),
    );
    check_zip(&["a", "b"], Err("the zip holds 2 files and not exactly one .sql: a, b"));
}

fn check_zip(names: &[&str], expected: Result<&str, &str>) {
    let members: Vec<_> = names.iter().map(|name| (*name, name.as_bytes())).collect();
    let packed = zip(&members, zip::CompressionMethod::Stored);
    match (open(Cursor::new(packed)), expected) {
        (Ok(opened), Ok(text)) => assert_eq!(drain(opened.reader, &[9]).0, text.as_bytes()),
        (Err(error), Err(message)) => assert_eq!(error.to_string(), message),
        (found, expected) => panic!("{found:?}, not {expected:?}"),
    }
}

#[test]
fn zips_of_the_real_tool_with_several_members() {
    let opened = open(Cursor::new(fixture("several.zip"))).unwrap();
    assert_eq!(drain(opened.reader, &[99]).0, fixture("small.sql"));
    let error = open(Cursor::new(fixture("encrypted.zip"))).unwrap_err();
    assert_eq!(error.to_string(), "'small.sql' in the zip is encrypted: unpack it first");
    let error = open_stream(Cursor::new(fixture("encrypted.zip"))).unwrap_err();
    assert_eq!(error.to_string(), "'small.sql' in the zip is encrypted: unpack it first");
}

#[test]
fn a_piped_zip_with_a_second_candidate_fails_after_the_first() {
    for (names, fails) in [
        (["a.sql", "b.sql"], true),
        (["a.txt", "b.sql"], true),
        (["a.sql", "b.txt"], false),
        (["a.sql", "d/"], false),
    ] {
        let packed =
            zip(&names.map(|name| (name, name.as_bytes())), zip::CompressionMethod::Deflated);
        let (text, error) = drain(open_stream(Cursor::new(packed)).unwrap().reader, &[100]);
        assert_eq!(text, names[0].as_bytes());
        let second = error.as_ref().and_then(Damaged::of).map(|damaged| damaged.what.clone());
        assert_eq!(second, fails.then(|| Flaw::SecondMember(names[1].to_owned())));
    }
}

#[test]
fn an_unknown_zip_method_is_named() {
    let text = script(2000);
    let packed = zip(&[("dump.sql", &text)], zip::CompressionMethod::Zstd);
    check(packed.clone(), Kind::Zip, &text);
    let mut patched = packed;
    for (at, mark) in [(8, &b"PK\x03\x04"[..]), (10, b"PK\x01\x02")] {
        let start = patched.windows(4).position(|window| window == mark).unwrap();
        patched[start + at] = 9;
    }
    for opened in [open(Cursor::new(patched.clone())), open_stream(Cursor::new(patched))] {
        let message = opened.unwrap_err().to_string();
        assert!(message.contains("Deflate64"), "{message}");
    }
}

#[test]
fn an_error_of_the_source_is_passed_on() {
    struct Breaks(Cursor<Vec<u8>>);
    impl Read for Breaks {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.read(buffer)? {
                0 => Err(io::Error::from(io::ErrorKind::ConnectionReset)),
                count => Ok(count),
            }
        }
    }
    let text = script(100_000);
    let packed = pack(Kind::Gzip, &text);
    let cut = packed[..packed.len() / 2].to_vec();
    let mut reader = open_stream(Breaks(Cursor::new(cut))).unwrap().reader;
    let mut read = Vec::new();
    let error = reader.read_to_end(&mut read).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    assert!(read.len() > 40_000 && text.starts_with(&read));
}

fn kinds() -> impl Strategy<Value = Kind> {
    prop::sample::select([&[Kind::Plain][..], &COMPRESSED].concat())
}

/// Compressible pieces and noise, larger than the buffers within.
fn contents() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..2000),
        (any::<u8>(), 0..100_000_usize).prop_map(|(byte, count)| vec![byte; count]),
        (0..50_000_usize).prop_map(script),
    ];
    prop::collection::vec(piece, 0..5)
        .prop_map(|pieces| [b"-- a dump\n".to_vec(), pieces.concat()].concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_content_read_in_any_way_is_the_same(
        kind in kinds(),
        text in contents(),
        split in any::<prop::sample::Index>(),
        source_sizes in prop::collection::vec(1..70_000_usize, 1..4),
        read_sizes in prop::collection::vec(1..60_000_usize, 1..4),
    ) {
        let (first, second) = text.split_at(split.index(text.len()));
        let packed = match kind {
            Kind::Plain | Kind::Zip => pack(kind, &text),
            _ => [pack(kind, first), pack(kind, second)].concat(),
        };
        let source = Pieces { bytes: Cursor::new(packed), sizes: source_sizes, turn: 0 };
        let opened = open_stream(source).unwrap();
        prop_assert_eq!(opened.kind, kind);
        let (read, error) = drain(opened.reader, &read_sizes);
        prop_assert!(error.is_none(), "{:?}", error);
        prop_assert!(read == text);
    }

    #[test]
    fn noise_after_a_magic_never_panics(
        magic in prop::sample::select(vec![
            &b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b"\xfd7zXZ\0", b"BZh91AY&SY", b"PK\x03\x04", b"PK\x05\x06", b"",
        ]),
        noise in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let bytes = [magic, &noise].concat();
        for opened in [open(Cursor::new(bytes.clone())), open_stream(Cursor::new(bytes))].into_iter().flatten() {
            drain(opened.reader, &[1000]);
        }
    }
}
