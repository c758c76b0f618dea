//! Any bytes as an archive: no panic, an end, and a flaw that is told again by every later read.
//! Seekable and streamed, what both can read is the same.
#![no_main]

use std::io::{Cursor, Read};

use dump::archive::{self, Opened};
use dump::encoding::Decoded;
use libfuzzer_sys::fuzz_target;

/// A small file may hold a long text; this much of it is looked at.
const TEXT_MAX: u64 = 1 << 20;

fuzz_target!(|file: &[u8]| {
    let seekable = archive::open(Cursor::new(file.to_vec())).ok().map(read);
    let streamed = archive::open_stream(Cursor::new(file.to_vec())).ok().map(read);
    if let (Some((Ok(()), seekable)), Some((Ok(()), streamed))) = (seekable, streamed) {
        assert_eq!(seekable, streamed);
    }
    let mut text = Vec::new();
    let decoded = Decoded::new(file).take(TEXT_MAX).read_to_end(&mut text);
    let _ = decoded;
});

fn read(opened: Opened) -> (Result<(), String>, Vec<u8>) {
    let mut text = Vec::new();
    let mut reader = opened.reader.take(TEXT_MAX);
    let outcome = reader.read_to_end(&mut text).map(drop).map_err(|error| error.to_string());
    if let Err(first) = &outcome {
        let again = reader.into_inner().read(&mut [0; 16]).map_err(|error| error.to_string());
        assert_eq!(again.as_ref().err(), Some(first), "the flaw is forgotten: {again:?}");
    }
    (outcome, text)
}
