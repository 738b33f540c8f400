//! The body of a request as a JSON object that PostgreSQL takes.

use serde_json::{Map, Number, Value, json};

use crate::{Headers, Request, Unreadable};

/// JSON as it is (what is no object stands under `body`), a form as its fields, other text under `text`; without a body
/// the fields of the query.
pub fn read(request: &Request) -> Result<Value, Unreadable> {
    let kind = Headers(request.headers).get("content-type").unwrap_or_default().to_ascii_lowercase();
    let text = std::str::from_utf8(request.body).map_err(|_| Unreadable::NotText)?;
    let trimmed = text.trim_start_matches('\u{feff}').trim();
    if trimmed.is_empty() {
        return Ok(fields(request.query));
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        return Ok(inner(fields(trimmed)));
    }
    let says_json = kind.contains("json");
    if says_json || trimmed.starts_with(['{', '[']) {
        return match parse(trimmed) {
            Ok(object @ Value::Object(_)) => Ok(object),
            Ok(other) => Ok(json!({"body": other})),
            Err(error) if says_json || kind.is_empty() => Err(Unreadable::NotJson(error.to_string())),
            Err(_) => Ok(json!({"text": clean(text)})),
        };
    }
    Ok(json!({"text": clean(text)}))
}

fn parse(text: &str) -> serde_json::Result<Value> {
    let mut value: Value = serde_json::from_str(&filter::unmarked(text))?;
    tame(&mut value);
    Ok(value)
}

/// A field that is there several times is a list.
fn fields(form: &str) -> Value {
    let mut object = Map::new();
    for (name, value) in form_urlencoded::parse(form.as_bytes()) {
        let value = Value::String(clean(&value));
        match object.get_mut(&clean(&name)) {
            None => {
                object.insert(clean(&name), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(first) => *first = json!([first.take(), value]),
        }
    }
    Value::Object(object)
}

/// Slack sends some of its JSON as the only field of a form.
fn inner(fields: Value) -> Value {
    match fields.as_object().filter(|object| object.len() == 1).and_then(|object| object.get("payload")) {
        Some(Value::String(payload)) => match parse(payload) {
            Ok(object @ Value::Object(_)) => object,
            _ => fields,
        },
        _ => fields,
    }
}

/// PostgreSQL's texts have no NUL.
fn clean(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// The powers of ten that a number may be written with; beyond them it becomes a text, as nothing calculates with it and
/// written out it would be long.
const LARGEST_POWER: i64 = 400;

fn tame(value: &mut Value) {
    match value {
        Value::String(text) if text.contains('\0') => *text = clean(text),
        Value::Number(number) if is_monstrous(number) => *value = Value::String(number.to_string()),
        Value::Array(items) => items.iter_mut().for_each(tame),
        Value::Object(object) => {
            if object.keys().any(|key| key.contains('\0')) {
                *object = std::mem::take(object).into_iter().map(|(key, value)| (clean(&key), value)).collect();
            }
            object.values_mut().for_each(tame);
        }
        _ => {}
    }
}

fn is_monstrous(number: &Number) -> bool {
    let text = number.to_string();
    match text.split_once(['e', 'E']) {
        Some((_, power)) => power.parse().map_or(true, |power: i64| power.abs() > LARGEST_POWER),
        None => text.len() > 2 * LARGEST_POWER as usize,
    }
}
