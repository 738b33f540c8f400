//! The segment of shared memory between the engine and a job: the command goes, the outcome comes; then perhaps another goes.

use std::ffi::{CStr, c_void};
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, Ordering::SeqCst};

use pgrx::pg_sys;

use super::Outcome;

const MESSAGE: usize = 8 * 1024;
const RESULT: usize = 16 * 1024;
/// Room for name and command of an order that comes later; a longer one gets a process of its own.
const TEXTS: usize = 8 * 1024;
/// The same, where the command is a list of events.
const EVENTS_TEXTS: usize = 120 * 1024;
/// Events of one order.
pub const MOST_EVENTS: usize = 1000;

/// The job is to run what is there.
const GIVEN: u32 = 0;
/// The outcome is there, and the job waits.
const ENDED: u32 = 1;
/// The engine writes another order.
const TAKEN: u32 = 2;
/// The outcome is there, and the job is gone.
const LEFT: u32 = 3;

/// The segment of this process, in a job.
static MINE: AtomicPtr<c_void> = AtomicPtr::new(std::ptr::null_mut());

/// The channel of this process, when it is one of a job.
pub fn mine() -> Option<Channel> {
    let address = MINE.load(SeqCst);
    (!address.is_null()).then(|| Channel(address.cast()))
}

/// What a process is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    Command,
    Reminders,
    Events,
}

/// What became of an event of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Not begun, or undone.
    None,
    /// Committed.
    Done,
    Failed,
    /// In the transaction that is under way.
    Running,
}

impl Mark {
    fn of(byte: u8) -> Mark {
        match byte {
            1 => Mark::Done,
            2 => Mark::Failed,
            3 => Mark::Running,
            _ => Mark::None,
        }
    }
}

#[repr(C)]
struct Header {
    state: AtomicU32,
    /// The job's process; 0: not there yet.
    pid: AtomicU32,
    proc_number: AtomicI32,
    database: u32,
    owner: u32,
    /// 0: a command, 1: reminders, 2: events.
    work: u32,
    /// Of the engine that started it.
    generation: u64,
    /// Batches of reminders or events that were begun; the rule and the number of timers of the last.
    beats: AtomicU32,
    rule: AtomicI64,
    timers: AtomicI32,
    /// Lengths with the NUL at the end, and the room for both.
    name: AtomicU32,
    command: AtomicU32,
    texts: u32,
    /// -1: none.
    rows: AtomicI64,
    /// Five characters, or zeroes for success.
    sqlstate: [AtomicU32; 5],
    /// 1: a timeout of the session ended it.
    timed_out: AtomicU32,
    message: AtomicU32,
    /// u32::MAX: none.
    result: AtomicU32,
    /// The transaction of the events that are marked as running.
    xid: AtomicU64,
    marks: [AtomicU8; MOST_EVENTS],
}

/// What a job is to do.
pub struct Order<'a> {
    pub database: u32,
    pub owner: u32,
    pub work: Work,
    /// Of the engine: a process that it left behind commits nothing of events any more.
    pub generation: u64,
    pub name: &'a CStr,
    pub command: &'a CStr,
}

impl Order<'_> {
    fn length(&self) -> usize {
        self.name.to_bytes_with_nul().len() + self.command.to_bytes_with_nul().len()
    }

    /// Room for the texts, also of orders that come later.
    fn texts(&self) -> usize {
        self.length().max(if self.work == Work::Events { EVENTS_TEXTS } else { TEXTS })
    }
}

/// The header; behind it the room for message and result, then name and command.
#[derive(Clone, Copy)]
pub struct Channel(*mut Header);

impl Channel {
    pub fn size(order: &Order) -> usize {
        size_of::<Header>() + MESSAGE + RESULT + order.texts()
    }

    /// # Safety
    /// `address` is that of a segment of `size(order)` bytes that nobody else has yet.
    pub unsafe fn give(address: *mut c_void, order: &Order) -> Channel {
        let channel = Channel(address.cast());
        let header = Header {
            state: AtomicU32::new(TAKEN),
            pid: AtomicU32::new(0),
            proc_number: AtomicI32::new(-1),
            database: order.database,
            owner: order.owner,
            work: order.work as u32,
            generation: order.generation,
            beats: AtomicU32::new(0),
            rule: AtomicI64::new(0),
            timers: AtomicI32::new(0),
            name: AtomicU32::new(0),
            command: AtomicU32::new(0),
            texts: order.texts() as u32,
            rows: AtomicI64::new(-1),
            sqlstate: Default::default(),
            timed_out: AtomicU32::new(0),
            message: AtomicU32::new(0),
            result: AtomicU32::new(u32::MAX),
            xid: AtomicU64::new(0),
            marks: [const { AtomicU8::new(0) }; MOST_EVENTS],
        };
        // SAFETY: within the segment, as said by size().
        unsafe { channel.0.write(header) };
        channel.write(order);
        channel
    }

