//! The configuration: read when its version changed, before anything is routed that was committed after the change.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::Instant;

use super::desk::Desk;
use super::direct;
use super::endpoint::Endpoint;
use super::event::{Delivery, Origin};
use super::lane::{Lane, Mark, Snapshot};
use super::settings::Settings;
use super::transaction::{Failure, transaction};
use super::verbs;

impl Desk {
    /// Looks at the version of the configuration, and at the log: takes the snapshot that ends the next window.
    pub fn refresh(&mut self) -> Result<(), Failure> {
        // First: what is prepared no more is seen by the snapshot that follows.
        self.look_for_prepared()?;
        let Some(window) = transaction(verbs::window)? else { return Ok(()) };
        self.news = false;
        if window.config_version != self.config_version {
            self.reload()?;
        }
        self.polled_at = Instant::now();
        if self.running
            && self.main.mark.current.is_none()
            && let Some(snapshot) = Snapshot::parse(&window.snapshot)
        {
            let previous = std::mem::replace(&mut self.main.taken_at, window.at);
            self.main.mark.begin(Rc::new(snapshot), window.at, previous);
            self.pace.look(Instant::now());
            self.dirty = false;
        }
        Ok(())
    }

    /// As long as there are prepared transactions the log, the jobs and the timers are looked at now and then.
    fn look_for_prepared(&mut self) -> Result<(), Failure> {
        let before = self.timetable.polls;
        if self.slot.prepared.swap(0, SeqCst) != 0 {
            let there = transaction(verbs::prepared);
            if !matches!(there, Ok(false)) {
                self.slot.prepared.store(1, SeqCst);
            }
            self.timetable.polls = there?;
        }
        if before && !self.timetable.polls {
            self.timetable.look_again();
        }
        Ok(())
    }

    fn reload(&mut self) -> Result<(), Failure> {
        if let Some(boot) = transaction(verbs::boot)? {
            self.identify(&boot);
        }
        self.configure()
    }

    /// Reads the endpoints.
    pub fn configure(&mut self) -> Result<(), Failure> {
        let (version, rows) = transaction(|session| {
            let version = verbs::boot(session)?.map_or(-1, |boot| boot.config_version);
            Ok((version, verbs::settings(session)?))
        })?;
        // What has not left yet is sent as it is configured now.
        self.recall_all();
        let guard = direct::guard();
        let mut kept = Vec::new();
        let mut problems = Vec::new();
        for row in rows {
            match Settings::parse(&row, &guard) {
                Ok(settings) => {
                    kept.push(settings.id);
                    if settings.problem != settings.known_problem {
                        problems.push((settings.id, settings.problem.clone()));
                    }
                    self.change(settings);
                }
                Err(reason) => self.complain_once(&reason),
            }
        }
        let gone: Vec<i64> = self.endpoints.keys().copied().filter(|id| *id > 0 && !kept.contains(id)).collect();
        if !gone.is_empty() || self.config_version < 0 {
            transaction(verbs::forget)?;
        }
        for id in gone {
            self.drain(id);
            self.abandon(id);
            self.endpoints.remove(&id);
            self.lanes.remove(&id);
        }
        let orphans: Vec<i64> = self.lanes.keys().copied().filter(|id| !kept.contains(id)).collect();
        for id in orphans {
            self.lanes.remove(&id);
            self.dropped_lanes.push(id);
        }
        self.unload_retries();
        self.routes.clear();
        self.config_version = version;
        for (id, problem) in problems {
            transaction(|session| verbs::problem(session, id, problem.as_deref()))?;
        }
        Ok(())
    }

    /// What waits in memory is read again from the retry table: it may have been discarded.
    fn unload_retries(&mut self) {
        for endpoint in self.endpoints.values_mut() {
            for delivery in endpoint.retries.drain(..) {
                self.loaded.remove(&(delivery.event.id, delivery.endpoint.max(0)));
            }
        }
        self.next_due = i64::MIN;
    }

