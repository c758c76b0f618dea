//! Instances in the native API: what an account may import into, registered by the operator or by
//! whoever has a key of the account. Never their logins.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use engine::endpoint::TlsMode;
use serde::{Deserialize, Serialize};
use store::InstanceFilter;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::PageQuery;
use super::given::{Answer, InBody, InPath, InQuery};
use super::principal::Principal;
use crate::app::App;
use crate::http::problem::{Problem, Refused};
use crate::service::instances;
use crate::service::registry::{self, Change, Encryption, Registration};

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_instances, register_instance))
        .routes(routes!(show_instance, change_instance, remove_instance))
        .routes(routes!(check_instance))
}

/// A server that imports can go into, or that databases are copied from and into
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Instance {
    /// Unique in the service
    #[schema(pattern = "^[a-z][a-z0-9-]{1,62}$")]
    pub id: String,
    /// For people
    pub name: String,
    /// Of what kind it is
    pub engine: Engine,
    /// Where it is
    pub host: String,
    /// Its TCP port
    #[schema(minimum = 1)]
    pub port: u16,
    /// How its connections are encrypted
    pub tls: Tls,
    /// As registered
    pub region: String,
    /// As registered
    pub zone: String,
    /// As registered
    pub class: String,
    /// The size of its storage in GiB, as registered
    pub storage_gb: u32,
    /// What the last look at it found
    pub status: Status,
    /// Its version, as last seen
    pub version: Option<String>,
    /// Bytes of its tables, as last seen
    pub used_bytes: Option<u64>,
    /// When it was last looked at
    pub checked_at_ms: Option<i64>,
    /// Why it is unreachable
    pub problem: Option<String>,
    /// When it was registered
    pub created_at_ms: i64,
}

/// The kind of a server
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    /// MySQL
    MySql,
    /// MariaDB
    MariaDb,
    /// SQL Server
    SqlServer,
}

/// How much encryption is demanded of a server
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// None.
    Disable,
    /// If the server offers it, unchecked.
    Prefer,
    /// Unchecked.
    Require,
    /// The certificate's chain is checked.
    VerifyCa,
    /// And the certificate is for the host.
    VerifyFull,
    /// That, from the first byte on: TDS 8.0 of SQL Server, which alone has it.
    Strict,
}

/// What the last look at an instance found
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = InstanceStatus)]
pub enum Status {
    /// Nobody looked yet.
    Unknown,
    /// It answered.
    Running,
    /// It did not.
    Unreachable,
}

/// A part of an account's instances
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Instances {
    /// All of them
    pub total: u64,
    /// Those of this page, by their ids
    pub instances: Vec<Instance>,
}

/// An instance as it is to be registered
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InstanceRequest {
    /// Unique in the service
    #[schema(pattern = "^[a-z][a-z0-9-]{1,62}$", example = "cdb-7ghaiocc")]
    pub id: String,
    /// For people; without one the id
    #[schema(max_length = 255)]
    pub name: Option<String>,
    /// Of what kind it is
    pub engine: Engine,
    /// Its name or address, which may be a private one
    #[schema(
        min_length = 1,
        max_length = 255,
        pattern = "^[0-9A-Za-z._:-]+$",
        example = "db.example"
    )]
    pub host: String,
    /// Its TCP port; without one 3306, and 1433 of sqlserver
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// How its connections are encrypted
    #[serde(default = "tls")]
    #[schema(default = "prefer")]
    pub tls: Tls,
    /// The server's account: what jobs use that name no other, and what looks at the server
    #[schema(min_length = 1, max_length = 128)]
    pub user: String,
    /// Its password; it is kept sealed, and in no answer
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Where it is said to be
    #[serde(default)]
    #[schema(max_length = 64)]
    pub region: String,
    /// The part of the region
    #[serde(default)]
    #[schema(max_length = 64)]
    pub zone: String,
    /// For copies `dedicated` or `dedicated-host`
    #[serde(default = "class")]
    #[schema(max_length = 64, default = "dedicated")]
    pub class: String,
    /// The size of its storage in GiB; 0 is no limit
    #[serde(default)]
    #[schema(maximum = 2147483647)]
    pub storage_gb: u32,
}

