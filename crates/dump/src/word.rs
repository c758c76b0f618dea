//! Looking at eight bytes at once: where the ordinary part of a string or a number ends.
//!
//! Cells of dumps are a few bytes long, so a call that suits kilobytes costs more than what it
//! saves. Knows nothing of SQL but which bytes are never ordinary.

/// Bytes of a word.
pub const BYTES: usize = size_of::<u64>();

/// Some bytes of a text.
pub type Word = [u8; BYTES];

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The bytes from `pos` on, with zeros behind the text's end; nothing if `pos` is behind it.
#[inline]
pub fn at(text: &[u8], pos: usize) -> Option<Word> {
    let rest = text.get(pos..)?;
    match rest.first_chunk() {
        Some(word) => Some(*word),
        None => {
            let mut word = [0; BYTES];
            word[..rest.len()].copy_from_slice(rest);
            Some(word)
        }
    }
}

/// Marks what is not ordinary: quotes, backslashes and control characters. 0 if all bytes are; else
/// [`before`] tells how many are before the first that is not.
#[inline]
pub fn unusual(word: Word, quote: u8) -> u64 {
    let word = u64::from_le_bytes(word);
    let has_below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word & HIGH;
    let (quotes, slashes) = (ONES * u64::from(quote), ONES * u64::from(b'\\'));
    // The lowest mark is exact; marks above it may be borrowed from it.
    has_below(word, 0x20) | has_below(word ^ quotes, 1) | has_below(word ^ slashes, 1)
}

/// How many bytes come before the first mark: [`BYTES`] if there is none.
#[inline]
pub fn before(marks: u64) -> usize {
    (marks.trailing_zeros() / 8) as usize
}

/// How many bytes come before the first quote, backslash or control character: [`BYTES`] if there
/// is none.
#[inline]
pub fn plain_at_start(word: Word, quote: u8) -> usize {
    before(unusual(word, quote))
}

/// The highest bits of the first `length` bytes, which are 0 where all of them are ASCII.
#[inline]
pub fn high_bits(word: Word, length: usize) -> u64 {
    let behind = u64::BITS - 8 * length.min(BYTES) as u32;
    u64::MAX.checked_shr(behind).unwrap_or(0) & u64::from_le_bytes(word) & HIGH
}

/// How many digits come before anything else.
#[inline]
pub fn digits_at_start(word: Word) -> usize {
    // Digits become 0 to 9; an addition carries what is more into the byte's highest bit.
    let values = u64::from_le_bytes(word) ^ (ONES * u64::from(b'0'));
    let others = (((values & !HIGH) + ONES * (0x7F - 9)) | values) & HIGH;
    (others.trailing_zeros() / 8) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_at_every_place_is_told_right() {
        for place in 0..BYTES {
            for byte in 0..=255 {
                // What follows must not matter.
                for after in [0, b'5', b'\'', 0xFF] {
                    let mut plain = [b'a'; BYTES];
                    let mut digits = [b'7'; BYTES];
                    plain[place..].fill(after);
                    digits[place..].fill(after);
                    (plain[place], digits[place]) = (byte, byte);
                    let first = |word: Word, ends: fn(&u8) -> bool| {
                        word.iter().position(ends).unwrap_or(BYTES)
                    };
                    let ends = |byte: &u8| *byte < 0x20 || matches!(*byte, b'\'' | b'\\');
                    assert_eq!(plain_at_start(plain, b'\''), first(plain, ends), "{plain:?}");
                    let ends = |byte: &u8| !byte.is_ascii_digit();
                    assert_eq!(digits_at_start(digits), first(digits, ends), "{digits:?}");
                }
            }
        }
    }

    #[test]
    fn only_bytes_of_the_length_have_high_bits() {
        for length in 0..=BYTES {
            for place in 0..BYTES {
                let mut word = [b'a'; BYTES];
                word[place] = 0x80;
                assert_eq!(high_bits(word, length) != 0, place < length, "{place} of {length}");
            }
            assert_eq!(high_bits([0x7F; BYTES], length), 0);
        }
    }

    #[test]
    fn behind_the_end_there_are_zeros() {
        assert_eq!(at(b"123456789", 1), Some(*b"23456789"));
        assert_eq!(at(b"123456789", 7), Some(*b"89\0\0\0\0\0\0"));
        assert_eq!(at(b"1", 1), Some([0; BYTES]));
        assert_eq!(at(b"1", 2), None);
    }
}
