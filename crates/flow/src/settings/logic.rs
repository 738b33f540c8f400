//! Nodes that decide where a run goes, and when.

use filter::Pattern;
use serde_json::{Map, Value};

use crate::action::Watched;
use crate::{Limits, condition};

use super::fields::{Fields, Mistake};
use super::span::{micros, span};

/// Days of a wait that says no time-out.
const PATIENCE: u32 = 30;
/// Ways out of a switch, and events of a wait.
const WAYS: usize = 50;
pub const SUBJECT: [&str; 5] = ["value", "field", "expression", "variable", "input"];

/// When a node runs that several edges lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// All are decided, and at least one was taken. Every node but a merge that says otherwise.
    Arrived,
    /// All were taken.
    All,
    /// So many were taken; the others are not waited for.
    First(u32),
}

pub fn join(fields: &Fields<'_>) -> Result<Join, Mistake> {
    let count = fields.integer(&["count", "how_many", "howMany"], 0..=10_000, 0)?;
    let mode = fields.choice(&["mode", "merge", "wait_for", "waitFor"], &["arrived", "all", "any", "count"])?;
    match (mode, count) {
        ("all", _) => Ok(Join::All),
        ("any", _) => Ok(Join::First(1)),
        ("count", 0) => Err(Mistake::new("\"count\" is missing", "As in {\"mode\": \"count\", \"count\": 2}.")),
        (_, 0) => Ok(Join::Arrived),
        (_, count) => Ok(Join::First(count)),
    }
}

/// The cases of a switch, in their order.
#[derive(Debug)]
pub struct Cases {
    /// The handle, and what leads to it.
    pub cases: Vec<(String, Case)>,
    pub subject: Option<Value>,
}

#[derive(Debug)]
pub enum Case {
    Equals(Value),
    /// In the filter language.
    Filter(Value),
}

pub fn cases(fields: &Fields<'_>) -> Result<Cases, Mistake> {
    let example = "{\"value\": \"{{ lead.status }}\", \"cases\": [{\"name\": \"hot\", \"value\": \"hot\"}]}";
    fields.require(&["cases"], example)?;
    let list = fields.list(&["cases"])?.map(Vec::as_slice).unwrap_or_default();
    if !fields.is_draft() || fields.list(&["cases"])?.is_some() {
        match list.len() {
            0 => return Err(Mistake::new("a switch has no cases", format!("As in {example}."))),
            many if many > WAYS => {
                return Err(Mistake::new(format!("a switch has {many} cases, at most {WAYS} are allowed"), "Use two."));
            }
            _ => {}
        }
    }
    let mut cases: Vec<(String, Case)> = Vec::new();
    for item in list {
        let (name, case) = match item {
            Value::Object(object) => (case_name(&fields.within(object))?, case(object)?),
            other => (text_of(other), Case::Equals(other.clone())),
        };
        if cases.iter().any(|(known, _)| *known == name) || name == "default" {
            return Err(Mistake::new(
                format!("two ways out of a switch are called \"{}\"", crate::finding::shown(&name)),
                "Give each case a \"name\" of its own; \"default\" is the way of what fits none.",
            ));
        }
        cases.push((name, case));
    }
    let subject = fields.get(&SUBJECT).cloned();
    let compares = cases.iter().any(|(_, case)| matches!(case, Case::Equals(_)));
    if compares && subject.is_none() && fields.is_draft() {
        return Err(Mistake::new("a switch does not say what it compares", format!("As in {example}.")));
    }
    Ok(Cases { cases, subject })
}

fn case_name(fields: &Fields<'_>) -> Result<String, Mistake> {
    let name = fields.text(&["name", "handle", "id", "label", "value"])?;
    name.ok_or_else(|| {
        Mistake::new("a case has neither name nor value", "As in {\"name\": \"hot\", \"value\": \"hot\"}.")
    })
}

fn case(object: &Map<String, Value>) -> Result<Case, Mistake> {
    if !condition::is_there(object) {
        return Ok(Case::Equals(object.get("value").cloned().unwrap_or_default()));
    }
    let filter = condition::filter(object)?;
    super::checked(&filter)?;
    Ok(Case::Filter(filter))
}

