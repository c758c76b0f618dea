//! The service's port: which request goes where.
//!
//! `/` answers the clouds' dialects, `/api/v1` the native API, `/healthz`, `/readyz` and `/metrics`
//! those who watch the process.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;

use crate::app::App;

pub mod port;

pub mod certificate;
pub mod visit;

pub mod alibaba;
pub mod metrics;
pub mod native;
pub mod problem;
pub mod rates;
pub mod tencent;
pub mod traffic;

/// All routes.
pub fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics::show))
        .nest("/api/v1", native::router(Arc::clone(&app)))
        .fallback(tencent::answer)
        .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), visit::attend))
        .with_state(app)
}

/// Whether the store answers.
async fn ready(State(app): State<Arc<App>>) -> (StatusCode, &'static str) {
    match app.store.ping().await {
        Ok(()) => (StatusCode::OK, "ready\n"),
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n"),
    }
}
