//! A bulk load: INSERT BULK, and rows as bytes behind it, \[MS-TDS\] 2.2.6.1.
//!
//! Promises: [`Bulk::finish`] gives the number of rows that the server counted. Dropped before that, it
//! leaves a session that takes nothing but the rest of the load ([`Session::bulk_again`]); the end of the session
//! has the server roll the load back. A refusal is seen at the end only, so loads should be short.
//! Deliberately not here: batches and
//! transactions (one load is one batch; whoever wants several begins several), and what rows hold.

use super::carry::{self, Hints, Loaded};
use super::packet::BULK;
use super::session::{Session, State, broken};
use crate::error::Result;

/// Rows on their way into one table.
#[derive(Debug)]
pub struct Bulk<'a> {
    session: &'a mut Session,
}

impl Session {
    /// Begins to load rows of `columns` into `table`, which is quoted.
    ///
    /// Identity columns keep their values: they are among the columns.
    pub async fn bulk(
        &mut self,
        table: &str,
        columns: &[Loaded],
        hints: Hints,
    ) -> Result<Bulk<'_>> {
        self.run(&carry::statement(table, columns, hints)).await?;
        self.begin()?;
        self.channel.begin(BULK);
        let mut bulk = Bulk { session: self };
        bulk.rows(&carry::columns(columns)).await?;
        Ok(bulk)
    }

    /// The load that is on its way: it was begun, and its [`Bulk`] was dropped between two pieces.
    pub fn bulk_again(&mut self) -> Result<Bulk<'_>> {
        match self.is_loading() {
            true => Ok(Bulk { session: self }),
            false => Err(broken()),
        }
    }
}

impl Bulk<'_> {
    /// Sends bytes of rows, as [`super::session::Selection::fill`] gives them; they may end anywhere.
    pub async fn rows(&mut self, bytes: &[u8]) -> Result<()> {
        // Who goes away in the middle of it leaves a packet that is cut.
        self.session.state = State::Broken;
        self.session.channel.write(bytes).await?;
        self.session.state = State::Sending;
        Ok(())
    }

    /// Ends the load behind a whole row, and gives the number of rows that the server counted.
    pub async fn finish(self) -> Result<u64> {
        let Bulk { session } = self;
        session.state = State::Broken;
        session.channel.write(&carry::done()).await?;
        session.channel.end().await?;
        session.sent();
        session.finish().await
    }
}
