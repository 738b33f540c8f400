//! The engine's side of a job: starts its process, looks after it, ends it.

use std::ffi::CStr;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use pgrx::prelude::*;

use super::Outcome;
use super::channel::Channel;
pub use super::channel::{MOST_EVENTS, Mark, Order, Work};

/// After so long a process gets no further command: settings of roles and databases are read when it begins.
const LIFE: Duration = Duration::from_secs(10);
/// The same for handlers, of which one order follows another.
const LONG_LIFE: Duration = Duration::from_secs(60);

pub struct Worker {
    handle: *mut pg_sys::BackgroundWorkerHandle,
    segment: *mut pg_sys::dsm_segment,
    channel: Channel,
    owner: u32,
    since: Instant,
}

impl Worker {
    /// None: there is no free worker slot, or no memory.
    pub fn start(order: &Order) -> Option<Worker> {
        PgTryBuilder::new(AssertUnwindSafe(|| {
            // SAFETY: outside any transaction, so that no resource owner unmaps the segment.
            unsafe { start(order) }
        }))
        .catch_others(|_| None)
        .execute()
    }

    /// Another command of the same role for a process that has done its work: beginning a process takes longer than most commands.
    pub fn again(&self, order: &Order) -> bool {
        self.owner == order.owner && !self.is_old() && self.channel.give_again(order)
    }

    /// Is it a process of this role?
    pub fn is_of(&self, owner: u32) -> bool {
        self.owner == owner
    }

    /// Whether it gets no further command.
    pub fn is_old(&self) -> bool {
        self.since.elapsed() >= if self.channel.work() == Work::Events { LONG_LIFE } else { LIFE }
    }

    /// Of one for events: what became of the first so many, and the transaction that the running ones are in.
    pub fn marks(&self, events: usize) -> (Vec<Mark>, u64) {
        self.channel.marks(events)
    }

    /// How many transactions of events it began.
    pub fn beats(&self) -> u32 {
        self.channel.at_work().0
    }

    /// Whether its process is there.
    pub fn is_there(&self) -> bool {
        self.process().is_ok()
    }

    /// What became of it; None while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        let stopped = self.process().is_err();
        self.channel.outcome().or_else(|| {
            stopped.then(|| Outcome {
                sqlstate: Some("57P01".into()),
                message: "the job''s process exited unexpectedly; see the server log".into(),
                ..Outcome::default()
            })
        })
    }

    /// Cancels the statement it runs; false while there is no process yet.
    pub fn cancel(&self) -> bool {
        match self.process() {
            Ok(Some(pid)) => {
                // SAFETY: the postmaster has not reaped this process yet, as it just said.
                unsafe { libc::kill(pid, libc::SIGINT) };
                true
            }
            process => process.is_err(),
        }
    }

    /// Ends the process, or takes back the wish for one.
    pub fn end(&self) {
        // SAFETY: a handle that was given by the postmaster and not freed.
        unsafe { pg_sys::TerminateBackgroundWorker(self.handle) };
    }

    /// Of one for reminders: how many batches it began, and the rule and number of timers of the last.
    pub fn at_work(&self) -> (u32, i64, i32) {
        self.channel.at_work()
    }

    /// Its process, which may be over.
    pub fn pid(&self) -> Option<i32> {
        self.channel.pid()
    }

    /// None before it is started; an error when it is over.
    fn process(&self) -> Result<Option<i32>, ()> {
        let mut pid = 0;
        // SAFETY: a handle that was given by the postmaster and not freed.
        match unsafe { pg_sys::GetBackgroundWorkerPid(self.handle, &mut pid) } {
            pg_sys::BgwHandleStatus::BGWH_STARTED => Ok(Some(pid)),
            pg_sys::BgwHandleStatus::BGWH_NOT_YET_STARTED => Ok(None),
            _ => Err(()),
        }
    }
}

/// Did a transaction commit whose process is gone?
pub fn committed(xid: u64) -> bool {
    // SAFETY: a look into the commit log, of a transaction that was under way a moment ago.
    xid != 0 && unsafe { pg_sys::TransactionIdDidCommit(pg_sys::TransactionId::from(xid as u32)) }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // SAFETY: both belong to this value alone.
        unsafe {
            pg_sys::dsm_detach(self.segment);
            pg_sys::pfree(self.handle.cast());
        }
    }
}

unsafe fn start(order: &Order) -> Option<Worker> {
    // SAFETY: the segment is given to the job by its handle, and stays ours until the worker is dropped.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let segment = pg_sys::dsm_create(Channel::size(order), pg_sys::DSM_CREATE_NULL_IF_MAXSEGMENTS as i32);
        if segment.is_null() {
            pg_sys::MemoryContextSwitchTo(before);
            return None;
        }
        let channel = Channel::give(pg_sys::dsm_segment_address(segment), order);
        let mut worker = pg_sys::BackgroundWorker {
            bgw_flags: (pg_sys::BGWORKER_SHMEM_ACCESS | pg_sys::BGWORKER_BACKEND_DATABASE_CONNECTION) as i32,
            bgw_start_time: pg_sys::BgWorkerStartTime::BgWorkerStart_RecoveryFinished,
            bgw_restart_time: pg_sys::BGW_NEVER_RESTART,
            bgw_main_arg: pg_sys::Datum::from(pg_sys::dsm_segment_handle(segment)),
            bgw_notify_pid: pg_sys::MyProcPid,
            ..Default::default()
        };
        write(&mut worker.bgw_name, c"frontdesk job");
        write(&mut worker.bgw_type, c"frontdesk job");
        write(&mut worker.bgw_library_name, c"pg_frontdesk");
        write(&mut worker.bgw_function_name, c"frontdesk_job_main");
        let mut handle = std::ptr::null_mut();
        let started = pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle);
        pg_sys::MemoryContextSwitchTo(before);
        if !started {
            pg_sys::dsm_detach(segment);
            return None;
        }
        Some(Worker { handle, segment, channel, owner: order.owner, since: Instant::now() })
    }
}

fn write<const N: usize>(field: &mut [std::ffi::c_char; N], text: &CStr) {
    for (place, byte) in field.iter_mut().zip(text.to_bytes_with_nul()) {
        *place = *byte as std::ffi::c_char;
    }
}
