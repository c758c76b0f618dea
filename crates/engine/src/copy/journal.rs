//! Copies that left something on a target: which there are, which of them live, what becomes of them.
//!
//! The order of it, whatever the family; [`Journals`] is what a family says. Promises: a copy is touched only by who
//! has its lock; the lock of one that lives is taken only by the next attempt of the same job, which ends it first.

use std::collections::BTreeSet;

use super::past::{COPIES_MAX, Head, LOCK_WAIT_SECS, Past, Repaired, Settled, Shown, Wait};
use super::staging::{journal_of, tag_of};
use crate::error::{Error, ErrorKind, Result, Side};

/// What one family knows of the copies on a target.
pub trait Journals: Send {
    /// The lock of a copy that died, as long as this is held.
    type Lock: Send;

    /// What a login lacks that cannot end the connection of a copy, in words.
    const ENDING: &'static str;

    /// The names of all databases.
    fn names(&mut self) -> impl Future<Output = Result<Vec<String>>> + Send;

    /// What a copy was of; nothing if it had not come so far.
    fn head(&mut self, tag: &str) -> impl Future<Output = Result<Option<Head>>> + Send;

    /// Ends the connection that has the lock of a copy, if any has: a process that stands still keeps it, and its
    /// server does not notice. Does nothing where the login may not; never touches another connection.
    fn evict(&mut self, tag: &str) -> impl Future<Output = Result<()>> + Send;

    /// Takes the lock of a copy that died; nothing if the copy lives still after `wait` seconds.
    fn take(
        &mut self,
        tag: &str,
        wait: u32,
    ) -> impl Future<Output = Result<Option<Self::Lock>>> + Send;

    /// Undoes what the copy was publishing, if anything was, and nothing that is shown.
    fn settle(
        &mut self,
        lock: &mut Self::Lock,
        tag: &str,
    ) -> impl Future<Output = Result<Settled>> + Send;

    /// Removes a database of the copy, if it is there.
    fn remove(
        &mut self,
        lock: &mut Self::Lock,
        database: &str,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Gives a lock back.
    fn give_back(&mut self, lock: Self::Lock, tag: &str)
    -> impl Future<Output = Result<()>> + Send;
}

/// A copy that died, and whose lock is held.
#[derive(Debug)]
pub struct Dead<L> {
    /// Its tag.
    pub tag: String,
    /// Its lock.
    pub lock: L,
    /// It was of the same, so that what it has brought can be gone on with.
    pub is_same: bool,
}

/// Tidies up after copies that died or ended: those of which `is_one` says so. What cannot be put right stays,
/// and is an error. With `keeps_shown` the journal of a copy stays if it says that the copy is shown.
pub async fn repair<J: Journals>(
    journals: &mut J,
    is_one: &(dyn Fn(&str) -> bool + Sync),
    (wait, keeps_shown): (Wait, bool),
) -> Result<Vec<Repaired>> {
    let tags = tags(&journals.names().await?);
    let mut repaired = Vec::new();
    for tag in tags.iter().filter(|tag| is_one(tag)).take(COPIES_MAX) {
        repaired.extend(repair_one(journals, tag, (wait, keeps_shown)).await?);
    }
    Ok(repaired)
}

/// Undoes what copies of these tags were publishing when they died, and gives what one of them shows. One
/// that lives after `wait` is an error.
pub async fn settle<J: Journals>(
    journals: &mut J,
    is_one: &(dyn Fn(&str) -> bool + Sync),
    wait: Wait,
) -> Result<Option<Shown>> {
    let tags = tags(&journals.names().await?);
    let mut shown = None;
    for tag in tags.iter().filter(|tag| is_one(tag)).take(COPIES_MAX) {
        if wait == Wait::Ended {
            journals.evict(tag).await?;
        }
        let Some(mut lock) = journals.take(tag, wait.seconds()).await? else {
            return Err(still_works::<J>(wait == Wait::Ended));
        };
        if let Settled::Shown(one) = journals.settle(&mut lock, tag).await? {
            shown = Some(*one);
        }
        journals.give_back(lock, tag).await?;
    }
    Ok(shown)
}

/// Which copies [`repair`] is for before one that goes on with some of them; nothing if it is for none.
pub fn before(past: &Past) -> Option<impl Fn(&str) -> bool + Sync + '_> {
    // With `Past::Resume` any of them may be one that somebody goes on with.
    (*past != Past::Resume).then_some(move |tag: &str| !past.concerns(tag))
}

