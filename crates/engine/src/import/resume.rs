//! How an import begins: with a ledger of its own, or where a dead one ended.
//!
//! Promises: an import is resumed only if file, options and target are what they were, as far as that
//! can be told, and it is said what is not. Without `--resume` a dead import of the same file is
//! forgotten. A target that takes no ledger is imported into without one, and that is said as well.

use dump::reader::Place;

use super::feed::ResumeAt;
use super::fence::{Fence, superseded};
use super::guard::Note;
use super::indexes::builder::{Builder, Setting};
use super::indexes::deferral::{Deferral, Presence};
use super::ledger::doubt::{self, Settled};
use super::ledger::{self, Identity, Ledger, Unfinished, counters, home};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mysql::conn::Conn;
use crate::mysql::facts::Flavor;

/// Whether an import goes on with the work of one that died.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Resume {
    /// It begins at the file's start.
    #[default]
    Never,
    /// It goes on, or fails.
    Must(Unsure),
    /// It goes on, or begins at the file's start where the target tells of no such import. Only for
    /// the import of a job: a target that takes no ledger is refused, because then nothing tells how
    /// far an earlier attempt came.
    IfThere,
}

/// What becomes of a statement of which nobody can tell whether it is in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unsure {
    /// The import is not resumed.
    #[default]
    Refuse,
    /// It is executed (again).
    Again,
    /// The import goes on after it.
    After,
}

/// How an import begins.
#[derive(Default)]
pub struct Beginning {
    /// The ledger, if the target takes one.
    pub ledger: Option<Ledger>,
    /// What it tells of an import that died.
    pub dead: Option<Unfinished>,
    /// Where that one goes on.
    pub at: Option<ResumeAt>,
    /// Indexes that it took out and did not give back.
    pub deferrals: Vec<Deferral>,
    /// What the report should mention.
    pub notes: Vec<Note>,
}

/// Opens the ledger, for a job with the token of its fence. `lanes` is how many connections will sign
/// in it.
pub async fn begin(
    endpoint: &Endpoint,
    identity: &Identity,
    resume: Resume,
    lanes: usize,
    fence: Option<&Fence>,
) -> Result<Beginning> {
    let token = fence.map(|fence| fence.token);
    match resume {
        Resume::Never => {
            // Where nothing can be read, nothing is forgotten.
            let found = ledger::unfinished(endpoint, 0).await.unwrap_or_default();
            let is_later = |import: &Unfinished| {
                import.identity.job() == identity.job() && Some(import.token) > token
            };
            // Of a job: somebody was given it after us, and that one's work is not to be forgotten.
            if token.is_some() && found.iter().any(is_later) {
                return Err(superseded());
            }
            afresh(endpoint, identity, found, (lanes, token)).await
        }
        Resume::IfThere => begin_or_go_on(endpoint, identity, (lanes, token)).await,
        Resume::Must(unsure) => {
            let found = ledger::unfinished(endpoint, ledger::PATIENCE_SECS).await?;
            go_on(endpoint, identity, found, unsure, (lanes, token)).await
        }
    }
}

/// Goes on with the import of a job, or begins it. Who keeps the job has given it to us: if another
/// process still works on it, that one is ended, unless it was given the job after us.
async fn begin_or_go_on(
    endpoint: &Endpoint,
    identity: &Identity,
    (lanes, token): (usize, Option<u64>),
) -> Result<Beginning> {
    let job = identity.job().unwrap_or_default();
    let mut mine = ledger::unfinished_of_job(endpoint, 0, job).await?;
    mine.sort_by_key(|import| import.token);
    if mine.last().is_some_and(|last| Some(last.token) > token) {
        return Err(superseded());
    }
    for import in &mut mine {
        ledger::end_connections(endpoint, import).await?;
        import.is_alive = false;
    }
    // An older one beside it is of somebody who came too late, and has written nothing.
    if let Some(last) = mine.pop() {
        return go_on(endpoint, identity, vec![last], Unsure::Refuse, (lanes, token)).await;
    }
    let beginning = afresh(endpoint, identity, Vec::new(), (lanes, token)).await?;
    match beginning.ledger {
        Some(_) => Ok(beginning),
        None => Err(refused("the target keeps no ledger that tells how far the import is")),
    }
}

