//! Asks the source how many statements others execute on it.
//!
//! Promises: a server that does not tell is an error when the copy begins, and a reason to pause later.

use super::session::{self, Conn};
use super::{answer, facts};
use crate::copy::connections::Connections;
use crate::copy::throttle::{self, ANSWER_MAX, Limits};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};

/// What users' sessions execute now, by number.
const REQUESTS: &str = "SELECT CAST(r.session_id AS bigint) FROM sys.dm_exec_requests AS r JOIN \
                        sys.dm_exec_sessions AS s ON s.session_id = r.session_id WHERE \
                        s.is_user_process = 1 AND r.session_id <> @@SPID";
/// The same where the server tells of sessions only.
const SESSIONS: &str = "SELECT CAST(s.session_id AS bigint) FROM sys.dm_exec_sessions AS s WHERE \
                        s.status IN (N'running', N'active') AND s.session_id <> @@SPID";

/// Who is asked, and what is too much.
#[derive(Debug)]
pub struct Watcher {
    source: Endpoint,
    question: Option<&'static str>,
    most: u64,
    connections: Connections,
    conn: Option<Conn>,
}

impl Watcher {
    /// Of a source; it is asked later. `connections` are those that do not count.
    pub fn begin(source: &Endpoint, limits: &Limits, connections: &Connections) -> Watcher {
        Watcher {
            source: source.clone(),
            question: None,
            most: limits.running_max.unwrap_or(u64::MAX),
            connections: connections.clone(),
            conn: None,
        }
    }

    async fn others(&mut self) -> Result<u64> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => session::catalogue(&self.source).await?,
        };
        let question = match self.question {
            Some(question) => question,
            None if facts::shows_requests(&mut conn.session).await? => REQUESTS,
            None => SESSIONS,
        };
        self.question = Some(question);
        let running = answer::numbers(&mut conn.session, question).await?;
        let own = self.connections.ids(conn.server());
        let is_other = |id: &&i64| u64::try_from(**id).is_ok_and(|id| !own.contains(&id));
        let count = running.iter().filter(is_other).count();
        self.conn = Some(conn);
        Ok(count as u64)
    }
}

impl throttle::Watcher for Watcher {
    fn replicas(&self) -> Vec<String> {
        Vec::new()
    }

    async fn reason(&mut self) -> Result<Option<String>> {
        let others = tokio::time::timeout(ANSWER_MAX, self.others()).await;
        let others = others.unwrap_or_else(|_elapsed| {
            let text = "ask the source what runs there: no answer";
            Err(Error::new(ErrorKind::Unreachable, Side::Source, text))
        });
        let others = others.map_err(|error| error.on(Side::Source))?;
        Ok(throttle::too_busy(others, self.most))
    }
}
