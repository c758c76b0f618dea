//! Requests that SDKs really sent, byte for byte, signed with the document's example key.
//!
//! The files in `tests/cases/tencent` are what a socket received, and so are those that
//! `alibaba/capture.rs` reads; they are cut into a request as an HTTP server would.

use std::fs;
use std::path::Path;

use wire::request::Request;
use wire::tencent::credentials::Credentials;

/// The id of the example key of Tencent's documents.
pub(crate) const KEY_ID: &str = "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE";
/// Its secret.
pub(crate) const SECRET: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";

/// A request that owns its bytes.
#[derive(Clone)]
pub(crate) struct Captured {
    pub(crate) name: String,
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
}

impl Captured {
    pub(crate) fn request(&self) -> Request<'_> {
        Request {
            method: &self.method,
            path: &self.path,
            query: &self.query,
            headers: self.headers.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect(),
            body: &self.body,
        }
    }

    pub(crate) fn header(&mut self, name: &str) -> &mut Vec<u8> {
        let found = self.headers.iter_mut().find(|(own, _)| own.eq_ignore_ascii_case(name));
        &mut found.unwrap_or_else(|| panic!("no header {name}")).1
    }

    /// Whether it would be let in at `now`, where `secret` belongs to [`KEY_ID`] and nobody else
    /// has a key.
    pub(crate) fn is_accepted(&self, secret: &str, now: i64) -> bool {
        let request = self.request();
        let read = Credentials::read(&request);
        read.is_ok_and(|c| c.key_id == KEY_ID && c.verify(secret, now, &request).is_ok())
    }
}

/// All of them, by name.
pub(crate) fn all() -> Vec<Captured> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/tencent");
    let mut found: Vec<Captured> =
        fs::read_dir(folder).unwrap().map(|entry| read(&entry.unwrap().path())).collect();
    found.sort_by(|a, b| a.name.cmp(&b.name));
    assert!(found.len() > 40, "only {} captures found", found.len());
    found
}

/// One of them.
pub(crate) fn named(name: &str) -> Captured {
    all().into_iter().find(|captured| captured.name == name).unwrap()
}

/// One file's request.
pub(crate) fn read(path: &Path) -> Captured {
    let bytes = fs::read(path).unwrap();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = std::str::from_utf8(&bytes[..end]).unwrap();
    let (first, rest) = head.split_once("\r\n").unwrap();
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap(), words.next().unwrap());
    let (path_part, query) = target.split_once('?').unwrap_or((&target, ""));
    let header = |line: &str| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.to_owned(), value.as_bytes().to_vec())
    };
    let headers: Vec<(String, Vec<u8>)> = rest.split("\r\n").map(header).collect();
    let is_chunked = headers.iter().any(|(name, _)| name == "Transfer-Encoding");
    let body = &bytes[end + 4..];
    Captured {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        method,
        path: path_part.to_owned(),
        query: query.to_owned(),
        headers,
        body: if is_chunked { joined(body) } else { body.to_vec() },
    }
}

/// The content of a chunked body.
fn joined(mut chunks: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = chunks.windows(2).position(|window| window == b"\r\n").unwrap();
        let head = std::str::from_utf8(&chunks[..end]).unwrap();
        let length = usize::from_str_radix(head, 16).unwrap();
        if length == 0 {
            return body;
        }
        body.extend_from_slice(&chunks[end + 2..end + 2 + length]);
        chunks = &chunks[end + 2 + length + 2..];
    }
}
