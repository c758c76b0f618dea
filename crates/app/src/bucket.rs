//! Object storage that speaks S3: where an object is, how its storage is reached, and what its
//! refusals mean.
//!
//! Promises: no credential is in a text, an error or a log; every request has limits of time and
//! tries. What is said of a refusal is its status and its code, never the storage's own text.
//!
//! Deliberately not here: what the bytes are for; signing in by roles, metadata services or profiles.

pub mod credentials;

use std::fmt;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::client::HttpError;
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, Error as StoreError, RetryConfig};
use reqwest::Url;

pub use credentials::Credentials;

/// What an address in object storage begins with.
const SCHEME: &str = "s3://";
/// Characters of a bucket's name.
const BUCKET_MAX: usize = 63;
/// Bytes of a key, as S3 has it.
const KEY_MAX: usize = 1024;
/// The region where none is said; other storages than Amazon's mostly do not mind.
pub const REGION_DEFAULT: &str = "us-east-1";
/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a storage may be silent; of a part that is sent: how long it may take.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// How often a request is tried again.
const RETRIES_MAX: usize = 6;
/// How long after its first try.
const RETRY_MAX: Duration = Duration::from_secs(120);
/// The longest pause before it.
const PAUSE_MAX: Duration = Duration::from_secs(8);
/// Characters of a refusal's code.
const CODE_MAX: usize = 64;

/// An object, or with an empty or shorter key all that lies below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    bucket: String,
    key: String,
}

/// How a storage is reached: one account at one place, with any number of buckets.
#[derive(Debug, Clone)]
pub struct Storage {
    /// Its URL without a bucket; nothing for Amazon's own.
    pub endpoint: Option<String>,
    /// What requests are signed for.
    pub region: String,
    /// The bucket stands in the path and not in the host's name.
    pub path_style: bool,
    /// Who asks.
    pub credentials: Credentials,
}

/// Why a storage did not do something. No text of it holds a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// There is no such object, bucket or upload of parts.
    Missing,
    /// The object is another one now.
    Changed,
    /// The storage answers with this status and, if it tells one, with this code.
    Status(u16, String),
    /// The storage does not answer: why.
    Unreachable(String),
    /// What it answers is not understood, or this machine is at fault.
    Fault(String),
}

impl Location {
    /// Whether a text is meant as one.
    pub fn is_meant(text: &str) -> bool {
        text.get(..SCHEME.len()).is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
    }

    /// Reads `s3://BUCKET/KEY`. The key is taken as it stands: nothing in it is decoded.
    pub fn parse(text: &str) -> Result<Location, &'static str> {
        let location = Location::parse_prefix(text)?;
        match location.key.is_empty() || text.ends_with('/') {
            true => Err("it names no object"),
            false => Ok(location),
        }
    }

    /// Reads `s3://BUCKET` or `s3://BUCKET/PREFIX`, with or without a slash at its end.
    pub fn parse_prefix(text: &str) -> Result<Location, &'static str> {
        if !Location::is_meant(text) {
            return Err("it does not begin with s3://");
        }
        let rest = &text[SCHEME.len()..];
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        let is_fine = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
        if bucket.is_empty() || bucket.len() > BUCKET_MAX || !bucket.chars().all(is_fine) {
            return Err("it names no bucket");
        }
        if key.starts_with('/') {
            return Err("its key begins with a slash");
        }
        let key = key.strip_suffix('/').unwrap_or(key);
        let path = Path::parse(key).map_err(|_| "its key has parts that are empty, . or ..")?;
        if path.as_ref() != key || key.len() > KEY_MAX {
            return Err("its key is too long or holds strange characters");
        }
        Ok(Location { bucket: bucket.to_owned(), key: key.to_owned() })
    }

    /// The bucket.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// The object, as requests name it.
    pub fn path(&self) -> Path {
        Path::parse(&self.key).expect("it was parsed once")
    }

    /// What lies below this one under a name.
    pub fn below(&self, name: &str) -> Location {
        let key = match self.key.as_str() {
            "" => name.to_owned(),
            above => format!("{above}/{name}"),
        };
        Location { bucket: self.bucket.clone(), key }
    }

    /// Whether another one is this one or lies below it.
    pub fn holds(&self, other: &Location) -> bool {
        let rest = other.key.strip_prefix(&self.key);
        let is_below = |rest: &str| self.key.is_empty() || rest.is_empty() || rest.starts_with('/');
        self.bucket == other.bucket && rest.is_some_and(is_below)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.bucket)?;
        if self.key.is_empty() { Ok(()) } else { write!(f, "/{}", self.key) }
    }
}

