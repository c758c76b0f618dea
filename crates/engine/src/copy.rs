//! Copy: databases from one live server to another, as they were at one moment.
//!
//! The way of a copy: a [`snapshot`] of the source, its [`catalog`], a [`plan`] for each table; all
//! tables and programs are made in staging databases on the target, before any row is read; [`data`]
//! brings the rows over many [`lane`]s; [`verify`] compares; [`publish`] lets the target show it.
//! Promises: what the target shows changes only in the last step, and then wholly; after any failure
//! or stop before it, it is as it was. No HTTP, no job table, no drawing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use dump::token::Target;

use crate::endpoint::Endpoint;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::guard::Definer;
use crate::import::indexes::deferral::identifier;
use crate::import::indexes::definition;
use crate::import::{Surroundings, target_of};
use crate::mysql::conn::Conn;
use crate::mysql::facts::{self, ServerFacts};
use crate::run::failpoint;
use connections::Connections;
use course::or_stopped;
use data::Arrived;
use finding::Finding;
use lane::{Job, Way};
use mysql::catalog::{self, Database};
use mysql::journal::{self, Journal};
use mysql::objects::{self, Making};
use mysql::publish::{self, Place};
use mysql::rename::Renaming;
use mysql::resume::{self, Inheritance};
use mysql::snapshot::{self, Snapshot};
use mysql::{conversion, plan, precheck, session};
use past::{Head, Past, Wait};
use report::{Failure, Report, TableReport, Verified};
use staging::Staging;
use throttle::{Limits, Throttle};

pub mod carrier;
pub mod chunk;
pub mod connections;
pub mod course;
pub mod data;
pub mod finding;
pub mod lane;
pub mod mysql;
pub mod past;
pub mod report;
pub mod request;
pub mod sift;
pub mod staging;
pub mod throttle;
pub mod verify;

/// The most lanes that may be asked for.
pub const LANES_MAX: usize = 64;
/// The most databases of one copy.
pub const DATABASES_MAX: usize = 200;

/// What to copy, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// The databases: name on the source, name on the target.
    pub databases: Vec<(String, String)>,
    /// Pairs of connections that copy side by side.
    pub lanes: usize,
    /// How thoroughly rows are compared afterwards.
    pub verify: Verified,
    /// What the target databases hold may be replaced.
    pub replace: bool,
    /// For DEFINER clauses.
    pub definer: Definer,
    /// Rows may go as LOAD DATA LOCAL, where the target takes that.
    pub load_data: bool,
    /// Bytes of a chunk, see [`chunk::CHUNK_BYTES`].
    pub chunk_bytes: u64,
    /// How fast it may be, and when it pauses.
    pub throttle: Limits,
    /// Collations of the target that stand for the source's, by those in lower case.
    pub collations: BTreeMap<String, String>,
    /// Names what the copy makes on the target for its own use: up to 32 letters and digits, unlike
    /// those of any other copy.
    pub tag: String,
    /// What is done with copies that died.
    pub past: Past,
    /// Objects that are not carried are left out and named, instead of stopping the copy. SQL Server only.
    pub skip_unsupported: bool,
}

/// Copies databases of `source` to `target`.
pub async fn run(
    source: &Endpoint,
    target: &Endpoint,
    options: &Options,
    surroundings: &Surroundings,
) -> std::result::Result<Report, Failure> {
    let began = Instant::now();
    let mut report = Report { lanes: options.lanes, ..Report::default() };
    let connections = Connections::default();
    let throttle = &Throttle::new(&options.throttle, Arc::clone(&surroundings.progress));
    let connections = &connections;
    let run = Run { source, target, options, surroundings, connections, throttle };
    let outcome = run.all(&mut report).await;
    surroundings.progress.set_pause(None);
    report.throttle = (!options.throttle.is_none()).then(|| throttle.report());
    report.seconds = began.elapsed().as_secs_f64();
    match outcome {
        Ok(()) => Ok(report),
        Err(error) => Err(Failure { error, report: Box::new(report) }),
    }
}

