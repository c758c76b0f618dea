//! What goes back to the client.
//!
//! Promises: field names, order and JSON types are the API document's, so that SDKs with strict
//! types read them; every answer is HTTP 200 with a `RequestId`, because the Python SDK and tccli
//! lose the code of an error otherwise. Values come in neutral: times as Unix seconds, states as
//! [`JobState`].

use serde::{Serialize, Serializer};
use serde_json::Value;

use super::error::Result;
use super::instance::{self, Instance};
use super::job_id::JobId;
use super::language::Language;
use super::state::{JobState, TASK_TYPE};
use super::time;

/// The whole header: the Python SDK takes an error for a success when a charset follows.
const CONTENT_TYPE: &str = "application/json";

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The HTTP status, 200 for errors too.
    pub status: u16,
    /// The `Content-Type`, to be sent exactly so.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// The answers of the actions, by the API's names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Reply {
    /// The new job's id.
    #[serde(rename_all = "PascalCase")]
    CreateDbImportJob {
        /// To ask for it with.
        #[serde(serialize_with = "as_text")]
        async_request_id: JobId,
    },
    /// A page of imports.
    #[serde(rename_all = "PascalCase")]
    DescribeDbImportRecords {
        /// On all pages.
        total_count: u64,
        /// On this page.
        items: Vec<ImportRecord>,
    },
    /// Where a job is.
    #[serde(rename_all = "PascalCase")]
    DescribeAsyncRequestInfo {
        /// Its state.
        #[serde(serialize_with = "as_async_status")]
        status: JobState,
        /// For people; may be empty.
        info: String,
    },
    /// A page of tasks.
    #[serde(rename_all = "PascalCase")]
    DescribeTasks {
        /// On all pages.
        total_count: u64,
        /// On this page.
        items: Vec<TaskDetail>,
    },
    /// A page of uploaded files.
    #[serde(rename_all = "PascalCase")]
    DescribeUploadedFiles {
        /// On all pages.
        total_count: u64,
        /// On this page.
        items: Vec<SqlFileInfo>,
    },
    /// A page of instances.
    #[serde(rename_all = "PascalCase")]
    DescribeDbInstances {
        /// On all pages.
        total_count: u64,
        /// On this page.
        #[serde(serialize_with = "as_instances")]
        items: Vec<Instance>,
    },
    /// A page of databases.
    #[serde(rename_all = "PascalCase")]
    DescribeDatabases {
        /// On all pages.
        total_count: u64,
        /// The names on this page.
        items: Vec<String>,
        /// The same with their character sets.
        database_list: Vec<Database>,
    },
    /// A page of tables' names.
    #[serde(rename_all = "PascalCase")]
    DescribeTables {
        /// On all pages.
        total_count: u64,
        /// On this page.
        items: Vec<String>,
    },
    /// The names of columns.
    #[serde(rename_all = "PascalCase")]
    DescribeTableColumns {
        /// As many as `items`.
        total_count: u64,
        /// In the table's order.
        items: Vec<String>,
    },
    /// `StopDBImportJob` and `CreateDatabase` say nothing but that it is done.
    Done {},
}

/// An import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImportRecord {
    /// Its state.
    #[serde(serialize_with = "as_record_status")]
    pub status: JobState,
    /// [`JobState::code`], or an error's own.
    pub code: i64,
    /// Seconds it has taken.
    pub cost_time: u64,
    /// As the request that made it named the instance: Terraform compares.
    pub instance_id: String,
    /// A number of the backend's, as text.
    pub work_id: String,
    /// As the request that made it named the file: Terraform compares.
    pub file_name: String,
    /// Percent.
    pub process: u8,
    /// Unix seconds.
    #[serde(serialize_with = "as_time")]
    pub create_time: i64,
    /// Bytes; goes out as text.
    #[serde(serialize_with = "as_text")]
    pub file_size: u64,
    /// For people.
    pub message: String,
    /// A number of the job.
    pub job_id: i64,
    /// The target database; empty when none was named.
    pub db_name: String,
    /// The job's id.
    #[serde(serialize_with = "as_text")]
    pub async_request_id: JobId,
}

