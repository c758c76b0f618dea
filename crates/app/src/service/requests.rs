//! Requests that clients may send again, by a key that they choose.
//!
//! Promises: requests with one key are done once; whoever comes again with the same request gets the
//! same answer for [`KEPT_MS`], with another one a refusal. A request that was refused has done
//! nothing and is forgotten, so that it may be tried again.

use store::{Begin, Turn};

use super::Refusal;
use crate::app::App;
use crate::cause::told;

/// Milliseconds that an answer is kept.
const KEPT_MS: i64 = 86_400_000;
/// Milliseconds after which a request without an answer was broken off with its process: all that a
/// request waits for takes less.
const WORK_MS: i64 = 60_000;

/// What is to be done with a request.
pub enum Once {
    /// It was done, and answered with this JSON text.
    Answered(String),
    /// To do it, and then [`end`] it.
    Yours(Turn),
}

/// Begins a request; `digest` is equal for equal ones.
pub async fn begin(app: &App, account: i64, key: &str, digest: &str) -> Result<Once, Refusal> {
    let now = app.clock.now_ms();
    // What is older may not have been swept yet.
    app.store.forget_requests(now - KEPT_MS).await?;
    match app.store.begin_request(account, key, digest, now - WORK_MS, now).await? {
        Begin::Yours(turn) => Ok(Once::Yours(turn)),
        Begin::Pending => Err(Refusal::Pending),
        Begin::Answered(text) => Ok(Once::Answered(text)),
        Begin::Other => Err(Refusal::OtherRequest),
    }
}

/// Keeps the answer of what was done, forgets what was refused, and hands it on.
pub async fn end<E>(app: &App, turn: &Turn, answer: Result<String, E>) -> Result<String, E> {
    let ended = match &answer {
        Ok(text) => app.store.answer_request(turn, text).await,
        Err(_) => app.store.drop_request(turn).await,
    };
    if let Err(error) = ended {
        // The next one with this key comes when this one counts as broken off, and finds the job.
        tracing::warn!(error = told(&error), "end a request");
    }
    answer
}

/// Forgets what was kept long enough.
pub async fn sweep(app: &App) -> Result<(), Refusal> {
    app.store.forget_requests(app.clock.now_ms() - KEPT_MS).await?;
    Ok(())
}
