//! What stands ready in the network thread and is not to leave as things are now.

use super::clock;
use super::desk::Desk;
use super::event::{Delivery, Origin};

impl Desk {
    /// Calls back what was handed over ahead, from a receiver that has stopped answering or is to be left alone.
    pub fn recall_excess(&mut self) {
        let now = clock::now();
        for (id, endpoint) in &mut self.endpoints {
            if endpoint.has_excess(now) {
                endpoint.recalled = true;
                self.courier.recall(*id);
            }
        }
    }

    /// Calls back all that no connection has taken yet.
    pub fn recall_all(&self) {
        for (id, _) in self.endpoints.iter().filter(|(_, endpoint)| endpoint.in_flight > 0) {
            self.courier.recall(*id);
        }
    }

    /// It was called back: it waits in the retry table, without an attempt.
    pub fn take_back(&mut self, delivery: Delivery) {
        let now = clock::now();
        let Some(endpoint) = self.endpoints.get_mut(&delivery.endpoint) else { return self.over(delivery) };
        endpoint.in_flight = endpoint.in_flight.saturating_sub(1);
        endpoint.breaker.probe_withdrawn(now);
        if delivery.origin == Origin::Retry {
            // It has its row, unless that was discarded.
            self.loaded.remove(&(delivery.event.id, delivery.endpoint.max(0)));
            self.next_due = i64::MIN;
        } else {
            self.try_again(delivery, 0, now, "called back before it was sent".into());
        }
    }

    /// The endpoint was removed: no lane waits for what it has in flight.
    pub fn abandon(&mut self, id: i64) {
        let sent = self.in_flight.values_mut().filter(|delivery| delivery.endpoint == id);
        let read: Vec<Delivery> = sent
            .filter(|delivery| delivery.origin != Origin::Retry)
            .map(|delivery| {
                let abandoned = Delivery { origin: Origin::Nowhere, ..delivery.clone() };
                std::mem::replace(delivery, abandoned)
            })
            .collect();
        read.iter().for_each(|delivery| self.release(delivery));
    }
}
