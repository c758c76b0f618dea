//! What a copy that died has left on the target, taken over by the next one.
//!
//! A snapshot dies with its sessions, so the next copy has another one. Promises: rows are kept only
//! where [`crate::copy::sift`] finds them equal to that new snapshot; a table is kept only if the statements
//! that make it are what they were. The dead copy's staging database is renamed into the new copy's: what
//! the dead one still had under way finds none of its tables any more. A database that had got more than
//! tables, keys and what is easily taken away again is not taken over, but made anew.

use std::collections::{BTreeMap, BTreeSet};

use super::facts::ServerFacts;
use super::journal::{self, Held, Journal, SqlServerJournals};
use super::record::{Entry, Planned, full, makes, recorded_of};
use super::{answer, catalog, database, session};
use crate::copy::journal::{Dead, claim as claim_dead};
use crate::copy::past::{Head, Past, Wait};
use crate::copy::staging::Staging;
use crate::endpoint::Endpoint;
use crate::error::{Result, Side};
use crate::mssql::catalog::index::{Index, Role};
use crate::mssql::catalog::schema::{Database, Table};
use crate::mssql::name::{qualified, quoted};
use crate::mssql::script::{Phase, Script, table};
use crate::mssql::session::Session;

/// What is taken over.
#[derive(Debug, Default)]
pub struct Inheritance {
    /// The dead copies, with their locks.
    dead: Vec<(String, Held)>,
    /// By number of the database.
    databases: BTreeMap<usize, Inherited>,
}

/// A database that is taken over.
#[derive(Debug)]
struct Inherited {
    /// What it is called.
    name: String,
    /// Tables that may keep rows; true if they have all their keys.
    tables: BTreeMap<String, bool>,
}