/// A value as an editor's text field shows it.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[derive(Debug)]
pub struct Loop {
    pub items: Vec<Value>,
    pub parallelism: u32,
    /// A failed iteration is a result like another.
    pub tolerant: bool,
}

pub fn looped(fields: &Fields<'_>, limits: &Limits) -> Result<Loop, Mistake> {
    Ok(Loop {
        items: super::items(fields, limits)?,
        parallelism: fields.integer(&["parallelism", "parallel", "concurrency"], 1..=limits.parallelism.max(1), 1)?,
        tolerant: fields.flag(&["skip_failures", "skipFailures"], false)?,
    })
}

/// What a stop ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    Run,
    /// As a failure.
    RunFailed,
    /// The loop around it, with the results so far.
    Loop,
    /// The iteration around it; the next one begins.
    Iteration,
}

pub fn stop(fields: &Fields<'_>) -> Result<(Ends, String), Mistake> {
    let status = fields.choice(&["status"], &["completed", "failed", "success", "error"])?;
    let ends = fields.choice(&["ends", "scope", "what"], &["run", "loop", "iteration"])?;
    let ends = match (ends, status) {
        ("loop", _) => Ends::Loop,
        ("iteration", _) => Ends::Iteration,
        (_, "failed" | "error") => Ends::RunFailed,
        _ => Ends::Run,
    };
    Ok((ends, fields.text(&["message", "reason"])?.unwrap_or_else(|| "stopped by the flow".into())))
}

/// The events that a wait is for, and microseconds until it gives up.
pub fn watched(fields: &Fields<'_>, limits: &Limits) -> Result<(Vec<Watched>, i64), Mistake> {
    let example = "{\"event\": \"appointment.*\", \"timeout\": \"2 days\"}";
    let mut events = Vec::new();
    match fields.get(&["events"]) {
        Some(Value::Array(list)) => {
            for item in list {
                events.push(match item {
                    Value::Object(object) => one(&fields.within(object), example)?,
                    other => Watched { name: text_of(other), pattern: text_of(other), filter: None },
                });
            }
        }
        Some(value) if fields.is_open(value) => {}
        Some(_) => return Err(Mistake::new("\"events\" is not an array", format!("As in {example}."))),
        None => events.push(one(fields, example)?),
    }
    if events.is_empty() || events.len() > WAYS {
        return Err(Mistake::new(format!("a wait is for 1 to {WAYS} events"), format!("As in {example}.")));
    }
    for event in &events {
        let parsed = Pattern::parse(&event.pattern);
        parsed.map_err(|error| Mistake::new(error.to_string(), "As in \"appointment.created\" or \"message.*\"."))?;
    }
    Ok((events, patience(fields, limits)?))
}

fn one(fields: &Fields<'_>, example: &str) -> Result<Watched, Mistake> {
    let pattern = fields.need(&["event", "event_type", "eventType", "pattern"], example)?;
    let filter = match condition::is_there(fields.all()) {
        true => Some(condition::without(condition::filter(fields.all())?, "event.")),
        false => None,
    };
    if let Some(filter) = &filter {
        super::checked(filter)?;
    }
    Ok(Watched { name: fields.text(&["name", "handle"])?.unwrap_or_else(|| pattern.clone()), pattern, filter })
}

#[derive(Debug)]
pub struct Approval {
    pub name: String,
    pub to: Value,
    pub message: String,
    /// Microseconds.
    pub patience: i64,
}

/// `name` is what the decision is sent to: the node's id unless it says another.
pub fn approval(fields: &Fields<'_>, id: &str, limits: &Limits) -> Result<Approval, Mistake> {
    Ok(Approval {
        name: fields.text(&["name", "signal"])?.unwrap_or_else(|| id.to_owned()),
        to: fields.get(&["to", "approvers", "assignee"]).cloned().unwrap_or_default(),
        message: fields.text(&["message", "text", "description"])?.unwrap_or_default(),
        patience: patience(fields, limits)?,
    })
}

fn patience(fields: &Fields<'_>, limits: &Limits) -> Result<i64, Mistake> {
    let span = span(fields, &["timeout", "for", "timeout_after"], limits.days)?;
    Ok(span.map_or(i64::from(PATIENCE.min(limits.days)) * 86_400_000_000, micros))
}
