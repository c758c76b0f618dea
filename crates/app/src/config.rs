//! The service's settings: a TOML file, and what the command line says over it.
//!
//! Promises: an unknown key is refused by name, a wrong value by its key and line; every setting has
//! a default but none is hidden: `packaging/dbferry.toml` has them all, with what they mean. What is
//! said of a file never shows what stands in it: that may be a password. Reads no environment, and
//! does not open the files that settings name.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::copy::throttle;
use engine::endpoint::Family;
use engine::import::guard::Definer;
use serde::{Deserialize, Serialize};
use toml::de::{DeTable, DeValue};

use crate::bucket::{self, Location};
use crate::fetch::{Limits, Reach};
use crate::service::uploads::objects::OBJECT_BYTES_MAX;

/// What becomes of DEFINER clauses where nobody says anything.
const DEFINER_DEFAULT: &str = "keep";

/// Settings of `dbferry serve`, by their names in `dbferry.toml`.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Listen on other addresses than loopback although requests are not encrypted, for there is no
    /// `[tls]`: something in front of the service has to do that.
    pub allow_plain: bool,
    /// The folder of the store, of its key and of uploads; made if it is not there.
    pub data: PathBuf,
    /// Where the store is: `sqlite:/path/file.db`, `postgres://…` or `mysql://…/database`; without it
    /// `store.db` in the data folder.
    pub store: Option<String>,
    /// Jobs that this process works on at once.
    pub workers: usize,
    /// Imports that run on one instance at once, over all processes.
    pub per_instance: u32,
    /// Connections that load side by side in one import; 0: one for each core.
    pub lanes: usize,
    /// Seconds after which the job of a process that died is taken over by another.
    pub lease_seconds: u32,
    /// Seconds that running jobs get to end by themselves when the service is told to stop; then
    /// they are put back in the queue, and go on where they were.
    pub drain_seconds: u64,
    /// Bytes that one upload may have.
    pub upload_bytes_max: u64,
    /// Days after which an upload is deleted.
    pub upload_days: u32,
    /// Days after which a job that has ended, and the audit log's entries, are deleted.
    pub job_days: u32,
    /// Whether requests for a finance region must come to a host that names it: `any` (no), `named`
    /// (yes), `named-or-local` (yes, but an address and localhost are fine).
    pub finance_hosts: FinanceHosts,
    /// Whoever has a key may register, change and remove instances of its account by the native API.
    /// The service connects to what they name, private addresses included.
    pub register_by_key: bool,
    /// How the service's own port encrypts; without it requests are not encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// What clients of the port may take.
    pub connections: Connections,
    /// How often keys may ask.
    pub rates: Rates,
    /// Files that jobs fetch from URLs.
    pub fetch: Fetch,
    /// How gentle copies between instances are.
    pub copies: Copies,
    /// Object storage, of uploads and as a source of jobs.
    pub s3: S3,
}

/// The certificate of the service's port: PEM files, read again when they change and on SIGHUP.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The file of the certificate, followed by those of the authorities between it and a root.
    pub certificate: PathBuf,
    /// The file of its key, not encrypted.
    pub key: PathBuf,
}

/// Limits of the port, against clients that are too many or too slow.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Connections {
    /// Connections at once; one more is told so (503) and closed.
    pub max: usize,
    /// Seconds that a client may take for a TLS handshake.
    pub handshake_seconds: u32,
    /// Seconds from the connection's beginning, or from the last answer, to the end of the next
    /// request's header: so this is also how long a connection may be idle.
    pub header_seconds: u32,
    /// Seconds that a request's body may take; of an upload: that may pass without a byte.
    pub body_seconds: u32,
}

impl Default for Connections {
    fn default() -> Connections {
        Connections { max: 512, handshake_seconds: 10, header_seconds: 30, body_seconds: 30 }
    }
}

