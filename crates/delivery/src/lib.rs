//! What the engine decides, without input and output: which events are read, whose they are, what is sent when, what becomes
//! of what came back, how far the log is settled.
//!
//! The shell tells a [`Core`] what happened ([`Core::handle`]), asks it what to do ([`Core::poll`]) until there is nothing to
//! do, and waits for as long as [`Core::deadline`] says or until something happens. Time comes with each call, and chance once.
//!
//! ```text
//! Input:   Committed  Window  Configuration  Page  Due  Receipt  Written | Unwritten  Saved  Failed
//!             |          |          |          |    |      |          |
//!            Log <------ + ------> Fleet       Log Retries Flight   Ledger      the owners of what is known
//!             |                     |           |   |      |          |
//! Action:   Look                Configure     Read  Due   Send      Write       Save  Recall  Say
//! ```
//!
//! What it promises, whatever happens in between and wherever the process ends: no event is lost, an ordered endpoint gets the
//! events of a key in order, nothing is sent twice but what was in flight or not written yet, the saved place is never past
//! what is not settled, memory is bounded, every event ends. tests/simulation holds it to that.
#![forbid(unsafe_code)]

mod action;
mod core;
mod event;
mod faults;
mod fleet;
mod flight;
mod hash;
mod input;
mod judge;
mod ledger;
mod log;
mod memory;
mod now;
mod plan;
mod receipt;
mod rest;
mod retries;
mod shipment;

pub use action::{Action, Ask, Read, Shipment, What};
pub use core::{Core, Start, Status};
pub use event::{Event, Op, parsed};
#[cfg(feature = "faults")]
pub use faults::{Fault, plant};
pub use input::{Configuration, Due, DueRow, Input, Made, Page, Window};
pub use ledger::{Again, Attempt, Condition, Dead, Outcomes, Report};
pub use log::{Cursor, Place, Reader, Save, Snapshot};
pub use memory::{Limits, SMALL};
pub use now::{Now, SECOND, UNIX_EPOCH_SECONDS};
pub use plan::{HOST_AT_ONCE, Plan};
pub use receipt::{Answer, Receipt, Reply, Unsendable, readable};
pub use rest::{FailureKind, Part, Rest};
pub use shipment::{Delivery, Target};
