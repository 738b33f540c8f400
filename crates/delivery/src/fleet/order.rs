//! Ordered endpoints: the events of a key one after the other.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, HashSet, VecDeque};

use crate::faults::{Fault, planted};
use crate::shipment::Delivery;

#[derive(Debug, Default)]
pub(crate) struct Order {
    /// Keys with a delivery queued or in flight, and what waits behind it.
    busy: BTreeMap<String, VecDeque<Delivery>>,
    /// Keys with rows in the retry table.
    blocked: HashSet<String>,
}

/// What becomes of a delivery that was read.
#[derive(Debug)]
pub(crate) enum Turn {
    /// It may go as soon as there is room.
    Now(Delivery),
    /// It waits here for the one before it.
    Behind,
    /// One before it waits in the retry table: so does it.
    Blocked(Delivery),
}

impl Order {
    pub(crate) fn take(&mut self, key: String, delivery: Delivery) -> Turn {
        if planted(Fault::IgnoresTheOrder) {
            return Turn::Now(delivery);
        }
        if self.blocked.contains(&key) {
            return Turn::Blocked(delivery);
        }
        match self.busy.entry(key) {
            Entry::Occupied(mut behind) => {
                behind.get_mut().push_back(delivery);
                Turn::Behind
            }
            Entry::Vacant(free) => {
                free.insert(VecDeque::new());
                Turn::Now(delivery)
            }
        }
    }

    /// The delivery of this key is done; the next of the key may go.
    pub(crate) fn next(&mut self, key: &str) -> Option<Delivery> {
        let next = self.busy.get_mut(key)?.pop_front();
        if next.is_none() {
            self.busy.remove(key);
        }
        next
    }

    /// The delivery of this key failed; what waited behind it goes to the retry table too.
    pub(crate) fn block(&mut self, key: &str) -> VecDeque<Delivery> {
        self.blocked.insert(key.to_owned());
        self.busy.remove(key).unwrap_or_default()
    }

    /// The key has rows in the retry table from before.
    pub(crate) fn was_blocked(&mut self, key: String) {
        self.blocked.insert(key);
    }

    /// Does anything have its turn?
    pub(crate) fn is_used(&self) -> bool {
        !self.busy.is_empty()
    }

    /// Has it rows in the retry table?
    pub(crate) fn is_blocked(&self, key: &str) -> bool {
        !self.blocked.is_empty() && self.blocked.contains(key)
    }

    /// Nothing of this key is in the retry table any more.
    pub(crate) fn unblock(&mut self, key: &str) {
        self.blocked.remove(key);
    }

    /// Takes out what waits behind others. Of the keys in `queued` nothing is left; one whose delivery is in flight stays busy,
    /// with nothing behind it.
    pub(crate) fn drain(&mut self, queued: &HashSet<String>) -> Vec<Delivery> {
        let waiting = self.busy.values_mut().flat_map(|behind| behind.drain(..)).collect();
        self.busy.retain(|key, _| !queued.contains(key));
        waiting
    }

    pub(crate) fn waiting(&self) -> usize {
        if self.busy.is_empty() { 0 } else { self.busy.values().map(VecDeque::len).sum() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::shipment::{Origin, Target};
    use std::rc::Rc;

    fn delivery(id: i64) -> Delivery {
        Delivery::new(Rc::new(Event { id, ..Event::default() }), Target::Endpoint(1), 0, Origin::Retry)
    }

    fn take(order: &mut Order, key: &str, id: i64) -> &'static str {
        match order.take(key.into(), delivery(id)) {
            Turn::Now(_) => "now",
            Turn::Behind => "behind",
            Turn::Blocked(_) => "blocked",
        }
    }

    #[test]
    fn the_events_of_a_key_go_one_after_the_other() {
        let mut order = Order::default();
        assert_eq!(take(&mut order, "a", 1), "now");
        assert_eq!(take(&mut order, "a", 2), "behind");
        assert_eq!(take(&mut order, "b", 3), "now");
        assert_eq!(order.next("a").map(|next| next.event.id), Some(2));
        assert!(order.next("a").is_none());
        assert_eq!(take(&mut order, "a", 4), "now");
    }

    #[test]
    fn what_is_behind_a_failure_waits_in_the_retry_table() {
        let mut order = Order::default();
        take(&mut order, "a", 1);
        take(&mut order, "a", 2);
        assert_eq!(order.block("a").len(), 1);
        assert_eq!(take(&mut order, "a", 3), "blocked");
        order.unblock("a");
        assert_eq!(take(&mut order, "a", 4), "now");
    }

    #[test]
    fn a_key_in_flight_stays_busy_when_the_rest_is_given_back() {
        let mut order = Order::default();
        for (key, id) in [("flying", 1), ("flying", 2), ("queued", 3), ("queued", 4)] {
            take(&mut order, key, id);
        }
        let waiting = order.drain(&HashSet::from(["queued".to_owned()]));
        assert_eq!(waiting.len(), 2);
        assert_eq!(take(&mut order, "flying", 2), "behind");
        assert_eq!(take(&mut order, "queued", 3), "now");
    }
}
