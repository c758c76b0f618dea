//! SQL Server as an instance: what it is, what it holds, and which of its databases a copy asks for.
//!
//! The questions are to views that any login may see, few, and without conditions: what is wanted of an
//! answer is looked for here. What a server tells only to those who may see more, or not at all, is
//! missing; that is never more than a size. Nobody here waits: limits are the callers'.

use engine::endpoint::Endpoint;
use engine::error::Error;
use engine::mssql::name::{binary, literal, quoted};
use engine::mssql::session::Session;
use engine::mssql::value::{Row, Value};

use super::Database;

/// What the server is.
pub const PRODUCT: &str = "SELECT CAST(SERVERPROPERTY('ProductVersion') AS nvarchar(128)), \
    CAST(SERVERPROPERTY('Edition') AS nvarchar(128)), \
    CAST(SERVERPROPERTY('IsHadrEnabled') AS int), \
    CAST(SERVERPROPERTY('ServerName') AS nvarchar(256)), \
    CAST(SERVERPROPERTY('Collation') AS nvarchar(128))";
/// All databases. The last column is a GUID that a database gets when it is made; Babelfish has none.
pub const DATABASES: &str = "SELECT CAST(d.name AS nvarchar(128)), \
    CAST(d.collation_name AS nvarchar(128)), CAST(d.state AS int), CAST(d.is_read_only AS int), \
    HAS_DBACCESS(d.name), d.service_broker_guid FROM sys.databases AS d";
/// Bytes of all files.
pub const USED: &str = "SELECT SUM(CAST(f.size AS bigint)) * 8192 FROM sys.master_files AS f";
/// Databases of the server itself. The last one is made at its start.
const OWN: [&str; 4] = ["master", "model", "msdb", "tempdb"];
/// Of a version of 2017.
const VERSION_2017: &str = "14.";
/// What [`Product::version`] puts behind the edition of a server with Always On.
const ALWAYS_ON: &str = ", Always On";
/// The state of a database that can be used.
const ONLINE: i64 = 0;

/// What a server is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Product {
    /// `15.0.4312.2`
    pub number: String,
    /// `Standard Edition (64-bit)`
    pub edition: String,
    /// It takes part in Always On.
    pub is_always_on: bool,
    name: String,
    folds_case: bool,
}

/// What a server has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    databases: Vec<Known>,
    folds_case: bool,
}

/// A database as its server tells of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// Its collation.
    pub collation: String,
    /// It is not offline, being restored or the like.
    pub is_online: bool,
    /// It takes no writes.
    pub is_read_only: bool,
    /// The login may enter it.
    pub is_open: bool,
    guid: Vec<u8>,
}

impl Product {
    /// As it is kept and shown: number and edition.
    pub fn version(&self) -> String {
        let always_on = if self.is_always_on { ALWAYS_ON } else { "" };
        format!("{} {}{always_on}", self.number, self.edition)
    }

    /// Reads what [`Product::version`] wrote.
    pub fn of_version(version: &str) -> Product {
        let (number, edition) = version.split_once(' ').unwrap_or((version, ""));
        let edition_alone = edition.strip_suffix(ALWAYS_ON);
        Product {
            number: number.to_owned(),
            edition: edition_alone.unwrap_or(edition).to_owned(),
            is_always_on: edition_alone.is_some(),
            ..Product::default()
        }
    }

    /// The cluster edition of 2017.
    pub fn is_cluster_of_2017(&self) -> bool {
        self.is_always_on && self.number.starts_with(VERSION_2017)
    }
}

/// Connects, to ask.
pub async fn connect(endpoint: &Endpoint) -> Result<Session, Error> {
    let endpoint = Endpoint { database: Some("master".to_owned()), ..endpoint.clone() };
    Session::connect(&endpoint, "look").await
}

/// What the server is.
pub async fn product(session: &mut Session) -> Result<Product, Error> {
    let row = session.query(PRODUCT).await?.into_iter().next().unwrap_or_default();
    let text = |at: usize| text(&row, at).unwrap_or_default();
    Ok(Product {
        number: text(0),
        edition: text(1),
        is_always_on: number(&row, 2) == Some(1),
        name: text(3),
        folds_case: text(4).to_ascii_lowercase().contains("_ci"),
    })
}

/// Bytes that all its databases take on disk, if it tells.
pub async fn used_bytes(session: &mut Session) -> Option<u64> {
    size(session, USED).await
}

