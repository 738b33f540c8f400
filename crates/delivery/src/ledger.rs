//! What is to be written of what came back: taken to be written, given back when that fails, told when it is written.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::now::Now;
use crate::retries::Pair;
use crate::shipment::Delivery;

/// While more is under way, receipts are written together: so many, or for so long.
const TOGETHER: usize = 500;
const LINGER: Duration = Duration::from_millis(2);

/// One row of the attempt table.
#[derive(Debug, Default)]
pub struct Attempt {
    pub event: i64,
    pub endpoint: i64,
    pub number: i32,
    pub started_at: i64,
    pub duration_ms: f32,
    pub succeeded: bool,
    pub status: Option<i16>,
    pub error: Option<&'static str>,
    pub detail: Option<String>,
    pub address: Option<IpAddr>,
    pub response: Option<String>,
    pub headers: Option<String>,
    pub body: Option<Vec<u8>>,
}

impl Attempt {
    pub(crate) fn reason(&self) -> String {
        format!("{}: {}", self.error.unwrap_or_default(), self.detail.as_deref().unwrap_or_default())
    }
}

/// A delivery to be tried again.
#[derive(Debug)]
pub struct Again {
    pub event: Rc<Event>,
    pub endpoint: i64,
    /// Attempts made.
    pub attempts: i32,
    /// i64::MAX: when the event before it of its key is done.
    pub due_at: i64,
    pub key: Option<String>,
    pub reason: Cow<'static, str>,
}

/// A delivery that is given up.
#[derive(Debug)]
pub struct Dead {
    pub event: Rc<Event>,
    pub endpoint: i64,
    pub attempts: i32,
    pub reason: String,
}

/// How an endpoint does, for its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    pub failures: i32,
    pub failing_since: Option<i64>,
    pub open_until: Option<i64>,
}

/// What the engine tells by an event of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    Failing { reason: String, since: i64 },
    Recovered { since: i64 },
    Disabled { reason: String },
}

#[derive(Debug)]
pub(crate) struct Settled {
    pub(crate) delivery: Delivery,
    /// It is delivered or given up: the next event of its key may go.
    pub(crate) over: bool,
}

/// What is to be written in one transaction.
#[derive(Debug, Default)]
pub struct Outcomes {
    pub attempts: Vec<Attempt>,
    pub again: Vec<Again>,
    pub dead: Vec<Dead>,
    /// (event, endpoint) that need no row in the retry table any more.
    pub done: Vec<Pair>,
    /// Ordered: (endpoint, key) whose next waiting event is due.
    pub released: Vec<(i64, String)>,
    pub health: BTreeMap<i64, Condition>,
    pub disabled: Vec<(i64, String)>,
    pub reports: Vec<(i64, Report)>,
    /// Whose readers, retries and keys are told when it is written.
    pub(crate) settled: Vec<Settled>,
    /// All that can be said of one that cannot be written.
    burial: bool,
    /// Split off, because together with others it could not be written.
    single: bool,
}

