//! The one table of actions: what each takes, of which type, in which range, how often a second.
//!
//! From the API's documents of each action. It turns a tree of parameters into checked values; what
//! an action makes of them is in `call`.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::code::Code;
use super::error::{Error, Result};
use super::job_id::JobId;
use super::parameters::Parameters;
use super::time;

/// Requests a second of an action whose document names no number: what most of the cloud's have.
pub(super) const PER_SECOND: u32 = 20;
/// Characters of a text that no narrower limit binds.
const TEXT_MAX: usize = 4096;
/// Characters of the name of a database or a table.
const NAME_MAX: usize = 64;
/// Rows that one page may ask for where the document names no limit.
const PAGE_MAX: i64 = 5000;

/// An action.
pub(super) struct Shape {
    pub(super) name: &'static str,
    pub(super) per_second: u32,
    pub(super) fields: &'static [Field],
}

/// A parameter of an action.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) is_required: bool,
    /// What a malformed value is answered with.
    pub(super) refusal: Code,
}

/// What a parameter may be.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// So many characters at most; an empty one counts as absent.
    Text(usize),
    /// One of these.
    Word(&'static [&'static str]),
    /// `2016-01-01 00:00:01`.
    Time,
    /// Four groups of eight hex digits.
    JobId,
    /// Between these, both included.
    Integer(i64, i64),
    Flag,
    Texts,
    Integers,
    /// Each one of these.
    IntegersOf(&'static [i64]),
    /// `{Key, Value}` objects; a value may also be a list, as older documents have it.
    Tags,
}

impl Field {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self { name, kind, is_required: false, refusal: Code::InvalidParameterValue }
    }

    const fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    const fn refused_with(self, refusal: Code) -> Self {
        Self { refusal, ..self }
    }
}

const fn text(name: &'static str) -> Field {
    Field::new(name, Kind::Text(TEXT_MAX))
}

const fn offset() -> Field {
    Field::new("Offset", Kind::Integer(0, i64::MAX))
}

const fn limit(max: i64) -> Field {
    Field::new("Limit", Kind::Integer(1, max))
}

const fn bit(name: &'static str) -> Field {
    Field::new(name, Kind::Integer(0, 1)).refused_with(VALUE_ERROR)
}

const fn job_id() -> Field {
    Field::new("AsyncRequestId", Kind::JobId).required().refused_with(Code::InvalidAsyncRequestId)
}

const VALUE_ERROR: Code = Code::InvalidParameterValueError;

/// Numbers of task types; there is no 4.
const TASK_TYPES: &[i64] = &[1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13];
const TASK_STATUSES: &[i64] = &[-1, 0, 1, 2, 3, 4, 5, 6];
const ORDERS: &[&str] = &["instanceId", "instanceName", "createTime", "deadlineTime"];
const CHARACTER_SETS: &[&str] = &["utf8", "gbk", "latin1", "utf8mb4"];

const CREATE_DB_IMPORT_JOB: &[Field] = &[
    text("InstanceId").required(),
    text("User").required(),
    text("FileName"),
    text("Password"),
    Field::new("DbName", Kind::Text(NAME_MAX)),
    text("CosUrl"),
];

const DESCRIBE_DB_IMPORT_RECORDS: &[Field] = &[
    text("InstanceId").required(),
    Field::new("StartTime", Kind::Time),
    Field::new("EndTime", Kind::Time),
    offset(),
    limit(100),
];

const DESCRIBE_TASKS: &[Field] = &[
    text("InstanceId"),
    Field::new("AsyncRequestId", Kind::JobId),
    Field::new("TaskTypes", Kind::IntegersOf(TASK_TYPES)),
    Field::new("TaskStatus", Kind::IntegersOf(TASK_STATUSES)),
    Field::new("StartTimeBegin", Kind::Time),
    Field::new("StartTimeEnd", Kind::Time),
    offset(),
    limit(100),
];

const DESCRIBE_UPLOADED_FILES: &[Field] = &[text("Path").required(), offset(), limit(PAGE_MAX)];

