//! Gives each step to the connection that has to execute it: shared batches to the lanes, all else
//! to the main connection once the lanes are empty.
//!
//! A step is a barrier unless it is a batch that may be shared. What fails on a lane is executed
//! again on the main connection one statement at a time, and that outcome stands: the lanes are a
//! shortcut, never a judge. Keeps the report; draws nothing.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use dump::reader::Place;
use dump::statement::{Kind, ObjectName};
use dump::token::Target;
use tokio::sync::mpsc;

use super::batch::Batch;
use super::excerpt;
use super::feed::{self, End, RowsPart, Single, Step};
use super::guard::Note;
use super::indexes::Indexes;
use super::indexes::deferral::Deferral;
use super::lane::Way;
use super::lanes::{Collected, Lanes, STALL_CHECK, Setback, Work, interrupted};
use super::load::{self, LoadPlan, Reason};
use super::main_connection::{Failed, MainConnection};
use super::report::{Failure, Report, display_name};
use super::session::SessionState;
use super::table::{self, TableFacts};
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Side};
use crate::mysql::facts::Flavor;
use crate::run::budget::Held;
use crate::run::progress::Progress;
use crate::run::stop::Stop;

mod altering;
pub(super) mod indexing;

/// Loads of a table that come to nothing, one after another, before no more are tried.
const LOAD_FAILURES_MAX: u32 = 8;

/// Connections of lanes that an import may lose and open again.
const LANE_LOSSES_MAX: u64 = 20;
/// How long batches on their way may take once somebody asked to stop.
const FINISH_LIMIT: Duration = Duration::from_secs(30);

/// What the dispatcher is made of.
pub struct Parts {
    /// The file's name, for messages.
    pub file: String,
    /// The target, for opening lanes.
    pub endpoint: Endpoint,
    /// How many lanes to use; 0 executes everything in order on one connection.
    pub lanes: usize,
    /// Which server it is.
    pub flavor: Flavor,
    /// Why no rows go as LOAD DATA, if so.
    pub load_data_off: Option<Reason>,
    /// Indexes of tables that the file makes may be built after their rows.
    pub defer_indexes: bool,
    /// The same, for executable comments.
    pub target: Target,
    /// The main connection.
    pub main: MainConnection,
    /// Where to count.
    pub progress: Arc<Progress>,
    /// Who may ask to stop.
    pub stop: Stop,
    /// Where an import that is resumed goes on, in bytes of the decoded text.
    pub resumed_from: Option<u64>,
    /// What the report should mention from the start.
    pub notes: Vec<Note>,
    /// Indexes that the import that is resumed took out and did not give back.
    pub deferrals: Vec<Deferral>,
    /// The ledger stays after any end.
    pub keeps_ledger: bool,
    /// Whoever runs this goes on by himself when connections are lost: indexes that wait stay out.
    pub may_come_again: bool,
}

/// Why it ended early, before the report is attached.
type Ended = Box<Failed>;

/// What the dispatcher waits for.
enum Next {
    /// `None`: the reader is gone.
    Step(Option<Step>),
    Collected(Collected),
}

struct Dispatcher {
    parts: Parts,
    lanes: Option<Lanes>,
    queue: VecDeque<Work>,
    tables: HashMap<(Option<String>, ObjectName), Option<TableFacts>>,
    /// By table, how many loads in a row came to nothing.
    load_failures: HashMap<ObjectName, u32>,
    /// The default database, as far as USE statements tell; for display.
    database: Option<String>,
    indexes: Indexes,
    /// Some indexes could not be built.
    has_unbuilt: bool,
    report: Report,
}

/// What a shared batch needs.
struct Share {
    session: Arc<SessionState>,
    mark: Option<Arc<[u8]>>,
    load: Result<LoadPlan, Reason>,
    next_auto_increment: Option<u64>,
}