impl Outcomes {
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
            && self.again.is_empty()
            && self.done.is_empty()
            && self.dead.is_empty()
            && self.health.is_empty()
            && self.reports.is_empty()
            && self.disabled.is_empty()
            && self.released.is_empty()
            && self.settled.is_empty()
    }

    pub(crate) fn is_burial(&self) -> bool {
        self.burial
    }

    /// Is it of one delivery, or of one thing said of an endpoint?
    pub(crate) fn is_single(&self) -> bool {
        self.single
    }

    pub(crate) fn settled(&self) -> &[Settled] {
        &self.settled
    }

    /// Takes out those who wait to be told.
    pub(crate) fn take_settled(&mut self) -> Outcomes {
        Outcomes { settled: std::mem::take(&mut self.settled), ..Outcomes::default() }
    }

    pub(crate) fn into_settled(self) -> Vec<Settled> {
        self.settled
    }

    /// Each delivery by itself, or with the others of its key where it has its turn; then each of what is said of endpoints.
    fn parts(self) -> impl Iterator<Item = Outcomes> {
        let released = self.released.iter().map(|(endpoint, key)| (*endpoint, key.as_str()));
        let blocked = self.again.iter().filter_map(|again| Some((again.endpoint, again.key.as_deref()?)));
        let keys: BTreeSet<(i64, &str)> = released.chain(blocked).collect();
        let group = |delivery: &Delivery| {
            let key = delivery.event.turn().filter(|key| keys.contains(&(delivery.target.row(), key.as_ref())));
            (delivery.target.row(), key.map(Cow::into_owned))
        };
        let groups: BTreeMap<Pair, (i64, Option<String>)> =
            self.settled.iter().map(|Settled { delivery, .. }| (delivery.pair(), group(delivery))).collect();
        let of = |pair: Pair| match groups.get(&pair) {
            Some((endpoint, Some(key))) => (*endpoint, Some(key.clone()), 0),
            Some(_) | None => (pair.1, None, pair.0),
        };
        let mut parts: BTreeMap<(i64, Option<String>, i64), Outcomes> = BTreeMap::new();
        for one in self.attempts {
            parts.entry(of((one.event, one.endpoint))).or_default().attempts.push(one);
        }
        for one in self.done {
            parts.entry(of(one)).or_default().done.push(one);
        }
        for one in self.again {
            parts.entry(of((one.event.id, one.endpoint))).or_default().again.push(one);
        }
        for one in self.dead {
            parts.entry(of((one.event.id, one.endpoint))).or_default().dead.push(one);
        }
        for one in self.settled {
            parts.entry(of(one.delivery.pair())).or_default().settled.push(one);
        }
        for (endpoint, key) in self.released {
            let part = parts.entry((endpoint, Some(key.clone()), 0)).or_default();
            part.released.push((endpoint, key));
        }
        let health =
            self.health.into_iter().map(|one| Outcomes { health: BTreeMap::from([one]), ..Outcomes::default() });
        let disabled = self.disabled.into_iter().map(|one| Outcomes { disabled: vec![one], ..Outcomes::default() });
        let reports = self.reports.into_iter().map(|one| Outcomes { reports: vec![one], ..Outcomes::default() });
        parts.into_values().chain(health).chain(disabled).chain(reports)
    }

    /// Puts these before what is there.
    fn precede(self, later: Outcomes) -> Outcomes {
        fn join<T>(mut first: Vec<T>, then: Vec<T>) -> Vec<T> {
            first.extend(then);
            first
        }
        let mut health = self.health;
        health.extend(later.health);
        Outcomes {
            attempts: join(self.attempts, later.attempts),
            again: join(self.again, later.again),
            dead: join(self.dead, later.dead),
            done: join(self.done, later.done),
            released: join(self.released, later.released),
            health,
            disabled: join(self.disabled, later.disabled),
            reports: join(self.reports, later.reports),
            settled: join(self.settled, later.settled),
            burial: false,
            single: false,
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) open: Outcomes,
    /// Since when `open` has something.
    since: Option<Instant>,
    /// What could not be written together is written one by one.
    parts: VecDeque<Outcomes>,
}

