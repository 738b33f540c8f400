//! One reader of the log: the engine, or an endpoint that is behind or ordered.

use std::collections::VecDeque;
use std::rc::Rc;

use super::{Cursor, Snapshot};
use crate::faults::{Fault, planted};

/// An event's place: id, transaction, moment.
pub type Place = (i64, u64, i64);

/// Deliveries read together; what is behind the oldest unsettled batch needs not be read again after a crash.
#[derive(Debug)]
struct Open {
    sequence: u64,
    start: Cursor,
    /// As the lane had it when this was read.
    recheck: Option<Rc<Snapshot>>,
    outstanding: usize,
}

/// Where to read again.
#[derive(Debug)]
pub(crate) struct Again {
    pub(crate) at: Cursor,
    /// What this sees may have been attempted.
    pub(crate) recheck: Option<Rc<Snapshot>>,
}

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) at: Cursor,
    batches: VecDeque<Open>,
    next_batch: u64,
    /// What is in the cursor table.
    saved: Option<Cursor>,
    /// Ordered endpoints: what is left of the window in order of ids.
    pub(crate) list: VecDeque<Place>,
    /// Whether its windows are read in the order of ids.
    pub(crate) ordered: bool,
    /// The endpoint caught up; the lane only waits for its batches.
    pub(crate) closing: bool,
    /// The engine's last batch when the endpoint was set apart: what is unsettled of those before is nobody's but its own to read
    /// again after a crash.
    apart_since: u64,
    /// After a restart: events that this snapshot sees may have been attempted already.
    pub(crate) recheck: Option<Rc<Snapshot>>,
}

impl Lane {
    pub(crate) fn new(at: Cursor) -> Lane {
        Lane {
            at,
            batches: VecDeque::new(),
            next_batch: 0,
            saved: None,
            list: VecDeque::new(),
            ordered: false,
            closing: false,
            apart_since: 0,
            recheck: None,
        }
    }

    /// A lane as it was saved, before a restart at which `now` was the snapshot.
    pub(crate) fn restore(at: Cursor, now: Rc<Snapshot>) -> Lane {
        let recheck = (!planted(Fault::ForgetsWhatWasAttempted)).then_some(now);
        Lane { saved: Some(at.clone()), recheck, ..Lane::new(at) }
    }

    pub(crate) fn open_batch(&mut self, start: Cursor) -> u64 {
        self.next_batch += 1;
        let recheck = self.recheck.clone();
        self.batches.push_back(Open { sequence: self.next_batch, start, recheck, outstanding: 0 });
        self.next_batch
    }

    pub(crate) fn add(&mut self, batch: u64) {
        if let Some(batch) = self.find(batch) {
            batch.outstanding += 1;
        }
    }

    pub(crate) fn settle(&mut self, batch: u64) {
        if let Some(batch) = self.find(batch) {
            batch.outstanding = batch.outstanding.saturating_sub(1);
        }
        self.trim();
    }

    /// Forgets the oldest batches, as far as they are settled.
    pub(crate) fn trim(&mut self) {
        while self.batches.front().is_some_and(|batch| batch.outstanding == 0) {
            self.batches.pop_front();
        }
    }

    /// The place just before an event of this batch.
    pub(crate) fn before(&mut self, batch: u64, xid: u64, id: i64) -> Option<Again> {
        let batch = self.find(batch)?;
        Some(Again { at: Cursor { xid, id: id - 1, ..batch.start.clone() }, recheck: batch.recheck.clone() })
    }

    /// The end of a window; past the one that was being written at the last stop nothing can have been attempted.
    pub(crate) fn finish(&mut self) {
        if let (Some(current), Some(recheck)) = (&self.at.current, &self.recheck)
            && current.covers(recheck)
        {
            self.recheck = None;
        }
        self.at.finish();
    }

    /// Has it read what the engine is still to read again? What the engine saved is held back by whoever is slowest.
    pub(crate) fn is_ahead_of(&self, main: &Cursor) -> bool {
        *self.at.last != *main.last && !main.last.covers(&self.at.last)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.batches.is_empty()
    }

    /// The endpoint reads with the engine again, and nothing is left here.
    pub(crate) fn is_over(&self) -> bool {
        self.closing && self.is_idle()
    }

    /// From here on it reads by itself, though not all that was read for it by `main` is settled.
    pub(crate) fn set_apart(&mut self, main: u64) {
        self.apart_since = main;
    }

    /// The number of the last batch.
    pub(crate) fn last_batch(&self) -> u64 {
        self.next_batch
    }

    /// Are batches up to this one settled?
    fn is_past(&self, batch: u64) -> bool {
        self.batches.front().is_none_or(|front| front.sequence > batch)
    }

    /// Everything before this place is settled.
    pub(crate) fn settled(&self) -> &Cursor {
        if planted(Fault::SavesWhatIsNotSettled) {
            return &self.at;
        }
        self.batches.front().map_or(&self.at, |batch| &batch.start)
    }

