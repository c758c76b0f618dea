//! Jobs as they are asked for: a JSON body whose `kind` says which one it is.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::New;
use crate::fetch::Address;
use crate::http::native::given::{invalid, read};
use crate::http::problem::Problem;
use crate::service::Refusal;
use crate::service::copies::{NewCopy, Terms, Verify};
use crate::service::imports::{NewImport, Origin};

/// A job as it is asked for
#[derive(Deserialize, ToSchema)]
#[serde(untagged)]
pub enum JobRequest {
    /// An import
    Import(ImportRequest),
    /// A copy
    Copy(CopyRequest),
}

/// An import as it is asked for: of an uploaded file or of one at a URL, so one of `file` and `url`
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportRequest {
    /// That it is one; it is also without this word
    #[expect(dead_code, reason = "it was read before the rest")]
    kind: Option<ImportKind>,
    /// The id of the instance
    #[schema(pattern = "^[a-z][a-z0-9-]{1,62}$", example = "cdb-c1nl9rpv")]
    instance: String,
    /// The name of a finished upload
    #[schema(min_length = 1, max_length = 255, example = "shop.sql")]
    file: Option<String>,
    /// Where the file is fetched from: http or https, or an object that the settings allow (s3)
    #[schema(
        max_length = 4096,
        pattern = "^(https?|s3)://[^/?#]+",
        example = "https://files.example/shop.sql"
    )]
    url: Option<String>,
    /// The server's account that imports; without one the registered login is used
    user: Option<String>,
    /// Its password; without one the registered password if it is that account's, else none
    #[schema(format = Password)]
    password: Option<String>,
    /// The database that is selected at the start
    database: Option<String>,
}

/// A copy as it is asked for
///
/// Both instances are the account's, and their registered logins are used.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyRequest {
    /// That it is one
    #[expect(dead_code, reason = "it was read before the rest")]
    kind: CopyKind,
    /// The id of the instance that is read
    #[schema(pattern = "^[a-z][a-z0-9-]{1,62}$", example = "rm-source1")]
    source: String,
    /// The id of the instance that is written
    #[schema(pattern = "^[a-z][a-z0-9-]{1,62}$", example = "rm-target1")]
    instance: String,
    /// The databases; what one of them refers to in another follows their new names
    #[schema(min_items = 1, max_items = 200)]
    databases: Vec<CopiedDatabase>,
    /// Let the copies take the places of what the databases hold on the target; without it these have
    /// to be empty or absent
    #[serde(default)]
    replace: bool,
    /// How the rows are compared afterwards
    #[serde(default)]
    verify: Verify,
    /// SQL Server: leave out and name what a copy does not carry (users, permissions, full-text indexes and
    /// the like); without it such things stop the copy
    #[serde(default)]
    skip_unsupported: bool,
    /// MySQL and MariaDB: DEFINER clauses stay (keep), go, so that the copying account becomes the definer
    /// (strip), or name this account (USER@HOST); without it as the settings say
    #[schema(max_length = 320, pattern = "^(keep|strip|.+@.+)$", example = "strip")]
    definer: Option<String>,
    /// MySQL and MariaDB: instances that are replicas of the target, asked with their registered logins; besides
    /// them those that the settings name. Without any, those that the target knows are asked with its login
    #[serde(default)]
    #[schema(max_items = 100, example = json!([]))]
    replicas: Vec<String>,
    /// MySQL and MariaDB: pause while a replica of the target is more seconds behind, or does not replicate;
    /// the settings may say fewer
    #[schema(minimum = 1, maximum = 86400)]
    replica_lag_seconds_max: Option<u64>,
}

/// The kind of an import
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImportKind {
    /// An import
    Import,
}

/// The kind of a copy
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CopyKind {
    /// A copy
    Copy,
}

/// A database on its way
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CopiedDatabase {
    /// Its name on the source
    #[schema(min_length = 1, max_length = 128, example = "shop")]
    pub name: String,
    /// Its name on the target, if it is another one
    #[serde(rename = "as", default)]
    #[schema(min_length = 1, max_length = 128)]
    pub new_name: Option<String>,
}

