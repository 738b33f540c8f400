#![forbid(unsafe_code)]
//! What a webhook that comes in says: its id, its type, its document. Who sent it is for crate `signing`.

mod document;
mod headers;
mod sender;

use serde_json::Value;
use sha2::{Digest, Sha256};
use signing::VerifyScheme;

pub use headers::{Headers, kept};

/// A request, as whoever holds the socket gives it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub headers: &'a [(String, String)],
    pub body: &'a [u8],
    /// What stands after `?` in the URL.
    pub query: &'a str,
    pub method: &'a str,
}

/// What is set for a source in place of what its sender is known for.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// Where the id of the delivery is.
    pub id: Option<Place>,
    /// Where the type of what happened is.
    pub kind: Option<Place>,
}

/// Where a value is in a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The name of a header.
    Header(String),
    /// A path into the document.
    Body(filter::Path),
}

impl Place {
    /// `header:X-Request-Id` or a dotted path, `data.object.id`; `None` when it is neither.
    pub fn parse(text: &str) -> Option<Place> {
        match text.strip_prefix("header:") {
            Some(name) => (!name.is_empty() && name.is_ascii()).then(|| Place::Header(name.to_string())),
            None => filter::Path::parse(text).map(Place::Body),
        }
    }

    fn find(&self, request: &Request, document: &Value) -> Option<String> {
        match self {
            Place::Header(name) => Headers(request.headers).get(name).map(str::to_string),
            Place::Body(path) => path.find(document).and_then(text),
        }
    }
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Incoming {
    /// What the sender calls this delivery: a repeat has the same. Of one without an id that may be sent twice on
    /// purpose there is none.
    pub id: Option<String>,
    /// What happened, as the last parts of an event's type.
    pub kind: String,
    /// Always an object.
    pub document: Value,
    /// The answer that the sender waits for, in place of an event.
    pub reply: Option<String>,
}

/// Why the body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the body is not UTF-8")]
    NotText,
    #[error("the body is not JSON: {0}")]
    NotJson(String),
}

/// Reads a request of a sender that is known by its scheme.
///
/// # Errors
/// A body that is neither JSON, nor a form, nor text.
pub fn read(scheme: &VerifyScheme, rules: &Rules, request: &Request) -> Result<Incoming, Unreadable> {
    let document = document::read(request)?;
    let sender = sender::Sender { scheme, headers: Headers(request.headers), document: &document, body: request.body };
    let id = match &rules.id {
        Some(place) => place.find(request, &document).filter(|id| !id.is_empty()),
        None => sender.id(),
    };
    let kind = match &rules.kind {
        Some(place) => place.find(request, &document),
        None => sender.kind(),
    };
    let reply = sender.reply();
    Ok(Incoming { id: id.map(short), kind: event_kind(kind.as_deref().unwrap_or_default()), document, reply })
}

/// Meta asks whether this is the place that was told: with the token that was agreed on, and a challenge to be given back.
/// `None` when it is no such question.
pub fn challenge<'a>(request: &Request<'a>, verify_token: Option<&str>) -> Option<Result<String, &'static str>> {
    let values: Vec<_> = form_urlencoded::parse(request.query.as_bytes()).collect();
    let value = |name: &str| values.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string());
    if !request.method.eq_ignore_ascii_case("GET") || value("hub.mode").as_deref() != Some("subscribe") {
        return None;
    }
    let given = value("hub.verify_token").unwrap_or_default();
    Some(match verify_token {
        Some(token) if signing::same_text(&given, token) => Ok(value("hub.challenge").unwrap_or_default()),
        Some(_) => Err("hub.verify_token is not that of this source"),
        None => Err("this source has no verify_token"),
    })
}

/// A name for a body that has no other.
pub fn fingerprint(body: &[u8]) -> String {
    let digits = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256:{digits}")
}

/// The longest id that is kept as it is, in bytes.
const LONGEST_ID: usize = 200;
/// The longest type, in bytes: there is room for the source's name before it.
const LONGEST_KIND: usize = 100;

fn short(id: String) -> String {
    let fits = id.len() <= LONGEST_ID && !id.contains('\0');
    if fits { id } else { fingerprint(id.as_bytes()) }
}

/// Parts of an event's type with dots between; what may not stand there becomes `_`.
fn event_kind(text: &str) -> String {
    let parts = text.split(['.', ':', '/']).map(str::trim).filter(|part| !part.is_empty());
    let kind = parts.map(filter::event_word).collect::<Vec<_>>().join(".");
    match kind[..kind.floor_char_boundary(LONGEST_KIND)].trim_end_matches('.') {
        "" => "received".to_string(),
        kind => kind.to_string(),
    }
}

/// A text or a number, as text.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
