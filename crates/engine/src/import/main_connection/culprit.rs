//! Which row of a failed INSERT it was, where the server does not say: an error about a duplicate key
//! names the value, not the row.
//!
//! Promises: looks only where looking leaves no trace, by trying ever closer beginnings of the
//! statement in transactions that are rolled back; gives up rather than guess.

use dump::rules::Rules;
use dump::values::Rows;

use super::MainConnection;
use crate::error::{Error, ErrorKind};
use crate::import::batch::{Batch, Member};
use crate::import::excerpt::error_row;
use crate::import::table::literal;

/// Statements with more rows than this are not searched.
const ROWS_MAX: usize = 1 << 20;

impl MainConnection {
    /// Adds the row to an error of a literal INSERT, if it can be found.
    pub(super) async fn with_row(
        &mut self,
        error: Error,
        batch: &Batch,
        member: &Member<'_>,
    ) -> Error {
        let message = error.server.as_ref().map(|server| server.message.clone());
        let says = message.as_deref().and_then(error_row).is_some() || error.object.row.is_some();
        let is_of_another = self.failed_ahead.is_some();
        if is_of_another
            || error.kind != ErrorKind::Statement
            || says
            || !self.may_look(batch).await
        {
            return error;
        }
        match self.find_row(member, batch.rules, error.code()).await {
            Some(row) => error.in_row(row),
            None => error,
        }
    }

    /// Whether trying leaves nothing behind: no open transaction, no table without transactions, no
    /// numbers that the server would give out.
    async fn may_look(&mut self, batch: &Batch) -> bool {
        if self.barred(&batch.table).is_some() || self.stop.is_asked() {
            return false;
        }
        let gives_all = batch.columns.is_none()
            && batch.given.iter().all(|given| !given.nothing && !given.zero);
        let Some(stepping) = &mut self.stepping else { return false };
        let is_loose = stepping.is_loose(&batch.table).await;
        let Some((schema, table)) = stepping.resolve(&batch.table) else { return false };
        let query = format!(
            "SELECT (SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = {0} AND \
             TABLE_NAME = {1} AND EXTRA LIKE '%auto_increment%'), (SELECT COUNT(*) FROM \
             information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = {0} AND EVENT_OBJECT_TABLE = {1})",
            literal(&schema),
            literal(&table)
        );
        let Ok(rows) = stepping.ledger.conn().rows(&query).await else { return false };
        let is_zero = |index: usize| {
            let cell = rows.first().and_then(|row| row.get(index).cloned().flatten());
            cell.as_deref() == Some("0")
        };
        is_loose.is_ok_and(|is_loose| !is_loose) && is_zero(1) && (is_zero(0) || gives_all)
    }

    async fn find_row(
        &mut self,
        member: &Member<'_>,
        rules: Rules,
        code: Option<u32>,
    ) -> Option<u64> {
        let (head, rows) = member.text.split_at(member.values_at);
        let ends: Vec<usize> = Rows::new(rows, rules).map(|row| row.end).take(ROWS_MAX).collect();
        if ends.len() as u64 != member.rows {
            return None;
        }
        // The first `good` rows go in, the first `bad` do not.
        let (mut good, mut bad) = (0, ends.len());
        while bad - good > 1 {
            let middle = good + (bad - good) / 2;
            let text = [head, &rows[..ends[middle - 1]]].concat();
            self.begin().await.ok()?;
            let outcome = self.finish(&text).await;
            self.finish(b"ROLLBACK").await.ok()?;
            match outcome {
                Ok(_) => good = middle,
                Err(error) if error.code() == code => bad = middle,
                Err(_) => return None,
            }
        }
        Some(bad as u64)
    }
}