    /// In the engine: another order for a job that waits. False: it is not there any more, or the order does not fit.
    pub fn give_again(&self, order: &Order) -> bool {
        let header = self.header();
        if order.length() > header.texts as usize
            || (order.work as u32, order.generation) != (header.work, header.generation)
            || header.state.compare_exchange(ENDED, TAKEN, SeqCst, SeqCst).is_err()
        {
            return false;
        }
        self.write(order);
        let number = header.proc_number.load(SeqCst);
        // SAFETY: allProcs is an array in shared memory for the life of the server, and the number came from MyProcNumber.
        unsafe { pg_sys::SetLatch(&mut (*(*pg_sys::ProcGlobal).allProcs.offset(number as isize)).procLatch) };
        true
    }

    /// While the state is TAKEN.
    fn write(&self, order: &Order) {
        let header = self.header();
        let (name, command) = (order.name.to_bytes_with_nul(), order.command.to_bytes_with_nul());
        // SAFETY: within the room for texts; the job reads them when the state says so.
        unsafe {
            let texts = self.room().add(MESSAGE + RESULT);
            texts.copy_from_nonoverlapping(name.as_ptr(), name.len());
            texts.add(name.len()).copy_from_nonoverlapping(command.as_ptr(), command.len());
        }
        header.name.store(name.len() as u32, SeqCst);
        header.command.store(command.len() as u32, SeqCst);
        header.rows.store(-1, SeqCst);
        header.sqlstate.iter().for_each(|place| place.store(0, SeqCst));
        header.timed_out.store(0, SeqCst);
        header.rule.store(0, SeqCst);
        header.timers.store(0, SeqCst);
        header.xid.store(0, SeqCst);
        header.marks.iter().for_each(|mark| mark.store(0, SeqCst));
        header.message.store(0, SeqCst);
        header.result.store(u32::MAX, SeqCst);
        header.state.store(GIVEN, SeqCst);
    }

    /// In the job: whether there is an order to run.
    pub fn is_given(&self) -> bool {
        self.header().state.load(SeqCst) == GIVEN
    }

    /// In the job: waits no longer. False: an order is coming.
    pub fn leave(&self) -> bool {
        self.header().state.compare_exchange(ENDED, LEFT, SeqCst, SeqCst).is_ok()
    }

    /// In the job: the segment with this handle, mapped for the life of the process. None: the engine has left it.
    pub fn attach(handle: u32) -> Option<Channel> {
        // SAFETY: outside any transaction, so that no resource owner unmaps it.
        unsafe {
            let segment = pg_sys::dsm_attach(handle);
            if segment.is_null() {
                return None;
            }
            let channel = Channel(pg_sys::dsm_segment_address(segment).cast());
            channel.header().proc_number.store(pg_sys::MyProcNumber, SeqCst);
            channel.header().pid.store(pg_sys::MyProcPid as u32, SeqCst);
            MINE.store(channel.0.cast(), SeqCst);
            Some(channel)
        }
    }

    pub fn database(&self) -> u32 {
        self.header().database
    }

    pub fn owner(&self) -> u32 {
        self.header().owner
    }

    pub fn work(&self) -> Work {
        match self.header().work {
            0 => Work::Command,
            1 => Work::Reminders,
            _ => Work::Events,
        }
    }

    pub fn generation(&self) -> u64 {
        self.header().generation
    }

    /// In the job: the transaction `xid` of these events begins.
    pub fn begin(&self, xid: u64, events: &[usize]) {
        let header = self.header();
        header.xid.store(xid, SeqCst);
        self.mark(events, Mark::Running);
        header.beats.fetch_add(1, SeqCst);
    }

    pub fn mark(&self, events: &[usize], mark: Mark) {
        let marks = &self.header().marks;
        events.iter().filter_map(|event| marks.get(*event)).for_each(|place| place.store(mark as u8, SeqCst));
    }

