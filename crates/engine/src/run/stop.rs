//! The one way to stop a run from outside.
//!
//! Promises: asking twice is harmless, and whoever waits later still sees it. It does not stop
//! anything by itself: the run looks at it at every wait.

use std::sync::Arc;

use tokio::sync::watch;

/// Asks a run to stop, or tells the run that it was asked. Clones share one flag.
#[derive(Clone, Debug)]
pub struct Stop {
    flag: Arc<watch::Sender<bool>>,
}

impl Stop {
    /// Nobody asked yet.
    pub fn new() -> Stop {
        Stop { flag: Arc::new(watch::Sender::new(false)) }
    }

    /// Asks.
    pub fn ask(&self) {
        self.flag.send_replace(true);
    }

    /// Whether somebody asked.
    pub fn is_asked(&self) -> bool {
        *self.flag.borrow()
    }

    /// Returns once somebody asked.
    pub async fn asked(&self) {
        let mut flag = self.flag.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = flag.wait_for(|asked| *asked).await;
    }
}

impl Default for Stop {
    fn default() -> Stop {
        Stop::new()
    }
}
