//! `dbferry instance`: the servers that the service imports into, and copies between.
//!
//! With an account it opens the store itself, as the operator; without one it asks a service, for the
//! account of its key.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};
use engine::endpoint::{Endpoint, Family, Secret};
use store::{
    Account, Conflict, Error as StoreError, InstanceChange, InstanceFilter, InstanceStatus,
    NewInstance, Store,
};

use super::connection;
use super::key::account;
use super::serve::Place;
use super::{Exit, complain, print, remote, wait_for};
use crate::app::{App, open_store};
use crate::cause::told;
use crate::clock::Clock;
use crate::config::Settings;
use crate::http::native::instances::Instance;
use crate::service::instances;
use crate::size;

mod asked;

/// Arguments of `dbferry instance`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Register a server
    Add(Add),
    /// List an account's instances
    List(At),
    /// Show an instance
    Show(One),
    /// Look at an instance's server now
    Check(One),
    /// Change an instance; it keeps its id
    Set(Set),
    /// Forget an instance
    Remove(One),
}

/// Whose instances, and where they are kept.
#[derive(Debug, ClapArgs)]
struct At {
    /// The account's name; then the store itself is opened. Without it a service is asked, for the
    /// account of its key
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    server: remote::Server,
}

#[derive(Debug, ClapArgs)]
struct One {
    /// The instance's id
    id: String,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, ClapArgs)]
struct Add {
    /// Its id: a lower-case letter, then letters, digits and hyphens (cdb-c1nl9rpv)
    id: String,
    /// The server and its administrator: mysql://user:password@host[:port][?tls=…], mariadb:// or mssql://
    #[arg(long, value_name = "URL")]
    url: String,
    /// Its region
    #[arg(long, default_value = "")]
    region: String,
    /// Its zone
    #[arg(long, default_value = "")]
    zone: String,
    /// Its name, for people [default: the id]
    #[arg(long)]
    name: Option<String>,
    /// Its class
    #[arg(long, default_value = "dedicated")]
    class: String,
    /// The size of its storage in GiB
    #[arg(long, value_name = "N", default_value_t = 0)]
    storage_gb: u32,
    #[command(flatten)]
    at: At,
}

/// What is not given stays.
#[derive(Debug, ClapArgs)]
struct Set {
    /// The instance's id
    id: String,
    /// The server and its administrator, with the password: mysql://user:password@host[:port][?tls=…]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The administrator's new password is the first line of this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Ask for the administrator's new password
    #[arg(long, conflicts_with = "password_file")]
    ask_password: bool,
    /// Its region
    #[arg(long)]
    region: Option<String>,
    /// Its zone
    #[arg(long)]
    zone: Option<String>,
    /// Its name, for people
    #[arg(long)]
    name: Option<String>,
    /// Its class
    #[arg(long)]
    class: Option<String>,
    /// The size of its storage in GiB
    #[arg(long, value_name = "N")]
    storage_gb: Option<u32>,
    #[command(flatten)]
    at: At,
}

impl Command {
    fn at(&self) -> &At {
        match self {
            Command::Add(add) => &add.at,
            Command::List(at) => at,
            Command::Show(one) | Command::Check(one) | Command::Remove(one) => &one.at,
            Command::Set(set) => &set.at,
        }
    }
}

impl Set {
    /// The password that is given apart from a URL. The environment's does not count here: who changes
    /// a name does not mean it.
    fn password(&self) -> Result<Option<Secret>, String> {
        if self.password_file.is_none() && !self.ask_password {
            return Ok(None);
        }
        let (file, ask) = (self.password_file.as_deref(), self.ask_password);
        connection::account_password(file, ask, "the administrator")
    }
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    let command = args.command;
    let At { account, place, server } = command.at();
    let Some(name) = account.clone() else {
        let misplaced = if place.data.is_some() || place.store.is_some() {
            Some("--data and --store go with --account, which opens the store itself")
        } else if !server.has_key() {
            Some(
                "whose instances? --account opens the store itself; DBFERRY_SERVER, \
                  DBFERRY_KEY_ID and DBFERRY_KEY_SECRET ask a service",
            )
        } else {
            None
        };
        if let Some(text) = misplaced {
            complain(text);
            return Exit::Usage;
        }
        return remote::run(server, async |remote| asked::run(&remote, &command).await);
    };
    wait_for(async move {
        match &command {
            Command::Add(add) => register(add, &name).await,
            Command::List(at) => list(&name, &at.place, at.server.json).await,
            Command::Show(one) => show(one, &name).await,
            Command::Check(one) => check(one, &name).await,
            Command::Set(set) => change(set, &name).await,
            Command::Remove(one) => remove(one, &name).await,
        }
    })
}

/// What a URL says of a server: its kind, how to reach it, and the options as they are written.
fn login(url: &str) -> Result<(store::Engine, Endpoint, String), String> {
    let mut endpoint = connection::parse(url)?;
    let engine = match endpoint.family {
        Family::MySql if url.starts_with("mariadb://") => store::Engine::MariaDb,
        Family::MySql => store::Engine::MySql,
        Family::SqlServer => store::Engine::SqlServer,
    };
    if endpoint.host.is_empty() {
        endpoint.host = "localhost".to_owned();
    }
    let query = url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    Ok((engine, endpoint, query.to_owned()))
}

/// The store and the account in it.
async fn open(place: &Place, name: &str) -> Result<(Store, Account), String> {
    let store = open_store(&place.over(Settings::default())).await?;
    let account = account(&store, name).await?;
    Ok((store, account))
}

