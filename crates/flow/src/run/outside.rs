//! Effects: asked for, answered, tried again, given up.

use serde_json::{Value, json};

use super::Run;
use super::compute::said;
use super::steps::Did;
use crate::kind::{Kind, TIMEOUT};
use crate::settings::{self, Fields, Judge};
use crate::state::{Open, Pending, Place};
use crate::{Action, Effect, EffectId, Outcome, Reply, Request, size};

impl Run<'_> {
    pub fn begin_effect(&mut self, place: &[Place], node: u32, settings: Value) -> Result<Did, String> {
        let request = self.request(node, &settings)?;
        let pending = Pending { settings, attempt: 1, since: self.now, again: None, deadline: self.deadline(node) };
        self.open(place, node, Open::Effect(pending));
        if !self.state.is_over() {
            self.ask_for(place, node, 0, 1, request);
        }
        Ok(Did::Elsewhere)
    }

    fn request(&self, node: u32, settings: &Value) -> Result<Request, String> {
        let node = self.graph.node(node);
        let map = settings.as_object().ok_or("the settings of the node are no object")?;
        let fields = Fields::new(map, false);
        let mut request = settings::request(node.kind, &node.name, &fields, self.graph.limits()).map_err(said)?;
        if let Request::Http { secrets, .. } = &mut request {
            *secrets = node.secret_names();
        }
        Ok(request)
    }

    pub fn ask_for(&mut self, place: &[Place], node: u32, part: u32, attempt: u32, request: Request) {
        let id = self.id(place, node, part, attempt);
        let settings = self.graph.node(node);
        self.actions.push(Action::Do(Effect {
            id,
            kind: settings.name.clone(),
            timeout_seconds: settings.care.timeout,
            request,
        }));
    }

    pub fn deadline(&self, node: u32) -> i64 {
        let seconds = self.graph.limits().answer_seconds.max(self.graph.node(node).care.timeout);
        self.now.saturating_add(i64::from(seconds) * 1_000_000)
    }

    /// The place and the node that an id names, if they are there.
    pub fn find(&self, id: &EffectId) -> Option<(Vec<Place>, u32)> {
        let node = self.graph.number(&id.node).filter(|_| id.run == self.state.run)?;
        let mut around: Vec<u32> =
            std::iter::successors(self.graph.node(node).region, |outer| self.graph.node(*outer).region).collect();
        around.reverse();
        if around.len() != id.path.len() {
            return None;
        }
        let place: Vec<Place> =
            around.into_iter().zip(&id.path).map(|(node, turn)| Place { node, turn: *turn }).collect();
        self.open_step(&place, node)?;
        Some((place, node))
    }

    pub fn answer(&mut self, id: &EffectId, reply: Reply) {
        let Some((place, node)) = self.find(id) else { return };
        match self.open_step(&place, node) {
            Some(Open::Effect(pending)) if id.part == 0 && pending.attempt == id.attempt && pending.again.is_none() => {
                let judged = match reply {
                    Reply::Done(answer) => self.judged(node, &pending.settings, answer),
                    Reply::Failed { message, again } => Err((message, again)),
                };
                match judged {
                    Ok(output) => self.answered(&place, node, output),
                    Err((message, again)) => self.attempt_failed(&place, node, &message, again),
                }
            }
            Some(Open::Agent(_)) => self.agent_answered(&place, node, id, reply),
            _ => {}
        }
    }

    fn judged(&self, node: u32, settings: &Value, answer: Value) -> Result<Value, (String, bool)> {
        let kind = self.graph.node(node).kind;
        let Some(map) = settings.as_object() else { return Ok(answer) };
        let fields = Fields::new(map, false);
        match kind {
            Kind::Http => settings::http_answer(&fields, &answer).map(|()| answer),
            Kind::Generate | Kind::Classify | Kind::Extract => {
                let judge = Judge::read(kind, &fields).map_err(|mistake| (mistake.message, false))?;
                judge.output(answer).map_err(|message| (message, true))
            }
            _ => Ok(answer),
        }
    }

    pub fn answered(&mut self, place: &[Place], node: u32, output: Value) {
        let tried = match self.close(place, node) {
            Some(Open::Effect(pending)) => (pending.attempt, pending.since),
            Some(Open::Agent(talk)) => (talk.pending.attempt, talk.pending.since),
            _ => return,
        };
        self.leave(place, node, 0, output, Outcome::Success, None, tried);
        self.release(place);
    }

    /// Once more, later; or never.
    pub fn attempt_failed(&mut self, place: &[Place], node: u32, message: &str, again: bool) {
        let now = self.now;
        let care = &self.graph.node(node).care;
        let pending = match self.open_step_mut(place, node) {
            Some(Open::Effect(pending)) => pending,
            Some(Open::Agent(talk)) => &mut talk.pending,
            _ => return,
        };
        let tried = (pending.attempt, pending.since);
        if let Some(wait) = care.wait(pending.attempt).filter(|_| again) {
            pending.attempt += 1;
            pending.again = Some(now.saturating_add(settings::micros(wait)));
            return self.record(place, node, Outcome::Retried, None, Value::Null, Some(message), tried);
        }
        self.close(place, node);
        self.fail(place, node, message, tried);
        self.release(place);
    }

    /// What is due, in the order of the graph.
    pub fn tick(&mut self) {
        let now = self.now;
        let mut due: Vec<(Vec<Place>, u32)> = Vec::new();
        for scope in &self.state.scopes {
            let steps = scope.steps.iter().filter(|(_, step)| step.due().is_some_and(|due| due <= now));
            due.extend(steps.map(|(node, _)| (scope.place.clone(), *node)));
        }
        for (place, node) in due {
            // What came before may have ended it.
            if self.state.is_over() {
                return;
            }
            match self.open_step(&place, node) {
                Some(Open::Effect(pending)) if pending.again.is_some() => self.again(&place, node),
                Some(Open::Agent(talk)) if talk.pending.again.is_some() => self.agent_again(&place, node),
                Some(Open::Effect(pending)) => {
                    let id = self.id(&place, node, 0, pending.attempt);
                    self.actions.push(Action::Cancel(id));
                    self.attempt_failed(&place, node, "there was no answer", true);
                }
                Some(Open::Agent(talk)) => {
                    let (attempt, parts) = (talk.pending.attempt, talk.open_parts());
                    for part in parts {
                        let id = self.id(&place, node, part, attempt);
                        self.actions.push(Action::Cancel(id));
                    }
                    self.agent_silent(&place, node);
                }
                Some(Open::Timer { .. }) => self.woken(&place, node, 0, Value::Null),
                Some(Open::Wait(_)) => {
                    let id = self.id(&place, node, 0, 1);
                    self.actions.push(Action::Cancel(id));
                    self.woken(&place, node, 1, json!({"event": null, "name": TIMEOUT, "timed_out": true}));
                }
                Some(Open::Approval { .. }) => {
                    let id = self.id(&place, node, 0, 1);
                    self.actions.push(Action::Cancel(id));
                    let port = if self.graph.node(node).has_timeout_edge() { 2 } else { 1 };
                    self.woken(&place, node, port, json!({"approved": false, "value": null, "timed_out": true}));
                }
                _ => {}
            }
        }
    }

    fn again(&mut self, place: &[Place], node: u32) {
        let deadline = self.deadline(node);
        let Some(Open::Effect(pending)) = self.open_step_mut(place, node) else { return };
        pending.again = None;
        pending.deadline = deadline;
        let (attempt, settings) = (pending.attempt, pending.settings.clone());
        match self.request(node, &settings) {
            Ok(request) => self.ask_for(place, node, 0, attempt, request),
            Err(message) => self.attempt_failed(place, node, &message, false),
        }
    }

    /// A timer, a wait or an approval is over.
    pub fn woken(&mut self, place: &[Place], node: u32, port: u16, output: Value) {
        let since = match self.close(place, node) {
            Some(Open::Timer { since, .. } | Open::Approval { since, .. }) => since,
            Some(Open::Wait(waiting)) => waiting.since,
            _ => return,
        };
        self.leave(place, node, port, output, Outcome::Success, None, (1, since));
        self.release(place);
    }

    /// An answer, bounded.
    pub fn bounded(&self, answer: Value) -> Value {
        size::cut(answer, self.graph.limits().output_bytes).0
    }
}
