//! An endpoint at work: what waits for it, what is in flight, how it does.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use retry::{Breaker, Bucket, Gate};

use super::event::Delivery;
use super::memory::{self, Load};
use super::settings::Settings;

/// Deliveries that wait in memory; more are left in the log.
pub const QUEUE: usize = 2_000;
/// Answers that are written together, where fewer are in flight at once.
const UNRECORDED: usize = 256;
/// How long a full queue holds up the reading of the log before the endpoint is left behind.
const A_MOMENT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_millis(300);
/// The span of time that one look at the log, and the writing of what came back, take at the most when there is much to do.
const AHEAD: Duration = Duration::from_millis(10);
/// A receiver that has not answered for so long gets nothing ahead, and what it had is called back.
pub const SILENCE: Duration = Duration::from_secs(1);
/// Consecutive failures after which nothing is sent but a probe: after 5 s, then twice as long each time, to 10 minutes.
const BREAKER: (u32, Duration, Duration) = (10, Duration::from_secs(5), Duration::from_secs(600));

pub struct Endpoint {
    pub settings: Settings,
    /// From the log, in its order.
    pub queue: VecDeque<Delivery>,
    /// From the retry table.
    pub retries: VecDeque<Delivery>,
    pub in_flight: usize,
    /// Answered, and not written yet: a crash would repeat them as well.
    pub unrecorded: usize,
    pub breaker: Breaker,
    pub bucket: Option<Bucket>,
    pub failing_since: Option<i64>,
    /// endpoint.failing was emitted and endpoint.recovered not yet.
    pub reported: bool,
    /// Ordered: keys with a delivery queued or in flight, and what waits behind it.
    pub busy: HashMap<String, VecDeque<Delivery>>,
    /// Ordered: keys with rows in the retry table.
    pub blocked: HashSet<String>,
    /// What it has ahead was called back, and nothing was sent since.
    pub recalled: bool,
    /// Bytes of large events that wait for it or are on their way.
    pub held: Rc<Cell<usize>>,
    full_since: Option<Instant>,
    /// When the log last had something for it.
    fed_at: Option<Instant>,
    /// Since when `answers` are counted, and how many there were in the span before.
    counted_since: Instant,
    answers: usize,
    answers_before: usize,
}

impl Endpoint {
    pub fn new(settings: Settings) -> Endpoint {
        Endpoint {
            bucket: settings.rate.map(Bucket::new),
            failing_since: settings.failing_since,
            reported: settings.failing_since.is_some() && settings.failures >= BREAKER.0 as i32,
            settings,
            queue: VecDeque::new(),
            retries: VecDeque::new(),
            in_flight: 0,
            unrecorded: 0,
            breaker: Breaker::new(BREAKER.0, BREAKER.1, BREAKER.2),
            busy: HashMap::new(),
            blocked: HashSet::new(),
            recalled: false,
            held: Rc::default(),
            full_since: None,
            fed_at: None,
            counted_since: Instant::now(),
            answers: 0,
            answers_before: 0,
        }
    }

    /// New settings: what went wrong with the old ones counts no more once it is active again.
    pub fn change(&mut self, settings: Settings) {
        if settings.rate != self.settings.rate {
            self.bucket = settings.rate.map(Bucket::new);
        }
        if settings.active && (!self.settings.active || settings.failing_since.is_none()) {
            self.breaker = Breaker::new(BREAKER.0, BREAKER.1, BREAKER.2);
            self.failing_since = settings.failing_since;
            self.reported = false;
        }
        self.settings = settings;
    }

    pub fn queued(&self) -> usize {
        self.queue.len() + self.retries.len() + self.busy.values().map(VecDeque::len).sum::<usize>()
    }

    /// Can anything be sent to it at all, now or soon?
    pub fn is_open(&self, now: i64) -> bool {
        self.settings.active && !matches!(self.breaker.allows(now), Gate::No { .. })
    }

    /// So much was answered that it is to be written at once.
    pub fn is_unrecorded(&self) -> bool {
        self.unrecorded >= self.unrecorded_limit()
    }

    fn unrecorded_limit(&self) -> usize {
        self.settings.max_in_flight.max(UNRECORDED)
    }

    /// The receiver took one.
    pub fn answered(&mut self) {
        let elapsed = self.counted_since.elapsed();
        if elapsed >= AHEAD {
            self.answers_before = if elapsed < 2 * AHEAD { self.answers } else { 0 };
            self.answers = 0;
            self.counted_since = Instant::now();
        }
        self.answers += 1;
    }

