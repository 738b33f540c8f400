//! Nodes that ask a model.

use serde_json::{Value, json};

use crate::kind::Kind;
use crate::{Limits, Request};

use super::fields::{Fields, Mistake};
use super::logic::text_of;
use report::Report;

const CATEGORIES: [&str; 4] = ["categories", "labels", "classes", "options"];
const TOKENS: [&str; 3] = ["max_tokens", "maxTokens", "tokens"];

/// The request of `ai-generate`, `ai-classify` and `ai-extract`.
pub fn model(kind: Kind, fields: &Fields<'_>, limits: &Limits) -> Result<Request, Mistake> {
    let (instruction, asked) = match kind {
        Kind::Classify => {
            let categories = categories(fields)?;
            (
                Some(format!("Say which of these categories the text belongs to: {}.", categories.join(", "))),
                fields.need(
                    &["input", "text", "content", "prompt"],
                    "{\"input\": \"{{ trigger.new.message }}\", \"categories\": [\"hot\", \"cold\"]}",
                )?,
            )
        }
        Kind::Extract => (
            Some("Take from the text what the schema asks for; null where it does not say.".to_owned()),
            fields.need(
                &["input", "text", "content", "prompt"],
                "{\"input\": \"{{ trigger.new.message }}\", \"fields\": [\"name\", \"day\"]}",
            )?,
        ),
        _ => {
            (None, fields.need(&["prompt", "input", "text"], "{\"prompt\": \"Write a greeting for {{ lead.name }}\"}")?)
        }
    };
    let own = fields.text(&["system", "systemPrompt", "system_prompt", "instructions"])?;
    let system: Vec<String> = own.into_iter().chain(instruction).collect();
    let mut messages = Vec::new();
    if !system.is_empty() {
        messages.push(json!({"role": "system", "content": system.join("\n\n")}));
    }
    messages.push(json!({"role": "user", "content": asked}));
    Ok(Request::Model {
        model: fields.text(&["model"])?,
        messages,
        schema: schema(kind, fields)?,
        tools: Vec::new(),
        tokens: fields.integer(&TOKENS, 1..=limits.tokens.max(1), limits.tokens.clamp(1, 1024))?,
        temperature: temperature(fields)?,
    })
}

fn temperature(fields: &Fields<'_>) -> Result<Option<f64>, Mistake> {
    match fields.number(&["temperature"])? {
        Some(number) if !(0.0..=2.0).contains(&number) => {
            Err(Mistake::new("\"temperature\" is not between 0 and 2", "0 answers the same each time, nearly."))
        }
        number => Ok(number),
    }
}

fn categories(fields: &Fields<'_>) -> Result<Vec<String>, Mistake> {
    let example = "{\"categories\": [\"hot\", \"warm\", \"cold\"]}";
    fields.require(&CATEGORIES, example)?;
    let list = fields.list(&CATEGORIES)?.map(Vec::as_slice).unwrap_or_default();
    let name = |item: &Value| match item {
        Value::Object(object) => {
            object.get("name").or_else(|| object.get("label")).or_else(|| object.get("value")).map(text_of)
        }
        other => Some(text_of(other)),
    };
    let names: Option<Vec<String>> = list.iter().map(name).collect();
    match names {
        Some(names) if names.len() >= 2 || fields.is_draft() && list.is_empty() => Ok(names),
        _ => Err(Mistake::new("\"categories\" are fewer than two", format!("As in {example}."))),
    }
}

