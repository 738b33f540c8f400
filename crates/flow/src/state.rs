//! How a run stands.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A run between two calls: all that is needed to go on, and no secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(crate) run: String,
    pub(crate) flow: String,
    /// Microseconds since 1970.
    pub(crate) started: i64,
    pub(crate) status: Status,
    pub(crate) trigger: Value,
    pub(crate) records: Map<String, Value>,
    /// An object.
    pub(crate) variables: Value,
    /// The run itself, and each iteration that is under way; ordered by place.
    pub(crate) scopes: Vec<Scope>,
    /// Nodes whose incoming edges are decided.
    pub(crate) todo: VecDeque<Todo>,
    /// Nodes that are not run: the port that they are left by, and their output.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) pins: BTreeMap<u32, (u16, Value)>,
    pub(crate) steps: u32,
    /// Of outputs, variables and items.
    pub(crate) bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Status {
    Running,
    Completed,
    Failed { node: Option<String>, message: String },
    Cancelled { reason: String },
}

/// One iteration of one loop. Where loops are nested, a list of them names an iteration of the innermost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Place {
    #[serde(rename = "n")]
    pub node: u32,
    #[serde(rename = "t")]
    pub turn: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Todo {
    pub place: Vec<Place>,
    pub node: u32,
    /// Whether an edge to it was taken; otherwise it is dead.
    pub live: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scope {
    pub place: Vec<Place>,
    /// Nodes that ran or have begun; dead ones are not kept.
    pub steps: BTreeMap<u32, Step>,
    /// Nodes of several incoming edges, until all of them are decided.
    pub joins: BTreeMap<u32, Join>,
    /// Entries of the run's todo list, and open steps.
    pub pending: u32,
    /// The last node, in the order of the graph, that no taken edge leaves.
    pub last: Option<u32>,
    pub bytes: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Join {
    pub taken: u32,
    pub dead: u32,
    /// The node is under way, or dead, before the last of its edges.
    pub decided: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Step {
    Done { port: u16, output: Value },
    Open(Open),
}

/// What a step waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Open {
    Effect(Pending),
    Timer { until: i64, since: i64 },
    Wait(Waiting),
    Approval { until: i64, since: i64, name: String },
    Loop(Turns),
    Agent(Talk),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// Filled in; what is asked for again is the same.
    pub settings: Value,
    pub attempt: u32,
    pub since: i64,
    /// The attempt is to be made then; None: it is under way.
    pub again: Option<i64>,
    /// No answer by then is a failure.
    pub deadline: i64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waiting {
    pub until: i64,
    pub since: i64,
    pub events: Vec<crate::Watched>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Turns {
    pub items: Vec<Value>,
    pub next: u32,
    pub running: u32,
    pub results: Vec<Value>,
    /// The first few.
    pub errors: Vec<String>,
    pub failed: u32,
    pub parallelism: u32,
    pub tolerant: bool,
    pub since: i64,
}

/// An agent between two turns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Talk {
    pub pending: Pending,
    pub messages: Vec<Value>,
    pub turns: u32,
    /// The number of the last request.
    pub part: u32,
    /// Tools that were asked for in this turn, by the number of their request; empty while the model is asked.
    pub calls: BTreeMap<u32, Call>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Call {
    pub id: String,
    pub name: String,
    pub answer: Option<Value>,
}

impl State {
    pub fn status(&self) -> &Status {
        &self.status
    }

    pub fn is_over(&self) -> bool {
        self.status != Status::Running
    }

    pub fn run(&self) -> &str {
        &self.run
    }

    pub fn variables(&self) -> &Value {
        &self.variables
    }

    /// When to call again if nothing happens before: microseconds since 1970. None: only something from outside leads
    /// on.
    pub fn due(&self) -> Option<i64> {
        if self.is_over() {
            return None;
        }
        if !self.todo.is_empty() {
            return Some(i64::MIN);
        }
        let steps = self.scopes.iter().flat_map(|scope| scope.steps.values());
        steps.filter_map(Step::due).min()
    }

    pub(crate) fn scope(&self, place: &[Place]) -> Option<&Scope> {
        self.scopes.binary_search_by(|scope| scope.place.as_slice().cmp(place)).ok().map(|at| &self.scopes[at])
    }

    pub(crate) fn scope_mut(&mut self, place: &[Place]) -> Option<&mut Scope> {
        let at = self.scopes.binary_search_by(|scope| scope.place.as_slice().cmp(place)).ok()?;
        Some(&mut self.scopes[at])
    }
}

impl Step {
    pub fn due(&self) -> Option<i64> {
        match self {
            Step::Done { .. } | Step::Open(Open::Loop(_)) => None,
            Step::Open(Open::Effect(pending)) => Some(pending.due()),
            Step::Open(Open::Agent(talk)) => Some(talk.pending.due()),
            Step::Open(Open::Timer { until, .. } | Open::Approval { until, .. }) => Some(*until),
            Step::Open(Open::Wait(waiting)) => Some(waiting.until),
        }
    }
}

impl Pending {
    pub fn due(&self) -> i64 {
        self.again.unwrap_or(self.deadline)
    }
}
