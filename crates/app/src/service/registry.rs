//! The registry: instances that accounts register, change and remove by their keys.
//!
//! Promises: an account touches its own only. A password is never sent to a server that was not named
//! together with it: what leads an instance elsewhere has to bring the password along. A job that has
//! not ended keeps its instance where it is. Files and sockets of this machine cannot be named, only
//! addresses; private ones too, because that is where databases are.
//!
//! Deliberately not here: what an operator may register beyond that (`dbferry instance add` with the
//! store itself), and whether the server answers: a look at it tells.

use engine::endpoint::TlsMode;
use store::{Instance, InstanceChange, NewInstance, Secret};

use super::{Refusal, instances};
use crate::app::App;

/// The port of both kinds of servers.
pub const PORT_DEFAULT: u16 = 3306;
/// The class where none is given.
pub const CLASS_DEFAULT: &str = "dedicated";
/// The largest storage, in GiB: clients read it as a signed 32-bit number.
const STORAGE_GB_MAX: u32 = i32::MAX.unsigned_abs();
/// Options that name something on this machine: not for a server that a key's holder names.
const OF_THIS_MACHINE: [&str; 3] = ["socket", "cert", "key"];

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
    /// TCP port.
    pub port: u16,
    /// How it is encrypted.
    pub tls: TlsMode,
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
    pub tls: Option<TlsMode>,
    /// The account on the server.
    pub user: Option<String>,
    /// Its password; alone, a new one of the same account.
    pub password: Option<String>,
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
    speaks(new.engine)?;
    let new = NewInstance {
        name: new.name.unwrap_or_else(|| new.id.clone()),
        id: new.id,
        engine: new.engine,
        host: new.host,
        port: new.port,
        options: instances::kept_options(&format!("tls={}", tls_word(new.tls))),
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
    change.engine.map_or(Ok(()), speaks)?;
    change.host.as_deref().map_or(Ok(()), is_address)?;
    change.storage_gb.map_or(Ok(()), is_storage)?;
    let options = match change.needs_password() {
        true => Some(options(&before, change.tls, change.host.is_some())?),
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
pub fn tls_of(instance: &Instance) -> TlsMode {
    let options = instances::options_of(&instance.options).unwrap_or_default();
    let mut words = options.split('&').filter_map(|option| option.strip_prefix("tls="));
    words.next_back().and_then(|word| TlsMode::parse(word).ok()).unwrap_or(TlsMode::Prefer)
}

/// The operator may keep this to himself.
fn may(app: &App) -> Result<(), Refusal> {
    match app.settings.register_by_key {
        true => Ok(()),
        false => Err(Refusal::NotAllowed),
    }
}

fn speaks(engine: store::Engine) -> Result<(), Refusal> {
    match engine {
        store::Engine::MySql | store::Engine::MariaDb => Ok(()),
        store::Engine::SqlServer => Err(Refusal::WrongEngine),
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
/// named on this machine goes with the host only: under another login it would be lent to it.
fn options(before: &Instance, tls: Option<TlsMode>, is_moved: bool) -> Result<String, Refusal> {
    let tls = tls.unwrap_or_else(|| tls_of(before));
    let verifies = matches!(tls, TlsMode::VerifyCa | TlsMode::VerifyFull);
    let text = instances::options_of(&before.options)?;
    let name = |option: &str| option.split('=').next().unwrap_or_default().to_owned();
    let is_of_this_machine = |option: &str| OF_THIS_MACHINE.contains(&name(option).as_str());
    if !is_moved && text.split('&').any(is_of_this_machine) {
        return Err(Refusal::NotAllowed);
    }
    let stays = |option: &&str| {
        let is_new = name(option) == "tls" || is_of_this_machine(option);
        !option.is_empty() && !is_new && (name(option) != "ca" || verifies)
    };
    let mut options: Vec<String> = text.split('&').filter(stays).map(str::to_owned).collect();
    options.push(format!("tls={}", tls_word(tls)));
    Ok(instances::kept_options(&options.join("&")))
}

/// As URLs have it.
fn tls_word(tls: TlsMode) -> &'static str {
    match tls {
        TlsMode::Disable => "disable",
        TlsMode::Prefer => "prefer",
        TlsMode::Require => "require",
        TlsMode::VerifyCa => "verify-ca",
        TlsMode::VerifyFull => "verify-full",
    }
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
