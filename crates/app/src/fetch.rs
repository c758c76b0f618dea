//! Dumps from URLs: an address as a value, and its bytes as a stream that is whole or an error.
//!
//! Promises: only http, https and s3; under [`Reach::Public`] no private, local or reserved address
//! is ever connected to, whatever a name resolves to and wherever a redirect leads, and no object is
//! asked for that [`Objects`] does not allow; memory, redirects, waits and bytes have limits; a
//! transfer that breaks off goes on where it was or fails, and never looks like a short file. What is
//! secret in an address (login, query) is shown nowhere.
//!
//! Deliberately not here: what the bytes are; several transfers side by side; other schemes.

mod object;
pub mod reach;
mod transfer;

use std::fmt;
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use axum::body::Bytes;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::bucket::{self, Location, Storage};
pub use reach::Reach;

/// Bytes of an address.
const ADDRESS_MAX: usize = 4096;
/// Chunks that are read ahead; each is at most what the HTTP library reads at once, some 400 KiB, or
/// of an object what is asked for at once.
const CHUNKS_MAX: usize = 4;
/// How long a look at what is at an address may take, all in all.
const LOOK_MAX: Duration = Duration::from_secs(20);

/// Where a dump is: an http or https URL, which may hold secrets, or an object.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Web(Url),
    Object(Location),
}

/// What a transfer may take.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Which hosts may be asked.
    pub reach: Reach,
    /// Bytes of the file as it is stored.
    pub bytes_max: u64,
    /// How long a transfer may take from its first request to its last byte. It goes at the pace of
    /// whoever reads.
    pub time_max: Duration,
    /// Redirects of one request.
    pub redirects_max: u32,
    /// Which objects may be read, and as whom; nothing if none may.
    pub objects: Option<Objects>,
}

/// Objects that may be read.
#[derive(Debug, Clone)]
pub struct Objects {
    /// Where they are.
    pub storage: Storage,
    /// They are or lie below one of these; nothing where the user of the command line chose.
    pub allowed: Option<Vec<Location>>,
}

impl Limits {
    /// For addresses that the user of the command line chose.
    pub fn unrestricted() -> Limits {
        Limits {
            reach: Reach::Any,
            bytes_max: u64::MAX,
            time_max: Duration::MAX,
            redirects_max: 10,
            objects: None,
        }
    }
}

/// What tells that a file is still the same, as far as its server says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// Its bytes.
    pub size: Option<u64>,
    /// `ETag`.
    pub etag: Option<String>,
    /// `Last-Modified`.
    pub modified: Option<String>,
}