/// Executes all steps. The report counts what is committed, also in a failure.
pub async fn run(mut parts: Parts, steps: &mut mpsc::Receiver<Step>) -> Result<Report, Failure> {
    let database = parts.endpoint.database.clone();
    let load_data_off = parts.load_data_off;
    let resumed_from = parts.resumed_from;
    let mut report =
        Report { lanes: parts.lanes, load_data_off, resumed_from, ..Report::default() };
    std::mem::take(&mut parts.notes).into_iter().for_each(|note| report.note(note));
    let (endpoint, marker) = (parts.endpoint.clone(), parts.main.marker());
    let (enabled, lanes) = (parts.defer_indexes, parts.lanes);
    let mut indexes = Indexes::new(enabled, lanes, endpoint, parts.flavor, marker);
    for deferral in std::mem::take(&mut parts.deferrals) {
        indexes.adopt(deferral, Place { offset: 0, line: 0 });
    }
    let mut dispatcher = Dispatcher {
        parts,
        lanes: None,
        queue: VecDeque::new(),
        tables: HashMap::new(),
        load_failures: HashMap::new(),
        database,
        indexes,
        has_unbuilt: false,
        report,
    };
    let outcome = dispatcher.all(steps).await;
    let outcome = outcome.map_err(|ended| dispatcher.parts.main.blame(ended));
    if let Err(ended) = &outcome {
        if ended.error.kind == ErrorKind::Interrupted {
            // What runs is let finish, within limits.
            let _ = tokio::time::timeout(FINISH_LIMIT, dispatcher.finish_lanes()).await;
        }
        dispatcher.abandon_lanes().await;
    }
    let outcome = dispatcher.end_indexes(outcome).await;
    dispatcher.count_applied();
    dispatcher.report.undone_statements = dispatcher.parts.main.open_statements();
    let Dispatcher { parts, lanes, indexes, mut report, has_unbuilt, .. } = dispatcher;
    indexes.close().await;
    if let Some(lanes) = lanes {
        lanes.close().await;
    }
    let kept = outcome
        .as_ref()
        .is_err_and(|ended| resumed_from.is_some() || is_resumable(ended.error.kind))
        || has_unbuilt
        || parts.keeps_ledger;
    match parts.main.close(kept).await {
        Ok(kept) => report.resumable = kept,
        Err(error) => {
            let text = format!("the ledger on the target was not removed: {error}");
            report.note(Note::new("ledger", Place { offset: 0, line: 0 }, text));
        }
    }
    match outcome {
        Ok(()) => Ok(report),
        Err(ended) => Err(failure(&parts.file, parts.target, *ended, report)),
    }
}

impl Dispatcher {
    async fn all(&mut self, steps: &mut mpsc::Receiver<Step>) -> Result<(), Ended> {
        loop {
            let step = match self.next(steps).await? {
                Next::Step(step) => step,
                Next::Collected(collected) => {
                    self.deal_with(collected).await?;
                    continue;
                }
            };
            match step {
                Some(Step::Batch(batch, held)) => self.batch(batch, held).await?,
                Some(Step::Single(single, held)) => {
                    self.drain().await?;
                    self.by_itself(single).await?;
                    drop(held);
                }
                Some(Step::Rows(part, held)) => {
                    self.drain().await?;
                    self.rows_part(part).await?;
                    drop(held);
                }
                Some(Step::Before(single)) => self.before(single).await?,
                Some(Step::Counted(counted)) => self.count_late(&counted),
                Some(Step::Note(note)) => self.report.note(note),
                Some(Step::Failed(error, place)) => {
                    self.drain().await?;
                    self.send_ahead().await?;
                    let mut ended = self.here(error);
                    ended.place = place;
                    return Err(ended);
                }
                Some(Step::End(end)) => {
                    self.drain().await?;
                    self.send_ahead().await?;
                    self.count_applied();
                    self.end(end);
                    return Ok(());
                }
                None => {
                    let text = "the reading thread ended without a word";
                    return Err(self.here(Error::new(ErrorKind::Internal, Side::Internal, text)));
                }
            }
            self.count_applied();
        }
    }