/// Says what [`run`] would copy, and fails where asking both sides shows that it would. Writes nothing,
/// locks nothing; rows, bytes and chunks are what the source estimates.
pub async fn preview(
    source: &Endpoint,
    target: &Endpoint,
    options: &Options,
    surroundings: &Surroundings,
) -> std::result::Result<Report, Failure> {
    let mut report = Report { lanes: options.lanes, ..Report::default() };
    let connections = Connections::default();
    let throttle = &Throttle::new(&options.throttle, Arc::clone(&surroundings.progress));
    let connections = &connections;
    let run = Run { source, target, options, surroundings, connections, throttle };
    match or_stopped(&surroundings.stop, run.preview(&mut report)).await {
        Ok(()) => Ok(report),
        Err(error) => Err(Failure { error, report: Box::new(report) }),
    }
}

/// Whether two connections lead to the same server.
pub fn is_same_server(one: &Conn, other: &Conn) -> bool {
    one.server_identity() == other.server_identity()
}

struct Run<'a> {
    source: &'a Endpoint,
    target: &'a Endpoint,
    options: &'a Options,
    surroundings: &'a Surroundings,
    connections: &'a Connections,
    throttle: &'a Throttle,
}

/// What is known of both sides before anything is made.
struct Known {
    source: ServerFacts,
    target: ServerFacts,
}

/// How the tables come about.
#[derive(Clone, Copy)]
struct Planned<'a> {
    databases: &'a [Database],
    makes: &'a [Vec<plan::TableMake>],
    kept: &'a Inheritance,
    is_translated: bool,
}

/// A copy that only has to be shown.
struct Prepared {
    main: Conn,
    databases: Vec<Database>,
}