/// Requests a second that one key may send to one process of the native API; a second's worth may come
/// at once. (The clouds' dialects have the clouds' own limits.)
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rates {
    /// Those that only ask.
    pub reads: u32,
    /// Those that may change something; each part of an upload is one.
    pub writes: u32,
}

impl Default for Rates {
    fn default() -> Rates {
        Rates { reads: 1000, writes: 100 }
    }
}

/// Settings of `[fetch]`: what jobs may fetch from URLs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fetch {
    /// Fetch from private, local and reserved addresses too. Whoever has a key can then make the
    /// service ask whatever it can reach.
    pub allow_private: bool,
    /// Hosts that may be fetched from although their addresses are private, as URLs name them.
    pub allow_hosts: Vec<String>,
    /// Bytes that a file may have as it is stored.
    pub bytes_max: u64,
    /// Seconds after which a file has to be there; it is fetched at the pace of its import.
    pub seconds_max: u64,
    /// Redirects that are followed.
    pub redirects_max: u32,
}

/// Settings of `[copies]`: how gentle copies between instances are to both (0: no limit), and what becomes of
/// what cannot stay as it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Copies {
    /// Bytes of rows that one copy writes in a second.
    pub rate_bytes_max: u64,
    /// A copy pauses while a replica of its target is more seconds behind, or does not replicate.
    pub replica_lag_seconds_max: u64,
    /// A copy pauses while others execute more statements on its source at once.
    pub running_max: u64,
    /// DEFINER clauses of MySQL and MariaDB where a job does not say it: `keep`, `strip` or `USER@HOST`.
    pub definer: String,
    /// Of a SQL Server, a copy that Alibaba Cloud's API asks for leaves out what is not carried.
    pub skip_unsupported: bool,
    /// Milliseconds that both servers have to tell what is asked before there is a copy. Some clients give
    /// up after three seconds.
    pub check_milliseconds: u64,
    /// Replicas of instances, by their ids: these are asked, and not those that the instance knows.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub replicas: BTreeMap<String, Vec<String>>,
}

/// Settings of `[s3]`: object storage that speaks S3. Its credentials are no setting, so that nothing
/// shows them: they are in a file or in the environment.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// Where uploads are kept, `s3://BUCKET` or `s3://BUCKET/PREFIX`; without it in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploads: Option<String>,
    /// What jobs may read, of whatever account they are: `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    pub sources: Vec<String>,
    /// The storage's URL, without a bucket; without it Amazon's for the region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The region that requests are signed for.
    pub region: String,
    /// Whether the bucket stands in the path of requests, and not in the host's name.
    pub path_style: bool,
    /// The file of the credentials, as Amazon's tools have it; without it they are in
    /// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credentials: Option<PathBuf>,
}

/// What a finance region asks of the request's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FinanceHosts {
    /// Nothing.
    Any,
    /// The region's name, or no name at all.
    NamedOrLocal,
    /// The region's name.
    Named,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            listen: SocketAddr::from(([127, 0, 0, 1], 8686)),
            allow_plain: false,
            data: PathBuf::from("dbferry-data"),
            store: None,
            workers: 2,
            per_instance: 1,
            lanes: 0,
            lease_seconds: 15,
            drain_seconds: 10,
            upload_bytes_max: 100 << 30,
            upload_days: 14,
            job_days: 90,
            finance_hosts: FinanceHosts::NamedOrLocal,
            register_by_key: true,
            tls: None,
            connections: Connections::default(),
            rates: Rates::default(),
            fetch: Fetch::default(),
            copies: Copies::default(),
            s3: S3::default(),
        }
    }
}

impl Default for S3 {
    fn default() -> S3 {
        S3 {
            uploads: None,
            sources: Vec::new(),
            endpoint: None,
            region: bucket::REGION_DEFAULT.to_owned(),
            path_style: false,
            credentials: None,
        }
    }
}

