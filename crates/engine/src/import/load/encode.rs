//! The rows of a batch as a LOAD DATA stream: fields end with a tab, lines with a line feed, a
//! backslash escapes.
//!
//! Most batches bring their lines with them, or statements whose lines are written in one go; that
//! they suit the table is [`super::ready`]'s to say. The rest is read here the careful way: one pass
//! over the INSERT text, which [`crate::import::batch`] found to be plain literals, of every kind.
//! Gives up at the first cell that the matrix does not cover, and at whatever is written unusually
//! (comments between cells, `+5`, `.5`): that is always safe.

use std::sync::Arc;

use bytes::Bytes;
use dump::rules::Rules;
use dump::values::lines::LineWriter;
use dump::values::unescaped;
use dump::word;

use super::ready::suits;
use super::{Check, Client, Literal, LoadPlan, Number, Reason, Slot, Way, way};
use crate::import::batch::Batch;

/// Something that dumps do not write; the server reads it.
const UNUSUAL: Reason = "something is written in an unusual way";
/// The matrix has no entry.
const NOT_PROVEN: Reason = "a literal's kind does not suit its column's type";
/// Strings that are no text.
const NO_TEXT: Reason = "a string is not valid in its character set";

/// The stream of all rows of a batch.
pub fn encode(plan: &LoadPlan, batch: &Arc<Batch>) -> Result<Bytes, Reason> {
    if batch.lines().is_some_and(|lines| suits(plan, lines)) {
        return Ok(Bytes::from_owner(OwnLines(Arc::clone(batch))));
    }
    let out = Vec::with_capacity(batch.bytes() as usize + 64);
    let mut lines = LineWriter::new();
    let mut writer = Writer { plan, text: &[], pos: 0, out, scratch: Vec::new() };
    let mut rows = 0;
    for member in batch.members() {
        let written = lines.lines(&member.text[member.values_at..], plan.rules);
        match written.filter(|lines| suits(plan, *lines)) {
            Some(lines) => {
                writer.out.extend_from_slice(lines.text);
                rows += member.rows;
            }
            None => {
                (writer.text, writer.pos) = (member.text, member.values_at);
                rows += writer.rows()?;
            }
        }
    }
    if rows != batch.rows {
        return Err(UNUSUAL);
    }
    Ok(writer.out.into())
}

/// The lines that a batch holds, for as long as they are being sent.
struct OwnLines(Arc<Batch>);

impl AsRef<[u8]> for OwnLines {
    fn as_ref(&self) -> &[u8] {
        self.0.lines().map_or(&[], |lines| lines.text)
    }
}

struct Writer<'a> {
    plan: &'a LoadPlan,
    text: &'a [u8],
    pos: usize,
    out: Vec<u8>,
    scratch: Vec<u8>,
}

