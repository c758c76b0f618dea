//! The connections of one copy, so that all of them can be ended at once.
//!
//! A dropped connection is not enough: the server goes on with what it was told. Promises only to
//! try, within [`END_MAX`]; a server that does not answer ends them by itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;

use crate::mysql::conn::{Conn, KillHandle};

/// How long ending all connections may take.
pub const END_MAX: Duration = Duration::from_secs(10);

/// The connections that were opened.
#[derive(Clone, Debug, Default)]
pub struct Connections {
    handles: Arc<Mutex<Vec<KillHandle>>>,
}

impl Connections {
    /// Takes note of a connection.
    pub fn watch(&self, conn: &Conn) {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner).push(conn.kill_handle());
    }

    /// The numbers of those that one server has, or had.
    pub fn ids(&self, server_identity: &str) -> BTreeSet<u64> {
        let handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        let there = handles.iter().filter(|handle| handle.server_identity() == server_identity);
        there.map(KillHandle::id).collect()
    }

    /// Ends them all.
    pub async fn end(&self) {
        let handles =
            std::mem::take(&mut *self.handles.lock().unwrap_or_else(PoisonError::into_inner));
        let mut kills = JoinSet::new();
        for handle in handles {
            kills.spawn(async move { handle.kill_connection().await });
        }
        // What cannot be ended ends by itself, or shows when the target is tidied.
        let _ = tokio::time::timeout(END_MAX, kills.join_all()).await;
    }
}
