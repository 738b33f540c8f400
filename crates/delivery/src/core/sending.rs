//! From the queues to the network, and back.

use std::time::Duration;

use super::Core;
use crate::action::{Action, Shipment};
use crate::faults::{Fault, planted};
use crate::input::Made;
use crate::judge::{Fate, judge};
use crate::ledger::Attempt;
use crate::now::Now;
use crate::receipt::{Answer, Receipt, Reply, Unsendable};
use crate::shipment::{Delivery, Origin, Target};

impl Core {
    /// Everything that may leave now.
    pub(super) fn send(&mut self, now: Now) -> Option<Action> {
        if !self.running || self.leaving {
            return None;
        }
        if self.fleet.next_gate().is_some_and(|gate| now.clock >= gate) {
            // Somebody may be sent to again.
            self.retries.look();
        }
        let mut shipments = Vec::new();
        let flight = &mut self.flight;
        self.fleet.leave(now, |delivery| {
            let (event, target, attempts) = (delivery.event.clone(), delivery.target, delivery.attempts);
            let row = delivery.origin == Origin::Retry;
            shipments.push(Shipment { request: flight.depart(delivery), target, event, attempts, row });
        });
        (!shipments.is_empty()).then_some(Action::Send(shipments))
    }

    pub(super) fn sent(&mut self, made: Vec<Made>, now: Now) {
        for Made { request, result } in made {
            match result {
                Ok(bytes) => self.flight.weigh(request, &self.memory, bytes),
                Err(unsendable) => {
                    self.unsent = true;
                    if let Some(delivery) = self.flight.arrive(request) {
                        self.unsendable(delivery, unsendable, now);
                    }
                }
            }
        }
    }

    fn unsendable(&mut self, delivery: Delivery, unsendable: Unsendable, now: Now) {
        let attempt = Attempt {
            started_at: now.clock,
            error: Some(unsendable.error),
            detail: Some(unsendable.detail),
            ..attempt_of(&delivery)
        };
        if !unsendable.hopeless {
            return self.failed(delivery, attempt, None, now);
        }
        if let Some(endpoint) = self.fleet.get_mut(delivery.target) {
            endpoint.landed(true);
            // It may have been chosen as the probe; nothing was learnt of the receiver.
            endpoint.breaker().probe_withdrawn(now.clock);
        }
        let reason = attempt.reason();
        self.ledger.open.attempts.push(attempt);
        self.give_up(delivery, reason);
    }

    /// Takes what came back.
    pub(super) fn receive(&mut self, receipt: Receipt, now: Now) {
        let Some(delivery) = self.flight.arrive(receipt.request) else { return };
        let attempt = Attempt {
            started_at: receipt.started_at,
            duration_ms: receipt.duration_ms,
            address: receipt.address,
            ..attempt_of(&delivery)
        };
        match receipt.reply {
            Reply::Recalled => self.take_back(delivery, now),
            Reply::Failure { error, detail } => {
                self.failed(delivery, Attempt { error: Some(error), detail: Some(detail), ..attempt }, None, now);
            }
            Reply::Answer(answer) => self.answered(delivery, attempt, answer, now),
            Reply::Handled => self.delivered(delivery, None, now),
            Reply::Broken(reason) => {
                if let Some(id) = delivery.target.endpoint() {
                    self.ledger.disable(id, &reason);
                }
                self.take_back(delivery, now);
            }
        }
    }

