//! Who waits for news of a job, and the one who asks the store for all of them.
//!
//! Promises: the store is asked once every [`LOOK_EVERY`] however many wait, and not at all while
//! nobody does.

use std::sync::Arc;
use std::time::Duration;

use store::Pulse;
use tokio::sync::watch;

use super::Refusal;
use crate::app::App;
use crate::cause::told;

/// How often the store is asked.
const LOOK_EVERY: Duration = Duration::from_millis(250);

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
        self.app.watchers.leave(self.account);
    }
}

/// Begins to wait for news of a job of the account.
pub async fn watch(app: &Arc<App>, account: i64, job: i64) -> Result<Watcher, Refusal> {
    // Newer than what others were last told.
    let pulse = app.store.pulses(&[job]).await?.pop().ok_or(Refusal::NoJob)?;
    let entered = app.watchers.enter(account, pulse).ok_or(Refusal::TooMany)?;
    if entered.is_first {
        tokio::spawn(look(Arc::clone(app)));
    }
    Ok(Watcher { news: entered.news, account, app: Arc::clone(app) })
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
