//! Into the queues by other ways than an endpoint's pattern: retries, direct requests.

use std::rc::Rc;

use super::clock::{self, SECOND};
use super::desk::Desk;
use super::direct::Direct;
use super::endpoint::Endpoint;
use super::event::{Delivery, Event, Origin};
use super::memory;
use super::settings::Settings;
use super::transaction::{Failure, FailureKind, transaction};
use super::verbs::{self, Due};
use crate::pg::record::apart;

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
        if memory::is_short() {
            self.next_due = now + SECOND / 10;
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
        let loaded = &self.loaded;
        let fetch = || {
            transaction(|session| {
                let is_loaded = |event, endpoint| loaded.contains(&(event, endpoint));
                // The same moment for both, or what falls due between the two is in neither.
                let due = verbs::due(session, ready.clone(), now, limit as i32, is_loaded)?;
                Ok((due, verbs::next_due(session, ready.clone(), now)?))
            })
        };
        let ((rows, complete), next) = match fetch() {
            Err(failure) if failure.kind == FailureKind::Lasting => apart(fetch)?,
            fetched => fetched?,
        };
        self.next_due = if complete { next.unwrap_or(i64::MAX) } else { now + SECOND / 10 };
        for Due { event, event_id, endpoint: id, attempts } in rows {
            let Some(event) = event else {
                self.outcomes.forget(event_id, id);
                continue;
            };
            let mut delivery = Delivery::new(Rc::new(event), id, attempts, Origin::Retry);
            self.loaded.insert((event_id, id));
            match self.endpoints.get_mut(&id) {
                Some(endpoint) if id > 0 => {
                    endpoint.bear(&mut delivery);
                    endpoint.retries.push_back(delivery);
                }
                _ => self.push_direct(delivery),
            }
        }
        Ok(())
    }

    pub fn take_direct(&mut self, event: Rc<Event>, batch: u64) {
        self.main.add(batch);
        let delivery = Delivery::new(event, 0, 0, Origin::Log { lane: 0, batch });
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
        endpoint.bear(&mut delivery);
        if delivery.origin == Origin::Retry {
            endpoint.retries.push_back(delivery)
        } else {
            endpoint.queue.push_back(delivery)
        }
    }
}