    /// What became of the first so many events, and which transaction those that are running are in.
    pub fn marks(&self, events: usize) -> (Vec<Mark>, u64) {
        let header = self.header();
        let marks = header.marks.iter().take(events).map(|mark| Mark::of(mark.load(SeqCst))).collect();
        (marks, header.xid.load(SeqCst))
    }

    /// In the job: a batch of so many timers of a rule begins.
    pub fn note(&self, rule: i64, timers: i32) {
        self.header().rule.store(rule, SeqCst);
        self.header().timers.store(timers, SeqCst);
        self.header().beats.fetch_add(1, SeqCst);
    }

    /// In the engine: how many batches were begun, and the last.
    pub fn at_work(&self) -> (u32, i64, i32) {
        let header = self.header();
        (header.beats.load(SeqCst), header.rule.load(SeqCst), header.timers.load(SeqCst))
    }

    pub fn pid(&self) -> Option<i32> {
        i32::try_from(self.header().pid.load(SeqCst)).ok().filter(|pid| *pid != 0)
    }

    /// Name and command.
    pub fn text(&self) -> (&CStr, &CStr) {
        // SAFETY: written by write(), and not changed while the job runs.
        unsafe {
            let texts = self.room().add(MESSAGE + RESULT);
            let text = |at: *mut u8, length: u32| {
                CStr::from_bytes_until_nul(std::slice::from_raw_parts(at, length as usize)).unwrap_or_default()
            };
            let (name, command) = (self.header().name.load(SeqCst), self.header().command.load(SeqCst));
            (text(texts, name), text(texts.add(name as usize), command))
        }
    }

    /// In the job: says what became of it. Only the first word counts.
    pub fn end(&self, outcome: &Outcome) {
        let header = self.header();
        if header.state.load(SeqCst) != GIVEN {
            return;
        }
        let message = cut(&outcome.message, MESSAGE);
        // SAFETY: within the room for each; the engine reads it when the state says so.
        unsafe {
            self.room().copy_from_nonoverlapping(message.as_ptr(), message.len());
            // Half of a JSON document cannot be read.
            if let Some(result) = outcome.result.as_ref().filter(|result| result.len() <= RESULT) {
                self.room().add(MESSAGE).copy_from_nonoverlapping(result.as_ptr(), result.len());
                header.result.store(result.len() as u32, SeqCst);
            }
        }
        header.message.store(message.len() as u32, SeqCst);
        header.rows.store(outcome.rows.unwrap_or(-1), SeqCst);
        header.timed_out.store(outcome.timed_out.into(), SeqCst);
        for (place, byte) in header.sqlstate.iter().zip(outcome.sqlstate.iter().flat_map(|code| code.bytes())) {
            place.store(byte.into(), SeqCst);
        }
        header.state.store(ENDED, SeqCst);
    }

    /// In the engine: what became of it; None while it runs.
    pub fn outcome(&self) -> Option<Outcome> {
        let header = self.header();
        if !matches!(header.state.load(SeqCst), ENDED | LEFT) {
            return None;
        }
        let sqlstate: String = header.sqlstate.iter().map(|byte| byte.load(SeqCst) as u8 as char).collect();
        let result = Some(header.result.load(SeqCst)).filter(|length| *length != u32::MAX);
        // SAFETY: lengths as written by end(), within the room for each.
        let text = |from: usize, length: u32| unsafe {
            String::from_utf8_lossy(std::slice::from_raw_parts(self.room().add(from), length as usize)).into_owned()
        };
        Some(Outcome {
            sqlstate: Some(sqlstate).filter(|code| !code.starts_with('\0')),
            message: text(0, header.message.load(SeqCst)),
            rows: Some(header.rows.load(SeqCst)).filter(|rows| *rows >= 0),
            result: result.map(|length| text(MESSAGE, length)),
            timed_out: header.timed_out.load(SeqCst) == 1,
        })
    }

    fn header(&self) -> &Header {
        // SAFETY: mapped and written, as every way to make a Channel demands.
        unsafe { &*self.0 }
    }

    fn room(&self) -> *mut u8 {
        // SAFETY: right behind the header, within the segment.
        unsafe { self.0.add(1).cast() }
    }
}

/// The text, without characters that do not fit as a whole.
fn cut(text: &str, room: usize) -> &str {
    let mut end = text.len().min(room);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
