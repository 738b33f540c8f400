//! Into the queues by other ways than an endpoint's pattern: retries, direct requests.

use std::rc::Rc;

use super::clock::{self, SECOND};
use super::desk::Desk;
use super::direct::Direct;
use super::endpoint::Endpoint;
use super::event::{Delivery, Event, Origin};
use super::settings::Settings;
use super::transaction::{Failure, transaction};
use super::verbs::{self, Due};

/// Retries loaded at once.
const RETRIES: usize = 500;
/// When a direct request's host has more waiting than fits into memory, they wait in the retry table.
const SPILL: i64 = 2 * SECOND;

impl Desk {
    /// What is due in the retry table, for endpoints that can be sent to.
    pub fn load_retries(&mut self) -> Result<(), Failure> {
        let now = clock::now();
        if self.next_due > now {
            return Ok(());
        }
        let mut ready: Vec<i64> = self
            .endpoints
            .iter()
            .filter(|(id, endpoint)| **id > 0 && endpoint.is_open(now))
            .map(|(id, _)| *id)
            .collect();
        ready.push(0);
        let limit = RETRIES + self.loaded.len();
        let (rows, next) = transaction(|session| {
            // The same moment for both, or what falls due between the two is in neither.
            Ok((verbs::due(session, ready.clone(), now, limit as i32)?, verbs::next_due(session, ready, now)?))
        })?;
        self.next_due = if rows.len() < limit { next.unwrap_or(i64::MAX) } else { now + SECOND / 10 };
        for Due { event, event_id, endpoint: id, attempts } in rows {
            if self.loaded.contains(&(event_id, id)) {
                continue;
            }
            let Some(event) = event else {
                self.outcomes.forget(event_id, id);
                continue;
            };
            let delivery = Delivery { event: Rc::new(event), endpoint: id, attempts, origin: Origin::Retry };
            self.loaded.insert((event_id, id));
            match self.endpoints.get_mut(&id) {
                Some(endpoint) if id > 0 => endpoint.retries.push_back(delivery),
                _ => self.push_direct(delivery),
            }
        }
        Ok(())
    }

    pub fn take_direct(&mut self, event: Rc<Event>, batch: u64) {
        self.main.add(batch);
        let delivery = Delivery { event, endpoint: 0, attempts: 0, origin: Origin::Log { lane: 0, batch } };
        self.push_direct(delivery);
    }

    fn push_direct(&mut self, mut delivery: Delivery) {
        let host = Direct::parse(&delivery.event).map(|direct| direct.host()).unwrap_or_default();
        let endpoints = &self.endpoints;
        let next = || endpoints.keys().fold(0, |least, id| *id.min(&least)) - 1;
        let id = *self.hosts.entry(host.clone()).or_insert_with(next);
        let endpoint = self.endpoints.entry(id).or_insert_with(|| Endpoint::new(Settings::direct(id, host)));
        if endpoint.is_full() && delivery.origin != Origin::Retry {
            self.outcomes.spill(delivery, clock::now() + SPILL);
            return;
        }
        delivery.endpoint = id;
        if delivery.origin == Origin::Retry {
            endpoint.retries.push_back(delivery)
        } else {
            endpoint.queue.push_back(delivery)
        }
    }
}
