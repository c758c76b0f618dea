//! Requests to Tencent's API as bytes, signed, where a test needs control over every byte of them.
//!
//! What is signed is computed by the `wire` crate's own steps, which are held against the vendors'
//! clients elsewhere: this is a client, not an oracle.

use std::time::{SystemTime, UNIX_EPOCH};

use wire::civil::utc_date;
use wire::tencent::VERSION;
use wire::tencent::signature::{self, V1Hash};

/// Who signs, and for which host.
#[derive(Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub(crate) key_id: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) host: &'a str,
}

impl Signer<'_> {
    /// A TC3 request with a JSON body. Without `stays` the connection ends with the answer.
    pub(crate) fn post(&self, action: &str, body: &[u8], stays: bool) -> Vec<u8> {
        let mut request = self.head("POST", "", action, body, body.len(), stays).into_bytes();
        request.extend_from_slice(body);
        request
    }

    /// The head of such a request that promises `length` bytes of a body.
    pub(crate) fn post_head(&self, action: &str, length: usize) -> String {
        self.head("POST", "", action, b"", length, false)
    }

    /// A TC3 request without a body; its parameters are in `query`.
    pub(crate) fn get(&self, action: &str, query: &str) -> Vec<u8> {
        self.head("GET", query, action, b"", 0, false).into_bytes()
    }

    /// A v1 request; `more` are pairs of names and values that need no encoding.
    pub(crate) fn v1(&self, method: &str, action: &str, more: &[(String, String)]) -> Vec<u8> {
        let now = now().to_string();
        let common = [
            ("Action", action),
            ("Version", VERSION),
            ("Region", "ap-guangzhou"),
            ("Timestamp", &now),
            ("Nonce", "4711"),
            ("SecretId", self.key_id),
        ];
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        let mut pairs: Vec<(String, String)> = common.into_iter().map(owned).collect();
        pairs.extend_from_slice(more);
        let text = signature::v1_string(method, self.host, "/", &pairs);
        let signed = signature::v1(self.secret, V1Hash::Sha1, &text);
        let signed = signed.replace('+', "%2B").replace('/', "%2F").replace('=', "%3D");
        let joined: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let form = format!("{}&Signature={signed}", joined.join("&"));
        let (query, body) = if method == "GET" { (form.as_str(), "") } else { ("", form.as_str()) };
        let question = if query.is_empty() { "" } else { "?" };
        format!(
            "{method} /{question}{query} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            self.host,
            body.len()
        )
        .into_bytes()
    }

    fn head(
        &self,
        method: &str,
        query: &str,
        action: &str,
        payload: &[u8],
        length: usize,
        stays: bool,
    ) -> String {
        let now = now();
        let (date, stamp) = (utc_date(now), now.to_string());
        let media_type = match method {
            "GET" => "application/x-www-form-urlencoded",
            _ => "application/json",
        };
        let of = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
        let headers = [of("content-type", media_type), of("host", self.host)];
        let names = "content-type;host";
        let hash = signature::sha256_hex(payload);
        let canonical = signature::canonical_request(method, query, &headers, names, &hash);
        let text = signature::string_to_sign(&stamp, &date, "cdb", &canonical);
        let signed = signature::tc3(self.secret, &date, "cdb", &text);
        let question = if query.is_empty() { "" } else { "?" };
        let connection = if stays { "keep-alive" } else { "close" };
        format!(
            "{method} /{question}{query} HTTP/1.1\r\nHost: {}\r\nContent-Type: {media_type}\r\n\
             X-TC-Action: {action}\r\nX-TC-Version: {VERSION}\r\nX-TC-Timestamp: {stamp}\r\n\
             X-TC-Region: ap-guangzhou\r\nAuthorization: {} Credential={}/{date}/cdb/tc3_request, \
             SignedHeaders={names}, Signature={signed}\r\nContent-Length: {length}\r\n\
             Connection: {connection}\r\n\r\n",
            self.host,
            signature::TC3,
            self.key_id,
        )
    }
}

/// Unix seconds.
fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}
