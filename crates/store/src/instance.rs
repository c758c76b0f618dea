//! Instances: the database servers that accounts have registered, and what a probe last saw.
//!
//! Promises: an id is unique in the whole store; a foreign account's instance is not found; the
//! administrator's password is sealed and given out by its own call only.
//!
//! Deliberately not here: connecting, probing, which jobs use an instance (see
//! [`Store::running_on`]).

pub(crate) mod change;

use crate::database::met;
use crate::limit;
use crate::seal::Place;
use crate::statement::{Row, Statement, sql};
use crate::{Error, Page, Result, Secret, Store};

/// Characters of an id.
const ID_CHARS: std::ops::RangeInclusive<usize> = 2..=63;
/// Every column but the password.
const COLUMNS: &str = "id, account, name, engine, host, port, options, admin_user, region, zone,
    class, storage_gb, created_at, status, version, used_bytes, probed_at, probe_error";

/// What kind of server it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Engine {
    /// `MySQL`.
    MySql,
    /// `MariaDB`.
    MariaDb,
    /// `SQL Server`.
    SqlServer,
}

/// What the last probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InstanceStatus {
    /// Not probed yet.
    Unknown,
    /// It answered.
    Running,
    /// It did not.
    Unreachable,
}

/// An instance to be registered.
#[derive(Debug, Clone)]
pub struct NewInstance {
    /// 2 to 63 characters: a small letter, then small letters, digits and hyphens.
    pub id: String,
    /// At most 255 characters, not unique.
    pub name: String,
    /// What kind of server it is.
    pub engine: Engine,
    /// Host name or address, at most 255 characters.
    pub host: String,
    /// TCP port, not 0.
    pub port: u16,
    /// How to connect, as text the store does not read (the options of its URL).
    pub options: String,
    /// The account on the server.
    pub admin_user: String,
    /// Its password.
    pub admin_password: Secret,
    /// At most 64 characters.
    pub region: String,
    /// At most 64 characters.
    pub zone: String,
    /// At most 64 characters, such as `dedicated`.
    pub class: String,
    /// Its storage, in gigabytes as its owner states them.
    pub storage_gb: u32,
}

/// A registered instance, without the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Unique in the whole store.
    pub id: String,
    /// Whose it is.
    pub account: i64,
    /// As given.
    pub name: String,
    /// What kind of server it is.
    pub engine: Engine,
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// As given.
    pub options: String,
    /// The account on the server.
    pub admin_user: String,
    /// As given.
    pub region: String,
    /// As given.
    pub zone: String,
    /// As given.
    pub class: String,
    /// As given, in gigabytes.
    pub storage_gb: u32,
    /// When it was registered.
    pub created_at: i64,
    /// What the last probe found.
    pub status: InstanceStatus,
    /// The server's version, when a probe saw one; it stays when later probes fail.
    pub version: Option<String>,
    /// Bytes its databases use, when a probe saw them; they stay when later probes fail.
    pub used_bytes: Option<u64>,
    /// When it was last probed.
    pub probed_at: Option<i64>,
    /// Why the last probe failed.
    pub probe_error: Option<String>,
}

/// What a probe saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probe {
    /// Whether it answered.
    pub status: InstanceStatus,
    /// The server's version; `None` keeps the one known.
    pub version: Option<String>,
    /// Bytes its databases use; `None` keeps the number known.
    pub used_bytes: Option<u64>,
    /// Why it failed; `None` clears the last reason.
    pub error: Option<String>,
}

/// An instance and what is needed to connect to it.
#[derive(Debug, Clone)]
pub struct InstanceToProbe {
    /// The instance.
    pub instance: Instance,
    /// Its administrator's password.
    pub admin_password: Secret,
}

/// Which instances to list; an empty list of values lets all through.
#[derive(Debug, Clone, Copy)]
pub struct InstanceFilter<'a> {
    /// Those with one of these ids.
    pub ids: &'a [String],
    /// Those with one of these names.
    pub names: &'a [String],
    /// Those with one of these states.
    pub statuses: &'a [InstanceStatus],
}

