//! How the databases are named that a copy makes on the target for its own use: those that hold it until
//! it is shown, those that hold what it replaces until that is sure, and the one of its journal.
//!
//! Names only. All of them begin with [`PREFIX`] and the copy's tag, by which they are found again.

/// How the names of all such databases begin.
pub const PREFIX: &str = "dbferry_copy_";

/// The names for one copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staging {
    names: Vec<(String, String)>,
}

impl Staging {
    /// Names for as many databases.
    pub fn new(tag: &str, databases: &[(String, String)]) -> Staging {
        let names = (0..databases.len())
            .map(|n| (format!("{PREFIX}{tag}_{n}"), format!("{PREFIX}{tag}_{n}_old")));
        Staging { names: names.collect() }
    }

    /// The database that holds a copy.
    pub fn of(&self, index: usize) -> &str {
        &self.names[index].0
    }

    /// The database that holds what the copy replaces.
    pub fn trash_of(&self, index: usize) -> &str {
        &self.names[index].1
    }

    /// The source's names, each with that of an empty database in which its definitions are tried.
    pub fn trials(&self, databases: &[(String, String)]) -> Vec<(String, String)> {
        let pairs = databases.iter().zip(&self.names);
        pairs.map(|((from, _), (to, _))| (from.clone(), format!("{to}_trial"))).collect()
    }

    /// The source's names, each with that of the database that holds its copy.
    pub fn pairs(&self, databases: &[(String, String)]) -> Vec<(String, String)> {
        let pairs = databases.iter().zip(&self.names);
        pairs.map(|((from, _), (to, _))| (from.clone(), to.clone())).collect()
    }
}

/// The database that holds a copy's journal.
pub fn journal_of(tag: &str) -> String {
    format!("{PREFIX}{tag}")
}

/// The tag in the name of a copy's database. Tags hold no `_`.
pub fn tag_of(name: &str) -> Option<&str> {
    let rest = name.strip_prefix(PREFIX)?;
    let tag = rest.split('_').next().filter(|tag| !tag.is_empty())?;
    tag.bytes().all(|byte| byte.is_ascii_alphanumeric()).then_some(tag)
}

#[test]
fn tags_are_found_in_names() {
    assert_eq!(tag_of("dbferry_copy_0a1b_0_old"), Some("0a1b"));
    assert_eq!(tag_of("dbferry_copy_0a1b"), Some("0a1b"));
    assert_eq!(tag_of("dbferry_copy_"), None);
    assert_eq!(tag_of("shop"), None);
}
