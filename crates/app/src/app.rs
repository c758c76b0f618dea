//! What every request and every job may reach: made once, when the service starts.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use store::{SealingKey, Store};
use tokio::sync::Notify;

use crate::clock::Clock;
use crate::config::Settings;
use crate::http::rates::Rates;

/// The service's parts.
pub struct App {
    /// Every table we own.
    pub store: Store,
    /// The settings.
    pub settings: Settings,
    /// The time.
    pub clock: Clock,
    /// How often keys may ask.
    pub rates: Rates,
    /// Wakes the worker: there may be a job.
    pub work: Notify,
    /// Makes running jobs ask now whether they are to be cancelled.
    pub cancelled: Notify,
}

impl App {
    /// Opens the store and makes the folders.
    pub async fn open(settings: Settings) -> Result<App, String> {
        make_folder(&settings.uploads())?;
        let store = open_store(&settings).await?;
        let (work, cancelled) = (Notify::new(), Notify::new());
        let (clock, rates) = (Clock::start(), Rates::default());
        Ok(App { store, settings, clock, rates, work, cancelled })
    }
}

/// Opens the store of a data folder, which is made if need be.
pub async fn open_store(settings: &Settings) -> Result<Store, String> {
    make_folder(&settings.data)?;
    let path = settings.data.join("sealing.key");
    let key = SealingKey::load_or_create(&path).map_err(|error| told(&error))?;
    Store::open(&settings.store_url(), key).await.map_err(|error| told(&error))
}

/// An error with what lies under it, for the operator.
pub fn told(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

/// Makes a folder that only its owner may enter.
fn make_folder(path: &Path) -> Result<(), String> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|error| format!("make the folder {}: {error}", path.display()))
}
