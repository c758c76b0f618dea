//! One transfer: requests, redirects, and going on where it broke off.
//!
//! Every request is checked anew, each redirect's target too. The bytes are handed over in order and
//! once; the end is said only when all have come.

use std::error::Error as StdError;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use reqwest::{Client, Response, Url};

use super::{Address, Error, Limits, Outlet, Parcel, Place, Version, reach};

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long a server may be silent, before its answer and within it.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How often a transfer may break off and go on.
pub(super) const BREAKS_MAX: u32 = 10;
/// The pause before it goes on the first time; it doubles from there, up to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));

/// What is to be fetched.
struct Transfer {
    address: Address,
    url: Url,
    limits: Limits,
    /// What is known of the file.
    expected: Version,
}

/// An answer whose body is the file from some byte on.
struct Running {
    answer: Response,
    version: Version,
    at: u64,
    breaks: u32,
    deadline: Option<Instant>,
}

/// Carries a transfer to its end.
pub(super) async fn carry(url: &Url, limits: Limits, expected: Version, outlet: &Outlet) {
    let address = Address(Place::Web(url.clone()));
    let transfer = Transfer { address, url: url.clone(), limits, expected };
    let mut running = match transfer.begin().await {
        Ok(running) => running,
        Err(error) => return drop(outlet.head.send(Err(error))),
    };
    drop(outlet.head.send(Ok(running.version.clone())));
    let last = transfer.hand_over(&mut running, outlet).await;
    drop(outlet.parcels.send(last));
}

/// What is at an address.
pub(super) async fn look(url: &Url, limits: &Limits) -> Result<Version, Error> {
    let answer = ask(url, limits, &HeaderMap::new()).await?;
    first_version(&answer, limits)
}

impl Transfer {
    async fn begin(&self) -> Result<Running, Error> {
        let deadline = Instant::now().checked_add(self.limits.time_max);
        let answer = ask(&self.url, &self.limits, &HeaderMap::new()).await?;
        let version = first_version(&answer, &self.limits)?;
        if self.expected.differs(&version) {
            return Err(Error::Changed);
        }
        Ok(Running { answer, version, at: 0, breaks: 0, deadline })
    }

    /// Hands over all bytes; what there is to say at last.
    async fn hand_over(&self, running: &mut Running, outlet: &Outlet) -> Parcel {
        loop {
            match running.next(&self.limits).await {
                Ok(Some(bytes)) => {
                    // Waits where the reader is slow, and with it the sender at the other end.
                    if outlet.parcels.send(Parcel::Bytes(bytes)).is_err() {
                        return Parcel::End;
                    }
                }
                Ok(None) => return Parcel::End,
                Err(Error::BrokenOff(_, why)) => {
                    if let Err(error) = self.go_on(running, why).await {
                        return Parcel::Failed(error);
                    }
                }
                Err(error) => return Parcel::Failed(error),
            }
        }
    }

    /// Asks for the rest of a file after a break.
    async fn go_on(&self, running: &mut Running, why: String) -> Result<(), Error> {
        let mut why = why;
        let Some(validator) = running.version.validator() else {
            let text = format!("{why}; its server tells nothing by which it could go on");
            return Err(Error::BrokenOff(running.at, text));
        };
        let mut headers = HeaderMap::new();
        let strange = |_| Error::BrokenOff(running.at, "its version is not readable".to_owned());
        headers.insert(header::IF_RANGE, validator.parse().map_err(strange)?);
        let range = format!("bytes={}-", running.at);
        headers.insert(header::RANGE, range.parse().map_err(strange)?);
        while running.breaks < BREAKS_MAX {
            running.breaks += 1;
            tracing::info!(from = %self.address, at = running.at, why, "a transfer broke off");
            running.left(&self.limits)?;
            tokio::time::sleep(pause(running.breaks)).await;
            match ask(&self.url, &self.limits, &headers).await {
                Ok(answer) => {
                    running.answer = answer;
                    return running.check_rest();
                }
                Err(error) if error.is_passing() => why = error.to_string(),
                Err(error) => return Err(error),
            }
        }
        Err(Error::BrokenOff(running.at, format!("{why}; it broke off {BREAKS_MAX} times")))
    }
}

