//! The two messages before a session: PRELOGIN and LOGIN7, \[MS-TDS\] 2.2.6.4 and 2.2.6.5.
//!
//! Pure: values to bytes and back. The password is obscured as the protocol wants it, which hides it
//! from nobody: whoever sends a [`login`] encrypts the connection where it can be.

use super::bytes::{self, Reader, Short};
use crate::endpoint::Secret;

/// How much encryption a side of PRELOGIN offers or demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// For the login only.
    Off,
    /// For everything.
    On,
    /// There is none.
    NotSupported,
    /// For everything, or there is no connection.
    Required,
}

/// What LOGIN7 says.
#[derive(Clone, Debug)]
pub struct Login<'a> {
    /// Protocol version 8.0, where the whole connection is encrypted, else 7.4.
    pub strict: bool,
    /// Packets that are asked for, in bytes.
    pub packet_bytes: u32,
    /// The process that asks.
    pub process: u32,
    /// Login name.
    pub user: &'a str,
    /// Password.
    pub password: Option<&'a Secret>,
    /// Shows in `sys.dm_exec_sessions.program_name`.
    pub application: &'a str,
    /// The server's name as it was asked for.
    pub server: &'a str,
    /// The database to begin in; empty is the login's own.
    pub database: &'a str,
}

/// Characters of any text of a login, \[MS-TDS\] 2.2.6.4.
pub const TEXT_MAX: usize = 128;

const VERSION: u8 = 0;
const ENCRYPTION: u8 = 1;
const INSTANCE: u8 = 2;
const THREAD: u8 = 3;
const MARS: u8 = 4;
const END: u8 = 0xff;

/// The message PRELOGIN.
pub fn prelogin(encryption: Encryption) -> Vec<u8> {
    let options: [(u8, &[u8]); 5] = [
        (VERSION, &[0; 6]),
        (ENCRYPTION, &[encryption.code()]),
        (INSTANCE, &[0]),
        (THREAD, &[0; 4]),
        (MARS, &[0]),
    ];
    const ENTRY_BYTES: usize = 5;
    let mut offset = options.len() * ENTRY_BYTES + 1;
    let (mut head, mut data) = (Vec::<u8>::new(), Vec::<u8>::new());
    for (token, bytes) in options {
        head.push(token);
        head.extend((offset as u16).to_be_bytes());
        head.extend((bytes.len() as u16).to_be_bytes());
        data.extend(bytes);
        offset += bytes.len();
    }
    head.push(END);
    head.extend(data);
    head
}

/// What a server's PRELOGIN says of encryption; `None` if it says nothing that can be understood.
pub fn read_prelogin(message: &[u8]) -> Option<Encryption> {
    let mut entries = message;
    while let [token, o1, o2, l1, l2, rest @ ..] = entries {
        if *token == END {
            return None;
        }
        let offset = usize::from(u16::from_be_bytes([*o1, *o2]));
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        if *token == ENCRYPTION && length == 1 {
            return Encryption::of(*message.get(offset)?);
        }
        entries = rest;
    }
    None
}

impl Encryption {
    fn code(self) -> u8 {
        match self {
            Self::Off => 0,
            Self::On => 1,
            Self::NotSupported => 2,
            Self::Required => 3,
        }
    }

    fn of(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Off),
            1 => Some(Self::On),
            2 => Some(Self::NotSupported),
            3 => Some(Self::Required),
            _ => None,
        }
    }
}

/// The message LOGIN7. It fits into one packet of any size, since texts have at most [`TEXT_MAX`] characters:
/// what is longer is cut, and then no login of any server.
pub fn login(login: &Login<'_>) -> Vec<u8> {
    // Everything before the texts.
    const FIXED: usize = 94;
    // Where the database cannot be used, or the language not be set, the login fails.
    const FLAGS_1: u8 = 0xe0;
    // Language again, and a session as ODBC wants it: ANSI settings, no limit of TEXTSIZE.
    const FLAGS_2: u8 = 0x03;
    // Features follow; collations that are not known to us are welcome, for texts are not decoded.
    const FLAGS_3: u8 = 0x18;
    let mut out = Vec::new();
    let version: u32 = if login.strict { 0x0800_0000 } else { 0x7400_0004 };
    // The length is filled in at the end. Our own version says nothing to anyone.
    for number in [0, version, login.packet_bytes, 0, login.process, 0] {
        out.extend(number.to_le_bytes());
    }
    out.extend([FLAGS_1, FLAGS_2, 0, FLAGS_3]);
    // Time zone and locale.
    out.extend([0; 8]);
    let mut texts = Texts { out, data: Vec::new(), start: FIXED };
    let host = "";
    texts.put(&utf16(host));
    texts.put(&utf16(login.user));
    texts.put(&obscured(login.password.map(Secret::reveal).unwrap_or_default()));
    texts.put(&utf16(login.application));
    texts.put(&utf16(login.server));
    let extension_at = texts.out.len();
    texts.put_extension();
    for text in ["dbferry", "", login.database] {
        texts.put(&utf16(text));
    }
    // The network card's number, which is nobody's business.
    texts.out.extend([0; 6]);
    // SSPI, the file of a database to attach, a new password.
    for _ in 0..3 {
        texts.put(&[]);
    }
    texts.out.extend(0_u32.to_le_bytes());
    let Texts { mut out, data, start } = texts;
    let features_at = start + data.len();
    out.extend(data);
    let offset = u16::from_le_bytes([out[extension_at], out[extension_at + 1]]);
    let slot = usize::from(offset);
    out[slot..slot + 4].copy_from_slice(&(features_at as u32).to_le_bytes());
    out.extend(features());
    let length = (out.len() as u32).to_le_bytes();
    out[..4].copy_from_slice(&length);
    out
}

