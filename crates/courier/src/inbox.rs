//! Where receipts wait for the embedder, and the promise that each request gets one.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::time::Instant;

use crate::failure::{Failure, FailureKind};
use crate::message::{Receipt, Request, Response};

/// With so many receipts, and a quarter of what is under way, the embedder is told, though more are about to come.
const MANY: usize = 16;

/// Longest timeout: more would overflow the clock.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

pub(crate) struct Inbox {
    receipts: Mutex<Receipts>,
    /// behind a lock only because it need not be `Sync`
    ring: Mutex<Box<dyn Fn() + Send>>,
    /// requests taken and not yet answered
    open: AtomicUsize,
    /// a task panicked: something is wrong in a way nobody foresaw
    broken: AtomicBool,
}

#[derive(Default)]
struct Receipts {
    list: Vec<Receipt>,
    /// the embedder was told since it last looked
    told: bool,
}

impl Inbox {
    pub(crate) fn new(ring: impl Fn() + Send + 'static) -> Inbox {
        Inbox {
            receipts: Mutex::default(),
            ring: Mutex::new(Box::new(ring)),
            open: AtomicUsize::new(0),
            broken: AtomicBool::new(false),
        }
    }

    /// Moves all receipts to the end of `into`.
    pub(crate) fn drain(&self, into: &mut Vec<Receipt>) {
        let mut receipts = self.lock();
        receipts.told = false;
        match into.is_empty() {
            // swapping hands the caller's capacity back for the next round
            true => std::mem::swap(&mut receipts.list, into),
            false => into.append(&mut receipts.list),
        }
    }

    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    pub(crate) fn set_broken(&self) {
        self.broken.store(true, Ordering::Relaxed);
        self.ring();
    }

    /// Tells the embedder that there is something to look at.
    pub(crate) fn ring(&self) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        // It also rings while a panic unwinds, where a second one would abort the process: the whole server.
        if catch_unwind(AssertUnwindSafe(&*ring)).is_err() {
            self.broken.store(true, Ordering::Relaxed);
        }
    }

    /// Receipts come in groups: the embedder is told of many, or when there is nothing else to do.
    fn put(&self, receipt: Receipt) {
        self.lock().list.push(receipt);
        let open = self.open.fetch_sub(1, Ordering::Relaxed);
        self.tell(MANY.max(open / 4));
    }

    /// Rings when there are so many receipts that the embedder does not know of.
    pub(crate) fn tell(&self, many: usize) {
        let news = {
            let mut receipts = self.lock();
            let news = receipts.list.len() >= many && !receipts.told;
            receipts.told |= news;
            news
        };
        if news {
            self.ring();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Receipts> {
        self.receipts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request under way. Dropped without [`Job::finish`] (the thread ends, a task panics) it reports itself as cut off.
pub(crate) struct Job {
    pub(crate) request: Request,
    inbox: Arc<Inbox>,
    started: Option<(SystemTime, Instant)>,
    finished: bool,
    /// the pool counts it as opening a connection
    pub(crate) opens: bool,
    /// it was sent before, on a connection whose receiver has not looked at it
    pub(crate) again: bool,
}

impl Job {
    pub(crate) fn new(request: Request, inbox: &Arc<Inbox>) -> Job {
        inbox.open.fetch_add(1, Ordering::Relaxed);
        Job { request, inbox: inbox.clone(), started: None, finished: false, opens: false, again: false }
    }

    /// Starts the clock, the first time it is called; returns when the request has to be done.
    pub(crate) fn start(&mut self) -> Instant {
        let (_, begun) = *self.started.get_or_insert_with(|| (SystemTime::now(), Instant::now()));
        begun + self.request.timeout.min(LONGEST)
    }

    pub(crate) fn finish(mut self, address: Option<IpAddr>, result: Result<Response, Failure>) {
        self.report(address, result);
    }

    fn report(&mut self, address: Option<IpAddr>, result: Result<Response, Failure>) {
        self.finished = true;
        let (started_at, begun) = self.started.unwrap_or_else(|| (SystemTime::now(), Instant::now()));
        let duration = begun.elapsed();
        self.inbox.put(Receipt { id: self.request.id, started_at, duration, address, result });
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        let detail = "the network thread was stopped before the response was complete";
        self.report(None, Err(Failure::new(FailureKind::Shutdown, detail)));
    }
}
