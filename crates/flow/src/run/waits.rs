//! Waits for events, and for somebody's decision.

use filter::Pattern;
use serde_json::{Value, json};

use super::Run;
use super::steps::Did;
use crate::action::Watched;
use crate::settings::{self, Approval};
use crate::state::{Open, Place, Step, Waiting};
use crate::{Action, EffectId, Outcome};

impl Run<'_> {
    pub fn wait(&mut self, place: &[Place], node: u32, (events, patience): (Vec<Watched>, i64)) -> Result<Did, String> {
        let until = self.now.saturating_add(patience);
        let id = self.id(place, node, 0, 1);
        self.record(place, node, Outcome::Waiting, None, json!({ "until": until }), None, (1, self.now));
        self.open(place, node, Open::Wait(Waiting { until, since: self.now, events: events.clone() }));
        if !self.state.is_over() {
            self.actions.push(Action::Watch { id, since: self.state.started, until, events });
        }
        Ok(Did::Elsewhere)
    }

    /// The first event that one of the descriptions fits decides.
    pub fn events(&mut self, id: &EffectId, events: Vec<Value>) {
        let Some((place, node)) = self.find(id) else { return };
        let Some(Open::Wait(waiting)) = self.open_step(&place, node) else { return };
        let found = events.into_iter().find_map(|event| {
            let at = waiting.events.iter().position(|watched| fits(watched, &event))?;
            Some((at, waiting.events[at].name.clone(), event))
        });
        let Some((at, name, event)) = found else { return };
        self.actions.push(Action::Cancel(id.clone()));
        self.woken(&place, node, 2 + at as u16, json!({"event": event, "name": name, "timed_out": false}));
    }

    pub fn ask(&mut self, place: &[Place], node: u32, settings: Approval) -> Result<Did, String> {
        let until = self.now.saturating_add(settings.patience);
        let Approval { name, to, message, .. } = settings;
        let id = self.id(place, node, 0, 1);
        self.record(place, node, Outcome::Waiting, None, json!({"until": until, "name": name}), None, (1, self.now));
        self.open(place, node, Open::Approval { until, since: self.now, name: name.clone() });
        if !self.state.is_over() {
            self.actions.push(Action::Ask { id, name, to, message, until });
        }
        Ok(Did::Elsewhere)
    }

    pub fn signal(&mut self, name: &str, value: Value) {
        let found = self.state.scopes.iter().find_map(|scope| {
            let named = |step: &Step| matches!(step, Step::Open(Open::Approval { name: known, .. }) if known == name);
            let (node, _) = scope.steps.iter().find(|(_, step)| named(step))?;
            Some((scope.place.clone(), *node))
        });
        let Some((place, node)) = found else { return };
        let approved = is_approved(&value);
        let id = self.id(&place, node, 0, 1);
        self.actions.push(Action::Cancel(id));
        let output = json!({"approved": approved, "value": self.bounded(value), "timed_out": false});
        self.woken(&place, node, u16::from(!approved), output);
    }
}

/// Only what clearly says so is a yes.
fn is_approved(value: &Value) -> bool {
    match value {
        Value::Bool(approved) => *approved,
        Value::String(word) => matches!(word.to_lowercase().as_str(), "approved" | "approve" | "yes" | "true"),
        Value::Object(object) => object.get("approved").is_some_and(is_approved),
        _ => false,
    }
}

fn fits(watched: &Watched, event: &Value) -> bool {
    let kind = ["type", "event_type"].iter().find_map(|name| event.get(*name)?.as_str()).unwrap_or_default();
    let is_meant = Pattern::parse(&watched.pattern).is_ok_and(|pattern| pattern.matches(kind));
    is_meant
        && watched
            .filter
            .as_ref()
            .is_none_or(|filter| settings::compiled(filter).is_ok_and(|filter| filter.matches(event)))
}
