//! The registry: instances that accounts register, change and remove by their keys.
//!
//! Promises: an account touches its own only. A password is never sent to a server that was not named
//! together with it: what leads an instance elsewhere has to bring the password along. A job that has
//! not ended keeps its instance where it is. Files and sockets of this machine cannot be named, only
//! addresses; private ones too, because that is where databases are.
//!
//! Deliberately not here: what an operator may register beyond that (`dbferry instance add` with the
//! store itself), and whether the server answers: a look at it tells.

use engine::endpoint::{Endpoint, Family, TlsMode};
use store::{Instance, InstanceChange, NewInstance, Secret};

use super::{Refusal, instances};
use crate::app::App;

/// The class where none is given.
pub const CLASS_DEFAULT: &str = "dedicated";
/// The largest storage, in GiB: clients read it as a signed 32-bit number.
const STORAGE_GB_MAX: u32 = i32::MAX.unsigned_abs();
/// Options that name something on this machine: not for a server that a key's holder names.
const OF_THIS_MACHINE: [&str; 3] = ["socket", "cert", "key"];
/// The word of [`Encryption::Strict`].
const STRICT: &str = "strict";

/// How an instance's connections are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// As far as this demands it.
    Mode(TlsMode),
    /// From the first byte on, and checked: SQL Server's TDS 8.0.
    Strict,
}

/// What is asked to be registered.
pub struct Registration {
    /// Its id.
    pub id: String,
    /// For people; without one the id.
    pub name: Option<String>,
    /// What kind of server it is.
    pub engine: store::Engine,
    /// Host name or address.
    pub host: String,
    /// TCP port; without one the engine's.
    pub port: Option<u16>,
    /// How it is encrypted.
    pub tls: Encryption,
    /// The account on the server.
    pub user: String,
    /// Its password, if it has one.
    pub password: Option<String>,
    /// As the account's owner likes.
    pub region: String,
    /// The same.
    pub zone: String,
    /// The same; some words have a meaning for copies.
    pub class: String,
    /// In GiB; 0 is no limit.
    pub storage_gb: u32,
}

/// What is asked to be different; `None` stays.
#[derive(Default)]
pub struct Change {
    /// For people.
    pub name: Option<String>,
    /// As registered.
    pub region: Option<String>,
    /// As registered.
    pub zone: Option<String>,
    /// As registered.
    pub class: Option<String>,
    /// As registered.
    pub storage_gb: Option<u32>,
    /// What kind of server it is. This and the next four go with the password.
    pub engine: Option<store::Engine>,
    /// Host name or address.
    pub host: Option<String>,
    /// TCP port.
    pub port: Option<u16>,
    /// How it is encrypted.
    pub tls: Option<Encryption>,
    /// The account on the server.
    pub user: Option<String>,
    /// Its password; alone, a new one of the same account.
    pub password: Option<String>,
}

impl Encryption {
    /// How the connections to an endpoint are encrypted.
    pub fn of(endpoint: &Endpoint) -> Encryption {
        match endpoint.tls.strict {
            true => Encryption::Strict,
            false => Encryption::Mode(endpoint.tls.mode),
        }
    }

    /// As URLs have it.
    fn word(self) -> &'static str {
        match self {
            Encryption::Mode(TlsMode::Disable) => "disable",
            Encryption::Mode(TlsMode::Prefer) => "prefer",
            Encryption::Mode(TlsMode::Require) => "require",
            Encryption::Mode(TlsMode::VerifyCa) => "verify-ca",
            Encryption::Mode(TlsMode::VerifyFull) => "verify-full",
            Encryption::Strict => STRICT,
        }
    }

    fn of_word(word: &str) -> Option<Encryption> {
        match word {
            STRICT => Some(Encryption::Strict),
            word => TlsMode::parse(word).ok().map(Encryption::Mode),
        }
    }

    /// Whether the certificate's chain is checked.
    fn verifies(self) -> bool {
        use TlsMode::{VerifyCa, VerifyFull};
        matches!(self, Encryption::Mode(VerifyCa | VerifyFull) | Encryption::Strict)
    }
}

impl Change {
    fn needs_password(&self) -> bool {
        let Change { engine, host, port, tls, user, .. } = self;
        engine.is_some() || host.is_some() || port.is_some() || tls.is_some() || user.is_some()
    }
}

/// Registers an instance; nobody has looked at it yet.
pub async fn register(app: &App, account: i64, new: Registration) -> Result<Instance, Refusal> {
    may(app)?;
    is_encryption(new.engine, new.tls)?;
    let new = NewInstance {
        name: new.name.unwrap_or_else(|| new.id.clone()),
        id: new.id,
        engine: new.engine,
        host: new.host,
        port: new.port.unwrap_or(instances::family(new.engine).port()),
        options: instances::kept_options(&format!("tls={}", new.tls.word())),
        admin_user: new.user,
        admin_password: Secret::from(new.password.unwrap_or_default().as_str()),
        region: new.region,
        zone: new.zone,
        class: new.class,
        storage_gb: new.storage_gb,
    };
    is_address(&new.host)?;
    is_storage(new.storage_gb)?;
    Ok(app.store.register_instance(account, &new, app.clock.now_ms()).await?)
}

