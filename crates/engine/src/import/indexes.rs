//! Indexes after the rows: which tables wait for theirs, and the tasks that build them while other
//! tables load.
//!
//! Promises: only tables that this run's file made give up keys, each at most once, or get those late
//! that the file adds to them; builds begin in file order, several at a time, the keys of all
//! asked-for tables before their foreign keys; what could not be built is kept with its error. When a
//! build may begin and who has to wait for it is the dispatcher's to say (`dispatch/indexing.rs`).
//!
//! A build takes the table's metadata lock, and on its way that of tables tied to it by foreign
//! keys. Nothing of ours may hold such a lock and wait for the build at once: lanes do not work on
//! the table, whoever waits for a build has drained the lanes and given up the file's locks, and
//! while the file's transaction is open no table waits for anything. What lanes hold of other tables
//! can still stand in the way of a lane before them; `Lanes::check_stall` sees that.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use dump::reader::Place;
use dump::statement::ObjectName;

use super::ledger::Marker;
use super::session::SessionState;
use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Side};
use crate::mysql::facts::Flavor;
use crate::run::progress::Progress;
use builder::{Builder, Setting};
use builders::{Builders, Built, Job};
use deferral::{Addition, Deferral, Reason};
use sight::{Created, MENTIONED_MAX, Waiting, may_be};

pub mod builder;
pub mod builders;
pub mod deferral;
pub mod definition;
pub mod gauge;
pub mod promise;
mod rehearsal;
pub mod sight;
#[cfg(test)]
mod tests;

/// Tables of the file that are remembered; later ones keep their indexes.
const CREATED_MAX: usize = 100_000;
/// Tables that wait for their indexes at once; more keep theirs.
const PENDING_MAX: usize = 1_000;
/// How long a build may wait for a table once the import has failed: whoever holds it then may be a
/// session of ours that the server does not know to be gone.
const FAILED_WAIT_SECONDS: u32 = 60;

/// Tables that are built at once; as many as there are lanes, if these are fewer. Each may cost the
/// server a core and memory for sorting.
pub const BUILDERS_MAX: u64 = 4;

/// What the connection signs in the ledger with that plans, and takes keys out.
pub const SURVEY_NAME: &str = "index survey";

/// What a connection that builds signs with.
pub fn build_name(number: u64) -> String {
    format!("index build {number}")
}

/// A table and its indexes on their way.
struct Pending {
    id: u64,
    deferral: Arc<Deferral>,
    /// The file's session when they were taken out.
    session: Option<Arc<SessionState>>,
    place: Place,
    /// Tables that were made since, and are certain to suit the foreign keys that wait.
    promised: Vec<String>,
    /// Steps of `Deferral::add` that are done.
    done: usize,
    /// The builders have it.
    queued: bool,
    seconds: f64,
}

impl Pending {
    /// Foreign keys are not checked. That stays so: a statement that changes it sees all tables.
    fn unchecked(&self) -> bool {
        let session = self.session.as_ref();
        session.is_some_and(|session| !session.facts().foreign_key_checks)
    }

    /// The tables that its foreign keys refer to, and that may not suit them.
    fn open_parents(&self) -> impl Iterator<Item = &String> {
        self.deferral.parents.iter().filter(|parent| !self.promised.contains(parent))
    }
}

/// Indexes that are built.
pub struct Finished {
    /// What was built.
    pub deferral: Arc<Deferral>,
    /// How long that took.
    pub seconds: f64,
}

/// Indexes that could not be built.
pub struct Unbuilt {
    id: u64,
    /// What is missing.
    pub deferral: Arc<Deferral>,
    /// Where the table's rows begin in the file.
    pub place: Place,
    /// Why.
    pub error: Error,
}

/// All that is known of indexes that wait.
pub struct Indexes {
    enabled: bool,
    endpoint: Endpoint,
    flavor: Flavor,
    marker: Option<Marker>,
    created: HashMap<(String, String), Created>,
    /// Tables that the file made, and filled with more than a batch.
    large: HashSet<(String, String)>,
    mentioned: HashSet<Vec<u8>>,
    /// Plans, and takes keys out, while others build.
    surveyor: Builder,
    builders_count: usize,
    builders: Option<Builders>,
    pending: Vec<Pending>,
    next_id: u64,
    has_failed: bool,
    finished: VecDeque<Finished>,
    unbuilt: VecDeque<Unbuilt>,
}

