//! What happened.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::EffectId;

/// How a run begins.
#[derive(Clone, Debug, Default)]
pub struct Begin {
    /// Its id: unique, and the first part of the ids of all its effects.
    pub run: String,
    /// The flow's name.
    pub flow: String,
    /// What started it: an event with `new` and `old`, or the input of who started it.
    pub trigger: Value,
    /// `lead`, `contact`, `conversation`, `appointment`: what the run is about, as far as there are such.
    pub records: Map<String, Value>,
    /// Nodes, by their ids, that are not run: they have these outputs already. For a test, or of an earlier run
    /// ([`State::pins`](crate::State::pins)).
    pub pins: BTreeMap<String, Pin>,
    /// What was set already.
    pub variables: Map<String, Value>,
}

/// An output that is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pin {
    /// The way out; None: the usual one.
    pub handle: Option<String>,
    pub output: Value,
}

#[derive(Clone, Debug)]
pub enum Input {
    Answer {
        id: EffectId,
        reply: Reply,
    },
    /// Events for a wait, in the order of the log; those from before the wait first.
    Events {
        id: EffectId,
        events: Vec<Value>,
    },
    /// Somebody decided: `{"approved": true}`, `{"approved": false, "reason": …}`, true or false.
    Signal {
        name: String,
        value: Value,
    },
    /// Nothing but time: something is due ([`State::due`](crate::State::due)), or there was more to do.
    Tick,
    Cancel {
        reason: String,
    },
}

#[derive(Clone, Debug)]
pub enum Reply {
    Done(Value),
    /// `again`: whether there is sense in trying once more.
    Failed {
        message: String,
        again: bool,
    },
}