impl Writer<'_> {
    /// The rows of one statement, from `pos` to its end.
    fn rows(&mut self) -> Result<u64, Reason> {
        let mut rows = 0;
        loop {
            self.expect(b'(')?;
            self.row()?;
            rows += 1;
            match self.peek() {
                Some(b',') => self.pos += 1,
                Some(_) => return Err(UNUSUAL),
                None => return Ok(rows),
            }
        }
    }

    fn row(&mut self) -> Result<(), Reason> {
        let plan = self.plan;
        let mut is_first = true;
        let last = plan.slots.len() - 1;
        for (index, slot) in plan.slots.iter().enumerate() {
            if slot.takes != super::Takes::Generated {
                if !is_first {
                    self.out.push(b'\t');
                }
                is_first = false;
            }
            self.peek();
            self.cell(*slot)?;
            self.expect(if index == last { b')' } else { b',' })?;
        }
        self.out.push(b'\n');
        Ok(())
    }

    /// The next byte that is not blank, not consumed.
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.text.get(self.pos) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.pos += 1,
                other => return other.copied(),
            }
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<(), Reason> {
        if self.peek() != Some(wanted) {
            return Err(UNUSUAL);
        }
        self.pos += 1;
        Ok(())
    }

    fn cell(&mut self, slot: Slot) -> Result<(), Reason> {
        let rest = &self.text[self.pos..];
        match rest {
            [b'\'', ..] => self.string(slot, Literal::Text, 0),
            [b'"', ..] if !self.plan.rules.ansi_quotes => self.string(slot, Literal::Text, 0),
            [b'0', b'x', ..] => self.digits(slot, 2, None),
            [b'x' | b'X', b'\'', ..] => self.digits(slot, 2, Some(b'\'')),
            [b'0', b'b', ..] => self.bits(slot, None),
            [b'b' | b'B', b'\'', ..] => self.bits(slot, Some(b'\'')),
            [b'0'..=b'9' | b'-', ..] => self.number(slot),
            [b'_', ..] => self.introduced(slot),
            _ => self.word(slot),
        }
    }

    fn word(&mut self, slot: Slot) -> Result<(), Reason> {
        const WORDS: [(&[u8], Literal, &[u8]); 4] = [
            (b"NULL", Literal::Null, b"\\N"),
            (b"DEFAULT", Literal::Default, b""),
            (b"TRUE", Literal::Boolean, b"1"),
            (b"FALSE", Literal::Boolean, b"0"),
        ];
        let rest = &self.text[self.pos..];
        for (word, literal, written) in WORDS {
            if rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)) {
                way(slot.takes, slot.nullable, literal).ok_or(NOT_PROVEN)?;
                self.pos += word.len();
                self.out.extend_from_slice(written);
                return Ok(());
            }
        }
        Err(UNUSUAL)
    }

    fn number(&mut self, slot: Slot) -> Result<(), Reason> {
        let rest = &self.text[self.pos..];
        let (number, length) = number(rest).ok_or(UNUSUAL)?;
        self.pos += length;
        match way(slot.takes, slot.nullable, Literal::Number(number)) {
            Some(Way::Copy) if !slot.hex => self.out.extend_from_slice(&rest[..length]),
            Some(Way::Copy) => self.put_hex_of(&rest[..length]),
            Some(Way::BigEndian) => {
                let text = std::str::from_utf8(&rest[..length]).ok();
                let value = text.and_then(|text| text.parse::<u64>().ok()).ok_or(NOT_PROVEN)?;
                self.put_big_endian(slot, value);
            }
            _ => return Err(NOT_PROVEN),
        }
        Ok(())
    }

    /// `_binary 'x'`, and strings introduced by the client's own character set.
    fn introduced(&mut self, slot: Slot) -> Result<(), Reason> {
        let rest = &self.text[self.pos..];
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || *b == b'_';
        let end = rest.iter().position(|b| !is_part(b)).ok_or(UNUSUAL)?;
        let blanks = rest[end..].iter().take_while(|b| **b == b' ').count();
        let literal = if rest[..end].eq_ignore_ascii_case(b"_binary") {
            Literal::Binary
        } else if rest[..end].eq_ignore_ascii_case(b"_utf8mb4")
            && self.plan.client == Client::Utf8Four
        {
            Literal::Text
        } else {
            return Err(NOT_PROVEN);
        };
        match rest.get(end + blanks) {
            Some(b'\'') => self.string(slot, literal, end + blanks),
            Some(b'"') if !self.plan.rules.ansi_quotes => self.string(slot, literal, end + blanks),
            _ => Err(NOT_PROVEN),
        }
    }

    /// A string whose quote stands `skip` bytes ahead.
    fn string(&mut self, slot: Slot, literal: Literal, skip: usize) -> Result<(), Reason> {
        if way(slot.takes, slot.nullable, literal) != Some(Way::Decode) {
            return Err(NOT_PROVEN);
        }
        let text = &self.text[self.pos + skip..];
        let length = if slot.hex {
            self.scratch.clear();
            let length = decode::<false>(text, self.plan.rules, &mut self.scratch);
            let bytes = std::mem::take(&mut self.scratch);
            self.put_hex_of(&bytes);
            self.scratch = bytes;
            length
        } else {
            let start = self.out.len();
            let length = decode::<true>(text, self.plan.rules, &mut self.out);
            if !is_valid(slot.check, self.plan.client, &self.out[start..]) {
                return Err(NO_TEXT);
            }
            length
        };
        self.pos += skip + length.ok_or(UNUSUAL)?;
        Ok(())
    }

    /// Hexadecimal digits after `skip` bytes, up to a closing quote if there is one.
    fn digits(&mut self, slot: Slot, skip: usize, close: Option<u8>) -> Result<(), Reason> {
        let text = &self.text[self.pos + skip..];
        let length = text.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let digits = &text[..length];
        let is_closed = close.is_none_or(|quote| text.get(length) == Some(&quote));
        if !is_closed || (close.is_some() && length % 2 == 1) || (close.is_none() && length == 0) {
            return Err(UNUSUAL);
        }
        let literal = Literal::Hex { bytes: length.div_ceil(2) };
        if way(slot.takes, slot.nullable, literal) != Some(Way::Unhex) {
            return Err(NOT_PROVEN);
        }
        self.pos += skip + length + usize::from(close.is_some());
        if slot.hex {
            if length % 2 == 1 {
                self.out.push(b'0');
            }
            self.out.extend_from_slice(digits);
            return Ok(());
        }
        // An odd digit at the start is a byte of its own.
        let (first, pairs) = digits.split_at(length % 2);
        for pair in first.chunks(1).chain(pairs.chunks(2)) {
            let byte = pair.iter().fold(0, |byte, digit| byte << 4 | hex_value(*digit));
            put(byte, &mut self.out);
        }
        Ok(())
    }

    fn bits(&mut self, slot: Slot, close: Option<u8>) -> Result<(), Reason> {
        const BITS_MAX: usize = 64;
        let text = &self.text[self.pos + 2..];
        let length = text.iter().take_while(|byte| matches!(byte, b'0' | b'1')).count();
        let is_closed = close.is_none_or(|quote| text.get(length) == Some(&quote));
        if !is_closed || length == 0 || length > BITS_MAX {
            return Err(UNUSUAL);
        }
        if way(slot.takes, slot.nullable, Literal::Bits) != Some(Way::BigEndian) {
            return Err(NOT_PROVEN);
        }
        let value = text[..length].iter().fold(0, |value, bit| value << 1 | u64::from(bit & 1));
        self.pos += 2 + length + usize::from(close.is_some());
        self.put_big_endian(slot, value);
        Ok(())
    }

    fn put_big_endian(&mut self, slot: Slot, value: u64) {
        let bytes = value.to_be_bytes();
        let skip = (value.leading_zeros() as usize / 8).min(bytes.len() - 1);
        if slot.hex {
            self.put_hex_of(&bytes[skip..]);
        } else {
            bytes[skip..].iter().for_each(|byte| put(*byte, &mut self.out));
        }
    }

    fn put_hex_of(&mut self, bytes: &[u8]) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        self.out.reserve(bytes.len() * 2);
        for byte in bytes {
            self.out.push(DIGITS[usize::from(byte >> 4)]);
            self.out.push(DIGITS[usize::from(byte & 15)]);
        }
    }
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => (digit | 0x20) - b'a' + 10,
    }
}

