//! Whether a dump is whole, judged by how it ends: its tool's last comment, the restoring of the
//! settings saved at its head, and what is still open.
//!
//! Says "unknown" rather than guess: many tools write nothing at the end.

use super::Complete;
use super::origin::{self, Origin, Tool};
use crate::lexer::Open;
use crate::reader::Place;

/// How the file ended.
pub(super) struct End<'a> {
    /// Its end, or where reading stopped.
    pub(super) place: Place,
    /// What is open there, if it is not part of a statement.
    pub(super) open: Option<Open>,
    /// Its last bytes.
    pub(super) tail: &'a [u8],
}

/// The last statement, and the marks of tools that were passed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Last {
    /// Where it begins.
    pub(super) place: Place,
    /// It has no delimiter.
    pub(super) unterminated: bool,
    /// What it leaves open.
    pub(super) open: Option<Open>,
    /// It ends inside parentheses.
    pub(super) inside: bool,
    /// It restores a setting from an `@OLD_…` variable.
    pub(super) restores: bool,
    /// Some statement saved settings to `@OLD_…` variables.
    pub(super) saved: bool,
    /// Where the last dump's head was, if one was seen.
    pub(super) head: Option<u64>,
}

/// The verdict and its reason; also the date that the trailer names.
pub(super) struct Verdict {
    pub(super) complete: Complete,
    pub(super) reason: String,
    pub(super) date: Option<String>,
}

/// Judges a file that was read to its end.
pub(super) fn judge(origin: &Origin, last: &Last, end: &End<'_>, is_empty: bool) -> Verdict {
    let verdict = |complete, reason: &str| Verdict { complete, reason: reason.into(), date: None };
    if is_empty && end.open.is_none() {
        let reason = match end.place.offset {
            0 => "the file is empty",
            _ => "the file holds no statement",
        };
        return verdict(Complete::Unknown, reason);
    }
    match last.open.or(end.open) {
        Some(Open::Comment) => {
            return verdict(Complete::Truncated, "a comment is open at the end");
        }
        Some(_) => {
            return verdict(Complete::Truncated, "a string or quoted name is open at the end");
        }
        None => {}
    }
    if last.unterminated && last.inside {
        return verdict(Complete::Truncated, "the last statement ends inside parentheses");
    }
    if let Some(prefix) = origin.generator.trailer() {
        return by_trailer(origin.generator, prefix, last, end);
    }
    if origin.generator == Tool::Adminer {
        return match origin::adminer_ending(end.tail) {
            Some(date) => Verdict {
                date: Some(date),
                ..verdict(Complete::Complete, "it ends with Adminer's date")
            },
            None => verdict(Complete::Unknown, "Adminer's date at the end is missing"),
        };
    }
    match (last.saved, last.restores) {
        (true, true) => {
            verdict(Complete::Complete, "it ends by restoring the settings saved at its head")
        }
        (true, false) if origin.generator != Tool::Unknown => {
            verdict(Complete::Truncated, "the settings saved at its head are not restored")
        }
        _ => verdict(Complete::Unknown, "its tool writes nothing at the end of a dump"),
    }
}

fn by_trailer(tool: Tool, prefix: &str, last: &Last, end: &End<'_>) -> Verdict {
    let tail_from = end.place.offset.saturating_sub(end.tail.len() as u64);
    let trailer = origin::trailer(end.tail, prefix)
        .filter(|ending| last.head.is_none_or(|head| tail_from + ending.at as u64 > head));
    if let Some(ending) = trailer {
        let reason = format!("it ends with {}'s '{prefix}'", tool.name());
        return Verdict { complete: Complete::Complete, reason, date: ending.date };
    }
    if last.saved && last.restores {
        let reason = format!("the settings are restored at the end, though '{prefix}' is missing");
        return Verdict { complete: Complete::Complete, reason, date: None };
    }
    let reason = format!("{}'s last line, '{prefix}', is missing", tool.name());
    Verdict { complete: Complete::Truncated, reason, date: None }
}