impl InstanceFilter<'_> {
    /// Lets all through.
    pub const ALL: Self = Self { ids: &[], names: &[], statuses: &[] };
}

impl Engine {
    /// The lower-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MySql => "mysql",
            Self::MariaDb => "mariadb",
            Self::SqlServer => "sqlserver",
        }
    }

    /// The engine of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::MySql, Self::MariaDb, Self::SqlServer].into_iter().find(|e| e.name() == name)
    }
}

impl InstanceStatus {
    /// The lower-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Running => "running",
            Self::Unreachable => "unreachable",
        }
    }

    /// The status of that name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        [Self::Unknown, Self::Running, Self::Unreachable].into_iter().find(|s| s.name() == name)
    }
}

impl NewInstance {
    fn check(&self) -> Result<()> {
        check_id(&self.id)?;
        limit::text("the instance's name", &self.name, 255)?;
        limit::name("the host", &self.host, 255)?;
        if self.port == 0 {
            return Err(Error::Invalid { what: "the port", why: "is 0" });
        }
        limit::json("the options", &self.options)?;
        limit::name("the user", &self.admin_user, 128)?;
        limit::text("the region", &self.region, 64)?;
        limit::text("the zone", &self.zone, 64)?;
        limit::text("the class", &self.class, 64)
    }
}

