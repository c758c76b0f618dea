//! Jobs and instances in the dialect's form: from what the store has to what an answer shows.
//!
//! Pure: everything is given.

use regex::Regex;
use store::{Instance, Job, State};
use wire::tencent::call::{DescribeDbInstances, InstanceOrder};
use wire::tencent::code::Code;
use wire::tencent::error::{Error, Result};
use wire::tencent::instance::Instance as Shown;
use wire::tencent::job_id::JobId;
use wire::tencent::reply::{ImportRecord, TaskDetail, TaskType};
use wire::tencent::state::JobState;

use super::{InstanceStatus, InstanceTask};
use crate::service::imports::Import;

/// The one type of instance that there is here: a master.
const MASTER: i64 = 1;

/// A job's id as clients see it.
pub fn id_of(job: &Job) -> Result<JobId> {
    JobId::from_hex(&job.public_id).ok_or_else(|| Error::new(Code::InternalError))
}

/// Where a job is.
pub fn state_of(job: &Job) -> JobState {
    match job.state {
        State::Queued => JobState::Queued,
        State::Running if job.cancel_requested => JobState::Cancelling,
        State::Running => JobState::Running,
        State::Succeeded => JobState::Succeeded,
        State::Failed => JobState::Failed,
        State::Cancelled => JobState::Cancelled,
    }
}

/// The states of the store that a filter of numbers asks for.
pub fn states(numbers: &[i64]) -> Vec<State> {
    let of = |state| match state {
        JobState::Queued => State::Queued,
        JobState::Running | JobState::Cancelling => State::Running,
        JobState::Succeeded => State::Succeeded,
        JobState::Failed => State::Failed,
        JobState::Cancelled => State::Cancelled,
    };
    let asked = JobState::ALL.into_iter().filter(|s| numbers.contains(&s.task_status_number()));
    let mut states: Vec<State> = asked.map(of).collect();
    states.dedup();
    states
}

/// What there is to say of a job; nothing while all is well.
pub fn message(import: &Import) -> String {
    match import.job.state {
        State::Cancelled => "the import was stopped".to_owned(),
        _ => import.failure().map(|failure| failure.message).unwrap_or_default(),
    }
}

/// A job as an import record, at a moment in milliseconds.
pub fn record(import: &Import, now: i64) -> Result<ImportRecord> {
    let Import { job, payload } = import;
    let status = state_of(job);
    let began = job.started_at.unwrap_or(now);
    let cost = job.finished_at.unwrap_or(now).saturating_sub(began).max(0) / 1000;
    Ok(ImportRecord {
        status,
        code: status.code(),
        cost_time: cost.unsigned_abs(),
        instance_id: job.instance_id.clone(),
        work_id: job.id.to_string(),
        file_name: file_name(import),
        process: percent(job),
        create_time: job.created_at / 1000,
        file_size: payload.size_bytes,
        message: message(import),
        job_id: job.id,
        db_name: payload.database.clone().unwrap_or_default(),
        async_request_id: id_of(job)?,
    })
}

/// A job as a task.
pub fn task(import: &Import) -> Result<TaskDetail> {
    let Import { job, .. } = import;
    let task_status = state_of(job);
    Ok(TaskDetail {
        code: task_status.code(),
        message: message(import),
        job_id: job.id,
        progress: percent(job),
        task_status,
        task_type: TaskType::ImportData,
        start_time: Some(job.started_at.unwrap_or(job.created_at) / 1000),
        end_time: job.finished_at.map(|at| at / 1000),
        instance_ids: vec![job.instance_id.clone()],
        async_request_id: id_of(job)?,
        task_attach_info: Vec::new(),
    })
}

/// The name that was given. For a job with `CosUrl` alone that is none: Terraform takes any other for a
/// change, and would import again.
fn file_name(import: &Import) -> String {
    match import.payload.fetched {
        Some(_) => String::new(),
        None => import.payload.file.clone(),
    }
}

fn percent(job: &Job) -> u8 {
    if job.state == State::Succeeded { 100 } else { job.percent }
}

/// An instance; `busy` if a job works on it.
pub fn instance(instance: &Instance, busy: bool) -> Shown {
    // `10.11.19-MariaDB-…` is 10.11.
    let version = instance.version.as_deref().unwrap_or_default();
    let engine_version = version.split('.').take(2).collect::<Vec<_>>().join(".");
    Shown {
        id: instance.id.clone(),
        name: instance.name.clone(),
        region: instance.region.clone(),
        zone: instance.zone.clone(),
        status: InstanceStatus::Running,
        task: if busy { InstanceTask::Importing } else { InstanceTask::None },
        vip: instance.host.clone(),
        port: instance.port,
        engine_version,
        memory_mib: 0,
        volume_gib: u64::from(instance.storage_gb),
        cpus: 0,
        created: instance.created_at / 1000,
        tags: Vec::new(),
    }
}

/// Whether an instance passes the filters that the store does not know.
pub fn is_asked(instance: &Shown, asked: &DescribeDbInstances) -> bool {
    fn any<T: PartialEq>(list: &[T], value: &T) -> bool {
        list.is_empty() || list.contains(value)
    }
    asked.with_masters
        && any(&asked.vips, &instance.vip)
        && any(&asked.statuses, &instance.status.number())
        && any(&asked.task_statuses, &instance.task.number())
        && any(&asked.instance_types, &MASTER)
        && any(&asked.engine_versions, &instance.engine_version)
}

/// Sorts as a request asks, else by the time of their making.
pub fn sort(instances: &mut [Shown], asked: &DescribeDbInstances) {
    match asked.order_by {
        Some(InstanceOrder::Id) => instances.sort_by(|a, b| a.id.cmp(&b.id)),
        Some(InstanceOrder::Name) => instances.sort_by(|a, b| a.name.cmp(&b.name)),
        _ => instances.sort_by_key(|instance| instance.created),
    }
    if asked.is_descending {
        instances.reverse();
    }
}

/// A test for names by a regular expression of a request; without one every name passes.
pub fn pattern(text: Option<&str>, name: &str) -> Result<impl Fn(&str) -> bool + use<>> {
    let regex = match text.filter(|text| !text.is_empty()) {
        Some(text) => Some(
            Regex::new(text).map_err(|_| Error::value(Code::InvalidParameterValueError, name))?,
        ),
        None => None,
    };
    Ok(move |name: &str| regex.as_ref().is_none_or(|regex| regex.is_match(name)))
}
