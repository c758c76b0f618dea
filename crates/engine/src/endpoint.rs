//! How to reach one database server: an [`Endpoint`], read from a URL or filled in field by field.
//!
//! Promises: an `Endpoint` can be printed: its password shows as `***`. No error of this file
//! quotes any part of the URL except the name of an unknown option, and that only when it looks
//! like one.
//!
//! Deliberately not here: option files, environment variables and prompts (the app reads them and
//! sets fields), and connecting.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::error::{Error, ErrorKind, Result, Side};

/// The port where MySQL and MariaDB listen.
pub const PORT_DEFAULT: u16 = 3306;
/// The port where SQL Server listens.
pub const SQL_SERVER_PORT_DEFAULT: u16 = 1433;
/// How long connecting may take, login included.
pub const CONNECT_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);
/// What `mysql --default-character-set` would name.
pub const CHARSET_DEFAULT: &str = "utf8mb4";

/// What [`Endpoint::redacted`] escapes.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// How to reach one server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Which protocol the server speaks.
    pub family: Family,
    /// Host name or address, without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Connect through this Unix socket instead of TCP.
    pub socket: Option<PathBuf>,
    /// Account name; empty is the anonymous account.
    pub user: String,
    /// Password; `None` logs in without one.
    pub password: Option<Secret>,
    /// Database to select.
    pub database: Option<String>,
    /// Encryption.
    pub tls: Tls,
    /// How long connecting may take, login included.
    pub connect_timeout: Duration,
    /// The session's character set at the start, as `SET NAMES` takes it. SQL Server has none.
    pub default_charset: String,
    /// Statements that every session begins with, after the login.
    pub session: Vec<String>,
}

/// Servers that speak one protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// MySQL and MariaDB.
    MySql,
    /// SQL Server and what speaks its protocol, TDS.
    SqlServer,
}

/// How the connection is encrypted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// How much is demanded.
    pub mode: TlsMode,
    /// Nothing of the protocol is sent before the connection is encrypted: SQL Server's TDS 8.0.
    pub strict: bool,
    /// Certificates (PEM) that sign the server's; without it the public ones count.
    pub ca: Option<PathBuf>,
    /// Our own certificate (PEM).
    pub cert: Option<PathBuf>,
    /// Its key (PEM).
    pub key: Option<PathBuf>,
}

/// How much encryption is demanded; the words are those of the stock clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TlsMode {
    /// Plain. An RSA key fetched in clear may then protect the password.
    Disable,
    /// Encrypted if the server offers it, unchecked: helps against listeners only.
    Prefer,
    /// Encrypted, unchecked.
    Require,
    /// Encrypted, and the certificate's chain is checked.
    VerifyCa,
    /// And the certificate is for this host name.
    VerifyFull,
}

