//! The statements that hold a source at one moment.
//!
//! Promises: texts only; [`choose`] takes the first way that the server and the login allow, in the order
//! of [`Mode`]. Runs nothing and waits for nothing.

use crate::mssql::catalog::question::{Question, int, text};
use crate::mssql::name::{literal, quoted};

/// How readers see one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mode {
    /// SNAPSHOT transactions that all began under one fence of shared locks.
    Snapshot,
    /// A database snapshot for each database.
    DatabaseSnapshot,
    /// Shared locks until everything is read: nobody writes meanwhile.
    Locks,
}

/// What decides the mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Means {
    /// Every database of the job has ALLOW_SNAPSHOT_ISOLATION.
    pub allows_snapshot: bool,
    /// The server has database snapshots, and the login may make databases.
    pub may_snapshot_databases: bool,
    /// Writers may be kept out for as long as the copy reads.
    pub may_lock: bool,
}

/// What the login may do, and what the server is.
pub const MEANS: Question = Question {
    name: "means",
    columns: &[
        int("engine_edition", "SERVERPROPERTY('EngineEdition')"),
        text("product_version", "CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128))"),
        int("may_create_databases", "HAS_PERMS_BY_NAME(NULL, NULL, 'CREATE ANY DATABASE')"),
        int("may_view_definitions", "HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'VIEW DEFINITION')"),
        int("may_unmask", "HAS_PERMS_BY_NAME(DB_NAME(), 'DATABASE', 'UNMASK')"),
    ],
    from: "",
    views: &[],
};

/// The files that a database snapshot stands for.
pub const FILES: Question = Question {
    name: "files",
    columns: &[text("name", "f.name"), text("physical_name", "f.physical_name")],
    from: "FROM sys.database_files AS f WHERE f.type = 0 ORDER BY f.file_id",
    views: &[],
};

/// The way that is taken; `None` if there is none.
pub fn choose(means: Means) -> Option<Mode> {
    match means {
        Means { allows_snapshot: true, .. } => Some(Mode::Snapshot),
        Means { may_snapshot_databases: true, .. } => Some(Mode::DatabaseSnapshot),
        Means { may_lock: true, .. } => Some(Mode::Locks),
        Means { .. } => None,
    }
}

/// What the session with the fence is set to; it waits `wait_ms` at most for one table.
pub fn fence_session(wait_ms: u32) -> String {
    format!(
        "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET LOCK_TIMEOUT {wait_ms}; BEGIN TRANSACTION"
    )
}

/// Keeps writers out of a table, named as a statement names it, until the transaction ends; readers go on.
///
/// One row is asked for, because a question that cannot have rows is answered without a lock.
pub fn fence(name: &str) -> String {
    format!("SELECT TOP (1) 1 FROM {name} WITH (TABLOCK, HOLDLOCK)")
}

/// Ends the fence.
pub const FENCE_END: &str = "IF @@TRANCOUNT > 0 ROLLBACK TRANSACTION";

/// Begins a reader. Its moment is that of its first read, [`look`], not of this.
pub const READER_BEGIN: &str =
    "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; SET XACT_ABORT ON; BEGIN TRANSACTION";

/// Begins a reader of what stands still anyway.
pub const READER_BEGIN_STILL: &str =
    "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SET XACT_ABORT ON; BEGIN TRANSACTION";

/// A reader's first read, which fixes its moment, of a table that is named as a statement names it.
pub fn look(name: &str) -> String {
    format!("SELECT TOP (1) 1 FROM {name}")
}

/// Makes a database snapshot. `files` are the answers to [`FILES`]; its own files lie beside them, told
/// apart by `mark`.
pub fn create_database_snapshot(
    database: &str,
    snapshot: &str,
    files: &[(String, String)],
    mark: &str,
) -> String {
    let files: Vec<String> = files
        .iter()
        .map(|(name, path)| {
            let path = literal(&format!("{path}.{mark}"));
            format!("(NAME = {}, FILENAME = {path})", quoted(name))
        })
        .collect();
    format!(
        "CREATE DATABASE {} ON {} AS SNAPSHOT OF {}",
        quoted(snapshot),
        files.join(", "),
        quoted(database)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_intrusive_way_is_taken() {
        let all = Means { allows_snapshot: true, may_snapshot_databases: true, may_lock: true };
        assert_eq!(choose(all), Some(Mode::Snapshot));
        assert_eq!(choose(Means { allows_snapshot: false, ..all }), Some(Mode::DatabaseSnapshot));
        assert_eq!(choose(Means { may_lock: true, ..Means::default() }), Some(Mode::Locks));
        assert_eq!(choose(Means::default()), None);
    }

    #[test]
    fn a_snapshot_has_a_file_beside_each_file() {
        let files =
            [("da]ta".to_owned(), "/var/it's.mdf".to_owned()), ("b".into(), "/b.ndf".into())];
        assert_eq!(
            create_database_snapshot("a", "a~snap", &files, "s1"),
            "CREATE DATABASE [a~snap] ON (NAME = [da]]ta], FILENAME = N'/var/it''s.mdf.s1'), (NAME = \
             [b], FILENAME = N'/b.ndf.s1') AS SNAPSHOT OF [a]"
        );
    }
}