    /// Waits for the next step, and takes what the lanes report meanwhile: what a batch holds of the
    /// budget is given back only then, and the reader may be waiting for it.
    async fn next(&mut self, steps: &mut mpsc::Receiver<Step>) -> Result<Next, Ended> {
        loop {
            let Some(lanes) = self.lanes.as_mut().filter(|lanes| !lanes.is_empty()) else {
                if self.parts.main.has_ahead() {
                    match steps.try_recv() {
                        Ok(step) => return Ok(Next::Step(Some(step))),
                        // The file may have nothing more to give for a long time.
                        Err(_) => self.send_ahead().await?,
                    }
                }
                return tokio::select! {
                    step = steps.recv() => Ok(Next::Step(step)),
                    () = self.parts.stop.asked() => Err(self.here(interrupted())),
                };
            };
            tokio::select! {
                step = steps.recv() => return Ok(Next::Step(step)),
                collected = lanes.report() => {
                    return collected.map(Next::Collected).map_err(|error| self.here(error));
                }
                () = self.parts.stop.asked() => return Err(self.here(interrupted())),
                () = tokio::time::sleep(STALL_CHECK) => {}
            }
            if let Some(lanes) = self.lanes.as_mut() {
                lanes.check_stall().await;
            }
        }
    }

    /// A statement that is no part of a batch; the lanes are drained.
    async fn by_itself(&mut self, single: Single) -> Result<(), Ended> {
        let carried = self.carrying(&single).await?;
        let trace = self.before_single(&single, carried.as_ref().map(|it| it.id)).await?;
        match carried {
            Some(carried) => self.carry(single, carried).await?,
            None => {
                if let Some(single) = self.put_off(single).await? {
                    self.single(single).await?;
                }
            }
        }
        self.after_single(trace).await
    }

    async fn single(&mut self, single: Single) -> Result<(), Ended> {
        let class = &single.class;
        self.parts.progress.set_activity(activity(class.kind, &single.text));
        let used = class.object.clone().filter(|_| class.kind == Kind::Use);
        self.parts.main.single(single).await?;
        if let Some(used) = used {
            self.database = Some(String::from_utf8_lossy(&used.name).into_owned());
        }
        Ok(())
    }

    async fn send_ahead(&mut self) -> Result<(), Ended> {
        self.parts.main.send_ahead().await.map_err(|error| self.here(error))
    }

    async fn before(&mut self, single: Single) -> Result<(), Ended> {
        let used = single.class.object.clone().filter(|_| single.class.kind == Kind::Use);
        self.parts.main.before(single).await?;
        if let Some(used) = used {
            self.database = Some(String::from_utf8_lossy(&used.name).into_owned());
        }
        Ok(())
    }

    async fn rows_part(&mut self, part: RowsPart) -> Result<(), Ended> {
        if part.first {
            self.before_rows(&part.table).await?;
            self.before_main().await;
        }
        let name = display_name(&part.table, self.database.as_deref());
        self.parts.progress.set_activity(name);
        self.parts.main.rows_part(&part).await
    }

    /// Shares a batch, or executes it in order.
    async fn batch(&mut self, batch: Arc<Batch>, held: Held) -> Result<(), Ended> {
        let name = display_name(&batch.table, self.database.as_deref());
        self.before_rows(&batch.table).await?;
        self.parts.progress.set_activity(name);
        match self.sharing(&batch).await.map_err(|error| self.at_batch(error, &batch))? {
            Ok(share) => {
                self.defer_indexes(&batch, &share.session).await?;
                self.begin_builds(&batch).await;
                let load = self.planned(share.load, &batch);
                let Share { session, next_auto_increment, mark, .. } = share;
                self.queue.push_back(Work {
                    batch,
                    session,
                    load,
                    mark,
                    next_auto_increment,
                    held,
                });
                self.pump().await
            }
            Err(reason) => {
                self.drain().await?;
                self.begin_builds(&batch).await;
                self.before_main().await;
                if let Some(reason) = reason {
                    let database = self.database.clone();
                    let table = self.report.table(&batch.table, database.as_deref());
                    table.in_order_because.get_or_insert(reason);
                }
                self.parts.main.batch(&batch, true).await
            }
        }
    }