/// Takes over the import among `found` that is this one.
async fn go_on(
    endpoint: &Endpoint,
    identity: &Identity,
    found: Vec<Unfinished>,
    unsure: Unsure,
    (lanes, token): (usize, Option<u64>),
) -> Result<Beginning> {
    let dead = pick(found, identity)?;
    let mut ledger = Ledger::take_over(endpoint, &dead, lanes, token).await?;
    let mut conn = home::connect(endpoint).await?;
    let settled = settle(&mut conn, &dead, unsure).await?;
    check_counts(&mut conn, &dead, &settled).await?;
    let deferrals = missing(&mut conn, &mut ledger, (&dead, &settled)).await?;
    counters::restore(&mut conn, &ledger.counters(dead.position.offset).await?).await?;
    conn.close().await;
    let at = Some(ResumeAt { position: dead.position, settled });
    Ok(Beginning { ledger: Some(ledger), dead: Some(dead), at, deferrals, notes: Vec::new() })
}

/// An import that nobody will resume.
#[derive(Debug)]
pub struct GivenUp {
    /// What the ledger told of it.
    pub import: Unfinished,
    /// Tables that got their indexes back now, `schema.table`.
    pub built: Vec<String>,
    /// What could not be built: then the ledger still tells of the import.
    pub failed: Vec<(Deferral, Error)>,
}

/// Ends the imports that died on the server at `endpoint`, but for those of jobs: builds the indexes
/// that they took out, and forgets them. What they brought in stays.
pub async fn give_up(endpoint: &Endpoint) -> Result<Vec<GivenUp>> {
    let found = ledger::unfinished(endpoint, ledger::PATIENCE_SECS).await?;
    let dead =
        found.into_iter().filter(|import| !import.is_alive && import.identity.job().is_none());
    let given_up = give_up_all(endpoint, dead.collect(), None).await?;
    ledger::remove_empty(endpoint).await?;
    Ok(given_up)
}

/// The same for the import of a job that has ended; its connections are ended if there still are any.
pub async fn give_up_job(endpoint: &Endpoint, fence: &Fence) -> Result<Vec<GivenUp>> {
    end_job(endpoint, fence).await?;
    let mut dead = held(endpoint, fence).await?;
    if dead.is_empty() {
        // This waits for a connection that was dropped while it made the ledger: what that sent last
        // may have come in after all.
        ledger::remove_empty(endpoint).await?;
        dead = held(endpoint, fence).await?;
    }
    give_up_all(endpoint, dead, Some(fence.token)).await
}

/// Ends what the server still executes for a job, unless somebody was given it after us.
pub async fn end_job(endpoint: &Endpoint, fence: &Fence) -> Result<()> {
    for import in held(endpoint, fence).await? {
        ledger::end_connections(endpoint, &import).await?;
    }
    Ok(())
}

/// What the ledger tells of a job, but for what later holders of it do.
async fn held(endpoint: &Endpoint, fence: &Fence) -> Result<Vec<Unfinished>> {
    let mut found = ledger::unfinished_of_job(endpoint, 0, &fence.job).await?;
    found.retain(|import| import.token <= fence.token);
    Ok(found)
}

async fn give_up_all(
    endpoint: &Endpoint,
    dead: Vec<Unfinished>,
    token: Option<u64>,
) -> Result<Vec<GivenUp>> {
    let mut given_up = Vec::new();
    for import in dead {
        let (ledger, built, failed) = build_missing(endpoint, &import, token).await?;
        match failed.is_empty() {
            true => ledger.remove().await?,
            false => ledger.leave().await,
        }
        given_up.push(GivenUp { import, built, failed });
    }
    Ok(given_up)
}

/// Builds the indexes that an import of this file took out, which nobody goes on with for now; the
/// ledger still tells of it.
pub async fn build_waiting(endpoint: &Endpoint, file: &str, size: Option<u64>) -> Result<()> {
    let found = ledger::unfinished(endpoint, ledger::PATIENCE_SECS).await?;
    let mine = found.into_iter().rfind(|import| {
        let Identity { file: its_file, size: its_size, options } = &import.identity;
        let database = format!("database={}", endpoint.database.as_deref().unwrap_or_default());
        let is_same = its_file == file && *its_size == size;
        let is_same = is_same && options.lines().any(|line| line == database);
        is_same && !import.is_alive && import.identity.job().is_none()
    });
    if let Some(import) = mine {
        let (ledger, _, failed) = build_missing(endpoint, &import, None).await?;
        ledger.leave().await;
        if let Some((_, error)) = failed.into_iter().next() {
            return Err(error);
        }
    }
    Ok(())
}

/// The ledger, the tables that got their indexes, and what could not be built.
type Built = (Ledger, Vec<String>, Vec<(Deferral, Error)>);

