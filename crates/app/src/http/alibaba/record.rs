//! Jobs, instances and databases in the dialect's form: from what the store has to what an answer
//! shows.
//!
//! Pure: everything is given.

use store::{Job, State};
use wire::alibaba::call::DescribeDbInstances;
use wire::alibaba::code::Code;
use wire::alibaba::database::Database;
use wire::alibaba::engine::{Engine, sql_server_version};
use wire::alibaba::error::{Error, Result};
use wire::alibaba::import_id::ImportId;
use wire::alibaba::instance::{ClassType, Instance};
use wire::alibaba::state::{DatabaseStatus, InstanceStatus, JobState, LockMode};
use wire::alibaba::task::{ImportResult, TASK_ACTION, TaskProgress};

use crate::service::copies::{Class, Copy, Doing};
use crate::service::instances::{self, sql_server::Product};

/// Bytes of a mebibyte.
const MIB: u64 = 1 << 20;
/// Mebibytes of a gigabyte, as storage is registered.
const GIB_MIB: u64 = 1024;
/// The one type of instance that there is here.
const PRIMARY: &str = "Primary";
/// Things that were left out that a description names.
const LEFT_OUT_SHOWN: usize = 10;
/// What programs are told of a copy that failed.
const FAILED: &str = "ImportFailed";

/// A job's id as clients see it.
pub fn id_of(job: &Job) -> Result<ImportId> {
    ImportId::new(job.id).ok_or_else(|| Error::new(Code::InternalError))
}

/// The last millisecond of a minute or second that a client named as the end of a range.
pub fn to_the_end(seconds: i64) -> i64 {
    const MINUTE: i64 = 60;
    // Texts without seconds, as SDKs send them, come as the beginning of their minute.
    let last = if seconds % MINUTE == 0 { MINUTE } else { 1 };
    seconds.saturating_add(last).saturating_mul(1000).saturating_sub(1)
}

fn state_of(job: &Job) -> JobState {
    match job.state {
        State::Queued => JobState::Queued,
        State::Running if job.cancel_requested => JobState::Cancelling,
        State::Running => JobState::Running,
        State::Succeeded => JobState::Succeeded,
        State::Failed => JobState::Failed,
        State::Cancelled => JobState::Cancelled,
    }
}

/// Why it failed, or what it was told to leave out.
fn message(copy: &Copy) -> String {
    if let Some(failure) = copy.failure() {
        return failure.message;
    }
    let left_out = copy.success().map(|success| success.left_out).unwrap_or_default();
    match left_out.len() {
        0 => String::new(),
        count if count > LEFT_OUT_SHOWN => {
            let shown = left_out[..LEFT_OUT_SHOWN].join("; ");
            format!("left out: {shown}; and {} more", count - LEFT_OUT_SHOWN)
        }
        _ => format!("left out: {}", left_out.join("; ")),
    }
}

/// A copy in a list of imports.
pub fn result(copy: &Copy) -> Result<ImportResult> {
    Ok(ImportResult {
        import_id: id_of(&copy.job)?,
        state: state_of(&copy.job),
        description: message(copy),
    })
}

/// A copy in a list of tasks.
pub fn task(copy: &Copy) -> Result<TaskProgress> {
    let Copy { job, payload } = copy;
    let error_message = match job.state {
        State::Failed => message(copy),
        _ => String::new(),
    };
    Ok(TaskProgress {
        task_id: id_of(job)?.to_string(),
        task_action: TASK_ACTION.to_owned(),
        state: state_of(job),
        percent: if job.state == State::Succeeded { 100 } else { job.percent },
        progress_info: String::new(),
        step: None,
        step_name: String::new(),
        remaining_seconds: 0,
        begin_time: job.started_at.map(|at| at / 1000),
        finish_time: job.finished_at.map(|at| at / 1000),
        databases: payload.pairs().into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(","),
        error_code: if job.state == State::Failed { FAILED.to_owned() } else { String::new() },
        error_message,
    })
}