    /// So much more than may be in flight stands ready in the network thread, which then does not wait for us: what the
    /// receiver takes in a moment. None for one that fails or has become slow.
    fn ahead(&self) -> usize {
        let well = self.breaker.failures() == 0 && self.counted_since.elapsed() < 2 * AHEAD;
        if well { self.answers.max(self.answers_before) } else { 0 }
    }

    /// Was more handed over than may be in flight?
    pub fn is_ahead(&self) -> bool {
        self.in_flight > self.settings.max_in_flight
    }

    /// Is what it has ahead to be called back, for it is silent or not to be sent to?
    pub fn has_excess(&self, now: i64) -> bool {
        let stopped = self.counted_since.elapsed() >= SILENCE || !self.is_open(now);
        self.is_ahead() && !self.recalled && stopped
    }

    pub fn is_full(&self) -> bool {
        self.queued() >= QUEUE || self.held.get() >= memory::share()
    }

    /// Is there room for a batch?
    pub fn has_room(&self) -> bool {
        self.queued() < QUEUE / 2 && self.held.get() < memory::share() / 2
    }

    /// Its share of the engine's memory holds this delivery from now on.
    pub fn bear(&self, delivery: &mut Delivery) {
        delivery.load = Load::new(&self.held, delivery.event.bytes());
    }

    /// It runs out of work, although the log had some for it lately.
    pub fn is_starving(&self) -> bool {
        self.queued() < self.settings.max_in_flight.min(QUEUE / 4)
            && self.fed_at.is_some_and(|fed| fed.elapsed() < Duration::from_secs(1))
    }

    /// Its queue has been full for longer than a moment.
    pub fn is_stuck(&mut self) -> bool {
        if !self.is_full() {
            self.full_since = None;
            return false;
        }
        self.full_since.get_or_insert_with(Instant::now).elapsed() > A_MOMENT
    }

    /// For so long that who gets nothing meanwhile may get nothing because of it.
    pub fn is_long_stuck(&self) -> bool {
        self.full_since.is_some_and(|since| since.elapsed() > LONG)
    }

    /// Puts a delivery from the log into the queue; of an ordered endpoint behind the one of its key. Gives it back when its key is blocked.
    pub fn push(&mut self, mut delivery: Delivery) -> Option<Delivery> {
        self.fed_at = Some(Instant::now());
        self.bear(&mut delivery);
        if self.settings.ordered
            && let Some(key) = delivery.event.turn().map(Cow::into_owned)
        {
            if self.blocked.contains(&key) {
                return Some(delivery);
            }
            if let Some(behind) = self.busy.get_mut(&key) {
                behind.push_back(delivery);
                return None;
            }
            self.busy.insert(key, VecDeque::new());
        }
        self.queue.push_back(delivery);
        None
    }

    /// Ordered: the delivery of this key is done; the next of the key is queued.
    pub fn next_of(&mut self, key: &str) {
        match self.busy.get_mut(key).and_then(VecDeque::pop_front) {
            Some(next) => self.queue.push_back(next),
            None => {
                self.busy.remove(key);
            }
        }
    }

    /// Ordered: the delivery of this key failed; what waited behind it goes to the retry table too.
    pub fn block(&mut self, key: &str) -> VecDeque<Delivery> {
        self.blocked.insert(key.to_owned());
        self.busy.remove(key).unwrap_or_default()
    }

    /// The next delivery that may leave now; Err: not before that moment (i64::MAX: when something else happens).
    pub fn next(&mut self, now: i64) -> Result<Delivery, i64> {
        let empty = self.retries.is_empty() && self.queue.is_empty();
        let full = self.in_flight >= self.settings.max_in_flight + self.ahead()
            || self.in_flight + self.unrecorded >= 2 * self.unrecorded_limit();
        if empty || full || !self.settings.active {
            return Err(i64::MAX);
        }
        let probe = match self.breaker.allows(now) {
            Gate::Yes => false,
            Gate::Probe => true,
            Gate::No { until } => return Err(until),
        };
        if let Some(bucket) = &mut self.bucket {
            bucket.take(now)?;
        }
        let delivery = self.retries.pop_front().or_else(|| self.queue.pop_front()).ok_or(i64::MAX)?;
        if probe {
            self.breaker.probe_sent();
        }
        self.recalled = false;
        Ok(delivery)
    }
}
