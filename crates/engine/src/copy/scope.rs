//! What a copy is of and with: both servers, what is asked for, and who looks on.
//!
//! Promises: made once per copy, before anything is connected; every step of it sees the same.

use std::sync::Arc;

use super::connections::Connections;
use super::report::Report;
use super::throttle::Throttle;
use super::{LANES_MAX, Options};
use crate::endpoint::Endpoint;
use crate::import::Surroundings;

/// What a copy is of and with.
#[derive(Debug)]
pub struct Scope<'a> {
    /// The server that is read.
    pub source: &'a Endpoint,
    /// The server that is written.
    pub target: &'a Endpoint,
    /// What to copy, and how.
    pub options: &'a Options,
    /// Who looks on, and may stop it.
    pub surroundings: &'a Surroundings,
    /// Where every connection is noted that works for long.
    pub connections: Connections,
    /// Says when work may begin.
    pub throttle: Throttle,
}

impl<'a> Scope<'a> {
    /// Nothing is connected yet.
    pub fn new(
        source: &'a Endpoint,
        target: &'a Endpoint,
        options: &'a Options,
        surroundings: &'a Surroundings,
    ) -> Scope<'a> {
        let throttle = Throttle::new(&options.throttle, Arc::clone(&surroundings.progress));
        let connections = Connections::default();
        Scope { source, target, options, surroundings, connections, throttle }
    }

    /// How many readers are wanted: one more than lanes, it walks ahead of them.
    pub fn readers(&self) -> usize {
        self.options.lanes.clamp(1, LANES_MAX) + 1
    }

    /// The databases' names on the source.
    pub fn source_names(&self) -> impl Iterator<Item = &str> {
        self.options.databases.iter().map(|(from, _)| from.as_str())
    }

    /// A report of which nothing is done.
    pub fn report(&self) -> Report {
        Report { lanes: self.options.lanes, ..Report::default() }
    }
}