/// UTF-8 columns are to come as they are: without it the server turns them into UTF-16, and a carried
/// row would have another type. \[MS-TDS\] 2.2.6.4, FeatureExt.
fn features() -> Vec<u8> {
    const UTF8_SUPPORT: u8 = 0x0a;
    let mut features = vec![UTF8_SUPPORT];
    features.extend(1_u32.to_le_bytes());
    features.extend([1, END]);
    features
}

/// The list of offsets and lengths, and the texts that it leads to.
struct Texts {
    out: Vec<u8>,
    data: Vec<u8>,
    start: usize,
}

impl Texts {
    fn put(&mut self, text: &[u8]) {
        self.out.extend(((self.start + self.data.len()) as u16).to_le_bytes());
        self.out.extend(((text.len() / 2) as u16).to_le_bytes());
        self.data.extend(text);
    }

    /// Its length is in bytes, and what it leads to is where the features are.
    fn put_extension(&mut self) {
        self.out.extend(((self.start + self.data.len()) as u16).to_le_bytes());
        self.out.extend(4_u16.to_le_bytes());
        self.data.extend([0; 4]);
    }
}

fn utf16(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    bytes::encode(text, &mut out);
    out.truncate(2 * TEXT_MAX);
    out
}

/// \[MS-TDS\] 2.2.6.4: each byte's halves change places, then 0xA5 is added without carry.
fn obscured(password: &str) -> Vec<u8> {
    utf16(password).into_iter().map(|byte| byte.rotate_left(4) ^ 0xa5).collect()
}

/// The server's answer to a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// What the server calls itself.
    pub program: String,
    /// Its version: major, minor, build.
    pub version: (u8, u8, u16),
}

impl Acknowledgement {
    /// Reads what stands in the token LOGINACK, \[MS-TDS\] 2.2.7.14.
    pub fn read(body: &[u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(body);
        // The interface, and the protocol's version.
        reader.take(1 + 4)?;
        let program = reader.short_text()?.trim_end_matches('\0').to_owned();
        let version = reader.take(4)?;
        let build = u16::from_be_bytes([version[2], version[3]]);
        Ok(Self { program, version: (version[0], version[1], build) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prelogin_reads_what_it_writes_and_survives_every_cut() {
        for encryption in
            [Encryption::Off, Encryption::On, Encryption::NotSupported, Encryption::Required]
        {
            let message = prelogin(encryption);
            assert_eq!(read_prelogin(&message), Some(encryption));
            for end in 0..message.len() {
                read_prelogin(&message[..end]);
            }
        }
        assert_eq!(read_prelogin(&[]), None);
    }

    #[test]
    fn a_login_shows_no_password() {
        let secret = Secret::new("s3cret");
        let asked = Login {
            strict: false,
            packet_bytes: 4096,
            process: 7,
            user: "sa",
            password: Some(&secret),
            application: "dbferry",
            server: "db",
            database: "shop",
        };
        assert!(!format!("{asked:?}").contains("s3cret"));
        let message = login(&asked);
        assert_eq!(message[..4], (message.len() as u32).to_le_bytes());
        // The example of the protocol: 'a' (0x61) becomes 0xB3, and the zero after it 0xA5.
        assert_eq!(obscured("a"), [0xb3, 0xa5]);
        let longest = "x".repeat(TEXT_MAX + 1);
        let texts = Login {
            user: &longest,
            application: &longest,
            server: &longest,
            database: &longest,
            ..asked
        };
        assert!(login(&texts).len() < 4096 - 8);
    }
}
