//! One call: what happened is taken in, and the run goes on until it waits, is over, or has done enough for now.

mod agent;
mod compute;
mod loops;
mod outside;
mod steps;
mod waits;

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};

use crate::graph::Graph;
use crate::state::{Open, Place, Scope, Step, Todo};
use crate::{Action, Begin, EffectId, End, Input, Outcome, Pin, Record, State, Status, size};

/// Characters of an error that are kept.
const MESSAGE: usize = 2_000;

impl State {
    /// Begins a run. A graph with errors is not run: the run has failed at once, and says why.
    pub fn start(graph: &Graph, begin: Begin, now: i64) -> (State, Vec<Action>) {
        let most = graph.limits().run_bytes / 4;
        let mut state = State {
            run: begin.run,
            flow: begin.flow,
            started: now,
            status: Status::Running,
            trigger: size::cut(begin.trigger, most).0,
            records: begin.records.into_iter().map(|(name, record)| (name, size::cut(record, most).0)).collect(),
            variables: size::cut(begin.variables.into(), most).0,
            scopes: vec![Scope::default()],
            todo: VecDeque::new(),
            pins: pins(graph, begin.pins),
            steps: 0,
            bytes: 0,
        };
        let mut run = Run { graph, state: &mut state, now, actions: Vec::new() };
        match graph.findings().iter().find(|finding| finding.is_error()).cloned() {
            Some(finding) => {
                let message = format!("the flow cannot run: {}", finding.message);
                run.end(End::Failed { node: finding.node, message });
            }
            None => {
                run.begin();
                run.go();
            }
        }
        let actions = run.actions;
        (state, actions)
    }

    /// Takes in what happened, and goes on. `graph` must be the one that the run was started with. What nobody waits
    /// for (an answer that came before, one to an attempt that was given up) changes nothing.
    pub fn handle(&mut self, graph: &Graph, input: Input, now: i64) -> Vec<Action> {
        if self.is_over() {
            return Vec::new();
        }
        let mut run = Run { graph, state: self, now, actions: Vec::new() };
        match input {
            Input::Answer { id, reply } => run.answer(&id, reply),
            Input::Events { id, events } => run.events(&id, events),
            Input::Signal { name, value } => run.signal(&name, value),
            Input::Tick => run.tick(),
            Input::Cancel { reason } => run.end(End::Cancelled { reason }),
        }
        run.go();
        run.actions
    }

    /// What a run that is made again from one of its nodes keeps: the outputs of those outside loops that did not come
    /// after it. None: there is no such node, or it is in a loop's body. `graph` is the one that the run had.
    pub fn pins(&self, graph: &Graph, from: &str) -> Option<BTreeMap<String, Pin>> {
        let from = graph.number(from).filter(|node| graph.node(*node).region.is_none())?;
        let mut after = vec![from];
        let mut is_after = vec![false; graph.nodes().count()];
        while let Some(node) = after.pop() {
            if !std::mem::replace(&mut is_after[node as usize], true) {
                after.extend(graph.node(node).outgoing.iter().map(|edge| graph.edge(*edge).target));
            }
        }
        let steps = self.scopes.first().into_iter().flat_map(|scope| &scope.steps);
        let kept = steps.filter(|(node, _)| !is_after[**node as usize]).filter_map(|(node, step)| match step {
            Step::Done { port, output } => {
                let node = graph.node(*node);
                Some((node.id.clone(), Pin { handle: node.handle(*port), output: output.clone() }))
            }
            Step::Open(_) => None,
        });
        Some(kept.collect())
    }

    /// What the run is about may have changed while it slept: `lead`, `contact`, `conversation`, `appointment` as they
    /// are now.
    pub fn refresh(&mut self, graph: &Graph, records: Map<String, Value>) {
        let most = graph.limits().run_bytes / 4;
        self.records.extend(records.into_iter().map(|(name, record)| (name, size::cut(record, most).0)));
    }
}

fn pins(graph: &Graph, pins: BTreeMap<String, Pin>) -> BTreeMap<u32, (u16, Value)> {
    let pins = pins.into_iter().filter_map(|(id, pin)| {
        let number = graph.number(&id)?;
        let port = pin.handle.and_then(|handle| graph.node(number).port(&handle)).unwrap_or_default();
        Some((number, (port, size::cut(pin.output, graph.limits().output_bytes).0)))
    });
    pins.collect()
}

/// A step to be called off, and its requests that are under way.
struct Off {
    place: Vec<Place>,
    node: u32,
    parts: Vec<u32>,
    attempt: u32,
    since: i64,
}

impl Open {
    /// Its requests that nobody has answered yet, its attempt, and since when.
    fn under_way(&self) -> (Vec<u32>, u32, i64) {
        match self {
            Open::Effect(pending) if pending.again.is_some() => (Vec::new(), pending.attempt, pending.since),
            Open::Effect(pending) => (vec![0], pending.attempt, pending.since),
            Open::Wait(waiting) => (vec![0], 1, waiting.since),
            Open::Approval { since, .. } => (vec![0], 1, *since),
            Open::Timer { since, .. } => (Vec::new(), 1, *since),
            Open::Loop(turns) => (Vec::new(), 1, turns.since),
            Open::Agent(talk) => (talk.open_parts(), talk.pending.attempt, talk.pending.since),
        }
    }
}