impl Indexes {
    /// Nothing waits. Unless `enabled` nothing ever will. Up to `lanes` tables are built at once, no
    /// more than [`BUILDERS_MAX`]. Connections sign by `marker`.
    pub fn new(
        enabled: bool,
        lanes: usize,
        endpoint: Endpoint,
        flavor: Flavor,
        marker: Option<Marker>,
    ) -> Indexes {
        Indexes {
            enabled,
            surveyor: Builder::new(endpoint.clone(), flavor)
                .signing(marker.clone(), SURVEY_NAME.to_owned()),
            marker,
            endpoint,
            flavor,
            created: HashMap::new(),
            large: HashSet::new(),
            mentioned: HashSet::new(),
            builders_count: lanes.min(BUILDERS_MAX as usize),
            builders: None,
            pending: Vec::new(),
            next_id: 0,
            has_failed: false,
            finished: VecDeque::new(),
            unbuilt: VecDeque::new(),
        }
    }

    /// The file made a table.
    pub fn created(&mut self, name: &ObjectName, database: Option<&str>, created: Created) {
        if self.enabled
            && self.created.len() < CREATED_MAX
            && let Some(key) = full_name(name, database)
        {
            self.created.insert(key, created);
        }
    }

    /// The file made something that runs later and names these tables.
    pub fn mentioned(&mut self, names: Vec<Vec<u8>>) {
        if self.enabled && self.mentioned.len() <= MENTIONED_MAX {
            self.mentioned.extend(names);
        }
    }

    /// The table if it was not decided yet whether its indexes wait; it is decided from now on.
    pub fn candidate(&mut self, name: &ObjectName, database: Option<&str>) -> Option<Candidate> {
        let (schema, table) = full_name(name, database)?;
        let key = (schema.clone(), table.clone());
        let created = self.created.remove(&key)?;
        if !created.if_not_exists {
            self.large.insert(key);
        }
        Some(Candidate { schema, table, created })
    }

    /// Plans what a candidate can do without.
    pub async fn plan(
        &mut self,
        candidate: &Candidate,
        session: &Arc<SessionState>,
    ) -> std::result::Result<Deferral, Reason> {
        let Candidate { schema, table, created } = candidate;
        self.check_room(table)?;
        let is_parent = |p: &Pending| p.open_parents().any(|n| n.eq_ignore_ascii_case(table));
        if self.pending.iter().any(is_parent) {
            return Err("foreign keys that wait refer to it");
        }
        // Foreign keys to a table that is being built could not be let go.
        let building = self.pending.iter().filter(|pending| pending.queued);
        let building: Vec<&str> = building.map(|p| p.deferral.table.as_str()).collect();
        self.surveyor.plan(schema, table, created, session, &building).await
    }

    /// The file changes tables of these names otherwise than by adding keys or modifying columns: they
    /// may be others from now on.
    pub fn changed(&mut self, names: impl FnOnce() -> Vec<Vec<u8>>) {
        if !self.large.is_empty() {
            let names = names();
            self.large.retain(|(_, table)| !names.iter().any(|name| may_be(name, table)));
        }
    }

    /// The full name of a table that the file made and filled, if adding keys to it may wait.
    pub fn to_add(&self, name: &ObjectName, database: Option<&str>) -> Option<(String, String)> {
        full_name(name, database).filter(|key| self.large.contains(key))
    }

    /// Plans what of an ALTER that adds keys to such a table can wait.
    pub async fn plan_addition(
        &mut self,
        (schema, table): (&str, &str),
        clauses: &str,
        session: &Arc<SessionState>,
        since: u64,
    ) -> std::result::Result<Addition, Reason> {
        self.check_room(table)?;
        self.surveyor.plan_addition((schema, table), clauses, session, since).await
    }

    /// A table that waits for keys alone, none of which is being built.
    pub fn to_carry(
        &mut self,
        name: &ObjectName,
        database: Option<&str>,
    ) -> Option<(u64, Arc<Deferral>)> {
        self.take_built();
        let (schema, table) = full_name(name, database)?;
        let mut waiting = self.pending.iter().filter(|pending| {
            let deferral = &pending.deferral;
            let is_it = deferral.schema == schema && deferral.table == table;
            is_it && !pending.queued && pending.done == 0 && deferral.add.len() == 1
        });
        waiting.next().map(|pending| (pending.id, Arc::clone(&pending.deferral)))
    }

    /// Plans what `deferral` becomes by an ALTER that modifies columns of its table.
    pub async fn plan_carrying(
        &mut self,
        deferral: &Deferral,
        clauses: &str,
        session: &Arc<SessionState>,
        since: u64,
    ) -> std::result::Result<Deferral, Reason> {
        self.surveyor.plan_carrying(deferral, clauses, session, since).await
    }

    /// A waiting table was changed so.
    pub fn carried(&mut self, id: u64, deferral: Deferral) {
        if let Some(pending) = self.pending.iter_mut().find(|pending| pending.id == id) {
            pending.deferral = Arc::new(deferral);
        }
    }

