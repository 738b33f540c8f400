//! One event on its way to one target.

use std::rc::Rc;

use crate::event::Event;
use crate::log::Batch;
use crate::memory::Held;

/// Where events go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    Endpoint(i64),
    /// Of direct requests, each host by its number: one that hangs delays no other.
    Host(i64),
}

impl Target {
    /// The endpoint's id; `None` for a host.
    pub fn endpoint(self) -> Option<i64> {
        match self {
            Target::Endpoint(id) => Some(id),
            Target::Host(_) => None,
        }
    }

    /// As the tables have it: 0 for direct requests.
    pub fn row(self) -> i64 {
        self.endpoint().unwrap_or(0)
    }

    /// A number of its own: those of hosts are negative.
    pub fn group(self) -> i64 {
        match self {
            Target::Endpoint(id) => id,
            Target::Host(number) => -number,
        }
    }
}

/// Where a delivery came from, and so who is told when it is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Read from the log: a batch of a reader waits for it.
    Log(Batch),
    /// It has a row in the retry table.
    Retry,
    /// Of an endpoint that was removed while it was in flight.
    Nowhere,
}

/// One event for one target.
#[derive(Debug)]
pub struct Delivery {
    pub(crate) event: Rc<Event>,
    pub(crate) target: Target,
    /// Attempts made already.
    pub(crate) attempts: i32,
    pub(crate) origin: Origin,
    /// Its part of what the endpoint may hold.
    pub(crate) load: Held,
}

impl Delivery {
    pub(crate) fn new(event: Rc<Event>, target: Target, attempts: i32, origin: Origin) -> Delivery {
        Delivery { event, target, attempts, origin, load: Held::default() }
    }

    pub fn event(&self) -> &Event {
        &self.event
    }

    pub fn target(&self) -> Target {
        self.target
    }

    /// Event and endpoint, as the tables have them.
    pub(crate) fn pair(&self) -> (i64, i64) {
        (self.event.id, self.target.row())
    }
}