/// Finds what there is to take over, undoes what of it was being published, and holds its locks. The session
/// is at home afterwards.
pub async fn claim(
    session: &mut Session,
    target: (&Endpoint, &ServerFacts),
    (own_tag, past): (&str, &Past),
    (head, planned): (&Head, &Planned<'_>),
) -> Result<Inheritance> {
    let mut inheritance = Inheritance::default();
    let mut journals = SqlServerJournals { target: target.0, session };
    for dead in claim_dead(&mut journals, (own_tag, past), head).await? {
        let Dead { tag, lock, is_same } = dead;
        if is_same {
            let journal = Journal::new(&tag);
            journal.settle((session, target.0)).await?;
            let recorded = journal.entries(session).await?;
            answer::enter(session, session::HOME).await?;
            let staging = Staging::new(&tag, &head.databases);
            inheritance.gather(session, target.1, &staging, (planned, &recorded)).await?;
        }
        inheritance.dead.push((tag, lock));
    }
    Ok(inheritance)
}

impl Inheritance {
    /// How many tables are taken over; nothing if nobody left anything.
    pub fn tables(&self) -> Option<usize> {
        let tables = self.databases.values().map(|database| database.tables.len());
        (!self.dead.is_empty()).then(|| tables.sum())
    }

    /// Whether a database is taken over.
    pub fn has_database(&self, index: usize) -> bool {
        self.databases.contains_key(&index)
    }

    /// Whether a table of it is taken over.
    pub fn has(&self, index: usize, table: &str) -> bool {
        self.databases.get(&index).is_some_and(|database| database.tables.contains_key(table))
    }

    /// Whether a table that is taken over has all its keys.
    pub fn has_keys(&self, index: usize, table: &str) -> bool {
        let database = self.databases.get(&index);
        database.and_then(|database| database.tables.get(table)).is_some_and(|has| *has)
    }

    /// Looks for databases of one dead copy that can be kept.
    async fn gather(
        &mut self,
        session: &mut Session,
        facts: &ServerFacts,
        staging: &Staging,
        (planned, recorded): (&Planned<'_>, &[Entry]),
    ) -> Result<()> {
        for (index, (wanted, script)) in planned.iter().enumerate() {
            let name = staging.of(index);
            let is_there = database::id(session, name).await?.is_some();
            if !is_there || self.databases.contains_key(&index) {
                continue;
            }
            let before = recorded_of(recorded, index);
            let now = makes(wanted, script);
            if before.others != now.others {
                continue;
            }
            let same =
                now.tables.iter().filter(|(name, made)| before.tables.get(*name) == Some(made));
            let tables = same.map(|(name, _)| (name.clone(), false)).collect();
            let present = catalog::read_carried(session, facts, name).await;
            let present = present.map_err(|error| error.on(Side::Target))?;
            let is_plain = strip(session, &present, script).await?;
            answer::enter(session, session::HOME).await?;
            if is_plain {
                let inherited = Inherited { name: name.to_owned(), tables };
                self.databases.insert(index, inherited);
            }
        }
        Ok(())
    }

    /// Renames the databases into those of this copy, which are not there yet, and takes away the tables
    /// that cannot be kept.
    pub async fn adopt(
        &mut self,
        session: &mut Session,
        (target, facts): (&Endpoint, &ServerFacts),
        (staging, planned): (&Staging, &Planned<'_>),
    ) -> Result<()> {
        answer::enter(session, session::HOME).await?;
        for (index, inherited) in &mut self.databases {
            let name = staging.of(*index);
            database::rename((session, target), &inherited.name, name).await?;
            name.clone_into(&mut inherited.name);
            let Some((wanted, _)) = planned.get(*index) else { continue };
            // Only now: the dead copy may have made keys until its database went.
            let present = catalog::read_carried(session, facts, name).await;
            let present = present.map_err(|error| error.on(Side::Target))?;
            settle(session, &mut inherited.tables, (wanted, &present)).await?;
            answer::enter(session, session::HOME).await?;
        }
        Ok(())
    }

    /// Removes what is left of the dead copies.
    pub async fn release(&mut self, target: &Endpoint) -> Result<()> {
        for (tag, held) in std::mem::take(&mut self.dead) {
            held.release().await;
            journal::repair(target, Some(&tag), Wait::ForDead).await?;
        }
        Ok(())
    }
}

/// Takes away what comes behind the rows. False if there is something that is not easily taken away.
async fn strip(session: &mut Session, present: &Database, script: &Script) -> Result<bool> {
    let waits = |sql: &str| sql.contains(" DEFAULT ") && sql.contains(" ADD CONSTRAINT ");
    let has_late_default =
        script.statements.iter().any(|one| one.phase == Phase::Constraints && waits(&one.sql));
    let has_period = present.tables.iter().any(|table| table.period.is_some());
    if has_late_default || has_period || !present.properties.is_empty() {
        return Ok(false);
    }
    let early: BTreeSet<&str> = script
        .statements
        .iter()
        .filter(|one| one.phase == Phase::Tables)
        .map(|one| one.object.as_str())
        .collect();
    let mut drops = Vec::new();
    for trigger in &present.triggers {
        if let Some((schema, _)) = &trigger.parent {
            drops.push(format!("DROP TRIGGER {}", qualified(schema, &trigger.name)));
        }
    }
    for one in &present.tables {
        let name = table::full_name(one);
        let keys = one.foreign_keys.iter().map(|key| &key.name);
        let checks = one.checks.iter().map(|check| &check.name);
        drops.extend(
            keys.chain(checks)
                .map(|key| format!("ALTER TABLE {name} DROP CONSTRAINT {}", quoted(key))),
        );
    }
    for module in &present.modules {
        if !early.contains(format!("{}.{}", module.schema, module.name).as_str()) {
            let name = qualified(&module.schema, &module.name);
            drops.push(format!("DROP {} {name}", module.kind.keyword()));
        }
    }
    drop_all(session, drops).await
}

/// Executes statements, what fails again behind the others; false if some of them do not go.
async fn drop_all(session: &mut Session, mut waiting: Vec<String>) -> Result<bool> {
    loop {
        let count = waiting.len();
        let mut refused = Vec::new();
        for sql in waiting {
            match session.run(&sql).await {
                Ok(_rows) => {}
                Err(error) if !session.is_idle() => return Err(error),
                Err(_refused) => refused.push(sql),
            }
        }
        if refused.is_empty() || refused.len() == count {
            return Ok(refused.is_empty());
        }
        waiting = refused;
    }
}

/// Leaves of the tables those that are kept, and says which of them have all their keys.
async fn settle(
    session: &mut Session,
    kept: &mut BTreeMap<String, bool>,
    (wanted, present): (&Database, &Database),
) -> Result<()> {
    let mut there = BTreeSet::new();
    for copy in &present.tables {
        let name = full(copy);
        let table = wanted.table(&copy.schema, &copy.name).filter(|_| kept.contains_key(&name));
        let has_keys = table.is_some_and(|table| table.indexes == copy.indexes);
        let can_stay = match table {
            None => false,
            Some(_) if has_keys => true,
            // Some of them, or a part of one: they are made again behind the rows.
            Some(_) => drop_all(session, drop_indexes(copy)).await?,
        };
        if can_stay {
            there.insert(name.clone());
            kept.insert(name, has_keys);
        } else {
            session.run(&format!("DROP TABLE {}", table::full_name(copy))).await?;
        }
    }
    kept.retain(|name, _| there.contains(name));
    Ok(())
}

fn drop_indexes(copy: &Table) -> Vec<String> {
    let owner = table::full_name(copy);
    let drop = |index: &Index| {
        let name = quoted(&index.name);
        match index.role {
            Role::Plain => format!("DROP INDEX {name} ON {owner}"),
            Role::Primary | Role::Unique => format!("ALTER TABLE {owner} DROP CONSTRAINT {name}"),
        }
    };
    copy.indexes.iter().filter(|index| !index.is_clustered()).map(drop).collect()
}
