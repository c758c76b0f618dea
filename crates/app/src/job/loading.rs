//! What the imports of this process have brought in, for those who watch it.
//!
//! Promises: the sums never fall, also when an import ends. Only what is committed counts; where an
//! import is taken up again, so do the bytes before the place where it goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use engine::run::progress::Progress;

/// Sums over imports.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// Bytes of dumps, unpacked, whose statements are in.
    pub bytes: u64,
    /// Rows of INSERTs that are in.
    pub rows: u64,
    /// Lanes that are open now.
    pub lanes: u64,
    /// Microseconds that lanes had something to load.
    pub lane_micros: u64,
}

/// All imports since the process began.
#[derive(Default)]
pub struct Loading {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    ended: Sums,
    running: Vec<Arc<Progress>>,
}

/// An import that runs; dropped, it has ended.
pub struct Running<'a> {
    loading: &'a Loading,
    progress: Arc<Progress>,
}

impl Loading {
    /// An import begins that tells its progress there.
    pub fn begin(&self, progress: &Arc<Progress>) -> Running<'_> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.running.push(Arc::clone(progress));
        Running { loading: self, progress: Arc::clone(progress) }
    }

    /// The sums now.
    pub fn sums(&self) -> Sums {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.running.iter().fold(inner.ended, |sums, progress| sums.and(progress))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut inner = self.loading.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.running.retain(|progress| !Arc::ptr_eq(progress, &self.progress));
        // It has no lanes any more, also where it was dropped before it could say so.
        inner.ended = Sums { lanes: 0, ..inner.ended.and(&self.progress) };
    }
}

impl Sums {
    fn and(self, progress: &Progress) -> Sums {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Sums {
            bytes: self.bytes + load(&progress.applied_bytes),
            rows: self.rows + load(&progress.applied_rows),
            lanes: self.lanes + load(&progress.lanes),
            lane_micros: self.lane_micros + load(&progress.lane_micros),
        }
    }
}

#[test]
fn sums_do_not_fall_when_an_import_ends() {
    let loading = Loading::default();
    let progress = Progress::new();
    let running = loading.begin(&progress);
    progress.applied(100, 2, 20);
    progress.lanes.store(2, Ordering::Relaxed);
    assert_eq!(loading.sums(), Sums { bytes: 100, rows: 20, lanes: 2, lane_micros: 0 });
    drop(running);
    let _second = loading.begin(&Progress::new());
    assert_eq!(loading.sums(), Sums { bytes: 100, rows: 20, lanes: 0, lane_micros: 0 });
}
