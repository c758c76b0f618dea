//! How many work on the target at once: who writes rows and who builds keys have one share in it.
//!
//! A target that builds a table's keys with one thread, and has as many lanes as ever write rows
//! beside it, is slowest with what everybody waits for in the end: the largest table's. Promises: as
//! long as rows come, no more than there are lanes write or build, and one of them writes; a single
//! lane and its builder do not wait for each other. Decides nothing about what is built or written
//! when.

use std::sync::Arc;

use tokio::sync::{Semaphore, SemaphorePermit};

/// Shared by the lanes and the builders of a copy.
#[derive(Clone, Debug)]
pub struct Share {
    places: Option<Arc<Places>>,
}

#[derive(Debug)]
struct Places {
    all: Semaphore,
    /// Those of them that builders may have: one is left for rows.
    building: Semaphore,
}

/// Somebody's place, until it is dropped.
#[derive(Debug)]
pub struct Place<'a> {
    _permits: [Option<SemaphorePermit<'a>>; 2],
}

impl Share {
    /// For as many lanes, and no more builders than them.
    pub fn of(lanes: usize) -> Share {
        let places = || Places { all: Semaphore::new(lanes), building: Semaphore::new(lanes - 1) };
        Share { places: (lanes > 1).then(places).map(Arc::new) }
    }

    /// Nobody waits for anybody.
    pub fn unlimited() -> Share {
        Share { places: None }
    }

    /// Waits until a batch may be written.
    pub async fn to_write(&self) -> Place<'_> {
        Place { _permits: [taken(self.places.as_ref().map(|places| &places.all)).await, None] }
    }

    /// Waits until keys may be built.
    pub async fn to_build(&self) -> Place<'_> {
        let places = self.places.as_ref();
        let building = taken(places.map(|places| &places.building)).await;
        Place { _permits: [building, taken(places.map(|places| &places.all)).await] }
    }

    /// Nothing is written any more: every place is for a builder.
    pub fn rows_are_in(&self) {
        if let Some(places) = &self.places {
            places.building.add_permits(1);
        }
    }
}

async fn taken(places: Option<&Semaphore>) -> Option<SemaphorePermit<'_>> {
    // They are never closed.
    places?.acquire().await.ok()
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    /// The place, if it is there at once.
    fn now<'a>(wanted: impl Future<Output = Place<'a>>) -> Option<Place<'a>> {
        match pin!(wanted).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(place) => Some(place),
            Poll::Pending => None,
        }
    }

    #[test]
    fn who_builds_takes_a_lane_s_place() {
        let share = Share::of(2);
        let builder = now(share.to_build()).unwrap();
        assert!(now(share.to_build()).is_none(), "one place is left for rows");
        let writer = now(share.to_write()).unwrap();
        assert!(now(share.to_write()).is_none());
        drop(builder);
        let second = now(share.to_write()).unwrap();
        assert!(now(share.to_build()).is_none());
        drop((writer, second));
    }

    #[test]
    fn without_rows_all_build() {
        let share = Share::of(2);
        let builder = now(share.to_build()).unwrap();
        share.rows_are_in();
        assert!(now(share.to_build()).is_some());
        drop(builder);
    }

    #[test]
    fn a_single_lane_and_its_builder_do_not_wait() {
        for share in [Share::of(1), Share::unlimited()] {
            let builder = now(share.to_build());
            assert!(builder.is_some() && now(share.to_write()).is_some());
            share.rows_are_in();
        }
    }
}