/// What the answer is to look like.
fn schema(kind: Kind, fields: &Fields<'_>) -> Result<Option<Value>, Mistake> {
    let schema = match kind {
        Kind::Classify => json!({
            "type": "object",
            "properties": {"category": {"enum": categories(fields)?}, "reason": {"type": "string"}},
            "required": ["category"],
        }),
        Kind::Extract => match (fields.object(&["schema"])?, fields.get(&["fields"])) {
            (Some(schema), _) => schema.clone().into(),
            (None, Some(Value::Array(list))) => {
                let names = list.iter().map(|item| match item {
                    Value::Object(object) => {
                        let kind = object.get("type").and_then(Value::as_str).unwrap_or("string");
                        let about = object.get("description").map(text_of).unwrap_or_default();
                        (
                            object.get("name").map(text_of).unwrap_or_default(),
                            json!({"type": [kind, "null"], "description": about}),
                        )
                    }
                    other => (text_of(other), json!({"type": ["string", "null"]})),
                });
                let properties: serde_json::Map<String, Value> = names.collect();
                json!({"type": "object", "properties": properties})
            }
            (None, Some(Value::Object(object))) => json!({"type": "object", "properties": object}),
            (None, _) => {
                return Err(Mistake::new(
                    "\"fields\" is missing",
                    "As in {\"fields\": [\"name\", \"day\"]}, or a \"schema\".",
                ));
            }
        },
        _ => match fields.object(&["schema"])? {
            Some(schema) => schema.clone().into(),
            None => return Ok(None),
        },
    };
    if fields.is_draft() {
        schema::Checker::compile(&schema)
            .map_err(|error| Mistake::new(error.to_string(), error.hint().unwrap_or_default()))?;
    }
    Ok(Some(schema))
}

/// What an answer of a model must be.
pub struct Judge {
    schema: Option<Value>,
    one_of: Vec<String>,
}

impl Judge {
    pub fn read(kind: Kind, fields: &Fields<'_>) -> Result<Judge, Mistake> {
        match kind {
            Kind::Generate | Kind::Extract => Ok(Judge { schema: schema(kind, fields)?, one_of: Vec::new() }),
            Kind::Classify => Ok(Judge { schema: None, one_of: categories(fields)? }),
            _ => Ok(Judge { schema: None, one_of: Vec::new() }),
        }
    }

    /// The node's output.
    ///
    /// # Errors
    /// What is wrong with the answer: a model can be asked again.
    pub fn output(&self, answer: Value) -> Result<Value, String> {
        if !self.one_of.is_empty() {
            let said =
                ["/json/category", "/category", "/text"].iter().find_map(|place| answer.pointer(place)?.as_str());
            let said = said.unwrap_or_default().trim();
            let known = self.one_of.iter().find(|name| name.eq_ignore_ascii_case(said));
            return match known {
                Some(name) => Ok(json!({"category": name, "reason": answer.pointer("/json/reason")})),
                None => Err("the model named none of the categories".into()),
            };
        }
        let Some(schema) = &self.schema else { return Ok(answer) };
        let Some(json) = answer.get("json") else { return Err("the model did not answer with JSON".into()) };
        let checker = schema::Checker::compile(schema).map_err(|error| error.to_string())?;
        match checker.mistakes(json).first() {
            Some(mistake) => Err(format!("the model's answer does not fit the schema: {}", mistake.message)),
            None => Ok(json.clone()),
        }
    }
}

/// An agent.
pub struct Agent {
    pub model: Option<String>,
    pub messages: Vec<Value>,
    pub tools: Vec<String>,
    pub turns: u32,
    pub tokens: u32,
    pub temperature: Option<f64>,
}

pub fn agent(fields: &Fields<'_>, limits: &Limits) -> Result<Agent, Mistake> {
    let mut messages = Vec::new();
    if let Some(system) = fields.text(&["system", "systemPrompt", "system_prompt", "instructions"])? {
        messages.push(json!({"role": "system", "content": system}));
    }
    let example = "{\"prompt\": \"{{ trigger.new.content }}\", \"tools\": [\"book_visit\"]}";
    messages.push(json!({"role": "user", "content": fields.need(&["prompt", "input", "message"], example)?}));
    let tools = fields.list(&["tools"])?.into_iter().flatten().map(text_of).collect();
    Ok(Agent {
        model: fields.text(&["model"])?,
        messages,
        tools,
        turns: fields.integer(
            &["max_turns", "maxTurns", "turns"],
            1..=limits.turns.max(1),
            5.min(limits.turns.max(1)),
        )?,
        tokens: fields.integer(&TOKENS, 1..=limits.tokens.max(1), limits.tokens.clamp(1, 1024))?,
        temperature: temperature(fields)?,
    })
}
