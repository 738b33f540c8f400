//! A place in the log.

use std::rc::Rc;

use super::Snapshot;
use crate::now::SECOND;

/// A transaction that is not visible in a snapshot may have recorded events before the snapshot was taken: clocks may step
/// back by this much without an event being overlooked.
const CLOCK_MARGIN: i64 = 86_400 * SECOND;

/// Within the window from `last` to `current`, behind (xid, id).
///
/// An event is taken when its transaction is visible now and was not at the last window. With transactions 11 to 16 and the
/// snapshots `11:14:11,13` and `11:17:11`, what the window holds is what 13, 14, 15 and 16 wrote: 12 was seen by the first,
/// 11 is seen by neither and belongs to a later window, however long it stays open.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor {
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

impl Cursor {
    /// Between windows, having read what `last` sees.
    pub fn new(last: Rc<Snapshot>, since: i64) -> Cursor {
        Cursor { last, current: None, xid: 0, id: 0, since, next_since: since }
    }

    /// A place that neither of the two is before: going on from there, both read all that they have not read.
    pub(crate) fn floor(a: &Cursor, b: &Cursor) -> Cursor {
        let (first, second) = if b.last.covers(&a.last) { (a, b) } else { (b, a) };
        let since = a.since.min(b.since);
        if first.last == second.last && first.current == second.current {
            let (xid, id) = (first.xid, first.id).min((second.xid, second.id));
            return Cursor { xid, id, since, ..first.clone() };
        }
        // A window that ends where the other begins, or before. Of two that overlap, nothing counts as read.
        match &first.current {
            Some(current) if !second.last.covers(current) => Cursor::new(first.last.clone(), since),
            _ => Cursor { since, ..first.clone() },
        }
    }

    /// Begins the window that ends with `snapshot`, taken at `at`; false when there is nothing between the two.
    pub(crate) fn begin(&mut self, snapshot: Rc<Snapshot>, at: i64, previous_at: i64) -> bool {
        if *snapshot == *self.last {
            return false;
        }
        self.next_since = if !snapshot.has_in_progress() {
            at.saturating_sub(CLOCK_MARGIN)
        } else if snapshot.xmin() >= self.last.xmax() {
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
    pub(crate) fn finish(&mut self) {
        if let Some(current) = self.current.take() {
            self.last = current;
            self.since = self.next_since;
        }
        self.xid = 0;
        self.id = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(text: &str) -> Rc<Snapshot> {
        Rc::new(Snapshot::parse(text).unwrap())
    }

    const DAY: i64 = 86_400 * SECOND;

    #[test]
    fn a_window_moves_the_cursor_to_its_end() {
        let mut cursor = Cursor::new(snapshot("5:5:"), 0);
        assert!(!cursor.begin(snapshot("5:5:"), DAY, 0));
        assert!(cursor.begin(snapshot("9:9:"), 3 * DAY, 0));
        (cursor.xid, cursor.id) = (7, 70);
        cursor.finish();
        assert_eq!(cursor, Cursor { next_since: 2 * DAY, ..Cursor::new(snapshot("9:9:"), 2 * DAY) });
    }

    #[test]
    fn the_floor_of_two_places_is_before_both() {
        let at = |last, current: Option<&str>, xid, id| Cursor {
            current: current.map(snapshot),
            xid,
            id,
            ..Cursor::new(snapshot(last), 0)
        };
        let floor = |a: &Cursor, b: &Cursor| {
            let floor = Cursor::floor(a, b);
            assert_eq!(floor, Cursor::floor(b, a));
            floor
        };
        let early = at("5:5:", Some("9:9:"), 7, 3);
        assert_eq!(floor(&early, &at("5:5:", Some("9:9:"), 6, 9)), at("5:5:", Some("9:9:"), 6, 9));
        assert_eq!(floor(&early, &at("9:9:", Some("12:12:"), 10, 1)), early);
        assert_eq!(floor(&early, &at("9:9:", None, 0, 0)), early);
        let wide = at("5:5:", Some("12:12:"), 10, 1);
        assert_eq!(floor(&early, &wide), at("5:5:", None, 0, 0), "the two windows are read in different orders");
        assert_eq!(floor(&wide, &at("9:9:", None, 0, 0)), at("5:5:", None, 0, 0));
    }

    #[test]
    fn nothing_older_is_looked_at_than_what_may_still_be_open() {
        let mut cursor = Cursor::new(snapshot("5:5:"), 0);
        // 6 began after the last window's end: what it wrote is not older than that.
        cursor.begin(snapshot("6:9:6"), 30 * DAY, 20 * DAY);
        assert_eq!(cursor.next_since, 19 * DAY);
        cursor.finish();
        cursor.begin(snapshot("6:12:6"), 40 * DAY, 30 * DAY);
        assert_eq!(cursor.next_since, 19 * DAY, "6 is open still");
    }
}
