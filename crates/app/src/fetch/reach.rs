//! Which hosts may be asked: what a name resolves to decides, not the name.
//!
//! Promises: an address that is checked here is the one that is connected to, because the caller
//! connects to what [`resolve`] gives and asks no resolver again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use reqwest::Url;

use super::Error;

/// How long a name may take to be resolved.
const RESOLVE_MAX: Duration = Duration::from_secs(10);
/// The platform services of a cloud (metadata, agents) that live at a public address: Azure's.
const PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// Which hosts may be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every one.
    Any,
    /// Those with a public address, and these ones by their names as they stand in URLs.
    Public(Vec<String>),
}

/// Where to connect to for a URL; nothing where that is not ours to say.
pub(super) async fn resolve(url: &Url, reach: &Reach) -> Result<Option<Vec<SocketAddr>>, Error> {
    let Reach::Public(excepted) = reach else { return Ok(None) };
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    // A URL writes an IPv6 address in brackets, a resolver takes it without.
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((bare, port));
    let found = tokio::time::timeout(RESOLVE_MAX, found).await;
    let found = found.map_err(|_| Error::Unreachable("its name is not resolved".to_owned()))?;
    let found = found.map_err(|error| Error::Unreachable(error.to_string()))?;
    let is_excepted = excepted.iter().any(|name| name.eq_ignore_ascii_case(bare));
    let allowed: Vec<SocketAddr> =
        found.filter(|address| is_excepted || is_public(address.ip())).collect();
    if allowed.is_empty() { Err(Error::Forbidden) } else { Ok(Some(allowed)) }
}

/// Whether an address is one of the Internet, and of nobody's own network or machine.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_special = match address.octets() {
        // This network, private ones, carriers' own, this machine, this link and its metadata.
        [0 | 10 | 127, ..] | [100, 64..=127, ..] | [169, 254, ..] | [172, 16..=31, ..] => true,
        [192, 168, ..] | [192, 0, 0, _] => true,
        // Documentation, relays of 6to4, benchmarks.
        [192, 0, 2, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => true,
        [198, 51, 100, _] | [203, 0, 113, _] => true,
        // Multicast, reserved, broadcast.
        [224..=255, ..] => true,
        _ => address == PLATFORM,
    };
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match address.segments() {
        // An IPv4 address in other words: as such, and translated on the way.
        [0, 0, 0, 0, 0, 0xffff, high, low] => embedded(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        // Protocols' own (Teredo among them), documentation.
        [0x2001, 0..=0x1ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Global unicast; all others are local, multicast or reserved.
        [0x2000..=0x3fff, ..] => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_internet_are_public() {
        for text in ["1.1.1.1", "119.28.1.2", "172.32.0.1", "2606:4700::1111", "64:ff9b::101:101"] {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
        for text in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "100.100.100.200",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.0.23",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.192",
            "192.168.1.1",
            "198.18.0.1",
            "168.63.129.16",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn what_a_host_resolves_to_decides() {
        let local = Reach::Public(Vec::new());
        // Every spelling that a URL has for this machine.
        for text in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://2130706433/",
            "http://0x7f.0.0.1/",
            "http://localhost/",
            "http://[::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://user@127.0.0.1:8080/",
        ] {
            let url = Url::parse(text).unwrap();
            let refused = resolve(&url, &local).await;
            assert!(matches!(refused, Err(Error::Forbidden)), "{text}: {refused:?}");
            assert_eq!(resolve(&url, &Reach::Any).await.unwrap(), None);
        }
        let excepted = Reach::Public(vec!["LOCALHOST".to_owned(), "::1".to_owned()]);
        for (text, is_allowed) in [
            ("http://localhost:81/", true),
            ("http://[::1]:81/", true),
            ("http://127.0.0.1:81/", false),
        ] {
            let found = resolve(&Url::parse(text).unwrap(), &excepted).await;
            match found {
                Ok(Some(found)) => assert!(is_allowed && found.iter().all(|at| at.port() == 81)),
                other => assert!(!is_allowed, "{text}: {other:?}"),
            }
        }
    }
}
