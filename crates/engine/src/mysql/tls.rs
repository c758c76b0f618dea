//! The parts of TLS that the driver leaves open: checking a chain without the name, and whether a
//! password may go over a connection that turned out to be plain.
//!
//! Promises: no check is ever weaker than the mode asked for. Deliberately not here: the handshake
//! itself (rustls inside the driver does it) and reading the endpoint's options.

use std::io;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// The host name to ask for when only the chain of certificates is to be checked.
///
/// The driver's switch for that forgives errors whose text has the word `NotValidForName`, which
/// rustls no longer writes. But it quotes the name asked for, in errors about names only, and it
/// looks at names last, when the chain has been found good. Should a later rustls write something
/// else, connections are refused, not left unchecked.
pub(super) const NAME_UNCHECKED: &str = "NotValidForName.invalid";

/// What a server says before login, as far as it matters here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Greeting {
    /// Name of the login method it proposes.
    pub(super) auth_plugin: String,
}

/// Reads a server's greeting and hangs up.
pub(super) async fn read_greeting(host: &str, port: u16) -> io::Result<Greeting> {
    let mut stream = TcpStream::connect((host, port)).await?;
    let mut header = [0; 4];
    stream.read_exact(&mut header).await?;
    // The header's fourth byte counts packets.
    let length = u32::from_le_bytes([header[0], header[1], header[2], 0]);
    let mut packet = vec![0; length as usize];
    stream.read_exact(&mut packet).await?;
    parse_greeting(&packet).ok_or_else(|| io::Error::other("no MySQL server greeting"))
}

/// May a password be sent through RSA keys or hashes when the connection is plain?
///
/// `caching_sha2_password` and `sha256_password` send the password itself, protected by a key that
/// anyone on the way may have put in place of the server's.
pub(super) fn is_safe_in_clear(greeting: &Greeting) -> bool {
    !matches!(greeting.auth_plugin.as_str(), "caching_sha2_password" | "sha256_password")
}

fn parse_greeting(packet: &[u8]) -> Option<Greeting> {
    // Protocol version, server version (ends with 0), connection id, 8 bytes of salt and a 0,
    // capabilities, character set, status, capabilities, length of the salt, 10 bytes of nothing.
    const FIXED: usize = 4 + 8 + 1 + 2 + 1 + 2 + 2 + 1 + 10;
    const SALT_LENGTH_AT: usize = FIXED - 11;
    let (10, rest) = packet.split_first()? else { return None };
    let version_end = rest.iter().position(|byte| *byte == 0)?;
    let (fixed, rest) = rest.get(version_end + 1..)?.split_at_checked(FIXED)?;
    let salt_rest = usize::from(*fixed.get(SALT_LENGTH_AT)?).saturating_sub(8).max(13);
    let plugin = rest.get(salt_rest..)?;
    let plugin = plugin.split(|byte| *byte == 0).next()?;
    Some(Greeting { auth_plugin: String::from_utf8_lossy(plugin).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_greeting_of_mysql() {
        let mut packet = b"\x0a9.7.0\0".to_vec();
        packet.extend([1, 0, 0, 0]);
        packet.extend(b"12345678\0");
        packet.extend([0xff, 0xff, 0xff, 2, 0, 0xff, 0xdf, 21]);
        packet.extend([0; 10]);
        packet.extend(b"abcdefghijkl\0caching_sha2_password\0");
        let greeting = parse_greeting(&packet).unwrap();
        assert_eq!(greeting.auth_plugin, "caching_sha2_password");
        assert!(!is_safe_in_clear(&greeting));
        for end in 0..packet.len() - 30 {
            assert_eq!(parse_greeting(&packet[..end]), None);
        }
    }
}
