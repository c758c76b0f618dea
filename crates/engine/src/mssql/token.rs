//! The tokens of an answer that are no rows, \[MS-TDS\] 2.2.7.
//!
//! Promises: [`read`] never panics; it says "not yet" only for a token whose bytes may still come, and
//! refuses what the protocol does not know. Whoever reads limits how much is kept for a token
//! ([`super::packet::TOKEN_BYTES_MAX`]).

use super::bytes::{Reader, Short};
use super::metadata::{self, Column, Unread};
use crate::error::{ServerError, State};

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// Columns; rows may follow.
    Columns(Vec<Column>),
    /// The server refuses something.
    Refusal(ServerError),
    /// The server says something; what, is for nobody here.
    Information,
    /// Something of the session has changed.
    Change(Change),
    /// The login is accepted; its body.
    LoginAccepted(Vec<u8>),
    /// A statement, a procedure or all of a request has ended.
    Done(Done),
    /// Of no meaning to us.
    Skipped,
}

/// What has changed, ENVCHANGE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Packets have so many bytes from now on.
    PacketBytes(usize),
    /// A transaction began; requests have to name it.
    Began(u64),
    /// There is no transaction any more.
    Ended,
    /// The login has to be made elsewhere.
    Routing {
        /// Where.
        host: String,
        /// At which port.
        port: u16,
    },
    /// Of no meaning to us.
    Other,
}

/// The end of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// More results of the request follow.
    pub more: bool,
    /// It has failed.
    pub failed: bool,
    /// Its rows, if it says how many.
    pub rows: Option<u64>,
    /// It was ended because we asked for that.
    pub attention: bool,
}

/// What is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A token of this number is not known, or not expected by a client like this.
    Unknown(u8),
    /// The token of this number is not made as the protocol says.
    Malformed(u8),
    /// A column is of a type that is not known.
    UnknownType(u8),
}

const DONE: u8 = 0xfd;
const DONE_PROC: u8 = 0xfe;
const DONE_IN_PROC: u8 = 0xff;
const RETURN_STATUS: u8 = 0x79;
const OFFSET: u8 = 0x78;
const TABLE_NAMES: u8 = 0xa4;
const COLUMN_INFO: u8 = 0xa5;
const ORDER: u8 = 0xa9;
const ERROR: u8 = 0xaa;
const INFO: u8 = 0xab;
const LOGIN_ACK: u8 = 0xad;
const FEATURE_EXT_ACK: u8 = 0xae;
const ENV_CHANGE: u8 = 0xe3;
const SESSION_STATE: u8 = 0xe4;

/// Reads the token at the front of `input`, with its length. `None` if it is not there wholly.
pub fn read(input: &[u8]) -> Result<Option<(Token, usize)>, Fault> {
    let mut reader = Reader::new(input);
    let Ok(number) = reader.u8() else { return Ok(None) };
    let token = match number {
        metadata::TOKEN => match Column::read_all(&mut reader) {
            Ok(columns) => Ok(Token::Columns(columns)),
            Err(Unread::Short) => Err(Short),
            Err(Unread::UnknownType(kind)) => return Err(Fault::UnknownType(kind)),
            Err(Unread::Malformed(kind)) => return Err(Fault::Malformed(kind)),
        },
        DONE | DONE_PROC | DONE_IN_PROC => done(&mut reader),
        RETURN_STATUS | OFFSET => reader.take(4).map(|_| Token::Skipped),
        TABLE_NAMES | COLUMN_INFO | ORDER => sized(&mut reader).map(|_| Token::Skipped),
        SESSION_STATE => {
            let length = reader.u32();
            length.and_then(|length| reader.take(length as usize)).map(|_| Token::Skipped)
        }
        FEATURE_EXT_ACK => features(&mut reader).map(|()| Token::Skipped),
        INFO => sized(&mut reader).map(|_| Token::Information),
        LOGIN_ACK => sized(&mut reader).map(|body| Token::LoginAccepted(body.to_vec())),
        ERROR | ENV_CHANGE => match sized(&mut reader) {
            // What is short inside of a token that is there wholly stays short.
            Ok(body) => {
                let read = if number == ERROR { refusal(body) } else { change(body) };
                Ok(read.map_err(|Short| Fault::Malformed(number))?)
            }
            Err(Short) => Err(Short),
        },
        number => return Err(Fault::Unknown(number)),
    };
    Ok(token.ok().map(|token| (token, reader.position())))
}

/// A token's body behind its length of two bytes.
fn sized<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Short> {
    let length = reader.u16()?;
    reader.take(usize::from(length))
}

fn done(reader: &mut Reader<'_>) -> Result<Token, Short> {
    const MORE: u16 = 0x1;
    const FAILED: u16 = 0x2;
    const COUNTED: u16 = 0x10;
    const ATTENTION: u16 = 0x20;
    const SEVERE: u16 = 0x100;
    let status = reader.u16()?;
    let _command = reader.u16()?;
    let rows = reader.u64()?;
    Ok(Token::Done(Done {
        more: status & MORE != 0,
        failed: status & (FAILED | SEVERE) != 0,
        rows: (status & COUNTED != 0).then_some(rows),
        attention: status & ATTENTION != 0,
    }))
}