/// A body that was read.
pub(super) enum Request {
    Import(ImportRequest),
    Copy(CopyRequest),
}

/// The one field that says how the others are to be read.
#[derive(Deserialize)]
struct Head {
    kind: Option<super::Kind>,
}

impl CopiedDatabase {
    /// Of a name on the source and one on the target.
    pub(super) fn of((name, target): (String, String)) -> CopiedDatabase {
        let new_name = (target != name).then_some(target);
        CopiedDatabase { name, new_name }
    }

    /// `a`, or `a:b`.
    pub fn shown(&self) -> String {
        match &self.new_name {
            Some(target) => format!("{}:{target}", self.name),
            None => self.name.clone(),
        }
    }
}

impl Request {
    /// Reads a body.
    pub(super) fn read(body: &[u8]) -> Result<Request, Problem> {
        let Head { kind } = read(body)?;
        Ok(match kind {
            None | Some(super::Kind::Import) => Request::Import(read(body)?),
            Some(super::Kind::Copy) => Request::Copy(read(body)?),
        })
    }

    /// The instance that is to be written.
    pub(super) fn instance(&self) -> &str {
        match self {
            Request::Import(asked) => &asked.instance,
            Request::Copy(asked) => &asked.instance,
        }
    }

    /// Equal for equal requests.
    pub(super) fn digest(&self) -> String {
        let text = match self {
            Request::Import(asked) => {
                let ImportRequest { kind: _, instance, file, url, user, password, database } =
                    asked;
                let fields =
                    serde_json::json!(["import", instance, file, user, password, database]);
                let mut text = fields.to_string();
                // Requests that were kept before there were URLs stay what they were.
                text.extend(url.iter().flat_map(|url| ["\0", url.as_str()]));
                text
            }
            Request::Copy(asked) => {
                let CopyRequest {
                    kind: _,
                    source,
                    instance,
                    databases,
                    replace,
                    verify,
                    skip_unsupported,
                    definer,
                    replicas,
                    replica_lag_seconds_max,
                } = asked;
                let fields =
                    serde_json::json!(["copy", source, instance, databases, replace, verify]);
                let mut text = fields.to_string();
                // What was not known before is only told where it is given, for the same reason.
                if *skip_unsupported {
                    text.push_str("\0skip_unsupported");
                }
                if definer.is_some() || !replicas.is_empty() || replica_lag_seconds_max.is_some() {
                    let fields = serde_json::json!([definer, replicas, replica_lag_seconds_max]);
                    text.push_str(&format!("\0{fields}"));
                }
                text
            }
        };
        wire::tencent::signature::sha256_hex(text.as_bytes())
    }

    /// The job that is asked for.
    pub(super) fn job(self) -> Result<New, Problem> {
        match self {
            Request::Import(asked) => asked.import().map(New::Import),
            Request::Copy(asked) => Ok(New::Copy(asked.copy())),
        }
    }
}

impl ImportRequest {
    fn import(self) -> Result<NewImport, Problem> {
        let ImportRequest { kind: _, instance, file, url, user, password, database } = self;
        let origin = match (file, url) {
            (Some(file), None) => Origin::Upload(file),
            (None, Some(url)) => Origin::Url(Address::parse(&url).map_err(Refusal::NoSource)?),
            _ => return Err(invalid("one of file and url has to be given")),
        };
        Ok(NewImport { instance, user, password, origin, database, request: None })
    }
}

impl CopyRequest {
    fn copy(self) -> NewCopy {
        let pair = |database: CopiedDatabase| {
            let target = database.new_name.unwrap_or_else(|| database.name.clone());
            (database.name, target)
        };
        NewCopy {
            source: self.source,
            target: self.instance,
            databases: self.databases.into_iter().map(pair).collect(),
            replace: self.replace,
            verify: self.verify,
            skip_unsupported: self.skip_unsupported,
            definer: self.definer,
            replicas: self.replicas,
            replica_lag_seconds_max: self.replica_lag_seconds_max,
            terms: Terms::Own,
            request: None,
        }
    }
}
