//! What the engines, the launcher and the sessions share: a slot per database in a named DSM segment (PostgreSQL 17),
//! so that it needs no shared_preload_libraries.

use std::ffi::c_void;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering::SeqCst};

use pgrx::pg_sys;

/// Databases of one cluster that can have an engine.
const SLOTS: usize = 256;

/// The engine should be there.
pub const WANTED: u32 = 1;
/// stop() was called, or the extension is not there: only start() brings it back.
pub const UNWANTED: u32 = 2;

/// Events, which only endpoints wait for.
pub const EVENTS: u32 = 1;
/// Events that are looked at at once, whether there is an endpoint or not.
pub const REQUESTS: u32 = 2;
/// Anything: besides events, the configuration and the retry table are looked at.
pub const WORK: u32 = 3;

#[repr(C)]
pub struct Shared {
    pub launcher: Process,
    pub slots: [Slot; SLOTS],
}

/// A process that can be woken.
#[repr(C)]
pub struct Process {
    pub pid: AtomicI32,
    proc_number: AtomicI32,
    /// When a missing launcher was last asked for, in microseconds.
    pub asked_at: AtomicI64,
}

#[repr(C)]
pub struct Slot {
    /// Oid of the database; 0: free.
    pub database: AtomicU32,
    pub wanted: AtomicU32,
    /// What was committed that the engine has not looked at: nothing, EVENTS, REQUESTS or WORK.
    pub pending: AtomicU32,
    /// 1: there is no endpoint. The first event wakes the engine, and more may come before it looks at them.
    pub unheard: AtomicU32,
    /// The engine is to read its identity and cursors anew.
    pub reboot: AtomicU32,
    pub engine: Process,
    /// Microseconds since 2000-01-01, as timestamptz.
    pub started_at: AtomicI64,
    pub in_flight: AtomicU64,
    pub queued: AtomicU64,
    /// 1: everything that was committed at the last wake-up is settled or waits for its endpoint.
    pub idle: AtomicU64,
    pub delivered: AtomicU64,
    pub failed: AtomicU64,
    pub max_connections: AtomicU64,
    /// Jobs were changed, or a run was asked for.
    pub jobs_changed: AtomicU32,
    /// When the earliest timer is due that the engine has not looked at, in microseconds; i64::MAX: there is none.
    pub next_timer: AtomicI64,
    /// 1: a transaction with something for the engine may be prepared. Who never loaded this library can commit it.
    pub prepared: AtomicU32,
    /// Engines that began here: what an earlier one gave to a handler's process is not committed any more.
    pub generation: AtomicU64,
    /// Processes of handlers that are committing.
    pub committing: AtomicU32,
    pub health: Health,
}

/// How the engine does.
#[repr(C)]
pub struct Health {
    /// When a turn of it last ended, in microseconds.
    pub turned_at: AtomicI64,
    /// When a part of a turn last failed; 0: never since its start.
    pub failed_at: AtomicI64,
    /// 1: what failed then has not gone well since.
    pub failing: AtomicU32,
    /// Bytes of events and bodies in memory.
    pub held: AtomicU64,
    /// Deliveries that wait for one endpoint: the most of any, and which.
    pub longest_queue: AtomicU64,
    pub longest_queue_of: AtomicI64,
    error: [AtomicU64; ERROR_WORDS],
}

/// Words of the last error's text.
const ERROR_WORDS: usize = 64;

impl Health {
    pub fn clear(&self) {
        self.turned_at.store(0, SeqCst);
        self.failed_at.store(0, SeqCst);
        self.failing.store(0, SeqCst);
        self.held.store(0, SeqCst);
        self.longest_queue.store(0, SeqCst);
        self.set_error("");
    }

    /// What kept it from its work, and that it was now.
    pub fn fail(&self, why: &str) {
        self.set_error(why);
        // SAFETY: reads the clock.
        self.failed_at.store(unsafe { pg_sys::GetCurrentTimestamp() }, SeqCst);
    }

    /// The engine writes it, and without one the launcher; who reads meanwhile may see half of the one before.
    pub fn set_error(&self, text: &str) {
        let mut chunks = text.as_bytes().chunks(8);
        for word in &self.error {
            let mut bytes = [0_u8; 8];
            let chunk = chunks.next().unwrap_or_default();
            bytes[..chunk.len()].copy_from_slice(chunk);
            word.store(u64::from_ne_bytes(bytes), SeqCst);
        }
    }