impl Run<'_> {
    async fn all(&self, report: &mut Report) -> Result<()> {
        let Surroundings { stop, .. } = self.surroundings;
        let known = or_stopped(stop, self.look(report)).await?;
        let repairs = journal::repair_past(self.target, &self.options.past);
        for repaired in or_stopped(stop, repairs).await? {
            report.notes.push(format!("an earlier copy had died: {}", repaired.what));
        }
        let staging = Staging::new(&self.options.tag, &self.options.databases);
        let prepared = or_stopped(stop, self.prepare(&known, &staging, report)).await;
        let outcome = match prepared {
            Ok(prepared) => {
                report.resumable = false;
                self.publish(&known, prepared, &staging).await
            }
            Err(error) => {
                report.resumable &= self.options.past.is_kept() && is_break(&error);
                Err(error)
            }
        };
        if outcome.is_err() {
            // What still runs on either side is of no more use, and may hold what is to be removed.
            self.connections.end().await;
        }
        report.published = outcome.is_ok();
        if report.resumable {
            return outcome;
        }
        if let Err(error) =
            journal::repair(self.target, Some(&self.options.tag), Wait::ForDead).await
        {
            report.left_behind.push(format!("{}{}", staging::PREFIX, self.options.tag));
            let why = error.without_server_text();
            report.notes.push(format!("not tidied up ({why}): run dbferry repair"));
        }
        outcome
    }

    /// Asks both sides what they are and hold, and refuses what cannot go well.
    async fn look(&self, report: &mut Report) -> Result<Known> {
        let mut there = session::catalogue(self.source).await?;
        let mut here = Conn::open(self.target, "copy").await?;
        let source = facts::gather(&mut there).await.map_err(|error| error.on(Side::Source))?;
        let target = facts::gather(&mut here).await?;
        let same_server = is_same_server(&there, &here);
        let folds_case = target.lower_case_table_names != 0;
        request::check(self.source.family, &self.options.databases, same_server, folds_case)?;
        for (from, _) in &self.options.databases {
            precheck::source(&mut there, from).await?;
        }
        self.read_old(&mut here, &target).await?;
        report.notes.extend(precheck::notes(&target));
        there.close().await;
        here.close().await;
        Ok(Known { source, target })
    }

    async fn preview(&self, report: &mut Report) -> Result<()> {
        let known = self.look(report).await?;
        let mut there = session::catalogue(self.source).await?;
        let databases = self.read_databases(&mut there, &known).await?;
        there.close().await;
        let (databases, _is_translated) = self.convert(databases, &known, report)?;
        let renaming = Renaming { names: self.options.databases.clone() };
        let making = self.making(&known, &renaming, true);
        for (database, (_, to)) in databases.iter().zip(&self.options.databases) {
            report.objects += (database.programs.len() + database.sequences.len()) as u64;
            for program in &database.programs {
                report.notes.extend(objects::doubts(program, &making));
            }
            for table in &database.tables {
                let is_cut = table.chunk_key().is_some() && !table.history;
                let parts = table.bytes_estimated.div_ceil(self.options.chunk_bytes).max(1);
                let entry = TableReport {
                    target: format!("{to}.{}", table.name),
                    rows: table.rows_estimated,
                    bytes: table.bytes_estimated,
                    chunks: if is_cut { parts as usize } else { 1 },
                    ..TableReport::default()
                };
                report.tables.insert(format!("{}.{}", database.name, table.name), entry);
            }
        }
        Ok(())
    }

    /// What the target's databases hold, if the copies may take its place.
    async fn read_old(
        &self,
        conn: &mut Conn,
        facts: &ServerFacts,
    ) -> Result<Vec<Option<Database>>> {
        let mut old = Vec::new();
        for (_, to) in &self.options.databases {
            let database = match precheck::exists(conn, to).await? {
                true => {
                    let read = catalog::read(conn, facts, to).await;
                    Some(read.map_err(|error| error.on(Side::Target))?)
                }
                false => None,
            };
            precheck::target(to, database.as_ref(), self.options.replace)?;
            old.push(database);
        }
        let targets: Vec<&str> = self.options.databases.iter().map(|(_, to)| to.as_str()).collect();
        precheck::references(conn, &targets).await?;
        Ok(old)
    }

    /// Everything up to a verified copy in the staging databases.
    async fn prepare(
        &self,
        known: &Known,
        staging: &Staging,
        report: &mut Report,
    ) -> Result<Prepared> {
        let sides = (self.source, self.target);
        let limits = &self.options.throttle;
        // Ends with this function: the target changes only when nothing waits any more.
        let _watching = throttle::watch(self.throttle, limits, sides, self.connections).await?;
        self.throttle.clear().await?;
        let mut there = session::catalogue(self.source).await?;
        self.connections.watch(session::kill(&there));
        let mut snapshot = self.snapshot(&mut there, known, report).await?;
        let read = self.read_databases(&mut there, known).await?;
        let (databases, is_translated) = self.convert(read.clone(), known, report)?;

        let mut main = session::writer(self.target, known.target.flavor, "copy").await?;
        self.connections.watch(session::kill(&main));
        let journal = Journal::new(&self.options.tag);
        journal.sign(&mut main).await?;
        journal.open(&mut main).await?;
        let head = Head::new(there.server_identity(), &self.options.databases);
        let mut kept = self.inherit(&mut main, known, (&head, &databases), report).await?;
        journal.describe(&mut main, &resume::entries(&databases, &head)).await?;
        report.resumable = true;
        let all = (databases.as_slice(), &mut kept);
        let makes = self.make_all(&mut main, known, staging, all, report).await?;
        kept.release(&mut main, self.target).await?;
        let readers = std::mem::take(&mut snapshot.readers);
        let plan = Planned { databases: &databases, makes: &makes, kept: &kept, is_translated };
        let (jobs, rows) = self.bring_rows(known, staging, plan, readers, report).await?;
        failpoint::pass("rows copied");
        self.finish_tables(&jobs, rows, report).await?;
        counters(&mut main, staging, &databases, &kept).await?;
        foreign_keys(&mut main, &databases, &makes).await?;
        if known.source.version_text == known.target.version_text && !is_translated {
            check_definitions(&mut main, &known.target, staging, &databases, &makes).await?;
        }
        self.check_changes(&mut there, known, &read).await?;
        there.close().await;
        snapshot.close().await;
        self.throttle.clear().await?;
        Ok(Prepared { main, databases })
    }

    /// Takes over what a copy that died has left, if that is wanted.
    async fn inherit(
        &self,
        main: &mut Conn,
        known: &Known,
        (head, databases): (&Head, &[Database]),
        report: &mut Report,
    ) -> Result<Inheritance> {
        let past = &self.options.past;
        if !past.is_kept() {
            return Ok(Inheritance::default());
        }
        let tag = self.options.tag.as_str();
        let kept = resume::claim(main, (tag, past), (head, databases), &known.target).await?;
        report.resumed = (!kept.is_empty()).then(|| kept.tables());
        Ok(kept)
    }

    /// The databases as the target is to have them; fails if it cannot be given everything. True if
    /// texts may have another order there.
    fn convert(
        &self,
        mut databases: Vec<Database>,
        known: &Known,
        report: &mut Report,
    ) -> Result<(Vec<Database>, bool)> {
        report.notes.extend(precheck::without_history(&mut databases, &known.target));
        report.notes.extend(precheck::remarks(&databases));
        let told = &self.options.collations;
        let converted = conversion::convert(databases, &known.source, &known.target, told);
        report.notes.extend(converted.remarks);
        report.findings = converted.obstacles;
        finding::judge(&report.findings)?;
        Ok((converted.databases, converted.is_translated))
    }

    async fn snapshot(
        &self,
        there: &mut Conn,
        known: &Known,
        report: &mut Report,
    ) -> Result<Snapshot> {
        let names: Vec<&str> = self.source_names().collect();
        let tables = catalog::tables_of(there, &names).await?;
        // One more than lanes: it walks ahead of them.
        let readers = self.options.lanes.clamp(1, LANES_MAX) + 1;
        let stop = &self.surroundings.stop;
        let mut snapshot =
            snapshot::open(self.source, &known.source, readers, &tables, stop).await?;
        snapshot.readers.iter().for_each(|reader| self.connections.watch(session::kill(reader)));
        report.notes.append(&mut snapshot.notes);
        report.snapshot = Some(snapshot.told());
        Ok(snapshot)
    }

    fn source_names(&self) -> impl Iterator<Item = &str> {
        self.options.databases.iter().map(|(from, _)| from.as_str())
    }

    async fn read_databases(&self, conn: &mut Conn, known: &Known) -> Result<Vec<Database>> {
        let mut databases = Vec::new();
        for name in self.source_names() {
            databases.push(catalog::read(conn, &known.source, name).await?);
        }
        Ok(databases)
    }

    /// Copies all rows into the staging databases; keys may still be on their way.
    async fn bring_rows(
        &self,
        known: &Known,
        staging: &Staging,
        Planned { databases, makes, kept, is_translated }: Planned<'_>,
        readers: Vec<Conn>,
        report: &mut Report,
    ) -> Result<(Arc<Vec<Job>>, data::Rows)> {
        let order = plan::order(databases);
        let flavor = known.target.flavor;
        let way = Way {
            flavor,
            load: self.options.load_data && known.target.local_infile,
            packet_bytes: known.target.max_allowed_packet,
            batch_bytes: self.options.throttle.batch_bytes(lane::BATCH_BYTES),
            is_translated,
        };
        let job = |(d, t): &(usize, usize)| {
            let (database, table) = (&databases[*d], databases[*d].tables[*t].clone());
            Job::new(&database.name, staging.of(*d), table, &way)
        };
        let jobs: Arc<Vec<Job>> = Arc::new(order.iter().map(job).collect());
        let expected = jobs.iter().map(|job| job.table.rows_estimated).sum();
        self.surroundings.progress.expected_rows.store(expected, Ordering::Relaxed);
        let began = Instant::now();
        let name = |d: usize, t: usize| databases[d].tables[t].name.as_str();
        let inherited: Vec<bool> = order.iter().map(|(d, t)| kept.has(*d, name(*d, *t))).collect();
        let (sifted, readers) = self.sift(known, &jobs, &inherited, readers).await?;
        let keys = order.iter().map(|(d, t)| match kept.has_keys(*d, name(*d, *t)) {
            true => None,
            false => makes[*d][*t].keys.clone(),
        });
        let rows = data::run(data::Parts {
            jobs: Arc::clone(&jobs),
            keys: keys.collect(),
            readers,
            sifted,
            target: self.target.clone(),
            flavor,
            connections: self.connections.clone(),
            progress: Arc::clone(&self.surroundings.progress),
            throttle: self.throttle.clone(),
            chunk_bytes: self.options.chunk_bytes,
        })
        .await?;
        report.data_seconds = began.elapsed().as_secs_f64();
        self.counted(&jobs, &rows.tables, report);
        Ok((jobs, rows))
    }

    /// Keeps of inherited rows those that are as the snapshot has them.
    async fn sift(
        &self,
        known: &Known,
        jobs: &Arc<Vec<Job>>,
        inherited: &[bool],
        readers: Vec<Conn>,
    ) -> Result<(Vec<Option<Vec<sift::Part>>>, Vec<Conn>)> {
        if !inherited.contains(&true) {
            return Ok((Vec::new(), readers));
        }
        let parts = sift::Parts {
            jobs,
            inherited,
            target: self.target,
            flavor: known.target.flavor,
            connections: self.connections,
            progress: &self.surroundings.progress,
            chunk_bytes: self.options.chunk_bytes,
        };
        sift::run(parts, readers).await
    }

    /// Compares the rows while the last keys are built.
    async fn finish_tables(
        &self,
        jobs: &Arc<Vec<Job>>,
        rows: data::Rows,
        report: &mut Report,
    ) -> Result<()> {
        let data::Rows { tables, pairs, builders } = rows;
        let checks = verify::checks(jobs, &tables, self.options.verify);
        let began = Instant::now();
        let compare = async {
            let compared = verify::run(jobs, checks, pairs, self.throttle).await;
            (compared, began.elapsed())
        };
        let (built, (compared, took)) = tokio::join!(builders.finish(), compare);
        for (index, took) in built? {
            report.index_seconds += took.as_secs_f64();
            let entry = report.tables.entry(shown(&jobs[index])).or_default();
            entry.index_seconds = took.as_secs_f64();
        }
        let (differences, pairs) = compared?;
        report.verify_seconds = took.as_secs_f64();
        report.differences = differences;
        judge(jobs, &tables, report)?;
        report.verified = self.options.verify;
        for (reader, writer) in pairs {
            reader.close().await;
            writer.close().await;
        }
        Ok(())
    }

    /// Makes all tables, and once all programs: what the target does not take shows before any row
    /// is read. The programs go again, since triggers would fire.
    async fn make_all(
        &self,
        main: &mut Conn,
        known: &Known,
        staging: &Staging,
        (databases, kept): (&[Database], &mut Inheritance),
        report: &mut Report,
    ) -> Result<Vec<Vec<plan::TableMake>>> {
        let renaming = mysql::staging::renaming(staging, &self.options.databases);
        let (mut makes, mut first_refused) = (Vec::new(), None);
        for (index, database) in databases.iter().enumerate() {
            mysql::staging::make(main, staging, index, database).await?;
        }
        if !kept.is_empty() {
            kept.adopt(main, &known.target, (staging, databases)).await?;
        }
        for (index, database) in databases.iter().enumerate() {
            let schema = staging.of(index);
            let tables = database.tables.iter().map(|table| plan::table(schema, table, &renaming));
            makes.push(tables.collect::<Vec<_>>());
            let refused =
                mysql::staging::make_tables(main, staging, index, database, &makes[index], kept)
                    .await?;
            report
                .findings
                .extend(refused.iter().map(|(object, e)| Finding::refused(object.clone(), e)));
            first_refused = first_refused.or(refused.into_iter().next());
            report.objects += (database.programs.len() + database.sequences.len()) as u64;
        }
        let making = self.making(known, &renaming, false);
        let final_names = Renaming { names: self.options.databases.clone() };
        let finally = self.making(known, &final_names, true);
        let placed = |index: usize| {
            let database: &Database = &databases[index];
            database.programs.iter().map(move |program| objects::Placed {
                database: &database.name,
                schema: staging.of(index),
                collation: &database.charset.1,
                program,
            })
        };
        let programs: Vec<_> = (0..databases.len()).flat_map(placed).collect();
        for program in &programs {
            report.notes.extend(objects::doubts(program.program, &finally));
        }
        let lacks_tables = first_refused.is_some();
        for (object, error) in objects::try_all(main, &making, &programs).await? {
            // Where tables are missing, so is what needs them.
            if !(lacks_tables && objects::lacks_table(&error)) {
                report.findings.push(Finding::refused(object.clone(), &error));
                first_refused.get_or_insert((object, error));
            }
        }
        if let Some((_object, error)) = first_refused {
            return Err(error);
        }
        failpoint::pass("programs tried");
        objects::remove(main, &programs).await?;
        Ok(makes)
    }

    fn making<'a>(
        &'a self,
        known: &Known,
        renaming: &'a Renaming,
        enable_events: bool,
    ) -> Making<'a> {
        let dialect: Target = target_of(&known.target);
        Making { dialect, renaming, definer: &self.options.definer, enable_events }
    }

    fn counted(&self, jobs: &[Job], tables: &[Arrived], report: &mut Report) {
        let target_of = |source: &str| {
            let pair = self.options.databases.iter().find(|(from, _)| from == source);
            pair.map(|(_, to)| to.as_str()).unwrap_or_default()
        };
        for (job, table) in jobs.iter().zip(tables) {
            let entry = TableReport {
                target: format!("{}.{}", target_of(&job.source), job.table.name),
                rows: table.rows,
                rows_kept: table.rows_kept,
                bytes: table.bytes,
                chunks: table.chunks.len(),
                warnings: table.warnings,
                index_seconds: 0.0,
            };
            report.tables.insert(shown(job), entry);
        }
    }

    /// Fails if the source's definitions are not what they were: rows and definitions would be of
    /// different times.
    async fn check_changes(
        &self,
        conn: &mut Conn,
        known: &Known,
        databases: &[Database],
    ) -> Result<()> {
        for database in databases {
            let now = catalog::read(conn, &known.source, &database.name).await?;
            if let Some(change) = plan::first_change(database, &now) {
                let text = format!("during the copy, in {}: {change}", database.name);
                return Err(Error::new(ErrorKind::Statement, Side::Source, text));
            }
        }
        Ok(())
    }

    /// Lets the target show the copy. Not to be stopped half-way.
    async fn publish(&self, known: &Known, prepared: Prepared, staging: &Staging) -> Result<()> {
        let Prepared { mut main, databases } = prepared;
        // Read again: a copy takes long, and what was made meanwhile is not to be lost or kept by
        // chance.
        let old = self.read_old(&mut main, &known.target).await?;
        let places: Vec<Place> = databases
            .into_iter()
            .zip(old)
            .enumerate()
            .map(|(index, (source, old))| Place {
                target: self.options.databases[index].1.clone(),
                staging: staging.of(index).to_owned(),
                trash: staging.trash_of(index).to_owned(),
                source,
                old,
            })
            .collect();
        self.surroundings.progress.set_activity("publishing");
        let journal = Journal::new(&self.options.tag);
        journal.publishing(&mut main, &places).await?;
        failpoint::pass("before exchange");
        let renaming = Renaming { names: self.options.databases.clone() };
        let making = self.making(known, &renaming, true);
        // Where this fails, the journal's repair goes back.
        publish::forth(&mut main, &places, &making).await?;
        failpoint::pass("programs made");
        journal.settled(&mut main).await?;
        failpoint::pass("copy settled");
        main.close().await;
        Ok(())
    }
}