/// Changes an instance; gives it as it is then.
pub async fn change(
    app: &App,
    account: i64,
    id: &str,
    change: Change,
) -> Result<Instance, Refusal> {
    may(app)?;
    let before = instances::any(app, account, id).await?;
    if change.needs_password() && change.password.is_none() {
        return Err(Refusal::PasswordMissing);
    }
    is_encryption(
        change.engine.unwrap_or(before.engine),
        change.tls.unwrap_or_else(|| tls_of(&before)),
    )?;
    change.host.as_deref().map_or(Ok(()), is_address)?;
    change.storage_gb.map_or(Ok(()), is_storage)?;
    let options = match change.needs_password() {
        true => Some(options(&before, &change)?),
        false => None,
    };
    let change = InstanceChange {
        name: change.name,
        region: change.region,
        zone: change.zone,
        class: change.class,
        storage_gb: change.storage_gb,
        // What is the same moves nothing.
        engine: change.engine.filter(|engine| *engine != before.engine),
        host: change.host.filter(|host| *host != before.host),
        port: change.port.filter(|port| *port != before.port),
        admin_user: change.user.filter(|user| *user != before.admin_user),
        options,
        admin_password: change.password.as_deref().map(Secret::from),
    };
    app.store.change_instance(account, id, &change).await.map_err(missing)
}

/// Removes an instance that no unfinished job uses. What is on its server stays.
pub async fn remove(app: &App, account: i64, id: &str) -> Result<(), Refusal> {
    may(app)?;
    app.store.remove_instance(account, id).await.map_err(missing)
}

/// How an instance's connections are encrypted.
pub fn tls_of(instance: &Instance) -> Encryption {
    let options = instances::options_of(&instance.options).unwrap_or_default();
    let mut words = options.split('&').filter_map(|option| option.strip_prefix("tls="));
    let given = words.next_back().and_then(Encryption::of_word);
    given.unwrap_or(Encryption::Mode(TlsMode::Prefer))
}

/// The operator may keep this to himself.
fn may(app: &App) -> Result<(), Refusal> {
    match app.settings.register_by_key {
        true => Ok(()),
        false => Err(Refusal::NotAllowed),
    }
}

/// One word is SQL Server's alone.
fn is_encryption(engine: store::Engine, tls: Encryption) -> Result<(), Refusal> {
    match (instances::family(engine), tls) {
        (Family::MySql, Encryption::Strict) => Err(Refusal::Invalid("tls")),
        _ => Ok(()),
    }
}

fn missing(error: store::Error) -> Refusal {
    match error {
        store::Error::NotFound => Refusal::NoInstance,
        other => other.into(),
    }
}

fn is_storage(gb: u32) -> Result<(), Refusal> {
    if gb <= STORAGE_GB_MAX { Ok(()) } else { Err(Refusal::Invalid("the storage")) }
}

/// A host's name or an address, and nothing that a URL would read as more.
fn is_address(host: &str) -> Result<(), Refusal> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let fits = host.bytes().all(is_name) || host.parse::<std::net::Ipv6Addr>().is_ok();
    match fits && !host.is_empty() {
        true => Ok(()),
        false => Err(Refusal::Invalid("the host")),
    }
}

/// The options that are kept of an instance whose server or login is given anew. What the operator
/// named on this machine goes with the host only: under another login it would be lent to it. Another
/// kind of server knows other options.
fn options(before: &Instance, change: &Change) -> Result<String, Refusal> {
    let tls = change.tls.unwrap_or_else(|| tls_of(before));
    let engine = change.engine.unwrap_or(before.engine);
    let knows_them = instances::family(engine) == instances::family(before.engine);
    let text = instances::options_of(&before.options)?;
    let name = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
    let is_of_this_machine = |option: &str| OF_THIS_MACHINE.contains(&name(option).as_str());
    if change.host.is_none() && text.split('&').any(is_of_this_machine) {
        return Err(Refusal::NotAllowed);
    }
    let stays = |option: &&str| {
        let is_new = name(option) == "tls" || is_of_this_machine(option);
        knows_them && !option.is_empty() && !is_new && (name(option) != "ca" || tls.verifies())
    };
    let mut options: Vec<String> = text.split('&').filter(stays).map(str::to_owned).collect();
    options.push(format!("tls={}", tls.word()));
    Ok(instances::kept_options(&options.join("&")))
}

#[test]
fn only_addresses_are_named() {
    for good in ["db.example", "10.0.0.1", "db_1", "::1", "2001:db8::7"] {
        assert!(is_address(good).is_ok(), "{good}");
    }
    for bad in ["", "db/x", "a b", "[::1]", "db:3306", "h?tls=disable", "u@h", "/run/mysqld.sock"] {
        assert!(is_address(bad).is_err(), "{bad}");
    }
}
