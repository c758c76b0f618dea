//! Signatures that no SDK makes: hand-written ones, forged ones, and what is refused before.

use wire::alibaba::code::Code;
use wire::alibaba::credentials::{BODY_MAX, Credentials, NONCE_MAX, QUERY_MAX, Scheme};
use wire::alibaba::error::Error;
use wire::alibaba::recognises;
use wire::alibaba::signature::{self, V1Hash, encode};
use wire::request::Request;

use super::capture::{self, KEY_ID, SECRET, is_accepted};
use crate::capture::Captured;

/// 2026-11-21T17:20:57Z
const NOW: i64 = 1_795_281_657;

const V1: [(&str, &str); 8] = [
    ("AccessKeyId", KEY_ID),
    ("SignatureMethod", "HMAC-SHA1"),
    ("SignatureVersion", "1.0"),
    ("SignatureNonce", "n-1"),
    ("Timestamp", "2026-11-21T17:20:57Z"),
    ("Action", "DescribeRegions"),
    ("Version", "2014-08-15"),
    ("SignatureType", ""),
];

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn joined(pairs: &[(String, String)]) -> String {
    let pairs: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    pairs.join("&")
}

fn get(query: String) -> Captured {
    Captured {
        name: String::new(),
        method: "GET".to_owned(),
        path: "/".to_owned(),
        query,
        headers: vec![("Host".to_owned(), b"rds.example.test".to_vec())],
        body: Vec::new(),
    }
}

fn signed_v1(pairs: &[(&str, &str)], hash: V1Hash) -> Captured {
    let mut pairs = owned(pairs);
    let seal = signature::v1(SECRET, hash, &signature::v1_string("GET", &pairs));
    pairs.push(("Signature".to_owned(), seal));
    get(joined(&pairs))
}

/// V1 with one value in the place of another.
fn with<'a>(name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    V1.iter().map(|(own, old)| (*own, if *own == name { value } else { *old })).collect()
}

/// What a hand-written client sends with ACS3.
fn signed_acs3(headers: &[(&str, &str)], names: &[&str], query: &str, body: &[u8]) -> Captured {
    let value = |name: &&str| {
        let found = headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        ((*name).to_owned(), found.map_or("", |(_, value)| value.trim()).as_bytes().to_vec())
    };
    let signed: Vec<(String, Vec<u8>)> = names.iter().map(value).collect();
    let pairs = wire::form::pairs(query.as_bytes(), 100).unwrap();
    let canonical = signature::canonical_request(
        "POST",
        "/",
        &signature::canonical_query(&pairs),
        &signed,
        &names.join(";"),
        &signature::sha256_hex(body),
    );
    let seal = signature::acs3(SECRET, &signature::string_to_sign(&canonical));
    let list = names.join(";");
    let authorization =
        format!("{} Credential={KEY_ID},SignedHeaders={list},Signature={seal}", signature::ACS3);
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    let mut headers: Vec<(String, Vec<u8>)> = headers.iter().map(own).collect();
    headers.push(("Authorization".to_owned(), authorization.into_bytes()));
    let (method, body) = ("POST".to_owned(), body.to_vec());
    Captured { method, headers, body, ..get(query.to_owned()) }
}

const EMPTY_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const ACS3: [(&str, &str); 6] = [
    ("Host", "rds.example.test"),
    ("X-Acs-Action", "DescribeRegions"),
    ("x-acs-content-sha256", EMPTY_HASH),
    ("x-acs-date", "2026-11-21T17:20:57Z"),
    ("x-acs-signature-nonce", "n-1"),
    ("x-acs-version", "2014-08-15"),
];

/// What has to be signed, in the order of [`ACS3`].
fn names() -> Vec<&'static str> {
    ["host", "x-acs-action", "x-acs-content-sha256"]
        .into_iter()
        .chain(["x-acs-date", "x-acs-signature-nonce", "x-acs-version"])
        .collect()
}

fn read(captured: &Captured) -> Result<Credentials, Error> {
    Credentials::read(&captured.request())
}