fn shown(job: &Job) -> String {
    format!("{}.{}", job.source, job.table.name)
}

/// Fails if the rows are not the same.
fn judge(jobs: &[Job], tables: &[Arrived], report: &Report) -> Result<()> {
    let Some(first) = report.differences.first() else { return Ok(()) };
    let job = jobs.iter().zip(tables).find(|(job, _)| shown(job) == first.table);
    let copied = job.map(|(_, table)| table.rows).unwrap_or_default();
    let (there, here) = first.rows;
    let text = format!(
        "the copy is not the same: chunk {} of {} has {there} rows on the source and {here} on the \
         target ({copied} of the table were copied)",
        first.chunk, first.table
    );
    let error = Error::new(ErrorKind::Statement, Side::Target, text);
    Err(match job {
        Some((job, _)) => error.in_table(Some(&job.source), job.table.name.clone()),
        None => error,
    })
}

/// Whether a copy that ended so may be gone on with: nothing was wrong with what it had done.
fn is_break(error: &Error) -> bool {
    use ErrorKind::{DiskFull, Interrupted, LostConnection, Unreachable};
    matches!(error.kind, Interrupted | LostConnection | Unreachable | DiskFull)
}

/// Sets the next AUTO_INCREMENT values of tables that were made by an earlier copy.
async fn counters(
    main: &mut Conn,
    staging: &Staging,
    databases: &[Database],
    kept: &Inheritance,
) -> Result<()> {
    for (index, database) in databases.iter().enumerate() {
        for table in database.tables.iter().filter(|table| kept.has(index, &table.name)) {
            let Some(next) = table.auto_increment else { continue };
            let (schema, name) = (identifier(staging.of(index)), identifier(&table.name));
            let sql = format!("ALTER TABLE {schema}.{name} AUTO_INCREMENT = {next}");
            main.query(sql.as_bytes()).await?;
        }
    }
    Ok(())
}