impl Store {
    /// Registers an instance; it is `unknown` until it is probed.
    ///
    /// # Errors
    ///
    /// [`Error::Conflict`] when any account has an instance of that id, [`Error::NotFound`] when
    /// there is no such account, [`Error::Invalid`].
    pub async fn register_instance(
        &self,
        account: i64,
        new: &NewInstance,
        now: i64,
    ) -> Result<Instance> {
        new.check()?;
        let row = row_name(account, &new.id);
        let sealed = self.key.seal(&place(&row), &new.admin_password)?;
        let insert = sql("INSERT INTO instance (id, account, name, engine, host, port, options,
             admin_user, admin_password, region, zone, class, storage_gb, created_at, status)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'unknown')")
        .text(&new.id)
        .int(account)
        .text(&new.name)
        .text(new.engine.name())
        .text(&new.host)
        .int(i64::from(new.port))
        .text(&new.options)
        .text(&new.admin_user)
        .bytes(sealed)
        .text(&new.region)
        .text(&new.zone)
        .text(&new.class)
        .int(i64::from(new.storage_gb))
        .int(now);
        self.database.run(insert).await?;
        self.instance(account, &new.id).await
    }

    /// An account's instance.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also when it is another account's.
    pub async fn instance(&self, account: i64, id: &str) -> Result<Instance> {
        let query =
            sql("SELECT ").then(COLUMNS).then(" FROM instance WHERE account = ? AND id = ?");
        let row = self.database.one(query.int(account).text(id)).await?;
        instance(&row.ok_or(Error::NotFound)?)
    }

    /// The password of an instance's administrator.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also when it is another account's; [`Error::Sealed`].
    pub async fn instance_password(&self, account: i64, id: &str) -> Result<Secret> {
        let query = sql("SELECT admin_password FROM instance WHERE account = ? AND id = ?");
        let row = self.database.one(query.int(account).text(id)).await?.ok_or(Error::NotFound)?;
        self.key.unseal(&place(&row_name(account, id)), &row.bytes("admin_password")?)
    }

    /// An account's instances, oldest first.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a filter with too many values.
    pub async fn instances(
        &self,
        account: i64,
        filter: &InstanceFilter<'_>,
        offset: u32,
        limit: u32,
    ) -> Result<Page<Instance>> {
        limit::filter("the list of ids", filter.ids)?;
        limit::filter("the list of names", filter.names)?;
        let statuses: Vec<&str> = filter.statuses.iter().map(|status| status.name()).collect();
        let narrow = |query: Statement| {
            query
                .then(" FROM instance WHERE account = ?")
                .int(account)
                .and_in("id", filter.ids)
                .and_in("name", filter.names)
                .and_in("status", &statuses)
        };
        let items = narrow(sql("SELECT ").then(COLUMNS)).then(" ORDER BY created_at, id");
        self.database
            .page(items, offset, limit, narrow(sql("SELECT COUNT(*) AS total")), instance)
            .await
    }

    /// Keeps what a probe saw.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when it was removed meanwhile, [`Error::Invalid`].
    pub async fn record_probe(&self, id: &str, probe: &Probe, now: i64) -> Result<()> {
        limit::text("the version", probe.version.as_deref().unwrap_or_default(), 128)?;
        limit::json("the reason", probe.error.as_deref().unwrap_or_default())?;
        let used = probe.used_bytes.map(|used| limit::bytes("the used bytes", used)).transpose()?;
        let change = sql("UPDATE instance SET status = ?, version = COALESCE(?, version),
             used_bytes = COALESCE(?, used_bytes), probed_at = ?, probe_error = ? WHERE id = ?")
        .text(probe.status.name())
        .optional_text(probe.version.as_deref())
        .int(used)
        .int(now)
        .optional_text(probe.error.as_deref())
        .text(id);
        met(self.database.run(change).await?)
    }

    /// Instances of all accounts by id, from after the id `after`, to be probed.
    ///
    /// # Errors
    ///
    /// [`Error::Sealed`].
    pub async fn all_for_probe(
        &self,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Vec<InstanceToProbe>> {
        let query = sql("SELECT admin_password, ")
            .then(COLUMNS)
            .then(" FROM instance WHERE id > ? ORDER BY id LIMIT ?")
            .text(after.unwrap_or_default())
            .int(i64::from(limit.min(limit::PAGE_MAX)));
        let rows = self.database.all(query).await?;
        rows.iter().map(|row| self.instance_to_probe(row)).collect()
    }

    fn instance_to_probe(&self, row: &Row) -> Result<InstanceToProbe> {
        let instance = instance(row)?;
        let name = row_name(instance.account, &instance.id);
        let admin_password = self.key.unseal(&place(&name), &row.bytes("admin_password")?)?;
        Ok(InstanceToProbe { instance, admin_password })
    }
}

/// Checks the form of an instance's id.
fn check_id(id: &str) -> Result<()> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = ID_CHARS.contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(inner);
    if fits {
        return Ok(());
    }
    Err(Error::Invalid {
        what: "the instance's id",
        why: "is not a small letter and 1 to 62 small letters, digits and hyphens",
    })
}

/// An id can be registered again by another account: the sealed value of the old one is no use.
pub(crate) fn row_name(account: i64, id: &str) -> String {
    format!("{account}/{id}")
}

fn place(row: &str) -> Place<'_> {
    Place { table: "instance", column: "admin_password", row }
}

fn instance(row: &Row) -> Result<Instance> {
    Ok(Instance {
        id: row.text("id")?,
        account: row.int("account")?,
        name: row.text("name")?,
        engine: Engine::of_name(&row.text("engine")?).ok_or(Error::Corrupt("engine"))?,
        host: row.text("host")?,
        port: row.small("port")?,
        options: row.text("options")?,
        admin_user: row.text("admin_user")?,
        region: row.text("region")?,
        zone: row.text("zone")?,
        class: row.text("class")?,
        storage_gb: row.small("storage_gb")?,
        created_at: row.int("created_at")?,
        status: InstanceStatus::of_name(&row.text("status")?).ok_or(Error::Corrupt("status"))?,
        version: row.optional_text("version")?,
        used_bytes: row.optional_count("used_bytes")?,
        probed_at: row.optional_int("probed_at")?,
        probe_error: row.optional_text("probe_error")?,
    })
}
