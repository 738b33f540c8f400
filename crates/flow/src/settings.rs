//! The settings of each kind of node: one reading, for the check (templates not filled in) and for the step (filled
//! in).

mod ai;
mod care;
mod fields;
mod logic;
mod outside;
mod span;
mod transform;
mod trigger;

pub use ai::{Judge, agent};
pub use care::Care;
pub use fields::{Fields, Mistake};
pub use logic::{Approval, Case, Ends, Join, Loop, approval, cases, join, looped, stop, text_of, watched};
pub use outside::{emit, http_answer, request};
pub use span::{Delay, delay, micros};
pub use transform::{aggregate, items, variables};
pub use trigger::{Parameter, Trigger, trigger};

use serde_json::{Map, Value};

use crate::kind::Kind;
use crate::source::{is_template, plain_path};
use crate::{Limits, condition};
use report::Report;

/// The first mistake in settings whose templates are not filled in.
pub fn check(kind: Kind, name: &str, settings: &Map<String, Value>, limits: &Limits) -> Result<(), Mistake> {
    let fields = Fields::new(settings, true);
    Care::read(kind, &fields, limits)?;
    match kind {
        kind if kind.is_trigger() => trigger(kind, &fields).map(drop),
        Kind::Condition => conditions(settings),
        Kind::Switch => cases(&fields).map(drop),
        Kind::Loop => looped(&fields, limits).map(drop),
        Kind::Delay => delay(&fields, limits.days).map(drop),
        Kind::Stop => stop(&fields).map(drop),
        Kind::Wait => watched(&fields, limits).map(drop),
        Kind::Merge => join(&fields).map(drop),
        Kind::Approval => approval(&fields, "", limits).map(drop),
        Kind::SetVariable => variables(&fields).map(drop),
        Kind::Map => items(&fields, limits).map(drop),
        Kind::Filter => items(&fields, limits).and_then(|_| conditions(settings)),
        Kind::Aggregate => items(&fields, limits).and_then(|_| aggregate(&fields)).map(drop),
        Kind::Emit => emit(&fields).map(drop),
        Kind::Agent => agent(&fields, limits).map(drop),
        Kind::Unknown => Ok(()),
        kind => request(kind, name, &fields, limits).and_then(|_| Judge::read(kind, &fields)).map(drop),
    }
}

fn conditions(settings: &Map<String, Value>) -> Result<(), Mistake> {
    checked(&condition::filter(settings)?)
}

/// Whether a filter is one, as far as that shows before its templates are filled in.
fn checked(filter: &Value) -> Result<(), Mistake> {
    if has_template(filter) { Ok(()) } else { compiled(filter).map(drop) }
}

/// Whether any of its texts has a template.
pub fn has_template(value: &Value) -> bool {
    match value {
        Value::String(text) => is_template(text),
        Value::Array(items) => items.iter().any(has_template),
        Value::Object(object) => object.values().any(has_template),
        _ => false,
    }
}

/// The filter, compiled.
pub fn compiled(filter: &Value) -> Result<filter::Filter, Mistake> {
    filter::Filter::parse(filter).map_err(|error| Mistake::new(error.to_string(), error.hint().unwrap_or_default()))
}

/// Settings of which templates are made when the node is reached, and what is left for each of its items or turns.
/// Fields of conditions are paths, with or without delimiters; so are lists, and what a switch looks at.
pub fn prepared(kind: Kind, settings: &Map<String, Value>) -> (Map<String, Value>, Option<Value>) {
    let mut settings = settings.clone();
    for name in ["groups", "conditions", "condition", "cases", "events"] {
        if let Some(value) = settings.get_mut(name) {
            unwrap_fields(value);
        }
    }
    let listed: &[&str] = match kind {
        Kind::Loop | Kind::Map | Kind::Filter | Kind::Aggregate => &transform::ITEMS,
        Kind::Switch => &logic::SUBJECT,
        _ => &[],
    };
    for name in listed {
        if let Some(Value::String(text)) = settings.get_mut(*name)
            && !is_template(text)
            && let Some(path) = plain_path(text).filter(|path| is_value(path))
        {
            *text = format!("{{{{ {path} }}}}");
        }
    }
    let inner: &[&str] = match kind {
        Kind::Map => &["each", "template", "value", "fields", "mapping", "expression"],
        Kind::Loop => &["result"],
        _ => &[],
    };
    let taken = inner.iter().find_map(|name| settings.remove(*name));
    (settings, taken)
}

/// Whether a path begins with one of the namespaces.
fn is_value(path: &str) -> bool {
    path.split('.').next().is_some_and(|first| crate::view::NAMES.contains(&first))
}

fn unwrap_fields(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(unwrap_fields),
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                match value {
                    Value::String(text) if key == "field" || key == "path" => {
                        if let Some(path) = plain_path(text) {
                            *text = path.to_owned();
                        }
                    }
                    Value::Array(_) | Value::Object(_) if key != "value" => unwrap_fields(value),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