    /// Keeps in the report why a batch is not loaded.
    fn planned(&mut self, load: Result<LoadPlan, Reason>, batch: &Batch) -> Option<Arc<LoadPlan>> {
        match load {
            Ok(plan) => Some(Arc::new(plan)),
            Err(reason) => {
                let database = self.database.clone();
                let table = self.report.table(&batch.table, database.as_deref());
                table.insert_because.get_or_insert(reason);
                None
            }
        }
    }

    /// What is needed for sharing a batch, or why it is not shared; no reason if it is just small.
    async fn sharing(
        &mut self,
        batch: &Batch,
    ) -> crate::error::Result<Result<Share, Option<Reason>>> {
        let busy = !self.queue.is_empty() || self.lanes.as_ref().is_some_and(|l| !l.is_empty());
        if !batch.full && !busy {
            return Ok(Err(None));
        }
        if let Some(reason) = self.parts.main.barred(&batch.table) {
            return Ok(Err(Some(reason)));
        }
        if !busy {
            // The AUTO_INCREMENT counter is one of the facts, and it moves with every statement.
            self.tables.clear();
        }
        let session = self.parts.main.session().await?;
        let Some(facts) = self.facts(batch, &session).await? else {
            return Ok(Err(Some("it was not found in the catalogue")));
        };
        let needs_order = table::needs_order(&facts, batch, session.facts());
        let next_auto_increment = facts.next_auto_increment;
        if let Some(reason) = needs_order {
            return Ok(Err(Some(reason)));
        }
        self.parts.main.release_locks().await?;
        let session = match self.parts.flavor {
            Flavor::MariaDb => Arc::new(SessionState::clone(&session).with_unique_checks()),
            Flavor::MySql => session,
        };
        let load = self.load_plan(&facts, batch, &session);
        let mark = self.mark(batch);
        Ok(Ok(Share { session, mark, load, next_auto_increment }))
    }

    /// What moves the ledger's position over a batch.
    fn mark(&mut self, batch: &Batch) -> Option<Arc<[u8]>> {
        let marker = self.parts.main.marker()?;
        let counted = self.parts.main.counted(&batch.table, Some(batch.rows));
        self.parts.main.lanes_move(&counted);
        Some(marker.advance(batch.end(), &counted).into())
    }

    /// How the batch may go as LOAD DATA.
    fn load_plan(
        &self,
        facts: &TableFacts,
        batch: &Batch,
        session: &SessionState,
    ) -> Result<LoadPlan, Reason> {
        if let Some(reason) = self.report.load_data_off {
            return Err(reason);
        }
        let failures = self.load_failures.get(&batch.table).copied().unwrap_or(0);
        if failures >= LOAD_FAILURES_MAX {
            return Err("its loads come to nothing");
        }
        load::plan(&facts.columns, batch, session)
    }

    /// The table's facts, read once as long as the lanes are busy: nothing else runs then.
    async fn facts(
        &mut self,
        batch: &Batch,
        session: &SessionState,
    ) -> crate::error::Result<Option<TableFacts>> {
        let key = (session.database.clone(), batch.table.clone());
        if let Some(known) = self.tables.get(&key) {
            return Ok(known.clone());
        }
        let text = |bytes: &[u8]| match session.speaks_utf8() || bytes.is_ascii() {
            true => String::from_utf8(bytes.to_vec()).ok(),
            false => None,
        };
        let schema = match &batch.table.schema {
            Some(schema) => text(schema),
            None => session.database.clone(),
        };
        let facts = match (schema, text(&batch.table.name)) {
            (Some(schema), Some(table)) => {
                let lanes = self.lanes().await?;
                table::facts(lanes.watcher(), &schema, &table).await?
            }
            _ => None,
        };
        self.tables.insert(key, facts.clone());
        Ok(facts)
    }

