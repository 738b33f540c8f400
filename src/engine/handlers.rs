//! Room 25 in the engine: events for handlers go to processes of the handlers' owners instead of the network. Each handler has
//! one at a time; what it does is one transaction with its own progress, so here is only handed out and told.

mod visit;

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use delivery::{Receipt, Reply, Shipment, Unsendable};

use super::requests::{Desk, expired};
use super::settings::Handler;
use crate::guc;
use crate::job::handler::order::Item;
use crate::job::worker::{MOST_EVENTS, Worker};
use visit::{Ended, Visit};

/// Events of one order, where transactions have fewer; and bytes, besides those of the last one.
const EVENTS: usize = 256;
const BYTES: usize = 16 << 20;
/// Without a free worker slot.
const TRY_AGAIN: Duration = Duration::from_millis(20);
/// After a process could not begin its work.
const PAUSE: Duration = Duration::from_secs(1);

/// An event that waits for its handler's process.
#[derive(Clone, Copy)]
pub struct Task {
    pub request: u64,
    pub item: Item,
    bytes: usize,
}

#[derive(Default)]
struct Queue {
    tasks: VecDeque<Task>,
    /// So many go alone: among them is perhaps one that ends the process.
    alone: usize,
    not_before: Option<Instant>,
    /// When it had its last turn.
    served: Option<Instant>,
}

#[derive(Default)]
pub struct Handlers {
    queues: HashMap<i64, Queue>,
    visits: Vec<Visit>,
    /// Processes that wait for another order.
    idle: Vec<Worker>,
    /// What was called back.
    back: Vec<Receipt>,
    /// There was no free worker slot.
    short: bool,
    generation: u64,
}

impl Desk {
    /// The handler that an endpoint is.
    pub fn handler(&self, id: i64) -> Option<&Handler> {
        self.endpoints.get(&id)?.handler.as_ref()
    }

    /// The event as it waits for its handler, or why it need not.
    pub fn task(&self, id: i64, shipment: &Shipment, now: i64) -> Result<Task, Unsendable> {
        let hopeless = |error, detail| Unsendable { error, detail, hopeless: true };
        let event = &shipment.event;
        let settings = self.endpoints.get(&id);
        // What is too large for the engine is not too large for the process; but whether a filter is after it is not known.
        let is_filtered =
            settings.and_then(|settings| settings.handler.as_ref()).is_none_or(|handler| handler.is_filtered);
        if let Some(reason) = event.unread.as_ref().filter(|_| is_filtered) {
            return Err(hopeless("payload", reason.clone()));
        }
        if let Some(until) = settings.and_then(|settings| expired(settings, event, now)) {
            return Err(hopeless("expired", format!("there was sense in handling it until {until}")));
        }
        let item = Item {
            id: event.id,
            xid: event.xid,
            created_at: event.created_at,
            depth: event.depth,
            attempts: shipment.attempts,
            row: shipment.row,
        };
        let bytes = if event.unread.is_some() { BYTES } else { event.bytes() };
        Ok(Task { request: shipment.request, item, bytes })
    }
}

impl Handlers {
    /// `generation`: the number of this engine, which its processes commit by.
    pub fn new(generation: u64) -> Handlers {
        Handlers { generation, ..Handlers::default() }
    }

    pub fn push(&mut self, handler: i64, task: Task) {
        self.queues.entry(handler).or_default().tasks.push_back(task);
    }

    /// What no process has yet is given back.
    pub fn recall(&mut self, handler: i64) {
        if let Some(queue) = self.queues.get_mut(&handler) {
            self.back.extend(queue.tasks.drain(..).map(|task| receipt(task, 0, 0.0, Reply::Recalled)));
        }
    }

    /// What became of what was given.
    pub fn collect(&mut self) -> Vec<Receipt> {
        let mut receipts = std::mem::take(&mut self.back);
        let mut place = 0;
        while let Some(visit) = self.visits.get_mut(place) {
            let Some(ended) = visit.ended() else {
                visit.enforce();
                place += 1;
                continue;
            };
            let visit = self.visits.swap_remove(place);
            let Ended { receipts: came, again, alone, pause } = ended;
            receipts.extend(came);
            let queue = self.queues.entry(visit.handler).or_default();
            again.into_iter().rev().for_each(|task| queue.tasks.push_front(task));
            queue.alone += alone;
            if pause {
                queue.not_before = Some(Instant::now() + PAUSE);
            }
            self.idle.extend(visit.rest());
        }
        receipts
    }

