//! Nodes that ask for something outside.

use serde_json::{Map, Value};

use crate::kind::Kind;
use crate::source::is_template;
use crate::{Limits, Request};

use super::ai;
use super::fields::{Fields, Mistake};

const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Answers that are a success unless the node says others.
const SUCCESS: [u16; 4] = [200, 201, 202, 204];

/// What the settings ask for. `name` is the type of the node.
pub fn request(kind: Kind, name: &str, fields: &Fields<'_>, limits: &Limits) -> Result<Request, Mistake> {
    match kind {
        Kind::Http => http(fields),
        Kind::Sql => sql(fields),
        Kind::Email => email(fields),
        Kind::Flow => Ok(Request::Flow {
            flow: fields.need(&["flow", "name", "automation"], "{\"flow\": \"welcome\", \"input\": {}}")?,
            input: fields.get(&["input", "data", "payload"]).cloned().unwrap_or_else(|| Value::Object(Map::new())),
            wait: fields.flag(&["wait"], true)?,
        }),
        Kind::Notify => Ok(Request::Notify { settings: fields.all().clone().into() }),
        Kind::Generate | Kind::Classify | Kind::Extract => ai::model(kind, fields, limits),
        _ => business(name, fields),
    }
}

fn http(fields: &Fields<'_>) -> Result<Request, Mistake> {
    let url = fields.need(&["url", "endpoint"], "{\"url\": \"https://example.com/hook\"}")?;
    let begins = |start: &str| url.get(..start.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(start));
    if !(begins("http://") || begins("https://") || fields.is_draft() && url.trim_start().starts_with("{{")) {
        return Err(Mistake::new("\"url\" is no address of the web", "It begins with https:// or http://."));
    }
    let content = fields.get(&["body", "data", "payload"]);
    let method = fields.text(&["method"])?.unwrap_or_else(|| if content.is_some() { "POST" } else { "GET" }.into());
    let is_open = fields.is_draft() && is_template(&method);
    let method = method.to_uppercase();
    if !is_open && !METHODS.contains(&method.as_str()) {
        return Err(Mistake::new("\"method\" is no method of HTTP", format!("One of {}.", METHODS.join(", "))));
    }
    let mut headers = headers(fields)?;
    let body = match content {
        None => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(other) => {
            if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                headers.push(("content-type".into(), "application/json".into()));
            }
            Some(other.to_string())
        }
    };
    successes(fields)?;
    Ok(Request::Http { method, url, headers, body, secrets: Vec::new() })
}

fn headers(fields: &Fields<'_>) -> Result<Vec<(String, String)>, Mistake> {
    let mut headers = Vec::new();
    match fields.get(&["headers"]) {
        Some(Value::Array(list)) => {
            for item in list {
                let Value::Object(item) = item else { return Err(no_header()) };
                let inner = fields.within(item);
                let name = inner.need(&["name", "key"], "{\"name\": \"accept\", \"value\": \"text/html\"}")?;
                headers.push((name, inner.text(&["value"])?.unwrap_or_default()));
            }
        }
        _ => {
            for (name, value) in fields.object(&["headers"])?.into_iter().flatten() {
                match value {
                    Value::Array(_) | Value::Object(_) => return Err(no_header()),
                    value => headers.push((name.clone(), super::logic::text_of(value))),
                }
            }
        }
    }
    let is_safe = |text: &str| !text.contains(['\r', '\n', '\0']);
    match headers.iter().find(|(name, value)| name.is_empty() || !is_safe(name) || !is_safe(value)) {
        Some(_) if fields.is_draft() => Ok(headers),
        Some(_) => Err(Mistake::new("a header has no name, or a line break", "A header is one line.")),
        None => Ok(headers),
    }
}

fn no_header() -> Mistake {
    Mistake::new("a header is not a name with a text", "As in {\"headers\": {\"accept\": \"text/html\"}}.")
}

