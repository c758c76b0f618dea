//! Which databases under which names: whether that makes sense by itself.
//!
//! Pure; asks no server.

use super::{DATABASES_MAX, staging};
use crate::endpoint::Family;
use crate::error::{Error, ErrorKind, Result, Side};

/// Databases that belong to a server of MySQL's family.
const MYSQL: [&str; 5] = ["information_schema", "performance_schema", "mysql", "sys", "dbferry"];
/// Databases that belong to a SQL Server.
const SQL_SERVER: [&str; 5] = ["master", "model", "msdb", "tempdb", "mssqlsystemresource"];

/// Whether the request makes sense by itself. `folds_case`: the target takes names that differ in case
/// for one.
pub fn check(
    family: Family,
    databases: &[(String, String)],
    same_server: bool,
    folds_case: bool,
) -> Result<()> {
    let is_same = |one: &String, other: &String| {
        one == other || (folds_case && one.to_lowercase() == other.to_lowercase())
    };
    let own = match family {
        Family::MySql => &MYSQL,
        Family::SqlServer => &SQL_SERVER,
    };
    let refused = |text: String| Err(Error::new(ErrorKind::Usage, Side::Internal, text));
    if databases.is_empty() || databases.len() > DATABASES_MAX {
        return refused(format!("a copy is of 1 to {DATABASES_MAX} databases"));
    }
    for (index, (from, to)) in databases.iter().enumerate() {
        let earlier = &databases[..index];
        if earlier.iter().any(|(other, _)| other == from) {
            return refused(format!("{from} is named twice"));
        }
        if earlier.iter().any(|(_, other)| is_same(other, to)) {
            return refused(format!("{to} would be written twice"));
        }
        for name in [from, to] {
            if own.iter().any(|system| name.eq_ignore_ascii_case(system))
                || name.starts_with(staging::PREFIX)
            {
                return refused(format!("{name} is not for copying"));
            }
        }
    }
    let written = |name: &String| databases.iter().any(|(_, to)| is_same(to, name));
    match databases.iter().find(|(from, _)| same_server && written(from)) {
        Some((from, _)) => {
            refused(format!("both sides are the same server, and {from} is read and written"))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_pairs(pairs: &[(&str, &str)], same_server: bool, folds_case: bool, allowed: bool) {
        let pairs: Vec<_> = pairs.iter().map(|(a, b)| (a.to_string(), b.to_string())).collect();
        let outcome = check(Family::MySql, &pairs, same_server, folds_case);
        assert_eq!(outcome.is_ok(), allowed, "{pairs:?}");
    }

    #[test]
    fn names_that_the_target_takes_for_one_are_one() {
        check_pairs(&[("Shop", "shop")], true, false, true);
        check_pairs(&[("Shop", "shop")], true, true, false);
        check_pairs(&[("Shop", "shop")], false, true, true);
        check_pairs(&[("a", "x"), ("b", "X")], false, false, true);
        check_pairs(&[("a", "x"), ("b", "X")], false, true, false);
        check_pairs(&[("a", "b"), ("b", "c")], true, false, false);
    }

    #[test]
    fn a_servers_own_databases_are_those_of_its_family() {
        let pairs = vec![("master".to_owned(), "x".to_owned())];
        assert!(check(Family::SqlServer, &pairs, false, false).is_err());
        assert!(check(Family::MySql, &pairs, false, false).is_ok());
    }
}
