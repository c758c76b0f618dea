//! Figures for Prometheus, gathered from the store when they are asked for.
//!
//! Text format 0.0.4. Names no account, instance or file.

use std::fmt::Write;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use store::QueueFigures;

use crate::app::App;

/// Answers `/metrics`.
pub async fn show(State(app): State<Arc<App>>) -> Response {
    match app.store.queue_figures().await {
        Ok(figures) => {
            let media_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
            (media_type, text(&figures, app.clock.now_ms())).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}

fn text(figures: &QueueFigures, now_ms: i64) -> String {
    let mut text = String::from("# HELP dbferry_jobs Jobs that the store keeps, by state.\n");
    text.push_str("# TYPE dbferry_jobs gauge\n");
    let states = [
        ("queued", figures.queued),
        ("running", figures.running),
        ("succeeded", figures.succeeded),
        ("failed", figures.failed),
        ("cancelled", figures.cancelled),
    ];
    for (state, jobs) in states {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "dbferry_jobs{{state=\"{state}\"}} {jobs}");
    }
    let age = figures.oldest_queued_at.map_or(0, |at| (now_ms - at).max(0) / 1000);
    text.push_str("# HELP dbferry_queue_age_seconds Age of the oldest job that waits.\n");
    text.push_str("# TYPE dbferry_queue_age_seconds gauge\n");
    let _ = writeln!(text, "dbferry_queue_age_seconds {age}");
    text
}

#[test]
fn figures_are_lines() {
    let figures =
        QueueFigures { queued: 2, oldest_queued_at: Some(1000), ..QueueFigures::default() };
    let text = text(&figures, 8000);
    assert!(text.contains("dbferry_jobs{state=\"queued\"} 2\n"), "{text}");
    assert!(text.ends_with("dbferry_queue_age_seconds 7\n"), "{text}");
}