pub(crate) struct Run<'a> {
    pub graph: &'a Graph,
    pub state: &'a mut State,
    pub now: i64,
    pub actions: Vec<Action>,
}

impl Run<'_> {
    fn begin(&mut self) {
        let start = self.graph.start();
        for (number, node) in self.graph.nodes() {
            if node.incoming.is_empty() {
                self.put(&[], number, start == Some(number));
            }
        }
    }

    fn go(&mut self) {
        let mut left = self.graph.limits().steps_at_once.max(1);
        while !self.state.is_over() {
            let Some(todo) = self.state.todo.pop_front() else { return };
            if left == 0 {
                self.state.todo.push_front(todo);
                self.actions.push(Action::Continue);
                return;
            }
            left -= 1;
            if self.state.scope(&todo.place).is_none() {
                continue;
            }
            match todo.live {
                true => self.enter(&todo.place, todo.node),
                false => self.die(&todo.place, todo.node),
            }
            self.release(&todo.place);
        }
    }

    /// A node is to run, or is dead.
    pub fn put(&mut self, place: &[Place], node: u32, live: bool) {
        self.hold(place);
        self.state.todo.push_back(Todo { place: place.to_vec(), node, live });
    }

    pub fn hold(&mut self, place: &[Place]) {
        if let Some(scope) = self.state.scope_mut(place) {
            scope.pending += 1;
        }
    }

    /// Something that the scope waited for is done; when it was the last, so is the scope.
    pub fn release(&mut self, place: &[Place]) {
        let Some(scope) = self.state.scope_mut(place) else { return };
        scope.pending = scope.pending.saturating_sub(1);
        if scope.pending > 0 || self.state.is_over() {
            return;
        }
        let output = self.result(place);
        match place {
            [] => self.end(End::Completed { output }),
            _ => self.turn_done(place, output),
        }
    }

    /// The output of the last node that led no further.
    pub fn leaf(&self, place: &[Place]) -> Value {
        let scope = self.state.scope(place);
        let step = scope.and_then(|scope| scope.steps.get(&scope.last?));
        match step {
            Some(Step::Done { output, .. }) => output.clone(),
            _ => Value::Null,
        }
    }

    pub fn end(&mut self, end: End) {
        self.cancel_within(&[]);
        self.state.todo.clear();
        self.state.scopes.truncate(1);
        if let Some(root) = self.state.scopes.first_mut() {
            root.steps.retain(|_, step| matches!(step, Step::Done { .. }));
            root.joins.clear();
            root.pending = 0;
        }
        self.state.status = match &end {
            End::Completed { .. } => Status::Completed,
            End::Failed { node, message } => Status::Failed { node: node.clone(), message: message.clone() },
            End::Cancelled { reason } => Status::Cancelled { reason: reason.clone() },
        };
        if let End::Failed { node, message } = &end
            && let Some(flow) = self.graph.trigger().and_then(|trigger| trigger.on_failure())
        {
            let input = json!({
                "run": self.state.run,
                "flow": self.state.flow,
                "node": node,
                "message": message,
                "trigger": self.state.trigger,
            });
            let id = self.id(&[], self.graph.start().unwrap_or_default(), 0, 1);
            self.actions.push(Action::Start { id, flow: flow.to_owned(), input });
        }
        self.actions.push(Action::End(end));
    }

    /// Calls off whatever is open in a scope and in the iterations inside it.
    pub fn cancel_within(&mut self, place: &[Place]) {
        let mut open: Vec<Off> = Vec::new();
        for scope in self.state.scopes.iter().filter(|scope| scope.place.starts_with(place)) {
            for (node, step) in &scope.steps {
                let Step::Open(what) = step else { continue };
                let (parts, attempt, since) = what.under_way();
                open.push(Off { place: scope.place.clone(), node: *node, parts, attempt, since });
            }
        }
        for Off { place, node, parts, attempt, since } in open {
            for part in parts {
                let id = self.id(&place, node, part, attempt);
                self.actions.push(Action::Cancel(id));
            }
            self.record(&place, node, Outcome::Cancelled, None, Value::Null, None, (attempt, since));
        }
    }

    pub fn id(&self, place: &[Place], node: u32, part: u32, attempt: u32) -> EffectId {
        let path = place.iter().map(|place| place.turn).collect();
        EffectId { run: self.state.run.clone(), node: self.graph.node(node).id.clone(), path, part, attempt }
    }

    #[allow(clippy::too_many_arguments)]
    pub fn record(
        &mut self,
        place: &[Place],
        node: u32,
        outcome: Outcome,
        port: Option<u16>,
        output: Value,
        error: Option<&str>,
        (attempt, began): (u32, i64),
    ) {
        let node = self.graph.node(node);
        self.actions.push(Action::Record(Record {
            node: node.id.clone(),
            kind: node.name.clone(),
            path: place.iter().map(|place| place.turn).collect(),
            outcome,
            handle: port.and_then(|port| node.handle(port)),
            output,
            error: error.map(|error| error.chars().take(MESSAGE).collect()),
            attempt,
            began,
            ended: self.now,
        }));
    }
}
