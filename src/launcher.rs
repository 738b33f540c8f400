//! The launcher: one process without a database, so that it blocks no DROP DATABASE. It finds the databases that have the
//! extension by starting an engine in each (which leaves at once where there is none), and restarts engines that ended.

use std::collections::HashMap;
use std::ffi::CStr;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicBool, AtomicPtr};
use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorkerBuilder, BackgroundWorkerStatus, BgWorkerStartTime, DynamicBackgroundWorker};
use pgrx::prelude::*;

use crate::shmem;

const RESTART: Duration = Duration::from_secs(5);
/// An engine that ends again and again is started at most this seldom.
const LONGEST_BACKOFF: Duration = Duration::from_secs(60);

unsafe extern "C-unwind" {
    /// tcop/tcopprot.h: the handler as such, which pgrx's bindings wrap.
    fn die(signal: std::ffi::c_int);
    /// postmaster/interrupt.h.
    fn SignalHandlerForConfigReload(signal: std::ffi::c_int);
    /// storage/latch.h, without the guard of pgrx's bindings, which is not made for a signal's handler.
    fn SetLatch(latch: *mut pg_sys::Latch);
}

pub fn init() {
    // SAFETY: plain read.
    if unsafe { pg_sys::process_shared_preload_libraries_in_progress } {
        builder().load();
        // What the postmaster has read, its children need not.
        contact::preload();
    }
}

/// Wake the launcher, or have one started. Called at commit, where nothing may fail.
pub fn call() {
    let launcher = &shmem::shared().launcher;
    launcher.asked_at.fetch_add(0, SeqCst);
    if launcher.wake() {
        return;
    }
    // SAFETY: plain call.
    let now = unsafe { pg_sys::GetCurrentTimestamp() };
    let asked = launcher.asked_at.load(SeqCst);
    if now - asked > 5_000_000 && launcher.asked_at.compare_exchange(asked, now, SeqCst, SeqCst).is_ok() {
        // Without a free worker slot there is none; status() says so.
        let _ = builder().load_dynamic();
    }
}

fn builder() -> BackgroundWorkerBuilder {
    BackgroundWorkerBuilder::new("frontdesk launcher")
        .set_type("frontdesk launcher")
        .set_library("pg_frontdesk")
        .set_function("frontdesk_launcher_main")
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(Some(RESTART))
        .enable_spi_access()
}

/// Handlers of a worker's process: SIGTERM ends it like a backend, SIGHUP reloads the configuration.
pub fn handle_signals() {
    // SAFETY: PostgreSQL's own handlers, installed at the start of the process before signals are unblocked.
    unsafe {
        pg_sys::pqsignal(libc::SIGHUP, Some(SignalHandlerForConfigReload));
        pg_sys::pqsignal(libc::SIGTERM, Some(die));
        pg_sys::BackgroundWorkerUnblockSignals();
    }
}

/// The timer that ends a process which was asked to leave and did not.
static TIMER: AtomicPtr<std::ffi::c_void> = AtomicPtr::new(std::ptr::null_mut());
static ASKED: AtomicBool = AtomicBool::new(false);
/// How long a process that was asked to leave may take.
const FAREWELL: libc::time_t = 2;

/// SIGTERM asks this process to leave. Two seconds later a timer ends it like a backend: a transaction that waits for a lock
/// or for a standby holds up no shutdown. The postmaster may send SIGTERM twice, to the process and to its group.
pub fn leave_in_time() {
    let mut timer = std::ptr::null_mut();
    // SAFETY: a timer of this process, which lives as long as it; SIGUSR2 has no other use in a background worker. Without a
    // timer SIGTERM ends it at once.
    unsafe {
        let mut event: libc::sigevent = std::mem::zeroed();
        event.sigev_notify = libc::SIGEV_SIGNAL;
        event.sigev_signo = libc::SIGUSR2;
        if libc::timer_create(libc::CLOCK_MONOTONIC, &mut event, &mut timer) == 0 {
            TIMER.store(timer, SeqCst);
            pg_sys::pqsignal(libc::SIGUSR2, Some(die));
            pg_sys::pqsignal(libc::SIGTERM, Some(ask_to_leave));
        }
    }
}

/// The handler of a signal: nothing in it but what is safe there.
unsafe extern "C-unwind" fn ask_to_leave(_signal: std::ffi::c_int) {
    if ASKED.swap(true, SeqCst) {
        return;
    }
    // SAFETY: timer_settime() may be called by a handler, and SetLatch() is made for it.
    unsafe {
        let mut after: libc::itimerspec = std::mem::zeroed();
        after.it_value.tv_sec = FAREWELL;
        libc::timer_settime(TIMER.load(SeqCst), 0, &after, std::ptr::null_mut());
        SetLatch(pg_sys::MyLatch);
    }
}

pub fn asked_to_leave() -> bool {
    ASKED.load(SeqCst)
}

/// Takes part in a reload of the configuration; true when there was one.
pub fn reload() -> bool {
    // SAFETY: the flag is set by the signal handler, and read and reset here as PostgreSQL's own loops do.
    unsafe {
        let pending = &raw mut pg_sys::ConfigReloadPending;
        if pending.read_volatile() == 0 {
            return false;
        }
        pending.write_volatile(0);
        pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP);
    }
    true
}

