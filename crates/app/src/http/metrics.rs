//! Figures for Prometheus: of jobs from the store when they are asked for, of requests and loading
//! since the process began.
//!
//! Text format 0.0.4. Names no account, instance or file.

use std::fmt::{Display, Write};
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use store::QueueFigures;

use crate::app::App;
use crate::job::loading::Sums;

/// Answers `/metrics`.
pub async fn show(State(app): State<Arc<App>>) -> Response {
    match app.store.queue_figures().await {
        Ok(figures) => {
            let media_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
            let mut text = text(&figures, app.clock.now_ms(), app.loading.sums());
            app.traffic.write(&mut text);
            (media_type, text).into_response()
        }
        Err(_) => (StatusCode::SERVICE_UNAVAILABLE, "the store does not answer\n").into_response(),
    }
}

fn text(figures: &QueueFigures, now_ms: i64, sums: Sums) -> String {
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
    let mut one = |name: &str, kind: &str, help: &str, value: &dyn Display| {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n");
    };
    let age = figures.oldest_queued_at.map_or(0, |at| (now_ms - at).max(0) / 1000);
    one("dbferry_queue_age_seconds", "gauge", "Age of the oldest job that waits.", &age);
    let Sums { bytes, rows, lanes, lane_micros } = sums;
    let help = "Bytes of dumps, unpacked, whose statements are committed.";
    one("dbferry_loaded_bytes_total", "counter", help, &bytes);
    let help = "Rows of INSERT statements that are committed.";
    one("dbferry_loaded_rows_total", "counter", help, &rows);
    let help = "Lanes that running imports of this process have open.";
    one("dbferry_lanes", "gauge", help, &lanes);
    let help = "Time that lanes had rows to load, of all lanes together.";
    let busy = std::time::Duration::from_micros(lane_micros).as_secs_f64();
    one("dbferry_lane_busy_seconds_total", "counter", help, &busy);
    text
}

#[test]
fn figures_are_lines() {
    let figures =
        QueueFigures { queued: 2, oldest_queued_at: Some(1000), ..QueueFigures::default() };
    let sums = Sums { bytes: 7, rows: 3, lanes: 2, lane_micros: 1_500_000 };
    let text = text(&figures, 8000, sums);
    for line in [
        "dbferry_jobs{state=\"queued\"} 2\n",
        "dbferry_queue_age_seconds 7\n",
        "# TYPE dbferry_loaded_rows_total counter\ndbferry_loaded_rows_total 3\n",
        "dbferry_lane_busy_seconds_total 1.5\n",
    ] {
        assert!(text.contains(line), "{text}");
    }
}