/// Makes the foreign keys, when all tables have all their rows and keys.
async fn foreign_keys(
    main: &mut Conn,
    databases: &[Database],
    makes: &[Vec<plan::TableMake>],
) -> Result<()> {
    for (database, makes) in databases.iter().zip(makes) {
        for (table, make) in database.tables.iter().zip(makes) {
            let Some(statement) = &make.foreign_keys else { continue };
            main.query(statement.as_bytes()).await.map_err(|mut error| {
                error.message = "make the table's foreign keys".to_owned();
                error.in_table(Some(&database.name), table.name.clone())
            })?;
        }
    }
    Ok(())
}

/// Fails if a finished table is not what the source has: servers of one version tell alike.
async fn check_definitions(
    main: &mut Conn,
    facts: &ServerFacts,
    staging: &Staging,
    databases: &[Database],
    makes: &[Vec<plan::TableMake>],
) -> Result<()> {
    let comparable = |text: &str| definition::without_charsets(text);
    main.query(b"SET SESSION sql_mode = ''").await?;
    for (index, database) in databases.iter().enumerate() {
        let present = catalog::read(main, facts, staging.of(index)).await;
        let present = present.map_err(|error| error.on(Side::Target))?;
        for (table, make) in database.tables.iter().zip(&makes[index]) {
            let is_same = present.tables.iter().any(|copy| {
                copy.name == table.name
                    && copy.keys == table.keys
                    && table.columns.starts_with(&copy.columns)
                    && comparable(&copy.create) == comparable(&make.finished)
            });
            if !is_same {
                let text = "the table's definition on the target is not what it is on the source";
                let error = Error::new(ErrorKind::Statement, Side::Target, text);
                return Err(error.in_table(Some(&database.name), table.name.clone()));
            }
        }
    }
    Ok(())
}