fn refusal(body: &[u8]) -> Result<Token, Short> {
    let mut reader = Reader::new(body);
    let code = reader.u32()?;
    let (state, class) = (reader.u8()?, reader.u8()?);
    let message = reader.long_text()?;
    Ok(Token::Refusal(ServerError { code, state: State::Severity { class, state }, message }))
}

/// \[MS-TDS\] 2.2.7.9.
fn change(body: &[u8]) -> Result<Token, Short> {
    const PACKET_SIZE: u8 = 4;
    const BEGIN: u8 = 8;
    const COMMIT: u8 = 9;
    const ROLLBACK: u8 = 10;
    const ENDED: u8 = 17;
    const ROUTING: u8 = 20;
    let mut reader = Reader::new(body);
    let change = match reader.u8()? {
        PACKET_SIZE => match reader.short_text()?.parse() {
            Ok(bytes) => Change::PacketBytes(bytes),
            Err(_) => return Err(Short),
        },
        BEGIN => {
            let length = reader.u8()?;
            match length {
                8 => Change::Began(reader.u64()?),
                _ => return Err(Short),
            }
        }
        COMMIT | ROLLBACK | ENDED => Change::Ended,
        ROUTING => {
            let _length = reader.u16()?;
            let _protocol = reader.u8()?;
            let port = reader.u16()?;
            Change::Routing { port, host: reader.long_text()? }
        }
        _ => Change::Other,
    };
    Ok(Token::Change(change))
}

/// Each is a number, a length and so many bytes; 0xFF ends them.
fn features(reader: &mut Reader<'_>) -> Result<(), Short> {
    const END: u8 = 0xff;
    while reader.u8()? != END {
        let length = reader.u32()?;
        reader.take(length as usize)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(bytes: &[u8], expected: &Token) {
        assert_eq!(read(bytes), Ok(Some((expected.clone(), bytes.len()))));
        for end in 0..bytes.len() {
            assert_eq!(read(&bytes[..end]), Ok(None), "cut at {end}");
        }
    }

    #[test]
    fn tokens_are_read_whole_or_not_yet() {
        let error =
            b"\xaa\x20\x00\x06\x52\x00\x00\x01\x10\x03\x00n\0o\0!\0\x03d\0b\0s\0\0\x01\0\0\0";
        let mut error = error.to_vec();
        error[1] = (error.len() - 3) as u8;
        let server = ServerError {
            code: 20_998,
            state: State::Severity { class: 16, state: 1 },
            message: "no!".into(),
        };
        check(&error, &Token::Refusal(server));
        let done = [0xfd, 0x11, 0, 0xc1, 0, 7, 0, 0, 0, 0, 0, 0, 0];
        let rows = Some(7);
        check(&done, &Token::Done(Done { more: true, failed: false, rows, attention: false }));
        let began = [0xe3, 11, 0, 8, 8, 1, 0, 0, 0, 0, 0, 0, 9, 0];
        check(&began, &Token::Change(Change::Began(9 << 56 | 1)));
        let packets = b"\xe3\x13\0\x04\x048\x000\x000\x000\0\x044\x000\x009\x006\0";
        check(packets, &Token::Change(Change::PacketBytes(8000)));
        let routing = b"\xe3\x0e\0\x14\x09\0\0\x99\x05\x02\0d\0b\0\0\0";
        check(routing, &Token::Change(Change::Routing { host: "db".into(), port: 1433 }));
        check(&[0x79, 0, 0, 0, 0], &Token::Skipped);
    }

    #[test]
    fn columns_are_read() {
        let mut columns = vec![0x81, 2, 0];
        columns.extend(b"\0\0\0\0\x09\0\x26\x04\x01a\0");
        columns.extend(b"\0\0\0\0\x08\0\xe7\x14\0\x09\x04\xd0\0\x34\x02b\0c\0");
        let Ok(Some((Token::Columns(read), length))) = read(&columns) else { panic!() };
        assert_eq!(length, columns.len());
        assert_eq!((read[0].name.as_str(), read[0].is_nullable()), ("a", true));
        assert_eq!((read[1].name.as_str(), read[1].is_nullable()), ("bc", false));
        assert_eq!(
            (read[1].kind.bytes_max, read[1].kind.collation),
            (20, Some([9, 4, 0xd0, 0, 0x34]))
        );
        assert_eq!(
            super::read(&[0x81, 1, 0, 0, 0, 0, 0, 0, 0, 0x99]),
            Err(Fault::UnknownType(0x99))
        );
    }

    proptest! {
        #[test]
        fn anything_is_read_without_a_panic(first in 0x70_u8.., rest in prop::collection::vec(any::<u8>(), 0..200)) {
            let input = [&[first][..], &rest].concat();
            if let Ok(Some((_, length))) = read(&input) {
                prop_assert!(length <= input.len());
            }
        }
    }
}
