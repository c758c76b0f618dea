//! How far something is that others do, on stderr: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::say;

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// Steps of the bar.
const STEPS: u64 = 10_000;

/// A bar, or what stands for one. It goes when it is dropped.
pub struct Meter {
    bar: Option<ProgressBar>,
    written: Mutex<Instant>,
}

impl Meter {
    /// Begins at nothing.
    pub fn new() -> Meter {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30} {prefix} {wide_msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            bar.set_style(style.progress_chars("=> "));
            bar
        });
        Meter { bar, written: Mutex::new(Instant::now()) }
    }

    /// Shows how far it is, from 0 to 1.
    pub fn show(&self, fraction: f64, text: &str) {
        let fraction = fraction.clamp(0.0, 1.0);
        let percent = format!("{:3.0}%", (fraction * 100.0).floor());
        if let Some(bar) = &self.bar {
            bar.set_position((fraction * STEPS as f64) as u64);
            bar.set_prefix(percent);
            bar.set_message(text.to_owned());
            return;
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.elapsed() >= LINE_EVERY {
            *written = Instant::now();
            say(&format!("{percent} {text}"));
        }
    }
}

impl Default for Meter {
    fn default() -> Meter {
        Meter::new()
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
