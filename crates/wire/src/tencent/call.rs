//! What a request asks for, in types.
//!
//! Promises: a [`Call`] has passed the table of its action, so that its values need no check but
//! whether the things they name exist. Its `Debug` shows no password.

use super::VERSION;
use super::code::Code;
use super::error::{Error, Result};
use super::job_id::JobId;
use super::language::Language;
use super::parameters::Parameters;
use super::schema::{self, Shape, Values};
use crate::request::Request;
use crate::secret::Secret;

/// Rows of a page when a request names no number.
const LIMIT: u64 = 20;
/// Characters of a region's name.
const REGION_MAX: usize = 64;

/// A request that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The region; SDKs leave it out when they are made without one. Whether it exists is not
    /// checked. With the `Host` header it goes into [`super::region::region_allowed`].
    pub region: Option<String>,
    /// The language of messages.
    pub language: Language,
    /// What the client calls itself: `SDK_PYTHON_3.1.195`.
    pub request_client: Option<String>,
    /// What to do.
    pub action: Action,
}

/// The actions, by the API's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Starts an import.
    CreateDbImportJob(CreateDbImportJob),
    /// Lists an instance's imports.
    DescribeDbImportRecords(DescribeDbImportRecords),
    /// Stops an import that has not ended; what it has run stays.
    StopDbImportJob(JobId),
    /// Says how far an asynchronous task is.
    DescribeAsyncRequestInfo(JobId),
    /// Lists tasks of all kinds.
    DescribeTasks(DescribeTasks),
    /// Lists the uploaded files.
    DescribeUploadedFiles(DescribeUploadedFiles),
    /// Lists instances.
    DescribeDbInstances(DescribeDbInstances),
    /// Lists an instance's databases.
    DescribeDatabases(DescribeDatabases),
    /// Lists a database's tables.
    DescribeTables(DescribeTables),
    /// Lists a table's columns.
    DescribeTableColumns(DescribeTableColumns),
    /// Makes a database; the answer comes when it is there.
    CreateDatabase(CreateDatabase),
}

/// `FileName` or `CosUrl` is there, or both: Terraform's own test sends both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDbImportJob {
    /// The target.
    pub instance_id: String,
    /// The database account.
    pub user: String,
    /// The account's password; an empty one counts as none.
    pub password: Option<Secret>,
    /// An uploaded file. That it ends in `.sql` is not checked here.
    pub file_name: Option<String>,
    /// A link to a file in object storage; a signed one is as good as a key.
    pub cos_url: Option<Secret>,
    /// The target database, at most 64 characters; without one none is selected.
    pub database: Option<String>,
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows to pass over; 0 unless asked otherwise.
    pub offset: u64,
    /// Rows at most, from 1 to the action's limit; 20 unless asked otherwise.
    pub limit: u64,
}

/// At most 100 a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeDbImportRecords {
    /// Whose imports.
    pub instance_id: String,
    /// Those made then or later, Unix seconds.
    pub start_time: Option<i64>,
    /// Those made then or earlier, Unix seconds.
    pub end_time: Option<i64>,
    /// Which part.
    pub page: Page,
}

/// Every filter narrows; an empty list is no filter. At most 100 a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeTasks {
    /// Of this instance.
    pub instance_id: Option<String>,
    /// This one.
    pub job_id: Option<JobId>,
    /// Of these types; imports are [`super::state::TASK_TYPE_NUMBER`].
    pub task_types: Vec<i64>,
    /// In these states: the numbers of [`super::state::JobState::task_status_number`], and those
    /// of states that our jobs have not (-1, 5, 6).
    pub task_statuses: Vec<i64>,
    /// Started then or later, Unix seconds.
    pub start_time_begin: Option<i64>,
    /// Started then or earlier, Unix seconds.
    pub start_time_end: Option<i64>,
    /// Which part.
    pub page: Page,
}

/// At most 5,000 a page; the document names no limit. It does ask for the region `ap-shanghai`,
/// whichever the instance has; here none is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeUploadedFiles {
    /// The number of the owner's main account.
    pub path: String,
    /// Which part.
    pub page: Page,
}

