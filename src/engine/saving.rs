//! How far the log is settled, written down; and what the engine shows of itself.

use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

use super::desk::Desk;
use super::lane::Mark;
use super::memory;
use super::transaction::{Failure, transaction};
use super::verbs;
use crate::shmem::{EVENTS, WORK};

/// How long events may wait while there is no endpoint.
pub const UNHEARD: Duration = Duration::from_secs(1);

impl Desk {
    /// Remembers how far the log is settled.
    pub fn save(&mut self, even_idle: bool) -> Result<(), Failure> {
        if !self.unsaved() && !even_idle {
            return Ok(());
        }
        let mut marks: Vec<(i64, Mark)> = self.main.to_save().map(|mark| (0, mark)).into_iter().collect();
        let over: Vec<i64> =
            self.lanes.iter().filter(|(_, lane)| lane.closing && lane.is_idle()).map(|(id, _)| *id).collect();
        for id in over {
            self.lanes.remove(&id);
            self.dropped_lanes.push(id);
        }
        marks.extend(self.lanes.iter().filter_map(|(id, lane)| lane.to_save().map(|mark| (*id, mark))));
        self.dropped_lanes.retain(|id| !self.lanes.contains_key(id));
        if !marks.is_empty() || !self.dropped_lanes.is_empty() {
            let dropped = self.dropped_lanes.clone();
            transaction(|session| verbs::save_cursors(session, &marks, dropped))?;
            self.dropped_lanes.clear();
            for (id, mark) in marks {
                match id {
                    0 => self.main.saved(mark),
                    id => {
                        if let Some(lane) = self.lanes.get_mut(&id) {
                            lane.saved(mark);
                        }
                    }
                }
            }
        }
        self.saved_at = Instant::now();
        Ok(())
    }

    pub fn unsaved(&self) -> bool {
        self.main.to_save().is_some()
            || !self.dropped_lanes.is_empty()
            || self.lanes.values().any(|lane| lane.to_save().is_some() || lane.closing && lane.is_idle())
    }

    /// Takes notice of what was committed, when it is to be looked at now.
    pub fn listen(&mut self) {
        let pending = self.slot.pending.load(SeqCst);
        if pending == EVENTS && self.is_unheard() && self.polled_at.elapsed() < UNHEARD {
            return;
        }
        let pending = self.slot.pending.swap(0, SeqCst);
        self.dirty |= pending != 0;
        if pending == WORK {
            self.news = true;
            self.next_due = i64::MIN;
        }
    }

    /// Whether no endpoint waits for events.
    fn is_unheard(&self) -> bool {
        self.in_flight.is_empty() && self.endpoints.keys().all(|endpoint| *endpoint <= 0)
    }

    /// Shows in shared memory where it stands; returns how many deliveries wait in memory.
    pub fn publish(&self) -> u64 {
        self.slot.in_flight.store((self.in_flight.len() + self.outcomes.unwritten()) as u64, SeqCst);
        let idle = self.running
            && !self.dirty
            && self.in_flight.is_empty()
            && self.outcomes.is_empty()
            && self.main.mark.current.is_none()
            && self.main.is_idle();
        self.slot.idle.store(idle.into(), SeqCst);
        self.slot.unheard.store(self.is_unheard().into(), SeqCst);
        let queues = self.endpoints.iter().map(|(id, endpoint)| (endpoint.queued() as u64, *id));
        let (queued, (longest, of)) =
            queues.fold((0, (0, 0)), |(sum, longest), queue| (sum + queue.0, longest.max(queue)));
        self.slot.queued.store(queued, SeqCst);
        self.slot.health.held.store(memory::held() as u64, SeqCst);
        self.slot.health.longest_queue.store(longest, SeqCst);
        self.slot.health.longest_queue_of.store(of.max(0), SeqCst);
        queued
    }
}
