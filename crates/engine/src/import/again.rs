//! An import that goes on by itself after it lost a connection that it cannot do without: the main
//! one, or that of the ledger; also all of them, when the server is started anew.
//!
//! It goes on as [`Resume::Must`] does: from the ledger's position, with the file read from its start
//! and the session made again on the way, so every statement is in exactly once. What cannot be
//! brought back (user variables that were set from tables, statements of which nothing tells whether
//! they are in) ends the import as before, and the error says so. Deliberately not for imports of a
//! job, whose keeper does the same, and not for input that cannot be read twice.

use std::time::{Duration, Instant};

use dump::reader::Place;
use dump::source::Input;

use super::dispatch::indexing::missing_note;
use super::guard::Note;
use super::report::{Failure, Report};
use super::resume::{self, Resume, Unsure};
use super::{Attempt, Options, Surroundings, run_once};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result};

/// How often an import goes on by itself.
pub const LOSSES_MAX: u64 = 20;
/// How often with nothing committed in between: what stands there may be what ends the server.
pub const LOSSES_AT_ONE_PLACE_MAX: u32 = 3;
/// How long a server may be out of reach, unless told.
pub const SERVER_WAIT: Duration = Duration::from_secs(120);
/// The pauses between attempts to reach it, from the first to the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// The code of notes about it.
const NOTE: &str = "lost_connection";

/// Imports `input`; `reopen` gives the same file from its start once more. A server may be out of
/// reach for `patience`; without any the import ends at the first loss.
pub async fn run(
    (input, reopen): (Input, impl AsyncFn() -> Result<Input>),
    endpoint: &Endpoint,
    options: &Options,
    patience: Duration,
    surroundings: &Surroundings,
) -> std::result::Result<Report, Failure> {
    if options.job.is_some() || patience.is_zero() {
        return run_once(input, endpoint, options, surroundings, Attempt::default()).await;
    }
    let started = Instant::now();
    let (file, size) = (input.name.clone(), input.size);
    let mut losses = Losses::new(patience);
    let mut input = Ok(input);
    let mut options = options.clone();
    let outcome = loop {
        let counted_to = losses.whole.as_ref().map(|whole| whole.applied_offset);
        let attempt = Attempt { may_come_again: true, counted_to };
        let outcome = match input {
            Ok(input) => run_once(input, endpoint, &options, surroundings, attempt).await,
            Err(error) => Err(Failure::before(error)),
        };
        match losses.after(outcome, surroundings) {
            After::Ended(outcome) => break outcome,
            After::Pause(pause) => {
                surroundings.progress.set_activity("waiting for the server");
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = surroundings.stop.asked() => {}
                }
            }
        }
        options.resume = Resume::Must(Unsure::Refuse);
        input = reopen().await;
    };
    let mut outcome = losses.tell(outcome);
    let report = report_of(&mut outcome);
    if losses.count > 0 {
        report.took(started.elapsed());
    }
    let may_wait = |failure: &Failure| {
        let is_lost = is_about_connections(failure.error.kind) && failure.report.resumable;
        losses.count > 0 || is_lost
    };
    if outcome.as_ref().is_err_and(may_wait) {
        // What waited for the import to go on is built now, where a server is there.
        let built = resume::build_waiting(endpoint, &file, size).await;
        let report = report_of(&mut outcome);
        let waiting = std::mem::take(&mut report.waiting);
        if let Err(error) = built {
            waiting.iter().for_each(|it| report.note(missing_note(it, NOWHERE, &error)));
        }
    }
    outcome
}

const NOWHERE: Place = Place { offset: 0, line: 0 };

/// What was lost so far.
struct Losses {
    patience: Duration,
    count: u64,
    /// How often in a row nothing was committed before the next.
    at_one_place: u32,
    /// The first failure since something was committed: what to tell when it cannot go on.
    first: Option<Failure>,
    /// The server is out of reach since then, and how long the next pause is.
    waiting: Option<(Instant, Duration)>,
    /// What earlier attempts did.
    whole: Option<Report>,
}