impl S3 {
    /// Where uploads are kept, if here.
    pub fn uploads(&self) -> Result<Option<Location>, String> {
        let read = |text: &String| Location::parse_prefix(text).map_err(str::to_owned);
        self.uploads.as_ref().map(read).transpose()
    }

    /// What jobs may read.
    pub fn sources(&self) -> Result<Vec<Location>, String> {
        let read =
            |text: &String| Location::parse_prefix(text).map_err(|why| format!("{text}: {why}"));
        self.sources.iter().map(read).collect()
    }

    /// Checks what a type does not say by itself; `most` bytes are what one upload may have.
    fn check(&self, most: u64) -> Result<(), Wrong> {
        let wrong = |key| move |why: String| Wrong { key, why };
        let uploads = self.uploads().map_err(wrong("s3.uploads"))?;
        let sources = self.sources().map_err(wrong("s3.sources"))?;
        if let Some(uploads) = &uploads {
            let overlaps = |one: &&Location| one.holds(uploads) || uploads.holds(one);
            if let Some(source) = sources.iter().find(overlaps) {
                let why = format!("through {source} every account could read all uploads");
                return Err(Wrong { key: "s3.sources", why });
            }
            if most > OBJECT_BYTES_MAX {
                let why = format!("must be at most {OBJECT_BYTES_MAX} for uploads in [s3]");
                return Err(Wrong { key: "upload_bytes_max", why });
            }
        }
        let endpoint = self.endpoint.as_deref().map(bucket::check_endpoint).transpose();
        endpoint.map_err(|why| Wrong { key: "s3.endpoint", why: why.to_owned() })?;
        let is_region = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
        match !self.region.is_empty() && self.region.chars().all(is_region) {
            true => Ok(()),
            false => Err(Wrong { key: "s3.region", why: "is not the name of one".to_owned() }),
        }
    }
}

impl Default for Fetch {
    fn default() -> Fetch {
        Fetch {
            allow_private: false,
            allow_hosts: Vec::new(),
            bytes_max: 100 << 30,
            seconds_max: 24 * 3600,
            redirects_max: 5,
        }
    }
}

impl Fetch {
    /// As transfers take them.
    pub fn limits(&self) -> Limits {
        let reach = match self.allow_private {
            true => Reach::Any,
            false => Reach::Public(self.allow_hosts.clone()),
        };
        Limits {
            reach,
            bytes_max: self.bytes_max,
            time_max: Duration::from_secs(self.seconds_max),
            redirects_max: self.redirects_max,
            objects: None,
        }
    }
}

impl Default for Copies {
    fn default() -> Copies {
        Copies {
            rate_bytes_max: 0,
            replica_lag_seconds_max: 0,
            running_max: 0,
            definer: DEFINER_DEFAULT.to_owned(),
            skip_unsupported: false,
            check_milliseconds: 800,
            replicas: BTreeMap::new(),
        }
    }
}

impl Copies {
    /// How long servers may take to tell all that is asked before there is a copy.
    pub fn check_max(&self) -> Duration {
        Duration::from_millis(self.check_milliseconds)
    }

    /// What becomes of DEFINER clauses.
    pub fn definer(&self) -> Result<Definer, String> {
        Definer::parse(&self.definer)
    }

    /// As copies between servers of a family take them, without replicas. SQL Server is not asked for such.
    pub fn limits(&self, family: Family) -> throttle::Limits {
        let some = |value: u64| (value > 0).then_some(value);
        throttle::Limits {
            bytes_per_second: some(self.rate_bytes_max),
            lag_seconds_max: match family {
                Family::MySql => some(self.replica_lag_seconds_max),
                Family::SqlServer => None,
            },
            replicas: Vec::new(),
            running_max: some(self.running_max),
        }
    }
}

