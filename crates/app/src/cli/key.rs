//! `dbferry key`: access keys. Opens the store itself: the way in on a new installation.

use clap::{Args as ClapArgs, Subcommand};
use serde_json::json;
use store::{Account, Error as StoreError, Store};

use super::serve::Place;
use super::{Exit, print, say, wait_for};
use crate::app::open_store;
use crate::cause::told;
use crate::clock::Clock;
use crate::config::Settings;

/// Arguments of `dbferry key`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key, and its account if there is none. The secret is shown only now
    Create {
        /// The account's name
        #[arg(long, value_name = "NAME")]
        account: String,
        #[command(flatten)]
        place: Place,
        /// Print one JSON document
        #[arg(long)]
        json: bool,
    },
    /// List an account's keys
    List {
        /// The account's name
        #[arg(long, value_name = "NAME")]
        account: String,
        #[command(flatten)]
        place: Place,
    },
    /// Let a key in no more
    Disable(Switch),
    /// Let a key in again
    Enable(Switch),
}

#[derive(Debug, ClapArgs)]
struct Switch {
    /// The key's id
    key_id: String,
    /// The account's name
    #[arg(long, value_name = "NAME")]
    account: String,
    #[command(flatten)]
    place: Place,
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    wait_for(async move {
        match args.command {
            Command::Create { account, place, json } => create(&account, &place, json).await,
            Command::List { account, place } => list(&account, &place).await,
            Command::Disable(switch) => enable(&switch, false).await,
            Command::Enable(switch) => enable(&switch, true).await,
        }
    })
}

async fn create(name: &str, place: &Place, as_json: bool) -> Result<(), String> {
    let store = open_store(&place.over(Settings::default())).await?;
    let now = Clock::start().now_ms();
    let account = match store.account_by_name(name).await {
        Err(StoreError::NotFound) => store.create_account(name, now).await,
        found => found,
    };
    let account = account.map_err(|error| told(&error))?;
    let key = store.create_key(account.id, now).await.map_err(|error| told(&error))?;
    let secret = key.key_secret.text().unwrap_or_default();
    if as_json {
        let uin = account.uin().to_string();
        let document = json!({
            "account": account.name, "uin": uin, "key_id": key.key_id, "key_secret": secret,
        });
        print(&format!("{document}\n"));
    } else {
        print(&format!("key id:     {}\nkey secret: {secret}\n", key.key_id));
        say("The secret is shown only now.");
    }
    store.close().await;
    Ok(())
}

async fn list(name: &str, place: &Place) -> Result<(), String> {
    let store = open_store(&place.over(Settings::default())).await?;
    let account = account(&store, name).await?;
    for key in store.keys(account.id).await.map_err(|error| told(&error))? {
        print(&format!("{}  {}\n", key.key_id, if key.enabled { "enabled" } else { "disabled" }));
    }
    store.close().await;
    Ok(())
}

async fn enable(switch: &Switch, enabled: bool) -> Result<(), String> {
    let store = open_store(&switch.place.over(Settings::default())).await?;
    let account = account(&store, &switch.account).await?;
    let switched = store.enable_key(account.id, &switch.key_id, enabled).await;
    store.close().await;
    switched.map_err(|error| match error {
        StoreError::NotFound => format!("account {} has no key {}", switch.account, switch.key_id),
        other => told(&other),
    })
}

/// An account that is there.
pub async fn account(store: &Store, name: &str) -> Result<Account, String> {
    store.account_by_name(name).await.map_err(|error| match error {
        StoreError::NotFound => {
            format!("there is no account {name}: `dbferry key create` makes one")
        }
        other => told(&other),
    })
}
