//! The interpreter of flows, without input and output: what a run does next, given its graph, its state, what happened
//! and what time it is.
//!
//! A [`Graph`] is read from what a React Flow editor exports. [`State::start`] begins a run, [`State::handle`] tells it
//! what happened; each returns [`Action`]s for the shell to carry out, in the same transaction that keeps the new
//! state. Effects outside have stable ids ([`EffectId`]), so that the shell can make each exactly once; an answer that
//! comes twice changes nothing the second time.
//!
//! ```text
//! JSON -> Graph -> findings                     what is wrong with it, before it runs
//!           |
//! Begin -> State -> Do  Watch  Ask  Emit  Start  Cancel  Record  Continue  End
//!           ^
//!           Answer  Events  Signal  Tick  Cancel                    and the time
//! ```
//!
//! What it promises: a run ends; in one iteration no node runs twice; a branch that is not taken is dead to its end,
//! and what waits for it is told; from any state that was kept, a run goes on as it would have. tests/property holds it
//! to that. docs/flows.md has the semantics.
#![forbid(unsafe_code)]

mod action;
mod check;
mod condition;
mod effect;
mod finding;
mod graph;
mod input;
mod kind;
mod limits;
mod names;
mod run;
mod settings;
mod shape;
mod size;
mod source;
mod state;
mod view;

pub use action::{Action, End, Outcome, Record, Watched};
pub use check::{check, check_json};
pub use effect::{Effect, EffectId, Piece, Request, secret_pieces};
pub use finding::{Finding, Severity};
pub use graph::{Graph, GraphError};
pub use input::{Begin, Input, Pin, Reply};
pub use limits::Limits;
pub use settings::{Parameter, Trigger};
pub use state::{State, Status};
