//! The head of `INSERT … VALUES` and `REPLACE … VALUES`: everything before the first row.
//!
//! Recognises the forms that dump tools write. Whatever else a server would accept (comments inside
//! the head, `SET`, `SELECT`) is [`Found::Other`], which is always safe: such a statement is executed
//! as it stands. It does not look at rows; see [`crate::values`].

/// What stands before the rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes up to and with the word VALUES.
    pub length: usize,
    /// `REPLACE` instead of `INSERT`.
    pub replace: bool,
    /// `IGNORE`: rows that cannot be stored are left out.
    pub ignore: bool,
    /// `LOW_PRIORITY`, `HIGH_PRIORITY`, `DELAYED` or `PARTITION (…)`.
    pub modified: bool,
    /// The schema, if the name has one.
    pub schema: Option<Vec<u8>>,
    /// The table, without quotes.
    pub table: Vec<u8>,
    /// The column list, without quotes, if there is one.
    pub columns: Option<Vec<Vec<u8>>>,
}

/// What [`head`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found<T> {
    /// The text ends before it can be told.
    Incomplete,
    /// Not such a head.
    Other,
    /// A whole head; a row follows.
    Values(T),
}

/// Why reading a head stopped.
enum Stop {
    Incomplete,
    Other,
}

/// Looks for a head at the first byte of `text`.
pub fn head(text: &[u8], ansi_quotes: bool) -> Found<Head> {
    if !matches!(text.first(), Some(b'i' | b'I' | b'r' | b'R')) {
        return Found::Other;
    }
    match read(&mut Cursor { text, pos: 0, ansi_quotes }) {
        Ok(head) => Found::Values(head),
        Err(Stop::Incomplete) => Found::Incomplete,
        Err(Stop::Other) => Found::Other,
    }
}

/// Whether `text` has exactly this head, up to VALUES, and then a row.
pub(crate) fn begins_with(text: &[u8], head: &[u8]) -> bool {
    let after = text.strip_prefix(head);
    after.is_some_and(|after| after.trim_ascii_start().first() == Some(&b'('))
}

fn read(cursor: &mut Cursor<'_>) -> Result<Head, Stop> {
    let verb = cursor.word()?;
    let replace = verb.eq_ignore_ascii_case(b"replace");
    if !replace && !verb.eq_ignore_ascii_case(b"insert") {
        return Err(Stop::Other);
    }
    let (mut ignore, mut modified) = (false, false);
    let first = loop {
        let name = cursor.name()?;
        match name.keyword() {
            Some(b"IGNORE") => ignore = true,
            Some(b"LOW_PRIORITY" | b"HIGH_PRIORITY" | b"DELAYED") => modified = true,
            Some(b"INTO") => {}
            _ => break name,
        }
    };
    let (schema, table) = match cursor.peek()? {
        b'.' => {
            cursor.pos += 1;
            (Some(first.text), cursor.name()?.text)
        }
        _ => (None, first.text),
    };
    let mut columns = None;
    loop {
        if cursor.peek()? == b'(' && columns.is_none() {
            columns = Some(cursor.list()?);
            continue;
        }
        match cursor.name()?.keyword() {
            Some(b"PARTITION") if !modified && columns.is_none() => {
                cursor.list()?;
                modified = true;
            }
            Some(b"VALUES" | b"VALUE") => break,
            _ => return Err(Stop::Other),
        }
    }
    let length = cursor.pos;
    match cursor.peek()? {
        b'(' => Ok(Head { length, replace, ignore, modified, schema, table, columns }),
        _ => Err(Stop::Other),
    }
}

/// A name or a word.
struct Name {
    text: Vec<u8>,
    quoted: bool,
}

impl Name {
    /// The word in upper case, if it is not quoted and short enough to be one that matters.
    fn keyword(&self) -> Option<&'static [u8]> {
        const WORDS: [&[u8]; 8] = [
            b"IGNORE",
            b"LOW_PRIORITY",
            b"HIGH_PRIORITY",
            b"DELAYED",
            b"INTO",
            b"PARTITION",
            b"VALUES",
            b"VALUE",
        ];
        let found = WORDS.iter().find(|word| self.text.eq_ignore_ascii_case(word))?;
        (!self.quoted).then_some(found)
    }
}

struct Cursor<'a> {
    text: &'a [u8],
    pos: usize,
    ansi_quotes: bool,
}

impl<'a> Cursor<'a> {
    /// The next byte that is not blank, not consumed.
    fn peek(&mut self) -> Result<u8, Stop> {
        while let Some(&byte) = self.text.get(self.pos) {
            if !byte.is_ascii_whitespace() {
                return Ok(byte);
            }
            self.pos += 1;
        }
        Err(Stop::Incomplete)
    }

    /// An unquoted word.
    fn word(&mut self) -> Result<&'a [u8], Stop> {
        self.peek()?;
        let rest = &self.text[self.pos..];
        let is_part = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$') || *b >= 0x80;
        let end = rest.iter().position(|b| !is_part(b)).ok_or(Stop::Incomplete)?;
        // `$` at the start of a word may open a quote.
        if end == 0 || rest[0] == b'$' {
            return Err(Stop::Other);
        }
        self.pos += end;
        Ok(&rest[..end])
    }

    /// A word or a quoted name.
    fn name(&mut self) -> Result<Name, Stop> {
        let quote = self.peek()?;
        if quote != b'`' && !(quote == b'"' && self.ansi_quotes) {
            return Ok(Name { text: self.word()?.to_vec(), quoted: false });
        }
        let mut text = Vec::new();
        let mut pos = self.pos + 1;
        loop {
            let rest = self.text.get(pos..).ok_or(Stop::Incomplete)?;
            let end = memchr::memchr(quote, rest).ok_or(Stop::Incomplete)?;
            text.extend_from_slice(&rest[..end]);
            pos += end + 1;
            match self.text.get(pos) {
                None => return Err(Stop::Incomplete),
                Some(&next) if next == quote => {
                    text.push(quote);
                    pos += 1;
                }
                Some(_) => break,
            }
        }
        self.pos = pos;
        Ok(Name { text, quoted: true })
    }

    /// `(a, b, c)`
    fn list(&mut self) -> Result<Vec<Vec<u8>>, Stop> {
        let mut names = Vec::new();
        if self.peek()? != b'(' {
            return Err(Stop::Other);
        }
        self.pos += 1;
        if self.peek()? == b')' {
            self.pos += 1;
            return Ok(names);
        }
        loop {
            names.push(self.name()?.text);
            let byte = self.peek()?;
            self.pos += 1;
            match byte {
                b',' => {}
                b')' => return Ok(names),
                _ => return Err(Stop::Other),
            }
        }
    }
}
