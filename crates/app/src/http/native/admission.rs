//! Admission: who asks, how often that is allowed, and what is written down of it.
//!
//! Promises: every route that is described passes here once. A key that asks too often is refused
//! (429) and told when to come again, and nothing was done; every answer to a key says what it has
//! left. A request that may change something is in the audit log with its outcome: who (the key's id),
//! what (method and route), on what. Nothing of a body is in there but the id that it names.
//!
//! Deliberately not in the audit log: requests without a good key, those that came too often, and the
//! parts of an upload before its last.

use std::sync::Arc;

use axum::extract::{FromRequestParts, MatchedPath, RawPathParams, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use store::NewAudit;

use super::principal::Principal;
use crate::app::App;
use crate::cause::told;
use crate::http::problem::{Kind, Problem, Told};

/// What a key has left (draft-ietf-httpapi-ratelimit-headers).
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// What it has in all.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
/// Seconds after which all of it is there again.
const WINDOW_SECONDS: u32 = 1;
/// Characters of an object and of an outcome in the audit log.
const OBJECT_CHARS_MAX: usize = 255;
/// What all routes begin with.
const ROOT: &str = "/api/v1";

/// The two kinds of requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Read,
    Write,
}

impl Sort {
    fn of(method: &Method) -> Sort {
        match *method {
            Method::GET | Method::HEAD => Sort::Read,
            _ => Sort::Write,
        }
    }

    /// Its bucket, and as headers call it.
    fn name(self) -> &'static str {
        match self {
            Sort::Read => "reads",
            Sort::Write => "writes",
        }
    }

    fn per_second(self, app: &App) -> u32 {
        match self {
            Sort::Read => app.settings.rates.reads,
            Sort::Write => app.settings.rates.writes,
        }
    }
}

/// Takes a request through.
pub async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let principal = match Principal::shown(&parts, &app).await {
        Ok(principal) => principal,
        Err(problem) => return problem.into_response(),
    };
    let sort = Sort::of(&parts.method);
    let per_second = sort.per_second(&app);
    let bucket = format!("native {}", principal.key_id);
    let left = app.rates.take(&bucket, sort.name(), per_second, app.clock.uptime());
    let mut response = match left {
        None => too_often(sort, per_second),
        Some(_) => {
            let action = action(&parts.method, parts.extensions.get::<MatchedPath>());
            let named = RawPathParams::from_request_parts(&mut parts, &app).await.ok();
            let named = named.and_then(|named| named.iter().next().map(|(_, id)| id.to_owned()));
            parts.extensions.insert(principal.clone());
            let method = parts.method.clone();
            let response = next.run(Request::from_parts(parts, body)).await;
            let is_part = method == Method::PUT && response.status() == StatusCode::ACCEPTED;
            if sort == Sort::Write && !is_part {
                let object = principal.about.get().map(str::to_owned).or(named).unwrap_or_default();
                let told = response.extensions().get::<Told>();
                let outcome = told.map_or("done", |Told(problem)| problem).to_owned();
                write_down(&app, &principal, &action, [object, outcome]).await;
            }
            response
        }
    };
    tell_limit(&mut response, sort, per_second, left.unwrap_or(0));
    response
}

fn too_often(sort: Sort, per_second: u32) -> Response {
    let detail = format!("this key may send {per_second} {} a second", sort.name());
    Problem::new(StatusCode::TOO_MANY_REQUESTS, Kind::TooOften, detail).into_response()
}

/// Method and route, as the audit log has them.
fn action(method: &Method, path: Option<&MatchedPath>) -> String {
    let path = path.map_or("", MatchedPath::as_str);
    format!("{method} {}", path.strip_prefix(ROOT).unwrap_or(path))
}

/// Adds to the audit log what a request was about and what came of it.
async fn write_down(app: &App, principal: &Principal, action: &str, texts: [String; 2]) {
    let fits = |text: String| -> String {
        text.replace('\0', " ").chars().take(OBJECT_CHARS_MAX).collect()
    };
    let [object, outcome] = texts.map(fits);
    let entry = NewAudit {
        account: Some(principal.account),
        actor: &principal.key_id,
        action,
        object: &object,
        outcome: &outcome,
    };
    if let Err(error) = app.store.append_audit(&entry, app.clock.now_ms()).await {
        tracing::warn!(error = told(&error), "write the audit log");
    }
}

fn tell_limit(response: &mut Response, sort: Sort, per_second: u32, left: u32) {
    let name = sort.name();
    for (header, value) in [
        (POLICY, format!("\"{name}\";q={per_second};w={WINDOW_SECONDS}")),
        (LIMIT, format!("\"{name}\";r={left};t={WINDOW_SECONDS}")),
    ] {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(header, value);
        }
    }
}