impl Storage {
    /// A client for one bucket; asks nothing yet. It belongs to the runtime that first uses it.
    pub fn bucket(&self, name: &str) -> Result<AmazonS3, Error> {
        let is_plain = self.endpoint.as_deref().is_some_and(|url| url.starts_with("http://"));
        let options = ClientOptions::new()
            .with_allow_http(is_plain)
            // Without TLS no certificates are needed, which a small machine may not have.
            .with_no_system_certificates(is_plain)
            .with_connect_timeout(CONNECT_MAX)
            // A part may take as long as bytes go.
            .with_timeout_disabled()
            .with_read_timeout(SILENCE_MAX);
        let retry = RetryConfig {
            backoff: BackoffConfig { max_backoff: PAUSE_MAX, ..BackoffConfig::default() },
            max_retries: RETRIES_MAX,
            retry_timeout: RETRY_MAX,
        };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(name)
            .with_region(&self.region)
            .with_access_key_id(&self.credentials.key_id)
            .with_secret_access_key(self.credentials.secret.reveal())
            .with_virtual_hosted_style_request(!self.path_style)
            // Not every storage has it, and some want another checksum for it.
            .with_disable_bulk_delete(true)
            .with_client_options(options)
            .with_retry(retry);
        if let Some(token) = &self.credentials.token {
            builder = builder.with_token(token.reveal());
        }
        if let Some(endpoint) = &self.endpoint {
            builder = builder.with_endpoint(match self.path_style {
                true => endpoint.clone(),
                false => with_bucket(endpoint, name)?,
            });
        }
        builder.build().map_err(Error::from)
    }
}

/// Checks a storage's URL: a scheme, a host, perhaps a port, and nothing that could be a secret.
pub fn check_endpoint(endpoint: &str) -> Result<(), &'static str> {
    let url = Url::parse(endpoint).map_err(|_| "it is not a URL")?;
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    match url.scheme() {
        "http" | "https" if !url.has_host() => Err("it names no host"),
        "http" | "https" if is_bare => Ok(()),
        "http" | "https" => Err("it holds more than a host and a path"),
        _ => Err("it begins neither with https:// nor with http://"),
    }
}

/// `https://host` → `https://bucket.host`
fn with_bucket(endpoint: &str, bucket: &str) -> Result<String, Error> {
    let placed = endpoint.split_once("://").map(|(scheme, host)| {
        let is_there = host.starts_with(&format!("{bucket}."));
        if is_there { endpoint.to_owned() } else { format!("{scheme}://{bucket}.{host}") }
    });
    placed.ok_or_else(|| Error::Fault("the storage's URL has no scheme".to_owned()))
}

impl Error {
    /// Whether the same request may succeed a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Unreachable(_) => true,
            Error::Status(status, _) => *status >= 500 || matches!(status, 408 | 429),
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Missing => f.write_str("the object storage has no such object or bucket"),
            Error::Changed => f.write_str("the object is another one now"),
            Error::Status(status, code) if code.is_empty() => {
                write!(f, "the object storage answers with status {status}")
            }
            Error::Status(status, code) => {
                write!(f, "the object storage answers with status {status} ({code})")
            }
            Error::Unreachable(why) => write!(f, "the object storage cannot be reached: {why}"),
            Error::Fault(what) => write!(f, "object storage: {what}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Error {
        match &error {
            StoreError::NotFound { .. } => return Error::Missing,
            StoreError::Precondition { .. } => return Error::Changed,
            _ => {}
        }
        // The library tells the status nowhere but in its text, which holds the answer's body too.
        let text = error.to_string();
        let code = between(&text, "<Code>", |c| c.is_ascii_alphanumeric()).to_owned();
        let status = between(&text, "status code: ", |c| c.is_ascii_digit()).parse();
        if let Ok(status) = status {
            return Error::Status(status, code);
        }
        if !code.is_empty() {
            // A refusal that came as a success.
            return Error::Status(500, code);
        }
        match transport(&error) {
            Some(why) => Error::Unreachable(why),
            None => Error::Fault("an answer or a request that is not understood".to_owned()),
        }
    }
}