impl Settings {
    /// Reads a file; the message names it and what is wrong in it.
    pub fn read(path: &Path) -> Result<Settings, String> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| format!("read {}: {error}", path.display()))?;
        Settings::parse(&text).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// Reads the text of a file.
    pub fn parse(text: &str) -> Result<Settings, String> {
        // Not the whole error: it shows the line, which may hold a password.
        let settings: Settings = toml::from_str(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_at(text, span.start));
            format!("line {line}: {}", error.message())
        })?;
        settings.check().map_err(|wrong| match line_of(text, wrong.key) {
            Some(line) => format!("line {line}: {wrong}"),
            None => wrong.to_string(),
        })?;
        Ok(settings)
    }

    /// Checks what a type does not say by itself.
    pub fn check(&self) -> Result<(), Wrong> {
        fn within(key: &'static str, value: u64, least: u64, most: u64) -> Result<(), Wrong> {
            match (least..=most).contains(&value) {
                true => Ok(()),
                false => Err(Wrong { key, why: format!("must be from {least} to {most}") }),
            }
        }
        let seconds = |key, value: u32| within(key, u64::from(value), 1, 3600);
        within("workers", self.workers as u64, 1, 1000)?;
        within("per_instance", u64::from(self.per_instance), 1, 1000)?;
        within("lanes", self.lanes as u64, 0, engine::import::LANES_MAX as u64)?;
        within("lease_seconds", u64::from(self.lease_seconds), 2, 3600)?;
        within("drain_seconds", self.drain_seconds, 0, 86_400)?;
        within("upload_bytes_max", self.upload_bytes_max, 1, i64::MAX as u64)?;
        within("upload_days", u64::from(self.upload_days), 1, 36_500)?;
        within("job_days", u64::from(self.job_days), 1, 36_500)?;
        within("connections.max", self.connections.max as u64, 1, 100_000)?;
        seconds("connections.handshake_seconds", self.connections.handshake_seconds)?;
        seconds("connections.header_seconds", self.connections.header_seconds)?;
        seconds("connections.body_seconds", self.connections.body_seconds)?;
        within("rates.reads", u64::from(self.rates.reads), 1, 100_000)?;
        within("rates.writes", u64::from(self.rates.writes), 1, 100_000)?;
        within("fetch.bytes_max", self.fetch.bytes_max, 1, i64::MAX as u64)?;
        within("fetch.seconds_max", self.fetch.seconds_max, 1, 30 * 86_400)?;
        within("fetch.redirects_max", u64::from(self.fetch.redirects_max), 0, 20)?;
        within("copies.rate_bytes_max", self.copies.rate_bytes_max, 0, i64::MAX as u64)?;
        within("copies.replica_lag_seconds_max", self.copies.replica_lag_seconds_max, 0, 86_400)?;
        within("copies.running_max", self.copies.running_max, 0, 100_000)?;
        within("copies.check_milliseconds", self.copies.check_milliseconds, 100, 60_000)?;
        self.copies.definer().map_err(|why| Wrong { key: "copies.definer", why })?;
        for replicas in self.copies.replicas.values() {
            within("copies.replicas", replicas.len() as u64, 1, throttle::REPLICAS_MAX as u64)?;
        }
        self.s3.check(self.upload_bytes_max)?;
        if self.listen.ip().is_loopback() || self.tls.is_some() || self.allow_plain {
            return Ok(());
        }
        let why = format!(
            "{} is not a loopback address, and requests would not be encrypted: give a certificate \
             in [tls], or put a proxy with TLS in front and say so by allow_plain = true \
             (--allow-plain)",
            self.listen
        );
        Err(Wrong { key: "listen", why })
    }

    /// All settings as a file would say them, with what stands for those that are not set, and
    /// without the password of the store's URL.
    pub fn shown(&self) -> Result<String, String> {
        let shown = Settings { store: Some(without_password(&self.store_url())), ..self.clone() };
        toml::to_string(&shown).map_err(|error| format!("write the settings: {error}"))
    }

    /// The store's URL.
    pub fn store_url(&self) -> String {
        let default = || format!("sqlite:{}", self.data.join("store.db").display());
        self.store.clone().unwrap_or_else(default)
    }

    /// The folder of uploads.
    pub fn uploads(&self) -> PathBuf {
        self.data.join("uploads")
    }
}