/// Finds the copies that died and that one of `head` goes on with or does away with, and takes their locks.
pub async fn claim<J: Journals>(
    journals: &mut J,
    (own_tag, past): (&str, &Past),
    head: &Head,
) -> Result<Vec<Dead<J::Lock>>> {
    let mut claimed = Vec::new();
    let tags = tags(&journals.names().await?);
    let others = tags.into_iter().filter(|tag| tag != own_tag && past.concerns(tag));
    for tag in others.take(COPIES_MAX) {
        let is_own = matches!(past, Past::ResumeOf(_));
        let earlier = journals.head(&tag).await?;
        let meets = earlier.as_ref().is_some_and(|earlier| head.meets(earlier));
        if !is_own && earlier.is_some() && !meets {
            continue;
        }
        // One that had made nothing yet is of no use, and nobody's business while it lives.
        let wait = if is_own || meets { LOCK_WAIT_SECS } else { 0 };
        if is_own {
            // Of the attempts of one job only the last has the right to write.
            journals.evict(&tag).await?;
        }
        let Some(lock) = journals.take(&tag, wait).await? else {
            if wait == 0 {
                continue;
            }
            return Err(still_works::<J>(is_own));
        };
        let obstacle = earlier.as_ref().map(|earlier| head.obstacle(earlier));
        if let (Some(Some(why)), false) = (obstacle, is_own) {
            let text = format!(
                "the copy of {} that died cannot be gone on with: {why}. dbferry repair removes it",
                journal_of(&tag)
            );
            return Err(Error::new(ErrorKind::Resume, Side::Target, text));
        }
        claimed.push(Dead { tag, lock, is_same: obstacle == Some(None) });
    }
    Ok(claimed)
}

/// Nothing if the copy lives.
async fn repair_one<J: Journals>(
    journals: &mut J,
    tag: &str,
    (wait, keeps_shown): (Wait, bool),
) -> Result<Option<Repaired>> {
    if wait == Wait::Ended {
        journals.evict(tag).await?;
    }
    let Some(mut lock) = journals.take(tag, wait.seconds()).await? else {
        if wait == Wait::Ended {
            return Err(still_works::<J>(true));
        }
        return Ok(None);
    };
    let settled = journals.settle(&mut lock, tag).await?;
    let stays = keeps_shown && matches!(settled, Settled::Shown(_));
    for name in databases(journals.names().await?, tag) {
        if !(stays && name == journal_of(tag)) {
            journals.remove(&mut lock, &name).await?;
        }
    }
    journals.give_back(lock, tag).await?;
    Ok(Some(Repaired { tag: tag.to_owned(), what: settled.told().to_owned() }))
}

/// The error where a copy that is to be taken over does not end; `was_ended` if it should have been.
fn still_works<J: Journals>(was_ended: bool) -> Error {
    let hint = match was_ended {
        true => format!("; to end its connection, the login would need {}", J::ENDING),
        false => String::new(),
    };
    let text = format!("an earlier copy of these databases still works on the target{hint}");
    Error::new(ErrorKind::Unreachable, Side::Target, text)
}

/// The tags of all copies that left something.
fn tags(names: &[String]) -> BTreeSet<String> {
    names.iter().filter_map(|name| tag_of(name).map(str::to_owned)).collect()
}

/// The databases of a copy, its journal last.
fn databases(mut names: Vec<String>, tag: &str) -> Vec<String> {
    names.retain(|name| tag_of(name) == Some(tag));
    names.sort_by_key(|name| std::cmp::Reverse(name.len()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_goes_behind_what_it_tells_of() {
        let names = ["dbferry_copy_a1", "shop", "dbferry_copy_a1_0_old", "dbferry_copy_b_0"];
        let names: Vec<String> = names.map(str::to_owned).to_vec();
        assert_eq!(tags(&names), BTreeSet::from(["a1".to_owned(), "b".to_owned()]));
        assert_eq!(databases(names, "a1"), ["dbferry_copy_a1_0_old", "dbferry_copy_a1"]);
    }

    #[test]
    fn a_copy_that_goes_on_leaves_what_others_may_go_on_with() {
        let is_repaired = |past: &Past, tag: &str| before(past).is_some_and(|is_one| is_one(tag));
        assert!(is_repaired(&Past::Remove, "a1"));
        assert!(!is_repaired(&Past::Resume, "a1"));
        let own = Past::ResumeOf("a".to_owned());
        assert!(!is_repaired(&own, "a1") && is_repaired(&own, "b1"));
    }
}
