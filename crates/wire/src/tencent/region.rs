//! Finance regions, which the cloud keeps apart from all others.
//!
//! Which regions there are is the caller's matter.

use std::net::IpAddr;

/// The regions whose requests must come to a host name that names them.
///
/// Source: the region list of the SDKs; the API's document says of the first that its domain is
/// `cdb.ap-shanghai-fsi.tencentcloudapi.com`.
pub const FINANCE: [&str; 2] = ["ap-shanghai-fsi", "ap-shenzhen-fsi"];

/// What a finance region asks of the request's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinanceHosts {
    /// Nothing: every region at every host.
    Any,
    /// A name that names the region, or no name at all: an address, `localhost`.
    NamedOrLocal,
    /// A name that names the region.
    Named,
}

/// Whether a request for `region` may come to `host`, the `Host` header as received.
///
/// The isolation has two directions: a host that names a finance region takes no other region.
pub fn region_allowed(region: &str, host: &str, hosts: FinanceHosts) -> bool {
    let name = strip_scheme(host);
    let name = strip_port(name).trim_end_matches('.').to_ascii_lowercase();
    let is_local = name == "localhost"
        || name.ends_with(".localhost")
        || name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    let named = FINANCE.into_iter().find(|region| name.split('.').any(|label| label == *region));
    match hosts {
        FinanceHosts::Any => true,
        FinanceHosts::NamedOrLocal if is_local && named.is_none() => true,
        _ => match named {
            Some(named) => named == region,
            None => !FINANCE.contains(&region),
        },
    }
}

/// A host without `http://`, which some clients send as part of it, in any case.
pub(super) fn strip_scheme(host: &str) -> &str {
    host.split_once("://").map_or(host, |(_, rest)| rest)
}

/// A host without its port, with its scheme if it has one.
pub(super) fn strip_port(host: &str) -> &str {
    // What has more colons is an IPv6 address without its brackets.
    let is_name = |name: &str| !strip_scheme(name).contains(':') || name.ends_with(']');
    match host.rsplit_once(':') {
        Some((name, port)) if is_port(port) && is_name(name) => name,
        _ => host,
    }
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
#[track_caller]
fn check(region: &str, host: &str, expected: [bool; 3]) {
    let all = [FinanceHosts::Any, FinanceHosts::NamedOrLocal, FinanceHosts::Named];
    assert_eq!(all.map(|hosts| region_allowed(region, host, hosts)), expected, "{region} {host}");
}

#[test]
fn a_finance_region_needs_its_own_host() {
    let own = "cdb.ap-shanghai-fsi.tencentcloudapi.com";
    check("ap-shanghai-fsi", own, [true, true, true]);
    check("ap-shanghai-fsi", "cdb.AP-Shanghai-fsi.example.test:8080", [true, true, true]);
    check("ap-shanghai-fsi", "http://cdb.ap-shanghai-fsi.example.test:8080", [true, true, true]);
    check("ap-shanghai-fsi", "cdb.tencentcloudapi.com", [true, false, false]);
    check("ap-shanghai-fsi", "cdb.ap-shenzhen-fsi.tencentcloudapi.com", [true, false, false]);
    check("ap-shanghai-fsi", "cdb.not-ap-shanghai-fsi.example.test", [true, false, false]);
    check("ap-guangzhou", own, [true, false, false]);
    check("ap-guangzhou", "cdb.tencentcloudapi.com", [true, true, true]);
    check("", "", [true, true, true]);
}

#[test]
fn addresses_name_no_region() {
    for host in ["127.0.0.1:8080", "http://127.0.0.1", "localhost:1", "[::1]:8080", "::1"] {
        check("ap-shenzhen-fsi", host, [true, true, false]);
        check("ap-guangzhou", host, [true, true, true]);
    }
}
