//! The shape of a request: its payload and its signature.

use std::str::FromStr;

use courier::HeaderName;
use delivery::{Event, Op, parsed};
use serde_json::value::RawValue;
use template::Template;

use super::clock;
use super::mark;

pub enum Payload {
    /// `{"type", "timestamp", "data", "previous"}`
    Standard,
    /// `{"type", "table", "schema", "record", "old_record"}`, as Supabase's database webhooks
    Supabase,
    /// the bare record
    Record,
    Template(Box<Template>),
}

impl Payload {
    pub fn is_name(text: &str) -> bool {
        matches!(text, "standard" | "supabase" | "record")
    }

    pub fn parse(text: &str) -> Result<Payload, String> {
        Ok(match text {
            "standard" => Payload::Standard,
            "supabase" => Payload::Supabase,
            "record" => Payload::Record,
            source => Payload::Template(Box::new(Template::parse(source).map_err(|error| error.to_string())?)),
        })
    }

    pub fn content_type(&self) -> &'static str {
        match self {
            Payload::Template(template) if !template.is_json() => "text/plain; charset=utf-8",
            _ => "application/json",
        }
    }

    /// None: the engine ended by it before.
    pub fn render_marked(&self, event: &Event, endpoint: i64, max_bytes: usize) -> Option<Result<Vec<u8>, String>> {
        match self {
            Payload::Template(_) => mark::rendering(event.id, endpoint, || self.render(event, max_bytes)),
            _ => Some(self.render(event, max_bytes)),
        }
    }

    fn render(&self, event: &Event, max_bytes: usize) -> Result<Vec<u8>, String> {
        let body = match self {
            Payload::Standard => standard(event),
            Payload::Supabase => supabase(event),
            Payload::Record => record(event).to_owned(),
            Payload::Template(template) => {
                template.render(&context(event), max_bytes).map_err(|error| error.to_string())?
            }
        };
        if body.len() > max_bytes {
            return Err(format!("the payload has {} bytes, frontdesk.max_payload_kb allows {}", body.len(), max_bytes));
        }
        Ok(body.into_bytes())
    }
}

fn standard(event: &Event) -> String {
    let (timestamp, data, previous) = (clock::rfc3339(event.created_at), record(event), previous(event));
    let kind = serde_json::Value::from(event.kind.as_str()).to_string();
    let mut parts = vec![r#"{"type":"#, &kind, r#","timestamp":""#, &timestamp, r#"","data":"#, data];
    if let Some(previous) = &previous {
        parts.extend([r#","previous":"#, previous]);
    }
    parts.push("}");
    parts.concat()
}

fn supabase(event: &Event) -> String {
    let [schema, table] = names(event.source.as_deref().unwrap_or_default()).map(serde_json::Value::from);
    let (record, old_record) = match event.op {
        Op::Delete => ("null", record(event)),
        _ => (record(event), event.old_record.as_deref().unwrap_or("null")),
    };
    format!(
        r#"{{"type":"{}","table":{table},"schema":{schema},"record":{record},"old_record":{old_record}}}"#,
        event.op.word().to_ascii_uppercase(),
    )
}

/// Schema and table of `schema.table`, as PostgreSQL quotes it.
fn names(source: &str) -> [String; 2] {
    let mut names = [String::new(), String::new()];
    let (mut at, mut quoted, mut previous) = (0, false, None);
    for c in source.chars() {
        match c {
            '"' => {
                // A doubled quote is one that belongs to the name.
                if !quoted && previous == Some('"') {
                    names[at].push('"');
                }
                quoted = !quoted;
            }
            '.' if !quoted => at = 1,
            _ => names[at].push(c),
        }
        previous = Some(c);
    }
    names
}

fn record(event: &Event) -> &str {
    event.record.as_deref().unwrap_or("null")
}

/// The old values of the columns that an update changed.
fn previous(event: &Event) -> Option<String> {
    type Object<'a> = std::collections::BTreeMap<std::borrow::Cow<'a, str>, &'a RawValue>;
    let old: Object = serde_json::from_str(event.old_record.as_deref()?).ok()?;
    let new: Object = serde_json::from_str(event.record.as_deref()?).ok()?;
    let changed: Object =
        old.into_iter().filter(|(name, value)| new.get(name).is_none_or(|new| new.get() != value.get())).collect();
    serde_json::to_string(&changed).ok()
}

/// What a payload template sees.
fn context(event: &Event) -> serde_json::Value {
    serde_json::json!({
        "id": event.id, "type": event.kind, "timestamp": clock::rfc3339(event.created_at), "op": event.op.word(),
        "source": event.source, "key": event.key, "tenant": event.tenant,
        "data": parsed(event.record.as_deref()), "previous": parsed(event.old_record.as_deref()),
    })
}

pub enum Signature {
    Standard,
    Sha256(HeaderName),
    None,
}

impl Signature {
    pub fn parse(text: &str) -> Result<Signature, String> {
        let (scheme, header) = text.split_once(':').map_or((text, None), |(scheme, header)| (scheme, Some(header)));
        match (scheme, header) {
            ("standard", None) => Ok(Signature::Standard),
            ("none", None) => Ok(Signature::None),
            ("sha256", header) => {
                let header = header.unwrap_or("x-hub-signature-256");
                let name = HeaderName::from_str(header)
                    .map_err(|_| format!("invalid header name \"{header}\" in signature"))?;
                if courier::is_reserved_header(&name) || name.as_str().starts_with("webhook-") {
                    return Err(format!("header \"{header}\" is set by the engine"));
                }
                Ok(Signature::Sha256(name))
            }
            _ => Err(format!("unknown signature \"{text}\"")),
        }
    }
}
