//! The engine's loop.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use courier::Courier;
use pgrx::prelude::*;
use retry::Pace;

use super::clock;
use super::endpoint::{Endpoint, SILENCE};
use super::event::Delivery;
use super::lane::{Lane, Mark, Snapshot};
use super::mark;
use super::outcomes::Outcomes;
use super::parts::{Part, Rests};
use super::saving::UNHEARD;
use super::timetable::Timetable;
use super::transaction::{Failure, become_the_only_one, forget_statements, settle_in, transaction};
use super::wait::{Bell, Waiter, connections, keep_memory, without_signals};
use super::{courier_config, verbs};
use crate::shmem::Slot;
use crate::{ffi, guc, launcher};

/// How often the place in the log is written down while it moves.
const SAVE_INTERVAL: Duration = Duration::from_secs(1);
const UPKEEP_INTERVAL: Duration = Duration::from_secs(6 * 3600);
/// When somebody reads the log while a partition is to be made or dropped.
const UPKEEP_RETRY: Duration = Duration::from_secs(60);
/// How often full queues are looked at, besides when something comes back.
const FULL: Duration = Duration::from_millis(5);
/// How often prepared transactions are looked for.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// After a transaction failed.
const PAUSE: Duration = Duration::from_secs(1);

pub struct Desk {
    pub slot: &'static Slot,
    pub courier: Courier,
    waiter: Waiter,
    /// Part of every webhook-id.
    pub installation: String,
    pub config_version: i64,
    /// May it send? Not when paused, silent, or of another version than the extension.
    pub running: bool,
    pub stopped: bool,
    pub leaving_since: Option<Instant>,
    pub endpoints: HashMap<i64, Endpoint>,
    /// Event type and whether it is the engine's own -> endpoints whose patterns take it.
    pub routes: HashMap<(String, bool), Rc<[i64]>>,
    /// Direct requests: host -> its number, which is negative.
    pub hosts: HashMap<String, i64>,
    pub main: Lane,
    pub lanes: HashMap<i64, Lane>,
    pub dropped_lanes: Vec<i64>,
    pub in_flight: HashMap<u64, Delivery>,
    pub next_request: u64,
    /// (event, endpoint) of the retry table that are in memory.
    pub loaded: HashSet<(i64, i64)>,
    /// When the retry table is to be looked at; i64::MAX: it has nothing.
    pub next_due: i64,
    /// Something other than events was committed since the configuration was last looked at.
    pub news: bool,
    /// The log may have more than the present window.
    pub dirty: bool,
    /// The queues have room for more of the log.
    pub room: bool,
    pub outcomes: Outcomes,
    /// When an endpoint can go on that must wait now; microseconds.
    pub next_gate: i64,
    /// When the log was last looked at.
    pub polled_at: Instant,
    pub pace: Pace,
    pub timetable: Timetable,
    pub saved_at: Instant,
    upkeep_at: Instant,
    pub random: u64,
    complaint: Option<String>,
    pub rests: Rests,
}

