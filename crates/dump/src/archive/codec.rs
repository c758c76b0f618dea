//! The decoders of the compression libraries behind one step function.
//!
//! Promises: a step says exactly how much it took and gave, also when it fails: what a library
//! decoded before a flaw is never lost. Does not read, and does not know what comes after a member.

use std::io;

use flate2::{Decompress, FlushDecompress};
use zstd::stream::raw::{DParameter, InBuffer, Operation, OutBuffer};

use super::Flaw;

/// The largest zstd window that is accepted, as `zstd --long=31` writes it (2 GiB).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 31;
/// The most memory that an xz decoder may take; `xz -9` needs 65 MiB, the largest dictionary that
/// the tool makes 1.5 GiB.
pub const XZ_MEMORY_BYTES_MAX: u64 = 2 * 1024 * 1024 * 1024;

const GZIP_WINDOW_BITS: u8 = 15;
const ZSTD_BLOCK_HEADER_BYTES: usize = 3;

pub(super) struct Step {
    pub(super) consumed: usize,
    pub(super) produced: usize,
    pub(super) state: State,
}

pub(super) enum State {
    More,
    MemberEnd,
    Bad(Flaw),
}

pub(super) enum Codec {
    Gzip(Decompress),
    Deflate(Decompress),
    Zstd { decoder: zstd::stream::raw::Decoder<'static>, hint: usize },
    Bzip2(bzip2::Decompress),
    Xz(liblzma::stream::Stream),
    Stored { left: u64 },
}

impl Codec {
    pub(super) fn gzip() -> Self {
        Self::Gzip(Decompress::new_gzip(GZIP_WINDOW_BITS))
    }

    pub(super) fn deflate() -> Self {
        Self::Deflate(Decompress::new(false))
    }

    pub(super) fn zstd() -> io::Result<Self> {
        let mut decoder = zstd::stream::raw::Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX))?;
        Ok(Self::Zstd { decoder, hint: 1 })
    }

    pub(super) fn bzip2() -> Self {
        Self::Bzip2(bzip2::Decompress::new(false))
    }

    pub(super) fn xz() -> io::Result<Self> {
        Ok(Self::Xz(liblzma::stream::Stream::new_stream_decoder(XZ_MEMORY_BYTES_MAX, 0)?))
    }

    pub(super) fn stored(length: u64) -> Self {
        Self::Stored { left: length }
    }

    /// Makes ready for the next member of the same file.
    pub(super) fn restart(&mut self) -> io::Result<()> {
        match self {
            Self::Gzip(_) => *self = Self::gzip(),
            Self::Deflate(inflate) => inflate.reset(false),
            Self::Zstd { decoder, hint } => {
                decoder.reinit()?;
                *hint = 1;
            }
            Self::Bzip2(_) => *self = Self::bzip2(),
            Self::Xz(_) => *self = Self::xz()?,
            Self::Stored { .. } => {}
        }
        Ok(())
    }

    /// Decodes some of `input` into `output`. With an empty input it gives what it still holds.
    pub(super) fn step(&mut self, input: &[u8], output: &mut [u8]) -> Step {
        match self {
            Self::Gzip(inflate) | Self::Deflate(inflate) => step_inflate(inflate, input, output),
            Self::Zstd { decoder, hint } => step_zstd(decoder, hint, input, output),
            Self::Bzip2(decoder) => step_bzip2(decoder, input, output),
            Self::Xz(decoder) => step_xz(decoder, input, output),
            Self::Stored { left } => step_stored(left, input, output),
        }
    }
}

fn corrupt(why: impl Into<String>) -> State {
    State::Bad(Flaw::Corrupt(why.into()))
}

fn step_inflate(inflate: &mut Decompress, input: &[u8], output: &mut [u8]) -> Step {
    let before = (inflate.total_in(), inflate.total_out());
    let state = match inflate.decompress(input, output, FlushDecompress::None) {
        Ok(flate2::Status::Ok | flate2::Status::BufError) => State::More,
        Ok(flate2::Status::StreamEnd) => State::MemberEnd,
        Err(error) => corrupt(error.message().unwrap_or("invalid deflate data")),
    };
    let consumed = (inflate.total_in() - before.0) as usize;
    Step { consumed, produced: (inflate.total_out() - before.1) as usize, state }
}

/// zstd forgets what it wrote in a call that fails. So it never gets more than the block at hand:
/// its hint asks for that block and for the next one's header, which is left to a call of its own.
fn step_zstd(
    decoder: &mut zstd::stream::raw::Decoder<'static>,
    hint: &mut usize,
    input: &[u8],
    output: &mut [u8],
) -> Step {
    let portion = match hint.saturating_sub(ZSTD_BLOCK_HEADER_BYTES) {
        0 => (*hint).max(1),
        block => block,
    };
    let mut source = InBuffer::around(&input[..portion.min(input.len())]);
    let mut target = OutBuffer::around(output);
    let state = match decoder.run(&mut source, &mut target) {
        Ok(0) => State::MemberEnd,
        Ok(next) => {
            *hint = next;
            State::More
        }
        Err(error) => corrupt(error.to_string()),
    };
    Step { consumed: source.pos(), produced: target.pos(), state }
}

fn step_bzip2(decoder: &mut bzip2::Decompress, input: &[u8], output: &mut [u8]) -> Step {
    let before = (decoder.total_in(), decoder.total_out());
    let state = match decoder.decompress(input, output) {
        Ok(bzip2::Status::StreamEnd) => State::MemberEnd,
        Ok(bzip2::Status::MemNeeded) => corrupt("out of memory"),
        Ok(_) => State::More,
        Err(error) => corrupt(error.to_string()),
    };
    let consumed = (decoder.total_in() - before.0) as usize;
    Step { consumed, produced: (decoder.total_out() - before.1) as usize, state }
}

fn step_xz(decoder: &mut liblzma::stream::Stream, input: &[u8], output: &mut [u8]) -> Step {
    use liblzma::stream::{Action, Error, Status};
    let before = (decoder.total_in(), decoder.total_out());
    let state = match decoder.process(input, output, Action::Run) {
        Ok(Status::StreamEnd) => State::MemberEnd,
        Ok(Status::Ok | Status::MemNeeded | Status::GetCheck) => State::More,
        Err(Error::MemLimit | Error::Mem) => State::Bad(Flaw::TooMuchMemory(XZ_MEMORY_BYTES_MAX)),
        Err(error) => corrupt(error.to_string()),
    };
    let consumed = (decoder.total_in() - before.0) as usize;
    Step { consumed, produced: (decoder.total_out() - before.1) as usize, state }
}

fn step_stored(left: &mut u64, input: &[u8], output: &mut [u8]) -> Step {
    let most = usize::try_from(*left).unwrap_or(usize::MAX);
    let count = input.len().min(output.len()).min(most);
    output[..count].copy_from_slice(&input[..count]);
    *left -= count as u64;
    let state = if *left == 0 { State::MemberEnd } else { State::More };
    Step { consumed: count, produced: count, state }
}
