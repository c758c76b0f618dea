//! An instance in the API's form: every documented field of `InstanceInfo`.
//!
//! We know a few of them; the rest say that there is nothing of the kind. Lists are never null,
//! which SDKs iterate over; objects that describe what is not there are, as the cloud has them.

use serde_json::{Map, Value, json};

use super::state::{InstanceStatus, InstanceTask};
use super::time;

/// What we know of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// `cdb-c1nl9rpv`
    pub id: String,
    /// For people.
    pub name: String,
    /// `ap-guangzhou`
    pub region: String,
    /// `ap-guangzhou-3`
    pub zone: String,
    /// Whether it is ready.
    pub status: InstanceStatus,
    /// What it is doing.
    pub task: InstanceTask,
    /// The server's address or name.
    pub vip: String,
    /// The server's port.
    pub port: u16,
    /// `8.0`
    pub engine_version: String,
    /// MiB; 0 when unknown.
    pub memory_mib: u64,
    /// GiB; 0 when unknown.
    pub volume_gib: u64,
    /// Cores; 0 when unknown.
    pub cpus: u64,
    /// Unix seconds.
    pub created: i64,
    /// Keys and values.
    pub tags: Vec<(String, String)>,
}

/// The fields in the order of the API's document.
pub(super) fn info(instance: &Instance) -> Value {
    let mut fields = Map::new();
    for part in [first(instance), second(instance), third(instance)] {
        if let Value::Object(part) = part {
            fields.extend(part);
        }
    }
    Value::Object(fields)
}

fn first(instance: &Instance) -> Value {
    json!({
        "WanStatus": 0,
        "Zone": instance.zone,
        "InitFlag": 1,
        "RoVipInfo": null,
        "Memory": instance.memory_mib,
        "Status": instance.status.number(),
        "VpcId": 0,
        "SlaveInfo": null,
        "InstanceId": instance.id,
        "Volume": instance.volume_gib,
        "AutoRenew": 0,
        "ProtectMode": 0,
        "RoGroups": [],
        "SubnetId": 0,
        // 1 is a master.
        "InstanceType": 1,
        "ProjectId": 0,
        "Region": instance.region,
        "DeadlineTime": time::NEVER,
        "DeployMode": 0,
        "TaskStatus": instance.task.number(),
        "MasterInfo": null,
        "DeviceType": "CUSTOM",
        "EngineVersion": instance.engine_version,
        "InstanceName": instance.name,
    })
}

fn second(instance: &Instance) -> Value {
    json!({
        "DrInfo": [],
        "WanDomain": "",
        "WanPort": 0,
        // 1 is pay as you go, which has no deadline.
        "PayType": 1,
        "CreateTime": time::render(instance.created),
        "Vip": instance.vip,
        "Vport": instance.port,
        "CdbError": 0,
        "UniqVpcId": "",
        "UniqSubnetId": "",
        "PhysicalId": "",
        "Cpu": instance.cpus,
        "Qps": 0,
        "ZoneName": instance.zone,
        "DeviceClass": "",
        "DeployGroupId": "",
        "ZoneId": 0,
        "InstanceNodes": 1,
    })
}

fn third(instance: &Instance) -> Value {
    let tag = |(key, value): &(String, String)| json!({ "TagKey": key, "TagValue": value });
    json!({
        "TagList": instance.tags.iter().map(tag).collect::<Vec<_>>(),
        "EngineType": "InnoDB",
        "MaxDelayTime": 0,
        "DiskType": "",
        "ExpandCpu": 0,
        "ClusterInfo": [],
        "AnalysisNodeInfos": [],
        "DeviceBandwidth": 0,
        "DestroyProtect": "off",
        "DiskEncryption": "off",
        "CpuModel": "",
        "AnalysisUpgradeVersionInfo": null,
    })
}
