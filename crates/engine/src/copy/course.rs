//! The order of a copy, whatever the family of its servers: a [`Course`] says what each step is.
//!
//! Look at both sides, repair what died, stage what the rows go into, bring and compare them
//! ([`super::load`]), finish, publish, tidy. Promises: until [`Course::publish`] the work can be stopped at
//! any moment; after an error all connections are ended, and nothing is left on the target but what another
//! copy goes on with, or what the report names. A job's copy is done once: an attempt that finds that an
//! earlier one is shown has nothing to do. What tells that stays on the target until the job's end is known
//! ([`super::Options::past`]).

use std::time::Instant;

use super::carrier::Carrier;
use super::load::{self, Load};
use super::past::{Past, Repaired, Shown, Wait};
use super::report::{Failure, Report};
use super::scope::Scope;
use super::throttle::{self, Watcher};
use super::{Options, staging};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::run::failpoint;
use crate::run::stop::Stop;

/// What a copy says it does while the target's databases change places. Then it is not to be dropped.
pub const PUBLISHING: &str = "publishing";

/// What the steps of a copy are to one family of servers.
pub trait Course: Sync {
    /// How its rows go.
    type Carrier: Carrier;
    /// Asks its servers how they are.
    type Watcher: Watcher;
    /// What is known of both sides before anything is made.
    type Known: Send + Sync;
    /// What lives while the rows come: the snapshot beside its readers, plans, the target's main connection.
    type Stage: Send;
    /// A copy that only has to be shown.
    type Prepared: Send;

    /// What the copy is of and with.
    fn scope(&self) -> &Scope<'_>;

    /// Asks both sides what they are and hold, and refuses what cannot go well. Makes nothing.
    fn look(&self, report: &mut Report) -> impl Future<Output = Result<Self::Known>> + Send;

    /// Undoes what copies of these tags were publishing when they died, and gives what one of them shows: the
    /// target is then as it was before, or as it is to be. Those that live after `wait` are an error.
    fn settle(
        &self,
        is_one: &(dyn Fn(&str) -> bool + Sync),
        wait: Wait,
    ) -> impl Future<Output = Result<Option<Shown>>> + Send;

    /// Tidies up after copies that died, as far as this one does not go on with them.
    fn repair_past(&self) -> impl Future<Output = Result<Vec<Repaired>>> + Send;

    /// Who asks the servers how they are; only called if the limits want it. Refuses limits that the family
    /// does not know.
    fn watcher(&self) -> impl Future<Output = Result<Self::Watcher>> + Send;

    /// Everything before the rows: the snapshot, the tables in staging databases, the journal. Takes over what
    /// a dead copy left, and sets [`Report::resumable`] once another could take this one over.
    fn stage(
        &self,
        known: &Self::Known,
        report: &mut Report,
    ) -> impl Future<Output = Result<(Load<Self::Carrier>, Self::Stage)>> + Send;

    /// Everything after the rows and their keys, which are compared by now: what refers to other tables, and
    /// whether the source's definitions are what they were. Ends the snapshot.
    fn finish(
        &self,
        known: &Self::Known,
        stage: Self::Stage,
        report: &mut Report,
    ) -> impl Future<Output = Result<Self::Prepared>> + Send;

    /// Lets the target show the copy, and says [`PUBLISHING`] before it begins to; the journal keeps what has
    /// been done until then. Not stopped half-way; where it fails, [`Course::settle`] goes back.
    fn publish(
        &self,
        known: &Self::Known,
        prepared: Self::Prepared,
        report: &Report,
    ) -> impl Future<Output = Result<()>> + Send;

    /// Removes what this copy has made for its own use, and goes back where it was publishing; that a job's
    /// copy is shown stays written. Waits for its connections to be gone.
    fn tidy(&self) -> impl Future<Output = Result<()>> + Send;

    /// Says what would be copied, as far as asking tells.
    fn preview(&self, report: &mut Report) -> impl Future<Output = Result<()>> + Send;

    /// Compares what both sides have, see [`super::comparison`]. Writes nothing.
    fn compare(&self, report: &mut Report) -> impl Future<Output = Result<()>> + Send;
}

/// Copies.
pub async fn run<C: Course>(course: &C) -> std::result::Result<Report, Failure> {
    let (scope, began) = (course.scope(), Instant::now());
    let stop = &scope.surroundings.stop;
    let mut report = scope.report();
    let outcome = match or_stopped(stop, before(course)).await {
        Ok(Some(done)) => return Ok(done),
        Ok(None) => all(course, &mut report, began).await,
        Err(error) => Err(error),
    };
    scope.surroundings.progress.set_pause(None);
    measure(scope, began, &mut report);
    ended(outcome, report)
}

