//! The network thread and its handle.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{self, Runtime};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::Instant;

use crate::failure::{Failure, FailureKind};
use crate::inbox::{Inbox, Job};
use crate::message::{Receipt, Request};
use crate::pool::Pool;
use crate::resolve::{Directory, Resolve, SystemResolver};
use crate::settings::{Config, Settings};
use crate::worker::Shared;

/// Threads for look-ups: a name server that does not answer holds one for seconds.
const LOOKUP_THREADS: usize = 8;
const LOOKUP_STACK: usize = 512 * 1024;

/// A thread that sends requests. Every request sent gets exactly one receipt.
pub struct Courier {
    commands: UnboundedSender<Command>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

/// What the courier is doing at the moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// requests taken and not yet answered, waiting ones included
    pub open: usize,
    /// requests that wait for a free connection
    pub waiting: usize,
    /// connections, being opened, busy or idle
    pub connections: usize,
    /// connections kept without work
    pub idle: usize,
}

enum Command {
    Send(Vec<Request>),
    Recall(i64),
    Reconfigure(Config),
    Shutdown(Duration),
}

impl Courier {
    /// Starts the thread. It inherits the caller's signal mask: block all signals around this call.
    ///
    /// `ring` is called, from the new thread, when there are receipts to drain (of those that come together once), and when
    /// the thread ends or breaks; it must not block.
    pub fn spawn(config: Config, ring: impl Fn() + Send + 'static) -> io::Result<Courier> {
        Courier::spawn_with(config, Arc::new(SystemResolver), ring)
    }

    /// As [`Courier::spawn`], with another resolver.
    pub fn spawn_with(
        config: Config,
        resolver: Arc<dyn Resolve>,
        ring: impl Fn() + Send + 'static,
    ) -> io::Result<Courier> {
        let inbox = Arc::new(Inbox::new(ring));
        let idle = inbox.clone();
        let runtime = runtime::Builder::new_current_thread()
            .on_thread_park(move || idle.tell(1))
            .enable_io()
            .enable_time()
            .max_blocking_threads(LOOKUP_THREADS)
            .thread_stack_size(LOOKUP_STACK)
            .build()?;
        let shared =
            Arc::new(Shared { pool: Pool::new(Settings::new(config)), directory: Directory::new(resolver), inbox });
        let (commands, receiver) = unbounded_channel();
        let inside = shared.clone();
        let thread =
            std::thread::Builder::new().name("courier".into()).spawn(move || run(runtime, receiver, inside))?;
        Ok(Courier { commands, shared, thread })
    }

    /// Takes requests; never blocks.
    pub fn send(&self, batch: Vec<Request>) {
        if let Err(unsent) = self.commands.send(Command::Send(batch))
            && let Command::Send(batch) = unsent.0
        {
            // the thread is gone: each request reports itself as cut off
            batch.into_iter().for_each(|request| drop(Job::new(request, &self.shared.inbox)));
        }
    }

    /// Calls back the requests of this group that were sent and are not under way: their receipts say
    /// [`FailureKind::Recalled`](crate::FailureKind::Recalled), in the order in which they were sent.
    pub fn recall(&self, group: i64) {
        // of a dead thread all requests have reported themselves
        let _ = self.commands.send(Command::Recall(group));
    }

    /// Moves all receipts that have come in to the end of `into`.
    pub fn drain(&self, into: &mut Vec<Receipt>) {
        self.shared.inbox.drain(into);
    }

    /// `false` once the thread has ended or anything in it has panicked: drain, drop this courier, start another.
    pub fn is_alive(&self) -> bool {
        !self.thread.is_finished() && !self.shared.inbox.is_broken()
    }

    /// Uses `config` for every connection opened from now on; connections opened under the old one end with their exchange.
    pub fn reconfigure(&self, config: Config) {
        // a dead thread is what `is_alive` is for
        let _ = self.commands.send(Command::Reconfigure(config));
    }

    pub fn stats(&self) -> Stats {
        let (connections, idle, waiting) = self.shared.pool.counts();
        Stats { open: self.shared.inbox.open(), waiting, connections, idle }
    }

    /// Ends the thread: waiting requests are cut off at once, those on their way after `grace`. Returns the receipts not
    /// yet drained.
    pub fn shutdown(self, grace: Duration) -> Vec<Receipt> {
        let _ = self.commands.send(Command::Shutdown(grace));
        // an error is a panic, which has been reported on stderr and leaves nothing to clean up here
        let _ = self.thread.join();
        let mut receipts = Vec::new();
        self.shared.inbox.drain(&mut receipts);
        receipts
    }
}

fn run(runtime: Runtime, commands: UnboundedReceiver<Command>, shared: Arc<Shared>) {
    let _farewell = Farewell(shared.inbox.clone());
    runtime.block_on(obey(commands, shared));
    // drops the tasks, whose jobs report themselves as cut off; does not wait for a hanging look-up
    runtime.shutdown_background();
}

async fn obey(mut commands: UnboundedReceiver<Command>, shared: Arc<Shared>) {
    while let Some(command) = commands.recv().await {
        match command {
            Command::Send(batch) => {
                for request in batch {
                    shared.begin(shared.pool.place(Job::new(request, &shared.inbox)));
                }
            }
            Command::Recall(group) => {
                for job in shared.pool.recall(group) {
                    job.finish(None, Err(Failure::new(FailureKind::Recalled, "called back before it was begun")));
                }
            }
            Command::Reconfigure(config) => {
                shared.pool.reconfigure(Settings::new(config)).into_iter().for_each(|job| shared.start(job));
            }
            Command::Shutdown(grace) => {
                shared.pool.close();
                return settle(&shared.inbox, Instant::now() + grace).await;
            }
        }
    }
}

/// Waits until nothing is under way, or until `deadline`.
async fn settle(inbox: &Inbox, deadline: Instant) {
    while inbox.open() > 0 && Instant::now() < deadline {
        tokio::time::sleep_until(deadline.min(Instant::now() + Duration::from_millis(2))).await;
    }
}

/// Rings when the thread ends, by return or by panic.
struct Farewell(Arc<Inbox>);

impl Drop for Farewell {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.set_broken();
        } else {
            self.0.ring();
        }
    }
}
