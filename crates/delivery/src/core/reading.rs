//! From the log into the queues: what is read next, and whose it is.

use std::rc::Rc;

use super::Core;
use crate::action::{Action, Ask, Read, What};
use crate::event::{Event, Op};
use crate::hash::Set;
use crate::input::{Due, DueRow, Page, Window};
use crate::log::{Batch, Place, Reader};
use crate::now::{Now, SECOND};
use crate::rest::Part;
use crate::retries::Pair;
use crate::shipment::{Delivery, Origin, Target};

/// Retries loaded at once.
const RETRIES: usize = 500;
/// When a direct request's host has more waiting than fits into memory, they wait in the retry table.
const SPILL: i64 = 2 * SECOND;

impl Core {
    /// The configuration of this window is known: it begins.
    pub(super) fn begin(&mut self, window: Window, now: Now) {
        self.rests.of(Part::Refresh).went_well();
        self.news = false;
        self.log.looked_at = now.steady;
        if self.running && self.log.main.at.current.is_none() {
            self.log.begin(window.snapshot, window.at);
            self.pace.look(now.steady);
        }
    }

    /// Is there something to read at once?
    pub(super) fn has_more(&self, now: Now) -> bool {
        if !self.running || self.leaving {
            return false;
        }
        let between = self.log.wants_window();
        if between || self.is_short() {
            return between;
        }
        let main = &self.log.main.at;
        main.current.is_some() && self.room
            || self.log.apart().any(|id| {
                let (Some(lane), Some(endpoint)) = (self.log.lane(id), self.fleet.endpoint(id)) else { return false };
                let there = lane.at.current.is_some()
                    || !lane.is_ahead_of(main) && (*lane.at.last != *main.last || !endpoint.plan.ordered);
                there && endpoint.is_open(now.clock) && endpoint.has_room(self.limits.share)
            })
    }

    /// The next batch for all that keep up.
    pub(super) fn read_main(&mut self, now: Now) -> Option<Action> {
        if self.is_short() {
            self.shed();
        }
        self.log.main.at.current.as_ref()?;
        self.room = self.make_room(now);
        if !self.room {
            return None;
        }
        let (from, recheck) = (self.log.main.at.clone(), self.log.main.recheck.is_some());
        Some(Action::Read(Read { reader: Reader::Main, from, what: What::Next, recheck }))
    }

    /// The next batch for an endpoint that reads by itself.
    pub(super) fn read_apart(&mut self, id: i64, now: Now) -> Option<Action> {
        if self.is_short() || self.rests.is_resting(Part::Read, now) {
            return None;
        }
        let endpoint = self.fleet.endpoint(id)?;
        if !endpoint.is_open(now.clock) || !endpoint.has_room(self.limits.share) {
            return None;
        }
        let ordered = endpoint.plan.ordered;
        let main = self.log.main.at.clone();
        let lane = self.log.lane_mut(id).filter(|lane| !lane.closing)?;
        if lane.at.current.is_none() {
            // It follows the engine's own windows, and ends where the engine is. After a restart it may be past that.
            if lane.is_ahead_of(&main) {
                return None;
            }
            if *lane.at.last != *main.last {
                lane.at.begin(main.last.clone(), main.since, main.since);
                lane.at.next_since = main.since;
            } else if ordered {
                return None;
            } else if let Some(current) = &main.current {
                lane.at.begin(current.clone(), main.next_since, main.next_since);
                lane.at.next_since = main.next_since;
            } else {
                lane.closing = true;
                return None;
            }
        }
        let what = match ordered {
            false => What::Next,
            true if lane.list.is_empty() => What::List,
            true => What::These(lane.list.iter().take(Read::EVENTS).copied().collect()),
        };
        let (from, recheck) = (lane.at.clone(), lane.recheck.is_some());
        Some(Action::Read(Read { reader: Reader::Endpoint(id), from, what, recheck }))
    }

    pub(super) fn take_page(&mut self, read: Read, page: Page, now: Now) {
        let attempted = self.attempted(&read, page.attempted);
        match (read.reader, read.what) {
            (Reader::Main, _) => {
                let number = self.log.main.open_batch(read.from);
                let batch = Batch { reader: Reader::Main, number };
                self.pace.found(page.events.len());
                for event in page.events {
                    self.log.main.at.xid = event.xid;
                    self.log.main.at.id = event.id;
                    self.route(Rc::new(event.weighed(&self.memory)), batch, &attempted, now);
                }
                if page.complete {
                    self.log.main.finish();
                }
                self.log.main.trim();
            }
            (Reader::Endpoint(id), What::These(wanted)) => {
                // Without what did not fit into the batch.
                let last = page.events.last().filter(|_| !page.complete).map(|event| event.id);
                let at = last.and_then(|last| wanted.iter().position(|(id, ..)| *id == last));
                let taken = at.map_or(wanted.len(), |at| at + 1);
                let Some(lane) = self.log.lane_mut(id) else { return };
                let number = lane.open_batch(read.from);
                lane.list.drain(..taken.min(lane.list.len()));
                if let Some((id, ..)) = wanted.get(taken.wrapping_sub(1)) {
                    lane.at.id = *id;
                }
                self.take_for(id, number, page.events, &attempted, now);
            }
            (Reader::Endpoint(id), _) => {
                let main = &self.log.main.at;
                let limit = (main.xid, main.id);
                // In the engine's own window nothing is read that it will read itself.
                let shared = read.from.current.is_some() && read.from.current == main.current;
                let Some(lane) = self.log.lane_mut(id) else { return };
                let number = lane.open_batch(read.from);
                let mut events = page.events;
                let before = events.iter().position(|event| shared && (event.xid, event.id) > limit);
                events.truncate(before.unwrap_or(events.len()));
                if let Some(last) = events.last() {
                    (lane.at.xid, lane.at.id) = (last.xid, last.id);
                }
                if before.is_some() || shared && page.complete {
                    lane.closing = true;
                    lane.recheck = None;
                } else if page.complete {
                    lane.finish();
                }
                self.take_for(id, number, events, &attempted, now);
            }
        }
    }

