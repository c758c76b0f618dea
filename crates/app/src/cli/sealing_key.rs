//! `dbferry sealing-key`: the key that secrets in the store are sealed with. Opens the store itself.

use clap::{Args as ClapArgs, Subcommand};
use store::{Rotated, Store};

use super::serve::Place;
use super::{Exit, say, wait_for};
use crate::app::sealing_key;
use crate::cause::told;
use crate::config::Settings;

/// Arguments of `dbferry sealing-key`.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Seal everything with a new key. All services that use the store have to be ended before; the key
    /// before stays as sealing.key.old, for old copies of the store
    Rotate(Place),
}

/// Runs the command.
pub fn run(args: Args) -> Exit {
    wait_for(async move {
        match args.command {
            Command::Rotate(place) => rotate(&place).await,
        }
    })
}

async fn rotate(place: &Place) -> Result<(), String> {
    let settings = place.over(Settings::default());
    let path = sealing_key(&settings);
    let rotated = Store::rotate_key(&settings.store_url(), &path).await;
    let Rotated { values, was_done } = rotated.map_err(|error| told(&error))?;
    let path = path.display();
    say(&match was_done {
        true => format!("a change that broke off is completed: {path} is the new key"),
        false => format!("{values} secrets are sealed with the new key in {path}: back it up"),
    });
    Ok(())
}