/// Why there are no bytes. No text of it holds the address.
#[derive(Debug)]
pub enum Error {
    /// It is not an address that could be asked: why.
    Malformed(&'static str),
    /// It leads to a host that may not be asked.
    Forbidden,
    /// It names an object that may not be read.
    ForbiddenObject,
    /// The object storage does not give it.
    Storage(bucket::Error),
    /// The host does not answer: why.
    Unreachable(String),
    /// The server's answer has this status.
    Status(u16),
    /// There were more redirects than that.
    Redirects(u32),
    /// A redirect leads nowhere: why.
    BadRedirect(&'static str),
    /// The file has more bytes than that.
    TooLarge(u64),
    /// Nothing came for so many seconds.
    Silent(u64),
    /// It was not over after so many seconds.
    TooLong(u64),
    /// The answer tells no length, and has no end that could be told from a break.
    Endless,
    /// It is another file than before.
    Changed,
    /// The transfer ended after so many bytes, and could not be continued: why.
    BrokenOff(u64, String),
    /// This machine is at fault.
    Fault(String),
}

/// The bytes of a file. Dropping it ends the transfer.
#[derive(Debug)]
pub struct Body {
    parcels: Receiver<Parcel>,
    chunk: Bytes,
    end: Option<Result<(), String>>,
    /// Its end is what tells the transfer that nobody reads any more.
    _reading: oneshot::Sender<()>,
}

#[derive(Debug)]
enum Parcel {
    Bytes(Bytes),
    /// All bytes have come.
    End,
    Failed(Error),
}

/// Looks at what is at an address, and takes none of it.
pub async fn look(address: &Address, limits: &Limits) -> Result<Version, Error> {
    let looked = async {
        match &address.0 {
            Place::Web(url) => transfer::look(url, limits).await,
            Place::Object(location) => object::look(location, limits).await,
        }
    };
    let looked = tokio::time::timeout(LOOK_MAX, looked);
    looked.await.unwrap_or(Err(Error::Silent(LOOK_MAX.as_secs())))
}

/// Begins to read what is at an address, which has to be this version if one is given. Waits for the
/// answer's head; the bytes come on a thread of their own.
pub fn open(
    address: &Address,
    limits: &Limits,
    expected: Option<&Version>,
) -> Result<(Version, Body), Error> {
    let (parcel_sender, parcels) = sync_channel(CHUNKS_MAX);
    let (head_sender, head) = sync_channel(1);
    let (reading, unread) = oneshot::channel();
    let (address, limits) = (address.clone(), limits.clone());
    let expected = expected.cloned().unwrap_or_default();
    std::thread::Builder::new()
        .name("fetch".to_owned())
        .spawn(move || {
            let outlet = Outlet { head: head_sender, parcels: parcel_sender };
            run(&address, limits, expected, &outlet, unread);
        })
        .map_err(|error| Error::Fault(format!("start a thread: {error}")))?;
    let version = head.recv().map_err(|_| died())??;
    Ok((version, Body { parcels, chunk: Bytes::new(), end: None, _reading: reading }))
}

/// Where a transfer hands things over. Whoever does not listen any more need not be told: so sending
/// may fail.
struct Outlet {
    head: SyncSender<Result<Version, Error>>,
    parcels: SyncSender<Parcel>,
}

/// Runs a transfer to its end, or until nobody reads any more.
fn run(
    address: &Address,
    limits: Limits,
    expected: Version,
    outlet: &Outlet,
    unread: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let fault = Error::Fault(format!("start the runtime: {error}"));
            return drop(outlet.head.send(Err(fault)));
        }
    };
    runtime.block_on(async {
        let carried = async {
            match &address.0 {
                Place::Web(url) => transfer::carry(url, limits, expected, outlet).await,
                Place::Object(location) => {
                    object::carry(location, limits, &expected, outlet).await;
                }
            }
        };
        tokio::select! {
            () = carried => {}
            _ = unread => {}
        }
    });
}

fn died() -> Error {
    Error::Fault("the thread of the transfer died".to_owned())
}

impl Address {
    /// Whether a text is meant as one.
    pub fn is_meant(text: &str) -> bool {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme).unwrap_or_default();
        ["http", "https", "s3"].iter().any(|known| scheme.eq_ignore_ascii_case(known))
    }

    /// Reads one.
    pub fn parse(text: &str) -> Result<Address, Error> {
        if text.len() > ADDRESS_MAX {
            return Err(Error::Malformed("it is too long"));
        }
        if Location::is_meant(text) {
            return Location::parse(text).map(Address::of_object).map_err(Error::Malformed);
        }
        let mut url = Url::parse(text).map_err(|_| Error::Malformed("it is not a URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::Malformed("only http and https are understood, and s3"));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(Error::Malformed("it names no host"));
        }
        url.set_fragment(None);
        Ok(Address(Place::Web(url)))
    }

    /// That of an object.
    pub fn of_object(location: Location) -> Address {
        Address(Place::Object(location))
    }

    /// The object, if it is that of one.
    pub fn object(&self) -> Option<&Location> {
        match &self.0 {
            Place::Web(_) => None,
            Place::Object(location) => Some(location),
        }
    }

    /// All of it, with what is secret.
    pub fn text(&self) -> String {
        match &self.0 {
            Place::Web(url) => url.as_str().to_owned(),
            Place::Object(location) => location.to_string(),
        }
    }

    /// What makes two requests for it the same: all but the login. For digests only.
    pub fn identity(&self) -> String {
        match &self.0 {
            Place::Web(url) => without_login(url).into(),
            Place::Object(location) => location.to_string(),
        }
    }
}

/// Scheme, host, port and path.
impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = match &self.0 {
            Place::Web(url) => url,
            Place::Object(location) => return write!(formatter, "{location}"),
        };
        let mut url = without_login(url);
        url.set_query(None);
        formatter.write_str(url.as_str())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

fn without_login(url: &Url) -> Url {
    let mut url = url.clone();
    // Both fail only where a URL can have no login.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url
}

impl Version {
    /// Whether another answer is about another file. What only one of them tells is no difference.
    fn differs(&self, other: &Version) -> bool {
        fn differ<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> bool {
            one.is_some() && other.is_some() && one != other
        }
        differ(self.size.as_ref(), other.size.as_ref())
            || differ(self.etag.as_ref(), other.etag.as_ref())
            || differ(self.modified.as_ref(), other.modified.as_ref())
    }

