//! A job's events as the native API streams them: in order, once each, also after a break.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::interrupt::wait_until;
use crate::native::{check, is_over, job, job_when};
use crate::service::{Key, Site};

/// Does not end by itself while a test waits.
const SLOW: &[u8] = b"CREATE TABLE slow (id INT);\nSELECT SLEEP(600);\n";
/// Streams that one account may have open.
const STREAMS_MAX: usize = app::service::watchers::ACCOUNT_MAX;

/// An open stream of events.
struct Stream {
    status: u16,
    /// What came before the body.
    head: String,
    body: BufReader<TcpStream>,
}

impl Stream {
    fn open(site: &Site, key: &Key, id: &str, after: Option<u64>) -> Stream {
        let mut stream = TcpStream::connect(&site.service.address).unwrap();
        let after = after.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let request = format!(
            "GET /api/v1/jobs/{id}/events HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n{after}\
             Connection: close\r\n\r\n",
            site.service.address,
            key.login()
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut body = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(body.read_line(&mut head).unwrap() > 0, "{head}");
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Stream { status, head, body }
    }

    /// The next event: number, kind, data. `None` at the stream's proper end.
    fn next(&mut self) -> Option<(Option<u64>, String, Value)> {
        let (mut id, mut kind, mut data) = (None, String::new(), Value::Null);
        loop {
            let mut line = String::new();
            assert!(self.body.read_line(&mut line).unwrap() > 0, "the stream was cut");
            match line.trim_end().split_once(": ") {
                Some(("id", value)) => id = Some(value.parse().unwrap()),
                Some(("event", value)) => value.clone_into(&mut kind),
                Some(("data", value)) => data = serde_json::from_str(value).unwrap(),
                _ if line == "0\r\n" => return None,
                // Lengths of chunks, comments, and the empty line that ends an event.
                _ if line == "\n" && !kind.is_empty() => return Some((id, kind, data)),
                _ => {}
            }
        }
    }

    /// The next event that is kept.
    fn next_kept(&mut self) -> Option<(u64, String, Value)> {
        loop {
            match self.next()? {
                (Some(id), kind, data) => return Some((id, kind, data)),
                (None, kind, data) => {
                    assert_eq!(kind, "progress");
                    assert!(data["percent"].as_u64().unwrap() <= 100, "{data}");
                    assert!(data["progress"]["read_bytes"].is_u64(), "{data}");
                }
            }
        }
    }

    #[track_caller]
    fn check(&mut self, id: u64, kind: &str, to: Option<&str>) {
        let (seen, named, data) = self.next_kept().unwrap();
        assert_eq!((seen, named.as_str()), (id, kind), "{data}");
        assert_eq!(data.get("to").and_then(Value::as_str), to, "{data}");
    }
}

/// A job that runs and does not end.
fn running(site: &Site) -> String {
    site.upload(&site.key, "slow.sql", SLOW);
    let id = job(site, &site.key, "slow.sql", Some("imp"));
    job_when(site, &id, |job| job["progress"]["statements"].as_u64().unwrap_or(0) >= 1);
    id
}

#[test]
fn events_come_as_they_happen_and_go_on_after_a_break() {
    let site = Site::start(&[]);
    let id = running(&site);
    let mut live = Stream::open(&site, &site.key, &id, None);
    assert_eq!(live.status, 200);
    assert!(live.head.contains("content-type: text/event-stream"), "{}", live.head);
    live.check(1, "state", Some("queued"));
    live.check(2, "state", Some("running"));
    let progress = live.next().unwrap();
    assert_eq!((progress.0, progress.1.as_str()), (None, "progress"));
    let cancel = format!("/api/v1/jobs/{id}/cancel");
    assert_eq!(check(&site, &site.key, ("POST", &cancel, b""), 202)["id"], json!(id));
    live.check(3, "cancel_requested", None);
    live.check(4, "state", Some("cancelled"));
    assert_eq!(live.next(), None);
    // Whoever has seen some gets the rest, once; whoever has seen all need not ask again.
    let mut rest = Stream::open(&site, &site.key, &id, Some(3));
    rest.check(4, "state", Some("cancelled"));
    assert_eq!(rest.next(), None);
    assert_eq!(Stream::open(&site, &site.key, &id, Some(4)).status, 204);
    assert_eq!(Stream::open(&site, &site.key, &id, Some(i64::MAX as u64)).status, 204);
    let mut all = Stream::open(&site, &site.key, &id, None);
    let ids: Vec<u64> = std::iter::from_fn(|| all.next_kept().map(|(id, ..)| id)).collect();
    assert_eq!(ids, [1, 2, 3, 4]);
}

#[test]
fn streams_end_well_when_the_service_stops_and_go_on_with_the_next() {
    let mut site = Site::start(&["--drain-seconds", "0"]);
    let id = running(&site);
    let mut streams: Vec<Stream> =
        (0..3).map(|_| Stream::open(&site, &site.key, &id, None)).collect();
    for stream in &mut streams {
        stream.check(1, "state", Some("queued"));
        stream.check(2, "state", Some("running"));
    }
    let ended = site.service.end(Signal::SIGTERM);
    assert_eq!(ended.code(), Some(0), "{}", site.service.log());
    for stream in &mut streams {
        // A proper end, and of the job's own end there is no word.
        while let Some((_, _, data)) = stream.next_kept() {
            assert_eq!(data["to"], "queued", "{data}");
        }
    }
    site.restart();
    let mut next = Stream::open(&site, &site.key, &id, Some(2));
    next.check(3, "state", Some("queued"));
    next.check(4, "state", Some("running"));
    check(&site, &site.key, ("POST", &format!("/api/v1/jobs/{id}/cancel"), b""), 202);
    job_when(&site, &id, is_over);
}

#[test]
fn an_account_has_a_limit_of_streams_and_sees_its_own() {
    let site = Site::start(&[]);
    let (id, stranger) = (running(&site), site.new_key("stranger"));
    assert_eq!(Stream::open(&site, &stranger, &id, None).status, 404);
    let mut streams: Vec<Stream> =
        (0..STREAMS_MAX).map(|_| Stream::open(&site, &site.key, &id, None)).collect();
    assert!(streams.iter().all(|stream| stream.status == 200));
    let mut refused = Stream::open(&site, &site.key, &id, None);
    assert_eq!(refused.status, 429);
    assert!(refused.head.contains("retry-after: 1"), "{}", refused.head);
    let mut text = String::new();
    refused.body.read_to_string(&mut text).unwrap();
    assert!(text.contains("urn:dbferry:problem:too-many"), "{text}");
    // Another account has its own.
    site.add_instance("cdb-strange1", &stranger);
    site.upload(&stranger, "a.sql", b"SELECT 1;\n");
    let body = json!({"instance": "cdb-strange1", "file": "a.sql"});
    let (status, made) = crate::native::create(&site, &stranger, &body);
    assert_eq!(status, 201, "{made}");
    let other = made["id"].as_str().unwrap();
    assert_eq!(Stream::open(&site, &stranger, other, None).status, 200);
    // One that goes makes room.
    streams.pop();
    wait_until(|| Stream::open(&site, &site.key, &id, None).status == 200);
}