impl Running {
    /// The next bytes; nothing when all have come.
    async fn next(&mut self, limits: &Limits) -> Result<Option<Bytes>, Error> {
        let wait = SILENCE_MAX.min(self.left(limits)?);
        let broken = |at, why: &str| Err(Error::BrokenOff(at, why.to_owned()));
        let chunk = match tokio::time::timeout(wait, self.answer.chunk()).await {
            Ok(Ok(chunk)) => chunk,
            Ok(Err(error)) => return broken(self.at, &told(error)),
            Err(_) if wait < SILENCE_MAX => return Err(too_long(limits)),
            Err(_) => return broken(self.at, &Error::Silent(SILENCE_MAX.as_secs()).to_string()),
        };
        let Some(chunk) = chunk else {
            return match self.version.size {
                Some(size) if self.at < size => broken(self.at, "its server ended too early"),
                _ => Ok(None),
            };
        };
        self.at += chunk.len() as u64;
        if self.at > limits.bytes_max {
            return Err(Error::TooLarge(limits.bytes_max));
        }
        match self.version.size {
            Some(size) if self.at > size => Err(Error::Changed),
            _ => Ok(Some(chunk)),
        }
    }

    /// The time that is left.
    fn left(&self, limits: &Limits) -> Result<Duration, Error> {
        let Some(deadline) = self.deadline else { return Ok(Duration::MAX) };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(too_long(limits)) } else { Ok(left) }
    }

    /// Whether the answer is the rest that was asked for.
    fn check_rest(&mut self) -> Result<(), Error> {
        if self.answer.status() != StatusCode::PARTIAL_CONTENT {
            // A server that knows ranges sends the whole file only when it is another.
            let now = version_of(&self.answer, self.answer.content_length());
            return Err(match self.version.differs(&now) {
                true => Error::Changed,
                false => Error::BrokenOff(self.at, "its server sends no parts".to_owned()),
            });
        }
        let range = self.answer.headers().get(header::CONTENT_RANGE);
        let range = range.and_then(|range| range.to_str().ok()).and_then(content_range);
        let (first, size) = range.unwrap_or((u64::MAX, None));
        let now = version_of(&self.answer, size);
        if first != self.at || self.version.differs(&now) {
            return Err(Error::Changed);
        }
        self.version.size = self.version.size.or(size);
        Ok(())
    }
}

/// `bytes 5-9/10` → 5 and, unless it is `*`, 10.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    let size = if size == "*" { None } else { Some(size.parse().ok()?) };
    Some((first.trim().parse().ok()?, size))
}