impl Ledger {
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.parts.is_empty()
    }

    /// Attempts that a crash would forget.
    pub(crate) fn unwritten(&self) -> usize {
        self.open.attempts.len() + self.parts.iter().map(|part| part.attempts.len()).sum::<usize>()
    }

    /// When it should be written, in a while or at once.
    pub(crate) fn linger(&mut self, now: Now) -> Duration {
        if self.open.attempts.len() >= TOGETHER || !self.parts.is_empty() {
            return Duration::ZERO;
        }
        LINGER.saturating_sub(now.since(*self.since.get_or_insert(now.steady)))
    }

    /// What is to be written next.
    pub(crate) fn take(&mut self) -> Option<Outcomes> {
        if let Some(part) = self.parts.pop_front() {
            return Some(part);
        }
        self.since = None;
        (!self.open.is_empty()).then(|| std::mem::take(&mut self.open))
    }

    /// Is all of it taken?
    pub(crate) fn is_taken(&self) -> bool {
        self.parts.is_empty()
    }

    /// It could not be written for now: it is kept, and nobody was told. Burials stay apart, for they are what is left to be said.
    pub(crate) fn give_back(&mut self, outcomes: Outcomes) {
        let (burials, parts): (Vec<_>, Vec<_>) =
            std::iter::once(outcomes).chain(self.parts.drain(..)).partition(|part| part.burial);
        let together = parts.into_iter().reduce(|all, part| all.precede(part)).unwrap_or_default();
        self.open = together.precede(std::mem::take(&mut self.open));
        self.parts.extend(burials);
    }

    /// It can never be written together.
    pub(crate) fn split(&mut self, outcomes: Outcomes) {
        self.parts.extend(outcomes.parts().map(|part| Outcomes { single: true, ..part }));
    }

    /// Not even by itself. The shortest that can be said of a delivery: that it cannot be recorded, and why. None: nothing can.
    pub(crate) fn bury(&mut self, part: Outcomes, reason: &str, now: Now) -> Option<Outcomes> {
        if part.settled.is_empty() || part.burial {
            return Some(part);
        }
        let tried: BTreeSet<Pair> = part.attempts.iter().map(|attempt| (attempt.event, attempt.endpoint)).collect();
        let is_lost = |pair: &Pair| tried.is_empty() || tried.contains(pair);
        let mut burial = Outcomes { burial: true, single: true, released: part.released, ..Outcomes::default() };
        // What only waited for those still does.
        burial.again.extend(part.again.into_iter().filter(|again| !is_lost(&(again.event.id, again.endpoint))));
        for Settled { delivery, .. } in part.settled.iter().filter(|settled| is_lost(&settled.delivery.pair())) {
            let (event, endpoint) = delivery.pair();
            let attempts = delivery.attempts + 1;
            burial.dead.push(Dead { event: delivery.event.clone(), endpoint, attempts, reason: reason.to_owned() });
            burial.done.push((event, endpoint));
            // Ordered: who waits for it waits no more.
            burial.released.extend(delivery.event.turn().map(|key| (endpoint, key.into_owned())));
            burial.attempts.push(Attempt {
                event,
                endpoint,
                number: attempts,
                started_at: now.clock,
                error: Some("unwritable"),
                detail: Some(reason.to_owned()),
                ..Attempt::default()
            });
        }
        burial.settled = part.settled;
        self.parts.push_front(burial);
        None
    }

    /// Of deliveries that came back and are not written.
    pub(crate) fn unsettled(&self) -> impl Iterator<Item = &Delivery> {
        let parts = self.parts.iter().flat_map(|part| &part.settled);
        self.open.settled.iter().chain(parts).map(|settled| &settled.delivery)
    }

    pub(crate) fn settle(&mut self, delivery: Delivery, over: bool) {
        self.open.settled.push(Settled { delivery, over });
    }

    /// It waits in the retry table, without an attempt. `due_at` i64::MAX: for an earlier event of its key, which is there.
    pub(crate) fn wait(&mut self, delivery: Delivery, due_at: i64, reason: &'static str) {
        let key = if due_at == i64::MAX { delivery.event.turn().map(Cow::into_owned) } else { None };
        self.open.again.push(Again {
            event: delivery.event.clone(),
            endpoint: delivery.target.row(),
            attempts: 0,
            due_at,
            key,
            reason: reason.into(),
        });
        self.settle(delivery, false);
    }

    /// An endpoint is disabled, once.
    pub(crate) fn disable(&mut self, id: i64, reason: &str) {
        if !self.open.disabled.iter().any(|(disabled, _)| *disabled == id) {
            self.open.disabled.push((id, reason.to_owned()));
            self.open.reports.push((id, Report::Disabled { reason: reason.to_owned() }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shipment::{Origin, Target};

    fn now() -> Now {
        Now { clock: 5, steady: Instant::now() }
    }

    fn came_back(ledger: &mut Ledger, id: i64) {
        let event = Rc::new(Event { id, ..Event::default() });
        ledger.open.attempts.push(Attempt { event: id, endpoint: 1, ..Attempt::default() });
        ledger.settle(Delivery::new(event, Target::Endpoint(1), 2, Origin::Retry), true);
    }

    #[test]
    fn receipts_are_written_together() {
        let (mut ledger, start) = (Ledger::default(), now());
        came_back(&mut ledger, 1);
        assert_eq!(ledger.linger(start), LINGER);
        let later = Now { steady: start.steady + LINGER, ..start };
        assert_eq!(ledger.linger(later), Duration::ZERO);
        (0..TOGETHER as i64).for_each(|id| came_back(&mut ledger, id));
        assert_eq!(ledger.linger(start), Duration::ZERO, "enough is enough");
    }

    #[test]
    fn what_could_not_be_written_comes_first_the_next_time() {
        let mut ledger = Ledger::default();
        came_back(&mut ledger, 1);
        let taken = ledger.take().unwrap();
        assert!(ledger.is_empty());
        came_back(&mut ledger, 2);
        ledger.give_back(taken);
        assert_eq!(ledger.unwritten(), 2);
        let again = ledger.take().unwrap();
        assert_eq!(again.attempts.iter().map(|attempt| attempt.event).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(again.settled.len(), 2);
    }

    #[test]
    fn the_one_that_cannot_be_written_is_told_apart_and_buried() {
        let mut ledger = Ledger::default();
        (1..=3).for_each(|id| came_back(&mut ledger, id));
        let together = ledger.take().unwrap();
        ledger.split(together);
        let first = ledger.take().unwrap();
        assert_eq!(first.attempts[0].event, 1);
        assert!(ledger.bury(first, "no room", now()).is_none());
        let burial = ledger.take().unwrap();
        assert_eq!((burial.dead[0].event.id, burial.dead[0].attempts), (1, 3));
        assert_eq!(burial.attempts[0].error, Some("unwritable"));
        assert_eq!(burial.done, [(1, 1)]);
        assert!(ledger.bury(burial, "still no room", now()).is_some(), "that was the last to be said");
        assert_eq!(ledger.take().unwrap().attempts[0].event, 2);
        let third = ledger.take().unwrap();
        ledger.give_back(third);
        assert!(ledger.is_taken() && ledger.unwritten() == 1);
    }

    #[test]
    fn a_burial_that_fails_for_now_stays_one() {
        let mut ledger = Ledger::default();
        came_back(&mut ledger, 1);
        let one = ledger.take().unwrap();
        ledger.bury(one, "no", now());
        let burial = ledger.take().unwrap();
        ledger.give_back(burial);
        assert!(ledger.take().unwrap().burial);
    }
}