    async fn lanes(&mut self) -> crate::error::Result<&mut Lanes> {
        if self.lanes.is_none() {
            let lanes = Lanes::open(
                &self.parts.endpoint,
                self.parts.lanes,
                self.parts.main.marker().as_ref(),
                &self.parts.progress,
            )
            .await?;
            self.report.lanes = lanes.count();
            self.lanes = Some(lanes);
        }
        self.lanes.as_mut().ok_or_else(|| {
            Error::new(ErrorKind::Internal, Side::Internal, "lanes vanished while opening")
        })
    }

    /// Gives queued batches to lanes until none is queued.
    async fn pump(&mut self) -> Result<(), Ended> {
        while let Some(work) = self.queue.pop_front() {
            let batch = Arc::clone(&work.batch);
            let lanes = self.lanes.as_mut();
            match lanes {
                Some(lanes) if lanes.is_ready() => {
                    let given = lanes.give(work).await;
                    given.map_err(|error| self.at_batch(error, &batch))?;
                }
                Some(_) => {
                    self.queue.push_front(work);
                    self.collect().await?;
                }
                // They were closed after one lost its connection.
                None => {
                    self.queue.push_front(work);
                    let opened = self.lanes().await.map(|_lanes| ());
                    opened.map_err(|error| self.at_batch(error, &batch))?;
                }
            }
        }
        Ok(())
    }

    /// Waits until every batch that was given is in.
    async fn drain(&mut self) -> Result<(), Ended> {
        loop {
            self.pump().await?;
            if self.lanes.as_ref().is_none_or(Lanes::is_empty) {
                return Ok(());
            }
            self.collect().await?;
        }
    }

    /// Takes one report from the lanes and deals with it.
    async fn collect(&mut self) -> Result<(), Ended> {
        let Some(lanes) = self.lanes.as_mut() else { return Ok(()) };
        let collected = lanes.collect(&self.parts.stop).await;
        let collected = collected.map_err(|error| self.here(error))?;
        self.deal_with(collected).await
    }

    async fn deal_with(&mut self, collected: Collected) -> Result<(), Ended> {
        match collected {
            Collected::Committed(work, way) => {
                self.committed(&work, way);
                drop(work);
                match self.lanes.as_mut().map(Lanes::setback) {
                    Some(Collected::Setback(setback)) => self.set_back(setback).await,
                    _ => Ok(()),
                }
            }
            Collected::Setback(setback) => self.set_back(setback).await,
            Collected::Nothing => Ok(()),
        }
    }

    /// Takes in what the lanes commit until nothing is on its way, or something fails.
    async fn finish_lanes(&mut self) {
        while let Some(lanes) = self.lanes.as_mut().filter(|lanes| !lanes.is_empty()) {
            match lanes.report().await {
                Ok(Collected::Committed(work, way)) => {
                    let rest = lanes.setback();
                    self.committed(&work, way);
                    if matches!(rest, Collected::Setback(_)) {
                        return;
                    }
                }
                Ok(Collected::Nothing) => {}
                Ok(Collected::Setback(_)) | Err(_) => return,
            }
        }
    }

    /// After an error elsewhere: what is on its way is rolled back, so that nothing follows the
    /// failure.
    async fn abandon_lanes(&mut self) {
        let Some(lanes) = self.lanes.as_mut() else { return };
        for (work, way) in lanes.abandon().await {
            self.committed(&work, way);
        }
    }