fn first_version(answer: &Response, limits: &Limits) -> Result<Version, Error> {
    if answer.status() != StatusCode::OK {
        return Err(Error::Status(answer.status().as_u16()));
    }
    let size = length(answer.headers());
    let is_chunked = answer.headers().contains_key(header::TRANSFER_ENCODING);
    if size.is_none() && !is_chunked {
        return Err(Error::Endless);
    }
    match size {
        Some(size) if size > limits.bytes_max => Err(Error::TooLarge(limits.bytes_max)),
        size => Ok(version_of(answer, size)),
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn version_of(answer: &Response, size: Option<u64>) -> Version {
    let text = |name| {
        let value = answer.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    Version { size, etag: text(header::ETAG), modified: text(header::LAST_MODIFIED) }
}

/// Sends one request and follows its redirects; the answer is 200 or 206.
async fn ask(url: &Url, limits: &Limits, headers: &HeaderMap) -> Result<Response, Error> {
    let mut url = url.clone();
    for _ in 0..=limits.redirects_max {
        let answer = ask_once(&url, limits, headers).await?;
        match answer.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok(answer),
            StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => {
                let target = answer.headers().get(header::LOCATION);
                url = redirected(&url, target.and_then(|target| target.to_str().ok()))?;
            }
            // The rest of a file that has become shorter.
            StatusCode::RANGE_NOT_SATISFIABLE => return Err(Error::Changed),
            status => return Err(Error::Status(status.as_u16())),
        }
    }
    Err(Error::Redirects(limits.redirects_max))
}

async fn ask_once(url: &Url, limits: &Limits, headers: &HeaderMap) -> Result<Response, Error> {
    let addresses = reach::resolve(url, &limits.reach).await?;
    let mut client = Client::builder()
        .user_agent(concat!("dbferry/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_MAX)
        // Each redirect is looked at before it is followed.
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0);
    if url.scheme() == "http" {
        // Without TLS no certificates are needed, which a small machine may not have.
        client = client.tls_certs_only([]);
    }
    if let Some(addresses) = &addresses {
        // A proxy would resolve the name again.
        client = client.no_proxy();
        client = client.resolve_to_addrs(url.host_str().unwrap_or_default(), addresses);
    }
    let client = client.build().map_err(|error| Error::Fault(told(error)))?;
    let request = client
        .get(url.clone())
        // The file as it is stored: what a server packs on the way has another length.
        .header(header::ACCEPT_ENCODING, "identity")
        .headers(headers.clone());
    match tokio::time::timeout(SILENCE_MAX, request.send()).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(Error::Unreachable(told(error))),
        Err(_) => Err(Error::Silent(SILENCE_MAX.as_secs())),
    }
}

/// Where a redirect leads. The login stays with its scheme, host and port.
fn redirected(from: &Url, target: Option<&str>) -> Result<Url, Error> {
    let target = target.ok_or(Error::BadRedirect("it names no place"))?;
    let joined = from.join(target).map_err(|_| Error::BadRedirect("it is not a URL"))?;
    let Ok(Address(Place::Web(mut to))) = Address::parse(joined.as_str()) else {
        return Err(Error::BadRedirect("it leads to something that is not fetched"));
    };
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(Error::BadRedirect("it leads from https to http"));
    }
    let has_login = !to.username().is_empty() || to.password().is_some();
    if to.origin() == from.origin() && !has_login {
        // Both fail only where a URL can have no login.
        let _ = to.set_username(from.username());
        let _ = to.set_password(from.password());
    }
    Ok(to)
}

pub(super) fn pause(breaks: u32) -> Duration {
    let (first, last) = PAUSES;
    first.saturating_mul(1 << breaks.saturating_sub(1).min(16)).min(last)
}

pub(super) fn too_long(limits: &Limits) -> Error {
    Error::TooLong(limits.time_max.as_secs())
}

/// An error with what lies under it, and without the address.
fn told(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(below) = source {
        text = format!("{text}: {below}");
        source = below.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(from: &str, target: &str, expected: Option<&str>) {
        let to = redirected(&Url::parse(from).unwrap(), Some(target));
        assert_eq!(to.ok().as_ref().map(Url::as_str), expected, "{from} to {target}");
    }

    #[test]
    fn a_login_stays_with_its_host() {
        check("http://u:p@h/a", "/b?c", Some("http://u:p@h/b?c"));
        check("http://u:p@h/a", "http://other/b", Some("http://other/b"));
        check("http://u:p@h/a", "http://h:81/b", Some("http://h:81/b"));
        check("http://u:p@h/a", "https://h/b", Some("https://h/b"));
        check("http://u:p@h/a", "http://v@h/b", Some("http://v@h/b"));
    }

    #[test]
    fn redirects_to_other_things_are_not_followed() {
        check("https://h/a", "http://h/b", None);
        for target in ["file:///etc/passwd", "ftp://h/a", "gopher://h", "http://", "s3://b/k"] {
            check("http://h/a", target, None);
        }
        assert!(redirected(&Url::parse("http://h/").unwrap(), None).is_err());
    }

    #[test]
    fn ranges_are_read() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        for text in ["", "bytes */10", "bytes 5-9", "lines 5-9/10", "bytes x-9/10"] {
            assert_eq!(content_range(text), None, "{text}");
        }
    }
}
