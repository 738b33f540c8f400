//! Endpoints that hold the others up: each goes on from its own place in the log.

use super::Core;
use crate::fleet::Endpoint;
use crate::log::{Again, Reader, Snapshot};
use crate::now::{Now, SECOND};
use crate::shipment::{Delivery, Origin, Target};

/// Deliveries that wait for an endpoint and are worth to be given back.
const MUCH: usize = 20;

impl Core {
    /// The endpoints that read with the engine.
    fn with_main(&self) -> impl Iterator<Item = (i64, &Endpoint)> {
        self.fleet.endpoints().filter(|(id, _)| self.log.reads_main(*id))
    }

    /// May the log be read on? An endpoint that holds it up for longer than a moment is left behind, when another runs out of
    /// work by it.
    pub(super) fn make_room(&mut self, now: Now) -> bool {
        let shut: Vec<i64> = self
            .with_main()
            .filter(|(_, endpoint)| !endpoint.is_open(now.clock.saturating_add(SECOND)))
            .map(|(id, _)| id)
            .collect();
        for id in shut {
            self.leave_behind(id);
        }
        let share = self.limits.share;
        let (mut live, mut full, mut starving, mut idle) = (0, 0, false, false);
        for (_, endpoint) in self.with_main().filter(|(_, endpoint)| endpoint.is_open(now.clock)) {
            live += 1;
            full += usize::from(endpoint.is_full(share));
            starving |= endpoint.is_starving(now);
            // Nothing lately, perhaps because of the one that is stuck.
            idle |= endpoint.queued() == 0;
        }
        if live > 0 && full == live || self.is_short() {
            return false;
        }
        let mut room = true;
        let mut stuck = Vec::new();
        for (target, endpoint) in self.fleet.all_mut() {
            let Target::Endpoint(id) = target else { continue };
            if !self.log.reads_main(id) {
                continue;
            }
            if endpoint.is_stuck(share, now) && (starving || idle && endpoint.is_long_stuck(now)) {
                stuck.push((id, endpoint.plan.ordered));
            } else if endpoint.is_full(share) {
                room = false;
            }
        }
        for (id, ordered) in stuck {
            // What it has in memory stays there; it goes on from here by itself.
            self.log.set_apart(id, None, ordered);
        }
        room
    }

    /// Memory is short: the endpoint that has the most waiting gives it back, and reads it again from its own place in the log.
    pub(super) fn shed(&mut self) {
        let waiting = self.fleet.endpoints().filter(|(_, endpoint)| endpoint.queued() > MUCH);
        if let Some((id, _)) = waiting.max_by_key(|(_, endpoint)| (endpoint.held.held(), endpoint.queued())) {
            self.leave_behind(id);
        }
    }

    /// The endpoint goes on from its own place in the log: what waits for it in memory is read again from there.
    pub(super) fn leave_behind(&mut self, id: i64) {
        let read = self.log.read(id);
        let endpoint = self.fleet.endpoint(id);
        // What an ordered endpoint has in flight is not all before what waits.
        let mixed = endpoint.is_some_and(|endpoint| endpoint.plan.ordered || endpoint.order.is_used());
        let first = self.drain(id);
        let apart = self.log.lane(id).is_some_and(|lane| !lane.closing);
        if first.is_none() && apart {
            return;
        }
        let ordered = self.fleet.endpoint(id).is_some_and(|endpoint| endpoint.plan.ordered);
        let lane = self.log.set_apart(id, first, ordered);
        lane.list.clear();
        if mixed {
            lane.recheck = Snapshot::later(lane.recheck.take(), Some(read));
        }
    }

    /// Empties the endpoint's queues; returns the place of the first delivery from the log in them.
    pub(super) fn drain(&mut self, id: i64) -> Option<Again> {
        let endpoint = self.fleet.endpoint_mut(id)?;
        let waiting = endpoint.drain();
        for delivery in endpoint.drain_retries() {
            self.retries.unload(delivery.pair());
            self.retries.look();
        }
        let first = waiting.first().and_then(|delivery| self.place(delivery));
        for delivery in &waiting {
            self.log.release(delivery.origin);
        }
        first
    }

    /// The place just before it.
    fn place(&mut self, delivery: &Delivery) -> Option<Again> {
        let Origin::Log(batch) = delivery.origin else { return None };
        let ordered = self.fleet.get(delivery.target).is_some_and(|endpoint| endpoint.plan.ordered);
        // A window that is read in the order of ids has no place among its transactions.
        let xid = if ordered && batch.reader != Reader::Main { 0 } else { delivery.event.xid };
        self.log.before(batch, xid, delivery.event.id)
    }
}
