//! Connections that only read a `SQLite` file.
//!
//! Not a pool of the driver's: that asks a connection whether it lives before and after each use,
//! which for a file costs more than the questions themselves. Promises: at most so many at once;
//! one that had an error, or whose use was given up, is closed and not used again.

use crate::error::{Cause, Error, Result};
use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, ConnectOptions, Connection};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The connections; clones share them.
#[derive(Clone)]
pub(crate) struct Readers {
    inner: Arc<Inner>,
}

struct Inner {
    options: AnyConnectOptions,
    /// What each connection is told first.
    session: String,
    /// How long a call waits for one.
    wait: Duration,
    free: Mutex<Vec<AnyConnection>>,
    places: Arc<Semaphore>,
}

/// A connection that is in use; dropped, it is closed.
pub(crate) struct Reader {
    pub(crate) connection: AnyConnection,
    home: Arc<Inner>,
    place: OwnedSemaphorePermit,
}

impl fmt::Debug for Readers {
    /// Says nothing of the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Readers")
    }
}

impl Readers {
    /// At most `most` connections, made when they are needed.
    pub(crate) fn new(
        options: AnyConnectOptions,
        session: String,
        most: usize,
        wait: Duration,
    ) -> Self {
        let (free, places) = (Mutex::default(), Arc::new(Semaphore::new(most)));
        Self { inner: Arc::new(Inner { options, session, wait, free, places }) }
    }

    /// Waits for a connection.
    pub(crate) async fn take(&self) -> Result<Reader> {
        let home = Arc::clone(&self.inner);
        let place = tokio::time::timeout(home.wait, Arc::clone(&home.places).acquire_owned());
        let place = place.await.map_err(|late| Error::Unreachable(Cause::new(late)))?;
        let place = place.map_err(|closed| Error::Unreachable(Cause::new(closed)))?;
        let free = home.free.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match free {
            Some(connection) => connection,
            None => home.open().await?,
        };
        Ok(Reader { connection, home, place })
    }

    /// Closes those that are free, and those in use when they have answered.
    pub(crate) async fn close(&self) {
        self.inner.places.close();
        let free =
            std::mem::take(&mut *self.inner.free.lock().unwrap_or_else(PoisonError::into_inner));
        for connection in free {
            // There is nobody to tell, and nothing was written.
            let _ = connection.close().await;
        }
    }
}

impl Reader {
    /// To be used again: it has answered.
    pub(crate) fn give_back(self) {
        let Self { connection, home, place } = self;
        if !home.places.is_closed() {
            home.free.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        drop(place);
    }
}

impl Inner {
    async fn open(&self) -> Result<AnyConnection> {
        let mut connection = self.options.connect().await?;
        sqlx::raw_sql(sqlx::AssertSqlSafe(self.session.clone())).execute(&mut connection).await?;
        Ok(connection)
    }
}
