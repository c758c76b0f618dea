//! How far the server is with keys that other connections build, as far as it tells.
//!
//! Only for showing: whatever goes wrong here is an answer that nobody gets, and is not asked for
//! again. MariaDB tells one number for the whole server: it is not asked for while several of ours
//! build, and is another's if others build keys at the same time. MySQL tells it of each, where its
//! performance_schema follows stages, as 9.7 does by itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::endpoint::Endpoint;
use crate::mysql::conn::Conn;
use crate::mysql::facts::Flavor;

/// How often it is worth asking.
pub const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long the server may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// The numbers of the connections that build now.
#[derive(Clone, Debug, Default)]
pub struct Building(Arc<Mutex<BTreeSet<u64>>>);

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
    /// This connection builds.
    pub fn begin(&self, id: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
    }

    /// It does not any more.
    pub fn end(&self, id: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    fn ids(&self) -> Vec<String> {
        let ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.iter().map(u64::to_string).collect()
    }
}

impl Gauge {
    /// Nothing is opened yet.
    pub fn new(endpoint: Endpoint, flavor: Flavor, building: Building) -> Gauge {
        Gauge { endpoint, flavor, building, conn: None, is_silent: false }
    }

    /// Percent of what is being built that is done; `None` if the server does not tell.
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
        let ids = self.building.ids();
        let sql = match self.flavor {
            _ if ids.is_empty() => return Ok(None),
            Flavor::MariaDb if ids.len() > 1 => return Ok(None),
            // In hundredths of a percent; 0 while nothing is built. PROCESSLIST has nothing of it.
            Flavor::MariaDb => "SELECT VARIABLE_VALUE DIV 100 FROM \
                                information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = \
                                'INNODB_ONLINEDDL_PCT_PROGRESS' AND VARIABLE_VALUE > 0"
                .to_owned(),
            Flavor::MySql => format!(
                "SELECT FLOOR(100 * SUM(WORK_COMPLETED) / SUM(WORK_ESTIMATED)) FROM \
                 performance_schema.events_stages_current JOIN performance_schema.threads USING \
                 (THREAD_ID) WHERE PROCESSLIST_ID IN ({}) AND WORK_ESTIMATED > 0",
                ids.join(", ")
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
