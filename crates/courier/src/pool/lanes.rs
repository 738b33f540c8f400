//! Connections of HTTP/2 in the pool: one takes many requests at once, so few are opened.
//!
//! What an origin speaks is known once a connection to it is open. Until then its other requests wait for that one
//! connection instead of opening as many; if it comes to HTTP/1.1 or to nothing, they go each their own way.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::time::Instant;

use super::TURN;
use super::state::State;
use crate::inbox::Job;
use crate::target::Origin;
use crate::wide::Wide;

/// Connections of HTTP/2 to one origin.
const MOST_LANES: usize = 8;
/// Requests under way on one of them, if the receiver takes so many.
const MOST_STREAMS: usize = 128;
/// Origins whose protocol is remembered.
const MOST_KNOWN: usize = 10_000;

pub(super) struct Lane {
    wide: Arc<Wide>,
    /// requests under way
    busy: usize,
    since: Instant,
    /// when the last request ended
    used: Instant,
    /// takes new requests
    open: bool,
}

/// Whether an origin spoke HTTP/2 when it was last connected to; requests to one of which nothing is known wait for the
/// first connection.
#[derive(Default)]
pub(super) struct Protocols(HashMap<Arc<Origin>, bool>);

impl Protocols {
    fn set(&mut self, origin: &Arc<Origin>, wide: bool) {
        if self.0.len() >= MOST_KNOWN {
            self.0.clear();
        }
        self.0.insert(origin.clone(), wide);
    }
}

impl Lane {
    fn has_room(&self) -> bool {
        self.open && self.busy < MOST_STREAMS.min(self.wide.max_streams())
    }

    fn close(&mut self) {
        self.open = false;
        if self.busy == 0 {
            self.wide.close();
        }
    }
}

impl State {
    /// A connection of HTTP/2 to this origin that has room for a request, which is counted.
    pub(super) fn board(&mut self, origin: &Origin) -> Option<Arc<Wide>> {
        let lane = self.origins.get_mut(origin)?.lanes.iter_mut().find(|lane| lane.has_room())?;
        lane.busy += 1;
        Some(lane.wide.clone())
    }

    /// Whether one more connection to this origin makes sense now.
    pub(super) fn may_open(&self, origin: &Origin) -> bool {
        if !origin.may_widen() || self.protocols.0.get(origin) == Some(&false) {
            return true;
        }
        let Some(queue) = self.origins.get(origin) else { return true };
        let lanes = queue.lanes.iter().filter(|lane| lane.open).count();
        queue.opening == 0 && lanes < MOST_LANES && !queue.lanes.iter().any(Lane::has_room)
    }

    /// A connection will be opened for this job.
    pub(super) fn opens(&mut self, job: &mut Job) {
        if job.request.target.origin.may_widen() {
            job.opens = true;
            self.queue(&job.request.target.origin).opening += 1;
        }
    }

    fn opened(&mut self, origin: &Origin, counted: bool) {
        if let Some(queue) = self.origins.get_mut(origin).filter(|_| counted) {
            queue.opening -= 1;
        }
    }

    /// The connection speaks HTTP/1.1, or was not to be had: whoever waited for it opens their own.
    pub(super) fn narrow(&mut self, origin: &Arc<Origin>, counted: bool) -> Vec<Job> {
        self.opened(origin, counted);
        if origin.may_widen() {
            self.protocols.set(origin, false);
        }
        if counted { self.start_waiting() } else { Vec::new() }
    }

    /// The connection speaks HTTP/2 and has its first request; returns those that go with it.
    pub(super) fn widen(&mut self, origin: &Arc<Origin>, wide: &Arc<Wide>, counted: bool) -> Vec<Job> {
        self.opened(origin, counted);
        self.protocols.set(origin, true);
        let open = !self.closed && wide.is_of(&self.settings);
        let mut lane = Lane { wide: wide.clone(), busy: 1, since: Instant::now(), used: Instant::now(), open };
        let mut jobs = Vec::new();
        while lane.has_room() {
            let Some(job) = self.take_of(origin) else { break };
            lane.busy += 1;
            jobs.push(job);
        }
        self.queue(origin).lanes.push(lane);
        jobs
    }

    /// A request on the connection has ended; the next one for it, if there is one.
    pub(super) fn next_stream(&mut self, origin: &Arc<Origin>, wide: &Arc<Wide>) -> Option<Job> {
        let crowded = self.workers >= self.settings.max_connections && self.others_wait(origin);
        let lane = self.lane(origin, wide)?;
        if crowded && lane.since.elapsed() >= TURN {
            lane.open = false;
        }
        if lane.open
            && let Some(job) = self.take_of(origin)
        {
            return Some(job);
        }
        let lane = self.lane(origin, wide)?;
        lane.busy -= 1;
        lane.used = Instant::now();
        if !lane.open {
            lane.close();
        }
        if crowded {
            // Nobody who waits is told of a connection that has just run out of requests.
            self.close_an_idle_lane();
        }
        None
    }

    /// The connection takes no new requests.
    pub(super) fn lose(&mut self, origin: &Arc<Origin>, wide: &Arc<Wide>) {
        if let Some(lane) = self.lane(origin, wide) {
            lane.close();
        }
    }

    /// Whether the connection may be closed because it had nothing to do for long; no request gets on it afterwards.
    pub(super) fn retire(&mut self, origin: &Arc<Origin>, wide: &Arc<Wide>) -> bool {
        let long = self.settings.idle_timeout / 2;
        self.lane(origin, wide).is_none_or(|lane| {
            let retires = lane.busy == 0 && lane.used.elapsed() >= long;
            lane.open &= !retires;
            retires
        })
    }

    /// The connection has ended.
    pub(super) fn remove_lane(&mut self, origin: &Arc<Origin>, wide: &Arc<Wide>) {
        if let Some(queue) = self.origins.get_mut(origin) {
            queue.lanes.retain(|lane| !Arc::ptr_eq(&lane.wide, wide));
        }
        self.forget(origin);
    }

    pub(super) fn idle_lanes(&self) -> usize {
        self.origins.values().flat_map(|queue| &queue.lanes).filter(|lane| lane.open && lane.busy == 0).count()
    }

    /// Makes room for a connection to somebody else.
    pub(super) fn close_an_idle_lane(&mut self) {
        let mut lanes = self.origins.values_mut().flat_map(|queue| &mut queue.lanes);
        if let Some(lane) = lanes.find(|lane| lane.open && lane.busy == 0) {
            lane.close();
        }
    }

    pub(super) fn close_lanes(&mut self) {
        self.origins.values_mut().flat_map(|queue| &mut queue.lanes).for_each(Lane::close);
    }

    fn others_wait(&self, origin: &Origin) -> bool {
        self.waiting > self.origins.get(origin).map_or(0, |queue| queue.jobs.len())
    }

    fn lane(&mut self, origin: &Arc<Origin>, wide: &Arc<Wide>) -> Option<&mut Lane> {
        self.origins.get_mut(origin)?.lanes.iter_mut().find(|lane| Arc::ptr_eq(&lane.wide, wide))
    }
}