fn successes(fields: &Fields<'_>) -> Result<Vec<u16>, Mistake> {
    let names = ["success_codes", "successCodes", "expected_status"];
    let Some(list) = fields.list(&names)? else { return Ok(SUCCESS.to_vec()) };
    let code = |value: &Value| {
        value.as_u64().and_then(|code| u16::try_from(code).ok()).filter(|code| (100..600).contains(code))
    };
    let codes: Option<Vec<u16>> = list.iter().map(code).collect();
    match codes.filter(|codes| !codes.is_empty()) {
        Some(codes) => Ok(codes),
        None => Err(Mistake::new("\"success_codes\" are not codes of HTTP", "As in [200, 201].")),
    }
}

/// Whether an answer is a success; if not, why, and whether there is sense in asking again.
pub fn http_answer(fields: &Fields<'_>, answer: &Value) -> Result<(), (String, bool)> {
    let status = answer.get("status").and_then(Value::as_u64).unwrap_or_default();
    let codes = successes(fields).unwrap_or_else(|_| SUCCESS.to_vec());
    if codes.iter().any(|code| u64::from(*code) == status) {
        return Ok(());
    }
    Err((format!("the answer has status {status}"), matches!(status, 408 | 425 | 429 | 500..=599)))
}

fn sql(fields: &Fields<'_>) -> Result<Request, Mistake> {
    let sql = fields
        .need(&["sql", "query", "statement"], "{\"sql\": \"select f($1)\", \"parameters\": [\"{{ lead.id }}\"]}")?;
    if fields.is_draft() && is_template(&sql) {
        return Err(Mistake::new(
            "templates in SQL are not filled in",
            "Write $1, $2 … and give the values in \"parameters\": so no value can be read as SQL.",
        ));
    }
    let parameters = fields.list(&["parameters", "params", "values"])?.cloned().unwrap_or_default();
    Ok(Request::Sql { sql, parameters })
}

fn email(fields: &Fields<'_>) -> Result<Request, Mistake> {
    let example = "{\"to\": \"{{ lead.email }}\", \"subject\": \"Welcome\", \"body\": \"…\"}";
    let to = match fields.require(&["to", "recipient", "recipients"], example)? {
        Value::Array(list) => list.iter().map(super::logic::text_of).collect(),
        _ => {
            let text = fields.need(&["to", "recipient", "recipients"], example)?;
            text.split(',').map(|address| address.trim().to_owned()).filter(|address| !address.is_empty()).collect()
        }
    };
    Ok(Request::Email {
        to,
        subject: fields.short(&["subject"], 200, example)?,
        body: fields.need(&["body", "text", "html", "message", "template"], example)?,
        settings: fields.all().clone().into(),
    })
}

/// The type of the event, its data, and its key. An event of a flow is one of the user's own.
pub fn emit(fields: &Fields<'_>) -> Result<(String, Value, Option<String>), Mistake> {
    let names = ["event", "event_type", "eventType", "type", "name"];
    let event = fields.need(&names, "{\"event\": \"lead.welcomed\", \"data\": {}}")?;
    if !(fields.is_draft() && is_template(&event)) {
        filter::check_event_type(&event)
            .map_err(|error| Mistake::new(error.to_string(), "As in \"lead.welcomed\"."))?;
    }
    let data = fields.get(&["data", "payload", "input"]).cloned().unwrap_or_else(|| Value::Object(Map::new()));
    Ok((event, data, fields.text(&["key"])?))
}

/// Nodes whose handlers stand elsewhere; the limits of those that every installation has are known here.
fn business(name: &str, fields: &Fields<'_>) -> Result<Request, Mistake> {
    match name {
        "action-update-lead" => {
            fields.require(
                &["fields", "updates", "values", "data", "status", "stage", "score", "tags"],
                "{\"fields\": {\"status\": \"hot\"}}",
            )?;
        }
        "action-create-booking" => {
            fields.integer(&["duration", "durationMinutes", "duration_minutes"], 5..=480, 30)?;
        }
        "action-send-message" => {
            fields.require(
                &["message", "text", "body", "content", "template"],
                "{\"message\": \"See you at {{ appointment.starts_at }}\"}",
            )?;
        }
        _ => {}
    }
    Ok(Request::Node { settings: fields.all().clone().into() })
}
