//! What templates and conditions of a step see.

use std::cell::OnceCell;

use filter::{Document, Path};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::effect::without_marks;
use crate::graph::Graph;
use crate::kind::Kind;
use crate::state::{Open, Place, State, Step};

/// The namespaces.
pub const NAMES: [&str; 12] = [
    "trigger",
    "lead",
    "contact",
    "conversation",
    "appointment",
    "booking",
    "variables",
    "node",
    "item",
    "index",
    "env",
    "secrets",
];

pub struct View<'a> {
    graph: &'a Graph,
    state: &'a State,
    place: &'a [Place],
    now: i64,
    /// Of a transformation that goes through items.
    each: Option<(&'a Value, Value)>,
    secrets: &'a Value,
    env: OnceCell<Value>,
    index: OnceCell<Value>,
}

impl<'a> View<'a> {
    pub fn new(graph: &'a Graph, state: &'a State, place: &'a [Place], now: i64) -> View<'a> {
        let (env, index) = (OnceCell::new(), OnceCell::new());
        View { graph, state, place, now, each: None, secrets: &Value::Null, env, index }
    }

    /// With marks in the places of these secrets.
    pub fn with_secrets(self, secrets: &'a Value) -> View<'a> {
        View { secrets, ..self }
    }

    pub fn with_item(&self, item: &'a Value, index: usize) -> View<'a> {
        let each = Some((item, Value::from(index)));
        View { each, env: OnceCell::new(), index: OnceCell::new(), ..*self }
    }

    /// A document with what these paths lead to, and nothing else: it is made for each step.
    pub fn context(&self, names: &[String]) -> Value {
        let mut context = Map::new();
        for name in names {
            let segments: Vec<&str> = name.split('.').collect();
            if segments[0] == "secrets" {
                continue;
            } else if let Some((value, used)) = self.root(&segments) {
                put(&mut context, &segments, value, used);
            } else if segments[0] == "node" && segments.len() == 1 {
                context.insert("node".into(), self.outputs());
            }
        }
        let mut context = Value::Object(context);
        if !self.secrets.is_null() {
            without_marks(&mut context);
            context["secrets"] = self.secrets.clone();
        }
        context
    }

    /// The value that the first one or two segments name, and how many they are.
    fn root(&self, segments: &[&str]) -> Option<(&Value, usize)> {
        let first = *segments.first()?;
        let value = match first {
            "trigger" => &self.state.trigger,
            "variables" => &self.state.variables,
            "booking" => self.state.records.get("appointment")?,
            "item" => self.item()?.0,
            "index" => self.index()?,
            "env" => self.env(),
            "node" => return Some((self.output(self.graph.node_of_alias(segments.get(1)?)?)?, 2)),
            name => self.state.records.get(name)?,
        };
        Some((value, 1))
    }

    /// The output of a node, in this iteration or one around it. That of a loop, inside its body, is where it is.
    fn output(&self, node: u32) -> Option<&Value> {
        if self.graph.node(node).kind.is_trigger() {
            return Some(&self.state.trigger);
        }
        let scopes = (0..=self.place.len()).rev().filter_map(|length| self.state.scope(&self.place[..length]));
        scopes.into_iter().find_map(|scope| match scope.steps.get(&node)? {
            Step::Done { output, .. } => Some(output),
            Step::Open(Open::Loop(turns)) => {
                let turn = self.place.iter().find(|place| place.node == node)?;
                turns.items.get(turn.turn as usize)
            }
            Step::Open(_) => None,
        })
    }

    fn outputs(&self) -> Value {
        let numbered = self.graph.nodes().map(|(number, node)| (node.alias.clone(), self.output(number)));
        Value::Object(numbered.filter_map(|(alias, output)| Some((alias, output?.clone()))).collect())
    }

    fn item(&self) -> Option<(&Value, u32)> {
        if let Some((item, index)) = &self.each {
            return Some((*item, index.as_u64().unwrap_or_default() as u32));
        }
        let last = self.place.last()?;
        let around = self.state.scope(&self.place[..self.place.len() - 1])?;
        match around.steps.get(&last.node)? {
            Step::Open(Open::Loop(turns)) => Some((turns.items.get(last.turn as usize)?, last.turn)),
            _ => None,
        }
    }

    fn index(&self) -> Option<&Value> {
        let (_, index) = self.item()?;
        Some(self.index.get_or_init(|| index.into()))
    }

    fn env(&self) -> &Value {
        self.env.get_or_init(|| {
            let moment = Timestamp::from_microsecond(self.now).unwrap_or_default();
            json!({
                "timestamp": moment.to_string(),
                "execution_id": self.state.run,
                "run_id": self.state.run,
                "automation_id": self.state.flow,
                "flow": self.state.flow,
            })
        })
    }
}

/// A filter's paths begin with a namespace; in a filter over items, others look into the item.
impl Document for View<'_> {
    fn at(&self, path: &Path) -> Option<&Value> {
        let names: Vec<&str> = path.segments().iter().map(|segment| segment.name.as_str()).collect();
        let found = match names.as_slice() {
            ["node", id, ..] => self.graph.number(id).and_then(|node| self.output(node)).map(|value| (value, 2)),
            [first, ..] if NAMES.contains(first) => self.root(&names),
            _ => self.each.as_ref().map(|(item, _)| (*item, 0)),
        };
        let (value, used) = found?;
        match used {
            0 => path.find(value),
            1 => path.find_below(value),
            _ if names.len() == used => Some(value),
            _ => Path::parse(&names[used..].join("."))?.find(value),
        }
    }
}

/// Puts the part of `value` that the segments after the first `used` lead to at the same place of the context.
fn put(context: &mut Map<String, Value>, segments: &[&str], value: &Value, used: usize) {
    let mut found = value;
    for segment in &segments[used..] {
        match found.get(*segment) {
            Some(inner) => found = inner,
            None => return,
        }
    }
    let mut at = context;
    let Some((last, before)) = segments.split_last() else { return };
    for segment in before {
        let slot = at.entry((*segment).to_owned()).or_insert_with(|| Value::Object(Map::new()));
        match slot {
            Value::Object(inner) => at = inner,
            _ => return,
        }
    }
    at.insert((*last).to_owned(), found.clone());
}

/// Whether a kind of node fills in secrets.
pub fn takes_secrets(kind: Kind) -> bool {
    kind == Kind::Http
}
