//! What a SQL Server is and what the login may do there, asked once.
//!
//! Promises: read-only. What differs between servers that speak T-SQL is a fact here and no guess by
//! version: which views of the catalog there are, and whether their locks can be relied on.

use super::answer;
use crate::error::Result;
use crate::mssql::catalog::{self, question};
use crate::mssql::name::literal;
use crate::mssql::script::likeness::Names;
use crate::mssql::script::snapshot::MEANS;
use crate::mssql::session::Session;

/// What a server is.
#[derive(Clone, Debug)]
pub struct ServerFacts {
    /// What it calls itself.
    pub name: String,
    /// Its version, in its own words.
    pub version: String,
    /// The collation of its own databases, which new ones get where nothing else is said.
    pub collation: String,
    /// Which views and columns its catalog has.
    pub views: question::Facts,
    /// The login may make databases.
    pub may_create_databases: bool,
    /// 5 and 11 have no databases in common with others, and no database snapshots.
    pub edition: i64,
    /// Lock hints are obeyed: there is a view that shows locks. Babelfish for PostgreSQL takes hints and
    /// locks nothing.
    pub obeys_locks: bool,
    /// Indexes get names of the server's own, as Babelfish for PostgreSQL's do.
    pub names_indexes: bool,
    /// Programs can be read behind a renaming of their database. Babelfish for PostgreSQL finds them by the name that it
    /// had when they were made.
    pub tells_renamed: bool,
}

/// Editions of Azure that have no database snapshots: SQL Database, Synapse.
const WITHOUT_SNAPSHOTS: [i64; 3] = [5, 6, 11];

impl ServerFacts {
    /// Whether database snapshots can be made there by this login.
    pub fn may_snapshot_databases(&self) -> bool {
        self.may_create_databases && self.obeys_locks && !WITHOUT_SNAPSHOTS.contains(&self.edition)
    }

    /// How the names in a database there and in one of another server are compared.
    pub fn names_with(&self, other: &ServerFacts, names: Names) -> Names {
        match self.names_indexes || other.names_indexes {
            true => names.without_indexes(),
            false => names,
        }
    }

    /// Whether names of databases that differ in case are two.
    pub fn tells_case(&self) -> bool {
        let collation = self.collation.to_ascii_uppercase();
        collation.contains("_CS") || collation.contains("_BIN")
    }
}

/// Asks a server.
pub async fn gather(session: &mut Session) -> Result<ServerFacts> {
    let rows = session.query(&catalog::facts_question()).await?;
    let views = question::Facts::read(&rows)?;
    let name = answer::text(session, "CAST(@@SERVERNAME AS nvarchar(256))").await?;
    const COLLATION: &str = "(SELECT CAST(d.collation_name AS nvarchar(256)) FROM sys.databases AS d \
                             WHERE d.name = N'master')";
    let collation = answer::text(session, COLLATION).await?;
    let obeys_locks = shows(session, "dm_tran_locks").await?;
    let is_babelfish = answer::is_babelfish(session).await?;
    let answers = answer::ask(session, &[&MEANS], &views).await?;
    let rows = MEANS.rows(&answers)?;
    let means = rows.first().ok_or_else(|| question::strange("no server".to_owned()))?;
    Ok(ServerFacts {
        name: name.unwrap_or_default(),
        version: means.maybe_text("product_version")?.unwrap_or_default(),
        collation: collation.unwrap_or_default(),
        views,
        may_create_databases: means.maybe_flag("may_create_databases")?,
        edition: means.maybe_int("engine_edition")?.unwrap_or(0),
        obeys_locks,
        names_indexes: is_babelfish,
        tells_renamed: !is_babelfish,
    })
}

/// Whether the server shows which statements run.
pub async fn shows_requests(session: &mut Session) -> Result<bool> {
    shows(session, "dm_exec_requests").await
}

/// Whether the server has a view of this name.
async fn shows(session: &mut Session, view: &str) -> Result<bool> {
    let there = format!(
        "(SELECT COUNT(*) FROM sys.all_objects AS o WHERE o.name = {} AND o.schema_id = \
         SCHEMA_ID(N'sys'))",
        literal(view)
    );
    Ok(answer::number(session, &there).await?.unwrap_or(0) > 0)
}
