//! From the log into the queues.

use std::collections::HashSet;
use std::rc::Rc;

use pgrx::spi::SpiResult;

use super::clock::{self, SECOND};
use super::desk::Desk;
use super::endpoint::Endpoint;
use super::event::{Delivery, Event, Origin};
use super::lane::{Lane, Mark, Snapshot};
use super::memory;
use super::transaction::{Failure, FailureKind, Session, transaction};
use super::verbs::{self, Batch};
use super::wait::flush;
use crate::pg::record::apart;

/// (event, endpoint)
type Pairs = HashSet<(i64, i64)>;

/// Events read at once.
const BATCH: i32 = 200;
/// Deliveries that wait for an endpoint and are worth to be given back.
const MUCH: usize = 20;
/// Events of an ordered endpoint's window whose ids are held in memory, 24 bytes each.
const LIST: i32 = 250_000;

impl Desk {
    /// One batch for every reader that has room.
    pub fn read(&mut self) -> Result<(), Failure> {
        if memory::is_short() {
            self.shed();
        }
        if self.main.mark.current.is_some() {
            self.room = self.has_room();
            if self.room {
                self.read_main()?;
            }
        }
        let now = clock::now();
        let ready: Vec<i64> = self.lanes.iter().filter(|(_, lane)| !lane.closing).map(|(id, _)| *id).collect();
        for id in ready {
            if memory::is_short() {
                break;
            }
            if self.endpoints.get(&id).is_some_and(|endpoint| endpoint.is_open(now) && endpoint.has_room()) {
                if self.endpoints.get(&id).is_some_and(|endpoint| endpoint.settings.ordered) {
                    self.read_ordered(id)?;
                } else {
                    self.catch_up(id)?;
                }
            }
        }
        Ok(())
    }

    /// Memory is short: the endpoint that has the most waiting gives it back, and reads it again from its own place in the log.
    fn shed(&mut self) {
        let waiting = self.endpoints.iter().filter(|(id, endpoint)| **id > 0 && endpoint.queued() > MUCH);
        if let Some((id, _)) = waiting.max_by_key(|(_, endpoint)| (endpoint.held.get(), endpoint.queued())) {
            self.leave_behind(*id);
        }
    }

    /// Is there something to read at once?
    pub fn more(&self) -> bool {
        if !self.running {
            return false;
        }
        if memory::is_short() {
            return self.dirty && self.main.mark.current.is_none();
        }
        let now = clock::now();
        self.dirty && self.main.mark.current.is_none()
            || self.main.mark.current.is_some() && self.room
            || self.lanes.iter().any(|(id, lane)| {
                !lane.closing
                    && self.endpoints.get(id).is_some_and(|endpoint| {
                        endpoint.is_open(now)
                            && endpoint.has_room()
                            && (lane.mark.current.is_some()
                                || *lane.mark.last != *self.main.mark.last
                                || !endpoint.settings.ordered)
                    })
            })
    }

    fn all_full(&self, now: i64) -> bool {
        let mut live = self
            .endpoints
            .iter()
            .filter(|(id, endpoint)| **id > 0 && self.reads_main(**id) && endpoint.is_open(now))
            .peekable();
        live.peek().is_some() && live.all(|(_, endpoint)| endpoint.is_full())
    }

    fn reads_main(&self, id: i64) -> bool {
        self.lanes.get(&id).is_none_or(|lane| lane.closing)
    }

    /// May the log be read on? An endpoint that holds it up for longer than a moment is left behind, when another runs out of
    /// work by it.
    fn has_room(&mut self) -> bool {
        let now = clock::now();
        let shut: Vec<i64> = self
            .endpoints
            .iter()
            .filter(|(id, endpoint)| **id > 0 && self.reads_main(**id) && !endpoint.is_open(now + SECOND))
            .map(|(id, _)| *id)
            .collect();
        for id in shut {
            self.leave_behind(id);
        }
        if self.all_full(now) || memory::is_short() {
            return false;
        }
        let starving = self
            .endpoints
            .iter()
            .any(|(id, endpoint)| *id > 0 && self.reads_main(*id) && endpoint.is_open(now) && endpoint.is_starving());
        // Nothing lately, perhaps because of the one that is stuck.
        let idle = self
            .endpoints
            .iter()
            .any(|(id, endpoint)| *id > 0 && self.reads_main(*id) && endpoint.is_open(now) && endpoint.queued() == 0);
        let mut room = true;
        for (id, endpoint) in &mut self.endpoints {
            if *id <= 0 || !self.lanes.get(id).is_none_or(|lane| lane.closing) {
                continue;
            }
            if endpoint.is_stuck() && (starving || idle && endpoint.is_long_stuck()) {
                // What it has in memory stays there; it goes on from here by itself.
                let lane = self.lanes.entry(*id).or_insert_with(|| Lane::new(self.main.mark.clone()));
                lane.mark = self.main.mark.clone();
                lane.recheck = Snapshot::later(lane.recheck.take(), self.main.recheck.clone());
                lane.closing = false;
            } else if endpoint.is_full() {
                room = false;
            }
        }
        room
    }

