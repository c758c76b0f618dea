//! What a target has made, read anew and compared with what the source has.
//!
//! Promises: what is not alike is named; left out is what is known not to be carried, which is no part of the values
//! read ([`crate::mssql::catalog`]), and what changes by itself. What is compared is in
//! [`crate::mssql::script::likeness`].

use std::collections::BTreeSet;

use super::facts::ServerFacts;
use super::{answer, catalog, session};
use crate::copy::finding::Finding;
use crate::error::{Error, ErrorKind, Result, Side};
use crate::mssql::catalog::schema::Database;
use crate::mssql::script::likeness::{self, Names, Part, Unlike};
use crate::mssql::session::Session;

/// What is to be found in one database of the target.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// What the source has.
    pub database: &'a Database,
    /// The database on the target.
    pub name: &'a str,
    /// Expressions that the target is known to tell in words of its own.
    pub reworded: &'a BTreeSet<Part>,
    /// Nobody has taken numbers of its sequences yet.
    pub is_unused: bool,
}

/// Reads databases of the target, and gives what is not as wanted. The session is at home afterwards.
pub async fn compare(
    session: &mut Session,
    facts: &ServerFacts,
    wanted: &[Wanted<'_>],
    names: &Names,
) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for one in wanted {
        let made = catalog::read_carried(session, facts, one.name).await;
        let made = made.map_err(|error| error.on(Side::Target))?;
        answer::enter(session, session::HOME).await?;
        let mut unlike = likeness::differences(one.database, &made, names);
        if one.is_unused {
            unlike.extend(likeness::numbers(one.database, &made));
        }
        let others = likeness::reworded(one.database, &made, names);
        unlike.extend(others.into_iter().filter(|part| !one.reworded.contains(part)).map(reworded));
        let source = &one.database.name;
        findings.extend(unlike.into_iter().map(|unlike| found(source, unlike)));
    }
    Ok(findings)
}

/// An expression that is another on the target.
pub fn reworded((object, part): Part) -> Unlike {
    Unlike { object, what: format!("not the same expression: {part}") }
}

/// Something that is not alike, in the words of a report.
pub fn found(database: &str, unlike: Unlike) -> Finding {
    Finding::new(format!("{database}.{}", unlike.object), &unlike.what, "")
}

/// Fails if something is not alike.
pub fn judge(found: &[Finding]) -> Result<()> {
    let Some(first) = found.first() else { return Ok(()) };
    let others = match found.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    let text = format!(
        "the target's definitions are not the source's: {}: {}{others}",
        first.object, first.what
    );
    Err(Error::new(ErrorKind::Statement, Side::Target, text))
}

#[test]
fn what_is_not_alike_is_named() {
    let found: Vec<Finding> =
        ["a", "b"].map(|name| Finding::new(name, "not the same: x", "")).to_vec();
    assert!(judge(&[]).is_ok());
    let refused = judge(&found).unwrap_err();
    assert!(refused.message.ends_with("a: not the same: x, and 1 more"), "{refused}");
}