async fn build_missing(
    endpoint: &Endpoint,
    import: &Unfinished,
    token: Option<u64>,
) -> Result<Built> {
    let mut ledger = Ledger::take_over(endpoint, import, 0, token).await?;
    let mut conn = home::connect(endpoint).await?;
    let settled = match &import.doubt {
        Some(doubt) => doubt.settle(&mut conn).await?.unwrap_or_default(),
        None => Settled::default(),
    };
    let missing = missing(&mut conn, &mut ledger, (import, &settled)).await;
    let flavor = match conn.version_text().contains("MariaDB") {
        true => Flavor::MariaDb,
        false => Flavor::MySql,
    };
    conn.close().await;
    let (mut built, mut failed) = (Vec::new(), Vec::new());
    let mut builder = Builder::new(endpoint.clone(), flavor);
    for deferral in missing? {
        let setting = Setting { session: None, wait_seconds: None };
        match builder.give_back(&deferral, &setting, deferral.add.len()).await {
            Ok(()) => built.push(deferral.shown()),
            Err(error) => failed.push((deferral, error)),
        }
    }
    builder.close().await;
    Ok((ledger, built, failed))
}

async fn afresh(
    endpoint: &Endpoint,
    identity: &Identity,
    found: Vec<Unfinished>,
    (lanes, token): (usize, Option<u64>),
) -> Result<Beginning> {
    let mut beginning = Beginning::default();
    let note = |text: String| Note::new("ledger", Place { offset: 0, line: 0 }, text);
    let same = |import: &&Unfinished| {
        !import.is_alive
            && import.identity.file == identity.file
            && import.identity.size == identity.size
            && import.identity.job() == identity.job()
    };
    for import in found.iter().filter(same) {
        ledger::forget(endpoint, import.run).await?;
        let Unfinished { started, position, .. } = import;
        beginning.notes.push(note(format!(
            "the import of this file that began {started} and ended at byte {} is forgotten",
            position.offset
        )));
    }
    match Ledger::create(endpoint, identity, lanes, token.unwrap_or(0)).await {
        Ok(ledger) => beginning.ledger = Some(ledger),
        Err(error) if is_about_the_place(error.kind) => {
            let why = error.without_server_text();
            let text = format!("no ledger on the target, so this import cannot be resumed: {why}");
            beginning.notes.push(note(text));
        }
        Err(error) => return Err(error),
    }
    Ok(beginning)
}

fn is_about_the_place(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Statement | ErrorKind::Privilege | ErrorKind::AccessDenied)
}

/// The import to go on with.
fn pick(found: Vec<Unfinished>, identity: &Identity) -> Result<Unfinished> {
    if found.is_empty() {
        return Err(refused("nothing to resume: the target tells of no unfinished import"));
    }
    let fits = |import: &&Unfinished| match (import.identity.size, identity.size) {
        (Some(then), Some(now)) => then == now,
        _ => import.identity.file == identity.file,
    };
    let mut fitting: Vec<&Unfinished> = found.iter().filter(fits).collect();
    fitting.sort_by_key(|import| (import.identity.file == identity.file, import.run));
    let Some(dead) = fitting.last() else {
        let other = found.last().map(|import| {
            let size = import.identity.size.map(|size| format!(" of {size} bytes"));
            format!("{}{}", import.identity.file, size.unwrap_or_default())
        });
        let now = identity.size.map(|size| format!(" has {size} bytes")).unwrap_or_default();
        return Err(refused(format!(
            "this is not the file whose import is to be resumed: that is {}, {}{now}",
            other.unwrap_or_default(),
            identity.file
        )));
    };
    if dead.is_alive {
        return Err(refused("the import is not dead: another dbferry still works on it"));
    }
    let differs = difference(&dead.identity.options, &identity.options);
    if let Some((then, now)) = differs {
        return Err(refused(format!("the import began with {then}, and now it is {now}")));
    }
    Ok((*dead).clone())
}

/// The first line that is not the same.
fn difference<'a>(then: &'a str, now: &'a str) -> Option<(&'a str, &'a str)> {
    let lines = then.lines().count().max(now.lines().count());
    let padded = |text: &'a str| text.lines().chain(std::iter::repeat(NOTHING)).take(lines);
    padded(then).zip(padded(now)).find(|(then, now)| then != now)
}

async fn settle(conn: &mut Conn, dead: &Unfinished, unsure: Unsure) -> Result<Settled> {
    let Some(doubt) = &dead.doubt else { return Ok(Settled::default()) };
    match (doubt.settle(conn).await?, unsure) {
        (Some(settled), _) => Ok(settled),
        (None, Unsure::Again) => Ok(Settled::default()),
        (None, Unsure::After) => Ok(Settled { skip: true, ..Settled::default() }),
        (None, Unsure::Refuse) => Err(refused(format!(
            "the statement at byte {} was running when the import ended, and nothing tells whether \
             it is in: look, then say --resume=again or --resume=after",
            dead.position.offset
        ))),
    }
}

