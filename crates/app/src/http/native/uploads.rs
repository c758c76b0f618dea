//! Uploads in the native API: files come by `PUT`, whole or in parts.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use store::UploadState;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::PageQuery;
use super::given::{Answer, InPath, InQuery, invalid};
use super::principal::Principal;
use crate::app::App;
use crate::http::problem::{Problem, Refused};
use crate::service::uploads::{self, Part};

/// The routes.
pub fn router() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(list_uploads)).routes(routes!(
        show_upload,
        receive_upload,
        remove_upload
    ))
}

/// A file that was sent, or is being sent
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Upload {
    /// Unique in the account
    pub name: String,
    /// All of it is there
    pub finished: bool,
    /// Its size, if it is known
    pub size_bytes: Option<u64>,
    /// Bytes that are there: where a file that broke off goes on
    pub received_bytes: u64,
    /// SHA-256 of the file, once it is finished
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub sha256: Option<String>,
    /// When it was begun
    pub created_at_ms: i64,
    /// When it may be deleted
    pub expires_at_ms: i64,
}

/// A part of an account's uploads
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct Uploads {
    /// All of them
    pub total: u64,
    /// Those of this page, the newest first
    pub uploads: Vec<Upload>,
}

impl From<&store::Upload> for Upload {
    fn from(upload: &store::Upload) -> Upload {
        Upload {
            name: upload.name.clone(),
            finished: upload.state == UploadState::Finished,
            size_bytes: upload.size_bytes,
            received_bytes: upload.received_bytes,
            sha256: upload.sha256.clone(),
            created_at_ms: upload.created_at,
            expires_at_ms: upload.expires_at,
        }
    }
}

/// List uploads
#[utoipa::path(
    get, path = "/uploads", tag = "uploads", params(PageQuery),
    responses(
        (status = 200, body = Uploads, description = "A part of the list"),
        (status = 400, response = Refused),
    ),
)]
async fn list_uploads(
    State(app): State<Arc<App>>,
    principal: Principal,
    InQuery(page): InQuery<PageQuery>,
) -> Answer<Uploads> {
    let page = uploads::list(&app, principal.account, page.range()).await?;
    let uploads = page.items.iter().map(Upload::from).collect();
    Ok(Json(Uploads { total: page.total, uploads }))
}

/// Show an upload
#[utoipa::path(
    get, path = "/uploads/{name}", tag = "uploads",
    params(("name" = String, Path, description = "The file's name", example = "shop.sql")),
    responses(
        (status = 200, body = Upload, description = "The upload"),
        (status = 400, response = Refused),
        (status = 404, response = Refused),
    ),
)]
async fn show_upload(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(name): InPath<String>,
) -> Answer<Upload> {
    Ok(Json(Upload::from(&uploads::find(&app, principal.account, &name).await?)))
}

/// Send a file
///
/// Whole, or with `Content-Range: bytes FIRST-LAST/SIZE` the part that comes next. What has come is
/// in `received_bytes` of a `GET` and of the refusal of a part that does not fit. A part at 0, or a
/// whole file, begins anew; a finished file of that name is replaced.
#[utoipa::path(
    put, path = "/uploads/{name}", tag = "uploads",
    params(
        ("name" = String, Path, min_length = 1, max_length = 255, example = "shop.sql",
            description = "The file's name: letters, digits, and `. _ - + @ ( )` and spaces inside"),
        ("Content-Range" = Option<String>, Header, nullable = false, pattern = "^bytes [0-9]+-[0-9]+/[0-9]+$",
            description = "Which part of the file comes"),
    ),
    request_body(content_type = "application/octet-stream", description = "The bytes"),
    responses(
        (status = 201, body = Upload, description = "The file is there"),
        (status = 202, body = Upload, description = "The part is there, others are to come"),
        (status = 400, response = Refused),
        (status = 404, response = Refused),
        (status = 409, response = Refused),
        (status = 413, response = Refused),
        (status = 429, response = Refused),
    ),
)]
async fn receive_upload(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(name): InPath<String>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<Upload>), Problem> {
    let part = part(&headers).ok_or_else(|| invalid("Content-Range is not valid"))?;
    let bytes = body.into_data_stream();
    let upload = uploads::receive(&app, principal.account, &name, part, bytes).await?;
    let status = match upload.state {
        UploadState::Finished => StatusCode::CREATED,
        UploadState::Receiving => StatusCode::ACCEPTED,
    };
    Ok((status, Json(Upload::from(&upload))))
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

/// Remove an upload
///
/// A job that has begun keeps its file.
#[utoipa::path(
    delete, path = "/uploads/{name}", tag = "uploads",
    params(("name" = String, Path, description = "The file's name", example = "shop.sql")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 400, response = Refused),
        (status = 404, response = Refused),
    ),
)]
async fn remove_upload(
    State(app): State<Arc<App>>,
    principal: Principal,
    InPath(name): InPath<String>,
) -> Result<StatusCode, Problem> {
    uploads::remove(&app, principal.account, &name).await?;
    Ok(StatusCode::NO_CONTENT)
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
