//! The native API: uploads, instances, jobs and their events as plain HTTP and JSON.
//!
//! Who asks shows a key by HTTP Basic authentication. Refusals are problem documents, also of what
//! reaches no handler. The routes and their description are one: what is served at `openapi.json` is
//! made of the handlers' own types, and `docs/openapi.json` is a copy that a test compares.

use std::sync::Arc;

use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Deserializer};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{OpenApi, RefOr, Response, Schema};
use utoipa::{IntoParams, Modify, OpenApi as _};
use utoipa_axum::router::OpenApiRouter;

use self::events::JobProgress;
use super::problem::{Document, Kind, Problem, Refused, TooMany};
use crate::app::App;
use crate::service::Range;

pub mod admission;
pub mod events;
pub mod given;
pub mod instances;
pub mod jobs;
pub mod principal;
pub mod uploads;

/// Entries of a page where nobody asks for another number, and at most.
const PAGE: u32 = 100;
const PAGE_MAX: u32 = 1000;

/// The description without its routes.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "dbferry",
        description = "Imports of SQL dumps as durable jobs: send a file, make a job of it, follow \
                       its events. A key may send so many reads and writes a second as the service's \
                       settings say; `RateLimit` and `RateLimit-Policy` of every answer tell. Times are milliseconds since 1970 (UTC). Fields may be added to \
                       answers within this version; none changes its meaning.",
    ),
    servers((url = "/api/v1")),
    components(schemas(Document, JobProgress), responses(Refused, TooMany)),
    modifiers(&Finish),
    security(("key" = [])),
)]
struct Outline;

/// Adds what no attribute says.
struct Finish;

impl Modify for Finish {
    fn modify(&self, document: &mut OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Basic)
            .description(Some("A key's id and secret, as `dbferry key create` prints them."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
    }
}

/// The routes, without their `/api/v1`.
pub fn router(app: Arc<App>) -> Router<Arc<App>> {
    let (routes, document) = described();
    routes
        .route_layer(axum::middleware::from_fn_with_state(app, admission::admit))
        .route("/openapi.json", get(async move || Json(document)))
        .fallback(async || {
            Problem::new(StatusCode::NOT_FOUND, Kind::NoSuchPath, "there is nothing")
        })
        .method_not_allowed_fallback(async || {
            let (status, kind) = (StatusCode::METHOD_NOT_ALLOWED, Kind::NoSuchMethod);
            Problem::new(status, kind, "the path does not take this method")
        })
}

/// The description of all routes, as it is served.
pub fn document() -> OpenApi {
    described().1
}

fn described() -> (Router<Arc<App>>, OpenApi) {
    let (routes, mut document) = OpenApiRouter::with_openapi(Outline::openapi())
        .merge(uploads::router())
        .merge(instances::router())
        .merge(jobs::router())
        .merge(events::router())
        .split_for_parts();
    finish_operations(&mut document);
    finish_answers(&mut document);
    (routes, document)
}

/// Every operation may refuse who asks, and fail.
fn finish_operations(document: &mut OpenApi) {
    let named = |name| RefOr::<Response>::from(utoipa::openapi::Ref::from_response_name(name));
    for path in document.paths.paths.values_mut() {
        let operations =
            [&mut path.get, &mut path.put, &mut path.post, &mut path.delete, &mut path.patch];
        for operation in operations.into_iter().flatten() {
            for (status, name) in [("401", "Refused"), ("429", "TooMany"), ("500", "Refused")] {
                operation.responses.responses.insert(status.to_owned(), named(name));
            }
        }
    }
}

/// Answers hold every field always, some of them null.
fn finish_answers(document: &mut OpenApi) {
    // Made by clients, or with fields that are left out.
    const OTHERS: [&str; 7] = [
        "ImportRequest",
        "CopyRequest",
        "CopiedDatabase",
        "InstanceRequest",
        "InstanceChange",
        "Problem",
        "JobEvent",
    ];
    let Some(components) = &mut document.components else { return };
    for (name, schema) in &mut components.schemas {
        if let RefOr::T(Schema::Object(object)) = schema
            && !OTHERS.contains(&name.as_str())
        {
            object.required = object.properties.keys().cloned().collect();
        }
    }
}

/// Which part of a list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Entries to pass over, from the newest
    #[serde(default, deserialize_with = "page_offset")]
    #[param(default = 0, maximum = 2147483647)]
    offset: u32,
    /// Entries at most
    #[serde(default = "page", deserialize_with = "page_limit")]
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: u32,
}

impl PageQuery {
    fn range(&self) -> Range {
        Range { offset: u64::from(self.offset), limit: u64::from(self.limit) }
    }
}

fn page() -> u32 {
    PAGE
}

fn page_offset<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let offset = u32::deserialize(from)?;
    match i32::try_from(offset) {
        Ok(_) => Ok(offset),
        Err(_) => Err(serde::de::Error::custom("offset is too large")),
    }
}

fn page_limit<'de, D: Deserializer<'de>>(from: D) -> Result<u32, D::Error> {
    let limit = u32::deserialize(from)?;
    match limit {
        1..=PAGE_MAX => Ok(limit),
        _ => Err(serde::de::Error::custom("limit is not from 1 to 1000")),
    }
}

/// A JSON text as an answer, which is kept as such.
fn json_text(status: StatusCode, text: String) -> axum::response::Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}
