//! What a file may do beyond its databases, and in whose name: the policies for privileged
//! statements, for files on the server, and for DEFINER clauses.
//!
//! A pure function of a statement's class. It promises that nothing is left out silently: whatever
//! is skipped or rewritten comes back as a [`Note`].

use std::borrow::Cow;

use dump::reader::Place;
use dump::statement::{Class, Kind};

/// What happens to statements that change accounts, replication or global settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// The import fails at the first one.
    Deny,
    /// They are left out and reported.
    Skip,
    /// They are executed, as the stock client does, and reported.
    Allow,
}

/// What happens to `DEFINER = account` clauses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Definer {
    /// They stay.
    Keep,
    /// They are removed: the importing account becomes the definer.
    Strip,
    /// They are replaced by this account, ready to stand in a statement.
    Replace(String),
}

impl Definer {
    /// `keep`, `strip` or `USER@HOST`, the way the command line writes it.
    pub fn parse(text: &str) -> Result<Definer, String> {
        match text {
            "keep" => Ok(Definer::Keep),
            "strip" => Ok(Definer::Strip),
            _ => {
                let (user, host) = text
                    .rsplit_once('@')
                    .ok_or_else(|| "expected keep, strip or USER@HOST".to_owned())?;
                let user = user.trim_matches(['\'', '`', '"']);
                let host = host.trim_matches(['\'', '`', '"']);
                if user.is_empty() || host.is_empty() {
                    return Err("expected keep, strip or USER@HOST".to_owned());
                }
                let quote = |part: &str| format!("`{}`", part.replace('`', "``"));
                Ok(Definer::Replace(format!("{}@{}", quote(user), quote(host))))
            }
        }
    }
}

/// All policies of an import.
#[derive(Clone, Debug)]
pub struct Guard {
    /// For accounts, replication, global settings.
    pub policy: Policy,
    /// Statements that read or write files on the server are executed.
    pub allow_files: bool,
    /// For DEFINER clauses.
    pub definer: Definer,
}

/// Something the report mentions.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Note {
    /// A stable code: `privileged`, `skipped`, `definer`, `client_command`, `open_end`,
    /// `open_transaction`, `index`.
    pub code: &'static str,
    /// Line in the file.
    pub line: u64,
    /// Byte offset in the decoded file.
    pub offset: u64,
    /// One line for people.
    pub text: String,
}

impl Note {
    /// A note about a place in the file.
    pub fn new(code: &'static str, place: Place, text: impl Into<String>) -> Note {
        Note { code, line: place.line, offset: place.offset, text: text.into() }
    }
}

/// What to do with a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// Execute this text.
    Run(Cow<'a, [u8]>, Option<Note>),
    /// Leave it out.
    Skip(Note),
    /// Stop here, for this reason.
    Refuse(String),
}

/// Judges a statement.
pub fn judge<'a>(guard: &Guard, class: &Class, text: &'a [u8], place: Place) -> Verdict<'a> {
    if class.touches_files && !guard.allow_files {
        let what = "the statement reads or writes files on the server (allowed by \
                    --allow-file-access)";
        return match guard.policy {
            Policy::Skip => Verdict::Skip(Note::new("skipped", place, what)),
            Policy::Deny | Policy::Allow => Verdict::Refuse(what.to_owned()),
        };
    }
    if class.is_privileged() {
        let what = format!("the statement {}", privileged_effect(class));
        return match guard.policy {
            Policy::Deny => Verdict::Refuse(format!("{what} (refused by --policy deny)")),
            Policy::Skip => Verdict::Skip(Note::new("skipped", place, what)),
            Policy::Allow => {
                Verdict::Run(Cow::Borrowed(text), Some(Note::new("privileged", place, what)))
            }
        };
    }
    rewrite_definer(&guard.definer, class, text, place)
}

fn privileged_effect(class: &Class) -> &'static str {
    match class.kind {
        Kind::Account => "changes accounts or privileges",
        Kind::Replication => "changes replication",
        Kind::Administration => "administers the server",
        _ => "changes settings beyond this session",
    }
}

fn rewrite_definer<'a>(
    definer: &Definer,
    class: &Class,
    text: &'a [u8],
    place: Place,
) -> Verdict<'a> {
    let (Some(account), Some(clause)) = (&class.definer, &class.definer_clause) else {
        return Verdict::Run(Cow::Borrowed(text), None);
    };
    let (range, replacement) = match definer {
        Definer::Keep => return Verdict::Run(Cow::Borrowed(text), None),
        Definer::Strip => (clause.clone(), ""),
        Definer::Replace(by) => (account.clone(), by.as_str()),
    };
    let shown = String::from_utf8_lossy(&text[account.clone()]);
    let what = match definer {
        Definer::Replace(by) => format!("DEFINER {shown} replaced by {by}"),
        Definer::Keep | Definer::Strip => format!("DEFINER {shown} removed"),
    };
    let mut rewritten = text[..range.start].to_vec();
    rewritten.extend_from_slice(replacement.as_bytes());
    rewritten.extend_from_slice(&text[range.end..]);
    Verdict::Run(Cow::Owned(rewritten), Some(Note::new("definer", place, what)))
}
