//! An instance in the API's two forms: a row of a list, and all its attributes.
//!
//! Fields are those of the SDKs' models, in their order, without those that only exist for products
//! that are not there (dedicated clusters, serverless, Babelfish). What instances here have nothing
//! of is empty.

use super::element::{Element, text};
use super::engine::Engine;
use super::state::{InstanceStatus, LockMode};
use super::time;

/// What we know of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `rm-bp1ibu****`
    pub id: String,
    /// Its name, for people.
    pub description: String,
    /// `cn-hangzhou`
    pub region: String,
    /// `cn-hangzhou-b`
    pub zone: String,
    /// What it runs.
    pub engine: Engine,
    /// `8.0`; of SQL Server by [`super::engine::sql_server_version`].
    pub engine_version: String,
    /// Where it is and what it is doing.
    pub status: InstanceStatus,
    /// Whether it may be written to.
    pub lock_mode: LockMode,
    /// The name of its size; may be empty.
    pub class: String,
    /// What it shares with others.
    pub class_type: ClassType,
    /// Cores; 0 when unknown. Goes out as text.
    pub cpus: u64,
    /// MiB; 0 when unknown.
    pub memory_mib: u64,
    /// GiB; 0 when unknown.
    pub storage_gib: u64,
    /// MiB; nothing when unknown. Goes out as text.
    pub disk_used_mib: Option<u64>,
    /// Databases that it may have; 0 when unknown.
    pub databases_max: u64,
    /// The server's address or name.
    pub connection_string: String,
    /// The server's port. Goes out as text.
    pub port: u16,
    /// Unix seconds.
    pub created: i64,
}

/// The families of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ClassType {
    /// `s`: shared.
    Shared,
    /// `x`: of its own, on a shared machine.
    General,
    /// `d`: dedicated.
    Dedicated,
    /// `h`: has a machine to itself.
    DedicatedHost,
}

impl ClassType {
    /// As the API has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shared => "s",
            Self::General => "x",
            Self::Dedicated => "d",
            Self::DedicatedHost => "h",
        }
    }
}

type Fields = Vec<(&'static str, Element)>;

/// A row of a list.
pub(super) fn row(instance: &Instance) -> Element {
    let mut fields: Fields = vec![("CreateTime", Element::Text(time::render(instance.created)))];
    fields.extend(alike(instance));
    fields.push(("MutriORsignle", Element::Flag(false)));
    Element::Fields(sorted(fields))
}

/// All attributes.
pub(super) fn attributes(instance: &Instance) -> Element {
    let disk_used = instance.disk_used_mib.map(|used| used.to_string()).unwrap_or_default();
    let guests = Element::Fields(vec![("DBInstanceIds", empty("DBInstanceId"))]);
    let mut fields: Fields = vec![
        ("CreationTime", Element::Text(time::render(instance.created))),
        ("DBClusterNodes", empty("DBClusterNode")),
        ("DBInstanceClassType", text(instance.class_type.word())),
        ("DBInstanceDiskUsed", Element::Text(disk_used)),
        ("DBInstanceStorage", Element::Number(instance.storage_gib)),
        ("DBMaxQuantity", Element::Number(instance.databases_max)),
        ("Extra", guests),
        ("IncrementSourceDBInstanceId", text("")),
        ("MaintainTime", text("")),
        ("Port", Element::Text(instance.port.to_string())),
        ("SecurityIPList", text("")),
        ("SlaveZones", empty("SlaveZone")),
    ];
    fields.extend(alike(instance));
    Element::Fields(sorted(fields))
}

/// The fields that both forms have.
fn alike(instance: &Instance) -> Fields {
    vec![
        ("Category", text("Basic")),
        ("ConnectionMode", text("Standard")),
        ("ConnectionString", text(&instance.connection_string)),
        ("DBInstanceCPU", Element::Text(instance.cpus.to_string())),
        ("DBInstanceClass", text(&instance.class)),
        ("DBInstanceDescription", text(&instance.description)),
        ("DBInstanceId", text(&instance.id)),
        ("DBInstanceMemory", Element::Number(instance.memory_mib)),
        ("DBInstanceNetType", text("Intranet")),
        ("DBInstanceStatus", text(instance.status.word())),
        ("DBInstanceStorageType", text("")),
        ("DBInstanceType", text("Primary")),
        ("DeletionProtection", Element::Flag(false)),
        ("Engine", text(instance.engine.word())),
        ("EngineVersion", text(&instance.engine_version)),
        // What is paid as it goes never expires.
        ("ExpireTime", text("")),
        ("GuardDBInstanceId", text("")),
        ("InstanceNetworkType", text("Classic")),
        ("LockMode", text(instance.lock_mode.word())),
        ("LockReason", text("")),
        ("MasterInstanceId", text("")),
        ("PayType", text("Postpaid")),
        ("ReadOnlyDBInstanceIds", empty("ReadOnlyDBInstanceId")),
        ("RegionId", text(&instance.region)),
        ("ResourceGroupId", text("")),
        ("TempDBInstanceId", text("")),
        ("VSwitchId", text("")),
        ("VpcCloudInstanceId", text("")),
        ("VpcId", text("")),
        ("ZoneId", text(&instance.zone)),
    ]
}

fn empty(name: &'static str) -> Element {
    Element::List(name, Vec::new())
}

fn sorted(mut fields: Fields) -> Fields {
    fields.sort_by_key(|(name, _)| *name);
    fields
}
