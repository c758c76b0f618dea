//! From the staging database to its place: the only part of a copy that changes what the target
//! shows.
//!
//! A database is renamed as a whole; several are renamed one after the other, so for a moment the target
//! shows some of them only, or none. Promises: whatever fails, and whenever, [`back`] makes everything what
//! it was, and can be done again; databases are told by their numbers, so that nobody else's is touched.
//! The old ones live until nothing can fail any more. [`super::journal`] remembers what is needed for that.

use serde::{Deserialize, Serialize};

use super::{answer, database, session, staging};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::script::{Phase, Script};
use crate::mssql::session::Session;
use crate::run::failpoint;

/// One database that is about to appear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its name on the target.
    pub target: String,
    /// The database that is to have this name.
    pub staging: String,
    /// That database's number.
    pub staging_id: i64,
    /// What what is there now will be called.
    pub trash: String,
    /// What is there now.
    pub old: Option<Old>,
}

/// A database that is replaced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Old {
    /// Its number.
    pub id: i64,
    /// Many may be in it.
    pub takes_many: bool,
}

/// What is known of a place.
pub async fn place(
    session: &mut Session,
    target: &str,
    (staging, trash): (&str, &str),
) -> Result<Place> {
    let Some(staging_id) = database::id(session, staging).await? else {
        let text = format!("{staging} is gone");
        return Err(Error::new(ErrorKind::Internal, Side::Target, text));
    };
    let old = match database::id(session, target).await? {
        Some(id) => Some(Old { id, takes_many: database::takes_many(session, target).await? }),
        None => None,
    };
    let (target, staging, trash) = (target.to_owned(), staging.to_owned(), trash.to_owned());
    Ok(Place { target, staging, staging_id, trash, old })
}

/// Makes all places show their copies, each with the statements that need the final names. After an error,
/// [`back`] is due.
pub async fn forth(
    (session, target): (&mut Session, &Endpoint),
    places: &[Place],
    scripts: &[Script],
) -> Result<()> {
    answer::enter(session, session::HOME).await?;
    for place in places.iter().filter(|place| place.old.is_some()) {
        database::rename((session, target), &place.target, &place.trash).await?;
        failpoint::pass("database moved");
    }
    for place in places {
        database::rename((session, target), &place.staging, &place.target).await?;
        failpoint::pass("database moved");
    }
    failpoint::pass("after exchange");
    let shown: Vec<(&str, &Script)> =
        places.iter().map(|place| place.target.as_str()).zip(scripts).collect();
    for phase in [Phase::AfterRename, Phase::DatabaseTriggers] {
        // What one needs of another database may itself need something of the first.
        let refused = staging::everywhere(session, &shown, phase).await?;
        if let Some((_, _, error)) = refused.into_iter().next() {
            return Err(error);
        }
    }
    Ok(())
}

/// Undoes as much of [`forth`] as was done; can be done again.
pub async fn back((session, target): (&mut Session, &Endpoint), places: &[Place]) -> Result<()> {
    answer::enter(session, session::HOME).await?;
    for place in places.iter().rev() {
        if database::id(session, &place.target).await? == Some(place.staging_id) {
            database::rename((session, target), &place.target, &place.staging).await?;
        }
    }
    for place in places.iter().rev() {
        let Some(old) = &place.old else { continue };
        if database::id(session, &place.trash).await? == Some(old.id) {
            database::rename((session, target), &place.trash, &place.target).await?;
        }
        let is_back = database::id(session, &place.target).await? == Some(old.id);
        if is_back && old.takes_many && !database::takes_many(session, &place.target).await? {
            database::open_to_all(session, &place.target).await?;
        }
    }
    Ok(())
}