/// A string that does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Endpoint {
    /// A TCP endpoint with everything else at its default.
    pub fn tcp(host: impl Into<String>, port: u16, user: impl Into<String>) -> Self {
        Self {
            family: Family::MySql,
            host: host.into(),
            port,
            socket: None,
            user: user.into(),
            password: None,
            database: None,
            tls: Tls { mode: TlsMode::Prefer, strict: false, ca: None, cert: None, key: None },
            connect_timeout: CONNECT_TIMEOUT_DEFAULT,
            default_charset: CHARSET_DEFAULT.into(),
            session: Vec::new(),
        }
    }

    /// Reads `mysql://user[:password]@host[:port][/database][?option=value&…]`, also `mariadb://`,
    /// and `mssql://`, also `sqlserver://`.
    ///
    /// Options: `tls` (disable, prefer, require, verify-ca, verify-full), `ca`, `cert`, `key`,
    /// `socket` (with host `localhost` or none, and no port), `charset`, `connect_timeout`
    /// (seconds). Everything may be percent-encoded. SQL Server has `tls` (also strict), `ca` and
    /// `connect_timeout`.
    pub fn parse(url: &str) -> Result<Self> {
        let (family, rest) = Family::of(url)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = place.split_once('/').unwrap_or((place, ""));
        if path.contains('@') || query.contains('@') {
            return Err(usage(
                "an '@' after the host of the server URL: within user, password and options \
                 write / as %2F, ? as %3F, # as %23 and @ as %40",
            ));
        }
        let (login, address) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (host, port) = split_address(address)?;
        let mut endpoint = Self::tcp(host, port.unwrap_or(family.port()), "");
        endpoint.family = family;
        endpoint.read_login(login)?;
        endpoint.read_database(path)?;
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match family {
                Family::MySql => endpoint.read_option(option)?,
                Family::SqlServer => endpoint.read_sql_server_option(option)?,
            }
        }
        endpoint.check_socket(port.is_some())?;
        endpoint.check()?;
        Ok(endpoint)
    }

    /// Checks what the fields say together; for those who fill in fields themselves.
    pub fn check(&self) -> Result<()> {
        let tls = &self.tls;
        let verifies = matches!(tls.mode, TlsMode::VerifyCa | TlsMode::VerifyFull);
        let encrypts = verifies || tls.mode == TlsMode::Require;
        if self.socket.is_none() && self.host.is_empty() {
            return Err(usage("the server URL names no host"));
        }
        if self.socket.is_some() && encrypts {
            return Err(usage("a socket is never encrypted: leave tls out, or connect by TCP"));
        }
        if tls.ca.is_some() && !verifies {
            return Err(usage("ca is only looked at with tls=verify-ca or tls=verify-full"));
        }
        if tls.cert.is_some() != tls.key.is_some() {
            return Err(usage("cert and key belong together"));
        }
        let charset = &self.default_charset;
        if charset.is_empty() || !charset.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(usage("charset is not the name of a character set"));
        }
        Ok(())
    }

    /// The endpoint as a URL for messages: no password, no options but the socket.
    pub fn redacted(&self) -> String {
        let encode = |text| utf8_percent_encode(text, ESCAPED);
        let scheme = self.family.scheme();
        let user = match self.user.as_str() {
            "" => String::new(),
            user => format!("{}@", encode(user)),
        };
        let database =
            self.database.as_deref().map(|name| format!("/{}", encode(name))).unwrap_or_default();
        match &self.socket {
            Some(socket) => {
                format!("{scheme}://{user}localhost{database}?socket={}", socket.display())
            }
            None => format!("{scheme}://{user}{}{database}", self.address()),
        }
    }

    /// Where the server is, for messages: `host:port` or the socket's path.
    pub fn address(&self) -> String {
        match &self.socket {
            Some(socket) => socket.display().to_string(),
            None if self.host.contains(':') => format!("[{}]:{}", self.host, self.port),
            None => format!("{}:{}", self.host, self.port),
        }
    }

    fn read_login(&mut self, login: &str) -> Result<()> {
        let (user, password) = match login.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (login, None),
        };
        self.user = decode(user, "the user")?;
        self.password = match password {
            Some(password) => Some(Secret::new(decode(password, "the password")?)),
            None => None,
        };
        Ok(())
    }

    fn read_database(&mut self, path: &str) -> Result<()> {
        if path.contains('/') {
            return Err(usage("the path of the server URL is one database name: write / as %2F"));
        }
        if !path.is_empty() {
            self.database = Some(decode(path, "the database")?);
        }
        Ok(())
    }

    fn read_option(&mut self, option: &str) -> Result<()> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        let value = decode(value, "an option")?;
        if value.is_empty() {
            return Err(usage(format!("option {} has no value", shown(name))));
        }
        match name {
            "tls" => self.tls.mode = TlsMode::parse(&value)?,
            "ca" => self.tls.ca = Some(value.into()),
            "cert" => self.tls.cert = Some(value.into()),
            "key" => self.tls.key = Some(value.into()),
            "socket" => self.socket = Some(value.into()),
            "charset" => self.default_charset = value,
            "connect_timeout" => self.connect_timeout = parse_seconds(&value)?,
            name => {
                return Err(usage(format!(
                    "unknown option {} (known: tls, ca, cert, key, socket, charset, \
                     connect_timeout)",
                    shown(name)
                )));
            }
        }
        Ok(())
    }

    fn read_sql_server_option(&mut self, option: &str) -> Result<()> {
        let (name, value) = option.split_once('=').unwrap_or((option, ""));
        match (name, value) {
            // As with the vendor's own clients, nothing is left unchecked here.
            ("tls", "strict") => {
                self.tls.strict = true;
                self.tls.mode = TlsMode::VerifyFull;
                Ok(())
            }
            ("tls" | "ca" | "connect_timeout", _) => self.read_option(option),
            (name, _) => Err(usage(format!(
                "unknown option {} (known: tls, ca, connect_timeout)",
                shown(name)
            ))),
        }
    }

    /// A socket is on this machine: together with a port or another host it is a mistake.
    fn check_socket(&mut self, has_port: bool) -> Result<()> {
        if self.socket.is_none() {
            return Ok(());
        }
        if has_port {
            return Err(usage("give a port or a socket, not both"));
        }
        if !matches!(self.host.as_str(), "" | "localhost") {
            return Err(usage("a socket is on this machine: the host must be localhost"));
        }
        self.host = "localhost".into();
        Ok(())
    }
}

