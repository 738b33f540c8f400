//! What is to be done.

use std::rc::Rc;

use crate::event::Event;
use crate::ledger::Outcomes;
use crate::log::{Cursor, Place, Reader, Save};
use crate::shipment::Target;

/// What the shell does next; all but `Send`, `Recall` and `Say` are a transaction, whose failure is told by `Input::Failed`
/// (of `Write` by `Input::Unwritten`).
#[derive(Debug)]
pub enum Action {
    /// Make these requests and hand them to the network, or to the processes of handlers. Answered by `Input::Sent`, and
    /// later by a receipt each.
    Send(Vec<Shipment>),
    /// Call back what is not under way yet. Answered by receipts.
    Recall(Target),
    /// Write all of it in one transaction. Answered by `Input::Written` or `Input::Unwritten`.
    Write(Outcomes),
    /// Take a snapshot and the version of the configuration. Answered by `Input::Window`.
    Look,
    /// Read the settings of all endpoints. Answered by `Input::Configuration`.
    Configure,
    /// Answered by `Input::Page`, or by `Input::List` where a list is asked for.
    Read(Read),
    /// Read what is due in the retry table. Answered by `Input::Due`.
    Due(Ask),
    /// Answered by `Input::Saved`.
    Save(Save),
    /// Something for the server's log.
    Say(String),
}

/// A request to make.
#[derive(Debug)]
pub struct Shipment {
    /// The receipt is to name it.
    pub request: u64,
    pub target: Target,
    pub event: Rc<Event>,
    /// Attempts made before.
    pub attempts: i32,
    /// It has a row in the retry table.
    pub row: bool,
}

/// What to read of the log.
#[derive(Debug)]
pub struct Read {
    pub reader: Reader,
    /// In the window of this cursor, behind its place.
    pub from: Cursor,
    pub what: What,
    /// Whether to look up which of the events were attempted.
    pub recheck: bool,
}

#[derive(Debug)]
pub enum What {
    /// The next events in order of (xid, id): at most so many, and so many bytes.
    Next,
    /// The places of all events, in order of their ids.
    List,
    /// These events.
    These(Vec<Place>),
}

impl Read {
    /// Events that are read together.
    pub const EVENTS: usize = 200;
    /// Their bytes, besides those of the last one.
    pub const BYTES: usize = 16 << 20;
    /// Events of an ordered endpoint's window whose places are held in memory, 24 bytes each.
    pub const LIST: usize = 250_000;
}

/// Which retries to read: rows that are due at `clock` for one of these endpoints, without those that are in memory.
#[derive(Debug)]
pub struct Ask {
    /// As the table has them: 0 for direct requests.
    pub endpoints: Vec<i64>,
    pub clock: i64,
    /// Rows to look at, those in memory included.
    pub limit: usize,
}
