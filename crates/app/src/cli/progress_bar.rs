//! Draws the progress of an import on stderr: a bar on a terminal, plain lines elsewhere.
//!
//! It reads counters and changes none. What it calls done is committed. The remaining time comes
//! from the rate of the last seconds, and is not shown before there is one.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dump::source::Input;
use engine::run::progress::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::say;
use crate::size;

/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);
/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// The rate is that of the last seconds.
const RATE_OVER: Duration = Duration::from_secs(15);
/// Steps of the bar.
const STEPS: u64 = 10_000;

/// What is drawn from.
pub struct Source {
    /// The run's counters.
    pub progress: Arc<Progress>,
    /// Bytes taken from the file as it is stored; `None` where there is no file.
    pub consumed: Option<Consumed>,
    /// The file's size as it is stored, if it is known.
    pub size: Option<u64>,
}

/// How much was taken from a file, which may be opened again meanwhile.
#[derive(Clone)]
pub struct Consumed(Arc<Mutex<Arc<AtomicU64>>>);

impl Consumed {
    /// That of an input.
    pub fn of(input: &Input) -> Consumed {
        Consumed(Arc::new(Mutex::new(Arc::clone(&input.consumed))))
    }

    /// From now on it is that of another one.
    pub fn is_of(&self, input: &Input) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&input.consumed);
    }

    /// In bytes as the file is stored.
    fn bytes(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).load(Ordering::Relaxed)
    }
}

/// A bar that is being drawn.
pub struct Drawing {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Starts drawing.
pub fn draw(source: Source) -> Drawing {
    let ended = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&ended);
    let terminal = std::io::stderr().is_terminal();
    let thread = std::thread::Builder::new()
        .name("progress".to_owned())
        .spawn(move || match terminal {
            true => draw_bar(&source, &seen),
            false => write_lines(&source, &seen),
        })
        .ok();
    Drawing { ended, thread }
}

impl Drawing {
    /// Stops drawing and clears the bar.
    pub fn end(mut self) {
        self.ended.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // Nothing depends on how the drawing ended.
            let _ = thread.join();
        }
    }
}

fn draw_bar(source: &Source, ended: &AtomicBool) {
    let bar = ProgressBar::with_draw_target(Some(STEPS), ProgressDrawTarget::stderr());
    let has_end = source.size.is_some() || source.consumed.is_none();
    let template = match has_end {
        true => "{bar:30} {prefix} {wide_msg}",
        false => "{spinner} {prefix} {wide_msg}",
    };
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style.progress_chars("=> "));
    let mut rate = Rate::new();
    while !ended.load(Ordering::Relaxed) {
        let now = Moment::take(source);
        rate.add(&now);
        bar.set_position((now.fraction.unwrap_or(0.0) * STEPS as f64) as u64);
        bar.set_prefix(now.fraction.map(percent).unwrap_or_default());
        let doing = match source.progress.pause() {
            Some(reason) => format!("paused: {reason}"),
            None => source.progress.activity(),
        };
        bar.set_message(format!("{}  {doing}", line(source, &now, &rate)));
        bar.tick();
        std::thread::park_timeout(TICK);
    }
    bar.finish_and_clear();
}

fn write_lines(source: &Source, ended: &AtomicBool) {
    let mut rate = Rate::new();
    let mut written = Instant::now();
    let mut is_paused = false;
    while !ended.load(Ordering::Relaxed) {
        std::thread::park_timeout(TICK);
        tell_pause(source, &mut is_paused);
        if written.elapsed() < LINE_EVERY {
            continue;
        }
        written = Instant::now();
        let now = Moment::take(source);
        rate.add(&now);
        let percent = now.fraction.map(percent).unwrap_or_default();
        say(&format!("{percent} {}", line(source, &now, &rate)));
    }
    tell_pause(source, &mut is_paused);
}

/// A pause is told when it begins and when it ends, not with the figures.
fn tell_pause(source: &Source, is_paused: &mut bool) {
    let pause = source.progress.pause();
    if pause.is_some() != *is_paused {
        *is_paused = pause.is_some();
        say(&pause.map_or("the pause is over".to_owned(), |reason| format!("paused: {reason}")));
    }
}

fn percent(fraction: f64) -> String {
    format!("{:3.0}%", (fraction * 100.0).floor())
}

/// Bytes, rows, rate and the remaining time.
fn line(source: &Source, now: &Moment, rate: &Rate) -> String {
    let total = source.size.map(|size| format!("/{}", size::bytes(size))).unwrap_or_default();
    let mut text = format!("{}{total}  {} rows", size::bytes(now.stored), size::count(now.rows));
    if let Some((stored, rows)) = rate.per_second() {
        let per_second =
            format!("{}/s  {} rows/s", size::bytes(stored as u64), size::count(rows as u64));
        text = format!("{text}  {per_second}");
        let left = match source.size {
            Some(size) => size.saturating_sub(now.stored) as f64 / stored,
            None => now.expected.saturating_sub(now.rows) as f64 / rows,
        };
        if left.is_finite() && now.fraction.is_some() {
            let left = size::duration(Duration::from_secs_f64(left.min(1e7)));
            text = format!("{text}  ETA {left}");
        }
    }
    text
}

/// The counters at one moment.
struct Moment {
    at: Instant,
    /// Bytes of the file as it is stored whose effect is committed.
    stored: u64,
    rows: u64,
    /// Rows there may be in all, where no file tells an end.
    expected: u64,
    fraction: Option<f64>,
}

impl Moment {
    fn take(source: &Source) -> Moment {
        let progress = &source.progress;
        let applied = progress.applied_bytes.load(Ordering::Relaxed);
        let read = progress.read_bytes.load(Ordering::Relaxed).max(1);
        // Stored bytes are compressed ones; what is applied is the same share of both.
        let share = (applied as f64 / read as f64).min(1.0);
        let stored = match &source.consumed {
            Some(consumed) => (consumed.bytes() as f64 * share) as u64,
            None => applied,
        };
        let rows = progress.applied_rows.load(Ordering::Relaxed);
        let expected = progress.expected_rows.load(Ordering::Relaxed);
        let share_of = |done: u64, all: u64, most: f64| (done as f64 / all.max(1) as f64).min(most);
        let fraction = match source.size {
            Some(size) => Some(share_of(stored, size, 1.0)),
            // Statistics may be wrong: what is not over is not called complete.
            None => (expected > 0).then(|| share_of(rows, expected, 0.99)),
        };
        Moment { at: Instant::now(), stored, rows, expected, fraction }
    }
}

/// The moments of the last seconds.
struct Rate {
    moments: VecDeque<(Instant, u64, u64)>,
}

impl Rate {
    fn new() -> Rate {
        Rate { moments: VecDeque::new() }
    }

    fn add(&mut self, moment: &Moment) {
        self.moments.push_back((moment.at, moment.stored, moment.rows));
        while self.moments.len() > 2 && self.moments[0].0.elapsed() > RATE_OVER {
            self.moments.pop_front();
        }
    }

    /// Stored bytes and rows a second; nothing in the first second.
    fn per_second(&self) -> Option<(f64, f64)> {
        let (first, last) = (self.moments.front()?, self.moments.back()?);
        let seconds = last.0.duration_since(first.0).as_secs_f64();
        let per = |from: u64, to: u64| to.saturating_sub(from) as f64 / seconds;
        (seconds >= 1.0).then(|| (per(first.1, last.1), per(first.2, last.2)))
    }
}