impl Desk {
    /// None: there is nothing to do in this database.
    pub fn open(slot: &'static Slot) -> Result<Option<Desk>, Failure> {
        let there = transaction(|_| {
            become_the_only_one();
            settle_in();
            verbs::is_installed()
        })?;
        if !there {
            return Ok(None);
        }
        keep_memory();
        mark::open();
        let bell = Bell::new().map_err(|error| Failure::new(error.to_string()))?;
        let limit = connections(guc::max_connections());
        slot.max_connections.store(limit as u64, SeqCst);
        let ring = bell.clone();
        let courier = without_signals(|| Courier::spawn(courier_config(limit), move || ring.ring()))
            .map_err(|error| Failure::new(error.to_string()))?;
        let nowhere = Rc::new(Snapshot::parse("1:1:").ok_or(Failure::new("snapshot"))?);
        let mut desk = Desk {
            slot,
            courier,
            waiter: Waiter::new(bell),
            installation: String::new(),
            config_version: -1,
            running: false,
            stopped: false,
            leaving_since: None,
            endpoints: HashMap::new(),
            routes: HashMap::new(),
            hosts: HashMap::new(),
            main: Lane::new(Mark {
                last: nowhere,
                current: None,
                xid: 0,
                id: 0,
                since: i64::MIN,
                next_since: i64::MIN,
            }),
            lanes: HashMap::new(),
            dropped_lanes: Vec::new(),
            in_flight: HashMap::new(),
            next_request: 0,
            loaded: HashSet::new(),
            next_due: i64::MIN,
            news: true,
            dirty: true,
            room: true,
            outcomes: Outcomes::default(),
            next_gate: i64::MAX,
            polled_at: Instant::now(),
            timetable: Timetable::default(),
            saved_at: Instant::now(),
            upkeep_at: Instant::now(),
            pace: Pace::new(Instant::now()),
            random: u64::from_le_bytes(ffi::random()) | 1,
            complaint: None,
            rests: Rests::default(),
        };
        if !desk.boot()? {
            return Ok(None);
        }
        slot.health.clear();
        slot.health.turned_at.store(clock::real(), SeqCst);
        slot.started_at.store(clock::real(), SeqCst);
        slot.delivered.store(0, SeqCst);
        slot.failed.store(0, SeqCst);
        log!(
            "pg_frontdesk: engine started, {} endpoints, up to {} connections{}",
            desk.endpoints.len(),
            limit,
            if desk.running { "" } else { ", not sending: see frontdesk.status()" }
        );
        Ok(Some(desk))
    }

    /// Works until the extension or stop() sends it away (true), or it has to begin anew (false).
    pub fn work(mut self) -> bool {
        loop {
            if !self.courier.is_alive() {
                warning!("pg_frontdesk: the network thread ended");
                return false;
            }
            if launcher::reload() {
                self.courier.reconfigure(courier_config(self.slot.max_connections.load(SeqCst) as usize));
                self.config_version = -1;
                self.dirty = true;
            }
            let limit = match self.turn() {
                Ok(Some(limit)) => {
                    self.slot.health.turned_at.store(clock::real(), SeqCst);
                    if !self.rests.fails() {
                        self.slot.health.failing.store(0, SeqCst);
                        self.complaint = None;
                    }
                    limit
                }
                Ok(None) => return self.leave(),
                Err(failure) => {
                    if !self.is_installed() {
                        return self.leave();
                    }
                    self.fail(&failure);
                    Some(PAUSE)
                }
            };
            let rest = if self.publish() == 0 { self.pace.rest(Instant::now()) } else { Duration::ZERO };
            if rest.is_zero() {
                self.waiter.wait(limit);
            } else if let Err(failure) = self.rest(rest) {
                self.rests.failed(Part::Settle, &failure);
                self.fail(&failure);
            }
        }
    }

    /// One turn; returns how long nothing is to be done unless something happens. None: leave.
    fn turn(&mut self) -> Result<Option<Option<Duration>>, Failure> {
        if self.slot.reboot.swap(0, SeqCst) != 0 {
            forget_statements();
            if !self.is_installed() {
                return Ok(None);
            }
            self.reboot()?;
        }
        self.listen();
        self.dirty |= self.polls() && self.polled_at.elapsed() >= POLL_INTERVAL;
        self.collect();
        self.recall_excess();
        if self.running && !self.is_leaving() {
            // First of all the network has work again, then what came back is written.
            self.dispatch();
        }
        self.attempt(Part::Settle, Desk::settle);
        if self.news || self.dirty && self.main.mark.current.is_none() || self.config_version < 0 {
            self.attempt(Part::Refresh, Desk::refresh);
        }
        if self.rests.fails() && !self.is_installed() {
            return Ok(None);
        }
        if self.is_leaving() {
            return self.finish();
        }
        self.leaving_since = None;
        if self.running {
            self.attempt(Part::Read, Desk::read);
            self.attempt(Part::Retries, Desk::load_retries);
            self.dispatch();
        }
        // It keeps to its own pauses.
        if let Some(failure) = self.timetable.turn(self.slot, self.running) {
            self.rests.failed(Part::Timetable, &failure);
            self.fail(&failure);
        } else if !self.timetable.is_resting() {
            self.rests.went_well(Part::Timetable);
        }
        if self.saved_at.elapsed() >= SAVE_INTERVAL {
            self.attempt(Part::Save, |desk| desk.save(false));
        }
        if self.upkeep_at <= Instant::now() {
            self.attempt(Part::Upkeep, |desk| {
                desk.upkeep_at = Instant::now() + desk.upkeep()?;
                Ok(())
            });
        }
        Ok(Some(self.limit()))
    }

