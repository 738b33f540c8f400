//! A step: it begins, it is left by one of its ways, and what follows is told.

use serde_json::{Value, json};

use super::{MESSAGE, Run};
use crate::settings::Join;
use crate::state::{Open, Place, Step};
use crate::{End, Outcome, size};

/// What became of a node that was entered.
pub enum Did {
    /// Left by this port.
    Left(u16, Value),
    /// It waits; or it has ended what it stands in.
    Elsewhere,
}

impl Run<'_> {
    pub fn enter(&mut self, place: &[Place], node: u32) {
        self.state.steps += 1;
        let most = self.graph.limits().steps;
        if self.state.steps > most {
            let id = self.graph.node(node).id.clone();
            return self.end(End::Failed { node: Some(id), message: format!("the run takes more than {most} steps") });
        }
        if self.graph.node(node).disabled {
            return self.leave(place, node, 0, Value::Null, Outcome::Disabled, None, (0, self.now));
        }
        if let Some((port, output)) = self.state.pins.get(&node).cloned() {
            return self.leave(place, node, port, output, Outcome::Pinned, None, (0, self.now));
        }
        match self.perform(place, node) {
            Ok(Did::Left(port, output)) => {
                self.leave(place, node, port, output, Outcome::Success, None, (1, self.now));
            }
            Ok(Did::Elsewhere) => {}
            Err(message) => self.fail(place, node, &message, (1, self.now)),
        }
    }

    /// No edge to it was taken: neither is any from it.
    pub fn die(&mut self, place: &[Place], node: u32) {
        self.record(place, node, Outcome::Skipped, None, Value::Null, None, (0, self.now));
        self.follow(place, node, None);
    }

    /// A step is over.
    #[allow(clippy::too_many_arguments)]
    pub fn leave(
        &mut self,
        place: &[Place],
        node: u32,
        port: u16,
        output: Value,
        outcome: Outcome,
        error: Option<&str>,
        tried: (u32, i64),
    ) {
        let (output, bytes, _) = size::cut(output, self.graph.limits().output_bytes);
        if !self.charge(place, node, bytes) {
            return;
        }
        self.record(place, node, outcome, Some(port), output.clone(), error, tried);
        if let Some(scope) = self.state.scope_mut(place) {
            scope.steps.insert(node, Step::Done { port, output });
        }
        if !self.follow(place, node, Some(port)) {
            let rank = |node: u32| self.graph.node(node).rank;
            if let Some(scope) = self.state.scope_mut(place)
                && scope.last.is_none_or(|last| rank(last) < rank(node))
            {
                scope.last = Some(node);
            }
        }
    }

    /// Decides the edges that leave a node, and returns whether one was taken. Those into a loop's body are decided in
    /// each iteration.
    fn follow(&mut self, place: &[Place], node: u32, port: Option<u16>) -> bool {
        let graph = self.graph;
        let mut any = false;
        for edge in graph.node(node).outgoing.iter().map(|edge| graph.edge(*edge)) {
            if graph.is_body(edge) {
                continue;
            }
            let taken = port.is_some_and(|port| graph.takes(node, port, edge));
            any |= taken;
            self.arrive(place, edge.target, taken);
        }
        any
    }

    /// An edge to a node is decided; perhaps the node is, too.
    pub fn arrive(&mut self, place: &[Place], node: u32, taken: bool) {
        let (rule, all) = (self.graph.node(node).join, self.graph.node(node).incoming.len() as u32);
        if all == 1 && !matches!(rule, Join::First(2..)) {
            return self.put(place, node, taken);
        }
        let Some(scope) = self.state.scope_mut(place) else { return };
        let join = scope.joins.entry(node).or_default();
        if taken {
            join.taken += 1;
        } else {
            join.dead += 1;
        }
        let is_last = join.taken + join.dead == all;
        let live = match rule {
            Join::Arrived => is_last.then_some(join.taken > 0),
            Join::All if join.dead > 0 => Some(false),
            Join::All => is_last.then_some(true),
            Join::First(wanted) if join.taken >= wanted => Some(true),
            Join::First(wanted) => (all - join.dead < wanted).then_some(false),
        };
        let was_decided = join.decided;
        join.decided |= live.is_some();
        if is_last {
            scope.joins.remove(&node);
        }
        if let Some(live) = live.filter(|_| !was_decided) {
            self.put(place, node, live);
        }
    }

    /// A step has failed for good: its error handle, if an edge leaves by it; on as if nothing were, if it says so; the
    /// end of the iteration or of the run, otherwise.
    pub fn fail(&mut self, place: &[Place], node: u32, message: &str, tried: (u32, i64)) {
        let message: String = message.chars().take(MESSAGE).collect();
        let settings = self.graph.node(node);
        let port = settings.error_port();
        let is_led = settings.outgoing.iter().any(|edge| self.graph.edge(*edge).port == port);
        let output = json!({"error": {"message": message}});
        if is_led || settings.care.goes_on {
            let port = if is_led { port } else { 0 };
            return self.leave(place, node, port, output, Outcome::Error, Some(&message), tried);
        }
        let id = settings.id.clone();
        self.record(place, node, Outcome::Error, None, output, Some(&message), tried);
        match place {
            [] => self.end(End::Failed { node: Some(id), message }),
            _ => self.turn_failed(place, &id, message),
        }
    }

    /// A step waits for something.
    pub fn open(&mut self, place: &[Place], node: u32, open: Open) {
        if !self.charge(place, node, open.bytes()) {
            return;
        }
        self.hold(place);
        if let Some(scope) = self.state.scope_mut(place) {
            scope.steps.insert(node, Step::Open(open));
        }
    }

    /// Takes away what a step waited for: the step is then to be left or to fail, and its scope released.
    pub fn close(&mut self, place: &[Place], node: u32) -> Option<Open> {
        let scope = self.state.scope_mut(place)?;
        match scope.steps.remove(&node)? {
            Step::Open(open) => {
                let bytes = open.bytes();
                scope.bytes = scope.bytes.saturating_sub(bytes);
                self.state.bytes = self.state.bytes.saturating_sub(bytes);
                Some(open)
            }
            done => {
                scope.steps.insert(node, done);
                None
            }
        }
    }

    pub fn open_step(&self, place: &[Place], node: u32) -> Option<&Open> {
        match self.state.scope(place)?.steps.get(&node)? {
            Step::Open(open) => Some(open),
            Step::Done { .. } => None,
        }
    }

    pub fn open_step_mut(&mut self, place: &[Place], node: u32) -> Option<&mut Open> {
        match self.state.scope_mut(place)?.steps.get_mut(&node)? {
            Step::Open(open) => Some(open),
            Step::Done { .. } => None,
        }
    }

    /// Counts what the run keeps. False: that was too much, and the run is over.
    pub fn charge(&mut self, place: &[Place], node: u32, bytes: usize) -> bool {
        self.state.bytes += bytes;
        if let Some(scope) = self.state.scope_mut(place) {
            scope.bytes += bytes;
        }
        let most = self.graph.limits().run_bytes;
        if self.state.bytes <= most {
            return true;
        }
        let id = self.graph.node(node).id.clone();
        let message = format!("the outputs of the run take more than {most} bytes");
        self.end(End::Failed { node: Some(id), message });
        false
    }
}

impl Open {
    /// What it keeps.
    pub fn bytes(&self) -> usize {
        let all = |values: &[Value]| values.iter().map(|value| size::bytes(value).unwrap_or_default()).sum::<usize>();
        match self {
            Open::Effect(pending) => size::bytes(&pending.settings).unwrap_or_default(),
            Open::Timer { .. } => 0,
            Open::Wait(waiting) => waiting.events.len() * 200,
            Open::Approval { name, .. } => name.len(),
            Open::Loop(turns) => all(&turns.items) + all(&turns.results),
            Open::Agent(talk) => size::bytes(&talk.pending.settings).unwrap_or_default() + all(&talk.messages),
        }
    }
}
