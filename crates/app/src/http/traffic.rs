//! How many requests were answered, and how long that took: figures for Prometheus.
//!
//! Promises: the labels are few, whatever clients send: routes, actions that exist, and classes of
//! outcomes. Names no account, key, instance or file.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the histogram, in milliseconds.
const BOUNDS: [u64; 13] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000];
/// Series that are kept; there are fewer, so one more is a mistake of ours.
const SERIES_MAX: usize = 1000;

/// What a request was, for the figures.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// `tencent`, `native`, or `watch` for those who watch the process.
    pub dialect: &'static str,
    /// An action's name or a route; `other` for what does not exist.
    pub action: String,
    /// `2xx`, `4xx` (refused) or `5xx` (the service's fault), as an HTTP status would say it.
    pub status: &'static str,
}

/// The class of an HTTP status.
pub fn class(status: u16) -> &'static str {
    match status {
        0..=399 => "2xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

#[derive(Default)]
struct Series {
    /// By bound; not summed up.
    counts: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

/// The figures since the process began.
#[derive(Default)]
pub struct Traffic {
    series: Mutex<BTreeMap<Label, Series>>,
}

impl Traffic {
    /// Counts a request that took so long.
    pub fn count(&self, label: Label, took: Duration) {
        let mut all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= SERIES_MAX && !all.contains_key(&label) {
            return;
        }
        let series = all.entry(label).or_default();
        if let Some(at) = BOUNDS.iter().position(|&bound| took <= Duration::from_millis(bound)) {
            series.counts[at] += 1;
        }
        series.count += 1;
        series.sum += took;
    }

    /// Writes the figures in Prometheus' text format.
    pub fn write(&self, text: &mut String) {
        const NAME: &str = "dbferry_request_seconds";
        text.push_str(
            "# HELP dbferry_request_seconds From the end of a request's header to the answer.\n\
             # TYPE dbferry_request_seconds histogram\n",
        );
        let all = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        for (Label { dialect, action, status }, series) in all.iter() {
            let labels = format!("dialect=\"{dialect}\",action=\"{action}\",status=\"{status}\"");
            let mut below = 0;
            // Writing to a string cannot fail.
            for (bound, count) in BOUNDS.iter().zip(series.counts) {
                below += count;
                let seconds = Duration::from_millis(*bound).as_secs_f64();
                let _ = writeln!(text, "{NAME}_bucket{{{labels},le=\"{seconds}\"}} {below}");
            }
            let _ = writeln!(text, "{NAME}_bucket{{{labels},le=\"+Inf\"}} {}", series.count);
            let _ = writeln!(text, "{NAME}_sum{{{labels}}} {}", series.sum.as_secs_f64());
            let _ = writeln!(text, "{NAME}_count{{{labels}}} {}", series.count);
        }
    }
}

#[test]
fn buckets_hold_what_is_at_most_their_bound() {
    let traffic = Traffic::default();
    let label = Label { dialect: "native", action: "other".to_owned(), status: class(404) };
    for took in [1, 7, 20_000] {
        traffic.count(label.clone(), Duration::from_millis(took));
    }
    let mut text = String::new();
    traffic.write(&mut text);
    for line in [
        "_bucket{dialect=\"native\",action=\"other\",status=\"4xx\",le=\"0.001\"} 1\n",
        "le=\"0.005\"} 1\n",
        "le=\"0.01\"} 2\n",
        "le=\"10\"} 2\n",
        "le=\"+Inf\"} 3\n",
        "_sum{dialect=\"native\",action=\"other\",status=\"4xx\"} 20.008\n",
        "_count{dialect=\"native\",action=\"other\",status=\"4xx\"} 3\n",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}
