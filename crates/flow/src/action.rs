//! What is to be done.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Effect, EffectId};

/// For the shell, in order, in the transaction that keeps the state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Action {
    Do(Effect),
    /// Look for these events in the log, from `since` (when the run started) on, and in what comes until `until`; the
    /// first that matches counts. Answered by [`Input::Events`](crate::Input::Events).
    Watch {
        id: EffectId,
        since: i64,
        until: i64,
        events: Vec<Watched>,
    },
    /// Somebody is to decide. Answered by [`Input::Signal`](crate::Input::Signal) of this name.
    Ask {
        id: EffectId,
        name: String,
        to: Value,
        message: String,
        until: i64,
    },
    /// Append an event.
    Emit {
        id: EffectId,
        event: String,
        data: Value,
        key: Option<String>,
    },
    /// Start a run of another flow, because this one failed.
    Start {
        id: EffectId,
        flow: String,
        input: Value,
    },
    /// Nobody waits for it any more: not to be begun; stopped, if that is possible.
    Cancel(EffectId),
    /// For the history.
    Record(Record),
    /// There is more to do: keep the state, and call again with [`Input::Tick`](crate::Input::Tick).
    Continue,
    /// The run is over. Always the last.
    End(End),
}

/// One of the events that a step waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watched {
    /// The handle that it leads to.
    pub name: String,
    /// Of the event's type.
    pub pattern: String,
    /// In the filter language, over the event.
    pub filter: Option<Value>,
}

/// What became of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub node: String,
    pub kind: String,
    /// Iterations of the loops around it, from the outermost.
    pub path: Vec<u32>,
    pub outcome: Outcome,
    /// By which way it was left; None where by the only one.
    pub handle: Option<String>,
    pub output: Value,
    pub error: Option<String>,
    /// From 1; 0 where nothing was tried.
    pub attempt: u32,
    /// Microseconds since 1970.
    pub began: i64,
    pub ended: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    Success,
    Error,
    /// It will be tried again.
    Retried,
    /// A request of several was answered (an agent).
    Turn,
    /// It has begun, and waits for something outside.
    Waiting,
    /// No branch led to it.
    Skipped,
    Disabled,
    /// Its output was given: it did not run.
    Pinned,
    /// The run, or the loop around it, ended first.
    Cancelled,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum End {
    Completed { output: Value },
    Failed { node: Option<String>, message: String },
    Cancelled { reason: String },
}
