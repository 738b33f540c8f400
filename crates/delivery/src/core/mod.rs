//! The owners of what the engine knows, and what passes between them.

mod behind;
mod config;
mod handle;
mod poll;
mod reading;
mod sending;
mod settling;

use std::collections::VecDeque;
use std::time::Duration;

use retry::Pace;

use crate::faults::{Fault, planted};
use crate::fleet::{Fleet, SILENCE};
use crate::flight::Flight;
use crate::input::{Configuration, Window};
use crate::ledger::Ledger;
use crate::log::{Cursor, Log, Snapshot};
use crate::memory::{Limits, Memory};
use crate::now::Now;
use crate::rest::{Part, Rests};
use crate::retries::Retries;
use crate::shipment::{Delivery, Target};
use poll::Stage;

/// How often prepared transactions are looked for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How often full queues are looked at, besides when something comes back.
const FULL: Duration = Duration::from_millis(5);

/// One engine's decisions.
#[derive(Debug)]
pub struct Core {
    log: Log,
    fleet: Fleet,
    retries: Retries,
    flight: Flight,
    ledger: Ledger,
    rests: Rests,
    pace: Pace,
    memory: Memory,
    limits: Limits,
    /// Of the configuration.
    version: i64,
    /// May anything be sent?
    running: bool,
    leaving: bool,
    /// Something other than events was committed since the configuration was last looked at.
    news: bool,
    prepared: bool,
    /// The queues have room for more of the log.
    room: bool,
    /// Some of what was to be sent could not be made into a request.
    unsent: bool,
    /// A window that waits for its configuration.
    window: Option<Window>,
    random: u64,
    stage: Stage,
    recalls: Vec<Target>,
    said: VecDeque<String>,
}

/// What was there before.
#[derive(Debug)]
pub struct Start {
    /// Endpoint, or 0 for the engine itself, and its saved place.
    pub cursors: Vec<(i64, Cursor)>,
    /// Of this moment.
    pub snapshot: Snapshot,
    pub configuration: Configuration,
    /// Ordered: (endpoint, key) with rows in the retry table.
    pub blocked: Vec<(i64, String)>,
    /// The number of the last request of the core before this one, whose receipts may still come.
    pub last_request: u64,
    /// Spreads retries.
    pub random: u64,
}

/// How it stands.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// In flight or not written yet: what a crash would repeat.
    pub in_flight: usize,
    /// Deliveries that wait in memory.
    pub queued: usize,
    /// Of one endpoint, 0 for a host: the most, and whose.
    pub longest: (usize, i64),
    /// Bytes.
    pub held: usize,
    /// All that was committed when it last looked is settled or waits for its endpoint.
    pub idle: bool,
    /// There is no endpoint that events could be for.
    pub unheard: bool,
}

impl Core {
    pub fn new(start: Start, limits: Limits, now: Now) -> Core {
        let mut core = Core {
            log: Log::restore(start.cursors, start.snapshot, now),
            fleet: Fleet::default(),
            retries: Retries::default(),
            flight: Flight::after(start.last_request),
            ledger: Ledger::default(),
            rests: Rests::default(),
            pace: Pace::new(now.steady),
            memory: Memory::default(),
            limits,
            version: -1,
            running: false,
            leaving: false,
            news: true,
            prepared: false,
            room: true,
            unsent: false,
            window: None,
            random: start.random | 1,
            stage: Stage::default(),
            recalls: Vec::new(),
            said: VecDeque::new(),
        };
        core.configure(start.configuration, now);
        for (id, key) in start.blocked {
            if let Some(endpoint) = core.fleet.endpoint_mut(id) {
                endpoint.order.was_blocked(key);
            }
        }
        core
    }

    /// What may be held from now on.
    pub fn limit(&mut self, limits: Limits) {
        if !planted(Fault::ReadsWithoutLimit) {
            self.limits = limits;
        }
    }

    /// What a request that is in flight carries.
    pub fn flying(&self, request: u64) -> Option<&Delivery> {
        self.flight.get(request)
    }

    /// Is something in flight?
    pub fn is_flying(&self) -> bool {
        !self.flight.is_empty()
    }