impl Family {
    /// The family that a URL names, and the rest of the URL.
    fn of(url: &str) -> Result<(Self, &str)> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        match scheme {
            "mysql" | "mariadb" => Ok((Self::MySql, rest)),
            "mssql" | "sqlserver" => Ok((Self::SqlServer, rest)),
            _ => Err(usage("a server URL starts with mysql://, mariadb:// or mssql://")),
        }
    }

    /// What URLs of such servers begin with.
    pub fn scheme(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::SqlServer => "mssql",
        }
    }

    /// Where such servers listen.
    pub fn port(self) -> u16 {
        match self {
            Self::MySql => PORT_DEFAULT,
            Self::SqlServer => SQL_SERVER_PORT_DEFAULT,
        }
    }
}

impl TlsMode {
    /// Reads the word; MySQL's spelling (`VERIFY_CA`, `disabled`) is understood too.
    pub fn parse(word: &str) -> Result<Self> {
        match word.to_ascii_lowercase().replace('_', "-").as_str() {
            "disable" | "disabled" => Ok(Self::Disable),
            "prefer" | "preferred" => Ok(Self::Prefer),
            "require" | "required" => Ok(Self::Require),
            "verify-ca" => Ok(Self::VerifyCa),
            "verify-full" | "verify-identity" => Ok(Self::VerifyFull),
            _ => Err(usage("tls is one of disable, prefer, require, verify-ca, verify-full")),
        }
    }
}

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn usage(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Usage, Side::Internal, message)
}

fn decode(text: &str, part: &str) -> Result<String> {
    let has_bad_escape = text.split('%').skip(1).any(|rest| {
        !rest.as_bytes().get(..2).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
    });
    if has_bad_escape {
        return Err(usage(format!(
            "{part} of the server URL has a % that starts no %XX: write %25"
        )));
    }
    percent_decode_str(text)
        .decode_utf8()
        .map(Cow::into_owned)
        .map_err(|_| usage(format!("{part} of the server URL is not UTF-8")))
}

/// An option's name as a message may show it: what does not look like a name could be a secret.
fn shown(name: &str) -> &str {
    const LENGTH_MAX: usize = 20;
    let is_name = name.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b'_' | b'-'));
    if is_name && (1..=LENGTH_MAX).contains(&name.len()) { name } else { "(unreadable)" }
}

fn split_address(address: &str) -> Result<(String, Option<u16>)> {
    if let Some(rest) = address.strip_prefix('[') {
        let (host, rest) =
            rest.split_once(']').ok_or_else(|| usage("the IPv6 address has no closing bracket"))?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err(usage("between the brackets stands no IPv6 address"));
        }
        return match rest.strip_prefix(':') {
            Some(port) => Ok((host.into(), parse_port(port)?)),
            None if rest.is_empty() => Ok((host.into(), None)),
            None => Err(usage("after the IPv6 address comes a port or nothing")),
        };
    }
    match address.split_once(':') {
        Some((_, port)) if port.contains(':') => {
            Err(usage("more than one ':' after the user: write an IPv6 address in brackets"))
        }
        Some((host, port)) => Ok((check_host(host)?, parse_port(port)?)),
        None => Ok((check_host(address)?, None)),
    }
}

fn check_host(host: &str) -> Result<String> {
    let host = decode(host, "the host")?;
    let is_name = host.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if is_name { Ok(host) } else { Err(usage("the host of the server URL is no host name")) }
}

fn parse_port(port: &str) -> Result<Option<u16>> {
    match port.parse::<u16>() {
        Ok(port) if port > 0 => Ok(Some(port)),
        Ok(_) | Err(_) => Err(usage("the port of the server URL is not a number from 1 to 65535")),
    }
}

fn parse_seconds(value: &str) -> Result<Duration> {
    const SECONDS_MAX: u64 = 3600;
    match value.parse::<u64>() {
        Ok(seconds) if (1..=SECONDS_MAX).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Err(usage("connect_timeout is a number of seconds from 1 to 3600")),
    }
}

#[cfg(test)]
mod tests;
