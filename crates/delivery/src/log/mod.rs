//! The readers of the log: where each stands, what it waits for, what is to be saved of it.

mod cursor;
mod lane;
mod snapshot;

use std::rc::Rc;
use std::time::{Duration, Instant};

pub use cursor::Cursor;
pub use lane::Place;
pub(crate) use lane::{Again, Lane};
pub use snapshot::Snapshot;

use crate::hash::Map;
use crate::now::Now;
use crate::shipment::Origin;

/// How often the places are written down while they move.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// For all that keep up.
    Main,
    /// An endpoint, from its own place.
    Endpoint(i64),
}

/// Deliveries that were read together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) reader: Reader,
    pub(crate) number: u64,
}

/// What to write into the cursor table; endpoint 0 is the engine itself.
#[derive(Debug)]
pub struct Save {
    pub cursors: Vec<(i64, Cursor)>,
    pub dropped: Vec<i64>,
}

#[derive(Debug)]
pub(crate) struct Log {
    pub(crate) main: Lane,
    /// When `main.at.last` was taken; microseconds.
    taken_at: i64,
    lanes: Map<i64, Lane>,
    dropped: Vec<i64>,
    /// There may be more than the present window.
    pub(crate) dirty: bool,
    /// When it was last looked at.
    pub(crate) looked_at: Instant,
    saved_at: Instant,
}

impl Log {
    /// As it was saved before a restart at which `now` was the snapshot.
    pub(crate) fn restore(cursors: Vec<(i64, Cursor)>, snapshot: Snapshot, now: Now) -> Log {
        let snapshot = Rc::new(snapshot);
        let mut log = Log {
            main: Lane::new(Cursor::new(Rc::new(Snapshot::nowhere()), i64::MIN)),
            taken_at: i64::MIN / 2,
            lanes: Map::default(),
            dropped: Vec::new(),
            dirty: true,
            looked_at: now.steady,
            saved_at: now.steady,
        };
        for (endpoint, cursor) in cursors {
            let lane = Lane::restore(cursor, snapshot.clone());
            match endpoint {
                0 => log.main = lane,
                id => {
                    log.lanes.insert(id, lane);
                }
            }
        }
        log
    }

    /// Begins the next window, with the snapshot that ends it.
    pub(crate) fn begin(&mut self, snapshot: Snapshot, at: i64) {
        let previous = std::mem::replace(&mut self.taken_at, at);
        self.main.at.begin(Rc::new(snapshot), at, previous);
        self.dirty = false;
    }

    /// Is the window read to its end, and may there be more?
    pub(crate) fn wants_window(&self) -> bool {
        self.dirty && self.main.at.current.is_none()
    }

    pub(crate) fn lane(&self, id: i64) -> Option<&Lane> {
        self.lanes.get(&id)
    }

    pub(crate) fn lane_mut(&mut self, id: i64) -> Option<&mut Lane> {
        self.lanes.get_mut(&id)
    }

    fn reader(&mut self, reader: Reader) -> Option<&mut Lane> {
        match reader {
            Reader::Main => Some(&mut self.main),
            Reader::Endpoint(id) => self.lanes.get_mut(&id),
        }
    }

    /// Does the endpoint get its events with all others?
    pub(crate) fn reads_main(&self, id: i64) -> bool {
        self.lanes.get(&id).is_none_or(|lane| lane.closing)
    }

    /// What it has read so far, to the end of the window that it is in.
    pub(crate) fn read(&self, id: i64) -> Rc<Snapshot> {
        let lane = self.lanes.get(&id).filter(|lane| !lane.closing).unwrap_or(&self.main);
        lane.at.current.clone().unwrap_or_else(|| lane.at.last.clone())
    }

    /// The endpoints that read from their own places.
    pub(crate) fn apart(&self) -> impl Iterator<Item = i64> {
        self.lanes.iter().filter(|(_, lane)| !lane.closing).map(|(id, _)| *id)
    }

