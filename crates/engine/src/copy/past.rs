//! Copies that were before this one, and died: what is done with them, and which of them can be gone on
//! with.
//!
//! Pure. Finding them, undoing them and taking them over is each family's own.

use serde::{Deserialize, Serialize};

use super::report::Report;

/// The most copies that one repair looks at.
pub const COPIES_MAX: usize = 100;
/// How long the connections of an ended copy may take to go, in seconds.
pub const LOCK_WAIT_SECS: u32 = 20;

/// What is done with copies that died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Past {
    /// They are undone; if this one fails, it is undone too.
    Remove,
    /// The one of the same databases is taken over; what this one leaves may be taken over as well.
    Resume,
    /// As [`Past::Resume`], of those whose tags begin so; what cannot be taken over is undone.
    ResumeOf(String),
}

/// Whether to wait for copies whose connections are still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// They count as alive.
    None,
    /// A server may take a while to notice that a process was killed: up to [`LOCK_WAIT_SECS`] each.
    ForDead,
    /// The same, but they have no right to go on if they live: the connection that keeps them alive is ended, if
    /// the login may do that.
    Ended,
}

/// What a journal says of a copy's end, where `P` is what a family has to know to go back.
#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Written<P> {
    /// The target is about to show it, or has begun to.
    Publishing(Vec<P>),
    /// The target shows it.
    Shown(Box<Shown>),
}

/// A copy that the target shows, as its journal keeps it for who asked for it and was not told.
#[derive(Debug, Serialize, Deserialize)]
pub struct Shown {
    /// The databases: name on the source, name on the target.
    pub databases: Vec<(String, String)>,
    /// What it did.
    pub report: Report,
}

/// How a copy that died is settled.
#[derive(Debug)]
pub enum Settled {
    /// It had not come to publishing, or that was undone before.
    Nothing,
    /// What it was publishing is undone.
    Undone,
    /// It had done all that it was for.
    Shown(Box<Shown>),
}

/// What became of a copy that had died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repaired {
    /// Its tag.
    pub tag: String,
    /// What was done, in words.
    pub what: String,
}

/// What two copies must have in common for one to take the other over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The version of dbferry: other ones may make tables in another way.
    pub version: String,
    /// Tells the source from other servers.
    pub source: String,
    /// The databases: name on the source, name on the target.
    pub databases: Vec<(String, String)>,
}

impl Past {
    /// Whether a copy that breaks off leaves what it has.
    pub fn is_kept(&self) -> bool {
        *self != Past::Remove
    }

    /// Whether a copy of this tag is one to go on with.
    pub fn concerns(&self, tag: &str) -> bool {
        match self {
            Past::Remove => false,
            Past::Resume => true,
            Past::ResumeOf(begin) => tag.starts_with(begin.as_str()),
        }
    }
}

impl Settled {
    /// What to tell of a copy whose rest is removed.
    pub fn told(&self) -> &'static str {
        match self {
            Settled::Nothing => "a copy that had not been published is removed",
            Settled::Undone => {
                "a copy that was being published is undone: its databases are as they were"
            }
            Settled::Shown(_) => "a copy that was complete is tidied up after: its databases stay",
        }
    }
}

impl Shown {
    /// Of a copy to databases of these names; `report` is what it has done until it is shown.
    pub fn new(databases: &[(String, String)], report: &Report) -> Shown {
        let report = Report { published: true, resumable: false, ..report.clone() };
        Shown { databases: databases.to_vec(), report }
    }
}

impl Wait {
    /// How long each of them is waited for, in seconds.
    pub fn seconds(self) -> u32 {
        match self {
            Wait::None => 0,
            Wait::ForDead | Wait::Ended => LOCK_WAIT_SECS,
        }
    }
}

impl Head {
    /// Of a copy from a server, told by what it calls itself, to databases of these names.
    pub fn new(source: &str, databases: &[(String, String)]) -> Head {
        Head {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            source: source.to_owned(),
            databases: databases.to_vec(),
        }
    }

    /// Whether both write one of the target's databases.
    pub fn meets(&self, other: &Head) -> bool {
        self.databases.iter().any(|(_, to)| other.databases.iter().any(|(_, name)| name == to))
    }

    /// Why this one cannot go on with the other.
    pub fn obstacle(&self, other: &Head) -> Option<&'static str> {
        if self.source != other.source {
            return Some("it read another server");
        }
        if self.databases != other.databases {
            return Some("it was of other databases, or in another order");
        }
        (self.version != other.version).then_some("another version of dbferry made it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(source: &str, databases: &[(&str, &str)]) -> Head {
        let databases = databases.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        Head { version: "1".to_owned(), source: source.to_owned(), databases }
    }

    #[test]
    fn only_the_same_copy_is_gone_on_with() {
        let own = head("a", &[("shop", "shop"), ("crm", "new")]);
        assert_eq!(own.obstacle(&own.clone()), None);
        assert!(own.obstacle(&head("b", &[("shop", "shop"), ("crm", "new")])).is_some());
        assert!(own.obstacle(&head("a", &[("shop", "shop")])).is_some());
        assert!(own.meets(&head("b", &[("x", "new")])));
        assert!(!own.meets(&head("a", &[("shop", "other")])));
    }

    #[test]
    fn a_journal_tells_what_is_shown_from_what_is_to_be_undone() {
        let report = Report { objects: 7, resumable: true, ..Report::default() };
        let shown = Shown::new(&[("shop".to_owned(), "shop".to_owned())], &report);
        let text = serde_json::to_string(&Written::<u8>::Shown(Box::new(shown))).unwrap();
        let Written::Shown(read) = serde_json::from_str::<Written<u8>>(&text).unwrap() else {
            panic!("{text}");
        };
        assert_eq!((read.report.objects, read.report.published), (7, true));
        assert!(!read.report.resumable);
        let text = serde_json::to_string(&Written::Publishing(vec![1_u8, 2])).unwrap();
        assert_eq!(text, "[1,2]");
        let read = serde_json::from_str::<Written<u8>>(&text).unwrap();
        assert!(matches!(read, Written::Publishing(places) if places == [1, 2]));
    }

    #[test]
    fn a_services_copy_goes_on_with_its_own() {
        let past = Past::ResumeOf("0a1bn".to_owned());
        assert!(past.is_kept() && past.concerns("0a1bn7") && !past.concerns("0a1c"));
        assert!(!Past::Remove.is_kept() && !Past::Remove.concerns("0a1bn7"));
    }
}