    /// Takes planned indexes out of their table. From then on the table waits for them.
    pub async fn take_out(
        &mut self,
        deferral: Deferral,
        session: &Arc<SessionState>,
        place: Place,
    ) -> std::result::Result<(), Reason> {
        self.surveyor.take_out(&deferral, session).await?;
        self.wait_for(deferral, Some(Arc::clone(session)), place);
        Ok(())
    }

    /// Takes over what an earlier run took out and did not give back.
    pub fn adopt(&mut self, deferral: Deferral, place: Place) {
        self.wait_for(deferral, None, place);
    }

    /// A table waits for its indexes from now on; `session` is the file's.
    pub fn wait_for(
        &mut self,
        deferral: Deferral,
        session: Option<Arc<SessionState>>,
        place: Place,
    ) {
        self.next_id += 1;
        let (id, deferral) = (self.next_id, Arc::new(deferral));
        let (promised, done, queued, seconds) = (Vec::new(), 0, false, 0.0);
        let pending = Pending { id, deferral, session, place, promised, done, queued, seconds };
        self.pending.push(pending);
    }

    /// No table waits, and none came to nothing.
    pub fn is_empty(&self) -> bool {
        self.pending.is_empty() && self.unbuilt.is_empty()
    }

    /// A table is about to be made: notes it where the foreign keys that wait are certain to suit.
    pub fn promise(&mut self, name: &ObjectName, database: Option<&str>, text: &[u8]) {
        let (Some((schema, table)), Ok(text)) =
            (full_name(name, database), std::str::from_utf8(text))
        else {
            return;
        };
        for pending in &mut self.pending {
            let deferral = &pending.deferral;
            let refers = deferral.schema == schema && deferral.parents.contains(&table);
            if refers && pending.unchecked() && promise::keeps(&deferral.definition, text) {
                pending.promised.push(table.clone());
            }
        }
    }

    /// The ids of tables that wait or waited in vain, and what could be missed of them.
    pub fn waiting(&mut self) -> (Vec<u64>, Vec<Waiting<'_>>) {
        self.take_built();
        let waiting = self.pending.iter().map(|pending| {
            let waiting = Waiting {
                promised: pending.promised.iter().map(String::as_str).collect(),
                unchecked: pending.unchecked(),
                has_keys: pending.done > 0,
                ..Waiting::of(&pending.deferral)
            };
            (pending.id, waiting)
        });
        let in_vain = self.unbuilt.iter().map(|u| (u.id, Waiting::of(&u.deferral)));
        waiting.chain(in_vain).unzip()
    }

    /// The tables of this name that are being built, or will be without further asking.
    pub fn building(&mut self, name: &[u8]) -> Vec<u64> {
        self.take_built();
        let is_it = |p: &&Pending| p.queued && may_be(name, &p.deferral.table);
        self.pending.iter().filter(is_it).map(|pending| pending.id).collect()
    }

    /// Lets the keys of waiting tables be built, unless `is_busy` says that work on one goes on.
    pub fn queue(&mut self, is_busy: impl Fn(&str) -> bool) {
        self.take_built();
        for index in 0..self.pending.len() {
            let pending = &self.pending[index];
            if pending.done == 0 && !pending.queued && !is_busy(&pending.deferral.table) {
                self.give(index, 1);
            }
        }
    }

    /// From now on builds do not wait long for a table.
    pub fn import_failed(&mut self) {
        self.has_failed = true;
    }

    /// Builds everything that these tables wait for. Nothing may work on them.
    pub async fn settle(&mut self, ids: &[u64], progress: &Progress) {
        for step in 0..2 {
            for index in 0..self.pending.len() {
                let pending = &self.pending[index];
                let wants = pending.done == step && pending.deferral.add.len() > step;
                if ids.contains(&pending.id) && wants && !pending.queued {
                    self.give(index, step + 1);
                }
            }
            self.wait(ids, progress).await;
        }
    }

    /// Waits until none of these tables is being built.
    pub async fn wait(&mut self, ids: &[u64], progress: &Progress) {
        loop {
            self.take_built();
            let mut queued = self.pending.iter().filter(|p| p.queued && ids.contains(&p.id));
            let Some(first) = queued.next() else { return };
            let shown = match queued.count() {
                0 => format!("building indexes of {}", first.deferral.shown()),
                more => format!("building indexes of {} and {more} more", first.deferral.shown()),
            };
            progress.set_activity(shown.as_str());
            let built = match self.builders.as_mut() {
                Some(builders) => builders.built(&shown, progress).await,
                None => None,
            };
            match built {
                Some(built) => self.settle_built(built),
                None => self.builders_gone(),
            }
        }
    }