#[track_caller]
fn check(captured: &Captured, expected: Code, words: &str) {
    let error = read(captured).unwrap_err();
    assert_eq!(error.code(), expected);
    assert!(error.message().contains(words), "{}", error.message());
}

#[test]
fn both_hashes_are_known_and_not_exchanged() {
    let sha256: Vec<_> = with("SignatureMethod", "HMAC-SHA256");
    let captured = signed_v1(&sha256, V1Hash::Sha256);
    assert!(is_accepted(&captured, SECRET, NOW));
    assert_eq!(read(&captured).unwrap().scheme, Scheme::V1(V1Hash::Sha256));
    assert!(!is_accepted(&signed_v1(&sha256, V1Hash::Sha1), SECRET, NOW));
    assert!(is_accepted(&signed_v1(&V1, V1Hash::Sha1), SECRET, NOW));
    assert!(!is_accepted(&signed_v1(&V1, V1Hash::Sha256), SECRET, NOW));
    for method in ["HMAC-MD5", "hmac-sha1", "SHA256withRSA"] {
        check(
            &signed_v1(&with("SignatureMethod", method), V1Hash::Sha1),
            Code::InvalidSignatureMethod,
            "signature method",
        );
    }
    let bearer = signed_v1(&with("SignatureType", "BEARERTOKEN"), V1Hash::Sha1);
    check(&bearer, Code::InvalidSignatureMethod, "signature method");
}

#[test]
fn a_plus_may_be_sent_as_it_is() {
    // Some of these signatures have one.
    let mut count = 0;
    for at in 0..64 {
        let nonce = format!("n-{at}");
        let mut pairs = owned(&V1);
        pairs[3].1 = nonce;
        let seal = signature::v1(SECRET, V1Hash::Sha1, &signature::v1_string("GET", &pairs));
        count += usize::from(seal.contains('+'));
        let captured = get(format!("{}&Signature={seal}", joined(&pairs)));
        assert!(is_accepted(&captured, SECRET, NOW), "{seal}");
    }
    assert!(count > 5, "{count}");
}