    fn answered(&mut self, delivery: Delivery, mut attempt: Attempt, answer: Answer, now: Now) {
        let policy = self.fleet.get(delivery.target).map(|endpoint| &endpoint.plan.policy);
        let fate = judge(&answer, delivery.target, policy);
        attempt.status = Some(answer.status as i16);
        attempt.response = Some(answer.shown());
        attempt.succeeded = fate == Fate::Delivered;
        if !attempt.succeeded {
            attempt.error = Some("status");
            attempt.detail = Some(format!("the receiver answered {}", answer.status));
        }
        if matches!(delivery.target, Target::Host(_)) {
            attempt.headers = answer.headers;
            attempt.body = Some(answer.body);
        }
        match fate {
            Fate::Delivered => self.delivered(delivery, Some(attempt), now),
            Fate::Answered => {
                self.land(&delivery);
                self.ledger.open.attempts.push(attempt);
                self.over(delivery);
            }
            Fate::Refused => self.refused(delivery, attempt, now),
            Fate::Failed => self.failed(delivery, attempt, answer.retry_after, now),
            Fate::Throttled(wait) => {
                if let Some(endpoint) = self.fleet.get_mut(delivery.target) {
                    endpoint.breaker().on_throttle(now.clock, wait);
                }
                self.failed(delivery, attempt, answer.retry_after, now);
            }
            Fate::Gone => {
                if let Some(id) = delivery.target.endpoint() {
                    self.ledger.disable(id, "the receiver answered 410 Gone");
                }
                self.failed(delivery, attempt, None, now);
            }
        }
    }

    /// One of those in flight is there no more, and is to be written.
    pub(super) fn land(&mut self, delivery: &Delivery) {
        if let Some(endpoint) = self.fleet.get_mut(delivery.target) {
            endpoint.landed(true);
        }
    }

    /// Calls back what was handed over ahead, from a receiver that has stopped answering or is to be left alone.
    pub(super) fn recall_excess(&mut self, now: Now) {
        let excess = self.fleet.all_mut().filter_map(|(target, endpoint)| endpoint.recalls(now).then_some(target));
        self.recalls.extend(excess);
    }

    /// Calls back all that no connection has taken yet.
    pub(super) fn recall_all(&mut self) {
        let flying = self.fleet.all().filter(|(_, endpoint)| endpoint.in_flight > 0);
        self.recalls.extend(flying.map(|(target, _)| target));
    }

    /// It was called back: it waits in the retry table, without an attempt.
    fn take_back(&mut self, delivery: Delivery, now: Now) {
        if planted(Fault::LosesWhatWasCalledBack) {
            return self.over(delivery);
        }
        let Some(endpoint) = self.fleet.get_mut(delivery.target) else { return self.over(delivery) };
        endpoint.landed(false);
        endpoint.breaker().probe_withdrawn(now.clock);
        if delivery.origin == Origin::Retry {
            // It has its row, unless that was discarded.
            self.retries.unload(delivery.pair());
            self.retries.look();
        } else {
            self.try_again(delivery, 0, now.clock, "called back before it was sent".into());
        }
    }

    pub(super) fn failed(&mut self, delivery: Delivery, attempt: Attempt, wait: Option<Duration>, now: Now) {
        self.land(&delivery);
        let throttled = attempt.status.is_some_and(|status| retry::judge(status as u16) == retry::Verdict::Throttled);
        let why = attempt.reason();
        self.worsen(delivery.target, throttled, &why, now);
        let attempts = attempt.number;
        let jitter = self.jitter();
        let endpoint = self.fleet.get(delivery.target);
        let delay = endpoint.map(|endpoint| endpoint.plan.policy.delay(attempts as u32, jitter));
        self.ledger.open.attempts.push(attempt);
        match delay {
            Some(Some(delay)) => {
                let delay = delay.max(wait.unwrap_or_default()).as_micros();
                let due_at = now.clock.saturating_add(i64::try_from(delay).unwrap_or(i64::MAX)).min(i64::MAX - 1);
                self.try_again(delivery, attempts, due_at, why);
            }
            Some(None) => self.give_up(delivery, why),
            // It was removed meanwhile.
            None => self.over(delivery),
        }
    }

    /// A number from -1 to 1.
    fn jitter(&mut self) -> f64 {
        // xorshift64*: spreads retries, no secret.
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

fn attempt_of(delivery: &Delivery) -> Attempt {
    let (event, endpoint) = delivery.pair();
    Attempt { event, endpoint, number: delivery.attempts + 1, ..Attempt::default() }
}
