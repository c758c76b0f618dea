//! Instances in the native API: what an account may import into. Never their logins.
//!
//! Deliberately not here: registering and removing them. Whoever names a server's address makes this
//! service connect to it, so that is for the operator: `dbferry instance add`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use store::InstanceFilter;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::PageQuery;
use super::given::{Answer, InPath, InQuery};
use super::principal::Principal;
use crate::app::App;
use crate::http::problem::Refused;
use crate::service::instances;

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(list_instances))
        .routes(routes!(show_instance))
        .routes(routes!(check_instance))
}

/// A server that imports can go into
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

impl From<&store::Instance> for Instance {
    fn from(instance: &store::Instance) -> Instance {
        let engine = match instance.engine {
            store::Engine::MySql => Engine::MySql,
            store::Engine::MariaDb => Engine::MariaDb,
            store::Engine::SqlServer => Engine::SqlServer,
        };
        let status = match instance.status {
            store::InstanceStatus::Unknown => Status::Unknown,
            store::InstanceStatus::Running => Status::Running,
            store::InstanceStatus::Unreachable => Status::Unreachable,
        };
        let kept = instance.probe_error.as_deref();
        Instance {
            id: instance.id.clone(),
            name: instance.name.clone(),
            engine,
            host: instance.host.clone(),
            port: instance.port,
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