const DESCRIBE_DB_INSTANCES: &[Field] = &[
    Field::new("ProjectId", Kind::Integer(i64::MIN, i64::MAX)),
    Field::new("InstanceTypes", Kind::Integers),
    Field::new("Vips", Kind::Texts),
    Field::new("Status", Kind::Integers),
    offset().refused_with(VALUE_ERROR),
    limit(2000).refused_with(VALUE_ERROR),
    text("SecurityGroupId"),
    Field::new("PayTypes", Kind::Integers),
    Field::new("InstanceNames", Kind::Texts),
    Field::new("TaskStatus", Kind::Integers),
    Field::new("EngineVersions", Kind::Texts),
    Field::new("VpcIds", Kind::Integers),
    Field::new("ZoneIds", Kind::Integers),
    Field::new("SubnetIds", Kind::Integers),
    Field::new("CdbErrors", Kind::Integers),
    Field::new("OrderBy", Kind::Word(ORDERS)).refused_with(VALUE_ERROR),
    Field::new("OrderDirection", Kind::Word(&["ASC", "DESC"])).refused_with(VALUE_ERROR),
    bit("WithSecurityGroup"),
    bit("WithExCluster"),
    text("ExClusterId"),
    Field::new("InstanceIds", Kind::Texts),
    bit("InitFlag"),
    bit("WithDr"),
    bit("WithRo"),
    bit("WithMaster"),
    Field::new("DeployGroupIds", Kind::Texts),
    Field::new("TagKeysForSearch", Kind::Texts),
    Field::new("CageIds", Kind::Texts),
    Field::new("TagValues", Kind::Texts),
    Field::new("UniqueVpcIds", Kind::Texts),
    Field::new("UniqSubnetIds", Kind::Texts),
    Field::new("Tags", Kind::Tags),
    Field::new("ProxyVips", Kind::Texts),
    Field::new("ProxyIds", Kind::Texts),
    Field::new("EngineTypes", Kind::Texts),
    Field::new("QueryClusterInfo", Kind::Flag),
];

const DESCRIBE_DATABASES: &[Field] = &[
    text("InstanceId").required(),
    offset().refused_with(VALUE_ERROR),
    limit(5000).refused_with(VALUE_ERROR),
    text("DatabaseRegexp").refused_with(VALUE_ERROR),
];

const DESCRIBE_TABLES: &[Field] = &[
    text("InstanceId").required(),
    Field::new("Database", Kind::Text(NAME_MAX)).required().refused_with(VALUE_ERROR),
    offset().refused_with(VALUE_ERROR),
    limit(5000).refused_with(VALUE_ERROR),
    text("TableRegexp").refused_with(VALUE_ERROR),
];

const DESCRIBE_TABLE_COLUMNS: &[Field] = &[
    text("InstanceId").required(),
    Field::new("Database", Kind::Text(NAME_MAX)).required().refused_with(VALUE_ERROR),
    Field::new("Table", Kind::Text(NAME_MAX)).required().refused_with(VALUE_ERROR),
];

const CREATE_DATABASE: &[Field] = &[
    text("InstanceId").required(),
    Field::new("DBName", Kind::Text(NAME_MAX)).required().refused_with(VALUE_ERROR),
    Field::new("CharacterSetName", Kind::Word(CHARACTER_SETS)).required().refused_with(VALUE_ERROR),
];

/// All actions.
pub(super) const SHAPES: &[Shape] = &[
    shape("CreateDBImportJob", 100, CREATE_DB_IMPORT_JOB),
    shape("DescribeDBImportRecords", 100, DESCRIBE_DB_IMPORT_RECORDS),
    shape("StopDBImportJob", PER_SECOND, &[job_id()]),
    shape("DescribeAsyncRequestInfo", 40, &[job_id()]),
    shape("DescribeTasks", PER_SECOND, DESCRIBE_TASKS),
    shape("DescribeUploadedFiles", 1, DESCRIBE_UPLOADED_FILES),
    shape("DescribeDBInstances", PER_SECOND, DESCRIBE_DB_INSTANCES),
    shape("DescribeDatabases", PER_SECOND, DESCRIBE_DATABASES),
    shape("DescribeTables", PER_SECOND, DESCRIBE_TABLES),
    shape("DescribeTableColumns", PER_SECOND, DESCRIBE_TABLE_COLUMNS),
    shape("CreateDatabase", PER_SECOND, CREATE_DATABASE),
];

const fn shape(name: &'static str, per_second: u32, fields: &'static [Field]) -> Shape {
    Shape { name, per_second, fields }
}

/// The action of this name; case counts.
pub(super) fn find(action: &str) -> Option<&'static Shape> {
    SHAPES.iter().find(|shape| shape.name == action)
}