    /// Batches were rolled back: the first is settled on the main connection if it failed, the rest
    /// goes to the lanes again.
    async fn set_back(&mut self, mut setback: Setback) -> Result<(), Ended> {
        if let Some(error) = setback.error {
            let Some(first) = setback.work.pop_front() else { return Ok(()) };
            if matches!(error.kind, ErrorKind::LostConnection | ErrorKind::Unreachable) {
                setback.work.push_front(first);
                return self.lane_lost(error, setback.work).await;
            }
            if error.kind == ErrorKind::Superseded {
                return Err(self.at_batch(error, &first.batch));
            }
            let touched = std::iter::once(&first).chain(&setback.work);
            let mut counters: HashMap<ObjectName, u64> = HashMap::new();
            for work in touched {
                let next = work.next_auto_increment;
                if let Some(next) = next {
                    counters.entry(work.batch.table.clone()).or_insert(next);
                }
            }
            for (table, next) in counters {
                let reset = self.parts.main.reset_auto_increment(&table, next).await;
                reset.map_err(|error| self.at_batch(error, &first.batch))?;
            }
            self.report.replayed_batches += 1;
            self.before_main().await;
            self.parts.main.batch(&first.batch, false).await?;
        }
        while let Some(work) = setback.work.pop_back() {
            self.queue.push_front(work);
        }
        Ok(())
    }

    /// A lane lost its connection while it worked on the first of these. Whether that is in is the
    /// ledger's to say, once the server is done with the connection; then all lanes begin anew.
    async fn lane_lost(&mut self, error: Error, mut work: VecDeque<Work>) -> Result<(), Ended> {
        let Some(first) = work.front() else { return Ok(()) };
        let batch = Arc::clone(&first.batch);
        self.report.lost_connections += 1;
        if self.report.lost_connections > LANE_LOSSES_MAX {
            return Err(self.at_batch(error, &batch));
        }
        if let Some(lanes) = self.lanes.take() {
            lanes.close().await;
        }
        let position = self.parts.main.position_without_lanes(self.parts.lanes).await;
        match position {
            Ok(Some(offset)) if offset >= batch.end_offset => {
                if let Some(first) = work.pop_front() {
                    let way = first.load.as_ref().map_or(Way::Inserted(None), |_| Way::Loaded);
                    self.committed(&first, way);
                }
            }
            Ok(Some(_)) => {}
            // Without a ledger nobody knows.
            Ok(None) | Err(_) => return Err(self.at_batch(error, &batch)),
        }
        while let Some(work) = work.pop_back() {
            self.queue.push_front(work);
        }
        Ok(())
    }

    fn committed(&mut self, work: &Work, way: Way) {
        let batch = &work.batch;
        let table = self.report.table(&batch.table, work.session.database.as_deref());
        table.rows += batch.rows;
        table.bytes += batch.bytes();
        table.parallel_batches += 1;
        match way {
            Way::Loaded => {
                table.loaded_batches += 1;
                self.load_failures.remove(&batch.table);
            }
            Way::Inserted(reason) => {
                table.insert_batches += 1;
                if let Some(reason) = reason {
                    table.insert_because.get_or_insert(reason);
                    *self.load_failures.entry(batch.table.clone()).or_default() += 1;
                }
                if reason == Some(load::REFUSED) {
                    self.report.load_data_off = reason;
                }
            }
        }
        self.report.applied(batch.end_offset, batch.len() as u64, batch.rows);
        self.parts.progress.applied(batch.end_offset, batch.len() as u64, batch.rows);
    }

    /// Counts what is in, although nobody heard of its commit.
    fn count_late(&mut self, counted: &feed::Counted) {
        let feed::Counted { table, rows, bytes, end_offset } = counted;
        if let Some(table) = table {
            let entry = self.report.table(table, self.database.as_deref());
            entry.rows += rows;
            entry.bytes += bytes;
        }
        self.report.applied(*end_offset, 1, *rows);
        self.parts.progress.applied(*end_offset, 1, *rows);
    }

    /// Moves what the main connection committed into the report.
    fn count_applied(&mut self) {
        let applied = self.parts.main.take_applied();
        let mut rows = 0;
        for (table, table_rows, bytes) in applied.rows {
            let entry = self.report.table(&table, self.database.as_deref());
            entry.rows += table_rows;
            entry.bytes += bytes;
            rows += table_rows;
        }
        self.report.applied(applied.offset, applied.statements, rows);
        self.parts.progress.applied(applied.offset, applied.statements, rows);
    }