    /// What `If-Range` may say: a strong tag, else the date.
    fn validator(&self) -> Option<&str> {
        let strong = self.etag.as_deref().filter(|tag| !tag.starts_with("W/"));
        strong.or(self.modified.as_deref())
    }
}

impl Error {
    /// Whether the same request may succeed a little later.
    pub fn is_passing(&self) -> bool {
        match self {
            Error::Unreachable(_) | Error::Silent(_) => true,
            Error::Status(status) => *status >= 500 || matches!(status, 408 | 429),
            Error::Storage(error) => error.is_passing(),
            _ => false,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Malformed(why) => write!(f, "not an address to fetch from: {why}"),
            Error::Forbidden => f.write_str(
                "it leads to a private, local or reserved address, which is not allowed here",
            ),
            Error::ForbiddenObject => {
                f.write_str("it names an object that the settings do not let jobs read")
            }
            Error::Storage(error) => write!(f, "{error}"),
            Error::Unreachable(why) => write!(f, "its host cannot be reached: {why}"),
            Error::Status(status) => write!(f, "its server answers with status {status}"),
            Error::Redirects(most) => write!(f, "more than {most} redirects"),
            Error::BadRedirect(why) => write!(f, "a redirect that is not followed: {why}"),
            Error::TooLarge(most) => write!(f, "larger than the {most} bytes that are allowed"),
            Error::Silent(seconds) => write!(f, "nothing came for {seconds} seconds"),
            Error::TooLong(seconds) => write!(f, "not whole within {seconds} seconds"),
            Error::Endless => f.write_str(
                "its server tells neither a length nor an end, so a part would pass for the whole",
            ),
            Error::Changed => f.write_str("it is another file now than it was at first"),
            Error::BrokenOff(at, why) => write!(f, "the transfer broke off at byte {at}: {why}"),
            Error::Fault(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for Error {}

impl Read for Body {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match &self.end {
                Some(Ok(())) => return Ok(0),
                Some(Err(text)) => return Err(io::Error::other(text.clone())),
                None => {}
            }
            match self.parcels.recv().unwrap_or_else(|_| Parcel::Failed(died())) {
                Parcel::Bytes(bytes) => self.chunk = bytes,
                Parcel::End => self.end = Some(Ok(())),
                Parcel::Failed(error) => self.end = Some(Err(error.to_string())),
            }
        }
        let count = output.len().min(self.chunk.len());
        output[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_no_secrets() {
        let text = "HTTPS://user:pass-word@files.example:8443/a%20b.sql.gz?sign=se-cret#part";
        let address = Address::parse(text).unwrap();
        let shown = "https://files.example:8443/a%20b.sql.gz";
        assert_eq!(address.to_string(), shown);
        assert_eq!(format!("{address:?}"), format!("Address({shown})"));
        assert_eq!(address.identity(), format!("{shown}?sign=se-cret"));
        assert!(address.text().contains("user:pass-word@"));
    }

    #[test]
    fn only_http_and_s3_are_addresses() {
        for text in ["http://h/", "https://h", "HTTP://[::1]:8080/a?b", "s3://dumps/a b.sql"] {
            assert!(Address::is_meant(text) && Address::parse(text).is_ok(), "{text}");
        }
        for text in ["file:///etc/passwd", "ftp://h/a", "s3://b", "http://", "a.sql", "", "-"] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
        let long = format!("http://h/{}", "x".repeat(ADDRESS_MAX));
        assert!(Address::parse(&long).is_err());
    }

    #[test]
    fn what_both_tell_has_to_be_the_same() {
        let version = |size, etag: &str, modified: &str| {
            let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            Version { size, etag: text(etag), modified: text(modified) }
        };
        let first = version(Some(5), "\"a\"", "Mon");
        assert!(!first.differs(&version(None, "", "")));
        assert!(!first.differs(&first.clone()));
        for other in
            [version(Some(6), "\"a\"", "Mon"), version(None, "\"b\"", ""), version(None, "", "Tue")]
        {
            assert!(first.differs(&other) && other.differs(&first), "{other:?}");
        }
        assert_eq!(first.validator(), Some("\"a\""));
        assert_eq!(version(None, "W/\"a\"", "Mon").validator(), Some("Mon"));
        assert_eq!(version(Some(1), "W/\"a\"", "").validator(), None);
    }
}