/// Every filter narrows; an empty list is no filter. At most 2,000 a page.
///
/// Accepted, checked and passed over, because instances here have nothing of the kind: ProjectId,
/// SecurityGroupId, WithSecurityGroup, PayTypes, VpcIds, ZoneIds, SubnetIds, CdbErrors,
/// WithExCluster, ExClusterId, InitFlag, DeployGroupIds, TagKeysForSearch, CageIds, TagValues,
/// UniqueVpcIds, UniqSubnetIds, Tags, ProxyVips, ProxyIds, EngineTypes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeDbInstances {
    /// With these ids.
    pub instance_ids: Vec<String>,
    /// With these names.
    pub instance_names: Vec<String>,
    /// With these addresses.
    pub vips: Vec<String>,
    /// In these states.
    pub statuses: Vec<i64>,
    /// Doing these tasks.
    pub task_statuses: Vec<i64>,
    /// 1 master, 2 disaster recovery, 3 read-only.
    pub instance_types: Vec<i64>,
    /// `8.0` and its like.
    pub engine_versions: Vec<String>,
    /// What the list is sorted by.
    pub order_by: Option<InstanceOrder>,
    /// Sorted downwards, the default.
    pub is_descending: bool,
    /// With masters, the default.
    pub with_masters: bool,
    /// With read-only instances, the default.
    pub with_read_only: bool,
    /// With disaster recovery instances, the default.
    pub with_disaster_recovery: bool,
    /// With the nodes of cluster instances.
    pub with_cluster_info: bool,
    /// Which part.
    pub page: Page,
}

/// What instances are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceOrder {
    /// `instanceId`
    Id,
    /// `instanceName`
    Name,
    /// `createTime`
    Created,
    /// `deadlineTime`
    Deadline,
}

/// At most 5,000 a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeDatabases {
    /// Of this instance.
    pub instance_id: String,
    /// Whose names match; not compiled here.
    pub pattern: Option<String>,
    /// Which part.
    pub page: Page,
}

/// At most 5,000 a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeTables {
    /// Of this instance.
    pub instance_id: String,
    /// Of this database.
    pub database: String,
    /// Whose names match, by MySQL's rules; not compiled here.
    pub pattern: Option<String>,
    /// Which part.
    pub page: Page,
}

/// All columns at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeTableColumns {
    /// Of this instance.
    pub instance_id: String,
    /// Of this database.
    pub database: String,
    /// Of this table.
    pub table: String,
}

/// A database to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreateDatabase {
    /// In this instance.
    pub instance_id: String,
    /// Its name, at most 64 characters.
    pub database: String,
    /// `utf8`, `gbk`, `latin1` or `utf8mb4`.
    pub character_set: String,
}

impl Call {
    /// Reads a request that [`super::credentials::Credentials`] have passed.
    ///
    /// # Errors
    ///
    /// Those of [`Parameters::read`]; `MissingParameter` for `Action` and `Version`;
    /// `NoSuchVersion`; `InvalidAction`; `InvalidParameterValue` for a region that is no name;
    /// `UnknownParameter`, `MissingParameter`, `InvalidParameter` for a wrong type, and
    /// `InvalidParameterValue` or what the action's document lists instead for a wrong value.
    pub fn read(request: &Request<'_>) -> Result<Self> {
        let parameters = Parameters::read(request)?;
        let name = parameters.action.as_deref().ok_or_else(|| Error::missing("Action"))?;
        match parameters.version.as_deref() {
            None => return Err(Error::missing("Version")),
            Some(VERSION) => {}
            Some(_) => return Err(Error::new(Code::NoSuchVersion)),
        }
        let shape = schema::find(name).ok_or_else(|| Error::new(Code::InvalidAction))?;
        if parameters.region.as_deref().is_some_and(|region| !is_region(region)) {
            return Err(Error::value(Code::InvalidParameterValue, "X-TC-Region"));
        }
        let action = Action::of(shape, Values::check(shape, &parameters)?)?;
        let Parameters { region, request_client, .. } = parameters;
        Ok(Self { region, language: Language::of(request), request_client, action })
    }
}