    /// All that have a place of their own, those that only wait for what they read included.
    pub(crate) fn lanes(&self) -> impl Iterator<Item = i64> {
        self.lanes.keys().copied()
    }

    /// From here on the endpoint reads by itself; `from` None: from where the engine is.
    pub(crate) fn set_apart(&mut self, id: i64, from: Option<Again>, ordered: bool) -> &mut Lane {
        let here = || Again { at: self.main.at.clone(), recheck: None };
        let Again { at, recheck } = from.unwrap_or_else(here);
        let recheck = Snapshot::later(recheck, self.main.recheck.clone());
        let batch = self.main.last_batch();
        let with_main = self.reads_main(id);
        let lane = self.lanes.entry(id).or_insert_with(|| Lane::new(at.clone()));
        if with_main {
            lane.set_apart(batch);
        }
        lane.at = at;
        lane.ordered = ordered;
        lane.closing = false;
        // What was attempted before a restart is left out here as it is by the engine.
        lane.recheck = Snapshot::later(lane.recheck.take(), recheck);
        lane
    }

    /// The place just before a delivery that was read and is not settled.
    pub(crate) fn before(&mut self, batch: Batch, xid: u64, id: i64) -> Option<Again> {
        self.reader(batch.reader)?.before(batch.number, xid, id)
    }

    pub(crate) fn add(&mut self, batch: Batch) {
        if let Some(lane) = self.reader(batch.reader) {
            lane.add(batch.number);
        }
    }

    /// A delivery from the log needs no further care by its reader.
    pub(crate) fn release(&mut self, origin: Origin) {
        if let Origin::Log(batch) = origin
            && let Some(lane) = self.reader(batch.reader)
        {
            lane.settle(batch.number);
        }
    }

    /// The endpoint is gone, with its row in the cursor table.
    pub(crate) fn remove(&mut self, id: i64) {
        self.lanes.remove(&id);
    }

    /// The row in the cursor table goes with the next save.
    pub(crate) fn drop_lane(&mut self, id: i64) {
        self.lanes.remove(&id);
        self.dropped.push(id);
    }

    pub(crate) fn is_unsaved(&self) -> bool {
        let main = &self.main;
        main.to_save().is_some()
            || !self.dropped.is_empty()
            || self.lanes.values().any(|lane| lane.is_over() || lane.to_save_beside(main).is_some())
    }

    /// Once in a while, when something moved.
    pub(crate) fn is_save_due(&self, now: Now) -> bool {
        now.since(self.saved_at) >= SAVE_INTERVAL && self.is_unsaved()
    }

    /// Until the next save, when there is something to save.
    pub(crate) fn save_in(&self, now: Now) -> Option<Duration> {
        self.is_unsaved().then(|| SAVE_INTERVAL.saturating_sub(now.since(self.saved_at)))
    }

    /// What is to be saved.
    pub(crate) fn save(&mut self) -> Option<Save> {
        let over: Vec<i64> = self.lanes.iter().filter(|(_, lane)| lane.is_over()).map(|(id, _)| *id).collect();
        for id in over {
            self.drop_lane(id);
        }
        let mut cursors: Vec<(i64, Cursor)> = self.main.to_save().map(|cursor| (0, cursor)).into_iter().collect();
        let main = &self.main;
        let apart = self.lanes.iter();
        cursors.extend(apart.filter_map(|(id, lane)| lane.to_save_beside(main).map(|cursor| (*id, cursor))));
        let lanes = &self.lanes;
        self.dropped.retain(|id| !lanes.contains_key(id));
        let save = Save { cursors, dropped: self.dropped.clone() };
        (!save.cursors.is_empty() || !save.dropped.is_empty()).then_some(save)
    }

    pub(crate) fn saved(&mut self, save: Save, now: Now) {
        self.dropped.retain(|id| !save.dropped.contains(id));
        for (id, cursor) in save.cursors {
            let reader = if id == 0 { Reader::Main } else { Reader::Endpoint(id) };
            if let Some(lane) = self.reader(reader) {
                lane.saved(cursor);
            }
        }
        self.saved_at = now.steady;
    }
}
