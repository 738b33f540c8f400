//! What is to be written of what came back, until it is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::event::Delivery;
use super::verbs::{Again, Attempt, Dead};

/// While more is under way, receipts are written together: so many, or for so long.
const TOGETHER: usize = 500;
const LINGER: Duration = Duration::from_millis(2);
/// What is to be written, in one transaction.
#[derive(Default)]
pub struct Outcomes {
    pub attempts: Vec<Attempt>,
    pub again: Vec<Again>,
    pub dead: Vec<Dead>,
    /// (event, endpoint) that need no row in the retry table any more.
    pub done: Vec<(i64, i64)>,
    /// Ordered: (endpoint, key) whose next waiting event is due.
    pub released: Vec<(i64, String)>,
    /// failures, failing since, breaker open until
    pub health: HashMap<i64, (i32, Option<i64>, Option<i64>)>,
    pub disabled: Vec<(i64, String)>,
    pub reports: Vec<(i64, &'static str, serde_json::Value)>,
    /// Whose lanes, retries and keys are told when it is written.
    pub settled: Vec<Settled>,
    pub since: Option<Instant>,
}

pub struct Settled {
    pub delivery: Delivery,
    /// It is delivered or given up: the next event of its key may go.
    pub over: bool,
}

impl Outcomes {
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
            && self.again.is_empty()
            && self.done.is_empty()
            && self.dead.is_empty()
            && self.health.is_empty()
            && self.reports.is_empty()
            && self.disabled.is_empty()
            && self.released.is_empty()
    }

    pub fn unwritten(&self) -> usize {
        self.attempts.len()
    }

    /// When it should be written, in a while or at once.
    pub fn linger(&mut self) -> Duration {
        if self.attempts.len() >= TOGETHER {
            return Duration::ZERO;
        }
        LINGER.saturating_sub(self.since.get_or_insert_with(Instant::now).elapsed())
    }

    /// More direct requests for a host than fit into memory.
    pub fn spill(&mut self, delivery: Delivery, due_at: i64) {
        self.again.push(Again {
            delivery: delivery.clone(),
            attempts: 0,
            due_at,
            key: None,
            reason: "many requests wait for this host".into(),
        });
        self.settled.push(Settled { delivery, over: false });
    }

    /// Ordered: an earlier event of its key is in the retry table.
    pub fn wait_for_key(&mut self, delivery: Delivery) {
        let key = delivery.event.turn().map(Cow::into_owned);
        self.again.push(Again {
            delivery: delivery.clone(),
            attempts: 0,
            due_at: i64::MAX,
            key,
            reason: "waits for an earlier event of its key".into(),
        });
        self.settled.push(Settled { delivery, over: false });
    }

    /// A retry whose event is gone.
    pub fn forget(&mut self, event: i64, endpoint: i64) {
        self.done.push((event, endpoint));
    }
}
