//! What was handed to the network: each has exactly one receipt to come.

use crate::hash::Map;
use crate::memory::{Held, Memory};
use crate::shipment::{Delivery, Origin, Target};

#[derive(Debug)]
struct Sent {
    delivery: Delivery,
    /// The body of the request.
    body: Held,
}

#[derive(Debug)]
pub(crate) struct Flight {
    sent: Map<u64, Sent>,
    last: u64,
}

impl Flight {
    /// `last`: the number of the last request that another flight sent.
    pub(crate) fn after(last: u64) -> Flight {
        Flight { sent: Map::default(), last }
    }

    /// Takes off; returns the request's number.
    pub(crate) fn depart(&mut self, delivery: Delivery) -> u64 {
        self.last += 1;
        self.sent.insert(self.last, Sent { delivery, body: Held::default() });
        self.last
    }

    /// The request's body has so many bytes.
    pub(crate) fn weigh(&mut self, request: u64, memory: &Memory, bytes: usize) {
        if let Some(sent) = self.sent.get_mut(&request) {
            sent.body = memory.hold(bytes);
        }
    }

    /// Its receipt is there. None: it was not on its way, or is of a flight before this one.
    pub(crate) fn arrive(&mut self, request: u64) -> Option<Delivery> {
        self.sent.remove(&request).map(|sent| sent.delivery)
    }

    pub(crate) fn get(&self, request: u64) -> Option<&Delivery> {
        self.sent.get(&request).map(|sent| &sent.delivery)
    }

    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    pub(crate) fn len(&self) -> usize {
        self.sent.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sent.is_empty()
    }

    pub(crate) fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.sent.values().map(|sent| &sent.delivery)
    }

    /// The endpoint was removed: nobody waits for what is in flight to it. Returns where that came from.
    pub(crate) fn abandon(&mut self, target: Target) -> Vec<Origin> {
        let sent = self.sent.values_mut().map(|sent| &mut sent.delivery);
        sent.filter(|delivery| delivery.target == target && delivery.origin != Origin::Retry)
            .map(|delivery| std::mem::replace(&mut delivery.origin, Origin::Nowhere))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use std::rc::Rc;

    fn delivery(endpoint: i64) -> Delivery {
        Delivery::new(Rc::new(Event::default()), Target::Endpoint(endpoint), 0, Origin::Retry)
    }

    #[test]
    fn one_receipt_each() {
        let mut flight = Flight::after(7);
        let request = flight.depart(delivery(1));
        assert_eq!(request, 8);
        assert!(flight.arrive(7).is_none());
        assert!(flight.arrive(request).is_some());
        assert!(flight.arrive(request).is_none());
        assert!(flight.is_empty());
    }

    #[test]
    fn a_body_is_held_until_the_receipt() {
        let (memory, mut flight) = (Memory::default(), Flight::after(0));
        let request = flight.depart(delivery(1));
        flight.weigh(request, &memory, 100);
        assert_eq!(memory.held(), 100);
        drop(flight.arrive(request));
        assert_eq!(memory.held(), 0);
    }
}
