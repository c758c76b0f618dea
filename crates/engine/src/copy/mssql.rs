//! Copying between two SQL Servers: what the steps of a [`Course`] are to them.
//!
//! What is the family's own: databases go under new names, so texts are rewritten ([`crate::mssql::script`]);
//! a staging database is renamed to its place as a whole; objects that need the final names are made there.
//! Promises: what the target shows changes only in the last step; whatever fails, it is again what it was.

use std::collections::BTreeSet;

use super::course::{Course, PUBLISHING};
use super::finding::Finding;
use super::load::Load;
use super::past::{Head, Repaired, Shown, Wait};
use super::report::{Report, TableReport};
use super::scope::Scope;
use super::staging::Staging;
use super::{lane, request};
use crate::endpoint::Family;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::catalog::schema::Database;
use crate::mssql::name::literal;
use crate::mssql::script::digest::Form;
use crate::mssql::script::likeness::{Names, Part};
use crate::mssql::script::rename::Renames;
use crate::mssql::script::{self, Script};
use crate::mssql::session::Session;
use crate::run::failpoint;
use carrier::SqlServer;
use definitions::Wanted;
use facts::ServerFacts;
use job::Job;
use journal::Journal;
use publish::Place;
use resume::Inheritance;
use session::Conn;
use snapshot::Snapshot;
use watcher::Watcher;

pub mod answer;
pub mod carrier;
pub mod catalog;
pub mod comparing;
pub mod comparison;
pub mod database;
pub mod definitions;
pub mod facts;
pub mod job;
pub mod journal;
pub mod loading;
pub mod places;
pub mod precheck;
pub mod publish;
pub mod reading;
pub mod record;
pub mod resume;
pub mod session;
pub mod snapshot;
pub mod staging;
pub mod trial;
pub mod walk;
pub mod watcher;

/// What is said where nothing can be read of modules behind the exchange.
const NOT_COMPARED: &str = "what names databases of the copy is compared in the trial only: the target forgets texts when \
                            databases get other names";

/// A copy between two SQL Servers.
#[derive(Debug)]
pub struct SqlServerCourse<'a> {
    scope: Scope<'a>,
}

/// What is known of both sides before anything is made.
#[derive(Debug)]
pub struct Known {
    source: ServerFacts,
    target: ServerFacts,
    /// Tells the source's databases from others.
    identity: String,
    /// What the source has.
    databases: Vec<Database>,
}

/// What lives while the rows come.
#[derive(Debug)]
pub struct Stage {
    /// Reads the source's catalog.
    there: Conn,
    /// Holds the copy's lock on the target.
    main: Conn,
    snapshot: Snapshot,
    made: Made,
}

/// What the target is to have.
#[derive(Debug)]
pub struct Made {
    /// What the source has, with the counters of the copied moment or later.
    databases: Vec<Database>,
    /// The statements for it.
    scripts: Vec<Script>,
    /// Expressions that the target tells in words of its own.
    reworded: Vec<BTreeSet<Part>>,
}

/// A copy that only has to be shown.
#[derive(Debug)]
pub struct Prepared {
    main: Conn,
    made: Made,
}

