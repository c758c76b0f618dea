//! Who waits for news of jobs, and the one who asks the store for all of them.
//!
//! Promises: the store is asked once every [`LOOK_EVERY`] however many wait, and not at all while
//! nobody does; no more wait than [`WATCHERS_MAX`], and of one account [`ACCOUNT_MAX`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use store::Pulse;
use tokio::sync::watch;

use super::Refusal;
use crate::app::{App, told};

/// How often the store is asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// Those of one account who wait at once.
pub const ACCOUNT_MAX: usize = 20;
/// All who wait at once.
const WATCHERS_MAX: usize = store::FILTER_MAX;

/// All who wait.
#[derive(Default)]
pub struct Watchers {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    jobs: HashMap<i64, watch::Sender<Pulse>>,
    /// How many wait, by account.
    accounts: HashMap<i64, usize>,
    is_looking: bool,
}

/// Somebody who waits for news of a job.
pub struct Watcher {
    news: watch::Receiver<Pulse>,
    account: i64,
    app: Arc<App>,
}

impl Watcher {
    /// How far the job is, as far as it is known.
    pub fn now(&self) -> Pulse {
        self.news.borrow().clone()
    }

    /// Waits for news; false when there will be none.
    pub async fn changed(&mut self) -> bool {
        self.news.changed().await.is_ok()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        let mut kept = self.app.watchers.lock();
        if let Some(count) = kept.accounts.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                kept.accounts.remove(&self.account);
            }
        }
    }
}

/// Begins to wait for news of a job of the account.
pub async fn watch(app: &Arc<App>, account: i64, job: i64) -> Result<Watcher, Refusal> {
    // Newer than what others were last told.
    let pulse = app.store.pulses(&[job]).await?.pop().ok_or(Refusal::NoJob)?;
    let mut kept = app.watchers.lock();
    let all: usize = kept.accounts.values().sum();
    let own = kept.accounts.get(&account).copied().unwrap_or(0);
    if all >= WATCHERS_MAX || own >= ACCOUNT_MAX {
        return Err(Refusal::TooMany);
    }
    *kept.accounts.entry(account).or_default() += 1;
    let sender = kept.jobs.entry(job).or_insert_with(|| watch::Sender::new(pulse.clone()));
    let news = sender.subscribe();
    tell(sender, pulse);
    if !kept.is_looking {
        kept.is_looking = true;
        tokio::spawn(look(Arc::clone(app)));
    }
    drop(kept);
    Ok(Watcher { news, account, app: Arc::clone(app) })
}

impl Watchers {
    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The jobs that somebody waits for; without any, whoever looks is done.
    fn wanted(&self) -> Vec<i64> {
        let mut kept = self.lock();
        kept.jobs.retain(|_, sender| sender.receiver_count() > 0);
        kept.is_looking = !kept.jobs.is_empty();
        kept.jobs.keys().copied().collect()
    }

    /// Tells those who wait; of a job that is gone there are no more news.
    fn spread(&self, asked: &[i64], pulses: Vec<Pulse>) {
        let mut kept = self.lock();
        let mut gone: Vec<i64> = asked.to_vec();
        for pulse in pulses {
            gone.retain(|job| *job != pulse.job);
            if let Some(sender) = kept.jobs.get(&pulse.job) {
                tell(sender, pulse);
            }
        }
        kept.jobs.retain(|job, _| !gone.contains(job));
    }
}

fn tell(sender: &watch::Sender<Pulse>, pulse: Pulse) {
    sender.send_if_modified(|told| {
        // Two who ask at once may be answered in either order.
        let is_news = *told != pulse && pulse.event_seq >= told.event_seq;
        if is_news {
            *told = pulse;
        }
        is_news
    });
}

/// Asks for news until nobody waits any more.
async fn look(app: Arc<App>) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let wanted = app.watchers.wanted();
        if wanted.is_empty() {
            return;
        }
        match app.store.pulses(&wanted).await {
            Ok(pulses) => app.watchers.spread(&wanted, pulses),
            Err(error) => tracing::warn!(error = told(&error), "look for news of jobs"),
        }
    }
}