/// # Safety
/// The entry point of a background worker.
#[pg_guard]
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn frontdesk_launcher_main(_argument: pg_sys::Datum) {
    handle_signals();
    let launcher = &shmem::shared().launcher;
    // SAFETY: signal 0 only asks whether the process exists.
    if launcher.pid().is_some_and(|pid| unsafe { libc::kill(pid, 0) } == 0) {
        return;
    }
    launcher.enter();
    // SAFETY: once, at the start of a worker; a null database means shared catalogs only.
    unsafe {
        pg_sys::before_shmem_exit(Some(left), pg_sys::Datum::from(0_usize));
        pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0);
    }
    for (database, usable) in databases() {
        if usable && let Some(slot) = shmem::slot(database) {
            slot.wanted.store(shmem::WANTED, SeqCst);
        }
    }
    let mut engines = HashMap::new();
    loop {
        let wait = tend(&mut engines);
        pause(wait);
        reload();
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn left(_code: std::ffi::c_int, _argument: pg_sys::Datum) {
    shmem::shared().launcher.leave();
}

struct Engine {
    handle: Option<DynamicBackgroundWorker>,
    started: Instant,
    not_before: Instant,
    backoff: Duration,
}

/// Starts what is wanted and not there; returns how long nothing needs to be done.
fn tend(engines: &mut HashMap<pg_sys::Oid, Engine>) -> Option<Duration> {
    let now = Instant::now();
    let mut wait: Option<Duration> = None;
    let mut existing = None;
    for slot in &shmem::shared().slots {
        let database = pg_sys::Oid::from(slot.database.load(SeqCst));
        if database == pg_sys::InvalidOid {
            continue;
        }
        let engine = engines.entry(database).or_insert_with(|| Engine {
            handle: None,
            started: now,
            not_before: now,
            backoff: Duration::ZERO,
        });
        if let Some(handle) = engine.handle.take() {
            match handle.pid() {
                Ok(_) | Err(BackgroundWorkerStatus::NotYetStarted) => {
                    engine.handle = Some(handle);
                    continue;
                }
                Err(_) => {
                    // One that worked for a while is back at once; one that ends at its start less and less often.
                    let brief = now.duration_since(engine.started) < Duration::from_secs(10);
                    if brief && slot.wanted.load(SeqCst) == shmem::WANTED && slot.health.error().is_none() {
                        slot.health.fail("it ended at its start, and is started again; the server log says more");
                    }
                    engine.backoff = if brief {
                        (engine.backoff * 2).clamp(Duration::from_secs(1), LONGEST_BACKOFF)
                    } else {
                        Duration::ZERO
                    };
                    engine.not_before = now + engine.backoff;
                }
            }
        }
        if slot.wanted.load(SeqCst) != shmem::WANTED || slot.engine.pid().is_some() {
            continue;
        }
        if slot.reboot.load(SeqCst) != 0 {
            engine.not_before = now;
        }
        if engine.not_before > now {
            let left = engine.not_before - now;
            wait = Some(wait.map_or(left, |wait| wait.min(left)));
            continue;
        }
        // The catalog is read once for all, and only when an engine is to be started.
        let existing = existing.get_or_insert_with(databases);
        if !existing.iter().any(|(oid, _)| *oid == database) {
            shmem::forget(database);
            engines.remove(&database);
            continue;
        }
        engine.started = now;
        engine.handle = start(database);
        if engine.handle.is_none() {
            slot.health.fail("there was no free slot for a process: raise max_worker_processes");
            engine.not_before = now + RESTART;
            wait = Some(wait.map_or(RESTART, |wait| wait.min(RESTART)));
        }
    }
    wait
}

fn start(database: pg_sys::Oid) -> Option<DynamicBackgroundWorker> {
    // SAFETY: plain read.
    let me = unsafe { pg_sys::MyProcPid };
    let started = BackgroundWorkerBuilder::new("frontdesk engine")
        .set_type("frontdesk engine")
        .set_library("pg_frontdesk")
        .set_function("frontdesk_engine_main")
        .set_argument(database.into_datum())
        .set_notify_pid(me)
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
        .set_restart_time(None)
        .enable_spi_access()
        .load_dynamic();
    if started.is_err() {
        warning!("pg_frontdesk: no free worker slot for an engine; raise max_worker_processes");
    }
    started.ok()
}

/// The databases of the cluster, and whether each can be connected to.
fn databases() -> Vec<(pg_sys::Oid, bool)> {
    let mut found = Vec::new();
    // SAFETY: as the autovacuum launcher reads pg_database: in a transaction of its own, with a catalog snapshot.
    unsafe {
        pg_sys::StartTransactionCommand();
        let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
        let relation = pg_sys::table_open(pg_sys::DatabaseRelationId, lock);
        let scan = pg_sys::table_beginscan_catalog(relation, 0, std::ptr::null_mut());
        loop {
            let tuple = pg_sys::heap_getnext(scan, pg_sys::ScanDirection::ForwardScanDirection);
            if tuple.is_null() {
                break;
            }
            let row = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            let name = CStr::from_ptr(row.datname.data.as_ptr());
            found.push((row.oid, row.datallowconn && name != c"template1"));
        }
        pg_sys::heap_endscan(scan);
        pg_sys::table_close(relation, lock);
        pg_sys::CommitTransactionCommand();
    }
    found
}

fn pause(wait: Option<Duration>) {
    let timeout = wait.map_or(-1, |wait| wait.as_millis() as i64 + 1);
    let mut events = pg_sys::WL_LATCH_SET | pg_sys::WL_EXIT_ON_PM_DEATH;
    if wait.is_some() {
        events |= pg_sys::WL_TIMEOUT;
    }
    // SAFETY: this process's own latch.
    unsafe {
        pg_sys::WaitLatch(pg_sys::MyLatch, events as i32, timeout, pg_sys::PG_WAIT_EXTENSION);
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
    check_for_interrupts!();
}