    fn change(&mut self, settings: Settings) {
        let id = settings.id;
        let (active, ordered) = (settings.active, settings.ordered);
        let reordered = match self.endpoints.get_mut(&id) {
            Some(endpoint) => {
                let reordered = endpoint.settings.ordered != ordered;
                endpoint.change(settings);
                reordered
            }
            None => {
                self.endpoints.insert(id, Endpoint::new(settings));
                false
            }
        };
        let has_lane = self.lanes.get(&id).is_some_and(|lane| !lane.closing);
        if !active || reordered || ordered && !has_lane {
            self.leave_behind(id);
        }
        if reordered && let Some(lane) = self.lanes.get_mut(&id) {
            // A place in one order means nothing in the other: the window is read again, and what was attempted is left out.
            let sent = lane.mark.current.clone().or_else(|| Some(lane.mark.last.clone()));
            lane.recheck = Snapshot::later(sent, self.main.recheck.clone());
            lane.mark.xid = 0;
            lane.mark.id = 0;
            lane.list.clear();
        } else if ordered
            && !has_lane
            && let Some(lane) = self.lanes.get_mut(&id)
        {
            lane.recheck = Snapshot::later(lane.mark.current.clone(), self.main.recheck.clone());
            lane.mark.xid = 0;
            lane.mark.id = 0;
        }
    }

    /// The endpoint goes on from its own place in the log: what waits for it in memory is read again from there.
    pub fn leave_behind(&mut self, id: i64) {
        if id <= 0 {
            return;
        }
        let mark = self.drain(id);
        let behind = self.lanes.get(&id).is_some_and(|lane| !lane.closing);
        let mark = match (mark, behind) {
            (Some(mark), _) => mark,
            (None, true) => return,
            (None, false) => self.main.mark.clone(),
        };
        let ordered = self.endpoints.get(&id).is_some_and(|endpoint| endpoint.settings.ordered);
        let lane = self.lanes.entry(id).or_insert_with(|| Lane::new(mark.clone()));
        lane.closing = false;
        lane.list.clear();
        // What an ordered endpoint has in flight is not all before what waits.
        if ordered {
            lane.recheck = mark.current.clone().or_else(|| Some(mark.last.clone()));
        }
        // What was attempted before a restart is left out here as it is by the engine.
        lane.recheck = Snapshot::later(lane.recheck.take(), self.main.recheck.clone());
        lane.mark = mark;
    }

    /// Empties the endpoint's queues; returns the place of the first delivery from the log in them.
    fn drain(&mut self, id: i64) -> Option<Mark> {
        let endpoint = self.endpoints.get_mut(&id)?;
        let mut waiting: Vec<Delivery> = endpoint.queue.drain(..).collect();
        // Of an ordered endpoint, a key whose delivery is in flight stays busy, with nothing behind it.
        let queued: Vec<String> =
            waiting.iter().filter_map(|delivery| delivery.event.turn().map(Cow::into_owned)).collect();
        for behind in endpoint.busy.values_mut() {
            waiting.extend(behind.drain(..));
        }
        endpoint.busy.retain(|key, _| !queued.contains(key));
        if endpoint.settings.ordered {
            waiting.sort_by_key(|delivery| match delivery.origin {
                Origin::Log { batch, .. } => (batch, delivery.event.id),
                Origin::Retry | Origin::Nowhere => (u64::MAX, delivery.event.id),
            });
        }
        let retries: Vec<Delivery> = endpoint.retries.drain(..).collect();
        for delivery in retries {
            self.loaded.remove(&(delivery.event.id, delivery.endpoint));
            self.next_due = i64::MIN;
        }
        let first = waiting.first().and_then(|delivery| self.place(delivery));
        for delivery in &waiting {
            self.release(delivery);
        }
        first
    }

    fn place(&mut self, delivery: &Delivery) -> Option<Mark> {
        let Origin::Log { lane, batch } = delivery.origin else { return None };
        let ordered =
            self.endpoints.get(&delivery.endpoint).is_some_and(|endpoint| endpoint.settings.ordered) && lane != 0;
        let lane = if lane == 0 { &mut self.main } else { self.lanes.get_mut(&lane)? };
        let xid = if ordered { 0 } else { delivery.event.xid };
        lane.before(batch, xid, delivery.event.id)
    }

    /// A delivery from the log needs no further care by its lane.
    pub fn release(&mut self, delivery: &Delivery) {
        if let Origin::Log { lane, batch } = delivery.origin {
            let lane = if lane == 0 { Some(&mut self.main) } else { self.lanes.get_mut(&lane) };
            if let Some(lane) = lane {
                lane.settle(batch);
            }
        }
    }
}
