//! An agent: a model is asked, the tools that it asks for are called, and it is asked again, until it answers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Run;
use super::compute::said;
use super::steps::Did;
use crate::settings::{self, Fields};
use crate::state::{Call, Open, Pending, Place, Talk};
use crate::{EffectId, Outcome, Reply, Request, size};

/// Tools in one turn.
const CALLS: usize = 10;

impl Run<'_> {
    pub fn begin_agent(&mut self, place: &[Place], node: u32, settings: Value) -> Result<Did, String> {
        let messages = {
            let empty = Map::new();
            let fields = Fields::new(settings.as_object().unwrap_or(&empty), false);
            settings::agent(&fields, self.graph.limits()).map_err(said)?.messages
        };
        let pending = Pending { settings, attempt: 1, since: self.now, again: None, deadline: self.deadline(node) };
        let talk = Talk { pending, messages, turns: 0, part: 0, calls: BTreeMap::new() };
        self.open(place, node, Open::Agent(talk));
        self.ask_model(place, node);
        Ok(Did::Elsewhere)
    }

    /// The next turn, or the same one again.
    fn ask_model(&mut self, place: &[Place], node: u32) {
        let deadline = self.deadline(node);
        let limits = self.graph.limits().clone();
        let Some(Open::Agent(talk)) = self.open_step_mut(place, node) else { return };
        let empty = Map::new();
        let fields = Fields::new(talk.pending.settings.as_object().unwrap_or(&empty), false);
        let agent = match settings::agent(&fields, &limits) {
            Ok(agent) => agent,
            Err(mistake) => return self.attempt_failed(place, node, &said(mistake), false),
        };
        if talk.turns >= agent.turns {
            let message = format!("the agent has not answered after {} turns", agent.turns);
            return self.attempt_failed(place, node, &message, false);
        }
        talk.turns += 1;
        talk.part += 1;
        talk.calls.clear();
        talk.pending.again = None;
        talk.pending.deadline = deadline;
        let (part, attempt) = (talk.part, talk.pending.attempt);
        let request = Request::Model {
            model: agent.model,
            messages: talk.messages.clone(),
            schema: None,
            tools: agent.tools,
            tokens: agent.tokens,
            temperature: agent.temperature,
        };
        self.ask_for(place, node, part, attempt, request);
    }

    pub fn agent_again(&mut self, place: &[Place], node: u32) {
        if let Some(Open::Agent(talk)) = self.open_step_mut(place, node) {
            // The turn that failed was none.
            talk.turns = talk.turns.saturating_sub(1);
        }
        self.ask_model(place, node);
    }

    pub fn agent_silent(&mut self, place: &[Place], node: u32) {
        if let Some(Open::Agent(talk)) = self.open_step_mut(place, node) {
            talk.calls.clear();
        }
        self.attempt_failed(place, node, "there was no answer", true);
    }

    pub fn agent_answered(&mut self, place: &[Place], node: u32, id: &EffectId, reply: Reply) {
        let Some(Open::Agent(talk)) = self.open_step(place, node) else { return };
        if talk.pending.attempt != id.attempt || talk.pending.again.is_some() {
            return;
        }
        if talk.calls.is_empty() && talk.part == id.part {
            match reply {
                Reply::Done(answer) => self.model_said(place, node, answer),
                Reply::Failed { message, again } => self.attempt_failed(place, node, &message, again),
            }
        } else if talk.calls.get(&id.part).is_some_and(|call| call.answer.is_none()) {
            self.tool_said(place, node, id.part, reply);
        }
    }

    fn model_said(&mut self, place: &[Place], node: u32, answer: Value) {
        let answer = self.bounded(answer);
        let asked: Vec<Value> = answer.get("tool_calls").and_then(Value::as_array).cloned().unwrap_or_default();
        if asked.is_empty() {
            return self.answered(place, node, answer);
        }
        let text = |call: &Value, name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(Open::Agent(talk)) = self.open_step_mut(place, node) else { return };
        let tried = (talk.pending.attempt, talk.pending.since);
        let allowed = allowed(&talk.pending.settings);
        let message = json!({"role": "assistant", "content": answer.get("text"), "tool_calls": asked});
        let bytes = size::bytes(&message).unwrap_or_default();
        talk.messages.push(message);
        let mut requests = Vec::new();
        for call in asked.iter().take(CALLS) {
            talk.part += 1;
            let (id, name) = (text(call, "id"), text(call, "name"));
            let is_allowed = allowed.contains(&name);
            let refusal = (!is_allowed).then(|| json!({"error": format!("there is no tool \"{name}\"")}));
            talk.calls.insert(talk.part, Call { id, name: name.clone(), answer: refusal });
            if is_allowed {
                let arguments = call.get("arguments").cloned().unwrap_or_default();
                requests.push((talk.part, Request::Tool { name, arguments }));
            }
        }
        let attempt = talk.pending.attempt;
        if !self.charge(place, node, bytes) {
            return;
        }
        self.record(place, node, Outcome::Turn, None, answer, None, tried);
        let is_waiting = !requests.is_empty();
        for (part, request) in requests {
            self.ask_for(place, node, part, attempt, request);
        }
        if !is_waiting {
            self.tools_done(place, node);
        }
    }

    /// A tool that failed is for the model to hear of.
    fn tool_said(&mut self, place: &[Place], node: u32, part: u32, reply: Reply) {
        let answer = match reply {
            Reply::Done(answer) => self.bounded(answer),
            Reply::Failed { message, .. } => json!({ "error": message }),
        };
        let Some(Open::Agent(talk)) = self.open_step_mut(place, node) else { return };
        if let Some(call) = talk.calls.get_mut(&part) {
            call.answer = Some(answer);
        }
        if talk.calls.values().all(|call| call.answer.is_some()) {
            self.tools_done(place, node);
        }
    }

    fn tools_done(&mut self, place: &[Place], node: u32) {
        let Some(Open::Agent(talk)) = self.open_step_mut(place, node) else { return };
        let mut bytes = 0;
        for call in std::mem::take(&mut talk.calls).into_values() {
            let content = call.answer.unwrap_or_default();
            let message = json!({"role": "tool", "tool_call_id": call.id, "name": call.name, "content": content});
            bytes += size::bytes(&message).unwrap_or_default();
            talk.messages.push(message);
        }
        if self.charge(place, node, bytes) {
            self.ask_model(place, node);
        }
    }
}

impl Talk {
    /// Requests that are under way.
    pub fn open_parts(&self) -> Vec<u32> {
        if self.pending.again.is_some() {
            return Vec::new();
        }
        match self.calls.is_empty() {
            true => vec![self.part],
            false => self.calls.iter().filter(|(_, call)| call.answer.is_none()).map(|(part, _)| *part).collect(),
        }
    }
}

fn allowed(settings: &Value) -> Vec<String> {
    let tools = settings.get("tools").and_then(Value::as_array);
    tools.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