/// Parameters that their table has passed.
pub(super) struct Values(BTreeMap<&'static str, Item>);

enum Item {
    Text(String),
    Integer(i64),
    Time(i64),
    JobId(JobId),
    Flag(bool),
    Texts(Vec<String>),
    Integers(Vec<i64>),
    /// Checked, and of no use to us.
    Tags,
}

impl Values {
    /// Holds the parameters against the action's table.
    ///
    /// # Errors
    ///
    /// `UnknownParameter` first, then in the table's order `MissingParameter`, `InvalidParameter`
    /// for a wrong type, the field's own code for a wrong value.
    pub(super) fn check(shape: &Shape, parameters: &Parameters) -> Result<Self> {
        let Parameters { tree, from_text, .. } = parameters;
        let is_known = |name: &String| shape.fields.iter().any(|field| field.name == name);
        if let Some(name) = tree.keys().find(|name| !is_known(name)) {
            return Err(Error::unknown(name));
        }
        let mut values = BTreeMap::new();
        for field in shape.fields {
            let value = tree.get(field.name).filter(|value| !is_absent(value));
            match value {
                Some(value) => {
                    values.insert(field.name, item(field, value, *from_text)?);
                }
                None if field.is_required => return Err(Error::missing(field.name)),
                None => {}
            }
        }
        Ok(Self(values))
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        match self.0.remove(name) {
            Some(Item::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A required one; the table has seen to it that it is there.
    pub(super) fn required_text(&mut self, name: &str) -> String {
        self.text(name).unwrap_or_default()
    }

    pub(super) fn integer(&mut self, name: &str) -> Option<i64> {
        match self.0.remove(name) {
            Some(Item::Integer(number)) => Some(number),
            _ => None,
        }
    }

    pub(super) fn time(&mut self, name: &str) -> Option<i64> {
        match self.0.remove(name) {
            Some(Item::Time(seconds)) => Some(seconds),
            _ => None,
        }
    }

    pub(super) fn job_id(&mut self, name: &str) -> Option<JobId> {
        match self.0.remove(name) {
            Some(Item::JobId(id)) => Some(id),
            _ => None,
        }
    }

    pub(super) fn flag(&mut self, name: &str) -> Option<bool> {
        match self.0.remove(name) {
            Some(Item::Flag(flag)) => Some(flag),
            _ => None,
        }
    }

    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        match self.0.remove(name) {
            Some(Item::Texts(texts)) => texts,
            _ => Vec::new(),
        }
    }

    pub(super) fn integers(&mut self, name: &str) -> Vec<i64> {
        match self.0.remove(name) {
            Some(Item::Integers(numbers)) => numbers,
            _ => Vec::new(),
        }
    }
}

/// SDKs differ in how they say that a parameter is not set.
fn is_absent(value: &Value) -> bool {
    value.is_null() || value.as_str().is_some_and(str::is_empty)
}

fn item(field: &Field, value: &Value, from_text: bool) -> Result<Item> {
    let mistyped = || Error::mistyped(field.name);
    let refused = || Error::value(field.refusal, field.name);
    let text = || value.as_str().ok_or_else(mistyped);
    let list = || value.as_array().map(Vec::as_slice).ok_or_else(mistyped);
    let whole = |value: &Value| integer(value, from_text).ok_or_else(mistyped);
    match field.kind {
        Kind::Text(max) => match text()? {
            text if text.chars().count() > max => Err(refused()),
            text => Ok(Item::Text(text.to_owned())),
        },
        Kind::Word(words) => match text()? {
            word if words.contains(&word) => Ok(Item::Text(word.to_owned())),
            _ => Err(refused()),
        },
        Kind::Time => time::parse(text()?).map(Item::Time).ok_or_else(refused),
        Kind::JobId => JobId::parse(text()?).map(Item::JobId).ok_or_else(refused),
        Kind::Integer(min, max) => match whole(value)? {
            number if (min..=max).contains(&number) => Ok(Item::Integer(number)),
            _ => Err(refused()),
        },
        Kind::Flag => flag(value, from_text).map(Item::Flag).ok_or_else(mistyped),
        Kind::Texts => {
            let own = |value: &Value| value.as_str().map(str::to_owned).ok_or_else(mistyped);
            Ok(Item::Texts(list()?.iter().map(own).collect::<Result<_>>()?))
        }
        Kind::Integers => Ok(Item::Integers(list()?.iter().map(whole).collect::<Result<_>>()?)),
        Kind::IntegersOf(allowed) => {
            let numbers: Vec<i64> = list()?.iter().map(whole).collect::<Result<_>>()?;
            let is_allowed = numbers.iter().all(|number| allowed.contains(number));
            if is_allowed { Ok(Item::Integers(numbers)) } else { Err(refused()) }
        }
        Kind::Tags => match list()?.iter().all(|tag| tag.as_object().is_some_and(is_tag)) {
            true => Ok(Item::Tags),
            false => Err(mistyped()),
        },
    }
}

/// JSON must have a number, text may have digits; what no 64 bits hold is cut to the nearest that
/// they do, which every range excludes or does not mind.
fn integer(value: &Value, from_text: bool) -> Option<i64> {
    match value {
        Value::Number(number) => {
            let large = number.as_u64().map(|number| i64::try_from(number).unwrap_or(i64::MAX));
            number.as_i64().or(large)
        }
        Value::String(text) if from_text => text.parse().ok(),
        _ => None,
    }
}

fn flag(value: &Value, from_text: bool) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if from_text => match text.as_str() {
            // Python writes its own.
            "true" | "True" => Some(true),
            "false" | "False" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

fn is_tag(tag: &Map<String, Value>) -> bool {
    let is_texts = |list: &Vec<Value>| list.iter().all(Value::is_string);
    tag.iter().all(|(name, value)| match name.as_str() {
        "Key" => value.is_string(),
        "Value" => value.is_string() || value.as_array().is_some_and(is_texts),
        _ => false,
    })
}
