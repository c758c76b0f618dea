//! Encodings: told by the first bytes, decoded whatever the reads look like.

use std::io::{self, Cursor, Read};

use dump::encoding::{Decoded, Encoding, Malformed};
use proptest::prelude::*;

/// At most `size` bytes a read.
struct Drip<R>(R, usize);

impl<R: Read> Read for Drip<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.1.min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}

fn units(encoding: Encoding, text: &str) -> Vec<u8> {
    let bytes = |unit: u16| match encoding {
        Encoding::Utf16Be => unit.to_be_bytes(),
        _ => unit.to_le_bytes(),
    };
    text.encode_utf16().flat_map(bytes).collect()
}

fn check(bytes: &[u8], encoding: Encoding, text: &[u8]) {
    for size in [1, 2, 3, 63, 64, 65, 1000, 1 << 20] {
        let mut reader = Decoded::new(Drip(bytes, size));
        assert_eq!(reader.encoding(), None);
        let mut read = Vec::new();
        Drip(&mut reader, size).read_to_end(&mut read).unwrap();
        assert_eq!(reader.encoding(), Some(encoding));
        assert_eq!(read, text, "{size} bytes a read");
    }
}

fn check_malformed(bytes: &[u8], text: &str, encoded_offset: u64) {
    for size in [1, 2, 3, 64, 1000] {
        let mut reader = Decoded::new(Drip(bytes, size));
        let mut read = Vec::new();
        let error = reader.read_to_end(&mut read).unwrap_err();
        assert_eq!(String::from_utf8_lossy(&read), text);
        let malformed = Malformed::of(&error).unwrap();
        assert_eq!(malformed.encoded_offset, encoded_offset);
        assert_eq!(malformed.decoded_offset, text.len() as u64);
        assert!(reader.read(&mut [0; 10]).is_err(), "a failed reader stays failed");
    }
}

const TEXT: &str = "INSERT INTO t VALUES ('caf\u{e9} \u{20ac} \u{1f600}\u{1f601}');\r\n";

#[test]
fn utf8_and_bytes_pass_untouched() {
    check(TEXT.as_bytes(), Encoding::Utf8, TEXT.as_bytes());
    let binary: Vec<u8> = (0..=255).cycle().skip(65).take(3000).collect();
    check(&binary, Encoding::Utf8, &binary);
}

#[test]
fn a_utf8_mark_is_dropped_only_at_the_start() {
    check("\u{feff}a\u{feff}".as_bytes(), Encoding::Utf8Bom, "a\u{feff}".as_bytes());
}

#[test]
fn empty_and_mark_only_files_are_empty() {
    check(b"", Encoding::Utf8, b"");
    check(b"\xef\xbb\xbf", Encoding::Utf8Bom, b"");
    check(b"\xff\xfe", Encoding::Utf16Le, b"");
    check(b"\xfe\xff", Encoding::Utf16Be, b"");
    check(b"\xef\xbb", Encoding::Utf8, b"\xef\xbb");
    check(b"\xff", Encoding::Utf8, b"\xff");
}

#[test]
fn utf16_is_decoded_with_pairs_across_reads() {
    let text = TEXT.repeat(3000);
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        check(&units(encoding, &format!("\u{feff}{text}")), encoding, text.as_bytes());
        check(&units(encoding, "\u{feff}\u{1f600}"), encoding, "\u{1f600}".as_bytes());
    }
}

#[test]
fn utf16_is_known_without_a_mark() {
    let text = format!("-- a comment that is longer than thirty-two characters, {TEXT}");
    for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
        check(&units(encoding, &text), encoding, text.as_bytes());
        check(&units(encoding, "SELECT 1;"), encoding, b"SELECT 1;");
    }
}

#[test]
fn a_few_nul_bytes_are_not_utf16() {
    for bytes in [&b"a\0"[..], b"\0\0\0\0", b"SELECT '\0';", b"a\0b\0cd", b"\0a\0bc\0"] {
        check(bytes, Encoding::Utf8, bytes);
    }
}

#[test]
fn malformed_units_are_found() {
    let lead = 0xd83d_u16.to_le_bytes();
    let trail = 0xde00_u16.to_le_bytes();
    let start = units(Encoding::Utf16Le, "\u{feff}abc");
    let end = units(Encoding::Utf16Le, "def");
    check_malformed(&[&start[..], &lead, &end].concat(), "abc", 8);
    check_malformed(&[&start[..], &trail, &end].concat(), "abc", 8);
    check_malformed(&[&start[..], &lead, &lead, &trail].concat(), "abc", 8);
    check_malformed(&[&start[..], &lead].concat(), "abc", 8);
    check_malformed(&[&start[..], b"x"].concat(), "abc", 8);
    let long = units(Encoding::Utf16Le, &format!("\u{feff}{}", "ab\u{20ac}".repeat(40_000)));
    check_malformed(&[&long[..], &trail].concat(), &"ab\u{20ac}".repeat(40_000), 240_002);
}

#[test]
fn an_error_behind_the_first_bytes_comes_after_them() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        }
    }
    let mut reader = Decoded::new(Cursor::new(b"SELECT").chain(Fails));
    assert_eq!(reader.detect(), Encoding::Utf8);
    let mut read = Vec::new();
    let error = reader.read_to_end(&mut read).unwrap_err();
    assert_eq!((read, error.kind()), (b"SELECT".to_vec(), io::ErrorKind::ConnectionReset));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_text_in_utf16_is_the_same_text(
        text in "\\PC{0,300}",
        big in any::<bool>(),
        source in 1..200_usize,
        size in 1..200_usize,
    ) {
        let encoding = if big { Encoding::Utf16Be } else { Encoding::Utf16Le };
        let bytes = units(encoding, &format!("\u{feff}{text}"));
        let mut read = Vec::new();
        Drip(Decoded::new(Drip(&bytes[..], source)), size).read_to_end(&mut read).unwrap();
        prop_assert_eq!(read, text.into_bytes());
    }

    #[test]
    fn noise_as_utf16_never_panics(noise in prop::collection::vec(any::<u8>(), 0..500), size in 1..99_usize) {
        let bytes = [&b"\xff\xfe"[..], &noise].concat();
        let mut read = Vec::new();
        let result = Decoded::new(Drip(&bytes[..], size)).read_to_end(&mut read);
        prop_assert!(std::str::from_utf8(&read).is_ok());
        prop_assert_eq!(result.is_ok(), char::decode_utf16(
            noise.chunks(2).map(|pair| u16::from_le_bytes([pair[0], *pair.get(1).unwrap_or(&0xdc)]))
        ).all(|unit| unit.is_ok()) && noise.len() % 2 == 0);
    }
}