impl Action {
    /// The API's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CreateDbImportJob(_) => "CreateDBImportJob",
            Self::DescribeDbImportRecords(_) => "DescribeDBImportRecords",
            Self::StopDbImportJob(_) => "StopDBImportJob",
            Self::DescribeAsyncRequestInfo(_) => "DescribeAsyncRequestInfo",
            Self::DescribeTasks(_) => "DescribeTasks",
            Self::DescribeUploadedFiles(_) => "DescribeUploadedFiles",
            Self::DescribeDbInstances(_) => "DescribeDBInstances",
            Self::DescribeDatabases(_) => "DescribeDatabases",
            Self::DescribeTables(_) => "DescribeTables",
            Self::DescribeTableColumns(_) => "DescribeTableColumns",
            Self::CreateDatabase(_) => "CreateDatabase",
        }
    }

    /// Requests a second that one key may send, by the document of each action; 20 where it names
    /// no number. More are answered with `RequestLimitExceeded`.
    pub fn per_second(&self) -> u32 {
        schema::find(self.name()).map_or(schema::PER_SECOND, |shape| shape.per_second)
    }

    fn of(shape: &Shape, mut values: Values) -> Result<Self> {
        let values = &mut values;
        Ok(match shape.name {
            "CreateDBImportJob" => Self::CreateDbImportJob(create_db_import_job(values)?),
            "DescribeDBImportRecords" => {
                Self::DescribeDbImportRecords(describe_db_import_records(values))
            }
            "StopDBImportJob" => Self::StopDbImportJob(required_job_id(values)?),
            "DescribeAsyncRequestInfo" => Self::DescribeAsyncRequestInfo(required_job_id(values)?),
            "DescribeTasks" => Self::DescribeTasks(describe_tasks(values)),
            "DescribeUploadedFiles" => Self::DescribeUploadedFiles(DescribeUploadedFiles {
                path: values.required_text("Path"),
                page: page(values),
            }),
            "DescribeDBInstances" => Self::DescribeDbInstances(describe_db_instances(values)),
            "DescribeDatabases" => Self::DescribeDatabases(DescribeDatabases {
                instance_id: values.required_text("InstanceId"),
                pattern: values.text("DatabaseRegexp"),
                page: page(values),
            }),
            "DescribeTables" => Self::DescribeTables(DescribeTables {
                instance_id: values.required_text("InstanceId"),
                database: values.required_text("Database"),
                pattern: values.text("TableRegexp"),
                page: page(values),
            }),
            "DescribeTableColumns" => Self::DescribeTableColumns(DescribeTableColumns {
                instance_id: values.required_text("InstanceId"),
                database: values.required_text("Database"),
                table: values.required_text("Table"),
            }),
            "CreateDatabase" => Self::CreateDatabase(CreateDatabase {
                instance_id: values.required_text("InstanceId"),
                database: values.required_text("DBName"),
                character_set: values.required_text("CharacterSetName"),
            }),
            _ => return Err(Error::new(Code::InvalidAction)),
        })
    }
}

fn create_db_import_job(values: &mut Values) -> Result<CreateDbImportJob> {
    let (file_name, cos_url) = (values.text("FileName"), values.text("CosUrl"));
    if file_name.is_none() && cos_url.is_none() {
        return Err(Error::said(
            Code::InvalidParameter,
            "One of `FileName` and `CosUrl` is required.",
            "`FileName`和`CosUrl`需要指定其中一个。",
        ));
    }
    Ok(CreateDbImportJob {
        instance_id: values.required_text("InstanceId"),
        user: values.required_text("User"),
        password: values.text("Password").map(Secret::new),
        file_name,
        cos_url: cos_url.map(Secret::new),
        database: values.text("DbName"),
    })
}

fn describe_db_import_records(values: &mut Values) -> DescribeDbImportRecords {
    DescribeDbImportRecords {
        instance_id: values.required_text("InstanceId"),
        start_time: values.time("StartTime"),
        end_time: values.time("EndTime"),
        page: page(values),
    }
}

fn describe_tasks(values: &mut Values) -> DescribeTasks {
    DescribeTasks {
        instance_id: values.text("InstanceId"),
        job_id: values.job_id("AsyncRequestId"),
        task_types: values.integers("TaskTypes"),
        task_statuses: values.integers("TaskStatus"),
        start_time_begin: values.time("StartTimeBegin"),
        start_time_end: values.time("StartTimeEnd"),
        page: page(values),
    }
}

fn describe_db_instances(values: &mut Values) -> DescribeDbInstances {
    let order_by = values.text("OrderBy").and_then(|word| match word.as_str() {
        "instanceId" => Some(InstanceOrder::Id),
        "instanceName" => Some(InstanceOrder::Name),
        "createTime" => Some(InstanceOrder::Created),
        "deadlineTime" => Some(InstanceOrder::Deadline),
        _ => None,
    });
    DescribeDbInstances {
        instance_ids: values.texts("InstanceIds"),
        instance_names: values.texts("InstanceNames"),
        vips: values.texts("Vips"),
        statuses: values.integers("Status"),
        task_statuses: values.integers("TaskStatus"),
        instance_types: values.integers("InstanceTypes"),
        engine_versions: values.texts("EngineVersions"),
        order_by,
        is_descending: values.text("OrderDirection").is_none_or(|word| word == "DESC"),
        with_masters: values.integer("WithMaster") != Some(0),
        with_read_only: values.integer("WithRo") != Some(0),
        with_disaster_recovery: values.integer("WithDr") != Some(0),
        with_cluster_info: values.flag("QueryClusterInfo").unwrap_or(false),
        page: page(values),
    }
}

fn required_job_id(values: &mut Values) -> Result<JobId> {
    values.job_id("AsyncRequestId").ok_or_else(|| Error::missing("AsyncRequestId"))
}

fn page(values: &mut Values) -> Page {
    let mut number = |name: &str| values.integer(name).and_then(|n| u64::try_from(n).ok());
    Page { offset: number("Offset").unwrap_or(0), limit: number("Limit").unwrap_or(LIMIT) }
}

fn is_region(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= REGION_MAX && text.bytes().all(is_plain)
}
