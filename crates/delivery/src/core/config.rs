//! The configuration: taken over before anything is routed that was committed after it.

use super::Core;
use crate::input::Configuration;
use crate::log::Snapshot;
use crate::now::Now;
use crate::plan::Plan;
use crate::shipment::Target;

impl Core {
    pub(super) fn configure(&mut self, configuration: Configuration, now: Now) {
        // What has not left yet is sent as it is configured now.
        self.recall_all();
        self.running = configuration.running;
        let kept: Vec<i64> = configuration.plans.iter().map(|plan| plan.id).collect();
        for plan in configuration.plans {
            self.change(plan, now);
        }
        let gone: Vec<i64> = self.fleet.endpoints().map(|(id, _)| id).filter(|id| !kept.contains(id)).collect();
        for id in gone {
            self.drain(id);
            for origin in self.flight.abandon(Target::Endpoint(id)) {
                self.log.release(origin);
            }
            self.fleet.remove(id);
            self.log.remove(id);
        }
        let orphans: Vec<i64> = self.log.lanes().filter(|id| !kept.contains(id)).collect();
        for id in orphans {
            self.log.drop_lane(id);
        }
        self.unload_retries();
        self.version = configuration.version;
    }

    fn change(&mut self, plan: Plan, now: Now) {
        let (id, active, ordered) = (plan.id, plan.active, plan.ordered);
        let read = self.log.read(id);
        let before = self.fleet.change(plan, now);
        let reordered = before.is_some_and(|before| before.ordered != ordered);
        let has_lane = self.log.lane(id).is_some_and(|lane| !lane.closing);
        if !active || reordered || ordered && !has_lane {
            self.leave_behind(id);
        }
        if let Some(lane) = self.log.lane_mut(id) {
            lane.ordered = ordered;
            if ordered && lane.at.xid != 0 {
                // It was saved before the endpoint became ordered.
                (lane.at.xid, lane.at.id) = (0, 0);
            }
        }
        if !reordered && (!ordered || has_lane) {
            return;
        }
        let main = self.log.main.recheck.clone();
        if let Some(lane) = self.log.lane_mut(id) {
            // A place in one order means nothing in the other: the window is read again, and what was attempted is left out.
            lane.recheck = Snapshot::later(lane.recheck.take(), Snapshot::later(Some(read), main));
            lane.at.xid = 0;
            lane.at.id = 0;
            lane.list.clear();
        }
    }

    /// What waits in memory is read again from the retry table: it may have been discarded.
    fn unload_retries(&mut self) {
        for (_, endpoint) in self.fleet.all_mut() {
            for delivery in endpoint.drain_retries() {
                self.retries.unload(delivery.pair());
            }
        }
        self.retries.look();
    }
}
