//! Reading the log by snapshot window: an event is taken when its transaction is visible now and was not at the last window.
//! A lane is one reader with its own place in the log: the engine's (0), or that of an endpoint that is behind.

use std::collections::VecDeque;
use std::rc::Rc;

use super::clock::SECOND;

/// A transaction that is not visible in a snapshot may have recorded events before the snapshot was taken: clocks may step
/// back by this much without an event being overlooked.
const CLOCK_MARGIN: i64 = 86_400 * SECOND;

/// pg_snapshot.
#[derive(PartialEq, Eq, Debug)]
pub struct Snapshot {
    text: String,
    xmin: u64,
    xmax: u64,
    in_progress: Vec<u64>,
}

impl Snapshot {
    /// `xmin:xmax:xip,xip...`
    pub fn parse(text: &str) -> Option<Snapshot> {
        let mut parts = text.splitn(3, ':');
        let xmin = parts.next()?.parse().ok()?;
        let xmax = parts.next()?.parse().ok()?;
        let list = parts.next()?;
        let in_progress = if list.is_empty() {
            Vec::new()
        } else {
            list.split(',').map(|xid| xid.parse().ok()).collect::<Option<_>>()?
        };
        Some(Snapshot { text: text.to_owned(), xmin, xmax, in_progress })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn xmax(&self) -> u64 {
        self.xmax
    }

    /// Was `self` taken after `other`?
    pub fn covers(&self, other: &Snapshot) -> bool {
        self.xmax >= other.xmax && self.xmin >= other.xmin
    }

    /// The one that was taken later.
    pub fn later(a: Option<Rc<Snapshot>>, b: Option<Rc<Snapshot>>) -> Option<Rc<Snapshot>> {
        match (a, b) {
            (Some(a), Some(b)) => Some(if a.covers(&b) { a } else { b }),
            (a, b) => a.or(b),
        }
    }

    pub fn has_in_progress(&self) -> bool {
        !self.in_progress.is_empty()
    }

    /// pg_visible_in_snapshot, for a transaction that committed.
    pub fn sees(&self, xid: u64) -> bool {
        xid < self.xmin || xid < self.xmax && self.in_progress.binary_search(&xid).is_err()
    }
}

/// A place in the log: within the window from `last` to `current`, behind (xid, id).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mark {
    pub last: Rc<Snapshot>,
    /// None: between windows, everything that `last` sees is read.
    pub current: Option<Rc<Snapshot>>,
    pub xid: u64,
    pub id: i64,
    /// No event that `last` does not see was recorded before this moment; microseconds.
    pub since: i64,
    /// The same for `current`.
    pub next_since: i64,
}

impl Mark {
    /// Begins the window that ends with `snapshot`, taken at `at`; false when there is nothing between the two.
    pub fn begin(&mut self, snapshot: Rc<Snapshot>, at: i64, previous_at: i64) -> bool {
        if *snapshot == *self.last {
            return false;
        }
        self.next_since = if !snapshot.has_in_progress() {
            at.saturating_sub(CLOCK_MARGIN)
        } else if snapshot.xmin >= self.last.xmax {
            previous_at.saturating_sub(CLOCK_MARGIN)
        } else {
            self.since
        };
        self.current = Some(snapshot);
        self.xid = 0;
        self.id = 0;
        true
    }

    /// The window is read to its end.
    pub fn finish(&mut self) {
        if let Some(current) = self.current.take() {
            self.last = current;
            self.since = self.next_since;
        }
        self.xid = 0;
        self.id = 0;
    }
}

/// Deliveries read together; what is behind the oldest unsettled batch needs not be read again after a crash.
struct Batch {
    sequence: u64,
    start: Mark,
    outstanding: usize,
}

pub struct Lane {
    pub mark: Mark,
    /// When `mark.last` was taken; microseconds.
    pub taken_at: i64,
    batches: VecDeque<Batch>,
    next_batch: u64,
    /// What is in the cursor table.
    saved: Option<Mark>,
    /// Ordered endpoints: what is left of the window in order of ids, as (id, xid, created_at).
    pub list: VecDeque<(i64, u64, i64)>,
    /// The endpoint caught up; the lane only waits for its batches.
    pub closing: bool,
    /// After a restart: events that this snapshot sees may have been attempted already.
    pub recheck: Option<Rc<Snapshot>>,
}

impl Lane {
    pub fn new(mark: Mark) -> Lane {
        Lane {
            mark,
            taken_at: i64::MIN / 2,
            batches: VecDeque::new(),
            next_batch: 0,
            saved: None,
            list: VecDeque::new(),
            closing: false,
            recheck: None,
        }
    }

    /// A lane as it was saved, before a restart at which `now` was the snapshot.
    pub fn restore(mark: Mark, now: Rc<Snapshot>) -> Lane {
        Lane { saved: Some(mark.clone()), recheck: Some(now), ..Lane::new(mark) }
    }

    pub fn open_batch(&mut self, start: Mark) -> u64 {
        self.next_batch += 1;
        self.batches.push_back(Batch { sequence: self.next_batch, start, outstanding: 0 });
        self.next_batch
    }

    pub fn add(&mut self, batch: u64) {
        if let Some(batch) = self.find(batch) {
            batch.outstanding += 1;
        }
    }

    pub fn settle(&mut self, batch: u64) {
        if let Some(batch) = self.find(batch) {
            batch.outstanding = batch.outstanding.saturating_sub(1);
        }
        self.trim();
    }

    /// Forgets the oldest batches, as far as they are settled.
    pub fn trim(&mut self) {
        while self.batches.front().is_some_and(|batch| batch.outstanding == 0) {
            self.batches.pop_front();
        }
    }

    /// The place just before an event of this batch.
    pub fn before(&mut self, batch: u64, xid: u64, id: i64) -> Option<Mark> {
        self.find(batch).map(|batch| Mark { xid, id: id - 1, ..batch.start.clone() })
    }

    /// Everything before this place is settled.
    pub fn settled(&self) -> &Mark {
        self.batches.front().map_or(&self.mark, |batch| &batch.start)
    }

    pub fn is_idle(&self) -> bool {
        self.batches.is_empty()
    }

    /// The place to save, when it differs from what was saved.
    pub fn to_save(&self) -> Option<Mark> {
        let settled = self.settled();
        (self.saved.as_ref() != Some(settled)).then(|| settled.clone())
    }

    pub fn saved(&mut self, mark: Mark) {
        self.saved = Some(mark);
    }

    fn find(&mut self, sequence: u64) -> Option<&mut Batch> {
        let first = self.batches.front()?.sequence;
        self.batches.get_mut(usize::try_from(sequence.checked_sub(first)?).ok()?)
    }
}