/// What it has.
pub async fn held(session: &mut Session, product: &Product) -> Result<Held, Error> {
    let rows = session.query(DATABASES).await?;
    let known = |row: &Row| Known {
        name: text(row, 0).unwrap_or_default(),
        collation: text(row, 1).unwrap_or_default(),
        is_online: number(row, 2) == Some(ONLINE),
        is_read_only: number(row, 3) == Some(1),
        is_open: number(row, 4) == Some(1),
        guid: match row.get(5) {
            Some(Value::Bytes(guid)) => guid.clone(),
            _ => Vec::new(),
        },
    };
    Ok(Held { databases: rows.iter().map(known).collect(), folds_case: product.folds_case })
}

impl Held {
    /// The databases but the server's own, by name.
    pub fn databases(&self) -> Vec<Database> {
        let is_own = |known: &&Known| OWN.contains(&known.name.as_str());
        let database = |known: &Known| Database {
            name: known.name.clone(),
            charset: known.collation.clone(),
            is_online: known.is_online,
        };
        let mut databases: Vec<Database> =
            self.databases.iter().filter(|known| !is_own(known)).map(database).collect();
        databases.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        databases
    }

    /// The database that a name leads to.
    pub fn find(&self, name: &str) -> Option<&Known> {
        self.databases.iter().find(|known| self.is_same(&known.name, name))
    }

    /// Whether the server takes two names for one, as far as the case of their letters goes.
    pub fn is_same(&self, one: &str, other: &str) -> bool {
        one == other || (self.folds_case && one.to_lowercase() == other.to_lowercase())
    }

    /// Tells the server from others, until it is started anew. Where it tells nothing of the kind, its
    /// address has to do.
    pub fn identity(&self, product: &Product, endpoint: &Endpoint) -> String {
        let made_at_start = self.databases.iter().find(|known| known.name == "tempdb");
        match made_at_start.map(|known| known.guid.as_slice()).unwrap_or_default() {
            [] => format!("{} at {}", product.name, endpoint.address()),
            guid => format!("{} {}", product.name, binary(guid)),
        }
    }
}

/// Asks whether a database holds anything.
pub fn holds(database: &str) -> String {
    format!("SELECT COUNT(*) FROM {}.sys.objects AS o WHERE o.is_ms_shipped = 0", quoted(database))
}

/// Whether a database that the login may enter holds anything.
pub async fn is_filled(session: &mut Session, database: &str) -> Result<bool, Error> {
    let rows = session.query(&holds(database)).await?;
    Ok(rows.first().and_then(|row| number(row, 0)) != Some(0))
}

/// Asks for the bytes that a database has.
pub fn size_of(database: &str) -> String {
    format!(
        "SELECT SUM(CAST(a.total_pages AS bigint)) * 8192 FROM {}.sys.allocation_units AS a",
        quoted(database)
    )
}

/// Bytes that databases have together, if the server tells of all of them.
pub async fn bytes(session: &mut Session, databases: &[String]) -> Option<u64> {
    let mut sum: u64 = 0;
    for database in databases {
        sum = sum.saturating_add(size(session, &size_of(database)).await?);
    }
    Some(sum)
}

/// Databases whose names begin so.
pub async fn beginning(session: &mut Session, names: &str) -> Result<Vec<String>, Error> {
    let question = format!(
        "SELECT CAST(d.name AS nvarchar(128)) FROM sys.databases AS d WHERE LEFT(d.name, {}) = {}",
        names.chars().count(),
        literal(names)
    );
    let rows = session.query(&question).await?;
    Ok(rows.iter().filter_map(|row| text(row, 0)).collect())
}

async fn size(session: &mut Session, question: &str) -> Option<u64> {
    let rows = session.query(question).await.ok()?;
    u64::try_from(number(rows.first()?, 0)?).ok()
}

fn text(row: &Row, at: usize) -> Option<String> {
    match row.get(at)? {
        Value::Text(text) => Some(text.clone()),
        Value::Null | Value::Int(_) | Value::Bytes(_) => None,
    }
}

fn number(row: &Row, at: usize) -> Option<i64> {
    match row.get(at)? {
        Value::Int(number) => Some(*number),
        Value::Null | Value::Text(_) | Value::Bytes(_) => None,
    }
}

#[test]
fn a_version_says_what_the_server_is() {
    for (edition, is_always_on) in [("Enterprise Edition (64-bit)", true), ("Web", false)] {
        let number = "14.0.3456.2".to_owned();
        let edition = edition.to_owned();
        let product = Product { number, edition, is_always_on, ..Product::default() };
        assert_eq!(Product::of_version(&product.version()), product);
        assert_eq!(product.is_cluster_of_2017(), is_always_on);
    }
    assert!(!Product::of_version("15.0.1 E, Always On").is_cluster_of_2017());
    assert_eq!(Product::of_version(""), Product::default());
}
