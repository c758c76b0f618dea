//! Reading and writing the little-endian numbers and UTF-16 texts that TDS is made of.
//!
//! Promises: a [`Reader`] never reads beyond its bytes and never panics; what is missing is
//! [`Short`], which the caller understands as "not yet" or as a fault of the server.

/// There are fewer bytes than the protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

/// Reads from the front of a slice.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// At the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How many bytes were read.
    pub fn position(&self) -> usize {
        self.at
    }

    /// What is left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// The next `count` bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], Short> {
        let taken = self.rest().get(..count).ok_or(Short)?;
        self.at += count;
        Ok(taken)
    }

    /// One byte.
    pub fn u8(&mut self) -> Result<u8, Short> {
        Ok(self.take(1)?[0])
    }

    /// Two bytes.
    pub fn u16(&mut self) -> Result<u16, Short> {
        self.array().map(u16::from_le_bytes)
    }

    /// Four bytes.
    pub fn u32(&mut self) -> Result<u32, Short> {
        self.array().map(u32::from_le_bytes)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, Short> {
        self.array().map(u64::from_le_bytes)
    }

    /// Text behind a length of one byte, counted in units of UTF-16 (`B_VARCHAR`).
    pub fn short_text(&mut self) -> Result<String, Short> {
        let units = self.u8()?;
        self.text(usize::from(units))
    }

    /// Text behind a length of two bytes (`US_VARCHAR`).
    pub fn long_text(&mut self) -> Result<String, Short> {
        let units = self.u16()?;
        self.text(usize::from(units))
    }

    fn text(&mut self, units: usize) -> Result<String, Short> {
        self.take(2 * units).map(decode)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }
}

/// UTF-16 as bytes; what is no UTF-16 is replaced, since it is for people.
pub fn decode(bytes: &[u8]) -> String {
    let units = bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

/// Appends text as UTF-16.
pub fn encode(text: &str, out: &mut Vec<u8>) {
    for unit in text.encode_utf16() {
        out.extend(unit.to_le_bytes());
    }
}
