//! What every request and every job may reach: made once, when the service starts.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use engine::run::stop::Stop;
use store::Store;
use tokio::sync::Notify;

use crate::bucket::Storage;
use crate::cause::told;
use crate::clock::Clock;
use crate::config::Settings;
use crate::fetch::{Limits, Objects};
use crate::http::rates::Rates;
use crate::http::traffic::Traffic;
use crate::job::loading::Loading;
use crate::private::make_folder;
use crate::service::uploads::depot::Depot;
use crate::service::watchers::Watchers;

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
    /// How many requests were answered, and how fast.
    pub traffic: Traffic,
    /// What imports have brought in.
    pub loading: Loading,
    /// Wakes the worker: there may be a job.
    pub work: Notify,
    /// Where jobs work.
    pub places: Places,
    /// Where the bytes of uploads are.
    pub depot: Depot,
    /// Objects that jobs may read.
    pub objects: Option<Objects>,
    /// Uploads that bytes come in for.
    pub receiving: Places,
    /// Makes running jobs ask now whether they are to be cancelled.
    pub cancelled: Notify,
    /// Those who wait for news of jobs.
    pub watchers: Watchers,
    /// The service is to stop: whoever could go on for long ends.
    pub stop: Stop,
}

impl App {
    /// Opens the store and makes the folders.
    pub async fn open(settings: Settings) -> Result<App, String> {
        let storage = Storage::of_settings(&settings.s3)?;
        let depot = Depot::open(&settings, storage.as_ref())?;
        let allowed = settings.s3.sources()?;
        let objects = storage.map(|storage| Objects { storage, allowed: Some(allowed) });
        let store = open_store(&settings).await?;
        let (work, cancelled) = (Notify::new(), Notify::new());
        let (clock, rates) = (Clock::start(), Rates::default());
        let (traffic, loading) = (Traffic::default(), Loading::default());
        let (places, receiving) = (Places::default(), Places::default());
        let (watchers, stop) = (Watchers::default(), Stop::new());
        Ok(App {
            store,
            settings,
            clock,
            rates,
            traffic,
            loading,
            work,
            places,
            depot,
            objects,
            receiving,
            cancelled,
            watchers,
            stop,
        })
    }

    /// What jobs may fetch.
    pub fn fetch_limits(&self) -> Limits {
        Limits { objects: self.objects.clone(), ..self.settings.fetch.limits() }
    }
}

/// A place that one at a time may hold, across waits.
pub type Place = Arc<tokio::sync::Mutex<()>>;

/// Where jobs work: one database of an instance has one job of this process at a time, until nothing
/// of it is left there.
#[derive(Default)]
pub struct Places {
    held: Mutex<HashMap<(String, Option<String>), Place>>,
}

impl Places {
    /// The place of a database, to be locked.
    pub fn of(&self, instance: &str, database: Option<&str>) -> Place {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, place| Arc::strong_count(place) > 1);
        let place = held.entry((instance.to_owned(), database.map(str::to_owned)));
        Arc::clone(place.or_default())
    }
}

/// Opens the store of a data folder, which is made if need be.
pub async fn open_store(settings: &Settings) -> Result<Store, String> {
    make_folder(&settings.data)?;
    let opened = Store::open_at(&settings.store_url(), &sealing_key(settings)).await;
    opened.map_err(|error| told(&error))
}

/// The file of the key that the store's secrets are sealed with.
pub fn sealing_key(settings: &Settings) -> PathBuf {
    settings.data.join("sealing.key")
}