impl Course for SqlServerCourse<'_> {
    type Carrier = SqlServer;
    type Watcher = Watcher;
    type Known = Known;
    type Stage = Stage;
    type Prepared = Prepared;

    fn scope(&self) -> &Scope<'_> {
        &self.scope
    }

    async fn look(&self, report: &mut Report) -> Result<Known> {
        let options = self.scope.options;
        precheck::limits(&options.throttle)?;
        let at_source = |error: Error| error.on(Side::Source);
        let mut there = session::catalogue(self.scope.source).await?;
        let mut here = session::writer(self.scope.target, "copy").await?;
        let source = facts::gather(&mut there.session).await.map_err(at_source)?;
        let target = facts::gather(&mut here.session).await?;
        let same_server = self.is_same_server(&mut there.session, &mut here.session).await?;
        let pairs = &options.databases;
        request::check(Family::SqlServer, pairs, same_server, !target.tells_case())?;
        precheck::may_create(&target)?;
        let mut databases = Vec::new();
        for (from, _) in pairs {
            precheck::source(&mut there.session, from).await?;
            let database = catalog::read(&mut there.session, &source, from).await;
            let mut database = database.map_err(at_source)?;
            precheck::masks(&mut there.session, &database).await?;
            catalog::estimate(&mut there.session, &mut database).await.map_err(at_source)?;
            databases.push(database);
        }
        for (_, to) in pairs {
            let note = precheck::target(&mut here.session, to, options.replace).await?;
            report.notes.extend(note);
        }
        let identity = self.identity(&mut there.session, &source).await.map_err(at_source)?;
        there.close().await;
        here.close().await;
        self.judge(&databases, report)?;
        Ok(Known { source, target, identity, databases })
    }

    async fn settle(
        &self,
        is_one: &(dyn Fn(&str) -> bool + Sync),
        wait: Wait,
    ) -> Result<Option<Shown>> {
        journal::settle(self.scope.target, is_one, wait).await
    }

    async fn repair_past(&self) -> Result<Vec<Repaired>> {
        journal::repair_past(self.scope.target, &self.scope.options.past).await
    }

    async fn watcher(&self) -> Result<Watcher> {
        let Scope { source, options, connections, .. } = &self.scope;
        Ok(Watcher::begin(source, &options.throttle, connections))
    }

    async fn stage(&self, known: &Known, report: &mut Report) -> Result<(Load<SqlServer>, Stage)> {
        let Scope { source, target, options, connections, .. } = &self.scope;
        let mut there = session::catalogue(source).await?;
        connections.watch(there.kill());
        let mut snapshot = self.snapshot(known, report).await?;
        let databases = self.check_changes(&mut there.session, known).await?;
        let (staging, names) = (self.staging(), Renames::new(options.databases.iter().cloned()));
        let each = databases.iter().enumerate();
        let scripts: Vec<Script> =
            each.map(|(index, one)| script::script(one, staging.of(index), &names)).collect();

        let mut main = session::writer(target, "copy").await?;
        connections.watch(main.kill());
        main.wait_for_locks(session::LOCK_WAIT_SECONDS).await?;
        let journal = Journal::new(&options.tag);
        journal.sign(&mut main.session).await?;
        journal.open(&mut main.session).await?;
        let head = Head::new(&known.identity, &options.databases);
        answer::enter(&mut main.session, session::HOME).await?;
        let reworded = self.try_all(&mut main, known, &databases, report).await?;
        let planned: Vec<(&Database, &Script)> = databases.iter().zip(&scripts).collect();
        let mut kept = self.inherit(&mut main, known, (&head, &planned), report).await?;
        self.make_all(&mut main, known, &planned, &mut kept, report).await?;
        journal.describe(&mut main.session, &record::entries(&planned, &head)).await?;
        report.resumable = true;
        kept.release(target).await?;
        let readers = std::mem::take(&mut snapshot.readers);
        let form = there.digest_with(&main);
        let load = self.load(&databases, (&snapshot.names, form), &kept, readers);
        let made = Made { databases, scripts, reworded };
        Ok((load, Stage { there, main, snapshot, made }))
    }

    async fn finish(&self, known: &Known, stage: Stage, report: &mut Report) -> Result<Prepared> {
        let Stage { mut there, mut main, snapshot, made } = stage;
        self.scope.surroundings.progress.set_activity("making constraints and programs");
        let (session, staging) = (&mut main.session, self.staging());
        for (index, (database, script)) in made.databases.iter().zip(&made.scripts).enumerate() {
            let name = staging.of(index);
            answer::enter(session, name).await?;
            staging::finish(session, database, script).await?;
            let notes = staging::last_options(session, &known.target, name, script).await?;
            report.notes.extend(notes.into_iter().map(|note| about(database, &note)));
            answer::enter(session, session::HOME).await?;
        }
        if !known.target.tells_renamed && made.scripts.iter().any(is_late) {
            report.notes.push(NOT_COMPARED.to_owned());
        }
        let names: Vec<&str> = (0..made.databases.len()).map(|index| staging.of(index)).collect();
        let unlike = self.unlike(session, known, &made, (&names, false)).await?;
        report.findings.extend(unlike.iter().cloned());
        definitions::judge(&unlike)?;
        self.check_changes(&mut there.session, known).await?;
        there.close().await;
        report.snapshot = Some(snapshot.report());
        report.notes.extend(snapshot.close().await);
        Ok(Prepared { main, made })
    }

    async fn publish(&self, known: &Known, prepared: Prepared, report: &Report) -> Result<()> {
        let Prepared { mut main, made } = prepared;
        let (session, staging) = (&mut main.session, self.staging());
        self.scope.surroundings.progress.set_activity(PUBLISHING);
        let mut places: Vec<Place> = Vec::new();
        for (index, (_, to)) in self.scope.options.databases.iter().enumerate() {
            // Looked at again: a copy takes long, and what was made meanwhile is not to be lost by chance.
            precheck::target(session, to, self.scope.options.replace).await?;
            answer::enter(session, session::HOME).await?;
            let names = (staging.of(index), staging.trash_of(index));
            places.push(publish::place(session, to, names).await?);
        }
        let journal = Journal::new(&self.scope.options.tag);
        journal.publishing(session, &places).await?;
        failpoint::pass("before exchange");
        // Where this fails, the journal goes back.
        publish::forth((session, self.scope.target), &places, &made.scripts).await?;
        failpoint::pass("programs made");
        if known.target.tells_renamed {
            let names: Vec<&str> = places.iter().map(|place| place.target.as_str()).collect();
            definitions::judge(&self.unlike(session, known, &made, (&names, true)).await?)?;
        }
        journal.shown(session, Shown::new(&self.scope.options.databases, report)).await?;
        failpoint::pass("copy settled");
        main.close().await;
        Ok(())
    }

    async fn tidy(&self) -> Result<()> {
        let Scope { target, options, .. } = &self.scope;
        let tidied = journal::tidy(target, &options.tag, &options.past).await;
        // A source that cannot be reached is swept by the next copy.
        let _ = snapshot::sweep(self.scope.source).await;
        tidied
    }

    async fn preview(&self, report: &mut Report) -> Result<()> {
        let known = self.look(report).await?;
        for (database, (from, to)) in known.databases.iter().zip(&self.scope.options.databases) {
            report.objects += objects(database);
            for table in &database.tables {
                let name = record::full(table);
                let is_cut = script::chunk::key(table).is_some();
                let parts = table.bytes_estimated.div_ceil(self.scope.options.chunk_bytes).max(1);
                let entry = TableReport {
                    target: format!("{to}.{name}"),
                    rows: table.rows_estimated,
                    bytes: table.bytes_estimated,
                    chunks: if is_cut { parts as usize } else { 1 },
                    ..TableReport::default()
                };
                report.tables.insert(format!("{from}.{name}"), entry);
            }
        }
        Ok(())
    }

    async fn compare(&self, report: &mut Report) -> Result<()> {
        comparison::compare(&self.scope, report).await
    }
}

