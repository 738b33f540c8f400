//! What starts a flow.

use filter::Pattern;
use serde::Serialize;
use serde_json::{Value, json};

use crate::condition;
use crate::kind::Kind;

use super::fields::{Fields, Mistake};
use super::span::zone;

/// What a trigger node says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// An event whose type one of the patterns matches, and whose contents the filter (in the filter language) does.
    Event {
        patterns: Vec<String>,
        filter: Option<Value>,
        on_failure: Option<String>,
    },
    Schedule {
        schedule: String,
        timezone: Option<String>,
        on_failure: Option<String>,
    },
    Manual {
        on_failure: Option<String>,
    },
    Tool {
        name: String,
        description: String,
        parameters: Vec<Parameter>,
        on_failure: Option<String>,
    },
}

/// Of a tool.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameter {
    pub name: String,
    /// `string`, `number`, `boolean`, `array` or `object`.
    pub kind: String,
    pub description: String,
    pub required: bool,
}

impl Trigger {
    /// The flow that is started when a run of this one fails.
    pub fn on_failure(&self) -> Option<&str> {
        match self {
            Trigger::Event { on_failure, .. }
            | Trigger::Schedule { on_failure, .. }
            | Trigger::Manual { on_failure }
            | Trigger::Tool { on_failure, .. } => on_failure.as_deref(),
        }
    }
}

pub fn trigger(kind: Kind, fields: &Fields<'_>) -> Result<Trigger, Mistake> {
    let on_failure = fields.text(&["on_failure", "onFailure"])?;
    Ok(match kind {
        Kind::OnEvent => Trigger::Event { patterns: patterns(fields)?, filter: wanted(fields)?, on_failure },
        Kind::OnSchedule => {
            let schedule = fields.need(&["cron", "schedule", "expression"], "{\"cron\": \"0 9 * * *\"}")?;
            cron::Schedule::parse(&schedule)
                .map_err(|error| Mistake::new(error.to_string(), "As in \"0 9 * * mon-fri\" or \"every 2 hours\"."))?;
            zone(fields)?;
            Trigger::Schedule { schedule, timezone: fields.text(&["timezone", "timeZone"])?, on_failure }
        }
        Kind::Tool => tool(fields, on_failure)?,
        _ => Trigger::Manual { on_failure },
    })
}

/// `event` or `events`; or `event_source` with `event_type`, as operations of a table.
fn patterns(fields: &Fields<'_>) -> Result<Vec<String>, Mistake> {
    let example = "{\"event\": \"lead.created\"}";
    let patterns = match (fields.get(&["event", "events", "pattern"]), fields.text(&["event_source", "eventSource"])?) {
        (Some(Value::Array(list)), _) => list.iter().map(|item| item.as_str().unwrap_or_default().to_owned()).collect(),
        (Some(_), _) => vec![fields.need(&["event", "events", "pattern"], example)?],
        (None, Some(source)) => vec![format!("{source}.{}", operation(fields)?)],
        (None, None) => vec![operation(fields).and_then(|operation| match operation.contains('.') {
            true => Ok(operation),
            false => Err(Mistake::new("\"event\" is missing", format!("As in {example}."))),
        })?],
    };
    for pattern in &patterns {
        Pattern::parse(pattern).map_err(|error| {
            Mistake::new(format!("\"event\": {error}"), "As in \"lead.created\", \"lead.*\" or \"*\".")
        })?;
    }
    match patterns.is_empty() {
        true => Err(Mistake::new("\"event\" names no event", format!("As in {example}."))),
        false => Ok(patterns),
    }
}

fn operation(fields: &Fields<'_>) -> Result<String, Mistake> {
    let kind = fields.text(&["event_type", "eventType"])?.unwrap_or_else(|| "any".into());
    Ok(match kind.to_uppercase().as_str() {
        "INSERT" => "created".into(),
        "UPDATE" => "updated".into(),
        "DELETE" => "deleted".into(),
        "ANY" => "*".into(),
        _ => kind,
    })
}

/// `filters` are `{field: value or operators}` about the new row; conditions are as everywhere.
fn wanted(fields: &Fields<'_>) -> Result<Option<Value>, Mistake> {
    let mut parts = Vec::new();
    if let Some(filters) = fields.object(&["filters"])? {
        parts.extend(filters.iter().map(|(field, value)| match field.split_once('.') {
            Some(("new" | "old" | "trigger", _)) => json!({ field.trim_start_matches("trigger."): value }),
            _ => json!({ format!("new.{field}"): value }),
        }));
    }
    let map = fields.all();
    if condition::is_there(map) && !is_nothing(map) {
        // The filter is over the event itself.
        parts.push(condition::without(condition::filter(map)?, "trigger."));
    }
    let filter = match parts.len() {
        0 => return Ok(None),
        1 => parts.remove(0),
        _ => json!({ "$and": parts }),
    };
    super::checked(&filter)?;
    Ok(Some(filter))
}

/// An editor leaves an empty list where nothing is asked for; a trigger without conditions is one without a filter.
fn is_nothing(map: &serde_json::Map<String, Value>) -> bool {
    ["groups", "conditions", "filter", "condition"].iter().all(|name| match map.get(*name) {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(object)) => object.is_empty(),
        _ => false,
    })
}

fn tool(fields: &Fields<'_>, on_failure: Option<String>) -> Result<Trigger, Mistake> {
    let name = fields.need(&["toolName", "tool_name", "name"], "{\"toolName\": \"book_visit\"}")?;
    let named = |text: &str| {
        text.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
            && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    if !named(&name) || name.len() > 64 {
        return Err(Mistake::new(
            "\"toolName\" is not the name of a tool",
            "Up to 64 lower-case letters, digits and underscores, beginning with no digit.",
        ));
    }
    let example = "{\"toolDescription\": \"Books a visit for the client\"}";
    let description = fields.short(&["toolDescription", "tool_description", "description"], 500, example)?;
    if description.chars().count() < 10 {
        return Err(Mistake::new(
            "\"toolDescription\" is shorter than 10 characters",
            "Tell the model what it is for.",
        ));
    }
    let mut parameters = Vec::new();
    for item in fields.list(&["parameters"])?.into_iter().flatten() {
        let Value::Object(item) = item else {
            return Err(Mistake::new(
                "a parameter is not an object",
                "As in {\"name\": \"day\", \"type\": \"string\"}.",
            ));
        };
        let inner = fields.within(item);
        parameters.push(Parameter {
            name: inner.need(&["name"], "{\"name\": \"day\", \"type\": \"string\"}")?,
            kind: inner.choice(&["type"], &["string", "number", "boolean", "array", "object"])?.to_owned(),
            description: inner.text(&["description"])?.unwrap_or_default(),
            required: inner.flag(&["required"], false)?,
        });
    }
    Ok(Trigger::Tool { name, description, parameters, on_failure })
}
