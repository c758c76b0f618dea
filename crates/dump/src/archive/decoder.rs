//! Feed + codec + what may follow a member = a reader of the decompressed bytes.
//!
//! Promises: all bytes before a flaw come first; then every read gives the same [`Damaged`].
//! Does not look at the decompressed bytes.

use std::io::{self, Read};

use super::codec::{Codec, State};
use super::feed::{Feed, Next};
use super::zipped::Entry;
use super::{Damaged, Flaw, Kind};

/// How often a codec may take nothing and give nothing before it counts as stuck.
const STALLS_MAX: u32 = 8;

/// What a file is made of.
pub(super) enum Layout {
    /// Members, one after the other, to the end of the file.
    Members,
    /// One member of a zip.
    Entry(Entry),
}

pub(super) struct Decoder<R> {
    kind: Kind,
    feed: Feed<R>,
    codec: Codec,
    layout: Layout,
    state: Progress,
    decompressed: u64,
    /// The last step filled the output: the codec may hold more, which must not wait for input.
    brimming: bool,
}

enum Progress {
    Inside,
    Between,
    Done,
    Failed(Damaged),
}

impl<R: Read> Decoder<R> {
    /// The feed stands at the first byte of the first member.
    pub(super) fn new(kind: Kind, feed: Feed<R>, codec: Codec, layout: Layout) -> Self {
        let state = Progress::Inside;
        Self { kind, feed, codec, layout, state, decompressed: 0, brimming: false }
    }

    fn fail(&mut self, what: Flaw) {
        let compressed_offset = match what {
            Flaw::Truncated => self.feed.end_offset(),
            Flaw::Corrupt(_)
            | Flaw::TrailingGarbage(_)
            | Flaw::TooMuchMemory(_)
            | Flaw::SecondMember(_) => self.feed.offset(),
        };
        let decompressed_offset = self.decompressed;
        self.state = Progress::Failed(Damaged {
            kind: self.kind,
            compressed_offset,
            decompressed_offset,
            what,
        });
    }

    /// Decodes until there are bytes or the member ends or fails; gives the number of bytes.
    fn pull(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let mut stalls = 0;
        loop {
            let draining = self.brimming;
            let fed = draining || self.feed.fill()?;
            let input = if draining { &[] } else { self.feed.bytes() };
            let step = self.codec.step(input, output);
            self.feed.consume(step.consumed);
            self.brimming = step.produced == output.len();
            self.decompressed += step.produced as u64;
            match step.state {
                State::Bad(flaw) => self.fail(flaw),
                State::MemberEnd => self.state = Progress::Between,
                State::More if step.produced > 0 => {}
                State::More if !fed => self.fail(Flaw::Truncated),
                State::More => {
                    stalls = if step.consumed > 0 { 0 } else { stalls + 1 };
                    if stalls <= STALLS_MAX {
                        continue;
                    }
                    self.fail(Flaw::Corrupt("the decoder makes no progress".to_owned()));
                }
            }
            return Ok(step.produced);
        }
    }

    fn next(&mut self) -> io::Result<Next> {
        match &mut self.layout {
            Layout::Members => next_member(self.kind, &mut self.feed),
            Layout::Entry(entry) => entry.finish(&mut self.feed, self.decompressed),
        }
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if output.is_empty() {
            return Ok(0);
        }
        loop {
            match &self.state {
                Progress::Done => return Ok(0),
                Progress::Failed(damaged) => return Err(damaged.clone().into()),
                Progress::Inside => {
                    let produced = self.pull(output)?;
                    if let Layout::Entry(entry) = &mut self.layout {
                        entry.note(&output[..produced]);
                    }
                    if produced > 0 {
                        return Ok(produced);
                    }
                }
                Progress::Between => match self.next()? {
                    Next::Member => {
                        self.codec.restart()?;
                        self.brimming = false;
                        self.state = Progress::Inside;
                    }
                    Next::End => self.state = Progress::Done,
                    Next::Bad(flaw) => self.fail(flaw),
                },
            }
        }
    }
}

/// Zeros that pad the file to a block size are as good as its end: after gzip, as gzip(1) has it,
/// and after xz, where the format allows them also before another stream.
fn next_member<R: Read>(kind: Kind, feed: &mut Feed<R>) -> io::Result<Next> {
    let padded = matches!(kind, Kind::Gzip | Kind::Xz) && skip_zeros(feed)?;
    let magic: &[u8] = match kind {
        Kind::Gzip => b"\x1f\x8b",
        Kind::Zstd => b"\x28\xb5\x2f\xfd",
        Kind::Bzip2 => b"BZh",
        Kind::Xz => b"\xfd7zXZ\x00",
        Kind::Plain | Kind::Zip | Kind::Foreign(_) => unreachable!("these have no members"),
    };
    let head = feed.fill_to(4.max(magic.len()))?;
    let Some(&first) = head.first() else { return Ok(Next::End) };
    if padded && kind == Kind::Gzip {
        return Ok(Next::Bad(Flaw::TrailingGarbage(first)));
    }
    let skippable = kind == Kind::Zstd && matches!(head, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..]);
    Ok(if head.starts_with(magic) || skippable {
        Next::Member
    } else if magic.starts_with(head) {
        Next::Bad(Flaw::Truncated)
    } else {
        Next::Bad(Flaw::TrailingGarbage(first))
    })
}

fn skip_zeros<R: Read>(feed: &mut Feed<R>) -> io::Result<bool> {
    let mut skipped = false;
    while feed.fill()? {
        let zeros = feed.bytes().iter().take_while(|byte| **byte == 0).count();
        if zeros == 0 {
            break;
        }
        feed.consume(zeros);
        skipped = true;
    }
    Ok(skipped)
}
