//! The native API: uploads and jobs as plain HTTP and JSON.
//!
//! Who asks shows a key by HTTP Basic authentication. Refusals are problem documents.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, Query, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{JobFilter, Upload, UploadState};

use super::problem::Problem;
use crate::app::App;
use crate::service::imports::{self, Import, NewImport};
use crate::service::uploads::{self, Part};
use crate::service::{Range, Refusal};

/// Entries of a page where nobody asks for another number, and at most.
const PAGE: u64 = 100;
const PAGE_MAX: u64 = 1000;

/// The routes, without their `/api/v1`.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/uploads", get(list_uploads))
        .route("/uploads/{name}", get(show_upload).put(upload).delete(remove_upload))
        .route("/jobs", get(list_jobs).post(create_job))
        .route("/jobs/{id}", get(show_job))
        .route("/jobs/{id}/cancel", post(cancel_job))
}

/// Who asks: the account of a key that was shown.
struct Principal {
    account: i64,
}

impl FromRequestParts<Arc<App>> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let refused =
            || Problem::new(StatusCode::UNAUTHORIZED, "show a key by Basic authentication");
        let shown = parts.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Basic ")).ok_or_else(refused)?;
        let decoded = STANDARD.decode(shown.trim()).map_err(|_| refused())?;
        let text = String::from_utf8(decoded).map_err(|_| refused())?;
        let (key_id, secret) = text.split_once(':').ok_or_else(refused)?;
        let known = match app.store.credentials(key_id).await {
            Ok(known) => known,
            Err(store::Error::NotFound) => return Err(refused()),
            Err(error) => return Err(Refusal::from(error).into()),
        };
        let is_right = aws_lc_rs::constant_time::verify_slices_are_equal(
            known.secret.bytes(),
            secret.as_bytes(),
        );
        match is_right {
            Ok(()) if known.enabled => Ok(Principal { account: known.account }),
            _ => Err(refused()),
        }
    }
}

/// Which part of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    offset: u64,
    limit: Option<u64>,
}

impl Page {
    fn range(&self) -> Range {
        Range { offset: self.offset, limit: self.limit.unwrap_or(PAGE).clamp(1, PAGE_MAX) }
    }
}

async fn list_uploads(
    State(app): State<Arc<App>>,
    principal: Principal,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    let page = uploads::list(&app, principal.account, page.range()).await?;
    let items: Vec<Value> = page.items.iter().map(upload_shown).collect();
    Ok(Json(json!({"total": page.total, "uploads": items})))
}

async fn show_upload(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    let upload = uploads::find(&app, principal.account, &name).await?;
    Ok(Json(upload_shown(&upload)))
}

/// `PUT` of a whole file, or with `Content-Range: bytes FIRST-LAST/SIZE` of the part that comes next:
/// what has come is in `received_bytes` of a `GET` and of the refusal of a part that does not fit.
async fn upload(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let part = part(&headers)
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "Content-Range is not valid"))?;
    let bytes = body.into_data_stream();
    let upload = uploads::receive(&app, principal.account, &name, part, bytes).await?;
    let status = match upload.state {
        UploadState::Finished => StatusCode::CREATED,
        UploadState::Receiving => StatusCode::ACCEPTED,
    };
    Ok((status, Json(upload_shown(&upload))))
}

/// What the headers say of the body.
fn part(headers: &HeaderMap) -> Option<Part> {
    let text = |name| headers.get(name).map(|value| value.to_str().ok());
    match text(header::CONTENT_RANGE) {
        None => {
            let size = match text(header::CONTENT_LENGTH) {
                Some(length) => Some(length?.parse().ok()?),
                None => None,
            };
            Some(Part { from: 0, size, is_last: true })
        }
        Some(range) => {
            let (range, size) = range?.strip_prefix("bytes ")?.split_once('/')?;
            let (first, last) = range.split_once('-')?;
            let (from, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            let size: u64 = size.parse().ok()?;
            let fits = from <= last && last < size;
            fits.then_some(Part { from, size: Some(size), is_last: last + 1 == size })
        }
    }
}

async fn remove_upload(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(name): Path<String>,
) -> Result<StatusCode, Problem> {
    uploads::remove(&app, principal.account, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn upload_shown(upload: &Upload) -> Value {
    json!({
        "name": upload.name,
        "finished": upload.state == UploadState::Finished,
        "size_bytes": upload.size_bytes,
        "received_bytes": upload.received_bytes,
        "sha256": upload.sha256,
        "created_at_ms": upload.created_at,
        "expires_at_ms": upload.expires_at,
    })
}

async fn list_jobs(
    State(app): State<Arc<App>>,
    principal: Principal,
    Query(page): Query<Page>,
) -> Result<Json<Value>, Problem> {
    let page = imports::list(&app, principal.account, JobFilter::ALL, page.range()).await?;
    let items: Vec<Value> = page.items.iter().map(job_shown).collect();
    Ok(Json(json!({"total": page.total, "jobs": items})))
}

/// A job as it is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct JobRequest {
    instance: String,
    file: String,
    user: String,
    password: Option<String>,
    database: Option<String>,
}

async fn create_job(
    State(app): State<Arc<App>>,
    principal: Principal,
    Json(request): Json<JobRequest>,
) -> Result<impl IntoResponse, Problem> {
    let JobRequest { instance, file, user, password, database } = request;
    let new = NewImport { instance, user, password, file, database };
    let import = imports::create(&app, principal.account, new).await?;
    Ok((StatusCode::CREATED, Json(job_shown(&import))))
}

async fn show_job(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(job_shown(&imports::find(&app, principal.account, &id).await?)))
}

async fn cancel_job(
    State(app): State<Arc<App>>,
    principal: Principal,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    imports::stop(&app, principal.account, &id).await?;
    Ok(StatusCode::ACCEPTED)
}

fn job_shown(import: &Import) -> Value {
    let Import { job, payload } = import;
    let kept = |text: &Option<String>| -> Option<Value> {
        text.as_deref().and_then(|text| serde_json::from_str(text).ok())
    };
    json!({
        "id": job.public_id,
        "kind": job.kind,
        "state": job.state.name(),
        "cancel_requested": job.cancel_requested,
        "instance": job.instance_id,
        "file": payload.file,
        "database": payload.database,
        "user": payload.user,
        "attempt": job.attempt,
        "percent": job.percent,
        "progress": kept(&job.progress),
        "result": kept(&job.result),
        "error": kept(&job.error),
        "created_at_ms": job.created_at,
        "started_at_ms": job.started_at,
        "finished_at_ms": job.finished_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: header::HeaderName, value: &str, expected: Option<Part>) {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().unwrap());
        assert_eq!(part(&headers), expected, "{value}");
    }

    #[test]
    fn parts_of_files_are_told_by_their_headers() {
        let whole = Part { from: 0, size: Some(7), is_last: true };
        check(header::CONTENT_LENGTH, "7", Some(whole));
        check(header::CONTENT_LENGTH, "x", None);
        let first = Part { from: 0, size: Some(9), is_last: false };
        check(header::CONTENT_RANGE, "bytes 0-3/9", Some(first));
        check(header::CONTENT_RANGE, "bytes 4-8/9", Some(Part { from: 4, is_last: true, ..first }));
        for wrong in
            ["bytes 4-3/9", "bytes 0-9/9", "bytes 0-3/*", "bytes */9", "0-3/9", "bytes -3/9"]
        {
            check(header::CONTENT_RANGE, wrong, None);
        }
    }
}
