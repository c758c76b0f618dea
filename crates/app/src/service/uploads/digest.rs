//! A SHA-256 that can be put down between two blocks and taken up by another process.

use serde::{Deserialize, Serialize};
use sha2::digest::generic_array::GenericArray;

/// Bytes of a block.
const BLOCK: usize = 64;
/// What it begins with (FIPS 180-4, 5.3.3).
const FIRST: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];
/// The bytes at the end of the last block that hold the length.
const LENGTH: usize = 8;

/// The digest of some whole blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Digest {
    words: [u32; 8],
    bytes: u64,
}

impl Digest {
    /// That of nothing.
    pub(super) const NEW: Digest = Digest { words: FIRST, bytes: 0 };

    /// Takes in the whole blocks of `bytes`; how many bytes those are.
    pub(super) fn absorb(&mut self, bytes: &[u8]) -> usize {
        for block in bytes.chunks_exact(BLOCK) {
            sha2::compress256(&mut self.words, &[GenericArray::clone_from_slice(block)]);
        }
        let taken = bytes.len() - bytes.len() % BLOCK;
        self.bytes += taken as u64;
        taken
    }

    /// The digest of all that was taken in and of this rest, in hexadecimal digits.
    pub(super) fn finish(mut self, rest: &[u8]) -> String {
        let taken = self.absorb(rest);
        let bits = (self.bytes + (rest.len() - taken) as u64) * 8;
        let mut last = rest[taken..].to_vec();
        last.push(0x80);
        while last.len() % BLOCK != BLOCK - LENGTH {
            last.push(0);
        }
        last.extend(bits.to_be_bytes());
        self.absorb(&last);
        self.words.iter().map(|word| format!("{word:08x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest as _, Sha256};

    #[test]
    fn it_is_sha256_whatever_the_length_and_wherever_it_is_put_down() {
        let bytes: Vec<u8> = (0..1000_u32).map(|n| (n * 7 % 251) as u8).collect();
        for length in (0..300).chain([511, 512, 513, 999, 1000]) {
            let whole: String =
                Sha256::digest(&bytes[..length]).iter().map(|byte| format!("{byte:02x}")).collect();
            let cut = length / 2 / BLOCK * BLOCK;
            let mut digest = Digest::NEW;
            assert_eq!(digest.absorb(&bytes[..cut]), cut);
            let kept = serde_json::to_string(&digest).unwrap();
            let again: Digest = serde_json::from_str(&kept).unwrap();
            assert_eq!(again.finish(&bytes[cut..length]), whole, "{length}");
        }
    }
}