/// Whether a string may stand in the stream as it is.
pub(super) fn is_valid(check: Check, client: Client, text: &[u8]) -> bool {
    match check {
        Check::Any => true,
        _ if text.is_ascii() => true,
        Check::Ascii => false,
        Check::Utf8 => {
            // A character above U+FFFF has four bytes, the first of them F0 or more.
            let fits = client != Client::Utf8Three || text.iter().all(|byte| *byte < 0xF0);
            fits && std::str::from_utf8(text).is_ok()
        }
    }
}

/// A number at the start of `text`, and its length; nothing if it has leading zeros or a sign that
/// is not needed.
fn number(text: &[u8]) -> Option<(Number, usize)> {
    let run = |from: usize| text[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let negative = text.first() == Some(&b'-');
    let start = usize::from(negative);
    let whole = run(start);
    let mut end = start + whole;
    if whole == 0 || (whole > 1 && text[start] == b'0') {
        return None;
    }
    let mut scale = 0;
    if text.get(end) == Some(&b'.') {
        scale = run(end + 1);
        if scale == 0 {
            return None;
        }
        end += 1 + scale;
    }
    // Zero has no sign as a number, but has one as the text of a double.
    if negative && text[start..end].iter().all(|byte| matches!(byte, b'0' | b'.')) {
        return None;
    }
    let exponent = matches!(text.get(end), Some(b'e' | b'E'));
    if exponent {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'-' | b'+')));
        let digits = run((end + 1 + sign).min(text.len()));
        if digits == 0 {
            return None;
        }
        end += 1 + sign + digits;
    }
    let digits = u32::try_from(whole + scale).ok()?;
    Some((Number { digits, scale: u32::try_from(scale).ok()?, negative, exponent }, end))
}

/// Decodes a string from quote to quote as the server does, and gives its length; with `LOAD`
/// escaped again for the stream.
fn decode<const LOAD: bool>(text: &[u8], rules: Rules, out: &mut Vec<u8>) -> Option<usize> {
    let quote = *text.first()?;
    let mut pos = 1;
    loop {
        let rest = text.get(pos..)?;
        let at = next_special(rest, quote)?;
        out.extend_from_slice(&rest[..at]);
        pos += at + 1;
        let byte = match rest[at] {
            byte if byte == quote => {
                if rest.get(at + 1) != Some(&quote) {
                    return Some(pos);
                }
                pos += 1;
                quote
            }
            b'\\' if !rules.no_backslash_escapes => {
                pos += 1;
                let letter = *rest.get(at + 1)?;
                if matches!(letter, b'%' | b'_') {
                    out.extend_from_slice(if LOAD { b"\\\\" } else { b"\\" });
                }
                unescaped(letter)
            }
            byte => byte,
        };
        match LOAD {
            true => put(byte, out),
            false => out.push(byte),
        }
    }
}

/// Writes a byte of a field.
fn put(byte: u8, out: &mut Vec<u8>) {
    match byte {
        0 => out.extend_from_slice(b"\\0"),
        b'\t' => out.extend_from_slice(b"\\t"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\\' => out.extend_from_slice(b"\\\\"),
        _ => out.push(byte),
    }
}

/// Index of the next quote, backslash or control character.
fn next_special(text: &[u8], quote: u8) -> Option<usize> {
    let (words, rest) = text.as_chunks();
    for (index, bytes) in words.iter().enumerate() {
        let plain = word::plain_at_start(*bytes, quote);
        if plain < word::BYTES {
            return Some(index * word::BYTES + plain);
        }
    }
    let is_special = |byte: &u8| *byte < 0x20 || *byte == quote || *byte == b'\\';
    rest.iter().position(is_special).map(|found| words.len() * word::BYTES + found)
}
