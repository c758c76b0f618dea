//! The service's settings: a TOML file, and what the command line says over it.
//!
//! Promises: an unknown key is refused by name; every setting has a default but none is hidden: the
//! documentation of this struct is the documentation of the file. Reads no environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::fetch::{Limits, Reach};

/// Settings of `dbferry serve`, by their names in `dbferry.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address and port to listen on; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Listen on other addresses than loopback although requests are not encrypted: something in
    /// front of the service has to do that.
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
    /// Files that jobs fetch from URLs.
    pub fetch: Fetch,
}

/// Settings of `[fetch]`: what jobs may fetch from URLs.
#[derive(Debug, Clone, Deserialize)]
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

/// What a finance region asks of the request's host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
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
            fetch: Fetch::default(),
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
        let told = |error: &toml::de::Error| {
            let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
            format!("line {line}: {}", error.message())
        };
        let settings: Settings = toml::from_str(text).map_err(|error| told(&error))?;
        settings.check()?;
        Ok(settings)
    }

    /// Checks what the settings say together.
    pub fn check(&self) -> Result<(), String> {
        if self.workers == 0 || self.per_instance == 0 {
            return Err("workers and per_instance must be at least 1".to_owned());
        }
        if !(2..=3600).contains(&self.lease_seconds) {
            return Err("lease_seconds must be from 2 to 3600".to_owned());
        }
        if !self.listen.ip().is_loopback() && !self.allow_plain {
            return Err(format!(
                "{} is not a loopback address, and requests would not be encrypted: put a proxy with \
                 TLS in front, and say so by allow_plain = true (--allow-plain)",
                self.listen
            ));
        }
        Ok(())
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
        check("workers = 0", Err("at least 1"));
        check("lease_seconds = 1", Err("lease_seconds"));
        check("listen = \"0.0.0.0:80\"", Err("not a loopback address"));
        check("listen = \"0.0.0.0:80\"\nallow_plain = true", Ok(()));
        check("[fetch]\nallow_private = true\nallow_hosts = [\"files\"]", Ok(()));
        check("[fetch]\nprivate = true", Err("line 2: unknown field `private`"));
        check("finance_hosts = \"some\"", Err("line 1: unknown variant"));
    }
}
