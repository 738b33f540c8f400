//! An endpoint at work: what waits for it, what is in flight, how it does.

use std::borrow::Cow;
use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use retry::{Breaker, Bucket, Gate};

use super::health::Health;
use super::order::{Order, Turn};
use super::speed::Speed;
use crate::memory::{Memory, load};
use crate::now::Now;
use crate::plan::Plan;
use crate::shipment::{Delivery, Origin};

/// Deliveries that wait in memory; more are left in the log.
const QUEUE: usize = 2_000;
/// Answers that are written together, where fewer are in flight at once.
const UNRECORDED: usize = 256;
/// How long a full queue holds up the reading of the log before the endpoint is left behind.
const A_MOMENT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(300);

#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) plan: Plan,
    /// From the log, in its order.
    queue: VecDeque<Delivery>,
    /// From the retry table.
    retries: VecDeque<Delivery>,
    pub(crate) in_flight: usize,
    /// Answered, and not written yet: a crash would repeat them as well.
    unrecorded: usize,
    pub(crate) health: Health,
    bucket: Option<Bucket>,
    pub(crate) order: Order,
    speed: Speed,
    /// What it has ahead was called back, and nothing was sent since.
    recalled: bool,
    /// Bytes of large events that wait for it or are on their way.
    pub(crate) held: Memory,
    full_since: Option<Instant>,
    /// When the log last had something for it.
    fed_at: Option<Instant>,
}

impl Endpoint {
    pub(crate) fn new(plan: Plan, now: Now) -> Endpoint {
        Endpoint {
            bucket: plan.rate.map(Bucket::new),
            health: Health::new(&plan),
            plan,
            queue: VecDeque::new(),
            retries: VecDeque::new(),
            in_flight: 0,
            unrecorded: 0,
            order: Order::default(),
            speed: Speed::new(now),
            recalled: false,
            held: Memory::default(),
            full_since: None,
            fed_at: None,
        }
    }

    pub(crate) fn change(&mut self, plan: Plan) {
        if plan.rate != self.plan.rate {
            self.bucket = plan.rate.map(Bucket::new);
        }
        self.health.change(&self.plan, &plan);
        self.plan = plan;
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.len() + self.retries.len() + self.order.waiting()
    }

    /// Can anything be sent to it at all, now or soon?
    pub(crate) fn is_open(&self, clock: i64) -> bool {
        self.plan.active && self.health.is_open(clock)
    }

    /// When its breaker asks for a probe, or its receiver to be left alone no more.
    pub(crate) fn opens_at(&self, clock: i64) -> Option<i64> {
        match self.health.breaker.allows(clock) {
            Gate::No { until } if self.plan.active => Some(until),
            _ => None,
        }
    }

    /// So much was answered that it is to be written at once.
    pub(crate) fn is_unrecorded(&self) -> bool {
        self.unrecorded >= self.unrecorded_limit()
    }

    fn unrecorded_limit(&self) -> usize {
        self.plan.max_in_flight.max(UNRECORDED)
    }

    /// One of those in flight is there no more. `answered`: it is to be written.
    pub(crate) fn landed(&mut self, answered: bool) {
        self.in_flight = self.in_flight.saturating_sub(1);
        self.unrecorded += usize::from(answered);
    }

    pub(crate) fn recorded(&mut self) {
        self.unrecorded = 0;
    }

    /// The receiver took one.
    pub(crate) fn answered(&mut self, now: Now) {
        self.speed.answered(now);
    }

    fn ahead(&self, now: Now) -> usize {
        if self.health.breaker.failures() == 0 { self.speed.ahead(now) } else { 0 }
    }

    /// Was more handed over than may be in flight?
    pub(crate) fn is_ahead(&self) -> bool {
        self.in_flight > self.plan.max_in_flight
    }