    /// Gives what waits to processes, as far as there may be some. Not `allowed`: it is given back.
    pub fn give(&mut self, desk: &Desk, allowed: bool) {
        self.idle.retain(|worker| worker.is_there() && (!worker.is_old() || end(worker)));
        self.short = false;
        let now = Instant::now();
        self.queues.retain(|id, queue| !queue.tasks.is_empty() || queue.alone > 0 && desk.handler(*id).is_some());
        let mut ready: Vec<i64> = self
            .queues
            .iter()
            .filter(|(_, queue)| !queue.tasks.is_empty() && queue.not_before.is_none_or(|moment| moment <= now))
            .filter(|(id, _)| !self.visits.iter().any(|visit| visit.handler == **id))
            .map(|(id, _)| *id)
            .collect();
        ready.sort_by_key(|id| self.queues.get(id).and_then(|queue| queue.served));
        for id in ready {
            match desk.handler(id).filter(|_| allowed) {
                Some(handler) => self.serve(id, handler, desk),
                None => self.recall(id),
            }
            if self.short {
                break;
            }
        }
    }

    fn serve(&mut self, id: i64, handler: &Handler, desk: &Desk) {
        let of_owner = self.visits.iter().filter(|visit| visit.owner == handler.owner).count();
        // One place is for the others.
        let share = guc::max_jobs_per_role().min(most().saturating_sub(1).max(1));
        if self.visits.len() >= most() || of_owner >= share {
            return;
        }
        let Some(queue) = self.queues.get_mut(&id) else { return };
        let events = if queue.alone > 0 { 1 } else { EVENTS.max(handler.batch).min(MOST_EVENTS) };
        let mut bytes = 0;
        let fits = |task: &&Task| {
            bytes += task.bytes;
            bytes - task.bytes < BYTES
        };
        let tasks: Vec<Task> = queue.tasks.iter().take(events).take_while(fits).copied().collect();
        let name = desk.endpoints.get(&id).map_or("", |settings| settings.name.as_str());
        if self.idle.len() + self.visits.len() >= most()
            && let Some(place) = self.idle.iter().position(|worker| !worker.is_of(handler.owner))
        {
            self.idle.swap_remove(place).end();
        }
        match Visit::begin(id, name, handler, tasks, self.generation, &mut self.idle) {
            Some(visit) => {
                queue.tasks.drain(..visit.tasks.len());
                queue.alone = queue.alone.saturating_sub(usize::from(events == 1));
                queue.served = Some(Instant::now());
                self.visits.push(visit);
            }
            None => self.short = true,
        }
    }

    /// How long nothing is to be done; None: until something happens.
    pub fn limit(&self) -> Option<Duration> {
        let now = Instant::now();
        let waiting = self.queues.values().filter(|queue| !queue.tasks.is_empty());
        let paused = waiting.filter_map(|queue| queue.not_before).filter(|moment| *moment > now).min();
        let paused = paused.map(|moment| moment.saturating_duration_since(now));
        let visit = self.visits.iter().map(Visit::patience).min();
        let back = (!self.back.is_empty()).then_some(Duration::ZERO);
        [paused, visit, back, self.short.then_some(TRY_AGAIN)].into_iter().flatten().min()
    }

    /// Is there work that has no process?
    pub fn is_short(&self) -> bool {
        self.short
    }

    /// Gives up the slots of the processes that wait.
    pub fn free(&mut self) {
        self.idle.drain(..).for_each(|worker| worker.end());
    }

    /// The engine leaves, or forgets what is under way: what was begun is undone, and ordered again by the next.
    pub fn abandon(&mut self) {
        self.visits.drain(..).for_each(Visit::end);
        self.queues.clear();
        self.back.clear();
        self.free();
    }
}

/// Ends a process; false, for it is not kept.
fn end(worker: &Worker) -> bool {
    worker.end();
    false
}

fn receipt(task: Task, started_at: i64, duration_ms: f32, reply: Reply) -> Receipt {
    Receipt { request: task.request, started_at, duration_ms, address: None, reply }
}

/// Processes at once.
fn most() -> usize {
    guc::job_slots().div_ceil(2).min(64)
}