    fn end(&mut self, end: End) {
        if end.open.is_some() {
            let text = "the file ends inside a comment that is never closed";
            self.report.note(Note::new("open_end", end.place, text));
        }
        if self.parts.main.open_statements() > 0 {
            let text = "the file ends inside a transaction that is never committed: it is undone";
            self.report.note(Note::new("open_transaction", end.place, text));
        }
        self.report.applied(end.place.offset, 0, 0);
        self.parts.progress.applied(end.place.offset, 0, 0);
    }

    fn at_batch(&self, error: Error, batch: &Batch) -> Ended {
        let mut ended = self.here(error);
        if let Some(member) = batch.member(0) {
            ended.place = member.place;
        }
        ended.table = Some(batch.table.clone());
        ended
    }

    /// An error without a statement of its own.
    fn here(&self, error: Error) -> Ended {
        Box::new(Failed {
            error,
            place: Place { offset: self.report.applied_offset, line: 0 },
            text: Vec::new(),
            kind: Kind::Other,
            rules: dump::rules::Rules::new(self.parts.target.server),
            table: None,
        })
    }
}

/// Whether the same file may come further another time: not if the file itself is at fault.
fn is_resumable(kind: ErrorKind) -> bool {
    match kind {
        ErrorKind::Statement | ErrorKind::Refused | ErrorKind::Input | ErrorKind::Usage => false,
        ErrorKind::Unreachable
        | ErrorKind::AccessDenied
        | ErrorKind::UnknownDatabase
        | ErrorKind::Tls
        | ErrorKind::LostConnection
        | ErrorKind::TooLarge
        | ErrorKind::DiskFull
        | ErrorKind::Privilege
        | ErrorKind::Deadlock
        | ErrorKind::LockWait
        | ErrorKind::Resume
        | ErrorKind::Superseded
        | ErrorKind::Interrupted
        | ErrorKind::Internal => true,
    }
}

/// Completes an error with its place, its row and an excerpt.
fn failure(file: &str, target: Target, failed: Failed, report: Report) -> Failure {
    let Failed { mut error, place, text, kind, rules, table } = failed;
    let message = error.server.as_ref().map(|server| server.message.clone());
    let line = match message.as_deref().and_then(excerpt::error_line) {
        Some(line) if place.line > 0 => place.line + line.saturating_sub(1),
        _ => place.line,
    };
    if place.line > 0 {
        error = error.at(file, line, place.offset);
    } else {
        error.object.file = Some(file.to_owned());
    }
    if let Some(table) = &table
        && kind == Kind::Insert
    {
        let schema = table.schema.as_ref().map(|s| String::from_utf8_lossy(s).into_owned());
        error = error.in_table(schema.as_deref(), String::from_utf8_lossy(&table.name));
        if error.object.row.is_none()
            && let Some(row) = message.as_deref().and_then(excerpt::error_row)
        {
            error = error.in_row(row);
        }
        if let Some(row) = error.object.row.filter(|_| place.line > 0) {
            error.object.row_at = excerpt::row_place(&text, rules, row, place);
        }
    }
    let excerpt = (!text.is_empty())
        .then(|| excerpt::excerpt(&text, kind, rules, target, message.as_deref()));
    let place = (place.line > 0).then_some(place);
    Failure { error, excerpt, place, report: Box::new(report) }
}

/// The first words of a statement, or what it is about.
fn activity(kind: Kind, text: &[u8]) -> String {
    const CHARS: usize = 60;
    if matches!(kind, Kind::Account | Kind::Insert | Kind::Change | Kind::Execute) {
        let word: Vec<u8> = text.iter().copied().take_while(u8::is_ascii_alphabetic).collect();
        return String::from_utf8_lossy(&word).into_owned();
    }
    let line: String = String::from_utf8_lossy(&text[..text.len().min(CHARS * 4)])
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(CHARS)
        .collect();
    line
}