    /// Is what it has ahead to be called back, for it is silent or not to be sent to? Said once.
    pub(crate) fn recalls(&mut self, now: Now) -> bool {
        let excess = self.is_ahead() && !self.recalled && (self.speed.is_silent(now) || !self.is_open(now.clock));
        self.recalled |= excess;
        excess
    }

    pub(crate) fn is_full(&self, share: usize) -> bool {
        self.queued() >= QUEUE || self.held.held() >= share
    }

    /// Is there room for a batch?
    pub(crate) fn has_room(&self, share: usize) -> bool {
        self.queued() < QUEUE / 2 && self.held.held() < share / 2
    }

    /// It runs out of work, although the log had some for it lately.
    pub(crate) fn is_starving(&self, now: Now) -> bool {
        self.queued() < self.plan.max_in_flight.min(QUEUE / 4)
            && self.fed_at.is_some_and(|fed| now.since(fed) < Duration::from_secs(1))
    }

    /// Its queue has been full for longer than a moment.
    pub(crate) fn is_stuck(&mut self, share: usize, now: Now) -> bool {
        if !self.is_full(share) {
            self.full_since = None;
            return false;
        }
        now.since(*self.full_since.get_or_insert(now.steady)) > A_MOMENT
    }

    /// For so long that who gets nothing meanwhile may get nothing because of it.
    pub(crate) fn is_long_stuck(&self, now: Now) -> bool {
        self.full_since.is_some_and(|since| now.since(since) > LONG)
    }

    /// Takes a delivery from the log; of an ordered endpoint behind the one of its key. Gives it back when its key is blocked.
    pub(crate) fn push(&mut self, mut delivery: Delivery, now: Now) -> Option<Delivery> {
        self.fed_at = Some(now.steady);
        self.bear(&mut delivery);
        if self.plan.ordered
            && let Some(key) = delivery.event.turn().map(Cow::into_owned)
        {
            match self.order.take(key, delivery) {
                Turn::Now(delivery) => self.queue.push_back(delivery),
                Turn::Behind => {}
                Turn::Blocked(delivery) => return Some(delivery),
            }
        } else {
            self.queue.push_back(delivery);
        }
        None
    }

    /// Takes a delivery that has a row in the retry table.
    pub(crate) fn push_retry(&mut self, mut delivery: Delivery) {
        self.bear(&mut delivery);
        self.retries.push_back(delivery);
    }

    fn bear(&self, delivery: &mut Delivery) {
        delivery.load = load(&self.held, delivery.event.bytes());
    }

    /// Ordered: the delivery of this key is done.
    pub(crate) fn next_of(&mut self, key: &str) {
        self.queue.extend(self.order.next(key));
    }

    /// The next delivery that may leave now; Err: not before that moment (i64::MAX: when something else happens).
    pub(crate) fn next(&mut self, now: Now) -> Result<Delivery, i64> {
        let empty = self.retries.is_empty() && self.queue.is_empty();
        let full = self.in_flight >= self.plan.max_in_flight + self.ahead(now)
            || self.in_flight + self.unrecorded >= 2 * self.unrecorded_limit();
        if empty || full || !self.plan.active {
            return Err(i64::MAX);
        }
        let probe = match self.health.breaker.allows(now.clock) {
            Gate::Yes => false,
            Gate::Probe => true,
            Gate::No { until } => return Err(until),
        };
        if let Some(bucket) = &mut self.bucket {
            bucket.take(now.clock)?;
        }
        let delivery = self.retries.pop_front().or_else(|| self.queue.pop_front()).ok_or(i64::MAX)?;
        if probe {
            self.health.breaker.probe_sent();
        }
        self.recalled = false;
        self.in_flight += 1;
        Ok(delivery)
    }

    pub(crate) fn breaker(&mut self) -> &mut Breaker {
        &mut self.health.breaker
    }