/// What is to be different about an instance; what is left out, or null, stays. `engine`, `host`,
/// `port`, `tls` and `user` are changed together with `password`
#[derive(Default, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct InstanceChange {
    /// For people
    #[schema(max_length = 255)]
    pub name: Option<String>,
    /// Of what kind it is
    pub engine: Option<Engine>,
    /// Its name or address
    #[schema(min_length = 1, max_length = 255, pattern = "^[0-9A-Za-z._:-]+$")]
    pub host: Option<String>,
    /// Its TCP port
    #[schema(minimum = 1)]
    pub port: Option<u16>,
    /// How its connections are encrypted
    pub tls: Option<Tls>,
    /// The server's account
    #[schema(min_length = 1, max_length = 128)]
    pub user: Option<String>,
    /// Its password; alone, a new one of the same account
    #[schema(format = Password)]
    pub password: Option<String>,
    /// Where it is said to be
    #[schema(max_length = 64)]
    pub region: Option<String>,
    /// The part of the region
    #[schema(max_length = 64)]
    pub zone: Option<String>,
    /// For copies `dedicated` or `dedicated-host`
    #[schema(max_length = 64)]
    pub class: Option<String>,
    /// The size of its storage in GiB; 0 is no limit
    #[schema(maximum = 2147483647)]
    pub storage_gb: Option<u32>,
}

fn tls() -> Tls {
    Tls::Prefer
}

fn class() -> String {
    registry::CLASS_DEFAULT.to_owned()
}

impl From<store::Engine> for Engine {
    fn from(engine: store::Engine) -> Engine {
        match engine {
            store::Engine::MySql => Engine::MySql,
            store::Engine::MariaDb => Engine::MariaDb,
            store::Engine::SqlServer => Engine::SqlServer,
        }
    }
}

impl Engine {
    /// The lower-case name.
    pub fn name(self) -> &'static str {
        self.stored().name()
    }

    /// As the store has it.
    fn stored(self) -> store::Engine {
        match self {
            Engine::MySql => store::Engine::MySql,
            Engine::MariaDb => store::Engine::MariaDb,
            Engine::SqlServer => store::Engine::SqlServer,
        }
    }
}

impl Status {
    /// The lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Status::Unknown => store::InstanceStatus::Unknown.name(),
            Status::Running => store::InstanceStatus::Running.name(),
            Status::Unreachable => store::InstanceStatus::Unreachable.name(),
        }
    }
}

impl From<Encryption> for Tls {
    fn from(encryption: Encryption) -> Tls {
        match encryption {
            Encryption::Mode(TlsMode::Disable) => Tls::Disable,
            Encryption::Mode(TlsMode::Prefer) => Tls::Prefer,
            Encryption::Mode(TlsMode::Require) => Tls::Require,
            Encryption::Mode(TlsMode::VerifyCa) => Tls::VerifyCa,
            Encryption::Mode(TlsMode::VerifyFull) => Tls::VerifyFull,
            Encryption::Strict => Tls::Strict,
        }
    }
}

impl Tls {
    fn encryption(self) -> Encryption {
        Encryption::Mode(match self {
            Tls::Disable => TlsMode::Disable,
            Tls::Prefer => TlsMode::Prefer,
            Tls::Require => TlsMode::Require,
            Tls::VerifyCa => TlsMode::VerifyCa,
            Tls::VerifyFull => TlsMode::VerifyFull,
            Tls::Strict => return Encryption::Strict,
        })
    }
}

impl From<InstanceRequest> for Registration {
    fn from(request: InstanceRequest) -> Registration {
        Registration {
            id: request.id,
            name: request.name,
            engine: request.engine.stored(),
            host: request.host,
            port: request.port,
            tls: request.tls.encryption(),
            user: request.user,
            password: request.password,
            region: request.region,
            zone: request.zone,
            class: request.class,
            storage_gb: request.storage_gb,
        }
    }
}

impl From<InstanceChange> for Change {
    fn from(change: InstanceChange) -> Change {
        Change {
            name: change.name,
            region: change.region,
            zone: change.zone,
            class: change.class,
            storage_gb: change.storage_gb,
            engine: change.engine.map(Engine::stored),
            host: change.host,
            port: change.port,
            tls: change.tls.map(Tls::encryption),
            user: change.user,
            password: change.password,
        }
    }
}

impl From<&store::Instance> for Instance {
    fn from(instance: &store::Instance) -> Instance {
        let status = match instance.status {
            store::InstanceStatus::Unknown => Status::Unknown,
            store::InstanceStatus::Running => Status::Running,
            store::InstanceStatus::Unreachable => Status::Unreachable,
        };
        let kept = instance.probe_error.as_deref();
        Instance {
            id: instance.id.clone(),
            name: instance.name.clone(),
            engine: instance.engine.into(),
            host: instance.host.clone(),
            port: instance.port,
            tls: registry::tls_of(instance).into(),
            region: instance.region.clone(),
            zone: instance.zone.clone(),
            class: instance.class.clone(),
            storage_gb: instance.storage_gb,
            status,
            version: instance.version.clone(),
            used_bytes: instance.used_bytes,
            checked_at_ms: instance.probed_at,
            problem: kept.and_then(|text| serde_json::from_str(text).ok()),
            created_at_ms: instance.created_at,
        }
    }
}

