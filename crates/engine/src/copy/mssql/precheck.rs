//! What stands in the way of a copy, found before anything is made.
//!
//! Promises: what is not carried is named; what a login cannot see is not taken for what is not there.
//! Whether the target takes every definition shows when they are made in the staging databases.

use super::facts::ServerFacts;
use super::{answer, database};
use crate::copy::finding::{self, Finding};
use crate::copy::throttle::Limits;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::catalog::finding as found;
use crate::mssql::catalog::schema::Database;
use crate::mssql::name::literal;
use crate::mssql::session::Session;

/// What users may have made in a database.
const OBJECTS: &str = "(SELECT COUNT(*) FROM sys.objects AS o WHERE o.is_ms_shipped = 0) + (SELECT \
                       COUNT(*) FROM sys.types AS t WHERE t.is_user_defined = 1)";
/// The session sees all definitions of its database.
const SEES_ALL: &str = "CASE WHEN IS_SRVROLEMEMBER('sysadmin') = 1 OR IS_MEMBER('db_owner') = 1 OR \
                        HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION') = 1 THEN 1 ELSE \
                        0 END";
/// The session sees values, not masks.
const SEES_VALUES: &str = "CASE WHEN IS_SRVROLEMEMBER('sysadmin') = 1 OR IS_MEMBER('db_owner') = 1 OR \
                           HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK') = 1 THEN 1 ELSE 0 END";

/// Limits that this family does not have.
pub fn limits(limits: &Limits) -> Result<()> {
    if limits.lag_seconds_max.is_none() && limits.replicas.is_empty() {
        return Ok(());
    }
    let text = "how far replicas are behind is not asked of SQL Server: leave out that limit";
    Err(Error::new(ErrorKind::Usage, Side::Internal, text))
}

/// Whether the source has the database and lets it be read. The session is in it afterwards.
pub async fn source(session: &mut Session, name: &str) -> Result<()> {
    let at_source = |error: Error| error.on(Side::Source);
    let there = format!(
        "(SELECT COUNT(*) FROM sys.databases AS d WHERE d.name = {0} AND HAS_DBACCESS({0}) = 1)",
        literal(name)
    );
    if answer::number(session, &there).await.map_err(at_source)? != Some(1) {
        let text = format!("there is no database {name} that the login may read");
        return Err(Error::new(ErrorKind::UnknownDatabase, Side::Source, text));
    }
    answer::enter(session, name).await.map_err(at_source)?;
    if answer::number(session, SEES_ALL).await.map_err(at_source)? == Some(1) {
        return Ok(());
    }
    let text = format!(
        "the login lacks VIEW DEFINITION on {name}: what it may not see would be missing in the copy"
    );
    Err(Error::new(ErrorKind::Privilege, Side::Source, text))
}

/// Whether masks would be copied in place of values. The session is in the database.
pub async fn masks(session: &mut Session, database: &Database) -> Result<()> {
    let masked = database.findings.iter().find(|finding| finding.what == "masked column");
    let Some(masked) = masked else { return Ok(()) };
    let sees = answer::number(session, SEES_VALUES).await;
    if sees.map_err(|error| error.on(Side::Source))? == Some(1) {
        return Ok(());
    }
    let text = format!("the login lacks UNMASK: it reads masks in place of {}", masked.object);
    Err(Error::new(ErrorKind::Privilege, Side::Source, text))
}

/// Whether databases can be made on the target.
pub fn may_create(facts: &ServerFacts) -> Result<()> {
    if facts.may_create_databases {
        return Ok(());
    }
    let text = "the login may not make databases: it needs CREATE ANY DATABASE, as dbcreator has";
    Err(Error::new(ErrorKind::Privilege, Side::Target, text))
}

/// Whether the target's database may be written; what is worth knowing if it is replaced. The session may be
/// in it afterwards.
pub async fn target(session: &mut Session, name: &str, replace: bool) -> Result<Option<String>> {
    if database::id(session, name).await?.is_none() {
        return Ok(None);
    }
    answer::enter(session, name).await?;
    if !replace && answer::number(session, OBJECTS).await? != Some(0) {
        let text = format!(
            "{name} on the target is not empty (--replace lets the copy take its place, once it is \
             complete)"
        );
        return Err(Error::new(ErrorKind::Refused, Side::Target, text));
    }
    const USERS: &str = "(SELECT COUNT(*) FROM sys.database_principals AS p WHERE p.type IN ('S', \
                         'U', 'G', 'E', 'X') AND p.name NOT IN (N'dbo', N'guest', N'sys', \
                         N'INFORMATION_SCHEMA'))";
    let users = answer::number(session, USERS).await?.unwrap_or(0);
    Ok((users > 0).then(|| format!("{name} is replaced: its {users} users go with it")))
}

/// What is not carried of a database: what stops the copy, and what is only told.
pub fn findings(database: &Database) -> (Vec<Finding>, Vec<String>) {
    let (mut stopping, mut told) = (Vec::new(), Vec::new());
    for one in &database.findings {
        let object = format!("{}: {} {}", database.name, one.what, one.object);
        match one.weight {
            found::Weight::Stops => stopping.push(Finding::new(object, &one.why, PROPOSAL)),
            found::Weight::Told => told.push(format!("{object} {}", one.why)),
        }
    }
    (stopping, told)
}

const PROPOSAL: &str = "--skip-unsupported goes on without";

/// Fails if there is something that is not carried, unless it may be left out.
pub fn judge(findings: &[Finding], skips: bool) -> Result<()> {
    if skips { Ok(()) } else { finding::judge(findings) }
}

#[test]
fn limits_that_are_not_known_of_sql_server_are_refused() {
    assert!(limits(&Limits::none()).is_ok());
    assert!(limits(&Limits { running_max: Some(3), ..Limits::none() }).is_ok());
    let refused = limits(&Limits { lag_seconds_max: Some(3), ..Limits::none() }).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::Usage);
}

#[test]
fn what_is_not_carried_stops_a_copy_unless_it_may_be_left_out() {
    let found = [Finding::new("shop: user or role buyers", "is not made", PROPOSAL)];
    assert!(judge(&[], false).is_ok() && judge(&found, true).is_ok());
    let refused = judge(&found, false).unwrap_err();
    assert!(refused.message.contains("buyers"), "{refused}");
}