/// The indexes that tables still wait for.
async fn missing(
    conn: &mut Conn,
    ledger: &mut Ledger,
    (dead, settled): (&Unfinished, &Settled),
) -> Result<Vec<Deferral>> {
    let mut missing = Vec::new();
    let mut in_force = Vec::new();
    for deferral in ledger.deferrals().await? {
        if !has_begun(&deferral, dead.position.offset, settled) {
            ledger.drop_deferral(&deferral).await?;
            continue;
        }
        // A later one of a table stands for those before it.
        let of_it = |d: &Deferral| d.schema == deferral.schema && d.table == deferral.table;
        if let Some(index) = in_force.iter().position(of_it) {
            ledger.drop_deferral(&in_force.remove(index)).await?;
        }
        in_force.push(deferral);
    }
    for deferral in in_force {
        let (schema, table) = (&deferral.schema, &deferral.table);
        let presence = match doubt::definition_text(conn, schema, table).await? {
            Some(text) => deferral.presence(&text),
            None => Presence::Changed,
        };
        match presence {
            Presence::Present => ledger.drop_deferral(&deferral).await?,
            Presence::Missing(_) => missing.push(deferral),
            Presence::Changed => {
                return Err(changed(format!("{} is another table now", deferral.shown())));
            }
        }
    }
    Ok(missing)
}

/// Whether the statement is in that a deferral comes from.
fn has_begun(deferral: &Deferral, position: u64, settled: &Settled) -> bool {
    deferral.since.is_none_or(|since| since < position || (since == position && settled.skip))
}

/// Compares the tables with what the import left in them.
async fn check_counts(conn: &mut Conn, dead: &Unfinished, settled: &Settled) -> Result<()> {
    if !dead.counts_hold {
        return Ok(());
    }
    for counted in &dead.counted {
        let Some(wanted) = counted.rows else { continue };
        let (schema, table) = (&counted.schema, &counted.table);
        let kind = doubt::ObjectKind::Table;
        if !doubt::exists(conn, kind, schema, table).await? {
            return Err(changed(format!("{schema}.{table} is gone")));
        }
        let rows = doubt::rows(conn, schema, table).await?;
        if rows != wanted && rows != wanted + settled.rows {
            return Err(changed(format!(
                "{schema}.{table} has {rows} rows where the import left {wanted}"
            )));
        }
    }
    Ok(())
}

/// Where one has a line more than the other.
const NOTHING: &str = "nothing of the kind";

fn changed(what: String) -> Error {
    refused(format!("the target was changed since the import ended: {what}"))
}

fn refused(text: impl Into<String>) -> Error {
    Error::new(ErrorKind::Resume, Side::Target, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::ledger::Position;

    fn import(file: &str, size: u64, options: &str) -> Unfinished {
        let (file, options) = (file.to_owned(), options.to_owned());
        Unfinished::sample(Identity { file, size: Some(size), options }, Position::default())
    }

    fn check(found: Vec<Unfinished>, expected: std::result::Result<&str, &str>) {
        let identity = Identity { file: "a.sql".into(), size: Some(7), options: "x=1\ny=2".into() };
        match (pick(found, &identity), expected) {
            (Ok(dead), Ok(file)) => assert_eq!(dead.identity.file, file),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (outcome, _) => panic!("{outcome:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn what_a_statement_puts_off_waits_once_it_is_in() {
        let in_doubt = |skip| Settled { skip, ..Settled::default() };
        for (since, position, skip, expected) in [
            (None, 0, false, true),
            (Some(7), 6, false, false),
            (Some(7), 7, false, false),
            (Some(7), 7, true, true),
            (Some(7), 8, false, true),
            (Some(7), 6, true, false),
        ] {
            let deferral = Deferral { since, ..Deferral::default() };
            let begun = has_begun(&deferral, position, &in_doubt(skip));
            assert_eq!(begun, expected, "{since:?} {position} {skip}");
        }
    }

    #[test]
    fn only_the_same_work_is_gone_on_with() {
        check(Vec::new(), Err("nothing to resume"));
        check(vec![import("a.sql", 7, "x=1\ny=2")], Ok("a.sql"));
        check(vec![import("moved.sql", 7, "x=1\ny=2")], Ok("moved.sql"));
        check(vec![import("a.sql", 8, "x=1\ny=2")], Err("8 bytes"));
        check(vec![import("a.sql", 7, "x=1\ny=3")], Err("began with y=3, and now it is y=2"));
        let mut alive = import("a.sql", 7, "x=1\ny=2");
        alive.is_alive = true;
        check(vec![alive], Err("not dead"));
    }
}