    /// One part of a turn, unless it failed a moment ago.
    fn attempt(&mut self, part: Part, work: impl FnOnce(&mut Desk) -> Result<(), Failure>) {
        if self.rests.is_resting(part) {
            return;
        }
        match work(self) {
            Ok(()) => self.rests.went_well(part),
            Err(failure) => {
                self.rests.failed(part, &failure);
                self.fail(&failure);
            }
        }
    }

    /// Something went wrong: it is shown in status() and, when it is new, written into the server's log.
    pub fn fail(&mut self, failure: &Failure) {
        self.slot.health.set_error(&failure.message);
        self.slot.health.failed_at.store(clock::real(), SeqCst);
        self.slot.health.failing.store(1, SeqCst);
        self.complain_once(&failure.message);
    }

    /// One step of the upkeep; returns when the next is due.
    fn upkeep(&mut self) -> Result<Duration, Failure> {
        match transaction(verbs::maintain_step)? {
            Some(true) => Ok(Duration::ZERO),
            Some(false) => transaction(verbs::maintain_rest).map(|()| UPKEEP_INTERVAL),
            None => Ok(UPKEEP_RETRY),
        }
    }

    /// How long to wait at the most.
    fn limit(&mut self) -> Option<Duration> {
        if self.more() && !self.rests.is_resting(Part::Read) && !self.rests.is_resting(Part::Refresh) {
            return Some(Duration::ZERO);
        }
        if !self.outcomes.is_empty() && !self.rests.is_resting(Part::Settle) {
            return Some(self.outcomes.linger());
        }
        let now = clock::now();
        let until = |moment: i64| Duration::from_micros(moment.saturating_sub(now).max(0) as u64);
        let mut limit = self.upkeep_at.saturating_duration_since(Instant::now());
        if let Some(rest) = self.rests.limit() {
            limit = limit.max(Duration::from_millis(10)).min(rest.max(Duration::from_millis(10)));
        }
        if self.running {
            for moment in [self.next_due, self.next_gate] {
                if moment != i64::MAX {
                    limit = limit.min(until(moment).max(Duration::from_millis(1)));
                }
            }
        }
        if self.running && self.main.mark.current.is_some() {
            limit = limit.min(FULL);
        }
        if let Some(timetable) = self.timetable.limit(self.slot, self.running) {
            limit = limit.min(timetable);
        }
        if self.endpoints.values().any(Endpoint::is_ahead) {
            limit = limit.min(SILENCE);
        }
        if self.unsaved() {
            limit = limit.min(SAVE_INTERVAL.saturating_sub(self.saved_at.elapsed()).max(Duration::from_millis(10)));
        }
        if self.slot.pending.load(SeqCst) != 0 {
            limit = limit.min(UNHEARD.saturating_sub(self.polled_at.elapsed()));
        }
        if self.polls() {
            limit = limit.min(POLL_INTERVAL.saturating_sub(self.polled_at.elapsed()).max(Duration::from_millis(10)));
        }
        Some(limit)
    }

    /// Can a transaction that was under way be committed without our being woken? A session that never loaded this
    /// library can do that to a prepared one.
    fn polls(&self) -> bool {
        self.timetable.polls && self.running && self.main.mark.last.has_in_progress()
    }

    fn is_installed(&self) -> bool {
        transaction(|_| verbs::is_installed()).unwrap_or(true)
    }

    /// A line in the log when something new is wrong, not at every turn.
    pub fn complain_once(&mut self, message: &str) {
        if self.complaint.as_deref() != Some(message) {
            warning!("pg_frontdesk: {message}");
            self.complaint = Some(message.to_owned());
        }
    }
}