/// A task of any kind; ours are imports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskDetail {
    /// 0, or what went wrong.
    pub code: i64,
    /// For people.
    pub message: String,
    /// A number of the job.
    pub job_id: i64,
    /// Percent.
    pub progress: u8,
    /// Its state.
    #[serde(serialize_with = "as_task_status")]
    pub task_status: JobState,
    /// Its type.
    pub task_type: TaskType,
    /// Unix seconds; nothing when it has not begun.
    #[serde(serialize_with = "as_time_or_never")]
    pub start_time: Option<i64>,
    /// Unix seconds; nothing when it has not ended.
    #[serde(serialize_with = "as_time_or_never")]
    pub end_time: Option<i64>,
    /// The instances it works on.
    pub instance_ids: Vec<String>,
    /// The job's id.
    #[serde(serialize_with = "as_text")]
    pub async_request_id: JobId,
    /// What else there is to say, as keys and values.
    pub task_attach_info: Vec<TaskAttachInfo>,
}

/// The types of tasks that occur here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskType {
    /// An import.
    ImportData,
}

impl Serialize for TaskType {
    fn serialize<S: Serializer>(&self, out: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::ImportData => out.serialize_str(TASK_TYPE),
        }
    }
}

/// A detail of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct TaskAttachInfo {
    /// Its name.
    pub attach_key: String,
    /// Its value.
    pub attach_value: String,
}

/// An uploaded file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct SqlFileInfo {
    /// Unix seconds.
    #[serde(serialize_with = "as_time")]
    pub upload_time: i64,
    /// How much of it has come.
    pub upload_info: UploadInfo,
    /// Its name.
    pub file_name: String,
    /// Bytes; goes out as a number, other than in [`ImportRecord`].
    pub file_size: u64,
    /// Whether all of it has come; goes out as 0 or 1.
    #[serde(serialize_with = "as_bit")]
    pub is_upload_finished: bool,
    /// 32 hex digits.
    pub file_id: String,
}

/// How much of a file has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct UploadInfo {
    /// Pieces.
    pub all_slice_num: u64,
    /// Pieces that have come.
    pub complete_num: u64,
}

/// A database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Database {
    /// Its name.
    pub database_name: String,
    /// Its default character set.
    pub character_set: String,
}

impl Reply {
    /// The answer of `DescribeDatabases`, whose two lists say the same.
    pub fn databases(total_count: u64, list: Vec<Database>) -> Self {
        let items = list.iter().map(|database| database.database_name.clone()).collect();
        Self::DescribeDatabases { total_count, items, database_list: list }
    }
}

/// Wraps an answer or a refusal for sending. `request_id` is a UUID.
pub fn render(result: &Result<Reply>, request_id: &str, language: Language) -> Rendered {
    let body = match result {
        Ok(reply) => Body::Done { reply, request_id },
        Err(error) => {
            let error = Refusal { code: error.code().word(), message: error.message(language) };
            Body::Refused { error, request_id }
        }
    };
    let body = serde_json::to_string(&Envelope { response: body });
    let body = body.expect("maps with text keys are JSON");
    Rendered { status: 200, content_type: CONTENT_TYPE, body }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Envelope<'a> {
    response: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    #[serde(rename_all = "PascalCase")]
    Done {
        #[serde(flatten)]
        reply: &'a Reply,
        request_id: &'a str,
    },
    #[serde(rename_all = "PascalCase")]
    Refused { error: Refusal, request_id: &'a str },
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Refusal {
    code: &'static str,
    message: String,
}

type Written<S> = std::result::Result<<S as Serializer>::Ok, <S as Serializer>::Error>;

fn as_text<T: ToString, S: Serializer>(value: &T, out: S) -> Written<S> {
    out.serialize_str(&value.to_string())
}

fn as_time<S: Serializer>(unix_seconds: &i64, out: S) -> Written<S> {
    out.serialize_str(&time::render(*unix_seconds))
}

fn as_time_or_never<S: Serializer>(unix_seconds: &Option<i64>, out: S) -> Written<S> {
    match unix_seconds {
        Some(seconds) => as_time(seconds, out),
        None => out.serialize_str(time::NEVER),
    }
}

fn as_bit<S: Serializer>(flag: &bool, out: S) -> Written<S> {
    out.serialize_u8(u8::from(*flag))
}

fn as_async_status<S: Serializer>(state: &JobState, out: S) -> Written<S> {
    out.serialize_str(state.async_status())
}

fn as_task_status<S: Serializer>(state: &JobState, out: S) -> Written<S> {
    out.serialize_str(state.task_status())
}

fn as_record_status<S: Serializer>(state: &JobState, out: S) -> Written<S> {
    out.serialize_i64(state.record_status())
}

fn as_instances<S: Serializer>(instances: &[Instance], out: S) -> Written<S> {
    let list: Vec<Value> = instances.iter().map(instance::info).collect();
    list.serialize(out)
}
