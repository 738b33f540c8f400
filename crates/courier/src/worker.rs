//! A worker: one task, at most one connection, one job after the other.

use std::net::IpAddr;
use std::sync::Arc;

use http::Method;
use tokio::time::Instant;

use crate::connect::connect;
use crate::exchange::{Elapsed, Exchanged, Line};
use crate::failure::{Failure, FailureKind};
use crate::inbox::{Inbox, Job};
use crate::pool::{Free, Pool};
use crate::resolve::Directory;
use crate::settings::{CONNECT_TIMEOUT, Settings};
use crate::slot::{Hand, Slot};
use crate::target::Origin;

/// What all workers share.
pub(crate) struct Shared {
    pub(crate) pool: Pool,
    pub(crate) directory: Directory,
    pub(crate) inbox: Arc<Inbox>,
}

/// A connection that can take a request.
struct Held {
    line: Line,
    origin: Arc<Origin>,
    address: Option<IpAddr>,
    /// what held when it was opened
    settings: Arc<Settings>,
    since: Instant,
}

/// Works from `first` on, until there is nothing left to do.
pub(crate) async fn work(shared: Arc<Shared>, first: Job) {
    let _alarm = Alarm(&shared.inbox);
    let slot = Arc::new(Slot::default());
    let mut held = None;
    let mut next = Some(first);
    while let Some(job) = next {
        let origin = job.request.target.origin.clone();
        let group = job.request.group;
        held = shared.serve(job, held).await;
        shared.pool.done(group);
        next = match held.take() {
            Some(free) if shared.is_current(&free) => shared.next_or_idle(free, &slot, &mut held).await,
            _ => None,
        };
        if next.is_none() {
            next = shared.pool.next_or_leave(&origin);
        }
    }
}

impl Shared {
    /// Starts a worker with its first job.
    pub(crate) fn start(self: &Arc<Self>, job: Job) {
        tokio::spawn(work(self.clone(), job));
    }

    fn is_current(&self, held: &Held) -> bool {
        Arc::ptr_eq(&held.settings, &self.pool.settings())
    }

    /// Does one job. Returns the connection when it can be used again.
    async fn serve(&self, mut job: Job, held: Option<Held>) -> Option<Held> {
        let deadline = job.start();
        if job.request.method == Method::CONNECT {
            job.finish(None, Err(Failure::new(FailureKind::Protocol, "CONNECT asks for a tunnel, not for a response")));
            return held;
        }
        if let Some(mut held) = held {
            if *held.origin == *job.request.target.origin {
                match held.line.exchange(&job.request, &held.settings, deadline).await {
                    // The receiver closed a kept connection just as we used it. It has not answered, most likely not even
                    // read: once more, on a connection of our own making.
                    Exchanged::Unanswered(_) => {}
                    other => return conclude(job, held, other),
                }
            }
            self.pool.forget(&held.origin);
        }
        match self.open(&job, deadline).await {
            Ok(mut held) => {
                let exchanged = held.line.exchange(&job.request, &held.settings, deadline).await;
                conclude(job, held, exchanged)
            }
            Err((address, failure)) => {
                job.finish(address, Err(failure));
                None
            }
        }
    }

    async fn open(&self, job: &Job, deadline: Instant) -> Result<Held, (Option<IpAddr>, Failure)> {
        let settings = self.pool.settings();
        let target = &job.request.target;
        let deadline = deadline.min(Instant::now() + CONNECT_TIMEOUT);
        let mut address = None;
        match connect(target, &settings, &self.directory, deadline, &mut address).await {
            Ok(line) => Ok(Held { line, origin: target.origin.clone(), address, settings, since: Instant::now() }),
            Err(failure) => Err((address, failure)),
        }
    }

    /// The next job and, in `held`, the connection to do it on; without a job the connection was idle for too long, or
    /// closed by the peer.
    async fn next_or_idle(&self, mut free: Held, slot: &Arc<Slot>, held: &mut Option<Held>) -> Option<Job> {
        let origin = free.origin.clone();
        if let Some(job) = self.pool.next_or_park(&Free { origin: &origin, slot, since: free.since }) {
            *held = Some(free);
            return Some(job);
        }
        let hand = match free.line.idle(Instant::now() + free.settings.idle_timeout, slot.take()).await {
            Ok(hand) => hand,
            Err(Elapsed) if self.pool.unpark(&origin, slot) => Hand::Close,
            Err(Elapsed) => slot.take().await,
        };
        match hand {
            Hand::Job(job) => {
                free.since = Instant::now();
                *held = Some(free);
                Some(job)
            }
            Hand::Close => None,
        }
    }
}

fn conclude(job: Job, held: Held, exchanged: Exchanged) -> Option<Held> {
    match exchanged {
        Exchanged::Answered { response, reusable } => {
            job.finish(held.address, Ok(response));
            reusable.then_some(held)
        }
        Exchanged::Unanswered(failure) | Exchanged::Failed(failure) => {
            job.finish(held.address, Err(failure));
            None
        }
    }
}

/// tokio catches a task's panic; the embedder has to hear of it all the same.
struct Alarm<'a>(&'a Inbox);

impl Drop for Alarm<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set_broken();
        }
    }
}
