//! Signatures that no SDK makes: hand-written ones, forged ones, and what is refused before.

use wire::civil;
use wire::request::Request;
use wire::tencent::code::Code;
use wire::tencent::credentials::{Credentials, GET_MAX, TC3_BODY_MAX, V1_BODY_MAX};
use wire::tencent::language::Language;
use wire::tencent::recognises;
use wire::tencent::signature::{self, V1Hash};

use crate::capture::{Captured, KEY_ID, SECRET};

const NOW: i64 = 1_795_281_428;

/// What a hand-written client signs.
struct Signing<'a> {
    date: String,
    service: &'a str,
    /// Names in the order signed; the values are those of `headers` unless lower-cased.
    names: &'a [&'a str],
    is_lower: bool,
    headers: Vec<(&'a str, &'a str)>,
}

fn plain<'a>() -> Signing<'a> {
    Signing {
        date: civil::utc_date(NOW),
        service: "cdb",
        names: &["content-type", "host"],
        is_lower: false,
        headers: vec![
            ("Content-Type", "application/json"),
            ("Host", "cdb.example.test"),
            ("X-TC-Action", "DescribeTasks"),
            ("X-TC-Version", "2017-03-20"),
            ("X-TC-Timestamp", "1795281428"),
        ],
    }
}

fn sign(signing: &Signing<'_>) -> Captured {
    let Signing { date, service, names, is_lower, headers } = signing;
    let value = |name: &&str| {
        let found = headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name));
        let value = found.map_or("", |(_, value)| value);
        let value = if *is_lower { value.to_lowercase() } else { value.to_owned() };
        ((*name).to_owned(), value.into_bytes())
    };
    let signed: Vec<(String, Vec<u8>)> = names.iter().map(value).collect();
    let (list, body) = (names.join(";"), b"{}");
    let hash = signature::sha256_hex(body);
    let canonical = signature::canonical_request("POST", "", &signed, &list, &hash);
    let text = signature::string_to_sign("1795281428", date, service, &canonical);
    let seal = signature::tc3(SECRET, date, service, &text);
    let scope = format!("{KEY_ID}/{date}/{service}/tc3_request");
    let authorization =
        format!("TC3-HMAC-SHA256 Credential={scope}, SignedHeaders={list}, Signature={seal}");
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    let mut headers: Vec<(String, Vec<u8>)> = headers.iter().map(own).collect();
    headers.push(("Authorization".to_owned(), authorization.into_bytes()));
    Captured {
        name: String::new(),
        method: "POST".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers,
        body: body.to_vec(),
    }
}

#[test]
fn more_headers_may_be_signed_in_either_case() {
    assert!(sign(&plain()).is_accepted(SECRET, NOW));
    let names = &["content-type", "host", "x-tc-action"];
    for is_lower in [false, true] {
        let mut captured = sign(&Signing { names, is_lower, ..plain() });
        assert!(captured.is_accepted(SECRET, NOW));
        *captured.header("x-tc-action") = b"CreateDBImportJob".to_vec();
        assert!(!captured.is_accepted(SECRET, NOW));
    }
}

#[test]
fn the_host_may_be_signed_without_scheme_and_port() {
    let sent = "http://cdb.example.test:8080";
    let accepted = ["http://cdb.example.test:8080", "http://cdb.example.test"];
    let accepted = accepted.into_iter().chain(["cdb.example.test:8080", "cdb.example.test"]);
    let refused = ["cdb.example.test:80", "https://cdb.example.test:8080", "example.test"];
    let all = accepted.map(|host| (host, true)).chain(refused.map(|host| (host, false)));
    for (host, is_accepted) in all {
        let mut signing = plain();
        signing.headers[1].1 = host;
        let mut captured = sign(&signing);
        *captured.header("host") = sent.as_bytes().to_vec();
        assert_eq!(captured.is_accepted(SECRET, NOW), is_accepted, "{host}");
    }
}

