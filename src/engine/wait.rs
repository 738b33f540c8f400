//! Waiting for the latch, for receipts, for a moment: one WaitEventSet for the life of the engine.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use pgrx::{check_for_interrupts, pg_sys};

/// Rung by the courier's thread, which must not call PostgreSQL: an eventfd.
#[derive(Clone)]
pub struct Bell(Arc<OwnedFd>);

impl Bell {
    pub fn new() -> std::io::Result<Bell> {
        // SAFETY: a new descriptor, owned by nobody else.
        unsafe {
            let fd = libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
            if fd < 0 { Err(std::io::Error::last_os_error()) } else { Ok(Bell(Arc::new(OwnedFd::from_raw_fd(fd)))) }
        }
    }

    pub fn ring(&self) {
        let one = 1_u64;
        // SAFETY: eight bytes to an eventfd; when its counter is full it rings already.
        unsafe { libc::write(self.0.as_raw_fd(), (&raw const one).cast(), 8) };
    }

    fn silence(&self) {
        let mut count = 0_u64;
        // SAFETY: eight bytes from an eventfd, not blocking.
        unsafe { libc::read(self.0.as_raw_fd(), (&raw mut count).cast(), 8) };
    }
}

pub struct Waiter {
    set: *mut pg_sys::WaitEventSet,
    bell: Bell,
}

impl Waiter {
    pub fn new(bell: Bell) -> Waiter {
        // SAFETY: made once by the engine's process, which keeps the set and the descriptors in it to its end.
        unsafe {
            let set = pg_sys::CreateWaitEventSet(std::ptr::null_mut(), 3);
            pg_sys::AddWaitEventToSet(
                set,
                pg_sys::WL_LATCH_SET,
                pg_sys::PGINVALID_SOCKET,
                pg_sys::MyLatch,
                std::ptr::null_mut(),
            );
            pg_sys::AddWaitEventToSet(
                set,
                pg_sys::WL_EXIT_ON_PM_DEATH,
                pg_sys::PGINVALID_SOCKET,
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            );
            pg_sys::AddWaitEventToSet(
                set,
                pg_sys::WL_SOCKET_READABLE,
                bell.0.as_raw_fd(),
                std::ptr::null_mut(),
                std::ptr::null_mut(),
            );
            Waiter { set, bell }
        }
    }

    /// Returns when the latch is set, the bell rang or the time is over. None: no limit.
    pub fn wait(&self, limit: Option<Duration>) {
        let timeout =
            limit.map_or(-1, |limit| limit.as_micros().div_ceil(1000).min(i32::MAX as u128) as std::ffi::c_long);
        let mut events = [pg_sys::WaitEvent::default(); 3];
        // SAFETY: room for as many events as are in the set; the latch is this process's own.
        let count =
            unsafe { pg_sys::WaitEventSetWait(self.set, timeout, events.as_mut_ptr(), 3, pg_sys::PG_WAIT_EXTENSION) };
        for event in events.iter().take(count.max(0) as usize) {
            if event.events & pg_sys::WL_LATCH_SET != 0 {
                // SAFETY: as above.
                unsafe { pg_sys::ResetLatch(pg_sys::MyLatch) };
            }
            if event.events & pg_sys::WL_SOCKET_READABLE != 0 {
                self.bell.silence();
            }
        }
        check_for_interrupts!();
    }
}

/// Runs `start` with all signals blocked: a thread that it starts inherits the mask, so that PostgreSQL's handlers never run in it.
pub fn without_signals<T>(start: impl FnOnce() -> T) -> T {
    // SAFETY: masks of this thread, restored as they were.
    unsafe {
        let mut all = std::mem::zeroed();
        let mut before = std::mem::zeroed();
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let result = start();
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        result
    }
}

/// The engine's memory comes and goes with every batch: glibc is told not to give it back each time.
pub fn keep_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: parameters of this process's allocator.
    unsafe {
        libc::mallopt(libc::M_TRIM_THRESHOLD, 64 << 20);
        libc::mallopt(libc::M_TOP_PAD, 4 << 20);
        libc::mallopt(libc::M_MMAP_THRESHOLD, 16 << 20);
    }
}

/// Raises the limit of open files to the hard limit and returns how many connections it leaves room for.
pub fn connections(wanted: usize) -> usize {
    // SAFETY: plain calls on this process's own limit.
    let limit = unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && limit.rlim_cur < limit.rlim_max {
            let raised = libc::rlimit { rlim_cur: limit.rlim_max, ..limit };
            if libc::setrlimit(libc::RLIMIT_NOFILE, &raised) == 0 {
                limit = raised;
            }
        }
        usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX)
    };
    // PostgreSQL itself keeps up to max_files_per_process (1000) open in this process.
    let room = if limit > 4096 { limit - 2048 } else { limit / 2 };
    wanted.min(room).max(1)
}

/// Transactions that share an entry for the WAL position in the commit log: CLOG_XACTS_PER_LSN_GROUP.
const GROUP: u64 = 32;

/// XactTruncationLock of storage/lwlocknames.h.
const XACT_TRUNCATION: usize = 44;

/// TransactionIdPrecedes, for normal ids.
fn precedes(a: u32, b: u32) -> bool {
    (a.wrapping_sub(b) as i32) < 0
}

/// What was just read is on disk before it leaves: of transactions that committed asynchronously, the WAL is flushed.
pub fn flush(xids: impl Iterator<Item = u64>) {
    let mut group = None;
    let xids: Vec<u64> = xids.filter(|xid| group.replace(xid / GROUP) != Some(xid / GROUP)).collect();
    if xids.is_empty() {
        return;
    }
    // SAFETY: look-ups of the commit's WAL position in the commit log, for transactions that committed; what VACUUM has cut off
    // is on disk since long, and is not cut off while the lock is held, as pg_xact_status() holds it.
    unsafe {
        let truncation = &raw mut (*pg_sys::MainLWLockArray.add(XACT_TRUNCATION)).lock;
        pg_sys::LWLockAcquire(truncation, pg_sys::LWLockMode::LW_SHARED);
        let oldest = (*pg_sys::TransamVariables).oldestClogXid;
        let last = xids
            .into_iter()
            .filter(|xid| !precedes(*xid as u32, oldest.into_inner()))
            .map(|xid| {
                let mut lsn = 0;
                pg_sys::TransactionIdGetStatus(pg_sys::TransactionId::from(xid as u32), &mut lsn);
                lsn
            })
            .max();
        pg_sys::LWLockRelease(truncation);
        if let Some(lsn) = last.filter(|lsn| *lsn != 0) {
            pg_sys::XLogFlush(lsn);
        }
    }
}