    /// The places of an ordered endpoint's window.
    pub(super) fn take_list(&mut self, read: Read, places: Vec<Place>) {
        if let Reader::Endpoint(id) = read.reader
            && let Some(lane) = self.log.lane_mut(id)
        {
            if places.is_empty() {
                lane.finish();
            } else {
                lane.list = places.into();
                self.list_was_read(id);
            }
        }
    }

    /// Besides what the tables say: what is in flight, and what has come back and is not written yet.
    fn attempted(&self, read: &Read, tables: Vec<Pair>) -> Set<Pair> {
        let mut attempted: Set<Pair> = tables.into_iter().collect();
        if read.recheck {
            attempted.extend(self.flight.deliveries().chain(self.ledger.unsettled()).map(Delivery::pair));
        }
        attempted
    }

    /// To every endpoint that reads with the engine and that the event concerns.
    fn route(&mut self, event: Rc<Event>, batch: Batch, attempted: &Set<Pair>, now: Now) {
        if event.op == Op::Request {
            if !attempted.contains(&(event.id, 0)) {
                self.log.add(batch);
                self.push_direct(Delivery::new(event, Target::Host(0), 0, Origin::Log(batch)), now);
            }
            return;
        }
        let mut document = None;
        for id in self.fleet.route(&event).iter() {
            if !self.log.reads_main(*id) || attempted.contains(&(event.id, *id)) {
                continue;
            }
            if let Some(endpoint) = self.fleet.endpoint_mut(*id)
                && (event.target.is_some() || endpoint.plan.concerns(&event, &mut document))
            {
                self.log.add(batch);
                let delivery = Delivery::new(event.clone(), Target::Endpoint(*id), 0, Origin::Log(batch));
                if let Some(blocked) = endpoint.push(delivery, now) {
                    self.wait_for_key(blocked);
                }
            }
        }
    }

    /// To the endpoint that reads by itself.
    fn take_for(&mut self, id: i64, number: u64, events: Vec<Event>, attempted: &Set<Pair>, now: Now) {
        let batch = Batch { reader: Reader::Endpoint(id), number };
        for event in events {
            let Some(endpoint) = self.fleet.endpoint_mut(id) else { break };
            if attempted.contains(&(event.id, id)) || !endpoint.plan.wants(&event) {
                continue;
            }
            self.log.add(batch);
            let event = Rc::new(event.weighed(&self.memory));
            let delivery = Delivery::new(event, Target::Endpoint(id), 0, Origin::Log(batch));
            if let Some(blocked) = endpoint.push(delivery, now) {
                self.wait_for_key(blocked);
            }
        }
        if let Some(lane) = self.log.lane_mut(id) {
            lane.trim();
        }
    }

    /// What is due in the retry table, for endpoints that can be sent to.
    pub(super) fn ask_for_due(&mut self, now: Now) -> Option<Action> {
        if !self.retries.is_due(now.clock) || self.rests.is_resting(Part::Retries, now) {
            return None;
        }
        if self.is_short() {
            self.retries.looked(Some(now.clock + SECOND / 10));
            return None;
        }
        let open = self.fleet.endpoints().filter(|(_, endpoint)| endpoint.is_open(now.clock));
        let endpoints = open.map(|(id, _)| id).chain([0]).collect();
        let limit = RETRIES + self.retries.loaded();
        Some(Action::Due(Ask { endpoints, clock: now.clock, limit }))
    }

    pub(super) fn take_due(&mut self, due: Due, now: Now) {
        self.retries.looked(if due.complete { due.next } else { Some(due.clock + SECOND / 10) });
        for DueRow { event, event_id, endpoint: id, attempts } in due.rows {
            let Some(event) = event else {
                self.ledger.open.done.push((event_id, id));
                continue;
            };
            let event = Rc::new(event.weighed(&self.memory));
            let delivery = Delivery::new(event, Target::Endpoint(id), attempts, Origin::Retry);
            self.retries.load((event_id, id));
            match self.fleet.endpoint_mut(id).filter(|_| id > 0) {
                Some(endpoint) => endpoint.push_retry(delivery),
                None => self.push_direct(delivery, now),
            }
        }
    }

    fn push_direct(&mut self, mut delivery: Delivery, now: Now) {
        let event = delivery.event.clone();
        let (target, host) = self.fleet.host(&event, now);
        delivery.target = target;
        if delivery.origin == Origin::Retry {
            host.push_retry(delivery);
        } else if host.is_full(self.limits.share) {
            self.ledger.wait(delivery, now.clock + SPILL, "many requests wait for this host");
        } else {
            host.push(delivery, now);
        }
    }
}
