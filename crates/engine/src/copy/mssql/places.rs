//! Sessions that are open only for their places, on Babelfish for PostgreSQL.
//!
//! Each session has a place there, the lowest that is free. A session that has ended counts as being in its last
//! database until a new one gets its place. Of the places, as many are looked at as there are sessions: one that is
//! behind free places is neither shown nor ended. Both pass once others are in the places before.
//!
//! Promises: at most [`PLACES_MAX`] are taken, and none on other servers. They are held until [`Places::leave`].

use super::{answer, session};
use crate::endpoint::Endpoint;
use crate::error::Result;
use crate::mssql::session::Session;

/// Sessions that are opened at once.
const PLACES: usize = 16;
/// Sessions that are held.
const PLACES_MAX: usize = 48;

/// Places of a server.
#[derive(Debug)]
pub struct Places<'a> {
    target: &'a Endpoint,
    taken: Vec<Session>,
}

impl Places<'_> {
    /// None yet.
    pub fn of(target: &Endpoint) -> Places<'_> {
        Places { target, taken: Vec::new() }
    }

    /// Takes some more, where that helps; `session` is one there. False if no more are to be had.
    pub async fn take(&mut self, session: &mut Session) -> Result<bool> {
        if self.taken.len() >= PLACES_MAX || !answer::is_babelfish(session).await? {
            return Ok(false);
        }
        let home = Some(session::HOME.to_owned());
        let endpoint = Endpoint { database: home, ..self.target.clone() };
        let before = self.taken.len();
        for _ in 0..PLACES {
            let Ok(session) = Session::connect(&endpoint, "copy place").await else { break };
            self.taken.push(session);
        }
        Ok(self.taken.len() > before)
    }

    /// Gives them back.
    pub async fn leave(self) {
        for place in self.taken {
            place.close().await;
        }
    }
}