    /// Indexes that were built since this was last asked.
    pub fn take_finished(&mut self) -> VecDeque<Finished> {
        self.take_built();
        std::mem::take(&mut self.finished)
    }

    /// The first of these tables whose indexes could not be built, or all such; each once.
    pub fn take_unbuilt(&mut self, of: Option<&[u64]>) -> VecDeque<Unbuilt> {
        let Some(ids) = of else { return std::mem::take(&mut self.unbuilt) };
        let first = self.unbuilt.iter().position(|unbuilt| ids.contains(&unbuilt.id));
        first.and_then(|index| self.unbuilt.remove(index)).into_iter().collect()
    }

    /// What was taken out and is not back, as far as this process knows.
    pub fn left_out(&self) -> Vec<Deferral> {
        let pending = self.pending.iter().map(|pending| Deferral::clone(&pending.deferral));
        pending
            .chain(self.unbuilt.iter().map(|unbuilt| Deferral::clone(&unbuilt.deferral)))
            .collect()
    }

    /// Ends all sessions.
    pub async fn close(self) {
        self.surveyor.close().await;
        if let Some(builders) = self.builders {
            builders.close().await;
        }
    }

    /// Whether one more table may wait.
    fn check_room(&self, table: &str) -> std::result::Result<(), Reason> {
        let is_named = self.mentioned.contains(&table.as_bytes().to_ascii_lowercase());
        if is_named || self.mentioned.len() > MENTIONED_MAX {
            return Err("a trigger, routine or view of the file names it");
        }
        if self.pending.len() >= PENDING_MAX {
            return Err("too many tables wait for theirs");
        }
        Ok(())
    }

    fn give(&mut self, index: usize, steps: usize) {
        let builders = self.builders.get_or_insert_with(|| {
            let marker = self.marker.as_ref();
            Builders::start(self.builders_count, &self.endpoint, self.flavor, marker)
        });
        let pending = &mut self.pending[index];
        let setting = Setting {
            session: pending.session.clone(),
            wait_seconds: self.has_failed.then_some(FAILED_WAIT_SECONDS),
        };
        let deferral = Arc::clone(&pending.deferral);
        builders.give(Job { id: pending.id, deferral, setting, steps });
        pending.queued = true;
    }

    /// Takes in what was built meanwhile.
    fn take_built(&mut self) {
        while let Some(built) = self.builders.as_mut().and_then(Builders::try_built) {
            self.settle_built(built);
        }
    }

    fn settle_built(&mut self, built: Built) {
        let Some(index) = self.pending.iter().position(|p| p.id == built.id) else { return };
        let pending = &mut self.pending[index];
        pending.queued = false;
        pending.seconds += built.seconds;
        match built.outcome {
            Ok(()) => {
                pending.done += 1;
                if pending.done == pending.deferral.add.len() {
                    let Pending { deferral, seconds, .. } = self.pending.remove(index);
                    self.finished.push_back(Finished { deferral, seconds });
                }
            }
            Err(error) => {
                let Pending { deferral, place, .. } = self.pending.remove(index);
                let error = build_error(error, &deferral);
                self.unbuilt.push_back(Unbuilt { id: built.id, deferral, place, error });
            }
        }
    }

    fn builders_gone(&mut self) {
        let queued: Vec<u64> = self.pending.iter().filter(|p| p.queued).map(|p| p.id).collect();
        for id in queued {
            let text = "those who build ended without a word";
            let outcome = Err(Error::new(ErrorKind::Internal, Side::Internal, text));
            self.settle_built(Built { id, seconds: 0.0, outcome });
        }
    }
}

/// A table of the file whose indexes may wait.
pub struct Candidate {
    schema: String,
    table: String,
    created: Created,
}

/// Names in a statement as the catalogue has them, if they are plain to see.
fn full_name(name: &ObjectName, database: Option<&str>) -> Option<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
    let schema = match &name.schema {
        Some(schema) => text(schema)?,
        None => database?.to_owned(),
    };
    Some((schema, text(&name.name)?))
}

/// Says which indexes of which table.
fn build_error(mut error: Error, deferral: &Deferral) -> Error {
    let what = format!("build the indexes {}", deferral.names.join(", "));
    if error.kind == ErrorKind::Interrupted {
        // Somebody stopped the statement, not the import.
        error.kind = ErrorKind::Statement;
    }
    error.message = match error.server {
        Some(_) => what,
        None => format!("{what}: {}", error.message),
    };
    error.in_table(Some(&deferral.schema), deferral.table.as_str())
}
