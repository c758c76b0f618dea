//! `dbferry instance`: the servers that the service imports into. Opens the store itself.

use clap::{Args as ClapArgs, Subcommand};
use engine::endpoint::Family;
use store::{Error as StoreError, Instance, InstanceFilter, InstanceStatus, NewInstance};

use super::connection;
use super::key::account;
use super::serve::Place;
use super::{Exit, print, remote, wait_for};
use crate::app::{App, open_store, told};
use crate::clock::Clock;
use crate::config::Settings;
use crate::http::native::instances as native;
use crate::service::instances;
use crate::size;

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
    List {
        /// The account's name
        #[arg(long, value_name = "NAME")]
        account: String,
        #[command(flatten)]
        place: Place,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// Show an instance
    Show(One),
    /// Look at an instance's server now
    Check(One),
    /// Forget an instance
    Remove(One),
}

#[derive(Debug, ClapArgs)]
struct One {
    /// The instance's id
    id: String,
    /// The account's name
    #[arg(long, value_name = "NAME")]
    account: String,
    #[command(flatten)]
    place: Place,
    /// Print one JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, ClapArgs)]
struct Add {
    /// Its id: a lower-case letter, then letters, digits and hyphens (cdb-c1nl9rpv)
    id: String,
    /// The server and its administrator: mysql://user:password@host[:port][?tls=…]
    #[arg(long, value_name = "URL")]
    url: String,
    /// The account that owns it
    #[arg(long, value_name = "NAME")]
    account: String,
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
    place: Place,
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    wait_for(async move {
        match args.command {
            Command::Add(add) => register(&add).await,
            Command::List { account, place, json } => list(&account, &place, json).await,
            Command::Show(one) => show(&one).await,
            Command::Check(one) => check(&one).await,
            Command::Remove(one) => remove(&one).await,
        }
    })
}

async fn register(add: &Add) -> Result<(), String> {
    let endpoint = connection::parse(&add.url)?;
    if endpoint.family != Family::MySql {
        return Err("an instance is a MySQL or MariaDB server: its URL starts with mysql://".into());
    }
    let engine = match add.url.starts_with("mariadb://") {
        true => store::Engine::MariaDb,
        false => store::Engine::MySql,
    };
    let query = add.url.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let password = endpoint.password.as_ref().map(|password| password.reveal()).unwrap_or_default();
    let new = NewInstance {
        id: add.id.clone(),
        name: add.name.clone().unwrap_or_else(|| add.id.clone()),
        engine,
        host: if endpoint.host.is_empty() { "localhost".to_owned() } else { endpoint.host.clone() },
        port: endpoint.port,
        options: instances::kept_options(query),
        admin_user: endpoint.user.clone(),
        admin_password: store::Secret::from(password),
        region: add.region.clone(),
        zone: add.zone.clone(),
        class: add.class.clone(),
        storage_gb: add.storage_gb,
    };
    let store = open_store(&add.place.over(Settings::default())).await?;
    let account = account(&store, &add.account).await?;
    let registered = store.register_instance(account.id, &new, Clock::start().now_ms()).await;
    store.close().await;
    registered.map(|_instance| ()).map_err(|error| match error {
        StoreError::Conflict(_) => format!("there is an instance {} already", add.id),
        other => told(&other),
    })
}

async fn list(name: &str, place: &Place, as_json: bool) -> Result<(), String> {
    let store = open_store(&place.over(Settings::default())).await?;
    let account = account(&store, name).await?;
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
    if as_json {
        let instances: Vec<native::Instance> = all.iter().map(native::Instance::from).collect();
        remote::print_json(&serde_json::json!({"total": all.len(), "instances": instances}));
    } else {
        all.iter().for_each(|instance| print(&shown(instance)));
    }
    Ok(())
}

async fn show(one: &One) -> Result<(), String> {
    let store = open_store(&one.place.over(Settings::default())).await?;
    let account = account(&store, &one.account).await?;
    let instance = store.instance(account.id, &one.id).await;
    store.close().await;
    tell(&instance.map_err(|error| missing(one, &error))?, one.json);
    Ok(())
}

/// Prints an instance, without its login.
fn tell(instance: &Instance, as_json: bool) {
    if as_json {
        return remote::print_json(&serde_json::json!(native::Instance::from(instance)));
    }
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

async fn check(one: &One) -> Result<(), String> {
    let app = App::open(one.place.over(Settings::default())).await?;
    let account = account(&app.store, &one.account).await?;
    let instance = app.store.instance(account.id, &one.id).await;
    let instance = instance.map_err(|error| missing(one, &error))?;
    let probe = instances::probe(&app, &instance).await;
    let recorded = app.store.record_probe(&one.id, &probe, app.clock.now_ms()).await;
    recorded.map_err(|error| told(&error))?;
    let instance = app.store.instance(account.id, &one.id).await;
    tell(&instance.map_err(|error| missing(one, &error))?, one.json);
    app.store.close().await;
    match probe.status {
        InstanceStatus::Running => Ok(()),
        _ => Err(probe.error.unwrap_or_default()),
    }
}

async fn remove(one: &One) -> Result<(), String> {
    let store = open_store(&one.place.over(Settings::default())).await?;
    let account = account(&store, &one.account).await?;
    let running = store.running_on(&one.id).await.map_err(|error| told(&error))?;
    if !running.is_empty() {
        return Err(format!("a job works on {}", one.id));
    }
    let removed = store.remove_instance(account.id, &one.id).await;
    store.close().await;
    removed.map_err(|error| missing(one, &error))
}

fn missing(one: &One, error: &StoreError) -> String {
    match error {
        StoreError::NotFound => format!("account {} has no instance {}", one.account, one.id),
        other => told(other),
    }
}
