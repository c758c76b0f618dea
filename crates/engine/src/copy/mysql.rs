//! Copying between servers of MySQL's family: what the steps of a [`Course`] are to them.
//!
//! A [`snapshot`] of the source, its [`catalog`], a [`plan`] for each table; all tables and programs are made
//! in staging databases on the target, before any row is read; [`publish`] lets the target show the copy.
//! Promises: what the target shows changes only in the last step, and then wholly.

use dump::token::Target;

use super::course::{Course, PUBLISHING};
use super::finding::{self, Finding};
use super::load::Load;
use super::past::{Head, Repaired, Shown, Wait};
use super::report::{Report, TableReport};
use super::scope::Scope;
use super::staging::Staging;
use super::{lane, request};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::indexes::deferral::identifier;
use crate::import::indexes::definition;
use crate::import::target_of;
use crate::mysql::conn::Conn;
use crate::mysql::facts::{self, ServerFacts};
use crate::run::failpoint;
use carrier::MySqlCarrier;
use catalog::Database;
use job::{Job, Way};
use journal::Journal;
use objects::Making;
use publish::Place;
use rename::Renaming;
use resume::Inheritance;
use snapshot::Snapshot;
use watcher::Watcher;

pub mod carrier;
pub mod catalog;
pub mod comparison;
pub mod conversion;
pub mod digest;
pub mod job;
pub mod journal;
pub mod objects;
pub mod plan;
pub mod precheck;
pub mod publish;
pub mod record;
pub mod rename;
pub mod replica;
pub mod resume;
pub mod rows;
pub mod session;
pub mod snapshot;
pub mod staging;
pub mod table;
pub mod transfer;
pub mod walk;
pub mod watcher;

/// A copy between such servers.
#[derive(Debug)]
pub struct MySqlCourse<'a> {
    scope: Scope<'a>,
}

/// What is known of both sides before anything is made.
#[derive(Debug)]
pub struct Known {
    source: ServerFacts,
    target: ServerFacts,
}

/// What lives while the rows come.
#[derive(Debug)]
pub struct Stage {
    /// Reads the source's catalog.
    there: Conn,
    /// Holds the copy's lock on the target.
    main: Conn,
    snapshot: Snapshot,
    /// As the source has them.
    read: Vec<Database>,
    /// As the target is to have them.
    databases: Vec<Database>,
    makes: Vec<Vec<plan::TableMake>>,
    kept: Inheritance,
    is_translated: bool,
}

/// A copy that only has to be shown.
#[derive(Debug)]
pub struct Prepared {
    main: Conn,
    databases: Vec<Database>,
}