    /// To whom something is in flight.
    pub fn recall(&self) -> impl Iterator<Item = Target> {
        self.fleet.all().filter(|(_, endpoint)| endpoint.in_flight > 0).map(|(target, _)| target)
    }

    /// Is everything that came back written, and how far that is?
    pub fn is_written(&self) -> bool {
        self.ledger.is_empty() && !self.log.is_unsaved()
    }

    /// The number of the last request that was sent.
    pub fn last_request(&self) -> u64 {
        self.flight.last()
    }

    /// Is this row of the retry table in memory?
    pub fn is_loaded(&self, event: i64, endpoint: i64) -> bool {
        self.retries.is_loaded((event, endpoint))
    }

    /// Did a part fail when it was last tried?
    pub fn fails(&self) -> bool {
        self.rests.fails()
    }

    pub fn is_running(&self) -> bool {
        self.running
    }

    pub fn endpoints(&self) -> usize {
        self.fleet.endpoints().count()
    }

    /// Whether no endpoint waits for events.
    pub fn is_unheard(&self) -> bool {
        self.flight.is_empty() && !self.fleet.has_endpoints()
    }

    /// How long ago the log was looked at.
    pub fn looked(&self, now: Now) -> Duration {
        now.since(self.log.looked_at)
    }

    pub fn status(&self) -> Status {
        let mut status = Status {
            in_flight: self.flight.len() + self.ledger.unwritten(),
            held: self.memory.held(),
            unheard: self.is_unheard(),
            idle: self.running
                && !self.log.dirty
                && self.flight.is_empty()
                && self.ledger.is_empty()
                && self.log.main.at.current.is_none()
                && self.log.main.is_idle(),
            ..Status::default()
        };
        for (target, endpoint) in self.fleet.all() {
            let queued = endpoint.queued();
            status.queued += queued;
            status.longest = status.longest.max((queued, target.row()));
        }
        status
    }

    /// For how long the log is better left alone: nothing waits, and looking at once would find little. What came back is to
    /// be flushed first, so that what a crash would repeat does not grow.
    pub fn pause(&self, now: Now) -> Duration {
        let waits = self.fleet.all().any(|(_, endpoint)| endpoint.queued() > 0);
        if waits { Duration::ZERO } else { self.pace.rest(now.steady) }
    }

    /// How long nothing is to be done, unless something happens.
    pub fn deadline(&mut self, now: Now) -> Duration {
        if self.has_more(now) && !self.rests.is_resting(Part::Read, now) && !self.rests.is_resting(Part::Refresh, now) {
            return Duration::ZERO;
        }
        if !self.ledger.is_empty() && !self.rests.is_resting(Part::Settle, now) {
            return self.ledger.linger(now);
        }
        let moment = Duration::from_millis(10);
        let mut limit = self.rests.left(now).map_or(Duration::MAX, |left| left.max(moment));
        if self.running {
            let due = self.retries.next().filter(|_| !self.rests.is_resting(Part::Retries, now));
            for next in [due, self.fleet.next_gate()].into_iter().flatten() {
                limit = limit.min(now.until(next).max(Duration::from_millis(1)));
            }
            if self.log.main.at.current.is_some() && !self.rests.is_resting(Part::Read, now) {
                limit = limit.min(FULL);
            }
        }
        if self.fleet.all().any(|(_, endpoint)| endpoint.is_ahead()) {
            limit = limit.min(SILENCE);
        }
        if let Some(left) = self.log.save_in(now) {
            limit = limit.min(left.max(moment));
        }
        if self.polls() {
            limit = limit.min(POLL_INTERVAL.saturating_sub(self.looked(now)).max(moment));
        }
        limit
    }

    /// Can a transaction be committed without our being woken? A session that never loaded the library can do that to one that
    /// is prepared, which a snapshot need not show: it may be later than all that ended.
    fn polls(&self) -> bool {
        self.prepared && self.running
    }

    /// Nothing more is read before something has left.
    fn is_short(&self) -> bool {
        self.memory.held() >= self.limits.memory
    }
}