/// A setting that cannot be so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    /// Its name, with that of its table before a point.
    pub key: &'static str,
    /// What is wrong with it.
    pub why: String,
}

impl std::fmt::Display for Wrong {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.key, self.why)
    }
}

/// The line of a byte, from 1.
fn line_at(text: &str, byte: usize) -> usize {
    text[..byte].matches('\n').count() + 1
}

/// The line on which a file sets a key, if it does.
fn line_of(text: &str, key: &str) -> Option<usize> {
    let document = DeTable::parse(text).ok()?;
    let mut table = document.get_ref();
    let mut names = key.split('.').peekable();
    loop {
        let name = names.next()?;
        let (own, value) = table.iter().find(|(own, _)| own.get_ref() == name)?;
        if names.peek().is_none() {
            return Some(line_at(text, own.span().start));
        }
        match value.get_ref() {
            DeValue::Table(inner) => table = inner,
            _ => return None,
        }
    }
}

/// A URL without the password in it, before its host or among its options.
fn without_password(url: &str) -> String {
    let (head, query) = match url.split_once('?') {
        Some((head, query)) => (head, Some(query)),
        None => (url, None),
    };
    let mut shown = head.to_owned();
    if let Some((scheme, rest)) = head.split_once("://")
        && let Some((login, place)) = rest.rsplit_once('@')
        && let Some((user, _)) = login.split_once(':')
    {
        shown = format!("{scheme}://{user}:***@{place}");
    }
    for (at, pair) in query.into_iter().flat_map(|query| query.split('&')).enumerate() {
        let name = pair.split_once('=').map_or(pair, |(name, _)| name);
        shown.push(if at == 0 { '?' } else { '&' });
        match name.contains("pass") {
            true => shown.push_str(&format!("{name}=***")),
            false => shown.push_str(pair),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(), &str>) {
        match (Settings::parse(text), expected) {
            (Ok(_), Ok(())) => {}
            (Err(error), Err(part)) => assert!(error.contains(part), "{error}"),
            (outcome, _) => panic!("{outcome:?} for {text}"),
        }
    }

    #[test]
    fn wrong_settings_are_named() {
        check("", Ok(()));
        check("workers = 4\nlisten = \"[::1]:80\"\nfinance_hosts = \"named\"", Ok(()));
        check("\nworker = 4", Err("line 2: unknown field `worker`"));
        check("\n\nworkers = 0", Err("line 3: workers: must be from 1"));
        check("workers = 1\nlease_seconds = 1", Err("line 2: lease_seconds: must be from 2"));
        check("[connections]\nmax = 0", Err("line 2: connections.max: must be from 1"));
        check("connections.max = 0", Err("line 1: connections.max"));
        check("[connections]\nheader = 1", Err("line 2: unknown field `header`"));
        check("[tls]\ncertificate = \"c.pem\"", Err("missing field `key`"));
        check("[tls]\nkeys = \"c.pem\"", Err("line 2: unknown field `keys`"));
        check("workers = \"two\"", Err("line 1: invalid type"));
        check("listen = \"0.0.0.0:80\"", Err("line 1: listen: 0.0.0.0:80 is not a loopback"));
        check("listen = \"0.0.0.0:80\"\ntls = { certificate = \"c\", key = \"k\" }", Ok(()));
        check("listen = \"0.0.0.0:80\"\nallow_plain = true", Ok(()));
        check("[rates]\nreads = 0", Err("line 2: rates.reads: must be from 1 to 100000"));
        check("[fetch]\nallow_private = true\nallow_hosts = [\"files\"]", Ok(()));
        check("[fetch]\nseconds_max = 0", Err("line 2: fetch.seconds_max: must be from 1"));
        check("[fetch]\nprivate = true", Err("line 2: unknown field `private`"));
        check("[copies]\nrunning_max = 20\nskip_unsupported = true", Ok(()));
        check(
            "[copies]\ncheck_milliseconds = 0",
            Err("line 2: copies.check_milliseconds: must be"),
        );
        check("[copies]\ndefiner = \"admin@%\"\n[copies.replicas]\nrm-1 = [\"rm-2\"]", Ok(()));
        check("[copies]\ndefiner = \"admin\"", Err("line 2: copies.definer: expected keep, strip"));
        check("[copies]\n[copies.replicas]\nrm-1 = []", Err("line 2: copies.replicas: must be"));
        check("[copies]\nrunning_max = 200000", Err("line 2: copies.running_max: must be from 0"));
        check("finance_hosts = \"some\"", Err("line 1: unknown variant"));
        check("[s3]\nuploads = \"s3://b/p\"\nsources = [\"s3://c\", \"s3://b/q\"]", Ok(()));
        check("[s3]\nuploads = \"b/p\"", Err("line 2: s3.uploads: it does not begin with s3://"));
        check("[s3]\nsources = [\"s3://b\", \"s3://b//\"]", Err("line 2: s3.sources: s3://b//"));
        for sources in ["s3://b", "s3://b/p", "s3://b/p/q/"] {
            let text = format!("[s3]\nuploads = \"s3://b/p/\"\nsources = [\"{sources}\"]");
            check(&text, Err("line 3: s3.sources: through s3://b"));
        }
        check("[s3]\nendpoint = \"https://u:secret@h\"", Err("line 2: s3.endpoint: it holds"));
        check("[s3]\nregion = \"\"", Err("line 2: s3.region"));
        let text = "upload_bytes_max = 1000000000000\n[s3]\nuploads = \"s3://b\"";
        check(text, Err("line 1: upload_bytes_max: must be at most 671088640000"));
    }

    #[test]
    fn what_is_wrong_is_told_without_showing_it() {
        for text in ["store = \"mysql://u:secret@h", "store = [\"secret\"]", "secret = 1 2"] {
            let error = Settings::parse(text).unwrap_err();
            assert!(!error.contains("u:secret") && !error.contains("[\"secret"), "{error}");
        }
    }

    #[test]
    fn what_is_shown_is_a_file_without_a_password() {
        let text = "store = \"postgres://u:secret@h/d?password=secret&sslmode=require\"\n\
                    tls = { certificate = \"c\", key = \"k\" }";
        let shown = Settings::parse(text).unwrap().shown().unwrap();
        assert!(shown.contains("postgres://u:***@h/d?password=***&sslmode=require"), "{shown}");
        let again = Settings::parse(&shown).unwrap();
        assert_eq!(again.tls.unwrap().key, PathBuf::from("k"));
        let default = Settings::default().shown().unwrap();
        assert!(default.contains("store = \"sqlite:dbferry-data/store.db\""), "{default}");
        assert_eq!(without_password("mysql://u@h/d"), "mysql://u@h/d");
    }

    /// The names of settings in a file's text.
    fn names(text: &str) -> Vec<&str> {
        let mut names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_once(" = "))
            .map(|(name, _)| name)
            .filter(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn the_example_holds_every_setting_and_its_default() {
        let example = include_str!("../../../packaging/dbferry.toml");
        let read = Settings::parse(example).unwrap();
        assert_eq!(read.shown().unwrap(), Settings::default().shown().unwrap());
        let is_setting = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
        let uncommented: String = example
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(rest) if rest.starts_with('[') || is_setting(&rest) => rest,
                _ => line,
            })
            .map(|line| format!("{line}\n"))
            .collect();
        let whole = Settings::parse(&uncommented).unwrap().shown().unwrap();
        assert_eq!(names(&uncommented), names(&whole));
        assert!(names(&whole).contains(&"certificate"), "{whole}");
    }
}