impl<'a> SqlServerCourse<'a> {
    /// A copy that has not begun.
    pub fn new(scope: Scope<'a>) -> SqlServerCourse<'a> {
        SqlServerCourse { scope }
    }

    fn staging(&self) -> Staging {
        Staging::new(&self.scope.options.tag, &self.scope.options.databases)
    }

    /// Names what is not carried, and refuses to go on without it unless that is wanted.
    fn judge(&self, databases: &[Database], report: &mut Report) -> Result<()> {
        for database in databases {
            let (findings, told) = precheck::findings(database);
            report.findings.extend(findings);
            report.notes.extend(told);
        }
        let names = Renames::new(self.scope.options.databases.iter().cloned());
        for (database, (_, to)) in databases.iter().zip(&self.scope.options.databases) {
            for found in script::script(database, to, &names).findings {
                let (what, object) = (found.what, found.object);
                report.notes.push(format!("{}: {what}: {object} {}", database.name, found.why));
            }
        }
        precheck::judge(&report.findings, self.scope.options.skip_unsupported)
    }

    /// Whether both sides are one server: then a lock that one of them has is held on the other.
    async fn is_same_server(&self, there: &mut Session, here: &mut Session) -> Result<bool> {
        let name = format!("dbferry_look_{}", self.scope.options.tag);
        if !journal::lock(here, &name, 0).await? {
            let text = format!("another copy calls itself {}", self.scope.options.tag);
            return Err(Error::new(ErrorKind::Refused, Side::Target, text));
        }
        journal::is_locked(there, &name).await.map_err(|error| error.on(Side::Source))
    }

    /// What tells the databases of the source from those of other servers, and from later ones.
    async fn identity(&self, session: &mut Session, facts: &ServerFacts) -> Result<String> {
        let mut identity = facts.name.clone();
        for from in self.scope.source_names() {
            let made = format!(
                "(SELECT CONVERT(nvarchar(64), d.create_date, 126) + N' ' + \
                 COALESCE(CONVERT(nvarchar(64), d.service_broker_guid), N'') FROM sys.databases AS d \
                 WHERE d.name = {})",
                literal(from)
            );
            let made = answer::text(session, &made).await?.unwrap_or_default();
            identity.push_str(&format!("; {made}"));
        }
        Ok(identity)
    }

    async fn snapshot(&self, known: &Known, report: &mut Report) -> Result<Snapshot> {
        let Scope { source, options, surroundings, .. } = &self.scope;
        let of = (known.databases.as_slice(), options.tag.as_str());
        let readers = self.scope.readers();
        let opened = snapshot::open(source, &known.source, of, readers, &surroundings.stop).await;
        let mut snapshot = opened?;
        snapshot.readers.iter().for_each(|reader| self.scope.connections.watch(reader.kill()));
        report.notes.append(&mut snapshot.notes);
        report.snapshot = Some(snapshot.report());
        Ok(snapshot)
    }

    /// Takes over what a copy that died has left, if that is wanted.
    async fn inherit(
        &self,
        main: &mut Conn,
        known: &Known,
        (head, planned): (&Head, &record::Planned<'_>),
        report: &mut Report,
    ) -> Result<Inheritance> {
        let Scope { target, options, .. } = &self.scope;
        if !options.past.is_kept() {
            return Ok(Inheritance::default());
        }
        let target = (*target, &known.target);
        let own = (options.tag.as_str(), &options.past);
        let mut kept = resume::claim(&mut main.session, target, own, (head, planned)).await?;
        kept.adopt(&mut main.session, target, (&self.staging(), planned)).await?;
        report.resumed = kept.tables();
        Ok(kept)
    }

    /// Makes everything once in empty databases, and says what the target does not take; fails if that is anything.
    /// Gives, by database, the expressions that the target tells in words of its own.
    async fn try_all(
        &self,
        main: &mut Conn,
        known: &Known,
        databases: &[Database],
        report: &mut Report,
    ) -> Result<Vec<BTreeSet<Part>>> {
        self.scope.surroundings.progress.set_activity("trying definitions");
        let trials = self.staging().trials(&self.scope.options.databases);
        let names = known.source.names_with(&known.target, Names::new(&trials, true));
        let target = (&known.target, &names);
        let tried = trial::run(&mut main.session, target, databases, &trials).await?;
        report.findings.extend(tried.findings.iter().cloned());
        if let Some(error) = tried.first {
            return Err(error);
        }
        definitions::judge(&tried.findings)?;
        for (database, parts) in databases.iter().zip(&tried.reworded) {
            for (object, part) in parts {
                let note = format!("{object}: the target tells it in other words: {part}");
                report.notes.push(about(database, &note));
            }
        }
        Ok(tried.reworded)
    }

    /// What is not as it is to be in the databases of these names. With `true` they are shown already, and those are
    /// looked at in which something was made since.
    async fn unlike(
        &self,
        session: &mut Session,
        known: &Known,
        made: &Made,
        (names, is_shown): (&[&str], bool),
    ) -> Result<Vec<Finding>> {
        let each = made.databases.iter().zip(&made.reworded).zip(names).zip(&made.scripts);
        let wanted: Vec<Wanted<'_>> = each
            .filter(|(_, script)| !is_shown || is_late(script))
            .map(|(((database, reworded), name), _)| Wanted {
                database,
                name,
                reworded,
                is_unused: !is_shown,
            })
            .collect();
        let names = Names::new(&self.scope.options.databases, is_shown);
        let names = known.source.names_with(&known.target, names);
        definitions::compare(session, &known.target, &wanted, &names).await
    }

    /// Makes the databases with all that comes before the rows: what the target does not take of it shows
    /// before any row is read.
    async fn make_all(
        &self,
        main: &mut Conn,
        known: &Known,
        planned: &record::Planned<'_>,
        kept: &mut Inheritance,
        report: &mut Report,
    ) -> Result<()> {
        let (session, staging) = (&mut main.session, self.staging());
        let mut first_refused = None;
        for (index, (database, script)) in planned.iter().enumerate() {
            let name = staging.of(index);
            let is_kept = kept.has_database(index);
            if is_kept {
                answer::enter(session, name).await?;
            } else {
                let of = (*database, *script);
                let notes = staging::create(session, &known.target, name, of).await?;
                report.notes.extend(notes.into_iter().map(|note| about(database, &note)));
            }
            let is_there = |object: &str| {
                let is_table = database.tables.iter().any(|table| record::full(table) == object);
                is_kept && (!is_table || kept.has(index, object))
            };
            let refused = staging::make(session, database, script, &is_there).await?;
            for (object, error) in refused {
                let object = format!("{}.{object}", database.name);
                report.findings.push(Finding::refused(object, &error));
                first_refused.get_or_insert(error);
            }
            report.objects += objects(database);
            answer::enter(session, session::HOME).await?;
        }
        match first_refused {
            None => Ok(()),
            Some(error) => Err(error),
        }
    }

    /// The tables, the largest first. Each database is read under its name of `names`, and compared in that
    /// form.
    fn load(
        &self,
        databases: &[Database],
        (names, form): (&[String], Form),
        kept: &Inheritance,
        readers: Vec<Conn>,
    ) -> Load<SqlServer> {
        let each = databases.iter().enumerate();
        let mut order: Vec<(usize, &Database, usize)> =
            each.flat_map(|(d, one)| (0..one.tables.len()).map(move |t| (d, one, t))).collect();
        order.sort_by_key(|(_, one, t)| std::cmp::Reverse(one.tables[*t].bytes_estimated));
        let (staging, batch_bytes) =
            (self.staging(), self.scope.options.throttle.batch_bytes(lane::BATCH_BYTES));
        let (mut jobs, mut keys, mut inherited) = (Vec::new(), Vec::new(), Vec::new());
        for (index, database, t) in order {
            let (table, into) = (&database.tables[t], staging.of(index));
            let name = record::full(table);
            let has_keys = kept.has_keys(index, &name);
            let read = names.get(index).unwrap_or(&database.name);
            // By the name that was asked for: the server may spell it otherwise.
            let (asked, _) = &self.scope.options.databases[index];
            let mut job = Job::new(asked, read, into, table.clone(), (batch_bytes, form));
            job.hints.lock_table &= !has_keys;
            jobs.push(job);
            keys.push(if has_keys { Vec::new() } else { staging::keys(table, into) });
            inherited.push(kept.has(index, &name));
        }
        let carrier = SqlServer { target: self.scope.target.clone() };
        Load { carrier, jobs, keys, inherited, readers }
    }

    /// Fails if the source's definitions are not what they were: rows and definitions would be of
    /// different times. Gives them with the counters of now.
    async fn check_changes(&self, session: &mut Session, known: &Known) -> Result<Vec<Database>> {
        let mut databases = Vec::new();
        for database in &known.databases {
            let now = catalog::read_carried(session, &known.source, &database.name).await;
            let now = now.map_err(|error| error.on(Side::Source))?;
            if let Some(change) = catalog::first_change(database, &now) {
                let text = format!("during the copy, in {}: {change}", database.name);
                return Err(Error::new(ErrorKind::Statement, Side::Source, text));
            }
            databases.push(catalog::counted_later(database, &now));
        }
        Ok(databases)
    }
}

/// Whether something is made under the final names only.
fn is_late(script: &Script) -> bool {
    script.statements.iter().any(|one| one.phase.is_late())
}

/// How many objects of a database are made that hold no rows.
fn objects(database: &Database) -> u64 {
    let programs = database.modules.len() + database.triggers.len();
    (programs + database.sequences.len() + database.synonyms.len()) as u64
}

fn about(database: &Database, note: &str) -> String {
    format!("{}: {note}", database.name)
}