async fn register(add: &Add, name: &str) -> Result<(), String> {
    let (engine, endpoint, query) = login(&add.url)?;
    let password = endpoint.password.as_ref().map(|password| password.reveal()).unwrap_or_default();
    let new = NewInstance {
        id: add.id.clone(),
        name: add.name.clone().unwrap_or_else(|| add.id.clone()),
        engine,
        host: endpoint.host.clone(),
        port: endpoint.port,
        options: instances::kept_options(&query),
        admin_user: endpoint.user.clone(),
        admin_password: store::Secret::from(password),
        region: add.region.clone(),
        zone: add.zone.clone(),
        class: add.class.clone(),
        storage_gb: add.storage_gb,
    };
    let (store, account) = open(&add.at.place, name).await?;
    let registered = store.register_instance(account.id, &new, Clock::start().now_ms()).await;
    store.close().await;
    registered.map(|_instance| ()).map_err(|error| match error {
        StoreError::Conflict(_) => format!("there is an instance {} already", add.id),
        other => told(&other),
    })
}

async fn change(set: &Set, name: &str) -> Result<(), String> {
    let mut change = InstanceChange {
        name: set.name.clone(),
        region: set.region.clone(),
        zone: set.zone.clone(),
        class: set.class.clone(),
        storage_gb: set.storage_gb,
        ..InstanceChange::default()
    };
    let given = set.password()?;
    if let Some(url) = &set.url {
        let (engine, endpoint, query) = login(url)?;
        let password = endpoint.password.as_ref().map(|password| password.reveal());
        change.admin_password = Some(store::Secret::from(password.unwrap_or_default()));
        change.options = Some(instances::kept_options(&query));
        (change.engine, change.port) = (Some(engine), Some(endpoint.port));
        (change.host, change.admin_user) = (Some(endpoint.host), Some(endpoint.user));
    }
    if let Some(password) = given {
        change.admin_password = Some(store::Secret::from(password.reveal()));
    }
    let (store, account) = open(&set.at.place, name).await?;
    let changed = store.change_instance(account.id, &set.id, &change).await;
    store.close().await;
    let instance = changed.map_err(|error| missing(&set.id, name, &error))?;
    print_one(&Instance::from(&instance), set.at.server.json);
    Ok(())
}

async fn list(name: &str, place: &Place, as_json: bool) -> Result<(), String> {
    let (store, account) = open(place, name).await?;
    let filter = InstanceFilter::ALL;
    let (mut offset, mut all) = (0, Vec::new());
    loop {
        let page = store.instances(account.id, &filter, offset, store::PAGE_MAX).await;
        let page = page.map_err(|error| told(&error))?;
        all.extend(page.items);
        offset += store::PAGE_MAX;
        if u64::from(offset) >= page.total {
            break;
        }
    }
    store.close().await;
    let instances: Vec<Instance> = all.iter().map(Instance::from).collect();
    if as_json {
        remote::print_json(&serde_json::json!({"total": all.len(), "instances": instances}));
    } else {
        instances.iter().for_each(|instance| print(&shown(instance)));
    }
    Ok(())
}

async fn show(one: &One, name: &str) -> Result<(), String> {
    let (store, account) = open(&one.at.place, name).await?;
    let instance = store.instance(account.id, &one.id).await;
    store.close().await;
    let instance = instance.map_err(|error| missing(&one.id, name, &error))?;
    print_one(&Instance::from(&instance), one.at.server.json);
    Ok(())
}

fn print_one(instance: &Instance, as_json: bool) {
    match as_json {
        true => remote::print_json(&serde_json::json!(instance)),
        false => tell(instance),
    }
}

/// Prints an instance for people, without its login.
fn tell(instance: &Instance) {
    print(&shown(instance));
    let Instance { name, region, zone, class, storage_gb, .. } = instance;
    let used = instance.used_bytes.map_or_else(|| "-".to_owned(), size::bytes);
    for (what, value) in [
        ("name", name),
        ("region", region),
        ("zone", zone),
        ("class", class),
        ("storage", &format!("{storage_gb} GiB")),
        ("used", &used),
    ] {
        print(&format!("  {what:8} {value}\n"));
    }
}

fn shown(instance: &Instance) -> String {
    let Instance { id, engine, host, port, status, version, .. } = instance;
    let version = version.as_deref().unwrap_or("-");
    format!("{id}  {}  {host}:{port}  {}  {version}\n", engine.name(), status.name())
}

async fn check(one: &One, name: &str) -> Result<(), String> {
    let app = App::open(one.at.place.over(Settings::default())).await?;
    let account = account(&app.store, name).await?;
    let missing = |error| missing(&one.id, name, &error);
    let instance = app.store.instance(account.id, &one.id).await.map_err(missing)?;
    let probe = instances::probe(&app, &instance).await;
    let recorded = app.store.record_probe(&one.id, &probe, app.clock.now_ms()).await;
    recorded.map_err(|error| told(&error))?;
    let instance = app.store.instance(account.id, &one.id).await.map_err(missing)?;
    print_one(&Instance::from(&instance), one.at.server.json);
    app.store.close().await;
    match probe.status {
        InstanceStatus::Running => Ok(()),
        _ => Err(probe.error.unwrap_or_default()),
    }
}

async fn remove(one: &One, name: &str) -> Result<(), String> {
    let (store, account) = open(&one.at.place, name).await?;
    let removed = store.remove_instance(account.id, &one.id).await;
    store.close().await;
    removed.map_err(|error| missing(&one.id, name, &error))
}

fn missing(id: &str, account: &str, error: &StoreError) -> String {
    match error {
        StoreError::NotFound => format!("account {account} has no instance {id}"),
        StoreError::Conflict(Conflict::InUse) => {
            format!("a job that has not ended uses {id}")
        }
        other => told(other),
    }
}