    /// Empties the queue of what came from the log, in the order in which it is read.
    pub(crate) fn drain(&mut self) -> Vec<Delivery> {
        let mut waiting: Vec<Delivery> = self.queue.drain(..).collect();
        let queued: HashSet<String> =
            waiting.iter().filter_map(|delivery| delivery.event.turn().map(Cow::into_owned)).collect();
        let behind = self.order.drain(&queued);
        // It may have been ordered until now.
        if self.plan.ordered || !behind.is_empty() {
            waiting.extend(behind);
            waiting.sort_by_key(|delivery| match delivery.origin {
                Origin::Log(batch) => (batch.number, delivery.event.id),
                Origin::Retry | Origin::Nowhere => (u64::MAX, delivery.event.id),
            });
        }
        waiting
    }

    /// Empties the queue of what came from the retry table.
    pub(crate) fn drain_retries(&mut self) -> impl Iterator<Item = Delivery> {
        self.retries.drain(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::log::{Batch, Reader};
    use crate::now::SECOND;
    use crate::shipment::Target;
    use std::rc::Rc;

    fn delivery(id: i64) -> Delivery {
        let batch = Batch { reader: Reader::Main, number: 1 };
        let event = Event { id, key: Some(format!("{}", id % 3)), ..Event::default() };
        Delivery::new(Rc::new(event), Target::Endpoint(1), 0, Origin::Log(batch))
    }

    fn endpoint(plan: Plan) -> (Endpoint, Now) {
        let now = Now { clock: 0, steady: Instant::now() };
        let mut endpoint = Endpoint::new(Plan { max_in_flight: 2, ..plan }, now);
        for id in 1..=9 {
            assert!(endpoint.push(delivery(id), now).is_none());
        }
        (endpoint, now)
    }

    #[test]
    fn no_more_are_in_flight_than_may_be() {
        let (mut endpoint, now) = endpoint(Plan::host());
        assert_eq!(endpoint.next(now).unwrap().event.id, 1);
        assert_eq!(endpoint.next(now).unwrap().event.id, 2);
        assert_eq!(endpoint.next(now).unwrap_err(), i64::MAX);
        endpoint.landed(true);
        assert_eq!(endpoint.next(now).unwrap().event.id, 3);
        assert_eq!(endpoint.queued(), 6);
    }

    #[test]
    fn a_rate_says_when_the_next_may_leave() {
        let (mut endpoint, now) = endpoint(Plan { rate: Some(1.0), ..Plan::host() });
        assert!(endpoint.next(now).is_ok());
        assert_eq!(endpoint.next(now).unwrap_err(), SECOND);
    }

    #[test]
    fn an_open_breaker_lets_a_probe_through() {
        let (mut endpoint, now) = endpoint(Plan::host());
        (0..10).for_each(|_| {
            endpoint.health.failed(now, false);
        });
        let until = endpoint.next(now).unwrap_err();
        assert_eq!(endpoint.opens_at(0), Some(until));
        let later = Now { clock: until, ..now };
        assert!(endpoint.next(later).is_ok());
        assert_eq!(endpoint.next(later).unwrap_err(), i64::MAX, "one probe at a time");
    }

    #[test]
    fn an_ordered_endpoint_gives_back_what_it_has_in_the_order_of_the_log() {
        let (mut endpoint, now) = endpoint(Plan { ordered: true, ..Plan::host() });
        assert_eq!(endpoint.next(now).unwrap().event.id, 1);
        let waiting: Vec<i64> = endpoint.drain().iter().map(|delivery| delivery.event.id).collect();
        assert_eq!(waiting, [2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(endpoint.queued(), 0);
    }

    #[test]
    fn large_events_fill_an_endpoint_before_many_do() {
        let (mut endpoint, now) = endpoint(Plan::host());
        assert!(!endpoint.is_full(10_000) && endpoint.has_room(10_000));
        let large = Event { record: Some("x".repeat(9_000)), ..Event::default() };
        let one = Delivery { event: Rc::new(large), ..delivery(10) };
        endpoint.push(one, now);
        assert!(!endpoint.has_room(10_000));
        assert!(endpoint.is_full(9_000));
    }
}
