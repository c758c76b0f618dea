//! Pruning: finished jobs and their events are deleted by age.
//!
//! Deliberately not here: unfinished jobs, however old; when to prune.

use crate::database::retry;
use crate::limit::PRUNE_MAX;
use crate::statement::sql;
use crate::{Result, Store};

impl Store {
    /// Deletes jobs that finished before `finished_before`, oldest first, at most `limit`, and
    /// their events; gives the number of jobs. Their idempotency keys are free again.
    ///
    /// # Errors
    ///
    /// Only those of the database.
    pub async fn prune_jobs(&self, finished_before: i64, limit: u32) -> Result<u64> {
        let limit = i64::from(limit.min(PRUNE_MAX));
        retry(|| async move {
            let mut tx = self.database.begin().await?;
            let query = sql("SELECT id FROM job WHERE finished_at < ?
                 ORDER BY finished_at, id LIMIT ?");
            let rows = tx.all(query.int(finished_before).int(limit)).await?;
            let ids = rows.iter().map(|row| row.int("id")).collect::<Result<Vec<_>>>()?;
            if ids.is_empty() {
                return Ok(0);
            }
            tx.run(sql("DELETE FROM job_event WHERE 1 = 1").and_in_ints("job", &ids)).await?;
            let jobs = tx.run(sql("DELETE FROM job WHERE 1 = 1").and_in_ints("id", &ids)).await?;
            tx.commit().await?;
            Ok(jobs)
        })
        .await
    }
}
