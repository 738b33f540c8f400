//! Loops: each iteration is a run of the body in a scope of its own.

use serde_json::{Value, json};

use super::Run;
use super::steps::Did;
use crate::settings::Loop;
use crate::state::{Open, Place, Scope, Turns};
use crate::view::View;
use crate::{Outcome, size};

/// Errors of iterations that are kept.
const ERRORS: usize = 10;

impl Run<'_> {
    pub fn begin_loop(&mut self, place: &[Place], node: u32, settings: Loop) -> Result<Did, String> {
        let has_body = self.graph.node(node).outgoing.iter().any(|edge| self.graph.is_body(self.graph.edge(*edge)));
        let count = settings.items.len();
        let turns = Turns {
            items: settings.items,
            next: 0,
            running: 0,
            results: vec![Value::Null; count],
            errors: Vec::new(),
            failed: 0,
            parallelism: settings.parallelism,
            tolerant: settings.tolerant || self.graph.node(node).care.goes_on,
            since: self.now,
        };
        if count == 0 || !has_body {
            return Ok(Did::Left(0, output(turns)));
        }
        self.open(place, node, Open::Loop(turns));
        self.feed(place, node);
        Ok(Did::Elsewhere)
    }

    /// Begins as many iterations as may run at once.
    fn feed(&mut self, place: &[Place], node: u32) {
        loop {
            let Some(Open::Loop(turns)) = self.open_step_mut(place, node) else { return };
            if turns.running >= turns.parallelism || turns.next as usize >= turns.items.len() {
                return;
            }
            let turn = turns.next;
            turns.next += 1;
            turns.running += 1;
            let mut inner = place.to_vec();
            inner.push(Place { node, turn });
            let Err(at) = self.state.scopes.binary_search_by(|scope| scope.place.cmp(&inner)) else { return };
            self.state.scopes.insert(at, Scope { place: inner.clone(), ..Scope::default() });
            let graph = self.graph;
            for edge in graph.node(node).outgoing.iter().map(|edge| graph.edge(*edge)) {
                if graph.is_body(edge) {
                    self.arrive(&inner, edge.target, true);
                }
            }
        }
    }

    /// What an iteration, or the run, leads to: what the loop asks for, or the output of the last node.
    pub fn result(&self, place: &[Place]) -> Value {
        let inner = place.last().and_then(|place| self.graph.node(place.node).inner.as_ref());
        match inner {
            Some(shape) => {
                let view = View::new(self.graph, self.state, place, self.now);
                shape.make(&view).map_or_else(|error| json!({"error": {"message": error}}), |value| value.into_owned())
            }
            None => self.leaf(place),
        }
    }

    pub fn turn_done(&mut self, place: &[Place], result: Value) {
        self.turn_over(place, Ok(result));
    }

    pub fn turn_failed(&mut self, place: &[Place], node: &str, message: String) {
        self.turn_over(place, Err(format!("node \"{node}\": {message}")));
    }

    fn turn_over(&mut self, place: &[Place], result: Result<Value, String>) {
        let Some((turn, around)) = place.split_last() else { return };
        let node = turn.node;
        self.drop_scopes(place);
        let result = result.map(|value| size::cut(value, self.graph.limits().output_bytes));
        let bytes = result.as_ref().map_or(0, |(_, bytes, _)| *bytes);
        let Some(Open::Loop(turns)) = self.open_step_mut(around, node) else { return };
        turns.running = turns.running.saturating_sub(1);
        match result {
            Ok((value, ..)) => {
                if let Some(slot) = turns.results.get_mut(turn.turn as usize) {
                    *slot = value;
                }
            }
            Err(message) => {
                turns.failed += 1;
                if turns.errors.len() < ERRORS {
                    turns.errors.push(format!("item {}: {message}", turn.turn));
                }
                if !turns.tolerant {
                    let since = turns.since;
                    return self.fail_loop(around, node, &format!("item {}: {message}", turn.turn), since);
                }
            }
        }
        let is_over = turns.running == 0 && turns.next as usize >= turns.items.len();
        if !self.charge(around, node, bytes) {
            return;
        }
        if is_over { self.finish_loop(around, node) } else { self.feed(around, node) }
    }

    fn fail_loop(&mut self, place: &[Place], node: u32, message: &str, since: i64) {
        self.drop_turns(place, node);
        self.close(place, node);
        self.fail(place, node, message, (1, since));
        self.release(place);
    }

    /// Leaves a loop with the results so far.
    pub fn finish_loop(&mut self, place: &[Place], node: u32) {
        self.drop_turns(place, node);
        let Some(Open::Loop(turns)) = self.close(place, node) else { return };
        let since = turns.since;
        self.leave(place, node, 0, output(turns), Outcome::Success, None, (1, since));
        self.release(place);
    }

    fn drop_turns(&mut self, place: &[Place], node: u32) {
        let turns: Vec<Vec<Place>> = self
            .state
            .scopes
            .iter()
            .map(|scope| &scope.place)
            .filter(|inner| {
                inner.len() == place.len() + 1 && inner.starts_with(place) && inner[place.len()].node == node
            })
            .cloned()
            .collect();
        turns.iter().for_each(|turn| self.drop_scopes(turn));
    }

    /// Forgets an iteration and those inside it; what is open there is called off.
    pub fn drop_scopes(&mut self, place: &[Place]) {
        self.cancel_within(place);
        let is_within = |other: &[Place]| other.starts_with(place);
        let bytes: usize =
            self.state.scopes.iter().filter(|scope| is_within(&scope.place)).map(|scope| scope.bytes).sum();
        self.state.bytes = self.state.bytes.saturating_sub(bytes);
        self.state.scopes.retain(|scope| !is_within(&scope.place));
        self.state.todo.retain(|todo| !is_within(&todo.place));
    }
}

fn output(turns: Turns) -> Value {
    json!({
        "count": turns.items.len(),
        "results": turns.results,
        "failed": turns.failed,
        "errors": turns.errors,
    })
}
