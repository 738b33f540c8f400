//! A worker: one task, at most one connection. Over HTTP/1.1 it does one job after the other, over HTTP/2 it drives the
//! connection while tasks of their own do the jobs.

use std::net::IpAddr;
use std::sync::Arc;

use http::Method;
use tokio::time::Instant;

use crate::connect::{Connected, connect};
use crate::exchange::{Elapsed, Exchanged, Line};
use crate::failure::{Failure, FailureKind};
use crate::inbox::{Inbox, Job};
use crate::pool::{Free, Pool, Start};
use crate::resolve::Directory;
use crate::settings::{CONNECT_TIMEOUT, Settings};
use crate::slot::{Hand, Slot};
use crate::target::Origin;
use crate::wide::{Connection, Wide};

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

/// What a job has left behind.
enum Served {
    /// a connection for the next one, or none
    Line(Option<Held>),
    /// a connection of HTTP/2 and the job, which is to be done on it
    Wide(Box<Job>, Arc<Wide>, Box<Connection>, bool),
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
        match shared.serve(job, held.take()).await {
            Served::Line(line) => {
                held = line;
                shared.pool.done(group);
            }
            Served::Wide(job, wide, connection, counted) => shared.carry(*job, wide, *connection, counted).await,
        }
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
    /// Begins what the pool says.
    pub(crate) fn begin(self: &Arc<Self>, start: Option<Start>) {
        match start {
            Some(Start::Worker(job)) => self.start(job),
            Some(Start::Stream(job, wide)) => self.stream(job, wide),
            None => {}
        }
    }

    /// Starts a worker with its first job.
    pub(crate) fn start(self: &Arc<Self>, job: Job) {
        tokio::spawn(work(self.clone(), job));
    }

    fn stream(self: &Arc<Self>, job: Job, wide: Arc<Wide>) {
        tokio::spawn(stream(self.clone(), job, wide));
    }

    fn is_current(&self, held: &Held) -> bool {
        Arc::ptr_eq(&held.settings, &self.pool.settings())
    }

    /// Does one job, on the connection at hand or on one of its own.
    async fn serve(self: &Arc<Self>, mut job: Job, held: Option<Held>) -> Served {
        let deadline = job.start();
        let counted = std::mem::take(&mut job.opens);
        let origin = job.request.target.origin.clone();
        if job.request.method == Method::CONNECT {
            self.narrow(&origin, counted);
            job.finish(None, Err(Failure::new(FailureKind::Protocol, "CONNECT asks for a tunnel, not for a response")));
            return Served::Line(held);
        }
        if let Some(mut held) = held {
            if *held.origin == *origin {
                match held.line.exchange(&job.request, &held.settings, deadline).await {
                    // The receiver closed a kept connection just as we used it. It has not answered, most likely not even
                    // read: once more, on a connection of our own making.
                    Exchanged::Unanswered(_) => {}
                    other => {
                        self.narrow(&origin, counted);
                        return Served::Line(conclude(job, held, other));
                    }
                }
            }
            self.pool.forget(&held.origin);
        }
        let settings = self.pool.settings();
        let mut address = None;
        let until = deadline.min(Instant::now() + CONNECT_TIMEOUT);
        match connect(&job.request.target, &settings, &self.directory, until, &mut address).await {
            Ok(Connected::Line(line)) => {
                self.narrow(&origin, counted);
                let mut held = Held { line, origin, address, settings, since: Instant::now() };
                let exchanged = held.line.exchange(&job.request, &held.settings, deadline).await;
                Served::Line(conclude(job, held, exchanged))
            }
            Ok(Connected::Wide(sender, connection)) => {
                let wide = Arc::new(Wide::new(sender, origin, address, settings));
                Served::Wide(Box::new(job), wide, connection, counted)
            }
            Err(failure) => {
                self.narrow(&origin, counted);
                job.finish(address, Err(failure));
                Served::Line(None)
            }
        }
    }

    fn narrow(self: &Arc<Self>, origin: &Arc<Origin>, counted: bool) {
        self.pool.narrow(origin, counted).into_iter().for_each(|job| self.start(job));
    }

    /// Drives a connection of HTTP/2 to its end.
    async fn carry(self: &Arc<Self>, first: Job, wide: Arc<Wide>, connection: Connection, counted: bool) {
        let origin = wide.origin.clone();
        let others = self.pool.widen(&origin, &wide, counted);
        std::iter::once(first).chain(others).for_each(|job| self.stream(job, wide.clone()));
        wide.drive(connection, || self.pool.retire(&origin, &wide)).await;
        self.pool.remove_lane(&origin, &wide);
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

/// Does one job after the other as streams of a connection.
async fn stream(shared: Arc<Shared>, first: Job, wide: Arc<Wide>) {
    let _alarm = Alarm(&shared.inbox);
    let origin = wide.origin.clone();
    let mut next = Some(first);
    while let Some(mut job) = next {
        let deadline = job.start();
        let group = job.request.group;
        match wide.exchange(&job.request, deadline).await {
            Exchanged::Answered { response, .. } => {
                job.finish(wide.address, Ok(response));
                shared.pool.done(group);
            }
            // The receiver is leaving and has not looked at it: once more, on another connection.
            Exchanged::Unanswered(_) if !std::mem::replace(&mut job.again, true) => {
                shared.pool.lose(&origin, &wide).into_iter().for_each(|job| shared.start(job));
                shared.begin(shared.pool.place_again(job));
            }
            Exchanged::Unanswered(failure) | Exchanged::Failed(failure) => {
                // a connection that does not answer may be dead
                if wide.has_ended() || failure.kind == FailureKind::Timeout {
                    shared.pool.lose(&origin, &wide).into_iter().for_each(|job| shared.start(job));
                }
                job.finish(wide.address, Err(failure));
                shared.pool.done(group);
            }
        }
        next = shared.pool.next_stream(&origin, &wide);
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