    /// The same, of an endpoint that once read with `main`, and that may have been sent back.
    fn settled_beside(&self, main: &Lane) -> Cursor {
        let mut place = Cursor::floor(&self.in_order(self.settled()), &self.in_order(&self.at));
        if !main.is_past(self.apart_since) {
            place = Cursor::floor(&place, &self.in_order(main.settled()));
        }
        place
    }

    /// A place in the order of transactions means nothing in the order of ids, nor beside one: the window is read again.
    fn in_order(&self, place: &Cursor) -> Cursor {
        let mut place = place.clone();
        if self.ordered && place.xid != 0 {
            (place.xid, place.id) = (0, 0);
        }
        place
    }

    /// The place to save, when it differs from what was saved.
    pub(crate) fn to_save(&self) -> Option<Cursor> {
        let settled = self.settled();
        (self.saved.as_ref() != Some(settled)).then(|| settled.clone())
    }

    /// The same, of an endpoint that once read with `main`.
    pub(crate) fn to_save_beside(&self, main: &Lane) -> Option<Cursor> {
        let settled = self.settled_beside(main);
        (self.saved.as_ref() != Some(&settled)).then_some(settled)
    }

    pub(crate) fn saved(&mut self, cursor: Cursor) {
        self.saved = Some(cursor);
    }

    fn find(&mut self, sequence: u64) -> Option<&mut Open> {
        let first = self.batches.front()?.sequence;
        self.batches.get_mut(usize::try_from(sequence.checked_sub(first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane() -> Lane {
        Lane::new(Cursor::new(Rc::new(Snapshot::nowhere()), 0))
    }

    fn at(lane: &Lane, id: i64) -> Cursor {
        Cursor { xid: 1, id, ..lane.at.clone() }
    }

    #[test]
    fn the_oldest_unsettled_batch_is_where_it_begins_again() {
        let mut lane = lane();
        let batches: Vec<u64> = [10, 20, 30].map(|id| lane.open_batch(at(&lane, id))).into();
        for batch in &batches {
            lane.add(*batch);
        }
        lane.at.id = 40;
        lane.settle(batches[1]);
        assert_eq!(lane.settled().id, 10);
        lane.settle(batches[0]);
        assert_eq!(lane.settled().id, 30, "the second was settled before");
        assert_eq!(lane.before(batches[2], 1, 35).unwrap().at.id, 34);
        lane.settle(batches[2]);
        assert!(lane.is_idle());
        assert_eq!(lane.settled().id, 40);
        assert!(lane.before(batches[2], 1, 35).is_none());
    }

    #[test]
    fn what_the_engine_read_for_an_endpoint_that_was_set_apart_is_kept_for_it() {
        let (mut main, mut apart) = (lane(), lane());
        let batch = main.open_batch(at(&main, 10));
        main.add(batch);
        (main.at.xid, main.at.id) = (1, 20);
        apart.set_apart(main.last_batch());
        (apart.at.xid, apart.at.id) = (1, 20);
        let own = apart.open_batch(at(&apart, 20));
        apart.add(own);
        assert_eq!(apart.to_save_beside(&main).unwrap().id, 10);
        apart.ordered = true;
        assert_eq!(apart.to_save_beside(&main).unwrap().id, 0, "the whole window");
        let after = apart.at.clone();
        (apart.at.xid, apart.at.id) = (0, 25);
        assert_eq!(apart.to_save_beside(&main).unwrap().id, 0, "places of two orders are not compared");
        apart.at = after;
        apart.ordered = false;
        main.settle(batch);
        assert_eq!(apart.to_save_beside(&main).unwrap().id, 20);
        let later = main.open_batch(at(&main, 15));
        main.add(later);
        assert_eq!(apart.to_save_beside(&main).unwrap().id, 20, "that was read when it was apart");
        apart.at.id = 5;
        assert_eq!(apart.to_save_beside(&main).unwrap().id, 5, "it was sent back");
    }

    #[test]
    fn a_place_is_saved_once() {
        let mut lane = lane();
        let place = lane.to_save().unwrap();
        lane.saved(place);
        assert!(lane.to_save().is_none());
        lane.at.id = 7;
        assert_eq!(lane.to_save().unwrap().id, 7);
    }

    #[test]
    fn what_was_attempted_is_looked_up_until_the_window_of_the_restart_is_over() {
        let now = Rc::new(Snapshot::parse("10:10:").unwrap());
        let mut lane = Lane::restore(lane().at, now);
        lane.at.begin(Rc::new(Snapshot::parse("5:5:").unwrap()), 0, 0);
        lane.finish();
        assert!(lane.recheck.is_some());
        lane.at.begin(Rc::new(Snapshot::parse("10:12:").unwrap()), 0, 0);
        lane.finish();
        assert!(lane.recheck.is_none());
    }
}
