//! Those who wait for news of jobs, and what they were last told.
//!
//! Promises: no more wait than [`WATCHERS_MAX`], and of one account [`ACCOUNT_MAX`]; news are never older
//! than what was told before. Asks nobody: that is [`super::watching`].

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use store::Pulse;
use tokio::sync::watch;

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

/// A place among them.
pub(super) struct Entered {
    /// What is told of the job.
    pub news: watch::Receiver<Pulse>,
    /// Nobody asks the store yet: whoever entered has to begin.
    pub is_first: bool,
}

impl Watchers {
    /// One more waits for news of a job, of which this is known; `None` if too many do.
    pub(super) fn enter(&self, account: i64, pulse: Pulse) -> Option<Entered> {
        let mut kept = self.lock();
        let all: usize = kept.accounts.values().sum();
        let own = kept.accounts.get(&account).copied().unwrap_or(0);
        if all >= WATCHERS_MAX || own >= ACCOUNT_MAX {
            return None;
        }
        *kept.accounts.entry(account).or_default() += 1;
        let sender =
            kept.jobs.entry(pulse.job).or_insert_with(|| watch::Sender::new(pulse.clone()));
        let news = sender.subscribe();
        tell(sender, pulse);
        let is_first = !std::mem::replace(&mut kept.is_looking, true);
        Some(Entered { news, is_first })
    }

    /// One of an account waits no longer.
    pub(super) fn leave(&self, account: i64) {
        let mut kept = self.lock();
        if let Some(count) = kept.accounts.get_mut(&account) {
            *count -= 1;
            if *count == 0 {
                kept.accounts.remove(&account);
            }
        }
    }

    /// The jobs that somebody waits for; without any, whoever looks is done.
    pub(super) fn wanted(&self) -> Vec<i64> {
        let mut kept = self.lock();
        kept.jobs.retain(|_, sender| sender.receiver_count() > 0);
        kept.is_looking = !kept.jobs.is_empty();
        kept.jobs.keys().copied().collect()
    }

    /// Tells those who wait; of a job that is gone there are no more news.
    pub(super) fn spread(&self, asked: &[i64], pulses: Vec<Pulse>) {
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

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
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
