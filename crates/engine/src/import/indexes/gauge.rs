//! How far the server is with keys that another connection builds, as far as it tells.
//!
//! Only for showing: whatever goes wrong here is an answer that nobody gets, and is not asked for
//! again. MariaDB tells one number for the whole server, which is another's if others build keys at the
//! same time; MySQL tells it where its performance_schema follows stages, as 9.7 does by itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::mysql::conn::Conn;
use crate::mysql::facts::Flavor;

/// How often it is worth asking.
pub const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long the server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The number of the connection that builds; 0 before there is one.
#[derive(Clone, Debug, Default)]
pub struct Building(Arc<AtomicU64>);

/// Asks, over a connection of its own that is opened when it is needed.
#[derive(Debug)]
pub struct Gauge {
    endpoint: Endpoint,
    flavor: Flavor,
    building: Building,
    conn: Option<Conn>,
    is_silent: bool,
}

impl Building {
    /// From now on this connection builds.
    pub fn set(&self, id: u64) {
        self.0.store(id, Ordering::Relaxed);
    }
}

impl Gauge {
    /// Nothing is opened yet.
    pub fn new(endpoint: Endpoint, flavor: Flavor, building: Building) -> Gauge {
        Gauge { endpoint, flavor, building, conn: None, is_silent: false }
    }

    /// Percent of the statement that is done; `None` if the server does not tell.
    pub async fn percent(&mut self) -> Option<u8> {
        if self.is_silent {
            return None;
        }
        let answer = tokio::time::timeout(ANSWER_MAX, self.ask()).await;
        let Ok(Ok(percent)) = answer else {
            self.is_silent = true;
            self.conn = None;
            return None;
        };
        percent
    }

    async fn ask(&mut self) -> crate::error::Result<Option<u8>> {
        let id = self.building.0.load(Ordering::Relaxed);
        let sql = match self.flavor {
            // In hundredths of a percent; 0 while nothing is built. PROCESSLIST has nothing of it.
            Flavor::MariaDb => "SELECT VARIABLE_VALUE DIV 100 FROM \
                                information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = \
                                'INNODB_ONLINEDDL_PCT_PROGRESS' AND VARIABLE_VALUE > 0"
                .to_owned(),
            Flavor::MySql => format!(
                "SELECT FLOOR(100 * WORK_COMPLETED / WORK_ESTIMATED) FROM \
                 performance_schema.events_stages_current JOIN performance_schema.threads USING \
                 (THREAD_ID) WHERE PROCESSLIST_ID = {id} AND WORK_ESTIMATED > 0"
            ),
        };
        let conn = match self.conn.take() {
            Some(conn) => self.conn.insert(conn),
            None => self.conn.insert(Conn::open(&self.endpoint, "index progress").await?),
        };
        let told = conn.scalar(&sql).await?;
        // MySQL's estimate may be too low.
        Ok(told.and_then(|text| text.parse::<u64>().ok()).map(|percent| percent.min(100) as u8))
    }

    /// Ends its session.
    pub async fn close(self) {
        if let Some(conn) = self.conn {
            conn.close().await;
        }
    }
}