#[test]
fn host_and_content_type_must_be_signed() {
    for names in [&["content-type"], &["host"], &["x-tc-action"]] {
        let captured = sign(&Signing { names, ..plain() });
        let error = Credentials::read(&captured.request()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidAuthorization, "{names:?}");
    }
    let mut without_type = sign(&Signing { names: &["host"], ..plain() });
    without_type.headers.retain(|(name, _)| name != "Content-Type");
    assert!(without_type.is_accepted(SECRET, NOW));
    let names = &["content-type", "host", "x-not-sent"];
    assert!(!sign(&Signing { names, ..plain() }).is_accepted(SECRET, NOW));
}

#[test]
fn the_scope_has_the_timestamps_date_in_utc() {
    for (days, is_accepted) in [(-1, false), (0, true), (1, false)] {
        let date = civil::utc_date(NOW + days * civil::DAY);
        let captured = sign(&Signing { date, ..plain() });
        assert_eq!(captured.is_accepted(SECRET, NOW), is_accepted, "{days}");
    }
}

#[test]
fn every_service_is_taken_as_signed() {
    for service in ["127", "localhost:8080", "http://127", "任意"] {
        let mut captured = sign(&Signing { service, ..plain() });
        assert!(captured.is_accepted(SECRET, NOW), "{service}");
        let header = String::from_utf8(captured.header("authorization").clone()).unwrap();
        let other = header.replace(&format!("/{service}/"), "/cdb/");
        *captured.header("authorization") = other.into_bytes();
        assert!(!captured.is_accepted(SECRET, NOW), "{service}");
    }
}

#[test]
fn decisive_headers_come_once() {
    for name in ["Host", "content-type", "x-tc-action", "AUTHORIZATION", "X-TC-Timestamp"] {
        let mut captured = sign(&plain());
        let value = captured.header(name).clone();
        captured.headers.push((name.to_owned(), value));
        let error = Credentials::read(&captured.request()).unwrap_err();
        assert_eq!(error.code(), Code::InvalidParameter, "{name}");
    }
}

#[test]
fn python_signs_dots_for_underscores() {
    let sent = "Action=A&Nonce=7&SecretId=K&Timestamp=1795281428&a_b=1&a.c=2";
    for names in [["a_b", "a.c"], ["a.b", "a.c"]] {
        let mut pairs = wire::form::pairs(sent.as_bytes(), 10).unwrap();
        pairs[4].0 = names[0].to_owned();
        pairs[5].0 = names[1].to_owned();
        let text = signature::v1_string("GET", "cdb.example.test", "/", &pairs);
        let seal = signature::v1(SECRET, V1Hash::Sha1, &text);
        // Unencoded, as a careless client sends it.
        let query = format!("{sent}&Signature={seal}");
        let headers = vec![("host", b"cdb.example.test".as_slice())];
        let request = Request { method: "GET", path: "/", query: &query, headers, body: b"" };
        let credentials = Credentials::read(&request).unwrap();
        assert_eq!((credentials.nonce, credentials.timestamp), (Some(7), NOW));
        assert_eq!(credentials.verify(SECRET, NOW, &request), Ok(()), "{names:?}");
    }
}

#[track_caller]
fn check(change: impl Fn(&mut Captured), expected: Code, words: &str) {
    let mut captured = sign(&plain());
    change(&mut captured);
    let error = Credentials::read(&captured.request()).unwrap_err();
    assert_eq!(error.code(), expected);
    let message = error.message(Language::English);
    assert!(message.contains(words), "{message}");
}

fn drop_header(captured: &mut Captured, name: &str) {
    captured.headers.retain(|(own, _)| !own.eq_ignore_ascii_case(name));
}

#[test]
fn what_cannot_be_signed_rightly_is_refused_at_once() {
    for method in ["PUT", "get", "HEAD", "", "OPTIONS"] {
        check(|c| c.method = method.to_owned(), Code::UnsupportedProtocol, "GET and POST");
    }
    check(|c| drop_header(c, "x-tc-timestamp"), Code::MissingParameter, "`Timestamp`");
    check(|c| drop_header(c, "host"), Code::MissingParameter, "`Host`");
    for text in ["", "x", "-1", "+1", "1.0", "1795281428000"] {
        let timestamp = move |c: &mut Captured| {
            *c.header("x-tc-timestamp") = text.as_bytes().to_vec();
        };
        check(timestamp, Code::InvalidParameter, "`Timestamp`");
    }
    let skip = |c: &mut Captured| *c.header("authorization") = b"SKIP".to_vec();
    check(skip, Code::InvalidAuthorization, "Authorization");
    // A JSON body goes with TC3 only.
    check(|c| drop_header(c, "authorization"), Code::InvalidAuthorization, "Authorization");
}