    fn read_main(&mut self) -> Result<(), Failure> {
        let start = self.main.mark.clone();
        let (Batch { events, complete }, attempted) = self.fetch(&start, self.main.recheck.is_some())?;
        flush_fresh(&events, &start);
        let batch = self.main.open_batch(start);
        self.pace.found(events.len());
        for event in events {
            self.main.mark.xid = event.xid;
            self.main.mark.id = event.id;
            self.route(Rc::new(event), batch, &attempted);
        }
        if complete {
            finish(&mut self.main);
        }
        self.main.trim();
        Ok(())
    }

    /// The next events of a window, and with `recheck` which (event, endpoint) of them were attempted or are in flight.
    fn fetch(&self, mark: &Mark, recheck: bool) -> Result<(Batch, Pairs), Failure> {
        self.batch(recheck, |session| verbs::read(session, mark, BATCH))
    }

    /// A batch that cannot be read as a whole is read once more, with what is at fault told apart.
    fn batch(&self, recheck: bool, read: impl Fn(&mut Session) -> SpiResult<Batch>) -> Result<(Batch, Pairs), Failure> {
        let fetch = || {
            transaction(|session| {
                let batch = read(session)?;
                let ids = batch.events.iter().map(|event| event.id).collect();
                let attempted = if recheck { verbs::settled(session, ids)? } else { Vec::new() };
                Ok((batch, attempted))
            })
        };
        let (batch, attempted) = match fetch() {
            Err(failure) if failure.kind == FailureKind::Lasting => apart(fetch)?,
            fetched => fetched?,
        };
        Ok((batch, self.with_unwritten(attempted, recheck)))
    }

    /// Besides what the tables say: what is in flight, and what has come back and is not written yet.
    fn with_unwritten(&self, attempted: Vec<(i64, i64)>, recheck: bool) -> Pairs {
        let mut attempted: Pairs = attempted.into_iter().collect();
        if recheck {
            let back = self.outcomes.settled.iter().map(|settled| &settled.delivery);
            let pair = |delivery: &Delivery| (delivery.event.id, delivery.endpoint.max(0));
            attempted.extend(self.in_flight.values().chain(back).map(pair));
        }
        attempted
    }

    /// To every endpoint that reads with the engine and that the event concerns.
    fn route(&mut self, event: Rc<Event>, batch: u64, attempted: &Pairs) {
        if event.op == 'H' {
            if !attempted.contains(&(event.id, 0)) {
                self.take_direct(event, batch);
            }
            return;
        }
        let mut document = None;
        for id in self.candidates(&event).iter() {
            if !self.reads_main(*id) || attempted.contains(&(event.id, *id)) {
                continue;
            }
            if let Some(endpoint) = self.endpoints.get_mut(id)
                && (event.target.is_some() || endpoint.settings.concerns(&event, &mut document))
            {
                self.main.add(batch);
                endpoint.push(Delivery::new(event.clone(), *id, 0, Origin::Log { lane: 0, batch }));
            }
        }
    }

    /// The endpoints whose patterns take the event's type.
    fn candidates(&mut self, event: &Event) -> Rc<[i64]> {
        if let Some(target) = event.target {
            return Rc::new([target]);
        }
        let service = event.op == 'S';
        if let Some(route) = self.routes.get(&(event.kind.clone(), service)) {
            return route.clone();
        }
        let mut ids: Vec<i64> = self
            .endpoints
            .iter()
            .filter(|(id, endpoint)| **id > 0 && endpoint.settings.takes(&event.kind, service))
            .map(|(id, _)| *id)
            .collect();
        ids.sort_unstable();
        let route: Rc<[i64]> = ids.into();
        if self.routes.len() > 10_000 {
            self.routes.clear();
        }
        self.routes.insert((event.kind.clone(), service), route.clone());
        route
    }

