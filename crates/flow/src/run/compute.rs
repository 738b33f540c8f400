//! What a step does, by the kind of its node.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::Run;
use super::steps::Did;
use crate::graph::Node;
use crate::kind::Kind;
use crate::settings::{self, Case, Delay, Ends, Fields, Mistake};
use crate::state::{Open, Place, Step};
use crate::view::View;
use crate::{Action, End, Outcome, condition, size};

impl Run<'_> {
    /// # Errors
    /// Why the step failed.
    pub fn perform(&mut self, place: &[Place], number: u32) -> Result<Did, String> {
        let graph = self.graph;
        let node = graph.node(number);
        if node.kind.is_trigger() {
            return Ok(Did::Left(0, Value::Null));
        }
        let made = {
            let view = View::new(graph, self.state, place, self.now).with_secrets(&node.secrets);
            node.settings.make(&view)?
        };
        if size::bytes(&made).is_none() {
            return Err("the settings of the node are nested too deep".into());
        }
        let empty = Map::new();
        let map = made.as_object().unwrap_or(&empty);
        let fields = Fields::new(map, false);
        let limits = graph.limits();
        match node.kind {
            Kind::Condition => {
                let holds = self.holds(place, node, map)?;
                Ok(Did::Left(u16::from(!holds), json!({ "result": holds })))
            }
            Kind::Switch => self.switch(place, node, &fields),
            Kind::Loop => {
                let settings = settings::looped(&fields, limits).map_err(said)?;
                self.begin_loop(place, number, settings)
            }
            Kind::Delay => self.delay(place, number, settings::delay(&fields, limits.days).map_err(said)?),
            Kind::Stop => self.stop(place, number, settings::stop(&fields).map_err(said)?),
            Kind::Wait => self.wait(place, number, settings::watched(&fields, limits).map_err(said)?),
            Kind::Merge => Ok(Did::Left(0, self.arrived(place, node))),
            Kind::Approval => {
                let id = self.name_of(place, &node.id);
                self.ask(place, number, settings::approval(&fields, &id, limits).map_err(said)?)
            }
            Kind::SetVariable => self.set(place, number, settings::variables(&fields).map_err(said)?),
            Kind::Map => {
                let items = settings::items(&fields, limits).map_err(said)?;
                Ok(Did::Left(0, self.map(place, node, &items)?))
            }
            Kind::Filter => {
                let items = settings::items(&fields, limits).map_err(said)?;
                Ok(Did::Left(0, self.filter(place, node, map, items)?))
            }
            Kind::Aggregate => {
                let items = settings::items(&fields, limits).map_err(said)?;
                Ok(Did::Left(0, settings::aggregate(&fields).and_then(|how| how.of(&items)).map_err(said)?))
            }
            Kind::Emit => {
                let (event, data, key) = settings::emit(&fields).map_err(said)?;
                let id = self.id(place, number, 0, 1);
                self.actions.push(Action::Emit { id, event: event.clone(), data, key });
                Ok(Did::Left(0, json!({ "event": event })))
            }
            Kind::Agent => self.begin_agent(place, number, made.into_owned()),
            _ => self.begin_effect(place, number, made.into_owned()),
        }
    }

    fn holds(&self, place: &[Place], node: &Node, map: &Map<String, Value>) -> Result<bool, String> {
        let view = View::new(self.graph, self.state, place, self.now);
        match &node.filter {
            Some(filter) => Ok(filter.matches(&view)),
            None => {
                let filter = condition::filter(map).map_err(said)?;
                Ok(settings::compiled(&filter).map_err(said)?.matches(&view))
            }
        }
    }

    fn switch(&self, place: &[Place], node: &Node, fields: &Fields<'_>) -> Result<Did, String> {
        let settings = settings::cases(fields).map_err(said)?;
        let view = View::new(self.graph, self.state, place, self.now);
        let subject = settings.subject.unwrap_or_default();
        for (at, (name, case)) in settings.cases.iter().enumerate() {
            let fits = match case {
                Case::Equals(value) => settings::text_of(value) == settings::text_of(&subject),
                Case::Filter(filter) => settings::compiled(filter).map_err(said)?.matches(&view),
            };
            if fits {
                return Ok(Did::Left(1 + at as u16, json!({"case": name, "value": subject})));
            }
        }
        let _ = node;
        Ok(Did::Left(0, json!({"case": "default", "value": subject})))
    }

    fn delay(&mut self, place: &[Place], number: u32, delay: Delay) -> Result<Did, String> {
        let until = match delay {
            Delay::For(span) => self.now.saturating_add(settings::micros(span)),
            Delay::Until(moment) => moment,
        };
        let days = self.graph.limits().days;
        if until > self.now.saturating_add(i64::from(days) * 86_400_000_000) {
            return Err(format!("the delay ends later than in {days} days"));
        }
        if until <= self.now {
            return Ok(Did::Left(0, Value::Null));
        }
        self.record(place, number, Outcome::Waiting, None, json!({ "until": until }), None, (1, self.now));
        self.open(place, number, Open::Timer { until, since: self.now });
        Ok(Did::Elsewhere)
    }

    fn stop(&mut self, place: &[Place], number: u32, (ends, message): (Ends, String)) -> Result<Did, String> {
        let id = self.graph.node(number).id.clone();
        let result = self.leaf(place);
        let is_failure = ends == Ends::RunFailed;
        let (outcome, error) =
            if is_failure { (Outcome::Error, Some(message.as_str())) } else { (Outcome::Success, None) };
        self.record(place, number, outcome, None, Value::Null, error, (1, self.now));
        match (ends, place.split_last()) {
            (Ends::Iteration, Some(_)) => self.turn_done(place, result),
            (Ends::Loop, Some((turn, around))) => self.finish_loop(around, turn.node),
            (Ends::RunFailed, _) => self.end(End::Failed { node: Some(id), message }),
            _ => self.end(End::Completed { output: result }),
        }
        Ok(Did::Elsewhere)
    }

    /// The outputs of the nodes before, by their ids.
    fn arrived(&self, place: &[Place], node: &Node) -> Value {
        let steps = self.state.scope(place).map(|scope| &scope.steps);
        let taken = node.incoming.iter().map(|edge| self.graph.edge(*edge)).filter_map(|edge| {
            match steps?.get(&edge.source)? {
                Step::Done { port, output } if self.graph.takes(edge.source, *port, edge) => {
                    Some((self.graph.node(edge.source).id.clone(), output.clone()))
                }
                _ => None,
            }
        });
        Value::Object(taken.collect())
    }

    fn set(&mut self, place: &[Place], number: u32, set: Map<String, Value>) -> Result<Did, String> {
        let bytes = set.values().map(|value| size::bytes(value).unwrap_or_default()).sum();
        if !self.charge(place, number, bytes) {
            return Ok(Did::Elsewhere);
        }
        // Variables outlive the iteration that sets them.
        if let Some(scope) = self.state.scope_mut(place) {
            scope.bytes = scope.bytes.saturating_sub(bytes);
        }
        let mut freed = 0;
        if let Value::Object(variables) = &mut self.state.variables {
            for (name, value) in &set {
                let old = variables.insert(name.clone(), value.clone());
                freed += old.and_then(|old| size::bytes(&old)).unwrap_or_default();
            }
        }
        self.state.bytes = self.state.bytes.saturating_sub(freed);
        Ok(Did::Left(0, set.into()))
    }

    fn map(&self, place: &[Place], node: &Node, items: &[Value]) -> Result<Value, String> {
        let Some(each) = &node.inner else { return Ok(Value::Null) };
        let view = View::new(self.graph, self.state, place, self.now);
        let most = self.graph.limits().run_bytes;
        let (mut made, mut bytes) = (Vec::with_capacity(items.len()), 0);
        for (at, item) in items.iter().enumerate() {
            let value = each.make(&view.with_item(item, at)).map(Cow::into_owned);
            let value = value.map_err(|error| format!("item {at}: {error}"))?;
            bytes += size::bytes(&value).unwrap_or(most);
            if bytes > most {
                return Err(format!("the results take more than {most} bytes"));
            }
            made.push(value);
        }
        Ok(made.into())
    }

    fn filter(
        &self,
        place: &[Place],
        node: &Node,
        map: &Map<String, Value>,
        items: Vec<Value>,
    ) -> Result<Value, String> {
        let view = View::new(self.graph, self.state, place, self.now);
        let dynamic;
        let filter = match &node.filter {
            Some(filter) => filter,
            None => {
                dynamic = settings::compiled(&condition::filter(map).map_err(said)?).map_err(said)?;
                &dynamic
            }
        };
        let kept: Vec<bool> = (0..).zip(&items).map(|(at, item)| filter.matches(&view.with_item(item, at))).collect();
        let kept = items.into_iter().zip(kept).filter(|(_, keep)| *keep);
        Ok(kept.map(|(item, _)| item).collect::<Vec<Value>>().into())
    }

    /// What an approval is called: in an iteration, with where it is.
    fn name_of(&self, place: &[Place], id: &str) -> String {
        let turns: Vec<String> = place.iter().map(|place| place.turn.to_string()).collect();
        if turns.is_empty() { id.to_owned() } else { format!("{id}/{}", turns.join(".")) }
    }
}

/// A mistake in settings that showed when their templates were filled in.
pub fn said(mistake: Mistake) -> String {
    format!("{}. {}", mistake.message, mistake.hint)
}
