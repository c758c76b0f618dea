//! Pulses: how far many jobs are, asked in one go by those who watch them.
//!
//! Deliberately not here: whose the jobs are. Who asks has found them in their accounts before.

use super::state::State;
use crate::limit;
use crate::statement::{Row, sql};
use crate::{Error, Result, Store};

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulse {
    /// The job's id.
    pub job: i64,
    /// Where it stands.
    pub state: State,
    /// The number of its last event.
    pub event_seq: i64,
    /// 0 to 100, as its worker last said.
    pub percent: u8,
    /// As its worker last said.
    pub progress: Option<String>,
}

impl Store {
    /// How far these jobs of any accounts are; those that are gone are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for more than [`crate::FILTER_MAX`] ids.
    pub async fn pulses(&self, jobs: &[i64]) -> Result<Vec<Pulse>> {
        limit::filter("the list of ids", jobs)?;
        if jobs.is_empty() {
            return Ok(Vec::new());
        }
        let query = sql("SELECT id, state, event_seq, percent, progress FROM job WHERE 1 = 1");
        let rows = self.database.all(query.and_in_ints("id", jobs)).await?;
        rows.iter().map(pulse).collect()
    }
}

fn pulse(row: &Row) -> Result<Pulse> {
    Ok(Pulse {
        job: row.int("id")?,
        state: State::of_name(&row.text("state")?).ok_or(Error::Corrupt("job's state"))?,
        event_seq: row.int("event_seq")?,
        percent: row.small("percent")?,
        progress: row.optional_text("progress")?,
    })
}
