//! The connections of one copy, so that all of them can be ended at once.
//!
//! A dropped connection is not enough: the server goes on with what it was told. Promises only to
//! try, within [`END_MAX`]; a server that does not answer ends them by itself.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

/// How long ending all connections may take.
pub const END_MAX: Duration = Duration::from_secs(10);

/// The connections that were opened.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    kills: Arc<Mutex<Vec<Kill>>>,
}

/// What ends one connection from outside.
pub struct Kill {
    server: String,
    id: u64,
    end: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Kill {
    /// `server` tells its server from others, `id` is its number there; `end`, once polled, has the server
    /// end it, over another connection.
    pub fn new(
        server: impl Into<String>,
        id: u64,
        end: impl Future<Output = ()> + Send + 'static,
    ) -> Kill {
        Kill { server: server.into(), id, end: Box::pin(end) }
    }
}

impl fmt::Debug for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kill").field("server", &self.server).field("id", &self.id).finish()
    }
}

impl Connections {
    /// Takes note of a connection.
    pub fn watch(&self, kill: Kill) {
        self.kills.lock().unwrap_or_else(PoisonError::into_inner).push(kill);
    }

    /// The numbers of those that one server has, or had.
    pub fn ids(&self, server: &str) -> BTreeSet<u64> {
        let kills = self.kills.lock().unwrap_or_else(PoisonError::into_inner);
        kills.iter().filter(|kill| kill.server == server).map(|kill| kill.id).collect()
    }

    /// Ends them all.
    pub async fn end(&self) {
        let all = std::mem::take(&mut *self.kills.lock().unwrap_or_else(PoisonError::into_inner));
        let mut kills = JoinSet::new();
        for kill in all {
            kills.spawn(kill.end);
        }
        // What cannot be ended ends by itself, or shows when the target is tidied.
        let _ = tokio::time::timeout(END_MAX, kills.join_all()).await;
    }
}
