//! What every request gets on its way, whatever it is for: an id, a place in the log and in the
//! figures, and a limit on the time that its body may take.
//!
//! Promises: the id is in each log line that the request causes and in its answer's
//! `x-request-id`; Tencent's answers have the same one as `RequestId`. Nothing of a request's
//! query, body or headers is logged.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::{Stream, StreamExt, stream};
use tracing::Instrument;

use super::traffic::{Label, class};
use crate::app::App;
use crate::clock::random_uuid;

/// The header of an answer that holds its request's id.
const ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// A request's id, among its extensions.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// What a dialect says of a request that it answered, among the answer's extensions; for routes it
/// is known from the route and the status.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The dialect.
    pub dialect: &'static str,
    /// The action if it is one that exists.
    pub action: Option<&'static str>,
    /// `2xx`, `4xx` or `5xx`.
    pub status: &'static str,
    /// The dialect's code if it is a refusal.
    pub code: Option<Cow<'static, str>>,
}

/// Takes a request through.
pub async fn attend(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = random_uuid();
    let limit = Duration::from_secs(u64::from(app.settings.connections.body_seconds));
    let route = Route::of(&request);
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(RequestId(id.clone()));
    let request = Request::from_parts(parts, watched(body, limit, route.is_upload()));
    // Also where only errors are logged they have to say whose they are.
    let span = tracing::error_span!("request", request_id = id);
    let mut response = next.run(request).instrument(span.clone()).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(ID_HEADER, id);
    }
    let answered = response.extensions_mut().remove::<Answered>();
    let (label, code) = route.label(answered, response.status().as_u16());
    let took = began.elapsed();
    span.in_scope(|| {
        let (action, status) = (&label.action, label.status);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        match label.dialect {
            "watch" => tracing::debug!(action, status, micros, "answered"),
            dialect => {
                tracing::info!(dialect, action, status, code = code.as_deref(), micros, "answered");
            }
        }
    });
    app.traffic.count(label, took);
    response
}

/// Which route a request takes.
struct Route {
    method: &'static str,
    path: Option<MatchedPath>,
}

impl Route {
    fn of(request: &Request) -> Route {
        const METHODS: [Method; 6] =
            [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::HEAD, Method::PATCH];
        const NAMES: [&str; 6] = ["GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"];
        let known = METHODS.iter().position(|method| method == request.method());
        let path = request.extensions().get::<MatchedPath>().cloned();
        Route { method: known.map_or("OTHER", |at| NAMES[at]), path }
    }

    /// A file comes in, which may take as long as bytes come.
    fn is_upload(&self) -> bool {
        let path = self.path.as_ref().map_or("", MatchedPath::as_str);
        path.starts_with("/api/v1/uploads/") && ["PUT", "PATCH"].contains(&self.method)
    }

    fn label(&self, answered: Option<Answered>, status: u16) -> (Label, Option<Cow<'static, str>>) {
        if let Some(Answered { dialect, action, status, code }) = answered {
            return (Label { dialect, action: action.unwrap_or("other").to_owned(), status }, code);
        }
        let path = self.path.as_ref().map(MatchedPath::as_str);
        let (dialect, action) = match path {
            Some(path) if path.starts_with("/api/") => {
                ("native", format!("{} {path}", self.method))
            }
            Some(path) => ("watch", path.to_owned()),
            None => ("native", "other".to_owned()),
        };
        (Label { dialect, action, status: class(status) }, None)
    }
}

/// A body that breaks off when it takes longer than `limit`: as a whole, or with `per_piece` to send
/// the next piece.
fn watched(body: Body, limit: Duration, per_piece: bool) -> Body {
    let pieces = body.into_data_stream();
    Body::from_stream(in_time(pieces, limit, per_piece))
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

fn in_time<S, E>(
    pieces: S,
    limit: Duration,
    per_piece: bool,
) -> impl Stream<Item = Result<Bytes, Broken>>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: Into<Broken>,
{
    let whole = tokio::time::Instant::now() + limit;
    stream::unfold(Some(pieces), move |state| async move {
        let mut pieces = state?;
        // Only the client's time counts: what was done with the piece before may have taken long.
        let end = if per_piece { tokio::time::Instant::now() + limit } else { whole };
        match tokio::time::timeout_at(end, pieces.next()).await {
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(pieces))),
            Ok(Some(Err(error))) => Some((Err(error.into()), None)),
            Ok(None) => None,
            Err(_) => Some((Err("the body took too long".into()), None)),
        }
    })
}