impl Course for MySqlCourse<'_> {
    type Carrier = MySqlCarrier;
    type Watcher = Watcher;
    type Known = Known;
    type Stage = Stage;
    type Prepared = Prepared;

    fn scope(&self) -> &Scope<'_> {
        &self.scope
    }

    async fn look(&self, report: &mut Report) -> Result<Known> {
        let mut there = session::catalogue(self.scope.source).await?;
        let mut here = Conn::open(self.scope.target, "copy").await?;
        let source = facts::gather(&mut there).await.map_err(|error| error.on(Side::Source))?;
        let target = facts::gather(&mut here).await?;
        let same_server = is_same_server(&there, &here);
        let folds_case = target.lower_case_table_names != 0;
        request::check(
            self.scope.source.family,
            &self.scope.options.databases,
            same_server,
            folds_case,
        )?;
        for (from, _) in &self.scope.options.databases {
            precheck::source(&mut there, from).await?;
        }
        self.read_old(&mut here, &target).await?;
        report.notes.extend(precheck::notes(&target));
        there.close().await;
        here.close().await;
        Ok(Known { source, target })
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
        let Scope { source, target, options, connections, .. } = &self.scope;
        Watcher::begin(&options.throttle, (source, target), connections).await
    }

    async fn stage(
        &self,
        known: &Known,
        report: &mut Report,
    ) -> Result<(Load<MySqlCarrier>, Stage)> {
        let Scope { source, target, options, connections, .. } = &self.scope;
        let mut there = session::catalogue(source).await?;
        connections.watch(session::kill(&there));
        let mut snapshot = self.snapshot(&mut there, known, report).await?;
        let read = self.read_databases(&mut there, known).await?;
        let (databases, is_translated) = self.convert(read.clone(), known, report)?;

        let mut main = session::writer(target, known.target.flavor, "copy").await?;
        connections.watch(session::kill(&main));
        let journal = Journal::new(&options.tag);
        journal.sign(&mut main).await?;
        journal.open(&mut main).await?;
        let head = Head::new(there.server_identity(), &options.databases);
        let mut kept = self.inherit(&mut main, known, (&head, &databases), report).await?;
        journal.describe(&mut main, &record::entries(&databases, &head)).await?;
        report.resumable = true;
        let makes = self.make_all(&mut main, known, (&databases, &mut kept), report).await?;
        kept.release(&mut main, target).await?;
        let readers = std::mem::take(&mut snapshot.readers);
        let stage = Stage { there, main, snapshot, read, databases, makes, kept, is_translated };
        Ok((self.load(known, &stage, readers), stage))
    }

    async fn finish(&self, known: &Known, stage: Stage, _report: &mut Report) -> Result<Prepared> {
        let Stage { mut there, mut main, snapshot, read, databases, makes, kept, is_translated } =
            stage;
        let staging = self.staging();
        counters(&mut main, &staging, &databases, &kept).await?;
        foreign_keys(&mut main, &databases, &makes).await?;
        if known.source.version_text == known.target.version_text && !is_translated {
            check_definitions(&mut main, &known.target, &staging, &databases, &makes).await?;
        }
        self.check_changes(&mut there, known, &read).await?;
        there.close().await;
        snapshot.close().await;
        Ok(Prepared { main, databases })
    }

    async fn publish(&self, known: &Known, prepared: Prepared, report: &Report) -> Result<()> {
        let Prepared { mut main, databases } = prepared;
        let staging = self.staging();
        // Read again: a copy takes long, and what was made meanwhile is not to be lost or kept by
        // chance.
        let old = self.read_old(&mut main, &known.target).await?;
        let places: Vec<Place> = databases
            .into_iter()
            .zip(old)
            .enumerate()
            .map(|(index, (source, old))| Place {
                target: self.scope.options.databases[index].1.clone(),
                staging: staging.of(index).to_owned(),
                trash: staging.trash_of(index).to_owned(),
                source,
                old,
            })
            .collect();
        self.scope.surroundings.progress.set_activity(PUBLISHING);
        let journal = Journal::new(&self.scope.options.tag);
        journal.publishing(&mut main, &places).await?;
        failpoint::pass("before exchange");
        let renaming = Renaming { names: self.scope.options.databases.clone() };
        let making = self.making(known, &renaming, true);
        // Where this fails, the journal goes back.
        publish::forth(&mut main, &places, &making).await?;
        failpoint::pass("programs made");
        journal.shown(&mut main, Shown::new(&self.scope.options.databases, report)).await?;
        failpoint::pass("copy settled");
        main.close().await;
        Ok(())
    }

    async fn tidy(&self) -> Result<()> {
        let Scope { target, options, .. } = &self.scope;
        journal::tidy(target, &options.tag, &options.past).await
    }

    async fn preview(&self, report: &mut Report) -> Result<()> {
        let known = self.look(report).await?;
        let mut there = session::catalogue(self.scope.source).await?;
        let databases = self.read_databases(&mut there, &known).await?;
        there.close().await;
        let (databases, _is_translated) = self.convert(databases, &known, report)?;
        let renaming = Renaming { names: self.scope.options.databases.clone() };
        let making = self.making(&known, &renaming, true);
        for (database, (_, to)) in databases.iter().zip(&self.scope.options.databases) {
            report.objects += (database.programs.len() + database.sequences.len()) as u64;
            for program in &database.programs {
                report.notes.extend(objects::doubts(program, &making));
            }
            for table in &database.tables {
                let is_cut = table.chunk_key().is_some() && !table.history;
                let parts = table.bytes_estimated.div_ceil(self.scope.options.chunk_bytes).max(1);
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

    async fn compare(&self, report: &mut Report) -> Result<()> {
        comparison::compare(&self.scope, report).await
    }
}

impl<'a> MySqlCourse<'a> {
    /// A copy that has not begun.
    pub fn new(scope: Scope<'a>) -> MySqlCourse<'a> {
        MySqlCourse { scope }
    }

    fn staging(&self) -> Staging {
        Staging::new(&self.scope.options.tag, &self.scope.options.databases)
    }

    /// What the target's databases hold, if the copies may take its place.
    async fn read_old(
        &self,
        conn: &mut Conn,
        facts: &ServerFacts,
    ) -> Result<Vec<Option<Database>>> {
        let mut old = Vec::new();
        for (_, to) in &self.scope.options.databases {
            let database = match precheck::exists(conn, to).await? {
                true => {
                    let read = catalog::read(conn, facts, to).await;
                    Some(read.map_err(|error| error.on(Side::Target))?)
                }
                false => None,
            };
            precheck::target(to, database.as_ref(), self.scope.options.replace)?;
            old.push(database);
        }
        let targets: Vec<&str> =
            self.scope.options.databases.iter().map(|(_, to)| to.as_str()).collect();
        precheck::references(conn, &targets).await?;
        Ok(old)
    }

    /// Takes over what a copy that died has left, if that is wanted.
    async fn inherit(
        &self,
        main: &mut Conn,
        known: &Known,
        (head, databases): (&Head, &[Database]),
        report: &mut Report,
    ) -> Result<Inheritance> {
        let past = &self.scope.options.past;
        if !past.is_kept() {
            return Ok(Inheritance::default());
        }
        let tag = self.scope.options.tag.as_str();
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
        let told = &self.scope.options.collations;
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
        let names: Vec<&str> = self.scope.source_names().collect();
        let tables = catalog::tables_of(there, &names).await?;
        let readers = self.scope.readers();
        let stop = &self.scope.surroundings.stop;
        let mut snapshot =
            snapshot::open(self.scope.source, &known.source, readers, &tables, stop).await?;
        snapshot
            .readers
            .iter()
            .for_each(|reader| self.scope.connections.watch(session::kill(reader)));
        report.notes.append(&mut snapshot.notes);
        report.snapshot = Some(snapshot.told());
        Ok(snapshot)
    }

    async fn read_databases(&self, conn: &mut Conn, known: &Known) -> Result<Vec<Database>> {
        let mut databases = Vec::new();
        for name in self.scope.source_names() {
            databases.push(catalog::read(conn, &known.source, name).await?);
        }
        Ok(databases)
    }

    /// The tables in the order in which they are read.
    fn load(&self, known: &Known, stage: &Stage, readers: Vec<Conn>) -> Load<MySqlCarrier> {
        let Stage { databases, makes, kept, is_translated, .. } = stage;
        let Scope { target, options, .. } = &self.scope;
        let staging = self.staging();
        let order = plan::order(databases);
        let flavor = known.target.flavor;
        let way = Way {
            flavor,
            load: options.load_data && known.target.local_infile,
            packet_bytes: known.target.max_allowed_packet,
            batch_bytes: options.throttle.batch_bytes(lane::BATCH_BYTES),
            is_translated: *is_translated,
        };
        let job = |(d, t): &(usize, usize)| {
            let (database, table) = (&databases[*d], databases[*d].tables[*t].clone());
            Job::new(&database.name, staging.of(*d), table, &way)
        };
        let name = |d: usize, t: usize| databases[d].tables[t].name.as_str();
        let keys = |(d, t): &(usize, usize)| match kept.has_keys(*d, name(*d, *t)) {
            true => Vec::new(),
            false => makes[*d][*t].keys.iter().cloned().collect(),
        };
        Load {
            carrier: MySqlCarrier { target: (*target).clone(), flavor },
            jobs: order.iter().map(job).collect(),
            keys: order.iter().map(keys).collect(),
            inherited: order.iter().map(|(d, t)| kept.has(*d, name(*d, *t))).collect(),
            readers,
        }
    }

    /// Makes all tables, and once all programs: what the target does not take shows before any row
    /// is read. The programs go again, since triggers would fire.
    async fn make_all(
        &self,
        main: &mut Conn,
        known: &Known,
        (databases, kept): (&[Database], &mut Inheritance),
        report: &mut Report,
    ) -> Result<Vec<Vec<plan::TableMake>>> {
        let staging = &self.staging();
        let renaming = staging::renaming(staging, &self.scope.options.databases);
        let (mut makes, mut first_refused) = (Vec::new(), None);
        for (index, database) in databases.iter().enumerate() {
            staging::make(main, staging, index, database).await?;
        }
        if !kept.is_empty() {
            kept.adopt(main, &known.target, (staging, databases)).await?;
        }
        for (index, database) in databases.iter().enumerate() {
            let schema = staging.of(index);
            let tables = database.tables.iter().map(|table| plan::table(schema, table, &renaming));
            makes.push(tables.collect::<Vec<_>>());
            let refused =
                staging::make_tables(main, staging, index, database, &makes[index], kept).await?;
            report
                .findings
                .extend(refused.iter().map(|(object, e)| Finding::refused(object.clone(), e)));
            first_refused = first_refused.or(refused.into_iter().next());
            report.objects += (database.programs.len() + database.sequences.len()) as u64;
        }
        let making = self.making(known, &renaming, false);
        let final_names = Renaming { names: self.scope.options.databases.clone() };
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

    fn making<'b>(
        &'b self,
        known: &Known,
        renaming: &'b Renaming,
        enable_events: bool,
    ) -> Making<'b> {
        let dialect: Target = target_of(&known.target);
        Making { dialect, renaming, definer: &self.scope.options.definer, enable_events }
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
}

/// Whether two connections lead to the same server.
fn is_same_server(one: &Conn, other: &Conn) -> bool {
    one.server_identity() == other.server_identity()
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
    let comparable =
        |text: &str| definition::without_charsets(&definition::without_system_tablespace(text));
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
