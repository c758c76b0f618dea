//! All that a copy will make, made once in empty databases of its own before any row is read.
//!
//! Promises: what the target does not take, or takes as something else, shows before hours of rows, all of it and by
//! name; the databases are gone again when the rows come, so that no trigger fires for them. Modules that name
//! databases of the job name those of the trial. That a definition holds for the rows shows behind these.

use std::collections::BTreeSet;

use super::facts::ServerFacts;
use super::{answer, catalog, database, session, staging};
use crate::copy::finding::Finding;
use crate::error::{Error, Result, Side};
use crate::mssql::catalog::schema::Database;
use crate::mssql::script::likeness::{self, Names, Part};
use crate::mssql::script::rename::Renames;
use crate::mssql::script::{self, Phase, Script};
use crate::mssql::session::Session;
use crate::run::failpoint;

/// What the copy makes before the rows, or on their way.
const EARLY: [Phase; 3] = [Phase::Schemas, Phase::Tables, Phase::Indexes];
/// What it makes behind the exchange.
const LAST: [Phase; 2] = [Phase::AfterRename, Phase::DatabaseTriggers];

/// What a trial showed.
#[derive(Debug, Default)]
pub struct Tried {
    /// What the target does not take, or takes as something else.
    pub findings: Vec<Finding>,
    /// What it said to the first thing that it does not take.
    pub first: Option<Error>,
    /// By number of the database: expressions that the target tells in words of its own.
    pub reworded: Vec<BTreeSet<Part>>,
}

/// Tries the definitions of `databases` in databases that `trials` names, which are not there; each pair begins with
/// the source's name, and `names` compares them. The session is at home afterwards.
pub async fn run(
    session: &mut Session,
    (facts, names): (&ServerFacts, &Names),
    databases: &[Database],
    trials: &[(String, String)],
) -> Result<Tried> {
    let renames = Renames::new(trials.iter().cloned());
    let each = databases.iter().zip(trials);
    let scripts: Vec<Script> =
        each.map(|(one, (_, name))| script::script(one, name, &renames)).collect();
    let named: Vec<(&str, &Script)> =
        trials.iter().map(|(_, name)| name.as_str()).zip(&scripts).collect();
    for (one, (name, script)) in databases.iter().zip(&named) {
        // What is refused of the options is told when the copy itself is made.
        staging::create(session, facts, name, (one, script)).await?;
        answer::enter(session, session::HOME).await?;
    }
    let mut tried = Tried::default();
    for phase in EARLY.into_iter().chain(staging::LATE).chain(LAST) {
        let lacks_objects = tried.first.is_some();
        for (index, object, error) in staging::everywhere(session, &named, phase).await? {
            // Where something is missing, so is what needs it.
            if !(lacks_objects && lacks_object(&error)) {
                let object = format!("{}.{object}", databases[index].name);
                tried.findings.push(Finding::refused(object, &error));
                tried.first.get_or_insert(error);
            }
        }
    }
    failpoint::pass("programs tried");
    if tried.first.is_none() {
        compare(session, (facts, names), (databases, trials), &mut tried).await?;
    }
    for (_, name) in trials {
        database::remove(session, name).await?;
    }
    Ok(tried)
}

/// Reads what the target has made of it all.
async fn compare(
    session: &mut Session,
    (facts, names): (&ServerFacts, &Names),
    (databases, trials): (&[Database], &[(String, String)]),
    tried: &mut Tried,
) -> Result<()> {
    for (wanted, (_, name)) in databases.iter().zip(trials) {
        let made = catalog::read_carried(session, facts, name).await;
        let made = made.map_err(|error| error.on(Side::Target))?;
        answer::enter(session, session::HOME).await?;
        for one in likeness::differences(wanted, &made, names) {
            let object = format!("{}.{}", wanted.name, one.object);
            tried.findings.push(Finding::new(object, &one.what, ""));
        }
        tried.reworded.push(likeness::reworded(wanted, &made, names));
    }
    Ok(())
}

/// An object that is not there, in the words of several statements: of queries, of ALTER, of indexes, of foreign keys,
/// of triggers, of DISABLE TRIGGER, of properties.
fn lacks_object(error: &Error) -> bool {
    matches!(error.code(), Some(208 | 4902 | 1088 | 1767 | 8197 | 15151 | 15135))
}