/// List instances
#[utoipa::path(
    get, path = "/instances", tag = "instances", params(PageQuery),
    responses(
        (status = 200, body = Instances, description = "A part of the list"),
        (status = 400, response = Refused),
    ),
)]
async fn list_instances(
    State(app): State<Arc<App>>,
    principal: Principal,
    InQuery(page): InQuery<PageQuery>,
) -> Answer<Instances> {
    let filter = InstanceFilter::ALL;
    let page = instances::list(&app, principal.account, &filter, page.range()).await?;
    let instances = page.items.iter().map(Instance::from).collect();
    Ok(Json(Instances { total: page.total, instances }))
}

/// Register a server
///
/// The service connects to it from then on: it looks at it every now and then, and jobs work there.
/// Private addresses are allowed. Nobody has looked at it yet when this is answered.
#[utoipa::path(
    post, path = "/instances", tag = "instances",
    request_body = InstanceRequest,
    responses(
        (status = 201, body = Instance, description = "The instance",
            headers(("Location" = String, description = "Where it is")),
            links(
                ("show" = (operation_id = "show_instance",
                    parameters(("id" = "$response.body#/id")))),
                ("change" = (operation_id = "change_instance",
                    parameters(("id" = "$response.body#/id")))),
                ("remove" = (operation_id = "remove_instance",
                    parameters(("id" = "$response.body#/id")))),
            )),
        (status = 400, response = Refused),
        (status = 403, response = Refused),
        (status = 409, response = Refused),
        (status = 413, response = Refused),
        (status = 415, response = Refused),
    ),
)]
async fn register_instance(
    State(app): State<Arc<App>>,
    principal: Principal,
    InBody(request): InBody<InstanceRequest>,
) -> Result<(StatusCode, [(header::HeaderName, String); 1], Json<Instance>), Problem> {
    principal.about.set(&request.id);
    let instance = registry::register(&app, principal.account, request.into()).await?;
    let place = format!("/api/v1/instances/{}", instance.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(Instance::from(&instance))))
}

/// Change an instance
///
/// It keeps its id. What leads it to another server or account is refused while a job that has not
/// ended uses it; anything else, a new password included, may be changed at any time.
#[utoipa::path(
    patch, path = "/instances/{id}", tag = "instances",
    params(("id" = String, Path, description = "The instance's id", example = "cdb-7ghaiocc")),
    request_body = InstanceChange,
    responses(
        (status = 200, body = Instance, description = "The instance as it is now"),
        (status = 400, response = Refused),
        (status = 403, response = Refused),
        (status = 404, response = Refused),
        (status = 409, response = Refused),
        (status = 413, response = Refused),
        (status = 415, response = Refused),
    ),
)]
async fn change_instance(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(id): InPath<String>,
    InBody(change): InBody<InstanceChange>,
) -> Answer<Instance> {
    let instance = registry::change(&app, principal.account, &id, change.into()).await?;
    Ok(Json(Instance::from(&instance)))
}

/// Remove an instance
///
/// What is on its server stays. Refused while a job that has not ended uses it.
#[utoipa::path(
    delete, path = "/instances/{id}", tag = "instances",
    params(("id" = String, Path, description = "The instance's id", example = "cdb-7ghaiocc")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, response = Refused),
        (status = 403, response = Refused),
        (status = 404, response = Refused),
        (status = 409, response = Refused),
    ),
)]
async fn remove_instance(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(id): InPath<String>,
) -> Result<StatusCode, Problem> {
    registry::remove(&app, principal.account, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Show an instance
#[utoipa::path(
    get, path = "/instances/{id}", tag = "instances",
    params(("id" = String, Path, description = "The instance's id", example = "cdb-c1nl9rpv")),
    responses(
        (status = 200, body = Instance, description = "The instance"),
        (status = 400, response = Refused),
        (status = 404, response = Refused),
    ),
)]
async fn show_instance(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(id): InPath<String>,
) -> Answer<Instance> {
    let instance = instances::any(&app, principal.account, &id).await?;
    Ok(Json(Instance::from(&instance)))
}

/// Look at an instance's server now
///
/// Takes up to twenty seconds if the server does not answer, which is an answer as well: the
/// instance is then `unreachable`.
#[utoipa::path(
    post, path = "/instances/{id}/check", tag = "instances",
    params(("id" = String, Path, description = "The instance's id", example = "cdb-c1nl9rpv")),
    responses(
        (status = 200, body = Instance, description = "The instance as it was found"),
        (status = 400, response = Refused),
        (status = 404, response = Refused),
        (status = 409, response = Refused),
    ),
)]
async fn check_instance(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(id): InPath<String>,
) -> Answer<Instance> {
    let instance = instances::look(&app, principal.account, &id).await?;
    Ok(Json(Instance::from(&instance)))
}