#[test]
fn v1_needs_its_parameters() {
    let whole = [
        ("SecretId", "K"),
        ("Timestamp", "1795281428"),
        ("Nonce", "7"),
        ("Signature", "x"),
        ("Version", "2017-03-20"),
    ];
    let read = |query: &str| {
        let headers = vec![("host", b"cdb.example.test".as_slice())];
        let request = Request { method: "GET", path: "/", query, headers, body: b"" };
        assert!(recognises(&request), "{query}");
        Credentials::read(&request).map_err(|e| (e.code(), e.message(Language::English)))
    };
    let join = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(n, v)| format!("{n}={v}")).collect::<Vec<_>>().join("&")
    };
    assert!(read(&join(&whole)).is_ok());
    for at in 0..4 {
        let mut some = whole.to_vec();
        let (name, _) = some.remove(at);
        let (code, message) = read(&join(&some)).unwrap_err();
        assert_eq!(code, Code::MissingParameter);
        assert!(message.contains(&format!("`{name}`")), "{message}");
    }
    let code = |query: &str| read(query).unwrap_err().0;
    let whole = join(&whole);
    assert_eq!(code(&whole.replace("Nonce=7", "Nonce=x")), Code::InvalidParameter);
    assert_eq!(code(&format!("{whole}&Nonce=8")), Code::InvalidParameter);
    assert_eq!(code(&format!("{whole}&Action")), Code::InvalidParameter);
    assert_eq!(code(&format!("{whole}&Action=%ff")), Code::InvalidParameter);
}

#[test]
fn sizes_are_the_documents() {
    let too_large = Code::RequestSizeLimitExceeded;
    let tc3 = |bytes: usize| move |c: &mut Captured| c.body = vec![b' '; bytes];
    check(tc3(TC3_BODY_MAX + 1), too_large, "size");
    let mut largest = sign(&plain());
    largest.body = vec![b' '; TC3_BODY_MAX];
    assert!(Credentials::read(&largest.request()).is_ok());
    let get = |c: &mut Captured| (c.method, c.query) = ("GET".to_owned(), "a=".repeat(GET_MAX / 2));
    check(get, too_large, "size");
    let v1 = |c: &mut Captured| {
        drop_header(c, "authorization");
        c.body = vec![b'&'; V1_BODY_MAX + 1];
    };
    check(v1, Code::SignatureFailure, "please use new signature method `TC3-HMAC-SHA256`");
}

#[test]
fn requests_of_others_are_not_recognised() {
    let other = |query: &str, header: (&str, &str), body: &str| {
        let headers = vec![(header.0, header.1.as_bytes())];
        recognises(&Request { method: "POST", path: "/", query, headers, body: body.as_bytes() })
    };
    let none = ("accept", "*/*");
    assert!(!other("", none, ""));
    assert!(!other("Action=DescribeDBInstances&AccessKeyId=x&Version=2014-08-15", none, ""));
    assert!(!other("Version=2017-03-20", ("X-Acs-Action", "CancelImport"), ""));
    assert!(!other("", ("authorization", "ACS3-HMAC-SHA256 Credential=x"), "SecretId"));
    assert!(other("Version=2017-03-20", none, ""));
    assert!(other("", none, "a=1&SecretId=x"));
    assert!(other("", ("x-tc-ACTION", ""), ""));
    assert!(other("", ("authorization", "TC3-HMAC-SHA256 x"), ""));
}

#[test]
fn nothing_secret_is_shown() {
    let captured = sign(&plain());
    let shown = format!("{:?}", Credentials::read(&captured.request()).unwrap());
    assert!(shown.contains(KEY_ID) && !shown.contains("Signature="), "{shown}");
    let header = String::from_utf8(captured.clone().header("authorization").clone()).unwrap();
    let seal = header.rsplit('=').next().unwrap();
    assert!(seal.len() == 64 && !shown.contains(seal), "{shown}");
}
