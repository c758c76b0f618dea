//! The rules that decide how bytes become statements: which stock client is followed, and the
//! session settings that change quoting.
//!
//! A pure value. It does not read statements to find out what they set; the caller does, and tells
//! the reader (see [`crate::reader::Reader::set_rules`]).

/// Which stock client's reading rules are followed. They differ in what they send to the server:
/// `mariadb` 10.11 removes comments and runs client commands, `mysql` 9.7 keeps comments and knows
/// no client command but `DELIMITER` and `\C` (its `--comments` and `--commands` defaults).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// `mariadb`, for MariaDB targets.
    MariaDb,
    /// `mysql`, for MySQL targets.
    MySql,
}

impl Client {
    /// Comments after the first byte of a statement are sent to the server.
    pub fn keeps_comments(self) -> bool {
        self == Client::MySql
    }

    /// `$tag$ … $tag$` quotes the body of a routine (MySQL 9).
    pub fn knows_dollar_quotes(self) -> bool {
        self == Client::MySql
    }
}

/// Character sets whose second byte may be a quote or a backslash. In every other character set
/// that a client may use, bytes below 0x80 stand only for themselves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Multibyte {
    /// utf8mb4, latin1 and all others: no byte below 0x80 is part of a longer character.
    #[default]
    None,
    /// big5
    Big5,
    /// gbk
    Gbk,
    /// gb18030
    Gb18030,
    /// sjis and cp932
    Sjis,
}

impl Multibyte {
    /// The rules for a character set by the name that SQL uses for it.
    pub fn of_charset(name: &[u8]) -> Multibyte {
        match name.to_ascii_lowercase().as_slice() {
            b"big5" => Multibyte::Big5,
            b"gbk" => Multibyte::Gbk,
            b"gb18030" => Multibyte::Gb18030,
            b"sjis" | b"cp932" => Multibyte::Sjis,
            _ => Multibyte::None,
        }
    }

    /// Length in bytes of the character that `bytes` starts with; 1 where no valid longer
    /// character starts. Ranges as in the servers' `ctype-*.c`.
    pub fn char_len(self, bytes: &[u8]) -> usize {
        let (Some(&lead), Some(&trail)) = (bytes.first(), bytes.get(1)) else { return 1 };
        let two = match self {
            Multibyte::None => false,
            Multibyte::Big5 => {
                matches!(lead, 0xA1..=0xF9) && matches!(trail, 0x40..=0x7E | 0xA1..=0xFE)
            }
            Multibyte::Gbk => {
                matches!(lead, 0x81..=0xFE) && matches!(trail, 0x40..=0x7E | 0x80..=0xFE)
            }
            Multibyte::Gb18030 if matches!(lead, 0x81..=0xFE) => {
                if let (0x30..=0x39, Some(0x81..=0xFE), Some(0x30..=0x39)) =
                    (trail, bytes.get(2), bytes.get(3))
                {
                    return 4;
                }
                matches!(trail, 0x40..=0x7E | 0x80..=0xFE)
            }
            Multibyte::Gb18030 => false,
            Multibyte::Sjis => {
                matches!(lead, 0x81..=0x9F | 0xE0..=0xFC)
                    && matches!(trail, 0x40..=0x7E | 0x80..=0xFC)
            }
        };
        if two { 2 } else { 1 }
    }
}

/// Everything that changes where a statement ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The stock client that is followed.
    pub client: Client,
    /// `sql_mode` has NO_BACKSLASH_ESCAPES: a backslash in a string is an ordinary character.
    pub no_backslash_escapes: bool,
    /// `sql_mode` has ANSI_QUOTES: `"` quotes a name.
    pub ansi_quotes: bool,
    /// The character set that `SET NAMES` announced, where it matters.
    pub multibyte: Multibyte,
    /// As the clients' `--binary-mode`: NUL bytes are allowed and `\r\n` stays as it is.
    pub binary_mode: bool,
}

impl Rules {
    /// The rules at the start of a file.
    pub fn new(client: Client) -> Rules {
        Rules {
            client,
            no_backslash_escapes: false,
            ansi_quotes: false,
            multibyte: Multibyte::None,
            binary_mode: false,
        }
    }

    /// Words like `source` at the start of a line, and `\x` outside strings, are client commands;
    /// otherwise only DELIMITER and `\C` are.
    pub fn knows_commands(self) -> bool {
        self.client == Client::MariaDb && !self.binary_mode
    }
}
