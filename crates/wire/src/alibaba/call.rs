//! What a request asks for, in types.
//!
//! Promises: the values of a [`Call`] need no check but whether the things they name exist.

use super::VERSION;
use super::code::Code;
use super::db_info::{self, DatabasePair};
use super::engine::Engine;
use super::error::{Error, Result};
use super::import_id::ImportId;
use super::parameters::Parameters;
use super::region::{self, Language};
use crate::request::Request;

/// Requests a second that one key may send of one action; the documents name no number.
const PER_SECOND: u32 = 20;
/// Bytes of a text that no narrower limit binds: names of instances, of databases, of actions.
const TEXT_MAX: usize = 256;
/// Instances that one call may ask for by their ids.
const IDS_MAX: usize = 30;
/// Rows of a page when a request names no number.
const PAGE_SIZE: u64 = 30;
/// What most lists take for the number of rows of a page.
const PAGE_SIZES: [u64; 3] = [30, 50, 100];
/// The last page that can be asked for.
const PAGE_NUMBER_MAX: u64 = i32::MAX as u64;

/// A request that is understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The region; many clients leave it out. Whether it exists is not checked.
    pub region: Option<String>,
    /// What to do.
    pub action: Action,
}

/// The actions, by the API's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Moves databases from another instance into this one.
    ImportDatabaseBetweenInstances(ImportDatabaseBetweenInstances),
    /// Stops an import that has not ended.
    CancelImport(CancelImport),
    /// Lists an instance's imports. The API spells it `DescibeImportsFromDatabase`.
    DescribeImportsFromDatabase(DescribeImportsFromDatabase),
    /// Lists instances.
    DescribeDbInstances(DescribeDbInstances),
    /// Tells of some instances all there is to tell.
    DescribeDbInstanceAttribute(DescribeDbInstanceAttribute),
    /// Lists an instance's databases.
    DescribeDatabases(DescribeDatabases),
    /// Lists the regions.
    DescribeRegions(DescribeRegions),
    /// Lists an instance's tasks of all kinds.
    DescribeTasks(DescribeTasks),
}

/// The two instances are not the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportDatabaseBetweenInstances {
    /// The target.
    pub instance_id: String,
    /// The source.
    pub source_instance_id: String,
    /// From 1 to 1,000 databases; no source and no target twice.
    pub databases: Vec<DatabasePair>,
}

/// An import to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelImport {
    /// The target.
    pub instance_id: String,
    /// Which of its imports.
    pub import_id: ImportId,
}

/// 30, 50 or 100 a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeImportsFromDatabase {
    /// The target.
    pub instance_id: String,
    /// What the target runs, so says the client; the document knows `MySQL` only.
    pub engine: Engine,
    /// Those made then or later, Unix seconds.
    pub start_time: i64,
    /// Those made then or earlier, Unix seconds; not before `start_time`.
    pub end_time: i64,
    /// This one.
    pub import_id: Option<ImportId>,
    /// Which part.
    pub page: Page,
}

/// Every filter narrows; an empty list is no filter. From 1 to 100 a page.
///
/// Accepted and passed over, because instances here have nothing of the kind or are all alike:
/// Category, ClientToken, ConnectionMode, DBInstanceClass, DedicatedHostGroupId, DedicatedHostId,
/// Expired, Filter, InstanceLevel, InstanceNetworkType, PayType, ResourceGroupId, Tags, VSwitchId,
/// VpcId, proxyId.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeDbInstances {
    /// In this region.
    pub region: String,
    /// With these ids.
    pub instance_ids: Vec<String>,
    /// With this engine.
    pub engine: Option<Engine>,
    /// `8.0`, `2019_std_ha` and their like.
    pub engine_version: Option<String>,
    /// In this state, by [`super::state::InstanceStatus::word`].
    pub status: Option<String>,
    /// With this text in their id or description.
    pub search_key: Option<String>,
    /// `Primary`, `Readonly`, `Guard` or `Temp`.
    pub instance_type: Option<String>,
    /// In this zone.
    pub zone: Option<String>,
    /// With this address.
    pub connection_string: Option<String>,
    /// Which part.
    pub page: Page,
}

/// At most 30 instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeDbInstanceAttribute {
    /// At least one; no id twice.
    pub instance_ids: Vec<String>,
}

/// 30, 50 or 100 a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeDatabases {
    /// Of this instance.
    pub instance_id: String,
    /// With this name.
    pub database: Option<String>,
    /// In this state, by [`super::state::DatabaseStatus::word`].
    pub status: Option<String>,
    /// Which part.
    pub page: Page,
}

/// All regions at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeRegions {
    /// The language of their names.
    pub language: Language,
}