/// What follows an attempt.
enum After {
    /// It is over.
    Ended(std::result::Result<Report, Failure>),
    /// Another attempt after this long.
    Pause(Duration),
}

impl Losses {
    fn new(patience: Duration) -> Losses {
        let (first, waiting, whole) = (None, None, None);
        Losses { patience, count: 0, at_one_place: 0, first, waiting, whole }
    }

    fn after(
        &mut self,
        outcome: std::result::Result<Report, Failure>,
        surroundings: &Surroundings,
    ) -> After {
        let mut failure = match outcome {
            Ok(report) => return After::Ended(Ok(report)),
            Err(failure) => failure,
        };
        if surroundings.stop.is_asked() {
            return After::Ended(Err(failure));
        }
        let is_unreached = failure.report.resumed_from.is_none() && self.count > 0;
        if is_unreached && is_about_connections(failure.error.kind) {
            let (since, pause) = self.waiting.unwrap_or((Instant::now(), PAUSES.0));
            if since.elapsed() > self.patience {
                return After::Ended(Err(failure));
            }
            self.waiting = Some((since, (pause * 2).min(PAUSES.1)));
            return After::Pause(pause);
        }
        if !is_about_connections(failure.error.kind) || !failure.report.resumable {
            return After::Ended(Err(failure));
        }
        let before = self.whole.as_ref().map_or(0, |whole| whole.applied_offset);
        let has_moved = failure.report.applied_offset > before;
        self.at_one_place = if has_moved { 1 } else { self.at_one_place + 1 };
        if self.at_one_place > LOSSES_AT_ONE_PLACE_MAX || self.count >= LOSSES_MAX {
            return After::Ended(Err(failure));
        }
        self.count += 1;
        self.waiting = None;
        let mut report = std::mem::take(&mut *failure.report);
        let place = failure.place.unwrap_or(NOWHERE);
        let text = format!("{}: the import went on by itself", failure.error.message);
        report.note(Note::new(NOTE, place, text));
        report.lost_connections += 1;
        self.add(report);
        if has_moved || self.first.is_none() {
            self.first = Some(failure);
        }
        After::Pause(PAUSES.0)
    }

    fn add(&mut self, report: Report) {
        self.whole = Some(match self.whole.take() {
            Some(whole) => whole.followed_by(report),
            None => report,
        });
    }

    /// The outcome of all attempts together.
    fn tell(
        &mut self,
        outcome: std::result::Result<Report, Failure>,
    ) -> std::result::Result<Report, Failure> {
        let Some(whole) = self.whole.take() else { return outcome };
        let last = match outcome {
            Ok(report) => return Ok(whole.followed_by(report)),
            Err(failure) => failure,
        };
        let Failure { error, excerpt, place, report } = last;
        let is_resumable = report.resumable || whole.resumable;
        let gone_on = report.resumed_from.is_some();
        let mut report = whole.followed_by(*report);
        report.resumable = is_resumable;
        let stopped = matches!(error.kind, ErrorKind::Interrupted);
        let cannot = error.kind == ErrorKind::Resume || !gone_on;
        match self.first.take().filter(|_| cannot && !stopped) {
            Some(first) => Err(Failure {
                error: unable(first.error, &error),
                excerpt: first.excerpt,
                place: first.place,
                report: Box::new(report),
            }),
            None => Err(Failure { error, excerpt, place, report: Box::new(report) }),
        }
    }
}

/// The loss, and why it was not the end of the story in vain.
fn unable(mut lost: Error, why: &Error) -> Error {
    let Error { message, .. } = &lost;
    let at = why.object.line.map(|line| format!(" (line {line})")).unwrap_or_default();
    lost.message = format!("{message}; the import cannot go on by itself: {}{at}", why.message);
    lost
}

fn is_about_connections(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::LostConnection | ErrorKind::Unreachable)
}

fn report_of(outcome: &mut std::result::Result<Report, Failure>) -> &mut Report {
    match outcome {
        Ok(report) => report,
        Err(failure) => &mut failure.report,
    }
}