    pub fn error(&self) -> Option<String> {
        let bytes: Vec<u8> = self.error.iter().flat_map(|word| word.load(SeqCst).to_ne_bytes()).collect();
        let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
        // It may be cut in the middle of a character.
        Some(String::from_utf8_lossy(&bytes[..end]).trim_end_matches('\u{fffd}').to_owned())
            .filter(|text| !text.is_empty())
    }
}

impl Process {
    pub fn enter(&self) {
        // SAFETY: both are set for the life of a process with shared memory.
        let (pid, number) = unsafe { (pg_sys::MyProcPid, pg_sys::MyProcNumber) };
        self.proc_number.store(number, SeqCst);
        self.pid.store(pid, SeqCst);
    }

    /// Only for the process that entered: a successor may be here already.
    pub fn leave(&self) {
        // SAFETY: as in enter().
        let pid = unsafe { pg_sys::MyProcPid };
        let _ = self.pid.compare_exchange(pid, 0, SeqCst, SeqCst);
    }

    pub fn pid(&self) -> Option<i32> {
        Some(self.pid.load(SeqCst)).filter(|pid| *pid != 0)
    }

    /// Sets its latch; false when there is no such process.
    pub fn wake(&self) -> bool {
        if self.pid().is_none() {
            return false;
        }
        let number = self.proc_number.load(SeqCst);
        // SAFETY: allProcs is an array in shared memory for the life of the server, and the number came from MyProcNumber.
        // Should the process have ended meanwhile, another one gets a spurious wake-up, which every latch user expects.
        unsafe { pg_sys::SetLatch(&mut (*(*pg_sys::ProcGlobal).allProcs.offset(number as isize)).procLatch) };
        true
    }
}

impl Slot {
    fn clear(&self) {
        self.wanted.store(0, SeqCst);
        self.pending.store(0, SeqCst);
        self.unheard.store(0, SeqCst);
        self.reboot.store(0, SeqCst);
        self.jobs_changed.store(0, SeqCst);
        self.next_timer.store(0, SeqCst);
        self.generation.fetch_add(1, SeqCst);
        self.health.clear();
        self.database.store(0, SeqCst);
    }
}

/// The segment, attached on the first call of a process.
pub fn shared() -> &'static Shared {
    static SHARED: AtomicPtr<Shared> = AtomicPtr::new(std::ptr::null_mut());
    let mut shared = SHARED.load(SeqCst);
    if shared.is_null() {
        // Version and size are in the name: after an upgrade of the library the layout may differ.
        let name = format!(concat!("pg_frontdesk ", env!("CARGO_PKG_VERSION"), " {}\0"), size_of::<Shared>());
        let mut found = false;
        // SAFETY: the segment is zeroed by the callback before anybody sees it, and all zeroes is a valid Shared;
        // it stays mapped for the life of the process.
        shared =
            unsafe { pg_sys::GetNamedDSMSegment(name.as_ptr().cast(), size_of::<Shared>(), Some(zero), &mut found) }
                .cast();
        SHARED.store(shared, SeqCst);
    }
    // SAFETY: not null (GetNamedDSMSegment raises instead), and valid as said above.
    unsafe { &*shared }
}

unsafe extern "C-unwind" fn zero(segment: *mut c_void) {
    // SAFETY: called by GetNamedDSMSegment with a fresh segment of the size asked for.
    unsafe { std::ptr::write_bytes(segment.cast::<u8>(), 0, size_of::<Shared>()) };
}

/// The slot of this database, taken when it has none; None when all are taken.
pub fn slot(database: pg_sys::Oid) -> Option<&'static Slot> {
    let oid = database.to_u32();
    let slots = &shared().slots;
    if let Some(slot) = slots.iter().find(|slot| slot.database.load(SeqCst) == oid) {
        return Some(slot);
    }
    // Two processes that race for a slot of one database end up with the first: the later gives its own back.
    let taken = slots.iter().find(|slot| slot.database.compare_exchange(0, oid, SeqCst, SeqCst).is_ok())?;
    let first = slots.iter().find(|slot| slot.database.load(SeqCst) == oid)?;
    if !std::ptr::eq(first, taken) {
        taken.clear();
    }
    Some(first)
}

/// The slot of the database that this process is connected to.
pub fn my_slot() -> Option<&'static Slot> {
    // SAFETY: set for the life of a backend.
    slot(unsafe { pg_sys::MyDatabaseId })
}

/// The database is gone.
pub fn forget(database: pg_sys::Oid) {
    for slot in shared().slots.iter().filter(|slot| slot.database.load(SeqCst) == database.to_u32()) {
        slot.clear();
    }
}
