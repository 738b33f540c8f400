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
use super::outcomes::Outcomes;
use super::saving::UNHEARD;
use super::timetable::Timetable;
use super::transaction::{Failure, forget_statements, transaction};
use super::wait::{Bell, Waiter, connections, keep_memory, without_signals};
use super::{courier_config, verbs};
use crate::shmem::Slot;
use crate::{ffi, guc, launcher};

/// The key of the advisory lock by which a database has one engine: "frontdsk" in ASCII.
const LOCK: &str = "select pg_advisory_lock(7381245060419249003)";
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
}

impl Desk {
    /// None: there is nothing to do in this database.
    pub fn open(slot: &'static Slot) -> Result<Option<Desk>, Failure> {
        let there = transaction(|session| {
            session.run("set search_path = pg_catalog")?;
            // The tables are read by their indexes, whatever the planner thinks of them while they are new.
            for setting in [
                "enable_seqscan = off",
                "enable_bitmapscan = on",
                "enable_hashjoin = off",
                "enable_mergejoin = off",
                "plan_cache_mode = force_generic_plan",
                "jit = off",
            ] {
                session.run(&format!("set {setting}"))?;
            }
            session.run(LOCK)?;
            verbs::is_installed()
        })?;
        if !there {
            return Ok(None);
        }
        keep_memory();
        let bell = Bell::new().map_err(|error| Failure(error.to_string()))?;
        let limit = connections(guc::max_connections());
        slot.max_connections.store(limit as u64, SeqCst);
        let ring = bell.clone();
        let courier = without_signals(|| Courier::spawn(courier_config(limit), move || ring.ring()))
            .map_err(|error| Failure(error.to_string()))?;
        let nowhere = Rc::new(Snapshot::parse("1:1:").ok_or(Failure("snapshot".into()))?);
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
        };
        if !desk.boot()? {
            return Ok(None);
        }
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
                    self.complaint = None;
                    limit
                }
                Ok(None) => return self.leave(),
                Err(failure) => {
                    if !self.is_installed() {
                        return self.leave();
                    }
                    self.complain(&failure);
                    Some(PAUSE)
                }
            };
            let rest = if self.publish() == 0 { self.pace.rest(Instant::now()) } else { Duration::ZERO };
            if rest.is_zero() {
                self.waiter.wait(limit);
            } else if let Err(failure) = self.rest(rest) {
                self.complain(&failure);
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
        self.settle()?;
        if self.news || self.dirty && self.main.mark.current.is_none() || self.config_version < 0 {
            self.refresh()?;
        }
        if self.is_leaving() {
            return self.finish();
        }
        self.leaving_since = None;
        if self.running {
            self.read()?;
            self.load_retries()?;
            self.dispatch();
        }
        if let Some(failure) = self.timetable.turn(self.slot, self.running) {
            self.complain(&failure);
        }
        if self.saved_at.elapsed() >= SAVE_INTERVAL {
            self.save(false)?;
        }
        if self.upkeep_at <= Instant::now() {
            self.upkeep_at = Instant::now() + self.upkeep()?;
        }
        Ok(Some(self.limit()))
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
        if self.more() {
            return Some(Duration::ZERO);
        }
        if !self.outcomes.is_empty() {
            return Some(self.outcomes.linger());
        }
        let now = clock::now();
        let until = |moment: i64| Duration::from_micros(moment.saturating_sub(now).max(0) as u64);
        let mut limit = self.upkeep_at.saturating_duration_since(Instant::now());
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

    fn boot(&mut self) -> Result<bool, Failure> {
        let restored = transaction(|session| {
            let Some(boot) = verbs::boot(session)? else { return Ok(None) };
            let cursors = verbs::cursors(session)?;
            let blocked = verbs::blocked(session)?;
            Ok(verbs::window(session)?.map(|window| (boot, cursors, blocked, window)))
        })?;
        let Some((boot, cursors, blocked, window)) = restored else { return Ok(false) };
        if boot.state == "stopped" {
            return Ok(false);
        }
        self.identify(&boot);
        self.slot.prepared.store(1, SeqCst);
        let now = Snapshot::parse(&window.snapshot).map(Rc::new);
        for cursor in cursors {
            let (Some(last), Some(now)) = (Snapshot::parse(&cursor.last), &now) else { continue };
            let current = cursor.current.as_deref().and_then(Snapshot::parse).map(Rc::new);
            let mark = Mark {
                last: Rc::new(last),
                current,
                xid: cursor.xid,
                id: cursor.id,
                since: cursor.since,
                next_since: cursor.since,
            };
            let lane = Lane::restore(mark, now.clone());
            if cursor.endpoint == 0 {
                self.main = lane;
            } else {
                self.lanes.insert(cursor.endpoint, lane);
            }
        }
        self.configure()?;
        for (endpoint, key) in blocked {
            if let Some(endpoint) = self.endpoints.get_mut(&endpoint) {
                endpoint.blocked.insert(key);
            }
        }
        Ok(true)
    }

    /// As after a start, with what is in flight forgotten: it is sent again under the same webhook-id.
    fn reboot(&mut self) -> Result<(), Failure> {
        self.write()?;
        self.recall_all();
        self.in_flight.clear();
        self.loaded.clear();
        self.endpoints.clear();
        self.hosts.clear();
        self.lanes.clear();
        self.dropped_lanes.clear();
        self.next_due = i64::MIN;
        self.dirty = true;
        self.stopped = !self.boot()?;
        Ok(())
    }

    pub fn identify(&mut self, boot: &verbs::Boot) {
        self.installation = boot.installation.to_string().replace('-', "");
        let same_version = boot.extension_version == env!("CARGO_PKG_VERSION");
        self.running = boot.state == "running" && !boot.silent && same_version && guc::enabled();
        self.stopped = boot.state == "stopped";
        if boot.silent {
            self.complain_once(
                "this database is a copy of another installation: nothing is sent before select frontdesk.adopt()",
            );
        } else if !same_version {
            self.complain_once(
                "the library and the extension are of different versions: alter extension pg_frontdesk update",
            );
        }
    }

    fn is_installed(&self) -> bool {
        transaction(|_| verbs::is_installed()).unwrap_or(true)
    }

    /// A line in the log when something new is wrong, not at every turn.
    fn complain(&mut self, failure: &Failure) {
        self.complain_once(&failure.0);
    }

    pub fn complain_once(&mut self, message: &str) {
        if self.complaint.as_deref() != Some(message) {
            warning!("pg_frontdesk: {message}");
            self.complaint = Some(message.to_owned());
        }
    }
}
