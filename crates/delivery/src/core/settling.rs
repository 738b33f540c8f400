//! What becomes of a delivery: written first, told then.

use std::borrow::Cow;

use super::Core;
use crate::action::Action;
use crate::faults::{Fault, planted};
use crate::ledger::{Again, Attempt, Condition, Dead, Outcomes, Report, Settled};
use crate::now::Now;
use crate::rest::{FailureKind, Part};
use crate::shipment::{Delivery, Origin, Target};

impl Core {
    /// `attempt` None: the receiver has written it down itself, with what came of it.
    pub(super) fn delivered(&mut self, delivery: Delivery, attempt: Option<Attempt>, now: Now) {
        if let Some(endpoint) = self.fleet.get_mut(delivery.target) {
            endpoint.landed(true);
            if let Some(id) = delivery.target.endpoint() {
                endpoint.answered(now);
                let better = endpoint.health.succeeded();
                if better.closed {
                    self.retries.look();
                }
                if better.changed {
                    let well = Condition { failures: 0, failing_since: None, open_until: None };
                    self.ledger.open.health.insert(id, well);
                }
                if let Some(since) = better.recovered {
                    self.ledger.open.reports.push((id, Report::Recovered { since }));
                }
            }
        }
        self.ledger.open.attempts.extend(attempt);
        self.over(delivery);
    }

    /// An answer that another attempt would not change.
    pub(super) fn refused(&mut self, delivery: Delivery, attempt: Attempt, now: Now) {
        self.land(&delivery);
        let why = format!("{}; final by the retry policy", attempt.reason());
        self.worsen(delivery.target, false, &why, now);
        self.ledger.open.attempts.push(attempt);
        self.give_up(delivery, why);
    }

    /// One more failure of an endpoint.
    pub(super) fn worsen(&mut self, target: Target, throttled: bool, why: &str, now: Now) {
        let Some(id) = target.endpoint() else { return };
        let Some(endpoint) = self.fleet.get_mut(target) else { return };
        let worse = endpoint.health.failed(now, throttled);
        let since = worse.since;
        let condition =
            Condition { failures: worse.failures, failing_since: Some(since), open_until: worse.open_until };
        self.ledger.open.health.insert(id, condition);
        if worse.report {
            self.ledger.open.reports.push((id, Report::Failing { reason: why.to_owned(), since }));
        }
        if worse.hopeless {
            self.ledger.disable(id, "it failed for five days");
        }
    }

    /// Delivered or given up.
    pub(super) fn over(&mut self, delivery: Delivery) {
        if delivery.origin == Origin::Retry {
            self.ledger.open.done.push(delivery.pair());
            if let Some(endpoint) = self.fleet.get(delivery.target)
                && let Some(key) = delivery.event.turn()
                // It may have been ordered when others began to wait for this one.
                && (endpoint.plan.ordered || endpoint.order.is_blocked(&key))
            {
                self.ledger.open.released.push((delivery.target.row(), key.into_owned()));
            }
        }
        self.ledger.settle(delivery, true);
    }

    pub(super) fn try_again(&mut self, delivery: Delivery, attempts: i32, due_at: i64, reason: String) {
        let mut key = None;
        if let Some(endpoint) = self.fleet.get_mut(delivery.target)
            && endpoint.plan.ordered
        {
            key = delivery.event.turn().map(Cow::into_owned);
            let behind = key.as_deref().map(|key| endpoint.order.block(key)).unwrap_or_default();
            for waiting in behind {
                self.wait_for_key(waiting);
            }
        }
        let (event, endpoint) = (delivery.event.clone(), delivery.target.row());
        self.ledger.open.again.push(Again { event, endpoint, attempts, due_at, key, reason: reason.into() });
        self.ledger.settle(delivery, false);
    }

    /// Ordered: an earlier event of its key is in the retry table.
    pub(super) fn wait_for_key(&mut self, delivery: Delivery) {
        self.ledger.wait(delivery, i64::MAX, "waits for an earlier event of its key");
    }

    pub(super) fn give_up(&mut self, delivery: Delivery, reason: String) {
        let (event, endpoint) = (delivery.event.clone(), delivery.target.row());
        self.ledger.open.dead.push(Dead { event, endpoint, attempts: delivery.attempts + 1, reason });
        self.over(delivery);
    }

    /// What is to be written now; None while more will come at once, and after a failure.
    pub(super) fn write(&mut self, now: Now) -> Option<Action> {
        if self.ledger.is_empty() || self.rests.is_resting(Part::Settle, now) {
            return None;
        }
        let may_wait = !self.flight.is_empty() && !self.fleet.all().any(|(_, endpoint)| endpoint.is_unrecorded());
        if may_wait && !self.ledger.linger(now).is_zero() {
            return None;
        }
        self.take_outcomes()
    }

    pub(super) fn take_outcomes(&mut self) -> Option<Action> {
        let mut outcomes = self.ledger.take()?;
        if planted(Fault::TellsBeforeItIsWritten) {
            let early = outcomes.take_settled();
            self.tell(early, Vec::new());
        }
        Some(Action::Write(outcomes))
    }

    /// What fails for now is kept, and nobody was told. One that can never be written is told apart from the rest, and becomes
    /// a dead letter.
    pub(super) fn unwritten(&mut self, outcomes: Outcomes, kind: FailureKind, message: &str, now: Now) {
        if kind != FailureKind::Lasting {
            self.rests.of(Part::Settle).failed(kind, now);
            return self.ledger.give_back(outcomes);
        }
        if outcomes.is_burial() {
            self.said.push_back(format!("nor as a dead letter: {message}"));
            return self.tell(outcomes, Vec::new());
        }
        if outcomes.is_single() {
            let reason = format!("what came of it cannot be recorded: {message}");
            for Settled { delivery, .. } in outcomes.settled() {
                let (event, endpoint) = delivery.pair();
                self.said.push_back(format!("the delivery of event {event} to endpoint {endpoint}: {reason}"));
            }
            if let Some(lost) = self.ledger.bury(outcomes, &reason, now) {
                self.tell(lost, Vec::new());
            }
            return;
        }
        self.ledger.split(outcomes);
    }

    /// It is written: those who wait for it go on.
    pub(super) fn tell(&mut self, outcomes: Outcomes, free: Vec<(i64, String)>) {
        for again in &outcomes.again {
            self.retries.written(again.due_at);
        }
        if !outcomes.released.is_empty() {
            self.retries.look();
        }
        for (id, key) in free {
            if let Some(endpoint) = self.fleet.endpoint_mut(id) {
                endpoint.order.unblock(&key);
            }
        }
        for Settled { delivery, over } in outcomes.into_settled() {
            self.log.release(delivery.origin);
            if delivery.origin == Origin::Retry {
                self.retries.unload(delivery.pair());
            } else if let Some(endpoint) = self.fleet.get_mut(delivery.target)
                && endpoint.order.is_used()
                && let Some(key) = delivery.event.turn()
                // Where it is not, the endpoint was ordered until a moment ago.
                && (over || !endpoint.order.is_blocked(&key))
            {
                endpoint.next_of(&key);
            }
        }
    }
}