/// The characters of a kind that follow a mark.
fn between<'a>(text: &'a str, mark: &str, is_fine: impl Fn(char) -> bool) -> &'a str {
    let rest = text.split_once(mark).map_or("", |(_, rest)| rest);
    let end = rest.find(|c| !is_fine(c)).unwrap_or(rest.len());
    &rest[..end.min(CODE_MAX)]
}

/// What went wrong on the way to the storage, if something did.
fn transport(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<HttpError>() {
            return Some(crate::cause::told(error));
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_a_bucket_and_a_key_as_it_stands() {
        for (text, bucket, key) in [
            ("s3://dumps/shop.sql", "dumps", "shop.sql"),
            ("S3://dumps/a b/shop%20.sql?x#y", "dumps", "a b/shop%20.sql?x#y"),
            ("s3://du.mps-1/größe.sql", "du.mps-1", "größe.sql"),
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!((location.bucket(), location.path().as_ref()), (bucket, key));
            assert_eq!(location.to_string()[2..], text[2..]);
        }
        let long = format!("s3://b/{}", "x".repeat(KEY_MAX + 1));
        for text in [
            "s3://",
            "s3:///k",
            "s3://b",
            "s3://b/",
            "s3://b/a/",
            "s3://b//",
            "s3://b//a",
            "s3://b/a//b",
            "s3://b/../a",
            "s3://b/./a",
            "s3://u:p@b/a",
            "s3://b:80/a",
            "https://b/a",
            "b/a",
            "s3://b/a\nb",
            &long,
        ] {
            assert!(Location::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_prefix_holds_what_is_below_it_and_no_neighbour() {
        let holds = |one: &str, other: &str| {
            Location::parse_prefix(one).unwrap().holds(&Location::parse_prefix(other).unwrap())
        };
        for below in ["s3://b/p", "s3://b/p/", "s3://b/p/a", "s3://b/p/a/b"] {
            assert!(holds("s3://b/p/", below) && holds("s3://b", below), "{below}");
        }
        for beside in ["s3://b", "s3://b/pa", "s3://b/q/p", "s3://c/p", "s3://bb/p"] {
            assert!(!holds("s3://b/p", beside), "{beside}");
        }
        let prefix = Location::parse_prefix("s3://b").unwrap();
        assert_eq!(prefix.below("a").below("c").to_string(), "s3://b/a/c");
    }

    #[test]
    fn the_bucket_goes_where_the_storage_wants_it() {
        let placed = |endpoint| with_bucket(endpoint, "dumps").unwrap();
        assert_eq!(placed("https://cos.example:8443"), "https://dumps.cos.example:8443");
        assert_eq!(placed("https://dumps.cos.example"), "https://dumps.cos.example");
        for endpoint in ["https://cos.example", "http://127.0.0.1:9000", "https://h/path"] {
            assert_eq!(check_endpoint(endpoint), Ok(()), "{endpoint}");
        }
        for endpoint in ["cos.example", "s3://b", "https://u:p@h", "https://h/?a", "file:///a"] {
            assert!(check_endpoint(endpoint).is_err(), "{endpoint}");
        }
    }

    #[test]
    fn of_a_refusal_status_and_code_are_told_and_nothing_else() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><Key>AKID-secret</Key></Error>";
        let error = StoreError::Generic {
            store: "S3",
            source: format!("Server returned non-2xx status code: 403 Forbidden: {body}").into(),
        };
        let told = Error::from(error).to_string();
        assert_eq!(told, "the object storage answers with status 403 (SignatureDoesNotMatch)");
        let error = StoreError::Generic { store: "S3", source: "what secret is this".into() };
        assert!(!Error::from(error).to_string().contains("secret"));
    }
}
