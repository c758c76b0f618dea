//! The service's port against clients that are slow or too many, and when it is told to stop.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::time::Duration;

use nix::sys::signal::Signal;
use tempfile::TempDir;

use crate::interrupt::wait_until;
use crate::refusals::{connect, signer};
use crate::service::Site;

/// Between two bytes of a client that is slow but alive.
const DRIP: Duration = Duration::from_millis(100);
/// Bytes that such a client sends, one at a time: together they take longer than the limits.
const DRIPS: usize = 25;

/// A service with short limits for clients.
pub(crate) fn impatient(more: &str) -> (TempDir, Site) {
    let folder = tempfile::tempdir().unwrap();
    let file = written(
        &folder,
        &format!(
            "[connections]\nmax = 4\nhandshake_seconds = 1\nheader_seconds = 1\nbody_seconds = 1\n{more}"
        ),
    );
    let site = Site::start(&["--config", file.to_str().unwrap()]);
    (folder, site)
}

fn written(folder: &TempDir, text: &str) -> PathBuf {
    let file = folder.path().join("dbferry.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Everything until the service closes.
#[track_caller]
fn rest(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        Err(error) => panic!("it does not end: {error}"),
    }
    String::from_utf8(answer).unwrap()
}

/// Sends bytes one at a time, as long as the service does not close; how many it took.
fn drip(stream: &mut TcpStream, bytes: &[u8]) -> usize {
    let patience = stream.read_timeout().unwrap();
    stream.set_read_timeout(Some(DRIP)).unwrap();
    let taken = bytes.iter().take_while(|&&byte| {
        let is_open =
            stream.peek(&mut [0]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
        is_open && stream.write_all(&[byte]).is_ok()
    });
    let taken = taken.count();
    stream.set_read_timeout(patience).unwrap();
    taken
}

/// One request on a connection that stays.
#[track_caller]
fn ask(stream: &mut TcpStream) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        let mut byte = [0];
        assert_eq!(stream.read(&mut byte).unwrap(), 1, "{answer:?}");
        answer.push(byte[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
}

#[test]
fn slow_headers_and_idle_connections_are_closed() {
    let (_folder, site) = impatient("");
    let silent = connect(&site);
    let mut begun = connect(&site);
    begun.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").unwrap();
    let mut idle = connect(&site);
    ask(&mut idle);
    let mut dripping = connect(&site);
    let head = format!("GET /healthz HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(DRIPS));
    assert!(drip(&mut dripping, head.as_bytes()) < head.len());
    for stream in [silent, begun, idle, dripping] {
        assert_eq!(rest(stream), "");
    }
    ask(&mut connect(&site));
}

#[test]
fn slow_bodies_are_answered_and_closed() {
    let (_folder, site) = impatient("");
    let by = signer(&site);
    let mut stream = connect(&site);
    stream.write_all(by.post_head("DescribeDBInstances", 1000).as_bytes()).unwrap();
    drip(&mut stream, &b" ".repeat(1000));
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("InvalidRequest"), "{answer}");
    let head = |method: &str, path: &str, length: usize| {
        let whole = site.request_head(method, path, &site.key, length);
        whole.replace("Connection: close\r\n", "Content-Type: application/json\r\n")
    };
    let mut stream = connect(&site);
    stream.write_all(head("POST", "/api/v1/jobs", 1000).as_bytes()).unwrap();
    drip(&mut stream, &b" ".repeat(1000));
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    // An upload may take as long as bytes come, and then goes on where it broke off.
    let mut stream = connect(&site);
    stream.write_all(head("PUT", "/api/v1/uploads/a.sql", 1000).as_bytes()).unwrap();
    assert_eq!(drip(&mut stream, &b" ".repeat(DRIPS)), DRIPS);
    let answer = rest(stream);
    assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    let kept = site.request("GET", "/api/v1/uploads/a.sql", &site.key, b"");
    assert!(kept.contains(&format!("\"received_bytes\":{DRIPS}")), "{kept}");
    ask(&mut connect(&site));
}

#[test]
fn a_connection_too_many_is_told_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "[connections]\nmax = 4\n");
    let site = Site::start(&["--config", file.to_str().unwrap()]);
    let mut all: Vec<TcpStream> = (0..4).map(|_| connect(&site)).collect();
    all.iter_mut().for_each(ask);
    for _ in 0..100 {
        let mut stream = connect(&site);
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let answer = rest(stream);
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(answer.ends_with("too many connections\n"), "{answer}");
    }
    all.iter_mut().for_each(ask);
    all.pop();
    wait_until(|| {
        let mut stream = connect(&site);
        let request = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        stream.write_all(request).unwrap();
        rest(stream).starts_with("HTTP/1.1 200 ")
    });
}

#[test]
fn told_to_stop_it_ends_idle_connections_and_answers_what_was_asked() {
    let mut site = Site::start(&[]);
    let mut idle = connect(&site);
    ask(&mut idle);
    let body = b"{}";
    let head = signer(&site).post_head("DescribeDBInstances", body.len());
    // Signed for another body, so the answer is a refusal: an answer it is.
    let mut asked = connect(&site);
    asked.write_all(head.as_bytes()).unwrap();
    asked.write_all(&body[..1]).unwrap();
    ask(&mut connect(&site));
    site.service.signal(Signal::SIGTERM);
    assert_eq!(rest(idle), "");
    asked.write_all(&body[1..]).unwrap();
    let answer = rest(asked);
    assert!(answer.contains("AuthFailure.SignatureFailure"), "{answer}");
    assert_eq!(site.service.end(Signal::SIGTERM).code(), Some(0), "{}", site.service.log());
}
