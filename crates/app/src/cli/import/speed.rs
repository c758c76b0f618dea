//! `--fast`: says what is changed on the server before the import, and that it is back after it.
//!
//! Every import first looks for what earlier fast runs have left. Knows nothing of the file.

use engine::endpoint::Endpoint;
use engine::error::{Error, ErrorKind};
use engine::import::fast::{self, Change, Fast, LeftOut, Scope, Unrestored};
use engine::run::stop::Stop;
use serde_json::{Value, json};

use crate::cli::{repair, say};

/// What `--fast` did.
pub(super) struct Outcome {
    changes: Vec<Change>,
    left_out: Vec<LeftOut>,
    pub(super) not_restored: Vec<Unrestored>,
}

/// Puts back what dead runs have left. The import itself goes on whatever comes of it.
pub(super) async fn repair_first(endpoint: &Endpoint, stop: &Stop) {
    let repaired = tokio::select! {
        repaired = fast::repair(endpoint) => repaired,
        () = stop.asked() => return,
    };
    match repaired {
        Ok(repaired) => {
            repair::tell(&repaired).iter().for_each(|line| say(&format!("repair: {line}")));
            repair::complain_of(&repaired.failed);
        }
        Err(error) if is_told_by_the_import(error.kind) => {}
        Err(error) => say(&format!("repair: {error}")),
    }
}

/// The import meets the same.
fn is_told_by_the_import(kind: ErrorKind) -> bool {
    use ErrorKind::{AccessDenied, LostConnection, Tls, UnknownDatabase, Unreachable, Usage};
    matches!(kind, AccessDenied | LostConnection | Tls | Unreachable | UnknownDatabase | Usage)
}

/// Makes the server fast and says how.
pub(super) async fn begin(endpoint: &Endpoint) -> Result<Fast, Error> {
    let fast = fast::begin(endpoint).await?;
    for change in &fast.changes {
        let whose = match change.scope {
            Scope::Session => "",
            Scope::Global => ", for everybody on the server",
        };
        say(&format!(
            "fast: {} (it was {}){whose}: {}",
            change.statement(),
            change.before,
            change.danger()
        ));
    }
    for left_out in &fast.left_out {
        say(&format!("fast: {} stays as it is: {}", left_out.variable, left_out.reason));
    }
    if fast.changes.is_empty() {
        say("fast: nothing is changed; the import is as without --fast");
    }
    Ok(fast)
}

/// Puts everything back and says so.
pub(super) async fn end(fast: Fast) -> Outcome {
    let (changes, left_out) = (fast.changes.clone(), fast.left_out.clone());
    let not_restored = fast.end().await;
    if not_restored.is_empty() && !changes.is_empty() {
        say("fast: everything is put back");
    }
    Outcome { changes, left_out, not_restored }
}

/// For the report.
pub(super) fn document(outcome: &Outcome) -> Value {
    let restored = |setting: &Unrestored| {
        json!({
            "variable": setting.variable,
            "value": setting.value,
            "statement": setting.statement,
        })
    };
    json!({
        "changes": outcome.changes,
        "left_out": outcome.left_out,
        "not_restored": outcome.not_restored.iter().map(restored).collect::<Vec<Value>>(),
    })
}