    /// One batch for an endpoint that is behind. It follows the engine's own windows, and ends where the engine is.
    fn catch_up(&mut self, id: i64) -> Result<(), Failure> {
        let Some(lane) = self.lanes.get_mut(&id) else { return Ok(()) };
        if lane.mark.current.is_none() {
            let main = &self.main.mark;
            if *lane.mark.last != *main.last {
                lane.mark.begin(main.last.clone(), main.since, main.since);
                lane.mark.next_since = main.since;
            } else if let Some(current) = &main.current {
                lane.mark.begin(current.clone(), main.next_since, main.next_since);
                lane.mark.next_since = main.next_since;
            } else {
                lane.closing = true;
                return Ok(());
            }
        }
        // In the engine's own window nothing is read that it will read itself.
        let shared = lane.mark.current.is_some() && lane.mark.current == self.main.mark.current;
        let start = lane.mark.clone();
        let recheck = lane.recheck.is_some();
        let (Batch { events, complete }, attempted) = self.fetch(&start, recheck)?;
        flush_fresh(&events, &start);
        let limit = (self.main.mark.xid, self.main.mark.id);
        let (Some(lane), Some(endpoint)) = (self.lanes.get_mut(&id), self.endpoints.get_mut(&id)) else {
            return Ok(());
        };
        let batch = lane.open_batch(start);
        let mut caught_up = shared && complete;
        for event in events {
            if shared && (event.xid, event.id) > limit {
                caught_up = true;
                break;
            }
            lane.mark.xid = event.xid;
            lane.mark.id = event.id;
            if !attempted.contains(&(event.id, id)) && is_for(endpoint, id, &event) {
                lane.add(batch);
                endpoint.push(Delivery::new(Rc::new(event), id, 0, Origin::Log { lane: id, batch }));
            }
        }
        if caught_up {
            lane.closing = true;
            lane.recheck = None;
        } else if complete {
            finish(lane);
        }
        lane.trim();
        Ok(())
    }

    /// One batch for an ordered endpoint: its windows are read in the order of ids, the order in which a row changed.
    fn read_ordered(&mut self, id: i64) -> Result<(), Failure> {
        let Some(lane) = self.lanes.get_mut(&id) else { return Ok(()) };
        if lane.mark.current.is_none()
            && !lane.mark.begin(self.main.mark.last.clone(), self.main.mark.since, self.main.mark.since)
        {
            return Ok(());
        }
        if lane.list.is_empty() {
            let mark = lane.mark.clone();
            lane.list = transaction(|session| verbs::list(session, &mark, LIST))?.into();
        }
        if lane.list.is_empty() {
            finish(lane);
            return Ok(());
        }
        let wanted: Vec<(i64, u64, i64)> = lane.list.iter().take(BATCH as usize).copied().collect();
        let start = lane.mark.clone();
        let recheck = lane.recheck.is_some();
        let (Batch { events, complete }, attempted) = self.batch(recheck, |session| verbs::events(session, &wanted))?;
        flush_fresh(&events, &start);
        // Without what did not fit into the batch.
        let last = events.last().filter(|_| !complete).map(|event| event.id);
        let taken =
            last.and_then(|last| wanted.iter().position(|(id, ..)| *id == last)).map_or(wanted.len(), |at| at + 1);
        let (Some(lane), Some(endpoint)) = (self.lanes.get_mut(&id), self.endpoints.get_mut(&id)) else {
            return Ok(());
        };
        let batch = lane.open_batch(start);
        lane.list.drain(..taken);
        lane.mark.id = wanted.get(taken - 1).map_or(lane.mark.id, |(id, ..)| *id);
        for event in events {
            if !attempted.contains(&(event.id, id)) && is_for(endpoint, id, &event) {
                lane.add(batch);
                let delivery = Delivery::new(Rc::new(event), id, 0, Origin::Log { lane: id, batch });
                if let Some(blocked) = endpoint.push(delivery) {
                    self.outcomes.wait_for_key(blocked);
                }
            }
        }
        lane.trim();
        Ok(())
    }
}

fn is_for(endpoint: &Endpoint, id: i64, event: &Event) -> bool {
    match event.target {
        Some(target) => target == id,
        None => {
            event.op != 'H'
                && endpoint.settings.takes(&event.kind, event.op == 'S')
                && endpoint.settings.concerns(event, &mut None)
        }
    }
}

/// The end of a window; past the one that was being written at the last stop nothing can have been attempted.
fn finish(lane: &mut Lane) {
    if let (Some(current), Some(recheck)) = (&lane.mark.current, &lane.recheck)
        && Snapshot::covers(current, recheck)
    {
        lane.recheck = None;
    }
    lane.mark.finish();
}

/// Commits that are not on disk yet can only be recent ones.
fn flush_fresh(events: &[Event], mark: &Mark) {
    let horizon = mark.current.as_ref().map_or(0, |current| current.xmax()).saturating_sub(1_000_000);
    flush(events.iter().map(|event| event.xid).filter(|xid| *xid >= horizon));
}
