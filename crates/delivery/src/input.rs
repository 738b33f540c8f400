//! What happened.

use crate::action::Read;
use crate::event::Event;
use crate::ledger::Outcomes;
use crate::log::{Place, Save};
use crate::plan::Plan;
use crate::receipt::{Receipt, Unsendable};
use crate::rest::{FailureKind, Part};

#[derive(Debug)]
pub enum Input {
    /// Something was committed. `work`: besides events, perhaps the configuration or the retry table.
    Committed {
        work: bool,
    },
    /// A transaction that is prepared can be committed without our being told.
    Prepared(bool),
    /// The settings of the process changed: the configuration is read anew.
    Reconfigure,
    /// Nothing more is begun. False: it is, after all.
    Leave(bool),
    Sent(Vec<Made>),
    Receipt(Receipt),
    Window(Window),
    Configuration(Configuration),
    Page(Read, Page),
    List(Read, Vec<Place>),
    Due(Due),
    /// With the keys, by endpoint, of which nothing waits any more.
    Written(Outcomes, Vec<(i64, String)>),
    Unwritten(Outcomes, FailureKind, String),
    Saved(Save),
    Failed(Part, FailureKind),
}

/// A request that was handed to the network, with the bytes of its body, or that could not be made.
#[derive(Debug)]
pub struct Made {
    pub request: u64,
    pub result: Result<usize, Unsendable>,
}

/// A snapshot, when it was taken, and the version of the configuration that it sees.
#[derive(Debug)]
pub struct Window {
    pub snapshot: crate::Snapshot,
    pub at: i64,
    pub version: i64,
}

#[derive(Debug)]
pub struct Configuration {
    pub version: i64,
    /// May anything be sent?
    pub running: bool,
    pub plans: Vec<Plan>,
}

/// Events that were read, in order.
#[derive(Debug, Default)]
pub struct Page {
    pub events: Vec<Event>,
    /// There is nothing behind them in the window, or in the list.
    pub complete: bool,
    /// (event, endpoint) that were attempted, where that was asked for.
    pub attempted: Vec<(i64, i64)>,
}

#[derive(Debug)]
pub struct Due {
    pub clock: i64,
    pub rows: Vec<DueRow>,
    /// Are those all that are due?
    pub complete: bool,
    /// When the next one will be.
    pub next: Option<i64>,
}

/// A retry that is due.
#[derive(Debug)]
pub struct DueRow {
    /// None where the event's day was dropped.
    pub event: Option<Event>,
    pub event_id: i64,
    pub endpoint: i64,
    /// Attempts made already.
    pub attempts: i32,
}