/// An engine by its other name.
pub fn engine(engine: store::Engine) -> Engine {
    match engine {
        store::Engine::MySql => Engine::MySql,
        store::Engine::MariaDb => Engine::MariaDb,
        store::Engine::SqlServer => Engine::SqlServer,
    }
}

/// An instance; what a job does with it goes before what was last seen of it.
pub fn instance(
    instance: &store::Instance,
    doing: Option<Doing>,
    is_read_only: Option<bool>,
) -> Instance {
    let status = match (doing, instance.status) {
        (Some(Doing::Importing), _) => InstanceStatus::Importing,
        (Some(Doing::Receiving), _) => InstanceStatus::ImportingFromOthers,
        (Some(Doing::Giving), _) => InstanceStatus::TransingToOthers,
        (None, store::InstanceStatus::Unknown) => InstanceStatus::Creating,
        (None, store::InstanceStatus::Running) => InstanceStatus::Running,
        (None, store::InstanceStatus::Unreachable) => InstanceStatus::Maintaining,
    };
    let used_mib = instance.used_bytes.map(|bytes| bytes.div_ceil(MIB));
    let room_mib = u64::from(instance.storage_gb) * GIB_MIB;
    let is_full = room_mib > 0 && used_mib.is_some_and(|used| used >= room_mib);
    let lock_mode = match is_read_only {
        Some(true) => LockMode::ManualLock,
        Some(false) | None if is_full => LockMode::LockByDiskQuota,
        Some(false) | None => LockMode::Unlock,
    };
    let class_type = match Class::of(instance) {
        Class::Shared => ClassType::Shared,
        Class::General => ClassType::General,
        Class::Dedicated => ClassType::Dedicated,
        Class::DedicatedHost => ClassType::DedicatedHost,
    };
    Instance {
        id: instance.id.clone(),
        description: instance.name.clone(),
        region: instance.region.clone(),
        zone: instance.zone.clone(),
        engine: engine(instance.engine),
        engine_version: engine_version(instance),
        status,
        lock_mode,
        class: instance.class.clone(),
        class_type,
        cpus: 0,
        memory_mib: 0,
        storage_gib: u64::from(instance.storage_gb),
        disk_used_mib: used_mib,
        databases_max: 0,
        connection_string: instance.host.clone(),
        port: instance.port,
        created: instance.created_at / 1000,
    }
}

fn engine_version(instance: &store::Instance) -> String {
    let version = instance.version.as_deref().unwrap_or_default();
    match instance.engine {
        // `10.11.19-MariaDB-…` is 10.11.
        store::Engine::MySql | store::Engine::MariaDb => {
            version.split('.').take(2).collect::<Vec<_>>().join(".")
        }
        store::Engine::SqlServer => {
            let Product { number, edition, is_always_on, .. } = Product::of_version(version);
            sql_server_version(&number, &edition, is_always_on)
        }
    }
}

/// Whether an instance passes the filters of a request.
pub fn is_asked(instance: &Instance, asked: &DescribeDbInstances) -> bool {
    let is = |filter: &Option<String>, value: &str| filter.as_ref().is_none_or(|own| own == value);
    let search = |key: &String| instance.id.contains(key) || instance.description.contains(key);
    instance.region == asked.region
        && (asked.instance_ids.is_empty() || asked.instance_ids.contains(&instance.id))
        && asked.engine.is_none_or(|engine| engine == instance.engine)
        && is(&asked.engine_version, &instance.engine_version)
        && is(&asked.status, instance.status.word())
        && asked.search_key.as_ref().is_none_or(search)
        && is(&asked.instance_type, PRIMARY)
        && is(&asked.zone, &instance.zone)
        && is(&asked.connection_string, &instance.connection_string)
}

/// A database of an instance.
pub fn database(instance: &store::Instance, database: instances::Database) -> Database {
    Database {
        name: database.name,
        instance_id: instance.id.clone(),
        engine: engine(instance.engine),
        // What is offline or being restored is not ready; the API has no word of its own for it.
        status: match database.is_online {
            true => DatabaseStatus::Running,
            false => DatabaseStatus::Creating,
        },
        character_set: database.charset,
        description: String::new(),
    }
}