/// From 30 to 100 a page. The document says of the filter `Status` that it has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DescribeTasks {
    /// Of this instance.
    pub instance_id: String,
    /// Begun then or later, Unix seconds.
    pub start_time: Option<i64>,
    /// Begun then or earlier, Unix seconds; not before `start_time`.
    pub end_time: Option<i64>,
    /// Of this kind, by [`super::task::TASK_ACTION`].
    pub task_action: Option<String>,
    /// Which part.
    pub page: Page,
}

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Rows to pass over.
    pub offset: u64,
    /// Rows at most, at least 1; 30 unless asked otherwise.
    pub limit: u64,
    /// Whether the client goes on with the token of the answer, and not with a page's number.
    pub by_token: bool,
}

impl Page {
    /// The page's number, from 1.
    pub fn number(self) -> u64 {
        self.offset / self.limit.max(1) + 1
    }

    /// What the answer gives to go on with; nothing at the end of `total` rows, or if the client
    /// does not ask so.
    pub fn next_token(self, total: u64) -> Option<String> {
        let next = self.offset.saturating_add(self.limit);
        (self.by_token && next < total).then(|| next.to_string())
    }
}

impl Call {
    /// Reads a request that [`super::credentials::Credentials`] have passed.
    ///
    /// # Errors
    ///
    /// Those of [`Parameters::read`]; `MissingAction`, `MissingVersion`; `InvalidVersion`;
    /// `InvalidAction.NotFound`; then in the order of the action's fields `MissingDBInstanceId` and
    /// its like, `InvalidParameter`, `InvalidDBInfo.Malformed`,
    /// `InvalidStartTimeAndEndTime.Malformed`, and `OperationDenied.DBInstanceId` if source and
    /// target are the same.
    pub fn read(request: &Request<'_>) -> Result<Self> {
        let parameters = Parameters::read(request)?;
        let name = parameters.required("Action", TEXT_MAX)?;
        if parameters.required("Version", TEXT_MAX)? != VERSION {
            return Err(Error::new(Code::InvalidVersion));
        }
        let region = region(&parameters)?;
        Ok(Self { region, action: Action::of(name, &parameters)? })
    }
}

impl Action {
    /// The API's name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ImportDatabaseBetweenInstances(_) => "ImportDatabaseBetweenInstances",
            Self::CancelImport(_) => "CancelImport",
            Self::DescribeImportsFromDatabase(_) => "DescibeImportsFromDatabase",
            Self::DescribeDbInstances(_) => "DescribeDBInstances",
            Self::DescribeDbInstanceAttribute(_) => "DescribeDBInstanceAttribute",
            Self::DescribeDatabases(_) => "DescribeDatabases",
            Self::DescribeRegions(_) => "DescribeRegions",
            Self::DescribeTasks(_) => "DescribeTasks",
        }
    }

    /// Requests a second that one key may send. More are answered with `Throttling.User`.
    pub fn per_second(&self) -> u32 {
        PER_SECOND
    }

    fn of(name: &str, parameters: &Parameters) -> Result<Self> {
        Ok(match name {
            "ImportDatabaseBetweenInstances" => {
                Self::ImportDatabaseBetweenInstances(import(parameters)?)
            }
            "CancelImport" => Self::CancelImport(CancelImport {
                instance_id: instance_id(parameters)?,
                import_id: import_id(parameters)?.ok_or_else(|| Error::missing("ImportId"))?,
            }),
            // The second is how it should be spelt.
            "DescibeImportsFromDatabase" | "DescribeImportsFromDatabase" => {
                Self::DescribeImportsFromDatabase(describe_imports(parameters)?)
            }
            "DescribeDBInstances" => Self::DescribeDbInstances(describe_instances(parameters)?),
            "DescribeDBInstanceAttribute" => {
                let instance_ids = instance_ids(parameters)?;
                if instance_ids.is_empty() {
                    return Err(Error::missing("DBInstanceId"));
                }
                Self::DescribeDbInstanceAttribute(DescribeDbInstanceAttribute { instance_ids })
            }
            "DescribeDatabases" => Self::DescribeDatabases(DescribeDatabases {
                instance_id: instance_id(parameters)?,
                database: text(parameters, "DBName")?,
                status: text(parameters, "DBStatus")?,
                page: page(parameters, is_page_size)?,
            }),
            "DescribeRegions" => Self::DescribeRegions(describe_regions(parameters)?),
            "DescribeTasks" => Self::DescribeTasks(describe_tasks(parameters)?),
            _ => return Err(Error::new(Code::ActionNotFound)),
        })
    }
}

fn import(parameters: &Parameters) -> Result<ImportDatabaseBetweenInstances> {
    let instance_id = instance_id(parameters)?;
    let source_instance_id = parameters.required("SourceDBInstanceId", TEXT_MAX)?.to_owned();
    // Too long a text is malformed like any other.
    let databases = db_info::parse(parameters.required("DBInfo", usize::MAX)?)?;
    if instance_id == source_instance_id {
        return Err(Error::new(Code::SameInstance));
    }
    Ok(ImportDatabaseBetweenInstances { instance_id, source_instance_id, databases })
}

