//! What goes back to the client.
//!
//! Promises: field names and JSON types are those of the API's document and of the SDKs' models, in
//! both formats; every answer has a `RequestId`, and only a refusal has a `Code`, by which one of
//! the clients tells it from a success, whatever the HTTP status. Values come in neutral: times as
//! Unix seconds, states as [`super::state::JobState`].

use super::call::Page;
use super::database::Database;
use super::element::{Element, text};
use super::error::{Error, Result};
use super::format::Format;
use super::import_id::ImportId;
use super::instance::{self, Instance};
use super::region::{Language, Region};
use super::task::{ImportResult, TaskProgress};
use crate::request::Request;

/// Bytes of a host's name.
const HOST_MAX: usize = 255;

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The HTTP status: 200, or [`Error::status`].
    pub status: u16,
    /// The `Content-Type`, to be sent exactly so.
    pub content_type: &'static str,
    /// The body.
    pub body: String,
}

/// What an answer says of its request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The format asked for.
    pub format: Format,
    /// The host that was asked.
    pub host_id: String,
    /// A UUID in upper case, as the cloud has it.
    pub request_id: String,
}

impl Envelope {
    /// What the answer to this request says of it; works on any request.
    pub fn of(request: &Request<'_>, request_id: &str) -> Self {
        let host = request.header_text("host").unwrap_or_default();
        let host = host.split_once("://").map_or(host, |(_, rest)| rest);
        let host_id = if host.len() <= HOST_MAX { host.to_owned() } else { String::new() };
        let request_id = request_id.to_ascii_uppercase();
        Self { format: Format::of(request), host_id, request_id }
    }
}

/// The answers of the actions, by the API's names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The new import's id, which goes out as text here.
    ImportDatabaseBetweenInstances {
        /// To ask for it with.
        import_id: ImportId,
    },
    /// Nothing but that it is done.
    CancelImport,
    /// A page of imports.
    DescribeImportsFromDatabase {
        /// Which was asked for.
        page: Page,
        /// On all pages.
        total: u64,
        /// On this page.
        items: Vec<ImportResult>,
    },
    /// A page of instances.
    DescribeDbInstances {
        /// Which was asked for.
        page: Page,
        /// On all pages.
        total: u64,
        /// On this page.
        items: Vec<Instance>,
    },
    /// Instances in full.
    DescribeDbInstanceAttribute {
        /// All of them.
        items: Vec<Instance>,
    },
    /// A page of databases; the API does not say how many there are on all pages.
    DescribeDatabases {
        /// On this page.
        items: Vec<Database>,
    },
    /// The regions.
    DescribeRegions {
        /// The language of their names.
        language: Language,
        /// All of them.
        items: Vec<Region>,
    },
    /// A page of tasks.
    DescribeTasks {
        /// Which was asked for.
        page: Page,
        /// On all pages.
        total: u64,
        /// On this page.
        items: Vec<TaskProgress>,
    },
}

type Fields = Vec<(&'static str, Element)>;

impl Reply {
    /// The action's name, as the API spells it.
    fn action(&self) -> &'static str {
        match self {
            Self::ImportDatabaseBetweenInstances { .. } => "ImportDatabaseBetweenInstances",
            Self::CancelImport => "CancelImport",
            Self::DescribeImportsFromDatabase { .. } => "DescibeImportsFromDatabase",
            Self::DescribeDbInstances { .. } => "DescribeDBInstances",
            Self::DescribeDbInstanceAttribute { .. } => "DescribeDBInstanceAttribute",
            Self::DescribeDatabases { .. } => "DescribeDatabases",
            Self::DescribeRegions { .. } => "DescribeRegions",
            Self::DescribeTasks { .. } => "DescribeTasks",
        }
    }

    /// The fields beside `RequestId`.
    fn fields(&self) -> Fields {
        match self {
            Self::ImportDatabaseBetweenInstances { import_id } => {
                vec![("ImportId", Element::Text(import_id.to_string()))]
            }
            Self::CancelImport => Vec::new(),
            Self::DescribeImportsFromDatabase { page, total, items } => {
                paged(*page, *total, "ImportResultFromDB", items, ImportResult::element)
            }
            Self::DescribeDbInstances { page, total, items } => {
                let mut fields = paged(*page, *total, "DBInstance", items, instance::row);
                if let Some(token) = page.next_token(*total) {
                    fields.push(("NextToken", Element::Text(token)));
                }
                fields
            }
            Self::DescribeDbInstanceAttribute { items } => {
                vec![("Items", list("DBInstanceAttribute", items, instance::attributes))]
            }
            Self::DescribeDatabases { items } => {
                vec![("Databases", list("Database", items, Database::element))]
            }
            Self::DescribeRegions { language, items } => {
                let element = |region: &Region| region.element(*language);
                vec![("Regions", list("RDSRegion", items, element))]
            }
            Self::DescribeTasks { page, total, items } => {
                paged(*page, *total, "TaskProgressInfo", items, TaskProgress::element)
            }
        }
    }
}

fn paged<T>(
    page: Page,
    total: u64,
    name: &'static str,
    items: &[T],
    element: impl Fn(&T) -> Element,
) -> Fields {
    vec![
        ("TotalRecordCount", Element::Number(total)),
        ("PageNumber", Element::Number(page.number())),
        ("PageRecordCount", Element::Number(items.len() as u64)),
        ("Items", list(name, items, element)),
    ]
}

fn list<T>(name: &'static str, items: &[T], element: impl Fn(&T) -> Element) -> Element {
    Element::List(name, items.iter().map(element).collect())
}

/// Wraps an answer or a refusal for sending.
pub fn render(result: &Result<Reply>, envelope: &Envelope) -> Rendered {
    let (status, root, fields) = match result {
        Ok(reply) => (200, format!("{}Response", reply.action()), done(reply, envelope)),
        Err(error) => (error.status(), "Error".to_owned(), refused(error, envelope)),
    };
    let element = Element::Fields(fields);
    let body = match envelope.format {
        Format::Json => element.json().to_string(),
        Format::Xml => element.xml(&root),
    };
    Rendered { status, content_type: envelope.format.content_type(), body }
}

/// The examples of the API have the request's id first in JSON, and sorted names in XML.
fn done(reply: &Reply, envelope: &Envelope) -> Fields {
    let mut fields = vec![("RequestId", text(&envelope.request_id))];
    fields.extend(reply.fields());
    if envelope.format == Format::Xml {
        fields.sort_by_key(|(name, _)| *name);
    }
    fields
}

fn refused(error: &Error, envelope: &Envelope) -> Fields {
    let word = error.word();
    // Where the cloud explains its codes. Our request's id would tell it nothing.
    let recommend = format!("https://api.aliyun.com/troubleshoot?q={word}&product=Rds");
    vec![
        ("RequestId", text(&envelope.request_id)),
        ("HostId", text(&envelope.host_id)),
        ("Code", Element::Text(word)),
        ("Message", Element::Text(error.message())),
        ("Recommend", Element::Text(recommend)),
    ]
}