/// What an earlier attempt of the same job did, if the target shows it; nothing for what is no job. If not, it
/// shows again what it showed before the job: only then the target can be looked at.
pub async fn before<C: Course>(course: &C) -> Result<Option<Report>> {
    let Options { past, databases, .. } = course.scope().options;
    if !matches!(past, Past::ResumeOf(_)) {
        return Ok(None);
    }
    // Of the attempts of one job only the last has the right to write.
    let shown = course.settle(&|tag| past.concerns(tag), Wait::Ended).await?;
    Ok(shown.filter(|shown| shown.databases == *databases).map(|shown| shown.report))
}

fn measure(scope: &Scope<'_>, began: Instant, report: &mut Report) {
    report.throttle = (!scope.options.throttle.is_none()).then(|| scope.throttle.report());
    report.seconds = began.elapsed().as_secs_f64();
}

/// Only says what would be copied.
pub async fn preview<C: Course>(course: &C) -> std::result::Result<Report, Failure> {
    let mut report = course.scope().report();
    let stop = &course.scope().surroundings.stop;
    let outcome = or_stopped(stop, course.preview(&mut report)).await;
    ended(outcome, report)
}

/// The report, as it is given back.
pub fn ended(outcome: Result<()>, report: Report) -> std::result::Result<Report, Failure> {
    match outcome {
        Ok(()) => Ok(report),
        Err(error) => Err(Failure { error, report: Box::new(report) }),
    }
}

async fn all<C: Course>(course: &C, report: &mut Report, began: Instant) -> Result<()> {
    let scope = course.scope();
    let stop = &scope.surroundings.stop;
    let known = or_stopped(stop, course.look(report)).await?;
    for repaired in or_stopped(stop, course.repair_past()).await? {
        report.notes.push(format!("an earlier copy had died: {}", repaired.what));
    }
    let prepared = or_stopped(stop, prepare(course, &known, report)).await;
    let outcome = match prepared {
        Ok(prepared) => {
            report.resumable = false;
            measure(scope, began, report);
            show(course, &known, prepared, report).await
        }
        Err(error) => {
            report.resumable &= scope.options.past.is_kept() && is_break(&error);
            Err(error)
        }
    };
    if outcome.is_err() {
        // What still runs on either side is of no more use, and may hold what is to be removed.
        scope.connections.end().await;
    }
    report.published = outcome.is_ok();
    if report.resumable {
        return outcome;
    }
    if let Err(error) = course.tidy().await {
        report.left_behind.push(staging::journal_of(&scope.options.tag));
        let why = error.without_server_text();
        report.notes.push(format!("not tidied up ({why}): run dbferry repair"));
    }
    outcome
}

/// Publishes. Where that fails, its last answer may have been lost, and not its work.
async fn show<C: Course>(
    course: &C,
    known: &C::Known,
    prepared: C::Prepared,
    report: &Report,
) -> Result<()> {
    let Err(error) = course.publish(known, prepared, report).await else { return Ok(()) };
    let scope = course.scope();
    scope.connections.end().await;
    match course.settle(&|tag| tag == scope.options.tag, Wait::ForDead).await {
        Ok(Some(_shown)) => Ok(()),
        // What is not settled now is when it is tidied up, here or by who has taken over.
        Ok(None) | Err(_) => Err(error),
    }
}

/// Everything up to a verified copy in the staging databases.
async fn prepare<C: Course>(
    course: &C,
    known: &C::Known,
    report: &mut Report,
) -> Result<C::Prepared> {
    let scope = course.scope();
    let limits = &scope.options.throttle;
    // Ends with this function: the target changes only when nothing waits any more.
    let _watching = throttle::watch(&scope.throttle, limits, course.watcher()).await?;
    scope.throttle.clear().await?;
    let (load, stage) = course.stage(known, report).await?;
    let (jobs, rows) = load::bring(scope, load, report).await?;
    failpoint::pass("rows copied");
    load::compare(scope, &jobs, rows, report).await?;
    let prepared = course.finish(known, stage, report).await?;
    scope.throttle.clear().await?;
    Ok(prepared)
}

/// Whether a copy that ended so may be gone on with: nothing was wrong with what it had done.
fn is_break(error: &Error) -> bool {
    use ErrorKind::{DiskFull, Interrupted, LostConnection, Unreachable};
    matches!(error.kind, Interrupted | LostConnection | Unreachable | DiskFull)
}

/// What the work gives, or an error as soon as somebody asks to stop.
pub async fn or_stopped<T>(stop: &Stop, work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::select! {
        outcome = work => outcome,
        () = stop.asked() => Err(interrupted()),
    }
}

/// The error of a copy that was stopped.
pub fn interrupted() -> Error {
    Error::new(ErrorKind::Interrupted, Side::Internal, "copy interrupted")
}