#[test]
fn version_1_needs_its_parameters() {
    for name in
        ["AccessKeyId", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"]
    {
        let without: Vec<_> = V1.into_iter().filter(|(own, _)| *own != name).collect();
        for pairs in [without, with(name, "")] {
            let error = read(&signed_v1(&pairs, V1Hash::Sha1)).unwrap_err();
            assert_eq!(error.word(), format!("Missing{name}"));
            assert_eq!(error.message(), format!("{name} is mandatory for this action."));
        }
    }
    let error = read(&get(joined(&owned(&V1)))).unwrap_err();
    assert_eq!(error.word(), "MissingSignature");
    let two = signed_v1(&with("SignatureVersion", "2.0"), V1Hash::Sha1);
    check(&two, Code::InvalidParameter, "\"SignatureVersion\"");
    for time in ["1795281657", "2026-11-21 17:20:57", "2026-11-21T17:20Z", "2026-13-01T00:00:00Z"] {
        check(&signed_v1(&with("Timestamp", time), V1Hash::Sha1), Code::TimestampFormat, "time");
    }
}

#[test]
fn a_name_comes_once_in_query_and_body_together() {
    let captured = signed_v1(&V1, V1Hash::Sha1);
    let twice = get(format!("{}&Action=CancelImport", captured.query));
    check(&twice, Code::InvalidParameter, "\"Action\"");
    let mut both = captured.clone();
    both.method = "POST".to_owned();
    let form = b"application/x-www-form-urlencoded; charset=utf-8".to_vec();
    both.headers.push(("content-type".to_owned(), form));
    both.body = b"%41ction=CancelImport".to_vec();
    check(&both, Code::InvalidParameter, "\"Action\"");
    check(&get(format!("{}&x", captured.query)), Code::InvalidParameter, "\"=\"");
    check(&get(format!("{}&x=%ff", captured.query)), Code::InvalidParameter, "UTF-8");
    let many: String = (0..1000).map(|at| format!("&x{at}=")).collect();
    check(&get(format!("{}{many}", captured.query)), Code::InvalidParameter, "1000 parameters");
}

#[test]
fn acs3_covers_the_headers_it_lists_in_that_order() {
    let captured = signed_acs3(&ACS3, &names(), "a=x+y&b=*", b"");
    assert!(is_accepted(&captured, SECRET, NOW));
    let mut reversed = names();
    reversed.reverse();
    assert!(is_accepted(&signed_acs3(&ACS3, &reversed, "", b""), SECRET, NOW));
    let more: Vec<_> = ACS3.into_iter().chain([("X-Extra", "  spaced  ")]).collect();
    let list: Vec<_> = names().into_iter().chain(["x-extra"]).collect();
    let mut captured = signed_acs3(&more, &list, "", b"");
    assert!(is_accepted(&captured, SECRET, NOW));
    captured.headers.push(("x-extra".to_owned(), b"spaced".to_vec()));
    assert!(!is_accepted(&captured, SECRET, NOW));
    captured.headers.retain(|(name, _)| !name.eq_ignore_ascii_case("x-extra"));
    assert!(!is_accepted(&captured, SECRET, NOW));
}

#[test]
fn decisive_headers_come_once_and_are_signed() {
    for (name, _) in ACS3 {
        let some: Vec<_> =
            names().into_iter().filter(|own| !own.eq_ignore_ascii_case(name)).collect();
        check(&signed_acs3(&ACS3, &some, "", b""), Code::IncompleteSignature, "conform");
        let mut captured = signed_acs3(&ACS3, &names(), "", b"");
        let value = captured.header(name).clone();
        captured.headers.push((name.to_lowercase(), value));
        check(&captured, Code::InvalidParameter, &name.to_lowercase());
        captured.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
        check(&captured, Code::IncompleteSignature, "conform");
    }
}

#[test]
fn acs3_covers_the_body() {
    let body = b"DBInstanceId=rm-1";
    let hash = signature::sha256_hex(body);
    let mut headers = ACS3.to_vec();
    headers[2].1 = &hash;
    let mut captured = signed_acs3(&headers, &names(), "", body);
    assert!(is_accepted(&captured, SECRET, NOW));
    captured.body[0] = b'd';
    assert!(!is_accepted(&captured, SECRET, NOW));
    // What type it has is signed too, if it is said.
    headers.push(("Content-Type", "application/x-www-form-urlencoded"));
    check(&signed_acs3(&headers, &names(), "", body), Code::IncompleteSignature, "conform");
    let typed: Vec<_> = names().into_iter().chain(["content-type"]).collect();
    assert!(is_accepted(&signed_acs3(&headers, &typed, "", body), SECRET, NOW));
    // The signature is over the body, the header says another hash.
    assert!(!is_accepted(&signed_acs3(&ACS3, &names(), "", body), SECRET, NOW));
}

#[test]
fn what_cannot_be_signed_rightly_is_refused_at_once() {
    for method in ["PUT", "get", "HEAD", "", "OPTIONS"] {
        let captured = Captured { method: method.to_owned(), ..signed_v1(&V1, V1Hash::Sha1) };
        check(&captured, Code::UnsupportedHttpMethod, "not supported");
    }
    let long = "n".repeat(NONCE_MAX + 1);
    check(
        &signed_v1(&with("SignatureNonce", &long), V1Hash::Sha1),
        Code::InvalidParameter,
        "\"SignatureNonce\"",
    );
    assert!(read(&signed_v1(&with("SignatureNonce", &long[1..]), V1Hash::Sha1)).is_ok());
    check(&signed_v1(&with("AccessKeyId", &long), V1Hash::Sha1), Code::AccessKeyNotFound, "key");
    let mut basic = signed_acs3(&ACS3, &names(), "", b"");
    *basic.header("authorization") = b"Basic eDp5".to_vec();
    check(&basic, Code::InvalidSignatureMethod, "signature method");
    let anonymous = read(&get("Version=2014-08-15".to_owned())).unwrap_err();
    assert_eq!(anonymous.word(), "MissingAccessKeyId");
}

#[test]
fn sizes_are_bounded() {
    let captured = signed_acs3(&ACS3, &names(), "", b"");
    let query = |bytes: usize| Captured { query: "&".repeat(bytes), ..captured.clone() };
    assert!(read(&query(QUERY_MAX - 1)).is_ok());
    check(&query(QUERY_MAX), Code::InvalidParameter, "too large");
    let body = |bytes: usize| Captured { body: vec![b'&'; bytes], ..captured.clone() };
    assert!(read(&body(BODY_MAX)).is_ok());
    check(&body(BODY_MAX + 1), Code::InvalidParameter, "too large");
}

fn mismatch(captured: &Captured) -> String {
    let credentials = read(captured).unwrap();
    let error = credentials.verify("wrong", credentials.timestamp, &captured.request());
    let error = error.unwrap_err();
    assert_eq!((error.code(), error.status()), (Code::SignatureDoesNotMatch, 400));
    assert_eq!(error.to_string(), "SignatureDoesNotMatch");
    error.message()
}

#[test]
fn a_wrong_signature_is_told_what_we_signed() {
    let message = mismatch(&signed_v1(&V1, V1Hash::Sha1));
    let own = signature::v1_string("GET", &owned(&V1));
    let expected =
        "Specified signature is not matched with our calculation. server string to sign is:";
    assert_eq!(message, format!("{expected}{own}"));

    let message = mismatch(&signed_acs3(&ACS3, &names(), "a=1", b""));
    let expected = "Specified signature does not match our calculation. \
                    server StringToSign is [ACS3-HMAC-SHA256\n";
    assert!(message.starts_with(expected), "{message}");
    let expected = "] server CanonicalRequest is [POST\n/\na=1\nhost:rds.example.test\n";
    assert!(message.contains(expected), "{message}");
    assert!(message.ends_with(&format!("\n{EMPTY_HASH}]")), "{message}");
}

#[test]
fn nothing_confidential_and_nothing_long_is_repeated() {
    for name in ["node-pop-core-sts", "py-classic-common-sts", "py-rds-16-generic-v2-sts"] {
        let message = mismatch(&capture::named(name));
        assert!(message.ends_with("server string to sign is:"), "{name}: {message}");
    }
    let message = mismatch(&capture::named("py-rds-16-generic-v3-sts"));
    assert!(message.ends_with("server CanonicalRequest is []"), "{message}");
    let long = "n".repeat(20_000);
    for (name, value) in [("AccountPassword", "hunter2"), ("X", long.as_str())] {
        let pairs: Vec<_> = V1.into_iter().chain([(name, value)]).collect();
        let message = mismatch(&signed_v1(&pairs, V1Hash::Sha1));
        assert!(message.ends_with("server string to sign is:"), "{message}");
    }
}

#[test]
fn requests_of_others_are_not_recognised() {
    let other = |query: &str, header: (&str, &str), body: &str| {
        let headers = vec![(header.0, header.1.as_bytes())];
        recognises(&Request { method: "POST", path: "/", query, headers, body: body.as_bytes() })
    };
    let none = ("accept", "*/*");
    assert!(!other("", none, ""));
    assert!(!other("Action=DescribeTasks&SecretId=x&Version=2017-03-20", none, ""));
    assert!(!other("Version=2014-08-15", ("X-TC-Action", "DescribeTasks"), ""));
    assert!(!other("AccessKeyId=x", ("authorization", "TC3-HMAC-SHA256 Credential=x"), ""));
    assert!(!other("AccessKeyId=x&SecretId=y", none, ""));
    assert!(other("Version=2014-08-15", none, ""));
    assert!(other("", none, "a=1&AccessKeyId=x"));
    assert!(other("", ("X-Acs-Anything", ""), "SecretId=x"));
    assert!(other("", ("authorization", "ACS3-HMAC-SHA256 x"), ""));
}

#[test]
fn nothing_secret_is_shown() {
    for captured in [signed_v1(&V1, V1Hash::Sha1), signed_acs3(&ACS3, &names(), "", b"")] {
        let shown = format!("{:?}", read(&captured).unwrap());
        assert!(shown.contains(KEY_ID) && !shown.contains("Signature"), "{shown}");
        assert!(!shown.contains("proof") && shown.len() < 120, "{shown}");
    }
}
