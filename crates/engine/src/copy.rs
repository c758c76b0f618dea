//! Copy: databases from one live server to another, as they were at one moment.
//!
//! [`course`] has the order of a copy: look, stage, bring the rows, compare, publish. [`data`] brings them over
//! many [`lane`]s, [`verify`] compares, and what they ask of a family of servers is a [`carrier`]. What
//! only one family knows is in a module of its own: [`mysql`], [`mssql`].
//! Promises: what the target shows changes only in the last step, and then wholly; after any failure
//! or stop before it, it is as it was. No HTTP, no job table, no drawing.

use std::collections::BTreeMap;

use crate::endpoint::{Endpoint, Family};
use crate::error::{Error, ErrorKind, Result, Side};
use crate::import::Surroundings;
use crate::import::guard::Definer;
use crate::run::progress::Progress;
use crate::run::stop::Stop;
use mssql::SqlServerCourse;
use mysql::MySqlCourse;
use past::{Past, Repaired, Wait};
use report::{Failure, Report, Verified};
use scope::Scope;
use throttle::Limits;

pub mod arrival;
pub mod carrier;
pub mod check;
pub mod chunk;
pub mod comparison;
pub mod connections;
pub mod course;
pub mod data;
pub mod finding;
pub mod journal;
pub mod lane;
pub mod load;
pub mod mssql;
pub mod mysql;
pub mod outlet;
pub mod past;
pub mod report;
pub mod request;
pub mod scope;
pub mod share;
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
    /// Objects that are not carried are left out and named, instead of stopping the copy. SQL Server only.
    pub skip_unsupported: bool,
    /// Names what the copy makes on the target for its own use: up to 32 letters and digits, unlike
    /// those of any other copy.
    pub tag: String,
    /// What is done with copies that died.
    pub past: Past,
}

/// The course of the family that both servers are of.
enum Courses<'a> {
    MySql(MySqlCourse<'a>),
    SqlServer(SqlServerCourse<'a>),
}

/// Copies databases of `source` to `target`.
pub async fn run(
    source: &Endpoint,
    target: &Endpoint,
    options: &Options,
    surroundings: &Surroundings,
) -> std::result::Result<Report, Failure> {
    match course_of(Scope::new(source, target, options, surroundings))? {
        Courses::MySql(course) => Box::pin(course::run(&course)).await,
        Courses::SqlServer(course) => Box::pin(course::run(&course)).await,
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
    match course_of(Scope::new(source, target, options, surroundings))? {
        Courses::MySql(course) => Box::pin(course::preview(&course)).await,
        Courses::SqlServer(course) => Box::pin(course::preview(&course)).await,
    }
}

/// Compares the databases of `options` that both sides have now; differences are an error. Copies and writes
/// nothing.
pub async fn compare(
    source: &Endpoint,
    target: &Endpoint,
    options: &Options,
    surroundings: &Surroundings,
) -> std::result::Result<Report, Failure> {
    match course_of(Scope::new(source, target, options, surroundings))? {
        Courses::MySql(course) => Box::pin(comparison::run(&course)).await,
        Courses::SqlServer(course) => Box::pin(comparison::run(&course)).await,
    }
}

/// What an earlier attempt of the job in `options` ([`Past::ResumeOf`]) did, if the target shows it; what was being
/// published otherwise is undone. Copies nothing.
pub async fn shown(
    source: &Endpoint,
    target: &Endpoint,
    options: &Options,
) -> Result<Option<Report>> {
    let surroundings = Surroundings { progress: Progress::new(), stop: Stop::new() };
    let course = course_of(Scope::new(source, target, options, &surroundings));
    match course.map_err(|failure| failure.error)? {
        Courses::MySql(course) => course::before(&course).await,
        Courses::SqlServer(course) => course::before(&course).await,
    }
}

/// Tidies up after copies to `target` that died or ended, all of them or the one of a tag. What cannot be put
/// right stays, and is an error.
pub async fn repair(target: &Endpoint, tag: Option<&str>, wait: Wait) -> Result<Vec<Repaired>> {
    match target.family {
        Family::MySql => mysql::journal::repair(target, tag, wait).await,
        Family::SqlServer => mssql::journal::repair(target, tag, wait).await,
    }
}

fn course_of(scope: Scope<'_>) -> std::result::Result<Courses<'_>, Failure> {
    let error = match (scope.source.family, scope.target.family) {
        (Family::MySql, Family::MySql) => return Ok(Courses::MySql(MySqlCourse::new(scope))),
        (Family::SqlServer, Family::SqlServer) => {
            return Ok(Courses::SqlServer(SqlServerCourse::new(scope)));
        }
        (from, to) => {
            let text = format!(
                "--from is {}:// and --to is {}://: a copy stays within one family of servers",
                from.scheme(),
                to.scheme()
            );
            Error::new(ErrorKind::Usage, Side::Internal, text)
        }
    };
    Err(Failure { error, report: Box::new(scope.report()) })
}
#[test]
fn a_copy_stays_within_a_family() {
    let options = Options {
        databases: Vec::new(),
        lanes: 1,
        verify: Verified::None,
        replace: false,
        definer: Definer::Keep,
        load_data: false,
        chunk_bytes: 1,
        throttle: Limits::none(),
        collations: BTreeMap::new(),
        skip_unsupported: false,
        tag: String::new(),
        past: Past::Remove,
    };
    let progress = crate::run::progress::Progress::new();
    let surroundings = Surroundings { progress, stop: crate::run::stop::Stop::new() };
    let check = |from: &str, to: &str| {
        let parsed = |url: &str| Endpoint::parse(&format!("{url}://a@localhost")).unwrap();
        let (from, to) = (parsed(from), parsed(to));
        let course = course_of(Scope::new(&from, &to, &options, &surroundings));
        course.err().map(|failure| failure.error.message)
    };
    assert_eq!(check("mysql", "mariadb"), None);
    let refused = check("mssql", "mariadb").unwrap();
    assert!(refused.contains("--from is mssql://") && refused.contains("--to is mysql://"));
    assert!(check("mysql", "mssql").is_some());
}
