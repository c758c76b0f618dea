//! What a process takes of the machine, from `/proc`.

use std::time::{Duration, Instant};

/// The unit of times in `/proc/PID/stat`: `USER_HZ`, the same on all Linux systems (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;
/// How often memory is read.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Since the process began, and now.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) resident_kib: u64,
}

impl Usage {
    pub(crate) fn of(process: u32) -> Usage {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        // The name before the last bracket may hold anything.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks: f64 = fields
            .split_whitespace()
            .skip(11)
            .take(2)
            .map(|field| field.parse::<f64>().unwrap())
            .sum();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let resident_kib = resident.trim().trim_end_matches(" kB").parse().unwrap();
        Usage { cpu_seconds: ticks / TICKS_PER_SECOND, resident_kib }
    }
}

/// A process's resident memory in KiB, again and again until the end.
pub(crate) async fn watch(process: u32, end: Instant) -> Vec<u64> {
    let mut seen = Vec::new();
    while Instant::now() < end {
        seen.push(Usage::of(process).resident_kib);
        tokio::time::sleep(LOOK_EVERY).await;
    }
    seen
}