fn describe_imports(parameters: &Parameters) -> Result<DescribeImportsFromDatabase> {
    let instance_id = instance_id(parameters)?;
    let engine = Engine::named(parameters.required("Engine", TEXT_MAX)?);
    let engine = engine.ok_or_else(|| Error::invalid("Engine"))?;
    let (start_time, end_time) = times(parameters)?;
    Ok(DescribeImportsFromDatabase {
        instance_id,
        engine,
        start_time: start_time.ok_or_else(|| Error::missing("StartTime"))?,
        end_time: end_time.ok_or_else(|| Error::missing("EndTime"))?,
        import_id: import_id(parameters)?,
        page: page(parameters, is_page_size)?,
    })
}

fn describe_instances(parameters: &Parameters) -> Result<DescribeDbInstances> {
    let engine = match parameters.text("Engine", TEXT_MAX)? {
        Some(word) => Some(Engine::named(word).ok_or_else(|| Error::invalid("Engine"))?),
        None => None,
    };
    Ok(DescribeDbInstances {
        region: region(parameters)?.ok_or_else(|| Error::missing("RegionId"))?,
        instance_ids: instance_ids(parameters)?,
        engine,
        engine_version: text(parameters, "EngineVersion")?,
        status: text(parameters, "DBInstanceStatus")?,
        search_key: text(parameters, "SearchKey")?,
        instance_type: text(parameters, "DBInstanceType")?,
        zone: text(parameters, "ZoneId")?,
        connection_string: text(parameters, "ConnectionString")?,
        page: page_or_token(parameters)?,
    })
}

fn describe_regions(parameters: &Parameters) -> Result<DescribeRegions> {
    let language = match parameters.text("AcceptLanguage", TEXT_MAX)? {
        None => Language::English,
        Some(word) => Language::named(word).ok_or_else(|| Error::invalid("AcceptLanguage"))?,
    };
    Ok(DescribeRegions { language })
}

fn describe_tasks(parameters: &Parameters) -> Result<DescribeTasks> {
    let instance_id = instance_id(parameters)?;
    let (start_time, end_time) = times(parameters)?;
    Ok(DescribeTasks {
        instance_id,
        start_time,
        end_time,
        task_action: text(parameters, "TaskAction")?,
        page: page(parameters, |size| (30..=100).contains(&size))?,
    })
}

fn text(parameters: &Parameters, name: &'static str) -> Result<Option<String>> {
    Ok(parameters.text(name, TEXT_MAX)?.map(str::to_owned))
}

fn instance_id(parameters: &Parameters) -> Result<String> {
    Ok(parameters.required("DBInstanceId", TEXT_MAX)?.to_owned())
}

/// Ids with commas between them, each once.
fn instance_ids(parameters: &Parameters) -> Result<Vec<String>> {
    let list = parameters.text("DBInstanceId", IDS_MAX * TEXT_MAX)?.unwrap_or_default();
    let mut ids: Vec<String> = Vec::new();
    for id in list.split(',').map(str::trim).filter(|id| !id.is_empty()) {
        if ids.len() == IDS_MAX || id.len() > TEXT_MAX {
            return Err(Error::invalid("DBInstanceId"));
        }
        if !ids.iter().any(|own| own == id) {
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}

fn import_id(parameters: &Parameters) -> Result<Option<ImportId>> {
    let Some(text) = parameters.text("ImportId", TEXT_MAX)? else { return Ok(None) };
    ImportId::parse(text).map(Some).ok_or_else(|| Error::invalid("ImportId"))
}

fn region(parameters: &Parameters) -> Result<Option<String>> {
    match parameters.text("RegionId", TEXT_MAX)? {
        Some(name) if !region::is_name(name) => Err(Error::invalid("RegionId")),
        name => Ok(name.map(str::to_owned)),
    }
}

fn times(parameters: &Parameters) -> Result<(Option<i64>, Option<i64>)> {
    let start = parameters.time("StartTime")?;
    let end = parameters.time("EndTime")?;
    match (start, end) {
        (Some(start), Some(end)) if end < start => Err(Error::new(Code::TimeRange)),
        times => Ok(times),
    }
}

fn is_page_size(size: u64) -> bool {
    PAGE_SIZES.contains(&size)
}

fn page(parameters: &Parameters, is_size: impl Fn(u64) -> bool) -> Result<Page> {
    let number = parameters.integer("PageNumber", 1..=PAGE_NUMBER_MAX)?.unwrap_or(1);
    let limit = parameters.integer("PageSize", 1..=100)?.unwrap_or(PAGE_SIZE);
    if !is_size(limit) {
        return Err(Error::invalid("PageSize"));
    }
    Ok(Page { offset: (number - 1) * limit, limit, by_token: false })
}

/// A client that names `MaxResults` or `NextToken` pages by tokens; page numbers have no effect
/// then.
fn page_or_token(parameters: &Parameters) -> Result<Page> {
    let most = parameters.integer("MaxResults", 1..=100)?;
    let token = parameters.integer("NextToken", 0..=PAGE_NUMBER_MAX)?;
    if most.is_none() && token.is_none() {
        return page(parameters, |_| true);
    }
    Ok(Page { offset: token.unwrap_or(0), limit: most.unwrap_or(PAGE_SIZE), by_token: true })
}
