//! Shows the failing statement without showing data: shortened, its literals masked where they are
//! row values or passwords, and the place of a syntax error marked.
//!
//! Pure. Never more than [`EXCERPT_CHARS`] characters of the file.

use dump::insert::{self, Found};
use dump::reader::Place;
use dump::rules::Rules;
use dump::statement::Kind;
use dump::token::{Target, Token, Tokens};
use dump::values::Rows;

/// Characters of the statement that are shown.
pub const EXCERPT_CHARS: usize = 160;
/// Bytes of the statement that are looked at for masking.
const LOOKED_AT: usize = 64 << 10;

/// The line of the statement where the server saw the error, from 1, if its message tells.
pub fn error_line(message: &str) -> Option<u64> {
    message.rsplit_once(" at line ")?.1.trim_end_matches(['.', ' ']).parse().ok()
}

/// The row of the statement that the server's message names, from 1.
pub fn error_row(message: &str) -> Option<u64> {
    let rest = message.rsplit_once(" at row ")?.1;
    rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Where row `row` (from 1) of an INSERT begins, that itself begins at `place`: line and byte offset.
pub fn row_place(text: &[u8], rules: Rules, row: u64, place: Place) -> Option<(u64, u64)> {
    let Found::Values(head) = insert::head(text, rules.ansi_quotes) else { return None };
    let rows = text.get(head.length..)?;
    let index = usize::try_from(row.checked_sub(1)?).ok()?;
    let start = head.length + Rows::new(rows, rules).nth(index)?.start;
    let lines = text[..start].iter().filter(|b| **b == b'\n').count();
    Some((place.line + lines as u64, place.offset + start as u64))
}

/// One or two lines: the text around the error, and a caret under the place if it is known.
pub fn excerpt(
    text: &[u8],
    kind: Kind,
    rules: Rules,
    target: Target,
    message: Option<&str>,
) -> String {
    let near = message.and_then(|message| near_position(text, message));
    let shown = &text[..text.len().min(LOOKED_AT)];
    let (masked, place) = match kind {
        Kind::Database
        | Kind::Table
        | Kind::View
        | Kind::Routine
        | Kind::Trigger
        | Kind::Event
        | Kind::LockTables
        | Kind::Use => (shown.to_vec(), near),
        _ => mask(shown, rules, target, near),
    };
    window(&masked, place.filter(|place| *place < masked.len()))
}

/// Where in the text the server's `near '…' at line N` points.
fn near_position(text: &[u8], message: &str) -> Option<usize> {
    let line = error_line(message)?;
    let near = message.split_once("near '")?.1.rsplit_once("' at line ")?.0;
    let line_start = match line {
        0 | 1 => 0,
        _ => memchr_lines(text).nth(line as usize - 2)? + 1,
    };
    // The server shows at most 80 characters, and shows some bytes differently.
    let needle: String = near.chars().take_while(|c| c.is_ascii()).take(40).collect();
    if needle.is_empty() {
        return near.is_empty().then_some(text.len().saturating_sub(1));
    }
    let rest = text.get(line_start..)?;
    let at = rest.windows(needle.len()).position(|window| window == needle.as_bytes())?;
    Some(line_start + at)
}

fn memchr_lines(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    text.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at)
}

/// Replaces every string and number by `…`; also gives the new index of `place`.
fn mask(
    text: &[u8],
    rules: Rules,
    target: Target,
    place: Option<usize>,
) -> (Vec<u8>, Option<usize>) {
    let mut masked = Vec::new();
    let mut copied = 0;
    let mut moved = None;
    for spanned in Tokens::new(text, rules, target) {
        let start = spanned.span.start;
        if moved.is_none() && place.is_some_and(|place| place <= start) {
            moved = Some(masked.len() + start - copied);
        }
        let secret = match spanned.token {
            Token::String(_) => true,
            Token::Word(word) => word.first().is_some_and(u8::is_ascii_digit),
            Token::Name(_)
            | Token::UserVariable(_)
            | Token::SystemVariable(_)
            | Token::Symbol(_) => false,
        };
        if secret {
            masked.extend_from_slice(&text[copied..start]);
            masked.extend_from_slice("…".as_bytes());
            copied = spanned.span.end;
        }
    }
    masked.extend_from_slice(&text[copied..]);
    (masked, moved)
}

/// The part of the text around `place`, on one line, with a caret below.
fn window(text: &[u8], place: Option<usize>) -> String {
    let before = String::from_utf8_lossy(&text[..place.unwrap_or(0)]).into_owned();
    let after = String::from_utf8_lossy(&text[place.unwrap_or(0)..]).into_owned();
    let flat = |c: char| if c.is_control() { ' ' } else { c };
    let lead: Vec<char> = before.chars().map(flat).collect();
    let kept = lead.len().min(EXCERPT_CHARS / 3);
    let mut line: String = lead[lead.len() - kept..].iter().collect();
    let cut_before = kept < lead.len();
    let tail: Vec<char> = after.chars().map(flat).collect();
    let room = EXCERPT_CHARS - kept;
    line.extend(tail.iter().take(room));
    if tail.len() > room {
        line.push('…');
    }
    let lead_in = if cut_before { "…" } else { "" };
    match place {
        Some(_) => {
            let caret = " ".repeat(kept + lead_in.chars().count());
            format!("{lead_in}{line}\n{caret}^")
        }
        None => format!("{lead_in}{line}"),
    }
}
