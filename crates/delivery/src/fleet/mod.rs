//! Endpoints and hosts: who there is, whose event is whose, who may be sent to.

mod endpoint;
mod health;
mod order;
mod routes;
mod speed;

use std::collections::HashMap;

pub(crate) use endpoint::Endpoint;
pub(crate) use speed::SILENCE;

use crate::event::Event;
use crate::hash::Map;
use crate::now::Now;
use crate::plan::Plan;
use crate::shipment::{Delivery, Target};
pub(crate) use routes::Route;
use routes::Routes;

#[derive(Debug, Default)]
pub(crate) struct Fleet {
    endpoints: Map<Target, Endpoint>,
    routes: Routes,
    /// Direct requests: host -> its target.
    hosts: HashMap<String, Target>,
    last_host: i64,
    /// When an endpoint can go on that must wait now; microseconds.
    next_gate: Option<i64>,
}

impl Fleet {
    pub(crate) fn get(&self, target: Target) -> Option<&Endpoint> {
        self.endpoints.get(&target)
    }

    pub(crate) fn get_mut(&mut self, target: Target) -> Option<&mut Endpoint> {
        self.endpoints.get_mut(&target)
    }

    pub(crate) fn endpoint(&self, id: i64) -> Option<&Endpoint> {
        self.get(Target::Endpoint(id))
    }

    pub(crate) fn endpoint_mut(&mut self, id: i64) -> Option<&mut Endpoint> {
        self.get_mut(Target::Endpoint(id))
    }

    /// Endpoints and hosts.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Target, &Endpoint)> {
        self.endpoints.iter().map(|(target, endpoint)| (*target, endpoint))
    }

    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = (Target, &mut Endpoint)> {
        self.endpoints.iter_mut().map(|(target, endpoint)| (*target, endpoint))
    }

    /// Without the hosts.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = (i64, &Endpoint)> {
        self.all().filter_map(|(target, endpoint)| Some((target.endpoint()?, endpoint)))
    }

    pub(crate) fn has_endpoints(&self) -> bool {
        self.endpoints().next().is_some()
    }

    /// New or changed settings; returns those before.
    pub(crate) fn change(&mut self, plan: Plan, now: Now) -> Option<Plan> {
        self.routes.clear();
        match self.endpoints.get_mut(&Target::Endpoint(plan.id)) {
            Some(endpoint) => {
                let before = endpoint.plan.clone();
                endpoint.change(plan);
                Some(before)
            }
            None => {
                self.endpoints.insert(Target::Endpoint(plan.id), Endpoint::new(plan, now));
                None
            }
        }
    }

    pub(crate) fn remove(&mut self, id: i64) {
        self.routes.clear();
        self.endpoints.remove(&Target::Endpoint(id));
    }

    /// The endpoints whose patterns take the event's type.
    pub(crate) fn route(&mut self, event: &Event) -> Route {
        let endpoints = &self.endpoints;
        self.routes.find(event, |kind, service| {
            let takes = |(target, endpoint): (&Target, &Endpoint)| {
                let id = target.endpoint()?;
                endpoint.plan.takes(kind, service).then_some(id)
            };
            endpoints.iter().filter_map(takes).collect()
        })
    }

    /// The host of a direct request.
    pub(crate) fn host(&mut self, event: &Event, now: Now) -> (Target, &mut Endpoint) {
        let last = &mut self.last_host;
        let target = *self.hosts.entry(event.host()).or_insert_with(|| {
            *last += 1;
            Target::Host(*last)
        });
        (target, self.endpoints.entry(target).or_insert_with(|| Endpoint::new(Plan::host(), now)))
    }

    /// Whose turn it is: everything that may leave now. What an endpoint must wait for is noted.
    pub(crate) fn leave(&mut self, now: Now, mut send: impl FnMut(Delivery)) {
        let mut gate = i64::MAX;
        for endpoint in self.endpoints.values_mut() {
            loop {
                match endpoint.next(now) {
                    Ok(delivery) => send(delivery),
                    Err(until) => {
                        gate = gate.min(until);
                        break;
                    }
                }
            }
            gate = gate.min(endpoint.opens_at(now.clock).unwrap_or(i64::MAX));
        }
        self.next_gate = (gate != i64::MAX).then_some(gate);
        self.forget_hosts();
    }

    /// Hosts that nothing waits for.
    fn forget_hosts(&mut self) {
        if self.hosts.is_empty() {
            return;
        }
        let endpoints = &mut self.endpoints;
        self.hosts.retain(|_, target| {
            let busy = endpoints.get(target).is_some_and(|host| host.in_flight + host.queued() > 0);
            if !busy {
                endpoints.remove(target);
            }
            busy
        });
    }

    /// When somebody may be sent to again.
    pub(crate) fn next_gate(&self) -> Option<i64> {
        self.next_gate
    }

    /// Everything that came back is written.
    pub(crate) fn recorded(&mut self) {
        self.endpoints.values_mut().for_each(Endpoint::recorded);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Op;
    use crate::shipment::Origin;
    use std::rc::Rc;
    use std::time::Instant;

    #[test]
    fn a_host_is_there_as_long_as_something_waits_for_it() {
        let now = Now { clock: 0, steady: Instant::now() };
        let mut fleet = Fleet::default();
        let request = |url: &str| {
            let record = Some(format!(r#"{{"url": "{url}"}}"#));
            Rc::new(Event { op: Op::Request, record, ..Event::default() })
        };
        let (one, other) = (request("http://one/a"), request("http://other/a"));
        let (target, host) = fleet.host(&one, now);
        host.push(Delivery::new(one.clone(), target, 0, Origin::Retry), now);
        assert_ne!(fleet.host(&other, now).0, target);
        assert_eq!(fleet.host(&request("http://ONE/b"), now).0, target);
        let mut sent = Vec::new();
        fleet.leave(now, |delivery| sent.push(delivery));
        assert_eq!(sent.len(), 1);
        assert_eq!(fleet.all().count(), 1, "the one with nothing to do is gone");
        fleet.get_mut(target).unwrap().landed(true);
        fleet.leave(now, |_| unreachable!());
        assert_eq!(fleet.all().count(), 0);
        assert_ne!(fleet.host(&one, now).0, target, "a number means one host for good");
    }
}
