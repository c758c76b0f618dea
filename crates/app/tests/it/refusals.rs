//! What the running service says to requests that are too large, malformed or ambiguous: the
//! dialect's own code, a whole answer, and the next request is served as if nothing had been.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::service::Site;
use crate::signed::Signer;

/// Nothing here takes that long; without it a test would hang where the service does.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// What is one of each list that the documents limit.
const MANY: usize = 10_000;

pub(crate) fn signer(site: &Site) -> Signer<'_> {
    Signer { key_id: &site.key.id, secret: &site.key.secret, host: &site.service.address }
}

/// A connection that does not wait for ever.
pub(crate) fn connect(site: &Site) -> TcpStream {
    let stream = TcpStream::connect(&site.service.address).unwrap();
    stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
    stream
}

/// Sends a whole request; the status and the body of the answer.
#[track_caller]
fn send(site: &Site, request: &[u8]) -> (u16, String) {
    let mut stream = connect(site);
    stream.write_all(request).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Sends a request to Tencent's API that has to be answered with that code.
#[track_caller]
pub(crate) fn check(site: &Site, request: &[u8], expected: &str) -> String {
    let (status, body) = send(site, request);
    assert_eq!(status, 200, "{body}");
    let document: Value = serde_json::from_str(&body).unwrap();
    let response = &document["Response"];
    assert!(response["RequestId"].is_string(), "{body}");
    assert_eq!(response["Error"]["Code"].as_str().unwrap_or("none"), expected, "{body}");
    response["Error"]["Message"].as_str().unwrap_or_default().to_owned()
}

/// A JSON object of so many bytes.
fn object_of(bytes: usize) -> Vec<u8> {
    format!("{{\"InstanceIds\":[\"{}\"]}}", "x".repeat(bytes - 20)).into_bytes()
}

fn pairs(count: usize) -> Vec<(String, String)> {
    (0..count).map(|at| (format!("InstanceIds.{at}"), format!("cdb-{at}"))).collect()
}

#[test]
fn what_is_too_large_is_refused_with_the_clouds_own_code() {
    let site = Site::start(&[]);
    let by = signer(&site);
    let long = |bytes| vec![("InstanceNames.0".to_owned(), "x".repeat(bytes))];
    let query = format!("InstanceNames.0={}", "x".repeat(32 << 10));
    check(&site, &by.get("DescribeDBInstances", &query), "RequestSizeLimitExceeded");
    let short = &query[..30 << 10];
    check(&site, &by.get("DescribeDBInstances", short), "none");
    let v1 = by.v1("GET", "DescribeDBInstances", &long(32 << 10));
    check(&site, &v1, "RequestSizeLimitExceeded");
    let v1 = by.v1("POST", "DescribeDBInstances", &long(1 << 20));
    let said = check(&site, &v1, "AuthFailure.SignatureFailure");
    assert!(said.contains("TC3-HMAC-SHA256"), "{said}");
    let body = object_of(10 << 20);
    check(&site, &by.post("DescribeDBInstances", &body, false), "none");
    // The answer comes whole also where much more is sent than is read.
    for bytes in [(10 << 20) + 1, 30 << 20] {
        let body = object_of(bytes);
        let request = by.post("DescribeDBInstances", &body, false);
        check(&site, &request, "RequestSizeLimitExceeded");
    }
    // Beyond what any dialect takes, HTTP's own words.
    let endless = format!("GET /?{} HTTP/1.1\r\nHost: x\r\n\r\n", "x".repeat(70_000));
    assert_eq!(send(&site, endless.as_bytes()).0, 414);
    let headers = format!("GET /healthz HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "x".repeat(300_000));
    let mut stream = connect(&site);
    // It may be cut off while it is still sent.
    let _ = stream.write_all(headers.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431 "), "{answer:?}");
    assert!(site.request("GET", "/healthz", &site.key, b"").starts_with("HTTP/1.1 200 "));
}

#[test]
fn what_is_malformed_or_ambiguous_is_refused_with_the_clouds_own_code() {
    let site = Site::start(&[]);
    let by = signer(&site);
    let post = |body: &[u8]| by.post("DescribeDBInstances", body, false);
    for body in
        ["{", "[]", "7", "{\"Limit\":}", "{\"Limit\":1}x", "{\"Limit\":\"\u{0}\"", "\u{feff}{}"]
    {
        check(&site, &post(body.as_bytes()), "InvalidParameter");
    }
    check(&site, &post(b"{\"Limit\":1,\"Limit\":2}"), "InvalidParameter");
    check(&site, &post(b"{\"InstanceIds\":[\"\xff\"]}"), "InvalidParameter");
    let deep = format!("{{\"InstanceIds\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    check(&site, &post(deep.as_bytes()), "InvalidParameter");
    check(&site, &by.get("DescribeDBInstances", "Limit=1&Limit=2"), "InvalidParameter");
    check(&site, &by.get("DescribeDBInstances", "Limit"), "InvalidParameter");
    let twice = ["1", "2"].map(|value| ("Limit".to_owned(), value.to_owned()));
    for method in ["GET", "POST"] {
        check(&site, &by.v1(method, "DescribeDBInstances", &twice), "InvalidParameter");
    }
    let unknown = by.post("DescribeDBInstances", b"{\"Limits\":1}", false);
    check(&site, &unknown, "UnknownParameter");
    check(&site, &by.post("DescribeNothing", b"{}", false), "InvalidAction");
    let put = by.post("DescribeDBInstances", b"{}", false);
    let put = [b"PUT".as_slice(), &put[4..]].concat();
    check(&site, &put, "UnsupportedProtocol");
    let json = "Content-Type: application/json\r\n";
    for body in ["{", "{\"instance\":1}", "{\"no\":1}"] {
        let answer = site.request_with("POST", "/api/v1/jobs", &site.key, json, body.as_bytes());
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    let large = vec![b' '; 3 << 20];
    let answer = site.request_with("POST", "/api/v1/jobs", &site.key, json, &large);
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[test]
fn ten_thousand_parameters_are_the_most() {
    let site = Site::start(&[]);
    let by = signer(&site);
    let list = |count: usize| {
        let ids: Vec<String> = (0..count).map(|at| format!("\"cdb-{at}\"")).collect();
        format!("{{\"InstanceIds\":[{}]}}", ids.join(",")).into_bytes()
    };
    let too_many = by.post("DescribeDBInstances", &list(MANY + 1), false);
    check(&site, &too_many, "InvalidParameter");
    check(&site, &by.v1("POST", "DescribeDBInstances", &pairs(MANY)), "InvalidParameter");
    // Fewer, but more than the store looks for at once.
    let (_, body) = send(&site, &by.post("DescribeDBInstances", &list(MANY - 10), false));
    assert!(!body.contains("InternalError"), "{body}");
    check(&site, &by.post("DescribeDBInstances", &list(50), false), "none");
}
